"""Netflix's 'download your information': a row of ViewingActivity is a session of playing.

Its clock is UTC, to the second unless a spreadsheet took the seconds away.  A viewing is often
several sessions, so rows are no viewings.  There are no ids and no runtimes: titles with equal
names are one, and how far a viewing got is known only against the furthest position seen.
"""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from toolkit.loaders.archive import File
from toolkit.loaders.cells import NO_INFORMATION, written_seconds
from toolkit.loaders.columns import (
    as_coded,
    coded_texts,
    coded_truths,
    codes_of,
    first_reasons,
    in_utc,
    one_text,
    shorter_repeats,
)
from toolkit.loaders.dates import read_dates
from toolkit.loaders.files import header_words, named_table
from toolkit.loaders.netflix_history import coded_titles
from toolkit.loaders.sources import Hints, Source

__all__ = ["NO_ROWS", "SOURCE", "finish", "is_placeholder", "read", "recognises"]

SOURCE = Source(
    name="netflix",
    service="Netflix, 'download your information'",
    one_row="a session of playing; a viewing is often several",
    row_is="session",
    clock="UTC",
    precision="second",
    measures="when and how long each profile watched what, rewatches, streaks, devices, autoplay",
    cannot="runtimes and ids of titles; pauses within a session; who sat before the screen",
    has_suffix=True,
)

# Words of the header, see `header_words`; a header in another language is added here.
_COLUMNS = {
    "profilename": "profile",
    "starttime": "started_at",
    "starttimeutc": "started_at",
    "duration": "watched_seconds",
    "durationhmmss": "watched_seconds",
    "attributes": "attributes",
    "title": "title",
    "supplementalvideotype": "supplemental",
    "devicetype": "device",
    "bookmark": "position_seconds",
    "country": "country",
}
_NEEDED = {"profile": "Profile Name", "started_at": "Start Time", "title": "Title"}
_USEFUL = {
    "watched_seconds": "Duration",
    "attributes": "Attributes",
    "supplemental": "Supplemental Video Type",
    "device": "Device Type",
    "position_seconds": "Bookmark",
    "country": "Country",
}
_HEADER = ",".join([*_NEEDED.values(), *_USEFUL.values()]).encode()
_SECONDS = ["watched_seconds", "position_seconds"]
_PROFILE_COLUMNS = {"profilename": "profile", "maturitylevel": "maturity"}
# Netflix sends this for a table without rows, under the table's name.
NO_ROWS = b"We found no information for this table."
_ADULT = {"ADULTS", "ADULT", "1000000"}
_COUNTRY = re.compile(r"([A-Z]{2})(?: \(.*)?")
_PRECISIONS = ["second", "minute", "day"]


def recognises(file: File) -> bool:
    """Tell whether a file is ViewingActivity (or the text that it has no rows) or Profiles."""
    if is_placeholder(file):
        return True
    words = header_words(file.head)
    return _is_activity(words) or _is_profiles(words)


def read(files: list[File], hints: Hints) -> tuple[pa.Table, list[str]]:
    """Return a row per row of every ViewingActivity, file after file, for `finish`, and notes.

    `is_kids` is known where Profiles says it; a profile that is only listed there has no row.
    """
    words = [header_words(file.head) for file in files]
    tables = [f for f, w in zip(files, words, strict=True) if _is_activity(w)]
    listed = [
        f for f, w in zip(files, words, strict=True) if not _is_activity(w) and _is_profiles(w)
    ]
    if not tables and not any(is_placeholder(file) for file in files):
        raise ValueError(
            f"`path` must hold Netflix's ViewingActivity, found only {files[0].name}: "
            "add that table, or the text file that stands for it where it is empty."
        )
    rows, notes = _rows_of(tables, hints.date_order)
    profile, profiles = as_coded(rows["profile"], lambda text: text.strip() or None)
    rows = rows.set_column(
        rows.column_names.index("profile"), "profile", coded_texts(profile, profiles)
    )
    kids = _kids(listed)
    if kids is not None:
        is_kids = coded_truths(profile, [kids.get(name) for name in profiles])
        rows = rows.append_column("is_kids", is_kids)
        if n_unseen := len(kids.keys() - {*profiles}):
            notes.append(f"{n_unseen} of {len(kids)} listed profiles have no row.")
    return rows, notes


def finish(rows: pa.Table) -> pa.Table:
    """Turn rows that were read, of exports told apart by `export`, into raw plays.

    Rows of trailers and the like are "supplemental" by their column.  Of the rows of one
    profile, start and title the longest is used.
    """
    found, n_rows = {*rows.column_names}, len(rows)
    is_extra = np.zeros(n_rows, dtype=bool)
    if "supplemental" in found:
        extra, types = as_coded(rows["supplemental"], _known)
        is_extra = np.array([*(t not in (None, "N/A") for t in types), False])[extra]
    title, titles = coded_titles(rows["title"].combine_chunks())
    plays = {
        "export": rows["export"],
        "profile": rows["profile"],
        "title": coded_texts(title, titles),
        "started_at": in_utc(rows["clock"].to_numpy()),
    }
    plays |= {name: rows[name] for name in (*_SECONDS, "is_kids") if name in found}
    if "attributes" in found:
        plays["is_autoplay"] = coded_truths(*as_coded(rows["attributes"], _is_autoplay))
    for name, meaning in (("device", _known), ("country", _iso_code)):
        if name in found:
            plays[name] = coded_texts(*as_coded(rows[name], meaning))
    plays["row_is"] = one_text(SOURCE.row_is, n_rows)
    plays["precision"] = coded_texts(rows["precision"].to_numpy(), _PRECISIONS)
    plays["excluded"] = _excluded(rows, title, is_extra)
    return pa.table(plays)


def _is_activity(words: Sequence[str]) -> bool:
    found = {_COLUMNS.get(word) for word in words}
    return {"title", "started_at"} <= found and (
        "supplemental" in found or {"profile", "watched_seconds"} <= found
    )


def _is_profiles(words: Sequence[str]) -> bool:
    return set(_PROFILE_COLUMNS) <= set(words)


def is_placeholder(file: File) -> bool:
    """Tell whether a file stands for a ViewingActivity without rows."""
    name = file.name.rpartition("/")[2].casefold()
    return name.startswith("viewingactivity") and file.head.strip() == NO_ROWS


def _rows_of(files: list[File], order: str | None) -> tuple[pa.Table, list[str]]:
    """Read all tables, the same one only once; its rows still come again."""
    notes, different, tables = [], [], []
    for file in files:
        data = file.read()
        known = next((table for held, table in different if held == data), None)
        if known is None:
            known, more = _table(data, file.last_name, order)
            different.append((data, known))
            notes += more
        tables.append(known)
    if len(different) > 1:
        notes.append(f"{len(different)} different tables of views were read as one person's.")
    if len(tables) > len(different):
        n_copies = len(tables) - len(different)
        notes.append(f"{n_copies} tables of views are copies, whose rows are duplicates.")
    rows = pa.concat_tables(tables or [_table(_HEADER, "", None)[0]], promote_options="default")
    if not len(rows):
        notes.append("ViewingActivity is there and has no rows.")
    return rows, notes


def _table(data: bytes, name: str, order: str | None) -> tuple[pa.Table, list[str]]:
    cells, is_header = named_table(data, name, _COLUMNS)
    found = cells.column_names
    if missing := [theirs for ours, theirs in _NEEDED.items() if ours not in found]:
        raise ValueError(
            f"`path` must hold ViewingActivity with the columns {[*_NEEDED.values()]}, "
            f"found none named {missing} in {name}: read it by `load_table` with a map of columns."
        )
    notes = []
    if lost := [theirs for ours, theirs in _USEFUL.items() if ours not in found]:
        notes.append(f"ViewingActivity lacks the columns {lost}, so what they say is unknown.")
    if is_header.any():
        row = int(is_header.argmax()) + 1
        notes.append(f"the header stands again in row {row}: two exports were put together.")
    # Each profile's rows go from new to old, and so do those of each export.
    profile = cells["profile"].combine_chunks().dictionary_encode().indices.to_numpy()
    dates = read_dates(
        cells["started_at"], name, date_order=order, is_descending=True,
        within=profile + is_header.cumsum() * len(cells),
    )  # fmt: skip
    clock = dates.clock.to_numpy().view("int64")
    if dates.precision != "second":
        notes.append(f"starts are exact to the {dates.precision} only, as a spreadsheet cut them.")
    columns = {column: cells[column] for column in found if column not in ("started_at", *_SECONDS)}
    columns |= {
        c: written_seconds(cells[c].combine_chunks(), _USEFUL[c], name)
        for c in _SECONDS
        if c in found
    }
    columns |= {
        "clock": clock,
        "is_impossible": dates.is_impossible,
        "is_header": is_header,
        "precision": np.full(len(cells), _PRECISIONS.index(dates.precision), dtype="int8"),
    }
    return pa.table(columns), notes


def _kids(files: list[File]) -> dict[str, bool | None] | None:
    """Return whether each listed profile is a child's; None where no list is there."""
    kids: dict[str, bool | None] = {}
    for file in files:
        cells, _ = named_table(file.read(), file.last_name, _PROFILE_COLUMNS)
        listed = cells.select(["profile", "maturity"]).to_pydict().values()
        for profile, level in zip(*([t.strip() for t in texts] for texts in listed), strict=True):
            is_kids = True if level.endswith("_KIDS") else False if level in _ADULT else None
            if profile:
                kids[profile] = is_kids if kids.get(profile, is_kids) == is_kids else None
    return kids if files else None


def _excluded(rows: pa.Table, title: np.ndarray, is_extra: np.ndarray) -> pa.DictionaryArray:
    profile = codes_of(rows["profile"])
    clock, is_impossible, is_header = (
        rows[name].to_numpy() for name in ("clock", "is_impossible", "is_header")
    )
    lengths = [rows[name].to_numpy() for name in _SECONDS if name in rows.column_names]
    export = rows["export"].to_numpy()
    nowhere = np.zeros(len(rows), dtype=bool)
    reasons = {
        "repeated header": is_header,
        "no viewer": profile < 0,
        "no title": title < 0,
        "no time": np.isnat(clock.view("datetime64[us]")) & ~is_impossible,
        "impossible time": is_impossible,
        "impossible duration": np.any([nowhere, *(length < 0 for length in lengths)], axis=0),
        "supplemental": is_extra,
    }
    lengths = [np.nan_to_num(length, nan=-1) for length in lengths]
    keys = [export, profile, title, clock]
    is_coarse = rows["precision"].to_numpy() > 0
    if is_coarse.any():
        # Two sessions may start in one minute: there a row has to be the same throughout.
        keys += [np.where(is_coarse, length, 0) for length in lengths]
    is_used = ~np.any([*reasons.values()], axis=0)
    longest = lengths[0] if lengths else np.zeros(len(rows))
    return first_reasons(reasons | {"duplicate": shorter_repeats(keys, longest, is_used)})


def _known(text: str) -> str | None:
    text = text.strip()
    return None if text in NO_INFORMATION else text


def _is_autoplay(attributes: str) -> bool | None:
    if attributes.strip() in NO_INFORMATION[1:]:
        return None
    return any(part.strip().startswith("Autoplayed") for part in attributes.split(";"))


def _iso_code(country: str) -> str | None:
    match = _COUNTRY.fullmatch(country.strip())
    return match[1] if match and match[1] != "ZZ" else None
