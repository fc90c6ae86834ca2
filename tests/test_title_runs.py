"""Runs of weeks beside a count by hand, and Netflix's own lists where they are at hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from toolkit.loaders.panels import load_title_panel
from toolkit.title_runs import check_weeks, find_title_runs

REAL = Path(__file__).parents[2] / "shared" / "data" / "netflix_top10_global.tsv"
MONDAY, WEEK = pd.Timestamp("2024-03-04"), pd.Timedelta(days=7)


def panel(rows, **columns):
    """A panel of rows (title, week)."""
    titles, weeks = zip(*rows, strict=True) if rows else ((), ())
    first = MONDAY + pd.to_timedelta(np.array(weeks, dtype="int64") * 7, unit="D")
    table = pd.DataFrame(
        {"category": "Films", "title": pd.array(titles, dtype="str"), "first_day": first}
    )
    return table.assign(last_day=table["first_day"] + pd.Timedelta(days=6), **columns)


class TestFindTitleRuns:
    @settings(max_examples=60, deadline=None)
    @given(
        st.dictionaries(st.sampled_from("abc"), st.sets(st.integers(0, 9), min_size=1), min_size=1),
        st.randoms(),
    )
    def test_is_a_walk_along_the_weeks(self, weeks, random):
        rows = [(title, week) for title, some in weeks.items() for week in some]
        random.shuffle(rows)
        expected = []
        ends = [week for some in weeks.values() for week in some]
        for title, some in sorted(weeks.items()):
            for week in sorted(some):
                if week - 1 not in some:
                    length = next(n for n in range(1, 12) if week + n not in some)
                    is_open = week + length - 1 == max(ends)
                    expected.append((title, week, length, is_open, week == min(ends)))
        found = find_title_runs(panel(rows))
        start = ((found["first_day"] - MONDAY).dt.days // 7).tolist()
        assert expected == list(
            zip(
                found["title"],
                start,
                found["n_weeks"],
                found["is_open"],
                found["may_start_earlier"],
                strict=True,
            )
        )
        length = (found["last_day"] - found["first_day"]).dt.days + 1
        assert (length == 7 * found["n_weeks"]).all()

    def test_a_title_of_two_lists_is_two(self):
        rows = [("a", 0), ("a", 1)]
        both = pd.concat([panel(rows), panel(rows).assign(category="TV")])
        found = find_title_runs(both)
        assert found[["category", "n_weeks"]].to_numpy().tolist() == [["Films", 2], ["TV", 2]]
        abroad = pd.concat([panel(rows, country="NL"), panel(rows, country="FR")])
        assert find_title_runs(abroad)["country"].tolist() == ["FR", "NL"]

    def test_weeks_may_start_on_any_day(self):
        table = panel([("a", 0), ("a", 1), ("a", 3)])
        for days in range(7):
            away = pd.Timedelta(days=days)
            moved = {name: table[name] + away for name in ("first_day", "last_day")}
            found = find_title_runs(table.assign(**moved))
            assert found["n_weeks"].tolist() == [2, 1]
            assert found["first_day"].tolist() == [MONDAY + away, MONDAY + 3 * WEEK + away]
            assert found["is_open"].tolist() == [False, True]

    def test_nothing_gives_nothing(self):
        columns = [
            "category",
            "title",
            "first_day",
            "last_day",
            "n_weeks",
            "is_open",
            "may_start_earlier",
        ]
        assert list(find_title_runs(panel([("a", 0)])[:0])) == columns

    def test_what_is_no_week(self):
        table = panel([("a", 0), ("b", 1)])
        with pytest.raises(
            ValueError, match=r"`panel` must have weeks of seven days .* up to 8 days"
        ):
            find_title_runs(table.assign(last_day=table["last_day"] + pd.Timedelta(days=1)))
        shifted = table.assign(
            **{
                name: table[name] + pd.to_timedelta([0, 1], unit="D")
                for name in ("first_day", "last_day")
            }
        )
        with pytest.raises(ValueError, match="from one weekday on, found weeks from MON, TUE"):
            find_title_runs(shifted)
        with pytest.raises(ValueError, match=r"missing \['title'\]"):
            find_title_runs(table.drop(columns="title"))


class TestCheckWeeks:
    def test_rows_that_agree_are_not_told(self):
        table = panel([("a", 0), ("a", 1), ("a", 4), ("b", 1)], weeks_in_top_10=[1, 2, 3, 1])
        assert len(check_weeks(table[::-1])) == 0
        wrong = table.assign(weeks_in_top_10=[1, 2, 1, 2])
        found = check_weeks(wrong[::-1])
        assert found[["title", "weeks_in_top_10", "n_weeks"]].to_numpy().tolist() == [
            ["a", 1, 3],
            ["b", 2, 1],
        ]
        assert found["last_day"].tolist() == [
            MONDAY + pd.Timedelta(days=34),
            MONDAY + pd.Timedelta(days=13),
        ]

    def test_a_title_twice_in_a_week_has_one_week(self):
        table = panel([("a", 0), ("a", 0), ("a", 1)], weeks_in_top_10=[1, 1, 2])
        assert len(check_weeks(table)) == 0

    def test_a_column_that_is_missing(self):
        with pytest.raises(ValueError, match=r"missing \['weeks_in_top_10'\]"):
            check_weeks(panel([("a", 0)]))


@pytest.fixture(scope="module")
def lists():
    return load_title_panel(REAL)


@pytest.mark.skipif(not REAL.exists(), reason="the weekly lists are not here")
class TestNetflixLists:
    def test_weeks_in_all_are_as_told_but_for_ten_rows_of_five_names(self, lists):
        found = check_weeks(lists)
        assert (len(lists), len(lists) - len(found)) == (10_560, 10_550)
        names = found["title"].value_counts().to_dict()
        assert names == {"Aftermath": 1, "Dhamaka": 1, "Dragon": 3, "Kingdom": 3, "Noise": 2}
        by_name = check_weeks(lists.drop(columns="category"))
        assert (len(by_name), by_name["title"].nunique()) == (28, 10)

    def test_weeks_in_a_row(self, lists):
        runs = find_title_runs(lists)
        assert (len(runs), runs["n_weeks"].max()) == (4_453, 57)
        longest = runs.loc[runs["n_weeks"].idxmax()]
        assert (longest["title"], longest["is_open"]) == ("KPop Demon Hunters", True)
        assert runs[["is_open", "may_start_earlier"]].sum().tolist() == [40, 40]
        again = runs.groupby(["category", "title"], observed=True).size()
        assert (len(again), (again > 1).sum(), again.max()) == (3_836, 402, 13)
        # In all, as told but for the five names; in a row, far fewer.
        weeks = runs.groupby(["category", "title"], observed=True)["n_weeks"].agg(["sum", "max"])
        told = lists.groupby(["category", "title"], observed=True)["weeks_in_top_10"].max()
        wrong = told.index[told != weeks["sum"]].get_level_values("title")
        assert set(wrong) == {"Aftermath", "Dhamaka", "Dragon", "Kingdom", "Noise"}
        assert ((weeks["max"] < weeks["sum"]) == (again > 1)).all()
        assert_frame_equal(find_title_runs(lists.sample(frac=1, random_state=1)), runs)
