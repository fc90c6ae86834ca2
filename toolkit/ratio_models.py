"""Risk, odds and rate ratios adjusted by regression, clustered by account or within accounts."""

import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from scipy import optimize, special

from toolkit.associations import account_codes, finite_numbers, outcome_and_exposure
from toolkit.intervals import LEAST_ACCOUNTS
from toolkit.tables import group_numbers, require_choice, require_columns, require_confidence

__all__ = ["fit_ratios"]

_MODELS = ["poisson", "negative binomial", "logit"]
# A log ratio of the ends of a column beyond this is no estimate but a way to infinity.
_FAR = 15.0
# Slope of the log-likelihood, per event, below which it is at its top.
_SLOPE = 1e-5


def fit_ratios(
    table: pd.DataFrame,
    *,
    outcome: str,
    group: str,
    adjust: Sequence[str] = (),
    model: Literal["poisson", "negative binomial", "logit"] = "poisson",
    exposure: str | None = None,
    within_accounts: bool = False,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Estimate ratios between groups with other columns held fixed.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per viewer (or per viewer and title), with `account`; where that is missing
        each `viewer` is an account of its own.
    outcome : str
        A column of True and False (or 1 and 0), or with `exposure` of counts, 0 or more.
    group : str
        The column whose groups are compared.
    adjust : sequence of str, optional
        Columns to hold fixed.  Numbers enter as they are: take logarithms first of what has
        a long tail.  Everything else enters by its categories.
    model : {'poisson', 'negative binomial', 'logit'}, default 'poisson'
        'poisson' gives risk ratios (modified Poisson) or, with `exposure`, rate ratios;
        'negative binomial' gives rate ratios as well, with other weights; 'logit' odds ratios.
    exposure : str, optional
        A column of numbers above 0 over which events are counted.
    within_accounts : bool, default False
        Compare the rows of each account with each other only, so that whatever its rows
        share is held fixed, known or not.
    confidence : float, default 0.95
        How often an interval should cover the true ratio.

    Returns
    -------
    pandas.DataFrame
        One row per term, those of `group` first:

        * ``term`` : str, the column, with the category that is compared with the first in
          order, as in "is_kids=True"; rows where it is missing are "is_kids=<NA>"
        * ``estimate``, ``low``, ``high`` : float, the ratio, and of numbers that per unit
        * ``p_value`` : float, of a ratio of 1
        * ``n``, ``people`` : int, rows and accounts that say anything
        * ``events`` : float, outcomes, or events, among them

    Raises
    ------
    ValueError
        If a column is missing, an outcome, exposure or number is not as described, there are
        fewer than 20 accounts, a category has no events (or with 'logit' nothing else), terms
        depend on each other or do not vary, or the fit does not settle.

    See Also
    --------
    compare_groups : without adjustment, with the risks themselves.
    plot_ratios : draws them.

    Notes
    -----
    The mean is exp(b x) times the exposure, or with 'logit' the odds are exp(b x); a ratio is
    exp of its coefficient.  Variances are clustered by account, with the correction c / (c - 1)
    for c accounts, and limits and p-values are those of Student's distribution with c - 1
    degrees of freedom, so that neither the variance that the law assumes nor independence
    within an account is needed [1]_.  That is what lets 'poisson' estimate risk ratios [2]_.
    The dispersion of 'negative binomial' is estimated by maximum likelihood.

    `within_accounts` conditions on the number of events of each account: conditional Poisson
    [3]_ or conditional logistic regression.  An account without events, with one row, or whose
    rows do not differ in any term says nothing and is not counted in `n`.  What is found
    holds of accounts with both groups, which need not be like the others.

    To adjust for what the outcome is part of, or for what it brings about, biases a ratio:
    who rewatches has more plays *because* they rewatch.

    References
    ----------
    .. [1] K.-Y. Liang, S. L. Zeger, "Longitudinal data analysis using generalized linear
       models", Biometrika 73 (1986) 13-22.
    .. [2] G. Y. Zou, "A modified Poisson regression approach to prospective studies with
       binary data", American Journal of Epidemiology 159 (2004) 702-706.
    .. [3] J. M. Wooldridge, "Distribution-free estimation of some nonlinear panel data
       models", Journal of Econometrics 90 (1999) 77-97.

    Examples
    --------
    >>> viewers = pd.DataFrame({
    ...     "account": np.arange(200), "is_kids": [True] * 80 + [False] * 120,
    ...     "came_back": [True] * 20 + [False] * 60 + [True] * 15 + [False] * 105,
    ... })
    >>> fit_ratios(viewers, outcome="came_back", group="is_kids").round(3)
               term  estimate    low   high  p_value    n  people  events
    0  is_kids=True       2.0  1.085  3.688    0.027  200     200    35.0
    """
    require_confidence(confidence)
    require_choice(model, _MODELS, "model")
    if within_accounts and model == "negative binomial":
        raise ValueError(
            "`model` must be 'poisson' or 'logit' within accounts, got 'negative binomial'."
        )
    if exposure is not None and model == "logit":
        raise ValueError(f"`exposure` must be None with 'logit', got {exposure!r}.")
    if group in adjust:
        raise ValueError(f"`adjust` must not hold the group, found {group!r} in it.")
    names = [group, *adjust]
    require_columns(table, [outcome, *names], "table")
    accounts = account_codes(table)
    y, size = outcome_and_exposure(table, outcome, exposure)
    terms = pd.concat([_terms(table, name) for name in names], axis=1)
    if within_accounts:
        tells = _informative(y, terms.to_numpy(), accounts, is_logit=model == "logit")
        table, terms, y, size = table[tells], terms[tells], y[tells], size[tells]
        accounts = pd.factorize(accounts[tells])[0]
    people = len(np.unique(accounts))
    if people < LEAST_ACCOUNTS:
        raise ValueError(
            f"`table` must hold at least {LEAST_ACCOUNTS} accounts that say anything, "
            f"found {people}."
        )
    for name in names:
        _require_events(table[name], y, also_none=model == "logit")
    x = terms.to_numpy()
    x = x - (_means(x, accounts)[accounts] if within_accounts else x.mean(axis=0))
    if np.linalg.matrix_rank(x) < x.shape[1]:
        raise ValueError(
            f"`adjust` must leave each term something of its own, found {list(terms)} "
            "that do not vary or depend on each other."
        )
    spread = x.std(axis=0)
    fit = _fit_within if within_accounts else _fit_all
    with warnings.catch_warnings():
        # What does not settle is refused below, in words.
        warnings.simplefilter("ignore")
        logs, covariance, is_settled = fit(y, x / spread, np.log(size), accounts, model)
    if not is_settled or (np.abs(logs) * np.ptp(x / spread, axis=0) > _FAR).any():
        raise ValueError(
            f"`outcome` must not be separated by the terms, found {list(terms)} "
            "whose ratios grow without end."
        )
    logs, covariance = logs / spread, covariance / np.outer(spread, spread)
    error = np.sqrt(np.diag(covariance) * people / (people - 1))
    reach = special.stdtrit(people - 1, (1 + confidence) / 2) * error
    found = {"estimate": logs, "low": logs - reach, "high": logs + reach}
    result = pd.DataFrame({"term": list(terms)} | {key: np.exp(v) for key, v in found.items()})
    return result.assign(
        p_value=2 * special.stdtr(people - 1, -np.abs(logs / error)),
        n=len(y), people=people, events=y.sum(),
    )  # fmt: skip


def _terms(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a column of numbers as it is, of any other one for each category but the first."""
    values = table[name]
    if _is_number(values):
        return pd.DataFrame({name: finite_numbers(table, name)})
    code = group_numbers(table, [name])
    names = values.drop_duplicates().sort_values(na_position="last")
    if len(names) < 2:
        raise ValueError(f"`{name}` must hold at least two groups, found {len(names)}.")
    labels = [f"{name}={_label(value)}" for value in names]
    return pd.DataFrame(np.eye(len(names))[code], columns=labels).iloc[:, 1:]


def _label(value) -> str:
    return "<NA>" if pd.isna(value) else str(value)


def _is_number(values: pd.Series) -> bool:
    types = pd.api.types
    return types.is_numeric_dtype(values) and not types.is_bool_dtype(values)


def _informative(y, x, accounts, *, is_logit: bool) -> np.ndarray:
    """Say which rows are of accounts that have events, and rows to compare them with."""
    events, n = np.bincount(accounts, y), np.bincount(accounts)
    differs = np.zeros(len(n), dtype=bool)
    differs[accounts[(x != x[np.unique(accounts, return_index=True)[1]][accounts]).any(axis=1)]] = 1
    return (differs & (events > 0) & ((events < n) | (not is_logit)))[accounts]


def _require_events(values: pd.Series, y: np.ndarray, *, also_none: bool) -> None:
    if _is_number(values):
        return
    for kind, some in [("with", y > 0), ("without", y == 0)][: 1 + also_none]:
        if (lacking := ~values.isin(values[some])).any():
            raise ValueError(
                f"`{values.name}` must have rows {kind} events in every category, "
                f"found none in {_label(values[lacking].iloc[0])}."
            )


def _fit_all(y, x, offset, accounts, model) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return logarithms of ratios over all rows, and their sandwich by account."""
    import statsmodels.api as sm

    x = sm.add_constant(x, has_constant="add")
    families = sm.families
    if model == "negative binomial":
        law = sm.NegativeBinomial(y, x, offset=offset).fit(disp=0, maxiter=200)
        family = families.NegativeBinomial(alpha=max(law.params[-1], 1e-8))
    else:
        family = families.Binomial() if model == "logit" else families.Poisson()
    clusters = {"groups": accounts, "use_correction": False}
    fit = sm.GLM(y, x, family=family, offset=offset).fit(cov_type="cluster", cov_kwds=clusters)
    covariance = fit.cov_params()[1:, 1:]
    return fit.params[1:], covariance, fit.converged and np.isfinite(covariance).all()


def _fit_within(y, x, offset, accounts, model) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return logarithms of ratios within accounts, and their sandwich by account."""
    if model == "logit":
        return _fit_conditional_logit(y, x, accounts)
    total = np.bincount(accounts, y)

    def expected(logs):
        scaled = x @ logs + offset
        most = np.full(len(total), -np.inf)
        np.maximum.at(most, accounts, scaled)
        weight = np.exp(scaled - most[accounts])
        return (total / np.bincount(accounts, weight))[accounts] * weight

    def loss(logs):
        mean = expected(logs)
        return -special.xlogy(y, mean).sum() / y.sum(), -x.T @ (y - mean) / y.sum()

    def curvature(logs):
        mean = expected(logs)
        apart = x - _means(x, accounts, mean)[accounts]
        return (apart * mean[:, None]).T @ apart / y.sum()

    # Not the conditional Poisson of statsmodels: it drops accounts whose rows have equal counts.
    fit = optimize.minimize(
        loss, np.zeros(x.shape[1]), jac=True, hess=curvature, method="trust-exact",
        options={"gtol": 1e-9},
    )  # fmt: skip
    scores = _sums(x * (y - expected(fit.x))[:, None], accounts)
    return fit.x, *_sandwich(scores, curvature(fit.x), y.sum())


def _fit_conditional_logit(y, x, accounts) -> tuple[np.ndarray, np.ndarray, bool]:
    from statsmodels.discrete.conditional_models import ConditionalLogit

    model = ConditionalLogit(y.astype("int64"), x, groups=accounts)
    logs = model.fit(maxiter=500, skip_hessian=True).params
    # It stops early: one step of Newton's goes the rest of the way.
    logs = logs - np.linalg.pinv(model.hessian(logs)) @ model.score(logs)
    scores = np.array([model.score_grp(number, logs) for number in range(accounts.max() + 1)])
    return logs, *_sandwich(scores, -model.hessian(logs) / y.sum(), y.sum())


def _sandwich(scores, information, n_events: float) -> tuple[np.ndarray, bool]:
    """Return the covariance over accounts, and whether the likelihood is at its top.

    `information` is that of one event.
    """
    bread = np.linalg.pinv(information) / n_events
    is_top = np.abs(scores.sum(axis=0)).max() < _SLOPE * n_events
    return bread @ scores.T @ scores @ bread, is_top


def _sums(values: np.ndarray, accounts: np.ndarray) -> np.ndarray:
    sums = np.zeros((accounts.max() + 1, values.shape[1]))
    np.add.at(sums, accounts, values)
    return sums


def _means(values: np.ndarray, accounts: np.ndarray, weights=None) -> np.ndarray:
    weights = np.ones(len(values)) if weights is None else weights
    return _sums(values * weights[:, None], accounts) / _sums(weights[:, None], accounts)
