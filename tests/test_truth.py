"""The toolkit, which knows nothing of the planted truth, against the truth of the sample."""

import json
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

import toolkit as tk

TRUTH = json.loads((Path(__file__).parents[1] / "data" / "truth.json").read_text())


@cache
def sample():
    return tk.load_dataset("sample")


@cache
def film_days(tz="tz", day_starts_at="00:00"):
    plays = sample().plays
    film = plays[plays["title"] == TRUTH["title"]]
    return tk.to_viewer_days(film, tz=tz, day_starts_at=day_starts_at)


def watched(viewer_days):
    found = tk.watched_every_day(viewer_days, days=TRUTH["days"], as_of=TRUTH["as_of"])
    return set(found["viewer"].astype("str"))


def near_misses(what):
    return {row["viewer"] for row in TRUTH["near_misses"] if what in row["what"]}


def test_the_tweet_as_a_query_finds_the_53_and_nobody_else():
    assert len(TRUTH["viewers"]) == len(TRUTH["accounts"]) == 53
    found = tk.watched_every_day(
        tk.to_viewer_days(sample().plays, tz="tz"),
        days=18,
        as_of="2017-12-10",
        title="The Christmas Film",
        observed_from=sample().ask.observed_from,
    )
    assert sorted(found["viewer"]) == TRUTH["viewers"]
    assert sorted(found["account"]) == TRUTH["accounts"]


@pytest.mark.parametrize("count", TRUTH["counts"], ids=lambda c: "-".join(map(str, c.values())))
def test_every_zone_start_of_the_day_and_gap_gives_its_planted_count(count):
    tz = "tz" if count["tz"] == "own" else count["tz"]
    streaks = tk.find_streaks(
        film_days(tz, count["day_starts_at"]),
        as_of=TRUTH["as_of"],
        max_gap_days=count["max_gap_days"],
    )
    found = streaks[streaks["is_open"] & (streaks["n_days"] >= TRUTH["days"])]
    assert found["viewer"].nunique() == count["viewers"]
    assert found["account"].nunique() == count["people"]


def test_how_many_reach_each_length_is_as_planted():
    streaks = tk.find_streaks(film_days(), as_of=TRUTH["as_of"])
    counts = tk.count_streaks(streaks, which="open").set_index("n_days")["n_reaching"]
    assert {str(k): n for k, n in counts.items()} == TRUTH["n_reaching"]


def test_each_near_miss_is_counted_by_its_careless_query_alone():
    plays = sample().plays
    film = plays[plays["title"] == TRUTH["title"]]
    asked = watched(film_days())
    lost = near_misses("one of the 53 who") | near_misses("one of the 53 whose")
    assert near_misses("") & asked == lost

    in_utc, from_four = watched(film_days("UTC")), watched(film_days("tz", "04:00"))
    all_rows = watched(tk.to_viewer_days(film.assign(excluded=None), tz="tz"))
    homes = watched(tk.to_viewer_days(film.assign(viewer=film["account"]), tz="tz"))
    forgiving = tk.find_streaks(film_days(), as_of=TRUTH["as_of"], max_gap_days=1)
    forgiving = set(forgiving[forgiving["is_open"] & (forgiving["n_days"] >= 17)]["viewer"])
    seventeen = tk.watched_every_day(film_days(), days=17, as_of=TRUTH["as_of"])

    assert near_misses("only by another zone") <= in_utc - asked
    assert near_misses("lost in UTC") <= asked - in_utc
    assert near_misses("saved only by a later day start") <= from_four - asked
    assert near_misses("loses a day to a later start") <= asked - from_four
    assert near_misses("trailer") <= all_rows - asked
    assert near_misses("17 days only") <= set(seventeen["viewer"]) - asked
    assert near_misses("one day missed") | near_misses("sibling") <= forgiving - asked
    turns = {row["account"] for row in TRUTH["near_misses"] if "take turns" in row["what"]}
    assert turns <= homes - set(TRUTH["accounts"])
    siblings = {row["account"] for row in TRUTH["near_misses"] if "sibling" in row["what"]}
    assert siblings <= set(TRUTH["accounts"])

    rows = film[film["viewer"].isin(near_misses("duplicate"))]
    in_window = rows["started_at"].dt.tz_convert("America/Sao_Paulo").dt.date
    in_window = in_window.between(
        pd.Timestamp("2017-11-23").date(), pd.Timestamp("2017-12-10").date()
    )
    assert in_window.sum() == 18
    assert (rows["excluded"][in_window] == "duplicate").sum() == 1


def test_the_series_streak_over_the_american_change_of_the_clock_is_whole_in_its_zone_only():
    planted = TRUTH["series_streak"]
    plays = sample().plays
    mine = plays[plays["viewer"] == planted["viewer"]]
    lengths = {
        tz: tk.longest_streaks(
            tk.find_streaks(tk.to_viewer_days(mine, tz=tz, by="series"), as_of="2017-12-31")
        )["n_days"].iloc[0]
        for tz in ("tz", "UTC", "Etc/GMT+4", "Etc/GMT+5")
    }
    assert lengths["tz"] == planted["n_days"]
    assert max(lengths["UTC"], lengths["Etc/GMT+4"], lengths["Etc/GMT+5"]) < planted["n_days"]


def test_each_viewers_first_and_last_full_day_follow_from_the_edges_of_its_log():
    viewers = sample().viewers
    first = tk.first_full_day(viewers["log_starts_at"], tz=viewers["tz"])
    last = tk.last_full_day(viewers["log_ends_at"], tz=viewers["tz"])
    assert (first == viewers["observed_from"]).all()
    assert (last == viewers["as_of"]).all()
    assert viewers["observed_from"].max() == sample().ask.observed_from
