"""What a load says, without the names of files and people that would be in it."""

import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pandas as pd

from toolkit.loaders.folders import plain_name
from toolkit.loaders.zips import directory
from toolkit.privacy.refusals import Refused
from toolkit.tables import PLAYS

__all__ = ["teller", "without_names"]

# An apostrophe within a word opens nothing.
_QUOTED = re.compile(r"(?<!\w)(['\"])(.*?)\1(?!\w)", re.DOTALL)


def without_names(
    read: Callable[[], pd.DataFrame], path, reading: Mapping, made: dict
) -> pd.DataFrame:
    """Return what `read` does; what it raises names no file and no person, and shows no cell."""
    try:
        return read()
    except (Refused, TypeError, ImportError):
        raise
    except Exception as error:
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
        said = _without(str(error), _words(path, reading, made))
        failure = kind(said if isinstance(error, (ValueError, OSError)) else type(error).__name__)
        # What a traceback with variables would show.
        made.clear()
    # Here, so that the first error is not kept with it.
    raise failure


def teller(path, reading: Mapping, made: dict) -> Callable[[pd.DataFrame], None]:
    """Return what prints the report of a load, in which exports are numbered."""

    def tell(report: pd.DataFrame) -> None:
        counts = report["outcome"].value_counts()
        outcomes = ", ".join(f"{n} {outcome}" for outcome, n in counts.items())
        read = report[report["outcome"] != "refused"]
        n_rows, n_used = int(read["n_rows"].sum()), int(read["n_used"].sum())
        print(f"{outcomes}; {n_rows:,} plays, {n_rows - n_used:,} set aside.")
        if (report["note"] == "").all():
            return
        words = {*_words(path, reading, made), *report["export"]}
        for n, line in enumerate(report.itertuples(), 1):
            if line.note:
                said = _without(line.note, words)
                print(f"Export {n} in the order of names: {line.outcome}: {said}")

    return tell


def _words(path, reading: Mapping, made: dict) -> set[str]:
    """Return what could name somebody: files, what is in zips, profiles, and their parts."""
    words = {part for _, *parts in made.values() for part in parts}
    profile = reading.get("profile")
    words |= {*profile, *profile.values()} if isinstance(profile, Mapping) else {str(profile or "")}
    if isinstance(path, pd.DataFrame):
        return words
    given = Path(path).expanduser()
    path = Path(os.path.abspath(given))
    files = [path, *(path.rglob("*") if path.is_dir() else [])]
    names = {part for file in files for part in file.relative_to(path.parent).parts}
    names |= {str(path), str(given), *given.parts} - {given.anchor}
    for file in files:
        names.add(plain_name(file))
        # What is no zip, or a bad one, has no names that could be read.
        with suppress(ValueError, OSError):
            names |= {part for entry in directory(file) for part in entry.name.split("/")}
    return words | names | {Path(name).stem for name in names}


def _without(text: str, words: set[str]) -> str:
    """Return a sentence without these words and without what it quotes, which may be a cell."""
    for word in sorted(filter(str.strip, words), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "…", text)
    return _QUOTED.sub(lambda match: match[0] if match[2] in PLAYS else "…", text)
