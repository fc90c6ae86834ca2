"""Rows of YouTube's history, of JSON or HTML: which of them are watches, and of what."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from toolkit.loaders.columns import as_texts, coded_texts, first_reasons, in_utc, one_text
from toolkit.loaders.sources import Source
from toolkit.loaders.youtube_words import GONE, VIDEO, is_link, names_of

__all__ = ["ADVERT", "SOURCE", "Rows", "as_raw_plays"]

SOURCE = Source(
    name="youtube",
    service="YouTube, Google Takeout (watch history or My Activity, JSON or HTML)",
    one_row="a click on a video, or its autoplay; adverts are among the rows",
    row_is="play",
    clock="UTC; in HTML one fixed offset for all rows",
    precision="second",
    measures="how often and when a video was started, days of viewing, repeats without adverts",
    cannot="seconds watched, completion, what was watched while the history was off or deleted",
)
ADVERT = re.compile(
    r"google.{0,40}\b(?:ads|anzeigen|annonces|advertenties)\b"
    r"|\b(?:annonces|anuncios|advertenties|pubblicitari).{0,20}google",
    re.IGNORECASE,
)
_SILENCE = np.timedelta64(60, "D")


class Rows(NamedTuple):
    """The rows of one file column by column, before it is told what each of them is."""

    titles: list[str | None]
    urls: list[str | None]
    channels: list[str | None]
    headers: list[str | None]
    details: list[str | None]
    precision: Sequence[str]
    started_at: np.ndarray
    impossible: np.ndarray
    has_verbs: bool = True


def as_raw_plays(parts: list[Rows], notes: Sequence[str] = ()) -> tuple[pa.Table, list[str]]:
    """Return raw plays from the rows of one person's files: what each is, and of which video."""
    notes = list(notes)
    names, videos, gone = [], [], []
    for part in parts:
        for column, values in zip((names, videos, gone), _told(part, notes), strict=True):
            column += values
    titles, urls, channels, headers, details, precision = (
        [value for part in parts for value in part[field]] for field in range(6)
    )
    started = np.concatenate([part.started_at for part in parts])
    impossible = np.concatenate([part.impossible for part in parts])
    is_watch = np.array([name is not None for name in names], dtype=bool)
    is_nameless = [
        not (video or is_gone or (title if name is None else name))
        for name, title, video, is_gone in zip(names, titles, videos, gone, strict=True)
    ]
    reasons = {
        "no title": is_nameless,
        "no time": np.isnat(started) & ~impossible,
        "impossible time": impossible,
        "advert": [detail is not None for detail in details],
        "removed": gone,
        "not a watch": ~is_watch,
    }
    is_used = ~np.any([np.asarray(holds, dtype=bool) for holds in reasons.values()], axis=0)
    shown = _shown(names, videos, started)
    reasons["duplicate"] = _repeated(shown, videos, started, is_used)
    is_track = [
        header == "YouTube Music" or (header is None and url is not None and "//music." in url)
        for header, url in zip(headers, urls, strict=True)
    ]
    plays = pa.table(
        {
            "profile": one_text("", len(titles)),
            "title": as_texts(shown),
            "started_at": in_utc(started),
            "series": as_texts(
                [c if n is not None else None for n, c in zip(names, channels, strict=True)]
            ),
            "kind": coded_texts(np.array(is_track, dtype="int32"), ["video", "track"]),
            "row_is": one_text(SOURCE.row_is, len(titles)),
            "precision": as_texts(precision),
            "excluded": first_reasons(reasons),
        }
    )
    return plays, notes + _remarks(details, started[is_watch])


def _told(part: Rows, notes: list[str]) -> tuple[list, list, list]:
    """Tell of each row the name of its video (None if no watch), its id, and if it is gone."""
    matches = [VIDEO.match(url) if url else None for url in part.urls]
    videos = [match[1] if match else None for match in matches]
    is_video = [match is not None for match in matches]
    if part.has_verbs:
        names = names_of(part.titles, is_video, notes)
    else:
        names = [(title or "") if v else None for title, v in zip(part.titles, videos, strict=True)]
    has_urls = any(part.urls)
    gone = [False] * len(names)
    for row, (name, url) in enumerate(zip(names, part.urls, strict=True)):
        if name is None or (videos[row] and not is_link(name)):
            continue
        address = VIDEO.match(name)
        is_address = address is not None or name == url
        if is_address:
            names[row] = ""
            videos[row] = videos[row] or (address[1] if address else None)
        is_lost = is_address or part.titles[row] in GONE or (has_urls and url is None)
        gone[row] = is_lost and not videos[row]
    return names, videos, gone


def _shown(names: list, videos: list, started: np.ndarray) -> list[str | None]:
    """Return titles: each video under the name of its newest row, told apart by its id."""
    newest: dict[str, tuple[int, str]] = {}
    for name, video, time in zip(names, videos, started.view("int64").tolist(), strict=True):
        if name and video and (video not in newest or time > newest[video][0]):
            newest[video] = time, name
    labels = {video: f"[{video}]" for video in set(videos) if video}
    labels |= {video: f"{name} [{video}]" for video, (_, name) in newest.items()}
    return [
        None if name is None else labels[video] if video else name or None
        for name, video in zip(names, videos, strict=True)
    ]


def _repeated(shown: list, videos: list, started: np.ndarray, used: np.ndarray) -> np.ndarray:
    seen, again = set(), np.zeros(len(shown), dtype=bool)
    times = started.view("int64").tolist()
    for row in np.flatnonzero(used).tolist():
        key = (videos[row] or shown[row], times[row])
        again[row] = key in seen
        seen.add(key)
    return again


def _remarks(details: list, watched: np.ndarray) -> list[str]:
    marked = [detail for detail in details if detail is not None]
    unknown = sum(not ADVERT.search(detail) for detail in marked)
    notes = []
    if unknown:
        notes.append(
            f"{unknown} rows have details in words that are not known, and were taken for adverts."
        )
    if details and not marked:
        notes.append("No row is marked as an advert, so adverts, if any, count as plays.")
    pauses = np.diff(np.sort(watched[~np.isnat(watched)]))
    if (pauses > _SILENCE).any():
        notes.append(
            f"{(pauses > _SILENCE).sum()} silences last more than 60 days, the longest "
            f"{pauses.max() // np.timedelta64(1, 'D')}: history may have been paused or deleted."
        )
    return notes
