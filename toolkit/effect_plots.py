"""An axes-level figure of what an event changed."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from toolkit.tables import require_columns

__all__ = ["plot_effect"]


def plot_effect(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw a series beside what it would have been without an event.

    Points are what was observed, in another colour from the event on; the line is what is
    expected without it, with its interval as a band; the dashed line is the event.

    Parameters
    ----------
    table : pandas.DataFrame
        As `counterfactual` gives it.
    ax : matplotlib.axes.Axes, optional
        Where to draw; the current axes if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If a column is missing.

    See Also
    --------
    counterfactual : the table.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "day": pd.date_range("2024-03-01", periods=3), "is_after": [False, False, True],
    ...     "observed": [20, 22, 31], "expected": [21.0, 21, 21], "low": [12.0, 12, 12],
    ...     "high": [30.0, 30, 30],
    ... })
    >>> fig, ax = plt.subplots()
    >>> plot_effect(table, ax=ax).get_xlabel()
    'Day'
    """
    columns = ["day", "is_after", "observed", "expected", "low", "high"]
    require_columns(table, columns, "table")
    ax = plt.gca() if ax is None else ax
    ax.fill_between(table["day"], table["low"], table["high"], color="C0", alpha=0.2, linewidth=0)
    ax.plot(table["day"], table["expected"], color="C0", label="expected without it")
    is_after = table["is_after"].astype("bool")
    for part, label, color in ((~is_after, "before", "0.4"), (is_after, "since", "C3")):
        days, observed = table.loc[part, "day"], table.loc[part, "observed"]
        ax.plot(days, observed, "o", markersize=4, color=color, label=label)
    if is_after.any():
        first = table.loc[is_after, "day"].iloc[0]
        ax.axvline(first, color="black", linewidth=1, linestyle="--")
    locator = AutoDateLocator()
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    ax.set(xlabel="Day", ylabel="Observed")
    ax.legend()
    return ax
