"""Audiences against a count of one tick after the other, and what holds whatever the log."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import toolkit as tk
from tests.watching_logs import count_audience, instant_in, label_of, random_plays

DST = {"Europe/Berlin": "2024-03-31", "America/New_York": "2024-11-03"}
DAYPARTS = {"day": "06:00", "peak": "18:30", "night": "23:00"}


def plays_of(*rows):
    """Plays of (viewer, title, started_at, seconds)."""
    plays = pd.DataFrame(rows, columns=["viewer", "title", "started_at", "watched_seconds"])
    plays["watched_seconds"] = plays["watched_seconds"].astype("float64")
    return plays.assign(started_at=pd.to_datetime(plays["started_at"], utc=True))


def measured(table, n_keys):
    columns = ["minutes", "average_minute_audience", "people"]
    exposures = (table["people"] * table["frequency"]).fillna(0)
    keys = [tuple(row) for row in table.iloc[:, :n_keys].itertuples(index=False)]
    values = table[columns].assign(plays=exposures).to_numpy()
    return dict(zip(keys, values, strict=True))


def assert_same(found, expected):
    assert list(found) == list(expected)
    np.testing.assert_allclose(list(found.values()), list(expected.values()), rtol=1e-12, atol=1e-9)


class TestAudience:
    @pytest.mark.parametrize("zone", DST)
    @pytest.mark.parametrize(
        ("words", "day_starts_at"),
        [
            ([], "00:00"),
            (["day"], "00:00"),
            (["day"], "06:00"),
            (["hour"], "05:30"),
            (["weekday", "hour"], "03:00"),
            (["daypart"], "02:00"),
            (["week"], "06:00"),
            (["month", "daypart"], "00:00"),
        ],
    )
    @pytest.mark.parametrize("columns", [[], ["title"], ["title", "device"]])
    def test_is_what_counting_every_tick_gives(self, zone, words, day_starts_at, columns):
        plays = random_plays(len(words) + len(columns), around=f"{DST[zone]} 00:00Z", zones=[zone])
        day = pd.Timestamp(DST[zone])
        window = [f"{day - pd.Timedelta(days=1):%F} 11:00", f"{day:%F} 21:00"]
        table = tk.audience(
            plays, tz=zone, by=[*columns, *words], start=window[0], end=window[1],
            day_starts_at=day_starts_at, dayparts=DAYPARTS,
        )  # fmt: skip
        expected, lasts = count_audience(
            plays, columns=columns, zones=[zone],
            start={zone: instant_in(window[0], zone)}, end={zone: instant_in(window[1], zone)},
            label=lambda at, zone: label_of(at, zone, words, day_starts_at, DAYPARTS),
        )  # fmt: skip
        order = {
            name: n
            for n, name in enumerate(
                [*["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"], *DAYPARTS]
            )
        }
        keys = sorted(expected, key=lambda key: [order.get(part, part) for part in key])
        assert_same(measured(table, len(columns) + len(words)), {k: expected[k] for k in keys})
        for row in table.to_dict("records"):
            at = tuple(
                row[w] for w in ("month", "week", "day", "weekday", "daypart", "hour") if w in words
            )
            assert row["window_minutes"] == lasts[at]

    @pytest.mark.parametrize("words", [[], ["day"], ["weekday", "hour"]])
    @pytest.mark.parametrize("seed", range(3))
    def test_each_viewer_has_the_clock_of_its_own_zone(self, words, seed):
        zones = ["Europe/Berlin", "America/New_York", "Asia/Kolkata"]
        plays = random_plays(seed, zones=zones, n=60)
        table = tk.audience(
            plays, tz="tz", by=["title", *words], start="2024-03-30", end="2024-04-01"
        )
        expected, _ = count_audience(
            plays, columns=["title"], zones=zones,
            start={zone: instant_in("2024-03-30", zone) for zone in zones},
            end={zone: instant_in("2024-04-01", zone) for zone in zones},
            label=lambda at, zone: label_of(at, zone, words),
        )  # fmt: skip
        days = {name: n for n, name in enumerate(["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"])}
        keys = sorted(expected, key=lambda key: [days.get(part, part) for part in key])
        assert_same(measured(table, 1 + len(words)), {k: expected[k] for k in keys})

    @pytest.mark.parametrize("minutes", [0.5, 1, 7, 45, 24 * 60])
    @pytest.mark.parametrize("columns", [[], ["title"], ["device"]])
    @pytest.mark.parametrize("seed", range(3))
    def test_slots_are_what_counting_every_tick_gives(self, minutes, columns, seed):
        plays = random_plays(seed, n=60)
        start = pd.Timestamp("2024-03-30 10:00Z")
        # The last slot is cut short where 31 hours are no multiple.
        end = start + pd.Timedelta(hours=31)
        every = pd.Timedelta(minutes=minutes)
        table = tk.audience(
            plays, tz="UTC", by=columns, start=start, end=end, every=every, confidence=0.9
        )
        expected, lasts = count_audience(
            plays.assign(tz="UTC"), columns=columns, zones=["UTC"],
            start={"UTC": start.to_pydatetime()}, end={"UTC": end.to_pydatetime()},
            label=lambda at, zone: (start + (at - start) // every * every,),
        )  # fmt: skip
        assert_same(measured(table, len(columns) + 1), expected)
        assert dict(zip(table["started_at"], table["window_minutes"], strict=True)) == {
            at: minutes for (at,), minutes in lasts.items()
        }
        # The two ways to sum up agree also on how far accounts differ.
        for at in table["started_at"].iloc[[0, len(lasts) // 2, len(lasts) - 1]]:
            alone = tk.audience(
                plays, tz="UTC", by=columns, start=at, end=min(at + every, end), confidence=0.9,
            )  # fmt: skip
            slot = table[table["started_at"] == at].drop(columns="started_at")
            assert_frame_equal(slot.reset_index(drop=True), alone)

    def test_minutes_add_up_whatever_the_split(self):
        plays = random_plays(5, n=200)
        window = {"tz": "Europe/Berlin", "start": "2024-03-29", "end": "2024-04-02"}
        whole = tk.audience(plays, by=None, **window)["minutes"].item()
        assert whole == plays["watched_seconds"].sum() / 60
        splits = ["title", "device", "hour", "day", "weekday", ["title", "device", "hour"]]
        for split in splits:
            parts = tk.audience(plays, by=split, **window)
            assert parts["minutes"].sum() == whole
        parts = tk.audience(plays, by="title", groups="device", every="1min", **window)
        assert parts["minutes"].sum() == whole

    @pytest.mark.parametrize("how", [{"by": ["title", "day"]}, {"by": "title", "every": "3h"}])
    def test_shares_sum_to_1_at_each_time_and_in_each_group(self, how):
        plays = random_plays(6, n=100)
        table = tk.audience(
            plays, tz="Europe/Berlin", start="2024-03-30", end="2024-04-01", groups="device", **how
        )
        times = ["device", "day" if "every" not in how else "started_at"]
        together = table.groupby(times, observed=True)
        audience = together["average_minute_audience"].sum()
        shares = together["share"].sum(min_count=1)
        assert audience.gt(0).sum() > 3
        np.testing.assert_allclose(shares[audience > 0], 1)
        assert shares[audience == 0].isna().all()

    def test_an_account_counts_once_a_minute_on_two_screens_while_minutes_count_both(self):
        plays = plays_of(
            ("ann", "Heat", "2024-03-01 20:00Z", 3600), ("ann", "Heat", "2024-03-01 20:30Z", 3600)
        )
        window = {"tz": "UTC", "start": "2024-03-01 20:00", "end": "2024-03-01 22:00"}
        table = tk.audience(plays, **window)
        assert table["minutes"].item() == 120
        assert table["average_minute_audience"].item() == 0.75
        assert table[["people", "frequency"]].to_numpy().tolist() == [[1, 2]]
        # Two titles at once: in the audience of both, once in that of anything.
        other = plays.assign(title=["Heat", "Up"])
        assert tk.audience(other, **window)["average_minute_audience"].tolist() == [0.5, 0.5]
        assert tk.audience(other, by=None, **window)["average_minute_audience"].item() == 0.75

    def test_ratings_never_exceed_1(self):
        plays = random_plays(7, n=400, hours=5)
        table = tk.audience(plays, tz="UTC", start="2024-03-30 22:00", end="2024-03-31 03:00")
        assert table["minutes"].max() > 2 * 300 * table["universe"].max() / 3
        assert table["rating"].between(0, 1).all()

    def test_the_published_example_of_a_rating_a_share_and_the_level_of_viewing(self):
        # CAB's: share 4.3, level of viewing 61.2 %, rating 2.63 %; here of 10 000 homes, of which
        # 6 120 watch throughout, 263 of them one programme.
        rng = np.random.default_rng(1)
        plays = pd.DataFrame(
            {
                "viewer": rng.permutation(6_120),
                "title": np.where(np.arange(6_120) < 263, "Programme", "Other"),
                "started_at": pd.Timestamp("2024-03-01 20:00Z"),
                "watched_seconds": 3600.0,
            }
        )
        window = {"tz": "UTC", "start": "2024-03-01 20:00", "end": "2024-03-01 21:00"}
        table = tk.audience(plays, universe=10_000, **window).set_index("title")
        level = tk.audience(plays, by=None, universe=10_000, **window)["rating"].item()
        assert (level, table.loc["Programme", "rating"]) == (0.612, 0.0263)
        assert round(table.loc["Programme", "share"], 3) == 0.043
        np.testing.assert_allclose(table["share"] * level, table["rating"])

    def test_groups_of_viewers_have_universes_of_their_own(self):
        plays = plays_of(
            ("ann", "Heat", "2024-03-01 20:00Z", 3600), ("bob", "Up", "2024-03-01 20:00Z", 1800)
        )
        viewers = pd.DataFrame(
            {"viewer": ["ann", "bob", "cid", "dan"], "country": ["SE", "SE", "SE", "NO"]}
        )
        window = {"tz": "UTC", "start": "2024-03-01 20:00", "end": "2024-03-01 21:00"}
        table = tk.audience(plays, viewers=viewers, groups="country", **window)
        assert list(table)[:2] == ["title", "country"]
        assert table["country"].tolist() == ["NO", "SE", "NO", "SE"]
        assert table["universe"].tolist() == [1, 3, 1, 3]
        np.testing.assert_allclose(table["rating"], [0, 1 / 3, 0, 1 / 6])
        np.testing.assert_allclose(table["share"], [np.nan, 2 / 3, np.nan, 1 / 3])
        given = tk.audience(
            plays, viewers=viewers, groups="country", universe={"SE": 10, "NO": 20}, **window
        )
        assert given["universe"].tolist() == [20, 10, 20, 10]

    def test_accounts_without_a_play_count_in_the_universe_of_viewers(self):
        plays = random_plays(8)
        viewers = plays[["viewer", "account"]].drop_duplicates()
        more = pd.DataFrame({"viewer": ["x", "y", "z"], "account": ["new", "new", "a0"]})
        viewers = pd.concat([viewers.astype("str"), more])
        window = {"tz": "UTC", "start": "2024-03-31", "end": "2024-04-01"}
        table = tk.audience(plays, viewers=viewers, **window)
        assert (table["universe"] == plays["account"].nunique() + 1).all()
        # Where `viewers` names no accounts, plays do.
        table = tk.audience(plays, viewers=viewers[["viewer"]], **window)
        assert (table["universe"] == plays["account"].nunique() + 3).all()

    def test_the_interval_is_wilsons_where_everyone_watches_all_or_nothing(self):
        plays = plays_of(*[(f"v{i}", "Heat", "2024-03-01 20:00Z", 3600) for i in range(7)])
        window = {"tz": "UTC", "start": "2024-03-01 20:00", "end": "2024-03-01 21:00"}
        row = tk.audience(plays, universe=50, confidence=0.95, **window).iloc[0]
        # The variance of a sample is that of a share by 49/50.
        n = 49
        z = 1.959963984540054
        middle, reach = 0.14 + z**2 / (2 * n), z * (0.14 * 0.86 / n + z**2 / (4 * n**2)) ** 0.5
        np.testing.assert_allclose(row["low"], (middle - reach) / (1 + z**2 / n))
        np.testing.assert_allclose(row["high"], (middle + reach) / (1 + z**2 / n))
        nobody = tk.audience(
            plays, universe=50, confidence=0.95, tz="UTC", start="2024-03-02", end="2024-03-03"
        ).iloc[0]
        assert nobody[["low", "high"]].tolist() == [0, pytest.approx(tk.wilson(0, 50)[1])]
        assert "low" not in tk.audience(plays, universe=50, **window)

    def test_less_even_watching_makes_the_interval_wider(self):
        even = plays_of(*[(i, "Heat", "2024-03-01 20:00Z", 360) for i in range(60)])
        uneven = plays_of(*[(i, "Heat", "2024-03-01 20:00Z", 3600) for i in range(6)])
        window = {"tz": "UTC", "start": "2024-03-01 20:00", "end": "2024-03-01 21:00"}
        a, b = (
            tk.audience(plays, universe=100, confidence=0.9, **window).iloc[0]
            for plays in (even, uneven)
        )
        assert a["rating"] == b["rating"] == 0.06
        assert b["low"] < a["low"] < 0.06 < a["high"] < b["high"]

    def test_titles_of_the_log_that_nobody_watched_have_a_row(self):
        plays = plays_of(
            ("ann", "Heat", "2024-03-01 20:00Z", 60), ("ann", "Up", "2024-03-05 20:00Z", 60)
        )
        table = tk.audience(plays, tz="UTC", start="2024-03-01", end="2024-03-02")
        assert table["title"].tolist() == ["Heat", "Up"]
        assert table["people"].tolist() == [1, 0]
        assert table["frequency"].isna().tolist() == [False, True]
        assert table["share"].tolist() == [1, 0]

    def test_a_play_that_ends_as_the_window_starts_is_not_in_it(self):
        plays = plays_of(
            ("ann", "Heat", "2024-03-01 19:00Z", 3600), ("bob", "Heat", "2024-03-01 21:00Z", 60)
        )
        window = {"tz": "UTC", "start": "2024-03-01 20:00", "end": "2024-03-01 21:00"}
        for how in ({}, {"every": "30min"}, {"by": ["title", "hour"]}):
            assert tk.audience(plays, **how, **window)["people"].sum() == 0

    def test_a_log_of_centuries_is_counted_as_one_of_days(self):
        # So many viewers over so long a time have no place in one number.
        plays = pd.DataFrame({"viewer": np.tile(np.arange(1500), 3), "title": "Heat"})
        plays["started_at"] = pd.to_datetime(
            np.repeat(["1970-01-01 20:30Z", "1970-01-01 20:00Z", "2200-01-01 20:00Z"], 1500)
        )
        plays["watched_seconds"] = 3600.0
        window = {"tz": "UTC", "start": "1970-01-01", "end": "2201-01-01"}
        table = tk.audience(plays, **window)
        assert table["minutes"].item() == 1500 * 180
        audience = (table["average_minute_audience"] * table["window_minutes"]).item()
        assert audience == pytest.approx(1500 * 150)

    def test_excluded_plays_do_not_count(self):
        plays = random_plays(9)
        out = plays["title"] == "Up"
        window = {"tz": "UTC", "start": "2024-03-30", "end": "2024-04-01"}
        less = tk.audience(tk.exclude(plays, out, reason="trailer"), **window)
        kept = plays[~out].assign(title=lambda rows: rows["title"].cat.remove_unused_categories())
        alone = tk.audience(kept, **window)
        assert less["title"].tolist() == ["Alien", "Heat"]
        assert_frame_equal(less.drop(columns="title"), alone.drop(columns="title"))

    def test_the_order_of_rows_and_the_input_stay_as_they_are(self):
        plays = random_plays(10)
        before = plays.copy()
        window = {"tz": "tz", "start": "2024-03-30", "end": "2024-04-01"}
        table = tk.audience(plays, **window)
        assert_frame_equal(plays, before)
        assert_frame_equal(tk.audience(plays.sample(frac=1, random_state=1), **window), table)

    def test_an_end_says_how_long_it_was_where_seconds_do_not(self):
        plays = plays_of(("ann", "Heat", "2024-03-01 20:00Z", np.nan))
        plays["ended_at"] = pd.Timestamp("2024-03-01 20:30Z")
        window = {"tz": "UTC", "start": "2024-03-01 20:00", "end": "2024-03-01 21:00"}
        assert tk.audience(plays, **window)["minutes"].item() == 30
        # Pauses are left out at the end.
        known = plays.assign(watched_seconds=60.0)
        assert tk.audience(known, **window)["minutes"].item() == 1
        with pytest.raises(ValueError, match=r"`plays` must say how long .*; 1 do not"):
            tk.audience(plays.drop(columns="ended_at"), **window)

    def test_series_take_their_episodes_together_and_titles_without_one_stand_alone(self):
        plays = plays_of(
            ("ann", "E1", "2024-03-01 20:00Z", 3600), ("ann", "E2", "2024-03-01 20:30Z", 3600),
            ("ann", "Up", "2024-03-01 20:00Z", 1800),
        ).assign(series=["Show", "Show", None])  # fmt: skip
        window = {"tz": "UTC", "start": "2024-03-01 20:00", "end": "2024-03-01 22:00"}
        table = tk.audience(plays, by="series", **window)
        assert table["series"].tolist() == ["Show", "Up"]
        assert table["average_minute_audience"].tolist() == [0.75, 0.25]

    def test_empty_in_same_columns_out(self):
        plays = random_plays(11)
        window = {"tz": "UTC", "start": "2024-03-30", "end": "2024-04-01"}
        for how in ({"by": ["title", "hour"]}, {"by": "title", "every": "1h"}):
            full = tk.audience(plays, confidence=0.9, **how, **window)
            none = tk.audience(plays[:0], confidence=0.9, **how, **window)
            assert list(none) == list(full)
        assert tk.audience(plays[:0], by=None, **window)["minutes"].tolist() == [0]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"start": None}, "`start` must be an instant"),
            ({"end": "2024-03-30"}, "`start` must lie before `end`"),
            ({"start": "soon"}, "`start` must be an instant .* got 'soon'"),
            ({"tz": "Mars/Base"}, "`tz` must be the name of a time zone"),
            ({"tz": 3}, "`tz` must name a time zone or a column"),
            ({"by": "people"}, r"`by` must not be columns of the result, got \['people'\]"),
            ({"by": "genre"}, r"`plays` must have columns .*missing \['genre'\]"),
            ({"by": "daypart"}, "`dayparts` must map the name"),
            ({"by": "daypart", "dayparts": {"a": "25:00"}}, "`dayparts` must be a time of day"),
            (
                {"by": "daypart", "dayparts": {"a": "01:00", "b": "1:00"}},
                "`dayparts` must start at",
            ),
            ({"day_starts_at": "6 am", "by": "day"}, "`day_starts_at` must be a time of day"),
            ({"every": "0s"}, "`every` must be a duration"),
            ({"every": "often"}, "`every` must be a duration"),
            ({"every": "1h", "by": "hour"}, "`every` must go with one zone"),
            ({"every": "1h", "tz": "tz"}, "`every` must go with one zone"),
            ({"every": "10us"}, "`every` and `by` must leave at most"),
            ({"universe": 2}, "`universe` must be at least the people who watched, found 4 of 2"),
            ({"universe": 0}, "`universe` must be a whole number, 1 or more"),
            ({"groups": "device", "universe": 9}, "`universe` must map each of `groups`"),
            ({"groups": "device", "universe": {"tv": 9}}, r"missing \['phone'\]"),
            ({"confidence": 1}, r"`confidence` must lie in \(0, 1\)"),
            ({"viewers": pd.DataFrame({"viewer": ["v0"]})}, "`viewers` must have a row for every"),
        ],
    )
    def test_a_wrong_argument_is_named(self, change, message):
        right = {"tz": "UTC", "start": "2024-03-30", "end": "2024-04-01"}
        zones = ["UTC", "Europe/Berlin"]
        with pytest.raises(ValueError, match=message):
            tk.audience(random_plays(12, n=200, zones=zones), **(right | change))

    def test_dates_without_an_hour_are_refused(self):
        plays = random_plays(13).assign(precision="day")
        with pytest.raises(ValueError, match="`plays` must say at what hour they started"):
            tk.audience(plays, tz="UTC", start="2024-03-30", end="2024-04-01")


def test_moving_the_day_of_the_real_log_to_6_moves_as_many_plays_as_known(brighttv):
    columns = {
        "viewer": "UserID", "title": "Channel2", "started_at": "RecordDate2",
        "watched_seconds": "Duration2",
    }  # fmt: skip
    plays = tk.load_table(brighttv, columns=columns, clock_tz="UTC", duration="H:MM:SS")
    zone = {"tz": "Africa/Johannesburg", "by": None}
    alone = plays.assign(viewer=range(len(plays)), account=range(len(plays)))
    midnight, six = (
        tk.to_viewer_days(alone, day_starts_at=start, **zone)["day"] for start in ("00:00", "06:00")
    )
    assert round((midnight != six).mean(), 3) == 0.056
    # The minutes stay what they are, on whichever days.
    window = {"start": "2015-12-30", "end": "2016-04-03", "tz": "Africa/Johannesburg"}
    days = [
        tk.audience(plays, by="day", day_starts_at=start, **window) for start in ("00:00", "06:00")
    ]
    assert days[0]["minutes"].sum() == pytest.approx(plays["watched_seconds"].sum() / 60)
    assert days[0]["minutes"].sum() == pytest.approx(days[1]["minutes"].sum())
    assert not np.allclose(days[0]["minutes"], days[1]["minutes"][: len(days[0])])
