"""Time sittings against other engines, and write benchmarks/README.md.

A play is in one sitting with those of the same viewer before it, unless it starts more than 30
minutes after the last of them ended.
"""

import functools

import chdb.session
import duckdb
import numpy as np
import pandas as pd
import polars as pl

from benchmarks import measure
from benchmarks.data import FIRST_DAY
from benchmarks.engines import (
    DAY,
    chdb_result,
    chdb_table,
    duckdb_result,
    duckdb_table,
    numbers,
    pandas_table,
    polars_table,
)
from toolkit.sittings import to_sittings

_PAUSE = 30 * 60_000_000
_PLAYS = ("viewer", "title", "started_at", "watched_seconds")
_SITTINGS = ("viewer", "started_at", "ended_at", "n_plays", "watched_seconds")
# A viewer's instants, from the day before any, follow one another in one number.
_LOW, _ROOM = (int(FIRST_DAY.astype("int64")) - 1) * DAY, 2**46


def toolkit(table: pd.DataFrame) -> pd.DataFrame:
    return to_sittings(table, pause="30min")


def pandas_published(table: pd.DataFrame) -> pd.DataFrame:
    plays = table.sort_values(["viewer", "started_at"])
    lasted = pd.to_timedelta(plays["watched_seconds"], unit="s")
    plays = plays.assign(ended_at=plays["started_at"] + lasted)
    reached = plays.groupby("viewer", observed=True)["ended_at"].cummax()
    pause = plays["started_at"] - reached.groupby(plays["viewer"], observed=True).shift()
    sitting = (pause.isna() | (pause > pd.Timedelta(minutes=30))).cumsum()
    return plays.groupby(sitting).agg(
        viewer=("viewer", "first"),
        started_at=("started_at", "min"),
        ended_at=("ended_at", "max"),
        n_plays=("started_at", "size"),
        watched_seconds=("watched_seconds", "sum"),
    )


def pandas_expert(table: pd.DataFrame) -> pd.DataFrame:
    start = table["viewer"].array.codes * np.int64(_ROOM)
    start += table["started_at"].array.asi8 - _LOW
    order = np.argsort(start, kind="stable")
    start, seconds = start[order], table["watched_seconds"].to_numpy()[order]
    # The instants of earlier viewers are lower, so that the furthest end needs no groups.
    reached = np.maximum.accumulate(start + (seconds * 1e6).astype("int64"))
    new = np.ones(len(start), dtype=bool)
    new[1:] = start[1:] - reached[:-1] > _PAUSE
    first = np.flatnonzero(new)
    n_plays = np.diff(first, append=len(start))
    at = {"started_at": start[first], "ended_at": reached[first + n_plays - 1]}
    at = {name: pd.array(us % _ROOM + _LOW, dtype="datetime64[us, UTC]") for name, us in at.items()}
    sums = {"n_plays": n_plays, "watched_seconds": np.add.reduceat(seconds, first)}
    return pd.DataFrame({"viewer": table["viewer"].array[order[first]]} | at | sums, copy=False)


def polars_published(table: pl.DataFrame) -> pl.DataFrame:
    lasted = pl.duration(microseconds=(pl.col("watched_seconds") * 1e6).cast(pl.Int64))
    plays = table.sort("viewer", "started_at").with_columns(ended_at=pl.col("started_at") + lasted)
    pause = pl.col("started_at") - pl.col("ended_at").cum_max().shift().over("viewer")
    new = (pause > pl.duration(minutes=30)).fill_null(True)
    return (
        plays.with_columns(sitting=new.cum_sum())
        .group_by("sitting")
        .agg(
            pl.col("viewer").first(),
            pl.col("started_at").min(),
            pl.col("ended_at").max(),
            pl.len().alias("n_plays"),
            pl.col("watched_seconds").sum(),
        )
    )


def polars_expert(table: pl.DataFrame) -> pl.DataFrame:
    base = pl.col("viewer").to_physical().cast(pl.Int64) * _ROOM
    lasted = (pl.col("watched_seconds") * 1e6).cast(pl.Int64)
    start = base + (pl.col("started_at").to_physical() - _LOW)
    plays = table.lazy().select(start=start, lasted=lasted).sort("start")
    # The instants of earlier viewers are lower, so that the furthest end needs no groups.
    reached = (pl.col("start") + pl.col("lasted")).cum_max()
    new = (pl.col("start") - reached.shift() > _PAUSE).fill_null(True)
    plays = plays.select("start", reached=reached, total=pl.col("lasted").cum_sum(), new=new)
    plays = plays.with_columns(last=pl.col("new").shift(-1, fill_value=True)).collect()
    first = plays.select(pl.arg_where("new")).to_series().cast(pl.Int64)
    ends = plays.lazy().filter("last").select("reached", "total").collect()
    begun = plays.lazy().filter("new").select("start").collect()["start"]
    instants = {"started_at": begun % _ROOM, "ended_at": ends["reached"] % _ROOM}
    return pl.DataFrame(
        {"viewer": begun // _ROOM}
        | {name: (us + _LOW).cast(pl.Datetime("us", "UTC")) for name, us in instants.items()}
        | {"n_plays": first.shift(-1, fill_value=len(plays)) - first}
        | {"watched_seconds": ends["total"].diff().fill_null(ends["total"][0]) / 1e6}
    )


def duckdb_published(engine) -> duckdb.DuckDBPyConnection:
    return duckdb_result(
        engine,
        _PUBLISHED.format(
            log="(SELECT *, started_at + to_seconds(watched_seconds) AS ended_at FROM log)",
            ended_at="ended_at",
            limit="INTERVAL 30 MINUTE",
        ),
    )


def duckdb_expert(engine) -> duckdb.DuckDBPyConnection:
    return duckdb_result(
        engine,
        f"""
        WITH plays AS (
            SELECT enum_code(viewer)::BIGINT * {_ROOM} + epoch_us(started_at) - {_LOW} AS start,
                start + (watched_seconds * 1000000)::BIGINT AS stop, watched_seconds
            FROM log ORDER BY start
        ), steps AS (
            SELECT *, max(stop) OVER (ROWS UNBOUNDED PRECEDING) AS reached FROM plays
        ), flags AS (
            SELECT *, coalesce(start - lag(reached) OVER () > {_PAUSE}, true) AS new FROM steps
        ), numbered AS (
            SELECT *, sum(new::INTEGER) OVER (ROWS UNBOUNDED PRECEDING)::INTEGER AS sitting
            FROM flags
        )
        SELECT min(start) // {_ROOM} AS viewer,
            make_timestamptz(min(start) % {_ROOM} + {_LOW}) AS started_at,
            make_timestamptz(max(stop) % {_ROOM} + {_LOW}) AS ended_at,
            count(*) AS n_plays, sum(watched_seconds) AS watched_seconds
        FROM numbered GROUP BY sitting""",
    )


def chdb_published(engine) -> chdb.session.Session:
    return chdb_result(
        engine,
        _PUBLISHED.format(
            log="(SELECT *, started_at + toIntervalSecond(watched_seconds) AS ended_at"
            " FROM bench.log)",
            ended_at="toNullable(ended_at)",
            limit="1800",
        ),
    )


def chdb_expert(engine) -> chdb.session.Session:
    return chdb_result(
        engine,
        f"""
        SELECT viewer, fromUnixTimestamp64Micro(min(start), 'UTC') AS started_at,
            fromUnixTimestamp64Micro(max(stop), 'UTC') AS ended_at,
            count() AS n_plays, sum(lasted) AS watched_seconds
        FROM (
            SELECT viewer, start, stop, lasted,
                sum(start - before > {_PAUSE}) OVER (
                    PARTITION BY viewer ORDER BY start ROWS UNBOUNDED PRECEDING
                ) AS sitting
            FROM (
                SELECT viewer, toUnixTimestamp64Micro(started_at) AS start,
                    start + toInt64(watched_seconds * 1000000) AS stop, watched_seconds AS lasted,
                    max(stop) OVER (
                        PARTITION BY viewer ORDER BY start
                        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                    ) AS before
                FROM bench.log
            )
        ) GROUP BY viewer, sitting""",
    )


_PUBLISHED = """
    WITH steps AS (
        SELECT *, coalesce(started_at - max({ended_at}) OVER (
            PARTITION BY viewer ORDER BY started_at
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) > {limit}, true) AS new
        FROM {log}
    ), numbered AS (
        SELECT *, sum(CAST(new AS INTEGER)) OVER (PARTITION BY viewer ORDER BY started_at)
            AS sitting
        FROM steps
    ), sittings AS (
        SELECT viewer, min(started_at) AS began_at, max(ended_at) AS finished_at,
            count(*) AS n_plays, sum(watched_seconds) AS lasted
        FROM numbered GROUP BY viewer, sitting
    )
    SELECT viewer, began_at AS started_at, finished_at AS ended_at, n_plays,
        lasted AS watched_seconds
    FROM sittings"""
QUESTIONS = {
    "Plays to sittings": measure.Question(
        "plays",
        _PLAYS,
        {
            "toolkit": (pandas_table, toolkit),
            "pandas, published": (pandas_table, pandas_published),
            "pandas, expert": (pandas_table, pandas_expert),
            "Polars, published": (polars_table, polars_published),
            "Polars, expert": (polars_table, polars_expert),
            "DuckDB, published": (duckdb_table, duckdb_published),
            "DuckDB, expert": (duckdb_table, duckdb_expert),
            "chDB, published": (chdb_table, chdb_published),
            "chDB, expert": (chdb_table, chdb_expert),
        },
        functools.partial(numbers, names=_SITTINGS),
        "sittings",
        _PLAYS,
    )
}


if __name__ == "__main__":
    measure.main("benchmarks.sittings", "sittings", QUESTIONS)
