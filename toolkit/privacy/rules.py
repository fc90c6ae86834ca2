"""What may be published of a table: people in numbers, rounded, and no cell that tells of few."""

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from toolkit.privacy.cells import (
    Cells,
    account_numbers,
    cells_of,
    summed,
    unions,
    with_tails_merged,
)
from toolkit.privacy.differences import Sets, differing_by_few, joined
from toolkit.privacy.refusals import DiffersByFew, Dominated, TooFewPeople
from toolkit.tables import require_choice, require_columns

__all__ = ["COUNTED", "COUNTS", "Ruled", "apply_rules", "as_columns", "measured", "rounded"]

#: What can be counted, and the column of the tables that have such rows.
COUNTS = {
    "people": "account",
    "rewatchers": "is_rewatch",
    "plays": "started_at",
    "viewings": "viewing_no",
    "viewer_days": "day",
    "streaks": "n_days",
    "minutes": "watched_seconds",
}
#: The column with which the numbers of a released table begin.
COUNTED = ("people", "rewatchers")
_BASE = 5
# Totals of more would not be told to a unit by a float.
_MOST = 1e11
_FEW, _DOMINATED = "too few people", "made by one or two people"
_ONE_SIDE, _NEAR = "too few people on the other side", "too few people apart from another cell"
_REFUSALS = {_FEW: TooFewPeople, _ONE_SIDE: TooFewPeople, _DOMINATED: Dominated}
_REFUSALS |= {_NEAR: DiffersByFew}


class Ruled(NamedTuple):
    """What may be published, how many cells may not by reason, and who is in what is said."""

    table: pd.DataFrame
    withheld: dict[str, int]
    sets: Sets


class _Rule(NamedTuple):
    count: str
    mean: str | None
    share_of: list[str] | None
    n_accounts: int
    people: int
    published: Sets


def apply_rules(
    table: pd.DataFrame,
    *,
    by: str | Sequence[str] | None,
    count: str,
    mean: str | None,
    share_of: str | Sequence[str] | None,
    accounts: pd.Index,
    people: int,
    published: Sets,
) -> Ruled:
    """Return what `Study.release` publishes of a table, where `published` was before it."""
    by, share_of = as_columns(by), None if share_of is None else as_columns(share_of)
    made = {*COUNTS, "of_people", "share", f"mean_{mean}", *(f"{name}_last" for name in by)}
    if taken := [name for name in by if name in made]:
        raise ValueError(f"`by` must not be called as what is released is, found {taken}: rename.")
    if share_of is not None and (mean or count not in COUNTED or not {*share_of} < {*by}):
        raise ValueError(
            "`share_of` must be some of `by`, not all, and go with a count of people, found "
            f"share_of={share_of}, by={by}, count={count!r}, mean={mean!r}."
        )
    rows, account, value = measured(table, accounts, count, mean)
    rule = _Rule(count, mean, share_of, int(accounts.notna().sum()), people, published)
    ruled = _ruled(rows, by, account, value, rule)
    if len(ruled.table):
        return ruled
    lost = {_FEW: 0} | ruled.withheld
    found = ", ".join(f"{n:,} with {reason}" for reason, n in ruled.withheld.items()) or "no row"
    raise _REFUSALS[max(lost, key=lost.get)](
        f"A cell must have {people} people, and {people} that tell it from any other, to be "
        f"published, found {found}.",
        _nearest(rows, by, account, value, rule),
    )


def as_columns(by: str | Sequence[str] | None) -> list[str]:
    """Return names of columns, each once."""
    by = [by] if isinstance(by, str) else list([] if by is None else by)
    if len({*map(str, by)}) < len(by) or not all(isinstance(name, str) for name in by):
        raise ValueError(f"`by` must be names of columns, each once, found {by}.")
    return by


def measured(table: pd.DataFrame, accounts: pd.Index, count: str, mean: str | None) -> tuple:
    """Return the rows that count, each one's account as a number and, unless None, what it adds."""
    require_choice(count, list(COUNTS), "count")
    if mean is not None and count != "people":
        raise ValueError(f"`mean` must stand without another `count`, found {count!r}.")
    account = account_numbers(table, accounts)
    source = mean or COUNTS[count]
    if count not in COUNTED and f"n_{count}" in table:
        # Rows of another kind say of themselves how many they stand for.
        source = f"n_{count}"
    require_columns(table, [source], "table")
    used, value = np.ones(len(table), dtype=bool), None
    if "excluded" in table:
        used &= table["excluded"].isna().to_numpy()
    if count == "rewatchers":
        used &= table["is_rewatch"].astype("boolean").fillna(False).to_numpy(bool)
    elif mean or source in ("watched_seconds", f"n_{count}"):
        used &= table[source].notna().to_numpy()
        value = _amounts(table[source], used, low=-_MOST if mean else 0)
        if source == "watched_seconds" and not mean:
            value /= 60
    elif count not in COUNTED:
        value = np.ones(len(table))
    if used.all():
        return table, account, value
    return table[used], account[used], None if value is None else value[used]


def rounded(numbers: np.ndarray) -> np.ndarray:
    """Return the nearest multiples of five."""
    return (np.rint(np.asarray(numbers, dtype="float64") / _BASE) * _BASE).astype("int64")


def _amounts(column: pd.Series, used: np.ndarray, low: float) -> np.ndarray:
    """Return a column as numbers, all within bounds where it is used."""
    if column.dtype.kind not in "iuf":
        raise ValueError(
            f"`{column.name}` must be numbers, found {column.dtype}; of what is true or not, "
            "release the share."
        )
    value = column.to_numpy("float64", na_value=np.nan, copy=True)
    if not ((value >= low) & (value <= _MOST))[used].all():
        raise ValueError(
            f"`{column.name}` must hold numbers from {low:.0e} to {_MOST:.0e}, found others."
        )
    return value


def _ruled(rows: pd.DataFrame, by: list[str], account, value, rule: _Rule) -> Ruled:
    labels, sets = _cells(rows, by, account, value, rule)
    lost = {_FEW: sets.sizes < rule.people}
    if value is not None:
        lost[_DOMINATED] = _is_dominated(sets, sets.value)
    if rule.mean:
        lost[_DOMINATED] |= _is_dominated(sets, sets.n_rows)
        lost[_ONE_SIDE] = _is_alike(sets)
    # Of whom a cell is a share, if of anyone.
    wholes, of = sets.only(np.zeros(0, dtype="int64")), None
    if rule.share_of is not None:
        of = np.zeros(len(labels), dtype="int64")
        if rule.share_of:
            of = labels.groupby(rule.share_of, dropna=False, sort=False).ngroup().to_numpy()
        wholes = _uncounted(unions(sets, of))
        lost[_ONE_SIDE] = wholes.sizes[of] - sets.sizes < rule.people

    def with_wholes(cells: np.ndarray) -> tuple[np.ndarray, Sets]:
        needed = np.unique(of[cells]) if of is not None else np.zeros(0, dtype="int64")
        return needed, joined([wholes.only(needed), sets.only(cells)])

    reason = np.select(list(lost.values()), list(lost), default="").astype("object")
    passes = np.flatnonzero(reason == "")
    # The larger come first, as more hangs on them.
    passes = passes[np.argsort(-sets.sizes[passes], kind="stable")]
    needed, said = with_wholes(passes)
    is_near = _is_near(rule, said)
    reason[passes[is_near[len(needed) :]]] = _NEAR
    if of is not None:
        reason[passes[np.isin(of[passes], needed[is_near[: len(needed)]])]] = _NEAR
    kept = np.flatnonzero(reason == "")
    table = labels.iloc[kept].reset_index(drop=True).assign(**_numbers(sets.only(kept), rule))
    if of is not None:
        n_all = rounded(wholes.sizes[of[kept]])
        table = table.assign(of_people=n_all, share=table[rule.count] / n_all)
    reasons, n_cells = np.unique(reason[reason != ""].astype("str"), return_counts=True)
    withheld = dict(zip(reasons.tolist(), n_cells.tolist(), strict=True))
    return Ruled(table, withheld, with_wholes(kept)[1])


def _cells(rows: pd.DataFrame, by: list[str], account, value, rule: _Rule) -> Cells:
    """Return the cells, with what is published of each account and no more."""
    kind = f"mean {rule.mean}" if rule.mean else rule.count
    measure = 0 if value is None else zlib.crc32(kind.encode())
    cells = cells_of(rows, by, account, value, measure)
    last = by[-1] if by else ""
    is_number = last.startswith("n_") and cells.labels[last].dtype.kind in "iu"
    if is_number and last not in (rule.share_of or ()):
        cells = with_tails_merged(cells, last, rule.people)
    return cells if rule.mean else cells._replace(sets=_uncounted(cells.sets))


def _uncounted(sets: Sets) -> Sets:
    return sets._replace(n_rows=np.ones_like(sets.n_rows))


def _is_dominated(sets: Sets, value: np.ndarray) -> np.ndarray:
    """Say of each cell whether two accounts make more than 90 % of it.

    The p-ratio rule, that the others add a tenth of what the largest does, follows from this one.
    """
    value, start = np.abs(value), sets.start[:-1]
    total = summed(value, start)
    order = np.lexsort((-value, np.repeat(np.arange(len(start)), sets.sizes)))
    second = np.where(sets.sizes > 1, value[order[np.minimum(start + 1, sets.start[1:] - 1)]], 0)
    return 10 * (total - value[order[start]] - second) < total


def _is_alike(sets: Sets) -> np.ndarray:
    """Say of each cell whether all accounts have the same mean, so that it tells of each."""
    mean, start = sets.value / sets.n_rows, sets.start[:-1]
    if not len(start):
        return np.zeros(0, dtype=bool)
    return np.minimum.reduceat(mean, start) == np.maximum.reduceat(mean, start)


def _is_near(rule: _Rule, new: Sets) -> np.ndarray:
    """Say of sets whether too few tell them from a published one, or from everyone."""
    others = rule.n_accounts - new.sizes
    is_near = (others > 0) & (others < rule.people)
    left = np.flatnonzero(~is_near)
    is_near[left] = differing_by_few(rule.published, new.only(left), people=rule.people)
    return is_near


def _numbers(sets: Sets, rule: _Rule) -> dict[str, np.ndarray]:
    """Return the columns of what is counted."""
    made = {rule.count if rule.count in COUNTED else "people": rounded(sets.sizes)}
    totals = summed(sets.value, sets.start[:-1])
    if rule.mean:
        n_rows = summed(sets.n_rows, sets.start[:-1])
        made[f"mean_{rule.mean}"] = _in_digits(totals / n_rows, sets.sizes)
    elif rule.count not in COUNTED:
        made[rule.count] = rounded(_in_digits(totals, sets.sizes))
    return made


def _in_digits(numbers: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return numbers in so few digits that what one of so many people adds hardly shows."""
    digits = np.where(sizes < 100, 2, 3)
    made = [float(f"{number:.{n}g}") for number, n in zip(numbers, digits, strict=True)]
    return np.array(made, dtype="float64")


def _nearest(rows: pd.DataFrame, by: list[str], account, value, rule: _Rule) -> str:
    """Say in a sentence which coarser table would pass, as far as one is known."""
    tried = {}
    for name in by:
        if rows[name].dtype.kind == "M":
            months = rows[name].dt.to_period("M").dt.to_timestamp()
            tried[f"Merge the days of `{name}` into months"] = by, rows.assign(**{name: months})
        if name not in (rule.share_of or ()):
            tried[f"Leave out `{name}`"] = [other for other in by if other != name], rows
    best, passed, n_cells = "", 0, 0
    for said, (names, table) in tried.items():
        ruled = _ruled(table, names, account, value, rule)
        if len(ruled.table) > passed:
            best, passed = said, len(ruled.table)
            n_cells = passed + sum(ruled.withheld.values())
    if passed:
        return f"{best}: {passed:,} of {n_cells:,} cells would pass."
    return "Count more people at once: of longer periods, wider classes, or with fewer conditions."
