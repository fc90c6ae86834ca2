"""Steps, repeats and weights of lags, beside loops over one viewer at a time."""

import random
import re
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize

from tests.histories import copying, viewings_of
from toolkit.copying import (
    copied,
    decaying,
    fit_decay,
    fit_weights,
    loglik,
    repeats_of,
    shuffled,
    steps_of,
    usable_repeats,
)

CASES = tomllib.loads((Path(__file__).parent / "oracles" / "rhythm.toml").read_text())
ALWAYS = (pd.Timestamp("1900-01-01"), pd.Timestamp("2200-01-01"))


def steps(viewings, by="title", titles=None, tz=None):
    return steps_of(viewings, by=by, titles=titles, tz=tz)


def random_viewings(seed, n=300, viewers="abcde", titles="stuvwxyz"):
    rng = random.Random(seed)
    started = pd.Timestamp("2024-01-01 00:00Z") + pd.to_timedelta(
        [rng.randrange(2000) for _ in range(n)], unit="h"
    )
    return pd.DataFrame(
        {
            "viewer": [rng.choice(viewers) for _ in range(n)],
            "title": [rng.choice(titles) for _ in range(n)],
            "started_at": started,
        }
    )


def windows(seed, titles="stuvwxyz"):
    rng = random.Random(seed)
    start = pd.Timestamp("2024-01-01")
    rows = []
    for title in titles:
        first = start + pd.Timedelta(days=rng.randrange(40))
        rows.append((title, first, first + pd.Timedelta(days=rng.randrange(60))))
    return pd.DataFrame(rows, columns=["title", "available_from", "available_until"])


def slow_repeats(viewings, n_weights, titles=None, tz="UTC"):
    """[(row, lags it repeats, lags it could repeat)], one viewer and one step at a time."""
    there = {}
    if titles is not None:
        there = {r.title: (r.available_from, r.available_until) for r in titles.itertuples()}
    found = []
    for _, some in viewings.groupby("viewer"):
        some = some.sort_values(["started_at", "title"], kind="stable")
        days = some["started_at"].dt.tz_convert(tz).dt.tz_localize(None).dt.normalize().tolist()
        title = some["title"].tolist()
        for now, day in enumerate(days):
            could = []
            for lag in range(1, min(now, n_weights) + 1):
                low, high = there.get(title[now - lag], ALWAYS)
                if low <= day <= high:
                    could.append(lag)
            does = [lag for lag in could if title[now - lag] == title[now]]
            if does:
                found.append((some.index[now], does, could))
    return found


def lags(sets):
    rows = sets.matrix.toarray()[sets.index]
    assert set(np.unique(rows)) <= {0.0, 1.0}
    return [(np.flatnonzero(row) + 1).tolist() for row in rows]


class TestStepsOf:
    def test_each_viewers_steps_stand_in_time_order(self):
        viewings = pd.DataFrame(
            {
                "viewer": ["bob", "ann", "bob", "ann"],
                "account": ["home", "home", "home", "home"],
                "title": ["Heat", "Heat", "Alien", "Brazil"],
                "started_at": pd.to_datetime(
                    ["2024-03-02", "2024-03-03", "2024-03-01", "2024-03-01"], utc=True
                ),
            }
        )
        found = steps(viewings)
        assert found.row.tolist() == [3, 1, 2, 0]
        assert found.viewer.tolist() == [0, 0, 1, 1]
        assert found.account.tolist() == [0, 0, 0, 0]
        assert found.position.tolist() == [0, 1, 0, 1]
        assert found.title.tolist() == [1, 2, 0, 2]
        assert len(found.came) == len(found.left) == 3

    def test_steps_that_start_together_stand_in_title_order_whatever_the_order_of_rows(self):
        viewings = random_viewings(0).assign(started_at=pd.Timestamp("2024-03-01", tz="UTC"))
        there = steps(viewings)
        again = steps(viewings.sample(frac=1, random_state=1))
        assert_array_equal(there.title, again.title)
        assert (np.diff(there.title)[np.diff(there.viewer) == 0] >= 0).all()

    def test_a_series_stands_for_its_titles_and_a_title_without_one_for_itself(self):
        viewings = viewings_of("a" * 4, "xyxz").assign(series=["s", "s", "s", None])
        assert steps(viewings, by="series").title.tolist() == [0, 0, 0, 1]
        assert steps(viewings).title.tolist() == [0, 1, 0, 2]

    def test_whole_numbers_far_apart_are_numbered_anew(self):
        viewings = viewings_of([7, 7, 9], [10**15, 3, 10**15])
        found = steps(viewings)
        assert found.title.tolist() == [1, 0, 1]
        assert len(found.came) == 2

    def test_a_window_needs_a_zone(self):
        with pytest.raises(ValueError, match="`tz` must be given with `titles`"):
            steps(random_viewings(0), titles=windows(0))

    def test_a_zone_must_be_one(self):
        with pytest.raises(ValueError, match="`tz` must be the name of a time zone"):
            steps(random_viewings(0), titles=windows(0), tz="Mars")

    def test_a_title_needs_a_row_among_the_windows(self):
        with pytest.raises(ValueError, match="`titles` must have a row for every title"):
            steps(random_viewings(0), titles=windows(0).iloc[1:], tz="UTC")

    def test_a_day_is_that_of_the_zone_of_the_viewing(self):
        viewings = viewings_of("aab", "xyx").assign(zone=["UTC", "Asia/Tokyo", "UTC"])
        titles = pd.DataFrame({"title": ["x", "y"], "available_from": None}).assign(
            available_until=None
        )
        found = steps(viewings, titles=titles, tz="zone")
        # 20:00 in UTC is 05:00 of the next day in Tokyo.
        assert (found.day - 19_723).tolist() == [0, 2, 0]
        assert (steps(viewings, titles=titles, tz="UTC").day - 19_723).tolist() == [0, 1, 0]


class TestRepeatsOf:
    @pytest.mark.parametrize("n_weights", [1, 2, 7, 62, 63, 130])
    def test_agrees_with_a_slow_loop(self, n_weights):
        viewings = random_viewings(n_weights, n=600, viewers="abc", titles=range(60))
        found = steps(viewings)
        repeats = repeats_of(found, n_weights)
        rows, does, could = zip(*slow_repeats(viewings, n_weights), strict=True)
        assert found.row[repeats.step].tolist() == list(rows)
        assert lags(repeats.hits) == list(does)
        assert lags(repeats.candidates) == list(could)

    @pytest.mark.parametrize("tz", ["UTC", "America/New_York", "Asia/Tokyo"])
    @pytest.mark.parametrize("seed", range(4))
    def test_what_was_not_there_is_nothing_that_could_be_repeated(self, seed, tz):
        viewings, titles = random_viewings(seed), windows(seed)
        found = steps(viewings, titles=titles, tz=tz)
        repeats = repeats_of(found, 20)
        rows, does, could = zip(*slow_repeats(viewings, 20, titles, tz), strict=True)
        assert found.row[repeats.step].tolist() == list(rows)
        assert lags(repeats.hits) == list(does)
        assert lags(repeats.candidates) == list(could)

    def test_both_edges_of_a_window_are_days_on_which_a_title_is_there(self):
        viewings = viewings_of("aaa", "xxx")
        one_day = pd.DataFrame({"title": ["x"], "available_from": ["2024-01-02"]})
        for until, steps_found in (("2024-01-02", [1]), ("2024-01-03", [1, 2])):
            titles = one_day.assign(available_until=until)
            repeats = repeats_of(steps(viewings, titles=titles, tz="UTC"), 2)
            assert repeats.step.tolist() == steps_found

    def test_each_set_of_lags_stands_once(self):
        repeats = repeats_of(steps(random_viewings(1)), 20)
        for sets in (repeats.hits, repeats.candidates):
            assert len(np.unique(sets.matrix.toarray(), axis=0)) == sets.matrix.shape[0]
            counts = sets.counted()[1]
            assert counts.sum() == len(repeats.step)

    def test_some_may_be_taken_and_some_twice(self):
        repeats = repeats_of(steps(random_viewings(1)), 20)
        some = repeats.taken(np.array([3, 0, 3]))
        assert some.step.tolist() == repeats.step[[3, 0, 3]].tolist()
        assert lags(some.hits) == [lags(repeats.hits)[i] for i in (3, 0, 3)]
        assert lags(some.candidates) == [lags(repeats.candidates)[i] for i in (3, 0, 3)]
        assert some.hits.counted()[1].sum() == 3

    def test_no_viewings_no_repeats(self):
        repeats = repeats_of(steps(random_viewings(0).iloc[:0]), 5)
        assert len(repeats.step) == 0
        assert repeats.hits.matrix.shape == (0, 5)


class TestUsableRepeats:
    def test_counts_the_lag_at_which_each_title_was_watched_last(self):
        viewings = copying(1, weights=[3, 2, 1])
        _, repeats, n = usable_repeats(viewings, 3, "title", None, None)
        last = [does[0] for _, does, _ in slow_repeats(viewings, 3)]
        assert n.tolist() == [last.count(lag) for lag in (1, 2, 3)]
        assert n.sum() == len(repeats.step)

    @pytest.mark.parametrize(("times", "fine"), [(4, False), (5, True)])
    def test_five_repeats_at_a_lag_are_enough(self, times, fine):
        # Of 20 viewers each repeats at lag 1, and some once at lag 2 too.
        title = [t for v in range(20) for t in ("aabcb" if v < times else "aabcd")]
        viewings = viewings_of(np.repeat(np.arange(20), 5), title)
        if fine:
            assert usable_repeats(viewings, 2, "title", None, None)[2].tolist() == [20, 5]
        else:
            message = (
                "`viewings` must hold at least 5 repeats at each lag up to `n_weights`=2, "
                "found 4 at lag 2."
            )
            with pytest.raises(ValueError, match=re.escape(message)):
                usable_repeats(viewings, 2, "title", None, None)

    @pytest.mark.parametrize(("accounts", "fine"), [(19, False), (20, True)])
    def test_twenty_accounts_with_repeats_are_enough(self, accounts, fine):
        viewer = np.repeat(np.arange(25), 5)
        # Those who never repeat anything don't count.
        title = [t for v in range(25) for t in ("aabcb" if v < accounts + 3 else "vwxyz")]
        home = np.maximum(viewer - 3, 0)
        viewings = viewings_of(viewer, title, account=home)
        if fine:
            assert usable_repeats(viewings, 2, "title", None, None)[2].tolist() == [23, 23]
        else:
            with pytest.raises(ValueError, match="at least 20 accounts, found 19"):
                usable_repeats(viewings, 2, "title", None, None)

    @pytest.mark.parametrize("n_weights", [1, 0, 2.5, True])
    def test_refuses_what_is_no_number_of_weights(self, n_weights):
        with pytest.raises(ValueError, match="`n_weights` must be a whole number, 2 or more"):
            usable_repeats(copying(1, weights=[1, 1]), n_weights, "title", None, None)

    def test_refuses_another_unit(self):
        with pytest.raises(ValueError, match=r"`by` must be one of \['title', 'series'\]"):
            usable_repeats(copying(1, weights=[1, 1]), 2, "viewer", None, None)


class TestShuffled:
    def test_keeps_what_each_viewer_watched_and_how_often(self):
        found = steps(random_viewings(2))
        again = shuffled(found, np.random.default_rng(1))
        assert (again.title != found.title).any()
        for viewer in range(5):
            of = found.viewer == viewer
            assert sorted(found.title[of]) == sorted(again.title[of])

    def test_every_order_is_as_likely(self):
        found = steps(viewings_of("aaabbb", "xyzxyz"))
        rng = np.random.default_rng(1)
        orders = [tuple(shuffled(found, rng).title[:3]) for _ in range(3000)]
        counts = pd.Series(orders).value_counts()
        assert len(counts) == 6
        assert counts.between(400, 600).all()


def slow_copy(found, weights, chance):
    """The titles after each repeat has copied one of those before it, in plain loops."""
    is_repeat = set(repeats_of(found, len(weights)).step)
    title = found.title.tolist()
    for now in range(len(title)):
        if now not in is_repeat:
            continue
        could = []
        for lag, weight in enumerate(weights, 1):
            if lag <= found.position[now]:
                old = title[now - lag]
                if found.came[old] <= found.day[now] <= found.left[old]:
                    could.append((old, weight))
        total, upto = sum(weight for _, weight in could), 0.0
        for old, weight in could:
            upto += weight
            if upto > chance[now] * total:
                title[now] = old
                break
    return title


class TestCopied:
    @pytest.mark.parametrize("weights", [[1, 1, 1, 1], [0, 2, 0, 1], [5, 0, 0, 0], [0, 0, 0, 1]])
    @pytest.mark.parametrize("seed", range(3))
    def test_agrees_with_a_slow_loop(self, seed, weights):
        found = steps(random_viewings(seed), titles=windows(seed), tz="UTC")
        weights = np.array(weights, dtype="float64")
        title = copied(found, weights, np.random.default_rng(seed))
        chance = np.random.default_rng(seed).random(len(title))
        assert title.tolist() == slow_copy(found, weights, chance)
        assert (title != found.title).any()

    def test_a_repeat_copies_what_was_copied_before_it(self):
        found = steps(viewings_of("aaaa", "xyxy"))
        title = copied(found, np.array([1.0, 0.0]), np.random.default_rng(1))
        assert title.tolist() == [0, 1, 1, 1]

    def test_with_no_viewings_there_is_nothing_to_copy(self):
        found = steps(random_viewings(0).iloc[:0])
        assert copied(found, np.ones(3), np.random.default_rng(1)).tolist() == []


def slow_loglik(viewings, weights, titles=None):
    total = 0.0
    for _, does, could in slow_repeats(viewings, len(weights), titles):
        total += np.log(sum(weights[i - 1] for i in does) / sum(weights[i - 1] for i in could))
    return total


class TestLoglik:
    @pytest.mark.parametrize("seed", range(3))
    def test_agrees_with_a_slow_loop(self, seed):
        viewings, titles = random_viewings(seed), windows(seed)
        weights = np.random.default_rng(seed).random(20)
        repeats = repeats_of(steps(viewings, titles=titles, tz="UTC"), 20)
        assert_allclose(loglik(repeats, weights), slow_loglik(viewings, weights, titles))

    def test_only_proportions_matter(self):
        repeats = repeats_of(steps(random_viewings(1)), 5)
        weights = np.array([5.0, 4.0, 3.0, 2.0, 1.0])
        assert_allclose(loglik(repeats, weights), loglik(repeats, weights * 7))

    def test_what_weighs_nothing_never_happens(self):
        repeats = repeats_of(steps(viewings_of("aaabb", "xyxxx")), 2)
        assert loglik(repeats, np.array([0.0, 1.0])) == -np.inf
        assert loglik(repeats, np.array([1.0, 0.0])) == -np.inf
        # The one repeat of b could only have been of lag 1.
        assert loglik(repeats.taken(np.array([1])), np.array([0.0, 1.0])) == -np.inf
        assert loglik(repeats.taken(np.array([0])), np.array([0.0, 1.0])) == 0

    def test_the_chances_of_the_slides_history(self):
        case = CASES["copy-slides"]
        weights = 1 / np.arange(1, 13)
        for item, chance in case["chances"].items():
            history = case["history"] + item
            repeats = repeats_of(steps(viewings_of("u" * len(history), history)), 12)
            assert repeats.step[-1] == 12
            last = loglik(repeats.taken(np.array([len(repeats.step) - 1])), weights)
            assert_allclose(np.exp(last), chance / case["out_of"])
        assert sum(case["chances"].values()) == case["out_of"]


class TestFitWeights:
    @pytest.mark.parametrize("seed", range(3))
    def test_no_other_weights_are_more_likely(self, seed):
        viewings, titles = random_viewings(seed, n=600), windows(seed)
        repeats = repeats_of(steps(viewings, titles=titles, tz="UTC"), 8)
        weights = fit_weights(repeats)
        assert_allclose(weights.sum(), 1)

        def fall(logs):
            return -loglik(repeats, np.exp(logs))

        best = optimize.minimize(fall, np.zeros(8), method="L-BFGS-B", options={"ftol": 1e-14})
        assert loglik(repeats, weights) > -best.fun - 1e-5
        logs = np.log(weights) - np.log(weights).mean()
        assert_allclose(logs, best.x - best.x.mean(), atol=2e-3)

    @pytest.mark.parametrize(
        "weights",
        [[8, 4, 2, 1, 1, 1], [1, 1, 1, 1, 1, 1], [1, 2, 3, 4, 5, 6], [5, 0, 1, 0, 1, 0]],
    )
    def test_planted_weights_are_recovered(self, weights):
        viewings = copying(3, weights=weights, viewers=150)
        found = fit_weights(repeats_of(steps(viewings), 6))
        # About 6,000 repeats, so that a weight is known to a hundredth or so.
        assert_allclose(found, np.array(weights) / sum(weights), atol=0.025)

    def test_a_lag_that_is_never_repeated_weighs_nothing(self):
        viewings = copying(3, weights=[1, 0, 1], viewers=100, novelty=0.7)
        repeats = repeats_of(steps(viewings), 3)
        only = np.flatnonzero(repeats.hits.matrix.toarray()[repeats.hits.index, 1] == 0)
        weights = fit_weights(repeats.taken(only))
        assert weights[1] == 0
        assert_allclose(weights[[0, 2]], 0.5, atol=0.05)

    def test_a_lag_that_nobody_could_repeat_weighs_nothing(self):
        repeats = repeats_of(steps(viewings_of("aabb", "xxyy")), 2)
        assert fit_weights(repeats).tolist() == [1, 0]

    def test_only_the_order_of_time_matters(self):
        viewings = random_viewings(4)
        weights = fit_weights(repeats_of(steps(viewings), 10))
        moved = viewings["started_at"] + pd.Timedelta(days=400)
        stretched = moved.iloc[0] + (moved - moved.iloc[0]) * 3
        for other in (
            viewings.assign(started_at=moved),
            viewings.assign(started_at=stretched),
            viewings.sample(frac=1, random_state=1),
            viewings.assign(title=viewings["title"].str.upper(), viewer="v" + viewings["viewer"]),
        ):
            assert_allclose(fit_weights(repeats_of(steps(other), 10)), weights, rtol=1e-10)

    def test_two_viewers_do_not_touch(self):
        viewings = pd.concat([viewings_of("aaa", "xyz"), viewings_of("bbb", "zyx")])
        assert len(repeats_of(steps(viewings), 5).step) == 0


class TestFitDecay:
    @pytest.mark.parametrize(
        ("exponent", "rate", "offset"),
        [(1.2, 0.02, 0.5), (0.8, 0.1, 0.0), (0.0, 0.2, 0.0), (1.5, 0.0, 3.0)],
    )
    def test_a_planted_law_is_recovered(self, exponent, rate, offset):
        truth = decaying(exponent, rate, offset, 25)
        repeats = repeats_of(steps(copying(5, weights=truth, viewers=150)), 25)
        found = fit_decay(repeats, offset)
        # Of about 6,000 repeats.
        assert_allclose(found, [exponent, rate], atol=0.1)
        assert_allclose(decaying(*found, offset, 25), truth, atol=0.015)

    @pytest.mark.parametrize("offset", [0, 0.3, 5])
    @pytest.mark.parametrize("seed", range(3))
    def test_no_other_law_is_more_likely(self, seed, offset):
        weights = np.random.default_rng(seed).random(10) * np.arange(10, 0, -1)
        repeats = repeats_of(steps(copying(seed, weights=weights)), 10)

        def fall(params):
            return -loglik(repeats, decaying(*params, offset, 10))

        found = fit_decay(repeats, offset)
        grid = [(slice(0, 4, 0.2)), (slice(0, 0.8, 0.04))]
        start = optimize.brute(fall, grid, finish=None)
        best = optimize.minimize(fall, start, bounds=[(0, None)] * 2, method="Nelder-Mead")
        assert fall(found) < best.fun + 1e-4
        assert_allclose(found, best.x, atol=2e-3)

    def test_weights_that_rise_give_neither_exponent_nor_rate(self):
        repeats = repeats_of(steps(copying(1, weights=[1, 2, 4, 8])), 4)
        assert fit_decay(repeats, 0).tolist() == [0, 0]

    def test_the_law_by_hand(self):
        assert_allclose(
            decaying(2, 0.1, 0.5, 2),
            np.array([1.5**-2 * np.exp(-0.1), 2.5**-2 * np.exp(-0.2)])
            / (1.5**-2 * np.exp(-0.1) + 2.5**-2 * np.exp(-0.2)),
        )
