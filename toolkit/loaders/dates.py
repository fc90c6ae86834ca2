"""Dates of a file: one style has to explain every row, and its order is found for all at once."""

import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.loaders.cells import NO_INFORMATION, refuse
from toolkit.tables import require_choice

__all__ = ["ORDERS", "Dates", "order_of_times", "possible_orders", "read_dates"]

ORDERS = ["YMD", "DMY", "MDY"]

_WRITTEN = re.compile(
    r"([0-9]{1,4})([-/.]|\. )([0-9]{1,2})\2([0-9]{1,4})(\.?)"
    r"(?:[T ]+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?)?"
)
_START = re.compile(r"\s*([0-9]{1,4})[-/.]([0-9]{1,2})[-/.][0-9]{1,4}")
_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_YEARS = (1900, 2199)
_FIRST, _AFTER = (
    np.datetime64(str(year), "us").astype("int64") for year in (_YEARS[0], _YEARS[1] + 1)
)


class Dates(NamedTuple):
    """What the dates of a file say, row by row."""

    clock: pd.Series
    precision: str
    order: str
    is_impossible: np.ndarray


def read_dates(
    texts: pd.Series | pa.ChunkedArray,
    name: str,
    *,
    date_order: str | None = None,
    is_descending: bool = False,
    within: np.ndarray | None = None,
) -> Dates:
    """Read dates, or dates with a time of day, in the one style that explains every row.

    Parameters
    ----------
    texts : pandas.Series or pyarrow.ChunkedArray of str
        Dates as a file writes them; blank ones are missing.
    name : str
        Of the file, for messages.
    date_order : {'YMD', 'DMY', 'MDY'}, optional
        How to read dates of which the file leaves the order open; what the file itself tells
        is never overruled.  The order is the only one in which every date can have been.
    is_descending : bool, default False
        Whether the file goes from the newest to the oldest row.  Where day and month can be
        read both ways, the one is taken under which no date is newer than the one before it.
    within : numpy.ndarray, optional
        A number for each row: `is_descending` speaks of the rows of one number.

    Returns
    -------
    Dates
        * ``clock`` : datetime64[us], with the index of `texts`; missing where a date is
          blank or its year is before 1900 or after 2199
        * ``precision`` : "day", "minute" or "second" (where all are blank)
        * ``order`` : the order found
        * ``is_impossible`` : bool array, where the year is out of these bounds

    Raises
    ------
    ValueError
        If a date can't be read, if no one style or order explains all, or if the dates can be
        read in two orders and `date_order` is none of them.  The first such row is named.

    Notes
    -----
    A year of two digits is 20YY.  A date that starts with four digits starts with the year,
    and so does one of the form ``24. 1. 31.``.  That another starts with two digits of its year
    is thought of only where `date_order` says so.

    Examples
    --------
    >>> dates = read_dates(pd.Series(["2/1/24", "1/13/24"]), "list.csv")
    >>> dates.order, dates.precision, dates.clock.dt.day.tolist()
    ('MDY', 'day', [1, 13])
    """
    require_choice(date_order, [*ORDERS, None], "date_order")
    clock = _iso(texts)
    if clock is not None:
        return _within_bounds(
            clock, texts.index if isinstance(texts, pd.Series) else None, "second", "YMD"
        )
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.to_pandas()
    texts = texts.str.strip()
    codes, distinct = pd.factorize(texts.mask(texts.isin(NO_INFORMATION)))
    if not len(distinct):
        return _within_bounds(
            np.full(len(texts), np.iinfo("int64").min), texts.index, "second", "YMD"
        )
    numbers, lengths, is_year_first, precision = _parts(texts, codes, distinct, name)
    candidates = ["YMD"] if is_year_first else ["DMY", "MDY"]
    if date_order not in (None, *candidates) and not is_year_first:
        candidates.append(date_order)
    read = {order: _clock(numbers, lengths, order) for order in candidates}
    possible = [order for order in candidates if read[order][1].all()]
    if not possible:
        # The row at which the last of the orders fails.
        last = max(int(read[order][1].argmin()) for order in candidates)
        refuse(texts, codes == last, f"`path` must hold dates in one order in {name}",
               ": no order explains this row and all before it")  # fmt: skip
    rows = {order: np.append(read[order][0], np.iinfo("int64").min)[codes] for order in possible}
    is_open = is_descending and len(rows) > 1
    falling = [o for o in rows if is_open and _falls(rows[o], codes >= 0, within)]
    order = _only(rows, falling, date_order)
    if order is None:
        raise _open(texts, rows, name)
    return _within_bounds(rows[order], texts.index, precision, order)


def possible_orders(starts: Iterable[tuple[int, int]]) -> list[str]:
    """Return in which order the two numbers, with which dates start, can be day and month."""
    highest = [max(numbers, default=0) for numbers in zip(*starts, strict=True)] or [0, 0]
    return [order for order, month in (("DMY", highest[1]), ("MDY", highest[0])) if month <= 12]


def order_of_times(texts: Iterable[str], date_order: str | None) -> str:
    """Return the order in which all of some written times can be meant, or else `date_order`.

    Nothing is told of times that are no dates, and without `date_order` years come first.
    """
    starts = {match.groups() for text in texts if text and (match := _START.match(text))}
    if any(len(first) == 4 for first, _ in starts):
        return "YMD"
    possible = possible_orders((int(first), int(second)) for first, second in starts)
    return possible[0] if starts and len(possible) == 1 else date_order or "YMD"


def _iso(texts: pd.Series | pa.ChunkedArray) -> np.ndarray | None:
    """Read times that are all written as 2024-01-31 20:00:00; any other is None."""
    cells = texts if isinstance(texts, pa.ChunkedArray) else pa.array(texts, type=pa.string())
    if isinstance(cells, pa.ChunkedArray):
        cells = cells.combine_chunks()
    bounds = pc.min_max(pc.binary_length(cells)).as_py()
    if cells.null_count or bounds != {"min": 19, "max": 19}:
        return None
    try:
        return cells.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        return None


def _parts(texts: pd.Series, codes: np.ndarray, distinct: pd.Index, name: str):
    """Return the numbers of each date and how many digits they have, in a style they share."""
    rule = f"`path` must hold dates in one style in {name}"
    matches = [_WRITTEN.fullmatch(text) for text in distinct]
    if None in matches:
        refuse(texts, codes == matches.index(None), rule, ", which is no date known here")
    parts = [match.groups() for match in matches]
    styles = [_style(part) for part in parts]
    others = [n for n, style in enumerate(styles) if style != styles[0]]
    others += _padded_otherwise([(p[0], p[2], p[3], p[5] or "00") for p in parts])
    if others:
        refuse(
            texts,
            codes == min(others),
            rule,
            ", unlike rows before it: download it again, as spreadsheets rewrite dates",
        )
    numbers = np.array(
        [[int(p[0]), int(p[2]), int(p[3]), *(int(part or 0) for part in p[5:])] for p in parts]
    ).T
    lengths = np.array([[len(p[0]), len(p[2]), len(p[3])] for p in parts]).T
    separator, is_long, _, dot, has_time, has_seconds = styles[0]
    is_korean = separator == ". " and dot == "." and (lengths[0] == 2).all()
    precision = "second" if has_seconds else "minute" if has_time else "day"
    return numbers, lengths, is_long or is_korean, precision


def _style(part: tuple) -> tuple:
    first, separator, _, last, dot, hour, _, second = part
    return separator, len(first) > 2, len(last) > 2, dot, hour is not None, second is not None


def _padded_otherwise(parts: list[tuple]) -> list[int]:
    """Return the first date, if any, that pads a number which others don't, or the reverse."""
    found = []
    for column in zip(*parts, strict=True):
        padded = [n for n, text in enumerate(column) if len(text) == 2 and text[0] == "0"]
        single = [n for n, text in enumerate(column) if len(text) == 1]
        if padded and single:
            found.append(max(padded[0], single[0]))
    return found


def _clock(numbers: np.ndarray, lengths: np.ndarray, order: str) -> tuple[np.ndarray, np.ndarray]:
    """Return times in microseconds under an order, and which of them can have been."""
    year, month, day = (numbers[order.index(letter)] for letter in "YMD")
    n_year, n_month, n_day = (lengths[order.index(letter)] for letter in "YMD")
    is_possible = ((n_year == 2) | (n_year == 4)) & (n_month < 3) & (n_day < 3)
    is_possible &= (month >= 1) & (month <= 12) & (day >= 1)
    year = np.where(n_year == 2, 2000 + year, year)
    months = (year - 1970) * 12 + month - 1
    first, after = ((months + n).astype("datetime64[M]").astype("datetime64[D]") for n in (0, 1))
    is_possible &= day <= (after - first).astype("int64")
    hour, minute, second = numbers[3:]
    is_possible &= (hour < 24) & (minute < 60) & (second < 60)
    days = first.astype("int64") + day - 1
    return days * _DAY + ((hour * 60 + minute) * 60 + second) * _SECOND, is_possible


def _only(rows: dict[str, np.ndarray], falling: list[str], date_order: str | None) -> str | None:
    """Return the one order in which the dates can be meant, None where that stays open."""
    first, *others = rows
    if all(np.array_equal(rows[first], rows[other]) for other in others):
        return first
    if len(falling) == 1:
        return falling[0]
    return date_order if date_order in rows else None


def _open(texts: pd.Series, rows: dict[str, np.ndarray], name: str) -> ValueError:
    differs = rows["DMY"] != rows["MDY"]
    return ValueError(
        f"`date_order` must say which way to read {texts[differs].iloc[0]!r} in row "
        f"{int(differs.argmax()) + 1} of {name}, as every date there can be day or month first: "
        "give 'DMY' or 'MDY'."
    )


def _falls(clock: np.ndarray, is_known: np.ndarray, within: np.ndarray | None) -> bool:
    group = np.zeros(len(clock), dtype="int64") if within is None else within
    rows = np.flatnonzero(is_known)
    rows = rows[np.argsort(group[rows], kind="stable")]
    is_newer = np.diff(clock[rows]) > 0
    return not (is_newer & (np.diff(group[rows]) == 0)).any()


def _within_bounds(clock: np.ndarray, index: pd.Index | None, precision: str, order: str) -> Dates:
    """Return dates of which the years that stand for nothing are marked."""
    is_known = clock != np.iinfo("int64").min
    is_impossible = is_known & ((clock < _FIRST) | (clock >= _AFTER))
    clock = np.where(is_impossible, np.iinfo("int64").min, clock).view("datetime64[us]")
    return Dates(pd.Series(clock, index=index), precision, order, is_impossible)
