"""Axes-level figures of what null models expect, and of one question under all definitions."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from mpl_toolkits.axes_grid1 import make_axes_locatable

from toolkit.tables import require_columns

__all__ = ["plot_expected_streaks", "plot_multiverse"]


def plot_expected_streaks(
    expected: pd.DataFrame,
    *,
    counts: pd.DataFrame | None = None,
    value: str = "n_reaching",
    ax: Axes | None = None,
) -> Axes:
    """Draw how many streaks of each length null models expect, beside those there are.

    Each null is a line with its interval as a band, on a logarithmic scale that ends at half
    a streak: what is expected less often leaves the figure.

    Parameters
    ----------
    expected : pandas.DataFrame
        As `expect_streaks` gives it.
    counts : pandas.DataFrame, optional
        As `count_streaks` gives it: the streaks of the log, drawn as points.
    value : str, default 'n_reaching'
        The column of `counts` to draw.
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
    plot_streak_counts : the streaks of a log alone.

    Examples
    --------
    >>> expected = pd.DataFrame({
    ...     "null": "independent", "n_days": [1, 2], "expected": [100.0, 10.0],
    ...     "low": [81.0, 4.0], "high": [120.0, 17.0],
    ... })
    >>> fig, ax = plt.subplots()
    >>> plot_expected_streaks(expected, ax=ax).get_yscale()
    'log'
    """
    require_columns(expected, ["null", "n_days", "expected", "low", "high"], "expected")
    ax = plt.gca() if ax is None else ax
    for null, table in expected.groupby("null", sort=False):
        (line,) = ax.plot(table["n_days"], table["expected"], label=null)
        ax.fill_between(
            table["n_days"], table["low"], table["high"], color=line.get_color(), alpha=0.2
        )
    if counts is not None:
        require_columns(counts, ["n_days", value], "counts")
        ax.plot(counts["n_days"], counts[value], "o", color="black", markersize=4, label="the log")
    ax.set_yscale("log")
    ax.set_ylim(bottom=0.5)
    ax.yaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="Streak of at least k days", ylabel="Streaks")
    if len(expected):
        ax.legend()
    return ax


def plot_multiverse(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw all answers of a multiverse in order, and which choices each was given by.

    A specification curve [1]_: the answers from the lowest to the highest, and below them, in
    axes of their own, a row for each value of each choice with a mark where it was chosen.
    The usual combination, which is the first row, is marked in both.

    Parameters
    ----------
    table : pandas.DataFrame
        As `multiverse` gives it.  Rows without an answer are left out.
    ax : matplotlib.axes.Axes, optional
        Where to draw; the current axes if not given.  The lower part of it goes to the axes of
        the choices.

    Returns
    -------
    matplotlib.axes.Axes
        Those of the answers.

    Raises
    ------
    ValueError
        If the column ``value`` is missing, or no choice is there.

    See Also
    --------
    rank_choices : which choice matters most, as a number.

    References
    ----------
    .. [1] U. Simonsohn, J. P. Simmons, L. D. Nelson, "Specification curve analysis", Nature
       Human Behaviour 4 (2020), 1208-1214.

    Examples
    --------
    >>> table = pd.DataFrame({"zone": ["UTC", "local"], "value": [30.0, 53.0]})
    >>> fig, ax = plt.subplots()
    >>> below = plot_multiverse(table, ax=ax).figure.axes[1]
    >>> [label.get_text() for label in below.get_yticklabels()]
    ['zone: UTC', 'zone: local']
    """
    require_columns(table, ["value"], "table")
    choices = [name for name in table if name != "value"]
    if not choices:
        raise ValueError("`table` must have a column for each choice, found none.")
    ax = plt.gca() if ax is None else ax
    usual = table.index[:1]
    ordered = table.dropna(subset="value").sort_values("value", kind="stable")
    at = np.arange(len(ordered)) + 1
    is_usual = ordered.index.isin(usual)
    ax.plot(at, ordered["value"], ".", color="C0")
    ax.plot(at[is_usual], ordered["value"][is_usual], "o", color="C3", label="the usual choices")
    ax.set(ylabel="Answer")
    ax.tick_params(labelbottom=False)
    ax.legend()
    below = make_axes_locatable(ax).append_axes("bottom", size="120%", pad=0.1, sharex=ax)
    labels = []
    for name in choices:
        # A choice may be None.
        codes, values = pd.factorize(table[name], use_na_sentinel=False)
        chosen = pd.Series(codes, table.index)[ordered.index].to_numpy() + len(labels)
        below.plot(at, chosen, "|", color="C7")
        below.plot(at[is_usual], chosen[is_usual], "o", color="C3")
        labels += [f"{name}: {value}" for value in values]
    below.set_yticks(range(len(labels)), labels)
    below.set(xlabel="Combinations, by their answer", ylim=(len(labels) - 0.5, -0.5))
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    below.grid(False)
    return ax
