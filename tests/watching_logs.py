"""Small random logs, and audiences counted one tick at a time, to hold the fast ones against."""

import datetime as dt
import zoneinfo

import numpy as np
import pandas as pd

TICK = dt.timedelta(seconds=30)
WEEKDAYS = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]


def random_plays(seed, *, around="2024-03-31 00:00Z", hours=40, n=40, zones=("Europe/Berlin",)):
    """Plays of whole ticks around an instant: overlapping, touching, of nothing, on two devices."""
    rng = np.random.default_rng(seed)
    viewer = rng.integers(0, 6, n)
    ticks = rng.integers(-60 * hours, 60 * hours, n)
    lasts = rng.choice([0, 1, 2, 10, 60, 120, 300], n)
    # Some start where the one before them ends.
    ticks[1::5] = (ticks + lasts)[:-1:5]
    viewer[1::5] = viewer[:-1:5]
    return pd.DataFrame(
        {
            "viewer": pd.Categorical([f"v{i}" for i in viewer]),
            # Two profiles in each of the first accounts.
            "account": pd.Categorical([f"a{i // 2 if i < 4 else i}" for i in viewer]),
            "title": pd.Categorical(rng.choice(["Heat", "Alien", "Up"], n)),
            "device": pd.Categorical(rng.choice(["tv", "phone"], n)),
            "started_at": (pd.Timestamp(around) + pd.to_timedelta(ticks * 30, unit="s")).as_unit(
                "us"
            ),
            "watched_seconds": lasts * 30.0,
            "tz": pd.Categorical([zones[i % len(zones)] for i in viewer]),
        }
    )


def label_of(instant, zone, words, day_starts_at="00:00", dayparts=None):
    """What the words of the clock say of an instant, coarse before fine."""
    clock = instant.astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None)
    hours, minutes = map(int, day_starts_at.split(":"))
    day = (clock - dt.timedelta(hours=hours, minutes=minutes)).date()
    part = None
    if dayparts:
        now = f"{clock:%H:%M}"
        begun = [name for name, at in dayparts.items() if at <= now]
        part = max(begun or dayparts, key=dayparts.get)
    of = {
        "month": pd.Timestamp(day.replace(day=1)),
        "week": pd.Timestamp(day - dt.timedelta(days=day.weekday())),
        "day": pd.Timestamp(day),
        "weekday": WEEKDAYS[day.weekday()],
        "daypart": part,
        "hour": clock.hour,
    }
    return tuple(of[word] for word in of if word in words)


def instant_in(clock, zone):
    return pd.Timestamp(clock, tz=zone).tz_convert("UTC").to_pydatetime()


def ticks_of(play):
    start = play.started_at.to_pydatetime()
    return [start + n * TICK for n in range(round(play.watched_seconds / 30))]


def count_audience(plays, *, columns, label, start, end, zones):
    """{(*content, *label): (minutes, audience, people, plays)} and the minutes of each label.

    `label` takes an instant and a zone; `start` and `end` are those of each zone.
    """
    lasts = {}
    for zone in zones:
        for n in range((end[zone] - start[zone]) // TICK):
            key = label(start[zone] + n * TICK, zone), zone
            lasts[key] = lasts.get(key, 0) + 1
    times = sorted({key for key, _ in lasts})
    seen, minutes, touches = {}, {}, {}
    for play in plays.itertuples():
        content = tuple(getattr(play, name) for name in columns)
        last = None
        for tick in ticks_of(play):
            if not start[play.tz] <= tick < end[play.tz]:
                continue
            at = label(tick, play.tz)
            cell = (*content, *at)
            seen.setdefault(cell, set()).add((play.account, play.tz, tick))
            minutes[cell] = minutes.get(cell, 0) + 0.5
            touches[cell] = touches.get(cell, 0) + (at != last)
            last = at
    contents = sorted({tuple(getattr(p, name) for name in columns) for p in plays.itertuples()})
    found = {}
    for content in contents:
        for at in times:
            cell = (*content, *at)
            watched = seen.get(cell, set())
            found[cell] = (
                minutes.get(cell, 0),
                sum(1 / lasts[at, zone] for _, zone, _ in watched),
                len({account for account, _, _ in watched}),
                touches.get(cell, 0),
            )
    longest = {at: max(lasts.get((at, zone), 0) for zone in zones) / 2 for at in times}
    return found, longest
