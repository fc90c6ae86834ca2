"""SQLite databases as bytes: their real tables, read in memory, and nothing of them run."""

from collections.abc import Mapping, Sequence

from toolkit.loaders.archive import File

__all__ = ["holds_table", "is_log", "read_tables", "without_logs"]

_MAGIC = b"SQLite format 3\0"
_LOG_MAGIC = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
# A number of VM steps that no table of a million rows needs; a hostile file must not hang.
_STEPS, _TURNS = 100_000, 20_000
_LONGEST = 2**24


def holds_table(file: File, table: str) -> bool:
    """Return whether a file is a SQLite database with a table of that name."""
    if not file.head.startswith(_MAGIC):
        return False
    # How a row of the schema starts, which pages of 1,024 bytes or more never cut.
    mark = f"table{table}{table}".encode()
    if mark in file.head:
        return True
    page_size = int.from_bytes(file.head[16:18], "big")
    whole = file.size <= len(file.head)
    if whole or (file.head[100:101] == b"\x0d" and 512 <= page_size <= len(file.head)):
        return False
    try:
        return mark in file.read()
    except (OSError, ValueError):
        # Whatever is wrong with it is said when it is read.
        return True


def is_log(file: File) -> bool:
    """Return whether a file is the write-ahead log beside a SQLite database."""
    return file.head.startswith(_LOG_MAGIC) and file.name.endswith("-wal")


def without_logs(files: Sequence[File]) -> tuple[list[File], list[str]]:
    """Return the files that aren't write-ahead logs, and a note if there were any."""
    kept = [file for file in files if not is_log(file)]
    if not kept:
        raise ValueError(
            "`path` must hold the database itself, found only its write-ahead log "
            f"{files[0].name}: copy the file without '-wal' too."
        )
    if len(kept) == len(files):
        return kept, []
    return kept, [
        "A write-ahead log beside a database was not read, so its newest rows may be missing: "
        "stop the server before its database is copied."
    ]


def read_tables(
    file: File, wanted: Mapping[str, tuple[Sequence[str], Sequence[str]]]
) -> tuple[list[dict[str, Sequence]], int]:
    """Return the wanted columns of real tables, and the database's `user_version`.

    `wanted` maps each table to the columns that it must have and those that it may have.
    Nothing of the database is executed: no view, trigger, check or generated column.
    """
    import sqlite3

    data = file.read()
    if len(data) < 512 or not data.startswith(_MAGIC):
        raise ValueError(f"`path` must be a SQLite database, found something else in {file.name}.")
    if data[18:20] != b"\x01\x01":
        # In memory there is no write-ahead log, and SQLite would look for it.
        data = data[:18] + b"\x01\x01" + data[20:]
    turns = iter(range(_TURNS))
    database = sqlite3.connect(":memory:")
    try:
        database.deserialize(data)
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
        database.set_progress_handler(lambda: next(turns, None) is None, _STEPS)
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA ignore_check_constraints = ON")
        tables = [_read_table(database, file, table, *wanted[table]) for table in wanted]
    except (sqlite3.Error, sqlite3.Warning, UnicodeDecodeError, MemoryError, OverflowError):
        # What SQLite says of a damaged schema may itself be no text.
        raise ValueError(_damaged(file)) from None
    finally:
        database.close()
    return tables, int.from_bytes(data[60:64], "big")


def _damaged(file: File) -> str:
    return (
        f"`path` must be a sound SQLite database, found damage in {file.name}: "
        "copy it again while its server is stopped."
    )


def _read_table(database, file: File, table: str, needed, optional) -> dict[str, Sequence]:
    schema = database.execute("SELECT type, name, rootpage FROM sqlite_master").fetchall()
    same = [row for row in schema if str(row[1]).lower() == table.lower()]
    # A virtual table has no page of its own.
    if len(same) != 1 or same[0][0] != "table" or not same[0][2]:
        raise ValueError(f"`path` must hold a table `{table}`, found none in {file.name}.")
    columns = database.execute(f"PRAGMA table_xinfo({table})").fetchall()
    if any(hidden for *_, hidden in columns):
        raise ValueError(
            f"`path` must hold a table `{table}` of plain columns, "
            f"found computed ones in {file.name}."
        )
    there = {str(name).lower() for _, name, *_ in columns}
    if missing := [name for name in needed if name.lower() not in there]:
        raise ValueError(
            f"`path` must hold a table `{table}` with columns {[*needed]}; "
            f"missing {missing} in {file.name}."
        )
    checks = database.execute(f"PRAGMA quick_check({table})").fetchall()
    if any(not _is_harmless(found) for (found,) in checks):
        raise ValueError(_damaged(file))
    names = [name for name in (*needed, *optional) if name.lower() in there]
    listed = ", ".join(f'"{name}"' for name in names)
    rows = database.execute(f"SELECT {listed} FROM {table} NOT INDEXED").fetchall()
    held = dict(zip(names, zip(*rows, strict=True) if rows else [()] * len(names), strict=True))
    return {name: held.get(name, (None,) * len(rows)) for name in (*needed, *optional)}


def _is_harmless(found: str) -> bool:
    return found == "ok" or found.startswith("NULL value in ")
