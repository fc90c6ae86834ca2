import datetime as dt
import random
import zoneinfo

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import toolkit as tk
from tests import reference
from toolkit.days import from_clock, period_edges, period_numbers

# Zones that change at midnight, by half an hour, in the southern winter, and not at all.
ZONES = [
    "UTC", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kolkata",
    "Europe/London", "Pacific/Apia", "Asia/Beirut", "America/St_Johns", "Africa/Casablanca",
]  # fmt: skip


def plays_at(*started, **columns):
    plays = pd.DataFrame(
        {"viewer": "ann", "title": "Heat", "started_at": pd.to_datetime(list(started))}
    )
    return plays.assign(**{"watched_seconds": 600.0} | columns)


def days(viewer_days):
    return viewer_days["day"].dt.strftime("%m-%d").tolist()


def random_plays(seed, n=60, year=2017):
    rng = random.Random(seed)
    # Around both changes of the clock, where mistakes live.
    middles = [
        dt.datetime(year, m, d, tzinfo=dt.UTC) for m, d in ((3, 12), (10, 15), (11, 5), (12, 30))
    ]
    rows = []
    for _ in range(n):
        start = rng.choice(middles) + dt.timedelta(minutes=rng.randrange(-4000, 4000))
        tz = rng.choice(ZONES)
        rows.append((rng.choice("abc"), rng.choice("xy"), start, 60.0 * rng.randrange(200), tz))
    return reference.frame_of(rows)


class TestToViewerDays:
    def test_one_row_per_viewer_title_and_day_in_order(self):
        plays = pd.DataFrame(
            {
                "viewer": ["bob", "ann", "ann", "ann"],
                "account": ["home", "home", "home", "home"],
                "title": ["Heat", "Up", "Heat", "Heat"],
                "started_at": pd.to_datetime(
                    [
                        "2024-03-01 20:00Z",
                        "2024-03-01 20:00Z",
                        "2024-03-02 20:00Z",
                        "2024-03-02 09:00Z",
                    ]
                ),
                "watched_seconds": [10.0, 20.0, 30.0, 40.0],
            }
        )

        viewer_days = tk.to_viewer_days(plays, tz="UTC")

        expected = pd.DataFrame(
            {
                "viewer": pd.Categorical(["ann", "ann", "bob"]),
                "account": pd.Categorical(["home"] * 3),
                "title": pd.Categorical(["Heat", "Up", "Heat"]),
                "day": pd.to_datetime(["2024-03-02", "2024-03-01", "2024-03-01"]).astype(
                    "datetime64[us]"
                ),
                "n_plays": [2, 1, 1],
                "watched_seconds": [70.0, 20.0, 10.0],
            }
        )
        assert_frame_equal(viewer_days, expected)

    @pytest.mark.parametrize("seed", range(30))
    @pytest.mark.parametrize("day_of", ["start", "end", "split"])
    def test_agrees_with_the_slow_reference(self, seed, day_of):
        rng = random.Random(seed)
        plays = random_plays(seed)
        choice = {
            "tz": rng.choice([*ZONES, "tz"]),
            "day_starts_at": rng.choice(["00:00", "04:00", "06:00"]),
            "min_seconds": rng.choice([0, 60, 1800]),
        }
        fast = tk.to_viewer_days(plays, day_of=day_of, **choice)
        slow = reference.viewer_days(plays, day_of_play=day_of, **choice)

        rows = [(r.viewer, r.title, r.day.date()) for r in fast.itertuples()]
        assert rows == list(slow)
        assert fast["n_plays"].tolist() == [n for n, _ in slow.values()]
        np.testing.assert_allclose(
            fast["watched_seconds"], [s for _, s in slow.values()], atol=1e-3
        )

    @pytest.mark.parametrize("zone", ZONES)
    def test_agrees_with_the_slow_reference_minute_by_minute_around_a_change(self, zone):
        start = pd.Timestamp("2017-11-04 12:00Z")
        instants = pd.Series([start + pd.Timedelta(minutes=7 * n) for n in range(400)])
        plays = plays_at(*instants).assign(title=np.arange(400))
        for day_starts_at in ("00:00", "01:30", "02:00"):
            fast = tk.to_viewer_days(plays, tz=zone, day_starts_at=day_starts_at)["day"]
            slow = [reference.day_of(t.to_pydatetime(), zone, day_starts_at) for t in instants]
            assert fast.dt.date.tolist() == slow

    @pytest.mark.parametrize(
        ("day_starts_at", "day"), [("00:00", "03-02"), ("03:30", "03-02"), ("03:31", "03-01")]
    )
    def test_a_day_starts_exactly_at_its_start(self, day_starts_at, day):
        plays = plays_at("2024-03-02 03:30Z")
        assert days(tk.to_viewer_days(plays, tz="UTC", day_starts_at=day_starts_at)) == [day]

    @pytest.mark.parametrize(("seconds", "expected"), [(1800, ["03-01"]), (1801, ["03-02"])])
    def test_an_end_exactly_at_midnight_belongs_to_the_day_before(self, seconds, expected):
        plays = plays_at("2024-03-01 23:30Z", watched_seconds=float(seconds))
        assert days(tk.to_viewer_days(plays, tz="UTC", day_of="end")) == expected

    def test_a_play_without_length_at_midnight_stays_on_its_day(self):
        plays = plays_at("2024-03-02 00:00Z", watched_seconds=0.0)
        for day_of in ("start", "end", "split"):
            assert days(tk.to_viewer_days(plays, tz="UTC", day_of=day_of)) == ["03-02"]

    def test_split_spreads_what_was_watched_over_a_play_with_pauses(self):
        ended = pd.to_datetime(["2024-03-02 02:00Z"])
        plays = plays_at("2024-03-01 23:00Z", ended_at=ended, watched_seconds=3600.0)
        split = tk.to_viewer_days(plays, tz="UTC", day_of="split")
        assert days(split) == ["03-01", "03-02"]
        assert split["watched_seconds"].tolist() == [1200.0, 2400.0]
        assert split["n_plays"].tolist() == [1, 0]

    def test_the_parts_of_a_split_play_add_up_to_it(self):
        plays = random_plays(99, n=300)
        for tz in [*ZONES, "tz"]:
            split = tk.to_viewer_days(plays, tz=tz, day_of="split", day_starts_at="01:30")
            np.testing.assert_allclose(
                split["watched_seconds"].sum(), plays["watched_seconds"].sum()
            )

    def test_a_zone_for_each_play(self):
        plays = plays_at("2024-03-01 23:30Z", "2024-03-01 23:31Z", tz=["UTC", "Europe/Berlin"])
        assert days(tk.to_viewer_days(plays, tz="tz")) == ["03-01", "03-02"]

    @pytest.mark.parametrize(("least", "n"), [(599, 2), (600, 2), (601, 1), (1201, 0)])
    def test_min_seconds_is_of_the_whole_viewer_day(self, least, n):
        plays = plays_at("2024-03-01 10:00Z", "2024-03-02 10:00Z", "2024-03-02 20:00Z")
        assert len(tk.to_viewer_days(plays, tz="UTC", min_seconds=least)) == n

    def test_unknown_seconds_count_as_watched_and_stay_unknown(self):
        plays = plays_at("2024-03-01 10:00Z", "2024-03-01 11:00Z", watched_seconds=[5.0, np.nan])
        viewer_days = tk.to_viewer_days(plays, tz="UTC", min_seconds=60)
        assert viewer_days["watched_seconds"].isna().tolist() == [True]

    def test_by_series_falls_back_to_the_title(self):
        plays = plays_at("2024-03-01 10:00Z", "2024-03-01 11:00Z", "2024-03-01 12:00Z")
        plays = plays.assign(title=["S: 1", "S: 2", "Heat"], series=["S", "S", None])
        by_series = tk.to_viewer_days(plays, tz="UTC", by="series")
        assert by_series["series"].tolist() == ["Heat", "S"]
        assert by_series["n_plays"].tolist() == [1, 2]
        without = tk.to_viewer_days(plays.drop(columns="series"), tz="UTC", by="series")
        assert without["series"].tolist() == ["Heat", "S: 1", "S: 2"]

    def test_by_nothing_is_one_row_per_viewer_and_day(self):
        plays = plays_at("2024-03-01 10:00Z", "2024-03-01 11:00Z").assign(title=["x", "y"])
        viewer_days = tk.to_viewer_days(plays, tz="UTC", by=None)
        assert list(viewer_days) == ["viewer", "account", "day", "n_plays", "watched_seconds"]
        assert viewer_days["n_plays"].tolist() == [2]

    def test_excluded_rows_are_not_used(self):
        plays = plays_at("2024-03-01 10:00Z", "2024-03-02 10:00Z", excluded=[None, "trailer"])
        assert days(tk.to_viewer_days(plays, tz="UTC")) == ["03-01"]

    def test_a_date_keeps_its_date_whatever_the_zone(self):
        plays = plays_at("2024-03-02 00:00Z", precision="day", watched_seconds=np.nan)
        for tz in ("Pacific/Auckland", "America/Los_Angeles"):
            for day_of in ("start", "end", "split"):
                assert days(tk.to_viewer_days(plays, tz=tz, day_of=day_of)) == ["03-02"]

    def test_row_order_does_not_matter(self):
        plays = random_plays(7)
        shuffled = plays.sample(frac=1, random_state=3)
        for by in ("title", None):
            assert_frame_equal(
                tk.to_viewer_days(shuffled, tz="tz", by=by),
                tk.to_viewer_days(plays, tz="tz", by=by),
            )

    def test_cutting_the_log_by_viewer_never_changes_a_result(self):
        plays = random_plays(8).astype({"viewer": "category", "title": "category"})
        whole = tk.to_viewer_days(plays, tz="tz", day_of="split")
        parts = [
            tk.to_viewer_days(plays[plays["viewer"] == v], tz="tz", day_of="split") for v in "abc"
        ]
        assert_frame_equal(pd.concat(parts, ignore_index=True), whole)

    def test_whole_numbers_serve_as_ids_however_large(self):
        plays = random_plays(9).assign(account="home")
        numbers = {"a": -(2**62), "b": 5, "c": 2**62}
        wide = plays.assign(
            viewer=plays["viewer"].map(numbers), title=plays["title"].map({"x": 0, "y": 2**61})
        )
        a, b = (tk.to_viewer_days(p, tz="tz") for p in (plays, wide))
        assert b["viewer"].tolist() == a["viewer"].astype("str").map(numbers).tolist()
        assert_frame_equal(a.iloc[:, 3:], b.iloc[:, 3:])

    def test_viewers_keep_their_accounts_where_groups_are_counted(self):
        plays = random_plays(16, n=3000).assign(account=lambda p: "home " + p["viewer"].astype(str))
        viewer_days = tk.to_viewer_days(plays, tz="UTC", by=None)
        homes = "home " + viewer_days["viewer"].astype(str)
        assert viewer_days["account"].astype(str).tolist() == homes.tolist()

    def test_few_days_of_viewers_far_apart_keep_their_ids(self):
        plays = plays_at("2024-03-02 10:00Z", "2024-03-01 10:00Z", "2024-03-01 11:00Z")
        plays = plays.assign(viewer=[2**62, -(2**62), 2**62])
        viewer_days = tk.to_viewer_days(plays, tz="UTC", by=None)
        assert viewer_days["viewer"].tolist() == [-(2**62), 2**62, 2**62]

    @pytest.mark.parametrize("columns", [[], ["account"], ["watched_seconds"]])
    @pytest.mark.parametrize("shift", [None, -7, 2**45])
    def test_shuffled_plays_agree_with_those_in_order_however_small_the_blocks(
        self, columns, shift, monkeypatch
    ):
        plays = random_plays(15, n=2000).assign(account=lambda p: "home " + p["viewer"].astype(str))
        plays = plays.assign(title=[f"{t}{n % 9}" for n, t in enumerate(plays["title"])])
        if shift is not None:
            # Numbers from other than 0, with and without room to count each.
            for name in ("viewer", "title"):
                plays[name] = (
                    plays[name].astype("category").cat.codes.astype("int64") * 1000 + shift
                )
        plays = plays[["viewer", "title", "started_at", *columns]]
        plays = plays.sort_values(["viewer", "title", "started_at"], ignore_index=True)
        expected = tk.to_viewer_days(plays, tz="UTC")
        for size in (2**18, 5, 64):
            monkeypatch.setattr("toolkit.order.BLOCK", size)
            shuffled = tk.to_viewer_days(plays.sample(frac=1, random_state=size), tz="UTC")
            assert_frame_equal(shuffled, expected, check_exact=False)

    @pytest.mark.parametrize("by", ["title", None])
    def test_counted_groups_are_the_same_however_small_the_blocks(self, by, monkeypatch):
        plays = random_plays(17, n=3000).assign(account=lambda p: "home " + p["viewer"].astype(str))
        expected = tk.to_viewer_days(plays, tz="UTC", by=by)
        # One part of all rows, or one of each viewer's.
        for log in (plays, plays.sort_values("viewer", kind="stable")):
            for size in (5, 64, 2**18):
                monkeypatch.setattr("toolkit.order.BLOCK", size)
                assert_frame_equal(tk.to_viewer_days(log, tz="UTC", by=by), expected)

    def test_empty_in_same_columns_out(self):
        plays = random_plays(1)
        for by in ("title", "series", None):
            full = tk.to_viewer_days(plays, tz="tz", by=by)
            none = tk.to_viewer_days(plays[:0], tz="tz", by=by)
            assert len(none) == 0
            assert list(none) == list(full)
            assert none["day"].dtype == full["day"].dtype

    def test_input_is_unchanged(self):
        plays = random_plays(2)
        before = plays.copy(deep=True)
        tk.to_viewer_days(plays, tz="tz", day_of="split", min_seconds=5)
        assert_frame_equal(plays, before)

    @pytest.mark.parametrize(
        ("change", "arguments", "message"),
        [
            ({}, {"tz": "Mars/Olympus"}, "`tz` must be the name of a time zone .* got 'Mars/Olympus'"),
            ({}, {"tz": ""}, "`tz` must be the name of a time zone"),
            ({"tz": ["UTC", None]}, {"tz": "tz"}, "`tz` must be there on every row that is used; 1 are"),
            ({}, {"tz": "UTC", "day_starts_at": "25:00"}, "`day_starts_at` must be a time of day"),
            ({}, {"tz": "UTC", "day_starts_at": "24:00"}, "`day_starts_at` must be a time of day"),
            ({}, {"tz": "UTC", "day_starts_at": 4}, "`day_starts_at` must be a time of day"),
            ({}, {"tz": "UTC", "by": "show"}, r"`by` must be one of \['title', 'series', None\]"),
            ({}, {"tz": "UTC", "day_of": "middle"}, "`day_of` must be one of"),
            ({}, {"tz": "UTC", "min_seconds": -1}, "`min_seconds` must be 0 or more, got -1"),
            ({"precision": "day"}, {"tz": "UTC", "day_starts_at": "04:00"}, "a date and no hour"),
            ({"row_is": "latest"}, {"tz": "UTC"}, "must not hold only the latest date"),
            ({"row_is": "seen"}, {"tz": "UTC"}, "`row_is` must be one of"),
            ({"account": ["a", "b"]}, {"tz": "UTC"}, "`plays` must give each viewer one account"),
            ({"watched_seconds": [5.0, -1.0]}, {"tz": "UTC"}, "`watched_seconds` must be 0 or more"),
            ({"watched_seconds": [5.0, np.inf]}, {"tz": "UTC"}, "`watched_seconds` must be 0 or more"),
            ({"precision": "day"}, {"tz": "UTC"}, "`started_at` must be midnight UTC where"),
            ({"excluded": [False, True]}, {"tz": "UTC"}, "must be text, found bool"),
            ({"excluded": ["False", "True"]}, {"tz": "UTC"}, "`excluded` must be a reason or missing"),
            ({}, {"tz": "UTC", "day_starts_at": "-0:30"}, "`day_starts_at` must be a time of day"),
            ({}, {"tz": "UTC", "min_seconds": "5"}, "`min_seconds` must be 0 or more, got '5'"),
            ({}, {"tz": "UTC", "min_seconds": np.nan}, "`min_seconds` must be 0 or more, got nan"),
            ({"viewer": ["ann", None]}, {"tz": "UTC"}, "`viewer` must be there on every row"),
            ({"started_at": pd.NaT}, {"tz": "UTC"}, "`started_at` must be there on every row; 2"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_said_in_a_sentence(self, change, arguments, message):
        plays = plays_at("2024-03-01 10:00Z", "2024-03-02 10:00Z").assign(**change)
        with pytest.raises(ValueError, match=message):
            tk.to_viewer_days(plays, **arguments)

    @pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
    def test_two_accounts_of_one_viewer_on_one_day_are_refused(self, order):
        plays = plays_at("2024-03-01 10:00Z", "2024-03-01 11:00Z", account=["a", "b"])
        for viewer in ("ann", 7, 2**62):
            with pytest.raises(ValueError, match="`plays` must give each viewer one account"):
                tk.to_viewer_days(plays.assign(viewer=viewer)[order], tz="UTC")

    def test_without_any_seconds_they_stay_unknown(self):
        plays = plays_at("2024-03-01 23:30Z").drop(columns="watched_seconds")
        for day_of in ("start", "end", "split"):
            viewer_days = tk.to_viewer_days(plays, tz="UTC", day_of=day_of, min_seconds=60)
            assert viewer_days["watched_seconds"].isna().tolist() == [True]

    @pytest.mark.parametrize("day_of", ["start", "end", "split"])
    @pytest.mark.parametrize("by", ["title", "series", None])
    def test_the_types_of_the_columns_never_change(self, by, day_of):
        for plays in (random_plays(12, n=3000), random_plays(13, n=3), random_plays(14)[:0]):
            viewer_days = tk.to_viewer_days(plays, tz="tz", by=by, day_of=day_of)
            types = viewer_days[["day", "n_plays", "watched_seconds"]].dtypes.astype("str").tolist()
            assert types == ["datetime64[us]", "int64", "float64"]

    @pytest.mark.parametrize("by", ["title", None])
    def test_dense_ordered_and_sorted_ways_agree(self, by):
        plays = random_plays(11, n=3000).sort_values(["viewer", "title", "started_at"])
        expected = tk.to_viewer_days(plays, tz="tz", by=by)
        # Ids far apart leave no room to count every possible viewer-day.
        far = plays.assign(
            viewer=plays["viewer"].map({"a": 0, "b": 2**40, "c": 2**50}), account="home"
        )
        for frame in (far, far.sample(frac=1, random_state=1)):
            found = tk.to_viewer_days(frame, tz="tz", by=by)
            kept = expected.columns.drop(["viewer", "account"])
            assert_frame_equal(found[kept], expected[kept])

    def test_a_log_over_many_changes_of_the_clock(self):
        instants = pd.Series(pd.date_range("1995-01-01", "2024-01-01", freq="1001h", tz="UTC"))
        plays = plays_at(*instants).assign(title=np.arange(len(instants)))
        for zone in ("America/New_York", "Europe/London"):
            fast = tk.to_viewer_days(plays, tz=zone)["day"].dt.date.tolist()
            assert fast == [reference.day_of(t.to_pydatetime(), zone) for t in instants]

    def test_naive_times_are_refused(self):
        plays = plays_at("2024-03-01 10:00")
        with pytest.raises(
            ValueError, match=r"`plays\.started_at` must be instants with a time zone"
        ):
            tk.to_viewer_days(plays, tz="UTC")

    def test_a_missing_column_is_named(self):
        plays = plays_at("2024-03-01 10:00Z").drop(columns="title")
        with pytest.raises(ValueError, match=r"missing \['title'\]"):
            tk.to_viewer_days(plays, tz="UTC")

    def test_latest_dates_pass_when_asked_for(self):
        plays = plays_at("2024-03-01 10:00Z", row_is="latest")
        assert len(tk.to_viewer_days(plays, tz="UTC", allow_latest=True)) == 1


class TestFullDays:
    @pytest.mark.parametrize("zone", ZONES)
    def test_agree_with_the_slow_reference_around_changes_of_the_clock(self, zone):
        rng = random.Random(zone)
        for _ in range(6):
            middle = rng.choice(
                ["2017-11-05", "2011-12-30", "2011-11-06", "2018-02-18", "2017-10-29"]
            )
            instant = pd.Timestamp(middle, tz="UTC") + pd.Timedelta(
                minutes=rng.randrange(-300, 1500)
            )
            for start in ("00:00", "01:30", "04:00"):
                for fast, slow in (
                    (tk.last_full_day, reference.last_full_day),
                    (tk.first_full_day, reference.first_full_day),
                ):
                    expected = slow(instant.to_pydatetime(), zone, start)
                    found = fast(instant, tz=zone, day_starts_at=start)
                    assert found.date() == expected, (instant, start, fast)

    def test_the_day_is_full_at_its_end_and_not_a_moment_before(self):
        end = pd.Timestamp("2024-03-02 00:00", tz="Europe/Berlin")
        almost = end - pd.Timedelta(microseconds=1)
        assert tk.last_full_day(end, tz="Europe/Berlin") == pd.Timestamp("2024-03-01")
        assert tk.last_full_day(almost, tz="Europe/Berlin") == pd.Timestamp("2024-02-29")
        assert tk.first_full_day(end, tz="Europe/Berlin") == pd.Timestamp("2024-03-02")
        late = end + pd.Timedelta(microseconds=1)
        assert tk.first_full_day(late, tz="Europe/Berlin") == pd.Timestamp("2024-03-03")

    def test_a_series_of_instants_each_in_its_zone(self):
        until = pd.Series(pd.to_datetime(["2024-03-02 00:00Z"] * 2), index=[5, 7])
        days = tk.last_full_day(until, tz=pd.Series(["UTC", "America/New_York"], index=[5, 7]))
        assert days.to_dict() == {5: pd.Timestamp("2024-03-01"), 7: pd.Timestamp("2024-02-29")}

    def test_an_instant_without_a_zone_is_refused(self):
        for function, name in ((tk.last_full_day, "until"), (tk.first_full_day, "since")):
            with pytest.raises(ValueError, match=f"`{name}` must be an instant with a time zone"):
                function("2024-03-02", tz="UTC")


class TestFromClock:
    @pytest.mark.parametrize("zone", ZONES)
    def test_agrees_with_zoneinfo(self, zone):
        rng = random.Random(zone)
        clocks = [
            dt.datetime(2017, 1, 1) + dt.timedelta(minutes=15 * rng.randrange(4 * 24 * 365))
            for _ in range(300)
        ]
        # The hours around the changes of New York and Sao Paulo.
        clocks += [dt.datetime(2017, 11, 5, h, 30) for h in range(4)]
        clocks += [dt.datetime(2017, 3, 12, h, 30) for h in range(4)]
        clocks += [dt.datetime(2017, 10, 15, h, 30) for h in range(3)]
        values = np.array(clocks, dtype="datetime64[us]").view("int64")
        instants, skipped = from_clock(values, zone)
        for clock, instant, never in zip(clocks, instants, skipped, strict=True):
            aware = clock.replace(tzinfo=zoneinfo.ZoneInfo(zone)).astimezone(dt.UTC)
            back = aware.astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None)
            assert never == (back != clock)
            if not never:
                assert instant == np.datetime64(aware.replace(tzinfo=None), "us").view("int64")


class TestPeriods:
    @pytest.mark.parametrize("week_starts", ["MON", "SUN", "WED"])
    @pytest.mark.parametrize("period", ["day", "week", "month"])
    def test_edges_and_neighbours_agree_with_the_slow_reference(self, period, week_starts):
        days = np.arange(-800, 25_000, 3)
        numbers = period_numbers(days, period, week_starts)
        first, last = period_edges(numbers, period, week_starts)
        epoch = dt.date(1970, 1, 1)
        for day, low, high in zip(days[::37], first[::37], last[::37], strict=True):
            edges = reference.period_of(epoch + dt.timedelta(days=int(day)), period, week_starts)
            assert [epoch + dt.timedelta(days=int(n)) for n in (low, high)] == list(edges)
        assert (period_numbers(last + 1, period, week_starts) == numbers + 1).all()

    def test_unknown_words_are_refused(self):
        with pytest.raises(ValueError, match="`period` must be one of"):
            period_numbers(np.arange(3), "year")
        with pytest.raises(ValueError, match="`week_starts` must be one of"):
            period_numbers(np.arange(3), "week", "Monday")
