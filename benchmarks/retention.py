"""Time a weekly retention table against other engines, and write benchmarks/README.md.

Each competitor ends with cohort, age, how many are in the cohort and how many came back.  From
plays, days are cut in the zone of the streaks.
"""

import chdb.session
import duckdb
import numpy as np
import pandas as pd
import polars as pl

from benchmarks import measure
from benchmarks.data import AS_OF, FIRST_DAY, N_DAYS, TZ
from benchmarks.engines import (
    chdb_result,
    chdb_table,
    columns_of,
    days_sql,
    duckdb_result,
    duckdb_table,
    numbers,
    numpy_days,
    pandas_table,
    polars_days,
    polars_table,
)
from toolkit.cohorts import retention
from toolkit.days import to_viewer_days

# The Monday before the first day, in days since 1970-01-01, and the weeks that follow.
_FIRST_DAY = int(FIRST_DAY.astype("int64"))
_MONDAY = _FIRST_DAY - (_FIRST_DAY + 3) % 7
_N_WEEKS = (_FIRST_DAY + N_DAYS - _MONDAY) // 7 + 1


def toolkit(table: pd.DataFrame) -> pd.DataFrame:
    if "started_at" in table:
        table = to_viewer_days(table, tz=TZ, by=None)
    return retention(table, as_of=AS_OF)


def pandas_published(table: pd.DataFrame) -> pd.DataFrame:
    if "day" in table:
        day = table["day"]
    else:
        day = table["started_at"].dt.tz_convert(TZ).dt.tz_localize(None).dt.normalize()
    week = day - pd.to_timedelta(day.dt.weekday, unit="D")
    weeks = table[["viewer"]].assign(week=week).drop_duplicates()
    weeks["cohort"] = weeks.groupby("viewer", observed=True)["week"].transform("min")
    weeks["age"] = (weeks["week"] - weeks["cohort"]).dt.days // 7
    back = weeks.groupby(["cohort", "age"]).size().rename("n_retained").reset_index()
    sizes = weeks.groupby("cohort")["viewer"].nunique().rename("n_cohort")
    return back.merge(sizes, on="cohort")


def pandas_expert(table: pd.DataFrame) -> pd.DataFrame:
    # The weeks of each viewer as bits of one number: there must be 64 at most.
    if "day" in table:
        week = (table["day"].array.asi8 // 86_400_000_000 - _MONDAY) // 7
    else:
        week = (numpy_days(table["started_at"].array.asi8) - _MONDAY) // 7
    viewer = table["viewer"].array.codes
    first = np.flatnonzero(np.diff(viewer, prepend=-1))
    weeks = np.bitwise_or.reduceat(np.uint64(1) << week.astype("uint64"), first)
    cohort = np.bitwise_count((weeks & -weeks) - np.uint64(1)).astype("int64")
    back = [np.bincount(cohort[(weeks >> w) & 1 == 1], minlength=_N_WEEKS) for w in _WEEKS]
    cohort, week = np.nonzero(np.transpose(back))
    found = {"cohort": ((_MONDAY + 7 * cohort) * 86_400).view("datetime64[s]")}
    n_retained = np.transpose(back)[cohort, week]
    found |= {"age": week - cohort, "n_cohort": np.diagonal(back)[cohort]}
    return pd.DataFrame(found | {"n_retained": n_retained})


def polars_published(table: pl.DataFrame) -> pl.DataFrame:
    day = pl.col("day")
    if "started_at" in table.columns:
        day = pl.col("started_at").dt.convert_time_zone(TZ).dt.date()
    weeks = table.select("viewer", week=day.dt.truncate("1w")).unique()
    first = weeks.group_by("viewer").agg(cohort=pl.col("week").min())
    sizes = first.group_by("cohort").agg(n_cohort=pl.len())
    age = (pl.col("week") - pl.col("cohort")).dt.total_days() // 7
    back = weeks.join(first, on="viewer").group_by("cohort", age=age).agg(n_retained=pl.len())
    return back.join(sizes, on="cohort").sort("cohort", "age")


def polars_expert(table: pl.DataFrame) -> pl.DataFrame:
    viewer = table["viewer"].to_physical()
    if "day" in table.columns:
        # On a table in order, whatever differs from the row above is new.
        week = ((table["day"].to_physical() + 3) // 7).cast(pl.Int16)
        is_first = viewer != viewer.shift(1, fill_value=2**32 - 1)
        is_new = is_first | (week != week.shift(1, fill_value=-1))
        weeks = pl.DataFrame({"is_first": is_first, "week": week}).filter(is_new)
        cohort = pl.when("is_first").then("week").forward_fill().cast(pl.Int32)
    else:
        week = ((polars_days() + 3) // 7).cast(pl.Int32)
        key = table.select(pl.col("viewer").to_physical().cast(pl.Int32) * 2**12 + week)
        key = key.to_series().unique().sort()
        viewer, week = key // 2**12, key % 2**12
        is_first = viewer != viewer.shift(1, fill_value=-1)
        weeks = pl.DataFrame({"is_first": is_first, "week": week})
        cohort = pl.when("is_first").then("week").forward_fill()
    cells = weeks.select(cell=cohort * 2**16 + pl.col("week")).to_series().value_counts(name="n")
    cohort = pl.col("cell") // 2**16
    cells = cells.select(cohort=cohort, age=pl.col("cell") % 2**16 - cohort, n_retained="n")
    sizes = cells.filter(pl.col("age") == 0).select("cohort", n_cohort="n_retained")
    monday = (pl.col("cohort") * 7 - 3).cast(pl.Date)
    return cells.join(sizes, on="cohort").with_columns(cohort=monday).sort("cohort", "age")


def duckdb_published(engine) -> duckdb.DuckDBPyConnection:
    day = "day" if "day" in columns_of(engine) else f"timezone('{TZ}', started_at)"
    week = f"date_trunc('week', {day})::DATE"
    return duckdb_result(engine, _RETENTION.format(week=week, log="log"))


def duckdb_expert(engine) -> duckdb.DuckDBPyConnection:
    # The weeks of each viewer as bits of one number: there must be 63 at most.
    days = f"day - DATE '1970-01-01' - {_MONDAY}"
    if "started_at" in columns_of(engine):
        days = f"{days_sql('epoch_us(started_at)', '//')} - {_MONDAY}"
    back = ", ".join(f"sum((weeks >> {week}) & 1)" for week in _WEEKS)
    return duckdb_result(
        engine,
        f"""
        WITH viewers AS (
            SELECT bit_or(1::BIGINT << (({days}) // 7)) AS weeks
            FROM log GROUP BY enum_code(viewer)::INTEGER
        ), cohorts AS (
            SELECT weeks & -weeks AS lowest, count(*) AS n_cohort, [{back}] AS back
            FROM viewers GROUP BY lowest
        ), cells AS (
            SELECT bit_count(lowest - 1)::INTEGER AS first, n_cohort,
                unnest(range({_N_WEEKS}))::INTEGER AS week, unnest(back) AS n_retained
            FROM cohorts
        )
        SELECT DATE '1970-01-01' + {_MONDAY} + 7 * first AS cohort, week - first AS age,
            n_cohort, n_retained
        FROM cells WHERE n_retained > 0 ORDER BY ALL""",
    )


def chdb_published(engine) -> chdb.session.Session:
    day = "day" if "day" in columns_of(engine) else f"toDate(started_at, '{TZ}')"
    return chdb_result(engine, _RETENTION.format(week=f"toMonday({day})", log="bench.log"))


def chdb_expert(engine) -> chdb.session.Session:
    days = f"toInt32(day) - {_MONDAY}"
    if "started_at" in columns_of(engine):
        days = f"{days_sql('toUnixTimestamp64Micro(started_at)', 'DIV')} - {_MONDAY}"
    return chdb_result(
        engine,
        f"""
        WITH viewers AS (
            SELECT groupBitOr(bitShiftLeft(toUInt64(1), intDiv({days}, 7))) AS weeks
            FROM bench.log GROUP BY viewer
        ), cohorts AS (
            SELECT bitCount(bitXor(weeks, weeks - 1)) - 1 AS first, count() AS n_cohort,
                sumForEach(arrayMap(n -> bitTest(weeks, n), range({_N_WEEKS}))) AS back
            FROM viewers GROUP BY first
        )
        SELECT toDate({_MONDAY} + 7 * first) AS cohort, week - first AS age, n_cohort, n_retained
        FROM cohorts ARRAY JOIN back AS n_retained, range({_N_WEEKS}) AS week
        WHERE n_retained > 0""",
    )


_WEEKS = range(_N_WEEKS)
_RETENTION = """
    WITH weeks AS (SELECT DISTINCT viewer, {week} AS week FROM {log}),
    cohorts AS (SELECT viewer, min(week) AS cohort FROM weeks GROUP BY viewer),
    sizes AS (SELECT cohort, count(*) AS n_cohort FROM cohorts GROUP BY cohort)
    SELECT cohort, date_diff('week', cohort, week) AS age, n_cohort, count(*) AS n_retained
    FROM weeks JOIN cohorts USING (viewer) JOIN sizes USING (cohort)
    GROUP BY cohort, age, n_cohort ORDER BY cohort, age"""
_COMPETITORS = {
    "toolkit": (pandas_table, toolkit),
    "pandas, published": (pandas_table, pandas_published),
    "pandas, expert": (pandas_table, pandas_expert),
    "Polars, published": (polars_table, polars_published),
    "Polars, expert": (polars_table, polars_expert),
    "DuckDB, published": (duckdb_table, duckdb_published),
    "DuckDB, expert": (duckdb_table, duckdb_expert),
    "chDB, published": (chdb_table, chdb_published),
    "chDB, expert": (chdb_table, chdb_expert),
}


def _cells(result) -> list[np.ndarray]:
    """Return the cells in which someone came back."""
    columns = numbers(result, ("cohort", "age", "n_cohort", "n_retained"))
    return [column[columns[-1] > 0] for column in columns]


def _question(source: str, columns: tuple[str, ...], asked: tuple[str, ...]) -> measure.Question:
    found = "cells in which someone came back"
    return measure.Question(source, columns, _COMPETITORS, _cells, found, asked)


QUESTIONS = {
    "Viewer-days to weekly retention": _question(
        "viewer_days", ("viewer", "day"), ("viewer", "day")
    ),
    "Plays to weekly retention": _question(
        "plays", ("viewer", "title", "started_at"), ("viewer", "started_at")
    ),
}


if __name__ == "__main__":
    measure.main("benchmarks.retention", "retention", QUESTIONS)
