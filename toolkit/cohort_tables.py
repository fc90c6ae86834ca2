"""Cohorts side by side: the matrix of ages, and the test of two."""

from typing import Literal

import numpy as np
import pandas as pd

from toolkit.cohorts import retention
from toolkit.days import last_whole, period_edges, period_numbers
from toolkit.intervals import logrank
from toolkit.order import day_numbers, to_midnights
from toolkit.streaks import find_streaks
from toolkit.tables import (
    as_days,
    as_viewer_days,
    as_viewers,
    as_whole_number,
    require_choice,
    require_columns,
)
from toolkit.viewer_periods import observed_days, of_viewers, viewer_codes

__all__ = ["compare_cohorts", "retention_matrix"]

_COLUMNS = ["cohort", "age", "age_last", "n_cohort", "n_retained", "retention", "low", "high"]
_COLUMNS += ["is_complete"]


def compare_cohorts(
    viewer_days: pd.DataFrame,
    *,
    cohorts: pd.DataFrame,
    age: int,
    as_of=None,
    viewers: pd.DataFrame | None = None,
    period: Literal["day", "week", "month"] = "week",
    week_starts: str = "MON",
    observed_from=None,
    lapse_after: int = 1,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Compare two cohorts: the share that is back at one age, and how soon they lapse.

    A viewer lapses with the first `lapse_after` periods in a row in which it does not watch.

    Parameters
    ----------
    viewer_days : pandas.DataFrame
        One row per viewer-day, with `viewer` and `day`; order does not matter.  Viewers who
        are in neither cohort are not used.
    cohorts : pandas.DataFrame
        One row per viewer with `viewer`, `cohort` (two names or days) and `first_day`, from
        which its ages count: rows of `assign_cohorts`, or any two sets of viewers, also of
        some who never watched.
    age : int
        Periods since that of the first day, 1 or more, at which to compare retention.
    as_of : date-like
        Last fully observed day of everyone; later days are not used.  Exactly one of
        `as_of` and `viewers` is needed.
    viewers : pandas.DataFrame
        One row per viewer with `viewer`, `as_of` and perhaps `observed_from`.
    period : {'day', 'week', 'month'}, default 'week'
        What ages are counted in.
    week_starts : {'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN'}, default 'MON'
        First day of a week.
    observed_from : date-like, optional
        First fully observed day of everyone.
    lapse_after : int, default 1
        Periods missed in a row that make a lapse.
    confidence : float, default 0.95
        Level of the interval, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        One row:

        * ``cohort``, ``other`` : the two, in order
        * ``age`` : int
        * ``n_cohort``, ``n_other`` : int, viewers whose period at that age is over
        * ``retention``, ``retention_other`` : float, the share of them who watched in it
        * ``difference`` : float, the first less the second
        * ``low``, ``high`` : float, Newcombe's interval
        * ``n_lapsed``, ``n_lapsed_other`` : int, of all viewers
        * ``logrank`` : float, chi-squared with one degree of freedom
        * ``p_value`` : float, of the log-rank test

    Raises
    ------
    ValueError
        If a column is missing, there are not two cohorts, a viewer is in both or has no
        first day or one that was not observed, none is in `viewer_days`, of either nobody can
        be seen at `age`, or nobody lapses.

    See Also
    --------
    assign_cohorts : cohorts by first viewer-day.
    retention : all ages, with intervals.

    Notes
    -----
    Only whole periods count.  The interval of the difference [1]_ is made of the Wilson
    intervals of the two shares and keeps within -1 and 1.

    The log-rank test [2]_ takes the time, in periods, from the first day to the lapse; who
    has not lapsed by the last whole period is censored then.  Its p-value is an approximation
    that needs a dozen or more lapses.  A lapse is known as soon as it
    is complete, so that what is cut off at `as_of` says nothing about who would have lapsed
    next.  That is not so of the time to the last viewer-day, which is often compared
    instead: to have been seen last is no event, and the nearer it lies to `as_of` the likelier
    it is not the last at all.

    Both take viewers for independent.  One age and one `lapse_after`, chosen beforehand, make one
    test; the best of many do not.

    References
    ----------
    .. [1] R. G. Newcombe, "Interval estimation for the difference between independent
       proportions: comparison of eleven methods", Statistics in Medicine 17 (1998) 873-890,
       method 10.
    .. [2] N. Mantel, "Evaluation of survival data and two new rank order statistics arising
       in its consideration", Cancer Chemotherapy Reports 50 (1966) 163-170.

    Examples
    --------
    >>> first_day = pd.to_datetime(["2024-03-04"] * 8)
    >>> cohorts = pd.DataFrame({"viewer": list("abcdefgh"), "first_day": first_day})
    >>> cohorts["cohort"] = ["mailed"] * 4 + ["not mailed"] * 4
    >>> back = pd.DataFrame({"viewer": list("abce"), "day": pd.to_datetime(["2024-03-13"] * 4)})
    >>> both = compare_cohorts(back, cohorts=cohorts, age=1, as_of="2024-03-24")
    >>> both[["cohort", "other", "retention", "retention_other", "low", "high"]].round(3)
       cohort       other  retention  retention_other    low   high
    0  mailed  not mailed       0.75             0.25 -0.135  0.789
    """
    from statsmodels.stats.proportion import confint_proportions_2indep

    age = as_whole_number(age, "age", low=1)
    lapse_after = as_whole_number(lapse_after, "lapse_after", low=1)
    cut = {"period": period, "week_starts": week_starts}
    members, names = _as_two_cohorts(cohorts)
    members = _seen_whole(members, as_of, viewers, observed_from, cut)
    log, members = _log_of(members, viewer_days)

    one = {"cohorts": "first_day", "groups": "side", "brackets": [(age, age)]}
    ages = retention(log, viewers=members, **one, **cut, confidence=confidence)
    counts = ages.groupby("side")[["n_retained", "n_cohort"]].sum().reindex([0, 1], fill_value=0)
    (k, n), (k_other, n_other) = counts.to_numpy().tolist()
    if not n or not n_other:
        raise ValueError(
            f"`age` must be one at which both cohorts were observed, got {age}; "
            f"of {names[int(n > 0)]} nobody was."
        )
    low, high = confint_proportions_2indep(
        k, n, k_other, n_other, method="newcomb", compare="diff", alpha=1 - confidence
    )
    lapses = _lapses(log, members, lapse_after, cut)
    if not lapses["is_observed"].any():
        raise ValueError(f"`viewer_days` must show a lapse of {lapse_after} missed, found none.")
    statistic, _, p_value = logrank(lapses["duration"], lapses["is_observed"], lapses["side"])
    n_lapsed, n_lapsed_other = lapses.groupby("side")["is_observed"].sum()
    both = {"cohort": names[:1], "other": names[1:], "age": age, "n_cohort": n, "n_other": n_other}
    both |= {"retention": k / n, "retention_other": k_other / n_other}
    both |= {"difference": k / n - k_other / n_other, "low": low, "high": high}
    both |= {"n_lapsed": n_lapsed, "n_lapsed_other": n_lapsed_other}
    return pd.DataFrame(both | {"logrank": statistic, "p_value": p_value})


def retention_matrix(
    retention: pd.DataFrame,
    *,
    values: str = "retention",
    mean: Literal["weighted", "unweighted"] | None = "weighted",
) -> pd.DataFrame:
    """Set cohorts against ages, with their mean below.

    Parameters
    ----------
    retention : pandas.DataFrame
        A retention table.  What stands before `cohort` are its groups.
    values : str, default 'retention'
        The column of numbers to show: `n_cohort`, `n_retained`, `retention`, `low` or `high`.
    mean : {'weighted', 'unweighted', None}, default 'weighted'
        The mean of the last row, of `retention` alone: with 'weighted' every viewer counts
        the same (all who came back over all who could be seen), with 'unweighted' every
        cohort.  Either is taken, age by age, over the cells that are complete.

    Returns
    -------
    pandas.DataFrame
        One row per cohort, by its first day as text, and one named "weighted mean" or
        "unweighted mean" (of each group); one column per age, or per bracket as text such
        as "1-7".  Blank (missing) where nothing was observed.

    Raises
    ------
    ValueError
        If a column is missing, an option is unknown, a cell stands twice, or a mean of
        anything but `retention` is asked for.

    See Also
    --------
    retention : the table itself, with intervals.

    Notes
    -----
    Later ages are seen of earlier cohorts alone, so that the means of two ages are not of
    the same viewers: a rise from one age to the next may be nothing but a cohort that is
    too young to be in it.

    Examples
    --------
    >>> viewer_days = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "bob", "cem"],
    ...     "day": pd.to_datetime(["2024-03-04", "2024-03-13", "2024-03-05", "2024-03-12"]),
    ... })
    >>> retention_matrix(retention(viewer_days, as_of="2024-03-24")).round(2)
    age              0     1    2
    cohort
    2024-03-04     1.0  0.50  0.0
    2024-03-11     1.0  0.00  NaN
    weighted mean  1.0  0.33  0.0
    """
    require_columns(retention, _COLUMNS, "retention")
    require_choice(values, ["n_cohort", "n_retained", "retention", "low", "high"], "values")
    require_choice(mean, ["weighted", "unweighted", None], "mean")
    if mean and values != "retention":
        raise ValueError(f"`mean` must be None unless `values` is 'retention', got {values!r}.")
    retention = retention.reset_index(drop=True)
    groups = list(retention)[: list(retention).index("cohort")]
    cells = retention[[*groups, *_COLUMNS]].assign(
        cohort=as_days(retention["cohort"], "retention.cohort").dt.strftime("%Y-%m-%d"),
        column=retention.groupby(["age", "age_last"]).ngroup(),
    )
    place = [*groups, "cohort", "column"]
    if (again := cells.duplicated(place)).any():
        cohort, age = cells.loc[again, ["cohort", "age"]].iloc[0]
        raise ValueError(
            f"`retention` must have one row per cohort and age, found age {age} of {cohort} twice."
        )
    if mean:
        cells = pd.concat([cells, _means(cells, groups, mean)])
    if values.startswith("n_"):
        cells[values] = cells[values].astype("Int64")
    matrix = cells.set_index(place)[values].unstack()  # noqa: PD010
    return matrix.set_axis(_age_labels(retention), axis=1)


def _means(cells: pd.DataFrame, groups: list, mean: str) -> pd.DataFrame:
    """Return a row for each group and age: the mean over its complete cells."""
    counted = ["n_retained", "n_cohort", "retention"]
    whole = cells[[*groups, "column"]].join(cells[counted].where(cells["is_complete"]))
    ages = whole.groupby([*groups, "column"], observed=True, dropna=False, as_index=False)
    means = ages[counted].sum(min_count=1)
    share = means["n_retained"] / means["n_cohort"]
    if mean == "unweighted":
        share = ages["retention"].mean()["retention"]
    return means[[*groups, "column"]].assign(cohort=f"{mean} mean", retention=share)


def _age_labels(retention: pd.DataFrame) -> pd.Index:
    """Return what the columns of ages are called: a number, or the first and last of a bracket."""
    ages = retention[["age", "age_last"]].drop_duplicates().sort_values(["age", "age_last"])
    first, last = ages["age"].to_list(), ages["age_last"].to_list()
    if first != last:
        first = [f"{a}-{b}" if a < b else f"{a}" for a, b in zip(first, last, strict=True)]
    return pd.Index(first, name="age")


def _as_two_cohorts(cohorts: pd.DataFrame) -> tuple[pd.DataFrame, pd.Index]:
    """Return the viewers, sides and first days of two cohorts, and their names."""
    columns = ["viewer", "cohort", "first_day"]
    require_columns(cohorts, columns, "cohorts")
    if (missing := cohorts[columns].isna().any(axis=1)).any():
        raise ValueError(
            f"`cohorts` must have {columns} on every row; {missing.sum()} lack one of them."
        )
    side, names = pd.factorize(cohorts["cohort"], sort=True)
    if len(names) != 2:
        raise ValueError(f"`cohorts` must hold two cohorts, found {len(names)}.")
    if (again := cohorts["viewer"].duplicated(keep=False)).any():
        who = next(iter(cohorts["viewer"][again]))
        both = cohorts["cohort"][cohorts["viewer"] == who].astype("str").tolist()
        raise ValueError(
            f"`cohorts` must not overlap, each viewer being there once; found {who!r} in {both}."
        )
    first_day = as_days(cohorts["first_day"], "cohorts.first_day")
    members = {"viewer": cohorts["viewer"].array, "side": side, "first_day": first_day.array}
    return pd.DataFrame(members), pd.Index(names)


def _seen_whole(members: pd.DataFrame, as_of, viewers, observed_from, cut: dict) -> pd.DataFrame:
    """Return members with the last day of the last period that was observed to its end."""
    viewers, observed = observed_days(as_of, viewers, observed_from)
    first, last = of_viewers(observed, viewer_codes(as_viewers(members)["viewer"], viewers))
    if (early := day_numbers(members["first_day"], "cohorts.first_day") < first).any():
        raise ValueError(
            "`cohorts` must have first days that were observed, "
            f"found that of {next(iter(members['viewer'][early]))!r} before."
        )
    over = period_edges(last_whole(last, **cut), **cut)[1]
    return members.assign(as_of=to_midnights(np.broadcast_to(over, len(members)).copy()))


def _log_of(members: pd.DataFrame, viewer_days: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the days of the members, and these, with their places for viewers."""
    viewer_days = as_viewer_days(viewer_days)
    used = viewer_days["viewer"].isin(members["viewer"])
    if not used.any():
        raise ValueError("`cohorts` must hold viewers of `viewer_days`, found none of them there.")
    place = viewer_codes(viewer_days["viewer"][used], members)
    log = pd.DataFrame({"viewer": place, "day": viewer_days["day"][used].array})
    return log, members.assign(viewer=np.arange(len(members)))


def _lapses(log: pd.DataFrame, members: pd.DataFrame, lapse_after: int, cut: dict) -> pd.DataFrame:
    """Return how many periods after its first each member lapsed, or was still there."""
    first_day = members["first_day"].array[log["viewer"]]
    begun = members[["viewer", "first_day"]].set_axis(["viewer", "day"], axis=1)
    days = pd.concat([begun, log[log["day"] > first_day]], ignore_index=True)
    streaks = find_streaks(days, viewers=members, max_gap_days=lapse_after - 1, **cut)
    first = streaks.drop_duplicates("viewer")
    own = members.iloc[first["viewer"]]
    begin, last, over = (
        period_numbers(day_numbers(days, "day"), **cut)
        for days in (own["first_day"], first["last_day"], own["as_of"])
    )
    is_open = first["is_open"].to_numpy()
    until = np.where(is_open, over, last + lapse_after)
    return pd.DataFrame(
        {"side": own["side"].to_numpy(), "duration": until - begin, "is_observed": ~is_open}
    )
