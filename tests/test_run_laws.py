"""Chances of runs beside every sequence of up to 14 days, exact arithmetic and simulation."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy import stats

from toolkit import run_laws
from toolkit.run_laws import (
    beta_run_probability,
    beta_streak_probability,
    expected_runs,
    longest_run,
    markov_run_probability,
    run_probability,
    share_after_streak,
    waiting_time,
)

MOST = 14
CHANCES = [0.0, 1e-9, 0.03, 0.3, 0.5, 0.9, 1 - 1e-9, 1.0]
CHAINS = [(0.2, 0.7), (0.05, 0.95), (0.9, 0.1), (1e-8, 0.5), (0.4, 0.4), (0.3, 0.0), (0.3, 1.0), (1.0, 0.6)]  # fmt: skip
BETAS = [(0.05, 2.0), (0.5, 50.0), (2.0, 0.01), (1e-6, 1.0), (3e4, 5e6), (0.5, 0.5), (1e6, 1e6)]
CASES = [(n, k) for n in range(MOST + 1) for k in range(1, n + 2)]


@cache
def sequences(n):
    """All sequences of n days: the days, the longest run of each, and how often runs reach k."""
    days = (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(bool)
    now, longest = np.zeros(2**n, dtype=int), np.zeros(2**n, dtype=int)
    n_runs = np.zeros((2**n, n + 2), dtype=int)
    for day in range(n):
        now = np.where(days[:, day], now + 1, 0)
        longest = np.maximum(longest, now)
        # A run is counted for k on the day on which it becomes k days long.
        n_runs[np.arange(2**n), now] += now > 0
    return days, longest, n_runs


def chain_weights(n, p01, p11):
    """The chance of each sequence of n days of a stationary chain."""
    days = sequences(n)[0]
    on = p01 / (p01 + 1 - p11)
    if n == 0:
        return np.ones(1)
    weights = np.where(days[:, 0], on, (1 - p11) / (p01 + 1 - p11))
    for before, day in zip(days[:, :-1].T, days[:, 1:].T, strict=True):
        chance = np.where(before, p11, p01)
        weights = weights * np.where(day, chance, 1 - chance)
    return weights


def beta_weights(n, a, b):
    """The chance of each sequence of n days of a viewer drawn from many, exactly."""
    a, b = Fraction(a), Fraction(b)
    by_watched = []
    for watched in range(n + 1):
        chance = Fraction(1)
        for j in range(n):
            chance *= (a + j if j < watched else b + j - watched) / (a + b + j)
        by_watched.append(float(chance))
    return np.array(by_watched)[sequences(n)[0].sum(axis=1)]


def enumerated(weights, n, k):
    return weights[sequences(n)[1] >= k].sum()


def left_early(chances, leaving):
    """The chance with leaving, from that within 0, 1, ..., n days without."""
    stay = 1 - leaving
    parts = [chance * leaving * stay**day for day, chance in enumerate(chances[:-1])]
    return sum(parts) + chances[-1] * stay ** (len(chances) - 1)


def to_many_digits(n, k, p01, p11):
    """A run in a stationary chain, from the state of each day, with 60 digits."""
    with localcontext() as context:
        context.prec = 60
        p01, p11 = Decimal(p01), Decimal(p11)
        on = p01 / (p01 + 1 - p11)
        # The chance of no run of k so far and a current one of j days.
        state = [1 - on, on, *[Decimal(0)] * (k - 1)][:k]
        for _ in range(n - 1):
            missed = state[0] * (1 - p01) + sum(state[1:]) * (1 - p11)
            state = [missed, state[0] * p01, *(s * p11 for s in state[1:-1])][:k]
        return 1 - sum(state)


def simulated(n, k, p01, p11, size=100_000):
    """The share of chains with a run of k within n days."""
    rng = np.random.default_rng(5)
    now = (rng.random(size) < p01 / (p01 + 1 - p11)).astype(int)
    longest = now.copy()
    for _ in range(n - 1):
        now = (now + 1) * (rng.random(size) < np.where(now > 0, p11, p01))
        longest = np.maximum(longest, now)
    return (longest >= k).mean()


def rejects(function, *args, match, **kwargs):
    with pytest.raises(ValueError, match=match):
        function(*args, **kwargs)


class TestRunProbability:
    @pytest.mark.parametrize("p", CHANCES)
    def test_is_that_of_all_sequences(self, p):
        for n in range(MOST + 1):
            k = np.arange(1, n + 2)
            weights = np.prod(np.where(sequences(n)[0], p, 1 - p), axis=1)
            expected = [enumerated(weights, n, length) for length in k]
            assert run_probability(n, k, p) == pytest.approx(expected, rel=1e-12, abs=0)

    @pytest.mark.parametrize(
        ("n", "k", "p", "expected", "digits"),
        [
            (10, 3, 0.5, 0.5078125, 12),
            (20, 5, 0.5, 0.249870300, 9),
            (100, 7, 0.5, 0.317520387, 9),
            (24, 18, 0.9, 0.240151416, 9),
            (18, 18, 0.9, 0.150094635, 9),
        ],
    )
    def test_known_digits(self, n, k, p, expected, digits):
        assert run_probability(n, k, p) == pytest.approx(expected, abs=0.51 * 10.0**-digits)

    def test_counts_of_tosses_with_a_run_of_heads(self):
        # OEIS A050227, the rows n = 1 to 5 (Feller, p. 300).
        rows = [[1], [3, 1], [7, 3, 1], [15, 8, 3, 1], [31, 19, 8, 3, 1]]
        for n, row in enumerate(rows, start=1):
            chances = run_probability(n, np.arange(1, n + 1), 0.5)
            assert (chances * 2**n).tolist() == row

    def test_counts_of_tosses_without_a_run_of_four_heads(self):
        # Schilling, College Mathematics Journal 21 (1990) 196-207: A_n(3).
        counts = [1, 2, 4, 8, 15, 29, 56, 108, 208, 401, 773]
        n = np.arange(len(counts))
        assert ((1 - run_probability(n, 4, 0.5)) * 2**n).tolist() == counts

    @pytest.mark.parametrize("k", [1, 3, 18, 300])
    @pytest.mark.parametrize("p", [1e-6, 0.03, 0.5, 0.99, 0.999999])
    def test_ten_thousand_days_to_twelve_digits(self, k, p):
        expected = [Decimal(p) ** k]
        with localcontext() as context:
            context.prec = 60
            chance = Decimal(p)
            within = [Decimal(0)] * k + [chance**k]
            for day in range(k + 1, 10_001):
                ends = (1 - chance) * chance**k * (1 - within[day - k - 1])
                within.append(within[-1] + ends)
            expected = within[-1]
        if expected > Decimal("1e-300"):
            assert abs(Decimal(float(run_probability(10_000, k, p))) / expected - 1) < 1e-12
        else:
            assert run_probability(10_000, k, p) < 1e-300

    def test_leaving_is_a_mixture_of_shorter_windows(self):
        for leaving in [0.0, 1e-7, 0.2, 1.0]:
            for n, k in CASES:
                p = 0.7
                weights = [
                    np.prod(np.where(sequences(m)[0], p, 1 - p), axis=1) for m in range(n + 1)
                ]
                within = [enumerated(weights[m], m, k) for m in range(n + 1)]
                expected = left_early(within, leaving)
                found = run_probability(n, k, p, leaving=leaving)
                assert found == pytest.approx(expected, rel=1e-11, abs=1e-15)

    def test_arrays_are_matched_and_a_single_case_is_a_number(self):
        table = run_probability([[5], [9]], [1, 3, 6], 0.4)
        assert table.shape == (2, 3)
        assert table[1, 2] == run_probability(9, 6, 0.4)
        assert np.ndim(run_probability(9, 6, 0.4)) == 0
        assert run_probability([], 3, 0.4).shape == (0,)

    def test_many_cases_are_followed_in_blocks(self, monkeypatch):
        n, k, p = np.arange(50), np.arange(50) % 7 + 1, np.linspace(0, 1, 50)
        whole = run_probability(n, k, p)
        monkeypatch.setattr(run_laws, "_KEPT", 150)
        assert run_probability(n, k, p).tolist() == whole.tolist()

    @pytest.mark.parametrize("p", [0.0, 0.4, 1.0])
    def test_a_run_longer_than_the_window_is_impossible(self, p):
        assert run_probability([0, 3, 24], [1, 4, 25], p).tolist() == [0, 0, 0]

    def test_never_exceeds_one(self):
        chances = run_probability(10_000, [1, 2, 3], np.linspace(0.5, 1, 30)[:, None])
        assert chances.max() <= 1

    def test_wrong_arguments(self):
        rejects(run_probability, -1, 3, 0.5, match=r"`n` must be whole numbers, 0 or more, got -1")
        rejects(run_probability, 9, 0, 0.5, match="`k` must be whole numbers, 1 or more, got 0")
        rejects(run_probability, 9, [2, 2.5], 0.5, match=r"`k` must be .* got 2.5")
        rejects(
            run_probability, "9", 2, 0.5, match="`n` must be whole numbers, 0 or more, found <U1"
        )
        rejects(run_probability, np.nan, 2, 0.5, match="`n` must be whole numbers")
        rejects(run_probability, np.inf, 2, 0.5, match="`n` must be whole numbers")
        rejects(run_probability, 9, 2, 1.1, match=r"`p` must lie in \[0, 1\], got 1.1")
        rejects(run_probability, 9, 2, np.nan, match="`p` must lie in")
        rejects(run_probability, 9, 2, 0.5, leaving=-0.1, match="`leaving` must lie in")


class TestMarkovRunProbability:
    @pytest.mark.parametrize(("p01", "p11"), CHAINS)
    def test_is_that_of_all_sequences(self, p01, p11):
        for n in range(MOST + 1):
            k = np.arange(1, n + 2)
            weights = chain_weights(n, p01, p11)
            expected = [enumerated(weights, n, length) for length in k]
            found = markov_run_probability(n, k, p01, p11)
            assert found == pytest.approx(expected, rel=1e-12, abs=0)

    @pytest.mark.parametrize(
        ("n", "k", "p01", "p11", "expected", "half"),
        [
            (10, 3, 0.2, 0.7, 0.55890772, 5e-9),
            (12, 4, 0.1, 0.9, 0.63193006, 5e-9),
            (24, 18, 0.05, 0.5, 2.774e-6, 5e-10),
            (24, 18, 0.05, 0.8, 0.0099079, 5e-8),
            (24, 18, 0.05, 0.9, 0.0889450, 5e-8),
            (24, 18, 0.05, 0.95, 0.2717782, 5e-8),
        ],
    )
    def test_known_digits(self, n, k, p01, p11, expected, half):
        assert markov_run_probability(n, k, p01, p11) == pytest.approx(expected, abs=1.01 * half)

    @pytest.mark.parametrize("p", [1e-7, 0.2, 0.8, 1.0])
    def test_without_memory_days_are_independent(self, p):
        n, k = np.array(CASES).T
        expected = run_probability(n, k, p, leaving=0.1)
        found = markov_run_probability(n, k, p, p, leaving=0.1)
        assert found == pytest.approx(expected, rel=1e-13, abs=0)

    @pytest.mark.parametrize(("n", "k", "p01", "p11"), [(2000, 18, 0.05, 0.8), (300, 5, 1e-5, 0.6), (500, 40, 0.2, 0.97)])  # fmt: skip
    def test_long_windows_to_twelve_digits(self, n, k, p01, p11):
        expected = to_many_digits(n, k, p01, p11)
        found = Decimal(float(markov_run_probability(n, k, p01, p11)))
        assert abs(found / expected - 1) < 1e-12

    @pytest.mark.parametrize(
        ("n", "k", "p01", "p11"),
        [(100, 18, 0.3, 0.9), (60, 3, 0.1, 0.3), (200, 12, 0.6, 0.6), (90, 25, 0.02, 0.98)],
    )
    def test_within_the_error_of_a_simulation(self, n, k, p01, p11):
        share, expected = simulated(n, k, p01, p11), markov_run_probability(n, k, p01, p11)
        # Four standard errors of a share of 100 000.
        assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / 100_000)

    @pytest.mark.parametrize("leaving", [0.0, 0.15, 1.0])
    def test_leaving_is_a_mixture_of_shorter_windows(self, leaving):
        for n, k in CASES:
            within = [enumerated(chain_weights(m, 0.3, 0.8), m, k) for m in range(n + 1)]
            found = markov_run_probability(n, k, 0.3, 0.8, leaving=leaving)
            assert found == pytest.approx(left_early(within, leaving), rel=1e-11, abs=1e-15)

    def test_who_never_starts_has_no_run(self):
        assert markov_run_probability(24, [1, 18], 0.0, 0.9).tolist() == [0, 0]

    def test_wrong_arguments(self):
        rejects(markov_run_probability, 9, 2, 1.2, 0.5, match=r"`p01` must lie in \[0, 1\]")
        rejects(markov_run_probability, 9, 2, 0.5, -1, match=r"`p11` must lie in \[0, 1\]")
        rejects(markov_run_probability, 9, 2, [0.5, 0], 1, match="`p01` must be above 0 where")


class TestBetaRunProbability:
    @pytest.mark.parametrize(("a", "b"), BETAS)
    def test_is_that_of_all_sequences(self, a, b):
        for n in range(MOST + 1):
            k = np.arange(1, n + 2)
            weights = beta_weights(n, a, b)
            expected = [enumerated(weights, n, length) for length in k]
            assert beta_run_probability(n, k, a, b) == pytest.approx(expected, rel=1e-11, abs=0)

    @pytest.mark.parametrize("leaving", [0.0, 0.05])
    @pytest.mark.parametrize(("n", "k"), [(24, 18), (90, 7), (90, 1), (700, 18), (700, 3)])
    def test_is_the_mean_over_viewers(self, n, k, leaving):
        a, b = 1.4, 3.2
        # On equal steps of the quantile, towards 0 and 1 ever finer, independent of the nodes.
        edges = stats.norm.cdf(np.linspace(-9, 9, 4001))
        p = stats.beta.ppf((edges[1:] + edges[:-1]) / 2, a, b)
        expected = np.sum(run_probability(n, k, p, leaving=leaving) * np.diff(edges))
        found = beta_run_probability(n, k, a, b, leaving=leaving)
        assert found == pytest.approx(expected, rel=2e-5)

    @pytest.mark.parametrize("n", [300, 1000])
    def test_a_single_day_is_all_but_none(self, n):
        none = beta_streak_probability(n, 2.0, 0.05)
        assert beta_run_probability(n, 1, 0.05, 2.0) == pytest.approx(1 - none, rel=1e-11)

    def test_many_like_viewers_are_one(self):
        # The spread of the chances has a variance of 2.5e-13.
        found = beta_run_probability(1000, [3, 18], 5e11, 5e11)
        assert found == pytest.approx(run_probability(1000, [3, 18], 0.5), rel=1e-9)

    def test_on_all_days_it_is_that_of_the_last_days(self):
        k = np.arange(1, 30)
        assert beta_run_probability(k, k, 0.3, 4.0) == pytest.approx(beta_streak_probability(k, 0.3, 4.0), rel=1e-13)  # fmt: skip

    def test_arrays_are_matched_and_a_single_case_is_a_number(self):
        table = beta_run_probability([[5], [9]], [1, 3, 6], 0.4, [1.0, 2.0, 3.0])
        assert table.shape == (2, 3)
        assert table[1, 2] == beta_run_probability(9, 6, 0.4, 3.0)
        assert np.ndim(beta_run_probability(9, 6, 0.4, 3.0)) == 0

    def test_wrong_arguments(self):
        rejects(beta_run_probability, 9, 2, 0, 1, match="`a` must be above 0 and finite, got 0")
        rejects(beta_run_probability, 9, 2, 1, np.inf, match="`b` must be above 0 and finite")
        rejects(beta_run_probability, 9, 0, 1, 1, match="`k` must be whole numbers, 1 or more")


class TestBetaStreakProbability:
    @pytest.mark.parametrize(
        ("a", "b", "expected", "half"),
        [
            (0.05, 2, 1.53e-4, 5e-7),
            (0.1, 5, 9.06e-7, 5e-10),
            (0.1, 10, 1.49e-9, 5e-12),
            (0.5, 50, 1.2e-17, 5e-19),
        ],
    )
    def test_known_digits(self, a, b, expected, half):
        assert beta_streak_probability(18, a, b) == pytest.approx(expected, abs=1.01 * half)

    @pytest.mark.parametrize(("a", "b"), BETAS)
    def test_is_the_product_of_the_chances_to_go_on(self, a, b):
        for k in [0, 1, 2, 18, 100, 3000]:
            expected, exact_a, exact_b = Fraction(1), Fraction(a), Fraction(b)
            for j in range(k):
                # Cut to 400 bits, or the fraction would grow with each day.
                expected *= (exact_a + j) / (exact_a + exact_b + j)
                expected = expected.limit_denominator(2**400)
            assert beta_streak_probability(k, a, b) == pytest.approx(float(expected), rel=1e-12)

    @pytest.mark.parametrize("k", [1, 3, 9, 20])
    @pytest.mark.parametrize(("a", "b"), [(1.0, 1e17), (0.3, 1e20), (1e-11, 1e-11), (1e-9, 2.0)])
    def test_far_ends_keep_their_digits(self, a, b, k):
        expected = math.prod((Fraction(a) + j) / (Fraction(a) + Fraction(b) + j) for j in range(k))
        assert beta_streak_probability(k, a, b) == pytest.approx(float(expected), rel=1e-11, abs=1e-320)  # fmt: skip

    def test_wrong_arguments(self):
        rejects(beta_streak_probability, -1, 1, 1, match="`k` must be whole numbers, 0 or more")
        rejects(beta_streak_probability, 1, 1, -2, match="`b` must be above 0 and finite, got -2")


class TestExpectedRuns:
    @pytest.mark.parametrize("p", CHANCES)
    def test_is_that_of_all_sequences(self, p):
        for n, k in CASES:
            days, _, n_runs = sequences(n)
            expected = np.prod(np.where(days, p, 1 - p), axis=1) @ n_runs[:, k]
            assert expected_runs(n, k, p) == pytest.approx(expected, rel=1e-12, abs=0)

    def test_known_digits(self):
        assert expected_runs([10, 12], [3, 4], [0.5, 0.7]).round(5).tolist() == [0.5625, 0.81634]

    def test_no_second_run_fits_where_one_fills_half(self):
        k = np.arange(13, 25)
        assert expected_runs(24, k, 0.8) == pytest.approx(run_probability(24, k, 0.8), rel=1e-14)
        assert expected_runs(25, 12, 0.8) > run_probability(25, 12, 0.8) * (1 + 1e-6)

    def test_wrong_arguments(self):
        rejects(expected_runs, 9, 0, 0.5, match="`k` must be whole numbers, 1 or more, got 0")


class TestLongestRun:
    def test_mean_counts_of_heads(self):
        # OEIS A119706: the mean longest run of n fair tosses, times 2^n.
        counts = [1, 4, 11, 27, 62, 138, 300, 643, 1363, 2866, 5988, 12448]
        for n, count in enumerate(counts, start=1):
            longest = longest_run(n, 0.5)
            assert (longest["n_days"] * longest["probability"]).sum() * 2**n == count

    @pytest.mark.parametrize(("n", "mean"), [(100, 5.991780), (200, 6.984206), (1000, 9.300057)])
    def test_known_means(self, n, mean):
        longest = longest_run(n, 0.5)
        found = (longest["n_days"] * longest["probability"]).sum()
        assert found == pytest.approx(mean, abs=5.1e-7)

    @pytest.mark.parametrize("p", [0.2, 0.9])
    def test_is_that_of_all_sequences(self, p):
        for n in (0, 1, 2, 9, 14):
            days, longest, _ = sequences(n)
            weights = np.prod(np.where(days, p, 1 - p), axis=1)
            exactly = np.bincount(longest, weights, minlength=n + 1)
            expected = pd.DataFrame(
                {
                    "n_days": np.arange(n + 1),
                    "probability": exactly,
                    "reaching": exactly[::-1].cumsum()[::-1],
                }
            )
            assert_frame_equal(longest_run(n, p), expected, rtol=1e-11, atol=1e-14)

    @pytest.mark.parametrize("p", [0.0, 0.3, 0.97, 1.0])
    def test_is_a_distribution(self, p):
        longest = longest_run(400, p)
        assert longest["probability"].min() >= 0
        assert longest["probability"].sum() == pytest.approx(1, abs=1e-12)
        above = longest["probability"][::-1].cumsum()[::-1]
        assert longest["reaching"].to_numpy() == pytest.approx(above.to_numpy(), abs=1e-12)

    def test_spread_of_the_limit(self):
        # Gordon, Schilling and Waterman (1986): pi^2 / (6 ln^2(1/p)) + 1/12, and its mean.
        longest = longest_run(2000, 0.5)
        mean = (longest["n_days"] * longest["probability"]).sum()
        variance = ((longest["n_days"] - mean) ** 2 * longest["probability"]).sum()
        assert np.sqrt(variance) == pytest.approx(1.8727, abs=1e-2)
        assert mean == pytest.approx(np.log2(1000) + np.euler_gamma / np.log(2) - 0.5, abs=5e-3)

    def test_wrong_arguments(self):
        rejects(longest_run, -1, 0.5, match="`n` must be whole numbers, 0 or more, got -1")
        rejects(longest_run, 10, 2, match=r"`p` must lie in \[0, 1\], got 2")


class TestWaitingTime:
    def test_fair_tosses(self):
        assert waiting_time(np.arange(1, 8), 0.5).round(9).tolist() == [2, 6, 14, 30, 62, 126, 254]

    @pytest.mark.parametrize(("k", "p"), [(2, 0.6), (3, 0.5), (4, 0.8)])
    def test_is_the_sum_of_the_chances_to_wait_longer(self, k, p):
        still_waiting = 1 - run_probability(np.arange(3000), k, p)
        assert waiting_time(k, p) == pytest.approx(still_waiting.sum(), rel=1e-10)

    @pytest.mark.parametrize("p", [1e-3, 0.7, 1 - 1e-3, 1 - 1e-9, 1 - 1e-14])
    def test_no_digit_is_lost(self, p):
        for k in (1, 2, 18, 90):
            p_exactly = Fraction(p)
            expected = float((p_exactly**-k - 1) / (1 - p_exactly))
            assert waiting_time(k, p) == pytest.approx(expected, rel=1e-12)

    def test_edges(self):
        assert waiting_time(18, [0.0, 1.0]).tolist() == [np.inf, 18]
        assert waiting_time(400, 1e-3) == np.inf

    def test_wrong_arguments(self):
        rejects(waiting_time, 0, 0.5, match="`k` must be whole numbers, 1 or more, got 0")


class TestShareAfterStreak:
    @pytest.mark.parametrize(
        ("n", "k", "share"), [(3, 1, 5 / 12), (4, 1, 17 / 42), (10, 3, 0.352606)]
    )
    def test_published_values(self, n, k, share):
        assert share_after_streak(n, k, 0.5) == pytest.approx(share, abs=5e-7)

    @pytest.mark.parametrize("p", [0.05, 0.3, 0.9])
    def test_is_the_mean_over_all_sequences(self, p):
        for n in range(2, 11):
            days = sequences(n)[0]
            chance = np.prod(np.where(days, p, 1 - p), axis=1)
            for k in range(1, n):
                streak = np.array([days[:, t - k : t].all(axis=1) for t in range(k, n)]).T
                asked, on = streak.sum(axis=1), (streak & days[:, k:]).sum(axis=1)
                some = asked > 0
                share = chance[some] @ (on[some] / asked[some]) / chance[some].sum()
                assert share_after_streak(n, k, p) == pytest.approx(share, rel=1e-12)

    def test_who_never_misses_goes_on(self):
        assert share_after_streak(30, 7, 1.0) == 1

    def test_many_days_leave_no_bias(self):
        assert 0.5 - share_after_streak(400, 1, 0.5) == pytest.approx(0, abs=0.002)

    def test_wrong_arguments(self):
        rejects(
            share_after_streak, 3, 3, 0.5, match="`k` must be below `n`, and `p` above 0, got 3, 3"
        )
        rejects(share_after_streak, 3, 1, 0.0, match="and `p` above 0, got 1, 3 and 0")
        rejects(share_after_streak, 3, 0, 0.5, match="`k` must be whole numbers, 1 or more, got 0")
        rejects(share_after_streak, 3, 1, 1.5, match=r"`p` must lie in \[0, 1\], got 1.5")
