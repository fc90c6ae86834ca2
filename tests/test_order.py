import numpy as np
import pandas as pd
import pytest

from toolkit import order
from toolkit.days import to_viewer_days
from toolkit.order import (
    PER_DAY,
    canonical_starts,
    codes_of,
    day_numbers,
    pack,
    sort_in_parts,
    stable_order,
    to_midnights,
)
from toolkit.streaks import find_streaks


class TestPack:
    def test_keys_sort_as_the_columns_do_and_keep_the_distance_of_the_last(self):
        rng = np.random.default_rng(1)
        columns = [rng.integers(0, size, 500) for size in (5, 7, 90)]
        for sizes in ((5, 7, 90), (2**40, 2**10, 90), (2**40, 2**40, 90), (2**62, 2**50, 2**20)):
            key = pack(*zip(columns, sizes, strict=True))
            order = np.lexsort(columns[::-1])
            assert (np.diff(key[order]) >= 0).all()
            same = (np.diff(columns[0][order]) == 0) & (np.diff(columns[1][order]) == 0)
            assert (np.diff(key[order])[same] == np.diff(columns[2][order])[same]).all()
            assert (np.diff(key[order])[~same] > 0).all()

    def test_what_can_never_fit_is_refused(self):
        one = np.zeros(3, dtype="int64")
        with pytest.raises(ValueError, match="`pack` must stay within 63 bits"):
            pack((one, 3), (one, 2**62))

    def test_codes_of_small_dtypes_do_not_overflow(self):
        column = pd.Series(pd.Categorical.from_codes(np.full(3, 120, "int8"), range(121)))
        codes, size = codes_of(column, "viewer")
        assert codes.dtype == "int8"
        assert pack((codes, size), (np.arange(3), 10**6)).tolist() == [
            120000000,
            120000001,
            120000002,
        ]


class TestStableOrder:
    @pytest.mark.parametrize("highest", [50, 2**62])
    def test_equal_keys_stay_as_they_stand_however_far_from_sorted(self, highest):
        rng = np.random.default_rng(2)
        key = np.append(rng.integers(0, 50, 20_000), highest)
        for values in (key, np.sort(key), key[::-1].copy()):
            assert (stable_order(values) == np.argsort(values, kind="stable")).all()


class TestSortInParts:
    @pytest.mark.parametrize("size", [1, 2, 7, 64, 10_000])
    @pytest.mark.parametrize("highest", [1, 3, 50, 2**62])
    def test_agrees_with_sorting_at_once(self, monkeypatch, size, highest):
        rng = np.random.default_rng(size)
        monkeypatch.setattr(order, "BLOCK", size)
        for n in (0, 1, 2, 63, 300):
            key = rng.integers(-highest, highest, n)
            for values in (key, np.sort(key), np.sort(key)[::-1]):
                assert sort_in_parts(values.copy()).tolist() == sorted(key.tolist())

    def test_no_part_is_far_larger_than_a_block(self, monkeypatch):
        monkeypatch.setattr(order, "BLOCK", 256)
        sizes, in_threads = [], order.in_threads

        def counting(work, parts):
            sizes.append(len(parts))
            return in_threads(work, parts)

        monkeypatch.setattr(order, "in_threads", counting)
        sort_in_parts(np.random.default_rng(1).integers(0, 2**62, 256 * 20))
        assert sizes == [20, 20, 20]


class TestCanonicalStarts:
    def runs(self, *rows, step=1):
        *ids, values = (np.array(column) for column in zip(*rows, strict=True))
        is_start = canonical_starts(ids, values, step)
        return None if is_start is None else np.flatnonzero(is_start).tolist()

    def test_a_run_goes_on_by_one_step_of_the_same_ids(self):
        assert self.runs((0, 1), (0, 2), (0, 4), (1, 5), (1, 6)) == [0, 2, 3, 5]
        assert self.runs((0, 1), (0, 1), (0, 2), step=0) == [0, 2, 3]
        assert self.runs((0, 0, 1), (0, 1, 2), (1, 0, 3)) == [0, 1, 2, 3]

    def test_what_is_not_in_order_or_stands_twice_gives_none(self):
        assert self.runs((0, 2), (0, 1)) is None
        assert self.runs((0, 1), (0, 1)) is None
        assert self.runs((1, 1), (0, 2)) is None
        assert self.runs((1, 0, 1), (0, 1, 2)) is None
        assert self.runs((0, 1, 1), (0, 0, 2)) is None

    def test_blocks_do_not_show(self, monkeypatch):
        rng = np.random.default_rng(3)
        ids = np.sort(rng.integers(0, 9, 400))
        values = np.arange(400) * 2 - rng.integers(0, 2, 400)
        whole = canonical_starts([ids], values, 1)
        for size in (1, 2, 7, 399, 400):
            monkeypatch.setattr(order, "BLOCK", size)
            assert canonical_starts([ids], values, 1).tolist() == whole.tolist()
            assert canonical_starts([ids], np.append(values[:-1], 0), 1) is None


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_days_are_numbered_in_every_unit_also_before_1970(unit):
    days = pd.Series(pd.to_datetime(["1969-12-31", "1970-01-01", "2024-03-01"])).dt.as_unit(unit)
    numbers = day_numbers(days, "day")
    assert numbers.tolist() == [-1, 0, 19783]
    assert (to_midnights(numbers) == days.to_numpy()).all()


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_what_is_off_midnight_by_any_factor_of_a_day_is_refused(unit):
    per_day, most = PER_DAY[unit], 2**63 - 1
    odd = per_day // (per_day & -per_day)
    edges = [-(most // per_day), -1, 0, 1, most // per_day]
    days = np.array(edges, dtype="int64") * per_day
    assert day_numbers(days.view(f"datetime64[{unit}]"), "day").tolist() == edges
    for off in (1, -1, 2, odd, per_day // 2, per_day // odd, most - 1, pow(odd, -1, 2**62)):
        wrong = np.array([0, off], dtype="int64").view(f"datetime64[{unit}]")
        with pytest.raises(ValueError, match="`day` must be naive midnights"):
            day_numbers(wrong, "day")


class TestThreads:
    @pytest.mark.parametrize("size", [1, 3, 64])
    def test_days_and_streaks_are_the_same_in_small_blocks(self, monkeypatch, size):
        rng = np.random.default_rng(8)
        started = pd.Timestamp("2024-03-25", tz="UTC") + pd.to_timedelta(
            rng.integers(0, 20 * 86_400, 400), unit="s"
        )
        plays = pd.DataFrame(
            {
                "viewer": pd.Categorical.from_codes(
                    np.sort(rng.integers(0, 9, 400)), list("abcdefghi")
                ),
                "title": pd.Categorical.from_codes(rng.integers(0, 2, 400), ["Heat", "Up"]),
                "started_at": started.astype("datetime64[us, UTC]"),
                "watched_seconds": rng.integers(1, 90, 400).astype(float),
            }
        ).sort_values(["viewer", "title", "started_at"], ignore_index=True)

        def both():
            days = [to_viewer_days(plays, tz="Europe/Berlin", by=by) for by in ("title", None)]
            return days + [find_streaks(table, as_of="2024-04-10") for table in days]

        whole = both()
        monkeypatch.setattr(order, "BLOCK", size)
        for before, after in zip(whole, both(), strict=True):
            pd.testing.assert_frame_equal(before, after)

    def test_an_error_within_a_block_comes_out(self, monkeypatch):
        monkeypatch.setattr(order, "BLOCK", 2)
        days = pd.Series(pd.to_datetime(["2024-03-01 00:00"] * 5 + ["2024-03-01 12:00"]))
        with pytest.raises(ValueError, match="`day` must be naive midnights"):
            day_numbers(days, "day")

    def test_a_missing_viewer_is_refused_in_canonical_order(self):
        viewer = pd.Categorical(["ann", "ann", None], categories=["ann"])
        table = pd.DataFrame(
            {"viewer": viewer, "day": pd.to_datetime(["2024-03-01", "2024-03-02", "2024-03-03"])}
        )
        table = table.sort_values("viewer", na_position="first", ignore_index=True)
        with pytest.raises(ValueError, match="`viewer` must be there on every row"):
            find_streaks(table, as_of="2024-03-10")


@pytest.mark.parametrize(
    ("values", "edges"), [([], [0]), ([7], [0, 1]), ([7, 8], [0, 2]), ([7, 9], [0, 1, 2])]
)
def test_few_rows_have_runs_too(values, edges):
    ids = np.zeros(len(values), dtype="int64")
    is_start = canonical_starts([ids], np.array(values, dtype="int64"), 1)
    assert np.flatnonzero(is_start).tolist() == edges
