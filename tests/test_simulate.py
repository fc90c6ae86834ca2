from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from toolkit.simulate import SEED, simulate_plays
from toolkit.tables import fingerprint

FILM = "The Christmas Film"
AS_OF = pd.Timestamp("2017-12-10")
WINDOW = set(pd.date_range("2017-11-23", "2017-12-10"))


@cache
def sample():
    return simulate_plays(seed=SEED)


@cache
def small(long_pauses=0.0):
    return simulate_plays(seed=7, accounts=120, people=6, long_pauses=long_pauses)


def used(plays):
    return plays[plays["excluded"].isna()]


def film_plays():
    plays = sample().plays
    return plays[plays["title"] == FILM]


def days_of(plays, tz=None, day_starts_at=0):
    """Naive midnights of the days on which the plays of one viewer or account start."""
    own = [ZoneInfo(tz or zone) for zone in plays["tz"]]
    clock = [
        t.tz_convert(z).tz_localize(None) for t, z in zip(plays["started_at"], own, strict=True)
    ]
    return {(t - pd.Timedelta(hours=day_starts_at)).normalize() for t in clock}


def alive_lengths(plays, tz, hours, max_gap_days):
    """Per viewer, the watched days of the streak that is open after `AS_OF`, in one numpy pass."""
    if tz == "own":
        pieces = [
            rows["started_at"].dt.tz_convert(zone).dt.tz_localize(None)
            for zone, rows in plays.groupby("tz", observed=True)
        ]
        clock = pd.concat(pieces).reindex(plays.index)
    else:
        clock = plays["started_at"].dt.tz_convert(tz).dt.tz_localize(None)
    day = (clock - pd.Timedelta(hours=hours)).dt.normalize()
    days = pd.DataFrame({"viewer": plays["viewer"].astype("str"), "day": day})
    days = (
        days[days["day"] <= AS_OF].drop_duplicates().sort_values(["viewer", "day"], ascending=False)
    )
    tomorrow = AS_OF + pd.Timedelta(days=1)
    later = days.groupby("viewer")["day"].shift().fillna(tomorrow)
    linked = (later - days["day"]).dt.days <= max_gap_days + 1
    return linked.groupby(days["viewer"]).cumprod().groupby(days["viewer"]).sum()


def near(words):
    (found, *_) = [miss for miss in sample().truth["near_misses"] if words in miss["what"]]
    return film_plays()[film_plays()["viewer"] == found["viewer"]], found


class TestTheCount:
    def test_exactly_53_viewers_in_53_accounts_watched_on_each_of_the_18_days(self):
        rows = used(film_plays())
        found = {
            viewer
            for viewer, plays in rows.groupby("viewer", observed=True)
            if len(plays) >= 18 and days_of(plays) >= WINDOW
        }
        assert sorted(found) == sample().truth["viewers"]
        assert len(found) == 53
        accounts = rows.loc[rows["viewer"].isin(found), "account"].astype("str").unique()
        assert sorted(accounts) == sample().truth["accounts"]
        assert len(accounts) == 53

    def test_every_count_in_the_truth_agrees_with_another_computation(self):
        rows = used(film_plays())
        account = rows.drop_duplicates("viewer").set_index("viewer")["account"].astype("str")
        assert len(sample().truth["counts"]) == 60
        for cell in sample().truth["counts"]:
            hours = int(cell["day_starts_at"][:2])
            lengths = alive_lengths(rows, cell["tz"], hours, cell["max_gap_days"])
            who = lengths.index[lengths >= 18]
            assert (cell["viewers"], cell["people"]) == (len(who), account[who].nunique()), cell

    def test_the_number_of_streaks_falls_smoothly_through_18_days(self):
        n = pd.Series(sample().truth["n_reaching"]).rename(int).sort_index()
        lengths = alive_lengths(used(film_plays()), "own", 0, 0)
        assert n.tolist() == [(lengths >= k).sum() for k in range(1, 25)]
        assert n[17] > n[18] > n[19]
        assert n[24] > 0
        # The step at 18 is what a binomial hazard, pooled over its neighbours, gives.
        around = [k for k in range(13, 23) if k not in (17, 18)]
        hazard = sum(n[k] - n[k + 1] for k in around) / sum(n[k] for k in around)
        for k in (17, 18):
            room = 3 * np.sqrt(n[k] * hazard * (1 - hazard))
            assert abs(n[k] - n[k + 1] - n[k] * hazard) < room

    def test_the_53_go_on_after_the_day_under_a_hazard_of_some_percent(self):
        rows = used(film_plays())
        rows = rows[rows["viewer"].isin(sample().truth["viewers"])]
        days = {viewer: days_of(plays) for viewer, plays in rows.groupby("viewer", observed=True)}
        one_more = set(pd.date_range("2017-12-11", "2017-12-11"))
        nine_more = set(pd.date_range("2017-12-11", "2017-12-19"))
        assert 40 <= sum(days[v] >= one_more for v in days) <= 53
        assert 15 <= sum(days[v] >= nine_more for v in days) <= 50

    def test_most_counted_viewers_started_before_the_first_day_that_was_asked_about(self):
        lengths = alive_lengths(used(film_plays()), "own", 0, 0)
        counted = lengths[sample().truth["viewers"]]
        assert counted.between(18, 24).all()
        assert (counted > 18).sum() > 26


class TestNearMisses:
    def test_all_ten_are_recorded_with_reasons(self):
        misses = sample().truth["near_misses"]
        assert len({miss["what"] for miss in misses}) == 10
        assert all(miss["counted_by"] and miss["not_counted_because"] for miss in misses)
        inside = {miss["viewer"] for miss in misses} & set(sample().truth["viewers"])
        assert len(inside) == 2

    def test_seventeen_days_are_one_short(self):
        plays, _ = near("17 days only")
        assert days_of(used(plays)) & WINDOW == WINDOW - {pd.Timestamp("2017-11-23")}

    def test_a_missed_day_is_forgiven_by_a_gap_of_one(self):
        plays, miss = near("one day missed")
        assert WINDOW - days_of(used(plays)) == {pd.Timestamp("2017-12-02")}
        assert alive_lengths(used(plays), "own", 0, 1)[miss["viewer"]] >= 18

    def test_another_zone_saves_the_day(self):
        plays, _ = near("saved only by another zone")
        assert WINDOW - days_of(used(plays)) == {pd.Timestamp("2017-12-01")}
        assert days_of(used(plays), "UTC") >= WINDOW
        assert days_of(used(plays), "America/New_York") >= WINDOW

    def test_utc_loses_a_day_of_one_of_the_53(self):
        plays, miss = near("lost in UTC")
        assert miss["viewer"] in sample().truth["viewers"]
        assert WINDOW - days_of(used(plays), "UTC") == {pd.Timestamp("2017-12-02")}

    @pytest.mark.parametrize("hours", [3, 4, 6])
    def test_a_later_day_start_saves_the_day(self, hours):
        plays, _ = near("saved only by a later day start")
        assert WINDOW - days_of(used(plays)) == {pd.Timestamp("2017-11-29")}
        assert days_of(used(plays), day_starts_at=hours) >= WINDOW

    @pytest.mark.parametrize("hours", [3, 4, 6])
    def test_a_later_day_start_loses_a_day_of_one_of_the_53(self, hours):
        plays, miss = near("loses a day")
        assert miss["viewer"] in sample().truth["viewers"]
        lost = WINDOW - days_of(used(plays), day_starts_at=hours)
        assert lost == {pd.Timestamp("2017-12-04")}

    def test_the_sibling_adds_a_viewer_but_no_account(self):
        plays, miss = near("sibling")
        assert miss["account"] in sample().truth["accounts"]
        assert len(WINDOW & days_of(used(plays))) == 17
        assert alive_lengths(used(plays), "own", 0, 1)[miss["viewer"]] >= 18

    def test_only_the_trailer_stands_on_one_day(self):
        plays, _ = near("trailer")
        assert WINDOW - days_of(used(plays)) == {pd.Timestamp("2017-12-06")}
        assert days_of(plays) >= WINDOW
        assert (plays["excluded"] == "trailer").any()

    def test_the_duplicate_makes_18_rows_of_17_days(self):
        plays, _ = near("duplicate")
        day = (
            plays["started_at"]
            .dt.tz_convert("America/Sao_Paulo")
            .dt.tz_localize(None)
            .dt.normalize()
        )
        rows = plays[day.isin(WINDOW)]
        copies = rows[rows["excluded"] == "duplicate"]
        assert len(rows) - len(copies) == used(rows).groupby(day[used(rows).index]).ngroups == 17
        assert len(rows) == 18

    def test_only_the_household_that_takes_turns_has_every_day(self):
        plays, miss = near("take turns")
        both = used(film_plays()[film_plays()["account"] == miss["account"]])
        assert both["viewer"].nunique() == 2
        assert days_of(both) >= WINDOW
        assert len(days_of(used(plays)) & WINDOW) == 9
        assert not set(both["viewer"]) & set(sample().truth["viewers"])


class TestSeriesStreak:
    def streak(self, tz):
        planted = sample().truth["series_streak"]
        plays = sample().plays
        plays = plays[
            (plays["viewer"] == planted["viewer"]) & (plays["series"] == planted["series"])
        ]
        days = [t.tz_convert(tz).tz_localize(None).normalize() for t in used(plays)["started_at"]]
        return sorted(set(days))

    def test_holds_over_the_change_of_the_clocks_in_its_own_zone(self):
        assert self.streak("America/New_York") == list(pd.date_range("2017-11-01", "2017-11-12"))

    @pytest.mark.parametrize("tz", ["UTC", "Etc/GMT+4", "Etc/GMT+5"])
    def test_breaks_with_a_fixed_offset(self, tz):
        days = pd.Series(self.streak(tz))
        assert (days.diff().dropna() > pd.Timedelta(days=1)).sum() == 1


class TestRewatching:
    @pytest.mark.parametrize(("role", "is_kids"), [("adult", False), ("child", True)])
    def test_whole_viewings_per_pair_follow_the_log_series_that_is_recorded(self, role, is_kids):
        plays = used(sample().plays)
        plays = plays[
            (plays["kind"] == "film") & (plays["title"] != FILM) & (plays["is_kids"] == is_kids)
        ]
        finishes = plays[plays["position_seconds"] >= 0.9 * plays["runtime_seconds"]]
        n = finishes.groupby(["viewer", "title"], observed=True).size()
        q = sample().truth["rewatch_q"][role]
        mean, once = -q / ((1 - q) * np.log(1 - q)), -q / np.log(1 - q)
        deviation = np.sqrt(mean * (1 / (1 - q) - mean) / len(n))
        assert len(n) > 2000
        assert abs(n.mean() - mean) < 4 * deviation
        assert abs((n == 1).mean() - once) < 4 * np.sqrt(once * (1 - once) / len(n))

    def test_children_rewatch_more(self):
        assert sample().truth["rewatch_q"]["child"] > sample().truth["rewatch_q"]["adult"]


class TestTheRise:
    def test_ordinary_viewers_watch_more_from_11_december_by_the_ratio(self):
        truth, plays = sample().truth, used(film_plays())
        plays = plays[~plays["viewer"].isin(truth["devotees"]["viewers"] + truth["planted"])]
        begun = (
            plays["position_seconds"] - plays["watched_seconds"] < 0.02 * plays["runtime_seconds"]
        )
        plays = plays[begun & (plays["watched_seconds"] >= 120)]
        after = plays["started_at"] >= pd.Timestamp("2017-12-11", tz="UTC")
        expected = pd.Series(truth["rise"]["expected_without"])
        later = expected.index >= truth["rise"]["from"]
        ratio = (after.sum() / expected[later].sum()) / ((~after).sum() / expected[~later].sum())
        error = np.sqrt(1 / after.sum() + 1 / (~after).sum())
        assert abs(np.log(ratio / truth["rise"]["ratio"])) < 3 * error
        assert ratio > 1 + 3 * error


class TestTheLog:
    def test_plays_of_a_viewer_rarely_overlap(self):
        plays = used(sample().plays).sort_values(["viewer", "started_at"])
        before = plays.groupby("viewer", observed=True)["ended_at"].shift()
        assert (plays["started_at"] < before).mean() < 0.005

    def test_no_play_lies_outside_the_log_of_its_viewer(self):
        plays = sample().plays
        own = sample().viewers.set_index("viewer").loc[plays["viewer"].astype("str")]
        assert (plays["started_at"].to_numpy() >= own["log_starts_at"].to_numpy()).all()
        assert (plays["ended_at"].to_numpy() <= own["log_ends_at"].to_numpy()).all()

    def test_no_play_ends_before_what_was_watched_is_over(self):
        plays = sample().plays
        lasted = (plays["ended_at"] - plays["started_at"]).dt.total_seconds()
        assert (lasted >= plays["watched_seconds"]).all()
        assert (lasted > plays["watched_seconds"] + 60).mean() > 0.03

    def test_no_film_is_played_outside_the_catalogue(self):
        plays = used(sample().plays).merge(sample().titles, on="title", suffixes=("", "_of_title"))
        first = plays["started_at"].dt.tz_localize(None) + pd.Timedelta(hours=14)
        last = plays["started_at"].dt.tz_localize(None) - pd.Timedelta(hours=14)
        assert (first >= plays["available_from"]).all()
        gone = plays["available_until"].notna()
        assert gone.any()
        assert (last[gone] < plays.loc[gone, "available_until"] + pd.Timedelta(days=1)).all()

    def test_a_duplicate_repeats_the_row_before_it(self):
        plays = sample().plays
        second = plays.index[plays["excluded"] == "duplicate"]
        assert len(second) > 500
        values = plays.drop(columns="excluded")
        copies = values.loc[second].reset_index(drop=True)
        assert_frame_equal(copies, values.loc[second - 1].reset_index(drop=True))
        assert plays.loc[second - 1, "excluded"].isna().all()

    def test_a_resumed_film_goes_on_where_it_stopped(self):
        plays = used(sample().plays)
        plays = plays[plays["kind"] == "film"].sort_values(["viewer", "title", "started_at"])
        begins_at = plays["position_seconds"] - plays["watched_seconds"]
        stopped = plays.groupby(["viewer", "title"], observed=True)["position_seconds"].shift()
        pause = (
            plays["started_at"]
            - plays.groupby(["viewer", "title"], observed=True)["ended_at"].shift()
        )
        resumed = (begins_at > 0) & (begins_at == stopped)
        assert resumed[begins_at > 0].mean() > 0.99
        assert (pause[resumed] < pd.Timedelta(minutes=5)).any()
        assert (pause[resumed] > pd.Timedelta(days=2)).any()

    def test_few_viewers_and_few_titles_hold_much_of_the_viewing(self):
        plays = used(sample().plays)
        per_viewer = (
            plays["viewer"].value_counts().reindex(sample().viewers["viewer"], fill_value=0)
        )
        top = per_viewer.sort_values(ascending=False)
        assert top.head(len(top) // 10).sum() > 0.25 * top.sum()
        films = plays.loc[plays["kind"] == "film", "title"].value_counts()
        films = films[films > 0].drop(FILM)
        assert films.head(len(films) // 10).sum() > 0.35 * films.sum()

    def test_episodes_follow_on_by_themselves_within_seconds(self):
        plays = used(sample().plays).sort_values(["viewer", "started_at"])
        wait = plays["started_at"] - plays.groupby("viewer", observed=True)["ended_at"].shift()
        follows = plays["is_autoplay"].to_numpy(bool)
        assert follows.mean() > 0.15
        assert (wait[follows] <= pd.Timedelta(seconds=15)).mean() > 0.99

    def test_observed_days_are_the_full_days_of_the_zone(self):
        viewers = sample().viewers
        for tz, rows in viewers.groupby("tz"):
            opens = rows["observed_from"].dt.tz_localize(tz)
            closes = (rows["as_of"] + pd.Timedelta(days=1)).dt.tz_localize(tz)
            day = pd.Timedelta(days=1)
            assert ((opens >= rows["log_starts_at"]) & (opens - day < rows["log_starts_at"])).all()
            assert ((closes <= rows["log_ends_at"]) & (closes + day > rows["log_ends_at"])).all()
        assert viewers["as_of"].min() >= pd.Timestamp("2017-12-18")
        assert viewers["observed_from"].nunique() > 1


class TestViewings:
    def meant(self, simulation=None):
        """What each viewing was meant to be, beside its first play."""
        simulation = simulation or sample()
        first = simulation.plays.iloc[simulation.viewings["first_play"]]
        return pd.concat([first.reset_index(drop=True), simulation.viewings], axis=1)

    def test_each_begins_with_a_play_of_its_own_that_is_used(self):
        viewings = self.meant()
        assert viewings["first_play"].is_monotonic_increasing
        assert viewings["first_play"].is_unique
        assert viewings["excluded"].isna().all()

    def test_every_play_is_meant_for_one_but_starts_given_up_within_two_minutes(self):
        viewings, plays = self.meant(), used(sample().plays)
        nothing = len(plays) - viewings["n_plays"].sum()
        assert 0 < nothing <= (plays["watched_seconds"] < 120).sum()
        long = plays[plays["watched_seconds"] >= 120]
        meant = plays.loc[plays.index.isin(viewings["first_play"])]
        assert len(long[~long.index.isin(meant.index)]) < (viewings["n_plays"] - 1).sum()

    def test_what_is_finished_was_seen_to_the_credits_and_no_more_than_that(self):
        viewings = self.meant().query("n_plays == 1")
        seen = viewings["position_seconds"] / viewings["runtime_seconds"]
        assert (seen[~viewings["is_finished"]] < 0.91).all()
        whole = seen[viewings["is_finished"]] >= 0.917
        assert (seen[viewings["is_finished"]] < 1).mean() > 0.5
        assert whole.mean() > 0.999
        # What was finished only after the log had ended was still meant so.
        ends = sample().viewers.set_index("viewer")["log_ends_at"]
        cut = viewings[viewings["is_finished"]][~whole]
        left = ends[cut["viewer"].astype("str")].to_numpy() - cut["ended_at"].to_numpy()
        assert (left < pd.Timedelta(days=5)).all()

    def test_a_rewatch_is_what_follows_a_finish(self):
        finished, found = {}, []
        for row in self.meant().itertuples():
            found.append(finished.get((row.viewer, row.title), False))
            finished[row.viewer, row.title] = found[-1] or row.is_finished
        assert sample().viewings["is_rewatch"].tolist() == found
        assert sum(found) > 10_000

    def test_one_play_has_no_pause_and_none_of_the_sample_outlasts_a_week(self):
        viewings = sample().viewings
        assert (viewings.loc[viewings["n_plays"] == 1, "longest_pause_seconds"] == 0).all()
        several = viewings.loc[viewings["n_plays"] > 1, "longest_pause_seconds"]
        assert several.min() >= 60
        assert 4 * 86_400 < several.max() < 5 * 86_400

    def test_a_pause_runs_from_the_end_of_a_play_to_the_next(self):
        plays = used(sample().plays)
        ends = plays["ended_at"]
        viewings = self.meant().query("n_plays == 2").head(500)
        for row in viewings.itertuples():
            same = (plays["viewer"] == row.viewer) & (plays["title"] == row.title)
            later = plays.loc[same & (plays.index > row.first_play), "started_at"]
            pause = pd.Timedelta(seconds=row.longest_pause_seconds)
            assert (later == ends[row.first_play] + pause).any()

    def test_long_pauses_put_off_last_plays_by_one_to_three_weeks_and_change_nothing_else(self):
        before, after = small(), small(0.5)
        assert after.truth == before.truth
        by = ["viewer", "title", "watched_seconds", "position_seconds", "device"]
        old, new = (one.plays.sort_values(by, ignore_index=True) for one in (before, after))
        rest = [name for name in old if name not in ("started_at", "ended_at")]
        assert_frame_equal(old[rest], new[rest])
        later = new["started_at"] - old["started_at"]
        moved = later != pd.Timedelta(0)
        assert later[moved].between(pd.Timedelta(days=8), pd.Timedelta(days=21)).all()
        assert (later.dt.seconds == 0).all()
        assert {8, 21} < set(later[moved].dt.days)
        assert (new["ended_at"] - old["ended_at"]).equals(later)
        assert new.loc[moved, "kind"].eq("film").all()
        assert not new.loc[moved, "title"].eq(FILM).any()

    def test_as_many_pauses_outlast_a_week_as_are_asked_for_where_there_is_room(self):
        several = small().viewings["n_plays"] > 1
        shares = {
            asked: (small(asked).viewings["longest_pause_seconds"] > 7 * 86_400).sum()
            / several.sum()
            for asked in (0.0, 0.2, 1.0)
        }
        assert shares[0] == 0
        assert 0.05 < shares[0.2] < 0.2
        assert 0.3 < shares[1.0] < 0.9

    def test_a_viewing_begins_when_it_did_however_long_its_pause(self):
        begin = ["viewer", "title", "started_at", "n_plays", "is_finished", "is_rewatch"]
        assert_frame_equal(self.meant(small(1.0))[begin], self.meant(small())[begin])

    def test_no_other_viewing_of_the_title_lies_within_a_long_pause(self):
        viewings = self.meant(small(1.0))
        until = viewings["ended_at"] + pd.to_timedelta(viewings["longest_pause_seconds"], unit="s")
        next_start = viewings.groupby(["viewer", "title"], observed=True)["started_at"].shift(-1)
        long = viewings["longest_pause_seconds"] > 7 * 86_400
        assert long.sum() > 50
        assert not (next_start[long] < until[long]).any()

    def overlaps(self, simulation):
        plays = used(simulation.plays).sort_values(["viewer", "started_at"])
        before = plays.groupby("viewer", observed=True)["ended_at"].shift()
        return (plays["started_at"] < before).sum()

    def test_a_play_that_is_put_off_stays_within_the_log_the_catalogue_and_the_viewers_time(self):
        plays = used(small(1.0).plays).sort_values(["viewer", "started_at"])
        own = small().viewers.set_index("viewer").loc[plays["viewer"].astype("str")]
        assert (plays["ended_at"].to_numpy() <= own["log_ends_at"].to_numpy()).all()
        assert self.overlaps(small(1.0)) <= self.overlaps(small())
        until = plays.merge(small().titles, on="title")["available_until"].to_numpy()
        late = plays["started_at"].dt.tz_localize(None) - pd.Timedelta(hours=14)
        gone = ~np.isnat(until)
        assert (late.to_numpy()[gone] < until[gone] + np.timedelta64(1, "D")).all()

    @pytest.mark.parametrize("long_pauses", [-0.1, 1.1, float("nan")])
    def test_a_share_of_pauses_lies_between_0_and_1(self, long_pauses):
        with pytest.raises(ValueError, match=r"`long_pauses` must lie in \[0, 1\], got"):
            simulate_plays(seed=1, long_pauses=long_pauses)


class TestSimulatePlays:
    def test_the_same_seed_gives_the_same_log(self):
        again = simulate_plays(seed=7, accounts=120, people=6)
        for name in ("plays", "viewers", "titles", "viewings"):
            assert fingerprint(getattr(again, name)) == fingerprint(getattr(small(), name))
        assert again.truth == small().truth

    def test_another_seed_gives_another_log(self):
        other = simulate_plays(seed=8, accounts=120, people=6)
        assert fingerprint(other.plays) != fingerprint(small().plays)
        assert other.truth["viewers"] != small().truth["viewers"]

    @pytest.mark.parametrize(("people", "accounts"), [(3, 60), (4, 70), (9, 150)])
    def test_any_number_of_people_can_be_asked_for(self, people, accounts):
        simulation = simulate_plays(seed=3, accounts=accounts, people=people)
        assert len(simulation.truth["accounts"]) == people
        assert simulation.viewers["account"].nunique() == accounts

    @pytest.mark.parametrize(("people", "accounts"), [(2, 500), (10, 139)])
    def test_too_few_people_or_accounts_are_refused(self, people, accounts):
        with pytest.raises(ValueError, match=f"got {people} and {accounts}"):
            simulate_plays(seed=1, people=people, accounts=accounts)

    def test_plays_are_in_canonical_order_with_sorted_categories(self):
        plays = sample().plays
        assert isinstance(plays.index, pd.RangeIndex)
        assert (
            plays.index == plays.sort_values(["viewer", "title", "started_at"], kind="stable").index
        ).all()
        for name in ("viewer", "account", "title", "series", "tz", "excluded"):
            categories = plays[name].cat.categories
            assert categories.is_monotonic_increasing
            assert plays[name].dropna().nunique() == len(categories)
