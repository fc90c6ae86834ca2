"""Viewings: the plays that belong together, since to resume is not to watch again."""

import numpy as np
import pandas as pd

from toolkit.order import canonical_starts, codes_of
from toolkit.tables import as_plays, require_columns, used_plays

__all__ = ["find_runtimes", "to_viewings"]

_US = 1_000_000
# No time watched ever reaches it.
_NEVER = np.iinfo("int64").max


def to_viewings(
    plays: pd.DataFrame,
    *,
    resume_within: str | pd.Timedelta = "7D",
    complete_share: float = 0.9,
    restart_share: float = 0.1,
    min_seconds: float = 120,
    runtimes: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Join the plays of a viewer and title that are one viewing.

    In time order a play belongs to the viewing before it while that one is unfinished, the
    play does not start over, and no more than `resume_within` has passed.

    Parameters
    ----------
    plays : pandas.DataFrame
        A plays table.  Rows with a reason in `excluded` are not used; order does not
        matter.
    resume_within : str or pandas.Timedelta, default "7D"
        Longest pause, from the end of a play to the start of the next, after which a
        viewing still goes on.
    complete_share : float, default 0.9
        Share of the runtime at which a viewing is finished, whether its furthest position
        or its watched time gets there: credits are skipped.
    restart_share : float, default 0.1
        A play starts over if it begins within this share of the runtime and the viewing had
        got beyond it.
    min_seconds : float, default 120
        Viewings of less in all are left out; those of unknown length stay.
    runtimes : pandas.DataFrame, optional
        `title` and `runtime_seconds`, as `find_runtimes` gives them; otherwise the plays'
        own column is used, if there is one.

    Returns
    -------
    pandas.DataFrame
        One row per viewing, in the order viewer, title, started_at:

        * ``viewer``, ``account``, ``title`` and, if `plays` has it, ``series``
        * ``started_at``, ``ended_at`` : datetime64[us, UTC], of its first and last play
        * ``watched_seconds`` : float, NaN where those of any of its plays are unknown
        * ``n_plays`` : int
        * ``viewing_no`` : int, from 1 for each viewer and title
        * ``is_complete`` : boolean, finished; ``<NA>`` where the source can't say
        * ``is_rewatch`` : boolean, its viewer had finished the title before; ``<NA>`` where
          an earlier viewing may or may not have been finished
        * ``watch_equivalents`` : float, watched time over runtime, NaN if unknown

    Raises
    ------
    ValueError
        If a column is missing, a share or duration is out of its bounds, or rows say only
        the latest date of a title.

    See Also
    --------
    find_runtimes : runtimes where the source has none, explicit because it looks at others.

    Notes
    -----
    What a row is decides what can be said:

    =============  ==========================  =================================
    ``row_is``     a viewing is                ``is_complete``
    =============  ==========================  =================================
    session, play  the plays that it joins     by position or time, where a
                                               runtime is known; else ``<NA>``
    completed      each row                    True
    logged         each row                    True
    latest         refused                     rows are not viewings
    =============  ==========================  =================================

    Without runtime or positions only time decides what belongs together.  A source without
    positions knows no starting over.  A start is taken to be the position at the end less
    the time watched, which is a lower bound where the viewer went back.

    Tautulli joins rows of one item while the offset grows and no other item lies between,
    however long the pause: that is ``resume_within`` without end, but another title between
    ends no viewing here [1]_.  Its default of 85 % watched is ``complete_share=0.85``.
    Jellystat and Streamystats count each session, as ``resume_within="0s"`` does but for
    plays that touch [2]_.

    `is_rewatch` speaks of the log: what was finished before it began can't be seen.

    References
    ----------
    .. [1] Tautulli, issues 886 and 77.
    .. [2] Jellystat, issues 343 and 320; Streamystats, issue 372.

    Examples
    --------
    >>> plays = pd.DataFrame({
    ...     "viewer": "ann", "title": "Heat", "runtime_seconds": 10_000.0,
    ...     "started_at": pd.to_datetime(
    ...         ["2024-03-01 20:00Z", "2024-03-02 20:00Z", "2024-03-03 20:00Z"]
    ...     ),
    ...     "watched_seconds": [4000.0, 6000.0, 9500.0],
    ...     "position_seconds": [4000.0, 10_000.0, 9500.0],
    ... })
    >>> to_viewings(plays)[["n_plays", "viewing_no", "is_complete", "is_rewatch"]]
       n_plays  viewing_no  is_complete  is_rewatch
    0        2           1         True       False
    1        1           2         True        True
    """
    resume_within = _duration(resume_within)
    for name, share in (("complete_share", complete_share), ("restart_share", restart_share)):
        if not 0 < share <= 1:
            raise ValueError(f"`{name}` must lie in (0, 1], got {share!r}.")
    if not min_seconds >= 0:
        raise ValueError(f"`min_seconds` must be 0 or more, got {min_seconds!r}.")
    plays = _in_order(used_plays(as_plays(plays)))
    seconds, position, runtime = _measures(plays, runtimes)
    started = plays["started_at"].array.asi8
    ended = _ended(plays, started, seconds)

    is_whole = plays["row_is"].isin(["completed", "logged"]).to_numpy()
    starts = _new_titles(plays)
    starts[1:] |= started[1:] - ended[:-1] > resume_within
    starts |= is_whole
    starts[1:] |= is_whole[:-1]
    is_finish = position >= complete_share * runtime
    needed = np.where(np.isnan(runtime), np.inf, complete_share * runtime)
    starts = _cut(
        starts,
        is_finish,
        is_beyond=position > restart_share * runtime,
        is_early=np.maximum(position - seconds, 0) <= restart_share * runtime,
        watched=np.round(np.nan_to_num(seconds) * _US).astype("int64"),
        needed=_whole_us(needed),
    )
    first = np.flatnonzero(starts)
    viewings = _summed(plays, first, started, ended, seconds, runtime)
    known = ~np.isnan(runtime) & ~(np.isnan(position) & np.isnan(seconds))
    total = np.add.reduceat(np.nan_to_num(seconds), first) if len(first) else seconds[:0]
    is_complete = (_any(is_finish, first) | (total >= needed[first])) | is_whole[first]
    is_known = _any(known, first) | is_whole[first]
    viewings["is_complete"] = pd.arrays.BooleanArray(is_complete & is_known, ~is_known)
    viewings["watch_equivalents"] = viewings["watched_seconds"].to_numpy() / runtime[first]
    enough = ~(viewings["watched_seconds"] < min_seconds).to_numpy()
    viewings = viewings[enough].reset_index(drop=True)
    return _numbered(viewings)


def find_runtimes(plays: pd.DataFrame) -> pd.DataFrame:
    """Take the furthest position seen of each title for its runtime.

    It makes one viewer's viewings depend on what others watched, so it is a step of its
    own.

    Parameters
    ----------
    plays : pandas.DataFrame
        A plays table with `position_seconds`.

    Returns
    -------
    pandas.DataFrame
        One row per title of which a position is known:

        * ``title`` : as in `plays`
        * ``runtime_seconds`` : float
        * ``n_plays`` : int, plays with a position

    Raises
    ------
    ValueError
        If there is no column of positions.

    Notes
    -----
    It is a lower bound: a title that nobody finished has a runtime too short.

    Examples
    --------
    >>> plays = pd.DataFrame({
    ...     "viewer": ["ann", "bob"], "title": "Heat", "position_seconds": [50.0, 9900.0],
    ...     "started_at": pd.to_datetime(["2024-03-01 20:00Z", "2024-03-02 20:00Z"]),
    ... })
    >>> find_runtimes(plays)
      title  runtime_seconds  n_plays
    0  Heat           9900.0        2
    """
    require_columns(plays, ["viewer", "title", "started_at", "position_seconds"], "plays")
    plays = used_plays(as_plays(plays)).dropna(subset=["position_seconds"])
    furthest = plays.groupby("title", observed=True)["position_seconds"].agg(["max", "size"])
    return furthest.reset_index().set_axis(["title", "runtime_seconds", "n_plays"], axis=1)


def _duration(resume_within) -> int:
    try:
        microseconds = pd.Timedelta(resume_within) // pd.Timedelta(microseconds=1)
    except (ValueError, TypeError):
        microseconds = -1
    if not microseconds >= 0:
        raise ValueError(
            f"`resume_within` must be a duration such as '7D', 0 or more, got {resume_within!r}."
        )
    return microseconds


def _in_order(plays: pd.DataFrame) -> pd.DataFrame:
    latest = plays["row_is"] == "latest"
    if latest.any():
        sources = sorted(plays["source"][latest].astype("str").unique())
        raise ValueError(
            f"`plays` must not hold only the latest date of each title, found {latest.sum()} such "
            f"rows from {sources}: viewings cannot be read from them; ask the service for its "
            "full export."
        )
    ids = [codes_of(plays[name], name)[0] for name in ("viewer", "title")]
    started = plays["started_at"].array.asi8
    if canonical_starts(ids, started, 0) is not None:
        return plays
    return plays.iloc[np.lexsort((started, *reversed(ids)))]


def _measures(plays: pd.DataFrame, runtimes: pd.DataFrame | None) -> tuple[np.ndarray, ...]:
    """Return watched seconds, position and runtime of each play, NaN where unknown."""
    unknown = np.full(len(plays), np.nan)
    measures = [
        plays[name].to_numpy() if name in plays else unknown
        for name in ("watched_seconds", "position_seconds", "runtime_seconds")
    ]
    if runtimes is not None:
        require_columns(runtimes, ["title", "runtime_seconds"], "runtimes")
        if (again := runtimes["title"].duplicated()).any():
            raise ValueError(
                "`runtimes` must have one row per title, "
                f"found {runtimes['title'][again].iloc[0]!r} twice."
            )
        names, titles = pd.Index(runtimes["title"].astype("object")), plays["title"]
        if isinstance(titles.dtype, pd.CategoricalDtype):
            row = names.get_indexer(titles.cat.categories.astype("object"))[titles.cat.codes]
        else:
            row = names.get_indexer(titles)
        measures[2] = np.append(runtimes["runtime_seconds"].to_numpy("float64"), np.nan)[row]
    # A runtime of nothing is none.
    measures[2] = np.where(measures[2] > 0, measures[2], np.nan)
    return tuple(measures)


def _ended(plays: pd.DataFrame, started: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    ended = started + np.round(np.nan_to_num(seconds) * _US).astype("int64")
    if "ended_at" in plays:
        known = plays["ended_at"].notna().to_numpy()
        ended = np.where(known, plays["ended_at"].array.asi8, ended)
    return np.maximum(started, ended)


def _new_titles(plays: pd.DataFrame) -> np.ndarray:
    """Return where another viewer or title begins."""
    starts = np.zeros(len(plays), dtype=bool)
    starts[:1] = True
    for name in ("viewer", "title"):
        codes, _ = codes_of(plays[name], name)
        starts[1:] |= codes[1:] != codes[:-1]
    return starts


def _whole_us(seconds: np.ndarray) -> np.ndarray:
    whole = np.full(len(seconds), _NEVER)
    known = np.isfinite(seconds)
    whole[known] = np.round(seconds[known] * _US).astype("int64")
    return whole


def _cut(
    starts: np.ndarray,
    is_finish: np.ndarray,
    *,
    is_beyond: np.ndarray,
    is_early: np.ndarray,
    watched: np.ndarray,
    needed: np.ndarray,
) -> np.ndarray:
    """Return where viewings start, given where other things than their progress cut them.

    A viewing ends before the first play that starts over, or that comes after its finish.
    What follows is a viewing with a progress of its own, so that each round finds one more
    in every sequence of plays that has any.
    """
    starts = starts.copy()
    # Most cuts lie between neighbours, and are found at once.
    starts[1:] |= is_finish[:-1] | (is_early[1:] & is_beyond[:-1])
    rows = np.arange(len(starts))
    while len(rows):
        is_start = starts[rows]
        sequence = np.cumsum(is_start) - 1
        head = np.flatnonzero(is_start)[sequence]
        over = _before(is_beyond[rows], head) > 0
        done = _before(is_finish[rows], head) > 0
        done |= _before(watched[rows], head) >= needed[rows]
        cut = np.flatnonzero((done | (is_early[rows] & over)) & ~is_start)
        sequences, at = np.unique(sequence[cut], return_index=True)
        starts[rows[cut[at]]] = True
        tail = np.full(sequence[-1] + 1, len(rows))
        tail[sequences] = cut[at]
        rows = rows[np.arange(len(rows)) >= tail[sequence]]
    return starts


def _before(values: np.ndarray, head: np.ndarray) -> np.ndarray:
    """Sum values from the head of each row's sequence to the row before it."""
    before = np.cumsum(values, dtype="int64") - values
    return before - before[head]


def _any(holds: np.ndarray, first: np.ndarray) -> np.ndarray:
    return np.logical_or.reduceat(holds, first) if len(first) else holds[:0]


def _summed(plays, first, started, ended, seconds, runtime) -> pd.DataFrame:
    """Return one row per viewing with what its plays sum up to."""
    names = [name for name in ("viewer", "account", "title", "series") if name in plays]
    last = np.maximum.reduceat(ended, first) if len(first) else ended[:0]
    return pd.DataFrame(
        {name: plays[name].array[first] for name in names}
        | {
            "started_at": pd.to_datetime(started[first], unit="us", utc=True).as_unit("us"),
            "ended_at": pd.to_datetime(last, unit="us", utc=True).as_unit("us"),
            "watched_seconds": np.add.reduceat(seconds, first) if len(first) else seconds[:0],
            "n_plays": np.diff(np.append(first, len(plays))),
        },
        copy=False,
    )


def _numbered(viewings: pd.DataFrame) -> pd.DataFrame:
    """Number the viewings of each viewer and title, and say which came after a finish."""
    first = np.flatnonzero(_new_titles(viewings))
    n_viewings = np.diff(np.append(first, len(viewings)))
    head = np.repeat(first, n_viewings)
    is_complete = viewings["is_complete"].array
    finished = _before(is_complete.to_numpy(bool, na_value=False), head) > 0
    unknown = (_before(is_complete.isna(), head) > 0) & ~finished
    viewings.insert(len(viewings.columns) - 2, "viewing_no", np.arange(len(viewings)) - head + 1)
    is_rewatch = pd.arrays.BooleanArray(finished, unknown)
    viewings.insert(len(viewings.columns) - 1, "is_rewatch", is_rewatch)
    return viewings
