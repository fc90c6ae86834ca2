"""Is it surprising?  What it takes for so many people to keep a streak for so long."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from scipy import optimize, stats

from toolkit.intervals import clopper_pearson, garwood
from toolkit.streak_nulls import NULLS, READINGS, Null, exposed, given_nulls
from toolkit.tables import as_whole_number, require_choice

__all__ = ["audit_claim", "look_elsewhere"]

_UNDEFINED = {
    "unit": "whether people are accounts, profiles or persons",
    "zone": "the time zone of a day",
    "day_start": "when a day starts",
    "watched": "how much of the title makes a day watched",
    "reading": "whether the streaks went on or had ended",
    "length": "whether longer streaks count too",
}


def audit_claim(
    *,
    people: int,
    days: int,
    as_of,
    population: int | Sequence[int],
    available_from,
    reading: Literal["open", "ever", "total"] = "open",
    daily: float | None = None,
    nulls: Mapping[str, Mapping[str, float]] | pd.DataFrame | None = None,
    defined: Sequence[str] = (),
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Ask what it would take for `people` people to watch on each of `days` days.

    Parameters
    ----------
    people : int
        How many people the claim is about.
    days : int
        For how many days.
    as_of : date-like
        Last day of the claim.
    population : int or sequence of int
        How many people could have watched.
    available_from : date-like or sequence of date-like
        First day on which they could; if several, one for each number of `population`, as
        where a title starts later in some countries.
    reading : {'open', 'ever', 'total'}, default 'open'
        Whether the days are the last ones, `as_of` included; any days in a row between
        `available_from` and `as_of`; or any days at all between these.
    daily : float, optional
        Share of days on which a viewer watches, on average over viewers.
    nulls : mapping of str to mapping, or pandas.DataFrame, optional
        Parameters of null models, for which to say what to expect: "independent" (p),
        "markov" (p01, p11), "beta" (a, b), "cure" (share, p), "dropout" (p, leaving); or
        what `fit_nulls` gives.
        Without "independent", its p is `daily`.
    defined : sequence of {'unit', 'zone', 'day_start', 'watched', 'reading', 'length'}
        What the wording of the claim does define.
    confidence : float, default 0.95
        How often the interval of the count should cover its mean.

    Returns
    -------
    pandas.DataFrame
        One row per null model:

        * ``null`` : its name
        * ``expected`` : float, how many people to expect; missing where the null has no
          parameters
        * ``probability`` : float, chance of `people` or more
        * ``parameter`` : str, which parameter ``needed`` is of
        * ``needed`` : float, its value at which to expect `people`; missing where there is
          none, or where the share of days is not known
        * ``low``, ``high`` : float, Garwood's interval of the mean, given the count; the
          same on each row
        * ``longest`` : int, days of the longest streak possible; likewise
        * ``note`` : str, what the null says, and what follows
        * ``undefined`` : str, what the wording leaves open; the same on each row

    Raises
    ------
    ValueError
        If a number is not whole or too small, there are more `people` than `population`,
        a title becomes available after `as_of`, a null is unknown or its parameters are not
        those listed, or `daily` or `confidence` is not between 0 and 1.

    See Also
    --------
    fit_nulls : parameters from a log.
    look_elsewhere : where the claim was chosen after looking.
    garwood : the interval of a count.
    run_probability, markov_run_probability, beta_run_probability : chances of one viewer.

    Notes
    -----
    The nulls: all viewers alike, each day by itself ("independent"); alike, but a day
    depends on the day before ("markov"); viewers who differ by a beta law, each day by
    itself ("beta"); a `share` of viewers who never miss a day, the others alike ("cure");
    alike, but each leaves for good with the chance `leaving` before each day ("dropout").

    The parameter that is needed is p; p11, at the same share of days watched; rho =
    1 / (a + b + 1), which is 0 where all viewers are alike and 1 where each watches always
    or never, at the same mean; `share`, at the same mean, or with others who never watch if
    that is not known; or p, with the same `leaving`.

    `probability` takes the count for Poisson.  That is close while a viewer's own chance is
    small, and too wide where it is not.  It also takes title, length and date for chosen
    before looking, which `look_elsewhere` does not.  One count can't tell nulls apart: each
    has a parameter at which it is expected, so that the question is whether that value is
    credible.

    Examples
    --------
    >>> audit = audit_claim(
    ...     people=53, days=18, as_of="2017-12-10", population=100_000_000,
    ...     available_from="2017-11-17", daily=0.01,
    ... )
    >>> audit[["null", "expected", "parameter", "needed"]]
              null      expected parameter        needed
    0  independent  1.000000e-28         p  4.480729e-01
    1       markov           NaN       p11  5.603854e-01
    2         beta           NaN       rho  1.700161e-01
    3         cure           NaN     share  5.300000e-07
    4      dropout           NaN         p           NaN
    """
    people, days = as_whole_number(people, "people", low=0), as_whole_number(days, "days", low=1)
    require_choice(reading, READINGS, "reading")
    low, high = garwood(people, confidence=confidence)
    sizes, windows = exposed(population, available_from, as_of)
    if people > sizes.sum():
        raise ValueError(f"`people` must not exceed `population`, got {people} of {sizes.sum()}.")
    given = given_nulls(nulls, daily)
    for name in defined:
        require_choice(name, list(_UNDEFINED), "defined")

    def expected(null: Null, params: Mapping) -> float:
        return float(sizes @ null.chance(reading, windows, days, **params))

    rows = []
    for name, null in NULLS.items():
        params = given.get(name, {})
        known = null.daily(**params) if params else daily
        mean = expected(null, params) if params else np.nan
        needed = _needed(null, people, known, params, expected)
        verdict = _verdict(mean, people, low, high, windows.max(), days)
        takes = "" if np.isnan(needed) else f"; it takes {null.needed} = {needed:.3g}"
        rows.append(
            {
                "null": name,
                "expected": mean,
                "probability": stats.poisson.sf(people - 1, mean),
                "parameter": null.needed,
                "needed": needed,
                "low": low,
                "high": high,
                "longest": windows.max(),
                "note": f"{null.says}: {verdict}{takes}",
                "undefined": "; ".join(
                    _UNDEFINED[what] for what in _UNDEFINED if what not in defined
                ),
            }
        )
    return pd.DataFrame(rows)


def look_elsewhere(
    *,
    people: int,
    days: int,
    as_of,
    population: int | Sequence[int],
    available_from,
    nulls: Mapping[str, Mapping[str, float]] | pd.DataFrame,
    titles: int = 1,
    least_days: int = 2,
    seed: int,
    n_draws: int = 1000,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Ask how probable a claim as surprising is for someone who may choose what to claim.

    Who looks at many titles, every length and every last day finds something improbable
    somewhere.  Logs of each null are simulated, and the least probable count is looked for
    in each (a max-statistic).

    Parameters
    ----------
    people, days, as_of, population, available_from, nulls
        As in `audit_claim`; the reading is "open".
    titles : int, default 1
        How many titles could have been told of; each with the same population, availability
        and parameters, and independent of the others.
    least_days : int, default 2
        Least number of days that would have been told of.
    seed : int
        Of the random numbers.  The result of a null does not depend on the others.
    n_draws : int, default 1000
        Logs of one title to simulate; the time also grows with the square of the days.
    confidence : float, default 0.95
        How often the interval should cover the chance that is simulated.

    Returns
    -------
    pandas.DataFrame
        One row per null model:

        * ``null`` : str
        * ``probability`` : float, chance of `people` or more for the title, length and day
          of the claim, as `audit_claim` has it
        * ``anywhere`` : float, chance of a count that improbable, or more so, of any of the
          titles, of any length and up to any day
        * ``low``, ``high`` : float, its interval: Clopper and Pearson's for the simulated
          share, and never above the sum of the chances of each count

    Raises
    ------
    ValueError
        As in `audit_claim`; or if `titles`, `least_days` or `n_draws` is no whole number or
        below 1.

    See Also
    --------
    audit_claim : the claim as if it had been chosen before looking.

    Notes
    -----
    Last days run from the first day of the title to `as_of`.  A count is as improbable as
    its Poisson tail given what the null expects.  Viewers are simulated by their number: how
    many of each kind are on a streak of each length today is all that tomorrow depends on.
    The beta law is that of a few kinds with which any days are exactly as likely.

    Examples
    --------
    >>> found = look_elsewhere(
    ...     people=6, days=4, as_of="2017-12-10", population=10_000,
    ...     available_from="2017-11-17", nulls={"independent": {"p": 0.1}}, titles=20, seed=1,
    ... )
    >>> print(found["probability"].round(5)[0], found["anywhere"].round(2)[0])
    0.00059 0.44
    """
    people, days = as_whole_number(people, "people", low=0), as_whole_number(days, "days", low=1)
    titles = as_whole_number(titles, "titles", low=1)
    least_days = as_whole_number(least_days, "least_days", low=1)
    n_draws = as_whole_number(n_draws, "n_draws", low=1)
    sizes, windows = exposed(population, available_from, as_of)
    lengths = np.arange(least_days, windows.max() + 1)
    rows = []
    for name, params in given_nulls(nulls).items():
        null = NULLS[name]
        mean = float(sizes @ null.chance("open", windows, days, **params))
        told = stats.poisson.sf(people - 1, mean)
        rng = np.random.default_rng(seed)
        least, n_counts = np.ones(n_draws), 0
        for seen, reaching in _days_of_logs(null, params, sizes, windows, n_draws, rng):
            expected = sizes @ null.chance("open", seen[:, None], lengths, **params)
            possible = lengths <= seen.max()
            counts = reaching[:, lengths[possible]]
            tails = stats.poisson.sf(counts - 1, expected[possible])
            least = np.minimum(least, tails.min(axis=1, initial=1))
            n_counts += possible.sum()
        found = int((least <= told).sum())
        limits = [found / n_draws, *clopper_pearson(found, n_draws, confidence=confidence)]
        anywhere, low, high = (-np.expm1(titles * np.log1p(-min(x, 1 - 1e-16))) for x in limits)
        high = min(high, titles * n_counts * told)
        row = {"null": name, "probability": told, "anywhere": min(anywhere, high)}
        rows.append(row | {"low": min(low, high), "high": high})
    return pd.DataFrame(rows, columns=["null", "probability", "anywhere", "low", "high"])


def _days_of_logs(null: Null, params: Mapping, sizes, windows, n_draws: int, rng):
    """Simulate logs, and give for each day how many days each group has had, and N(k)."""
    longest = windows.max()
    groups = [(size, longest - window) for size, window in zip(sizes, windows, strict=True)]
    kinds = null.kinds(int(longest), **params)
    shares = np.array([kind.share for kind in kinds])
    # Of each group and kind: how many are on a streak of 0, 1, ... days.
    now = np.zeros((len(groups), len(kinds), n_draws, longest + 1), dtype="int64")
    for group, (size, _) in enumerate(groups):
        now[group, :, :, 0] = rng.multinomial(size, shares, size=n_draws).T
    for day in range(1, longest + 1):
        for group, (_, later) in enumerate(groups):
            for at, kind in enumerate(kinds):
                if day > later:
                    on = kind.on if day == later + 1 else None
                    now[group, at] = _next_day(now[group, at], kind, on, rng)
        reaching = now.sum(axis=(0, 1))[:, ::-1].cumsum(axis=1)[:, ::-1]
        yield np.maximum(day - (longest - windows), 0), reaching


def _next_day(now: np.ndarray, kind, on: float | None, rng) -> np.ndarray:
    here = rng.binomial(now, 1 - kind.leaving) if kind.leaving else now
    chance = np.full(now.shape[1], kind.p11)
    chance[0] = kind.p01 if on is None else on
    # Nobody can yet be on a streak of all days.
    watched = rng.binomial(here, chance)
    after = np.roll(watched, 1, axis=1)
    after[:, 0] = (here - watched).sum(axis=1)
    return after


def _needed(null: Null, people: int, daily, params: Mapping, expected: Callable) -> float:
    """Return the value of a null's parameter at which to expect the people, if there is one."""
    if daily is not None and not 0 < daily < 1:
        daily = None
    if (null.needs_daily and daily is None) or not set(null.keeps) <= set(params):
        return np.nan
    kept = {name: params[name] for name in null.keeps}

    def excess(x: float) -> float:
        return expected(null, null.along(daily, x) | kept) - people

    low, high = null.range(daily)
    if excess(low) > 0 or excess(high) < 0:
        return np.nan
    return optimize.brentq(excess, low, high, xtol=1e-300, maxiter=1000)


def _verdict(mean, people, low, high, longest, days) -> str:
    if days > longest:
        return f"impossible, since there were {longest} days"
    if np.isnan(mean):
        return "what to expect is not known"
    if low <= mean <= high:
        return f"{people} is expected"
    return f"{people} is {'more' if mean < low else 'fewer'} than expected"
