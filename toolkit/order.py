"""The canonical order: ids and days as whole numbers, packed keys, and the runs within them."""

import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

__all__ = [
    "PER_DAY",
    "blocks_of",
    "canonical_starts",
    "codes_of",
    "day_numbers",
    "filled",
    "gathered",
    "heads_of",
    "in_blocks",
    "in_threads",
    "pack",
    "restored",
    "run_blocks",
    "runs_of",
    "sort_in_parts",
    "stable_order",
    "stored",
    "taken",
    "to_midnights",
    "whole_days",
    "whole_groups",
]

# Rows that stay in the processor's cache, and that outweigh handing them to a thread.
BLOCK = 2**18
_MAX_THREADS = 8
# So many rows are looked at before all are.
_GLANCE = 2**14
PER_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


def codes_of(column: pd.Series, name: str) -> tuple[np.ndarray, int]:
    """Return whole numbers that stand for the ids of a column, and how many there can be."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, size = stored(column), len(column.cat.categories)
        if any(in_blocks(lambda block: codes[block].min() < 0, 0, len(codes))):
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
        # As far apart as that, so that nobody counts on from the lowest.
        return _renumbered(values)[0], 2**62
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


def canonical_starts(ids: list[np.ndarray], values: np.ndarray, step: int) -> np.ndarray | None:
    """Say for each row whether a run of one step starts there, and once more for the end.

    Rows are in order if the ids rise and the values rise within the same ids; None if not.
    """
    is_start = np.empty(len(values) + 1, dtype=bool)
    is_start[[0, -1]] = True

    def compare(rows: slice) -> bool:
        # Each row is compared with the one before it.
        before = slice(rows.start - 1, rows.stop - 1)
        change = values[rows] - values[before]
        follows, rises = change == step, change > 0
        for codes in reversed(ids):
            same = codes[rows] == codes[before]
            follows &= same
            rises &= same
            rises |= codes[rows] > codes[before]
        np.logical_not(follows, out=is_start[rows])
        rises |= follows
        return rises.all()

    # What is out of order mostly shows at once.
    glance = slice(1, min(_GLANCE, len(values)))
    if len(values) > 1 and not (compare(glance) and all(in_blocks(compare, 1, len(values)))):
        return None
    return is_start


def run_blocks(is_start: np.ndarray) -> tuple[int, list[tuple[slice, slice]]]:
    """Return how many runs there are, and block by block the rows and the runs that start there."""
    blocks = blocks_of(0, len(is_start) - 1)
    ends = np.cumsum([0, *(np.count_nonzero(is_start[rows]) for rows in blocks)])
    runs = [slice(*edges) for edges in itertools.pairwise(ends.tolist())]
    return int(ends[-1]), list(zip(blocks, runs, strict=True))


def heads_of(is_start: np.ndarray, rows: slice) -> np.ndarray:
    """Return the rows of a block at which runs start, and where the next one after it does."""
    following = rows.stop + int(is_start[rows.stop :].argmax())
    heads = np.flatnonzero(is_start[rows.start : following + 1])
    heads += rows.start
    return heads


def blocks_of(start: int, stop: int) -> list[slice]:
    """Cut rows into blocks."""
    return [slice(low, min(low + BLOCK, stop)) for low in range(start, stop, BLOCK)]


def in_blocks(work: Callable[[slice], object], start: int, stop: int) -> list:
    """Return what `work` makes of each block of rows."""
    return in_threads(work, blocks_of(start, stop))


def in_threads(work: Callable, parts: list) -> list:
    """Return what `work` makes of each part, on all processors; NumPy lets them run at once."""
    made = [None] * len(parts)
    left = iter(range(len(parts)))

    def run() -> None:
        # Each thread takes the next part that is left, which costs less than to be handed it.
        for n in left:
            made[n] = work(parts[n])

    n_threads = min(_MAX_THREADS, os.cpu_count() or 1, len(parts))
    if n_threads < 2:
        run()
        return made
    with ThreadPoolExecutor(n_threads - 1) as threads:
        others = [threads.submit(run) for _ in range(n_threads - 1)]
        run()
        for other in others:
            other.result()
    return made


def whole_groups(codes: np.ndarray, size: int | None = None) -> list[slice]:
    """Cut rows with rising codes into blocks of about a size, which part no equal ones."""
    edges = np.unique([*np.searchsorted(codes, codes[:: size or BLOCK]), len(codes)]).tolist()
    return [slice(*pair) for pair in itertools.pairwise(edges)]


def filled(work: Callable[[slice], np.ndarray], length: int, dtype) -> np.ndarray:
    """Return an array that is made block by block."""
    made = np.empty(length, dtype=dtype)

    def fill(block: slice) -> None:
        made[block] = work(block)

    in_blocks(fill, 0, length)
    return made


def stored(ids: pd.Series) -> np.ndarray:
    """Return the whole numbers underneath a column of ids."""
    if isinstance(ids.dtype, pd.CategoricalDtype):
        return ids.array.codes
    return ids.to_numpy()


def restored(numbers: np.ndarray, ids: pd.Series):
    """Return the ids that whole numbers stand for, as an array like the column they are from."""
    if isinstance(ids.dtype, pd.CategoricalDtype):
        return pd.Categorical.from_codes(numbers, dtype=ids.dtype, validate=False)
    return numbers


def taken(column: pd.Series, rows: np.ndarray):
    """Return the values of a column at rows, as an array of its own."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column.array[rows]
    return restored(gathered(stored(column), rows), column)


def gathered(values: np.ndarray, rows: np.ndarray, dtype=None) -> np.ndarray:
    """Return values at rows, cast if asked for."""
    return filled(lambda block: values[rows[block]], len(rows), dtype or values.dtype)


def runs_of(*ids: pd.Series, then: Sequence[np.ndarray] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows in the order of ids and of `then`, and where those of the same ids begin."""
    key = pack(*[codes_of(column, column.name) for column in ids])
    order = np.lexsort((*then, key)) if then else stable_order(key)
    return order, np.flatnonzero(np.diff(key[order], prepend=-1))


def stable_order(key: np.ndarray) -> np.ndarray:
    """Return the order that sorts a key of `pack`, equal ones as they stand."""
    bits = len(key).bit_length()
    # Far from sorted and with room for the number of its row, a key itself sorts faster.
    if (np.diff(key[::4096]) < 0).any() and int(key.max()) < 2 ** (63 - bits):
        numbered = key << bits
        numbered |= np.arange(len(key))
        numbered = sort_in_parts(numbered)
        numbered &= 2**bits - 1
        return numbered
    return np.argsort(key, kind="stable")


def sort_in_parts(key: np.ndarray) -> np.ndarray:
    """Return a key in order, which is sorted block by block, cut by value and sorted again."""
    blocks = blocks_of(0, len(key))
    if len(blocks) < 2:
        return np.sort(key)
    in_threads(lambda block: key[block].sort(), blocks)
    # Blocks in order tell by every so many of their values where to cut.
    some = np.sort(key[:: max(BLOCK // 64, 1)])
    pivots = some[:: -(-len(some) // len(blocks))][1:]

    def cut(block: slice) -> list[int]:
        inside = block.start + np.searchsorted(key[block], pivots)
        return [block.start, *inside.tolist(), block.stop]

    cuts = in_threads(cut, blocks)
    ends = np.sum(cuts, axis=0) - sum(block.start for block in blocks)
    made = np.empty_like(key)

    def put(n: int) -> None:
        part = made[ends[n] : ends[n + 1]]
        np.concatenate([key[edges[n] : edges[n + 1]] for edges in cuts], out=part)
        part.sort()

    in_threads(put, range(len(ends) - 1))
    return made


def day_numbers(days: np.ndarray | pd.Series, name: str) -> np.ndarray:
    """Return naive midnights as whole days since 1970-01-01."""
    days = np.asarray(days)
    return filled(lambda block: whole_days(days[block], name)[0], len(days), "int64")


def whole_days(days: np.ndarray, name: str) -> tuple[np.ndarray, int, int]:
    """Return one block of midnights as `day_numbers` does, its first day and its last."""
    per_day = PER_DAY[np.datetime_data(days.dtype)[0]]
    # A product in place of a division: a day is an odd number times a power of two, and modulo
    # 2**64 what the inverse of the odd one makes small are its multiples, and no others.
    power = per_day & -per_day
    odd = per_day // power
    numbers = days.view("uint64") * np.uint64(pow(odd, -1, 2**64))
    numbers = numbers.view("int64")
    low, high = int(numbers.min()), int(numbers.max())
    if max(-low, high) > 2**63 // odd or np.bitwise_or.reduce(numbers) % power:
        wrong = days[days.view("int64") % per_day != 0]
        found = "a missing day" if np.isnat(wrong).any() else pd.Timestamp(wrong[0])
        raise ValueError(f"`{name}` must be naive midnights on every row, found {found}.")
    numbers >>= power.bit_length() - 1
    return numbers, low // power, high // power


def to_midnights(numbers: np.ndarray) -> np.ndarray:
    """Turn whole days since 1970-01-01 into naive midnights, in the same memory."""

    def turn(block: slice) -> None:
        numbers[block] *= PER_DAY["us"]

    in_blocks(turn, 0, len(numbers))
    return numbers.view("datetime64[us]")


def _renumbered(codes: np.ndarray) -> tuple[np.ndarray, int]:
    _, codes = np.unique(codes, return_inverse=True)
    return codes.astype("int64"), len(codes)
