import random

import pandas as pd
import pytest

from tests.exports import netflix as exports
from tests.exports.netflix import DAYS, STYLES, TITLES, history
from tests.loaders.reading import finished
from tests.loaders.test_netflix import DERIVED, attempt, mutated
from toolkit.loaders import netflix, netflix_history
from toolkit.loaders.archive import as_file

NAME = "NetflixViewingHistory.csv"
COLUMNS = ["profile", "title", "started_at", "row_is", "precision", "excluded"]


def read_all(*data, **hints):
    files = [as_file(f"{n}/{NAME}", d) for n, d in enumerate(data)]
    return finished(netflix_history, files, **hints)


def read(*data, **hints):
    return read_all(*data, **hints)[0]


def excluded(*data, **hints):
    return [None if pd.isna(reason) else reason for reason in read(*data, **hints)["excluded"]]


class TestRecognises:
    @pytest.mark.parametrize("separator", [b",", b";", b"\t", b"|"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_a_title_and_a_date_and_nothing_else(self, separator, encoding):
        data = exports.history_in("DD.MM.YYYY").replace(b",", separator).decode().encode(encoding)
        assert netflix_history.recognises(as_file("any", data))
        assert not netflix.recognises(as_file("any", data))

    @pytest.mark.parametrize(
        "header", ['"Title","Date"', "Title,Date,", "Date,Title", "title;date"]
    )
    def test_a_header_that_a_spreadsheet_wrote(self, header):
        assert netflix_history.recognises(as_file("any", header.encode() + b"\r\n"))

    @pytest.mark.parametrize(
        "header",
        [
            "Title",
            "Date",
            "Title,Date,Rating",
            "Date,Name,Year,Letterboxd URI",
            "",
            "Title Date",
            "Title,Title,Date",
        ],
    )
    def test_no_other_table(self, header):
        assert not netflix_history.recognises(as_file(NAME, header.encode()))

    def test_no_bytes_raise(self):
        generator = random.Random(3)
        for _ in range(100):
            data = generator.randbytes(generator.randrange(60))
            for head in (data, b"Title,Date" + data, b"\xff\xfe" + data):
                assert netflix_history.recognises(as_file(NAME, head)) in (True, False)


class TestRead:
    def test_a_row_per_row_with_a_day_and_without_a_profile(self):
        plays, notes = read_all(exports.history_in("M/D/YY"))
        assert list(plays) == COLUMNS + DERIVED
        assert plays.index.equals(pd.RangeIndex(len(DAYS)))
        assert plays["started_at"].tolist() == [pd.Timestamp(day, tz="UTC") for day in DAYS]
        assert plays["started_at"].dtype == "datetime64[us, UTC]"
        assert set(plays["row_is"]) == {"latest"}
        assert set(plays["precision"]) == {"day"}
        assert set(plays["profile"]) == {""}
        assert notes == ["1 of 5 titles could not be parsed."]

    @pytest.mark.parametrize("style", STYLES)
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_each_style_of_dates_is_read(self, style, encoding):
        plays = read(exports.history_in(style).decode().encode(encoding))
        assert plays["started_at"].dt.strftime("%Y-%m-%d").tolist() == DAYS

    def test_no_title_is_known_to_be_a_film(self):
        plays = read(exports.history_in("M/D/YY"))
        assert plays["kind"].tolist() == [
            "episode",
            "episode",
            "episode",
            "unknown",
            "episode",
            "unknown",
        ]
        assert plays["series"].tolist()[:3] == ["Night Desk", "Arc Light", "Arc Light"]
        assert plays["season"].tolist() == [1, *[pd.NA] * 5]

    @pytest.mark.parametrize("blank", ["", " ", "\u00a0", "\u200b"])
    def test_blank_titles_stay(self, blank):
        data = history([("Fog", "1/14/24"), (blank, "1/13/24")])
        plays, notes = read_all(data)
        assert excluded(data) == [None, "no title"]
        assert plays["title"].isna().tolist() == [False, True]
        assert notes == ["1 of 1 titles could not be parsed."]

    def test_a_day_that_could_be_either_is_refused_until_its_order_is_named(self):
        data = exports.ambiguous_history()
        with pytest.raises(
            ValueError,
            match=r"`date_order` must say which way to read '06/05/24' in row 1 of Netflix",
        ):
            read(data)
        assert read(data, date_order="DMY")["started_at"].dt.month.tolist() == [5, 4, 3]
        assert read(data, date_order="MDY")["started_at"].dt.month.tolist() == [6, 5, 4]

    def test_the_falling_list_tells_the_order(self):
        data = history([("Fog", "5/2/24"), ("Neige", "4/10/24")])
        assert read(data)["started_at"].dt.month.tolist() == [5, 4]

    def test_a_mixed_list_is_refused_with_the_first_other_row(self):
        data = history([("Fog", "13/01/2024"), ("Neige", "1/12/24")])
        with pytest.raises(
            ValueError, match=r"dates in one style in Netflix.*, found '1/12/24' in row 2, unlike"
        ):
            read(data)

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            (("Fog", "1/12/24"), None), (("Neige", "1/13/24"), None), (("Fog", ""), "no time"),
            (("Fog", "1/13/24"), "duplicate"), (("Fog ", "1/13/24"), "duplicate"), (("", "1/13/24"), "no title"), (("", ""), "no title"),
            (("NULL", "1/13/24"), "no title"),
        ],
    )  # fmt: skip
    def test_a_row_stays_with_the_first_reason_that_holds(self, row, reason):
        assert excluded(history([("Fog", "1/13/24"), row])) == [None, reason]

    def test_a_year_that_stands_for_nothing_is_marked(self):
        assert excluded(history([("Fog", "2024-01-13"), ("Fog", "1899-01-13")])) == [
            None,
            "impossible time",
        ]

    def test_a_time_of_day_that_a_spreadsheet_added_is_no_knowledge(self):
        plays = read(history([("Fog", "1/13/2024 10:00")]))
        assert plays["started_at"].tolist() == [pd.Timestamp("2024-01-13", tz="UTC")]
        assert plays["precision"].tolist() == ["day"]


class TestReadSeveral:
    def test_two_lists_in_one_are_told_by_the_one_rise(self):
        plays, notes = read_all(exports.two_histories())
        assert len(plays) == len(DAYS) + 2
        assert notes[0] == "two exports seem to have been put together at row 7."

    def test_or_by_the_second_header_which_stays_as_a_row(self):
        plays, notes = read_all(exports.two_histories(again_header=True))
        assert len(plays) == len(DAYS) + 3
        assert plays["excluded"].tolist().count("repeated header") == 1
        assert plays["excluded"][6] == "repeated header"
        assert plays.loc[6, ["title", "started_at"]].isna().all()
        assert notes[0] == "the header stands again in row 7: two exports were put together."
        assert not any("put together at" in note for note in notes)

    def test_each_of_two_lists_falls_by_itself(self):
        first, second = (
            history([("Fog", day), ("Neige", other)])
            for day, other in (("5/2/24", "4/10/24"), ("6/2/24", "5/10/24"))
        )
        assert read(first + second)["started_at"].dt.month.tolist()[:2] == [5, 4]

    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    def test_the_second_header_may_have_the_mark_of_its_file(self, mark):
        first, second = exports.history_in("M/D/YY"), history([("Fog", "3/30/24")])
        assert excluded(first + mark + second)[6] == "repeated header"

    def test_a_list_that_is_in_order_has_no_break(self):
        for data in (
            exports.history_in("M/D/YY"),
            history([("Fog", "1/13/24"), ("Neige", "1/13/24")]),
        ):
            assert not any("row" in note for note in read_all(data)[1])

    def test_a_list_that_was_sorted_anew_says_so(self):
        rows = [("Fog", "1/13/24"), ("Neige", "1/14/24"), ("Red", ""), ("Sea", "1/15/24")]
        assert read_all(history(rows))[1][0] == (
            "dates go up 2 times, first at row 2: the list was sorted anew, or is several."
        )

    def test_several_lists_are_one_persons(self):
        plays, notes = read_all(exports.history_in("M/D/YY"), exports.history_in("DD.MM.YYYY"))
        assert len(plays) == 2 * len(DAYS)
        assert excluded(exports.history_in("M/D/YY"), exports.history_in("DD.MM.YYYY"))[6:] == [
            "no title" if title == " " else "duplicate" for title in TITLES
        ]
        assert notes[0] == "2 lists were read as one profile's: load those of others apart."

    @pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
    def test_a_list_without_rows(self, end):
        plays, notes = read_all(b"Title,Date" + end)
        assert list(plays) == COLUMNS
        assert len(plays) == 0
        assert notes == ["the list is there and has no rows."]
        full = read(exports.history_in("M/D/YY"))[COLUMNS]
        assert plays.dtypes.astype(str).tolist() == full.dtypes.astype(str).tolist()

    @pytest.mark.parametrize("separator", [";", "\t", "|"])
    def test_a_spreadsheet_may_have_saved_it(self, separator):
        rows = zip(TITLES, DAYS, strict=True)
        data = exports.table(rows, ("Title", "Date"), separator, "\r\n")
        pd.testing.assert_frame_equal(read(data), read(exports.history_in("YYYY-MM-DD")))

    def test_another_encoding_is_refused_with_the_way_out(self):
        with pytest.raises(
            ValueError,
            match=r"found byte 0xe9 .* of NetflixViewingHistory.csv: save it again as 'CSV UTF-8'",
        ):
            read(history([("Café", "1/13/24")]).decode().encode("cp1252"))

    def test_a_stray_quote_swallows_no_row(self):
        whole = exports.history_in("M/D/YY")
        broken = whole.replace(b'"Arc Light: Welcome"', b'"Arc Light: Welcome', 1)
        assert excluded(broken) == [None, "no time", None, "no title", None, None]
        with pytest.raises(ValueError, match="`path` must be a table with 2 fields in each row"):
            read(whole.replace(b'"3/11/24"', b'"3/11/24', 1))
        with pytest.raises(ValueError, match="or a quote without an end, in Netflix"):
            read(whole.rstrip()[:-1])
        with pytest.raises(ValueError, match="found a quote and more in row 1"):
            read(b'Title,Date\n"Fog,1/14/24\n"Neige",1/13/24\nLow Tide,1/12/24\n')


class TestMutations:
    SAMPLES = [
        *(exports.history_in(style) for style in STYLES),
        exports.two_histories(),
        exports.two_histories(True),
    ]

    def test_bytes_give_a_frame_or_one_sentence(self):
        generator = random.Random(12)
        read_rows = [
            attempt(netflix_history, mutated(generator, self.SAMPLES), NAME) for _ in range(200)
        ]
        assert sum(n is not None for n in read_rows) > 40
