"""How many watch, how steadily, and who comes, stays and goes, period by period."""

from typing import Literal

import numpy as np
import pandas as pd
from scipy import special

from toolkit.days import first_whole, last_whole, period_edges, period_numbers
from toolkit.intervals import wilson
from toolkit.order import codes_of, taken, to_midnights
from toolkit.tables import as_day, require_choice, require_confidence
from toolkit.viewer_periods import (
    UNKNOWN,
    find_viewer_periods,
    first_of_each,
    may_start_earlier,
    observed_log,
    of_viewers,
    pack_periods,
    unpack_periods,
)

__all__ = ["days_watched", "frequency_recency", "lifecycle", "shares_reaching", "stickiness"]

_SHARES = {
    "n_viewers": "int64",
    "viewers_a_day": "float64",
    "stickiness": "float64",
    "low": "float64",
    "high": "float64",
}


def stickiness(
    viewer_days: pd.DataFrame,
    *,
    as_of=None,
    viewers: pd.DataFrame | None = None,
    period: Literal["week", "month"] = "month",
    week_starts: str = "MON",
    observed_from=None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Measure on what share of a period's days its viewers watched (DAU/MAU, DAU/WAU).

    It is the mean number of viewers of a day over the number of viewers of the whole month
    or week.  The other measure of this name, how many watched on 1, 2, ... days, is
    `days_watched`.

    Parameters
    ----------
    viewer_days : pandas.DataFrame
        One row per viewer-day, with `viewer` and `day`; order does not matter.  A viewer
        counts once a day, whatever was watched: for one title give its rows alone.
    as_of : date-like
        Last fully observed day of everyone; later days are not used.  Exactly one of
        `as_of` and `viewers` is needed.
    viewers : pandas.DataFrame
        One row per viewer with `viewer`, `as_of` and `observed_from`: each viewer's own
        last and first fully observed day.
    period : {'week', 'month'}, default 'month'
        Weeks or calendar months.
    week_starts : {'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN'}, default 'MON'
        First day of a week.
    observed_from : date-like
        First fully observed day of everyone; needed unless `viewers` has it.
    confidence : float, default 0.95
        How often the interval should cover the true share.

    Returns
    -------
    pandas.DataFrame
        One row per period that was observed from its first day to its last, in order:

        * ``first_day``, ``last_day`` : datetime64, its edges
        * ``n_viewers`` : int, viewers who watched in it; with `viewers` only those whose
          own log holds the whole of it
        * ``viewers_a_day`` : float, how many of them watched on a day, on average
        * ``stickiness`` : float, the latter over the former; NaN where nobody watched
        * ``low``, ``high`` : float, its interval

    Raises
    ------
    ValueError
        If a column is missing, neither or both of `as_of` and `viewers` are given, the
        first observed day is not, or a viewer is not among `viewers`.

    See Also
    --------
    days_watched : how many watched on 1, 2, ... days.
    lifecycle : who is new, and who has gone.

    Notes
    -----
    Viewers of one day over those of the 28 or 30 days up to it, as products also have it,
    swing with the weekday; the mean over all days of the period does not.  It is also the
    mean, over the viewers of the period, of the share of its days on which they watched: 1
    if all watch every day, 1/30 in a month of 30 days if each watches on one.

    The interval takes accounts, not viewers, for independent.  With y the sum of those
    shares and m the number of viewers of each of the A accounts that watched, stickiness is
    ``s = sum(y) / sum(m)``, its variance ``v = A / (A - 1) sum((y - s m)^2) / sum(m)^2``,
    and the interval is Wilson's for a share s of ``s (1 - s) / v`` (A where v is 0), with
    Student's t at A - 1 degrees (at least 1) for the normal quantile [1]_.

    References
    ----------
    .. [1] C. Franco, R. J. A. Little, T. A. Louis, E. V. Slud, "Comparative study of
       confidence intervals for proportions in complex sample surveys", J. Survey Statistics
       and Methodology 7 (2019) 334-364.

    Examples
    --------
    >>> viewer_days = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "ann", "bob"],
    ...     "day": pd.to_datetime(["2024-03-04", "2024-03-05", "2024-03-06", "2024-03-05"]),
    ... })
    >>> weeks = stickiness(
    ...     viewer_days, period="week", observed_from="2024-03-04", as_of="2024-03-12"
    ... )
    >>> weeks[["n_viewers", "viewers_a_day", "stickiness", "low", "high"]].round(3)
       n_viewers  viewers_a_day  stickiness    low  high
    0          2          0.571       0.286  0.005  0.97
    """
    require_choice(period, ["week", "month"], "period")
    require_confidence(confidence)
    log = observed_log(viewer_days, as_of, viewers, observed_from)
    viewer_days, _, codes, observed = log
    if (unknown := np.atleast_1d(observed[0]) == UNKNOWN).any():
        raise ValueError(
            "`observed_from` must be given, for all or for each of `viewers`, so that only "
            f"whole periods count; {unknown.sum()} are missing."
        )
    cut = {"period": period, "week_starts": week_starts}
    whole = first_whole(observed[0], **cut), last_whole(observed[1], **cut)
    number, account, n_days = _days_of_accounts(viewer_days, codes, observed, whole, cut)
    first, last = _of_every_log(whole)
    periods = _span(first[first <= last], last[first <= last])
    first_day, last_day = period_edges(periods, **cut)
    shares = [
        _share_of_days(account[rows], n_days[rows], length, confidence)
        for rows, length in zip(_rows_of(periods, number), last_day - first_day + 1, strict=True)
    ]
    edges = {"first_day": to_midnights(first_day), "last_day": to_midnights(last_day)}
    shares = pd.DataFrame(shares, columns=list(_SHARES)).astype(_SHARES)
    return pd.concat([pd.DataFrame(edges), shares], axis=1)


def days_watched(
    viewer_days: pd.DataFrame,
    *,
    first_day,
    last_day,
    viewers: pd.DataFrame | None = None,
    period: Literal["day", "week", "month"] = "day",
    week_starts: str = "MON",
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Count the viewers who watched on 1, 2, ... days of a window.

    Products call this stickiness too.  The days need not follow one another: who watched
    every other day has no streak above 1 and many days.

    Parameters
    ----------
    viewer_days : pandas.DataFrame
        One row per viewer-day, with `viewer` and `day`; order does not matter.  A viewer
        counts once a day, whatever was watched: for one title give its rows alone.
    first_day, last_day : date-like
        The window, both inclusive; it must lie within what was observed.
    viewers : pandas.DataFrame, optional
        One row per viewer who could have watched, with `viewer`, `as_of` and perhaps
        `observed_from`.  Those whose own log does not hold the whole window are left out;
        those who never watched count.
    period : {'day', 'week', 'month'}, default 'day'
        What is counted.  A week or month counts once any of its days was watched; those
        that the window cuts have fewer days to be watched on.
    week_starts : {'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN'}, default 'MON'
        First day of a week.
    confidence : float, default 0.95
        How often an interval should cover the true share.

    Returns
    -------
    pandas.DataFrame
        One row per number of days (weeks, months) from 1, with `viewers` from 0, to all of
        the window; none if there are no viewers:

        * ``n_days`` : int, k
        * ``n_viewers`` : int, viewers who watched on exactly k
        * ``n_reaching`` : int, viewers who watched on k or more
        * ``share_reaching`` : float, of all who watched at all, with `viewers` of all who
          could have
        * ``low``, ``high`` : float, its interval (Wilson's)

    Raises
    ------
    ValueError
        If a column is missing, the window ends before it starts, or a viewer is not among
        `viewers`.

    See Also
    --------
    stickiness : the mean share of days, period by period.
    count_streaks : the same of days in a row.

    Notes
    -----
    The interval takes viewers for independent.  Where accounts hold several, give
    ``viewer_days.assign(viewer=viewer_days["account"])`` to count accounts.

    Examples
    --------
    >>> viewer_days = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "bob"],
    ...     "day": pd.to_datetime(["2024-03-04", "2024-03-06", "2024-03-05"]),
    ... })
    >>> days_watched(viewer_days, first_day="2024-03-04", last_day="2024-03-06").round(3)
       n_days  n_viewers  n_reaching  share_reaching    low   high
    0       1          1           2             1.0  0.342  1.000
    1       2          1           1             0.5  0.095  0.905
    2       3          0           0             0.0  0.000  0.658
    """
    window = [as_day(first_day, "first_day"), as_day(last_day, "last_day")]
    if window[0] > window[1]:
        raise ValueError(
            f"`first_day` must not come after `last_day`, got {first_day} and {last_day}."
        )
    as_of = last_day if viewers is None else None
    viewer_days, _, codes, (starts, ends) = observed_log(viewer_days, as_of, viewers, None)
    first, last = ((day - pd.Timestamp(0)).days for day in window)
    holds = (starts <= first) & (last <= ends)
    # Of a log that does not hold the window no day is used.
    observed = np.broadcast_to(first, np.shape(holds)), np.where(holds, last, first - 1)
    cut = {"period": period, "week_starts": week_starts}
    keys = find_viewer_periods(codes, viewer_days["day"].to_numpy(), observed, **cut)
    n_days = _lengths(first_of_each(keys), len(keys))
    size = int(np.diff(period_numbers(np.array([first, last]), **cut))[0]) + 1
    n_viewers = np.bincount(n_days, minlength=size + 1)
    if viewers is not None:
        n_viewers[0] = np.count_nonzero(holds) - len(n_days)
    k = np.arange(0 if viewers is not None else 1, size + 1 if n_viewers.any() else 0)
    return shares_reaching(k, n_viewers[k], confidence)


def shares_reaching(n_days: np.ndarray, n_viewers: np.ndarray, confidence: float) -> pd.DataFrame:
    """Return what `days_watched` says, from how many watched on so many days."""
    n_reaching = np.cumsum(n_viewers[::-1])[::-1]
    total = n_viewers.sum()
    low, high = wilson(n_reaching, total, confidence=confidence)
    table = {"n_days": n_days, "n_viewers": n_viewers, "n_reaching": n_reaching}
    table |= {"share_reaching": n_reaching / max(total, 1), "low": low, "high": high}
    return pd.DataFrame(table)


def lifecycle(
    viewer_days: pd.DataFrame,
    *,
    as_of=None,
    viewers: pd.DataFrame | None = None,
    period: Literal["day", "week", "month"] = "week",
    week_starts: str = "MON",
    observed_from=None,
) -> pd.DataFrame:
    """Count, period by period, the viewers who are new, returning, resurrecting or dormant.

    Who watches in a period is new if never seen before it, returning if seen in the one just
    before, and resurrecting if seen before but not then.  Dormant are those who watched in
    the one before and not in this one.

    Parameters
    ----------
    viewer_days : pandas.DataFrame
        One row per viewer-day, with `viewer` and `day`; order does not matter.  A viewer
        counts once, whatever was watched: for one title give its rows alone.
    as_of : date-like
        Last fully observed day of everyone; later days are not used.  Exactly one of
        `as_of` and `viewers` is needed.
    viewers : pandas.DataFrame
        One row per viewer with `viewer`, `as_of` and perhaps `observed_from`: each viewer's
        own last and first fully observed day.
    period : {'day', 'week', 'month'}, default 'week'
        What is compared with the one before.
    week_starts : {'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN'}, default 'MON'
        First day of a week.
    observed_from : date-like, optional
        First fully observed day of everyone; earlier days are not used.

    Returns
    -------
    pandas.DataFrame
        One row per period, from the one in which the log starts (the first that was watched
        in, where `observed_from` is not known) to the one in which it ends:

        * ``first_day``, ``last_day`` : datetime64, its edges
        * ``n_new``, ``n_returning``, ``n_resurrecting`` : int, viewers; they sum to those
          who watched in it
        * ``n_dormant`` : Int64, viewers whose own log holds the period to its end; ``<NA>``
          where it can't be seen, in the first row and while the period is not over
        * ``is_complete`` : bool, everyone was observed from its first day to its last
        * ``may_include_earlier`` : boolean, the period before was not wholly observed of
          everyone, so that some of the new may be returning; ``<NA>`` where `observed_from`
          is not known

    Raises
    ------
    ValueError
        If a column is missing, neither or both of `as_of` and `viewers` are given, or a
        viewer is not among `viewers`.

    See Also
    --------
    plot_lifecycle : draws this table.
    find_streaks : how long each keeps it up.

    Notes
    -----
    The definitions are PostHog's [1]_, but that new means new to this log: whoever watched
    before it began and comes back counts as new, the less often the longer the log has run.
    A dormant viewer is counted once, in the first period missed.

    The counts of a row that is not complete are lower bounds: leave it out of any trend.
    Everyone who watched in a period is returning or dormant in the next, unless their own
    log has ended.

    References
    ----------
    .. [1] PostHog, "Lifecycle", product documentation; test_lifecycle_query_runner.py.

    Examples
    --------
    >>> viewer_days = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "ann", "bob"],
    ...     "day": pd.to_datetime(["2024-03-04", "2024-03-11", "2024-03-25", "2024-03-11"]),
    ... })
    >>> weeks = lifecycle(viewer_days, observed_from="2024-03-04", as_of="2024-03-27")
    >>> weeks[["first_day", "n_new", "n_returning", "n_resurrecting", "n_dormant"]]
       first_day  n_new  n_returning  n_resurrecting  n_dormant
    0 2024-03-04      1            0               0       <NA>
    1 2024-03-11      1            1               0          0
    2 2024-03-18      0            0               0          2
    3 2024-03-25      0            0               1       <NA>
    >>> weeks["is_complete"].tolist()
    [True, True, True, False]
    """
    cut = {"period": period, "week_starts": week_starts}
    log = observed_log(viewer_days, as_of, viewers, observed_from)
    viewer_days, _, codes, observed = log
    keys = find_viewer_periods(codes, viewer_days["day"].to_numpy(), observed, **cut)
    over = last_whole(observed[1], **cut)
    first, last = _of_every_log(observed)
    known = period_numbers(first[first != UNKNOWN], **cut)
    periods = _span(np.append(known, unpack_periods(keys)[1]), period_numbers(last, **cut))
    counts = {name: _count(numbers, periods) for name, numbers in _statuses(keys, over).items()}
    unseen = (periods == periods[:1]) | (periods > np.max(over, initial=UNKNOWN))

    first_day, last_day = period_edges(periods, **cut)
    latest, earliest = first.max(initial=UNKNOWN), last.min(initial=-UNKNOWN)
    start = UNKNOWN if (first == UNKNOWN).any() else latest
    return pd.DataFrame(
        {"first_day": to_midnights(first_day.copy()), "last_day": to_midnights(last_day.copy())}
        | counts
        | {
            "n_dormant": pd.arrays.IntegerArray(counts["n_dormant"], unseen),
            "is_complete": (first_day >= latest) & (last_day <= earliest),
            "may_include_earlier": may_start_earlier(periods, start, cut),
        }
    )


def frequency_recency(
    viewer_days: pd.DataFrame,
    *,
    as_of=None,
    viewers: pd.DataFrame | None = None,
    period: Literal["day", "week", "month"] = "day",
    week_starts: str = "MON",
    observed_from=None,
) -> pd.DataFrame:
    """Tell each viewer's frequency, recency and age, as buy-till-you-die models take them.

    Frequency is the number of periods watched in after the first, recency the time from the
    first to the last of them, and T the time from the first to the end of the log.

    Parameters
    ----------
    viewer_days : pandas.DataFrame
        One row per viewer-day, with `viewer` and `day`; order does not matter.  A viewer
        counts once a day, whatever was watched: for one title give its rows alone.
    as_of : date-like
        Last fully observed day of everyone; later days are not used.  Exactly one of
        `as_of` and `viewers` is needed.
    viewers : pandas.DataFrame
        One row per viewer with `viewer`, `as_of` and perhaps `observed_from`: each viewer's
        own last and first fully observed day.
    period : {'day', 'week', 'month'}, default 'day'
        The unit of all three numbers.
    week_starts : {'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN'}, default 'MON'
        First day of a week.
    observed_from : date-like, optional
        First fully observed day of everyone; earlier days are not used.

    Returns
    -------
    pandas.DataFrame
        One row per viewer who watched, in the order of viewers:

        * ``viewer``, ``account`` as in `viewer_days`
        * ``frequency`` : int, periods watched in after the first
        * ``recency`` : int, periods from the first to the last watched in; 0 if there is
          only one
        * ``T`` : int, periods from the first watched in to the last that is over

    Raises
    ------
    ValueError
        If a column is missing, neither or both of `as_of` and `viewers` are given, or a
        viewer is not among `viewers`.

    See Also
    --------
    project_retention : how many stay, from a cohort alone.

    Notes
    -----
    These are the conventions of Fader, Hardie and Lee [1]_, and of the packages after them:
    ``frequency <= recency <= T``, the first period is not counted, and **plays of one day (or
    week, or month) are one**, however many there were: a viewer who watched ten times on a
    single day has frequency 0.  A model of single plays needs another table.

    A week or month that is not over by `as_of` is not used: who first watched in it has no
    row.  The first is the first that the log shows; where viewers were there before it,
    leave out those whom its first months already find.

    References
    ----------
    .. [1] P. S. Fader, B. G. S. Hardie, K. L. Lee, "Counting your customers the easy way: an
       alternative to the Pareto/NBD model", Marketing Science 24 (2005) 275-284.

    Examples
    --------
    >>> viewer_days = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "bob"],
    ...     "day": pd.to_datetime(["2024-03-01", "2024-03-04", "2024-03-02"]),
    ... })
    >>> frequency_recency(viewer_days, as_of="2024-03-10")
      viewer account  frequency  recency  T
    0    ann     ann          1        3  9
    1    bob     bob          0        0  8
    """
    cut = {"period": period, "week_starts": week_starts}
    log = observed_log(viewer_days, as_of, viewers, observed_from)
    viewer_days, _, codes, observed = log
    keys = find_viewer_periods(codes, viewer_days["day"].to_numpy(), observed, **cut)
    over = last_whole(observed[1], **cut)
    who, number = unpack_periods(keys)
    keys = keys[number <= of_viewers([over], who)[0]]
    start = first_of_each(keys)
    n_periods = _lengths(start, len(keys))
    who, first = unpack_periods(keys[start])
    _, last = unpack_periods(keys[start + n_periods - 1])
    row = _rows_of_viewers(codes, who)
    table = {name: taken(viewer_days[name], row) for name in ("viewer", "account")}
    table |= {"frequency": n_periods - 1, "recency": last - first}
    table |= {"T": of_viewers([over], who)[0] - first}
    # With `viewers`, who stands in their order.
    return pd.DataFrame(table).sort_values("viewer", ignore_index=True)


def _statuses(keys: np.ndarray, over) -> dict[str, np.ndarray]:
    """Return for each status the periods in which viewers have it; `over` is their last."""
    who, number = unpack_periods(keys)
    is_new, is_returning = np.zeros((2, len(keys)), dtype=bool)
    is_new[first_of_each(keys)] = True
    is_returning[1:] = ~is_new[1:] & (np.diff(number) == 1)
    # Whoever does not return in the next period is dormant in it, once it is over.
    stops = np.append(~is_returning, True)[1:][: len(keys)]
    missed = number[stops] + 1
    return {
        "n_new": number[is_new],
        "n_returning": number[is_returning],
        "n_resurrecting": number[~is_new & ~is_returning],
        "n_dormant": missed[missed <= of_viewers([over], who[stops])[0]],
    }


def _days_of_accounts(viewer_days, codes, observed: tuple, whole: tuple, cut: dict):
    """Return period, account and days watched of each viewer in each period it was seen in."""
    keys = find_viewer_periods(codes, viewer_days["day"].to_numpy(), observed, period="day")
    who, day = unpack_periods(keys)
    keys = pack_periods(who, period_numbers(day, **cut))
    start = np.flatnonzero(np.diff(keys, prepend=-1))
    n_days = _lengths(start, len(keys))
    keys = keys[start]
    who, number = unpack_periods(keys)
    start = first_of_each(keys)
    row = _rows_of_viewers(codes, who[start])
    account = pd.factorize(codes_of(viewer_days["account"].iloc[row], "account")[0])[0]
    account = np.repeat(account, _lengths(start, len(keys)))
    first, last = of_viewers(whole, who)
    used = (first <= number) & (number <= last)
    return number[used], account[used], n_days[used]


def _lengths(start: np.ndarray, size: int) -> np.ndarray:
    """Return how many rows lie between each start and the next, or the end."""
    return np.diff(start, append=size)


def _rows_of_viewers(codes: np.ndarray, who: np.ndarray) -> np.ndarray:
    """Return a row of each viewer of `who`, given the viewers of all rows."""
    row = np.flatnonzero(np.append(True, codes[1:] != codes[:-1])[: len(codes)])
    some, first = np.unique(codes[row], return_index=True)
    return row[first[np.searchsorted(some, who)]]


def _of_every_log(observed: tuple) -> tuple[np.ndarray, np.ndarray]:
    return np.broadcast_arrays(*np.atleast_1d(*observed))


def _span(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return all numbers from the least first to the greatest last."""
    if not len(first):
        return np.zeros(0, dtype="int64")
    return np.arange(first.min(), last.max() + 1)


def _count(numbers: np.ndarray, periods: np.ndarray) -> np.ndarray:
    """Count how often each of consecutive periods occurs."""
    if not len(numbers):
        return np.zeros(len(periods), dtype="int64")
    return np.bincount(numbers - periods[0], minlength=len(periods))


def _rows_of(periods: np.ndarray, number: np.ndarray) -> list[np.ndarray]:
    """Return the rows of each of consecutive periods."""
    if not len(periods):
        return []
    # Small whole numbers are sorted in one pass.
    rows = np.argsort((number - periods[0]).astype("uint16"), kind="stable")
    return np.split(rows, np.cumsum(_count(number, periods))[:-1])


def _share_of_days(account: np.ndarray, n_days: np.ndarray, length: int, confidence: float):
    """Return viewers, viewers a day, and the share of days on which they watched, low and high."""
    if not len(account):
        return 0, 0.0, np.nan, np.nan, np.nan
    total, watched = len(account), int(n_days.sum())
    share = watched / length / total
    m, y = np.bincount(account), np.bincount(account, weights=n_days)
    n_accounts = np.count_nonzero(m)
    # In whole numbers, so that accounts of the same share differ by exactly nothing.
    off = ((y * total - watched * m) ** 2).sum()
    degrees = max(n_accounts - 1, 1)
    variance = off / total**4 / length**2 * n_accounts / degrees
    per_viewer = variance / (share * (1 - share)) if off else 1 / n_accounts
    room = special.stdtrit(degrees, (1 + confidence) / 2) ** 2 * per_viewer
    middle, reach = share + room / 2, np.sqrt(room * share * (1 - share) + room**2 / 4)
    low, high = (middle - reach) / (1 + room), (middle + reach) / (1 + room)
    return total, watched / length, share, low, high
