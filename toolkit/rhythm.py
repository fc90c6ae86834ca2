"""Rhythm in time: how present a title still is, and whether its last gaps grow."""

from typing import Literal

import numpy as np
import pandas as pd

from toolkit.intervals import LEAST_ACCOUNTS, cluster_bootstrap
from toolkit.order import codes_of, runs_of, taken
from toolkit.tables import (
    as_instants,
    as_viewings,
    as_whole_number,
    require_choice,
    require_columns,
    unit_column,
)

__all__ = ["base_level", "last_gaps"]

_US_PER_HOUR = 3_600_000_000


def base_level(
    viewings: pd.DataFrame,
    *,
    at,
    decay: float = 0.5,
    offset_hours: float = 0.0,
    by: Literal["title", "series"] = "title",
) -> pd.DataFrame:
    """Measure how present each title is to a viewer at an instant: ACT-R's base level.

    Each viewing leaves a trace that fades with the time since its start; the base level is
    the logarithm of the sum of a title's traces.

    Parameters
    ----------
    viewings : pandas.DataFrame
        One row per viewing, with `viewer`, `title` and `started_at`, as `to_viewings` gives
        it; order does not matter.
    at : datetime-like or str
        The instant, with its zone, or the name of a column that holds one for each viewing,
        the same for all of a viewer.  Viewings that start after it are not used.
    decay : float, default 0.5
        How fast traces fade, 0 or more.
    offset_hours : float, default 0.0
        Hours added to the time since each viewing, 0 or more.  Without it a viewing that
        starts at `at` itself is refused, since its trace has no bound.
    by : {'title', 'series'}, default 'title'
        What leaves the traces.  With 'series' a title that has none stands for itself.

    Returns
    -------
    pandas.DataFrame
        One row per viewer and title (or series) watched by then, in that order:

        * ``viewer``, ``account``, and ``title`` or ``series`` as in `viewings`
        * ``n_viewings`` : int, up to `at`
        * ``base_level`` : float

    Raises
    ------
    ValueError
        If a column or value is missing, `at` has no zone or is that of a viewing, or
        `decay` or `offset_hours` is below 0.

    See Also
    --------
    recency_weights : recency in steps, estimated from what is repeated.

    Notes
    -----
    With t_j the hours from the start of viewing j to `at`, d `decay` and c `offset_hours`,
    the base level is ``ln(sum over j of (t_j + c)^-d)``, by the textbook with c = 0 and
    d = 0.5 [1]_.  Another unit of time adds the same number to all of them if c is 0.

    Of a decay of 0 only frequency is left.  Studies of listening have used c = 1 and left
    out the logarithm [2]_: that is ``np.exp(base_level)`` with ``offset_hours=1``.

    References
    ----------
    .. [1] J. R. Anderson, L. J. Schooler, "Reflections of the environment in memory",
       Psychological Science 2 (1991) 396-408.
    .. [2] M. Reiter-Haas, E. Parada-Cabaleiro, M. Schedl, E. Motamedi, M. Tkalcic, E. Lex,
       "Predicting music relistening behavior using the ACT-R framework", RecSys 2021.

    Examples
    --------
    >>> viewings = pd.DataFrame({
    ...     "viewer": "ann", "title": ["Heat", "Heat", "Alien"],
    ...     "started_at": pd.to_datetime(
    ...         ["2024-03-01 20:00Z", "2024-03-03 20:00Z", "2024-03-04 12:00Z"]
    ...     ),
    ... })
    >>> base_level(viewings, at="2024-03-04 20:00Z").round(3)
      viewer account  title  n_viewings  base_level
    0    ann     ann  Alien           1      -1.040
    1    ann     ann   Heat           2      -1.133
    """
    require_choice(by, ["title", "series"], "by")
    for name, value in (("decay", decay), ("offset_hours", offset_hours)):
        if not 0 <= value < np.inf:
            raise ValueError(f"`{name}` must be 0 or more, got {value!r}.")
    viewings = as_viewings(viewings, ["started_at"])
    started = viewings["started_at"].array.asi8
    limit = as_instants(viewings, at, "at")
    used = np.flatnonzero(started <= limit)
    hours = (limit - started)[used] / _US_PER_HOUR + offset_hours
    if decay and (now := hours == 0).any():
        raise ValueError(
            "`offset_hours` must be above 0 where viewings start at `at` itself, "
            f"as {now.sum()} do."
        )
    viewings = viewings.iloc[used]
    unit = unit_column(viewings, by)
    order, first = runs_of(viewings["viewer"], unit, then=[hours])
    columns = {"viewer": viewings["viewer"], "account": viewings["account"], by: unit}
    levels = {name: taken(column, order[first]) for name, column in columns.items()}
    levels["n_viewings"] = np.diff(np.append(first, len(order)))
    traces = hours[order] ** -decay
    levels["base_level"] = np.log(np.add.reduceat(traces, first))
    return pd.DataFrame(levels, copy=False)


def last_gaps(
    gaps: pd.DataFrame,
    *,
    n_last: int = 5,
    seed: int,
    n_bootstrap: int = 1000,
    n_shuffles: int = 200,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Say whether the gaps before a title's last viewings grow, beside a random order of them.

    Each closed gap is taken relative to the mean of all closed gaps of the same viewer and
    title, so that neither slow viewers nor slow titles weigh more; then its mean over
    viewers and titles is taken, position by position from the end.

    Parameters
    ----------
    gaps : pandas.DataFrame
        One row per viewing, with `viewer`, `title`, `viewing_no`, `days_between` and
        `is_open`, as `rewatch_gaps` gives it; order does not matter.  Open gaps are not
        used.
    n_last : int, default 5
        How many positions from the end, 2 or more.  Only viewers and titles with so many
        closed gaps are used, the same at each position.
    seed : int
        Of the random numbers of the resamples and the shuffles.
    n_bootstrap : int, default 1000
        How many times accounts are drawn anew for the interval.
    n_shuffles : int, default 200
        How many times the gaps of each viewer and title are put into a random order.
    confidence : float, default 0.95
        Of the interval, and the share of shuffles between the ends of the null.

    Returns
    -------
    pandas.DataFrame
        One row per position:

        * ``position`` : int, 1 for the last closed gap
        * ``relative_gap`` : float, mean of gaps over the mean gap of their viewer and title
        * ``low``, ``high`` : float, percentiles over resampled accounts
        * ``null`` : float, mean over shuffles
        * ``null_low``, ``null_high`` : float, percentiles over shuffles
        * ``n`` : int, viewers and titles, the same at each position

    Raises
    ------
    ValueError
        If a column or value is missing, or fewer than 20 accounts have enough closed gaps.

    See Also
    --------
    rewatch_gaps : gives the gaps.
    simulate_repeats : histories in which gaps grow though nobody is bored.

    Notes
    -----
    The null holds if the gaps of a viewer and title could as well have come in any other
    order.  It is met by whoever watches at random at a rate of their own, however rates
    differ and whatever ends it, the end of the log included, so that a mixture of rates, of
    lengths and of censoring does not leave it.

    It does *not* tell boredom from chance.  The last gap is last because no other viewing
    came: given that a title was dropped, its gaps have grown also in histories that copy at
    random what was watched of late, in which nobody tires of anything [1]_.  Order matters
    there, so that a shuffle does not show it.  `simulate_repeats` draws such histories; only
    what grows more than in those, say ``last_gaps(rewatch_gaps(simulated), seed=1)``, asks
    for another reason.  Nor does the null know of a viewer who watches less of everything
    towards the end, or of a title that is shown less.

    Choose viewers and titles by what does not depend on the order of closed gaps (their
    number, their mean, the open gap), or the null is not fair.

    References
    ----------
    .. [1] A. R. Benson, R. Kumar, A. Tomkins, "Modeling user consumption sequences", WWW
       2016, 519-529.

    Examples
    --------
    >>> gaps = pd.DataFrame({
    ...     "viewer": np.repeat(np.arange(20), 3), "title": "Heat",
    ...     "viewing_no": np.tile([1, 2, 3], 20),
    ...     "days_between": np.tile([1.0, 3.0, np.nan], 20),
    ...     "is_open": np.tile([False, False, True], 20),
    ... })
    >>> last_gaps(gaps, n_last=2, seed=1)[["position", "relative_gap", "low", "high", "n"]]
       position  relative_gap  low  high   n
    0         1           1.5  1.5   1.5  20
    1         2           0.5  0.5   0.5  20
    """
    n_last = as_whole_number(n_last, "n_last", low=2)
    seed = as_whole_number(seed, "seed", low=0)
    n_shuffles = as_whole_number(n_shuffles, "n_shuffles", low=1)
    account, size, relative = _relative_gaps(gaps, n_last)
    end = np.cumsum(size) - 1
    back = np.arange(n_last)
    table = pd.DataFrame(relative[end[:, None] - back]).assign(n=1)
    people = table.groupby(account).sum()
    if len(people) < LEAST_ACCOUNTS:
        raise ValueError(
            f"`gaps` must hold `n_last`={n_last} closed gaps of a title from at least "
            f"{LEAST_ACCOUNTS} accounts, found {len(people)}."
        )
    means = cluster_bootstrap(
        people.rename_axis("account").reset_index(),
        lambda some: some[back].sum() / some["n"].sum(),
        seed=seed,
        n_bootstrap=n_bootstrap,
        confidence=confidence,
    )
    rng = np.random.default_rng([seed, 1])
    group, null = np.repeat(np.arange(len(size)), size), []
    for _ in range(n_shuffles):
        order = np.argsort(group + rng.random(len(group)))
        null.append(relative[order][end[:, None] - back].mean(axis=0))
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    null_low, null_high = np.quantile(null, tails, axis=0)
    return pd.DataFrame(
        {"position": back + 1, "relative_gap": means["estimate"]}
        | {name: means[name] for name in ("low", "high")}
        | {"null": np.mean(null, axis=0), "null_low": null_low, "null_high": null_high}
        | {"n": len(size)}
    )


def _relative_gaps(gaps: pd.DataFrame, n_last: int) -> tuple[np.ndarray, ...]:
    """Return the account and number of gaps of each viewer and title, and gaps over their mean."""
    require_columns(gaps, ["viewer", "title", "viewing_no", "days_between", "is_open"], "gaps")
    gaps = as_viewings(gaps[~gaps["is_open"].astype("bool")], [])
    days = gaps["days_between"].to_numpy("float64")
    if not (days >= 0).all():
        raise ValueError(
            "`days_between` must be 0 or more where a gap is closed, "
            f"found {days[~(days >= 0)][0]}."
        )
    order, first = runs_of(gaps["viewer"], gaps["title"], then=[gaps["viewing_no"]])
    size = np.diff(first, append=len(order))
    group = np.repeat(np.arange(len(size)), size)
    total = np.bincount(group, days[order])
    # Of gaps that are all 0 none is longer than another.
    used = (size >= n_last) & (total > 0)
    rows = used[group]
    order, group = order[rows], group[rows]
    account, _ = codes_of(gaps["account"], "account")
    last = order[np.cumsum(size[used]) - 1]
    return account[last], size[used], days[order] / (total / size)[group]
