"""Cells of Prime Video's histories: the columns of each era, their times and numbers."""

import re

import numpy as np
import pandas as pd

from toolkit.days import from_clock
from toolkit.loaders.archive import File
from toolkit.loaders.cells import shown
from toolkit.loaders.dates import read_dates
from toolkit.loaders.files import header_words, named_cells
from toolkit.loaders.sources import Hints

__all__ = ["SCRIPT", "booleans", "cells_of", "numbers", "times"]

# Of two that mean the same, the first is read.
_COLUMNS = {
    "playbackhour": "start", "playbackstartdatetimeutc": "start", "mostrecentwatchdate": "start",
    "playbackenddatetimeutc": "end", "secondsviewed": "seconds", "secondswatched": "seconds",
    "title": "title", "titlename": "title", "materialtypedescription": "material",
    "profiletype": "profile", "isautoplay": "autoplay", "endpointseconds": "position",
    "devicemodel": "device", "devicetype": "device", "operatingsystem": "device",
    "countrycode": "country", "country": "country",
}  # fmt: skip
# The first four columns of the script, in each language of its author.
SCRIPT = [
    line.split()
    for line in (
        "datewatched type title episode", "datewatched type title episodetitle",
        "datumangesehen typ titel folge", "datumangesehen typ titel episode",
        "fechavista tipo título episodio", "fechadevisualización tipo título episodio",
        "dateregardée type titre épisode", "dataassistida tipo título episódio",
        "datadevisualização tipo título episódio", "觀看日期 類型 標題 集",
        "視聴日 種類 タイトル エピソード",
    )
]  # fmt: skip
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?)? ?(?:Z|UTC)?", re.ASCII)
_MILLISECONDS = re.compile(r"\d{12,13}", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,12}(?:\.\d{1,9})?", re.ASCII)
_MISSING = {"not available", "not applicable"}
_YES_NO = {"yes": True, "true": True, "no": False, "false": False, "": None}


def cells_of(file: File, era: str) -> dict[str, list[str]]:
    """Return the columns known here, without the quotes and words for nothing around cells."""
    words = header_words(file.head)
    if era == "script":
        columns = dict(zip(words[:4], ["start", "type", "title", "episode"], strict=True))
    else:
        ours = {}
        for word, name in _COLUMNS.items():
            if word in words:
                ours.setdefault(name, word)
        columns = {word: name for name, word in ours.items()}
        columns |= {word: word for word in words if word.startswith("videoduration")}
    cells = named_cells(file.read(), file.last_name, columns)[0]
    if not {"start", "title"} <= {*cells} or (era == "script" and "episode" not in cells):
        raise ValueError(
            f"`path` must hold titles and times of Prime Video, found none in {file.last_name}."
        )
    return {name: _bare(cells[name].tolist(), name == "title") for name in cells}


def _bare(cells: list[str], is_title: bool) -> list[str]:
    quoted = {cell: cell.strip() for cell in {*cells}}
    bare = {cell: text.strip('"').strip() for cell, text in quoted.items()}
    bare = {cell: "" if text.casefold() in _MISSING else text for cell, text in bare.items()}
    # A title may be a quotation, so quotes only go where each title has them.
    if is_title and not all(quoted[c][:1] == quoted[c][-1:] == '"' for c in bare if bare[c]):
        bare = {cell: quoted[cell] if text else "" for cell, text in bare.items()}
    elif is_title:
        bare = {cell: quoted[cell][1:-1] if text else "" for cell, text in bare.items()}
    return [bare[cell] for cell in cells]


def times(cells: list[str], era: str, file: File, hints: Hints) -> tuple[np.ndarray, str]:
    """Return times in UTC, all in one style, and how exact they are."""
    known = [cell for cell in cells if cell]
    if era == "script" and known and all(map(_MILLISECONDS.fullmatch, known)):
        at = np.array([int(cell) if cell else "NaT" for cell in cells], dtype="M8[ms]")
        return at.astype("M8[us]"), "second"
    at, is_day = _iso(cells, file), bool(known) and all(len(cell) == 10 for cell in known)
    if at is None:
        # Amazon wrote the month first, and other programs may have saved it again.
        dates = read_dates(pd.Series(cells, dtype="str"), file.last_name, date_order="MDY")
        at, is_day = dates.clock.to_numpy().copy(), dates.precision == "day"
    if era == "script" and is_day:
        raise ValueError(
            f"`path` must hold times and not days, which old scripts write a day early in many "
            f"zones, found days in {file.last_name}: save the page again with a newer script."
        )
    if era != "events" or is_day or any(cell.endswith(("Z", "UTC")) for cell in known):
        return at, "hour" if era == "a" else "day" if is_day else "second"
    if known and hints.clock_tz is None:
        raise ValueError(
            f"`clock_tz` must say which zone the clock of {file.last_name} showed, found times "
            "that do not."
        )
    is_known = ~np.isnat(at)
    if known:
        at[is_known] = from_clock(at[is_known].view("int64"), hints.clock_tz)[0].view("M8[us]")
    return at, "second"


def _iso(cells: list[str], file: File) -> np.ndarray | None:
    """Read times that start with the year; None where the first does not."""
    first = next(filter(None, cells), "")
    if first and not _ISO.fullmatch(first):
        return None
    for row, cell in enumerate(cells, 1):
        if cell and (not _ISO.fullmatch(cell) or (len(cell) == 10) != (len(first) == 10)):
            raise _unread(cell, row, file)
    texts = [cell.rstrip(" ZUTC")[:26] or "NaT" for cell in cells]
    try:
        return np.array(texts, dtype="M8[us]")
    except ValueError:
        row = next(n for n, text in enumerate(texts) if not _is_date(text))
        raise _unread(cells[row], row + 1, file) from None


def _is_date(text: str) -> bool:
    try:
        np.datetime64(text, "us")
    except ValueError:
        return False
    return True


def _unread(cell: str, row: int, file: File) -> ValueError:
    return ValueError(
        f"`path` must hold times and seconds in one style, found {shown(cell)} in row {row} of "
        f"{file.last_name}."
    )


def numbers(cells: list[str], file: File) -> np.ndarray:
    """Return seconds or milliseconds, blank ones as NaN."""
    for row, cell in enumerate(cells, 1):
        if cell and not _NUMBER.fullmatch(cell):
            raise _unread(cell, row, file)
    return np.array([cell or "nan" for cell in cells], dtype="float64")


def booleans(cells: list[str], file: File) -> pd.api.extensions.ExtensionArray:
    """Return what is Yes or No; blank ones are unknown."""
    words = [cell.casefold() for cell in cells]
    if wrong := {*words} - {*_YES_NO}:
        raise ValueError(
            f"`path` must hold Yes or No for autoplay, found another text in row "
            f"{min(map(words.index, wrong)) + 1} of {file.last_name}."
        )
    return pd.array([_YES_NO[word] for word in words], dtype="boolean")
