"""Files of tables: text in any usual separator, and Parquet."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

__all__ = ["read_frame", "require_file"]

_SEPARATORS = [",", ";", "\t", "|"]


def require_file(path: str | os.PathLike, hint: str = "") -> Path:
    """Return the path of a file that is there."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"`path` must be a file that exists, found none at {path}{hint}.")
    return path


def read_frame(
    path: str | os.PathLike, *, encoding: str | None = None, columns: Sequence[str] = ()
) -> pd.DataFrame:
    """Read a Parquet file as it is, or a separated text file as text, every row of it.

    Of the usual separators the one is taken that finds most of `columns`, or else most
    columns, in the header.
    """
    path = require_file(path)
    if path.suffix.lower() in (".parquet", ".pq"):
        frame = pd.read_parquet(path).reset_index(drop=True)
        frame.attrs = {}
        return frame
    text = _read_text(path, encoding).lstrip("\r\n")
    readers = {s: io.StringIO(text, newline="") for s in _SEPARATORS}
    headers = {s: next(csv.reader(r, delimiter=s), []) for s, r in readers.items()}
    separator = max(_SEPARATORS, key=lambda s: (len({*columns} & {*headers[s]}), len(headers[s])))
    header = [name.strip() for name in headers[separator]]
    if again := [name for name in dict.fromkeys(header) if name and header.count(name) > 1]:
        raise ValueError(f"`path` must name each column once, found {again} twice in {path.name}.")
    if not text[readers[separator].tell() :].strip():
        return pd.DataFrame(columns=header, dtype="str")
    # Rows may end in a separator more than the header; anything behind it is refused.
    frame = pd.read_csv(
        readers[separator], sep=separator, dtype="str", na_filter=False, skipinitialspace=True,
        header=None, names=[*range(len(header) + 1)], index_col=False,
    )  # fmt: skip
    _refuse_shifted_rows(frame, separator, path.name)
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


def _read_text(path: Path, encoding: str | None) -> str:
    """Return the text of a file, never in an encoding that was only guessed."""
    data = path.read_bytes()
    if encoding is None:
        encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"`path` must be text in {error.encoding}, found byte 0x{data[error.start]:02x} at "
            f"position {error.start} of {path.name}: name its `encoding` "
            "(a spreadsheet often writes 'cp1252')."
        ) from None
