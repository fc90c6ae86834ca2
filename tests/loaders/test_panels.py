import csv
import datetime as dt
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from tests.exports.panels import (
    COUNTRIES,
    COUNTRY_ROWS,
    FILM_ROWS,
    GLOBAL,
    GLOBAL_ROWS,
    POPULAR,
    POPULAR_ROWS,
    REPORT_1,
    REPORT_1_ROWS,
    REPORT_2,
    TEXT,
    TV_ROWS,
    first_report,
    later_report,
    tsv,
    with_parts,
    with_sheet,
    workbook,
)
from tests.loaders.mutations import changed_bytes
from toolkit.loaders import workbooks
from toolkit.loaders.panels import load_title_panel

REAL = Path(__file__).parents[3] / "shared" / "data" / "netflix_top10_global.tsv"


@pytest.fixture
def load(tmp_path):
    def load(data, name="list.tsv"):
        path = tmp_path / name
        path.write_bytes(data)
        return load_title_panel(path)

    return load


def texts(column):
    return column.astype("object").where(column.notna(), None).tolist()


def changed(rows, row, column, value):
    return [[*r[:column], value, *r[column + 1 :]] if n == row else r for n, r in enumerate(rows)]


class TestTop10:
    def test_a_row_is_a_film_or_a_season_in_a_week(self, load):
        panel = load(tsv(GLOBAL, GLOBAL_ROWS))
        assert list(panel) == [
            "source", "title", "series", "season", "kind", "category", "first_day", "last_day",
            "rank", "weeks_in_top_10", "hours_viewed", "rounded_to_hours", "runtime_seconds",
            "views", "is_staggered_launch",
        ]  # fmt: skip
        assert len(panel) == len(GLOBAL_ROWS)
        assert set(panel["source"]) == {"netflix_top10_global"}
        assert panel["title"].tolist() == [
            "Salt Road: Part Two", "Night Desk: Season 2", "Le Phare: Limited Series",
            "Night Desk", "'83 Tides",
        ]  # fmt: skip
        assert texts(panel["series"]) == [None, "Night Desk", "Le Phare", "Night Desk", None]
        assert texts(panel["season"]) == [None, 2, None, None, None]
        assert panel["kind"].tolist() == ["film", "series", "series", "series", "film"]
        assert panel["rank"].tolist() == [1, 1, 1, 10, 2]
        assert panel["weeks_in_top_10"].tolist() == [1, 2, 1, 12, 1]
        assert panel["hours_viewed"].tolist() == [16600000, 25000000, 8400000, 9140000, 9970000]
        assert texts(panel["views"]) == [8400000, 3800000, 1200000, None, None]
        assert texts(panel["is_staggered_launch"]) == [False, True, False, None, None]

    def test_a_week_is_the_seven_days_that_end_on_its_sunday(self, load):
        panel = load(tsv(GLOBAL, GLOBAL_ROWS))
        assert panel["last_day"].iloc[0] == pd.Timestamp("2024-03-10")
        assert panel["first_day"].iloc[0] == pd.Timestamp("2024-03-04")
        assert str(panel["first_day"].dtype) == str(panel["last_day"].dtype) == "datetime64[us]"

    def test_decimal_hours_are_whole_minutes_and_no_hours_are_unknown(self, load):
        seconds = load(tsv(GLOBAL, GLOBAL_ROWS))["runtime_seconds"]
        assert texts(seconds) == [118 * 60, 398 * 60, None, None, None]

    def test_hours_say_by_week_how_they_were_rounded(self, load):
        panel = load(tsv(GLOBAL, GLOBAL_ROWS))
        assert panel["rounded_to_hours"].tolist() == [100000] * 3 + [10000] * 2

    def test_rounder_hours_than_netflix_rounds_to_are_chance(self, load):
        assert load(tsv(GLOBAL, [GLOBAL_ROWS[1]]))["rounded_to_hours"].tolist() == [100000]

    def test_the_lists_of_countries(self, load):
        panel = load(tsv(COUNTRIES, COUNTRY_ROWS))
        assert list(panel) == [
            "source", "title", "series", "season", "kind", "category", "country", "first_day",
            "last_day", "rank", "weeks_in_top_10",
        ]  # fmt: skip
        assert set(panel["source"]) == {"netflix_top10_countries"}
        # Namibia is a country and not a missing value.
        assert panel["country"].tolist() == ["NA", "RE"]
        assert panel["kind"].tolist() == ["series", "film"]

    def test_the_most_popular_titles_have_a_window_and_no_period(self, load):
        panel = load(tsv(POPULAR, POPULAR_ROWS))
        assert list(panel) == [
            "source", "title", "series", "season", "kind", "category", "window_days", "rank",
            "hours_viewed", "rounded_to_hours", "runtime_seconds", "views",
        ]  # fmt: skip
        assert set(panel["source"]) == {"netflix_most_popular"}
        assert set(panel["window_days"]) == {91}
        assert panel["hours_viewed"].tolist() == [454200000, 1718800000]

    def test_the_window_was_28_days_before(self, load):
        header = [name.replace("91", "28") for name in POPULAR[:5]]
        panel = load(tsv(header, [row[:5] for row in POPULAR_ROWS]))
        assert set(panel["source"]) == {"netflix_most_popular"}
        assert set(panel["window_days"]) == {28}
        assert panel["hours_viewed"].tolist() == [454200000, 1718800000]
        assert "views" not in panel

    def test_older_lists_have_fewer_columns(self, load):
        kept = [n for n, name in enumerate(GLOBAL) if n < 6 or name.startswith("cumul")]
        panel = load(tsv([GLOBAL[n] for n in kept], [[r[n] for n in kept] for r in GLOBAL_ROWS]))
        assert {"views", "runtime_seconds", "is_staggered_launch"}.isdisjoint(panel)

    @pytest.mark.parametrize("name", ["list.xlsx", "all-weeks-global", "x.csv"])
    def test_a_workbook_says_the_same_as_a_table_of_text(self, load, name):
        def typed(text):
            if text.isdecimal():
                return int(text)
            return float(text) if text.replace(".", "", 1).isdecimal() else text or None

        rows = [[dt.datetime.fromisoformat(r[0]), *map(typed, r[1:])] for r in GLOBAL_ROWS]
        book = workbook({"Sheet1": (GLOBAL, rows)}, n_above=0, left=0)
        assert_frame_equal(load(book, name), load(tsv(GLOBAL, GLOBAL_ROWS)))

    @pytest.mark.parametrize("separator", [",", ";", "|"])
    def test_it_may_have_been_saved_again_with_another_separator_or_a_mark(self, load, separator):
        data = tsv(GLOBAL, GLOBAL_ROWS)
        again = data.replace(b"\t", separator.encode()).replace(b"\n", b"\r\n")
        assert_frame_equal(load(b"\xef\xbb\xbf" + again), load(data))

    def test_no_rows_are_no_rows(self, load):
        full, empty = load(tsv(GLOBAL, GLOBAL_ROWS)), load(tsv(GLOBAL, []))
        assert list(empty) == list(full)
        assert len(empty) == 0
        assert empty["source"].dtype == full["source"].dtype
        assert (empty["hours_viewed"].dtype, empty["views"].dtype) == ("int64", "Int64")

    def test_two_lists_put_together_are_one(self, load):
        panel = load(tsv(GLOBAL, GLOBAL_ROWS) * 2)
        assert len(panel) == 2 * len(GLOBAL_ROWS)

    @pytest.mark.parametrize(
        ("column", "value", "message"),
        [
            ("week", "2024-03-09", "the Sunday on which the week ends, as week, found '2024-03-09' in row 2 below the header of list.tsv"),
            ("week", "10/03/2024", "a day such as 2024-03-10, .* found '10/03/2024' in row 2"),
            ("week", "2024-02-30", "as week, found '2024-02-30' in row 2"),
            ("week", "", "as week, found '' in row 2"),
            ("week", "9999-12-26", "as week, found '9999-12-26' in row 2"),
            ("weekly_rank", "1st", "a whole number as rank, found '1st' in row 2"),
            ("weekly_rank", "32768", "a whole number as rank, found '32768' in row 2"),
            ("weekly_hours_viewed", "", "a whole number as hours_viewed, found '' in row 2"),
            ("weekly_hours_viewed", "-100000", "hours_viewed, found '-100000' in row 2"),
            ("weekly_hours_viewed", "1e9", "hours_viewed, found '1e9' in row 2"),
            ("weekly_views", "1.5", "a whole number as views, found '1.5' in row 2"),
            ("runtime", "long", "decimal hours or H:MM as runtime, found 'long' in row 2"),
            ("runtime", "1:60", "decimal hours or H:MM as runtime, found '1:60' in row 2"),
            ("runtime", "-1", "decimal hours or H:MM as runtime, found '-1' in row 2"),
            ("is_staggered_launch", "perhaps", "`is_staggered_launch` must be true or false, found"),
        ],
    )  # fmt: skip
    def test_a_cell_that_cannot_be_read_is_named(self, load, column, value, message):
        rows = changed(GLOBAL_ROWS, 1, GLOBAL.index(column), value)
        with pytest.raises(ValueError, match=message):
            load(tsv(GLOBAL, rows))

    def test_the_largest_rank_that_can_be_held_is_read(self, load):
        rows = changed(GLOBAL_ROWS, 1, GLOBAL.index("weekly_rank"), "32767")
        assert load(tsv(GLOBAL, rows))["rank"].iloc[1] == 32767

    @pytest.mark.skipif(not REAL.exists(), reason="the real list is not here")
    def test_the_real_list_is_read_whole(self):
        with REAL.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        began = time.perf_counter()
        panel = load_title_panel(REAL)
        assert time.perf_counter() - began < 5
        assert len(panel) == len(rows) == 10_560
        assert panel["hours_viewed"].sum() == sum(int(r["weekly_hours_viewed"]) for r in rows)
        assert panel["views"].sum() == sum(int(r["weekly_views"] or 0) for r in rows)
        assert panel["views"].isna().sum() == sum(not r["weekly_views"] for r in rows)
        assert panel["last_day"].dt.strftime("%Y-%m-%d").tolist() == [r["week"] for r in rows]
        assert Counter(panel["category"]) == Counter(r["category"] for r in rows)
        assert Counter(panel["series"].dropna()) == Counter(
            r["show_title"] for r in rows if r["category"].startswith("TV")
        )
        longest = max(rows, key=lambda r: int(r["cumulative_weeks_in_top_10"]))
        weeks = int(longest["cumulative_weeks_in_top_10"])
        assert panel.loc[panel["weeks_in_top_10"].idxmax(), "title"] == longest["show_title"]
        assert panel["weeks_in_top_10"].max() == weeks
        unknown = [r["runtime"] in ("", "0") for r in rows]
        assert panel["runtime_seconds"].isna().tolist() == unknown
        known = [round(float(r["runtime"] or 0) * 60) for r in rows]
        assert panel["runtime_seconds"].fillna(0).tolist() == [60 * minutes for minutes in known]
        assert panel.groupby("last_day")["rounded_to_hours"].first().value_counts().to_dict() == {
            100_000: 162, 10_000: 102,
        }  # fmt: skip
        assert panel.notna().all()[["title", "rank", "first_day", "kind"]].all()


class TestReports:
    def test_the_first_report_has_films_and_seasons_in_one_sheet(self, load):
        panel = load(first_report(), "report.xlsx")
        assert list(panel) == [
            "source", "title", "original_title", "series", "season", "kind", "first_day",
            "last_day", "hours_viewed", "rounded_to_hours", "is_available_globally",
            "release_day",
        ]  # fmt: skip
        assert set(panel["source"]) == {"netflix_engagement"}
        assert len(panel) == len(REPORT_1_ROWS)
        assert panel["title"].tolist() == [
            "Night Desk: Season 1", "Le Phare: Limited Series", "Salt Road: Part 2",
            "Harbour Lights", "1917",
        ]  # fmt: skip
        assert texts(panel["original_title"]) == [None, "Der Leuchtturm", None, None, None]
        assert texts(panel["series"]) == ["Night Desk", "Le Phare", None, None, None]
        assert texts(panel["season"]) == [1, None, None, None, None]
        assert panel["kind"].tolist() == ["series"] * 2 + ["unknown"] * 3
        assert texts(panel["is_available_globally"]) == [True, True, False, False, False]
        assert panel["release_day"].dt.strftime("%Y-%m-%d").tolist()[:2] == [
            "2023-03-23", "2022-12-30",
        ]  # fmt: skip
        assert panel["release_day"].isna().sum() == 3
        assert panel["hours_viewed"].tolist() == [row[3] for row in REPORT_1_ROWS]
        assert set(panel["rounded_to_hours"]) == {100_000}

    def test_later_reports_have_a_sheet_for_each_kind(self, load):
        panel = load(later_report(), "report.xlsx")
        assert len(panel) == len(TV_ROWS) + len(FILM_ROWS)
        assert panel["kind"].tolist() == ["series"] * 3 + ["film"] * 2
        assert texts(panel["series"]) == ["Night Desk", "The Long Watch", None, None, None]
        assert texts(panel["season"]) == [2, 3, None, None, None]
        assert texts(panel["original_title"]) == ["夜勤: シーズン2", None, None, None, "'17"]
        assert texts(panel["views"]) == [12500000, 100000, None, 73100000, None]
        minutes = [7 * 60 + 53, 25 * 60 + 10, None, 118, None]
        assert texts(panel["runtime_seconds"]) == [m and m * 60 for m in minutes]
        assert panel["release_day"].dt.strftime("%Y-%m-%d").tolist()[0] == "2024-02-08"

    def test_runtimes_may_be_times_of_excel(self, load):
        for value, seconds in (
            (dt.time(1, 58), 7080), (dt.timedelta(hours=25, minutes=10), 90600),
            (dt.timedelta(hours=1, minutes=58), 7080), (dt.time(1, 58, 30), 7110),
        ):  # fmt: skip
            rows = [[*FILM_ROWS[0][:4], value, 100000]]
            panel = load(workbook({"Film": (REPORT_2, rows)}), "report.xlsx")
            assert panel["runtime_seconds"].tolist() == [seconds]

    def test_a_runtime_of_more_than_a_day_in_the_style_of_a_clock(self, load):
        rows = [[*FILM_ROWS[0][:4], dt.time(1, 10), 100000]]
        book = workbook({"Film": (REPORT_2, rows)})
        # The same cell with a day more in it.
        held = with_sheet(book, rb"<v>0\.0486[0-9]*</v>", b"<v>1.04861111111111</v>")
        assert held != book
        assert load(held, "report.xlsx")["runtime_seconds"].tolist() == [90600]

    def test_whole_numbers_may_be_written_as_a_power(self, load):
        book = workbook({"Film": (REPORT_2, FILM_ROWS)})
        power = with_sheet(book, b"<v>143800000</v>", b"<v>1.438E8</v>")
        assert power != book
        assert_frame_equal(load(power, "report.xlsx"), load(book, "report.xlsx"))

    def test_texts_may_lie_in_the_sheet_or_be_shared(self, load):
        sheets = {"Film": (REPORT_2, FILM_ROWS)}
        shared, inline = workbook(sheets), workbook(sheets, shares=False)
        assert_frame_equal(load(shared, "report.xlsx"), load(inline, "report.xlsx"))

    def test_the_header_is_found_by_its_words(self, load):
        expected = load(later_report(), "report.xlsx")
        for n_above, left in ((3, 0), (7, 3), (49, 1)):
            sheets = {"TV": (REPORT_2, TV_ROWS), "Film": (REPORT_2, FILM_ROWS)}
            book = workbook(sheets, TEXT if n_above > 3 else TEXT[:2], n_above=n_above, left=left)
            assert_frame_equal(load(book, "report.xlsx"), expected)

    def test_sheets_of_something_else_are_not_read(self, load):
        sheets = {"About": (["Notes"], [["Titles are sorted."]]), "TV": (REPORT_2, TV_ROWS)}
        assert len(load(workbook(sheets), "report.xlsx")) == len(TV_ROWS)

    def test_empty_rows_are_no_rows_and_a_wrong_size_of_the_sheet_loses_none(self, load):
        rows = [*TV_ROWS, [None] * 6, *TV_ROWS]
        book = workbook({"TV": (REPORT_2, rows)}, TEXT)
        assert len(load(book, "report.xlsx")) == 2 * len(TV_ROWS)
        smaller = with_sheet(book, b'<dimension ref="[^"]*"', b'<dimension ref="A1:B7"')
        assert smaller != book
        assert_frame_equal(load(smaller, "report.xlsx"), load(book, "report.xlsx"))

    @pytest.mark.parametrize(
        ("text", "name", "period"),
        [
            ("January - June 2023", "report", "2023-01-01 2023-06-30"),
            ("from July to December 2023", "report", "2023-07-01 2023-12-31"),
            ("January 1, 2024 – June 30, 2024", "report", "2024-01-01 2024-06-30"),
            ("Dec 28, 2023 through Jan 3, 2024", "report", "2023-12-28 2024-01-03"),
            ("the second half of 2024", "report", "2024-07-01 2024-12-31"),
            ("2024 in review", "What_We_Watched_A_Netflix_Engagement_Report_2023Jan-Jun", "2023-01-01 2023-06-30"),
            ("", "report_Jan_to_Jun_2024", "2024-01-01 2024-06-30"),
            ("", "Report_2024Jul-Dec (1)", "2024-07-01 2024-12-31"),
            ("Jul-Dec 2024", "Report_2023Jan-Jun", "2024-07-01 2024-12-31"),
            ("Jan-Jun 2023 and Jul-Dec 2023", "report", None),
            ("Marvel to Decades, 2023", "report", None),
            ("February 30 - March 2 2023", "report", None),
            ("June - January 2023", "report", None),
            ("January - June", "report", None),
            ("", "report", None),
        ],
    )  # fmt: skip
    def test_its_period_is_what_it_says_and_otherwise_unknown(self, load, text, name, period):
        panel = load(first_report([text]), f"{name}.xlsx")
        days = panel[["first_day", "last_day"]].drop_duplicates()
        assert len(days) == 1
        assert str(days["last_day"].dtype) == "datetime64[us]"
        if period is None:
            assert days.isna().all(axis=None)
        else:
            assert " ".join(days.iloc[0].dt.strftime("%Y-%m-%d")) == period

    def test_a_report_may_have_been_saved_as_text(self, load):
        rows = [["" if cell is None else str(cell) for cell in row] for row in REPORT_1_ROWS]
        panel = load(tsv(REPORT_1, rows), "Report_2023Jan-Jun.csv")
        assert_frame_equal(panel, load(first_report(), "report.xlsx"))

    @pytest.mark.parametrize(
        ("column", "value", "message"),
        [
            (1, "maybe", "`is_available_globally` must be true or false, found 'maybe'"),
            (2, "March", r"a day such as 2024-03-10 as release_day, found 'March' in row 1 below the header of report\.xlsx \(TV\)"),
            (2, dt.datetime(2024, 3, 1, 12), "release_day, found '2024-03-01 12:00:00'"),
            (3, None, "a whole number as hours_viewed, found ''"),
            (3, 0.5, "a whole number as hours_viewed, found '0.5'"),
            (4, "soon", "decimal hours or H:MM as runtime, found 'soon'"),
        ],
    )  # fmt: skip
    def test_a_cell_that_cannot_be_read_is_named(self, load, column, value, message):
        rows = changed(TV_ROWS, 0, column, value)
        with pytest.raises(ValueError, match=message):
            load(workbook({"TV": (REPORT_2, rows)}), "report.xlsx")


NONE = "a Top 10, a list of the most popular titles or an engagement report of Netflix, found none"


class TestRefusals:
    @pytest.mark.parametrize(
        "data",
        [b"", b"\n\n", b"a,b\n1,2\n", b"Title,Date\nHeat,2024-03-01\n", b"{}", b"<html></html>",
         tsv([name for name in GLOBAL if name != "category"], [])],
    )  # fmt: skip
    def test_another_table(self, load, data):
        with pytest.raises(ValueError, match=NONE):
            load(data)

    def test_a_workbook_of_something_else(self, load):
        for sheets in ({"Sheet": (["a", "b"], [[1, 2]])}, {"TV": (REPORT_2[:3], [])}):
            with pytest.raises(ValueError, match=NONE):
                load(workbook(sheets), "report.xlsx")

    def test_lists_of_two_kinds_in_one_workbook(self, load):
        book = workbook({"TV": (REPORT_2, TV_ROWS), "Top": (POPULAR, POPULAR_ROWS)})
        with pytest.raises(ValueError, match="found several of them in report"):
            load(book, "report.xlsx")

    def test_the_same_column_twice(self, load):
        with pytest.raises(ValueError, match="each column once"):
            load(tsv([*POPULAR, "rank"], []))
        book = workbook({"TV": ([*REPORT_2, "Title"], [])})
        with pytest.raises(ValueError, match=r"each column once, found \['title'\] twice in rep"):
            load(book, "report.xlsx")

    def test_text_that_is_none(self, load):
        with pytest.raises(ValueError, match="`path` must be text in utf-8"):
            load(tsv(GLOBAL, GLOBAL_ROWS).replace(b"Salt", b"S\xe4lt"))

    def test_what_is_not_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"nowhere\.tsv"):
            load_title_panel(tmp_path / "nowhere.tsv")

    def test_a_damaged_workbook(self, load):
        book = later_report()
        for n in (1, 100, len(book) // 2):
            with pytest.raises(ValueError, match="must be a complete zip, found"):
                load(book[:-n], "report.xlsx")

    @pytest.mark.parametrize(
        "part", ["[Content_Types].xml", "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/sharedStrings.xml"]
    )  # fmt: skip
    def test_a_workbook_that_lacks_a_part(self, load, part):
        book = with_parts(later_report(), lambda name, data: None if name == part else data)
        with pytest.raises(ValueError, match="that can be read, found a damaged one in report"):
            load(book, "report.xlsx")

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
    def test_entities_are_never_unfolded(self, load, encoding):
        bomb = '<!DOCTYPE b [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'

        def change(name, data):
            if name != "xl/sharedStrings.xml":
                return data
            text = data.decode().replace("<sst", f"{bomb}<sst", 1)
            return text.replace("<t>", "<t>&b;", 1).encode(encoding)

        with pytest.raises(ValueError, match="workbook of plain XML, found other in report"):
            load(with_parts(later_report(), change), "report.xlsx")

    def test_a_workbook_that_unfolds_too_far(self, load, monkeypatch):
        monkeypatch.setattr(workbooks, "MAX_XML", 1000)
        with pytest.raises(ValueError, match="at most 1,000 bytes of XML, found"):
            load(later_report(), "report.xlsx")

    def test_a_zip_bomb(self, load):
        def change(name, data):
            return data + b" " * 2**21 if name == "xl/sharedStrings.xml" else data

        with pytest.raises(ValueError, match="a zip that packs at most 200 bytes in one"):
            load(with_parts(later_report(), change), "report.xlsx")

    def test_rows_and_columns_without_end_cost_nothing(self, load):
        book = later_report()
        far = with_sheet(book, rb'<row r="9"([^>]*)>', b'<row r="900000000000"\\1>')
        wide = with_sheet(book, rb"</row>", b'<c r="XFD9"><v>1</v></c></row>')
        assert book not in (far, wide)
        began = time.perf_counter()
        load(far, "report.xlsx")
        assert len(load(wide, "report.xlsx")) == len(load(book, "report.xlsx"))
        assert time.perf_counter() - began < 10

    def test_sheets_without_end(self, load):
        sheets = {f"TV {n}": (REPORT_2, TV_ROWS) for n in range(21)}
        fewer = dict(list(sheets.items())[:20])
        assert len(load(workbook(fewer), "report.xlsx")) == 20 * len(TV_ROWS)
        with pytest.raises(ValueError, match="at most 20 sheets, found 21"):
            load(workbook(sheets), "report.xlsx")


def check_mutations(load, n, seed):
    """Load text, workbooks and what lies in workbooks mutated; return how many could be read."""
    rng = np.random.default_rng(seed)
    good = [tsv(GLOBAL, GLOBAL_ROWS), tsv(COUNTRIES, COUNTRY_ROWS), tsv(POPULAR, POPULAR_ROWS)]
    books = [first_report(), later_report()]
    n_read = 0
    for number in range(n):
        if number % 3:
            data = changed_bytes(good[number % len(good)], rng)
        else:
            part = rng.integers(20)

            def change(name, data, part=part):
                hit = name.startswith("xl/w") or part < 10
                return changed_bytes(data, rng) if hit and rng.random() < 0.3 else data

            data = with_parts(books[number % 2], change)
        sentence = ""
        try:
            panel = load(data)
            n_read += 1
            assert set(panel["kind"]) <= {"film", "series", "unknown"}
            if number % 3 and not {*b'"\r'} & {*data}:
                header, *lines = [line for line in data.lstrip().split(b"\n") if line.strip(b" ")]
                assert len(panel) == len(lines) - lines.count(header)
        except ValueError as error:
            sentence = str(error)
        assert sentence.count("`") >= 2 * bool(sentence), sentence
        assert "\n" not in sentence.replace("\\n", ""), sentence
    return n_read


class TestMutations:
    def test_200_mutated_lists_are_read_or_refused(self, load):
        assert 0 < check_mutations(load, 200, seed=20171210) < 200
