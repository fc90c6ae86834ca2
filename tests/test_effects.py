"""Effects that are planted are found, those that are not are not; and what others compute."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from scipy import stats
from statsmodels.discrete.discrete_model import NegativeBinomial

from toolkit.effects import (
    counterfactual,
    find_changepoints,
    interrupted_series,
    placebo_effects,
)
from toolkit.loaders.panels import load_title_panel

REAL = Path(__file__).parents[2] / "shared" / "data" / "netflix_top10_global.tsv"
FAMILIES = ["poisson", "quasipoisson", "negative_binomial", "lognormal"]


def noise(rng, n, rho, sd):
    """An autoregression of first order, from its stationary law."""
    steps = rng.normal(size=n) * sd * np.sqrt(1 - rho**2)
    steps[0] = rng.normal() * sd
    for i in range(1, n):
        steps[i] += rho * steps[i - 1]
    return steps


def simulated(seed, n=60, level=0.0, slope=0.0, rho=0.0, sd=0.0, base=100, week=0.0):
    """Daily counts with a change on the middle day, whose date comes with them."""
    rng = np.random.default_rng(seed)
    days = pd.date_range("2024-01-01", periods=n)
    time = np.arange(n) - n // 2
    log_mean = np.log(base) + 0.003 * time + noise(rng, n, rho, sd) - sd**2 / 2
    log_mean += week * np.sin(2 * np.pi * np.arange(n) / 7)
    log_mean += (time >= 0) * (level + slope * time)
    return pd.Series(rng.poisson(np.exp(log_mean)), days), days[n // 2]


def design(n, first, season=None):
    """The columns of the model in the order 1, level, trend, slope, season."""
    time = np.arange(n) - first
    after = time >= 0
    seasons = [np.arange(n) % season == part for part in range(1, season or 1)]
    return np.column_stack([np.ones(n), after, time, after * time, *seasons]).astype("float64")


def by_term(table):
    return table.set_index("term")


class TestWhatOthersCompute:
    @pytest.mark.parametrize("season", [None, 7])
    def test_ordinary_least_squares_of_logarithms_with_newey_west(self, season):
        series, at = simulated(1, level=0.3, week=0.2)
        fit = sm.OLS(np.log(series.to_numpy()), design(60, 30, season)).fit(
            cov_type="HAC", cov_kwds={"maxlags": 4}
        )
        found = by_term(
            interrupted_series(series, at=at, family="lognormal", season=season, lags=4)
        )
        for term, column in (("level", 1), ("slope", 3), ("trend", 2)):
            expected = [fit.params[column], *fit.conf_int()[column]]
            assert np.log(found.loc[term, ["estimate", "low", "high"]].astype(float)).tolist() == (
                pytest.approx(expected)
            )
            assert found.loc[term, "p_value"] == pytest.approx(fit.pvalues[column])

    @pytest.mark.parametrize(("family", "scale"), [("poisson", 1), ("quasipoisson", "X2")])
    def test_poisson_and_quasi_poisson_of_independent_periods(self, family, scale):
        series, at = simulated(2, level=0.3, sd=0.2)
        fit = sm.GLM(series.to_numpy(), design(60, 30), family=sm.families.Poisson())
        fit = fit.fit(scale=scale)
        found = by_term(interrupted_series(series, at=at, family=family, lags=0, confidence=0.9))
        for term, column in (("level", 1), ("slope", 3), ("trend", 2)):
            wide = stats.t.ppf(0.95, 56) * fit.bse[column]
            expected = np.exp(fit.params[column] + np.array([0, -wide, wide]))
            row = found.loc[term, ["estimate", "low", "high"]].astype(float)
            assert row.tolist() == pytest.approx(expected.tolist())

    @pytest.mark.parametrize("lags", [1, 3])
    def test_poisson_with_newey_west(self, lags):
        series, at = simulated(3, level=0.3, sd=0.2)
        fit = sm.GLM(series.to_numpy(), design(60, 30), family=sm.families.Poisson()).fit(
            cov_type="HAC", cov_kwds={"maxlags": lags}
        )
        found = by_term(interrupted_series(series, at=at, lags=lags)).loc["level"]
        assert np.log([found["low"], found["high"]]) == pytest.approx(fit.conf_int()[1])

    def test_a_negative_binomial_by_maximum_likelihood(self):
        series, at = simulated(4, n=200, level=0.3, sd=0.3)
        fit = NegativeBinomial(series.to_numpy(), design(200, 100)).fit(disp=False, maxiter=500)
        found = by_term(interrupted_series(series, at=at, family="negative_binomial", lags=0))
        row = found.loc["level"]
        assert np.log(row["estimate"]) == pytest.approx(fit.params[1], abs=1e-4)
        law = sm.families.NegativeBinomial(alpha=fit.params[-1])
        known = sm.GLM(series.to_numpy(), design(200, 100), family=law).fit(scale="X2")
        half = stats.t.ppf(0.975, 196) * known.bse[1]
        assert np.log(row["high"] / row["estimate"]) == pytest.approx(half, rel=1e-3)

    def test_a_negative_binomial_of_no_more_than_a_poisson_variance_is_one(self):
        series, at = simulated(6, n=100)
        calm = series.clip(95, 105)
        assert_frame_equal(
            interrupted_series(calm, at=at, family="negative_binomial"),
            interrupted_series(calm, at=at, family="quasipoisson"),
            rtol=1e-4,
        )

    def test_several_series_summed_over_before_lags(self):
        series, at = simulated(5, level=0.3, sd=0.1)
        control, _ = simulated(6, level=0.1, sd=0.1)
        one = design(60, 30)
        x = np.block([[one, one[:, [1, 3]]], [0 * one, one[:, [1, 3]]]])
        x = np.column_stack(
            [x, np.repeat([0, 1], 60), np.tile(one[:, 2], 2) * np.repeat([0, 1], 60)]
        )
        y = np.log(np.concatenate([series, control]))
        fit = sm.OLS(y, x).fit(
            cov_type="hac-groupsum",
            cov_kwds={"time": np.tile(np.arange(60), 2), "maxlags": 4, "use_correction": False},
        )
        found = by_term(
            interrupted_series(series, at=at, family="lognormal", controls=control, lags=4)
        )
        for term, column in {
            "level": 1, "slope": 3, "level_of_controls": 4, "slope_of_controls": 5,
        }.items():  # fmt: skip
            expected = [fit.params[column], *fit.conf_int()[column]]
            row = found.loc[term, ["estimate", "low", "high"]].astype(float)
            assert np.log(row).tolist() == pytest.approx(expected)

    def test_errors_that_are_autoregressive_by_the_sandwich_written_out(self):
        series, at = simulated(7, level=0.3, sd=0.3, rho=0.8)
        x = design(60, 30)
        y = np.log(series.to_numpy())
        beta = np.linalg.solve(x.T @ x, x.T @ y)
        off = y - x @ beta
        rho = (off[1:] @ off[:-1]) / (off @ off) + 4 / 60
        assert 0.2 < rho < 0.8
        between = np.array([[rho ** abs(i - j) for j in range(60)] for i in range(60)])
        bread = np.linalg.inv(x.T @ x)
        cov = bread @ x.T @ (off @ off / 56 * between) @ x @ bread
        half = stats.t.ppf(0.975, 56) * np.sqrt(cov[1, 1])
        row = by_term(interrupted_series(series, at=at, family="lognormal")).loc["level"]
        assert np.log(row["high"] / row["estimate"]) == pytest.approx(half)
        assert np.log(row["estimate"] / row["low"]) == pytest.approx(half)

    def test_series_that_scatter_unlike_and_together(self):
        rng = np.random.default_rng(24)
        shared = noise(rng, 60, 0.6, 0.1)
        days = pd.date_range("2024-01-01", periods=60)
        logs = [5 + shared + rng.normal(0, 0.02, 60), 3 + 4 * shared + rng.normal(0, 0.1, 60)]
        one = design(60, 30)
        x = np.block([[one, one[:, [1, 3]]], [0 * one, one[:, [1, 3]]]])
        own = np.kron([[0], [1]], one[:, [0, 2]])
        x = np.column_stack([x, own])
        y = np.concatenate(logs)
        off = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
        both = off.reshape(2, 60)
        rho = (both[:, 1:] * both[:, :-1]).sum() / (both**2).sum() + 4 / 60
        assert rho < 0.95
        within = np.cov(both) * 59 / 56
        assert within[1, 1] > 5 * within[0, 0]
        between = np.array([[rho ** abs(i - j) for j in range(60)] for i in range(60)])
        bread = np.linalg.inv(x.T @ x)
        cov = bread @ x.T @ np.kron(within, between) @ x @ bread
        half = stats.t.ppf(0.975, 56) * np.sqrt(np.diag(cov))
        series, control = (pd.Series(np.exp(log), days) for log in logs)
        found = by_term(
            interrupted_series(series, at=days[30], family="lognormal", controls=control)
        )
        wide = np.log(found["high"] / found["estimate"])
        terms = ["level", "trend", "slope", "level_of_controls", "slope_of_controls"]
        assert wide[terms].tolist() == pytest.approx(half[1:6].tolist())

    def test_days_that_alternate_do_not_make_it_surer(self):
        days = pd.date_range("2024-01-01", periods=40)
        series = pd.Series(np.where(np.arange(40) % 2, 90, 110) + np.arange(40) % 3, days)
        found = interrupted_series(series, at=days[20])
        assert_frame_equal(found, interrupted_series(series, at=days[20], lags=0))


def shares(settings, n_series, **how):
    """How often, over series of these settings, each interval holds and each p is below 0.05."""
    held = []
    for seed in range(n_series):
        series, at = simulated(seed, **settings)
        found = by_term(interrupted_series(series, at=at, **how))
        level, slope = np.exp(settings.get("level", 0)), np.exp(settings.get("slope", 0))
        held.append(
            (
                found.loc["level", "low"] < level < found.loc["level", "high"],
                found.loc["slope", "low"] < slope < found.loc["slope", "high"],
                found.loc["level", "p_value"] < 0.05,
            )
        )
    return np.mean(held, axis=0)


PLANTED = [
    {"n": 60, "level": 0.4, "slope": 0.01},
    {"n": 100, "level": 0.4, "slope": -0.01, "sd": 0.15, "rho": 0.3},
    {"n": 100, "level": -0.4, "sd": 0.15, "rho": 0.5, "base": 30},
    {"n": 140, "level": 0.3, "sd": 0.1, "rho": 0.2, "base": 10},
]


class TestRecovery:
    def test_intervals_hold_what_was_planted(self):
        held = np.array([shares(planted, 150) for planted in PLANTED])
        # 600 series: a share of 0.95 has a standard deviation of 0.009.
        assert 0.92 < held[:, 0].mean() < 0.98
        assert 0.92 < held[:, 1].mean() < 0.98
        assert held[:, 0].min() > 0.88
        # And what was planted is found.
        assert held[:, 2].min() > 0.6

    def test_what_is_absent_is_not_found_unless_days_are_taken_for_independent(self):
        settings = {"n": 80, "sd": 0.15, "rho": 0.6}
        honest = shares(settings, 150)[2]
        plain = shares(settings, 150, family="poisson", lags=0)[2]
        scaled = shares(settings, 150, lags=0)[2]
        newey_west = shares(settings, 150, lags=4)[2]
        assert honest < 0.09
        assert newey_west > 0.12
        assert plain > 0.3
        assert scaled > 0.12

    def test_plain_poisson_is_right_where_counts_are(self):
        assert 0.01 < shares({"n": 60}, 200, family="poisson", lags=0)[2] < 0.1

    @pytest.mark.parametrize("family", FAMILIES)
    def test_every_family_finds_a_ratio(self, family):
        series, at = simulated(8, n=200, level=np.log(1.5), sd=0.1, week=0.3)
        row = by_term(interrupted_series(series, at=at, family=family, season=7)).loc["level"]
        assert row["low"] < 1.5 < row["high"]
        assert row["low"] > 1.25
        assert row["high"] < 1.8
        assert row["p_value"] < 1e-6

    def test_a_change_that_the_controls_share_is_none(self):
        found, wide = [], []
        for seed in range(60):
            rng = np.random.default_rng(seed)
            both = 0.3 * (np.arange(60) >= 30) + noise(rng, 60, 0.4, 0.15)
            days = pd.date_range("2024-01-01", periods=60)
            series, *others = (
                pd.Series(rng.poisson(base * np.exp(both)), days) for base in (80, 200, 50)
            )
            others = pd.DataFrame({"a": others[0], "b": others[1]})
            controlled = by_term(interrupted_series(series, at=days[30], controls=others))
            alone = by_term(interrupted_series(series, at=days[30]))
            found.append(
                (controlled.loc["level", "p_value"] < 0.05, alone.loc["level", "p_value"] < 0.05)
            )
            wide.append(
                [t.loc["level", "high"] / t.loc["level", "low"] for t in (controlled, alone)]
            )
        controlled, alone = np.mean(found, axis=0)
        assert controlled < 0.15
        assert alone > 0.4
        assert np.median(wide, axis=0)[0] < 0.9 * np.median(wide, axis=0)[1]


class TestInterruptedSeries:
    @settings(max_examples=20, deadline=None)
    @given(st.integers(0, 1000), st.sampled_from(["quasipoisson", "lognormal"]), st.booleans())
    def test_units_and_dates_do_not_matter(self, seed, family, trend):
        series, at = simulated(seed, n=40, sd=0.2)
        asked = {"family": family, "trend": trend, "season": 5}
        found = interrupted_series(series, at=at, **asked)
        assert_frame_equal(interrupted_series(series * 7.5, at=at, **asked), found, rtol=1e-6)
        weeks = pd.date_range("2019-02-01", periods=40, freq="W")
        later = pd.Series(series.to_numpy(), weeks)
        assert_frame_equal(interrupted_series(later, at=weeks[20], **asked), found)

    def test_the_first_period_on_or_after_the_date_is_the_first_after(self):
        series, _ = simulated(9, n=30)
        weeks = series.set_axis(pd.date_range("2024-01-07", periods=30, freq="W"))
        one = interrupted_series(weeks, at=weeks.index[12])
        assert_frame_equal(
            interrupted_series(weeks, at=weeks.index[12] - pd.Timedelta(days=6)), one
        )
        assert not interrupted_series(weeks, at="2024-04-01").equals(
            interrupted_series(weeks, at="2024-04-08")
        )

    def test_without_a_trend_the_level_is_the_ratio_of_the_means(self):
        series, at = simulated(10, sd=0.2)
        found = interrupted_series(series, at=at, trend=False)
        assert found["term"].tolist() == ["level"]
        means = series[at:].mean() / series[: at - pd.Timedelta(days=1)].mean()
        assert found["estimate"][0] == pytest.approx(means)

    def test_an_exact_change_is_told_exactly(self):
        time = np.arange(20) - 10
        after = time >= 0
        log = 3 + 0.02 * time + after * (0.5 - 0.03 * time) + 0.1 * (np.arange(20) % 2)
        log[7] += 1e-5
        series = pd.Series(np.exp(log), pd.date_range("2024-01-01", periods=20))
        found = by_term(interrupted_series(series, at="2024-01-11", family="lognormal", season=2))
        assert np.log(found["estimate"]).tolist() == pytest.approx([0.5, -0.03, 0.02], abs=2e-5)

    @pytest.mark.parametrize("freq", ["D", "W", "MS", "ME", "YS", "h"])
    def test_days_weeks_months_and_years_are_equally_spaced(self, freq):
        index = pd.date_range("2024-01-01", periods=20, freq=freq)
        series = pd.Series(np.arange(20) % 3 + 5.0, index)
        assert len(interrupted_series(series, at=index[10])) == 3

    def test_more_confidence_is_wider(self):
        series, at = simulated(11)
        narrow, wide = (
            by_term(interrupted_series(series, at=at, confidence=c)).loc["level"]
            for c in (0.8, 0.99)
        )
        assert wide["low"] < narrow["low"] < narrow["high"] < wide["high"]
        assert wide["p_value"] == narrow["p_value"]

    def test_the_input_is_left_alone(self):
        series, at = simulated(12)
        copy = series.copy()
        counterfactual(series, at=at, season=7, controls=series * 2)
        pd.testing.assert_series_equal(series, copy)

    @pytest.mark.parametrize(
        ("change", "asked", "message"),
        [
            (lambda s: s.drop(s.index[3]), {}, "a row for each .* equally spaced .* found 29 rows"),
            (lambda s: s[::-1], {}, "in order, found 30 rows"),
            (lambda s: s[:2], {}, "three or more equally spaced"),
            (lambda s: s.reset_index(drop=True), {}, "found 30 rows of int64"),
            (lambda s: s.astype(float).where(s.index != s.index[4]), {}, "0 or more in every period, found nan at 2024-01-05"),
            (lambda s: -s, {}, "`series` must be 0 or more in every period, found -"),
            (lambda s: s.where(s.index != s.index[4], 0), {"family": "lognormal"}, "above 0 in every period, found 0"),
            (lambda s: s.where(s.index < "2024-01-16", 0), {}, "above 0 from the event on, found 0"),
            (lambda s: s.where(s.index >= "2024-01-16", 0), {}, "above 0 before the event, found 0"),
            (lambda s: s.where(np.arange(30) % 7 != 2, 0), {"season": 7}, "above 0 in part 3 of the season"),
            (lambda s: s, {"at": "2024-01-01"}, "`at` must lie after the first"),
            (lambda s: s, {"at": "2024-01-31"}, "not after the last period, 2024-01-01 and 2024-01-30"),
            (lambda s: s, {"at": "2024-01-29"}, "3 periods or more before and from the event on, .* found 28, 2 and 4"),
            (lambda s: s, {"at": "2024-01-30", "trend": False}, "found 29, 1 and 2"),
            (lambda s: s[:16], {"season": 14, "trend": False}, "found 15, 1 and 15 terms"),
            (lambda s: s[:16], {"season": 13, "at": "2024-01-10"}, "more than there are terms, found 9, 7 and 16 terms"),
            (lambda s: s[:16], {"season": 14, "at": "2024-01-10", "trend": False}, "found 9, 7 and 15 terms"),
            (lambda s: s[:20], {"season": 15, "at": "2024-01-11"}, "to tell it from the change, found 20 periods and a season of 15"),
            (lambda s: s * 0 + 5, {}, "vary beyond what the terms tell, found one that the 4 terms"),
            (lambda s: s, {"season": 4}, "the 7 terms tell exactly"),
            (lambda s: s, {"family": "normal"}, "`family` must be one of"),
            (lambda s: s, {"season": 1}, "`season` must be a whole number, 2 or more"),
            (lambda s: s, {"lags": -1}, "`lags` must be a whole number, 0 or more"),
            (lambda s: s, {"confidence": 95}, r"`confidence` must lie in \(0, 1\)"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_told_is_refused(self, change, asked, message):
        series = pd.Series(np.arange(30) % 4 + 9, pd.date_range("2024-01-01", periods=30))
        with pytest.raises(ValueError, match=message):
            interrupted_series(change(series), **({"at": "2024-01-16"} | asked))

    def test_as_few_periods_as_there_may_be(self):
        series, _ = simulated(26, n=16)
        assert len(interrupted_series(series, at=series.index[9], season=13, trend=False)) == 1
        assert len(interrupted_series(series[:6], at=series.index[3])) == 3
        assert len(interrupted_series(series[:4], at=series.index[2], trend=False)) == 1

    def test_controls_of_other_periods_or_without_viewing_are_refused(self):
        series, at = simulated(13, n=30)
        with pytest.raises(ValueError, match="`controls` must have the periods of `series`"):
            interrupted_series(series, at=at, controls=series[1:])
        with pytest.raises(ValueError, match="above 0 before the event"):
            interrupted_series(series, at=at, controls=series.where(series.index >= at, 0))
        with pytest.raises(ValueError, match="`controls` must be 0 or more in every period"):
            interrupted_series(series, at=at, controls=-series)
        with pytest.raises(ValueError, match="found one that the 8 terms tell exactly"):
            interrupted_series(series, at=at, controls=series * 0 + 5)


def extra(seed, ratio=1.3, n=60, rho=0.4, sd=0.12, base=80):
    """A series with people added from its middle on, the series without, and the date."""
    without, at = simulated(seed, n=n, rho=rho, sd=sd, base=base)
    rng = np.random.default_rng([seed, 1])
    added = rng.poisson(base * (ratio - 1), n) * (without.index >= at)
    return without + added, without, at


class TestCounterfactual:
    def test_intervals_hold_what_was_added_and_what_would_have_been(self):
        sums, halfway, periods = [], [], []
        for seed in range(250):
            series, without, at = extra(seed)
            found = counterfactual(series, at=at)
            added = (series - without).cumsum().to_numpy()
            held = (found["excess_low"] < added) & (added < found["excess_high"])
            sums.append(held.iloc[-1])
            halfway.append(held.iloc[44])
            within = (found["low"] <= without.to_numpy()) & (without.to_numpy() <= found["high"])
            periods.append(within[found["is_after"]].mean())
        assert 0.91 < np.mean(sums) < 0.985
        assert 0.91 < np.mean(halfway) < 0.985
        assert 0.93 < np.mean(periods) < 0.98

    def test_a_sum_of_days_is_as_noisy_as_days_that_are_alike(self):
        # So many days before that the terms are known, and few after, so that noise is all.
        series, _ = simulated(1, n=400, rho=0.8, sd=0.3)
        widths = {}
        for lags in (None, 4, 0):
            last = counterfactual(series, at=series.index[395], trend=False, lags=lags).iloc[-1]
            widths[lags] = last["excess_high"] - last["excess_low"]
        assert widths[4] == pytest.approx(widths[None], rel=0.1)
        assert widths[0] < 0.7 * widths[None]

    @pytest.mark.parametrize("family", FAMILIES)
    def test_nothing_added_is_an_excess_around_0(self, family):
        total = []
        for seed in range(40):
            series, at = simulated(seed, rho=0.3, sd=0.2)
            found = counterfactual(series, at=at, family=family)
            assert found["excess"][30] == found["observed"][30] - found["expected"][30]
            last = found.iloc[-1]
            total.append(last["excess"] / last["observed"])
            assert last["excess_low"] < last["excess"] < last["excess_high"]
        assert abs(np.mean(total)) < 4 * np.std(total) / np.sqrt(40)

    def test_without_a_trend_it_is_the_mean_before(self):
        series, at = simulated(14, n=20, level=0.5)
        found = counterfactual(series, at=at, trend=False, lags=0)
        before = series.iloc[:10].mean()
        assert found["expected"].tolist() == pytest.approx([before] * 20)
        assert found["day"].tolist() == series.index.tolist()
        assert found["observed"].tolist() == series.tolist()
        assert found["is_after"].tolist() == [False] * 10 + [True] * 10
        assert found[["excess", "excess_low", "excess_high"]][:10].isna().all(axis=None)
        assert found["excess"][10:].tolist() == pytest.approx(
            (series[10:] - before).cumsum().tolist()
        )
        # The variance of a period of its law, and that of the mean of ten before it.
        off = series.to_numpy() / np.repeat([before, series[10:].mean()], 10) - 1
        scale = (off**2 * np.repeat([before, series[10:].mean()], 10)).sum() / 18
        t = stats.t.ppf(0.975, 18)
        half = t * np.sqrt(scale * before * (1 + 1 / 10))
        assert (found["high"] - found["expected"]).tolist() == pytest.approx([half] * 20)
        n = np.arange(1, 11)
        half = t * np.sqrt(scale * before * (n + n**2 / 10))
        assert (found["excess_high"] - found["excess"])[10:].tolist() == pytest.approx(
            half.tolist()
        )

    def test_the_sum_of_periods_that_are_alike_written_out(self):
        series, at = simulated(15, rho=0.6, sd=0.2)
        found = counterfactual(series, at=at, trend=False)
        before = series[:30].mean()
        means = np.repeat([before, series[30:].mean()], 30)
        off = (series.to_numpy() - means) / np.sqrt(means)
        rho = off[1:] @ off[:-1] / (off @ off) + 2 / 60
        between = np.array([[rho ** abs(i - j) for j in range(30)] for i in range(30)])
        n = np.arange(1, 31)
        sums = np.array([between[:k, :k].sum() for k in n]) + (n / 30) ** 2 * between.sum()
        half = stats.t.ppf(0.975, 58) * np.sqrt(off @ off / 58 * before * sums)
        assert (found["excess"] - found["excess_low"])[30:].tolist() == pytest.approx(half.tolist())

    def test_a_share_of_the_square_of_the_mean_is_noise_as_well(self):
        series, at = simulated(25, n=100, sd=0.4)
        x = design(100, 50)[:, :2]
        alpha = NegativeBinomial(series.to_numpy(), x).fit(disp=False, maxiter=500).params[-1]
        law = sm.families.NegativeBinomial(alpha=alpha)
        scale = sm.GLM(series.to_numpy(), x, family=law).fit(scale="X2").scale
        found = counterfactual(series, at=at, family="negative_binomial", trend=False, lags=0)
        before = series[:50].mean()
        half = stats.t.ppf(0.975, 98) * np.sqrt(scale * (before + alpha * before**2) * 51 / 50)
        assert found["high"][0] - before == pytest.approx(half, rel=1e-3)

    def test_periods_that_are_alike_leave_their_sum_less_certain(self):
        series, at = simulated(15, rho=0.6, sd=0.2)
        alike, apart = (counterfactual(series, at=at, lags=lags).iloc[-1] for lags in (None, 0))
        assert alike["excess"] == apart["excess"]
        assert alike["excess_high"] - alike["excess_low"] > 1.3 * (
            apart["excess_high"] - apart["excess_low"]
        )

    def test_what_comes_after_the_event_does_not_move_what_would_have_been(self):
        series, at = simulated(16)
        changed = series.where(series.index < at, series * 3 + 5)
        one, other = (counterfactual(s, at=at)["expected"] for s in (series, changed))
        assert one.tolist() == pytest.approx(other.tolist())

    def test_the_mean_of_amounts_is_not_that_of_their_logarithms(self):
        rng = np.random.default_rng(17)
        days = pd.date_range("2024-01-01", periods=400)
        hours = pd.Series(np.exp(rng.normal(3, 0.8, 400)), days)
        found = counterfactual(hours, at=days[390], family="lognormal", trend=False, lags=0)
        assert found["expected"][0] == pytest.approx(np.exp(3 + 0.8**2 / 2), rel=0.1)
        scale = np.log(hours[:390]).var()
        spread = (found["high"] - found["expected"])[0] / stats.t.ppf(0.975, 398)
        assert spread == pytest.approx(found["expected"][0] * np.sqrt(np.exp(scale) - 1), rel=0.05)
        assert (found["low"] >= 0).all()

    def test_the_change_of_the_controls_would_have_been(self):
        days = pd.date_range("2024-01-01", periods=40)
        rng = np.random.default_rng(18)
        rise = np.where(np.arange(40) >= 20, 2.0, 1.0)
        series, control = (pd.Series(rng.poisson(base * rise), days) for base in (500, 2000))
        alone = counterfactual(series, at=days[20], trend=False).iloc[-1]
        beside = counterfactual(series, at=days[20], trend=False, controls=control).iloc[-1]
        assert alone["excess_low"] > 5000
        assert beside["excess_low"] < 0 < beside["excess_high"]
        assert beside["expected"] == pytest.approx(1000, rel=0.05)


class TestPlaceboEffects:
    def test_each_row_is_the_model_of_its_window(self):
        series, at = simulated(19, n=40, level=0.3)
        found = placebo_effects(series, at=at, window=8, season=2)
        assert found["at"].tolist() == [*series.index[8:13], at]
        assert found["is_placebo"].tolist() == [True] * 5 + [False]
        for row, start in zip(found.itertuples(), [*range(8, 13), 20], strict=True):
            near = series.iloc[start - 8 : start + 8]
            one = interrupted_series(near, at=series.index[start], season=2)
            expected = one.loc[0, ["estimate", "low", "high", "p_value"]].tolist()
            assert [row.estimate, row.low, row.high, row.p_value] == expected

    def test_placebos_know_nothing_of_what_came_after(self):
        series, at = simulated(20, n=40)
        changed = series.where(series.index < at, series * 9)
        control, _ = simulated(21, n=40)
        one, other = (
            placebo_effects(s, at=at, window=6, trend=False, controls=control)
            for s in (series, changed)
        )
        assert_frame_equal(one[:-1], other[:-1])
        assert other["estimate"].iloc[-1] == pytest.approx(9 * one["estimate"].iloc[-1])

    def test_a_twentieth_of_placebos_seem_to_be_effects(self):
        seen = []
        for seed in range(12):
            series, at = simulated(seed, n=90, rho=0.2, sd=0.1)
            found = placebo_effects(series, at=at, window=14)
            seen += found.loc[found["is_placebo"], "p_value"].tolist()
        assert 0.01 < np.mean(np.array(seen) < 0.05) < 0.12

    @pytest.mark.parametrize(
        ("window", "message"),
        [(11, "20 periods before, 20 after, and a window of 11"), (1, "`window` must be a whole")],
    )
    def test_a_window_that_does_not_fit(self, window, message):
        series, at = simulated(22, n=40)
        with pytest.raises(ValueError, match=message):
            placebo_effects(series, at=at, window=window)
        assert len(placebo_effects(series, at=at, window=10)) == 2

    def test_a_window_must_fit_after_the_event_as_well(self):
        series, _ = simulated(22, n=40)
        placebo_effects(series, at=series.index[32], window=8)
        with pytest.raises(ValueError, match="33 periods before, 7 after, and a window of 8"):
            placebo_effects(series, at=series.index[33], window=8)


def squares(values):
    return ((values - values.mean()) ** 2).sum()


class TestFindChangepoints:
    def test_the_nile(self):
        nile = sm.datasets.nile.load_pandas().data
        flow = pd.Series(nile["volume"].to_numpy(), nile["year"].astype(int))
        found = find_changepoints(flow)
        assert found["last"].tolist() == [1898, 1970]
        assert found["first"].tolist() == [1871, 1899]
        assert found["n_periods"].tolist() == [28, 72]
        assert found["mean"].round(2).tolist() == [1097.75, 849.97]

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.integers(-50, 50), min_size=6, max_size=14),
        st.integers(1, 2),
        st.integers(1, 2),
    )
    def test_no_other_division_has_less(self, values, n, least):
        values = np.array(values) + np.random.default_rng(0).uniform(0, 0.1, len(values))
        found = find_changepoints(pd.Series(values), n=n, min_periods=least)
        ends = np.cumsum(found["n_periods"])[:-1].tolist()
        assert found["first"].tolist() == [0, *ends]
        assert (found["last"] - found["first"] + 1).tolist() == found["n_periods"].tolist()
        assert found["n_periods"].min() >= least
        parts = np.split(values, ends)
        assert found["mean"].tolist() == pytest.approx([part.mean() for part in parts])
        size = len(values)
        pairs = [(a, b) for a in range(1, size) for b in range(a, size)]
        others = {(a,) if n == 1 else (a, b) for a, b in pairs}
        others = [np.split(values, cut) for cut in others]
        others = [cut for cut in others if min(map(len, cut)) >= least]
        assert sum(map(squares, parts)) <= min(sum(map(squares, cut)) for cut in others) + 1e-9

    def test_logarithms_weigh_a_fall_by_its_ratio(self):
        amounts = pd.Series([1000.0, 1300] * 5 + [1150.0] * 4 + [1, 1.2] * 3)
        amounts = pd.concat([amounts, pd.Series([900.0, 5000])], ignore_index=True)
        found = find_changepoints(amounts, log=True, n=2)
        assert found["first"].tolist() == [0, 14, 20]
        assert found["mean"][1] == pytest.approx(np.sqrt(1.2))
        assert find_changepoints(amounts)["first"].tolist() != [0, 14]

    def test_days_come_back_as_days(self):
        series, at = simulated(23, level=1.0)
        assert find_changepoints(series)["first"].tolist() == [series.index[0], at]

    @pytest.mark.parametrize(
        ("values", "asked", "message"),
        [
            ([1.0, 2, np.nan, 4], {}, "`series` must be finite in every period, found nan at 2"),
            ([1.0, 2, 0, 4], {"log": True}, "`series` must be above 0 in every period, found 0 at 2"),
            ([1.0, 2, 3], {}, "must have 4 periods or more for 2 segments of 2, found 3"),
            ([1.0, 2, 3, 4, 5], {"n": 2}, "must have 6 periods or more for 3 segments of 2"),
            ([1.0, 2, 3, 4], {"n": 0}, "`n` must be a whole number, 1 or more"),
            ([1.0, 2, 3, 4], {"min_periods": 0}, "`min_periods` must be a whole number, 1 or more"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_divided_is_refused(self, values, asked, message):
        with pytest.raises(ValueError, match=message):
            find_changepoints(pd.Series(values), **asked)

    def test_as_few_periods_as_there_may_be(self):
        assert find_changepoints(pd.Series([1, 2, 5, 6]))["n_periods"].tolist() == [2, 2]
        assert find_changepoints(pd.Series([5, 6]), min_periods=1)["mean"].tolist() == [5, 6]


@pytest.fixture(scope="module")
def least_hours():
    """What it takes to be in each list, week by week: the fewest hours in it."""
    lists = load_title_panel(REAL)
    return lists.pivot_table("hours_viewed", "last_day", "category", "min", observed=True)


@pytest.mark.skipif(not REAL.exists(), reason="the weekly lists are not here")
class TestFromHoursToViews:
    """Netflix ranked by hours up to the week that ended on 11 June 2023, and by views from then."""

    RANKED_BY_VIEWS = pd.Timestamp("2023-06-18")

    @pytest.mark.parametrize(
        ("name", "ratio"),
        [
            ("TV (English)", [0.303, 0.216, 0.424]),
            ("TV (Non-English)", [0.472, 0.318, 0.700]),
            ("Films (English)", [1.050, 0.911, 1.211]),
            ("Films (Non-English)", [0.789, 0.598, 1.043]),
        ],
    )
    def test_a_year_on_either_side(self, least_hours, name, ratio):
        first = least_hours.index.get_loc(self.RANKED_BY_VIEWS)
        near = least_hours[name].iloc[first - 52 : first + 52]
        asked = {"at": self.RANKED_BY_VIEWS, "family": "lognormal"}
        found = by_term(interrupted_series(near, **asked, lags=4)).loc["level"]
        assert found[["estimate", "low", "high"]].astype(float).round(3).tolist() == ratio
        wider = by_term(interrupted_series(near, **asked)).loc["level"]
        assert wider["high"] / wider["low"] > found["high"] / found["low"]
        # Both ways say the same: the television lists fell, the film lists need not have.
        for row in (found, wider):
            assert (row["high"] < 1) == name.startswith("TV")

    def test_the_television_lists_beside_those_of_films(self, least_hours):
        first = least_hours.index.get_loc(self.RANKED_BY_VIEWS)
        near = least_hours.iloc[first - 52 : first + 52]
        films = near[["Films (English)", "Films (Non-English)"]]
        for name in ("TV (English)", "TV (Non-English)"):
            found = by_term(
                interrupted_series(
                    near[name], at=self.RANKED_BY_VIEWS, family="lognormal", controls=films
                )
            )
            assert found.loc["level", "high"] < 1

    def test_a_search_that_is_not_told_the_date(self, least_hours):
        assert len(least_hours) == 264
        for log in (True, False):
            found = {
                name: find_changepoints(least_hours[name], log=log)["first"][1]
                for name in least_hours
            }
            assert found.pop("TV (English)") == self.RANKED_BY_VIEWS
            assert found.pop("TV (Non-English)") == self.RANKED_BY_VIEWS
            assert self.RANKED_BY_VIEWS not in found.values()
            if log:
                assert found == {
                    "Films (English)": pd.Timestamp("2023-01-15"),
                    "Films (Non-English)": pd.Timestamp("2026-05-10"),
                }
