"""What an event changed: interrupted series, what would have been without it, and blind dates."""

import warnings
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import optimize, signal, stats
from statsmodels.stats.sandwich_covariance import S_hac_simple
from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

from toolkit.tables import as_whole_number, require_choice, require_confidence

__all__ = ["counterfactual", "find_changepoints", "interrupted_series", "placebo_effects"]

FAMILIES = ("poisson", "quasipoisson", "negative_binomial", "lognormal")
# The largest correlation of neighbours that is reckoned with.
_MOST_RHO = 0.95
# Where the share of the squared mean is looked for.
_LOG_ALPHA = (-20.0, 5.0)
# Least share by which some period is off, unless a series is fitted exactly.
_EXACT = 1e-6


def interrupted_series(
    series: pd.Series,
    *,
    at,
    family: Literal["poisson", "quasipoisson", "negative_binomial", "lognormal"] = "quasipoisson",
    trend: bool = True,
    season: int | None = None,
    controls: pd.Series | pd.DataFrame | None = None,
    lags: int | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Estimate by how much a series changed at a known date (segmented regression).

    Parameters
    ----------
    series : pandas.Series
        Counts, or other amounts of 0 or more, by equally spaced periods: its index holds days,
        and every period is there.
    at : date-like
        The event: the first period on or after this date is the first that it could change.
    family : {'poisson', 'quasipoisson', 'negative_binomial', 'lognormal'}, default 'quasipoisson'
        The law of an amount given its mean: its variance is the mean; in proportion to the
        mean; in proportion to the mean and a share of its square; or its logarithm is normal,
        for which amounts must be above 0.
    trend : bool, default True
        Whether the series has a trend, which the event may change as well.
    season : int, optional
        How many periods a season has, each with a level of its own, such as 7 for weekdays.
    controls : pandas.Series or pandas.DataFrame, optional
        One or several series of the same periods, a column each, that the event did not touch.
        The change of the series is then that beyond theirs (a controlled interrupted series).
    lags : int, optional
        Standard errors by Newey and West over so many lags; 0 takes periods for independent.
        By default the errors of a series are autoregressive.
    confidence : float, default 0.95
        How often the interval should hold the ratio.

    Returns
    -------
    pandas.DataFrame
        One row per term:

        * ``term`` : str, "level", the ratio at the event of what is to what would have been;
          and with a trend "slope", by which the ratio to the period before changed at the
          event, and "trend", that ratio before it.  With controls also "level_of_controls"
          and "slope_of_controls"
        * ``estimate`` : float, a ratio: 1 is no change
        * ``low``, ``high`` : float, its interval
        * ``p_value`` : float, two-sided, of no change

    Raises
    ------
    ValueError
        If a period is missing or not equally spaced, an amount is missing, negative or 0 where
        it must not be, the periods before or after the event are too few for the terms or told
        exactly by them, the controls have other periods, or an argument is out of range.

    See Also
    --------
    counterfactual : the series without the event.
    placebo_effects : the same at dates on which nothing happened.

    Notes
    -----
    On the logarithmic scale the mean is a level, a trend, a season, and from the event on
    another level and another trend counted from it [1]_, [2]_.

    Neighbouring periods are alike, so that independent errors are too small.  By default the
    Pearson residuals of a series correlate as an autoregression of first order, the series
    with one another as they do; the correlation is raised by the number of terms over that of
    periods, by which residuals understate it [3]_, is not taken for negative, and Student's t
    has as many degrees of freedom as periods are left.  The intervals of Newey and West [4]_
    are narrower, and with a trend that breaks they hold the ratio less often.

    Several controls are taken to have changed alike; where each went its own way, the intervals
    are too narrow.  An estimate is an effect only if nothing else changed at that date.

    References
    ----------
    .. [1] A. K. Wagner, S. B. Soumerai, F. Zhang, D. Ross-Degnan, "Segmented regression analysis
       of interrupted time series studies in medication use research", Journal of Clinical
       Pharmacy and Therapeutics 27 (2002), 299-309.
    .. [2] J. Lopez Bernal, S. Cummins, A. Gasparrini, "Interrupted time series regression for the
       evaluation of public health interventions: a tutorial", International Journal of
       Epidemiology 46 (2017), 348-355, and its correction.
    .. [3] F. H. C. Marriott, J. A. Pope, "Bias in the estimation of autocorrelations", Biometrika
       41 (1954), 390-402.
    .. [4] W. K. Newey, K. D. West, "A simple, positive semi-definite, heteroskedasticity and
       autocorrelation consistent covariance matrix", Econometrica 55 (1987), 703-708.

    Examples
    --------
    >>> days = pd.date_range("2024-03-01", periods=40)
    >>> rng = np.random.default_rng(1)
    >>> people = pd.Series(rng.poisson(np.where(days < "2024-03-21", 200, 300)), days)
    >>> found = interrupted_series(people, at="2024-03-21").set_index("term")
    >>> print(found.loc["level", ["estimate", "low", "high"]].astype(float).round(2).tolist())
    [1.44, 1.35, 1.54]
    """
    require_confidence(confidence)
    fit = _fitted(series, at, family, trend, season, controls, lags)
    se = np.sqrt(np.diag(fit.cov))
    wide = stats.t.ppf((1 + confidence) / 2, fit.df) * se
    rows = [
        {
            "term": name,
            "estimate": np.exp(fit.beta[column]),
            "low": np.exp(fit.beta[column] - wide[column]),
            "high": np.exp(fit.beta[column] + wide[column]),
            "p_value": 2 * stats.t.sf(abs(fit.beta[column]) / se[column], fit.df),
        }
        for name, column in fit.terms.items()
    ]
    return pd.DataFrame(rows)


def counterfactual(
    series: pd.Series,
    *,
    at,
    family: Literal["poisson", "quasipoisson", "negative_binomial", "lognormal"] = "quasipoisson",
    trend: bool = True,
    season: int | None = None,
    controls: pd.Series | pd.DataFrame | None = None,
    lags: int | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return what a series would have been without an event, and how much it had in excess.

    Parameters
    ----------
    series, at, family, trend, season, controls, lags
        As in `interrupted_series`.
    confidence : float, default 0.95
        How often each interval should hold.

    Returns
    -------
    pandas.DataFrame
        One row per period of the series:

        * ``day`` : datetime64, of the index
        * ``is_after`` : bool, whether the event could have changed it
        * ``observed`` : float
        * ``expected`` : float, the mean without the event; before it, that of the model
        * ``low``, ``high`` : float, between which the amount without the event would have been
        * ``excess`` : float, observed less expected, of all periods since the event; NaN
          before it
        * ``excess_low``, ``excess_high`` : float, its interval

    Raises
    ------
    ValueError
        As in `interrupted_series`.

    See Also
    --------
    interrupted_series : the change as ratios.
    plot_effect : draws it.

    Notes
    -----
    The intervals are symmetric approximations with Student's t.  They hold the uncertainty of
    the terms, of which that of the trend grows with the distance from the event, and the noise
    of each period, which in a sum of periods is correlated as the residuals are, unless `lags`
    is 0.  With controls, the change of the controls is part of what would have been.

    Examples
    --------
    >>> days = pd.date_range("2024-03-01", periods=40)
    >>> rng = np.random.default_rng(1)
    >>> people = pd.Series(rng.poisson(np.where(days < "2024-03-21", 200, 300)), days)
    >>> without = counterfactual(people, at="2024-03-21", trend=False)
    >>> print(without.iloc[-1][["excess_low", "excess", "excess_high"]].astype(int).tolist())
    [1903, 2055, 2206]
    """
    require_confidence(confidence)
    fit = _fitted(series, at, family, trend, season, controls, lags)
    n = len(series)
    x = fit.x[:n].copy()
    x[:, [fit.terms[name] for name in ("level", "slope") if name in fit.terms]] = 0
    log_mean = x @ fit.beta
    if family == "lognormal":
        # The mean of amounts whose logarithm is normal.
        expected = np.exp(log_mean + fit.scale[0] / 2)
        noise = expected * np.sqrt(np.expm1(fit.scale[0]))
    else:
        expected = np.exp(log_mean)
        noise = np.sqrt(fit.scale[0] * (expected + fit.alpha * expected**2))
    gradient = expected[:, None] * x
    t = stats.t.ppf((1 + confidence) / 2, fit.df)
    of_each = np.sqrt(np.einsum("ij,jk,ik->i", gradient, fit.cov, gradient) + noise**2)
    is_after = np.arange(n) >= fit.first
    # Of the sums of all periods since the event.
    of_sums = np.cumsum(gradient * is_after[:, None], axis=0)
    since = noise * is_after
    of_noise = np.cumsum(since * (2 * _carried(since, fit.rho) - since))
    spread = np.sqrt(np.einsum("ij,jk,ik->i", of_sums, fit.cov, of_sums) + of_noise)
    observed = series.to_numpy("float64")
    excess = np.cumsum((observed - expected) * is_after)
    excess[~is_after] = np.nan
    return pd.DataFrame(
        {
            "day": series.index,
            "is_after": is_after,
            "observed": observed,
            "expected": expected,
            "low": np.maximum(expected - t * of_each, 0),
            "high": expected + t * of_each,
            "excess": excess,
            "excess_low": excess - t * spread,
            "excess_high": excess + t * spread,
        }
    )


def placebo_effects(
    series: pd.Series,
    *,
    at,
    window: int,
    family: Literal["poisson", "quasipoisson", "negative_binomial", "lognormal"] = "quasipoisson",
    trend: bool = True,
    season: int | None = None,
    controls: pd.Series | pd.DataFrame | None = None,
    lags: int | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Estimate the change of level at every date before an event, when there was none.

    Parameters
    ----------
    series, at, family, trend, season, controls, lags, confidence
        As in `interrupted_series`.
    window : int
        How many periods before and from each date on are used, of the event as well.

    Returns
    -------
    pandas.DataFrame
        One row per date at which a window ends before the event, and a last one for the event:

        * ``at`` : datetime64
        * ``is_placebo`` : bool
        * ``estimate``, ``low``, ``high``, ``p_value`` : float, of the term "level"

    Raises
    ------
    ValueError
        As in `interrupted_series`; or if `window` is too large for the periods there are.

    See Also
    --------
    interrupted_series : the change at one date.

    Notes
    -----
    If the model is right, about 5 % of the placebos have a 95 % interval without 1.  If they are
    many more, the interval of the event says little, and its estimate should be held against
    those of the placebos instead.  Neighbouring dates share most of their periods, so that
    their estimates are alike.

    Examples
    --------
    >>> days = pd.date_range("2024-03-01", periods=40)
    >>> rng = np.random.default_rng(1)
    >>> people = pd.Series(rng.poisson(np.where(days < "2024-03-29", 200, 300)), days)
    >>> found = placebo_effects(people, at="2024-03-29", window=10, trend=False)
    >>> largest = found.loc[found["is_placebo"], "estimate"].max()
    >>> len(found), bool(found["estimate"].iloc[-1] > largest)
    (10, True)
    """
    window = as_whole_number(window, "window", low=2)
    first = _first_after(series, at)
    if first < 2 * window or first + window > len(series):
        raise ValueError(
            f"`window` must fit once after the event and twice before it, found {first} periods "
            f"before, {len(series) - first} after, and a window of {window}."
        )
    rows = []
    for start in [*range(window, first - window + 1), first]:
        near = slice(start - window, start + window)
        found = interrupted_series(
            series.iloc[near],
            at=series.index[start],
            family=family,
            trend=trend,
            season=season,
            controls=None if controls is None else controls.iloc[near],
            lags=lags,
            confidence=confidence,
        )
        row = {"at": series.index[start], "is_placebo": start != first}
        rows.append(row | found.iloc[0].drop("term").to_dict())
    return pd.DataFrame(rows)


def find_changepoints(
    series: pd.Series, *, n: int = 1, log: bool = False, min_periods: int = 2
) -> pd.DataFrame:
    """Divide a series at the dates where its mean changes most, without being told when.

    Parameters
    ----------
    series : pandas.Series
        Amounts by period, in order; its index may hold days or anything else.
    n : int, default 1
        How many changes.
    log : bool, default False
        Whether to compare logarithms: then amounts must be above 0, and ``mean`` is the
        geometric one.
    min_periods : int, default 2
        Least number of periods between changes.

    Returns
    -------
    pandas.DataFrame
        One row per segment, n + 1 in all:

        * ``first``, ``last`` : its first and last period, as in the index
        * ``n_periods`` : int
        * ``mean`` : float

    Raises
    ------
    ValueError
        If amounts are missing, or not above 0 where they must be, `n` or `min_periods` is no
        whole number or below 1, or the periods do not suffice.

    See Also
    --------
    interrupted_series : the change at a date that is known.

    Notes
    -----
    The segments have the least sum of squares around their means, found exactly by dynamic
    programming [1]_.  There is always a best date, also where nothing changed: that it is the
    date of an event says something, that there is one does not.

    References
    ----------
    .. [1] C. Truong, L. Oudre, N. Vayatis, "Selective review of offline change point detection
       methods", Signal Processing 167 (2020), 107299.

    Examples
    --------
    >>> people = pd.Series([20, 22, 21, 35, 33], pd.date_range("2024-03-01", periods=5))
    >>> find_changepoints(people)
           first       last  n_periods  mean
    0 2024-03-01 2024-03-03          3  21.0
    1 2024-03-04 2024-03-05          2  34.0
    """
    from ruptures import Dynp

    n = as_whole_number(n, "n", low=1)
    min_periods = as_whole_number(min_periods, "min_periods", low=1)
    values = _amounts(series, "series", above_0=log, any_sign=not log)
    if len(values) < (n + 1) * min_periods:
        raise ValueError(
            f"`series` must have {(n + 1) * min_periods} periods or more for {n + 1} segments of "
            f"{min_periods}, found {len(values)}."
        )
    values = np.log(values) if log else values
    search = Dynp(model="l2", min_size=min_periods, jump=1).fit(values[:, None])
    ends = search.predict(n_bkps=n)
    starts = [0, *ends[:-1]]
    means = np.array([values[a:b].mean() for a, b in zip(starts, ends, strict=True)])
    return pd.DataFrame(
        {
            "first": series.index[starts],
            "last": series.index[[end - 1 for end in ends]],
            "n_periods": np.diff([0, *ends]),
            "mean": np.exp(means) if log else means,
        }
    )


class _Fit(NamedTuple):
    """A fitted series, its controls below it; and in which column each term is."""

    terms: dict[str, int]
    x: np.ndarray
    beta: np.ndarray
    cov: np.ndarray
    df: float
    # The variance of each series over that of its family, and what that family adds.
    scale: np.ndarray
    alpha: float
    rho: float
    first: int


def _fitted(series, at, family, trend, season, controls, lags) -> _Fit:
    require_choice(family, FAMILIES, "family")
    first = _first_after(series, at)
    all_series = _stacked(series, controls, family)
    n, m = all_series.shape
    terms, x = _terms(n, m, first, trend, season)
    if min(first, n - first) < 2 + trend or n * m <= x.shape[1] + 1:
        raise ValueError(
            f"`series` must have {2 + trend} periods or more before and from the event on, and "
            f"more than there are terms, found {first}, {n - first} and {x.shape[1]} terms."
        )
    if np.linalg.matrix_rank(x) < x.shape[1]:
        raise ValueError(
            f"`series` must have every part of the season before or after the event often enough "
            f"to tell it from the change, found {n} periods and a season of {season}."
        )
    _require_some(all_series, first, season)
    y = all_series.T.ravel()
    beta, mean, alpha = _solved(y, x, family)
    # Of the logarithm: how much a period tells, and how far it is off in standard deviations.
    weight = np.ones(len(y)) if family == "lognormal" else mean / (1 + alpha * mean)
    off = (np.log(y) - np.log(mean)) if family == "lognormal" else (y - mean) / mean
    if np.abs(off).reshape(m, n).max(axis=1).min() < _EXACT:
        raise ValueError(
            "`series` and `controls` must vary beyond what the terms tell, found one that the "
            f"{x.shape[1]} terms tell exactly."
        )
    residual = (off * np.sqrt(weight)).reshape(m, n)
    left = n - x.shape[1] / m
    scale = np.ones(m) if family == "poisson" else (residual**2).sum(axis=1) / left
    rooted = x * np.sqrt(weight)[:, None]
    bread = np.linalg.inv(rooted.T @ rooted)
    rho = 0.0 if lags == 0 else _autocorrelation(residual, x.shape[1] / m)
    if lags is None:
        alike = np.corrcoef(residual) if m > 1 else np.ones((1, 1))
        alike = alike * np.sqrt(np.outer(scale, scale))
        parts = rooted.reshape(m, n, -1).swapaxes(0, 1)
        # The parts, each times the correlation of its period with every other.
        among = _carried(parts, rho) + _carried(parts[::-1], rho)[::-1] - parts
        meat = np.einsum("ab,iak,ibl->kl", alike, parts, among, optimize=True)
    elif as_whole_number(lags, "lags", low=0) == 0:
        meat = rooted.T @ (np.repeat(scale, n)[:, None] * rooted)
    else:
        scores = (rooted * residual.reshape(-1, 1)).reshape(m, n, -1).sum(axis=0)
        meat = S_hac_simple(scores, nlags=lags)
        left = np.inf
    return _Fit(terms, x, beta, bread @ meat @ bread, left, scale, alpha, rho, first)


def _solved(y, x, family) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the coefficients, the mean of each period, and what its square adds."""
    if family == "lognormal":
        beta = np.linalg.lstsq(x, np.log(y), rcond=None)[0]
        return beta, np.exp(x @ beta), 0.0
    alpha = 0.0
    if family == "negative_binomial":

        def loss(log_alpha) -> float:
            return -_glm(y, x, np.exp(log_alpha)).llf

        alpha = np.exp(optimize.minimize_scalar(loss, bounds=_LOG_ALPHA, method="bounded").x)
    beta = _glm(y, x, alpha).params
    return beta, np.exp(x @ beta), alpha


def _glm(y, x, alpha: float):
    law = sm.families.NegativeBinomial(alpha=alpha) if alpha else sm.families.Poisson()
    with warnings.catch_warnings():
        # Of a fit that is exact, which is refused.
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        return sm.GLM(y, x, family=law).fit()


def _carried(values: np.ndarray, rho: float) -> np.ndarray:
    """Add to each period what an autoregression carries over from those before it."""
    return signal.lfilter([1.0], [1.0, -rho], values, axis=0)


def _autocorrelation(residual: np.ndarray, n_terms: float) -> float:
    found = (residual[:, 1:] * residual[:, :-1]).sum() / (residual**2).sum()
    return float(np.clip(found + n_terms / residual.shape[1], 0, _MOST_RHO))


def _terms(n: int, m: int, first: int, trend: bool, season) -> tuple[dict, np.ndarray]:
    """Return the columns of the model: those of each series alone, then those of the event."""
    time = np.arange(n) - first
    after = (time >= 0).astype("float64")
    alone = [np.ones(n)]
    if trend:
        alone.append(time)
    if season is not None:
        season = as_whole_number(season, "season", low=2)
        alone += [(np.arange(n) % season == part).astype("float64") for part in range(1, season)]
    event = {"level": after} | ({"slope": after * time} if trend else {})
    x = np.kron(np.eye(m), np.column_stack(alone))
    is_own = np.repeat(np.arange(m) == 0, n)
    terms = {}
    columns = []
    for name, column in event.items():
        terms[name] = x.shape[1] + len(columns)
        columns.append(np.tile(column, m) * is_own)
    if trend:
        terms["trend"] = 1
    if m > 1:
        for name, column in event.items():
            terms[f"{name}_of_controls"] = x.shape[1] + len(columns)
            columns.append(np.tile(column, m))
    return terms, np.column_stack([x, *columns])


def _stacked(series, controls, family) -> np.ndarray:
    """Return a column for the series and for each of its controls."""
    columns = [_amounts(series, "series", above_0=family == "lognormal")]
    if controls is not None:
        controls = controls.to_frame() if isinstance(controls, pd.Series) else controls
        if not controls.index.equals(series.index):
            raise ValueError(
                f"`controls` must have the periods of `series`, found {len(controls)} from "
                f"{controls.index.min()} and {len(series)} from {series.index.min()}."
            )
        for name in controls:
            columns.append(_amounts(controls[name], "controls", above_0=family == "lognormal"))
    return np.column_stack(columns)


def _require_some(all_series: np.ndarray, first: int, season) -> None:
    """Refuse what would make a ratio infinite."""
    place = np.arange(len(all_series))
    parts = {"before the event": place < first, "from the event on": place >= first}
    parts |= {f"in part {p + 1} of the season": place % season == p for p in range(season or 0)}
    for name, part in parts.items():
        if not all_series[part].any(axis=0).all():
            raise ValueError(
                f"`series` must have an amount above 0 {name}, found 0 in all periods."
            )


def _amounts(series, name: str, *, above_0: bool, any_sign: bool = False) -> np.ndarray:
    values = series.to_numpy("float64", na_value=np.nan)
    wrong = ~np.isfinite(values)
    if not any_sign:
        wrong |= values <= 0 if above_0 else values < 0
    if wrong.any():
        kind = "finite" if any_sign else "above 0" if above_0 else "0 or more"
        raise ValueError(
            f"`{name}` must be {kind} in every period, found {values[wrong][0]:g} at "
            f"{series.index[wrong][0]}."
        )
    return values


def _first_after(series: pd.Series, at) -> int:
    """Return the place of the first period that the event could change."""
    index = series.index
    if not isinstance(index, pd.DatetimeIndex) or len(index) < 3 or not _is_even(index):
        raise ValueError(
            "`series` must have a row for each of three or more equally spaced days, weeks or "
            f"other periods, in order, found {len(index)} rows of {index.dtype}; a period in "
            "which nothing was counted is a 0."
        )
    first = int(index.searchsorted(pd.Timestamp(at)))
    if not 0 < first < len(index):
        raise ValueError(
            f"`at` must lie after the first and not after the last period, {index[0].date()} and "
            f"{index[-1].date()}, got {at}."
        )
    return first


def _is_even(index: pd.DatetimeIndex) -> bool:
    """Say whether days follow at equal steps, or at equal numbers of months."""
    steps = np.diff(index.to_numpy())
    months = np.diff(12 * index.year + index.month)
    is_monthly = len(set(index.day)) == 1 or index.is_month_end.all()
    same = (steps == steps[0]).all() or (is_monthly and (months == months[0]).all())
    return bool(same and steps[0] > np.timedelta64(0))
