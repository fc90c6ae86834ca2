"""The same columns as a table of each engine, and any engine's answer as whole numbers.

Viewers and titles are whole numbers underneath in every engine, so that nobody pays for
strings.
"""

import functools

import chdb.session
import duckdb
import numpy as np
import pandas as pd
import polars as pl

from benchmarks.data import FIRST_DAY, N_TITLES, names, offsets

DAY = 86_400_000_000
OFFSETS = offsets()


def pandas_table(columns: dict) -> pd.DataFrame:
    frame = {}
    for name, values in columns.items():
        if name == "day":
            frame[name] = (FIRST_DAY + values).astype("datetime64[us]")
        elif name == "started_at":
            frame[name] = pd.Series(values.view("datetime64[us]")).dt.tz_localize("UTC")
        elif values.dtype.kind == "f":
            frame[name] = values
        else:
            frame[name] = pd.Categorical.from_codes(values, _names(name, values))
    return pd.DataFrame(frame, copy=False)


def polars_table(columns: dict) -> pl.DataFrame:
    frame = {}
    for name, values in columns.items():
        if name == "day":
            frame[name] = pl.Series((FIRST_DAY + values).astype("int32")).cast(pl.Date)
        elif name == "started_at":
            frame[name] = pl.Series(values).cast(pl.Datetime("us", "UTC"))
        elif values.dtype.kind == "f":
            frame[name] = pl.Series(values)
        else:
            frame[name] = pl.Series(values.astype("uint32")).cat.to(_enum(name, values))
    return pl.DataFrame(frame)


def duckdb_table(columns: dict) -> duckdb.DuckDBPyConnection:
    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    parts = []
    for name, values in columns.items():
        if name == "day":
            parts.append(f"(DATE '{FIRST_DAY}' + day::INTEGER)::DATE AS day")
        elif name == "started_at":
            parts.append("make_timestamptz(started_at) AS started_at")
        elif values.dtype.kind == "f":
            parts.append(name)
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


def chdb_table(columns: dict) -> chdb.session.Session:
    engine = chdb.session.Session()
    types = {"viewer": "UInt32", "title": "UInt16", "day": "Date"}
    types |= {"started_at": "DateTime64(6, 'UTC')", "watched_seconds": "Float64"}
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


def duckdb_result(engine, query: str) -> duckdb.DuckDBPyConnection:
    engine.execute(f"CREATE OR REPLACE TABLE result AS {query}")
    return engine


def chdb_result(engine, query: str) -> chdb.session.Session:
    engine.query("DROP TABLE IF EXISTS bench.result")
    engine.query(f"CREATE TABLE bench.result ENGINE = Memory AS {query}")
    return engine


def columns_of(engine) -> list[str]:
    """Return the columns of the log of a database."""
    if isinstance(engine, duckdb.DuckDBPyConnection):
        return engine.table("log").columns
    return list(_chdb_types(engine, "log"))


def numpy_days(instants: np.ndarray) -> np.ndarray:
    """Return the day of instants (us) in the zone, as whole days since 1970-01-01."""
    at, offset = np.array(OFFSETS).T
    return (instants + offset[np.searchsorted(at, instants, side="right") - 1]) // DAY


def polars_days() -> pl.Expr:
    instant, (begin, *changes) = pl.col("started_at").to_physical(), OFFSETS
    offset = pl.lit(begin[1])
    for at, new in changes:
        offset = pl.when(instant >= at).then(new).otherwise(offset)
    return (instant + offset) // DAY


def days_sql(instant: str, divide: str) -> str:
    (_, offset), *changes = OFFSETS
    cases = " ".join(f"WHEN {instant} >= {at} THEN {new}" for at, new in changes[::-1])
    return f"(({instant} + CASE {cases} ELSE {offset} END) {divide} {DAY})"


def numbers(result, names: tuple[str, ...]) -> list[np.ndarray]:
    """Return columns of any engine's answer as whole numbers, in one order: codes, days, us."""
    if isinstance(result, duckdb.DuckDBPyConnection):
        relation = result.table("result")
        kinds = dict(zip(relation.columns, map(str, relation.types), strict=True))
        how = {"ENUM": "enum_code({})", "DATE": "{} - DATE '1970-01-01'", "TIME": "epoch_us({})"}
        parts = (f"({how.get(kinds[n][:4], '{}').format(n)})::BIGINT AS {n}" for n in names)
        found = result.execute(f"SELECT {', '.join(parts)} FROM result").fetchnumpy()
    elif isinstance(result, chdb.session.Session):
        kinds = _chdb_types(result, "result")
        how = {"DateTime64": "toUnixTimestamp64Micro({})"}
        parts = (f"toInt64({how.get(kinds[n][:10], '{}').format(n)}) AS {n}" for n in names)
        found = result.query(f"SELECT {', '.join(parts)} FROM bench.result", "DataFrame")
    elif isinstance(result, pl.DataFrame):
        found = {name: result[name].to_physical().to_numpy() for name in names}
    else:
        found = {name: _pandas_numbers(result[name]) for name in names}
    columns = [np.asarray(found[name], dtype="int64") for name in names]
    order = np.lexsort(columns[::-1])
    return [column[order] for column in columns]


def _pandas_numbers(column: pd.Series) -> np.ndarray:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy()
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return column.dt.as_unit("us").array.asi8
    if column.dtype.kind == "M":
        return column.dt.as_unit("s").array.asi8 // 86_400
    return column.to_numpy()


def _chdb_types(engine, table: str) -> dict[str, str]:
    lines = str(engine.query(f"DESCRIBE bench.{table}", "TSV")).splitlines()
    return dict(line.split("\t")[:2] for line in lines if line)


@functools.cache
def _known(column: str, n: int) -> pd.Index:
    return names(column, n)


def _names(column: str, values: np.ndarray) -> pd.Index:
    return _known(column, N_TITLES if column == "title" else int(values.max()) + 1)


def _enum(column: str, values: np.ndarray) -> pl.Enum:
    return pl.Enum(_names(column, values).to_list())
