"""YouTube's watch history as JSON, from Google Takeout.

A row is a click on a video or its autoplay, in UTC, to the second or finer.  No row says how
much of a video was watched.  A title is one video, told by its id: all rows of an id carry the
text that its newest row shows, as videos are renamed.  What is no watch (a search, a visit) has
no title here, because what was searched for is nobody's business.
"""

import contextlib
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.loaders.archive import File
from toolkit.loaders.cells import to_instants
from toolkit.loaders.dates import order_of_times
from toolkit.loaders.json_rows import is_outside, json_rows
from toolkit.loaders.sources import Hints
from toolkit.loaders.youtube_rows import SOURCE, Rows, as_raw_plays
from toolkit.titles import normalise_title

__all__ = ["SOURCE", "holds_videos", "read", "recognises"]

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)
_START = re.compile(r"\s*\[\s*\{")
_HEADER = re.compile(r'"header"\s*:\s*"(YouTube)?')
_KEY = re.compile(r'"(\w+)"\s*:')
_KEYS = {"title", "titleUrl", "time", "subtitles", "details", "description", "products",
         "activityControls", "name", "url"}  # fmt: skip
_ANY_VIDEO = re.compile(rb"youtu(?:\.be/|be\.com/(?:watch|shorts|live))", re.IGNORECASE)
_LONGEST = 60


def recognises(file: File) -> bool:
    """Tell a list of YouTube activity, whole or a subset of its keys, by its first bytes."""
    head = file.head
    if b"[" not in head[:64]:
        return False
    wide = head[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = head.decode("utf-16" if wide else "utf-8-sig", "ignore")
    if not _START.match(text):
        return False
    if '"snippet"' in text:
        needed = ('"publishedAt"', '"resourceId"', '"videoId"')
        return all(key in text for key in needed) and (
            '"playlistId"' not in text or bool(re.search(r'"playlistId"\s*:\s*"HL', text))
        )
    if '"title"' not in text or not ('"time"' in text or '"titleUrl"' in text):
        return False
    headers = _HEADER.findall(text)
    if not any(headers) and (headers or not _KEYS.issuperset(_KEY.findall(text))):
        return False
    if wide or '"titleUrl"' not in text or _ANY_VIDEO.search(head):
        return True
    return holds_videos(file)


def read(files: list[File], hints: Hints) -> tuple[pa.Table, list[str]]:
    """Return the raw plays of one person's files, a row per record, and notes for the report."""
    return as_raw_plays([_rows(file, hints) for file in files])


def holds_videos(file: File) -> bool:
    """Tell whether any address of a video is in a file; a damaged one is left to `read`."""
    try:
        return bool(_ANY_VIDEO.search(file.read()))
    except ValueError:
        return True


def _rows(file: File, hints: Hints) -> Rows:
    rows = json_rows(file)
    is_oldest = bool(rows) and "snippet" in rows[0]
    if is_oldest:
        rows = [_flat(row) for row in rows]
    started, precision, impossible = _times([row.get("time") for row in rows], file.name, hints)
    return Rows(
        [_clean(row.get("title")) for row in rows],
        [_plain(row.get("titleUrl")) for row in rows],
        _channels([row.get("subtitles") for row in rows]),
        [_plain(row.get("header")) for row in rows],
        [_detail(row["details"]) if "details" in row else None for row in rows],
        precision, started, impossible, has_verbs=not is_oldest,
    )  # fmt: skip


def _flat(row: dict) -> dict:
    """Return a row of the oldest form in the newer one; the name of its channel is the owner's."""
    snippet = row.get("snippet")
    snippet = snippet if isinstance(snippet, dict) else {}
    video = snippet.get("resourceId")
    video = video.get("videoId") if isinstance(video, dict) else None
    is_history = str(snippet.get("playlistId", "HL")).startswith("HL")
    url = f"youtu.be/{video}" if isinstance(video, str) and is_history else None
    return {"title": snippet.get("title"), "time": snippet.get("publishedAt"), "titleUrl": url}


def _plain(value) -> str | None:
    return value if isinstance(value, str) and value else None


def _clean(value) -> str | None:
    return (normalise_title(value) or None) if isinstance(value, str) else None


def _channels(subtitles: list) -> list[str | None]:
    first = [s[0] if isinstance(s, list) and s else None for s in subtitles]
    names = [_plain(s.get("name")) if isinstance(s, dict) else None for s in first]
    cleaned = {name: _clean(name) for name in set(names)}
    return [cleaned[name] for name in names]


def _detail(details) -> str | None:
    """Return what a row's details say, "" if that can't be read, or None if there are none."""
    if not details:
        return None
    items = details if isinstance(details, list) else []
    return " ".join(str(item.get("name")) for item in items if isinstance(item, dict))


def _times(values: list, name: str, hints: Hints) -> tuple[np.ndarray, Sequence[str], np.ndarray]:
    texts = [value if isinstance(value, str) else "" for value in values]
    if all(map(_TIME.fullmatch, texts)):
        # A day that no calendar has is refused further down, with its row.
        with contextlib.suppress(ValueError):
            return _plain_times(texts)
    for number, value in enumerate(values):
        if value is not None and not isinstance(value, str):
            texts[number] = str(value) if isinstance(value, int | float) else type(value).__name__
    cells = pd.Series([_clean(text[:_LONGEST]) for text in texts], dtype="str")
    order = order_of_times(texts, hints.date_order)
    # The name stands between backticks there.
    started, precision, impossible = to_instants(cells, f"time` of `{name}", hints.clock_tz, order)
    return started.dt.tz_localize(None).to_numpy(), list(precision), impossible


def _plain_times(texts: list[str]) -> tuple[np.ndarray, Sequence[str], np.ndarray]:
    started = np.array([text[:-1] for text in texts], dtype="datetime64[us]")
    impossible = is_outside(started)
    started[impossible] = "NaT"
    return started, ["second"] * len(texts), impossible
