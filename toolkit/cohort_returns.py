"""Who of each cohort came back, and at which ages: the rows that retention counts."""

from typing import Literal

import numpy as np
import pandas as pd

from toolkit.days import last_whole, period_edges
from toolkit.order import taken, to_midnights
from toolkit.viewer_periods import (
    find_viewer_periods,
    first_of_each,
    observed_log,
    unpack_periods,
)

__all__ = ["find_returns"]


def find_returns(
    viewer_days: pd.DataFrame,
    *,
    as_of,
    period: Literal["day", "week", "month"] = "week",
    week_starts: str = "MON",
    observed_from=None,
) -> pd.DataFrame:
    """Find the ages at which each viewer came back.

    Parameters
    ----------
    viewer_days : pandas.DataFrame
        One row per viewer-day, with `viewer` and `day`; order does not matter.
    as_of : date-like
        Last fully observed day of everyone; later days are not used.
    period : {'day', 'week', 'month'}, default 'week'
        What cohorts and ages are counted in.
    week_starts : {'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN'}, default 'MON'
        First day of a week.
    observed_from : date-like, optional
        First fully observed day of everyone; earlier days are not used.

    Returns
    -------
    pandas.DataFrame
        One row per viewer and age, in order:

        * ``viewer``, ``account``
        * ``cohort`` : datetime64, first day of the period of its first viewer-day
        * ``age`` : int, periods since, in which it watched; age 0 always has a row

    Raises
    ------
    ValueError
        If a column is missing, or an argument is out of bounds.

    See Also
    --------
    retention : the shares of each cohort, where each viewer may have been observed to its own day.
    assign_cohorts : who is in which cohort.

    Notes
    -----
    Ages after 0 of which `as_of` cuts off a part have no rows, so that the share of a cohort
    at an age, of those rows, is `retention` at each age that it calls complete.

    Examples
    --------
    >>> viewer_days = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "bob", "cem"],
    ...     "day": pd.to_datetime(["2024-03-04", "2024-03-13", "2024-03-05", "2024-03-12"]),
    ... })
    >>> find_returns(viewer_days, as_of="2024-03-20")[["viewer", "cohort", "age"]]
      viewer     cohort  age
    0    ann 2024-03-04    0
    1    ann 2024-03-04    1
    2    bob 2024-03-04    0
    3    cem 2024-03-11    0
    """
    cut = {"period": period, "week_starts": week_starts}
    viewer_days, _, codes, observed = observed_log(viewer_days, as_of, None, observed_from)
    keys = find_viewer_periods(codes, viewer_days["day"].to_numpy(), observed, **cut)
    code, number = unpack_periods(keys)
    heads = first_of_each(keys)
    cohort = np.repeat(number[heads], np.diff(heads, append=len(keys)))
    whole = (number == cohort) | (number <= last_whole(np.asarray(observed[1]), **cut))
    code, number, cohort = code[whole], number[whole], cohort[whole]
    # A row of each viewer's, which names it and its account.
    some = np.zeros(int(codes.max(initial=-1)) + 1, dtype="int64")
    some[codes] = np.arange(len(codes))
    people = {name: taken(viewer_days[name], some[code]) for name in ("viewer", "account")}
    made = {"cohort": to_midnights(period_edges(cohort, **cut)[0].copy()), "age": number - cohort}
    return pd.DataFrame(people | made, copy=False)
