import io

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from toolkit.drawn import as_table
from toolkit.references import Drawn, as_reference
from toolkit.verdicts import difference, judge, moved_lines, moved_values, rms


def table(values=(1.5, 2.5, 3.5), *, label="", field="y", artist="line 0", axes=0):
    return as_table([(axes, artist, label, field, list(values))])


def png(pixels):
    file = io.BytesIO()
    matplotlib.image.imsave(file, np.asarray(pixels, float), format="png")
    return file.getvalue()


def blank(height=4, width=6, *, dark=()):
    pixels = np.ones((height, width, 3))
    for at in dark:
        pixels[at] = 0
    return png(pixels)


class TestMovedValues:
    def moved(self, old, new):
        return moved_values(table(old), table(new))[["index", "old", "new"]].to_numpy().tolist()

    def test_equal_tables_have_none_and_the_columns_stay(self):
        moved = moved_values(table(), table())
        assert list(moved) == ["axes", "artist", "field", "index", "old", "new"]
        assert len(moved) == 0

    def test_a_value_that_moved_is_named_with_old_and_new(self):
        moved = moved_values(table([1.5, 2.5]), table([1.5, 2.6]))
        assert moved.to_numpy().tolist() == [[0, "line 0", "y", 1, 2.5, 2.6]]

    @pytest.mark.parametrize("sign", [-1, 1])
    def test_a_number_may_differ_by_a_millionth_of_itself(self, sign):
        assert self.moved([0.3], [0.3 * (1 + sign * 0.99e-6)]) == []
        assert len(self.moved([0.3], [0.3 * (1 + sign * 1.01e-6)])) == 1

    def test_negative_numbers_are_no_exception(self):
        assert self.moved([-0.3], [-0.3 * (1 + 0.99e-6)]) == []
        assert self.moved([-0.3], [0.3]) == [[0, -0.3, 0.3]]

    def test_a_count_may_not_differ_at_all(self):
        assert self.moved([5_000_000], [5_000_001]) == [[0, 5_000_000, 5_000_001]]

    def test_from_a_thousand_million_on_counts_are_numbers_like_others(self):
        assert len(self.moved([999_999_998], [999_999_999])) == 1
        assert self.moved([1e9], [1e9 + 1]) == []

    def test_a_count_and_its_float_noise_are_the_same(self):
        assert self.moved([53], [53 * (1 + 1e-12)]) == []

    def test_next_to_a_large_value_the_noise_of_a_zero_is_none(self):
        assert self.moved([1.5, 0], [1.5, 1e-12]) == []
        assert len(self.moved([1.5, 0], [1.5, 1e-9])) == 1

    def test_gaps_are_the_same_as_gaps_only(self):
        assert self.moved([np.nan], [np.nan]) == []
        assert len(self.moved([np.nan], [1.5])) == 1
        assert len(self.moved([1.5], [np.nan])) == 1

    def test_infinities_are_the_same_by_sign(self):
        assert self.moved([np.inf, -np.inf], [np.inf, -np.inf]) == []
        assert len(self.moved([np.inf], [-np.inf])) == 1
        assert len(self.moved([np.inf], [1.5])) == 1

    def test_words_have_to_be_equal_even_where_they_look_like_numbers(self):
        assert self.moved(["2017-12-10"], ["2017-12-11"]) == [[0, "2017-12-10", "2017-12-11"]]
        assert self.moved(["0.3"], ["0.30"]) == [[0, "0.3", "0.30"]]
        assert len(self.moved(["1.5"], [1.5])) == 1

    def test_a_value_that_came_or_went_has_no_old_or_no_new(self):
        [came] = self.moved([1.5], [1.5, 2.5])
        [went] = self.moved([1.5, 2.5], [1.5])
        assert (came[0], pd.isna(came[1]), came[2]) == (1, True, 2.5)
        assert (went[0], went[1], pd.isna(went[2])) == (1, 2.5, True)

    def test_a_gap_that_came_is_told(self):
        assert len(self.moved([1.5], [1.5, np.nan])) == 1

    def test_another_name_is_told_once_for_each_point_not_for_its_x_and_its_y(self):
        old, new = (
            as_table([(0, "points 0", label, field, [1.5, 2.5]) for field in "xy"])
            for label in (["open", "ended"], ["ended", "ended"])
        )
        moved = moved_values(old, new)
        assert moved.to_numpy().tolist() == [[0, "points 0", "label", 0, "open", "ended"]]

    def test_the_same_name_in_other_axes_is_another_artist(self):
        moved = moved_values(table(axes=0), table(axes=1))
        assert moved["axes"].tolist() == [0, 0, 0, 1, 1, 1]

    def test_what_belongs_to_the_figure_is_compared_too(self):
        old, new = (table([word], artist="text 0", axes=pd.NA) for word in ("Left", "Right"))
        assert moved_values(old, old).empty
        assert moved_values(old, new)["new"].tolist() == ["Right"]

    def test_noise_is_measured_by_the_largest_of_the_same_field(self):
        old, new = (
            as_table([(0, "line 0", "", "x", [1e6]), (0, "line 0", "", "y", [small])])
            for small in (1e-7, 1.1e-7)
        )
        assert moved_values(old, new)["field"].tolist() == ["y"]


class TestPictures:
    def test_the_same_pixels_have_no_distance_though_the_files_differ(self):
        file = io.BytesIO()
        matplotlib.image.imsave(file, np.ones((4, 6, 3)), metadata={"Software": "x"}, format="png")
        assert file.getvalue() != blank()
        assert rms(file.getvalue(), blank()) == 0

    def test_distance_is_the_root_mean_square_in_grey_levels(self):
        assert rms(blank(), blank(dark=[(0, 0)])) == pytest.approx(255 * np.sqrt(1 / 24))

    def test_one_pixel_by_one_level_of_one_channel_is_seen(self):
        pixels = np.ones((4, 6, 3))
        pixels[2, 3, 1] = 254 / 255
        assert 0 < rms(blank(), png(pixels)) < 1

    @pytest.mark.parametrize("shade", [0, 0.5, 1])
    def test_what_one_picture_has_more_is_another_pixel_whatever_its_colour(self, shade):
        grown = np.ones((5, 6, 3))
        grown[4] = shade
        assert rms(blank(4, 6), png(grown)) > 0
        assert rms(png(grown), blank(4, 6)) > 0

    def test_opacity_is_seen_on_white(self):
        clear, half, full = (
            png(np.dstack([np.zeros((4, 6, 3)), np.full((4, 6), a)])) for a in (0, 0.5, 1)
        )
        assert rms(clear, blank()) == 0
        assert rms(full, png(np.zeros((4, 6, 3)))) == 0
        assert rms(clear, half) == pytest.approx(127, abs=1)

    def test_a_grey_picture_has_one_channel(self):
        files = [io.BytesIO(), io.BytesIO()]
        for file, shade in zip(files, (0, 255), strict=True):
            Image.new("L", (6, 4), shade).save(file, format="png")
        assert rms(files[1].getvalue(), blank()) == 0
        assert rms(files[0].getvalue(), blank()) == 255

    def test_the_difference_shows_in_red_what_changed_and_pales_the_rest(self):
        new = blank(dark=[(1, 1), (2, 2)])
        shown = matplotlib.image.imread(io.BytesIO(difference(blank(dark=[(1, 1)]), new)))[..., :3]
        assert shown[2, 2] == pytest.approx([0.8, 0, 0.1], abs=0.01)
        assert shown[1, 1] == pytest.approx([0.75] * 3, abs=0.01)
        assert shown[0, 0] == pytest.approx([1] * 3)
        assert (shown[..., 0] != shown[..., 1]).sum() == 1


class TestJudge:
    def figure(self, values=(1.5, 2.5), *, dark=(), uncovered=()):
        return Drawn(blank(dark=dark), as_reference(table(values), list(uncovered)))

    def test_the_same_pixels_and_values_are_identical(self):
        verdict = judge(self.figure(), self.figure())
        assert (str(verdict), verdict.n_values, verdict.is_bad) == ("pixel-identical", 2, False)

    def test_other_pixels_with_the_same_values_are_drawn_differently(self):
        verdict = judge(self.figure(), self.figure(dark=[(0, 0)]))
        assert str(verdict) == "same numbers, drawn differently (RMS 52.1)"
        assert not verdict.is_bad

    def test_a_value_that_moved_differs_even_if_no_pixel_does(self):
        verdict = judge(self.figure(), self.figure([1.5, 2.6]))
        assert str(verdict) == "DIFFERS: 1 values moved (the pictures are the same)"
        assert verdict.is_bad
        assert verdict.moved["new"].tolist() == [2.6]

    @pytest.mark.parametrize("both", [("Quiver", "Barbs"), ("Barbs",), ()])
    def test_what_can_not_be_read_is_never_reproduced(self, both):
        verdict = judge(self.figure(uncovered=both), self.figure(uncovered=["Quiver"]))
        assert verdict.word == "not covered"
        assert verdict.uncovered == sorted({"Quiver", *both})
        assert not verdict.is_bad

    def test_a_value_that_moved_beside_it_differs_all_the_same(self):
        one, other = (
            self.figure(uncovered=["Quiver"]),
            self.figure([0.1, 0.2], uncovered=["Quiver"]),
        )
        assert judge(one, other).word == "DIFFERS"

    def test_a_figure_that_never_had_data_is_not_covered(self):
        verdict = judge(Drawn(blank()), Drawn(blank()))
        assert str(verdict) == (
            "not covered: what is drawn without setup() (the pictures are the same)"
        )
        assert not verdict.is_bad

    def test_data_that_are_gone_differ(self):
        verdict = judge(self.figure(), Drawn(blank()))
        assert str(verdict) == "DIFFERS: its data are gone (the pictures are the same)"
        assert verdict.is_bad

    def test_a_reference_without_data_is_none(self):
        assert judge(Drawn(blank()), self.figure()).word == "without a reference"

    def test_what_is_not_there_is_missing_and_what_was_not_is_new(self):
        assert str(judge(self.figure(), None)) == "missing"
        assert str(judge(None, self.figure())) == "without a reference"
        assert str(judge(None, None)) == "missing"
        assert judge(self.figure(), None).is_bad
        assert judge(None, self.figure()).is_bad


class TestMovedLines:
    def test_the_same_text_has_none(self):
        assert moved_lines("a\nb 53\n", "a\nb 53") == []

    def test_a_line_that_changed_is_told_with_both(self):
        assert moved_lines("a\n53 people\nz", "a\n54 people\nz") == [("53 people", "54 people")]

    def test_a_line_that_came_or_went_is_told_with_nothing(self):
        assert moved_lines("a\nz", "a\nb\nz") == [("", "b")]
        assert moved_lines("a\nb\nz", "a\nz") == [("b", "")]

    def test_decimals_may_differ_by_a_millionth(self):
        assert moved_lines("p 0.12345678 n 5", "p 0.12345679 n 5") == []
        assert len(moved_lines("p 0.1234567", "p 0.1234569")) == 1
        assert moved_lines("1.2345678e-09", "1.2345679e-09") == []
        assert len(moved_lines("-0.5", "0.5")) == 1
        assert moved_lines("x   9.9999999", "x  10.0000000") == []

    def test_counts_that_pandas_prints_as_floats_may_not(self):
        assert len(moved_lines("plays 1500000.0", "plays 1500001.0")) == 1

    def test_counts_dates_and_words_may_not(self):
        for old, new in [
            ("n 5000000", "n 5000001"),
            ("2017-12-10", "2017-12-11"),
            ("a1.5", "a1.6"),
        ]:
            assert len(moved_lines(old, new)) == 1
        assert len(moved_lines("version 1.2.30", "version 1.2.31")) == 1

    def test_decimals_do_not_hide_what_stands_beside_them(self):
        assert len(moved_lines("p 0.5 n 5", "p 0.5 n 6")) == 1
        assert len(moved_lines("p 0.5", "p 0.5 0.5")) == 1

    def test_addresses_of_objects_are_no_results(self):
        assert moved_lines("<A at 0x7f01>", "<A at 0x7f02>") == []
        assert len(moved_lines("hash 0x7f01", "hash 0x7f02")) == 1

    def test_nor_are_files_of_a_kernel_and_ids_of_styled_tables(self):
        assert moved_lines("ipykernel_12/34.py:1: W", "ipykernel_98/76.py:1: W") == []
        assert moved_lines('<td id="T_0a1b2_row0">1', '<td id="T_9a8b7_row0">1') == []
        assert len(moved_lines("T_0a1b2_row0 53", "T_0a1b2_row0 54")) == 1
