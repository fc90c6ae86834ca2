"""Clock cells: the days, hours and dayparts of a window, on the clock of each zone."""

import numpy as np
import pandas as pd

from toolkit.days import from_clock, period_edges, period_numbers, time_of_day, zone_of
from toolkit.order import PER_DAY, codes_of, to_midnights

__all__ = ["CLOCK", "clock_slots", "instants_of", "zones_of"]

# What a clock tells apart, coarse before fine.
CLOCK = ["month", "week", "day", "weekday", "daypart", "hour"]
_DAY = PER_DAY["us"]
_HOUR = _DAY // 24
_WEEKDAYS = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]


def zones_of(plays: pd.DataFrame, tz: str) -> tuple[np.ndarray | None, list[str]]:
    """Return the code of each play's zone, None where one zone holds for all, and the zones."""
    if not isinstance(tz, str):
        raise ValueError(f"`tz` must name a time zone or a column of `plays`, got {tz!r}.")
    if tz not in plays:
        zone_of(tz)
        return None, [tz]
    zones = plays[tz].astype("category").cat.remove_unused_categories()
    return codes_of(zones, tz)[0], list(zones.cat.categories)


def instants_of(when, name: str, zones: list[str]) -> np.ndarray:
    """Return the instant (us), in each zone, of an instant or of what its clock shows."""
    try:
        stamp = pd.Timestamp(when)
    except (TypeError, ValueError):
        stamp = pd.NaT
    if stamp is pd.NaT:
        raise ValueError(
            f"`{name}` must be an instant or a time on the clock in `tz`, got {when!r}."
        )
    us = stamp.as_unit("us").asm8.astype("int64")
    if stamp.tz is not None:
        return np.full(len(zones), us)
    return np.array([from_clock(us[None], zone)[0][0] for zone in zones], dtype="int64")


def clock_slots(
    words: list[str], zones: list[str], low: np.ndarray, high: np.ndarray, *,
    day_starts_at: str, week_starts: str, dayparts: dict[str, str] | None,
) -> tuple[pd.DataFrame, list[tuple[np.ndarray, np.ndarray]]]:  # fmt: skip
    """Cut the window of each zone where its clock starts another cell.

    Returns one row per cell that lies in any of the windows, in order, and of each zone the
    edges of its slots (us) and the row of each slot's cell.
    """
    day_start = time_of_day(day_starts_at)
    parts = _dayparts(dayparts) if "daypart" in words else {}
    offsets = {0}
    if "hour" in words:
        offsets |= {(hour * _HOUR - day_start) % _DAY for hour in range(24)}
    offsets |= {(at - day_start) % _DAY for at in parts.values()}
    offsets = np.array(sorted(offsets))
    cut = []
    for zone, first, last in zip(zones, low.tolist(), high.tolist(), strict=True):
        # A day more on both sides than any zone is away from UTC.
        days = np.arange(first // _DAY - 2, last // _DAY + 3)
        clock = (days[:, None] * _DAY + day_start + offsets).ravel()
        at = np.clip(from_clock(clock, zone)[0], first, last)
        lasts = np.append(at[1:] > at[:-1], False)
        edges = np.append(at[lasts], last)
        cut.append((edges, _numbers(words, clock[lasts], day_start, week_starts, parts)))
    numbers = np.concatenate([of_slots for _, of_slots in cut])
    cells, row = np.unique(numbers, axis=0, return_inverse=True)
    ends = np.cumsum([len(of_slots) for _, of_slots in cut])[:-1]
    slots = []
    for (edges, _), rows in zip(cut, np.split(row.ravel(), ends), strict=True):
        # A cell goes on over what starts another one on other days only.
        changes = np.append(True, rows[1:] != rows[:-1])[: len(rows)]
        slots.append((edges[np.append(changes, True)], rows[changes]))
    columns = {w: _labels(w, cells[:, n], week_starts, parts) for n, w in enumerate(words)}
    return pd.DataFrame(columns, index=range(len(cells))), slots


def _numbers(words, clock, day_start, week_starts, parts: dict) -> np.ndarray:
    """Return a row of whole numbers for each slot: that of its day, of its hour and so on."""
    day = (clock - day_start) // _DAY
    time = clock % _DAY
    starts = np.sort(list(parts.values())) if parts else np.zeros(1, dtype="int64")
    # Before the first daypart of the clock the last one still goes on.
    part = (np.searchsorted(starts, time, side="right") - 1) % len(starts)
    of = {"day": day, "weekday": (day + 3) % 7, "hour": time // _HOUR, "daypart": part}
    for word in ("week", "month"):
        if word in words:
            of[word] = period_numbers(day, word, week_starts)
    return np.stack([of[word] for word in words], axis=1)


def _labels(word: str, numbers: np.ndarray, week_starts: str, parts: dict):
    if word in ("day", "week", "month"):
        return to_midnights(period_edges(numbers, word, week_starts)[0].copy())
    if word == "weekday":
        return pd.Categorical.from_codes(numbers, pd.Index(_WEEKDAYS, dtype="str"))
    if word == "daypart":
        names = sorted(parts, key=parts.get)
        return pd.Categorical.from_codes(numbers, pd.Index(names, dtype="str"))
    return numbers


def _dayparts(dayparts) -> dict[str, int]:
    if not isinstance(dayparts, dict) or not dayparts:
        raise ValueError(
            "`dayparts` must map the name of each daypart to the time at which it starts, such as "
            f"{{'peak': '19:00', 'other': '23:00'}}, got {dayparts!r}."
        )
    parts = {name: time_of_day(at, "dayparts") for name, at in dayparts.items()}
    if len(set(parts.values())) < len(parts):
        raise ValueError(f"`dayparts` must start at different times, got {dayparts!r}.")
    return parts
