"""Plays in Parquet files, a viewer's all in one: logs that outgrow the memory."""

import os
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from functools import cached_property, partial
from pathlib import Path

import pandas as pd

from toolkit.store.duckdb_files import opened_file
from toolkit.store.files import as_storable, from_parquet, in_order, kinds_of, split, to_parquet
from toolkit.store.manifest import (
    count_viewers,
    described,
    name_of,
    new_manifest,
    read_manifest,
    sound_bytes,
    text_of,
    verdict_of,
)
from toolkit.store.writing import MANIFEST, SPILL, data_files, only_writer, saved_together
from toolkit.tables import as_whole_number

__all__ = ["Store", "check_store", "open_store", "write_store"]

# So many rows of all columns are some 100 MB in memory.
_ROWS_PER_BUCKET = 2**19
_FEWEST_BUCKETS = 16


class Store:
    """Plays in a folder, as they were when it was opened; `open_store` makes one.

    Attributes
    ----------
    folder : pathlib.Path
        Where the files lie.
    n_buckets, n_rows, n_viewers : int
        How many buckets, plays and viewers there are.  Viewers are counted when they are
        first asked for, by reading the files of the buckets that have several.
    columns : list of str
        The columns of every bucket.
    span : tuple of pandas.Timestamp
        The first and the last `started_at`; NaT where there is none.
    fingerprint : str
        16 hexadecimal digits that change when the store does.

    Examples
    --------
    >>> import tempfile
    >>> from toolkit.loaders import load_sample
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = write_store(load_sample(), folder, n_buckets=2)
    >>> store.n_viewers, store.n_rows
    (5143, 186874)
    """

    def __init__(self, folder: Path, manifest: dict):
        """Stand for the files that a manifest names."""
        files = manifest["files"]
        self.folder, self._manifest = folder, manifest
        self.n_buckets = manifest["n_buckets"]
        self.n_rows = sum(file["n_rows"] for file in files)
        self.columns = list(manifest["columns"])
        self.span = (
            pd.to_datetime([file["first"] for file in files], format="ISO8601", utc=True).min(),
            pd.to_datetime([file["last"] for file in files], format="ISO8601", utc=True).max(),
        )
        self.fingerprint = manifest["sha256"][:16]

    def __repr__(self) -> str:
        """Say how much there is, and from when; a path could name a person."""
        days = " to ".join(f"{at:%Y-%m-%d}" for at in self.span if at is not pd.NaT)
        return f"Store({self.n_rows:_} plays, {self.n_buckets} buckets{days and f', {days}'})"

    @cached_property
    def n_viewers(self) -> int:
        """How many viewers there are."""
        return count_viewers(self.folder, self._manifest["files"])

    def bucket(self, number: int) -> pd.DataFrame:
        """Return the plays of one bucket, from 0 on, in the order viewer, title, started_at."""
        files = [file for file in self._manifest["files"] if file["bucket"] == number]
        if not files:
            raise ValueError(f"`number` must be 0 to {self.n_buckets - 1}, got {number!r}.")
        data = [sound_bytes(self.folder, file) for file in files]
        return from_parquet(data, self._manifest["columns"])

    def buckets(self) -> Iterator[pd.DataFrame]:
        """Yield the plays of one bucket after the other; those of a viewer are all in one."""
        return (self.bucket(number) for number in range(self.n_buckets))


def write_store(
    plays: pd.DataFrame | str | os.PathLike,
    folder: str | os.PathLike,
    *,
    n_buckets: int | None = None,
    append: bool = False,
) -> Store:
    """Write plays into a folder of Parquet files, parted by viewer into buckets.

    A viewer's plays are all in one bucket, which its id and the number of buckets decide;
    what is computed viewer by viewer can be computed bucket by bucket, in little memory
    and in several processes.  The files are a function of the set of rows, whatever their
    order.

    Parameters
    ----------
    plays : pandas.DataFrame or path-like
        A plays table; or a Parquet or CSV file of any size with the columns of one, named
        as they are here, which DuckDB parts within 1 GB of memory
        (``pip install 'viewing-toolkit[store]'``).  In a CSV times carry their zone, and
        columns that plays don't have are left out.
    folder : path-like
        Where the store is to lie.
    n_buckets : int, optional
        At least 1.  Without it, one for each half a million rows and at least 16; say more
        for a store that is to grow.  A store keeps the number it was begun with.
    append : bool, default False
        Add the rows to a store that is there already, in files of their own, or begin one.
        Without it a store is never touched.

    Returns
    -------
    Store
        What `open_store` returns.

    Raises
    ------
    ValueError
        If there is a store and no `append`; if the store has other columns, kinds of
        columns or another `n_buckets`; if another writer is at work; or if viewers or
        accounts in text are not pseudonyms.
    OSError
        If the disk is full, or fails; the store is as it was.
    ImportError
        If a file is to be read and DuckDB is not installed.

    See Also
    --------
    open_store : reads it.
    check_store : says whether every file is as it was written.
    load_table : makes pseudonyms; a log that does not fit the memory goes piece by piece
        through it and into a store with `append`.

    Notes
    -----
    A store keeps no names: ids in text must have the form of the pseudonyms of the loaders.
    Whole numbers are taken as they are, since a code and a customer's number look the same.
    The files are not encrypted: whoever reads the folder reads a pseudonymous log.

    The files get new names, reach the disk, and count once a manifest that names them has
    replaced the old one, in one act of the file system.  A writer that is killed before
    leaves the store as it was, and files that readers don't look at and the next writer
    removes.  A lock of the system, which ends with its process, keeps a second writer out.

    The bucket is the first 60 bits of the SHA-256 of the id as text, modulo `n_buckets`.

    Rows are never compared with those that are there: what is appended twice is there twice.
    An append reads no plays that are there, but writes a file for each bucket of which it has
    viewers: pieces of a million plays take less time than as many plays in small ones.

    Examples
    --------
    >>> import tempfile
    >>> from toolkit.loaders import load_sample
    >>> plays = load_sample()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = write_store(plays, folder, n_buckets=4)
    ...     rows = [len(bucket) for bucket in store.buckets()]
    >>> store
    Store(186_874 plays, 4 buckets, 2017-11-01 to 2018-01-07)
    >>> sum(rows) == len(plays)
    True
    """
    folder = Path(folder).expanduser()
    with _opened(plays, folder / SPILL) as (n_rows, parts), only_writer(folder):
        manifest = _manifest_before(folder, n_buckets, append, n_rows=n_rows)
        listed = {name_of(file) for file in manifest["files"]}
        with saved_together(folder, listed) as (save, replace_manifest):
            manifest = _with_files(manifest, parts(manifest["n_buckets"]), save)
            replace_manifest(text_of(manifest))
    return open_store(folder)


def open_store(folder: str | os.PathLike) -> Store:
    """Open the store that lies in a folder, as it is now.

    Parameters
    ----------
    folder : path-like
        Where `write_store` has written.

    Returns
    -------
    Store
        Its counts and its span, and with ``bucket(number)`` and ``buckets()`` its plays: a
        frame per bucket with the columns of `write_store`'s plays, cast, in the order
        viewer, title, started_at and then all others.  Categories are those that occur in
        the bucket, sorted.  What others append later is not in it.  A file that is not as
        it was written is refused when its bucket is read.

    Raises
    ------
    FileNotFoundError
        If there is no store.
    ValueError
        If its manifest is not as it was written, or of another version.

    See Also
    --------
    combine_plays : puts all buckets together, if they fit the memory.

    Examples
    --------
    >>> import tempfile
    >>> from toolkit.loaders import load_sample
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_store(load_sample(), folder, n_buckets=4)
    ...     plays = open_store(folder).bucket(0)
    >>> plays["viewer"].nunique()
    1281
    """
    folder = Path(folder).expanduser()
    return Store(folder, read_manifest(folder))


def check_store(folder: str | os.PathLike) -> pd.DataFrame:
    """Say of every file of a store whether it is as it was written.

    All bytes are read, one file at a time.

    Parameters
    ----------
    folder : path-like
        Where the store lies.

    Returns
    -------
    pandas.DataFrame
        One row per file, in the order of the buckets and then of the writes:

        * ``file`` : str
        * ``n_rows`` : Int64, how many the manifest says
        * ``verdict`` : str, ``"sound"``; ``"missing"``; ``"changed"``, not the bytes that
          were written; ``"miscounted"``, not the rows, viewers, span, columns or bucket that
          the manifest says; or ``"unlisted"``, not in the manifest and not read

    Raises
    ------
    FileNotFoundError
        If there is no store.
    ValueError
        If the manifest itself is not as it was written, so that there is nothing to hold
        the files against.

    Notes
    -----
    Hashes find damage and accidents.  Who writes files and a manifest anew, hashes
    included, is not found out.

    Examples
    --------
    >>> import tempfile
    >>> from toolkit.loaders import load_sample
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_store(load_sample(), folder, n_buckets=2)
    ...     checked = check_store(folder)
    >>> checked
                      file  n_rows verdict
    0  00000-00001.parquet   96367   sound
    1  00001-00001.parquet   90507   sound
    """
    folder = Path(folder).expanduser()
    manifest = read_manifest(folder)
    rows = [
        (name_of(file), file["n_rows"], verdict_of(folder, file, manifest))
        for file in manifest["files"]
    ]
    others = data_files(folder) - {name for name, _, _ in rows}
    rows += [(name, None, "unlisted") for name in sorted(others)]
    checked = pd.DataFrame(rows, columns=["file", "n_rows", "verdict"])
    return checked.astype({"file": "str", "n_rows": "Int64", "verdict": "str"})


def _opened(plays: pd.DataFrame | str | os.PathLike, spill: Path):
    """Return what yields how many rows there are, and what parts them into buckets."""
    if isinstance(plays, str | os.PathLike):
        return opened_file(plays, spill)
    plays = as_storable(plays)
    return nullcontext((len(plays), partial(split, plays)))


def _manifest_before(folder: Path, n_buckets: int | None, append: bool, *, n_rows: int) -> dict:
    """Return the manifest that is to be extended: that of the store, or one without files."""
    if n_buckets is None:
        wanted = max(_FEWEST_BUCKETS, -(-n_rows // _ROWS_PER_BUCKET))
    else:
        wanted = as_whole_number(n_buckets, "n_buckets", low=1)
    if not (folder / MANIFEST).exists():
        return new_manifest(wanted)
    if not append:
        raise ValueError("`folder` must hold no store, unless with `append=True`, found one.")
    manifest = read_manifest(folder)
    if n_buckets is not None and wanted != manifest["n_buckets"]:
        raise ValueError(
            f"`n_buckets` must be that of the store, {manifest['n_buckets']}, got {n_buckets!r}."
        )
    return manifest


def _with_files(manifest: dict, parts: Iterable[pd.DataFrame], save) -> dict:
    """Save a file for each bucket that has rows or no file yet; return what the manifest says."""
    files, kinds = manifest["files"], manifest["columns"]
    write = max((file["write"] for file in files), default=0) + 1
    filled, new = {file["bucket"] for file in files}, []
    for bucket, plays in enumerate(parts):
        kinds = _fitting(kinds_of(plays), kinds)
        if plays.empty and bucket in filled:
            continue
        plays = in_order(plays)
        data = to_parquet(plays)
        new.append({"bucket": bucket, "write": write} | described(plays, data))
        save(name_of(new[-1]), data)
    files = sorted([*files, *new], key=lambda file: (file["bucket"], file["write"]))
    return manifest | {"columns": kinds, "files": files}


def _fitting(kinds: dict[str, str], before: dict[str, str] | None) -> dict[str, str]:
    """Return the kinds of columns, once they are those of the plays before."""
    if before is None:
        return kinds
    for name in [*before, *kinds]:
        if before.get(name) != kinds.get(name):
            raise ValueError(
                f"`plays.{name}` must be of the kind that the store has, "
                f"{before.get(name, 'no such column')}, found {kinds.get(name, 'none')}."
            )
    return before
