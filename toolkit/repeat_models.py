"""What is repeated: recency, quality and both, by how likely they make the repeats."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from toolkit.copying import (
    Repeats,
    Sets,
    Steps,
    decaying,
    divided,
    fit_decay,
    fit_weights,
    log_total,
    loglik,
    usable_repeats,
)
from toolkit.order import filled, in_blocks
from toolkit.tables import as_whole_number, require_choice

__all__ = ["Choices", "choices_of", "fit_choices", "fit_repeats", "loglik_choices"]

_MODELS = ["uniform", "frequency", "quality", "power_law_cutoff", "recency", "hybrid"]
_ROUNDS = 10_000
# A round that gains less loglikelihood is the last.
_CLOSE = 1e-4


class Choices(NamedTuple):
    """What stands at each lag (row) of each repeat (column), and what was chosen.

    What can't be chosen has the number `n_titles`.  Without `hits` each title stands once,
    where it was watched last.
    """

    titles: np.ndarray
    chosen: np.ndarray
    n_titles: int
    hits: Sets | None


def fit_repeats(
    viewings: pd.DataFrame,
    *,
    models: Sequence[str] | None = None,
    n_weights: int = 50,
    by: Literal["title", "series"] = "title",
    titles: pd.DataFrame | None = None,
    tz: str | None = None,
    min_repeats: int = 20,
    n_folds: int = 5,
    seed: int,
) -> pd.DataFrame:
    """Compare models of what is repeated, by how likely they make the repeats.

    All models answer the same question of the same repeats: of what the viewer watched in
    the last `n_weights` steps and could watch again, which title comes back?

    Parameters
    ----------
    viewings, n_weights, by, titles, tz
        As in `recency_weights`.
    models : sequence of str, optional
        Among those under Notes; all by default.
    min_repeats : int, default 20
        Repeats from which on a title has a score of its own in "quality" and "hybrid"; the
        others share one.
    n_folds : int, default 5
        Parts into which accounts are cut, 2 or more.
    seed : int
        Of the random numbers that say which account is in which part.

    Returns
    -------
    pandas.DataFrame
        One row per model, in the order of `models`:

        * ``model`` : str
        * ``n_repeats`` : int, the same for all
        * ``n_params`` : int
        * ``loglik``, ``aic``, ``bic`` : float
        * ``mean_loglik`` : float, of a repeat, in nats
        * ``mean_held_out`` : float, of a repeat under the model as fitted to the other parts;
          -inf if any of them is impossible there

    Raises
    ------
    ValueError
        As in `recency_weights`, or if a model is unknown.

    See Also
    --------
    recency_weights : the weights of "recency".
    fit_recency : the parameters of "power_law_cutoff".

    Notes
    -----
    A title e is repeated with a probability in proportion to [1]_

    ================  ====================================  ======================
    model             P(e) in proportion to                 parameters
    ================  ====================================  ======================
    uniform           1                                     none
    frequency         number of lags at which e stands      none
    quality           s(e)                                  a score for each title
    power_law_cutoff  sum of w(i) over lags i of e, where   exponent, rate
                      w is as in `fit_recency`
    recency           sum of w(i) over lags i of e          a weight for each lag
    hybrid            s(e) times that sum                   both
    ================  ====================================  ======================

    among the distinct titles of the last `n_weights` steps, scores being the same for all
    viewers.  One weight and one score are fixed, as only their proportions matter.  Of
    nested models (frequency, power_law_cutoff, recency, hybrid; uniform, quality) the
    larger is never less likely where it is fitted; `mean_held_out`, `aic` and `bic` say
    whether that is worth its parameters.  Repeats of one account resemble each other, so
    that `aic` and `bic` take them for more than they are: trust `mean_held_out`.

    Only what is repeated is modelled, never whether a step is a repeat.  The paper lets
    quality choose among all that was ever watched; here every model has the same choice, so
    that their likelihoods compare.

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
    >>> fits = fit_repeats(viewings, n_weights=3, models=["uniform", "recency"], seed=1)
    >>> fits[["model", "n_params", "mean_loglik", "mean_held_out"]].round(3)
         model  n_params  mean_loglik  mean_held_out
    0  uniform         0       -0.908         -0.908
    1  recency         2       -0.924         -0.927
    """
    models = _MODELS if models is None else [models] if isinstance(models, str) else models
    models = list(dict.fromkeys(models))
    for model in models:
        require_choice(model, _MODELS, "models")
    min_repeats = as_whole_number(min_repeats, "min_repeats", low=1)
    seed = as_whole_number(seed, "seed", low=0)
    n_folds = as_whole_number(n_folds, "n_folds", low=2)
    steps, repeats, _ = usable_repeats(viewings, n_weights, by, titles, tz)
    _, account = np.unique(steps.account[repeats.step], return_inverse=True)
    fold = np.random.default_rng(seed).permutation(account.max() + 1)[account] % n_folds
    fits, n = [], len(fold)
    for model in models:
        n_params, height = _fitted(model, steps, repeats, min_repeats)
        top, held_out = height(repeats), 0.0
        for part in range(n_folds):
            _, height = _fitted(model, steps, repeats.taken(fold != part), min_repeats)
            held_out += height(repeats.taken(fold == part))
        aic, bic = 2 * n_params - 2 * top, n_params * np.log(n) - 2 * top
        fits.append([model, n, n_params, top, aic, bic, top / n, held_out / n])
    columns = ["model", "n_repeats", "n_params", "loglik", "aic", "bic"]
    return pd.DataFrame(fits, columns=[*columns, "mean_loglik", "mean_held_out"])


def choices_of(steps: Steps, repeats: Repeats, *, distinct: bool) -> Choices:
    """Return the titles that each repeat could choose from, all of them or each once."""
    n_titles = len(steps.came)
    is_there = repeats.candidates.matrix.tocsc()
    until_next = _steps_to_next(steps) if distinct else None
    titles = np.full((is_there.shape[1], len(repeats.step)), n_titles, dtype="int32")
    for lag, row in enumerate(titles, 1):
        can = is_there[:, [lag - 1]].toarray().ravel()[repeats.candidates.index] > 0
        can = np.flatnonzero(can)
        before = repeats.step[can] - lag
        if distinct:
            is_last = until_next[before] >= lag
            can, before = can[is_last], before[is_last]
        row[can] = steps.title[before]
    hits = None if distinct else repeats.hits
    return Choices(titles, steps.title[repeats.step], n_titles, hits)


def fit_choices(choices: Choices, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the most likely weights of lags and scores of titles, one for each group of them.

    Where each title stands once, lags have no weights.
    """
    won = np.bincount(group, np.bincount(choices.chosen, minlength=choices.n_titles))
    hits = None if choices.hits is None else choices.hits.counted()
    weights, scores = np.ones(len(choices.titles)), np.ones(choices.n_titles)
    height = -np.inf
    for _ in range(_ROUNDS):
        seen = _seen(choices, weights, scores)
        before, height = height, np.log(scores[choices.chosen] / seen).sum()
        if hits is not None:
            hit, found = log_total(*hits, weights)
            height += hit
        if height - before < _CLOSE:
            break
        if hits is not None:
            weights = weights * divided(found, _sums_by_lag(choices, scores, 1 / seen))
            weights /= weights.sum()
            seen = _seen(choices, weights, scores)
        expected = np.bincount(group, _sums_by_title(choices, weights, 1 / seen))
        scores = divided(won, expected)[group]
        scores /= scores.max()
    return weights, scores


def loglik_choices(choices: Choices, weights: np.ndarray, scores: np.ndarray) -> float:
    """Return the loglikelihood of weights of lags and scores of titles."""
    hit = 0.0 if choices.hits is None else log_total(*choices.hits.counted(), weights)[0]
    chosen = scores[choices.chosen]
    if hit == -np.inf or not chosen.all():
        return -np.inf
    return float(hit + np.log(chosen / _seen(choices, weights, scores)).sum())


def _fitted(model: str, steps: Steps, repeats: Repeats, min_repeats: int):
    """Return how many parameters a model has, and what gives repeats their loglikelihood."""
    n_weights = repeats.hits.matrix.shape[1]
    if model in ("frequency", "power_law_cutoff", "recency"):
        n_params, weights = 0, np.ones(n_weights)
        if model == "recency":
            n_params, weights = n_weights - 1, fit_weights(repeats)
        elif model == "power_law_cutoff":
            n_params, weights = 2, decaying(*fit_decay(repeats, 0.0), 0.0, n_weights)
        return n_params, lambda others: loglik(others, weights)
    distinct = model != "hybrid"
    n_params, weights, scores = 0, np.ones(n_weights), np.ones(len(steps.came))
    if model != "uniform":
        choices = choices_of(steps, repeats, distinct=distinct)
        group, n_groups = _groups(choices, min_repeats)
        n_params = n_groups - 1 + (0 if distinct else n_weights - 1)
        weights, scores = fit_choices(choices, group)
    return n_params, lambda others: loglik_choices(
        choices_of(steps, others, distinct=distinct), weights, scores
    )


def _groups(choices: Choices, min_repeats: int) -> tuple[np.ndarray, int]:
    """Give each title that is repeated often a group of its own; the others share one."""
    is_own = np.bincount(choices.chosen, minlength=choices.n_titles) >= min_repeats
    is_there = np.zeros(choices.n_titles + 1, dtype=bool)
    is_there[choices.titles] = True
    any_other = (is_there[:-1] & ~is_own).any()
    return np.where(is_own, np.cumsum(is_own), 0), int(is_own.sum() + any_other)


def _steps_to_next(steps: Steps) -> np.ndarray:
    """Return after how many steps each step's viewer watches its title again."""
    n = len(steps.title)
    order = np.lexsort((steps.title, steps.viewer))
    again = (np.diff(steps.title[order]) == 0) & (np.diff(steps.viewer[order]) == 0)
    until_next = np.full(n, n)
    until_next[order[:-1][again]] = np.diff(order)[again]
    return until_next


def _seen(choices: Choices, weights: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return what all that each repeat could choose weighs."""
    scores = np.append(scores, 0.0)

    def weigh(block: slice) -> np.ndarray:
        total = np.zeros(block.stop - block.start)
        for weight, titles in zip(weights, choices.titles, strict=True):
            total += weight * scores[titles[block]]
        return total

    return filled(weigh, len(choices.chosen), "float64")


def _sums_by_lag(choices: Choices, scores: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the slope, by each weight, of the logarithms of what is seen."""
    scores = np.append(scores, 0.0)

    def add(block: slice) -> np.ndarray:
        return np.array([scores[titles[block]] @ shares[block] for titles in choices.titles])

    return sum(in_blocks(add, 0, len(shares)))


def _sums_by_title(choices: Choices, weights: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the slope, by each score, of the logarithms of what is seen."""
    size = choices.n_titles + 1

    def add(block: slice) -> np.ndarray:
        total = np.zeros(size)
        for weight, titles in zip(weights, choices.titles, strict=True):
            total += weight * np.bincount(titles[block], shares[block], minlength=size)
        return total

    return sum(in_blocks(add, 0, len(shares)))[:-1]
