"""The cases of tests/oracles/, each from another project's tests, issues or documents."""

import tomllib
from pathlib import Path

import pandas as pd
import pytest

import toolkit as tk

CASES = tomllib.loads((Path(__file__).parent / "oracles" / "streaks.toml").read_text())


def days_of(days, viewer="ann"):
    return pd.DataFrame({"viewer": viewer, "day": pd.to_datetime(list(days))})


def plays_at(*started, tz=None, **columns):
    instants = pd.to_datetime(list(started))
    instants = instants.tz_localize(tz) if tz else instants
    return pd.DataFrame({"viewer": "ann", "title": "Heat", "started_at": instants} | columns)


def summary(streaks):
    """The longest streak and the open one, as (first, last, length)."""
    rows = streaks.assign(
        first=streaks["first_day"].dt.strftime("%Y-%m-%d"),
        last=streaks["last_day"].dt.strftime("%Y-%m-%d"),
    )
    longest = tk.longest_streaks(rows)[["first", "last", "n_days"]].to_numpy().tolist()
    current = rows.loc[rows["is_open"], ["first", "last", "n_days"]].to_numpy().tolist()
    return longest, current


@pytest.mark.parametrize(
    ("name", "in_progress"), [("streak-gh-today", False), ("streak-gh-missing-today", True)]
)
def test_github_readme_streak_stats(name, in_progress):
    case = CASES[name]
    plays = plays_at(
        *[f"{d}T12:00:{i:02d}Z" for d, n in zip(case["days"], case["plays_a_day"], strict=True)
          for i in range(n)]
    )  # fmt: skip
    viewer_days = tk.to_viewer_days(plays, tz="UTC")

    streaks = tk.find_streaks(viewer_days, as_of=case["as_of"], day_in_progress=in_progress)

    assert viewer_days["n_plays"].sum() == case["total"]
    assert summary(streaks) == ([case["longest"]], [case["current"]])


@pytest.mark.parametrize(
    "name", ["streak-datestreaks-1", "streak-datestreaks-3", "streak-datestreaks-empty"]
)
def test_date_streaks(name):
    case = CASES[name]
    streaks = tk.find_streaks(days_of(case["days"]), as_of=case["as_of"])

    assert streaks["n_days"].tolist() == case["runs"]
    assert streaks.loc[streaks["is_open"], "n_days"].sum() == case["current"]
    assert max(streaks["n_days"], default=0) == case["longest"]


def test_yamtrack_strict_and_lenient():
    case = CASES["streak-yt-tracker"]
    viewer_days = days_of(case["days"])

    for in_progress, current in ((False, "current_strict"), (True, "current_lenient")):
        streaks = tk.find_streaks(viewer_days, as_of=case["as_of"], day_in_progress=in_progress)
        assert streaks["n_days"].max() == case["longest"]
        assert streaks.loc[streaks["is_open"], "n_days"].sum() == case[current]


def test_uhabits_best_streaks_and_their_tie():
    case = CASES["streak-uhabits-best"]
    today = pd.Timestamp("2024-06-30")
    days = [today - pd.Timedelta(days=n) for n in case["days_ago"]]
    streaks = tk.find_streaks(days_of(days), as_of=today)

    assert len(streaks) == case["n_runs"]
    for n in (4, 2):
        best = tk.longest_streaks(streaks, n=n).sort_values("first_day", ascending=False)
        assert best["n_days"].tolist() == case[f"best_{n}_newest_first"]
    tied = tk.longest_streaks(streaks, n=4).query("n_days == 3")
    assert [(today - tied[c].iloc[0]).days for c in ("first_day", "last_day")] == case[
        "tied_and_newer_days_ago"
    ]


def test_medito_a_frozen_day_keeps_but_does_not_add():
    case = CASES["streak-freeze-medito"]
    streaks = tk.find_streaks(days_of(case["days"]), as_of=case["days"][-1], max_gap_days=1)

    assert streaks["n_days"].tolist() == [case["n_days"]]
    span = streaks["last_day"] - streaks["first_day"] + pd.Timedelta(days=1)
    assert span.dt.days.tolist() == [case["span_days"]]


def test_helsinki_a_day_of_25_hours_does_not_break():
    case = CASES["streak-dst-helsinki"]
    plays = plays_at(*pd.to_datetime(case["epoch_seconds"], unit="s", utc=True))
    viewer_days = tk.to_viewer_days(plays, tz=case["tz"])

    assert viewer_days["day"].dt.strftime("%Y-%m-%d").tolist() == case["days"]
    streaks = tk.find_streaks(viewer_days, as_of=case["days"][-1])
    assert streaks["n_days"].tolist() == [case["longest"]]


def test_audiobookshelf_a_session_across_midnight():
    case = CASES["streak-midnight-session"]
    ended = pd.Timestamp(case["end_local"], tz="Europe/London")
    started = pd.Timestamp(case["start_local"], tz="Europe/London")
    seconds = (ended - started).total_seconds()
    plays = plays_at(started, ended_at=ended, watched_seconds=seconds)

    for day_of, days in (
        ("start", "day_if_start"),
        ("end", "day_if_end"),
        ("split", "days_if_split"),
    ):
        viewer_days = tk.to_viewer_days(plays, tz="Europe/London", day_of=day_of)
        assert viewer_days["day"].dt.strftime("%Y-%m-%d").tolist() == case[days]
    assert (viewer_days["watched_seconds"] / 60).tolist() == case["minutes_if_split"]


def test_hackclub_days_that_start_at_four():
    case = CASES["streak-4am"]
    plays = plays_at(*case["local"], tz="America/New_York").assign(title=["a", "b", "c"])
    viewer_days = tk.to_viewer_days(
        plays, tz="America/New_York", day_starts_at=case["day_starts_at"]
    )

    assert viewer_days["day"].dt.strftime("%Y-%m-%d").tolist() == case["days"]


def test_c2k_the_week_in_progress_does_not_break():
    case = CASES["streak-week"]
    streaks = tk.find_streaks(
        days_of(case["days"]), as_of=case["as_of"], period="week", week_starts=case["week_starts"]
    )

    assert streaks["n_days"].max() == case["longest"]
    assert streaks.loc[streaks["is_open"], "n_days"].tolist() == [case["current"]]


def test_leetcode_active_users():
    case = CASES["streak-lc1454"]
    viewer, day = zip(*case["rows"], strict=True)
    viewer_days = pd.DataFrame({"viewer": viewer, "day": pd.to_datetime(list(day))})
    streaks = tk.find_streaks(viewer_days, as_of="2020-06-10")

    longest = tk.longest_streaks(streaks).set_index("viewer")["n_days"]
    assert longest.to_dict() == {int(k): n for k, n in case["longest"].items()}
    assert longest[longest >= case["min_run"]].index.tolist() == case["users"]


def test_oracle_blog_ties_name_the_newer_first():
    case = CASES["streak-oracle-ties"]
    streaks = tk.find_streaks(days_of(case["days"]), as_of=case["as_of"])
    longest = tk.longest_streaks(streaks, n=2)

    assert longest["n_days"].tolist() == [case["longest"]] * 2
    assert longest["first_day"].dt.strftime("%Y-%m-%d").tolist() == case["longest_starts"][::-1]
    assert streaks.loc[streaks["is_open"], "n_days"].tolist() == [case["current"]]


def test_posthog_days_in_two_zones():
    case = CASES["day-posthog-pacific"]
    plays = plays_at(*case["instants"])

    for tz, days in (("UTC", "days_in_utc"), ("US/Pacific", "days_in_pacific")):
        viewer_days = tk.to_viewer_days(plays, tz=tz)
        assert viewer_days["day"].dt.strftime("%Y-%m-%d").tolist() == case[days]


def test_every_case_is_used_and_names_its_source():
    tests = Path(__file__).read_text()
    for name, case in CASES.items():
        assert f'"{name}"' in tests
        assert case["source"]
