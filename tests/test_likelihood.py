"""Fits and intervals of many samples beside SciPy's optimisers, one sample at a time."""

import numpy as np
import pytest
from numpy.random import default_rng
from scipy import optimize, special, stats

from tests.counts import SOME, TYPICAL, WORDS, arrays, drawn, sample
from toolkit.count_laws import LAWS, log_survival
from toolkit.likelihood import (
    best_fit,
    distances,
    draw,
    limit_of,
    logliks,
    profile_intervals,
    sample_of,
)

DROP = stats.chi2.ppf(0.95, 1) / 2


def lower_of(law, data):
    """How far below 0 the loglikelihood is, by parameters on the real line."""
    ways = {"mu": float, "p": special.expit, "q": special.expit}
    if law is LAWS["zeta"]:
        ways["alpha"] = lambda x: 1 + np.exp(x)
    if law is LAWS["truncated_zeta"]:
        ways["alpha"] = float

    def lower(x):
        moved = [ways.get(name, np.exp)(v) for name, v in zip(law.params, x, strict=True)]
        with np.errstate(all="ignore"):
            found = -logliks(law, arrays(moved), data)[0]
        return found if np.isfinite(found) else 1e12

    return lower


class TestDraw:
    @pytest.mark.parametrize("name", LAWS)
    def test_samples_are_drawn_from_the_law(self, name):
        samples = drawn(name, TYPICAL[name], 2000, size=40, seed=3)
        assert (samples.n == 2000).all()
        ks = distances(LAWS[name], tuple(np.repeat(p, 40) for p in arrays(TYPICAL[name])), samples)
        # The limit for continuous laws is wide enough for counts.
        assert (ks > stats.kstwo.isf(0.05, 2000)).mean() <= 0.125

    def test_far_tails_are_drawn_too(self):
        samples = drawn("zeta", (1.5,), 4000, size=20, seed=1)
        far = samples.k > 10**5
        share = samples.weights[far].sum() / samples.n.sum()
        assert share == pytest.approx(
            np.exp(log_survival(LAWS["zeta"], np.array(1e5), arrays((1.5,)), 1))[0], rel=0.2
        )

    def test_no_count_is_left_out_where_the_table_ends(self):
        law, params = LAWS["zeta"], arrays((1.5,))
        # The table of single counts ends at 8192.
        ends = np.array([8193.0, 8273.0])
        share = -np.diff(np.exp(log_survival(law, ends, params, 1)))[0]
        samples = drawn("zeta", (1.5,), 50_000, size=20, seed=4)
        seen = samples.weights[(samples.k >= ends[0]) & (samples.k < ends[1])].sum()
        expected = share * samples.n.sum()
        assert seen == pytest.approx(expected, abs=4 * np.sqrt(expected))

    def test_sizes_may_differ(self):
        samples = draw(LAWS["nbd"], arrays((0.97, 0.22)), 1, np.array([9, 500]), default_rng(1))
        assert samples.n.tolist() == [9, 500]
        assert (samples.k >= 1).all()


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
    @pytest.mark.parametrize(
        ("name", "xmin"), [(n, x) for n, law in LAWS.items() for x in (0, 1, 3) if x >= law.least]
    )
    def test_no_other_optimiser_climbs_higher(self, name, xmin):
        law = LAWS[name]
        for truth in ("nbd", "lognormal", "yule"):
            data = drawn(truth, TYPICAL[truth], 400, xmin=max(xmin, LAWS[truth].least), seed=5)
            data = data._replace(xmin=np.array([float(xmin)]))
            height = best_fit(law, data)[1]
            for start in (-1.0, 0.5):
                other = optimize.minimize(
                    lower_of(law, data), [start] * len(law.params), method="Nelder-Mead"
                )
                assert height[0] >= -other.fun - 1e-4

    @pytest.mark.parametrize("name", LAWS)
    def test_is_higher_than_its_neighbours(self, name):
        data = drawn(name, TYPICAL[name], 500, seed=2)
        params, height = best_fit(LAWS[name], data)
        for i in range(len(params)):
            for factor in (0.99, 1.01):
                moved = [p * factor if i == j else p for j, p in enumerate(params)]
                assert logliks(LAWS[name], moved, data)[0] < height[0]

    @pytest.mark.parametrize("n", [200, 20_000])
    @pytest.mark.parametrize("name", LAWS)
    def test_recovers_what_was_planted(self, name, n):
        data = drawn(name, TYPICAL[name], n, size=60, seed=n)
        fits, _ = best_fit(LAWS[name], data)
        middle = np.median(fits, axis=1)
        assert middle == pytest.approx(np.array(TYPICAL[name]), rel=0.25 if n == 200 else 0.04)

    def test_closed_forms(self):
        counts = np.repeat([0, 1, 2, 5], [30, 40, 20, 10])
        (mean,), _ = best_fit(LAWS["poisson"], sample(counts, 0))
        (p,), _ = best_fit(LAWS["geometric"], sample(counts, 0))
        assert mean[0] == pytest.approx(counts.mean(), rel=1e-5)
        assert p[0] == pytest.approx(1 / (1 + counts.mean()), rel=1e-5)

    def test_fishers_alpha(self):
        # S = alpha ln(1 + N / alpha), with N individuals of S kinds.
        (q,), _ = best_fit(LAWS["logseries"], sample(SOME))
        alpha = SOME.sum() * (1 - q[0]) / q[0]
        assert alpha * np.log1p(SOME.sum() / alpha) == pytest.approx(len(SOME), rel=1e-5)

    def test_many_samples_are_fitted_as_each_alone(self):
        table = np.random.default_rng(1).integers(0, 40, (6, 5))
        for name, law in LAWS.items():
            data = sample_of(table, [1, 2, 3, 8, 30], 1)
            params, height = best_fit(law, data)
            for row in range(6):
                alone, top = best_fit(law, data.taken(np.array([row])))
                assert height[row] == pytest.approx(top[0], abs=1e-5), name
                if limit_of(law, data.taken(np.array([row])), alone, top) is None:
                    assert [p[row] for p in params] == pytest.approx(np.ravel(alone), rel=1e-3)

    @pytest.mark.parametrize(
        ("name", "truth", "xmin"),
        [("nbd", "poisson", 1), ("nbd", "poisson", 3), ("nbd", "logseries", 1),
         ("betageometric", "geometric", 1), ("truncated_zeta", "zeta", 1), ("lognormal", "zeta", 1)],
    )  # fmt: skip
    def test_no_sample_stays_on_the_flat_land_before_another_law(self, name, truth, xmin):
        law, data = LAWS[name], drawn(truth, TYPICAL[truth], 300, size=12, xmin=xmin, seed=8)
        _, heights = best_fit(law, data)
        for row in range(12):
            one = data.taken(np.array([row]))
            other = optimize.minimize(
                lower_of(law, one), [0.5, -0.5], method="Nelder-Mead", options={"maxfev": 400}
            )
            assert heights[row] >= -other.fun - 1e-3


class TestLimitOf:
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
        data = sample(counts, xmin)
        assert limit_of(LAWS[name], data, *best_fit(LAWS[name], data)) == limit

    @pytest.mark.parametrize(
        ("name", "counts", "limit"),
        [
            ("nbd", np.repeat([1, 2, 3, 4], [10, 40, 40, 10]), "poisson"),
            ("nbd", WORDS, "logseries"),
            ("betageometric", np.repeat([1, 2, 3, 4], [10, 40, 40, 10]), "geometric"),
            ("truncated_zeta", np.repeat([1, 2, 3, 9, 900], [90, 20, 9, 5, 3]), "zeta"),
        ],
    )
    def test_that_law_is_as_likely(self, name, counts, limit):
        data = sample(counts)
        (height,), (inner,) = best_fit(LAWS[name], data)[1], best_fit(LAWS[limit], data)[1]
        assert height == pytest.approx(inner, abs=1e-3, rel=1e-7)


class TestProfileIntervals:
    @pytest.mark.parametrize("name", LAWS)
    def test_cover_in_95_of_100(self, name):
        data = drawn(name, TYPICAL[name], 300, size=200, seed=7)
        low, high = profile_intervals(LAWS[name], data, *best_fit(LAWS[name], data), DROP)
        covered = ((low <= TYPICAL[name]) & (TYPICAL[name] <= high)).mean(axis=0)
        # 4 standard errors of 200 trials.
        assert (np.abs(covered - 0.95) < 0.062).all()

    @pytest.mark.parametrize("name", ["poisson", "zeta", "yule"])
    def test_end_where_the_loglikelihood_has_fallen_by_the_drop(self, name):
        data = drawn(name, TYPICAL[name], 300)
        params, height = best_fit(LAWS[name], data)
        for ends in profile_intervals(LAWS[name], data, params, height, DROP):
            assert height[0] - logliks(LAWS[name], (ends[:, 0],), data)[0] == pytest.approx(
                DROP, abs=1e-4
            )

    def test_profile_out_the_other_parameter(self):
        data = sample(SOME)
        params, height = best_fit(LAWS["nbd"], data)
        low, high = profile_intervals(LAWS["nbd"], data, params, height, DROP)
        for r in (low[0, 0], high[0, 0]):
            if r == 0:
                continue
            top = optimize.minimize_scalar(
                lambda x, r=r: -logliks(LAWS["nbd"], arrays((r, np.exp(x))), data)[0],
                bounds=(-9, 9),
            )
            assert height[0] + top.fun == pytest.approx(DROP, abs=1e-3)

    @pytest.mark.parametrize(
        ("name", "occurs"), [("nbd", [10, 30, 30, 20, 7]), ("betageometric", [70, 40, 22, 10, 5])]
    )
    def test_are_open_where_the_counts_do_not_bound_a_parameter(self, name, occurs):
        data = sample(np.repeat(np.arange(5), occurs), 0)
        low, high = profile_intervals(LAWS[name], data, *best_fit(LAWS[name], data), DROP)
        assert np.isinf(high).all()
        assert (low > 1).all()

    def test_of_one_law_do_not_end_on_the_flat_land_before_another(self):
        # With a lower alpha the NBD becomes a log-series; back from there the way is flat.
        k = [3, 4, 5, 6, 7, 8, 9, 10, 15, 16]
        data = sample(np.repeat(k, [43, 35, 16, 19, 13, 5, 3, 2, 1, 1]), 3)
        params, height = best_fit(LAWS["nbd"], data)
        low = profile_intervals(LAWS["nbd"], data, params, height, DROP)[0][0, 1]
        r = np.exp(np.linspace(-20, 5, 2000))
        many = data.taken(np.zeros(2000, dtype=int))
        top = logliks(LAWS["nbd"], (r, np.full(2000, low)), many).max()
        assert height[0] - top == pytest.approx(DROP, abs=1e-3)

    def test_many_samples_have_the_intervals_of_each_alone(self):
        data = drawn("nbd", (0.97, 0.22), 150, size=5, seed=3)
        fits = best_fit(LAWS["nbd"], data)
        together = profile_intervals(LAWS["nbd"], data, *fits, DROP)
        for row in range(5):
            one = data.taken(np.array([row]))
            alone = profile_intervals(LAWS["nbd"], one, *best_fit(LAWS["nbd"], one), DROP)
            for ends, own in zip(together, alone, strict=True):
                assert ends[row] == pytest.approx(own[0], rel=1e-4)
