"""The Dirichlet beside simulated markets of known parameters, limits and a published example."""

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy import optimize, special, stats

from toolkit.dirichlet import dirichlet_law, expected_reach, repeat_rates
from toolkit.rewatch import count_viewings

CASES = tomllib.loads(Path(__file__).with_name("oracles").joinpath("dirichlet.toml").read_text())
COLUMNS = ["title", "n_viewings", "n_reached", "reach", "viewings_per_viewer", "expected_reach", "expected_viewings_per_viewer"]  # fmt: skip


def simulated(seed, n=3000, M=2.0, K=0.8, S=1.5, share=None):
    """Viewings of n viewers (rows) of titles (columns) under the law itself."""
    rng = np.random.default_rng(seed)
    share = np.arange(1, 13) ** -1.0 if share is None else np.asarray(share)
    own = rng.dirichlet(S * share / share.sum(), n)
    return rng.poisson(rng.gamma(K, M / K, n)[:, None] * own)


def counts_of(viewings):
    viewer, title = np.nonzero(viewings)
    n_viewings = viewings[viewer, title]
    return pd.DataFrame({"viewer": viewer, "title": title, "n_viewings": n_viewings})


def direct_reach(p, M, K, S, upto=20_000):
    """The sum over n as the paper writes it, by gamma functions."""
    n = np.arange(upto)
    never = special.gammaln(S) + special.gammaln(S * (1 - p) + n) - special.gammaln(S * (1 - p)) - special.gammaln(S + n)  # fmt: skip
    return 1 - (stats.nbinom.pmf(n, K, K / (K + M)) * np.exp(never)).sum()


class TestExpectedReach:
    @pytest.mark.parametrize("p", [0.001, 0.2, 0.7])
    @pytest.mark.parametrize("S", [0.05, 1.3, 40.0])
    @pytest.mark.parametrize(("M", "K"), [(0.1, 0.02), (1.456, 0.78), (30.0, 0.5), (5.0, 80.0)])
    def test_is_the_sum_of_the_paper(self, M, K, S, p):
        assert expected_reach([p], M, K, S)[0] == pytest.approx(direct_reach(p, M, K, S), rel=1e-8)

    @pytest.mark.parametrize(("M", "K"), [(0.1, 0.02), (1.456, 0.78), (30.0, 0.5), (5e-8, 1e-9)])
    def test_lies_between_one_title_each_and_all_alike(self, M, K):
        share = np.array([0.001, 0.2, 0.7])
        watching = 1 - (1 + M / K) ** -K
        assert expected_reach(share, M, K, 1e-9) == pytest.approx(share * watching, rel=1e-6)
        alike = 1 - (1 + share * M / K) ** -K
        assert expected_reach(share, M, K, 1e9) == pytest.approx(alike, rel=1e-6)

    def test_agrees_with_a_simulated_market(self):
        share = np.array([0.4, 0.3, 0.2, 0.1])
        reach = (simulated(1, n=200_000, share=share) > 0).mean(axis=0)
        expected = expected_reach(share, 2.0, 0.8, 1.5)
        assert reach == pytest.approx(expected, abs=4 * 0.5 / np.sqrt(200_000))

    def test_keeps_the_order_of_shares_and_equal_ones_equal(self):
        reach = expected_reach([0.1, 0.5, 0.1], 2, 0.8, 1.5)
        assert reach[0] == reach[2] < reach[1]
        assert reach[1] == expected_reach([0.5], 2, 0.8, 1.5)[0]

    def test_small_titles_are_watched_by_fewer_and_less_often(self):
        share = np.linspace(0.01, 0.5, 20)
        reach = expected_reach(share, 2, 0.8, 1.5)
        assert (np.diff(reach) > 0).all()
        assert (np.diff(share / reach) > 0).all()

    def test_the_published_example(self):
        case = CASES["toothpaste"]
        M, share = case["reach_of_all"] * case["rate_of_all"], np.array(case["share"])
        reach = expected_reach(share, M, case["K"], case["S"])
        assert reach == pytest.approx(case["expected_reach"], abs=0.005)
        assert M * share / reach == pytest.approx(case["expected_rate"], abs=0.005)
        own = [
            optimize.brentq(lambda s, p=p, b=b: expected_reach([p], M, case["K"], s)[0] - b, 0.1, 9)
            for p, b in zip(share, case["reach"], strict=True)
        ]
        assert own[0] == pytest.approx(case["S"], abs=0.01)
        assert np.average(own, weights=share) == pytest.approx(case["S_weighted"], abs=0.01)


class TestDirichletLaw:
    def test_the_published_example(self):
        """Viewings as many, and viewers as many, as the shares of the example say."""
        case = CASES["toothpaste"]
        n_watching, rows = 56_000, []
        share = [*case["share"], 1 - sum(case["share"])]
        reach = [*case["reach"], 0.1]
        start = 0
        for title, (p, b) in enumerate(zip(share, reach, strict=True)):
            n_viewings, n_reached = round(p * 145_600), round(b * 100_000)
            viewings = np.full(n_reached, n_viewings // n_reached)
            viewings[: n_viewings % n_reached] += 1
            viewer = (start + np.arange(n_reached)) % n_watching
            rows.append(pd.DataFrame({"viewer": viewer, "title": title, "n_viewings": viewings}))
            start += n_reached
        counts = pd.concat(rows, ignore_index=True)
        law = dirichlet_law(counts, n_viewers=100_000)
        assert law[:2] == pytest.approx((case["M"], case["K"]), abs=0.005)
        # So that viewers watch as many titles as observed, the ninth among them.
        assert expected_reach(share, *law).sum() == pytest.approx(sum(reach))

    def test_k_makes_as_many_watch_nothing_as_were_observed_to(self):
        viewings = simulated(3)
        M, K, S = dirichlet_law(counts_of(viewings), n_viewers=3000)
        nothing = (1 + M / K) ** -K
        observed = viewings.sum() / 3000, (viewings.sum(axis=1) == 0).mean()
        assert (M, nothing) == pytest.approx(observed)
        share = viewings.sum(axis=0) / viewings.sum()
        assert expected_reach(share, M, K, S).sum() == pytest.approx((viewings > 0).sum() / 3000)

    @pytest.mark.parametrize(("M", "K", "S"), [(2.0, 0.8, 1.5), (0.8, 0.3, 0.4), (6.0, 2.5, 8.0)])
    def test_recovers_the_parameters_of_simulated_markets(self, M, K, S):
        """Within four standard errors of the mean of 20 markets, and each within a quarter."""
        found = np.array(
            [
                dirichlet_law(counts_of(simulated(seed, 2000, M, K, S)), n_viewers=2000)
                for seed in range(20)
            ]
        )
        error = found.std(axis=0, ddof=1) / np.sqrt(20)
        assert (np.abs(found.mean(axis=0) - [M, K, S]) < 4 * error).all()
        assert (np.abs(found.mean(axis=0) / [M, K, S] - 1) < 0.05).all()

    def test_neither_order_nor_split_rows_matter_and_the_counts_stay(self):
        counts = counts_of(simulated(2))
        before = counts.copy()
        law = dirichlet_law(counts, n_viewers=3000)
        assert dirichlet_law(counts.sample(frac=1, random_state=1), n_viewers=3000) == law
        assert_frame_equal(counts, before)
        several = counts["n_viewings"] > 1
        split = pd.concat(
            [counts.assign(n_viewings=counts["n_viewings"] - several), counts[several].assign(n_viewings=1)]
        )  # fmt: skip
        assert dirichlet_law(split, n_viewers=3000) == law

    def test_refuses_what_is_no_count(self):
        counts = counts_of(simulated(2))

        def rejects(frame, match, n_viewers=3000, error=ValueError):
            with pytest.raises(error, match=match):
                dirichlet_law(frame, n_viewers=n_viewers)

        rejects([1], "`counts` must be a pandas DataFrame", error=TypeError)
        rejects(counts.drop(columns="n_viewings"), r"missing \['n_viewings'\]")
        rejects(counts.drop(columns="viewer"), r"missing \['viewer'\]")
        rejects(counts.drop(columns="title"), r"missing \['title'\]")
        rejects(counts.assign(series=1), "`counts` must have `title` or `series`, not both")
        some = np.where(counts.index == 3, 0, counts["n_viewings"])
        for wrong in (0, some, 1.5, None, "1"):
            rejects(
                counts.assign(n_viewings=wrong), "`n_viewings` must be whole numbers, 1 or more"
            )
        missing = counts["title"].astype("Int64").mask(counts.index == 3)
        rejects(counts.assign(title=missing), "`title` must be there on every row; 1 are missing")
        missing = counts["viewer"].astype("Int64").mask(counts.index < 2)
        rejects(counts.assign(viewer=missing), "`viewer` must be there on every row; 2 are missing")
        rejects(counts, "`n_viewers` must be a whole number, 1 or more", n_viewers=0)
        rejects(counts, "`n_viewers` must be a whole number", n_viewers=3000.5)

    def test_refuses_what_leaves_nothing_to_estimate(self):
        counts = counts_of(simulated(2))
        n = counts["viewer"].nunique()

        def rejects(frame, match, n_viewers):
            with pytest.raises(ValueError, match=match):
                dirichlet_law(frame, n_viewers=n_viewers)

        rejects(counts[:0], "at least 50 viewers and two titles, found 0 and 0", 100)
        few = counts[counts["viewer"].isin(counts["viewer"].unique()[:49])]
        rejects(few, "at least 50 viewers and two titles, found 49 and", 100)
        fifty = counts[counts["viewer"].isin(counts["viewer"].unique()[:50])]
        assert dirichlet_law(fifty, n_viewers=70)[0] > 0
        one = counts[counts["title"] == 0]
        rejects(one, "two titles, found .* and 1", 3000)
        rejects(counts, f"`n_viewers` must count viewers who watched nothing too; {n} watched, got {n}", n)  # fmt: skip
        assert dirichlet_law(counts, n_viewers=n + 500)[1] > 0
        # Everyone but a few watches once: chance would leave more without.
        once = pd.DataFrame({"viewer": np.arange(90), "title": np.arange(90) % 2, "n_viewings": 1})
        rejects(once, "must differ between viewers by more than chance; with 0.9 viewings a viewer, 0.593 of them would watch something by chance alone, and 0.9 do", 100)  # fmt: skip
        loyal = once.assign(n_viewings=1 + np.arange(90) % 9)
        rejects(loyal, "must hold viewers who watched several titles, found none", 200)
        # Nobody watches a title twice, though some watch all the ten.
        grid = np.repeat(np.arange(80), 1 + np.arange(80) % 10)
        varied = pd.DataFrame({"viewer": grid, "n_viewings": 1})
        varied["title"] = varied.groupby("viewer").cumcount()
        rejects(varied, "must hold viewers who return to titles; with 2.2 titles a viewer", 200)


class TestRepeatRates:
    def test_counts_what_was_observed_beside_what_was_expected(self):
        viewings = simulated(4, n=1000, share=[0.5, 0.3, 0.2])[:, [1, 0, 2]]
        rates = repeat_rates(counts_of(viewings), n_viewers=1000)
        assert list(rates) == COLUMNS
        assert rates["title"].tolist() == [1, 0, 2]
        order = [1, 0, 2]
        total, reached = viewings.sum(axis=0)[order], (viewings > 0).sum(axis=0)[order]
        law = dirichlet_law(counts_of(viewings), n_viewers=1000)
        expected = expected_reach(total / total.sum(), *law)
        slow = pd.DataFrame(
            {
                "title": order,
                "n_viewings": total,
                "n_reached": reached,
                "reach": reached / 1000,
                "viewings_per_viewer": total / reached,
                "expected_reach": expected,
                "expected_viewings_per_viewer": total / (1000 * expected),
            }
        )
        assert_frame_equal(rates, slow)

    def test_a_favourite_of_few_stands_out(self):
        """Simulated: a thirteenth title, watched by a few viewers nine times each."""
        viewings = simulated(5)
        cult = np.where(np.arange(3000) % 60 == 0, 9, 0)
        rates = repeat_rates(counts_of(np.column_stack([viewings, cult])), n_viewers=3000)
        ratio = (rates["viewings_per_viewer"] / rates["expected_viewings_per_viewer"]).set_axis(rates["title"])  # fmt: skip
        assert ratio.idxmax() == 12
        assert ratio[12] > 3
        assert (ratio.drop(12) < 1.2).all()

    def test_equal_titles_stand_in_their_own_order(self):
        viewings = simulated(6, share=[0.7, 0.3])
        both = np.column_stack([viewings, np.random.default_rng(0).permutation(viewings)])
        rates = repeat_rates(counts_of(both), n_viewers=3000)
        assert rates["title"].tolist() == [0, 2, 1, 3]

    def test_takes_what_count_viewings_gives_by_title_or_series(self):
        counts = counts_of(simulated(7))
        rows = counts.loc[counts.index.repeat(counts["n_viewings"]), ["viewer", "title"]]
        rows["title"] = rows["title"].map("t{:02d}".format).astype("category")
        viewings = rows.assign(started_at=pd.Timestamp("2024-03-01", tz="UTC"))
        by_title = repeat_rates(count_viewings(viewings), n_viewers=3000)
        assert by_title["title"].dtype == rows["title"].dtype
        plain = repeat_rates(counts, n_viewers=3000)
        assert_frame_equal(by_title.drop(columns="title"), plain.drop(columns="title"))
        series = count_viewings(viewings.assign(series=rows["title"]), by="series")
        by_series = repeat_rates(series, n_viewers=3000)
        assert_frame_equal(by_series.rename(columns={"series": "title"}), by_title)

    def test_unused_categories_are_no_titles(self):
        counts = counts_of(simulated(7))
        wide = counts.assign(title=pd.Categorical(counts["title"], categories=range(40)))
        assert len(repeat_rates(wide, n_viewers=3000)) == counts["title"].nunique()

    def test_refuses_as_the_law_does(self):
        with pytest.raises(ValueError, match="`n_viewers` must count viewers who watched nothing"):
            repeat_rates(counts_of(simulated(1)), n_viewers=100)


def test_every_case_is_used_and_names_its_source():
    tests = Path(__file__).read_text()
    for name, case in CASES.items():
        assert f'"{name}"' in tests
        assert case["source"]
