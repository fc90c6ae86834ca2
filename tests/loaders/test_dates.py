import datetime as dt

import numpy as np
import pandas as pd
import pytest

from tests.exports.netflix import DAYS, STYLES, write
from toolkit.loaders.dates import order_of_times, possible_orders, read_dates

NAT = pd.NaT


def read(*texts, **arguments):
    return read_dates(pd.Series(texts, dtype="str"), "list.csv", **arguments)


def days(dates):
    return dates.clock.dt.strftime("%Y-%m-%d").tolist()


class TestReadDates:
    @pytest.mark.parametrize("style", STYLES)
    def test_each_style_seen_is_read_whatever_its_order(self, style):
        texts = [write(dt.datetime.fromisoformat(day), style) for day in DAYS]
        dates = read(*texts)
        assert days(dates) == DAYS
        assert dates.precision == "day"
        assert dates.clock.dtype == "datetime64[us]"
        assert not dates.is_impossible.any()

    @pytest.mark.parametrize(
        ("text", "precision", "at"),
        [
            ("2024-03-25 20:01:02", "second", "2024-03-25 20:01:02"),
            ("2024-03-25T20:01:02", "second", "2024-03-25 20:01:02"),
            ("2024-03-25 20:01", "minute", "2024-03-25 20:01"),
            ("3/25/2024 0:05", "minute", "2024-03-25 00:05"),
            ("25.03.24 20:01", "minute", "2024-03-25 20:01"),
            ("25.03.2024 20:01:59", "second", "2024-03-25 20:01:59"),
            ("2024. 03. 25.", "day", "2024-03-25"),
            ("25. 3. 2024", "day", "2024-03-25"),
            (" 25/03/24 ", "day", "2024-03-25"),
        ],
    )
    def test_a_time_of_day_lowers_no_precision_but_its_lack_does(self, text, precision, at):
        dates = read(text)
        assert dates.clock.tolist() == [pd.Timestamp(at)]
        assert dates.precision == precision

    def test_one_date_that_is_possible_in_one_order_only_settles_the_whole_file(self):
        assert days(read("03/04/2024", "13/04/2024")) == ["2024-04-03", "2024-04-13"]
        assert days(read("03/04/2024", "04/13/2024")) == ["2024-03-04", "2024-04-13"]

    def test_dots_and_spaces_start_with_the_year_only_where_it_can_be_one(self):
        assert days(read("24. 3. 25.", "24. 3. 1.")) == ["2024-03-25", "2024-03-01"]
        assert days(read("25. 3. 24.", "1. 3. 24.")) == ["2024-03-25", "2024-03-01"]

    def test_the_29th_of_february_settles_it_too(self):
        assert read("2/29/24").order == "MDY"
        with pytest.raises(
            ValueError, match=r"in one order in list\.csv, found '2/29/23' in row 1"
        ):
            read("2/29/23")
        with pytest.raises(ValueError, match="'29/02/1900' in row 1"):
            read("29/02/1900")

    def test_of_two_orders_the_one_that_never_goes_up_is_taken(self):
        # Month first it falls from 10 April to 4 March; day first it rises from 4 February.
        texts = ["04/10/24", "04/10/24", "04/02/24", "03/04/24"]
        assert read(*texts, is_descending=True).order == "MDY"
        with pytest.raises(ValueError, match="`date_order` must say"):
            read(*texts, is_descending=False)

    def test_equal_neighbours_are_no_rise(self):
        assert read("05/02/24", "05/02/24", "04/10/24", is_descending=True).order == "MDY"

    @pytest.mark.parametrize(
        "texts", [("06/05/24", "05/04/24"), ("05/04/24", "06/05/24"), ("05/04/24",)]
    )
    def test_two_orders_both_falling_or_both_not_are_refused(self, texts):
        with pytest.raises(
            ValueError,
            match=r"`date_order` must say which way to read '\d\d/\d\d/24' in row 1 of list.csv",
        ):
            read(*texts, is_descending=True)

    def test_the_row_named_is_the_first_that_differs(self):
        with pytest.raises(ValueError, match="'05/04/24' in row 3"):
            read("", "05/05/24", "05/04/24", is_descending=True)

    def test_dates_that_are_the_same_both_ways_need_no_order(self):
        assert days(read("05/05/24", "07/07/24")) == ["2024-05-05", "2024-07-07"]

    def test_falling_is_asked_within_groups(self):
        texts = ["05/02/24", "04/10/24", "06/02/24", "05/10/24"]
        with pytest.raises(ValueError, match="`date_order`"):
            read(*texts, is_descending=True)
        assert read(*texts, is_descending=True, within=np.array([0, 0, 1, 1])).order == "MDY"
        interleaved = [texts[n] for n in (0, 2, 1, 3)]
        within = np.array([0, 1, 0, 1])
        assert read(*interleaved, is_descending=True, within=within).order == "MDY"

    def test_falling_looks_at_the_time_of_day(self):
        texts = ["04/04/2024 21:00", "04/04/2024 20:00", "03/04/2024 22:00"]
        with pytest.raises(ValueError, match="`date_order`"):
            read(*texts, is_descending=True)
        texts = ["04/05/2024 20:00", "04/05/2024 21:00"]
        with pytest.raises(ValueError, match="`date_order`"):
            read(*texts, is_descending=True)

    @pytest.mark.parametrize(("order", "day"), [("DMY", "2024-04-03"), ("MDY", "2024-03-04")])
    def test_an_order_that_is_given_is_used(self, order, day):
        assert days(read("03/04/24", "01/02/24", date_order=order))[0] == day

    def test_two_digits_of_a_year_first_are_read_where_it_is_said(self):
        assert days(read("24-01-31", date_order="YMD")) == ["2024-01-31"]
        assert days(read("24-01-31")) == ["2031-01-24"]
        assert days(read("1/31/24", date_order="YMD")) == ["2024-01-31"]

    @pytest.mark.parametrize(
        ("texts", "order", "told"),
        [
            (("03/04/2024", "03/13/2024"), "DMY", "MDY"),
            (("03/04/2024", "13/03/2024"), "MDY", "DMY"),
            (("2024-03-04",), "DMY", "YMD"),
            (("2024-03-04 20:00:00",), "MDY", "YMD"),
            (("2024-03-04 20:00",), "MDY", "YMD"),
            (("24. 3. 4.",), "MDY", "YMD"),
            (("13/03/2024",), "YMD", "DMY"),
        ],
    )
    def test_an_order_that_is_given_never_overrules_what_the_file_tells(self, texts, order, told):
        assert read(*texts, date_order=order).order == told

    def test_nor_the_one_way_in_which_it_falls(self):
        texts = ["04/10/24", "04/02/24", "03/04/24"]
        assert read(*texts, is_descending=True, date_order="DMY").order == "MDY"
        assert read(*texts, is_descending=False, date_order="DMY").order == "DMY"
        assert read("05/04/24", is_descending=True, date_order="DMY").order == "DMY"

    def test_an_order_that_can_not_be_meant_settles_nothing(self):
        with pytest.raises(ValueError, match=r"`date_order` must say .* '03/04/2024' in row 1 of"):
            read("03/04/2024", date_order="YMD")

    def test_no_order_is_refused_whatever_is_given(self):
        with pytest.raises(ValueError, match="found '02/14/2024' in row 2: no order explains"):
            read("13/01/2024", "02/14/2024", date_order="DMY")

    def test_an_unknown_order_is_refused(self):
        with pytest.raises(ValueError, match="`date_order` must be one of"):
            read("2024-03-13", date_order="YDM")

    @pytest.mark.parametrize(
        ("texts", "row"),
        [
            (("13/01/2024", "1/14/24"), 2),  # another year
            (("13/01/2024", "14.01.2024"), 2),  # another separator
            (("13/01/2024", "", "2024/01/14"), 3),  # the year first
            (("13.01.24", "14.01.24."), 2),  # a dot
            (("1/13/24", "1/14/24 0:00"), 2),  # a time
            (("2024-03-13 20:00:00", "2024-03-14"), 2),  # no time
            (("13/01/24", "14.01.24", "15/1/24"), 2),  # two of them
            (("1/13/24 20:00", "1/14/24 20:00:00"), 2),  # seconds
            (("13/01/24", "14/1/24"), 2),  # a month that isn't padded
            (("1/2/24", "01/13/24"), 2),  # one that is
            (("13/01/24 9:00", "14/01/24 09:00"), 2),
        ],
    )
    def test_a_file_that_mixes_styles_is_refused_with_the_first_other_row(self, texts, row):
        with pytest.raises(
            ValueError, match=rf"dates in one style in list.csv, found '.*' in row {row}, unlike"
        ):
            read(*texts)

    def test_orders_that_exclude_each_other_are_refused_with_the_row_that_decides(self):
        with pytest.raises(ValueError, match="found '01/14/24' in row 3: no order explains"):
            read("13/01/24", "13/01/24", "01/14/24")

    @pytest.mark.parametrize(
        "text",
        [
            "soon", "1/13", "2024-03-13 24:00", "2024-03-13 20:60", "2024-03-13 20:00:60", "2024-13-01",
            "00/01/24", "2024-03-13 20:00:00Z", "13/13/24", "124-01-01", "1/1/124", "1-1/24", "٠١/٠١/٢٤",
            "2024-02-30 20:00:00", "1/1/24 20:00 h", "x1/1/24", "2024-03-13 20:00:0x",
        ],
    )  # fmt: skip
    def test_what_is_no_date_is_refused_with_its_row(self, text):
        with pytest.raises(ValueError, match="in row 2") as caught:
            read("", text)
        assert str(caught.value).startswith("`path` must hold dates in one")

    @pytest.mark.parametrize("blank", ["", " ", "-1", "NULL", None])
    def test_what_is_blank_is_missing(self, blank):
        dates = read("2024-03-13 20:00:00", blank)
        assert dates.clock.tolist() == [pd.Timestamp("2024-03-13 20:00"), NAT]
        assert dates.is_impossible.tolist() == [False, False]
        assert read(blank).clock.tolist() == [NAT]
        assert len(read().clock) == 0

    @pytest.mark.parametrize("style", ["{}-01-01 00:00:00", "{}/01/01", "31/12/{}"])
    def test_a_year_that_stands_for_nothing_is_marked(self, style):
        dates = read(*(style.format(year) for year in ("1899", "1900", "2199", "2200", "0000")))
        assert dates.is_impossible.tolist() == [True, False, False, True, True]
        assert dates.clock.isna().tolist() == dates.is_impossible.tolist()

    def test_the_index_stays_and_rows_are_counted_from_one(self):
        texts = pd.Series(["13/01/24", "x"], index=[7, 7], dtype="str")
        with pytest.raises(ValueError, match="'x' in row 2"):
            read_dates(texts, "list.csv")
        assert read_dates(texts[:1], "list.csv").clock.index.tolist() == [7]

    def test_the_fast_way_and_the_careful_way_agree(self):
        generator = np.random.default_rng(7)
        texts = pd.Series(pd.Timestamp(int(n), unit="s") for n in generator.integers(0, 2**31, 200))
        texts = texts.dt.strftime("%Y-%m-%d %H:%M:%S").astype("str")
        fast = read_dates(texts, "list.csv")
        careful = read_dates(pd.concat([texts, pd.Series([""])]), "list.csv")
        assert fast.clock.tolist() == careful.clock.tolist()[:-1]
        assert fast.precision == careful.precision == "second"


class TestPossibleOrders:
    @pytest.mark.parametrize(
        ("starts", "orders"),
        [
            ([], ["DMY", "MDY"]), ([(12, 12)], ["DMY", "MDY"]), ([(13, 12)], ["DMY"]),
            ([(1, 2), (12, 13)], ["MDY"]), ([(13, 1), (1, 13)], []),
        ],
    )  # fmt: skip
    def test_no_month_is_above_twelve(self, starts, orders):
        assert possible_orders(starts) == orders


class TestOrderOfTimes:
    @pytest.mark.parametrize(
        ("texts", "order"),
        [
            (["2024-03-04 10:00"], "YMD"), ([" 2024/3/4"], "YMD"), (["13/04/2024 10:00"], "DMY"),
            (["03/04/2024", "04/13/2024"], "MDY"), (["03.04.2024"], None), (["soon", ""], None),
            ([None], None), ([], None), (["13/04/2024", "04/13/2024"], None),
        ],
    )  # fmt: skip
    def test_the_hint_counts_where_the_texts_leave_it_open(self, texts, order):
        for hint in ("DMY", "MDY"):
            assert order_of_times(texts, hint) == (order or hint)
        assert order_of_times(texts, None) == (order or "YMD")
