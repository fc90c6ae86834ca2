"""Rewatching: how often the same title is seen again, and after how long."""

from typing import Literal

import numpy as np
import pandas as pd

from toolkit.order import codes_of, pack, stable_order, taken
from toolkit.tables import as_plays, require_choice, require_columns, unit_column

__all__ = ["count_viewings", "rewatch_gaps"]

_US_PER_DAY = 86_400_000_000


def count_viewings(
    viewings: pd.DataFrame, *, by: Literal["title", "series"] = "title"
) -> pd.DataFrame:
    """Count the viewings of each viewer and title.

    Parameters
    ----------
    viewings : pandas.DataFrame
        One row per viewing, with `viewer` and `title`, as `to_viewings` gives it; order does
        not matter.
    by : {'title', 'series'}, default 'title'
        What is counted.  With 'series' every viewing of any of its titles counts, and a
        title that has none stands for itself.

    Returns
    -------
    pandas.DataFrame
        One row per viewer and title (or series) with any viewing, in that order:

        * ``viewer``, ``account``, and ``title`` or ``series`` as in `viewings`
        * ``n_viewings`` : int, 1 or more

    Raises
    ------
    ValueError
        If a column is missing, or a viewer has two accounts.

    See Also
    --------
    rewatch_gaps : the time between them.
    fit_counts : the law they follow.

    Notes
    -----
    Who never watched a title has no row: the counts are truncated at zero.  A rewatch is a
    viewing after a finish; count ``viewings[viewings["is_complete"]]`` for finished ones.

    Examples
    --------
    >>> viewings = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "bob"], "title": ["Heat", "Heat", "Heat"],
    ... })
    >>> count_viewings(viewings)
      viewer account title  n_viewings
    0    ann     ann  Heat           2
    1    bob     bob  Heat           1
    """
    require_choice(by, ["title", "series"], "by")
    viewings = _as_viewings(viewings, [])
    unit = unit_column(viewings, by)
    order, first = _runs(viewings["viewer"], unit)
    columns = {"viewer": viewings["viewer"], "account": viewings["account"], by: unit}
    counts = {name: taken(column, order[first]) for name, column in columns.items()}
    counts["n_viewings"] = np.diff(np.append(first, len(order)))
    return pd.DataFrame(counts, copy=False)


def rewatch_gaps(viewings: pd.DataFrame, *, until=None) -> pd.DataFrame:
    """Measure the time from each viewing to the next of the same viewer and title.

    A gap runs from the end of a viewing to the start of the next.  The one after the last
    viewing is open: the next may still come.

    Parameters
    ----------
    viewings : pandas.DataFrame
        One row per viewing, with `viewer`, `title`, `started_at` and `ended_at`, as
        `to_viewings` gives it; order does not matter.
    until : datetime-like or str, optional
        The instant, with its zone, up to which the log was written, or the name of a
        column that holds each viewer's own.  Viewings that start after it are not used.

    Returns
    -------
    pandas.DataFrame
        One row per viewing, in the order viewer, title, started_at:

        * ``viewer``, ``account``, ``title`` as in `viewings`
        * ``viewing_no`` : int, the viewing that the gap follows, from 1
        * ``days_between`` : float, hours over 24; of an open gap those up to `until` (it is
          at least that long), or NaN without it; 0 where the next started before the end
        * ``is_open`` : bool, right-censored

    Raises
    ------
    ValueError
        If a column or value is missing, or `until` has no zone.

    See Also
    --------
    count_viewings : how many there are.

    Notes
    -----
    No zone enters: a day is 24 hours.  Unfinished viewings count as they stand; for gaps
    between finished ones give ``viewings[viewings["is_complete"]]``.

    Each viewer's last gap is seen only if it is short.  Leave the open ones out and gaps
    look shorter than they are; a survival curve takes them as censored.

    Examples
    --------
    >>> viewings = pd.DataFrame({
    ...     "viewer": "ann", "title": "Heat",
    ...     "started_at": pd.to_datetime(["2024-03-01 18:00Z", "2024-03-03 08:00Z"]),
    ...     "ended_at": pd.to_datetime(["2024-03-01 20:00Z", "2024-03-03 10:00Z"]),
    ... })
    >>> gaps = rewatch_gaps(viewings, until="2024-03-04 10:00Z")
    >>> gaps[["viewing_no", "days_between", "is_open"]]
       viewing_no  days_between  is_open
    0           1           1.5    False
    1           2           1.0     True
    """
    viewings = _as_viewings(viewings, ["started_at", "ended_at"])
    if until is not None:
        limit = _instants(viewings, until)
        used = viewings["started_at"].array.asi8 <= limit
        viewings, limit = viewings[used], limit[used]
    started, ended = (viewings[name].array.asi8 for name in ("started_at", "ended_at"))
    order, first = _runs(viewings["viewer"], viewings["title"], started)
    gaps = {name: taken(viewings[name], order) for name in ("viewer", "account", "title")}
    n_viewings = np.diff(np.append(first, len(order)))
    is_open = np.zeros(len(order), dtype=bool)
    is_open[first + n_viewings - 1] = True
    next_start = np.append(started[order][1:], 0)
    if until is not None:
        next_start[is_open] = limit[order][is_open]
    days = np.maximum(next_start - ended[order], 0) / _US_PER_DAY
    gaps["viewing_no"] = np.arange(len(order)) - np.repeat(first, n_viewings) + 1
    gaps["days_between"] = np.where(is_open, np.nan, days) if until is None else days
    return pd.DataFrame(gaps | {"is_open": is_open}, copy=False)


def _as_viewings(viewings: pd.DataFrame, instants: list) -> pd.DataFrame:
    """Return viewings with ids and instants cast, and each viewer in one account."""
    require_columns(viewings, ["viewer", "title", *instants], "viewings")
    known = ["viewer", "account", "title", "series", *instants]
    kept = viewings[[name for name in viewings if name in known]]
    # The check of plays, whose columns these are, needs a start.
    dated = kept if instants else kept.assign(started_at=pd.NaT)
    cast = as_plays(dated)
    for name in instants:
        if (missing := cast[name].isna().sum()) > 0:
            raise ValueError(f"`{name}` must be there on every viewing; {missing} are missing.")
    owners = cast[["viewer", "account"]].drop_duplicates()
    if (two := owners["viewer"].duplicated()).any():
        who = owners["viewer"][two].iloc[0]
        raise ValueError(f"`viewings` must give each viewer one account, found two for {who!r}.")
    extra = {name: viewings[name] for name in viewings if name not in cast}
    return cast.assign(**extra)


def _runs(viewer: pd.Series, unit: pd.Series, *then: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows in the order viewer, unit and `then`, and where each unit's begin."""
    key = pack(codes_of(viewer, "viewer"), codes_of(unit, unit.name))
    order = np.lexsort((*then, key)) if then else stable_order(key)
    return order, np.flatnonzero(np.diff(key[order], prepend=-1))


def _instants(viewings: pd.DataFrame, until) -> np.ndarray:
    """Return the instant (us) up to which each viewing's log was written."""
    if viewings.empty:
        return np.zeros(0, dtype="int64")
    if isinstance(until, str) and until in viewings:
        until = viewings[until]
        stamps = until if isinstance(until.dtype, pd.DatetimeTZDtype) else pd.Series([pd.NaT])
    else:
        try:
            stamps = pd.Series([pd.Timestamp(until)])
        except (ValueError, TypeError):
            stamps = pd.Series([pd.NaT])
    if not isinstance(stamps.dtype, pd.DatetimeTZDtype) or stamps.isna().any():
        raise ValueError(
            "`until` must be an instant with a time zone, or name a column of them without a "
            f"gap, got {until!r}."
        )
    instants = stamps.dt.as_unit("us").array.asi8
    return np.broadcast_to(instants, len(viewings))
