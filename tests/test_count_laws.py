"""Weights and tails of laws beside SciPy's, and beside sums over many counts."""

import numpy as np
import pytest
from scipy import stats

from tests.counts import TYPICAL, arrays
from toolkit.count_laws import LAWS, log_pmf, log_survival

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


class TestLaws:
    @pytest.mark.parametrize(
        ("name", "params", "xmin"),
        [
            (*case, x)
            for case in [*EACH, ("zeta", (400.0,))]
            for x in (0, 1, 2, 7, 60)
            if x >= LAWS[case[0]].least
        ],
    )
    def test_weights_and_tails_add_up_to_one(self, name, params, xmin):
        law = LAWS[name]
        k = np.arange(xmin, xmin + 2000.0)
        pmf = np.exp(log_pmf(law, k, arrays(params), xmin))
        left = np.exp(log_survival(law, np.append(k, k[-1] + 1), arrays(params), xmin))
        assert left[0] == pytest.approx(1, abs=1e-12)
        assert np.abs(np.cumsum(pmf) + left[1:] - 1).max() < 1e-10

    @pytest.mark.parametrize("xmin", [1, 2, 7])
    @pytest.mark.parametrize(("name", "params"), [case for case in EACH if case[0] in SCIPY])
    def test_agrees_with_scipy_above_the_truncation(self, name, params, xmin):
        law, k = SCIPY[name](*params), np.arange(xmin, 300)
        whole = law.sf(xmin - 1)
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

    @pytest.mark.parametrize(("mu", "sigma"), [(10.0, 3.0), (14.0, 0.2), (16.0, 1.0)])
    def test_far_out_the_lognormal_is_its_density(self, mu, sigma):
        k, law = (
            np.array([999_999.0, 1e6, 1e6 + 1, 1e9, 1e15]),
            stats.lognorm(sigma, scale=np.exp(mu)),
        )
        expected = law.logpdf(k) - law.logsf(2.5)
        assert log_pmf(LAWS["lognormal"], k, arrays((mu, sigma)), 3) == pytest.approx(
            expected, abs=1e-7
        )

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
