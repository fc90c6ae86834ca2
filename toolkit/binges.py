"""Binges, by the definitions that compete, and how far these agree."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from toolkit.clock_cells import clock_slots, zones_of
from toolkit.intervals import wilson
from toolkit.order import codes_of, day_numbers, pack, stored, to_midnights
from toolkit.sittings import ends_of, sitting_numbers
from toolkit.tables import (
    as_days,
    as_plays,
    as_whole_number,
    require_choice,
    require_columns,
    require_confidence,
    require_one_account,
    used_plays,
)

__all__ = ["compare_binges", "find_binges"]

_SECOND = 1_000_000
_DEFINITIONS = ["count", "pace", "season", "norm"]
_COLUMNS = ["definition", "n_binges", "n_sittings", "n_viewer_days", "people", "people_judged"]


def find_binges(
    plays: pd.DataFrame,
    *,
    tz: str,
    definition: Literal["count", "pace", "season", "norm"],
    pause: str | pd.Timedelta = "30min",
    day_starts_at: str = "00:00",
    min_seconds: float = 120,
    min_episodes: int = 2,
    hours_per_day: float = 2,
    release_days: int = 1,
    complete_share: float = 0.9,
    level: float = 0.05,
    min_sittings: int = 10,
    titles: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Find binges of series, by one of the definitions of the field.

    =============  ==============================================================
    `definition`   a binge is
    =============  ==============================================================
    count          a sitting with at least `min_episodes` episodes of a series
    pace           a day with more than `hours_per_day` hours of a series
    season         all episodes of a season, finished within `release_days` days
                   of its release
    norm           a sitting with so many episodes of a series that its viewer's
                   own norm gives so many with a probability of `level` at most
    =============  ==============================================================

    Parameters
    ----------
    plays : pandas.DataFrame
        A plays table with `series`; only rows that have one are episodes.  Rows with a reason
        in `excluded` are not used; order does not matter.
    tz : str
        Name of a time zone, or of a column that names one for each play.  A play belongs to
        the day on which it starts.
    definition : {'count', 'pace', 'season', 'norm'}
        As above.
    pause : str or pandas.Timedelta, default "30min"
        The longest pause within a sitting, as in `to_sittings`.
    day_starts_at : str, default "00:00"
        When a day starts on that clock, ``"HH:MM"``.
    min_seconds : float, default 120
        An episode counts if it was watched for at least so long, in all its plays that may
        belong to the binge.  Unknown seconds count as watched.
    min_episodes : int, default 2
        For 'count': different episodes.
    hours_per_day : float, default 2
        For 'pace': hours watched, more than which are a binge.  Unknown seconds count as none.
    release_days : int, default 1
        For 'season': days, from that of the release on, within which it must be finished.
    complete_share : float, default 0.9
        For 'season': an episode is finished at this share of its runtime, by position or by
        time watched.  Without runtimes an episode that counts is finished.
    level : float, default 0.05
        For 'norm': how probable a binge may be under its viewer's norm.
    min_sittings : int, default 10
        For 'norm': sittings with the viewer's episodes of any one series that it takes to
        know a norm; viewers with fewer have no binges, and are not counted as judged.
    titles : pandas.DataFrame, optional
        For 'season' needed, for 'norm' to tell where the episodes ran out: `title`, `series`,
        `season`, `episode`, `available_from` and, if known, `available_until` and
        `runtime_seconds`.  A title without dates was there all along.

    Returns
    -------
    pandas.DataFrame
        One row per binge, in the order viewer, started_at, series:

        * ``viewer``, ``account``, ``series`` as in `plays`
        * ``season`` : Int16, missing but for 'season'
        * ``started_at``, ``ended_at`` : datetime64[us, UTC], of its first and last play
        * ``first_day`` : datetime64, midnight, no time zone
        * ``n_episodes`` : int, different ones
        * ``watched_seconds`` : float, of the series in the binge; NaN where those of any of
          its plays are unknown

        and with 'norm':

        * ``expected`` : float, the mean number of episodes of its viewer's norm
        * ``probability`` : float, that the norm gives so many or more
        * ``is_censored`` : boolean, the episodes ran out; ``<NA>`` without `titles`

    Raises
    ------
    ValueError
        If a column is missing, a number is out of its bounds, 'season' lacks `titles`, or
        `to_sittings` would refuse the plays.

    See Also
    --------
    compare_binges : all definitions in one table.
    to_sittings : the sittings.

    Notes
    -----
    None of these is the true one.  In a survey for Netflix 73 % called 2 to 6 episodes of a
    show in one sitting a binge, and other reports of it say 2 to 3 [1]_.  Netflix spoke of
    "devouring" a series at more than two hours a day [2]_, and of "binge racers" who finish a
    season within 24 hours of its launch.  A `release` is here the
    day in the viewer's zone on which the last episode of the season became available; where a
    season appears at another hour than midnight, a day is shorter than 24 hours.  Seasons of
    one episode are none to be raced through.

    The norm follows Trouleau et al. [3]_ in that a binge is a deviation from what the viewer
    does otherwise, and that a sitting which ended because there was no further episode says
    only that it would have been at least so long.  Here a viewer's number of episodes Y in a
    sitting has a Poisson law of its own, cut at zero since a sitting has an episode:
    ``P(Y = y)`` is what a sitting adds to the likelihood, or ``P(Y >= y)`` where the last
    episode available on that day was among those watched.  Theirs is a mixture of regressions
    on covariates, this is not.  The sitting that is judged is part of the norm it is held
    against, which makes binges rarer.  Of sittings that keep to the norm, up to `level` are
    called binges all the same; where their number varies more than a Poisson law has it, more
    are.

    References
    ----------
    .. [1] Harris Interactive for Netflix (2013): 3,078 adults in the United States.
    .. [2] Netflix, "A Year in Bingeing", December 2017.
    .. [3] W. Trouleau, A. Ashkan, W. Ding, B. Eriksson, "Just One More: Modeling Binge Watching
       Behavior", KDD 2016.

    Examples
    --------
    >>> plays = pd.DataFrame({
    ...     "viewer": "ann", "series": "Dark", "title": ["Dark: 1", "Dark: 2", "Dark: 3"],
    ...     "started_at": pd.to_datetime(
    ...         ["2024-03-01 20:00Z", "2024-03-01 21:00Z", "2024-03-02 20:00Z"]
    ...     ),
    ...     "watched_seconds": 3000.0,
    ... })
    >>> find_binges(plays, tz="UTC", definition="count")[["series", "first_day", "n_episodes"]]
      series  first_day  n_episodes
    0   Dark 2024-03-01           2
    >>> len(find_binges(plays, tz="UTC", definition="pace"))
    0
    """
    options = {
        "definition": definition, "min_seconds": min_seconds, "min_episodes": min_episodes,
        "hours_per_day": hours_per_day, "release_days": release_days,
        "complete_share": complete_share, "level": level, "min_sittings": min_sittings,
    }  # fmt: skip
    _require_options(options, titles)
    episodes = _episodes(plays, tz, pause, day_starts_at)
    return _as_frame(episodes, _found(episodes, titles, **options), definition)


def compare_binges(
    plays: pd.DataFrame,
    *,
    tz: str,
    definitions: Mapping[str, dict] | None = None,
    unit: Literal["day", "sitting", "people"] = "day",
    pause: str | pd.Timedelta = "30min",
    day_starts_at: str = "00:00",
    titles: pd.DataFrame | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Count binges by several definitions, and say how far they mean the same ones.

    Parameters
    ----------
    plays, tz, pause, day_starts_at, titles
        As in `find_binges`.
    definitions : dict, optional
        For each name of a row the keywords of `find_binges` that make it, `definition` among
        them.  Without it one row for each definition, 'season' only with `titles`.
    unit : {'day', 'sitting', 'people'}, default 'day'
        What two definitions agree on: the days of a viewer with a binge of a series, the
        sittings with one, or the accounts that have any.
    confidence : float, default 0.95
        Level of the intervals, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        One row per definition, in their order:

        * ``definition`` : str, its name
        * ``n_binges`` : int
        * ``n_sittings`` : int, sittings with a play that belongs to a binge
        * ``n_viewer_days`` : int, days of a viewer with one
        * ``people`` : int, accounts with a binge
        * ``people_judged`` : int, accounts that could have one: with an episode, or with 'norm'
          enough sittings
        * ``share`` : float, people over people_judged
        * ``low``, ``high`` : float, Wilson's interval of it
        * a column for each definition, named after it : float, their Jaccard index: of what
          either calls a binge, the share that both do; NaN where neither finds any

    Raises
    ------
    ValueError
        If `find_binges` would, or a name is that of another column.

    See Also
    --------
    find_binges : the binges themselves.
    plot_binges : draws this table.
    multiverse : any other number under all combinations of choices.

    Examples
    --------
    >>> plays = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "bob"], "series": "Dark",
    ...     "title": ["Dark: 1", "Dark: 2", "Dark: 1"],
    ...     "started_at": pd.to_datetime(
    ...         ["2024-03-01 20:00Z", "2024-03-01 21:00Z", "2024-03-02 20:00Z"]
    ...     ),
    ...     "watched_seconds": [3000.0, 3000.0, 9000.0],
    ... })
    >>> table = compare_binges(plays, tz="UTC")
    >>> table[["definition", "n_binges", "people", "share", "count", "pace"]]
      definition  n_binges  people  share  count  pace
    0      count         1       1    0.5    1.0   0.0
    1       pace         1       1    0.5    0.0   1.0
    2       norm         0       0    NaN    0.0   0.0
    """
    require_choice(unit, ["day", "sitting", "people"], "unit")
    require_confidence(confidence)
    if definitions is None:
        chosen = [name for name in _DEFINITIONS if name != "season" or titles is not None]
        definitions = {name: {"definition": name} for name in chosen}
    if clash := [name for name in definitions if name in [*_COLUMNS, "share", "low", "high"]]:
        raise ValueError(f"`definitions` must not be named as other columns, got {clash}.")
    defaults = {
        name: value
        for name, value in find_binges.__kwdefaults__.items()
        if name not in ("pause", "day_starts_at", "titles")
    }
    chosen = {name: defaults | dict(own) for name, own in definitions.items()}
    for options in chosen.values():
        if unknown := set(options) - {*defaults, "definition"}:
            raise ValueError(
                f"`definitions` must be keywords of `find_binges` other than those of all "
                f"definitions, got {sorted(unknown)}."
            )
        _require_options(options, titles)
    episodes = _episodes(plays, tz, pause, day_starts_at)
    found = {name: _found(episodes, titles, **options) for name, options in chosen.items()}
    rows = [_counts(name, episodes, one) for name, one in found.items()]
    table = pd.DataFrame(rows, columns=_COLUMNS)
    people, judged = table["people"].to_numpy(), table["people_judged"].to_numpy()
    with np.errstate(invalid="ignore"):
        low, high = wilson(people, judged, confidence=confidence)
        table = table.assign(share=people / judged, low=low, high=high)
    units = {
        "day": ["viewer", "series", "day"], "sitting": ["sitting"], "people": ["account"],
    }[unit]  # fmt: skip
    key = pack(*[episodes.codes(name) for name in units])
    sets = {name: np.unique(key[one.is_in]) for name, one in found.items()}
    return table.assign(
        **{name: [_jaccard(some, other) for some in sets.values()] for name, other in sets.items()}
    )


class _Episodes(NamedTuple):
    """Plays of episodes, with their sittings and days."""

    # viewer, account, series and title as they are in plays.
    ids: pd.DataFrame
    sitting: np.ndarray
    day: np.ndarray
    start: np.ndarray
    end: np.ndarray
    # Whole microseconds, NaN where unknown.
    watched: np.ndarray
    position: np.ndarray
    runtime: np.ndarray

    def codes(self, name: str) -> tuple[np.ndarray, int]:
        """Return whole numbers from 0 for a column, and how many there can be."""
        if name in self.ids:
            return codes_of(self.ids[name], name)
        values = getattr(self, name)
        low = values.min(initial=0)
        return values - low, int(values.max(initial=0) - low) + 1


class _Binges(NamedTuple):
    """Groups of plays that are a binge or not."""

    # The group of each play, -1 for none.
    group: np.ndarray
    is_binge: np.ndarray
    n_episodes: np.ndarray
    # Which plays belong to a binge, and the accounts that could have one.
    is_in: np.ndarray
    judged: np.ndarray
    # Columns that only some definitions know, a value for each group.
    more: dict[str, np.ndarray]


def _require_options(options: dict, titles) -> None:
    require_choice(options.get("definition"), _DEFINITIONS, "definition")
    for name in ("min_episodes", "release_days", "min_sittings"):
        as_whole_number(options[name], name, low=1)
    for name in ("min_seconds", "hours_per_day"):
        if not options[name] >= 0:
            raise ValueError(f"`{name}` must be 0 or more, got {options[name]!r}.")
    for name in ("complete_share", "level"):
        if not 0 < options[name] <= 1:
            raise ValueError(f"`{name}` must lie in (0, 1], got {options[name]!r}.")
    if options["definition"] == "season" and titles is None:
        raise ValueError("`titles` must be given to know when a season was released, got None.")


def _episodes(plays: pd.DataFrame, tz: str, pause, day_starts_at: str) -> _Episodes:
    require_columns(plays, ["viewer", "title", "started_at", "series"], "plays")
    has_accounts = "account" in plays
    sitting = sitting_numbers(plays, pause)
    plays = used_plays(as_plays(plays))
    if has_accounts:
        require_one_account("`plays`", plays)
    log = {"started_at": plays["started_at"].array.asi8}
    if "ended_at" in plays:
        log["ended_at"] = plays["ended_at"].array.asi8
    if "watched_seconds" in plays:
        log["watched_seconds"] = plays["watched_seconds"].to_numpy()
    end, watched = ends_of(log, slice(None))
    unknown = np.full(len(plays), np.nan)
    position, runtime = (
        plays[name].to_numpy() if name in plays else unknown
        for name in ("position_seconds", "runtime_seconds")
    )
    day = _start_days(plays, tz, day_starts_at)
    rows = np.flatnonzero(plays["series"].notna())
    arrays = (sitting, day, log["started_at"], end, watched, position, runtime)
    ids = plays[["viewer", "account", "series", "title"]].iloc[rows].reset_index(drop=True)
    return _Episodes(ids, *(values[rows] for values in arrays))


def _start_days(plays: pd.DataFrame, tz: str, day_starts_at: str) -> np.ndarray:
    """Return the day on which each play starts, in whole days since 1970-01-01."""
    zone, zones = zones_of(plays, tz)
    started = plays["started_at"].array.asi8
    every = np.ones(len(zones), dtype="int64")
    cells, slots = clock_slots(
        ["day"], zones, every * started.min(initial=2**62), every * (started.max(initial=0) + 1),
        day_starts_at=day_starts_at, week_starts="MON", dayparts=None,
    ) if len(started) else (pd.DataFrame({"day": to_midnights(started.copy())}), [])  # fmt: skip
    numbers = day_numbers(cells["day"], "day")
    days = np.zeros(len(started), dtype="int64")
    for code, (edges, row) in enumerate(slots):
        where = slice(None) if zone is None else np.flatnonzero(zone == code)
        days[where] = numbers[row[np.searchsorted(edges, started[where], side="right") - 1]]
    return days


def _found(episodes: _Episodes, titles, *, definition: str, **options) -> _Binges:
    accounts, n_accounts = episodes.codes("account")
    judged = np.bincount(accounts, minlength=n_accounts) > 0
    more = {}
    if definition == "season":
        group, more["season"], is_binge, n_episodes = _races(episodes, titles, options)
    elif definition == "pace":
        group, first = _grouped(episodes, "viewer", "series", "day")
        n_episodes = _count_episodes(episodes, group, len(first), options["min_seconds"])
        known = np.bincount(group, np.nan_to_num(episodes.watched), minlength=len(first))
        is_binge = known > options["hours_per_day"] * 3_600 * _SECOND
    else:
        group, first = _grouped(episodes, "sitting", "series")
        n_episodes = _count_episodes(episodes, group, len(first), options["min_seconds"])
        is_binge = n_episodes >= options["min_episodes"]
        if definition == "norm":
            more = _norms(episodes, titles, group, first, n_episodes, options["min_sittings"])
            is_binge = more["probability"] <= options["level"]
            has_norm = first[~np.isnan(more["probability"])]
            judged = np.bincount(accounts[has_norm], minlength=n_accounts) > 0
    is_in = np.append(is_binge, False)[group]
    return _Binges(group, is_binge, n_episodes, is_in, judged, more)


def _grouped(episodes: _Episodes, *names: str) -> tuple[np.ndarray, np.ndarray]:
    """Number the groups of plays that are alike, and return a play of each."""
    key = pack(*[episodes.codes(name) for name in names])
    _, first, group = np.unique(key, return_index=True, return_inverse=True)
    return group, first


def _count_episodes(episodes: _Episodes, group, n_groups: int, min_seconds: float) -> np.ndarray:
    """Count the different episodes of each group that were watched for long enough."""
    title = episodes.codes("title")
    inside = np.flatnonzero(group >= 0)
    key = pack((group[inside], max(n_groups, 1)), (title[0][inside], title[1]))
    _, first, number = np.unique(key, return_index=True, return_inverse=True)
    watched = np.bincount(number, episodes.watched[inside], minlength=len(first))
    counts = ~(watched < min_seconds * _SECOND)
    return np.bincount(group[inside][first[counts]], minlength=n_groups)


def _races(episodes: _Episodes, titles, options: dict) -> tuple:
    """Group the plays of a viewer of a season that had just been released."""
    catalogue = _catalogue(titles)
    row = _rows_in(catalogue, episodes)
    seasons = catalogue.groupby("season_no").agg(
        release=("from_day", "max"), n=("title", "nunique"), season=("season", "first")
    )
    of_play = catalogue["season_no"].to_numpy()[row]
    since = episodes.day - seasons["release"].to_numpy()[of_play]
    inside = np.flatnonzero((row >= 0) & (since >= 0) & (since < options["release_days"]))
    viewer, n_viewers = episodes.codes("viewer")
    key = pack((viewer[inside], n_viewers), (of_play[inside], len(seasons)))
    keys, number = np.unique(key, return_inverse=True)
    group = np.full(len(row), -1)
    group[inside] = number
    season = keys % max(len(seasons), 1)
    seconds = catalogue["runtime_seconds"].to_numpy()[row[inside]]
    runtime = np.where(np.isnan(seconds), episodes.runtime[inside], seconds)
    some = pd.DataFrame(
        {
            "group": number,
            "row": row[inside],
            "watched": episodes.watched[inside] / _SECOND,
            "position": episodes.position[inside],
            "runtime": runtime,
        }
    )
    each = some.groupby(["group", "row"]).agg(
        known=("watched", "sum"), total=("watched", lambda s: s.sum(skipna=False)),
        position=("position", "max"), runtime=("runtime", "max"),
    )  # fmt: skip
    needed = options["complete_share"] * each["runtime"]
    unknown = needed.isna() & ~(each["total"] < options["min_seconds"])
    is_done = (each["known"] >= needed) | (each["position"] >= needed) | unknown
    done = np.bincount(each.index.get_level_values("group")[is_done], minlength=len(keys))
    n_titles = seasons["n"].to_numpy()[season]
    n_episodes = _count_episodes(episodes, group, len(keys), options["min_seconds"])
    return group, seasons["season"].to_numpy()[season], (done == n_titles) & (done > 1), n_episodes


def _norms(episodes: _Episodes, titles, group, first, n_episodes, min_sittings: int) -> dict:
    """Return what each viewer's own norm says of each group of plays of a sitting."""
    viewer = episodes.codes("viewer")[0][first]
    is_censored = np.zeros(len(first), dtype=bool)
    if titles is not None:
        is_censored = _ran_out(episodes, titles, group, len(first))
    counted = n_episodes > 0
    cells = pd.DataFrame({"viewer": viewer, "n": n_episodes, "is_censored": is_censored})[counted]
    cells = cells.groupby(list(cells), as_index=False).size()
    rates = _poisson_rates(*(cells[name].to_numpy() for name in cells))
    n_sittings = np.bincount(viewer[counted], minlength=len(rates))
    rate = np.where(n_sittings >= min_sittings, rates, np.nan)[viewer] if len(viewer) else rates
    rate = np.where(counted, rate, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = np.where(rate > 0, rate / -np.expm1(-rate), 1 + 0 * rate)
        probability = np.where(
            rate > 0, special.gammainc(np.maximum(n_episodes, 1), rate) / -np.expm1(-rate),
            (n_episodes < 2) + 0 * rate,
        )  # fmt: skip
    unknown = np.full(len(first), titles is None)
    return {
        "expected": expected,
        "probability": probability,
        "is_censored": pd.arrays.BooleanArray(is_censored, unknown),
    }


def _poisson_rates(viewer, n, is_censored, weight) -> np.ndarray:
    """Return each viewer's rate of largest likelihood; NaN where all sittings are censored.

    The likelihood is that of a Poisson law cut at zero: P(Y = n), or P(Y >= n) where censored.
    In the logarithm of the rate it has one maximum, where its slope, which falls, is zero.
    """
    n_viewers = int(viewer.max(initial=-1)) + 1

    def add(values, rows=slice(None)):
        return np.bincount(viewer[rows], weight[rows] * values, minlength=n_viewers)

    censored = np.flatnonzero(is_censored)
    who, least = viewer[censored], n[censored]
    exact, n_sittings = add(np.where(is_censored, 0, n)), add(1)
    low = np.full(n_viewers, -20.0)
    high = np.full(n_viewers, np.log(n.max(initial=1) + 1.0) + 5)
    for _ in range(60):
        middle = (low + high) / 2
        rate = np.exp(middle)
        tail = special.gammainc(least, rate[who])
        before = np.where(least > 1, special.gammainc(np.maximum(least - 1, 1), rate[who]), 1.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(tail > 1e-290, rate[who] * before / tail, least)
        slope = exact + add(mean, censored) - n_sittings * rate / -np.expm1(-rate)
        low, high = np.where(slope > 0, middle, low), np.where(slope > 0, high, middle)
    rates = np.where(add(n - 1) > 0, np.exp((low + high) / 2), 0.0)
    return np.where(add(~is_censored) > 0, rates, np.nan)


def _ran_out(episodes: _Episodes, titles, group, n_groups: int) -> np.ndarray:
    """Return which sittings took in the last episode of the series that was there on the day."""
    catalogue = _catalogue(titles)
    row = _rows_in(catalogue, episodes)
    known = np.flatnonzero(row >= 0)
    plays = pd.DataFrame({"day": episodes.day[known], "row": row[known]})
    plays["series_no"] = catalogue["series_no"].to_numpy()[plays["row"]]
    # What is there changes on these days only.
    changes = [
        catalogue[["series_no"]].assign(day=catalogue["from_day"]),
        catalogue[["series_no"]].assign(day=catalogue["until_day"] + 1),
    ]
    changes = pd.concat(changes).drop_duplicates()
    there = changes.merge(catalogue[["series_no", "rank", "from_day", "until_day"]], on="series_no")
    there = there[(there["from_day"] <= there["day"]) & (there["day"] <= there["until_day"])]
    last = there.groupby(["series_no", "day"], as_index=False)["rank"].max().sort_values("day")
    order = plays["day"].to_numpy().argsort(kind="stable")
    last = pd.merge_asof(plays.iloc[order], last, on="day", by="series_no")
    is_last = last["rank"].to_numpy() == catalogue["rank"].to_numpy()[last["row"]]
    return np.bincount(group[known[order][is_last]], minlength=n_groups) > 0


def _catalogue(titles: pd.DataFrame) -> pd.DataFrame:
    """Return the episodes of `titles`, with numbers for their series, season, place and days."""
    needed = ["title", "series", "season", "episode", "available_from"]
    require_columns(titles, needed, "titles")
    if (again := titles["title"].duplicated()).any():
        raise ValueError(
            f"`titles` must have one row per title, found {titles['title'][again].iloc[0]!r} twice."
        )
    known = titles[["series", "season", "episode"]].notna().all(axis=1)
    some = titles[known].reset_index(drop=True)
    until = some.get("available_until", pd.Series(pd.NaT, index=some.index))
    # A title without dates was there all along.
    first, last = (
        day_numbers(as_days(days, name).fillna(pd.Timestamp(edge)), name)
        for days, name, edge in (
            (some["available_from"], "titles.available_from", "1700-01-01"),
            (until, "titles.available_until", "2200-01-01"),
        )
    )
    catalogue = pd.DataFrame(
        {
            "title": some["title"].astype("object"),
            "season": some["season"].astype("Int16"),
            "series_no": some.groupby("series", observed=True).ngroup(),
            "season_no": some.groupby(["series", "season"], observed=True).ngroup(),
            "from_day": first,
            "until_day": last,
            "runtime_seconds": some.get("runtime_seconds", pd.Series(np.nan, index=some.index)),
        }
    )
    place = some[["series", "season", "episode"]].astype({"series": "str"})
    ranked = place.sort_values(["series", "season", "episode"]).index
    return catalogue.assign(rank=pd.Series(np.arange(len(ranked)), index=ranked))


def _rows_in(catalogue: pd.DataFrame, episodes: _Episodes) -> np.ndarray:
    """Return the row of each play's title in the catalogue, -1 where it is not there."""
    title = episodes.ids["title"]
    known = pd.Index(catalogue["title"])
    if isinstance(title.dtype, pd.CategoricalDtype):
        return known.get_indexer(title.cat.categories.astype("object"))[stored(title)]
    return known.get_indexer(title)


def _as_frame(episodes: _Episodes, binges: _Binges, definition: str) -> pd.DataFrame:
    rows = np.flatnonzero(binges.is_in)
    kept, group = np.unique(binges.group[rows], return_inverse=True)
    of = pd.DataFrame(
        {
            "start": episodes.start[rows],
            "end": episodes.end[rows],
            "day": episodes.day[rows],
            "row": rows,
            "group": group,
        }
    )
    of = of.groupby("group").agg({"start": "min", "end": "max", "day": "min", "row": "first"})
    watched = np.bincount(group, episodes.watched[rows], minlength=len(kept)) / _SECOND
    ids = episodes.ids.iloc[of["row"]].reset_index(drop=True)
    season = binges.more.get("season", np.full(len(binges.is_binge), np.nan))
    found = {
        **{name: ids[name] for name in ("viewer", "account", "series")},
        "season": pd.array(np.asarray(season)[kept], dtype="Int16"),
        "started_at": pd.array(of["start"].to_numpy().copy(), dtype="datetime64[us, UTC]"),
        "ended_at": pd.array(of["end"].to_numpy().copy(), dtype="datetime64[us, UTC]"),
        "first_day": to_midnights(of["day"].to_numpy().copy()),
        "n_episodes": binges.n_episodes[kept],
        "watched_seconds": watched,
    }
    if definition == "norm":
        found |= {name: values[kept] for name, values in binges.more.items()}
    table = pd.DataFrame(found)
    return table.sort_values(["viewer", "started_at", "series"], ignore_index=True)


def _counts(name: str, episodes: _Episodes, binges: _Binges) -> list:
    rows = binges.is_in
    days = pack(episodes.codes("viewer"), episodes.codes("day"))
    accounts = episodes.codes("account")[0]
    counted = (episodes.sitting, days, accounts)
    n_sittings, n_days, people = (len(np.unique(values[rows])) for values in counted)
    n_binges = int(binges.is_binge.sum())
    return [name, n_binges, n_sittings, n_days, people, int(binges.judged.sum())]


def _jaccard(some: np.ndarray, other: np.ndarray) -> float:
    both = len(np.intersect1d(some, other, assume_unique=True))
    either = len(some) + len(other) - both
    return both / either if either else np.nan
