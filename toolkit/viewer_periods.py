"""Viewer-periods: the days, weeks or months in which viewers watched, as keys in order."""

import itertools

import numpy as np
import pandas as pd

from toolkit.days import first_whole, period_numbers
from toolkit.order import codes_of, day_numbers, in_blocks, whole_days
from toolkit.tables import as_day, as_viewer_days, as_viewers, require_columns, unit_of

__all__ = [
    "UNKNOWN",
    "find_full_periods",
    "find_viewer_periods",
    "first_of_each",
    "is_used",
    "may_start_earlier",
    "observed_days",
    "observed_log",
    "of_viewers",
    "pack_periods",
    "unpack_periods",
    "viewer_codes",
]

# A key holds the number of a period in so many bits: 11,000 years of days either way.
_BITS = 23
# The day before any that a key can hold, where it is not known when a log starts.
UNKNOWN = -(2 ** (_BITS - 1))
_DAY_0 = pd.Timestamp("1970-01-01")


def find_viewer_periods(
    codes: np.ndarray, days: np.ndarray, observed: tuple, *, period: str, week_starts: str = "MON"
) -> np.ndarray:
    """Return a key for each viewer and period with a used day, in order and each once.

    `codes` stand for the viewers, `days` are naive midnights, `observed` is what
    `observed_days` gives for them, one for all or one for each code.
    """

    # Those of all days up to the year 2059 are looked up.
    known = period_numbers(np.arange(2**15), period, week_starts).astype("int16")

    def find(rows: slice) -> np.ndarray:
        own, (numbers, low, high) = codes[rows], whole_days(days[rows], "day")
        # One look at the edges of a block mostly tells that all of it is used.
        own_edges = any(map(np.ndim, observed))
        if own_edges or not is_used(own, np.array([low, high]), observed).all():
            at = np.flatnonzero(is_used(own, numbers, observed))
            own, numbers = own[at], numbers[at]
        # Narrow numbers, packed where the viewer or the period is another than before.
        if low >= 0 and high < len(known):
            periods = known.take(numbers, mode="clip")
        else:
            periods = period_numbers(numbers.astype("int32"), period, week_starts)
        is_new = np.ones(len(own), dtype=bool)
        np.not_equal(own[1:], own[:-1], out=is_new[1:])
        is_new[1:] |= periods[1:] != periods[:-1]
        at = np.flatnonzero(is_new)
        return _distinct(pack_periods(own.take(at, mode="clip"), periods.take(at, mode="clip")))

    parts = list(filter(len, in_blocks(find, 0, len(codes))))
    steps = [int(part[0] - before[-1]) for before, part in itertools.pairwise(parts)]
    if min(steps, default=0) < 0:
        return _distinct(np.concatenate(parts))
    # What goes on in the next block is there once.
    later = [part[int(step == 0) :] for step, part in zip(steps, parts[1:], strict=True)]
    return np.concatenate([np.zeros(0, "int64"), *parts[:1], *later])


def pack_periods(codes: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Pack viewers and numbers of periods into keys that sort as they do."""
    keys = np.left_shift(codes, _BITS, dtype="int64")
    keys += numbers
    keys -= UNKNOWN
    return keys


def unpack_periods(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the viewers and the numbers of the periods that keys stand for."""
    return keys >> _BITS, (keys & (2**_BITS - 1)) + UNKNOWN


def find_full_periods(
    viewer_days: pd.DataFrame,
    codes: np.ndarray,
    observed: tuple,
    cut: dict,
    min_days: int,
    min_plays: int,
) -> np.ndarray:
    """Return the keys of the viewers and periods with so many days and plays or more."""
    days = viewer_days["day"].to_numpy()
    keys = find_viewer_periods(codes, days, observed, period="day")
    code, day = unpack_periods(keys)
    periods = pack_periods(code, period_numbers(day, **cut))
    start = np.flatnonzero(np.diff(periods, prepend=-1))
    enough = np.diff(np.append(start, len(periods))) >= min_days
    if min_plays > 1:
        plays = _plays_of_days(viewer_days, codes, observed)
        enough &= np.add.reduceat(plays, start) >= min_plays
    return periods[start[enough]]


def first_of_each(keys: np.ndarray) -> np.ndarray:
    """Return where the keys of each viewer begin."""

    def find(rows: slice) -> np.ndarray:
        # Of two keys of one viewer only the low bits differ.
        other = keys[rows] ^ keys[rows.start - 1 : rows.stop - 1]
        return np.flatnonzero(other >= 2**_BITS) + rows.start

    return np.concatenate([np.arange(min(len(keys), 1)), *in_blocks(find, 1, len(keys))])


def is_used(codes: np.ndarray, numbers: np.ndarray, observed: tuple) -> np.ndarray:
    """Say which days lie within what was observed of their viewers."""
    first, last = of_viewers(observed, codes)
    return (numbers >= first) & (numbers <= last)


def may_start_earlier(numbers: np.ndarray, first, cut: dict) -> pd.arrays.BooleanArray:
    """Say before which periods the last one was not wholly observed, where that is known."""
    unknown = np.broadcast_to(first == UNKNOWN, len(numbers))
    earlier = numbers <= first_whole(first, **cut)
    return pd.arrays.BooleanArray(earlier & ~unknown, unknown.copy())


def observed_log(viewer_days: pd.DataFrame, as_of, viewers: pd.DataFrame | None, observed_from):
    """Return checked viewer-days and viewers, codes of the rows' viewers, and what was observed."""
    viewer_days = as_viewer_days(viewer_days)
    viewers, observed = observed_days(as_of, viewers, observed_from)
    return viewer_days, viewers, viewer_codes(viewer_days["viewer"], viewers), observed


def observed_days(as_of, viewers: pd.DataFrame | None, observed_from) -> tuple:
    """Return checked viewers, and the first and last observed day of everyone or of each."""
    if (as_of is None) == (viewers is None):
        raise ValueError("Exactly one of `as_of` and `viewers` must be given.")
    if viewers is None:
        return None, (_number(observed_from, "observed_from"), _number(as_of, "as_of"))
    viewers = as_viewers(viewers, needed=["as_of"])
    last = day_numbers(viewers["as_of"], "viewers.as_of")
    if "observed_from" not in viewers:
        return viewers, (_number(observed_from, "observed_from"), last)
    if observed_from is not None:
        raise ValueError("`observed_from` must be given once, found it in `viewers` too.")
    first, known = np.full(len(viewers), UNKNOWN), viewers["observed_from"].notna().to_numpy()
    first[known] = day_numbers(viewers["observed_from"][known], "viewers.observed_from")
    return viewers, (first, last)


def of_viewers(observed: tuple, codes) -> tuple:
    """Return the observed days of some viewers, or of all where all share them."""
    return tuple(day if np.ndim(day) == 0 else day[codes] for day in observed)


def viewer_codes(viewer: pd.Series, viewers: pd.DataFrame | None) -> np.ndarray:
    """Return whole numbers that stand for the viewers of rows: where each is in `viewers`."""
    codes, size = codes_of(viewer, "viewer")
    if viewers is None:
        # Numbers far apart would leave no room for the periods.
        return codes if size < 2 ** (62 - _BITS) else np.unique(codes, return_inverse=True)[1]
    known = pd.Index(viewers["viewer"])
    if isinstance(viewer.dtype, pd.CategoricalDtype):
        place = known.get_indexer(viewer.cat.categories)[codes]
    else:
        place = known.get_indexer(viewer)
    if (unknown := place < 0).any():
        missing = viewer[unknown].unique().tolist()
        raise ValueError(
            f"`viewers` must have a row for every viewer; "
            f"{len(missing)} are missing, the first is {missing[0]!r}."
        )
    return place


def _plays_of_days(viewer_days: pd.DataFrame, codes: np.ndarray, observed: tuple) -> np.ndarray:
    """Count the plays of each used day of each viewer, in order; one that stands twice once."""
    require_columns(viewer_days, ["n_plays"], "viewer_days")
    numbers = day_numbers(viewer_days["day"], "day")
    unit = unit_of(viewer_days, "viewer_days")
    rows = pd.DataFrame(
        {
            "key": pack_periods(codes, numbers),
            "unit": 0 if unit is None else codes_of(viewer_days[unit], unit)[0],
            "n_plays": viewer_days["n_plays"].to_numpy(),
        }
    )
    rows = rows[is_used(codes, numbers, observed)]
    once = rows.groupby(["key", "unit"])["n_plays"].max()
    return once.groupby(level="key").sum().to_numpy()


def _distinct(keys: np.ndarray) -> np.ndarray:
    """Return keys in order, each once."""
    if (keys[1:] > keys[:-1]).all():
        return keys
    keys = np.sort(keys)
    # Several times as fast as keys[is_new].
    return np.compress(np.diff(keys, prepend=-1) != 0, keys)


def _number(day, name: str) -> int:
    return UNKNOWN if day is None else (as_day(day, name) - _DAY_0).days
