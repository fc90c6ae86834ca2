"""Starters, watchers, completers and views, and rankings of shares."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import toolkit as tk


def plays_of(*rows):
    """Plays of (viewer, title, seconds, position) of films that last 1000 s."""
    plays = pd.DataFrame(
        rows, columns=["viewer", "title", "watched_seconds", "position_seconds"]
    ).astype({"watched_seconds": "float64", "position_seconds": "float64"})
    return plays.assign(runtime_seconds=1000.0, started_at=pd.Timestamp("2024-03-01 20:00Z"))


def counts(table):
    return table[["starters", "watchers", "completers"]].to_numpy().tolist()


class TestCompletion:
    @pytest.mark.parametrize(
        ("seconds", "expected"),
        [
            (119.9, [0, 0, 0]),
            (120, [1, 0, 0]),
            (699.9, [1, 0, 0]),
            (700, [1, 1, 0]),
            (899.9, [1, 1, 0]),
            (900, [1, 1, 1]),
            (5000, [1, 1, 1]),
        ],
    )
    def test_starts_at_2_minutes_watches_at_70_and_completes_at_90_percent(self, seconds, expected):
        table = tk.completion(plays_of(("ann", "Heat", seconds, np.nan)))
        assert counts(table) == [expected]

    def test_the_furthest_position_counts_as_well_as_the_time(self):
        plays = plays_of(
            ("ann", "Heat", 300, 950), ("bob", "Heat", 300, 400), ("cem", "Up", 5, 990)
        )
        table = tk.completion(plays)
        assert counts(table) == [[2, 1, 1], [0, 0, 0]]
        assert table["completion"].tolist() == [0.5, pytest.approx(np.nan, nan_ok=True)]

    def test_plays_of_a_viewer_add_up_and_viewers_of_an_account_do_not(self):
        plays = plays_of(("ann", "Heat", 500, np.nan), ("ann", "Heat", 450, np.nan))
        assert counts(tk.completion(plays)) == [[1, 1, 1]]
        two = plays.assign(viewer=["ann", "bob"], account="home")
        assert counts(tk.completion(two)) == [[1, 0, 0]]
        farthest = two.assign(watched_seconds=[500.0, 750.0])
        assert counts(tk.completion(farthest)) == [[1, 1, 0]]

    def test_views_are_hours_over_runtime_as_netflix_published_them(self):
        # Extraction 2: 88.4 million hours of 124 minutes are 42.8 million views; here in thousands.
        plays = plays_of(*[(n, "Extraction 2", 3600 * 88.4, np.nan) for n in range(1000)])
        table = tk.completion(plays.assign(runtime_seconds=124 * 60.0))
        assert table["hours"].item() == pytest.approx(88_400)
        assert round(table["views"].item() / 1000, 1) == 42.8

    def test_hours_are_the_minutes_of_the_audience(self):
        plays = plays_of(("ann", "Heat", 600, np.nan), ("ann", "Heat", 500, np.nan))
        minutes = tk.audience(plays, tz="UTC", start="2024-03-01", end="2024-03-02")["minutes"]
        assert tk.completion(plays)["hours"].item() == pytest.approx(minutes.item() / 60)

    def test_a_series_is_started_with_an_episode_and_completed_with_all(self):
        plays = plays_of(
            ("ann", "E1", 1000, np.nan), ("ann", "E2", 950, np.nan),
            ("bob", "E1", 5000, np.nan), ("cem", "E2", 200, np.nan), ("cem", "Up", 990, np.nan),
        ).assign(series=["Show"] * 4 + [None])  # fmt: skip
        table = tk.completion(plays, by="series")
        assert table["series"].tolist() == ["Show", "Up"]
        assert table["runtime_seconds"].tolist() == [2000, 1000]
        # Watching one episode again and again completes no series.
        assert counts(table) == [[3, 2, 1], [1, 1, 1]]
        assert table["views"].tolist() == [7150 / 2000, 0.99]

    def test_a_catalogue_knows_episodes_that_nobody_watched(self):
        plays = plays_of(("ann", "E1", 1000, np.nan)).assign(series="Show")
        catalogue = pd.DataFrame(
            {"title": ["E1", "E2"], "series": "Show", "runtime_seconds": [1000.0, 3000.0]}
        )
        table = tk.completion(plays, by="series", runtimes=catalogue)
        assert table["runtime_seconds"].item() == 4000
        assert counts(table) == [[1, 1, 0]]
        less = tk.completion(plays, by="series", runtimes=catalogue.drop(columns="series"))
        assert counts(less) == [[1, 1, 1]]

    def test_without_a_runtime_only_starters_and_hours_are_known(self):
        plays = plays_of(("ann", "Heat", 3600, np.nan), ("ann", "Up", 900, np.nan))
        for unknown in (np.nan, 0.0):
            plays["runtime_seconds"] = [unknown, 1000.0]
            table = tk.completion(plays)
            assert table["starters"].tolist() == [1, 1]
            assert table["watchers"].isna().tolist() == [True, False]
            rest = ["completers", "completion", "low", "high", "views"]
            assert table.loc[0, rest].isna().all()
            assert table["hours"].tolist() == [1, 0.25]
        none = tk.completion(plays.drop(columns="runtime_seconds"))
        assert none["completers"].isna().all()

    def test_only_plays_that_start_in_the_window_count(self):
        plays = plays_of(("ann", "Heat", 500, np.nan), ("ann", "Heat", 500, np.nan))
        plays["started_at"] = pd.to_datetime(["2024-03-01 23:30Z", "2024-03-02 22:30Z"])
        assert counts(tk.completion(plays)) == [[1, 1, 1]]
        window = {"start": "2024-03-02", "end": "2024-03-03"}
        assert tk.completion(plays, **window)["hours"].item() == 500 / 3600
        berlin = tk.completion(plays, tz="Europe/Berlin", **window)
        assert berlin["hours"].item() == 1000 / 3600
        edge = pd.Timestamp("2024-03-02 22:30Z")
        assert len(tk.completion(plays, start=edge)) == 1
        assert tk.completion(plays, end=edge)["hours"].item() == 500 / 3600

    def test_the_interval_is_wilsons(self):
        plays = plays_of(*[(n, "Heat", 950 if n < 81 else 200, np.nan) for n in range(263)])
        row = tk.completion(plays)[["low", "high"]].round(4)
        assert row.to_numpy().tolist() == [[0.2553, 0.3662]]

    def test_an_end_says_how_long_it_was_where_seconds_do_not(self):
        plays = plays_of(("ann", "Heat", np.nan, np.nan))
        plays["ended_at"] = plays["started_at"] + pd.Timedelta(seconds=950)
        assert counts(tk.completion(plays)) == [[1, 1, 1]]
        with pytest.raises(ValueError, match=r"`plays` must say how long .*; 1 do not"):
            tk.completion(plays.drop(columns="ended_at"))

    def test_order_input_and_empty(self):
        plays = tk.load_sample().iloc[:3000]
        before = plays.copy()
        for by in ("title", "series"):
            table = tk.completion(plays, by=by)
            assert_frame_equal(plays, before)
            assert_frame_equal(tk.completion(plays.sample(frac=1, random_state=2), by=by), table)
            none = tk.completion(plays[:0], by=by)
            assert list(none) == list(table)
            assert none.empty
            assert (table["completers"] <= table["watchers"]).all()
            assert (table["watchers"] <= table["starters"]).all()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"by": "device"}, "`by` must be one of"),
            ({"runtimes": pd.DataFrame({"title": ["a"]})}, "`runtimes` must have columns"),
            (
                {"runtimes": pd.DataFrame({"title": ["a", "a"], "runtime_seconds": 1.0})},
                "`runtimes` must have one row per title, found 'a' twice",
            ),
            ({"confidence": 2}, "`confidence` must lie"),
            ({"start": "soon"}, "`start` must be an instant"),
        ],
    )
    def test_a_wrong_argument_is_named(self, change, message):
        with pytest.raises(ValueError, match=message):
            tk.completion(plays_of(("ann", "Heat", 1, 1)), **change)


class TestLeaderboard:
    table = pd.DataFrame(
        {
            "title": list("abcdefghijkl"),
            "starters": [100] * 10 + [2, 0],
            "completers": [*range(30, 80, 5), 2, 0],
        }
    )

    def test_two_of_two_do_not_lead(self):
        ranked = tk.leaderboard(self.table)
        assert ranked["title"].iloc[0] == "j"
        alone = ranked.set_index("title").loc["k"]
        assert alone["rate"] == 1
        assert ranked["rate"].max() == 1
        assert alone["shrunk_low"] < 0.6 < alone["shrunk"] + 0.3
        assert ranked["rank"].tolist() == [*range(1, 12)]
        assert ranked["shrunk"].is_monotonic_decreasing
        assert "l" not in ranked["title"].tolist()

    def test_estimates_are_those_of_shrink_rates(self):
        ranked = tk.leaderboard(self.table, confidence=0.8).sort_values("title")
        rates = self.table.rename(columns={"starters": "people", "completers": "people_again"})
        shrunk = tk.shrink_rates(rates[:-1], confidence=0.8)
        for name in ("shrunk", "shrunk_low", "shrunk_high"):
            np.testing.assert_allclose(ranked[name], shrunk[name])

    def test_equal_estimates_share_a_rank_and_top_cuts(self):
        table = pd.concat([self.table, self.table[9:10].assign(title="z")], ignore_index=True)
        ranked = tk.leaderboard(table, top=3)
        assert ranked["rank"].tolist() == [1, 1, 3]
        assert ranked["title"].tolist() == ["j", "z", "i"]
        with pytest.raises(ValueError, match="`top` must be a whole number"):
            tk.leaderboard(table, top=0)

    def test_other_counts_serve_too_and_missing_ones_are_left_out(self):
        table = self.table.rename(columns={"completers": "fans", "starters": "people"})
        table["fans"] = table["fans"].astype("Int64")
        table.loc[3, "fans"] = pd.NA
        ranked = tk.leaderboard(table, k="fans", n="people")
        assert "d" not in ranked["title"].tolist()
        with pytest.raises(ValueError, match=r"missing \['completers'\]"):
            tk.leaderboard(table, n="people")
