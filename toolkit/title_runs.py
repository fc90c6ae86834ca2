"""How long titles stay in a weekly list: in a row, and in all."""

import pandas as pd

from toolkit.streaks import find_streaks
from toolkit.tables import require_columns

__all__ = ["check_weeks", "find_title_runs"]

_LISTS = ["country", "category"]


def find_title_runs(panel: pd.DataFrame) -> pd.DataFrame:
    """Find the weeks in a row that each title was in a weekly list.

    Parameters
    ----------
    panel : pandas.DataFrame
        As `load_title_panel` gives it of a weekly Top 10: ``title``, ``first_day``,
        ``last_day``, and what lists there are: ``country``, ``category``.

    Returns
    -------
    pandas.DataFrame
        One row per run:

        * ``country``, ``category`` : the list, as far as `panel` says
        * ``title`` : str
        * ``first_day``, ``last_day`` : datetime64, of the first and of the last week
        * ``n_weeks`` : int
        * ``is_open`` : bool, whether it lasts to the last week of the panel (right-censored)
        * ``may_start_earlier`` : bool, whether it begins with the first

    Raises
    ------
    ValueError
        If a column is missing, or a week is not seven days that start on the same weekday.

    See Also
    --------
    check_weeks : the weeks in all, against those the list tells.
    find_streaks : the same of viewers.

    Notes
    -----
    A title is the same as another if list and name are.  The weeks in all of a title, its
    tenure, are the sum over its runs and no run itself: a film that comes back each December has
    many weeks and no long run.

    Examples
    --------
    >>> weeks = pd.to_datetime(["2024-03-04", "2024-03-11", "2024-03-25", "2024-03-25"])
    >>> panel = pd.DataFrame({
    ...     "category": "Films", "title": ["Low Tide"] * 3 + ["Winter Light"],
    ...     "first_day": weeks, "last_day": weeks + pd.Timedelta(days=6),
    ... })
    >>> runs = find_title_runs(panel)
    >>> runs[["title", "first_day", "n_weeks", "is_open"]]
              title  first_day  n_weeks  is_open
    0      Low Tide 2024-03-04        2    False
    1      Low Tide 2024-03-25        1     True
    2  Winter Light 2024-03-25        1     True
    """
    keys = _keys(panel)
    starts = panel["first_day"].dt.day_name().str[:3].str.upper().unique()
    if (panel["last_day"] - panel["first_day"] != pd.Timedelta(days=6)).any() or len(starts) > 1:
        raise ValueError(
            "`panel` must have weeks of seven days from one weekday on, found weeks from "
            f"{', '.join(starts)} and of up to "
            f"{(panel['last_day'] - panel['first_day']).max().days + 1} days."
        )
    each = panel.groupby(keys, observed=True, sort=True).ngroup()
    names = panel[keys].assign(viewer=each).drop_duplicates("viewer").set_index("viewer")
    # Without a week any day will do.
    first, last = panel["first_day"].min(), panel["last_day"].max()
    runs = find_streaks(
        pd.DataFrame({"viewer": each, "day": panel["first_day"]}),
        as_of=last if len(panel) else "1970-01-01",
        observed_from=first if len(panel) else "1970-01-01",
        period="week",
        week_starts=starts[0] if len(starts) else "MON",
    )
    found = names.loc[runs["viewer"]].reset_index(drop=True)
    facts = ["first_day", "last_day", "n_days", "is_open", "may_start_earlier"]
    found = pd.concat([found, runs[facts].rename(columns={"n_days": "n_weeks"})], axis=1)
    return found.astype({"may_start_earlier": "bool"})


def check_weeks(panel: pd.DataFrame) -> pd.DataFrame:
    """Find the rows whose weeks in all are not as many as the list has had of the title.

    Parameters
    ----------
    panel : pandas.DataFrame
        As in `find_title_runs`, with the column ``weeks_in_top_10``.

    Returns
    -------
    pandas.DataFrame
        The rows that disagree: ``country``, ``category``, ``title``, ``last_day``,
        ``weeks_in_top_10``, and ``n_weeks``, how many weeks the panel has of that title up to
        then.  None if all agree.

    Raises
    ------
    ValueError
        If a column is missing.

    See Also
    --------
    find_title_runs : weeks in a row.

    Notes
    -----
    In a panel that starts with the list, they disagree where two titles have one name.

    Examples
    --------
    >>> weeks = pd.to_datetime(["2024-03-04", "2024-03-11", "2025-06-02"])
    >>> panel = pd.DataFrame({
    ...     "category": "Films", "title": "Kingdom", "first_day": weeks,
    ...     "last_day": weeks + pd.Timedelta(days=6), "weeks_in_top_10": [1, 2, 1],
    ... })
    >>> check_weeks(panel)[["title", "last_day", "weeks_in_top_10", "n_weeks"]]
         title   last_day  weeks_in_top_10  n_weeks
    0  Kingdom 2025-06-08                1        3
    """
    keys = _keys(panel)
    require_columns(panel, ["weeks_in_top_10"], "panel")
    ordered = panel.sort_values([*keys, "last_day"], kind="stable")
    n_weeks = ordered.groupby(keys, observed=True)["last_day"].rank("dense").astype("int64")
    found = ordered.assign(n_weeks=n_weeks)[[*keys, "last_day", "weeks_in_top_10", "n_weeks"]]
    return found[found["weeks_in_top_10"] != found["n_weeks"]].reset_index(drop=True)


def _keys(panel: pd.DataFrame) -> list[str]:
    require_columns(panel, ["title", "first_day", "last_day"], "panel")
    return [*(name for name in _LISTS if name in panel), "title"]
