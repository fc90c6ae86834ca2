"""Netflix's simple viewing history: a row is a title and the latest day it was opened on.

It comes per profile, from the page 'Viewing activity', and has days only, of a clock that isn't
documented.  A title stands there once, so neither rewatches nor streaks can be read from it; nor
can durations, devices or autoplay.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.loaders.archive import File
from toolkit.loaders.cells import NO_INFORMATION
from toolkit.loaders.columns import coded_texts, first_reasons, in_utc, one_text, shorter_repeats
from toolkit.loaders.dates import read_dates
from toolkit.loaders.files import header_words, named_table
from toolkit.loaders.sources import Hints, Source
from toolkit.titles import normalise_titles

__all__ = ["SOURCE", "coded_titles", "read", "recognises"]

SOURCE = Source(
    name="netflix_history",
    service="Netflix, 'Viewing activity', download all",
    one_row="the latest day on which a profile opened a title",
    row_is="latest",
    clock="not documented: a day may be one off",
    precision="day",
    measures="which titles a profile opened, and when last",
    cannot="rewatches, counts, streaks, binges; durations; what is a film",
    has_suffix=False,
)

# Whatever may not be a title in its normal form.
_UNTIDY = rf"[^\x20-\x7e]|  |^ | $|^(?:{'|'.join(NO_INFORMATION)})$"
_COLUMNS = {"title": "title", "date": "started_at"}


def recognises(file: File) -> bool:
    """Tell whether a file is a table of just a title and a date."""
    return sorted(filter(None, header_words(file.head))) == ["date", "title"]


def read(files: list[File], hints: Hints) -> tuple[pa.Table, list[str]]:
    """Return a row per row of every list, list after list, and notes.

    A day is midnight UTC of its date.  A row equal to one before it is "duplicate".
    """
    tables, notes = [], []
    for file in files:
        table, more = _rows(file, hints.date_order)
        tables.append(table)
        notes += more
    rows = pa.concat_tables(tables)
    n_rows = len(rows)
    if len(files) > 1:
        notes.append(f"{len(files)} lists were read as one profile's: load those of others apart.")
    if not n_rows:
        notes.append("the list is there and has no rows.")
    title, titles = coded_titles(rows["title"].combine_chunks())
    clock, is_impossible, is_header = (
        rows[name].to_numpy() for name in ("clock", "is_impossible", "is_header")
    )
    reasons = {
        "repeated header": is_header,
        "no title": title < 0,
        "no time": np.isnat(clock.view("datetime64[us]")) & ~is_impossible,
        "impossible time": is_impossible,
        "duplicate": shorter_repeats([title, clock], np.zeros(n_rows), title >= 0),
    }
    plays = {
        "profile": one_text("", n_rows),
        "title": coded_texts(title, titles),
        "started_at": in_utc(clock),
        "row_is": one_text(SOURCE.row_is, n_rows),
        "precision": one_text(SOURCE.precision, n_rows),
        "excluded": first_reasons(reasons),
    }
    return pa.table(plays), notes


def coded_titles(titles: pa.Array) -> tuple[np.ndarray, list[str]]:
    """Return a number for each title, -1 where there is none, and the title of each number.

    Texts that differ in form only are one title.
    """
    coded = titles.dictionary_encode()
    texts, codes = coded.dictionary, coded.indices.fill_null(-1).to_numpy()
    if not pc.any(pc.match_substring_regex(texts, _UNTIDY)).as_py():
        return codes, texts.to_pylist()
    texts = [None if text in NO_INFORMATION else text for text in texts.to_pylist()]
    clean = normalise_titles(pd.Series(texts, dtype="str")).tolist()
    numbers: dict = {}
    number = [-1 if t != t else numbers.setdefault(t, len(numbers)) for t in clean]
    return np.array([*number, -1])[codes], [*numbers]


def _rows(file: File, order: str | None) -> tuple[pa.Table, list[str]]:
    cells, is_header = named_table(file.read(), file.last_name, _COLUMNS)
    if len(cells.columns) < len(_COLUMNS):
        raise ValueError(
            f"`path` must hold the columns Title and Date, found else in {file.last_name}."
        )
    # Each export that was put into the file goes from new to old.
    dates = read_dates(
        cells["started_at"], file.last_name,
        date_order=order, is_descending=True, within=is_header.cumsum(),
    )  # fmt: skip
    days = dates.clock.dt.floor("D").to_numpy()
    table = cells.select(["title"])
    for name, values in (
        ("clock", days.view("int64")),
        ("is_impossible", dates.is_impossible),
        ("is_header", is_header),
    ):
        table = table.append_column(name, pa.array(values))
    return table, _breaks(days, is_header)


def _breaks(days: np.ndarray, is_header: np.ndarray) -> list[str]:
    """Note where a list that should go from new to old starts again."""
    known = np.flatnonzero(~np.isnat(days))
    newer = known[1:][days[known[1:]] > days[known[:-1]]]
    notes = []
    for row in np.flatnonzero(is_header):
        notes.append(f"the header stands again in row {row + 1}: two exports were put together.")
        # The first day of the second export is no break of its own.
        newer = newer[~np.isin(newer, known[known > row][:1])]
    if len(newer) == 1:
        notes.append(f"two exports seem to have been put together at row {newer[0] + 1}.")
    elif len(newer):
        notes.append(
            f"dates go up {len(newer)} times, first at row {newer[0] + 1}: "
            "the list was sorted anew, or is several."
        )
    return notes
