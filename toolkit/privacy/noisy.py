"""Counts of people with noise that bounds what anyone learns of one account."""

import math
from bisect import bisect_right
from collections.abc import Iterable
from decimal import ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from hashlib import shake_256
from typing import NamedTuple

import numpy as np
import pandas as pd

from toolkit.order import pack, sort_in_parts
from toolkit.privacy.refusals import BudgetSpent, TooFewPeople
from toolkit.tables import as_whole_number

__all__ = ["Noise", "noise_needed", "noisy_counts", "require_budget", "spent"]

_ROUNDED = "publish rounded counts without `epsilon`"
# What `epsilon` may be raised to when a study is too small.
_EPSILONS = ["0.1", "0.2", "0.5", "1", "2"]


class Noise(NamedTuple):
    """The noise of a release.

    Attributes
    ----------
    scale : float
        That of the discrete Laplace law: each step further from 0 is exp(-1 / scale) as likely.
    threshold : int
        The lowest count that comes out, noise included.
    error : int
        The noise lies within this on either side with probability 0.95 or more.
    epsilon, delta : fractions.Fraction
        What is spent, exactly and never more than was asked for; their text belongs in the ledger.
    """

    scale: float
    threshold: int
    error: int
    epsilon: Fraction
    delta: Fraction


def noise_needed(*, epsilon, delta, each: int) -> Noise:
    """Return the noise that counts need, before any data are looked at.

    Parameters
    ----------
    epsilon, delta : number or str
        What may be spent: "0.1", 0.1 and "1/10" are the same.
    each : int
        The most cells in which one account counts.

    Returns
    -------
    Noise
        The least noise, and the lowest threshold, for which OpenDP vouches.

    Raises
    ------
    ValueError
        If no noise will do.
    ImportError
        If OpenDP is not installed (``pip install 'viewing-toolkit[dp]'``).

    See Also
    --------
    noisy_counts : What the promise is.

    Notes
    -----
    The noise Z has P(Z = z) = (1 - a) / (1 + a) a^|z| with a = exp(-1 / scale), the law of
    [1]_, hence P(Z > h) = a^(h + 1) / (1 + a) for whole h >= 0; `error` is the least h at which
    that is 0.025 or less.  A cell of one account, which may be nobody else's, comes out with
    probability P(1 + Z >= threshold), and one of `each` such cells with at most `delta`.

    References
    ----------
    .. [1] S. Inusah, T. J. Kozubowski, "A discrete analogue of the Laplace distribution",
       Journal of Statistical Planning and Inference 136 (2006), 1090-1102.

    Examples
    --------
    >>> noise = noise_needed(epsilon=1, delta="1e-6", each=1)
    >>> noise.scale, noise.threshold, noise.error, str(noise.epsilon)
    (1.0, 15, 3, '1')
    """
    return _calibrated(epsilon, delta, as_whole_number(each, "each", low=1))[0]


def noisy_counts(
    cell: np.ndarray,
    account: np.ndarray,
    *,
    n_accounts: int,
    epsilon,
    delta,
    each: int,
    key: bytes,
) -> tuple[pd.DataFrame, Noise]:
    """Count the accounts in each cell, with noise that hides whether any one of them is there.

    However the rows of one account are changed to none, or added, each possible result is at
    most exp(`epsilon`) times as likely, but for a probability of `delta` [1]_.

    Parameters
    ----------
    cell, account : array of int
        One row each time that an account has something in a cell; repeats count once.  The
        numbers are 0 or more and must not change with who else is in the table.
    n_accounts : int
        How many accounts the study has.  The promise does not cover this number.
    epsilon, delta, each
        As in `noise_needed`.
    key : bytes
        Chooses the cells in which an account with more than `each` counts.  Give each release
        a key of its own that stays secret, such as ``derived(master, "cells of release 7")``.

    Returns
    -------
    pandas.DataFrame
        One row per cell that came out, in the order of `cell`: `cell` and `people` (with noise).
    Noise
        The noise, and what was spent, which is spent even if no cell came out.

    Raises
    ------
    TooFewPeople
        If so few accounts could only come out by the noise.
    ValueError
        If an argument is not as above.
    ImportError
        If OpenDP is not installed (``pip install 'viewing-toolkit[dp]'``).

    See Also
    --------
    noise_needed : The noise alone.
    require_budget : Ask whether so much may still be spent.

    Notes
    -----
    OpenDP [2]_ draws the noise.  It vouches for (epsilon, delta) provided that one account
    changes at most `each` counts, each by 1, which is ensured here: of its cells an account
    keeps the `each` with the lowest of random numbers, SHAKE-256 of `key` and the account, in
    the order of its cells.  These depend on nothing but the account's own cells and the key.
    Were the choice to look at anything else, such as the place of the row or which cells are
    popular, one account more could move others from cell to cell, and the counts would change
    by more than the noise hides.  Where numbers were given anew without the account, the same
    holds on average over the keys.

    Counts are therefore of kept cells, too low where many accounts have more than `each`.

    References
    ----------
    .. [1] C. Dwork, A. Roth, "The algorithmic foundations of differential privacy", Foundations
       and Trends in Theoretical Computer Science 9 (2014), 211-407, definition 2.4.
    .. [2] OpenDP 0.16, ``make_laplace_threshold``; its proofs are not all vetted (``contrib``).

    Examples
    --------
    >>> cell, account = np.repeat([0, 1], [2000, 3]), np.arange(2003)
    >>> table, noise = noisy_counts(
    ...     cell, account, n_accounts=2003, epsilon=1, delta="1e-6", each=1, key=bytes(32)
    ... )
    >>> table["cell"].tolist(), abs(int(table["people"][0]) - 2000) < 40
    ([0], True)
    """
    each = as_whole_number(each, "each", low=1)
    n_accounts = as_whole_number(n_accounts, "n_accounts", low=0)
    cell, account = _numbers(cell, "cell"), _numbers(account, "account")
    if len(cell) != len(account):
        raise ValueError(
            f"`cell` and `account` must be equally long, found {len(cell)} and {len(account)}."
        )
    if len(key) != 32:
        raise ValueError(f"`key` must be 32 bytes, found {len(key)}.")
    noise, measurement = _calibrated(epsilon, delta, each)
    if n_accounts < noise.threshold:
        raise TooFewPeople(
            f"With epsilon {epsilon} and {each} cell{'s' * (each > 1)} each only cells of about "
            f"{noise.threshold:,} people or more come out; this study has {n_accounts:,}.",
            _nearest(n_accounts, epsilon, delta, each),
        )
    cells, people = np.unique(_kept(cell, account, each, key), return_counts=True)
    released = measurement(dict(zip(cells.tolist(), people.tolist(), strict=True)))
    table = pd.DataFrame(sorted(released.items()), columns=["cell", "people"], dtype="int64")
    return table, noise


def spent(entries: Iterable[dict]) -> tuple[Fraction, Fraction]:
    """Return the epsilon and the delta that the releases of a ledger add up to, exactly.

    Parameters
    ----------
    entries : iterable of dict
        Entries of a `Ledger`; those of releases without noise spend nothing.

    Returns
    -------
    tuple of fractions.Fraction
        Epsilon and delta.

    See Also
    --------
    require_budget : Hold them to a limit.

    Examples
    --------
    >>> entries = [{"what": "released", "details": {"epsilon": "0.1", "delta": "1e-6"}}] * 3
    >>> spent(entries)
    (Fraction(3, 10), Fraction(3, 1000000))
    """
    released = [entry["details"] for entry in entries if entry["what"] == "released"]
    epsilon, delta = (
        sum((Fraction(details.get(name) or 0) for details in released), Fraction(0))
        for name in ("epsilon", "delta")
    )
    return epsilon, delta


def require_budget(entries: Iterable[dict], *, budget_epsilon, budget_delta, epsilon, delta):
    """Refuse a release that would spend more than is left of the study's budget.

    Parameters
    ----------
    entries : iterable of dict
        The entries of the study's `Ledger`.
    budget_epsilon, budget_delta : number or str
        What all releases together may spend; they add up [1]_.
    epsilon, delta : number or str
        What the next one would spend.

    Raises
    ------
    BudgetSpent
        If either is more than is left.

    References
    ----------
    .. [1] C. Dwork, A. Roth (2014), as for `noisy_counts`, theorem 3.16.

    Examples
    --------
    >>> require_budget([], budget_epsilon=2, budget_delta="1e-5", epsilon=1, delta="1e-6")
    """
    whole = _exact(budget_epsilon, "budget_epsilon"), _exact(budget_delta, "budget_delta")
    left = [total - used for total, used in zip(whole, spent(entries), strict=True)]
    if _exact(epsilon, "epsilon") > left[0] or _exact(delta, "delta") > left[1]:
        some = [_rounded_down(max(part, Fraction(0))) for part in left]
        fix = f"ask for no more than that, or {_ROUNDED}." if min(left) > 0 else f"{_ROUNDED}."
        raise BudgetSpent(
            f"A release with epsilon {epsilon} and delta {delta} is more than is left of the "
            f"study's budget: epsilon {some[0]} of {budget_epsilon} and delta {some[1]} of "
            f"{budget_delta}.",
            fix.capitalize(),
        )


def _calibrated(epsilon, delta, each: int) -> tuple:
    """Return the noise and the measurement of OpenDP that makes it."""
    limits = [_float_below(_exact(*some)) for some in ((epsilon, "epsilon"), (delta, "delta"))]
    dp = _opendp()
    space = dp.map_domain(dp.atom_domain(T="i64"), dp.atom_domain(T="i64"))
    highest = 2**31 - 1

    def measurement(scale: float, threshold: int):
        metric = dp.l01inf_distance(dp.absolute_distance(T="i64"))
        return dp.m.make_laplace_threshold(space, metric, scale, threshold)

    def spends(scale: float, threshold: int) -> tuple[float, float]:
        return measurement(scale, threshold).map((each, each, 1))

    most = 2 * each / limits[0]
    if not most < highest or spends(most, highest)[1] > limits[1]:
        raise ValueError(
            f"`epsilon`, `delta` and `each` must let cells below {highest:,} people come out, "
            f"got {epsilon}, {delta} and {each}."
        )
    scale = dp.binary_search(lambda s: spends(s, highest)[0] <= limits[0], (0.0, most))
    threshold = dp.binary_search(lambda t: t > 0 and spends(scale, t)[1] <= limits[1], (0, highest))
    used = spends(scale, threshold)
    # Of a threshold t OpenDP 0.16 tells the delta of counts above t, but lets t itself out too
    # (its issue 2922), so it is given the next one.
    threshold += 1
    tail = math.log(0.025) + math.log1p(math.exp(-1 / scale))
    error = math.ceil(-scale * tail) - 1
    noise = Noise(scale, threshold, error, *map(Fraction, used))
    return noise, measurement(scale, threshold)


def _kept(cell: np.ndarray, account: np.ndarray, each: int, key: bytes) -> np.ndarray:
    """Return the cells in which the accounts count, one row per account and cell."""
    (cell, cells), (row, ids) = (pd.factorize(codes, sort=True) for codes in (cell, account))
    pair = sort_in_parts(pack((row, len(ids)), (cell, len(cells))))
    row, cell = np.divmod(pair[np.diff(pair, prepend=-1) != 0], len(cells))
    n = np.bincount(row, minlength=len(ids))
    draws = [
        shake_256(key + some.to_bytes(8, "little")).digest(8 * size)
        for some, size in zip(ids.tolist(), n.tolist(), strict=True)
    ]
    bits = len(ids).bit_length()
    drawn = np.frombuffer(b"".join(draws), dtype="<u8") >> (bits + 1)
    order = np.argsort((row << (63 - bits)) + drawn.astype("int64"), kind="stable")
    place = np.arange(len(row)) - (np.cumsum(n) - n)[row]
    return cells[cell[order[place < each]]]


def _nearest(n_accounts: int, epsilon, delta, each: int) -> str:
    """Say what would do: fewer cells each, otherwise the least larger epsilon that is usual."""
    low = _exact(epsilon, "epsilon")
    for some in [epsilon, *(larger for larger in _EPSILONS if Fraction(larger) > low)]:

        def threshold(n_cells: int, epsilon=some) -> int:
            return noise_needed(epsilon=epsilon, delta=delta, each=n_cells).threshold

        if n_cells := bisect_right(range(1, each + 1), n_accounts / 2, key=threshold):
            return (
                f"Choose `epsilon={some}` and `each={n_cells}`, with which cells of "
                f"about {threshold(n_cells):,} people come out, or {_ROUNDED}."
            )
    return f"{_ROUNDED.capitalize()}."


def _numbers(codes, name: str) -> np.ndarray:
    codes = np.asarray(codes)
    if codes.dtype.kind not in "iu":
        raise ValueError(f"`{name}` must be whole numbers, found {codes.dtype}.")
    codes = codes.astype("int64", copy=False)
    if (low := codes.min(initial=0)) < 0:
        raise ValueError(f"`{name}` must be 0 or more, and fit 63 bits, found {low}.")
    return codes


def _exact(value, name: str) -> Fraction:
    try:
        exact = Fraction(str(value))
        if _float_below(exact) > 0 and ("epsilon" in name or exact < 1):
            return exact
    except (ValueError, ArithmeticError):
        pass
    bounds = "above 0" if "epsilon" in name else "between 0 and 1"
    raise ValueError(f"`{name}` must be a number {bounds}, got {value!r}.")


def _float_below(exact: Fraction) -> float:
    near = float(exact)
    return near if Fraction(near) <= exact else math.nextafter(near, 0)


def _rounded_down(exact: Fraction) -> str:
    context = Context(prec=6, rounding=ROUND_FLOOR)
    return str(context.divide(Decimal(exact.numerator), Decimal(exact.denominator)))


def _opendp():
    try:
        import opendp.prelude as dp
    except ImportError:
        raise ImportError(
            "Counts with `epsilon` need OpenDP, which is not installed: "
            "pip install 'viewing-toolkit[dp]'."
        ) from None
    dp.enable_features("contrib")
    return dp
