"""Workbooks of Excel: their cells as text, read within bounds."""

import datetime as dt
import io
import itertools
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from toolkit.loaders.archive import zip_files

__all__ = ["workbook_tables"]

# A report has 5 megabytes of XML, the list of all countries in a workbook might have 200.
MAX_XML = 2**28
_MAX_SHEETS, _MAX_ROWS, _MAX_COLUMNS, _HEADER_WITHIN = 20, 2**20, 16, 50
_PARTS = re.compile(
    r"\[Content_Types\]\.xml|xl/(workbook|sharedStrings|styles|worksheets/[^/]+)\.xml"
    r"|xl/_rels/workbook\.xml\.rels"
)
# What openpyxl raises where the parts of a workbook are not what they should be.
_BROKEN = (
    KeyError, IndexError, TypeError, ValueError, AttributeError, OSError, OverflowError,
    RecursionError, SyntaxError,
)  # fmt: skip


def workbook_tables(
    path: Path, header: Callable[[list[str]], list[str | None] | None]
) -> list[tuple[pd.DataFrame, str, str]]:
    """Return the cells of each sheet with a table, the sheet's name, and what stands above.

    `header` gives our names for the texts of a row, or None if that is no header; columns
    without a name aren't kept.
    """
    book = _checked_workbook(path)
    # It takes longer than the rest of the package together.
    import openpyxl

    with _readable(path):
        workbook = openpyxl.load_workbook(book, read_only=True, data_only=True, keep_links=False)
    if (n := len(workbook.sheetnames)) > _MAX_SHEETS:
        raise ValueError(
            f"`path` must be a workbook of at most {_MAX_SHEETS} sheets, found {n} in {path.name}."
        )
    with _readable(path):
        return [table for sheet in workbook.worksheets for table in _in_sheet(sheet, header)]


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except _BROKEN:
        raise ValueError(
            f"`path` must be a workbook that can be read, found a damaged one in {path.name}: "
            "download it again, or save its sheet as CSV."
        ) from None


def _checked_workbook(path: Path) -> io.BytesIO:
    """Copy the parts of a workbook that hold cells, each checked, into a zip in memory."""
    parts = [part for part in zip_files(path, (".xml", ".rels")) if _PARTS.fullmatch(part.name)]
    size = sum(part.size for part in parts)
    if size > MAX_XML:
        raise ValueError(
            f"`path` must be a workbook of at most {MAX_XML:,} bytes of XML, found {size:,} in "
            f"{path.name}."
        )
    book = io.BytesIO()
    with zipfile.ZipFile(book, "w") as copy:
        for part in parts:
            xml = part.read()
            # The parser would unfold entities without end; in UTF-16 they could not be seen.
            if b"<!DOCTYPE" in xml or b"\0" in xml:
                raise ValueError(
                    f"`path` must be a workbook of plain XML, found other in {path.name}."
                )
            copy.writestr(part.name, xml)
    return book


def _in_sheet(sheet, header: Callable) -> Iterator[tuple[pd.DataFrame, str, str]]:
    # Bounds of our own: a sheet may say that it has fewer rows than it has, or 10**12.
    rows = sheet.iter_rows(max_row=_MAX_ROWS, max_col=_MAX_COLUMNS, values_only=True)
    above: list[str] = []
    for row in itertools.islice(rows, _HEADER_WITHIN):
        texts = [cell if isinstance(cell, str) else "" for cell in row]
        if names := header(texts):
            yield _below(names, rows), sheet.title, " ".join(above)
            return
        above += filter(None, texts)


def _below(names: list[str | None], rows: Iterable[tuple]) -> pd.DataFrame:
    """Return the cells below a header as text; rows with nothing in them are none."""
    kept = [row for row in rows if any(cell not in (None, "") for cell in row)]
    places = [place for place, name in enumerate(names) if name]
    columns = {place: [_as_written(row[place]) for row in kept] for place in places}
    return pd.DataFrame(columns, dtype="str").set_axis([names[p] for p in places], axis=1)


def _as_written(cell) -> str:
    """Return a cell of a workbook as a table of text would have it."""
    if isinstance(cell, dt.datetime) and cell.year == 1900:
        # So openpyxl returns durations of more than a day.
        cell -= dt.datetime(1899, 12, 31)
    if isinstance(cell, dt.timedelta):
        minutes, seconds = divmod(round(cell.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    if isinstance(cell, dt.datetime) and cell.time() == dt.time():
        cell = cell.date()
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return "" if cell is None else str(cell)
