"""Base levels and last gaps, beside a slow reference that follows one viewer and title at a time."""

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal

from tests.histories import copying, viewings_of
from toolkit.recency import simulate_repeats
from toolkit.rewatch import rewatch_gaps
from toolkit.rhythm import base_level, last_gaps

CASES = tomllib.loads((Path(__file__).parent / "oracles" / "rhythm.toml").read_text())
AT = "2024-02-10 00:00Z"


def random_viewings(seed, n=120):
    rng = np.random.default_rng(seed)
    viewer = rng.choice(list("abcd"), n)
    started = pd.Timestamp("2024-01-01 00:00Z") + pd.to_timedelta(
        rng.integers(0, 60 * 24, n), unit="h"
    )
    title = rng.choice(list("xyz"), n)
    viewings = pd.DataFrame({"viewer": viewer, "title": title, "started_at": started})
    return viewings.assign(
        account=viewings["viewer"].map({"a": "h1", "b": "h1", "c": "h2", "d": "h3"}),
        series=viewings["title"].map({"x": "s", "y": "s", "z": None}),
    )


class TestBaseLevel:
    def test_the_toy_of_the_relistening_paper(self):
        case = CASES["bll-toy"]
        heard = [(song, hour) for song in ("song1", "song2") for hour in case[song]]
        title, hour = zip(*heard, strict=True)
        start = pd.Timestamp("2021-01-01 00:00Z")
        viewings = pd.DataFrame(
            {
                "viewer": "user1",
                "title": title,
                "started_at": start + pd.to_timedelta(list(hour), unit="h"),
            }
        )
        levels = base_level(
            viewings,
            at=start + pd.Timedelta(hours=case["at"]),
            decay=case["decay"],
            offset_hours=case["offset_hours"],
        )
        scores = dict(zip(levels["title"], np.exp(levels["base_level"]), strict=True))
        assert scores == pytest.approx(case["scores"], abs=5e-7)
        assert levels["n_viewings"].tolist() == [4, 5]

    @pytest.mark.parametrize("by", ["title", "series"])
    @pytest.mark.parametrize(("decay", "offset"), [(0.5, 0.0), (0.5, 1.0), (1.2, 0.25), (0, 0)])
    @pytest.mark.parametrize("seed", range(2))
    def test_agrees_with_a_slow_sum(self, seed, decay, offset, by):
        viewings = random_viewings(seed)
        viewings = viewings[viewings["started_at"] != pd.Timestamp(AT)]
        traces = {}
        for row in viewings.itertuples():
            hours = (pd.Timestamp(AT) - row.started_at) / pd.Timedelta(hours=1)
            if hours >= 0:
                unit = row.series if by == "series" and isinstance(row.series, str) else row.title
                key = (row.viewer, row.account, unit)
                traces.setdefault(key, []).append((hours + offset) ** -decay)
        levels = base_level(viewings, at=AT, decay=decay, offset_hours=offset, by=by)
        expected = pd.DataFrame(
            [(*key, len(some), np.log(sum(some))) for key, some in sorted(traces.items())],
            columns=["viewer", "account", by, "n_viewings", "base_level"],
        )
        assert_frame_equal(levels, expected.astype(levels.dtypes.to_dict()))

    def test_by_default_the_textbook(self):
        viewings = random_viewings(0)
        textbook = base_level(viewings, at="2024-05-01 00:00Z", decay=0.5, offset_hours=0)
        assert_frame_equal(base_level(viewings, at="2024-05-01 00:00Z"), textbook)

    def test_only_the_time_since_matters(self):
        viewings = random_viewings(1)
        later = viewings["started_at"] + pd.Timedelta(days=100)
        moved = viewings.assign(started_at=later.dt.tz_convert("Asia/Tokyo"))
        at = pd.Timestamp(AT) + pd.Timedelta(days=100)
        assert_frame_equal(
            base_level(moved, at=at, offset_hours=1), base_level(viewings, at=AT, offset_hours=1)
        )

    def test_what_starts_later_is_not_used_and_what_starts_then_needs_an_offset(self):
        viewings = viewings_of("aaa", "xxy")
        second = "2024-01-02 20:00Z"
        levels = base_level(viewings, at=second, offset_hours=0.5)
        assert levels["n_viewings"].tolist() == [2]
        assert levels["base_level"][0] == pytest.approx(np.log(24.5**-0.5 + 0.5**-0.5))
        with pytest.raises(
            ValueError,
            match="`offset_hours` must be above 0 where viewings start at `at` itself, as 1 do",
        ):
            base_level(viewings, at=second)
        # Where traces do not fade they are all 1.
        assert base_level(viewings, at=second, decay=0)["base_level"][0] == np.log(2)

    def test_the_first_viewer_need_not_have_watched_the_first_title(self):
        levels = base_level(viewings_of("aabb", "yyxz"), at="2024-03-01 00:00Z")
        assert levels["title"].tolist() == ["y", "x", "z"]
        assert levels["n_viewings"].tolist() == [2, 1, 1]

    def test_each_viewer_may_have_an_instant_of_their_own(self):
        viewings = random_viewings(2)
        at = {v: pd.Timestamp(AT) + pd.Timedelta(minutes=90 * i) for i, v in enumerate("abcd", 1)}
        viewings["exported_at"] = viewings["viewer"].map(at)
        levels = base_level(viewings, at="exported_at", offset_hours=1)
        parts = [
            base_level(viewings[viewings["viewer"] == v], at=when, offset_hours=1)
            for v, when in at.items()
        ]
        assert_frame_equal(levels, pd.concat(parts, ignore_index=True).astype(levels.dtypes))

    def test_cutting_by_viewer_changes_nothing(self):
        viewings = random_viewings(3)
        for name in ("viewer", "title", "account"):
            viewings[name] = viewings[name].astype("category")
        parts = [viewings[viewings["viewer"].isin(list(some))] for some in ("ab", "c", "d")]
        levels = [base_level(some, at=AT, offset_hours=1) for some in parts]
        assert_frame_equal(
            pd.concat(levels, ignore_index=True), base_level(viewings, at=AT, offset_hours=1)
        )

    def test_order_does_not_matter_and_the_input_stays(self):
        viewings = random_viewings(4)
        mixed = viewings.sample(frac=1, random_state=1)
        before = mixed.copy(deep=True)
        assert_frame_equal(
            base_level(mixed, at=AT, offset_hours=1), base_level(viewings, at=AT, offset_hours=1)
        )
        assert_frame_equal(mixed, before)

    @pytest.mark.parametrize("by", ["title", "series"])
    def test_empty_in_the_same_columns_out(self, by):
        viewings = random_viewings(5)
        none = base_level(viewings.iloc[:0], at=AT, by=by)
        some = base_level(viewings, at=AT, by=by, offset_hours=1)
        assert_frame_equal(none, some.iloc[:0], check_categorical=False)
        before = base_level(viewings, at="2020-01-01 00:00Z", by=by)
        assert_frame_equal(before, none, check_categorical=False)
        later = viewings.assign(later=pd.Timestamp(AT)).iloc[:0]
        assert len(base_level(later, at="later")) == 0

    @pytest.mark.parametrize("at", ["2024-03-01", "soon", 5, "viewer", "naive", "some", pd.NaT])
    def test_refuses_an_instant_without_a_zone(self, at):
        some = pd.Series(pd.Timestamp(AT), index=range(1, 120))
        viewings = random_viewings(0).assign(naive=pd.Timestamp("2024-03-01"), some=some)
        with pytest.raises(ValueError, match="`at` must be an instant with a time zone"):
            base_level(viewings, at=at)

    @pytest.mark.parametrize("name", ["decay", "offset_hours"])
    @pytest.mark.parametrize("value", [-0.1, np.nan, np.inf])
    def test_refuses_less_than_0(self, name, value):
        with pytest.raises(ValueError, match=f"`{name}` must be 0 or more"):
            base_level(random_viewings(0), at=AT, **{name: value})

    def test_refuses_other_things(self):
        viewings = random_viewings(0)
        with pytest.raises(ValueError, match="`by` must be one of"):
            base_level(viewings, at=AT, by="viewer")
        with pytest.raises(ValueError, match="missing \\['started_at'\\]"):
            base_level(viewings.drop(columns="started_at"), at=AT)
        viewings.loc[3, "started_at"] = pd.NaT
        with pytest.raises(ValueError, match="`started_at` must be there on every viewing; 1 are"):
            base_level(viewings, at=AT)


def gaps_of(days, viewers=20):
    """The same closed gaps, in order, of one title of each viewer, and an open one."""
    viewer = np.repeat(np.arange(viewers), len(days) + 1)
    return pd.DataFrame(
        {
            "viewer": viewer,
            "title": "x",
            "viewing_no": np.tile(np.arange(len(days) + 1) + 1, viewers),
            "days_between": np.tile([*days, np.nan], viewers).astype("float64"),
            "is_open": np.tile([False] * len(days) + [True], viewers),
        }
    )


def random_gaps(seed, viewers=40, size=6, law="exponential", growth=1.0):
    """Gaps of two titles of each viewer, each at a rate of its own; the last grows."""
    rng = np.random.default_rng(seed)
    rows = []
    for viewer in range(viewers):
        for title in "xy":
            n = int(rng.integers(1, 2 * size))
            scale = rng.gamma(2.0)
            days = getattr(rng, law)(size=n) * scale
            days[-1] *= growth
            rows += [(viewer, title, i, d, False) for i, d in enumerate(days, 1)]
            rows.append((viewer, title, n + 1, np.nan, True))
    columns = ["viewer", "title", "viewing_no", "days_between", "is_open"]
    gaps = pd.DataFrame(rows, columns=columns)
    return gaps.assign(account=gaps["viewer"] // 1.5)


class TestLastGaps:
    def test_each_gap_is_relative_to_the_mean_of_its_viewer_and_title(self):
        # Mean 2: from the end 4, 1, 1.
        last = last_gaps(gaps_of([2, 1, 1, 4]), n_last=3, seed=1, n_shuffles=1000)
        assert list(last) == [
            "position", "relative_gap", "low", "high", "null", "null_low", "null_high", "n",
        ]  # fmt: skip
        assert last["position"].tolist() == [1, 2, 3]
        for name in ("relative_gap", "low", "high"):
            assert last[name].tolist() == [2, 0.5, 0.5]
        assert last["n"].tolist() == [20, 20, 20]
        # Any of the four gaps may be the last: 2 once in four, 0.5 twice and 1 once.
        assert_allclose(last["null"], 1, atol=0.02)

    @pytest.mark.parametrize("n_last", [2, 5])
    @pytest.mark.parametrize("seed", range(3))
    def test_agrees_with_a_slow_mean(self, seed, n_last):
        gaps = random_gaps(seed)
        ratios = []
        for _, some in gaps[~gaps["is_open"]].groupby(["viewer", "title"]):
            days = some.sort_values("viewing_no")["days_between"]
            if len(days) >= n_last:
                ratios.append((days / days.mean()).tolist()[::-1][:n_last])
        last = last_gaps(gaps, n_last=n_last, seed=1, n_bootstrap=50, n_shuffles=20)
        assert_allclose(last["relative_gap"], np.mean(ratios, axis=0))
        assert last["n"].tolist() == [len(ratios)] * n_last

    def test_by_default_five_positions(self):
        assert len(last_gaps(random_gaps(0), seed=1, n_bootstrap=5, n_shuffles=5)) == 5

    def test_gaps_in_random_order_lie_within_the_null_whatever_their_law(self):
        for law in ("exponential", "lognormal"):
            gaps = random_gaps(5, viewers=300, law=law)
            last = last_gaps(gaps, n_last=3, seed=1, n_bootstrap=200)
            assert_allclose(last["null"], 1, atol=0.01)
            assert last["relative_gap"].between(last["null_low"], last["null_high"]).all()
            assert (last["low"] < 1).all()
            assert (last["high"] > 1).all()

    def test_planted_growth_lies_beyond_the_null(self):
        last = last_gaps(random_gaps(5, viewers=100, growth=2.0), n_last=3, seed=1)
        assert last["low"][0] > last["null_high"][0]
        assert (last["relative_gap"] < 1).tolist() == [False, True, True]

    def test_the_end_of_the_log_makes_no_gap_grow(self):
        # Viewings at random at a rate for each viewer, seen for a while: the shuffle is fair.
        rng = np.random.default_rng(4)
        viewer, started = [], []
        for n in range(400):
            at = np.cumsum(rng.exponential(rng.gamma(2.0) + 0.2, size=200))
            at = at[at < 20]
            viewer += [n] * len(at)
            started += at.tolist()
        start = pd.Timestamp("2024-01-01 00:00Z") + pd.to_timedelta(started, unit="D").round("s")
        viewings = pd.DataFrame(
            {"viewer": viewer, "title": "x", "started_at": start, "ended_at": start}
        )
        last = last_gaps(rewatch_gaps(viewings), n_last=3, seed=1, n_bootstrap=200)
        assert last["relative_gap"].between(last["null_low"], last["null_high"]).all()

    def test_histories_that_only_copy_leave_the_null_though_nobody_is_bored(self):
        # What Benson and others warn of: titles that die out by chance have growing gaps.
        weights = 1 / np.arange(1, 21)
        viewings = copying(4, weights=weights, viewers=60, steps=150, novelty=0.2)
        last = last_gaps(rewatch_gaps(viewings), n_last=3, seed=1)
        assert last["low"][0] > last["null_high"][0]
        assert last["relative_gap"].is_monotonic_decreasing
        # Simulated with the same weights, gaps grow as much.
        table = pd.DataFrame({"lag": np.arange(1, 21), "weight": weights})
        simulated = simulate_repeats(viewings, table, seed=2)
        again = last_gaps(rewatch_gaps(simulated), n_last=3, seed=1)
        assert again["low"][0] < last["high"][0]
        assert last["low"][0] < again["high"][0]

    def test_accounts_are_what_is_drawn_anew(self):
        gaps = random_gaps(1, viewers=80).drop(columns="account")
        twin = gaps.assign(viewer=gaps["viewer"] + 1000)
        both = pd.concat([gaps, twin])
        alone = last_gaps(gaps, n_last=2, seed=1, n_shuffles=5)
        home = last_gaps(both.assign(account=both["viewer"] % 1000), n_last=2, seed=1, n_shuffles=5)
        apart = last_gaps(both, n_last=2, seed=1, n_shuffles=5)
        names = ["relative_gap", "low", "high"]
        assert_frame_equal(home[names], alone[names])
        assert (apart["high"] - apart["low"] < 0.8 * (home["high"] - home["low"])).all()
        assert home["n"].tolist() == (2 * alone["n"]).tolist()

    @pytest.mark.parametrize("confidence", [0.5, 0.95])
    def test_the_null_is_that_of_shuffles_within_viewer_and_title(self, confidence):
        gaps = random_gaps(2).sort_values(["viewer", "title", "viewing_no"])
        closed = gaps[~gaps["is_open"]]
        size = closed.groupby(["viewer", "title"])["viewing_no"].transform("size")
        used = closed[size >= 3]
        ratio = used["days_between"] / used.groupby(["viewer", "title"])["days_between"].transform(
            "mean"
        )
        rng, means = np.random.default_rng([7, 1]), []
        for _ in range(10):
            order = used.assign(ratio=ratio, by=rng.random(len(used))).sort_values("by")
            last = order.groupby(["viewer", "title"])["ratio"].apply(
                lambda r: r.iloc[:-4:-1].tolist()
            )
            means.append(np.mean(last.tolist(), axis=0))
        last = last_gaps(
            gaps, n_last=3, seed=7, n_shuffles=10, n_bootstrap=5, confidence=confidence
        )
        low, high = (1 - confidence) / 2, (1 + confidence) / 2
        assert_allclose(last["null"], np.mean(means, axis=0))
        assert_allclose(last["null_low"], np.quantile(means, low, axis=0))
        assert_allclose(last["null_high"], np.quantile(means, high, axis=0))

    def test_open_gaps_and_gaps_that_are_all_0_are_not_used(self):
        gaps = gaps_of([2, 1, 3])
        given = {"n_last": 2, "seed": 1, "n_bootstrap": 20, "n_shuffles": 20}
        expected = last_gaps(gaps, **given)
        with_open = gaps.fillna({"days_between": 50.0})
        assert_frame_equal(last_gaps(with_open, **given), expected)
        zero = gaps_of([0, 0, 0]).assign(title="zero")
        assert_frame_equal(last_gaps(pd.concat([gaps, zero]), **given), expected)
        some_zero = gaps_of([0, 3], viewers=20)
        assert last_gaps(some_zero, **given)["relative_gap"].tolist() == [2, 0]

    @pytest.mark.parametrize(("viewers", "n_last", "fine"), [(20, 2, 1), (19, 2, 0), (20, 3, 0)])
    def test_twenty_accounts_with_enough_closed_gaps_are_needed(self, viewers, n_last, fine):
        gaps = gaps_of([1, 3], viewers=viewers)
        if fine:
            assert len(last_gaps(gaps, n_last=n_last, seed=1)) == n_last
        else:
            found = viewers if n_last == 2 else 0
            with pytest.raises(
                ValueError,
                match=f"`gaps` must hold `n_last`={n_last} closed gaps of a title from at least "
                f"20 accounts, found {found}.",
            ):
                last_gaps(gaps, n_last=n_last, seed=1)

    def test_order_does_not_matter_and_the_input_stays(self):
        gaps = random_gaps(2)
        mixed = gaps.sample(frac=1, random_state=1)
        before = mixed.copy(deep=True)
        given = {"seed": 1, "n_last": 3, "n_bootstrap": 20, "n_shuffles": 20}
        assert_frame_equal(last_gaps(mixed, **given), last_gaps(gaps, **given))
        assert_frame_equal(mixed, before)

    def test_a_seed_is_needed_and_another_gives_other_intervals(self):
        gaps = random_gaps(2)
        with pytest.raises(TypeError, match="seed"):
            last_gaps(gaps)
        one, two = (last_gaps(gaps, n_last=2, seed=seed) for seed in (1, 2))
        assert one["relative_gap"].equals(two["relative_gap"])
        for name in ("low", "null"):
            assert not one[name].equals(two[name])

    @pytest.mark.parametrize(
        ("wrong", "match"),
        [
            ({"n_last": 1}, "`n_last` must be a whole number, 2 or more"),
            ({"seed": -1}, "`seed` must be a whole number, 0 or more"),
            ({"n_bootstrap": 0}, "`n_bootstrap` must be a whole number, 1 or more"),
            ({"n_shuffles": 0}, "`n_shuffles` must be a whole number, 1 or more"),
            ({"confidence": 0}, "`confidence`"),
        ],
    )
    def test_refuses(self, wrong, match):
        with pytest.raises(ValueError, match=match):
            last_gaps(random_gaps(2), **{"seed": 1} | wrong)

    @pytest.mark.parametrize("column", ["viewer", "title", "viewing_no", "days_between", "is_open"])
    def test_a_missing_column_is_named(self, column):
        with pytest.raises(ValueError, match=f"`gaps` must have .* missing \\['{column}'\\]"):
            last_gaps(random_gaps(2).drop(columns=column), seed=1)

    @pytest.mark.parametrize(("days", "found"), [(-1.0, "-1.0"), (np.nan, "nan")])
    def test_refuses_a_closed_gap_of_less_than_0_or_unknown(self, days, found):
        gaps = random_gaps(2)
        gaps.loc[gaps.index[~gaps["is_open"]][3], "days_between"] = days
        with pytest.raises(
            ValueError, match=f"`days_between` must be 0 or more where a gap is closed, .* {found}."
        ):
            last_gaps(gaps, seed=1)


def test_every_case_is_used_and_names_its_source():
    here = Path(__file__).parent
    tests = "".join((here / f"test_{name}.py").read_text() for name in ("copying", "rhythm"))
    for name, case in CASES.items():
        assert f'"{name}"' in tests
        assert case["source"]
