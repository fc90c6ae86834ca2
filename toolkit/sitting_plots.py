"""Axes-level figures of sittings: the pause curve, and how far definitions of binges agree."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator, PercentFormatter

from toolkit.tables import require_choice, require_columns

__all__ = ["plot_binges", "plot_pauses"]

_LABELS = {
    "n_sittings": "Sittings",
    "share_longer": "Share of pauses that are longer",
    "density": "Share of pauses per factor of ten",
}
_TICKS = [1 / 60, 1, 5, 30, 120, 360, 1_440, 10_080, 43_200]


def plot_pauses(
    curve: pd.DataFrame, *, value: str = "n_sittings", pause: float | None = None,
    by: str | None = None, ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw how the number of sittings depends on the longest pause within them.

    Parameters
    ----------
    curve : pandas.DataFrame
        As `pause_curve` gives it: `pause_minutes` and the column `value`, in order.
    value : {'n_sittings', 'share_longer', 'density'}, default 'n_sittings'
        The column to draw.
    pause : float, optional
        Minutes at which to draw a vertical line: the limit that was chosen.
    by : str, optional
        A column that tells curves apart, which are drawn in the order in which they come.
    ax : matplotlib.axes.Axes, optional
        Where to draw; the current axes if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> curve = pd.DataFrame({"pause_minutes": [5.0, 30.0], "n_sittings": [9818, 9614]})
    >>> fig, ax = plt.subplots()
    >>> plot_pauses(curve, pause=30, ax=ax).get_ylabel()
    'Sittings'
    """
    require_choice(value, list(_LABELS), "value")
    require_columns(curve, ["pause_minutes", value, *([by] if by else [])], "curve")
    ax = plt.gca() if ax is None else ax
    parts = curve.groupby(by, sort=False, observed=True) if by else [(None, curve)]
    for name, rows in parts:
        ax.plot(rows["pause_minutes"], rows[value], marker="o", markersize=3, label=name)
    if pause is not None:
        ax.axvline(pause, color="C7", linestyle="--", label=f"{_duration(pause)}, as chosen")
    ax.set(xscale="log", xlabel="Longest pause within a sitting", ylabel=_LABELS[value])
    ax.xaxis.set_major_locator(FixedLocator(_TICKS))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(_duration))
    ax.set_ylim(bottom=0)
    if value != "n_sittings":
        ax.yaxis.set_major_formatter(PercentFormatter(1))
    if (by and len(curve)) or pause is not None:
        ax.legend(title=by)
    return ax


def plot_binges(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how far each two definitions of a binge agree, with the number written in.

    Parameters
    ----------
    table : pandas.DataFrame
        As `compare_binges` gives it.
    ax : matplotlib.axes.Axes, optional
        Where to draw; the current axes if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "definition": ["count", "pace"], "n_binges": [40, 10],
    ...     "count": [1.0, 0.2], "pace": [0.2, 1.0],
    ... })
    >>> fig, ax = plt.subplots()
    >>> [label.get_text() for label in plot_binges(table, ax=ax).get_yticklabels()]
    ['count (40)', 'pace (10)']
    """
    require_columns(table, ["definition", "n_binges"], "table")
    names = table["definition"].tolist()
    require_columns(table, names, "table")
    ax = plt.gca() if ax is None else ax
    labels = [f"{name} ({n})" for name, n in zip(names, table["n_binges"], strict=True)]
    grid = pd.DataFrame(table[names].to_numpy("float64"), index=labels, columns=names)
    sns.heatmap(
        grid, annot=True, fmt=".2f", cmap="crest", cbar=False, linewidths=1, vmin=0, vmax=1, ax=ax
    )
    ax.set(xlabel="Jaccard index with", ylabel="Definition (binges)")
    ax.tick_params(axis="y", rotation=0)
    return ax


def _duration(minutes: float, _=None) -> str:
    for unit, size in (("d", 1_440), ("h", 60), ("min", 1)):
        if minutes >= size:
            return f"{np.round(minutes / size, 1):g} {unit}"
    return f"{np.round(minutes * 60):g} s"
