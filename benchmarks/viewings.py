"""Time viewings and rewatch counts against other engines, and write benchmarks/README.md.

A play is one viewing with the play before it, of the same viewer and title, unless it starts
more than seven days after that one's end.  The plays say nothing of positions and runtimes.
"""

import functools

import chdb.session
import duckdb
import numpy as np
import pandas as pd
import polars as pl

from benchmarks import measure
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
from toolkit.rewatch import count_viewings
from toolkit.viewings import to_viewings

_PAUSE = 7 * DAY
_IDS = ["viewer", "title"]
_PLAYS = ("viewer", "title", "started_at", "watched_seconds")


def toolkit(table: pd.DataFrame) -> pd.DataFrame:
    return to_viewings(table, min_seconds=0)


def toolkit_counts(table: pd.DataFrame) -> pd.DataFrame:
    return count_viewings(to_viewings(table, min_seconds=0, columns=[]))


def pandas_published(table: pd.DataFrame) -> pd.DataFrame:
    table = table.assign(new=_pandas_new(table))
    ended = table["started_at"] + pd.to_timedelta(table["watched_seconds"], unit="s")
    viewings = table.assign(ended_at=ended, viewing=table["new"].cumsum()).groupby("viewing")
    return viewings.agg(
        viewer=("viewer", "first"),
        title=("title", "first"),
        started_at=("started_at", "min"),
        ended_at=("ended_at", "max"),
        n_plays=("started_at", "size"),
        watched_seconds=("watched_seconds", "sum"),
    )


def pandas_published_counts(table: pd.DataFrame) -> pd.DataFrame:
    new = table.assign(n_viewings=_pandas_new(table)).groupby(_IDS, observed=True)
    return new["n_viewings"].sum().reset_index()


def _pandas_new(table: pd.DataFrame) -> pd.Series:
    ended = table["started_at"] + pd.to_timedelta(table["watched_seconds"], unit="s")
    before = table.assign(ended_at=ended).groupby(_IDS, observed=True)["ended_at"].shift()
    pause = table["started_at"] - before
    return pause.isna() | (pause > pd.Timedelta(days=7))


def pandas_expert(table: pd.DataFrame) -> pd.DataFrame:
    new, _, started, ended = _numpy_new(table)
    first = np.flatnonzero(new)
    seconds = table["watched_seconds"].to_numpy()
    at = {"started_at": started[first], "ended_at": np.maximum.reduceat(ended, first)}
    at = {n: pd.array(us, dtype="datetime64[us, UTC]", copy=False) for n, us in at.items()}
    ids = {name: table[name].array[first] for name in _IDS}
    sums = {"n_plays": np.diff(first, append=len(table))}
    sums["watched_seconds"] = np.add.reduceat(seconds, first)
    return pd.DataFrame(ids | at | sums, copy=False)


def pandas_expert_counts(table: pd.DataFrame) -> pd.DataFrame:
    new, another, *_ = _numpy_new(table)
    row, first = np.flatnonzero(new), np.flatnonzero(another)
    ids = {name: table[name].array[first] for name in _IDS}
    count = np.diff(np.append(np.searchsorted(row, first), len(row)))
    return pd.DataFrame(ids | {"n_viewings": count}, copy=False)


def _numpy_new(table: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """Compare neighbours of a table in order: new viewings, other titles, starts and ends."""
    started = table["started_at"].array.asi8
    ended = (table["watched_seconds"].to_numpy() * 1e6).astype("int64")
    ended += started
    another = np.ones(len(table), dtype=bool)
    viewer, title = (table[name].array.codes for name in _IDS)
    another[1:] = viewer[1:] != viewer[:-1]
    another[1:] |= title[1:] != title[:-1]
    new = another.copy()
    new[1:] |= started[1:] - ended[:-1] > _PAUSE
    return new, another, started, ended


def polars_published(table: pl.DataFrame) -> pl.DataFrame:
    viewings = _polars_new(table).with_columns(viewing=pl.col("new").cum_sum())
    return viewings.group_by("viewing").agg(
        pl.col("viewer", "title").first(),
        pl.col("started_at").min(),
        pl.col("ended_at").max(),
        pl.len().alias("n_plays"),
        pl.col("watched_seconds").sum(),
    )


def polars_published_counts(table: pl.DataFrame) -> pl.DataFrame:
    return _polars_new(table).group_by(_IDS).agg(n_viewings=pl.col("new").sum())


def _polars_new(table: pl.DataFrame) -> pl.DataFrame:
    lasted = pl.duration(microseconds=(pl.col("watched_seconds") * 1e6).cast(pl.Int64))
    pause = pl.col("started_at") - pl.col("ended_at").shift().over(_IDS)
    new = (pause > pl.duration(days=7)).fill_null(True)
    return table.with_columns(ended_at=pl.col("started_at") + lasted).with_columns(new=new)


def polars_expert(table: pl.DataFrame) -> pl.DataFrame:
    flags = table.lazy().select(new=_POLARS_NEW, ended_at=_POLARS_ENDED).collect()
    new = flags["new"]
    plays = pl.DataFrame({"viewing": new.cum_sum().set_sorted(), "ended_at": flags["ended_at"]})
    plays = plays.with_columns(table["watched_seconds"]).group_by("viewing", maintain_order=True)
    ended = pl.col("ended_at").max().cast(pl.Datetime("us", "UTC"))
    sums = plays.agg(ended, pl.len().alias("n_plays"), pl.col("watched_seconds").sum())
    return table.filter(new).drop("watched_seconds").hstack(sums.drop("viewing"))


def polars_expert_counts(table: pl.DataFrame) -> pl.DataFrame:
    viewings = table.lazy().filter(_POLARS_NEW).select(*_IDS, another=_POLARS_OTHER).collect()
    row = viewings.select(pl.arg_where("another")).to_series()
    end = row.shift(-1, fill_value=len(viewings))
    return viewings.filter("another").select(*_IDS).with_columns(n_viewings=end - row)


# On a table in order, whatever differs from the row above is new.
_POLARS_ENDED = pl.col("started_at").to_physical() + (pl.col("watched_seconds") * 1e6).cast(
    pl.Int64
)
_POLARS_OTHER = pl.any_horizontal(
    pl.col(name).to_physical() != pl.col(name).to_physical().shift() for name in _IDS
).fill_null(True)
_POLARS_NEW = _POLARS_OTHER | (
    pl.col("started_at").to_physical() - _POLARS_ENDED.shift() > _PAUSE
).fill_null(True)


def duckdb_published(engine) -> duckdb.DuckDBPyConnection:
    return duckdb_result(engine, _VIEWINGS.format(steps=_DUCKDB_STEPS))


def duckdb_published_counts(engine) -> duckdb.DuckDBPyConnection:
    return duckdb_result(engine, _COUNTS.format(steps=_DUCKDB_STEPS))


def duckdb_expert(engine) -> duckdb.DuckDBPyConnection:
    return duckdb_result(
        engine,
        f"""
        WITH numbered AS (
            SELECT *, sum(new::INTEGER) OVER (ROWS UNBOUNDED PRECEDING)::INTEGER AS viewing
            FROM ({_DUCKDB_NEIGHBOURS})
        )
        SELECT any_value(viewer) AS viewer, any_value(title) AS title,
            make_timestamptz(min(started)) AS started_at, make_timestamptz(max(ended)) AS ended_at,
            count(*) AS n_plays, sum(watched_seconds) AS watched_seconds
        FROM numbered GROUP BY viewing""",
    )


def duckdb_expert_counts(engine) -> duckdb.DuckDBPyConnection:
    return duckdb_result(
        engine,
        f"""
        SELECT key >> 12 AS viewer, key % 4096 AS title, n_viewings
        FROM (
            SELECT (enum_code(viewer)::INTEGER << 12) + enum_code(title)::INTEGER AS key,
                count(*) AS n_viewings
            FROM ({_DUCKDB_NEIGHBOURS}) WHERE new GROUP BY key
        )""",
    )


def chdb_published(engine) -> chdb.session.Session:
    return chdb_result(engine, _VIEWINGS.format(steps=_CHDB_STEPS))


def chdb_published_counts(engine) -> chdb.session.Session:
    return chdb_result(engine, _COUNTS.format(steps=_CHDB_STEPS))


def chdb_expert(engine) -> chdb.session.Session:
    return chdb_result(
        engine,
        f"""
        SELECT viewer, title, fromUnixTimestamp64Micro(starts[1], 'UTC') AS started_at,
            fromUnixTimestamp64Micro(arrayMax(ends), 'UTC') AS ended_at,
            length(starts) AS n_plays, arraySum(lasted) AS watched_seconds
        FROM (
            SELECT viewer, title,
                arraySort(groupArray((started, ended, watched_seconds))) AS plays,
                plays.1 AS s, plays.2 AS e, plays.3 AS w,
                arrayMap(
                    (start, before) -> start - before > {_PAUSE},
                    s, arrayPushFront(arrayPopBack(e), s[1])
                ) AS new,
                arraySplit((value, is_new) -> is_new, s, new) AS all_starts,
                arraySplit((value, is_new) -> is_new, e, new) AS all_ends,
                arraySplit((value, is_new) -> is_new, w, new) AS all_lasted
            FROM ({_CHDB_ENDED}) GROUP BY viewer, title
        ) ARRAY JOIN all_starts AS starts, all_ends AS ends, all_lasted AS lasted""",
    )


def chdb_expert_counts(engine) -> chdb.session.Session:
    return chdb_result(
        engine,
        f"""
        SELECT viewer, title, count() AS n_viewings
        FROM (
            SELECT viewer, title, lagInFrame(viewer) OVER plays != viewer
                OR lagInFrame(title) OVER plays != title
                OR started - lagInFrame(ended) OVER plays > {_PAUSE} AS new
            FROM ({_CHDB_ENDED}) WINDOW plays AS (
                ORDER BY viewer, title, started_at
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            )
        ) WHERE new GROUP BY viewer, title""",
    )


_VIEWINGS = """
    WITH steps AS ({steps}),
    numbered AS (
        SELECT *, sum(new) OVER (PARTITION BY viewer, title ORDER BY started_at) AS viewing
        FROM steps
    ), viewings AS (
        SELECT viewer, title, min(started_at) AS began_at, max(ended_at) AS finished_at,
            count(*) AS n_plays, sum(watched_seconds) AS lasted
        FROM numbered GROUP BY viewer, title, viewing
    )
    SELECT viewer, title, began_at AS started_at, finished_at AS ended_at, n_plays,
        lasted AS watched_seconds
    FROM viewings"""
_COUNTS = "SELECT viewer, title, sum(new) AS n_viewings FROM ({steps}) GROUP BY viewer, title"
_DUCKDB_STEPS = """
    SELECT *, coalesce(
        started_at - lag(ended_at) OVER (PARTITION BY viewer, title ORDER BY started_at)
            > INTERVAL 7 DAY,
        true
    )::INTEGER AS new
    FROM (SELECT *, started_at + to_seconds(watched_seconds) AS ended_at FROM log)"""
_CHDB_STEPS = """
    SELECT *, coalesce(started_at - lagInFrame(toNullable(ended_at)) OVER (
        PARTITION BY viewer, title ORDER BY started_at
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) > 7 * 86400, 1) AS new
    FROM (SELECT *, started_at + toIntervalSecond(watched_seconds) AS ended_at FROM bench.log)"""
_DUCKDB_NEIGHBOURS = f"""
    SELECT viewer, title, watched_seconds, started, ended, coalesce(
        viewer <> lag(viewer) OVER () OR title <> lag(title) OVER ()
            OR started - lag(ended) OVER () > {_PAUSE},
        true
    ) AS new
    FROM (
        SELECT *, epoch_us(started_at) AS started,
            started + (watched_seconds * 1000000)::BIGINT AS ended
        FROM log
    )"""
_CHDB_ENDED = """
    SELECT *, toUnixTimestamp64Micro(started_at) AS started,
        started + toInt64(watched_seconds * 1000000) AS ended
    FROM bench.log"""


def _question(found: str, columns: tuple, ours, **others) -> measure.Question:
    competitors = {"toolkit": (pandas_table, ours)} | {
        f"{engine}, {how}": (make_table, answers[n])
        for (engine, make_table), answers in zip(_ENGINES.items(), others.values(), strict=True)
        for n, how in enumerate(("published", "expert"))
    }
    numbers_of = functools.partial(numbers, names=columns)
    return measure.Question("plays", _PLAYS, competitors, numbers_of, found, _PLAYS)


_ENGINES = {
    "pandas": pandas_table,
    "Polars": polars_table,
    "DuckDB": duckdb_table,
    "chDB": chdb_table,
}
QUESTIONS = {
    "Plays to viewings": _question(
        "viewings",
        (*_IDS, "started_at", "ended_at", "n_plays", "watched_seconds"),
        toolkit,
        pandas=(pandas_published, pandas_expert),
        polars=(polars_published, polars_expert),
        duckdb=(duckdb_published, duckdb_expert),
        chdb=(chdb_published, chdb_expert),
    ),
    "Plays to rewatch counts": _question(
        "viewers and titles",
        (*_IDS, "n_viewings"),
        toolkit_counts,
        pandas=(pandas_published_counts, pandas_expert_counts),
        polars=(polars_published_counts, polars_expert_counts),
        duckdb=(duckdb_published_counts, duckdb_expert_counts),
        chdb=(chdb_published_counts, chdb_expert_counts),
    ),
}


if __name__ == "__main__":
    measure.main("benchmarks.viewings", "viewings", QUESTIONS)
