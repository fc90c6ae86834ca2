"""Intervals and curves beside SciPy, slow loops, published numbers and their own promises."""

import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy import stats

from toolkit.intervals import (
    bootstrap_tails,
    clopper_pearson,
    cluster_bootstrap,
    garwood,
    kaplan_meier,
    log_log_limits,
    logrank,
    restricted_mean,
    wilson,
)
from toolkit.rewatch import rewatch_gaps

CASES = tomllib.loads(Path(__file__).with_name("oracles").joinpath("survival.toml").read_text())
COLUMNS = ["time", "at_risk", "events", "censored", "survival", "low", "high"]
SIZES = [5, 10, 20, 50, 100, 500]
SHARES = np.arange(1, 20) / 20


def lives(seed, n=60, entry=False, whole=True):
    """Durations, observed and entry, the two last long-lived ones so that nobody is alone."""
    rng = np.random.default_rng(seed)
    durations = np.minimum(rng.exponential(8, n) + 1, 50)
    durations = np.ceil(durations).astype("int64") if whole else durations
    durations[-2:] = 60
    observed = rng.random(n) < 0.6
    observed[-2:] = False
    if not entry:
        return durations, observed, None
    late = np.floor(rng.random(n) * durations).astype("int64")
    late[-2:] = 0
    return durations, observed, late


def slow_curve(durations, observed, entry=None):
    """One time after the other, counting heads."""
    entry = [-1] * len(durations) if entry is None else entry
    rows, survival, total = [], 1.0, 0.0
    for time in sorted(set(durations)):
        n = sum(e < time <= d for d, e in zip(durations, entry, strict=True))
        d = sum(t == time and o for t, o in zip(durations, observed, strict=True))
        c = sum(t == time and not o for t, o in zip(durations, observed, strict=True))
        survival *= 1 - d / n
        total += d / (n * (n - d)) if d < n else 0.0
        rows.append((time, n, d, c, survival, total))
    return rows


def slow_logrank(durations, observed, groups, entry=None):
    """Observed less expected, and its covariance, one time after the other."""
    entry = [-1] * len(durations) if entry is None else entry
    names = sorted(set(groups))
    excess, covariance = np.zeros(len(names)), np.zeros((len(names), len(names)))
    for time in sorted(set(durations)):
        at_risk, events = np.zeros(len(names)), np.zeros(len(names))
        for t, o, g, e in zip(durations, observed, groups, entry, strict=True):
            at_risk[names.index(g)] += e < time <= t
            events[names.index(g)] += t == time and o
        n, d = at_risk.sum(), events.sum()
        share = at_risk / n
        excess += events - d * share
        if n > 1:
            spread = np.diag(share) - np.outer(share, share)
            covariance += d * (n - d) / (n - 1) * spread
    return excess[1:] @ np.linalg.solve(covariance[1:, 1:], excess[1:])


def rejects(function, *args, match, error=ValueError, **kwargs):
    with pytest.raises(error, match=match):
        function(*args, **kwargs)


class TestShares:
    @pytest.mark.parametrize(("name", "interval"), [("wilson", wilson), ("clopper_pearson", clopper_pearson)])  # fmt: skip
    def test_newcombes_cases(self, name, interval):
        case = CASES["wilson-newcombe"]
        low, high = interval(case["k"], case["n"])
        assert low == pytest.approx(case[f"{name}_low"], abs=5e-5)
        assert high == pytest.approx(case[f"{name}_high"], abs=5e-5)

    @pytest.mark.parametrize("confidence", [0.5, 0.9, 0.999])
    @pytest.mark.parametrize(("method", "interval"), [("wilson", wilson), ("exact", clopper_pearson)])  # fmt: skip
    @pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (3, 8), (81, 263), (9_000_000, 10**9)])
    def test_agrees_with_scipy(self, method, interval, k, n, confidence):
        theirs = stats.binomtest(k, n).proportion_ci(confidence, method=method)
        assert interval(k, n, confidence=confidence) == pytest.approx(theirs, rel=1e-9, abs=1e-12)

    @pytest.mark.parametrize("interval", [wilson, clopper_pearson])
    def test_the_edges_are_exact_and_nobody_at_all_tells_nothing(self, interval):
        assert interval(0, 7)[0] == 0
        assert interval(7, 7)[1] == 1
        assert interval(0, 0) == (0, 1)
        low, high = interval(np.arange(1001), 1000)
        assert (np.diff(low) > 0).all()
        assert (np.diff(high) > 0).all()
        assert low[0] == 0 < low[1]
        assert high[-2] < 1 == high[-1]

    @pytest.mark.parametrize("interval", [wilson, clopper_pearson])
    def test_arrays_broadcast_and_numbers_give_numbers(self, interval):
        low, high = interval(np.array([[1], [2]]), pd.Series([4, 9, 16]))
        assert low.shape == high.shape == (2, 3)
        assert low[1, 2] == interval(2, 16)[0]
        assert isinstance(interval(2, 16)[0], float)
        low, high = interval([], 5)
        assert low.shape == high.shape == (0,)
        assert interval(pd.Series([3], dtype="Int64"), 4.0)[0] == interval([3], [4])[0]

    @pytest.mark.parametrize("interval", [wilson, clopper_pearson])
    def test_refuses_what_is_no_count(self, interval):
        rejects(interval, 1.5, 4, match="`k` must be whole numbers, 0 or more, got 1.5")
        rejects(interval, -1, 4, match="`k` must be whole numbers, 0 or more, got -1")
        rejects(interval, 1, np.nan, match="`n` must be whole numbers, 0 or more, got nan")
        rejects(interval, 1, np.inf, match="`n` must be whole numbers, 0 or more, got inf")
        rejects(interval, ["1"], 4, match="`k` must be whole numbers, 0 or more, found <U1")
        rejects(interval, [1, 5], 4, match="`k` must not exceed `n`, got 5 of 4")
        for confidence in (0, 1, 95, np.nan):
            rejects(interval, 1, 4, confidence=confidence, match=r"`confidence` must lie in \(0, 1")

    @staticmethod
    def coverage(interval, n, share, confidence=0.95):
        """The chance that the interval covers, summed over every outcome."""
        k = np.arange(n + 1)
        low, high = interval(k, n, confidence=confidence)
        return stats.binom.pmf(k, n, share)[(low <= share) & (share <= high)].sum()

    @pytest.mark.parametrize("confidence", [0.8, 0.95])
    def test_wilson_covers_as_often_as_it_says_on_average(self, confidence):
        covers = [self.coverage(wilson, n, p, confidence) for n in SIZES for p in SHARES]
        assert np.mean(covers) == pytest.approx(confidence, abs=0.02)

    @pytest.mark.parametrize("confidence", [0.8, 0.95])
    def test_clopper_pearson_covers_at_least_as_often_as_it_says(self, confidence):
        covers = [self.coverage(clopper_pearson, n, p, confidence) for n in SIZES for p in SHARES]
        assert min(covers) >= confidence
        assert min(covers) < confidence + 0.02


class TestGarwood:
    def test_published_limits(self):
        case = CASES["garwood"]
        low, high = garwood(case["k"])
        assert low == pytest.approx(case["low"], abs=5e-5)
        assert high == pytest.approx(case["high"], abs=5e-5)

    @pytest.mark.parametrize("confidence", [0.5, 0.9, 0.999])
    def test_each_limit_leaves_half_of_the_rest(self, confidence):
        k, tail = np.arange(1, 200), (1 - confidence) / 2
        low, high = garwood(k, confidence=confidence)
        assert stats.poisson.sf(k - 1, low) == pytest.approx(np.full(199, tail), rel=1e-9)
        assert stats.poisson.cdf(k, high) == pytest.approx(np.full(199, tail), rel=1e-9)
        assert garwood(0, confidence=confidence) == (0, pytest.approx(-np.log(tail)))

    def test_covers_at_least_as_often_as_it_says(self):
        k = np.arange(400)
        low, high = garwood(k)
        means = [0.1, 0.5, 1, 2, 5, 10, 20, 53, 200]
        covers = [stats.poisson.pmf(k, m)[(low <= m) & (m <= high)].sum() for m in means]
        assert 0.95 <= min(covers) < 0.97

    def test_refuses_what_is_no_count(self):
        rejects(garwood, -1, match="`k` must be whole numbers, 0 or more, got -1")
        rejects(garwood, 1, confidence=1.0, match=r"`confidence` must lie in \(0, 1\), got 1.0")
        assert isinstance(garwood(3)[0], float)
        assert garwood([])[0].shape == (0,)


class TestKaplanMeier:
    def test_a_life_that_is_cut_off_is_at_risk_until_then(self):
        curve = kaplan_meier([2, 3, 3, 5, 7], [True, True, False, False, True])
        expected = pd.DataFrame(
            {
                "time": [2, 3, 5, 7],
                "at_risk": [5, 4, 2, 1],
                "events": [1, 1, 0, 1],
                "censored": [0, 1, 1, 0],
                "survival": [0.8, 0.6, 0.6, 0.0],
            }
        )
        assert_frame_equal(curve[list(expected)], expected)
        assert list(curve) == COLUMNS

    def test_freireichs_lives(self):
        case = CASES["surv-km-6mp"]
        observed = np.arange(21) < case["n_observed"]
        curve = kaplan_meier(case["durations"], observed).query("events > 0")
        assert curve["time"].tolist() == case["time"]
        assert curve["survival"].tolist() == pytest.approx(case["survival"], abs=5e-5)

    @pytest.mark.parametrize("group", ["rit", "control"])
    def test_curves_and_intervals_of_r(self, group):
        case = CASES["surv-km-g3"]
        observed = np.array(case[f"{group}_observed"], dtype=bool)
        curve = kaplan_meier(case[f"{group}_durations"], observed).query("events > 0")
        assert curve["time"].tolist() == case[f"{group}_time"]
        assert curve["survival"].tolist() == pytest.approx(case[f"{group}_survival"], abs=6e-4)
        if group == "control":
            assert curve["low"].tolist() == pytest.approx(case["control_low"], abs=6e-4)
            assert curve["high"].tolist() == pytest.approx(case["control_high"], abs=6e-4)

    def test_late_entries_of_r(self):
        case = CASES["surv-km-late-entry"]
        curve = kaplan_meier(case["durations"], [True] * 5, entry=case["entry"])
        assert curve["time"].tolist() == case["time"]
        assert curve["survival"].tolist() == pytest.approx(case["survival"], abs=6e-4)
        assert curve["at_risk"].tolist() == [3, 3, 2, 2, 1]

    def test_an_end_after_the_log_is_cut_off_where_the_log_ends(self):
        case = CASES["surv-d2d-fill"]
        at = [pd.to_datetime(case[name], utc=True) for name in ("start", "end")]
        viewings = pd.DataFrame(
            {"viewer": ["a", "b", "c"] * 2, "title": "Heat", "started_at": np.concatenate(at)}
        )
        viewings["started_at"] = pd.to_datetime(viewings["started_at"], utc=True)
        viewings["ended_at"] = viewings["started_at"]
        gaps = rewatch_gaps(viewings, until=f"{case['observed_until']}T00:00Z")
        firsts = gaps[gaps["viewing_no"] == 1]
        assert firsts["days_between"].tolist() == case["durations"]
        assert (~firsts["is_open"]).tolist() == [bool(o) for o in case["observed"]]
        curve = kaplan_meier(firsts["days_between"], ~firsts["is_open"])
        assert curve["censored"].tolist() == [1, 0]

    @pytest.mark.parametrize("entry", [False, True])
    @pytest.mark.parametrize("confidence", [0.5, 0.95])
    @pytest.mark.parametrize("seed", range(10))
    def test_agrees_with_a_slow_count(self, seed, confidence, entry):
        durations, observed, late = lives(seed, entry=entry)
        curve = kaplan_meier(durations, observed, entry=late, confidence=confidence)
        rows = slow_curve(durations, observed, late)
        slow = pd.DataFrame(rows, columns=[*COLUMNS[:5], "total"])
        assert_frame_equal(curve[COLUMNS[:5]], slow[COLUMNS[:5]])
        z = stats.norm.ppf((1 + confidence) / 2)
        inner = slow[slow["survival"] < 1]
        double_log = np.log(-np.log(inner["survival"]))
        reach = z * np.sqrt(inner["total"]) / -np.log(inner["survival"])
        assert curve["low"][inner.index].to_numpy() == pytest.approx(np.exp(-np.exp(double_log + reach)))  # fmt: skip
        assert curve["high"][inner.index].to_numpy() == pytest.approx(np.exp(-np.exp(double_log - reach)))  # fmt: skip

    @pytest.mark.parametrize("seed", range(5))
    def test_agrees_with_scipy_where_everyone_is_there_from_the_start(self, seed):
        durations, observed, _ = lives(seed, whole=False)
        curve = kaplan_meier(durations, observed, confidence=0.9)
        theirs = stats.ecdf(stats.CensoredData.right_censored(durations, ~observed)).sf
        assert curve["time"].tolist() == theirs.quantiles.tolist()
        assert curve["survival"].to_numpy() == pytest.approx(theirs.probabilities)
        inner = curve["survival"] < 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            low, high = theirs.confidence_interval(0.9, method="log-log")
        assert curve["low"][inner].to_numpy() == pytest.approx(low.probabilities[inner])
        assert curve["high"][inner].to_numpy() == pytest.approx(high.probabilities[inner])

    def test_entries_of_nought_change_nothing(self):
        durations, observed, _ = lives(3)
        with_entry = kaplan_meier(durations, observed, entry=np.zeros(60))
        assert_frame_equal(with_entry, kaplan_meier(durations, observed))

    def test_while_nobody_ends_the_interval_is_clopper_pearsons(self):
        curve = kaplan_meier([1, 2, 3, 4], [False, False, True, False], confidence=0.9)
        assert curve["survival"].tolist() == [1, 1, 0.5, 0.5]
        assert curve["low"].tolist()[:2] == [clopper_pearson(n, n, confidence=0.9)[0] for n in (4, 3)]  # fmt: skip
        assert curve["high"].tolist()[:2] == [1, 1]
        # A late entry makes it no surer that the few before all went on.
        late = kaplan_meier([2, 3, 3, 3, 3], [False] * 5, entry=[0, 0, 2, 2, 2])
        assert late["at_risk"].tolist() == [2, 4]
        assert late["low"].tolist() == [clopper_pearson(2, 2)[0]] * 2

    def test_once_nobody_is_left_the_limit_is_no_higher_than_before(self):
        at_once = kaplan_meier([3] * 8, [True] * 8)
        assert at_once[["survival", "low", "high"]].to_numpy().tolist() == [
            pytest.approx([0, *clopper_pearson(0, 8)])
        ]
        slowly = kaplan_meier([1, 2, 3, 4], [True] * 4)
        assert slowly["high"][3] == slowly["high"][2] < clopper_pearson(0, 1)[1]
        assert slowly["low"][3] == slowly["survival"][3] == 0
        later = kaplan_meier([1, *[3] * 8], [False, *[True] * 8])
        assert later["high"].tolist() == [1, pytest.approx(clopper_pearson(0, 8)[1])]
        # One of nine goes first: before the rest did, the limit was higher than theirs.
        early = kaplan_meier([1, *[3] * 8], [True] * 9)
        assert early["high"][1] == pytest.approx(clopper_pearson(0, 8)[1])
        assert early["high"][1] < early["high"][0]

    def test_the_order_of_lives_does_not_matter_and_they_stay_as_they_are(self):
        durations, observed, entry = lives(7, entry=True)
        before = [some.copy() for some in (durations, observed, entry)]
        order = np.random.default_rng(0).permutation(60)
        curve = kaplan_meier(durations, observed, entry=entry)
        assert_frame_equal(
            kaplan_meier(durations[order], observed[order], entry=entry[order]), curve
        )
        for some, copy in zip((durations, observed, entry), before, strict=True):
            assert (some == copy).all()

    def test_series_and_lists_do_as_well_as_arrays(self):
        durations, observed, entry = lives(7, entry=True)
        series = [pd.Series(some, index=range(60, 0, -1)) for some in (durations, observed, entry)]
        of_series = kaplan_meier(series[0], series[1].astype("boolean"), entry=series[2])
        of_lists = kaplan_meier(durations.tolist(), observed.tolist(), entry=entry.tolist())
        curve = kaplan_meier(durations, observed, entry=entry)
        assert_frame_equal(of_series, curve)
        assert_frame_equal(of_lists, curve)

    def test_nobody_makes_an_empty_curve_with_the_same_columns(self):
        for none in (kaplan_meier([], []), kaplan_meier([], [], entry=[])):
            assert none.empty
            assert none.dtypes.to_dict() == kaplan_meier([1.0], [True]).dtypes.to_dict()

    def test_a_life_of_no_length_counts(self):
        curve = kaplan_meier([0, 0, 4], [True, False, False])
        assert curve["at_risk"].tolist() == [3, 1]
        assert curve["survival"].tolist() == pytest.approx([2 / 3] * 2)

    def test_refuses(self):
        rejects(kaplan_meier, [1, np.nan], [True] * 2, match="`durations` must be numbers, 0 or more, got nan")  # fmt: skip
        rejects(kaplan_meier, [1, np.inf], [True] * 2, match="`durations` must be .* got inf")
        rejects(kaplan_meier, [1, -2], [True] * 2, match="`durations` must be .* got -2")
        rejects(kaplan_meier, ["1"], [True], match="`durations` must be a sequence of numbers, found <U1")  # fmt: skip
        rejects(kaplan_meier, [[1]], [True], match="`durations` must be a sequence of numbers")
        rejects(kaplan_meier, 3, True, match="`durations` must be a sequence of numbers")
        rejects(kaplan_meier, [1, 2], [True], match="True or False for each of 2 durations, found 1 of bool")  # fmt: skip
        rejects(kaplan_meier, [1, 2], [1, 0], match="`observed` must be .* found 2 of int64")
        missing = pd.array([True, None], dtype="boolean")
        rejects(kaplan_meier, [1, 2], missing, match="`observed` must be .* found 2 of object")
        rejects(kaplan_meier, [1, 2], [[True], [False]], match="`observed` must be True or False")
        rejects(kaplan_meier, [1, 2], [True] * 2, entry=[0, 2], match="`entry` must lie below each of 2 durations")  # fmt: skip
        rejects(
            kaplan_meier, [1, 2], [True] * 2, entry=[0], match="`entry` must .* found 1 entries"
        )
        rejects(kaplan_meier, [1, 2], [True] * 2, entry=[0, -1], match="`entry` must be numbers, 0 or more, got -1")  # fmt: skip
        rejects(kaplan_meier, [1], [True], confidence=2, match=r"`confidence` must lie in \(0, 1\), got 2")  # fmt: skip

    def test_refuses_a_curve_that_nobody_carries_on(self):
        message = "`entry` must leave someone at risk up to the last time; at {} nobody is left, and {} enter later"  # fmt: skip
        # All who were there end.
        rejects(kaplan_meier, [2, 5, 6], [True] * 3, entry=[0, 2, 3], match=message.format(2, 2))
        rejects(kaplan_meier, [2, 5, 6], [True] * 3, entry=[0, 3, 3], match=message.format(2, 2))
        # All who were there are cut off before the next comes.
        rejects(kaplan_meier, [2, 2, 6], [False] * 3, entry=[0, 0, 3], match=message.format(2, 1))
        # The next comes in time.
        assert len(kaplan_meier([2, 2, 6], [False] * 3, entry=[0, 0, 2])) == 2
        assert len(kaplan_meier([2, 2, 6], [True, True, False], entry=[0, 0, 1])) == 2

    @pytest.mark.parametrize("entry", [False, True])
    def test_intervals_cover_as_often_as_they_say(self, entry):
        """Simulated lives of known law, cut off at random; times where 80, 50 and 20 % go on."""
        rng = np.random.default_rng(20)
        shares = np.array([0.8, 0.5, 0.2])
        covers = []
        for n in (30, 60, 200):
            for _ in range(400):
                lasts, cut = -np.log(rng.random(n)), rng.exponential(3, n)
                late = rng.exponential(0.2, n) * (rng.random(n) < 0.5) if entry else np.zeros(n)
                cut = late + cut
                seen = lasts > late
                args = np.minimum(lasts, cut)[seen], (lasts <= cut)[seen]
                curve = kaplan_meier(*args, entry=late[seen] if entry else None)
                row = np.searchsorted(curve["time"], -np.log(shares), side="right") - 1
                low, high = (curve[name].to_numpy()[row] for name in ("low", "high"))
                covers.append((low <= shares) & (shares <= high))
        assert 0.93 <= np.mean(covers) <= 0.97


class TestRestrictedMean:
    def test_klein_and_moeschbergers_mean(self):
        lives, case = CASES["surv-km-6mp"], CASES["surv-rmst-6mp"]
        curve = kaplan_meier(lives["durations"], np.arange(21) < lives["n_observed"])
        mean, low, high = restricted_mean(curve, until=case["until"])
        z = stats.norm.ppf(0.975)
        assert mean == pytest.approx(case["mean"], abs=5e-4)
        assert [(mean - low) / z, (high - mean) / z] == pytest.approx([case["error"]] * 2, abs=5e-4)
        narrower = restricted_mean(curve, until=case["until"], confidence=0.5)
        assert narrower[2] - mean == pytest.approx(case["error"] * stats.norm.ppf(0.75), abs=5e-4)

    def test_without_censoring_it_is_the_mean_of_what_lies_below_the_limit(self):
        durations = np.array([1, 2, 2, 5, 9, 10, 4.5])
        curve = kaplan_meier(durations, [True] * 7)
        for until in (1.5, 2, 4.9, 9, 10, 30):
            some = np.minimum(durations, until)
            mean, low, high = restricted_mean(curve, until=until)
            assert mean == pytest.approx(some.mean())
            reach = stats.norm.ppf(0.975) * some.std() / np.sqrt(7)
            assert low == pytest.approx(max(mean - reach, 0))
            assert high == pytest.approx(min(mean + reach, until))

    @pytest.mark.parametrize("seed", range(5))
    def test_is_the_area_below_the_curve(self, seed):
        durations, observed, entry = lives(seed, entry=True)
        curve = kaplan_meier(durations, observed, entry=entry)
        steps = dict(zip(curve["time"], curve["survival"], strict=True))
        area, level = 0.0, 1.0
        for day in range(17):
            level = steps.get(day, level)
            area += level * (1 if day < 16 else 0.25)
        assert restricted_mean(curve, until=16.25)[0] == pytest.approx(area)

    def test_stays_between_nought_and_the_limit(self):
        curve = kaplan_meier([1, 20, 20, 1, 1], [True] * 5)
        assert restricted_mean(curve, until=20)[1:] == (pytest.approx(0.44, abs=0.01), pytest.approx(16.76, abs=0.01))  # fmt: skip
        assert restricted_mean(curve, until=20, confidence=0.999)[1:] == (0, 20)

    def test_covers_as_often_as_it_says(self):
        rng = np.random.default_rng(8)
        truth, covers = 1 - np.exp(-1), []
        for n in (30, 100):
            for _ in range(400):
                lasts, cut = rng.exponential(1, n), rng.uniform(0.5, 4, n)
                curve = kaplan_meier(np.minimum(lasts, cut), lasts <= cut)
                _, low, high = restricted_mean(curve, until=1)
                covers.append(low <= truth <= high)
        assert 0.93 <= np.mean(covers) <= 0.97

    def test_refuses(self):
        curve = kaplan_meier([2, 3, 5], [True, True, False])
        rejects(restricted_mean, curve.drop(columns="at_risk"), until=3, match="`curve` must have")
        assert restricted_mean(curve, until=5)[0] > 0
        for until in (5.1, 0, -1, np.nan, np.inf):
            rejects(restricted_mean, curve, until=until, match="`until` must lie above 0 and within the curve's 5")  # fmt: skip
        rejects(restricted_mean, curve, until=1.9, match="`curve` must fall by `until`; up to 1.9 nobody")  # fmt: skip
        assert restricted_mean(curve, until=2)[0] == 2
        rejects(restricted_mean, kaplan_meier([], []), until=1, match="`until` must lie above 0 and within the curve's 0")  # fmt: skip
        over = kaplan_meier([2, 3], [True] * 2)
        rejects(restricted_mean, over, until=np.inf, match="`until` must lie above 0")
        rejects(restricted_mean, over, until=3, confidence=0, match="`confidence` must lie")


class TestLogrank:
    def test_freireichs_groups(self):
        case = CASES["surv-logrank-6mp"]
        durations = [*case["control_durations"], *case["treated_durations"]]
        treated = np.arange(42) >= 21
        observed = ~treated | (np.arange(42) < 21 + case["n_treated_observed"])
        statistic, df, p_value = logrank(durations, observed, np.where(treated, "6-MP", "control"))
        assert statistic == pytest.approx(case["statistic"], abs=0.1)
        assert df == 1
        assert p_value == pytest.approx(case["p_value"], rel=0.01)

    def test_groups_of_r(self):
        case = CASES["surv-km-g3"]
        durations = [*case["rit_durations"], *case["control_durations"]]
        observed = np.array([*case["rit_observed"], *case["control_observed"]], dtype=bool)
        _, _, p_value = logrank(durations, observed, ["rit"] * 11 + ["control"] * 6)
        assert p_value == pytest.approx(case["logrank_p_value"], abs=5e-5)

    @pytest.mark.parametrize("seed", range(5))
    def test_agrees_with_scipy_on_two_groups(self, seed):
        durations, observed, _ = lives(seed)
        group = np.arange(60) % 3 == 0
        x, y = (
            stats.CensoredData.right_censored(durations[some], ~observed[some])
            for some in (group, ~group)
        )
        theirs = stats.logrank(x, y)
        statistic, df, p_value = logrank(durations, observed, group)
        assert (statistic, p_value) == pytest.approx((theirs.statistic**2, theirs.pvalue))
        assert df == 1

    @pytest.mark.parametrize("entry", [False, True])
    @pytest.mark.parametrize("seed", range(5))
    def test_agrees_with_a_slow_sum_over_three_groups(self, seed, entry):
        durations, observed, late = lives(seed, entry=entry)
        group = np.arange(60) % 3
        statistic, df, p_value = logrank(durations, observed, group, entry=late)
        assert statistic == pytest.approx(slow_logrank(durations, observed, group.tolist(), late))
        assert df == 2
        assert p_value == pytest.approx(stats.chi2.sf(statistic, 2))

    def test_a_small_chance_keeps_its_digits(self):
        durations = np.append(np.arange(1, 201), np.arange(1, 201) * 10)
        _, _, p_value = logrank(durations, [True] * 400, np.arange(400) < 200)
        assert 0 < p_value < 1e-30

    def test_the_order_of_lives_does_not_matter(self):
        durations, observed, entry = lives(1, entry=True)
        group = pd.Series(np.arange(60) % 3).map({0: "x", 1: "y", 2: "z"})
        order = np.random.default_rng(0).permutation(60)
        shuffled = logrank(
            durations[order], observed[order], group.astype("category")[order], entry=entry[order]
        )
        assert shuffled == logrank(durations, observed, group, entry=entry)

    def test_refuses(self):
        rejects(logrank, [1, 2], [True] * 2, [1], match="`groups` must name a group for each of 2 lives, found 1")  # fmt: skip
        rejects(logrank, [1, 2], [True] * 2, ["a", None], match="`groups` must name .* of 2 lives, found 1")  # fmt: skip
        rejects(logrank, [1, 2], [True] * 2, [1, 1], match="`groups` must hold at least two groups, found 1")  # fmt: skip
        rejects(logrank, [], [], [], match="`groups` must hold at least two groups, found 0")
        rejects(logrank, [1, -2], [True] * 2, [1, 2], match="`durations` must be numbers")
        rejects(logrank, [1, 2], [True] * 2, [1, 2], entry=[0, 2], match="`entry` must lie below")

    def test_refuses_groups_that_never_meet(self):
        message = "`groups` must be at risk together when lives end; {} never is with {}"
        # Nobody ends; all end at once; one group is gone before anybody ends.
        rejects(logrank, [1, 2, 3], [False] * 3, [1, 2, 2], match=message.format(2, 1))
        rejects(logrank, [2, 2, 2], [True] * 3, [1, 2, 2], match=message.format(2, 1))
        gone = [1, 1, 3, 4, 5, 6], [False, False, True, True, True, True]
        rejects(logrank, *gone, ["c", "c", "a", "a", "b", "b"], match=message.format("c", "a"))
        rejects(logrank, *gone, ["b", "b", "a", "a", "a", "a"], match=message.format("b", "a"))
        # By way of the second, the first and the third are linked.
        durations, entry = [3, 4, 6, 4, 7, 9, 8, 9], [0, 0, 0, 0, 0, 6, 6, 6]
        groups = ["a", "a", "b", "b", "b", "c", "c", "c"]
        linked = logrank(durations, [True] * 8, groups, entry=entry)
        assert linked[0] == pytest.approx(slow_logrank(durations, [True] * 8, groups, entry))
        entry = [0, 0, 0, 0, 0, 7, 7, 7]
        rejects(logrank, durations, [True] * 8, groups, entry=entry, match=message.format("c", "a"))


class TestClusterBootstrap:
    def frame(self, n=60, seed=0):
        rng = np.random.default_rng(seed)
        account = np.repeat(np.arange(n), rng.integers(1, 5, n))
        value = rng.normal(size=n)[account] + 0.1 * rng.normal(size=len(account))
        return pd.DataFrame({"account": account, "value": value})

    def test_agrees_with_a_slow_draw_of_accounts(self):
        frame = self.frame().sample(frac=1, random_state=1, ignore_index=True)
        fast = cluster_bootstrap(
            frame, lambda some: some["value"].mean(), seed=5, n_bootstrap=50, confidence=0.8
        )
        rng, means = np.random.default_rng(5), []
        accounts = frame["account"].unique()
        for _ in range(50):
            drawn = accounts[rng.integers(60, size=60)]
            parts = [frame.loc[frame["account"] == account, "value"] for account in drawn]
            means.append(np.concatenate(parts).mean())
        tail = stats.norm.cdf(stats.t.ppf(0.1, 59) * np.sqrt(60 / 59))
        low, high = np.quantile(means, [tail, 1 - tail])
        slow = pd.DataFrame({"estimate": [frame["value"].mean()], "low": [low], "high": [high]})
        assert_frame_equal(fast, slow)

    def test_an_account_drawn_twice_is_two(self):
        def accounts(some):
            assert some["account"].nunique() == 60
            assert set(some["value"]) <= set(frame["value"])
            return some.groupby("account")["value"].sum().size

        frame = self.frame()
        result = cluster_bootstrap(frame, accounts, seed=1, n_bootstrap=10)
        assert result.to_numpy().tolist() == [[60, 60, 60]]

    def test_rows_of_an_account_stay_together(self):
        def pairs(some):
            assert (some.groupby("account")["n"].size() == 2).all()
            assert (some.groupby("account")["n"].sum() % 4 == 1).all()
            return some["n"].mean()

        frame = pd.DataFrame({"account": np.arange(80) // 2, "n": np.arange(80)})
        cluster_bootstrap(frame.iloc[::-1], pairs, seed=1, n_bootstrap=20)

    def test_a_series_gives_a_row_for_each_of_its_numbers(self):
        def quartiles(some):
            return some["value"].quantile([0.25, 0.75])

        frame = self.frame()
        both = cluster_bootstrap(frame, quartiles, seed=2, n_bootstrap=40)
        assert both.index.tolist() == [0.25, 0.75]
        for share in (0.25, 0.75):
            one = cluster_bootstrap(frame, lambda f, s=share: f["value"].quantile(s), seed=2, n_bootstrap=40)  # fmt: skip
            assert both.loc[share].tolist() == one.iloc[0].tolist()

    def test_by_another_column_and_with_names(self):
        frame = self.frame().rename(columns={"account": "viewer"})
        frame["viewer"] = frame["viewer"].astype("str").astype("category")
        named = cluster_bootstrap(frame, lambda f: f["value"].mean(), by="viewer", seed=3)
        plain = cluster_bootstrap(
            self.frame(), lambda f: f["value"].mean(), seed=3, n_bootstrap=1000, confidence=0.95
        )
        assert_frame_equal(named, plain)

    def test_depends_on_the_seed_only_and_leaves_the_frame(self):
        frame = self.frame()
        before = frame.copy()
        one, two, other = (
            cluster_bootstrap(frame, lambda f: f["value"].mean(), seed=seed, n_bootstrap=30)
            for seed in (1, 1, 2)
        )
        assert_frame_equal(one, two)
        assert not one.equals(other)
        assert_frame_equal(frame, before)

    def test_is_wider_than_a_draw_of_rows_where_accounts_differ(self):
        frame = pd.DataFrame({"account": np.arange(400) // 10, "value": np.arange(400) // 10 % 2})
        by_account = cluster_bootstrap(frame, lambda f: f["value"].mean(), seed=1)
        by_row = cluster_bootstrap(frame.assign(account=range(400)), lambda f: f["value"].mean(), seed=1)  # fmt: skip
        widths = [(table["high"] - table["low"])[0] for table in (by_account, by_row)]
        assert widths[0] / widths[1] == pytest.approx(np.sqrt(10), rel=0.15)

    def test_covers_as_often_as_it_says(self):
        """Simulated accounts, each with a level of its own; the truth is 0."""
        rng, covers = np.random.default_rng(4), []
        for n in (25, 50, 100):
            account = np.arange(3 * n) // 3
            for seed in range(200):
                value = rng.normal(size=n)[account] + rng.normal(size=3 * n)
                frame = pd.DataFrame({"account": account, "value": value})
                table = cluster_bootstrap(
                    frame, lambda f: f["value"].to_numpy().mean(), seed=seed, n_bootstrap=100
                )
                covers.append(table["low"][0] <= 0 <= table["high"][0])
        assert 0.93 <= np.mean(covers) <= 0.97

    def test_of_many_accounts_the_percentiles_are_the_plain_ones(self):
        assert bootstrap_tails(10**6, 0.9) == pytest.approx([0.05, 0.95], abs=1e-6)
        # Student's t with 19 degrees of freedom is 2.093; the square root of 20/19 is 1.026.
        assert bootstrap_tails(20, 0.95)[0] == pytest.approx(stats.norm.cdf(-2.1474), abs=1e-5)

    def test_refuses(self):
        frame = self.frame()

        def mean(some):
            return some["value"].mean()

        rejects(cluster_bootstrap, [1], mean, seed=1, error=TypeError, match="`frame` must be a pandas")  # fmt: skip
        rejects(cluster_bootstrap, frame, mean, by="viewer", seed=1, match=r"missing \['viewer'\]")
        rejects(cluster_bootstrap, frame, mean, seed=-1, match="`seed` must be a whole number, 0")
        rejects(cluster_bootstrap, frame, mean, seed=1, n_bootstrap=0, match="`n_bootstrap` must be a whole number, 1")  # fmt: skip
        rejects(cluster_bootstrap, frame, mean, seed=1, confidence=1, match="`confidence` must lie")
        few = frame[frame["account"] < 19]
        rejects(cluster_bootstrap, few, mean, seed=1, match="at least 20 values of `account`, found 19")  # fmt: skip
        cluster_bootstrap(frame[frame["account"] < 20], mean, seed=1, n_bootstrap=1)
        missing = frame.assign(account=frame["account"].mask(frame["account"] == 3))
        rejects(cluster_bootstrap, missing, mean, seed=1, match="`account` must be there on every row; . are missing")  # fmt: skip
        rejects(cluster_bootstrap, frame, lambda f: f.groupby("account")["value"].first().nlargest(3), seed=1, match="`statistic` must return the same index")  # fmt: skip
        rejects(cluster_bootstrap, frame, lambda f: np.nan, seed=1, n_bootstrap=9, match="on 9 of 9 it was not")  # fmt: skip
        sometimes = iter([1.0, np.inf, 1.0, np.nan, 1.0])
        rejects(cluster_bootstrap, frame, lambda f: next(sometimes), seed=1, n_bootstrap=4, match="on 2 of 4 it was not")  # fmt: skip
        first = iter([np.nan, 1.0])
        rejects(cluster_bootstrap, frame, lambda f: next(first), seed=1, n_bootstrap=1, match="on 0 of 1 it was not")  # fmt: skip


class TestLogLogLimits:
    def test_is_symmetric_on_the_scale_of_the_double_logarithm(self):
        low, high = log_log_limits(np.array([0.7]), np.array([0.1]), np.array([9]), confidence=0.9)
        centre, reach = np.log(-np.log(0.7)), stats.norm.ppf(0.95) * 0.1 / (0.7 * -np.log(0.7))
        assert np.log(-np.log(low)) == pytest.approx(centre + reach)
        assert np.log(-np.log(high)) == pytest.approx(centre - reach)


def test_nothing_heavy_is_loaded_before_it_is_used():
    code = "import sys, toolkit.intervals; print({'scipy', 'statsmodels'} & {*sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("set()\n", "")


def test_every_case_is_used_and_names_its_source():
    here = Path(__file__)
    tests = here.read_text() + here.with_name("test_streak_ends.py").read_text()
    for name, case in CASES.items():
        assert f'"{name}"' in tests
        assert case["source"]
