"""The ledger of a study: who did what with its data, written so that changes show."""

import errno
import getpass
import json
import os
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from io import FileIO
from pathlib import Path

import pandas as pd

from toolkit.privacy.keys import locked, sync_folder
from toolkit.privacy.refusals import LedgerBroken

__all__ = ["Ledger", "accesses"]

_START = "0" * 64
_FIELDS = {"n": int, "at": str, "who": str, "what": str, "details": dict}
_FIELDS |= {"previous": str, "digest": str}
_ACCESSES = {"opened", "loaded", "released", "refused", "published", "forgot", "destroyed"}
# What accesses don't say as detail: the purpose has a column, digests are for machines.
_UNSAID = {"purpose", "files", "outputs", "table", "sha256"}
_FIX = "Compare it with a copy of an earlier time, or with a head that was published."


class Ledger:
    """The entries of a file that only grows, each with the digest of the one before it.

    A line is one entry in JSON: its number `n`, `at` when, `who` did `what`, with which
    `details`, the digest of the `previous` entry and its own, SHA-256 over all the rest with
    sorted keys and no spaces, in UTF-8.  So whoever has the file can check it, without a key: a
    line that is edited, taken out, put in or moved shows.  Lines cut from the end, or a ledger
    written anew, show only where a `head` was published; each publication should print it.
    `who` is the account that the system names: declared, not proven.

    Parameters
    ----------
    path : path-like
        The file, which the first entry makes.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    head : str
        The digest of the last entry, which stands for all before it; 64 zeros without one.

    See Also
    --------
    accesses : The table of who did what.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ledger = Ledger(Path(folder) / "ledger.jsonl")
    ...     head = ledger.append("opened", purpose="rewatching of comfort titles")
    ...     print(ledger.head == head, ledger.entries()[0]["what"])
    ...     print(ledger.verify(head)[-1])
    True opened
    The published head is that of entry 1 of 1.
    """

    def __init__(self, path: str | os.PathLike):
        """Stand for the file, which need not be there yet."""
        self.path = Path(path)

    def __repr__(self) -> str:
        """Say which file, but not where; a path could name a person."""
        return f"<Ledger {self.path.name}>"

    @property
    def head(self) -> str:
        """The digest of the last entry."""
        entries = self.entries()
        return entries[-1]["digest"] if entries else _START

    def append(self, what: str, /, **details) -> str:
        """Add an entry, and return once the disk has it.

        An entry that a stopped writer left half written is removed first, which is an entry
        of its own, ``"repaired"``.

        Parameters
        ----------
        what : str
            What was done: ``"opened"``, ``"released"``, ...
        **details
            What else there is to say, such as the stated `purpose`: text, whole numbers, True,
            False, None, and lists and dicts of these.

        Returns
        -------
        str
            The new head.

        Raises
        ------
        ValueError
            If a detail is of another type; floats are, since they have no one way to be written.
        LedgerBroken
            If the last entry is not as it was written.
        """
        if not (isinstance(what, str) and what):
            raise ValueError(f"`what` must say in text what was done, found {what!r}.")
        _require_json(what, "what")
        _require_json(details, "details")
        is_new = not self.path.exists()
        # Unbuffered, so that a write is one call of the system, at the end of the file.
        with self.path.open("ab+", buffering=0) as file, locked(file.fileno()):
            head = _add(file, what, details)
        if is_new:
            sync_folder(self.path.parent)
        return head

    def entries(self) -> list[dict]:
        """Return all entries, the oldest first, once each is known to follow the one before.

        Raises
        ------
        LedgerBroken
            If one does not; it is named by its line.
        """
        return list(_checked(self._lines()[0], self.path.name))

    def verify(self, head: str | None = None) -> list[str]:
        """Check all lines and, if one was published, that its head is among them.

        Parameters
        ----------
        head : str, optional
            A head that was published.

        Returns
        -------
        list of str
            What was found, in sentences.

        Raises
        ------
        LedgerBroken
            If the ledger is not the one that was written; the line is named.
        """
        if head is not None and not re.fullmatch("[0-9a-f]{64}", head):
            raise ValueError(f"`head` must be 64 hexadecimal digits, found {head!r}.")
        lines, torn = self._lines()
        entries = list(_checked(lines, self.path.name))
        if not entries:
            raise LedgerBroken(
                f"There is no entry in {self.path.name}.",
                "Look for the ledger elsewhere, since every study's has one.",
            )
        heads = [entry["digest"] for entry in entries]
        if head is not None and head not in heads:
            raise LedgerBroken(
                f"{self.path.name} ends with line {len(entries)} and no line has the published "
                "head: entries were cut, or the ledger was written anew.",
                "Compare it with a copy of the time when the head was published.",
            )
        found = [
            f"{self.path.name} holds together: {len(entries)} entries, from {entries[0]['at']} "
            f"to {entries[-1]['at']}.",
            # A forged name could hold lines of its own.
            f"The accounts {sorted({entry['who'] for entry in entries})} are those that the "
            "system named: declared, not proven.",
            f"The head is {heads[-1]}.",
        ]
        if torn:
            found.append("After it is what a stopped writer left; the next entry repairs that.")
        if head is None:
            found.append(
                "Without a published head it can't be seen whether entries were cut from the "
                "end, or all written anew."
            )
        else:
            n = heads.index(head) + 1
            found.append(f"The published head is that of entry {n} of {len(entries)}.")
        return found

    def _lines(self) -> tuple[list[bytes], bytes]:
        data = self.path.read_bytes() if self.path.exists() else b""
        *lines, torn = data.split(b"\n")
        return lines, torn


def accesses(entries: Iterable[dict]) -> pd.DataFrame:
    """Return who opened, loaded, released, published, forgot or destroyed what, and why.

    A release that was refused is an access too, since a refusal tells something.

    Parameters
    ----------
    entries : iterable of dict
        Entries of a `Ledger`.

    Returns
    -------
    pandas.DataFrame
        One row per such entry, the oldest first: `entry` (its number), `at` (UTC), `who` (the
        account that the system named), `what`, `purpose` (as it was stated; missing if it was
        not) and `detail` (all else that was recorded, in text, but for digests).

    Examples
    --------
    >>> accesses([])
    Empty DataFrame
    Columns: [entry, at, who, what, purpose, detail]
    Index: []
    """
    used = [entry for entry in entries if entry["what"] in _ACCESSES]
    said = [entry["details"] for entry in used]
    other = [
        "; ".join(f"{name}: {_text(value)}" for name, value in each.items() if name not in _UNSAID)
        for each in said
    ]
    purposes = [None if each.get("purpose") is None else _text(each["purpose"]) for each in said]
    return pd.DataFrame(
        {
            "entry": pd.Series([entry["n"] for entry in used], dtype="int64"),
            "at": pd.to_datetime([entry["at"] for entry in used], utc=True).as_unit("us"),
            "who": pd.Series([entry["who"] for entry in used], dtype="str"),
            "what": pd.Series([entry["what"] for entry in used], dtype="str"),
            "purpose": pd.Series(purposes, dtype="str"),
            "detail": pd.Series(other, dtype="str"),
        }
    )


def _text(value) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _add(file: FileIO, what: str, details: dict) -> str:
    last, torn = _ending(file)
    entry = {"n": 0, "digest": _START} if last is None else _read(last)
    if entry is None:
        raise LedgerBroken(f"The last line of {Path(file.name).name} was changed.", _FIX)
    new, block = [(what, details)], b""
    if torn:
        left = _read(torn)
        is_kept = left is not None and _follows(left, entry)
        if is_kept:
            entry, block = left, b"\n"
        else:
            file.truncate(file.seek(0, os.SEEK_END) - len(torn))
        said = {"n_bytes": len(torn), "sha256": sha256(torn).hexdigest(), "is_kept": is_kept}
        new.insert(0, ("repaired", said))
    for each in new:
        entry = _next(entry, *each)
        block += _canonical(entry) + b"\n"
    end = file.seek(0, os.SEEK_END)
    if file.write(block) < len(block):
        file.truncate(end)
        raise OSError(errno.ENOSPC, "The ledger has no room for an entry, and is as it was.")
    os.fsync(file.fileno())
    return entry["digest"]


def _ending(file: FileIO) -> tuple[bytes | None, bytes]:
    """Return the last line, if there is one, and what stands after it."""
    end, size = file.seek(0, os.SEEK_END), 2**14
    while True:
        start = max(end - size, 0)
        file.seek(start)
        *lines, torn = file.read(end - start).split(b"\n")
        if len(lines) > 1 or not start:
            return lines[-1] if lines else None, torn
        size *= 8


def _next(entry: dict, what: str, details: dict) -> dict:
    new = {
        "n": entry["n"] + 1,
        "at": _instant(datetime.now(UTC)),
        "who": _account(),
        "what": what,
        "details": details,
        "previous": entry["digest"],
    }
    return new | {"digest": sha256(_canonical(new)).hexdigest()}


def _checked(lines: list[bytes], name: str) -> Iterator[dict]:
    before = {"n": 0, "digest": _START}
    for n, line in enumerate(lines, 1):
        entry = _read(line)
        if entry is None:
            raise LedgerBroken(f"Line {n} of {name} was changed.", _FIX)
        if entry["n"] != n:
            raise LedgerBroken(
                f"Line {n} of {name} is entry {entry['n']}: lines were taken out, put in or moved.",
                _FIX,
            )
        if not _follows(entry, before):
            raise LedgerBroken(
                f"Line {n} of {name} does not continue what stands before it: "
                "a line was forged, here or there.",
                _FIX,
            )
        yield entry
        before = entry


def _follows(entry: dict, before: dict) -> bool:
    return entry["n"] == before["n"] + 1 and entry["previous"] == before["digest"]


def _read(line: bytes) -> dict | None:
    """Return the entry of a line, if that is exactly how it was written."""
    try:
        entry = json.loads(line.decode())
        if {name: type(value) for name, value in entry.items()} != _FIELDS:
            return None
        _require_json(entry["details"], "details")
        is_instant = entry["at"] == _instant(datetime.fromisoformat(entry["at"]))
        said = {name: value for name, value in entry.items() if name != "digest"}
        is_own = entry["digest"] == sha256(_canonical(said)).hexdigest()
        return entry if is_instant and is_own and _canonical(entry) == line else None
    except (ValueError, AttributeError, OverflowError, RecursionError):
        return None


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _canonical(entry: dict) -> bytes:
    return json.dumps(entry, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _require_json(value, where: str) -> None:
    if type(value) is dict:
        for name, held in value.items():
            if type(name) is not str:
                raise ValueError(f"`{where}` must have names in text, found {name!r}.")
            _require_json(name, where)
            _require_json(held, f"{where}.{name}")
    elif type(value) is list:
        for held in value:
            _require_json(held, where)
    elif type(value) is str:
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError(f"`{where}` must be text that UTF-8 can hold, found half a letter.")
    elif value is not None and type(value) not in (int, bool):
        raise ValueError(
            f"`{where}` must be text, a whole number, True, False, None, or a list or dict of "
            f"these, found {type(value).__name__}."
        )


def _account() -> str:
    try:
        import pwd

        # The variables that `getpass` believes are for anyone to set.
        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return getpass.getuser()
