import contextlib
import inspect
import itertools
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from typing import NamedTuple

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from pandas.testing import assert_frame_equal

import toolkit as tk
from toolkit.privacy.keys import DEMONSTRATION_KEY, pseudonym
from toolkit.scale import run
from toolkit.scale.aggregates import AGGREGATES
from toolkit.scale.engines import parts_of
from toolkit.scale.joining import together
from toolkit.scale.steps import _ALONE
from toolkit.store import write_store
from toolkit.store.files import bucket_of, in_order, tidied
from toolkit.tables import as_plays

N_VIEWERS, N_BUCKETS = 30, [1, 3, 16]
VIEWERS = [pseudonym("viewer", "scale", str(n), key=DEMONSTRATION_KEY) for n in range(N_VIEWERS)]
ACCOUNTS = [pseudonym("account", "scale", str(n), key=DEMONSTRATION_KEY) for n in range(12)]
ZONES = ["America/New_York", "Europe/Berlin", "Asia/Kolkata"]
FIRST_DAY, AS_OF = pd.Timestamp("2024-03-04"), "2024-04-07"


class World(NamedTuple):
    """An invented log in the order of a store, its viewers and its titles."""

    plays: pd.DataFrame
    viewers: pd.DataFrame
    titles: pd.DataFrame
    favourite: object


def world_of(seed=1, n_rows=1200, are_numbers=False):
    """Two in three viewers share an account, the last four never watch; some rows are equal."""
    rng = np.random.default_rng(seed)
    viewer = rng.integers(0, N_VIEWERS - 4, n_rows)
    title = rng.choice(5, n_rows, p=[0.5, 0.2, 0.15, 0.1, 0.05])
    second = rng.integers(0, 35 * 24 * 6, n_rows) * 600
    runtime = np.array([3000.0, 5400.0, 1200.0, np.nan, 600.0])[title]
    watched = rng.integers(0, 7, n_rows) * 600.0
    plays = pd.DataFrame(
        {
            "viewer": viewer,
            "account": viewer % len(ACCOUNTS),
            "title": title,
            "started_at": pd.Timestamp("2024-03-04 03:00Z") + pd.to_timedelta(second, unit="s"),
            "watched_seconds": np.where(rng.random(n_rows) < 0.1, np.nan, watched),
            "series": np.where(title < 2, -1, title // 3),
            "position_seconds": np.where(rng.random(n_rows) < 0.3, np.nan, watched),
            "runtime_seconds": runtime,
            "tz": np.array(ZONES)[viewer % 3],
            "country": rng.choice(["DE", "FR", None], n_rows),
            "source": np.where(viewer % 2, "plex", "trakt"),
            "excluded": np.where(
                rng.random(n_rows) < 0.1, rng.choice(["trailer", "zapped"], n_rows), None
            ),
        }
    )
    # A favourite of a few is watched day after day.
    fan = pd.DataFrame({"viewer": np.repeat([0, 12, 5, 9], 20), "title": 0, "n": [*range(20)] * 4})
    fan["started_at"] = pd.Timestamp("2024-03-12 16:00Z") + pd.to_timedelta(fan["n"], unit="D")
    fan = fan.assign(account=fan["viewer"] % len(ACCOUNTS), watched_seconds=2700.0, series=-1)
    fan = fan.assign(position_seconds=2700.0, runtime_seconds=3000.0, source="plex")
    fan["tz"] = np.array(ZONES)[fan["viewer"] % 3]
    plays = pd.concat([plays, plays[:40], fan.drop(columns="n")], ignore_index=True)
    viewers = pd.DataFrame({"viewer": range(N_VIEWERS)})
    viewers["account"] = viewers["viewer"] % len(ACCOUNTS)
    last = pd.Timestamp(AS_OF) - pd.to_timedelta(rng.integers(0, 9, N_VIEWERS), unit="D")
    since = FIRST_DAY + pd.to_timedelta(rng.integers(-9, 12, N_VIEWERS), unit="D")
    viewers["as_of"] = last
    viewers["observed_from"] = since.where(rng.random(N_VIEWERS) < 0.8)
    viewers["joined"] = FIRST_DAY + pd.to_timedelta(rng.integers(0, 15, N_VIEWERS), unit="D")
    viewers["arm"] = rng.choice(["west", "east"], N_VIEWERS)
    titles = pd.DataFrame({"title": range(5), "available_from": FIRST_DAY})
    titles["available_until"] = pd.to_datetime(["2024-03-20", *[None] * 4])
    if are_numbers:
        plays["series"] = plays["series"].where(plays["series"] >= 0, plays["title"] + 100)
    else:
        names = {"viewer": VIEWERS, "account": ACCOUNTS, "title": [f"title {n}" for n in range(5)]}
        for frame in (plays, viewers, titles):
            for name in names.keys() & {*frame}:
                frame[name] = np.array(names[name])[frame[name]]
        series = np.array(["first", "second", None], dtype="object")
        plays["series"] = series[plays["series"]]
        plays["series"] = plays["series"].astype("str")
        # Rows that nobody uses may be nobody's.
        plays.loc[plays["excluded"].notna() & (plays.index % 3 == 0), ["viewer", "account"]] = None
    plays = in_order(as_plays(plays))
    return World(plays, viewers, titles, titles["title"][0])


def measures_of(world):
    """Steps that end in each measure, with options that change what it counts."""
    days = (tk.to_viewer_days, {"tz": "tz"})
    runtimes = pd.DataFrame({"title": world.titles["title"], "runtime_seconds": 1800.0})
    viewings = (tk.to_viewings, {})
    own = {"viewers": world.viewers}
    streaks = (tk.find_streaks, {"as_of": AS_OF, "observed_from": FIRST_DAY})
    window = {"first_day": "2024-03-10", "last_day": "2024-03-30"}
    until = {"until": "2024-04-08 00:00Z"}

    def retained(**arguments):
        return [days, (tk.retention, arguments)]

    return {
        "loss_table": [tk.loss_table],
        "loss_table, by": [(tk.loss_table, {"by": ["source", "account"]})],
        "find_runtimes": [tk.find_runtimes],
        "to_viewer_days": [days],
        "to_viewer_days, anything": [(tk.to_viewer_days, {"tz": "Asia/Kolkata", "by": None})],
        "to_viewer_days, split": [
            (tk.to_viewer_days, {"tz": "tz", "day_of": "split", "min_seconds": 900})
        ],
        "to_viewings": [viewings],
        "to_viewings, runtimes": [(tk.to_viewings, {"runtimes": runtimes, "resume_within": "0s"})],
        "find_streaks": [days, streaks],
        "find_streaks, own": [days, (tk.find_streaks, own | {"max_gap_days": 1})],
        "find_streaks, titles": [
            days,
            (tk.find_streaks, own | {"titles": world.titles, "period": "week"}),
        ],
        "longest_streaks": [days, streaks, (tk.longest_streaks, {"n": 2})],
        "watched_every_day": [
            days,
            (tk.watched_every_day, {"days": 9, "as_of": "2024-03-31", "title": world.favourite}),
        ],
        "watched_every_day, each": [
            days,
            (tk.watched_every_day, {"days": 2, "as_of": "2024-03-20"}),
        ],
        "assign_cohorts": [days, (tk.assign_cohorts, {"as_of": AS_OF})],
        "assign_cohorts, own": [days, (tk.assign_cohorts, own | {"period": "day"})],
        "frequency_recency": [days, (tk.frequency_recency, {"as_of": AS_OF})],
        "frequency_recency, own": [days, (tk.frequency_recency, own | {"period": "week"})],
        "count_viewings": [viewings, tk.count_viewings],
        "count_viewings, series": [viewings, (tk.count_viewings, {"by": "series"})],
        "count_viewings, anything": [viewings, (tk.count_viewings, {"by": None})],
        "rewatch_gaps": [viewings, tk.rewatch_gaps],
        "rewatch_gaps, until": [viewings, (tk.rewatch_gaps, until)],
        "to_sittings": [tk.to_sittings],
        "to_sittings, pause": [(tk.to_sittings, {"pause": "8h"})],
        "find_binges": [
            (tk.find_binges, {"tz": "tz", "definition": "pace", "hours_per_day": 1 / 6})
        ],
        "find_binges, norm": [
            (tk.find_binges, {"tz": "tz", "definition": "norm", "level": 1, "min_sittings": 2})
        ],
        "count_places": [tk.count_places],
        "count_abroad": [tk.count_abroad],
        "count_streaks": [days, streaks, tk.count_streaks],
        "count_streaks, by title": [
            days,
            streaks,
            (tk.count_streaks, {"which": "ended", "groups": "title"}),
        ],
        "streak_survival": [days, streaks, tk.streak_survival],
        "streak_survival, by title": [
            days,
            (tk.find_streaks, own),
            (tk.streak_survival, {"groups": ["title"], "confidence": 0.9}),
        ],
        "retention": retained(as_of=AS_OF, observed_from=FIRST_DAY, confidence=0.8),
        "retention, own": retained(**own),
        "retention, by title": retained(**own, groups="title", period="day", counts="on_or_after"),
        "retention, brackets": retained(**own, brackets=[(1, 2), (4, 4)], groups="arm"),
        "retention, every": retained(**own, cohorts="every", brackets=[(0, 0), (1, 3)]),
        "retention, joined": retained(**own, cohorts="joined", groups=["arm"], min_days=2),
        "retention_matrix": [*retained(as_of=AS_OF), (tk.retention_matrix, {"mean": "weighted"})],
        "days_watched": [days, (tk.days_watched, window)],
        "days_watched, own": [
            days,
            (tk.days_watched, own | window | {"period": "week", "confidence": 0.9}),
        ],
        "find_rewatched": [viewings, tk.find_rewatched],
        "find_rewatched, series": [viewings, (tk.find_rewatched, {"by": "series"})],
        "rewatch_rates": [viewings, tk.rewatch_rates],
        "rewatch_rates, series": [
            viewings,
            (tk.rewatch_rates, {"by": "series", "confidence": 0.9}),
        ],
    }


WORLD, NUMBERS = world_of(), world_of(are_numbers=True)
MEASURES = measures_of(WORLD)
DAYS = (tk.to_viewer_days, {"tz": "tz"})
STREAKS = (tk.find_streaks, {"as_of": AS_OF})


def called(table, steps):
    for step in steps:
        function, arguments = step if isinstance(step, tuple) else (step, {})
        table = function(table, **arguments)
    return table


def tidy(table):
    """A table with the categories that occur, sorted."""
    columns = {name: tidied(table[name]) for name in table}
    return pd.DataFrame(columns, index=table.index).rename_axis(columns=table.columns.name)


def assert_same(table, other):
    assert_frame_equal(table, other, check_exact=True)


def dask_frame_of(parts, **options):
    return dd.from_map(lambda part: part, parts, **options)


def spread(plays, n_parts=4, seed=2):
    """Parts of plays with rows in any order, of which the second has none."""
    plays = plays.sample(frac=1, random_state=seed)
    cuts = np.linspace(0, len(plays), n_parts).astype(int)
    parts = [plays[low:high] for low, high in itertools.pairwise(cuts)]
    return [parts[0], plays[:0], *parts[1:]]


def as_text(plays):
    names = [name for name in plays if isinstance(plays[name].dtype, pd.CategoricalDtype)]
    return plays.astype(dict.fromkeys(names, "str"))


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    return {n: write_store(WORLD.plays, folder / str(n), n_buckets=n) for n in N_BUCKETS}


@pytest.fixture
def store(stores):
    return stores[3]


@contextlib.contextmanager
def dask_client():
    # A port that is free: another cluster may run beside.
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "60s"}),
        LocalCluster(**options, silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def client():
    with dask_client() as client:
        yield client


def script(text, *arguments, **environment):
    """Run a script of its own, in which warnings are errors."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(text), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )


def output_of(process):
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out.strip()


class TestMeasures:
    def test_all_that_are_named_are_tested(self):
        notes = inspect.getdoc(run).partition("Notes\n")[2].partition("Examples\n")[0]
        named = {*re.findall(r"`(\w+)`", notes.partition("Viewers of one account")[0])}
        assert named == {name.partition(",")[0] for name in MEASURES} - {"retention_matrix"}
        functions = {function.__name__ for function in AGGREGATES}
        functions |= {function.__name__ for function in _ALONE if function.__name__[0] != "_"}
        assert named <= functions

    def test_the_log_is_hard(self):
        plays, homes = WORLD.plays, {}
        for viewer, account in {*zip(plays["viewer"], plays["account"], strict=True)}:
            if isinstance(viewer, str):
                homes.setdefault(account, set()).add(bucket_of(viewer, 3))
        assert sum(len(buckets) > 1 for buckets in homes.values()) > 5
        assert plays.duplicated(["viewer", "title", "started_at"]).sum() > 20
        assert plays["viewer"].isna().any()
        assert not plays["viewer"].isna()[plays["excluded"].isna()].any()
        assert plays["watched_seconds"].isna().any()
        assert plays["tz"].nunique() == 3
        assert len({*WORLD.viewers["viewer"]} - {*plays["viewer"]}) >= 4

    @pytest.mark.parametrize("name", MEASURES)
    def test_each_is_the_same_called_directly_and_on_stores(self, stores, name):
        steps = MEASURES[name]
        found = run(WORLD.plays, steps)
        assert len(found) > 1
        assert_same(found, tidy(called(WORLD.plays, steps)))
        by_name = {function.__name__ for function in AGGREGATES}
        for n_buckets in N_BUCKETS if name in by_name else [3]:
            assert_same(run(stores[n_buckets], steps, engine="memory"), found)

    def test_each_is_the_same_with_whole_numbers_for_ids(self, tmp_path):
        store = write_store(NUMBERS.plays, tmp_path, n_buckets=2)
        for name, steps in measures_of(NUMBERS).items():
            found = run(NUMBERS.plays, steps)
            assert_same(found, tidy(called(NUMBERS.plays, steps)))
            try:
                assert_same(run(store, steps, engine="memory"), found)
            except AssertionError as error:
                error.add_note(name)
                raise

    @pytest.mark.parametrize("seed", [11, 12])
    def test_buckets_of_few_viewers_are_the_same(self, tmp_path, seed):
        world = world_of(seed, n_rows=8)
        world = world._replace(plays=in_order(world.plays[world.plays["source"] == "trakt"]))
        store = write_store(world.plays, tmp_path, n_buckets=7)
        measures = measures_of(world)
        for name in np.random.default_rng(seed).choice([*measures], 6, replace=False):
            found = run(world.plays, measures[name])
            assert_same(run(store, measures[name], engine="memory"), found)

    @pytest.mark.parametrize("name", ["to_viewer_days, split", "retention, own", "rewatch_rates"])
    def test_neither_order_nor_index_nor_categories_matter(self, name):
        expected = run(WORLD.plays, MEASURES[name])
        plays = WORLD.plays.sample(frac=1, random_state=3)
        plays.index = np.arange(len(plays)) % 7
        backwards = plays["title"].cat.categories[::-1]
        plays["title"] = plays["title"].cat.set_categories([*backwards, "nobody's"])
        plays["notes"] = pd.Series([["a", 1], None, {"b": 2}] * len(plays)).array[: len(plays)]
        plays["day"] = "Monday"
        assert_same(run(plays, MEASURES[name]), expected)

    def test_processes_give_the_same_and_change_nothing(self, stores):
        plays, viewers = WORLD.plays.copy(deep=True), WORLD.viewers.copy(deep=True)
        for n_workers, source, name in [
            (2, stores[16], "retention, own"),
            (1, WORLD.plays, "assign_cohorts, own"),
        ]:
            steps = MEASURES[name]
            options = {"engine": "processes", "n_workers": n_workers}
            assert_same(run(source, steps, **options), run(WORLD.plays, steps))
        assert_same(WORLD.plays, plays)
        assert_same(WORLD.viewers, viewers)

    @pytest.mark.parametrize(("n_rows", "n_parts"), [(1, 8), (80, 8), (81, 9)])
    def test_large_frames_have_more_parts_than_processes_need(self, monkeypatch, n_rows, n_parts):
        monkeypatch.setattr("toolkit.scale.engines._ROWS_PER_PART", 10)
        parts = parts_of(WORLD.plays[:n_rows], "processes", n_workers=2)
        assert (len(parts), sum(map(len, parts))) == (n_parts, n_rows)

    def test_tables_of_all_kinds_are_sources(self):
        for first, name in [
            ([DAYS], "retention, by title"),
            ([DAYS, STREAKS], "count_streaks, by title"),
            ([tk.to_viewings], "rewatch_rates, series"),
        ]:
            table, steps = called(WORLD.plays, first), MEASURES[name][len(first) :]
            shuffled = table.sample(frac=1, random_state=4)
            assert_same(run(shuffled, steps), tidy(called(table, steps)))

    def test_without_steps_the_plays_come_back_in_order(self, store):
        plays = run(store, [], engine="memory")
        assert_same(plays, run(WORLD.plays, []))
        assert plays["viewer"].dropna().is_monotonic_increasing
        assert len(plays) == len(WORLD.plays)

    def test_a_log_of_nobody_gives_the_columns(self, tmp_path):
        store = write_store(WORLD.plays[:0], tmp_path, n_buckets=3)
        for name in ("watched_every_day", "retention", "rewatch_rates", "days_watched"):
            found = run(store, MEASURES[name], engine="memory")
            whole = run(WORLD.plays, MEASURES[name])
            assert found.empty
            assert found.dtypes.astype("str").tolist() == whole.dtypes.astype("str").tolist()
            assert_same(found, run(WORLD.plays[:0], MEASURES[name]))

    def test_a_single_play_is_enough(self, tmp_path):
        plays = WORLD.plays[WORLD.plays["excluded"].isna()][:1]
        store = write_store(plays, tmp_path, n_buckets=8)
        for name in ("to_viewings", "retention", "days_watched, own", "count_streaks"):
            assert_same(run(store, MEASURES[name], engine="memory"), run(plays, MEASURES[name]))

    def test_sums_of_fractions_do_not_depend_on_the_parts(self, tmp_path):
        rng = np.random.default_rng(5)
        plays = WORLD.plays.assign(watched_seconds=rng.random(len(WORLD.plays)) * 1000)
        store = write_store(plays, tmp_path, n_buckets=7)
        for name in ("to_viewer_days, split", "to_viewings", "to_viewer_days"):
            shuffled = plays.sample(frac=1, random_state=6)
            found = run(store, MEASURES[name], engine="memory")
            assert_same(found, run(shuffled, MEASURES[name]))

    def test_sums_of_many_fractions_do_not_depend_on_the_parts(self, tmp_path):
        rng = np.random.default_rng(5)
        plays = pd.DataFrame(
            {
                "viewer": np.append(rng.integers(0, 2, 400), [10**6, 10**6 + 1]),
                "title": rng.integers(0, 2, 402),
                "started_at": pd.Timestamp("2024-03-01 00:00Z"),
                "watched_seconds": rng.random(402) * 1000,
            }
        )
        plays["started_at"] += pd.to_timedelta(rng.integers(0, 5 * 86_400, 402), unit="s")
        steps = [(tk.to_viewer_days, {"tz": "UTC", "by": None})]
        store = write_store(plays, tmp_path, n_buckets=40)
        assert_same(run(store, steps, engine="memory"), run(plays, steps))


class TestAggregates:
    """Each on random parts by viewer, and held against sets."""

    CASES = [
        name for name in MEASURES if name.partition(",")[0] in {f.__name__ for f in AGGREGATES}
    ]

    @pytest.mark.parametrize("name", CASES)
    def test_what_parts_count_comes_together(self, name):
        *before, last = MEASURES[name]
        function, arguments = last if isinstance(last, tuple) else (last, {})
        of_part, of_all = AGGREGATES[function]
        rng = np.random.default_rng(len(name))
        for seed in range(3):
            world = world_of(seed, n_rows=250)
            table = tidy(called(world.plays, before))
            arguments = dict(arguments)
            if "viewers" in arguments:
                arguments["viewers"] = world.viewers
            home = dict(zip(world.viewers["viewer"], rng.integers(0, 5, N_VIEWERS), strict=True))
            tables = []
            for number in range(5):
                rows = table["viewer"].astype("object").map(home).fillna(0) == number
                own = dict(arguments)
                if "viewers" in own:
                    own["viewers"] = world.viewers[world.viewers["viewer"].map(home) == number]
                tables.append(of_part(table[rows], **own))
            rng.shuffle(tables)
            found = tidy(of_all(together(tables), **arguments))
            assert_same(found, tidy(function(table, **arguments)))

    def test_people_are_accounts_however_they_are_parted(self, stores):
        streaks = called(WORLD.plays, [DAYS, STREAKS])
        rows = [*streaks.itertuples()]
        lengths = range(1, max(row.n_days for row in rows) + 1)
        exactly = [{r.account for r in rows if r.n_days == k} for k in lengths]
        reaching = [{r.account for r in rows if r.n_days >= k} for k in lengths]
        at_risk = [{r.account for r in rows if r.n_days - r.is_open >= k} for k in lengths]
        assert any(
            len({r.viewer for r in rows if r.n_days >= k}) > len(reaching[k - 1]) for k in lengths
        )
        for store in stores.values():
            counts = run(store, [DAYS, STREAKS, tk.count_streaks], engine="memory")
            assert counts["people"].tolist() == [*map(len, exactly)]
            assert counts["people_reaching"].tolist() == [*map(len, reaching)]
            curve = run(store, [DAYS, STREAKS, tk.streak_survival], engine="memory")
            assert curve["people"].tolist() == [n for n in map(len, at_risk) if n]

    def test_who_came_back_is_an_account(self, stores):
        viewings = called(WORLD.plays, [tk.to_viewings])
        viewings = [*viewings.fillna({"is_complete": False, "is_rewatch": False}).itertuples()]
        finished = {(v.title, v.account) for v in viewings if v.is_complete}
        again = {(v.title, v.account) for v in viewings if v.is_rewatch} & finished
        viewers = {(v.title, v.viewer) for v in viewings if v.is_complete}
        assert len(finished) < len(viewers)
        for store in stores.values():
            rates = run(store, MEASURES["rewatch_rates"], engine="memory").set_index("title")
            for title in rates.index:
                assert rates["people"][title] == sum(t == title for t, _ in finished)
                assert rates["people_again"][title] == sum(t == title for t, _ in again)

    def test_one_of_an_account_finishes_and_another_comes_back(self):
        viewings = pd.DataFrame(
            {
                "viewer": [*range(16)],
                "account": 7,
                "title": 1,
                "started_at": pd.Timestamp("2024-03-01 20:00Z"),
                "viewing_no": 1,
                "is_complete": [True] + [False] * 15,
                "is_rewatch": [False] * 15 + [True],
            }
        )
        of_part, of_all = AGGREGATES[tk.find_rewatched]
        found = of_all(together([of_part(viewings[:8]), of_part(viewings[8:])]))
        assert found["is_rewatched"].tolist() == [True]
        assert_same(found, tk.find_rewatched(viewings))

    @pytest.mark.parametrize("brackets", [None, [(1, 2)], [(3, 3), (0, 1)]])
    def test_a_viewer_out_of_sight_still_tells_that_a_cohort_is_mixed(self, tmp_path, brackets):
        # The one is old and soon gone, the other new and there for long.
        viewers = pd.DataFrame(
            {
                "viewer": VIEWERS[:2],
                "observed_from": pd.to_datetime(["2024-03-04", "2024-01-01"]),
                "as_of": pd.to_datetime(["2024-03-10", "2024-04-30"]),
            }
        )
        plays = pd.DataFrame(
            {
                "viewer": VIEWERS[:2],
                "title": "Heat",
                "started_at": pd.Timestamp("2024-03-05 20:00Z"),
            }
        )
        steps = [
            (tk.to_viewer_days, {"tz": "UTC"}),
            (tk.retention, {"viewers": viewers, "brackets": brackets}),
        ]
        found = run(write_store(plays, tmp_path, n_buckets=32), steps, engine="memory")
        assert found["may_include_earlier"].all()
        assert_same(found, called(plays, steps))

    def test_arguments_are_checked_before_anything_is_computed(self, store, monkeypatch):
        monkeypatch.setattr("toolkit.scale._tables", lambda *_: pytest.fail("computed"))
        for function, wrong, message in [
            (tk.count_streaks, {"which": "long"}, "`which` must be one of"),
            (tk.streak_survival, {"confidence": 2}, "`confidence` must lie in"),
            (tk.count_streaks, {"groups": "mood"}, "must have columns"),
        ]:
            with pytest.raises(ValueError, match=message):
                run(store, [DAYS, STREAKS, (function, wrong)], engine="memory")
        with pytest.raises(TypeError, match="unexpected keyword argument 'group'"):
            run(store, [DAYS, STREAKS, (tk.count_streaks, {"group": "title"})], engine="memory")
        for wrong in ([], [(2, 1)]):
            arguments = {"as_of": AS_OF, "brackets": wrong}
            with pytest.raises(ValueError, match="`brackets` must be"):
                run(store, [DAYS, (tk.retention, arguments)], engine="memory")
        with pytest.raises(ValueError, match="`by` must be one of"):
            run(store, [tk.to_viewings, (tk.rewatch_rates, {"by": "mood"})], engine="memory")
        steps = [tk.to_viewings, (tk.count_viewings, {"viewers": WORLD.viewers})]
        with pytest.raises(ValueError, match="`count_viewings` must go without `viewers`"):
            run(store, steps, engine="memory")


class TestWatchedEveryDay:
    def of(self, title):
        return [DAYS, (tk.watched_every_day, {"days": 1, "as_of": "2024-03-20", "title": title})]

    def test_a_title_that_only_some_buckets_have_is_found(self, tmp_path):
        plays = WORLD.plays.assign(title=WORLD.plays["title"].astype("str"))
        day = pd.Timestamp("2024-03-20 16:00Z")
        plays.loc[0, ["title", "excluded", "started_at"]] = ["rare", None, day]
        store = write_store(plays, tmp_path, n_buckets=16)
        found = run(store, self.of("rare"), engine="memory")
        assert found["viewer"].tolist() == [plays["viewer"][0]]
        assert_same(found, run(plays, self.of("rare")))

    @pytest.mark.parametrize("world", [WORLD, NUMBERS], ids=["text", "numbers"])
    @pytest.mark.parametrize("n_buckets", [1, 12])
    def test_a_title_that_nobody_watched_is_refused(self, tmp_path, world, n_buckets):
        plays = world.plays.dropna(subset="viewer")[:200]
        store = write_store(plays, tmp_path, n_buckets=n_buckets)
        assert (n_buckets == 1) == all(len(bucket) for bucket in store.buckets())
        for source in (store, plays):
            with pytest.raises(ValueError, match=r"`title` must be one of .*, got 99"):
                run(source, self.of(99), engine="memory")

    def test_steps_of_ones_own_may_leave_parts_without_it(self, tmp_path):
        store = write_store(NUMBERS.plays, tmp_path, n_buckets=16)
        one = int(NUMBERS.plays["viewer"][NUMBERS.plays["title"] == 4].iloc[0])

        def of_one(plays):
            return plays[(plays["viewer"] == one) | (plays["title"] != 4)]

        steps = [of_one, *self.of(4)]
        assert_same(run(store, steps, engine="memory"), run(NUMBERS.plays, steps))
        with pytest.raises(ValueError, match="`title` must be one of"):
            run(store, [lambda plays: plays[plays["viewer"] == one], *self.of(99)], engine="memory")


class TestOwnSteps:
    def test_filters_and_lambdas_are_steps(self, store):
        steps = [lambda plays: plays[plays["source"] == "plex"], *MEASURES["retention, own"]]
        plex = WORLD.plays[WORLD.plays["source"] == "plex"]
        assert_same(run(store, steps, engine="memory"), run(plex, steps[1:]))

    @pytest.mark.parametrize(
        "step",
        [
            lambda days: days.assign(rank=days["n_plays"].rank()),
            lambda days: days.assign(more=days["n_plays"] - days["n_plays"].mean()),
            lambda days: days[days["watched_seconds"] > days["watched_seconds"].mean()],
            lambda days: days.head(40),
            lambda days: days.assign(more=1e9 + len(days)),
        ],
        ids=["rank", "difference", "filter", "head", "a little"],
    )
    def test_what_looks_at_other_viewers_is_refused(self, store, step):
        for source in (store, WORLD.plays):
            with pytest.raises(ValueError, match="`steps` must treat each viewer alone"):
                run(source, [DAYS, step], engine="memory")

    def test_what_looks_at_others_is_refused_with_a_known_step_after_it(self, store):
        steps = [lambda plays: plays[plays["watched_seconds"].rank(pct=True) > 0.5], DAYS]
        with pytest.raises(ValueError, match="your own are <lambda>"):
            run(store, [*steps, STREAKS, tk.count_streaks], engine="memory")

    def test_a_viewer_that_becomes_an_account_is_refused(self, store):
        steps = [DAYS, lambda days: days.assign(viewer=days["account"])]
        for source in (store, WORLD.plays):
            with pytest.raises(ValueError, match="must return viewers that they were given"):
                run(source, [*steps, (tk.retention, {"as_of": AS_OF})], engine="memory")

    def test_an_account_named_as_one_of_its_viewers_does_not_get_through(self, tmp_path):
        first = dict(zip(WORLD.plays["account"], WORLD.plays["viewer"], strict=True))
        plays = WORLD.plays.dropna(subset="viewer")
        plays = plays.assign(account=plays["account"].astype("object").map(first))
        with pytest.raises(ValueError, match="must return viewers that they were given"):
            run(plays, [DAYS, lambda days: days.assign(viewer=days["account"])])

    @pytest.mark.parametrize(
        ("step", "found"),
        [
            (lambda days: days.assign(n_plays=days["n_plays"].sum() or "none"), "str"),
            (lambda days: days if days.empty else days.assign(more=1), "more"),
            (lambda days: days if days.empty else days.drop(columns="n_plays"), "n_plays"),
            (lambda days: days if days.empty else days[[*days][::-1]], "viewer"),
        ],
        ids=["dtype", "more", "less", "order"],
    )
    def test_other_columns_without_rows_are_refused(self, store, step, found):
        with pytest.raises(ValueError, match=rf"the columns and dtypes .*{found}"):
            run(store, [DAYS, step], engine="memory")

    def test_what_is_no_table_of_single_columns_is_refused(self, store):
        with pytest.raises(ValueError, match="returns Series"):
            run(store, [lambda plays: plays["viewer"]], engine="memory")
        with pytest.raises(ValueError, match="name each column once"):
            run(store, [lambda plays: plays[["viewer", "viewer"]]], engine="memory")

    def test_a_step_that_takes_no_empty_table_says_when_it_failed(self, store):
        with pytest.raises(IndexError) as caught:
            run(store, [lambda plays: plays[: plays["title"].iloc[0] == 1]], engine="memory")
        assert caught.value.__notes__ == ["`run` first tries each step on a table without rows."]

    def test_an_aggregate_says_how_it_comes_together(self, store):
        def count(days):
            return days.groupby("title", observed=True)["n_plays"].sum().reset_index()

        def add(parts):
            return parts.groupby("title", observed=True, as_index=False)["n_plays"].sum()

        with pytest.raises(ValueError, match=r"`combine` must be given .* that count returns"):
            run(store, [DAYS, count], engine="memory")
        with pytest.raises(ValueError, match=r"`combine` must be given .* that lifecycle returns"):
            run(store, [DAYS, (tk.lifecycle, {"as_of": AS_OF})], engine="memory")
        for steps in ([DAYS], [DAYS, STREAKS, tk.count_streaks]):
            with pytest.raises(ValueError, match="`combine` must go with an aggregate"):
                run(store, steps, engine="memory", combine=add)
        assert_same(
            run(store, [DAYS, count], engine="memory", combine=add),
            tidy(count(called(WORLD.plays, [DAYS]))),
        )
        with pytest.raises(ValueError, match="`steps` must treat each viewer alone"):
            run(store, [DAYS, count], engine="memory", combine=lambda parts: parts)

    def test_what_comes_after_an_aggregate_is_given_the_whole(self, store):
        def share(losses):
            return losses.assign(share=losses["n_rows"] / losses["n_rows"].sum())

        steps = [tk.loss_table, share, lambda losses: losses.set_index("reason")["share"]]
        found = run(store, steps, engine="memory")
        assert found.sum() == pytest.approx(1)
        assert found.equals(called(WORLD.plays, steps))

    def test_a_script_needs_no_guard(self):
        process = script(
            """
            import tempfile, toolkit as tk
            def on_plex(plays):
                return plays[plays["source"] == NAME]
            NAME = "simulated"
            plays = tk.load_sample()[:3000]
            with tempfile.TemporaryDirectory() as folder:
                store = tk.write_store(plays, folder, n_buckets=3)
                steps = [on_plex, lambda plays: plays[plays["source"] != "b"]]
                steps.append((tk.to_viewer_days, {"tz": "tz"}))
                days = tk.run(store, steps, n_workers=2)
            assert days.equals(tk.run(plays, steps))
            print(len(days))
            """
        )
        assert output_of(process).isdigit()


class TestArguments:
    def test_wrong_ones_are_refused_in_a_sentence(self, store, tmp_path):
        plays = WORLD.plays
        for source, options, message in [
            (tmp_path, {}, r"`source` must be .*a folder is opened by `open_store`"),
            (plays, {"engine": "spark"}, "`engine` must be one of"),
            (plays, {"engine": "dask"}, "`source` must be a store or a Dask frame for Dask"),
            (plays, {"n_workers": 0}, "`n_workers` must be a whole number, 1 or more"),
            (plays, {"resume_in": tmp_path}, "`resume_in` must go with a store"),
            (plays.drop(columns="viewer"), {}, "must have columns"),
            (plays[["viewer", "title"]], {}, "`source` must be plays, viewer-days"),
            (plays[[*plays, "title"]], {}, "`source` must name each column once"),
        ]:
            with pytest.raises(ValueError, match=message):
                run(source, [DAYS], **options)
        for steps in ([1], [("a", {})], [(DAYS[0], {}, {})], (tk.loss_table, {"by": 1})):
            with pytest.raises(ValueError, match="`steps` must be functions, or pairs"):
                run(plays, steps)
        with pytest.raises(ValueError, match="`steps` must be a list of functions, got loss_table"):
            run(plays, tk.loss_table)

    @pytest.mark.parametrize(
        ("progress", "is_shown"), [(True, True), (False, False), (None, False)]
    )
    def test_progress_is_shown_if_asked_for(self, store, capsys, progress, is_shown):
        run(store, [DAYS], engine="memory", progress=progress)
        assert ("3 parts" in capsys.readouterr().err.replace("/3", "3 parts")) == is_shown

    def test_progress_is_shown_after_two_seconds(self, store, capsys):
        def slow(plays):
            time.sleep(0.8 * (len(plays) > 0) * (len(plays) > 100))
            return plays

        run(store, [slow], engine="memory")
        assert "parts" in capsys.readouterr().err


KEPT = """
    import sys, time
    from pathlib import Path
    import numpy as np, toolkit as tk
    store, marks, kept = tk.open_store(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    def marked(plays):
        if len(plays):
            (marks / min(plays["viewer"].dropna())).touch()
            while len([*kept.glob("*.parquet")]) > 1 and marks.with_name("wait").exists():
                time.sleep(0.01)
        rows = [name not in {"a", "b", "c"} for name in plays["source"]]
        return plays[np.array(rows, dtype=bool)]
    steps = [marked, (tk.to_viewer_days, {"tz": "tz"})]
    days = tk.run(store, steps, engine="memory", resume_in=kept)
    print(tk.fingerprint(days))
"""


class TestResuming:
    """A run of four buckets that is broken off after two."""

    STEPS = (DAYS, STREAKS)

    @pytest.fixture
    def folder(self, tmp_path):
        return tmp_path / "store"

    @pytest.fixture
    def store(self, folder):
        return write_store(WORLD.plays, folder, n_buckets=4)

    @pytest.fixture
    def kept(self, tmp_path):
        return tmp_path / "kept"

    @pytest.fixture
    def read(self, monkeypatch):
        """The numbers of the buckets that are read, but for the first look at bucket 0."""
        numbers, bucket = [], tk.Store.bucket

        def counted(store, number):
            numbers.append(number)
            return bucket(store, number)

        monkeypatch.setattr(tk.Store, "bucket", counted)
        return numbers

    def broken_off(self, store, kept, monkeypatch, steps=STEPS):
        bucket = tk.Store.bucket

        def broken(store, number):
            if number == 2:
                raise KeyboardInterrupt
            return bucket(store, number)

        with monkeypatch.context() as patch:
            patch.setattr(tk.Store, "bucket", broken)
            with pytest.raises(KeyboardInterrupt):
                run(store, steps, engine="memory", resume_in=kept)
        assert len([*kept.glob("*.parquet")]) == 2

    def test_it_goes_on_and_leaves_nothing(self, store, kept, read, monkeypatch):
        self.broken_off(store, kept, monkeypatch)
        read.clear()
        found = run(store, self.STEPS, engine="memory", resume_in=kept)
        assert read == [0, 2, 3]
        assert_same(found, run(WORLD.plays, self.STEPS))
        assert [*kept.iterdir()] == []

    @pytest.mark.parametrize(
        "name", [name for name in MEASURES if "," not in name and name != "retention_matrix"]
    )
    def test_what_is_kept_is_what_was_made(self, store, kept, monkeypatch, name):
        self.broken_off(store, kept, monkeypatch, MEASURES[name])
        found = run(store, MEASURES[name], engine="memory", resume_in=kept)
        assert_same(found, run(WORLD.plays, MEASURES[name]))

    def test_another_run_takes_none_of_it(self, store, folder, kept, read, monkeypatch):
        self.broken_off(store, kept, monkeypatch)
        other = (tk.find_streaks, {"as_of": "2024-04-06"})
        # By another engine and number of processes it would go on.
        for steps in ([DAYS], [DAYS, other], [*self.STEPS, tk.count_streaks]):
            read.clear()
            run(store, steps, engine="memory", resume_in=kept)
            assert read == [0, 0, 1, 2, 3]
        more = write_store(WORLD.plays[:1], folder, append=True)
        read.clear()
        run(more, self.STEPS, engine="memory", resume_in=kept)
        assert read == [0, 0, 1, 2, 3]
        assert len([*kept.glob("*.parquet")]) == 2
        read.clear()
        run(store, self.STEPS, engine="memory", resume_in=kept)
        assert read == [0, 2, 3]

    def test_changed_code_takes_none_of_it(self, store, kept, read, monkeypatch):
        def steps_of(code, file="a.py"):
            namespace = {"LEAST": 60, "np": np}
            exec(compile(textwrap.dedent(code), file, "exec"), namespace)
            return [namespace["step"], DAYS]

        code = """
            def long(plays):
                return (plays["watched_seconds"] > LEAST).to_numpy()
            def step(plays):
                return plays[long(plays) & is_some(n in {"plex", "a"} for n in plays["source"])]
            def is_some(rows):
                return np.array([*rows], dtype=bool)
        """
        self.broken_off(store, kept, monkeypatch, steps_of(code))
        for change in ("> LEAST", ">= LEAST"), ('"plex", "a"', '"plex", "b"'), ("LEAST", "600"):
            assert code.count(change[0]) == 1
            read.clear()
            run(store, steps_of(code.replace(*change)), engine="memory", resume_in=kept)
            assert read == [0, 0, 1, 2, 3]
        read.clear()
        # The same further down, in another cell.
        run(store, steps_of("\n\n" + code, "b.py"), engine="memory", resume_in=kept)
        assert read == [0, 2, 3]

    def test_a_changed_module_takes_none_of_it(self, store, kept, read, monkeypatch, tmp_path):
        text = "def step(plays):\n    return plays[plays['watched_seconds'] > {}]\n"
        (tmp_path / "own_steps.py").write_text(text.format(60))
        monkeypatch.syspath_prepend(tmp_path)
        import own_steps

        steps = [lambda plays: own_steps.step(plays), DAYS]
        self.broken_off(store, kept, monkeypatch, steps)
        (tmp_path / "own_steps.py").write_text(text.format(61))
        read.clear()
        run(store, steps, engine="memory", resume_in=kept)
        assert read == [0, 0, 1, 2, 3]
        sys.modules.pop("own_steps")

    def test_files_that_are_not_as_written_are_made_again(self, store, kept, read, monkeypatch):
        self.broken_off(store, kept, monkeypatch)
        first, second = sorted(kept.glob("*.parquet"))
        data = first.read_bytes()
        first.write_bytes(data[:-40] + bytes([data[-40] ^ 1]) + data[-39:])
        second.with_suffix(".new").write_bytes(b"half")
        (kept / "notes.txt").write_text("mine")
        read.clear()
        found = run(store, self.STEPS, engine="memory", resume_in=kept)
        assert read == [0, 0, 2, 3]
        assert_same(found, run(WORLD.plays, self.STEPS))
        assert [path.name for path in kept.iterdir()] == ["notes.txt"]

    def test_columns_that_would_not_come_back_are_refused(self, store, kept):
        for step in (
            lambda plays: plays.assign(mood=pd.Series([["a"]] * len(plays), dtype="object")),
            lambda plays: plays.assign(at=plays["started_at"].dt.tz_localize(None).dt.as_unit("s")),
            lambda plays: plays.assign(**{"a": 1}).rename(columns={"a": 0}),
        ):
            with pytest.raises(ValueError, match="`resume_in` must go with steps"):
                run(store, [step], engine="memory", resume_in=kept)
            run(store, [step], engine="memory")

    def test_after_a_kill_it_goes_on_in_another_process(self, store, folder, tmp_path, kept):
        marks = tmp_path / "marks"
        marks.mkdir()
        (tmp_path / "wait").touch()
        process = script(KEPT, folder, marks, kept, PYTHONHASHSEED="1")
        while len([*kept.glob("*.parquet")]) < 2 and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        done = {int(path.stem.split("-")[1]) for path in kept.glob("*.parquet")}
        assert done == {0, 1}
        for path in marks.iterdir():
            path.unlink()
        (tmp_path / "wait").unlink()
        again = output_of(script(KEPT, folder, marks, kept, PYTHONHASHSEED="2"))
        assert again == tk.fingerprint(run(WORLD.plays, [DAYS]))
        firsts = [min(bucket["viewer"].dropna()) for bucket in store.buckets()]
        marked = {path.name for path in marks.iterdir()}
        assert {n for n, first in enumerate(firsts) if first not in marked} == done
        assert [*kept.iterdir()] == []

    def test_a_killed_process_is_told_and_the_next_call_goes_on(self, store, kept, tmp_path):
        mark, parent = tmp_path / "mark", os.getpid()

        def deadly(plays):
            if os.getpid() != parent and any(kept.glob("*.parquet")) and not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return plays

        options = {"engine": "processes", "n_workers": 1, "resume_in": kept}
        with pytest.raises(RuntimeError, match=r"worker process .* unexpectedly") as caught:
            run(store, [deadly, DAYS], **options)
        assert "`resume_in`" in caught.value.__notes__[0]
        assert [*kept.glob("*.parquet")] != []
        assert_same(run(store, [deadly, DAYS], **options), run(WORLD.plays, [DAYS]))


class TestMissing:
    def run_without(self, module, code, folder):
        return output_of(
            script(
                f"""
                import sys
                sys.modules[{module!r}] = None
                import toolkit as tk
                store = tk.open_store(sys.argv[1])
                steps = [(tk.to_viewer_days, {{"tz": "tz"}})]
                try:
                    {code}
                except ImportError as error:
                    print(error)
                """,
                folder,
            )
        )

    @pytest.mark.parametrize("module", ["dask", "distributed"])
    def test_without_dask_a_sentence_says_what_to_install(self, store, module):
        said = self.run_without(module, "tk.run(store, steps, engine='dask')", store.folder)
        assert said == (
            "`engine='dask'` needs Dask, which is not installed: "
            "pip install 'viewing-toolkit[dask]'."
        )

    def test_without_duckdb_stores_still_run(self, store):
        code = "print(len(tk.run(store, steps, engine='memory')))"
        assert self.run_without("duckdb", code, store.folder).isdigit()


class TestDask:
    def test_without_a_client_a_sentence_says_how_to_start_one(self, store):
        for source in (store, dask_frame_of(spread(WORLD.plays))):
            with pytest.raises(ValueError, match="`engine='dask'` must find a client"):
                run(source, [DAYS], engine="dask")
        with pytest.raises(ValueError, match="`engine` must be 'dask' for a Dask frame"):
            run(dask_frame_of(spread(WORLD.plays)), [DAYS], engine="memory")

    def test_partitions_by_themselves_would_be_wrong(self):
        parts = spread(WORLD.plays)
        viewers = [{*part["viewer"].dropna()} for part in parts]
        assert [len(some) > 0 for some in viewers] == [True, False, True, True]
        assert len(viewers[0] & viewers[2]) > 15
        whole = run(WORLD.plays, [DAYS, STREAKS])
        apart = pd.concat([run(part, [DAYS, STREAKS]) for part in parts])
        assert len(apart) > len(whole)

    @pytest.mark.parametrize(
        "name",
        [
            "to_viewings",
            "longest_streaks",
            "assign_cohorts, own",
            "retention, brackets",
            "days_watched, own",
            "streak_survival, by title",
            "rewatch_rates, series",
        ],
    )
    def test_rows_in_any_order_and_partition_give_the_same(self, client, name):
        frame = dask_frame_of(spread(WORLD.plays))
        assert_same(run(frame, MEASURES[name]), run(WORLD.plays, MEASURES[name]))

    def test_ids_may_be_text_or_numbers_or_unknown_categories(self, client):
        name = "retention, by title"
        expected = run(WORLD.plays, MEASURES[name])
        text = dask_frame_of(spread(as_text(WORLD.plays)))
        unknown = text.astype({"viewer": "category", "title": "category"})
        assert not unknown["viewer"].cat.known
        for frame in (text, unknown):
            assert_same(run(frame, MEASURES[name]), expected)
        steps = measures_of(NUMBERS)[name]
        numbers = dask_frame_of(spread(NUMBERS.plays)[::-1])
        assert_same(run(numbers, steps), run(NUMBERS.plays, steps))

    def test_files_of_a_log_are_a_source(self, client, tmp_path):
        for n, part in enumerate(spread(as_text(WORLD.plays))):
            part.to_parquet(tmp_path / f"{n}.parquet", index=False)
        frame = dd.read_parquet(tmp_path)
        for name in ("watched_every_day", "loss_table, by"):
            assert_same(run(frame, MEASURES[name]), run(WORLD.plays, MEASURES[name]))

    def test_a_store_is_computed_there_too(self, client, store):
        for name in ("count_streaks", "retention, joined"):
            assert_same(run(store, MEASURES[name], engine="dask"), run(WORLD.plays, MEASURES[name]))
        with pytest.raises(ValueError, match="`title` must be one of"):
            run(store, TestWatchedEveryDay().of("nobody's"), engine="dask")

    def test_what_dask_believes_of_dtypes_does_no_harm(self, client):
        whole = WORLD.plays.assign(watched_seconds=600, season=pd.array([1] * len(WORLD.plays)))
        parts = spread(whole)
        assert parts[0]["watched_seconds"].dtype == "int64"
        believed = whole[:0].astype({"watched_seconds": "float64", "season": "float64"})
        frame = dask_frame_of(parts, meta=believed)
        assert_same(run(frame, [DAYS]), run(whole, [DAYS]))

    def test_errors_of_steps_come_through(self, client, store):
        def other(plays):
            return plays if plays.empty else plays.assign(watched_seconds=1)

        for source in (store, dask_frame_of(spread(WORLD.plays))):
            with pytest.raises(ValueError, match="the columns and dtypes"):
                run(source, [other], engine="dask")

    @pytest.mark.parametrize("is_store", [True, False])
    def test_a_killed_worker_changes_nothing(self, store, tmp_path, is_store):
        mark, parent = tmp_path / "mark", os.getpid()

        def deadly(plays):
            if os.getpid() != parent and len(plays) and not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return plays

        source = store if is_store else dask_frame_of(spread(WORLD.plays))
        steps = [deadly, *MEASURES["retention, own"]]
        with dask_client():
            found = run(source, steps, engine="dask")
        assert mark.exists()
        assert_same(found, run(WORLD.plays, steps))
