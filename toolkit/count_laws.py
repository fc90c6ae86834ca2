"""The laws that counts may follow: their weights, their tails and where their parameters lie."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special

__all__ = [
    "LAWS",
    "Coordinates",
    "Law",
    "log_pmf",
    "log_ratio",
    "log_survival",
    "log_total",
    "shift_of",
]

# Of each parameter: from the real line, to it, the edges there, and its range.
_KINDS = {
    "real": (np.array, np.array, (-100.0, 100.0), (-np.inf, np.inf)),
    "wide": (np.sinh, np.arcsinh, (-18.0, 18.0), (-np.inf, np.inf)),
    "positive": (np.exp, np.log, (np.log(1e-16), np.log(1e10)), (0.0, np.inf)),
    "spread": (np.exp, np.log, (np.log(1e-4), np.log(2e3)), (0.0, np.inf)),
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


class Coordinates(NamedTuple):
    """Ways from parameters to points of free coordinates and back, and the edges there."""

    to_free: Callable
    from_free: Callable
    low: np.ndarray
    high: np.ndarray


class Law(NamedTuple):
    """A law of counts, up to a factor that may depend on its parameters.

    `log_weight(k, *params)` is the logarithm of what a count of k has, `log_tail(k, *params)`
    of what k and all higher counts have together.  `start(mean, mean_log, sd_log)` are
    parameters, off all edges, to look for better ones from.
    """

    params: tuple[str, ...]
    kinds: tuple[str, ...]
    log_weight: Callable
    log_tail: Callable
    start: Callable
    least: int
    # What the law becomes where a coordinate that is climbed in is at its (lower, upper) edge.
    limits: tuple[tuple[str, str], ...]
    # Where another form of the parameters is easier to climb in than each by itself.
    joint: Coordinates | None = None

    @property
    def apart(self) -> Coordinates:
        """Coordinates of each parameter by itself."""
        inverses, maps, edges, _ = zip(*(_KINDS[kind] for kind in self.kinds), strict=True)

        def to_free(*params):
            columns = [one(values) for one, values in zip(maps, params, strict=True)]
            return np.nan_to_num(np.stack(columns, axis=1), posinf=1e9, neginf=-1e9)

        def from_free(free):
            return tuple(one(values) for one, values in zip(inverses, free.T, strict=True))

        return Coordinates(to_free, from_free, *np.array(edges).T)

    @property
    def climbed(self) -> Coordinates:
        """Coordinates to look for the maximum in."""
        return self.joint or self.apart

    @property
    def ranges(self) -> np.ndarray:
        """Where the range of each parameter ends."""
        return np.array([_KINDS[kind][3] for kind in self.kinds])


def log_survival(law: Law, k, params, xmin) -> np.ndarray:
    """Return the logarithm of P(K >= k), given K >= xmin."""
    k = np.maximum(k, xmin)
    return law.log_tail(k + shift_of(law, xmin), *params) - log_total(law, params, xmin)


def log_pmf(law: Law, k, params, xmin) -> np.ndarray:
    """Return the logarithm of P(K = k), given K >= xmin."""
    return law.log_weight(k + shift_of(law, xmin), *params) - log_total(law, params, xmin)


def log_total(law: Law, params, xmin) -> np.ndarray:
    """Return the logarithm of what all counts from `xmin` on have together."""
    return law.log_tail(np.asarray(xmin + shift_of(law, xmin), dtype="float64"), *params)


def shift_of(law: Law, xmin):
    """Return 1 where counts from 0 are told by a law of 1 and more that starts anywhere."""
    return np.asarray(xmin == 0, dtype="float64") * (law.least < 0)


def log_ratio(a, c, x):
    """Return log(G(a + x) / G(a) / G(c + x) * G(c)) for whole x, to the last digits."""
    # Small arguments are left behind term by term; what is large has a series of its own.
    head = np.log(math.prod(np.where(x > j, (a + j) / (c + j), 1) for j in range(_HEAD)))
    a, c, x = a + _HEAD, c + _HEAD, np.maximum(x - _HEAD, 0)
    rest = (a - 0.5) * np.log1p(x / a) - (c - 0.5) * np.log1p(x / c)
    # Close to 1 the logarithm needs the difference, and far below it the ratio.
    far = 2 * (a + x) < c + x
    rest += x * np.log(np.where(far, (a + x) / (c + x), 1))
    rest += x * np.log1p(np.where(far, 0, (a - c) / (c + x)))
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
    return log_ratio(r, 1.0, k) - r * np.log1p(1 / alpha) - k * np.log1p(alpha)


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
    power = np.concatenate([np.ones_like(end), np.cumprod((alpha + np.arange(3)) / end, axis=1)], 1)
    slopes = [
        sum(special.comb(m, i) * power[:, i] * lam[:, 0] ** (m - i) for i in range(m + 1))
        for m in (1, 3)
    ]
    rest = area[:, 0] + 0.5 + slopes[0] / 12 - slopes[1] / 720
    # With a steep cut nothing is left after so many terms.
    return sums + np.where((unit > 1e-30) & (lam[:, 0] < 0.4), unit * rest, 0)


def _betageometric_weight(k, alpha, beta):
    return _betageometric_tail(k, alpha, beta) + np.log(alpha) - np.log(alpha + beta + k - 1)


def _betageometric_tail(k, alpha, beta):
    return log_ratio(beta, alpha + beta, k - 1)


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
    near = np.where(k == 0, below_next, np.where(below_next < above, left, right))
    # Further out there is no difference left, and the density will do.
    size = np.log(np.maximum(k, 1))
    density = (2 * mu - size) * size / (2 * sigma**2) - size - np.log(sigma * np.sqrt(2 * np.pi))
    return np.where(k < 1e6, near, density)


def _lognormal_tail(k, mu, sigma):
    whole = mu**2 / (2 * sigma**2)
    return np.where(k == 0, whole, _lognormal_parts(np.maximum(k - 0.5, 0.25), mu, sigma)[1])


def _to_natural(mu, sigma):
    return np.stack([mu / sigma**2, -2 * np.log(sigma) - np.log(2)], axis=1)


def _from_natural(free):
    slope, log_b = free.T
    variance = np.exp(-log_b) / 2
    return slope * variance, np.sqrt(variance)


_EDGE = ("edge of its range", "edge of its range")

LAWS = {
    "poisson": Law(
        ("lambda",),
        ("positive",),
        _poisson_weight,
        _poisson_tail,
        lambda mean, *_: [mean],
        0,
        (_EDGE,),
    ),
    "geometric": Law(
        ("p",),
        ("share",),
        _geometric_weight,
        _geometric_tail,
        lambda mean, *_: [1 / (1 + mean)],
        0,
        (_EDGE,),
    ),
    "nbd": Law(
        ("r", "alpha"),
        ("positive", "positive"),
        _nbd_weight,
        _nbd_tail,
        lambda mean, *_: [1.0, 1 / mean],
        0,
        (("logseries", "poisson"), ("edge of its range", "poisson")),
    ),
    "logseries": Law(
        ("q",),
        ("share",),
        _logseries_weight,
        _logseries_tail,
        lambda mean, *_: [1 - 1 / (1 + 5 * mean)],
        1,
        (_EDGE,),
    ),
    "yule": Law(
        ("rho",),
        ("positive",),
        _yule_weight,
        _yule_tail,
        lambda mean, *_: [2.0 + 0 * mean],
        1,
        (_EDGE,),
    ),
    "zeta": Law(
        ("alpha",),
        ("above one",),
        _zeta_weight,
        _zeta_tail,
        lambda mean, *_: [2.5 + 0 * mean],
        1,
        (_EDGE,),
    ),
    "truncated_zeta": Law(
        ("alpha", "lambda"),
        ("real", "positive"),
        _cut_zeta_weight,
        _cut_zeta_tail,
        lambda mean, *_: [0.5, 1 / mean],
        1,
        (_EDGE, ("zeta", "edge of its range")),
    ),
    "lognormal": Law(
        ("mu", "sigma"),
        ("wide", "spread"),
        _lognormal_weight,
        _lognormal_tail,
        lambda _, mean_log, sd_log: [mean_log, sd_log],
        0,
        (_EDGE, ("power law", "edge of its range")),
        Coordinates(
            _to_natural,
            _from_natural,
            np.array([-1e3, np.log(1e-8)]),
            np.array([1e6, np.log(5e7)]),
        ),
    ),
    # From 1 on, or from wherever the counts start: the number of the viewing that was the last.
    "betageometric": Law(
        ("alpha", "beta"),
        ("positive", "positive"),
        _betageometric_weight,
        _betageometric_tail,
        lambda mean, *_: [3.0, 3 * mean],
        -1,
        (("edge of its range", "geometric"), ("beta = 0", "geometric")),
    ),
}
