"""What a store says about itself: its columns and, of each file, the counts and the hash."""

import hashlib
import itertools
import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from toolkit.store.files import bucket_of, from_parquet, kinds_of
from toolkit.store.writing import MANIFEST

__all__ = [
    "count_viewers",
    "described",
    "name_of",
    "new_manifest",
    "read_manifest",
    "sound_bytes",
    "text_of",
    "verdict_of",
]

_FORMAT, _VERSION = "viewing-toolkit store of plays", 1


def new_manifest(n_buckets: int) -> dict:
    """Return the manifest of a store that has no files yet."""
    of = {"format": _FORMAT, "version": _VERSION}
    return of | {"n_buckets": n_buckets, "columns": None, "files": []}


def text_of(manifest: dict) -> str:
    """Return a manifest as it is saved, with the hash of all that it says."""
    said = json.dumps({name: value for name, value in manifest.items() if name != "sha256"})
    digest = hashlib.sha256(said.encode()).hexdigest()
    return f'{said[:-1]}, "sha256": "{digest}"}}\n'


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


def described(plays: pd.DataFrame, data: bytes | pa.Buffer) -> dict:
    """Return the counts, the span and the hash of a file of plays."""
    starts = plays["started_at"].dropna()
    return {
        "n_rows": len(plays),
        "n_viewers": plays["viewer"].nunique(),
        "first": starts.min().isoformat() if len(starts) else None,
        "last": starts.max().isoformat() if len(starts) else None,
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def count_viewers(folder: Path, files: list[dict]) -> int:
    """Count the viewers of a store; only a bucket of several files has to be read."""
    buckets = itertools.groupby(files, key=lambda file: file["bucket"])
    return sum(_n_viewers_of(folder, [*own]) for _, own in buckets)


def sound_bytes(folder: Path, file: dict) -> bytes:
    """Return the bytes of a file, once they are those that were written."""
    data = _read(folder, file)
    if verdict := _wrong(data, file):
        raise ValueError(
            f"`folder` must hold its files as they were written, found {name_of(file)} {verdict}."
        )
    return data


def verdict_of(folder: Path, file: dict, manifest: dict) -> str:
    """Say what is wrong with a file."""
    data = _read(folder, file)
    if verdict := _wrong(data, file):
        return verdict
    kinds, n_buckets = manifest["columns"], manifest["n_buckets"]
    plays = from_parquet([data], kinds)
    viewers = plays["viewer"].dropna().unique()
    is_so = (
        kinds_of(plays) == kinds
        and file | described(plays, data) == file
        and {bucket_of(viewer, n_buckets) for viewer in viewers} <= {file["bucket"]}
    )
    return "sound" if is_so else "miscounted"


def _read(folder: Path, file: dict) -> bytes | None:
    path = folder / name_of(file)
    return path.read_bytes() if path.is_file() else None


def _wrong(data: bytes | None, file: dict) -> str:
    if data is None:
        return "missing"
    return "" if hashlib.sha256(data).hexdigest() == file["sha256"] else "changed"


def _n_viewers_of(folder: Path, files: list[dict]) -> int:
    if len(files) == 1:
        return files[0]["n_viewers"]
    return len(set().union(*(_viewers_in(folder, file) for file in files)))


def _viewers_in(folder: Path, file: dict) -> set:
    data = pa.BufferReader(sound_bytes(folder, file))
    column = pq.read_table(data, columns=["viewer"]).column("viewer")
    return {*pc.unique(column).drop_null().to_pylist()}
