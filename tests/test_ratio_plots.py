"""What is drawn is read back from the axes; no picture is compared."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from toolkit.drawn import uncovered_artists
from toolkit.ratio_plots import plot_ratios

TABLE = pd.DataFrame(
    {
        "term": ["crude", "within", "none", "all", "unknown"],
        "estimate": [2.0, 3.0, 0.0, np.inf, np.nan],
        "low": [1.1, 0.5, 0.0, 1.5, np.nan],
        "high": [3.7, 18.0, 4.0, np.inf, np.nan],
    }
)


def test_a_row_is_a_mark_and_a_line_from_the_top_down():
    ax = plot_ratios(TABLE)
    marks = ax.lines[-1]
    np.testing.assert_array_equal(marks.get_xdata(), [2, 3, np.nan, np.nan, np.nan])
    assert marks.get_ydata().tolist() == [0, 1, 2, 3, 4]
    parts = [part.vertices.tolist() for part in ax.collections[0].get_paths()]
    left, right = ax.get_xlim()
    assert parts == [
        [[1.1, 0], [3.7, 0]],
        [[0.5, 1], [18, 1]],
        [[left, 2], [4, 2]],
        [[1.5, 3], [right, 3]],
    ]
    assert left < 0.5
    assert right > 18
    assert [label.get_text() for label in ax.get_yticklabels()] == TABLE["term"].tolist()
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    assert not uncovered_artists(ax.figure)


def test_no_difference_is_a_line_on_a_logarithmic_axis():
    ax = plot_ratios(TABLE[:1].assign(estimate=4, low=3, high=5))
    assert ax.lines[0].get_xdata() == [1, 1]
    assert ax.get_xscale() == "log"
    assert ax.get_xlim()[0] < 1


def test_it_draws_where_it_is_told_and_names_rows_by_any_column():
    _, ax = plt.subplots()
    table = TABLE.assign(measure=[*"abcde"])
    assert plot_ratios(table, label="measure", ax=ax) is ax
    assert [label.get_text() for label in ax.get_yticklabels()] == [*"abcde"]


def test_nothing_is_drawn_of_nothing():
    ax = plot_ratios(TABLE[:0])
    assert len(ax.lines[-1].get_xdata()) == 0


def test_columns_that_are_missing():
    with pytest.raises(ValueError, match=r"`table` must have columns .* missing \['low'\]"):
        plot_ratios(TABLE.drop(columns="low"))
    with pytest.raises(ValueError, match=r"missing \['name'\]"):
        plot_ratios(TABLE, label="name")
