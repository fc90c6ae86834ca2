"""Who watches, comes, stays and goes, beside slow references that follow one viewer at a time."""

import datetime as dt
import random
import time
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from tests.reference import DAY, period_of
from toolkit.activity import days_watched, frequency_recency, lifecycle, stickiness
from toolkit.intervals import wilson

CASES = tomllib.loads(Path(__file__).with_name("oracles").joinpath("activity.toml").read_text())
START = dt.date(2017, 10, 20)
# Zoe is in the tables and never watches.
VIEWERS = "abcdefgz"
HOMES = {"a": "h1", "b": "h1", "c": "h2", "d": "h3", "e": "h3", "f": "h3", "g": "h4", "z": "h5"}


def days_of(viewer, *days, **columns):
    return pd.DataFrame({"viewer": viewer, "day": pd.to_datetime(list(days))} | columns)


def random_days(seed, n=250, span=120):
    rng = random.Random(seed)
    rows = [
        (rng.choice("abcdefg"), rng.choice("xy"), START + dt.timedelta(days=rng.randrange(span)))
        for _ in range(n)
    ]
    frame = pd.DataFrame(rows, columns=["viewer", "title", "day"])
    frame["account"] = frame["viewer"].map(HOMES)
    ids = dict.fromkeys(["viewer", "account", "title"], "category")
    return frame.astype(ids | {"day": "datetime64[us]"})


def random_logs(seed, span=120):
    """Each viewer's own first and last day; those of the first are not all known."""
    rng = random.Random(seed)
    rows = []
    for viewer in VIEWERS:
        first, last = START + rng.randrange(30) * DAY, START + rng.randrange(30, span) * DAY
        rows.append((viewer, first, last))
    rng.shuffle(rows)
    return pd.DataFrame(rows, columns=["viewer", "observed_from", "as_of"])


def by_viewer(viewer_days, logs):
    """{viewer: (first, last, days used)} from a log each, or one (first, last) for all."""
    if isinstance(logs, pd.DataFrame):
        edges = {v.viewer: (v.observed_from, v.as_of) for v in logs.itertuples()}
    else:
        edges = {v: logs for v in viewer_days["viewer"].unique()}
    found = {}
    for viewer, (first, last) in edges.items():
        first = None if pd.isna(first) else first
        days = set(viewer_days.loc[viewer_days["viewer"] == viewer, "day"].dt.date)
        days = {d for d in days if (first is None or first <= d) and d <= last}
        found[viewer] = (first, last, days)
    return found


def periods_between(first, last, cut):
    found = [period_of(first, *cut)]
    while found[-1][1] < last:
        found.append(period_of(found[-1][1] + DAY, *cut))
    return found


def slow_stickiness(viewers, homes, cut, confidence):
    """[(first, last, n, a day, share, low, high)] of periods that some log wholly holds."""
    low, high = min(f for f, _, _ in viewers.values()), max(e for _, e, _ in viewers.values())
    held = [
        (a, b)
        for a, b in periods_between(low, high, cut)
        if any(f <= a and b <= e for f, e, _ in viewers.values())
    ]
    out = []
    for a, b in [p for p in periods_between(low, high, cut) if held and held[0] <= p <= held[-1]]:
        seen = {
            v: {d for d in days if a <= d <= b}
            for v, (f, e, days) in viewers.items()
            if f <= a and b <= e
        }
        seen = {v: days for v, days in seen.items() if days}
        length = (b - a).days + 1
        daily = [sum(a + n * DAY in days for days in seen.values()) for n in range(length)]
        if not seen:
            out.append((a, b, 0, 0.0, None, None, None))
            continue
        share = np.mean(daily) / len(seen)
        accounts = {homes[v] for v in seen}
        n = len(accounts)
        off = 0
        for account in accounts:
            mine = [len(days) / length for v, days in seen.items() if homes[v] == account]
            off += (sum(mine) - share * len(mine)) ** 2
        variance = off / len(seen) ** 2 * n / max(n - 1, 1)
        size = share * (1 - share) / variance if variance > 1e-20 else n
        z, t = (
            stats.norm.ppf((1 + confidence) / 2),
            stats.t.ppf((1 + confidence) / 2, max(n - 1, 1)),
        )
        size *= (z / t) ** 2
        low_, high_ = proportion_confint(share * size, size, 1 - confidence, method="wilson")
        out.append((a, b, len(seen), np.mean(daily), share, low_, high_))
    return out


def slow_days_watched(viewers, first, last, cut, everyone):
    """[(k, exactly, k or more)] over viewers whose log holds the window."""
    counts = []
    for f, e, days in viewers.values():
        if e < last or (f is not None and f > first):
            continue
        n = len({period_of(d, *cut) for d in days if first <= d <= last})
        if n or everyone:
            counts.append(n)
    size = len(periods_between(first, last, cut))
    return [
        (k, counts.count(k), sum(n >= k for n in counts))
        for k in range(0 if everyone else 1, size + 1)
        if counts
    ]


def slow_lifecycle(viewers, cut):
    """[(first, last, new, returning, resurrecting, dormant, is_complete, earlier)]."""
    starts = [f for f, _, _ in viewers.values()]
    seen = [d for _, _, days in viewers.values() for d in days]
    ends = [e for _, e, _ in viewers.values()]
    lows = [f for f in starts if f is not None] + seen
    if not lows:
        return []
    out = []
    for a, b in periods_between(min(lows), max(ends), cut):
        before = period_of(a - DAY, *cut)
        n = {"new": 0, "returning": 0, "resurrecting": 0, "dormant": 0}
        for _, end, days in viewers.values():
            now, then = (any(p <= d <= q for d in days) for p, q in ((a, b), before))
            if now:
                ever = any(d < a for d in days)
                n["returning" if then else "resurrecting" if ever else "new"] += 1
            elif then and b <= end:
                n["dormant"] += 1
        if not out or all(end < b for end in ends):
            n["dormant"] = None
        complete = all(b <= e for e in ends) and all(f is None or f <= a for f in starts)
        earlier = None if None in starts else any(f > before[0] for f in starts)
        out.append((a, b, *n.values(), complete, earlier))
    return out


def slow_frequency(viewers, cut):
    """{viewer: (frequency, recency, T)} by walking from period to period."""
    found = {}
    for viewer, (_, last, days) in sorted(viewers.items()):
        kept = sorted({period_of(d, *cut) for d in days})
        kept = [p for p in kept if p[1] <= last]
        if kept:
            over = [p for p in periods_between(kept[0][0], last, cut) if p[1] <= last]
            found[viewer] = (len(kept) - 1, over.index(kept[-1]), len(over) - 1)
    return found


def plain(frame):
    """Rows as tuples of dates, numbers and None, for comparing with the slow references."""
    rows = []
    for row in frame.itertuples(index=False):
        rows.append(
            tuple(
                None if pd.isna(x) else x.date() if isinstance(x, pd.Timestamp) else x for x in row
            )
        )
    return rows


CUTS = [("day", "MON"), ("week", "MON"), ("week", "SUN"), ("month", "MON")]


def choice(cut):
    return {"period": cut[0], "week_starts": cut[1]}


def assert_close(found, slow):
    assert len(found) == len(slow)
    for row, expected in zip(found, slow, strict=True):
        assert row == tuple(
            x if x is None or isinstance(x, dt.date) else pytest.approx(x, rel=1e-6, abs=1e-9)
            for x in expected
        )


class TestStickiness:
    def test_is_the_mean_of_a_day_over_all_of_the_week(self):
        viewer_days = pd.concat(
            [
                days_of("ann", "2024-03-04", "2024-03-05", "2024-03-10", "2024-03-11"),
                days_of("bob", "2024-03-05"),
            ]
        )

        weeks = stickiness(
            viewer_days, period="week", observed_from="2024-03-04", as_of="2024-03-24"
        )

        days = (
            ["2024-03-04", "2024-03-11", "2024-03-18"],
            ["2024-03-10", "2024-03-17", "2024-03-24"],
        )
        low, high = weeks["low"], weeks["high"]
        expected = pd.DataFrame(
            {
                "first_day": pd.to_datetime(days[0]).as_unit("us"),
                "last_day": pd.to_datetime(days[1]).as_unit("us"),
                "n_viewers": [2, 1, 0],
                "viewers_a_day": [4 / 7, 1 / 7, 0.0],
                "stickiness": [2 / 7, 1 / 7, np.nan],
                "low": low,
                "high": high,
            }
        )
        assert_frame_equal(weeks, expected)
        assert low.isna().tolist() == high.isna().tolist() == [False, False, True]

    @pytest.mark.parametrize("seed", range(6))
    @pytest.mark.parametrize("cut", CUTS[1:])
    def test_agrees_with_the_slow_reference(self, seed, cut):
        viewer_days = random_days(seed)
        first, last = START + 9 * DAY, START + 110 * DAY
        confidence = [0.95, 0.8][seed % 2]

        found = stickiness(
            viewer_days, observed_from=first, as_of=last, confidence=confidence, **choice(cut)
        )

        slow = slow_stickiness(by_viewer(viewer_days, (first, last)), HOMES, cut, confidence)
        assert_close(plain(found), slow)

    @pytest.mark.parametrize("seed", range(6))
    @pytest.mark.parametrize("cut", CUTS[1:])
    def test_with_logs_of_their_own_agrees_with_the_slow_reference(self, seed, cut):
        viewer_days, logs = random_days(seed), random_logs(seed)
        found = stickiness(viewer_days, viewers=logs, **choice(cut))
        slow = slow_stickiness(by_viewer(viewer_days, logs), HOMES, cut, 0.95)
        assert_close(plain(found), slow)

    @pytest.mark.parametrize(
        ("observed_from", "as_of", "n"),
        [("2024-03-01", "2024-04-30", 2), ("2024-03-02", "2024-04-30", 1), ("2024-03-01", "2024-04-29", 1)],
    )  # fmt: skip
    def test_only_whole_months_are_shown(self, observed_from, as_of, n):
        viewer_days = days_of("ann", "2024-03-05", "2024-04-05")
        found = stickiness(viewer_days, observed_from=observed_from, as_of=as_of)
        assert found["n_viewers"].tolist() == [1] * n

    def test_without_a_whole_period_there_is_no_row(self):
        viewer_days = days_of("ann", "2024-03-05")
        found = stickiness(viewer_days, observed_from="2024-03-02", as_of="2024-03-31")
        assert len(found) == 0
        full = stickiness(viewer_days, observed_from="2024-03-01", as_of="2024-03-31")
        assert_frame_equal(found, full[:0])

    def test_who_is_not_seen_for_the_whole_period_does_not_count_in_it(self):
        viewer_days = pd.concat([days_of("ann", "2024-03-05"), days_of("bob", "2024-03-05")])
        logs = pd.DataFrame({"viewer": ["ann", "bob"], "observed_from": "2024-02-01"})
        for as_of, n in (("2024-03-31", [0, 2]), ("2024-03-30", [0, 1])):
            own = logs.assign(as_of=["2024-03-31", as_of])
            assert stickiness(viewer_days, viewers=own)["n_viewers"].tolist() == n

    def test_a_log_too_short_for_any_period_shows_none(self):
        logs = pd.DataFrame(
            {"viewer": ["ann", "bob"], "observed_from": ["2024-03-01", "2023-01-02"]}
        ).assign(as_of=["2024-03-31", "2023-01-30"])
        found = stickiness(days_of("ann", "2024-03-05"), viewers=logs)
        assert found["first_day"].dt.strftime("%Y-%m").tolist() == ["2024-03"]

    def test_profiles_of_one_account_are_one_observation(self):
        days = pd.date_range("2024-03-01", "2024-03-31")
        profiles = [days_of(f"v{n}", *days[: 3 * n + 1]) for n in range(8)]
        log = {"observed_from": "2024-03-01", "as_of": "2024-03-31"}
        apart = stickiness(pd.concat(profiles), **log)
        homes = [p.assign(account=f"h{n // 2}") for n, p in enumerate(profiles)]
        together = stickiness(pd.concat(homes), **log)
        shown = ["n_viewers", "viewers_a_day", "stickiness"]
        assert_frame_equal(apart[shown], together[shown])
        assert together["low"][0] < apart["low"][0]
        assert together["high"][0] > apart["high"][0]

    def test_where_all_are_alike_the_interval_is_that_of_a_count(self):
        log = {"observed_from": "2024-04-01", "as_of": "2024-04-30"}
        everyone = [days_of(f"v{n}", *pd.date_range("2024-04-01", "2024-04-30")) for n in range(9)]
        found = stickiness(pd.concat(everyone), **log)
        t = stats.t.ppf(0.975, 8)
        assert found["stickiness"].tolist() == [1.0]
        assert found["low"][0] == pytest.approx(1 / (1 + t**2 / 9))
        assert found["high"][0] == pytest.approx(1.0)

    def test_one_account_bounds_next_to_nothing(self):
        log = {"observed_from": "2024-04-01", "as_of": "2024-04-30"}
        found = stickiness(days_of("ann", "2024-04-05"), **log)
        assert found["low"][0] < 0.001
        assert found["high"][0] > 0.99

    def test_the_interval_covers_the_share_about_as_often_as_it_says(self):
        rng = np.random.default_rng(5)
        shares = []
        for n_accounts in (10, 30, 100):
            # Each week is a sample of its own: accounts of 1 to 3 viewers, who watch alike.
            n_weeks = 90_000 // n_accounts
            p = np.repeat(rng.beta(1, 3, (n_weeks, n_accounts)), 3, axis=1)
            there = np.arange(3) < rng.integers(1, 4, (n_weeks, n_accounts, 1))
            p *= there.reshape(n_weeks, -1)
            week, viewer, day = np.nonzero(rng.random((*p.shape, 7)) < p[:, :, None])
            first = np.datetime64("1970-01-05")
            days = (first + (7 * week + day)).astype("datetime64[us]")
            viewer_days = pd.DataFrame({"viewer": viewer, "account": viewer // 3, "day": days})
            last = first + (7 * n_weeks - 1)
            found = stickiness(viewer_days, period="week", observed_from=first, as_of=last)
            # A share of Beta(1, 3) has mean 1/4, and no day of 7 with chance 3/10.
            true = 1 / 4 / (1 - 3 / 10)
            assert abs(found["stickiness"].mean() - true) < 0.01
            covers = (found["low"] <= true) & (true <= found["high"])
            shares.append(covers.mean())
        assert 0.93 <= np.mean(shares) <= 0.97
        assert min(shares) > 0.9

    def test_large_counts_do_not_overflow(self):
        # 20,000 viewers, half on one day and half on two: the variance of a mean is known.
        n = 20_000
        viewer = np.append(np.arange(n), np.arange(n // 2))
        days = np.repeat(pd.to_datetime(["2024-03-04", "2024-03-05"]), [n, n // 2])
        found = stickiness(
            pd.DataFrame({"viewer": viewer, "day": days}),
            period="week", observed_from="2024-03-04", as_of="2024-03-10",
        )  # fmt: skip
        reach = 1.96 * 0.5 / 7 / np.sqrt(n)
        assert found["stickiness"][0] == pytest.approx(1.5 / 7)
        assert found["high"][0] - found["low"][0] == pytest.approx(2 * reach, rel=1e-3)

    def test_needs_the_first_day(self):
        viewer_days = days_of("ann", "2024-03-05")
        with pytest.raises(ValueError, match=r"`observed_from` must be given, .*; 1 are missing"):
            stickiness(viewer_days, as_of="2024-03-31")
        logs = pd.DataFrame({"viewer": ["ann", "bob"], "as_of": "2024-03-31"})
        logs["observed_from"] = ["2024-03-01", None]
        with pytest.raises(ValueError, match=r"`observed_from` must be given, .*; 1 are missing"):
            stickiness(viewer_days, viewers=logs)
        known = logs.drop(columns="observed_from")
        found = stickiness(viewer_days, viewers=known, observed_from="2024-03-01")
        assert found["n_viewers"].tolist() == [1]

    @pytest.mark.parametrize("period", ["day", "year"])
    def test_a_day_has_no_days(self, period):
        with pytest.raises(ValueError, match=r"`period` must be one of \['week', 'month'\], got"):
            stickiness(days_of("ann", "2024-03-05"), as_of="2024-03-31", period=period)

    @pytest.mark.parametrize("confidence", [0, 1, 95])
    def test_confidence_is_a_share(self, confidence):
        with pytest.raises(ValueError, match=r"`confidence` must lie in \(0, 1\), got"):
            stickiness(days_of("ann", "2024-03-05"), as_of="2024-03-31", confidence=confidence)


class TestDaysWatched:
    viewer_days = pd.concat(
        [
            days_of("ann", "2024-03-01", "2024-03-03", "2024-03-05", "2024-03-06"),
            days_of("bob", "2024-03-05"),
            days_of("cid", "2024-02-29", "2024-03-06"),
        ]
    )

    def test_counts_viewers_by_how_many_days_they_watched_on(self):
        found = days_watched(self.viewer_days, first_day="2024-03-01", last_day="2024-03-05")

        low, high = wilson([2, 1, 1, 0, 0], 2)
        expected = pd.DataFrame(
            {
                "n_days": [1, 2, 3, 4, 5],
                "n_viewers": [1, 0, 1, 0, 0],
                "n_reaching": [2, 1, 1, 0, 0],
                "share_reaching": [1.0, 0.5, 0.5, 0.0, 0.0],
                "low": low,
                "high": high,
            }
        )
        assert_frame_equal(found, expected)

    def test_with_viewers_those_who_never_watched_count(self):
        viewers = pd.DataFrame({"viewer": ["zoe", "ann", "bob", "cid"], "as_of": "2024-03-05"})
        found = days_watched(
            self.viewer_days, first_day="2024-03-01", last_day="2024-03-05", viewers=viewers,
            confidence=0.8,
        )  # fmt: skip
        assert found["n_days"].tolist() == [0, 1, 2, 3, 4, 5]
        assert found["n_viewers"].tolist() == [2, 1, 0, 1, 0, 0]
        assert found["share_reaching"].tolist() == [1, 0.5, 0.25, 0.25, 0, 0]
        low, high = wilson(found["n_reaching"], 4, confidence=0.8)
        assert found["low"].tolist() == low.tolist()
        assert found["high"].tolist() == high.tolist()

    @pytest.mark.parametrize(
        ("observed_from", "as_of", "n"),
        [
            ("2024-03-01", "2024-03-05", 1),
            ("2024-03-02", "2024-03-05", 0),
            ("2024-03-01", "2024-03-04", 0),
            (None, "2024-03-05", 1),
        ],
    )
    def test_a_log_that_does_not_hold_the_window_is_left_out(self, observed_from, as_of, n):
        viewers = pd.DataFrame({"viewer": ["ann", "bob"], "as_of": ["2024-03-05", as_of]})
        viewers["observed_from"] = ["2024-03-01", observed_from]
        found = days_watched(
            self.viewer_days[:5], first_day="2024-03-01", last_day="2024-03-05", viewers=viewers
        )
        assert found["n_viewers"].tolist() == [0, n, 0, 1, 0, 0]

    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("cut", CUTS)
    @pytest.mark.parametrize("everyone", [False, True])
    def test_agrees_with_the_slow_reference(self, seed, cut, everyone):
        viewer_days = random_days(seed)
        first, last = START + 28 * DAY, START + 75 * DAY
        logs = random_logs(seed) if everyone else None
        found = days_watched(
            viewer_days, first_day=first, last_day=last, viewers=logs, **choice(cut)
        )
        edges = logs if everyone else (None, last)
        slow = slow_days_watched(by_viewer(viewer_days, edges), first, last, cut, everyone)
        assert [row[:3] for row in plain(found)] == slow

    def test_a_window_of_one_day_will_do(self):
        found = days_watched(self.viewer_days, first_day="2024-03-05", last_day="2024-03-05")
        assert found["n_viewers"].tolist() == [2]

    def test_a_window_has_a_start_and_then_an_end(self):
        message = "`first_day` must not come after `last_day`, got 2024-03-05 and 2024-03-04"
        with pytest.raises(ValueError, match=message):
            days_watched(self.viewer_days, first_day="2024-03-05", last_day="2024-03-04")
        with pytest.raises(ValueError, match="`first_day` must be a day such as"):
            days_watched(self.viewer_days, first_day="March", last_day="2024-03-04")
        with pytest.raises(ValueError, match="`last_day` must be a day such as"):
            days_watched(self.viewer_days, first_day="2024-03-04", last_day=None)


class TestLifecycle:
    def test_tells_new_returning_resurrecting_and_dormant_apart(self):
        viewer_days = pd.concat(
            [
                days_of("ann", "2024-03-01", "2024-03-02", "2024-03-04", "2024-03-05"),
                days_of("bob", "2024-03-02", "2024-03-05"),
            ]
        )

        found = lifecycle(viewer_days, period="day", observed_from="2024-03-01", as_of="2024-03-05")

        days = pd.date_range("2024-03-01", "2024-03-05", unit="us")
        expected = pd.DataFrame(
            {
                "first_day": days,
                "last_day": days,
                "n_new": [1, 1, 0, 0, 0],
                "n_returning": [0, 1, 0, 0, 1],
                "n_resurrecting": [0, 0, 0, 1, 1],
                "n_dormant": pd.array([None, 0, 2, 0, 0], dtype="Int64"),
                "is_complete": True,
                "may_include_earlier": pd.array([True, *[False] * 4], dtype="boolean"),
            }
        )
        assert_frame_equal(found, expected)

    @pytest.mark.parametrize(
        ("as_of", "is_complete", "dormant"),
        [("2024-03-17", True, 1), ("2024-03-16", False, None), ("2024-03-11", False, None)],
    )
    def test_nobody_is_dormant_before_the_week_is_over(self, as_of, is_complete, dormant):
        found = lifecycle(days_of("ann", "2024-03-05"), observed_from="2024-03-04", as_of=as_of)
        assert found["is_complete"].tolist() == [True, is_complete]
        assert plain(found[["n_dormant"]]) == [(None,), (dormant,)]

    @pytest.mark.parametrize(
        ("observed_from", "is_complete", "earlier"),
        [
            ("2024-03-04", [True, True, True], [True, False, False]),
            ("2024-03-05", [False, True, True], [True, True, False]),
            ("2024-03-10", [False, True, True], [True, True, False]),
            ("2024-03-11", [True, True], [True, False]),
            (None, [True, True, True], [None] * 3),
        ],
    )
    def test_what_was_before_the_log_cannot_be_seen(self, observed_from, is_complete, earlier):
        viewer_days = days_of("ann", "2024-03-10", "2024-03-11", "2024-03-20")
        found = lifecycle(viewer_days, observed_from=observed_from, as_of="2024-03-24")
        assert found["is_complete"].tolist() == is_complete
        assert [row[0] for row in plain(found[["may_include_earlier"]])] == earlier
        assert found["n_new"].tolist() == [1, 0, 0][: len(earlier)]

    def test_days_outside_the_log_are_not_used(self):
        viewer_days = days_of("ann", "2024-03-03", "2024-03-04", "2024-03-06", "2024-03-07")
        found = lifecycle(viewer_days, period="day", observed_from="2024-03-04", as_of="2024-03-06")
        assert found["n_new"].tolist() == [1, 0, 0]
        assert found["n_resurrecting"].tolist() == [0, 0, 1]

    def test_periods_in_which_nobody_watched_have_their_row(self):
        viewer_days = days_of("ann", "2024-03-20")
        found = lifecycle(viewer_days, observed_from="2024-03-04", as_of="2024-04-07")
        assert found["n_new"].tolist() == [0, 0, 1, 0, 0]
        assert plain(found[["n_dormant"]]) == [(None,), (0,), (0,), (1,), (0,)]

    def test_a_log_that_ends_makes_nobody_dormant(self):
        viewer_days = pd.concat([days_of("ann", "2024-03-05"), days_of("bob", "2024-03-05")])
        logs = pd.DataFrame({"viewer": ["ann", "bob"], "as_of": ["2024-03-17", "2024-03-24"]})
        found = lifecycle(viewer_days, viewers=logs)
        assert plain(found[["n_dormant"]]) == [(None,), (2,), (0,)]
        logs.loc[0, "as_of"] = "2024-03-16"
        found = lifecycle(viewer_days, viewers=logs)
        assert plain(found[["n_dormant"]]) == [(None,), (1,), (0,)]
        assert found["is_complete"].tolist() == [True, False, False]

    @pytest.mark.parametrize("seed", range(6))
    @pytest.mark.parametrize("cut", CUTS)
    @pytest.mark.parametrize("first", [None, 9])
    def test_agrees_with_the_slow_reference(self, seed, cut, first):
        viewer_days = random_days(seed, n=120)
        first, last = None if first is None else START + first * DAY, START + 110 * DAY
        found = lifecycle(viewer_days, observed_from=first, as_of=last, **choice(cut))
        assert plain(found) == slow_lifecycle(by_viewer(viewer_days, (first, last)), cut)

    @pytest.mark.parametrize("seed", range(6))
    @pytest.mark.parametrize("cut", CUTS)
    @pytest.mark.parametrize("known", [True, False])
    def test_with_logs_of_their_own_agrees_with_the_slow_reference(self, seed, cut, known):
        viewer_days, logs = random_days(seed, n=120), random_logs(seed)
        if not known:
            logs.loc[[0, 3], "observed_from"] = None
        found = lifecycle(viewer_days, viewers=logs, **choice(cut))
        assert plain(found) == slow_lifecycle(by_viewer(viewer_days, logs), cut)


class TestFrequencyRecency:
    def test_the_first_day_is_not_counted_and_a_day_counts_once(self):
        viewer_days = pd.concat(
            [
                days_of("bob", "2024-03-04", account="home"),
                days_of("ann", "2024-03-05", "2024-03-01", "2024-03-05", account="home"),
            ]
        )

        found = frequency_recency(viewer_days, as_of="2024-03-10")

        expected = pd.DataFrame(
            {
                "viewer": pd.Categorical(["ann", "bob"]),
                "account": pd.Categorical(["home", "home"]),
                "frequency": [1, 0],
                "recency": [4, 0],
                "T": [9, 6],
            }
        )
        assert_frame_equal(found, expected)

    @pytest.mark.parametrize(
        ("as_of", "expected"), [("2024-03-24", [[2, 2, 2]]), ("2024-03-23", [[1, 1, 1]])]
    )
    def test_a_week_that_is_not_over_is_not_used(self, as_of, expected):
        viewer_days = pd.concat(
            [days_of("ann", "2024-03-10", "2024-03-11", "2024-03-18"), days_of("bob", "2024-03-25")]
        )
        found = frequency_recency(viewer_days, period="week", as_of=as_of)
        assert found[["frequency", "recency", "T"]].to_numpy().tolist() == expected

    def test_the_first_is_the_first_that_the_log_shows(self):
        viewer_days = days_of("ann", "2024-03-01", "2024-03-04", "2024-03-05", "2024-03-08")
        found = frequency_recency(viewer_days, observed_from="2024-03-04", as_of="2024-03-06")
        assert found[["frequency", "recency", "T"]].to_numpy().tolist() == [[1, 1, 2]]

    @pytest.mark.parametrize("seed", range(6))
    @pytest.mark.parametrize("cut", CUTS)
    @pytest.mark.parametrize("own", [False, True])
    def test_agrees_with_the_slow_reference(self, seed, cut, own):
        viewer_days = random_days(seed, n=60).sample(frac=1, random_state=seed)
        logs = random_logs(seed) if own else (START + 9 * DAY, START + 100 * DAY)
        edges = {"viewers": logs} if own else {"observed_from": logs[0], "as_of": logs[1]}
        found = frequency_recency(viewer_days, **edges, **choice(cut))
        slow = slow_frequency(by_viewer(viewer_days, logs), cut)
        assert plain(found.drop(columns="account")) == [(v, *n) for v, n in slow.items()]
        assert found["account"].tolist() == [HOMES[v] for v in slow]


LOGS = random_logs(7).assign(observed_from=START)
MEASURES = {
    "stickiness": lambda days, **log: stickiness(days, period="week", **log),
    "days_watched": lambda days, as_of=None, viewers=None, **_: days_watched(
        days, first_day=START + 10 * DAY, last_day=as_of or START + 40 * DAY, viewers=viewers
    ),
    "lifecycle": lifecycle,
    "frequency_recency": frequency_recency,
}
EDGES = {
    "one for all": {"observed_from": START, "as_of": START + 100 * DAY},
    "their own": {"viewers": LOGS},
}


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@pytest.mark.parametrize("edges", EDGES.values(), ids=EDGES)
class TestWhateverIsMeasured:
    def test_order_repeats_and_titles_do_not_matter_and_the_input_stays(self, measure, edges):
        viewer_days = random_days(3)
        shuffled = pd.concat([viewer_days, viewer_days[:50]]).sample(frac=1, random_state=1)
        before = shuffled.copy(deep=True)
        found = measure(shuffled, **edges)
        assert_frame_equal(shuffled, before)
        assert_frame_equal(found, measure(viewer_days, **edges))
        whole = viewer_days.drop(columns="title").drop_duplicates(ignore_index=True)
        assert_frame_equal(found, measure(whole, **edges))

    def test_empty_in_the_same_columns_out(self, measure, edges):
        viewer_days = random_days(5)
        none = measure(viewer_days[:0], **edges)
        assert_frame_equal(none[:0], measure(viewer_days, **edges)[:0])
        assert none.select_dtypes("number").fillna(0).iloc[1:, 1:3].to_numpy().sum() == 0

    def test_no_viewers_no_rows(self, measure, edges):
        if "viewers" in edges:
            none = measure(random_days(5)[:0], viewers=LOGS[:0])
            assert len(none) == 0
            assert_frame_equal(none, measure(random_days(5), **edges)[:0])

    def test_ids_may_be_numbers_however_far_apart(self, measure, edges):
        viewer_days = random_days(6)
        expected = measure(viewer_days, **edges)
        for step in (1, 2**55):
            numbers = {v: n * step for n, v in enumerate(VIEWERS)}
            homes = {h: n * step for n, h in enumerate(sorted(set(HOMES.values())))}
            wide = viewer_days.assign(
                viewer=viewer_days["viewer"].astype("str").map(numbers),
                account=viewer_days["account"].astype("str").map(homes),
            )
            log = dict(edges)
            if "viewers" in log:
                log["viewers"] = log["viewers"].assign(viewer=log["viewers"]["viewer"].map(numbers))
            found = measure(wide, **log)
            if "viewer" in found:
                found, without = (t.drop(columns=["viewer", "account"]) for t in (found, expected))
                assert_frame_equal(found, without)
            else:
                assert_frame_equal(found, expected)

    def test_categories_that_nobody_has_and_another_order_change_nothing(self, measure, edges):
        viewer_days = random_days(6)
        other = viewer_days["viewer"].cat.set_categories(["x", *"gfedcba", "w"])
        expected, found = (
            measure(viewer_days, **edges),
            measure(viewer_days.assign(viewer=other), **edges),
        )
        if "viewer" in found:
            assert found["viewer"].tolist() == expected["viewer"].tolist()[::-1]
            found = found.astype({"viewer": "str"}).sort_values("viewer", ignore_index=True)
            expected = expected.astype({"viewer": "str"})
        assert_frame_equal(found, expected)

    @pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"])
    def test_the_zone_of_the_machine_changes_nothing(self, measure, edges, zone, monkeypatch):
        viewer_days = random_days(8)
        expected = measure(viewer_days, **edges)
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        try:
            found = measure(viewer_days, **edges)
        finally:
            monkeypatch.undo()
            time.tzset()
        assert_frame_equal(found, expected)

    def test_a_missing_column_or_viewer_is_named(self, measure, edges):
        viewer_days = random_days(4)
        with pytest.raises(
            ValueError, match=r"`viewer_days` must have columns .*missing \['day'\]"
        ):
            measure(viewer_days.drop(columns="day"), **edges)
        nobody = viewer_days["viewer"].cat.set_categories(list("abcdef"))
        with pytest.raises(ValueError, match="`viewer` must be there on every row"):
            measure(viewer_days.assign(viewer=nobody), **edges)
        if "viewers" in edges:
            some = LOGS[LOGS["viewer"] != "b"]
            with pytest.raises(ValueError, match="`viewers` must have a row for every viewer; 1"):
                measure(viewer_days, viewers=some)
            with pytest.raises(ValueError, match="one row per viewer, found 'b' twice"):
                measure(viewer_days, viewers=pd.concat([LOGS, LOGS[LOGS["viewer"] == "b"]]))


@pytest.mark.parametrize("measure", [stickiness, lifecycle, frequency_recency])
class TestWhateverHasALog:
    def test_exactly_one_of_as_of_and_viewers_is_needed(self, measure):
        for edges in ({}, {"as_of": START, "viewers": LOGS}):
            with pytest.raises(ValueError, match="Exactly one of `as_of` and `viewers`"):
                measure(random_days(1), **edges)

    def test_the_first_day_is_given_once(self, measure):
        with pytest.raises(ValueError, match="`observed_from` must be given once"):
            measure(random_days(1), viewers=LOGS, observed_from=START)

    def test_period_and_week_are_chosen_from_those_there_are(self, measure):
        edges = {"as_of": START, "observed_from": START}
        with pytest.raises(ValueError, match="`period` must be one of"):
            measure(random_days(1), period="year", **edges)
        with pytest.raises(ValueError, match="`week_starts` must be one of"):
            measure(random_days(1), week_starts="Monday", period="week", **edges)

    def test_cutting_by_viewer_adds_up(self, measure):
        viewer_days = random_days(9)
        edges = EDGES["one for all"]
        whole = measure(viewer_days, **edges)
        parts = [
            measure(viewer_days[viewer_days["viewer"].isin(list(v))], **edges)
            for v in ("ab", "cdef", "g")
        ]
        if measure is frequency_recency:
            assert_frame_equal(pd.concat(parts, ignore_index=True), whole)
        else:
            counts = [name for name in whole if name.startswith("n_")]
            assert_frame_equal(sum(part[counts] for part in parts), whole[counts])


class TestOracles:
    def test_posthog_stickiness_counts_days_that_need_not_follow_one_another(self):
        case = CASES["sticky-ph"]
        viewer_days = pd.concat([days_of(name, *case[name]) for name in ("p1", "p2")])
        for period in ("day", "week", "month"):
            found = days_watched(
                viewer_days, first_day=case["first_day"], last_day=case["last_day"],
                period=period, week_starts=case["week_starts"],
            )  # fmt: skip
            some = found[found["n_viewers"] > 0]
            assert some[["n_days", "n_viewers"]].to_numpy().tolist() == case[period]

    @pytest.mark.parametrize("name", ["sticky-everyone-every-day", "sticky-one-day-each"])
    def test_stickiness_of_all_and_of_the_least(self, name):
        case = CASES[name]
        days = pd.date_range("2024-04-01", "2024-04-30")
        rows = [
            days_of(f"v{n}", *np.resize(days, 90)[n : n + case["days_each"]])
            for n in range(case["n_viewers"])
        ]
        found = stickiness(pd.concat(rows), observed_from="2024-04-01", as_of="2024-04-30")
        assert found["stickiness"].tolist() == [pytest.approx(case["stickiness"], abs=1e-15)]
        assert found["viewers_a_day"].tolist() == [case["n_viewers"] * case["days_each"] / 30]

    def test_posthog_lifecycle(self):
        case = CASES["lifecycle-ph"]
        found = lifecycle(
            days_of("p", *case["days"]), period="day", observed_from=case["first_day"],
            as_of=case["last_day"],
        )  # fmt: skip
        days = found["first_day"].dt.strftime("%Y-%m-%d")
        for status in ("new", "returning", "resurrecting", "dormant"):
            assert days[(found[f"n_{status}"] == 1).fillna(False)].tolist() == case[status]
            assert found[f"n_{status}"].max() == 1

    def test_lifetimes_frequency_recency_and_t(self):
        case = CASES["rf-lifetimes-day"]
        viewer, day = zip(*case["rows"], strict=True)
        viewer_days = pd.DataFrame({"viewer": viewer, "day": pd.to_datetime(list(day))})
        found = frequency_recency(viewer_days, as_of=case["as_of"])
        assert plain(found.drop(columns="account")) == [tuple(row) for row in case["expected"]]

    def test_every_case_is_used_and_names_its_source(self):
        tests = Path(__file__).read_text()
        for name, case in CASES.items():
            assert f'"{name}"' in tests
            assert case["source"]
