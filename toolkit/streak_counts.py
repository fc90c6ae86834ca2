"""How many streaks, and how many people, reach each length."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from toolkit.order import codes_of, pack
from toolkit.tables import as_streaks, group_numbers, require_choice, require_columns

__all__ = ["count_streaks", "count_tally", "tally_streaks"]

_COUNTS = ["n_days", "n_streaks", "people", "n_reaching", "people_reaching"]
_FATE = ["n_days", "is_open", "may_start_earlier"]


def count_streaks(
    streaks: pd.DataFrame,
    *,
    which: Literal["all", "open", "ended"] = "all",
    groups: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Count streaks and people by length: N(k), the table that tells models apart.

    Parameters
    ----------
    streaks : pandas.DataFrame
        A streaks table.
    which : {'all', 'open', 'ended'}, default 'all'
        Which streaks count; the length of an open one is a lower bound.
    groups : str or list of str, optional
        Columns of `streaks` within which to count.

    Returns
    -------
    pandas.DataFrame
        One row per length from 1 to the longest (of each group):

        * the columns of `groups`
        * ``n_days`` : int, k
        * ``n_streaks`` : int, streaks of exactly k days
        * ``people`` : int, distinct accounts with such a streak
        * ``n_reaching`` : int, streaks of k days or more
        * ``people_reaching`` : int, distinct accounts with such a streak

    Raises
    ------
    ValueError
        If a column or an account is missing, `n_days` is below 1, `groups` names a column
        of the result, or `which` is unknown.

    Notes
    -----
    One count cannot tell models apart, the whole of N(k) can: with one daily probability
    for everyone N(k+1)/N(k) is constant; with probabilities that differ it rises.

    Examples
    --------
    >>> from toolkit.streaks import find_streaks
    >>> viewer_days = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "bob"],
    ...     "day": pd.to_datetime(["2024-03-01", "2024-03-02", "2024-03-02"]),
    ... })
    >>> count_streaks(find_streaks(viewer_days, as_of="2024-03-31"))
       n_days  n_streaks  people  n_reaching  people_reaching
    0       1          1       1           2                2
    1       2          1       1           1                1
    """
    return count_tally(tally_streaks(streaks, which=which, groups=groups), groups=groups)


def tally_streaks(
    streaks: pd.DataFrame, *, groups: str | Sequence[str] | None = None, which: str = "all", **_
) -> pd.DataFrame:
    """Count the streaks of each account that are alike, within groups: all that counting needs.

    The tallies of parts of the viewers, one below the other, are a tally of them all.
    """
    require_choice(which, ["all", "open", "ended"], "which")
    streaks = as_streaks(streaks)
    groups = [groups] if isinstance(groups, str) else list(groups or [])
    require_columns(streaks, groups, "streaks")
    if "may_start_earlier" not in streaks:
        unknown = pd.array(np.full(len(streaks), None), dtype="boolean")
        streaks = streaks.assign(may_start_earlier=unknown)
    if which != "all":
        streaks = streaks[streaks["is_open"] == (which == "open")]
    fate = streaks["is_open"].to_numpy("int64") * 3
    fate += streaks["may_start_earlier"].astype("Int64").fillna(2).to_numpy("int64")
    account, size = codes_of(streaks["account"], "account")
    n_days = streaks["n_days"].to_numpy()
    if n_days.min(initial=1) < 1:
        raise ValueError("`n_days` must be 1 or more on every streak, found less.")
    key = pack(
        (group_numbers(streaks, groups), max(len(streaks), 1)),
        (account, size),
        (n_days, int(n_days.max(initial=0)) + 1),
        (fate, 6),
    )
    _, first, n_streaks = np.unique(key, return_index=True, return_counts=True)
    tally = streaks.iloc[first][[*dict.fromkeys([*groups, "account", *_FATE])]]
    return tally.reset_index(drop=True).assign(n_streaks=n_streaks)


def count_tally(
    tally: pd.DataFrame, *, groups: str | Sequence[str] | None = None, **_
) -> pd.DataFrame:
    """Return what `count_streaks` says of streaks, from their tally."""
    groups = [groups] if isinstance(groups, str) else list(groups or [])
    if taken := [name for name in groups if name in _COUNTS]:
        raise ValueError(f"`groups` must not be columns of the result, got {taken}.")
    rows = tally[["account", "n_days", "n_streaks"]].assign(group=group_numbers(tally, groups))
    longest = rows.groupby("group")["n_days"].max().to_numpy()
    # One cell for each length from 1 to the longest of each group, group after group.
    start = np.cumsum(longest) - longest
    cells = rows.assign(cell=start[rows["group"]] + rows["n_days"] - 1)
    furthest = cells.groupby(["group", "account"], observed=True)["cell"].max()
    exactly = np.bincount(cells["cell"], cells["n_streaks"], minlength=int(longest.sum()))
    people, people_at_most = (
        np.bincount(some, minlength=len(exactly))
        for some in (cells[["account", "cell"]].drop_duplicates()["cell"], furthest)
    )
    cell = np.repeat(np.arange(len(longest)), longest)
    counts = pd.DataFrame(
        {
            "n_days": np.arange(len(exactly)) - start[cell] + 1,
            "n_streaks": exactly.astype("int64"),
            "people": people,
            "n_reaching": _reaching(exactly.astype("int64"), cell),
            "people_reaching": _reaching(people_at_most, cell),
        }
    )
    if not groups:
        return counts
    names = tally.iloc[np.unique(rows["group"], return_index=True)[1]][groups].iloc[cell]
    return pd.concat([names.reset_index(drop=True), counts], axis=1)


def _reaching(counts: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Sum the counts of each length and all longer ones of the same group."""
    return pd.Series(counts[::-1]).groupby(group[::-1]).cumsum().to_numpy()[::-1]
