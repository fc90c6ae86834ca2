"""Fit counts simulated from a known law: what is found, and how often an interval holds it."""

import argparse

import numpy as np
import pandas as pd
from scipy import stats
from tqdm import tqdm

from benchmarks.measure import write_readme
from toolkit.count_fits import LEAST_VALUES
from toolkit.count_laws import LAWS
from toolkit.likelihood import best_fit, draw, profile_intervals

PARAMS = {
    "poisson": [(0.5,), (1.7,), (6.0,)],
    "geometric": [(0.2,), (0.4,), (0.7,)],
    "nbd": [(0.97, 0.22), (0.5, 0.5), (3.0, 1.0)],
    "logseries": [(0.5,), (0.8,), (0.95,)],
    "yule": [(1.2,), (1.6,), (3.0,)],
    "zeta": [(1.7,), (2.1,), (3.0,)],
    "truncated_zeta": [(1.2, 0.08), (0.5, 0.3), (2.0, 0.01)],
    "lognormal": [(1.0, 0.9), (0.5, 0.6), (2.0, 1.2)],
    "betageometric": [(2.0, 3.0), (1.0, 0.5), (4.0, 2.0)],
}
SIZES = [100, 300, 1000, 3000]
CONFIDENCE = 0.95
NEAR = (93, 97)


def measure(n_samples: int) -> pd.DataFrame:
    """Return a row for each law, set of parameters, size and parameter."""
    cells = [
        (name, number, params, n)
        for name, some in PARAMS.items()
        for number, params in enumerate(some)
        for n in SIZES
    ]
    rows = []
    for name, number, params, n in tqdm(cells, unit=" cells"):
        law, true = LAWS[name], np.array(params)
        rng = np.random.default_rng([list(LAWS).index(name), number, n])
        drawn = draw(law, tuple(true[:, None]), 1, np.full(n_samples, n), rng)
        used = drawn.taken(np.flatnonzero(drawn.sizes >= LEAST_VALUES))
        fits, heights = best_fit(law, used)
        drop = stats.chi2.ppf(CONFIDENCE, 1) / 2
        low, high = profile_intervals(law, used, fits, heights, drop)
        covered = 100 * ((low <= true) & (true <= high)).mean(axis=0)
        of = {"law": name, "params": str(params), "n": n, "refused": n_samples - len(used.n)}
        for i, parameter in enumerate(law.params):
            found = {"median": np.median(fits[i]), "spread": stats.iqr(fits[i]) / 2}
            rows.append(of | {"parameter": parameter} | found | {"covered": covered[i]})
    return pd.DataFrame(rows)


def text_of(rows: pd.DataFrame, n_samples: int) -> str:
    """Return the text of the README: averages, what lies off them, and every cell."""
    by_law = rows.pivot_table("covered", "law", "n", margins=True, margins_name="all", sort=False)
    off = rows[~rows["covered"].between(*NEAR)]
    where = [f"{r.parameter} of {r.law} at {r.n:,}: {r.covered:.1f}" for r in off.itertuples()]
    cells = [f"{r.median:.3g} ± {r.spread:.2g}, {r.covered:.1f} %" for r in rows.itertuples()]
    keys = ["law", "params", "parameter"]
    # A pivot alone would lose the order of the laws.
    cells = rows.assign(cell=cells).pivot_table("cell", keys, "n", aggfunc="first")
    cells = cells.loc[list(rows[keys].drop_duplicates().itertuples(index=False, name=None))]
    refused = rows.drop_duplicates(["law", "params", "n"])["refused"].sum()
    return (
        f"{n_samples:,} simulated samples of each law, set of parameters and size, of counts from "
        f"1 on; {refused} of fewer than {LEAST_VALUES} different values, which `fit_counts` "
        f"refuses, are left out.  {rows['covered'].mean():.1f} % of all intervals hold the true "
        "parameter.  In %, over all parameters of a law, by the counts in a sample:\n\n"
        f"{table_text(by_law.round(1))}\n"
        f"Of {len(rows)} cells {len(off)} lie outside {NEAR[0]} to {NEAR[1]} %"
        f"{' (' + '; '.join(where) + ')' if where else ''}.  Each cell: the median estimate ± half "
        "of the distance between the quartiles, and how many intervals hold the parameter.\n\n"
        f"{table_text(cells)}"
    )


def table_text(table: pd.DataFrame) -> str:
    """Return a table as Markdown, its index first."""
    flat = table.reset_index()
    names = [f"{name:,}" if isinstance(name, int) else name for name in flat.columns]
    rows = [names, ["---"] * len(names), *flat.to_numpy().astype(str)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1000)
    options = parser.parse_args()
    text = text_of(measure(options.samples), options.samples)
    print(text)
    if options.samples == parser.get_default("samples"):
        write_readme(text, "coverage")


if __name__ == "__main__":
    main()
