"""Rewatching: how often the same title is seen again, and after how long."""

from typing import Literal

import numpy as np
import pandas as pd

from toolkit.order import canonical_starts, codes_of, runs_of, stored, taken
from toolkit.tables import (
    as_instants,
    as_viewers,
    as_viewings,
    require_choice,
    require_one_account,
    unit_column,
)

__all__ = ["count_viewings", "rewatch_gaps"]

_US_PER_DAY = 86_400_000_000


def count_viewings(
    viewings: pd.DataFrame,
    *,
    by: Literal["title", "series"] | None = "title",
    viewers: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Count the viewings of each viewer and title.

    Parameters
    ----------
    viewings : pandas.DataFrame
        One row per viewing, with `viewer` and `title`, as `to_viewings` gives it; order does
        not matter.
    by : {'title', 'series', None}, default 'title'
        What is counted.  With 'series' every viewing of any of its titles counts, and a
        title that has none stands for itself; with None every viewing of a viewer does.
    viewers : pandas.DataFrame, optional
        One row per viewer, `viewer` and, if `viewings` has it, `account`.  Each of them is
        counted with each title (or series) that anybody watched, also 0 times: viewers
        times titles rows.

    Returns
    -------
    pandas.DataFrame
        One row per viewer and title (or series) with any viewing, or with `viewers` each of
        them, in that order:

        * ``viewer``, ``account``, and ``title`` or ``series`` unless `by` is None
        * ``n_viewings`` : int, 1 or more, or with `viewers` 0 or more

    Raises
    ------
    ValueError
        If a column is missing, or a viewer has two accounts or is not among `viewers`.

    See Also
    --------
    rewatch_gaps : the time between them.
    fit_counts : the law they follow.

    Notes
    -----
    Without `viewers`, who never watched a title has no row: the counts are truncated at
    zero.  A rewatch is a viewing after a finish; count ``viewings[viewings["is_complete"]]``
    for finished ones.

    A part of the log counts each viewer as the whole does, but for the zeros of titles that
    only others watched.

    Examples
    --------
    >>> viewings = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "bob"], "title": ["Heat", "Heat", "Heat"],
    ... })
    >>> count_viewings(viewings)
      viewer account title  n_viewings
    0    ann     ann  Heat           2
    1    bob     bob  Heat           1

    >>> viewers = pd.DataFrame({"viewer": ["ann", "bob", "cleo"]})
    >>> count_viewings(viewings, by=None, viewers=viewers)
      viewer account  n_viewings
    0    ann     ann           2
    1    bob     bob           1
    2   cleo    cleo           0
    """
    require_choice(by, ["title", "series", None], "by")
    cast = as_viewings(viewings, [])
    columns = {"viewer": cast["viewer"], "account": cast["account"]}
    if by is not None:
        columns[by] = unit_column(cast, by)
    first, n_viewings = _groups([columns[name] for name in columns if name != "account"])
    counts = {name: taken(column, first) for name, column in columns.items()}
    counts = pd.DataFrame(counts | {"n_viewings": n_viewings}, copy=False)
    if viewers is None:
        return counts
    if "account" not in viewings:
        return _with_zeros(counts, by, as_viewers(viewers))
    viewers = as_viewers(viewers, needed=["account"])
    owners = pd.concat(
        [frame[["viewer", "account"]].astype("object") for frame in (counts, viewers)]
    )
    require_one_account("`viewings` and `viewers`", owners.astype("category"))
    return _with_zeros(counts, by, viewers)


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
    viewings = as_viewings(viewings, ["started_at", "ended_at"])
    if until is not None:
        limit = as_instants(viewings, until, "until")
        used = viewings["started_at"].array.asi8 <= limit
        viewings, limit = viewings[used], limit[used]
    started, ended = (viewings[name].array.asi8 for name in ("started_at", "ended_at"))
    order, first = runs_of(viewings["viewer"], viewings["title"], then=[started])
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


def _groups(ids: list[pd.Series]) -> tuple[np.ndarray, np.ndarray]:
    """Return a row of each group of the same ids, in order, and how many rows it has."""
    *outer, inner = (codes_of(column, column.name)[0] for column in ids)
    starts = canonical_starts(outer, inner, 0)
    if starts is not None:
        edges = np.flatnonzero(starts)
        return edges[:-1], np.diff(edges)
    order, first = runs_of(*ids)
    return order[first], np.diff(first, append=len(order))


def _with_zeros(counts: pd.DataFrame, by: str | None, viewers: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each of the viewers, with each unit that occurs if `by` names one."""
    if "account" not in viewers:
        viewers = viewers.assign(account=viewers["viewer"])
    viewers = viewers.sort_values("viewer")
    row = pd.Index(viewers["viewer"]).get_indexer(counts["viewer"])
    if (unknown := row < 0).any():
        missing = counts["viewer"][unknown]
        raise ValueError(
            f"`viewers` must have a row for every viewer; {missing.nunique()} are missing, the "
            f"first is {missing.iloc[0]!r}."
        )
    unit = counts[by] if by else pd.Series(0, index=counts.index)
    first, column = np.unique(stored(unit), return_index=True, return_inverse=True)[1:]
    n_units = len(first) if by else 1
    columns = {
        name: taken(viewers[name], np.repeat(np.arange(len(viewers)), n_units))
        for name in ("viewer", "account")
    }
    if by:
        columns[by] = taken(unit, np.tile(first, len(viewers)))
    n_viewings = np.zeros(len(viewers) * n_units, dtype="int64")
    n_viewings[row * n_units + column] = counts["n_viewings"]
    return pd.DataFrame(columns | {"n_viewings": n_viewings}, copy=False)
