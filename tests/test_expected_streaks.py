"""What null models expect of every length, with known and with uncertain parameters."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy import stats

from tests.test_null_fits import drawn, log_of, window
from tests.test_run_laws import rejects
from tests.test_surprise import PARAMS
from toolkit.expected_streaks import expect_streaks
from toolkit.null_fits import fit_nulls, null_posterior
from toolkit.streak_counts import count_streaks
from toolkit.streak_nulls import NULLS, READINGS
from toolkit.streaks import find_streaks
from toolkit.surprise import audit_claim


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

    def test_uncertain_parameters_widen_it(self):
        # A posterior at two values: a mixture of two Poisson laws.
        some = [{"p": 0.1}, {"p": 0.2}]
        nulls = pd.DataFrame({"null": "independent", "params": some, "weight": [0.25, 0.75]})
        found = expect_streaks(nulls, population=1000, confidence=0.8, **window(1)).loc[0]
        assert found["expected"] == pytest.approx(175)
        cdf = stats.poisson.cdf(np.arange(400)[:, None], [100, 200]) @ [0.25, 0.75]
        assert found["low"] == np.searchsorted(cdf, 0.1)
        assert found["high"] == np.searchsorted(cdf, 0.9)

    def test_one_set_of_weight_1_is_that_set(self):
        whole = {"population": 1000, **window(4)}
        nulls = pd.DataFrame({"null": ["beta"], "params": [PARAMS["beta"]], "weight": [1.0]})
        plain = expect_streaks({"beta": PARAMS["beta"]}, **whole)
        assert_frame_equal(expect_streaks(nulls, **whole), plain)

    def test_wrong_arguments(self):
        whole = {"population": 10, **window(3)}
        rejects(expect_streaks, {"magic": {}}, **whole, match="`nulls` must be one of")
        rejects(expect_streaks, PARAMS, **whole, reading="past", match="`reading` must be one of")
        rejects(expect_streaks, PARAMS, **whole, confidence=2, match="`confidence` must lie")
        rejects(expect_streaks, pd.DataFrame({"null": ["beta"]}), **whole, match="missing")
        twice = pd.DataFrame({"null": ["independent"] * 2, "params": [{"p": 0.1}, {"p": 0.2}]})
        rejects(expect_streaks, twice, **whole, match="one row per null, found 2")
        rejects(expect_streaks, twice.assign(weight=[0.5, 0.6]), **whole, match="sum to 1")
        rejects(expect_streaks, twice.assign(weight=[-0.5, 1.5]), **whole, match="sum to 1")


def test_another_log_of_the_law_lies_in_the_interval_of_a_posterior():
    null, size, n = "markov", 60, 8
    inside = {"fit": [], "posterior": []}
    for seed in range(15):
        days, other = drawn(null, n, PARAMS[null], 2 * size, seed=seed).reshape(2, size, n)
        viewer_days, population = log_of(days)
        whole = {"population": population, **window(n)}
        nulls = {
            "fit": fit_nulls(viewer_days, nulls=[null], **whole),
            "posterior": null_posterior(viewer_days, nulls=[null], **whole),
        }
        lengths = np.logical_and.accumulate(other[:, ::-1], axis=1).sum(axis=1)
        reached = (lengths[:, None] >= np.arange(1, n + 1)).sum(axis=0)
        for way, given in nulls.items():
            found = expect_streaks(given, confidence=0.8, **whole)
            inside[way].append((found["low"] <= reached) & (reached <= found["high"]))
    assert np.mean(inside["posterior"]) >= 0.8
    assert np.mean(inside["posterior"]) > np.mean(inside["fit"])
