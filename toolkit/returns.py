"""Returns: how many of each cohort could be seen at each age, and how many came back."""

import itertools

import numpy as np
import pandas as pd

from toolkit.days import first_whole, last_whole, period_numbers
from toolkit.viewer_periods import unpack_periods

__all__ = ["ages_seen", "count_returns", "count_seen"]

# So many pairs of a viewer's periods are held at once.
_PAIRS = 2**17


def ages_seen(cohort: np.ndarray, first, last, cut: dict) -> dict[str, np.ndarray]:
    """Return the lowest and highest age of each member that was observed, at all and in full."""
    first, last = np.asarray(first), np.asarray(last)
    low = np.maximum(period_numbers(first, **cut) - cohort, 0)
    whole_low, whole_high = first_whole(first, **cut) - cohort, last_whole(last, **cut) - cohort
    return {
        "low": low,
        "high": period_numbers(last, **cut) - cohort,
        "whole_low": np.maximum(whole_low, 0),
        "whole_high": np.maximum(whole_high, low - 1),
    }


def count_seen(members: pd.DataFrame, n_rows: int, bins: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Return how many of each row were observed in each bin of ages, and whether all in full."""
    first, last = bins

    def reaching(name: str, least: np.ndarray) -> np.ndarray:
        return _reaching(members["row"].to_numpy(), members[name].to_numpy(), least, n_rows)

    begun, later = reaching("high", first), reaching("low", last + 1)
    cut_short = begun - reaching("whole_high", last)
    cut_off = reaching("whole_low", first + 1) - later
    return begun - later, (cut_short == 0) & (cut_off == 0)


def count_returns(
    members: pd.DataFrame,
    n_rows: int,
    bins: tuple,
    keys: np.ndarray,
    heads: np.ndarray,
    *,
    or_after: bool,
) -> np.ndarray:
    """Return how many of each row have a key in each bin of ages, or after its first age too.

    `heads` are where the keys of each viewer begin.
    """
    member, row, low = (members[name].to_numpy() for name in ("key", "row", "low"))
    first, last = bins
    if not len(keys):
        return np.zeros((n_rows, len(first)), dtype="int64")
    begin, end = heads.copy(), np.append(heads, len(keys))[1:]
    viewer, known = unpack_periods(member)[0], unpack_periods(keys[heads])[0]
    if not np.array_equal(viewer, known):
        place = np.searchsorted(known, viewer, side="right")
        begin, end = np.append(0, heads)[place], np.append(heads, len(keys))[place]
    # Few members have any keys before their own, so that few need a search.
    late = np.flatnonzero(keys[begin] < member)
    begin[late] = np.searchsorted(keys, member[late])
    came = end > begin
    member, row, low, begin, end = (some[came] for some in (member, row, low, begin, end))
    if or_after:
        furthest = keys[end - 1] - member
        return _reaching(row, furthest, first, n_rows) - _reaching(row, low, last + 1, n_rows)
    if (first == last).all():
        return _count_ages(keys, begin, end, member, row, n_rows, first)
    returned = np.zeros((n_rows, len(first)), dtype="int64")
    for n, (low_age, high_age) in enumerate(zip(*bins, strict=True)):
        at = np.searchsorted(keys, member + low_age)
        came = (at < end) & (keys[np.minimum(at, end - 1)] <= member + high_age)
        returned[:, n] = np.bincount(row[came], minlength=n_rows)
    return returned


def _reaching(row: np.ndarray, ages: np.ndarray, least: np.ndarray, n_rows: int) -> np.ndarray:
    """Return how many of each row have an age of at least each of `least`; the lowest is -1."""
    width = int(ages.max(initial=-1)) + 3
    counts = np.bincount(row * width + ages + 1, minlength=n_rows * width).reshape(-1, width)
    reaching = counts[:, ::-1].cumsum(axis=1)[:, ::-1]
    return reaching[:, np.minimum(least + 1, width - 1)]


def _count_ages(keys, begin, end, member, row, n_rows: int, wanted: np.ndarray) -> np.ndarray:
    """Return how many of each row have a key at each of the wanted ages."""
    # One age more than anyone reaches, where nobody is.
    width = int((keys[end - 1] - member).max(initial=0)) + 2
    ages = np.zeros(n_rows * width, dtype="int64")
    n_keys, base = end - begin, row * width - member
    total = np.cumsum(n_keys)
    edges = np.searchsorted(total, np.arange(0, total.max(initial=0), max(_PAIRS, len(ages))))
    for low, high in itertools.pairwise([*edges.tolist(), len(member)]):
        size, start = n_keys[low:high], begin[low:high]
        cell = np.repeat(base[low:high], size)
        if (start[1:] == end[low : high - 1]).all():
            cell += keys[start[0] : end[high - 1]]
        else:
            start = start - (np.cumsum(size) - size)
            cell += keys[np.repeat(start, size) + np.arange(len(cell))]
        ages += np.bincount(cell, minlength=len(ages))
    return ages.reshape(-1, width)[:, np.minimum(wanted, width - 1)]
