import io
import warnings
from functools import cache

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import seaborn as sns
import seaborn.objects as so
from cycler import cycler
from matplotlib import collections as mcollections
from matplotlib import patches as mpatches
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnchoredText
from matplotlib.path import Path
from pandas.testing import assert_frame_equal

from toolkit.drawn import figure_data, uncovered_artists

V = np.array([3.1, 1.7, 4.4, 2.3, 5.9, 2.8])
X = np.arange(6.0)
LETTERS = list("abcdef")
DAYS = pd.to_datetime("2024-01-01") + pd.to_timedelta(X * 36, "h")
GRID = np.add.outer(X, X)
TWO = list("pqpqpq")


def values(fig, artist, field, axes=0):
    table = figure_data(fig)
    here = (table["axes"] == axes) & (table["artist"] == artist) & (table["field"] == field)
    return table["value"][here.fillna(False)].tolist()


def labels(fig, artist, axes=0):
    """The label of an artist, or those of its items."""
    table = figure_data(fig).query("axes == @axes and artist == @artist and field in ('x', 'text')")
    found = table["label"].tolist()
    return found[0] if len(set(found)) == 1 else found


def hillside(v):
    grid = GRID.copy()
    grid[1:3, 1:4] = v.reshape(2, 3)
    return grid


def after(v, unit="D"):
    return [DAYS[0] + pd.Timedelta(number, unit) for number in v]


def frame(v):
    return pd.DataFrame({"x": X, "y": v, "h": TWO, "s": list("aabbcc")})


# What draws six numbers into axes, each of them so that it can be seen.
ON_AXES = {
    "line": lambda ax, v: ax.plot(X, v),
    "steps": lambda ax, v: ax.step(v, X),
    "stairs": lambda ax, v: ax.stairs(v[:-1], v.cumsum()),
    "points": lambda ax, v: ax.scatter(v, X),
    "values of points": lambda ax, v: ax.scatter(X, X, c=v),
    "sizes of points": lambda ax, v: ax.scatter(X, X, s=v),
    "opacity of points": lambda ax, v: ax.scatter(X, X, alpha=v / 7),
    "edges of points": lambda ax, v: ax.scatter(X, X, linewidths=v),
    "bars": lambda ax, v: ax.bar(LETTERS, v),
    "lying bars": lambda ax, v: ax.barh(LETTERS, v),
    "error bars": lambda ax, v: ax.bar(X, X, yerr=v),
    "stacked bars": lambda ax, v: (ax.bar(X, X), ax.bar(X, X, bottom=v)),
    "bars of days": lambda ax, v: ax.barh(X, [pd.Timedelta(n, "D") for n in v], left=DAYS),
    "broken bars": lambda ax, v: ax.broken_barh([(n, 1) for n in v], (0, 1)),
    "histogram": lambda ax, v: ax.hist(X, bins=v.cumsum()),
    "outlined histogram": lambda ax, v: ax.hist(X, weights=v, histtype="step"),
    "seaborn's histogram": lambda ax, v: sns.histplot(x=X, weights=v, element="poly", ax=ax),
    "density": lambda ax, v: sns.kdeplot(x=v, fill=True, ax=ax),
    "rug": lambda ax, v: sns.rugplot(x=v, ax=ax),
    "distribution": lambda ax, v: ax.ecdf(v),
    "area": lambda ax, v: ax.fill(X, v),
    "band": lambda ax, v: ax.fill_between(DAYS, v),
    "stacked areas": lambda ax, v: ax.stackplot(X, v, X),
    "error bars of points": lambda ax, v: ax.errorbar(X, X, xerr=v, yerr=[v, X], uplims=True),
    "stems": lambda ax, v: ax.stem(X, v),
    "events": lambda ax, v: ax.eventplot([v, X]),
    "segments": lambda ax, v: ax.vlines(X, 0, v),
    "widths of segments": lambda ax, v: ax.vlines(X, 0, X, linewidths=v),
    "values of segments": lambda ax, v: ax.vlines(X, 0, X, array=v),
    "upright lines": lambda ax, v: [ax.axvline(n) for n in v],
    "spans": lambda ax, v: [ax.axhspan(0, n) for n in v],
    "slopes": lambda ax, v: [ax.axline((0, 1), slope=n) for n in v],
    "lines through two points": lambda ax, v: [ax.axline((0, 1), (2, n)) for n in v],
    "violins": lambda ax, v: ax.violinplot([v, X]),
    "seaborn's violins": lambda ax, v: sns.violinplot(x=list("aaabbb"), y=v, ax=ax),
    "swarm": lambda ax, v: sns.swarmplot(x=list("aabbcc"), y=v, ax=ax),
    "strip": lambda ax, v: sns.stripplot(x=list("aabbcc"), y=v, hue=TWO, ax=ax, jitter=False),
    "means": lambda ax, v: sns.pointplot(x=list("aabbcc"), y=v, ax=ax, seed=0, n_boot=9),
    "fit": lambda ax, v: sns.regplot(x=X, y=v, ax=ax, seed=0, n_boot=9),
    "heat map": lambda ax, v: sns.heatmap(v.reshape(2, 3), ax=ax),
    "mesh": lambda ax, v: ax.pcolormesh(v.reshape(2, 3), shading="gouraud"),
    "edges of a mesh": lambda ax, v: ax.pcolormesh(v.cumsum(), X, np.ones((5, 5))),
    "leaning mesh": lambda ax, v: ax.pcolormesh(GRID + hillside(v), GRID, np.ones((5, 5))),
    "old mesh": lambda ax, v: ax.pcolor(v.reshape(2, 3)),
    "image": lambda ax, v: ax.imshow(v.reshape(2, 3)),
    "photograph": lambda ax, v: ax.imshow(np.stack([v.reshape(2, 3) / 7] * 3, -1)),
    "contours": lambda ax, v: ax.contour(hillside(v)),
    "filled contours": lambda ax, v: ax.contourf(hillside(v)),
    "levels": lambda ax, v: ax.contour(GRID, levels=v.cumsum() / 3),
    "hexagons": lambda ax, v: ax.hexbin(X, X, C=v, gridsize=5),
    "squares": lambda ax, v: ax.hist2d(X, X, weights=v),
    "pie": lambda ax, v: ax.pie(v),
    "triangles": lambda ax, v: ax.tripcolor([0, 1, 0, 1, 0, 1], [0, 0, 1, 1, 2, 2], v),
    "circles": lambda ax, v: [ax.add_patch(mpatches.Circle((0, n), 1)) for n in v],
    "turned squares": lambda ax, v: [
        ax.add_patch(mpatches.Rectangle((0, 0), 1, 1, angle=n)) for n in v
    ],
    "rectangle of days": lambda ax, v: (
        ax.plot(DAYS, X),
        [ax.add_patch(mpatches.Rectangle((d, 0), pd.Timedelta("1d"), 1)) for d in after(v)],
    ),
    "arrows": lambda ax, v: [ax.arrow(0, 0, n, 1) for n in v],
    "stamps": lambda ax, v: ax.add_collection(
        mcollections.PolyCollection(
            [[(0, 0), (1, 1), (1, 0)]],
            offsets=np.c_[X, v],
            offset_transform=ax.transData,
        )
    ),
    "sizes of stamps": lambda ax, v: ax.add_collection(
        mcollections.PolyCollection(
            [[(0, 0), (1, 1), (1, 0)]],
            sizes=v,
            offsets=np.c_[X, X],
            offset_transform=ax.transData,
        )
    ),
    "notes with arrows": lambda ax, v: [
        ax.annotate("n", (n, 1), (0, 0), arrowprops={"arrowstyle": "->"}) for n in v
    ],
    "notes beside the data": lambda ax, v: [
        ax.annotate("n", (n, 0.5), xycoords=("data", "axes fraction")) for n in v
    ],
    "notes in other units": lambda ax, v: [
        ax.annotate("n", (n, 0.5), xycoords=ax.get_xaxis_transform()) for n in v
    ],
    "notes at days": lambda ax, v: (
        ax.plot(DAYS, X),
        [ax.annotate("n", (day, 1)) for day in after(v)],
    ),
    "words": lambda ax, v: [ax.text(0, 0, f"{n:.3f}") for n in v],
    "words in a row": lambda ax, v: [
        ax.text(n, 0.9, "w", transform=ax.get_xaxis_transform()) for n in v
    ],
    "words at days": lambda ax, v: (ax.plot(DAYS, X), [ax.text(d, 1, "w") for d in after(v)]),
    "words at names": lambda ax, v: (ax.bar(LETTERS, X), [ax.text("b", n, "w") for n in v]),
    "names of bars": lambda ax, v: ax.bar_label(ax.bar(X, X), labels=[f"{n:.3f}" for n in v]),
    "titles": lambda ax, v: ax.set(title=str(v[:2]), xlabel=str(v[2:4]), ylabel=str(v[4:])),
    "title on the left": lambda ax, v: ax.set_title(str(v), loc="left"),
    "places of ticks": lambda ax, v: ax.set_xticks(v.cumsum(), LETTERS),
    "names of ticks": lambda ax, v: ax.set_yticks(X, [f"{n:.3f}" for n in v]),
    "inset": lambda ax, v: ax.inset_axes([0, 0, 0.3, 0.3]).inset_axes([0, 0, 1, 1]).plot(v),
    "second axis": lambda ax, v: (ax.plot(X), ax.twinx().plot(v)),
    "logarithms": lambda ax, v: ax.loglog(X, v),
    "signed logarithms": lambda ax, v: (ax.plot(-v), ax.set_yscale("symlog")),
    "days": lambda ax, v: ax.plot(after(v), X),
    "days of Python": lambda ax, v: ax.plot([d.to_pydatetime() for d in after(v)], X),
    "zoned days": lambda ax, v: ax.scatter([d.tz_localize("Asia/Tokyo") for d in after(v)], X),
    "upright days": lambda ax, v: [ax.axvline(day) for day in after(v)],
    "spans of days": lambda ax, v: [ax.axvspan(DAYS[0], day) for day in after(v)],
    "mesh of days": lambda ax, v: ax.pcolormesh(after(v.cumsum()), X, np.ones((5, 5))),
    "pandas' line": lambda ax, v: pd.Series(v, index=DAYS).plot(ax=ax),
    "pandas' bars": lambda ax, v: pd.Series(v, index=LETTERS).plot.bar(ax=ax),
    "pandas' areas": lambda ax, v: pd.DataFrame({"a": v, "b": X}).plot.area(ax=ax),
    "pandas' points": lambda ax, v: frame(v).plot.scatter("x", "x", c="y", ax=ax),
    "long pause": lambda ax, v: ax.plot(pd.to_timedelta(v, "h").total_seconds(), X),
    "infinity": lambda ax, v: ax.plot([*v, np.inf, -np.inf, np.nan, 1e300]),
    "masked": lambda ax, v: ax.plot(np.ma.array([*v, 9.0], mask=[0] * 6 + [1])),
    "seaborn's points": lambda ax, v: sns.scatterplot(
        frame(v), x="x", y="y", hue="h", style="s", size="x", ax=ax
    ),
    "seaborn's lines": lambda ax, v: sns.lineplot(
        frame(v), x="x", y="y", hue="h", style="s", markers=True, errorbar=None, ax=ax
    ),
}
POLAR = {
    "round line": lambda ax, v: ax.plot(X, v),
    "round bars": lambda ax, v: ax.bar(v, X),
    "round names": lambda ax, v: ax.set_xticks(X, [f"{n:.3f}" for n in v]),
}


def with_insides(v):
    fig = plt.figure()
    left, right = fig.subfigures(1, 2)
    left.subplots().plot(v[:2])
    for part, numbers in ((left, v[2:3]), (right, v[3:5]), (fig, v[5:])):
        part.suptitle(str(numbers))
    return fig


def without_axes(v):
    fig = plt.figure()
    fig.add_artist(Line2D([0, 1], v[:2]))
    fig.add_artist(mpatches.Rectangle(v[2:4], 1, 1))
    fig.add_artist(mcollections.LineCollection([[(0, 0), v[4:]]]))
    fig.add_artist(mcollections.PathCollection([Path.unit_circle()], offsets=[[0, 1]]))
    return fig


def line_on_colour_bar(v):
    fig, ax = plt.subplots()
    bar = fig.colorbar(ax.scatter(X, X, c=X))
    for number in v:
        bar.ax.axhline(number)
    return fig


FIGURES = {
    "subfigures": with_insides,
    "figure's own": without_axes,
    "line on a colour bar": line_on_colour_bar,
    "facets": lambda v: sns.relplot(frame(v), x="x", y="y", hue="h", col="s", height=1).figure,
    "categories": lambda v: sns.catplot(frame(v), x="s", y="y", hue="h", kind="bar").figure,
    "joint": lambda v: sns.jointplot(frame(v), x="x", y="y", hue="h", marginal_kws={}).figure,
    "clusters": lambda v: sns.clustermap(v.reshape(2, 3)).figure,
}
for _mark in (so.Dot, so.Dots, so.Line, so.Lines, so.Area, so.Bar, so.Bars, so.Dash):
    FIGURES[f"so.{_mark.__name__}"] = lambda v, mark=_mark: (
        so.Plot(frame(v), x="x", y="y", color="h").add(mark()).plot()._figure
    )


def drawing(name):
    if name in FIGURES:
        return FIGURES[name]

    def draw(v):
        fig, ax = plt.subplots(subplot_kw={"projection": "polar"} if name in POLAR else {})
        (ON_AXES | POLAR)[name](ax, v)
        return fig

    return draw


ALL = [*ON_AXES, *POLAR, *FIGURES]
UNREADABLE = {
    "Quiver": lambda ax: ax.quiver(X, X, V, V),
    "Barbs": lambda ax: ax.barbs(X, X, V, V),
    "FancyArrowPatch": lambda ax: ax.streamplot(X, X, GRID, GRID),
    "Table": lambda ax: ax.table([["1"]]),
    "TriMesh": lambda ax: ax.tripcolor([0, 1, 0], [0, 0, 1], [1, 2, 3], shading="gouraud"),
    "InsetIndicator": lambda ax: ax.indicate_inset([0, 0, 1, 1]),
    "SecondaryAxis": lambda ax: ax.secondary_xaxis("top"),
    "AnchoredText": lambda ax: ax.add_artist(AnchoredText("n = 3", loc="upper left")),
    "Arc": lambda ax: ax.add_patch(mpatches.Arc((0, 0), 1, 1)),
    "FancyBboxPatch": lambda ax: ax.add_patch(mpatches.FancyBboxPatch((0, 0), 1, 1)),
    "CircleCollection": lambda ax: ax.add_collection(mcollections.CircleCollection([1])),
    "colours of PathCollection": lambda ax: ax.scatter(X, X, c=mpl.colormaps["viridis"](V / 7)),
    "colours of LineCollection": lambda ax: ax.vlines(X, 0, 1, colors=["red", "blue"]),
}


def png(fig):
    file = io.BytesIO()
    fig.savefig(file, format="png", dpi=30)
    return file.getvalue()


@pytest.fixture(autouse=True)
def _quiet_libraries():
    # Seaborn and pandas use what matplotlib gives up; reading a figure must not warn at all.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read(fig):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return figure_data(fig), uncovered_artists(fig)


@cache
def as_drawn(name):
    return read(drawing(name)(V))


class TestFigureData:
    def test_a_row_is_a_number_or_a_word(self):
        fig, ax = plt.subplots()
        ax.plot([1, 2], [5, np.nan], label="open")
        ax.set(title="Streaks", ylabel="days")
        fig.suptitle("All")

        expected = pd.DataFrame(
            [
                (pd.NA, "text 0", "", "text", 0, "All"),
                (0, "axes", "", "title", 0, "Streaks"),
                (0, "axes", "", "ylabel", 0, "days"),
                (0, "axes", "", "xscale", 0, "linear"),
                (0, "axes", "", "yscale", 0, "linear"),
                (0, "line 0", "open", "x", 0, 1.0),
                (0, "line 0", "open", "x", 1, 2.0),
                (0, "line 0", "open", "y", 0, 5.0),
                (0, "line 0", "open", "y", 1, np.nan),
            ],
            columns=["axes", "artist", "label", "field", "index", "value"],
        ).astype({"axes": "Int64", "artist": "str", "label": "str", "field": "str"})
        assert_frame_equal(figure_data(fig), expected)

    def test_an_empty_figure_has_the_same_columns(self):
        full = figure_data(drawing("line")(V))
        assert_frame_equal(figure_data(plt.figure()), full.iloc[:0])

    @pytest.mark.parametrize("name", ALL)
    def test_a_number_that_moves_by_a_hundredth_shows(self, name):
        before, missing = as_drawn(name)
        assert missing == []
        for number in (0, 4):
            moved = V.copy()
            moved[number] *= 1.01
            assert not read(drawing(name)(moved))[0].equals(before), f"number {number} is unseen"

    @pytest.mark.parametrize("name", ALL)
    def test_another_look_does_not_show(self, name):
        look = mpl.style.library["dark_background"] | {
            "axes.prop_cycle": cycler(color=sns.color_palette("husl", 10)),
            "image.cmap": "magma",
            "font.family": "serif",
            "font.size": 17,
            "lines.linewidth": 4,
            "lines.markersize": 11,
            "figure.dpi": 55,
            "figure.figsize": (9, 3),
        }
        before, _ = as_drawn(name)
        with mpl.rc_context(look):
            after, missing = read(drawing(name)(V))
        assert_frame_equal(after, before)
        assert missing == []

    @pytest.mark.parametrize("name", ["pandas' line", "swarm", "values of points", "categories"])
    def test_reading_changes_nothing_nor_does_drawing(self, name):
        fig, untouched = drawing(name)(V), drawing(name)(V)
        before, _ = read(fig)
        assert png(fig) == png(untouched)
        after, missing = read(fig)
        assert_frame_equal(after, before)
        assert missing == []

    def test_dates_are_words_to_the_second(self):
        fig, ax = plt.subplots()
        ax.plot(pd.to_datetime(["2017-12-10 00:00", "2017-12-10 20:15", None]), X[:3])
        assert values(fig, "line 0", "x") == ["2017-12-10", "2017-12-10T20:15:00", np.nan]
        assert values(fig, "line 0", "y") == [0, 1, 2]

    def test_days_before_1970_and_beyond_reason_are_read(self):
        fig, ax = plt.subplots()
        ax.plot(pd.to_datetime(["1969-12-31 12:00"]), [1])
        ax.lines[0].set_xdata([-0.5, 1e30, np.inf])
        ax.lines[0].set_ydata([1, 1, 1])
        assert values(fig, "line 0", "x") == ["1969-12-31T12:00:00", np.nan, np.nan]

    @pytest.mark.parametrize(
        ("freq", "expected"),
        [
            ("M", ["2024-01-01", "2024-02-01"]),
            ("D", ["2024-01-01", "2024-01-02"]),
            ("h", ["2024-01-01", "2024-01-01T01:00:00"]),
        ],
    )
    def test_periods_of_pandas_are_read_as_their_first_moment(self, freq, expected):
        fig, ax = plt.subplots()
        periods = pd.period_range("2024-01-01", periods=2, freq=freq)
        pd.Series([1.0, 2.0], index=periods).plot(ax=ax)
        assert values(fig, "line 0", "x") == expected

    def test_widths_on_an_axis_of_dates_are_days(self):
        fig, ax = plt.subplots()
        ax.barh(["a"], [pd.Timedelta("36h")], left=[DAYS[0]])
        assert values(fig, "bars 0", "x") == ["2024-01-01"]
        assert values(fig, "bars 0", "width") == [1.5]

    def test_categories_are_numbers_whose_names_are_ticks(self):
        fig, ax = plt.subplots()
        ax.scatter(["b", "a", "b"], [1, 2, 3])
        assert values(fig, "points 0", "x") == [0, 1, 0]
        assert values(fig, "xticks", "place") == [0, 1]
        assert values(fig, "xticks", "text") == ["b", "a"]

    def test_ticks_that_matplotlib_chooses_are_left_out(self):
        fig, ax = plt.subplots()
        ax.plot(DAYS, V)
        ax.set_yticks([1, 2])
        assert not figure_data(fig)["artist"].isin(["xticks", "yticks"]).any()

    def test_positions_within_the_frame_are_left_out(self):
        fig, ax = plt.subplots()
        ax.text(0.2, 0.3, "corner", transform=ax.transAxes)
        ax.text(5, 0.3, "row", transform=ax.get_xaxis_transform())
        ax.annotate("tip", (7, 0.5), xycoords=("data", "axes fraction"))
        ax.annotate("far", (7, 0.5), xycoords=ax.get_yaxis_transform())
        found = figure_data(fig).query("artist.str.startswith('text')")
        assert found[["artist", "field", "value"]].to_numpy().tolist() == [
            ["text 0", "text", "corner"],
            ["text 1", "x", 5.0],
            ["text 1", "x", 7.0],
            ["text 1", "text", "row"],
            ["text 1", "text", "tip"],
            ["text 2", "y", 0.5],
            ["text 2", "text", "far"],
        ]

    def test_empty_words_and_invisible_artists_are_left_out(self):
        fig, ax = plt.subplots()
        ax.text(0, 0, "")
        ax.plot(V, visible=False)
        fig.add_subplot(2, 2, 1, visible=False).plot(V)
        assert figure_data(fig)["artist"].unique().tolist() == ["axes"]
        assert uncovered_artists(fig) == []

    def test_the_scale_of_a_colour_bar_is_left_out_but_not_its_name(self):
        fig, ax = plt.subplots()
        bar = fig.colorbar(ax.scatter(X, X, c=V), extend="both", label="people")
        bar.set_ticks([1, 2], labels=["low", "high"])
        found = figure_data(fig).query("axes == 1")
        assert found["artist"].unique().tolist() == ["axes", "yticks"]
        assert values(fig, "axes", "ylabel", axes=1) == ["people"]
        assert values(fig, "yticks", "text", axes=1) == ["low", "high"]

    @pytest.mark.parametrize(
        ("left", "right"),
        [
            ({"X": GRID[:2, :3]}, {"X": GRID[:2, :3].reshape(3, 2)}),
            ({"X": GRID[:2], "origin": "upper"}, {"X": GRID[:2], "origin": "lower"}),
        ],
    )
    def test_shape_and_way_up_of_an_image_show(self, left, right):
        drawn = []
        for image in (left, right):
            fig, ax = plt.subplots()
            ax.imshow(**image, extent=(0, 1, 0, 1))
            drawn.append(figure_data(fig))
        assert not drawn[0].equals(drawn[1])

    @pytest.mark.parametrize("where", ["pre", "mid"])
    def test_which_way_a_line_steps_shows(self, where):
        fig, ax = plt.subplots()
        ax.step(X, V, where=where)
        assert values(fig, "line 0", "steps") == [f"steps-{where}"]

    def test_sizes_are_shares_of_the_largest_where_they_differ(self):
        fig, ax = plt.subplots()
        ax.scatter([1, 2, 3], [1, 1, 1], s=[10, 40, np.nan])
        ax.scatter([1, 2], [1, 1], s=[40, 40])
        assert values(fig, "points 0", "size") == pytest.approx([0.25, 1, np.nan], nan_ok=True)
        assert values(fig, "points 1", "size") == []

    def test_a_size_beyond_all_bounds_is_no_reason_to_warn(self):
        fig, ax = plt.subplots()
        ax.scatter([1, 2], [1, 1]).set_sizes([np.inf, 1])
        assert len(read(fig)[0].query("field == 'size'")) == 2

    def test_shapes_are_numbered_in_order_of_appearance(self):
        table = pd.DataFrame({"x": [1, 2, 3], "s": ["q", "p", "q"]})
        for markers in (["X", "o"], ["s", "^"]):
            fig, ax = plt.subplots()
            sns.scatterplot(
                table, x="x", y="x", style="s", style_order="pq", markers=markers, ax=ax
            )
            assert values(fig, "points 0", "marker") == [0, 1, 0]

    def test_words_of_all_parts_of_a_figure_are_counted_together(self):
        table = figure_data(with_insides(V))
        own = table[table["axes"].isna()]
        assert own["artist"].tolist() == ["text 0", "text 1", "text 2"]
        assert not table.duplicated(["axes", "artist", "field", "index"]).any()

    def test_rectangles_and_hexagons_have_their_corners_and_places(self):
        fig, ax = plt.subplots()
        ax.bar([1], [3], bottom=[2], width=0.5)
        ax.axvspan(1, 4)
        assert [values(fig, "bars 0", field) for field in ("x", "y", "width", "height")] == [
            [0.75],
            [2],
            [0.5],
            [3],
        ]
        assert [values(fig, "bars 1", field) for field in ("x", "width")] == [[1], [3]]

    def test_a_missing_square_of_a_mesh_is_a_gap(self):
        fig, ax = plt.subplots()
        ax.pcolormesh([0, 1, 3], [0, 2], np.ma.array([[1.0, 2.0]], mask=[[False, True]]))
        assert values(fig, "mesh 0", "x") == [0, 1, 3]
        assert values(fig, "mesh 0", "y") == [0, 2]
        assert values(fig, "mesh 0", "value") == pytest.approx([1, np.nan], nan_ok=True)

    def test_a_slope_has_its_points(self):
        fig, ax = plt.subplots()
        ax.axline((1, 2), slope=3)
        ax.axline((1, 2), (5, 6))
        assert values(fig, "line 0", "slope") == [3]
        assert values(fig, "line 0", "x") == pytest.approx([1, np.nan], nan_ok=True)
        assert values(fig, "line 1", "y") == [2, 6]
        assert values(fig, "line 1", "slope") == pytest.approx([np.nan], nan_ok=True)

    def test_hatches_are_numbered_where_bars_differ_by_them(self):
        for looks, hatches in [
            (["", "//", "..", "//"], [0, 1, 2, 1]),
            (["//", "", "", ""], [1, 0, 0, 0]),
            (["//"] * 4, []),
            ([""] * 4, []),
        ]:
            fig, ax = plt.subplots()
            ax.bar(range(4), range(4), hatch=looks)
            assert figure_data(fig).query("field == 'hatch'")["value"].tolist() == hatches


class TestLabels:
    @pytest.mark.parametrize("with_own_names", [True, False])
    @pytest.mark.parametrize("kind", ["plot", "scatter", "bar", "fill_between", "vlines", "step"])
    def test_two_colours_that_are_swapped_swap_the_names(self, kind, with_own_names):
        found = []
        for colours in (["C0", "C1"], ["C1", "C0"]):
            fig, ax = plt.subplots()
            for shift, name, colour in zip((0, 9), "pq", colours, strict=True):
                more = {"label": name} if with_own_names else {}
                between = (0, V + shift) if kind == "vlines" else (V + shift,)
                getattr(ax, kind)(X, *between, color=colour, **more)
            handles = [Line2D([], [], color="C0"), Line2D([], [], color="C1")]
            ax.legend(handles=handles, labels=["p", "q"])
            table = figure_data(fig).query("field == 'x' and artist != 'legend 0'")
            found.append(table["label"].drop_duplicates().tolist())
        assert found == [["p", "q"], ["q", "p"]]

    def test_swapping_the_entries_swaps_the_names(self):
        for names in (["p", "q"], ["q", "p"]):
            fig, ax = plt.subplots()
            lines = ax.plot(X, np.c_[V, -V])
            ax.legend(lines, names)
            assert [labels(fig, "line 0"), labels(fig, "line 1")] == names

    def test_an_artist_without_an_entry_keeps_its_own_name(self):
        fig, ax = plt.subplots()
        ax.plot(X, color="C0", label="own")
        ax.plot(X, color="C1")
        ax.plot(X, color="C2", label="_hidden")
        ax.legend([ax.lines[1]], ["other"])
        assert [labels(fig, f"line {n}") for n in range(3)] == ["own", "other", ""]

    def test_bars_error_bars_and_stems_have_the_name_of_all(self):
        fig, ax = plt.subplots()
        ax.bar(X, V, label="bars", color="C0")
        ax.errorbar(X, V, yerr=1, label="errors", color="C1")
        ax.stem(X, V, label="stems", linefmt="C2-")
        ax.errorbar(X, V, yerr=1, color="C3")
        names = [labels(fig, name) for name in ("bars 0", "line 0", "lines 0", "lines 1")]
        assert names == ["bars", "errors", "errors", "stems"]
        assert labels(fig, "lines 2") == ""

    def test_each_bar_has_the_name_of_its_colour(self):
        fig, ax = plt.subplots()
        ax.bar([1, 2, 3], [1, 2, 3], color=["C0", "C1", "C0"])
        ax.legend(handles=[mpatches.Patch(color="C0", label="p"), mpatches.Patch(color="C1")])
        assert labels(fig, "bars 0") == ["p", "", "p"]

    def test_each_point_has_the_name_of_its_colour_also_where_colours_come_round(self):
        fig, ax = plt.subplots()
        ax.scatter(X, X, c=["C0", "C1"] * 3)
        ax.add_collection(
            mcollections.LineCollection([[(n, 0), (n, 1)] for n in range(3)], colors=["C0", "C1"])
        )
        ax.legend(
            handles=[mpatches.Patch(color=f"C{n}", label=name) for n, name in enumerate("pq")]
        )
        assert labels(fig, "points 0") == ["p", "q"] * 3
        assert labels(fig, "lines 0") == ["p", "p", "q", "q", "p", "p"]
        assert uncovered_artists(fig) == []

    @pytest.mark.parametrize(
        "looks",
        [
            ({"linestyle": "-"}, {"linestyle": "--"}),
            ({"linestyle": (0, (4, 1))}, {"linestyle": (0, (1, 1))}),
            ({"marker": "o"}, {"marker": "s"}),
            ({"alpha": 1}, {"alpha": 0.4}),
        ],
    )
    def test_lines_of_one_colour_go_by_dashes_marker_and_opacity(self, looks):
        fig, ax = plt.subplots()
        for look in looks:
            ax.plot(X, color="C0", **look)
        handles = [
            Line2D([], [], color="C0", label=n, **k) for n, k in zip("pq", looks, strict=True)
        ]
        ax.legend(handles=handles[::-1])
        assert [labels(fig, "line 0"), labels(fig, "line 1")] == ["p", "q"]

    def test_bars_of_one_colour_go_by_hatch_and_opacity(self):
        fig, ax = plt.subplots()
        looks = {"p": {"hatch": "//"}, "q": {"hatch": ".."}, "r": {"hatch": "//", "alpha": 0.4}}
        for look in looks.values():
            ax.bar([1], [1], color="C0", **look)
        ax.legend(
            handles=[mpatches.Patch(facecolor="C0", label=n, **look) for n, look in looks.items()]
        )
        assert labels(fig, "bars 0") == ["p", "q", "r"]

    def test_points_of_one_colour_go_by_their_shape(self):
        table = pd.DataFrame({"x": [1, 2, 3], "s": ["p", "q", "p"]})
        fig, ax = plt.subplots()
        sns.scatterplot(table, x="x", y="x", style="s", ax=ax)
        assert labels(fig, "points 0") == ["p", "q", "p"]

    def test_line_points_and_area_of_one_colour_are_told_apart(self):
        fig, ax = plt.subplots()
        ax.plot(X, color="C0")
        ax.scatter(X, X, color="C0")
        ax.fill_between(X, V, color="C0")
        ax.legend([ax.collections[1], ax.collections[0], ax.lines[0]], ["band", "data", "fit"])
        names = [labels(fig, name) for name in ("line 0", "points 0", "area 0")]
        assert names == ["fit", "data", "band"]

    def test_entries_that_cannot_be_told_apart_name_nothing(self):
        fig, ax = plt.subplots()
        ax.scatter(X, X, s=V, color="C0")
        points = [Line2D([], [], color="C0", marker="o", ms=n, ls="", label=n) for n in (3, 6)]
        ax.legend(handles=points)
        assert labels(fig, "points 0") == ""

    def test_open_points_go_by_their_edge(self):
        fig, ax = plt.subplots()
        for colour in ("C0", "C1"):
            ax.plot(X, "o", mfc="none", mec=colour)
            ax.scatter(X, X, facecolors="none", edgecolors=colour)
            ax.add_patch(mpatches.Circle((0, 0), 1, fill=False, edgecolor=colour))
        ax.legend(
            handles=[mpatches.Patch(color="C0", label="p"), mpatches.Patch(color="C1", label="q")]
        )
        for kind in ("line", "points", "patch"):
            assert [labels(fig, f"{kind} {n}") for n in (0, 1)] == ["p", "q"]

    def test_two_legends_in_one_axes_both_count(self):
        fig, ax = plt.subplots()
        lines = ax.plot(X, np.c_[V, -V])
        ax.add_artist(ax.legend([lines[0]], ["p"]))
        ax.legend([lines[1]], ["q"])
        assert [labels(fig, "line 0"), labels(fig, "line 1")] == ["p", "q"]

    @pytest.mark.parametrize("owner", ["figure", "subfigure", "twin", "other panel"])
    def test_a_legend_elsewhere_counts_where_there_is_none(self, owner):
        fig = plt.figure()
        part = fig.subfigures(1, 2)[0]
        ax, other = (fig if owner == "other panel" else part).subplots(1, 2)
        (line,) = ax.plot(V)
        homes = {"figure": fig, "subfigure": part, "other panel": other}
        (homes.get(owner) or ax.twinx()).legend([line], ["p"])
        assert labels(fig, "line 0") == "p"

    def test_the_legend_of_a_twin_goes_before_that_of_another_panel(self):
        fig, (ax, other) = plt.subplots(1, 2)
        (line,) = ax.plot(V)
        ax.twinx().legend([line], ["p"])
        other.legend(other.plot(V), ["q"])
        assert labels(fig, "line 0") == "p"

    def test_a_legend_of_its_own_goes_before_that_of_another_panel(self):
        fig, (ax, other) = plt.subplots(1, 2)
        ax.plot(V, label="p")
        other.plot(V, label="q")
        ax.legend()
        other.legend()
        assert [labels(fig, "line 0", axes=n) for n in (0, 1)] == ["p", "q"]

    def test_a_legend_that_was_emptied_does_no_harm(self):
        fig, ax = plt.subplots()
        ax.plot(V, label="p")
        ax.legend().legend_handles.clear()
        ax.scatter([], [], c=[])
        assert labels(fig, "line 0") == "p"
        assert values(fig, "legend 0", "text") == ["p"]


class TestUncovered:
    @pytest.mark.parametrize("name", UNREADABLE)
    def test_what_cannot_be_read_is_named(self, name):
        fig, ax = plt.subplots()
        UNREADABLE[name](ax)
        assert name in read(fig)[1]

    @pytest.mark.parametrize("kind", ["plot", "scatter", "bar", "text"])
    def test_nothing_in_three_dimensions_is_read(self, kind):
        fig = plt.figure()
        ax = fig.add_subplot(projection="3d")
        arguments = (0, 0, 1, "w") if kind == "text" else (X, X, V)
        getattr(ax, kind)(*arguments)
        assert len(read(fig)[1]) == 1

    def test_what_inherits_from_a_known_artist_is_not_known(self):
        class Wavy(Line2D):
            pass

        fig, ax = plt.subplots()
        ax.add_line(Wavy([0, 1], [0, 1]))
        fig.figimage(GRID)
        assert uncovered_artists(fig) == ["FigureImage", "Wavy"]

    def test_each_is_named_once_and_only_if_it_is_seen(self):
        fig, ax = plt.subplots()
        ax.quiver(X, X, V, V)
        ax.quiver(X, X, V, V)
        ax.barbs(X, X, V, V, visible=False)
        assert uncovered_artists(fig) == ["Quiver"]

    def test_colours_that_a_legend_names_are_covered_only_if_it_names_all(self):
        fig, ax = plt.subplots()
        ax.scatter([1, 2], [1, 2], c=["C0", "C1"])
        ax.legend(handles=[mpatches.Patch(color="C0", label="p")])
        assert uncovered_artists(fig) == ["colours of PathCollection"]
        ax.legend(handles=[mpatches.Patch(color=f"C{n}", label=n) for n in (0, 1)])
        assert uncovered_artists(fig) == []
