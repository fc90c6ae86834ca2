"""Streaks: who kept it up, for how long, and whether it still goes on."""

from typing import Literal

import numpy as np
import pandas as pd

from toolkit.days import first_whole, last_whole, period_edges, period_numbers
from toolkit.order import (
    PER_DAY,
    canonical_starts,
    codes_of,
    day_numbers,
    filled,
    heads_of,
    in_threads,
    pack,
    restored,
    run_blocks,
    stable_order,
    stored,
    taken,
    to_midnights,
)
from toolkit.tables import (
    as_day,
    as_days,
    as_streaks,
    as_viewer_days,
    as_whole_number,
    require_columns,
    unit_of,
)
from toolkit.viewer_periods import UNKNOWN, is_used, observed_days, of_viewers, viewer_codes

__all__ = [
    "NotWatched",
    "available_days",
    "find_streaks",
    "longest_streaks",
    "watched_every_day",
]

_ALL_ALONG = {
    "available_from": pd.Timestamp("1900-01-01"),
    "available_until": pd.Timestamp("2200-01-01"),
}


class NotWatched(ValueError):
    """A title that nobody of a table watched, which others may have."""


def find_streaks(
    viewer_days: pd.DataFrame,
    *,
    as_of=None,
    viewers: pd.DataFrame | None = None,
    max_gap_days: int = 0,
    period: Literal["day", "week", "month"] = "day",
    week_starts: str = "MON",
    observed_from=None,
    day_in_progress: bool = False,
    titles: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Group viewer-days into streaks.

    A streak is a maximal sequence of watched days of a viewer (and title or series) in
    which no two neighbours have more than `max_gap_days` missed days between them.

    Parameters
    ----------
    viewer_days : pandas.DataFrame
        One row per viewer-day, with `viewer`, `day` and, if streaks are to be of a title
        or a series, `title` or `series`.  A day that stands twice counts once; order does
        not matter.
    as_of : date-like
        Last fully observed day of everyone; later days are not used.  Exactly one of
        `as_of` and `viewers` is needed.
    viewers : pandas.DataFrame
        One row per viewer with `viewer`, `as_of` and perhaps `observed_from`: each
        viewer's own last and first fully observed day.
    max_gap_days : int, default 0
        Missed days (weeks, months) in a row that a streak survives.
    period : {'day', 'week', 'month'}, default 'day'
        What must not be missed.  A week or month counts once any of its days was watched.
    week_starts : {'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN'}, default 'MON'
        First day of a week.
    observed_from : date-like, optional
        First fully observed day of everyone; earlier days are not used.
    day_in_progress : bool, default False
        True if the day `as_of` itself is not over yet.
    titles : pandas.DataFrame, optional
        `title` (or `series`) with `available_from` and `available_until`, days in the
        viewer's own zone, both inclusive.  A streak that could not go on because its
        title had left the catalogue is open, not ended.

    Returns
    -------
    pandas.DataFrame
        One row per streak, in the order viewer, title, first_day:

        * ``viewer``, ``account``, and ``title`` or ``series`` as in `viewer_days`
        * ``first_day``, ``last_day`` : datetime64, inclusive; with weeks and months the
          edges of the first and the last
        * ``n_days`` : int, watched days (weeks, months); forgiven ones are not counted
        * ``is_open`` : bool, could still grow after `as_of` (right-censored); a week or
          month that is not over yet can still be watched
        * ``may_start_earlier`` : boolean, touches the start of the log (left-censored);
          ``<NA>`` where `observed_from` is not known

    Raises
    ------
    ValueError
        If a column is missing, neither or both of `as_of` and `viewers` are given, a
        viewer is not among `viewers`, or `max_gap_days` is negative.

    See Also
    --------
    watched_every_day : the streaks that cover a window.
    count_streaks : how many streaks reach each length.
    streak_survival : how streaks end.

    Notes
    -----
    An open streak is right-censored: its length is a lower bound.  Drop it or model it;
    do not average it with those that ended.

    Examples
    --------
    >>> viewer_days = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "ann"],
    ...     "day": pd.to_datetime(["2024-03-01", "2024-03-02", "2024-03-05"]),
    ... })
    >>> streaks = find_streaks(viewer_days, as_of="2024-03-05")
    >>> streaks[["first_day", "last_day", "n_days", "is_open"]]
       first_day   last_day  n_days  is_open
    0 2024-03-01 2024-03-02       2    False
    1 2024-03-05 2024-03-05       1     True
    """
    viewers, observed = observed_days(as_of, viewers, observed_from)
    max_gap_days = as_whole_number(max_gap_days, "max_gap_days", low=0)
    viewer_days = as_viewer_days(viewer_days)
    unit = unit_of(viewer_days, "viewer_days")
    units = ["viewer", *([unit] if unit else [])]

    cut = (period, week_starts)
    names = [units[0], "account", *units[1:]]

    runs = None
    if period == "day" and not max_gap_days:
        # One window for all is looked at on the way, each viewer's own at the end.
        window = observed if viewers is None else (UNKNOWN, -UNKNOWN)
        runs = _steady_runs(viewer_days, names, *window)
    if runs is None or (viewers is not None and _any_unobserved(*runs, viewers, observed)):
        days = day_numbers(viewer_days["day"], "day")
        used = is_used(viewer_codes(viewer_days["viewer"], viewers), days, observed)
        if not used.all():
            viewer_days, days = viewer_days[used], days[used]
        columns = [codes_of(viewer_days[name], name) for name in units]
        head, first, last, n_days = _runs(columns, period_numbers(days, *cut), max_gap_days)
        runs = (
            {name: taken(viewer_days[name], head) for name in names},
            to_midnights(period_edges(first, *cut)[0]),
            to_midnights(period_edges(last, *cut)[1]),
            n_days,
        )
    streaks, first_day, last_day, n_days = runs

    starts, ends = _seen(streaks, viewers, observed)
    came, left = (UNKNOWN, -UNKNOWN)
    if titles is not None:
        came, left = available_days(streaks, unit, titles)
    last_over = last_whole(np.minimum(ends - int(day_in_progress), left), *cut)
    streaks |= {
        "first_day": first_day,
        "last_day": last_day,
        "n_days": n_days,
        "is_open": ~_is_by(last_day, period_edges(last_over - max_gap_days, *cut)[1] - 1),
        "may_start_earlier": _touches(first_day, max_gap_days, starts, came, cut),
    }
    return pd.DataFrame(streaks, copy=False)


def longest_streaks(streaks: pd.DataFrame, *, n: int = 1) -> pd.DataFrame:
    """Return the `n` longest streaks of each viewer; of equal ones the newer first.

    Parameters
    ----------
    streaks : pandas.DataFrame
        A streaks table.
    n : int, default 1
        How many to keep of each viewer, over all titles.

    Returns
    -------
    pandas.DataFrame
        Rows of `streaks`, in the order viewer, longest first.

    Raises
    ------
    ValueError
        If a column is missing or `n` is below 1.

    Examples
    --------
    >>> viewer_days = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "ann"],
    ...     "day": pd.to_datetime(["2024-03-01", "2024-03-02", "2024-03-05"]),
    ... })
    >>> longest_streaks(find_streaks(viewer_days, as_of="2024-03-31"))["n_days"].tolist()
    [2]
    """
    n = as_whole_number(n, "n", low=1)
    streaks = as_streaks(streaks).sort_values(
        ["viewer", "n_days", "last_day"], ascending=[True, False, False], kind="stable"
    )
    longest = streaks.groupby("viewer", observed=True, sort=False).head(n)
    return longest.reset_index(drop=True)


def watched_every_day(
    viewer_days: pd.DataFrame,
    *,
    days: int,
    as_of,
    title=None,
    series=None,
    observed_from=None,
    day_in_progress: bool = False,
) -> pd.DataFrame:
    """Find those who watched on every one of the `days` days up to and including `as_of`.

    Parameters
    ----------
    viewer_days : pandas.DataFrame
        One row per viewer-day, as `to_viewer_days` gives it.
    days : int
        Length of the window in days, `as_of` included.
    as_of : date-like
        Last fully observed day.  Days after it are not used.
    title, series : optional
        What was to be watched; the table must be by it.  With neither, each title or
        series of the table (or, if it has none, anything at all) is asked on its own.
    observed_from : date-like, optional
        First fully observed day.
    day_in_progress : bool, default False
        True if `as_of` is not over yet: the window then ends on the day before it.

    Returns
    -------
    pandas.DataFrame
        Their streaks, whole, as `find_streaks` gives them: they may have begun before the
        window.  The number of people is the number of distinct accounts.

    Raises
    ------
    ValueError
        If the window is shorter than a day or starts before `observed_from`, or the title
        is none of the table's.

    Notes
    -----
    Nothing is forgiven: "every day for the past 18 days" means all 18.

    Examples
    --------
    >>> viewer_days = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "bob"], "title": "Heat",
    ...     "day": pd.to_datetime(["2024-03-01", "2024-03-02", "2024-03-02"]),
    ... })
    >>> watched = watched_every_day(viewer_days, days=2, as_of="2024-03-02", title="Heat")
    >>> watched["viewer"].tolist()
    ['ann']
    """
    days = as_whole_number(days, "days", low=1)
    as_of = as_day(as_of, "as_of")
    last = as_of - pd.Timedelta(days=int(day_in_progress))
    first = last - pd.Timedelta(days=days - 1)
    if observed_from is not None and first < as_day(observed_from, "observed_from"):
        raise ValueError(
            f"`days` must stay within the log, which is observed from {observed_from}; "
            f"{days} days up to {last.date()} start on {first.date()}."
        )
    viewer_days = as_viewer_days(viewer_days)
    for unit, wanted in (("title", title), ("series", series)):
        if wanted is not None:
            viewer_days = _of_unit(viewer_days, unit, wanted)
    streaks = find_streaks(
        viewer_days, as_of=as_of, observed_from=observed_from, day_in_progress=day_in_progress
    )
    whole = (streaks["first_day"] <= first) & (streaks["last_day"] >= last)
    return streaks[whole].reset_index(drop=True)


def _steady_runs(viewer_days: pd.DataFrame, names: list, start: int, end: int):
    """Return the columns of runs of days without a gap, their first and last day and length.

    None where order, a day twice or outside the window, or a missing value asks for more.
    """
    numbers = {name: stored(viewer_days[name]) for name in names}
    ids = [values for name, values in numbers.items() if name != "account"]
    coded = [n for n in names if n != "account" and viewer_days[n].dtype == "category"]
    dtype = viewer_days["day"].dtype
    days, per_day = viewer_days["day"].to_numpy().view("int64"), PER_DAY[np.datetime_data(dtype)[0]]
    is_start = canonical_starts(ids, days, per_day) if len(days) else None
    if is_start is None:
        return None
    size, blocks = run_blocks(is_start)
    made = {name: np.empty(size, dtype=values.dtype) for name, values in numbers.items()}
    first, last, n_days = (np.empty(size, dtype="int64") for _ in range(3))

    def make(block: tuple[slice, slice]) -> bool:
        """Write the runs that start in a block; False where something asks for more."""
        rows, runs = block
        if runs.start == runs.stop:
            return True
        heads = heads_of(is_start, rows)
        np.subtract(heads[1:], heads[:-1], out=n_days[runs])
        for name, values in numbers.items():
            np.take(values, heads[:-1], out=made[name][runs], mode="clip")
        # Within a run each step is a day, so that midnights need a look at the heads alone.
        midnights = np.take(days, heads[:-1], out=first[runs], mode="clip")
        whole = np.floor_divide(midnights, per_day, out=last[runs])
        whole *= per_day
        is_whole = (whole == midnights).all()
        until = np.multiply(n_days[runs], per_day, out=last[runs])
        until += midnights
        until -= per_day
        is_seen = midnights.min() >= start * per_day and until.max() <= end * per_day
        return is_whole and is_seen and all((made[name][runs] >= 0).all() for name in coded)

    if not all(in_threads(make, blocks)):
        return None
    columns = {name: restored(values, viewer_days[name]) for name, values in made.items()}
    days = (edge.view(dtype).astype("datetime64[us]", copy=False) for edge in (first, last))
    return columns, *days, n_days


def _any_unobserved(columns: dict, first_day, last_day, n_days, viewers, observed) -> bool:
    starts, ends = _seen(columns, viewers, observed)
    return bool(_is_by(first_day, starts - 1).any() or not _is_by(last_day, ends).all())


def _seen(streaks: dict, viewers: pd.DataFrame | None, observed: tuple) -> tuple:
    """Return the first and the last observed day of each streak's viewer, or of everyone."""
    if viewers is None:
        return observed
    return of_viewers(observed, viewer_codes(pd.Series(streaks["viewer"], copy=False), viewers))


def _runs(columns: list, numbers: np.ndarray, max_gap: int):
    """Return the first row of each run, its first and last number and how many it holds."""
    if not len(numbers):
        return (np.zeros(0, dtype="int64"),) * 4
    low = int(numbers.min())
    span = int(numbers.max()) - low + 1
    max_gap = min(max_gap, span)
    # The room left free after the last number makes every step to another group a long one.
    key = pack(*columns, (numbers - low, span + max_gap + 1))
    order = np.arange(len(key))
    step = np.diff(key)
    if (step < 0).any():
        order = stable_order(key)
        step = np.diff(key[order])
    breaks = np.flatnonzero(step > max_gap + 1)
    first, last = np.append(0, breaks + 1), np.append(breaks, len(key) - 1)
    again = np.add.reduceat(np.append(step == 0, False), first, dtype="int64")
    return order[first], numbers[order[first]], numbers[order[last]], last - first + 1 - again


def available_days(rows: dict, unit: str | None, titles: pd.DataFrame):
    """Return the first and the last day on which each row's title could be watched."""
    if unit is None:
        raise ValueError("`titles` must go with a table by title or series, found neither.")
    edges = ["available_from", "available_until"]
    require_columns(titles, [unit, *edges], "titles")
    # A title without dates was there all along; a series is there while any of its titles is.
    dated = titles[edges].apply(lambda days: as_days(days, days.name)).fillna(_ALL_ALONG)
    names = titles[unit].astype("object")
    if unit == "series" and "title" in titles:
        # As in `to_viewer_days`, a title that has no series stands for itself.
        names = names.fillna(titles["title"].astype("object"))
    dated = dated.groupby(names).agg({edges[0]: "min", edges[1]: "max"})
    wanted = pd.Series(rows[unit], copy=False)
    row = dated.index.get_indexer(wanted.astype("object"))
    if (unknown := row < 0).any():
        raise ValueError(
            f"`titles` must have a row for every {unit}, "
            f"found none for {wanted[unknown].iloc[0]!r}."
        )
    return (day_numbers(dated[edge], f"titles.{edge}")[row] for edge in edges)


def _touches(first_day: np.ndarray, max_gap: int, starts, came, cut: tuple):
    """Say which streaks may have begun before the log; unknown where its start is."""
    unknown = np.broadcast_to(starts == UNKNOWN, len(first_day)).copy()
    if unknown.all():
        return pd.arrays.BooleanArray(np.zeros(len(first_day), dtype=bool), unknown)
    starts = np.where(unknown, 0, starts)
    last = period_edges(first_whole(starts, *cut) + max_gap, *cut)[0]
    return pd.arrays.BooleanArray(_is_by(first_day, last) & (came < starts), unknown)


def _is_by(midnights: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Say which midnights are no later than numbered days, one for each or one for all."""
    limits = np.clip(last, UNKNOWN, -UNKNOWN) * PER_DAY["us"]
    midnights = midnights.view("int64")

    def compare(block: slice) -> np.ndarray:
        return midnights[block] <= (limits[block] if limits.ndim else limits)

    return filled(compare, len(midnights), bool)


def _of_unit(viewer_days: pd.DataFrame, unit: str, wanted) -> pd.DataFrame:
    require_columns(viewer_days, ["viewer", unit, "day"], "viewer_days")
    column = viewer_days[unit]
    is_category = isinstance(column.dtype, pd.CategoricalDtype)
    known = column.cat.categories if is_category else column.unique()
    if len(known) and wanted not in known:
        raise NotWatched(f"`{unit}` must be one of the table's {len(known)}, got {wanted!r}.")
    return viewer_days[column == wanted]
