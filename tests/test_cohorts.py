"""Cohorts and retention, beside a slow reference that asks one viewer and one cell at a time."""

import datetime as dt
import functools
import random
import time
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from statsmodels.stats.proportion import proportion_confint

from tests.reference import DAY, day_of, period_of
from toolkit.cohort_tables import compare_cohorts, retention_matrix
from toolkit.cohorts import assign_cohorts, retention
from toolkit.days import to_viewer_days
from toolkit.intervals import logrank
from toolkit.viewer_periods import pack_periods, unpack_periods

ORACLES = Path(__file__).parent / "oracles" / "retention.toml"
CASES = tomllib.loads(ORACLES.read_text(encoding="utf-8"))
START = dt.date(2024, 2, 27)


def days_of(viewer, *days, **columns):
    return pd.DataFrame({"viewer": viewer, "day": pd.to_datetime(list(days))} | columns)


def cells_of(table):
    """{(cohort, age): (n_cohort, n_retained)}, days as month-day."""
    cohort = table["cohort"].dt.strftime("%m-%d")
    numbers = zip(table["n_cohort"], table["n_retained"], strict=True)
    return dict(zip(zip(cohort, table["age"], strict=True), numbers, strict=True))


def random_viewer_days(seed, viewers="abcdefgh", titles="xyz", n=90, span=50):
    rng = random.Random(seed)
    rows = [
        (rng.choice(viewers), rng.choice(titles), START + dt.timedelta(days=rng.randrange(span)), rng.randrange(1, 4))
        for _ in range(n)
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["viewer", "title", "day", "n_plays"])
    return frame.astype({"viewer": "category", "title": "category", "day": "datetime64[us]"})


def random_viewers(seed, viewers="abcdefghij"):
    """Viewers with edges, a day of joining and an arm each; the last two never watch."""
    rng = random.Random(seed)

    def day(low, high):
        return START + dt.timedelta(days=rng.randrange(low, high))

    rows = [
        (v, None if rng.random() < 0.2 else day(-3, 20), day(15, 70), day(-10, 40), rng.choice("pq"))
        for v in viewers
    ]  # fmt: skip
    columns = ["viewer", "observed_from", "as_of", "joined_day", "arm"]
    return pd.DataFrame(rows, columns=columns).sample(frac=1, random_state=seed)


def slow_retention(
    rows, edges, *, cohorts, counts, brackets, min_days, min_plays, cut, joined=None
):
    """[(cohort, age, age_last, n_cohort, n_retained, is_complete, may_include_earlier)].

    `rows` are (viewer, title, day, n_plays), `edges` maps viewers to (observed_from, as_of).
    """

    @functools.cache
    def period(day):
        return period_of(day, *cut)

    def later(edge, steps):
        for _ in range(steps):
            edge = period(edge[1] + DAY)
        return edge

    longest = max((as_of for _, as_of in edges.values()), default=START)
    found = {}
    for viewer, (observed_from, as_of) in edges.items():
        plays = {}
        for who, title, day, n in rows:
            if who == viewer and day <= as_of and (observed_from is None or day >= observed_from):
                plays[day, title] = max(n, plays.get((day, title), 0))
        watched = sorted({period(day) for day, _ in plays})
        enough = []
        for edge in watched:
            inside = {key: n for key, n in plays.items() if edge[0] <= key[0] <= edge[1]}
            if len({day for day, _ in inside}) >= min_days and sum(inside.values()) >= min_plays:
                enough.append(edge)
        mine = {"first": watched[:1], "every": watched}.get(cohorts)
        if mine is None:
            mine = [period(joined[viewer])]
        for cohort in mine:
            earlier = False
            if cohorts == "first":
                earlier = None
                if observed_from is not None:
                    earlier = period(cohort[0] - DAY)[0] < observed_from
            bins = brackets
            if bins is None:
                bins, age = [], 0
                while later(cohort, age)[0] <= longest:
                    bins, age = [*bins, (age, age)], age + 1
            for first, last in bins:
                begin, end = later(cohort, first)[0], later(cohort, last)[1]
                if begin > as_of or (observed_from is not None and end < observed_from):
                    continue
                whole = end <= as_of and (observed_from is None or begin >= observed_from)
                until = end if counts == "on" else dt.date.max
                back = first == 0 or any(begin <= e[0] <= until and e > cohort for e in enough)
                cell = found.setdefault((cohort[0], first, last), [])
                cell.append((back, whole))
            found.setdefault(("earlier", cohort[0]), []).append(earlier)
    table = []
    for key, cell in sorted((k, c) for k, c in found.items() if k[0] != "earlier"):
        flags = found["earlier", key[0]]
        earlier = True if True in flags else None if None in flags else False
        backs, wholes = zip(*cell, strict=True)
        table.append((*key, len(cell), sum(backs), all(wholes), earlier))
    return table


def fast_rows(table):
    """The same columns of the fast table as tuples."""
    return [
        (r.cohort.date(), r.age, r.age_last, r.n_cohort, r.n_retained, r.is_complete,
         None if r.may_include_earlier is pd.NA else bool(r.may_include_earlier))
        for r in table.itertuples()
    ]  # fmt: skip


def random_choice(seed, cohorts):
    """Arguments of the fast function and of the slow one."""
    rng = random.Random(seed)
    choice = {
        "cohorts": cohorts,
        "counts": rng.choice(["on", "on_or_after"]),
        "brackets": rng.choice([None, None, [(1, 1), (3, 9)], [(0, 2), (1, 2), (1, 30), (2, 2)]]),
        "min_days": rng.choice([1, 1, 2]),
        "min_plays": rng.choice([1, 1, 4]),
    }
    cut = {
        "period": rng.choice(["day", "week", "month"]),
        "week_starts": rng.choice(["MON", "THU"]),
    }
    return choice | cut, choice | {"cut": (cut["period"], cut["week_starts"])}


def rows_of(viewer_days):
    columns = ["viewer", "title", "day", "n_plays"]
    rows = viewer_days[columns].assign(day=viewer_days["day"].dt.date)
    return list(rows.itertuples(index=False, name=None))


class TestAgainstTheSlowReference:
    @pytest.mark.parametrize("cohorts", ["first", "every"])
    @pytest.mark.parametrize("seed", range(25))
    def test_one_edge_for_all(self, seed, cohorts):
        rng = random.Random(seed)
        viewer_days = random_viewer_days(seed)
        as_of = START + dt.timedelta(days=rng.randrange(70))
        observed_from = rng.choice([None, START + dt.timedelta(days=rng.randrange(-5, 30))])
        fast, slow = random_choice(seed, cohorts)

        table = retention(viewer_days, as_of=as_of, observed_from=observed_from, **fast)

        edges = dict.fromkeys("abcdefgh", (observed_from, as_of))
        assert fast_rows(table) == slow_retention(rows_of(viewer_days), edges, **slow)

    @pytest.mark.parametrize("cohorts", ["first", "every", "joined_day"])
    @pytest.mark.parametrize("seed", range(25))
    def test_each_viewer_with_its_own_edges(self, seed, cohorts):
        viewer_days = random_viewer_days(seed)
        viewers = random_viewers(seed)
        fast, slow = random_choice(seed, cohorts)

        table = retention(viewer_days, viewers=viewers, **fast)

        edges = {v.viewer: (v.observed_from, v.as_of) for v in viewers.itertuples()}
        joined = dict(zip(viewers["viewer"], viewers["joined_day"], strict=True))
        rows = rows_of(viewer_days)
        assert fast_rows(table) == slow_retention(rows, edges, **slow, joined=joined)

    @pytest.mark.parametrize("cohorts", ["first", "every", "joined_day"])
    @pytest.mark.parametrize("seed", range(10))
    def test_each_group_of_viewers_is_a_log_of_its_own(self, seed, cohorts):
        viewer_days = random_viewer_days(seed)
        viewers = random_viewers(seed)
        fast, _ = random_choice(seed, cohorts)

        table = retention(viewer_days, viewers=viewers, groups="arm", **fast)

        parts = []
        for arm in "pq":
            some = viewers[viewers["arm"] == arm]
            own = viewer_days[viewer_days["viewer"].isin(some["viewer"])]
            part = retention(own, viewers=some, **fast)
            parts.append(part.set_axis(part.index).assign(arm=arm)[["arm", *part]])
        assert_frame_equal(table, pd.concat(parts, ignore_index=True))

    @pytest.mark.parametrize("cohorts", ["first", "every"])
    @pytest.mark.parametrize("seed", range(10))
    def test_each_title_is_a_log_of_its_own(self, seed, cohorts):
        viewer_days = random_viewer_days(seed)
        viewers = random_viewers(seed)
        fast, _ = random_choice(seed, cohorts)

        table = retention(viewer_days, viewers=viewers, groups=["title"], **fast)

        parts = []
        for title in "xyz":
            part = retention(viewer_days[viewer_days["title"] == title], viewers=viewers, **fast)
            parts.append(part.assign(title=title)[["title", *part]])
        found = table.astype({"title": "str"})
        assert_frame_equal(found, pd.concat(parts, ignore_index=True))


class TestAssignCohorts:
    def test_a_cohort_is_the_period_of_the_first_day(self):
        viewer_days = pd.concat(
            [days_of("bob", "2024-03-13", "2024-03-10"), days_of("ann", "2024-03-11")]
        )
        expected = pd.DataFrame(
            {
                "viewer": pd.Categorical(["ann", "bob"]),
                "account": pd.Categorical(["ann", "bob"]),
                "cohort": pd.to_datetime(["2024-03-11", "2024-03-04"]).as_unit("us"),
                "first_day": pd.to_datetime(["2024-03-11", "2024-03-10"]).as_unit("us"),
                "may_start_earlier": pd.array([pd.NA, pd.NA], dtype="boolean"),
            }
        )
        assert_frame_equal(assign_cohorts(viewer_days, as_of="2024-03-31"), expected)

    @pytest.mark.parametrize(
        ("choice", "cohort"),
        [
            ({"period": "day"}, "2024-03-06"),
            ({"period": "week"}, "2024-03-04"),
            ({"period": "week", "week_starts": "WED"}, "2024-03-06"),
            ({"period": "week", "week_starts": "THU"}, "2024-02-29"),
            ({"period": "month"}, "2024-03-01"),
        ],
    )
    def test_a_cohort_is_labelled_by_the_first_day_of_its_period(self, choice, cohort):
        cohorts = assign_cohorts(days_of("ann", "2024-03-06"), as_of="2024-03-31", **choice)
        assert cohorts["cohort"].astype("str").tolist() == [cohort]
        assert cohorts["first_day"].astype("str").tolist() == ["2024-03-06"]

    @pytest.mark.parametrize(
        ("observed_from", "earlier"),
        [("2024-02-26", False), ("2024-02-27", True), ("2024-03-04", True), ("2024-03-05", True)],
    )
    def test_a_viewer_may_start_in_a_week_before_that_was_not_wholly_seen(
        self, observed_from, earlier
    ):
        cohorts = assign_cohorts(
            days_of("ann", "2024-03-06"), as_of="2024-03-31", observed_from=observed_from
        )
        assert cohorts["may_start_earlier"].tolist() == [earlier]

    def test_with_viewers_everyone_is_there_and_has_edges_of_its_own(self):
        viewer_days = pd.concat(
            [days_of(v, "2024-03-05", "2024-03-12", account="home") for v in ("ann", "bob", "cem")]
        )
        viewers = pd.DataFrame(
            {
                "viewer": ["dee", "cem", "bob", "ann"],
                "observed_from": ["2024-03-01", None, "2024-03-06", "2024-02-01"],
                "as_of": ["2024-03-31", "2024-03-04", "2024-03-31", "2024-03-31"],
            }
        )
        expected = pd.DataFrame(
            {
                "viewer": pd.Categorical(["ann", "bob", "cem", "dee"]),
                "account": pd.Categorical(["home", "home", "home", "dee"]),
                "cohort": pd.to_datetime(["2024-03-04", "2024-03-11", None, None]).as_unit("us"),
                "first_day": pd.to_datetime(["2024-03-05", "2024-03-12", None, None]).as_unit("us"),
                "may_start_earlier": pd.array([False, True, pd.NA, pd.NA], dtype="boolean"),
            }
        )
        assert_frame_equal(assign_cohorts(viewer_days, viewers=viewers), expected)
        known = viewers.assign(account=["h1", "h2", "h2", "h3"])
        cohorts = assign_cohorts(viewer_days, viewers=known)
        assert cohorts["account"].tolist() == ["h3", "h2", "h2", "h1"]

    def test_numbers_stay_numbers(self):
        viewer_days = days_of([7, 5, 7], "2024-03-05", "2024-03-05", "2024-03-01")
        viewers = pd.DataFrame({"viewer": [9, 7, 5], "as_of": "2024-03-31"})
        assert assign_cohorts(viewer_days, as_of="2024-03-31")["viewer"].tolist() == [5, 7]
        cohorts = assign_cohorts(viewer_days, viewers=viewers)
        assert cohorts[["viewer", "account"]].to_numpy().tolist() == [[5, 5], [7, 7], [9, 9]]
        assert cohorts["viewer"].dtype == cohorts["account"].dtype == "int64"

    @pytest.mark.parametrize("period", ["day", "week", "month"])
    @pytest.mark.parametrize("seed", range(3))
    def test_as_many_as_retention_counts_at_age_0(self, seed, period):
        viewer_days = random_viewer_days(seed)
        log = {"as_of": "2024-04-10", "observed_from": "2024-03-01", "period": period}
        sizes = assign_cohorts(viewer_days, **log).groupby("cohort").size()
        table = retention(viewer_days, **log)
        cohort = table[table["age"] == 0].set_index("cohort")["n_cohort"]
        assert cohort.to_dict() == sizes.to_dict()

    def test_neither_order_nor_what_was_watched_matters_and_input_is_unchanged(self):
        viewer_days = random_viewer_days(1).sample(frac=1, random_state=1)
        before = viewer_days.copy(deep=True)
        expected = assign_cohorts(viewer_days, as_of="2024-04-10")
        assert_frame_equal(viewer_days, before)
        once = viewer_days.sort_values("day").drop_duplicates("viewer")
        assert_frame_equal(assign_cohorts(once, as_of="2024-04-10"), expected)

    def test_empty_in_same_columns_out(self):
        viewer_days = random_viewer_days(1)
        full = assign_cohorts(viewer_days, as_of="2024-04-10")
        assert_frame_equal(assign_cohorts(viewer_days[:0], as_of="2024-04-10"), full[:0])
        assert_frame_equal(assign_cohorts(viewer_days, as_of="2024-01-01"), full[:0])

    def test_refuses(self):
        viewer_days = days_of("ann", "2024-03-01")
        with pytest.raises(ValueError, match="Exactly one of `as_of` and `viewers`"):
            assign_cohorts(viewer_days)
        with pytest.raises(
            ValueError, match=r"`viewer_days` must have columns .* missing \['day'\]"
        ):
            assign_cohorts(viewer_days[["viewer"]], as_of="2024-03-01")
        with pytest.raises(ValueError, match="`period` must be one of"):
            assign_cohorts(viewer_days[:0], as_of="2024-03-01", period="year")


class TestRetention:
    def test_who_comes_back_at_each_age(self):
        viewer_days = pd.concat(
            [
                days_of("ann", "2024-03-04", "2024-03-13", "2024-03-15"),
                days_of("bob", "2024-03-10"),
                days_of("cem", "2024-03-11", "2024-03-20"),
            ]
        )
        table = retention(viewer_days, as_of="2024-03-24", observed_from="2024-02-26")

        low, high = proportion_confint([2, 1, 0, 1, 1], [2, 2, 2, 1, 1], method="wilson")
        weeks = ["2024-03-04", "2024-03-04", "2024-03-04", "2024-03-11", "2024-03-11"]
        expected = pd.DataFrame(
            {
                "cohort": pd.to_datetime(weeks).as_unit("us"),
                "age": [0, 1, 2, 0, 1],
                "age_last": [0, 1, 2, 0, 1],
                "n_cohort": [2, 2, 2, 1, 1],
                "n_retained": [2, 1, 0, 1, 1],
                "retention": [1, 0.5, 0, 1, 1],
                "low": low.clip(0),
                "high": high,
                "is_complete": True,
                "may_include_earlier": pd.array([False] * 5, dtype="boolean"),
            }
        )
        assert_frame_equal(table, expected)

    @pytest.mark.parametrize(
        ("as_of", "cells"),
        [
            ("2024-03-10", [(0, True)]),
            ("2024-03-11", [(0, True), (1, False)]),
            ("2024-03-16", [(0, True), (1, False)]),
            ("2024-03-17", [(0, True), (1, True)]),
            ("2024-03-18", [(0, True), (1, True), (2, False)]),
            ("2024-03-09", [(0, False)]),
        ],
    )
    def test_what_could_not_be_seen_is_absent_and_what_was_seen_in_part_says_so(self, as_of, cells):
        table = retention(days_of("ann", "2024-03-05"), as_of=as_of)
        assert list(zip(table["age"], table["is_complete"], strict=True)) == cells

    @pytest.mark.parametrize(
        ("observed_from", "is_complete"),
        [("2024-03-04", [True, True]), ("2024-03-05", [False, True])],
    )
    def test_the_week_in_which_the_log_starts_is_seen_in_part(self, observed_from, is_complete):
        table = retention(
            days_of("ann", "2024-03-05"), as_of="2024-03-17", observed_from=observed_from
        )
        assert table["is_complete"].tolist() == is_complete

    @pytest.mark.parametrize(
        ("observed_from", "earlier"),
        [("2024-02-26", False), ("2024-02-27", True), ("2024-03-05", True), (None, None)],
    )
    def test_a_cohort_may_include_earlier_viewers_if_the_week_before_was_not_seen(
        self, observed_from, earlier
    ):
        table = retention(
            days_of("ann", "2024-03-05"), as_of="2024-03-17", observed_from=observed_from
        )
        found = table["may_include_earlier"].astype("object").tolist()
        assert found == [pd.NA if earlier is None else earlier] * 2
        every = retention(
            days_of("ann", "2024-03-05"),
            as_of="2024-03-17", observed_from=observed_from, cohorts="every",
        )  # fmt: skip
        assert every["may_include_earlier"].tolist() == [False, False]

    def test_one_viewer_seen_too_late_marks_the_whole_cohort(self):
        viewer_days = days_of(["ann", "bob", "cem"], *["2024-03-05"] * 3)
        viewers = pd.DataFrame({"viewer": ["ann", "bob", "cem"], "as_of": "2024-03-10"})
        for edges, earlier in (
            (["2024-01-01", None, "2024-03-01"], True),
            (["2024-01-01", None, "2024-02-01"], pd.NA),
            (["2024-01-01", "2024-01-01", "2024-02-01"], False),
        ):
            table = retention(viewer_days, viewers=viewers.assign(observed_from=edges))
            assert table["may_include_earlier"].astype("object").tolist() == [earlier]

    def test_days_outside_the_log_are_not_used(self):
        viewer_days = pd.concat(
            [
                days_of("ann", "2024-03-03", "2024-03-12", "2024-03-20"),
                days_of("bob", "2024-03-05", "2024-03-20"),
                days_of("cem", "2024-03-20"),
            ]
        )
        table = retention(viewer_days, observed_from="2024-03-04", as_of="2024-03-19")
        assert cells_of(table) == {
            ("03-04", 0): (1, 1), ("03-04", 1): (1, 0), ("03-04", 2): (1, 0),
            ("03-11", 0): (1, 1), ("03-11", 1): (1, 0),
        }  # fmt: skip

    def test_on_or_after_counts_whoever_still_comes_and_is_cut_off_by_the_end(self):
        viewer_days = pd.concat(
            [days_of("ann", "2024-03-04", "2024-03-18"), days_of("bob", "2024-03-04", "2024-03-26")]
        )
        for as_of, n_retained in (("2024-03-24", [2, 1, 1]), ("2024-03-31", [2, 2, 2, 1])):
            table = retention(viewer_days, as_of=as_of, counts="on_or_after")
            assert table["n_retained"].tolist() == n_retained
            assert table["is_complete"].all()

    @pytest.mark.parametrize(
        ("bracket", "n_retained"),
        [((1, 1), 0), ((1, 2), 1), ((2, 2), 1), ((2, 3), 1), ((3, 4), 0), ((0, 1), 1), ((2, 10**9), 1)],
    )  # fmt: skip
    def test_both_ends_of_a_bracket_are_within_it(self, bracket, n_retained):
        table = retention(
            days_of("ann", "2024-03-04", "2024-03-18"), as_of="2024-06-30", brackets=[bracket]
        )
        assert table[["age", "age_last", "n_retained"]].to_numpy().tolist() == [
            [*bracket, n_retained]
        ]

    def test_brackets_may_overlap_and_come_in_order_each_once(self):
        table = retention(
            days_of("ann", "2024-03-04"), as_of="2024-03-31",
            brackets=[(1, 3), (np.int64(0), 0), [1, 2], (1, 3), (4, 4)],
        )  # fmt: skip
        assert table[["age", "age_last"]].to_numpy().tolist() == [[0, 0], [1, 2], [1, 3]]

    @pytest.mark.parametrize(
        ("as_of", "is_complete"),
        [("2024-03-10", None), ("2024-03-11", False), ("2024-03-23", False), ("2024-03-24", True)],
    )
    def test_a_bracket_is_there_once_it_has_begun_and_complete_once_it_is_over(
        self, as_of, is_complete
    ):
        table = retention(days_of("ann", "2024-03-04"), as_of=as_of, brackets=[(1, 2)])
        assert table["is_complete"].tolist() == ([] if is_complete is None else [is_complete])

    @pytest.mark.parametrize(("min_days", "n_retained"), [(1, 1), (2, 1), (3, 0)])
    def test_least_days_are_asked_of_later_ages_alone(self, min_days, n_retained):
        viewer_days = days_of("ann", "2024-03-04", "2024-03-12", "2024-03-12", "2024-03-17")
        table = retention(viewer_days, as_of="2024-03-17", min_days=min_days)
        assert table["n_retained"].tolist() == [1, n_retained]

    @pytest.mark.parametrize(("min_plays", "n_retained"), [(1, 1), (6, 1), (7, 0)])
    def test_least_plays_add_up_over_days_and_titles_but_not_over_a_day_that_stands_twice(
        self, min_plays, n_retained
    ):
        back = ["2024-03-12", "2024-03-12", "2024-03-12", "2024-03-17"]
        viewer_days = days_of(
            "ann", "2024-03-04", *back, "2024-03-03", "2024-03-18",
            title=["x", "x", "x", "y", "x", "x", "x"], n_plays=[1, 2, 1, 3, 1, 9, 9],
        )  # fmt: skip
        table = retention(
            viewer_days, observed_from="2024-03-04", as_of="2024-03-17", min_plays=min_plays
        )
        assert table["n_retained"].tolist() == [1, n_retained]

    def test_days_and_plays_must_both_be_enough_in_the_same_week(self):
        viewer_days = days_of(
            "ann", "2024-03-04", "2024-03-11", "2024-03-12", "2024-03-18", "2024-03-25", "2024-03-26",
            n_plays=[1, 1, 1, 9, 2, 2],
        )  # fmt: skip
        table = retention(viewer_days, as_of="2024-03-31", min_days=2, min_plays=3)
        assert table["n_retained"].tolist() == [1, 0, 0, 1]

    def test_every_week_starts_a_cohort(self):
        viewer_days = days_of("ann", "2024-03-04", "2024-03-11", "2024-03-25")
        table = retention(viewer_days, as_of="2024-03-31", cohorts="every")
        assert cells_of(table) == {
            ("03-04", 0): (1, 1), ("03-04", 1): (1, 1), ("03-04", 2): (1, 0), ("03-04", 3): (1, 1),
            ("03-11", 0): (1, 1), ("03-11", 1): (1, 0), ("03-11", 2): (1, 1),
            ("03-25", 0): (1, 1),
        }  # fmt: skip

    def test_a_column_of_days_counts_those_too_who_never_watched(self):
        viewer_days = pd.concat(
            [days_of("ann", "2024-03-01", "2024-03-12"), days_of("bob", "2024-03-20")]
        )
        viewers = pd.DataFrame(
            {
                "viewer": ["ann", "bob", "cem", "dee"],
                "joined_day": ["2024-03-06", "2024-03-05", "2024-03-04", "2024-03-19"],
                "as_of": ["2024-03-24", "2024-03-24", "2024-03-17", "2024-03-10"],
            }
        )
        table = retention(viewer_days, viewers=viewers, cohorts="joined_day")
        assert cells_of(table) == {("03-04", 0): (3, 3), ("03-04", 1): (3, 1), ("03-04", 2): (2, 1)}
        first = retention(viewer_days, viewers=viewers)
        assert cells_of(first)["02-26", 0] == (1, 1)

    def test_ages_before_a_viewer_was_observed_are_not_its_own(self):
        viewers = pd.DataFrame(
            {
                "viewer": ["ann", "bob"], "joined_day": "2024-03-04",
                "observed_from": ["2024-03-13", "2024-03-01"], "as_of": "2024-03-24",
            }
        )  # fmt: skip
        viewer_days = days_of("ann", "2024-03-05", "2024-03-14", "2024-03-20")
        for counts in ("on", "on_or_after"):
            table = retention(viewer_days, viewers=viewers, cohorts="joined_day", counts=counts)
            assert table["n_cohort"].tolist() == [1, 2, 2]
            assert table["n_retained"].tolist() == [1, 1, 1]
            assert table["is_complete"].tolist() == [True, False, True]

    def test_who_went_out_of_sight_leaves_the_denominator(self):
        viewer_days = days_of(["ann", "bob"], "2024-03-04", "2024-03-04")
        viewers = pd.DataFrame({"viewer": ["ann", "bob"], "as_of": ["2024-03-10", "2024-03-18"]})
        table = retention(viewer_days, viewers=viewers)
        assert table["n_cohort"].tolist() == [2, 1, 1]
        assert table["is_complete"].tolist() == [True, True, False]

    def test_groups_come_first_and_a_missing_one_is_a_group(self):
        viewer_days = days_of(
            ["ann", "bob", "cem"], *["2024-03-04"] * 3,
            country=pd.Categorical(["se", None, "de"], ["fr", "se", "de"]), device="tv",
        )  # fmt: skip
        table = retention(viewer_days, as_of="2024-03-10", groups=["device", "country"])
        assert list(table)[:3] == ["device", "country", "cohort"]
        assert table["country"].tolist()[:2] == ["se", "de"]
        assert table["country"].isna().tolist() == [False, False, True]
        assert table["n_cohort"].tolist() == [1, 1, 1]
        viewers = pd.DataFrame({"viewer": ["ann", "bob", "cem"], "as_of": "2024-03-10"})
        viewers["country"] = ["x", "x", None]
        table = retention(viewer_days, viewers=viewers, groups="country")
        assert table["n_cohort"].tolist() == [2, 1]
        mixed = retention(viewer_days, viewers=viewers, groups=["country", "device"])
        assert mixed["country"].tolist()[:2] == ["se", "de"]

    @pytest.mark.parametrize("confidence", [0.5, 0.95])
    def test_the_interval_is_wilsons(self, confidence):
        table = retention(random_viewer_days(2), as_of="2024-04-10", confidence=confidence)
        low, high = proportion_confint(
            table["n_retained"], table["n_cohort"], alpha=1 - confidence, method="wilson"
        )
        np.testing.assert_allclose(table["low"], low, atol=1e-12)
        np.testing.assert_allclose(table["high"], high, atol=1e-12)

    @pytest.mark.parametrize("cohorts", ["first", "every"])
    def test_parts_of_the_log_add_up_to_the_whole(self, cohorts):
        viewer_days = random_viewer_days(3)
        options = {"as_of": "2024-04-10", "cohorts": cohorts}
        columns = ["n_cohort", "n_retained"]
        parts = [
            retention(viewer_days[viewer_days["viewer"].isin(list(some))], **options)
            for some in ("ab", "cdefg", "h")
        ]
        added = pd.concat(parts).groupby(["cohort", "age"])[columns].sum()
        whole = retention(viewer_days, **options).set_index(["cohort", "age"])[columns]
        assert_frame_equal(added, whole)

    @pytest.mark.parametrize("cohorts", ["first", "every"])
    @pytest.mark.parametrize("seed", range(3))
    def test_order_repetition_ids_and_units_do_not_matter(self, seed, cohorts):
        viewer_days = random_viewer_days(seed)
        options = {"as_of": "2024-04-10", "cohorts": cohorts, "min_days": 1 + seed % 2}
        expected = retention(viewer_days, **options)
        codes = viewer_days["viewer"].cat.codes.astype("int64")
        once = viewer_days.sort_values(["viewer", "day"]).drop_duplicates(["viewer", "day"])
        for other in (
            viewer_days.sample(frac=1, random_state=seed),
            pd.concat([viewer_days, viewer_days]),
            once,
            viewer_days.assign(viewer=codes * 2**57 - 3),
            viewer_days.assign(viewer=codes.astype("uint64") + np.uint64(2**63)),
            viewer_days.assign(day=viewer_days["day"].astype("datetime64[s]")),
            viewer_days.assign(day=viewer_days["day"].dt.date),
        ):
            assert_frame_equal(retention(other, **options), expected)

    @pytest.mark.parametrize("cohorts", ["first", "every"])
    def test_blocks_do_not_show(self, cohorts, monkeypatch):
        viewer_days = random_viewer_days(4)
        expected = retention(viewer_days, as_of="2024-04-10", cohorts=cohorts, period="day")
        monkeypatch.setattr("toolkit.order.BLOCK", 7)
        monkeypatch.setattr("toolkit.returns._PAIRS", 5)
        for frame in (viewer_days, viewer_days.sort_values(["viewer", "day"])):
            found = retention(frame, as_of="2024-04-10", cohorts=cohorts, period="day")
            assert_frame_equal(found, expected)

    def test_more_pairs_than_fit_at_once(self):
        days = pd.date_range("2024-01-01", periods=900).astype("datetime64[us]")
        table = retention(
            days_of("ann", *days), as_of=days[-1], cohorts="every", period="day", brackets=[(1, 1), (899, 899)]
        )  # fmt: skip
        assert (table["n_retained"] == 1).all()
        assert table["age"].value_counts().to_dict() == {1: 899, 899: 1}

    @pytest.mark.parametrize(
        "days", [("1969-12-31", "1970-01-01"), ("2059-09-18", "2059-09-19")], ids=["1970", "2059"]
    )
    def test_days_at_the_edges_of_what_is_looked_up_are_like_others(self, days):
        table = retention(days_of("ann", *days), as_of=days[1], period="day")
        assert table[["n_cohort", "n_retained"]].to_numpy().tolist() == [[1, 1], [1, 1]]

    def test_keys_hold_every_day_up_to_the_year_9999(self):
        days = np.array(["-4000-01-01", "9999-12-31"], dtype="datetime64[D]").astype("int64")
        code, number = unpack_periods(pack_periods(np.array([5, 5]), days))
        assert (code.tolist(), number.tolist()) == ([5, 5], days.tolist())

    def test_the_end_of_the_calendar_is_no_trouble(self):
        viewer_days = pd.DataFrame({"viewer": ["ann"], "day": [dt.date(1000, 1, 1)]})
        table = retention(viewer_days, as_of="9999-12-31", period="month")
        assert table["age"].iloc[-1] == 12 * 9000 - 1
        assert table["is_complete"].all()

    @pytest.mark.parametrize("tz", ["UTC", "America/New_York", "Asia/Kolkata"])
    def test_the_zone_of_the_machine_does_not_matter(self, tz, monkeypatch):
        started = pd.date_range("2024-03-01 01:00Z", periods=40, freq="17h").as_unit("us")
        who = ["ann", "bob", "ann"] * 13 + ["cem"]
        plays = pd.DataFrame({"viewer": who, "title": "Heat", "started_at": started})
        choice = {
            "cohorts": "first",
            "counts": "on",
            "brackets": None,
            "min_days": 1,
            "min_plays": 1,
        }
        monkeypatch.setenv("TZ", tz)
        time.tzset()
        try:
            assert time.localtime(0).tm_hour == {"UTC": 0, "Asia/Kolkata": 5}.get(tz, 19)
            viewer_days = to_viewer_days(plays, tz="US/Pacific")
            table = retention(viewer_days, as_of="2024-03-20", period="day", **choice)
        finally:
            monkeypatch.undo()
            time.tzset()
        days = [day_of(at, "US/Pacific") for at in started.to_pydatetime()]
        assert days[0] == dt.date(2024, 2, 29)
        rows = [(v, "Heat", day, 1) for v, day in zip(who, days, strict=True)]
        edges = dict.fromkeys(["ann", "bob", "cem"], (None, dt.date(2024, 3, 20)))
        assert fast_rows(table) == slow_retention(rows, edges, cut=("day", "MON"), **choice)

    def test_empty_in_same_columns_out(self):
        viewer_days = random_viewer_days(1)
        viewers = random_viewers(1)
        for options in (
            {"as_of": "2024-04-10"},
            {"as_of": "2024-04-10", "brackets": [(1, 2)], "min_days": 2, "min_plays": 2},
            {"as_of": "2024-04-10", "cohorts": "every", "counts": "on_or_after"},
            {"as_of": "2024-04-10", "groups": ["title"]},
            {"viewers": viewers, "groups": "arm"},
        ):
            full = retention(viewer_days, **options)
            assert_frame_equal(retention(viewer_days[:0], **options), full[:0])
        early = retention(viewer_days, as_of="2024-01-01")
        assert_frame_equal(early, retention(viewer_days, as_of="2024-04-10")[:0])
        joined = {"cohorts": "joined_day", "groups": "arm"}
        none = retention(viewer_days[:0], viewers=viewers[:0], **joined)
        assert_frame_equal(none, retention(viewer_days, viewers=viewers, **joined)[:0])

    def test_input_is_unchanged(self):
        viewer_days = random_viewer_days(2).sample(frac=1, random_state=1)
        viewers = random_viewers(2)
        before = viewer_days.copy(deep=True), viewers.copy(deep=True)
        for cohorts in ("first", "every", "joined_day"):
            retention(viewer_days, viewers=viewers, cohorts=cohorts, groups="arm", period="day")
        assert_frame_equal(viewer_days, before[0])
        assert_frame_equal(viewers, before[1])

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"as_of": None}, "Exactly one of `as_of` and `viewers` must be given"),
            ({"as_of": None, "viewers": pd.DataFrame()}, "`viewers` must have columns"),
            ({"viewers": pd.DataFrame({"viewer": ["ann"], "as_of": ["2024-03-01"]})}, "Exactly one of"),
            ({"as_of": "March"}, "`as_of` must be a day such as"),
            ({"observed_from": 5}, "`observed_from` must be a day such as"),
            ({"period": "year"}, r"`period` must be one of \['day', 'week', 'month'\], got 'year'"),
            ({"week_starts": "Monday"}, "`week_starts` must be one of"),
            ({"counts": "after"}, r"`counts` must be one of \['on', 'on_or_after'\], got 'after'"),
            ({"cohorts": "joined_day"}, "`cohorts` must be 'first', 'every' or a column of `viewers`, got 'joined_day'"),
            ({"min_days": 0}, "`min_days` must be a whole number, 1 or more, got 0"),
            ({"min_plays": 1.5}, "`min_plays` must be a whole number, 1 or more, got 1.5"),
            ({"min_plays": 2}, r"`viewer_days` must have columns \['n_plays'\]"),
            ({"brackets": []}, "`brackets` must be pairs of a first and a last age"),
            ({"brackets": [(2, 1)]}, r"`brackets` must be .* got \[\(2, 1\)\]"),
            ({"brackets": [(-1, 1)]}, "`brackets` must be"),
            ({"brackets": [(1,)]}, "`brackets` must be"),
            ({"brackets": [1, 7]}, "`brackets` must be"),
            ({"brackets": [(1, 2.5)]}, "`brackets` must be"),
            ({"groups": "arm"}, r"`viewer_days` must have columns \['arm'\]"),
            ({"groups": "cohort"}, r"`groups` must not be columns of the result, got \['cohort'\]"),
            ({"confidence": 95}, "`confidence` must"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_said_in_a_sentence(self, options, message):
        with pytest.raises(ValueError, match=message):
            retention(days_of("ann", "2024-03-01"), **{"as_of": "2024-03-10"} | options)

    @pytest.mark.parametrize(
        ("columns", "options", "message"),
        [
            ({"as_of": None}, {}, "`as_of` on every row"),
            ({"viewer": "bob"}, {}, "`viewers` must have a row for every viewer; 1 are missing, the first is 'ann'"),
            ({"observed_from": "2024-03-01"}, {"observed_from": "2024-03-01"}, "`observed_from` must be given once"),
            ({}, {"cohorts": "left_day"}, "`cohorts` must be 'first', 'every' or a column of `viewers`, got 'left_day'"),
            ({"joined_day": "soon"}, {"cohorts": "joined_day"}, r"`viewers\.joined_day` must be a day such as"),
            ({"joined_day": pd.NaT}, {"cohorts": "joined_day"}, r"`viewers\.joined_day` must be naive midnights on every row, found a missing day"),
            ({"joined_day": "2024-03-01"}, {"cohorts": "joined_day", "groups": "viewer_type"}, r"`viewers` must have columns \['viewer_type'\]"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_with_viewers_is_said_too(self, columns, options, message):
        viewers = pd.DataFrame({"viewer": ["ann"], "as_of": ["2024-03-10"]}).assign(**columns)
        with pytest.raises(ValueError, match=message):
            retention(days_of("ann", "2024-03-01"), viewers=viewers, **options)

    def test_what_is_no_day_or_no_viewer_is_refused_wherever_it_stands(self):
        for n in range(3):
            viewer_days = days_of("ann", "2024-03-01", "2024-03-02", "2024-03-03")
            viewer_days.loc[n, "day"] += pd.Timedelta(hours=12)
            with pytest.raises(ValueError, match="`day` must be naive midnights"):
                retention(viewer_days, as_of="2024-03-10")
        viewer_days = days_of(["ann", None], "2024-03-01", "2024-03-02")
        with pytest.raises(ValueError, match="`viewer` must be there on every row"):
            retention(viewer_days, as_of="2024-03-10")
        with pytest.raises(TypeError, match="`viewer_days` must be a pandas DataFrame"):
            retention([1], as_of="2024-03-10")
        both = days_of("ann", "2024-03-01", title="x", series="y")
        with pytest.raises(ValueError, match="`title` or `series`, not both"):
            retention(both, as_of="2024-03-10")


class TestRetentionMatrix:
    def table(self, **options):
        viewer_days = pd.concat(
            [
                days_of("ann", "2024-03-04", "2024-03-11"),
                days_of("bob", "2024-03-05", "2024-03-20"),
                days_of("cem", "2024-03-06"),
                days_of("dee", "2024-03-11", "2024-03-18"),
            ]
        )
        return retention(viewer_days, **{"as_of": "2024-03-25"} | options)

    def test_cohorts_stand_against_ages_and_what_was_not_seen_is_blank(self):
        expected = pd.DataFrame(
            [[1.0, 1 / 3, 1 / 3, 0], [1, 1, 0, np.nan], [1, 0.5, 1 / 3, np.nan]],
            index=pd.Index(["2024-03-04", "2024-03-11", "weighted mean"], name="cohort"),
            columns=pd.Index([0, 1, 2, 3], name="age"),
        )
        assert_frame_equal(retention_matrix(self.table()), expected)

    @pytest.mark.parametrize(
        ("mean", "last"),
        [
            ("weighted", [1, 2 / 4, 1 / 3, np.nan]),
            ("unweighted", [1, (1 / 3 + 1) / 2, 1 / 3, np.nan]),
        ],
    )
    def test_the_mean_is_named_and_over_complete_cells(self, mean, last):
        matrix = retention_matrix(self.table(), mean=mean)
        assert matrix.index[-1] == f"{mean} mean"
        np.testing.assert_allclose(matrix.iloc[-1], last)
        without = retention_matrix(self.table(), mean=None)
        assert_frame_equal(without, matrix[:-1])

    def test_the_mean_of_the_series_is_the_default_and_the_table_is_unchanged(self):
        table = self.table()
        before = table.copy(deep=True)
        matrix = retention_matrix(table)
        assert_frame_equal(matrix, retention_matrix(table, values="retention", mean="weighted"))
        assert_frame_equal(table, before)

    def test_order_of_rows_does_not_matter(self):
        table = self.table()
        shuffled = table.sample(frac=1, random_state=1)
        for frame in (shuffled, table.set_index(np.zeros(len(table), dtype=int))):
            assert_frame_equal(retention_matrix(frame), retention_matrix(table))
        text = table.assign(cohort=table["cohort"].dt.strftime("%Y-%m-%d"))
        assert_frame_equal(retention_matrix(text), retention_matrix(table))

    @pytest.mark.parametrize("values", ["n_cohort", "n_retained", "low", "high"])
    def test_other_columns_are_shown_as_they_are(self, values):
        table = self.table()
        matrix = retention_matrix(table, values=values, mean=None)
        shown = matrix.stack().dropna().reset_index(name=values)
        assert shown[values].tolist() == table[values].tolist()
        assert matrix.isna().to_numpy().tolist() == [[False] * 4, [False] * 3 + [True]]
        assert {str(d) for d in matrix.dtypes} == {"Int64" if values[1] == "_" else "float64"}

    def test_brackets_are_named_and_in_order(self):
        matrix = retention_matrix(self.table(brackets=[(0, 0), (1, 2), (1, 10), (2, 2)]), mean=None)
        assert matrix.columns.tolist() == ["0", "1-2", "1-10", "2"]
        assert matrix.columns.name == "age"
        lone = retention_matrix(self.table(brackets=[(2, 2), (10, 10)]))
        assert lone.columns.tolist() == [2]

    def test_each_group_has_a_mean_of_its_own(self):
        viewers = pd.DataFrame(
            {
                "viewer": ["ann", "bob", "cem", "dee"],
                "as_of": "2024-03-24",
                "arm": pd.Categorical(["q", "q", "p", "p"], ["q", "p"]),
                "wave": [1, 1, 2, None],
            }
        )
        table = self.table(as_of=None, viewers=viewers, groups=["arm", "wave"])
        matrix = retention_matrix(table)
        assert matrix.index.names == ["arm", "wave", "cohort"]
        rows = [("q", 1), ("p", None), ("p", 2)]
        weeks = ["2024-03-04", "2024-03-11", "2024-03-04"]
        expected = [
            (*row, c) for row, w in zip(rows, weeks, strict=True) for c in (w, "weighted mean")
        ]
        found = [(a, None if np.isnan(w) else w, c) for a, w, c in matrix.index]
        assert found == expected
        means = matrix.iloc[1::2].to_numpy()
        np.testing.assert_allclose(means, [[1, 0.5, 0.5], [1, 1, np.nan], [1, 0, 0]])

    def test_empty_in_empty_out(self):
        matrix = retention_matrix(self.table()[:0])
        assert matrix.shape == (0, 0)
        assert (matrix.index.name, matrix.columns.name) == ("cohort", "age")

    def test_refuses(self):
        table = self.table()
        with pytest.raises(ValueError, match=r"`retention` must have columns .* missing \['age'\]"):
            retention_matrix(table.drop(columns="age"))
        with pytest.raises(TypeError, match="`retention` must be a pandas DataFrame"):
            retention_matrix([1])
        with pytest.raises(ValueError, match=r"`values` must be one of .* got 'is_complete'"):
            retention_matrix(table, values="is_complete", mean=None)
        with pytest.raises(ValueError, match=r"`mean` must be one of .* got 'median'"):
            retention_matrix(table, mean="median")
        with pytest.raises(
            ValueError, match="`mean` must be None unless `values` is 'retention', got 'low'"
        ):
            retention_matrix(table, values="low")
        twice = pd.concat([table, table[2:3]])
        with pytest.raises(
            ValueError, match=r"one row per cohort and age, found age 2 of 2024-03-04 twice"
        ):
            retention_matrix(twice)


def slow_lapse(days, first_day, as_of, lapse_after, cut):
    """How many periods after the first the viewer lapsed, and True; or was last seen, and False."""
    watched = {period_of(day, *cut) for day in days if first_day <= day <= as_of}
    edge, age, missed = period_of(first_day, *cut), 0, 0
    if edge[1] > as_of:
        return None
    while edge[1] <= as_of:
        missed = 0 if age == 0 or edge in watched else missed + 1
        if missed == lapse_after:
            return age, True
        edge, age = period_of(edge[1] + DAY, *cut), age + 1
    return age - 1, False


class TestCompareCohorts:
    def shares(self, k, n, k_other, n_other):
        """Two cohorts of which so many are back a week later."""
        cohort = ["a"] * n + ["b"] * n_other
        cohorts = pd.DataFrame({"viewer": range(n + n_other), "cohort": cohort})
        back = [*range(k), *range(n, n + k_other)]
        viewer_days = pd.DataFrame({"viewer": back, "day": pd.Timestamp("2024-03-12")})
        return viewer_days, cohorts.assign(first_day=pd.Timestamp("2024-03-05"))

    def test_the_difference_is_newcombes(self):
        case = CASES["ret-newcombe"]
        for *counts, low, high in zip(
            *(case[name] for name in ("k", "n", "k_other", "n_other", "low", "high")), strict=True
        ):
            viewer_days, cohorts = self.shares(*counts)
            both = compare_cohorts(viewer_days, cohorts=cohorts, age=1, as_of="2024-03-17")
            k, n, k_other, n_other = counts
            assert both[["cohort", "other", "age"]].to_numpy().tolist() == [["a", "b", 1]]
            assert both[["n_cohort", "n_other"]].to_numpy().tolist() == [[n, n_other]]
            shares = both[["retention", "retention_other", "difference"]].to_numpy().tolist()
            assert shares == [[k / n, k_other / n_other, k / n - k_other / n_other]]
            np.testing.assert_allclose(both[["low", "high"]], [[low, high]], atol=5e-5)
            assert both[["n_lapsed", "n_lapsed_other"]].to_numpy().tolist() == [
                [n - k, n_other - k_other]
            ]
            wider = compare_cohorts(
                viewer_days, cohorts=cohorts, age=1, as_of="2024-03-17", confidence=0.99
            )
            assert wider["low"].item() < low < high < wider["high"].item()

    def test_the_columns(self):
        viewer_days, cohorts = self.shares(3, 4, 1, 4)
        both = compare_cohorts(viewer_days, cohorts=cohorts, age=1, as_of="2024-03-17")
        assert {name: str(kind) for name, kind in both.dtypes.items()} == {
            "cohort": "str", "other": "str", "age": "int64", "n_cohort": "int64", "n_other": "int64",
            "retention": "float64", "retention_other": "float64", "difference": "float64",
            "low": "float64", "high": "float64", "n_lapsed": "int64", "n_lapsed_other": "int64",
            "logrank": "float64", "p_value": "float64",
        }  # fmt: skip

    @pytest.mark.parametrize("seed", range(25))
    def test_agrees_with_following_each_viewer(self, seed):
        rng = random.Random(seed)
        viewers = [f"v{n:02d}" for n in range(30)]
        viewer_days = random_viewer_days(seed, viewers=viewers[:28], n=250, span=60)
        side = {v: rng.choice("pq") for v in viewers[2:]}
        first = {v: START + dt.timedelta(days=rng.randrange(20)) for v in side}
        edges = {v: START + dt.timedelta(days=rng.randrange(12, 70)) for v in viewers}
        cohorts = pd.DataFrame(
            {"viewer": list(side), "cohort": list(side.values()), "first_day": list(first.values())}
        )
        period, lapse_after, age = (
            rng.choice(["day", "week"]),
            rng.randrange(1, 4),
            rng.randrange(1, 3),
        )
        cut = (period, rng.choice(["MON", "SAT"]))

        both = compare_cohorts(
            viewer_days.sample(frac=1, random_state=seed), cohorts=cohorts, age=age,
            viewers=pd.DataFrame({"viewer": list(edges), "as_of": list(edges.values())}),
            lapse_after=lapse_after, period=cut[0], week_starts=cut[1],
        ).iloc[0]  # fmt: skip

        lives, seen, back = [], dict.fromkeys("pq", 0), dict.fromkeys("pq", 0)
        for v, arm in side.items():
            days = viewer_days.loc[viewer_days["viewer"] == v, "day"].dt.date
            life = slow_lapse(days, first[v], edges[v], lapse_after, cut)
            if life is not None:
                lives.append((*life, arm))
            edge = period_of(first[v], *cut)
            for _ in range(age):
                edge = period_of(edge[1] + DAY, *cut)
            if edge[1] <= edges[v]:
                seen[arm] += 1
                back[arm] += any(edge[0] <= day <= edge[1] for day in days)
        durations, ended, arms = zip(*lives, strict=True)
        statistic, _, p_value = logrank(durations, ended, arms)
        assert both["logrank"] == pytest.approx(statistic)
        assert both["p_value"] == pytest.approx(p_value)
        lapsed = [sum(e for _, e, a in lives if a == arm) for arm in "pq"]
        assert [both["n_lapsed"], both["n_lapsed_other"]] == lapsed
        assert [both["n_cohort"], both["n_other"]] == list(seen.values())
        assert both["retention"] == back["p"] / seen["p"]
        assert both["retention_other"] == back["q"] / seen["q"]

    def test_takes_two_cohorts_of_assign_cohorts(self):
        viewer_days = random_viewer_days(5, viewers=[f"v{n}" for n in range(40)], n=200)
        cohorts = assign_cohorts(viewer_days, as_of="2024-04-20")
        two = cohorts[cohorts["cohort"].isin(pd.to_datetime(["2024-03-04", "2024-02-26"]))]
        both = compare_cohorts(viewer_days, cohorts=two, age=2, as_of="2024-04-20").iloc[0]
        table = retention(viewer_days, as_of="2024-04-20").set_index(["cohort", "age"])["retention"]
        assert both["retention"] == table.loc[pd.Timestamp("2024-02-26"), 2]
        assert both["retention_other"] == table.loc[pd.Timestamp("2024-03-04"), 2]
        assert both["cohort"] == pd.Timestamp("2024-02-26")

    @pytest.mark.parametrize(
        ("as_of", "n_other"), [("2024-03-23", None), ("2024-03-24", 1), ("2024-04-30", 1)]
    )
    def test_a_week_that_is_not_over_does_not_count(self, as_of, n_other):
        viewer_days, cohorts = self.shares(1, 2, 0, 1)
        cohorts.loc[2, "first_day"] = pd.Timestamp("2024-03-12")
        if n_other is None:
            with pytest.raises(
                ValueError, match="at which both cohorts were observed, got 1; of b nobody was"
            ):
                compare_cohorts(viewer_days, cohorts=cohorts, age=1, as_of=as_of)
        else:
            both = compare_cohorts(viewer_days, cohorts=cohorts, age=1, as_of=as_of)
            assert both["n_other"].tolist() == [n_other]

    def test_a_first_day_that_was_not_observed_is_refused(self):
        viewer_days, cohorts = self.shares(1, 2, 0, 2)
        log = {"cohorts": cohorts, "age": 1, "as_of": "2024-03-17"}
        compare_cohorts(viewer_days, observed_from="2024-03-05", **log)
        with pytest.raises(
            ValueError, match="first days that were observed, found that of 0 before"
        ):
            compare_cohorts(viewer_days, observed_from="2024-03-06", **log)

    def test_one_first_day_that_was_not_observed_is_enough(self):
        viewer_days, cohorts = self.shares(1, 2, 0, 2)
        viewers = cohorts[["viewer"]].assign(as_of="2024-03-17", observed_from="2024-03-01")
        viewers.loc[2, "observed_from"] = "2024-03-06"
        with pytest.raises(ValueError, match="found that of 2 before"):
            compare_cohorts(viewer_days, cohorts=cohorts, age=1, viewers=viewers)

    def test_the_cohort_of_which_nobody_was_observed_is_named(self):
        viewer_days, cohorts = self.shares(1, 1, 0, 1)
        for unseen in "ab":
            late = cohorts["first_day"].mask(
                cohorts["cohort"] == unseen, pd.Timestamp("2024-03-12")
            )
            with pytest.raises(ValueError, match=f"got 1; of {unseen} nobody was"):
                compare_cohorts(
                    viewer_days, cohorts=cohorts.assign(first_day=late), age=1, as_of="2024-03-17"
                )

    def test_input_is_unchanged(self):
        viewer_days, cohorts = self.shares(1, 2, 0, 2)
        before = viewer_days.copy(deep=True), cohorts.copy(deep=True)
        compare_cohorts(viewer_days, cohorts=cohorts, age=1, as_of="2024-03-17")
        assert_frame_equal(viewer_days, before[0])
        assert_frame_equal(cohorts, before[1])

    def test_a_viewer_in_both_is_refused(self):
        viewer_days, cohorts = self.shares(1, 2, 0, 2)
        both = pd.concat([cohorts, cohorts[:1].assign(cohort="b")])
        with pytest.raises(
            ValueError, match=r"`cohorts` must not overlap, .* found 0 in \['a', 'b'\]"
        ):
            compare_cohorts(viewer_days, cohorts=both, age=1, as_of="2024-03-17")

    @pytest.mark.parametrize(
        ("change", "options", "message"),
        [
            ({"cohort": "a"}, {}, "`cohorts` must hold two cohorts, found 1"),
            ({"cohort": list("abca")}, {}, "`cohorts` must hold two cohorts, found 3"),
            ({"cohort": ["a", "b", None, None]}, {}, "on every row; 2 lack one of them"),
            ({"first_day": pd.NaT}, {}, "on every row; 4 lack one of them"),
            ({"first_day": "soon"}, {}, r"`cohorts\.first_day` must be a day such as"),
            ({}, {"age": 0}, "`age` must be a whole number, 1 or more, got 0"),
            ({}, {"age": 2}, "`age` must be one at which both cohorts were observed, got 2; of a nobody was"),
            ({}, {"lapse_after": 0}, "`lapse_after` must be a whole number, 1 or more, got 0"),
            ({}, {"lapse_after": 2}, "`viewer_days` must show a lapse of 2 missed, found none"),
            ({}, {"as_of": None}, "Exactly one of `as_of` and `viewers`"),
            ({}, {"as_of": None, "viewers": pd.DataFrame({"viewer": [0, 1, 2], "as_of": "2024-03-17"})}, "`viewers` must have a row for every viewer; 1 are missing, the first is 3"),
            ({}, {"period": "year"}, "`period` must be one of"),
            ({}, {"confidence": 1}, "`confidence` must"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_said_in_a_sentence(self, change, options, message):
        viewer_days, cohorts = self.shares(1, 2, 0, 2)
        with pytest.raises(ValueError, match=message):
            compare_cohorts(
                viewer_days, cohorts=cohorts.assign(**change), **{"age": 1, "as_of": "2024-03-17"} | options
            )  # fmt: skip

    def test_names_that_do_not_fit_are_no_cohort_of_nobody(self):
        viewer_days, cohorts = self.shares(1, 2, 0, 2)
        other = cohorts.assign(viewer=["w", "x", "y", "z"])
        with pytest.raises(
            ValueError, match="`cohorts` must hold viewers of `viewer_days`, found none"
        ):
            compare_cohorts(viewer_days, cohorts=other, age=1, as_of="2024-03-17")

    def test_missing_columns_are_named(self):
        viewer_days, cohorts = self.shares(1, 2, 0, 2)
        with pytest.raises(
            ValueError, match=r"`cohorts` must have columns .* missing \['first_day'\]"
        ):
            compare_cohorts(
                viewer_days, cohorts=cohorts[["viewer", "cohort"]], age=1, as_of="2024-03-17"
            )
        with pytest.raises(
            ValueError, match=r"`viewer_days` must have columns .* missing \['day'\]"
        ):
            compare_cohorts(viewer_days[["viewer"]], cohorts=cohorts, age=1, as_of="2024-03-17")


def plays_of(events):
    rows = [(who, at) for who, instants in events for at in instants]
    plays = pd.DataFrame(rows, columns=["viewer", "started_at"])
    started = pd.to_datetime(plays["started_at"], utc=True)
    return plays.assign(title="x", started_at=started)


class TestPostHogsTriangles:
    def check(self, name, **options):
        case = CASES[name]
        days = to_viewer_days(plays_of(case["events"]), tz=case["tz"], by=None)
        edges = pd.date_range(
            case["start"],
            periods=len(case["triangle"]) + 1,
            freq={"day": "D", "week": "7D", "month": "MS"}[case["period"]],
        )
        as_of = edges[-1] - pd.Timedelta(days=1)
        if "returns" in case:
            first = days.groupby("viewer", observed=True, as_index=False)["day"].min()
            viewers = first.set_axis(["viewer", "first_event_day"], axis=1).assign(as_of=as_of)
            days = to_viewer_days(plays_of(case["returns"]), tz=case["tz"], by=None)
            options |= {"viewers": viewers, "cohorts": "first_event_day"}
        else:
            options |= {"as_of": as_of, "cohorts": "every"}
        table = retention(days, period=case["period"], **options)
        assert table["is_complete"].all()
        for start, expected in zip(edges[:-1], case["triangle"], strict=True):
            cohort = table[table["cohort"] == start]
            assert cohort["n_retained"].tolist() == (expected if expected[0] else [])
            assert (cohort["n_cohort"] == expected[0]).all()

    @pytest.mark.parametrize(
        "name", ["ret-ph-day", "ret-ph-month", "ret-ph-week-mon", "ret-ph-tz-pacific"]
    )
    def test_every_period_starts_a_cohort(self, name):
        self.check(name)

    def test_on_or_after(self):
        self.check("ret-ph-rolling", counts="on_or_after")

    def test_two_events_at_least(self):
        self.check("ret-ph-min2", min_plays=2)

    def test_first_time_is_over_the_whole_history(self):
        self.check("ret-ph-firsttime")


def test_every_case_is_used_and_names_its_source():
    tests = Path(__file__).read_text(encoding="utf-8")
    for name, case in CASES.items():
        assert f'"{name}"' in tests
        assert case["source"]
