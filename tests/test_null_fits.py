"""Null models fitted to a log beside sums over all sequences, and to logs of known truth."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy import stats

from tests.test_run_laws import rejects, sequences
from tests.test_surprise import PARAMS, weights_of
from toolkit.expected_streaks import expect_streaks
from toolkit.null_fits import fit_nulls, null_posterior
from toolkit.streak_nulls import NULLS

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

    def test_intervals_of_one_chance_cover_as_often_as_they_say(self):
        # Exact: the fit depends on the number of days watched alone, of 5 viewers and 8 days.
        watched = np.arange(1, 41)
        fits = [fitted((np.arange(40) < x).reshape(5, 8), nulls=["independent"]).iloc[0] for x in watched]  # fmt: skip
        low, high = np.array([[fit["low"]["p"], fit["high"]["p"]] for fit in fits]).T
        shares = np.linspace(0.1, 0.9, 161)
        covers = [stats.binom.pmf(watched, 40, p)[(low <= p) & (p <= high)].sum() for p in shares]
        assert 0.93 <= np.mean(covers) <= 0.97

    def test_intervals_of_two_chances_cover_as_often_as_they_say(self):
        held = []
        for seed in range(25):
            fit = fitted(drawn("markov", 6, PARAMS["markov"], 150, seed), nulls=["markov"]).iloc[0]
            held += [
                fit["low"][name] <= x <= fit["high"][name] for name, x in PARAMS["markov"].items()
            ]
        # Four standard errors of 50 intervals below 95 %.
        assert np.mean(held) >= 0.83

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

    def test_who_never_missed_a_day_and_who_never_watched(self):
        days = np.array([[True] * 9, [False] * 9])
        fit = fitted(days)
        assert fit.loc["cure", "params"]["share"] == pytest.approx(0.5, abs=1e-4)
        assert fitted(days[:1], nulls=["independent"])["params"].iloc[0]["p"] == pytest.approx(1)
        posterior = null_posterior(log_of(days)[0], population=2, **window(9))
        found = expect_streaks(posterior, population=2, **window(9)).set_index(["null", "n_days"])
        assert found["expected"].between(0, 2).all()
        assert found.loc[("beta", 9), "expected"] == pytest.approx(1, abs=0.2)

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


class TestNullPosterior:
    def posterior(self, days, **options):
        viewer_days, population = log_of(days)
        return null_posterior(
            viewer_days, population=population, **window(days.shape[1]), **options
        )

    def moments(self, table):
        params, weight = pd.DataFrame(table["params"].tolist()), table["weight"].to_numpy()
        mean = weight @ params
        return pd.DataFrame({"mean": mean, "sd": np.sqrt(weight @ (params - mean) ** 2)})

    @pytest.mark.parametrize("shape", [(40, 5), (500, 20)])
    def test_one_chance_has_the_beta_posterior_of_jeffreys(self, shape):
        days = np.random.default_rng(1).random(shape) < 0.1
        found = self.moments(self.posterior(days, nulls=["independent"])).loc["p"]
        truth = stats.beta(days.sum() + 0.5, (~days).sum() + 0.5)
        assert found.tolist() == pytest.approx([truth.mean(), truth.std()], rel=0.003)

    def test_never_missed_is_no_chance_of_1(self):
        # Nobody never missed a day: the share of those has Jeffreys' posterior alone.
        days = np.random.default_rng(1).random((400, 12)) < 0.2
        found = self.moments(self.posterior(days, nulls=["cure"])).loc["share"]
        truth = stats.beta(0.5, 400.5)
        assert found.tolist() == pytest.approx([truth.mean(), truth.std()], rel=0.05)

    @pytest.mark.parametrize("to", ["days", "streaks"])
    @pytest.mark.parametrize("null", ["markov", "beta", "dropout"])
    def test_is_prior_times_likelihood_of_all_sequences(self, null, to):
        days = drawn(null, 7, PARAMS[null], 150)
        found = self.posterior(days, nulls=[null], to=to).sample(20, random_state=1)
        params = pd.DataFrame(found["params"].tolist())
        height = [loglik(null, days, each, to) for each in found["params"]]
        # The grid is even in logits, and for a and b in logs.
        if null == "beta":
            mean, rho = params["a"] / params.sum(axis=1), 1 / (1 + params.sum(axis=1))
            height += stats.beta.logpdf(mean, 0.5, 0.5) + np.log(
                mean * (1 - mean) * rho * (1 - rho)
            )
        else:
            height += (stats.beta.logpdf(params, 0.5, 0.5) + np.log(params * (1 - params))).sum(
                axis=1
            )
        expected = np.exp(height - height[0])
        weight = found["weight"].to_numpy()
        assert weight / weight[0] == pytest.approx(expected.to_numpy(), rel=1e-6)

    @pytest.mark.parametrize("null", [name for name in NULLS if name != "independent"])
    def test_a_finer_grid_says_the_same(self, null, monkeypatch):
        days = drawn(null, 9, PARAMS[null], 500)
        coarse = self.posterior(days, nulls=[null])
        assert coarse["weight"].sum() == pytest.approx(1)
        monkeypatch.setattr("toolkit.null_fits._GRID", 61)
        monkeypatch.setattr("toolkit.null_fits._LEAST_WEIGHT", 1e-9)
        monkeypatch.setattr("toolkit.null_fits._FAR_DROP", 14.0)
        fine = self.moments(self.posterior(days, nulls=[null]))
        assert self.moments(coarse).to_numpy() == pytest.approx(fine.to_numpy(), rel=0.02)

    def test_wrong_arguments(self):
        viewer_days, _ = log_of(np.eye(3, dtype=bool))
        rejects(null_posterior, viewer_days, population=3, **window(3), nulls=["magic"], match="`nulls` must be one of")  # fmt: skip
        rejects(null_posterior, viewer_days, population=3, **window(3), to="n", match="`to` must")
        assert list(null_posterior(viewer_days, population=3, **window(3), nulls=[])) == ["null", "params", "weight"]  # fmt: skip
