"""Shared audiences: who watches both of two titles, and the laws that sizes alone predict."""

from typing import Literal

import numpy as np
import pandas as pd

from toolkit.intervals import wilson
from toolkit.order import codes_of
from toolkit.tables import (
    as_plays,
    as_whole_number,
    require_choice,
    require_columns,
    require_confidence,
    require_one_account,
    unit_column,
    used_plays,
)

__all__ = ["double_jeopardy", "duplication", "duplication_law"]

_MOST_TITLES = 4_000


def duplication(
    plays: pd.DataFrame,
    *,
    by: Literal["title", "series"] = "title",
    top: int | None = None,
    universe: int | None = None,
    min_seconds: float = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Count for each pair of titles who watched both, beside what their sizes predict.

    By the duplication of viewing law [1]_ the share of one title's audience that also
    watches another is that other's share of everyone, times a number D that is the same for
    all pairs.

    Parameters
    ----------
    plays : pandas.DataFrame
        A plays table.  Rows with a reason in `excluded` are not used; order does not
        matter.
    by : {'title', 'series'}, default 'title'
        What is watched; with 'series', a title that has none stands for itself.
    top : int, optional
        Keep the titles that most people watched, of equals the first; else all.
    universe : int, optional
        Accounts that could have watched; without it all that have a play, of any title.
    min_seconds : float, default 0
        Least seconds of a title, in all its plays by the account, to have watched it.
        Unknown seconds count as watched.
    confidence : float, default 0.95
        Level of the intervals, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        One row per ordered pair of different titles, the most watched first:

        * ``title``, ``other`` : as in `plays` (with `by` 'series' too the first column is
          ``series``)
        * ``people``, ``people_other`` : int, accounts that watched each
        * ``people_both`` : int, accounts that watched both
        * ``universe`` : int
        * ``duplication`` : float, people_both over people: the share of the title's audience
          that the other has too
        * ``low``, ``high`` : float, Wilson's interval of it
        * ``expected`` : float, D times the share of the universe that watched the other

    Raises
    ------
    ValueError
        If a column is missing, a number is out of its bounds, more people watched than the
        universe holds, or there are more than 4,000 titles.

    See Also
    --------
    duplication_law : D, and how well the law fits.
    plot_duplication : observed against the law.
    double_jeopardy : how audiences differ in how often they watch.

    Notes
    -----
    The matrix of the textbooks is ``table.pivot(index="title", columns="other",
    values="duplication")``.  The law fails for a pair where `expected` lies outside the
    interval, of which with many pairs some do by chance.  It is a law of one market at one
    time: titles of two languages, or on at different times, need a D for each part and one
    for pairs across.

    References
    ----------
    .. [1] G. J. Goodhardt, A. S. C. Ehrenberg, M. A. Collins, The Television Audience:
       Patterns of Viewing, Gower (1987).

    Examples
    --------
    >>> plays = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "bob", "cem", "cem", "dan"],
    ...     "title": ["Heat", "Up", "Heat", "Heat", "Up", "Up"],
    ...     "started_at": pd.Timestamp("2024-03-01 20:00Z"),
    ... })
    >>> table = duplication(plays)
    >>> table[["title", "other", "people", "people_both", "duplication"]].round(3)
      title other  people  people_both  duplication
    0  Heat    Up       3            2        0.667
    1    Up  Heat       3            2        0.667
    """
    require_confidence(confidence)
    pairs, names, universe = _watched(plays, by, universe, min_seconds)
    size = np.bincount(pairs["unit"], minlength=len(names))
    kept = np.argsort(-size, kind="stable")[: int((size > 0).sum())]
    if top is not None:
        kept = kept[: as_whole_number(top, "top", low=1)]
    if len(kept) > _MOST_TITLES:
        raise ValueError(
            f"`top` must leave at most {_MOST_TITLES:,} titles, found {len(kept):,} in the log."
        )
    both = _both(pairs, kept, len(names))
    row, other = np.nonzero(~np.eye(len(kept), dtype=bool))
    columns = {by: names[kept[row]], "other": names[kept[other]]}
    people, people_both = size[kept[row]], both[row, other]
    low, high = wilson(people_both, people, confidence=confidence)
    table = pd.DataFrame(
        columns
        | {"people": people, "people_other": size[kept[other]], "people_both": people_both}
        | {"universe": universe, "duplication": people_both / people, "low": low, "high": high}
    )
    return table.assign(expected=_coefficient(table) * table["people_other"] / universe)


def duplication_law(table: pd.DataFrame) -> tuple[float, float]:
    """Fit the duplication of viewing law to all pairs of titles.

    Parameters
    ----------
    table : pandas.DataFrame
        As `duplication` gives it, or those of its rows that are one market.

    Returns
    -------
    D : float
        The mean share of a title's audience that another has too, over the mean share of
        the universe that the other has: 1 if viewers choose titles independently, the more
        the more some watch everything and others nothing.
    r : float
        Correlation of what is observed with what the law expects, over all pairs; NaN where
        all titles are of one size or all duplications the same.

    Raises
    ------
    ValueError
        If a column is missing or there is no pair.

    See Also
    --------
    duplication : the pairs.

    Notes
    -----
    D is pooled, the mean of observed duplications over the mean of penetrations, so that
    pairs of small titles, whose ratios are all noise, do not rule it.

    Where each viewer watches all titles or none, a share f of them all, every duplication is
    1 and D is 1 / f.

    Examples
    --------
    >>> fans = pd.DataFrame({
    ...     "viewer": [0, 0, 1, 1], "title": ["Heat", "Up"] * 2,
    ...     "started_at": pd.Timestamp("2024-03-01 20:00Z"),
    ... })
    >>> D, r = duplication_law(duplication(fans, universe=8))
    >>> D
    4.0
    """
    require_columns(table, ["people_other", "universe", "duplication"], "table")
    if table.empty:
        raise ValueError("`table` must hold at least one pair of titles, found none.")
    expected = table["people_other"] / table["universe"]
    observed = table["duplication"]
    varies = min(np.ptp(expected.to_numpy()), np.ptp(observed.to_numpy())) > 1e-12
    r = np.corrcoef(expected, observed)[0, 1] if varies else np.nan
    return float(_coefficient(table)), float(r)


def double_jeopardy(
    plays: pd.DataFrame,
    *,
    by: Literal["title", "series"] = "title",
    universe: int | None = None,
    min_seconds: float = 0,
) -> pd.DataFrame:
    """Compare how often each title is watched with what its size predicts.

    Small titles suffer twice: fewer people watch them, and those do so a little less often
    [1]_.

    Parameters
    ----------
    plays : pandas.DataFrame
        A plays table, or viewings where one evening's plays are to count once.
    by, universe, min_seconds
        As in `duplication`.

    Returns
    -------
    pandas.DataFrame
        One row per title (or series), the most watched first:

        * ``title`` or ``series`` as in `plays`
        * ``people`` : int, accounts that watched it
        * ``universe`` : int
        * ``reach`` : float, people over universe
        * ``frequency`` : float, its plays by them, per account
        * ``expected`` : float, ``w / (1 - reach)``; NaN where everyone watched it

    Raises
    ------
    ValueError
        As in `duplication`.

    See Also
    --------
    repeat_rates : the same by the Dirichlet, a whole model of how titles are chosen.

    Notes
    -----
    By the law the frequency times ``1 - reach`` is the same number w for all titles; here
    its mean over titles that not everyone watched.

    References
    ----------
    .. [1] A. S. C. Ehrenberg, G. J. Goodhardt, T. P. Barwise, "Double jeopardy revisited",
       J. Marketing 54 (1990) 82-91.

    Examples
    --------
    >>> plays = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "bob", "cem"], "title": ["Heat", "Heat", "Heat", "Up"],
    ...     "started_at": pd.Timestamp("2024-03-01 20:00Z"),
    ... })
    >>> double_jeopardy(plays, universe=4)[["title", "reach", "frequency", "expected"]]
      title  reach  frequency  expected
    0  Heat   0.50        1.5       1.5
    1    Up   0.25        1.0       1.0
    """
    pairs, names, universe = _watched(plays, by, universe, min_seconds)
    people = np.bincount(pairs["unit"], minlength=len(names))
    n_plays = np.bincount(pairs["unit"], pairs["n_plays"], len(names))
    order = np.argsort(-people, kind="stable")[: int((people > 0).sum())]
    reach = people[order] / universe
    frequency = n_plays[order] / people[order]
    level = (frequency * (1 - reach))[reach < 1]
    w = level.mean() if len(level) else np.nan
    with np.errstate(divide="ignore"):
        expected = np.where(reach < 1, w / (1 - reach), np.nan)
    return pd.DataFrame(
        {by: names[order], "people": people[order], "universe": universe}
        | {"reach": reach, "frequency": frequency, "expected": expected}
    )


def _watched(plays: pd.DataFrame, by: str, universe, min_seconds: float) -> tuple:
    """Return who watched what and in how many plays, the names of all of it, and the universe."""
    require_choice(by, ["title", "series"], "by")
    if not isinstance(min_seconds, int | float | np.number) or not min_seconds >= 0:
        raise ValueError(f"`min_seconds` must be 0 or more, got {min_seconds!r}.")
    has_accounts = "account" in plays
    plays = used_plays(as_plays(plays))
    if has_accounts:
        require_one_account("`plays`", plays)
    unit, names = _numbered(unit_column(plays, by))
    account, _ = codes_of(plays["account"], "account")
    rows = pd.DataFrame({"account": account, "unit": unit, "n_plays": 1})
    if min_seconds:
        seconds = plays.get("watched_seconds", pd.Series(np.nan, index=plays.index)).to_numpy()
        rows["seconds"] = np.where(np.isnan(seconds), np.inf, seconds)
    pairs = rows.groupby(["account", "unit"]).sum().reset_index()
    if min_seconds:
        pairs = pairs[pairs["seconds"] >= min_seconds]
    n_accounts = len(pd.unique(account))
    if universe is None:
        return pairs, names, n_accounts
    universe = as_whole_number(universe, "universe", low=1)
    if universe < (watching := pairs["account"].nunique()):
        raise ValueError(
            f"`universe` must be at least the people who watched, found {watching} of {universe}."
        )
    return pairs, names, universe


def _numbered(units: pd.Series) -> tuple[np.ndarray, pd.api.extensions.ExtensionArray]:
    """Return the number of each unit, and the units in order."""
    codes, _ = codes_of(units, units.name)
    if isinstance(units.dtype, pd.CategoricalDtype):
        names = pd.Categorical.from_codes(np.arange(len(units.cat.categories)), dtype=units.dtype)
        return codes, names
    numbers, codes = np.unique(units, return_inverse=True)
    return codes, numbers


def _both(pairs: pd.DataFrame, kept: np.ndarray, n_units: int) -> np.ndarray:
    """Count the accounts that watched both, for each pair of the kept units."""
    from scipy import sparse

    place = np.full(n_units, -1)
    place[kept] = np.arange(len(kept))
    column = place[pairs["unit"]]
    account = pairs["account"].to_numpy()[column >= 0]
    column = column[column >= 0]
    shape = int(account.max(initial=-1)) + 1, len(kept)
    watched = sparse.csr_array((np.ones(len(column), dtype="int64"), (account, column)), shape)
    return (watched.T @ watched).toarray()


def _coefficient(table: pd.DataFrame) -> float:
    """Return D, pooled over the pairs of a table."""
    penetration = (table["people_other"] / table["universe"]).mean()
    return table["duplication"].mean() / penetration if penetration else np.nan
