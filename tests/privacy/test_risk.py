"""Unicity and the scoreboard attack beside plain sets, loops and logs with known answers."""

import datetime as dt
import itertools
import math
import statistics
import zoneinfo

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from toolkit import order
from toolkit.intervals import wilson
from toolkit.privacy import risk
from toolkit.privacy.risk import risk_sentence, scoreboard_attack, unicity
from toolkit.tables import exclude

WHEN = ["never", "month", "week", "day", "hour"]
COUNTS = ["when", "n_known", "n_viewers", "n_probes", "n_unique"]
ZONES = ["Europe/Berlin", "Asia/Kolkata", "America/St_Johns"]


def plays_of(*rows, **columns):
    """A plays table of (viewer, title, start) rows."""
    frame = pd.DataFrame(rows, columns=["viewer", "title", "started_at"])
    started = pd.to_datetime(frame["started_at"], utc=True, format="ISO8601")
    return frame.assign(started_at=started, **columns)


def random_plays(seed, n=400, n_viewers=12, n_titles=9, days=40):
    """Few titles and days around a change of the clock, so that traces overlap."""
    rng = np.random.default_rng(seed)
    minutes = rng.integers(0, days * 48, n) * 30
    return pd.DataFrame(
        {
            "viewer": rng.integers(0, n_viewers, n) * 7 - 20,
            "title": [f"title {t}" for t in rng.zipf(1.5, n) % n_titles],
            "series": pd.Categorical(rng.choice(["s", "title 3", None], n)),
            "started_at": pd.Timestamp("2024-10-10", tz="UTC") + pd.to_timedelta(minutes, unit="m"),
            "tz": pd.Categorical(rng.choice(ZONES, n)),
        }
    )


def time_bin(instant, tz, when, precision="second"):
    """The period in which a clock shows an instant, by Python's calendar."""
    clock = instant.to_pydatetime().astimezone(zoneinfo.ZoneInfo(tz))
    if precision == "day":
        clock = instant.to_pydatetime()
    date = clock.date()
    return {
        "never": 0,
        "month": (date.year, date.month),
        "week": date - dt.timedelta(days=date.weekday()),
        "day": date,
        "hour": (date, 0 if precision == "day" else clock.hour),
    }[when]


def traces_of(plays, when, tz="UTC", by="title"):
    """{viewer: sorted distinct points}"""
    found = {}
    for row in plays.itertuples():
        if pd.notna(getattr(row, "excluded", None)):
            continue
        unit = row.title if by == "title" or pd.isna(row.series) else row.series
        zone = getattr(row, tz) if tz in plays else tz
        point = (unit, time_bin(row.started_at, zone, when, getattr(row, "precision", "second")))
        found.setdefault(row.viewer, set()).add(point)
    return {viewer: sorted(found[viewer]) for viewer in sorted(found)}


def recorded(monkeypatch, name):
    """What a function of the module returned, call after call."""
    results, function = [], getattr(risk, name)

    def call(*args, **kwargs):
        results.append((args, function(*args, **kwargs)))
        return results[-1][1]

    monkeypatch.setattr(risk, name, call)
    return results


def slow_counts(plays, when, known, draws, **kwargs):
    """Count with sets who are singled out by the points that were drawn."""
    counts = []
    for period, n_known in itertools.product(when, known):
        traces = traces_of(plays, period, **kwargs)
        names, (_, (drawn, places)) = list(traces), draws.pop(0)
        enough = {viewer for viewer in traces if len(traces[viewer]) >= n_known}
        assert {names[who] for who in drawn} <= enough
        assert len(set(drawn.tolist())) == len(drawn)
        n_unique = 0
        for who, where in zip(drawn, places, strict=True):
            points = {traces[names[who]][place] for place in where}
            assert len(points) == n_known
            n_unique += sum(points <= set(trace) for trace in traces.values()) == 1
        counts.append((period, n_known, len(enough), len(drawn), n_unique))
    assert not draws
    return counts


def counts_of(table):
    return list(table[COUNTS].itertuples(index=False, name=None))


class TestUnicity:
    @pytest.mark.parametrize("seed", range(6))
    @pytest.mark.parametrize(
        "kwargs", [{"tz": "UTC"}, {"tz": "Europe/Berlin"}, {"tz": "tz", "by": "series"}]
    )
    def test_against_sets(self, monkeypatch, seed, kwargs):
        plays, draws = random_plays(seed), recorded(monkeypatch, "_drawn")
        plays["precision"] = pd.Categorical(np.where(np.arange(len(plays)) % 5, "minute", "day"))
        midnight = plays["started_at"].dt.normalize()
        plays["started_at"] = plays["started_at"].mask(plays["precision"] == "day", midnight)
        plays = exclude(plays, np.arange(len(plays)) % 11 == seed, reason="trailer")
        known = [1, 2, 3, 9]
        table = unicity(plays, known=known, when=WHEN, n_probes=9, seed=seed, **kwargs)
        assert counts_of(table) == slow_counts(plays, WHEN, known, draws, **kwargs)
        assert (table["n_viewers"] < 12).any()
        assert table["n_unique"].between(1, table["n_probes"] - 1).any()

    def test_against_sets_where_most_are_not_alone(self, monkeypatch):
        """Traces of two are the same but for one point, so that long lists are searched."""
        plays = random_plays(3, n=1200, n_viewers=60, n_titles=40)
        twins = plays.assign(viewer=plays["viewer"] + 1)
        plays = pd.concat([plays, twins[(twins["viewer"] % 2 == 0) | (twins.index % 30 > 0)]])
        draws = recorded(monkeypatch, "_drawn")
        table = unicity(plays, tz="UTC", known=[2, 12], when=WHEN, seed=3)
        assert counts_of(table) == slow_counts(plays, WHEN, [2, 12], draws)
        hours = table[table["when"] == "hour"]
        assert (hours["n_unique"] > 0).all()
        assert (hours["n_unique"] < hours["n_probes"]).all()

    def test_is_the_mean_over_viewers_and_sets_of_points(self):
        plays = random_plays(1, n=60, n_viewers=5, n_titles=4)
        traces = [set(trace) for trace in traces_of(plays, "week").values()]
        shares = []
        for trace in traces:
            sets = list(itertools.combinations(sorted(trace), 3))
            alone = [sum(set(points) <= other for other in traces) == 1 for points in sets]
            shares.append(np.mean(alone))
        drawn = [
            unicity(plays, tz="UTC", known=[3], when=["week"], n_probes=4, seed=seed)["unicity"][0]
            for seed in range(150)
        ]
        assert 0.1 < np.mean(shares) < 0.9
        error = np.std(drawn) / np.sqrt(len(drawn))
        assert np.mean(drawn) == pytest.approx(np.mean(shares), abs=3.5 * error)

    def test_every_set_of_points_is_as_likely(self):
        drawn, places = risk._drawn(np.full(20_000, 5), 3, 20_000, seed=1)
        assert sorted(drawn.tolist()) == list(range(20_000))
        orders, counts = np.unique(places, axis=0, return_counts=True)
        assert len(orders) == 5 * 4 * 3
        chi2 = ((counts - 20_000 / 60) ** 2 / (20_000 / 60)).sum()
        assert chi2 < 59 + 5 * np.sqrt(2 * 59)

    def test_viewers_are_drawn_evenly_and_keep_the_points_they_have(self):
        sizes, n_drawn = np.tile([2, 4, 9], 4), np.zeros(12)
        for seed in range(300):
            two, places = risk._drawn(sizes, 2, 4, seed)
            n_drawn[two] += 1
            four, more = risk._drawn(sizes, 4, 4, seed)
            assert (sizes[four] >= 4).all()
            # Those drawn for more points are the same, less those who have too few.
            kept = [who for who in two if sizes[who] >= 4]
            assert four[: len(kept)].tolist() == kept
            assert (more[: len(kept), :2] == places[np.isin(two, kept)]).all()
        assert np.abs(n_drawn - 100).max() < 4 * np.sqrt(100)

    def test_viewers_with_the_same_trace_are_not_singled_out(self):
        rows = [("Heat", "2024-03-01 20:00"), ("Up", "2024-03-02 20:00"), ("Up", "2024-05-02")]
        plays = plays_of(*[(viewer, *row) for viewer in ("ann", "bob") for row in rows])
        table = unicity(plays, tz="UTC", known=[1, 2, 3], when=WHEN, seed=1)
        assert table["n_unique"].tolist() == [0] * 15
        assert (table["high"] < 1).equals(table["n_probes"] > 0)
        # Whoever has one more is singled out by all of hers.
        plays = pd.concat([plays, plays_of(("bob", "Up", "2024-07-01"))])
        table = unicity(plays, tz="UTC", known=[4], when=["day"], seed=1)
        assert counts_of(table) == [("day", 4, 1, 1, 1)]

    def test_viewers_without_a_title_in_common_always_are(self):
        plays = plays_of(*[(n, f"{n} {t}", "2024-03-01") for n in range(5) for t in range(3)])
        table = unicity(plays, tz="UTC", known=[1, 2, 3], when=WHEN, seed=1)
        assert table["n_unique"].tolist() == [5] * 15
        assert table["unicity"].tolist() == [1.0] * 15

    def test_too_few_points_are_not_drawn_but_a_rewatch_in_another_bin_is_a_point(self):
        plays = plays_of(
            ("ann", "Heat", "2024-03-01 20:10"),
            ("ann", "Heat", "2024-03-01 20:50"),
            ("ann", "Heat", "2024-03-01 21:10"),
            ("bob", "Up", "2024-03-01 20:10"),
        )
        table = unicity(plays, tz="UTC", known=[1, 2, 3], when=["day", "hour"], seed=1)
        assert table["n_viewers"].tolist() == [2, 0, 0, 2, 1, 0]
        assert table["n_probes"].tolist() == [2, 0, 0, 2, 1, 0]
        nobody = table[table["n_probes"] == 0]
        assert nobody["unicity"].isna().all()
        assert (nobody["low"].tolist(), nobody["high"].tolist()) == ([0.0] * 3, [1.0] * 3)

    def test_points_are_cut_on_the_clock(self):
        def n_unique(first, second, when, zone, **columns):
            plays = plays_of(("ann", "Heat", first), ("bob", "Heat", second), **columns)
            return unicity(plays, tz=zone, known=[1], when=[when], seed=1)["n_unique"][0]

        berlin = "Europe/Berlin"
        # The clock shows 02:30 twice; from 01:59 it goes to 03:00.
        assert n_unique("2024-10-27 00:30", "2024-10-27 01:30", "hour", berlin) == 0
        assert n_unique("2024-10-27 00:30", "2024-10-27 01:30", "hour", "UTC") == 2
        assert n_unique("2024-03-31 00:59", "2024-03-31 01:00", "hour", berlin) == 2
        assert n_unique("2024-03-01 20:10", "2024-03-01 20:40", "hour", "Asia/Kolkata") == 2
        assert n_unique("2024-03-01 20:40", "2024-03-01 21:20", "hour", "Asia/Kolkata") == 0
        # 23:59 and midnight on a Sunday that ends March.
        for when in ("day", "week", "month"):
            assert n_unique("2024-03-31 21:59", "2024-03-31 22:00", when, berlin) == 2
            assert n_unique("2024-03-31 21:59", "2024-03-31 22:00", when, "UTC") == 0
        assert n_unique("2024-12-30 12:00", "2025-01-05 12:00", "week", berlin) == 0
        assert n_unique("2024-12-30 12:00", "2025-01-05 12:00", "month", berlin) == 2
        # Each on a clock of her own, both at eight in the evening.
        zones = {"tz": [berlin, "America/New_York"]}
        assert n_unique("2024-01-10 19:00", "2024-01-11 01:00", "hour", "tz", **zones) == 0
        assert n_unique("2024-01-10 19:00", "2024-01-11 01:00", "day", berlin) == 2
        # A date is the same everywhere, and has no hour.
        days = {"precision": "day"}
        assert n_unique("2024-01-10", "2024-01-10", "hour", "America/New_York", **days) == 0
        assert n_unique("2024-01-31", "2024-02-01", "month", "America/New_York", **days) == 2

    def test_more_points_and_closer_times_never_single_out_fewer(self):
        """Nobody plays a title twice, so that all rows tell of the same plays of the same."""
        rng = np.random.default_rng(2)
        rows = [
            (n, f"title {t}", pd.Timestamp("2024-01-01") + pd.Timedelta(hours=rng.integers(1500)))
            for n in range(300)
            for t in rng.choice(15, 9, replace=False)
        ]
        known = list(range(1, 10))
        table = unicity(plays_of(*rows), tz="UTC", known=known, when=WHEN, n_probes=250, seed=5)
        n_unique = table["n_unique"].to_numpy().reshape(len(WHEN), len(known))
        assert (np.diff(n_unique, axis=0) >= 0).all()
        assert (np.diff(n_unique, axis=1) >= 0).all()
        assert len(np.unique(n_unique)) > 12
        assert (table["n_probes"] == 250).all()

    def test_other_rows_of_the_table_change_none(self):
        plays = random_plays(4)
        table = unicity(plays, tz="UTC", known=[1, 2, 4], when=WHEN, n_probes=6, seed=2)
        one = unicity(plays, tz="UTC", known=2, when="week", n_probes=6, seed=2)
        rows = table[(table["n_known"] == 2) & (table["when"] == "week")]
        assert_frame_equal(one, rows.reset_index(drop=True))
        swapped = unicity(plays, tz="UTC", known=[4, 2], when=["hour", "day"], n_probes=6, seed=2)
        assert [row[:2] for row in counts_of(swapped)] == [
            ("hour", 4),
            ("hour", 2),
            ("day", 4),
            ("day", 2),
        ]

    def test_another_seed_draws_others(self):
        plays = random_plays(4)
        tables = [unicity(plays, tz="UTC", n_probes=3, seed=seed) for seed in (1, 1, 2)]
        assert_frame_equal(tables[0], tables[1])
        assert not tables[0].equals(tables[2])

    def test_excluded_rows_hide_and_give_nothing(self):
        plays = random_plays(5)
        mask = np.random.default_rng(5).random(len(plays)) < 0.3
        marked = unicity(exclude(plays, mask, reason="zapped"), tz="UTC", seed=1)
        assert_frame_equal(marked, unicity(plays[~mask], tz="UTC", seed=1))

    def test_columns_and_intervals(self):
        table = unicity(random_plays(6), tz="UTC", seed=1, confidence=0.8)
        assert list(table) == [*COUNTS, "unicity", "low", "high"]
        assert [str(d) for d in table.dtypes] == ["str", *["int64"] * 4, *["float64"] * 3]
        low, high = wilson(table["n_unique"], table["n_probes"], confidence=0.8)
        assert (table["low"].tolist(), table["high"].tolist()) == (low.tolist(), high.tolist())
        assert table["unicity"].tolist() == (table["n_unique"] / table["n_probes"]).tolist()

    @pytest.mark.parametrize(
        ("kwargs", "match"),
        [
            ({"known": [2, 0]}, "`known` must be a whole number, 1 or more, got 0"),
            ({"known": [1.5]}, "`known` must be a whole number, 1 or more, got 1.5"),
            ({"when": ["day", "year"]}, r"`when` must be one of \['never', .* got 'year'"),
            ({"by": None}, "`by` must be one of"),
            ({"n_probes": 0}, "`n_probes` must be a whole number, 1 or more"),
            ({"seed": -1}, "`seed` must be a whole number, 0 or more"),
            ({"confidence": 1}, r"`confidence` must lie in \(0, 1\)"),
            ({"tz": "Berlin"}, "`tz` must be the name of a time zone"),
        ],
    )
    def test_refuses(self, kwargs, match):
        with pytest.raises(ValueError, match=match):
            unicity(random_plays(1), **{"tz": "UTC", "seed": 1, **kwargs})


def slow_scores(plays, believed, with_days):
    """Score every viewer against (title, day) facts, a day being a whole number."""
    records = {}
    for row in plays.itertuples():
        day = (row.started_at - pd.Timestamp(0, tz="UTC")) // pd.Timedelta("1D")
        records.setdefault(row.viewer, []).append((row.title, day))
    support = {t: sum(any(u == t for u, _ in r) for r in records.values()) for t, _ in believed}
    scores = {}
    for viewer in sorted(records):
        scores[viewer] = 0.0
        for title, day in believed:
            days_off = [abs(d - day) for t, d in records[viewer] if t == title]
            if days_off:
                similar = 1 + math.exp(-min(days_off) / 30) if with_days else 1
                scores[viewer] += similar / math.log(max(support[title], 2))
    return scores


def slow_outcome(scores, viewer, threshold):
    """Whom the attack names, by the letter of the algorithm, and whether the right one leads."""
    second, best = sorted([0.0, *scores.values()])[-2:]
    sigma = statistics.pstdev(scores.values())
    first = [name for name in scores if scores[name] == best]
    leads = first == [viewer]
    if best == second or (best - second) < threshold * sigma:
        return "no match", leads
    return ("identified" if leads else "misidentified"), leads


def days_of(log, rows):
    return set(log.day[rows[0] : rows[1]].tolist())


class TestScoreboardAttack:
    SHARES = ["identified", "misidentified", "no match", "ranked first"]

    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize(
        ("known", "wrong", "days_off", "threshold"),
        [(4, 1, 14, 1.5), (3, 0, 3, 0.5), (3, 2, 0, 1.0), (4, 1, None, 1.0), (2, 2, 5, 0.3)],
    )
    def test_against_the_letter_of_the_algorithm(
        self, monkeypatch, seed, known, wrong, days_off, threshold
    ):
        plays = random_plays(seed, n=300, n_viewers=25, n_titles=19, days=120)
        draws = recorded(monkeypatch, "_believed")
        table = scoreboard_attack(
            plays, tz="UTC", known=known, wrong=wrong, days_off=days_off, threshold=threshold,
            n_probes=20, seed=seed,
        )  # fmt: skip
        viewers, titles = sorted(set(plays["viewer"])), sorted(set(plays["title"]))
        outcomes = []
        for (_, log, own, *_), (units, days) in draws:
            believed = [(titles[unit], day) for unit, day in zip(units, days, strict=True)]
            scores = slow_scores(plays, believed, days_off is not None)
            viewer = viewers[log.viewer[log.pair[own[0]]]]
            outcomes.append(slow_outcome(scores, viewer, threshold))
        expected = [sum(o == name for o, _ in outcomes) for name in self.SHARES[:3]]
        assert table["n"].tolist() == [*expected, sum(first for _, first in outcomes)]
        n_titles = plays.groupby("viewer")["title"].nunique()
        able = (n_titles >= known) & (n_titles + wrong <= len(titles))
        assert (table["n_viewers"] == able.sum()).all()
        assert (table["n_probes"] == min(20, able.sum())).all()

    def test_the_second_best_of_many(self, monkeypatch):
        plays = random_plays(2, n=6000, n_viewers=900, n_titles=80)
        draws = recorded(monkeypatch, "_believed")
        attack = {"tz": "UTC", "known": 3, "wrong": 0, "n_probes": 12, "seed": 1}
        table = scoreboard_attack(plays, threshold=1.5, **attack)
        viewers, titles = sorted(set(plays["viewer"])), sorted(set(plays["title"]))
        outcomes = []
        for (_, log, own, *_), (units, days) in draws:
            scores = slow_scores(
                plays, [(titles[u], d) for u, d in zip(units, days, strict=True)], True
            )
            outcomes.append(slow_outcome(scores, viewers[log.viewer[log.pair[own[0]]]], 1.5)[0])
        assert table["n"].tolist()[:3] == [outcomes.count(name) for name in self.SHARES[:3]]

    def test_outcomes_of_the_letter_vary(self):
        """So that the test above tells them apart."""
        table = scoreboard_attack(
            random_plays(0, n=300, n_viewers=25, n_titles=19, days=120),
            tz="UTC", known=4, wrong=1, threshold=1.0, n_probes=20, seed=0,
        )  # fmt: skip
        assert (table["n"].drop(1) > 0).all()

    def test_what_is_believed(self, monkeypatch):
        plays = random_plays(7, n=2000, n_viewers=40, n_titles=60, days=300)
        draws = recorded(monkeypatch, "_believed")
        scoreboard_attack(plays, tz="UTC", known=5, wrong=2, days_off=3, seed=1)
        assert len(draws) == 40
        for (_, log, own, *_), (units, days) in draws:
            played = {log.unit[log.pair[o]]: log.day[log.pair[o] : log.pair[o + 1]] for o in own}
            assert len({*units.tolist()}) == 5
            assert [unit in played for unit in units] == [True] * 3 + [False] * 2
            for unit, day in zip(units[:3], days[:3], strict=True):
                assert np.abs(played[unit] - day).min() <= 3
            assert (log.day.min() <= days).sum() >= 2
        scoreboard_attack(plays, tz="UTC", known=5, wrong=2, days_off=0, seed=1)
        for (_, log, own, *_), (units, days) in draws[40:]:
            played = {log.unit[log.pair[o]]: log.day[log.pair[o] : log.pair[o + 1]] for o in own}
            assert all(days[n] in played[units[n]] for n in range(3))

    def test_titles_plays_and_mistakes_are_drawn_evenly(self):
        """One viewer with titles 0 to 3 of ten, one of them played on two days, forty apart."""
        plays = plays_of(*[(0, t, f"2024-01-{10 + t}") for t in range(4)], (0, 3, "2024-02-22"))
        plays = pd.concat([plays, plays_of(*[(1, t, "2024-01-01") for t in range(10)])])
        log = risk._log(*risk._columns(plays, "UTC", "title"))
        own = np.flatnonzero(log.viewer[log.pair[:-1]] == 0)
        rng = np.random.default_rng(3)
        drawn = [risk._believed(rng, log, own, 1, 1, 2) for _ in range(6000)]
        units, days = (np.array(values) for values in zip(*drawn, strict=True))
        expected = 6000 / np.arange(4, 0, -1)

        def evenly(values, among):
            counts = np.array([(values == value).sum() for value in among])
            assert counts.sum() == len(values)
            assert np.abs(counts - len(values) / len(among)).max() < 5 * np.sqrt(expected[0])

        start = int(log.day.min())
        evenly(units[:, 0], range(4))
        evenly(units[:, 1], range(4, 10))
        evenly(days[:, 1], range(start, start + 53))
        evenly(days[units[:, 0] == 0, 0] - start - 9, range(-2, 3))
        late = days[units[:, 0] == 3, 0] - start > 30
        evenly(late, [False, True])

    def test_viewers_without_a_title_in_common_are_identified(self):
        plays = plays_of(*[(n, f"{n} {t}", "2024-03-01") for n in range(3) for t in range(3)])
        attack = {"tz": "UTC", "known": 3, "wrong": 0, "seed": 1}
        assert scoreboard_attack(plays, **attack)["n"].tolist() == [3, 0, 0, 3]
        # One score of three that is not 0 leads by 3 / sqrt(2) standard deviations.
        assert scoreboard_attack(plays, threshold=2.12, **attack)["n"].tolist() == [3, 0, 0, 3]
        assert scoreboard_attack(plays, threshold=2.13, **attack)["n"].tolist() == [0, 0, 3, 3]
        # And of two by exactly two.
        two = plays[plays["viewer"] < 2]
        assert scoreboard_attack(two, threshold=2, **attack)["n"].tolist() == [2, 0, 0, 2]
        one = plays[plays["viewer"] < 1]
        assert scoreboard_attack(one, **attack)["n"].tolist() == [1, 0, 0, 1]

    def test_viewers_with_the_same_plays_are_not(self):
        plays = plays_of(*[(n, t, "2024-03-01") for n in range(2) for t in range(3)])
        table = scoreboard_attack(plays, tz="UTC", known=3, wrong=0, seed=1)
        assert table["n"].tolist() == [0, 0, 2, 0]

    def test_whoever_is_all_wrong_names_others(self):
        plays = plays_of(*[(n, n, "2024-03-01") for n in range(4)])
        table = scoreboard_attack(plays, tz="UTC", known=1, wrong=1, seed=1)
        assert table["n"].tolist() == [0, 4, 0, 0]

    def test_days_tell_viewers_of_the_same_titles_apart(self):
        starts = [f"2024-0{month}-01" for month in (1, 4, 7)]
        plays = plays_of(*[(n, t, start) for n, start in enumerate(starts) for t in range(3)])
        attack = {"tz": "UTC", "known": 3, "wrong": 0, "seed": 1}
        assert scoreboard_attack(plays, **attack, days_off=0)["n"].tolist() == [3, 0, 0, 3]
        assert scoreboard_attack(plays, **attack, days_off=None)["n"].tolist() == [0, 0, 3, 0]

    def test_days_are_cut_on_the_clock(self, monkeypatch):
        plays = plays_of(("ann", "Heat", "2024-03-01 23:30"), ("bob", "Up", "2024-03-01 23:30"))
        draws = recorded(monkeypatch, "_believed")
        for tz in ("UTC", "Europe/Berlin"):
            scoreboard_attack(plays, tz=tz, known=1, wrong=0, days_off=0, n_probes=1, seed=1)
        assert [days.tolist() for _, (_, days) in draws] == [[19783], [19784]]

    def test_who_can_be_drawn(self):
        titles = {"all": 4, "most": 3, "some": 2, "few": 1}
        plays = plays_of(*[(who, t, "2024-03-01") for who, n in titles.items() for t in range(n)])

        def n_viewers(**kwargs):
            table = scoreboard_attack(plays, tz="UTC", seed=1, **kwargs)
            assert (table["n_viewers"] == table["n_probes"]).all()
            return table["n_viewers"][0]

        assert [n_viewers(known=n, wrong=0) for n in range(1, 6)] == [4, 3, 2, 1, 0]
        assert [n_viewers(known=2, wrong=n) for n in range(3)] == [3, 2, 1]

    def test_by_series(self):
        plays = plays_of(*[(n, f"{n} {t}", "2024-03-01") for n in range(3) for t in range(3)])
        plays = plays.assign(series=pd.Categorical(["s"] * 9))
        attack = {"tz": "UTC", "known": 1, "wrong": 0, "seed": 1}
        assert scoreboard_attack(plays, **attack)["n"].tolist() == [3, 0, 0, 3]
        assert scoreboard_attack(plays, by="series", **attack)["n"].tolist() == [0, 0, 3, 0]

    def test_columns_and_intervals(self):
        table = scoreboard_attack(random_plays(6), tz="UTC", known=3, wrong=1, seed=1, n_probes=9, confidence=0.8)  # fmt: skip
        assert list(table) == ["outcome", "n_viewers", "n_probes", "n", "share", "low", "high"]
        assert [str(d) for d in table.dtypes] == ["str", *["int64"] * 3, *["float64"] * 3]
        assert table["outcome"].tolist() == self.SHARES
        assert table["n"][:3].sum() == table["n_probes"][0]
        low, high = wilson(table["n"], table["n_probes"], confidence=0.8)
        assert (table["low"].tolist(), table["high"].tolist()) == (low.tolist(), high.tolist())
        assert table["share"].tolist() == (table["n"] / table["n_probes"]).tolist()

    @pytest.mark.parametrize(
        ("kwargs", "match"),
        [
            ({"known": 0}, "`known` must be a whole number, 1 or more"),
            ({"wrong": -1}, "`wrong` must be a whole number, 0 or more"),
            ({"known": 2, "wrong": 3}, "`wrong` must be at most `known`=2, got 3"),
            ({"days_off": 1.5}, "`days_off` must be a whole number, 0 or more"),
            ({"threshold": 0}, "`threshold` must be above 0, got 0"),
            ({"threshold": np.nan}, "`threshold` must be above 0, got nan"),
            ({"by": "film"}, "`by` must be one of"),
            ({"n_probes": 0}, "`n_probes` must be a whole number, 1 or more"),
            ({"seed": None}, "`seed` must be a whole number, 0 or more"),
            ({"confidence": 0}, r"`confidence` must lie in \(0, 1\)"),
        ],
    )
    def test_refuses(self, kwargs, match):
        with pytest.raises(ValueError, match=match):
            scoreboard_attack(random_plays(1), **{"tz": "UTC", "seed": 1, **kwargs})


def both(plays):
    """Both tables, of fewer viewers than there are."""
    found = unicity(plays, tz="UTC", known=[1, 2, 4], when=["never", "week", "hour"], n_probes=8, seed=1)  # fmt: skip
    return [found, scoreboard_attack(plays, tz="UTC", known=3, wrong=1, n_probes=8, seed=1)]


def assert_same(plays, others):
    for table, other in zip(both(plays), others, strict=True):
        assert_frame_equal(table, other)


class TestBoth:
    def test_the_order_of_rows_does_not_matter(self):
        plays = random_plays(8)
        assert_same(plays.sample(frac=1, random_state=1), both(plays))
        assert_same(plays.sort_values(["title", "viewer"], ascending=False), both(plays))

    def test_other_names_in_the_same_order_give_the_same(self):
        plays = random_plays(8)
        names = {n: f"v{rank:02d}" for rank, n in enumerate(sorted(set(plays["viewer"])))}
        assert_same(plays.assign(viewer=plays["viewer"].map(names)), both(plays))
        numbers = {name: rank * 2**57 for rank, name in enumerate(sorted(set(plays["title"])))}
        assert_same(plays.assign(title=plays["title"].map(numbers)), both(plays))
        far = plays.assign(viewer=plays["viewer"].rank(method="dense").astype("int64") * 2**58)
        assert_same(far, both(plays))

    def test_categories_without_a_row_do_not_matter(self):
        plays = random_plays(8).astype({"viewer": "str"})
        ids = sorted({*plays["viewer"]} | {str(n) for n in range(-60, 60)})
        titles = [f"title {n}" for n in range(10, 40)] + sorted(set(plays["title"]))
        many = plays.astype({"viewer": pd.CategoricalDtype(ids)})
        many = many.astype({"title": pd.CategoricalDtype(titles)})
        assert_same(many, both(plays))

    @pytest.mark.parametrize("size", [1, 5, 64])
    def test_blocks_do_not_show(self, monkeypatch, size):
        plays = random_plays(9, n=900, n_viewers=40)
        whole = both(plays)
        monkeypatch.setattr(order, "BLOCK", size)
        monkeypatch.setattr(risk, "BLOCK", size)
        monkeypatch.setattr(risk, "_PROBES", 3)
        assert_same(plays, whole)

    def test_of_no_plays_no_shares(self):
        plays = random_plays(9)
        tables = both(plays)
        for empty in (plays[:0], exclude(plays, [True] * len(plays), reason="zapped")):
            for table, of_none in zip(tables, both(empty), strict=True):
                assert list(of_none) == list(table)
                assert of_none.dtypes.equals(table.dtypes)
                assert of_none.iloc[:, 0].tolist() == table.iloc[:, 0].tolist()
                assert (of_none[["n_viewers", "n_probes"]] == 0).all(axis=None)
                assert of_none.iloc[:, -3].isna().all()

    def test_plays_are_not_changed(self):
        plays = random_plays(9)
        before = plays.copy(deep=True)
        both(plays)
        assert_frame_equal(plays, before)

    def test_only_latest_dates_and_two_accounts_are_no_obstacle(self):
        plays = random_plays(9)
        other = plays.assign(row_is="latest", account=np.arange(len(plays)) % 3)
        assert_same(other, both(plays))

    @pytest.mark.parametrize(
        ("function", "kwargs"), [(unicity, {}), (scoreboard_attack, {"known": 1, "wrong": 0})]
    )
    def test_no_id_is_told(self, function, kwargs):
        canary, title = "v_canary", "t_canary"
        plays = plays_of(*[(canary, title, "2024-03-01 20:00"), ("v_2", "t_2", "2024-03-02")] * 3)
        table = function(plays, tz="UTC", seed=1, **kwargs)
        told = table.to_csv() + repr(table) + repr(table.attrs)
        broken = [
            plays.assign(viewer=plays["viewer"].where(plays.index > 2)),
            plays.assign(title=plays["title"].where(plays.index > 2)),
            plays.assign(started_at=plays["started_at"].where(plays.index > 2)),
            plays.assign(zone="nowhere"),
            plays.drop(columns="title"),
        ]
        for some in broken:
            with pytest.raises(ValueError, match="must") as error:
                function(some, tz="zone" if "zone" in some else "UTC", seed=1, **kwargs)
            told += str(error.value)
        assert "canary" not in told


class TestRiskSentence:
    def table(self, **columns):
        row = {"when": "day", "n_known": 4, "n_viewers": 100_000, "n_probes": 10_000}
        row |= {"n_unique": 9_960, "unicity": 0.996, "low": 0.99456, "high": 0.99705}
        return pd.DataFrame([row | columns])

    def test_says_what_is_known_who_was_drawn_and_how_sure_it_is(self):
        assert risk_sentence(self.table()) == (
            "4 known plays with their day single out 99.6 % of viewers "
            "(99.5 to 99.7 %; 10,000 drawn of 100,000)."
        )

    @pytest.mark.parametrize(
        ("when", "known", "start"),
        [
            ("never", 2, "2 known plays without a date single out "),
            ("never", 1, "1 known play without a date singles out "),
            ("month", 1, "1 known play with its month singles out "),
            ("week", 8, "8 known plays with their week single out "),
            ("hour", 2, "2 known plays with their hour single out "),
        ],
    )
    def test_one_play_and_each_time(self, when, known, start):
        rows = [{}, {"when": when, "n_known": 9}, {"when": when, "n_known": known, "unicity": 0.0}]
        table = pd.concat([self.table(**row) for row in rows])
        text = risk_sentence(table, known=known, when=when)
        assert text.startswith(f"{start}0.0 % of viewers (")

    def test_of_a_table(self):
        table = unicity(random_plays(1), tz="UTC", known=[1], when=["month"], seed=1)
        assert risk_sentence(table, known=1, when="month").endswith("; 12 drawn of 12).")
        nobody = unicity(random_plays(1)[:3], tz="UTC", known=[4, 1], seed=1)
        assert risk_sentence(nobody, when="hour") == (
            "No viewer has 4 plays to be known with their hour."
        )

    def test_refuses(self):
        with pytest.raises(ValueError, match=r"`table` must have a row of \(4, 'week'\), found"):
            risk_sentence(self.table(), when="week")
        with pytest.raises(ValueError, match=r"`table` must have columns"):
            risk_sentence(self.table().drop(columns="low"))
