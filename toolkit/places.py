"""Places: in which countries and on which devices viewers watch, and how much of it abroad."""

from typing import Literal

import numpy as np
import pandas as pd

from toolkit.intervals import wilson
from toolkit.order import codes_of, pack
from toolkit.tables import (
    as_plays,
    as_viewers,
    as_whole_number,
    require_choice,
    require_columns,
    require_confidence,
    require_one_account,
    used_plays,
)

__all__ = ["count_abroad", "count_places", "share_abroad"]

_SECOND = 1_000_000
_NOTE = (
    "Travel, a VPN and the portability of subscriptions within the EU can't be told apart: a "
    "country is where the service placed a play, not where its viewer was."
)


def count_places(
    plays: pd.DataFrame, *, by: Literal["country", "device"] = "country"
) -> pd.DataFrame:
    """Count the plays of each viewer in each country, or on each device.

    Parameters
    ----------
    plays : pandas.DataFrame
        A plays table with the column `by`.  Rows with a reason in `excluded` are not used, nor
        are those where it is missing; order does not matter.
    by : {'country', 'device'}, default 'country'
        What is counted.

    Returns
    -------
    pandas.DataFrame
        One row per viewer and country (or device) with any play, in that order:

        * ``viewer``, ``account``, and ``country`` or ``device`` as in `plays`
        * ``n_plays`` : int
        * ``watched_seconds`` : float, NaN where those of any of the plays are unknown
        * ``share`` : float, of the viewer's plays of which it is known
        * ``is_usual`` : bool, most of the viewer's plays are there; of equals that with more
          seconds watched, then the first by name.  One row of each viewer has it

    Raises
    ------
    ValueError
        If a column is missing, or a viewer has two accounts.

    See Also
    --------
    count_abroad : the plays outside each viewer's usual country.

    Examples
    --------
    >>> plays = pd.DataFrame({
    ...     "viewer": "ann", "title": "Heat", "device": ["tv", "tv", "phone"],
    ...     "started_at": pd.Timestamp("2024-03-01 20:00Z"),
    ... })
    >>> count_places(plays, by="device")[["viewer", "device", "n_plays", "is_usual"]]
      viewer device  n_plays  is_usual
    0    ann  phone        1     False
    1    ann     tv        2      True
    """
    require_choice(by, ["country", "device"], "by")
    plays = _plays_with(plays, by)
    plays = plays[plays[by].notna()]
    viewer, place = codes_of(plays["viewer"], "viewer"), codes_of(plays[by], by)
    keys, first, number = np.unique(pack(viewer, place), return_index=True, return_inverse=True)
    n_plays = np.bincount(number, minlength=len(keys))
    seconds = np.full(len(plays), np.nan)
    if "watched_seconds" in plays:
        # Whole microseconds, whose sum depends on no order.
        seconds = np.rint(plays["watched_seconds"].to_numpy() * _SECOND)
    watched = np.bincount(number, seconds, minlength=len(keys)) / _SECOND
    counts = plays[["viewer", "account", by]].iloc[first].reset_index(drop=True)
    counts = counts.assign(n_plays=n_plays, watched_seconds=watched)
    who = keys // place[1]
    counts["share"] = n_plays / np.bincount(who, n_plays)[who] if len(keys) else n_plays / 1
    # The usual one comes first of its viewer.
    ranked = np.lexsort((keys, -np.nan_to_num(watched), -n_plays, who))
    is_usual = np.zeros(len(keys), dtype=bool)
    is_usual[ranked] = np.diff(who[ranked], prepend=-1) > 0
    return counts.assign(is_usual=is_usual)


def count_abroad(plays: pd.DataFrame, *, viewers: pd.DataFrame | None = None) -> pd.DataFrame:
    """Count each viewer's plays outside the usual country.

    Parameters
    ----------
    plays : pandas.DataFrame
        A plays table with `country`.  Rows with a reason in `excluded` are not used; order
        does not matter.
    viewers : pandas.DataFrame, optional
        One row per viewer, `viewer` and `country`: the country to take for the usual one, such
        as that in which the account was opened.  Without it that of most of the viewer's plays.

    Returns
    -------
    pandas.DataFrame
        One row per viewer with a play, in order:

        * ``viewer``, ``account`` as in `plays`
        * ``usual_country`` : category, missing where no country is known
        * ``n_plays`` : int, plays of which the country is known
        * ``n_abroad`` : int, those in another one than the usual
        * ``share_abroad`` : float, NaN without a play of a known country
        * ``n_countries`` : int
        * ``n_unknown`` : int, plays without a country

    Raises
    ------
    ValueError
        If a column is missing, a viewer has two accounts, or is not among `viewers`.

    See Also
    --------
    share_abroad : all viewers together.
    count_places : the countries themselves.

    Notes
    -----
    That a play was abroad does not say that its viewer was.  Travel, a VPN and, within the
    European Union since April 2018, the portability of subscriptions [1]_ look alike: by the
    latter a service serves subscribers who are in another member state for a time as if they
    were at home, so that a log may place such a play in either country.

    Without `viewers` the usual country is taken from the same plays, so that the share can't
    exceed a half where there are two countries, and is 0 for a viewer with one play.

    References
    ----------
    .. [1] Regulation (EU) 2017/1128 on cross-border portability of online content services in
       the internal market.

    Examples
    --------
    >>> plays = pd.DataFrame({
    ...     "viewer": "ann", "title": "Heat", "country": ["DE", "DE", "DE", "FR"],
    ...     "started_at": pd.Timestamp("2024-03-01 20:00Z"),
    ... })
    >>> count_abroad(plays)[["viewer", "usual_country", "n_plays", "n_abroad", "share_abroad"]]
      viewer usual_country  n_plays  n_abroad  share_abroad
    0    ann            DE        4         1          0.25
    """
    places = count_places(plays)
    plays = _plays_with(plays, "country")
    codes, _ = codes_of(plays["viewer"], "viewer")
    _, first, number = np.unique(codes, return_index=True, return_inverse=True)
    size = np.bincount(number, minlength=len(first))
    known = np.bincount(number, plays["country"].notna(), minlength=len(first)).astype("int64")
    table = plays[["viewer", "account"]].iloc[first].reset_index(drop=True)
    row = pd.Index(table["viewer"]).get_indexer(places["viewer"])
    names = plays["country"].cat.categories
    if viewers is None:
        usual = np.full(len(table), -1)
        usual[row[places["is_usual"]]] = names.get_indexer(places["country"][places["is_usual"]])
    else:
        names, usual = _homes(viewers, table["viewer"], names)
    at_home = names.get_indexer(places["country"]) == usual[row]
    home = np.bincount(row[at_home], places["n_plays"][at_home], minlength=len(table))
    n_abroad = known - home.astype("int64")
    with np.errstate(invalid="ignore"):
        share = n_abroad / known
    return table.assign(
        usual_country=pd.Categorical.from_codes(usual, names),
        n_plays=known,
        n_abroad=n_abroad,
        share_abroad=share,
        n_countries=np.bincount(row, minlength=len(table)),
        n_unknown=size - known,
    )


def share_abroad(
    plays: pd.DataFrame,
    *,
    viewers: pd.DataFrame | None = None,
    min_plays: int = 1,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Say what share of plays lies outside the viewers' usual countries, and of people.

    Parameters
    ----------
    plays, viewers
        As in `count_abroad`.
    min_plays : int, default 1
        Least plays of a known country for a viewer to be counted.  The fewer there are, the
        less can lie outside what is taken for usual from the same plays.
    confidence : float, default 0.95
        Level of the interval, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        One row:

        * ``n_plays``, ``n_abroad`` : int, plays of a known country, and those abroad
        * ``share_plays`` : float, of this log; plays of one account resemble each other, so
          that it has no simple interval
        * ``people``, ``people_abroad`` : int, accounts, and those with any play abroad
        * ``share_people`` : float
        * ``low``, ``high`` : float, Wilson's interval of share_people
        * ``n_unknown`` : int, plays without a country, of all viewers
        * ``note`` : str, what can't be concluded

    Raises
    ------
    ValueError
        If `count_abroad` would, or a number is out of its bounds.

    See Also
    --------
    count_abroad : viewer by viewer.

    Examples
    --------
    >>> plays = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "ann", "bob"], "title": "Heat",
    ...     "country": ["DE", "DE", "FR", "US"],
    ...     "started_at": pd.Timestamp("2024-03-01 20:00Z"),
    ... })
    >>> share_abroad(plays)[["n_plays", "n_abroad", "share_plays", "people", "people_abroad"]]
       n_plays  n_abroad  share_plays  people  people_abroad
    0        4         1         0.25       2              1
    """
    require_confidence(confidence)
    min_plays = as_whole_number(min_plays, "min_plays", low=1)
    table = count_abroad(plays, viewers=viewers)
    counted = table[table["n_plays"] >= min_plays]
    n_plays, n_abroad = counted["n_plays"].sum(), counted["n_abroad"].sum()
    people = counted["account"].nunique()
    people_abroad = counted["account"][counted["n_abroad"] > 0].nunique()
    low, high = wilson(people_abroad, people, confidence=confidence)
    row = {
        "n_plays": n_plays,
        "n_abroad": n_abroad,
        "share_plays": n_abroad / n_plays if n_plays else np.nan,
        "people": people,
        "people_abroad": people_abroad,
        "share_people": people_abroad / people if people else np.nan,
        "low": low,
        "high": high,
        "n_unknown": table["n_unknown"].sum(),
        "note": _NOTE,
    }
    return pd.DataFrame([row])


def _plays_with(plays: pd.DataFrame, by: str) -> pd.DataFrame:
    require_columns(plays, ["viewer", "title", "started_at", by], "plays")
    has_accounts = "account" in plays
    plays = used_plays(as_plays(plays))
    if has_accounts:
        require_one_account("`plays`", plays)
    return plays


def _homes(viewers: pd.DataFrame, who: pd.Series, names: pd.Index) -> tuple[pd.Index, np.ndarray]:
    """Return the names of countries, and the number of that which `viewers` gives each viewer."""
    viewers = as_viewers(viewers, needed=["country"])
    row = pd.Index(viewers["viewer"].astype("object")).get_indexer(who.astype("object"))
    if (row < 0).any():
        raise ValueError(
            f"`viewers` must have a row for every viewer, found none for {who[row < 0].iloc[0]!r}."
        )
    homes = viewers["country"].astype("str").iloc[row]
    names = names.union(homes.unique())
    return names, names.get_indexer(homes)
