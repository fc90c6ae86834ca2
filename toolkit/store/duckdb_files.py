"""A file of plays that is larger than memory, parted by DuckDB into the buckets of a store."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.loaders.cells import (
    as_text,
    to_booleans,
    to_instants,
    to_seconds,
    to_whole_numbers,
)
from toolkit.store.files import as_storable
from toolkit.tables import PLAYS, as_plays, exclude, require_columns

__all__ = ["opened_file"]

_MEMORY = "1GB"
# The same bits as in `bucket_of`.
_BUCKET = "('0x' || left(sha256(viewer::VARCHAR), 15))::BIGINT % {n_buckets}"
_FORMS = {"viewer": "v_[a-z2-7]{16}", "account": "[av]_[a-z2-7]{16}"}
_WHOLE = {f"{sign}{size}" for sign in ("", "U") for size in ("TINYINT", "SMALLINT")} | {
    f"{sign}{size}" for sign in ("", "U") for size in ("INTEGER", "BIGINT")
}


@contextmanager
def opened_file(
    path: str | os.PathLike, spill: Path
) -> Iterator[tuple[int, Callable[[int], Iterator[pd.DataFrame]]]]:
    """Yield how many rows a file has, and what parts them into buckets.

    What does not fit the memory goes to `spill`, and only once all ids are known to be
    pseudonyms or whole numbers.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"`plays` must be a frame or a file, found none at {path}.")
    try:
        import duckdb
    except ImportError:
        raise ImportError(
            "`write_store` reads files with DuckDB, which is not installed: "
            "pip install 'viewing-toolkit[store]'."
        ) from None
    is_saved = path.suffix.lower() in (".parquet", ".pq")
    # No extension is fetched from the network, and no clock but UTC read.
    settings = {
        "autoinstall_known_extensions": False,
        "memory_limit": _MEMORY,
        # Rows go to their files soon, all of which stay open, instead of filling the memory.
        "partitioned_write_flush_threshold": 8192,
        "partitioned_write_max_open_files": 200,
        "preserve_insertion_order": False,
        "temp_directory": str(spill),
    }
    try:
        with duckdb.connect(config=settings) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            reader = "read_parquet({})" if is_saved else "read_csv({}, all_varchar = true)"
            source = reader.format(_quoted(path))
            connection.execute(f"CREATE VIEW log AS SELECT * FROM {source}")
            n_rows = _checked(connection)

            def parts(n_buckets: int) -> Iterator[pd.DataFrame]:
                _part(connection, spill, n_buckets)
                for number in range(n_buckets):
                    files = [spill / "none.parquet", *spill.glob(f"in_bucket={number}/*.parquet")]
                    rows = pa.concat_tables(
                        [pq.ParquetFile(file).read() for file in files],
                        promote_options="permissive",
                    ).to_pandas()
                    yield as_storable(rows if is_saved else _read_cells(rows))

            yield n_rows, parts
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise OSError(f"Writing failed and left the store as it was: {error}") from None
    except duckdb.Error as error:
        # What DuckDB says may quote a row.
        raise ValueError(
            f"`plays` must be a sound Parquet or CSV file, found {path.name}, of which DuckDB "
            f"says {type(error).__name__}."
        ) from None


def _checked(connection) -> int:
    """Return how many rows there are, once every id is one that a store may keep."""
    described = connection.execute("DESCRIBE log").fetchall()
    types = {name: kind for name, kind, *_ in described}
    require_columns(pd.DataFrame(columns=[*types]), ["viewer", "title", "started_at"], "plays")
    columns = [name for name in _FORMS if name in types]
    wrong = []
    for name in columns:
        if types[name] == "VARCHAR":
            wrong.append(f"NOT regexp_full_match({name}, '{_FORMS[name]}')")
        elif types[name] in _WHOLE:
            wrong.append(f"{name} IS NULL")
        else:
            raise ValueError(f"`plays.{name}` must be text or whole numbers, found {types[name]}.")
    counts = ", ".join(["count(*)", *(f"count(*) FILTER ({condition})" for condition in wrong)])
    n_rows, *wrong = connection.execute(f"SELECT {counts} FROM log").fetchone()
    for name, n_wrong in zip(columns, wrong, strict=True):
        if n_wrong:
            raise ValueError(
                f"`plays.{name}` must hold pseudonyms (as `load_table` makes them with a key) or, "
                f"in Parquet and without a gap, whole numbers, found others in {n_wrong} rows: a "
                "store keeps no names."
            )
    return n_rows


def _part(connection, spill: Path, n_buckets: int) -> None:
    """Save the rows of each bucket in a folder of its own, and the columns in another file."""
    spill.mkdir(exist_ok=True)
    none, parts = _quoted(spill / "none.parquet"), _quoted(spill)
    connection.execute(f"COPY (SELECT * FROM log LIMIT 0) TO {none} (FORMAT parquet)")
    bucket = _BUCKET.format(n_buckets=n_buckets)
    # A viewer is hashed once, not on each of its rows.
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE homes AS SELECT viewer, {bucket} AS home "
        "FROM (SELECT DISTINCT viewer FROM log)"
    )
    connection.execute(
        "COPY (SELECT log.*, coalesce(home, 0) AS in_bucket FROM log LEFT JOIN homes "
        f"USING (viewer)) TO {parts} (FORMAT parquet, PARTITION_BY (in_bucket), "
        "COMPRESSION snappy, OVERWRITE_OR_IGNORE)"
    )


def _read_cells(cells: pd.DataFrame) -> pd.DataFrame:
    """Return plays from columns of text, as the name of each says; others are left out."""
    plays, is_impossible = {}, False
    for name in (name for name in PLAYS if name in cells):
        values, dtype = cells[name], PLAYS[name]
        if dtype == PLAYS["started_at"]:
            plays[name], _, mask = to_instants(values, name, None, "YMD")
            is_impossible |= mask
        elif dtype == "float64":
            plays[name] = to_seconds(values, name, "seconds")
        elif dtype == "boolean":
            plays[name] = to_booleans(values, name)
        elif dtype == "Int16":
            plays[name] = to_whole_numbers(values, name)
        else:
            plays[name] = as_text(values)
    return exclude(as_plays(pd.DataFrame(plays)), is_impossible, reason="impossible time")


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
