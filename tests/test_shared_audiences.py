"""Duplication of viewing and double jeopardy: counts by hand, identities and a known market."""

import itertools

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import toolkit as tk
from tests.watching_logs import random_plays


def plays_of(watched):
    """A play for each (viewer, title)."""
    plays = pd.DataFrame(watched, columns=["viewer", "title"])
    return plays.assign(started_at=pd.Timestamp("2024-03-01 20:00Z"))


class TestDuplication:
    @pytest.mark.parametrize("seed", range(3))
    def test_is_what_sets_of_accounts_give(self, seed):
        plays = random_plays(seed, n=60)
        sets = {t: set(rows["account"]) for t, rows in plays.groupby("title", observed=True)}
        table = tk.duplication(plays)
        assert len(table) == 6
        for row in table.itertuples():
            own, other = sets[row.title], sets[row.other]
            assert (row.people, row.people_other) == (len(own), len(other))
            assert row.people_both == len(own & other)
            assert row.duplication == len(own & other) / len(own)
            assert (row.low, row.high) == tk.wilson(len(own & other), len(own))
        assert (table["universe"] == plays["account"].nunique()).all()

    @pytest.mark.parametrize("sizes", [(2, 3, 5), (1, 2, 2)])
    def test_D_is_1_under_independence(self, sizes):
        # Every combination of titles once, each title in 1 of its size: chosen independently.
        people = itertools.product(*[range(size) for size in sizes])
        watched = [
            (viewer, f"t{title}")
            for viewer, choices in enumerate(people)
            for title, choice in enumerate(choices)
            if choice == 0
        ]
        n = int(np.prod(sizes))
        table = tk.duplication(plays_of(watched), universe=n)
        D, _ = tk.duplication_law(table)
        assert pytest.approx(1, abs=1e-12) == D
        np.testing.assert_allclose(table["expected"], table["duplication"])

    @pytest.mark.parametrize(("fans", "universe"), [(2, 8), (5, 5), (3, 100)])
    def test_D_is_1_over_f_where_a_share_f_watches_everything(self, fans, universe):
        plays = plays_of(itertools.product(range(fans), ["Heat", "Up", "Alien"]))
        table = tk.duplication(plays, universe=universe)
        D, r = tk.duplication_law(table)
        assert pytest.approx(universe / fans) == D
        assert np.isnan(r)
        assert (table["duplication"] == 1).all()

    def test_a_real_market_has_its_known_D(self, brighttv):
        columns = {
            "viewer": "UserID", "title": "Channel2", "started_at": "RecordDate2",
            "watched_seconds": "Duration2",
        }  # fmt: skip
        plays = tk.load_table(brighttv, columns=columns, clock_tz="UTC", duration="H:MM:SS")
        D, r = tk.duplication_law(tk.duplication(plays, top=10))
        assert (round(D, 3), round(r, 3)) == (0.964, 0.635)

    def test_two_markets_break_the_law_and_each_by_itself_keeps_it(self):
        rng = np.random.default_rng(1)
        market = np.repeat([0, 1], 500)
        watched = [
            (viewer, f"{market[viewer]}{title}")
            for viewer in range(1000)
            for title, size in enumerate([0.7, 0.5, 0.4, 0.3])
            if rng.random() < size
        ]
        table = tk.duplication(plays_of(watched), universe=1000)
        same = table["title"].astype("str").str[0] == table["other"].astype("str").str[0]
        off = (table["expected"] < table["low"]) | (table["expected"] > table["high"])
        assert off.mean() > 0.9
        within = tk.duplication_law(table[same])
        across = tk.duplication_law(table[~same])
        assert within[0] == pytest.approx(2, abs=0.1)
        assert within[1] > 0.9
        assert across[0] == 0

    def test_top_keeps_the_most_watched_of_equals_the_first(self):
        plays = plays_of([(0, "b"), (0, "a"), (1, "a"), (0, "c"), (1, "d"), (2, "d")])
        table = tk.duplication(plays, top=3)
        assert table["title"].unique().tolist() == ["a", "d", "b"]
        assert (table["universe"] == 3).all()
        assert tk.duplication(plays, top=1).empty
        equal = plays_of([(0, n) for n in range(100)] + [(1, 50)])
        assert tk.duplication(equal, top=4)["title"].unique().tolist() == [50, 0, 1, 2]
        assert len(tk.duplication(plays, top=99)) == 12

    def test_too_short_a_look_is_no_watching_and_what_is_unknown_is(self):
        plays = plays_of([(0, "a"), (0, "b"), (1, "a"), (1, "b")])
        plays["watched_seconds"] = [50.0, 200.0, np.nan, 120.0]
        plays = pd.concat([plays, plays.iloc[[0]]])
        for least, both in ((0, 2), (100, 2), (120, 1), (201, 0)):
            table = tk.duplication(plays, min_seconds=least)
            assert table["people_both"].sum() == 2 * both
        assert tk.duplication(plays.drop(columns="watched_seconds"), min_seconds=9)[
            "people_both"
        ].tolist() == [2, 2]

    def test_series_take_their_titles_together(self):
        plays = plays_of([(0, "E1"), (1, "E2"), (0, "Up"), (1, "Up")])
        plays["series"] = ["Show", "Show", None, None]
        table = tk.duplication(plays, by="series")
        assert list(table)[:2] == ["series", "other"]
        assert table["people_both"].tolist() == [2, 2]

    def test_integer_titles_and_excluded_rows(self):
        plays = plays_of([(0, 7), (0, 9), (1, 7), (1, 9)])
        table = tk.duplication(tk.exclude(plays, [False] * 3 + [True], reason="trailer"))
        assert table[["title", "other", "people_both"]].to_numpy().tolist() == [
            [7, 9, 1], [9, 7, 1],
        ]  # fmt: skip

    def test_order_input_and_empty(self):
        plays = random_plays(4)
        before = plays.copy()
        table = tk.duplication(plays)
        assert_frame_equal(plays, before)
        assert_frame_equal(tk.duplication(plays.sample(frac=1, random_state=2)), table)
        none = tk.duplication(plays[:0])
        assert list(none) == list(table)
        with pytest.raises(ValueError, match="`table` must hold at least one pair"):
            tk.duplication_law(none)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"by": "device"}, "`by` must be one of"),
            ({"top": 0}, "`top` must be a whole number, 1 or more"),
            ({"universe": 2}, "`universe` must be at least the people who watched, found 4 of 2"),
            ({"min_seconds": -1}, "`min_seconds` must be 0 or more"),
            ({"confidence": 2}, "`confidence` must lie"),
        ],
    )
    def test_a_wrong_argument_is_named(self, change, message):
        with pytest.raises(ValueError, match=message):
            tk.duplication(random_plays(5, n=80), **change)

    def test_too_many_titles_are_refused(self):
        plays = plays_of([(0, n) for n in range(4_001)])
        with pytest.raises(ValueError, match=r"`top` must leave at most 4,000 titles, found 4,001"):
            tk.duplication(plays)
        assert len(tk.duplication(plays, top=2)) == 2


class TestDoubleJeopardy:
    def test_is_what_counting_gives(self):
        plays = random_plays(6, n=80)
        table = tk.double_jeopardy(plays, universe=20).set_index("title")
        for title, rows in plays.groupby("title", observed=True):
            people = rows["account"].nunique()
            assert table.loc[title, "people"] == people
            assert table.loc[title, "reach"] == people / 20
            assert table.loc[title, "frequency"] == len(rows) / people
        assert table["people"].is_monotonic_decreasing

    def test_titles_that_keep_the_law_have_the_frequency_expected(self):
        # 60, 40 and 20 of 100 people with frequencies of 1.5 / (1 - reach) on average.
        watched = []
        for title, people in (("a", 60), ("b", 40), ("c", 20)):
            plays = round(people * 1.5 / (1 - people / 100))
            watched += [(n % people, title) for n in range(plays)]
        table = tk.double_jeopardy(plays_of(watched), universe=100)
        np.testing.assert_allclose(table["frequency"], table["expected"], rtol=0.02)
        np.testing.assert_allclose(table["expected"] * (1 - table["reach"]), 1.5, rtol=0.01)

    def test_what_everyone_watched_has_no_expectation(self):
        table = tk.double_jeopardy(plays_of([(0, "a"), (1, "a"), (1, "b")]))
        assert table["reach"].tolist() == [1, 0.5]
        assert table["expected"].isna().tolist() == [True, False]
        assert tk.double_jeopardy(plays_of([(0, "a")]))["expected"].isna().all()

    def test_empty_in_same_columns_out(self):
        plays = random_plays(7)
        none = tk.double_jeopardy(plays[:0])
        assert list(none) == list(tk.double_jeopardy(plays))
        assert none.empty
