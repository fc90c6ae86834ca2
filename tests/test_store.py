import contextlib
import errno
import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from toolkit.privacy.keys import DEMONSTRATION_KEY, pseudonym
from toolkit.store import check_store, duckdb_files, open_store, write_store, writing
from toolkit.store.files import bucket_of
from toolkit.store.manifest import text_of
from toolkit.store.writing import only_writer
from toolkit.tables import as_plays

NAMES = [pseudonym("viewer", "test", str(n), key=DEMONSTRATION_KEY) for n in range(40)]
ACCOUNTS = [pseudonym("account", "test", str(n), key=DEMONSTRATION_KEY) for n in range(40)]


def plays_of(*rows):
    """Plays of (viewer number, title, day of March)."""
    viewers, titles, days = zip(*rows, strict=True)
    return pd.DataFrame(
        {
            "viewer": [NAMES[n] for n in viewers],
            "title": list(titles),
            "started_at": [pd.Timestamp(2024, 3, day, 20, tz="UTC") for day in days],
        }
    )


def some_plays(n_rows=300, seed=1):
    """Simulated plays with gaps in every column that may have them, and equal rows."""
    rng = np.random.default_rng(seed)

    def gaps(values, dtype):
        return pd.array(np.where(rng.random(n_rows) < 0.2, None, values), dtype=dtype)

    viewer = rng.integers(0, 30, n_rows)
    started = pd.to_datetime(rng.integers(0, 9, n_rows) * 86_400 + 1_709_000_000, unit="s")
    plays = pd.DataFrame(
        {
            "viewer": gaps(np.array(NAMES)[viewer], "str"),
            "account": np.array(ACCOUNTS)[viewer // 2],
            "title": gaps(rng.choice(["Heat", "Zodiac", "Äpfel", "M"], n_rows), "str"),
            "started_at": started.tz_localize("UTC").where(rng.random(n_rows) < 0.9),
            "watched_seconds": rng.choice([np.nan, 0.0, -0.0, 60.0], n_rows),
            "season": gaps(rng.integers(1, 3, n_rows), "Int16"),
            "is_autoplay": gaps(rng.random(n_rows) < 0.5, "boolean"),
            "country": gaps(rng.choice(["US", "DE"], n_rows), "str"),
            "excluded": pd.array([None] * n_rows, dtype="str"),
            "mood": gaps(rng.choice(["good", "bad"], n_rows), "str"),
            "score": gaps(rng.integers(2**60, 2**60 + 3, n_rows), "Int64"),
            "channel": pd.Categorical(gaps(rng.integers(1, 4, n_rows), "Int64").to_numpy("O")),
        }
    )
    return plays.astype({"channel": pd.CategoricalDtype(pd.Index([3, 1, 2]))})


def as_text(column):
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column
    texts = column.cat.rename_categories(column.cat.categories.astype("str"))
    return texts.astype("object").astype("str")


def like_some_plays(plays):
    """Give plays the columns of `some_plays`, all of them missing."""
    whole = as_plays(some_plays())
    return plays.reindex(columns=list(whole)).assign(
        **{
            name: pd.Series(index=plays.index, dtype=whole[name].dtype)
            for name in whole
            if name not in plays
        }
    )


def in_plain_order(plays):
    """The reference: plays cast, with the rows in order by pandas on text."""
    plays = as_plays(plays)
    order = texts_of(plays)
    known = ["viewer", "account", "title", "started_at"]
    columns = [*known, *(n for n in duckdb_files.PLAYS if n in plays and n not in known)]
    columns += [name for name in plays if name not in columns]
    keys = ["viewer", "title", "started_at"]
    keys += [name for name in columns if name not in keys]
    return plays.loc[order.sort_values(keys, kind="stable").index, columns]


def texts_of(frame):
    return pd.DataFrame({name: as_text(frame[name]) for name in frame})


def united(frames):
    return pd.concat([texts_of(frame) for frame in frames], ignore_index=True)


def assert_holds(store, plays):
    """Compare the whole of a store with plays, whatever the buckets."""
    expected = in_plain_order(plays)
    held = in_plain_order(united(store.buckets()))
    assert_frame_equal(
        texts_of(held).reset_index(drop=True),
        texts_of(expected).reset_index(drop=True),
    )
    assert store.n_rows == len(plays)
    assert store.n_viewers == plays["viewer"].nunique()


def bytes_of(folder):
    """Every file of a store but its lock."""
    return {
        path.name: path.read_bytes()
        for path in sorted(Path(folder).iterdir())
        if path.name != "store.lock"
    }


class TestBucketOf:
    @pytest.mark.parametrize(
        ("viewer", "n_buckets", "bucket"),
        [
            ("v_m7pwbol25ou5foaj", 16, 8),
            ("v_m7pwbol25ou5foaj", 1000, 472),
            ("v_m7pwbol25ou5foaj", 1, 0),
            (7, 16, 8),
            (np.int8(7), 16, 8),
            (-7, 1000, 782),
            (2**62, 1000, 19),
        ],
    )
    def test_a_viewer_has_the_same_bucket_for_ever(self, viewer, n_buckets, bucket):
        assert bucket_of(viewer, n_buckets) == bucket

    def test_buckets_are_about_equally_large(self):
        buckets = np.array([bucket_of(viewer, 8) for viewer in range(8_000)])
        assert np.bincount(buckets, minlength=8).min() > 850


class TestWriteStore:
    def test_a_bucket_is_a_plays_table_in_canonical_order(self, tmp_path):
        plays = plays_of((1, "M", 3), (1, "Heat", 9), (0, "M", 2), (1, "M", 1))
        store = write_store(plays, tmp_path, n_buckets=1)

        expected = as_plays(plays).sort_values(["viewer", "title", "started_at"])
        columns = ["viewer", "account", "title", "started_at"]
        columns += ["source", "row_is", "precision", "excluded"]
        assert_frame_equal(store.bucket(0), expected[columns].reset_index(drop=True))

    @pytest.mark.parametrize("n_buckets", [1, 2, 40])
    def test_every_row_and_kind_of_column_comes_back(self, tmp_path, n_buckets):
        plays = some_plays()
        store = write_store(plays, tmp_path, n_buckets=n_buckets)

        assert_holds(store, plays)
        cast = as_plays(plays)
        for bucket in store.buckets():
            assert list(bucket) == store.columns
            for name in bucket:
                dtype, had = bucket[name].dtype, cast[name].dtype
                if isinstance(had, pd.CategoricalDtype):
                    assert dtype.categories.dtype == had.categories.dtype, name
                    assert dtype.categories.is_monotonic_increasing, name
                    assert set(dtype.categories) == set(bucket[name].dropna()), name
                else:
                    assert dtype == had, name

    def test_a_single_bucket_is_in_the_order_of_all_columns(self, tmp_path):
        plays = some_plays()
        store = write_store(plays, tmp_path, n_buckets=1)
        expected = texts_of(in_plain_order(plays)).reset_index(drop=True)
        assert_frame_equal(texts_of(store.bucket(0)), expected)

    def test_no_viewer_is_in_two_buckets_and_none_is_in_the_first(self, tmp_path):
        store = write_store(some_plays(), tmp_path, n_buckets=7)
        buckets = [set(bucket["viewer"].dropna()) for bucket in store.buckets()]
        assert sum(map(len, buckets)) == len(set().union(*buckets)) == store.n_viewers
        missing = [bucket["viewer"].isna().sum() for bucket in store.buckets()]
        assert missing[0] > 0
        assert missing[1:] == [0] * 6
        for number, viewers in enumerate(buckets):
            assert {bucket_of(viewer, 7) for viewer in viewers} <= {number}

    def test_the_order_of_rows_and_categories_does_not_reach_the_files(self, tmp_path):
        plays = some_plays()
        other = plays.sample(frac=1, random_state=1)
        titles = pd.CategoricalDtype(["nothing", *plays["title"].dropna().unique()[::-1]])
        viewers = pd.CategoricalDtype([*NAMES[::-1]])
        other = other.astype({"title": titles, "viewer": viewers})
        other.attrs["path"] = "/home/ann"
        other.columns.name = "ann"
        write_store(plays, tmp_path / "a", n_buckets=3)
        write_store(other, tmp_path / "b", n_buckets=3)
        assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")

    def test_the_sign_of_zero_does_not_reach_the_files(self, tmp_path):
        plays = plays_of((1, "M", 1), (1, "M", 1))
        for folder, seconds in (("a", [0.0, -0.0]), ("b", [-0.0, 0.0])):
            write_store(plays.assign(watched_seconds=seconds), tmp_path / folder, n_buckets=1)
        assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")

    def test_nothing_but_the_rows_is_in_the_files(self, tmp_path):
        plays = as_plays(plays_of((1, "Heat", 3), (2, "Secret", 9)))
        plays.attrs["path"] = "/home/ann"
        write_store(plays[:1], tmp_path, n_buckets=1)
        held = b"".join(bytes_of(tmp_path).values())
        assert b"Heat" in held
        for word in (b"Secret", NAMES[2].encode(), b"/home"):
            assert word not in held

    def test_whole_numbers_are_ids_too(self, tmp_path):
        rng = np.random.default_rng(2)
        plays = pd.DataFrame(
            {
                "viewer": rng.integers(-(2**40), 2**40, 60).repeat(3),
                "title": rng.integers(0, 9, 180, dtype="int32"),
                "started_at": pd.Timestamp("2024-03-01 20:00Z"),
            }
        )
        store = write_store(plays, tmp_path, n_buckets=4)
        assert_holds(store, plays)
        frames = [*store.buckets()]
        assert [frame["title"].dtype for frame in frames] == ["int32"] * 4
        assert all(frame["viewer"].is_monotonic_increasing for frame in frames)

    def test_empty_plays_make_an_empty_store_with_their_columns(self, tmp_path):
        plays = some_plays()
        store = write_store(plays[:0], tmp_path / "none", n_buckets=3)
        whole = write_store(plays, tmp_path / "all", n_buckets=3)
        assert (store.n_rows, store.n_viewers, len([*store.buckets()])) == (0, 0, 3)
        for none, some in zip(store.buckets(), whole.buckets(), strict=True):
            assert_frame_equal(none, some[:0], check_categorical=False)
        assert repr(store) == "Store(0 plays, 3 buckets)"
        assert_holds(write_store(plays, tmp_path / "none", append=True), plays)

    @pytest.mark.parametrize(("n_rows", "n_buckets"), [(1, 16), (256, 16), (257, 17)])
    def test_large_logs_have_more_buckets(self, tmp_path, monkeypatch, n_rows, n_buckets):
        monkeypatch.setattr("toolkit.store._ROWS_PER_BUCKET", 16)
        plays = plays_of(*[(1, "M", 1)] * n_rows)
        assert write_store(plays, tmp_path).n_buckets == n_buckets

    def test_the_plays_are_not_changed(self, tmp_path):
        plays = some_plays()
        before = plays.copy(deep=True)
        write_store(plays, tmp_path)
        assert_frame_equal(plays, before)

    @pytest.mark.parametrize("n_buckets", [0, -1, 1.5, "3"])
    def test_a_number_of_buckets_that_is_none_is_refused(self, tmp_path, n_buckets):
        with pytest.raises(ValueError, match="`n_buckets` must be a whole number, 1 or more"):
            write_store(plays_of((1, "M", 1)), tmp_path, n_buckets=n_buckets)

    def test_names_are_refused_and_not_quoted(self, tmp_path):
        plays = plays_of((1, "M", 1), (2, "M", 1))
        for column in ("viewer", "account"):
            named = as_plays(plays).assign(**{column: ["Ann Smith", NAMES[2]]})
            with pytest.raises(ValueError, match=f"`plays.{column}` must hold pseudonyms") as error:
                write_store(named, tmp_path)
            assert "Ann" not in str(error.value)
            assert "found 1 ids" in str(error.value)
        with pytest.raises(ValueError, match=r"`plays.viewer` must hold pseudonyms"):
            write_store(plays.assign(viewer=ACCOUNTS[:2]), tmp_path)
        assert bytes_of(tmp_path) == {}

    def test_names_that_no_row_has_do_not_matter(self, tmp_path):
        viewer = pd.Categorical([NAMES[1]], categories=[NAMES[1], "Ann Smith"])
        write_store(plays_of((1, "M", 1)).assign(viewer=viewer), tmp_path)
        assert b"Ann" not in b"".join(bytes_of(tmp_path).values())

    def test_columns_that_can_not_be_kept_are_named(self, tmp_path):
        plays = plays_of((1, "M", 1), (2, "M", 1))
        ordered = pd.Categorical(["low", "high"], categories=["low", "high"], ordered=True)
        for values in (pd.Series([["a"], "b"], dtype="object"), ordered):
            with pytest.raises(ValueError, match=r"`plays.mood` must have a dtype that a store"):
                write_store(plays.assign(mood=values), tmp_path)
        with pytest.raises(ValueError, match="`plays` must have columns that Parquet can hold"):
            write_store(plays.assign(mood=pd.array([1j, 2j])), tmp_path)
        with pytest.raises(ValueError, match="`plays` must name each column once and in text"):
            write_store(plays.assign(**{"a": 1}).rename(columns={"a": 0}), tmp_path)
        twice = plays.assign(mood=1)[[*plays, "mood", "mood"]]
        with pytest.raises(ValueError, match="`plays` must name each column once and in text"):
            write_store(twice, tmp_path)
        with pytest.raises(ValueError, match=r"missing \['started_at'\]"):
            write_store(plays.drop(columns="started_at"), tmp_path)
        with pytest.raises(TypeError, match="`plays` must be a pandas DataFrame, got list"):
            write_store([1, 2], tmp_path)
        assert not list(tmp_path.glob("*.parquet"))

    def test_a_store_is_never_written_over(self, tmp_path):
        write_store(plays_of((1, "M", 1)), tmp_path)
        before = bytes_of(tmp_path)
        with pytest.raises(ValueError, match="`folder` must hold no store"):
            write_store(plays_of((1, "M", 2)), tmp_path)
        assert bytes_of(tmp_path) == before


class TestAppend:
    @pytest.mark.parametrize("cut", [0, 1, 150, 299, 300])
    def test_pieces_are_read_as_if_written_at_once(self, tmp_path, cut):
        plays = some_plays()
        once = write_store(plays, tmp_path / "once", n_buckets=5)
        write_store(plays[:cut], tmp_path / "twice", n_buckets=5)
        twice = write_store(plays[cut:], tmp_path / "twice", append=True)
        for one, two in zip(once.buckets(), twice.buckets(), strict=True):
            assert_frame_equal(one, two)
        assert (once.n_rows, once.n_viewers, once.span, once.columns) == (
            twice.n_rows,
            twice.n_viewers,
            twice.span,
            twice.columns,
        )
        assert (check_store(tmp_path / "twice")["verdict"] == "sound").all()

    def test_pieces_with_few_and_many_titles_fit_together(self, tmp_path):
        plays = plays_of(*[(1, f"title {n}", 1) for n in range(300)])
        write_store(plays[:2], tmp_path, n_buckets=1)
        assert_holds(write_store(plays[2:], tmp_path, append=True), plays)

    def test_old_files_stay_and_buckets_without_rows_get_none(self, tmp_path):
        write_store(some_plays(), tmp_path, n_buckets=5)
        before = bytes_of(tmp_path)
        write_store(plays_of((3, "M", 1)).pipe(like_some_plays), tmp_path, append=True)
        after = bytes_of(tmp_path)
        number = bucket_of(NAMES[3], 5)
        assert after.keys() - before.keys() == {f"{number:05d}-00002.parquet"}
        assert all(after[name] == before[name] for name in before if name != "store.json")

    def test_what_is_there_is_not_read(self, tmp_path):
        write_store(plays_of((1, "M", 1)), tmp_path, n_buckets=1)
        (tmp_path / "00000-00001.parquet").unlink()
        store = write_store(plays_of((1, "M", 2)), tmp_path, append=True)
        assert store.n_rows == 2
        assert check_store(tmp_path)["verdict"].tolist() == ["missing", "sound"]

    def test_equal_rows_are_both_kept(self, tmp_path):
        plays = plays_of((1, "M", 1))
        write_store(plays, tmp_path)
        store = write_store(plays, tmp_path, append=True)
        assert (store.n_rows, store.n_viewers) == (2, 1)

    def test_what_was_opened_before_stays_as_it_was(self, tmp_path):
        old = write_store(plays_of((1, "M", 1)), tmp_path)
        new = write_store(plays_of((1, "M", 2)), tmp_path, append=True)
        assert (sum(map(len, old.buckets())), sum(map(len, new.buckets()))) == (1, 2)
        assert old.fingerprint != new.fingerprint == open_store(tmp_path).fingerprint

    def test_a_folder_without_a_store_gets_one(self, tmp_path):
        assert write_store(plays_of((1, "M", 1)), tmp_path / "a" / "b", append=True).n_rows == 1

    def test_the_number_of_buckets_stays(self, tmp_path):
        plays = plays_of((1, "M", 1))
        write_store(plays, tmp_path, n_buckets=3)
        with pytest.raises(ValueError, match="`n_buckets` must be that of the store, 3, got 4"):
            write_store(plays, tmp_path, n_buckets=4, append=True)
        assert write_store(plays, tmp_path, n_buckets=3, append=True).n_rows == 2
        assert write_store(plays, tmp_path, append=True).n_buckets == 3

    def test_other_kinds_of_columns_are_refused(self, tmp_path):
        plays = plays_of((1, "M", 1))
        write_store(plays, tmp_path)
        before = bytes_of(tmp_path)
        cases = [
            (plays.assign(viewer=1), "viewer", "category of str, found int64"),
            (plays.assign(title=1), "title", "category of str, found int64"),
            (plays.assign(mood=1), "mood", "no such column, found int64"),
        ]
        for frame, column, found in cases:
            with pytest.raises(ValueError, match=f"`plays.{column}` must be of .*{found}"):
                write_store(frame, tmp_path, append=True)
        assert bytes_of(tmp_path) == before
        write_store(plays.assign(mood=1), tmp_path / "mood")
        with pytest.raises(ValueError, match=r"`plays.mood` must be of .* int64, found none"):
            write_store(plays, tmp_path / "mood", append=True)


class TestOpenStore:
    def test_its_text_tells_counts_and_days_only(self, tmp_path):
        store = write_store(plays_of((1, "M", 1), (1, "M", 9), (2, "Heat", 3)), tmp_path)
        assert repr(store) == "Store(3 plays, 16 buckets, 2024-03-01 to 2024-03-09)"
        assert store.span == (
            pd.Timestamp("2024-03-01 20:00Z"),
            pd.Timestamp("2024-03-09 20:00Z"),
        )

    def test_viewers_of_several_files_are_counted_once(self, tmp_path):
        plays = some_plays()
        for piece in (plays[:100], plays[100:101], plays[101:]):
            write_store(piece, tmp_path / "text", n_buckets=3, append=True)
            numbers = piece.assign(viewer=piece.index % 11, account=1)
            write_store(numbers, tmp_path / "numbers", n_buckets=3, append=True)
        assert open_store(tmp_path / "text").n_viewers == plays["viewer"].nunique()
        assert open_store(tmp_path / "numbers").n_viewers == 11

    def test_viewers_are_not_read_before_they_are_asked_for(self, tmp_path):
        write_store(plays_of((1, "M", 1)), tmp_path, n_buckets=1)
        path = tmp_path / "00000-00001.parquet"
        path.rename(tmp_path / "away")
        assert open_store(tmp_path).n_viewers == 1
        store = write_store(plays_of((2, "M", 1)), tmp_path, append=True)
        assert repr(store) == "Store(2 plays, 1 buckets, 2024-03-01 to 2024-03-01)"
        with pytest.raises(ValueError, match=r"found 00000-00001\.parquet missing"):
            assert store.n_viewers
        (tmp_path / "away").rename(path)
        assert store.n_viewers == 2

    def test_it_goes_to_other_processes(self, tmp_path):
        store = write_store(plays_of((1, "M", 1)), tmp_path, n_buckets=1)
        assert_frame_equal(pickle.loads(pickle.dumps(store)).bucket(0), store.bucket(0))

    def test_without_a_store_the_folder_is_named(self, tmp_path):
        for folder in (tmp_path, tmp_path / "nowhere"):
            with pytest.raises(FileNotFoundError, match=r"found no store\.json in .*"):
                open_store(folder)

    @pytest.mark.parametrize("number", [-1, 3, "a"])
    def test_a_bucket_that_is_not_there_is_refused(self, tmp_path, number):
        store = write_store(plays_of((1, "M", 1)), tmp_path, n_buckets=3)
        with pytest.raises(ValueError, match=r"`number` must be 0 to 2, got .*"):
            store.bucket(number)

    def test_another_version_is_refused(self, tmp_path):
        write_store(plays_of((1, "M", 1)), tmp_path)
        manifest = json.loads((tmp_path / "store.json").read_text())
        (tmp_path / "store.json").write_text(text_of(manifest | {"version": 2}))
        with pytest.raises(ValueError, match="a store of version 1, found version 2"):
            open_store(tmp_path)

    def test_a_changed_file_is_never_read(self, tmp_path):
        store = write_store(plays_of((1, "M", 1)), tmp_path, n_buckets=1)
        path = tmp_path / "00000-00001.parquet"
        data = path.read_bytes()
        path.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
        with pytest.raises(ValueError, match=r"found 00000-00001\.parquet changed"):
            store.bucket(0)
        path.unlink()
        with pytest.raises(ValueError, match=r"found 00000-00001\.parquet missing"):
            store.bucket(0)


class TestCheckStore:
    def test_a_sound_store_has_a_row_per_file(self, tmp_path):
        write_store(plays_of((1, "M", 1), (2, "M", 1)), tmp_path, n_buckets=2)
        write_store(plays_of((2, "M", 2)), tmp_path, append=True)
        assert bucket_of(NAMES[1], 2) == bucket_of(NAMES[2], 2) == 0
        names = ["00000-00001.parquet", "00000-00002.parquet", "00001-00001.parquet"]
        expected = pd.DataFrame(
            {
                "file": pd.array(names, dtype="str"),
                "n_rows": pd.array([2, 1, 0], dtype="Int64"),
                "verdict": pd.array(["sound"] * 3, dtype="str"),
            }
        )
        assert_frame_equal(check_store(tmp_path), expected)

    def test_a_flipped_byte_is_found_anywhere(self, tmp_path):
        write_store(plays_of((1, "M", 1)), tmp_path, n_buckets=1)
        path = tmp_path / "00000-00001.parquet"
        data = bytearray(path.read_bytes())
        for place in [*range(0, len(data), 41), len(data) - 1]:
            data[place] ^= 1 << place % 8
            path.write_bytes(data)
            assert check_store(tmp_path)["verdict"].tolist() == ["changed"]
            data[place] ^= 1 << place % 8
        path.write_bytes(data)
        assert check_store(tmp_path)["verdict"].tolist() == ["sound"]

    def test_every_flipped_byte_of_the_manifest_is_found(self, tmp_path):
        write_store(plays_of((1, "M", 1)), tmp_path, n_buckets=1)
        path = tmp_path / "store.json"
        data = bytearray(path.read_bytes())
        for place in range(len(data)):
            data[place] ^= 1 << place % 8
            path.write_bytes(data)
            with pytest.raises(ValueError, match="`folder` must hold"):
                check_store(tmp_path)
            data[place] ^= 1 << place % 8
        for other in (b"", b"[]", b"null", b"{}", data + b"\n", data[:-1]):
            path.write_bytes(other)
            with pytest.raises(ValueError, match=r"must hold store\.json as it was written"):
                check_store(tmp_path)

    def test_missing_unlisted_and_exchanged_files_are_told_apart(self, tmp_path):
        write_store(some_plays(), tmp_path, n_buckets=4)
        names = [f"0000{number}-00001.parquet" for number in range(4)]
        (tmp_path / names[0]).unlink()
        (tmp_path / "00009-00001.parquet").write_bytes((tmp_path / names[3]).read_bytes())
        (tmp_path / names[1]).write_bytes((tmp_path / names[3]).read_bytes())
        (tmp_path / "notes.txt").write_text("mine")
        checked = check_store(tmp_path)
        assert checked["file"].tolist() == [*names, "00009-00001.parquet"]
        assert checked["verdict"].tolist() == ["missing", "changed", "sound", "sound", "unlisted"]
        assert checked["n_rows"].isna().tolist() == [False] * 4 + [True]

    def test_a_row_too_many_is_found_even_with_its_hash_made_new(self, tmp_path):
        plays = plays_of((1, "M", 1), (2, "M", 2))
        write_store(plays, tmp_path / "a", n_buckets=1)
        more = pd.concat([plays, plays_of((3, "M", 1))])
        write_store(more, tmp_path / "b", n_buckets=1)
        name = "00000-00001.parquet"
        (tmp_path / "a" / name).write_bytes((tmp_path / "b" / name).read_bytes())
        assert check_store(tmp_path / "a")["verdict"].tolist() == ["changed"]
        manifest, other = (
            json.loads((tmp_path / folder / "store.json").read_text()) for folder in "ab"
        )
        manifest["files"][0]["sha256"] = other["files"][0]["sha256"]
        (tmp_path / "a" / "store.json").write_text(text_of(manifest))
        assert check_store(tmp_path / "a")["verdict"].tolist() == ["miscounted"]

    @pytest.mark.parametrize(
        ("field", "value"),
        [("n_rows", 3), ("n_viewers", 1), ("first", None), ("last", "2024-03-03T20:00:00")],
    )
    def test_counts_that_are_edited_are_found(self, tmp_path, field, value):
        write_store(plays_of((1, "M", 1), (2, "M", 2)), tmp_path, n_buckets=1)
        manifest = json.loads((tmp_path / "store.json").read_text())
        manifest["files"][0][field] = value
        (tmp_path / "store.json").write_text(json.dumps(manifest) + "\n")
        with pytest.raises(ValueError, match=r"must hold store\.json as it was written"):
            check_store(tmp_path)
        (tmp_path / "store.json").write_text(text_of(manifest))
        assert check_store(tmp_path)["verdict"].tolist() == ["miscounted"]

    def test_edited_columns_and_buckets_are_found(self, tmp_path):
        write_store(some_plays(), tmp_path, n_buckets=2)
        manifest = json.loads((tmp_path / "store.json").read_text())
        columns = manifest["columns"] | {"watched_seconds": "float32"}
        for edited in ({"columns": columns}, {"n_buckets": 5}):
            (tmp_path / "store.json").write_text(text_of(manifest | edited))
            assert "miscounted" in set(check_store(tmp_path)["verdict"])


class TestWriters:
    def test_the_second_of_two_is_refused(self, tmp_path):
        write_store(plays_of((1, "M", 1)), tmp_path)
        before = bytes_of(tmp_path)
        with (
            only_writer(tmp_path),
            pytest.raises(ValueError, match="`folder` must have one writer at a time"),
        ):
            write_store(plays_of((1, "M", 2)), tmp_path, append=True)
        assert bytes_of(tmp_path) == before
        assert write_store(plays_of((1, "M", 2)), tmp_path, append=True).n_rows == 2

    def test_readers_do_not_wait_for_a_writer(self, tmp_path):
        write_store(plays_of((1, "M", 1)), tmp_path)
        with only_writer(tmp_path):
            assert sum(map(len, open_store(tmp_path).buckets())) == 1

    def test_plays_without_a_manifest_are_not_thrown_away(self, tmp_path):
        write_store(plays_of((1, "M", 1)), tmp_path, n_buckets=1)
        (tmp_path / "store.json").unlink()
        with pytest.raises(ValueError, match=r"found 1 other files such as 00000-00001\.parquet"):
            write_store(plays_of((1, "M", 2)), tmp_path)
        assert (tmp_path / "00000-00001.parquet").exists()

    def test_files_of_others_are_left_alone(self, tmp_path):
        (tmp_path / "notes.txt").write_text("mine")
        write_store(plays_of((1, "M", 1)), tmp_path)
        write_store(plays_of((1, "M", 2)), tmp_path, append=True)
        assert (tmp_path / "notes.txt").read_text() == "mine"


class Full:
    """Stands for `os.fsync`, `os.replace` or `open` of a disk that is full from a call on."""

    def __init__(self, real, after):
        self.real, self.left = real, after

    def __call__(self, *args, **kwargs):
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.real(*args, **kwargs)


class TestFullDisk:
    @pytest.mark.parametrize("call", ["_save", "os.replace"])
    @pytest.mark.parametrize("is_new", [True, False])
    def test_the_store_is_as_it_was_whenever_it_happens(self, tmp_path, monkeypatch, call, is_new):
        plays = some_plays()
        if not is_new:
            write_store(plays, tmp_path, n_buckets=3)
        before = bytes_of(tmp_path)
        n_calls = {"_save": 5, "os.replace": 1}[call]
        for after in range(n_calls):
            with monkeypatch.context() as patched:
                real = {"_save": writing._save, "os.replace": os.replace}[call]
                patched.setattr(f"toolkit.store.writing.{call}", Full(real, after))
                with pytest.raises(OSError, match="left the store as it was: No space") as error:
                    write_store(plays, tmp_path, n_buckets=3, append=True)
            assert error.value.errno == errno.ENOSPC
            assert bytes_of(tmp_path) == before
        with monkeypatch.context() as patched:
            real = {"_save": writing._save, "os.replace": os.replace}[call]
            patched.setattr(f"toolkit.store.writing.{call}", Full(real, n_calls))
            store = write_store(plays, tmp_path, n_buckets=3, append=True)
        assert store.n_rows == 600 - 300 * is_new

    def test_half_a_file_does_not_stay(self, tmp_path, monkeypatch):
        monkeypatch.setattr("os.fsync", Full(os.fsync, 2))
        with pytest.raises(OSError, match="left the store as it was: No space"):
            write_store(some_plays(), tmp_path, n_buckets=3)
        assert bytes_of(tmp_path) == {}

    def test_what_interrupts_after_the_manifest_is_replaced_takes_no_file(
        self, tmp_path, monkeypatch
    ):
        def replace(old, new, real=os.replace):
            real(old, new)
            raise KeyboardInterrupt

        monkeypatch.setattr("toolkit.store.writing.os.replace", replace)
        with pytest.raises(KeyboardInterrupt):
            write_store(plays_of((1, "M", 1)), tmp_path)
        assert open_store(tmp_path).n_rows == 1
        assert (check_store(tmp_path)["verdict"] == "sound").all()

    def test_a_writer_that_can_not_clean_up_leaves_it_to_the_next(self, tmp_path, monkeypatch):
        write_store(plays_of((1, "M", 1)), tmp_path, n_buckets=1)
        with monkeypatch.context() as patched:
            patched.setattr("toolkit.store.writing.os.replace", Full(os.replace, 0))
            full = Full(Path.unlink, 1)
            patched.setattr("pathlib.Path.unlink", lambda *a, **k: full(*a, **k))
            with pytest.raises(OSError, match="left the store as it was"):
                write_store(plays_of((1, "M", 2)), tmp_path, append=True)
        assert check_store(tmp_path)["verdict"].tolist() == ["sound", "unlisted"]
        assert open_store(tmp_path).n_rows == 1
        assert write_store(plays_of((2, "M", 2)), tmp_path, append=True).n_rows == 2
        assert check_store(tmp_path)["verdict"].tolist() == ["sound", "sound"]


# Forks a writer for each line of its input, so that every one starts with all imports done.
WRITERS = """
import os, resource, signal, sys
import pandas as pd
from toolkit.store import writing
from toolkit.store import write_store

def begin(folder, plays, stop_at):
    left = int(stop_at)
    def save(path, data, mode="xb", real=writing._save):
        nonlocal left
        if left == 1:
            with path.open(mode) as file:
                file.write(data[: len(data) // 2])
                file.flush()
                os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        real(path, data, mode)
    writing._save = save
    if left < 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (-left, -left))
    write_store(plays, folder, n_buckets=4, append=True)

plays = pd.read_pickle(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if not child:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        try:
            begin(*line.rstrip().split("|")[:1], plays, line.rstrip().split("|")[1])
        except OSError as error:
            os._exit(error.errno)
        os._exit(0)
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="processes are forked and killed")
class TestKilledWriters:
    @pytest.fixture
    def writers(self, tmp_path):
        plays = as_plays(some_plays(600))
        plays.to_pickle(tmp_path / "plays.pickle")
        with subprocess.Popen(
            [sys.executable, "-c", WRITERS, str(tmp_path / "plays.pickle")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout.readline() == "ready\n"

            def write(folder, stop_at=0, kill_after=None):
                process.stdin.write(f"{folder}|{stop_at}\n")
                process.stdin.flush()
                child = int(process.stdout.readline())
                if kill_after is not None:
                    time.sleep(kill_after)
                    # The child can have ended by now, and is then no more to be killed.
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(child, signal.SIGKILL)
                return int(process.stdout.readline())

            yield write, plays
            process.stdin.close()

    def assert_holds_times(self, folder, once, times):
        """Compare a store with one that has each row once; return how often it has each."""
        if 0 in times and not (folder / "store.json").exists():
            return 0
        store = open_store(folder)
        assert store.n_rows in [once.n_rows * n for n in times]
        n = store.n_rows // once.n_rows
        for bucket, rows in zip(store.buckets(), once.buckets(), strict=True):
            expected = rows.loc[rows.index.repeat(n)].reset_index(drop=True)
            assert_frame_equal(bucket, expected)
        return n

    def test_no_row_is_lost_or_doubled_at_any_moment(self, tmp_path, writers):
        write, plays = writers
        folder = tmp_path / "store"
        once = write_store(plays, tmp_path / "once", n_buckets=4)
        began = time.perf_counter()
        assert write(folder) == 0
        took = time.perf_counter() - began
        moments, ends, times = random.Random(20171210), [], 1
        for _ in range(50):
            if times == 3:
                shutil.rmtree(folder)
                times = 0
            ends.append(write(folder, kill_after=moments.uniform(0, 1.3 * took)))
            times = self.assert_holds_times(folder, once, [times, times + 1])
        assert set(ends) <= {0, -signal.SIGKILL}
        assert write(folder) == 0
        assert self.assert_holds_times(folder, once, [times + 1]) == times + 1
        assert (check_store(folder)["verdict"] == "sound").all()

    # A draft, four files and the manifest are saved.
    @pytest.mark.parametrize("is_new", [True, False])
    def test_killed_in_the_middle_of_each_file_nothing_is_changed(self, tmp_path, writers, is_new):
        write, plays = writers
        folder = tmp_path / "store"
        if not is_new:
            write_store(plays, folder, n_buckets=4)
        for stop_at in range(1, 7):
            assert write(folder, stop_at=stop_at) == -signal.SIGKILL
            if is_new:
                with pytest.raises(FileNotFoundError, match=r"found no store\.json"):
                    open_store(folder)
            else:
                assert_holds(open_store(folder), plays)
        assert write(folder, stop_at=7) == 0
        assert open_store(folder).n_rows == 1_200 - 600 * is_new
        assert (check_store(folder)["verdict"] == "sound").all()

    def test_a_limit_of_the_system_is_met_with_an_error_and_no_harm(self, tmp_path, writers):
        write, plays = writers
        folder = tmp_path / "store"
        write_store(plays, folder, n_buckets=4)
        before = bytes_of(folder)
        assert write(folder, stop_at=-5_000) == errno.EFBIG
        assert bytes_of(folder) == before


class TestFiles:
    @pytest.fixture
    def plays(self):
        # Whole numbers with gaps have no kind of their own in other programs' Parquet.
        return some_plays().drop(columns=["score", "channel"])

    @pytest.mark.parametrize("n_buckets", [1, 3, 120])
    def test_parquet_makes_the_store_that_the_frame_makes(self, tmp_path, plays, n_buckets):
        pytest.importorskip("duckdb")
        plays.to_parquet(tmp_path / "it's plays.parquet")
        write_store(plays, tmp_path / "frame", n_buckets=n_buckets)
        store = write_store(tmp_path / "it's plays.parquet", tmp_path / "file", n_buckets=n_buckets)
        assert store.n_rows == 300
        assert bytes_of(tmp_path / "file") == bytes_of(tmp_path / "frame")

    @pytest.mark.parametrize("end", [0, 300])
    def test_text_makes_the_store_that_the_frame_makes(self, tmp_path, plays, end):
        pytest.importorskip("duckdb")
        plays[:end].to_csv(tmp_path / "plays.csv", index=False)
        write_store(plays[:end].drop(columns="mood"), tmp_path / "frame", n_buckets=3)
        write_store(tmp_path / "plays.csv", tmp_path / "file", n_buckets=3)
        assert bytes_of(tmp_path / "file") == bytes_of(tmp_path / "frame")

    def test_whole_numbers_are_ids_too(self, tmp_path):
        pytest.importorskip("duckdb")
        viewer = np.arange(-20, 20) * 2**50
        plays = plays_of(*[(1, "M", 1)] * 40).assign(viewer=viewer, account=viewer, title=7)
        plays.to_parquet(tmp_path / "plays.parquet")
        write_store(plays, tmp_path / "frame", n_buckets=3)
        write_store(tmp_path / "plays.parquet", tmp_path / "file", n_buckets=3)
        assert bytes_of(tmp_path / "file") == bytes_of(tmp_path / "frame")

    def test_files_are_appended_too(self, tmp_path, plays):
        pytest.importorskip("duckdb")
        plays[:100].to_parquet(tmp_path / "plays.parquet")
        write_store(plays[100:], tmp_path / "store", n_buckets=3)
        store = write_store(str(tmp_path / "plays.parquet"), tmp_path / "store", append=True)
        assert_holds(store, plays)

    def test_large_files_have_more_buckets(self, tmp_path, plays, monkeypatch):
        pytest.importorskip("duckdb")
        monkeypatch.setattr("toolkit.store._ROWS_PER_BUCKET", 16)
        plays.to_parquet(tmp_path / "plays.parquet")
        assert write_store(tmp_path / "plays.parquet", tmp_path / "store").n_buckets == 19

    def test_a_time_that_can_not_have_been_is_kept_with_the_reason(self, tmp_path):
        pytest.importorskip("duckdb")
        text = f"viewer,title,started_at\n{NAMES[1]},M,0012-01-01 20:00Z\n"
        (tmp_path / "plays.csv").write_text(text)
        bucket = write_store(tmp_path / "plays.csv", tmp_path / "store", n_buckets=1).bucket(0)
        assert bucket["excluded"].tolist() == ["impossible time"]
        assert bucket["started_at"].isna().all()

    def test_a_time_without_a_zone_is_refused(self, tmp_path, plays):
        pytest.importorskip("duckdb")
        naive = plays.assign(started_at=plays["started_at"].dt.tz_localize(None))
        naive.to_csv(tmp_path / "plays.csv", index=False)
        naive.to_parquet(tmp_path / "plays.parquet")
        with pytest.raises(ValueError, match="`clock_tz` must say which zone"):
            write_store(tmp_path / "plays.csv", tmp_path / "store")
        with pytest.raises(ValueError, match="must be instants with a time zone"):
            write_store(tmp_path / "plays.parquet", tmp_path / "store")
        assert bytes_of(tmp_path / "store") == {}

    def test_other_zones_are_read_as_the_instants_they_are(self, tmp_path, plays, monkeypatch):
        pytest.importorskip("duckdb")
        monkeypatch.setenv("TZ", "Australia/Sydney")
        time.tzset()
        local = plays.assign(started_at=plays["started_at"].dt.tz_convert("America/New_York"))
        local.to_parquet(tmp_path / "plays.parquet")
        local.to_csv(tmp_path / "plays.csv", index=False)
        assert_holds(write_store(tmp_path / "plays.parquet", tmp_path / "store"), plays)
        store = write_store(tmp_path / "plays.csv", tmp_path / "text")
        assert_holds(store, plays.drop(columns="mood"))
        monkeypatch.undo()
        time.tzset()

    @pytest.mark.parametrize("ending", ["parquet", "csv"])
    def test_names_are_refused_before_anything_is_written(
        self, tmp_path, plays, ending, monkeypatch
    ):
        pytest.importorskip("duckdb")
        monkeypatch.setattr(duckdb_files, "_part", None)
        plays = plays.assign(viewer=plays["viewer"].mask(plays.index == 7, "Ann Smith"))
        getattr(plays, f"to_{ending}")(tmp_path / f"plays.{ending}", index=False)
        with pytest.raises(ValueError, match=r"`plays.viewer` must .* in 1 rows") as error:
            write_store(tmp_path / f"plays.{ending}", tmp_path / "store")
        assert "Ann" not in str(error.value)
        assert not (tmp_path / "store").exists()

    def test_ids_of_other_kinds_and_numbers_with_gaps_are_refused(self, tmp_path):
        pytest.importorskip("duckdb")
        plays = plays_of((1, "M", 1), (2, "M", 1))
        cases = [
            (pd.array([1, None], dtype="Int64"), r"whole numbers, found others in 1 rows"),
            ([1.5, 2.0], "be text or whole numbers, found DOUBLE"),
        ]
        for viewer, found in cases:
            plays.assign(viewer=viewer).to_parquet(tmp_path / "plays.parquet")
            with pytest.raises(ValueError, match=rf"`plays\.viewer` must .*{found}"):
                write_store(tmp_path / "plays.parquet", tmp_path / "store")

    def test_columns_that_are_needed_are_named(self, tmp_path):
        pytest.importorskip("duckdb")
        (tmp_path / "plays.csv").write_text("viewer,title\n")
        with pytest.raises(ValueError, match=r"missing \['started_at'\]"):
            write_store(tmp_path / "plays.csv", tmp_path / "store")

    def test_damage_is_told_without_a_row(self, tmp_path):
        pytest.importorskip("duckdb")
        (tmp_path / "plays.parquet").write_bytes(b"Ann Smith")
        with pytest.raises(ValueError, match=r"a sound .*plays\.parquet, of which") as error:
            write_store(tmp_path / "plays.parquet", tmp_path / "store")
        assert "Ann" not in str(error.value)

    def test_what_is_spilled_lies_in_the_store_and_goes(self, tmp_path, plays, monkeypatch):
        pytest.importorskip("duckdb")
        monkeypatch.chdir(tmp_path)
        plays.to_parquet(tmp_path / "plays.parquet")
        spilled = []

        def part(connection, spill, n_buckets, real=duckdb_files._part):
            real(connection, spill, n_buckets)
            settings = "SELECT current_setting('temp_directory'), current_setting('TimeZone')"
            spilled.append((spill, *connection.execute(settings).fetchone()))

        monkeypatch.setattr(duckdb_files, "_part", part)
        # What a killed writer left would otherwise be read with the rest.
        left = tmp_path / "store" / "spill" / "in_bucket=0" / "left.parquet"
        left.parent.mkdir(parents=True)
        shutil.copy(tmp_path / "plays.parquet", left)
        store = write_store(tmp_path / "plays.parquet", tmp_path / "store", n_buckets=1)
        assert store.n_rows == 300
        spill = tmp_path / "store" / "spill"
        assert spilled == [(spill, str(spill), "UTC")]
        assert sorted(path.name for path in (tmp_path / "store").iterdir()) == [
            "00000-00001.parquet",
            "store.json",
            "store.lock",
        ]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["plays.parquet", "store"]

    def test_a_disk_that_fills_while_parting_leaves_the_store(self, tmp_path, plays, monkeypatch):
        duckdb = pytest.importorskip("duckdb")

        def part(*args):
            raise duckdb.IOException("No space left on device")

        plays.to_parquet(tmp_path / "plays.parquet")
        write_store(plays, tmp_path / "store", n_buckets=1)
        before = bytes_of(tmp_path / "store")
        monkeypatch.setattr(duckdb_files, "_part", part)
        with pytest.raises(OSError, match=r"left the store as it was: .*No space left"):
            write_store(tmp_path / "plays.parquet", tmp_path / "store", append=True)
        assert bytes_of(tmp_path / "store") == before

    def test_without_duckdb_it_says_what_to_install(self, tmp_path, plays, monkeypatch):
        monkeypatch.setitem(sys.modules, "duckdb", None)
        plays.to_parquet(tmp_path / "plays.parquet")
        with pytest.raises(ImportError, match=r"pip install 'viewing-toolkit\[store\]'"):
            write_store(tmp_path / "plays.parquet", tmp_path / "store")

    def test_a_file_that_is_not_there_is_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"`plays` must be .* none at .*nothing.csv"):
            write_store(tmp_path / "nothing.csv", tmp_path / "store")
