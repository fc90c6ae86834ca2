"""What is drawn is read back from the axes; no picture is compared."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import toolkit as tk
from tests.sitting_logs import random_plays
from toolkit.drawn import uncovered_artists


def shown(ax):
    """The labels of the ticks within the axis."""
    ax.figure.canvas.draw()
    low, high = ax.get_xlim()
    ticks = zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
    return [label.get_text() for tick, label in ticks if low <= tick <= high]


class TestPlotPauses:
    curve = tk.pause_curve(random_plays(1, n=200))

    @pytest.mark.parametrize(
        ("value", "label"),
        [
            ("n_sittings", "Sittings"),
            ("share_longer", "Share of pauses that are longer"),
            ("density", "Share of pauses per factor of ten"),
        ],
    )
    def test_is_the_column_against_the_limit(self, value, label):
        ax = tk.plot_pauses(self.curve, value=value)
        (line,) = ax.lines
        assert line.get_xdata().tolist() == self.curve["pause_minutes"].tolist()
        np.testing.assert_array_equal(line.get_ydata(), self.curve[value])
        assert (ax.get_xscale(), ax.get_ylim()[0]) == ("log", 0)
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("Longest pause within a sitting", label)
        assert ax.get_legend() is None
        ax.figure.canvas.draw()
        assert ax.get_yticklabels()[-1].get_text().endswith("%") == (value != "n_sittings")

    def test_the_axis_is_labelled_as_limits_are_spoken_of(self):
        ax = tk.plot_pauses(self.curve)
        assert shown(ax) == ["1 min", "5 min", "30 min", "2 h", "6 h", "1 d"]
        seconds = pd.DataFrame({"pause_minutes": [0, 1 / 60, 60], "n_sittings": [3, 2, 1]})
        ax = tk.plot_pauses(seconds, ax=ax.figure.add_subplot())
        assert shown(ax) == ["1 s", "1 min", "5 min", "30 min"]

    def test_shows_the_limit_that_was_chosen(self):
        ax = tk.plot_pauses(self.curve, pause=90)
        assert list(ax.lines[1].get_xdata()) == [90, 90]
        assert [text.get_text() for text in ax.get_legend().texts] == ["1.5 h, as chosen"]

    def test_each_group_has_its_line(self):
        both = pd.concat([self.curve.assign(device="tv"), self.curve[:3].assign(device="phone")])
        ax = tk.plot_pauses(both, by="device")
        assert [line.get_label() for line in ax.lines] == ["tv", "phone"]
        assert len(ax.lines[1].get_xdata()) == 3
        assert ax.get_legend().get_title().get_text() == "device"

    def test_of_no_rows_there_is_no_line(self):
        ax = tk.plot_pauses(self.curve[:0])
        assert len(ax.lines[0].get_xdata()) == 0

    def test_needs_what_it_draws(self):
        for name in ("pause_minutes", "n_sittings"):
            with pytest.raises(ValueError, match=rf"missing \['{name}'\]"):
                tk.plot_pauses(self.curve.drop(columns=name))
        with pytest.raises(ValueError, match=r"missing \['device'\]"):
            tk.plot_pauses(self.curve, by="device")
        with pytest.raises(ValueError, match="`value` must be one of"):
            tk.plot_pauses(self.curve, value="n_longer")


class TestPlotBinges:
    table = tk.compare_binges(random_plays(2, n=200), tz="UTC")

    def test_cells_are_the_agreements_of_the_table(self):
        ax = tk.plot_binges(self.table)
        names = self.table["definition"].tolist()
        cells = self.table[names].to_numpy()
        drawn = np.ma.filled(ax.collections[0].get_array().reshape(3, 3), np.nan)
        np.testing.assert_array_equal(drawn, cells)
        texts = [f"{cell:.2f}" for cell in cells.ravel() if not np.isnan(cell)]
        assert [text.get_text() for text in ax.texts] == texts
        assert [label.get_text() for label in ax.get_xticklabels()] == names
        rows = [f"{r.definition} ({r.n_binges})" for r in self.table.itertuples()]
        assert [label.get_text() for label in ax.get_yticklabels()] == rows
        assert ax.get_xlabel() == "Jaccard index with"
        assert ax.collections[0].get_clim() == (0, 1)

    def test_of_no_binges_nothing_agrees(self):
        plays = random_plays(2)
        ax = tk.plot_binges(tk.compare_binges(plays[:0], tz="UTC"))
        assert len(ax.texts) == 0

    def test_needs_what_it_draws(self):
        for name in ("definition", "n_binges", "pace"):
            with pytest.raises(ValueError, match=rf"missing \['{name}'\]"):
                tk.plot_binges(self.table.drop(columns=name))


def test_what_is_drawn_can_be_read():
    fig, (left, right) = plt.subplots(1, 2)
    tk.plot_pauses(TestPlotPauses.curve, pause=30, ax=left)
    tk.plot_binges(TestPlotBinges.table, ax=right)
    assert uncovered_artists(fig) == []
    data = tk.figure_data(fig)
    x, cells = (data["value"][data["field"] == field].tolist() for field in ("x", "value"))
    assert {*TestPlotPauses.curve["pause_minutes"]} < {*x}
    assert 1.0 in cells
