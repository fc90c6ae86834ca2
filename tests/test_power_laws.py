"""The choice of where a power law begins, beside one fit at a time."""

import numpy as np
import pytest
from pandas.testing import assert_frame_equal
from scipy import special, stats

from tests.counts import SOME, WORDS, drawn
from toolkit import power_laws
from toolkit.count_fits import fit_counts
from toolkit.power_laws import choose_xmin, fit_power_law


def drawn_counts(alpha, n, xmin=1, seed=3):
    tail = drawn("zeta", (alpha,), n, xmin=xmin, seed=seed)
    return np.repeat(tail.k, tail.weights.astype(int)).astype(int)


def tail_of(alpha, n_tail, n_head, seed=3):
    """A power law from 5 on, and below it as many of each count."""
    head = np.random.default_rng(seed).integers(1, 5, n_head)
    return np.append(head, drawn_counts(alpha, n_tail, xmin=5, seed=seed))


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
        counts = np.append(head, np.repeat(tail.k, tail.weights.astype(int)))
        chosen = choose_xmin(counts).query("is_chosen").iloc[0]
        assert 8 <= chosen["xmin"] <= 14
        assert chosen["alpha"] == pytest.approx(2.5, abs=0.12)

    def test_leaves_enough_counts(self):
        table = choose_xmin(WORDS)
        assert table["n"].min() >= 50
        assert table["xmin"].is_monotonic_increasing
        assert choose_xmin(WORDS, max_xmin=5)["xmin"].tolist() == [1, 2, 3, 4, 5]

    @pytest.mark.parametrize(
        ("occurs", "starts"),
        [([10, 25, 15, 10], [1, 2]), ([10, 24, 15, 10], [1]), ([60, 60, 60], [1])],
    )
    def test_fifty_counts_of_three_values_are_enough(self, occurs, starts):
        counts = np.repeat(np.arange(len(occurs)) + 1, occurs)
        assert choose_xmin(counts)["xmin"].tolist() == starts

    def test_many_starts_are_looked_at_in_parts(self, monkeypatch):
        whole = choose_xmin(WORDS)
        monkeypatch.setattr(power_laws, "_CELLS", 3000)
        assert_frame_equal(choose_xmin(WORDS), whole)

    def test_a_start_is_one_that_occurs(self):
        assert choose_xmin(SOME + 3, max_xmin=4)["xmin"].tolist() == [4]
        assert choose_xmin(np.append(SOME, 0), max_xmin=1)["n"].tolist() == [len(SOME)]

    def test_refuses(self):
        with pytest.raises(ValueError, match="at least 50 counts of 1 or more"):
            choose_xmin([1, 2, 3])
        with pytest.raises(ValueError, match="`max_xmin` must be 4 or more, as counts are, got 1"):
            choose_xmin(SOME + 3, max_xmin=1)


class TestFitPowerLaw:
    def test_tells_of_the_chosen_start(self):
        counts = tail_of(2.5, n_tail=300, n_head=500)
        found = fit_power_law(counts, seed=1, n_bootstrap=10)
        chosen = choose_xmin(counts).query("is_chosen").reset_index(drop=True)
        assert_frame_equal(found.drop(columns="p_value"), chosen.drop(columns="is_chosen"))
        assert list(found) == ["xmin", "n", "alpha", "ks", "p_value"]

    def test_agrees_with_a_slow_bootstrap(self):
        counts = tail_of(2.5, n_tail=120, n_head=200, seed=2)
        found = fit_power_law(counts, seed=1, n_bootstrap=400).iloc[0]
        rng = np.random.default_rng(3)
        head = counts[counts < found["xmin"]]
        # Far enough for what is above to have no weight.
        values = np.arange(found["xmin"], 200_000)
        shares = values ** -found["alpha"]
        as_far = 0
        for _ in range(200):
            n_tail = sum(rng.random(len(counts)) < found["n"] / len(counts))
            tail = rng.choice(values, n_tail, p=shares / shares.sum())
            sample = np.append(tail, rng.choice(head, len(counts) - n_tail)).astype(int)
            as_far += choose_xmin(sample)["ks"].min() >= found["ks"]
        assert 0.1 < found["p_value"] < 0.9
        # 4 standard errors of the 200 and 400.
        assert found["p_value"] == pytest.approx(as_far / 200, abs=0.17)

    def test_p_values_of_a_power_law_are_even_and_of_another_law_small(self):
        p_values = [
            fit_power_law(tail_of(2.2, 100, 150, seed=seed), seed=seed, n_bootstrap=19)["p_value"][
                0
            ]
            for seed in range(20)
        ]
        assert stats.kstest(p_values, "uniform").pvalue > 0.01
        other = np.random.default_rng(1).poisson(8, 2000) + 1
        found = fit_power_law(other, seed=1, n_bootstrap=40, max_xmin=8).iloc[0]
        assert found["p_value"] == pytest.approx(1 / 41)

    def test_samples_are_like_the_counts_below_and_like_the_law_above(self, monkeypatch):
        counts = tail_of(2.5, n_tail=400, n_head=200)
        samples, real = [], power_laws._from_each

        def recorded(values, occurs, max_xmin):
            samples.append(np.repeat(values, occurs))
            return real(values, occurs, max_xmin)

        monkeypatch.setattr(power_laws, "_from_each", recorded)
        found = fit_power_law(counts, seed=1, n_bootstrap=200).iloc[0]
        xmin, alpha = int(found["xmin"]), found["alpha"]
        assert xmin > 2
        assert (samples[0] == np.sort(counts)).all()
        assert {len(sample) for sample in samples} == {600}
        drawn = np.concatenate(samples[1:])
        for k in range(1, xmin + 4):
            expected = (counts == k).mean()
            if k >= xmin:
                expected = k**-alpha / special.zeta(alpha, xmin) * found["n"] / 600
            # 4 standard errors.
            spread = np.sqrt(expected / len(drawn))
            assert (drawn == k).mean() == pytest.approx(expected, abs=4 * spread), k

    def test_samples_of_fewer_than_three_values_are_fitted_too(self):
        found = fit_power_law(np.repeat([1, 2, 3], [60, 4, 1]), seed=1, n_bootstrap=30)
        assert 0 < found["p_value"][0] <= 1

    def test_starts_no_later_than_it_may(self):
        counts = tail_of(2.5, n_tail=300, n_head=500)
        found = fit_power_law(counts, seed=1, n_bootstrap=20, max_xmin=2).iloc[0]
        assert found["xmin"] <= 2
        assert found["p_value"] == pytest.approx(1 / 21)

    def test_a_power_law_from_the_first_count_on_leaves_no_others(self):
        counts = drawn_counts(2.5, 200, seed=5)
        found = fit_power_law(counts, seed=1, n_bootstrap=20, max_xmin=1).iloc[0]
        assert (found["xmin"], found["n"]) == (1, 200)
        assert found["p_value"] > 0.05

    def test_a_seed_gives_the_same(self):
        counts = tail_of(2.5, n_tail=100, n_head=100)
        one, again, other = (fit_power_law(counts, seed=seed, n_bootstrap=20) for seed in (1, 1, 2))
        assert_frame_equal(one, again)
        assert one["p_value"][0] != other["p_value"][0]

    def test_refuses(self):
        with pytest.raises(ValueError, match="`seed` must be a whole number, 0 or more, got -1"):
            fit_power_law(SOME, seed=-1)
        with pytest.raises(ValueError, match="`n_bootstrap` must be a whole number, 1 or more"):
            fit_power_law(SOME, seed=1, n_bootstrap=0)
        with pytest.raises(ValueError, match="at least 50 counts of 1 or more"):
            fit_power_law([1, 2, 3], seed=1)
        with pytest.raises(ValueError, match="`max_xmin` must be 4 or more"):
            fit_power_law(SOME + 3, seed=1, max_xmin=3)
