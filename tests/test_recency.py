"""Recency weights, their law and their null: what is planted comes back, what is not does not."""

import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal

from tests.histories import copying, viewings_of
from toolkit.copying import copied, decaying, fit_decay, fit_weights, repeats_of, shuffled, steps_of
from toolkit.recency import fit_recency, recency_weights, simulate_repeats

FALLING = [4, 2, 1]
QUICK = {"n_weights": 3, "seed": 1, "n_bootstrap": 5, "n_shuffles": 3}


def windows_of(viewings, first, last):
    titles = pd.DataFrame({"title": sorted(viewings["title"].unique())})
    return titles.assign(available_from=pd.Timestamp(first), available_until=pd.Timestamp(last))


class TestRecencyWeights:
    def test_planted_weights_lie_within_their_intervals_and_beyond_their_null(self):
        viewings = copying(2, weights=FALLING, viewers=100)
        weights = recency_weights(viewings, n_weights=3, seed=1)
        truth = np.array(FALLING) / sum(FALLING)
        assert weights["low"].lt(truth).all()
        assert weights["high"].gt(truth).all()
        assert_allclose(weights["weight"], truth, atol=0.03)
        assert weights["weight"].sum() == pytest.approx(1)
        # The first weight lies above what a random order gives, the last one below.
        assert weights["low"][0] > weights["null_high"][0]
        assert weights["high"][2] < weights["null_low"][2]

    def test_the_table(self):
        weights = recency_weights(copying(2, weights=FALLING), **QUICK | {"n_bootstrap": 50})
        assert list(weights) == [
            "lag", "weight", "low", "high", "null", "null_low", "null_high", "n",
        ]  # fmt: skip
        assert weights["lag"].tolist() == [1, 2, 3]
        assert weights["n"].dtype == "int64"
        for low, middle, high in (("low", "weight", "high"), ("null_low", "null", "null_high")):
            assert (weights[low] <= weights[middle]).all()
            assert (weights[middle] <= weights[high]).all()

    def test_a_history_without_order_has_equal_weights_and_so_has_every_shuffle(self):
        # Four titles, one of them a favourite, at random: no recency, whatever the repeats.
        rng = np.random.default_rng(3)
        title = rng.choice(4, size=200 * 40, p=[0.4, 0.2, 0.2, 0.2])
        viewings = viewings_of(np.repeat(np.arange(200), 40), title)
        weights = recency_weights(viewings, n_weights=5, seed=1, n_shuffles=100)
        assert_allclose(weights["null"], 0.2, atol=0.004)
        for name in ("", "null_"):
            assert weights[f"{name}low"].lt(0.2).all()
            assert weights[f"{name}high"].gt(0.2).all()

    def test_the_null_is_that_of_shuffles_with_a_seed_each(self):
        viewings = copying(2, weights=FALLING)
        weights = recency_weights(viewings, **QUICK, confidence=0.5)
        steps = steps_of(viewings, by="title", titles=None, tz=None)
        null = [
            fit_weights(repeats_of(shuffled(steps, np.random.default_rng([1, n])), 3))
            for n in (1, 2, 3)
        ]
        assert_allclose(weights["null"], np.mean(null, axis=0))
        assert_allclose(weights["null_low"], np.quantile(null, 0.25, axis=0))
        assert_allclose(weights["null_high"], np.quantile(null, 0.75, axis=0))
        assert_allclose(weights["weight"], fit_weights(repeats_of(steps, 3)))

    def test_accounts_are_what_is_drawn_anew(self):
        viewings = copying(2, weights=FALLING, viewers=80)
        alone = recency_weights(viewings, n_weights=3, seed=1, n_shuffles=1)
        # Each viewer once more under the same account: no more people than before.
        twin = viewings.assign(viewer=viewings["viewer"] + 1000)
        both = pd.concat([viewings, twin]).assign(account=lambda all: all["viewer"] % 1000)
        again = recency_weights(both, n_weights=3, seed=1, n_shuffles=1)
        assert_allclose(again["weight"], alone["weight"], atol=1e-3)
        width = (again["high"] - again["low"]) / (alone["high"] - alone["low"])
        assert width.between(0.9, 1.1).all()
        assert again["n"].tolist() == (2 * alone["n"]).tolist()

    def test_less_confidence_is_a_shorter_interval(self):
        viewings = copying(2, weights=FALLING)
        wide = recency_weights(viewings, n_weights=3, seed=1, n_shuffles=1)
        short = recency_weights(viewings, n_weights=3, seed=1, n_shuffles=1, confidence=0.5)
        assert (short["high"] - short["low"] < (wide["high"] - wide["low"]) / 2).all()

    def test_what_could_not_be_watched_is_no_candidate(self):
        # Two titles in turn; a third, between them, is there on the first day only.
        title = [t for _ in range(30) for t in ("x", "gone", "y", "x", "y", "y", "x", "x")]
        viewings = viewings_of(np.repeat(np.arange(30), 8), title)
        titles = windows_of(viewings, "2024-01-01", "2024-12-31")
        titles.loc[titles["title"] == "gone", "available_until"] = pd.Timestamp("2024-01-02")
        there = recency_weights(viewings, **QUICK, titles=titles, tz="UTC")
        always = recency_weights(viewings, **QUICK)
        assert there["n"].tolist() == always["n"].tolist()
        steps = steps_of(viewings, by="title", titles=titles, tz="UTC")
        assert_allclose(there["weight"], fit_weights(repeats_of(steps, 3)))
        assert (there["weight"] - always["weight"]).abs().max() > 0.01

    def test_with_series_any_of_its_titles_repeats_it(self):
        viewings = copying(2, weights=FALLING)
        episode = np.arange(len(viewings))
        series = viewings.assign(series=viewings["title"].astype("str"), title=episode)
        by_series = recency_weights(series, by="series", **QUICK)
        assert_allclose(by_series["weight"], recency_weights(viewings, **QUICK)["weight"])

    def test_few_accounts_lags_and_repeats_are_refused(self):
        viewings = copying(2, weights=FALLING, viewers=19)
        with pytest.raises(ValueError, match="at least 20 accounts, found 19"):
            recency_weights(viewings, n_weights=3, seed=1)
        with pytest.raises(ValueError, match="at least 5 repeats at each lag"):
            recency_weights(viewings.iloc[:0], n_weights=3, seed=1)

    def test_a_shuffle_that_leaves_no_repeat_is_refused(self):
        # Each repeats twice among 2,000 titles: in another order hardly ever.
        title = [t for v in range(20) for t in [*"aabcb", *(f"{v}-{i}" for i in range(2000))]]
        viewings = viewings_of(np.repeat(np.arange(20), 2005), title)
        message = (
            "`viewings` must leave repeats where each history is shuffled, found a shuffle that "
            "has none within `n_weights`=2 steps."
        )
        with pytest.raises(ValueError, match=re.escape(message)):
            recency_weights(viewings, n_weights=2, seed=1, n_bootstrap=1, n_shuffles=20)

    @pytest.mark.parametrize(
        ("wrong", "match"),
        [
            ({"seed": -1}, "`seed` must be a whole number, 0 or more"),
            ({"n_bootstrap": 0}, "`n_bootstrap` must be a whole number, 1 or more"),
            ({"n_shuffles": 0}, "`n_shuffles` must be a whole number, 1 or more"),
            ({"confidence": 1}, "`confidence`"),
            ({"n_weights": 1}, "`n_weights` must be a whole number, 2 or more"),
            ({"by": "show"}, "`by` must be one of"),
        ],
    )
    def test_refuses(self, wrong, match):
        with pytest.raises(ValueError, match=match):
            recency_weights(copying(2, weights=FALLING), **QUICK | wrong)


class TestFitRecency:
    @pytest.mark.parametrize("offset", [0, 1])
    def test_a_planted_law_lies_within_its_intervals(self, offset):
        truth = decaying(1.0, 0.05, offset, 20)
        viewings = copying(3, weights=truth, viewers=100)
        law = fit_recency(viewings, n_weights=20, seed=1, n_bootstrap=100, offset=offset)
        assert list(law) == ["term", "estimate", "low", "high"]
        assert law["term"].tolist() == ["exponent", "rate"]
        assert law["low"].lt([1.0, 0.05]).all()
        assert law["high"].gt([1.0, 0.05]).all()
        assert (law["high"] - law["low"] < [0.45, 0.08]).all()

    def test_it_is_fitted_to_the_repeats(self):
        viewings = copying(3, weights=FALLING)
        steps = steps_of(viewings, by="title", titles=None, tz=None)
        law = fit_recency(viewings, n_weights=3, seed=1, n_bootstrap=1)
        assert_allclose(law["estimate"], fit_decay(repeats_of(steps, 3), 0))

    @pytest.mark.parametrize("offset", [-0.1, np.inf, np.nan])
    def test_refuses_an_offset_below_0(self, offset):
        with pytest.raises(ValueError, match="`offset` must be 0 or more"):
            fit_recency(copying(3, weights=FALLING), n_weights=3, seed=1, offset=offset)

    def test_refuses_what_weights_refuse(self):
        viewings = copying(2, weights=FALLING, viewers=19)
        with pytest.raises(ValueError, match="at least 20 accounts, found 19"):
            fit_recency(viewings, n_weights=3, seed=1)
        with pytest.raises(ValueError, match="`seed`"):
            fit_recency(copying(2, weights=FALLING), n_weights=3, seed=-1)


@pytest.mark.parametrize(
    "measure",
    [
        lambda viewings, **given: recency_weights(viewings, **QUICK | given),
        lambda viewings, **given: fit_recency(
            viewings, **{"n_weights": 3, "seed": 1, "n_bootstrap": 5} | given
        ),
    ],
)
class TestWhateverIsEstimated:
    def test_order_does_not_matter_and_the_input_stays(self, measure):
        viewings = copying(4, weights=FALLING)
        mixed = viewings.sample(frac=1, random_state=1)
        before = mixed.copy(deep=True)
        assert_frame_equal(measure(mixed), measure(viewings))
        assert_frame_equal(mixed, before)

    def test_time_and_zone_do_not_matter(self, measure):
        viewings = copying(4, weights=FALLING)
        later = viewings["started_at"] + pd.Timedelta(days=300)
        moved = viewings.assign(started_at=later.dt.tz_convert("Asia/Tokyo"))
        assert_frame_equal(measure(moved, tz="Asia/Tokyo"), measure(viewings))

    def test_the_same_seed_gives_the_same_and_another_does_not(self, measure):
        viewings = copying(4, weights=FALLING)
        assert_frame_equal(measure(viewings), measure(viewings))
        other = measure(viewings, seed=2)
        assert not other.equals(measure(viewings))

    def test_a_seed_is_needed(self, measure):
        with pytest.raises(TypeError, match="seed"):
            recency_weights(copying(4, weights=FALLING))
        with pytest.raises(TypeError, match="seed"):
            fit_recency(copying(4, weights=FALLING))

    @pytest.mark.parametrize("column", ["viewer", "title", "started_at"])
    def test_a_missing_column_is_named(self, measure, column):
        viewings = copying(4, weights=FALLING).drop(columns=column)
        with pytest.raises(ValueError, match=f"missing \\['{column}'\\]"):
            measure(viewings)

    def test_windows_need_a_zone(self, measure):
        viewings = copying(4, weights=FALLING)
        titles = windows_of(viewings, "2024-01-01", "2024-12-31")
        with pytest.raises(ValueError, match="`tz` must be given with `titles`"):
            measure(viewings, titles=titles)
        assert_frame_equal(measure(viewings, titles=titles, tz="UTC"), measure(viewings))


def test_by_default_50_steps_are_looked_back():
    viewings = copying(4, weights=[1] * 50, steps=150)
    for function, few in ((recency_weights, {"n_shuffles": 1}), (fit_recency, {})):
        few = few | {"seed": 1, "n_bootstrap": 2}
        looked_back = function(viewings, n_weights=50, **few)
        assert_frame_equal(function(viewings, **few), looked_back)


class TestSimulateRepeats:
    def test_each_repeat_copies_and_everything_else_stays(self):
        viewings = viewings_of("aaaaab", "xyxyzx")
        weights = pd.DataFrame({"lag": [1, 2], "weight": [1.0, 0.0]})
        simulated = simulate_repeats(viewings, weights, seed=1)
        expected = pd.DataFrame(
            {
                "viewer": pd.Categorical(list("aaaaab")),
                "account": pd.Categorical(list("aaaaab")),
                "title": pd.Categorical(list("xyyyzx")),
                "started_at": viewings["started_at"],
                "ended_at": viewings["ended_at"],
            }
        )
        assert_frame_equal(simulated, expected)

    def test_the_weights_come_back(self):
        viewings = copying(5, weights=[1, 1, 1], viewers=100)
        weights = pd.DataFrame({"lag": [1, 2, 3], "weight": [6.0, 3.0, 1.0]})
        simulated = simulate_repeats(viewings, weights, seed=1)
        again = recency_weights(simulated, **QUICK)
        assert_allclose(again["weight"], [0.6, 0.3, 0.1], atol=0.02)
        # A title comes into a history when it did.
        first = [v.groupby(["viewer", "title"])["started_at"].min() for v in (viewings, simulated)]
        assert_frame_equal(*(some.reset_index() for some in first), check_dtype=False)

    def test_it_is_the_engine_with_one_seed(self):
        viewings = copying(5, weights=FALLING)
        weights = pd.DataFrame({"lag": [2, 1, 3], "weight": [2, 3, 1]})
        simulated = simulate_repeats(viewings, weights, seed=7)
        steps = steps_of(viewings, by="title", titles=None, tz=None)
        title = copied(steps, np.array([3.0, 2.0, 1.0]), np.random.default_rng(7))
        assert simulated["title"].tolist() == np.unique(viewings["title"])[title].tolist()
        other = simulate_repeats(viewings, weights, seed=8)
        assert not other["title"].equals(simulated["title"])

    def test_what_has_left_is_not_copied(self):
        viewings = viewings_of("a" * 6, "xyyyyy")
        weights = pd.DataFrame({"lag": range(1, 6), "weight": [0.0, 0.0, 0.0, 0.0, 1.0]})
        assert simulate_repeats(viewings, weights, seed=1)["title"].iloc[5] == "x"
        titles = windows_of(viewings, "2024-01-01", "2024-01-02")
        titles.loc[titles["title"] == "y", "available_until"] = pd.Timestamp("2024-12-31")
        simulated = simulate_repeats(viewings, weights, titles=titles, tz="UTC", seed=1)
        assert simulated["title"].tolist() == viewings["title"].tolist()

    def test_order_does_not_matter_and_the_input_stays(self):
        viewings = copying(5, weights=FALLING)
        mixed = viewings.sample(frac=1, random_state=1)
        before = mixed.copy(deep=True)
        weights = pd.DataFrame({"lag": [1, 2], "weight": [1.0, 1.0]})
        assert_frame_equal(
            simulate_repeats(mixed, weights, seed=1), simulate_repeats(viewings, weights, seed=1)
        )
        assert_frame_equal(mixed, before)

    def test_empty_in_the_same_columns_out(self):
        viewings = copying(5, weights=FALLING)
        weights = pd.DataFrame({"lag": [1, 2], "weight": [1.0, 1.0]})
        none = simulate_repeats(viewings.iloc[:0], weights, seed=1)
        assert_frame_equal(none, simulate_repeats(viewings, weights, seed=1).iloc[:0])

    @pytest.mark.parametrize(
        ("lag", "weight", "match"),
        [
            ([1, 3], [1, 1], r"`weights` must have lags 1, 2, ... each once, found \[1, 3\]"),
            ([1, 1], [1, 1], r"each once, found \[1, 1\]"),
            ([0, 1], [1, 1], r"each once, found \[0, 1\]"),
            ([1, 2], [1, -1], "`weights` must be 0 or more, and one of them above"),
            ([1, 2], [1, np.nan], "`weights` must be 0 or more"),
            ([1, 2], [1, np.inf], "`weights` must be 0 or more"),
            ([1, 2], [0, 0], "`weights` must be 0 or more"),
            ([], [], "`weights` must be 0 or more"),
        ],
    )
    def test_refuses_what_are_no_weights(self, lag, weight, match):
        weights = pd.DataFrame({"lag": lag, "weight": weight})
        with pytest.raises(ValueError, match=match):
            simulate_repeats(copying(5, weights=FALLING), weights, seed=1)

    def test_refuses_what_lacks_a_column_or_a_seed(self):
        viewings = copying(5, weights=FALLING)
        weights = pd.DataFrame({"lag": [1, 2], "weight": [1.0, 1.0]})
        with pytest.raises(ValueError, match="`weights` must have columns"):
            simulate_repeats(viewings, weights.drop(columns="weight"), seed=1)
        with pytest.raises(ValueError, match="missing \\['ended_at'\\]"):
            simulate_repeats(viewings.drop(columns="ended_at"), weights, seed=1)
        with pytest.raises(ValueError, match="`seed` must be a whole number, 0 or more"):
            simulate_repeats(viewings, weights, seed=0.5)
