"""Trakt: a row is a film or an episode that a player scrobbled, or that somebody marked.

Times are UTC to the second.  `started_at` is Trakt's `watched_at`, which for what a player
scrobbled is probably the *end* of the play; for what was marked by hand (`row_is` "logged") it
is whatever was given.  No row has a duration, so nothing tells a finished play from a started
one.  What is no time of watching is set aside: five or more rows in one second ("bulk import"),
the day of release ("release date"), and 1 January 1970, which stands for unknown.
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
    name="trakt",
    service="Trakt, data export (watched-history)",
    one_row="a play: scrobbled by a player or checked in (play), or marked by hand (logged)",
    row_is="play",
    clock="UTC; of scrobbled plays probably the end",
    precision="second",
    measures="plays, rewatching, days of viewing, once bulk imports are set aside",
    cannot="durations, completion; the true time of what was marked by hand",
)

_ROW_IS = {"scrobble": "play", "checkin": "play", "watch": "logged"}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
_AIRED = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,6})?Z)?", re.ASCII)
# So many rows in one second are an import.
_BULK = 5
_SECOND = 1_000_000
# Two plays of a title that are so near, or whole half hours apart, may be one.
_NEAR, _HALF_HOUR, _SLACK, _LONGEST_OFFSET = 600, 1800, 5, 14 * 3600


def recognises(file: File) -> bool:
    """Tell a history by the keys of its rows, and the lists of counts, which `read` refuses."""
    return _is_history(file) or _is_counts(file)


def read(files: list[File], hints: Hints) -> tuple[pa.Table, list[str]]:
    """Return the raw plays of an export, every row of all its histories, and notes."""
    histories = [file for file in files if _is_history(file)]
    if not histories:
        raise ValueError(
            f"`path` must hold Trakt's history, found none in {files[0].last_name}, which counts "
            "plays and dates only the last: take watched-history-1.json and on from the export."
        )
    read = [_rows(file) for file in histories]
    rows, at = [row for rows, _ in read for row in rows], np.concatenate([at for _, at in read])
    length = len(rows)
    titles = np.array([row["title"] for row in rows], dtype=object)
    aired = np.array([row["aired"] for row in rows], dtype="M8[us]")
    by_hand = np.array([row["row_is"] == "logged" for row in rows], dtype=bool)
    no_title, no_time = np.equal(titles, None), np.isnat(at)
    out_of_bounds = is_outside(at)
    epoch = np.abs(at.astype("M8[D]").astype("int64")) <= 1
    impossible = out_of_bounds | (epoch & ~no_time)
    ids = pd.Series([row["id"] for row in rows], dtype="object")
    again = (ids.duplicated() & ids.notna()).to_numpy(bool)
    seconds = at.astype("M8[s]")
    counted = pd.Series(seconds[~(no_time | impossible | again)]).value_counts()
    is_bulk = np.isin(seconds, counted.index[counted >= _BULK].to_numpy())
    excluded = first_reasons(
        {
            "no title": no_title,
            "no time": no_time,
            "impossible time": impossible,
            "duplicate": again,
            "release date": _at_release(at, aired, by_hand),
            "bulk import": is_bulk,
        }
    )
    at[out_of_bounds] = np.datetime64("NaT")
    plays = {
        "profile": one_text("", length),
        "title": as_texts(titles),
        "started_at": in_utc(at),
        "series": as_texts([row["series"] for row in rows]),
        "season": pa.array([row["season"] for row in rows], pa.int16()),
        "episode": pa.array([row["episode"] for row in rows], pa.int16()),
        "kind": as_texts([row["kind"] for row in rows]),
        "row_is": as_texts([row["row_is"] for row in rows]),
        "precision": one_text(SOURCE.precision, length),
        "excluded": excluded,
    }
    return pa.table(plays), _notes(titles, at, is_missing(excluded))


def _is_history(file: File) -> bool:
    head = file.head
    return (
        b'"watched_at"' in head
        and b'"action"' in head
        and (b'"movie"' in head or b'"episode"' in head)
        and starts_a_list(head)
    )


def _is_counts(file: File) -> bool:
    head = file.head
    return (
        b'"last_watched_at"' in head
        and b'"plays"' in head
        and (b'"movie"' in head or b'"show"' in head)
        and starts_a_list(head)
    )


def _rows(file: File) -> tuple[list[dict], np.ndarray]:
    """Return what is used of each row of one history, and when it was watched."""
    rows = json_rows(file, ["watched_at"])
    at = json_times(rows, "watched_at", _TIME, "2024-03-05T20:15:30.000Z", file)
    where = f"of {file.last_name}"
    return [_row(row, f"in row {number} {where}") for number, row in enumerate(rows, 1)], at


def _row(row: dict, where: str) -> dict:
    movie = _part(row, "movie", dict, where) or {}
    show = _part(row, "show", dict, where) or {}
    episode = _part(row, "episode", dict, where) or {}
    read = {
        "id": _part(row, "id", int, where),
        "row_is": _ROW_IS.get(_part(row, "action", str, where), "logged"),
        "series": None, "season": None, "episode": None,
        "aired": _aired(movie, "released", where) or _aired(episode, "first_aired", where),
    }  # fmt: skip
    if movie:
        title, year = _text(movie, where), _part(movie, "year", int, where)
        return read | {"kind": "film", "title": f"{title} ({year})" if title and year else title}
    if not episode:
        return read | {"kind": "unknown", "title": None}
    series = _text(show, where)
    season, number = _small(episode, "season", where), _small(episode, "number", where)
    code = f"S{season:02d}E{number:02d}" if None not in (season, number) else None
    parts = [series, code, _text(episode, where)]
    return read | {
        "kind": "episode", "title": " ".join(filter(None, parts)) if series else None,
        "series": series, "season": season, "episode": number,
    }  # fmt: skip


def _part(row: dict, key: str, kind: type, where: str):
    value = row.get(key)
    if value is None or type(value) is kind:
        return value
    raise ValueError(f"`path` must hold Trakt's plays, found another kind of {key!r} {where}.")


def _text(item: dict, where: str) -> str | None:
    return normalise_title(_part(item, "title", str, where) or "") or None


def _small(episode: dict, key: str, where: str) -> int | None:
    number = _part(episode, key, int, where)
    if number is None or 0 <= number < 2**15:
        return number
    raise ValueError(f"`path` must hold small whole numbers in {key!r}, found another {where}.")


def _aired(item: dict, key: str, where: str) -> np.datetime64 | None:
    """Return when a film (a day) or an episode (an instant) came out, where the export knows."""
    text = _part(item, key, str, where) if item else None
    try:
        return np.datetime64(text.rstrip("Z"), "us") if text and _AIRED.fullmatch(text) else None
    except ValueError:
        return None


def _at_release(at: np.ndarray, aired: np.ndarray, by_hand: np.ndarray) -> np.ndarray:
    """Tell times that are the release itself, or by hand a full hour of its day."""
    of_day = at.astype("int64") % (86_400 * _SECOND)
    same_day = (at.astype("M8[D]") == aired.astype("M8[D]")) & (of_day % (3600 * _SECOND) == 0)
    return (at.astype("M8[s]") == aired.astype("M8[s]")) | (by_hand & same_day)


def _notes(titles: np.ndarray, at: np.ndarray, used: np.ndarray) -> list[str]:
    """Count neighbouring plays of a title that may be one play, scrobbled twice."""
    codes, at = pd.factorize(titles[used])[0], at[used].astype("int64") // _SECOND
    order = np.lexsort((at, codes))
    same = codes[order][1:] == codes[order][:-1]
    apart = np.diff(at[order])
    near = same & (apart <= _NEAR)
    off = (apart + _SLACK) % _HALF_HOUR <= 2 * _SLACK
    shifted = same & ~near & off & (apart <= _LONGEST_OFFSET)
    if not near.any() and not shifted.any():
        return []
    return [
        f"Plays that may have been scrobbled twice, and stay: {near.sum()} within ten minutes of "
        f"the same title, {shifted.sum()} a whole number of half hours after it."
    ]
