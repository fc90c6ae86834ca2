"""What is drawn is read back from the axes; no picture is compared."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from toolkit.drawn import figure_data, uncovered_artists
from toolkit.effect_plots import plot_effect

TABLE = pd.DataFrame(
    {
        "day": pd.date_range("2024-03-01", periods=4),
        "is_after": [False, False, True, True],
        "observed": [20.0, 22, 31, 30],
        "expected": [21.0, 21.5, 22, 22.5],
        "low": [12.0, 12, 11, 10],
        "high": [30.0, 31, 33, 35],
    }
)


def drawn(ax, artist, field):
    table = figure_data(ax.figure)
    return table.loc[(table["artist"] == artist) & (table["field"] == field), "value"].tolist()


def test_observed_and_expected_lie_at_their_days_and_the_line_at_the_event():
    ax = plot_effect(TABLE)
    days = TABLE["day"].dt.strftime("%Y-%m-%d").tolist()
    found = {line.get_label(): line for line in ax.lines}
    assert list(found)[:3] == ["expected without it", "before", "since"]
    assert drawn(ax, "line 0", "x") == days
    assert drawn(ax, "line 0", "y") == [21, 21.5, 22, 22.5]
    assert drawn(ax, "line 1", "x") == days[:2]
    assert drawn(ax, "line 1", "y") == [20, 22]
    assert drawn(ax, "line 2", "x") == days[2:]
    assert drawn(ax, "line 2", "y") == [31, 30]
    assert drawn(ax, "line 3", "x") == [days[2], days[2]]
    assert len({line.get_color() for line in ax.lines[:3]}) == 3
    corners = {tuple(xy) for xy in ax.collections[0].get_paths()[0].vertices}
    numbers = plt.matplotlib.dates.date2num(TABLE["day"])
    assert set(zip(numbers, TABLE["low"], strict=True)) <= corners
    assert set(zip(numbers, TABLE["high"], strict=True)) <= corners
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["expected without it", "before", "since"]
    assert uncovered_artists(ax.figure) == []


def test_without_a_period_after_there_is_no_event_to_draw():
    _, ax = plt.subplots()
    assert plot_effect(TABLE.assign(is_after=False), ax=ax) is ax
    assert len(ax.lines) == 3
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), TABLE["observed"])


def test_columns_that_are_missing():
    with pytest.raises(ValueError, match=r"`table` must have columns .* missing \['high'\]"):
        plot_effect(TABLE.drop(columns="high"))
