"""What is drawn is read back from the axes; no picture is compared."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from matplotlib.dates import date2num

import toolkit as tk


class TestPlotCalendar:
    def daily(self):
        # 1 December 2017 was a Friday; the 6th is not there.
        days = pd.date_range("2017-12-01", "2017-12-11").drop(pd.Timestamp("2017-12-06"))
        return pd.DataFrame({"day": days, "people": np.arange(10.0, 20.0)})

    def test_a_column_is_a_week_with_monday_on_top_and_what_is_not_there_is_blank(self):
        ax = tk.plot_calendar(self.daily())
        drawn = ax.collections[0].get_array().reshape(7, 3)
        assert drawn[4, 0] == 10  # Friday the 1st
        assert drawn[0, 1] == 13  # Monday the 4th
        assert drawn[0, 2] == 19  # Monday the 11th
        assert drawn.mask[2, 1]  # the 6th
        assert drawn.count() == 10
        assert ax.get_ylim() == (7, 0)
        assert [t.get_text() for t in ax.get_xticklabels()] == ["27 Nov", "4 Dec", "11 Dec"]

    @pytest.mark.parametrize(("n_weeks", "n_labels"), [(14, 14), (15, 8), (40, 14)])
    def test_weeks_are_labelled_as_far_as_labels_can_be_read(self, n_weeks, n_labels):
        days = pd.date_range("2024-01-01", periods=7 * n_weeks)
        ax = tk.plot_calendar(pd.DataFrame({"day": days, "people": 1}))
        labels = [t.get_text() for t in ax.get_xticklabels()]
        assert len(labels) == n_labels
        step = ax.get_xticks()[1] - ax.get_xticks()[0]
        second = pd.Timestamp("2024-01-01") + pd.Timedelta(weeks=int(step))
        assert labels[:2] == ["1 Jan", f"{second.day} {second:%b}"]

    def test_the_colours_are_of_the_value_asked_for(self):
        daily = self.daily().assign(n_plays=1.0)
        ax = tk.plot_calendar(daily, value="n_plays")
        assert set(ax.collections[0].get_array().compressed()) == {1.0}
        with pytest.raises(ValueError, match=r"missing \['minutes'\]"):
            tk.plot_calendar(daily, value="minutes")

    def test_draws_where_it_is_told_and_leaves_its_input(self):
        daily = self.daily()
        before = daily.copy(deep=True)
        _, (left, right) = plt.subplots(1, 2)
        assert tk.plot_calendar(daily, ax=left) is left
        assert not right.collections
        pd.testing.assert_frame_equal(daily, before)


class TestPlotGrid:
    def table(self):
        return pd.DataFrame(
            {
                "zone": ["b", "b", "a", "a"],
                "start": ["04:00", "00:00"] * 2,
                "people": [53, 40, 60, 53],
            }
        )

    def test_numbers_stand_in_the_order_in_which_they_come(self):
        ax = tk.plot_grid(self.table(), x="start", y="zone", value="people")
        assert [t.get_text() for t in ax.texts] == ["53", "40", "60", "53"]
        assert [t.get_text() for t in ax.get_xticklabels()] == ["04:00", "00:00"]
        assert [t.get_text() for t in ax.get_yticklabels()] == ["b", "a"]

    def test_the_centre_gets_the_middle_of_the_colours(self):
        ax = tk.plot_grid(self.table(), x="start", y="zone", value="people", center=53)
        low, high = ax.collections[0].get_clim()
        assert (low + high) / 2 == 53
        assert high == 66

    def test_grids_side_by_side_can_share_their_colours(self):
        ax = tk.plot_grid(self.table(), x="start", y="zone", value="people", center=53, spread=20)
        assert ax.collections[0].get_clim() == (33, 73)


class TestPlotStreakCounts:
    counts = pd.DataFrame({"n_days": [1, 2, 3], "people_reaching": [100, 20, 5]})

    def test_draws_how_many_reach_each_length(self):
        ax = tk.plot_streak_counts(self.counts, label="all")
        (line,) = ax.lines
        assert line.get_xydata().tolist() == [[1, 100], [2, 20], [3, 5]]
        assert line.get_label() == "all"
        assert ax.get_yscale() == "log"

    def test_marks_a_claim_with_its_words(self):
        ax = tk.plot_streak_counts(self.counts, point=(2, 53))
        assert ax.lines[1].get_xydata().tolist() == [[2, 53]]
        assert ax.texts[0].get_text() == "53 people, 2 days"


class TestPlotStreaks:
    streaks = pd.DataFrame(
        {
            "viewer": ["bob", "ann", "bob"],
            "first_day": pd.to_datetime(["2024-03-01", "2024-03-02", "2024-03-08"]),
            "last_day": pd.to_datetime(["2024-03-02", "2024-03-02", "2024-03-09"]),
            "is_open": [False, False, True],
            "may_start_earlier": pd.array([True, pd.NA, False], dtype="boolean"),
        }
    )

    def test_a_bar_runs_from_the_first_day_to_the_end_of_the_last(self):
        ax = tk.plot_streaks(self.streaks)
        ended, going = ax.collections
        assert [s[:, 0].tolist() for s in ended.get_segments()] == [
            date2num(pd.to_datetime(["2024-03-01", "2024-03-03"])).tolist(),
            date2num(pd.to_datetime(["2024-03-02", "2024-03-03"])).tolist(),
        ]
        assert [s[0, 1] for s in ended.get_segments()] == [0, 1]
        assert [s[0, 1] for s in going.get_segments()] == [0]
        assert [c.get_label() for c in ax.collections] == ["ended (2)", "open (1)"]

    def test_arrows_show_what_may_go_on_beyond_the_log(self):
        ax = tk.plot_streaks(self.streaks)
        later, earlier = ax.lines
        assert later.get_marker() == ">"
        assert later.get_xydata().tolist() == [[date2num(pd.Timestamp("2024-03-10")), 0]]
        assert earlier.get_marker() == "<"
        assert earlier.get_xydata().tolist() == [[date2num(pd.Timestamp("2024-03-01")), 0]]

    def test_open_and_ended_streaks_look_different(self):
        ended, going = tk.plot_streaks(self.streaks).collections
        assert to_rgba(ended.get_color()[0]) != to_rgba(going.get_color()[0])


class TestPlotLosses:
    losses = pd.DataFrame(
        {
            "source": pd.Categorical(["netflix", "netflix", "youtube"]),
            "reason": ["trailer", "duplicate", "duplicate"],
            "n_rows": [4, 1, 3],
            "share": [0.4, 0.1, 0.3],
        }
    )

    def test_reasons_of_a_group_lie_side_by_side(self):
        ax = tk.plot_losses(self.losses)
        trailer, duplicate = ax.containers
        assert [(b.get_x(), b.get_width()) for b in trailer] == [(0, 0.4)]
        drawn = [(b.get_x(), b.get_width()) for b in duplicate]
        np.testing.assert_allclose(drawn, [(0.4, 0.1), (0, 0.3)])
        assert [t.get_text() for t in ax.get_legend().get_texts()] == ["trailer", "duplicate"]
        assert [t.get_text() for t in ax.get_yticklabels()] == ["netflix", "youtube"]
        assert ax.get_ylabel() == "source"

    def test_without_groups_a_bar_is_a_reason(self):
        ax = tk.plot_losses(self.losses.iloc[:2].drop(columns="source"))
        assert [b.get_width() for b in ax.patches] == [0.4, 0.1]
        assert [t.get_text() for t in ax.get_yticklabels()] == ["trailer", "duplicate"]

    def test_nothing_lost_is_drawn_as_nothing(self):
        assert not tk.plot_losses(self.losses[:0]).patches

    def test_needs_shares(self):
        with pytest.raises(ValueError, match=r"missing \['share'\]"):
            tk.plot_losses(self.losses.drop(columns="share"))
