"""The laws that counts may follow: their weights and tails, and how each is fitted."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special

__all__ = [
    "LAWS",
    "Law",
    "Sample",
    "best_fit",
    "distances",
    "draw",
    "log_pmf",
    "log_survival",
    "logliks",
    "profile_intervals",
    "refit",
    "sample_of",
]

_STEP = 1e-3
_LONGEST_STEP = 3.0
_ROUNDS = 100
# What lies this close in loglikelihood is as likely.
_NO_LESS = 1e-3
# In each parameter's free coordinate: from the real line, to it, its edges and their meaning.
_KINDS = {
    "real": (np.array, np.array, (-100.0, 100.0), (-np.inf, np.inf)),
    "wide": (np.sinh, np.arcsinh, (-18.0, 18.0), (-np.inf, np.inf)),
    "positive": (np.exp, np.log, (np.log(1e-6), np.log(1e6)), (0.0, np.inf)),
    "vast": (np.exp, np.log, (np.log(1e-12), np.log(1e9)), (0.0, np.inf)),
    "spread": (np.exp, np.log, (np.log(1e-4), np.log(2e3)), (0.0, np.inf)),
    "tiny": (np.exp, np.log, (np.log(1e-16), np.log(20.0)), (0.0, np.inf)),
    "share": (special.expit, special.logit, (-23.0, 23.0), (0.0, 1.0)),
    "above one": (
        lambda x: 1 + np.exp(x),
        lambda v: np.log(v - 1),
        (np.log(1e-4), np.log(1e3)),
        (1.0, np.inf),
    ),
}
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(96)
_TERMS = 160
_HEAD = 10


class Law(NamedTuple):
    """A law of counts, up to a factor that may depend on its parameters.

    `log_weight(k, *params)` is the logarithm of what a count of k has, `log_tail(k, *params)`
    of what k and all higher counts have together.
    """

    params: tuple[str, ...]
    kinds: tuple[str, ...]
    log_weight: Callable
    log_tail: Callable
    starts: Callable
    least: int
    # What the law becomes where a coordinate reaches its (lower, upper) edge.
    limits: tuple[tuple[str, str], ...]
    # Where another form than that of `kinds` is easier to climb: both ways, and its edges.
    climbed: tuple | None = None


class Sample(NamedTuple):
    """Samples of counts, one after the other: each value once, and how often it occurs."""

    values: np.ndarray
    weights: np.ndarray
    first: np.ndarray
    xmin: np.ndarray

    @property
    def row(self) -> np.ndarray:
        """The sample that each value belongs to."""
        return np.repeat(np.arange(len(self.first)), np.diff(self.first, append=len(self.values)))

    @property
    def n(self) -> np.ndarray:
        """The observations of each sample."""
        return np.add.reduceat(self.weights, self.first)

    def repeated(self, times: int) -> "Sample":
        """Return each sample so many times over, all of them before they come again."""
        size = len(self.values)
        first = (self.first + size * np.arange(times)[:, None]).ravel()
        return Sample(
            *(np.tile(part, times) for part in self[:2]), first, np.tile(self.xmin, times)
        )


def sample_of(table: np.ndarray, values: np.ndarray, xmin) -> Sample:
    """Return the samples of a table with a row for each and a column for each value."""
    row, column = np.nonzero(table)
    first = np.searchsorted(row, np.arange(len(table)))
    values = np.asarray(values, dtype="float64")[column]
    xmin = np.broadcast_to(np.asarray(xmin, dtype="float64"), len(table))
    return Sample(values, table[row, column].astype("float64"), first, xmin)


def log_survival(law: Law, k: np.ndarray, params, xmin: int) -> np.ndarray:
    """Return the logarithm of P(K >= k), given K >= xmin."""
    k = np.maximum(k, xmin)
    return law.log_tail(k + _shift(law, xmin), *params) - _log_total(law, params, xmin)


def log_pmf(law: Law, k: np.ndarray, params, xmin: int) -> np.ndarray:
    """Return the logarithm of P(K = k), given K >= xmin."""
    return law.log_weight(k + _shift(law, xmin), *params) - _log_total(law, params, xmin)


def logliks(law: Law, params, sample: Sample) -> np.ndarray:
    """Return the loglikelihood of each sample."""
    row, shift = sample.row, _shift(law, sample.xmin)
    weights = law.log_weight(sample.values + shift[row], *[p[row] for p in params])
    totals = _log_total(law, params, sample.xmin)
    return np.add.reduceat(sample.weights * weights, sample.first) - sample.n * totals


def distances(law: Law, params, sample: Sample) -> np.ndarray:
    """Return the largest distance between the distribution of each sample and its law's."""
    row, n = sample.row, sample.n
    own = [p[row] for p in params]
    share = sample.weights / n[row]
    upto = np.cumsum(share)
    upto -= (upto - share)[sample.first][row]
    k, total = sample.values + _shift(law, sample.xmin)[row], _log_total(law, params, sample.xmin)
    below = -np.expm1(law.log_tail(k, *own) - total[row])
    within = -np.expm1(law.log_tail(k + 1, *own) - total[row])
    # Between two values that occur only the law's distribution rises.
    gaps = np.maximum(np.abs(upto - within), np.abs(upto - share - below))
    return np.maximum.reduceat(gaps, sample.first)


def best_fit(law: Law, sample: Sample) -> tuple[tuple[np.ndarray, ...], np.ndarray, str | None]:
    """Return the most likely parameters of one sample, their loglikelihood, and their limit."""
    shift = _shift(law, sample.xmin)[0]
    mean = np.average(sample.values + shift, weights=sample.weights)
    logs = np.log(np.maximum(sample.values + shift, 0.5))
    mean_log = np.average(logs, weights=sample.weights)
    sd_log = np.sqrt(np.average((logs - mean_log) ** 2, weights=sample.weights))
    starts = np.array(law.starts(mean, mean_log, sd_log)).T.reshape(-1, len(law.params))
    to, _, low, high = _climb(law)
    starts = np.clip(to(starts), low + 1e-3, high - 1e-3)
    many = sample.repeated(len(starts))
    reached, heights = _climbed(law, many, starts)
    best = reached[[np.argmax(heights)]]
    params = _params(law, best)
    height = logliks(law, params, sample)
    return params, height, _limit(law, sample, best, height)


def refit(law: Law, sample: Sample, start) -> tuple[np.ndarray, ...]:
    """Return the most likely parameters of each sample, looked for from `start` on."""
    to, _, low, high = _climb(law)
    start = np.clip(to(np.array(start).T.reshape(-1, len(law.params))), low, high)
    start = np.broadcast_to(start, (len(sample.first), len(law.params)))
    return _params(law, _climbed(law, sample, start)[0])


def draw(
    law: Law, params, xmin: int, n: int, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw `size` samples of `n`: how often each of them has each value, and the values."""
    head = np.arange(xmin, xmin + 2)
    while len(head) < 2**13 and n * np.exp(log_survival(law, head[-1:] + 1, params, xmin)[0]) > 1:
        head = np.arange(xmin, xmin + 4 * len(head))
    left = np.exp(log_survival(law, np.append(head, head[-1] + 1), params, xmin))
    shares = np.append(np.maximum(left[:-1] - left[1:], 0), left[-1])
    table = rng.multinomial(n, shares / shares.sum(), size=size)
    high = _draw_above(law, params, xmin, int(head[-1]) + 1, int(table[:, -1].sum()), rng)
    values, column = np.unique(high, return_inverse=True)
    far = np.zeros((size, len(values)), dtype=table.dtype)
    np.add.at(far, (np.repeat(np.arange(size), table[:, -1]), column), 1)
    return np.hstack([table[:, :-1], far]), np.append(head, values)


def profile_intervals(
    law: Law, sample: Sample, params, height: np.ndarray, drop: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return where each parameter's profile of the loglikelihood has fallen by `drop`.

    Where it never falls so far, the interval ends where the parameter's range does.
    """
    n_params, n_rows = len(law.params), len(sample.first)
    to_free, from_free, low, high = _coordinates(law)
    best = np.clip(to_free(np.array(params).T), low, high)
    # One search for each sample, parameter and side.
    n_searches = 2 * n_params
    many = sample.repeated(n_searches)
    which = np.repeat(np.arange(n_searches), n_rows)
    moving, is_up = which % n_params, which >= n_params
    rows = np.arange(len(which))
    centre = np.tile(best, (n_searches, 1))
    edge = np.where(is_up, high[moving], low[moving])
    height = np.tile(height, n_searches)

    def fallen(at: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        start = near.copy()
        start[rows, moving] = at
        free = np.ones(start.shape, dtype=bool)
        free[rows, moving] = False

        def rising(points):
            return logliks(law, tuple(from_free(points).T), many)

        reached, top = _ascend(rising, start, low - 10, high + 10, many.n, free)
        return np.sqrt(np.maximum(2 * (height - top), 0)), reached

    aim = np.sqrt(2 * drop)
    near, far = centre[rows, moving], edge
    reached, before = centre, np.zeros(len(rows))
    # Out in growing steps, until the profile has fallen too far or the edge is reached.
    step, beyond = np.full(len(rows), 0.05), np.full(len(rows), np.nan)
    for _ in range(12):
        going = np.isnan(beyond) & (near != edge)
        if not going.any():
            break
        at = np.where(is_up, np.minimum(near + step, edge), np.maximum(near - step, edge))
        at = np.where(going, at, near)
        now, point = fallen(at, reached)
        over = going & (now >= aim)
        far, beyond = np.where(over, at, far), np.where(over, now, beyond)
        under = going & ~over
        near, before = np.where(under, at, near), np.where(under, now, before)
        reached = np.where(under[:, None], point, reached)
        step *= 2
    found = ~np.isnan(beyond)
    for count in range(14):
        if not found.any() or (np.abs(far - near)[found] < 1e-7).all():
            break
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.clip((aim - before) / (beyond - before), 0.02, 0.98)
        at = np.where(found, near + (0.5 if count % 4 == 3 else share) * (far - near), near)
        now, point = fallen(at, reached)
        over = found & (now >= aim)
        far, beyond = np.where(over, at, far), np.where(over, now, beyond)
        under = found & ~over
        near, before = np.where(under, at, near), np.where(under, now, before)
        reached = np.where(under[:, None], point, reached)
    ends = centre.copy()
    ends[rows, moving] = np.where(found, (near + far) / 2, edge)
    ends = from_free(ends)[rows, moving].reshape(2, n_params, n_rows)
    ranges = np.array([_KINDS[kind][3] for kind in law.kinds]).T[:, :, None]
    low, high = np.where(found.reshape(2, n_params, n_rows), ends, ranges)
    return low.T, high.T


def _shift(law: Law, xmin):
    """Return 1 where counts from 0 are told by a law of 1 and more that starts anywhere."""
    return np.asarray(xmin == 0, dtype="float64") * (law.least < 0)


def _log_total(law: Law, params, xmin):
    return law.log_tail(np.asarray(xmin + _shift(law, xmin), dtype="float64"), *params)


def _coordinates(law: Law):
    """Return the maps of the parameters to the real line and back, and their edges there."""
    kinds = [_KINDS[kind] for kind in law.kinds]

    def to_free(params):
        columns = [kind[1](params[:, i]) for i, kind in enumerate(kinds)]
        return np.nan_to_num(np.stack(columns, axis=1), posinf=1e9, neginf=-1e9)

    def from_free(free):
        return np.stack([kind[0](free[:, i]) for i, kind in enumerate(kinds)], axis=1)

    return to_free, from_free, *np.array([kind[2] for kind in kinds]).T


def _climb(law: Law):
    return law.climbed or _coordinates(law)


def _params(law: Law, free: np.ndarray) -> tuple[np.ndarray, ...]:
    return tuple(_climb(law)[1](free).T)


def _climbed(
    law: Law, sample: Sample, start: np.ndarray, free=True
) -> tuple[np.ndarray, np.ndarray]:
    _, _, low, high = _climb(law)

    def rising(points):
        return logliks(law, _params(law, points), sample)

    return _ascend(rising, start, low, high, sample.n, np.broadcast_to(free, start.shape))


def _limit(law: Law, sample: Sample, best: np.ndarray, height: np.ndarray) -> str | None:
    """Say which law is as likely, where a coordinate may as well lie at its edge."""
    _, _, low, high = _climb(law)
    for i, names in enumerate(law.limits):
        for edge, name in zip((low[i], high[i]), names, strict=True):
            at = best.copy()
            at[0, i] = edge
            free = np.arange(best.shape[1]) != i
            if name and _climbed(law, sample, at, free[None, :])[1] > height - _NO_LESS:
                return name
    return None


def _ascend(
    height: Callable,
    start: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    n: np.ndarray,
    free: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Climb by Newton's steps from each start, within the edges and where `free` lets it."""
    at = start.astype("float64", copy=True)

    def rising(points):
        with np.errstate(all="ignore"):
            heights = height(points) / n
        return np.where(np.isfinite(heights), heights, -1e300)

    now = rising(at)
    going = np.ones(len(at), dtype=bool)
    for _ in range(_ROUNDS):
        slope, bend = _slopes(rising, at, now)
        held = ~free | ((at <= low) & (slope < 0)) | ((at >= high) & (slope > 0))
        step = _newton(slope, bend, held)
        room = np.maximum(1.0, np.abs(at) / 10) * _LONGEST_STEP
        step *= np.minimum(1, (room / np.maximum(np.abs(step), 1e-300)).min(axis=1))[:, None]
        gain = (np.abs(slope * ~held) * np.abs(step)).sum(axis=1)
        going &= gain * n > 1e-7 + 1e-12 * n
        if not going.any():
            break
        scale = np.where(going, 1.0, 0.0)
        for _ in range(12):
            there = np.clip(at + scale[:, None] * step, low, high)
            then = rising(there)
            falls = then < now - 1e-14 * np.abs(now)
            if not (falls & (scale > 0)).any():
                break
            scale = np.where(falls, scale / 2, scale)
        better = (then >= now - 1e-14 * np.abs(now)) & going
        going &= better & ((then - now) * n > 1e-9)
        at, now = np.where(better[:, None], there, at), np.where(better, then, now)
    return at, now * n


def _slopes(rising: Callable, at: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes and curvatures by central differences."""
    size = at.shape[1]
    steps = np.eye(size) * _STEP
    up, down = (np.stack([rising(at + s * sign) for s in steps], axis=1) for sign in (1, -1))
    slope = (up - down) / (2 * _STEP)
    bend = np.zeros((len(at), size, size))
    for i in range(size):
        bend[:, i, i] = (up[:, i] - 2 * now + down[:, i]) / _STEP**2
    if size == 2:
        both = rising(at + _STEP) + rising(at - _STEP)
        mixed = (both - up.sum(axis=1) - down.sum(axis=1) + 2 * now) / (2 * _STEP**2)
        bend[:, 0, 1] = bend[:, 1, 0] = mixed
    return slope, bend


def _newton(slope: np.ndarray, bend: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Return steps that lead up wherever the surface bends, and not along what is held."""
    slope = np.where(held, 0, slope)
    bend = np.where(held[:, :, None] | held[:, None, :], 0, np.nan_to_num(bend))
    values, vectors = np.linalg.eigh(bend)
    steepness = np.maximum(np.abs(values), 1e-7)
    along = np.einsum("rij,ri->rj", vectors, slope) / steepness
    return np.where(held, 0, np.einsum("rij,rj->ri", vectors, along))


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


def _log_ratio(a, c, x):
    """Return log(G(a + x) / G(a) / G(c + x) * G(c)) for whole x, to the last digits."""
    # Small arguments are left behind term by term; what is large has a series of its own.
    head = sum(np.log((a + j) / (c + j)) * (x > j) for j in range(_HEAD))
    a, c, x = a + _HEAD, c + _HEAD, np.maximum(x - _HEAD, 0)
    rest = (a - 0.5) * np.log1p(x / a) - (c - 0.5) * np.log1p(x / c)
    rest += x * np.log1p((a - c) / (c + x))
    return head + rest + _stirling(a + x) - _stirling(a) - _stirling(c + x) + _stirling(c)


def _stirling(z):
    s = 1 / (z * z)
    return (1 / 12 - s * (1 / 360 - s * (1 / 1260 - s * (1 / 1680 - s / 1188)))) / z


def _poisson_weight(k, mean):
    return special.xlogy(k, mean) - mean - special.gammaln(k + 1)


def _poisson_tail(k, mean):
    k, mean = np.broadcast_arrays(k, mean)
    with np.errstate(divide="ignore"):
        near = np.log(np.where(k > 0, special.gammainc(np.maximum(k, 1), mean), 1.0))
    small = np.minimum(mean, np.maximum(k, 1))
    far = _poisson_weight(k, small) + np.log(special.hyp1f1(1, k + 1.0, small))
    return np.where((mean < k) & (k > 1), far, np.where(k == 1, np.log(-np.expm1(-mean)), near))


def _nbd_weight(k, r, alpha):
    return _log_ratio(r, 1.0, k) - r * np.log1p(1 / alpha) - k * np.log1p(alpha)


def _nbd_tail(k, r, alpha):
    k, r, alpha = np.broadcast_arrays(k, r, alpha)
    with np.errstate(all="ignore"):
        some = np.maximum(k, 1)
        # Of 1 / (1 + alpha) and what it leaves of 1 the smaller one has the digits.
        share = np.where(
            alpha < 1,
            special.betaincc(r, some, alpha / (1 + alpha)),
            special.betainc(some, r, 1 / (1 + alpha)),
        )
        tail = np.where(k == 1, np.log(-np.expm1(-r * np.log1p(1 / alpha))), np.log(share))
    tail = np.where(k == 0, 0.0, tail)
    tiny = (share < 1e-280) & (k > 1)
    if tiny.any():
        tail[tiny] = _nbd_far_tail(k[tiny], r[tiny], alpha[tiny])
    return tail


def _nbd_far_tail(k, r, alpha):
    """Sum 160 terms, and the rest as if it fell by one factor."""
    step = np.arange(_TERMS)
    ratios = (r[:, None] + k[:, None] + step) / (k[:, None] + 1 + step) / (1 + alpha[:, None])
    terms = np.cumprod(ratios, axis=1)
    rest = terms[:, -1] * ratios[:, -1] / np.maximum(1 - ratios[:, -1], 1e-12)
    return _nbd_weight(k, r, alpha) + np.log1p(terms.sum(axis=1) + rest)


def _geometric_weight(k, p):
    return np.log(p) + k * np.log1p(-p)


def _geometric_tail(k, p):
    return k * np.log1p(-p)


def _logseries_weight(k, q):
    return k * np.log(q) - np.log(k)


def _logseries_tail(k, q):
    far = _cut_zeta_tail(k, np.ones_like(q), -np.log(q))
    return np.where(k == 1, np.log(-np.log1p(-q)), far)


def _zeta_weight(k, alpha):
    return -alpha * np.log(k)


def _zeta_tail(k, alpha):
    k, alpha = np.broadcast_arrays(k, alpha)
    near = alpha * np.log(np.maximum(k, 2)) < 600
    with np.errstate(divide="ignore"):
        total = np.log(special.zeta(alpha, k))
    if near.all():
        return total
    total[~near] = _cut_zeta_tail(k[~near], alpha[~near], np.zeros((~near).sum()))
    return total


def _cut_zeta_weight(k, alpha, lam):
    return -alpha * np.log(k) - lam * k


def _cut_zeta_tail(k, alpha, lam):
    """Sum j^-alpha exp(-lam j) from k on: 160 terms, then the formula of Euler and Maclaurin."""
    k, alpha, lam = np.broadcast_arrays(k, alpha, lam)
    shape = k.shape
    k, alpha, lam = (np.asarray(part, dtype="float64").ravel() for part in (k, alpha, lam))
    rows = range(0, len(k), 2**14)
    parts = [_cut_zeta_sums(*(part[i : i + 2**14] for part in (k, alpha, lam))) for i in rows]
    sums = np.concatenate(parts) if parts else np.zeros(0)
    return (_cut_zeta_weight(k, alpha, lam) + np.log(sums)).reshape(shape)


def _cut_zeta_sums(k, alpha, lam):
    """Return the sums of k and above, in units of the weight of k itself."""
    step = np.arange(_TERMS)
    k, alpha, lam = k[:, None], alpha[:, None], lam[:, None]
    sums = np.exp(-alpha * np.log1p(step / k) - lam * step).sum(axis=1)
    end = k + _TERMS
    unit = np.exp(-alpha * np.log1p(_TERMS / k) - lam * _TERMS)[:, 0]
    # Whatever lies further off than this has no weight left.
    with np.errstate(divide="ignore", over="ignore"):
        by_cut = np.log1p((60 + 6 * np.maximum(1 - alpha, 0)) / (lam * end))
        by_power = 60 / np.maximum(alpha - 1, 0)
    length = np.minimum(by_cut, by_power)
    v = length * (_NODES + 1) / 2
    area = np.exp((1 - alpha) * v - lam * end * np.expm1(v)) @ _NODE_WEIGHTS
    whole = 1 / np.where(lam > 0, 1, alpha - 1)
    area = np.where(lam > 0, area[:, None] * length / 2, whole) * end
    # The odd derivatives of the weight at `end`, over the weight itself.
    power = np.concatenate([np.ones_like(end), np.cumprod((alpha + np.arange(7)) / end, axis=1)], 1)
    slopes = [
        sum(special.comb(m, i) * power[:, i] * lam[:, 0] ** (m - i) for i in range(m + 1))
        for m in (1, 3, 5, 7)
    ]
    rest = area[:, 0] + 0.5 + slopes[0] / 12 - slopes[1] / 720
    rest += slopes[2] / 30240 - slopes[3] / 1209600
    # With a steep cut nothing is left after so many terms.
    return sums + np.where((unit > 1e-30) & (lam[:, 0] < 0.4), unit * rest, 0)


def _betageometric_weight(k, alpha, beta):
    return _betageometric_tail(k, alpha, beta) + np.log(alpha) - np.log(alpha + beta + k - 1)


def _betageometric_tail(k, alpha, beta):
    return _log_ratio(beta, alpha + beta, k - 1)


def _yule_weight(k, rho):
    return _betageometric_weight(k, rho, np.ones_like(rho))


def _yule_tail(k, rho):
    return _betageometric_tail(k, rho, np.ones_like(rho))


def _lognormal_parts(x, mu, sigma):
    """Return both logarithms of P(X <= x) and P(X > x), up to one factor of the law."""
    b = 1 / (2 * sigma**2)
    size, z = np.log(x), (np.log(x) - mu) / sigma
    # The factor keeps digits where mu runs off to minus infinity, towards a power law.
    factor = b * mu**2
    far = -b * size * (size - 2 * mu) + np.log(special.erfcx(np.maximum(z, 0) / np.sqrt(2)) / 2)
    return special.log_ndtr(z) + factor, np.where(z > 0, far, special.log_ndtr(-z) + factor)


def _lognormal_weight(k, mu, sigma):
    below, above = _lognormal_parts(np.maximum(k - 0.5, 0.25), mu, sigma)
    below_next, above_next = _lognormal_parts(k + 0.5, mu, sigma)
    with np.errstate(all="ignore"):
        left = below_next + np.log(-np.expm1(below - below_next))
        right = above + np.log(-np.expm1(above_next - above))
    # Of two small differences the one of the smaller numbers keeps its digits.
    return np.where(k == 0, below_next, np.where(below_next < above, left, right))


def _lognormal_tail(k, mu, sigma):
    whole = mu**2 / (2 * sigma**2)
    return np.where(k == 0, whole, _lognormal_parts(np.maximum(k - 0.5, 0.25), mu, sigma)[1])


def _to_natural(params):
    mu, sigma = params.T
    return np.stack([mu / sigma**2, -2 * np.log(sigma) - np.log(2)], axis=1)


def _from_natural(free):
    slope, log_b = free.T
    variance = np.exp(-log_b) / 2
    return np.stack([slope * variance, np.sqrt(variance)], axis=1)


def _grid(*axes):
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes)).T


def _two(shapes, factors, *means):
    """Return starts of a pair of parameters whose ratio goes with a mean."""
    shape, factor = _grid(shapes, np.outer(means, factors).ravel())
    return shape, shape * factor


_EDGE = ("edge of its range", "edge of its range")

LAWS = {
    "poisson": Law(
        ("lambda",),
        ("positive",),
        _poisson_weight,
        _poisson_tail,
        lambda mean, *_: [[mean / 4, mean]],
        0,
        (_EDGE,),
    ),
    "geometric": Law(
        ("p",),
        ("share",),
        _geometric_weight,
        _geometric_tail,
        lambda mean, *_: [[1 / (1 + mean), 0.5]],
        0,
        (_EDGE,),
    ),
    "nbd": Law(
        ("r", "alpha"),
        ("positive", "vast"),
        _nbd_weight,
        _nbd_tail,
        lambda mean, at, _: _two([0.05, 1, 20], [0.5, 2], 1 / mean, np.exp(-at)),
        0,
        (("logseries", "poisson"), ("edge of its range", "poisson")),
    ),
    "logseries": Law(
        ("q",),
        ("share",),
        _logseries_weight,
        _logseries_tail,
        lambda mean, *_: [[0.3, 0.9, 1 - 1 / (1 + 5 * mean)]],
        1,
        (_EDGE,),
    ),
    "yule": Law(
        ("rho",),
        ("positive",),
        _yule_weight,
        _yule_tail,
        lambda *_: [[0.5, 2.0, 8.0]],
        1,
        (_EDGE,),
    ),
    "zeta": Law(
        ("alpha",),
        ("above one",),
        _zeta_weight,
        _zeta_tail,
        lambda *_: [[1.5, 2.5, 6.0]],
        1,
        (_EDGE,),
    ),
    "truncated_zeta": Law(
        ("alpha", "lambda"),
        ("real", "tiny"),
        _cut_zeta_weight,
        _cut_zeta_tail,
        lambda mean, at, _: _grid([-1, 0.5, 1.5, 2.5], [1 / mean, 0.03 / mean, np.exp(-at)]),
        1,
        (_EDGE, ("zeta", "edge of its range")),
    ),
    "lognormal": Law(
        ("mu", "sigma"),
        ("wide", "spread"),
        _lognormal_weight,
        _lognormal_tail,
        lambda _, at, sd: _grid([at, at - 3 * sd**2], [max(sd, 0.1), 2 * max(sd, 0.1)]),
        0,
        (_EDGE, ("power law", "edge of its range")),
        (
            _to_natural,
            _from_natural,
            np.array([-1e3, np.log(1e-8)]),
            np.array([1e6, np.log(5e7)]),
        ),
    ),
    # From 1 on, or from wherever the counts start: the number of the viewing that was the last.
    "betageometric": Law(
        ("alpha", "beta"),
        ("vast", "vast"),
        _betageometric_weight,
        _betageometric_tail,
        lambda mean, at, _: _two([0.5, 3, 30], [0.5, 2], mean, np.exp(at)),
        -1,
        (("edge of its range", "geometric"), ("beta = 0", "geometric")),
    ),
}
