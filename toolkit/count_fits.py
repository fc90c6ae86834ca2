"""Which law the counts of viewings follow, and which laws they can't tell apart."""

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from toolkit.count_laws import LAWS, log_pmf
from toolkit.intervals import LEAST_ACCOUNTS, bootstrap_tails
from toolkit.likelihood import (
    best_fit,
    distances,
    draw,
    limit_of,
    profile_intervals,
    sample_of,
)
from toolkit.order import codes_of
from toolkit.tables import (
    as_whole_number,
    require_choice,
    require_columns,
    require_confidence,
)

__all__ = ["compare_fits", "fit_counts", "usable_counts"]

LEAST_COUNTS, LEAST_VALUES = 50, 3
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
    independent: Literal["counts", "accounts"] = "counts",
) -> pd.DataFrame:
    """Fit laws to counts by maximum likelihood, and test whether each could be the source.

    A law is fitted to the counts of `xmin` or more, as the distribution of a count given
    that it is at least that.

    Parameters
    ----------
    counts : sequence of int, or pandas.DataFrame
        Whole numbers from 0 to 10^9, or what `count_viewings` gives.  Those below `xmin`
        are not used.
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
        Samples drawn from each fitted law for `p_value`, and of accounts for intervals.
        With 0 there is no `p_value`.
    confidence : float, default 0.95
        Of the intervals of the parameters.
    independent : {'counts', 'accounts'}, default 'counts'
        What the intervals take for independent.  Of counts they are where the profile of
        the likelihood has fallen too far; of accounts, whose counts stay together, they lie
        between percentiles over resampled accounts, as in `cluster_bootstrap`.

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
    count_viewings : counts, with `viewers` also those of 0.

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
    It takes counts for independent: where accounts repeat themselves it is too small.

    Ehrenberg's NBD speaks of viewers, those with no viewing among them:
    ``fit_counts(count_viewings(viewings, by=None, viewers=viewers), models="nbd", xmin=0,
    seed=1)``.  The log-series of reach speaks of titles, by the people each has reached:
    ``counts.groupby("title", observed=True)["account"].nunique()`` of what `count_viewings`
    gives are such counts.

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
    require_choice(independent, ["counts", "accounts"], "independent")
    require_confidence(confidence)
    seed = as_whole_number(seed, "seed", low=0)
    by_account = independent == "accounts"
    n_bootstrap = as_whole_number(n_bootstrap, "n_bootstrap", low=int(by_account))
    values, codes, accounts, xmin = usable_counts(counts, xmin)
    models = _as_models(models, xmin)
    sample = sample_of(np.bincount(codes)[None], values, xmin)
    resampled = tails = None
    if by_account:
        rng, accounts = np.random.default_rng(seed), _told_apart(accounts)
        tails = bootstrap_tails(int(accounts.max()) + 1, confidence)
        table = _resampled(codes, accounts, n_bootstrap, rng)
        resampled = sample_of(table, values, xmin)
    fits = [
        _fit(model, sample, resampled, tails, confidence, n_bootstrap, seed) for model in models
    ]
    return pd.DataFrame(fits).astype({"limit": "str"})


def compare_fits(
    counts,
    *,
    models: Sequence[str] | None = None,
    xmin: int = 1,
    correction: Literal["schwarz"] | None = None,
    independent: Literal["counts", "accounts"] = "counts",
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Test for each pair of laws which one the counts favour.

    Parameters
    ----------
    counts, models, xmin
        As in `fit_counts`.
    correction : {'schwarz'}, optional
        Charge each law of a pair that is not nested half of log n per parameter.
    independent : {'counts', 'accounts'}, default 'counts'
        What Vuong's test takes for independent.  Counts of one account resemble each other,
        and laws seem better told apart than they are if each is taken for news.
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
        * ``p_value`` : float, two-sided for Vuong's test; missing for a nested pair with
          `independent` accounts, between which that test is not known
        * ``favours`` : str, missing where the counts can't tell them apart

    Raises
    ------
    ValueError
        As in `fit_counts`, also for fewer than 20 accounts, or for fewer than two models.

    See Also
    --------
    fit_counts : the fits that are compared.

    Notes
    -----
    Vuong's z is the sum of the differences of both loglikelihoods, count by count, over
    their standard deviation times the root of n [1]_.  With accounts it is over the root of
    the sum of squares of what each account's differences, less their mean, add up to [3]_.

    Where the smaller of nested laws lies at the edge of the larger one's parameters, half
    of the chi-squared's tail is taken [2]_.  With accounts, see instead whether the larger
    law's interval from `fit_counts` holds the value that makes it the smaller one.

    To be favoured is no proof: both laws of a pair may be poor, as `fit_counts` tells.

    References
    ----------
    .. [1] Q. H. Vuong, "Likelihood ratio tests for model selection and non-nested
       hypotheses", Econometrica 57 (1989) 307-333.
    .. [2] S. G. Self, K.-Y. Liang, "Asymptotic properties of maximum likelihood estimators
       and likelihood ratio tests under nonstandard conditions", JASA 82 (1987) 605-610.
    .. [3] A. C. Cameron, D. L. Miller, "A practitioner's guide to cluster-robust inference",
       J. Human Resources 50 (2015) 317-372.

    Examples
    --------
    >>> counts = np.repeat([1, 2, 3, 4, 5], [60, 25, 9, 4, 2])
    >>> compare_fits(counts, models=["geometric", "zeta"]).round(3)[["statistic", "favours"]]
       statistic    favours
    0      3.193  geometric
    """
    require_choice(correction, [None, "schwarz"], "correction")
    require_choice(independent, ["counts", "accounts"], "independent")
    require_confidence(confidence)
    values, codes, accounts, xmin = usable_counts(counts, xmin)
    accounts = _told_apart(accounts) if independent == "accounts" else None
    models = _as_models(models, xmin)
    if len(models) < 2:
        raise ValueError(f"`models` must name at least two laws, got {models}.")
    sample = sample_of(np.bincount(codes)[None], values, xmin)
    logs = {}
    for model in models:
        params, _ = best_fit(LAWS[model], sample)
        logs[model] = log_pmf(LAWS[model], sample.k, params, xmin)
    charge = np.log(len(codes)) / 2 if correction == "schwarz" else 0.0
    pairs = []
    for pair in combinations(models, 2):
        model, other = pair[::-1] if pair[::-1] in _NESTED else pair
        apart = logs[model] - logs[other]
        if (model, other) in _NESTED:
            test = _likelihood_ratio(apart, codes, accounts, at_edge=_NESTED[model, other])
            closer = other
        else:
            more = len(LAWS[model].params) - len(LAWS[other].params)
            test = _vuong(apart, codes, accounts, charge=more * charge)
            closer = model if test[2] > 0 else other
        favours = closer if test[3] < 1 - confidence else None
        pairs.append([model, other, len(codes), *test, favours])
    columns = ["model", "other", "n", "test", "loglik_ratio", "statistic", "p_value", "favours"]
    return pd.DataFrame(pairs, columns=columns).astype({"favours": "str"})


def usable_counts(counts, xmin) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, int]:
    """Return the values from `xmin` on, which of them and whose each count is, and `xmin`."""
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
    if len(numbers) < LEAST_COUNTS or len(values) < LEAST_VALUES:
        raise ValueError(
            f"`counts` must hold at least {LEAST_COUNTS} counts of {xmin} or more, of "
            f"{LEAST_VALUES} different values, to tell laws apart, found {len(numbers)} of "
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
    wrong = ~((numbers >= 0) & (numbers <= 1e9) & (numbers == np.floor(numbers)))
    if wrong.any():
        raise ValueError(
            f"`counts` must be whole numbers from 0 to 10^9, found {float(numbers[wrong][0])}."
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


def _fit(model, sample, resampled, tails, confidence, n_bootstrap, seed) -> dict:
    """Return one row of `fit_counts`."""
    law, n = LAWS[model], int(sample.n[0])
    params, loglik = best_fit(law, sample)
    ks = float(distances(law, params, sample)[0])
    if resampled is None:
        drop = stats.chi2.ppf(confidence, 1) / 2
        low, high = profile_intervals(law, sample, params, loglik, drop)
    else:
        low, high = np.quantile(best_fit(law, resampled)[0], tails, axis=1)[:, None]
    return {
        "model": model,
        "params": _named(law, np.concatenate(params)),
        "loglik": float(loglik[0]),
        "aic": float(2 * len(params) - 2 * loglik[0]),
        "bic": float(np.log(n) * len(params) - 2 * loglik[0]),
        "ks": ks,
        "p_value": _p_value(law, params, sample, ks, n_bootstrap, seed),
        "n": n,
        "low": _named(law, low[0]),
        "high": _named(law, high[0]),
        "limit": limit_of(law, sample, params, loglik),
    }


def _named(law, values) -> dict:
    return dict(zip(law.params, map(float, values), strict=True))


def _p_value(law, params, sample, ks, n_bootstrap, seed) -> float:
    """Return the share of samples of the law that lie as far from it, each fitted in turn."""
    if not n_bootstrap:
        return np.nan
    sizes = np.full(n_bootstrap, int(sample.n[0]))
    drawn = draw(law, params, int(sample.xmin[0]), sizes, np.random.default_rng(seed))
    as_far = distances(law, best_fit(law, drawn)[0], drawn) >= ks
    return float((1 + as_far.sum()) / (1 + n_bootstrap))


def _told_apart(accounts) -> np.ndarray:
    """Return whose each count is, as numbers from 0 on, of enough accounts."""
    names, accounts = np.unique([] if accounts is None else accounts, return_inverse=True)
    if len(names) < LEAST_ACCOUNTS:
        raise ValueError(
            f"`counts` must have an `account` that tells at least {LEAST_ACCOUNTS} apart for "
            f"them to be independent, found {len(names)}."
        )
    return accounts


def _resampled(codes, accounts, n_bootstrap, rng) -> np.ndarray:
    """Draw accounts as often as there are any, and count the values of those drawn."""
    n_accounts, n_values = accounts.max() + 1, codes.max() + 1
    cells, occurs = np.unique(accounts * n_values + codes, return_counts=True)
    owner, value = np.divmod(cells, n_values)
    table = np.zeros((n_bootstrap, n_values))
    for row in table:
        times = np.bincount(rng.integers(0, n_accounts, n_accounts), minlength=n_accounts)
        row += np.bincount(value, weights=occurs * times[owner], minlength=n_values)
    return table


def _vuong(apart: np.ndarray, codes, accounts, *, charge: float) -> tuple:
    occurs = np.bincount(codes)
    ratio = float(apart @ occurs)
    off = apart - ratio / len(codes)
    square = alone = occurs @ off**2
    if accounts is not None:
        square = (np.bincount(accounts, weights=off[codes]) ** 2).sum()
    # Two laws that have become the same differ in rounding alone.
    if alone < 1e-12:
        return "vuong", ratio, 0.0, 1.0
    if square < 1e-12 * alone:
        raise ValueError("`counts` must differ between accounts, found the same in each.")
    z = float((ratio - charge) / np.sqrt(square))
    return "vuong", ratio, z, float(2 * stats.norm.sf(abs(z)))


def _likelihood_ratio(apart: np.ndarray, codes, accounts, *, at_edge: bool) -> tuple:
    ratio = float(apart @ np.bincount(codes))
    statistic = max(-2 * ratio, 0.0)
    p_value = float(stats.chi2.sf(statistic, 1))
    if at_edge:
        p_value = p_value / 2 if statistic > 0 else 1.0
    return "likelihood ratio", ratio, statistic, p_value if accounts is None else np.nan
