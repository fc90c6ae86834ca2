"""Sittings beside a slow reference that follows one viewer at a time."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import toolkit as tk
from tests.sitting_logs import end_of, random_plays, sittings_of
from toolkit import sittings

REAL = Path(__file__).parents[2] / "shared" / "data" / "brighttv_sessions.csv"


def plays_of(*rows, **columns):
    """Plays of (clock on 1 March 2024, seconds watched) of one viewer."""
    clock, seconds = zip(*rows, strict=True)
    started = pd.to_datetime([f"2024-03-01 {at}" for at in clock], format="ISO8601", utc=True)
    base = {
        "viewer": "ann",
        "title": "Heat",
        "started_at": started.as_unit("us"),
        "watched_seconds": np.array(seconds, dtype=float),
    }
    return pd.DataFrame(base | columns)


def n_plays(plays, **options):
    return tk.to_sittings(plays, **options)["n_plays"].tolist()


class TestToSittings:
    @pytest.mark.parametrize("pause", ["0min", "5min", "30min", "2h"])
    @pytest.mark.parametrize("seed", range(6))
    def test_is_what_following_each_viewer_gives(self, seed, pause):
        plays = random_plays(seed)
        found = tk.to_sittings(plays, pause=pause)
        expected, _ = sittings_of(plays, pause)
        rows = [
            (
                viewer,
                some[0].account,
                some[0].started_at,
                max(end_of(p) for p in some),
                len(some),
                len({p.title for p in some}),
                np.sum([p.watched_seconds for p in some]),
            )
            for viewer, own in expected.items()
            for some in own
        ]
        assert_frame_equal(
            found.astype({"viewer": "object", "account": "object"}),
            pd.DataFrame(rows, columns=list(found)).astype(
                {n: found[n].dtype for n in list(found)[2:]}
                | {"viewer": "object", "account": "object"}
            ),
        )

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(
            st.tuples(st.sampled_from("ab"), st.integers(0, 40), st.integers(0, 15)), max_size=12
        ),
        st.integers(0, 6),
    )
    def test_two_plays_are_apart_if_nobody_watched_for_longer_than_the_pause(self, rows, pause):
        viewer, start, lasts = zip(*rows, strict=True) if rows else ((), (), ())
        plays = pd.DataFrame(
            {
                "viewer": pd.Series(viewer, dtype="str"),
                "title": pd.Series(viewer, dtype="str"),
                "started_at": pd.Timestamp("2024-03-01", tz="UTC").as_unit("us")
                + pd.to_timedelta([60 * at for at in start], unit="s").as_unit("us"),
                "watched_seconds": np.array(lasts, dtype=float) * 60,
            }
        )
        found = tk.to_sittings(plays, pause=f"{pause}min")
        for who in set(viewer):
            own = [(s, s + d) for v, s, d in rows if v == who]
            # A gap of minutes in which nothing is on, longer than the pause, parts sittings.
            on = {2 * t for s, e in own for t in range(s, e + 1)}
            on |= {2 * t + 1 for s, e in own for t in range(s, e)}
            edges = sorted(on)
            gaps = sum(b - a > max(2 * pause, 1) for a, b in itertools.pairwise(edges))
            assert (found["viewer"] == who).sum() == gaps + 1

    @pytest.mark.parametrize(
        ("start", "found"), [("21:30", [2]), ("21:30:00.000001", [1, 1]), ("21:29:59", [2])]
    )
    def test_a_pause_equal_to_the_limit_stays(self, start, found):
        assert n_plays(plays_of(("20:00", 3_600), (start, 60))) == found

    def test_agrees_with_gap_sessions_of_others(self):
        # mloda-community-sessionization 0.11 and retentioneering 5.2.4: strictly longer parts.
        plays = plays_of(("10:00", np.nan), ("10:30", np.nan), ("11:00:01", np.nan))
        assert n_plays(plays) == [2, 1]

    def test_a_pause_starts_where_the_longest_of_overlapping_plays_ends(self):
        plays = plays_of(("20:00", 7_200), ("20:10", 60), ("22:20", 60))
        assert n_plays(plays) == [3]
        assert tk.to_sittings(plays)["ended_at"].iloc[0] == pd.Timestamp("2024-03-01 22:21Z")
        assert n_plays(plays.drop(index=0)) == [1, 1]

    def test_an_end_that_is_known_goes_before_the_seconds_watched(self):
        ended = pd.to_datetime(["2024-03-01 21:00Z", None])
        plays = plays_of(("20:00", 60), ("21:30", 60), ended_at=ended)
        assert n_plays(plays) == [2]
        assert tk.to_sittings(plays)["watched_seconds"].tolist() == [120]
        assert n_plays(plays.drop(columns="ended_at")) == [1, 1]

    def test_also_where_it_is_earlier_but_never_before_the_start(self):
        ended = pd.to_datetime(["2024-03-01 21:00Z", "2024-03-01 21:00Z"])
        plays = plays_of(("20:00", 7_200), ("22:00", 60), ended_at=ended)
        found = tk.to_sittings(plays)
        assert found["n_plays"].tolist() == [1, 1]
        assert found["ended_at"].tolist() == [ended[0], plays["started_at"].iloc[1]]

    def test_seconds_are_whole_microseconds(self):
        # In binary, a million times 2.01 lies just below 2,010,000.
        ended = tk.to_sittings(plays_of(("20:00", 2.01)))["ended_at"].iloc[0]
        assert ended == pd.Timestamp("2024-03-01 20:00:02.01Z")

    def test_a_play_of_unknown_length_lasts_no_time(self):
        plays = plays_of(("20:00", np.nan), ("20:30", 60)).drop(columns="watched_seconds")
        found = tk.to_sittings(plays)
        assert found["ended_at"].tolist() == [pd.Timestamp("2024-03-01 20:30Z")]
        assert found["watched_seconds"].isna().all()

    def test_titles_are_counted_once_and_do_not_part_sittings(self):
        plays = plays_of(("20:00", 60), ("20:05", 60), ("20:10", 60), title=["A", "B", "A"])
        assert tk.to_sittings(plays)[["n_plays", "n_titles"]].to_numpy().tolist() == [[3, 2]]

    def test_order_does_not_matter_to_the_last_bit(self):
        plays = random_plays(3, n=200)
        plays["watched_seconds"] += np.random.default_rng(1).random(200)
        found = tk.to_sittings(plays)
        for seed in range(3):
            mixed = plays.sample(frac=1, random_state=seed)
            assert_frame_equal(tk.to_sittings(mixed), found, check_exact=True)

    def test_blocks_do_not_show(self, monkeypatch):
        plays = random_plays(4, n=400)
        whole = tk.to_sittings(plays), tk.pause_curve(plays), sittings.sitting_numbers(plays, "1h")
        monkeypatch.setattr(sittings, "BLOCK", 7)
        assert_frame_equal(tk.to_sittings(plays), whole[0])
        assert_frame_equal(tk.pause_curve(plays), whole[1])
        assert (sittings.sitting_numbers(plays, "1h") == whole[2]).all()

    def test_many_viewers_of_one_block_stay_apart(self):
        n = 20_000
        started = pd.Timestamp("2024-03-01", tz="UTC").as_unit("us")
        plays = pd.DataFrame({"viewer": np.arange(n), "title": 0, "started_at": started})
        later = plays.assign(started_at=started + pd.Timedelta("80D"))
        found = tk.to_sittings(pd.concat([plays, later]))
        assert found["viewer"].tolist() == np.repeat(np.arange(n), 2).tolist()
        assert found["started_at"].tolist() == [started, later["started_at"].iloc[0]] * n

    def test_instants_centuries_apart_have_room(self):
        n = 3_000
        plays = pd.DataFrame(
            {
                "viewer": np.arange(n),
                "title": 0,
                "started_at": pd.Timestamp("0100-01-01", tz="UTC"),
            }
        )
        both = pd.concat([plays, plays.assign(started_at=pd.Timestamp("9000-01-01", tz="UTC"))])
        assert n_plays(both) == [1] * 2 * n

    def test_parts_of_the_viewers_put_together_are_the_whole(self):
        plays = random_plays(5, n=120)
        parts = [
            tk.to_sittings(plays[plays["viewer"] == v]) for v in plays["viewer"].cat.categories
        ]
        assert_frame_equal(pd.concat(parts, ignore_index=True), tk.to_sittings(plays))

    def test_without_accounts_each_viewer_is_one_of_its_own(self):
        found = tk.to_sittings(plays_of(("20:00", 60), ("20:00", 60), viewer=["ann", "bob"]))
        assert found["account"].tolist() == ["ann", "bob"]
        found.loc[0, "account"] = "bob"
        assert found["viewer"].tolist() == ["ann", "bob"]

    def test_whole_numbers_will_do_for_ids(self):
        plays = random_plays(6)
        ids = {n: plays[n].cat.codes for n in ("viewer", "account", "title")}
        found = tk.to_sittings(plays.assign(**ids))
        assert found["viewer"].dtype == "int8"
        rest = ["started_at", "ended_at", "n_plays", "n_titles", "watched_seconds"]
        assert_frame_equal(found[rest], tk.to_sittings(plays)[rest])

    def test_empty_in_gives_the_same_columns(self):
        plays = random_plays(1)
        empty = tk.to_sittings(plays[:0])
        assert_frame_equal(empty, tk.to_sittings(plays)[:0], check_index_type=False)

    def test_changes_nothing_of_its_input(self):
        plays = random_plays(2)
        before = plays.copy(deep=True)
        tk.to_sittings(plays)
        tk.pause_curve(plays)
        assert_frame_equal(plays, before)

    @pytest.mark.parametrize("pause", ["-1min", "soon", None, "NaT"])
    def test_a_pause_is_a_duration(self, pause):
        with pytest.raises(ValueError, match=r"`pause` must be a duration such as '30min'"):
            tk.to_sittings(plays_of(("20:00", 60)), pause=pause)

    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            ({"precision": "day"}, "to the minute when they started, found 2 rows"),
            ({"precision": "hour"}, "to the minute when they started"),
            ({"precision": ["day", "minute"]}, "found 1 rows"),
            ({"row_is": "latest", "source": "netflix"}, r"latest date.*from \['netflix'\]"),
            ({"watched_seconds": -1.0}, "`watched_seconds` must be 0 or more.*found -1.0"),
            ({"watched_seconds": np.inf}, "found inf"),
            ({"started_at": pd.NaT}, "`started_at` must be there on every row; 2"),
            ({"account": ["a", "b"]}, "one account"),
            ({"viewer": ["ann", None]}, "`viewer` must be there"),
            ({"title": ["Heat", None]}, "`title` must be there"),
        ],
    )
    def test_what_cannot_be_read_is_refused(self, columns, message):
        with pytest.raises(ValueError, match=message):
            tk.to_sittings(plays_of(("20:00", 60), ("21:00", 60), **columns))

    def test_what_is_excluded_is_not_refused(self):
        plays = plays_of(("20:00", 60), ("21:00", 60), precision=["day", "second"])
        assert n_plays(tk.exclude(plays, [True, False], reason="no hour")) == [1]

    @pytest.mark.skipif(not REAL.exists(), reason="the real log lies outside the repository")
    def test_a_real_log_gives_the_numbers_that_were_counted_by_hand(self):
        columns = {
            "viewer": "UserID", "title": "Channel2", "started_at": "RecordDate2",
            "watched_seconds": "Duration2",
        }  # fmt: skip
        plays = tk.load_table(REAL, columns=columns, clock_tz="UTC", duration="H:MM:SS")
        assert len(plays) == 10_000
        plays = plays.assign(excluded=None)
        limits = ["5min", "15min", "30min", "60min", "120min"]
        counted = [9_818, 9_698, 9_614, 9_485, 9_326]
        assert [len(tk.to_sittings(plays, pause=limit)) for limit in limits] == counted
        assert tk.pause_curve(plays, limits=limits)["n_sittings"].tolist() == counted


class TestSittingNumbers:
    @pytest.mark.parametrize("seed", range(4))
    def test_number_the_used_plays_as_they_stand(self, seed):
        plays = random_plays(seed)
        number = sittings.sitting_numbers(plays, "30min")
        used = plays[plays["excluded"].isna()]
        expected, _ = sittings_of(plays, "30min")
        of = {p.Index: n for n, some in enumerate(s for own in expected.values() for s in own)
              for p in some}  # fmt: skip
        assert number.tolist() == [of[i] for i in used.index]
        ordered = plays.sort_values(["viewer", "title", "started_at"])
        again = sittings.sitting_numbers(ordered, "30min")
        used = ordered[ordered["excluded"].isna()]
        assert again.tolist() == [of[i] for i in used.index]


class TestPauseCurve:
    @pytest.mark.parametrize("seed", range(4))
    def test_counts_sittings_and_pauses(self, seed):
        plays = random_plays(seed)
        limits = ["2h", "0min", "5min", "30min", "1D"]
        curve = tk.pause_curve(plays, limits=limits)
        assert curve["pause_minutes"].tolist() == [0, 5, 30, 120, 1_440]
        _, pauses = sittings_of(plays, "0min")
        for row in curve.itertuples():
            limit = pd.Timedelta(minutes=row.pause_minutes)
            assert row.n_sittings == len(tk.to_sittings(plays, pause=limit))
            assert row.n_longer == sum(p > limit for p in pauses)
            assert row.share_longer == row.n_longer / len(pauses)
        assert np.isnan(curve["density"].iloc[0])
        between = sum(pd.Timedelta("5min") < p <= pd.Timedelta("30min") for p in pauses)
        assert curve["density"].iloc[2] == pytest.approx(between / len(pauses) / np.log10(6))

    def test_has_limits_of_its_own_from_a_minute_to_a_day(self):
        curve = tk.pause_curve(random_plays(1))
        assert curve["pause_minutes"].iloc[[0, -1]].tolist() == [1, 1_440]
        assert curve["pause_minutes"].is_monotonic_increasing
        assert {5, 15, 30, 60, 120} <= {*curve["pause_minutes"]}

    def test_a_log_without_pauses_has_no_share(self):
        curve = tk.pause_curve(plays_of(("20:00", 60)))
        assert curve["n_sittings"].eq(1).all()
        assert curve["share_longer"].isna().all()
        empty = tk.pause_curve(random_plays(1)[:0])
        assert empty["n_sittings"].eq(0).all()

    def test_limits_are_durations_that_differ(self):
        with pytest.raises(ValueError, match="`limits` must differ from each other"):
            tk.pause_curve(random_plays(1), limits=["60min", "1h"])
        with pytest.raises(ValueError, match="`limits` must be a duration"):
            tk.pause_curve(random_plays(1), limits=["soon"])


def log_with_pauses(minutes):
    starts = np.append(0, np.cumsum(minutes))
    return pd.DataFrame(
        {
            "viewer": 0,
            "title": 0,
            "started_at": (
                pd.Timestamp("2020-01-01", tz="UTC") + pd.to_timedelta(starts, unit="min")
            ).as_unit("us"),
        }
    )


class TestFitPauses:
    def test_finds_what_pauses_were_drawn_from(self):
        rng = np.random.default_rng(3)
        size = np.append(rng.normal(0.5, 0.4, 9_500), rng.normal(3, 0.3, 500))
        fit = tk.fit_pauses(log_with_pauses(10 ** rng.permutation(size))).iloc[0]
        assert np.log10(fit["median_within"]) == pytest.approx(0.5, abs=0.02)
        assert np.log10(fit["median_between"]) == pytest.approx(3, abs=0.03)
        assert fit["spread_within"] == pytest.approx(0.4, abs=0.02)
        assert fit["spread_between"] == pytest.approx(0.3, abs=0.02)
        assert fit["share_within"] == pytest.approx(0.95, abs=0.003)
        # Where 0.95 and 0.05 of the two densities meet, and where their sum is least.
        x = np.linspace(0.5, 3, 100_001)
        low = 0.95 / 0.4 * np.exp(-(((x - 0.5) / 0.4) ** 2) / 2)
        high = 0.05 / 0.3 * np.exp(-(((x - 3) / 0.3) ** 2) / 2)
        assert np.log10(fit["pause_minutes"]) == pytest.approx(x[(low < high).argmax()], abs=0.04)
        assert np.log10(fit["valley_minutes"]) == pytest.approx(x[(low + high).argmin()], abs=0.04)
        assert (fit["n_pauses"], fit["n_short"]) == (10_000, 0)

    def test_says_so_where_there_is_no_valley(self):
        rng = np.random.default_rng(1)
        fit = tk.fit_pauses(log_with_pauses(10 ** rng.normal(2, 0.5, 4_000))).iloc[0]
        assert np.isnan(fit["valley_minutes"])

    def test_leaves_out_pauses_of_less_than_a_second(self):
        minutes = np.append(np.tile([2.0, 4.0, 700.0, 1_400.0], 10), [0, 0.999 / 60, 1 / 60])
        fit = tk.fit_pauses(log_with_pauses(minutes))
        assert fit[["n_pauses", "n_short"]].to_numpy().tolist() == [[41, 2]]

    def test_of_a_few_pauses_there_is_none(self):
        minutes = np.tile([2.0, 700.0], 10)
        assert len(tk.fit_pauses(log_with_pauses(minutes))) == 1
        few = tk.fit_pauses(log_with_pauses(minutes[1:]))
        assert len(few) == 0
        some = tk.fit_pauses(log_with_pauses(minutes))
        assert few.dtypes.to_dict() == some.dtypes.to_dict()

    def test_pauses_of_one_length_are_no_mixture(self):
        assert len(tk.fit_pauses(log_with_pauses(np.full(30, 10.0)))) == 0
