"""What is drawn is read back from the axes; no picture is compared."""

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
import pytest

import toolkit as tk
from tests.watching_logs import random_plays
from toolkit.audience_plots import (
    plot_audience,
    plot_duplication,
    plot_leaderboard,
    plot_reach,
    plot_week,
)
from toolkit.drawn import uncovered_artists


class TestPlotAudience:
    table = pd.DataFrame(
        {
            "started_at": pd.date_range("2024-03-01 22:00Z", periods=3, freq="1h"),
            "average_minute_audience": [2.0, 5.0, 3.0],
            "people": [3, 6, 4],
        }
    )

    def test_is_a_line_on_the_clock_of_the_zone(self):
        ax = plot_audience(self.table, tz="Europe/Berlin")
        (line,) = ax.lines
        assert line.get_ydata().tolist() == [2, 5, 3]
        at = mdates.num2date(line.get_xdata(orig=False))
        assert [f"{moment:%d %H}" for moment in at] == ["01 22", "01 23", "02 00"]
        ax.figure.canvas.draw()
        # 22:00 in UTC, where the line begins, is 23:00.
        low = mdates.date2num(pd.Timestamp("2024-03-01 22:00Z"))
        names = dict(
            zip(ax.get_xticks(), [t.get_text() for t in ax.get_xticklabels()], strict=True)
        )
        assert names[low] == "23:00"
        assert ax.get_xlabel() == "Clock in Europe/Berlin"
        assert ax.get_ylabel() == "Average minute audience"
        assert ax.get_ylim()[0] == 0
        assert ax.get_legend() is None

    def test_each_group_has_its_line(self):
        both = pd.concat([self.table.assign(device="tv"), self.table.assign(device="phone")])
        ax = plot_audience(both, tz="UTC", by="device", value="people")
        assert [line.get_label() for line in ax.lines] == ["tv", "phone"]
        assert ax.lines[1].get_ydata().tolist() == [3, 6, 4]
        assert ax.get_legend().get_title().get_text() == "device"

    def test_needs_what_it_draws(self):
        for name in ("started_at", "average_minute_audience"):
            with pytest.raises(ValueError, match=rf"missing \['{name}'\]"):
                plot_audience(self.table.drop(columns=name), tz="UTC")
        with pytest.raises(ValueError, match=r"missing \['device'\]"):
            plot_audience(self.table, tz="UTC", by="device")


class TestPlotWeek:
    def test_cells_are_those_of_the_table(self):
        table = tk.audience(
            random_plays(1, n=100), tz="tz", by=["weekday", "hour"], start="2024-03-30 06:00",
            end="2024-04-01", day_starts_at="06:00",
        )  # fmt: skip
        ax = plot_week(table, first_hour=6)
        grid = ax.collections[0].get_array().reshape(7, 24)
        for row in table.itertuples():
            at = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"].index(row.weekday)
            assert grid[at, (row.hour - 6) % 24] == row.average_minute_audience
        assert np.isfinite(np.ma.filled(grid, np.nan)).sum() == len(table)
        assert [t.get_text() for t in ax.get_yticklabels()] == [
            "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun",
        ]  # fmt: skip
        assert [t.get_text() for t in ax.get_xticklabels()][:2] == ["06", "09"]
        assert ax.get_xlabel() == "Hour of the clock"
        bottom, top = ax.get_ylim()
        assert bottom > top

    def test_needs_what_it_draws(self):
        with pytest.raises(ValueError, match=r"missing \['hour'\]"):
            plot_week(pd.DataFrame({"weekday": ["MON"], "average_minute_audience": 1.0}))


class TestPlotReach:
    curve = pd.DataFrame(
        {
            "day": pd.date_range("2024-03-01", periods=2),
            "reach": [0.4, 0.6],
            "low": [0.2, 0.3],
            "high": [0.7, 0.8],
        }
    )

    def test_is_a_line_with_its_band(self):
        ax = plot_reach(self.curve)
        assert ax.lines[0].get_ydata().tolist() == [0.4, 0.6]
        first, second = mdates.date2num(self.curve["day"])
        corners = ax.collections[0].get_paths()[0].vertices.tolist()
        for corner in ([first, 0.2], [first, 0.7], [second, 0.3], [second, 0.8]):
            assert corner in corners
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("Day", "Cumulative reach")

    def test_each_group_has_its_line(self):
        both = pd.concat([self.curve.assign(title="Up"), self.curve.assign(title="Heat")])
        ax = plot_reach(both.rename(columns={"day": "week"}), by="title", time="week")
        assert [line.get_label() for line in ax.lines] == ["Up", "Heat"]
        assert ax.get_xlabel() == "Week"
        assert plot_reach(self.curve[:0].assign(title=""), by="title") is not None

    def test_needs_what_it_draws(self):
        for name in self.curve:
            with pytest.raises(ValueError, match=rf"missing \['{name}'\]"):
                plot_reach(self.curve.drop(columns=name))


class TestPlotDuplication:
    def test_points_stand_by_whether_the_law_holds_beside_its_line(self):
        table = pd.DataFrame(
            {
                "people_other": [30, 40, 50],
                "universe": 100,
                "duplication": [0.5, 0.6, 0.2],
                "low": [0.4, 0.5, 0.1],
                "high": [0.6, 0.7, 0.3],
                "expected": [0.4, 0.71, 0.05],
            }
        )
        ax = plot_duplication(table)
        within, off, law = ax.lines
        assert within.get_xydata().tolist() == [[0.3, 0.5]]
        assert off.get_xydata().tolist() == [[0.4, 0.6], [0.5, 0.2]]
        D, r = tk.duplication_law(table)
        np.testing.assert_allclose(law.get_xydata(), [[0, 0], [0.5, 0.5 * D]])
        names = [text.get_text() for text in ax.get_legend().get_texts()]
        assert names == ["within the law (1)", "off the law (2)", f"law: D = {D:.2f}, r = {r:.2f}"]
        assert ax.get_xlabel() == "Reach of the other title"

    def test_nothing_is_drawn_as_nothing(self):
        ax = plot_duplication(tk.duplication(random_plays(1)[:0]))
        assert ax.get_legend() is None


class TestPlotLeaderboard:
    def test_rows_stand_from_the_top_down_with_their_interval(self):
        ranked = pd.DataFrame(
            {
                "title": ["Up", "Heat"],
                "starters": [50, 2],
                "rate": [0.7, 1.0],
                "shrunk": [0.65, 0.6],
                "shrunk_low": [0.5, 0.3],
                "shrunk_high": [0.8, 0.9],
            }
        )
        ax = plot_leaderboard(ranked)
        points = ax.containers[0].lines[0]
        assert points.get_xydata().tolist() == [[0.65, 0], [0.6, 1]]
        drawn = [segment.tolist() for segment in ax.containers[0].lines[2][0].get_segments()]
        np.testing.assert_allclose(drawn, [[[0.5, 0], [0.8, 0]], [[0.3, 1], [0.9, 1]]])
        assert ax.lines[-1].get_xydata().tolist() == [[0.7, 0], [1.0, 1]]
        assert [t.get_text() for t in ax.get_yticklabels()] == ["Up (50)", "Heat (2)"]
        bottom, top = ax.get_ylim()
        assert bottom > top
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("Share of starters", "Title (starters)")


def test_every_artist_can_be_read():
    plays = random_plays(2, n=100)
    window = {"tz": "UTC", "start": "2024-03-30", "end": "2024-04-01"}
    for ax in (
        lambda: plot_audience(tk.audience(plays, by=None, every="1h", **window), tz="UTC"),
        lambda: plot_week(tk.audience(plays, by=["weekday", "hour"], **window)),
        lambda: plot_reach(tk.reach_curve(plays, tz="UTC")),
        lambda: plot_duplication(tk.duplication(plays)),
    ):
        figure = ax().figure
        assert list(uncovered_artists(figure)) == []
        figure.clear()
