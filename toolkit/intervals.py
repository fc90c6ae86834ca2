"""Intervals of shares and counts, survival curves, and the bootstrap by account."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from toolkit.order import stable_order
from toolkit.tables import as_whole_number, require_columns, require_confidence

__all__ = [
    "LEAST_ACCOUNTS",
    "bootstrap_tails",
    "clopper_pearson",
    "cluster_bootstrap",
    "garwood",
    "kaplan_meier",
    "log_log_limits",
    "logrank",
    "restricted_mean",
    "wilson",
]

# Of fewer, what is drawn anew says too little.
LEAST_ACCOUNTS = 20


def wilson(k, n, *, confidence: float = 0.95):
    """Return Wilson's interval for a share, k of n.

    It holds every share that a score test at that level would not reject, and covers the
    true one about as often as it says, on average over shares; for a promise of at least so
    often, see `clopper_pearson`.

    Parameters
    ----------
    k, n : int or array of int
        Successes and trials, 0 <= k <= n; arrays are matched by position and broadcast.
    confidence : float, default 0.95
        How often the interval should cover the true share.

    Returns
    -------
    low, high : float or numpy.ndarray
        Within [0, 1].  Of nobody at all (n = 0) nothing is known: 0 and 1.

    Raises
    ------
    ValueError
        If a count is no whole number, below 0 or above `n`, or `confidence` is not between
        0 and 1.

    See Also
    --------
    clopper_pearson : exact, and wider.

    Notes
    -----
    With z the normal quantile of ``(1 + confidence) / 2`` the limits are [1]_
    ``(k + z^2/2 -+ z sqrt(k (n - k) / n + z^2/4)) / (n + z^2)``.

    References
    ----------
    .. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical
       inference", JASA 22 (1927) 209-212.

    Examples
    --------
    >>> low, high = wilson(81, 263)
    >>> print(round(low, 4), round(high, 4))
    0.2553 0.3662
    """
    from scipy import special

    tail = _tail(confidence)
    k, n = _successes(k, n)
    z = -special.ndtri(tail)
    middle = k + z**2 / 2
    reach = z * np.sqrt(k * (n - k) / np.maximum(n, 1) + z**2 / 4)
    # Forced at the edges, which rounding would miss.
    low = np.where(k == 0, 0.0, (middle - reach) / (n + z**2))
    high = np.where(k == n, 1.0, (middle + reach) / (n + z**2))
    return low[()], high[()]


def clopper_pearson(k, n, *, confidence: float = 0.95):
    """Return Clopper and Pearson's exact interval for a share, k of n.

    Neither end can be moved inwards without failing, for some true share, to cover it as
    often as `confidence` says.

    Parameters
    ----------
    k, n : int or array of int
        Successes and trials, 0 <= k <= n; arrays are matched by position and broadcast.
    confidence : float, default 0.95
        How often, at least, the interval covers the true share.

    Returns
    -------
    low, high : float or numpy.ndarray
        Within [0, 1].  Of nobody at all (n = 0) nothing is known: 0 and 1.

    Raises
    ------
    ValueError
        If a count is no whole number, below 0 or above `n`, or `confidence` is not between
        0 and 1.

    See Also
    --------
    wilson : shorter, and right on average.

    Notes
    -----
    At the lower limit k or more successes have the chance ``(1 - confidence) / 2``, at the
    upper one k or fewer; both are quantiles of beta distributions [1]_.

    References
    ----------
    .. [1] C. J. Clopper, E. S. Pearson, "The use of confidence or fiducial limits
       illustrated in the case of the binomial", Biometrika 26 (1934) 404-413.

    Examples
    --------
    >>> low, high = clopper_pearson(0, 20)
    >>> print(low, round(high, 4))
    0.0 0.1684
    """
    from scipy import special

    tail = _tail(confidence)
    k, n = _successes(k, n)
    # A beta distribution needs both parameters above 0; where one is 0 the limit is an edge.
    low = special.betaincinv(np.maximum(k, 1), n - k + 1, tail)
    high = special.betainccinv(k + 1, np.maximum(n - k, 1), tail)
    return np.where(k == 0, 0.0, low)[()], np.where(k == n, 1.0, high)[()]


def garwood(k, *, confidence: float = 0.95):
    """Return Garwood's exact interval for the mean of a Poisson count.

    Parameters
    ----------
    k : int or array of int
        The count, 0 or more.
    confidence : float, default 0.95
        How often, at least, the interval covers the true mean.

    Returns
    -------
    low, high : float or numpy.ndarray

    Raises
    ------
    ValueError
        If a count is no whole number or below 0, or `confidence` is not between 0 and 1.

    Notes
    -----
    At the lower limit k or more have the chance ``(1 - confidence) / 2``, at the upper one
    k or fewer; both are quantiles of gamma distributions, or half those of chi-squared [1]_.

    References
    ----------
    .. [1] F. Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28 (1936)
       437-442.

    Examples
    --------
    >>> low, high = garwood(53)
    >>> print(round(low, 2), round(high, 2))
    39.7 69.33
    """
    from scipy import special

    tail = _tail(confidence)
    k = _counts(k, "k")
    low = np.where(k == 0, 0.0, special.gammaincinv(np.maximum(k, 1), tail))
    return low[()], special.gammainccinv(k + 1, tail)[()]


def kaplan_meier(durations, observed, *, entry=None, confidence: float = 0.95) -> pd.DataFrame:
    """Estimate what share outlives each time, from lives some of which are cut off.

    Parameters
    ----------
    durations : sequence of float
        How long each life lasted, or was seen to last; 0 or more, in any unit.
    observed : sequence of bool
        True if it ended then; False if it was still going on (right-censored).
    entry : sequence of float, optional
        How long each had lasted when it was first seen, below its duration (delayed entry,
        left truncation).  It is at risk only after that.
    confidence : float, default 0.95
        How often the interval at each time should cover the true share.

    Returns
    -------
    pandas.DataFrame
        One row per distinct duration, in order:

        * ``time`` : as `durations`
        * ``at_risk`` : int, lives seen just before it; those censored at it are among them
        * ``events``, ``censored`` : int, lives that end or are cut off at it
        * ``survival`` : float, estimated share that lasts longer
        * ``low``, ``high`` : float, its interval

    Raises
    ------
    ValueError
        If the sequences differ in length, a value is missing, a duration is below 0 or not
        above its entry, or nobody is left at risk while others have yet to enter.

    See Also
    --------
    logrank : whether curves differ.
    restricted_mean : the area below the curve.
    cluster_bootstrap : intervals where one account has many lives.

    Notes
    -----
    With d events among n at risk at each time, the survival is the product of ``1 - d/n``
    over all times so far [1]_.  Its variance is Greenwood's, and the interval is taken on
    the scale of ``log(-log survival)``, so that it stays within [0, 1] [2]_.  There is no
    such interval at 1 and at 0.  While nobody has ended, `low` is Clopper and Pearson's for
    n of n, with the least n so far.  Once nobody is left, `high` is that of the time before,
    or Clopper and Pearson's for 0 of n if that is less.

    With delayed entry the curve speaks of those who last as long as the first entry.  Where
    all who are at risk end while others enter later, it would stay at 0 for ever: such data
    are refused.  To start later, at a time t, keep the lives longer than t and raise their
    entries to t.

    Each life counts as independent of all others.

    References
    ----------
    .. [1] E. L. Kaplan, P. Meier, "Nonparametric estimation from incomplete observations",
       JASA 53 (1958) 457-481.
    .. [2] J. D. Kalbfleisch, R. L. Prentice, The Statistical Analysis of Failure Time Data,
       Wiley (1980).

    Examples
    --------
    >>> kaplan_meier([2, 3, 3, 5], [True, True, False, False]).round(3)
       time  at_risk  events  censored  survival    low   high
    0     2        4       1         0      0.75  0.128  0.961
    1     3        3       1         1      0.50  0.058  0.845
    2     5        1       0         1      0.50  0.058  0.845
    """
    from statsmodels.duration.survfunc import SurvfuncRight

    durations, observed, entry = _lives(durations, observed, entry)
    time, row = np.unique(durations, return_inverse=True)
    at_risk = _at_risk(durations, entry, time)
    events, censored = (
        np.bincount(row[some], minlength=len(time)) for some in (observed, ~observed)
    )
    if entry is not None:
        _require_someone_left(durations, entry, time, events == at_risk)

    curve = SurvfuncRight(durations, observed, entry=entry)
    step = np.searchsorted(curve.surv_times, time, side="right")
    survival = np.append(1.0, curve.surv_prob)[step]
    error = np.append(0.0, curve.surv_prob_se)[step]
    low, high = log_log_limits(survival, error, at_risk, confidence=confidence)
    return pd.DataFrame(
        {"time": time, "at_risk": at_risk, "events": events, "censored": censored}
        | {"survival": survival, "low": low, "high": high}
    )


def restricted_mean(
    curve: pd.DataFrame, *, until: float, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Return the mean time that lives last up to a limit: the area below a survival curve.

    Unlike the mean itself it needs no guess of what comes after the log.

    Parameters
    ----------
    curve : pandas.DataFrame
        What `kaplan_meier` gives.
    until : float
        The limit, in the unit of `time`, above 0; what a life lasts beyond it does not
        count.
    confidence : float, default 0.95
        How often the interval should cover the true mean.

    Returns
    -------
    mean, low, high : float
        Within [0, `until`].

    Raises
    ------
    ValueError
        If a column is missing, or by `until` the curve has not fallen or is over.

    Notes
    -----
    The variance of the mean is the sum over the times of events of
    ``A^2 d / (n (n - d))``, d of n at risk ending there and A the area below the curve from
    there to `until` [1]_.

    References
    ----------
    .. [1] J. P. Klein, M. L. Moeschberger, Survival Analysis: Techniques for Censored and
       Truncated Data, Springer (2003), section 4.5.

    Examples
    --------
    >>> curve = kaplan_meier([2, 3, 3, 5], [True, True, False, False])
    >>> mean, low, high = restricted_mean(curve, until=4)
    >>> print(mean, round(low, 2), round(high, 2))
    3.25 2.44 4.0
    """
    from scipy import special

    z = -special.ndtri(_tail(confidence))
    require_columns(curve, ["time", "at_risk", "events", "survival"], "curve")
    last, left = (curve[name].iloc[-1] if len(curve) else 0 for name in ("time", "survival"))
    if not 0 < until < np.inf or (until > last and (left > 0 or curve.empty)):
        raise ValueError(f"`until` must lie above 0 and within the curve's {last}, got {until!r}.")
    some = curve[curve["time"] <= until]
    if not some["events"].any():
        raise ValueError(f"`curve` must fall by `until`; up to {until} nobody has ended.")

    widths = np.diff(np.append(some["time"], until))
    areas = np.append(1.0, some["survival"]) * np.diff(np.concatenate([[0], some["time"], [until]]))
    mean = areas.sum()
    after = np.cumsum((some["survival"] * widths)[::-1])[::-1]
    n, d = some["at_risk"].to_numpy(), some["events"].to_numpy()
    # Below a curve that is down at 0 there is no area, whatever the last step.
    error = np.sqrt((after**2 * d / (n * np.maximum(n - d, 1))).sum())
    return float(mean), float(max(mean - z * error, 0)), float(min(mean + z * error, until))


def logrank(durations, observed, groups, *, entry=None) -> tuple[float, int, float]:
    """Test whether lives of several groups last equally long.

    Parameters
    ----------
    durations, observed, entry
        As in `kaplan_meier`.
    groups : sequence
        The group of each life.

    Returns
    -------
    statistic : float
        Chi-squared, 0 or more.
    df : int
        Its degrees of freedom, one less than there are groups.
    p_value : float
        Chance of a statistic as large if no group differs; an approximation that needs a
        dozen or more ends.

    Raises
    ------
    ValueError
        As in `kaplan_meier`, or if there is one group only, or the times at which lives end
        do not link every group with the others.

    Notes
    -----
    At each time at which lives end, the number of each group is compared with that expected
    if all at risk were alike [1]_.  The test sees best a risk that differs by the same
    factor all along, and may miss curves that cross.  Each life counts as independent.

    References
    ----------
    .. [1] N. Mantel, "Evaluation of survival data and two new rank order statistics arising
       in its consideration", Cancer Chemotherapy Reports 50 (1966) 163-170.

    Examples
    --------
    >>> statistic, df, p_value = logrank(
    ...     [1, 2, 3, 4, 5, 6], [True] * 6, ["a", "a", "a", "b", "b", "b"]
    ... )
    >>> print(round(statistic, 2), df, round(p_value, 3))
    5.05 1 0.025
    """
    from scipy import special
    from statsmodels.duration.survfunc import survdiff

    durations, observed, entry = _lives(durations, observed, entry)
    codes, names = pd.factorize(np.asarray(groups), sort=True)
    if len(codes) != len(durations) or (codes < 0).any():
        raise ValueError(
            f"`groups` must name a group for each of {len(durations)} lives, "
            f"found {(codes >= 0).sum()}."
        )
    if len(names) < 2:
        raise ValueError(f"`groups` must hold at least two groups, found {len(names)}.")
    _require_linked(durations, observed, entry, codes, names)
    statistic, _ = survdiff(durations, observed, codes, entry=entry)
    df = len(names) - 1
    # Not one less the distribution: that loses the digits of a small chance.
    return float(statistic), df, float(special.chdtrc(df, statistic))


def cluster_bootstrap(
    frame: pd.DataFrame,
    statistic: Callable[[pd.DataFrame], float | pd.Series],
    *,
    by: str = "account",
    seed: int,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Give any statistic an interval by drawing whole accounts anew.

    Rows of one account resemble each other, so that resampling single rows would make
    intervals too short.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows of at least 20 accounts.
    statistic : callable
        Takes a frame like `frame` and returns a number, or a Series of numbers whose index
        is the same for every frame.  An account drawn twice is two: `by` holds the number
        of the draw, so group by it and the viewer where viewers are told apart.
    by : str, default 'account'
        The column that says which rows belong together.
    seed : int
        Of the random numbers.
    n_bootstrap : int, default 1000
        How many times accounts are drawn.
    confidence : float, default 0.95
        How often the interval should cover the true value.

    Returns
    -------
    pandas.DataFrame
        One row per number, with the index of the Series that `statistic` returns:

        * ``estimate`` : float, the statistic of `frame`
        * ``low``, ``high`` : float, its interval

    Raises
    ------
    ValueError
        If `by` is not there or has fewer than 20 values, or a statistic is no number.

    Notes
    -----
    As many accounts are drawn as there are, each with all of its rows [1]_.  Plain percentiles
    of the resampled statistics lie too near each other where accounts are few; so the lower is
    that of ``Phi(-t sqrt(n / (n - 1)))``, with n accounts, t the quantile of Student's
    distribution with n - 1 degrees of freedom and Phi the normal distribution, and the upper
    its counterpart [2]_.  Of many accounts both are the plain ones.

    References
    ----------
    .. [1] A. C. Davison, D. V. Hinkley, Bootstrap Methods and their Application, Cambridge
       University Press (1997), sections 3.8 and 5.3.
    .. [2] T. C. Hesterberg, "What teachers should know about the bootstrap: resampling in the
       undergraduate statistics curriculum", The American Statistician 69 (2015) 371-386.

    Examples
    --------
    >>> streaks = pd.DataFrame({"account": np.arange(100) // 2, "n_days": np.arange(100) % 7})
    >>> mean = cluster_bootstrap(streaks, lambda some: some["n_days"].mean(), seed=1)
    >>> mean.round(2)
       estimate   low  high
    0      2.95  2.51  3.41
    """
    require_confidence(confidence)
    seed = as_whole_number(seed, "seed", low=0)
    n_bootstrap = as_whole_number(n_bootstrap, "n_bootstrap", low=1)
    require_columns(frame, [by], "frame")
    codes, accounts = pd.factorize(frame[by])
    if (codes < 0).any():
        raise ValueError(f"`{by}` must be there on every row; {(codes < 0).sum()} are missing.")
    if len(accounts) < LEAST_ACCOUNTS:
        raise ValueError(
            f"`frame` must have rows of at least {LEAST_ACCOUNTS} values of `{by}`, "
            f"found {len(accounts)}."
        )
    estimate = pd.Series(statistic(frame), dtype="float64")
    order = stable_order(codes)
    size = np.bincount(codes)
    start = np.cumsum(size) - size
    rng = np.random.default_rng(seed)
    resampled = np.empty((n_bootstrap, len(estimate)))
    for number in range(n_bootstrap):
        drawn = rng.integers(len(accounts), size=len(accounts))
        draw = np.repeat(np.arange(len(drawn)), size[drawn])
        within = np.arange(len(draw)) - (np.cumsum(size[drawn]) - size[drawn])[draw]
        some = frame.iloc[order[start[drawn][draw] + within]].assign(**{by: draw})
        value = pd.Series(statistic(some), dtype="float64")
        if not value.index.equals(estimate.index):
            raise ValueError("`statistic` must return the same index for every frame.")
        resampled[number] = value
    if not np.isfinite(resampled).all() or not np.isfinite(estimate).all():
        wrong = (~np.isfinite(resampled)).any(axis=1).sum()
        raise ValueError(
            "`statistic` must be a number on the frame and on every resample; "
            f"on {wrong} of {n_bootstrap} it was not."
        )
    low, high = np.quantile(resampled, bootstrap_tails(len(accounts), confidence), axis=0)
    return pd.DataFrame({"estimate": estimate, "low": low, "high": high})


def bootstrap_tails(n_accounts: int, confidence: float) -> list[float]:
    """Return the percentiles that are the ends of an interval over resampled accounts."""
    from scipy import special

    t = special.stdtrit(n_accounts - 1, _tail(confidence))
    tail = float(special.ndtr(t * np.sqrt(n_accounts / (n_accounts - 1))))
    return [tail, 1 - tail]


def log_log_limits(
    survival: np.ndarray, error: np.ndarray, at_risk: np.ndarray, *, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return limits of a survival curve from its standard error, also where it is 1 or 0."""
    from scipy import special

    tail = _tail(confidence)
    is_one, is_zero = survival == 1, survival == 0
    between = np.where(is_one | is_zero, 0.5, survival)
    error = np.where(is_one | is_zero, 0.0, error)
    reach = np.exp(special.ndtri(tail) * error / (between * np.log(between)))
    low, high = between**reach, between ** (1 / reach)
    low = np.where(is_one, tail ** (1 / np.minimum.accumulate(at_risk)), low)
    # A curve that is down at 0 is no higher than it was before.
    before = np.append(1.0, np.where(is_one, 1.0, high)[:-1])
    none_left = np.minimum(before, 1 - tail ** (1 / at_risk))
    high = np.where(is_one, 1.0, np.where(is_zero, none_left, high))
    return np.where(is_zero, 0.0, low), high


def _tail(confidence: float) -> float:
    require_confidence(confidence)
    return (1 - confidence) / 2


def _counts(values, name: str) -> np.ndarray:
    counts = np.asarray(values)
    if counts.dtype.kind not in "iuf" and counts.size:
        raise ValueError(f"`{name}` must be whole numbers, 0 or more, found {counts.dtype}.")
    counts = counts.astype("float64")
    wrong = ~((counts >= 0) & np.isfinite(counts) & (counts == np.floor(counts)))
    if wrong.any():
        raise ValueError(f"`{name}` must be whole numbers, 0 or more, got {counts[wrong][0]:g}.")
    return counts


def _successes(k, n) -> tuple[np.ndarray, np.ndarray]:
    k, n = np.broadcast_arrays(_counts(k, "k"), _counts(n, "n"))
    if (k > n).any():
        raise ValueError(f"`k` must not exceed `n`, got {k[k > n][0]:g} of {n[k > n][0]:g}.")
    return k, n


def _lives(durations, observed, entry) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return lives as arrays of one length, each there and longer than its entry."""
    durations = _times(durations, "durations")
    observed = np.asarray(observed)
    if observed.size == 0:
        observed = observed.astype(bool)
    if observed.dtype != bool or observed.shape != durations.shape:
        raise ValueError(
            f"`observed` must be True or False for each of {len(durations)} durations, "
            f"found {observed.size} of {observed.dtype}."
        )
    if entry is not None:
        entry = _times(entry, "entry")
        if len(entry) != len(durations) or (entry >= durations).any():
            raise ValueError(
                f"`entry` must lie below each of {len(durations)} durations, found "
                f"{len(entry)} entries."
            )
    return durations, observed, entry


def _times(values, name: str) -> np.ndarray:
    times = np.asarray(values)
    if times.ndim != 1 or (times.dtype.kind not in "iuf" and times.size):
        raise ValueError(f"`{name}` must be a sequence of numbers, found {times.dtype}.")
    wrong = ~((times >= 0) & np.isfinite(times))
    if wrong.any():
        raise ValueError(f"`{name}` must be numbers, 0 or more, got {times[wrong][0]}.")
    return times


def _at_risk(durations, entry, time, side: str = "left") -> np.ndarray:
    """Count the lives at risk at each time, or with side="right" just after it."""
    at_risk = len(durations) - np.searchsorted(np.sort(durations), time, side=side)
    if entry is not None:
        at_risk -= len(entry) - np.searchsorted(np.sort(entry), time, side=side)
    return at_risk


def _require_someone_left(durations, entry, time, all_end: np.ndarray) -> None:
    nobody = all_end | (_at_risk(durations, entry, time, side="right") == 0)
    if (early := np.flatnonzero(nobody[:-1])).size:
        at = time[early[0]]
        raise ValueError(
            f"`entry` must leave someone at risk up to the last time; at {at} nobody is left, "
            f"and {(entry >= at).sum()} enter later."
        )


def _require_linked(durations, observed, entry, codes: np.ndarray, names) -> None:
    """Refuse groups that are never at risk beside the others when some end and some stay."""
    from scipy.sparse import csgraph

    time, events = np.unique(durations[observed], return_counts=True)
    telling = time[events < _at_risk(durations, entry, time)]
    present = np.array(
        [
            _at_risk(durations[own], None if entry is None else entry[own], telling) > 0
            for own in (codes == code for code in range(len(names)))
        ],
        dtype="float64",
    )
    n_parts, part = csgraph.connected_components(present @ present.T)
    if n_parts > 1:
        apart = names[part != part[0]][0]
        raise ValueError(
            f"`groups` must be at risk together when lives end; {apart} never is with "
            f"{names[0]}, not even by way of others."
        )
