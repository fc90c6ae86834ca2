"""Recency: which of the last viewings a repeat goes back to, and whether order matters at all."""

from typing import Literal

import numpy as np
import pandas as pd

from toolkit.copying import (
    copied,
    fit_decay,
    fit_weights,
    repeats_of,
    shuffled,
    steps_of,
    usable_repeats,
)
from toolkit.intervals import cluster_bootstrap
from toolkit.order import in_threads, taken
from toolkit.tables import as_viewings, as_whole_number, require_columns

__all__ = ["fit_recency", "recency_weights", "simulate_repeats"]


def recency_weights(
    viewings: pd.DataFrame,
    *,
    n_weights: int = 50,
    by: Literal["title", "series"] = "title",
    titles: pd.DataFrame | None = None,
    tz: str | None = None,
    seed: int,
    n_bootstrap: int = 100,
    n_shuffles: int = 20,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Estimate how much a viewing weighs in what is repeated, by how many steps ago it was.

    A step is a viewing, a viewer's steps stand in time order, and a repeat is a step whose
    title is that of one of the viewer's last `n_weights` steps.  The copy model draws it
    from those steps with a probability in proportion to their weights.

    Parameters
    ----------
    viewings : pandas.DataFrame
        One row per viewing, with `viewer`, `title` and `started_at`, as `to_viewings` gives
        it; order does not matter.
    n_weights : int, default 50
        How many steps are looked back, 2 or more.  There is a weight for each, so that each
        needs repeats of its own.
    by : {'title', 'series'}, default 'title'
        What is repeated.  With 'series' a title that has none stands for itself.
    titles : pandas.DataFrame, optional
        `title` (or `series`) with `available_from` and `available_until`, days in the
        viewer's own zone, both inclusive.  What could not be watched on the day of a step is
        nothing that it could repeat.
    tz : str, optional
        Name of a time zone, or of a column of `viewings` that names one for each.  Needed
        with `titles`; nothing else depends on it.
    seed : int
        Of the random numbers of the resamples and the shuffles.
    n_bootstrap : int, default 100
        How many times accounts are drawn anew for the interval.
    n_shuffles : int, default 20
        How many times each viewer's history is put into a random order for the null.
    confidence : float, default 0.95
        Of the interval, and the share of shuffles between the ends of the null.

    Returns
    -------
    pandas.DataFrame
        One row per lag from 1 to `n_weights`:

        * ``lag`` : int, how many steps ago
        * ``weight`` : float, most likely; all sum to 1
        * ``low``, ``high`` : float, percentiles over resampled accounts
        * ``null`` : float, mean weight where the order of each history is random
        * ``null_low``, ``null_high`` : float, percentiles over shuffles
        * ``n`` : int, repeats whose title was last watched so many steps ago

    Raises
    ------
    ValueError
        If a column is missing, there are fewer than 5 repeats at a lag or 20 accounts with
        any, no repeat is left by a shuffle, or `titles` lacks a title or comes without `tz`.

    See Also
    --------
    fit_recency : the law by which weights fall.
    fit_repeats : how well recency tells what is repeated, beside other models.
    simulate_repeats : histories that copy by such weights.

    Notes
    -----
    With x_t the title of step t, K `n_weights`, and given that step t is a repeat [1]_::

        P(x_t = e) = sum of w(i) over lags i <= K with x_{t-i} = e
                     / sum of w(i) over lags i <= K

    where both sums leave out what was not there to be watched.  A viewing outside its
    title's window is in the history, but is no repeat.  The likelihood is climbed from equal
    weights by a minorising step that never goes down [2]_, until it gains less than 1e-6.

    The null keeps what each viewer watched and how often, and forgets when.  Its weights
    are equal but for chance and for windows.  Weights that leave it say that order matters,
    not that memory does it: what is watched for a season, for as long as it is new or
    episode after episode, comes back soon for other reasons.

    Steps are counted, not days: see `base_level` for time.

    References
    ----------
    .. [1] A. Anderson, R. Kumar, A. Tomkins, S. Vassilvitskii, "The dynamics of repeat
       consumption", WWW 2014, 419-430.
    .. [2] D. R. Hunter, "MM algorithms for generalized Bradley-Terry models", Annals of
       Statistics 32 (2004) 384-406.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> viewings = pd.DataFrame({
    ...     "viewer": np.repeat(np.arange(40), 50), "title": rng.integers(0, 5, 2000),
    ...     "started_at": list(pd.date_range("2024-03-01 20:00Z", periods=50)) * 40,
    ... })
    >>> weights = recency_weights(viewings, n_weights=3, seed=1)
    >>> weights[["lag", "weight", "null", "n"]].round(2)
       lag  weight  null    n
    0    1    0.32  0.34  394
    1    2    0.33  0.33  301
    2    3    0.35  0.33  258
    """
    steps, repeats, n = usable_repeats(viewings, n_weights, by, titles, tz)
    n_shuffles = as_whole_number(n_shuffles, "n_shuffles", low=1)
    seed = as_whole_number(seed, "seed", low=0)

    weights = _with_intervals(fit_weights, steps, repeats, seed, n_bootstrap, confidence)

    def shuffle(number: int) -> np.ndarray:
        rng = np.random.default_rng([seed, number])
        again = repeats_of(shuffled(steps, rng), len(n))
        return fit_weights(again) if len(again.step) else np.full(len(n), np.nan)

    # From 1 on: a 0 after the seed would change nothing, and the seed alone is a usual choice.
    null = np.array(in_threads(shuffle, list(range(1, n_shuffles + 1))))
    if np.isnan(null).any():
        raise ValueError(
            "`viewings` must leave repeats where each history is shuffled, found a shuffle that "
            f"has none within `n_weights`={len(n)} steps."
        )
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    null_low, null_high = np.quantile(null, tails, axis=0)
    return pd.DataFrame(
        {"lag": np.arange(1, len(n) + 1), "weight": weights["estimate"]}
        | {name: weights[name] for name in ("low", "high")}
        | {"null": null.mean(axis=0), "null_low": null_low, "null_high": null_high, "n": n}
    )


def fit_recency(
    viewings: pd.DataFrame,
    *,
    n_weights: int = 50,
    by: Literal["title", "series"] = "title",
    titles: pd.DataFrame | None = None,
    tz: str | None = None,
    offset: float = 0.0,
    seed: int,
    n_bootstrap: int = 100,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Fit a power law with an exponential cut-off to what is repeated.

    The law takes the place of the weights of the copy model, and is fitted to the repeats
    themselves, by maximum likelihood, not to weights estimated before.

    Parameters
    ----------
    viewings, n_weights, by, titles, tz, seed, n_bootstrap, confidence
        As in `recency_weights`.
    offset : float, default 0.0
        Steps added to each lag before its power is taken, 0 or more; it is not estimated.

    Returns
    -------
    pandas.DataFrame
        One row per parameter:

        * ``term`` : str, "exponent" or "rate"
        * ``estimate`` : float, most likely
        * ``low``, ``high`` : float, percentiles over resampled accounts

    Raises
    ------
    ValueError
        As in `recency_weights`, or if `offset` is below 0.

    See Also
    --------
    recency_weights : weights without a law.
    fit_repeats : how much the law loses against them ("power_law_cutoff").

    Notes
    -----
    The weight of lag d is in proportion to ``(d + offset)^-exponent exp(-rate d)``, with an
    exponent and a rate (for each step) of 0 or more [1]_.  Weights that do not fall give 0
    for both.  An offset flattens the law where d is small; were it free, a steep power law
    with a large offset could not be told from an exponential.

    Never read an exponent off a straight line through weights on logarithmic axes: weights
    of few repeats would count as much as those of many.

    References
    ----------
    .. [1] A. Anderson, R. Kumar, A. Tomkins, S. Vassilvitskii, "The dynamics of repeat
       consumption", WWW 2014, 419-430.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> viewings = pd.DataFrame({
    ...     "viewer": np.repeat(np.arange(40), 50), "title": rng.integers(0, 5, 2000),
    ...     "started_at": list(pd.date_range("2024-03-01 20:00Z", periods=50)) * 40,
    ... })
    >>> law = fit_recency(viewings, n_weights=3, seed=1)
    >>> law[["term", "estimate"]].round(2)
           term  estimate
    0  exponent       0.0
    1      rate       0.0
    """
    if not 0 <= offset < np.inf:
        raise ValueError(f"`offset` must be 0 or more, got {offset!r}.")
    steps, repeats, _ = usable_repeats(viewings, n_weights, by, titles, tz)
    law = _with_intervals(
        lambda some: fit_decay(some, offset), steps, repeats, seed, n_bootstrap, confidence
    )
    law.insert(0, "term", ["exponent", "rate"])
    return law


def simulate_repeats(
    viewings: pd.DataFrame,
    weights: pd.DataFrame,
    *,
    titles: pd.DataFrame | None = None,
    tz: str | None = None,
    seed: int,
) -> pd.DataFrame:
    """Simulate what viewers would have watched, had each repeat copied one of the last steps.

    Every viewing stays where it is; a repeat gets its title anew from the steps before it
    as simulated, by the copy model with these weights.  All others keep their title, so that
    a title comes into a history when it did.

    Parameters
    ----------
    viewings : pandas.DataFrame
        One row per viewing, with `viewer`, `title`, `started_at` and `ended_at`, as
        `to_viewings` gives it; order does not matter.
    weights : pandas.DataFrame
        ``lag`` from 1 on, each once, and ``weight``, as `recency_weights` gives them.
    titles, tz
        As in `recency_weights`.
    seed : int
        Of the random numbers.

    Returns
    -------
    pandas.DataFrame
        One row per viewing, simulated, in the order viewer, started_at:

        * ``viewer``, ``account``, ``started_at``, ``ended_at`` : as in `viewings`
        * ``title`` : simulated where the viewing is a repeat

    Raises
    ------
    ValueError
        If a column or an instant is missing, lags are not 1, 2, ... each once, a weight is
        below 0 or none is above, or `titles` lacks a title or comes without `tz`.

    See Also
    --------
    last_gaps : what to compare in simulated and true histories.

    Notes
    -----
    Nobody in such a history tires of anything, and no title is better than another.  Yet
    titles fall into disuse, since what was not watched for a while is copied less, and the
    gaps before the last viewing grow [1]_.  What true histories show beyond that needs
    another explanation.

    References
    ----------
    .. [1] A. R. Benson, R. Kumar, A. Tomkins, "Modeling user consumption sequences", WWW
       2016, 519-529.

    Examples
    --------
    >>> at = pd.date_range("2024-03-01 20:00Z", periods=4, freq="D")
    >>> viewings = pd.DataFrame({
    ...     "viewer": "ann", "title": ["Heat", "Alien", "Heat", "Alien"],
    ...     "started_at": at, "ended_at": at,
    ... })
    >>> always_the_last = pd.DataFrame({"lag": [1, 2], "weight": [1.0, 0.0]})
    >>> simulate_repeats(viewings, always_the_last, seed=1)["title"].tolist()
    ['Heat', 'Alien', 'Alien', 'Alien']
    """
    weights = _as_weights(weights)
    seed = as_whole_number(seed, "seed", low=0)
    viewings = as_viewings(viewings, ["started_at", "ended_at"])
    steps = steps_of(viewings, by="title", titles=titles, tz=tz)
    title = copied(steps, weights, np.random.default_rng(seed))
    _, first = np.unique(steps.title, return_index=True)
    rows = {name: steps.row for name in ("viewer", "account", "title", "started_at", "ended_at")}
    rows["title"] = steps.row[first[title]]
    simulated = {name: taken(viewings[name], some) for name, some in rows.items()}
    return pd.DataFrame(simulated, copy=False)


def _with_intervals(fit, steps, repeats, seed, n_bootstrap, confidence) -> pd.DataFrame:
    """Return what `fit` makes of all repeats, with intervals over resampled accounts."""
    rows = pd.DataFrame({"account": steps.account[repeats.step]}).rename_axis("repeat")
    return cluster_bootstrap(
        rows.reset_index(),
        lambda some: pd.Series(fit(repeats.taken(some["repeat"].to_numpy()))),
        seed=seed,
        n_bootstrap=n_bootstrap,
        confidence=confidence,
    )


def _as_weights(weights: pd.DataFrame) -> np.ndarray:
    require_columns(weights, ["lag", "weight"], "weights")
    weights = weights.sort_values("lag")
    lags, values = weights["lag"].to_numpy(), weights["weight"].to_numpy("float64")
    if not np.array_equal(lags, np.arange(1, len(lags) + 1)):
        raise ValueError(f"`weights` must have lags 1, 2, ... each once, found {lags.tolist()}.")
    if not (np.isfinite(values) & (values >= 0)).all() or not values.any():
        raise ValueError("`weights` must be 0 or more, and one of them above.")
    return values
