"""The invented household whose export data/ holds: a year of Netflix, simulated with a seed.

Robin watches series in the evening, episode after episode, falls asleep over films and goes
on the next day, and saw Low Tide every evening, or night, from 1 to 20 December 2023.  A child has the
profile Kids and a handful of favourites.  Nobody of them exists, nor do the titles.
"""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np

from tests.exports.netflix import AUTO, NOT_LATEST, PHONE, TV, export, profiles_2024, table, view

ZONE = ZoneInfo("Europe/Amsterdam")
FIRST, LAST = dt.date(2023, 2, 1), dt.date(2024, 2, 28)
FILM, MINUTES = "Low Tide", 96
STREAK = (dt.date(2023, 12, 1), dt.date(2023, 12, 20))
SERIES = {"Night Desk": (6, 12, 44), "Paper Moons": (5, 12, 27), "The Long Quay": (4, 10, 52)}
FILMS = [f"{first} {second}" for first in ("Red", "Cold", "Quiet") for second in ("Harbour", "Signal", "Orchard", "Ferry")]  # fmt: skip
FAVOURITES = {"Pip and the Whale": 11, "Tractor Songs": 7, "The Small Lighthouse": 23}


def rows():
    """The rows of ViewingActivity, newest first within each profile, as the service lists them."""
    rng = np.random.default_rng(1712)
    robin = [*_evenings(rng), *_comfort(rng)]
    kids = list(_afternoons(rng))
    return [*_listed(robin, "Robin"), *_listed(kids, "Kids")]


def household():
    """The whole export, file by file."""
    profiles = profiles_2024((("Robin", "ADULTS"), ("Kids", "LITTLE_KIDS")))
    return export(table(rows()), folder="", profiles=profiles)


def _evenings(rng):
    """Series one after another, three or four evenings a week, now and then a film in two parts."""
    queue = [
        (f"{name}: Season {season}: Part {number} (Episode {number})", minutes)
        for name, (n_seasons, n_episodes, minutes) in SERIES.items()
        for season in range(1, n_seasons + 1)
        for number in range(1, n_episodes + 1)
    ]
    queue = queue + queue[:60]  # Night Desk is seen again
    films = [*FILMS, *FILMS[:4]]
    for day in _days():
        start = _at(day, 20, rng.integers(0, 90))
        luck = rng.random()
        if luck < 0.35 and queue:
            for n in range(int(rng.integers(1, 4))):
                if queue:
                    title, minutes = queue.pop(0)
                    lasted = int(minutes * 60 - rng.integers(0, 90))
                    yield start, lasted, title, lasted, AUTO if n else "", "", TV
                    start += dt.timedelta(seconds=lasted + 12)
        elif luck < 0.42 and films:
            title, length = films.pop(0), 60 * int(rng.integers(85, 130))
            yield start - dt.timedelta(seconds=70), 31, f"Trailer: {title}", 31, AUTO, "TRAILER", TV
            part = int(length * rng.uniform(0.3, 0.7))
            yield start, part, title, part, "", "", TV
            again = _at(day + dt.timedelta(days=1), 21, rng.integers(0, 50))
            yield again, length - part, title, length, "", "", TV
        elif 0.42 <= luck < 0.47:
            title = f"{rng.choice(FILMS)}"
            yield start, int(rng.integers(2, 50)), title, 0, AUTO, "", PHONE


def _comfort(rng):
    day = STREAK[0]
    while day <= STREAK[1]:
        lasted = MINUTES * 60 - int(rng.integers(0, 300))
        # On some evenings only after midnight, which a day that starts at 04:00 still counts.
        yield _at(day, 22, rng.integers(30, 180)), lasted, FILM, lasted, "", "", TV
        day += dt.timedelta(days=1)


def _afternoons(rng):
    for day in _days():
        start = _at(day, 16, rng.integers(0, 60))
        for name, minutes in FAVOURITES.items():
            if rng.random() < 0.28:
                for n in range(int(rng.integers(1, 4))):
                    lasted = int(minutes * 60 * rng.uniform(0.5, 1))
                    yield start, lasted, name, lasted, AUTO if n else "", "", PHONE
                    start += dt.timedelta(seconds=lasted + 9)


def _days():
    return [FIRST + dt.timedelta(days=n) for n in range((LAST - FIRST).days + 1)]


def _at(day, hour, minute):
    local = dt.datetime.combine(day, dt.time(hour), ZONE) + dt.timedelta(minutes=int(minute))
    return local.astimezone(dt.UTC).replace(tzinfo=None)


def _listed(sessions, profile):
    seen = set()
    for start, lasted, title, position, attributes, supplemental, device in sorted(
        sessions, reverse=True
    ):
        yield view(
            f"{start:%Y-%m-%d %H:%M:%S}", _clock(lasted), title, profile=profile,
            attributes=attributes, supplemental=supplemental, device=device,
            bookmark=_clock(position), latest=NOT_LATEST if title in seen else None,
        )  # fmt: skip
        seen.add(title)


def _clock(seconds):
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
