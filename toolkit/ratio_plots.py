"""An axes-level figure of ratios with their intervals."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from toolkit.tables import require_columns

__all__ = ["plot_ratios"]


def plot_ratios(table: pd.DataFrame, *, label: str = "term", ax: Axes | None = None) -> Axes:
    """Draw ratios with their intervals on a logarithmic axis, from the top down: a forest plot.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows with `estimate`, `low`, `high` and the column `label`, as `fit_ratios` gives
        them.  An interval that has no end on a side runs to the edge of the figure, and a
        ratio that is 0, infinite or missing has no mark.
    label : str, default 'term'
        The column of what each row is called.
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
    fit_ratios : adjusted ratios.
    compare_groups : ratios as they are.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "term": ["is_kids=True"], "estimate": [2.0], "low": [1.1], "high": [3.7],
    ... })
    >>> fig, ax = plt.subplots()
    >>> [text.get_text() for text in plot_ratios(table, ax=ax).get_yticklabels()]
    ['is_kids=True']
    """
    require_columns(table, [label, "estimate", "low", "high"], "table")
    ax = plt.gca() if ax is None else ax
    estimate, low, high = (table[name].to_numpy("float64") for name in ["estimate", "low", "high"])
    inside = [values[(values > 0) & np.isfinite(values)] for values in (estimate, low, high)]
    drawn = np.concatenate([*inside, [1.0]])
    left, right = drawn.min() / 1.25, drawn.max() * 1.25
    height = np.arange(len(table))
    is_known = ~(np.isnan(low) | np.isnan(high))
    ax.axvline(1, color="C7", linewidth=1)
    ax.hlines(
        height[is_known], np.clip(low, left, right)[is_known], np.clip(high, left, right)[is_known],
        color="C0", linewidth=1.4,
    )  # fmt: skip
    ax.plot(np.where(np.isin(estimate, [0, np.inf]), np.nan, estimate), height, "o", color="C0")
    ax.set(xscale="log", xlim=(left, right), xlabel="Ratio", ylim=(max(len(table), 1) - 0.5, -0.5))
    ax.set_yticks(height, table[label])
    ax.xaxis.set_major_locator(
        LogLocator(subs=(1, 2, 5) if right > 20 * left else (1, 1.5, 2, 3, 5, 7))
    )
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.grid(axis="y", visible=False)
    return ax
