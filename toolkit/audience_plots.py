"""Axes-level figures of audiences: the day and the week, how reach builds, and duplication."""

import zoneinfo

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import MaxNLocator, PercentFormatter

from toolkit.shared_audiences import duplication_law
from toolkit.tables import require_columns

__all__ = [
    "plot_audience",
    "plot_duplication",
    "plot_leaderboard",
    "plot_reach",
    "plot_week",
]

_WEEKDAYS = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]


def plot_audience(
    table: pd.DataFrame, *, tz: str, value: str = "average_minute_audience",
    by: str | None = None, ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw the audience of one slot after the other, as its curve over a day.

    Parameters
    ----------
    table : pandas.DataFrame
        As `audience` gives it with `every`: `started_at` and the column `value`, in order.
    tz : str
        The zone whose clock the axis shows.
    value : str, default 'average_minute_audience'
        The column to draw.
    by : str, optional
        A column that tells lines apart, which are drawn in the order in which they come.
    ax : matplotlib.axes.Axes, optional
        Where to draw; the current axes if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "started_at": pd.date_range("2024-03-01 18:00Z", periods=3, freq="15min"),
    ...     "average_minute_audience": [2.0, 5.5, 3.0],
    ... })
    >>> fig, ax = plt.subplots()
    >>> plot_audience(table, tz="Europe/Berlin", ax=ax).get_xlabel()
    'Clock in Europe/Berlin'
    """
    require_columns(table, ["started_at", value, *([by] if by else [])], "table")
    ax = plt.gca() if ax is None else ax
    parts = table.groupby(by, sort=False, observed=True) if by else [(None, table)]
    for name, rows in parts:
        ax.plot(rows["started_at"].dt.tz_convert("UTC"), rows[value], label=name)
    zone = zoneinfo.ZoneInfo(tz)
    locator = AutoDateLocator(tz=zone, maxticks=8)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=zone))
    ax.set(xlabel=f"Clock in {tz}", ylabel=value.replace("_", " ").capitalize())
    ax.set_ylim(bottom=0)
    if by and len(table):
        ax.legend(title=by)
    return ax


def plot_week(
    table: pd.DataFrame, *, value: str = "average_minute_audience", first_hour: int = 0,
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw a number for each hour of each weekday as a heat map.

    Parameters
    ----------
    table : pandas.DataFrame
        As `audience` gives it with ``by=["weekday", "hour"]``, on each viewer's own clock if
        its `tz` is a column.  Hours that are not there stay blank.
    value : str, default 'average_minute_audience'
        The column to colour by.
    first_hour : int, default 0
        The hour on the left, such as 6 where days start at 06:00.
    ax : matplotlib.axes.Axes, optional
        Where to draw; the current axes if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "weekday": ["MON", "TUE"], "hour": [20, 21], "average_minute_audience": [3.0, 4.0],
    ... })
    >>> fig, ax = plt.subplots()
    >>> plot_week(table, ax=ax).get_xlabel()
    'Hour of the clock'
    """
    require_columns(table, ["weekday", "hour", value], "table")
    ax = plt.gca() if ax is None else ax
    hours = (first_hour + np.arange(24)) % 24
    grid = table.assign(weekday=table["weekday"].astype("str"))
    grid = grid.set_index(["weekday", "hour"])[value].unstack()  # noqa: PD010
    grid = grid.reindex(index=_WEEKDAYS, columns=hours)
    colors = sns.color_palette("crest", as_cmap=True)
    image = ax.pcolormesh(
        np.arange(25), np.arange(8), grid.to_numpy("float64"), cmap=colors, edgecolors="white",
        linewidth=1,
    )  # fmt: skip
    ax.figure.colorbar(image, ax=ax, label=value.replace("_", " ").capitalize())
    ax.set_yticks(np.arange(7) + 0.5, [name.capitalize() for name in _WEEKDAYS])
    ax.set_xticks(np.arange(0, 24, 3) + 0.5, [f"{hour:02}" for hour in hours[::3]])
    ax.set(xlabel="Hour of the clock", ylabel="", ylim=(7, 0))
    ax.grid(False)
    return ax


def plot_reach(
    curve: pd.DataFrame, *, time: str = "day", by: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how reach builds up, with its interval.

    Parameters
    ----------
    curve : pandas.DataFrame
        As `reach_curve` gives it: `reach`, `low`, `high` and the column `time`, in order.
    time : str, default 'day'
        The column of periods.
    by : str, optional
        A column that tells curves apart, which are drawn in the order in which they come.
    ax : matplotlib.axes.Axes, optional
        Where to draw; the current axes if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> curve = pd.DataFrame({
    ...     "day": pd.date_range("2024-03-01", periods=2), "people": [4, 6], "universe": 10,
    ...     "reach": [0.4, 0.6], "low": [0.2, 0.3], "high": [0.7, 0.8],
    ... })
    >>> fig, ax = plt.subplots()
    >>> plot_reach(curve, ax=ax).get_ylabel()
    'Cumulative reach'
    """
    columns = [time, "reach", "low", "high"]
    require_columns(curve, [*columns, *([by] if by else [])], "curve")
    ax = plt.gca() if ax is None else ax
    parts = curve.groupby(by, sort=False, observed=True) if by else [(None, curve)]
    for name, rows in parts:
        at, share, low, high = (rows[column].to_numpy() for column in columns)
        (line,) = ax.plot(at, share, marker="o", markersize=3, label=name)
        ax.fill_between(at, low, high, color=line.get_color(), alpha=0.25, linewidth=0)
    locator = AutoDateLocator()
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.set(xlabel=time.capitalize(), ylabel="Cumulative reach")
    ax.set_ylim(bottom=0)
    if by and len(curve):
        ax.legend(title=by)
    return ax


def plot_duplication(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the duplication of each pair of titles against the law, and where it fails.

    Parameters
    ----------
    table : pandas.DataFrame
        As `duplication` gives it.
    ax : matplotlib.axes.Axes, optional
        Where to draw; the current axes if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Notes
    -----
    The line is D times the reach of the other title.  A pair is off the law if what the line
    expects lies outside the interval of what was observed.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "people_other": [30, 40], "universe": 100, "duplication": [0.5, 0.6],
    ...     "low": [0.4, 0.5], "high": [0.6, 0.7], "expected": [0.47, 0.63],
    ... })
    >>> fig, ax = plt.subplots()
    >>> plot_duplication(table, ax=ax).get_xlabel()
    'Reach of the other title'
    """
    columns = ["people_other", "universe", "duplication", "low", "high", "expected"]
    require_columns(table, columns, "table")
    ax = plt.gca() if ax is None else ax
    x, y = (table["people_other"] / table["universe"]).to_numpy(), table["duplication"].to_numpy()
    expected = table["expected"].to_numpy()
    is_off = (expected < table["low"].to_numpy()) | (expected > table["high"].to_numpy())
    for which, name, color in ((~is_off, "within the law", "C0"), (is_off, "off the law", "C3")):
        ax.plot(
            x[which], y[which], "o", color=color, markersize=4, alpha=0.7,
            label=f"{name} ({which.sum()})",
        )  # fmt: skip
    if len(table):
        D, r = duplication_law(table)
        edge = np.array([0, x.max()])
        ax.plot(edge, D * edge, color="C7", label=f"law: D = {D:.2f}, r = {r:.2f}")
        ax.legend()
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    ax.set(xlabel="Reach of the other title", ylabel="Share of the title's audience that has both")
    ax.set_xlim(left=0)
    ax.set_ylim(bottom=0)
    return ax


def plot_leaderboard(
    ranked: pd.DataFrame, *, name: str = "title", n: str = "starters", ax: Axes | None = None
) -> Axes:
    """Draw the shrunken share of each title with its interval, beside the share as it is.

    Parameters
    ----------
    ranked : pandas.DataFrame
        As `leaderboard` gives it, a row of the figure for each of its rows, from the top down.
    name : str, default 'title'
        The column that names rows.
    n : str, default 'starters'
        The column that says of how many people.
    ax : matplotlib.axes.Axes, optional
        Where to draw; the current axes if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> ranked = pd.DataFrame({
    ...     "title": ["Heat"], "starters": [50], "rate": [0.72], "shrunk": [0.69],
    ...     "shrunk_low": [0.56], "shrunk_high": [0.81],
    ... })
    >>> fig, ax = plt.subplots()
    >>> [label.get_text() for label in plot_leaderboard(ranked, ax=ax).get_yticklabels()]
    ['Heat (50)']
    """
    require_columns(ranked, [name, n, "rate", "shrunk", "shrunk_low", "shrunk_high"], "ranked")
    ax = plt.gca() if ax is None else ax
    height = np.arange(len(ranked))
    value, low, high = (ranked[c].to_numpy() for c in ("shrunk", "shrunk_low", "shrunk_high"))
    ax.errorbar(
        value, height, xerr=[value - low, high - value], fmt="D", markersize=4, linewidth=1.2,
        label="drawn towards all titles",
    )  # fmt: skip
    ax.plot(ranked["rate"], height, "o", color="C7", markersize=4, label="as it is")
    labels = [f"{title} ({people})" for title, people in zip(ranked[name], ranked[n], strict=True)]
    ax.set_yticks(height, labels)
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.set(xlabel=f"Share of {n}", ylabel=f"{name.capitalize()} ({n})")
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    if len(ranked):
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    return ax
