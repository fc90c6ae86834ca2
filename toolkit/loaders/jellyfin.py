"""Jellyfin and Emby: the database or the backup of their Playback Reporting plugin.

One row is a session with its seconds, less the pauses where Emby writes them (older versions of
Jellyfin's plugin counted them in).  The clock is the server's, whose zone `clock_tz` has to name,
or UTC where a database says that it was migrated (`user_version` 1); a backup never says.
A row of 0 seconds is not a watch.  Neither positions nor runtimes are there.
"""

import re

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
from toolkit.loaders.files import as_unicode
from toolkit.loaders.sources import Hints, Source
from toolkit.loaders.sqlite import holds_table, is_log, read_tables, without_logs
from toolkit.loaders.values import clock_times, numbers, people, small_numbers, texts, titles

__all__ = ["SOURCE", "read", "recognises"]

SOURCE = Source(
    name="jellyfin",
    service="Jellyfin or Emby, Playback Reporting plugin",
    one_row="a session of one title, with its seconds",
    row_is="session",
    clock="the server's (name `clock_tz`), UTC in migrated databases",
    precision="second",
    measures="seconds played, sessions by user and title",
    cannot="completion (no position, no runtime); pauses, in older versions",
)

_KINDS = {
    "movie": "film", "episode": "episode", "audio": "track", "musicvideo": "video",
    "video": "video", "trailer": "video",
}  # fmt: skip
# In the order of the backup; Emby adds the pauses, and what is not to be read.
_COLUMNS = (
    "DateCreated", "UserId", "ItemId", "ItemType", "ItemName", "PlaybackMethod", "ClientName",
    "DeviceName", "PlayDuration", "PauseDuration",
)  # fmt: skip
_NEEDED = ("DateCreated", "UserId", "ItemType", "ItemName", "ClientName", "PlayDuration")
_WIDTHS = range(9, 13)
_BACKUP = re.compile(
    rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,7})?\t[^\t\r\n]+\t[^\t\r\n]*\t[A-Za-z]*\t"
    rb"(?:[^\t\r\n]*\t){4}-?\d+(?:[\t\r\n]|\Z)"
)
_EPISODE = r"^(?P<series>.+?) - [Ss](?P<season>\d{1,4})[Ee](?P<episode>\d{1,4}) -(?: .*)?$"
_UTC_SINCE = 1
# What only the reasons are told by.
_TOLD = ["is_impossible", "is_negative", "is_trailer"]


def recognises(file: File) -> bool:
    """Return whether a file is the plugin's database (or the log beside it), or its backup."""
    if is_log(file):
        return "playback_reporting" in file.name.lower()
    head = file.head.removeprefix(b"\xef\xbb\xbf")
    return bool(_BACKUP.match(head)) or holds_table(file, "PlaybackActivity")


def read(files: list[File], hints: Hints) -> tuple[pa.Table, list[str]]:
    """Return the sessions of one server, every row of every file, and notes on them."""
    files, notes = without_logs(files)
    parts = []
    for file in files:
        columns, version = _columns(file)
        if version == _UTC_SINCE and hints.clock_tz not in (None, "UTC"):
            notes.append(f"{file.name} says that its clock is UTC: `clock_tz` was not used.")
        clock_tz = "UTC" if version == _UTC_SINCE else hints.clock_tz
        parts.append(_plays(columns, file, clock_tz, hints.date_order))
    plays = stacked(parts)
    title, at = codes_of(plays["title"]), plays["started_at"].to_numpy()
    watched = plays["watched_seconds"].to_numpy()
    impossible, negative, is_trailer = (plays[name].to_numpy() for name in _TOLD)
    reasons = {
        "no title": title < 0,
        "no time": np.isnat(at) & ~impossible,
        "impossible time": impossible,
        "impossible duration": negative,
        "supplemental": is_trailer,
        "not a watch": watched == 0,
    }
    keys, is_used = [codes_of(plays["profile"]), title, at], ~np.any([*reasons.values()], axis=0)
    reasons["duplicate"] = shorter_repeats(keys, watched, is_used)
    return plays.drop_columns(_TOLD).append_column("excluded", first_reasons(reasons)), notes


def _columns(file: File) -> tuple[dict, int | None]:
    """Return the columns of a file, and the version of its database if it is one."""
    if holds_table(file, "PlaybackActivity"):
        wanted = {"PlaybackActivity": (_NEEDED, ("PauseDuration",))}
        (columns,), version = read_tables(file, wanted)
        return columns, version
    text = as_unicode(file.read(), file.name, way_out="take the backup as it was made")
    lines = text.replace("\r\n", "\n").split("\n")
    rows = [line.split("\t") for line in lines if line]
    widths = np.array([len(row) for row in rows], dtype="int64")
    width = int(widths[0]) if len(widths) else _WIDTHS[0]
    if width not in _WIDTHS:
        raise ValueError(
            f"`path` must be a backup with {_WIDTHS[0]} to {_WIDTHS[-1]} fields in each row, "
            f"found {width} in row 1 of {file.name}."
        )
    if (widths != width).any():
        raise ValueError(
            f"`path` must be a backup with {width} fields in each row, found another number "
            f"in row {int((widths != width).argmax()) + 1} of {file.name}."
        )
    held = dict(zip(_COLUMNS, zip(*rows, strict=True), strict=False))
    return {name: held.get(name, (None,) * len(rows)) for name in _COLUMNS}, None


def _plays(columns: dict, file: File, clock_tz: str | None, order: str | None) -> pa.Table:
    user = people(columns["UserId"], "UserId", file)
    written = texts(columns["DateCreated"], "DateCreated", file)
    started, precision, impossible = clock_times(written, "DateCreated", file, clock_tz, order)
    played, paused = (
        numbers(columns[name], name, file) for name in ("PlayDuration", "PauseDuration")
    )
    media = [
        word and word.lower() for word in texts(columns["ItemType"], "ItemType", file).to_pylist()
    ]
    kind = [_KINDS.get(word, "unknown") for word in media]
    title = _known(titles(texts(columns["ItemName"], "ItemName", file)))
    is_episode = pa.array([word == "episode" for word in kind], pa.bool_())
    parts = pc.extract_regex(pc.if_else(is_episode, title, None), _EPISODE)
    series, season, episode = (
        pc.struct_field(parts, name) for name in ("series", "season", "episode")
    )
    return pa.table(
        {
            # Some versions wrote ids with dashes, others without.
            "profile": as_texts(pc.replace_substring(pc.utf8_lower(user), "-", "")),
            "title": as_texts(title),
            "started_at": in_utc(started),
            "watched_seconds": np.maximum(played - np.nan_to_num(paused), 0),
            "series": as_texts(_known(series)),
            "season": small_numbers(season.to_pylist())[0],
            "episode": small_numbers(episode.to_pylist())[0],
            "kind": as_texts(kind),
            "device": as_texts(titles(texts(columns["ClientName"], "ClientName", file))),
            "row_is": one_text(SOURCE.row_is, len(kind)),
            "precision": precision,
            "is_impossible": impossible,
            "is_negative": (played < 0) | (paused < 0),
            "is_trailer": pa.array([word == "trailer" for word in media], pa.bool_()),
        }
    )


def _known(names: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(names, "Not Known"), None, names)
