import datetime as dt
import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import toolkit as tk
from tests import reference

START = dt.date(2017, 10, 20)


def days_of(viewer, *days, **columns):
    return pd.DataFrame({"viewer": viewer, "day": pd.to_datetime(list(days))} | columns)


def streak_rows(streaks):
    """One tuple per streak, to be held against the slow reference."""
    return [
        (s.first_day.date(), s.last_day.date(), s.n_days, s.is_open,
         None if s.may_start_earlier is pd.NA else bool(s.may_start_earlier))
        for s in streaks.itertuples()
    ]  # fmt: skip


def random_viewer_days(seed, n=400, viewers="abcdefgh", titles="xyz"):
    rng = random.Random(seed)
    rows = [
        (rng.choice(viewers), rng.choice(titles), START + dt.timedelta(days=rng.randrange(90)))
        for _ in range(n)
    ]
    frame = pd.DataFrame(rows, columns=["viewer", "title", "day"])
    return frame.astype({"viewer": "category", "title": "category", "day": "datetime64[us]"})


class TestFindStreaks:
    def test_a_missed_day_ends_the_streak(self):
        viewer_days = days_of("ann", "2024-03-01", "2024-03-02", "2024-03-04")

        streaks = tk.find_streaks(viewer_days, as_of="2024-03-31")

        expected = pd.DataFrame(
            {
                "viewer": pd.Categorical(["ann", "ann"]),
                "account": pd.Categorical(["ann", "ann"]),
                "first_day": pd.to_datetime(["2024-03-01", "2024-03-04"]).astype("datetime64[us]"),
                "last_day": pd.to_datetime(["2024-03-02", "2024-03-04"]).astype("datetime64[us]"),
                "n_days": [2, 1],
                "is_open": [False, False],
                "may_start_earlier": pd.array([pd.NA, pd.NA], dtype="boolean"),
            }
        )
        assert_frame_equal(streaks, expected)

    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(
        days=st.lists(st.integers(0, 80), max_size=40),
        as_of=st.integers(-5, 85),
        observed_from=st.none() | st.integers(-5, 60),
        max_gap=st.integers(0, 9),
        period=st.sampled_from(["day", "week", "month"]),
        week_starts=st.sampled_from(["MON", "SUN", "THU"]),
        in_progress=st.booleans(),
    )
    def test_agrees_with_the_slow_reference(
        self, days, as_of, observed_from, max_gap, period, week_starts, in_progress
    ):
        dates = [START + dt.timedelta(days=n) for n in days]
        as_of = START + dt.timedelta(days=as_of)
        if observed_from is not None:
            observed_from = START + dt.timedelta(days=observed_from)
        choice = {"period": period, "week_starts": week_starts}

        streaks = tk.find_streaks(
            days_of("ann", *dates), as_of=as_of, observed_from=observed_from,
            max_gap_days=max_gap, day_in_progress=in_progress, **choice,
        )  # fmt: skip

        slow = reference.streaks(
            dates, as_of=as_of, observed_from=observed_from, max_gap=max_gap,
            in_progress=in_progress, **choice,
        )  # fmt: skip
        assert streak_rows(streaks) == slow

    @pytest.mark.parametrize("seed", range(20))
    def test_each_viewer_with_its_own_edges_agrees_with_the_slow_reference(self, seed):
        rng = random.Random(seed)
        viewer_days = random_viewer_days(seed)
        edges = {
            v: (START + dt.timedelta(days=rng.randrange(30)), START + dt.timedelta(days=rng.randrange(30, 95)))
            for v in "abcdefgh"
        }  # fmt: skip
        viewers = pd.DataFrame(
            [(v, first, last) for v, (first, last) in edges.items()],
            columns=["viewer", "observed_from", "as_of"],
        )
        viewers.loc[0, "observed_from"] = None
        choice = {"max_gap": rng.randrange(3), "period": rng.choice(["day", "week", "month"])}
        progress = rng.random() < 0.5

        streaks = tk.find_streaks(
            viewer_days, viewers=viewers, max_gap_days=choice["max_gap"], period=choice["period"],
            day_in_progress=progress,
        )  # fmt: skip

        for v, (first, last) in edges.items():
            for title in "xyz":
                mine = viewer_days[(viewer_days["viewer"] == v) & (viewer_days["title"] == title)]
                slow = reference.streaks(
                    mine["day"].dt.date, as_of=last, observed_from=None if v == "a" else first,
                    week_starts="MON", in_progress=progress, **choice,
                )  # fmt: skip
                found = streaks[(streaks["viewer"] == v) & (streaks["title"] == title)]
                assert streak_rows(found) == slow

    @pytest.mark.parametrize(("as_of", "is_open"), [("2024-03-02", True), ("2024-03-03", False)])
    def test_a_streak_is_open_until_a_day_is_missed(self, as_of, is_open):
        viewer_days = days_of("ann", "2024-03-01", "2024-03-02")
        assert tk.find_streaks(viewer_days, as_of=as_of)["is_open"].tolist() == [is_open]

    @pytest.mark.parametrize(("as_of", "is_open"), [("2024-03-03", True), ("2024-03-04", False)])
    def test_the_day_in_progress_can_still_be_watched(self, as_of, is_open):
        viewer_days = days_of("ann", "2024-03-01", "2024-03-02")
        streaks = tk.find_streaks(viewer_days, as_of=as_of, day_in_progress=True)
        assert streaks["is_open"].tolist() == [is_open]

    @pytest.mark.parametrize(("gap", "n"), [(0, [1, 1]), (1, [1, 1]), (2, [2]), (3, [2])])
    def test_forgiven_days_join_but_are_not_counted(self, gap, n):
        viewer_days = days_of("ann", "2024-03-01", "2024-03-04")
        streaks = tk.find_streaks(viewer_days, as_of="2024-03-31", max_gap_days=gap)
        assert streaks["n_days"].tolist() == n

    @pytest.mark.parametrize(
        ("observed_from", "earlier"),
        [("2024-03-01", False), ("2024-03-02", True), ("2024-02-29", False)],
    )
    def test_a_streak_at_the_start_of_the_log_may_start_earlier(self, observed_from, earlier):
        viewer_days = days_of("ann", "2024-03-02", "2024-03-03")
        streaks = tk.find_streaks(viewer_days, as_of="2024-03-31", observed_from=observed_from)
        assert streaks["may_start_earlier"].tolist() == [earlier]

    def test_days_outside_the_log_are_not_used(self):
        viewer_days = days_of("ann", "2024-02-29", "2024-03-01", "2024-03-02", "2024-03-03")
        streaks = tk.find_streaks(viewer_days, observed_from="2024-03-01", as_of="2024-03-02")
        assert streaks["n_days"].tolist() == [2]

    @pytest.mark.parametrize(
        ("as_of", "is_open"), [("2024-03-10", False), ("2024-03-09", True), ("2024-03-17", False)]
    )
    def test_a_week_that_is_not_over_can_still_be_watched(self, as_of, is_open):
        # 26 February and 4 March are Mondays; the week of the 4th ends on the 10th.
        viewer_days = days_of("ann", "2024-02-20", "2024-03-01")
        streaks = tk.find_streaks(viewer_days, as_of=as_of, period="week")
        assert streaks["first_day"].dt.strftime("%m-%d").tolist() == ["02-19"]
        assert streaks["last_day"].dt.strftime("%m-%d").tolist() == ["03-03"]
        assert streaks[["n_days", "is_open"]].to_numpy().tolist() == [[2, is_open]]

    def test_a_day_counted_twice_counts_once_wherever_it_stands(self):
        once = days_of("ann", "2024-03-01", "2024-03-02", "2024-03-03")
        for rows in ([0, 0, 1, 2], [0, 1, 2, 2], [2, 1, 1, 0, 0], [0, 1, 1, 1, 2]):
            streaks = tk.find_streaks(once.iloc[rows], as_of="2024-03-31")
            assert streaks["n_days"].tolist() == [3]

    def test_neither_two_viewers_nor_two_titles_touch(self):
        viewer_days = pd.concat(
            [
                days_of("ann", "2024-03-01", title="x"),
                days_of("ann", "2024-03-02", title="y"),
                days_of("bob", "2024-03-03", title="y"),
            ]
        )
        for gap in (0, 1, 5, 10**9):
            streaks = tk.find_streaks(viewer_days, as_of="2024-03-31", max_gap_days=gap)
            assert streaks["n_days"].tolist() == [1, 1, 1]

    @pytest.mark.parametrize("seed", range(5))
    def test_order_concatenation_and_filters_do_not_matter(self, seed):
        viewer_days = random_viewer_days(seed)
        expected = tk.find_streaks(viewer_days, as_of="2018-01-07", max_gap_days=1)
        shuffled = viewer_days.sample(frac=1, random_state=seed)
        halves = pd.concat([shuffled[200:], shuffled[:200]], ignore_index=True)
        filtered = pd.concat([viewer_days.assign(keep=True), viewer_days.assign(keep=False)])
        filtered = filtered[filtered["keep"]]
        for frame in (shuffled, halves, filtered, viewer_days.astype({"viewer": "str"})):
            found = tk.find_streaks(frame, as_of="2018-01-07", max_gap_days=1)
            assert_frame_equal(found, expected)

    def test_cutting_the_log_by_viewer_never_changes_a_result(self):
        viewer_days = random_viewer_days(3)
        whole = tk.find_streaks(viewer_days, as_of="2018-01-07", observed_from="2017-11-01")
        parts = [
            tk.find_streaks(
                viewer_days[viewer_days["viewer"].isin(list(some))],
                as_of="2018-01-07", observed_from="2017-11-01",
            )
            for some in ("ab", "cdefg", "h")
        ]  # fmt: skip
        assert_frame_equal(pd.concat(parts, ignore_index=True), whole)

    def test_keys_wider_than_63_bits_fall_back(self):
        viewer_days = random_viewer_days(4)
        expected = tk.find_streaks(viewer_days, as_of="2018-01-07")
        numbers = {v: n * 2**40 for n, v in enumerate("abcdefgh")}
        titles = {"x": 0, "y": 7, "z": 2**55}
        wide = viewer_days.astype({"viewer": "str", "title": "str"})
        wide = wide.assign(viewer=wide["viewer"].map(numbers), title=wide["title"].map(titles))
        found = tk.find_streaks(wide.sample(frac=1, random_state=1), as_of="2018-01-07")
        assert found["viewer"].tolist() == expected["viewer"].astype("str").map(numbers).tolist()
        assert_frame_equal(found.iloc[:, 3:], expected.iloc[:, 3:])

    def test_days_centuries_apart_are_no_trouble(self):
        viewer_days = days_of("ann", "1700-01-01", "1700-01-02", "2250-01-01")
        streaks = tk.find_streaks(viewer_days, as_of="2250-01-01", max_gap_days=10**6)
        assert streaks["n_days"].tolist() == [3]

    @pytest.mark.parametrize(
        ("available_until", "is_open"), [("2024-03-02", True), ("2024-03-03", False)]
    )
    def test_a_streak_whose_title_left_the_catalogue_is_open(self, available_until, is_open):
        viewer_days = days_of("ann", "2024-03-01", "2024-03-02", title="Heat")
        titles = pd.DataFrame(
            {"title": ["Heat"], "available_from": [None], "available_until": [available_until]}
        )
        streaks = tk.find_streaks(viewer_days, as_of="2024-03-31", titles=titles)
        assert streaks["is_open"].tolist() == [is_open]

    @pytest.mark.parametrize(
        ("available_from", "earlier"), [("2024-02-29", True), ("2024-03-01", False), (None, True)]
    )
    def test_a_streak_cannot_start_before_its_title_came(self, available_from, earlier):
        viewer_days = days_of("ann", "2024-03-01", "2024-03-02", title="Heat")
        titles = pd.DataFrame(
            {"title": ["Heat"], "available_from": [available_from], "available_until": [None]}
        )
        streaks = tk.find_streaks(
            viewer_days, as_of="2024-03-31", observed_from="2024-03-01", titles=titles
        )
        assert streaks["may_start_earlier"].tolist() == [earlier]

    def test_a_series_is_there_while_any_of_its_titles_is(self):
        viewer_days = days_of("ann", "2024-03-01", "2024-03-02", series="S")
        titles = pd.DataFrame(
            {
                "series": ["S", "S"],
                "available_from": "2024-01-01",
                "available_until": ["2024-03-02", "2024-03-09"],
            }
        )
        streaks = tk.find_streaks(viewer_days, as_of="2024-03-31", titles=titles)
        assert streaks["is_open"].tolist() == [False]

    def test_a_film_among_series_stands_for_itself_in_titles_too(self):
        viewer_days = pd.concat(
            [days_of("ann", "2024-03-01", series="S"), days_of("ann", "2024-03-01", series="Heat")]
        )
        titles = pd.DataFrame(
            {
                "title": ["S: 1", "Heat"],
                "series": ["S", None],
                "available_from": "2024-01-01",
                "available_until": ["2024-06-01", "2024-03-01"],
            }
        )
        streaks = tk.find_streaks(viewer_days, as_of="2024-03-31", titles=titles)
        assert streaks[["series", "is_open"]].to_numpy().tolist() == [["Heat", True], ["S", False]]

    def test_viewers_are_found_by_name_however_their_categories_are_ordered(self):
        viewer_days = pd.concat([days_of("ann", "2024-03-01"), days_of("bob", "2024-03-01")])
        viewer_days["viewer"] = pd.Categorical(viewer_days["viewer"], ["zoe", "bob", "ann"])
        viewers = pd.DataFrame(
            {"viewer": pd.Categorical(["bob", "ann"]), "as_of": ["2024-03-01", "2024-03-31"]}
        )
        streaks = tk.find_streaks(viewer_days, viewers=viewers)
        assert streaks.set_index("viewer")["is_open"].to_dict() == {"ann": False, "bob": True}

    def test_empty_in_same_columns_out(self):
        viewer_days = random_viewer_days(1)
        full = tk.find_streaks(viewer_days, as_of="2018-01-07", observed_from="2017-11-01")
        for none in (
            tk.find_streaks(viewer_days[:0], as_of="2018-01-07", observed_from="2017-11-01"),
            tk.find_streaks(viewer_days, as_of="2017-01-07", observed_from="2017-01-01"),
        ):
            assert len(none) == 0
            assert_frame_equal(none, full[:0])

    def test_input_is_unchanged(self):
        viewer_days = random_viewer_days(2).sample(frac=1, random_state=1)
        before = viewer_days.copy(deep=True)
        tk.find_streaks(viewer_days, as_of="2017-12-10", max_gap_days=2, period="week")
        assert_frame_equal(viewer_days, before)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({}, "Exactly one of `as_of` and `viewers` must be given"),
            ({"as_of": "2024-03-01", "viewers": pd.DataFrame()}, "Exactly one of"),
            ({"as_of": "2024-03-01", "max_gap_days": -1}, "`max_gap_days` must be a whole number, 0 or more, got -1"),
            ({"as_of": "2024-03-01", "max_gap_days": 0.5}, "`max_gap_days` must be a whole number"),
            ({"as_of": "2024-03-01", "period": "year"}, "`period` must be one of"),
            ({"as_of": "2024-03-01 12:00"}, "`as_of` must be a day such as 2017-12-10, got"),
            ({"as_of": "2024-03-01T00:00Z"}, "`as_of` must be a day such as 2017-12-10, got"),
            ({"as_of": "yesterday-ish"}, "`as_of` must be a day"),
            ({"viewers": pd.DataFrame({"viewer": ["ann"]})}, r"missing \['as_of'\]"),
            ({"viewers": pd.DataFrame({"viewer": ["bob"], "as_of": ["2024-03-01"]})}, "`viewers` must have a row for every viewer; 1 are missing, the first is 'ann'"),
            ({"viewers": pd.DataFrame({"viewer": ["ann", "ann"], "as_of": "2024-03-01"})}, "one row per viewer, found 'ann' twice"),
            ({"viewers": pd.DataFrame({"viewer": ["ann"], "as_of": [None]})}, "`as_of` on every row; 1 are missing"),
            ({"viewers": pd.DataFrame({"viewer": ["ann"], "as_of": "2024-03-01", "observed_from": "2024-03-01"}), "observed_from": "2024-03-01"}, "`observed_from` must be given once"),
            ({"as_of": "2024-03-01", "titles": pd.DataFrame()}, "`titles` must go with a table by title"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_said_in_a_sentence(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            tk.find_streaks(days_of("ann", "2024-03-01"), **arguments)

    @pytest.mark.parametrize("as_of", ["10/12/2017", "2017", "2017-12", 0, 20171210, None, pd.NaT])
    def test_a_day_is_never_guessed(self, as_of):
        message = "Exactly one of" if as_of is None else "`as_of` must be a day such as 2017-12-10"
        with pytest.raises(ValueError, match=message):
            tk.find_streaks(days_of("ann", "2017-12-10"), as_of=as_of)

    @pytest.mark.parametrize(
        "as_of",
        [
            dt.date(2024, 3, 2),
            dt.datetime(2024, 3, 2),
            np.datetime64("2024-03-02"),
            pd.Timestamp("2024-03-02"),
        ],
    )
    def test_a_day_may_be_held_by_any_type_of_day(self, as_of):
        viewer_days = days_of("ann", "2024-03-02")
        assert tk.find_streaks(viewer_days, as_of=as_of)["is_open"].tolist() == [True]

    @pytest.mark.parametrize("days", [["03/04/2024", "04/04/2024"], range(2), [1.0, 2.0]])
    def test_columns_of_days_are_never_guessed_either(self, days):
        viewer_days = pd.DataFrame({"viewer": "ann", "day": days})
        with pytest.raises(ValueError, match=r"`viewer_days\.day` must be a day such as"):
            tk.find_streaks(viewer_days, as_of="2024-04-04")

    def test_columns_of_dates_and_of_text_are_read(self):
        for days in ([dt.date(2024, 3, 1), dt.date(2024, 3, 2)], ["2024-03-01", "2024-03-02"]):
            viewer_days = pd.DataFrame({"viewer": "ann", "day": days})
            streaks = tk.find_streaks(viewer_days, as_of="2024-03-31")
            assert streaks["n_days"].tolist() == [2]

    @pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
    @pytest.mark.parametrize("gap", [0, 1])
    def test_days_are_the_same_in_every_unit(self, unit, gap):
        viewer_days = random_viewer_days(6)
        expected = tk.find_streaks(viewer_days, as_of="2018-01-07", max_gap_days=gap)
        other = viewer_days.assign(day=viewer_days["day"].dt.as_unit(unit))
        assert_frame_equal(tk.find_streaks(other, as_of="2018-01-07", max_gap_days=gap), expected)

    @pytest.mark.parametrize("dtype", ["uint64", "int8", "Int64", "uint8"])
    def test_ids_may_be_numbers_of_any_width(self, dtype):
        viewer_days = random_viewer_days(5)
        expected = tk.find_streaks(viewer_days, as_of="2018-01-07")
        low = 2**63 + 5 if dtype == "uint64" else 3
        codes = viewer_days["viewer"].cat.codes.astype("uint64") + np.uint64(low)
        found = tk.find_streaks(viewer_days.assign(viewer=codes.astype(dtype)), as_of="2018-01-07")
        assert_frame_equal(found.iloc[:, 2:], expected.iloc[:, 2:])

    def test_a_half_day_among_days_is_refused_in_order_or_not(self):
        days = days_of("ann", "2024-03-01", "2024-03-02", "2024-03-03")
        days.loc[1, "day"] += pd.Timedelta(hours=12)
        for frame in (days, days[::-1]):
            for gap in (0, 1):
                with pytest.raises(ValueError, match="`day` must be naive midnights"):
                    tk.find_streaks(frame, as_of="2024-03-31", max_gap_days=gap)

    @pytest.mark.parametrize(
        ("day", "message"),
        [
            (
                pd.Timestamp("2024-03-01 12:00"),
                "`day` must be naive midnights on every row, found 2024",
            ),
            (pd.NaT, "`day` must be naive midnights on every row, found a missing day"),
            (pd.Timestamp("2024-03-01", tz="UTC"), "must be days without a time zone"),
        ],
    )
    def test_days_that_are_none_are_refused(self, day, message):
        viewer_days = pd.DataFrame({"viewer": ["ann", "ann"], "day": pd.Series([day, day])})
        with pytest.raises(ValueError, match=message):
            tk.find_streaks(viewer_days, as_of="2024-03-01")

    def test_a_title_missing_from_titles_is_named(self):
        titles = pd.DataFrame(
            {"title": ["Up"], "available_from": [None], "available_until": [None]}
        )
        with pytest.raises(
            ValueError, match="`titles` must have a row for every title, found none for 'Heat'"
        ):
            tk.find_streaks(
                days_of("ann", "2024-03-01", title="Heat"), as_of="2024-03-01", titles=titles
            )

    def test_a_table_by_both_title_and_series_is_refused(self):
        with pytest.raises(ValueError, match="`title` or `series`, not both"):
            tk.find_streaks(days_of("ann", "2024-03-01", title="x", series="y"), as_of="2024-03-01")

    def test_something_else_than_a_frame_is_a_type_error(self):
        with pytest.raises(TypeError, match="`viewer_days` must be a pandas DataFrame, got list"):
            tk.find_streaks([1, 2], as_of="2024-03-01")


class TestLongestStreaks:
    def test_keeps_n_of_each_viewer_the_newer_of_equals_first(self):
        viewer_days = pd.concat(
            [
                days_of(
                    "ann", "2024-03-01", "2024-03-02", "2024-03-10", "2024-03-11", "2024-03-20"
                ),
                days_of("bob", "2024-03-05"),
            ]
        )
        streaks = tk.find_streaks(viewer_days, as_of="2024-03-31")
        one = tk.longest_streaks(streaks)
        assert one["first_day"].dt.day.tolist() == [10, 5]
        two = tk.longest_streaks(streaks, n=2)
        assert two["first_day"].dt.day.tolist() == [10, 1, 5]
        assert two.index.tolist() == [0, 1, 2]

    def test_fewer_than_one_is_refused(self):
        streaks = tk.find_streaks(days_of("ann", "2024-03-01"), as_of="2024-03-01")
        with pytest.raises(ValueError, match="`n` must be a whole number, 1 or more, got 0"):
            tk.longest_streaks(streaks, n=0)


class TestWatchedEveryDay:
    def window(self, *days, **arguments):
        viewer_days = days_of("ann", *[f"2024-03-{d:02d}" for d in days], title="Heat")
        return tk.watched_every_day(viewer_days, **{"days": 3, "as_of": "2024-03-10"} | arguments)

    @pytest.mark.parametrize(
        ("days", "n"),
        [
            ((8, 9, 10), [3]),
            ((9, 10), []),
            ((8, 10), []),
            ((7, 8, 9), []),
            ((6, 7, 8, 9, 10, 11), [5]),
        ],
    )
    def test_every_day_of_the_window_is_needed_and_the_streak_is_given_whole(self, days, n):
        assert self.window(*days)["n_days"].tolist() == n

    def test_with_the_day_in_progress_the_window_ends_the_day_before(self):
        assert self.window(7, 8, 9, day_in_progress=True)["n_days"].tolist() == [3]
        assert self.window(7, 8, 9, 10, day_in_progress=True)["n_days"].tolist() == [4]
        assert self.window(8, 9, 10, day_in_progress=True)["n_days"].tolist() == []

    def test_a_window_that_starts_before_the_log_is_refused(self):
        assert len(self.window(8, 9, 10, observed_from="2024-03-08")) == 1
        with pytest.raises(
            ValueError, match=r"`days` must stay within the log, .* start on 2024-03-08"
        ):
            self.window(8, 9, 10, observed_from="2024-03-09")

    def test_title_and_series_choose_what_was_to_be_watched(self):
        assert len(self.window(8, 9, 10, title="Heat")) == 1
        with pytest.raises(ValueError, match="`title` must be one of the table's 1, got 'Head'"):
            self.window(8, 9, 10, title="Head")
        with pytest.raises(ValueError, match=r"missing \['series'\]"):
            self.window(8, 9, 10, series="S")

    def test_without_a_title_each_is_asked_on_its_own(self):
        viewer_days = pd.concat(
            [days_of("ann", "2024-03-09", title="x"), days_of("ann", "2024-03-10", title="y")]
        )
        assert len(tk.watched_every_day(viewer_days, days=2, as_of="2024-03-10")) == 0

    @pytest.mark.parametrize("days", [0, -1, 2.5, True, "2", None, float("nan")])
    def test_a_window_is_a_whole_number_of_days(self, days):
        with pytest.raises(ValueError, match="`days` must be a whole number, 1 or more, got"):
            self.window(10, days=days)
        with pytest.raises(ValueError, match="`max_gap_days` must be a whole number, 0 or more"):
            tk.find_streaks(
                days_of("ann", "2024-03-01"),
                as_of="2024-03-01",
                max_gap_days=-1 if days == 0 else days,
            )

    @pytest.mark.parametrize("title", [9, "1"])
    def test_a_title_of_another_kind_is_refused(self, title):
        viewer_days = days_of("ann", "2024-03-01", title=1)
        with pytest.raises(ValueError, match="`title` must be one of the table's 1, got"):
            tk.watched_every_day(viewer_days, days=1, as_of="2024-03-01", title=title)
        found = tk.watched_every_day(viewer_days, days=1, as_of="2024-03-01", title=1)
        assert len(found) == 1

    def test_empty_in_same_columns_out(self):
        viewer_days = days_of("ann", "2024-03-10", title="Heat")
        full = tk.watched_every_day(viewer_days, days=1, as_of="2024-03-10", title="Heat")
        none = tk.watched_every_day(viewer_days[:0], days=1, as_of="2024-03-10", title="Heat")
        assert list(none) == list(full)
        assert len(none) == 0


class TestCountStreaks:
    def streaks(self):
        viewer_days = pd.concat(
            [
                days_of(
                    "ann", "2024-03-01", "2024-03-02", "2024-03-03", "2024-03-10", account="home"
                ),
                days_of("bob", "2024-03-01", "2024-03-02", "2024-03-03", account="home"),
                days_of("cid", "2024-03-10", account="flat"),
            ]
        )
        return tk.find_streaks(viewer_days, as_of="2024-03-10")

    def test_counts_streaks_and_people_of_each_length_and_beyond(self):
        expected = pd.DataFrame(
            {
                "n_days": [1, 2, 3],
                "n_streaks": [2, 0, 2],
                "people": [2, 0, 1],
                "n_reaching": [4, 2, 2],
                "people_reaching": [2, 1, 1],
            }
        )
        assert_frame_equal(tk.count_streaks(self.streaks()), expected)

    def test_open_and_ended_ones_apart(self):
        assert tk.count_streaks(self.streaks(), which="open")["n_streaks"].tolist() == [2]
        assert tk.count_streaks(self.streaks(), which="ended")["n_streaks"].tolist() == [0, 0, 2]
        with pytest.raises(ValueError, match="`which` must be one of"):
            tk.count_streaks(self.streaks(), which="alive")

    def test_groups_agree_with_counting_each_alone(self):
        streaks = tk.find_streaks(random_viewer_days(7), as_of="2018-01-07", max_gap_days=2)
        counts = tk.count_streaks(streaks, groups="title")
        for title, some in streaks.groupby("title", observed=True):
            alone = tk.count_streaks(some)
            mine = counts[counts["title"] == title].drop(columns="title").reset_index(drop=True)
            assert_frame_equal(mine, alone)

    def test_groups_by_a_column_of_the_result_are_refused(self):
        with pytest.raises(
            ValueError, match=r"`groups` must not be columns of the result, got \['n_days'\]"
        ):
            tk.count_streaks(self.streaks(), groups="n_days")

    @pytest.mark.parametrize(("column", "value"), [("n_days", 1.5), ("is_open", "False")])
    def test_a_table_that_holds_something_else_is_refused(self, column, value):
        with pytest.raises(ValueError, match=rf"`streaks\.{column}` must be"):
            tk.count_streaks(self.streaks().assign(**{column: value}))

    def test_groups_are_counted_apart_and_missing_ones_kept(self):
        counts = tk.count_streaks(self.streaks(), groups=["is_open", "may_start_earlier"])
        assert counts["n_streaks"].tolist() == [0, 0, 2, 2]
        assert counts["is_open"].tolist() == [False, False, False, True]
        assert counts["may_start_earlier"].isna().all()

    @pytest.mark.parametrize("seed", range(5))
    def test_agrees_with_counting_one_by_one(self, seed):
        viewer_days = random_viewer_days(seed)
        home = (
            viewer_days["viewer"].astype("str").map(dict(zip("abcdefgh", "wwxxyyzz", strict=True)))
        )
        streaks = tk.find_streaks(
            viewer_days.assign(account=home), as_of="2018-01-07", max_gap_days=3
        )
        for row in tk.count_streaks(streaks).itertuples():
            exactly = streaks[streaks["n_days"] == row.n_days]
            reaching = streaks[streaks["n_days"] >= row.n_days]
            assert row.n_streaks == len(exactly)
            assert row.people == exactly["account"].nunique()
            assert row.n_reaching == len(reaching)
            assert row.people_reaching == reaching["account"].nunique()

    def test_empty_in_same_columns_out(self):
        full = tk.count_streaks(self.streaks(), groups="is_open")
        none = tk.count_streaks(self.streaks()[:0], groups="is_open")
        assert list(none) == list(full)
        assert len(none) == 0
        assert len(tk.count_streaks(self.streaks()[:0])) == 0


def test_the_real_log_gives_its_known_histogram(brighttv):
    columns = {
        "viewer": "UserID",
        "title": "Channel2",
        "started_at": "RecordDate2",
        "watched_seconds": "Duration2",
    }
    plays = tk.load_table(brighttv, columns=columns, clock_tz="UTC", duration="H:MM:SS")
    assert len(plays) == 10_000
    viewer_days = tk.to_viewer_days(plays, tz="UTC", by=None)
    streaks = tk.find_streaks(viewer_days, as_of="2016-03-31")
    counts = tk.count_streaks(streaks).set_index("n_days")["n_streaks"]
    assert counts.to_dict() == {1: 6663, 2: 778, 3: 118, 4: 19, 5: 2, 6: 4, 7: 1}


def test_plays_to_the_answer_on_a_log_made_by_hand():
    days = pd.date_range("2017-11-23", "2017-12-10")
    plays = pd.concat(
        pd.DataFrame(
            {
                "viewer": viewer,
                "account": account,
                "title": "The Christmas Film",
                # 20:00 in New York is already the next day in UTC.
                "started_at": (days + pd.Timedelta(hours=20))
                .tz_localize("America/New_York")
                .tz_convert("UTC"),
            }
        )
        for viewer, account in (("ann", "home"), ("bob", "home"), ("cid", "flat"))
    )
    missed = (plays["viewer"] == "cid") & (plays["started_at"].dt.day == 1)
    viewer_days = tk.to_viewer_days(plays[~missed], tz="America/New_York")
    watched = tk.watched_every_day(
        viewer_days, days=18, as_of="2017-12-10", title="The Christmas Film"
    )
    assert watched["viewer"].tolist() == ["ann", "bob"]
    assert watched["account"].nunique() == 1
    in_utc = tk.to_viewer_days(plays[~missed], tz="UTC")
    assert len(tk.watched_every_day(in_utc, days=18, as_of="2017-12-10")) == 0
    assert np.array_equal(watched["n_days"], [18, 18])
