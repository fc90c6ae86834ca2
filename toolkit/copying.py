"""The copy model: each repeat copies one of the viewer's last viewings, weighed by its lag."""

import itertools
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import optimize, sparse, special

from toolkit.days import to_viewer_days
from toolkit.intervals import LEAST_ACCOUNTS
from toolkit.order import codes_of, day_numbers, pack, stable_order
from toolkit.streaks import available_days
from toolkit.tables import as_viewings, as_whole_number, require_choice, unit_column

__all__ = [
    "Repeats",
    "Sets",
    "Steps",
    "copied",
    "decaying",
    "divided",
    "fit_decay",
    "fit_weights",
    "log_total",
    "loglik",
    "repeats_of",
    "shuffled",
    "steps_of",
    "usable_repeats",
]

_BITS = 62
_ROUNDS = 10_000
# A round that gains less loglikelihood is the last.
_CLOSE = 1e-6
_LEAST_AT_LAG = 5


class Steps(NamedTuple):
    """Viewings as whole numbers, viewer after viewer and each viewer's in time order.

    Each has its row in the table, its viewer, account and place in the viewer's history
    from 0, its title (or series) and day; each title has the first and the last day on
    which it could be watched.
    """

    row: np.ndarray
    viewer: np.ndarray
    account: np.ndarray
    position: np.ndarray
    title: np.ndarray
    day: np.ndarray
    came: np.ndarray
    left: np.ndarray


class Sets(NamedTuple):
    """A set of lags for each repeat: each set once, as a row of a matrix, and whose it is."""

    matrix: sparse.csr_array
    index: np.ndarray

    def counted(self) -> tuple[sparse.csr_array, np.ndarray]:
        """Return the sets that occur, and how often."""
        counts = np.bincount(self.index, minlength=self.matrix.shape[0])
        occurs = np.flatnonzero(counts)
        return self.matrix[occurs], counts[occurs]


class Repeats(NamedTuple):
    """The steps that repeat one of the last steps, and the lags they do and could repeat."""

    step: np.ndarray
    hits: Sets
    candidates: Sets

    def taken(self, rows: np.ndarray) -> "Repeats":
        """Return some of the repeats, any of them as often as its row is named."""
        sets = (Sets(some.matrix, some.index[rows]) for some in (self.hits, self.candidates))
        return Repeats(self.step[rows], *sets)


def steps_of(viewings: pd.DataFrame, *, by: str, titles: pd.DataFrame | None, tz) -> Steps:
    """Return the steps of all viewers; those that start together stand in title order."""
    viewings = as_viewings(viewings, ["started_at"])
    names = unit_column(viewings, by)
    title, _ = codes_of(names, by)
    viewer, account = (codes_of(viewings[name], name)[0] for name in ("viewer", "account"))
    order = np.lexsort((title, viewings["started_at"].array.asi8, viewer))
    _, first, title = np.unique(title, return_index=True, return_inverse=True)
    day = np.zeros(len(order), dtype="int64")
    came = left = np.zeros(len(first), dtype="int64")
    if titles is not None:
        day = _days(viewings, tz)
        came, left = available_days({by: names.iloc[first]}, by, titles)
    viewer, account = (np.unique(ids[order], return_inverse=True)[1] for ids in (viewer, account))
    head = np.flatnonzero(np.diff(viewer, prepend=-1))
    position = np.arange(len(order)) - head[viewer]
    return Steps(order, viewer, account, position, title[order], day[order], came, left)


def usable_repeats(viewings, n_weights, by, titles, tz) -> tuple[Steps, Repeats, np.ndarray]:
    """Return steps, repeats, and at how many of them each lag is the last of the title."""
    n_weights = as_whole_number(n_weights, "n_weights", low=2)
    require_choice(by, ["title", "series"], "by")
    steps = steps_of(viewings, by=by, titles=titles, tz=tz)
    repeats = repeats_of(steps, n_weights)
    sets = repeats.hits.matrix
    n = np.bincount(sets.indices[sets.indptr[:-1]][repeats.hits.index], minlength=n_weights)
    if (few := n < _LEAST_AT_LAG).any():
        lag = int(few.argmax())
        raise ValueError(
            f"`viewings` must hold at least {_LEAST_AT_LAG} repeats at each lag up to `n_weights`"
            f"={n_weights}, found {n[lag]} at lag {lag + 1}."
        )
    n_accounts = len(np.unique(steps.account[repeats.step]))
    if n_accounts < LEAST_ACCOUNTS:
        raise ValueError(
            f"`viewings` must hold repeats of at least {LEAST_ACCOUNTS} accounts, "
            f"found {n_accounts}."
        )
    return steps, repeats, n


def shuffled(steps: Steps, rng: np.random.Generator) -> Steps:
    """Return the steps with what each viewer watched in another order."""
    order = np.argsort(steps.viewer + rng.random(len(steps.viewer)))
    return steps._replace(title=steps.title[order])


def copied(steps: Steps, weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the titles of the steps with those of repeats copied anew, one step at a time."""
    title = steps.title.copy()
    chance = rng.random(len(title))
    is_repeat = np.zeros(len(title), dtype=bool)
    is_repeat[repeats_of(steps, len(weights)).step] = True
    # All viewers' second steps, then their third, and so on: each knows those before it.
    order = stable_order(steps.position)
    ends = np.searchsorted(steps.position[order], np.arange(1, steps.position.max(initial=0) + 2))
    for position, (low, high) in enumerate(itertools.pairwise(ends), 1):
        step = order[low:high][is_repeat[order[low:high]]]
        before = step[:, None] - np.arange(1, min(position, len(weights)) + 1)
        old, day = title[before], steps.day[step, None]
        there = (steps.came[old] <= day) & (day <= steps.left[old])
        upto = np.cumsum(there * weights[: before.shape[1]], axis=1)
        drawn = (upto <= chance[step, None] * upto[:, -1:]).sum(axis=1)
        # Where nothing that is there has a weight, the step keeps its title.
        can = np.flatnonzero(upto[:, -1] > 0)
        title[step[can]] = old[can, drawn[can]]
    return title


def repeats_of(steps: Steps, n_weights: int) -> Repeats:
    """Return the steps whose title is one of the viewer's last `n_weights`."""
    n_words = -(-n_weights // _BITS)
    hits, candidates = np.zeros((2, n_words, len(steps.title)), dtype="int64")
    came, left = steps.came[steps.title], steps.left[steps.title]
    for lag in range(1, n_weights + 1):
        now, before = slice(lag, None), slice(None, -lag)
        there = steps.position[now] >= lag
        there &= (came[before] <= steps.day[now]) & (steps.day[now] <= left[before])
        word, bit = divmod(lag - 1, _BITS)
        candidates[word, now] |= np.left_shift(there, bit, dtype="int64")
        there &= steps.title[now] == steps.title[before]
        hits[word, now] |= np.left_shift(there, bit, dtype="int64")
    step = np.flatnonzero(hits.any(axis=0))
    return Repeats(step, *(_sets(words[:, step], n_weights) for words in (hits, candidates)))


def loglik(repeats: Repeats, weights: np.ndarray) -> float:
    """Return the loglikelihood of weights."""
    hit, seen = (
        log_total(*sets.counted(), weights)[0] for sets in (repeats.hits, repeats.candidates)
    )
    # Where all that could be repeated weighs nothing, so does what was.
    return hit if hit == -np.inf else hit - seen


def fit_weights(repeats: Repeats) -> np.ndarray:
    """Return the most likely weights, which sum to 1."""
    hits, candidates = repeats.hits.counted(), repeats.candidates.counted()
    n_weights = repeats.hits.matrix.shape[1]

    def climb(weights: np.ndarray) -> tuple[float, np.ndarray]:
        hit, found = log_total(*hits, weights)
        seen, expected = log_total(*candidates, weights)
        higher = weights * divided(found, expected)
        return hit - seen, higher / higher.sum()

    weights = np.full(n_weights, 1 / n_weights)
    height = -np.inf
    for _ in range(_ROUNDS):
        before, (height, once) = height, climb(weights)
        if height - before < _CLOSE:
            break
        height_once, twice = climb(once)
        leap = _leap(weights, once, twice)
        weights = twice
        if ((leap > 0) | (twice == 0)).all():
            height_there, after = climb(leap)
            weights = after if height_there >= height_once else twice
    return weights


def decaying(exponent: float, rate: float, offset: float, n_weights: int) -> np.ndarray:
    """Return the weights of a power law with an exponential cut-off, which sum to 1."""
    lags = np.arange(1, n_weights + 1)
    return special.softmax(-exponent * np.log(lags + offset) - rate * lags)


def fit_decay(repeats: Repeats, offset: float) -> np.ndarray:
    """Return the most likely exponent and rate of `decaying`."""
    hits, candidates = repeats.hits.counted(), repeats.candidates.counted()
    n_weights, n = repeats.hits.matrix.shape[1], len(repeats.step)
    lags = np.arange(1, n_weights + 1)
    # In units that fall about as fast over the lags.
    bends = np.stack([np.log(lags + offset), lags / n_weights])

    def falling(params):
        weights = special.softmax(-params @ bends)
        hit, found = log_total(*hits, weights)
        seen, expected = log_total(*candidates, weights)
        return (seen - hit) / n, bends @ (weights * (found - expected)) / n

    fit = optimize.minimize(
        falling,
        [1.0, 1.0],
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None), (0, None)],
        options={"ftol": 1e-13, "gtol": 1e-8},
    )
    return fit.x / [1, n_weights]


def log_total(matrix: sparse.csr_array, counts: np.ndarray, weights: np.ndarray):
    """Return the sum of the logarithms of what sets of lags weigh, and its slope by weight."""
    weight = matrix @ weights
    # What other repeats never showed weighs nothing, and -inf is its logarithm.
    with np.errstate(divide="ignore"):
        return float(counts @ np.log(weight)), matrix.T @ (counts / weight)


def divided(counts: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Divide, where there is anything to divide."""
    return np.divide(counts, total, out=np.zeros(len(total)), where=counts > 0)


def _leap(start: np.ndarray, once: np.ndarray, twice: np.ndarray) -> np.ndarray:
    """Return where two steps lead if those after them shrink as the second did."""
    step, bend = once - start, twice - once - (once - start)
    stretch = np.sqrt((step @ step) / (bend @ bend)) if bend.any() else 1.0
    leap = start + 2 * stretch * step + stretch**2 * bend
    return leap / leap.sum()


def _days(viewings: pd.DataFrame, tz) -> np.ndarray:
    """Return the day on which each viewing starts, in whole days since 1970-01-01."""
    if tz is None:
        raise ValueError("`tz` must be given with `titles`, whose windows are days, got None.")
    # Each as a viewer of its own, so that the days come back one by one.
    zones = [tz] if tz in viewings else []
    alone = viewings[["title", "started_at", *zones]]
    alone = alone.assign(viewer=np.arange(len(alone)))
    return day_numbers(to_viewer_days(alone, tz=tz, by=None)["day"], "day")


def _sets(words: np.ndarray, n_weights: int) -> Sets:
    """Return the sets of lags whose bits are set in the columns of `words`."""
    index = np.zeros(words.shape[1], dtype="int64")
    for word in words:
        codes, values = pd.factorize(word)
        index, _ = pd.factorize(pack((index, len(index) + 1), (codes, len(values) + 1)))
    _, first = np.unique(index, return_index=True)
    held = [words[lag // _BITS, first] >> lag % _BITS & 1 for lag in range(n_weights)]
    return Sets(sparse.csr_array(np.stack(held, axis=1, dtype="int8"), dtype="float64"), index)
