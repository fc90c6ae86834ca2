import json

import pandas as pd
import pytest

from tests.exports.trakt import FIRST, SECOND, as_json, episode, film, trakt_export
from tests.loaders.mutations import changed_json, check_mutations
from tests.loaders.reading import finished
from toolkit.loaders import trakt
from toolkit.loaders.archive import as_file
from toolkit.loaders.trakt import SOURCE, recognises

AT = "2024-03-05T20:15:30.000Z"


def read_rows(*rows):
    return finished(trakt, [as_file("watched-history-1.json", as_json([*rows]))])


def plays_of(*rows):
    return read_rows(*rows)[0]


def reasons(plays):
    return [None if pd.isna(reason) else reason for reason in plays["excluded"]]


def plain(number, at=AT, **known):
    return film(number, at, f"Film {number}", 2000, **known)


class TestRecognises:
    def test_of_an_export_only_history_and_counts_are_told(self):
        files = [as_file(name, data) for name, data in trakt_export("x/").items()]
        assert [f.name for f in files if recognises(f)] == [
            "x/watched-history-1.json", "x/watched-history-2.json", "x/watched-movies.json",
            "x/watched-shows.json",
        ]  # fmt: skip

    def test_a_history_is_told_by_its_keys_whatever_its_name_and_layout(self):
        rows = json.dumps(FIRST, indent=4).encode()
        assert recognises(as_file("a.json", b"\xef\xbb\xbf " + rows))
        assert recognises(as_file("a.json", rows + b" " * 2**15))

    @pytest.mark.parametrize(
        "data", [b"", b"[", b"\xff\xfe", b"{" + as_json(FIRST), b'[{"watched_at": 1}]']
    )
    def test_other_bytes_are_not_and_none_raise(self, data):
        assert not recognises(as_file("watched-history-1.json", data))


class TestRead:
    def test_reads_films_and_episodes(self):
        plays = plays_of(plain(1), episode(2, AT, 1, 2, "Slack Water"))
        assert plays["title"].tolist() == ["Film 1 (2000)", "Ferry Lines S01E02 Slack Water"]
        assert plays["kind"].tolist() == ["film", "episode"]
        assert plays["series"].tolist()[1] == "Ferry Lines"
        assert pd.isna(plays["series"][0])
        assert plays[["season", "episode"]].dtypes.tolist() == ["Int16", "Int16"]
        assert plays.loc[1, ["season", "episode"]].tolist() == [1, 2]
        assert plays["started_at"].tolist() == [pd.Timestamp(AT)] * 2
        assert plays["started_at"].dtype == "datetime64[us, UTC]"
        assert set(plays["precision"]) == {"second"}
        assert set(plays["profile"]) == {""}
        assert "watched_seconds" not in plays

    def test_every_row_of_every_file_stays_and_has_its_reason(self):
        files = [as_file(name, data) for name, data in trakt_export().items()]
        plays, notes = finished(trakt, [file for file in files if recognises(file)])
        assert len(plays) == len(FIRST) + len(SECOND)
        assert plays.index.equals(pd.RangeIndex(len(plays)))
        assert reasons(plays) == [
            None, None, "impossible time", "release date", None,
            "duplicate", None, None, None, *["bulk import"] * 6, "no time",
        ]  # fmt: skip
        assert notes == [
            "Plays that may have been scrobbled twice, and stay: 1 within ten minutes of the same "
            "title, 1 a whole number of half hours after it."
        ]

    @pytest.mark.parametrize(
        ("action", "row_is"),
        [("scrobble", "play"), ("checkin", "play"), ("watch", "logged"), ("new", "logged")],
    )
    def test_what_a_row_is_depends_on_its_action(self, action, row_is):
        assert plays_of(plain(1, action=action))["row_is"].tolist() == [row_is]
        assert SOURCE.row_is == "play"

    def test_an_id_is_one_play_and_without_one_each_row_is(self):
        row = plain(1)
        assert reasons(plays_of(row, row)) == [None, "duplicate"]
        row = row | {"id": None}
        assert reasons(plays_of(row, row)) == [None, None]

    def test_five_rows_in_one_second_are_an_import_and_four_are_not(self):
        rows = [plain(n, f"2024-03-05T20:15:30.{n}00Z") for n in range(5)]
        assert reasons(plays_of(*rows)) == ["bulk import"] * 5
        assert reasons(plays_of(*rows[:4])) == [None] * 4
        assert reasons(plays_of(*rows[:4], plain(9, "2024-03-05T20:15:31.000Z"))) == [None] * 5

    def test_rows_that_are_in_two_files_are_no_import(self):
        rows = [plain(n) for n in range(3)]
        assert reasons(plays_of(*rows, *rows)) == [None] * 3 + ["duplicate"] * 3

    @pytest.mark.parametrize(
        ("at", "reason"),
        [
            ("1970-01-01T00:00:00.000Z", "impossible time"),
            ("1969-12-31T23:00:00.000Z", "impossible time"),
            ("1970-01-03T00:00:00.000Z", None),
            ("1899-12-31T23:59:59.000Z", "impossible time"),
            ("1900-01-01T00:00:00.000Z", None),
            ("2199-12-31T23:59:59.000Z", None),
            ("2200-01-01T00:00:00.000Z", "impossible time"),
            (None, "no time"),
        ],
    )
    def test_times_that_are_none(self, at, reason):
        assert reasons(plays_of(plain(1, at))) == [reason]

    @pytest.mark.parametrize(
        ("at", "action", "reason"),
        [
            ("2023-11-03T00:00:00.000Z", "scrobble", "release date"),
            ("2023-11-03T12:00:00.000Z", "watch", "release date"),
            ("2023-11-03T12:00:01.000Z", "watch", None),
            ("2023-11-03T12:00:00.000Z", "scrobble", None),
            ("2023-11-04T00:00:00.000Z", "watch", None),
        ],
    )
    def test_a_release_is_no_viewing(self, at, action, reason):
        row = plain(1, at, action=action, released="2023-11-03")
        assert reasons(plays_of(row)) == [reason]
        aired = episode(1, "2023-11-03T01:30:00.000Z", 1, 1, "Pilot",
                        first_aired="2023-11-03T01:30:00.000Z")  # fmt: skip
        assert reasons(plays_of(aired)) == ["release date"]

    @pytest.mark.parametrize("released", ["now", "", "someday", "2023-99-99", "2024-03-05T20"])
    def test_a_release_that_cant_be_read_is_unknown(self, released):
        row = plain(1, "2024-03-05T20:00:00.000Z", action="watch", released=released)
        assert reasons(plays_of(row)) == [None]

    def test_what_lacks_parts_of_its_name(self):
        rows = [
            film(1, AT, "Lanterns", None), film(2, AT, " ", 1999), film(3, AT, None, 1999),
            episode(4, AT, None, 2, "X"), episode(5, AT, 0, 101, None),
            episode(6, AT, 1, 1, "X", show={"title": None}),
        ]  # fmt: skip
        times = [f"2024-03-05T20:15:0{n}.000Z" for n in range(6)]
        plays = plays_of(*(row | {"watched_at": at} for row, at in zip(rows, times, strict=True)))
        assert plays["title"].tolist()[0] == "Lanterns"
        assert plays["title"].tolist()[3:5] == ["Ferry Lines X", "Ferry Lines S00E101"]
        assert reasons(plays) == [None, "no title", "no title", None, None, "no title"]
        row = {"id": 7, "watched_at": AT, "action": "watch", "type": "season"}
        assert plays_of(plain(1), row)["kind"].tolist() == ["film", "unknown"]

    @pytest.mark.parametrize(
        ("apart", "near", "shifted"),
        [(600, 1, 0), (601, 0, 0), (7200, 0, 1), (7195, 0, 1), (7194, 0, 0), (7205, 0, 1), (7206, 0, 0), (50400, 0, 1),
         (52200, 0, 0)],
    )  # fmt: skip
    def test_double_scrobbles_are_counted_and_stay(self, apart, near, shifted):
        later = (pd.Timestamp(AT) + pd.Timedelta(seconds=apart)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        plays, notes = read_rows(film(1, AT, "A", 1), film(2, later, "A", 1), film(3, AT, "B", 1))
        assert reasons(plays) == [None] * 3
        counts = f": {near} within ten minutes of the same title, {shifted} a whole number"
        assert [counts in note for note in notes] == [True] * (near + shifted)

    def test_counts_alone_are_refused_with_the_way_out(self):
        files = trakt_export()
        for name in ("watched-movies.json", "watched-shows.json"):
            with pytest.raises(
                ValueError, match=rf"found none in {name}, .*watched-history-1\.json"
            ):
                finished(trakt, [as_file(name, files[name])])

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"watched_at": "soon"}, "found 'soon' in row 2 of watched-history-1.json"),
            ({"watched_at": "2024-03-05T20:15:30"}, "in row 2"),
            ({"watched_at": "2024-02-30T20:15:30.000Z"}, "in row 2"),
            ({"watched_at": "ann@example.org"}, "found a text with an @ in row 2"),
            ({"watched_at": 5}, "times in 'watched_at' such as .*, found 5 in row 2"),
            ({"movie": "Lanterns"}, "another kind of 'movie' in row 2"),
            ({"movie": {"title": ["x"]}}, "another kind of 'title' in row 2"),
            ({"movie": {"title": "x", "year": True}}, "another kind of 'year' in row 2"),
            ({"id": [1]}, "another kind of 'id' in row 2"),
            ({"movie": None, "episode": {"season": 40000}}, "small whole numbers in 'season'"),
            ({"movie": None, "episode": {"number": -1}}, "small whole numbers in 'number'"),
        ],
    )
    def test_rows_of_another_form_are_refused(self, change, sentence):
        with pytest.raises(ValueError, match=sentence):
            plays_of(plain(1), plain(2) | change)

    def test_a_row_without_a_time_or_of_another_kind_is_refused(self):
        row = plain(1)
        with pytest.raises(ValueError, match="rows with 'watched_at', found another in row 2"):
            plays_of(row, {"id": 1})
        with pytest.raises(ValueError, match="rows with 'watched_at', found another in row 2"):
            plays_of(row, [row])

    @pytest.mark.parametrize("tail", [b"", b"}", b"[" * 10**5, b"9" * 5000 + b"]"])
    def test_a_file_that_was_cut_or_changed_is_refused_with_its_name(self, tail):
        data = as_json(FIRST)[:-1] + b"," + tail
        with pytest.raises(
            ValueError, match=r"whole JSON, found .* in watched-history-9\.json: take"
        ):
            finished(trakt, [as_file("x/watched-history-9.json", data)])

    def test_half_a_surrogate_is_replaced(self):
        data = as_json([plain(1)]).replace(b"Film 1", b"A\\ud83d")
        plays, _ = finished(trakt, [as_file("h.json", data)])
        assert plays["title"].tolist() == ["A\ufffd (2000)"]


def test_mutated_bytes_give_every_record_or_one_sentence():
    check_mutations(
        trakt,
        [as_json(FIRST)],
        changed_json,
        "watched-history-1.json",
        lambda data: len(json.loads(data)),
    )
