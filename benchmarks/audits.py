"""Simulate logs of null models, and see how often the intervals of an audit hold what is true."""

import argparse

import numpy as np
import pandas as pd
from loky import ProcessPoolExecutor
from tqdm import tqdm

import toolkit as tk
from benchmarks.coverage import table_text
from benchmarks.measure import write_readme
from toolkit.streak_nulls import NULLS

PARAMS = {
    "independent": [{"p": 0.05}, {"p": 0.3}],
    "markov": [{"p01": 0.02, "p11": 0.6}, {"p01": 0.3, "p11": 0.8}],
    "beta": [{"a": 0.2, "b": 2.5}, {"a": 0.5, "b": 1.2}],
    "cure": [{"share": 0.02, "p": 0.05}, {"share": 0.1, "p": 0.4}],
    "dropout": [{"p": 0.15, "leaving": 0.1}, {"p": 0.7, "leaving": 0.05}],
}
SIZES = [300, 2000]
DAYS, LENGTH = 24, 3
CONFIDENCE = 0.95
START = pd.Timestamp("2017-11-17")
WINDOW = {"available_from": START, "as_of": START + pd.Timedelta(days=DAYS - 1)}


def simulated(null: str, params: dict, size: int, rng) -> np.ndarray:
    """Return the days watched by viewers of a null, one row each."""
    kinds = NULLS[null].kinds(DAYS, **params)
    shares = np.array([kind.share for kind in kinds])
    kind = rng.choice(len(kinds), size, p=shares / shares.sum())
    on, p01, p11, leaving = (
        np.array([getattr(each, name) for each in kinds])[kind]
        for name in ("on", "p01", "p11", "leaving")
    )
    days = np.zeros((size, DAYS), dtype=bool)
    there = np.ones(size, dtype=bool)
    for day in range(DAYS):
        there &= rng.random(size) >= leaving
        chance = on if day == 0 else np.where(days[:, day - 1], p11, p01)
        days[:, day] = there & (rng.random(size) < chance)
    return days


def reached(days: np.ndarray) -> np.ndarray:
    """Return how many viewers are on an open streak of each length or more."""
    lengths = np.logical_and.accumulate(days[:, ::-1], axis=1).sum(axis=1)
    return (lengths[:, None] >= np.arange(1, DAYS + 1)).sum(axis=0)


def holds(null: str, params: dict, size: int, seed: list[int]) -> list[dict]:
    """Return for one log and the next which intervals hold what they should."""
    rng = np.random.default_rng(seed)
    days, after = simulated(null, params, size, rng), simulated(null, params, size, rng)
    viewer, day = np.nonzero(days)
    viewer_days = pd.DataFrame({"viewer": viewer, "day": START + pd.to_timedelta(day, unit="D")})
    whole = WINDOW | {"population": size}
    mean = size * NULLS[null].chance("open", np.array([DAYS]), LENGTH, **params)[0]
    audit = tk.audit_claim(people=int(reached(days)[LENGTH - 1]), days=LENGTH, **whole).iloc[0]
    rows = [{"interval": "of a count", "held": audit["low"] <= mean <= audit["high"]}]
    for to in ("days", "streaks"):
        fit = tk.fit_nulls(viewer_days, nulls=[null], to=to, **whole).iloc[0]
        for name, value in params.items():
            held = fit["low"][name] <= value <= fit["high"][name]
            rows.append({"interval": f"of a parameter, fitted to {to}", "held": held})
        posterior = tk.null_posterior(viewer_days, nulls=[null], to=to, **whole)
        expected = tk.expect_streaks(posterior, **whole)
        inside = (expected["low"] <= reached(after)) & (reached(after) <= expected["high"])
        # Where nothing is to be expected, nothing is hard to hold.
        told = expected["expected"] >= 1
        share = inside[told].mean() if told.any() else np.nan
        rows.append({"interval": f"of the next N(k), fitted to {to}", "held": share})
    return [row | {"null": null, "viewers": size} for row in rows]


def measure(n_samples: int) -> pd.DataFrame:
    cells = [
        (null, params, size, [at, which, size, sample])
        for at, (null, some) in enumerate(PARAMS.items())
        for which, params in enumerate(some)
        for size in SIZES
        for sample in range(n_samples)
    ]
    with ProcessPoolExecutor() as pool:
        found = pool.map(holds, *zip(*cells, strict=True), chunksize=4)
        rows = [row for some in tqdm(found, total=len(cells), unit=" logs") for row in some]
    return pd.DataFrame(rows)


def text_of(rows: pd.DataFrame, n_samples: int) -> str:
    rows = rows.assign(held=100 * rows["held"].astype("float64"))
    table = rows.pivot_table(
        "held", "interval", "null", margins=True, margins_name="all", sort=False
    )
    settings = [f"{null} {', '.join(map(str, some))}" for null, some in PARAMS.items()]
    return (
        f"{n_samples} logs of each null, set of parameters and number of viewers "
        f"({', '.join(f'{size:,}' for size in SIZES)}), {DAYS} days each: {'; '.join(settings)}.  "
        f"In %, how many of the {100 * CONFIDENCE:.0f} % intervals hold what is true: the mean "
        f"number of streaks of {LENGTH} days, given the count (Garwood, exact); a parameter "
        "(profile likelihood, approximate); the number of streaks of each length in another log of "
        "the same law, where one or more is expected (posterior-predictive).\n\n"
        f"{table_text(table.round(1))}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=50)
    options = parser.parse_args()
    text = text_of(measure(options.samples), options.samples)
    print(text)
    if options.samples == parser.get_default("samples"):
        write_readme(text, "audits")


if __name__ == "__main__":
    main()
