"""Time the fits of a parametric bootstrap beside a loop over SciPy's optimisers."""

import argparse
import time

import numpy as np
import pandas as pd
from scipy import optimize
from tqdm import tqdm

from benchmarks.coverage import table_text
from benchmarks.measure import write_readme
from toolkit.count_fits import fit_counts
from toolkit.count_laws import LAWS, Law, log_total
from toolkit.likelihood import Sample, best_fit, draw, sample_of

METHODS = {1: ["bounded"], 2: ["L-BFGS-B", "BFGS", "Nelder-Mead"]}
# Whoever stays this far below the highest loglikelihood that was found has missed it.
MISSED = 0.01


def simulated(n: int) -> np.ndarray:
    """Return counts of viewings, from 1 on, that follow an NBD."""
    counts = np.random.default_rng(1).negative_binomial(0.97, 0.22 / 1.22, 4 * n)
    return counts[counts > 0][:n]


def compare(counts: np.ndarray, n_samples: int, rounds: int) -> pd.DataFrame:
    """Return how long each way takes to fit the samples of each law, and how many it misses."""
    values, occurs = np.unique(counts, return_counts=True)
    rows = []
    for name, law in tqdm(LAWS.items(), unit=" laws"):
        params, _ = best_fit(law, sample_of(occurs[None], values, 1))
        sizes = np.full(n_samples, len(counts))
        samples = draw(law, params, 1, sizes, np.random.default_rng(2))
        ways = ["toolkit", *METHODS[len(law.params)]]
        seconds, heights = {way: [] for way in ways}, {}
        for _ in range(rounds):
            for way in ways:
                start = time.process_time()
                heights[way] = reached(law, samples, way)
                seconds[way].append(time.process_time() - start)
        best = np.max(list(heights.values()), axis=0)
        for way in ways:
            ratio = np.median(np.divide(seconds[way], seconds["toolkit"]))
            took = (
                f"{1e3 * np.median(seconds[way]):.0f} ms" if way == "toolkit" else f"{ratio:.0f} x"
            )
            missed = (best - heights[way] > MISSED).sum()
            rows.append({"law": name, "way": way, "cell": f"{took}, {missed}"})
    return pd.DataFrame(rows)


def reached(law: Law, samples: Sample, way: str) -> np.ndarray:
    """Return the loglikelihood that the toolkit or a method of SciPy's reaches for each sample."""
    if way == "toolkit":
        return best_fit(law, samples)[1]
    each = (samples.taken(np.array([i])) for i in range(len(samples.first)))
    return np.array([_highest(law, one.k, one.weights, way) for one in each])


def _highest(law: Law, k: np.ndarray, weights: np.ndarray, method: str) -> float:
    to_free, from_free, low, high = law.apart

    def depth(free):
        params = from_free(np.atleast_2d(free))
        with np.errstate(all="ignore"):
            total = weights.sum() * log_total(law, params, 1)[0]
            loglik = weights @ law.log_weight(k, *params) - total
        return -loglik if np.isfinite(loglik) else 1e300

    mean, mean_log = (np.average(part, weights=weights) for part in (k, np.log(k)))
    sd_log = np.sqrt(np.average((np.log(k) - mean_log) ** 2, weights=weights))
    start = to_free(*np.array(law.start(mean, mean_log, sd_log))[:, None])[0]
    if method == "bounded":
        return -optimize.minimize_scalar(depth, bounds=(start[0] - 5, start[0] + 5)).fun
    bounds = None if method == "BFGS" else list(zip(low, high, strict=True))
    return -optimize.minimize(depth, start, method=method, bounds=bounds).fun


def text_of(rows: pd.DataFrame, counts: np.ndarray, n_samples: int, rounds: int) -> str:
    """Return the text of the README."""
    start = time.process_time()
    fit_counts(counts, seed=1, n_bootstrap=n_samples)
    whole = time.process_time() - start
    cells = rows.pivot_table("cell", "law", "way", aggfunc="first", sort=False).fillna("")
    return (
        f"{n_samples} samples of {len(counts):,} counts each, drawn from the law as fitted to "
        "simulated counts of an NBD.  All ways start from the same parameters.  Each cell: the "
        "toolkit's milliseconds of one core for all samples, or how many times as long the other "
        f"takes (medians of {rounds} rounds), and how many samples end more than {MISSED} below "
        f"the highest loglikelihood that any way found.\n\n{table_text(cells)}\n"
        f"All of `fit_counts(counts, seed=1, n_bootstrap={n_samples})`, nine laws with their "
        f"intervals, takes {whole:.1f} s.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    counts = simulated(options.counts)
    rows = compare(counts, options.samples, options.rounds)
    text = text_of(rows, counts, options.samples, options.rounds)
    print(text)
    if options.samples == parser.get_default("samples"):
        write_readme(text, "laws")


if __name__ == "__main__":
    main()
