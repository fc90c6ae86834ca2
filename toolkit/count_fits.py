"""Which law the counts of viewings follow, and which laws they can't tell apart."""

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from toolkit.count_laws import (
    LAWS,
    best_fit,
    distances,
    draw,
    log_pmf,
    profile_intervals,
    refit,
    sample_of,
)
from toolkit.order import codes_of
from toolkit.tables import as_whole_number, require_choice, require_columns

__all__ = ["choose_xmin", "compare_fits", "fit_counts"]

_LEAST_COUNTS, _LEAST_VALUES, _LEAST_ACCOUNTS = 50, 3, 20
# Which law is a case of which, and whether it lies at the edge of the other's parameters.
_NESTED = {
    ("poisson", "nbd"): True,
    ("geometric", "nbd"): False,
    ("logseries", "nbd"): True,
    ("geometric", "betageometric"): True,
    ("yule", "betageometric"): False,
    ("zeta", "truncated_zeta"): True,
    ("geometric", "truncated_zeta"): False,
    ("logseries", "truncated_zeta"): False,
}


def fit_counts(
    counts,
    *,
    models: Sequence[str] | None = None,
    xmin: int = 1,
    seed: int,
    n_bootstrap: int = 200,
    confidence: float = 0.95,
    intervals: Literal["profile", "accounts"] = "profile",
) -> pd.DataFrame:
    """Fit laws to counts by maximum likelihood, and test whether each could be the source.

    A law is fitted to the counts of `xmin` or more, as the distribution of a count given
    that it is at least that.

    Parameters
    ----------
    counts : sequence of int, or pandas.DataFrame
        Whole numbers, 0 or more, or what `count_viewings` gives.  Those below `xmin` are
        not used.
    models : sequence of str, optional
        Among "poisson", "geometric", "nbd", "logseries", "yule", "zeta", "truncated_zeta",
        "lognormal" and "betageometric"; all that can hold a count of `xmin` by default.
    xmin : int, default 1
        Least count.  With 0 there is no truncation, and the laws that start from 1
        (logseries, yule, zeta, truncated_zeta) do not apply.
    seed : int
        Of the random numbers of both bootstraps.  A model's result does not depend on which
        others are fitted.
    n_bootstrap : int, default 200
        Samples drawn from each fitted law for `p_value`, and of accounts for `intervals`.
        With 0 there is no `p_value`.
    confidence : float, default 0.95
        Of the intervals of the parameters.
    intervals : {'profile', 'accounts'}, default 'profile'
        By profile likelihood, which takes counts for independent; or between percentiles
        over resampled accounts, whose counts stay together.

    Returns
    -------
    pandas.DataFrame
        One row per model, in the order of `models`:

        * ``model`` : str
        * ``params`` : dict, by the names under Notes
        * ``loglik``, ``aic``, ``bic`` : float
        * ``ks`` : float, largest distance between both cumulative distributions
        * ``p_value`` : float, share of samples of the law, fitted in turn, that lie as far
          from it; small where the law is no plausible source
        * ``n`` : int, counts used
        * ``low``, ``high`` : dict, ends of the intervals of `params`; the end of a
          parameter's range (0, infinity) where the counts do not bound it
        * ``limit`` : str, the law that this one has become for these counts, a parameter
          running off to the edge of its range; missing otherwise

    Raises
    ------
    ValueError
        If counts are not whole numbers, fewer than 50 or of fewer than three different
        values, a model is unknown or can't hold a count of `xmin`, or accounts are asked for
        and fewer than 20 of them known.

    See Also
    --------
    compare_fits : which of two laws the counts favour.
    choose_xmin : from where on counts follow a power law.

    Notes
    -----
    With k the count, up to the factor that makes what is left from `xmin` on sum to 1:

    ==============  ============================================  ======================
    model           P(k) in proportion to                         params
    ==============  ============================================  ======================
    poisson         lambda^k / k!                                 lambda
    geometric       (1 - p)^k                                     p
    nbd             G(r + k) / k! (1 + alpha)^-k                  r, alpha (mean r/alpha)
    logseries       q^k / k                                       q
    yule            B(k, rho + 1)                                 rho
    zeta            k^-alpha                                      alpha
    truncated_zeta  k^-alpha exp(-lambda k)                       alpha, lambda
    lognormal       F(k + 1/2) - F(k - 1/2), F lognormal          mu, sigma
    betageometric   B(alpha + 1, beta + k - 1); k for k - 1       alpha, beta
                    where `xmin` is 0
    ==============  ============================================  ======================

    The NBD is Ehrenberg's, a Poisson whose rate is gamma over viewers [1]_; the log-series
    is Fisher's, its limit as r goes to 0 [2]_; Yule-Simon is that of cumulative advantage
    [3]_; zeta is the power law and truncated_zeta has an exponential cut-off [4]_; a
    beta-geometric viewer stops after each viewing with a chance of its own [5]_.  `p_value`
    is Clauset, Shalizi and Newman's, but for one: (1 + those as far) / (1 + all) is never 0.

    Never read a law off a straight line on logarithmic axes: such a regression has no
    valid error, and other laws look straight too [4]_.

    References
    ----------
    .. [1] A. S. C. Ehrenberg, "The pattern of consumer purchases", Applied Statistics 8
       (1959) 26-41.
    .. [2] R. A. Fisher, A. S. Corbet, C. B. Williams, "The relation between the number of
       species and the number of individuals", J. Animal Ecology 12 (1943) 42-58.
    .. [3] H. A. Simon, "On a class of skew distribution functions", Biometrika 42 (1955)
       425-440.
    .. [4] A. Clauset, C. R. Shalizi, M. E. J. Newman, "Power-law distributions in empirical
       data", SIAM Review 51 (2009) 661-703.
    .. [5] P. S. Fader, B. G. S. Hardie, "How to project customer retention", J. Interactive
       Marketing 21 (2007) 76-90.

    Examples
    --------
    >>> counts = np.repeat([1, 2, 3, 4, 5], [60, 25, 9, 4, 2])
    >>> fits = fit_counts(counts, models=["geometric", "zeta"], seed=1)
    >>> fits[["model", "loglik", "aic"]].round(2)
           model  loglik     aic
    0  geometric -108.75  219.49
    1       zeta -118.68  239.35
    >>> round(fits["params"][0]["p"], 4)
    0.6135
    """
    require_choice(intervals, ["profile", "accounts"], "intervals")
    if not 0 < confidence < 1:
        raise ValueError(f"`confidence` must lie in (0, 1), got {confidence!r}.")
    seed = as_whole_number(seed, "seed", low=0)
    n_bootstrap = as_whole_number(n_bootstrap, "n_bootstrap", low=0)
    values, codes, accounts, xmin = _usable(counts, xmin)
    models = _as_models(models, xmin)
    sample = sample_of(np.bincount(codes)[None], values, xmin)
    fits = []
    for model in models:
        law = LAWS[model]
        params, loglik, limit = best_fit(law, sample)
        ks = float(distances(law, params, sample)[0])
        rng = np.random.default_rng([seed, list(LAWS).index(model)])
        if intervals == "profile":
            drop = stats.chi2.ppf(confidence, 1) / 2
            low, high = profile_intervals(law, sample, params, loglik, drop)
        else:
            resampled = _resampled(codes, accounts, n_bootstrap, rng)
            refits = refit(law, sample_of(resampled, values, xmin), params)
            tails = [(1 - confidence) / 2, (1 + confidence) / 2]
            low, high = np.quantile(refits, tails, axis=1)[:, None]
        size = len(law.params)
        fits.append(
            {
                "model": model,
                "params": _named(law, [p[0] for p in params]),
                "loglik": float(loglik[0]),
                "aic": float(2 * size - 2 * loglik[0]),
                "bic": float(size * np.log(len(codes)) - 2 * loglik[0]),
                "ks": ks,
                "p_value": _p_value(law, params, xmin, len(codes), ks, n_bootstrap, rng),
                "n": len(codes),
                "low": _named(law, low[0]),
                "high": _named(law, high[0]),
                "limit": limit,
            }
        )
    return pd.DataFrame(fits).astype({"limit": "str"})


def compare_fits(
    counts,
    *,
    models: Sequence[str] | None = None,
    xmin: int = 1,
    correction: Literal["schwarz"] | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Test for each pair of laws which one the counts favour.

    Parameters
    ----------
    counts, models, xmin
        As in `fit_counts`.
    correction : {'schwarz'}, optional
        Charge each law of a pair that is not nested half of log n per parameter.
    confidence : float, default 0.95
        A law is favoured if the p-value is below 1 less this.

    Returns
    -------
    pandas.DataFrame
        One row per pair:

        * ``model``, ``other`` : str; of a nested pair `model` is the smaller law
        * ``n`` : int, counts used
        * ``test`` : 'vuong', or 'likelihood ratio' for a nested pair
        * ``loglik_ratio`` : float, loglikelihood of `model` less that of `other`
        * ``statistic`` : float, Vuong's z, above 0 where `model` is closer, or minus twice
          the `loglik_ratio` of a nested pair
        * ``p_value`` : float, two-sided for Vuong's test
        * ``favours`` : str, missing where the counts can't tell them apart

    Raises
    ------
    ValueError
        As in `fit_counts`, or for fewer than two models.

    See Also
    --------
    fit_counts : the fits that are compared.

    Notes
    -----
    Vuong's z is the sum of the differences of both loglikelihoods, count by count, over
    their standard deviation times the root of n [1]_.  Where the smaller of nested laws lies
    at the edge of the larger one's parameters, half of the chi-squared's tail is taken
    [2]_.  To be favoured is no proof: both laws of a pair may be poor, as `fit_counts`
    tells.

    References
    ----------
    .. [1] Q. H. Vuong, "Likelihood ratio tests for model selection and non-nested
       hypotheses", Econometrica 57 (1989) 307-333.
    .. [2] S. G. Self, K.-Y. Liang, "Asymptotic properties of maximum likelihood estimators
       and likelihood ratio tests under nonstandard conditions", JASA 82 (1987) 605-610.

    Examples
    --------
    >>> counts = np.repeat([1, 2, 3, 4, 5], [60, 25, 9, 4, 2])
    >>> compare_fits(counts, models=["geometric", "zeta"]).round(3)[["statistic", "favours"]]
       statistic    favours
    0      3.193  geometric
    """
    require_choice(correction, [None, "schwarz"], "correction")
    if not 0 < confidence < 1:
        raise ValueError(f"`confidence` must lie in (0, 1), got {confidence!r}.")
    values, codes, _, xmin = _usable(counts, xmin)
    models = _as_models(models, xmin)
    if len(models) < 2:
        raise ValueError(f"`models` must name at least two laws, got {models}.")
    occurs = np.bincount(codes)
    sample = sample_of(occurs[None], values, xmin)
    logs = {}
    for model in models:
        params, _, _ = best_fit(LAWS[model], sample)
        logs[model] = log_pmf(LAWS[model], values.astype("float64"), params, xmin)
    pairs = []
    for pair in combinations(models, 2):
        model, other = pair[::-1] if pair[::-1] in _NESTED else pair
        difference = logs[model] - logs[other]
        charge = 0.0
        if correction == "schwarz":
            charge = (len(LAWS[model].params) - len(LAWS[other].params)) / 2 * np.log(len(codes))
        if (model, other) in _NESTED:
            test = _likelihood_ratio(difference, occurs, at_edge=_NESTED[model, other])
            closer = other
        else:
            test = _vuong(difference, occurs, charge)
            closer = model if test[2] > 0 else other
        favours = closer if test[3] < 1 - confidence else None
        pairs.append([model, other, len(codes), *test, favours])
    columns = ["model", "other", "n", "test", "loglik_ratio", "statistic", "p_value", "favours"]
    return pd.DataFrame(pairs, columns=columns).astype({"favours": "str"})


def choose_xmin(counts, *, max_xmin: int | None = None) -> pd.DataFrame:
    """Fit a power law from each count on, to find from where on counts follow one best.

    Parameters
    ----------
    counts
        As in `fit_counts`; zeros are not used.
    max_xmin : int, optional
        Largest count to start from; by default the largest that leaves enough counts.

    Returns
    -------
    pandas.DataFrame
        One row per value that occurs and leaves 50 counts or more, of three different
        values:

        * ``xmin`` : int
        * ``n`` : int, counts of `xmin` or more
        * ``alpha`` : float, most likely exponent
        * ``ks`` : float, largest distance between both cumulative distributions
        * ``is_chosen`` : bool, of the smallest distance; the first of equal ones

    Raises
    ------
    ValueError
        If counts are not whole numbers or too few.

    See Also
    --------
    fit_counts : the fit from there on, beside other laws.

    Notes
    -----
    This is Clauset, Shalizi and Newman's choice [1]_.  It makes a power law look as good as
    it can, so that a `p_value` of `fit_counts` at the chosen `xmin` is too kind to it.

    References
    ----------
    .. [1] A. Clauset, C. R. Shalizi, M. E. J. Newman, "Power-law distributions in empirical
       data", SIAM Review 51 (2009) 661-703.

    Examples
    --------
    >>> counts = np.repeat([1, 2, 3, 4, 8, 16], [90, 90, 40, 22, 5, 2])
    >>> choose_xmin(counts).round(3)
       xmin    n  alpha     ks  is_chosen
    0     1  249  1.953  0.230      False
    1     2  159  3.092  0.069       True
    2     3   69  3.823  0.097      False
    """
    values, codes, _, _ = _usable(counts, 1)
    occurs = np.bincount(codes)
    left = np.cumsum(occurs[::-1])[::-1]
    enough = (left >= _LEAST_COUNTS) & (np.arange(len(values), 0, -1) >= _LEAST_VALUES)
    if max_xmin is not None:
        enough &= values <= as_whole_number(max_xmin, "max_xmin", low=1)
    start = np.flatnonzero(enough)
    if not len(start):
        raise ValueError(f"`max_xmin` must be a count that occurs or above it, got {max_xmin!r}.")
    xmin = values[start]
    tails = np.where(np.arange(len(values)) >= start[:, None], occurs, 0)
    sample = sample_of(tails, values, xmin)
    (alpha,) = refit(LAWS["zeta"], sample, [np.array([2.0])])
    ks = distances(LAWS["zeta"], (alpha,), sample)
    is_chosen = np.arange(len(ks)) == np.argmin(ks)
    return pd.DataFrame(
        {"xmin": xmin, "n": left[start], "alpha": alpha, "ks": ks, "is_chosen": is_chosen}
    )


def _usable(counts, xmin) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, int]:
    """Return the values from `xmin` on, which each count and whose it is, and `xmin`."""
    xmin = as_whole_number(xmin, "xmin", low=0)
    accounts = None
    if isinstance(counts, pd.DataFrame):
        require_columns(counts, ["n_viewings"], "counts")
        if "account" in counts:
            accounts = codes_of(counts["account"].astype("category"), "account")[0]
        counts = counts["n_viewings"]
    numbers = _as_numbers(counts)
    used = numbers >= xmin
    numbers, accounts = numbers[used], None if accounts is None else accounts[used]
    values, codes = np.unique(numbers, return_inverse=True)
    if len(numbers) < _LEAST_COUNTS or len(values) < _LEAST_VALUES:
        raise ValueError(
            f"`counts` must hold at least {_LEAST_COUNTS} counts of {xmin} or more, of "
            f"{_LEAST_VALUES} different values, to tell laws apart, found {len(numbers)} of "
            f"{len(values)}."
        )
    return values, codes, accounts, xmin


def _as_numbers(counts) -> np.ndarray:
    try:
        numbers = np.asarray(counts, dtype="float64")
    except (TypeError, ValueError):
        numbers = np.array(np.nan)
    is_truth = np.asarray(counts).dtype == bool
    if numbers.ndim != 1 or is_truth:
        raise ValueError("`counts` must be a column of whole numbers, found something else.")
    wrong = ~((numbers >= 0) & (numbers < 2**52) & (numbers == np.floor(numbers)))
    if wrong.any():
        raise ValueError(
            f"`counts` must be whole numbers, 0 or more, found {float(numbers[wrong][0])}."
        )
    return numbers.astype("int64")


def _as_models(models: Sequence[str] | None, xmin: int) -> list[str]:
    able = [name for name, law in LAWS.items() if law.least <= xmin]
    if models is None:
        return able
    models = list(dict.fromkeys([models] if isinstance(models, str) else models))
    for model in models:
        require_choice(model, list(LAWS), "models")
        if model not in able:
            raise ValueError(
                f"`models` must be laws of counts from {xmin} on, which {model!r} is not: it "
                "starts from 1."
            )
    return models


def _named(law, values) -> dict:
    return dict(zip(law.params, map(float, values), strict=True))


def _p_value(law, params, xmin, n, ks, n_bootstrap, rng) -> float:
    """Return the share of samples of the law that lie as far from it, each fitted in turn."""
    if not n_bootstrap:
        return np.nan
    table, values = draw(law, params, xmin, n, n_bootstrap, rng)
    drawn = sample_of(table, values, xmin)
    as_far = distances(law, refit(law, drawn, params), drawn) >= ks
    return float((1 + as_far.sum()) / (1 + n_bootstrap))


def _resampled(codes, accounts, n_bootstrap, rng) -> np.ndarray:
    """Draw accounts as often as there are any, and count the values of those drawn."""
    n_accounts = 0 if accounts is None else len(np.unique(accounts))
    if n_accounts < _LEAST_ACCOUNTS or n_bootstrap < 1:
        raise ValueError(
            f"`counts` must tell at least {_LEAST_ACCOUNTS} accounts apart, and `n_bootstrap` be 1 "
            f"or more, for intervals by account, found {n_accounts} and {n_bootstrap}."
        )
    home = np.unique(accounts, return_inverse=True)[1]
    cells, occurs = np.unique(np.stack([home, codes]), axis=1, return_counts=True)
    table = np.zeros((n_bootstrap, codes.max() + 1))
    for row in table:
        times = np.bincount(rng.integers(0, n_accounts, n_accounts), minlength=n_accounts)
        row += np.bincount(cells[1], weights=occurs * times[cells[0]], minlength=len(row))
    return table


def _vuong(difference: np.ndarray, occurs: np.ndarray, charge: float) -> tuple:
    n = occurs.sum()
    mean = difference @ occurs / n
    spread = np.sqrt((difference - mean) ** 2 @ occurs)
    # Two laws that have become the same differ in rounding alone.
    same = spread < 1e-6
    z = 0.0 if same else float((n * mean - charge) / spread)
    return "vuong", float(n * mean), z, float(2 * stats.norm.sf(abs(z)))


def _likelihood_ratio(difference: np.ndarray, occurs: np.ndarray, *, at_edge: bool) -> tuple:
    ratio = float(difference @ occurs)
    statistic = max(-2 * ratio, 0.0)
    p_value = float(stats.chi2.sf(statistic, 1))
    if at_edge:
        p_value = p_value / 2 if statistic > 0 else 1.0
    return "likelihood ratio", ratio, statistic, p_value
