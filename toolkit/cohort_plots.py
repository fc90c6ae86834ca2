"""Axes-level figures of cohorts: who comes back, and who comes, stays and goes."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from toolkit.tables import require_columns

__all__ = ["plot_lifecycle", "plot_retention", "plot_retention_curves"]

# Of text in cells, in points; smaller can't be read.
_SMALLEST, _LARGEST = 5, 9
_PARTLY = {"hatch": "////", "edgecolor": "0.4", "linewidth": 0}


def plot_retention(
    retention: pd.DataFrame, *, unit: str = "periods", ax: Axes | None = None
) -> Axes:
    """Draw retention as a triangle: a row for each cohort, a column for each age.

    The share stands in each cell, unless cells are too small to read it.  What could not be
    observed is blank, what was observed in part is hatched.  Age 0, where all are there, is
    grey and takes no part in the colours, which start at 0.

    Parameters
    ----------
    retention : pandas.DataFrame
        As `retention` gives it, without groups.
    unit : str, default 'periods'
        What ages are counted in, such as "weeks", for the label.
    ax : matplotlib.axes.Axes, optional
        Where to draw; the current axes if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If a column is missing, or an age of a cohort stands twice.

    See Also
    --------
    plot_retention_curves : the same with intervals.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "cohort": pd.to_datetime(["2024-03-04", "2024-03-04", "2024-03-11"]),
    ...     "age": [0, 1, 0], "age_last": [0, 1, 0], "n_cohort": [8, 8, 5],
    ...     "retention": [1, 0.25, 1], "is_complete": True,
    ... })
    >>> fig, ax = plt.subplots()
    >>> [text.get_text() for text in plot_retention(table, ax=ax).texts]
    ['100%', '25%', '100%']
    """
    columns = ["cohort", "age", "age_last", "n_cohort", "retention", "is_complete"]
    require_columns(retention, columns, "retention")
    _require_once(retention, ["cohort", "age", "age_last"])
    ax = plt.gca() if ax is None else ax
    if len(retention):
        _draw_triangle(ax, retention.sort_values(columns[:3]))
    ax.set(xlabel=f"Age ({unit})", ylabel="Cohort (viewers)")
    if "may_include_earlier" in retention and retention["may_include_earlier"].any():
        ax.set_ylabel("Cohort (viewers; * perhaps not new)")
    ax.grid(False)
    return ax


def plot_retention_curves(
    retention: pd.DataFrame,
    *,
    by: str = "cohort",
    unit: str = "periods",
    ax: Axes | None = None,
) -> Axes:
    """Draw retention as curves over age with their intervals, one for each cohort.

    Parameters
    ----------
    retention : pandas.DataFrame
        As `retention` gives it, of which cells that are not complete are left out; or as
        `project_retention`, whose observed shares are drawn as points.
    by : str, default 'cohort'
        A column that tells curves apart, in the order in which they come; without it there
        is one.
    unit : str, default 'periods'
        What ages are counted in, such as "weeks", for the label.
    ax : matplotlib.axes.Axes, optional
        Where to draw; the current axes if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If a column is missing, or an age of a curve stands twice.

    See Also
    --------
    plot_retention : many cohorts at once.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "age": [0, 1, 2], "retention": [1, 0.4, 0.3], "low": [1, 0.3, 0.2],
    ...     "high": [1, 0.5, 0.4],
    ... })
    >>> fig, ax = plt.subplots()
    >>> plot_retention_curves(table, unit="weeks", ax=ax).get_xlabel()
    'Age (weeks)'
    """
    require_columns(retention, ["age", "retention", "low", "high"], "retention")
    known = [by] if by in retention or by != "cohort" else []
    require_columns(retention, known, "retention")
    _require_once(retention, [*known, "age"])
    ax = plt.gca() if ax is None else ax
    table = retention
    if "is_complete" in table:
        table = table[table["is_complete"].to_numpy(bool)]
    parts = list(table.groupby(by, sort=False, observed=True)) if known else [(None, table)]
    colors = sns.color_palette("viridis", len(parts)) if known else ["C0"]
    for (name, rows), color in zip(parts, colors, strict=True):
        rows = rows.sort_values("age")
        age, share, low, high = (rows[c] for c in ("age", "retention", "low", "high"))
        label = "fitted law" if name is None else _name_of(name, rows)
        ax.plot(age, share, marker="o", markersize=3, color=color, label=label)
        ax.fill_between(age, low, high, color=color, alpha=0.2, linewidth=0)
        if "observed" in rows:
            ax.plot(age, rows["observed"], "o", markersize=5, color="black", label="observed")
    ax.set(xlabel=f"Age ({unit})", ylabel="Share retained", ylim=(0, 1.02))
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(table) and (known or "observed" in table):
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    return ax


def plot_lifecycle(lifecycle: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw who is new, returning and resurrecting above zero, and who is dormant below.

    Parameters
    ----------
    lifecycle : pandas.DataFrame
        As `lifecycle` gives it.  A period that is not complete is hatched; what could not
        be seen is not drawn.
    ax : matplotlib.axes.Axes, optional
        Where to draw; the current axes if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If a column is missing.

    Examples
    --------
    >>> weeks = pd.DataFrame({
    ...     "first_day": pd.to_datetime(["2024-03-04", "2024-03-11"]),
    ...     "last_day": pd.to_datetime(["2024-03-10", "2024-03-17"]),
    ...     "n_new": [5, 1], "n_returning": [0, 3], "n_resurrecting": 0, "n_dormant": [0, 2],
    ...     "is_complete": True,
    ... })
    >>> fig, ax = plt.subplots()
    >>> plot_lifecycle(weeks, ax=ax).get_ylabel()
    'Viewers (dormant below 0)'
    """
    counts = ["n_returning", "n_resurrecting", "n_new", "n_dormant"]
    require_columns(lifecycle, ["first_day", "last_day", *counts, "is_complete"], "lifecycle")
    ax = plt.gca() if ax is None else ax
    numbers = lifecycle[counts].astype("float64").fillna(0)
    earlier = np.zeros(len(lifecycle), dtype=bool)
    if "may_include_earlier" in lifecycle:
        earlier = lifecycle["may_include_earlier"].fillna(False).to_numpy(bool)
    layers = {
        "returning": (numbers["n_returning"], "C0"),
        "resurrecting": (numbers["n_resurrecting"], "C2"),
        "new": (numbers["n_new"] * ~earlier, "C1"),
        "new to the log": (numbers["n_new"] * earlier, ("C1", 0.4)),
        "dormant": (-numbers["n_dormant"], "C7"),
    }
    width = (lifecycle["last_day"] - lifecycle["first_day"]) / pd.Timedelta(days=1) + 1
    partly = ~lifecycle["is_complete"].to_numpy(bool)
    top, handles = np.zeros(len(lifecycle)), []
    for name, (height, color) in layers.items():
        bottom = np.where(height > 0, top, 0)
        bars = ax.bar(
            lifecycle["first_day"], height, width * 0.9, bottom, align="edge", color=color
        )
        top = top + height.clip(lower=0)
        for bar in np.array(bars.patches)[partly]:
            bar.set(**_PARTLY)
        if height.any():
            handles.append(Patch(color=color, label=name))
    if partly.any():
        handles.append(Patch(facecolor="none", label="observed in part", **_PARTLY))
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1))
    ax.axhline(0, color="0.3", linewidth=0.8)
    locator = AutoDateLocator()
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.yaxis.set_major_formatter(FuncFormatter(_without_sign))
    ax.set(xlabel="First day of the period", ylabel="Viewers (dormant below 0)")
    ax.grid(axis="x", visible=False)
    return ax


def _require_once(table: pd.DataFrame, columns: list) -> None:
    if (again := table.duplicated(columns)).any():
        found = dict(table.loc[again, columns].iloc[0])
        raise ValueError(
            f"`retention` must have one row for each {' and '.join(columns)}, found two of "
            f"{', '.join(map(str, found.values()))}."
        )


def _name_of(name, rows: pd.DataFrame) -> str:
    """Return what a curve or row is called, with its viewers; * where some may not be new."""
    name = f"{name:%Y-%m-%d}" if isinstance(name, pd.Timestamp) else f"{name}"
    if "n_cohort" in rows:
        name = f"{name} ({rows['n_cohort'].iloc[0]:,})"
    is_earlier = "may_include_earlier" in rows and rows["may_include_earlier"].any()
    return f"{name} *" if is_earlier else name


def _draw_triangle(ax: Axes, table: pd.DataFrame) -> None:
    cohorts, ages = table.groupby("cohort"), table.groupby(["age", "age_last"])
    row, column = cohorts.ngroup().to_numpy(), ages.ngroup().to_numpy()
    shape = cohorts.ngroups, ages.ngroups
    share, is_later = table["retention"].to_numpy(), (table["age_last"] > 0).to_numpy()
    colours, texts = np.full(shape, np.nan), np.full(shape, "", dtype=object)
    # Age 0 lies above all that have a colour of their own.
    colours[row, column] = np.where(is_later, share, 2)
    texts[row, column] = [f"{part:.0%}" for part in share]
    sns.heatmap(
        pd.DataFrame(
            colours,
            [_name_of(cohort, rows) for cohort, rows in cohorts],
            [f"{a}-{b}" if a < b else f"{a}" for a, b in ages.groups],
        ),
        annot=texts, fmt="", linewidths=1, ax=ax, vmin=0,
        vmax=share[is_later].max(initial=0) or 1,
        cmap=sns.color_palette("crest", as_cmap=True).with_extremes(over="0.9"),
        cbar_kws={"label": "Share retained", "format": PercentFormatter(1)},
    )  # fmt: skip
    partly = ~table["is_complete"].to_numpy(bool)
    for x, y in zip(column[partly], row[partly], strict=True):
        ax.add_patch(Rectangle((x, y), 1, 1, fill=False, **_PARTLY))
    if partly.any():
        part = Patch(facecolor="none", label="observed in part", **_PARTLY)
        ax.legend(handles=[part], loc="upper left", bbox_to_anchor=(0, -0.2))
    ax.tick_params(axis="y", rotation=0)
    _fit_texts(ax, shape)


def _fit_texts(ax: Axes, shape: tuple[int, int]) -> None:
    """Make the texts of cells as small as they must be, and take them away if that is too small."""
    box = ax.get_window_extent()
    high, wide = np.array([box.height, box.width]) * 72 / ax.figure.dpi / shape
    # A share such as 100% is about three times as wide as its text is high.
    size = min(wide / 3.1, high / 1.2, _LARGEST)
    for text in list(ax.texts):
        text.set_fontsize(size)
        if size < _SMALLEST:
            text.remove()
    if size < _SMALLEST:
        # Lines around cells so small would hide them.
        ax.collections[0].set_linewidth(0)


def _without_sign(n, _):
    return f"{abs(n):,.0f}"
