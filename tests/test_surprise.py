"""The claim of 53 people and 18 days under each null, and what others it can be asked of."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.test_run_laws import beta_weights, chain_weights, rejects, sequences
from toolkit.run_laws import run_probability
from toolkit.streak_nulls import NULLS, READINGS
from toolkit.surprise import _days_of_logs, audit_claim, look_elsewhere

PARAMS = {
    "independent": {"p": 0.6},
    "markov": {"p01": 0.3, "p11": 0.8},
    "beta": {"a": 0.5, "b": 1.2},
    "cure": {"share": 0.1, "p": 0.4},
    "dropout": {"p": 0.7, "leaving": 0.05},
}
CLAIM = {"people": 53, "days": 18, "as_of": "2017-12-10", "available_from": "2017-11-17"}


def weights_of(null, n, params):
    """The chance of each sequence of n days."""
    days = sequences(n)[0]
    if null == "markov":
        return chain_weights(n, **params)
    if null == "beta":
        return beta_weights(n, **params)
    p = params["p"]
    if null == "dropout":
        stay, after = 1 - params["leaving"], np.zeros(2**n)
        for left in range(n + 1):
            here = np.prod(np.where(days[:, :left], p, 1 - p), axis=1) * ~days[:, left:].any(axis=1)
            after += here * stay**left * (params["leaving"] if left < n else 1)
        return after
    alike = np.prod(np.where(days, p, 1 - p), axis=1)
    if null == "cure":
        return (1 - params["share"]) * alike + params["share"] * days.all(axis=1)
    return alike


def weights_of_kind(kind, n):
    """The chance of each sequence of n days of viewers who are alike, one day after the other."""
    chances = {(): 1.0}
    gone = {}
    for day in range(n):
        following = {}
        for days, chance in chances.items():
            p = kind.p11 if days and days[-1] else kind.p01 if day else kind.on
            gone[days] = gone.get(days, 0) + chance * kind.leaving
            following[(*days, True)] = chance * (1 - kind.leaving) * p
            following[(*days, False)] = chance * (1 - kind.leaving) * (1 - p)
        chances = following
    weights = np.zeros(2**n)
    for days, chance in [*chances.items(), *gone.items()]:
        weights[sum(1 << day for day, watched in enumerate(days) if watched)] += chance
    return weights


def holds(reading, n, k):
    days, longest, _ = sequences(n)
    if reading == "open":
        return days[:, n - k :].all(axis=1)
    return longest >= k if reading == "ever" else days.sum(axis=1) >= k


@pytest.mark.parametrize("null", NULLS)
def test_the_interval_of_a_count_holds_its_mean_often_enough(null):
    # Exact: the count of viewers who are each drawn from the null is binomial.
    counts = np.arange(61)
    audits = [audit(people=people, days=2, population=60).iloc[0] for people in counts]
    low, high = np.array([[row["low"], row["high"]] for row in audits]).T
    for k in range(1, 9):
        chance = NULLS[null].chance("open", np.array([10]), k, **PARAMS[null])[0]
        covers = (low <= 60 * chance) & (60 * chance <= high)
        assert stats.binom.pmf(counts, 60, chance)[covers].sum() >= 0.95


@pytest.mark.parametrize("to", [1e-12, 1e-6])
def test_kinds_of_viewers_who_watch_always_or_never(to):
    # The nodes of a beta law whose mass lies at both ends.
    kinds = NULLS["beta"].kinds(20, a=to, b=3 * to)
    assert sum(kind.share * kind.p11**18 for kind in kinds) == pytest.approx(0.25, abs=10 * to)
    assert sum(kind.share for kind in kinds) == pytest.approx(1)


def audit(**changes):
    return audit_claim(**(CLAIM | {"population": 1_000_000} | changes)).set_index("null")


class TestNulls:
    @pytest.mark.parametrize("reading", READINGS)
    @pytest.mark.parametrize("null", NULLS)
    def test_are_those_of_all_sequences(self, null, reading):
        for n in range(1, 13):
            weights = weights_of(null, n, PARAMS[null])
            assert weights.sum() == pytest.approx(1, abs=1e-13)
            for k in range(1, n + 1):
                # With a window too short beside it, in which nothing can happen.
                windows = np.array([n, k - 1]) if k > 1 else np.array([n])
                expected = weights[holds(reading, n, k)].sum()
                found = NULLS[null].chance(reading, windows, k, **PARAMS[null])
                assert found[0] == pytest.approx(expected, rel=1e-11)
                assert (found[1:] == 0).all()

    @pytest.mark.parametrize("null", [name for name in NULLS if name != "dropout"])
    def test_say_the_share_of_days_watched(self, null):
        for n in (1, 5, 9):
            share = weights_of(null, n, PARAMS[null]) @ sequences(n)[0].mean(axis=1)
            assert NULLS[null].daily(**PARAMS[null]) == pytest.approx(share, rel=1e-12)

    @pytest.mark.parametrize("null", ["markov", "beta", "cure"])
    @pytest.mark.parametrize("daily", [1e-4, 0.3, 0.5, 0.8])
    def test_keep_the_share_of_days_along_what_is_needed(self, null, daily):
        null = NULLS[null]
        # Next to 1 little is left of the digits of what it leaves.
        for x in np.linspace(*null.range(daily), 7)[:-1]:
            assert null.daily(**null.along(daily, x)) == pytest.approx(daily, rel=1e-9)
            assert all(value >= 0 for value in null.along(daily, x).values())

    def test_rounding_makes_no_chance_of_more_than_one(self):
        null = NULLS["markov"]
        for daily in np.linspace(0.501, 0.999, 500):
            assert null.along(daily, null.range(daily)[0])["p01"] <= 1

    @pytest.mark.parametrize("rho", [0.01, 0.5])
    def test_rho_is_the_correlation_of_two_days(self, rho):
        a, b = NULLS["beta"].along(0.3, rho).values()
        both = stats.betabinom.pmf(2, 2, a, b)
        assert (both - 0.3**2) / (0.3 * 0.7) == pytest.approx(rho)

    @pytest.mark.parametrize("null", NULLS)
    def test_kinds_together_are_the_null(self, null):
        for n in (1, 2, 7, 10):
            kinds = NULLS[null].kinds(n, **PARAMS[null])
            together = sum(kind.share * weights_of_kind(kind, n) for kind in kinds)
            assert together == pytest.approx(weights_of(null, n, PARAMS[null]), rel=1e-9)

    def test_tails_keep_their_digits(self):
        # SciPy's own is 0 here; the last term by itself is 1e-17.
        found = NULLS["beta"].chance("total", np.array([18, 19]), 18, a=0.5, b=50.0)
        assert found[0] == pytest.approx(1.2084072349901412e-17, rel=1e-9)
        assert found[0] < found[1] < 20 * found[0]


class TestAuditClaim:
    @pytest.mark.parametrize(
        ("population", "p"),
        [(1e5, 0.658), (1e6, 0.579), (5e6, 0.529), (1e7, 0.509), (5e7, 0.466), (109.25e6, 0.446)],
    )
    def test_daily_chance_that_it_takes(self, population, p):
        needed = audit(population=population)["needed"]["independent"]
        assert needed == pytest.approx(p, abs=5e-4)
        assert needed == pytest.approx((53 / population) ** (1 / 18), rel=1e-12)

    def test_the_interval_of_the_count_is_garwoods(self):
        found = audit()
        assert found["low"].unique() == pytest.approx([39.7006], abs=5e-5)
        assert found["high"].unique() == pytest.approx([69.3253], abs=5e-5)
        assert audit(confidence=0.5)["low"].iloc[0] > 45

    @pytest.mark.parametrize(("a", "b", "viewers"), [(0.05, 2, 347_000), (0.1, 5, 58e6)])
    def test_few_viewers_are_enough_if_some_are_devoted(self, a, b, viewers):
        nulls = {"beta": {"a": a, "b": b}}
        assert audit(population=round(viewers), nulls=nulls)["expected"]["beta"] == pytest.approx(53, rel=0.01)  # fmt: skip

    @pytest.mark.parametrize("reading", READINGS)
    @pytest.mark.parametrize("null", NULLS)
    def test_at_what_is_needed_it_is_expected(self, null, reading):
        days = 24 if reading == "total" else 18
        before = audit(nulls=PARAMS, reading=reading, days=days)
        needed = before["needed"][null]
        daily = NULLS[null].daily(**PARAMS[null])
        params = PARAMS[null] | NULLS[null].along(daily, needed)
        params = {name: params[name] for name in NULLS[null].params}
        after = audit(nulls={null: params}, reading=reading, days=days)
        assert after["expected"][null] == pytest.approx(53, rel=1e-7)
        assert after["note"][null].split(": ")[1].startswith("53 is expected")
        assert before["parameter"][null] == NULLS[null].needed

    def test_expects_what_the_null_says(self):
        found = audit(nulls=PARAMS, reading="ever", days=20)
        assert found["expected"]["independent"] == 1e6 * run_probability(24, 20, 0.6)
        assert found["expected"]["cure"] == pytest.approx(1e5 + 9e5 * run_probability(24, 20, 0.4))
        chance = stats.poisson.sf(52, found["expected"]["independent"])
        assert found["probability"]["independent"] == pytest.approx(chance)

    def test_each_group_has_its_own_window(self):
        nulls = {"markov": {"p01": 0.05, "p11": 0.8}}
        found = audit(
            population=[1000, 500, 70], nulls=nulls, reading="ever",
            available_from=["2017-11-17", "2017-11-23", "2017-11-24"],
        )  # fmt: skip
        apart = [
            audit(population=n, available_from=day, nulls=nulls, reading="ever")["expected"]
            for n, day in [(1000, "2017-11-17"), (500, "2017-11-23"), (70, "2017-11-24")]
        ]
        assert apart[2]["markov"] == 0 < apart[1]["markov"]
        assert found["expected"]["markov"] == pytest.approx(sum(one["markov"] for one in apart))
        assert found["longest"].unique() == [24]
        together = audit(population=[1000, 500], nulls=nulls, reading="ever")
        assert together["expected"]["markov"] == pytest.approx(1.5 * apart[0]["markov"])

    @pytest.mark.parametrize("reading", READINGS)
    def test_no_streak_is_longer_than_the_title_was_there(self, reading):
        found = audit(days=25, nulls=PARAMS, reading=reading)
        assert found["longest"].unique() == [24]
        assert (found["expected"] == 0).all()
        assert (found["probability"] == 0).all()
        assert found["needed"].isna().all()
        assert found["note"].str.contains("impossible, since there were 24 days").all()
        possible = audit(days=24, nulls=PARAMS, reading=reading)
        assert (possible["expected"] > 0).all()
        assert not possible["note"].str.contains("impossible").any()

    def test_verdicts_follow_the_interval(self):
        # 53 lies in the interval of itself, 39.70 to 69.33.
        for mean, verdict in [(39.6, "more than"), (39.8, ""), (69.2, ""), (69.4, "fewer than")]:
            nulls = {"independent": {"p": (mean / 1e6) ** (1 / 18)}}
            note = audit(nulls=nulls)["note"]["independent"]
            assert f"53 is {verdict} expected".replace("  ", " ") in note
            assert "it takes p = 0.579" in note

    def test_without_parameters_it_says_what_it_can(self):
        found = audit()
        assert found["expected"].isna().all()
        assert found["probability"].isna().all()
        assert found["needed"].notna().to_dict() == {
            "independent": True, "markov": False, "beta": False, "cure": True, "dropout": False,
        }  # fmt: skip
        assert found["needed"]["cure"] == pytest.approx(53e-6, rel=1e-12)
        assert found["note"].str.contains("what to expect is not known").all()

    def test_with_the_share_of_days_it_says_more(self):
        found = audit(daily=0.02)
        assert found["expected"]["independent"] == pytest.approx(1e6 * 0.02**18)
        assert found["needed"].isna().to_dict()["dropout"]
        assert found["needed"].notna().sum() == 4
        # Those who never miss a day, and a few of the others.
        assert found["needed"]["cure"] == pytest.approx(53e-6, rel=1e-6)
        on = 0.02 * found["needed"]["markov"] ** 17
        assert on == pytest.approx(53e-6, rel=1e-9)

    def test_what_would_not_do_is_missing(self):
        # Of all days half are watched, by viewers who are alike: 53 of 1e9 would be too few.
        found = audit(daily=0.5, population=10**9)
        assert found["needed"][["beta", "cure"]].isna().all()
        # Never a day in 18 is enough for so many.
        assert np.isnan(audit(nulls={"dropout": {"p": 0.5, "leaving": 0.9}})["needed"]["dropout"])

    def test_nobody_is_expected_where_nobody_watches(self):
        found = audit(nulls={"independent": {"p": 0}, "markov": {"p01": 0, "p11": 0.5}})
        assert found["expected"][["independent", "markov"]].tolist() == [0, 0]
        found = audit(people=0, nulls={"independent": {"p": 0.1}})
        assert found["probability"]["independent"] == 1
        assert found["needed"]["independent"] < 1e-3

    def test_a_year_of_one_film(self):
        # 1 November 2016 to 1 November 2017; 60 films a member and year.
        year = {"people": 1, "as_of": "2017-11-01", "available_from": "2016-11-01"}
        film = audit_claim(days=365, population=100_000_000, reading="ever", **year)
        film = film.set_index("null")
        assert film["longest"].unique() == [366]
        p = film["needed"]["independent"]
        assert p == pytest.approx(10 ** (-8 / 365), abs=1e-3)
        viewings = audit_claim(days=357, population=100_000_000, reading="total", **year)
        fewer = viewings.set_index("null")["needed"]["independent"]
        assert stats.binom.sf(356, 366, fewer) == pytest.approx(1e-8, rel=1e-6)
        assert fewer < p

    def test_says_what_the_wording_leaves_open(self):
        everything = audit()["undefined"]
        assert everything.nunique() == 1
        assert everything.iloc[0].split("; ") == [
            "whether people are accounts, profiles or persons",
            "the time zone of a day",
            "when a day starts",
            "how much of the title makes a day watched",
            "whether the streaks went on or had ended",
            "whether longer streaks count too",
        ]
        some = audit(defined=["zone", "unit", "length", "reading"])["undefined"].iloc[0]
        assert some == "when a day starts; how much of the title makes a day watched"

    def test_columns(self):
        assert list(audit_claim(population=100, **CLAIM)) == [
            "null", "expected", "probability", "parameter", "needed", "low", "high", "longest",
            "note", "undefined",
        ]  # fmt: skip
        assert audit().index.tolist() == list(NULLS)

    @pytest.mark.parametrize(
        ("changes", "match"),
        [
            ({"people": 1.5}, "`people` must be a whole number, 0 or more, got 1.5"),
            ({"days": 0}, "`days` must be a whole number, 1 or more, got 0"),
            ({"population": 0}, "`population` must be a whole number, 1 or more"),
            ({"population": 52}, "`people` must not exceed `population`, got 53 of 52"),
            ({"as_of": "2017-11-16"}, "`available_from` must not be after `as_of`, 2017-11-16, got 2017-11-17"),
            ({"available_from": ["2017-11-17", "2017-11-18"]}, "found 1 and 2"),
            ({"available_from": "soon"}, "`available_from` must be a day"),
            ({"reading": "past"}, "`reading` must be one of"),
            ({"daily": 0}, r"`daily` must lie in \(0, 1\), got 0"),
            ({"defined": ["wording"]}, "`defined` must be one of"),
            ({"nulls": {"magic": {}}}, "`nulls` must be one of"),
            ({"nulls": {"beta": {"alpha": 1, "b": 2}}}, r"`nulls` must give \['a', 'b'\] for 'beta', found \['alpha', 'b'\]"),
            ({"nulls": {"beta": {"a": 0, "b": 2}}}, "`a` must be above 0"),
            ({"nulls": {"dropout": {"p": 0.5, "leaving": 2}}}, "`leaving` must lie in"),
            ({"nulls": {"cure": {"share": -0.5, "p": 0.5}}}, "`share` must lie in"),
            ({"nulls": {"markov": {"p01": 0, "p11": 1}}}, "`p01` must be above 0"),
            ({"confidence": 1}, "`confidence` must lie in"),
        ],
    )  # fmt: skip
    def test_wrong_arguments(self, changes, match):
        rejects(audit_claim, **(CLAIM | {"population": 1_000_000} | changes), match=match)

    def test_days_may_be_timestamps(self):
        days = {
            "as_of": pd.Timestamp("2017-12-10"),
            "available_from": pd.to_datetime(["2017-11-17"]),
        }
        assert audit(**days).equals(audit())


class TestLookElsewhere:
    WHOLE = {"as_of": "2017-12-10", "available_from": "2017-12-05", "seed": 3}

    @pytest.mark.parametrize(("days", "least_days"), [(3, 2), (5, 2), (4, 4), (2, 1)])
    @pytest.mark.parametrize("null", NULLS)
    def test_one_viewer_is_that_of_all_sequences(self, null, days, least_days):
        n, params = 6, PARAMS[null]
        least = np.ones(2**n)
        for day in range(1, n + 1):
            for k in range(least_days, day + 1):
                mean = float(NULLS[null].chance("open", np.array([day]), k, **params)[0])
                reached = sequences(n)[0][:, day - k : day].all(axis=1)
                least = np.minimum(least, np.where(reached, stats.poisson.sf(0, mean), 1.0))
        told = stats.poisson.sf(0, NULLS[null].chance("open", np.array([n]), days, **params)[0])
        expected = weights_of(null, n, params)[least <= told * (1 + 1e-12)].sum()
        found = look_elsewhere(
            people=1, days=days, population=1, nulls={null: params}, least_days=least_days,
            n_draws=20_000, confidence=0.9999, **self.WHOLE,
        ).iloc[0]  # fmt: skip
        assert found["probability"] == pytest.approx(told, rel=1e-12)
        assert found["low"] <= expected <= found["high"]
        assert expected >= weights_of(null, n, params)[holds("open", n, days)].sum() * (1 - 1e-12)

    @pytest.mark.parametrize("null", NULLS)
    def test_simulates_what_the_null_expects(self, null):
        sizes, windows = np.array([300, 50]), np.array([8, 3])
        days = _days_of_logs(
            NULLS[null], PARAMS[null], sizes, windows, 2000, np.random.default_rng(2)
        )
        for day, (seen, reaching) in enumerate(days, start=1):
            assert seen.tolist() == [day, max(day - 5, 0)]
            for k in range(1, 9):
                mean = sizes @ NULLS[null].chance("open", seen, k, **PARAMS[null])
                error = np.sqrt(max(mean, 1e-3) / 2000)
                assert reaching[:, k].mean() == pytest.approx(mean, abs=5 * error)
        assert day == 8

    def test_more_titles_find_more(self):
        claim = {"people": 9, "days": 3, "population": 1000, "nulls": {"independent": {"p": 0.15}}}
        one, ten = (look_elsewhere(titles=n, **claim, **self.WHOLE).iloc[0] for n in (1, 10))
        assert 0 < one["probability"] < one["anywhere"] < 0.2
        for name in ("anywhere", "low", "high"):
            assert ten[name] == pytest.approx(1 - (1 - one[name]) ** 10)

    def test_agrees_with_the_audit(self):
        claim = {"people": 9, "days": 3, "population": 1000, "nulls": PARAMS}
        found = look_elsewhere(**claim, **self.WHOLE, n_draws=10)
        days = {name: self.WHOLE[name] for name in ("as_of", "available_from")}
        audited = audit_claim(**claim, **days)
        assert found["null"].tolist() == audited["null"].tolist()
        assert found["probability"].tolist() == audited["probability"].tolist()

    def test_what_no_simulation_reaches_is_bounded_by_the_sum_of_chances(self):
        claim = {"people": 53, "days": 5, "population": 1000, "nulls": {"independent": {"p": 0.15}}}
        found = look_elsewhere(titles=1000, **claim, **self.WHOLE).iloc[0]
        assert found["anywhere"] == found["low"] == 0
        # Lengths from 2 to the day, for days 2 to 6.
        assert found["high"] == pytest.approx(1000 * 15 * found["probability"])
        assert found["high"] < 1e-60

    def test_few_draws_stay_within_their_interval(self):
        claim = {"people": 4, "days": 3, "population": 100, "nulls": {"independent": {"p": 0.2}}}
        found = [look_elsewhere(n_draws=3, **claim, **(self.WHOLE | {"seed": seed})).iloc[0] for seed in range(60)]  # fmt: skip
        assert all(one["low"] <= one["anywhere"] <= one["high"] for one in found)
        assert max(one["anywhere"] for one in found) > 0

    def test_the_impossible_is_nowhere(self):
        claim = {"people": 1, "days": 7, "population": 1000, "nulls": PARAMS}
        found = look_elsewhere(**claim, **self.WHOLE)
        assert (found[["probability", "anywhere", "high"]] == 0).all(axis=None)

    def test_the_seed_decides_for_each_null_by_itself(self):
        claim = {"people": 9, "days": 3, "population": 1000}
        both = look_elsewhere(nulls={"beta": PARAMS["beta"], "independent": {"p": 0.15}}, **claim, **self.WHOLE)  # fmt: skip
        one = look_elsewhere(nulls={"independent": {"p": 0.15}}, **claim, **self.WHOLE)
        assert both.iloc[1].equals(one.iloc[0].rename(1))
        other = look_elsewhere(nulls={"independent": {"p": 0.15}}, **claim, **(self.WHOLE | {"seed": 4}))  # fmt: skip
        assert other["anywhere"][0] != one["anywhere"][0]

    @pytest.mark.parametrize(
        ("changes", "match"),
        [
            ({"titles": 0}, "`titles` must be a whole number, 1 or more, got 0"),
            ({"least_days": 0}, "`least_days` must be a whole number, 1 or more"),
            ({"n_draws": 0}, "`n_draws` must be a whole number, 1 or more"),
            ({"people": -1}, "`people` must be a whole number, 0 or more"),
            ({"nulls": {"magic": {}}}, "`nulls` must be one of"),
            ({"confidence": 0}, "`confidence` must lie in"),
        ],
    )
    def test_wrong_arguments(self, changes, match):
        claim = {"people": 9, "days": 3, "population": 1000, "nulls": {"independent": {"p": 0.1}}}
        rejects(look_elsewhere, **(claim | self.WHOLE | changes), match=match)
