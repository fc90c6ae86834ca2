"""Null models of streaks fitted to a log."""

import itertools
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from toolkit.streak_nulls import NULLS, exposed
from toolkit.streaks import find_streaks
from toolkit.tables import (
    as_day,
    as_viewer_days,
    as_whole_number,
    require_choice,
    require_confidence,
    unit_of,
)

__all__ = ["fit_nulls", "null_posterior"]

# Where logits of chances are looked for, logarithms of other parameters, and ends of intervals.
_EDGE, _FAR_EDGE = 25.0, 40.0
# A posterior reaches to where the profile has fallen by this, in so many steps of a parameter.
_FAR_DROP, _GRID, _LEAST_WEIGHT = 8.0, 21, 1e-4


def fit_nulls(
    viewer_days: pd.DataFrame,
    *,
    as_of,
    available_from,
    population: int,
    to: Literal["days", "streaks"] = "days",
    nulls: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Fit null models to the days on which viewers watched one title, or anything at all.

    Parameters
    ----------
    viewer_days : pandas.DataFrame
        One row per viewer-day; if by title or series, of a single one.
    as_of : date-like
        Last fully observed day; later days are not used.
    available_from : date-like
        First day on which everyone could watch and was observed; earlier days are not used.
    population : int
        How many viewers could watch, those who never did among them.
    to : {'days', 'streaks'}, default 'days'
        Whether to fit to all days of each viewer, or only to how long the streaks are that
        still go on at `as_of`, which is what N(k) holds.
    nulls : sequence of str, optional
        Among "independent", "markov", "beta", "cure" and "dropout"; all by default.
    confidence : float, default 0.95
        How often the interval of a parameter should cover it.

    Returns
    -------
    pandas.DataFrame
        One row per null model:

        * ``null`` : str
        * ``params`` : dict, by the names of `audit_claim`
        * ``low``, ``high`` : dict, ends of their intervals; an end of the range where the
          days do not bound a parameter
        * ``loglik``, ``aic`` : float; the larger, or the smaller, the better does the null
          describe what it was fitted to
        * ``n`` : int, viewers

    Raises
    ------
    ValueError
        If a column is missing, there is more than one title, nobody watched, more viewers
        watched than `population`, `to` or a null is unknown, or `available_from` is after
        `as_of`.

    See Also
    --------
    expect_streaks : how many streaks they expect.
    audit_claim : whether a claim is expected under them.

    Notes
    -----
    Viewers are taken for independent.  The likelihood is that of the days of each viewer,
    in their order, or of the length of the streak, 0 for most, that ends with `as_of`.  An
    interval ends where the profile of its logarithm has fallen by half the quantile of
    chi-squared with one degree of freedom.

    A null that is fitted to days and expects other streaks than there are is refuted; one
    that is fitted to streaks shows what it would have to claim about days.

    Examples
    --------
    >>> viewer_days = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "ann", "bob"],
    ...     "day": pd.to_datetime(["2024-03-01", "2024-03-02", "2024-03-04", "2024-03-02"]),
    ... })
    >>> fits = fit_nulls(viewer_days, as_of="2024-03-05", available_from="2024-03-01",
    ...                  population=4, nulls=["independent"])
    >>> round(fits["params"][0]["p"], 6)
    0.2
    """
    require_confidence(confidence)
    names, days = _asked(viewer_days, as_of, available_from, population, to, nulls)
    drop = stats.chi2.ppf(confidence, 1) / 2
    return pd.DataFrame([_fitted(name, days, to, drop) for name in names])


def null_posterior(
    viewer_days: pd.DataFrame,
    *,
    as_of,
    available_from,
    population: int,
    to: Literal["days", "streaks"] = "days",
    nulls: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return how credible each value of the parameters of null models is, given a log.

    Parameters
    ----------
    viewer_days, as_of, available_from, population, to, nulls
        As in `fit_nulls`.

    Returns
    -------
    pandas.DataFrame
        Some hundred rows per null model:

        * ``null`` : str
        * ``params`` : dict, as in `fit_nulls`
        * ``weight`` : float, how credible they are; 1 in all for each null

    Raises
    ------
    ValueError
        As in `fit_nulls`.

    See Also
    --------
    fit_nulls : the most likely parameters.
    expect_streaks : how many streaks are expected, all that uncertainty included.

    Notes
    -----
    The posterior on a grid that reaches four standard errors or more to both sides.  The prior
    of a chance is that of Jeffreys [1]_, Beta(1/2, 1/2).  For "beta" it is that of the mean
    a / (a + b), while rho = 1 / (a + b + 1) is uniform.

    References
    ----------
    .. [1] H. Jeffreys, "An invariant form for the prior probability in estimation problems",
       Proceedings of the Royal Society A 186 (1946), 453-461.

    Examples
    --------
    >>> viewer_days = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "ann", "bob"],
    ...     "day": pd.to_datetime(["2024-03-01", "2024-03-02", "2024-03-04", "2024-03-02"]),
    ... })
    >>> found = null_posterior(viewer_days, as_of="2024-03-05", available_from="2024-03-01",
    ...                        population=4, nulls=["independent"])
    >>> mean = (found["params"].str["p"] * found["weight"]).sum()
    >>> print(round(mean, 4))  # of 4 days of 20, and of half a day watched and half a day missed
    0.2143
    """
    names, days = _asked(viewer_days, as_of, available_from, population, to, nulls)
    tables = [_credible(name, days, to) for name in names]
    columns = ["null", "params", "weight"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def _asked(viewer_days, as_of, available_from, population, to, nulls) -> tuple[list, dict]:
    require_choice(to, ["days", "streaks"], "to")
    names = list(NULLS) if nulls is None else list(nulls)
    for name in names:
        require_choice(name, list(NULLS), "nulls")
    return names, _days_of_each(viewer_days, as_of, available_from, population)


def _days_of_each(viewer_days, as_of, available_from, population) -> dict:
    """Return of viewers who are alike what the likelihoods need of their days, and how many.

    `n` days could be watched, `watched` were, in `n_runs` pieces, the `open` last ones
    among them; whether the `first` was, and up to which day the viewer was `seen`.
    """
    population = as_whole_number(population, "population", low=1)
    _, (n,) = exposed(population, available_from, as_of)
    start, viewer_days = as_day(available_from, "available_from"), as_viewer_days(viewer_days)
    unit = unit_of(viewer_days, "viewer_days")
    if unit and (found := viewer_days[unit].nunique()) > 1:
        raise ValueError(f"`viewer_days` must be of one {unit}, found {found}.")
    streaks = find_streaks(viewer_days, as_of=as_of, observed_from=start)
    of_viewer = streaks.groupby("viewer", observed=True)
    each = pd.DataFrame(
        {
            "watched": of_viewer["n_days"].sum(),
            "n_runs": of_viewer.size(),
            "first": of_viewer["first_day"].min() == start,
            "open": (streaks["n_days"] * streaks["is_open"])
            .groupby(streaks["viewer"], observed=True)
            .sum(),
            "seen": (of_viewer["last_day"].max() - start).dt.days + 1,
        }
    ).astype("int64")
    if not 0 < len(each) <= population:
        raise ValueError(
            f"`population` must count all viewers who watched, and some must have, got "
            f"{population}; {len(each)} watched."
        )
    alike = each.value_counts().reset_index()
    never = pd.DataFrame([{"count": population - len(each)}], columns=alike.columns)
    alike = pd.concat([alike, never.fillna(0)], ignore_index=True).astype("float64")
    return {name: alike[name].to_numpy() for name in alike} | {"n": int(n)}


def _fitted(name: str, days: dict, to: str, drop: float) -> dict:
    """Return the most likely parameters of a null, and their intervals."""
    loss, best, limits, to_params = _most_likely(name, days, to)
    ends = [_ends(loss, best, at, drop, limits) for at in range(len(limits))]
    low, high = (to_params([pair[side] for pair in ends]) for side in (0, 1))
    return {
        "null": name,
        "params": to_params(best.x),
        "low": low,
        "high": high,
        "loglik": -best.fun,
        "aic": 2 * (len(limits) + best.fun),
        "n": int(days["count"].sum()),
    }


def _credible(name: str, days: dict, to: str) -> pd.DataFrame:
    """Return the parameters on a grid around the most likely, with their weights."""
    loss, best, limits, to_params = _most_likely(name, days, to)
    sides = []
    for at, (least, most) in enumerate(limits):
        low, high = np.clip(_ends(loss, best, at, _FAR_DROP, limits), least, most)
        sides.append(np.linspace(low, high, _GRID))
    points = list(itertools.product(*sides))
    params = [to_params(point) for point in points]
    height = np.array([-loss(point) for point in points]) + [_log_prior(**some) for some in params]
    weight = np.exp(height - height.max())
    table = pd.DataFrame({"null": name, "params": params, "weight": weight / weight.sum()})
    table = table[weight > _LEAST_WEIGHT]
    return table.assign(weight=table["weight"] / table["weight"].sum())


def _log_prior(a=None, b=None, **chances) -> float:
    """Return the logarithm of the prior where logits, or logs of a and b, are the measure."""
    if a is None:
        p = np.array(list(chances.values()))
        return (np.log(p) + np.log1p(-p)).sum() / 2
    # Of the mean a / (a + b) as of a chance, and of rho = 1 / (a + b + 1) as uniform.
    return (np.log(a) + np.log(b)) / 2 - 2 * np.log1p(a + b)


def _most_likely(name: str, days: dict, to: str) -> tuple:
    """Return what to climb down, its lowest point, where to look, and how to read a point."""
    null = NULLS[name]
    is_log = np.array([param in ("a", "b") for param in null.params])
    limits = [(-edge, edge) for edge in np.where(is_log, _FAR_EDGE, _EDGE)]

    def to_params(free) -> dict:
        values = np.where(is_log, np.exp(free), special.expit(free))
        return dict(zip(null.params, values.tolist(), strict=True))

    def loss(free) -> float:
        params = to_params(free)
        each = _LOGLIKS[name](days, **params) if to == "days" else _log_open(null, days, params)
        return -(days["count"] @ each)

    share = days["watched"] @ days["count"] / (days["n"] * days["count"].sum())
    # From viewers who are alike, and from those who differ; from many who stay, and few.
    middle = np.clip(special.logit(share), -_EDGE, _EDGE)
    starts = [[middle, x][: len(is_log)] for x in (-4.0, 0.0, 2.0)]
    starts += [[x, middle][: len(is_log)] for x in (-4.0, 0.0)]
    best = min((_climb(loss, start, limits) for start in starts), key=lambda found: found.fun)
    return loss, best, limits, to_params


def _climb(loss, start, limits):
    options = {"xatol": 1e-9, "fatol": 1e-9, "maxiter": 4000, "maxfev": 4000}
    return optimize.minimize(loss, start, method="Nelder-Mead", bounds=limits, options=options)


def _ends(loss, best, at: int, drop: float, limits) -> list:
    """Return where the profile of the loglikelihood has fallen by `drop` on both sides."""

    def excess(value) -> float:
        if len(best.x) == 1:
            return loss([value]) - best.fun - drop
        # The other parameter, as likely as it can be.
        found = _climb(
            lambda other: loss(np.insert(other, at, value)), best.x[[1 - at]], [limits[1 - at]]
        )
        return found.fun - best.fun - drop

    ends = []
    for edge in (-_EDGE, _EDGE):
        if excess(edge) <= 0:
            ends.append(np.copysign(np.inf, edge))
        else:
            ends.append(optimize.brentq(excess, best.x[at], edge, xtol=1e-8))
    return ends


def _log_open(null, days, params):
    lengths = np.arange(1, days["n"] + 1)
    reaching = np.concatenate([[1.0], null.chance("open", days["n"], lengths, **params), [0.0]])
    with np.errstate(divide="ignore"):
        exactly = np.log(np.maximum(reaching[:-1] - reaching[1:], 1e-300))
    return exactly[days["open"].astype("int64")]


def _log_independent(days, p):
    return special.xlogy(days["watched"], p) + special.xlog1py(days["n"] - days["watched"], -p)


def _log_markov(days, p01, p11):
    on = p01 / (p01 + 1 - p11)
    again = days["watched"] - days["n_runs"]
    begun, ended = days["n_runs"] - days["first"], days["n_runs"] - (days["open"] > 0)
    idle = days["n"] - 1 - again - begun - ended
    return (
        special.xlogy(days["first"], on)
        + special.xlogy(1 - days["first"], (1 - p11) / (p01 + 1 - p11))
        + special.xlogy(again, p11)
        + special.xlog1py(ended, -p11)
        + special.xlogy(begun, p01)
        + special.xlog1py(idle, -p01)
    )


def _log_beta(days, a, b):
    watched = days["watched"].astype("int64")
    j = np.arange(days["n"])
    rising = [np.append(0.0, np.log(x + j).cumsum()) for x in (a, b, a + b)]
    return rising[0][watched] + rising[1][days["n"] - watched] - rising[2][days["n"]]


def _log_cure(days, share, p):
    with np.errstate(divide="ignore"):
        never_missed = np.where(days["watched"] == days["n"], np.log(share), -np.inf)
    return np.logaddexp(never_missed, np.log1p(-share) + _log_independent(days, p))


def _log_dropout(days, p, leaving):
    # Up to the day last seen the viewer was there; after it missed days, or had left.
    unseen = days["n"] - days["seen"]
    kept = (1 - p) * (1 - leaving)
    after = kept**unseen + leaving * (1 - kept**unseen) / (1 - kept)
    while_seen = special.xlogy(days["watched"], p)
    while_seen += special.xlog1py(days["seen"] - days["watched"], -p)
    return while_seen + special.xlog1py(days["seen"], -leaving) + np.log(after)


_LOGLIKS = {
    "independent": _log_independent,
    "markov": _log_markov,
    "beta": _log_beta,
    "cure": _log_cure,
    "dropout": _log_dropout,
}
