"""Dates of YouTube's pages of HTML: five languages, one order, and one zone for a whole page."""

import datetime
import itertools
import re

import numpy as np

from toolkit.days import from_clock
from toolkit.loaders.dates import possible_orders
from toolkit.loaders.sources import Hints

__all__ = ["ASK", "page_instants"]

ASK = "ask for the history as JSON (in Takeout: 'multiple formats')"

_MONTHS = {
    word: number
    for number, words in enumerate((
        "jan january januar januari janv janvier ene enero jän jänner",
        "feb february februar februari févr fév février febrero",
        "mar march mär märz mrt maart mars marzo",
        "apr april avr avril abr abril",
        "may mai mei mayo",
        "jun june juni juin junio",
        "jul july juli juil juill juillet julio",
        "aug august augustus août aoû ago agosto",
        "sep sept september septembre septiembre set setiembre",
        "oct october okt oktober octobre octubre",
        "nov november novembre noviembre",
        "dec december dez dezember déc décembre dic diciembre",
    ), 1)
    for word in words.split()
}  # fmt: skip
_FILLERS = {"de", "del", "à", "um", "om", "at", "a", "las", "la", "el", "le"}
_NUMERIC = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})\.?", re.ASCII)
_CLOCK = re.compile(
    r"(?:^| )(\d{1,2})(?::(\d{2}):(\d{2})|\.(\d{2})\.(\d{2})| h (\d{1,2}) min (\d{1,2}) s)"
    r"(?= |$|[AaPp]\.?[Mm])",
    re.ASCII,
)
_LIKE_CLOCK = re.compile(r"\d{1,2}\D{1,3}\d{2}")
_HALF = re.compile(r"([ap])\.? ?m\b\.?(?= |$)", re.IGNORECASE)
_DAY = re.compile(r"(\d{1,2})(?:\.|er)?", re.ASCII)
_YEAR = re.compile(r"\d{4}", re.ASCII)
_OFFSET = re.compile(r"(?:GMT|UTC)?([+-])(\d{4}|\d{1,2}(?::\d{2})?)", re.ASCII)
_MINUS = str.maketrans("−–‐‑", "----")
# Hours from UTC.  Abbreviations that mean one thing only.
_ZONES = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 1, "WEZ": 0, "WESZ": 1, "CET": 1, "CEST": 2,
    "MEZ": 1, "MESZ": 2, "EET": 2, "EEST": 3, "OEZ": 2, "OESZ": 3, "MSK": 3, "TRT": 3,
    "EST": -5, "EDT": -4, "PST": -8, "PDT": -7, "MDT": -6, "AKST": -9, "AKDT": -8, "HST": -10,
    "HNE": -5, "HAE": -4, "HNC": -6, "HAC": -5, "HNR": -7, "HAR": -6, "HNP": -8, "HAP": -7,
    "AEST": 10, "AEDT": 11, "ACST": 9.5, "ACDT": 10.5, "AWST": 8, "NZST": 12, "NZDT": 13,
    "JST": 9, "KST": 9, "HKT": 8, "SGT": 8, "MYT": 8, "ICT": 7, "WIB": 7, "PKT": 5, "SAST": 2,
    "EAT": 3, "CAT": 2, "WAT": 1, "IDT": 3, "BRT": -3, "ART": -3, "COT": -5, "PET": -5, "UYT": -3,
}  # fmt: skip
_AMBIGUOUS = {
    "IST": (1, 2, 5.5), "CST": (-6, 8), "CDT": (-5, 9), "BST": (1, 6, 11), "MST": (-7, 8, 6.5),
    "AST": (-4, 3), "ADT": (-3, 4), "GST": (4, -2), "AMT": (-4, 4), "SST": (-11, 8),
    "WST": (13, 1, 8), "ACT": (-5, 8), "ECT": (-5, -4), "CLT": (-4, -3),
}  # fmt: skip


def page_instants(
    dates: list, name: str, hints: Hints, notes: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the instants of a page's dates, and which can't have been; how goes to the notes."""
    read = [_date(date) if date else None for date in dates]
    for row, (date, parts) in enumerate(zip(dates, read, strict=True), 1):
        if parts is None and date and _LIKE_CLOCK.search(date):
            _refuse_date(date, row, name)
    if not any(read):
        raise ValueError(f"`path` must show a date in its rows, found none in {name}: {ASK}.")
    clock = np.full(len(read), "NaT", dtype="datetime64[us]")
    order = _order(read, name, hints)
    for row, parts in enumerate(read):
        if parts is None:
            continue
        year, month, day = _ordered(parts[0], order)
        try:
            clock[row] = datetime.datetime(year, month, day, *parts[1])
        except ValueError:
            _refuse_date(dates[row], row + 1, name)
    zones = {parts[2] for parts in read if parts}
    started = clock - _offset(zones, clock, name, hints, notes)
    years = clock.astype("datetime64[Y]").astype("int64") + 1970
    impossible = ~np.isnat(clock) & ((years < 1900) | (years > 2199))
    started[impossible] = "NaT"
    return started, impossible


def _refuse_date(date: str, row: int, name: str):
    raise ValueError(
        "`path` must show dates in English, German, Dutch, French or Spanish, "
        f"found {date[:60]!r} in row {row} of {name}: {ASK}."
    )


def _date(text: str):
    """Return the date, the time of day and the zone that a text shows, or None."""
    text = " ".join(text.replace(",", " ").split())
    clock = _CLOCK.search(text)
    if clock is None:
        return None
    hour, minute, second = (int(part) for part in clock.groups() if part is not None)
    zone = text[clock.end() :].strip()
    if half := _HALF.match(zone):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (half[1] in "pP")
        zone = zone[half.end() :].strip()
    words = [word for word in text[: clock.start()].split() if word.lower() not in _FILLERS]
    date = _calendar(words)
    return date and (date, (hour, minute, second), zone.upper())


def _calendar(words: list[str]):
    """Return year, month and day; where two orders are possible, the year and both numbers."""
    if len(words) == 3:
        first, second, year = words
        day, month = (first, second) if _DAY.fullmatch(first) else (second, first)
        day, month = _DAY.fullmatch(day), _MONTHS.get(month.rstrip(".").casefold())
        if day and month and _YEAR.fullmatch(year):
            return int(year), month, int(day[1])
    numbers = _NUMERIC.fullmatch(words[0]) if len(words) == 1 else None
    if numbers is None:
        return None
    first, separator, second, last = numbers.groups()
    if _YEAR.fullmatch(first) and len(last) <= 2:
        return int(first), int(second), int(last)
    if not _YEAR.fullmatch(last) or len(first) > 2:
        return None
    # With points the day is always first.
    if separator == ".":
        return int(last), int(second), int(first)
    return int(last), (int(first), int(second)), None


def _ordered(date: tuple, order: str | None) -> tuple[int, int, int]:
    year, month, day = date
    if day is None:
        day, month = month if order == "DMY" else month[::-1]
    return year, month, day


def _order(read: list, name: str, hints: Hints) -> str | None:
    """Return the order of day and month that all numeric dates of a page have."""
    pairs = [parts[0][1] for parts in read if parts and parts[0][2] is None]
    if all(first == second for first, second in pairs):
        return "DMY"
    possible = possible_orders(pairs)
    if len(possible) > 1:
        # Pages start with the newest row.
        falling = [order for order in possible if _never_rises(read, order)]
        possible = falling if len(falling) == 1 else {*possible} & {hints.date_order}
    if not possible:
        raise ValueError(
            "`date_order` must say if days or months come first, found dates that "
            f"tell neither for all rows in {name}: name the `date_order` or {ASK}."
        )
    (order,) = possible
    return order


def _never_rises(read: list, order: str) -> bool:
    moments = [(_ordered(parts[0], order), parts[1]) for parts in read if parts]
    return all(later >= earlier for later, earlier in itertools.pairwise(moments))


def _offset(zones: set[str], clock: np.ndarray, name: str, hints: Hints, notes: list[str]):
    """Return how far the one clock of a page is ahead of UTC."""
    if len(zones) > 1:
        raise ValueError(
            f"`path` must show one zone in all rows, found {len(zones)} in {name}: {ASK}."
        )
    (zone,) = zones
    hours = _hours(zone)
    years = clock.astype("datetime64[Y]").astype("int64") + 1970
    usable = clock[~np.isnat(clock) & (years >= 1900) & (years <= 2199)]
    newest = usable.max() if len(usable) else np.datetime64("2018-01-01", "us")
    if hours is None and hints.clock_tz is not None:
        hours = _hours_in(hints.clock_tz, zone, newest, name)
        how = "`clock_tz`"
    elif hours is None and not zone and newest < np.datetime64("2019-01-01"):
        hours, how = 0, "the custom of 2018 and before, which shows no zone"
    elif hours is None:
        found = f"{zone[:20]!r}, which tells no one zone," if zone else "no zone"
        raise ValueError(
            "`clock_tz` must say which zone the clock showed, "
            f"found {found} in {name}: name the `clock_tz` or {ASK}."
        )
    else:
        how = "the zone shown"
    if zone not in ("UTC", "Z"):
        notes.append(
            f"A page of HTML was read with one clock, {hours:+g} hours from UTC by {how}; "
            "where that zone changes its clock, half of the year may be off by an hour."
        )
    return np.timedelta64(round(hours * 3_600_000_000), "us")


def _hours(zone: str) -> float | None:
    """Return the hours from UTC that a zone's short name means, if it means one thing."""
    if zone in _ZONES:
        return _ZONES[zone]
    parts = _OFFSET.fullmatch(zone.translate(_MINUS).replace(" ", ""))
    if parts is None:
        return None
    whole = parts[2] if len(parts[2]) < 3 or ":" in parts[2] else f"{parts[2][:2]}:{parts[2][2:]}"
    hour, _, minute = whole.partition(":")
    hours = int(hour) + int(minute or 0) / 60
    return None if hours > 14 or int(minute or 0) > 59 else float(parts[1] + "1") * hours


def _hours_in(clock_tz: str, zone: str, newest: np.datetime64, name: str) -> float:
    """Return the one offset of a named zone that a page must have been written with."""
    clock = newest.astype("int64") - np.arange(13) * 30 * 86_400_000_000
    instants, skipped = from_clock(clock, clock_tz)
    offsets = (clock - instants)[~skipped] / 3_600_000_000
    meanings = _AMBIGUOUS.get(zone)
    if meanings is None:
        return float(offsets[0])
    meant = sorted({*meanings} & {*offsets.tolist()})
    if len(meant) != 1:
        raise ValueError(
            f"`clock_tz` must be a zone whose clock is called {zone} at times, "
            f"found {clock_tz!r} for {name}: {ASK}."
        )
    return meant[0]
