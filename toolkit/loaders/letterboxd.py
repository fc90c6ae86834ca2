"""Letterboxd: a row is a viewing of a film that its owner logged by hand.

The clock is the owner's calendar and the precision a day: `Watched Date`, never the day of
logging in `Date`.  There are no hours, no durations and nothing of what was not logged, and
diaries are often filled in years later.  `is_marked_rewatch` is the owner's own mark; False
only means that it was not set, not that the film was new to them.
"""

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.loaders.archive import File
from toolkit.loaders.columns import as_texts, first_reasons, in_utc, one_text
from toolkit.loaders.dates import read_dates
from toolkit.loaders.files import header_words, named_cells
from toolkit.loaders.sources import Hints, Source
from toolkit.titles import normalise_title

__all__ = ["SOURCE", "read", "recognises"]

SOURCE = Source(
    name="letterboxd",
    service="Letterboxd, Settings, 'export your data' (diary.csv)",
    one_row="a viewing of a film, logged by hand",
    row_is="logged",
    clock="the owner's calendar",
    precision="day",
    measures="days of viewing, films seen again, the owner's mark of a rewatch",
    cannot="hours, durations, completion, films that were not logged",
)

_COLUMNS = {
    "name": "name", "year": "year", "watcheddate": "day", "rewatch": "mark", "letterboxduri": "uri",
}  # fmt: skip
_DIARY = {"name", "year", "watcheddate"}
_WATCHED = {"date", "name", "year", "letterboxduri"}
# What their owner removed lies in folders of these names.
_REMOVED = {"deleted", "orphaned"}
_MARKS = {"yes": True, "no": False, "": False}


def recognises(file: File) -> bool:
    """Tell a diary by its header, and the list of marked films, which `read` refuses."""
    return _table(file) is not None


def read(files: list[File], hints: Hints) -> tuple[pa.Table, list[str]]:
    """Return the raw plays of a diary, every row of it, and notes for the report."""
    diaries = [file for file in files if _table(file) == "diary"]
    if not diaries:
        raise ValueError(
            f"`path` must hold a Letterboxd diary, found none in {files[0].last_name}, whose dates "
            "say when films were marked and not when they were watched: export the account data "
            "again, with diary.csv in it."
        )
    parts = [_columns(file, hints) for file in diaries]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    titles, days, length = columns["title"], columns["day"], len(columns["title"])
    excluded = first_reasons(
        {
            "no title": np.equal(titles, None),
            "no time": columns["is_blank"],
            "impossible time": columns["is_impossible"],
            "duplicate": _seen_before(columns["uri"]),
        }
    )
    plays = pa.table(
        {
            "profile": one_text("", length),
            "title": as_texts(titles),
            "started_at": in_utc(days),
            "kind": one_text("film", length),
            "is_marked_rewatch": pa.array(columns["mark"], pa.bool_()),
            "row_is": one_text(SOURCE.row_is, length),
            "precision": one_text(SOURCE.precision, length),
            "excluded": excluded,
        }
    )
    return plays, []


def _table(file: File) -> str | None:
    *folders, name = file.name.replace("\\", "/").lower().split("/")
    start = file.head[:1024].replace(b"\0", b"")
    if _REMOVED & {*folders} or not (b"Watched Date" in start or b"Letterboxd URI" in start):
        return None
    words = {*header_words(file.head)}
    if words >= _DIARY and "review" not in words:
        return "diary"
    return "watched" if words == _WATCHED and name == "watched.csv" else None


def _columns(file: File, hints: Hints) -> dict[str, np.ndarray]:
    rows = named_cells(file.read(), file.last_name, _COLUMNS)[0]
    if any(_COLUMNS[word] not in rows for word in _DIARY):
        raise ValueError(
            "`path` must be a diary with 'Name', 'Year' and 'Watched Date', found "
            f"{file.last_name} without all of them."
        )
    cells = {name: rows[name].tolist() for name in rows}
    dates = read_dates(rows["day"], file.last_name, date_order=hints.date_order)
    titles = [
        normalise_title(f"{name} ({year.strip()})" if name.strip() and year.strip() else name)
        for name, year in zip(cells["name"], cells["year"], strict=True)
    ]
    return {
        "title": np.array([title or None for title in titles], dtype=object),
        "day": dates.clock.to_numpy().astype("datetime64[D]").astype("datetime64[us]"),
        "is_blank": dates.clock.isna().to_numpy() & ~dates.is_impossible,
        "is_impossible": dates.is_impossible,
        "uri": np.array(cells.get("uri", [""] * len(rows)), dtype=object),
        "mark": np.array(_marks(cells.get("mark"), len(rows), file), dtype=object),
    }


def _marks(cells: list[str] | None, length: int, file: File) -> list[bool | None]:
    if cells is None:
        return [None] * length
    words = [cell.strip().lower() for cell in cells]
    if wrong := {*words} - {*_MARKS}:
        raise ValueError(
            f"`path` must hold Yes or nothing in 'Rewatch', found another text in row "
            f"{min(map(words.index, wrong)) + 1} of {file.last_name}."
        )
    return [_MARKS[word] for word in words]


def _seen_before(uris: np.ndarray) -> np.ndarray:
    uris = pd.Series([uri.strip() or None for uri in uris], dtype="str")
    return (uris.duplicated() & uris.notna()).to_numpy(bool)
