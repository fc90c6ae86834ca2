import re

import numpy as np
import pandas as pd
import pytest

from tests.exports.prime import (
    EVENT_ROWS,
    EVENTS,
    FULL,
    FULL_ROWS,
    HOUR_ROWS,
    HOURS,
    SCRIPT_HEADERS,
    START_ROWS,
    STARTS,
    full_export,
    full_row,
    hours_export,
    script_page,
    starts_export,
    table,
)
from tests.loaders.mutations import changed_table, check_mutations, n_records
from tests.loaders.reading import finished
from toolkit.loaders import prime
from toolkit.loaders.archive import as_file
from toolkit.loaders.prime import LATEST, SOURCE, recognises

START, END = "2025-03-14T21:00:00Z", "2025-03-14T21:10:00Z"


def read_table(header, *rows, name="Viewing History.csv", **hints):
    return finished(prime, [as_file(name, table(header, *rows))], **hints)


def read_full(*rows, **hints):
    return read_table(",".join(f'"{name}"' for name in FULL), *rows, **hints)


def full_plays(*rows):
    return read_full(*rows)[0]


def session(title="Lanterns", seconds=600, start=START, end=END, **known):
    return full_row(
        start, end, title, seconds, **{n.replace("_", " "): v for n, v in known.items()}
    )


def reasons(plays):
    return [None if pd.isna(reason) else reason for reason in plays["excluded"]]


class TestRecognises:
    def test_of_each_export_only_histories_and_latest_dates_are_told(self):
        names = [
            name.rpartition("/")[2]
            for export in (hours_export(), starts_export(), full_export())
            for name, data in export.items()
            if recognises(as_file(name, data))
        ]
        assert names == [
            "Digital.PrimeVideo.Viewinghistory.csv", "PrimeVideo.ViewingHistory.csv",
            "Viewing History.csv", "Watch Events.csv",
        ]  # fmt: skip

    @pytest.mark.parametrize("language", SCRIPT_HEADERS)
    def test_the_page_of_a_browser_script_is_told_in_its_languages(self, language):
        assert recognises(as_file("watch-history-export.csv", script_page(language)))

    @pytest.mark.parametrize(
        "header",
        ['"""Playback Hour""","""Title"""', "PLAYBACK HOUR;TITLE", " playback_hour , title ",
         "PlaybackStartDatetime(UTC),seconds viewed,TITLE"],
    )  # fmt: skip
    def test_columns_are_told_whatever_their_case_spaces_and_quotes(self, header):
        assert recognises(as_file("x.csv", table(header)))

    @pytest.mark.parametrize(
        "data", [b"", b"\0", b"\xff\xfe", b"Title,Date\n", b"Title\n", b'"', b"[{}]", b"\xff,\xfe"]
    )
    def test_other_bytes_are_not_and_none_raise(self, data):
        assert not recognises(as_file("Viewing History.csv", data))


class TestHours:
    def test_a_row_is_the_hour_of_a_start_in_utc(self):
        plays, notes = read_table(HOURS, *HOUR_ROWS)
        assert plays["started_at"].tolist() == [
            pd.Timestamp(t, tz="UTC")
            for t in ("2020-03-14 21:00", "2020-03-14 21:00", "2020-03-15 00:00", "2021-11-02 09:00")
        ]  # fmt: skip
        assert set(plays["precision"]) == {"hour"}
        assert set(plays["row_is"]) == {"session"} == {SOURCE.row_is}
        assert plays["watched_seconds"].isna().all()
        assert plays["device"].tolist() == ["Fire OS"] * 3 + ["Android"]
        assert plays["country"].astype("str").fillna("").tolist() == ["DE", "DE", "DE", ""]
        assert set(plays["profile"]) == {""}
        assert "ended_at" not in plays
        assert notes == [
            "What was read of Prime Video is the viewing history until about 2022 (the hour of each "
            "start).",
            "Plays that start in the same hour as another of their title: 1.",
        ]

    def test_what_repeats_within_its_hour_stays(self):
        assert reasons(read_table(HOURS, *HOUR_ROWS)[0]) == [None, None, None, "no title"]

    def test_the_month_comes_first_as_amazon_writes_it(self):
        rows = ["Playback Hour,Title", "3/4/2020 21:00:00,A"]
        for order in (None, "MDY", "DMY"):
            plays, _ = read_table(*rows, date_order=order)
            assert plays["started_at"].dt.month.tolist() == [3]

    def test_unless_that_cant_be(self):
        plays, _ = read_table("Playback Hour,Title", "3/4/2020 21:00:00,A", "14/4/2020 21:00:00,B")
        assert plays["started_at"].dt.month.tolist() == [4, 4]
        plays, _ = read_table("Playback Hour,Title", "14/4/2020 21:00:00,B", date_order="MDY")
        assert plays["started_at"].dt.month.tolist() == [4]
        with pytest.raises(ValueError, match=r"in one order in Viewing .* in row 2"):
            read_table("Playback Hour,Title", "14/4/2020 21:00:00,B", "4/14/2020 21:00:00,B")


class TestStarts:
    def test_a_row_is_a_session_with_its_seconds(self):
        plays, notes = read_table(STARTS, *START_ROWS)
        assert plays["started_at"].tolist()[0] == pd.Timestamp("2023-05-06 20:15:33.25Z")
        assert plays["watched_seconds"].tolist() == [3600, 1800.5, 0, 60]
        assert plays["title"].tolist()[:3] == [
            "Harbour Nights", "Harbour Nights", "Pilot-Ferry Lines - Season 1",
        ]  # fmt: skip
        assert set(plays["precision"]) == {"second"}
        assert reasons(plays) == [None, None, "not a watch", "no title"]
        assert notes == [
            "What was read of Prime Video is the viewing history of 2023 and 2024 (start and seconds)."
        ]

    @pytest.mark.parametrize(
        "start",
        ["2023-05-06 20:15:33", "2023-05-06T20:15:33.0000000Z", "2023-05-06 20:15:33 UTC",
         "05/06/2023 20:15:33", '"""2023-05-06T20:15:33Z"""'],
    )  # fmt: skip
    def test_times_in_any_style_are_utc(self, start):
        plays, _ = read_table(STARTS, f"{start},A,1,DE", clock_tz="Asia/Tokyo")
        assert plays["started_at"].tolist() == [pd.Timestamp("2023-05-06 20:15:33Z")]

    def test_of_the_same_start_and_title_the_longest_stays(self):
        rows = [f"2023-05-06T20:15:33Z,A,{seconds},DE" for seconds in (5, 9, 9)]
        plays, _ = read_table(STARTS, *rows, "2023-05-06T20:15:33Z,B,5,DE")
        assert reasons(plays) == ["duplicate", None, "duplicate", None]

    def test_a_reason_goes_before_what_would_be_the_longest(self):
        rows = [f"2023-05-06T20:15:33Z,A,{seconds},DE" for seconds in (-5, 0, "", 4)]
        assert reasons(read_table(STARTS, *rows)[0]) == [
            "impossible duration", "not a watch", "duplicate", None,
        ]  # fmt: skip


class TestSince2025:
    def test_reads_the_history_row_by_row(self):
        files = [as_file(name, data) for name, data in full_export().items()]
        plays, notes = finished(prime, [file for file in files if recognises(file)])
        assert plays.index.equals(pd.RangeIndex(len(FULL_ROWS)))
        assert reasons(plays) == [
            None, None, None, None, None, "supplemental", "supplemental", "not a watch",
            "impossible time", "duplicate",
        ]  # fmt: skip
        assert plays["profile"].tolist() == ["ADULT"] * 4 + ["CHILD"] + ["ADULT"] * 5
        assert plays["is_kids"].tolist() == [False] * 4 + [True] + [False] * 5
        assert plays["is_autoplay"].tolist() == [False, False, True] + [False] * 7
        assert plays["ended_at"].tolist()[1] == pd.Timestamp("2025-03-15 20:40Z")
        assert plays["position_seconds"].tolist()[:2] == [3600, 6000]
        assert plays["runtime_seconds"].tolist()[:2] == [6000, 6000]
        assert plays["device"].astype("str").fillna("").tolist()[3:5] == ["Stick 4", ""]
        assert plays["title"].tolist()[4] == 'The "Moon" Bus'
        assert plays["kind"].tolist()[1:5] == ["film", "episode", "unknown", "unknown"]
        assert notes == [
            "What was read of Prime Video is the viewing history since 2025 (start, end and "
            "seconds).",
            "There are lists of latest dates as well, which are not read.",
            "Titles with a season whose series can't be told from its hyphens: 1.",
        ]

    def test_what_its_owner_deleted_was_watched(self):
        assert reasons(full_plays(session(Is_Deleted="Yes"))) == [None]

    @pytest.mark.parametrize(
        ("end", "reason"), [(START, None), ("2025-03-14T20:59:59Z", "impossible time")]
    )
    def test_an_end_may_be_the_start_and_not_before_it(self, end, reason):
        assert reasons(full_plays(session(end=end))) == [reason]
        assert reasons(full_plays(session(end="Not Available"))) == [None]

    @pytest.mark.parametrize(
        ("year", "reason"),
        [("1899", "impossible time"), ("1900", None), ("2199", None), ("2200", "impossible time")],
    )
    def test_years_have_bounds(self, year, reason):
        plays = full_plays(session(start=f"{year}-06-01T00:00:00Z", end=f"{year}-06-01T00:00:01Z"))
        assert reasons(plays) == [reason]
        assert plays["started_at"].isna().tolist() == [reason is not None]

    def test_a_row_has_the_first_reason_that_holds(self):
        promo = {"Material_Type_Description": "Promo"}
        rows = [
            session("Not Applicable", start="not available", **promo),
            session(start="", end="", **promo), session(end="2000-01-01T00:00:00Z", **promo),
            session(seconds=-1, **promo), session(seconds=0, **promo), session(seconds=0),
            session(), session(),
        ]  # fmt: skip
        assert reasons(full_plays(*rows)) == [
            "no title", "no time", "impossible time", "impossible duration", "supplemental",
            "not a watch", None, "duplicate",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("material", "reason"),
        [("Promo", "supplemental"), ("TRAILER", "supplemental"), ("Full", None), ("Short", None),
         ("Live", None), ("LiveStreaming", None), ("Not Available", None), ("New Kind", None)],
    )  # fmt: skip
    def test_the_material_says_what_is_supplemental_and_titles_do_not(self, material, reason):
        plays = full_plays(session("Trailer Park Promo", Material_Type_Description=material))
        assert reasons(plays) == [reason]

    @pytest.mark.parametrize(
        ("title", "series", "season"),
        [
            ("Pilot-Ferry Lines - Season 1", "Ferry Lines", 1),
            ("Pilot - Ferry Lines - Season 12", "Ferry Lines", 12),
            ("Drop-off-Ferry Lines - Season 1", None, None),
            ("Ferry Lines - Season 1", None, None),
            ("Pilot-Ferry Lines", None, None),
            ("-Ferry Lines - Season 1", None, None),
            ("Pilot- - Season 1", None, None),
            ("Pilot-Ferry Lines - Season 1 Extra", None, None),
            ("Pilot-Ferry Lines - Staffel 1", None, None),
        ],
    )
    def test_a_series_is_told_where_a_title_can_be_read_in_one_way(self, title, series, season):
        plays, notes = read_full(session(title))
        assert plays["title"].tolist() == [title]
        assert plays["series"].astype("str").fillna("").tolist() == [series or ""]
        assert plays["season"].fillna(-1).tolist() == [season or -1]
        unclear = season is None and bool(re.search(r" - Season \d+$", title))
        assert ("can't be told from its hyphens: 1" in notes[-1]) == unclear

    def test_quotes_go_only_where_every_title_has_them(self):
        plays, _ = read_table("Playback Hour,Title", '3/4/2020 9:00:00,"""Heroes"""',
                              "3/4/2020 9:00:00,Kings")  # fmt: skip
        assert plays["title"].tolist() == ['"Heroes"', "Kings"]
        assert full_plays(session('Say "Hi"'))["title"].tolist() == ['Say "Hi"']

    @pytest.mark.parametrize(
        ("rows", "runtimes"),
        [
            ([("A", 100, 6_000_000, "", 1000)], [6000]),
            # Two qualities, or two plays of a title, that differ were shown for so long.
            ([("A", 100, 6_000_000, 5_000_000, "")], [np.nan]),
            ([("A", 100, 6_000_000, "", ""), ("A", 100, "", 5_000_000, "")], [np.nan] * 2),
            ([("A", 100, 6_000_000, "", ""), ("A", 100, "", 6_004_000, "")], [6000, 6004]),
            # What ends before the position is no runtime, nor what was viewed in each row.
            ([("A", 100, 900_000, "", 906)], [np.nan]),
            ([("A", 100, 900_000, "", 905)], [900]),
            ([("A", 900, 900_000, "", ""), ("B", 60, 61_000, "", "")], [np.nan] * 2),
            ([("A", 900, 900_000, "", ""), ("B", 60, 99_000, "", "")], [900, 99]),
            ([("A", 100, 0, "", "")], [np.nan]),
        ],
    )
    def test_video_duration_is_milliseconds_and_a_runtime_only_while_it_can_be(
        self, rows, runtimes
    ):
        plays, notes = read_full(*(
            session(title, viewed, **{"Video_Duration_in_1080p": large, "End_Point_Seconds": at,
                                      "Video_Duration_in_720p": small})
            for title, viewed, large, small, at in rows
        ))  # fmt: skip
        assert plays["runtime_seconds"].fillna(-1).tolist() == [
            -1 if np.isnan(seconds) else seconds for seconds in runtimes
        ]
        refused = np.isnan(runtimes).all() and rows[0][2] != 0
        assert ("no runtime" in notes[-1]) == refused

    def test_a_promo_is_shorter_than_its_film(self):
        promo = session(seconds=4, Material_Type_Description="Promo", Video_Duration_in_1080p=9_000)
        film = session(start=END, end="", Material_Type_Description="Feature",
                       Video_Duration_in_1080p=6_000_000)  # fmt: skip
        assert full_plays(promo, film)["runtime_seconds"].tolist() == [9, 6000]

    def test_a_donated_subset_of_columns_is_enough(self):
        header = "Title,Seconds Viewed,Playback Start Datetime (UTC),Profile Type"
        plays, notes = read_table(header, f"A,60,{START},CHILD")
        assert "since 2025" in notes[0]
        assert plays["is_kids"].tolist() == [True]
        assert plays[["ended_at", "runtime_seconds", "is_autoplay"]].isna().all(axis=None)

    def test_nothing_personal_is_kept(self):
        kept = " ".join(map(str, full_plays(*FULL_ROWS).to_numpy().ravel()))
        assert "Nowhere" not in kept
        assert "Acme" not in kept

    @pytest.mark.parametrize(
        ("row", "sentence"),
        [
            (session(start="soon"), "found 'soon' in row 2"),
            (session(start="2025-02-30T00:00:00Z"), "found '2025-02-30T00:00:00Z' in row 2"),
            (session(start="2025-03-14"), "in row 2"),
            (
                session(seconds="1:00:00"),
                "times and seconds in one style, found '1:00:00' in row 2 of Viewing",
            ),
            (session(seconds="1e3"), "in row 2"),
            (session(seconds="a@b.org"), "found a text with an @ in row 2"),
            (session(Is_Autoplay="Perhaps"), "Yes or No for autoplay, found another text in row 2"),
        ],
    )
    def test_cells_that_cant_be_read_are_refused_with_their_row(self, row, sentence):
        with pytest.raises(ValueError, match=sentence):
            read_full(session(), row)

    def test_two_eras_are_two_exports(self):
        files = [as_file("someone/a.csv", table(HOURS)), as_file("b.csv", table(STARTS))]
        with pytest.raises(ValueError, match=r"one viewing history .* until about 2022 .* of 2023"):
            finished(prime, files)

    def test_two_files_of_one_era_are_one_history(self):
        files = [as_file(name, table(STARTS, *START_ROWS)) for name in ("1.csv", "2.csv")]
        plays, _ = finished(prime, files)
        assert reasons(plays) == [None, None, "not a watch", "no title",
                                  "duplicate", "duplicate", "not a watch", "no title"]  # fmt: skip

    def test_what_is_no_history_is_refused(self):
        with pytest.raises(ValueError, match=r"must hold one viewing history .* found none in x"):
            finished(prime, [as_file("x", b"a,b\n")])

    @pytest.mark.parametrize("header", [HOURS, STARTS, ",".join(FULL), EVENTS])
    def test_no_rows_are_no_plays(self, header):
        plays, _ = read_table(header)
        assert len(plays) == 0
        assert plays["started_at"].dtype == "datetime64[us, UTC]"


class TestLatest:
    def test_watch_events_are_the_latest_dates(self):
        plays, notes = read_table(EVENTS, *EVENT_ROWS)
        assert plays["title"].tolist() == ["Harbour Nights", "Pilot"]
        assert plays["started_at"].tolist()[0] == pd.Timestamp("2025-03-15 20:40Z")
        assert plays["watched_seconds"].tolist() == [5950, 1500]
        assert set(plays["row_is"]) == {"latest"} == {LATEST.row_is}
        assert set(plays["kind"]) == {"unknown"}
        assert reasons(plays) == [None, None]
        assert "Watch Events" in notes[0]

    def test_their_times_need_a_zone_and_their_days_none(self):
        header = "Most Recent Watch Date,Title Name"
        with pytest.raises(ValueError, match="`clock_tz` must say which zone"):
            read_table(header, "2025-03-15 20:40:00,A")
        plays, _ = read_table(header, "2025-03-15 20:40:00,A", ",B", clock_tz="Asia/Tokyo")
        assert plays["started_at"].tolist() == [pd.Timestamp("2025-03-15 11:40Z"), pd.NaT]
        plays, _ = read_table(header, "2025-03-15,A")
        assert plays["precision"].tolist() == ["day"]
        assert plays["started_at"].tolist() == [pd.Timestamp("2025-03-15", tz="UTC")]

    @pytest.mark.parametrize("language", SCRIPT_HEADERS)
    def test_the_page_of_a_browser_script_in_any_language(self, language):
        plays, notes = finished(prime, [as_file("x.csv", script_page(language))])
        assert plays["title"].tolist() == ["Harbour Nights", "Ferry Lines - Season 1 - Pilot"]
        assert plays["series"].astype("str").fillna("").tolist() == ["", "Ferry Lines - Season 1"]
        assert plays["kind"].tolist() == ["film", "episode"]
        assert plays["started_at"].tolist()[0] == pd.Timestamp("2025-03-15 20:40:00.123Z")
        assert set(plays["row_is"]) == {"latest"}
        assert "browser script" in notes[0]

    def test_the_script_may_write_milliseconds(self):
        data = b'Date Watched,Type,Title,Episode\n1742071200123,Movie,"A",'
        plays, _ = finished(prime, [as_file("x.csv", data)])
        assert plays["started_at"].tolist() == [pd.Timestamp("2025-03-15 20:40:00.123Z")]

    def test_days_of_an_old_script_are_refused_with_the_way_out(self):
        data = b'Datum angesehen,Typ,Titel,Folge\n2024-04-23,Film,"A",'
        with pytest.raises(ValueError, match=r"times and not days.*with a newer script\."):
            finished(prime, [as_file("x.csv", data)])


def test_mutated_bytes_give_every_record_or_one_sentence():
    exports = [*(hours_export() | starts_export() | full_export()).values(), script_page("ja")]
    check_mutations(
        prime,
        exports,
        changed_table,
        "x.csv",
        lambda data: n_records(data, 1),
        clock_tz="Europe/Berlin",
    )
