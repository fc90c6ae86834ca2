"""Time a study that loads, encrypts and releases beside the same load in plain Parquet."""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measure import machine_text, write_readme
from toolkit import load_table, open_study

_COLUMNS = {"viewer": "user", "title": "programme", "started_at": "start"}
_KEY = bytes(32)


def write_log(path: Path, n_rows: int) -> None:
    """Write simulated plays as some company would keep them, with raw ids."""
    rng = np.random.default_rng(8)
    n_viewers = max(n_rows // 100, 1)
    # Few programmes are watched by many.
    programme = (5000 * rng.random(n_rows) ** 3).astype("int64")
    second = rng.integers(0, 365 * 86_400, n_rows) * 1_000_000
    log = pd.DataFrame(
        {
            "user": "user " + pd.Series(rng.integers(0, n_viewers, n_rows).astype("str")),
            "programme": "programme " + pd.Series(programme.astype("str")),
            "start": pd.to_datetime(second, unit="us", utc=True),
        }
    )
    log.to_parquet(path)


def with_study(path: Path, folder: Path) -> pd.DataFrame:
    """Return people by title as a study releases them."""
    study = open_study(f"study-{folder.name}", purpose="benchmark", folder=folder / "study")
    study.load(path, columns=_COLUMNS)
    return study.release(study.plays(), by="title", why="benchmark").table


def with_pandas(path: Path, folder: Path) -> pd.DataFrame:
    """Return people by title, exact, of a Parquet file that anyone can read."""
    load_table(path, columns=_COLUMNS, key=_KEY).to_parquet(folder / "plays.parquet")
    plays = pd.read_parquet(folder / "plays.parquet")
    return plays.groupby("title", observed=True)["account"].nunique().reset_index(name="people")


def with_duckdb(path: Path, folder: Path) -> pd.DataFrame:
    """Return the same, counted by DuckDB."""
    import duckdb

    load_table(path, columns=_COLUMNS, key=_KEY).to_parquet(folder / "plays.parquet")
    query = "SELECT title, count(DISTINCT account) AS people FROM '{}' GROUP BY title"
    return duckdb.sql(query.format(folder / "plays.parquet")).df()


def compare(n_rows: int, rounds: int) -> str:
    """Return the sentence of the README; the study's numbers must be the others', rounded."""
    ways = {"study": with_study, "pandas": with_pandas, "DuckDB": with_duckdb}
    taken = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["VIEWING_KEY_FOLDER"] = str(Path(folder, "keys"))
        log = Path(folder, "log.parquet")
        write_log(log, n_rows)
        # The first round also imports, and is not counted.
        for n in range(rounds + 1):
            found = {}
            for name, count in ways.items():
                place = Path(folder, f"{name}-{n}")
                place.mkdir()
                start = time.perf_counter()
                found[name] = count(log, place).set_index("title")["people"].sort_index()
                taken[name].append(time.perf_counter() - start)
            if not found["pandas"].astype("int64").equals(found["DuckDB"].astype("int64")):
                raise ValueError("pandas and DuckDB must find the same people, found others.")
            exact = found["pandas"].reindex(found["study"].index)
            if (found["study"] - exact).abs().max() > 2 or len(exact) < len(found["pandas"]) / 2:
                raise ValueError("The study must release the same people, rounded, found others.")
    seconds = {name: statistics.median(some[1:]) for name, some in taken.items()}
    ratios = {
        name: statistics.median(ours / theirs for ours, theirs in zip(
            taken["study"][1:], taken[name][1:], strict=True
        ))
        for name in ("pandas", "DuckDB")
    }  # fmt: skip
    return (
        f"{n_rows:,} plays, medians of {rounds} rounds: to load, encrypt, open and release takes a "
        f"study {seconds['study']:.1f} s, {ratios['pandas']:.2f} times the same load into plain "
        f"Parquet and a count of distinct accounts by pandas, {ratios['DuckDB']:.2f} times that "
        f"with a count by DuckDB.  {machine_text()}"
    )


def main() -> None:
    """Time the ways in turns and write the sentence into README.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.privacy")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    text = compare(options.rows, options.rounds)
    print(text)
    if options.rows == parser.get_default("rows"):
        write_readme(text, "privacy")


if __name__ == "__main__":
    main()
