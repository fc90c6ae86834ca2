"""Archives: the files of an export, read within bounds and never unpacked.

A donated archive is hostile until proven otherwise: what it says of names, sizes and places is
checked before anything is inflated, each entry is read within its bounds, nothing is written.
"""

import os
import stat
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from toolkit.loaders import zips
from toolkit.loaders.zips import Entry, check, directory, opened, refuse, unpacked

__all__ = ["File", "as_file", "file_at", "files_of", "is_clutter", "zip_files"]

HEAD = 2**14
# A zip of so many bytes is read once, and not for each of its entries.
HELD = 2**24
# What a log may lie in; nothing else within an archive or a folder is ever read.
ENDINGS = (
    ".csv", ".tsv", ".txt", ".json", ".html", ".htm", ".db", ".sqlite", ".sqlite3", ".xlsx",
    ".parquet", "-wal",
)  # fmt: skip
# The same for all that can be read of one export together.
MAX_TOTAL = 2**32
_OTHERS = {b"\x1f\x8b": "gzip", b"7z\xbc\xaf": "7z", b"Rar!": "RAR"}
# Every part of a takeout has its own browser page, which lists the parts.
_CLUTTER = {"thumbs.db", "desktop.ini", "archive_browser.html"}


@dataclass(frozen=True, eq=False)
class File:
    """One file of an export: its path within it, its first bytes, and how to read it whole.

    `head` and `read` raise ValueError where an archive turns out to be damaged.
    """

    name: str
    size: int
    read_head: Callable[[], bytes]
    read: Callable[[], bytes]
    crc: int | None = None

    @property
    def last_name(self) -> str:
        """Its name without the folders, which may carry the name of a person."""
        return self.name.replace("\\", "/").rpartition("/")[2]

    @cached_property
    def head(self) -> bytes:
        """The first 16 KiB; nothing of a file whose ending no log has."""
        return self.read_head()


def as_file(name: str, data: bytes) -> File:
    """Return bytes in memory as a file of an export."""
    return File(name, len(data), lambda: data[:HEAD], lambda: data)


def files_of(paths: Sequence[Path]) -> list[File]:
    """Return the files of one export: a file, a zip, the parts of a takeout, or a folder.

    The clutter of operating systems is left out; what can't be trusted raises ValueError.
    Files whose ending no log has are there with an empty `head`, and can't be read.
    """
    paths = [Path(path) for path in paths]
    files = _once([file for path in paths for file in _files_at(path)], paths)
    if sum(file.size for file in files if _may_be_log(file.name)) > MAX_TOTAL:
        refuse(paths[0], f"an export of at most {MAX_TOTAL:,} bytes", "more")
    return files


def file_at(path: Path) -> File:
    """Return one file as it is, be it an archive."""
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
    return _plain(path, _as_name(path.name), size)


def zip_files(path: Path, endings: tuple[str, ...] = ENDINGS) -> list[File]:
    """Return the files of one zip; only those with one of the endings can be read."""
    entries = directory(path)
    for entry in entries:
        check(path, entry, may_be_read=entry.name.lower().endswith(endings))
    if len({_key(entry.name) for entry in entries}) < len(entries):
        refuse(path, "a zip that has each name once", "one twice")
    kept = [e for e in entries if not e.name.endswith("/") and not is_clutter(e.name)]
    held = _all_bytes(path, size) if (size := path.stat().st_size) <= HELD else None
    return [_zipped(path, held, entry, endings) for entry in kept]


def is_clutter(name: str) -> bool:
    """Say whether a path is one that an operating system or an editor left behind."""
    parts = name.split("/")
    last = parts[-1].lower()
    return (
        name.startswith(".")
        or "/." in name
        or "__MACOSX" in parts
        or last in _CLUTTER
        or last.startswith("~$")
        or last.endswith("-checkpoint.csv")
    )


def _files_at(path: Path) -> list[File]:
    if path.is_dir():
        return _in_folder(path)
    if not path.is_file():
        raise FileNotFoundError(f"`path` must be a file or folder that is there, found no {path}.")
    file = file_at(path)
    is_zip = file.head.startswith(b"PK\3\4") and not _may_be_log(path.name)
    if is_zip or path.suffix.lower() == ".zip":
        return zip_files(path)
    for start, kind in _OTHERS.items():
        if file.head.startswith(start):
            hint = ": unpack it, or ask for a zip"
            refuse(path, "a file, a zip or a folder", f"a {kind} archive", hint)
    return [file]


def _in_folder(top: Path) -> list[File]:
    files, waiting, n_seen = [], [top], 0
    while waiting:
        for path, status in _scanned(waiting.pop()):
            name = _as_name(path.relative_to(top).as_posix())
            n_seen += 1
            if is_clutter(name):
                continue
            if stat.S_ISDIR(status.st_mode):
                waiting.append(path)
            elif not stat.S_ISREG(status.st_mode):
                # A link may lead anywhere, and a pipe never ends.
                refuse(top, "a folder of files and folders", "a link or a device")
            elif path.suffix.lower() == ".zip":
                held = zip_files(path)
                n_seen += len(held)
                files += [replace(file, name=f"{name}/{file.name}") for file in held]
            elif _may_be_log(name):
                files.append(_plain(path, name, status.st_size))
            else:
                files.append(_unread(path, name, status.st_size))
            if n_seen > zips.MAX_ENTRIES:
                refuse(top, f"an export of at most {zips.MAX_ENTRIES:,} files", "more")
    return sorted(files, key=lambda file: file.name)


def _scanned(folder: Path) -> list[tuple[Path, os.stat_result]]:
    try:
        with os.scandir(folder) as entries:
            return [(folder / e.name, e.stat(follow_symlinks=False)) for e in entries]
    except OSError as error:
        refuse(folder, "a folder that can be read", f"{error.strerror!r}")


def _once(files: Iterable[File], paths: Sequence[Path]) -> list[File]:
    """Keep one of equal files that the parts of a takeout share; refuse unequal ones."""
    kept: dict[str, File] = {}
    for file in files:
        first = kept.setdefault(_key(file.name), file)
        is_same = file.crc is not None and (file.crc, file.size) == (first.crc, first.size)
        if first is not file and not is_same:
            refuse(paths[-1], "one export", "two different files of one name")
    return list(kept.values())


def _plain(path: Path, name: str, size: int) -> File:
    return File(name, size, partial(_first_bytes, path), partial(_all_bytes, path, size))


def _zipped(path: Path, held: bytes | None, entry: Entry, endings: tuple[str, ...]) -> File:
    if not entry.name.lower().endswith(endings):
        return _unread(path, entry.name, entry.size, entry.crc)
    head, whole = (partial(unpacked, path, held, entry, most) for most in (HEAD, zips.MAX_BYTES))
    return File(entry.name, entry.size, head, whole, entry.crc)


def _unread(path: Path, name: str, size: int, crc: int | None = None) -> File:
    read = partial(refuse, path, "read only where a log may lie", "a file of another kind")
    return File(name, size, bytes, read, crc)


def _may_be_log(name: str) -> bool:
    return name.lower().endswith(ENDINGS)


def _as_name(path: str) -> str:
    """Return a path as text that can be shown, whatever bytes its name has on disk."""
    return unicodedata.normalize("NFC", os.fsencode(path).decode("utf-8", "replace"))


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())


def _first_bytes(path: Path) -> bytes:
    with opened(path) as file:
        return file.read(HEAD)


def _all_bytes(path: Path, size: int) -> bytes:
    if size > zips.MAX_BYTES:
        refuse(path, f"a file of at most {zips.MAX_BYTES:,} bytes", f"{size:,}")
    with opened(path) as file:
        data = file.read(size + 1)
    if len(data) != size:
        refuse(path, "a file that stays as it is", "another size")
    return data
