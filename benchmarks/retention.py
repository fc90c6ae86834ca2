"""Time a weekly retention table against Polars and DuckDB, and write benchmarks/README.md.

Every competitor starts from viewer-days in its engine's own form, in canonical order, and
ends with cohort, age, how many are in the cohort and how many came back.
"""

import argparse
import ctypes
import gc
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl

from benchmarks.competitors import duckdb_table, pandas_table, polars_table
from benchmarks.data import AS_OF, FIRST_DAY, N_DAYS, write_data
from benchmarks.streaks import machine_text, memory, write_readme
from toolkit.cohorts import retention

# The Monday before the first day, and the weeks that follow.
_MONDAY = FIRST_DAY - (int(FIRST_DAY.astype("int64")) + 3) % 7
_N_WEEKS = int((FIRST_DAY + N_DAYS - _MONDAY).astype("int64")) // 7 + 1
_COLUMNS = ["cohort", "age", "n_cohort", "n_retained"]
_TURNS = 5


def toolkit(table: pd.DataFrame) -> pd.DataFrame:
    return retention(table, as_of=AS_OF)


def polars_published(table: pl.DataFrame) -> pl.DataFrame:
    weeks = table.select("viewer", week=pl.col("day").dt.truncate("1w")).unique()
    first = weeks.group_by("viewer").agg(cohort=pl.col("week").min())
    sizes = first.group_by("cohort").agg(n_cohort=pl.len())
    age = (pl.col("week") - pl.col("cohort")).dt.total_days() // 7
    back = weeks.join(first, on="viewer").group_by("cohort", age=age).agg(n_retained=pl.len())
    return back.join(sizes, on="cohort").sort("cohort", "age")


def polars_expert(table: pl.DataFrame) -> pl.DataFrame:
    # On a table in order, whatever differs from the row above is new.
    viewer = table["viewer"].to_physical()
    week = ((table["day"].to_physical() + 3) // 7).cast(pl.Int16)
    is_first = viewer != viewer.shift(1, fill_value=2**32 - 1)
    is_new = is_first | (week != week.shift(1, fill_value=-1))
    weeks = pl.DataFrame({"is_first": is_first, "week": week}).filter(is_new)
    cohort = pl.when("is_first").then("week").forward_fill().cast(pl.Int32)
    cells = weeks.select(cell=cohort * 2**16 + pl.col("week")).to_series().value_counts(name="n")
    cohort = pl.col("cell") // 2**16
    cells = cells.select(cohort=cohort, age=pl.col("cell") % 2**16 - cohort, n_retained="n")
    sizes = cells.filter(pl.col("age") == 0).select("cohort", n_cohort="n_retained")
    monday = (pl.col("cohort") * 7 - 3).cast(pl.Date)
    return cells.join(sizes, on="cohort").with_columns(cohort=monday).sort("cohort", "age")


def duckdb_published(engine) -> duckdb.DuckDBPyConnection:
    return _result(
        engine,
        """
        WITH weeks AS (SELECT DISTINCT viewer, date_trunc('week', day)::DATE AS week FROM log),
        cohorts AS (SELECT viewer, min(week) AS cohort FROM weeks GROUP BY viewer),
        sizes AS (SELECT cohort, count(*) AS n_cohort FROM cohorts GROUP BY cohort)
        SELECT cohort, date_diff('week', cohort, week) AS age, n_cohort, count(*) AS n_retained
        FROM weeks JOIN cohorts USING (viewer) JOIN sizes USING (cohort)
        GROUP BY ALL ORDER BY ALL""",
    )


def duckdb_expert(engine) -> duckdb.DuckDBPyConnection:
    # The weeks of each viewer as bits of one number: there must be 63 at most.
    back = ", ".join(f"sum((weeks >> {week}) & 1)" for week in range(_N_WEEKS))
    return _result(
        engine,
        f"""
        WITH viewers AS (
            SELECT bit_or(1::BIGINT << ((day - DATE '{_MONDAY}') // 7)) AS weeks
            FROM log GROUP BY enum_code(viewer)::INTEGER
        ), cohorts AS (
            SELECT weeks & -weeks AS lowest, count(*) AS n_cohort, [{back}] AS back
            FROM viewers GROUP BY lowest
        ), cells AS (
            SELECT bit_count(lowest - 1)::INTEGER AS first, n_cohort,
                unnest(range({_N_WEEKS}))::INTEGER AS week, unnest(back) AS n_retained
            FROM cohorts
        )
        SELECT DATE '{_MONDAY}' + 7 * first AS cohort, week - first AS age, n_cohort, n_retained
        FROM cells WHERE n_retained > 0 ORDER BY ALL""",
    )


COMPETITORS = {
    "toolkit": (pandas_table, toolkit),
    "Polars, published": (polars_table, polars_published),
    "Polars, expert": (polars_table, polars_expert),
    "DuckDB, published": (duckdb_table, duckdb_published),
    "DuckDB, expert": (duckdb_table, duckdb_expert),
}


def compare(rows: int, rounds: int) -> tuple[dict[str, dict], str]:
    """Return seconds and memory of every competitor, once all agree, and the README's text.

    Each measurement is a fresh process; the competitors take turns within a round.
    """
    names = list(COMPETITORS)
    with tempfile.TemporaryDirectory() as folder:
        _fresh("write", folder, str(rows))
        measured = {name: _fresh("check", folder, name) for name in names}
        if len({found["digest"] for found in measured.values()}) > 1:
            found = {name: found["n_cells"] for name, found in measured.items()}
            raise ValueError(f"Every competitor must find the same numbers, found {found}.")
        for found in measured.values():
            found["seconds"] = []
        for n in range(rounds):
            for name in names[n % len(names) :] + names[: n % len(names)]:
                measured[name]["seconds"].append(_fresh("time", folder, name)["seconds"])
    return measured, text_of(measured, rows, rounds)


def text_of(measured: dict[str, dict], rows: int, rounds: int) -> str:
    """Return the sentence and the Markdown table."""
    ours = measured["toolkit"]
    lines = [
        f"{rows:,} rows, medians of {rounds} rounds.  {machine_text()}  {ours['n_cells']:,} cells "
        f"in which someone came back; the input's columns take {ours['input'] / 1e6:,.0f} MB.",
        "",
        "| | seconds | times the toolkit's | peak memory, MB | times the input's |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, found in measured.items():
        pairs = zip(found["seconds"], ours["seconds"], strict=True)
        ratio = statistics.median(theirs / own for theirs, own in pairs)
        lines.append(
            f"| {name} | {statistics.median(found['seconds']):.3f} | {ratio:.2f} "
            f"| {found['peak'] / 1e6:,.0f} | {found['peak'] / ours['input']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def _result(engine, query: str) -> duckdb.DuckDBPyConnection:
    engine.execute(f"CREATE OR REPLACE TABLE result AS {query}")
    return engine


def _numbers(result) -> np.ndarray:
    """Return any engine's table as whole numbers in one order, without what nobody did."""
    if isinstance(result, duckdb.DuckDBPyConnection):
        result = result.table("result").df()
    elif isinstance(result, pl.DataFrame):
        result = pd.DataFrame({name: result[name].to_numpy() for name in _COLUMNS})
    result = result.loc[result["n_retained"] > 0, _COLUMNS]
    day = result["cohort"].astype("datetime64[s]").astype("int64") // 86_400
    return result.assign(cohort=day).sort_values(_COLUMNS).to_numpy("int64")


def _fresh(*arguments: str) -> dict:
    command = [sys.executable, "-m", "benchmarks.retention", "--part", *arguments]
    env = os.environ | {"PYTHONTZPATH": ""}
    run = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(run.stdout)


def _part(what: str, folder: str, argument: str) -> dict:
    if what == "write":
        write_data(Path(folder), int(argument))
        return {}
    make_table, find = COMPETITORS[argument]
    columns = {c: np.load(Path(folder, "viewer_days", f"{c}.npy")) for c in ("viewer", "day")}
    table = make_table(columns)
    if what == "time":
        # What the first turn sets up stays out; the better of the others counts.
        return {"seconds": min([_seconds(find, table) for _ in range(_TURNS)][1:])}
    gc.collect()
    # Give back what loading left over, and forget its peak (Linux).
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    result = find(table)
    peak = memory("VmHWM") - before
    numbers = _numbers(result)
    digest = hashlib.sha256(numbers.tobytes()).hexdigest()
    checked = {"digest": digest, "n_cells": len(numbers), "peak": peak}
    if argument == "toolkit":
        checked["input"] = int(table.memory_usage(index=False).sum())
    return checked


def _seconds(find, table) -> float:
    gc.collect()
    start = time.perf_counter()
    find(table)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(_part(*options.part)))
        return
    _, text = compare(options.rows, options.rounds)
    print(text)
    if options.rows == parser.get_default("rows"):
        write_readme(text, "retention")


if __name__ == "__main__":
    main()
