"""Binges beside slow references that follow one viewer and one definition at a time."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy import optimize, stats

import toolkit as tk
from tests.reference import day_of
from tests.sitting_logs import end_of, random_plays, sittings_of
from toolkit import binges

ZONES = ("Europe/Berlin", "America/New_York")


def catalogue(seed=0):
    """Two series of two seasons of three episodes that come and go within the log."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"{series} {season} {episode}", series, season, episode)
        for series in ("Lost", "Dark")
        for season in (2, 1)
        for episode in (1, 2, 3)
    ]
    titles = pd.DataFrame(rows, columns=["title", "series", "season", "episode"])
    day = pd.to_datetime("2024-03-30")
    titles["available_from"] = day + pd.to_timedelta(rng.integers(-1, 2, len(rows)), unit="D")
    until = day + pd.to_timedelta(rng.integers(0, 4, len(rows)), unit="D")
    titles["available_until"] = until.where(rng.random(len(rows)) < 0.4)
    return titles.sample(frac=1, random_state=seed, ignore_index=True)


def day_in(play, starts):
    return day_of(play.started_at.to_pydatetime(), play.tz, starts)


def lengths(plays):
    """{title: seconds watched}, NaN where those of any play are unknown."""
    found = {}
    for p in plays:
        found[p.title] = found.get(p.title, 0) + p.watched_seconds
    return found


def n_long_enough(plays, min_seconds):
    return sum(not total < min_seconds for total in lengths(plays).values())


def grouped(plays, key):
    """{key: [play, ...]} of the episodes that are used."""
    found = {}
    for play in plays[plays["excluded"].isna() & plays["series"].notna()].itertuples():
        found.setdefault(key(play), []).append(play)
    return found


def in_sittings(plays, pause):
    sittings, _ = sittings_of(plays, pause)
    found = {}
    for viewer, own in sittings.items():
        for n, some in enumerate(own):
            for p in some:
                if isinstance(p.series, str):
                    found.setdefault((viewer, n, p.series), []).append(p)
    return found


def table_of(groups, starts, n_episodes=lambda some: n_long_enough(some, 120)):
    rows = [
        (
            some[0].viewer,
            some[0].account,
            some[0].series,
            min(p.started_at for p in some),
            max(end_of(p) for p in some),
            pd.Timestamp(min(day_in(p, starts) for p in some)),
            n_episodes(some),
            sum(p.watched_seconds for p in some),
        )
        for some in groups
    ]
    columns = ["viewer", "account", "series", "started_at", "ended_at", "first_day"]
    table = pd.DataFrame(rows, columns=[*columns, "n_episodes", "watched_seconds"])
    return table.sort_values(["viewer", "started_at", "series"], ignore_index=True)


def assert_same(found, expected):
    ids = {name: "object" for name in ("viewer", "account", "series")}
    found = found[list(expected)].astype(ids)
    assert_frame_equal(found, expected.astype(found.dtypes.to_dict()))


@pytest.mark.parametrize("starts", ["00:00", "04:00"])
@pytest.mark.parametrize("seed", [1, 2, 3])
class TestDefinitions:
    def find(self, seed, starts, definition, **options):
        plays = random_plays(seed, n=200, zones=ZONES)
        found = tk.find_binges(
            plays, tz="tz", day_starts_at=starts, definition=definition, **options
        )
        return plays, found

    @pytest.mark.parametrize("least", [1, 2, 3])
    def test_count(self, seed, starts, least):
        plays, found = self.find(seed, starts, "count", min_episodes=least)
        groups = in_sittings(plays, "30min").values()
        assert_same(found, table_of([s for s in groups if n_long_enough(s, 120) >= least], starts))
        assert found["season"].isna().all()

    @pytest.mark.parametrize("hours", [0.5, 1.0])
    def test_pace(self, seed, starts, hours):
        plays, found = self.find(seed, starts, "pace", hours_per_day=hours)
        groups = grouped(plays, lambda p: (p.viewer, p.series, day_in(p, starts))).values()
        some = [s for s in groups if np.nansum([p.watched_seconds for p in s]) > 3_600 * hours]
        assert len(some) > 0
        assert_same(found, table_of(some, starts))

    @pytest.mark.parametrize(("days", "share"), [(1, 0.1), (3, 0.9), (3, 0.1)])
    def test_season(self, seed, starts, days, share):
        titles = catalogue(seed)
        options = {"release_days": days, "complete_share": share}
        plays, found = self.find(seed, starts, "season", titles=titles, **options)
        of = titles.set_index("title")
        release = titles.groupby(["series", "season"])["available_from"].max()

        def season_of(play):
            return play.series, of["season"][play.title]

        def is_inside(play):
            since = pd.Timestamp(day_in(play, starts)) - release[season_of(play)]
            return 0 <= since.days < days

        def is_done(title, some):
            own = [p for p in some if p.title == title]
            watched = np.nansum([p.watched_seconds for p in own])
            return watched >= share * 1_800 or any(p.position_seconds >= share * 1_800 for p in own)

        groups = grouped(plays, lambda p: (p.viewer, season_of(p)) if is_inside(p) else None)
        groups.pop(None, None)
        raced = {
            key: some
            for key, some in groups.items()
            if all(
                is_done(title, some)
                for title in of.index[(of["series"] == key[1][0]) & (of["season"] == key[1][1])]
            )
        }
        assert len(raced) > 0
        assert_same(found, table_of(raced.values(), starts))
        assert sorted(found["season"]) == sorted(season for _, (_, season) in raced)

    @pytest.mark.parametrize("with_titles", [True, False])
    def test_norm(self, seed, starts, with_titles):
        titles = catalogue(seed) if with_titles else None
        options = {"titles": titles, "min_sittings": 4, "level": 0.3}
        plays, found = self.find(seed, starts, "norm", **options)
        groups = {
            key: some for key, some in in_sittings(plays, "30min").items()
            if n_long_enough(some, 120)
        }  # fmt: skip

        def ran_out(some):
            if titles is None:
                return False
            for p in some:
                day = pd.Timestamp(day_in(p, starts))
                own = titles[(titles["series"] == p.series) & (titles["available_from"] <= day)]
                own = own[~(own["available_until"] < day)]
                last = own.sort_values(["season", "episode"])["title"].tolist()[-1:]
                if [p.title] == last:
                    return True
            return False

        kept, probability, expected, censored = [], [], [], []
        for viewer in sorted({key[0] for key in groups}):
            own = [some for key, some in groups.items() if key[0] == viewer]
            n = np.array([n_long_enough(some, 120) for some in own])
            is_censored = np.array([ran_out(some) for some in own])
            if len(own) < 4 or is_censored.all():
                continue
            rate = largest_likelihood(n, is_censored)
            p = stats.poisson.sf(n - 1, rate) / stats.poisson.sf(0, rate)
            for i in np.flatnonzero(p <= 0.3):
                kept.append(own[i])
                probability.append(p[i])
                expected.append(rate / stats.poisson.sf(0, rate))
                censored.append(is_censored[i])
        table = table_of(kept, starts)
        assert_same(found, table)
        at = pd.MultiIndex.from_arrays(
            [[s[0].viewer for s in kept], [min(p.started_at for p in s) for s in kept],
             [s[0].series for s in kept]]
        )  # fmt: skip
        order = at.argsort()
        np.testing.assert_allclose(found["probability"], np.array(probability)[order], atol=1e-4)
        np.testing.assert_allclose(found["expected"], np.array(expected)[order], atol=1e-3)
        if with_titles:
            assert found["is_censored"].tolist() == [bool(censored[i]) for i in order]
        else:
            assert found["is_censored"].isna().all()


def largest_likelihood(n, is_censored):
    """The rate of a Poisson law cut at zero that makes P(Y = n), or P(Y >= n), most likely."""

    def negative(size):
        law = stats.poisson(np.exp(size))
        exact, least = law.logpmf(n), law.logsf(n - 1)
        return -(np.where(is_censored, least, exact) - law.logsf(0)).sum()

    best = optimize.minimize_scalar(negative, bounds=(-15, 6), method="bounded")
    return np.exp(best.x)


class TestNorm:
    def rates(self, n, is_censored, viewer=None):
        n, is_censored = np.array(n), np.array(is_censored)
        viewer = np.zeros(len(n), dtype=int) if viewer is None else np.array(viewer)
        return binges._poisson_rates(viewer, n, is_censored, np.ones(len(n)))

    @pytest.mark.parametrize("seed", range(5))
    def test_rate_is_the_most_likely_one(self, seed):
        rng = np.random.default_rng(seed)
        n, is_censored = 1 + rng.poisson(rng.choice([0.3, 2, 30]), 15), rng.random(15) < 0.4
        rate = largest_likelihood(n, is_censored)
        assert self.rates(n, is_censored)[0] == pytest.approx(rate, rel=1e-4)

    def test_without_censoring_the_mean_is_that_of_the_sittings(self):
        n = [1, 1, 2, 5, 3]
        rate = self.rates(n, [False] * 5)[0]
        assert rate / -np.expm1(-rate) == pytest.approx(np.mean(n), rel=1e-9)

    def test_recovers_what_was_drawn_though_episodes_ran_out(self):
        rng = np.random.default_rng(7)
        n = rng.poisson(3, 40_000)
        n = n[n > 0]
        left = rng.integers(1, 6, len(n))
        rate = self.rates(np.minimum(n, left), n >= left)[0]
        assert rate == pytest.approx(3, abs=0.06)
        # To take what ran out for the end of the wish would be far off.
        assert self.rates(np.minimum(n, left), np.zeros(len(n), dtype=bool))[0] < 2.2

    def test_who_never_went_on_has_a_norm_of_one(self):
        assert self.rates([1, 1, 1], [False] * 3).tolist() == [0]
        assert self.rates([1, 1, 1], [False, True, False]).tolist() == [0]

    def test_who_always_ran_out_has_none(self):
        assert np.isnan(self.rates([2, 1], [True, True])[0])

    def test_each_viewer_has_its_own(self):
        both = self.rates([1, 3, 7, 9], [False, False, False, True], [0, 0, 2, 2])
        assert both[0] == self.rates([1, 3], [False, False])[0]
        assert both[2] == self.rates([7, 9], [False, True])[0]

    def test_many_episodes_are_no_obstacle(self):
        assert self.rates([300, 300], [False, True])[0] > 300
        small = self.rates([1, 400], [False, True])[0]
        assert np.isfinite(small)

    def test_a_viewer_of_few_sittings_is_not_judged(self):
        plays = days_of([1, 1, 1, 4])
        for least, n, judged in ((4, 1, 1), (5, 0, 0)):
            options = {"definition": "norm", "level": 0.2, "min_sittings": least}
            found = tk.find_binges(plays, tz="UTC", **options)
            assert found["n_episodes"].tolist() == [4] * n
            table = tk.compare_binges(plays, tz="UTC", definitions={"n": options})
            assert table["people_judged"].tolist() == [judged]

    def test_a_sitting_without_an_episode_long_enough_tells_nothing(self):
        plays = days_of([1, 2, 1]).assign(watched_seconds=[1_800.0, 1_800.0, 1_800.0, 60.0])
        options = {"tz": "UTC", "definition": "norm", "level": 1}
        assert tk.find_binges(plays, min_sittings=2, **options)["n_episodes"].tolist() == [1, 2]
        assert len(tk.find_binges(plays, min_sittings=3, **options)) == 0

    def test_a_binge_may_be_as_probable_as_the_level(self):
        plays = days_of([1, 2])
        options = {"tz": "UTC", "definition": "norm", "min_sittings": 2}
        p = tk.find_binges(plays, level=0.9, **options)["probability"].iloc[0]
        assert len(tk.find_binges(plays, level=p, **options)) == 1
        assert len(tk.find_binges(plays, level=p - 1e-9, **options)) == 0

    def test_who_never_went_on_has_no_binge(self):
        options = {"tz": "UTC", "definition": "norm", "min_sittings": 2}
        assert len(tk.find_binges(days_of([1, 1, 1]), **options)) == 0
        found = tk.find_binges(days_of([1, 1, 1]), level=1, **options)
        assert found[["expected", "probability"]].to_numpy().tolist() == [[1, 1]] * 3


def days_of(counts, viewer="ann", minutes=30, **columns):
    """On each day so many episodes of half an hour, one after the other from 20:00."""
    rows = [(day, k) for day, n in enumerate(counts) for k in range(n)]
    day, k = np.array(rows).T
    start = pd.Timestamp("2024-03-01 20:00", tz="UTC").as_unit("us")
    started = start + pd.to_timedelta(day * 86_400 + k * 1_800, unit="s").as_unit("us")
    return pd.DataFrame(
        {
            "viewer": viewer,
            "series": "Dark",
            "title": [f"Dark {k}" for _, k in rows],
            "started_at": started,
            "watched_seconds": minutes * 60.0,
        }
        | columns
    )


class TestCount:
    def test_the_same_episode_again_is_not_another(self):
        plays = days_of([2]).assign(title="Dark 1")
        assert len(tk.find_binges(plays, tz="UTC", definition="count")) == 0

    @pytest.mark.parametrize(("seconds", "n"), [(119, 0), (120, 1), (np.nan, 1)])
    def test_an_episode_needs_its_seconds(self, seconds, n):
        plays = days_of([2]).assign(watched_seconds=[1_800, seconds])
        assert len(tk.find_binges(plays, tz="UTC", definition="count")) == n

    def test_another_series_or_film_between_ends_no_sitting(self):
        plays = days_of([3])
        plays.loc[1, ["series", "title"]] = [None, "Heat"]
        assert len(tk.find_binges(plays, tz="UTC", definition="count")) == 1
        plays.loc[1, ["series", "title"]] = ["Lost", "Lost 1"]
        found = tk.find_binges(plays, tz="UTC", definition="count")
        assert found["series"].tolist() == ["Dark"]


class TestPace:
    @pytest.mark.parametrize(("extra", "n"), [(0, 0), (1e-6, 1), (np.nan, 0)])
    def test_is_more_than_so_many_hours(self, extra, n):
        plays = days_of([4, 1])
        plays.loc[0, "watched_seconds"] += extra
        found = tk.find_binges(plays, tz="UTC", definition="pace")
        assert len(found) == n

    def test_days_are_those_of_to_viewer_days(self):
        plays = tk.load_sample()[::7]
        found = tk.find_binges(plays, tz="tz", definition="pace", day_starts_at="04:30")
        days = tk.to_viewer_days(plays[plays["series"].notna()], tz="tz", by="series",
                                 day_starts_at="04:30")  # fmt: skip
        days = days[days["watched_seconds"] > 7_200].reset_index(drop=True)
        assert len(days) > 50
        keys = ["viewer", "series", "first_day"]
        found = found.sort_values(keys, ignore_index=True)
        assert found["viewer"].tolist() == days["viewer"].tolist()
        assert found["series"].tolist() == days["series"].tolist()
        assert found["first_day"].tolist() == days["day"].tolist()
        assert found["watched_seconds"].tolist() == days["watched_seconds"].tolist()


class TestSeason:
    titles = pd.DataFrame(
        {
            "title": ["Dark 0", "Dark 1"],
            "series": "Dark",
            "season": 1,
            "episode": [1, 2],
            "available_from": pd.to_datetime("2024-03-01"),
        }
    )

    def n(self, plays, titles=None, **options):
        titles = self.titles if titles is None else titles
        found = tk.find_binges(plays, tz="UTC", definition="season", titles=titles, **options)
        return len(found)

    def test_needs_all_episodes(self):
        assert self.n(days_of([2])) == 1
        assert self.n(days_of([1])) == 0
        more = pd.concat([self.titles, self.titles[:1].assign(title="Dark 9", episode=3)])
        assert self.n(days_of([2]), more) == 0

    def test_counts_from_the_last_release_on(self):
        late = self.titles.assign(available_from=pd.to_datetime(["2024-03-01", "2024-03-02"]))
        assert self.n(days_of([2]), late) == 0
        assert self.n(days_of([1, 2]), late) == 1
        assert self.n(days_of([0, 1, 2]), late) == 0
        assert self.n(days_of([0, 1, 2]), late, release_days=2) == 1

    @pytest.mark.parametrize(("runtime", "n"), [(2_000, 1), (2_001, 0), (np.nan, 1)])
    def test_episodes_are_finished(self, runtime, n):
        titles = self.titles.assign(runtime_seconds=[1_800.0, runtime])
        assert self.n(days_of([2]), titles) == n
        assert self.n(days_of([2], runtime_seconds=[1_800.0, runtime])) == n
        reached = days_of([2], minutes=3, position_seconds=[1_620.0, 1_800.9])
        assert self.n(reached, titles) == 1
        assert self.n(reached.assign(position_seconds=1_619.9), titles) == 0

    def test_the_catalogue_knows_runtimes_better(self):
        plays = days_of([2], runtime_seconds=9_000.0)
        assert self.n(plays) == 0
        assert self.n(plays, self.titles.assign(runtime_seconds=1_800.0)) == 1

    def test_without_a_runtime_a_start_of_some_length_will_do(self):
        plays = days_of([2]).assign(watched_seconds=[1_800.0, 119.0])
        assert self.n(plays) == 0
        assert self.n(plays, min_seconds=119) == 1
        assert self.n(days_of([2]).assign(watched_seconds=[1_800.0, np.nan])) == 1

    def test_one_episode_is_no_race(self):
        assert self.n(days_of([1]), self.titles[:1]) == 0

    def test_a_title_without_a_date_was_there_all_along(self):
        dates = pd.to_datetime(["2024-03-01", None])
        assert self.n(days_of([2]), self.titles.assign(available_from=dates)) == 1
        assert self.n(days_of([2]), self.titles.assign(available_from=pd.NaT)) == 0

    def test_must_know_the_titles(self):
        with pytest.raises(ValueError, match="`titles` must be given to know"):
            tk.find_binges(days_of([2]), tz="UTC", definition="season")
        with pytest.raises(ValueError, match=r"`titles` must have columns.*\['season'\]"):
            self.n(days_of([2]), self.titles.drop(columns="season"))
        with pytest.raises(ValueError, match="one row per title, found 'Dark 0' twice"):
            self.n(days_of([2]), pd.concat([self.titles, self.titles]))


class TestCompareBinges:
    def test_counts_what_find_binges_finds(self):
        plays, titles = random_plays(2, n=200, zones=ZONES), catalogue(2)
        options = {"tz": "tz", "titles": titles, "day_starts_at": "04:00", "pause": "1h"}
        definitions = {
            "two": {"definition": "count"},
            "three": {"definition": "count", "min_episodes": 3},
            "hour": {"definition": "pace", "hours_per_day": 1},
            "race": {"definition": "season", "release_days": 3, "complete_share": 0.1},
            "norm": {"definition": "norm", "min_sittings": 3, "level": 0.3},
        }
        table = tk.compare_binges(plays, definitions=definitions, **options)
        assert table["definition"].tolist() == list(definitions)
        for row, own in zip(table.itertuples(), definitions.values(), strict=True):
            found = tk.find_binges(plays, **options, **own)
            assert (row.n_binges, row.people) == (len(found), found["account"].nunique())
            assert row.n_binges > 0
            assert row.share == row.people / row.people_judged
            low, high = tk.wilson(row.people, row.people_judged)
            assert (row.low, row.high) == (low, high)

    def test_sittings_and_days_are_those_with_a_play_of_a_binge(self):
        # Past midnight on the second day, and in two sittings on the third.
        plays = pd.concat(
            [days_of([2]), days_of([0, 9]), days_of([0, 0, 0, 3]), days_of([0, 0, 0, 3])]
        )
        plays.iloc[-3:, plays.columns.get_loc("started_at")] -= pd.Timedelta("10h")
        table = tk.compare_binges(plays.reset_index(drop=True), tz="UTC").set_index("definition")
        assert table.loc["count", "n_binges"] == table.loc["count", "n_sittings"] == 4
        assert table.loc["count", "n_viewer_days"] == 4
        assert table.loc["pace", ["n_binges", "n_sittings", "n_viewer_days"]].tolist() == [2, 3, 2]

    def test_a_day_with_two_series_is_one_day(self):
        plays = pd.concat([days_of([2]), days_of([2], series="Lost")], ignore_index=True)
        counted = tk.compare_binges(plays, tz="UTC").iloc[0]
        assert counted[["n_binges", "n_sittings", "n_viewer_days"]].tolist() == [2, 1, 1]

    def test_agreement_is_of_what_either_finds(self):
        plays = pd.concat([days_of([2, 5, 3]), days_of([2], "bob"), days_of([1], "cem")])
        definitions = {
            "two": {"definition": "count"},
            "three": {"definition": "count", "min_episodes": 3},
            "two hours": {"definition": "pace"},
            "none": {"definition": "count", "min_episodes": 99},
        }
        days, sittings, people = (
            tk.compare_binges(plays, tz="UTC", definitions=definitions, unit=unit)
            for unit in ("day", "sitting", "people")
        )
        names = list(definitions)
        assert days[names].iloc[0].tolist() == [1, 2 / 4, 1 / 4, 0]
        assert days[names].iloc[1].tolist() == [2 / 4, 1, 1 / 2, 0]
        assert sittings[names].iloc[0].tolist() == [1, 2 / 4, 1 / 4, 0]
        assert people[names].iloc[0].tolist() == [1, 1 / 2, 1 / 2, 0]
        assert np.isnan(days["none"].iloc[3])
        assert days["people"].tolist() == [2, 1, 1, 0]
        assert days["people_judged"].tolist() == [3] * 4

    def test_a_day_agrees_only_on_the_same_series(self):
        plays = days_of([5])
        plays = pd.concat([plays, days_of([5], series="Lost", minutes=60)], ignore_index=True)
        definitions = {"pace": {"definition": "pace", "hours_per_day": 4},
                       "count": {"definition": "count"}}  # fmt: skip
        table = tk.compare_binges(plays, tz="UTC", definitions=definitions)
        assert table["count"].tolist() == [1 / 2, 1]

    def test_compares_all_definitions_if_none_are_named(self):
        plays = random_plays(1)
        assert tk.compare_binges(plays, tz="UTC")["definition"].tolist() == [
            "count", "pace", "norm",
        ]  # fmt: skip
        with_titles = tk.compare_binges(plays, tz="UTC", titles=catalogue())
        assert with_titles["definition"].tolist() == ["count", "pace", "season", "norm"]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"unit": "play"}, "`unit` must be one of"),
            ({"confidence": 1}, "`confidence` must lie"),
            ({"definitions": {"people": {"definition": "count"}}}, r"other columns, got \['peo"),
            ({"definitions": {"a": {"definition": "count", "pause": "1h"}}}, r"got \['pause'\]"),
            ({"definitions": {"a": {}}}, "`definition` must be one of"),
            ({"definitions": {"a": {"definition": "count", "level": 2}}}, "`level` must lie"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, options, message):
        with pytest.raises(ValueError, match=message):
            tk.compare_binges(days_of([2]), tz="UTC", **options)


class TestBothTables:
    @pytest.mark.parametrize("definition", ["count", "pace", "season", "norm"])
    def test_nothing_in_gives_the_same_columns(self, definition):
        plays = random_plays(1)
        options = {"tz": "tz", "definition": definition, "titles": catalogue()}
        some = tk.find_binges(plays, **options)
        films = tk.exclude(plays, plays["series"].notna(), reason="series")
        for without in (plays[:0], films):
            found = tk.find_binges(without, **options)
            assert len(found) == 0
            assert found.dtypes.to_dict() == some.dtypes.to_dict()
            table = tk.compare_binges(without, tz="tz", titles=catalogue())
            assert table["people"].tolist() == [0] * 4
            assert table["share"].isna().all()

    def test_whole_numbers_will_do_for_ids(self):
        plays = random_plays(3).dropna(subset="series")
        ids = {n: plays[n].cat.codes for n in ("viewer", "account", "title", "series")}
        found = tk.find_binges(plays.assign(**ids), tz="tz", definition="count")
        same = tk.find_binges(plays, tz="tz", definition="count")
        assert found["viewer"].dtype == "int8"
        assert found["started_at"].tolist() == same["started_at"].tolist()

    def test_order_does_not_matter(self):
        plays, titles = random_plays(4, n=200, zones=ZONES), catalogue(4)
        mixed = plays.sample(frac=1, random_state=1)
        for definition in ("count", "pace", "season", "norm"):
            options = {"tz": "tz", "titles": titles, "definition": definition, "release_days": 3}
            options |= {"complete_share": 0.1, "level": 0.3, "min_sittings": 3}
            found = tk.find_binges(plays, **options)
            assert len(found) > 0
            assert_frame_equal(tk.find_binges(mixed, **options), found)

    def test_parts_of_the_viewers_put_together_are_the_whole(self):
        plays, titles = random_plays(5, n=200), catalogue(5)
        for definition in ("count", "pace", "norm"):
            options = {"tz": "tz", "titles": titles, "definition": definition, "min_sittings": 3}
            options |= {"level": 0.3}
            parts = [
                tk.find_binges(plays[plays["viewer"] == viewer], **options)
                for viewer in plays["viewer"].cat.categories
            ]
            whole = tk.find_binges(plays, **options)
            assert_frame_equal(pd.concat(parts, ignore_index=True), whole)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"definition": "many"}, "`definition` must be one of"),
            ({"min_episodes": 0}, "`min_episodes` must be a whole number, 1 or more, got 0"),
            ({"release_days": 0.5}, "`release_days` must be a whole number"),
            ({"min_sittings": 0}, "`min_sittings` must be a whole number"),
            ({"min_seconds": -1}, "`min_seconds` must be 0 or more, got -1"),
            ({"hours_per_day": -1}, "`hours_per_day` must be 0 or more"),
            ({"complete_share": 0}, r"`complete_share` must lie in \(0, 1\], got 0"),
            ({"level": 1.1}, r"`level` must lie in \(0, 1\], got 1.1"),
            ({"tz": "Mars"}, "`tz` must be the name of a time zone"),
            ({"day_starts_at": "25:00"}, "`day_starts_at` must be a time of day"),
            ({"pause": "soon"}, "`pause` must be a duration"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, options, message):
        options = {"tz": "UTC", "definition": "count"} | options
        with pytest.raises(ValueError, match=message):
            tk.find_binges(days_of([2]), **options)

    def test_needs_series(self):
        with pytest.raises(ValueError, match=r"missing \['series'\]"):
            tk.find_binges(days_of([2]).drop(columns="series"), tz="UTC", definition="count")
        plays = days_of([2]).assign(account=["a", "b"])
        with pytest.raises(ValueError, match="one account"):
            tk.find_binges(plays, tz="UTC", definition="count")

    def test_changes_nothing_of_its_input(self):
        plays, titles = random_plays(2), catalogue()
        before, titles_before = plays.copy(deep=True), titles.copy(deep=True)
        tk.compare_binges(plays, tz="tz", titles=titles)
        assert_frame_equal(plays, before)
        assert_frame_equal(titles, titles_before)


def test_a_day_of_the_reference_is_that_of_a_clock():
    # The reference itself, over the change of 31 March 2024 in Berlin.
    instant = dt.datetime(2024, 3, 31, 1, 30, tzinfo=dt.UTC)
    assert day_of(instant, "Europe/Berlin", "04:00") == dt.date(2024, 3, 30)
