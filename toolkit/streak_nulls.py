"""What viewers may be like who have no wish to keep a streak: the null models."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from toolkit.run_laws import (
    beta_nodes,
    beta_run_probability,
    beta_streak_probability,
    markov_run_probability,
    run_probability,
)
from toolkit.tables import as_day, as_whole_number, require_choice, require_columns

__all__ = ["NULLS", "READINGS", "Kind", "Null", "exposed", "given_nulls"]

# The last days of the window; any days in a row; any days.
READINGS = ("open", "ever", "total")
# Where a parameter that runs from 0 to 1 is looked for.
_LEAST, _MOST = 1e-12, 1 - 1e-12


class Null(NamedTuple):
    """What viewers may be like who have no wish to keep a streak.

    `chance(reading, n, k, **params)` is that of a viewer who could watch on n days.  Where
    `along(daily, x)` puts `x` for the parameter `needed`, within `range(daily)`, viewers
    watch on the share `daily` of days as before, which `daily(**params)` says; those of
    `keeps` stay as they are.  `kinds(n, **params)` are kinds of viewers, each alike, of whom
    together any n days are as likely as under the null.
    """

    says: str
    params: tuple[str, ...]
    chance: Callable
    daily: Callable
    needed: str
    along: Callable
    range: Callable
    kinds: Callable
    # Whether what is needed depends on the share of days, and on which other parameters.
    needs_daily: bool = True
    keeps: tuple[str, ...] = ()


class Kind(NamedTuple):
    """Viewers of a null who are alike: their share, and the chances of each.

    They watch on day 1 with the chance `on`, after a missed day with `p01`, after a watched
    one with `p11`; and leave before each day with the chance `leaving`.
    """

    share: float
    on: float
    p01: float
    p11: float
    leaving: float = 0.0


def exposed(population, available_from, as_of) -> tuple[np.ndarray, np.ndarray]:
    """Return how many people had how many days."""
    as_of = as_day(as_of, "as_of")
    several = isinstance(available_from, Sequence | np.ndarray | pd.Series | pd.Index)
    if not several or isinstance(available_from, str):
        available_from = [available_from]
    starts = [as_day(day, "available_from") for day in available_from]
    windows = np.array([(as_of - start).days + 1 for start in starts])
    if (windows < 1).any():
        raise ValueError(
            f"`available_from` must not be after `as_of`, {as_of.date()}, got {max(starts).date()}."
        )
    sizes = np.array([as_whole_number(n, "population", low=1) for n in np.atleast_1d(population)])
    if len(windows) not in (1, len(sizes)):
        raise ValueError(
            f"`population` must have as many numbers as `available_from` has days, "
            f"found {len(sizes)} and {len(windows)}."
        )
    return np.broadcast_arrays(sizes, windows)


def given_nulls(nulls, daily: float | None = None) -> dict:
    """Return the parameters of those null models that have some."""
    if daily is not None and not 0 < daily < 1:
        raise ValueError(f"`daily` must lie in (0, 1), got {daily!r}.")
    given = {} if daily is None else {"independent": {"p": daily}}
    if isinstance(nulls, pd.DataFrame):
        require_columns(nulls, ["null", "params"], "nulls")
        if nulls["null"].duplicated().any():
            raise ValueError(f"`nulls` must have one row per null, found {len(nulls)} rows.")
        nulls = dict(zip(nulls["null"], nulls["params"], strict=True))
    for name, params in (nulls or {}).items():
        require_choice(name, list(NULLS), "nulls")
        if set(params) != set(NULLS[name].params):
            raise ValueError(
                f"`nulls` must give {list(NULLS[name].params)} for {name!r}, "
                f"found {sorted(params)}."
            )
        # The law of a single day refuses what are no chances.
        NULLS[name].chance("ever", np.ones(1, dtype="int64"), 1, **params)
        given[name] = dict(params)
    return given


def _independent(reading, n, k, p, leaving=0.0):
    if reading == "ever":
        return run_probability(n, k, p, leaving=leaving)
    if reading == "open":
        return np.where(n < k, 0.0, p**k * (1 - leaving) ** n)
    stay = (1 - leaving) ** np.arange(n.max() + 1)
    return np.array([_left(stats.binom.sf(k - 1, np.arange(m + 1), p), stay) for m in n])


def _left(chances: np.ndarray, stay: np.ndarray) -> float:
    """Return the mean of chances within 0, 1, ... days over when a viewer leaves."""
    until = stay[: len(chances)]
    return until[-1] * chances[-1] - np.diff(until) @ chances[:-1]


def _markov(reading, n, k, p01, p11):
    if reading == "ever":
        return markov_run_probability(n, k, p01, p11)
    on = p01 / (p01 + 1 - p11)
    if reading == "open":
        return np.where(n < k, 0.0, on * p11 ** (k - 1))
    # Of each number of days watched so far, with the last day missed and watched.
    missed, watched = np.zeros((2, n.max() + 1))
    missed[0], watched[1] = 1 - on, on
    reached = {1: watched[k:].sum() + missed[k:].sum()}
    for day in range(2, n.max() + 1):
        missed, watched = (
            missed * (1 - p01) + watched * (1 - p11),
            np.append(0.0, (missed * p01 + watched * p11)[:-1]),
        )
        reached[day] = watched[k:].sum() + missed[k:].sum()
    return np.array([reached[m] for m in n])


def _beta(reading, n, k, a, b):
    if reading == "ever":
        return beta_run_probability(n, k, a, b)
    if reading == "open":
        return np.where(n < k, 0.0, beta_streak_probability(k, a, b))
    # SciPy's own tail is 1 less the rest, which leaves nothing of a small one.
    return np.array([stats.betabinom.pmf(np.arange(k, m + 1), m, a, b).sum() for m in n])


def _cure(reading, n, k, share, p):
    if not 0 <= share <= 1:
        raise ValueError(f"`share` must lie in [0, 1], got {share!r}.")
    return share * (n >= k) + (1 - share) * _independent(reading, n, k, p)


def _alike(p, share=1.0, leaving=0.0):
    return Kind(share, p, p, p, leaving)


def _kinds_of_beta(n, a, b):
    # The chance of any n days is a polynomial in p of degree n, whose mean these nodes give.
    nodes, weights = beta_nodes(n // 2 + 1, a, b)
    return [
        _alike(p, share=weight) for p, weight in zip(np.clip(nodes, 0, 1), weights, strict=True)
    ]


NULLS = {
    "independent": Null(
        "all viewers alike, each day by itself",
        ("p",),
        _independent,
        lambda p: p,
        "p",
        lambda _, p: {"p": p},
        lambda _: (0.0, 1.0),
        lambda _, p: [_alike(p)],
        needs_daily=False,
    ),
    "markov": Null(
        "all viewers alike, a day depends on the day before",
        ("p01", "p11"),
        _markov,
        lambda p01, p11: p01 / (p01 + 1 - p11),
        "p11",
        lambda daily, p11: {
            "p01": min(daily * (1 - p11) / (1 - daily), 1.0),
            "p11": p11,
        },
        lambda daily: (max(0.0, 2 - 1 / daily), _MOST),
        lambda _, p01, p11: [Kind(1.0, p01 / (p01 + 1 - p11), p01, p11)],
    ),
    "beta": Null(
        "viewers differ by a beta law, each day by itself",
        ("a", "b"),
        _beta,
        lambda a, b: a / (a + b),
        "rho",
        lambda daily, rho: {"a": daily * (1 / rho - 1), "b": (1 - daily) * (1 / rho - 1)},
        lambda _: (_LEAST, _MOST),
        _kinds_of_beta,
    ),
    "cure": Null(
        "a share of viewers never miss a day, the others are alike",
        ("share", "p"),
        _cure,
        lambda share, p: share + (1 - share) * p,
        "share",
        lambda daily, share: {"share": share, "p": (daily - share) / (1 - share) if daily else 0.0},
        lambda daily: (0.0, daily or 1.0),
        lambda _, share, p: [_alike(1.0, share=share), _alike(p, share=1 - share)],
        needs_daily=False,
    ),
    "dropout": Null(
        "all viewers alike, each day by itself, until they leave for good",
        ("p", "leaving"),
        _independent,
        lambda p, leaving: None,
        "p",
        lambda _, p: {"p": p},
        lambda _: (0.0, 1.0),
        lambda _, p, leaving: [_alike(p, leaving=leaving)],
        needs_daily=False,
        keeps=("leaving",),
    ),
}
