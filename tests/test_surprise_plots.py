"""What is drawn is read back from the axes; no picture is compared."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from toolkit.choices import multiverse
from toolkit.drawn import uncovered_artists
from toolkit.surprise_plots import plot_expected_streaks, plot_multiverse

EXPECTED = pd.DataFrame(
    {
        "null": ["markov", "markov", "beta", "beta"],
        "n_days": [1, 2, 1, 2],
        "expected": [100.0, 0.01, 90.0, 20.0],
        "low": [80.0, 0.0, 70.0, 12.0],
        "high": [120.0, 1.0, 110.0, 29.0],
    }
)
COUNTS = pd.DataFrame({"n_days": [1, 2], "n_reaching": [95, 25], "people_reaching": [90, 24]})


def points(line):
    return list(zip(*line.get_data(), strict=True))


class TestPlotExpectedStreaks:
    def test_a_line_and_a_band_for_each_null_in_their_order(self):
        ax = plot_expected_streaks(EXPECTED)
        assert [line.get_label() for line in ax.lines] == ["markov", "beta"]
        assert points(ax.lines[0]) == [(1, 100), (2, 0.01)]
        corners = [{tuple(xy) for xy in band.get_paths()[0].vertices} for band in ax.collections]
        assert {(1, 80), (1, 120), (2, 0), (2, 1)} <= corners[0]
        assert {(1, 70), (1, 110), (2, 12), (2, 29)} <= corners[1]
        for line, band in zip(ax.lines, ax.collections, strict=True):
            assert tuple(band.get_facecolor()[0][:3]) == plt.matplotlib.colors.to_rgb(
                line.get_color()
            )
        assert (ax.get_yscale(), ax.get_ylim()[0]) == ("log", 0.5)
        assert not uncovered_artists(ax.figure)

    @pytest.mark.parametrize("value", ["n_reaching", "people_reaching"])
    def test_the_log_stands_beside(self, value):
        ax = plot_expected_streaks(EXPECTED, counts=COUNTS, value=value)
        assert points(ax.lines[-1]) == list(zip([1, 2], COUNTS[value], strict=True))
        assert [text.get_text() for text in ax.get_legend().get_texts()] == [
            "markov",
            "beta",
            "the log",
        ]

    def test_nothing_is_drawn_of_nothing(self):
        _, ax = plt.subplots()
        assert plot_expected_streaks(EXPECTED[:0], ax=ax) is ax
        assert not ax.lines
        assert ax.get_legend() is None

    def test_columns_that_are_missing(self):
        with pytest.raises(ValueError, match=r"`expected` must have columns .* missing \['low'\]"):
            plot_expected_streaks(EXPECTED.drop(columns="low"))
        with pytest.raises(ValueError, match="`counts` must have columns"):
            plot_expected_streaks(EXPECTED, counts=COUNTS[["n_days"]])


class TestPlotMultiverse:
    table = multiverse(
        None,
        lambda _, gap, zone: np.nan if (gap, zone) == (1, None) else 10 * gap + (zone is None),
        choices={"gap": [2, 0, 1], "zone": ["UTC", None]},
    )

    def axes(self):
        ax = plot_multiverse(self.table)
        return ax, next(other for other in ax.figure.axes if other is not ax)

    def test_answers_stand_in_order_and_the_usual_one_is_marked(self):
        ax, _ = self.axes()
        assert points(ax.lines[0]) == [(1, 0), (2, 1), (3, 10), (4, 20), (5, 21)]
        assert points(ax.lines[1]) == [(4, 20)]

    def test_below_each_answer_stand_its_choices(self):
        ax, below = self.axes()
        labels = [label.get_text() for label in below.get_yticklabels()]
        assert labels == ["gap: 2", "gap: 0", "gap: 1", "zone: UTC", "zone: nan"]
        marks = {mark for line in below.lines[::2] for mark in points(line)}
        rows = {1: (1, 3), 2: (1, 4), 3: (2, 3), 4: (0, 3), 5: (0, 4)}
        assert marks == {(x, y) for x, both in rows.items() for y in both}
        assert [points(line) for line in below.lines[1::2]] == [[(4, 0)], [(4, 3)]]
        assert below.get_ylim() == (4.5, -0.5)
        assert below.get_shared_x_axes().joined(ax, below)
        assert not uncovered_artists(ax.figure)

    def test_a_usual_combination_without_an_answer_is_not_marked(self):
        table = self.table.assign(value=[np.nan, *self.table["value"][1:]])
        ax = plot_multiverse(table)
        assert points(ax.lines[0])[0] == (1, 0)
        assert points(ax.lines[1]) == []

    def test_wrong_tables(self):
        with pytest.raises(ValueError, match="`table` must have columns"):
            plot_multiverse(self.table[["gap"]])
        with pytest.raises(ValueError, match="`table` must have a column for each choice"):
            plot_multiverse(self.table[["value"]])
