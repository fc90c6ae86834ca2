"""Time streaks against pandas, Polars, DuckDB and chDB, and write benchmarks/README.md.

Each competitor turns its engine's table into streaks in the engine's own form: as published,
and as an expert in it would write it.
"""

import functools

import chdb.session
import duckdb
import numpy as np
import pandas as pd
import polars as pl

from benchmarks import measure
from benchmarks.data import AS_OF, TZ
from benchmarks.engines import (
    DAY,
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
from benchmarks.imports import import_seconds, import_text
from toolkit.days import to_viewer_days
from toolkit.streaks import find_streaks

_DAY_BITS, _TITLE_SIZE = 20, 4096
_ISLANDS = """
    SELECT {ids}, min(day) AS first_day, max(day) AS last_day, count(*) AS n_days
    FROM (
        SELECT {ids}, day,
            day - (row_number() OVER (PARTITION BY {ids} ORDER BY day))::INTEGER AS island
        FROM {log}
    ) GROUP BY {ids}, island"""


def toolkit(table: pd.DataFrame, ids: tuple) -> pd.DataFrame:
    if "started_at" in table:
        table = to_viewer_days(table, tz=TZ, by="title" if "title" in ids else None)
    return find_streaks(table, as_of=AS_OF)


def pandas_published(table: pd.DataFrame, ids: tuple) -> pd.DataFrame:
    ids = list(ids)
    if "started_at" in table:
        day = table["started_at"].dt.tz_convert(TZ).dt.tz_localize(None).dt.normalize()
        table = table[ids].assign(day=day).drop_duplicates().sort_values([*ids, "day"])
    new = table.groupby(ids, observed=True)["day"].diff() > pd.Timedelta(days=1)
    days = table.groupby([*ids, new.cumsum().rename("island")], observed=True)["day"]
    return days.agg(first_day="min", last_day="max", n_days="count").reset_index()


def pandas_expert(table: pd.DataFrame, ids: tuple) -> pd.DataFrame:
    codes = {name: table[name].cat.codes.to_numpy() for name in ids}
    if "day" in table:
        day = table["day"].to_numpy()
        new = np.ones(len(day) + 1, dtype=bool)
        new[1:-1] = np.diff(day.view("int64")) != DAY
        new[1:-1] |= np.diff(codes["viewer"]) != 0
        at = np.flatnonzero(new)
        first, last = at[:-1], at[1:] - 1
        found = {"viewer": table["viewer"].array[first], "first_day": day[first]}
        found |= {"last_day": day[last], "n_days": last - first + 1}
        return pd.DataFrame(found, copy=False)
    key = numpy_days(table["started_at"].array.asi8)
    code = codes["viewer"].astype("int64")
    key += (code * _TITLE_SIZE + codes["title"] if "title" in ids else code) << _DAY_BITS
    key.sort()
    new = np.flatnonzero(np.diff(key) > 1)
    first, last = key[np.append(0, new + 1)], key[np.append(new, len(key) - 1)]
    code = first >> _DAY_BITS
    parts = dict(zip(ids, np.divmod(code, _TITLE_SIZE) if "title" in ids else [code], strict=True))
    found = {n: pd.Categorical.from_codes(c, dtype=table[n].dtype) for n, c in parts.items()}
    bits = 2**_DAY_BITS - 1
    days = {"first_day": first & bits, "last_day": last & bits}
    found |= {name: (d * DAY).view("datetime64[us]") for name, d in days.items()}
    return pd.DataFrame(found | {"n_days": last - first + 1}, copy=False)


def polars_published(table: pl.DataFrame, ids: tuple) -> pl.DataFrame:
    if "started_at" in table.columns:
        day = pl.col("started_at").dt.convert_time_zone(TZ).dt.date()
        table = table.select(*ids, day=day).unique().sort(*ids, "day")
    # On a table in order, the row number is the rank.
    island = pl.col("day").cast(pl.Int32) - pl.int_range(pl.len()).over(ids)
    days = table.with_columns(island=island).group_by(*ids, "island")
    first, last = pl.col("day").min(), pl.col("day").max()
    return days.agg(first_day=first, last_day=last, n_days=pl.len()).drop("island")


def polars_expert(table: pl.DataFrame, ids: tuple) -> pl.DataFrame:
    n_days = (pl.col("last_day") - pl.col("first_day")).dt.total_days() + 1
    if "day" in table.columns:
        viewer, day = pl.col("viewer").to_physical(), pl.col("day").to_physical()
        new = (viewer != viewer.shift()) | (day - day.shift() > 1)
        new = table.select(new.fill_null(True)).to_series()
        last = table["day"].filter(new.shift(-1, fill_value=True))
        first = table.filter(new).select("viewer", first_day="day", last_day=last)
        return first.with_columns(n_days=n_days)
    code = pl.col("viewer").to_physical().cast(pl.Int64)
    code = code * _TITLE_SIZE + pl.col("title").to_physical() if "title" in ids else code
    key = table.select(code * 2**_DAY_BITS + polars_days()).to_series().sort()
    new = (key.diff() > 1).fill_null(True)
    ends = pl.DataFrame({"f": key.filter(new), "l": key.filter(new.shift(-1, fill_value=True))})
    first, last = pl.col("f"), pl.col("l")
    code = first // 2**_DAY_BITS
    codes = [code // _TITLE_SIZE, code % _TITLE_SIZE] if "title" in ids else [code]
    parts = {n: c.cast(pl.UInt32).cat.to(table[n].dtype) for n, c in zip(ids, codes, strict=True)}
    days = {"first_day": first % 2**_DAY_BITS, "last_day": last % 2**_DAY_BITS}
    days = {name: day.cast(pl.Int32).cast(pl.Date) for name, day in days.items()}
    return ends.select(**parts, **days, n_days=last - first + 1)


def duckdb_published(engine, ids: tuple) -> duckdb.DuckDBPyConnection:
    log = "log"
    if "started_at" in columns_of(engine):
        day = f"timezone('{TZ}', started_at)::DATE"
        log = f"(SELECT DISTINCT {', '.join(ids)}, {day} AS day FROM log)"
    return duckdb_result(engine, _ISLANDS.format(log=log, ids=", ".join(ids)))


def duckdb_expert(engine, ids: tuple) -> duckdb.DuckDBPyConnection:
    if "day" in columns_of(engine):
        return duckdb_result(
            engine,
            """
            WITH before AS (
                SELECT NULL AS viewer, NULL::DATE AS day UNION ALL SELECT viewer, day FROM log
            ), heads AS (
                SELECT log.viewer, log.day AS first_day, before.day AS ended
                FROM log POSITIONAL JOIN before
                WHERE log.viewer IS NOT NULL
                    AND (log.viewer IS DISTINCT FROM before.viewer OR log.day - before.day <> 1)
            ), streaks AS (
                SELECT viewer, first_day, coalesce(
                    lead(ended) OVER (), (SELECT day FROM log ORDER BY rowid DESC LIMIT 1)
                ) AS last_day
                FROM heads
            )
            SELECT *, last_day - first_day + 1 AS n_days FROM streaks""",
        )
    day = days_sql("epoch_us(started_at)", "//")
    viewer, title = "enum_code(viewer)::BIGINT", "enum_code(title)"
    code, parts = viewer, "first >> 20 AS viewer"
    if "title" in ids:
        code = f"({viewer} * {_TITLE_SIZE} + {title})"
        parts = f"first >> 32 AS viewer, (first >> 20) % {_TITLE_SIZE} AS title"
    return duckdb_result(
        engine,
        f"""
        WITH keys AS (SELECT ({code} << {_DAY_BITS}) + {day} AS key FROM log ORDER BY key),
        steps AS (SELECT key, lag(key) OVER () AS before FROM keys),
        heads AS (
            SELECT key AS first, before AS ended FROM steps WHERE coalesce(key - before > 1, true)
        ), ends AS (
            SELECT first, coalesce(lead(ended) OVER (), (SELECT max(key) FROM keys)) AS last
            FROM heads
        )
        SELECT {parts}, DATE '1970-01-01' + (first % 1048576)::INTEGER AS first_day,
            DATE '1970-01-01' + (last % 1048576)::INTEGER AS last_day, last - first + 1 AS n_days
        FROM ends""",
    )


def chdb_published(engine, ids: tuple) -> chdb.session.Session:
    log = "bench.log"
    if "started_at" in columns_of(engine):
        day = f"toDate(started_at, '{TZ}')"
        log = f"(SELECT DISTINCT {', '.join(ids)}, {day} AS day FROM bench.log)"
    return chdb_result(engine, _ISLANDS.format(log=log, ids=", ".join(ids)))


def chdb_expert(engine, ids: tuple) -> chdb.session.Session:
    days = "arraySort(groupArray(day))"
    if "started_at" in columns_of(engine):
        day = days_sql("toUnixTimestamp64Micro(started_at)", "DIV")
        days = f"arrayCompact(arraySort(groupArray(toUInt16({day}))))"
    ids = ", ".join(ids)
    return chdb_result(
        engine,
        f"""
        SELECT {ids}, toDate(first) AS first_day, toDate(last) AS last_day,
            last - first + 1 AS n_days
        FROM (
            SELECT {ids}, {days} AS days, arrayDifference(days) AS steps,
                arrayFilter((day, step) -> step != 1, days, steps) AS firsts,
                arrayFilter(
                    (day, step) -> step != 1, days, arrayPushBack(arrayPopFront(steps), 0)
                ) AS lasts
            FROM bench.log GROUP BY {ids}
        ) ARRAY JOIN firsts AS first, lasts AS last""",
    )


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


def _question(source: str, *ids: str) -> measure.Question:
    """Ask for the streaks of what the ids tell apart."""
    last = "day" if source == "viewer_days" else "started_at"
    return measure.Question(
        source,
        ("viewer", "day") if last == "day" else ("viewer", "title", last),
        {
            name: (make_table, functools.partial(find, ids=ids))
            for name, (make_table, find) in _COMPETITORS.items()
        },
        functools.partial(numbers, names=(*ids, "first_day", "last_day", "n_days")),
        "streaks",
        (*ids, last),
    )


QUESTIONS = {
    "Viewer-days to streaks": _question("viewer_days", "viewer"),
    "Plays to streaks": _question("plays", "viewer"),
    "Plays to streaks, by title": _question("plays", "viewer", "title"),
    "Shuffled plays to streaks": _question("shuffled", "viewer"),
    "Shuffled plays to streaks, by title": _question("shuffled", "viewer", "title"),
}


def _imports() -> str:
    seconds = import_seconds(env=measure.environment())
    return f"### Import\n\n{import_text(seconds)}\n"


if __name__ == "__main__":
    measure.main("benchmarks.streaks", "streaks", QUESTIONS, _imports)
