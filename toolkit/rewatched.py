"""How many of those who finished a title came back to it, and how sure that is."""

from typing import Literal

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from toolkit.intervals import cluster_bootstrap, wilson
from toolkit.order import codes_of
from toolkit.tables import (
    as_viewings,
    require_choice,
    require_columns,
    require_confidence,
    unit_column,
)

__all__ = ["find_rewatched", "pooled_rewatch_rate", "rewatch_rates", "shrink_rates"]

_LEAST_TITLES, _LEAST_PEOPLE = 10, 20
# A prior worth as many people as this is one rate for all.
_MOST_PEOPLE = 1e6


def find_rewatched(
    viewings: pd.DataFrame, *, by: Literal["title", "series"] = "title"
) -> pd.DataFrame:
    """Say of each title that someone finished whether they came back to it.

    A person (account) has finished a title if any of its viewers has, and come back if any
    of its viewers began a title again that the same viewer had finished.

    Parameters
    ----------
    viewings : pandas.DataFrame
        One row per viewing, with `viewer`, `title`, `is_complete` and `is_rewatch`, as
        `to_viewings` gives it; order does not matter.
    by : {'title', 'series'}, default 'title'
        What is finished.  With 'series' to finish or see again any of its titles is enough,
        and a title that has none stands for itself.

    Returns
    -------
    pandas.DataFrame
        One row per title (or series) and account that is known to have finished it, in that
        order:

        * ``title`` or ``series``, ``account`` as in `viewings`
        * ``is_rewatched`` : bool, it was begun again, whether or not finished again

    Raises
    ------
    ValueError
        If a column or an id is missing, or a viewer has two accounts.

    See Also
    --------
    rewatch_rates : the share of those who came back, title by title.
    pooled_rewatch_rate : the share over all titles.

    Notes
    -----
    What is not known counts for nothing: a source that can't say what was finished has no
    rows here.  `is_rewatch` speaks of the log, and so does this: who finished a title before
    the log began is not here, unless they finished it again.

    Examples
    --------
    >>> viewings = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "bob", "cleo"], "title": "Heat",
    ...     "is_complete": [True, False, True, False], "is_rewatch": [False, True, False, False],
    ... })
    >>> find_rewatched(viewings)
      title account  is_rewatched
    0  Heat     ann          True
    1  Heat     bob         False
    """
    require_choice(by, ["title", "series"], "by")
    flags = ["is_complete", "is_rewatch"]
    require_columns(viewings, ["viewer", "title", *flags], "viewings")
    viewings = as_viewings(viewings, [])
    unit = unit_column(viewings, by)
    for column in (viewings["account"], unit):
        # Its check of ids is the one that is needed here.
        codes_of(column, column.name)
    rows = pd.DataFrame({by: unit, "account": viewings["account"]})
    rows[flags] = viewings[flags].astype("boolean").fillna(False).astype("bool")
    found = rows.groupby([by, "account"], observed=True)[flags].any().reset_index()
    found = found[found["is_complete"]].drop(columns="is_complete")
    return found.rename(columns={"is_rewatch": "is_rewatched"}).reset_index(drop=True)


def rewatch_rates(
    viewings: pd.DataFrame,
    *,
    by: Literal["title", "series"] = "title",
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Give the share of people who, having finished a title, began it again.

    Parameters
    ----------
    viewings, by
        As in `find_rewatched`.
    confidence : float, default 0.95
        How often the interval should cover the true share.

    Returns
    -------
    pandas.DataFrame
        One row per title (or series) that anyone is known to have finished, in order:

        * ``title`` or ``series`` : as in `viewings`
        * ``people`` : int, accounts that finished it
        * ``people_again`` : int, those of them that began it again
        * ``rate`` : float, `people_again` over `people`
        * ``low``, ``high`` : float, its interval

    Raises
    ------
    ValueError
        As in `find_rewatched`, or if `confidence` is not between 0 and 1.

    See Also
    --------
    shrink_rates : an estimate for titles that few people finished.
    pooled_rewatch_rate : one rate for all titles.

    Notes
    -----
    The unit is a person, of whom only those count who finished the title and so could come
    back to it.  The share of *viewings* that are rewatches is another number: one child who
    sees a film forty times moves it more than thirty people who come back once, and
    viewings of one person are not independent, so that it has no binomial interval.

    The interval is Wilson's [1]_, which holds for few people and at shares near 0.

    References
    ----------
    .. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical
       inference", JASA 22 (1927) 209-212.

    Examples
    --------
    >>> viewings = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "bob", "cleo"], "title": "Heat",
    ...     "is_complete": [True, False, True, False], "is_rewatch": [False, True, False, False],
    ... })
    >>> rewatch_rates(viewings).round(3)
      title  people  people_again  rate    low   high
    0  Heat       2             1   0.5  0.095  0.905
    """
    found = find_rewatched(viewings, by=by)
    rates = found.groupby(by, observed=True)["is_rewatched"].agg(["size", "sum"])
    rates = rates.set_axis(["people", "people_again"], axis=1).astype("int64").reset_index()
    low, high = wilson(rates["people_again"], rates["people"], confidence=confidence)
    return rates.assign(rate=rates["people_again"] / rates["people"], low=low, high=high)


def pooled_rewatch_rate(
    viewings: pd.DataFrame,
    *,
    by: Literal["title", "series"] = "title",
    seed: int,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Give the share of all titles finished, person by person, that were begun again.

    Parameters
    ----------
    viewings, by
        As in `find_rewatched`.
    seed : int
        Of the random numbers of the bootstrap.
    n_bootstrap : int, default 1000
        How many times people are drawn anew.
    confidence : float, default 0.95
        How often the interval should cover the true share.

    Returns
    -------
    pandas.DataFrame
        One row:

        * ``people`` : int, accounts that finished anything
        * ``n_finished`` : int, titles they finished, each as often as it has people
        * ``n_again`` : int, those of them that the same person began again
        * ``rate`` : float, `n_again` over `n_finished`
        * ``low``, ``high`` : float, its interval

    Raises
    ------
    ValueError
        As in `find_rewatched`, if fewer than 20 people are known to have finished anything,
        or if an option is out of its bounds.

    See Also
    --------
    rewatch_rates : title by title.

    Notes
    -----
    The unit is a title that a person finished, and people with many of them count for more.
    One person's titles are not independent, so the interval comes from a bootstrap of whole
    people (`cluster_bootstrap`), not from a binomial law.

    Examples
    --------
    >>> viewings = pd.DataFrame({
    ...     "viewer": np.repeat(np.arange(40), 2), "title": "Heat", "is_complete": True,
    ...     "is_rewatch": [False, True] * 10 + [False, False] * 30,
    ... })
    >>> pooled_rewatch_rate(viewings, seed=1).round(3)
       people  n_finished  n_again  rate    low  high
    0      40          40       10  0.25  0.125   0.4
    """
    found = find_rewatched(viewings, by=by)
    people = found.groupby("account", observed=True)["is_rewatched"].agg(["size", "sum"])
    if len(people) < _LEAST_PEOPLE:
        raise ValueError(
            f"`viewings` must hold at least {_LEAST_PEOPLE} people who finished anything, "
            f"found {len(people)}."
        )
    rate = cluster_bootstrap(
        people.reset_index(),
        lambda some: some["sum"].sum() / some["size"].sum(),
        seed=seed,
        n_bootstrap=n_bootstrap,
        confidence=confidence,
    ).rename(columns={"estimate": "rate"})
    pooled = {"people": len(people), "n_finished": len(found), "n_again": people["sum"].sum()}
    return pd.concat([pd.DataFrame([pooled]), rate], axis=1)


def shrink_rates(rates: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
    """Draw the rates of titles that few people finished towards those of all titles.

    What two people of two do says little.  Here a title's own people count beside what all
    titles together say of the rates to expect, so that rates can be ranked.

    Parameters
    ----------
    rates : pandas.DataFrame
        One row per title, with `people` and `people_again`, as `rewatch_rates` gives it.
    confidence : float, default 0.95
        Probability that the interval holds.

    Returns
    -------
    pandas.DataFrame
        The same rows, with the columns of `rates` and:

        * ``shrunk`` : float, the estimate
        * ``shrunk_low``, ``shrunk_high`` : float, its interval

    Raises
    ------
    ValueError
        If a column is missing, counts are no whole numbers or `people_again` exceeds
        `people`, there are fewer than 10 titles with anyone, all or none of the people came
        back, rates differ no more than chance makes them differ, or `confidence` is not
        between 0 and 1.

    See Also
    --------
    rewatch_rates : the rates, each by itself.

    Notes
    -----
    Empirical Bayes [1]_: the true rates of titles follow one beta distribution, whose a and
    b are those that make the counts of all titles most likely (they are beta-binomial).  The
    estimate is the mean ``(a + k) / (a + b + n)`` and the interval lies between quantiles of
    ``Beta(a + k, b + n - k)``, for k of n people.  a + b is the number of people at which a
    title's own rate and the mean a / (a + b) count alike.  The interval takes a and b for
    known, and is somewhat too short where titles are few.

    References
    ----------
    .. [1] G. Casella, "An introduction to empirical Bayes data analysis", The American
       Statistician 39 (1985) 83-87.

    Examples
    --------
    >>> rates = pd.DataFrame({"people": [50] * 9 + [2], "people_again": [*range(4, 40, 4), 2]})
    >>> shrink_rates(rates)["shrunk"].round(3).tolist()[-2:]
    [0.692, 0.581]
    """
    require_confidence(confidence)
    require_columns(rates, ["people", "people_again"], "rates")
    n, k = (rates[name].to_numpy("float64") for name in ("people", "people_again"))
    # Its check of counts is the one that is needed here.
    wilson(k, n)
    a, b = _beta_of(k[n > 0], n[n > 0])
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = (stats.beta.ppf(tail, a + k, b + n - k) for tail in tails)
    return rates.assign(shrunk=(a + k) / (a + b + n), shrunk_low=low, shrunk_high=high)


def _beta_of(k: np.ndarray, n: np.ndarray) -> tuple[float, float]:
    """Return the beta distribution of rates under which counts k of n are most likely."""
    if len(n) < _LEAST_TITLES:
        raise ValueError(
            f"`rates` must hold at least {_LEAST_TITLES} titles that someone finished, "
            f"found {len(n)}."
        )
    if k.sum() in (0, n.sum()):
        raise ValueError(
            "`rates` must hold people who came back and people who did not, found "
            f"{k.sum():.0f} of {n.sum():.0f} who did."
        )

    def loss(free: np.ndarray) -> tuple[float, np.ndarray]:
        a, b = _ab(free)
        both = special.digamma(a + b) - special.digamma(a + b + n)
        by_a = (special.digamma(a + k) - special.digamma(a) + both).sum()
        by_b = (special.digamma(b + n - k) - special.digamma(b) + both).sum()
        # Along the log odds of the mean a grows as b falls, along the other both grow.
        slope = np.array([(by_a - by_b) * a * b / (a + b), by_a * a + by_b * b])
        return -(special.betaln(a + k, b + n - k) - special.betaln(a, b)).sum(), -slope

    rate = k.sum() / n.sum()
    starts = [np.array([special.logit(rate), np.log(people)]) for people in (2.0, 50.0)]
    limits = [(-23.0, 23.0), (np.log(1e-3), np.log(_MOST_PEOPLE))]
    # Steps on to the last digits, which would else depend on the processor.
    options = {"jac": True, "bounds": limits, "options": {"ftol": 0.0, "gtol": 1e-9}}
    fits = [optimize.minimize(loss, s, method="L-BFGS-B", **options) for s in starts]
    best = min(fits, key=lambda fit: fit.fun)
    one_rate = -(special.xlogy(k, rate) + special.xlog1py(n - k, -rate)).sum()
    if one_rate - best.fun < 1e-3:
        raise ValueError(
            "`rates` must differ by more than chance to be shrunk; one rate, "
            f"{rate:.3g}, explains them as well."
        )
    return _ab(best.x)


def _ab(free: np.ndarray) -> tuple[float, float]:
    """Return a and b of a mean (as log odds) and the logarithm of their sum."""
    mean, people = special.expit(free[0]), np.exp(free[1])
    return mean * people, (1 - mean) * people
