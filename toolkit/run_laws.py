"""The chances of runs of watched days: exact, for viewers of several kinds."""

import numpy as np
import pandas as pd
from scipy import linalg

from toolkit.count_laws import log_ratio

__all__ = [
    "beta_nodes",
    "beta_run_probability",
    "beta_streak_probability",
    "expected_runs",
    "longest_run",
    "markov_run_probability",
    "run_probability",
    "share_after_streak",
    "waiting_time",
]

# How many numbers a block of cases may keep, and the most nodes of a quadrature.
_KEPT = 10_000_000
_NODES = 200


def run_probability(n, k, p, *, leaving=0.0):
    """Return the chance that a viewer watches on `k` days in a row within `n` days.

    Each day is watched with the same chance, whatever happened before.

    Parameters
    ----------
    n : int or array of int
        Days in all, 0 or more.
    k : int or array of int
        Length of the run in days, 1 or more; longer runs contain it.
    p : float or array of float
        Chance that a day is watched.
    leaving : float or array of float, default 0
        Chance, before each day, that a viewer who is still there leaves for good.

    Returns
    -------
    float or numpy.ndarray
        Arguments are matched by position and broadcast.  0 where `k` is above `n`.

    Raises
    ------
    ValueError
        If `n` or `k` is no whole number or too small, or a chance is not within [0, 1].

    See Also
    --------
    markov_run_probability : days that depend on the day before.
    beta_run_probability : viewers who differ.
    longest_run : all lengths at once.

    Notes
    -----
    A first run of k ends on day k with the chance p^k, and on a later day m with
    ``(1 - p) p^k (1 - P(m - k - 1))``, where P(m) is the chance of a run within m days: the
    day before the run was missed, and there was none before it [1]_.  If the viewer leaves
    with chance c before each day, each is multiplied by ``(1 - c)^m``.  No term is negative;
    for `n` up to 10,000 the relative error is below 1e-12 as long as p^k is above 1e-300.
    The time grows with the largest `n`.

    References
    ----------
    .. [1] W. Feller, "An Introduction to Probability Theory and Its Applications", vol. 1,
       3rd ed. (1968), XIII.7.

    Examples
    --------
    >>> print(run_probability(10, 3, 0.5))
    0.5078125
    >>> run_probability(24, 18, [0.5, 0.9]).round(6)
    array([1.50000e-05, 2.40151e-01])
    """
    n, k, p, leaving = _cases(n, k, p=p, leaving=leaving)
    first = p ** k.astype("float64")
    return _as_chance(first * _per_run(n, k, (p, 1 - p), (p, 1 - p), (p, 1 - p), leaving))


def markov_run_probability(n, k, p01, p11, *, leaving=0.0):
    """Return the chance of `k` days in a row within `n`, where a day depends on the day before.

    Parameters
    ----------
    n, k : int or array of int
        Days in all, 0 or more, and length of the run, 1 or more.
    p01, p11 : float or array of float
        Chance that a day is watched if the day before was not, and if it was.
    leaving : float or array of float, default 0
        Chance, before each day, that a viewer who is still there leaves for good.

    Returns
    -------
    float or numpy.ndarray
        Arguments are matched by position and broadcast.  0 where `k` is above `n`.

    Raises
    ------
    ValueError
        If `n` or `k` is no whole number or too small, a chance is not within [0, 1], or
        `p01` is 0 and `p11` is 1, where anything may have happened before day 1.

    See Also
    --------
    run_probability : the same with `p01` and `p11` alike; of the same accuracy.

    Notes
    -----
    The first day is watched with the stationary chance ``p01 / (p01 + 1 - p11)``: the
    habit is older than the window.  The chain and whether a run was seen yet are followed
    day by day [1]_.

    References
    ----------
    .. [1] J. C. Fu, M. V. Koutras, "Distribution theory of runs: a Markov chain approach",
       JASA 89 (1994) 1050-1058.

    Examples
    --------
    >>> markov_run_probability(24, 18, 0.05, [0.5, 0.95]).round(7)
    array([2.800000e-06, 2.717782e-01])
    """
    n, k, p01, p11, leaving = _cases(n, k, p01=p01, p11=p11, leaving=leaving)
    p10 = 1 - p11
    change = p01 + p10
    if (change == 0).any():
        raise ValueError("`p01` must be above 0 where `p11` is 1, found 0.")
    day_one = (p01 / change, p10 / change)
    first = day_one[0] * p11 ** (k - 1.0)
    return _as_chance(first * _per_run(n, k, day_one, (p01, 1 - p01), (p11, p10), leaving))


def beta_run_probability(n, k, a, b, *, leaving=0.0):
    """Return the chance of `k` days in a row within `n`, for a viewer drawn from many.

    Each viewer watches each day with a chance of their own; those follow a beta law.

    Parameters
    ----------
    n, k : int or array of int
        Days in all, 0 or more, and length of the run, 1 or more.
    a, b : float or array of float
        Parameters of the beta law, above 0; the mean is ``a / (a + b)``.
    leaving : float or array of float, default 0
        Chance, before each day, that a viewer who is still there leaves for good.

    Returns
    -------
    float or numpy.ndarray
        Arguments are matched by position and broadcast.  0 where `k` is above `n`.

    Raises
    ------
    ValueError
        If `n` or `k` is no whole number or too small, `a` or `b` is not above 0, or
        `leaving` is not within [0, 1].

    See Also
    --------
    beta_streak_probability : on each of the last k days.

    Notes
    -----
    The chance given p, over p^k, is a polynomial in p of a degree of at most n - k.  Its
    mean under the beta law with parameters a + k and b, which Gauss-Jacobi quadrature gives
    exactly, is multiplied by E[p^k].  Beyond 200 nodes (n - k above 399) it is no longer
    exact, but close.

    Examples
    --------
    >>> print(f"{beta_run_probability(24, 18, 0.05, 2):.4g}")
    0.0002441
    """
    n, k, leaving = _cases(n, k, leaving=leaving)
    n, k, leaving, a, b = np.broadcast_arrays(n, k, leaving, *_positive(a=a, b=b))
    out = np.zeros(n.shape)
    for case in np.ndindex(n.shape):
        if (spare := n[case] - k[case]) < 0:
            continue
        size = int(min(spare // 2 + 1, _NODES))
        p, weight = beta_nodes(size, a[case] + k[case], b[case])
        q = 1 - p
        per_run = _per_run(n[case], k[case], (p, q), (p, q), (p, q), leaving[case])
        out[case] = np.average(per_run, weights=weight)
    return _as_chance(out * np.exp(log_ratio(a, a + b, k)))


def beta_streak_probability(k, a, b):
    """Return the chance that a viewer drawn from many watches on each of `k` given days.

    Each viewer watches each day with a chance of their own; those follow a beta law.  The
    last k days are such days: it is the chance of a streak of `k` days or more that is
    still going on.

    Parameters
    ----------
    k : int or array of int
        Days, 0 or more.
    a, b : float or array of float
        Parameters of the beta law, above 0.

    Returns
    -------
    float or numpy.ndarray
        Arguments are matched by position and broadcast.

    Raises
    ------
    ValueError
        If `k` is no whole number or below 0, or `a` or `b` is not above 0.

    See Also
    --------
    beta_run_probability : on any k days in a row of a window.

    Notes
    -----
    It is E[p^k] = ``B(a + k, b) / B(a, b)``, with a relative error below 1e-12.

    Examples
    --------
    >>> print(f"{beta_streak_probability(18, 0.05, 2):.3g}")
    0.000153
    """
    a, b = _positive(a=a, b=b)
    return np.exp(log_ratio(a, a + b, _whole(k, "k", 0)))[()]


def expected_runs(n, k, p):
    """Return how many runs of `k` watched days or more to expect of one viewer in `n` days.

    Parameters
    ----------
    n, k : int or array of int
        Days in all, 0 or more, and least length of a run, 1 or more.
    p : float or array of float
        Chance that a day is watched, whatever happened before.

    Returns
    -------
    float or numpy.ndarray
        The mean number of maximal runs.  Arguments are matched by position and broadcast.

    Raises
    ------
    ValueError
        If `n` or `k` is no whole number or too small, or `p` is not within [0, 1].

    See Also
    --------
    run_probability : the chance of at least one, the same where ``k > n / 2``.

    Notes
    -----
    ``p^k ((n - k)(1 - p) + 1)``: a run of at least k starts on day 1, or on one of the
    n - k days after a missed one.

    Examples
    --------
    >>> print(expected_runs(10, 3, 0.5))
    0.5625
    """
    n, k, p = _cases(n, k, p=p)
    return np.where(k > n, 0.0, p ** k.astype("float64") * ((n - k) * (1 - p) + 1))[()]


def longest_run(n: int, p: float) -> pd.DataFrame:
    """Return how long the longest run of watched days within `n` days is, and how probably.

    Parameters
    ----------
    n : int
        Days in all, 0 or more.
    p : float
        Chance that a day is watched, whatever happened before.

    Returns
    -------
    pandas.DataFrame
        One row per length from 0 to `n`:

        * ``n_days`` : int, the length
        * ``probability`` : float, that the longest run has it
        * ``reaching`` : float, that the longest run has it or more

    Raises
    ------
    ValueError
        If `n` is no whole number or below 0, or `p` is not within [0, 1].

    See Also
    --------
    run_probability : one length, many viewers.

    Notes
    -----
    `probability` is a difference of neighbours in `reaching`: its error is some 1e-16, also
    where it is itself that small.

    Examples
    --------
    >>> longest = longest_run(100, 0.5)
    >>> print(round((longest["n_days"] * longest["probability"]).sum(), 6))
    5.99178
    """
    n, p = int(_whole(n, "n", 0)), float(_chance(p, "p"))
    lengths = np.arange(n + 1)
    reaching = np.append(1.0, run_probability(n, lengths[1:], p))
    # Rounding may not make a longer run likelier than a shorter one.
    reaching = np.minimum.accumulate(reaching)
    exactly = -np.diff(reaching, append=0.0)
    return pd.DataFrame({"n_days": lengths, "probability": exactly, "reaching": reaching})


def share_after_streak(n: int, k: int, p: float) -> float:
    """Return what share of days after `k` watched days in a row is watched, as viewers average it.

    Parameters
    ----------
    n, k : int
        Days of each viewer, and watched days in a row before the day that is asked about.
    p : float
        Chance that a day is watched, whatever happened before.

    Returns
    -------
    float
        The mean, over viewers with such a day, of each viewer's own share; below `p`
        unless that is 1.

    Raises
    ------
    ValueError
        If `n` or `k` is no whole number, `k` is below 1 or not below `n`, or `p` is not within
        (0, 1].

    See Also
    --------
    streak_survival : pools the days of all viewers, which has no such bias.

    Notes
    -----
    The bias of Miller and Sanjurjo [1]_: among viewers who each watch on half of their days,
    whatever happened before, the share who go on after a streak seems to be less, so that a
    habit looks like none.  Exact, by following how many such days there were and how many of
    them were watched.

    References
    ----------
    .. [1] J. B. Miller, A. Sanjurjo, "Surprised by the hot hand fallacy? A truth in the law of
       small numbers", Econometrica 86 (2018), 2019-2047.

    Examples
    --------
    >>> round(share_after_streak(3, 1, 0.5), 6)  # 5 / 12
    0.416667
    """
    n, k, p = (int(_whole(n, "n", 1)), int(_whole(k, "k", 1)), float(_chance(p, "p")))
    if k >= n or p == 0:
        raise ValueError(f"`k` must be below `n`, and `p` above 0, got {k}, {n} and {p:g}.")
    # By days in a row so far, up to k, by days asked about and by those of them watched.
    chance = np.zeros((k + 1, n - k + 1, n - k + 1))
    chance[0, 0, 0] = 1
    for _ in range(n):
        after = np.zeros_like(chance)
        after[1:] = p * chance[:-1]
        after[0] = (1 - p) * chance[:-1].sum(axis=0)
        after[k, 1:, 1:] += p * chance[k, :-1, :-1]
        after[0, 1:] += (1 - p) * chance[k, :-1]
        chance = after
    asked = chance.sum(axis=0)[1:]
    days = np.arange(n - k + 1)
    return float((asked * days / days[1:, None]).sum() / asked.sum())


def waiting_time(k, p):
    """Return the mean number of days until `k` days in a row were watched.

    Parameters
    ----------
    k : int or array of int
        Length of the run in days, 1 or more.
    p : float or array of float
        Chance that a day is watched, whatever happened before.

    Returns
    -------
    float or numpy.ndarray
        The last of the `k` days included; infinite where `p` is 0.

    Raises
    ------
    ValueError
        If `k` is no whole number or below 1, or `p` is not within [0, 1].

    Notes
    -----
    ``(p^-k - 1) / (1 - p)``, and k where p is 1.

    Examples
    --------
    >>> waiting_time([1, 2, 3], 0.5)
    array([ 2.,  6., 14.])
    """
    _, k, p = _cases(0, k, p=p)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        days = np.expm1(-k * np.log(p)) / (1 - p)
    return np.where(p == 1, k, days)[()]


def _per_run(n, k, day_one, after_off, after_on, leaving):
    """Return the chance of a run of k within n days over that of one on the first k days.

    The chances of a watched and of a missed day come in pairs: of day 1, after a missed
    day, after a watched one.
    """
    cases = np.broadcast_arrays(n, k, *day_one, *after_off, *after_on, leaving)
    columns = [np.ravel(values) for values in cases]
    out = np.zeros(cases[0].size)
    width = max(1, _KEPT // (int(np.max(n, initial=0)) + 1))
    for start in range(0, len(out), width):
        cut = slice(start, start + width)
        out[cut] = _follow(*(column[cut] for column in columns))
    return out.reshape(cases[0].shape)


def _follow(n, k, on, off, p01, p00, p11, p10, leaving):
    """Follow the days, and add up the chances that the first run ends on each."""
    # All but `tail` is over the chance of the k days of the run itself, which may underflow.
    tail = p11 ** (k - 1.0)
    case = np.arange(len(n))
    # That there was a run already and the day is missed, for each day; and is watched.
    missed, watched = np.zeros((n.max(initial=0) + 1, len(n))), np.zeros(len(n))
    total = np.zeros(len(n))
    per_on = np.divide(p01, on, out=np.zeros(len(n)), where=on > 0)
    for day in range(k.min(initial=1), n.max(initial=0) + 1):
        before = day - k
        none_yet = off - on * tail * missed[np.maximum(before, 0), case]
        ends = np.where(before > 0, none_yet * per_on, before == 0)
        total += np.where(day <= n, (1 - leaving) ** day * ends, 0)
        was = missed[day - 1]
        missed[day] = was * p00 + watched * p10
        watched = was * p01 + watched * p11 + ends
    return total


def beta_nodes(size, a, b):
    """Return the nodes and weights of Gauss-Jacobi quadrature for the mean under a beta law.

    SciPy's weights are those of a density that is not divided by its integral, which
    overflows where a and b are large.
    """
    j = np.arange(1.0, size)
    both = a + b
    # Of the three-term recurrence of the Jacobi polynomials; a and b may be tiny beside 2.
    twice = 2 * (j - 1) + both
    middle = np.append((a - b) / both, (a - b) * (both - 2) / (twice * (twice + 2)))
    side = j * (j - 1 + b) * (j - 1 + a) / twice**2 / (twice + 1)
    # The first has a factor of 0 / 0 where a + b is 1.
    side[1:] *= (j[1:] - 2 + both) / (twice[1:] - 1)
    nodes, vectors = linalg.eigh_tridiagonal((1 + middle) / 2, np.sqrt(side))
    return nodes, vectors[0] ** 2


def _cases(n, k, **chances):
    """Return numbers of days, lengths and chances as arrays of one shape."""
    numbers = [_whole(n, "n", 0), _whole(k, "k", 1)]
    return np.broadcast_arrays(*numbers, *(_chance(x, name) for name, x in chances.items()))


def _whole(values, name, low):
    values = np.asarray(values)
    if values.dtype.kind not in "iuf":
        raise ValueError(f"`{name}` must be whole numbers, {low} or more, found {values.dtype}.")
    wrong = ~(np.isfinite(values) & (values == np.floor(values)) & (values >= low))
    if wrong.any():
        raise ValueError(
            f"`{name}` must be whole numbers, {low} or more, got {values[wrong][0]:g}."
        )
    return values.astype("int64")


def _chance(values, name):
    values = np.asarray(values, dtype="float64")
    wrong = ~((values >= 0) & (values <= 1))
    if wrong.any():
        raise ValueError(f"`{name}` must lie in [0, 1], got {values[wrong][0]:g}.")
    return values


def _positive(**params):
    params = {name: np.asarray(values, dtype="float64") for name, values in params.items()}
    for name, values in params.items():
        wrong = ~((values > 0) & np.isfinite(values))
        if wrong.any():
            raise ValueError(f"`{name}` must be above 0 and finite, got {values[wrong][0]:g}.")
    return np.broadcast_arrays(*params.values())


def _as_chance(values):
    return np.minimum(values, 1.0)[()]
