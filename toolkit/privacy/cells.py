"""Rows that name an account become cells: who is in each, and what they add to it."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from toolkit.order import pack, stable_order
from toolkit.privacy.differences import Sets
from toolkit.privacy.refusals import PersonLevel
from toolkit.tables import require_columns

__all__ = ["Cells", "account_numbers", "cells_of", "summed", "unions", "with_tails_merged"]

_ROWS = (
    "Give the rows that it was made of: plays, viewings, viewer-days, streaks or cohort members."
)
_CLOCK = "Use the day, or the hour of the day, of each."
# What a column of such values becomes if one is missing.
_NULLABLE = {"i": "Int64", "u": "UInt64", "b": "boolean"}
# Sums of multiples of it are exact, so that they are the same in any order, up to 8e9.
_GRID = 2.0**-20


class Cells(NamedTuple):
    """The cells of a table: what tells them apart, one row each, and the accounts in them."""

    labels: pd.DataFrame
    sets: Sets


def account_numbers(table: pd.DataFrame, accounts: pd.Index) -> np.ndarray:
    """Return the number of each row's account in the study; rows of others are refused.

    Accounts that were forgotten are missing in `accounts`, and keep their numbers.
    """
    require_columns(table, [], "table")
    if not table.columns.is_unique:
        raise ValueError(f"`table` must have each column once, found {list(table)}.")
    if "account" not in table:
        raise PersonLevel(
            "A table without `account` can't be released, since it can't be seen how many people "
            "are in its cells.",
            _ROWS,
        )
    number = pd.Series(np.arange(len(accounts)), index=accounts.astype("object"))
    number = number[accounts.notna()]
    codes, held = pd.factorize(table["account"])
    held = number.reindex(pd.Index(held, dtype="object"), fill_value=-1)
    numbers = np.append(held.to_numpy(), -1)[codes]
    if (unknown := numbers < 0).any():
        raise PersonLevel(
            "`table` must have an account of this study on every row, found "
            f"{np.count_nonzero(unknown)} of {len(numbers)} rows without one.",
            "Make it of what the study's `plays()` returns.",
        )
    return numbers


def cells_of(
    table: pd.DataFrame, by: list[str], account: np.ndarray, value: np.ndarray | None, measure: int
) -> Cells:
    """Return one cell for each combination of `by` that occurs, in order, what is missing last.

    `account` and, where more than people is counted, `value` have one number per row.
    """
    columns = [_axis(table, name) for name in by]
    room = int(account.max(initial=0)) + 1
    start = np.zeros(len(table), dtype="int8"), 1
    key = pack(start, *[(codes, len(values)) for codes, values in columns], (account, room))
    if value is not None:
        value = np.rint(value / _GRID) * _GRID
    sets, row = _gathered(key, room, value, None, measure)
    labels = {
        name: values.take(codes[row]).reset_index(drop=True)
        for name, (codes, values) in zip(by, columns, strict=True)
    }
    return Cells(pd.DataFrame(labels, index=range(len(row))), sets)


def unions(sets: Sets, into: np.ndarray) -> Sets:
    """Return the unions of sets of one measure, with the number from 0 of the one that each is in.

    What an account adds to several of them is summed up.
    """
    room = int(sets.account.max(initial=0)) + 1
    key = pack((np.repeat(into, sets.sizes), len(into)), (sets.account, room))
    return _gathered(key, room, sets.value, sets.n_rows, int(sets.measure.max(initial=0)))[0]


def with_tails_merged(cells: Cells, name: str, people: int) -> Cells:
    """Merge cells of too few with the next ones upwards, from the last on, within the others.

    `name` is the last column of the labels, whole numbers in order.  A merged cell says from
    which number it starts and, as `<name>_last`, where it ends.  Where the highest of all ends
    is not said, nor where the lowest starts if it was merged and not enough start there.
    """
    labels, sets = cells
    if labels[name].isna().any():
        raise ValueError(
            f"`{name}` must be there on every row, since its numbers are merged, found some "
            "without it."
        )
    others = labels.drop(columns=name)
    group = np.zeros(len(labels), dtype="int64")
    if len(others.columns):
        group = others.groupby(list(others), dropna=False, sort=False).ngroup().to_numpy()
    is_lowest = np.diff(group, prepend=-1) != 0
    first, held, has_merged = [], set(), False
    for n in reversed(range(len(labels))):
        held.update(sets.account[sets.start[n] : sets.start[n + 1]].tolist())
        if len(held) >= people or (is_lowest[n] and not has_merged):
            first.append(n)
            held, has_merged = set(), True
        elif is_lowest[n]:
            # What is left at the low end goes with the cell above it.
            first[-1] = n
        if is_lowest[n]:
            held, has_merged = set(), False
    first = np.array(first[::-1], dtype="int64")
    n_merged = np.diff(np.append(first, len(labels)))
    made = labels.iloc[first].reset_index(drop=True)
    numbers = made[name].astype("Int64")
    is_bottom = (labels[name] == labels[name].min()).to_numpy(bool)
    is_told = len(np.unique(sets.only(is_bottom).account)) >= people
    made[name] = numbers.mask(is_lowest[first] & (n_merged > 1) & ~(is_bottom[first] & is_told))
    is_highest = np.append(is_lowest[first], True)[1:]
    last = (numbers.shift(-1) - 1).mask(is_highest[: len(made)])
    made.insert(len(made.columns), f"{name}_last", last)
    return Cells(made, unions(sets, np.repeat(np.arange(len(first)), n_merged)))


def _gathered(key, room: int, value, n_rows, measure: int) -> tuple[Sets, np.ndarray]:
    """Add up what each account adds to each cell; also return a row of each cell.

    A key is a number that stands for the cell, times `room`, plus that of the account.
    """
    order = stable_order(key)
    key = key[order]
    first = _heads(key)
    n = np.diff(np.append(first, len(key))) if n_rows is None else summed(n_rows[order], first)
    value = np.zeros(len(first)) if value is None else summed(value[order], first)
    cell, account = np.divmod(key[first], room)
    start = _heads(cell)
    sets = Sets(np.append(start, len(cell)), account, value, n, np.full(len(start), measure))
    return sets, order[first[start]]


def _heads(key: np.ndarray) -> np.ndarray:
    """Return where each run of the same number begins."""
    is_head = np.ones(len(key), dtype=bool)
    np.not_equal(key[1:], key[:-1], out=is_head[1:])
    return np.flatnonzero(is_head)


def summed(values: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return the sums of stretches of values that begin at `start`, which may be none."""
    return np.add.reduceat(values, start) if len(start) else values[:0]


def _axis(table: pd.DataFrame, name: str) -> tuple[np.ndarray, pd.Series]:
    """Return a column as numbers from 0, and what they stand for, in order."""
    require_columns(table, [name], "table")
    if name in ("viewer", "account"):
        raise PersonLevel(
            f"`by` must not be {name!r}: each cell would be of one {name}.",
            "Leave it out, or group people by what many of them share.",
        )
    codes, held = pd.factorize(table[name], use_na_sentinel=False)
    held = pd.Series(held)
    values = _plain(held)
    kind = values.dtype.kind
    if kind == "m" or isinstance(values.dtype, pd.DatetimeTZDtype):
        raise PersonLevel(
            f"`by` must not be instants or spans of time, and `{name}` holds some: they tell "
            "plays apart.",
            _CLOCK,
        )
    if kind == "M" and not (values.dropna() == values.dropna().dt.normalize()).all():
        raise PersonLevel(
            f"`by` must not be times, and `{name}` holds some that are no midnights.", _CLOCK
        )
    if kind in "fc":
        raise PersonLevel(
            f"`by` must be of values that people share, found fractions in `{name}`.",
            "Cut them into classes (`pandas.cut`), or round them to whole numbers.",
        )
    rank = values
    if isinstance(held.dtype, pd.CategoricalDtype) and held.cat.ordered:
        rank = held.cat.codes.mask(held.isna())
    elif isinstance(held.dtype, pd.IntervalDtype):
        rank = held
    place, _ = pd.factorize(rank, sort=True, use_na_sentinel=False)
    _, first = np.unique(place, return_index=True)
    return place[codes], values.iloc[first]


def _plain(held: pd.Series) -> pd.Series:
    """Return values without categories, which would name what is in none of the cells."""
    if isinstance(held.dtype, pd.CategoricalDtype):
        dtype = held.cat.categories.dtype
        is_missing = held.isna().any()
        held = held.astype("object")
        if dtype.kind != "O":
            held = held.astype(_NULLABLE.get(dtype.kind, dtype) if is_missing else dtype)
    return held.astype("str") if held.dtype.kind == "O" else held
