"""Tails of counts and of laws, beside slow counts and another package's distributions."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy import stats

from toolkit.count_fits import fit_counts
from toolkit.intervals import wilson
from toolkit.tails import count_tails

COUNTS = np.repeat([1, 2, 3, 4, 5], [60, 25, 9, 4, 2])
COLUMNS = ["model", "n_viewings", "share", "low", "high", "n"]


def fits_of(counts, *models, xmin=1):
    return fit_counts(counts, models=models, xmin=xmin, seed=1, n_bootstrap=0)


class TestTheCounts:
    def test_each_value_has_the_share_that_reaches_it(self):
        tails = count_tails(COUNTS, fits_of(COUNTS, "geometric")[:0], seed=1)
        reach = [100, 40, 15, 6, 2]
        low, high = wilson(reach, 100)
        expected = pd.DataFrame(
            {
                "model": "counts",
                "n_viewings": [1, 2, 3, 4, 5],
                "share": np.array(reach) / 100,
                "low": low,
                "high": high,
                "n": 100,
            }
        )
        assert_frame_equal(tails, expected)
        assert list(tails) == COLUMNS

    def test_only_values_that_occur_have_a_row(self):
        counts = [*COUNTS, 40]
        tails = count_tails(counts, fits_of(counts, "geometric"), seed=1)
        mine = tails[tails["model"] == "counts"]
        assert mine["n_viewings"].tolist() == [1, 2, 3, 4, 5, 40]
        assert mine["share"].tolist() == [
            sum(c >= k for c in counts) / 101 for k in (1, 2, 3, 4, 5, 40)
        ]

    def test_start_from_the_least_count_asked_for(self):
        counts = np.repeat([1, 2, 3, 4, 5], [60, 25, 29, 24, 22])
        tails = count_tails(counts, fits_of(counts, "geometric", xmin=2), xmin=2, seed=1)
        assert tails["n"].eq(100).all()
        assert tails.groupby("model")["n_viewings"].min().eq(2).all()
        assert tails.groupby("model")["share"].max().to_numpy() == pytest.approx(1)

    def test_zeros_count_where_they_are_asked_for(self):
        counts = [0] * 30 + [*COUNTS]
        tails = count_tails(counts, fits_of(counts, "geometric", xmin=0), xmin=0, seed=1)
        share = tails.set_index(["model", "n_viewings"])["share"]
        assert share["counts", 1] == 100 / 130
        assert share["geometric", 0] == 1

    def test_those_of_a_frame_are_those_of_its_column(self):
        frame = pd.DataFrame({"n_viewings": COUNTS, "account": np.arange(100)})
        fits = fits_of(COUNTS, "geometric")
        assert_frame_equal(count_tails(frame, fits, seed=1), count_tails(COUNTS, fits, seed=1))

    def test_order_does_not_matter_and_the_input_stays(self):
        mixed = np.random.default_rng(1).permutation(COUNTS)
        fits, before = fits_of(COUNTS, "geometric"), mixed.copy()
        known = fits.copy(deep=True)
        assert_frame_equal(count_tails(mixed, fits, seed=1), count_tails(COUNTS, fits, seed=1))
        assert (mixed == before).all()
        assert_frame_equal(fits, known)


class TestTheLaws:
    def test_come_in_the_order_of_their_fits_with_every_k_up_to_the_largest_count(self):
        counts = [*COUNTS, 9]
        tails = count_tails(counts, fits_of(counts, "zeta", "geometric"), seed=1)
        assert tails["model"].drop_duplicates().tolist() == ["counts", "zeta", "geometric"]
        for _, rows in tails[tails["model"] != "counts"].groupby("model"):
            assert rows["n_viewings"].tolist() == list(range(1, 10))

    @pytest.mark.parametrize(
        ("model", "survival"),
        [
            ("geometric", lambda k, p: stats.geom.sf(k - 1, p["p"])),
            ("logseries", lambda k, p: stats.logser.sf(k - 1, p["q"])),
            ("zeta", lambda k, p: stats.zipf.sf(k - 1, p["alpha"])),
            ("poisson", lambda k, p: stats.poisson.sf(k - 1, p["lambda"])),
            ("nbd", lambda k, p: stats.nbinom.sf(k - 1, p["r"], p["alpha"] / (1 + p["alpha"]))),
        ],
    )
    @pytest.mark.parametrize("xmin", [1, 2])
    def test_have_the_survival_of_the_other_package(self, model, survival, xmin):
        counts = np.repeat([1, 2, 3, 4, 5], [60, 55, 39, 24, 12])
        fits = fits_of(counts, model, xmin=xmin)
        rows = count_tails(counts, fits, xmin=xmin, seed=1).query("model != 'counts'")
        params, k = fits["params"][0], rows["n_viewings"].to_numpy()
        expected = survival(k, params) / survival(xmin, params)
        np.testing.assert_allclose(rows["share"], expected, rtol=1e-9)

    @pytest.mark.parametrize("confidence", [0.5, 0.95])
    def test_have_the_band_of_fits_to_samples_drawn_from_them(self, confidence):
        fits = fits_of(COUNTS, "geometric")
        p = fits["params"][0]["p"]
        rows = count_tails(COUNTS, fits, seed=3, n_bootstrap=2000, confidence=confidence)
        rows = rows.query("model == 'geometric'")
        # The most likely p of a geometric sample is one over its mean.
        drawn = 1 / np.random.default_rng(5).geometric(p, (4000, 100)).mean(axis=1)
        curves = (1 - drawn[:, None]) ** (rows["n_viewings"].to_numpy() - 1)
        tails = [(1 - confidence) / 2, (1 + confidence) / 2]
        low, high = np.quantile(curves, tails, axis=0)
        np.testing.assert_allclose(rows["low"], low, atol=0.01)
        np.testing.assert_allclose(rows["high"], high, atol=0.01)
        assert (rows["low"] <= rows["share"]).all()
        assert (rows["share"] <= rows["high"]).all()

    def test_a_band_is_of_200_samples_and_95_percent_if_not_told(self):
        fits = fits_of(COUNTS, "geometric")
        told = count_tails(COUNTS, fits, xmin=1, seed=1, n_bootstrap=200, confidence=0.95)
        assert_frame_equal(count_tails(COUNTS, fits, seed=1), told)

    def test_a_band_depends_on_the_seed_and_on_no_other_law(self):
        fits = fits_of(COUNTS, "geometric", "zeta")
        both = count_tails(COUNTS, fits, seed=1)
        alone = count_tails(COUNTS, fits[1:], seed=1)
        zeta = both[both["model"] == "zeta"].reset_index(drop=True)
        assert_frame_equal(alone[alone["model"] == "zeta"].reset_index(drop=True), zeta)
        other = count_tails(COUNTS, fits, seed=2)
        assert (other["low"] != both["low"]).any()
        assert other["share"].equals(both["share"])

    @pytest.mark.parametrize(("largest", "n_points"), [(100, 100), (101, 100), (5000, 100)])
    def test_far_tails_have_at_most_a_hundred_points_from_first_to_last(self, largest, n_points):
        counts = [*COUNTS, largest]
        rows = count_tails(counts, fits_of(counts, "zeta"), seed=1, n_bootstrap=2)
        k = rows.loc[rows["model"] == "zeta", "n_viewings"]
        assert k.iloc[0] == 1
        assert k.iloc[-1] == largest
        assert 50 < len(k) <= n_points
        assert (k.diff().dropna() > 0).all()

    def test_near_tails_from_a_later_start_have_every_k(self):
        counts = [*COUNTS + 9, 109]
        rows = count_tails(counts, fits_of(counts, "zeta", xmin=10), xmin=10, seed=1, n_bootstrap=2)
        assert rows.loc[rows["model"] == "zeta", "n_viewings"].tolist() == list(range(10, 110))

    def test_far_tails_from_a_later_start_keep_both_ends(self):
        counts = [*COUNTS + 9, 5000]
        rows = count_tails(counts, fits_of(counts, "zeta", xmin=10), xmin=10, seed=1, n_bootstrap=2)
        k = rows.loc[rows["model"] == "zeta", "n_viewings"]
        assert (k.iloc[0], k.iloc[1], k.iloc[-1]) == (10, 11, 5000)


class TestRefuses:
    def test_fits_of_other_counts(self):
        counts = np.repeat([1, 2, 3, 4, 5], [60, 25, 29, 24, 22])
        fits = fits_of(counts, "geometric")
        with pytest.raises(ValueError, match="`fits` must be of the counts of 2 or more, 100 of"):
            count_tails(counts, fits, xmin=2, seed=1)

    def test_what_is_no_table_of_fits(self):
        fits = fits_of(COUNTS, "geometric")
        for name in ("model", "params", "n"):
            with pytest.raises(ValueError, match=rf"`fits` must have .*missing \['{name}'\]"):
                count_tails(COUNTS, fits.drop(columns=name), seed=1)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"seed": -1}, "`seed` must be a whole number, 0 or more"),
            ({"n_bootstrap": 0}, "`n_bootstrap` must be a whole number, 1 or more"),
            ({"confidence": 1}, r"`confidence` must lie in \(0, 1\)"),
            ({"xmin": -1}, "`xmin` must be a whole number, 0 or more"),
        ],
    )
    def test_options_out_of_bounds(self, options, said):
        fits = fits_of(COUNTS, "geometric")
        with pytest.raises(ValueError, match=said):
            count_tails(COUNTS, fits, **{"seed": 1} | options)

    def test_too_few_counts(self):
        with pytest.raises(ValueError, match="`counts` must hold at least 50 counts"):
            count_tails(COUNTS[:20], fits_of(COUNTS, "geometric"), seed=1)
