"""Who came back, beside a slow count, and shrunken rates beside another way to fit them."""

import random

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy import optimize, stats

from toolkit.intervals import cluster_bootstrap, wilson
from toolkit.rewatched import (
    find_rewatched,
    pooled_rewatch_rate,
    rewatch_rates,
    shrink_rates,
)
from toolkit.viewings import to_viewings


def viewings_of(*rows, **columns):
    """Viewings of (viewer, title, finished, rewatch)."""
    viewer, title, complete, again = zip(*rows, strict=True)
    base = {
        "viewer": pd.Categorical(viewer),
        "title": pd.Categorical(title),
        "is_complete": pd.array(complete, dtype="boolean"),
        "is_rewatch": pd.array(again, dtype="boolean"),
    }
    return pd.DataFrame(base | columns)


def random_viewings(seed, n=30):
    rng = random.Random(seed)
    homes = {"a": "h1", "b": "h1", "c": "h2", "d": "h3", "e": "h4", "f": "h4"}
    series = {"w": None, "x": "s", "y": "s", "z": None}
    known = [True, False, False, None]
    rows = [
        (rng.choice("abcdef"), rng.choice("wxyz"), rng.choice(known), rng.choice(known))
        for _ in range(n)
    ]
    account = pd.Categorical([homes[row[0]] for row in rows])
    return viewings_of(
        *rows, account=account, series=pd.Categorical([series[row[1]] for row in rows])
    )


class TestFindRewatched:
    def test_who_finished_has_a_row_that_says_whether_they_came_back(self):
        viewings = viewings_of(
            ("bob", "Heat", True, False),
            ("ann", "Heat", True, False),
            ("ann", "Heat", False, True),
            ("ann", "Alien", False, False),
            ("cleo", "Alien", True, False),
        )
        expected = pd.DataFrame(
            {
                "title": pd.Categorical(["Alien", "Heat", "Heat"]),
                "account": pd.Categorical(["cleo", "ann", "bob"], ["ann", "bob", "cleo"]),
                "is_rewatched": [False, True, False],
            }
        )
        assert_frame_equal(find_rewatched(viewings), expected)

    @pytest.mark.parametrize("by", ["title", "series"])
    @pytest.mark.parametrize("seed", range(6))
    def test_agrees_with_a_slow_count(self, by, seed):
        viewings = random_viewings(seed)
        finished, again = set(), set()
        for row in viewings.itertuples():
            unit = row.series if by == "series" and isinstance(row.series, str) else row.title
            if row.is_complete is not pd.NA and row.is_complete:
                finished.add((unit, row.account))
            if row.is_rewatch is not pd.NA and row.is_rewatch:
                again.add((unit, row.account))
        found = find_rewatched(viewings, by=by)
        assert list(found) == [by, "account", "is_rewatched"]
        assert list(found.itertuples(index=False, name=None)) == [
            (*pair, pair in again) for pair in sorted(finished)
        ]

    def test_profiles_of_one_account_are_one_person(self):
        viewings = viewings_of(
            ("ann", "Heat", True, False), ("bob", "Heat", True, False), ("bob", "Heat", True, True)
        )
        assert find_rewatched(viewings)["is_rewatched"].tolist() == [False, True]
        home = viewings.assign(account="home")
        assert find_rewatched(home)["is_rewatched"].tolist() == [True]

    def test_what_is_not_known_counts_for_nothing(self):
        viewings = viewings_of(("ann", "Heat", None, False), ("ann", "Heat", None, None))
        assert find_rewatched(viewings).empty
        half = viewings_of(("ann", "Heat", True, False), ("ann", "Heat", False, None))
        assert find_rewatched(half)["is_rewatched"].tolist() == [False]

    def test_coming_back_without_a_finish_in_the_table_counts_for_nothing(self):
        assert find_rewatched(viewings_of(("ann", "Heat", False, True))).empty

    def test_whole_numbers_and_plain_columns_serve_too(self):
        viewings = pd.DataFrame(
            {"viewer": [7, 5], "title": [1, 1], "is_complete": True, "is_rewatch": [True, False]}
        )
        found = find_rewatched(viewings)
        assert found.to_numpy().tolist() == [[1, 5, False], [1, 7, True]]

    def test_takes_what_to_viewings_gives(self):
        plays = pd.DataFrame(
            {
                "viewer": "ann",
                "title": ["Heat", "Heat", "Up"],
                "started_at": pd.to_datetime(
                    ["2024-03-01 20:00Z", "2024-03-02 20:00Z", "2024-03-03 20:00Z"]
                ),
                "watched_seconds": 9500.0,
                "runtime_seconds": 10_000.0,
            }
        )
        assert find_rewatched(to_viewings(plays))["is_rewatched"].tolist() == [True, False]

    def test_refuses(self):
        viewings = random_viewings(0)
        with pytest.raises(ValueError, match=r"`by` must be one of \['title', 'series'\]"):
            find_rewatched(viewings, by="account")
        for name in ("viewer", "title", "is_complete", "is_rewatch"):
            with pytest.raises(ValueError, match=rf"`viewings` must have .*missing \['{name}'\]"):
                find_rewatched(viewings.drop(columns=name))
        with pytest.raises(TypeError, match="`viewings` must be a pandas DataFrame"):
            find_rewatched(viewings.to_numpy())
        for name in ("account", "title"):
            gone = viewings.assign(**{name: viewings[name].where(viewings["viewer"] != "c")})
            with pytest.raises(ValueError, match=f"`{name}` must be there on every row"):
                find_rewatched(gone)


class TestRewatchRates:
    def test_is_the_share_of_people_who_finished_that_came_back(self):
        viewings = viewings_of(
            ("ann", "Heat", True, False),
            ("ann", "Heat", False, True),
            ("ann", "Heat", True, True),
            ("bob", "Heat", True, False),
            ("cleo", "Heat", False, False),
            ("cleo", "Up", True, False),
        )
        low, high = wilson([1, 0], [2, 1])
        expected = pd.DataFrame(
            {
                "title": pd.Categorical(["Heat", "Up"]),
                "people": [2, 1],
                "people_again": [1, 0],
                "rate": [0.5, 0.0],
                "low": low,
                "high": high,
            }
        )
        assert_frame_equal(rewatch_rates(viewings), expected)

    @pytest.mark.parametrize("by", ["title", "series"])
    @pytest.mark.parametrize("seed", range(3))
    def test_sums_up_who_came_back(self, by, seed):
        found = find_rewatched(random_viewings(seed), by=by)
        rates = rewatch_rates(random_viewings(seed), by=by, confidence=0.8)
        for row in rates.itertuples(index=False):
            own = found.loc[found[by] == row[0], "is_rewatched"]
            low, high = wilson(own.sum(), len(own), confidence=0.8)
            assert row[1:] == (len(own), own.sum(), own.mean(), low, high)
        assert rates[by].tolist() == sorted(set(found[by]))

    def test_nothing_known_gives_no_rows(self):
        viewings = viewings_of(("ann", "Heat", None, None))
        assert_frame_equal(
            rewatch_rates(viewings), rewatch_rates(random_viewings(0)).iloc[:0],
            check_categorical=False,
        )  # fmt: skip

    def test_refuses_a_confidence_outside_of_0_and_1(self):
        with pytest.raises(ValueError, match=r"`confidence` must lie in \(0, 1\), got 1"):
            rewatch_rates(random_viewings(0), confidence=1)


def many_viewings(n_people=60, n=900):
    """Viewings of many people, of whom some come back to much and others to nothing."""
    rng = np.random.default_rng(1)
    viewer, title = rng.integers(0, n_people, n), rng.integers(0, 12, n)
    again = rng.random(n) < np.where(viewer % 3 == 0, 0.5, 0.05)
    return pd.DataFrame(
        {"viewer": viewer, "title": title, "is_complete": True, "is_rewatch": again}
    ).assign(series=pd.Series(title // 4))


class TestPooledRewatchRate:
    @pytest.mark.parametrize("by", ["title", "series"])
    def test_is_the_share_of_all_that_people_finished(self, by):
        viewings = many_viewings()
        found = find_rewatched(viewings, by=by)
        pooled = pooled_rewatch_rate(viewings, by=by, seed=1, n_bootstrap=50)
        assert list(pooled) == ["people", "n_finished", "n_again", "rate", "low", "high"]
        row = pooled.iloc[0]
        assert row["people"] == found["account"].nunique() == 60
        assert row["n_finished"] == len(found)
        assert row["n_again"] == found["is_rewatched"].sum()
        assert row["rate"] == found["is_rewatched"].mean()
        assert row["low"] < row["rate"] < row["high"]

    def test_has_the_interval_of_a_bootstrap_of_whole_people(self):
        viewings = many_viewings()
        rows = cluster_bootstrap(
            find_rewatched(viewings).sort_values("account"),
            lambda some: some["is_rewatched"].mean(),
            seed=2,
            n_bootstrap=300,
            confidence=0.8,
        )
        pooled = pooled_rewatch_rate(viewings, seed=2, n_bootstrap=300, confidence=0.8)
        np.testing.assert_allclose(pooled[["low", "high"]], rows[["low", "high"]])
        # A binomial one would be too short.
        low, high = wilson(pooled["n_again"], pooled["n_finished"], confidence=0.8)
        assert (pooled["high"] - pooled["low"] > 1.3 * (high - low)).all()

    def test_who_finished_nothing_is_not_among_the_people(self):
        viewings = many_viewings().astype({"viewer": "category"})
        idle = viewings.assign(is_complete=viewings["is_complete"] & (viewings["viewer"] != 7))
        assert pooled_rewatch_rate(idle, seed=1, n_bootstrap=5)["people"].iloc[0] == 59

    def test_draws_people_a_thousand_times_for_95_percent_if_not_told(self):
        told = pooled_rewatch_rate(many_viewings(), seed=1, n_bootstrap=1000, confidence=0.95)
        assert_frame_equal(pooled_rewatch_rate(many_viewings(), seed=1), told)

    @pytest.mark.parametrize(("n_people", "enough"), [(19, False), (20, True)])
    def test_needs_twenty_people(self, n_people, enough):
        viewings = many_viewings(n_people)
        if enough:
            assert len(pooled_rewatch_rate(viewings, seed=1, n_bootstrap=5)) == 1
        else:
            with pytest.raises(ValueError, match=r"`viewings` must hold at least 20 .* found 19"):
                pooled_rewatch_rate(viewings, seed=1)

    def test_order_does_not_matter_and_the_input_stays(self):
        viewings = many_viewings()
        shuffled = viewings.sample(frac=1, random_state=1)
        before = shuffled.copy(deep=True)
        pooled = pooled_rewatch_rate(shuffled, seed=1, n_bootstrap=20)
        assert_frame_equal(pooled, pooled_rewatch_rate(viewings, seed=1, n_bootstrap=20))
        assert_frame_equal(shuffled, before)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"seed": -1}, "`seed` must be a whole number"),
            ({"n_bootstrap": 0}, "`n_bootstrap` must be a whole number, 1 or more"),
            ({"confidence": 0}, r"`confidence` must lie in \(0, 1\)"),
            ({"by": "account"}, "`by` must be one of"),
        ],
    )
    def test_refuses(self, options, said):
        with pytest.raises(ValueError, match=said):
            pooled_rewatch_rate(many_viewings(), **{"seed": 1} | options)


@pytest.mark.parametrize(
    "measure",
    [
        find_rewatched,
        lambda viewings: find_rewatched(viewings, by="series"),
        rewatch_rates,
        lambda viewings: rewatch_rates(viewings, by="series"),
    ],
)
class TestWhateverIsMeasured:
    def test_order_does_not_matter_and_the_input_stays(self, measure):
        viewings = random_viewings(3)
        shuffled = viewings.sample(frac=1, random_state=1)
        before = shuffled.copy(deep=True)
        assert_frame_equal(measure(shuffled), measure(viewings))
        assert_frame_equal(shuffled, before)

    def test_a_row_that_comes_twice_counts_once(self, measure):
        viewings = random_viewings(4)
        assert_frame_equal(measure(pd.concat([viewings, viewings])), measure(viewings))

    def test_empty_in_the_same_columns_out(self, measure):
        viewings = random_viewings(5)
        none = measure(viewings.iloc[:0])
        assert len(none) == 0
        assert_frame_equal(none, measure(viewings).iloc[:0], check_categorical=False)


def test_splitting_by_account_changes_nobody():
    viewings = random_viewings(6)
    parts = [find_rewatched(rows) for _, rows in viewings.groupby("account", observed=True)]
    parts = pd.concat(parts).sort_values(["title", "account"], ignore_index=True)
    assert_frame_equal(parts, find_rewatched(viewings))


def simulated_rates(seed, a=2.0, b=6.0, n_titles=300):
    rng = np.random.default_rng(seed)
    people = rng.integers(1, 60, n_titles)
    rate = rng.beta(a, b, n_titles)
    again = rng.binomial(people, rate)
    return pd.DataFrame({"people": people, "people_again": again}), rate


def slow_fit(rates):
    """The most likely a and b by another parameterisation and method."""
    k, n = rates["people_again"].to_numpy(), rates["people"].to_numpy()

    def loss(logs):
        return -stats.betabinom.logpmf(k, n, *np.exp(logs)).sum()

    options = {"xatol": 1e-9, "fatol": 1e-9, "maxiter": 5000}
    return np.exp(optimize.minimize(loss, [0, 1], method="Nelder-Mead", options=options).x)


class TestShrinkRates:
    def test_adds_three_columns_to_the_rows_as_they_are(self):
        rates, _ = simulated_rates(1)
        rates = rates.assign(title=np.arange(len(rates))).sample(frac=1, random_state=1)
        before = rates.copy(deep=True)
        shrunk = shrink_rates(rates)
        assert_frame_equal(shrunk[list(rates)], before)
        assert list(shrunk)[3:] == ["shrunk", "shrunk_low", "shrunk_high"]
        assert_frame_equal(rates, before)

    @pytest.mark.parametrize("seed", range(4))
    def test_is_the_posterior_of_the_most_likely_beta_distribution(self, seed):
        rates, _ = simulated_rates(seed, *[(2.0, 6.0), (7.0, 2.0)][seed % 2])
        a, b = slow_fit(rates)
        k, n = rates["people_again"], rates["people"]
        shrunk = shrink_rates(rates, confidence=0.8)
        np.testing.assert_allclose(shrunk["shrunk"], (a + k) / (a + b + n), rtol=1e-4)
        low, high = stats.beta.interval(0.8, a + k, b + n - k)
        np.testing.assert_allclose(shrunk["shrunk_low"], low, rtol=1e-3)
        np.testing.assert_allclose(shrunk["shrunk_high"], high, rtol=1e-3)

    def test_lies_nearer_to_the_truth_and_covers_it(self):
        drawn = [simulated_rates(seed, n_titles=1000) for seed in range(3)]
        for rates, truth in drawn:
            shrunk, own = shrink_rates(rates), rates["people_again"] / rates["people"]
            assert ((shrunk["shrunk"] - truth) ** 2).mean() < 0.7 * ((own - truth) ** 2).mean()
            covers = (shrunk["shrunk_low"] <= truth) & (truth <= shrunk["shrunk_high"])
            assert 0.93 < covers.mean() < 0.97

    def test_few_people_move_it_less_than_many(self):
        rates, _ = simulated_rates(2)
        extra = pd.DataFrame({"people": [2, 200], "people_again": [2, 200]})
        two, many = shrink_rates(pd.concat([rates, extra]))["shrunk"].iloc[-2:]
        assert two < 0.5 < 0.9 < many < 1

    def test_of_a_title_that_nobody_finished_all_titles_speak(self):
        rates, _ = simulated_rates(3)
        nobody = pd.DataFrame({"people": [0], "people_again": [0]})
        shrunk = shrink_rates(pd.concat([rates, nobody], ignore_index=True))
        a, b = slow_fit(rates)
        assert shrunk["shrunk"].iloc[-1] == pytest.approx(a / (a + b), rel=1e-4)
        assert_frame_equal(shrunk.iloc[:-1], shrink_rates(rates))

    @pytest.mark.parametrize(("n_titles", "enough"), [(9, False), (10, True)])
    def test_needs_ten_titles_that_someone_finished(self, n_titles, enough):
        rates = pd.DataFrame({"people": 50, "people_again": np.arange(1, n_titles + 1) * 4})
        rates = pd.concat([rates, pd.DataFrame({"people": [0], "people_again": [0]})])
        if enough:
            assert len(shrink_rates(rates)) == n_titles + 1
        else:
            with pytest.raises(ValueError, match="`rates` must hold at least 10 titles"):
                shrink_rates(rates)

    @pytest.mark.parametrize(("again", "said"), [(0, "0 of 100"), (10, "100 of 100")])
    def test_refuses_people_who_are_all_alike(self, again, said):
        rates = pd.DataFrame({"people": [10] * 10, "people_again": [again] * 10})
        with pytest.raises(ValueError, match=f"`rates` must hold people who .* {said} who did"):
            shrink_rates(rates)

    @pytest.mark.parametrize("again", [[5] * 20, [4, 5, 5, 6] * 5])
    def test_refuses_rates_that_differ_no_more_than_chance_makes_them(self, again):
        rates = pd.DataFrame({"people": 10, "people_again": again})
        with pytest.raises(ValueError, match=r"must differ by more than chance .* one rate, 0\.5"):
            shrink_rates(rates)

    def test_titles_that_all_or_none_come_back_to_are_as_far_apart_as_can_be(self):
        rates = pd.DataFrame({"people": 10, "people_again": [0, 10] * 10})
        shrunk = shrink_rates(rates)["shrunk"]
        assert shrunk.iloc[0] < 0.01 < 0.99 < shrunk.iloc[1]

    def test_refuses(self):
        rates, _ = simulated_rates(0)
        for name in ("people", "people_again"):
            with pytest.raises(ValueError, match=rf"`rates` must have .*missing \['{name}'\]"):
                shrink_rates(rates.drop(columns=name))
        with pytest.raises(ValueError, match="`k` must not exceed `n`"):
            shrink_rates(rates.assign(people_again=rates["people"] + 1))
        for confidence in (0, 1, float("nan")):
            with pytest.raises(ValueError, match=r"`confidence` must lie in \(0, 1\)"):
                shrink_rates(rates, confidence=confidence)
