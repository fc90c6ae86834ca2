"""Null models fitted to a log beside sums over all sequences, and to logs of known truth."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy import stats

from tests.test_run_laws import rejects, sequences
from tests.test_surprise import PARAMS, weights_of
from toolkit.null_fits import expect_streaks, fit_nulls
from toolkit.streak_counts import count_streaks
from toolkit.streak_nulls import NULLS, READINGS
from toolkit.streaks import find_streaks
from toolkit.surprise import audit_claim

START = pd.Timestamp("2017-11-17")


def window(n):
    return {"available_from": START, "as_of": START + pd.Timedelta(days=n - 1)}


def log_of(days):
    """The viewer-days of a table of viewers and days, and who could have watched."""
    viewer, day = np.nonzero(days)
    viewer_days = pd.DataFrame({"viewer": viewer, "day": START + pd.to_timedelta(day, unit="D")})
    return viewer_days, len(days)


def drawn(null, n, params, size, seed=7):
    """Viewers of the null, as days watched."""
    weights = weights_of(null, n, params)
    rng = np.random.default_rng(seed)
    return sequences(n)[0][rng.choice(len(weights), size, p=weights / weights.sum())]


def fitted(days, **options):
    viewer_days, population = log_of(days)
    found = fit_nulls(viewer_days, population=population, **window(days.shape[1]), **options)
    return found.set_index("null")


def open_lengths(days):
    return np.logical_and.accumulate(days[:, ::-1], axis=1).sum(axis=1)


def loglik(null, days, params, to):
    """The loglikelihood of viewers, from the chances of all sequences."""
    n = days.shape[1]
    weights = weights_of(null, n, params)
    if to == "streaks":
        exactly = np.bincount(open_lengths(sequences(n)[0]), weights, minlength=n + 1)
        return np.log(exactly[open_lengths(days)]).sum()
    return np.log(weights[days @ (1 << np.arange(n))]).sum()


class TestFitNulls:
    @pytest.mark.parametrize("to", ["days", "streaks"])
    @pytest.mark.parametrize("null", NULLS)
    def test_is_where_the_likelihood_of_all_sequences_is_highest(self, null, to):
        # Of viewers of another null too, so that no likelihood is at home.
        days = np.concatenate([drawn(name, 7, PARAMS[name], 60) for name in NULLS])
        fit = fitted(days, to=to, nulls=[null]).loc[null]
        best = loglik(null, days, fit["params"], to)
        assert fit["loglik"] == pytest.approx(best, rel=1e-11)
        assert fit["aic"] == pytest.approx(2 * len(fit["params"]) - 2 * best)
        for name, value in fit["params"].items():
            for factor in (0.999, 1.001):
                changed = fit["params"] | {name: value * factor}
                assert loglik(null, days, changed, to) < best + 1e-7

    @pytest.mark.parametrize("to", ["days", "streaks"])
    @pytest.mark.parametrize("null", NULLS)
    def test_holds_the_truth(self, null, to):
        days = drawn(null, 10, PARAMS[null], 4000)
        fit = fitted(days, to=to, nulls=[null], confidence=0.999).loc[null]
        for name, value in PARAMS[null].items():
            assert fit["low"][name] < value < fit["high"][name]
            assert fit["low"][name] < fit["params"][name] < fit["high"][name]
        assert fit["n"] == 4000

    @pytest.mark.parametrize("null", [name for name in NULLS if name != "independent"])
    def test_prefers_the_null_that_is_true(self, null):
        others = ["markov", "beta"] if null in ("cure", "dropout") else ["cure", "dropout"]
        fit = fitted(drawn(null, 8, PARAMS[null], 4000), nulls=[null, "independent", *others])
        assert fit["aic"].idxmin() == null

    def test_one_chance_for_all_is_the_share_of_days(self):
        days = np.random.default_rng(1).random((500, 20)) < 0.03
        fit = fitted(days, nulls=["independent"]).loc["independent"]
        assert fit["params"]["p"] == pytest.approx(days.mean(), rel=1e-6)
        # Where twice the loglikelihood has fallen by the quantile of chi-squared.
        for end in (fit["low"]["p"], fit["high"]["p"]):
            fallen = stats.binom.logpmf(days.sum(), 10_000, [days.mean(), end])
            assert 2 * (fallen[0] - fallen[1]) == pytest.approx(stats.chi2.ppf(0.95, 1), rel=1e-6)

    def test_ends_of_intervals_are_where_the_profile_has_fallen(self):
        days = drawn("markov", 7, PARAMS["markov"], 300)
        fit = fitted(days, nulls=["markov"], confidence=0.9).loc["markov"]
        for name, other in [("p01", "p11"), ("p11", "p01")]:
            for end in (fit["low"][name], fit["high"][name]):
                around = fit["params"][other] + np.linspace(-0.05, 0.05, 2001)
                top = max(loglik_markov(days, {name: end, other: x}) for x in around)
                fallen = fit["loglik"] - top
                assert fallen == pytest.approx(stats.chi2.ppf(0.9, 1) / 2, abs=1e-3)

    def test_what_days_do_not_bound_has_no_end(self):
        days = np.random.default_rng(1).random((300, 10)) < 0.3
        days[days.all(axis=1)] = False
        fit = fitted(days, nulls=["cure", "dropout", "beta"])
        assert fit["low"]["cure"]["share"] == 0 < fit["high"]["cure"]["share"] < 0.02
        assert fit["low"]["dropout"]["leaving"] == 0
        assert fit["high"]["beta"]["a"] == np.inf

    def test_days_outside_the_window_do_not_count(self):
        days = drawn("beta", 12, PARAMS["beta"], 300)
        within = fitted(days[:, 2:10], nulls=["beta", "dropout"])
        viewer_days, population = log_of(days)
        found = fit_nulls(
            viewer_days, population=population, nulls=["beta", "dropout"],
            available_from=START + pd.Timedelta(days=2), as_of=START + pd.Timedelta(days=9),
        )  # fmt: skip
        # Who watched only outside is one of those who never did.
        assert found["n"].tolist() == [300, 300]
        assert found["loglik"].to_numpy() == pytest.approx(within["loglik"].to_numpy(), rel=1e-12)

    def test_order_and_days_that_stand_twice_do_not_matter(self):
        viewer_days, population = log_of(drawn("markov", 8, PARAMS["markov"], 50))
        options = {"population": population, "nulls": ["markov"], **window(8)}
        twice = pd.concat([viewer_days[::-1], viewer_days.head(20)])
        assert_frame_equal(fit_nulls(twice, **options), fit_nulls(viewer_days, **options))

    def test_wrong_arguments(self):
        viewer_days, _ = log_of(np.eye(3, dtype=bool))
        options = {"population": 3, **window(3)}
        titles = viewer_days.assign(title=["a", "a", "b"])
        rejects(fit_nulls, titles, **options, match="`viewer_days` must be of one title, found 2")
        fit_nulls(titles.assign(title="a"), **options, nulls=["independent"])
        rejects(fit_nulls, viewer_days, **(options | {"population": 2}), match="got 2; 3 watched")
        rejects(fit_nulls, viewer_days[:0], **options, match="got 3; 0 watched")
        rejects(fit_nulls, viewer_days, **options, nulls=["magic"], match="`nulls` must be one of")
        rejects(fit_nulls, viewer_days, **options, to="counts", match="`to` must be one of")
        rejects(fit_nulls, viewer_days, **options, confidence=0, match="`confidence` must lie")
        rejects(fit_nulls, viewer_days[["day"]], **options, match="must have columns")


def loglik_markov(days, params):
    return loglik("markov", days, params, "days")


class TestExpectStreaks:
    @pytest.mark.parametrize("reading", READINGS)
    def test_is_what_a_claim_of_each_length_is_audited_against(self, reading):
        whole = {"population": [1000, 70], "available_from": ["2017-12-05", "2017-12-08"], "as_of": "2017-12-10"}  # fmt: skip
        found = expect_streaks(PARAMS, reading=reading, **whole).set_index(["null", "n_days"])
        assert found.index.tolist() == [(null, k) for null in PARAMS for k in range(1, 7)]
        for k in range(1, 7):
            audit = audit_claim(people=5, days=k, nulls=PARAMS, reading=reading, **whole)
            expected = audit.set_index("null")["expected"]
            for null in PARAMS:
                assert found["expected"][null, k] == pytest.approx(expected[null], rel=1e-12)

    @pytest.mark.parametrize("null", NULLS)
    def test_a_log_of_the_null_agrees(self, null):
        viewer_days, population = log_of(drawn(null, 12, PARAMS[null], 3000))
        streaks = find_streaks(viewer_days, as_of=window(12)["as_of"])
        counted = count_streaks(streaks, which="open").set_index("n_days")["n_reaching"]
        expected = expect_streaks({null: PARAMS[null]}, population=population, confidence=0.9999, **window(12))  # fmt: skip
        expected = expected.set_index("n_days")
        reached = counted.reindex(expected.index, fill_value=0)
        assert ((expected["low"] <= reached) & (reached <= expected["high"])).all()

    def test_takes_what_was_fitted(self):
        days = drawn("beta", 9, PARAMS["beta"], 200)
        viewer_days, population = log_of(days)
        fits = fit_nulls(viewer_days, population=population, to="streaks", **window(9))
        params = dict(zip(fits["null"], fits["params"], strict=True))
        whole = {"population": population, **window(9)}
        assert_frame_equal(expect_streaks(fits, **whole), expect_streaks(params, **whole))
        audited = audit_claim(people=3, days=4, nulls=fits, **whole)
        assert_frame_equal(audited, audit_claim(people=3, days=4, nulls=params, **whole))

    def test_intervals_are_those_of_counts(self):
        found = expect_streaks({"independent": {"p": 0.1}}, population=1000, confidence=0.8, **window(2))  # fmt: skip
        assert found["low"].tolist() == stats.poisson.ppf(0.1, [100, 10]).tolist()
        assert found["high"].tolist() == stats.poisson.ppf(0.9, [100, 10]).tolist()

    def test_without_nulls_there_is_nothing(self):
        found = expect_streaks({}, population=10, **window(3))
        assert list(found) == ["null", "n_days", "expected", "low", "high"]
        assert len(found) == 0

    def test_wrong_arguments(self):
        whole = {"population": 10, **window(3)}
        rejects(expect_streaks, {"magic": {}}, **whole, match="`nulls` must be one of")
        rejects(expect_streaks, PARAMS, **whole, reading="past", match="`reading` must be one of")
        rejects(expect_streaks, PARAMS, **whole, confidence=2, match="`confidence` must lie")
        rejects(expect_streaks, pd.DataFrame({"null": ["beta"]}), **whole, match="missing")
