"""Values of export rows: cells of any type, typed one by one."""

import contextlib
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.days import from_clock
from toolkit.loaders.archive import File
from toolkit.loaders.cells import refuse, to_instants
from toolkit.loaders.columns import as_texts, is_missing, one_text
from toolkit.loaders.dates import order_of_times
from toolkit.titles import normalise_titles

__all__ = ["clock_times", "instants", "numbers", "people", "small_numbers", "texts", "titles"]

_NUMBER = re.compile(r"\s*[+-]?\d{1,18}(\.\d{1,18})?\s*")
_PLAIN = r"^-?\d{1,18}(\.\d{1,18})?$"
_WRITTEN = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,7})?$"
# 1900 and 2200 in epoch seconds.
_SINCE, _UNTIL = -2_208_988_800, 7_258_118_400


def texts(values: Sequence, name: str, file: File) -> pa.Array:
    """Return cells as text, blanks as missing, whole numbers without a point."""
    kinds = set(map(type, values)) - {type(None)}
    if kinds == {int}:
        with contextlib.suppress(OverflowError):
            return pc.cast(pa.array(values, pa.int64()), pa.string())
    if kinds - {str}:
        values = [_text(value) for value in values]
        wrong = [value is NotImplemented for value in values]
        _refuse(["something else"] * len(values), wrong, f"`{name}` must be text", file)
    try:
        read = pa.array(values, pa.string())
    except UnicodeEncodeError:
        wrong = [value is not None and not _is_unicode(value) for value in values]
        _refuse(["half a character"] * len(values), wrong, f"`{name}` must be text", file)
    return _without_blanks(read)


def _without_blanks(read: pa.Array) -> pa.Array:
    read = pc.utf8_trim_whitespace(read)
    return pc.if_else(pc.equal(read, ""), None, read)


def _text(value):
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return NotImplemented
    if isinstance(value, float):
        value = int(value) if value.is_integer() else value if value == value else None
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        return NotImplemented
    return value if value is None or isinstance(value, str) else f"{value}"


def _is_unicode(text: str) -> bool:
    return text.encode("utf-8", "replace").decode() == text


def people(values: Sequence, name: str, file: File) -> pa.Array:
    """Return the ids of viewers as text, one on every row."""
    read = texts(values, name, file)
    _refuse(values, is_missing(read), f"`{name}` must say on every row who watched", file)
    return read


def titles(read: pa.Array) -> pa.Array:
    """Return texts in one normal form: composed, without invisible signs, spaces collapsed."""
    return pa.array(normalise_titles(pd.Series(pd.array(read, dtype="str"))), pa.string())


def numbers(values: Sequence, name: str, file: File) -> np.ndarray:
    """Return cells as numbers, whether written as such or as text; blanks as NaN."""
    read = _numbers(values)
    _refuse(values, np.isinf(read), f"`{name}` must be a number", file)
    return read


def small_numbers(values: Sequence, counts=True) -> tuple[pa.Array, np.ndarray]:
    """Return cells as whole numbers of 15 bits where they count, and which hold anything else.

    Below 0 is how a server writes that it doesn't know the number.
    """
    read = _numbers(values)
    read = np.where(counts & (read >= 0), read, np.nan)
    fits = (read < 2**15) & (np.trunc(read) == read)
    whole = np.where(fits, read, 0).astype("int16")
    return pa.array(whole, mask=~fits), ~fits & ~np.isnan(read)


def _numbers(values: Sequence) -> np.ndarray:
    """Return cells as numbers; inf is what is none."""
    kinds = set(map(type, values)) - {type(None)}
    if kinds <= {int, float}:
        with contextlib.suppress(OverflowError):
            return np.array(values, dtype="float64")
    if kinds == {str}:
        with contextlib.suppress(UnicodeEncodeError, pa.ArrowInvalid):
            read = _without_blanks(pa.array(values, pa.string()))
            if pc.all(pc.match_substring_regex(read, _PLAIN)).as_py():
                return pc.cast(read, pa.float64()).to_numpy(zero_copy_only=False)
    return np.array([_number(value) for value in values], dtype="float64")


def _number(value) -> float:
    if value is None:
        return np.nan
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        if not value.strip():
            return np.nan
        return float(value) if _NUMBER.fullmatch(value) else np.inf
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300:
        return np.inf
    return float(value)


def instants(seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the instants of epoch seconds (0: none), and which can't have been."""
    known = ~np.isnan(seconds) & (seconds != 0)
    sound = known & (seconds >= _SINCE) & (seconds < _UNTIL)
    at = np.full(len(seconds), np.datetime64("NaT", "us"))
    at[sound] = np.round(seconds[sound] * 1e6).astype("int64").view("datetime64[us]")
    return at, known & ~sound


def clock_times(read: pa.Array, name: str, file: File, clock_tz: str | None, order: str | None):
    """Return instants of written times, the precision of each, and which can't have been.

    `order` is asked where the times leave it open.
    """
    if pc.all(pc.match_substring_regex(read, _WRITTEN)).as_py() not in (True, None):
        return _careful_times(read, name, file, clock_tz, order)
    cells = pc.fill_null(pc.utf8_slice_codeunits(read, 0, 26), "NaT")
    try:
        clock = cells.to_numpy(zero_copy_only=False).astype("U26").astype("datetime64[us]")
    except ValueError:
        return _careful_times(read, name, file, clock_tz, order)
    known = ~np.isnat(clock)
    if known.any() and clock_tz is None:
        return _careful_times(read, name, file, clock_tz, order)
    year = clock.astype("datetime64[Y]").astype("int64") + 1970
    impossible = known & ((year < 1900) | (year > 2199))
    clock[impossible] = "NaT"
    known &= ~impossible
    if known.any():
        moments, skipped = from_clock(clock[known].view("int64"), clock_tz)
        clock[known] = moments.view("datetime64[us]")
        impossible[known] = skipped
    return clock, one_text("second", len(clock)), impossible


def _careful_times(read: pa.Array, name: str, file: File, clock_tz: str | None, order: str | None):
    cells = pd.Series(read.to_pylist(), dtype="object")
    order = order_of_times(cells, order)
    # The name stands between backticks there.
    at, precision, impossible = to_instants(cells, f"{name}` of `{file.name}", clock_tz, order)
    return at.dt.tz_localize(None).to_numpy(), as_texts(precision.tolist()), impossible


def _refuse(values: Sequence, wrong, sentence: str, file: File) -> None:
    refuse(values, wrong, sentence, f" of {file.name}")
