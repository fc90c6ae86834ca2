"""What is drawn is read back from the axes; no picture is compared."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from pandas.testing import assert_frame_equal

from toolkit.rewatch_plots import plot_counts, plot_rewatch_rates, plot_survival, plot_weights


def band(collection):
    """The corners of a filled band, as a set of (x, y)."""
    return {tuple(corner) for corner in collection.get_paths()[0].vertices.round(9).tolist()}


class TestPlotCounts:
    tails = pd.DataFrame(
        {
            "model": ["counts", "counts", "zeta", "zeta", "zeta"],
            "n_viewings": [1, 3, 1, 2, 3],
            "share": [1.0, 0.2, 1.0, 0.5, 0.3],
            "low": [0.9, 0.1, 1.0, 0.4, 0.2],
            "high": [1.0, 0.4, 1.0, 0.6, 0.5],
            "n": 80,
        }
    )

    def test_counts_are_points_with_their_intervals(self):
        ax = plot_counts(self.tails)
        (points,) = ax.containers
        assert points.lines[0].get_xydata().tolist() == [[1, 1], [3, 0.2]]
        (bars,) = points.lines[2]
        drawn = [segment.tolist() for segment in bars.get_segments()]
        np.testing.assert_allclose(drawn, [[[1, 0.9], [1, 1.0]], [[3, 0.1], [3, 0.4]]])
        assert points.lines[0].get_linestyle() == "None"

    def test_a_law_is_a_line_in_the_colour_of_its_band(self):
        ax = plot_counts(self.tails)
        line = ax.lines[-1]
        assert line.get_xydata().tolist() == [[1, 1], [2, 0.5], [3, 0.3]]
        (filled,) = [part for part in ax.collections if part.get_paths()[0].vertices.shape[0] > 2]
        assert {(2, 0.4), (2, 0.6), (3, 0.2), (3, 0.5)} <= band(filled)
        assert to_rgba(filled.get_facecolor()[0][:3]) == to_rgba(line.get_color())

    def test_both_axes_are_logarithmic_and_say_what_they_hold(self):
        ax = plot_counts(self.tails)
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
        assert ax.get_xlabel() == "k, viewings of one title by one viewer"
        assert ax.get_ylabel() == "Share with k viewings or more"
        names = [text.get_text() for text in ax.get_legend().get_texts()]
        assert sorted(names) == ["counts (n = 80)", "zeta"]
        ax.figure.canvas.draw()
        low, high = ax.get_xlim()
        ticks = [t.get_text() for t in ax.get_xticklabels() if low <= t.get_position()[0] <= high]
        assert ticks == ["1", "2"]
        assert not len(ax.get_xticks(minor=True))

    def test_nothing_is_drawn_as_nothing(self):
        ax = plot_counts(self.tails[:0])
        assert not ax.lines
        assert ax.get_legend() is None


class TestPlotRewatchRates:
    rates = pd.DataFrame(
        {
            "title": pd.Categorical(["Up", "Heat"]),
            "people": [40, 2],
            "rate": [0.25, 0.5],
            "low": [0.15, 0.1],
            "high": [0.4, 0.9],
        }
    )
    shrunk = rates.assign(shrunk=[0.26, 0.3], shrunk_low=[0.16, 0.2], shrunk_high=[0.38, 0.5])

    def drawn(self, container):
        (bars,) = container.lines[2]
        return container.lines[0].get_xydata().tolist(), [s.tolist() for s in bars.get_segments()]

    def test_a_row_is_a_title_from_the_top_down_with_its_people(self):
        ax = plot_rewatch_rates(self.rates)
        assert [t.get_text() for t in ax.get_yticklabels()] == ["Up (40)", "Heat (2)"]
        points, bars = self.drawn(ax.containers[0])
        assert points == [[0.25, 0], [0.5, 1]]
        np.testing.assert_allclose(bars, [[[0.15, 0], [0.4, 0]], [[0.1, 1], [0.9, 1]]])
        bottom, top = ax.get_ylim()
        assert bottom > top
        assert ax.get_legend() is None
        assert ax.get_xlabel() == "Share of those who finished it that began it again"
        assert ax.get_ylabel() == "Title (people who finished it)"

    def test_the_shrunken_estimate_stands_below_the_own_one(self):
        ax = plot_rewatch_rates(self.shrunk)
        (own, _), (points, bars) = (self.drawn(part) for part in ax.containers)
        np.testing.assert_allclose(own, [[0.25, -0.15], [0.5, 0.85]])
        np.testing.assert_allclose(points, [[0.26, 0.15], [0.3, 1.15]])
        np.testing.assert_allclose(bars, [[[0.16, 0.15], [0.38, 0.15]], [[0.2, 1.15], [0.5, 1.15]]])
        names = [text.get_text() for text in ax.get_legend().get_texts()]
        assert names == ["its own people", "drawn towards all titles"]

    def test_series_have_their_name_on_the_axis(self):
        ax = plot_rewatch_rates(self.rates.rename(columns={"title": "series"}))
        assert ax.get_ylabel() == "Series (people who finished it)"

    def test_nothing_is_drawn_as_nothing(self):
        assert not plot_rewatch_rates(self.rates[:0]).get_yticklabels()

    def test_needs_a_title_or_a_series(self):
        with pytest.raises(ValueError, match=r"`rates` must have .*missing \['title'\]"):
            plot_rewatch_rates(self.rates.drop(columns="title"))


class TestPlotSurvival:
    curve = pd.DataFrame(
        {
            "time": [1, 4, 10],
            "at_risk": [5, 4, 2],
            "survival": [0.8, 0.6, 0.6],
            "low": [0.4, 0.2, 0.2],
            "high": [0.95, 0.9, 0.9],
        }
    )

    def below(self, ax):
        """The numbers at risk below each tick, line by line."""
        lines = {}
        for text in ax.texts:
            lines.setdefault(text.get_position()[1], []).append(text.get_text())
        return [lines[y] for y in sorted(lines, reverse=True)]

    def test_is_a_step_down_from_1_at_each_time(self):
        ax = plot_survival(self.curve)
        (line,) = ax.lines
        assert line.get_xydata().tolist() == [[0, 1], [1, 0.8], [4, 0.6], [10, 0.6]]
        assert line.get_drawstyle() == "steps-post"
        assert line.get_label() == "(n = 5)"
        corners = band(ax.collections[0])
        assert {(1, 1), (1, 0.4), (4, 0.4), (4, 0.2), (10, 0.9), (10, 0.2)} <= corners
        assert {y for x, y in corners if x == 0} == {1}
        assert ax.get_xlim()[0] == 0
        assert ax.get_ylim() == (0, 1)
        assert ax.get_xlabel() == "Time (days)"
        assert ax.get_ylabel() == "Share that lasts longer"

    def test_numbers_at_risk_are_those_just_before_each_tick(self):
        ax = plot_survival(self.curve)
        ticks = [tick for tick in ax.get_xticks() if 0 <= tick <= ax.get_xlim()[1]]
        assert ticks == [0, 2, 4, 6, 8, 10]
        assert self.below(ax) == [["5", "4", "4", "2", "2", "2", "at risk"]]
        assert [text.get_position()[0] for text in ax.texts[:-1]] == ticks

    def test_beyond_the_last_time_nobody_is_at_risk(self):
        _, ax = plt.subplots()
        ax.set_xlim(0, 20)
        plot_survival(self.curve, ax=ax)
        assert self.below(ax)[0][-2:] == ["0", "at risk"]

    def test_each_group_has_its_curve_and_its_line_of_numbers(self):
        other = self.curve.assign(at_risk=[9, 8, 1], survival=[0.9, 0.8, 0.7])
        curves = pd.concat([self.curve.assign(who="old"), other.assign(who="new")])
        ax = plot_survival(curves, by="who")
        old, new = ax.lines
        assert [line.get_label() for line in ax.lines] == ["old (n = 5)", "new (n = 9)"]
        assert new.get_ydata().tolist() == [1, 0.9, 0.8, 0.7]
        assert [numbers[0] for numbers in self.below(ax)] == ["5", "9"]
        assert [numbers[-1] for numbers in self.below(ax)] == ["old at risk", "new at risk"]
        assert {text.get_color() for text in ax.texts} == {old.get_color(), new.get_color()}

    def test_other_names_of_times_and_other_units_serve_too(self):
        ax = plot_survival(
            self.curve.rename(columns={"time": "n_days"}), time="n_days", unit="weeks"
        )
        assert ax.get_xlabel() == "Time (weeks)"
        assert self.below(ax)[0][0] == "5"

    def test_nothing_is_drawn_as_nothing(self):
        ax = plot_survival(self.curve[:0])
        assert not ax.texts
        assert ax.get_legend() is None

    def test_needs_what_it_draws(self):
        for name in self.curve:
            with pytest.raises(ValueError, match=rf"`curve` must have .*missing \['{name}'\]"):
                plot_survival(self.curve.drop(columns=name))
        with pytest.raises(ValueError, match=r"`curve` must have .*missing \['who'\]"):
            plot_survival(self.curve, by="who")


class TestPlotWeights:
    weights = pd.DataFrame(
        {
            "lag": [1, 2, 3],
            "weight": [0.5, 0.3, 0.2],
            "low": [0.45, 0.2, 0.1],
            "high": [0.6, 0.35, 0.25],
            "null": [0.3, 0.35, 0.35],
            "null_low": [0.25, 0.3, 0.3],
            "null_high": [0.4, 0.5, 0.5],
            "n": [30, 10, 5],
        }
    )

    def test_weights_are_points_and_the_null_is_a_line_with_its_band(self):
        ax = plot_weights(self.weights)
        (points,) = ax.containers
        assert points.lines[0].get_xydata().tolist() == [[1, 0.5], [2, 0.3], [3, 0.2]]
        (bars,) = points.lines[2]
        np.testing.assert_allclose(
            [segment[:, 1].tolist() for segment in bars.get_segments()],
            self.weights[["low", "high"]].to_numpy(),
        )
        null = ax.lines[0]
        assert null.get_xydata().tolist() == [[1, 0.3], [2, 0.35], [3, 0.35]]
        filled = ax.collections[0]
        assert {(1, 0.25), (1, 0.4), (3, 0.3), (3, 0.5)} <= band(filled)
        assert to_rgba(points.lines[0].get_color()) != to_rgba(null.get_color())

    def test_says_what_it_holds_and_of_how_many(self):
        ax = plot_weights(self.weights)
        names = [text.get_text() for text in ax.get_legend().get_texts()]
        assert names == ["order shuffled", "as watched (n = 45)"]
        assert ax.get_xlabel() == "Lag (viewings ago)"
        assert ax.get_ylim()[0] == 0

    def test_needs_what_it_draws(self):
        for name in self.weights:
            with pytest.raises(ValueError, match=rf"`weights` must have .*missing \['{name}'\]"):
                plot_weights(self.weights.drop(columns=name))


@pytest.mark.parametrize(
    ("plot", "table"),
    [
        (plot_counts, TestPlotCounts.tails),
        (plot_rewatch_rates, TestPlotRewatchRates.shrunk),
        (plot_survival, TestPlotSurvival.curve),
        (plot_weights, TestPlotWeights.weights),
    ],
)
def test_draws_where_it_is_told_and_leaves_its_input(plot, table):
    before = table.copy(deep=True)
    _, (left, right) = plt.subplots(1, 2)
    assert plot(table, ax=left) is left
    assert not right.lines
    assert plot(table) is right
    assert_frame_equal(table, before)
