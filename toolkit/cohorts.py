"""Cohorts: who first watched when, and who of them came back."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from toolkit.days import period_edges, period_numbers
from toolkit.intervals import wilson
from toolkit.order import day_numbers, pack, to_midnights
from toolkit.returns import ages_seen, count_returns, count_seen
from toolkit.tables import (
    as_days,
    as_viewers,
    as_whole_number,
    require_choice,
    require_columns,
)
from toolkit.viewer_periods import (
    find_full_periods,
    find_viewer_periods,
    first_of_each,
    may_start_earlier,
    observed_log,
    of_viewers,
    pack_periods,
    unpack_periods,
)

__all__ = ["assign_cohorts", "retention"]

_RESULT = ["cohort", "age", "age_last", "n_cohort", "n_retained", "retention", "low", "high"]
_RESULT += ["is_complete", "may_include_earlier"]
_BY_DAYS = ("first", "every")


def assign_cohorts(
    viewer_days: pd.DataFrame,
    *,
    as_of=None,
    viewers: pd.DataFrame | None = None,
    period: Literal["day", "week", "month"] = "week",
    week_starts: str = "MON",
    observed_from=None,
) -> pd.DataFrame:
    """Assign each viewer to the cohort of its first viewer-day.

    Parameters
    ----------
    viewer_days : pandas.DataFrame
        One row per viewer-day, with `viewer` and `day`; order does not matter.
    as_of : date-like
        Last fully observed day of everyone; later days are not used.  Exactly one of
        `as_of` and `viewers` is needed.
    viewers : pandas.DataFrame
        One row per viewer with `viewer`, `as_of` and perhaps `account` and `observed_from`:
        each viewer's own last and first fully observed day.
    period : {'day', 'week', 'month'}, default 'week'
        What a cohort spans: a calendar day, week or month.
    week_starts : {'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN'}, default 'MON'
        First day of a week.
    observed_from : date-like, optional
        First fully observed day of everyone; earlier days are not used.

    Returns
    -------
    pandas.DataFrame
        One row per viewer, in order:

        * ``viewer``, ``account``
        * ``cohort`` : datetime64, first day of the period in which `first_day` lies
        * ``first_day`` : datetime64, the first viewer-day
        * ``may_start_earlier`` : boolean, the period before was not wholly observed, so that
          the viewer may have watched in it; ``<NA>`` where `observed_from` is not known

        With `viewers` those who never watched have a row too, and no cohort.

    Raises
    ------
    ValueError
        If a column is missing, neither or both of `as_of` and `viewers` are given, or a
        viewer is not among `viewers`.

    See Also
    --------
    retention : who of a cohort comes back.
    compare_cohorts : whether two cohorts differ.

    Notes
    -----
    A log that starts in the middle of things finds old viewers in its first cohort; whoever
    was away then looks new later, the less often the longer the log has run.

    Examples
    --------
    >>> viewer_days = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "bob"],
    ...     "day": pd.to_datetime(["2024-03-06", "2024-03-13", "2024-03-12"]),
    ... })
    >>> assign_cohorts(viewer_days, as_of="2024-03-31")[["viewer", "cohort", "first_day"]]
      viewer     cohort  first_day
    0    ann 2024-03-04 2024-03-06
    1    bob 2024-03-11 2024-03-12
    """
    cut = {"period": period, "week_starts": week_starts}
    log = observed_log(viewer_days, as_of, viewers, observed_from)
    viewer_days, viewers, codes, observed = log
    keys = find_viewer_periods(codes, viewer_days["day"].to_numpy(), observed, period="day")
    code, first_day = unpack_periods(keys[first_of_each(keys)])
    number = period_numbers(first_day, **cut)
    first, _ = of_viewers(observed, code)
    cohorts = {
        "cohort": to_midnights(period_edges(number, **cut)[0].copy()),
        "first_day": to_midnights(first_day.copy()),
        "may_start_earlier": may_start_earlier(number, first, cut),
    }
    people = viewer_days[["viewer", "account"]].set_axis(codes)
    people = people[~people.index.duplicated()]
    people = people.loc[code] if viewers is None else _everyone(viewers, people)
    people = people.join(pd.DataFrame(cohorts, index=code))
    return people.sort_values("viewer", ignore_index=True)


def retention(
    viewer_days: pd.DataFrame,
    *,
    as_of=None,
    viewers: pd.DataFrame | None = None,
    period: Literal["day", "week", "month"] = "week",
    week_starts: str = "MON",
    cohorts: str = "first",
    counts: Literal["on", "on_or_after"] = "on",
    brackets: Sequence[tuple[int, int]] | None = None,
    min_days: int = 1,
    min_plays: int = 1,
    observed_from=None,
    groups: str | Sequence[str] | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Measure which share of each cohort comes back, by age.

    A cohort is the viewers of one period, as a rule that of their first viewer-day; its age
    is the number of whole periods since.  Retained at an age is who watched in that period.

    Parameters
    ----------
    viewer_days : pandas.DataFrame
        One row per viewer-day, with `viewer` and `day`.  Titles or series are not told apart
        (but see `groups`); a day that stands twice counts once; order does not matter.
    as_of : date-like
        Last fully observed day of everyone; later days are not used.  Exactly one of
        `as_of` and `viewers` is needed.
    viewers : pandas.DataFrame
        One row per viewer with `viewer`, `as_of` and perhaps `observed_from`: each
        viewer's own last and first fully observed day.
    period : {'day', 'week', 'month'}, default 'week'
        What cohorts and ages are counted in: calendar days, weeks or months.
    week_starts : {'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN'}, default 'MON'
        First day of a week.
    cohorts : {'first', 'every'} or str, default 'first'
        With 'first' a viewer is in the cohort of its first viewer-day, with 'every' in that of
        every period in which it watched.  Any other word names a column of `viewers` that
        holds each one's day of joining (or of anything else); viewers who never watched then
        count too, and days before the cohort's period do not.
    counts : {'on', 'on_or_after'}, default 'on'
        Whether a viewer must watch in the period itself, or in it or any later one.
    brackets : list of (int, int), optional
        First and last ages, inclusive, in which to have watched once is enough; without it
        each age stands alone.
    min_days, min_plays : int, default 1
        Least viewer-days and least plays (from `n_plays`) within a period for it to count, at
        ages after 0.
    observed_from : date-like, optional
        First fully observed day of everyone; earlier days are not used.
    groups : str or list of str, optional
        Columns of `viewers`, or if it lacks any of them of `viewer_days`, within which to
        count.  Each group is a log of its own: by title, the first day is that of the title.
    confidence : float, default 0.95
        Level of the intervals, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        One row per cell of which anything was observed, in the order of groups, cohort, age:

        * the columns of `groups`
        * ``cohort`` : datetime64, first day of the cohort's period
        * ``age``, ``age_last`` : int, periods since; the same without `brackets`
        * ``n_cohort`` : int, its viewers who could be seen at that age
        * ``n_retained`` : int, those of them who came back; at age 0 all of them
        * ``retention`` : float, the second over the first
        * ``low``, ``high`` : float, Wilson's interval
        * ``is_complete`` : bool, False where part of the period was not observed, for any of
          those who count
        * ``may_include_earlier`` : boolean, the period before the cohort's was not observed
          to its end or at all, so that viewers who watched then look new; ``<NA>`` where
          `observed_from` is not known, False where cohorts do not rest on first days

    Raises
    ------
    ValueError
        If a column is missing, neither or both of `as_of` and `viewers` are given, a viewer
        is not among `viewers`, or an argument is out of bounds.

    See Also
    --------
    retention_matrix : cohorts by ages, with their mean.
    assign_cohorts : who is in which cohort.
    compare_cohorts : whether two differ.

    Notes
    -----
    What could not be seen is absent and no zero: a cohort has no row for an age that starts
    after `as_of`.  Where each viewer has its own `as_of`, `n_cohort` falls with age as viewers
    go out of sight.  To have no cell cut short, set `as_of` to the end of a period.

    Without brackets, 'on' is N-day and 'on_or_after' unbounded (rolling) retention [1]_.
    The latter is right-censored: who comes back after `as_of` counts as lost, so that its
    last ages are too low and rise as the log goes on.

    With 'first' and 'every' a viewer who never watched has no period and is in no cohort.  A
    `min_days` of 2 does not ask for two days at age 0, since age 0 is the cohort itself.

    The unit is the viewer, and the interval [2]_ takes each for independent.  Where accounts
    hold several, and always before anything is published, let accounts be the unit: give
    ``viewer_days.assign(viewer=viewer_days["account"])`` (with `min_plays`, add up `n_plays`
    of the same day first).  With 'every' cohorts share viewers, so that cells of one age are
    not independent of each other.

    Ages count calendar periods: who first watches on a Sunday is a week old on Monday.
    Windows of 24 hours (7 days) from each viewer's own first play, Amplitude's default [1]_,
    give other numbers.

    References
    ----------
    .. [1] Amplitude, "Retention Analysis", product documentation.
    .. [2] E. B. Wilson, "Probable inference, the law of succession, and statistical
       inference", JASA 22 (1927) 209-212.

    Examples
    --------
    >>> viewer_days = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "bob", "cem"],
    ...     "day": pd.to_datetime(["2024-03-04", "2024-03-13", "2024-03-05", "2024-03-12"]),
    ... })
    >>> table = retention(viewer_days, as_of="2024-03-20")
    >>> table[["cohort", "age", "n_cohort", "n_retained", "is_complete"]]
          cohort  age  n_cohort  n_retained  is_complete
    0 2024-03-04    0         2           2         True
    1 2024-03-04    1         2           1         True
    2 2024-03-04    2         2           0        False
    3 2024-03-11    0         1           1         True
    4 2024-03-11    1         1           0        False
    """
    require_choice(counts, ["on", "on_or_after"], "counts")
    min_days = as_whole_number(min_days, "min_days", low=1)
    min_plays = as_whole_number(min_plays, "min_plays", low=1)
    bins = None if brackets is None else _as_bins(brackets)
    cut = {"period": period, "week_starts": week_starts}
    log = observed_log(viewer_days, as_of, viewers, observed_from)
    viewer_days, viewers, codes, observed = log
    if cohorts not in _BY_DAYS and (viewers is None or cohorts not in viewers):
        raise ValueError(
            f"`cohorts` must be 'first', 'every' or a column of `viewers`, got {cohorts!r}."
        )
    groups = [groups] if isinstance(groups, str) else list(groups or [])
    codes, traits, names = _in_groups(viewer_days, viewers, groups, cohorts, codes, observed)

    keys = find_viewer_periods(codes, viewer_days["day"].to_numpy(), traits[:2], **cut)
    heads = first_of_each(keys)
    members, rows, earlier = _members(keys, heads, viewers, cohorts, traits, cut)
    if min_days > 1 or min_plays > 1:
        keys = find_full_periods(viewer_days, codes, traits[:2], cut, min_days, min_plays)
        heads = first_of_each(keys)
    bins = bins or (np.arange(members["high"].max() + 1 if len(members) else 0),) * 2
    n_cohort, is_complete = count_seen(members, len(rows), bins)
    or_after = counts == "on_or_after"
    n_retained = count_returns(members, len(rows), bins, keys, heads, or_after=or_after)
    # Age 0 is the cohort itself.
    n_retained = np.where(bins[0] == 0, n_cohort, n_retained)

    row, age = np.nonzero(n_cohort)
    group, cohort = unpack_periods(rows[row])
    cells = {"cohort": to_midnights(period_edges(cohort, **cut)[0])}
    cells |= {"age": bins[0][age], "age_last": bins[1][age]}
    cells |= {"n_cohort": n_cohort[row, age], "n_retained": n_retained[row, age]}
    cells["retention"] = cells["n_retained"] / cells["n_cohort"]
    ends = wilson(cells["n_retained"], cells["n_cohort"], confidence=confidence)
    cells |= dict(zip(("low", "high"), ends, strict=True))
    cells |= {"is_complete": is_complete[row, age], "may_include_earlier": earlier[row]}
    return pd.concat([names.iloc[group].reset_index(drop=True), pd.DataFrame(cells)], axis=1)


def _everyone(viewers: pd.DataFrame, seen: pd.DataFrame) -> pd.DataFrame:
    """Return all viewers and their accounts, which where none is known are the viewers."""
    viewers = viewers.reset_index(drop=True)
    if "account" not in viewers:
        account = seen["account"].astype("object").reindex(viewers.index)
        account = account.fillna(viewers["viewer"].astype("object")).infer_objects()
        viewers = as_viewers(viewers.assign(account=account))
    return viewers[["viewer", "account"]]


def _as_bins(brackets) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the last ages of brackets, in order."""
    pairs = [tuple(pair) if np.iterable(pair) else () for pair in brackets]
    whole = [len(p) == 2 and all(isinstance(a, int | np.integer) for a in p) for p in pairs]
    if not pairs or not all(whole) or any(not 0 <= a <= b for a, b in pairs):
        raise ValueError(
            "`brackets` must be pairs of a first and a last age, both whole numbers, 0 or more "
            f"and in order, got {brackets!r}."
        )
    pairs = sorted(set(pairs))
    first, last = np.array(pairs, dtype="int64").T
    return first, last


def _in_groups(viewer_days, viewers, groups: list, cohorts: str, codes, observed: tuple):
    """Return codes of viewers within groups, what is known of each code, and the groups."""
    if clash := [name for name in groups if name in _RESULT]:
        raise ValueError(f"`groups` must not be columns of the result, got {clash}.")
    if not groups:
        return codes, (*observed, 0), pd.DataFrame(index=[0])
    if cohorts not in _BY_DAYS or (viewers is not None and set(groups) <= set(viewers)):
        require_columns(viewers, groups, "viewers")
        group, names = _numbered(viewers[groups])
        return codes, (*observed, group), names
    require_columns(viewer_days, groups, "viewer_days")
    group, names = _numbered(viewer_days[groups])
    size = int(codes.max(initial=0)) + 1
    codes, pairs = pd.factorize(pack((group, max(len(names), 1)), (codes, size)))
    group, viewer = np.divmod(pairs, size)
    return codes, (*of_viewers(observed, viewer), group), names


def _numbered(groups: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the number of each row's group, and the groups."""
    number = groups.groupby(list(groups), observed=True, dropna=False).ngroup().to_numpy()
    return number, groups.iloc[np.unique(number, return_index=True)[1]]


def _members(keys, heads, viewers, cohorts: str, traits: tuple, cut: dict):
    """Return all viewers in all their cohorts, the rows that these are, and which may mix."""
    if cohorts == "first":
        keys = keys[heads]
    elif cohorts != "every":
        days = as_days(viewers[cohorts], f"viewers.{cohorts}")
        number = period_numbers(day_numbers(days, f"viewers.{cohorts}"), **cut)
        keys = pack_periods(np.arange(len(viewers)), number)
    code, cohort = unpack_periods(keys)
    first, last, group = of_viewers(traits, code)
    row, rows = pd.factorize(pack_periods(np.broadcast_to(group, len(keys)), cohort), sort=True)
    members = {"key": keys, "row": row} | ages_seen(cohort, first, last, cut)
    members = pd.DataFrame(members, copy=False)
    earlier = unknown = np.zeros(len(keys), dtype=bool)
    if cohorts == "first":
        flags = may_start_earlier(cohort, first, cut)
        earlier, unknown = flags.fillna(False).to_numpy(bool), flags.isna()
    earlier, unknown = (np.bincount(row, some, len(rows)) > 0 for some in (earlier, unknown))
    earlier = pd.arrays.BooleanArray(earlier, unknown & ~earlier)
    # Mostly all were observed, and then there is nothing to copy.
    is_seen = members["high"] >= members["low"]
    return members if is_seen.all() else members[is_seen], rows, earlier
