"""Zips: what one says of its entries, checked before anything of it is inflated."""

import io
import os
import re
import stat
import struct
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

__all__ = ["Entry", "check", "directory", "opened", "refuse", "unpacked"]

# An export holds some dozens of files, a takeout some thousands; a longer list is an attack.
MAX_ENTRIES = 20_000
# The longest logs known have some hundred megabytes, and memory has to hold one of them.
MAX_BYTES = 2**30
# Logs shrink to a fifth or a thirtieth, bombs to a thousandth; small ones can do no harm.
MAX_RATIO, RATIO_FROM = 200, 2**20
_END, _END_64 = struct.Struct("<4s4H2LH"), struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_CENTRAL, _LOCAL = struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s5H3L2H")
_WIDE = 2**32 - 1
_STORED, _DEFLATED = 0, 8
_UTF_8, _ENCRYPTED = 0x800, 0x2041
_UNSAFE_NAME = re.compile(r"/|[A-Za-z]:|.*[\\\0]|(?:.*/)?\.\.(?:/|\Z)|\Z", re.DOTALL)


class Entry(NamedTuple):
    """What the directory of a zip says of one entry, and up to where its bytes may reach."""

    number: int
    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    mode: int
    start: int
    limit: int


def directory(path: Path) -> list[Entry]:
    """Return what a zip says of its entries, in its own order."""
    with opened(path) as file:
        n, start, size = _place_of_directory(path, file)
        file.seek(start)
        listed = file.read(size)
    entries, at = [], 0
    while at < len(listed) and len(entries) <= n:
        entry, at = _parsed(path, listed, at, len(entries) + 1)
        entries.append(entry)
    if len(entries) != n or at != size:
        refuse(path, "a complete zip", "a damaged directory")
    starts = sorted(entry.start for entry in entries)
    # What starts where another does has no room of its own.
    limits = dict(zip(starts, [*starts, start][1:], strict=True))
    if len(limits) < n:
        refuse(path, "a zip of separate entries", "entries that overlap")
    return [entry._replace(limit=limits[entry.start]) for entry in entries]


def _place_of_directory(path: Path, file: BinaryIO) -> tuple[int, int, int]:
    """Return how many entries the directory of a zip has, where it starts and how long it is."""
    length = file.seek(0, os.SEEK_END)
    tail_at = file.seek(max(length - _END.size - 2**16, 0))
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    # A comment may follow that looks like an end itself; the true one reaches the last byte.
    while at >= 0 and at + _END.size + _number(tail, at + 20, 2) != len(tail):
        at = tail.rfind(b"PK\5\6", 0, at)
    if at < 0:
        refuse(path, "a complete zip", "no directory at the end")
    _, disk, first_disk, n_here, n, size, start, _ = _END.unpack_from(tail, at)
    end = tail_at + at
    if at >= _LOCATOR.size and tail.startswith(b"PK\6\7", at - _LOCATOR.size):
        end = _LOCATOR.unpack_from(tail, at - _LOCATOR.size)[2]
        file.seek(min(end, length))
        record = file.read(_END_64.size)
        if len(record) < _END_64.size or not record.startswith(b"PK\6\6"):
            refuse(path, "a complete zip", "a damaged directory")
        disk, first_disk, n_here, n, size, start = _END_64.unpack(record)[4:]
    if disk or first_disk or n_here != n:
        refuse(path, "a whole zip", "one piece of a split one")
    if n > MAX_ENTRIES or size > MAX_ENTRIES * 2**10:
        refuse(path, f"a zip of at most {MAX_ENTRIES:,} entries", f"{n:,}")
    if start + size != end:
        refuse(path, "a complete zip", "bytes missing or added")
    return n, start, size


def _parsed(path: Path, directory: bytes, at: int, number: int) -> tuple[Entry, int]:
    """Return the entry that stands at a place of the directory, and where the next one does."""
    if not directory.startswith(b"PK\1\2", at) or at + _CENTRAL.size > len(directory):
        refuse(path, "a complete zip", "a damaged directory")
    (
        _, _, _, flags, method, _, _, crc, packed, size,
        n_name, n_extra, n_comment, _, _, attributes, start,
    ) = _CENTRAL.unpack_from(directory, at)  # fmt: skip
    name_at = at + _CENTRAL.size
    extra_at = name_at + n_name
    raw_name = directory[name_at:extra_at]
    if _WIDE in (size, packed, start):
        extra = directory[extra_at : extra_at + n_extra]
        size, packed, start = _widened(extra, size, packed, start)
    mode = stat.S_IFMT(attributes >> 16)
    name = _decoded(path, number, raw_name, flags)
    entry = Entry(number, name, raw_name, flags, method, crc, packed, size, mode, start, 0)
    return entry, extra_at + n_extra + n_comment


def _widened(extra: bytes, *numbers: int) -> Iterator[int]:
    """Put the eight bytes of zip64 in the place of numbers that four could not hold."""
    at = 0
    while at + 4 <= len(extra) and not extra.startswith(b"\1\0", at):
        at += 4 + _number(extra, at + 2, 2)
    at += 4
    for number in numbers:
        if number == _WIDE and at + 8 <= len(extra):
            number, at = _number(extra, at, 8), at + 8
        yield number


def _number(data: bytes, at: int, n_bytes: int) -> int:
    return int.from_bytes(data[at : at + n_bytes], "little")


def _decoded(path: Path, number: int, raw_name: bytes, flags: int) -> str:
    # A Mac writes UTF-8 without saying so, and no other text is likely to pass as UTF-8.
    try:
        name = raw_name.decode("utf-8")
    except UnicodeDecodeError:
        if flags & _UTF_8:
            refuse(path, "a zip whose names are text", f"another of entry {number}")
        name = raw_name.decode("cp437")
    if _UNSAFE_NAME.match(name):
        refuse(path, "a zip of names that stay within it", f"another of entry {number}")
    parts = [
        part for part in unicodedata.normalize("NFC", name).split("/") if part not in ("", ".")
    ]
    return "/".join(parts) + "/" * name.endswith("/")


def check(path: Path, entry: Entry, *, may_be_read: bool) -> None:
    """Refuse an entry that can't be trusted, or is to be read and too long or packed too well."""
    which = f"entry {entry.number}"
    if entry.flags & _ENCRYPTED:
        hint = ": unpack it and give the folder"
        refuse(path, "a zip without a password", f"{which} encrypted", hint)
    if entry.mode not in (0, stat.S_IFREG, stat.S_IFDIR):
        refuse(path, "a zip of files and folders", f"a link or a device as {which}")
    if entry.start + _LOCAL.size + len(entry.raw_name) + entry.packed > entry.limit:
        refuse(path, "a zip of separate entries", f"{which} to overlap another")
    if may_be_read and entry.method not in (_STORED, _DEFLATED):
        refuse(path, "a zip packed by deflate", f"method {entry.method} in {which}")
    if may_be_read and entry.size > MAX_BYTES:
        refuse(path, f"a zip of at most {MAX_BYTES:,} bytes an entry", f"more in {which}")
    if may_be_read and entry.size > max(RATIO_FROM, MAX_RATIO * entry.packed):
        refuse(path, f"a zip that packs at most {MAX_RATIO} bytes in one", f"more in {which}")


def unpacked(path: Path, held: bytes | None, entry: Entry, most: int) -> bytes:
    """Return an entry, proven right, or the first bytes of one that is longer than `most`.

    `held` is the whole zip where it is small enough to be read once.
    """
    damaged = partial(refuse, path, "an undamaged zip")
    with opened(path) if held is None else io.BytesIO(held) as file:
        file.seek(entry.start)
        header = file.read(_LOCAL.size + len(entry.raw_name))
        if len(header) < _LOCAL.size or not header.startswith(b"PK\3\4"):
            damaged(f"no header of entry {entry.number}")
        _, _, _, method, *_, n_name, n_extra = _LOCAL.unpack_from(header)
        if (method, n_name) != (entry.method, len(entry.raw_name)) or not header.endswith(
            entry.raw_name
        ):
            damaged(f"two descriptions of entry {entry.number}")
        if entry.start + len(header) + n_extra + entry.packed > entry.limit:
            refuse(path, "a zip of separate entries", f"entry {entry.number} to overlap another")
        file.seek(n_extra, os.SEEK_CUR)
        is_whole = entry.size <= most
        packed = file.read(entry.packed if is_whole else min(entry.packed, most + 2**10))
    # One byte more than declared is enough to find a size that lies.
    data, is_over = packed, True
    if entry.method == _DEFLATED:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = inflater.decompress(packed, entry.size + 1 if is_whole else most)
        except zlib.error:
            damaged(f"entry {entry.number} garbled")
        is_over = inflater.eof and not inflater.unused_data
    if not is_whole:
        return data[:most]
    if not is_over or len(data) != entry.size or zlib.crc32(data) != entry.crc:
        damaged(f"entry {entry.number} other than described")
    return data


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file; one that can't be read is refused."""
    try:
        with open(path, "rb") as file:
            yield file
    except OSError as error:
        refuse(path, "a file that can be read", f"{error.strerror!r}")


def refuse(path: Path, must: str, found: str, hint: str = "") -> NoReturn:
    """Raise with one sentence that shows the last name of a path only."""
    name = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in path.name)
    raise ValueError(f"`path` must be {must}, found {found} in {name}{hint}.")
