"""Watching: who watched what from when to when, each account once at any time."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from toolkit.clock_cells import CLOCK, instants_of, zones_of
from toolkit.order import (
    BLOCK,
    codes_of,
    filled,
    gathered,
    in_blocks,
    in_threads,
    pack,
    stable_order,
    stored,
)
from toolkit.tables import (
    as_plays,
    as_viewers,
    as_whole_number,
    require_columns,
    require_one_account,
    unit_column,
    used_plays,
)

__all__ = [
    "Watching",
    "grid_of",
    "in_whole_groups",
    "pieces_of",
    "spans_of",
    "watching_of",
    "words_of",
]

_SECOND = 1_000_000


class Watching(NamedTuple):
    """Spans of plays in the order of their groups: an account's plays in one cell and zone.

    Within a group starts and ends are each in order by themselves, so that the n-th start and
    the n-th end need not be those of one play; how many watch at any time stays the same.
    """

    # What tells accounts, cells and zones apart, a number for each that rises with the rows.
    group: np.ndarray
    # The same without the zone.
    person: np.ndarray
    cell: np.ndarray
    zone: np.ndarray | None
    start: np.ndarray
    end: np.ndarray
    # Where the account was not watching the cell up to the start already.
    is_new: np.ndarray
    # Plays of which nobody knows how long they lasted: group, cell, zone and start.
    unknown: tuple
    # What a cell is: its contents and its group of viewers, row by row, and the universe.
    cells: pd.DataFrame
    universe: np.ndarray
    # Cells of the same contents stand together, one for each group of viewers.
    n_groups: int
    zones: list[str]
    # The window in each zone, as instants.
    low: np.ndarray
    high: np.ndarray


def words_of(by: str | Sequence[str] | None, result: Sequence[str]) -> tuple[list, list]:
    """Return what is told apart in `by`: columns of plays, and words of the clock in order."""
    names = [by] if isinstance(by, str) else list(by or [])
    if clash := [name for name in names if name in result]:
        raise ValueError(f"`by` must not be columns of the result, got {clash}.")
    return [n for n in names if n not in CLOCK], [n for n in CLOCK if n in names]


def watching_of(
    plays: pd.DataFrame, *, tz: str, columns: list[str], groups, viewers, universe,
    start=None, end=None, needs_hours: bool, needs_lengths: bool,
) -> Watching:  # fmt: skip
    """Return the spans of used plays within a window, by account and cell."""
    has_accounts = "account" in plays
    plays = used_plays(as_plays(plays))
    if has_accounts:
        require_one_account("`plays`", plays)
    if needs_hours or start is not None or end is not None:
        _require_hours(plays)
    zone, zones = zones_of(plays, tz)
    account, n_accounts = codes_of(plays["account"], "account")
    group, names, universe = _universe(plays, groups, viewers, universe)
    cell, contents = _cells(plays, columns)
    if len(names) > 1:
        cell = cell * len(names) + group
    cells = grid_of(contents, names)
    started, ended, is_unknown = spans_of(plays, needs_lengths)
    low, high = _window(started, ended, start, end, zones)
    rows = [account, cell, zone, started, ended]
    known, unknown = _within(rows, is_unknown, low, high, needs_lengths)
    sizes = [(n_accounts, 0), (len(cells), 1), (len(zones), 2)]
    unknown = (_packed(unknown, sizes[:2]), *unknown[1:4])
    arranged = _arranged(known, sizes)
    universe = np.tile(universe, len(contents))
    return Watching(*arranged, unknown, cells, universe, len(names), zones, low, high)


def pieces_of(
    start: np.ndarray, end: np.ndarray, edges: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut spans at edges: the row of each piece, its slot, and how long it lasts (us).

    A span of no length is one piece of none.
    """
    first = np.searchsorted(edges, start, side="right") - 1
    last = np.maximum(np.searchsorted(edges, end, side="left") - 1, first)
    if (first == last).all():
        return np.arange(len(start)), first, end - start
    n_slots = last - first + 1
    row = np.repeat(np.arange(len(start)), n_slots)
    slot = np.arange(len(row)) - np.repeat(np.cumsum(n_slots) - n_slots - first, n_slots)
    lasts = np.minimum(end[row], edges[slot + 1])
    lasts -= np.maximum(start[row], edges[slot])
    return row, slot, lasts


def in_whole_groups(group: np.ndarray, size: int = BLOCK) -> list[slice]:
    """Cut rows into blocks of whole groups."""
    cuts = np.searchsorted(group, group[:: max(size, BLOCK)])
    edges = np.unique([*cuts, len(group)]).tolist()
    return [slice(*pair) for pair in itertools.pairwise(edges)]


def grid_of(cells: pd.DataFrame, times: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each pair of a cell and a time."""
    n_cells, n_times = len(cells), len(times)
    row, time = np.repeat(np.arange(n_cells), n_times), np.tile(np.arange(n_times), n_cells)
    parts = [cells.iloc[row].reset_index(drop=True), times.iloc[time].reset_index(drop=True)]
    return pd.concat(parts, axis=1)


def _require_hours(plays: pd.DataFrame) -> None:
    if "day" not in plays["precision"].cat.categories:
        return
    if (dates := plays["precision"] == "day").any():
        sources = sorted(plays["source"][dates].astype("str").unique())
        raise ValueError(
            f"`plays` must say at what hour they started, found {dates.sum()} rows from {sources} "
            "that have a date only."
        )


def spans_of(plays: pd.DataFrame, needs_lengths: bool) -> tuple:
    """Return the start and the end of each play (us), and which ends are unknown, if any."""
    if plays["started_at"].isna().any():
        raise ValueError(
            f"`started_at` must be there on every row; {plays['started_at'].isna().sum()} are "
            "missing."
        )
    started = plays["started_at"].array.asi8
    seconds = np.full(len(plays), np.nan)
    if "watched_seconds" in plays:
        seconds = plays["watched_seconds"].to_numpy()
    if all(in_blocks(lambda b: ((seconds[b] >= 0) & (seconds[b] < np.inf)).all(), 0, len(plays))):
        return started, filled(lambda b: _ends(started[b], seconds[b]), len(plays), "int64"), None
    if (wrong := (seconds < 0) | (seconds == np.inf)).any():
        raise ValueError(
            "`watched_seconds` must be 0 or more, or missing, on every row that is used; "
            f"found {seconds[wrong][0]}."
        )
    is_unknown = np.isnan(seconds)
    ended = _ends(started, np.nan_to_num(seconds))
    if "ended_at" in plays:
        has_end = plays["ended_at"].notna().to_numpy() & is_unknown
        ended[has_end] = np.maximum(started, plays["ended_at"].array.asi8)[has_end]
        is_unknown &= ~has_end
    if needs_lengths and is_unknown.any():
        raise ValueError(
            "`plays` must say how long each lasted, by `watched_seconds` or `ended_at`; "
            f"{is_unknown.sum()} do not (leave them out with `exclude`)."
        )
    return started, ended, is_unknown


def _ends(started: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    lasted = seconds * _SECOND
    return started + np.rint(lasted, out=lasted).astype("int64")


def _window(started, ended, start, end, zones: list) -> tuple[np.ndarray, np.ndarray]:
    """Return the edges of the window in each zone; without them, those of all plays."""
    every = np.ones(len(zones), dtype="int64")
    if len(started):
        low, high = int(started.min()), int(max(ended.max(), started.max() + 1))
    else:
        low = high = 0
    low = every * low if start is None else instants_of(start, "start", zones)
    high = every * high if end is None else instants_of(end, "end", zones)
    if start is not None and end is not None and (low >= high).any():
        raise ValueError(f"`start` must lie before `end`, got {start} and {end}.")
    return low, np.maximum(low, high)


def _within(rows: list, is_unknown, low, high, needs_lengths: bool) -> tuple[list, list]:
    """Cut spans to the window, and keep apart those of which the length is unknown."""
    account, cell, zone, started, ended = rows

    def fits(b: slice) -> bool:
        first, last = started[b], ended[b]
        return first.min() >= low[0] and last.max() <= high[0] and (last > first).all()

    if zone is None and is_unknown is None and all(in_blocks(fits, 0, len(started))):
        return rows, [None if r is None else r[:0] for r in rows]
    if zone is not None:
        low, high = low[zone], high[zone]
    inside = (started < np.minimum(ended, high)) & (ended > low)
    if not needs_lengths:
        # A span of no length is in the window it starts in.
        inside |= (started == ended) & (started >= low) & (started < high)
    started = np.maximum(started, low)
    rows = [account, cell, zone, started, np.maximum(started, np.minimum(ended, high))]
    apart = np.zeros_like(inside) if is_unknown is None else is_unknown
    return tuple(
        [None if r is None else r[np.flatnonzero(some)] for r in rows]
        for some in (inside & ~apart, inside & apart)
    )


def _packed(rows: list, sizes: list) -> np.ndarray:
    return pack(*[(rows[n], size) for size, n in sizes if rows[n] is not None])


def _arranged(rows: list, sizes: list) -> tuple:
    """Return the columns of `Watching` that stand in the order of groups."""
    group = _packed(rows, sizes)
    cell, zone, start, end = rows[1:]
    falls = in_blocks(lambda b: (group[b] < group[b.start - 1 : b.stop - 1]).any(), 1, len(group))
    if any(falls):
        order = stable_order(group)
        group, cell, start, end = (gathered(a, order) for a in (group, cell, start, end))
        zone = None if zone is None else gathered(zone, order)
    person = group if zone is None else group // sizes[2][0]
    blocks = in_whole_groups(group)
    start, end = (_sorted_within(group, instants, blocks) for instants in (start, end))
    is_new = np.ones(len(group), dtype=bool)

    def join(b: slice) -> None:
        before = slice(b.start - 1, b.stop - 1)
        np.greater(start[b], end[before], out=is_new[b])
        is_new[b] |= group[b] != group[before]

    in_blocks(join, 1, len(group))
    return group, person, cell, zone, start, end, is_new


def _sorted_within(group: np.ndarray, instants: np.ndarray, blocks: list[slice]) -> np.ndarray:
    """Return instants in order within groups, which stand one after another."""

    def falls(b: slice) -> bool:
        before = slice(b.start - 1, b.stop - 1)
        return ((instants[b] < instants[before]) & (group[b] == group[before])).any()

    if not any(in_blocks(falls, 1, len(group))):
        return instants
    made = np.empty_like(instants)

    def put(b: slice) -> None:
        some, ids = instants[b], group[b]
        number = np.append(0, np.cumsum(ids[1:] != ids[:-1]))
        low = int(some.min())
        room = int(some.max()) - low + 1
        if int(number[-1]) >= 2**63 // room - 1:
            made[b] = some[np.lexsort((some, number))]
            return
        # One number for both, which sorts faster.
        base = number * room
        base -= low
        key = base + some
        key.sort()
        np.subtract(key, base, out=made[b])

    in_threads(put, blocks)
    return made


def _cells(plays: pd.DataFrame, columns: list[str]) -> tuple[np.ndarray, pd.DataFrame]:
    """Number the contents of cells that any play has, in order, and name them."""
    if not columns:
        return np.zeros(len(plays), dtype="int64"), pd.DataFrame(index=[0])
    require_columns(plays, [name for name in columns if name != "series"], "plays")
    values = [_column(plays, name) for name in columns]
    sizes = [codes_of(value, name) for value, name in zip(values, columns, strict=True)]
    key = pack(*sizes)
    present = _distinct(key)
    if len(present) and present[-1] == len(present) - 1:
        cell = key.astype("int64", copy=False)
    elif len(present) and present[-1] < 4 * len(key) + 1024:
        number = np.zeros(present[-1] + 1, dtype="int64")
        number[present] = np.arange(len(present))
        cell = gathered(number, key)
    else:
        cell = np.searchsorted(present, key)
    # Of all the rows that are alike any will do to name them.
    row = np.zeros(len(present), dtype="int64")
    row[cell] = np.arange(len(cell))
    return cell, pd.DataFrame({n: v.array[row] for n, v in zip(columns, values, strict=True)})


def _distinct(key: np.ndarray) -> np.ndarray:
    """Return the whole numbers, 0 or more, that come in a key, in order."""
    room = int(key.max(initial=0)) + 1
    if room > 4 * len(key) + 1024:
        return np.unique(key)
    is_there = np.zeros(room, dtype=bool)

    def mark(block: slice) -> None:
        is_there[key[block]] = True

    in_blocks(mark, 0, len(key))
    return np.flatnonzero(is_there)


def _column(plays: pd.DataFrame, name: str) -> pd.Series:
    values = unit_column(plays, name) if name in ("title", "series") else plays[name]
    is_id = isinstance(values.dtype, pd.CategoricalDtype) or (
        isinstance(values.dtype, np.dtype) and values.dtype.kind in "iu"
    )
    return values if is_id else values.astype("category")


def _universe(plays: pd.DataFrame, groups, viewers, universe) -> tuple:
    """Return each play's group of viewers, the groups, and how many accounts each has."""
    groups = [groups] if isinstance(groups, str) else list(groups or [])
    if viewers is None:
        require_columns(plays, groups, "plays")
        group, names = _cells(plays, groups)
        home = pack(codes_of(plays["account"], "account"), (group, len(names)))
        counts = np.bincount(_distinct(home) % max(len(names), 1), minlength=len(names))
        return group, names, _given(universe, names, groups, counts)
    viewers = as_viewers(viewers).reset_index(drop=True)
    require_columns(viewers, groups, "viewers")
    group, names = _cells(viewers, groups)
    row = _rows_of(plays["viewer"], viewers["viewer"])
    if (unknown := row < 0).any():
        who = plays["viewer"][unknown].iloc[0]
        raise ValueError(f"`viewers` must have a row for every viewer, found none for {who!r}.")
    counts = _count_accounts(viewers, plays, group, len(names))
    return group[row], names, _given(universe, names, groups, counts)


def _rows_of(ids: pd.Series, known: pd.Series) -> np.ndarray:
    """Return the row of each id among known ones, -1 if it is not there."""
    known = pd.Index(known.astype("object"))
    if not isinstance(ids.dtype, pd.CategoricalDtype):
        return known.get_indexer(ids)
    return known.get_indexer(ids.cat.categories.astype("object"))[stored(ids)]


def _count_accounts(viewers, plays, group: np.ndarray, n_groups: int) -> np.ndarray:
    """Count the accounts of `viewers` in each group, also of those who never watched."""
    if "account" in viewers:
        account = viewers["account"]
    else:
        seen = plays[["viewer", "account"]].drop_duplicates().astype("object")
        account = viewers["viewer"].astype("object")
        account = account.map(seen.set_index("viewer")["account"]).fillna(account)
    home = pd.DataFrame({"account": account, "group": group}).drop_duplicates()
    return np.bincount(home["group"], minlength=n_groups)


def _given(universe, names: pd.DataFrame, groups: list, counts: np.ndarray) -> np.ndarray:
    """Return the universe of each group: as given, or its accounts."""
    if universe is None:
        return counts
    if not groups:
        return np.array([as_whole_number(universe, "universe", low=1)])
    if not isinstance(universe, dict | pd.Series):
        raise ValueError(f"`universe` must map each of `groups` to a number, got {universe!r}.")
    keys = [key[0] if len(groups) == 1 else key for key in names.itertuples(index=False, name=None)]
    if missing := [key for key in keys if key not in universe]:
        raise ValueError(f"`universe` must map each of `groups` to a number, missing {missing}.")
    return np.array([as_whole_number(universe[key], "universe", low=1) for key in keys])
