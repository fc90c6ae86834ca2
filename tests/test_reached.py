"""Reach against a count of one tick after the other, and what holds whatever the log."""

import itertools

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import toolkit as tk
from tests.watching_logs import TICK, label_of, random_plays, ticks_of

SUMMER = "Europe/Berlin"


def plays_of(*rows):
    """Plays of (viewer, title, started_at, seconds)."""
    plays = pd.DataFrame(rows, columns=["viewer", "title", "started_at", "watched_seconds"])
    plays["watched_seconds"] = plays["watched_seconds"].astype("float64")
    return plays.assign(started_at=pd.to_datetime(plays["started_at"], utc=True))


def count_reached(plays, *, columns, label, least, consecutive):
    """{(*content, *label): accounts that watched so many ticks}"""
    watched = {}
    for play in plays.itertuples():
        content = tuple(getattr(play, name) for name in columns)
        for tick in ticks_of(play):
            cell = (*content, *label(tick, play.tz))
            watched.setdefault((cell, play.account), set()).add(tick)
    found = {}
    for (cell, account), ticks in watched.items():
        longest = run = 0
        for tick in sorted(ticks):
            run = run + 1 if tick - TICK in ticks else 1
            longest = max(longest, run)
        if (longest if consecutive else len(ticks)) >= least:
            found.setdefault(cell, set()).add(account)
    return {cell: len(accounts) for cell, accounts in found.items()}


def reached(table, n_keys):
    people = table["people"].to_numpy()
    rows = table.iloc[:, :n_keys].itertuples(index=False)
    return {tuple(row): n for row, n in zip(rows, people, strict=True) if n}


class TestReach:
    @pytest.mark.parametrize("consecutive", [False, True])
    @pytest.mark.parametrize("minutes", [0.5, 3, 15, 90])
    @pytest.mark.parametrize(
        ("columns", "words", "day_starts_at"),
        [
            ([], [], "00:00"),
            (["title"], [], "00:00"),
            ([], ["day"], "06:00"),
            (["title"], ["day"], "03:00"),
            (["device"], ["hour"], "05:30"),
            ([], ["week"], "00:00"),
        ],
    )
    @pytest.mark.parametrize("zone", [SUMMER, "tz"])
    def test_is_what_counting_every_tick_gives(
        self, columns, words, day_starts_at, minutes, consecutive, zone
    ):
        zones = [SUMMER, "America/New_York"] if zone == "tz" else [SUMMER]
        # An account in two zones at once is another matter.
        plays = random_plays(len(words), zones=zones).assign(account=lambda p: p["viewer"])
        table = tk.reach(
            plays, tz=zone, by=[*columns, *words], min_minutes=minutes, consecutive=consecutive,
            day_starts_at=day_starts_at,
        )  # fmt: skip
        expected = count_reached(
            plays, columns=columns, least=2 * minutes, consecutive=consecutive,
            label=lambda at, zone: label_of(at, zone, words, day_starts_at),
        )  # fmt: skip
        assert reached(table, len(columns) + len(words)) == expected

    @pytest.mark.parametrize("consecutive", [False, True])
    def test_the_profiles_of_an_account_add_up(self, consecutive):
        plays = random_plays(2, n=80)
        table = tk.reach(plays, tz="UTC", by="title", min_minutes=90, consecutive=consecutive)
        expected = count_reached(
            plays, columns=["title"], least=180, consecutive=consecutive, label=lambda *_: ()
        )
        assert reached(table, 1) == expected
        alone = tk.reach(
            plays.assign(account=plays["viewer"]), tz="UTC", by="title", min_minutes=90
        )
        assert alone["universe"].iloc[0] > table["universe"].iloc[0]

    def test_never_exceeds_the_universe_and_falls_as_more_is_asked(self):
        plays = random_plays(3, n=150)
        tables = [
            tk.reach(plays, tz="UTC", by=["title", "day"], min_minutes=minutes)
            for minutes in (0, 0.5, 1, 5, 30, 120)
        ]
        for less, more in itertools.pairwise(tables):
            assert (more["people"] <= less["people"]).all()
            assert less["reach"].between(0, 1).all()
            assert (less["low"] <= less["reach"]).all()
            assert (less["reach"] <= less["high"]).all()
        assert tables[0]["people"].sum() > tables[-1]["people"].sum() > 0

    def test_consecutive_minutes_are_never_more_than_all(self):
        plays = random_plays(4, n=150)
        how = {"tz": "UTC", "by": "title", "min_minutes": 60}
        assert (
            tk.reach(plays, consecutive=True, **how)["people"]
            <= tk.reach(plays, consecutive=False, **how)["people"]
        ).all()

    def test_exactly_so_many_minutes_are_enough(self):
        plays = plays_of(("ann", "Heat", "2024-03-01 20:00Z", 180))
        assert tk.reach(plays, tz="UTC", min_minutes=3)["people"].item() == 1
        assert tk.reach(plays, tz="UTC", min_minutes=3.0001)["people"].item() == 0
        less = plays.assign(watched_seconds=179.999999)
        assert tk.reach(less, tz="UTC", min_minutes=3)["people"].item() == 0

    def test_plays_that_touch_are_consecutive_and_those_with_a_break_are_not(self):
        plays = plays_of(
            ("ann", "Heat", "2024-03-01 20:00Z", 120), ("ann", "Heat", "2024-03-01 20:02Z", 60)
        )
        how = {"tz": "UTC", "min_minutes": 3, "consecutive": True}
        assert tk.reach(plays, **how)["people"].item() == 1
        later = plays["started_at"] + pd.to_timedelta([0, 1e-6], unit="s")
        assert tk.reach(plays.assign(started_at=later), **how)["people"].item() == 0

    def test_a_break_also_counts_within_the_cells_of_the_clock(self):
        plays = plays_of(
            ("ann", "Heat", "2024-03-01 20:00Z", 120), ("ann", "Heat", "2024-03-01 20:03Z", 120)
        )
        how = {"tz": "UTC", "min_minutes": 3, "by": "day"}
        assert tk.reach(plays, **how)["people"].item() == 1
        assert tk.reach(plays, consecutive=True, **how)["people"].item() == 0

    def test_a_new_day_is_no_break_within_an_hour(self):
        plays = plays_of(("ann", "Heat", "2024-03-01 05:00Z", 3600))
        how = {"tz": "UTC", "min_minutes": 60, "consecutive": True, "day_starts_at": "05:30"}
        assert tk.reach(plays, by="hour", **how)["people"].tolist() == [1]
        assert tk.reach(plays, by=["day", "hour"], **how)["people"].tolist() == [0, 0]

    def test_two_screens_at_once_are_the_same_minute(self):
        plays = plays_of(
            ("ann", "Heat", "2024-03-01 20:00Z", 120), ("ann", "Heat", "2024-03-01 20:01Z", 90)
        )
        assert tk.reach(plays, tz="UTC", min_minutes=2.5)["people"].item() == 1
        assert tk.reach(plays, tz="UTC", min_minutes=2.6)["people"].item() == 0

    def test_plays_of_nothing_count_where_nothing_is_asked(self):
        plays = plays_of(("ann", "Heat", "2024-03-01 20:00Z", 0))
        for by in (None, "title", "day"):
            assert tk.reach(plays, tz="UTC", by=by, min_minutes=0)["people"].tolist() == [1]
            assert tk.reach(plays, tz="UTC", by=by, min_minutes=0.1)["people"].tolist() == [0]
        inside = {"start": "2024-03-01 20:00", "end": "2024-03-01 21:00"}
        before = {"start": "2024-03-01 19:00", "end": "2024-03-01 20:00"}
        assert tk.reach(plays, tz="UTC", min_minutes=0, **inside)["people"].item() == 1
        assert tk.reach(plays, tz="UTC", min_minutes=0, **before)["people"].item() == 0

    @pytest.mark.parametrize("consecutive", [False, True])
    def test_plays_of_unknown_length_count_as_watched(self, consecutive):
        plays = plays_of(
            ("ann", "Heat", "2024-03-01 20:00Z", np.nan),
            ("bob", "Heat", "2024-03-01 20:00Z", 30),
            ("bob", "Heat", "2024-03-02 20:00Z", np.nan),
        )
        how = {"tz": "UTC", "min_minutes": 5, "consecutive": consecutive}
        assert tk.reach(plays, **how)["people"].item() == 2
        assert tk.reach(plays, by="day", **how)["people"].tolist() == [1, 1]
        assert tk.reach(plays, start="2024-03-02", end="2024-03-03", **how)["people"].item() == 1
        none = plays.drop(columns="watched_seconds")
        assert tk.reach(none, **how)["people"].item() == 2

    def test_days_without_a_play_are_there_and_0(self):
        plays = plays_of(
            ("ann", "Heat", "2024-03-01 20:00Z", 120), ("ann", "Up", "2024-03-03 20:00Z", 120)
        )
        table = tk.reach(plays, tz="UTC", by=["title", "day"])
        assert table["people"].tolist() == [1, 0, 0, 0, 0, 1]
        assert table["day"].dt.day.tolist() == [1, 2, 3, 1, 2, 3]
        # An end at the start of a day is the end of the day before.
        over = plays.assign(started_at=pd.Timestamp("2024-03-01 23:58Z"))
        assert tk.reach(over, tz="UTC", by="day")["day"].dt.day.tolist() == [1]

    def test_dates_serve_where_no_clock_is_asked(self):
        plays = plays_of(("ann", "Heat", "2024-03-01", np.nan)).assign(precision="day")
        assert tk.reach(plays, tz="America/New_York", by="title")["people"].tolist() == [1]
        for how in ({"by": "day"}, {"start": "2024-03-01"}):
            with pytest.raises(ValueError, match="`plays` must say at what hour"):
                tk.reach(plays, tz="America/New_York", **how)

    def test_the_interval_is_wilsons(self):
        plays = plays_of(*[(i, "Heat", "2024-03-01 20:00Z", 60) for i in range(81)])
        row = tk.reach(plays, tz="UTC", universe=263).iloc[0]
        assert row[["low", "high"]].round(4).tolist() == [0.2553, 0.3662]

    def test_groups_come_from_viewers_or_from_plays(self):
        plays = plays_of(
            ("ann", "Heat", "2024-03-01 20:00Z", 600), ("bob", "Heat", "2024-03-01 20:00Z", 6)
        )
        viewers = pd.DataFrame({"viewer": ["ann", "bob", "cid"], "arm": ["a", "b", "a"]})
        table = tk.reach(plays, tz="UTC", viewers=viewers, groups="arm")
        assert table[["arm", "people", "universe"]].to_numpy().tolist() == [
            ["a", 1, 2],
            ["b", 0, 1],
        ]
        own = tk.reach(plays.assign(arm=["b", "a"]), tz="UTC", groups="arm", by="title")
        assert own[["title", "arm", "people", "universe"]].to_numpy().tolist() == [
            ["Heat", "a", 0, 1], ["Heat", "b", 1, 1],
        ]  # fmt: skip

    def test_empty_in_same_columns_out(self):
        plays = random_plays(5)
        full = tk.reach(plays, tz="UTC", by=["title", "day"], groups="device")
        none = tk.reach(plays[:0], tz="UTC", by=["title", "day"], groups="device")
        assert list(none) == list(full)
        assert none.empty

    def test_the_order_of_rows_and_the_input_stay_as_they_are(self):
        plays = random_plays(6)
        before = plays.copy()
        table = tk.reach(plays, tz="tz", by=["title", "hour"])
        assert_frame_equal(plays, before)
        assert_frame_equal(
            tk.reach(plays.sample(frac=1, random_state=1), tz="tz", by=["title", "hour"]), table
        )

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"min_minutes": -1}, "`min_minutes` must be 0 or more, got -1"),
            ({"min_minutes": "3"}, "`min_minutes` must be 0 or more, got '3'"),
            ({"min_minutes": np.nan}, "`min_minutes` must be 0 or more"),
            ({"confidence": 0}, r"`confidence` must lie in \(0, 1\)"),
            ({"universe": 2}, "`universe` must be at least the people who were reached"),
            ({"by": "reach"}, "`by` must not be columns of the result"),
            ({"universe": 10.5}, "`universe` must be a whole number"),
        ],
    )
    def test_a_wrong_argument_is_named(self, change, message):
        with pytest.raises(ValueError, match=message):
            tk.reach(random_plays(7), **({"tz": "UTC"} | change))


class TestReachCurve:
    @pytest.mark.parametrize("consecutive", [False, True])
    @pytest.mark.parametrize("minutes", [0, 3, 90, 300])
    @pytest.mark.parametrize("zone", ["UTC", "tz"])
    def test_is_the_reach_of_a_window_that_ends_with_each_day(self, minutes, consecutive, zone):
        plays = random_plays(8, n=60, zones=[SUMMER, "Asia/Kolkata"])
        # An account in two zones at once is another matter.
        plays = plays if zone == "UTC" else plays.assign(account=plays["viewer"])
        how = {"tz": zone, "by": "title", "min_minutes": minutes, "consecutive": consecutive}
        start = "2024-03-29"
        curve = tk.reach_curve(plays, start=start, end="2024-04-02", **how)
        assert curve["day"].nunique() == 4
        for day, rows in curve.groupby("day"):
            until = tk.reach(plays, start=start, end=day + pd.Timedelta(days=1), **how)
            assert rows["people"].tolist() == until["people"].tolist()
            assert rows["high"].tolist() == until["high"].tolist()

    def test_steps_add_up_to_the_reach_of_the_whole_log(self):
        plays = random_plays(9, n=100)
        how = {"tz": SUMMER, "by": "device", "groups": "title", "min_minutes": 20}
        for period in ("day", "week", "month"):
            curve = tk.reach_curve(plays, period=period, **how)
            new = curve.groupby(["device", "title"], observed=True)["new_people"].sum()
            assert new.tolist() == tk.reach(plays, **how)["people"].tolist()
            assert list(curve)[2] == period

    def test_who_has_enough_at_the_start_of_a_day_is_the_day_befores(self):
        plays = plays_of(
            ("ann", "Heat", "2024-03-01 23:58Z", 300), ("bob", "Heat", "2024-03-01 23:59Z", 300)
        )
        curve = tk.reach_curve(plays, tz="UTC", min_minutes=2)
        assert curve["new_people"].tolist() == [1, 1]

    def test_empty_in_same_columns_out(self):
        plays = random_plays(5)
        full = tk.reach_curve(plays, tz="UTC", by="title")
        none = tk.reach_curve(plays[:0], tz="UTC", by="title")
        assert list(none) == list(full)
        assert none.empty

    def test_unknown_lengths_count_from_their_start(self):
        plays = plays_of(
            ("ann", "Heat", "2024-03-01 20:00Z", 60), ("ann", "Heat", "2024-03-02 20:00Z", np.nan)
        )
        assert tk.reach_curve(plays, tz="UTC", min_minutes=5)["people"].tolist() == [0, 1]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"by": "day"}, "`by` must be columns of `plays`, got the words of the clock"),
            ({"period": "year"}, "`period` must be one of"),
        ],
    )
    def test_a_wrong_argument_is_named(self, change, message):
        with pytest.raises(ValueError, match=message):
            tk.reach_curve(random_plays(7), **({"tz": "UTC"} | change))
