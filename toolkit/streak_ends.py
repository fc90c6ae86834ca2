"""How streaks end: the risk of each day, with those that go on or began before the log."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import special

from toolkit.intervals import log_log_limits
from toolkit.order import codes_of
from toolkit.streak_counts import tally_streaks
from toolkit.tables import group_numbers, require_confidence

__all__ = ["streak_survival", "survival_of_tally"]

_CURVE = ["n_days", "at_risk", "people", "ended", "hazard", "survival", "low", "high"]
_LEFT_OUT = ["n_left_out", "n_start_unknown"]


def streak_survival(
    streaks: pd.DataFrame,
    *,
    groups: str | Sequence[str] | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Estimate after how many days streaks end.

    The hazard of day k is the share that end after exactly k days, of all streaks that
    reached k and were seen either to go on or not to.

    Parameters
    ----------
    streaks : pandas.DataFrame
        What `find_streaks` gives; give it `observed_from`, so that it is known which
        streaks may have begun before the log.  Order does not matter.
    groups : str or list of str, optional
        Columns of `streaks` within which to estimate, such as "title".
    confidence : float, default 0.95
        How often the interval of each day should cover the true survival.

    Returns
    -------
    pandas.DataFrame
        One row per length from 1 to the longest at which an end or a going on was seen (of
        each group):

        * the columns of `groups`
        * ``n_days`` : int, k, in days (weeks, months)
        * ``at_risk`` : int, streaks that reached k and were seen to go on or to end there
        * ``people`` : int, distinct accounts that have one of them
        * ``ended`` : int, those that ended after exactly k
        * ``hazard`` : float, ended / at_risk
        * ``survival`` : float, estimated share of all streaks that go on beyond k
        * ``low``, ``high`` : float, its interval, clustered by account
        * ``n_left_out`` : int, streaks of the group that are not used since they may have
          begun before the log; the same on each row
        * ``n_start_unknown`` : int, streaks of the group that are taken to begin where they
          are first seen, since `may_start_earlier` is missing; likewise

        A group without any such length has no row.

    Raises
    ------
    ValueError
        If a column or an account is missing, `n_days` is below 1, `groups` names a column
        of the result, or `confidence` is not between 0 and 1.

    See Also
    --------
    count_streaks : how many streaks reach each length, whatever became of them.
    find_streaks : says which are open, and which may start earlier.

    Notes
    -----
    An open streak of k days is right-censored: whether it goes on beyond k is not known, so
    that it is at risk up to day k - 1 only.  To count it among those that got past k, as a
    curve for continuous time would, makes streaks look longer than they are.  What ended
    because its title left the catalogue is open, if `find_streaks` was given `titles`.

    The survival is the product of 1 - hazard over the days so far (Kaplan and Meier's).
    Streaks of one account resemble each other, so its variance is that between accounts
    [1]_: that of the logarithm is ``G/(G-1)`` times the sum over the G accounts of the
    square of

        sum over j <= k of (ended_ij - hazard_j at_risk_ij) / (at_risk_j - ended_j),

    where i is the account and j the day.  It is taken to be no less than Greenwood's, which
    it is where each account has one streak, but for that factor: a few accounts may be alike
    by chance.  The interval is taken on the scale of ``log(-log survival)``, with
    Student's t for G - 1 degrees of freedom.  A single account tells nothing of others, so
    that its interval is from 0 to 1.  Where no streak ended yet, or none is left, the limit
    is Clopper and Pearson's, as in `kaplan_meier`, for so many accounts as `people` says.

    Never estimate from streaks that were picked because they were alive on some day.  Of
    all streaks of k days, that day had k chances to lie within each, so that long ones are
    over-represented in proportion to their length [2]_.

    References
    ----------
    .. [1] R. L. Williams, "Product-limit survival functions with correlated survival times",
       Lifetime Data Analysis 1 (1995) 171-186.
    .. [2] D. R. Cox, "Some sampling problems in technology", in New Developments in Survey
       Sampling, Wiley (1969) 506-527.

    Examples
    --------
    >>> streaks = pd.DataFrame({
    ...     "viewer": ["ann", "ann", "bob", "bob", "cat"],
    ...     "first_day": pd.to_datetime(
    ...         ["2024-03-01", "2024-03-04", "2024-03-02", "2024-03-08", "2024-03-06"]
    ...     ),
    ...     "last_day": pd.to_datetime(
    ...         ["2024-03-01", "2024-03-06", "2024-03-02", "2024-03-10", "2024-03-10"]
    ...     ),
    ...     "n_days": [1, 3, 1, 3, 5],
    ...     "is_open": [False, False, False, True, True],
    ...     "may_start_earlier": [True, False, False, False, False],
    ... })
    >>> curve = streak_survival(streaks)
    >>> curve[["n_days", "at_risk", "ended", "hazard", "survival", "n_left_out"]].round(2)
       n_days  at_risk  ended  hazard  survival  n_left_out
    0       1        4      1    0.25      0.75           1
    1       2        3      0    0.00      0.75           1
    2       3        2      1    0.50      0.38           1
    3       4        1      0    0.00      0.38           1

    The two streaks that were alive on 9 March are longer than the five of the log are:

    >>> alive = (streaks["first_day"] <= "2024-03-09") & (streaks["last_day"] >= "2024-03-09")
    >>> float(streaks["n_days"].mean()), float(streaks.loc[alive, "n_days"].mean())
    (2.6, 4.0)
    """
    return survival_of_tally(
        tally_streaks(streaks, groups=groups), groups=groups, confidence=confidence
    )


def survival_of_tally(
    tally: pd.DataFrame,
    *,
    groups: str | Sequence[str] | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return what `streak_survival` says of streaks, from their tally."""
    require_confidence(confidence)
    groups = [groups] if isinstance(groups, str) else list(groups or [])
    if taken := [name for name in groups if name in _CURVE + _LEFT_OUT]:
        raise ValueError(f"`groups` must not be columns of the result, got {taken}.")
    group, n = group_numbers(tally, groups), tally["n_streaks"].to_numpy()
    left_out = tally["may_start_earlier"].fillna(False).to_numpy(bool)
    unknown = tally["may_start_earlier"].isna().to_numpy(bool)
    account, _ = codes_of(tally["account"], "account")
    is_open = tally["is_open"].to_numpy()
    known = tally["n_days"].to_numpy() - is_open

    used = np.flatnonzero(~left_out & (known > 0))
    used = used[np.argsort(group[used], kind="stable")]
    first = np.flatnonzero(np.diff(group[used], prepend=-1))
    curves = [
        _curve(known[rows], ~is_open[rows], account[rows], n[rows], confidence)
        for rows in np.split(used, first[1:])
    ]
    table = pd.DataFrame({name: np.concatenate([c[name] for c in curves]) for name in _CURVE})
    # Each group's first row, as often as its curve has rows.
    head = used[first].repeat([len(curve["n_days"]) for curve in curves][: len(first)])
    for name, which in zip(_LEFT_OUT, (left_out, unknown), strict=True):
        table[name] = _counted(group[which], n[which], len(tally))[group[head]]
    return pd.concat([tally.iloc[head][groups].reset_index(drop=True), table], axis=1)


def _curve(known, ended, account, n: np.ndarray, confidence: float) -> dict:
    """Return the columns of one group, of n streaks a row whose fate is known up to some length."""
    accounts, account = np.unique(account, return_inverse=True)
    size = int(known.max(initial=0))
    at_risk = _reaching(known, n, size)
    n_ended = _counted(known[ended] - 1, n[ended], size)
    hazard = n_ended / at_risk
    survival = np.cumprod(1 - hazard)
    longest = np.zeros(len(accounts), dtype="int64")
    np.maximum.at(longest, account, known)
    people = _reaching(longest, np.ones_like(longest), size)
    error = np.full(size, np.inf)
    if (n_accounts := len(accounts)) > 1:
        variance = np.maximum(
            _variance(known, ended, account, n, longest, n_ended, at_risk),
            np.cumsum(n_ended / (at_risk * np.maximum(at_risk - n_ended, 1))),
        )
        upper = (1 + confidence) / 2
        wider = special.stdtrit(n_accounts - 1, upper) / special.ndtri(upper)
        error = wider * survival * np.sqrt(variance * n_accounts / (n_accounts - 1))
    low, high = log_log_limits(survival, error, people, confidence=confidence)
    columns = [np.arange(1, size + 1), at_risk, people, n_ended, hazard, survival, low, high]
    return dict(zip(_CURVE, columns, strict=True))


def _variance(known, ended, account, n, longest, n_ended, at_risk) -> np.ndarray:
    """Return the variance between accounts of the logarithm of the survival at each length."""
    # One cell for each account and length up to its longest, account after account.
    end = np.cumsum(longest)
    start = end - longest
    owner = np.repeat(np.arange(len(longest)), longest)
    k = np.arange(len(owner)) - start[owner]
    cell = start[account] + known - 1
    own_ended = _counted(cell[ended], n[ended], len(owner))
    longer = np.append(np.cumsum(_counted(cell, n, len(owner))[::-1])[::-1], 0)
    own_at_risk = longer[:-1] - longer[end][owner]
    # Where all end the survival is 0 and has limits of another kind.
    left = np.maximum(at_risk - n_ended, 1)
    excess = np.append(0.0, np.cumsum((own_ended - (n_ended / at_risk)[k] * own_at_risk) / left[k]))
    so_far = excess[1:] - excess[start][owner]
    at_last = excess[end] - excess[start]
    # What an account has added up to stays, once none of its streaks is at risk.
    gone = np.cumsum(np.bincount(longest, at_last**2))[:-1]
    return np.bincount(k, so_far**2, minlength=len(at_risk)) + gone


def _reaching(lengths: np.ndarray, n: np.ndarray, size: int) -> np.ndarray:
    """Count the lengths, each as often as it is there, that are at least 1, 2, ... `size`."""
    return np.cumsum(_counted(lengths - 1, n, size)[::-1])[::-1]


def _counted(numbers: np.ndarray, n: np.ndarray, size: int) -> np.ndarray:
    """Count numbers below `size`, each as often as it is there."""
    return np.bincount(numbers, n, minlength=size).astype("int64")
