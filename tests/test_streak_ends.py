"""How streaks end, beside a slow count, Kaplan and Meier's curve and simulated laws."""

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy import stats

from toolkit.intervals import clopper_pearson, kaplan_meier
from toolkit.streak_ends import streak_survival
from toolkit.streaks import find_streaks

TOP10 = tomllib.loads(Path(__file__).with_name("oracles").joinpath("survival.toml").read_text())[
    "netflix-top10-runs"
]
COLUMNS = ["n_days", "at_risk", "people", "ended", "hazard", "survival", "low", "high", "n_left_out", "n_start_unknown"]  # fmt: skip


def streaks_of(*rows, **columns):
    """Streaks of (viewer, n_days, is_open) on some days."""
    viewer, n_days, is_open = zip(*rows, strict=True) if rows else ((),) * 3
    first = pd.Timestamp("2024-03-01").as_unit("us")
    frame = pd.DataFrame(
        {
            "viewer": pd.Categorical(viewer),
            "first_day": pd.Series(first, index=range(len(rows)), dtype="datetime64[us]"),
            "last_day": pd.to_datetime([first + pd.Timedelta(days=n - 1) for n in n_days]),
            "n_days": np.array(n_days, dtype="int64"),
            "is_open": np.array(is_open, dtype=bool),
            "may_start_earlier": pd.array([False] * len(rows), dtype="boolean"),
        }
    )
    return frame.assign(**columns)


def random_streaks(seed, n=150, accounts=30):
    rng = np.random.default_rng(seed)
    viewer = rng.integers(0, accounts, n)
    goes_on = rng.beta(4, 2, accounts)[viewer]
    rows = zip(viewer.tolist(), rng.geometric(1 - goes_on).tolist(), rng.random(n) < 0.2, strict=True)  # fmt: skip
    return streaks_of(
        *rows,
        account=pd.Categorical(viewer // 2),
        title=pd.Categorical(rng.choice(list("xyz"), n)),
        may_start_earlier=pd.array(rng.choice([True, False, False, None], n), dtype="boolean"),
    )


def slow_survival(streaks, confidence=0.95):
    """One length and one account after the other."""
    n_left_out = int((streaks["may_start_earlier"] == True).sum())  # noqa: E712
    n_unknown = int(streaks["may_start_earlier"].isna().sum())
    rows = [
        r for r in streaks.itertuples() if pd.isna(r.may_start_earlier) or not r.may_start_earlier
    ]
    seen = [r for r in rows if r.n_days > 1 or not r.is_open]
    accounts = sorted({r.account for r in seen})
    n = len(accounts)
    survival, greenwood, sums, table = 1.0, 0.0, dict.fromkeys(accounts, 0.0), []
    high_before, k = 1.0, 1
    while True:
        at_risk = [r for r in rows if r.n_days > k or (r.n_days == k and not r.is_open)]
        if not at_risk:
            return pd.DataFrame(table, columns=COLUMNS)
        ended = [r for r in at_risk if r.n_days == k]
        people = len({r.account for r in at_risk})
        hazard = len(ended) / len(at_risk)
        survival *= 1 - hazard
        left = len(at_risk) - len(ended)
        if left:
            greenwood += len(ended) / (len(at_risk) * left)
            for account in accounts:
                own = [sum(r.account == account for r in some) for some in (ended, at_risk)]
                sums[account] += (own[0] - hazard * own[1]) / left
        tail = (1 - confidence) / 2
        if survival == 1:
            low, high = clopper_pearson(people, people, confidence=confidence)
        elif survival == 0:
            low, high = 0.0, min(high_before, 1 - tail ** (1 / people))
        elif n == 1:
            low, high = 0.0, 1.0
        else:
            variance = max(sum(total**2 for total in sums.values()), greenwood) * n / (n - 1)
            reach = stats.t.ppf(1 - tail, n - 1) * np.sqrt(variance) / np.log(survival)
            low, high = survival ** np.exp(-reach), survival ** np.exp(reach)
        high_before = high
        table.append([k, len(at_risk), people, len(ended), hazard, survival, low, high, n_left_out, n_unknown])  # fmt: skip
        k += 1


class TestStreakSurvival:
    def test_the_share_of_each_day_is_of_those_whose_next_day_was_seen(self):
        streaks = streaks_of(
            ("ann", 1, False), ("ann", 2, True), ("bob", 2, False), ("cat", 3, False), ("dan", 5, True)
        )  # fmt: skip
        expected = pd.DataFrame(
            {
                "n_days": [1, 2, 3, 4],
                "at_risk": [5, 3, 2, 1],
                "people": [4, 3, 2, 1],
                "ended": [1, 1, 1, 0],
                "hazard": [1 / 5, 1 / 3, 1 / 2, 0],
                "survival": [0.8, 0.8 * 2 / 3, 0.8 / 3, 0.8 / 3],
            }
        )
        curve = streak_survival(streaks)
        assert_frame_equal(curve[list(expected)], expected)
        assert list(curve) == COLUMNS

    @pytest.mark.parametrize("confidence", [0.8, 0.95])
    @pytest.mark.parametrize("seed", range(8))
    def test_agrees_with_a_slow_count(self, seed, confidence):
        streaks = random_streaks(seed)
        curve = streak_survival(streaks, confidence=confidence)
        assert_frame_equal(curve, slow_survival(streaks, confidence))

    @pytest.mark.parametrize("seed", range(4))
    def test_agrees_with_a_slow_count_of_few_accounts(self, seed):
        streaks = random_streaks(seed, n=25, accounts=2 + 2 * seed)
        assert_frame_equal(streak_survival(streaks), slow_survival(streaks))

    @pytest.mark.parametrize("groups", ["title", ["title", "viewer"], ["arm"]])
    def test_each_group_has_a_curve_of_its_own(self, groups):
        streaks = random_streaks(3, n=300).assign(arm=pd.array([1, 2, None] * 100, dtype="Int64"))
        parts = []
        for key, some in streaks.groupby(groups, observed=True, dropna=False):
            names = [groups] if isinstance(groups, str) else groups
            part = slow_survival(some)
            for at, (name, value) in enumerate(zip(names, key if isinstance(key, tuple) else (key,), strict=True)):  # fmt: skip
                part.insert(at, name, pd.Series([value] * len(part), dtype=streaks[name].dtype))
            parts.append(part)
        slow = pd.concat([part for part in parts if len(part)], ignore_index=True)
        assert_frame_equal(streak_survival(streaks, groups=groups), slow)

    @pytest.mark.parametrize("seed", range(5))
    def test_is_the_curve_of_kaplan_and_meier_where_each_account_has_one_streak(self, seed):
        rng = np.random.default_rng(seed)
        n_days, is_open = rng.geometric(0.3, 80), rng.random(80) < 0.3
        streaks = streaks_of(*zip(range(80), n_days.tolist(), is_open, strict=True))
        curve = streak_survival(streaks).set_index("n_days")
        # An open streak is known to outlast the day before its last.
        known = n_days - is_open
        seen = known > 0
        theirs = kaplan_meier(known[seen], ~is_open[seen]).set_index("time")
        lengths = theirs.index
        pairs = [("at_risk", "at_risk"), ("people", "at_risk"), ("ended", "events"), ("survival", "survival")]  # fmt: skip
        for ours, other in pairs:
            assert curve.loc[lengths, ours].tolist() == pytest.approx(theirs[other].tolist())
        sf = stats.ecdf(stats.CensoredData.right_censored(known[seen], is_open[seen])).sf
        assert curve["survival"].to_numpy() == pytest.approx(sf.evaluate(curve.index))
        # But for few accounts' larger variance and Student's t the intervals are the same.
        inner = theirs.query("0 < survival < 1").index
        n = seen.sum()
        wider = stats.t.ppf(0.975, n - 1) / stats.norm.ppf(0.975) * np.sqrt(n / (n - 1))
        for end in ("low", "high"):
            centre = np.log(-np.log(curve.loc[inner, "survival"]))
            ours, other = (np.log(-np.log(t.loc[inner, end])) - centre for t in (curve, theirs))
            assert ours.to_numpy() == pytest.approx(wider * other.to_numpy())

    def test_streaks_that_may_begin_earlier_are_left_out_and_counted(self):
        some = [("ann", 1, False), ("bob", 2, False), ("cat", 4, False), ("dan", 9, True)]
        all_but_dan = streak_survival(streaks_of(*some[:3]))
        curve = streak_survival(streaks_of(*some, may_start_earlier=[False, False, False, True]))
        assert_frame_equal(curve, all_but_dan.assign(n_left_out=1))

    def test_streaks_of_unknown_start_are_taken_as_they_are_seen_and_counted(self):
        some = [("ann", 1, False), ("bob", 2, False), ("cat", 4, False)]
        known = streak_survival(streaks_of(*some))
        assert known[["n_left_out", "n_start_unknown"]].to_numpy().tolist() == [[0, 0]] * 4
        unknown = streaks_of(*some, may_start_earlier=[False, None, None])
        assert_frame_equal(streak_survival(unknown), known.assign(n_start_unknown=2))
        never = streaks_of(*some).drop(columns="may_start_earlier")
        assert_frame_equal(streak_survival(never), known.assign(n_start_unknown=3))

    def test_left_out_streaks_are_counted_in_their_group(self):
        streaks = streaks_of(
            ("ann", 2, False), ("ann", 3, False), ("bob", 1, False), ("bob", 1, False), ("bob", 1, True),
            ("cat", 1, True), title=list("xxyyzw"), may_start_earlier=[True, False, None, False, False, False],
        )  # fmt: skip
        curve = streak_survival(streaks, groups="title")
        columns = ["title", "n_days", "n_left_out", "n_start_unknown"]
        # Of w and z nothing was seen but that they had begun.
        expected = [["x", 1, 1, 0], ["x", 2, 1, 0], ["x", 3, 1, 0], ["y", 1, 0, 1]]
        assert curve[columns].to_numpy().tolist() == expected

    def test_a_title_that_left_the_catalogue_ends_no_streak(self):
        days = pd.to_datetime(["2024-03-01", "2024-03-02", "2024-03-03"])
        viewer_days = pd.DataFrame({"viewer": "ann", "title": "Heat", "day": days})
        titles = pd.DataFrame(
            {"title": ["Heat"], "available_from": [pd.NaT], "available_until": ["2024-03-03"]}
        )
        when = {"as_of": "2024-03-31", "observed_from": "2024-01-01"}
        broken = streak_survival(find_streaks(viewer_days, **when))
        assert broken["ended"].tolist() == [0, 0, 1]
        kept = streak_survival(find_streaks(viewer_days, titles=titles, **when))
        assert kept["n_days"].tolist() == [1, 2]
        assert kept["ended"].tolist() == [0, 0]

    def test_takes_what_find_streaks_gives(self):
        days = ["2024-03-01", "2024-03-03", "2024-03-04", "2024-03-09", "2024-03-10"]
        viewer_days = pd.DataFrame({"viewer": "ann", "day": pd.to_datetime(days)})
        curve = streak_survival(find_streaks(viewer_days, as_of="2024-03-10", observed_from="2024-03-01"))  # fmt: skip
        # The first may be older; the last may go on.
        assert curve[["at_risk", "ended", "n_left_out"]].to_numpy().tolist() == [[2, 0, 1], [1, 1, 1]]  # fmt: skip

    def test_one_account_tells_nothing_of_others(self):
        streaks = streaks_of(("ann", 1, False), ("ann", 2, False), ("ann", 2, False))
        curve = streak_survival(streaks)
        assert curve["low"].tolist() == [0, 0]
        assert curve["high"].tolist() == [1, pytest.approx(0.975)]

    def test_accounts_alike_by_chance_do_not_make_it_sure(self):
        alike = streak_survival(streaks_of(*[(v, n, False) for v in "abc" for n in (1, 3)]))
        assert alike["survival"].tolist() == [0.5, 0.5, 0]
        assert alike["low"][0] < 0.1
        assert alike["high"][0] > 0.85

    def test_is_wider_where_the_streaks_of_an_account_resemble_each_other(self):
        rows = [(v, 1 if v % 2 else 9, False) for v in range(20) for _ in range(8)]
        clustered = streak_survival(streaks_of(*rows)).iloc[0]
        loose = streak_survival(streaks_of(*rows, account=np.arange(160))).iloc[0]
        assert clustered["survival"] == loose["survival"] == 0.5
        ratio = (clustered["high"] - clustered["low"]) / (loose["high"] - loose["low"])
        assert ratio == pytest.approx(np.sqrt(8), rel=0.1)
        # Two profiles of one account are one cluster.
        shared = streak_survival(streaks_of(*rows, account=[v // 2 for v, _, _ in rows])).iloc[0]
        assert shared["people"] == 10

    def test_intervals_cover_as_often_as_they_say(self):
        """Simulated accounts, each with a chance of its own to go on and a log of its own."""
        rng = np.random.default_rng(11)
        n_days, covers = [1, 3, 6], []
        truth = np.array([stats.betabinom.pmf(k, k, 6, 2) for k in n_days])
        for accounts in (20, 50, 200):
            for _ in range(150):
                viewer = np.repeat(np.arange(accounts), 1 + rng.poisson(3, accounts))
                lasts = rng.geometric(1 - rng.beta(6, 2, accounts)[viewer])
                cut = rng.integers(1, 40, len(viewer))
                streaks = pd.DataFrame({"viewer": viewer, "n_days": np.minimum(lasts, cut)})
                days = {"first_day": pd.Timestamp(0), "last_day": pd.Timestamp(0)}
                curve = streak_survival(streaks.assign(is_open=lasts >= cut, **days))
                row = curve.set_index("n_days").loc[n_days]
                covers.append((row["low"] <= truth) & (truth <= row["high"]))
        assert 0.93 <= np.mean(covers) <= 0.97

    def test_streaks_alive_on_a_day_are_long_in_proportion_to_their_length(self):
        """Simulated: of those alive on a day a share of k n(k) is k days long."""
        rng = np.random.default_rng(2)
        n = 200_000
        lasts, start = rng.geometric(0.25, n), rng.integers(0, 400, n)
        rows = pd.DataFrame({"viewer": np.arange(n), "n_days": lasts, "is_open": False})
        days = [pd.Timestamp("2024-01-01") + pd.to_timedelta(d, unit="D") for d in (start, start + lasts - 1)]  # fmt: skip
        streaks = rows.assign(first_day=days[0], last_day=days[1])
        day = pd.Timestamp("2024-01-01") + pd.Timedelta(days=200)
        alive = streaks[(streaks["first_day"] <= day) & (streaks["last_day"] >= day)]
        k = np.arange(1, 200)
        law = stats.geom.pmf(k, 0.25)
        honest = streak_survival(streaks)["survival"][:9]
        assert honest.to_numpy() == pytest.approx(stats.geom.sf(k[:9], 0.25), abs=0.005)
        biased = streak_survival(alive)["survival"][:9]
        sizes = k * law / (k * law).sum()
        assert biased.to_numpy() == pytest.approx(1 - np.cumsum(sizes)[:9], abs=0.06)
        assert alive["n_days"].mean() == pytest.approx((k**2 * law).sum() / 4, rel=0.1)

    def test_order_does_not_matter_and_the_streaks_stay_as_they_are(self):
        streaks = random_streaks(5)
        before = streaks.copy()
        curve = streak_survival(streaks, groups="title")
        shuffled = streaks.sample(frac=1, random_state=1)
        assert_frame_equal(streak_survival(shuffled, groups="title"), curve)
        assert_frame_equal(streaks, before)

    def test_without_accounts_each_viewer_is_one(self):
        streaks = random_streaks(6)
        alone = streak_survival(streaks.drop(columns="account"))
        assert_frame_equal(alone, streak_survival(streaks.assign(account=streaks["viewer"])))

    def test_nothing_seen_makes_an_empty_curve_with_the_same_columns(self):
        full = streak_survival(random_streaks(1), groups="title")
        for none in (
            random_streaks(1)[:0],
            random_streaks(1).assign(may_start_earlier=True),
            streaks_of(("ann", 1, True), title=pd.Categorical(["x"])),
        ):
            empty = streak_survival(none, groups="title")
            assert empty.empty
            assert empty.drop(columns="title").dtypes.equals(full.drop(columns="title").dtypes)
            assert list(streak_survival(none)) == COLUMNS
            assert list(empty) == ["title", *COLUMNS]

    def test_refuses(self):
        streaks = random_streaks(1)

        def rejects(frame, match, **kwargs):
            with pytest.raises(ValueError, match=match):
                streak_survival(frame, **kwargs)

        rejects(streaks.drop(columns="is_open"), r"missing \['is_open'\]")
        rejects(streaks, r"missing \['country'\]", groups="country")
        for name in ("hazard", "people", "n_left_out"):
            clash = streaks.assign(**{name: 1})
            rejects(clash, rf"`groups` must not be columns of the result, got \['{name}'\]", groups=[name])  # fmt: skip
        rejects(streaks.assign(n_days=0, is_open=False), "`n_days` must be 1 or more on every streak")  # fmt: skip
        rejects(
            streaks.assign(n_days=0, is_open=True), "`n_days` must be 1 or more on every streak"
        )
        rejects(streaks.assign(account=None), "`account` must be there on every row")
        for confidence in (0, 1, 95):
            rejects(streaks, r"`confidence` must lie in \(0, 1\), got", confidence=confidence)


def test_runs_in_netflix_own_weekly_lists():
    path = Path(__file__).parents[2] / "shared" / "data" / "netflix_top10_global.tsv"
    if not path.exists():
        pytest.skip("the weekly lists are not here")
    rows = pd.read_csv(path, sep="\t", keep_default_na=False, parse_dates=["week"])
    title = rows[["category", "show_title", "season_title"]].agg("|".join, axis=1)
    weeks = pd.DataFrame({"viewer": title, "day": rows["week"]})
    first, last = rows["week"].min(), rows["week"].max()
    starts = first.day_name()[:3].upper()
    runs = find_streaks(weeks, as_of=last + pd.Timedelta(days=6), observed_from=first, period="week", week_starts=starts)  # fmt: skip
    assert len(runs) == TOP10["n_runs"]
    assert runs["is_open"].sum() == TOP10["n_open"]
    assert runs["may_start_earlier"].sum() == TOP10["n_may_start_earlier"]
    assert runs["n_days"].max() == TOP10["longest"]
    assert runs["n_days"].value_counts().sort_index()[:10].tolist() == TOP10["n_of_length"]
    published = kaplan_meier(runs["n_days"], ~runs["is_open"])["survival"][:6]
    assert published.tolist() == pytest.approx(TOP10["survival"], abs=5e-5)
    # Ours leaves out what may be older, and counts no run as over its last week.
    ours = streak_survival(runs)
    assert ours["n_left_out"][0] == TOP10["n_may_start_earlier"]
    assert ours["survival"][:6].tolist() == pytest.approx(TOP10["survival"], abs=0.002)
    assert (ours["survival"][:6] < published).all()
