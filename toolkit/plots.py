"""Axes-level figures of columns that are there already."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import MaxNLocator, PercentFormatter, ScalarFormatter

from toolkit.tables import require_columns

__all__ = ["plot_calendar", "plot_grid", "plot_losses", "plot_streak_counts", "plot_streaks"]


def plot_calendar(daily: pd.DataFrame, *, value: str = "people", ax: Axes | None = None) -> Axes:
    """Draw a number for each day as a calendar: a column a week, Monday on top.

    Parameters
    ----------
    daily : pandas.DataFrame
        One row per day, with `day` and the column `value`.  Days that are not there stay
        blank.
    value : str, default 'people'
        The column to colour by.
    ax : matplotlib.axes.Axes, optional
        Where to draw; the current axes if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> daily = pd.DataFrame({"day": pd.date_range("2017-12-01", periods=9), "people": range(9)})
    >>> plot_calendar(daily).get_xlabel()
    'Week starting on Monday'
    """
    require_columns(daily, ["day", value], "daily")
    ax = plt.gca() if ax is None else ax
    mondays = daily["day"] - pd.to_timedelta(daily["day"].dt.day_of_week, unit="D")
    weeks = daily.assign(week=mondays, weekday=daily["day"].dt.day_of_week)
    grid = weeks.set_index(["weekday", "week"])[value].unstack()  # noqa: PD010
    grid = grid.reindex(
        index=range(7), columns=pd.date_range(mondays.min(), mondays.max(), freq="7D")
    )
    image = ax.pcolormesh(
        np.arange(grid.shape[1] + 1), np.arange(8), grid.to_numpy("float64"),
        cmap="crest", edgecolors="white", linewidth=1.5,
    )  # fmt: skip
    ax.figure.colorbar(image, ax=ax, label=value, shrink=0.8)
    ax.set_yticks(np.arange(7) + 0.5, ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])
    # Labels of a dozen weeks or so can be read.
    labelled = range(0, grid.shape[1], 1 + grid.shape[1] // 15)
    names = [f"{grid.columns[n].day} {grid.columns[n]:%b}" for n in labelled]
    ax.set_xticks([n + 0.5 for n in labelled], names, rotation=45)
    ax.set(xlabel="Week starting on Monday", ylabel="", aspect="equal", ylim=(7, 0))
    ax.grid(False)
    return ax


def plot_grid(
    table: pd.DataFrame, *, x: str, y: str, value: str, center: float | None = None,
    spread: float | None = None, ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw a number for each pair of choices, with the number written in.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per pair of `x` and `y`, with the column `value`.
    x, y, value : str
        The columns to draw along, up and as colour and text.
    center : float, optional
        The value that gets the neutral colour.
    spread : float, optional
        How far from `center` the strongest colours lie, for grids side by side; without it
        as far as the table goes.
    ax : matplotlib.axes.Axes, optional
        Where to draw; the current axes if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> table = pd.DataFrame({"zone": "UTC", "start": ["00:00", "04:00"], "people": [5, 7]})
    >>> [t.get_text() for t in plot_grid(table, x="start", y="zone", value="people").texts]
    ['5', '7']
    """
    require_columns(table, [x, y, value], "table")
    ax = plt.gca() if ax is None else ax
    grid = table.set_index([y, x])[value].unstack()  # noqa: PD010
    grid = grid.reindex(index=table[y].unique(), columns=table[x].unique())
    limits = {}
    if center is not None:
        away = spread or np.nanmax(np.abs(grid.to_numpy("float64") - center)) or 1
        limits = {"vmin": center - away, "vmax": center + away}
    sns.heatmap(
        grid, annot=True, fmt="g", cmap="crest" if center is None else "vlag", cbar=False,
        linewidths=1, ax=ax, **limits,
    )  # fmt: skip
    ax.set(xlabel=x.replace("_", " "), ylabel=y.replace("_", " "))
    ax.tick_params(axis="y", rotation=0)
    return ax


def plot_losses(losses: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the share of rows that are set aside, by reason, as bars.

    Parameters
    ----------
    losses : pandas.DataFrame
        As `loss_table` gives it; with a column more, such as `source`, a bar for each of
        its values, its reasons side by side.
    ax : matplotlib.axes.Axes, optional
        Where to draw; the current axes if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> losses = pd.DataFrame({"reason": ["trailer"], "n_rows": [1], "share": [0.5]})
    >>> plot_losses(losses).get_xlabel()
    'Share of rows set aside'
    """
    require_columns(losses, ["reason", "share"], "losses")
    ax = plt.gca() if ax is None else ax
    groups = [name for name in losses if name not in ("reason", "n_rows", "share")]
    if not groups:
        ax.barh(losses["reason"], losses["share"])
    else:
        names = losses[groups].astype("str").to_numpy()
        bars = pd.Series([", ".join(row) for row in names], index=losses.index, dtype="str")
        height, names = pd.factorize(bars)
        left = np.zeros(len(names))
        for reason in losses["reason"].unique():
            some = (losses["reason"] == reason).to_numpy()
            at, share = height[some], losses["share"].to_numpy()[some]
            ax.barh(at, share, left=left[at], label=reason)
            left[at] += share
        ax.set_yticks(range(len(names)), names)
        if len(losses):
            ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    ax.invert_yaxis()
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.set(xlabel="Share of rows set aside", ylabel=" and ".join(groups))
    ax.grid(axis="y", visible=False)
    return ax


def plot_streak_counts(
    counts: pd.DataFrame, *, value: str = "people_reaching", label: str | None = None,
    point: tuple[int, int] | None = None, ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw N(k), how many reach a streak of k days, on a logarithmic scale.

    Parameters
    ----------
    counts : pandas.DataFrame
        As `count_streaks` gives it: `n_days` and the column `value`.
    value : str, default 'people_reaching'
        The column to draw.
    label : str, optional
        What the line is, for a legend.
    point : tuple of int, optional
        A claim (days, people) to mark.
    ax : matplotlib.axes.Axes, optional
        Where to draw; the current axes if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> counts = pd.DataFrame({"n_days": [1, 2, 3], "people_reaching": [100, 20, 5]})
    >>> plot_streak_counts(counts).get_yscale()
    'log'
    """
    require_columns(counts, ["n_days", value], "counts")
    ax = plt.gca() if ax is None else ax
    ax.plot(counts["n_days"], counts[value], marker="o", markersize=4, label=label)
    if point is not None:
        days, people = point
        ax.plot(days, people, marker="*", markersize=15, color="C3", linestyle="none", zorder=3)
        ax.annotate(
            f"{people} people, {days} days", point, xytext=(10, 10), textcoords="offset points",
            color="C3",
        )  # fmt: skip
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="Streak of at least k days", ylabel=value.replace("_", " "))
    return ax


def plot_streaks(streaks: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw streaks as bars over time; an arrow means that it may go on beyond the log.

    Parameters
    ----------
    streaks : pandas.DataFrame
        A streaks table; a row of the figure for each viewer, in the order in which viewers
        first appear.
    ax : matplotlib.axes.Axes, optional
        Where to draw; the current axes if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> streaks = pd.DataFrame({
    ...     "viewer": ["ann", "bob"], "n_days": [2, 1], "is_open": [False, True],
    ...     "first_day": pd.to_datetime(["2024-03-01", "2024-03-04"]),
    ...     "last_day": pd.to_datetime(["2024-03-02", "2024-03-04"]),
    ... })
    >>> plot_streaks(streaks).get_ylabel()
    'Viewers'
    """
    require_columns(streaks, ["viewer", "first_day", "last_day", "is_open"], "streaks")
    ax = plt.gca() if ax is None else ax
    height = pd.factorize(streaks["viewer"])[0]
    # A bar covers its last day to the end.
    until = streaks["last_day"] + pd.Timedelta(days=1)
    is_open = streaks["is_open"].to_numpy(bool)
    for which, label, color in ((~is_open, "ended", "C7"), (is_open, "open", "C0")):
        ax.hlines(
            height[which], streaks["first_day"][which], until[which], color=color, linewidth=2,
            label=f"{label} ({which.sum()})",
        )  # fmt: skip
    ax.plot(until[is_open], height[is_open], ">", color="C0", markersize=4)
    if "may_start_earlier" in streaks:
        earlier = streaks["may_start_earlier"].fillna(False).to_numpy(bool)
        ax.plot(streaks["first_day"][earlier], height[earlier], "<", color="C1", markersize=4)
    locator = AutoDateLocator()
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    ax.set(xlabel="Day", ylabel="Viewers", yticks=[])
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    ax.grid(axis="y", visible=False)
    return ax
