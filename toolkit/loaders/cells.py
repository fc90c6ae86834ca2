"""Cells of tables: texts, times, durations and truth values, read or refused with their row."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.days import from_clock

__all__ = [
    "NO_INFORMATION",
    "as_text",
    "refuse",
    "shown",
    "to_booleans",
    "to_instants",
    "to_seconds",
    "to_whole_numbers",
    "written_seconds",
]

# What services write where they know nothing.
NO_INFORMATION = ["", "-1", "NULL"]

# Hour, minute and second are optional; a fraction and an offset may follow.
_CLOCK = (
    r"(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|UTC|[+-]\d{2}(?::?\d{2})?)?)?$"
)
_YEAR_FIRST = r"^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})" + _CLOCK
_YEAR_LAST = r"^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})" + _CLOCK
_DURATION = r"^(-?)(\d+):([0-5]?\d):([0-5]?\d(?:\.\d+)?)$"
_YEARS = (1900, 2199)
_LONGEST = 60


def as_text(values: pd.Series) -> pd.Series:
    """Return cells as stripped text, blanks as missing, whole numbers without a point."""
    codes, cells = pd.factorize(_plain(values))
    texts = [_text(cell) for cell in cells]
    texts = pd.array([text or None for text in texts], dtype="str")
    return pd.Series(texts.take(codes, allow_fill=True), index=values.index)


def to_instants(values: pd.Series, name: str, clock_tz: str | None, order: str):
    """Return instants, the precision of each, and which can't have been."""
    values = _plain(values)
    none = pd.Series(pd.NaT, index=values.index, dtype="timedelta64[us]")
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
        clock, offset = values.astype("datetime64[us]"), none.fillna(pd.Timedelta(0))
        precision = pd.Series("second", index=values.index)
    elif values.dtype.kind == "M":
        clock, offset = values.astype("datetime64[us]"), none
        precision = pd.Series("second", index=values.index)
    else:
        clock, precision, offset = _parsed(as_text(values), name, order)
    impossible = np.array(~clock.dt.year.fillna(_YEARS[0]).between(*_YEARS))
    clock = clock.mask(impossible)
    bare = (clock.notna() & offset.isna() & (precision != "day")).to_numpy()
    if bare.any() and clock_tz is None:
        refuse(
            values, bare,
            f"`clock_tz` must say which zone the clock of `{name}` showed, as its times do not",
        )  # fmt: skip
    instants = (clock - offset.fillna(pd.Timedelta(0)).astype("timedelta64[us]")).to_numpy().copy()
    if bare.any():
        moments, skipped = from_clock(instants[bare].view("int64"), clock_tz)
        instants[bare] = moments.view("datetime64[us]")
        impossible[bare] |= skipped
    return pd.Series(instants, index=values.index).dt.tz_localize("UTC"), precision, impossible


def to_seconds(values: pd.Series, name: str, duration: str, where: str = "") -> pd.Series:
    """Return durations as seconds; a sign stays."""
    values = _plain(values)
    if values.dtype.kind == "m":
        return values.dt.total_seconds()
    if duration == "seconds" or values.dtype.kind in "iuf":
        seconds = pd.to_numeric(values if values.dtype.kind in "iuf" else as_text(values), "coerce")
        seconds = seconds.astype("float64")
    else:
        parts = as_text(values).str.extract(_DURATION)
        hours, minutes, rest = (parts[n].astype("float64") for n in (1, 2, 3))
        seconds = hours * 3600 + minutes * 60 + rest
        seconds = seconds.mask(parts[0] == "-", -seconds)
    unread = as_text(values).notna() & ~np.isfinite(seconds)
    refuse(values, unread, f"`{name}` must be written as {duration}", where)
    return seconds


def written_seconds(cells: pa.Array, column: str, name: str) -> np.ndarray:
    """Return durations as seconds, at once where all are written as 00:12:30."""
    seconds = _fixed_seconds(cells)
    if seconds is not None:
        return seconds
    texts = cells.to_pandas().str.strip()
    texts = texts.mask(texts.isin(NO_INFORMATION))
    return to_seconds(texts, column, "H:MM:SS", f" of {name}").to_numpy("float64")


def _fixed_seconds(cells: pa.Array) -> np.ndarray | None:
    """Return durations that are all of the form 00:12:30; any other is None."""
    _, offsets, data = cells.buffers()
    ends = np.frombuffer(offsets, "int32")[cells.offset : cells.offset + len(cells) + 1]
    if cells.null_count or not len(cells) or not (np.diff(ends) == 8).all():
        return None
    signs = np.frombuffer(data, "uint8")[ends[0] : ends[-1]].reshape(-1, 8)
    digits = signs[:, [0, 1, 3, 4, 6, 7]] - ord("0")
    if (digits > 9).any() or (digits[:, [2, 4]] > 5).any() or (signs[:, [2, 5]] != ord(":")).any():
        return None
    return digits @ np.array([36_000.0, 3600, 600, 60, 10, 1])


def to_booleans(values: pd.Series, name: str) -> pd.Series:
    """Return truth values, written in any usual way."""
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    texts = as_text(values)
    read = texts.str.lower().map(words)
    refuse(values, texts.notna() & read.isna(), f"`{name}` must be true or false")
    return read.astype("boolean")


def to_whole_numbers(values: pd.Series, name: str) -> pd.Series:
    """Return whole numbers that fit 16 bits, such as those of a season or an episode."""
    texts = as_text(values)
    read = pd.to_numeric(texts, errors="coerce")
    wrong = texts.notna() & ~(read.between(-(2**15), 2**15 - 1) & (read % 1 == 0))
    refuse(values, wrong, f"`{name}` must be a whole number")
    return read.astype("Int16")


def _plain(values: pd.Series) -> pd.Series:
    """Return categories and Arrow columns as what they hold."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    if isinstance(values.dtype, pd.ArrowDtype):
        held = pa.chunked_array(values.array.__arrow_array__()).to_pandas()
        values = held.set_axis(values.index)
    return values


def _text(cell) -> str:
    if isinstance(cell, float | np.floating) and cell.is_integer():
        cell = int(cell)
    return str(cell).strip()


def _parsed(texts: pd.Series, name: str, order: str):
    """Read written times; one style has to explain every row that is not blank."""
    parts = texts.str.extract(_YEAR_FIRST if order == "YMD" else _YEAR_LAST)
    read = parts[0].notna()
    numbers = parts[[0, 1, 2, 3, 4, 5]].fillna("0").loc[read].astype("int64")
    year, month, day = (numbers[order.index(letter)] for letter in "YMD")
    hour, minute, second = numbers[3], numbers[4], numbers[5]
    # A year that can't be marks a row; a date that can't be shows that the style is another.
    fields = {"year": year.clip(*_YEARS), "month": month, "day": day}
    dates = pd.to_datetime(pd.DataFrame(fields), errors="coerce").astype("datetime64[us]")
    dates = dates.mask(year < _YEARS[0], pd.Timestamp("1800-01-01"))
    dates = dates.mask(year > _YEARS[1], pd.Timestamp("2300-01-01"))
    dates = dates.where((hour < 24) & (minute < 60) & (second < 60))
    since = pd.to_timedelta(hour * 3600 + minute * 60 + second, unit="s")
    clock = (dates + since.astype("timedelta64[us]")).reindex(texts.index)
    unread = texts.notna() & clock.isna()
    other = texts[unread].str.extract(_YEAR_LAST)[0].notna()
    hint = ": name the `date_order`" if other.any() else ""
    style = f"{order}, then H:MM or H:MM:SS"
    refuse(texts, unread, f"`{name}` must be times in one style ({style})", hint)
    fraction = parts[6].str.ljust(6, "0").str[:6].fillna("0").astype("int64")
    clock += pd.to_timedelta(fraction, unit="us").astype("timedelta64[us]")
    precision = pd.Series("second", index=texts.index).mask(parts[5].isna(), "minute")
    precision = precision.mask(texts.notna() & parts[3].isna(), "day")
    digits = parts[7].replace({"Z": "+00", "UTC": "+00"}).str.replace(":", "").str.ljust(5, "0")
    minutes = digits.str[1:3].astype("float64") * 60 + digits.str[3:5].astype("float64")
    minutes = minutes.mask(digits.str[0] == "-", -minutes)
    return clock, precision, pd.to_timedelta(minutes, unit="m")


def refuse(values: pd.Series | Sequence, wrong, sentence: str, hint: str = "") -> None:
    """Raise with the first wrong cell and its row, if there is one."""
    wrong = np.asarray(wrong, dtype=bool)
    if not wrong.any():
        return
    row = int(wrong.argmax())
    cell = values.iloc[row] if isinstance(values, pd.Series) else values[row]
    raise ValueError(f"{sentence}, found {shown(cell)} in row {row + 1}{hint}.")


def shown(cell) -> str:
    """Return a cell as a message may show it."""
    text = str(cell)
    # A wrongly mapped column may hold addresses, and messages end up in notebooks.
    if "@" in text:
        return "a text with an @"
    return repr(cell) if len(text) <= _LONGEST else repr(f"{text[:_LONGEST]}...")
