"""How the aggregates of the toolkit come together from those of parts of the viewers."""

import numpy as np
import pandas as pd

from toolkit.activity import days_watched, shares_reaching
from toolkit.cohorts import retention
from toolkit.intervals import wilson
from toolkit.rewatched import find_rewatched, rewatch_rates
from toolkit.streak_counts import count_streaks, count_tally, tally_streaks
from toolkit.streak_ends import streak_survival, survival_of_tally
from toolkit.tables import count_reasons, loss_table, shares_lost
from toolkit.viewings import find_runtimes

__all__ = ["AGGREGATES"]


def _furthest(runtimes: pd.DataFrame, **_) -> pd.DataFrame:
    return _by(runtimes, ["title"]).agg({"runtime_seconds": "max", "n_plays": "sum"}).reset_index()


def _cells(viewer_days: pd.DataFrame, *, brackets=None, **arguments) -> pd.DataFrame:
    # At age 0 are all viewers of a cohort, any of whom may have begun before.
    brackets = brackets if brackets is None else [(0, 0), *brackets]
    return retention(viewer_days, brackets=brackets, **arguments)


def _retained(
    cells: pd.DataFrame, *, groups=None, brackets=None, confidence=0.95, **_
) -> pd.DataFrame:
    groups = [groups] if isinstance(groups, str) else list(groups or [])
    columns, flags = list(cells), cells["may_include_earlier"]
    cells = cells.drop(columns=["retention", "low", "high"])
    # Any viewer of a cohort who may have begun before tells; else any of whom it is not known.
    cohort = _by(cells, [*groups, "cohort"]).ngroup()
    earlier, unknown = (
        some.groupby(cohort).transform("any").to_numpy(bool)
        for some in (flags.fillna(False).astype("bool"), flags.isna())
    )
    cells["may_include_earlier"] = pd.arrays.BooleanArray(earlier, unknown & ~earlier)
    sums = {"n_cohort": "sum", "n_retained": "sum", "is_complete": "all"}
    sums |= {"may_include_earlier": "first"}
    cells = _by(cells, [*groups, "cohort", "age", "age_last"]).agg(sums).reset_index()
    if brackets is not None:
        wanted = {tuple(bracket) for bracket in brackets}
        asked = [ages in wanted for ages in zip(cells["age"], cells["age_last"], strict=True)]
        cells = cells[np.array(asked, dtype=bool)].reset_index(drop=True)
    low, high = wilson(cells["n_retained"], cells["n_cohort"], confidence=confidence)
    shares = cells["n_retained"] / cells["n_cohort"]
    return cells.assign(retention=shares, low=low, high=high)[columns]


def _days_of_all(counts: pd.DataFrame, *, confidence=0.95, **_) -> pd.DataFrame:
    counts = counts.groupby("n_days")["n_viewers"].sum()
    return shares_reaching(counts.index.to_numpy(), counts.to_numpy(), confidence)


def _once(viewings: pd.DataFrame, **_) -> pd.DataFrame:
    names = ["viewer", "account", "title", "series", "is_complete", "is_rewatch"]
    return viewings[[name for name in names if name in viewings]].drop_duplicates()


def _by(table: pd.DataFrame, columns: list):
    return table.groupby(columns, observed=True, dropna=False)


# What of each part is enough, and what is made of it all; both get the step's arguments.
AGGREGATES = {
    loss_table: (count_reasons, shares_lost),
    find_runtimes: (find_runtimes, _furthest),
    count_streaks: (tally_streaks, count_tally),
    streak_survival: (tally_streaks, survival_of_tally),
    retention: (_cells, _retained),
    days_watched: (days_watched, _days_of_all),
    find_rewatched: (_once, find_rewatched),
    rewatch_rates: (_once, rewatch_rates),
}
