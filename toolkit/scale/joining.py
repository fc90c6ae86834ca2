"""Tables of parts: one order for the rows of each, and one table of them all."""

import numpy as np
import pandas as pd

from toolkit.order import stored, taken
from toolkit.store.files import in_order, tidied
from toolkit.tables import (
    PLAYS,
    as_plays,
    as_streaks,
    as_viewer_days,
    as_viewings,
    require_columns,
)

__all__ = ["as_source", "only_used", "together"]

# A table is of the first kind whose column it has; plays may have columns of their own.
_KINDS = {
    "viewing_no": as_viewings,
    "started_at": as_plays,
    "is_open": as_streaks,
    "day": as_viewer_days,
}


def as_source(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of any kind, checked and in an order that does not depend on the parts."""
    require_columns(table, ["viewer"], "source")
    if not table.columns.is_unique:
        raise ValueError(f"`source` must name each column once, found {list(table)}.")
    check = next((check for name, check in _KINDS.items() if name in table), None)
    if check is None:
        raise ValueError(
            "`source` must be plays, viewer-days, viewings or streaks, "
            f"found the columns {list(table)}."
        )
    table = check(table)
    # A store has the columns of plays in this order.
    first = [name for name in PLAYS if check is as_plays and name in table]
    return in_order(table[[*first, *(name for name in table if name not in first)]])


def together(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of all tables; those with `viewer` in the order of the viewers.

    The list is emptied, so that no more than one column is there twice.
    """
    names = list(tables[0])
    parts = [dict(table.items()) for table in tables]
    tables.clear()
    rows, made = None, {}
    for name in sorted(names, key=lambda name: name != "viewer"):
        column = _concatenated([part.pop(name) for part in parts])
        if name == "viewer":
            numbers = stored(column)
            if (numbers[1:] < numbers[:-1]).any():
                rows = np.argsort(numbers, kind="stable")
        made[name] = column if rows is None else pd.Series(taken(column, rows), copy=False)
    return pd.DataFrame({name: made.pop(name) for name in names}, copy=False)


def only_used(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the categories that occur, sorted."""
    return pd.DataFrame({name: tidied(table[name]) for name in table}, copy=False)


def _concatenated(columns: list[pd.Series]) -> pd.Series:
    if not isinstance(columns[0].dtype, pd.CategoricalDtype):
        return pd.concat(columns, ignore_index=True)
    if len(columns) > 1:
        columns = [pd.Series(pd.api.types.union_categoricals(columns, sort_categories=True))]
    return tidied(columns[0].reset_index(drop=True))
