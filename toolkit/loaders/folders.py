"""Folders: what in one is an export, and whether it is itself one that was unpacked."""

import os
import re
import unicodedata
from pathlib import Path

from toolkit.loaders.archive import ENDINGS, is_clutter

__all__ = ["exports_in", "is_export", "plain_name"]

# The parts into which Google cuts one takeout; other numbered files are other people.
_PART = re.compile(r"(takeout-\d{8}T\d{6}Z(?:-\d+)?)-\d{3}\.zip", re.IGNORECASE)
_DEEPEST = 6
_GOOGLE = "YouTube|My Activity|Meine Aktivitäten|Mi actividad|Mon activité|Mijn activiteit"
_NETFLIX = (
    "ACCOUNT|CLICKSTREAM|CONTENT_INTERACTION|CUSTOMER_SERVICE|DEVICES|GAMES|IP_ADDRESSES|MESSAGES"
    "|PAYMENT_AND_BILLING|PROFILES|SOCIAL_MEDIA_CONNECTIONS|SURVEYS"
)
_SPOTIFY = "StreamingHistory|Streaming_History|endsong"
_PRIME = r"Your Prime Video Viewing Activity|Digital\.PrimeVideo\.[^/]+|PrimeVideo\.[^/]+"
# Of each export that comes in several files: the one that has to be there once it is unpacked,
# and where all of its files lie.
_LAYOUTS = [
    (
        r"(\d+/)?CONTENT_INTERACTION/ViewingActivity\.(csv|txt)",
        rf"(\d+/)?({_NETFLIX})/[^/]+",
    ),
    (
        r"diary\.csv",
        r"(diary|watched|watchlist|ratings|reviews|profile|comments)\.csv"
        r"|(lists|likes|deleted|orphaned)/.+",
    ),
    (
        rf"(Takeout/)?({_GOOGLE})[^/]*/[^/]+/[^/]+\.(json|html)",
        rf"Takeout/.+|({_GOOGLE})[^/]*/.+",
    ),
    (
        rf"(Spotify [^/]+/)?({_SPOTIFY})[^/]*\.json",
        rf"Spotify [^/]+/.+|({_SPOTIFY}|Playlist|YourLibrary|Userdata|SearchQueries|Payments|Follow"
        r"|Identi|Inferences|Marquee|DuoNewFamily|Family|Wrapped|ReadMe)[^/]*",
    ),
    (
        r"watched-history[^/]*\.json",
        r"(watched|ratings|lists|collection|user|hidden|notes|likes|comments)-[^/]*|_errors\.json",
    ),
    (
        rf"(({_PRIME})/[^/]+|Viewing History)\.csv",
        rf"({_PRIME})/.+|(Viewing History|Watch Events|Search History|Promotional Trailers Viewed)"
        r"[^/]*",
    ),
]


def plain_name(path: Path) -> str:
    """Return the name of a file as text in one form, whatever its bytes."""
    name = os.fsencode(path.name).decode("utf-8", "backslashreplace")
    return unicodedata.normalize("NFC", name)


def is_export(folder: Path) -> bool:
    """Say whether a folder is itself an export, by where all of its files lie."""
    names = list(_logs_in(folder))
    return any(
        any(re.fullmatch(needed, name, re.IGNORECASE) for name in names)
        and all(re.fullmatch(allowed, name, re.IGNORECASE) for name in names)
        for needed, allowed in _LAYOUTS
    )


def exports_in(folder: Path) -> dict[str, list[Path]]:
    """Return the exports of a folder by name.

    Only the parts of one takeout belong together, and a database with its log.
    """
    exports: dict[str, list[Path]] = {}
    names = {path.name for path in folder.iterdir()}
    for path in sorted(folder.iterdir()):
        name = path.name
        if is_clutter(name):
            continue
        if part := _PART.fullmatch(name):
            name = part[1]
        elif name.endswith("-wal") and name.removesuffix("-wal") in names:
            name = name.removesuffix("-wal")
        exports.setdefault(plain_name(path.with_name(name)), []).append(path)
    return exports


def _logs_in(folder: Path):
    """Yield the paths, within a folder, of the files that a log may lie in."""
    for parent, folders, files in os.walk(folder):
        inside = Path(parent).relative_to(folder)
        if len(inside.parts) >= _DEEPEST:
            folders.clear()
        for name in files:
            if not is_clutter(name) and name.lower().endswith((*ENDINGS, ".zip")):
                yield plain_name(Path(name)) if not inside.parts else f"{inside.as_posix()}/{name}"
