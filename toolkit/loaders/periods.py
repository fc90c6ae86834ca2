"""Periods that a text names, such as a title or the name of a file."""

import calendar
import re

import pandas as pd

__all__ = ["named_period"]

_MONTH_NAMES = [
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
]  # fmt: skip
_MONTHS = [name[:3] for name in _MONTH_NAMES]
_MONTH = (
    rf"({'|'.join(f'{name[:3]}(?:{name[3:]})?' for name in _MONTH_NAMES)})\b\.?"
    r"(?: *([0-9]{1,2})(?![0-9]))?,? *(20[0-9]{2})?"
)
_PERIOD = re.compile(rf"(20[0-9]{{2}})? *{_MONTH} *(?:[-–—]|to|through|until) *{_MONTH}")
_HALVES = {"first half of": "january - june", "second half of": "july - december"}


def named_period(*texts: str) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Return the first and last day that the first of the texts names which names one period."""
    for text in texts:
        text = text.casefold().replace("_", " ")
        for half, months in _HALVES.items():
            text = text.replace(half, months)
        found = {_days_between(*match.groups()) for match in _PERIOD.finditer(text)} - {None}
        if len(found) == 1:
            return found.pop()
    return pd.NaT, pd.NaT


def _days_between(year, month, day, first_year, last_month, last_day, last_year):
    """Return the first and last day of a period whose days and one year may be left out."""
    year = year or first_year or last_year
    if year is None:
        return None
    first, last = (_MONTHS.index(m[:3]) + 1 for m in (month, last_month))
    year, last_year = int(year), int(last_year or year)
    last_day = last_day or calendar.monthrange(last_year, last)[1]
    try:
        days = (
            pd.Timestamp(year, first, int(day or 1)),
            pd.Timestamp(last_year, last, int(last_day)),
        )
    except ValueError:
        return None
    return days if days[0] <= days[1] else None
