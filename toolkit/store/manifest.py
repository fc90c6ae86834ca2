"""What a store says about itself: its columns and, of each file, the counts and the hash."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from toolkit.store.files import bucket_of, from_parquet, kinds_of
from toolkit.store.writing import MANIFEST

__all__ = [
    "described",
    "name_of",
    "new_manifest",
    "read_manifest",
    "sound_bytes",
    "text_of",
    "verdict_of",
    "viewers_in",
]

_FORMAT, _VERSION = "viewing-toolkit store of plays", 1


def new_manifest(n_buckets: int) -> dict:
    """Return the manifest of a store that has no files yet."""
    of = {"format": _FORMAT, "version": _VERSION}
    return of | {"n_buckets": n_buckets, "columns": None, "files": []}


def text_of(manifest: dict) -> str:
    """Return a manifest as it is saved, with the hash of all that it says."""
    said = {name: value for name, value in manifest.items() if name != "sha256"}
    digest = hashlib.sha256(json.dumps(said).encode()).hexdigest()
    return json.dumps(said | {"sha256": digest}, indent=1) + "\n"


def read_manifest(folder: Path) -> dict:
    """Return the manifest of a folder, once it is known to stand as it was written."""
    path = folder / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(f"`folder` must hold a store, found no {MANIFEST} in {folder}.")
    data = path.read_bytes()
    try:
        manifest = json.loads(data)
        version = manifest["version"] if manifest["format"] == _FORMAT else None
    except (ValueError, TypeError, KeyError):
        version = None
    if version not in (None, _VERSION):
        raise ValueError(
            f"`folder` must hold a store of version {_VERSION}, found version {version}."
        )
    if version is None or text_of(manifest).encode() != data:
        raise ValueError(f"`folder` must hold {MANIFEST} as it was written, found it changed.")
    return manifest


def name_of(file: dict) -> str:
    """Return the name of a file, which its bucket and the write it is from decide."""
    return f"{file['bucket']:05d}-{file['write']:05d}.parquet"


def described(plays: pd.DataFrame, data: bytes | pa.Buffer, known: Iterable) -> dict:
    """Return the counts, the span and the hash of a file of plays; known viewers are not new."""
    starts = plays["started_at"].dropna()
    return {
        "n_rows": len(plays),
        "n_new_viewers": len(_present(plays["viewer"]) - set(known)),
        "first": starts.min().isoformat() if len(starts) else None,
        "last": starts.max().isoformat() if len(starts) else None,
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def viewers_in(folder: Path, file: dict) -> set:
    """Return the viewers of a file, of which only their column is read."""
    column = pq.read_table(folder / name_of(file), columns=["viewer"]).column("viewer")
    return {*pc.unique(column).to_pylist()}


def sound_bytes(folder: Path, file: dict) -> bytes:
    """Return the bytes of a file, once they are those that were written."""
    data = _read(folder, file)
    if verdict := _wrong(data, file):
        raise ValueError(
            f"`folder` must hold its files as they were written, found {name_of(file)} {verdict}."
        )
    return data


def verdict_of(folder: Path, file: dict, manifest: dict, known: set) -> str:
    """Say what is wrong with a file; its viewers join those that are known."""
    data = _read(folder, file)
    if verdict := _wrong(data, file):
        return verdict
    kinds, n_buckets = manifest["columns"], manifest["n_buckets"]
    plays = from_parquet([data], kinds)
    viewers = _present(plays["viewer"])
    is_so = (
        kinds_of(plays) == kinds
        and file | described(plays, data, known) == file
        and {bucket_of(viewer, n_buckets) for viewer in viewers} <= {file["bucket"]}
    )
    known |= viewers
    return "sound" if is_so else "miscounted"


def _read(folder: Path, file: dict) -> bytes | None:
    path = folder / name_of(file)
    return path.read_bytes() if path.is_file() else None


def _wrong(data: bytes | None, file: dict) -> str:
    if data is None:
        return "missing"
    return "" if hashlib.sha256(data).hexdigest() == file["sha256"] else "changed"


def _present(viewer: pd.Series) -> set:
    return {*viewer.dropna().unique()}
