"""The projection of a cohort, beside the law of counts it is and a search without its shortcuts."""

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy import optimize, special, stats

from toolkit.count_laws import LAWS, log_pmf, log_survival
from toolkit.projection import fit_retention, project_retention

CASES = tomllib.loads(Path(__file__).with_name("oracles").joinpath("projection.toml").read_text())
REGULAR = CASES["sbg-regular"]["left"]


def retention_of(left, **columns):
    """The rows of one cohort, as a retention table has them."""
    ages = np.arange(len(left))
    base = {"cohort": pd.Timestamp("2024-01-01"), "age": ages, "age_last": ages}
    base |= {"n_cohort": left[0], "n_retained": left, "is_complete": True}
    return pd.DataFrame(base | columns)


def survival(t, alpha, beta):
    return np.exp(special.betaln(alpha, beta + t) - special.betaln(alpha, beta))


def slow_loglik(left, alpha, beta):
    """Who left in each period, and who is left, by the integrals over the beta distribution."""
    left, t = np.array(left), np.arange(1, len(left))
    leaves = special.betaln(alpha + 1, beta + t - 1) - special.betaln(alpha, beta)
    return -np.diff(left) @ leaves + left[-1] * np.log(survival(t[-1], alpha, beta))


class TestFitRetention:
    @pytest.mark.parametrize("name", CASES)
    def test_gives_the_published_estimates(self, name):
        case = CASES[name]
        fit = fit_retention(case["left"]).iloc[0]
        digits = len(str(case["alpha"]).partition(".")[2])
        assert round(fit["alpha"], digits) == case["alpha"]
        assert round(fit["beta"], digits) == case["beta"]
        assert round(fit["loglik"], 3) == case["loglik"]

    def test_is_one_row_with_its_sizes(self):
        fit = fit_retention(REGULAR)
        assert fit.columns.tolist() == ["alpha", "beta", "loglik", "n_cohort", "n_periods"]
        assert fit[["n_cohort", "n_periods"]].to_numpy().tolist() == [[1000, 7]]

    @pytest.mark.parametrize("seed", range(8))
    def test_nothing_is_more_likely(self, seed):
        rng = np.random.default_rng(seed)
        lives = rng.geometric(rng.beta(*rng.uniform(0.3, 4, 2), size=400))
        left = [(lives > t).sum() for t in range(7)]
        fit = fit_retention(left).iloc[0]
        best = optimize.minimize(
            lambda x: -slow_loglik(left, *np.exp(x)), [0.0, 0.0], method="Nelder-Mead",
            options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 2000},
        )  # fmt: skip
        assert fit["loglik"] == pytest.approx(-best.fun, abs=1e-6)
        assert slow_loglik(left, fit["alpha"], fit["beta"]) == pytest.approx(fit["loglik"])
        assert np.log(fit[["alpha", "beta"]].astype(float)).tolist() == pytest.approx(
            best.x, abs=1e-3
        )

    def test_is_the_beta_geometric_law_of_counts_with_those_who_stay_censored(self):
        fit, law = fit_retention(REGULAR).iloc[0], LAWS["betageometric"]
        params = [np.array([fit["alpha"]]), np.array([fit["beta"]])]
        years = np.arange(1.0, 8)
        left_in = log_pmf(law, years, params, 1) @ -np.diff(REGULAR)
        stay = REGULAR[-1] * log_survival(law, np.array([8.0]), params, 1)[0]
        assert fit["loglik"] == pytest.approx(left_in + stay)

    @pytest.mark.parametrize("left", [[1000, 800, 640, 512, 410], [1000, 900, 700, 400, 100]])
    def test_viewers_who_are_best_taken_for_alike_give_a_geometric_law(self, left):
        fit = fit_retention(left).iloc[0]
        # One chance for all: those who left, over all who could have.
        p = (left[0] - left[-1]) / sum(left[:-1])
        lost, kept = left[0] - left[-1], sum(left[1:])
        assert fit["loglik"] == pytest.approx(lost * np.log(p) + kept * np.log(1 - p), abs=1e-3)
        if left[-1] == 100:
            assert fit[["alpha", "beta"]].tolist() == [np.inf, np.inf]

    def test_where_nobody_leaves_after_the_first_period_both_are_next_to_0(self):
        fit = fit_retention([100, 60, 60, 60]).iloc[0]
        assert 0 < fit["alpha"] < fit["beta"] < 1e-8
        assert fit["alpha"] / (fit["alpha"] + fit["beta"]) == pytest.approx(0.4)

    def test_periods_after_the_last_has_left_add_nothing(self):
        short, long = (fit_retention([100, 40, 9, *[0] * n]).iloc[0] for n in (1, 5))
        assert short[:3].tolist() == long[:3].tolist()

    @pytest.mark.parametrize("size", [1, 10**9])
    def test_a_million_times_as_many_viewers_have_the_same_law(self, size):
        left = np.array([1000, 631, 468, 382, 326]) * size
        fit = fit_retention(left).iloc[0]
        assert fit["alpha"] == pytest.approx(0.763665, abs=2e-6)
        assert fit["loglik"] == pytest.approx(-1401.55942 * size)

    @pytest.mark.parametrize(
        "hold",
        [
            list,
            tuple,
            np.array,
            pd.Series,
            lambda x: pd.Series(x, dtype="Int64"),
            lambda x: np.array(x, float),
            retention_of,
        ],
    )
    def test_counts_may_be_held_in_any_way(self, hold):
        assert_frame_equal(fit_retention(hold(REGULAR)), fit_retention(REGULAR))

    def test_of_a_table_the_order_does_not_matter_and_what_is_not_complete_is_not_used(self):
        table = retention_of([*REGULAR, 999], is_complete=[True] * 8 + [False])[::-1]
        before = table.copy(deep=True)
        assert_frame_equal(fit_retention(table), fit_retention(REGULAR))
        assert_frame_equal(table, before)

    @pytest.mark.parametrize(
        "table",
        [
            retention_of(REGULAR)[1:],
            retention_of(REGULAR).drop(index=3),
            pd.concat([retention_of(REGULAR)] * 2),
            retention_of(REGULAR, n_cohort=[1000] * 7 + [999]),
        ],
    )
    def test_a_table_of_anything_but_one_cohort_is_refused(self, table):
        message = "`retained` must be one cohort of one size, with a row for each age from 0 on"
        with pytest.raises(ValueError, match=message):
            fit_retention(table)

    def test_a_table_over_brackets_of_ages_is_refused(self):
        table = retention_of(REGULAR, age_last=np.arange(8) + 1)
        with pytest.raises(ValueError, match="`retained` must be one cohort of one size"):
            fit_retention(table)

    def test_a_missing_column_is_named(self):
        with pytest.raises(ValueError, match=r"`retained` must have .*missing \['n_retained'\]"):
            fit_retention(retention_of(REGULAR).drop(columns="n_retained"))

    def test_who_comes_back_is_refused(self):
        message = "`retained` must never rise, .*, found 40 and then 41 at age 3"
        with pytest.raises(ValueError, match=message):
            fit_retention([100, 60, 40, 41, 39, 45])

    @pytest.mark.parametrize(
        "left",
        [
            [100, 60.5, 40, 30],
            [100, np.nan, 40],
            [100, 60, 40, -1],
            ["100", "60"],
            [[100, 60]],
            5,
            [True] * 4,
            [np.inf, 60, 40, 30],
        ],
    )
    def test_what_is_no_count_is_refused(self, left):
        with pytest.raises(ValueError, match="`retained` must be whole numbers, 0 or more"):
            fit_retention(left)

    @pytest.mark.parametrize(
        "left",
        [
            [],
            [100, 60, 40],  # two periods for two parameters
            [100, 60, 0, 0, 0],  # nobody can leave after the second
            [49, 30, 20, 10],
            [100, 100, 100, 100],
        ],
    )
    def test_too_little_to_go_by_is_refused(self, left):
        with pytest.raises(ValueError, match="`retained` must start with at least 50 viewers, and"):
            fit_retention(left)
        with pytest.raises(ValueError, match="`retained` must start with at least 50 viewers, and"):
            project_retention(left, periods=1)

    @pytest.mark.parametrize("left", [[50, 30, 20, 10], [100, 60, 1, 0], [100, 100, 100, 99]])
    def test_just_enough_will_do(self, left):
        assert np.isfinite(fit_retention(left)["loglik"][0])
        curve = project_retention(left, periods=2)
        assert (curve["low"] <= curve["retention"]).all()
        assert (curve["retention"] <= curve["high"]).all()


class TestProjectRetention:
    def test_projects_the_published_shares(self):
        case = CASES["sbg-first-five"]
        curve = project_retention(case["left"], periods=4)
        assert curve["retention"][5:].round(3).tolist() == case["projected"]
        # What became of them in the end lies within.
        later = np.array(REGULAR[5:]) / 1000
        assert (curve["low"][5:8] < later).all()
        assert (later < curve["high"][5:8]).all()

    def test_has_a_row_for_each_age_seen_or_projected(self):
        curve = project_retention([100, 60, 50, 45], periods=2)
        expected = pd.DataFrame(
            {
                "age": range(6),
                "observed": [1.0, 0.6, 0.5, 0.45, np.nan, np.nan],
                "retention": curve["retention"],
                "low": curve["low"],
                "high": curve["high"],
                "is_projected": [False] * 4 + [True] * 2,
            }
        )
        assert_frame_equal(curve, expected)
        assert curve.loc[0, ["retention", "low", "high"]].tolist() == [1, 1, 1]

    def test_the_curve_is_the_survival_of_the_fitted_law(self):
        fit = fit_retention(REGULAR).iloc[0]
        curve = project_retention(REGULAR, periods=30)
        expected = survival(np.arange(38), fit["alpha"], fit["beta"])
        np.testing.assert_allclose(curve["retention"], expected, rtol=1e-9)

    @pytest.mark.parametrize("confidence", [0.5, 0.95])
    @pytest.mark.parametrize("left", [REGULAR, REGULAR[:5], [200, 150, 120, 101, 90, 84]])
    def test_the_interval_is_the_profile_likelihoods(self, left, confidence):
        fit, curve = (
            fit_retention(left).iloc[0],
            project_retention(left, periods=3, confidence=confidence),
        )
        start = np.log(fit[["alpha", "beta"]].to_numpy(float))
        least = fit["loglik"] - stats.chi2.ppf(confidence, 1) / 2
        within = {"type": "ineq", "fun": lambda x: slow_loglik(left, *np.exp(x)) - least}
        for age in (1, len(left) - 1, len(left) + 2):
            for sign, end in ((1, "low"), (-1, "high")):
                found = optimize.minimize(
                    lambda x, sign=sign, age=age: sign * survival(age, *np.exp(x)), start,
                    constraints=[within], method="SLSQP", options={"ftol": 1e-12, "maxiter": 500},
                )  # fmt: skip
                assert curve[end][age] == pytest.approx(sign * found.fun, abs=2e-5)

    @pytest.mark.parametrize(
        "left",
        [
            [100, 90, 70, 40, 10],
            [100, 60, 60, 60, 60],
            [100, 60, 60, 60, 59],
            [100, 1, 1, 0, 0],
            [100, 99, 99, 99],
        ],
    )
    def test_at_the_edges_of_the_law_the_interval_holds_it_and_widens(self, left):
        curve = project_retention(left, periods=20)
        assert (curve["low"] <= curve["retention"]).all()
        assert (curve["retention"] <= curve["high"]).all()
        assert (curve["low"][1:] < curve["high"][1:]).all()
        for name in ("retention", "low", "high"):
            assert (curve[name].diff()[1:] <= 0).all()

    def test_a_hundred_times_the_viewers_narrow_it_tenfold(self):
        left = np.array([1000, 631, 468, 382, 326])
        few, many = (project_retention(left * n, periods=4) for n in (1, 100))
        ratio = (few["high"] - few["low"]) / (many["high"] - many["low"])
        assert ratio[1:].between(9.8, 10.2).all()

    def test_of_a_huge_cohort_it_is_still_found(self):
        left = np.array([1000, 631, 468, 382, 326]) * 10**7
        curve = project_retention(left, periods=4)
        width = curve["high"] - curve["low"]
        assert width[1:].between(1e-6, 1e-3).all()
        assert (curve["low"] <= curve["retention"]).all()
        assert (curve["retention"] <= curve["high"]).all()

    def test_the_interval_covers_the_curve_about_as_often_as_it_says(self):
        rng, covers = np.random.default_rng(3), []
        for alpha, beta, n in ((0.7, 1.2, 60), (0.7, 1.2, 600), (3.0, 10.0, 60), (3.0, 10.0, 600)):
            true = survival(np.arange(10), alpha, beta)
            for _ in range(25):
                lives = rng.geometric(rng.beta(alpha, beta, n))
                curve = project_retention([(lives > t).sum() for t in range(6)], periods=4)
                covers.append((curve["low"] <= true) & (true <= curve["high"]))
        # 100 cohorts: the standard error of each age is 2.2 percent.
        covers = np.mean(covers, axis=0)[1:]
        assert (covers > 0.88).all()
        assert 0.91 < covers.mean() < 0.99

    @pytest.mark.parametrize("periods", [0, -1, 1.5, "4"])
    def test_periods_are_a_whole_number_of_them(self, periods):
        with pytest.raises(ValueError, match="`periods` must be a whole number, 1 or more, got"):
            project_retention(REGULAR, periods=periods)

    @pytest.mark.parametrize("confidence", [0, 1, 95])
    def test_confidence_is_a_share(self, confidence):
        with pytest.raises(ValueError, match=r"`confidence` must lie in \(0, 1\), got"):
            project_retention(REGULAR, periods=1, confidence=confidence)


def test_every_case_is_used_and_names_its_source():
    for name, case in CASES.items():
        assert name.startswith("sbg-")
        assert case["source"]
