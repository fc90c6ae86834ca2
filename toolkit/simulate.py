"""Simulated viewing logs with a planted truth: no viewer, account or title is real."""

import json
import sys
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import count, product
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from toolkit.privacy.keys import DEMONSTRATION_KEY, pseudonym
from toolkit.tables import as_plays, fingerprint

__all__ = ["SEED", "Simulation", "simulate_plays"]

SEED = 20171210
FILM, SERIES = "The Christmas Film", "The Harbour Clock"
AS_OF, DAYS = date(2017, 12, 10), 18
HOUR, DAY = 3600, 86_400
# Seconds since 1970; "local" seconds are what the wall clock shows, read as if it were UTC.
FIRST, RELEASE, RISE, LAST = (
    int(np.datetime64(day, "s").astype(int))
    for day in ("2017-11-01", "2017-11-17", "2017-12-11", "2018-01-08")
)
NEVER = FIRST + 10_000 * DAY
ZONES = {
    "America/New_York": ("US", 0.26),
    "America/Chicago": ("US", 0.16),
    "America/Denver": ("US", 0.06),
    "America/Los_Angeles": ("US", 0.14),
    "America/Sao_Paulo": ("BR", 0.09),
    "Europe/London": ("GB", 0.11),
    "Europe/Berlin": ("DE", 0.08),
    "Asia/Kolkata": ("IN", 0.06),
    "Australia/Sydney": ("AU", 0.04),
}
HOUSEHOLDS = {
    ("adult",): 0.49,
    ("adult", "adult"): 0.24,
    ("adult", "adult", "child"): 0.13,
    ("adult", "adult", "child", "child"): 0.08,
    ("adult", "child"): 0.06,
}
DEVICES = {"tv": 0.55, "phone": 0.17, "tablet": 0.16, "computer": 0.12}
REWATCH_Q = {"adult": 0.25, "child": 0.70}
RISE_RATIO = 1.25
DEVOTEES = {
    "beta": [6.0, 1.0],
    "child_odds": 3.0,
    "mean_days_to_start": 10.0,
    "restart_per_day": 0.05,
    "per_person": 8.2,
}
WORDS = {
    "adjective": "Amber Borrowed Brass Careful Copper Crooked Distant Gentle Hollow Idle Latter "
    "Marble Narrow Paper Patient Quiet Salted Second Slate Tidal Velvet Wandering",
    "noun": "Almanac Balcony Ferry Garden Harvest Kettle Lantern Ledger Meridian Orchard Piano "
    "Quarry Sparrow Stairwell Telegram Umbrella Viaduct Windmill",
    "place": "Arnholt Brackwater Corrin Dunmarrow Eastlow Fennick Grayle Hexmere Ilvery",
    "thing": "Street Bay Hospital Nights Files County Kitchen",
    "hero": "Bobbin Captain_Plum Dottie Fizz Mumble Nib Pogo Tilly",
}


class Simulation(NamedTuple):
    """A simulated log: three tables, and the truth that was planted in them."""

    plays: pd.DataFrame
    viewers: pd.DataFrame
    titles: pd.DataFrame
    viewings: pd.DataFrame
    truth: dict


class Case(NamedTuple):
    """A planted viewer's evenings with the film; day 1 is 1 November, day 40 is 10 December."""

    household: str
    tz: str
    first: int
    last: int
    hour: float
    missed: tuple = ()
    extra: tuple = ()
    trailer: int = 0
    copied: int = 0
    what: str = ""
    counted_by: str = ""
    not_counted_because: str = ""


# fmt: off
NEAR_MISSES = [
    Case(
        "case 1", "America/New_York", 24, 42, 20.4,
        what="17 days only",
        counted_by="a threshold of 17 days, or a window that starts one day late",
        not_counted_because="the first day, 23 November, was not watched",
    ),
    Case(
        "case 2", "America/Chicago", 20, 45, 21.2, (32,),
        what="one day missed inside the window",
        counted_by="a forgiven gap of one day, or 18 watched days wherever they lie",
        not_counted_because="2 December was not watched",
    ),
    Case(
        "case 3", "America/Los_Angeles", 32, 44, 13.5, (),
        extra=tuple((day, 21.5) for day in range(22, 31)),
        what="a day saved only by another zone",
        counted_by="days in UTC, where all 18 are watched",
        not_counted_because="on the viewer's own calendar 1 December was not watched",
    ),
    Case(
        "case 4", "Australia/Sydney", 21, 48, 19.3, (32,), ((32, 8.2),),
        what="one of the 53 whose day is lost in UTC",
        counted_by="days in the viewer's own zone",
        not_counted_because="in UTC the morning of 2 December falls on 1 December",
    ),
    Case(
        "case 5", "Europe/London", 20, 43, 21.0, (29,), ((30, 0.5),),
        what="a day saved only by a later day start",
        counted_by="days that start at 03:00, 04:00 or 06:00",
        not_counted_because="29 November was not watched before midnight, only at 00:30",
    ),
    Case(
        "case 6", "America/New_York", 19, 52, 20.6, (34,), ((34, 0.7),),
        what="one of the 53 who loses a day to a later start",
        counted_by="days that start at midnight",
        not_counted_because="with days from 04:00 the play at 00:40 on 4 December is of the 3rd",
    ),
    Case(
        "case 7", "Europe/Berlin", 21, 41, 19.8, (27,),
        what="a sibling of one of the 53, with 17 of the days",
        counted_by="a forgiven gap of one day: one viewer more, but no account more",
        not_counted_because="27 November was not watched by this profile",
    ),
    Case(
        "case 8", "America/Denver", 22, 46, 20.1, (36,),
        trailer=36,
        what="a trailer standing in for the play on one day",
        counted_by="all rows, those excluded as trailers among them",
        not_counted_because="on 6 December only the trailer was played",
    ),
    Case(
        "case 9", "America/Sao_Paulo", 24, 43, 21.4,
        copied=38,
        what="an exact duplicate that makes 18 rows of 17 days",
        counted_by="a count of rows instead of days, the excluded duplicate among them",
        not_counted_because="the first day, 23 November, was not watched",
    ),
    *(
        Case(
            "case 10", "America/Chicago", 22, 44, hour, tuple(range(first, 45, 2)),
            what="two profiles of a household that take turns",
            counted_by="the account as the unit: together they have every day",
            not_counted_because="this profile watched every other day",
        )
        for hour, first in ((20.2, 22), (20.9, 23))
    ),
]
# fmt: on
# The sibling who does belong to the 53, and the viewer of the series streak.
CASES = [
    *NEAR_MISSES,
    Case("case 7", "Europe/Berlin", 18, 58, 17.1),
    Case("case 11", "America/New_York", 1, 0, 0.0),
]
# Three of the 53 are planted: cases 4 and 6, and the sibling in case 7.
PLANTED = 3


def simulate_plays(
    *, seed: int, accounts: int = 2900, people: int = 53, long_pauses: float = 0.0
) -> Simulation:
    """Simulate a log in which `people` accounts watched one film 18 days in a row.

    Everything is simulated: households, titles, habits, and the wish to watch
    "The Christmas Film" every day.  The same arguments give the same log.

    Parameters
    ----------
    seed : int
        Seed of all randomness.
    accounts : int, default 2900
        Households; they hold about 1.8 viewers each.
    people : int, default 53
        Accounts with a viewer who started the film on each of the 18 days up to
        2017-12-10, by the calendar of the viewer's own zone.
    long_pauses : float, default 0.0
        Share of the films seen in several plays whose last play is put off by 8 to 21 days,
        where there is room for it.

    Returns
    -------
    Simulation
        ``plays``, ``viewers``, ``titles``, whose columns data/README.md describes;
        ``viewings``, what their viewers meant by the plays, and ``truth``, a dict.

    Raises
    ------
    ValueError
        If `people` is below 3, `accounts` too small to hold them, or `long_pauses` not
        within [0, 1].

    Notes
    -----
    The number is reached by selecting a draw, not by fitting viewers to it.  A few hundred
    devotees watch day after day, each with a probability of going on from one Beta law;
    three of the counted are planted; the devotees' days are drawn anew from the same law
    until the others who are on a streak of 18 days or more make up the number.  All other
    streak lengths, and all that follows 10 December, are as the law gives them.

    Examples
    --------
    >>> simulation = simulate_plays(seed=1, accounts=100, people=5)
    >>> len(simulation.truth["viewers"])
    5
    """
    if people < PLANTED or accounts < 12 * people + 20:
        raise ValueError(
            f"`people` must be at least {PLANTED} and `accounts` at least 12 * `people` + 20, "
            f"got {people} and {accounts}."
        )
    if not 0 <= long_pauses <= 1:
        raise ValueError(f"`long_pauses` must lie in [0, 1], got {long_pauses!r}.")
    rng = np.random.default_rng(seed)
    titles = _catalogue(rng)
    viewers = _viewers(rng, accounts)
    devotion, devotees = _devotion(rng, viewers, people)
    ordinary, expected = _ordinary(rng, viewers, devotees["viewers"])
    christmas = pd.concat([_planted(rng), devotion, ordinary], ignore_index=True)
    plays = [_on_clock(_parts(rng, christmas, titles), christmas, viewers)]
    plays += [_films(rng, viewers, titles, plays[0]), _series_streak(viewers, titles)]
    plays += [_episodes(rng, viewers, titles, pd.concat(plays, ignore_index=True))]
    plays += [_short_rows(rng, viewers, titles, pd.concat(plays, ignore_index=True), devotees)]
    plays = _with_long_pauses(_numbered(plays), viewers, titles, long_pauses, seed)
    plays, viewings = _plays_table(rng, plays, viewers, titles)
    truth = _truth(plays, viewers, seed, devotees, expected)
    return Simulation(plays, _viewers_table(viewers), _titles_table(titles), viewings, truth)


def _catalogue(rng):
    words = {kind: [w.replace("_", " ") for w in text.split()] for kind, text in WORDS.items()}
    films = rng.permutation([f"The {a} {b}" for a, b in product(words["adjective"], words["noun"])])
    young = rng.permutation([f"{a} and the {b}" for a, b in product(words["hero"], words["noun"])])
    shows = rng.permutation([f"{a} {b}" for a, b in product(words["place"], words["thing"])])
    parts = [f"{a} {b}" for a, b in product(words["adjective"], words["noun"])]
    rows = [(FILM, FILM, None, pd.NA, pd.NA, 92 * 60, True, 0)]
    for name in (*films[:230], *young[:80]):
        child = name in young
        minutes = np.clip(rng.normal(86 if child else 106, 14), 68, 170)
        rank = sum(row[6] == child for row in rows)
        rows.append((name, name, None, pd.NA, pd.NA, int(60 * minutes), child, rank))
    for rank, name in enumerate([SERIES, *shows[:44], *young[80:96]]):
        child = name in young
        minutes = rng.choice([7, 11, 22] if child else [22, 24, 42, 45, 52])
        seasons = 4 if name == SERIES else rng.integers(1, 5)
        for season in range(1, seasons + 1):
            for episode, part in enumerate(rng.choice(parts, rng.choice([8, 10, 13]), False), 1):
                seconds = int(60 * minutes * rng.uniform(0.94, 1.06))
                title = f"{name}: Season {season}: {part}"
                rows.append((title, part, name, season, episode, seconds, child, rank % 45))
    names = ["title", "name", "series", "season", "episode", "runtime", "child", "rank"]
    return _with_availability(rng, pd.DataFrame(rows, columns=names))


def _with_availability(rng, titles):
    show, names = pd.factorize(titles["series"].fillna(titles["title"]))
    size, stays = len(names), np.isin(names, [FILM, SERIES])
    old, new = rng.integers(-1500, -10, size), rng.integers(1, 50, size)
    arrives = FIRST + DAY * np.where((rng.random(size) < 0.1) & ~stays, new, old)
    arrives[names == FILM] = RELEASE
    ends = FIRST + DAY * rng.choice([30, 61], size)
    leaves = np.where((rng.random(size) < 0.07) & ~stays, ends, NEVER)
    weight = 1 / (titles["rank"] + 3) ** 0.9
    return titles.assign(show=show, arrives=arrives[show], leaves=leaves[show], weight=weight)


def _viewers(rng, accounts):
    rows = [(case.household, f"profile {n}", False, case.tz, n) for n, case in enumerate(CASES)]
    free = accounts - len({case.household for case in CASES})
    kinds = rng.choice(len(HOUSEHOLDS), free, p=list(HOUSEHOLDS.values()))
    zones = rng.choice(list(ZONES), free, p=[share for _, share in ZONES.values()])
    for n, (kind, zone) in enumerate(zip(kinds, zones, strict=True)):
        roles = enumerate(list(HOUSEHOLDS)[kind])
        rows += [(f"household {n}", f"profile {i}", r == "child", zone, -1) for i, r in roles]
    viewers = pd.DataFrame(rows, columns=["household", "profile", "child", "tz", "case"])
    account = pd.factorize(viewers["household"])[0]
    planted = (viewers["case"] >= 0).to_numpy()
    early = rng.random(accounts) < 0.34
    log_until = np.where(early, rng.integers(LAST - 19 * DAY, LAST, accounts), LAST)[account]
    late = rng.random(accounts) < 0.18
    joins = np.where(late, rng.integers(FIRST, RISE, accounts), FIRST)[account]
    log_until, joins = np.where(planted, LAST, log_until), np.where(planted, FIRST, joins)
    stops = (rng.random(len(viewers)) < 0.09) & ~planted
    stop = np.where(stops, rng.integers(FIRST + 9 * DAY, LAST, len(viewers)), LAST)
    ids = {
        kind: [pseudonym(kind, "simulated", *row, key=DEMONSTRATION_KEY) for row in raw]
        for kind, raw in (
            ("viewer", viewers[["household", "profile"]].to_numpy()),
            ("account", viewers[["household"]].to_numpy()),
        )
    }
    until = np.minimum(log_until, stop)
    return _with_habits(rng, viewers.assign(**ids, log_until=log_until, joins=joins, until=until))


def _with_habits(rng, viewers):
    size, child, planted = len(viewers), viewers["child"].to_numpy(), viewers["case"] >= 0
    evening, morning = rng.random(size) < 0.85, rng.random(size) < 0.45
    adult_hour = np.where(evening, rng.normal(20, 1.4, size), rng.normal(13, 2, size))
    child_hour = np.where(morning, rng.normal(7.6, 0.7, size), rng.normal(16.5, 1, size))
    daily = (rng.random(size) < 0.05) & ~planted
    return viewers.assign(
        from_local=_local(viewers["joins"], viewers["tz"]),
        until_local=_local(viewers["until"], viewers["tz"]),
        loyal=(viewers["joins"] == FIRST) & (viewers["until"] == viewers["log_until"]) & ~planted,
        hour=np.where(child, child_hour, adult_hour),
        spread=rng.uniform(0.4, 2.2, size),
        daily=daily,
        chance=np.where(daily, rng.uniform(0.94, 0.995, size), rng.beta(0.6, 1.9, size)),
        weekend=rng.uniform(0.7, 1.7, size),
        go_on=rng.beta(1.6, 2.1, size),
        n_films=rng.poisson(rng.gamma(0.8, 6, size)),
        taste=rng.gamma(0.6, 1 / 0.6, size) * np.where(child, 1.7, 1),
        device=rng.choice(list(DEVICES), size, p=list(DEVICES.values())),
    )


def _devotion(rng, viewers, people):
    """Draw the devotees' days until the right number are on a streak of 18 days or more."""
    odds = np.where(viewers["child"], DEVOTEES["child_odds"], 1)
    # The smallest of exponential times are a weighted draw without replacement.
    race = viewers.assign(time=rng.exponential(size=len(viewers)) / odds)[viewers["loyal"]]
    race = race.sort_values("time").drop_duplicates("household")
    who = np.sort(race.index[: round(DEVOTEES["per_person"] * (people - PLANTED))])
    end = (AS_OF - date(2017, 11, 17)).days + 1
    for draws in count(1):  # noqa: B007
        days = _days_of_devotion(np.random.default_rng(rng.integers(2**62)), len(who))
        if days[:, end - DAYS : end].all(axis=1).sum() == people - PLANTED:
            break
    row, day = np.nonzero(days)
    hour = np.clip(_hours(rng, viewers.iloc[who[row]], usual=0.96) % 24, 0.1, 23.8)
    child = viewers["child"].to_numpy()[who[row]]
    again = (rng.random(len(row)) < np.where(child, 0.16, 0.03)) & (hour < 17)
    row, day = np.append(row, row[again]), np.append(day, day[again])
    hour = np.append(hour, hour[again] + rng.uniform(5, 6.5, again.sum()))
    viewings = _viewings(rng, who[row], RELEASE + (day + hour / 24) * DAY, finished=0.94)
    # A part seen after midnight would add a day that the law did not draw.
    early = (hour < 16) & ~np.append(again, np.ones(again.sum(), bool))
    return viewings.assign(breaks=early.astype(int)), {"viewers": who, "draws": draws}


def _days_of_devotion(rng, size):
    go_on = rng.beta(*DEVOTEES["beta"], size)
    start = rng.geometric(1 / DEVOTEES["mean_days_to_start"], size) - 1
    days = np.zeros((size, (LAST - RELEASE) // DAY), bool)
    watches = np.zeros(size, bool)
    for day in range(days.shape[1]):
        begins = np.where(start < day, DEVOTEES["restart_per_day"], start == day)
        watches = days[:, day] = rng.random(size) < np.where(watches, go_on, begins)
    return days


def _planted(rng):
    rows = [
        (viewer, day - 1 + hour / 24)
        for viewer, case in enumerate(CASES)
        for day, hour in (
            *((d, case.hour) for d in range(case.first, case.last + 1) if d not in case.missed),
            *case.extra,
        )
    ]
    viewer, day = (np.array(column) for column in zip(*rows, strict=True))
    start = FIRST + day * DAY + rng.uniform(-700, 700, len(day))
    return _viewings(rng, viewer, start, finished=0.97).assign(breaks=0)


def _ordinary(rng, viewers, devotees):
    """Draw everyone else's viewings of the film, and what the rise was added to."""
    days = np.arange(RELEASE, LAST, DAY)
    age = (days - RELEASE) / DAY
    season = 0.9 * np.exp(-age / 8) + 0.35 + 0.9 * np.exp(-((age - 37) ** 2) / 72)
    rate = 0.026 * season * np.where(_weekday(days) > 4, 1.4, 1)
    chance = np.minimum(np.outer(viewers["taste"], rate), 0.5)
    chance *= days >= viewers["from_local"].to_numpy()[:, None]
    chance *= days + DAY <= viewers["until_local"].to_numpy()[:, None]
    chance[devotees] = chance[: len(CASES)] = 0
    lifted = chance * np.where(days >= RISE, RISE_RATIO, 1)
    viewer, day = np.nonzero(rng.random(chance.shape) < lifted)
    hour = np.clip(_hours(rng, viewers.iloc[viewer]) % 24, 0.1, 23.8)
    viewings = _viewings(rng, viewer, days[day] + hour * HOUR, finished=0.86)
    breaks = np.where(pd.Series(viewer).duplicated(keep=False), 1, 2)
    expected = zip(days, chance.sum(axis=0), strict=True)
    return viewings.assign(breaks=breaks), {_day(d): round(float(n), 2) for d, n in expected}


def _films(rng, viewers, titles, fixed):
    """Give each pair of viewer and film a log-series number of whole viewings, all in the log."""
    viewer = np.repeat(np.arange(len(viewers)), viewers["n_films"])
    film = _pick_films(rng, viewers["child"].to_numpy()[viewer], titles)
    viewer, film = np.unique(np.column_stack([viewer, film]), axis=0).T
    low = np.maximum(viewers["from_local"].to_numpy()[viewer], titles["arrives"].to_numpy()[film])
    high = np.minimum(viewers["until_local"].to_numpy()[viewer], titles["leaves"].to_numpy()[film])
    pairs = pd.DataFrame({"viewer": viewer, "title": film, "low": low, "high": high})
    # Too short a stay would cut the counts short, so such a pair does not come about at all.
    pairs = pairs[pairs["high"] - pairs["low"] >= 12 * DAY]
    child = viewers["child"].to_numpy()[pairs["viewer"]]
    finished = rng.random(len(pairs)) < 0.9
    n = rng.logseries(np.where(child, REWATCH_Q["child"], REWATCH_Q["adult"]))
    n = np.where(finished, n, 1)
    rows = pairs.assign(is_finished=finished, breaks=np.where(n == 1, 2, 1))
    rows = rows.loc[pairs.index.repeat(n)]
    rows = rows.reset_index(drop=True)
    share = _viewings(rng, rows["viewer"], 0, finished=rows["is_finished"])["share"]
    rows = rows.assign(share=share, start=0)
    return _placed(rng, rows, viewers, titles, fixed)


def _placed(rng, viewings, viewers, titles, fixed):
    """Draw a start for each viewing, and again while two viewings of a viewer overlap."""
    parts = _parts(rng, viewings, titles)
    viewings["span"] = parts.groupby("viewing")["end"].max()
    zone = viewers["tz"].to_numpy()[fixed["viewer"]]
    fixed = fixed.assign(start=_local(fixed["start"], zone), end=_local(fixed["end"], zone))
    todo = np.ones(len(viewings), bool)
    for _ in range(30):
        viewings.loc[todo, "start"] = _film_starts(rng, viewings[todo], viewers)
        viewings["end"] = viewings["start"] + viewings["span"]
        todo = _n_overlaps(viewings, pd.concat([viewings, fixed])) > 1
    return _on_clock(parts, viewings, viewers)


def _film_starts(rng, viewings, viewers):
    low, high = viewings["low"].to_numpy(), (viewings["high"] - viewings["span"]).to_numpy()
    one, other = (low + (high - low) * rng.random(len(low)) for _ in range(2))
    instant = np.where((_weekday(other) > 4) & (rng.random(len(low)) < 0.6), other, one)
    hour = _hours(rng, viewers.iloc[viewings["viewer"]]) % 24
    start = (instant // DAY) * DAY + hour * HOUR
    return np.where((start < low) | (start > high), instant, start).astype("int64")


def _series_streak(viewers, titles):
    """Twelve days over the American change of 5 November, just after and before midnight."""
    # Neither UTC nor a fixed offset of -4 or -5 hours keeps all twelve calendar days.
    local = [DAY * day + 60 * (13 + day) for day in range(5)]
    local += [DAY * day + 60 * (23 * 60 + 24 + day) for day in range(5, 12)]
    viewings = pd.DataFrame({"viewer": len(CASES) - 1, "start": FIRST + np.array(local)})
    viewings = viewings.assign(title=np.flatnonzero(titles["series"] == SERIES)[:12])
    runtime = titles["runtime"].to_numpy()[viewings["title"]]
    parts = viewings[["viewer", "title"]].assign(is_finished=True, viewing=viewings.index)
    parts = parts.assign(begin=0, end=runtime)
    return _on_clock(parts.assign(watched=runtime, position=runtime), viewings, viewers)


def _episodes(rng, viewers, titles, fixed):
    """Let sittings run through a series, one episode after the other."""
    sittings = _sittings(rng, viewers, titles, fixed)
    size, first = titles.groupby("show").size().to_numpy(), titles["show"].drop_duplicates().index
    plays = sittings.loc[sittings.index.repeat(sittings["n"])].reset_index(names="sitting")
    begins = ~plays["sitting"].duplicated().to_numpy()
    ends = ~plays["sitting"].duplicated(keep="last").to_numpy()
    shape = (len(viewers), len(size))
    offset = np.where(rng.random(shape) < 0.5, 0, rng.random(shape))
    viewer, show = plays["viewer"].to_numpy(), plays["show"].to_numpy()
    episode = (offset[viewer, show] * size[show]).astype(int)
    episode += plays.groupby(["viewer", "show"]).cumcount().to_numpy()
    again = viewers["child"] | viewers["daily"] | (rng.random(len(viewers)) < 0.3)
    title = first.to_numpy()[show] + episode % size[show]
    runtime = titles["runtime"].to_numpy()[title]
    rows = len(plays)
    given_up, autoplay = ends & (rng.random(rows) < 0.12), ~begins & (rng.random(rows) < 0.78)
    share = np.where(rng.random(rows) < 0.2, 1, rng.uniform(0.92, 0.98, rows))
    share = np.where(given_up, rng.uniform(0.03, 0.9, rows), share)
    watched = np.maximum((share * runtime).astype(int), 20)
    wait = np.where(autoplay, rng.integers(5, 16, rows), 20 + rng.exponential(150, rows))
    wait = np.where(begins, 0, wait).astype(int)
    lasts = watched + _pauses_within(rng, rows, 0.1)
    clock = np.cumsum(wait + lasts)
    clock -= np.repeat((clock - wait - lasts)[begins], plays["n"].to_numpy()[begins])
    end = plays["start"].to_numpy() + clock
    plays = plays.assign(title=title, start=end - lasts, end=end, watched=watched, position=watched)
    plays = plays.assign(viewing=plays.index, is_finished=~given_up, is_autoplay=autoplay)
    return plays[again.to_numpy()[viewer] | (episode < size[show])]


def _sittings(rng, viewers, titles, fixed):
    days = np.arange(FIRST - DAY, LAST + DAY, DAY)
    factor = np.where(_weekday(days) > 4, viewers["weekend"].to_numpy()[:, None], 1)
    chance = viewers["chance"].to_numpy()[:, None] * np.where(viewers["daily"], 1, factor.T).T
    viewer, day = np.nonzero(rng.random(chance.shape) < chance)
    habit = viewers.iloc[viewer]
    local = (days[day] + _hours(rng, habit) * HOUR).astype("int64")
    shows = titles[titles["series"].notna()].drop_duplicates("show")
    mine = np.column_stack([_pick_shows(rng, viewers["child"], shows) for _ in range(4)])
    slot = rng.choice(4, len(viewer), p=[0.62, 0.22, 0.11, 0.05])
    show = shows.iloc[mine[viewer, np.where(habit["daily"], 0, slot)]]
    n = np.minimum(rng.geometric(1 - 0.94 * habit["go_on"].to_numpy()), 20)
    sittings = pd.DataFrame({"viewer": viewer, "start": _utc(local, habit["tz"]), "n": n})
    sittings["show"] = show["show"].to_numpy()
    sittings["end"] = sittings["start"] + (n * show["runtime"] * 1.1).to_numpy().astype(int) + 600
    keep = (local >= show["arrives"].to_numpy()) & (local + 12 * HOUR < show["leaves"].to_numpy())
    keep &= (local >= habit["from_local"].to_numpy()) & (viewer != len(CASES) - 1)
    sittings = sittings[keep]
    busy = _n_overlaps(sittings, pd.concat([sittings, fixed])) > 1
    return sittings[~busy].sort_values(["viewer", "start"], ignore_index=True)


def _short_rows(rng, viewers, titles, plays, devotees):
    """Put starts given up within two minutes, and trailers, before what was watched then."""
    rows = plays.iloc[rng.choice(len(plays), len(plays) // 22, replace=False)]
    rows = rows[["viewer", "start"]].reset_index(drop=True)
    trailer = rng.random(len(rows)) < 0.3
    seconds = np.where(trailer, rng.integers(30, 151, len(rows)), rng.integers(4, 120, len(rows)))
    end = rows["start"] - rng.integers(10, 200, len(rows))
    title = _pick_films(rng, viewers["child"].to_numpy()[rows["viewer"]], titles)
    title[rng.random(len(rows)) < 0.1] = 0
    rows = rows.assign(title=title, watched=seconds, start=end - seconds, end=end, trailer=trailer)
    local = _local(rows["start"], viewers["tz"].to_numpy()[rows["viewer"]])
    film = titles.iloc[title]
    there = (local >= film["arrives"].to_numpy()) & (local < film["leaves"].to_numpy())
    # A short start of the film would give its viewer a day that was not drawn or planned.
    case = rows["viewer"] < len(CASES)
    counted = (title == 0) & (case | rows["viewer"].isin(devotees["viewers"]))
    free = np.where(trailer, ~((title == 0) & case), there & ~counted)
    rows = rows[(_n_overlaps(rows, plays) == 0) & free]
    planted = [(n, case) for n, case in enumerate(CASES) if case.trailer]
    local = np.array([FIRST + (case.trailer - 1 + case.hour / 24) * DAY for _, case in planted])
    start = _utc(local.astype("int64"), np.array([case.tz for _, case in planted]))
    extra = {"viewer": [n for n, _ in planted], "title": 0, "start": start, "end": start + 95}
    rows = pd.concat([rows, pd.DataFrame(extra | {"watched": 95, "trailer": True})])
    excluded = rows["trailer"].map({True: "trailer", False: None})
    position = rows["watched"].where(~rows["trailer"])
    return rows.assign(excluded=excluded, position=position, is_autoplay=rows["trailer"])


def _numbered(plays):
    """Put all plays together, with a number for each viewing; what is no viewing has none."""
    plays = pd.concat(plays, keys=range(len(plays)), names=["made"]).reset_index("made")
    viewing = plays.groupby(["made", "viewing"]).ngroup()
    return plays.assign(viewing=viewing).reset_index(drop=True)


def _with_long_pauses(plays, viewers, titles, share, seed):
    """Put off the last play of some viewings of other films that come in several plays."""
    # Numbers of its own, so that what else is drawn does not depend on it.
    rng = np.random.default_rng([seed, 7])
    number, film = plays["viewing"], titles["series"].isna() & (titles["title"] != FILM)
    last = number.duplicated() & ~number.duplicated(keep="last") & (number >= 0)
    last &= film.to_numpy()[plays["title"]]
    late = plays[last & (rng.random(len(plays)) < share)]
    by = DAY * rng.integers(8, 22, len(late))
    moved = late.assign(start=late["start"] + by, end=late["end"] + by)
    # The viewer must be free, still be there, and not have begun the film again meanwhile.
    own, home = viewers.iloc[late["viewer"]], late["viewer"] * len(titles) + late["title"]
    of_title = plays.assign(viewer=plays["viewer"] * len(titles) + plays["title"])
    meanwhile = late.assign(viewer=home, start=late["end"], end=moved["end"])
    free = (_n_overlaps(moved, plays) == 0) & (_n_overlaps(meanwhile, of_title) == 0)
    leaves = titles["leaves"].to_numpy()[late["title"]]
    free &= (moved["end"] <= own["until"].array) & (_local(moved["end"], own["tz"]) < leaves)
    plays.loc[moved.index[free], ["start", "end"]] = moved.loc[free, ["start", "end"]]
    return plays


def _plays_table(rng, plays, viewers, titles):
    own, title = viewers.iloc[plays["viewer"]], titles.iloc[plays["title"]]
    local = _local(plays["start"], own["tz"])
    copied = np.array([case.copied or -1 for case in CASES] + [-1] * (len(viewers) - len(CASES)))
    planted = (local // DAY - FIRST // DAY + 1 == copied[plays["viewer"]]) & (plays["title"] == 0)
    # Elsewhere a copy of a planted viewer's play could blur what its case is to show.
    chance = np.where(own["case"] < 0, 0.005, 0)
    doubled = ((rng.random(len(plays)) < chance) & plays["excluded"].isna()) | planted
    other = rng.choice(list(DEVICES), len(plays), p=list(DEVICES.values()))
    table = pd.DataFrame(
        {
            "viewer": own["viewer"].to_numpy(),
            "account": own["account"].to_numpy(),
            "title": title["title"].to_numpy(),
            "started_at": _instants(plays["start"]),
            "ended_at": _instants(plays["end"]),
            "watched_seconds": plays["watched"].astype("float64"),
            "series": title["series"].to_numpy(),
            "season": title["season"].astype("Int16").to_numpy(),
            "episode": title["episode"].astype("Int16").to_numpy(),
            "kind": np.where(title["series"].isna(), "film", "episode"),
            "position_seconds": plays["position"].astype("float64"),
            "runtime_seconds": np.where(plays["position"].isna(), np.nan, title["runtime"]),
            "is_autoplay": plays["is_autoplay"].eq(True).astype("boolean"),
            "is_kids": own["child"].astype("boolean").to_numpy(),
            "device": np.where(rng.random(len(plays)) < 0.84, own["device"], other),
            "country": own["tz"].map({zone: country for zone, (country, _) in ZONES.items()}).array,
            "tz": own["tz"].array,
            "source": "simulated",
            "row_is": "session",
            "precision": "second",
            "excluded": plays["excluded"],
            "viewing": plays["viewing"],
            "is_finished": plays["is_finished"].eq(True),
        }
    )
    seen = (plays["start"] >= own["joins"].array) & (plays["end"] <= own["until"].array)
    table = pd.concat([table[seen], table[seen & doubled].assign(excluded="duplicate")])
    order = ["viewer", "title", "started_at"]
    table = table.sort_values(order, kind="stable", ignore_index=True)
    viewings = _viewings_table(table)
    return as_plays(table.drop(columns=["viewing", "is_finished"])), viewings


def _viewings_table(plays):
    """Say which viewings the plays were meant for; a look of seconds was for none."""
    plays = plays[plays["excluded"].isna() & (plays["viewing"] >= 0)]
    pause = plays["started_at"] - plays.groupby("viewing")["ended_at"].shift()
    plays = plays.assign(pause=pause.dt.total_seconds().fillna(0).astype("int64"))
    rows = plays.reset_index(names="first_play").groupby("viewing", sort=False)
    viewings = rows[["viewer", "title", "first_play", "is_finished"]].first()
    viewings = viewings.assign(n_plays=rows.size(), longest_pause_seconds=rows["pause"].max())
    finished = viewings.groupby(["viewer", "title"])["is_finished"].cumsum()
    viewings = viewings.assign(is_rewatch=finished > viewings["is_finished"])
    columns = ["first_play", "n_plays", "longest_pause_seconds", "is_finished", "is_rewatch"]
    return viewings[columns].reset_index(drop=True)


def _viewers_table(viewers):
    edges = [
        (_date_at(FIRST - 1, zone) + timedelta(1), _date_at(until, zone) - timedelta(1))
        for zone, until in zip(viewers["tz"], viewers["log_until"], strict=True)
    ]
    table = viewers[["viewer", "account", "tz"]].assign(
        country=viewers["tz"].map({zone: country for zone, (country, _) in ZONES.items()}),
        observed_from=np.array([first for first, _ in edges], "datetime64[us]"),
        as_of=np.array([last for _, last in edges], "datetime64[us]"),
        is_kids=viewers["child"].astype("boolean"),
        log_starts_at=_instants(np.full(len(viewers), FIRST)),
        log_ends_at=_instants(viewers["log_until"]),
    )
    return table.sort_values("viewer", ignore_index=True)


def _titles_table(titles):
    table = titles[["title", "name", "series"]].assign(
        season=titles["season"].astype("Int16"),
        episode=titles["episode"].astype("Int16"),
        kind=np.where(titles["series"].isna(), "film", "episode"),
        runtime_seconds=titles["runtime"].astype("float64"),
        available_from=_instants(titles["arrives"]).tz_localize(None),
        available_until=_instants(titles["leaves"] - DAY).tz_localize(None),
    )
    table.loc[titles["leaves"] == NEVER, "available_until"] = pd.NaT
    return table.sort_values("title", ignore_index=True)


def _truth(plays, viewers, seed, devotees, expected):
    """Work out who is counted, by wall clocks and sets of dates alone."""
    film = plays[(plays["title"] == FILM) & plays["excluded"].isna()]
    rows = list(zip(film["viewer"], film["tz"], film["started_at"].dt.to_pydatetime(), strict=True))
    account = dict(zip(viewers["viewer"], viewers["account"], strict=True))
    lengths, counts = {}, []
    zones = ("own", "UTC", "America/New_York", "America/Los_Angeles", "Asia/Kolkata")
    for zone, start in product(zones, (0, 3, 4, 6)):
        days = defaultdict(set)
        for viewer, own, instant in rows:
            clock = instant.astimezone(ZoneInfo(own if zone == "own" else zone))
            days[viewer].add((clock.replace(tzinfo=None) - timedelta(hours=start)).date())
        for gap in (0, 1, 2):
            alive = {viewer: _length_alive(dates, gap) for viewer, dates in days.items()}
            lengths[zone, start, gap] = alive
            who = [viewer for viewer, length in alive.items() if length >= DAYS]
            people = {account[viewer] for viewer in who}
            cell = {"tz": zone, "day_starts_at": f"{start:02}:00", "max_gap_days": gap}
            counts.append(cell | {"viewers": len(who), "people": len(people)})
    tweet = lengths["own", 0, 0]
    counted = sorted(viewer for viewer, length in tweet.items() if length >= DAYS)
    ids = viewers["viewer"].tolist()
    case = {"viewer": ids[len(CASES) - 1], "account": account[ids[len(CASES) - 1]]}
    return {
        "simulated": True,
        "seed": seed,
        "title": FILM,
        "as_of": AS_OF.isoformat(),
        "days": DAYS,
        "viewers": counted,
        "accounts": sorted({account[viewer] for viewer in counted}),
        "counts": counts,
        "n_reaching": {str(k): sum(n >= k for n in tweet.values()) for k in range(1, 25)},
        "near_misses": [
            {"viewer": ids[n], "account": account[ids[n]]}
            | {key: getattr(near, key) for key in ("what", "counted_by", "not_counted_because")}
            for n, near in enumerate(NEAR_MISSES)
        ],
        "planted": sorted(ids[: len(CASES)]),
        "devotees": DEVOTEES
        | {"draws_until_it_fitted": devotees["draws"]}
        | {"viewers": sorted(ids[n] for n in devotees["viewers"])},
        "rewatch_q": REWATCH_Q,
        "rise": {"from": _day(RISE), "ratio": RISE_RATIO, "expected_without": expected},
        "series_streak": case
        | {"series": SERIES, "first_day": "2017-11-01", "last_day": "2017-11-12", "n_days": 12},
    }


def _length_alive(dates, gap):
    """Count the watched days of the streak that could still grow after `AS_OF`."""
    length, missed, day = 0, 0, AS_OF
    while missed <= gap:
        length, missed = (length + 1, 0) if day in dates else (length, missed + 1)
        day -= timedelta(days=1)
    return length


def _viewings(rng, viewer, start, finished):
    """Viewings of the Christmas film: most reach the credits, some see them out."""
    size = len(viewer)
    whole = np.where(rng.random(size) < 0.3, 1, rng.uniform(0.92, 0.98, size))
    is_finished = rng.random(size) < finished
    share = np.where(is_finished, whole, rng.uniform(0.05, 0.8, size))
    rows = pd.DataFrame({"viewer": np.asarray(viewer), "title": 0, "share": share})
    rows = rows.assign(is_finished=is_finished)
    return rows.assign(start=np.asarray(start).astype("int64"))


def _parts(rng, viewings, titles):
    """Cut viewings into one to three plays, with pauses from a minute to days between."""
    size, breaks = len(viewings), viewings["breaks"].to_numpy()
    n = np.where(breaks > 0, rng.choice(3, size, p=[0.76, 0.18, 0.06]), 0)
    share = viewings["share"].to_numpy()
    cuts = np.sort(rng.uniform(0.05, 0.95, (size, 2)), axis=1) * share[:, None]
    cuts = np.where(np.arange(2) < n[:, None], cuts, share[:, None])
    runtime = titles["runtime"].to_numpy()[viewings["title"]]
    stops = (np.column_stack([np.zeros(size), cuts, share]) * runtime[:, None]).astype("int64")
    minutes = np.clip(rng.lognormal(2.6, 1.3, (size, 2)), 1, 170)
    days = rng.random((size, 2)) < np.where(breaks == 2, 0.4, 0)[:, None]
    pause = np.where(days, rng.uniform(7, 110, (size, 2)) * HOUR, minutes * 60).astype("int64")
    watched = np.diff(stops, axis=1)
    lasts = watched + np.where(watched > 0, _pauses_within(rng, (size, 3), 0.12), 0)
    end = np.cumsum(lasts + np.column_stack([np.zeros(size, "int64"), pause]), axis=1)
    row, part = np.nonzero(watched)
    plays = viewings[["viewer", "title", "is_finished"]].iloc[row].reset_index(names="viewing")
    return plays.assign(
        begin=(end - lasts)[row, part],
        end=end[row, part],
        watched=watched[row, part],
        position=stops[row, part + 1],
    )


def _on_clock(parts, viewings, viewers):
    start = _utc(viewings["start"], viewers["tz"].to_numpy()[viewings["viewer"]])
    start = start[parts["viewing"]]
    return parts.assign(start=start + parts["begin"], end=start + parts["end"])


def _pauses_within(rng, shape, share):
    paused = rng.random(shape) < share
    return np.where(paused, 10 + rng.exponential(330, shape), 0).astype("int64")


def _hours(rng, habit, usual=0.86):
    size = len(habit)
    own = habit["hour"].to_numpy() + habit["spread"].to_numpy() * rng.normal(size=size)
    return np.where(rng.random(size) < usual, own, rng.uniform(8, 25, size))


def _pick_films(rng, child, titles):
    films = titles[titles["series"].isna() & (titles["title"] != FILM)]
    return films.index.to_numpy()[_pick_shows(rng, child, films)]


def _pick_shows(rng, child, shows):
    young, size = shows["child"].to_numpy(), len(child)
    for_child = np.where(young, shows["weight"], 0)
    for_adult = np.where(young, 0.2, 1) * shows["weight"]
    picks = [
        np.searchsorted(np.cumsum(weight / weight.sum())[:-1], rng.random(size), "right")
        for weight in (for_child, for_adult)
    ]
    return np.where(child, *picks)


def _n_overlaps(rows, others):
    """Count the `others` of the same viewer that share time with each row."""
    width = 10**10
    begun = np.sort(others["viewer"].to_numpy() * width + others["start"].to_numpy())
    over = np.sort(others["viewer"].to_numpy() * width + others["end"].to_numpy())
    viewer = rows["viewer"].to_numpy() * width
    before = np.searchsorted(begun, viewer + rows["end"].to_numpy(), "left")
    return before - np.searchsorted(over, viewer + rows["start"].to_numpy(), "right")


def _utc(local, zones):
    def shift(clock, zone):
        # An hour that the clock shows twice is taken the first time.
        return clock.tz_localize(zone, ambiguous=np.ones(len(clock), bool))

    return _by_zone(local, zones, shift)


def _local(instants, zones):
    def shift(clock, zone):
        return clock.tz_localize("UTC").tz_convert(zone).tz_localize(None)

    return _by_zone(instants, zones, shift)


def _by_zone(seconds, zones, shift):
    seconds, zones = np.asarray(seconds, "int64"), np.asarray(zones)
    shifted = np.empty_like(seconds)
    for zone in ZONES:
        here = zones == zone
        shifted[here] = shift(pd.DatetimeIndex(seconds[here].view("datetime64[s]")), zone).asi8
    return shifted


def _weekday(seconds):
    """Monday is 0; 1 January 1970 was a Thursday."""
    return (seconds // DAY + 3) % 7


def _instants(seconds):
    seconds = np.asarray(seconds, "int64")
    return pd.DatetimeIndex(seconds.view("datetime64[s]").astype("datetime64[us]"), tz="UTC")


def _date_at(seconds, zone):
    return datetime.fromtimestamp(seconds, UTC).astimezone(ZoneInfo(zone)).date()


def _day(seconds):
    return str(np.datetime64(int(seconds), "s").astype("datetime64[D]"))


def write_sample(folder: Path) -> None:
    """Write the sample's tables, their fingerprints and the truth into a folder."""
    simulation = simulate_plays(seed=SEED)
    coded = [name for name, dtype in simulation.plays.dtypes.items() if dtype == "category"]
    simulation.plays.to_parquet(
        folder / "plays.parquet",
        index=False,
        compression="zstd",
        compression_level=19,
        use_dictionary=[*coded, "watched_seconds", "position_seconds", "runtime_seconds"],
        column_encoding={name: "DELTA_BINARY_PACKED" for name in ("started_at", "ended_at")},
    )
    simulation.viewings.to_parquet(
        folder / "viewings.parquet",
        index=False,
        compression="zstd",
        compression_level=19,
        use_dictionary=["n_plays", "longest_pause_seconds"],
        column_encoding={"first_play": "DELTA_BINARY_PACKED"},
    )
    for name in ("viewers", "titles"):
        table = getattr(simulation, name)
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    tables = simulation._asdict()
    truth = json.dumps(tables.pop("truth"), indent=1, sort_keys=True)
    lines = [f"{name} {fingerprint(table)}\n" for name, table in tables.items()]
    (folder / "FINGERPRINTS").write_text("".join(lines), encoding="utf-8", newline="\n")
    (folder / "truth.json").write_text(f"{truth}\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m toolkit.simulate FOLDER")
    write_sample(Path(sys.argv[1]))
