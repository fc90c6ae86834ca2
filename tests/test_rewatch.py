"""How often and after how long, beside a slow reference that follows one viewer at a time."""

import random

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from toolkit.rewatch import count_viewings, rewatch_gaps
from toolkit.viewings import to_viewings

HOMES = {"a": "h1", "b": "h1", "c": "h2", "d": "h3", "e": "h4", "f": "h4", "g": "h5"}


def viewings_of(*rows, **columns):
    """Viewings of (viewer, title, start, end)."""
    viewer, title, started, ended = zip(*rows, strict=True) if rows else ((),) * 4
    started, ended = (pd.to_datetime(list(at), utc=True).as_unit("us") for at in (started, ended))
    base = {"viewer": list(viewer), "title": list(title), "started_at": started, "ended_at": ended}
    return pd.DataFrame(base | columns).astype({"viewer": "category", "title": "category"})


def random_viewings(seed, n=200):
    rng = random.Random(seed)
    rows = []
    for _ in range(n):
        start = pd.Timestamp("2024-01-01 00:00Z") + pd.Timedelta(minutes=rng.randrange(200_000))
        end = start + pd.Timedelta(minutes=rng.randrange(1, 300))
        rows.append((rng.choice("abcdef"), rng.choice("xyz"), start, end))
    viewings = viewings_of(*rows)
    series = viewings["title"].astype("str").map({"x": "s", "y": "s", "z": None})
    account = viewings["viewer"].astype("str").map(HOMES)
    return viewings.assign(
        series=series.astype("category"), account=account.astype("category")
    ).sort_values(["viewer", "title", "started_at"], ignore_index=True)


def viewers_of(*viewers):
    return pd.DataFrame({"viewer": viewers, "account": [HOMES[v] for v in viewers]})


class TestCountViewings:
    def test_each_viewing_counts_for_its_viewer_and_title(self):
        viewings = viewings_of(
            ("bob", "Heat", "2024-03-01", "2024-03-01"),
            ("ann", "Heat", "2024-03-01", "2024-03-01"),
            ("ann", "Alien", "2024-03-01", "2024-03-01"),
            ("ann", "Heat", "2024-03-02", "2024-03-02"),
        )
        expected = pd.DataFrame(
            {
                "viewer": pd.Categorical(["ann", "ann", "bob"]),
                "account": pd.Categorical(["ann", "ann", "bob"]),
                "title": pd.Categorical(["Alien", "Heat", "Heat"]),
                "n_viewings": [1, 2, 1],
            }
        )
        assert_frame_equal(count_viewings(viewings), expected)

    @pytest.mark.parametrize("by", ["title", "series", None])
    @pytest.mark.parametrize("seed", range(5))
    def test_agrees_with_a_slow_count(self, by, seed):
        viewings = random_viewings(seed)
        slow = {}
        for row in viewings.itertuples():
            unit = row.series if by == "series" and isinstance(row.series, str) else row.title
            key = (row.viewer, row.account, *([unit] if by else []))
            slow[key] = slow.get(key, 0) + 1
        counts = count_viewings(viewings, by=by)
        assert list(counts.itertuples(index=False, name=None)) == [
            (*key, n) for key, n in sorted(slow.items())
        ]
        assert list(counts) == ["viewer", "account", *([by] if by else []), "n_viewings"]

    @pytest.mark.parametrize("by", ["title", "series", None])
    @pytest.mark.parametrize("size", [1, 7])
    def test_where_the_blocks_end_does_not_show(self, by, size, monkeypatch):
        viewings = random_viewings(6)
        whole = count_viewings(viewings, by=by)
        monkeypatch.setattr("toolkit.order.BLOCK", size)
        assert_frame_equal(count_viewings(viewings, by=by), whole)
        shuffled = viewings.sample(frac=1, random_state=1)
        assert_frame_equal(count_viewings(shuffled, by=by), whole)

    @pytest.mark.parametrize("by", ["title", "series", None])
    @pytest.mark.parametrize("seed", range(5))
    def test_with_viewers_agrees_with_a_slow_count_of_every_viewer_and_title(self, by, seed):
        viewings = random_viewings(seed, n=30)
        viewings = viewings[viewings["viewer"] != "d"]
        viewers = viewers_of(*"gfedcba")
        units = viewings["title"] if by else pd.Series("", index=viewings.index)
        if by == "series":
            units = viewings["series"].astype("object").fillna(viewings["title"])
        slow = []
        for viewer in "abcdefg":
            for unit in sorted(set(units)):
                n = ((viewings["viewer"] == viewer) & (units == unit)).sum()
                slow.append((viewer, HOMES[viewer], *([unit] if by else []), n))
        counts = count_viewings(viewings, by=by, viewers=viewers)
        assert list(counts.itertuples(index=False, name=None)) == slow
        seen = counts[counts["n_viewings"] > 0].reset_index(drop=True)
        dtypes = {name: "str" for name in seen if name != "n_viewings"}
        assert_frame_equal(seen.astype(dtypes), count_viewings(viewings, by=by).astype(dtypes))

    def test_who_never_watched_counts_with_nothing(self):
        viewings = viewings_of(
            ("bob", "Heat", "2024-03-01", "2024-03-01"),
            ("bob", "Alien", "2024-03-01", "2024-03-01"),
            ("bob", "Heat", "2024-03-02", "2024-03-02"),
        )
        viewers = pd.DataFrame({"viewer": ["bob", "ann"]})
        expected = pd.DataFrame(
            {
                "viewer": pd.Categorical(["ann", "ann", "bob", "bob"]),
                "account": pd.Categorical(["ann", "ann", "bob", "bob"]),
                "title": pd.Categorical(["Alien", "Heat"] * 2),
                "n_viewings": [0, 0, 1, 2],
            }
        )
        assert_frame_equal(count_viewings(viewings, viewers=viewers), expected)
        alone = count_viewings(viewings, by=None, viewers=viewers)
        assert alone["n_viewings"].tolist() == [0, 3]

    def test_nobody_watched_anything(self):
        viewings, viewers = viewings_of(), pd.DataFrame({"viewer": ["bob", "ann"]})
        assert count_viewings(viewings, by=None, viewers=viewers)["n_viewings"].tolist() == [0, 0]
        none = count_viewings(viewings, viewers=viewers)
        assert none.shape == (0, 4)
        assert none["n_viewings"].dtype == "int64"

    def test_accounts_come_from_the_viewers(self):
        viewings = pd.DataFrame({"viewer": [7, 5, 7], "title": [1, 1, 1]})
        viewers = pd.DataFrame({"viewer": [7, 6, 5], "account": [70, 60, 50], "wave": "2"})
        counts = count_viewings(viewings, viewers=viewers)
        assert counts.to_numpy().tolist() == [[5, 50, 1, 1], [6, 60, 1, 0], [7, 70, 1, 2]]
        assert (counts.dtypes == "int64").all()

    def test_order_of_the_viewers_does_not_matter_and_they_stay(self):
        viewings, viewers = random_viewings(3), viewers_of(*"abcdefg")
        shuffled = viewers.sample(frac=1, random_state=1)
        before = shuffled.copy(deep=True)
        for by in ("title", None):
            assert_frame_equal(
                count_viewings(viewings, by=by, viewers=shuffled),
                count_viewings(viewings, by=by, viewers=viewers),
            )
        assert_frame_equal(shuffled, before)

    @pytest.mark.parametrize(
        ("viewers", "message"),
        [
            (lambda v: v[["viewer"]], r"`viewers` must have columns \['viewer', 'account'\]"),
            (lambda v: v[["account"]], r"missing \['viewer'\]"),
            (lambda v: v[v["viewer"] != "b"], "a row for every viewer; 1 are missing, .* 'b'"),
            (lambda v: v[~v["viewer"].isin(["b", "c"])], "2 are missing, the first is 'b'"),
            (lambda v: pd.concat([v, v[:1]]), "`viewers` must have one row per viewer"),
            (
                lambda v: v.assign(account=v["viewer"]),
                "`viewings` and `viewers` must give each viewer one account, found two for 'a'",
            ),
            (lambda v: v.assign(account=None), "`viewers` must have `account` on every row"),
        ],
    )
    def test_refuses_viewers_that_do_not_fit(self, viewers, message):
        with pytest.raises(ValueError, match=message):
            count_viewings(random_viewings(0), by=None, viewers=viewers(viewers_of(*"abcdef")))

    def test_without_series_each_title_stands_for_itself(self):
        viewings = random_viewings(0)
        by_title = count_viewings(viewings.drop(columns="series"))
        by_series = count_viewings(viewings.drop(columns="series"), by="series")
        assert_frame_equal(by_series, by_title.rename(columns={"title": "series"}))
        none = count_viewings(viewings.assign(series=None), by="series")
        assert none["series"].tolist() == by_title["title"].tolist()

    def test_whole_numbers_stay_whole_numbers(self):
        viewings = pd.DataFrame({"viewer": [7, 5, 7], "title": [1, 1, 1]})
        counts = count_viewings(viewings)
        assert counts.to_numpy().tolist() == [[5, 5, 1, 1], [7, 7, 1, 2]]
        assert counts["viewer"].dtype == "int64"

    def test_takes_what_to_viewings_gives(self):
        started = pd.to_datetime(["2024-03-01 20:00Z", "2024-03-01 21:00Z", "2024-04-01 20:00Z"])
        plays = pd.DataFrame({"viewer": "ann", "title": "Heat", "started_at": started})
        assert count_viewings(to_viewings(plays))["n_viewings"].tolist() == [2]

    def test_refuses(self):
        viewings = random_viewings(0)
        with pytest.raises(ValueError, match=r"`by` must be one of \['title', 'series', None\]"):
            count_viewings(viewings, by="viewer")
        with pytest.raises(ValueError, match="`viewings` must have columns"):
            count_viewings(viewings.drop(columns="title"))
        with pytest.raises(TypeError, match="`viewings` must be a pandas DataFrame"):
            count_viewings([1])
        moved = viewings.assign(account=np.arange(len(viewings)))
        with pytest.raises(ValueError, match="each viewer one account, found two for 'a'"):
            count_viewings(moved)
        viewings.loc[3, "title"] = None
        with pytest.raises(ValueError, match="`title` must be there on every row"):
            count_viewings(viewings)


class TestRewatchGaps:
    def test_a_gap_runs_from_a_finish_to_the_next_start(self):
        viewings = viewings_of(
            ("ann", "Heat", "2024-03-01 18:00", "2024-03-01 20:00"),
            ("ann", "Heat", "2024-03-03 08:00", "2024-03-03 10:00"),
            ("bob", "Heat", "2024-03-03 12:00", "2024-03-03 14:00"),
        )
        expected = pd.DataFrame(
            {
                "viewer": pd.Categorical(["ann", "ann", "bob"]),
                "account": pd.Categorical(["ann", "ann", "bob"]),
                "title": pd.Categorical(["Heat"] * 3),
                "viewing_no": [1, 2, 1],
                "days_between": [1.5, np.nan, np.nan],
                "is_open": [False, True, True],
            }
        )
        assert_frame_equal(rewatch_gaps(viewings), expected)
        until = rewatch_gaps(viewings, until="2024-03-04 10:00Z")
        assert until["days_between"].tolist() == [1.5, 1, 20 / 24]

    @pytest.mark.parametrize("until", [None, pd.Timestamp("2024-03-01 03:17Z")])
    @pytest.mark.parametrize("seed", range(5))
    def test_agrees_with_a_slow_reference(self, seed, until):
        viewings = random_viewings(seed)
        slow = []
        for (viewer, title), some in viewings.groupby(["viewer", "title"], observed=True):
            rows = [r for r in some.itertuples() if until is None or r.started_at <= until]
            for no, row in enumerate(rows, 1):
                is_open = no == len(rows)
                after = until if is_open else rows[no].started_at
                days = (
                    np.nan if after is None else max((after - row.ended_at) / pd.Timedelta("1D"), 0)
                )
                slow.append((viewer, row.account, title, no, days, is_open))
        gaps = rewatch_gaps(viewings.sample(frac=1, random_state=seed), until=until)
        names = ["viewer", "account", "title", "viewing_no", "days_between", "is_open"]
        assert list(gaps) == names
        slow = pd.DataFrame(slow, columns=names)
        assert_frame_equal(gaps, slow.astype(gaps.dtypes.to_dict()), check_exact=False)

    def test_each_viewer_has_one_open_gap_for_each_title(self):
        viewings = random_viewings(1)
        gaps = rewatch_gaps(viewings)
        assert gaps["is_open"].sum() == len(count_viewings(viewings))
        assert gaps["days_between"].isna().equals(gaps["is_open"])

    def test_the_end_of_the_log_may_be_each_viewers_own(self):
        viewings = random_viewings(2)
        until = {
            v: pd.Timestamp("2024-03-01 00:00Z") + pd.Timedelta(days=i)
            for i, v in enumerate("abcdef")
        }
        viewings["until"] = viewings["viewer"].astype("str").map(until)
        gaps = rewatch_gaps(viewings, until="until")
        parts = [
            rewatch_gaps(viewings[viewings["viewer"] == viewer], until=at)
            for viewer, at in until.items()
        ]
        assert_frame_equal(gaps, pd.concat(parts, ignore_index=True))

    @pytest.mark.parametrize(
        ("until", "found"), [("2024-03-01 18:00Z", [0.0]), ("2024-03-01 17:59:59Z", [])]
    )
    def test_what_starts_after_the_end_of_the_log_is_not_used(self, until, found):
        viewings = viewings_of(("ann", "Heat", "2024-03-01 18:00", "2024-03-01 20:00"))
        assert rewatch_gaps(viewings, until=until)["days_between"].tolist() == found

    def test_a_viewing_that_starts_before_the_last_one_ends_comes_after_no_time(self):
        viewings = viewings_of(
            ("ann", "Heat", "2024-03-01 18:00", "2024-03-01 20:00"),
            ("ann", "Heat", "2024-03-01 19:00", "2024-03-01 21:00"),
        )
        assert rewatch_gaps(viewings)["days_between"].iloc[0] == 0

    def test_a_day_is_24_hours_whatever_the_clock_did(self):
        at = pd.to_datetime(["2024-03-30 20:00", "2024-03-31 20:00"]).tz_localize("Europe/Berlin")
        viewings = pd.DataFrame(
            {"viewer": "ann", "title": "Heat", "started_at": at, "ended_at": at}
        )
        assert rewatch_gaps(viewings)["days_between"].iloc[0] == 23 / 24

    @pytest.mark.parametrize("until", ["2024-03-01", "soon", 5, "viewer", "naive", pd.NaT])
    def test_refuses_an_end_without_a_zone(self, until):
        viewings = random_viewings(0).assign(naive=pd.Timestamp("2024-03-01"))
        with pytest.raises(ValueError, match="`until` must be an instant with a time zone"):
            rewatch_gaps(viewings, until=until)

    def test_refuses_a_viewing_without_an_instant(self):
        viewings = random_viewings(0)
        viewings.loc[3, "ended_at"] = pd.NaT
        with pytest.raises(ValueError, match="`ended_at` must be there on every viewing; 1 are"):
            rewatch_gaps(viewings)
        with pytest.raises(ValueError, match="`viewings` must have columns"):
            rewatch_gaps(viewings.drop(columns="ended_at"))


@pytest.mark.parametrize(
    "measure",
    [
        count_viewings,
        lambda viewings: count_viewings(viewings, by="series"),
        lambda viewings: count_viewings(viewings, by=None),
        rewatch_gaps,
        lambda viewings: rewatch_gaps(viewings, until="2024-04-01 00:00Z"),
    ],
)
class TestWhateverIsMeasured:
    def test_order_does_not_matter_and_the_input_stays(self, measure):
        viewings = random_viewings(3)
        shuffled = viewings.sample(frac=1, random_state=1)
        before = shuffled.copy(deep=True)
        assert_frame_equal(measure(shuffled), measure(viewings))
        assert_frame_equal(shuffled, before)

    def test_cutting_by_viewer_changes_nothing(self, measure):
        viewings = random_viewings(4)
        parts = [
            measure(viewings[viewings["viewer"].isin(list(some))]) for some in ("ab", "c", "def")
        ]
        assert_frame_equal(pd.concat(parts, ignore_index=True), measure(viewings))

    def test_empty_in_the_same_columns_out(self, measure):
        viewings = random_viewings(5)
        none = measure(viewings.iloc[:0])
        assert len(none) == 0
        assert_frame_equal(none, measure(viewings).iloc[:0], check_categorical=False)
