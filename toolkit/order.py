"""The canonical order: ids and days as whole numbers, packed keys, and the runs within them."""

import numpy as np
import pandas as pd

__all__ = ["canonical_runs", "codes_of", "day_numbers", "day_values", "pack", "stable_order"]

_BLOCK = 2**15
_PER_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


def codes_of(column: pd.Series, name: str) -> tuple[np.ndarray, int]:
    """Return whole numbers that stand for the ids of a column, and how many there can be."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, size = column.cat.codes.to_numpy(), len(column.cat.categories)
        if len(codes) and codes.min() < 0:
            raise ValueError(
                f"`{name}` must be there on every row that is used; "
                f"{(codes < 0).sum()} are missing."
            )
        return codes, max(size, 1)
    values = column.to_numpy()
    if not len(values):
        return values, 1
    low, high = int(values.min()), int(values.max())
    if high - low >= 2**62:
        return _renumbered(values)
    return (values - values.min()).astype("int64"), high - low + 1


def pack(*columns: tuple[np.ndarray, int]) -> np.ndarray:
    """Pack columns of small whole numbers into one int64 that sorts as they do.

    Each column comes with the number of values it can take.  Where the product does not
    fit 63 bits, what is packed so far is renumbered from 0 in the same order, so that the
    rows themselves bound it; only the last column, whose distances matter, never is.
    """
    key, room = columns[0]
    for n, (codes, size) in enumerate(columns[1:], 2):
        if room * size >= 2**63:
            key, room = _renumbered(key)
        if room * size >= 2**63 and n < len(columns):
            codes, size = _renumbered(codes)
        if room * size >= 2**63:
            raise ValueError(f"`pack` must stay within 63 bits, got {room} x {size} values.")
        key = np.multiply(key, size, dtype="int64")
        key += codes
        room *= size
    return key


def canonical_runs(ids: list[np.ndarray], values: np.ndarray, step: int) -> np.ndarray | None:
    """Return where runs of one step start, and where the last ends; None: not in order.

    Rows are in order if the ids rise and the values rise within the same ids.
    """
    edges = [np.zeros(1, dtype="int64")]
    # Block by block, so that what is compared stays in the processor's cache.
    for low in range(1, len(values), _BLOCK):
        high = min(low + _BLOCK, len(values))
        change = values[low:high] - values[low - 1 : high - 1]
        follows, rises = change == step, change > 0
        for codes in reversed(ids):
            code, before = codes[low:high], codes[low - 1 : high - 1]
            same = code == before
            follows &= same
            rises = (code > before) | (same & rises)
        if not (follows | rises).all():
            return None
        start = np.flatnonzero(~follows) + low
        edges.append(start)
    return np.concatenate([*edges, [len(values)]])


def stable_order(key: np.ndarray) -> np.ndarray:
    """Return the order that sorts a key of `pack`, equal ones as they stand."""
    bits = len(key).bit_length()
    # Far from sorted and with room for the number of its row, a key itself sorts faster.
    if (np.diff(key[::4096]) < 0).any() and int(key.max()) < 2 ** (63 - bits):
        numbered = key << bits
        numbered |= np.arange(len(key))
        numbered.sort()
        numbered &= 2**bits - 1
        return numbered
    return np.argsort(key, kind="stable")


def day_numbers(days: np.ndarray | pd.Series, name: str) -> np.ndarray:
    """Return naive midnights as whole days since 1970-01-01."""
    days = np.asarray(days)
    per_day = _PER_DAY[np.datetime_data(days.dtype)[0]]
    values = days.view("int64")
    numbers = values // per_day
    wrong = numbers * per_day != values
    if wrong.any():
        found = "a missing day" if np.isnat(days).any() else pd.Timestamp(days[wrong][0])
        raise ValueError(f"`{name}` must be naive midnights on every row, found {found}.")
    return numbers


def day_values(numbers: np.ndarray) -> np.ndarray:
    """Return whole days since 1970-01-01 as naive midnights."""
    return (numbers * np.int64(_PER_DAY["us"])).view("datetime64[us]")


def _renumbered(codes: np.ndarray) -> tuple[np.ndarray, int]:
    _, codes = np.unique(codes, return_inverse=True)
    return codes.astype("int64"), len(codes)
