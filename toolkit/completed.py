"""Completion: who started, watched and completed a title, its views, and fair rankings of it."""

from typing import Literal

import numpy as np
import pandas as pd

from toolkit.clock_cells import instants_of, zones_of
from toolkit.intervals import wilson
from toolkit.order import codes_of
from toolkit.rewatched import shrink_rates
from toolkit.tables import (
    as_plays,
    as_whole_number,
    require_choice,
    require_columns,
    require_confidence,
    require_one_account,
    unit_column,
    used_plays,
)
from toolkit.watching import spans_of

__all__ = ["completion", "leaderboard"]

_STARTER_SECONDS, _WATCHER_SHARE, _COMPLETER_SHARE = 120, 0.7, 0.9


def completion(
    plays: pd.DataFrame,
    *,
    by: Literal["title", "series"] = "title",
    runtimes: pd.DataFrame | None = None,
    tz: str = "UTC",
    start=None,
    end=None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Count starters, watchers, completers and views of titles, as Netflix defines them.

    Parameters
    ----------
    plays : pandas.DataFrame
        A plays table.  Rows with a reason in `excluded` are not used; order does not
        matter.
    by : {'title', 'series'}, default 'title'
        What is completed; with 'series' all its titles together, and a title that has none
        stands for itself.
    runtimes : pandas.DataFrame, optional
        `title` and `runtime_seconds`, as `find_runtimes` gives them or a catalogue does;
        otherwise the plays' own column is used, if there is one.  Those of all episodes of a
        series are its runtime, also of such as nobody watched if a column `series` says
        whose they are.
    tz : str, default 'UTC'
        Zone (or column of zones) of a `start` and `end` that have none.
    start, end : datetime-like, optional
        Only plays that start in this window count, of which `end` is not part: Netflix looks
        at the first 28 or 91 days.
    confidence : float, default 0.95
        Level of the interval, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        One row per title (or series), in order:

        * ``title`` or ``series``
        * ``runtime_seconds`` : float, NaN if unknown; what follows from it is then missing
        * ``starters`` : int, accounts that watched it, or an episode, for 2 minutes
        * ``watchers`` : Int64, those of them that watched 70 % of it, or of an episode
        * ``completers`` : Int64, those of them that watched 90 % of it, of all episodes
        * ``completion`` : float, completers over starters
        * ``low``, ``high`` : float, Wilson's interval of it
        * ``hours`` : float, hours viewed on all screens
        * ``views`` : float, hours over the runtime in hours

    Raises
    ------
    ValueError
        If a column or a play's length is missing, or an option is out of its bounds.

    See Also
    --------
    leaderboard : rank titles by completion though few people started some.
    to_viewings : the viewings of each viewer, with `is_complete`.

    Notes
    -----
    Starters, watchers and completers are those of Netflix's letter to the UK Parliament
    [1]_; views those of its lists since 20 June 2023 [2]_.  Netflix counts households, and so
    does this: the farthest of an account's viewers decides.  How far a viewer got is the
    larger of its furthest position and the time it watched in all, up to the runtime: where
    a source has no positions, half a film seen twice looks like a whole one.

    References
    ----------
    .. [1] Netflix, letter to the Communications and Digital Committee, House of Lords (2019).
    .. [2] Netflix, "Most Popular", Top 10 methodology (2023).

    Examples
    --------
    >>> plays = pd.DataFrame({
    ...     "viewer": ["ann", "bob", "cem"], "title": "Heat", "runtime_seconds": 10_000.0,
    ...     "started_at": pd.Timestamp("2024-03-01 20:00Z"),
    ...     "watched_seconds": [9500.0, 7100.0, 60.0],
    ... })
    >>> completion(plays)[["starters", "watchers", "completers", "completion", "views"]]
       starters  watchers  completers  completion  views
    0         2         2           1         0.5  1.666
    """
    require_choice(by, ["title", "series"], "by")
    require_confidence(confidence)
    has_accounts = "account" in plays
    plays = used_plays(as_plays(plays))
    if has_accounts:
        require_one_account("`plays`", plays)
    plays = _within(plays, tz, start, end)
    rows = plays[["viewer", "account", "title"]].assign(unit=unit_column(plays, by))
    for name in ("viewer", "account", "title"):
        codes_of(rows[name], name)
    started, ended, _ = spans_of(plays, needs_lengths=True)
    rows["seconds"] = (ended - started) / 1e6
    rows["position"] = plays.get("position_seconds", pd.Series(np.nan, index=plays.index))
    runtime_of_title, runtime = _runtimes(plays, rows, runtimes, by)

    keys = ["unit", "title", "account"]
    of_viewers = rows.groupby([*keys, "viewer"], observed=True, sort=False).agg(
        seconds=("seconds", "sum"), position=("position", "max")
    )
    of_viewers["far"] = of_viewers[["seconds", "position"]].max(axis=1)
    own = of_viewers.groupby(keys, observed=True)[["seconds", "far"]].max().reset_index()
    length = own["title"].astype("object").map(runtime_of_title).astype("float64")
    own["far"] = np.minimum(own["far"], length)
    own["is_starter"] = own["seconds"] >= _STARTER_SECONDS
    own["is_watcher"] = own["far"] >= _WATCHER_SHARE * length
    people = own.groupby(["unit", "account"], observed=True).agg(
        is_starter=("is_starter", "any"), is_watcher=("is_watcher", "any"), far=("far", "sum")
    )
    people = people.reset_index()
    whole = people["unit"].astype("object").map(runtime).astype("float64")
    people["is_watcher"] &= people["is_starter"]
    people["is_completer"] = people["is_starter"] & (people["far"] >= _COMPLETER_SHARE * whole)
    flags = ["is_starter", "is_watcher", "is_completer"]
    table = people.groupby("unit", observed=True)[flags].sum().astype("int64")
    table.columns = ["starters", "watchers", "completers"]
    low, high = wilson(table["completers"], table["starters"], confidence=confidence)
    viewed = rows.groupby("unit", observed=True)["seconds"].sum().to_numpy()
    table = table.reset_index(names=by)
    seconds = table[by].astype("object").map(runtime).astype("float64")
    table.insert(1, "runtime_seconds", seconds)
    share = np.divide(
        table["completers"], table["starters"], out=np.full(len(table), np.nan),
        where=(table["starters"] > 0).to_numpy(),
    )  # fmt: skip
    table = table.assign(completion=share, low=low, high=high, hours=viewed / 3600)
    table["views"] = viewed / seconds
    unknown = seconds.isna()
    for name in ("watchers", "completers"):
        table[name] = table[name].astype("Int64").mask(unknown)
    table.loc[unknown, ["completion", "low", "high"]] = np.nan
    return table


def leaderboard(
    table: pd.DataFrame,
    *,
    k: str = "completers",
    n: str = "starters",
    top: int | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Rank titles by a share of people, drawn towards all titles where few people count.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per title, with the columns `k` and `n`; rows without either are left out.
    k, n : str, default 'completers' and 'starters'
        Columns of counts: k of n people did it.
    top : int, optional
        How many rows to keep; else all.
    confidence : float, default 0.95
        Probability that the interval holds.

    Returns
    -------
    pandas.DataFrame
        The rows of `table`, the highest estimate first, with its columns and:

        * ``rank`` : int, from 1, the first column; equal estimates have the same
        * ``rate`` : float, k over n
        * ``shrunk`` : float, the estimate by which titles are ranked
        * ``shrunk_low``, ``shrunk_high`` : float, its interval

    Raises
    ------
    ValueError
        As in `shrink_rates`.

    See Also
    --------
    shrink_rates : how the estimate is made.

    Notes
    -----
    A list by `rate` is led by titles that two people started and both completed.  Where
    intervals of neighbours overlap their order says little.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "title": list("abcdefghij"), "starters": [50] * 9 + [2],
    ...     "completers": [*range(4, 40, 4), 2],
    ... })
    >>> leaderboard(table, top=2)[["rank", "title", "rate", "shrunk"]].round(3)
       rank title  rate  shrunk
    0     1     i  0.72   0.692
    1     2     h  0.64   0.619
    """
    require_columns(table, [k, n], "table")
    top = None if top is None else as_whole_number(top, "top", low=1)
    some = table.dropna(subset=[k, n])
    some = some[some[n] > 0]
    counts = pd.DataFrame({"people": some[n], "people_again": some[k]}).astype("float64")
    shrunk = shrink_rates(counts, confidence=confidence)
    names = ["shrunk", "shrunk_low", "shrunk_high"]
    ranked = some.assign(rate=counts["people_again"] / counts["people"], **shrunk[names])
    ranked = ranked.sort_values("shrunk", ascending=False, kind="stable", ignore_index=True)
    rank = ranked["shrunk"].rank(ascending=False, method="min").astype("int64")
    ranked.insert(0, "rank", rank)
    return ranked[:top]


def _within(plays: pd.DataFrame, tz: str, start, end) -> pd.DataFrame:
    """Return the plays that start in the window."""
    zone, zones = zones_of(plays, tz)
    zone = np.zeros(len(plays), dtype="int64") if zone is None else zone
    started = plays["started_at"].array.asi8
    inside = np.ones(len(plays), dtype=bool)
    if start is not None:
        inside &= started >= instants_of(start, "start", zones)[zone]
    if end is not None:
        inside &= started < instants_of(end, "end", zones)[zone]
    return plays if inside.all() else plays[inside]


def _runtimes(plays, rows: pd.DataFrame, runtimes, by: str) -> tuple[pd.Series, pd.Series]:
    """Return the runtime of each title, and of each unit, NaN where any of it is unknown."""
    titles = rows[["unit", "title"]].drop_duplicates().astype("object")
    if runtimes is not None:
        require_columns(runtimes, ["title", "runtime_seconds"], "runtimes")
        if (again := runtimes["title"].duplicated()).any():
            raise ValueError(
                "`runtimes` must have one row per title, "
                f"found {runtimes['title'][again].iloc[0]!r} twice."
            )
        of_title = runtimes.set_index(runtimes["title"].astype("object"))["runtime_seconds"]
        if by == "series" and "series" in runtimes:
            more = runtimes[["series", "title"]].dropna().astype("object")
            titles = pd.concat([titles, more.set_axis(["unit", "title"], axis=1)])
            titles = titles.drop_duplicates()
    elif "runtime_seconds" in plays:
        of_title = plays.groupby(plays["title"].astype("object"))["runtime_seconds"].max()
    else:
        of_title = pd.Series(dtype="float64")
    # A runtime of nothing is none.
    of_title = of_title.astype("float64").where(lambda seconds: seconds > 0)
    lasts = titles["title"].map(of_title).astype("float64")
    # Where one is unknown so is the sum.
    of_unit = lasts.groupby(titles["unit"]).agg(lambda seconds: seconds.sum(skipna=False))
    return of_title, of_unit
