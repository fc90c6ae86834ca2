"""How a store is written: by one writer at a time, and either wholly or not at all."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from toolkit.privacy.keys import sync_folder

__all__ = ["DRAFT", "MANIFEST", "SPILL", "data_files", "only_writer", "saved_together"]

MANIFEST, DRAFT, LOCK, SPILL = "store.json", "store.json.new", "store.lock", "spill"
_DATA = re.compile(r"\d{5,}-\d{5,}\.parquet")


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which the system takes back from a writer that dies.

    What a writer spilled there goes when it begins and when it ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("ab") as file:
        try:
            _lock(file)
        except (BlockingIOError, PermissionError):
            raise ValueError(
                "`folder` must have one writer at a time, found another at work."
            ) from None
        spill = folder / SPILL
        shutil.rmtree(spill, ignore_errors=True)
        try:
            yield
        finally:
            shutil.rmtree(spill, ignore_errors=True)


@contextmanager
def saved_together(
    folder: Path, listed: set[str]
) -> Iterator[tuple[Callable[[str, bytes], None], Callable[[str], None]]]:
    """Yield what saves a file and what, last, replaces the manifest.

    Till the manifest is replaced nothing is changed that a reader looks at.  While its
    draft is there, whatever else is not in the manifest is left from a writer.
    """
    draft, saved = folder / DRAFT, []
    _remove_leftovers(folder, listed)

    def save(name: str, data: bytes) -> None:
        saved.append(folder / name)
        _save(folder / name, data)

    def replace_manifest(text: str) -> None:
        sync_folder(folder)
        _save(draft, text.encode(), mode="wb")
        os.replace(draft, folder / MANIFEST)
        sync_folder(folder)

    try:
        _save(draft, b"")
        sync_folder(folder)
        yield save, replace_manifest
    except BaseException as error:
        # Without its draft the manifest is the new one, which needs the files.
        if draft.exists():
            with suppress(OSError):
                _remove(saved, folder)
        if isinstance(error, OSError):
            raise OSError(
                error.errno,
                f"Writing failed and left the store as it was: {error.strerror or error}",
            ) from error
        raise


def data_files(folder: Path) -> set[str]:
    """Return the names of the files of plays that are there, in the manifest or not."""
    return {name for name in os.listdir(folder) if _DATA.fullmatch(name)}


def _remove_leftovers(folder: Path, listed: set[str]) -> None:
    unlisted = sorted(data_files(folder) - listed)
    # Without a draft no writer was stopped: a manifest was lost, or exchanged for another.
    if unlisted and not (folder / DRAFT).exists():
        raise ValueError(
            f"`folder` must hold no plays but those in its {MANIFEST}, "
            f"found {len(unlisted)} other files such as {unlisted[0]}."
        )
    _remove([folder / name for name in unlisted], folder)


def _remove(paths: list[Path], folder: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
    (folder / DRAFT).unlink(missing_ok=True)


def _save(path: Path, data: bytes, mode: str = "xb") -> None:
    with path.open(mode) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _lock(file) -> None:
    if os.name == "nt":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
