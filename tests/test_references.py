import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from toolkit.drawn import as_table, figure_data, uncovered_artists
from toolkit.references import (
    as_reference,
    describe,
    digest,
    digest_in,
    fields_of,
    is_whole,
    read_reference,
    settled,
    size,
)

NOISE = [1e-12, -1e-12, 1e-15, -1e-15]


def table_of(*fields, axes=0, artist="line 0", label="open"):
    """The table of one artist, its fields named x, y, ... in turn."""
    return as_table(
        [(axes, artist, label, name, values) for name, values in zip("xyz", fields, strict=False)]
    )


def random_fields(seed):
    rng = np.random.default_rng(seed)
    n = rng.integers(50, 3000)
    return [
        rng.normal(size=400) * 10.0 ** rng.integers(-9, 9),
        rng.integers(0, n, 400) / n,
        np.sort(rng.lognormal(0, 4, 400)),
        rng.integers(0, 10**9, 400).astype("float64"),
        (rng.integers(0, 10**7, 400) * 2 + 1) / 2e7,
        np.round(rng.uniform(0, 100, 400), rng.integers(0, 8)),
    ]


class TestDigest:
    @pytest.mark.parametrize("seed", range(6))
    def test_noise_of_floats_does_not_count(self, seed):
        rng = np.random.default_rng(seed)
        for values in random_fields(seed):
            expected = digest(table_of(values))
            for noise in (1e-12, 1e-15):
                shaken = values * (1 + rng.uniform(-noise, noise, values.size))
                assert digest(table_of(shaken)) == expected

    @pytest.mark.parametrize("noise", NOISE)
    @pytest.mark.parametrize("value", [0.1234565, 0.5, 2.5, 1234565.0, 0.0005, 1e-11, 1 / 3, 1e9])
    def test_decimals_that_end_where_digits_are_cut_are_safe(self, value, noise):
        for scale in (1, 10, 1000):
            values = np.array([value * scale])
            assert digest(table_of(values)) == digest(table_of(values * (1 + noise)))

    def test_zeros_that_are_left_by_a_difference_are_zero(self):
        values = np.array([0.3 - 0.1 * 3, 1e-17, -4e-16, 0.0, -0.0])
        assert digest(table_of(values)) == digest(table_of(np.zeros(5)))
        big = np.array([1e6, 1e-6, -3e-6])
        assert digest(table_of(big)) == digest(table_of([1e6, 0.0, 0.0]))

    @pytest.mark.parametrize("seed", range(6))
    def test_one_point_of_four_hundred_that_moves_by_a_hundredth_counts(self, seed):
        rng = np.random.default_rng(seed)
        for values in random_fields(seed):
            expected = digest(table_of(values))
            # What is next to nothing beside the largest is nothing.
            place = rng.choice(np.flatnonzero(np.abs(values) > 1e-8 * np.abs(values).max()))
            values[place] *= 1.01
            assert digest(table_of(values)) != expected

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ([1_000_000], [1_000_001]),
            ([999_999_999], [999_999_998]),
            ([0], [1]),
            ([0.123456], [0.123457]),
            ([2e-10], [2.1e-10]),
            ([1, 2], [2, 1]),
            ([1], [1, 1]),
            ([1], [-1]),
            ([1], [np.nan]),
            ([1], [np.inf]),
            ([np.inf], [-np.inf]),
            ([np.nan], [np.inf]),
            ([np.nan], []),
            (["a"], ["b"]),
            (["a", "b"], ["b", "a"]),
            (["2024-01-01"], ["2024-01-02"]),
            (["2024-01-01", np.nan], [np.nan, "2024-01-01"]),
        ],
    )
    def test_every_value_counts(self, old, new):
        assert digest(table_of(old)) != digest(table_of(new))

    @pytest.mark.parametrize(
        "other",
        [
            {"axes": 1},
            {"axes": pd.NA},
            {"artist": "line 1"},
            {"label": "closed"},
            {"label": ["open", "shut"]},
        ],
    )
    def test_axes_artist_and_label_count(self, other):
        assert digest(table_of([1, 2], **other)) != digest(table_of([1, 2]))

    def test_fields_and_their_order_count(self):
        tables = [
            as_table([(0, "line 0", "", first, [1.0]), (0, "line 0", "", second, [1.0])])
            for first, second in ("xy", "yx", "xz")
        ]
        assert len({digest(table) for table in tables}) == 3
        assert digest(table_of([1, 2], [3])) != digest(table_of([1], [2, 3]))

    def test_sixteen_digits_also_of_nothing(self):
        for table in (table_of(), table_of([1.5])):
            assert len(digest(table)) == 16
            assert int(digest(table), 16) >= 0
        assert digest(table_of()) != digest(table_of([1.5]))


class TestSettled:
    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([1.0000000001, 0.25], [1, 0.25]),
            ([1.00000001], [1.00000001]),
            ([0.123456789012345], [0.123456789012]),
            ([1, 0.00000000000123], [1, 0]),
            ([1, 0.00000000012349], [1, 0.00000000012]),
            ([999.9999999999, 0.123456789012345], [1000, 0.12345679]),
            ([1e-300, 5e-13, -1e-17], [0, 0, 0]),
            ([5e-324], [0]),
            ([2e-12], [2e-12]),
            ([123456789.4], [123456789.4]),
            ([123456789.05], [123456789]),
            ([np.nan, np.inf, -np.inf, 0.5], [np.nan, np.inf, -np.inf, 0.5]),
            ([-0.0, -1e-14], [0, 0]),
            ([1e300, 1e288], [1e300, 0]),
            ([], []),
        ],
    )
    def test_last_bits_are_cut(self, values, expected):
        found = settled(values)
        assert found.dtype == "float64"
        np.testing.assert_allclose(found, expected, rtol=1e-15)
        assert not np.signbit(found[found == 0]).any()
        np.testing.assert_array_equal(settled(found), found)

    def test_the_largest_may_be_elsewhere(self):
        assert settled([0.123456789012], top=1000.0).tolist() == [0.12345679]
        assert settled([0.123456789012], top=0.0).tolist() == [0.123456789012]

    def test_the_largest_of_finite_numbers_is_the_size(self):
        assert size([1, -3, 2, np.nan, np.inf]) == 3
        assert size([np.nan]) == size([]) == 0

    def test_whole_numbers_below_a_thousand_million_are_counts(self):
        found = is_whole([0, -4, 1.5, 999_999_999, 1e9, np.nan, np.inf])
        assert found.tolist() == [True, True, False, True, False, False, False]


class TestReadReference:
    def read_back(self, table, hidden=()):
        text = as_reference(table, list(hidden))
        again, missing = read_reference(text)
        assert missing == list(hidden)
        assert digest(again) == digest_in(text) == digest(table)
        assert as_reference(again, missing) == text
        return again

    def test_a_figure_comes_back_as_it_was(self):
        fig, (ax, other) = plt.subplots(1, 2)
        fig.suptitle("All")
        ax.bar(["a", "b"], [1, 2.5], color=["C0", "C1"], label=["p", "q"])
        ax.legend()
        ax.text(0, 0, "1")
        other.plot(pd.to_datetime(["2024-01-01", "2024-03-01"]), [np.nan, np.inf])
        other.quiver([0], [0], [1], [1])
        table = figure_data(fig)
        assert_frame_equal(self.read_back(table, uncovered_artists(fig)), table)

    def test_words_that_look_like_numbers_stay_words(self):
        table = table_of(["1", "nan", "1e3", 'a "b"\n', "\u2028é", ""])
        assert_frame_equal(self.read_back(table), table)

    def test_an_empty_figure_comes_back(self):
        table = figure_data(plt.figure())
        assert_frame_equal(self.read_back(table), table)
        assert as_reference(table, []).count("\n") == 1

    @pytest.mark.parametrize("seed", range(6))
    def test_numbers_come_back_to_nine_digits_and_with_their_digest(self, seed):
        for values in random_fields(seed):
            again = self.read_back(table_of(values))["value"].astype("float64")
            near = np.isclose(again, values, rtol=5e-9, atol=1e-11 * np.abs(values).max())
            assert near.all()

    def test_no_number_becomes_a_count_by_being_shortened(self):
        for value in (123456789.4, 1.0000000015, 9999999.996, 0.99999999851, 400000000.45):
            table = table_of([value])
            assert_frame_equal(self.read_back(table), table)

    def test_a_field_is_a_line_and_counts_have_no_point(self):
        assert (
            as_reference(table_of([1.0]), []).splitlines()[1] == '[0, "line 0", "open", "x", [1]]'
        )
        text = as_reference(table_of([1.0, 0.1234567891], label=["p", "q"]), ["Quiver"])
        header, line = text.splitlines()
        assert line == '[0, "line 0", ["p", "q"], "x", [1, 0.123456789]]'
        assert header.endswith('"uncovered": ["Quiver"]}')


class TestDescribe:
    def test_a_line_for_each_artist(self):
        fig, ax = plt.subplots()
        fig.suptitle("All")
        ax.set(title="Streaks")
        ax.plot([1, 2, 4], [5, np.nan, 2.5], label="open")
        ax.scatter(["b", "a"], [0, 1], c=["C0", "C1"])
        ax.legend()
        ax.twinx().plot([1], [np.nan])
        table = figure_data(fig)

        assert describe(table, []).splitlines() == [
            f"Figure with 2 axes, digest {digest(table)}",
            "figure, text 0: text 1 from 'All' to 'All'",
            "axes 0, line 0 (open): x 3 from 1 to 4, mean 2.333; y 3 from 2.5 to 5, mean 3.75",
            "axes 0, points 0 (open): x 2 from 0 to 1, mean 0.5; y 2 from 0 to 1, mean 0.5",
            "axes 0, legend 0: text 1 from 'open' to 'open'",
            "axes 1, line 0 (open): x 1 from 1 to 1, mean 1; y 1 missing",
        ]

    def test_what_is_not_covered_is_said_second(self):
        lines = describe(table_of([1]), ["Barbs", "Quiver"]).splitlines()
        assert lines[1] == "not covered: Barbs, Quiver"
        assert lines[2] == "axes 0, line 0 (open): x 1 from 1 to 1, mean 1"

    def test_all_names_of_an_artist_are_given_once(self):
        table = table_of([1, 2, 3], label=["p", "", "p"])
        assert describe(table, []).splitlines()[1].startswith("axes 0, line 0 (p): x 3")

    def test_halves_are_rounded_up(self):
        assert "from 2.313 to 3.063, mean" in describe(table_of([2.3125, 3.0625]), [])
        assert digest(table_of([0.1234565])) == digest(table_of([0.123457]))

    def test_what_is_infinite_is_counted_but_not_in_the_mean(self):
        line = "axes 0, line 0 (open): x 3 from 1 to 2, mean 1.5"
        assert describe(table_of([1, 2, np.inf]), []).splitlines()[1] == line

    def test_the_mean_of_what_balances_is_zero(self):
        line = "axes 0, line 0 (open): x 3 from -0.3 to 0.2, mean 0"
        assert describe(table_of([0.1, 0.2, -0.3]), []).splitlines()[1] == line

    def test_noise_of_floats_does_not_show(self):
        for values in random_fields(1):
            expected = describe(table_of(values), []).splitlines()[1]
            for noise in NOISE:
                shaken = table_of(values * (1 + noise))
                assert describe(shaken, []).splitlines()[1] == expected


class TestDigestIn:
    def test_it_is_found_in_a_description_and_in_a_reference(self):
        table = table_of([1.5])
        assert digest_in(describe(table, [])) == digest(table)
        assert digest_in(as_reference(table, [])) == digest(table)

    @pytest.mark.parametrize("text", ["", "<Figure size 640x480 with 1 Axes>", "digest 0123"])
    def test_other_texts_have_none(self, text):
        assert digest_in(text) is None


def test_the_fields_of_a_figure_come_in_its_order():
    table = as_table(
        [(pd.NA, "text 0", "", "text", ["w"]), (1, "b", "", "y", [1.0]), (0, "a", "", "x", [2.0])]
    )
    keys = [key for key, _ in fields_of(table)]
    assert keys[1:] == [(1, "b", "y"), (0, "a", "x")]
    assert keys[0][0] is pd.NA
