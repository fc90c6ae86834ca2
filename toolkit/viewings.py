"""Viewings: the plays that belong together, since to resume is not to watch again."""

import threading
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from toolkit.order import (
    canonical_starts,
    codes_of,
    gathered,
    in_threads,
    restored,
    stored,
    whole_groups,
)
from toolkit.tables import as_plays, require_columns, used_plays

__all__ = ["find_runtimes", "to_viewings"]

_US = 1_000_000
_IDS = ["viewer", "account", "title", "series"]
_SUMS = [
    *("started_at", "ended_at", "watched_seconds", "n_plays"),
    *("viewing_no", "is_complete", "is_rewatch", "watch_equivalents"),
]
# Where a truth is not known, and the column that says so.
_UNKNOWN = {"is_complete": "is_unknown", "is_rewatch": "may_be_rewatch"}


def to_viewings(
    plays: pd.DataFrame,
    *,
    resume_within: str | pd.Timedelta = "7D",
    complete_share: float = 0.9,
    restart_share: float = 0.1,
    min_seconds: float = 120,
    runtimes: pd.DataFrame | None = None,
    columns: Sequence[str] | None = None,
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

    columns : sequence of str, optional
        Which columns to make beside the ids; without it all.  ``columns=[]`` is enough for
        `count_viewings`, and takes half the time and memory.

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
        If a column is missing or `columns` names an unknown one, a share or duration is out
        of its bounds, or rows say only the latest date of a title.

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
    sums = _SUMS if columns is None else list(columns)
    if unknown := [name for name in sums if name not in _SUMS]:
        raise ValueError(f"`columns` must be among {_SUMS}, got {unknown}.")
    has_accounts = "account" in plays
    plays = used_plays(as_plays(plays))
    _refuse_latest_dates(plays)
    for name in ("viewer", "title"):
        codes_of(plays[name], name)
    ids = [name for name in _IDS if name in plays and (has_accounts or name != "account")]
    wanted = [*ids, *sums, *(_UNKNOWN[name] for name in sums if name in _UNKNOWN)]
    log = _in_order({name: stored(plays[name]) for name in ids} | _measures(plays, runtimes))

    def sum_up(rows: slice) -> dict[str, np.ndarray]:
        block = _block(log, rows, complete_share, restart_share)
        first = np.flatnonzero(_starts(block, resume_within))
        viewings = {name: block[name][first] for name in ids}
        if sums or min_seconds:
            viewings |= _summed(block, first)
        if min_seconds:
            kept = ~(viewings["watched_seconds"] < min_seconds)
            viewings = {name: values[kept] for name, values in viewings.items()}
        if sums:
            viewings |= _numbered(viewings)
        return {name: viewings[name] for name in wanted}

    made = _in_turn(sum_up, whole_groups(log["viewer"]), len(plays))
    viewings = _as_frame(made | {name: restored(made[name], plays[name]) for name in ids})
    if not has_accounts:
        # As a column of a frame it is shared until either is changed.
        viewings.insert(1, "account", viewings["viewer"])
    return viewings


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


def _refuse_latest_dates(plays: pd.DataFrame) -> None:
    if "latest" not in plays["row_is"].cat.categories:
        return
    latest = plays["row_is"] == "latest"
    if latest.any():
        sources = sorted(plays["source"][latest].astype("str").unique())
        raise ValueError(
            f"`plays` must not hold only the latest date of each title, found {latest.sum()} such "
            f"rows from {sources}: viewings cannot be read from them; ask the service for its "
            "full export."
        )


def _measures(plays: pd.DataFrame, runtimes: pd.DataFrame | None) -> dict[str, np.ndarray]:
    """Return the columns of plays that tell time and progress, as far as they are there."""
    measures = {
        name: plays[name].array.asi8 for name in ("started_at", "ended_at") if name in plays
    }
    for name in ("watched_seconds", "position_seconds", "runtime_seconds"):
        if name in plays:
            measures[name] = plays[name].to_numpy()
    if runtimes is not None:
        measures["runtime_seconds"] = _given(runtimes, plays["title"])
    if whole := {"completed", "logged"}.intersection(plays["row_is"].cat.categories):
        measures["is_whole"] = plays["row_is"].isin(whole).to_numpy()
    return measures


def _given(runtimes: pd.DataFrame, titles: pd.Series) -> np.ndarray:
    require_columns(runtimes, ["title", "runtime_seconds"], "runtimes")
    if (again := runtimes["title"].duplicated()).any():
        raise ValueError(
            "`runtimes` must have one row per title, "
            f"found {runtimes['title'][again].iloc[0]!r} twice."
        )
    seconds = np.append(runtimes["runtime_seconds"].to_numpy("float64"), np.nan)
    return seconds[pd.Index(runtimes["title"]).get_indexer(titles)]


def _in_order(log: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the columns in the order viewer, title, started_at."""
    ids = [log["viewer"], log["title"]]
    if canonical_starts(ids, log["started_at"], 0) is not None:
        return log
    order = np.lexsort((log["started_at"], *reversed(ids)))
    return {name: gathered(values, order) for name, values in log.items()}


def _in_turn(work: Callable[[slice], dict], parts: list[slice], length: int) -> dict:
    """Put the columns that `work` makes of each part one after another, at most `length` long."""
    # Memory that is not written to takes no room.
    made = {name: np.empty(length, dtype=v.dtype) for name, v in work(slice(0, 0)).items()}
    ends = [0] * (len(parts) + 1)
    is_known = [threading.Event() for _ in ends]
    is_known[0].set()

    def put(n: int) -> None:
        try:
            columns = work(parts[n])
            is_known[n].wait()
            ends[n + 1] = ends[n] + len(columns["viewer"])
        finally:
            is_known[n + 1].set()
        for name, values in columns.items():
            made[name][ends[n] : ends[n + 1]] = values

    in_threads(put, range(len(parts)))
    for values in made.values():
        values.resize(ends[-1], refcheck=False)
    return made


def _block(log: dict, rows: slice, complete_share: float, restart_share: float) -> dict:
    """Return the columns of a block of plays, and what each play says by itself."""
    block = {name: values[rows] for name, values in log.items()}
    started = block["started_at"]
    if "watched_seconds" not in block:
        block["watched_seconds"] = np.full(len(started), np.nan)
    seconds = block["watched_seconds"]
    block["watched"] = _known_us(seconds)
    ended = started + block["watched"]
    if "ended_at" in block:
        ended = np.where(block["ended_at"] == pd.NaT.value, ended, block["ended_at"])
    block["ended_at"] = np.maximum(started, ended, out=ended)
    if "runtime_seconds" not in block:
        return block
    # A runtime of nothing is none.
    runtime = np.where(block["runtime_seconds"] > 0, block["runtime_seconds"], np.nan)
    position = block.get("position_seconds", np.full(len(started), np.nan))
    block["runtime_seconds"] = runtime
    block["needed_seconds"] = np.where(np.isnan(runtime), np.inf, complete_share * runtime)
    block["is_known"] = ~np.isnan(runtime) & ~(np.isnan(position) & np.isnan(seconds))
    block["is_finish"] = position >= complete_share * runtime
    block["is_beyond"] = position > restart_share * runtime
    block["is_early"] = position - seconds <= restart_share * runtime
    return block


def _known_us(seconds: np.ndarray) -> np.ndarray:
    """Return whole microseconds, 0 where unknown."""
    us = seconds * _US
    np.rint(us, out=us)
    if np.isnan(us).any():
        us = np.nan_to_num(us)
    return us.astype("int64")


def _starts(block: dict[str, np.ndarray], resume_within: int) -> np.ndarray:
    """Return which plays of a block start a viewing."""
    starts = _new_titles(block)
    starts[1:] |= block["started_at"][1:] - block["ended_at"][:-1] > resume_within
    if "is_whole" in block:
        starts |= block["is_whole"]
        starts[1:] |= block["is_whole"][:-1]
    if "runtime_seconds" in block:
        _cut(starts, block)
    return starts


def _new_titles(rows: dict[str, np.ndarray]) -> np.ndarray:
    """Return where another viewer or title begins."""
    viewer, title = rows["viewer"], rows["title"]
    starts = np.ones(len(viewer), dtype=bool)
    np.not_equal(viewer[1:], viewer[:-1], out=starts[1:])
    starts[1:] |= title[1:] != title[:-1]
    return starts


def _cut(starts: np.ndarray, block: dict[str, np.ndarray]) -> None:
    """Add where viewings start to where other things than their progress cut them.

    A viewing ends before the first play that starts over, or that comes after its finish.
    What follows is a viewing with a progress of its own, so that each round finds one more
    in every sequence of plays that has any.
    """
    is_finish, is_beyond, is_early = (block[n] for n in ("is_finish", "is_beyond", "is_early"))
    # Most cuts lie between neighbours, and are found at once.
    starts[1:] |= is_finish[:-1] | (is_early[1:] & is_beyond[:-1])
    goes_on = ~starts
    goes_on[:-1] |= goes_on[1:]
    rows = np.flatnonzero(goes_on)
    while len(rows):
        is_start = starts[rows]
        sequence = np.cumsum(is_start) - 1
        head = np.flatnonzero(is_start)[sequence]
        over = _before(is_beyond[rows], head) > 0
        done = _before(is_finish[rows], head) > 0
        needed = np.round(block["needed_seconds"][rows] * _US)
        done |= _before(block["watched"][rows], head) >= needed
        cut = np.flatnonzero((done | (is_early[rows] & over)) & ~is_start)
        cut = cut[np.diff(sequence[cut], prepend=-1) > 0]
        starts[rows[cut]] = True
        tail = np.full(sequence[-1] + 1, len(rows))
        tail[sequence[cut]] = cut
        rows = rows[np.arange(len(rows)) >= tail[sequence]]


def _before(values: np.ndarray, head: np.ndarray) -> np.ndarray:
    """Sum values from the head of each row's sequence to the row before it."""
    before = np.cumsum(values, dtype="int32" if values.dtype == bool else "int64") - values
    return before - before[head]


def _summed(block: dict, first: np.ndarray) -> dict[str, np.ndarray]:
    """Return what the plays of each viewing sum up to; `first` are where they start."""
    viewings = {"started_at": block["started_at"][first]}
    viewings["ended_at"] = np.maximum.reduceat(block["ended_at"], first)
    viewings["watched_seconds"] = np.add.reduceat(block["watched_seconds"], first)
    viewings["n_plays"] = np.diff(first, append=len(block["started_at"]))
    runtime, (is_complete, is_known) = np.nan, np.zeros((2, len(first)), dtype=bool)
    if "runtime_seconds" in block:
        runtime = block["runtime_seconds"][first]
        total = viewings["watched_seconds"]
        if np.isnan(total).any():
            total = np.add.reduceat(np.nan_to_num(block["watched_seconds"]), first)
        # Nothing of a viewing comes after its finish.
        is_complete = block["is_finish"][first + viewings["n_plays"] - 1]
        is_complete |= total >= block["needed_seconds"][first]
        is_known = np.ones(len(first), dtype=bool)
        if not block["is_known"].all():
            is_known = np.logical_or.reduceat(block["is_known"], first)
    if "is_whole" in block:
        is_complete |= block["is_whole"][first]
        is_known |= block["is_whole"][first]
    viewings["is_complete"], viewings["is_unknown"] = is_complete & is_known, ~is_known
    viewings["watch_equivalents"] = viewings["watched_seconds"] / runtime
    return viewings


def _numbered(viewings: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Number the viewings of each viewer and title, and say which came after a finish."""
    is_first = _new_titles(viewings)
    head = np.flatnonzero(is_first)[np.cumsum(is_first) - 1]
    number = np.arange(1, len(head) + 1) - head
    finished = _any_before(viewings["is_complete"], head, number)
    unknown = _any_before(viewings["is_unknown"], head, number) & ~finished
    return {"viewing_no": number, "is_rewatch": finished, "may_be_rewatch": unknown}


def _any_before(holds: np.ndarray, head: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Return whether something holds of a viewing before; mostly it does of all or of none."""
    if holds.all():
        return number > 1
    return _before(holds, head) > 0 if holds.any() else holds


def _as_frame(made: dict) -> pd.DataFrame:
    for name in {"started_at", "ended_at"}.intersection(made):
        made[name] = pd.array(made[name], dtype="datetime64[us, UTC]", copy=False)
    for name in _UNKNOWN.keys() & made.keys():
        made[name] = pd.arrays.BooleanArray(made[name], made[_UNKNOWN[name]])
    return pd.DataFrame({name: made[name] for name in _IDS + _SUMS if name in made}, copy=False)
