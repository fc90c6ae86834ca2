"""Days: the only place but `warehouse` where zones, daylight saving and day starts live."""

import functools
import itertools
import math
import re
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
import pandas as pd

from toolkit.order import (
    blocks_of,
    canonical_starts,
    codes_of,
    filled,
    gathered,
    heads_of,
    in_blocks,
    in_threads,
    pack,
    restored,
    run_blocks,
    sort_in_parts,
    stable_order,
    stored,
    to_midnights,
    whole_groups,
)
from toolkit.tables import (
    as_plays,
    require_choice,
    require_one_account,
    unit_column,
    used_plays,
)

__all__ = [
    "clock_hours",
    "first_full_day",
    "first_whole",
    "from_clock",
    "last_full_day",
    "last_whole",
    "period_edges",
    "period_numbers",
    "time_of_day",
    "to_viewer_days",
    "zone_of",
]

_SECOND = 1_000_000
_HOUR = 3_600 * _SECOND
_DAY = 24 * _HOUR
_LONG = 400 * _DAY
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEKDAYS = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]


def to_viewer_days(
    plays: pd.DataFrame,
    *,
    tz: str,
    day_starts_at: str = "00:00",
    by: Literal["title", "series"] | None = "title",
    day_of: Literal["start", "end", "split"] = "start",
    min_seconds: float = 0,
    allow_latest: bool = False,
) -> pd.DataFrame:
    """Reduce plays to one row per viewer (and title or series) and day.

    A day is the calendar date that the clock in `tz` shows, once it has passed
    `day_starts_at`; before that it is the date before.

    Parameters
    ----------
    plays : pandas.DataFrame
        A plays table.  Rows with a reason in `excluded` are not used; order does not
        matter.
    tz : str
        Name of a time zone, or of a column that names one for each play.  Rows of
        precision "day" keep their date whatever the zone.
    day_starts_at : str, default "00:00"
        When a day starts on that clock, ``"HH:MM"``.  Research days of broadcasters
        start between 02:00 and 06:00.
    by : {'title', 'series', None}, default 'title'
        What is told apart within a viewer.  With 'series', a title that has none stands
        for itself.
    day_of : {'start', 'end', 'split'}, default 'start'
        The day a play across the start of a day belongs to; 'split' gives each day its
        part of the seconds.  An end exactly at the start of a day belongs to the day
        before.
    min_seconds : float, default 0
        Least seconds watched on a viewer-day, in all, for it to count.  Unknown seconds
        count as watched.
    allow_latest : bool, default False
        Accept sources whose rows are only the latest date of each title, from which no
        streak or rewatch can be read.

    Returns
    -------
    pandas.DataFrame
        One row per viewer-day, in the order viewer, title, day:

        * ``viewer``, ``account``, and ``title`` or ``series`` as in `plays`
        * ``day`` : datetime64, midnight, no time zone
        * ``n_plays`` : int, plays that start on the day (with 'end': that end on it)
        * ``watched_seconds`` : float, NaN where those of any of its plays are unknown

    Raises
    ------
    ValueError
        If a column is missing, a zone is unknown, `day_starts_at` is no time of day, a
        viewer has two accounts, rows without an hour are asked about one, or rows say
        only the latest date.

    See Also
    --------
    find_streaks : the streaks of these days.
    last_full_day : the last day that a log has seen to its end.

    Notes
    -----
    The day is the wall clock less `day_starts_at`, never 24 hours of elapsed time: the
    day of a change to or from daylight saving has 23 or 25 hours.  A zone that skipped a
    date (Pacific/Apia, 30 December 2011) leaves a gap of one day in everyone's streak.
    Days that start at 02:00, 03:00 and 06:00 are those of OzTAM, AGF and Nielsen [1]_.

    Seconds are added up as whole microseconds, so that the order of rows can't matter, and
    the parts of a split play add up to it.

    References
    ----------
    .. [1] CIMM, "Broadcasting Day", Lexicon of Terms and Definitions; OzTAM and AGF,
       glossaries.

    Examples
    --------
    >>> plays = pd.DataFrame({
    ...     "viewer": "ann", "title": "Heat",
    ...     "started_at": pd.to_datetime(["2024-03-02 03:30Z", "2024-03-02 20:00Z"]),
    ...     "watched_seconds": [600.0, 9000.0],
    ... })
    >>> to_viewer_days(plays, tz="America/New_York")
      viewer account title        day  n_plays  watched_seconds
    0    ann     ann  Heat 2024-03-01        1            600.0
    1    ann     ann  Heat 2024-03-02        1           9000.0
    >>> len(to_viewer_days(plays, tz="UTC"))
    1
    """
    require_choice(by, ["title", "series", None], "by")
    require_choice(day_of, ["start", "end", "split"], "day_of")
    if not isinstance(min_seconds, int | float | np.number) or not min_seconds >= 0:
        raise ValueError(f"`min_seconds` must be 0 or more, got {min_seconds!r}.")
    day_start = time_of_day(day_starts_at)
    has_accounts = "account" in plays
    plays = used_plays(as_plays(plays))
    _refuse_what_rows_cannot_say(plays, day_start, allow_latest)

    started = _instants(plays, "started_at")
    # In whole microseconds, whose sums depend on no order.
    watched = _known_seconds(plays)
    days = _days(started, plays, tz, day_start)
    rows, n_plays = slice(None), None
    if day_of != "start":
        last = np.maximum(days, _days(_last_instants(plays, started), plays, tz, day_start))
        if day_of == "end":
            days = last
        else:
            parts = _split(plays, tz, day_start, started, days, last, watched)
            rows, days, n_plays, watched = parts

    ids = {"viewer": plays["viewer"]} | ({} if by is None else {by: unit_column(plays, by)})
    keys = {name: codes_of(column, name) for name, column in ids.items()}
    if has_accounts:
        ids["account"] = plays["account"]
        require_one_account("`plays`", plays)
    to_sum = {"n_plays": n_plays, "watched_seconds": watched}
    to_sum = {name: values for name, values in to_sum.items() if values is not None}
    numbers, day, size, sums = _grouped(
        {name: stored(column)[rows] for name, column in ids.items()},
        {name: (codes[rows], room) for name, (codes, room) in keys.items()},
        days,
        list(to_sum.values()),
    )
    # Make room for the table.
    del started, days, keys
    found = {name: restored(numbers[name], column) for name, column in ids.items()}
    found = {"viewer": found["viewer"], "account": found["viewer"].copy()} | found
    sums = {"n_plays": size, "watched_seconds": np.nan} | dict(zip(to_sum, sums, strict=True))
    sums["n_plays"] = sums["n_plays"].astype("int64", copy=False)
    sums["watched_seconds"] = sums["watched_seconds"] / _SECOND
    viewer_days = pd.DataFrame(found | {"day": to_midnights(day)} | sums, copy=False)
    if min_seconds:
        enough = ~(viewer_days["watched_seconds"] < min_seconds)
        viewer_days = viewer_days[enough].reset_index(drop=True)
    return viewer_days


def last_full_day(until, *, tz, day_starts_at: str = "00:00"):
    """Return the last day that a log ending at an instant has seen to its end.

    Parameters
    ----------
    until : datetime-like or Series
        The instant, with its zone, up to which the log was written.
    tz : str or Series
        The time zone in which days are cut; one for each instant, or one for all.
    day_starts_at : str, default "00:00"
        When a day starts, as in `to_viewer_days`.

    Returns
    -------
    pandas.Timestamp or pandas.Series
        The day, midnight without a zone: fit for `as_of`.

    Raises
    ------
    ValueError
        If the instant has no zone, or the zone is unknown.

    Examples
    --------
    >>> last_full_day("2017-12-11 04:59Z", tz="America/New_York")
    Timestamp('2017-12-09 00:00:00')
    >>> last_full_day("2017-12-11 05:00Z", tz="America/New_York")
    Timestamp('2017-12-10 00:00:00')
    """

    def full(instants, at, offsets, day_start):
        days = _wall_days(instants, at, offsets, day_start)
        # Where the clock goes back over the start of a day, the day before comes once more.
        for change in at[1:]:
            soon = (instants < change) & (change <= instants + _DAY)
            days[soon] = np.minimum(days[soon], _wall_days(change, at, offsets, day_start))
        return days - 1

    return _by_zone(until, "until", tz, day_starts_at, full)


def first_full_day(since, *, tz, day_starts_at: str = "00:00"):
    """Return the first day that a log starting at an instant sees from its start.

    Parameters
    ----------
    since : datetime-like or Series
        The instant, with its zone, from which the log was written.
    tz : str or Series
        The time zone in which days are cut; one for each instant, or one for all.
    day_starts_at : str, default "00:00"
        When a day starts, as in `to_viewer_days`.

    Returns
    -------
    pandas.Timestamp or pandas.Series
        The day, midnight without a zone: fit for `observed_from`.

    Raises
    ------
    ValueError
        If the instant has no zone, or the zone is unknown.

    Examples
    --------
    >>> first_full_day("2017-11-01 00:00Z", tz="Australia/Sydney")
    Timestamp('2017-11-02 00:00:00')
    """

    def full(instants, at, offsets, day_start):
        days = _wall_days(instants - 1, at, offsets, day_start)
        for change in at[1:]:
            late = (instants > change - 1) & (change - 1 >= instants - _DAY)
            days[late] = np.maximum(days[late], _wall_days(change - 1, at, offsets, day_start))
        return days + 1

    return _by_zone(since, "since", tz, day_starts_at, full)


def from_clock(clock: np.ndarray, tz: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the instants (us) at which a clock in a zone showed times, and which it never did.

    A time that the clock showed twice is the first of the two; one that it skipped is the
    instant of the change.
    """
    zone_of(tz, "clock_tz")
    if not len(clock):
        return clock, np.zeros(0, dtype=bool)
    at, offsets = _offsets(tz, int(clock.min()) - 2 * _DAY, int(clock.max()) + 2 * _DAY)
    clock_at_end = at[1:] + offsets[:-1]
    piece = np.searchsorted(clock_at_end, clock, side="right")
    instants = clock - offsets[piece]
    skipped = instants < at[piece]
    return np.maximum(instants, at[piece]), skipped


def clock_hours(plays: pd.DataFrame, tz: str) -> np.ndarray:
    """Return the hour that the clock showed at each start, in whole hours since 1970-01-01."""
    started = _instants(plays, "started_at")
    hours = np.empty(len(started), dtype="int64")
    for zone, rows in _zones(plays, tz):
        some = started[rows]
        if len(some):
            at, offsets = _offsets(zone, int(some.min()), int(some.max()))

            def cut(block: slice, some=some, at=at, offsets=offsets) -> np.ndarray:
                piece = np.searchsorted(at, some[block], side="right") - 1
                return (some[block] + offsets[piece]) // _HOUR

            hours[rows] = filled(cut, len(some), "int64")
    # A date is the same in every zone.
    dates = _rows_with(plays, "precision", "day")
    hours[dates] = started[dates] // (24 * _HOUR) * 24
    return hours


def period_numbers(days: np.ndarray, period: str, week_starts: str = "MON") -> np.ndarray:
    """Number the periods in which days lie, so that neighbours differ by one."""
    require_choice(period, ["day", "week", "month"], "period")
    require_choice(week_starts, _WEEKDAYS, "week_starts")
    if period == "week":
        # Day 0, 1 January 1970, was a Thursday.
        weeks = days + (3 - _WEEKDAYS.index(week_starts))
        weeks //= 7
        return weeks
    if period == "month":
        return days.astype("datetime64[D]").astype("datetime64[M]").astype("int64")
    return days


def period_edges(
    numbers: np.ndarray, period: str, week_starts: str = "MON"
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and last day of numbered periods."""
    if period == "week":
        first = numbers * 7 - 3 + _WEEKDAYS.index(week_starts)
        return first, first + 6
    if period == "month":
        first, after = (
            (numbers + n).astype("datetime64[M]").astype("datetime64[D]").astype("int64")
            for n in (0, 1)
        )
        return first, after - 1
    return numbers, numbers


def first_whole(first_day, period: str, week_starts: str = "MON"):
    """Return the number of the first period that starts on a numbered day or after it."""
    # The day before a whole period lies in another one.
    return period_numbers(np.asarray(first_day) - 1, period, week_starts) + 1


def last_whole(last_day, period: str, week_starts: str = "MON"):
    """Return the number of the last period that is over with a numbered day."""
    # And so does the day after it.
    return period_numbers(np.asarray(last_day) + 1, period, week_starts) - 1


def _refuse_what_rows_cannot_say(plays: pd.DataFrame, day_start: int, allow_latest: bool) -> None:
    latest = _rows_with(plays, "row_is", "latest")
    if len(latest) and not allow_latest:
        sources = sorted(plays["source"].iloc[latest].astype("str").unique())
        raise ValueError(
            f"`plays` must not hold only the latest date of each title, found {len(latest)} such "
            f"rows from {sources}: streaks and rewatches cannot be read from them; ask the service "
            "for its full export (`allow_latest=True` lets them through)."
        )
    dates = _rows_with(plays, "precision", "day")
    if len(dates) and day_start:
        sources = sorted(plays["source"].iloc[dates].astype("str").unique())
        raise ValueError(
            f"`day_starts_at` must be '00:00' for rows that have a date and no hour, "
            f"found {len(dates)} such rows from {sources}."
        )


def _rows_with(plays: pd.DataFrame, column: str, value: str) -> np.ndarray:
    if value not in plays[column].cat.categories:
        return np.zeros(0, dtype="int64")
    return np.flatnonzero(plays[column] == value)


def _instants(plays: pd.DataFrame, name: str) -> np.ndarray:
    instants = plays[name].array.asi8
    # NaT is the lowest of all whole numbers.
    lowest = in_blocks(lambda block: instants[block].min(), 0, len(instants))
    if min(lowest, default=0) == pd.NaT.value:
        missing = plays[name].isna().sum()
        raise ValueError(f"`{name}` must be there on every row; {missing} are missing.")
    return instants


def _known_seconds(plays: pd.DataFrame) -> np.ndarray | None:
    """Return the time watched of each play in whole microseconds; None: no play's is known."""
    if "watched_seconds" not in plays:
        return None
    seconds = plays["watched_seconds"].to_numpy()
    if (wrong := (seconds < 0) | (seconds == np.inf)).any():
        raise ValueError(
            f"`watched_seconds` must be 0 or more, or missing, on every row that is used; "
            f"found {seconds[wrong][0]}."
        )
    return filled(lambda block: np.rint(seconds[block] * _SECOND), len(seconds), "float64")


def _last_instants(plays: pd.DataFrame, started: np.ndarray) -> np.ndarray:
    """Return the last instant of each play: an end is not itself part of the play."""
    ended = started
    if "watched_seconds" in plays:
        lasted = np.nan_to_num(plays["watched_seconds"].to_numpy()) * _SECOND
        ended = started + lasted.round().astype("int64")
    if "ended_at" in plays:
        known = plays["ended_at"].notna().to_numpy()
        ended = np.where(known, plays["ended_at"].array.asi8, ended)
    return np.maximum(started, ended - 1)


def _days(instants: np.ndarray, plays: pd.DataFrame, tz: str, day_start: int) -> np.ndarray:
    """Return the day of each instant, in whole days since 1970-01-01."""
    if tz not in plays:
        days = _days_in(tz, instants, day_start)
    else:
        days = np.empty(len(instants), dtype="int32")
        for zone, rows in _zones(plays, tz):
            days[rows] = _days_in(zone, instants[rows], day_start)
    dates = _rows_with(plays, "precision", "day")
    midnights = plays["started_at"].array.asi8[dates]
    if (midnights % _DAY).any():
        raise ValueError("`started_at` must be midnight UTC where `precision` is 'day'.")
    days[dates] = midnights // _DAY
    return days


def _days_in(zone: str, instants: np.ndarray, day_start: int) -> np.ndarray:
    def cut(block: slice) -> np.ndarray:
        some = instants[block]
        return _wall_days(some, *_offsets(zone, int(some.min()), int(some.max())), day_start)

    return filled(cut, len(instants), "int32")


def _zones(plays: pd.DataFrame, tz: str) -> Iterator[tuple[str, slice | np.ndarray]]:
    """Yield each zone and the rows it holds for."""
    if not isinstance(tz, str):
        raise ValueError(f"`tz` must name a time zone or a column of `plays`, got {tz!r}.")
    if tz not in plays:
        zone_of(tz)
        yield tz, slice(None)
        return
    zones = plays[tz].astype("category")
    codes, _ = codes_of(zones, tz)
    for code, zone in enumerate(zones.cat.categories):
        yield zone, np.flatnonzero(codes == code)


def _split(plays, tz, day_start, started, days, last, watched):
    """Give each day its part of a play; the time watched follows that from start to end."""
    n_days = last - days + 1
    rows = np.repeat(np.arange(len(plays)), n_days)
    position = np.arange(len(rows)) - np.repeat(np.cumsum(n_days) - n_days, n_days)
    day = days[rows] + position
    ended = _last_instants(plays, started) + 1
    across = n_days[rows] > 1
    low, high = started[rows].copy(), ended[rows].copy()
    for zone, where in _zones(plays, tz):
        inside = np.zeros(len(plays), dtype=bool)
        inside[where] = True
        some = np.flatnonzero(across & inside[rows])
        low[some] = np.maximum(low[some], from_clock(day[some] * _DAY + day_start, zone)[0])
        high[some] = np.minimum(high[some], from_clock((day[some] + 1) * _DAY + day_start, zone)[0])
    is_first = (position == 0).astype("int64")
    if watched is None:
        return rows, day, is_first, None
    parts, ended, lasted = watched[rows], ended[rows], (ended - started)[rows]
    # What is left at each edge is rounded, so that the parts add up to the play.
    at_low, at_high = (
        np.floor(parts[across] * (ended - edge)[across] / lasted[across] + 0.5)
        for edge in (low, np.maximum(low, high))
    )
    parts[across] = at_low - at_high
    return rows, day, is_first, parts


def _grouped(numbers: dict, keys: dict, days: np.ndarray, values: list) -> tuple:
    """Return the ids and the day of each group of rows, their number, and sums of values.

    `numbers` are the ids as they are stored, `keys` the codes of those that tell groups apart.
    """
    if not len(days):
        return numbers, days.astype("int64"), np.zeros(0, dtype="int64"), values
    columns = list(keys.values())
    is_start, order = canonical_starts([codes for codes, _ in columns], days, 0), slice(None)
    if is_start is None:
        edges = in_blocks(lambda block: (days[block].min(), days[block].max()), 0, len(days))
        low, high = int(np.min(edges)), int(np.max(edges))
        columns.append((days, high - low + 1))
        n_groups = math.prod(size for _, size in columns)
        if n_groups <= 4 * len(days):
            # So dense that counting every possible group is cheaper than sorting.
            return _counted(numbers, keys, days, values, low, high)
        bits = len(days).bit_length() if values or len(numbers) > len(keys) else 0
        if n_groups < 2 ** (63 - bits):
            return _sorted(numbers, keys, days, values, low, high, bits)
        key = pack(*columns)
        order = stable_order(key)
        key = key[order]
        is_start = np.concatenate([[True], key[1:] != key[:-1], [True]])
    edges = np.flatnonzero(is_start)
    starts = edges[:-1]
    row = starts if isinstance(order, slice) else order[starts]
    numbers = {name: gathered(some, row) for name, some in numbers.items()}
    sums = [np.add.reduceat(v[order], starts) for v in values]
    return numbers, gathered(days, row, "int64"), np.diff(edges), sums


def _counted(numbers: dict, keys: dict, days, values: list, low: int, high: int) -> tuple:
    """Count the rows of every possible group, and keep those that have any, as `_grouped` does."""
    (viewer, _), *others = keys.values()
    others = [*others, (days, high - low + 1)]
    sizes = [size for _, size in others]
    accounts = numbers.get("account", viewer)

    def count(part: slice) -> tuple:
        who = viewer[part]
        first, last = int(who.min()), int(who.max())
        n_cells = (last - first + 1) * math.prod(sizes)
        counts, sums = np.zeros(n_cells, dtype="int32"), [np.zeros(n_cells) for _ in values]
        home = np.empty(last - first + 1 if "account" in numbers else 0, dtype=accounts.dtype)
        narrow = "int32" if n_cells + high < 2**31 else "int64"
        # Block by block, since fresh memory costs more than the counting.
        for rows in blocks_of(part.start, part.stop):
            key = viewer[rows].astype(narrow)
            key -= first
            if len(home):
                home[key] = accounts[rows]
            for codes, size in others:
                key *= size
                np.add(key, codes[rows], out=key, casting="unsafe")
            # The days, which come last, start at the lowest.
            key -= low
            cell = key.astype("intp")
            np.add.at(counts, cell, np.int32(1))
            for some, v in zip(sums, values, strict=True):
                np.add.at(some, cell, v[rows])
        return first, home, counts, sums

    counted = in_threads(count, _whole_viewers(viewer))
    blocks = [(n, cells) for n, part in enumerate(counted) for cells in blocks_of(0, len(part[2]))]
    found = [np.count_nonzero(counted[n][2][cells]) for n, cells in blocks]
    ends = np.cumsum([0, *found]).tolist()
    ids, day, size, sums = _room_for(ends[-1], numbers, ["float64"] * len(values))

    def put(m: int) -> None:
        n, cells = blocks[m]
        first, home, counts, summed = counted[n]
        rows, cell = slice(ends[m], ends[m + 1]), np.flatnonzero(counts[cells] != 0) + cells.start
        place, *codes = _unpacked(cell, sizes)
        for name, some in _stored_ids([place + first, *codes[:-1]], numbers, keys).items():
            ids[name][rows] = some
        if "account" in ids:
            ids["account"][rows] = home[place]
        day[rows] = codes[-1] + low
        size[rows] = counts[cell]
        for whole, some in zip(sums, summed, strict=True):
            whole[rows] = some[cell]

    in_threads(put, range(len(blocks)))
    return ids, day, size, sums


def _sorted(numbers: dict, keys: dict, days, values: list, low: int, high: int, bits: int) -> tuple:
    """Sort packed groups as `_grouped` does; the lowest bits number the row, where it is needed."""
    columns = [*keys.values(), (days, high - low + 1)]

    def number(block: slice) -> np.ndarray:
        key = pack(*[(codes[block], size) for codes, size in columns])
        # The days, which come last, start at the lowest.
        key -= low
        key <<= bits
        return key | np.arange(block.start, block.stop) if bits else key

    key = sort_in_parts(filled(number, len(days), "int64"))
    is_start = np.ones(len(key) + 1, dtype=bool)

    def compare(rows: slice) -> None:
        other = key[rows] ^ key[rows.start - 1 : rows.stop - 1]
        np.greater(other, 2**bits - 1, out=is_start[rows])

    in_blocks(compare, 1, len(key))
    n_found, blocks = run_blocks(is_start)
    ids, day, size, sums = _room_for(n_found, numbers, [v.dtype for v in values])

    def put(block: tuple[slice, slice]) -> None:
        rows, runs = block
        if runs.start == runs.stop:
            return
        edges = heads_of(is_start, rows)
        head = key[edges[:-1]]
        codes = _unpacked(head >> bits, [size for _, size in columns[1:]])
        for name, some in _stored_ids(codes[:-1], numbers, keys).items():
            ids[name][runs] = some
        if "account" in ids:
            ids["account"][runs] = numbers["account"][head & (2**bits - 1)]
        day[runs] = codes[-1] + low
        size[runs] = np.diff(edges)
        for whole, v in zip(sums, values, strict=True):
            row = key[edges[0] : edges[-1]] & (2**bits - 1)
            whole[runs] = np.add.reduceat(v[row], edges[:-1] - edges[0])

    in_threads(put, blocks)
    return ids, day, size, sums


def _room_for(length: int, numbers: dict, dtypes: list) -> tuple:
    """Return empty columns for the ids, the day, the number of rows and the sums of groups."""
    ids = {name: np.empty(length, dtype=some.dtype) for name, some in numbers.items()}
    day, size = (np.empty(length, dtype="int64") for _ in range(2))
    return ids, day, size, [np.empty(length, dtype=dtype) for dtype in dtypes]


def _stored_ids(codes: list, numbers: dict, keys: dict) -> dict[str, np.ndarray]:
    """Return as they are stored the ids that codes stand for."""
    # What is stored where a code is 0.
    zero = {name: int(numbers[name][0]) - int(known[0]) for name, (known, _) in keys.items()}
    named = zip(keys, codes, strict=True)
    return {name: some.astype(numbers[name].dtype) + zero[name] for name, some in named}


def _unpacked(key: np.ndarray, sizes: list) -> list[np.ndarray]:
    """Return the columns that `pack` puts into a key, given the sizes of all but the first."""
    columns = []
    for size in reversed(sizes):
        rest = key // size
        columns.append(key - rest * size)
        key = rest
    return [key, *reversed(columns)]


def _whole_viewers(codes: np.ndarray) -> list[slice]:
    """Cut rows that stand viewer after viewer into parts that stay in the processor's cache."""
    rises = in_blocks(
        lambda rows: (codes[rows] >= codes[rows.start - 1 : rows.stop - 1]).all(), 1, len(codes)
    )
    return whole_groups(codes) if all(rises) else [slice(0, len(codes))]


def _by_zone(when, name: str, tz, day_starts_at: str, full):
    day_start = time_of_day(day_starts_at)
    one = not isinstance(when, pd.Series)
    instants = pd.Series([when]) if one else when
    instants = pd.to_datetime(instants)
    if not isinstance(instants.dtype, pd.DatetimeTZDtype):
        raise ValueError(f"`{name}` must be an instant with a time zone, got {instants.iloc[0]}.")
    frame = pd.DataFrame({name: instants.astype("datetime64[us, UTC]"), "tz": tz})
    values = _instants(frame, name)
    days = np.empty(len(values), dtype="int64")
    for zone, rows in _zones(frame, "tz"):
        some = values[rows]
        if len(some):
            at, offsets = _offsets(zone, int(some.min()) - 2 * _DAY, int(some.max()) + 2 * _DAY)
            days[rows] = full(some, at, offsets, day_start)
    days = pd.Series(to_midnights(days), index=instants.index, name=name)
    return days.iloc[0] if one else days


def _wall_days(instants, at: np.ndarray, offsets: np.ndarray, day_start: int):
    if len(at) > 6:
        piece = np.searchsorted(at, instants, side="right") - 1
        return (instants + (offsets[piece] - day_start)) // _DAY
    # A log of a few years sees few changes of the clock, so that adding each is cheaper.
    wall = instants + (offsets[0] - day_start)
    for change, by in zip(at[1:], np.diff(offsets), strict=True):
        wall += (instants >= change) * by
    return wall // _DAY


def _offsets(tz: str, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the UTC offsets in force between two instants, and from when each holds."""
    at, offsets = _all_offsets(tz, low // _LONG, high // _LONG + 1)
    held = slice(*(np.searchsorted(at, [low, high], side="right") - [1, 0]))
    return at[held], offsets[held]


@functools.lru_cache(maxsize=1024)
def _all_offsets(tz: str, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the offsets between two instants as `_offsets` does, in steps of about a year."""
    zone = zone_of(tz)

    def offset(second: int) -> int:
        moment = _EPOCH + timedelta(seconds=second)
        return moment.astimezone(zone).utcoffset() // timedelta(microseconds=1)

    # Python's calendar ends with the year 9999.
    low, high = (
        max(first * _LONG // _SECOND, -6 * 10**10),
        min(last * _LONG // _SECOND, 253 * 10**9),
    )
    seconds = range(low - 86_400, high + 2 * 86_400, 86_400)
    pieces = [(seconds[0], offset(seconds[0]))]
    for start, end in itertools.pairwise(seconds):
        if (new := offset(end)) != pieces[-1][1]:
            # Bisect for the second of the change.
            while end - start > 1:
                middle = (start + end) // 2
                start, end = (middle, end) if offset(middle) != new else (start, middle)
            pieces.append((end, new))
    at, offsets = np.array(pieces, dtype="int64").T
    return at * _SECOND, offsets


def zone_of(tz: str, name: str = "tz") -> zoneinfo.ZoneInfo:
    """Return a time zone, and refuse what names none."""
    try:
        return zoneinfo.ZoneInfo(tz)
    except (zoneinfo.ZoneInfoNotFoundError, TypeError, ValueError, OSError):
        column = ", or a column of `plays` with such names" if name == "tz" else ""
        raise ValueError(
            f"`{name}` must be the name of a time zone such as 'Europe/Berlin'{column}, got {tz!r}."
        ) from None


def time_of_day(text: str, name: str = "day_starts_at") -> int:
    """Return the microseconds that a clock which shows ``HH:MM`` has moved since midnight."""
    parts = re.fullmatch(r"(\d{1,2}):(\d{2})", text) if isinstance(text, str) else None
    if parts is None or int(parts[1]) > 23 or int(parts[2]) > 59:
        raise ValueError(f"`{name}` must be a time of day such as '04:00', got {text!r}.")
    return (int(parts[1]) * 60 + int(parts[2])) * 60 * _SECOND
