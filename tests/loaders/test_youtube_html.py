import datetime as dt
import time

import pandas as pd
import pytest

from tests.exports.youtube import EVENTS, LANGUAGES, Event, as_html, as_json
from tests.loaders.mutations import read_or_refused
from tests.loaders.reading import finished
from tests.loaders.test_youtube import check_frame, mutated
from toolkit.loaders import youtube, youtube_html
from toolkit.loaders.archive import as_file
from toolkit.loaders.youtube_html import SOURCE, recognises

WATCH = "https://www.youtube.com/watch?v=kn0tsKn0tsK"
HEAD = '<html><head><style>.mdl-grid{}</style></head><body><div class="mdl-grid">'
PRODUCTS = "<b>Products:</b><br>&emsp;YouTube<br>"


def cell(date="Jan 2, 2023, 3:04:05 PM UTC", body=None, caption=PRODUCTS, header="YouTube"):
    link = f'Watched <a href="{WATCH}">Knots</a><br>'
    return (
        '<div class="outer-cell mdl-cell"><div class="mdl-grid"><div class="header-cell mdl-cell">'
        f'<p class="mdl-typography--title">{header}<br></p></div>'
        '<div class="content-cell mdl-cell mdl-typography--body-1">'
        f"{link + date if body is None else body}</div>"
        '<div class="content-cell mdl-cell mdl-typography--body-1 mdl-typography--text-right"></div>'
        f'<div class="content-cell mdl-cell mdl-typography--caption">{caption}</div></div></div>'
    )


def page(*cells):
    text = HEAD + "".join(cells) + "</div></body></html>"
    return as_file("page.html", text.encode("utf-8", "surrogatepass"))


def plays(*cells, **hints):
    return finished(youtube_html, [page(*cells)], **hints)[0]


def dates(*texts, **hints):
    return plays(*(cell(text) for text in texts), **hints)["started_at"].tolist()


def notes(*texts, **hints):
    return finished(youtube_html, [page(*map(cell, texts))], **hints)[1]


def at(text):
    return pd.Timestamp(text + "Z")


class TestRecognises:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_a_page_behind_long_styles_in_any_language(self, language):
        data = as_html(language=language)
        assert b"outer-cell" not in data[: 2**14]
        assert recognises(as_file("x.html", data))

    def test_pages_of_other_products_and_of_searches_are_not_ours(self):
        assert not recognises(page(cell(header="Maps")))
        assert not recognises(
            page(cell(body="Searched for <a href='https://www.youtube.com/results'>x</a><br>"))
        )
        assert recognises(page(cell()))

    def test_other_files_are_not_ours_and_are_not_read_whole(self):
        def never():
            raise AssertionError

        for data in (as_json(), b"", b"<html>", b"a,b\n1,2\n", bytes(range(256)) * 64):
            made = as_file("x.html", data)
            assert not recognises(type(made)("x.html", len(data), lambda data=data: data, never))

    def test_a_damaged_page_is_left_to_read(self):
        def broken():
            raise ValueError("damaged")

        made = page(cell())
        assert recognises(type(made)("x.html", made.size, lambda: made.head, broken))


class TestRead:
    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize(("zone", "hours"), [("UTC", 0), ("AEDT", 11), ("GMT-03:30", -3.5)])
    def test_page_and_json_give_the_same_plays_but_for_milliseconds(self, language, zone, hours):
        made, _ = finished(
            youtube_html, [as_file("a.html", as_html(EVENTS, language, zone, hours))]
        )
        other, _ = finished(youtube, [as_file("a.json", as_json(EVENTS, language))])
        other["started_at"] = other["started_at"].dt.floor("s")
        pd.testing.assert_frame_equal(made, other)
        check_frame(made, len(EVENTS))

    def test_both_are_one_source(self):
        assert SOURCE is youtube.SOURCE

    def test_only_the_ampersand_is_escaped_and_names_may_look_like_tags(self):
        name = "if a <br> b & c <div class='outer'> <3"
        body = f'Watched <a href="{WATCH}&amp;t=1">{name.replace("&", "&amp;")}</a><br>Jan 2, 2023, 3:04:05 PM UTC<br>'
        made = plays(cell(body=body))
        assert made["title"].tolist() == [f"{name} [kn0tsKn0tsK]"]

    def test_names_written_with_entities_are_read(self):
        body = f'Watched&nbsp;<a href="{WATCH}">Tom &#39;n&quot; J&eacute;rry &lt;3</a><br>Jan 2, 2023, 3:04:05 PM UTC'
        assert plays(cell(body=body))["title"].tolist() == ["Tom 'n\" Jérry <3 [kn0tsKn0tsK]"]

    def test_a_page_put_in_order_by_an_editor_is_the_same(self):
        text = as_html().decode().replace("<div", "\n  <div").replace("<br>", "<br />\n    ")
        made, _ = finished(youtube_html, [as_file("a.html", text.encode())])
        pd.testing.assert_frame_equal(
            made, finished(youtube_html, [as_file("a.html", as_html())])[0]
        )

    def test_the_channel_may_be_absent_and_other_lines_may_stand_between(self):
        body = f'Watched <a href="{WATCH}">Knots</a><br>Watched at 3:04 PM<br>Jan 2, 2023, 3:04:05 PM UTC'
        made = plays(cell(body=body))
        assert made["series"].isna().all()
        assert made["started_at"].tolist() == [at("2023-01-02 15:04:05")]

    def test_each_cell_is_a_row_even_if_it_is_broken(self):
        broken = [
            '<div class="outer-cell">',
            cell(body=""),
            cell("Someone said so"),
            cell(body="Watched a video that has been removed"),
        ]
        made = plays(cell(), *broken)
        assert made["excluded"].tolist()[1:] == ["no title", "no title", "no time", "no time"]

    def test_words_in_names_open_no_new_row_and_no_caption(self):
        words = 'outer-cell" > mdl-typography--caption'
        body = f'Watched <a href="{WATCH}">{words}</a><br>Jan 2, 2023, 3:04:05 PM UTC'
        removed = f"Watched {words}<br>Jan 1, 2023, 3:04:05 PM UTC"
        advert = PRODUCTS + "<b>Details:</b><br>&emsp;From Google Ads<br>"
        made = plays(cell(body=body, caption=advert), cell(body=removed), cell())
        assert made["excluded"].astype(object).tolist()[:2] == ["advert", "removed"]
        assert len(made) == 3

    def test_a_cell_whose_edge_is_broken_does_not_vanish(self):
        with pytest.raises(
            ValueError,
            match=r"`path` must be a whole page, found 2 headers of rows but 1 rows in page",
        ):
            plays(cell(), cell().replace("outer-cell", "outer<cell"))

    def test_the_same_click_on_two_pages_counts_once(self):
        made, _ = finished(youtube_html, [page(cell()), page(cell())])
        assert made["excluded"].tolist()[1] == "duplicate"

    @pytest.mark.parametrize(
        ("caption", "is_advert"),
        [
            (PRODUCTS, False),
            (PRODUCTS + "<b>Details:</b><br>&emsp;From Google Ads<br>", True),
            ("<b>Produkte:</b><br>&emsp;YouTube<br><b>Details:</b><br>&emsp;Von Google Anzeigen<br>", True),
            ("<b>Producten:</b><br>&emsp;YouTube<br><b>Details:</b><br>&emsp;Via Google Ads<br>", True),
            ("<b>Produits\u00a0:</b><br>&emsp;YouTube<br><b>Détails\u00a0:</b><br>&emsp;Des annonces Google<br>", True),
            ("<b>Productos:</b><br>&emsp;YouTube<br><b>Detalles:</b><br>&emsp;Desde Google Ads<br>", True),
            (PRODUCTS + "<b>Dettagli:</b><br>&emsp;Da programmi pubblicitari<br>", True),
            (PRODUCTS + "<b>Details:</b><br>&emsp;Something new<br>", True),
            (PRODUCTS + "<b>Details:</b><br>&emsp;<a href='x'>Something</a><br>", True),
            (PRODUCTS + "<b>Dettagli:</b><br>&emsp;<a href='x'>From Google Ads</a><br>", True),
            (PRODUCTS + "<b>Why is this here?</b><br>&emsp;This activity was saved<br>", False),
            (PRODUCTS + "<b>Perché?</b><br>&emsp;<a href='https://myaccount.google.com/activitycontrols'>qui</a>", False),
            (PRODUCTS + "<b>Locations:</b><br>&emsp;At this general area<br>", False),
            ("<b>Ürünler:</b><br>&emsp;YouTube Music<br>", False),
            ("", False),
        ],
    )  # fmt: skip
    def test_adverts_are_told_by_their_caption(self, caption, is_advert):
        made = plays(cell("Jan 3, 2023, 3:04:05 PM UTC"), cell(caption=caption))
        assert (made["excluded"][1] == "advert") == is_advert

    def test_unknown_words_for_adverts_are_counted(self):
        cells = [cell(caption=PRODUCTS + "<b>Details:</b><br>&emsp;Something new<br>"), cell()]
        said = finished(youtube_html, [page(*cells)])[1]
        assert any(
            note.startswith("1 rows have details in words that are not known") for note in said
        )

    def test_an_unknown_heading_in_all_rows_makes_no_adverts(self):
        caption = PRODUCTS + "<b>Kial?</b><br>&emsp;Tial<br>"
        cells = [cell(f"Jan 2, 2023, 3:04:{n:02} PM UTC", caption=caption) for n in range(10)]
        assert plays(*cells)["excluded"].isna().all()
        assert plays(*cells[:9])["excluded"].eq("advert").all()

    def test_a_page_without_rows_or_dates_is_refused(self):
        with pytest.raises(
            ValueError, match=r"`path` must have rows of activity, found none in page.html: ask for"
        ):
            plays()
        with pytest.raises(
            ValueError, match=r"`path` must show a date in its rows, found none in page.html: ask"
        ):
            plays(cell("no date"))
        with pytest.raises(
            ValueError, match=r"`path` must be text in utf-8, found byte 0xff .* JSON"
        ):
            finished(youtube_html, [as_file("page.html", HEAD.encode() + b"\xff")])


class TestDates:
    @pytest.mark.parametrize(
        "text",
        [
            "Jan 2, 2023, 3:04:05 PM UTC", "Jan 2, 2023, 3:04:05\u202fPM UTC", "Jan 2, 2023, 3:04:05\u00a0PM UTC",
            "2 Jan 2023, 15:04:05 UTC", "January 2, 2023, 3:04:05 p.m. UTC", "2 Jan 2023, 3:04:05 pm UTC",
            "2023-01-02, 3:04:05 p.m. UTC", "2023/01/02, 15:04:05 UTC",
            "02.01.2023, 15:04:05 UTC", "2. Jan. 2023, 15:04:05 UTC", "2. Januar 2023 um 15:04:05 UTC", "2. Jän. 2023, 15:04:05 UTC",
            "2 jan. 2023 15:04:05 UTC", "2 jan 2023, 15:04:05 UTC", "2 januari 2023 om 15:04:05 UTC",
            "2 janv. 2023, 15:04:05 UTC", "2 janv. 2023 à 15:04:05 UTC", "2 janv. 2023, 15 h 04 min 05 s UTC",
            "2 ene 2023, 15:04:05 UTC", "2 ene. 2023, 3:04:05\u00a0p.\u00a0m. UTC", "2 de enero de 2023, 15:04:05 UTC",
        ],
    )  # fmt: skip
    def test_one_moment_in_every_style(self, text):
        assert dates(text) == [at("2023-01-02 15:04:05")]

    @pytest.mark.parametrize(
        "months",
        [
            "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec", "Jan Feb March April May June July Aug Sept Oct Nov Dec",
            "Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez.", "jan. feb. mrt. apr. mei jun. jul. aug. sep. okt. nov. dec.",
            "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.", "ene feb mar abr may jun jul ago sept oct nov dic",
        ],
    )  # fmt: skip
    def test_all_months(self, months):
        texts = [f"5 {month} 2023, 15:04:05 UTC" for month in months.split()]
        assert dates(*texts) == [at(f"2023-{n:02}-05 15:04:05") for n in range(1, 13)]

    @pytest.mark.parametrize(
        ("clock", "hour"),
        [("12:00:00 AM", 0), ("1:00:00 AM", 1), ("12:00:00 PM", 12), ("11:00:00 PM", 23)],
    )
    def test_midnight_and_noon(self, clock, hour):
        assert dates(f"Jan 2, 2023, {clock} UTC") == [at(f"2023-01-02 {hour:02}:00")]

    @pytest.mark.parametrize(
        "text",
        [
            "2 sty 2023, 15:04:05 UTC", "2 led 2023, 15:04:05 UTC", "2023年1月2日 15:04:05 UTC", "30 Feb 2023, 15:04:05 UTC",
            "Jan 2, 2023, 13:04:05 PM UTC", "Jan 2, 2023, 0:04:05 AM UTC", "Jan 2, 2023, 24:04:05 UTC", "2 Jan 23, 15:04:05 UTC",
            "32.01.2023, 15:04:05 UTC", "2 Jan 2023, 15:04 UTC",
        ],
    )  # fmt: skip
    def test_other_languages_and_impossible_dates_are_refused_with_their_row(self, text):
        with pytest.raises(
            ValueError, match=r"`path` must show dates in English.*in row 2 of page.html: ask for"
        ) as refusal:
            dates("Jan 2, 2023, 3:04:05 PM UTC", text)
        assert refusal.value.__cause__ is None

    def test_years_that_cannot_be_are_marked(self):
        made = plays(
            *map(
                cell,
                [
                    "Jan 2, 2023, 3:04:05 PM UTC",
                    "1 Jan 2200, 15:04:05 UTC",
                    "31 Dec 1899, 15:04:05 UTC",
                ],
            )
        )
        assert made["excluded"].tolist()[1:] == ["impossible time"] * 2

    def test_the_order_of_numbers_is_told_for_the_whole_page(self):
        assert dates("13/02/2023, 15:04:05 UTC", "03/02/2023, 15:04:05 UTC") == [
            at("2023-02-13 15:04:05"),
            at("2023-02-03 15:04:05"),
        ]
        assert dates("2/13/2023, 15:04:05 UTC", "2/3/2023, 15:04:05 UTC") == [
            at("2023-02-13 15:04:05"),
            at("2023-02-03 15:04:05"),
        ]
        assert dates("2-2-2023, 15:04:05 UTC") == [at("2023-02-02 15:04:05")]

    def test_the_newest_row_comes_first(self):
        texts = ["01/03/2023, 15:04:05 UTC", "12/02/2023, 15:04:05 UTC", "11/02/2023, 15:04:05 UTC"]
        assert dates(*texts)[0] == at("2023-03-01 15:04:05")

    def test_an_order_that_stays_open_is_asked_for(self):
        texts = ["04/03/2023, 15:04:05 UTC", "03/02/2023, 15:04:05 UTC"]
        with pytest.raises(
            ValueError, match=r"`date_order` must say .* in page.html: name the `date_order` or ask"
        ):
            dates(*texts)
        assert dates(*texts, date_order="DMY")[0] == at("2023-03-04 15:04:05")
        assert dates(*texts, date_order="MDY")[0] == at("2023-04-03 15:04:05")
        with pytest.raises(ValueError, match=r"`date_order`"):
            dates(*texts, date_order="YMD")

    def test_a_named_order_never_overrules_what_the_page_tells(self):
        assert dates("13/02/2023, 15:04:05 UTC", date_order="MDY") == [at("2023-02-13 15:04:05")]
        assert dates("03.02.2023, 15:04:05 UTC", date_order="MDY") == [at("2023-02-03 15:04:05")]

    def test_two_orders_in_one_page_are_refused(self):
        with pytest.raises(ValueError, match=r"`date_order`"):
            dates("13/02/2023, 15:04:05 UTC", "02/13/2023, 15:04:05 UTC")


class TestZones:
    @pytest.mark.parametrize(
        ("zone", "hours"),
        [
            ("UTC", 0), ("GMT", 0), ("MEZ", 1), ("MESZ", 2), ("CET", 1), ("CEST", 2), ("EST", -5), ("EDT", -4),
            ("PST", -8), ("PDT", -7), ("AEST", 10), ("AEDT", 11), ("ACDT", 10.5), ("NZDT", 13), ("JST", 9),
            ("GMT+1", 1), ("GMT-03:00", -3), ("UTC+5:30", 5.5), ("UTC−3", -3), ("GMT+05:45", 5.75), ("+0530", 5.5), ("cest", 2),
        ],
    )  # fmt: skip
    def test_one_meaning(self, zone, hours):
        assert dates(f"Jan 2, 2023, 3:04:05 PM {zone}") == [
            at("2023-01-02 15:04:05") - dt.timedelta(hours=hours)
        ]

    def test_the_zone_of_the_export_holds_for_all_seasons(self):
        # May is winter in Sydney; the page still says AEDT, and its clock stood there.
        assert dates("11 Jan 2021, 15:10:34 AEDT", "11 May 2020, 15:10:34 AEDT") == [
            at("2021-01-11 04:10:34"),
            at("2020-05-11 04:10:34"),
        ]
        assert any(
            "+11 hours from UTC by the zone shown; where" in note
            for note in notes("11 May 2021, 15:10:34 AEDT")
        )
        assert not any("clock" in note for note in notes("11 May 2021, 15:10:34 UTC"))

    @pytest.mark.parametrize(
        ("zone", "clock_tz", "hours"),
        [
            ("IST", "Asia/Kolkata", 5.5), ("IST", "Europe/Dublin", 1), ("IST", "Asia/Jerusalem", 2), ("CST", "America/Chicago", -6),
            ("CDT", "America/Chicago", -5), ("CST", "Asia/Shanghai", 8), ("BST", "Europe/London", 1), ("BST", "Etc/GMT-1", 1),
            ("BST", "Asia/Dhaka", 6), ("MST", "America/Denver", -7), ("AST", "America/Halifax", -4),
        ],
    )  # fmt: skip
    def test_several_meanings_are_settled_by_the_zone(self, zone, clock_tz, hours):
        text = f"2 Jan 2023, 15:04:05 {zone}"
        with pytest.raises(
            ValueError,
            match=r"`clock_tz` must say which zone the clock showed, found .*page.html: name the `clock_tz` or ask",
        ):
            dates(text)
        # One offset, also in the other half of the year.
        assert dates("2 Jul 2023, 15:04:05 " + zone, text, clock_tz=clock_tz)[1] == at(
            "2023-01-02 15:04:05"
        ) - dt.timedelta(hours=hours)

    def test_a_zone_that_never_has_that_name_is_refused(self):
        with pytest.raises(
            ValueError,
            match=r"`clock_tz` must be a zone whose clock is called CST at times, found 'Asia/Tokyo'",
        ):
            dates("2 Jan 2023, 15:04:05 CST", clock_tz="Asia/Tokyo")
        with pytest.raises(ValueError, match=r"`clock_tz` must be the name of a time zone"):
            dates("2 Jan 2023, 15:04:05 CST", clock_tz="Nowhere")

    def test_an_unknown_name_takes_the_offset_of_the_newest_row(self):
        texts = ["2 Jul 2023, 15:04:05 XYZT", "2 Jan 2023, 15:04:05 XYZT"]
        with pytest.raises(ValueError, match=r"found 'XYZT', which tells no one zone,"):
            dates(*texts)
        assert dates(*texts, clock_tz="Europe/Berlin") == [
            at("2023-07-02 13:04:05"),
            at("2023-01-02 13:04:05"),
        ]
        assert any(
            "+2 hours from UTC by `clock_tz`" in note
            for note in notes(*texts, clock_tz="Europe/Berlin")
        )

    def test_a_name_with_one_meaning_is_not_overruled(self):
        assert dates("2 Jan 2023, 15:04:05 AEDT", clock_tz="Europe/Berlin") == [
            at("2023-01-02 04:04:05")
        ]

    def test_pages_without_zone_are_utc_until_2018(self):
        texts = ["Dec 31, 2018, 5:14:40 PM", "Mar 8, 2018, 5:14:40 PM"]
        assert dates(*texts)[1] == at("2018-03-08 17:14:40")
        assert any("2018 and before, which shows no zone" in note for note in notes(*texts))
        assert dates(*texts, clock_tz="Europe/Berlin")[1] == at("2018-03-08 16:14:40")

    def test_later_pages_without_zone_ask_for_it(self):
        texts = ["Jan 1, 2019, 12:00:00 AM", "Mar 8, 2018, 5:14:40 PM"]
        with pytest.raises(
            ValueError,
            match=r"`clock_tz` must say which zone the clock showed, found no zone in page.html",
        ):
            dates(*texts)
        assert dates(*texts, clock_tz="Europe/Berlin")[1] == at("2018-03-08 16:14:40")

    @pytest.mark.parametrize("other", ["CEST", ""])
    def test_two_zones_in_one_page_are_refused(self, other):
        with pytest.raises(
            ValueError,
            match=r"`path` must show one zone in all rows, found 2 in page.html: ask for",
        ):
            dates("2 Jul 2018, 15:04:05 CET", f"2 Jan 2018, 15:04:05 {other}")

    @pytest.mark.parametrize("zone", ["GMT+15", "GMT+1:75", "GMT+123", "+", "GMT+"])
    def test_offsets_that_no_zone_has_are_not_read(self, zone):
        with pytest.raises(ValueError, match=r"`clock_tz` must say"):
            dates(f"2 Jan 2023, 15:04:05 {zone}")


class TestHostilePages:
    @pytest.mark.parametrize(
        "text",
        [
            '<div class="outer-cell">' + "<div>" * 200_000, '<div class="outer-cell ' * 40_000, "<div " + "outer-cell " * 90_000,
            cell() + '<div class="outer-cell"><p class="mdl-typography--body-1">' + "<a href=" * 120_000,
            cell() + '<div class="outer-cell"><p class="mdl-typography--body-1">x<br>' + "<" * 1_000_000,
            cell() + '<div class="outer-cell"><p class="mdl-typography--body-1">x<br>&#' + "1" * 1_000_000,
            cell() + '<div class="outer-cell"><p class="mdl-typography--body-1">x<br>' + "12 " * 300_000,
            cell() + '<div class="outer-cell">' * 40_000, cell(caption="<b>" * 300_000), cell(caption="<b>x</b>" * 100_000),
            cell(body=f'Watched <a href="{WATCH[:32]}{"&" * 2900}">x</a><br>Jan 2, 2023, 3:04:05 PM UTC'),
        ],
    )  # fmt: skip
    def test_no_page_takes_long(self, text):
        start = time.perf_counter()
        made = page(text)
        assert recognises(made) in (True, False)
        try:
            frame, _ = finished(youtube_html, [made])
        except ValueError as error:
            refusal = str(error)
        else:
            check_frame(frame, len(youtube_html._cells(made.read().decode())))
            refusal = "`"
        assert refusal.startswith("`")
        assert time.perf_counter() - start < 10

    def test_mutated_bytes_are_read_whole_or_refused(self):
        data = as_html(
            [*EVENTS, Event("2023-01-01T00:00:00.000", name="\U0001f40c é", video="sna1lSna1lS")]
        )
        data = data.replace(
            b".mdl-grid{display:flex}.content-cell{padding:8px}" * 2000, b".mdl-grid{}"
        )
        assert sum(check_mutation(mutated(data, seed)) for seed in range(200)) > 50


def check_mutation(data):
    """Return whether bytes could be read; then all rows are there."""
    frame = read_or_refused(youtube_html, "x.html", data)
    if frame is not None:
        # Another way to count than the reader's.
        assert len(frame) >= data.count(b'<p class="mdl-typography--title">')
        check_frame(frame, len(frame))
    return frame is not None
