"""Spotify: a row is one play of a track, a podcast episode, a video or a chapter.

Both exports write when a play *stopped*, in UTC: `endTime` to the minute in the account data
(the last twelve months), `ts` to the second in the extended history.  `started_at` is that less
the time played, so pauses make it too late.  Plays made offline may carry the time of their
upload, which is counted in a note and never repaired.  Where an export holds both histories,
plays of the account data within the span of an extended file are "duplicate".  Nothing tells
how long a track is, so that a skipped play can't be told from a finished one, and nothing who
listened.
"""

import re

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.loaders.archive import File
from toolkit.loaders.columns import as_texts, first_reasons, in_utc, is_missing, one_text
from toolkit.loaders.json_rows import is_outside, json_rows, json_times, starts_a_list
from toolkit.loaders.sources import Hints, Source
from toolkit.titles import normalise_title

__all__ = ["SOURCE", "read", "recognises"]

SOURCE = Source(
    name="spotify",
    service="Spotify, account data and extended streaming history",
    one_row="a play of a track, podcast episode, video or chapter; several are a sitting",
    row_is="play",
    clock="UTC, when the play stopped",
    precision="second, in the account data minute",
    measures="plays, repeats, seconds played, podcasts by show",
    cannot="completion (no length), pauses, true times of offline plays, who listened",
)

# Keys of the time played, and of each kind's whole and part; the first with a part holds.
_LASTED = {"endTime": "msPlayed", "ts": "ms_played"}
_WORKS = {
    "endTime": [
        ("podcastName", "episodeName", "episode"),
        ("audiobookName", "chapterName", "chapter"),
        ("artistName", "trackName", "track"),
    ],
    "ts": [
        ("episode_show_name", "episode_name", "episode"),
        ("audiobook_title", "audiobook_chapter_title", "chapter"),
        ("master_metadata_album_artist_name", "master_metadata_track_name", "track"),
    ],
}
_IDS = ("spotify_episode_uri", "audiobook_chapter_uri", "spotify_track_uri")
_OTHER_TEXTS = ("platform", "conn_country", *_IDS)
_FORMS = {
    "endTime": re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d", re.ASCII),
    "ts": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII),
}
# What follows may be the name that somebody gave to a device.
_DEVICE = re.compile(
    r"(?!not_applicable)(?:(?:Android|OS|web_player|Partner)[ _])?[A-Za-z][A-Za-z0-9]*"
)
_COUNTRY = re.compile(r"(?!ZZ)[A-Z]{2}$")
_EXAMPLES = {"endTime": "2024-03-05 20:15", "ts": "2024-03-05T20:15:30Z"}
_NEVER = np.datetime64("NaT", "us")
# The longest time that counts: with it, every end is in an impossible year.
_LONGEST = 1e10


def recognises(file: File) -> bool:
    """Tell a list of plays by the keys of its rows."""
    return _clock(file) is not None


def read(files: list[File], hints: Hints) -> tuple[pa.Table, list[str]]:
    """Return the raw plays of an export, every row of all its files, and notes for the report."""
    parts = [_columns(file) for file in files]
    part = np.repeat(np.arange(len(parts)), [len(columns["title"]) for columns in parts])
    plays = {name: np.concatenate([columns[name] for columns in parts]) for name in parts[0]}
    ended_at, seconds, length = plays["ended_at"], plays["watched_seconds"], len(part)
    lasted = (np.nan_to_num(seconds).clip(0, _LONGEST) * 1e6).astype("timedelta64[us]")
    started_at = np.where(np.isnan(seconds), _NEVER, ended_at - lasted)
    impossible = is_outside(started_at) | is_outside(ended_at)
    items = pd.factorize(plays["item"])[0]
    key = pd.DataFrame({"ended_at": ended_at, "item": items, "seconds": seconds})
    in_extended = _in_extended(ended_at, part, plays["precision"] == "minute")
    reasons = {
        "no title": np.equal(plays["title"], None),
        "no time": np.isnat(started_at),
        "impossible time": impossible,
        "impossible duration": seconds < 0,
        "not a watch": seconds == 0,
    }
    n_both = int((in_extended & ~np.any([*reasons.values()], axis=0)).sum())
    excluded = first_reasons(reasons | {"duplicate": key.duplicated().to_numpy() | in_extended})
    notes = _notes(plays, started_at, is_missing(excluded), n_both)
    started_at, ended_at = (np.where(impossible, _NEVER, at) for at in (started_at, ended_at))
    frame = {
        "profile": one_text("", length),
        "title": as_texts(plays["title"]),
        "started_at": in_utc(started_at),
        "ended_at": in_utc(ended_at),
        "watched_seconds": seconds,
        "series": as_texts(plays["series"]),
        "kind": as_texts(plays["kind"]),
        "device": as_texts(plays["device"]),
        "country": as_texts(plays["country"]),
        "row_is": one_text(SOURCE.row_is, length),
        "precision": as_texts(plays["precision"]),
        "excluded": excluded,
    }
    return pa.table(frame), notes


def _clock(file: File) -> str | None:
    """Return the key of a play's time, which tells one history from the other."""
    head = file.head
    if not starts_a_list(head):
        return None
    if b'"ms_played"' in head and b'"ts"' in head:
        return "ts"
    return "endTime" if b'"msPlayed"' in head and b'"endTime"' in head else None


def _columns(file: File) -> dict[str, np.ndarray]:
    """Return what is used of one file; no other key is looked at."""
    clock = _clock(file)
    if clock is None:
        raise ValueError(
            "`path` must hold Spotify's plays with 'ts' or 'endTime', found none in "
            f"{file.last_name}."
        )
    rows, works = json_rows(file, (clock, _LASTED[clock])), _WORKS[clock]
    _require_texts(rows, [*(key for work in works for key in work[:2]), *_OTHER_TEXTS], file)
    titles, series, kinds = [], [], []
    for row in rows:
        title, of, kind = _work(row, works)
        titles.append(normalise_title(title or "") or None)
        series.append(normalise_title(of or "") or None if kind != "track" else None)
        kinds.append(kind)
    kind_of = {kind: _kind(kind, file) for kind in {*kinds}}
    texts = {
        "title": titles,
        "series": series,
        "kind": [kind_of[kind] for kind in kinds],
        "item": [_id(row) or title for row, title in zip(rows, titles, strict=True)],
        "device": _starts(_DEVICE, rows, "platform"),
        "country": _starts(_COUNTRY, rows, "conn_country"),
        "precision": ["second" if clock == "ts" else "minute"] * len(rows),
    }
    columns = {name: np.array(values, dtype=object) for name, values in texts.items()}
    return columns | {
        "ended_at": json_times(rows, clock, _FORMS[clock], _EXAMPLES[clock], file),
        "watched_seconds": _seconds(rows, _LASTED[clock], file),
        "is_offline": np.array([row.get("offline") is True for row in rows], dtype=bool),
        "offline_at": np.array(
            [_epoch(row.get("offline_timestamp")) for row in rows], dtype="float64"
        ),
    }


def _require_texts(rows: list[dict], keys: list[str], file: File) -> None:
    for key in keys:
        if {type(row.get(key)) for row in rows} <= {str, type(None)}:
            continue
        wrong = next(n for n, row in enumerate(rows, 1) if not isinstance(row.get(key), str | None))
        raise ValueError(
            f"`path` must hold a text or null in {key!r}, found another value in row {wrong} of "
            f"{file.last_name}."
        )


def _work(row: dict, works: list[tuple[str, str, str]]):
    """Return the title of what was played, what it is a part of, and its kind."""
    for whole, part, kind in works:
        of, name = row.get(whole), row.get(part)
        if name or (of and kind == "chapter"):
            return " - ".join(filter(None, (of, name))), of, kind
    return None, None, None


def _kind(kind: str | None, file: File) -> str:
    name = file.last_name.lower()
    if kind == "track" and "video" in name:
        return "video"
    # Before 2024 the account data held podcasts as artists, in files with no kind in the name.
    if kind == "track" and name.startswith("streaminghistory") and "music" not in name:
        return "unknown"
    return kind if kind in ("episode", "track") else "unknown"


def _id(row: dict) -> str | None:
    episode, chapter, track = _IDS
    return row.get(track) or row.get(episode) or row.get(chapter)


def _starts(pattern: re.Pattern, rows: list[dict], key: str) -> list[str | None]:
    """Return the part of each text that its start may be, as there are few different ones."""
    texts = [row.get(key) for row in rows]
    matches = {text: pattern.match(text or "") for text in {*texts}}
    return [match[0] if (match := matches[text]) else None for text in texts]


def _seconds(rows: list[dict], key: str, file: File) -> np.ndarray:
    values = [row[key] for row in rows]
    for number, value in enumerate(values, 1):
        if value is not None and (type(value) not in (int, float) or not abs(value) < 1e15):
            raise ValueError(
                f"`path` must hold milliseconds in {key!r}, found another value in row {number} "
                f"of {file.last_name}."
            )
    return np.array(values, dtype="float64") / 1000


def _epoch(stamp) -> float:
    """Return seconds since 1970; newer exports write milliseconds, and 0 for none."""
    if type(stamp) not in (int, float) or not 0 < stamp < 1e15:
        return np.nan
    return stamp / 1000 if stamp > 1e11 else stamp


def _in_extended(ended_at: np.ndarray, part: np.ndarray, is_basic: np.ndarray) -> np.ndarray:
    """Tell plays of the account data that some extended file has seen as well."""
    covered = np.zeros(len(part), dtype=bool)
    for number in np.unique(part[~is_basic]) if is_basic.any() else []:
        seen = ended_at[(part == number) & ~np.isnat(ended_at)]
        if len(seen):
            covered |= (ended_at >= seen.min().astype("datetime64[m]")) & (ended_at <= seen.max())
    return covered & is_basic


def _notes(plays: dict, started_at: np.ndarray, used: np.ndarray, n_both: int) -> list[str]:
    notes = []
    if n_both:
        notes.append(
            "Plays of the account data that the extended history holds as well, and that are used "
            f"once: {n_both}."
        )
    offline = used & plays["is_offline"]
    if offline.any():
        since = started_at.astype("datetime64[us]").astype("int64") / 1e6
        late = offline & (since - plays["offline_at"] > 3600)
        notes.append(
            f"Plays made offline: {offline.sum()}, and {late.sum()} of them more than an hour "
            "before the time they bear, which may be that of their upload and stays as it is."
        )
    unknown = used & (plays["kind"] == "unknown") & (plays["precision"] == "minute")
    if unknown.any():
        notes.append(
            f"Plays in files that don't tell tracks from episodes or chapters: {unknown.sum()}."
        )
    return notes
