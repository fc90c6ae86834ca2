import json
import re
import sqlite3
import time

import numpy as np
import pandas as pd
import pytest

from tests.exports import servers
from tests.exports.servers import (
    EVENING,
    FERRY,
    HARBOUR,
    IDA,
    MARSH,
    TOM,
    WRITE_AHEAD_LOG,
    activity,
    database,
    episode_view,
    session,
    view,
)
from tests.loaders.reading import finished
from toolkit.loaders import jellyfin, plex, tautulli
from toolkit.loaders.archive import as_file
from toolkit.loaders.sources import Hints
from toolkit.tables import as_plays

BERLIN, NONE = Hints(clock_tz="Europe/Berlin"), Hints()
LOADERS = [tautulli, plex, jellyfin]
EXPORTS = {
    "tautulli.db": (tautulli, servers.tautulli()),
    "history.json": (tautulli, servers.tautulli_history()),
    "com.plexapp.plugins.library.db": (plex, servers.plex()),
    "playback_reporting.db": (jellyfin, servers.jellyfin()),
    "migrated/playback_reporting.db": (jellyfin, servers.jellyfin(user_version=1)),
    "backup.tsv": (jellyfin, servers.backup()),
}
ROWS = {name: 7 if module is tautulli else 11 if module is plex else 9
        for name, (module, _) in EXPORTS.items()}  # fmt: skip


def load(module, *exports, hints=NONE):
    files = [as_file(f"{n}.export", data) for n, data in enumerate(exports)]
    return finished(module, files, **hints._asdict())


def plays_of(module, *exports, hints=NONE):
    plays, _ = load(module, *exports, hints=hints)
    assert plays.index.equals(pd.RangeIndex(len(plays)))
    as_plays(plays.rename(columns={"profile": "viewer"}))
    return plays


def reasons(plays):
    return [None if pd.isna(reason) else reason for reason in plays["excluded"]]


def utc(*texts):
    return [pd.Timestamp(text, tz="UTC") for text in texts]


class TestRecognises:
    @pytest.mark.parametrize("name", EXPORTS)
    def test_each_export_is_told_by_its_content_by_one_loader(self, name):
        module, data = EXPORTS[name]
        file = as_file("something", data)
        assert [loader for loader in LOADERS if loader.recognises(file)] == [module]

    def test_a_schema_that_begins_beyond_the_head_is_found(self):
        many = [f"CREATE TABLE t{n} (a TEXT /* {'x' * 300} */)" for n in range(90)]
        data = database(*many, servers.METADATA_ITEM_VIEWS)
        assert b"metadata_item_views" not in data[: 2**14]
        assert [m.recognises(as_file("x", data)) for m in LOADERS] == [False, True, False]

    def test_another_database_is_nobodys_and_read_whole_only_where_it_may_matter(self):
        file = as_file("x.db", database("CREATE TABLE session_history (role TEXT)"))
        assert not any(module.recognises(file) for module in LOADERS)

    @pytest.mark.parametrize(
        "statement",
        [
            "CREATE VIEW PlaybackActivity AS SELECT 1",
            "CREATE TABLE notes (PlaybackActivity TEXT)",
            "CREATE TABLE IF NOT EXISTS PlaybackActivity2 (a)",
        ],
    )
    def test_a_name_that_is_no_table_is_not_enough(self, statement):
        assert not jellyfin.recognises(as_file("x.db", database(statement)))

    def test_a_log_belongs_to_whose_name_it_has(self):
        names = [
            "tautulli.db-wal",
            "com.plexapp.plugins.library.db-wal",
            "playback_reporting.db-wal",
        ]
        for name, module in zip(names, LOADERS, strict=True):
            file = as_file(f"data/{name}", WRITE_AHEAD_LOG)
            assert [loader for loader in LOADERS if loader.recognises(file)] == [module]
            assert not module.recognises(as_file(name, b"something else"))

    def test_no_bytes_make_it_raise(self):
        random = np.random.default_rng(1)
        heads = [data[: random.integers(0, 300)] for _, data in EXPORTS.values()]
        heads += [
            b"SQLite format 3\0",
            b"SQLite format 3\0" + b"\xff" * 200,
            b"",
            b"{",
            b"\xef\xbb\xbf",
        ]
        heads += [random.bytes(500) for _ in range(50)]
        for head in heads:
            assert [m.recognises(as_file("x", head)) for m in LOADERS].count(True) <= 1

    def test_a_file_whose_rest_is_damaged_is_left_to_be_read(self):
        def damaged():
            raise ValueError("`path` must be sound.")

        file = as_file("x.db", b"SQLite format 3\0" + b"\xff" * 20_000)
        object.__setattr__(file, "read", damaged)
        assert plex.recognises(file)


class TestReadTables:
    """What is a database's own affair is never run, and nothing hangs."""

    @pytest.mark.parametrize("page_size", [1024, 65536])
    @pytest.mark.parametrize("module", LOADERS)
    def test_pages_of_any_size(self, page_size, module):
        make = getattr(servers, module.SOURCE.name)
        data = make(page_size=page_size)
        assert module.recognises(as_file("x.db", data))
        assert len(plays_of(module, data, hints=BERLIN)) == len(
            plays_of(module, make(), hints=BERLIN)
        )

    def test_a_database_of_a_running_server_is_read_and_its_log_noted(self):
        data = servers.with_log(servers.plex())
        plays, notes = load(plex, data)
        assert len(plays) == 11
        assert not any("log" in note for note in notes)
        log = as_file("com.plexapp.plugins.library.db-wal", WRITE_AHEAD_LOG)
        plays, notes = finished(plex, [as_file("library.db", data), log])
        assert len(plays) == 11
        assert sum("write-ahead log beside a database was not read" in note for note in notes) == 1

    @pytest.mark.parametrize("module", LOADERS)
    def test_a_log_alone_is_refused(self, module):
        with pytest.raises(ValueError, match=r"found only its write-ahead log x\.db-wal: copy"):
            module.read([as_file("x.db-wal", WRITE_AHEAD_LOG)], Hints())

    def test_a_view_in_the_place_of_a_table_is_refused(self):
        data = database(
            "CREATE TABLE real (a)",
            "CREATE VIEW metadata_item_views AS SELECT a AS account_id, a AS metadata_type, "
            "a AS title, a AS viewed_at FROM real",
            rows=[("real", {"a": 1})],
        )
        with pytest.raises(ValueError, match="must hold a table `metadata_item_views`, found none"):
            load(plex, data)

    def test_a_virtual_table_in_the_place_of_a_table_is_refused(self):
        data = database(
            "CREATE VIRTUAL TABLE metadata_item_views USING "
            "fts4(account_id, metadata_type, title, viewed_at)"
        )
        with pytest.raises(ValueError, match="must hold a table `metadata_item_views`, found none"):
            load(plex, data)

    def test_computed_columns_are_refused(self):
        data = database(
            "CREATE TABLE metadata_item_views (account_id, metadata_type, title, "
            "viewed_at AS (length(hex(zeroblob(100000000)))))"
        )
        with pytest.raises(ValueError, match=r"of plain columns, found computed ones in 0\.export"):
            load(plex, data)

    def test_triggers_and_checks_are_not_run(self):
        table = servers.METADATA_ITEM_VIEWS.replace(
            "'device_id' integer", "'device_id' integer CHECK (device_id > 0)"
        )
        data = servers.plex([view("Marsh Lights", EVENING)])
        hostile = database(
            table,
            "CREATE TRIGGER t AFTER INSERT ON metadata_item_views BEGIN SELECT 1; END",
            rows=[("metadata_item_views", view("Marsh Lights", EVENING))],
        ).replace(b"CHECK (device_id > 0)", b"CHECK (device_id > 9)")  # fmt: skip
        assert plays_of(plex, hostile).equals(plays_of(plex, data))

    def test_tables_that_ask_for_parts_of_plex_are_not_touched(self):
        connection = sqlite3.connect(":memory:")
        connection.deserialize(servers.plex())
        with pytest.raises(sqlite3.Error, match="collating"):
            connection.execute("SELECT * FROM fts4_metadata_titles")
        assert len(plays_of(plex, servers.plex())) == 11

    def test_missing_columns_are_named(self):
        table = servers.METADATA_ITEM_VIEWS.replace('"viewed_at" datetime, ', "")
        with pytest.raises(
            ValueError, match=r"columns \['account_id', .*; missing \['viewed_at'\] in 0"
        ):
            load(plex, database(table))

    def test_columns_that_only_newer_servers_have_may_be_missing(self):
        table = "CREATE TABLE metadata_item_views (account_id, metadata_type, title, viewed_at)"
        row = {"account_id": 1, "metadata_type": 1, "title": "Heather", "viewed_at": EVENING}
        assert plays_of(plex, database(table, rows=[("metadata_item_views", row)]))[
            "title"
        ].tolist() == ["Heather"]

    def test_a_schema_that_is_no_text_is_refused(self):
        data = servers.jellyfin().replace(b"TABLE PlaybackActivity", b"TABLE\xfePlaybackActivity")
        with pytest.raises(ValueError, match=r"found damage in 0\.export"):
            load(jellyfin, data, hints=BERLIN)

    @pytest.mark.parametrize("size", [0, 15, 16, 99, 100, 511, 512, 4_096, 20_000])
    def test_half_a_database_is_refused(self, size):
        with pytest.raises(
            ValueError, match=r"`path` must (be a (sound )?SQLite|hold a table).* 0\.export"
        ):
            load(plex, servers.plex()[:size])

    def test_damaged_pages_are_refused_rather_than_read_in_part(self):
        views = [view(f"Film {n}", EVENING + n) for n in range(500)]
        data = bytearray(servers.plex(views))
        page = data.index(b"Film 250") // 4096 * 4096
        # One row less on this page, which SQLite itself would read without a word.
        data[page + 4] -= 1
        connection = sqlite3.connect(":memory:")
        connection.deserialize(bytes(data))
        assert len(connection.execute("SELECT * FROM metadata_item_views").fetchall()) == 499
        with pytest.raises(
            ValueError, match=r"must be a sound SQLite database, found damage in 0\.export"
        ):
            load(plex, bytes(data))

    def test_pages_that_lead_to_each_other_do_not_hang(self):
        views = [view(f"Film {n}", EVENING + n) for n in range(2_000)]
        data = bytearray(servers.plex(views))
        connection = sqlite3.connect(":memory:")
        connection.deserialize(bytes(data))
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'metadata_item_views'"
        ).fetchone()
        start = (root - 1) * 4096
        children = int.from_bytes(data[start + 3 : start + 5], "big")
        for n in range(children):
            cell = start + int.from_bytes(data[start + 12 + 2 * n : start + 14 + 2 * n], "big")
            data[cell : cell + 4] = root.to_bytes(4, "big")
        began = time.monotonic()
        with pytest.raises(ValueError, match="found damage"):
            load(plex, bytes(data))
        assert time.monotonic() - began < 5

    @pytest.mark.parametrize("place", ["pages", "page size", "row", "text"])
    def test_declared_sizes_beyond_the_file_are_not_believed(self, place):
        data = bytearray(servers.jellyfin([activity("2024-03-01 10:00:00", "x" * 9_000, 5)]))
        # How the row begins: its length (2 bytes), its number, its header's length and types.
        types = data.index(b"\x33\x4d\x4d\x17\x81\x8c\x5d")
        where, what = {
            "pages": (28, b"\x7f\xff\xff\xff"),
            "page size": (16, b"\x80\x00"),
            "row": (types - 4, b"\xff\x7f"),
            "text": (types + 4, b"\xff"),
        }[place]
        data[where : where + len(what)] = what
        with pytest.raises(ValueError, match=r"found (damage|none)"):
            load(jellyfin, bytes(data), hints=BERLIN)

    @pytest.mark.parametrize("module", LOADERS)
    def test_something_else_is_refused(self, module):
        with pytest.raises(ValueError, match=r"^`\w+` must .* 0\.export"):
            load(module, b"PK\x03\x04" + bytes(1_000))


class TestTautulli:
    @pytest.mark.parametrize("make", [servers.tautulli, servers.tautulli_history])
    def test_sessions_of_both_forms(self, make):
        plays = plays_of(tautulli, make())
        assert plays["profile"].tolist() == ["12", "12", "12", "7", "7", "7", "12"]
        assert plays["title"].tolist() == [
            "The Slow Ferry", "The Slow Ferry", "Marsh Lights", "IMG_0001", "Lantern - The Piers",
            "Making of", "Harbour S01E02 Ebb",
        ]  # fmt: skip
        assert plays["started_at"].tolist()[:2] == utc("2024-03-01 20:00", "2024-03-02 20:00")
        assert plays["ended_at"].tolist()[:2] == utc("2024-03-01 20:30", "2024-03-02 21:00")
        assert plays["kind"].tolist() == ["film"] * 3 + ["unknown", "track", "video", "episode"]
        assert plays["series"].dropna().tolist() == ["Harbour"]
        assert plays[["season", "episode"]].dropna().to_numpy().tolist() == [[1, 2]]
        assert plays["device"].tolist() == ["iOS"] * 3 + ["Chrome"] * 3 + ["iOS"]
        assert (plays["row_is"] == "session").all()
        assert (plays["precision"] == "second").all()
        assert reasons(plays) == [None, None, None, "not a watch", None, None, None]

    def test_seconds_without_pauses_and_positions_in_seconds_not_milliseconds(self):
        plays = plays_of(tautulli, servers.tautulli())
        assert plays["watched_seconds"].tolist()[:3] == [1_800, 3_600, 5_700]
        assert plays["position_seconds"].tolist()[:3] == [1_800, 5_300, 5_700]
        assert plays["runtime_seconds"].tolist()[:3] == [5_400, 5_400, 6_000]

    @pytest.mark.parametrize("stopped", [0, None, ""])
    @pytest.mark.parametrize("make", [servers.tautulli, servers.tautulli_history])
    def test_a_session_that_still_runs_is_used_and_its_seconds_are_unknown(self, make, stopped):
        plays = plays_of(tautulli, make([session(MARSH, EVENING, stopped)]))
        assert plays["watched_seconds"].isna().all()
        assert plays["ended_at"].isna().all()
        assert reasons(plays) == [None]

    def test_pauses_longer_than_the_session_leave_nothing(self):
        plays = plays_of(
            tautulli, servers.tautulli([session(MARSH, EVENING, EVENING + 60, paused_counter=61)])
        )
        assert plays["watched_seconds"].tolist() == [0]
        assert reasons(plays) == [None]

    def test_pauses_that_are_not_written_are_none(self):
        plays = plays_of(
            tautulli, servers.tautulli([session(MARSH, EVENING, EVENING + 60, paused_counter=None)])
        )
        assert plays["watched_seconds"].tolist() == [60]

    @pytest.mark.parametrize(
        ("item", "started", "stopped", "more", "reason"),
        [
            (MARSH | {"title": None, "full_title": " \u200b"}, EVENING, EVENING + 9, {}, "no title"),
            (MARSH, 0, EVENING, {}, "no time"),
            (MARSH, None, EVENING, {}, "no time"),
            (MARSH, EVENING, EVENING - 1, {}, "impossible time"),
            (MARSH, EVENING, EVENING, {}, None),
            (MARSH, EVENING * 1_000, EVENING * 1_000 + 9, {}, "impossible time"),
            (MARSH, -2_208_988_801, EVENING, {}, "impossible time"),
            (MARSH, -2_208_988_800, EVENING, {}, None),
            (MARSH, 7_258_118_399, 7_258_118_399, {}, None),
            (MARSH, 7_258_118_400, 7_258_118_400, {}, "impossible time"),
            (MARSH, EVENING, EVENING + 9, {"paused_counter": -1}, "impossible duration"),
            (MARSH, EVENING, EVENING + 9, {"view_offset": -1}, "impossible duration"),
            (MARSH | {"duration": -1}, EVENING, EVENING + 9, {}, "impossible duration"),
            (servers.PHOTO, EVENING, EVENING + 9, {}, "not a watch"),
        ],
    )  # fmt: skip
    def test_each_reason(self, item, started, stopped, more, reason):
        plays = plays_of(tautulli, servers.tautulli([session(item, started, stopped, **more)]))
        assert reasons(plays) == [reason]

    def test_numbers_that_a_database_holds_as_text_blob_or_real_are_read(self):
        texts = session(
            HARBOUR | {"media_index": b"2"},
            f" {EVENING}",
            float(EVENING + 60),
            "12",
            view_offset="600000",
        )
        plain = session(HARBOUR, EVENING, EVENING + 60, 12, view_offset=600_000)
        assert plays_of(tautulli, servers.tautulli([texts])).equals(
            plays_of(tautulli, servers.tautulli([plain]))
        )

    def test_a_number_that_is_none_is_refused_with_its_row(self):
        rows = [session(MARSH, EVENING, EVENING + 9), session(MARSH, "soon", EVENING)]
        with pytest.raises(
            ValueError, match=r"`started` must be a number, found 'soon' in row 2 of 0\.export"
        ):
            load(tautulli, servers.tautulli(rows))
        rows[1] = session(MARSH, EVENING, EVENING, paused_counter=float("inf"))
        with pytest.raises(
            ValueError, match="`paused_counter` must be a number, found inf in row 2"
        ):
            load(tautulli, servers.tautulli(rows))

    def test_a_session_of_nobody_is_refused(self):
        rows = [session(MARSH, EVENING, EVENING + 9), session(MARSH, EVENING, EVENING + 9, None)]
        for make in (servers.tautulli, servers.tautulli_history):
            with pytest.raises(
                ValueError,
                match=r"`user_id` must say on every row who watched, found None in row 2",
            ):
                load(tautulli, make(rows))

    def test_bytes_that_are_no_text_are_refused_and_not_shown(self):
        with pytest.raises(
            ValueError, match=r"`title` must be text, found 'something else' in row 1 of 0"
        ):
            load(
                tautulli,
                servers.tautulli([session(MARSH | {"title": b"\xff\xfe"}, EVENING, EVENING)]),
            )

    def test_nothing_of_people_or_machines_is_kept(self):
        for make in (servers.tautulli, servers.tautulli_history):
            kept = plays_of(tautulli, make()).drop(columns="profile").to_csv()
            for private in ("lodger12", "192.0.2.17", "iPad", "A1B2C3", "Jo"):
                assert private not in kept

    @pytest.mark.parametrize(
        ("more", "title", "season", "episode"),
        [
            ({}, "Harbour S01E02 Ebb", 1, 2),
            ({"parent_media_index": None}, "Harbour E02 Ebb", None, 2),
            ({"parent_media_index": "", "media_index": ""}, "Harbour Ebb", None, None),
            ({"parent_media_index": 0, "media_index": 10}, "Harbour S00E10 Ebb", 0, 10),
            ({"parent_media_index": "01", "media_index": 2.0}, "Harbour S01E02 Ebb", 1, 2),
            ({"title": None}, "Harbour S01E02", 1, 2),
            ({"title": "Ebb\u00a0 e\u0301\u200b"}, "Harbour S01E02 Ebb \u00e9", 1, 2),
            ({"grandparent_title": None}, "Ebb", 1, 2),
            ({"title": None, "media_index": None}, "Harbour - Ebb", 1, None),
        ],
    )
    def test_a_title_tells_an_episode_from_all_others(self, more, title, season, episode):
        plays = plays_of(
            tautulli, servers.tautulli([session(HARBOUR | more, EVENING, EVENING + 9)])
        )
        assert plays["title"].tolist() == [title]
        found = [None if pd.isna(n) else n for n in plays[["season", "episode"]].iloc[0]]
        assert found == [season, episode]

    def test_numbers_too_large_for_an_episode_are_counted_and_stay_in_the_title(self):
        odd = [
            session(HARBOUR | {"media_index": n}, EVENING, EVENING) for n in (32_767, 32_768, "x")
        ]
        plays, notes = load(tautulli, servers.tautulli(odd))
        assert plays["title"].tolist()[1] == "Harbour S01E32768 Ebb"
        assert plays["episode"].isna().tolist() == [False, True, True]
        assert notes == ["2 season or episode numbers were no whole numbers and are unknown."]

    def test_a_live_programme_has_no_position_of_its_own(self):
        plays = plays_of(
            tautulli,
            servers.tautulli([session(MARSH | {"live": 1}, EVENING, EVENING + 60, view_offset=9)]),
        )
        assert plays[["position_seconds", "runtime_seconds"]].isna().all(axis=None)
        assert plays["watched_seconds"].tolist() == [60]

    def test_sessions_without_metadata_stay_and_metadata_in_another_order_is_joined_by_id(self):
        rows = [
            session(FERRY, EVENING, EVENING + 9, id=5),
            session(MARSH, EVENING + 50, EVENING + 60, id=3),
        ]
        data = servers.tautulli(rows)
        connection = sqlite3.connect(":memory:")
        connection.deserialize(data)
        connection.execute("INSERT INTO session_history_metadata (id, title) VALUES (1, 'Orphan')")
        connection.execute(
            "INSERT INTO session_history (id, started, user_id) VALUES (9, 1700000000, 3)"
        )
        connection.commit()
        plays = plays_of(tautulli, connection.serialize())
        assert plays["title"].astype("str").fillna("-").tolist() == [
            "Marsh Lights",
            "The Slow Ferry",
            "-",
        ]
        assert reasons(plays) == [None, None, "no title"]

    def test_the_same_session_in_a_backup_counts_once_the_longest(self):
        running = session(MARSH, EVENING, None)
        done = session(MARSH, EVENING, EVENING + 60)
        plays = plays_of(tautulli, servers.tautulli([running]), servers.tautulli([done, done]))
        assert reasons(plays) == ["duplicate", None, None]
        other = session(MARSH, EVENING, EVENING + 60, 99)
        plays = plays_of(tautulli, servers.tautulli([done]), servers.tautulli([other]))
        assert reasons(plays) == [None, None]

    def test_overlapping_pages_of_the_api_count_once(self):
        page = servers.tautulli_history()
        assert reasons(plays_of(tautulli, page, page))[7:] == [
            "duplicate", "duplicate", "duplicate", "not a watch", "duplicate", "duplicate", "duplicate",
        ]  # fmt: skip

    def test_a_row_of_several_sessions_is_a_play_with_what_was_watched(self):
        group = session(FERRY, EVENING, EVENING + 90_000, api={
            "group_count": 2, "group_ids": "1,2", "duration": 5_400, "play_duration": "5400",
        })  # fmt: skip
        plays, notes = load(tautulli, servers.tautulli_history([group]))
        assert plays["row_is"].tolist() == ["play"]
        assert plays["watched_seconds"].tolist() == [5_400]
        assert notes == ["1 rows stand for several sessions each (get_history: grouping=0)."]

    def test_a_row_of_several_sessions_without_its_seconds_has_none(self):
        group = session(FERRY, EVENING, EVENING + 90_000)
        group["api"] = {"group_count": 2, "duration": "", "play_duration": None}
        plays = plays_of(tautulli, servers.tautulli_history([group]))
        assert plays["watched_seconds"].isna().all()

    def test_a_row_of_the_api_that_still_plays_has_no_seconds_yet(self):
        row = session(
            MARSH, EVENING, EVENING + 60, api={"state": "paused", "row_id": None, "id": None}
        )
        plays = plays_of(tautulli, servers.tautulli_history([row, row]))
        assert plays["watched_seconds"].isna().all()
        assert reasons(plays) == [None, None]

    def test_a_donated_part_of_the_keys_is_enough(self):
        rows = [
            {
                "started": EVENING,
                "stopped": EVENING + 60,
                "user_id": 3,
                "title": "Heather",
                "media_type": "movie",
            }
        ]
        plays = plays_of(tautulli, json.dumps({"response": {"data": {"data": rows}}}).encode())
        assert plays["watched_seconds"].tolist() == [60]
        assert reasons(plays) == [None]

    @pytest.mark.parametrize(
        "text",
        ['{"response": {"data": {"data": "null"}}}', '{"response": []}', "{}", '{"response": {"data": null}}'],
    )  # fmt: skip
    def test_json_of_another_shape_is_refused(self, text):
        with pytest.raises(
            ValueError, match=r"a list of rows in response\.data\.data, found none in 0\.export"
        ):
            load(tautulli, text.encode())

    @pytest.mark.parametrize(
        "text",
        [
            '{"response"', "{" * 9, '{"response": {"data": {"data": ' + "[" * 100_000,
            '{"response": {"data": {"data": [' + "9" * 5_000,
        ],
    )  # fmt: skip
    def test_json_that_was_cut_is_refused(self, text):
        with pytest.raises(
            ValueError, match=r"whole JSON, found .* in 0\.export: take the file as"
        ):
            load(tautulli, text.encode())

    def test_rows_of_another_shape_are_refused(self):
        with pytest.raises(
            ValueError, match=r"must hold rows, found another in row 2 of 0\.export"
        ):
            load(tautulli, b'{"response": {"data": {"data": [{}, 1]}}}')
        with pytest.raises(
            ValueError, match=r"must hold sessions with \['user_id'\], found none in 0.export"
        ):
            load(tautulli, b'{"response": {"data": {"data": [{"started": 1}]}}}')
        with pytest.raises(
            ValueError, match="`title` must be text, found 'half a character' in row 1 of 0"
        ):
            load(
                tautulli,
                servers.tautulli_history([session(MARSH | {"title": "\ud800"}, EVENING, EVENING)]),
            )
        with pytest.raises(
            ValueError, match="`title` must be text, found 'something else' in row 1 of 0"
        ):
            load(
                tautulli,
                servers.tautulli_history([session(MARSH | {"title": ["x"]}, EVENING, EVENING)]),
            )

    def test_the_table_of_its_page_is_refused_with_the_way_out(self):
        file = as_file("history.csv", servers.tautulli_page())
        assert tautulli.recognises(file)
        with pytest.raises(
            ValueError, match=r"history\.csv, whose clock is unknown: copy tautulli\.db instead"
        ):
            tautulli.read([file], Hints())

    def test_films_of_one_name_are_counted(self):
        rows = [
            session(MARSH, EVENING, EVENING),
            session(MARSH | {"year": 2021}, EVENING + 9, EVENING + 9),
        ]
        assert load(tautulli, servers.tautulli(rows))[1] == [
            "1 titles stand for more than one film, by their years."
        ]

    def test_seconds_agree_with_a_slow_sum(self):
        random = np.random.default_rng(5)
        rows = []
        for _ in range(300):
            started = EVENING + int(random.integers(0, 10**6))
            stopped = started + int(random.integers(0, 9_000)) if random.random() < 0.9 else 0
            rows.append(
                session(MARSH, started, stopped, paused_counter=int(random.integers(0, 3_000)))
            )
        expected = [
            max(row["stopped"] - row["started"] - row["paused_counter"], 0) if row["stopped"] else None
            for row in rows
        ]  # fmt: skip
        found = plays_of(tautulli, servers.tautulli(rows))["watched_seconds"]
        assert [None if pd.isna(n) else n for n in found] == expected


class TestPlex:
    def test_views_with_times_as_text_and_as_numbers(self):
        plays = plays_of(plex, servers.plex())
        assert plays["started_at"].tolist()[:3] == utc(
            "2016-11-05 21:40:12", "2024-03-01 20:00", "2024-03-02 21:00"
        )
        assert plays["title"].tolist()[:5] == [
            "Marsh Lights", "The Slow Ferry", "The Slow Ferry", "Harbour S01E02 Ebb", "Lantern - The Piers",
        ]  # fmt: skip
        assert plays["kind"].tolist()[:5] == ["film"] * 3 + ["episode", "track"]
        assert plays["series"].dropna().unique().tolist() == ["Harbour"]
        assert plays["profile"].tolist() == ["12"] * 4 + ["7"] * 7
        assert (plays["row_is"] == "completed").all()
        assert "watched_seconds" not in plays

    def test_the_film_before_numbers_has_no_season(self):
        plays = plays_of(
            plex, servers.plex([view("Heather", EVENING), episode_view("Ebb", EVENING, -1, -1)])
        )
        assert plays[["season", "episode"]].isna().all(axis=None)
        assert plays["title"].tolist() == ["Heather", "Harbour Ebb"]

    def test_a_second_shared_by_five_is_no_viewing(self):
        views = [episode_view(f"Tide {n}", EVENING, 2, n) for n in range(1, 6)]
        plays, notes = load(plex, servers.plex(views))
        assert reasons(plays) == ["bulk import"] * 5
        assert notes == ["5 rows share account and second with at least 4 more."]
        assert reasons(plays_of(plex, servers.plex(views[:4]))) == [None] * 4
        two = [view | {"account_id": n} for n, view in enumerate(views)]
        assert reasons(plays_of(plex, servers.plex(two))) == [None] * 5

    def test_a_backup_beside_the_database_counts_once_and_is_no_bulk(self):
        one = servers.plex([view("Heather", EVENING)])
        assert reasons(plays_of(plex, *[one] * 6)) == [None] + ["duplicate"] * 5
        text = servers.plex([view("Heather", "2024-03-01 20:00:00")])
        assert reasons(plays_of(plex, one, text)) == [None, "duplicate"]

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            (view("Heather", EVENING), None),
            (view(None, EVENING), "no title"),
            (view(" ", EVENING), "no title"),
            (view("Heather", None), "no time"),
            (view("Heather", ""), "no time"),
            (view("Heather", 0), "no time"),
            (view("Heather", "1899-12-31 23:59:59"), "impossible time"),
            (view("Heather", "2200-01-01 00:00:00"), "impossible time"),
            (view("Heather", EVENING * 1_000), "impossible time"),
            (view("Heather", EVENING, metadata_type=13), "not a watch"),
            (view("Heather", EVENING, metadata_type=2), "not a watch"),
            (view("Heather", EVENING, metadata_type=None), None),
        ],
    )
    def test_each_reason(self, row, reason):
        # A row with a written time makes both ways of reading run.
        for others in ([], [view("Marsh Lights", "2016-11-05 21:40:12")]):
            assert reasons(plays_of(plex, servers.plex([row, *others])))[0] == reason

    @pytest.mark.parametrize(
        "text", ["soon", "2016-02-30 10:00:00", "05/11/2016 10:00:00", "2016-11-05 25:00:00"]
    )
    def test_a_time_that_cant_be_read_is_refused_with_its_row(self, text):
        with pytest.raises(ValueError, match=rf"`viewed_at`.* must be .*found '{text}' in row 2"):
            load(plex, servers.plex([view("Heather", EVENING), view("Heather", text)]))


class TestJellyfin:
    def test_a_clock_of_the_server_around_the_changes_of_the_clock(self):
        plays = plays_of(jellyfin, servers.jellyfin(), hints=BERLIN)
        assert plays["started_at"].tolist()[:4] == utc(
            "2023-10-28 20:10:00.123456",
            "2023-10-29 00:30",
            "2023-10-29 20:00:05.5",
            "2024-03-31 01:00",
        )
        assert reasons(plays) == [
            None, None, None, "impossible time", "not a watch", None, "duplicate", "no title", "supplemental",
        ]  # fmt: skip

    def test_a_migrated_database_is_in_utc_whatever_is_named(self):
        data = servers.jellyfin(user_version=1)
        plays, notes = load(jellyfin, data)
        assert plays["started_at"].tolist()[:2] == utc(
            "2023-10-28 22:10:00.123456", "2023-10-29 02:30"
        )
        assert reasons(plays)[3] is None
        assert notes == []
        again, notes = load(jellyfin, data, hints=BERLIN)
        assert again.equals(plays)
        assert notes == ["0.export says that its clock is UTC: `clock_tz` was not used."]

    @pytest.mark.parametrize(
        "data", [servers.jellyfin(), servers.jellyfin(user_version=2), servers.backup()]
    )
    def test_a_clock_that_nothing_tells_is_asked_for(self, data):
        with pytest.raises(
            ValueError,
            match=r"`clock_tz` must say which zone the clock of `DateCreated` of `0\.export`",
        ):
            load(jellyfin, data)
        assert len(load(jellyfin, data, hints=Hints("UTC"))[0]) == 9
        with pytest.raises(ValueError, match="`clock_tz` must be the name of a time zone"):
            load(jellyfin, data, hints=Hints("Mars/Base"))

    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    def test_a_backup_is_the_same_as_its_database(self, newline, mark):
        data = mark + servers.backup(newline=newline)
        assert jellyfin.recognises(as_file("x", data))
        expected = plays_of(jellyfin, servers.jellyfin(), hints=BERLIN)
        assert plays_of(jellyfin, data, hints=BERLIN).equals(expected)
        assert plays_of(jellyfin, data.rstrip(b"\r\n"), hints=BERLIN).equals(expected)

    def test_titles_keep_quotes_and_other_line_ends(self):
        rows = [activity("2024-03-01 10:00:00", 'The "Slow" Ferry\x85 "', 60)]
        plays = plays_of(jellyfin, servers.backup(rows), hints=BERLIN)
        assert plays["title"].tolist() == ['The "Slow" Ferry "']

    def test_pauses_that_emby_writes_are_not_watched_and_addresses_not_read(self):
        rows = [
            activity("2024-03-01 10:00:00", "Heather", 600, PauseDuration=n, RemoteAddress="192.0.2.9", TranscodeReasons="")
            for n in (0, 100, 600, 700, None)
        ]  # fmt: skip
        data = servers.jellyfin(rows, table=servers.PLAYBACK_ACTIVITY_OF_EMBY)
        plays = plays_of(jellyfin, data, hints=BERLIN)
        assert plays["watched_seconds"].tolist() == [600, 500, 0, 0, 600]
        assert reasons(plays) == [None, "duplicate", "not a watch", "not a watch", "duplicate"]
        text = servers.backup(rows).replace(b"None", b"")
        assert jellyfin.recognises(as_file("x", text))
        assert plays_of(jellyfin, text, hints=BERLIN).equals(plays)
        assert "192.0.2.9" not in plays.to_csv()

    @pytest.mark.parametrize(
        ("name", "kind", "series", "season", "episode"),
        [
            ("Harbour - s01e02 - Ebb", "Episode", "Harbour", 1, 2),
            ("Harbour - North - s10e112 - A - b", "Episode", "Harbour - North", 10, 112),
            ("Harbour - s01e02 - A - s03e04 - b", "Episode", "Harbour", 1, 2),
            ("Harbour - s01e02 - ", "Episode", "Harbour", 1, 2),
            ("Not Known - s01e02 - Ebb", "Episode", None, 1, 2),
            ("Harbour: Ebb", "Episode", None, None, None),
            ("Harbour - s01e02 - Ebb", "Movie", None, None, None),
        ],
    )
    def test_an_episode_names_its_series_season_and_number(
        self, name, kind, series, season, episode
    ):
        plays = plays_of(
            jellyfin,
            servers.jellyfin([activity("2024-03-01 10:00:00", name, 9, kind=kind)]),
            hints=BERLIN,
        )
        found = plays[["series", "season", "episode"]].iloc[0]
        assert [None if pd.isna(part) else part for part in found] == [series, season, episode]
        assert plays["title"].tolist() == [name.strip()]

    @pytest.mark.parametrize(
        ("kind", "ours"),
        [("Movie", "film"), ("Episode", "episode"), ("Audio", "track"), ("MusicVideo", "video"), ("Book", "unknown"), (None, "unknown")],
    )  # fmt: skip
    def test_kinds(self, kind, ours):
        plays = plays_of(
            jellyfin,
            servers.jellyfin([activity("2024-03-01 10:00:00", "x", 9, kind=kind)]),
            hints=BERLIN,
        )
        assert plays["kind"].tolist() == [ours]

    @pytest.mark.parametrize(
        ("started", "name", "seconds", "reason"),
        [
            ("2024-03-01 10:00:00", "", 9, "no title"),
            ("", "Heather", 9, "no time"),
            ("1899-03-01 10:00:00", "Heather", 9, "impossible time"),
            ("2024-03-01 10:00:00", "Heather", -1, "impossible duration"),
            ("2024-03-01 10:00:00", "Heather", 0, "not a watch"),
            ("2024-03-01 10:00:00", "Heather", 1, None),
            ("2024-03-01 10:00:00", "Heather", None, None),
        ],
    )
    def test_each_reason(self, started, name, seconds, reason):
        data = servers.jellyfin([activity(started, name, seconds)])
        assert reasons(plays_of(jellyfin, data, hints=BERLIN)) == [reason]

    def test_an_id_with_dashes_is_the_same_person(self):
        dashed = f"{IDA[:8]}-{IDA[8:12]}-{IDA[12:16]}-{IDA[16:20]}-{IDA[20:]}".upper()
        rows = [
            activity("2024-03-01 10:00:00", "x", 9),
            activity("2024-03-02 10:00:00", "x", 9, user=dashed),
        ]
        assert plays_of(jellyfin, servers.jellyfin(rows), hints=BERLIN)["profile"].tolist() == [
            IDA,
            IDA,
        ]

    def test_the_app_is_kept_and_what_people_call_their_devices_is_not(self):
        plays = plays_of(jellyfin, servers.jellyfin(), hints=BERLIN)
        assert plays["device"].tolist()[1:3] == ["Jellyfin Web", "Infuse"]
        assert "Chromebook" not in plays.to_csv()
        assert "9d0c3b7a52e84d1f8c6a0b4e7f215d93" not in plays.to_csv()

    @pytest.mark.parametrize(
        ("change", "found"),
        [
            (lambda text: text.replace("Infuse", "In\tfuse"), "found another number in row 3 of 0"),
            (lambda text: text.replace("\t2640", "\tlong"), "`PlayDuration` must be a number, found 'long' in row 3"),
            (lambda text: text.replace("\t2640", "\t1_0"), "`PlayDuration` must be a number, found '1_0' in row 3"),
            (lambda text: text.replace("2023-10-29 21:00:05.5000000", "29/10/2023 21:00"), "found '29/10/2023 21:00' in row 3: name the `date_order`"),
            (lambda text: text.replace(TOM, ""), "`UserId` must say on every row who watched, found .* in row 4"),
            (lambda text: "a\tb\n", "must be a backup with 9 to 12 fields in each row, found 2 in row 1"),
        ],
    )  # fmt: skip
    def test_a_backup_that_cant_be_read_is_refused_with_its_row(self, change, found):
        with pytest.raises(ValueError, match=found):
            load(jellyfin, change(servers.backup().decode()).encode(), hints=BERLIN)

    def test_a_date_order_that_is_named_is_used(self):
        rows = [activity("03/04/2024 10:00:00", "x", 9)]
        plays = plays_of(jellyfin, servers.backup(rows), hints=Hints("UTC", "DMY"))
        assert plays["started_at"].tolist() == utc("2024-04-03 10:00")

    def test_a_date_order_that_is_named_for_other_exports_does_not_touch_a_database(self):
        rows = [activity("2024-04-03T10:00:00", "x", 9)]
        plays = plays_of(jellyfin, servers.jellyfin(rows), hints=Hints("UTC", "DMY"))
        assert plays["started_at"].tolist() == utc("2024-04-03 10:00")

    def test_times_without_seconds_are_less_precise(self):
        plays = plays_of(
            jellyfin, servers.backup([activity("2024-03-01 10:00", "x", 9)]), hints=Hints("UTC")
        )
        assert plays["precision"].tolist() == ["minute"]

    def test_bytes_that_are_no_text_are_refused(self):
        with pytest.raises(ValueError, match="must be text in utf-8, found byte 0xe9"):
            load(jellyfin, servers.backup([activity("2024-03-01 10:00:00", "x", 9)]) + b"\xe9")


class TestAnyBytes:
    """Changed bytes give a table of as many rows, or one sentence."""

    @pytest.mark.parametrize("name", EXPORTS)
    def test_changed_bytes(self, name):
        outcomes = mutate(name, seed=3, turns=200)
        assert outcomes["read"] + outcomes["refused"] == 200
        assert min(outcomes.values()) > 0

    @pytest.mark.parametrize("name", EXPORTS)
    def test_inputs_stay_and_nothing_in_gives_the_same_columns(self, name):
        module, data = EXPORTS[name]
        make = {
            tautulli: servers.tautulli if data[:1] == b"S" else servers.tautulli_history,
            plex: servers.plex,
            jellyfin: servers.jellyfin,
        }[module]
        full, empty = plays_of(module, data, hints=BERLIN), plays_of(module, make([]), hints=BERLIN)
        assert len(empty) == 0
        assert [*empty.columns] == [*full.columns]
        assert len(full) == ROWS[name]


def mutate(name, seed, turns):
    module, data = EXPORTS[name]
    random = np.random.default_rng(seed)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(turns):
        changed = bytearray(data)
        match random.integers(0, 4):
            case 0:
                del changed[random.integers(1, len(changed)) :]
            case 1:
                start = int(random.integers(0, len(changed)))
                del changed[start : start + int(random.integers(1, 40))]
            case _:
                # Most of a database is blank; half of the changes go where something stands.
                where = (
                    np.flatnonzero(np.frombuffer(data, "uint8"))
                    if random.random() < 0.7
                    else len(data)
                )
                for place in random.choice(where, random.integers(1, 12)):
                    changed[place] = random.integers(0, 256)
        plays, refusal = outcome(module, bytes(changed))
        outcomes["refused" if refusal else "read"] += 1
        if refusal:
            assert type(refusal) is ValueError, repr(refusal)
            assert re.fullmatch(r"`.*\.", str(refusal)), str(refusal)
        else:
            assert len(plays) == rows_in(bytes(changed), module)
            as_plays(plays.rename(columns={"profile": "viewer"}))
    return outcomes


def outcome(module, data):
    file = as_file("x", data)
    for loader in LOADERS:
        loader.recognises(file)
    try:
        return finished(module, [file], **BERLIN._asdict())[0], None
    except ValueError as error:
        return None, error


def rows_in(data, module):
    if data[:1] == b"{":
        return len(json.loads(data)["response"]["data"]["data"])
    if data[:6] != b"SQLite":
        return sum(line not in (b"", b"\r") for line in data.split(b"\n"))
    table = {
        tautulli: "session_history", plex: "metadata_item_views", jellyfin: "PlaybackActivity",
    }[module]  # fmt: skip
    connection = sqlite3.connect(":memory:")
    connection.deserialize(data[:18] + b"\x01\x01" + data[20:])
    (count,) = connection.execute(f"SELECT count(*) FROM {table} NOT INDEXED").fetchone()
    connection.close()
    return count
