"""Tautulli: the history of a Plex server, from its database or its API.

One row is a session: from the start of a stream to its stop, in epoch seconds (UTC).  A film
that was interrupted has several rows.  `watched_seconds` leaves pauses out; a session that had
not stopped is used and has none.  A row of the API that stands for several sessions is a play,
and no row of the API has a position or a runtime.  Films of one name are one title.
"""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.loaders.archive import File
from toolkit.loaders.columns import (
    as_texts,
    codes_of,
    first_reasons,
    in_utc,
    one_text,
    shorter_repeats,
    stacked,
)
from toolkit.loaders.json_rows import json_rows
from toolkit.loaders.plex import title_of
from toolkit.loaders.sources import Hints, Source
from toolkit.loaders.sqlite import holds_table, is_log, read_tables, without_logs
from toolkit.loaders.values import instants, numbers, people, small_numbers, texts, titles

__all__ = ["SOURCE", "read", "recognises"]

SOURCE = Source(
    name="tautulli",
    service="Tautulli beside a Plex server, its database or get_history",
    one_row="a session: from the start of a stream to its stop",
    row_is="session",
    clock="UTC",
    precision="second",
    measures="seconds watched without pauses; where a session ended, of which runtime",
    cannot="tell apart films of one name; positions, from the API; anything seen elsewhere",
)

_KINDS = {"movie": "film", "episode": "episode", "track": "track", "clip": "video"}
_SESSION = ("id", "started", "stopped", "user_id", "media_type")
_SESSION_TOO = ("paused_counter", "platform", "view_offset")
_METADATA = ("id", "title", "grandparent_title")
_METADATA_TOO = (
    "full_title", "media_index", "parent_media_index", "year", "duration", "live",
)  # fmt: skip
_OF_API = (
    "started", "stopped", "user_id", "media_type", "paused_counter", "platform", "title",
    "grandparent_title", "full_title", "media_index", "parent_media_index", "year", "live",
    "group_count", "state",
)  # fmt: skip
# What only the reasons and the notes are told by.
_TOLD = [
    "id", "year", "is_unreal", "is_unreal_start", "is_negative", "is_photo", "is_unfit",
    "is_grouped",
]  # fmt: skip
_API = re.compile(rb'\s*\{\s*"response"\s*:\s*\{')
_API_KEYS = (b'"paused_counter"', b'"group_ids"', b'"reference_id"', b'"filter_duration"')
_CSV = [b"Platform", b"Player", b"Started", b"Paused", b"Stopped"]


def recognises(file: File) -> bool:
    """Return whether a file is Tautulli's database (or the log beside it), or its history."""
    head = file.head.removeprefix(b"\xef\xbb\xbf")
    if is_log(file):
        return "tautulli" in file.name.lower() or "plexpy" in file.name.lower()
    if _API.match(head):
        return any(key in head for key in _API_KEYS)
    return _is_csv(head) or holds_table(file, "session_history_metadata")


def read(files: list[File], hints: Hints) -> tuple[pa.Table, list[str]]:
    """Return the plays of one server, every row of every file, and notes on them."""
    files, notes = without_logs(files)
    plays = stacked([_plays(_columns(file), file) for file in files])
    title, at, row_id = (
        codes_of(plays["title"]), plays["started_at"].to_numpy(), codes_of(plays["id"])
    )  # fmt: skip
    unreal, unreal_start, negative, is_photo, is_unfit, is_grouped = (
        plays[name].to_numpy() for name in _TOLD[2:]
    )
    reasons = {
        "no title": title < 0,
        "no time": np.isnat(at) & ~unreal_start,
        "impossible time": unreal,
        "impossible duration": negative,
        "not a watch": is_photo,
    }
    is_used = ~np.any([*reasons.values()], axis=0)
    reasons["duplicate"] = shorter_repeats(
        [codes_of(plays["profile"]), row_id, at],
        plays["watched_seconds"].to_numpy(),
        is_used & (row_id >= 0),
    )
    is_film = pc.and_(pc.equal(plays["kind"].cast(pa.string()), "film"), plays["year"].is_valid())
    films = plays.filter(pc.and_(is_film, plays["title"].is_valid())).select(["title", "year"])
    films = {*zip(*(column.to_pylist() for column in films.columns), strict=True)}
    for count, what in (
        (
            len(films) - len({name for name, _ in films}),
            "titles stand for more than one film, by their years",
        ),
        (is_unfit.sum(), "season or episode numbers were no whole numbers and are unknown"),
        (is_grouped.sum(), "rows stand for several sessions each (get_history: grouping=0)"),
    ):
        notes += [f"{count} {what}."] if count else []
    return plays.drop_columns(_TOLD).append_column("excluded", first_reasons(reasons)), notes


def _is_csv(head: bytes) -> bool:
    header = head.split(b"\n", 1)[0]
    return b"\0" not in header and all(word in header for word in _CSV)


def _columns(file: File) -> dict[str, Sequence]:
    if file.head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        return _of_api(file)
    if _is_csv(file.head):
        raise ValueError(
            "`path` must hold Tautulli's database or get_history, found the table of its page in "
            f"{file.name}, whose clock is unknown: copy tautulli.db instead."
        )
    (sessions, metadata), _ = read_tables(
        file,
        {
            "session_history": (_SESSION, _SESSION_TOO),
            "session_history_metadata": (_METADATA, _METADATA_TOO),
        },
    )
    ids = metadata.pop("id")
    if ids != sessions["id"]:
        row_of = {number: row for row, number in reversed([*enumerate(ids)])}
        rows = [row_of.get(number) for number in sessions["id"]]
        metadata = {
            name: [None if row is None else values[row] for row in rows]
            for name, values in metadata.items()
        }
    return sessions | metadata


def _of_api(file: File) -> dict[str, Sequence]:
    rows = json_rows(file, within=("response", "data", "data"))
    if rows and (missing := [n for n in ("started", "user_id") if not any(n in r for r in rows)]):
        raise ValueError(
            f"`path` must hold sessions with {missing}, found none in {file.name}: "
            "ask get_history again."
        )
    columns = {name: [row.get(name) for row in rows] for name in _OF_API}
    columns["id"] = [row.get("row_id", row.get("id")) for row in rows]
    columns["played"] = [row.get("play_duration", row.get("duration")) for row in rows]
    return columns


def _plays(columns: dict[str, Sequence], file: File) -> pa.Table:
    profile = people(columns["user_id"], "user_id", file)
    media = texts(columns["media_type"], "media_type", file).to_pylist()
    return pa.table(
        {
            "profile": as_texts(profile),
            **_items(columns, media, file),
            **_times(columns, file),
            "device": as_texts(titles(texts(columns["platform"], "platform", file))),
            "precision": one_text(SOURCE.precision, len(media)),
            "id": as_texts(texts(columns["id"], "id", file)),
            "year": as_texts(texts(columns["year"], "year", file)),
            "is_photo": pa.array([word == "photo" for word in media], pa.bool_()),
        }
    )


def _items(columns: dict[str, Sequence], media: list, file: File) -> dict:
    """Return what was on, row by row."""
    kind = [_KINDS.get(word, "unknown") for word in media]
    name, full, show, of_season, of_episode = (
        titles(texts(columns[name], name, file))
        for name in (
            "title", "full_title", "grandparent_title", "parent_media_index", "media_index",
        )
    )  # fmt: skip
    cells = (part.to_pylist() for part in (name, full, show, of_season, of_episode))
    is_episode = np.array([word == "episode" for word in kind], dtype=bool)
    season, unfit_season = small_numbers(columns["parent_media_index"], is_episode)
    episode, unfit_episode = small_numbers(columns["media_index"], is_episode)
    return {
        "title": as_texts([_title(*row) for row in zip(kind, *cells, strict=True)]),
        "series": as_texts(pc.if_else(is_episode, show, None)),
        "season": season,
        "episode": episode,
        "kind": as_texts(kind),
        "is_unfit": unfit_season | unfit_episode,
    }


def _title(kind, name, full, *of_show) -> str | None:
    if kind == "track" and full:
        return full
    return title_of(kind, name, *of_show) or full


def _times(columns: dict[str, Sequence], file: File) -> dict:
    """Return when a session was and how much of it was watched."""
    of_api = "played" in columns
    amounts = {
        name: numbers(columns.get(name, (None,) * len(columns["started"])), name, file)
        for name in (
            "started", "stopped", "paused_counter", "view_offset", "duration", "live",
            "group_count", "played",
        )
    }  # fmt: skip
    started, unreal_start = instants(amounts["started"])
    stopped, unreal_stop = instants(amounts["stopped"])
    elapsed = (stopped - started) / np.timedelta64(1, "s")
    paused, grouped = amounts["paused_counter"], amounts["group_count"] > 1
    watched = np.maximum(elapsed - np.nan_to_num(paused), 0)
    if of_api:
        # From the first start to the last stop of several sessions is not what was watched.
        played = amounts["played"]
        watched = np.where(np.isnan(played) & ~grouped, watched, played)
        running = texts(columns["state"], "state", file).is_valid()
        running = np.asarray(running)
        watched[running | np.isnat(stopped)] = np.nan
    # What is sent live has no position of its own, and its slot for a runtime.
    live = np.nan_to_num(amounts["live"]) != 0
    position = np.where(live, np.nan, amounts["view_offset"] / 1000)
    runtime = np.where(live | (amounts["duration"] == 0), np.nan, amounts["duration"] / 1000)
    return {
        "started_at": in_utc(started),
        "ended_at": in_utc(stopped),
        "watched_seconds": np.maximum(watched, 0),
        "position_seconds": position,
        "runtime_seconds": runtime,
        "row_is": as_texts(["play" if several else "session" for several in grouped]),
        "is_unreal": unreal_start | unreal_stop | (elapsed < 0),
        "is_unreal_start": unreal_start,
        "is_grouped": grouped,
        "is_negative": (watched < 0) | (paused < 0) | (position < 0) | (runtime < 0),
    }
