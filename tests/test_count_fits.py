"""Fits of laws and their comparison, beside slow loops and published numbers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from scipy import optimize, stats

from tests.counts import CASES, SOME, TYPICAL, WORDS, arrays, counts_of, drawn, sample
from toolkit import power_laws
from toolkit.count_fits import compare_fits, fit_counts
from toolkit.count_laws import LAWS, log_pmf, log_survival
from toolkit.likelihood import best_fit, logliks
from toolkit.power_laws import choose_xmin, fit_power_law
from toolkit.rewatch import count_viewings


def of_accounts(seed):
    """Simulated counts of 40 accounts, each with a habit of its own."""
    rng = np.random.default_rng(seed)
    account = rng.integers(0, 40, 500)
    n_viewings = rng.geometric(rng.uniform(0.15, 0.9, 40)[account])
    return pd.DataFrame({"account": account, "n_viewings": n_viewings})


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

    def test_viewers_who_never_watched_are_part_of_ehrenbergs_nbd(self):
        case = CASES["nbd-billboard"]
        n_viewings = counts_of(case)
        viewings = pd.DataFrame({"viewer": np.repeat(np.arange(250), n_viewings), "title": 1})
        viewers = pd.DataFrame({"viewer": np.arange(250)})
        counts = count_viewings(viewings, by=None, viewers=viewers)
        fit = fit_counts(counts, models="nbd", xmin=0, seed=1, n_bootstrap=0).iloc[0]
        assert (fit["n"], round(fit["params"]["r"], 3)) == (250, case["r"])

    def test_the_people_that_titles_reach_are_counts_too(self):
        people = np.random.default_rng(1).logseries(0.9, 300)
        viewings = pd.DataFrame(
            {
                "viewer": np.concatenate([np.arange(n) for n in people]),
                "title": np.repeat(np.arange(300), people),
            }
        )
        counts = count_viewings(pd.concat([viewings, viewings[::3]]))
        reach = counts.groupby("title", observed=True)["account"].nunique()
        fit = fit_counts(reach, models="logseries", seed=1, n_bootstrap=0).iloc[0]
        assert fit["n"] == 300
        assert fit["params"]["q"] == pytest.approx(0.9, abs=0.03)

    def test_intervals_by_account_agree_with_one_resample_at_a_time(self):
        counts = of_accounts(seed=5)
        counts["account"] *= 3
        owned = {a: some["n_viewings"].to_numpy() for a, some in counts.groupby("account")}
        options = {"models": ["geometric"], "seed": 4, "n_bootstrap": 2000, "confidence": 0.9}
        fit = fit_counts(counts, independent="accounts", **options).iloc[0]
        rng = np.random.default_rng(1)
        slow = [
            1 / np.concatenate([owned[a] for a in rng.choice(list(owned), len(owned))]).mean()
            for _ in range(2000)
        ]
        ends = [fit["low"]["p"], fit["high"]["p"]]
        assert ends == pytest.approx(np.quantile(slow, [0.05, 0.95]), abs=0.006)

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
        together = fit_counts(counts, independent="accounts", **options).iloc[0]
        width = [fit["high"]["p"] - fit["low"]["p"] for fit in (alone, together)]
        assert width[1] > 1.5 * width[0]
        assert together["low"]["p"] < together["params"]["p"] < together["high"]["p"]

    def test_intervals_by_account_agree_with_the_profile_where_each_count_is_one(self):
        counts = np.random.default_rng(2).geometric(0.4, 400)
        counts = pd.DataFrame({"account": np.arange(400), "n_viewings": counts})
        options = {"models": ["geometric"], "seed": 1, "n_bootstrap": 1000}
        fits = [
            fit_counts(counts, independent=i, **options).iloc[0] for i in ("counts", "accounts")
        ]
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
        fit_counts(frame, models=["zeta"], seed=1, n_bootstrap=20, independent="accounts")
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
            ([1.5, *SOME], {}, r"whole numbers from 0 to 10\^9, found 1\.5"),
            ([-1, *SOME], {}, r"from 0 to 10\^9, found -1\.0"),
            ([np.nan, *SOME], {}, "found nan"),
            ([np.inf, *SOME], {}, "found inf"),
            ([10**9 + 1, *SOME], {}, r"found 1000000001\.0"),
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
            (SOME, {"independent": "viewers"}, "`independent` must be one of"),
            (pd.DataFrame({"n_viewings": np.arange(190) % 9, "account": np.arange(190) % 19}),
             {"independent": "accounts"}, "at least 20 apart .* found 19"),
            (pd.DataFrame({"n_viewings": np.arange(200) % 9, "account": np.arange(200) % 20}),
             {"independent": "accounts", "n_bootstrap": 0}, "`n_bootstrap` must be .*, 1 or more"),
            (pd.DataFrame({"n_viewings": np.arange(60) % 9, "account": ["a", None] * 30}),
             {}, "`account` must be there on every row that is used; 30 are missing"),
            (SOME, {"independent": "accounts"}, "at least 20 apart .* found 0"),
        ],
    )  # fmt: skip
    def test_refuses_in_a_sentence(self, counts, options, message):
        with pytest.raises(ValueError, match=message) as error:
            fit_counts(counts, **({"seed": 1, "models": ["geometric"]} | options))
        assert str(error.value).count("\n") == 0

    def test_a_thousand_million_is_no_more_than_a_large_count(self):
        fit = fit_counts([10**9, *SOME], models="yule", seed=1, n_bootstrap=0).iloc[0]
        assert fit["n"] == len(SOME) + 1
        assert np.isfinite(fit["loglik"])

    def test_fifty_counts_of_three_values_are_enough(self):
        assert len(fit_counts(np.repeat([1, 2, 3], [30, 15, 5]), seed=1, n_bootstrap=0)) == len(
            LAWS
        )

    @settings(max_examples=8, deadline=None, derandomize=True)
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

    @pytest.mark.parametrize("correction", [None, "schwarz"])
    def test_between_accounts_z_agrees_with_a_slow_loop(self, correction):
        counts = of_accounts(seed=2)
        used = counts[counts["n_viewings"] >= 2]
        models = ["geometric", "lognormal"]
        fits = fit_counts(used, models=models, xmin=2, seed=1, n_bootstrap=0)
        k = used["n_viewings"].to_numpy(dtype="float64")
        logs = [
            log_pmf(LAWS[fit.model], k, arrays(fit.params.values()), 2) for fit in fits.itertuples()
        ]
        apart = logs[0] - logs[1]
        sums = dict.fromkeys(used["account"], 0.0)
        for account, difference in zip(used["account"], apart, strict=True):
            sums[account] += difference - apart.mean()
        spread = sum(total**2 for total in sums.values()) ** 0.5
        # The geometric has one parameter, the lognormal two.
        charge = -np.log(len(k)) / 2 if correction else 0
        pair = compare_fits(
            counts, models=models, xmin=2, independent="accounts", correction=correction
        ).iloc[0]
        z = (apart.sum() - charge) / spread
        assert pair["statistic"] == pytest.approx(z, rel=1e-4)
        assert pair["p_value"] == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-3)
        assert pair["loglik_ratio"] == pytest.approx(apart.sum())
        assert pair["n"] == len(k)

    def test_accounts_of_one_count_each_are_counts(self):
        counts = pd.DataFrame({"n_viewings": SOME, "account": np.arange(len(SOME))[::-1]})
        options = {"models": ["yule", "geometric", "zeta"]}
        assert_frame_equal(
            compare_fits(counts, independent="accounts", **options),
            compare_fits(counts, **options),
        )

    def test_accounts_that_repeat_themselves_tell_laws_apart_less_well(self):
        once = pd.DataFrame({"n_viewings": SOME, "account": np.arange(len(SOME))})
        often = pd.concat([once] * 9)
        options = {"models": ["geometric", "yule"]}
        z = [
            compare_fits(counts, independent=what, **options)["statistic"][0]
            for counts, what in ((once, "counts"), (often, "counts"), (often, "accounts"))
        ]
        assert z[1] == pytest.approx(3 * z[0], rel=1e-4)
        assert z[2] == pytest.approx(z[0], rel=1e-4)

    def test_between_accounts_a_nested_pair_has_no_p_value(self):
        counts = of_accounts(seed=3)
        models = ["geometric", "nbd", "betageometric"]
        alone, together = (
            compare_fits(counts, models=models, independent=what) for what in ("counts", "accounts")
        )
        nested = alone["test"] == "likelihood ratio"
        assert nested.tolist() == [True, True, False]
        assert together.loc[nested, "p_value"].isna().all()
        assert together.loc[nested, "favours"].isna().all()
        assert alone["p_value"].notna().all()
        columns = ["model", "other", "test", "loglik_ratio"]
        assert_frame_equal(together[columns], alone[columns])

    def test_turned_around_it_says_the_same(self):
        one = compare_fits(WORDS, models=["yule", "zeta"]).iloc[0]
        two = compare_fits(WORDS, models=["zeta", "yule"]).iloc[0]
        assert one["statistic"] == pytest.approx(-two["statistic"])
        assert one["favours"] == two["favours"] == "yule"

    def test_favours_what_the_confidence_allows(self):
        p_value = compare_fits(SOME, models=["geometric", "yule"])["p_value"][0]
        assert 0.01 < p_value < 0.4
        for change, favours in ((-1e-6, "yule"), (1e-6, None)):
            pair = compare_fits(
                SOME, models=["geometric", "yule"], confidence=1 - p_value + change
            ).iloc[0]
            assert pd.isna(pair["favours"]) == (favours is None)

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

    @pytest.mark.parametrize(
        ("model", "other", "at_edge"),
        [
            ("poisson", "nbd", True),
            ("geometric", "nbd", False),
            ("logseries", "nbd", True),
            ("geometric", "betageometric", True),
            ("yule", "betageometric", False),
            ("zeta", "truncated_zeta", True),
            ("geometric", "truncated_zeta", False),
            ("logseries", "truncated_zeta", False),
        ],
    )
    def test_half_the_tail_where_the_smaller_law_is_at_the_edge(self, model, other, at_edge):
        pair = compare_fits(SOME, models=[other, model]).iloc[0]
        assert (pair["model"], pair["other"]) == (model, other)
        assert pair["statistic"] > 0.01
        tail = stats.chi2.sf(pair["statistic"], 1)
        assert pair["p_value"] == pytest.approx(tail / 2 if at_edge else tail)

    def test_a_law_that_has_become_the_other_is_not_favoured(self):
        even = np.repeat([1, 2, 3, 4], [10, 40, 40, 10])
        pair = compare_fits(even, models=["poisson", "nbd"]).iloc[0]
        assert pair["p_value"] == 1
        assert pd.isna(pair["favours"])

    @pytest.mark.parametrize("truth", ["geometric", "zeta"])
    def test_favours_the_true_law_of_two(self, truth):
        data = drawn(truth, TYPICAL[truth], 1000, seed=4)
        counts = np.repeat(data.k, data.weights.astype(int))
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
        with pytest.raises(ValueError, match="`independent` must be one of"):
            compare_fits(SOME, independent="viewers")
        with pytest.raises(ValueError, match=r"at least 20 apart .* found 0"):
            compare_fits(SOME, independent="accounts")
        same = pd.DataFrame({"n_viewings": [1, 2, 5] * 20, "account": np.repeat(range(20), 3)})
        with pytest.raises(ValueError, match="differ between accounts, found the same in each"):
            compare_fits(same, independent="accounts")


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
        zeta, other = (log_pmf(LAWS[law], words.k, fitted[law], 7) for law in ("zeta", name))
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

    def test_words_may_well_follow_a_power_law(self, monkeypatch):
        case = CASES["powerlaw-words"]
        exact = fit_power_law(WORDS, seed=1, n_bootstrap=40)["p_value"][0]

        def in_steps(law, data):
            (alpha,), height = best_fit(law, data)
            return (alpha.round(2),), height

        # As the authors' own program does, which tries exponents in steps of 0.01.
        monkeypatch.setattr(power_laws, "best_fit", in_steps)
        in_steps = fit_power_law(WORDS, seed=1, n_bootstrap=40)["p_value"][0]
        # 4 standard errors of 40 samples.
        assert in_steps == pytest.approx(case["p_value"], abs=0.32)
        assert exact == pytest.approx(case["p_value_exact"], abs=0.32)

    def test_every_case_is_used_and_names_its_source(self):
        tests = Path(__file__).read_text()
        for name, case in CASES.items():
            assert f'"{name}"' in tests
            assert case["source"]
