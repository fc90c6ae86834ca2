"""Samples of counts for the tests of laws: simulated with a seed, and published ones."""

import tomllib
from pathlib import Path

import numpy as np

from toolkit.count_laws import LAWS
from toolkit.likelihood import draw, sample_of

CASES = tomllib.loads(Path(__file__).with_name("oracles").joinpath("rewatch.toml").read_text())
TYPICAL = {
    "poisson": (1.7,),
    "geometric": (0.4,),
    "nbd": (0.97, 0.22),
    "logseries": (0.8,),
    "yule": (1.6,),
    "zeta": (2.1,),
    "truncated_zeta": (1.2, 0.08),
    "lognormal": (1.0, 0.9),
    "betageometric": (2.0, 3.0),
}


def arrays(params):
    return tuple(np.array([float(value)]) for value in params)


def sample(counts, xmin=1):
    values, occurs = np.unique(np.asarray(counts)[np.asarray(counts) >= xmin], return_counts=True)
    return sample_of(occurs[None], values, xmin)


def drawn(name, params, n, size=1, xmin=1, seed=0):
    rng = np.random.default_rng(seed)
    return draw(LAWS[name], arrays(params), xmin, np.full(size, n), rng)


def counts_of(case, start=0):
    values = case.get("values", np.arange(start, start + len(case["occurs"])))
    return np.repeat(values, case["occurs"])


WORDS = counts_of(CASES["powerlaw-words"])
SOME = np.repeat([1, 2, 3, 4, 5, 7, 12], [90, 40, 19, 9, 5, 3, 1])
