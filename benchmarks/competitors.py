"""The same question in each engine, as published and as an expert in it would write it.

Every competitor is a pair: a function that makes the engine's own table of the columns, and
one that turns that table into streaks in the engine's own form.  Viewers and titles are
whole numbers underneath in every engine, so that nobody pays for strings.
"""

import functools

import chdb.session
import duckdb
import numpy as np
import pandas as pd
import polars as pl

from benchmarks.data import AS_OF, FIRST_DAY, N_TITLES, TZ, names, offsets
from toolkit.days import to_viewer_days
from toolkit.streaks import find_streaks

_DAY = 86_400_000_000
_DAY_BITS, _TITLE_SIZE = 20, 4096
_OFFSETS = offsets()


def pandas_table(columns: dict) -> pd.DataFrame:
    frame = {}
    for name, values in columns.items():
        if name == "day":
            frame[name] = (FIRST_DAY + values).astype("datetime64[us]")
        elif name == "started_at":
            frame[name] = pd.Series(values.view("datetime64[us]")).dt.tz_localize("UTC")
        else:
            frame[name] = pd.Categorical.from_codes(values, _names(name, values))
    return pd.DataFrame(frame, copy=False)


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
        new[1:-1] = np.diff(day.view("int64")) != _DAY
        new[1:-1] |= np.diff(codes["viewer"]) != 0
        at = np.flatnonzero(new)
        first, last = at[:-1], at[1:] - 1
        found = {"viewer": table["viewer"].array[first], "first_day": day[first]}
        found |= {"last_day": day[last], "n_days": last - first + 1}
        return pd.DataFrame(found, copy=False)
    at, offset = np.array(_OFFSETS).T
    instants = table["started_at"].array.asi8
    key = (instants + offset[np.searchsorted(at, instants, side="right") - 1]) // _DAY
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
    found |= {name: (d * _DAY).view("datetime64[us]") for name, d in days.items()}
    return pd.DataFrame(found | {"n_days": last - first + 1}, copy=False)


def polars_table(columns: dict) -> pl.DataFrame:
    frame = {}
    for name, values in columns.items():
        if name == "day":
            frame[name] = pl.Series((FIRST_DAY + values).astype("int32")).cast(pl.Date)
        elif name == "started_at":
            frame[name] = pl.Series(values).cast(pl.Datetime("us", "UTC"))
        else:
            frame[name] = pl.Series(values.astype("uint32")).cat.to(_enum(name, values))
    return pl.DataFrame(frame)


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
    instant, (begin, *changes) = pl.col("started_at").to_physical(), _OFFSETS
    offset = pl.lit(begin[1])
    for at, new in changes:
        offset = pl.when(instant >= at).then(new).otherwise(offset)
    code = pl.col("viewer").to_physical().cast(pl.Int64)
    code = code * _TITLE_SIZE + pl.col("title").to_physical() if "title" in ids else code
    key = table.select(code * 2**_DAY_BITS + (instant + offset) // _DAY).to_series().sort()
    new = (key.diff() > 1).fill_null(True)
    ends = pl.DataFrame({"f": key.filter(new), "l": key.filter(new.shift(-1, fill_value=True))})
    first, last = pl.col("f"), pl.col("l")
    code = first // 2**_DAY_BITS
    codes = [code // _TITLE_SIZE, code % _TITLE_SIZE] if "title" in ids else [code]
    parts = {n: c.cast(pl.UInt32).cat.to(table[n].dtype) for n, c in zip(ids, codes, strict=True)}
    days = {"first_day": first % 2**_DAY_BITS, "last_day": last % 2**_DAY_BITS}
    days = {name: day.cast(pl.Int32).cast(pl.Date) for name, day in days.items()}
    return ends.select(**parts, **days, n_days=last - first + 1)


def duckdb_table(columns: dict) -> duckdb.DuckDBPyConnection:
    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    parts = []
    for name, values in columns.items():
        if name == "day":
            parts.append(f"(DATE '{FIRST_DAY}' + day::INTEGER)::DATE AS day")
        elif name == "started_at":
            parts.append("make_timestamptz(started_at) AS started_at")
        else:
            known = pd.DataFrame({"name": _names(name, values)})
            engine.register("known", known)
            engine.execute(f"CREATE TYPE {name}_id AS ENUM (SELECT name FROM known)")
            columns = columns | {name: pd.Categorical.from_codes(values, known["name"])}
            parts.append(f"{name}::{name}_id AS {name}")
    engine.register("given", pd.DataFrame(columns, copy=False))
    engine.execute(f"CREATE TABLE log AS SELECT {', '.join(parts)} FROM given")
    engine.unregister("given")
    return engine


def duckdb_published(engine, ids: tuple) -> duckdb.DuckDBPyConnection:
    log = "log"
    if "started_at" in engine.table("log").columns:
        day = f"timezone('{TZ}', started_at)::DATE"
        log = f"(SELECT DISTINCT {', '.join(ids)}, {day} AS day FROM log)"
    return _duckdb_result(engine, _ISLANDS.format(log=log, ids=", ".join(ids)))


def duckdb_expert(engine, ids: tuple) -> duckdb.DuckDBPyConnection:
    if "day" in engine.table("log").columns:
        return _duckdb_result(
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
    day = _days_sql("epoch_us(started_at)", "//")
    viewer, title = "enum_code(viewer)::BIGINT", "enum_code(title)"
    code, parts = viewer, "first >> 20 AS viewer"
    if "title" in ids:
        code = f"({viewer} * {_TITLE_SIZE} + {title})"
        parts = f"first >> 32 AS viewer, (first >> 20) % {_TITLE_SIZE} AS title"
    return _duckdb_result(
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


def chdb_table(columns: dict) -> chdb.session.Session:
    engine = chdb.session.Session()
    types = {"viewer": "UInt32", "title": "UInt16", "day": "Date"}
    types["started_at"] = "DateTime64(6, 'UTC')"
    parts = {"day": f"toDate('{FIRST_DAY}') + day"}
    parts["started_at"] = "fromUnixTimestamp64Micro(started_at, 'UTC')"
    given = pd.DataFrame(columns, copy=False)  # noqa: F841 - chDB finds it by its name
    order = ["viewer", "title", "day", "started_at"]
    in_order = (np.diff(columns["viewer"]) >= 0).all()
    order = ", ".join(name for name in order if in_order and name in columns)
    engine.query("CREATE DATABASE bench")
    engine.query(
        f"CREATE TABLE bench.log ({', '.join(f'{name} {types[name]}' for name in columns)}) "
        f"ENGINE = MergeTree ORDER BY ({order})"
    )
    parts = ", ".join(parts.get(name, name) for name in columns)
    engine.query(f"INSERT INTO bench.log SELECT {parts} FROM Python(given)")
    engine.query("OPTIMIZE TABLE bench.log FINAL")
    engine.query("SYSTEM JEMALLOC PURGE")
    return engine


def chdb_published(engine, ids: tuple) -> chdb.session.Session:
    log = "bench.log"
    if "started_at" in _chdb_columns(engine):
        day = f"toDate(started_at, '{TZ}')"
        log = f"(SELECT DISTINCT {', '.join(ids)}, {day} AS day FROM bench.log)"
    return _chdb_result(engine, _ISLANDS.format(log=log, ids=", ".join(ids)))


def chdb_expert(engine, ids: tuple) -> chdb.session.Session:
    days = "arraySort(groupArray(day))"
    if "started_at" in _chdb_columns(engine):
        day = _days_sql("toUnixTimestamp64Micro(started_at)", "DIV")
        days = f"arrayCompact(arraySort(groupArray(toUInt16({day}))))"
    ids = ", ".join(ids)
    return _chdb_result(
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


def arrays(result, ids: tuple) -> list[np.ndarray]:
    """Return any engine's streaks as whole numbers in one order: ids, first, last and n_days."""
    names = [*ids, "first_day", "last_day", "n_days"]
    if isinstance(result, duckdb.DuckDBPyConnection):
        kinds = dict(zip((r := result.table("result")).columns, map(str, r.types), strict=True))
        as_number = {
            name: f"enum_code({name})" if kinds[name].startswith("ENUM") else name for name in ids
        }
        as_number |= {name: f"{name} - DATE '1970-01-01'" for name in ("first_day", "last_day")}
        parts = (f"({as_number.get(name, name)})::BIGINT AS {name}" for name in names)
        found = result.execute(f"SELECT {', '.join(parts)} FROM result").fetchnumpy()
    elif isinstance(result, chdb.session.Session):
        parts = ", ".join(f"toInt64({name}) AS {name}" for name in names)
        found = result.query(f"SELECT {parts} FROM bench.result", "DataFrame")
    elif isinstance(result, pl.DataFrame):
        found = {name: result[name].to_physical().to_numpy() for name in names}
    else:
        found = {name: result[name].cat.codes for name in ids} | {"n_days": result["n_days"]}
        days = (result[name].astype("datetime64[us]") for name in ("first_day", "last_day"))
        found |= {day.name: day.to_numpy().view("int64") // _DAY for day in days}
    columns = [np.asarray(found[name], dtype="int64") for name in names]
    order = np.lexsort(columns[::-1])
    return [column[order] for column in columns]


COMPETITORS = {
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

_ISLANDS = """
    SELECT {ids}, min(day) AS first_day, max(day) AS last_day, count(*) AS n_days
    FROM (
        SELECT {ids}, day,
            day - (row_number() OVER (PARTITION BY {ids} ORDER BY day))::INTEGER AS island
        FROM {log}
    ) GROUP BY {ids}, island"""


def _days_sql(instant: str, divide: str) -> str:
    (_, offset), *changes = _OFFSETS
    cases = " ".join(f"WHEN {instant} >= {at} THEN {new}" for at, new in changes[::-1])
    return f"(({instant} + CASE {cases} ELSE {offset} END) {divide} {_DAY})"


def _duckdb_result(engine, query: str) -> duckdb.DuckDBPyConnection:
    engine.execute(f"CREATE OR REPLACE TABLE result AS {query}")
    return engine


def _chdb_result(engine, query: str) -> chdb.session.Session:
    engine.query("DROP TABLE IF EXISTS bench.result")
    engine.query(f"CREATE TABLE bench.result ENGINE = Memory AS {query}")
    return engine


def _chdb_columns(engine) -> list[str]:
    return str(engine.query("DESCRIBE bench.log", "TSV")).split()


@functools.cache
def _known(column: str, n: int) -> pd.Index:
    return names(column, n)


def _names(column: str, values: np.ndarray) -> pd.Index:
    return _known(column, N_TITLES if column == "title" else int(values.max()) + 1)


def _enum(column: str, values: np.ndarray) -> pl.Enum:
    return pl.Enum(_names(column, values).to_list())
