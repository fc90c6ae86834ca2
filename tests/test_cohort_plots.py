"""What is drawn is read back from the axes; no picture is compared."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgba
from matplotlib.dates import date2num
from matplotlib.patches import Rectangle
from pandas.testing import assert_frame_equal

from toolkit.cohort_plots import plot_lifecycle, plot_retention, plot_retention_curves

MONDAYS = pd.to_datetime(["2024-03-04", "2024-03-11", "2024-03-18"])


def triangle():
    """Three cohorts of a log that ends within the fourth week; rows in no order."""
    cohort, age = [0, 0, 0, 1, 1, 2], [0, 1, 2, 0, 1, 0]
    table = pd.DataFrame(
        {
            "cohort": MONDAYS[cohort],
            "age": age,
            "age_last": age,
            "n_cohort": [1200, 1200, 1200, 50, 50, 8],
            "n_retained": [1200, 300, 120, 50, 25, 8],
            "retention": [1.0, 0.25, 0.1, 1.0, 0.5, 1.0],
            "low": [1.0, 0.2, 0.08, 1.0, 0.4, 1.0],
            "high": [1.0, 0.3, 0.12, 1.0, 0.6, 1.0],
            "is_complete": [True, True, False, True, True, True],
            "may_include_earlier": pd.array([True] * 3 + [False] * 3, dtype="boolean"),
        }
    )
    return table.sample(frac=1, random_state=2)


def legend_of(ax):
    return [] if ax.get_legend() is None else [t.get_text() for t in ax.get_legend().get_texts()]


def colours(ax, shape):
    """The colour of each cell as text; blank cells are None."""
    mesh = ax.collections[0]
    mesh.update_scalarmappable()
    faces = [to_hex(face) for face in mesh.get_facecolors()]
    blank = np.ma.getmaskarray(mesh.get_array()).ravel()
    faces = [None if gone else face for face, gone in zip(faces, blank, strict=True)]
    return [faces[n : n + shape[1]] for n in range(0, len(faces), shape[1])]


class TestPlotRetention:
    def test_shares_stand_in_a_triangle_with_blanks_where_nothing_could_be_seen(self):
        ax = plot_retention(triangle(), unit="weeks")
        cells = {t.get_position(): t.get_text() for t in ax.texts}
        assert cells == {
            (0.5, 0.5): "100%", (1.5, 0.5): "25%", (2.5, 0.5): "10%",
            (0.5, 1.5): "100%", (1.5, 1.5): "50%",
            (0.5, 2.5): "100%",
        }  # fmt: skip
        drawn = colours(ax, (3, 3))
        assert [[cell is None for cell in row] for row in drawn] == [
            [False, False, False],
            [False, False, True],
            [False, True, True],
        ]
        # The oldest cohort is on top.
        assert ax.get_ylim() == (3, 0)

    def test_rows_are_cohorts_with_their_viewers_and_columns_ages(self):
        ax = plot_retention(triangle(), unit="weeks")
        names = [t.get_text() for t in ax.get_yticklabels()]
        assert names == ["2024-03-04 (1,200) *", "2024-03-11 (50)", "2024-03-18 (8)"]
        assert [t.get_text() for t in ax.get_xticklabels()] == ["0", "1", "2"]
        assert ax.get_xlabel() == "Age (weeks)"
        assert ax.get_ylabel() == "Cohort (viewers; * perhaps not new)"
        known = triangle().assign(may_include_earlier=False)
        for table in (known, known.drop(columns="may_include_earlier")):
            ax = plot_retention(table, ax=plt.figure().gca())
            assert ax.get_ylabel() == "Cohort (viewers)"
            assert ax.get_xlabel() == "Age (periods)"
            assert ax.get_yticklabels()[0].get_text() == "2024-03-04 (1,200)"

    def test_age_0_is_grey_and_the_colours_run_from_0_to_the_greatest_of_the_rest(self):
        ax = plot_retention(triangle())
        mesh = ax.collections[0]
        assert mesh.get_clim() == (0, 0.5)
        drawn = colours(ax, (3, 3))
        assert {row[0] for row in drawn} == {to_hex("0.9")}
        assert drawn[1][1] == to_hex(mesh.get_cmap()(1.0))
        assert drawn[0][1] == to_hex(mesh.get_cmap()(0.5))

    def test_age_0_stays_grey_even_if_all_come_back(self):
        ax = plot_retention(triangle().assign(retention=1.0))
        assert ax.collections[0].get_clim() == (0, 1)
        drawn = colours(ax, (3, 3))
        assert {row[0] for row in drawn} == {to_hex("0.9")}
        assert drawn[0][1] != drawn[0][0]

    def test_if_nobody_comes_back_or_nothing_is_later_colours_go_up_to_all(self):
        none = triangle()
        none.loc[none["age"] > 0, "retention"] = 0.0
        for table in (none, triangle().query("age == 0")):
            ax = plot_retention(table, ax=plt.figure().gca())
            assert ax.collections[0].get_clim() == (0, 1)

    def test_text_is_light_on_dark_and_dark_on_light(self):
        ax = plot_retention(triangle())
        shades = {t.get_text(): np.mean(to_rgba(t.get_color())[:3]) for t in ax.texts}
        assert shades["50%"] > 0.9
        assert shades["100%"] < 0.3

    def test_what_was_observed_in_part_is_hatched_and_the_legend_says_so(self):
        ax = plot_retention(triangle())
        (hatched,) = [p for p in ax.patches if isinstance(p, Rectangle)]
        assert hatched.get_xy() == (2, 0)
        assert (hatched.get_width(), hatched.get_height()) == (1, 1)
        assert hatched.get_hatch()
        assert not hatched.get_fill()
        assert legend_of(ax) == ["observed in part"]
        whole = triangle().assign(is_complete=True)
        ax = plot_retention(whole, ax=plt.figure().gca())
        assert not ax.patches
        assert legend_of(ax) == []

    def test_columns_of_brackets_name_both_ages(self):
        first, last = [0, 1, 8, 0, 1, 0], [0, 7, 8, 0, 7, 0]
        table = triangle().sort_index().assign(age=first, age_last=last)
        ax = plot_retention(table)
        assert [t.get_text() for t in ax.get_xticklabels()] == ["0", "1-7", "8"]

    @pytest.mark.parametrize(("width", "size"), [(6, 9), (1.5, None), (0.8, 0)])
    def test_text_gets_smaller_and_goes_where_it_could_not_be_read(self, width, size):
        fig = plt.figure(figsize=(width, 3))
        ax = plot_retention(triangle(), ax=fig.gca())
        sizes = {t.get_fontsize() for t in ax.texts}
        if size == 0:
            assert not sizes
            assert ax.collections[0].get_linewidth() == 0
            return
        (found,) = sizes
        assert found == size if size else 5 <= found < 9
        assert ax.collections[0].get_linewidth() == 1
        fig.canvas.draw()
        box = ax.get_window_extent()
        for text in ax.texts:
            assert text.get_window_extent().width < box.width / 3
            assert text.get_window_extent().height < box.height / 3

    def test_low_cells_make_text_small_too(self):
        fig = plt.figure(figsize=(6, 0.3))
        assert not plot_retention(triangle(), ax=fig.gca()).texts

    def test_an_age_that_stands_twice_is_refused(self):
        message = "`retention` must have one row for each cohort and age and age_last, found two of 2024-03-11"
        with pytest.raises(ValueError, match=message):
            plot_retention(pd.concat([triangle(), triangle()[triangle()["cohort"] == MONDAYS[1]]]))


class TestPlotRetentionCurves:
    def test_each_cohort_has_its_curve_and_band_over_what_was_wholly_observed(self):
        ax = plot_retention_curves(triangle().sort_values("cohort"), unit="weeks")
        assert [line.get_xydata().tolist() for line in ax.lines] == [
            [[0, 1.0], [1, 0.25]],
            [[0, 1.0], [1, 0.5]],
            [[0, 1.0]],
        ]
        band = ax.collections[1].get_paths()[0].vertices.round(9).tolist()
        assert {(1, 0.4), (1, 0.6), (0, 1)} <= {tuple(corner) for corner in band}
        assert legend_of(ax) == ["2024-03-04 (1,200) *", "2024-03-11 (50)", "2024-03-18 (8)"]
        assert ax.get_xlabel() == "Age (weeks)"
        assert ax.get_ylabel() == "Share retained"
        assert ax.get_ylim()[0] == 0
        for line, filled in zip(ax.lines, ax.collections, strict=True):
            assert to_rgba(filled.get_facecolor()[0][:3]) == to_rgba(line.get_color())
        assert len({to_hex(line.get_color()) for line in ax.lines}) == 3

    def test_curves_come_in_the_order_of_their_rows(self):
        table = triangle().sort_values("cohort", ascending=False)
        assert legend_of(plot_retention_curves(table))[0] == "2024-03-18 (8)"

    def test_a_column_may_tell_curves_apart(self):
        table = triangle()[triangle()["cohort"] == MONDAYS[0]].assign(arm="b", n_cohort=10)
        both = pd.concat([table, table.assign(arm="a", retention=0.5)])
        ax = plot_retention_curves(both, by="arm")
        assert legend_of(ax) == ["b (10) *", "a (10) *"]
        assert ax.lines[1].get_ydata().tolist() == [0.5, 0.5]
        with pytest.raises(ValueError, match="one row for each cohort and age, found two of 2024"):
            plot_retention_curves(both)
        with pytest.raises(ValueError, match=r"missing \['group'\]"):
            plot_retention_curves(both, by="group")

    def test_a_projection_is_one_curve_with_what_was_observed_as_points(self):
        projection = pd.DataFrame(
            {
                "age": [0, 1, 2],
                "observed": [1.0, 0.5, np.nan],
                "retention": [1.0, 0.52, 0.3],
                "low": [1.0, 0.5, 0.2],
                "high": [1.0, 0.6, 0.4],
                "is_projected": [False, False, True],
            }
        )
        ax = plot_retention_curves(projection)
        law, observed = ax.lines
        assert law.get_ydata().tolist() == [1.0, 0.52, 0.3]
        assert observed.get_ydata()[:2].tolist() == [1.0, 0.5]
        assert observed.get_linestyle() == "None"
        assert legend_of(ax) == ["fitted law", "observed"]
        bare = projection.drop(columns=["observed", "is_projected"])
        assert legend_of(plot_retention_curves(bare, ax=plt.figure().gca())) == []


class TestPlotLifecycle:
    weeks = pd.DataFrame(
        {
            "first_day": MONDAYS,
            "last_day": MONDAYS + pd.Timedelta(days=6),
            "n_new": [5, 1, 2],
            "n_returning": [0, 3, 1],
            "n_resurrecting": [0, 0, 1],
            "n_dormant": pd.array([None, 2, None], dtype="Int64"),
            "is_complete": [True, True, False],
            "may_include_earlier": pd.array([True, False, None], dtype="boolean"),
        }
    )

    def test_those_who_watch_are_stacked_and_the_dormant_hang_below(self):
        ax = plot_lifecycle(self.weeks)
        drawn = [[(b.get_y(), b.get_height()) for b in layer] for layer in ax.containers]
        returning, resurrecting, new, new_to_log, dormant = drawn
        assert [height for _, height in returning] == [0, 3, 1]
        assert resurrecting[2] == (1, 1)
        assert new[1:] == [(3, 1), (2, 2)]
        assert new_to_log[0] == (0, 5)
        assert [height for _, height in new_to_log] == [5, 0, 0]
        assert dormant == [(0, 0), (0, -2), (0, 0)]
        assert legend_of(ax) == [
            "returning", "resurrecting", "new", "new to the log", "dormant", "observed in part",
        ]  # fmt: skip

    def test_a_bar_lies_within_its_period(self):
        ax = plot_lifecycle(self.weeks)
        starts = date2num(MONDAYS)
        for layer in ax.containers:
            assert [bar.get_x() for bar in layer] == starts.tolist()
            assert [bar.get_width() for bar in layer] == pytest.approx([6.3] * 3)

    def test_a_period_observed_in_part_is_hatched_whole(self):
        ax = plot_lifecycle(self.weeks)
        for layer in ax.containers:
            assert [bool(bar.get_hatch()) for bar in layer] == [False, False, True]
        whole = self.weeks.assign(is_complete=True)
        ax = plot_lifecycle(whole, ax=plt.figure().gca())
        assert "observed in part" not in legend_of(ax)

    def test_a_layer_of_nobody_is_not_in_the_legend(self):
        table = self.weeks.assign(n_resurrecting=0, is_complete=True)
        ax = plot_lifecycle(table.drop(columns="may_include_earlier"))
        assert legend_of(ax) == ["returning", "new", "dormant"]
        assert [bar.get_height() for bar in ax.containers[2]] == [5, 1, 2]

    def test_numbers_below_0_are_written_without_a_sign(self):
        ax = plot_lifecycle(self.weeks.assign(n_new=[5000, 1, 2]))
        write = ax.yaxis.get_major_formatter()
        assert [write(n, 0) for n in (-2, 0, 1500)] == ["2", "0", "1,500"]
        assert ax.get_xlabel() == "First day of the period"
        assert ax.get_ylabel() == "Viewers (dormant below 0)"
        assert ax.lines[0].get_ydata() == [0, 0]

    def test_layers_can_be_told_apart(self):
        ax = plot_lifecycle(self.weeks)
        shown = [to_rgba(layer[0].get_facecolor()) for layer in ax.containers]
        assert len(set(shown)) == 5
        handles = [to_rgba(h.get_facecolor()) for h in ax.get_legend().get_patches()]
        assert handles[:5] == shown


PLOTS = {
    plot_retention: triangle(),
    plot_retention_curves: triangle(),
    plot_lifecycle: TestPlotLifecycle.weeks,
}


@pytest.mark.parametrize(("plot", "table"), PLOTS.items())
class TestWhateverIsDrawn:
    def test_draws_where_it_is_told_and_leaves_its_input(self, plot, table):
        before = table.copy(deep=True)
        _, (left, right) = plt.subplots(1, 2)
        assert plot(table, ax=left) is left
        assert not right.has_data()
        assert_frame_equal(table, before)
        assert plot(table) is right

    def test_nothing_is_drawn_as_nothing(self, plot, table):
        ax = plot(table[:0])
        assert not ax.texts
        assert not ax.patches
        assert ax.get_xlabel()

    def test_a_missing_column_is_named(self, plot, table):
        for name in {"retention", "n_new"} & set(table):
            with pytest.raises(ValueError, match=rf"missing \['{name}'\]"):
                plot(table.drop(columns=name))
