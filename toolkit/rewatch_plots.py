"""Axes-level figures of rewatching: counts and their laws, rates, survival and recency."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import (
    LogLocator,
    MaxNLocator,
    NullLocator,
    PercentFormatter,
    StrMethodFormatter,
)

from toolkit.tables import require_columns, unit_of

__all__ = ["plot_counts", "plot_rewatch_rates", "plot_survival", "plot_weights"]


def plot_counts(tails: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how many counts reach k, and what fitted laws expect, on logarithmic axes.

    Parameters
    ----------
    tails : pandas.DataFrame
        As `count_tails` gives it: the rows of `model` "counts" are drawn as points with
        their intervals, those of each law as a line with its band.
    ax : matplotlib.axes.Axes, optional
        Where to draw; the current axes if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> tails = pd.DataFrame({
    ...     "model": "counts", "n_viewings": [1, 2], "share": [1.0, 0.4], "low": [0.9, 0.3],
    ...     "high": [1.0, 0.5], "n": 80,
    ... })
    >>> fig, ax = plt.subplots()
    >>> plot_counts(tails, ax=ax).get_xlabel()
    'k, viewings of one title by one viewer'
    """
    columns = ["model", "n_viewings", "share", "low", "high", "n"]
    require_columns(tails, columns, "tails")
    ax = plt.gca() if ax is None else ax
    for model, rows in tails.groupby("model", sort=False):
        k, share, low, high = (rows[name].to_numpy() for name in columns[1:5])
        if model == "counts":
            ax.errorbar(
                k, share, [share - low, high - share], fmt="o", color="black", markersize=4,
                linewidth=1, zorder=3, label=f"counts (n = {rows['n'].iloc[0]})",
            )  # fmt: skip
        else:
            (line,) = ax.plot(k, share, label=model)
            ax.fill_between(k, low, high, color=line.get_color(), alpha=0.25, linewidth=0)
    ax.set(xscale="log", yscale="log", xlabel="k, viewings of one title by one viewer")
    ax.set_ylabel("Share with k viewings or more")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    if len(tails):
        ax.legend()
    return ax


def plot_rewatch_rates(rates: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the share of people who came back to each title, with its interval.

    Parameters
    ----------
    rates : pandas.DataFrame
        As `rewatch_rates` gives it, a row of the figure for each of its rows, from the top
        down; where `shrink_rates` has added its estimate, that is drawn too.
    ax : matplotlib.axes.Axes, optional
        Where to draw; the current axes if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> rates = pd.DataFrame({
    ...     "title": ["Heat"], "people": [2], "rate": [0.5], "low": [0.095], "high": [0.905],
    ... })
    >>> fig, ax = plt.subplots()
    >>> [label.get_text() for label in plot_rewatch_rates(rates, ax=ax).get_yticklabels()]
    ['Heat (2)']
    """
    require_columns(rates, ["people", "rate", "low", "high"], "rates")
    unit = unit_of(rates, "rates")
    require_columns(rates, [unit or "title"], "rates")
    ax = plt.gca() if ax is None else ax
    height = np.arange(len(rates))
    away = 0.15 if "shrunk" in rates else 0
    _ranges(ax, height - away, rates, ("rate", "low", "high"), "its own people", "o")
    if "shrunk" in rates:
        names = ("shrunk", "shrunk_low", "shrunk_high")
        _ranges(ax, height + away, rates, names, "drawn towards all titles", "D")
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    labels = [f"{name} ({n})" for name, n in zip(rates[unit], rates["people"], strict=True)]
    ax.set_yticks(height, labels)
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.set_xlabel("Share of those who finished it that began it again")
    ax.set_ylabel(f"{unit.capitalize()} (people who finished it)")
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    return ax


def plot_survival(
    curve: pd.DataFrame, *, time: str = "time", unit: str = "days", by: str | None = None,
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw what share outlives each time, with its interval and the numbers at risk below.

    Parameters
    ----------
    curve : pandas.DataFrame
        As `kaplan_meier` gives it: `at_risk`, `survival`, `low`, `high` and the column
        `time`, in order.
    time : str, default 'time'
        The column of times.
    unit : str, default 'days'
        What they are measured in, for the label.
    by : str, optional
        A column that tells curves apart, which are drawn in the order in which they come.
    ax : matplotlib.axes.Axes, optional
        Where to draw; the current axes if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Notes
    -----
    The number below a tick is at risk just before that time.

    Examples
    --------
    >>> curve = pd.DataFrame({
    ...     "time": [1, 2], "at_risk": [4, 3], "survival": [0.75, 0.5], "low": [0.1, 0.1],
    ...     "high": [0.9, 0.8],
    ... })
    >>> fig, ax = plt.subplots()
    >>> plot_survival(curve, ax=ax).get_xlabel()
    'Time (days)'
    """
    columns = [time, "at_risk", "survival", "low", "high"]
    require_columns(curve, columns if by is None else [by, *columns], "curve")
    ax = plt.gca() if ax is None else ax
    parts = [("", curve)] if by is None else list(curve.groupby(by, sort=False, observed=True))
    for name, rows in parts:
        label = f"{name} (n = {rows['at_risk'].max()})".strip()
        x, y, low, high = (rows[c].to_numpy() for c in (time, *columns[2:]))
        (line,) = ax.step(_from(0, x), _from(1, y), where="post", label=label)
        ax.fill_between(
            _from(0, x), _from(1, low), _from(1, high), step="post", color=line.get_color(),
            alpha=0.25, linewidth=0,
        )  # fmt: skip
    ax.set(ylim=(0, 1), xlabel=f"Time ({unit})", ylabel="Share that lasts longer")
    ax.set_xlim(left=0)
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    if len(curve):
        ax.legend()
        _numbers_at_risk(ax, parts, time)
    return ax


def plot_weights(weights: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how much a viewing weighs by its lag, beside the null in which order is random.

    Parameters
    ----------
    weights : pandas.DataFrame
        As `recency_weights` gives it.
    ax : matplotlib.axes.Axes, optional
        Where to draw; the current axes if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> weights = pd.DataFrame({
    ...     "lag": [1, 2], "weight": [0.6, 0.4], "low": [0.5, 0.3], "high": [0.7, 0.5],
    ...     "null": 0.5, "null_low": 0.4, "null_high": 0.6, "n": [30, 20],
    ... })
    >>> fig, ax = plt.subplots()
    >>> [text.get_text() for text in plot_weights(weights, ax=ax).get_legend().get_texts()]
    ['order shuffled', 'as watched (n = 50)']
    """
    columns = ["lag", "weight", "low", "high", "null", "null_low", "null_high", "n"]
    require_columns(weights, columns, "weights")
    ax = plt.gca() if ax is None else ax
    lag, weight, low, high, null, null_low, null_high, n = (weights[c].to_numpy() for c in columns)
    ax.plot(lag, null, color="C7", label="order shuffled")
    ax.fill_between(lag, null_low, null_high, color="C7", alpha=0.25, linewidth=0)
    ax.errorbar(
        lag, weight, [weight - low, high - weight], fmt="o", color="C0", markersize=4,
        linewidth=1, label=f"as watched (n = {n.sum()})",
    )  # fmt: skip
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="Lag (viewings ago)", ylabel="Weight (all sum to 1)")
    ax.set_ylim(bottom=0)
    ax.legend()
    return ax


def _ranges(ax, height, rates, names, label, marker) -> None:
    value, low, high = (rates[name].to_numpy() for name in names)
    reach = [value - low, high - value]
    ax.errorbar(value, height, xerr=reach, fmt=marker, markersize=4, linewidth=1.2, label=label)


def _from(first: float, values: np.ndarray) -> np.ndarray:
    return np.concatenate([[first], values])


def _numbers_at_risk(ax, parts, time) -> None:
    """Write below the axis how many are at risk at each tick, a line for each curve."""
    low, high = ax.get_xlim()
    ticks = [tick for tick in ax.get_xticks() if low <= tick <= high]
    drawn = ax.lines[-len(parts) :]
    for number, ((name, rows), line) in enumerate(zip(parts, drawn, strict=True)):
        at_risk = np.append(rows["at_risk"].to_numpy(), 0)
        at_ticks = at_risk[np.searchsorted(rows[time].to_numpy(), ticks)]
        style = {"y": -0.22 - 0.08 * number, "va": "top", "fontsize": 9, "color": line.get_color()}
        for tick, n in zip(ticks, at_ticks, strict=True):
            ax.text(tick, s=f"{n}", ha="center", transform=ax.get_xaxis_transform(), **style)
        ax.text(-0.06, s=f"{name} at risk".strip(), ha="right", transform=ax.transAxes, **style)
