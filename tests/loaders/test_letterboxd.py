import csv
import io

import pandas as pd
import pytest

from tests.exports.letterboxd import HEADER, ROWS, letterboxd_export, table
from tests.loaders.mutations import changed_table, check_mutations, n_records
from tests.loaders.reading import finished
from toolkit.loaders import letterboxd
from toolkit.loaders.archive import as_file
from toolkit.loaders.letterboxd import SOURCE, recognises

COLUMNS = [
    "profile", "title", "started_at", "kind", "is_marked_rewatch", "row_is", "precision", "excluded",
]  # fmt: skip


def plays_of(data, name="diary.csv", **hints):
    plays, notes = finished(letterboxd, [as_file(name, data)], **hints)
    assert notes == []
    return plays


def entry(name="Lanterns", year="2024", day="2024-01-07", mark="", uri="", logged="2024-02-01"):
    return f"{logged},{name},{year},{uri},,{mark},,{day}"


def reasons(plays):
    return [None if pd.isna(reason) else reason for reason in plays["excluded"]]


class TestRecognises:
    def test_of_an_export_only_the_diary_and_the_marked_films_are_told(self):
        files = [as_file(name, data) for name, data in letterboxd_export("").items()]
        assert [f.name for f in files if recognises(f)] == ["diary.csv", "watched.csv"]

    @pytest.mark.parametrize("folder", ["letterboxd-ann-2024/", "a\\b\\", ""])
    def test_a_diary_is_told_by_its_header_wherever_it_lies(self, folder):
        assert recognises(as_file(f"{folder}my films.csv", table(*ROWS)))
        assert recognises(as_file("x", table(*ROWS).replace(b",", b";")))
        assert recognises(as_file("x", table(*ROWS).decode().encode("utf-16")))

    @pytest.mark.parametrize("folder", ["deleted/", "x/Orphaned/", "a\\deleted\\"])
    def test_what_was_removed_is_not_read(self, folder):
        assert not recognises(as_file(f"{folder}diary.csv", table(*ROWS)))

    def test_a_watchlist_has_the_header_of_watched_films_and_another_name(self):
        data = letterboxd_export("")["watched.csv"]
        assert not recognises(as_file("watchlist.csv", data))
        assert not recognises(as_file("films.csv", data))

    @pytest.mark.parametrize(
        "data", [b"", b"\0", b"\xff\xfe", b"\xff\xfeW", b"Watched Date", b'"Watched Date\n' * 9]
    )
    def test_no_bytes_raise(self, data):
        assert not recognises(as_file("watched.csv", data))


class TestRead:
    def test_reads_the_diary_row_by_row(self):
        plays = plays_of(table(*ROWS))
        assert [*plays] == COLUMNS
        assert plays["title"].tolist() == [
            "Winter Tram (2008)", "The Glass Harbour (1997)", "Winter Tram (2008)",
            'Salt, "Sand" & Sky (2023)', "Lanterns (2024)", "Lanterns (2024)",
            "Untitled Ferry Film", "Étude in Grey (2021)",
        ]  # fmt: skip
        assert plays["started_at"].dtype == "datetime64[us, UTC]"
        assert set(plays["profile"]) == {""}
        assert set(plays["kind"]) == {"film"}
        assert set(plays["row_is"]) == {"logged"} == {SOURCE.row_is}
        assert set(plays["precision"]) == {"day"}
        assert reasons(plays) == [None] * 7 + ["no time"]

    def test_the_day_is_that_of_watching_and_never_that_of_logging(self):
        plays = plays_of(table(entry(day="2009-12-24", logged="2023-05-02"), entry(day="")))
        assert plays["started_at"].tolist() == [pd.Timestamp("2009-12-24", tz="UTC"), pd.NaT]
        assert reasons(plays) == [None, "no time"]

    def test_a_mark_is_kept_apart_from_what_came_first(self):
        # Yes on a film's first row, nothing on a true second one.
        rows = [entry("A", mark="Yes"), entry("B"), entry("B", day="2024-01-08")]
        assert plays_of(table(*rows))["is_marked_rewatch"].tolist() == [True, False, False]

    def test_without_its_column_a_mark_is_unknown(self):
        data = table("Lanterns,2024,2024-01-07", header="Name,Year,Watched Date")
        assert plays_of(data)["is_marked_rewatch"].isna().all()

    def test_several_entries_of_a_day_stay(self):
        rows = [entry(uri="https://boxd.it/a"), entry(uri="https://boxd.it/b"), entry(), entry()]
        assert reasons(plays_of(table(*rows))) == [None] * 4

    def test_an_entry_is_told_by_its_address_also_across_files(self):
        data = table(entry(uri="https://boxd.it/a"), entry(uri="https://boxd.it/b"))
        plays, _ = finished(
            letterboxd, [as_file("1/diary.csv", data), as_file("2/diary.csv", data)]
        )
        assert reasons(plays) == [None, None, "duplicate", "duplicate"]
        assert plays.index.equals(pd.RangeIndex(4))

    @pytest.mark.parametrize(
        ("year", "reason"),
        [("1899", "impossible time"), ("1900", None), ("2199", None), ("2200", "impossible time")],
    )
    def test_years_have_bounds(self, year, reason):
        plays = plays_of(table(entry(day=f"{year}-06-01")))
        assert reasons(plays) == [reason]
        assert plays["started_at"].isna().tolist() == [reason is not None]

    def test_a_row_has_the_first_reason_that_holds(self):
        rows = [
            entry("  ", day=""), entry(day="", uri="u1"), entry(day="1800-01-01", uri="u1"),
            entry(uri="u1"),
        ]  # fmt: skip
        assert reasons(plays_of(table(*rows))) == [
            "no title", "no time", "impossible time", "duplicate",
        ]  # fmt: skip

    def test_titles_are_normalised(self):
        plays = plays_of(table(entry("E\u0301tude\u00a0 in\u200b  Grey ", "2021 ")))
        assert plays["title"].tolist() == ["Étude in Grey (2021)"]

    def test_a_diary_of_no_rows_is_empty(self):
        plays = plays_of(table())
        assert len(plays) == 0
        assert [*plays] == COLUMNS

    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    @pytest.mark.parametrize("separator", [",", ";", "\t"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_a_spreadsheet_may_have_saved_it(self, newline, separator, encoding):
        rows = [next(csv.reader([row])) for row in [HEADER, *ROWS]]
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=separator, lineterminator=newline).writerows(rows)
        plays = plays_of(out.getvalue().encode(encoding))
        pd.testing.assert_frame_equal(plays, plays_of(table(*ROWS)))

    def test_one_order_of_days_is_found_for_the_whole_file(self):
        plays = plays_of(table(entry(day="3/4/2024"), entry(day="3/14/2024")))
        assert plays["started_at"].dt.month.tolist() == [3, 3]
        plays = plays_of(table(entry(day="03.04.2024"), entry(day="14.03.2024")))
        assert plays["started_at"].dt.month.tolist() == [4, 3]

    def test_an_order_that_may_be_two_is_asked_for(self):
        data = table(entry(day="3/4/2024"), entry(day="5/6/2024"))
        with pytest.raises(ValueError, match=r"`date_order` must say .*'3/4/2024' in row 1 of d"):
            plays_of(data)
        assert plays_of(data, date_order="DMY")["started_at"].dt.month.tolist() == [4, 6]
        assert plays_of(data, date_order="MDY")["started_at"].dt.month.tolist() == [3, 5]

    def test_a_year_in_front_needs_no_order_whatever_was_said(self):
        assert plays_of(table(*ROWS), date_order="DMY")["title"].notna().all()

    @pytest.mark.parametrize("day", ["soon", "2024-02-30", "2024-01-07x", "13/13/2024"])
    def test_a_day_that_cant_be_read_is_refused_with_its_row(self, day):
        with pytest.raises(ValueError, match=rf"`path` must .*'{day}' in row 2"):
            plays_of(table(entry(day="2024-01-07"), entry(day=day)))

    def test_marked_films_alone_are_refused_with_the_way_out(self):
        data = letterboxd_export("")["watched.csv"]
        with pytest.raises(ValueError, match=r"must hold a Letterboxd diary, .* with diary\.csv"):
            plays_of(data, "letterboxd-someone/watched.csv")

    def test_beside_a_diary_they_are_not_needed(self):
        files = [as_file(name, data) for name, data in letterboxd_export().items()]
        plays, _ = finished(letterboxd, [file for file in files if recognises(file)])
        assert len(plays) == len(ROWS)

    def test_what_is_no_mark_is_refused_and_not_repeated(self):
        with pytest.raises(ValueError, match="found another text in row 2 of diary") as refusal:
            plays_of(table(entry(), entry(mark="ann@example.org")), "letterboxd-someone/diary.csv")
        assert "ann" not in str(refusal.value)
        assert "someone" not in str(refusal.value)

    def test_a_column_too_few_is_refused(self):
        with pytest.raises(ValueError, match=r"found diary\.csv without all of them"):
            finished(letterboxd, [as_file("diary.csv", late_header())])

    def test_nothing_personal_is_kept(self):
        plays = plays_of(table("2024-01-08,Lanterns,2024,https://boxd.it/s,4.5,,my tag,2024-01-07"))
        assert not {"my tag", "4.5", "https://boxd.it/s"} & {*map(str, plays.to_numpy().ravel())}


def late_header():
    """A table whose first line is a diary's, but whose header goes on behind it."""
    return b'Name,Year,"Watched Date\nx",z\na,b,2024-01-07,\n'


def test_mutated_bytes_give_every_record_or_one_sentence():
    check_mutations(
        letterboxd, [table(*ROWS)], changed_table, "diary.csv", lambda data: n_records(data, 7)
    )
