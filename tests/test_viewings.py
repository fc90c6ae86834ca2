"""What belongs together, beside a slow reference that follows one viewer at a time."""

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import toolkit as tk
from toolkit.viewings import _in_turn

ORACLES = tomllib.loads(Path(__file__).with_name("oracles").joinpath("viewings.toml").read_text())
RUNTIME = 10_000.0


def plays_of(*rows, **columns):
    """Plays of (start, seconds watched, position at the end) of one viewer and film."""
    start, seconds, position = zip(*rows, strict=True) if rows else ((), (), ())
    base = {
        "viewer": "ann",
        "title": "Heat",
        "started_at": pd.to_datetime(list(start), utc=True, format="ISO8601").as_unit("us"),
        "watched_seconds": np.array(seconds, dtype=float),
        "position_seconds": np.array(position, dtype=float),
        "runtime_seconds": RUNTIME,
    }
    return pd.DataFrame(base | columns)


def n_plays(plays, **options):
    return tk.to_viewings(plays, **options)["n_plays"].tolist()


class TestJoining:
    def test_a_film_over_two_evenings_is_one_viewing(self):
        plays = plays_of(("2024-03-01 20:00Z", 4000, 4000), ("2024-03-02 20:00Z", 6000, 10_000))
        viewing = tk.to_viewings(plays).iloc[0]
        assert viewing["n_plays"] == 2
        assert viewing["watched_seconds"] == 10_000
        assert viewing["ended_at"] == pd.Timestamp("2024-03-02 21:40Z")
        assert bool(viewing["is_complete"])
        assert viewing["watch_equivalents"] == 1

    @pytest.mark.parametrize(
        ("start", "found"), [("2024-03-08 21:06:40Z", [2]), ("2024-03-08 21:06:40.000001Z", [1, 1])]
    )
    def test_a_pause_runs_from_the_end_of_a_play_and_may_be_just_as_long(self, start, found):
        plays = plays_of(("2024-03-01 20:00Z", 4000, 4000), (start, 5000, 9000))
        assert n_plays(plays) == found

    @pytest.mark.parametrize(("position", "found"), [(8999.9, [2]), (9000, [1, 1])])
    def test_a_viewing_is_finished_at_its_share_by_position(self, position, found):
        plays = plays_of(("2024-03-01 20:00Z", 300, position), ("2024-03-02 20:00Z", 300, 9900))
        assert n_plays(plays) == found

    @pytest.mark.parametrize(("seconds", "found"), [(8999, [2]), (9000, [1, 1])])
    def test_and_by_time_watched(self, seconds, found):
        plays = plays_of(("2024-03-01 20:00Z", seconds, np.nan), ("2024-03-02 20:00Z", 300, np.nan))
        assert n_plays(plays) == found

    def test_time_adds_up_over_plays_and_starts_anew_with_each_viewing(self):
        days = pd.date_range("2024-03-01 20:00Z", periods=7, freq="D")
        plays = plays_of(*[(str(day), 3000, np.nan) for day in days])
        assert n_plays(plays) == [3, 3, 1]

    @pytest.mark.parametrize(
        ("seconds", "position", "found"),
        [(1000, 2000, [1, 1]), (999, 2000, [2]), (5000, 5000, [1, 1]), (2000, 1500, [1, 1])],
    )
    def test_a_play_that_begins_within_the_first_share_starts_over(self, seconds, position, found):
        # A start before 0 (who watched longer than the position tells went back) is 0.
        plays = plays_of(
            ("2024-03-01 20:00Z", 5000, 5000), ("2024-03-02 20:00Z", seconds, position)
        )
        assert n_plays(plays) == found

    @pytest.mark.parametrize(("reached", "found"), [(1000, [2]), (1001, [1, 1])])
    def test_nothing_starts_over_that_had_not_got_beyond_the_first_share(self, reached, found):
        plays = plays_of(("2024-03-01 20:00Z", reached, reached), ("2024-03-02 20:00Z", 5000, 5000))
        assert n_plays(plays) == found

    def test_a_start_over_is_seen_past_a_play_that_reached_little(self):
        plays = plays_of(
            ("2024-03-01 20:00Z", 5000, 5000),
            ("2024-03-02 20:00Z", 10, 5010),
            ("2024-03-03 20:00Z", 500, 500),
            ("2024-03-04 20:00Z", 500, 1000),
        )
        assert n_plays(plays) == [2, 2]

    def test_without_runtimes_only_time_decides(self):
        rows = (
            ("2024-03-01 20:00Z", 9999, 9999),
            ("2024-03-02 20:00Z", 500, 500),
            ("2024-03-20 20:00Z", 500, 500),
        )
        viewings = tk.to_viewings(plays_of(*rows).drop(columns="runtime_seconds"))
        assert viewings["n_plays"].tolist() == [2, 1]
        assert viewings["is_complete"].isna().all()
        assert viewings["watch_equivalents"].isna().all()
        assert viewings["is_rewatch"].tolist() == [False, pd.NA]

    def test_viewers_and_titles_do_not_touch(self):
        rows = ("2024-03-01 20:00Z", 4000, 4000), ("2024-03-01 22:00Z", 4000, 8000)
        plays = plays_of(*rows)
        both = pd.concat([plays, plays.assign(viewer="bob"), plays.assign(title="Up")])
        assert n_plays(both) == [2, 2, 2]

    def test_another_title_between_ends_no_viewing(self):
        rows = ("2024-03-01 20:00Z", 4000, 4000), ("2024-03-03 20:00Z", 4000, 8000)
        other = plays_of(("2024-03-02 20:00Z", 9500, 9500), title="Up")
        assert n_plays(pd.concat([plays_of(*rows), other])) == [2, 1]

    def test_seconds_are_whole_microseconds(self):
        # In binary, a million times 2.01 lies just below 2,010,000.
        plays = plays_of(("2024-03-01 20:00Z", 2.01, np.nan))
        ended = tk.to_viewings(plays, min_seconds=0)["ended_at"].iloc[0]
        assert ended == pd.Timestamp("2024-03-01 20:00:02.01Z")


class TestIds:
    def test_who_has_no_account_is_one_and_a_change_of_it_stays_there(self):
        viewings = tk.to_viewings(plays_of(("2024-03-01 20:00Z", 4000, 4000)))
        assert viewings["account"].tolist() == ["ann"]
        viewings["account"] = viewings["account"].cat.rename_categories(["home"])
        viewings.loc[0, "title"] = "Heat"
        assert viewings[["viewer", "account"]].to_numpy().tolist() == [["ann", "home"]]

    def test_accounts_and_series_are_those_of_the_plays(self):
        rows = ("2024-03-01 20:00Z", 4000, 4000), ("2024-03-02 20:00Z", 4000, 8000)
        plays = plays_of(*rows, title=["Up", "Heat"], account="home", series=["Pixar", None])
        viewings = tk.to_viewings(plays)
        assert list(viewings)[:4] == ["viewer", "account", "title", "series"]
        assert viewings["account"].tolist() == ["home"] * 2
        assert viewings["series"].astype("object").fillna("").tolist() == ["", "Pixar"]

    @pytest.mark.parametrize("name", ["viewer", "title"])
    def test_must_be_there(self, name):
        rows = ("2024-03-01 20:00Z", 4000, 4000), ("2024-03-02 20:00Z", 4000, 8000)
        with pytest.raises(ValueError, match=f"`{name}` must be there on every row.*; 1 are"):
            tk.to_viewings(plays_of(*rows, **{name: ["ann", None]}))

    def test_may_be_whole_numbers(self):
        plays = random_plays(1)
        codes = {name: plays[name].astype("category").cat.codes for name in ("viewer", "title")}
        numbers = tk.to_viewings(plays.assign(**codes))
        assert numbers["viewer"].dtype == codes["viewer"].dtype
        rest = ["started_at", "n_plays", "is_complete"]
        assert_frame_equal(numbers[rest], tk.to_viewings(plays)[rest])


class TestWhatCounts:
    @pytest.mark.parametrize(("seconds", "n"), [(119, 0), (120, 1), (np.nan, 1)])
    def test_short_viewings_are_left_out_and_unknown_ones_stay(self, seconds, n):
        assert len(tk.to_viewings(plays_of(("2024-03-01 20:00Z", seconds, np.nan)))) == n

    def test_short_plays_of_one_viewing_count_together(self):
        rows = ("2024-03-01 20:00Z", 60, 60), ("2024-03-01 20:05Z", 60, 120)
        assert n_plays(plays_of(*rows)) == [2]

    def test_excluded_rows_are_not_used(self):
        plays = plays_of(("2024-03-01 20:00Z", 4000, 4000), ("2024-03-02 20:00Z", 4000, 8000))
        assert n_plays(plays.assign(excluded=[None, "trailer"])) == [1]

    def test_a_rewatch_comes_after_a_finish(self):
        plays = plays_of(
            ("2024-03-01 20:00Z", 5000, 5000),
            ("2024-03-20 20:00Z", 9500, 9500),
            ("2024-04-20 20:00Z", 300, 300),
        )
        viewings = tk.to_viewings(plays)
        assert viewings["is_complete"].tolist() == [False, True, False]
        assert viewings["is_rewatch"].tolist() == [False, False, True]
        assert viewings["viewing_no"].tolist() == [1, 2, 3]

    @pytest.mark.parametrize(
        ("row_is", "complete"),
        [("session", pd.NA), ("play", pd.NA), ("completed", True), ("logged", True)],
    )
    def test_the_truth_table_of_what_a_row_is(self, row_is, complete):
        plays = plays_of(
            ("2024-03-01 20:00Z", np.nan, np.nan), ("2024-03-02 20:00Z", np.nan, np.nan)
        )
        viewings = tk.to_viewings(plays.drop(columns="runtime_seconds").assign(row_is=row_is))
        joined = row_is in ("session", "play")
        assert len(viewings) == (1 if joined else 2)
        assert viewings["is_complete"].tolist() == [complete] * len(viewings)
        if not joined:
            assert viewings["is_rewatch"].tolist() == [False, True]

    def test_a_whole_viewing_joins_neither_the_play_before_nor_the_one_after(self):
        days = pd.date_range("2024-03-01 20:00Z", periods=4, freq="D")
        plays = plays_of(*[(str(day), 500, 500) for day in days])
        row_is = ["play", "logged", "play", "play"]
        assert n_plays(plays.assign(row_is=row_is)) == [1, 1, 2]

    def test_whether_a_viewing_is_complete_takes_a_play_of_known_length_and_runtime(self):
        days = pd.to_datetime(["2024-03-01 20:00Z", "2024-03-02 20:00Z", "2024-04-20 20:00Z"])
        rows = zip(days.astype("str"), [np.nan, 9500, 500], [np.nan] * 3, strict=True)
        viewings = tk.to_viewings(plays_of(*rows, runtime_seconds=[RUNTIME, np.nan, RUNTIME]))
        assert viewings["is_complete"].tolist() == [pd.NA, False]
        assert viewings["is_rewatch"].tolist() == [False, pd.NA]

    def test_rows_of_latest_dates_are_refused_by_name(self):
        plays = plays_of(
            ("2024-03-01 20:00Z", np.nan, np.nan), row_is="latest", source="netflix_history"
        )
        with pytest.raises(ValueError, match=r"latest date .*netflix_history.*full export"):
            tk.to_viewings(plays)

    def test_watch_equivalents_of_the_published_case(self):
        case = ORACLES["plays-fractional"]
        days = pd.date_range("2024-03-01 20:00Z", periods=case["n_rows"], freq="30D")
        rows = [
            (str(day), minutes * 60, np.nan)
            for day, minutes in zip(days, case["watched_min"], strict=True)
        ]
        viewings = tk.to_viewings(plays_of(*rows, runtime_seconds=case["runtime_min"] * 60.0))
        assert viewings["watch_equivalents"].sum() == case["watch_equivalents"]
        assert len(viewings) == case["n_rows"]

    def test_plays_of_the_published_rule(self):
        case = ORACLES["plays-tautulli"]
        start, rows, seen = pd.Timestamp("2024-03-01 20:00Z"), [], {}
        for n, (title, percent) in enumerate(case["rows"]):
            position = percent / 100 * RUNTIME
            # A play goes on where the last one ended, or begins anew.
            seconds = position - seen.get(title, 0) if position > seen.get(title, 0) else position
            seen[title] = position
            rows.append((str(start + pd.Timedelta(hours=4 * n)), seconds, position))
        plays = plays_of(*rows, title=[title for title, _ in case["rows"]])
        viewings = tk.to_viewings(plays)
        assert viewings.loc[viewings["title"] == "A", "n_plays"].tolist() == case["plays_of_a"]


class TestRuntimes:
    def test_are_the_furthest_positions_seen(self):
        plays = plays_of(
            ("2024-03-01 20:00Z", 1, 70),
            ("2024-03-02 20:00Z", 1, 90),
            ("2024-03-03 20:00Z", 1, np.nan),
        )
        found = tk.find_runtimes(plays)
        assert found.values.tolist() == [["Heat", 90.0, 2]]
        assert list(found) == ["title", "runtime_seconds", "n_plays"]

    def test_that_are_given_replace_those_of_the_plays(self):
        plays = plays_of(("2024-03-01 20:00Z", 4000, 4000), ("2024-03-02 20:00Z", 300, 4300))
        runtimes = pd.DataFrame({"title": ["Heat", "Up"], "runtime_seconds": [4000.0, 9.0]})
        assert n_plays(plays, runtimes=runtimes) == [1, 1]
        assert tk.to_viewings(plays, runtimes=runtimes[1:])["is_complete"].isna().all()

    def test_that_are_given_may_be_of_titles_that_are_numbers(self):
        plays = plays_of(("2024-03-01 20:00Z", 4000, 4000), ("2024-03-02 20:00Z", 300, 4300))
        runtimes = pd.DataFrame({"title": [9, 7], "runtime_seconds": [9.0, 4000.0]})
        viewings = tk.to_viewings(plays.assign(title=[7, 8]), runtimes=runtimes)
        assert viewings["watch_equivalents"].fillna(-1).tolist() == [1, -1]

    def test_of_nothing_are_unknown(self):
        plays = plays_of(("2024-03-01 20:00Z", 4000, 4000), runtime_seconds=0.0)
        assert tk.to_viewings(plays)["is_complete"].isna().all()

    def test_stand_once_for_each_title(self):
        runtimes = pd.DataFrame({"title": ["Heat", "Heat"], "runtime_seconds": [1.0, 2.0]})
        with pytest.raises(ValueError, match="one row per title, found 'Heat' twice"):
            tk.to_viewings(plays_of(("2024-03-01 20:00Z", 1, 1)), runtimes=runtimes)


class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"resume_within": "-1D"}, "`resume_within` must be a duration"),
            ({"resume_within": "soon"}, "`resume_within` must be a duration"),
            ({"complete_share": 0}, r"`complete_share` must lie in \(0, 1\]"),
            ({"restart_share": 1.1}, r"`restart_share` must lie in \(0, 1\]"),
            ({"min_seconds": -1}, "`min_seconds` must be 0 or more"),
            ({"columns": ["n_plays", "title"]}, r"`columns` must be among .*, got \['title'\]"),
        ],
    )
    def test_is_one_sentence(self, options, said):
        with pytest.raises(ValueError, match=said):
            tk.to_viewings(plays_of(("2024-03-01 20:00Z", 1, 1)), **options)

    def test_empty_in_same_columns_out(self):
        plays = plays_of(("2024-03-01 20:00Z", 4000, 4000))
        whole, none = tk.to_viewings(plays), tk.to_viewings(plays[:0])
        assert (len(none), list(none)) == (0, list(whole))
        assert none.dtypes.astype("str").tolist() == whole.dtypes.astype("str").tolist()


def test_a_block_that_fails_is_waited_for_by_none():
    def work(rows):
        if rows.start == 2:
            raise ValueError("no")
        return {"viewer": np.arange(rows.start, rows.stop)}

    parts = [slice(n, n + 1) for n in range(6)]
    with pytest.raises(ValueError, match="no"):
        _in_turn(work, parts, 6)
    assert _in_turn(work, parts[3:], 6)["viewer"].tolist() == [3, 4, 5]


def slow(plays, resume_within, complete, restart, min_seconds):
    """Follow each viewer and title play by play, as the definition says it."""
    found = []
    plays = plays.sort_values("started_at", kind="stable")
    for ids, rows in plays.groupby(["viewer", "title"], observed=True):
        viewing, viewings, ended = None, [], None
        for play in rows.itertuples():
            runtime, seconds, position = (
                play.runtime_seconds,
                play.watched_seconds,
                play.position_seconds,
            )
            begins = (
                max(position - seconds, 0)
                if position == position and seconds == seconds
                else np.nan
            )
            joins = (
                viewing is not None
                and not viewing["finished"]
                and not (begins <= restart * runtime and viewing["furthest"] > restart * runtime)
                and play.started_at - ended <= pd.Timedelta(resume_within)
            )
            if not joins:
                viewing = {
                    "furthest": 0.0,
                    "watched": 0.0,
                    "finished": False,
                    "known": False,
                    "plays": 0,
                    "total": 0.0,
                    "started": play.started_at,
                    "ended": play.started_at,
                    "runtime": runtime,
                }
                viewings.append(viewing)
            viewing["plays"] += 1
            viewing["total"] += seconds
            viewing["furthest"] = max(viewing["furthest"], np.nan_to_num(position))
            viewing["watched"] += np.nan_to_num(seconds)
            viewing["finished"] |= bool(
                viewing["furthest"] >= complete * runtime
                or viewing["watched"] >= complete * runtime
            )
            viewing["known"] |= not (np.isnan(position) and np.isnan(seconds))
            ended = play.started_at + pd.Timedelta(seconds=np.nan_to_num(seconds))
            if "ended_at" in plays and not pd.isna(play.ended_at):
                ended = max(play.ended_at, play.started_at)
            viewing["ended"] = max(viewing["ended"], ended)
        kept = [v for v in viewings if not v["total"] < min_seconds]
        finished = doubtful = False
        for number, v in enumerate(kept, 1):
            is_complete = v["finished"] if v["known"] else pd.NA
            rewatch = True if finished else pd.NA if doubtful else False
            row = (*ids, v["started"], v["ended"], v["total"], v["plays"], number)
            found.append((*row, is_complete, rewatch, v["total"] / v["runtime"]))
            finished |= v["finished"]
            doubtful |= not v["known"]
    columns = ["viewer", "title", "started_at", "ended_at", "watched_seconds", "n_plays"]
    columns += ["viewing_no", "is_complete", "is_rewatch", "watch_equivalents"]
    return pd.DataFrame(found, columns=columns)


def random_plays(seed, n=400):
    rng = np.random.default_rng(seed)
    starts = pd.Timestamp("2024-03-01", tz="UTC") + pd.to_timedelta(
        rng.integers(0, 60 * 86_400, n), unit="s"
    )
    seconds = rng.choice([5, 60, 500, 1000, 3000, 4500, 9000, 9500], n).astype(float)
    position = np.minimum(seconds + rng.choice([0, 900, 1000, 1001, 4000], n), RUNTIME)
    seconds[rng.random(n) < 0.05] = np.nan
    position[rng.random(n) < [0, 0.5, 1][seed % 3]] = np.nan
    plays = pd.DataFrame(
        {
            "viewer": rng.choice(["ann", "bob", "cleo"], n),
            "title": rng.choice(["Heat", "Up", "Alien"], n),
            "started_at": starts.as_unit("us"),
            "watched_seconds": seconds,
            "position_seconds": position,
            "runtime_seconds": RUNTIME,
        }
    )
    if seed % 2:
        ended = plays["started_at"] + pd.to_timedelta(rng.integers(-60, 9000, n), unit="s")
        plays["ended_at"] = ended.where(rng.random(n) < 0.5)
    return plays


class TestReference:
    @pytest.mark.parametrize("seed", range(12))
    def test_random_logs_agree_with_the_definition_followed_play_by_play(self, seed):
        plays = random_plays(seed)
        before = plays.copy(deep=True)
        resume_within = f"{seed % 7 + 1}D"
        viewings = tk.to_viewings(plays, resume_within=resume_within)
        expected = slow(plays, resume_within, 0.9, 0.1, 120)
        assert len(expected) > 50
        dtypes = viewings.dtypes.to_dict()
        expected = expected.astype({name: dtypes[name] for name in expected})
        assert_frame_equal(viewings.drop(columns="account"), expected, rtol=1e-12)
        assert_frame_equal(plays, before)
        canonical = plays.sort_values(["viewer", "title", "started_at"], kind="stable")
        assert_frame_equal(tk.to_viewings(canonical, resume_within=resume_within), viewings)

    @pytest.mark.parametrize("size", [1, 7, 50])
    @pytest.mark.parametrize("seed", range(3))
    def test_where_the_blocks_end_does_not_show(self, seed, size, monkeypatch):
        rng = np.random.default_rng(seed)
        plays = pd.concat(
            [
                random_plays(seed + n)
                .drop(columns="ended_at", errors="ignore")
                .assign(viewer=lambda p, n=n: p["viewer"] + str(n))
                for n in range(3)
            ]
        )
        plays["account"] = plays["viewer"].str[:-1]
        plays["series"] = plays["title"].where(plays["title"] != "Up")
        plays["row_is"] = rng.choice(["play", "session", "logged"], len(plays), p=[0.6, 0.3, 0.1])
        plays["excluded"] = np.where(rng.random(len(plays)) < 0.1, "trailer", None)
        options = {"min_seconds": [0, 120, 4000][seed]}
        whole = tk.to_viewings(plays, **options)
        monkeypatch.setattr("toolkit.order.BLOCK", size)
        assert_frame_equal(tk.to_viewings(plays, **options), whole, check_exact=True)

    @pytest.mark.parametrize("min_seconds", [0, 120, 4000])
    @pytest.mark.parametrize(
        "columns", [[], ["n_plays"], ["ended_at", "started_at"], ["is_rewatch", "is_complete"]]
    )
    def test_columns_that_are_asked_for_are_those_of_the_whole_table(self, columns, min_seconds):
        plays = random_plays(5).assign(series="Heat", account=lambda p: p["viewer"])
        whole = tk.to_viewings(plays, min_seconds=min_seconds)
        names = ["viewer", "account", "title", "series"]
        names += [name for name in whole if name in columns]
        some = tk.to_viewings(plays, min_seconds=min_seconds, columns=columns)
        assert_frame_equal(some, whole[names])
        assert_frame_equal(
            tk.to_viewings(plays[["viewer", "title", "started_at"]], columns=[]),
            tk.to_viewings(plays[["viewer", "title", "started_at"]])[names[:3]],
        )

    def test_splitting_by_viewer_changes_nothing(self):
        sample = tk.load_sample()
        sample = sample[sample["viewer"].cat.codes < 60]
        some = sample["viewer"].cat.codes % 2 == 0
        parts = pd.concat([tk.to_viewings(sample[some]), tk.to_viewings(sample[~some])])
        parts = parts.sort_values(
            ["viewer", "title", "started_at"], kind="stable", ignore_index=True
        )
        assert_frame_equal(parts, tk.to_viewings(sample))
