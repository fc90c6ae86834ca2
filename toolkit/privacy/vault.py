"""The encrypted tables of a study and its ledger, which change together or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import pandas as pd

from toolkit.privacy.encrypted import read_encrypted, write_encrypted
from toolkit.privacy.keys import derived, destroy_study_key, locked, make_study_key, read_study_key
from toolkit.privacy.ledger import Ledger
from toolkit.privacy.refusals import KeyExposed, KeyMissing, KeyTaken, Refused

__all__ = ["Vault", "began", "files_of"]


class Vault:
    """The folder of a study, of which one process at a time reads or changes anything.

    A table is written beside the old one, then the ledger says its digest, then it takes the
    place of the old one.  Whoever is first to use the folder after a crash finishes what the
    ledger says and removes what it does not, so nothing is ever half done.  A table that is not
    the one of which the ledger says the digest, such as an earlier one put back, is refused.

    All keys come from the study's own and the ledger's first entry, so that two studies that
    came to have one key could still not be joined.
    """

    def __init__(self, name: str, folder: Path):
        """Stand for the folder, which need not be there yet."""
        self.name = name
        self.folder = folder
        self.ledger = Ledger(folder / "ledger.jsonl")

    def begin(self, **details) -> list[dict]:
        """Begin the study, unless it has begun; return the entries of its ledger."""
        is_here = False
        with suppress(KeyMissing):
            # Names that no study can have are refused here, before a folder is made.
            read_study_key(self.name, folder=self.folder)
            is_here = True
        if is_here and not self.ledger.path.exists():
            raise KeyTaken(
                f"`folder` must be where the study {self.name} lies, found its key, but no "
                "ledger there.",
                "Name the folder that holds its `ledger.jsonl`, or begin one of another name.",
            )
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.opened() as entries:
            if began(entries) is None:
                # The log is not for a repository, though nobody without the key could read it.
                (self.folder / ".gitignore").write_text("*\n!ledger.jsonl\n", encoding="utf-8")
                self.ledger.append("began", study=self.name, **details)
                entries = self.ledger.entries()
            try:
                read_study_key(self.name, folder=self.folder)
            except KeyMissing:
                # Stopped before there was a key, it has nothing that another one opened.
                if any(entry["what"] in ("loaded", "destroyed") for entry in entries):
                    raise
                make_study_key(self.name, folder=self.folder)
        return entries

    @contextmanager
    def opened(self) -> Iterator[list[dict]]:
        """Keep other processes out, and give the entries of the ledger, to which the files fit."""
        handle = os.open(self.folder / "study.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with locked(handle):
                entries = self.ledger.entries()
                self._settle(files_of(entries))
                yield entries
        finally:
            os.close(handle)

    def key(self, purpose: str, entries: list[dict]) -> bytes:
        """Return the study's key for one purpose; it is read each time, and never held."""
        return derived(self._own(entries), purpose)

    def read(self, name: str, entries: list[dict]) -> pd.DataFrame:
        """Return a table as it was written last."""
        digest, path = files_of(entries).get(name), self._path(name)
        if digest is None:
            raise Refused(f"The study {self.name} holds no {name}.", "Load something first.")
        if not path.exists() or _sha256(path) != digest:
            raise Refused(
                f"{path.name} must be the file that the ledger has, found "
                f"{'another one' if path.exists() else 'none'}.",
                "Take it from a backup of the same time as the ledger.",
            )
        return read_encrypted(path, master=self._own(entries), name=f"{self.name}/{name}")

    def write(self, tables: dict[str, pd.DataFrame], entries: list[dict], what: str, **details):
        """Replace tables, and write down that it was done: all of it, or nothing if it stops."""
        own, files = self._own(entries), {}
        for name, table in tables.items():
            draft = self._path(f"{name}.next")
            write_encrypted(table, draft, master=own, name=f"{self.name}/{name}")
            files[name] = _sha256(draft)
        self.ledger.append(what, **details, files=files)
        self._settle(files)

    def destroy(self, **details) -> None:
        """Write down that the key is destroyed, and destroy it."""
        with self.opened():
            with suppress(KeyExposed):
                read_study_key(self.name, folder=self.folder)
            # First, since a key that is gone tells nobody when and by whom.
            self.ledger.append("destroyed", **details)
            destroy_study_key(self.name)

    def _own(self, entries: list[dict]) -> bytes:
        master = read_study_key(self.name, folder=self.folder)
        return derived(master, f"study {began(entries)['digest']}")

    def _settle(self, files: dict[str, str]) -> None:
        """Put drafts that the ledger has in place, and remove all others."""
        for draft in self.folder.glob("*.next.parquet*"):
            name, _, rest = draft.name.partition(".next")
            if rest == ".parquet" and _sha256(draft) == files.get(name):
                os.replace(draft, self._path(name))
            else:
                draft.unlink()

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.parquet"


def began(entries: list[dict]) -> dict | None:
    """Return the entry with which the study began."""
    # Before it may stand that half a line was taken out.
    return next((entry for entry in entries if entry["what"] == "began"), None)


def files_of(entries: list[dict]) -> dict[str, str]:
    """Return the digest of each table as it was written last."""
    return {
        name: digest
        for entry in entries
        for name, digest in entry["details"].get("files", {}).items()
    }


def _sha256(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
