"""Files of tables: text in any usual separator, and Parquet."""

import csv
import io
import os
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "as_cells",
    "as_unicode",
    "header_words",
    "is_saved",
    "named_cells",
    "named_table",
    "read_frame",
    "require_file",
]

_SEPARATORS = [",", ";", "\t", "|"]
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_LINE_END = re.compile(r"[\r\n]+")
_NO_LETTER = re.compile(r"[\W_]+")
_HEADER = 4096
_WAY_OUT = "name its `encoding` (a spreadsheet often writes 'cp1252')"


def require_file(path: str | os.PathLike, hint: str = "") -> Path:
    """Return the path of a file that is there."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"`path` must be a file that exists, found none at {path}{hint}.")
    return path


def is_saved(path: Path) -> bool:
    """Say whether a file is a plays table of ours, by its ending or the names in its header."""
    if path.suffix.lower() in (".parquet", ".pq"):
        return True
    if not path.is_file():
        return False
    with path.open("rb") as file:
        header = file.readline(10_000).decode("utf-8", errors="replace")
    return {"viewer", "title", "started_at"} <= set(re.split(r"[^a-z_]+", header))


def read_frame(
    path: str | os.PathLike, *, encoding: str | None = None, columns: Sequence[str] = ()
) -> pd.DataFrame:
    """Read a Parquet file as it is, or a separated text file as text, every row of it.

    Of the usual separators the one is taken that finds most of `columns`, or else most
    columns, in the header.
    """
    path = require_file(path)
    if path.suffix.lower() in (".parquet", ".pq"):
        try:
            frame = pd.read_parquet(path).reset_index(drop=True)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            if isinstance(error, PermissionError):
                raise
            raise ValueError(
                f"`path` must be a sound Parquet file, found damage in {path.name}."
            ) from None
        frame.attrs = {}
        return frame
    return as_cells(path.read_bytes(), path.name, encoding=encoding, columns=columns)


def as_cells(
    data: bytes,
    name: str,
    *,
    encoding: str | None = None,
    columns: Sequence[str] = (),
    way_out: str = _WAY_OUT,
) -> pd.DataFrame:
    """Return a separated text file as a frame of text, every row of it; see `read_frame`."""
    text = as_unicode(data, name, encoding, way_out=way_out).lstrip("\r\n")
    try:
        return _split(text, name, columns)
    except (pd.errors.ParserError, csv.Error):
        raise ValueError(
            f"`path` must be a table with as many fields in each row as in the first, found a row "
            f"with more, or a quote without an end, in {name}."
        ) from None


@lru_cache(maxsize=64)
def header_words(head: bytes) -> list[str]:
    """Return the names in the first line of a table, whatever separates them, as bare words.

    Case, spaces and signs go: "Start Time (UTC)" is "starttimeutc".  What is no table of
    text has no words; no bytes raise.
    """
    return [_word(name) for name in _header(head)[1]]


def named_cells(
    data: bytes, name: str, columns: Mapping[str, str]
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the columns of an export's table that are known by their header word.

    Parameters
    ----------
    data : bytes
        A table of text in UTF-8 (or UTF-16 that says so), with any usual separator.
    name : str
        Of the file, for messages.
    columns : mapping
        Words of a header, see `header_words`, to our names.  Other columns aren't kept.

    Returns
    -------
    cells : pandas.DataFrame
        A row per record and a column of text per column found; what a row lacks is "".
    is_header : numpy.ndarray
        Where a record only repeats the header; its cells are blank.

    Raises
    ------
    ValueError
        If it is no such table, or two of its columns have the same meaning.
    """
    table, is_header = named_table(data, name, columns)
    return table.to_pandas(), is_header


def named_table(data: bytes, name: str, columns: Mapping[str, str]) -> tuple[pa.Table, np.ndarray]:
    """Return the same as `named_cells` as an Arrow table, which is faster."""
    separator, header = _header(data)
    found = _plain(data, separator, header, columns)
    if found is None:
        careful = as_cells(data, name, way_out="save it again as 'CSV UTF-8'").fillna("")
        header = [*careful]
        found = [
            pa.array(careful.iloc[:, n], type=pa.string())
            for n, text in enumerate(header)
            if _word(text) in columns
        ]
    names = [text for text in header if _word(text) in columns]
    ours = [columns[_word(text)] for text in names]
    if again := [own for own in dict.fromkeys(ours) if ours.count(own) > 1]:
        raise ValueError(f"`path` must name each column once, found {again} twice in {name}.")
    is_header = _repeats(found, names)
    if is_header.any():
        found = [pc.if_else(pa.array(is_header), "", cells) for cells in found]
    return pa.table(dict(zip(ours, found, strict=True))), is_header


def _split(text: str, name: str, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Split text into cells, carefully: see `as_cells`."""
    readers = {s: io.StringIO(text, newline="") for s in _SEPARATORS}
    headers = {s: next(csv.reader(r, delimiter=s), []) for s, r in readers.items()}
    separator = max(_SEPARATORS, key=lambda s: (len({*columns} & {*headers[s]}), len(headers[s])))
    header = [name.strip() for name in headers[separator]]
    if again := [name for name in dict.fromkeys(header) if name and header.count(name) > 1]:
        raise ValueError(f"`path` must name each column once, found {again} twice in {name}.")
    rows = text[readers[separator].tell() :]
    if not rows.strip():
        return pd.DataFrame(columns=header, dtype="str")
    # Rows may end in a separator more than the header; anything behind it is refused.  Pandas
    # takes how many there may be from the first row, and drops what is too much in that one.
    widest = "0" + separator * len(header) + "\n"
    frame = pd.read_csv(
        io.StringIO(widest + rows, newline=""), sep=separator, dtype="str", na_filter=False,
        skipinitialspace=True, header=None, names=[*range(len(header) + 1)], index_col=False,
    )  # fmt: skip
    frame = frame.iloc[1:].reset_index(drop=True)
    _refuse_shifted_rows(frame, separator, name)
    return frame.drop(columns=len(header)).set_axis(header, axis=1)


def _refuse_shifted_rows(frame: pd.DataFrame, separator: str, name: str) -> None:
    last = frame.columns[-1]
    surplus = frame[last].fillna("").str.strip() != ""
    # A stray quote swallows the rows up to the next one.
    swallowed = pd.Series(False, index=frame.index)
    for column in frame:
        cells = frame[column]
        swallowed |= cells.str.contains("\n", regex=False).fillna(False) & (
            cells.str.count(f"[{separator}]") >= last - 1
        )
    for wrong, found in ((surplus, "more"), (swallowed & (last > 1), "a quote and more")):
        if wrong.any():
            raise ValueError(
                f"`path` must be a table with {last} fields in each row, "
                f"found {found} in row {int(wrong.to_numpy().argmax()) + 1} of {name}."
            )


def _header(head: bytes) -> tuple[str, list[str]]:
    """Return the separator and the names of the first line; the header decides, as ever."""
    is_wide = head[:2] in _UTF_16
    if head[:1] in (b"{", b"[", b"<"):
        return ",", []
    start = head[:_HEADER] if is_wide else head[:_HEADER].lstrip(b"\r\n").split(b"\n", 1)[0]
    text = start.decode("utf-16" if is_wide else "utf-8-sig", errors="ignore").lstrip("\r\n")
    line = _LINE_END.split(text, maxsplit=1)[0]
    try:
        names = {s: next(csv.reader([line], delimiter=s), []) for s in _SEPARATORS if s in line}
    except csv.Error:
        return ",", []
    separator = max(names, key=lambda s: len(names[s]), default=",")
    return separator, [name.strip() for name in names.get(separator, [])]


def _word(name: str) -> str:
    return _NO_LETTER.sub("", name).casefold()


def _is_utf_8(data: bytes) -> bool:
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False


def _plain(
    data: bytes, separator: str, header: list[str], columns: Mapping[str, str]
) -> list[pa.Array] | None:
    """Read a table in UTF-8 whose every line is one whole record; any other is None.

    No cell then holds a line end, so no stray quote can have swallowed a row.
    """
    # Not read before it is needed.
    from pyarrow import csv as arrow_csv

    # Blank lines, lone carriage returns, NUL, spaces before a quote and open quotes are for
    # the careful way; and what is not read has to be UTF-8 too.
    if (
        data[:1] in (b"\r", b"\n")
        or not _is_utf_8(data)
        or (b"\r" in data and data.count(b"\r") != data.count(b"\r\n"))
        or b"\0" in data
        or (b'"' in data and _has_odd_quotes(data, separator))
    ):
        return None
    names = [str(n) for n in range(len(header))]
    kept = [n for n, text in zip(names, header, strict=True) if _word(text) in columns]
    options = {
        "read_options": arrow_csv.ReadOptions(column_names=names, skip_rows=1, use_threads=False),
        "parse_options": arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=False),
        "convert_options": arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(kept, pa.string()), include_columns=kept
        ),
    }
    try:
        table = arrow_csv.read_csv(pa.BufferReader(data), **options)
    except pa.ArrowInvalid:
        return None
    n_lines = data.count(b"\n") + (not data.endswith(b"\n"))
    if not kept or len(table) != n_lines - 1:
        return None
    return [column.combine_chunks() for column in table.columns]


def _has_odd_quotes(data: bytes, separator: str) -> bool:
    return bool(
        data.partition(b"\n")[0].count(b'"') % 2
        or data[data.rfind(b"\n", 0, -1) :].count(b'"') % 2
        or (separator + ' "').encode() in data
    )


def _repeats(found: list[pa.Array], names: list[str]) -> np.ndarray:
    again = np.ones(len(found[0]) if found else 0, dtype=bool)
    if found and not pc.any(pc.equal(found[-1], names[-1])).as_py() and len(found) > 1:
        return ~again
    # From the end, as the mark of another file may stand before the first name.
    for cells, name in zip(reversed(found), reversed(names), strict=True):
        if not again.any():
            break
        same = pc.is_in(cells, value_set=pa.array([name, "\ufeff" + name]))
        again &= same.to_numpy(zero_copy_only=False)
    return again


def as_unicode(
    data: bytes, name: str, encoding: str | None = None, *, way_out: str = _WAY_OUT
) -> str:
    """Return the text of a file, never in an encoding that was only guessed."""
    if encoding is None:
        encoding = "utf-16" if data[:2] in _UTF_16 else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"`path` must be text in {error.encoding}, found byte 0x{data[error.start]:02x} at "
            f"position {error.start} of {name}: {way_out}."
        ) from None
