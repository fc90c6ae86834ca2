"""What a few known plays give away: how many single a viewer out, and who would be named."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from toolkit.days import clock_hours, period_numbers
from toolkit.intervals import wilson
from toolkit.order import BLOCK, codes_of, filled, in_threads, pack, stable_order
from toolkit.tables import (
    as_plays,
    as_whole_number,
    require_choice,
    require_columns,
    require_confidence,
    unit_column,
    used_plays,
)

__all__ = ["risk_sentence", "scoreboard_attack", "unicity"]

# How the time of a known play is told in a sentence.
_WHEN = {
    "never": "without a date",
    "month": "with {} month",
    "week": "with {} week",
    "day": "with {} day",
    "hour": "with {} hour",
}
# Probes that are tested at once, so that a block of candidates holds many of each.
_PROBES = 1024
# The days over which the score of a date falls to 1/e, as published.
_DAYS_SCALE = 30


def unicity(
    plays: pd.DataFrame,
    *,
    tz: str,
    known: Sequence[int] = (1, 2, 4, 8),
    when: Sequence[str] = ("never", "month", "week", "day", "hour"),
    by: Literal["title", "series"] = "title",
    n_probes: int = 10_000,
    seed: int,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Estimate what share of viewers a few plays, known with their time, single out.

    It measures a log without names: whoever knows so many plays of a viewer finds all the
    others of one who is singled out.

    Parameters
    ----------
    plays : pandas.DataFrame
        A plays table.  Rows with a reason in `excluded` are not used; order does not matter.
    tz : str
        Name of a time zone, or of a column that names one for each play, on whose clock
        times are cut.
    known : sequence of int
        How many points of a viewer are known, each 1 or more.
    when : sequence of {'never', 'month', 'week', 'day', 'hour'}
        How closely the time of each is known: months, weeks (from Monday) and days of the
        calendar, hours as the clock shows them.  Rows of precision "day" are known by their
        day even with 'hour'.
    by : {'title', 'series'}, default 'title'
        What is known beside the time.  With 'series' a title that has none stands for itself.
    n_probes : int, default 10000
        How many viewers are drawn; all of them where there are fewer.
    seed : int
        Of the random numbers.  The same seed draws, as far as there are enough points, the
        same viewers for every row, and more points of a viewer beside the ones before.
    confidence : float, default 0.95
        Of the intervals.

    Returns
    -------
    pandas.DataFrame
        One row per element of `when` and of `known`, in that order:

        * ``when`` : str
        * ``n_known`` : int
        * ``n_viewers`` : int, viewers with at least so many points
        * ``n_probes`` : int, those of them that were drawn
        * ``n_unique`` : int, those drawn whose known points nobody else has
        * ``unicity`` : float, their share; NaN where nobody could be drawn
        * ``low``, ``high`` : float, Wilson's interval

    Raises
    ------
    ValueError
        If a column or value is missing, a zone is unknown, or an argument is none of those
        above.

    See Also
    --------
    risk_sentence : one row of the table in words.
    scoreboard_attack : whoever errs in some of what is known.

    Notes
    -----
    A point is a title and the period in which it was played, however often.  Viewers with at
    least p points are drawn without replacement, p points of each likewise, all equally
    likely; unicity is the share of those whose p points are in the trace of exactly one
    viewer [1]_.  Published: 4 points, hour and antenna, of 1.5 million people single out 95 %.

    The interval tells of the draw alone, as if with replacement, so that it is wide where
    most viewers are drawn.  Another order of the viewers' or the titles' ids draws others;
    that of the rows does not.  It takes a sort per element of `when`, and some 80 bytes of
    memory per play.

    References
    ----------
    .. [1] Y.-A. de Montjoye, C. A. Hidalgo, M. Verleysen, V. D. Blondel, "Unique in the
       crowd: the privacy bounds of human mobility", Scientific Reports 3 (2013) 1376.

    Examples
    --------
    >>> plays = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "bob", "bob"], "title": ["Heat", "Up", "Heat", "Up"],
    ...     "started_at": pd.to_datetime(["2024-03-01 20:00Z", "2024-03-08 20:00Z"] * 2),
    ... })
    >>> plays.loc[3, "started_at"] += pd.Timedelta("1D")
    >>> table = unicity(plays, tz="UTC", known=[1, 2], when=["week", "day"], seed=1)
    >>> table[["when", "n_known", "n_probes", "n_unique", "unicity"]]
       when  n_known  n_probes  n_unique  unicity
    0  week        1         2         0      0.0
    1  week        2         2         0      0.0
    2   day        1         2         1      0.5
    3   day        2         2         2      1.0
    """
    known = [as_whole_number(n, "known", low=1) for n in np.atleast_1d(known).tolist()]
    when = np.atleast_1d(when).tolist()
    for period in when:
        require_choice(period, list(_WHEN), "when")
    n_probes, seed = _draws(n_probes, seed, confidence)
    viewer, n_viewers, unit, n_units, hours = _columns(plays, tz, by)
    counts = []
    for period in when:
        bins = _bins(hours, period)
        low, high = (int(bins.min()), int(bins.max())) if len(bins) else (0, 0)
        key = pack((unit, n_units), (bins - low, high - low + 1), (viewer, n_viewers))
        key.sort()
        key = key[np.diff(key, prepend=-1) != 0]
        whose = filled(lambda rows, key=key: key[rows] % n_viewers, len(key), "int64")
        sizes = np.bincount(whose)
        for n_known in known:
            drawn, places = _drawn(sizes, n_known, n_probes, seed)
            rows, start = _traces(whose, drawn)
            is_unique = _singled_out(key, n_viewers, rows[start[:, None] + places])
            counts.append((period, n_known, (sizes >= n_known).sum(), len(drawn), is_unique.sum()))
    names = ["when", "n_known", "n_viewers", "n_probes", "n_unique"]
    table = pd.DataFrame(counts, columns=names)
    return _with_interval(table, "n_unique", "unicity", confidence)


def scoreboard_attack(
    plays: pd.DataFrame,
    *,
    tz: str,
    known: int = 8,
    wrong: int = 2,
    days_off: int | None = 14,
    by: Literal["title", "series"] = "title",
    n_probes: int = 300,
    seed: int,
    threshold: float = 1.5,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Attack a log without names as an acquaintance would who errs in titles and dates.

    The attack that named subscribers in the data of the Netflix Prize, Scoreboard-RH, run
    against viewers drawn from the log itself.

    Parameters
    ----------
    plays : pandas.DataFrame
        A plays table.  Rows with a reason in `excluded` are not used; order does not matter.
    tz : str
        Name of a time zone, or of a column that names one for each play, in which days are
        cut.
    known : int, default 8
        Titles that the attacker believes the viewer played.
    wrong : int, default 2
        How many of them the viewer never played.
    days_off : int or None, default 14
        The most by which the day of a play is mistaken.  None: no day is known.
    by : {'title', 'series'}, default 'title'
        What is known.  With 'series' a title that has none stands for itself.
    n_probes : int, default 300
        How many viewers are attacked; all of them where there are fewer.
    seed : int
        Of the random numbers.
    threshold : float, default 1.5
        By how many standard deviations of all scores the best has to lead for the attacker
        to name its viewer (the published "eccentricity").
    confidence : float, default 0.95
        Of the intervals.

    Returns
    -------
    pandas.DataFrame
        One row per outcome:

        * ``outcome`` : str; "identified", "misidentified" (another viewer is named) and
          "no match" (nobody is) sum to all; "ranked first" is the viewer's having the one
          highest score, named or not
        * ``n_viewers`` : int, viewers who could be drawn
        * ``n_probes`` : int, those of them that were
        * ``n`` : int, how many attacks came out so
        * ``share`` : float, NaN where nobody could be drawn
        * ``low``, ``high`` : float, Wilson's interval

    Raises
    ------
    ValueError
        If a column or value is missing, a zone is unknown, `wrong` is above `known`, or
        `threshold` is not above 0.

    See Also
    --------
    unicity : what is known is right.

    Notes
    -----
    What an attacker believes is scored against every viewer of the log [1]_, where supp(i)
    are the viewers who played title i, and d the days between the one believed and the
    viewer's nearest play of it::

        score = sum over titles i that the viewer played of
                (1 + exp(-d(i) / 30)) / ln(max(|supp(i)|, 2))

    The 1 stands where the published score compares ratings, which plays do not have, and a
    title of one viewer, whose weight would be infinite, weighs like one of two.  Without days
    the exponential goes.  The viewer of the highest score is named if it leads the second by
    at least `threshold` standard deviations of the scores of all.

    Viewers with at least `known` titles, and `wrong` others to be mistaken for theirs, are
    drawn without replacement, and ``known - wrong`` of the titles of each, all equally
    likely.  The day is that of any play of the title, plus a whole number of days from
    ``-days_off`` to `days_off`, all equally likely.  Wrong are titles that the viewer never
    played, all equally likely, on any day of the log; mistakes for popular titles would cost
    the attacker more.  In the published attack, where dates were known to within 3 or 14 days
    or not at all, a wrong title too was one that its subscriber had rated, but with another
    rating or date.  There 8 ratings, 2 of them wrong, and dates with an error of 14 days
    identified 99 % of half a million subscribers.

    References
    ----------
    .. [1] A. Narayanan, V. Shmatikov, "Robust de-anonymization of large sparse datasets",
       IEEE Symposium on Security and Privacy 2008, 111-125, sections 4 and 5.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> plays = pd.DataFrame({
    ...     "viewer": np.arange(6000) % 200, "title": rng.integers(0, 300, 6000),
    ...     "started_at": pd.Timestamp("2024-01-01", tz="UTC")
    ...     + pd.to_timedelta(rng.integers(0, 366, 6000), unit="D"),
    ... })
    >>> table = scoreboard_attack(plays, tz="UTC", known=4, wrong=1, n_probes=100, seed=1)
    >>> table[["outcome", "n_probes", "n", "share"]]
             outcome  n_probes    n  share
    0     identified       100   89   0.89
    1  misidentified       100    0   0.00
    2       no match       100   11   0.11
    3   ranked first       100  100   1.00
    """
    known = as_whole_number(known, "known", low=1)
    wrong = as_whole_number(wrong, "wrong", low=0)
    if wrong > known:
        raise ValueError(f"`wrong` must be at most `known`={known}, got {wrong}.")
    if days_off is not None:
        days_off = as_whole_number(days_off, "days_off", low=0)
    if not threshold > 0:
        raise ValueError(f"`threshold` must be above 0, got {threshold!r}.")
    n_probes, seed = _draws(n_probes, seed, confidence)
    log = _log(*_columns(plays, tz, by))
    whose = log.viewer[log.pair[:-1]]
    sizes = np.bincount(whose)
    can = (sizes >= known) & (sizes + wrong < len(log.title))
    rng = np.random.default_rng(seed)
    drawn = rng.permutation(len(sizes))
    drawn = drawn[can[drawn]][:n_probes]
    pairs, start = _traces(whose, drawn)
    own = [pairs[low:high] for low, high in zip(start, start + sizes[drawn], strict=True)]
    believed = [_believed(rng, log, some, known - wrong, wrong, days_off or 0) for some in own]

    def attack(probe: int) -> tuple[bool, bool]:
        """Say whether somebody is named, and whether the right one leads."""
        scores = _scores(log, len(sizes), *believed[probe], with_days=days_off is not None)
        second, best = np.partition(np.append(scores, 0.0), -2)[-2:]
        lead = best - second
        leads = lead > 0
        return leads and lead >= threshold * scores.std(), leads and scores[drawn[probe]] == best

    named, first = np.array(in_threads(attack, range(len(drawn))), dtype=bool).reshape(-1, 2).T
    outcomes = {
        "identified": named & first,
        "misidentified": named & ~first,
        "no match": ~named,
        "ranked first": first,
    }
    table = pd.DataFrame(
        {"outcome": list(outcomes), "n_viewers": can.sum(), "n_probes": len(drawn)}
        | {"n": [some.sum() for some in outcomes.values()]}
    )
    return _with_interval(table, "n", "share", confidence)


def risk_sentence(table: pd.DataFrame, *, known: int = 4, when: str = "day") -> str:
    """Say in a sentence how many viewers some known plays single out.

    Parameters
    ----------
    table : pandas.DataFrame
        What `unicity` returns.
    known : int, default 4
        How many plays are known.
    when : {'never', 'month', 'week', 'day', 'hour'}, default 'day'
        How closely their time is.

    Returns
    -------
    str
        With the interval, and how many viewers were drawn of those who have so many plays.

    Raises
    ------
    ValueError
        If the table lacks a column, or the row that is asked for.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "when": ["day"], "n_known": 4, "n_viewers": 100_000, "n_probes": 10_000,
    ...     "n_unique": 9_960, "unicity": 0.996, "low": 0.9946, "high": 0.9971,
    ... })
    >>> risk_sentence(table)
    '4 known plays with their day single out 99.6 % of viewers (99.5 to 99.7 %; 10,000 drawn of
    100,000).'
    """
    needed = ["when", "n_known", "n_viewers", "n_probes", "unicity", "low", "high"]
    require_columns(table, needed, "table")
    row = table[(table["when"] == when) & (table["n_known"] == known)]
    if not len(row):
        found = list(zip(table["n_known"].tolist(), table["when"], strict=True))
        raise ValueError(f"`table` must have a row of {(known, when)}, found {found}.")
    row = row.iloc[0]
    plays, single = (f"{known} known plays", "single") if known > 1 else ("1 known play", "singles")
    time = _WHEN[when].format("their" if known > 1 else "its")
    if not row["n_probes"]:
        return f"No viewer has {plays.replace(' known', '')} to be known {time}."
    share, low, high = (f"{100 * row[name]:.1f}" for name in ("unicity", "low", "high"))
    return (
        f"{plays} {time} {single} out {share} % of viewers ({low} to {high} %; "
        f"{row['n_probes']:,} drawn of {row['n_viewers']:,})."
    )


class _Log(NamedTuple):
    """Plays in the order title, viewer, day."""

    viewer: np.ndarray
    unit: np.ndarray
    day: np.ndarray
    # Where each viewer's plays of a title begin, and where among these pairs each title does.
    pair: np.ndarray
    title: np.ndarray
    first_day: int
    last_day: int


def _draws(n_probes: int, seed: int, confidence: float) -> tuple[int, int]:
    require_confidence(confidence)
    return as_whole_number(n_probes, "n_probes", low=1), as_whole_number(seed, "seed", low=0)


def _columns(plays: pd.DataFrame, tz: str, by: str) -> tuple:
    """Return viewers and titles as numbers from 0, how many there are, and hours."""
    require_choice(by, ["title", "series"], "by")
    plays = used_plays(as_plays(plays))
    numbered = []
    for column in (plays["viewer"], unit_column(plays, by)):
        # Ids that no row has must not draw others.
        numbers, ids = pd.factorize(codes_of(column, column.name)[0], sort=True)
        numbered += [numbers, len(ids)]
    return *numbered, clock_hours(plays, tz)


def _bins(hours: np.ndarray, period: str) -> np.ndarray:
    if period == "never":
        return np.zeros(len(hours), dtype="int64")
    return hours if period == "hour" else period_numbers(hours // 24, period)


def _drawn(sizes: np.ndarray, n_known: int, n_probes: int, seed: int) -> tuple:
    """Draw viewers with enough points, and the places of so many points among those of each."""
    rng = np.random.default_rng(seed)
    drawn = rng.permutation(len(sizes))
    drawn = drawn[sizes[drawn] >= n_known][:n_probes]
    places = np.empty((len(drawn), n_known), dtype="int64")
    for n in range(n_known):
        # One of the places that are left: step over those that are taken, lowest first.
        place = (rng.random(len(sizes))[drawn] * (sizes[drawn] - n)).astype("int64")
        for taken in np.sort(places[:, :n], axis=1).T:
            place += place >= taken
        places[:, n] = place
    return drawn, places


def _traces(whose: np.ndarray, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of drawn viewers, viewer by viewer, and where those of each begin."""
    is_drawn = np.zeros(int(whose.max(initial=-1)) + 1, dtype=bool)
    is_drawn[drawn] = True
    rows = np.flatnonzero(is_drawn[whose])
    order = stable_order(whose[rows])
    return rows[order], np.searchsorted(whose[rows][order], drawn)


def _singled_out(key: np.ndarray, n_viewers: int, rows: np.ndarray) -> np.ndarray:
    """Say for each probe, whose points are rows of `key`, whether nobody else has them all."""

    def test(some: slice) -> np.ndarray:
        viewer = key[rows[some, 0]] % n_viewers
        point = key[rows[some]] - viewer[:, None]
        low, high = np.searchsorted(key, point), np.searchsorted(key, point + n_viewers)
        # Those who have the rarest point are tested for the others, the next rarest first.
        rarest = np.argsort(high - low, axis=1, kind="stable")
        point = np.take_along_axis(point, rarest, axis=1)
        at, end = (np.take_along_axis(edge, rarest[:, :1], axis=1)[:, 0] for edge in (low, high))
        is_unique = np.ones(len(viewer), dtype=bool)
        left = np.arange(len(viewer))
        while len(left):
            n = np.minimum(end[left] - at[left], max(BLOCK // len(left), 1))
            probe = np.repeat(left, n)
            step = np.arange(len(probe)) - np.repeat(np.cumsum(n) - n, n)
            other = key[at[probe] + step] % n_viewers
            has = other != viewer[probe]
            for place in range(1, rows.shape[1]):
                probe, other = probe[has], other[has]
                wanted = point[probe, place] + other
                has = key.take(np.searchsorted(key, wanted), mode="clip") == wanted
            is_unique[probe[has]] = False
            at[left] += n
            left = left[(at[left] < end[left]) & is_unique[left]]
        return is_unique

    blocks = [slice(n, n + _PROBES) for n in range(0, len(rows), _PROBES)]
    return np.concatenate([np.zeros(0, dtype=bool), *in_threads(test, blocks)])


def _log(viewer, n_viewers: int, unit, n_units: int, hours) -> _Log:
    day = hours // 24
    low, high = (int(day.min()), int(day.max())) if len(day) else (0, 0)
    order = stable_order(pack((unit, n_units), (viewer, n_viewers), (day - low, high - low + 1)))
    viewer, unit, day = viewer[order], unit[order], day[order]
    is_first = (np.diff(unit, prepend=-1) != 0) | (np.diff(viewer, prepend=-1) != 0)
    pair = np.append(np.flatnonzero(is_first), len(unit))
    title = np.searchsorted(unit[pair[:-1]], np.arange(n_units + 1))
    return _Log(viewer, unit, day, pair, title, low, high)


def _believed(rng, log: _Log, own: np.ndarray, n_right: int, n_wrong: int, days_off: int) -> tuple:
    """Draw the titles that an attacker believes the viewer of these pairs played, and the days."""
    right = rng.choice(own, n_right, replace=False)
    played = rng.integers(log.pair[right], log.pair[right + 1])
    mistake = rng.integers(-days_off, days_off + 1, n_right)
    wrong = np.delete(np.arange(len(log.title) - 1), log.unit[log.pair[own]])
    wrong = rng.choice(wrong, n_wrong, replace=False)
    any_day = rng.integers(log.first_day, log.last_day + 1, n_wrong)
    return np.append(log.unit[played], wrong), np.append(log.day[played] + mistake, any_day)


def _scores(log: _Log, n_viewers: int, titles, days, *, with_days: bool) -> np.ndarray:
    """Return the score of every viewer against the titles and days that are believed."""
    scores = np.zeros(n_viewers)
    for title, day in zip(titles, days, strict=True):
        low, high = log.title[title : title + 2]
        weight = 1 / np.log(max(high - low, 2))
        first = log.pair[low:high]
        similar = 1.0
        if with_days:
            off = np.abs(log.day[first[0] : log.pair[high]] - day)
            similar += np.exp(-np.minimum.reduceat(off, first - first[0]) / _DAYS_SCALE)
        scores[log.viewer[first]] += weight * similar
    return scores


def _with_interval(table: pd.DataFrame, count: str, share: str, confidence: float) -> pd.DataFrame:
    low, high = wilson(table[count], table["n_probes"], confidence=confidence)
    return table.assign(**{share: table[count] / table["n_probes"], "low": low, "high": high})
