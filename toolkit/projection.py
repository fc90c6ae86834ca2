"""How many of a cohort will stay: the shifted-beta-geometric projection."""

import numpy as np
import pandas as pd
from scipy import special, stats
from scipy.optimize import elementwise

from toolkit.tables import as_whole_number, require_columns, require_confidence

__all__ = ["fit_retention", "project_retention"]

_LEAST_COHORT, _LEAST_PERIODS = 50, 3
# Where the logit of mu is looked for, and the largest rho (see `_hazards`).
_LOGITS = (-40.0, 36.0)
_MOST = 1 - 1e-9
_CURVES = 201


def fit_retention(retained) -> pd.DataFrame:
    """Fit the shifted-beta-geometric law to how many of a cohort are still there.

    Each viewer leaves after any period with the same chance of its own; those chances
    follow a beta distribution over viewers.

    Parameters
    ----------
    retained : sequence of int, or pandas.DataFrame
        How many were there at the start, after one period, after two, ...; or the rows of
        one cohort of `retention` with ``counts="on_or_after"``, of which those that are not
        complete are not used.

    Returns
    -------
    pandas.DataFrame
        One row:

        * ``alpha``, ``beta`` : float, of the beta distribution; both infinite where all
          viewers are best taken for alike (a geometric law), both next to 0 where nobody
          leaves after the first period
        * ``loglik`` : float, logarithm of the likelihood
        * ``n_cohort`` : int, viewers at the start
        * ``n_periods`` : int, periods that the fit has seen

    Raises
    ------
    ValueError
        If the counts rise, are no whole numbers, start below 50, never fall, or do not tell
        of three periods in which someone could leave.

    See Also
    --------
    project_retention : the curve, and where it goes.

    Notes
    -----
    The chance to leave after period t, for who is still there, is
    ``h(t) = alpha / (alpha + beta + t - 1)``: it falls only because those who would leave
    soon have left [1]_.  With N(t) viewers there after t periods the likelihood is the
    product over t of ``h(t)^(N(t-1) - N(t)) (1 - h(t))^N(t)``; those still there at the end
    are right-censored.

    References
    ----------
    .. [1] P. S. Fader, B. G. S. Hardie, "How to project customer retention", J. Interactive
       Marketing 21 (2007) 76-90.

    Examples
    --------
    >>> fit_retention([1000, 631, 468, 382, 326, 289, 262, 241]).round(3)
       alpha   beta    loglik  n_cohort  n_periods
    0  0.704  1.182 -1680.265      1000          7
    """
    left = _as_counts(retained)
    mu, rho, loglik = _best(left)
    with np.errstate(divide="ignore"):
        total = np.divide(1 - rho, rho)
    fit = {"alpha": mu * total, "beta": (1 - mu) * total, "loglik": loglik}
    return pd.DataFrame(fit | {"n_cohort": left[:1], "n_periods": len(left) - 1})


def project_retention(retained, *, periods: int, confidence: float = 0.95) -> pd.DataFrame:
    """Project how much of a cohort will still be there, with an interval.

    The curve is that of `fit_retention`.  It is a survival curve: who has left does not come
    back.

    Parameters
    ----------
    retained : sequence of int, or pandas.DataFrame
        As in `fit_retention`.
    periods : int
        How many periods to project beyond the last in `retained`.
    confidence : float, default 0.95
        How often the interval at each age should cover the true curve.

    Returns
    -------
    pandas.DataFrame
        One row per age, from 0 on:

        * ``age`` : int, periods since the start
        * ``observed`` : float, share still there; NaN where it is projected
        * ``retention`` : float, share still there by the law, S(age)
        * ``low``, ``high`` : float, its interval
        * ``is_projected`` : bool

    Raises
    ------
    ValueError
        As in `fit_retention`, or if `periods` is below 1 or `confidence` no share.

    See Also
    --------
    fit_retention : the law's parameters.
    plot_retention_curves : draws this table.

    Notes
    -----
    ``S(t) = B(alpha, beta + t) / B(alpha, beta)``, the product of ``1 - h(j)`` up to t.  The
    share of those there at t - 1 who stay, S(t) / S(t - 1), rises with t: a constant rate of
    churn, taken from the first periods, is too pessimistic [1]_.

    The interval is by profile likelihood: the least and the greatest S(t) among all alpha
    and beta whose loglikelihood lies within half of the chi-squared quantile, at one degree
    of freedom, of the greatest.  It speaks of the curve that many such cohorts share, not of
    the count that this one will show, and of chance alone: keep the last periods back and
    project them to see whether the law holds.

    Only what can't be undone decays like this: a subscription, or "seen in this period or
    any later".  Counts of who watched *on* an age rise and fall and are refused once they
    rise.  Those of "on or after" fall too fast near the end of the log, where later returns
    are yet to be seen; leave the last ages out.

    References
    ----------
    .. [1] P. S. Fader, B. G. S. Hardie, "How to project customer retention", J. Interactive
       Marketing 21 (2007) 76-90.

    Examples
    --------
    >>> project_retention([1000, 631, 468, 382, 326], periods=2).round(3)
       age  observed  retention    low   high  is_projected
    0    0     1.000      1.000  1.000  1.000         False
    1    1     0.631      0.629  0.600  0.658         False
    2    2     0.468      0.472  0.444  0.500         False
    3    3     0.382      0.383  0.356  0.412         False
    4    4     0.326      0.325  0.297  0.355         False
    5    5       NaN      0.284  0.255  0.315          True
    6    6       NaN      0.254  0.223  0.285          True
    """
    periods = as_whole_number(periods, "periods", low=1)
    require_confidence(confidence)
    left = _as_counts(retained)
    mu, rho, loglik = _best(left)
    size = len(left) + periods
    curves = _curves(size, *_as_likely(left, rho, loglik - stats.chi2.ppf(confidence, 1) / 2))
    observed = np.full(size, np.nan)
    observed[: len(left)] = left / left[0]
    return pd.DataFrame(
        {
            "age": np.arange(size),
            "observed": observed,
            "retention": _curves(size, mu, rho),
            "low": curves.min(axis=0),
            "high": curves.max(axis=0),
            "is_projected": np.arange(size) >= len(left),
        }
    )


def _as_counts(retained) -> np.ndarray:
    """Return how many are there after 0, 1, ... periods, or say why they are no survival."""
    if isinstance(retained, pd.DataFrame):
        retained = _of_cohort(retained)
    left = np.asarray(retained)
    whole = left.ndim == 1 and left.dtype.kind in "iuf" and (left == np.floor(left)).all()
    if not whole or not ((left >= 0) & (left < 2**53)).all():
        raise ValueError(
            f"`retained` must be whole numbers, 0 or more, one after each period, found {retained}."
        )
    left = left.astype("int64")
    if (rises := np.diff(left) > 0).any():
        age = int(rises.argmax())
        raise ValueError(
            f"`retained` must never rise, as who has left does not come back, found "
            f"{left[age]} and then {left[age + 1]} at age {age + 1}."
        )
    at_risk = np.count_nonzero(left[:-1] > 0)
    if at_risk < _LEAST_PERIODS or left[0] < _LEAST_COHORT or left[0] == left[-1]:
        raise ValueError(
            f"`retained` must start with at least {_LEAST_COHORT} viewers, and tell of at least "
            f"{_LEAST_PERIODS} periods in which some could leave and of some who did, found "
            f"{left.tolist()}."
        )
    return left


def _of_cohort(retention: pd.DataFrame) -> pd.Series:
    needed = ["age", "age_last", "n_cohort", "n_retained", "is_complete"]
    require_columns(retention, needed, "retained")
    rows = retention[retention["is_complete"].to_numpy(bool)].sort_values("age")
    ages, sizes = rows[["age", "age_last"]].to_numpy(), sorted(set(rows["n_cohort"].tolist()))
    if (ages != np.arange(len(rows))[:, None]).any() or len(sizes) > 1:
        raise ValueError(
            "`retained` must be one cohort of one size, with a row for each age from 0 on, found "
            f"ages {ages[:, 0].tolist()} of {sizes} viewers."
        )
    return rows["n_retained"]


def _hazards(size: int, mu, rho) -> np.ndarray:
    """Return the chance to leave after each period: mu after the first, falling with rho.

    The mean chance is mu = alpha / (alpha + beta), and rho = 1 / (1 + alpha + beta) how far
    viewers differ: 0 if they are alike, 1 if each leaves at once or never.
    """
    mu, rho = np.asarray(mu)[..., None], np.asarray(rho)[..., None]
    return mu * (1 - rho) / (1 - rho + rho * np.arange(size))


def _curves(size: int, mu, rho) -> np.ndarray:
    stay = 1 - _hazards(size, mu, rho)
    return np.cumprod(np.concatenate([np.ones_like(stay[..., :1]), stay[..., :-1]], axis=-1), -1)


def _logliks(left: np.ndarray, mu, rho) -> np.ndarray:
    h = _hazards(len(left) - 1, mu, rho)
    return (special.xlogy(-np.diff(left), h) + special.xlog1py(left[1:], -h)).sum(axis=-1)


def _profile(left: np.ndarray, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the logit of the most likely mu for each rho, and the loglikelihood there."""

    def slope(x, rho):
        h = _hazards(len(left) - 1, special.expit(x), rho)
        return (-np.diff(left) - left[1:] * h / (1 - h)).sum(axis=-1)

    logits = _root(slope, *_LOGITS, rho)
    return logits, _logliks(left, special.expit(logits), rho)


def _best(left: np.ndarray) -> tuple[float, float, float]:
    """Return the most likely mu and rho, and their loglikelihood."""
    low, high = 0.0, _MOST
    # Each round looks a hundred times closer.
    for _ in range(4):
        rho = np.linspace(low, high, _CURVES)
        logits, heights = _profile(left, rho)
        at = int(heights.argmax())
        low, high = rho[max(at - 1, 0)], rho[min(at + 1, _CURVES - 1)]
    return special.expit(logits[at]), rho[at], heights[at]


def _as_likely(left: np.ndarray, rho: float, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the edge of all mu and rho whose loglikelihood is more than `least`."""
    away = np.geomspace(1e-9, 1, 2 * _CURVES)
    near = np.clip(np.concatenate([rho - away[::-1], rho + away]), 0, _MOST)
    inside = np.flatnonzero(_profile(left, near)[1] > least)
    low, high = near[max(inside[0] - 1, 0)], near[min(inside[-1] + 1, len(near) - 1)]
    rho = np.append(np.linspace(low, high, _CURVES), rho)
    logits, heights = _profile(left, rho)
    logits, rho = logits[heights > least], rho[heights > least]

    def above(x, rho):
        return _logliks(left, special.expit(x), rho) - least

    # For each rho the loglikelihood has one top, and falls on both sides of it.
    sides = [_root(above, logits, edge, rho) for edge in _LOGITS]
    return special.expit(np.concatenate(sides)), np.tile(rho, 2)


def _root(function, low, high, rho: np.ndarray) -> np.ndarray:
    """Return where a function of a number and rho is 0 between two, for each rho."""
    # Its search tries steps that have no root, and takes others.
    with np.errstate(invalid="ignore"):
        return elementwise.find_root(function, (low, high), args=(rho,)).x
