"""Laws of counts beside SciPy's, their fits beside other optimisers and published numbers."""

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from scipy import optimize, stats

from toolkit.count_fits import choose_xmin, compare_fits, fit_counts
from toolkit.count_laws import (
    LAWS,
    best_fit,
    distances,
    draw,
    log_pmf,
    log_survival,
    logliks,
    profile_intervals,
    refit,
    sample_of,
)
from toolkit.rewatch import count_viewings

CASES = tomllib.loads(Path(__file__).with_name("oracles").joinpath("rewatch.toml").read_text())
DROP = stats.chi2.ppf(0.95, 1) / 2
PARAMS = {
    "poisson": [(0.01,), (0.7,), (20.0,), (400.0,)],
    "geometric": [(0.01,), (0.7,)],
    "nbd": [(1e-5, 0.1), (0.97, 0.22), (50, 3.0), (5e5, 2e5)],
    "logseries": [(0.01,), (0.6,), (0.999,)],
    "yule": [(0.5,), (2.5,), (30.0,)],
    "zeta": [(1.3,), (2.2,), (9.0,)],
    "truncated_zeta": [(1.5, 0.1), (-3.0, 0.7), (2.0, 1e-4), (0.5, 3.0), (0.3, 0.01), (2.5, 1e-10)],
    "lognormal": [(0.0, 1.0), (3.0, 0.2), (-40.0, 5.0), (-1e9, 2e4)],
    "betageometric": [(0.5, 0.7), (3.0, 20.0), (2e5, 6e5)],
}
EACH = [(name, params) for name, some in PARAMS.items() for params in some]
SCIPY = {
    "poisson": stats.poisson,
    "geometric": lambda p: stats.geom(p, loc=-1),
    "nbd": lambda r, alpha: stats.nbinom(r, alpha / (1 + alpha)),
    "logseries": stats.logser,
    "yule": stats.yulesimon,
    "zeta": stats.zipf,
    "betageometric": lambda alpha, beta: stats.betanbinom(1, alpha, beta, loc=1),
}
TYPICAL = {
    "poisson": (1.7,),
    "geometric": (0.4,),
    "nbd": (0.97, 0.22),
    "logseries": (0.8,),
    "yule": (1.6,),
    "zeta": (2.1,),
    "truncated_zeta": (1.2, 0.08),
    "lognormal": (1.0, 0.9),
    "betageometric": (2.0, 3.0),
}


def arrays(params):
    return tuple(np.array([float(value)]) for value in params)


def sample(counts, xmin=1):
    values, occurs = np.unique(np.asarray(counts)[np.asarray(counts) >= xmin], return_counts=True)
    return sample_of(occurs[None], values, xmin)


def drawn(name, params, n, size=1, xmin=1, seed=0):
    rng = np.random.default_rng(seed)
    return sample_of(*draw(LAWS[name], arrays(params), xmin, n, size, rng), xmin)


def counts_of(case, start=0):
    values = case.get("values", np.arange(start, start + len(case["occurs"])))
    return np.repeat(values, case["occurs"])


WORDS = counts_of(CASES["powerlaw-words"])
SOME = np.repeat([1, 2, 3, 4, 5, 7, 12], [90, 40, 19, 9, 5, 3, 1])


class TestLaws:
    @pytest.mark.parametrize("xmin", [0, 1, 2, 7, 60])
    @pytest.mark.parametrize(("name", "params"), EACH)
    def test_weights_and_tails_add_up_to_one(self, name, params, xmin):
        law = LAWS[name]
        if law.least > xmin:
            pytest.skip("starts from 1")
        k = np.arange(xmin, xmin + 2000.0)
        pmf = np.exp(log_pmf(law, k, arrays(params), xmin))
        left = np.exp(log_survival(law, np.append(k, k[-1] + 1), arrays(params), xmin))
        assert left[0] == pytest.approx(1, abs=1e-12)
        assert np.abs(np.cumsum(pmf) + left[1:] - 1).max() < 1e-10

    @pytest.mark.parametrize("xmin", [1, 2, 7])
    @pytest.mark.parametrize(("name", "params"), [case for case in EACH if case[0] in SCIPY])
    def test_agrees_with_scipy_above_the_truncation(self, name, params, xmin):
        law, k = SCIPY[name](*params), np.arange(xmin, 300)
        whole = 1 - law.pmf(np.arange(xmin)).sum()
        if whole < 1e-6:
            pytest.skip("SciPy's sum has no digits left")
        pmf = np.exp(log_pmf(LAWS[name], k, arrays(params), xmin))
        assert pmf == pytest.approx(law.pmf(k) / whole, rel=1e-7, abs=1e-9)

    @pytest.mark.parametrize("name", ["poisson", "geometric", "nbd"])
    def test_from_zero_on_nothing_is_cut_off(self, name):
        k = np.arange(50)
        pmf = np.exp(log_pmf(LAWS[name], k, arrays(TYPICAL[name]), 0))
        assert pmf == pytest.approx(SCIPY[name](*TYPICAL[name]).pmf(k), rel=1e-10)

    def test_the_betageometric_from_zero_counts_what_comes_before_the_last(self):
        k = np.arange(50)
        pmf = np.exp(log_pmf(LAWS["betageometric"], k, arrays((2, 3)), 0))
        assert pmf == pytest.approx(stats.betanbinom(1, 2, 3).pmf(k), rel=1e-10)

    def test_the_lognormal_is_rounded(self):
        k, law = np.arange(0, 60), stats.lognorm(0.9, scale=np.exp(1.0))
        pmf = law.cdf(k + 0.5) - law.cdf(k - 0.5)
        assert np.exp(log_pmf(LAWS["lognormal"], k, arrays((1, 0.9)), 0)) == pytest.approx(pmf)
        cut = np.exp(log_pmf(LAWS["lognormal"], k[3:], arrays((1, 0.9)), 3))
        assert cut == pytest.approx(pmf[3:] / law.sf(2.5))

    @pytest.mark.parametrize(("alpha", "lam"), [(1.5, 0.1), (-2.0, 0.3), (0.2, 0.39), (0.2, 0.41)])
    @pytest.mark.parametrize("xmin", [1, 5, 300])
    def test_the_cut_off_zeta_agrees_with_a_long_sum(self, alpha, lam, xmin):
        j = np.arange(xmin, 20_000.0)
        weights = np.exp(-alpha * np.log(j / xmin) - lam * (j - xmin))
        pmf = np.exp(log_pmf(LAWS["truncated_zeta"], j[:50], arrays((alpha, lam)), xmin))
        assert pmf == pytest.approx(weights[:50] / weights.sum(), rel=1e-10)

    @pytest.mark.parametrize(
        ("name", "params", "limit", "inner"),
        [
            ("nbd", (1e6, 5e5), "poisson", (2.0,)),
            ("nbd", (1e-6, 0.25), "logseries", (0.8,)),
            ("nbd", (1, 0.25), "geometric", (0.2,)),
            ("betageometric", (3e8, 6e8), "geometric", (1 / 3,)),
            ("betageometric", (2.5, 1), "yule", (2.5,)),
            ("truncated_zeta", (2.5, 1e-13), "zeta", (2.5,)),
            ("truncated_zeta", (1, 0.3), "logseries", (np.exp(-0.3),)),
            ("truncated_zeta", (0, 0.3), "geometric", (1 - np.exp(-0.3),)),
        ],
    )
    def test_laws_that_hold_others(self, name, params, limit, inner):
        k = np.arange(2, 100)
        whole, part = (
            log_pmf(LAWS[law], k, arrays(some), 2) for law, some in ((name, params), (limit, inner))
        )
        assert whole == pytest.approx(part, abs=5e-3, rel=1e-4)

    @pytest.mark.parametrize("name", LAWS)
    def test_samples_are_drawn_from_the_law(self, name):
        samples = drawn(name, TYPICAL[name], 2000, size=40, seed=3)
        assert (samples.n == 2000).all()
        ks = distances(LAWS[name], tuple(np.repeat(p, 40) for p in arrays(TYPICAL[name])), samples)
        # The limit for continuous laws is wide enough for counts.
        assert (ks > stats.kstwo.isf(0.05, 2000)).mean() <= 0.125

    def test_far_tails_are_drawn_too(self):
        samples = drawn("zeta", (1.5,), 4000, size=20, seed=1)
        far = samples.values > 10**5
        share = samples.weights[far].sum() / samples.n.sum()
        assert share == pytest.approx(
            np.exp(log_survival(LAWS["zeta"], np.array(1e5), arrays((1.5,)), 1))[0], rel=0.2
        )


class TestDistances:
    def test_is_the_largest_over_all_counts_also_those_that_never_occur(self):
        counts = np.repeat([1, 9], [30, 70])
        k = np.arange(1, 200)
        model = np.cumsum(stats.geom(0.2).pmf(k))
        slow = np.abs([(counts <= i).mean() for i in k] - model).max()
        found = distances(LAWS["geometric"], arrays((0.2,)), sample(counts))[0]
        assert found == pytest.approx(slow)
        assert found == pytest.approx(model[7] - 0.3)

    def test_each_sample_has_its_own(self):
        both = sample_of(np.array([[5, 0, 5], [1, 8, 1]]), [1, 2, 3], 1)
        apart = [distances(LAWS["zeta"], arrays((2,)), sample_of(row[None], [1, 2, 3], 1))[0]
                 for row in np.array([[5, 0, 5], [1, 8, 1]])]  # fmt: skip
        assert distances(LAWS["zeta"], (np.array([2.0, 2.0]),), both) == pytest.approx(apart)


class TestBestFit:
    @pytest.mark.parametrize("xmin", [0, 1, 3])
    @pytest.mark.parametrize("name", LAWS)
    def test_no_other_optimiser_climbs_higher(self, name, xmin):
        law = LAWS[name]
        if law.least > xmin:
            pytest.skip("starts from 1")
        for truth in ("nbd", "lognormal", "yule"):
            data = drawn(truth, TYPICAL[truth], 400, xmin=max(xmin, LAWS[truth].least), seed=5)
            data = data._replace(xmin=np.array([float(xmin)]))
            height = best_fit(law, data)[1]

            def lower(x, law=law, data=data):
                kinds = {
                    "p": lambda v: 1 / (1 + np.exp(-v)),
                    "q": lambda v: 1 / (1 + np.exp(-v)),
                    "mu": float,
                }
                moved = [
                    1 + np.exp(v) if law is LAWS["zeta"] else kinds.get(name, np.exp)(v)
                    for name, v in zip(law.params, x, strict=True)
                ]
                with np.errstate(all="ignore"):
                    found = -logliks(law, arrays(moved), data)[0]
                return found if np.isfinite(found) else 1e12

            for start in (-1.0, 0.5):
                other = optimize.minimize(lower, [start] * len(law.params), method="Nelder-Mead")
                assert height[0] >= -other.fun - 1e-4

    @pytest.mark.parametrize("name", LAWS)
    def test_is_higher_than_its_neighbours(self, name):
        data = drawn(name, TYPICAL[name], 500, seed=2)
        params, height, _ = best_fit(LAWS[name], data)
        for i in range(len(params)):
            for factor in (0.99, 1.01):
                moved = [p * factor if i == j else p for j, p in enumerate(params)]
                assert logliks(LAWS[name], moved, data)[0] < height[0]

    @pytest.mark.parametrize("n", [200, 20_000])
    @pytest.mark.parametrize("name", LAWS)
    def test_recovers_what_was_planted(self, name, n):
        data = drawn(name, TYPICAL[name], n, size=60, seed=n)
        fits = refit(LAWS[name], data, arrays(TYPICAL[name]))
        middle = np.median(fits, axis=1)
        assert middle == pytest.approx(np.array(TYPICAL[name]), rel=0.25 if n == 200 else 0.04)

    def test_closed_forms(self):
        counts = np.repeat([0, 1, 2, 5], [30, 40, 20, 10])
        (mean,), _, _ = best_fit(LAWS["poisson"], sample(counts, 0))
        (p,), _, _ = best_fit(LAWS["geometric"], sample(counts, 0))
        assert mean[0] == pytest.approx(counts.mean(), rel=1e-5)
        assert p[0] == pytest.approx(1 / (1 + counts.mean()), rel=1e-5)

    def test_fishers_alpha(self):
        # S = alpha ln(1 + N / alpha), with N individuals of S kinds.
        (q,), _, _ = best_fit(LAWS["logseries"], sample(SOME))
        alpha = SOME.sum() * (1 - q[0]) / q[0]
        assert alpha * np.log1p(SOME.sum() / alpha) == pytest.approx(len(SOME), rel=1e-5)

    @pytest.mark.parametrize(
        ("name", "counts", "xmin", "limit"),
        [
            ("nbd", np.repeat([1, 2, 3, 4], [10, 40, 40, 10]), 0, "poisson"),
            ("nbd", WORDS, 1, "logseries"),
            ("betageometric", np.repeat([1, 2, 3, 4], [10, 40, 40, 10]), 1, "geometric"),
            ("truncated_zeta", np.repeat([1, 2, 3, 9, 900], [90, 20, 9, 5, 3]), 1, "zeta"),
            ("lognormal", WORDS, 7, "power law"),
            ("nbd", SOME, 1, None),
        ],
    )
    def test_says_where_a_law_has_become_another(self, name, counts, xmin, limit):
        assert best_fit(LAWS[name], sample(counts, xmin))[2] == limit


class TestProfileIntervals:
    @pytest.mark.parametrize("name", LAWS)
    def test_cover_in_95_of_100(self, name):
        data = drawn(name, TYPICAL[name], 300, size=200, seed=7)
        fits = refit(LAWS[name], data, arrays(TYPICAL[name]))
        low, high = profile_intervals(LAWS[name], data, fits, logliks(LAWS[name], fits, data), DROP)
        covered = ((low <= TYPICAL[name]) & (TYPICAL[name] <= high)).mean(axis=0)
        # 4 standard errors of 200 trials.
        assert (np.abs(covered - 0.95) < 0.062).all()

    @pytest.mark.parametrize("name", ["poisson", "zeta", "yule"])
    def test_end_where_the_loglikelihood_has_fallen_by_the_drop(self, name):
        data = drawn(name, TYPICAL[name], 300)
        params, height, _ = best_fit(LAWS[name], data)
        for ends in profile_intervals(LAWS[name], data, params, height, DROP):
            assert height[0] - logliks(LAWS[name], (ends[:, 0],), data)[0] == pytest.approx(
                DROP, abs=1e-4
            )

    def test_profile_out_the_other_parameter(self):
        data = sample(SOME)
        params, height, _ = best_fit(LAWS["nbd"], data)
        low, high = profile_intervals(LAWS["nbd"], data, params, height, DROP)
        for r in (low[0, 0], high[0, 0]):
            if r == 0:
                continue
            top = optimize.minimize_scalar(
                lambda x, r=r: -logliks(LAWS["nbd"], arrays((r, np.exp(x))), data)[0],
                bounds=(-9, 9),
            )
            assert height[0] + top.fun == pytest.approx(DROP, abs=1e-3)

    def test_are_open_where_the_counts_do_not_bound_a_parameter(self):
        data = sample(np.repeat([0, 1, 2, 3, 4], [10, 30, 30, 20, 7]), 0)
        params, height, _ = best_fit(LAWS["nbd"], data)
        low, high = profile_intervals(LAWS["nbd"], data, params, height, DROP)
        assert np.isinf(high).all()
        assert (low > 1).all()


class TestPublished:
    def test_nbd_of_billboard_exposures(self):
        case = CASES["nbd-billboard"]
        fit = fit_counts(counts_of(case), models=["nbd"], xmin=0, seed=1).iloc[0]
        assert {name: round(value, 3) for name, value in fit["params"].items()} == {
            "r": case["r"], "alpha": case["alpha"],
        }  # fmt: skip
        assert fit["loglik"] == pytest.approx(case["loglik"], abs=0.05)
        assert fit["params"] == pytest.approx({"r": 0.9693, "alpha": 0.2175}, abs=1e-4)
        assert fit["loglik"] == pytest.approx(-649.689, abs=1e-3)
        r, alpha = fit["params"].values()
        assert r / alpha == pytest.approx(counts_of(case).mean(), rel=1e-5)
        reached = np.exp(log_survival(LAWS["nbd"], np.array(1.0), arrays((r, alpha)), 0))[0]
        assert reached == pytest.approx(1 - (alpha / (1 + alpha)) ** r)

    @pytest.mark.parametrize("name", ["sbg-regular", "sbg-first-five"])
    def test_sbg_of_customers_who_stay(self, name):
        case, law = CASES[name], LAWS["betageometric"]
        left = np.array(case["left"])
        lost, year = -np.diff(left), np.arange(1.0, len(left))

        def lower(x):
            params = arrays(np.exp(x))
            stay = log_survival(law, np.array(float(len(left))), params, 1)[0]
            return -(lost @ log_pmf(law, year, params, 1) + left[-1] * stay)

        best = optimize.minimize(lower, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-7})
        digits = 3 if name == "sbg-regular" else 5
        assert np.round(np.exp(best.x), digits).tolist() == [case["alpha"], case["beta"]]
        assert -best.fun == pytest.approx(case["loglik"], abs=1e-3)
        later = np.exp(log_survival(law, np.arange(6.0, 10), arrays(np.exp(best.x)), 1))
        if "left_later" in case:
            assert np.round(later, 3).tolist() == case["left_later"]

    def test_words_of_moby_dick(self):
        case = CASES["powerlaw-words"]
        chosen = choose_xmin(WORDS).query("is_chosen").iloc[0]
        assert len(WORDS) == 18_855
        assert (chosen["xmin"], chosen["n"]) == (case["xmin"], case["n_tail"])
        assert round(chosen["alpha"], 2) == case["alpha"]
        assert chosen["alpha"] == pytest.approx(case["alpha_exact"], abs=2e-5)
        assert chosen["ks"] == pytest.approx(case["ks"], abs=1e-5)

    @pytest.mark.parametrize("name", ["lognormal", "truncated_zeta"])
    def test_words_as_powerlaw_fits_them(self, name):
        case, words = CASES["powerlaw-words"], sample(WORDS, 7)
        fitted = {law: arrays(case[f"{law}_as_fitted"]) for law in ("zeta", name)}
        zeta, other = (log_pmf(LAWS[law], words.values, fitted[law], 7) for law in ("zeta", name))
        apart, n = zeta - other, words.n[0]
        spread = np.sqrt(words.weights @ (apart - words.weights @ apart / n) ** 2)
        assert words.weights @ apart / spread == pytest.approx(case[f"{name}_z"], abs=2e-5)
        # Its search stops short: ours is at least as likely.
        assert best_fit(LAWS[name], words)[1][0] >= logliks(LAWS[name], fitted[name], words)[0]

    def test_words_do_not_tell_a_power_law_from_a_lognormal(self):
        pairs = compare_fits(
            WORDS, models=["zeta", "lognormal", "geometric", "truncated_zeta"], xmin=7
        )
        pairs = pairs.set_index(["model", "other"])
        assert pairs.loc["zeta", "lognormal"]["p_value"] > 0.5
        assert pd.isna(pairs.loc["zeta", "lognormal"]["favours"])
        assert pairs.loc["zeta", "lognormal"]["test"] == "vuong"
        assert pairs.loc["geometric", "truncated_zeta"]["favours"] == "truncated_zeta"
        case = CASES["powerlaw-words"]
        against = compare_fits(WORDS, models=["zeta", "geometric"], xmin=7).iloc[0]
        assert against["statistic"] == pytest.approx(case["exponential_z"], abs=0.01)
        assert against["favours"] == "zeta"

    def test_every_case_is_used_and_names_its_source(self):
        tests = Path(__file__).read_text()
        for name, case in CASES.items():
            assert f'"{name}"' in tests
            assert case["source"]


class TestFitCounts:
    def test_one_row_for_each_law_that_can_hold_the_counts(self):
        fits = fit_counts(SOME, seed=1, n_bootstrap=20)
        assert fits["model"].tolist() == list(LAWS)
        zero = fit_counts(np.append(SOME, [0] * 50), xmin=0, seed=1, n_bootstrap=0)
        assert zero["model"].tolist() == [
            "poisson",
            "geometric",
            "nbd",
            "lognormal",
            "betageometric",
        ]
        assert list(fits)[:7] == ["model", "params", "loglik", "aic", "bic", "ks", "p_value"]
        assert (fits["n"] == len(SOME)).all()
        assert (zero["n"] == len(SOME) + 50).all()

    def test_what_is_charged_for_parameters(self):
        fit = fit_counts(SOME, models="nbd", seed=1, n_bootstrap=0).iloc[0]
        assert fit["aic"] == pytest.approx(4 - 2 * fit["loglik"])
        assert fit["bic"] == pytest.approx(2 * np.log(len(SOME)) - 2 * fit["loglik"])
        assert np.isnan(fit["p_value"])

    def test_counts_below_xmin_do_not_matter(self):
        options = {"models": ["geometric", "nbd"], "xmin": 2, "seed": 1, "n_bootstrap": 20}
        fits = fit_counts(SOME, **options)
        assert (fits["n"] == (SOME >= 2).sum()).all()
        assert_frame_equal(fits, fit_counts(SOME[SOME >= 2], **options))

    def test_the_geometric_has_no_memory(self):
        fits = [
            fit_counts(SOME + shift, models="geometric", xmin=xmin, seed=1).iloc[0]
            for shift, xmin in ((0, 1), (-1, 0), (4, 5))
        ]
        assert fits[0]["params"]["p"] == pytest.approx(1 / SOME.mean(), rel=1e-5)
        for fit in fits[1:]:
            assert fit["params"] == pytest.approx(fits[0]["params"], rel=1e-5)
            assert fit["loglik"] == pytest.approx(fits[0]["loglik"])

    def test_a_seed_gives_the_same_and_other_models_do_not_matter(self):
        one = fit_counts(SOME, models=["zeta"], seed=3, n_bootstrap=50)
        again = fit_counts(SOME, models=["nbd", "zeta"], seed=3, n_bootstrap=50)[1:]
        assert_frame_equal(one, again.reset_index(drop=True))
        other = [fit_counts(SOME, models=["nbd"], seed=s)["p_value"][0] for s in range(4)]
        assert len(set(other)) > 1
        assert np.ptp(other) < 0.3

    def test_p_values_of_the_true_law_are_even_and_of_a_wrong_one_small(self):
        p_values = {"geometric": [], "zeta": []}
        for seed in range(60):
            counts = np.random.default_rng(seed).geometric(0.4, 150)
            fits = fit_counts(counts, models=list(p_values), seed=seed, n_bootstrap=60)
            for name, value in zip(fits["model"], fits["p_value"], strict=True):
                p_values[name].append(value)
        assert stats.kstest(p_values["geometric"], "uniform").pvalue > 0.01
        assert max(p_values["zeta"]) < 0.05
        assert min(p_values["zeta"]) == pytest.approx(1 / 61)

    def test_takes_counts_in_any_form(self):
        options = {"models": ["nbd"], "seed": 1, "n_bootstrap": 20}
        expected = fit_counts(SOME, **options)
        frame = pd.DataFrame({"n_viewings": SOME, "account": np.arange(len(SOME))})
        shuffled = np.random.default_rng(0).permutation(SOME)
        for counts in (
            SOME.tolist(),
            pd.Series(SOME),
            SOME.astype(float),
            frame,
            shuffled,
            pd.Series(SOME, dtype="Int16"),
        ):
            assert_frame_equal(fit_counts(counts, **options), expected)

    def test_takes_what_count_viewings_gives(self):
        titles = np.repeat(np.arange(len(SOME)), SOME)
        viewings = pd.DataFrame({"viewer": titles % 7, "title": titles})
        counts = count_viewings(viewings)
        fits = fit_counts(counts, models=["zeta"], seed=1, n_bootstrap=0)
        assert_frame_equal(fits, fit_counts(SOME, models=["zeta"], seed=1, n_bootstrap=0))

    def test_millions_of_counts_are_no_matter(self):
        fit = fit_counts(np.tile(SOME, 10_000), models=["nbd"], seed=1, n_bootstrap=50).iloc[0]
        few = fit_counts(SOME, models=["nbd"], seed=1, n_bootstrap=0).iloc[0]
        assert fit["params"] == pytest.approx(few["params"], rel=1e-4)
        assert fit["loglik"] == pytest.approx(few["loglik"] * 10_000)
        assert few["low"]["r"] < fit["low"]["r"] < fit["params"]["r"] < fit["high"]["r"]

    def test_intervals_by_account_are_wider_where_accounts_differ(self):
        rng = np.random.default_rng(1)
        habit = rng.uniform(0.15, 0.9, 60)
        counts = pd.DataFrame(
            {
                "account": np.repeat(np.arange(60), 20),
                "n_viewings": rng.geometric(np.repeat(habit, 20)),
            }
        )
        options = {"models": ["geometric"], "seed": 1}
        alone = fit_counts(counts, **options).iloc[0]
        together = fit_counts(counts, intervals="accounts", **options).iloc[0]
        width = [fit["high"]["p"] - fit["low"]["p"] for fit in (alone, together)]
        assert width[1] > 1.5 * width[0]
        assert together["low"]["p"] < together["params"]["p"] < together["high"]["p"]

    def test_intervals_by_account_agree_with_the_profile_where_each_count_is_one(self):
        counts = np.random.default_rng(2).geometric(0.4, 400)
        counts = pd.DataFrame({"account": np.arange(400), "n_viewings": counts})
        options = {"models": ["geometric"], "seed": 1, "n_bootstrap": 1000}
        fits = [fit_counts(counts, intervals=i, **options).iloc[0] for i in ("profile", "accounts")]
        for end in ("low", "high"):
            assert fits[0][end]["p"] == pytest.approx(fits[1][end]["p"], abs=0.006)

    def test_a_higher_confidence_is_wider(self):
        fits = [
            fit_counts(SOME, models=["nbd"], seed=1, n_bootstrap=0, confidence=c).iloc[0]
            for c in (0.5, 0.95)
        ]
        for name in ("r", "alpha"):
            assert (
                fits[1]["low"][name]
                < fits[0]["low"][name]
                < fits[0]["high"][name]
                < fits[1]["high"][name]
            )

    def test_the_input_stays(self):
        frame = pd.DataFrame({"n_viewings": SOME, "account": np.arange(len(SOME)) // 5})
        before = frame.copy(deep=True)
        fit_counts(frame, models=["zeta"], seed=1, n_bootstrap=20, intervals="accounts")
        assert_frame_equal(frame, before)

    @pytest.mark.parametrize(
        ("counts", "options", "message"),
        [
            (SOME[:49], {}, r"at least 50 counts of 1 or more, .* found 49 of 1\."),
            ([], {}, "found 0 of 0"),
            ([1] * 99, {}, "of 3 different values, to tell laws apart, found 99 of 1"),
            ([1, 2] * 99, {}, "found 198 of 2"),
            ([0, 1, 2] * 99, {}, "found 198 of 2"),
            (SOME, {"xmin": 5}, "counts of 5 or more"),
            ([1.5, *SOME], {}, r"whole numbers, 0 or more, found 1\.5"),
            ([-1, *SOME], {}, r"0 or more, found -1\.0"),
            ([np.nan, *SOME], {}, "0 or more, found nan"),
            ([np.inf, *SOME], {}, "0 or more, found inf"),
            (["a", "b"], {}, "a column of whole numbers"),
            (SOME > 1, {}, "a column of whole numbers"),
            (np.ones((60, 2)), {}, "a column of whole numbers"),
            (pd.DataFrame({"n": SOME}), {}, "must have columns"),
            (SOME, {"models": ["normal"]}, "`models` must be one of"),
            (SOME, {"models": ["zeta"], "xmin": 0}, "counts from 0 on, which 'zeta' is not"),
            (SOME, {"xmin": -1}, "`xmin` must be a whole number"),
            (SOME, {"seed": 1.5}, "`seed` must be a whole number"),
            (SOME, {"n_bootstrap": -1}, "`n_bootstrap` must be"),
            (SOME, {"confidence": 1}, r"`confidence` must lie in \(0, 1\)"),
            (SOME, {"intervals": "wald"}, "`intervals` must be one of"),
            (SOME, {"intervals": "accounts"}, "at least 20 accounts apart, .* found 0"),
        ],
    )  # fmt: skip
    def test_refuses_in_a_sentence(self, counts, options, message):
        with pytest.raises(ValueError, match=message) as error:
            fit_counts(counts, **({"seed": 1, "models": ["geometric"]} | options))
        assert str(error.value).count("\n") == 0

    def test_fifty_counts_of_three_values_are_enough(self):
        assert len(fit_counts(np.repeat([1, 2, 3], [30, 15, 5]), seed=1, n_bootstrap=0)) == len(
            LAWS
        )

    @settings(max_examples=10, deadline=None, derandomize=True)
    @given(
        occurs=st.lists(st.integers(0, 60), min_size=5, max_size=12),
        stretch=st.sampled_from([1, 3, 40]),
        xmin=st.integers(0, 2),
    )
    def test_gives_numbers_or_a_sentence_whatever_the_counts(self, occurs, stretch, xmin):
        counts = np.repeat(np.arange(len(occurs)) * stretch, occurs)
        try:
            fits = fit_counts(counts, xmin=xmin, seed=1, n_bootstrap=0)
        except ValueError as error:
            assert "at least 50 counts" in str(error)  # noqa: PT017
            return
        assert np.isfinite(fits["loglik"]).all()
        assert fits["ks"].between(0, 1).all()
        for fit in fits.itertuples():
            for name, value in fit.params.items():
                slack = 1e-5 * abs(value)
                assert fit.low[name] <= value + slack
                assert value - slack <= fit.high[name]
        height = fits.set_index("model")["loglik"]
        for small, large in (
            ("geometric", "nbd"),
            ("poisson", "nbd"),
            ("geometric", "betageometric"),
        ):
            assert height[small] <= height[large] + 0.05


class TestCompareFits:
    def test_each_pair_once_and_the_smaller_of_nested_laws_first(self):
        pairs = compare_fits(SOME, models=["nbd", "geometric", "zeta"])
        assert pairs[["model", "other", "test"]].to_numpy().tolist() == [
            ["geometric", "nbd", "likelihood ratio"],
            ["nbd", "zeta", "vuong"],
            ["geometric", "zeta", "vuong"],
        ]
        assert len(compare_fits(SOME)) == 36
        assert (pairs["n"] == len(SOME)).all()

    def test_vuongs_z_agrees_with_the_differences_count_by_count(self):
        counts = SOME
        p = 1 / counts.mean()
        geometric = stats.geom(p).logpmf(counts)
        alpha = fit_counts(counts, models=["zeta"], seed=1, n_bootstrap=0)["params"][0]["alpha"]
        apart = geometric - stats.zipf(alpha).logpmf(counts)
        z = apart.sum() / (apart.std() * np.sqrt(len(counts)))
        pair = compare_fits(counts, models=["geometric", "zeta"]).iloc[0]
        assert pair["loglik_ratio"] == pytest.approx(apart.sum())
        assert pair["statistic"] == pytest.approx(z, rel=1e-4)
        assert pair["p_value"] == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-3)

    def test_turned_around_it_says_the_same(self):
        one = compare_fits(WORDS, models=["yule", "zeta"]).iloc[0]
        two = compare_fits(WORDS, models=["zeta", "yule"]).iloc[0]
        assert one["statistic"] == pytest.approx(-two["statistic"])
        assert one["favours"] == two["favours"] == "yule"

    def test_schwarz_charges_for_parameters(self):
        plain = compare_fits(SOME, models=["zeta", "nbd"]).iloc[0]
        charged = compare_fits(SOME, models=["zeta", "nbd"], correction="schwarz").iloc[0]
        spread = plain["loglik_ratio"] / plain["statistic"]
        assert charged["statistic"] - plain["statistic"] == pytest.approx(
            np.log(len(SOME)) / 2 / spread
        )
        assert charged["loglik_ratio"] == plain["loglik_ratio"]

    def test_the_likelihood_ratio_of_nested_laws(self):
        fits = fit_counts(
            SOME, models=["geometric", "nbd", "yule", "betageometric"], seed=1, n_bootstrap=0
        )
        height = fits.set_index("model")["loglik"]
        pairs = compare_fits(SOME, models=list(height.index)).set_index(["model", "other"])
        inside = pairs.loc["geometric", "nbd"]
        assert inside["statistic"] == pytest.approx(
            2 * (height["nbd"] - height["geometric"]), abs=1e-6
        )
        assert inside["p_value"] == pytest.approx(stats.chi2.sf(inside["statistic"], 1))
        edge = pairs.loc["geometric", "betageometric"]
        assert edge["p_value"] == pytest.approx(stats.chi2.sf(edge["statistic"], 1) / 2)

    def test_a_law_that_has_become_the_other_is_not_favoured(self):
        even = np.repeat([1, 2, 3, 4], [10, 40, 40, 10])
        pair = compare_fits(even, models=["poisson", "nbd"]).iloc[0]
        assert pair["p_value"] == 1
        assert pd.isna(pair["favours"])

    @pytest.mark.parametrize("truth", ["geometric", "zeta"])
    def test_favours_the_true_law_of_two(self, truth):
        data = drawn(truth, TYPICAL[truth], 1000, seed=4)
        counts = np.repeat(data.values, data.weights.astype(int))
        assert compare_fits(counts, models=["geometric", "zeta"])["favours"].tolist() == [truth]

    def test_nested_tests_keep_their_level(self):
        rng = np.random.default_rng(2)
        p_values = [
            compare_fits(rng.poisson(3, 300), models=["poisson", "nbd"], xmin=0)["p_value"][0]
            for _ in range(60)
        ]
        assert np.mean(np.array(p_values) < 0.1) == pytest.approx(0.1, abs=0.1)

    def test_refuses(self):
        with pytest.raises(
            ValueError, match=r"`models` must name at least two laws, got \['zeta'\]"
        ):
            compare_fits(SOME, models=["zeta", "zeta"])
        with pytest.raises(ValueError, match="`correction` must be one of"):
            compare_fits(SOME, correction="bonferroni")
        with pytest.raises(ValueError, match="at least 50 counts"):
            compare_fits(SOME[:20])
        with pytest.raises(ValueError, match="`confidence` must lie"):
            compare_fits(SOME, confidence=0)


class TestChooseXmin:
    def test_agrees_with_one_fit_at_a_time(self):
        table = choose_xmin(WORDS)
        for row in table.iloc[[0, 6, 40, -1]].itertuples():
            fit = fit_counts(WORDS, models=["zeta"], xmin=row.xmin, seed=1, n_bootstrap=0).iloc[0]
            assert fit["params"]["alpha"] == pytest.approx(row.alpha, rel=1e-5)
            assert fit["ks"] == pytest.approx(row.ks, abs=1e-6)
            assert fit["n"] == row.n
        assert table["ks"][table["is_chosen"]].tolist() == [table["ks"].min()]

    def test_finds_where_a_power_law_begins(self):
        rng = np.random.default_rng(3)
        tail = drawn("zeta", (2.5,), 3000, xmin=10, seed=3)
        head = rng.integers(1, 10, 6000)
        counts = np.append(head, np.repeat(tail.values, tail.weights.astype(int)))
        chosen = choose_xmin(counts).query("is_chosen").iloc[0]
        assert 8 <= chosen["xmin"] <= 14
        assert chosen["alpha"] == pytest.approx(2.5, abs=0.12)

    def test_leaves_enough_counts(self):
        table = choose_xmin(WORDS)
        assert table["n"].min() >= 50
        assert table["xmin"].is_monotonic_increasing
        assert choose_xmin(WORDS, max_xmin=5)["xmin"].tolist() == [1, 2, 3, 4, 5]

    def test_refuses(self):
        with pytest.raises(ValueError, match="at least 50 counts of 1 or more"):
            choose_xmin([1, 2, 3])
        with pytest.raises(
            ValueError, match="`max_xmin` must be a count that occurs or above it, got 1"
        ):
            choose_xmin(SOME + 3, max_xmin=1)
