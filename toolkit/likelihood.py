"""The best fits of laws to samples of counts, many at once, and the intervals around them.

A bootstrap refits hundreds of samples, so all of them climb together, by Newton's steps.  A
loop of `scipy.optimize.minimize` over them takes many times as long and with some of its
methods stops short of the maximum: benchmarks/README.md, "Fitting laws", has the table.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.optimize import elementwise

from toolkit.count_laws import Coordinates, Law, log_survival, log_total, shift_of

__all__ = [
    "Sample",
    "best_fit",
    "distances",
    "draw",
    "limit_of",
    "logliks",
    "profile_intervals",
    "sample_of",
]

# In free coordinates: the differences that stand for slopes, and the longest step of a climb.
_STEP, _LONGEST_STEP = 1e-3, 3.0
_ROUNDS = 100
# What lies this close in loglikelihood is as likely.
_NO_LESS = 1e-3


class Sample(NamedTuple):
    """Samples of counts, one after the other: each value once, and how often it occurs."""

    k: np.ndarray
    weights: np.ndarray
    first: np.ndarray
    xmin: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """How many different values each sample has."""
        return np.diff(self.first, append=len(self.k))

    @property
    def row(self) -> np.ndarray:
        """The sample that each value belongs to."""
        return np.repeat(np.arange(len(self.first)), self.sizes)

    @property
    def n(self) -> np.ndarray:
        """The observations of each sample."""
        return np.add.reduceat(self.weights, self.first)

    def taken(self, rows: np.ndarray) -> "Sample":
        """Return the samples of these rows, each as often as it is asked for."""
        sizes = self.sizes[rows]
        first = np.cumsum(sizes) - sizes
        at = np.arange(sizes.sum()) + np.repeat(self.first[rows] - first, sizes)
        return Sample(self.k[at], self.weights[at], first, self.xmin[rows])


def sample_of(table: np.ndarray, values: np.ndarray, xmin) -> Sample:
    """Return the samples of a table with a row for each and a column for each value."""
    row, column = np.nonzero(table)
    first = np.searchsorted(row, np.arange(len(table)))
    values = np.asarray(values, dtype="float64")[column]
    xmin = np.broadcast_to(np.asarray(xmin, dtype="float64"), len(table))
    return Sample(values, table[row, column].astype("float64"), first, xmin)


def draw(law: Law, params, xmin: int, n: np.ndarray, rng: np.random.Generator) -> Sample:
    """Draw a sample of each size `n` from one law."""
    head = np.arange(xmin, xmin + 2)
    most = n.max(initial=0)
    while len(head) < 2**13 and most * np.exp(log_survival(law, head[-1:] + 1, params, xmin)) > 1:
        head = np.arange(xmin, xmin + 4 * len(head))
    left = np.exp(log_survival(law, np.append(head, head[-1] + 1), params, xmin))
    shares = np.append(np.maximum(left[:-1] - left[1:], 0), left[-1])
    table = rng.multinomial(n, shares / shares.sum())
    high = _draw_above(law, params, xmin, int(head[-1]) + 1, int(table[:, -1].sum()), rng)
    values, column = np.unique(high, return_inverse=True)
    far = np.zeros((len(n), len(values)), dtype=table.dtype)
    np.add.at(far, (np.repeat(np.arange(len(n)), table[:, -1]), column), 1)
    return sample_of(np.hstack([table[:, :-1], far]), np.append(head, values), xmin)


def logliks(law: Law, params, sample: Sample) -> np.ndarray:
    """Return the loglikelihood of each sample."""
    row = sample.row
    k = sample.k + shift_of(law, sample.xmin)[row]
    weights = law.log_weight(k, *[p[row] for p in params])
    totals = sample.n * log_total(law, params, sample.xmin)
    return np.add.reduceat(sample.weights * weights, sample.first) - totals


def distances(law: Law, params, sample: Sample) -> np.ndarray:
    """Return the largest distance between the distribution of each sample and its law's."""
    row = sample.row
    own, xmin = [p[row] for p in params], sample.xmin[row]
    share = sample.weights / sample.n[row]
    upto = np.cumsum(share)
    upto -= (upto - share)[sample.first][row]
    below, within = (-np.expm1(log_survival(law, sample.k + i, own, xmin)) for i in (0, 1))
    # Between two values that occur only the law's distribution rises, so that it is furthest
    # below the sample's at a value, and furthest above it just before one.
    gaps = np.maximum(upto - within, below - (upto - share))
    return np.maximum.reduceat(gaps, sample.first)


def best_fit(law: Law, sample: Sample) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Return the most likely parameters of each sample, and their loglikelihood."""
    k = np.maximum(sample.k + shift_of(law, sample.xmin)[sample.row], 0.5)
    mean, mean_log, mean_square = (
        np.add.reduceat(sample.weights * part, sample.first) / sample.n
        for part in (k, np.log(k), np.log(k) ** 2)
    )
    sd_log = np.sqrt(np.maximum(mean_square - mean_log**2, 0.01))
    start = np.broadcast_arrays(*law.start(mean, mean_log, sd_log), mean)[:-1]
    to_free, from_free, low, high = law.climbed
    start = np.clip(to_free(*start), low + 1e-3, high - 1e-3)
    reached, height = _climb(law, law.climbed, sample, start)
    return from_free(reached), height


def limit_of(law: Law, sample: Sample, params, height: np.ndarray) -> str | None:
    """Say what one sample's fit has become, if a coordinate may as well lie at its edge."""
    to_free, _, low, high = law.climbed
    moving, is_high = np.indices((len(law.params), 2)).reshape(2, -1)
    edges = np.arange(len(moving))
    start = np.repeat(to_free(*params), len(edges), axis=0)
    start[edges, moving] = np.where(is_high, high[moving], low[moving])
    free = np.arange(len(law.params)) != moving[:, None]
    _, top = _climb(law, law.climbed, sample.taken(0 * edges), start, free)
    names = np.ravel(law.limits)[top > height - _NO_LESS]
    return str(names[0]) if len(names) else None


def profile_intervals(
    law: Law, sample: Sample, params, height: np.ndarray, drop: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return where each parameter's profile of the loglikelihood has fallen by `drop`.

    Where it never falls so far, the interval ends where the parameter's range does.
    """
    to_free, from_free, low, high = law.apart
    best = np.clip(to_free(*params), low, high)
    # One search for each side, parameter and sample.
    is_up, moving, row = np.indices((2, best.shape[1], best.shape[0])).reshape(3, -1)
    free = np.arange(best.shape[1]) != moving[:, None]
    # While one parameter is led to its edge the other may go beyond its own.
    wide = law.apart._replace(low=low - 10, high=high + 10)
    reached = best[row]

    def points_at(distance, search):
        i = moving[search]
        at = best[row[search], i] + np.where(is_up[search], distance, -distance)
        points = reached[search]
        points[np.arange(len(search)), i] = np.clip(at, low[i], high[i])
        return points

    def excess_at(distance, search):
        start = points_at(distance, search)
        at, top = _climb(law, wide, sample.taken(row[search]), start, free[search])
        excess = np.sqrt(np.maximum(height[row[search]] - top, 0)) - np.sqrt(drop)
        # From further out the way back may be flat: what is inside is where the next one starts.
        inside = excess < 0
        reached[search[inside]] = at[inside]
        return excess

    each = np.arange(len(row))
    found = elementwise.bracket_root(excess_at, 0.0, 0.05, xmin=0.0, args=(each,), maxiter=13)
    found = elementwise.find_root(
        excess_at, found.bracket, args=(each,), tolerances={"xatol": 1e-7, "fatol": 1e-6}
    )
    ends = np.stack(from_free(points_at(found.x, each)))[moving, each]
    ends = np.where(found.success, ends, law.ranges[moving, is_up])
    low, high = ends.reshape(2, best.shape[1], best.shape[0])
    return low.T, high.T


def _climb(
    law: Law, coordinates: Coordinates, sample: Sample, start: np.ndarray, free=True
) -> tuple[np.ndarray, np.ndarray]:
    """Climb from each start by Newton's steps, within the edges and where `free` lets it."""
    at, free = start.astype("float64"), np.broadcast_to(free, start.shape)
    height = np.zeros(len(at))
    going = np.arange(len(at))
    for _ in range(_ROUNDS):
        some = sample.taken(going)
        rising = partial(_heights, law, coordinates, some)
        here, now = at[going], rising(at[None, going])[0]
        step, gain = _newton(rising, here, now, free[going], coordinates)
        there, then = _halved(rising, here, now, step, coordinates)
        at[going], height[going] = there, then * some.n
        is_near = gain * some.n <= 1e-7 + 1e-12 * some.n
        going = going[~is_near & ((then - now) * some.n > 1e-9)]
        if not len(going):
            break
    return at, height


def _heights(law: Law, coordinates: Coordinates, sample: Sample, points: np.ndarray) -> np.ndarray:
    """Return the mean loglikelihood at each of several points for every sample."""
    times, n_rows, _ = points.shape
    many = sample.taken(np.tile(np.arange(n_rows), times))
    with np.errstate(all="ignore"):
        params = coordinates.from_free(np.concatenate(points))
        heights = logliks(law, params, many) / many.n
    return np.where(np.isfinite(heights), heights, -1e300).reshape(times, n_rows)


def _newton(rising, at, now, free, coordinates) -> tuple[np.ndarray, np.ndarray]:
    """Return steps that lead up wherever the surface bends, and what slope and step promise."""
    _, _, low, high = coordinates
    slope, bend = _slopes(rising, at, now)
    held = ~free | ((at <= low) & (slope < 0)) | ((at >= high) & (slope > 0))
    slope = np.where(held, 0, slope)
    bend = np.where(held[:, :, None] | held[:, None, :], 0, np.nan_to_num(bend))
    values, vectors = np.linalg.eigh(bend)
    along = np.einsum("rij,ri->rj", vectors, slope) / np.maximum(np.abs(values), 1e-7)
    step = np.where(held, 0, np.einsum("rij,rj->ri", vectors, along))
    room = np.maximum(1.0, np.abs(at) / 10) * _LONGEST_STEP
    step *= np.minimum(1, (room / np.maximum(np.abs(step), 1e-300)).min(axis=1))[:, None]
    return step, (np.abs(slope) * np.abs(step)).sum(axis=1)


def _slopes(rising, at: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes and curvatures by central differences."""
    size = at.shape[1]
    ways = [*np.eye(size), np.ones(size)][: 2 * size - 1]
    up, down = rising(
        at + _STEP * np.array([ways, np.negative(ways)]).reshape(-1, 1, size)
    ).reshape(2, len(ways), -1)
    slope, bent = (up - down) / (2 * _STEP), (up + down - 2 * now) / _STEP**2
    bend = np.zeros((len(at), size, size))
    for i in range(size):
        bend[:, i, i] = bent[i]
    if size == 2:
        bend[:, 0, 1] = bend[:, 1, 0] = (bent[2] - bent[0] - bent[1]) / 2
    return slope[:size].T, bend


def _halved(rising, at, now, step, coordinates) -> tuple[np.ndarray, np.ndarray]:
    """Take each step, or of those that lead down a half, or a quarter, and so on; else none."""
    _, _, low, high = coordinates
    scale = np.ones((len(at), 1))
    for _ in range(12):
        there = np.clip(at + scale * step, low, high)
        then = rising(there[None])[0]
        falls = then < now - 1e-14 * np.abs(now)
        if not falls.any():
            break
        scale[falls] /= 2
    return np.where(falls[:, None], at, there), np.where(falls, now, then)


def _draw_above(law, params, xmin: int, above: int, n: int, rng) -> np.ndarray:
    """Draw n counts, all of `above` or more."""
    if not n:
        return np.zeros(0, dtype="int64")
    # So far out the tail is smooth: a table of it, 64 points to each doubling, will do.
    grid = np.unique(np.round(above * 2.0 ** (np.arange(64 * 40) / 64)))
    grid = grid[grid < 2**52]
    left = log_survival(law, grid, params, xmin)
    left = left - left[0]
    used = np.isfinite(left) & (left > -60)
    wanted = np.log(rng.random(n))
    at = np.interp(-wanted, -left[used], np.log(grid[used]))
    return np.floor(np.exp(at) * (1 + 1e-12)).astype("int64")
