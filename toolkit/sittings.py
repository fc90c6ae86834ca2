"""Sittings: plays of a viewer with no long pause between them, and what a long pause is."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from toolkit.order import (
    BLOCK,
    canonical_starts,
    codes_of,
    gathered,
    in_blocks,
    in_threads,
    restored,
    stored,
    whole_groups,
)
from toolkit.tables import as_plays, require_one_account, used_plays

__all__ = ["ends_of", "fit_pauses", "pause_curve", "sitting_numbers", "to_sittings"]

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
# Minutes, spaced much as they are spoken of, from one to a day.
_LIMITS = [1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1_440]
_BINS_PER_DECADE = 50


def to_sittings(plays: pd.DataFrame, *, pause: str | pd.Timedelta = "30min") -> pd.DataFrame:
    """Join the plays of a viewer that follow each other without a long pause.

    A pause runs from the end of whatever was watched so far to the start of the next play;
    plays that overlap leave none.  A pause just as long as the limit stays in the sitting.

    Parameters
    ----------
    plays : pandas.DataFrame
        A plays table.  Rows with a reason in `excluded` are not used; order does not
        matter.
    pause : str or pandas.Timedelta, default "30min"
        The longest pause within a sitting.

    Returns
    -------
    pandas.DataFrame
        One row per sitting, in the order viewer, started_at:

        * ``viewer``, ``account`` as in `plays`
        * ``started_at``, ``ended_at`` : datetime64[us, UTC], first start and last end
        * ``n_plays`` : int
        * ``n_titles`` : int, different titles
        * ``watched_seconds`` : float, without the pauses; NaN where those of any of its
          plays are unknown.  Of plays that overlap it is the sum

    Raises
    ------
    ValueError
        If a column is missing, `pause` is no duration, a viewer has two accounts, rows do
        not say to the minute when they started, or rows are only the latest date of a title.

    See Also
    --------
    pause_curve : what becomes of sittings as the limit grows.
    find_binges : the sittings, days and seasons that are binges.

    Notes
    -----
    An end is `ended_at`, or where that is missing the start and the seconds watched.  A play
    of which neither is known lasts no time, so that the pause after it is at most as long as
    it seems.

    There is no standard limit: 30 minutes are the convention of web analytics, and a study
    of several kinds of logs argues for about an hour [1]_.

    References
    ----------
    .. [1] A. Halfaker et al., "User Session Identification Based on Strong Regularities in
       Inter-activity Time", arXiv:1411.2878 (2014).

    Examples
    --------
    >>> plays = pd.DataFrame({
    ...     "viewer": "ann", "title": ["Pilot", "Second", "Heat"],
    ...     "started_at": pd.to_datetime(
    ...         ["2024-03-01 20:00Z", "2024-03-01 21:15Z", "2024-03-01 22:31Z"]
    ...     ),
    ...     "watched_seconds": [2700.0, 2700.0, 9000.0],
    ... })
    >>> to_sittings(plays)[["started_at", "n_plays", "n_titles", "watched_seconds"]]
                     started_at  n_plays  n_titles  watched_seconds
    0 2024-03-01 20:00:00+00:00        2         2           5400.0
    1 2024-03-01 22:31:00+00:00        1         1           9000.0
    """
    limit = _pause_us(pause)
    has_accounts = "account" in plays
    plays = _timed_plays(plays)
    if has_accounts:
        require_one_account("`plays`", plays)
    log, _ = _log(plays)
    blocks = [slice(0), *_viewer_blocks(log)]
    parts = in_threads(lambda rows: _sum_up(log, rows, limit), blocks)
    made = {name: np.concatenate([part.pop(name) for part in parts]) for name in list(parts[0])}
    ids = [name for name in ("viewer", "account") if name in made]
    made |= {name: restored(made[name], plays[name]) for name in ids}
    for name in ("started_at", "ended_at"):
        made[name] = pd.array(made[name], dtype="datetime64[us, UTC]", copy=False)
    made = {"viewer": made["viewer"], "account": made["viewer"].copy()} | made
    return pd.DataFrame(made, copy=False)


def pause_curve(
    plays: pd.DataFrame, *, limits: Sequence[str | pd.Timedelta] | None = None
) -> pd.DataFrame:
    """Count the sittings that each limit of the pause gives.

    Where the curve is flat the limit hardly matters; where it is steep, the number of
    sittings is that of the limit and not of the log.

    Parameters
    ----------
    plays : pandas.DataFrame
        A plays table, as in `to_sittings`.
    limits : sequence of str or pandas.Timedelta, optional
        Limits of the pause; without it 18 from a minute to a day.

    Returns
    -------
    pandas.DataFrame
        One row per limit, in rising order:

        * ``pause_minutes`` : float, the limit
        * ``n_sittings`` : int
        * ``n_longer`` : int, pauses longer than the limit, each of which parts two sittings
        * ``share_longer`` : float, of all pauses; NaN where there are none
        * ``density`` : float, share of all pauses per factor of ten in length that lie
          between the limit before this one and this one; NaN for the first

    Raises
    ------
    ValueError
        If `to_sittings` would, or two limits are the same.

    See Also
    --------
    fit_pauses : where short pauses end and long ones begin.
    plot_pauses : draws this table.

    Notes
    -----
    Every play but a viewer's first follows a pause, of no length where it overlaps what was
    watched before it or follows it at once.

    Examples
    --------
    >>> plays = pd.DataFrame({
    ...     "viewer": "ann", "title": "Heat", "watched_seconds": 600.0,
    ...     "started_at": pd.to_datetime(
    ...         ["2024-03-01 20:00Z", "2024-03-01 20:15Z", "2024-03-01 22:30Z"]
    ...     ),
    ... })
    >>> pause_curve(plays, limits=["4min", "5min", "3h"])[["pause_minutes", "n_sittings"]]
       pause_minutes  n_sittings
    0            4.0           3
    1            5.0           2
    2          180.0           1
    """
    if limits is None:
        limits = [f"{minutes}min" for minutes in _LIMITS]
    edges = np.sort([_pause_us(limit, "limits") for limit in limits]).astype("int64")
    if (np.diff(edges) == 0).any():
        raise ValueError(f"`limits` must differ from each other, got {list(limits)}.")
    pauses, n_viewers = _all_pauses(plays)
    longer = len(pauses) - np.searchsorted(np.sort(pauses), edges, side="right")
    curve = pd.DataFrame(
        {"pause_minutes": edges / _MINUTE, "n_sittings": n_viewers + longer, "n_longer": longer}
    )
    curve["share_longer"] = longer / len(pauses) if len(pauses) else np.nan
    with np.errstate(divide="ignore"):
        decades = np.log10(curve["pause_minutes"]).diff()
    return curve.assign(density=-curve["share_longer"].diff() / decades)


def fit_pauses(plays: pd.DataFrame) -> pd.DataFrame:
    """Fit two lognormal laws to the pauses: those within sittings and those between.

    Parameters
    ----------
    plays : pandas.DataFrame
        A plays table, as in `to_sittings`.

    Returns
    -------
    pandas.DataFrame
        One row, or none where there are fewer than 20 pauses that last a second or more, or
        all are equally long:

        * ``pause_minutes`` : float, the limit at which a pause is as likely one within a
          sitting as one between two; NaN where no such pause lies between their medians
        * ``valley_minutes`` : float, where between their medians pauses are rarest, on a
          logarithmic scale; NaN where there is no valley
        * ``median_within``, ``median_between`` : float, minutes
        * ``spread_within``, ``spread_between`` : float, standard deviation of log10
        * ``share_within`` : float, of the pauses that are fitted
        * ``n_pauses`` : int, fitted: those of a second or more
        * ``n_short`` : int, the others, among them those of plays that overlap

    Raises
    ------
    ValueError
        If `to_sittings` would.

    See Also
    --------
    pause_curve : how much the limit matters.

    Notes
    -----
    Maximum likelihood by the EM algorithm, on pauses rounded to a fiftieth of a factor of
    ten.  It follows the advice to look for the limit in the log instead of taking a constant
    [1]_.  Pauses between sittings have a daily rhythm, which no lognormal law has; look at
    `density` in `pause_curve` beside it.

    References
    ----------
    .. [1] A. Halfaker et al., "User Session Identification Based on Strong Regularities in
       Inter-activity Time", arXiv:1411.2878 (2014).

    Examples
    --------
    >>> minutes = np.r_[np.zeros(1), np.tile([2.0, 4.0, 700.0, 1400.0], 10)]
    >>> plays = pd.DataFrame({
    ...     "viewer": "ann", "title": "Heat",
    ...     "started_at": pd.Timestamp("2024-03-01 20:00Z")
    ...     + pd.to_timedelta(minutes.cumsum(), unit="min"),
    ... })
    >>> fit_pauses(plays)[["median_within", "median_between", "share_within"]].round(1)
       median_within  median_between  share_within
    0            2.8           977.2           0.5
    """
    pauses, _ = _all_pauses(plays)
    fitted = pauses[pauses >= _SECOND]
    columns = [
        *("pause_minutes", "valley_minutes", "median_within", "median_between"),
        *("spread_within", "spread_between", "share_within", "n_pauses", "n_short"),
    ]
    bins = np.rint(np.log10(fitted / _MINUTE) * _BINS_PER_DECADE).astype("int64")
    low = bins.min(initial=2**62)
    dtypes = dict.fromkeys(columns, "float64") | dict.fromkeys(["n_pauses", "n_short"], "int64")
    if len(fitted) < 20 or (bins == low).all():
        return pd.DataFrame(columns=columns).astype(dtypes)
    counts = np.bincount(bins - low)
    size = (np.arange(len(counts)) + low) / _BINS_PER_DECADE
    share, center, spread = _two_normals(size, counts)
    between = np.linspace(*center, 2_001)
    parts = np.log(share)[:, None] + _log_normal(between, center[:, None], spread[:, None])
    crossed = np.flatnonzero((parts[0, :-1] > parts[1, :-1]) & (parts[0, 1:] <= parts[1, 1:]))
    lowest = int(np.logaddexp(*parts).argmin())
    limit = 10 ** between[crossed[0] + 1] if len(crossed) else np.nan
    valley = 10 ** between[lowest] if 0 < lowest < len(between) - 1 else np.nan
    row = [limit, valley, *10**center, *spread, share[0], len(fitted), len(pauses) - len(fitted)]
    return pd.DataFrame([row], columns=columns).astype(dtypes)


def sitting_numbers(plays: pd.DataFrame, pause: str | pd.Timedelta) -> np.ndarray:
    """Number the sittings from 0, by viewer and time, and return that of each used play."""
    limit = _pause_us(pause)
    log, order = _log(_timed_plays(plays))
    number = np.empty(len(log["viewer"]), dtype="int64")
    first = 0
    for rows in _viewer_blocks(log):
        within = _block(log, rows)
        found = np.cumsum(within["pause"] > limit) - 1 + first
        number[rows.start + within["order"]] = found
        first = found[-1] + 1
    if isinstance(order, slice):
        return number
    in_rows = np.empty_like(number)
    in_rows[order] = number
    return in_rows


def ends_of(log: dict, rows: slice) -> tuple[np.ndarray, np.ndarray]:
    """Return the end of each play, and how long it was watched in whole microseconds (or NaN)."""
    started = log["started_at"][rows]
    watched = np.full(len(started), np.nan)
    if "watched_seconds" in log:
        watched = np.rint(log["watched_seconds"][rows] * _SECOND)
    ended = started + np.nan_to_num(watched).astype("int64")
    if "ended_at" in log:
        known = log["ended_at"][rows]
        ended = np.where(known == pd.NaT.value, ended, known)
    return np.maximum(started, ended, out=ended), watched


def _pause_us(pause, name: str = "pause") -> int:
    try:
        microseconds = pd.Timedelta(pause) // pd.Timedelta(microseconds=1)
    except (ValueError, TypeError):
        microseconds = -1
    if not microseconds >= 0:
        raise ValueError(f"`{name}` must be a duration such as '30min', 0 or more, got {pause!r}.")
    return microseconds


def _timed_plays(plays: pd.DataFrame) -> pd.DataFrame:
    """Return used plays, each of which says when it was."""
    plays = used_plays(as_plays(plays))
    for column, values, reason in (
        ("row_is", ["latest"], "be more than the latest date of each title"),
        ("precision", ["day", "hour"], "say to the minute when they started"),
    ):
        if not set(values).isdisjoint(plays[column].cat.categories):
            wrong = plays[column].isin(values)
            if wrong.any():
                sources = sorted(plays["source"][wrong].astype("str").unique())
                raise ValueError(
                    f"`plays` must {reason}, found {wrong.sum()} rows from {sources} that do not."
                )
    if (missing := plays["started_at"].isna().sum()) > 0:
        raise ValueError(f"`started_at` must be there on every row; {missing} are missing.")
    return plays


def _log(plays: pd.DataFrame) -> tuple[dict[str, np.ndarray], slice | np.ndarray]:
    """Return what tells sittings in the order viewer, title, started_at, and that order."""
    log = {name: stored(plays[name]) for name in ("viewer", "title", "account")}
    if np.shares_memory(log["account"], log["viewer"]):
        del log["account"]
    for name in ("viewer", "title"):
        codes_of(plays[name], name)
    log["started_at"] = plays["started_at"].array.asi8
    if "ended_at" in plays:
        log["ended_at"] = plays["ended_at"].array.asi8
    if "watched_seconds" in plays:
        log["watched_seconds"] = seconds = plays["watched_seconds"].to_numpy()
        in_blocks(lambda block: _require_seconds(seconds[block]), 0, len(seconds))
    ids = [log["viewer"], log["title"]]
    if canonical_starts(ids, log["started_at"], 0) is not None:
        return log, slice(None)
    order = np.lexsort((log["started_at"], *reversed(ids)))
    return {name: gathered(values, order) for name, values in log.items()}, order


def _require_seconds(seconds: np.ndarray) -> None:
    if (wrong := (seconds < 0) | (seconds == np.inf)).any():
        raise ValueError(
            "`watched_seconds` must be 0 or more, or missing, on every row that is used; "
            f"found {seconds[wrong][0]}."
        )


def _viewer_blocks(log: dict[str, np.ndarray]) -> list[slice]:
    """Cut rows into blocks of whole viewers, so few that `_block` has room for all times."""
    viewer = log["viewer"]
    if not len(viewer):
        return []
    edges = in_blocks(lambda rows: _range(log, rows), 0, len(viewer))
    room = max(high for _, high in edges) - min(low for low, _ in edges) + 1
    size = max(1, min(BLOCK, 2**62 // room))
    return whole_groups(viewer, size)


def _range(log: dict, rows: slice) -> tuple[int, int]:
    return int(log["started_at"][rows].min()), int(ends_of(log, rows)[0].max())


def _block(log: dict, rows: slice) -> dict[str, np.ndarray]:
    """Return the plays of a block of viewers in the order of time, and the pause before each.

    The pause before a viewer's first play is longer than any, that before a play that
    overlaps what was watched before it is negative.
    """
    viewer, started = log["viewer"][rows], log["started_at"][rows]
    ended, watched = ends_of(log, rows)
    number = np.append(0, np.cumsum(viewer[1:] != viewer[:-1]))[: len(viewer)]
    low, high = (int(started.min()), int(ended.max())) if len(viewer) else (0, 0)
    # One number for viewer and time.
    base = number * (high - low + 1) - low
    order = np.argsort(base + started)
    begins = (base + started)[order]
    furthest = np.maximum.accumulate((base + ended)[order])
    pause = np.full(len(order), np.iinfo("int64").max)
    np.subtract(begins[1:], furthest[:-1], out=pause[1:])
    changes = np.diff(number, prepend=-1) > 0
    # Viewers stand one after another in either order.
    pause[changes] = np.iinfo("int64").max
    ends = furthest - base
    return {
        "order": order, "pause": pause, "ended_at": ends, "watched": watched, "is_first": changes,
    }  # fmt: skip


def _sum_up(log: dict, rows: slice, limit: int) -> dict[str, np.ndarray]:
    """Return the columns of the sittings of a block of viewers."""
    block = _block(log, rows)
    order, is_start = block["order"], block["pause"] > limit
    first = np.flatnonzero(is_start)
    head = order[first]
    sittings = {name: log[name][rows][head] for name in ("viewer", "account") if name in log}
    sittings["started_at"] = log["started_at"][rows][head]
    n_plays = np.diff(first, append=len(order))
    sittings["ended_at"] = block["ended_at"][first + n_plays - 1]
    sittings["n_plays"] = n_plays
    number = np.empty_like(order)
    number[order] = np.cumsum(is_start) - 1
    # In the order viewer, title, time those of a title in a sitting stand together.
    title = log["title"][rows]
    is_new = np.ones(len(order), dtype=bool)
    is_new[1:] = (title[1:] != title[:-1]) | (number[1:] != number[:-1])
    sittings["n_titles"] = np.bincount(number[is_new], minlength=len(first))
    # Whole microseconds, whose sum depends on no order.
    sittings["watched_seconds"] = (
        np.bincount(number, block["watched"], minlength=len(first)) / _SECOND
    )
    return sittings


def _all_pauses(plays: pd.DataFrame) -> tuple[np.ndarray, int]:
    """Return the pauses before all plays but each viewer's first, and how many viewers."""
    log, _ = _log(_timed_plays(plays))

    def measure(rows: slice) -> tuple[np.ndarray, int]:
        block = _block(log, rows)
        return block["pause"][~block["is_first"]], np.count_nonzero(block["is_first"])

    parts = in_threads(measure, _viewer_blocks(log))
    pauses = np.concatenate([np.zeros(0, dtype="int64"), *(some for some, _ in parts)])
    return pauses, sum(n for _, n in parts)


def _two_normals(size: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the shares, centres and spreads of a mixture of two normal laws, the lower first."""
    weight = counts / counts.sum()
    # Begin with the cut that leaves the least spread on both sides of it.
    below = np.cumsum(weight)[:-1]
    sums = np.cumsum(weight * size)
    gain = (sums[:-1] - below * sums[-1]) ** 2 / (below * (1 - below))
    is_low = np.arange(len(size)) <= gain.argmax()
    resp = np.stack([is_low, ~is_low]).astype("float64")
    last = -np.inf
    for _ in range(2_000):
        share = resp @ weight
        center = resp @ (weight * size) / share
        variance = (resp * (size - center[:, None]) ** 2) @ weight / share
        # A law as narrow as the rounding would be one of a single length.
        spread = np.sqrt(np.maximum(variance, 1 / _BINS_PER_DECADE**2))
        parts = np.log(share)[:, None] + _log_normal(size, center[:, None], spread[:, None])
        total = np.logaddexp(*parts)
        resp = np.exp(parts - total)
        loglik = total @ weight
        if loglik - last < 1e-10:
            break
        last = loglik
    first = center.argsort()
    return share[first], center[first], spread[first]


def _log_normal(x, center, spread):
    return -(((x - center) / spread) ** 2) / 2 - np.log(spread)
