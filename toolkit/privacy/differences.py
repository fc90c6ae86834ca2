"""Cells as sets of accounts, and which of them differ by too few to be published beside others."""

import itertools
from typing import NamedTuple

import numpy as np
import pandas as pd

from toolkit.order import sort_in_parts

__all__ = ["Sets", "as_frame", "differing_by_few", "from_frame", "joined"]

_PARTS = 16
# So many members are looked up at once.
_MEMBERS = 2**22


class Sets(NamedTuple):
    """Sets of accounts, one after the other, and what each account adds to its set.

    `account` are whole numbers in order within each set, `start` where each set begins and
    the last one ends, `value` and `n_rows` what the account's rows sum up to and how many there
    are, `measure` a number for what is measured in each set, 0 where accounts are only counted.
    """

    start: np.ndarray
    account: np.ndarray
    value: np.ndarray
    n_rows: np.ndarray
    measure: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """How many accounts each set has."""
        return np.diff(self.start)

    def only(self, kept: np.ndarray) -> "Sets":
        """Return some of the sets, by their numbers or a mask."""
        kept = np.arange(len(self.measure))[kept]
        sizes = self.sizes[kept]
        start = np.append(0, np.cumsum(sizes))
        at = np.arange(start[-1]) + np.repeat(self.start[kept] - start[:-1], sizes)
        held = (column[at] for column in (self.account, self.value, self.n_rows))
        return Sets(start, *held, self.measure[kept])


def joined(parts: list[Sets]) -> Sets:
    """Return the sets of all parts, in their order."""
    sizes = np.concatenate([part.sizes for part in parts])
    columns = zip(*(part[1:] for part in parts), strict=True)
    return Sets(np.append(0, np.cumsum(sizes)), *map(np.concatenate, columns))


def differing_by_few(old: Sets, new: Sets, *, people: int) -> np.ndarray:
    """Say of each new set whether 1 to ``people - 1`` accounts tell it from a published one.

    Published are all old sets and, of the new ones before it, those of which this is not so; but
    the rows of new sets are others, so that they can be subtracted only if one holds the other.
    A set of which the accounts were published tells nothing new of who is in it: it is compared
    only with sets of the same measure, and with none if just this was published.  It is refused
    if 1 to ``people - 1`` accounts add something else than they did to the same set.

    All sets must have `people` accounts or more.

    Notes
    -----
    Two sets of which at most d accounts are in one alone share an account among the d + 1 of
    each that come first in any one order of all accounts [1]_, so that only sets that do are
    compared; the order is by how many sets an account is in, the fewest first.

    References
    ----------
    .. [1] R. J. Bayardo, Y. Ma, R. Srikant, "Scaling up all pairs similarity search",
       WWW 2007, 131-140.
    """
    n_old = len(old.measure)
    sets = joined([old, new])
    if (sets.sizes < people).any():
        raise ValueError(f"`old` and `new` must have {people} accounts or more in every set.")
    first, second = _candidates(sets, n_old, people)
    n_apart, is_nested, n_other = _compared(sets, first, second)
    is_old = first < n_old
    is_equal = is_old & (n_apart == 0)
    is_alike = sets.measure[first] == sets.measure[second]

    def some(of_pairs: np.ndarray) -> np.ndarray:
        return np.bincount(second[of_pairs], minlength=len(sets.measure)) > 0

    refused = some(is_equal & is_alike & (n_other > 0) & (n_other < people))
    is_known = some(is_equal)
    is_repeated = some(is_equal & is_alike & (n_other == 0)) | (is_known & (sets.measure == 0))
    is_few = (n_apart > 0) & (n_apart < people) & (is_old | is_nested)
    is_few &= ~is_known[second] | (is_alike & ~is_repeated[second])
    for one, other in zip(first[is_few].tolist(), second[is_few].tolist(), strict=True):
        refused[other] |= not refused[one]
    return refused[n_old:]


def _candidates(sets: Sets, n_old: int, people: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of an earlier and a new set, in the order of the new; all that are near."""
    sizes = sets.sizes
    rank = np.argsort(np.argsort(np.bincount(sets.account), kind="stable"))
    owner = np.repeat(np.arange(len(sizes)), sizes)
    ranked = sort_in_parts(owner * len(rank) + rank[sets.account])
    # Near sets have about as many accounts in each part of all.
    in_part = np.bincount(sets.account % _PARTS * len(sizes) + owner, minlength=_PARTS * len(sizes))
    in_part = in_part.astype("int32").reshape(_PARTS, -1)
    rarest = ranked[sets.start[:-1, None] + np.arange(people)].ravel()
    owner, account = np.divmod(rarest, max(len(rank), 1))
    # Those that share an account, the smallest first, and each with larger ones while near.
    order = np.lexsort((sizes[owner], account))
    owner = owner[order]
    key = account[order] * (int(sizes.max(initial=0)) + people) + sizes[owner]
    end = np.searchsorted(key, key + people - 1, side="right")
    found = [np.zeros(0, dtype="int64")]
    at, step = np.arange(len(key)), 1
    while len(at := at[at + step < end[at]]):
        first, second = np.sort([owner[at], owner[at + step]], axis=0)
        n_apart = sum(np.abs(part[first] - part[second]) for part in in_part)
        found.append((second * len(sizes) + first)[(n_apart < people) & (second >= n_old)])
        step += 1
    second, first = np.divmod(np.unique(np.concatenate(found)), max(len(sizes), 1))
    return first, second


def _compared(sets: Sets, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return of each pair how many accounts are in one alone, if none are in one of the two, and
    how many of those in both add something else.
    """
    sizes = sets.sizes
    room = int(sets.account.max(initial=0)) + 1
    key = np.repeat(np.arange(len(sizes)), sizes) * room + sets.account
    n_both, n_other = np.zeros((2, len(first)), dtype="int64")
    ends = np.cumsum(sizes[first])
    edges = np.searchsorted(ends, np.arange(0, ends[-1] if len(ends) else 0, _MEMBERS))
    for low, high in itertools.pairwise([*np.unique(edges).tolist(), len(first)]):
        n = sizes[first[low:high]]
        pair = np.repeat(np.arange(low, high), n)
        at = np.arange(len(pair)) + np.repeat(sets.start[first[low:high]] - (np.cumsum(n) - n), n)
        wanted = second[pair] * room + sets.account[at]
        there = np.searchsorted(key, wanted)
        is_both = key.take(there, mode="clip") == wanted
        pair, at, there = pair[is_both], at[is_both], there[is_both]
        is_other = (sets.value[at] != sets.value[there]) | (sets.n_rows[at] != sets.n_rows[there])
        n_both += np.bincount(pair, minlength=len(first))
        n_other += np.bincount(pair[is_other], minlength=len(first))
    n_apart = sizes[first] + sizes[second] - 2 * n_both
    return n_apart, n_both == np.minimum(sizes[first], sizes[second]), n_other


def as_frame(sets: Sets) -> pd.DataFrame:
    """Return sets as a table, to be kept."""
    return pd.DataFrame(
        {
            "cell": np.repeat(np.arange(len(sets.measure)), sets.sizes),
            "account": sets.account,
            "value": sets.value,
            "n_rows": sets.n_rows,
            "measure": np.repeat(sets.measure, sets.sizes),
        }
    )


def from_frame(frame: pd.DataFrame) -> Sets:
    """Return the sets that were kept as a table."""
    cell = frame["cell"].to_numpy()
    start = np.flatnonzero(np.diff(cell, prepend=-1, append=-2))
    columns = (frame[name].to_numpy() for name in ("account", "value", "n_rows"))
    return Sets(start, *columns, frame["measure"].to_numpy()[start[:-1]])
