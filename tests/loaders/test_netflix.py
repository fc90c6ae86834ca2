import random

import numpy as np
import pandas as pd
import pytest

from tests.exports import netflix as exports
from tests.exports.netflix import ENGLISH, USED, table, view
from tests.loaders.reading import finished
from toolkit.loaders import netflix
from toolkit.loaders.archive import as_file
from toolkit.loaders.sources import Hints

PATH = "CONTENT_INTERACTION/ViewingActivity.csv"
TEXTS = {"profile", "title", "series", "device", "country", "row_is", "precision", "excluded"}
COLUMNS = [
    "profile", "title", "started_at", "watched_seconds", "position_seconds", "is_autoplay",
    "device", "country", "row_is", "precision", "excluded",
]  # fmt: skip
# What titles say, where there are any; parsing is tested with its own module.
DERIVED = ["series", "season", "episode", "kind"]


def read_all(*data, **hints):
    files = [as_file(PATH if n == 0 else f"{n}/{PATH}", d) for n, d in enumerate(data)]
    return finished(netflix, files, **hints)


def read(*data, **hints):
    return read_all(*data, **hints)[0]


def rows(*changes, **columns):
    """Views that differ from each other in what is given only."""
    base = {"start": "2024-03-01 20:00:00", "duration": "00:10:00", "title": "Fog"} | columns
    return table([view(**(base | change)) for change in changes or [{}]])


def excluded(*data, **hints):
    return read(*data, **hints)["excluded"].astype(object).where(lambda s: s.notna(), None).tolist()


class TestRecognises:
    @pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_the_table_of_views_by_its_header_whatever_its_name(self, separator, encoding):
        data = table(ENGLISH.values(), separator=separator).decode().encode(encoding)
        assert netflix.recognises(as_file("anything", data))

    @pytest.mark.parametrize("data", [exports.profiles_2023(), exports.profiles_2024()])
    def test_the_list_of_profiles(self, data):
        assert netflix.recognises(as_file("PROFILES/Profiles.csv", data))

    def test_a_table_without_rows_by_its_name_and_text(self):
        for name in ("1/CONTENT_INTERACTION/ViewingActivity.txt", "viewingactivity.txt"):
            assert netflix.recognises(as_file(name, exports.NO_ROWS))
        assert not netflix.recognises(as_file("Ratings.txt", exports.NO_ROWS))
        assert not netflix.recognises(as_file("ViewingActivity.txt", b"We found no"))

    def test_of_a_whole_export_only_what_is_read(self):
        for activity, name in (
            (None, "ViewingActivity.txt"),
            (exports.english(), "ViewingActivity.csv"),
        ):
            files = exports.export(activity)
            known = [f for f, data in files.items() if netflix.recognises(as_file(f, data))]
            assert [f.rpartition("/")[2] for f in known] == [name, "Profiles.csv"]

    @pytest.mark.parametrize(
        "header",
        [
            "Title,Date", "Title,Start Time,Country", "Profile Name,Title Name,Country,Utc Title Add Date",
            "Profile Name,Title Description,Device,Country,Playback Start Utc Ts,Playtraces", "", "Profile Name",
            "Playback Start Datetime (UTC),Title,Seconds Viewed",
        ],
    )  # fmt: skip
    def test_no_other_table(self, header):
        assert not netflix.recognises(as_file(PATH, header.encode() + b"\n"))

    @pytest.mark.parametrize("header", ["StartTime", "Start Time (UTC)", "start_time"])
    def test_headers_that_people_changed(self, header):
        data = (
            exports.english()
            .replace(b"Start Time", header.encode())
            .replace(b"Duration", b"Duration (H:MM:SS)")
        )
        assert netflix.recognises(as_file(PATH, data))
        assert len(read(data)) == len(ENGLISH)
        assert "started_at" in read(data)

    def test_no_bytes_raise(self):
        generator = random.Random(5)
        heads = [
            exports.english()[:300],
            exports.profiles_2024()[:300],
            b"\xff\xfe\x00\xd8",
            b"\xef\xbb\xbf",
        ]
        for _ in range(300):
            data = bytearray(generator.choice(heads))
            for _ in range(generator.randrange(20)):
                data.insert(generator.randrange(len(data) + 1), generator.randrange(256))
            assert netflix.recognises(as_file(PATH, bytes(data))) in (True, False)
        for data in (generator.randbytes(16384), b"[" * 16384, b'"' * 16384, b"\0" * 16384):
            assert not netflix.recognises(as_file(PATH, data))


class TestRead:
    def test_a_row_per_row_in_the_order_of_the_file(self):
        plays, notes = read_all(exports.english())
        assert list(plays) == COLUMNS + DERIVED
        assert plays.index.equals(pd.RangeIndex(len(ENGLISH)))
        assert plays["title"].tolist() == [row[4] for row in ENGLISH.values()]
        assert plays["started_at"].tolist() == [
            pd.Timestamp(row[1], tz="UTC") for row in ENGLISH.values()
        ]
        assert plays.set_index(pd.Index(ENGLISH)).index[plays["excluded"].isna()].tolist() == USED
        assert notes == []

    def test_columns_have_the_types_of_plays(self):
        plays = read(exports.english())
        assert {n for n in plays if plays[n].dtype in ("str", "category")} == TEXTS | {"kind"}
        assert plays["started_at"].dtype == "datetime64[us, UTC]"
        assert plays[["season", "episode"]].dtypes.tolist() == ["Int16", "Int16"]
        assert plays["is_autoplay"].dtype == "boolean"
        assert plays[["watched_seconds", "position_seconds"]].dtypes.tolist() == ["float64"] * 2
        assert set(plays["row_is"]) == {"session"}
        assert set(plays["precision"]) == {"second"}

    def test_duration_and_last_position(self):
        plays = read(exports.english()).set_index(pd.Index(ENGLISH))
        assert plays.loc["rewound", ["watched_seconds", "position_seconds"]].tolist() == [
            3510,
            3123,
        ]
        assert plays.loc["no position", ["watched_seconds", "position_seconds"]].tolist() == [65, 0]

    def test_titles_are_told_apart_as_far_as_they_say(self):
        plays = read(exports.english()).set_index(pd.Index(ENGLISH))
        assert plays.loc["midnight", ["series", "season", "episode", "kind"]].tolist() == [
            "Night Desk",
            1,
            4,
            "episode",
        ]
        assert plays.loc["second evening", "kind"] == "film"
        assert plays.loc["second evening", ["series", "season"]].isna().all()

    def test_extras_are_told_by_their_column_and_not_parsed(self):
        plays = read(exports.english()).set_index(pd.Index(ENGLISH))
        extras = plays.loc[["recap", "trailer", "hook"]]
        assert set(extras["excluded"]) == {"supplemental"}
        assert set(extras["kind"]) == {"unknown"}
        assert extras[["series", "season", "episode"]].isna().all(axis=None)
        # A film may well be named so.
        assert pd.isna(plays.loc["long of two", "excluded"])

    def test_extras_teach_nothing_of_other_titles(self):
        rest = "Long Night: The Harbour: Ink (Bande 1)"
        teacher = view(
            "2024-03-01 19:00:00", "00:01:00", "Long Night: Season 1: Ink", supplemental="TRAILER"
        )
        alone = read(table([view("2024-03-01 20:00:00", "00:10:00", rest)]))
        beside = read(table([view("2024-03-01 20:00:00", "00:10:00", rest), teacher]))
        assert beside["kind"][0] == alone["kind"][0]

    def test_a_title_that_is_also_an_extra_is_parsed_in_its_own_rows(self):
        data = rows(
            {"title": "A: Season 1: B (Episode 1)"},
            {"title": "A: Season 1: B (Episode 1)", "supplemental": "HOOK"},
        )
        assert read(data)["kind"].tolist() == ["episode", "unknown"]

    def test_attributes_and_kinds_of_extras_are_open_sets(self):
        plays = read(exports.odd_attributes())
        assert plays["is_autoplay"].tolist() == [True, False, False, False, pd.NA]
        assert excluded(exports.odd_attributes()) == [None, None, None, "supplemental", None]

    def test_every_way_of_playing_by_itself_is_marked_and_none_is_left_out(self):
        plays = read(exports.english()).set_index(pd.Index(ENGLISH))
        assert plays.index[plays["is_autoplay"]].tolist() == [
            "played itself", "tried", "trailer", "hook", "no position",
        ]  # fmt: skip
        assert plays.loc[["played itself", "tried"], "excluded"].isna().all()

    def test_what_netflix_does_not_know_is_missing(self):
        plays = read(exports.odd_attributes())
        assert plays[["device", "country", "position_seconds"]].isna().to_numpy().tolist() == [
            [False] * 3
        ] * 4 + [[True] * 3]

    @pytest.mark.parametrize(
        ("written", "code"),
        [("BR (Brazil)", "BR"), ("NA (Namibia)", "NA"), ("DE", "DE"), ("ZZ (Unknown Region)", None),
         ("ZZ", None), ("Brazil", None), ("", None), ("-1", None), ("NULL", None)],
    )  # fmt: skip
    def test_a_country_is_its_code(self, written, code):
        found = read(rows(country=written))["country"].tolist()
        assert [None if pd.isna(c) else c for c in found] == [code]

    def test_of_one_profile_start_and_title_the_longest_is_used(self):
        plays = read(exports.english()).set_index(pd.Index(ENGLISH))
        assert plays.index[plays["excluded"] == "duplicate"].tolist() == [
            "once more",
            "short of two",
        ]

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            (({}, {}), [None, "duplicate"]),
            (({}, {"duration": "00:10:01"}), ["duplicate", None]),
            (({"duration": "-1"}, {}), ["duplicate", None]),
            (({}, {"bookmark": "00:00:01"}), [None, "duplicate"]),
            (({}, {"device": "Sony PS5", "attributes": exports.AUTO}), [None, "duplicate"]),
            (({}, {"title": "Fog\u200b "}), [None, "duplicate"]),
            (({"profile": " Mara"}, {"profile": "Mara"}), [None, "duplicate"]),
            (({}, {"profile": "Joël"}), [None, None]),
            (({}, {"title": "Fog 2"}), [None, None]),
            (({}, {"start": "2024-03-01 20:00:01"}), [None, None]),
            (({}, {"supplemental": "HOOK", "duration": "00:20:00"}), [None, "supplemental"]),
            (({}, {"duration": "-0:20:00"}), [None, "impossible duration"]),
        ],
    )
    def test_what_makes_a_duplicate(self, changes, expected):
        assert excluded(rows(*changes)) == expected

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"title": ""}, "no title"), ({"title": " \u200b"}, "no title"), ({"title": "NULL"}, "no title"),
            ({"start": ""}, "no time"), ({"start": "-1"}, "no time"), ({"start": "1899-12-31 00:00:00"}, "impossible time"),
            ({"duration": "-00:00:01"}, "impossible duration"), ({"bookmark": "-0:00:01"}, "impossible duration"),
            ({"supplemental": "BONUS_VIDEO"}, "supplemental"), ({"profile": " "}, "no viewer"),
            ({"title": "", "start": "", "duration": "-0:00:01", "supplemental": "HOOK"}, "no title"),
            ({"start": "", "duration": "-0:00:01"}, "no time"), ({"duration": "-0:00:01", "supplemental": "HOOK"}, "impossible duration"),
            ({"duration": ""}, None), ({"duration": "123:59:59"}, None), ({"duration": "00:00:00"}, None), ({"attributes": "View was hidden; "}, None),
        ],
    )  # fmt: skip
    def test_a_row_stays_with_the_first_reason_that_holds(self, change, reason):
        assert excluded(rows({"start": "2024-03-02 20:00:00"}, change)) == [None, reason]

    def test_midnight_is_utc(self):
        plays = read(exports.english())
        assert plays["started_at"][0] == pd.Timestamp("2024-03-09T00:00:00Z")

    def test_french_titles_are_one_whatever_spaces_and_letters_they_are_made_of(self):
        plays = read(exports.french())
        assert plays["title"].nunique() == 3
        assert (
            plays["title"][0]
            == plays["title"][1]
            == "L'Île : Le retour: Saison 2: La clé (Épisode 7)"
        )
        assert plays["series"].tolist()[:3] == ["L'Île : Le retour"] * 3

    def test_profiles_stay_apart_and_in_the_order_of_the_file(self):
        plays = read(exports.two_profiles())
        assert plays["profile"].tolist() == ["Joël, le grand", "Mara 🦊"] * 2
        assert plays["episode"].tolist() == [2, 3, 1, 2]
        assert plays["excluded"].isna().all()

    def test_the_names_of_profiles_are_in_no_other_column_and_no_note(self):
        plays, notes = read_all(exports.two_profiles(), exports.english())
        rest = plays.drop(columns="profile").to_csv() + "".join(notes)
        assert "grand" not in rest
        assert "🦊" not in rest

    def test_how_many_titles_could_not_be_parsed_is_noted(self):
        data = rows({"title": "A: B: C"}, {"title": "A: B: C", "start": "2024-03-02 20:00:00"}, {"title": "Fog"}, {"title": ""},
                    {"title": "D: E: F", "supplemental": "HOOK"})  # fmt: skip
        assert read_all(data)[1] == ["1 of 2 titles could not be parsed."]


class TestReadProfiles:
    def read(self, listed, data=None):
        data = exports.english() if data is None else data
        return finished(netflix, [as_file("PROFILES/Profiles.csv", listed), as_file(PATH, data)])

    @pytest.mark.parametrize(
        ("level", "is_kids"),
        [("LITTLE_KIDS", True), ("OLDER_KIDS", True), ("ADULTS", False), ("1000000", False),
         ("TEENS", None), ("", None), ("KIDS", None), ("50", None)],
    )  # fmt: skip
    def test_a_child_is_known_by_the_level_of_maturity(self, level, is_kids):
        for profiles in (exports.profiles_2023, exports.profiles_2024):
            plays, notes = self.read(profiles([("Mara", level)]))
            assert plays["is_kids"].dtype == "boolean"
            assert set(plays["is_kids"].astype(object).where(plays["is_kids"].notna(), None)) == {
                is_kids
            }
            assert notes == []

    def test_a_profile_that_is_not_listed_is_unknown_and_one_without_views_no_row(self):
        data = rows({"profile": "Piet"}, {"profile": "renamed"})
        plays, notes = self.read(exports.profiles_2024(), data)
        assert plays["is_kids"].tolist() == [True, pd.NA]
        assert notes == ["2 of 3 listed profiles have no row."]

    def test_two_lists_that_contradict_each_other_leave_it_unknown(self):
        files = [as_file(PATH, exports.english())]
        for level in ("ADULTS", "OLDER_KIDS"):
            files.append(as_file(f"{level}/Profiles.csv", exports.profiles_2024([("Mara", level)])))
        assert finished(netflix, files)[0]["is_kids"].isna().all()

    def test_without_a_list_nothing_is_said(self):
        assert "is_kids" not in read(exports.english())

    def test_nothing_else_of_a_profile_is_kept(self):
        plays, notes = self.read(exports.profiles_2024())
        rest = plays.to_csv() + "".join(notes)
        for text in ("example.org", "handle", "1970", "opted_out"):
            assert text not in rest

    def test_views_that_are_missing_are_not_taken_for_none(self):
        with pytest.raises(
            ValueError,
            match=r"`path` must hold Netflix's ViewingActivity, found only PROFILES/Profiles.csv",
        ):
            netflix.read([as_file("PROFILES/Profiles.csv", exports.profiles_2024())], Hints())


class TestReadFiles:
    def test_a_table_without_rows_is_empty_and_says_so(self):
        files = exports.export()
        known = [f for f in (as_file(*item) for item in files.items()) if netflix.recognises(f)]
        plays, notes = finished(netflix, known)
        assert len(plays) == 0
        assert notes == [
            "ViewingActivity is there and has no rows.",
            "3 of 3 listed profiles have no row.",
        ]
        assert list(plays.drop(columns="is_kids")) == COLUMNS
        dtypes = [
            frame.dtypes.astype(str).tolist()
            for frame in (plays[COLUMNS], read(exports.english())[COLUMNS])
        ]
        assert dtypes[0] == dtypes[1]

    @pytest.mark.parametrize("end", [b"", b"\n", b"\r\n\r\n"])
    def test_so_does_a_header_alone(self, end):
        plays, notes = read_all(",".join(exports.HEADER).encode() + end)
        assert list(plays) == COLUMNS
        assert len(plays) == 0
        assert notes == ["ViewingActivity is there and has no rows."]

    def test_an_export_in_a_folder_is_read_whole(self):
        files = exports.export(exports.english())
        known = [f for f in (as_file(*item) for item in files.items()) if netflix.recognises(f)]
        assert len(finished(netflix, known)[0]) == len(ENGLISH)

    def test_different_tables_are_read_one_after_another(self):
        plays, notes = read_all(exports.english(), exports.french())
        assert plays["title"].tolist() == [
            *read(exports.english())["title"],
            *read(exports.french())["title"],
        ]
        assert plays.index.equals(pd.RangeIndex(len(plays)))
        assert notes[0] == "2 different tables of views were read as one person's."

    def test_the_rows_of_a_copy_stay_as_duplicates(self):
        plays, notes = read_all(exports.english(), exports.english())
        n = len(ENGLISH)
        assert len(plays) == 2 * n
        assert excluded(exports.english(), exports.english())[:n] == excluded(exports.english())
        assert set(plays["excluded"][n:]) == {"duplicate", "supplemental"}
        assert notes == ["1 tables of views are copies, whose rows are duplicates."]

    def test_a_later_export_of_the_same_views_adds_only_what_is_new(self):
        later = table([view("2024-04-01 20:00:00", "00:10:00", "Fog"), *ENGLISH.values()])
        assert pd.isna(excluded(exports.english(), later)[len(ENGLISH)])
        assert excluded(exports.english(), later).count(None) == len(USED) + 1

    def test_tables_in_different_styles_keep_their_own_precision(self):
        plays, notes = read_all(exports.saved_again("M/D/YYYY | H:mm"), exports.french())
        assert plays["precision"].tolist() == ["minute"] * len(ENGLISH) + ["second"] * 4
        assert notes[0] == "starts are exact to the minute only, as a spreadsheet cut them."

    def test_a_table_may_lack_columns_and_a_second_have_them(self):
        short = table(
            [row[:2] + row[4:5] + ("",) for row in ENGLISH.values()],
            ("Profile Name", "Start Time", "Title", "Supplemental Video Type"),
        )
        plays, notes = read_all(short, exports.english())
        n = len(ENGLISH)
        for name in ("watched_seconds", "is_autoplay", "device", "country"):
            assert plays[name][:n].isna().all()
        assert plays["watched_seconds"][n:].notna().all()
        assert notes[0] == (
            "ViewingActivity lacks the columns ['Duration', 'Attributes', 'Device Type', 'Bookmark', 'Country'], "
            "so what they say is unknown."
        )  # fmt: skip
        assert {"watched_seconds", "device", "is_autoplay"}.isdisjoint(read(short))

    def test_a_header_in_the_middle_is_told_and_marked(self):
        data = exports.english() + exports.french()
        plays, notes = read_all(data)
        n = len(ENGLISH)
        assert plays["excluded"][n] == "repeated header"
        assert plays.loc[n, ["profile", "title", "started_at"]].isna().all()
        assert len(plays) == n + 1 + 4
        assert notes == [f"the header stands again in row {n + 1}: two exports were put together."]


class TestReadSavedAgain:
    @pytest.mark.parametrize(
        "style", ["M/D/YYYY | H:mm", "DD.MM.YY | HH:mm", "D/M/YYYY | HH:mm", "YYYY/MM/DD | H:mm"]
    )
    @pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_a_spreadsheet_takes_the_seconds_and_nothing_else(self, style, separator, encoding):
        plays = read(exports.saved_again(style, separator, encoding))
        whole = read(exports.english())
        assert plays["started_at"].tolist() == whole["started_at"].dt.floor("min").tolist()
        assert set(plays["precision"]) == {"minute"}
        pd.testing.assert_frame_equal(
            plays.drop(columns=["started_at", "precision", "excluded"]),
            whole.drop(columns=["started_at", "precision", "excluded"]),
        )

    def test_two_sessions_in_one_minute_are_two_where_seconds_are_gone(self):
        # Only what is the same throughout repeats.
        again = [({}, {}), ({}, {"duration": "0:10:01"}), ({}, {"bookmark": "0:00:09"})]
        found = [excluded(rows(*changes, start="25.03.24 20:01")) for changes in again]
        assert found == [[None, "duplicate"], [None, None], [None, None]]

    def test_an_order_that_could_be_either_is_refused_or_told_by_the_falling_rows(self):
        falling = rows({"start": "5/2/2024 20:00"}, {"start": "4/10/2024 20:00"})
        assert read(falling)["started_at"].dt.month.tolist() == [5, 4]
        either = rows({"start": "6/5/2024 20:00"}, {"start": "5/4/2024 20:00"})
        with pytest.raises(
            ValueError,
            match=r"`date_order` must say .* in row 1 of ViewingActivity.csv",
        ):
            read(either)
        assert read(either, date_order="DMY")["started_at"].dt.month.tolist() == [5, 4]

    def test_rows_fall_within_each_profile(self):
        starts = {
            "Mara": ["5/2/2024 20:00", "4/10/2024 20:00"],
            "Joël": ["6/2/2024 20:00", "5/10/2024 20:00"],
        }
        data = rows(
            *({"profile": p, "start": s} for p, all_starts in starts.items() for s in all_starts)
        )
        assert read(data)["started_at"].dt.month.tolist() == [5, 4, 6, 5]

    def test_rows_fall_within_each_export_that_was_put_into_the_file(self):
        pairs = [("5/2/2024 20:00", "4/10/2024 20:00"), ("6/2/2024 20:00", "5/10/2024 20:00")]
        data = b"".join(rows(*({"start": start} for start in pair)) for pair in pairs)
        assert read(data)["started_at"].dt.month.dropna().tolist() == [5, 4, 6, 5]

    @pytest.mark.parametrize("order", ["YMD", "DMY", "MDY"])
    def test_an_order_that_other_exports_need_changes_nothing(self, order):
        pd.testing.assert_frame_equal(
            read(exports.english(), date_order=order), read(exports.english())
        )

    def test_another_encoding_is_refused_with_the_way_out(self):
        data = rows(profile="Joël").decode().encode("cp1252")
        with pytest.raises(
            ValueError,
            match=r"`path` must be text in utf-8, found byte 0xeb .*save it again as 'CSV UTF-8'",
        ):
            read(data)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                {"start": "soon"},
                "dates in one style in .*ViewingActivity.csv, found 'soon' in row 2",
            ),
            (
                {"start": "1/13/2024 9:00"},
                "found '1/13/2024 9:00' in row 2 , unlike|in row 2, unlike",
            ),
            (
                {"duration": "10 min"},
                "`Duration` must be written as H:MM:SS, found '10 min' in row 2 of .*csv",
            ),
            (
                {"duration": "12:30"},
                "`Duration` must be written as H:MM:SS, found '12:30' in row 2",
            ),
            (
                {"bookmark": "00:12"},
                "`Bookmark` must be written as H:MM:SS, found '00:12' in row 2",
            ),
            (
                {"duration": "24:60:00"},
                "`Duration` must be written as H:MM:SS, found '24:60:00' in row 2",
            ),
            (
                {"bookmark": "Not latest view"},
                "`Bookmark` must be written as H:MM:SS, found 'Not latest view' in row 2",
            ),
        ],
    )
    def test_what_cant_be_read_is_refused_with_its_row(self, change, message):
        with pytest.raises(ValueError, match=message):
            read(rows({}, change))

    @pytest.mark.parametrize(
        ("header", "message"),
        [
            (("Start Time", "Title", "Supplemental Video Type"), r"found none named \['Profile Name'\]"),
            (("Profile Name", "Start Time", "StartTime", "Title", "Duration"), r"each column once, found \['started_at'\] twice"),
            (("Profile Name", "Start Time", "Title", "Title", "Duration"), r"each column once, found \['title'\] twice|\['Title'\] twice"),
        ],
    )  # fmt: skip
    def test_a_header_that_says_too_little_or_too_much_is_refused(self, header, message):
        with pytest.raises(ValueError, match=message):
            read(table([["x"] * len(header)], header))

    def test_a_stray_quote_swallows_no_row(self):
        with pytest.raises(ValueError, match="`path` must be a table with"):
            read(exports.english().replace(b",Low Tide,", b',"Low Tide,', 1))

    def test_a_row_of_separators_and_a_blank_line_lose_nothing(self):
        data = exports.english().replace(b"\n", b"\n,,,,,,,,,\n", 1) + b"\n"
        plays = read(data)
        assert len(plays) == len(ENGLISH) + 1
        assert plays["excluded"][0] == "no viewer"

    def test_quoted_separators_quotes_and_line_ends_stay_in_their_cell(self):
        titles = ['Tom, "the" Fox', "Line\nbreak", "NA", "null", "=1+1"]
        plays = read(
            rows(
                *(
                    {"title": title, "start": f"2024-03-0{9 - n} 20:00:00"}
                    for n, title in enumerate(titles)
                )
            )
        )
        assert plays["title"].tolist() == ['Tom, "the" Fox', "Line break", "NA", "null", "=1+1"]
        assert plays["excluded"].isna().all()

    def test_the_fast_and_the_careful_way_agree(self):
        fast = read(exports.english())
        for slow in (b"\n" + exports.english(), exports.english().replace(b"\n", b"\n\n", 3)):
            pd.testing.assert_frame_equal(read(slow), fast)


DATA = [
    exports.english(), exports.french(), exports.two_profiles(), exports.odd_attributes(),
    exports.saved_again("M/D/YYYY | H:mm"), exports.saved_again("DD.MM.YY | HH:mm", ",", "utf-16"),
]  # fmt: skip


def mutated(generator, samples):
    data = bytearray(generator.choice(samples))
    for _ in range(generator.choice([1, 1, 1, 2, 3, 8])):
        at = generator.randrange(len(data) + 1)
        match generator.randrange(6):
            case 0:
                data[at : at + 1] = bytes([generator.randrange(256)])
            case 1:
                del data[at : at + generator.choice([1, 2, 40])]
            case 2:
                data[at:at] = generator.choice(
                    [
                        b'"',
                        b",",
                        b";",
                        b"\n",
                        b"\r",
                        b"\0",
                        b"\xc3",
                        "é\u2028".encode(),
                        b"99999999",
                    ]
                )
            case 3:
                data[at:at] = data[generator.randrange(len(data) + 1) :][: generator.randrange(200)]
            case 4:
                data[at:] = b""
            case _:
                lines = bytes(data).split(b"\n")
                generator.shuffle(lines)
                data = bytearray(b"\n".join(lines))
        data = data or bytearray(b"x")
    return bytes(data)


def attempt(loader, data, name, **hints):
    """Rows that were read, or None where one sentence refused them."""
    file = as_file(name, data)
    assert loader.recognises(file) in (True, False)
    refusal = None
    try:
        plays, notes = finished(loader, [file], **hints)
    except ValueError as error:
        refusal = error
    if refusal is not None:
        assert (type(refusal), str(refusal)[0], str(refusal)[-1]) == (ValueError, "`", ".")
        return None
    assert {"profile", "title", "started_at", "row_is", "precision", "excluded"} <= set(plays)
    assert plays.index.equals(pd.RangeIndex(len(plays)))
    used = plays[plays["excluded"].isna()]
    assert used[["title", "started_at", "profile"]].notna().all(axis=None)
    assert used["started_at"].dt.year.between(1900, 2199).all()
    assert all(note.endswith(".") and note.count("\n") == 0 for note in notes)
    return len(plays)


class TestMutations:
    def test_bytes_give_as_many_rows_as_records_or_one_sentence(self):
        import csv
        import io

        generator = random.Random(11)
        n_read = 0
        for _ in range(200):
            data = mutated(generator, DATA[:5])
            n_rows = attempt(netflix, data, PATH)
            if n_rows is not None and netflix.recognises(as_file(PATH, data)):
                n_read += 1
                separator = max(
                    ",;\t|", key=data.split(b"\n")[0].decode("utf-8-sig", "replace").count
                )
                records = csv.reader(
                    io.StringIO(data.decode("utf-8-sig").lstrip("\r\n"), newline=""),
                    delimiter=separator,
                )
                assert n_rows == sum(bool(record) for record in records) - 1
        assert n_read > 40

    def test_numbers_may_be_of_any_size(self):
        for duration in ("9" * 30 + ":00:00", "9" * 400 + ":00:00", "1:00:00.5"):
            assert attempt(netflix, rows(duration=duration), PATH) in (1, None)
        assert np.isfinite(read(rows(duration="9" * 30 + ":00:00"))["watched_seconds"]).all()
