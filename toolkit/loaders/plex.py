"""Plex: the completed views that a media server keeps in its own database.

One row is a completed view (about 90 % of a title), or a title that somebody marked as watched.
Its time is when the view was completed: the start is not known, `started_at` is the finish, and
there are no durations.  Times are text in UTC or epoch seconds, told cell by cell.  Marks by hand
can't be told from views, except where five or more of one account share a second
("bulk import").
Films of one name are one title.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
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
from toolkit.loaders.sources import Hints, Source
from toolkit.loaders.sqlite import holds_table, is_log, read_tables, without_logs
from toolkit.loaders.values import (
    clock_times,
    instants,
    numbers,
    people,
    small_numbers,
    texts,
    titles,
)

__all__ = ["SOURCE", "read", "recognises", "title_of"]

SOURCE = Source(
    name="plex",
    service="Plex Media Server, its database",
    one_row="a completed view (about 90 %), or a title marked as watched",
    row_is="completed",
    clock="UTC, when the view was completed",
    precision="second",
    measures="how often and when each account finished a title",
    cannot="starts, seconds watched, unfinished views; single marks by hand look like views",
)

_EPISODE = 4
_KINDS = {1: "film", _EPISODE: "episode", 10: "track", 12: "video"}
# Shows, seasons, artists, albums, photos and their albums are nothing that can be watched.
_NO_WATCH = [2, 3, 8, 9, 13, 14]
_BULK = 5
_NEEDED = ("account_id", "metadata_type", "title", "viewed_at")
_OPTIONAL = ("grandparent_title", "parent_index", "index")


def recognises(file: File) -> bool:
    """Return whether a file is a Plex server's database, or the log beside it."""
    if is_log(file):
        return "com.plexapp" in file.name
    return holds_table(file, "metadata_item_views")


def read(files: list[File], hints: Hints) -> tuple[pa.Table, list[str]]:
    """Return the completed views of one server, every row of every file, and notes on them."""
    files, notes = without_logs(files)
    plays = stacked([_plays(file) for file in files])
    title, at = codes_of(plays["title"]), plays["started_at"].to_numpy()
    impossible, no_watch, unfit = (
        plays[name].to_numpy() for name in ("is_impossible", "is_no_watch", "is_unfit")
    )
    keys = [codes_of(plays["profile"]), at, title]
    reasons = {
        "no title": title < 0,
        "no time": np.isnat(at) & ~impossible,
        "impossible time": impossible,
        "not a watch": no_watch,
    }
    is_used = ~np.any([*reasons.values()], axis=0)
    reasons["duplicate"] = shorter_repeats(keys, np.zeros(len(plays)), is_used)
    is_used &= ~reasons["duplicate"]
    at_once = pd.DataFrame(dict(enumerate(keys[:2])))[is_used].groupby([0, 1])[0].transform("size")
    reasons["bulk import"] = at_once.reindex(range(len(plays)), fill_value=0).to_numpy() >= _BULK
    if n_bulk := reasons["bulk import"].sum():
        notes.append(f"{n_bulk} rows share account and second with at least {_BULK - 1} more.")
    if unfit.any():
        notes.append(
            f"{unfit.sum()} season or episode numbers were no whole numbers and are unknown."
        )
    plays = plays.drop_columns(["is_impossible", "is_no_watch", "is_unfit"])
    return plays.append_column("excluded", first_reasons(reasons)), notes


def title_of(kind, name, show, season, episode) -> str | None:
    """Return what tells a title from all others of a Plex library."""
    if show is None or kind not in ("episode", "track"):
        return name
    if kind == "track":
        return name and f"{name} - {show}"
    # Below 0 is how a server writes that it doesn't know the number.
    known = {
        letter: letter + number.lstrip("0").zfill(2)
        for letter, number in (("S", season), ("E", episode))
        if number is not None and not number.startswith("-")
    }
    if name is None and "E" not in known:
        return None
    number = "".join(known.values())
    return " ".join(part for part in (show, number, name) if part)


def _plays(file: File) -> pa.Table:
    (views,), _ = read_tables(file, {"metadata_item_views": (_NEEDED, _OPTIONAL)})
    profile = people(views["account_id"], "account_id", file)
    metadata_type = numbers(views["metadata_type"], "metadata_type", file)
    kind = [_KINDS.get(number, "unknown") for number in metadata_type.tolist()]
    name, show, of_season, of_episode = (
        titles(texts(views[column], column, file))
        for column in ("title", "grandparent_title", "parent_index", "index")
    )
    cells = (part.to_pylist() for part in (name, show, of_season, of_episode))
    is_episode = metadata_type == _EPISODE
    season, unfit_season = small_numbers(views["parent_index"], is_episode)
    episode, unfit_episode = small_numbers(views["index"], is_episode)
    viewed_at, impossible = _viewed_at(views["viewed_at"], file)
    return pa.table(
        {
            "profile": as_texts(profile),
            "title": as_texts([title_of(*row) for row in zip(kind, *cells, strict=True)]),
            "started_at": in_utc(viewed_at),
            "series": as_texts(pc.if_else(is_episode, show, None)),
            "season": season,
            "episode": episode,
            "kind": as_texts(kind),
            "row_is": one_text(SOURCE.row_is, len(kind)),
            "precision": one_text(SOURCE.precision, len(kind)),
            "is_impossible": impossible,
            "is_no_watch": np.isin(metadata_type, _NO_WATCH),
            "is_unfit": unfit_season | unfit_episode,
        }
    )


def _viewed_at(values: Sequence, file: File) -> tuple[np.ndarray, np.ndarray]:
    """Return instants of a column that older servers wrote as text and newer ones as numbers."""
    written = [isinstance(value, str) and ("-" in value[1:] or ":" in value) for value in values]
    if not any(written):
        return instants(numbers(values, "viewed_at", file))
    cells = [value if text else None for value, text in zip(values, written, strict=True)]
    rest = [None if text else value for value, text in zip(values, written, strict=True)]
    cells = texts(cells, "viewed_at", file)
    at, _, impossible = clock_times(cells, "viewed_at", file, "UTC", "YMD")
    counted, unreal = instants(numbers(rest, "viewed_at", file))
    return np.where(written, at, counted), impossible | unreal
