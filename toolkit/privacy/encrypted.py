"""Tables in encrypted Parquet: opened with key and name, whole and unchanged, or not at all."""

import hmac
import json
import os
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

from toolkit.privacy.keys import derived, locked, sync_folder
from toolkit.privacy.refusals import Refused
from toolkit.store.files import kinds_of, tidied

__all__ = ["read_encrypted", "write_encrypted"]

_CATEGORY = "category of "
# A Parquet file ends with its footer, the length of that, and four letters.
_END, _SEAL = 8, 32


def write_encrypted(
    table: pd.DataFrame, path: str | os.PathLike, *, master: bytes, name: str
) -> None:
    """Write a table as encrypted Parquet, wholly or not at all.

    Parquet's own encryption [1]_ with AES-GCM and a key for this name alone, which is also
    authenticated.  A seal over all bytes, HMAC-SHA256, stands before the footer, where readers
    of Parquet do not look.

    Parameters
    ----------
    table : pandas.DataFrame
        The table.  Its index, its `attrs` and categories that do not occur are not written.
    path : path-like
        The file; one that is there is replaced at the end.  Beside it lie ``<path>.new`` for
        as long as it is written, encrypted too, and ``<path>.lock``, which is empty.
    master : bytes
        The 32 bytes of the study's key.
    name : str
        The study and the file, as in ``"rewatch-2026/plays"``.  It is not written.

    Raises
    ------
    ValueError
        If a column has no name in text of its own, or a dtype that does not come back.

    See Also
    --------
    read_encrypted : Open it again.

    Notes
    -----
    The size of the file tells roughly how many rows there are, its date when it was written.
    An earlier state of the same file opens too, if someone puts it back: where that matters
    the ledger has to hold the digest of the last one.

    References
    ----------
    .. [1] Apache Parquet, Modular Encryption, AES_GCM_V1.

    Examples
    --------
    >>> import tempfile
    >>> from toolkit.loaders import load_sample
    >>> plays, master = load_sample(), bytes(range(32))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "plays.parquet"
    ...     write_encrypted(plays, path, master=master, name="demo/plays")
    ...     read_encrypted(path, master=master, name="demo/plays").equals(plays)
    True
    """
    path, key = Path(path), _key(master, name)
    data = _encrypted(_tidied(table), key, name)
    draft = path.with_name(f"{path.name}.new")
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o666)
    try:
        with locked(lock):
            try:
                with draft.open("wb") as file:
                    for part in _sealed(data, key):
                        file.write(part)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(draft, path)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
            sync_folder(path.parent)
    finally:
        os.close(lock)


def read_encrypted(path: str | os.PathLike, *, master: bytes, name: str) -> pd.DataFrame:
    """Read a table that `write_encrypted` wrote, once every byte is known to be its own.

    Parameters
    ----------
    path : path-like
        The file.
    master : bytes
        The 32 bytes of the study's key.
    name : str
        The name that it was written with.

    Returns
    -------
    pandas.DataFrame
        The rows in the order, and with the dtypes, that they were written with; categories
        are sorted.

    Raises
    ------
    Refused
        If the key or the name is another one, or a bit of the file was changed.
    FileNotFoundError
        If there is no file.

    See Also
    --------
    write_encrypted : Write it, with an example.
    """
    path, key = Path(path), _key(master, name)
    data = memoryview(path.read_bytes())
    seal = max(len(data) - _END - _SEAL - int.from_bytes(data[-_END:-4], "little"), 0)
    parts = data[:seal], data[seal + _SEAL :]
    # Nothing that someone else may have written reaches the reader of Parquet.
    if not hmac.compare_digest(data[seal : seal + _SEAL], _seal(parts, key)):
        raise Refused(
            f"{path.name} must be opened with its key and its name, whole and unchanged, "
            "found that one of these is not so.",
            "Check that key and file belong to this study, or take the file from a backup.",
        )
    opening = pe.create_decryption_properties(key, aad_prefix=name.encode())
    source = pa.BufferReader(pa.py_buffer(data))
    return _restored(pq.ParquetFile(source, decryption_properties=opening).read())


def _key(master: bytes, name: str) -> bytes:
    if not name:
        raise ValueError("`name` must say which study's which file it is, found no text.")
    return derived(master, f"file {name}")


def _tidied(table: pd.DataFrame) -> pd.DataFrame:
    names = list(table)
    if len({*names}) < len(names) or not all(isinstance(column, str) for column in names):
        raise ValueError(f"`table` must name each column once and in text, found {names}.")
    for column, dtype in table.dtypes.items():
        if dtype == "object" or getattr(dtype, "ordered", False):
            raise ValueError(
                f"`table.{column}` must have a dtype that comes back, found "
                f"{'an ordered category' if dtype != 'object' else 'object'}: cast it first."
            )
    # A new frame leaves behind `attrs`, which may hold a path, and the index.
    return pd.DataFrame({column: tidied(table[column]) for column in names}, copy=False)


def _encrypted(table: pd.DataFrame, key: bytes, name: str) -> memoryview:
    closing = pe.create_encryption_properties(
        key, aad_prefix=name.encode(), store_aad_prefix=False, encryption_algorithm="AES_GCM_V1"
    )
    sink = pa.BufferOutputStream()
    try:
        rows = pa.Table.from_pandas(table, preserve_index=False)
        kinds = json.dumps(kinds_of(table))
        rows = rows.replace_schema_metadata({**rows.schema.metadata, "kinds": kinds})
        pq.write_table(rows, sink, compression="zstd", encryption_properties=closing)
    except pa.ArrowException:
        raise ValueError(
            f"`table` must have columns that Parquet can hold, found {kinds_of(table)}."
        ) from None
    return memoryview(sink.getvalue())


def _restored(rows: pa.Table) -> pd.DataFrame:
    kinds = json.loads(rows.schema.metadata[b"kinds"])
    for n, (name, kind) in enumerate(kinds.items()):
        # Parquet gives back categories of text only, and of none no type.
        if kind.startswith(_CATEGORY) and not pa.types.is_dictionary(rows.schema.types[n]):
            column = rows.column(n)
            column = column.cast(pa.string()) if pa.types.is_null(column.type) else column
            rows = rows.set_column(n, name, column.dictionary_encode())
    table = rows.to_pandas()
    for name, kind in kinds.items():
        if kind.startswith(_CATEGORY):
            held = table[name].cat.categories.astype(kind.removeprefix(_CATEGORY))
            # It keeps them by where they first occur.
            table[name] = tidied(table[name].cat.rename_categories(held))
        elif table[name].dtype != kind:
            # It knows no whole seconds.
            table[name] = table[name].astype(kind)
    return table


def _sealed(data: memoryview, key: bytes) -> list[memoryview | bytes]:
    footer = len(data) - _END - int.from_bytes(data[-_END:-4], "little")
    parts = data[:footer], data[footer:]
    return [parts[0], _seal(parts, key), parts[1]]


def _seal(parts: tuple[memoryview, memoryview], key: bytes) -> bytes:
    seal = hmac.new(derived(key, "seal"), digestmod="sha256")
    for part in parts:
        seal.update(part)
    return seal.digest()
