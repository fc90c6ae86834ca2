"""Reach: how many watched for so many minutes, and how their number builds up."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from toolkit.clock_cells import clock_slots
from toolkit.intervals import wilson
from toolkit.order import stable_order
from toolkit.tables import require_choice, require_confidence
from toolkit.watching import Watching, grid_of, pieces_of, watching_of, words_of

__all__ = ["reach", "reach_curve"]

_MINUTE = 60_000_000
_RESULT = ["people", "universe", "reach", "low", "high", "new_people"]
_NEVER = np.iinfo("int64").max


def reach(
    plays: pd.DataFrame,
    *,
    tz: str,
    by: str | Sequence[str] | None = None,
    groups: str | Sequence[str] | None = None,
    viewers: pd.DataFrame | None = None,
    universe=None,
    min_minutes: float = 1,
    consecutive: bool = False,
    day_starts_at: str = "00:00",
    week_starts: str = "MON",
    dayparts: dict[str, str] | None = None,
    start=None,
    end=None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Count the accounts that watched for at least so many minutes.

    Parameters
    ----------
    plays : pandas.DataFrame
        A plays table.  Rows with a reason in `excluded` are not used; order does not
        matter.
    tz : str
        Name of a time zone, or of a column that names one for each play.
    by : str or list of str, optional
        What must be watched for so long, each by itself: columns of `plays` such as 'title',
        'series' or 'device', and the words of the clock 'month', 'week', 'day', 'weekday',
        'daypart' and 'hour'.  The mean over ``by="day"`` is the average daily reach.
    groups, viewers, universe
        As in `audience`.
    min_minutes : float, default 1
        Least minutes, on all screens of the account, that screens share counted once.  With
        0 any play is enough.
    consecutive : bool, default False
        Whether the minutes must follow each other without a break; if not they are added up.
    day_starts_at, week_starts, dayparts
        As in `audience`.
    start, end : datetime-like, optional
        The window as in `audience`; without it all of the log.
    confidence : float, default 0.95
        Level of the interval, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        One row per cell, in the order of the columns of `by`, of `groups` and of the clock;
        where nobody was reached it is 0:

        * the columns of `by` and `groups`
        * ``people`` : int, accounts reached
        * ``universe`` : int, accounts that could have been
        * ``reach`` : float, people over universe
        * ``low``, ``high`` : float, Wilson's interval

    Raises
    ------
    ValueError
        If a column is missing, the zone is unknown, `min_minutes` is below 0, a play has a
        date only while a clock or a window is asked about, or more people are reached than
        the universe holds.

    See Also
    --------
    reach_curve : how reach builds up over the days.
    audience : the audience of the average minute.

    Notes
    -----
    BARB's average daily and weekly reach asks for 3 consecutive minutes [1]_, others for 1
    or 15 in all: ``min_minutes=3, consecutive=True``.  Minutes are elapsed time to the
    microsecond, not minutes of the clock, and begin anew with each cell: who watches from
    one day into the next must fill the minutes on each.

    A play of unknown length counts as long enough, in the cell it starts in.  The interval
    takes accounts for a random sample, each independent of all others.

    References
    ----------
    .. [1] BARB, "Definitions" (2006).

    Examples
    --------
    >>> plays = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "bob"], "title": "Heat",
    ...     "started_at": pd.to_datetime(
    ...         ["2024-03-01 20:00Z", "2024-03-01 21:00Z", "2024-03-02 20:00Z"]
    ...     ),
    ...     "watched_seconds": [120.0, 90.0, 200.0],
    ... })
    >>> reach(plays, tz="UTC", min_minutes=3)[["people", "universe", "reach"]]
       people  universe  reach
    0       2         2    1.0
    >>> reach(plays, tz="UTC", min_minutes=3, consecutive=True)["people"].item()
    1
    >>> reach(plays, tz="UTC", min_minutes=3, by="day")["people"].tolist()
    [1, 1]
    """
    columns, words = words_of(by, _RESULT)
    least = _least(min_minutes, confidence)
    watching = watching_of(
        plays, tz=tz, columns=columns, groups=groups, viewers=viewers, universe=universe,
        start=start, end=end, needs_hours=bool(words), needs_lengths=False,
    )  # fmt: skip
    cut = {"day_starts_at": day_starts_at, "week_starts": week_starts, "dayparts": dayparts}
    n_cells = len(watching.cells)
    if words:
        times, slots = clock_slots(words, watching.zones, watching.low, watching.high, **cut)
        cell, time = _reached_cells(watching, slots, len(times), least, consecutive)
    else:
        times = pd.DataFrame(index=[0])
        cell, *_ = _reached_at(watching, least, consecutive)
        time = 0
    people = np.bincount(cell * len(times) + time, minlength=n_cells * len(times))
    table = grid_of(watching.cells, times)
    return _with_reach(table, people, np.repeat(watching.universe, len(times)), confidence)


def reach_curve(
    plays: pd.DataFrame,
    *,
    tz: str,
    by: str | Sequence[str] | None = None,
    groups: str | Sequence[str] | None = None,
    viewers: pd.DataFrame | None = None,
    universe=None,
    min_minutes: float = 1,
    consecutive: bool = False,
    period: Literal["day", "week", "month"] = "day",
    day_starts_at: str = "00:00",
    week_starts: str = "MON",
    start=None,
    end=None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Follow the cumulative reach: accounts reached up to each day.

    Parameters
    ----------
    plays, tz, groups, viewers, universe, min_minutes, consecutive
        As in `reach`.
    by : str or list of str, optional
        Columns of `plays` whose reach is followed apart.
    period : {'day', 'week', 'month'}, default 'day'
        The steps of the curve.
    day_starts_at, week_starts, start, end, confidence
        As in `reach`.

    Returns
    -------
    pandas.DataFrame
        One row per period of the window, also those without a play, for each cell:

        * the columns of `by` and `groups`
        * ``day``, ``week`` or ``month`` : datetime64, first day of the period
        * ``new_people`` : int, accounts that fill their minutes in it
        * ``people`` : int, those that have done so by its end
        * ``universe``, ``reach``, ``low``, ``high`` as in `reach`

    Raises
    ------
    ValueError
        As in `reach`.

    See Also
    --------
    reach : the last point of the curve.

    Notes
    -----
    Minutes add up from the start of the window; an account joins at the instant at which it
    has watched enough.  An instant exactly at the start of a day is the day before's.  Where
    the log begins in the middle of things its first days reach old viewers as if they were
    new.

    Examples
    --------
    >>> plays = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "bob"], "title": "Heat", "watched_seconds": 100.0,
    ...     "started_at": pd.to_datetime(
    ...         ["2024-03-01 20:00Z", "2024-03-03 21:00Z", "2024-03-03 20:00Z"]
    ...     ),
    ... })
    >>> reach_curve(plays, tz="UTC")[["day", "new_people", "people", "reach"]]
             day  new_people  people  reach
    0 2024-03-01           1       1    0.5
    1 2024-03-02           0       1    0.5
    2 2024-03-03           1       2    1.0
    """
    columns, words = words_of(by, _RESULT)
    if words:
        raise ValueError(f"`by` must be columns of `plays`, got the words of the clock {words}.")
    require_choice(period, ["day", "week", "month"], "period")
    least = _least(min_minutes, confidence)
    watching = watching_of(
        plays, tz=tz, columns=columns, groups=groups, viewers=viewers, universe=universe,
        start=start, end=end, needs_hours=True, needs_lengths=False,
    )  # fmt: skip
    times, slots = clock_slots(
        [period], watching.zones, watching.low, watching.high,
        day_starts_at=day_starts_at, week_starts=week_starts, dayparts=None,
    )  # fmt: skip
    cell, zone, at = _reached_at(watching, least, consecutive)
    time = np.empty(len(at), dtype="int64")
    for code, (edges, cells) in enumerate(slots):
        some = zone == code
        slot = np.searchsorted(edges, at[some], side="left") - 1
        time[some] = cells[np.maximum(slot, 0)]
    shape = len(watching.cells), len(times)
    new = np.bincount(cell * shape[1] + time, minlength=shape[0] * shape[1]).reshape(shape)
    table = grid_of(watching.cells, times).assign(new_people=new.ravel())
    people = np.cumsum(new, axis=1).ravel()
    return _with_reach(table, people, np.repeat(watching.universe, shape[1]), confidence)


def _least(min_minutes, confidence: float) -> int:
    require_confidence(confidence)
    is_number = isinstance(min_minutes, int | float | np.number)
    if not is_number or not 0 <= min_minutes < np.inf:
        raise ValueError(f"`min_minutes` must be 0 or more, got {min_minutes!r}.")
    return round(min_minutes * _MINUTE)


def _with_reach(table, people: np.ndarray, universe: np.ndarray, confidence: float):
    if (many := people > universe).any():
        raise ValueError(
            "`universe` must be at least the people who were reached, found "
            f"{people[many].max()} of {universe[many].min():g}."
        )
    low, high = wilson(people, universe, confidence=confidence)
    share = np.divide(people, universe, out=np.full(len(people), np.nan), where=universe > 0)
    return table.assign(people=people, universe=universe, reach=share, low=low, high=high)


def _reached_at(watching: Watching, least: int, consecutive: bool) -> tuple[np.ndarray, ...]:
    """Return the cell, the zone and the instant at which each account has watched enough."""
    first = np.flatnonzero(watching.is_new)
    person, start = watching.person[first], watching.start[first]
    end = watching.end[np.append(first[1:], len(watching.is_new)) - 1] if len(first) else start
    order = slice(None)
    if watching.zone is not None:
        order = np.lexsort((start, person))
        person, start, end = person[order], start[order], end[order]
    so_far = end - start
    if not consecutive:
        so_far = np.cumsum(so_far)
        head = np.flatnonzero(np.diff(person, prepend=-1))
        before = (so_far - (end - start))[head]
        so_far -= np.repeat(before, np.diff(np.append(head, len(person))))
    enough = np.flatnonzero(so_far >= least)
    row = first[order][enough]
    zone = np.zeros(len(row), dtype="int64") if watching.zone is None else watching.zone[row]
    found = [person[enough], watching.cell[row], zone, (end - so_far)[enough] + least]
    unknown = list(watching.unknown)
    if unknown[2] is None:
        unknown[2] = np.zeros(len(unknown[0]), dtype="int64")
    if len(unknown[0]):
        found = [np.concatenate(pair) for pair in zip(found, unknown, strict=True)]
        order = np.lexsort((found[3], found[0]))
        found = [column[order] for column in found]
    head = np.flatnonzero(np.diff(found[0], prepend=-1))
    return tuple(column[head] for column in found[1:])


def _reached_cells(
    watching: Watching, slots: list, n_times: int, least: int, consecutive: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the cell and the time of the clock for each account that watched it enough."""
    first = np.flatnonzero(watching.is_new)
    last = np.append(first[1:], len(watching.is_new)) - 1 if len(first) else first
    spans = (watching.person[first], watching.cell[first], watching.start[first])
    zones = None if watching.zone is None else watching.zone[first]
    parts = [*_cut((*spans, watching.end[last], zones), slots)]
    person, cell, time, us = (np.concatenate(column) for column in zip(*parts, strict=True))
    who, what, zone, start = watching.unknown
    for part in _cut((who, what, start, start, zone), slots):
        # As if it had lasted long enough.
        part = (*part[:3], np.full(len(part[0]), least))
        person, cell, time, us = (
            np.concatenate(pair) for pair in zip((person, cell, time, us), part, strict=True)
        )
    key = person * n_times + time
    if (key[1:] < key[:-1]).any():
        order = stable_order(key)
        key, cell, time, us = key[order], cell[order], time[order], us[order]
    head = np.flatnonzero(np.diff(key, prepend=-1))
    if not len(head):
        return cell, time
    watched = (np.maximum if consecutive else np.add).reduceat(us, head)
    enough = head[watched >= least]
    return cell[enough], time[enough]


def _cut(spans: tuple, slots: list):
    """Yield the pieces of spans in each zone: account, cell, time of the clock and length."""
    person, cell, start, end, zone = spans
    for code, (edges, times) in enumerate(slots):
        some = slice(None) if zone is None else np.flatnonzero(zone == code)
        row, slot, us = pieces_of(start[some], end[some], edges)
        yield person[some][row], cell[some][row], times[slot], us
