import numpy as np
import pandas as pd
import pytest

from toolkit import order
from toolkit.order import canonical_runs, codes_of, day_numbers, day_values, pack, stable_order


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


class TestCanonicalRuns:
    def runs(self, *rows, step=1):
        *ids, values = (np.array(column) for column in zip(*rows, strict=True))
        edges = canonical_runs(ids, values, step)
        return None if edges is None else edges.tolist()

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
        whole = canonical_runs([ids], values, 1)
        for size in (1, 2, 7, 399, 400):
            monkeypatch.setattr(order, "_BLOCK", size)
            assert canonical_runs([ids], values, 1).tolist() == whole.tolist()
            assert canonical_runs([ids], np.append(values[:-1], 0), 1) is None


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_days_are_numbered_in_every_unit_also_before_1970(unit):
    days = pd.Series(pd.to_datetime(["1969-12-31", "1970-01-01", "2024-03-01"])).dt.as_unit(unit)
    numbers = day_numbers(days, "day")
    assert numbers.tolist() == [-1, 0, 19783]
    assert (day_values(numbers) == days.to_numpy()).all()
