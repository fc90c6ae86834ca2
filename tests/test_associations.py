"""Risks and rates of groups beside published tables, statsmodels and simulated households."""

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from scipy import special

from toolkit.associations import compare_groups
from toolkit.intervals import clopper_pearson, garwood

CASES = tomllib.loads(Path(__file__).with_name("oracles").joinpath("ratios.toml").read_text())
HOUSEHOLDS = [(0,), (0, 0), (0, 0, 1), (0, 0, 1, 1), (0, 1)]
SHARES = [0.49, 0.24, 0.13, 0.08, 0.06]


def two_by_two(events, others):
    """One viewer a row: with the label first."""
    cells = [events[0], events[1], others[0], others[1]]
    return pd.DataFrame(
        {
            "viewer": np.arange(sum(cells)),
            "label": np.repeat([True, False, True, False], cells),
            "y": np.repeat([True, True, False, False], cells),
        }
    )


def households(seed, n, *, base, ratio, spread, titles=0.0):
    """Viewers of households with a frailty of their own, with some titles each."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice(len(HOUSEHOLDS), n, p=SHARES)
    account = np.repeat(np.arange(n), [len(HOUSEHOLDS[kind]) for kind in kinds])
    child = np.concatenate([HOUSEHOLDS[kind] for kind in kinds]).astype(bool)
    frailty = rng.choice([1 - spread, 1 + spread], n)[account]
    if titles:
        frailty = frailty * rng.choice([1 - spread, 1 + spread], len(account))
        size = 1 + rng.poisson(titles * rng.gamma(1, 1, len(account)))
        account, child, frailty = (np.repeat(x, size) for x in (account, child, frailty))
    chance = base * np.where(child, ratio, 1) * frailty
    return pd.DataFrame({"account": account, "child": child, "y": rng.random(len(child)) < chance})


def of(table, measure, group=True):
    rows = table[(table["measure"] == measure) & (table["group"] == group)]
    return rows[["estimate", "low", "high"]].to_numpy()[0]


def sandwich(y, x, accounts, family, offset=None):
    """Coefficients and standard errors of statsmodels, with the correction c / (c - 1)."""
    kwds = {"groups": accounts, "use_correction": False}
    fit = sm.GLM(y, x, family=family, offset=offset).fit(cov_type="cluster", cov_kwds=kwds)
    c = len(np.unique(accounts))
    return fit.params, fit.bse * np.sqrt(c / (c - 1))


def test_risks_ratios_and_people_counted_by_hand():
    viewers = pd.DataFrame(
        {
            "account": ["a", "a", "b", "c", "c", "d", "e"],
            "is_kids": [True, False, True, False, False, True, False],
            "y": [1, 0, 0, 1, 0, 1, 0],
        }
    )
    table = compare_groups(viewers, outcome="y", group="is_kids")
    assert table["measure"].tolist() == [
        "risk",
        "risk",
        "risk difference",
        "risk ratio",
        "odds ratio",
    ]
    assert table["group"].tolist() == [False, True, True, True, True]
    np.testing.assert_allclose(table["estimate"], [1 / 4, 2 / 3, 5 / 12, 8 / 3, 6])
    kids = table[table["group"]].iloc[0]
    counts = ["n", "people", "events", "people_with_events"]
    assert kids[counts].tolist() == [3, 3, 2, 2]
    assert table.loc[0, counts].tolist() == [4, 3, 1, 1]


@pytest.mark.parametrize("name", CASES)
def test_published_tables(name):
    case = CASES[name]
    viewers = two_by_two(case["events"], case["others"])
    table = compare_groups(viewers, outcome="y", group="label")
    n, people = len(viewers), table["people"].min()
    # Theirs are normal quantiles, and no correction for the number of accounts.
    wider = special.stdtrit(people - 1, 0.975) / special.ndtri(0.975) * np.sqrt(n / (n - 1))
    for measure in ("risk ratio", "odds ratio"):
        estimate, low, high = case[measure.replace(" ", "_")]
        found = of(table, measure)
        assert found[0] == pytest.approx(estimate, abs=6e-5)
        np.testing.assert_allclose(
            np.log(found[1:] / found[0]),
            wider * np.log(np.array([low, high]) / estimate),
            atol=2e-4,
        )


@pytest.mark.parametrize("kind", ["risk ratio", "odds ratio", "rate ratio", "risk difference"])
def test_limits_are_those_of_a_saturated_model_of_statsmodels(kind):
    rows = households(3, 80, base=0.3, ratio=1.5, spread=0.6, titles=3)
    rng = np.random.default_rng(3)
    rows["hours"] = rng.uniform(1, 9, len(rows))
    rows["count"] = rng.poisson(rows["hours"])
    is_rate = kind == "rate ratio"
    table = compare_groups(
        rows, outcome="count" if is_rate else "y", group="child",
        exposure="hours" if is_rate else None,
    )  # fmt: skip
    y = (rows["count"] if is_rate else rows["y"]).to_numpy(float)
    x = sm.add_constant(rows["child"].to_numpy(float))
    family = sm.families.Binomial() if kind == "odds ratio" else sm.families.Poisson()
    if kind == "risk difference":
        family = sm.families.Gaussian()
    offset = np.log(rows["hours"]) if is_rate else None
    (_, b), (_, error) = sandwich(y, x, rows["account"], family, offset)
    people = rows.groupby("child")["account"].nunique().min()
    expected = b + np.array([0, -1, 1]) * special.stdtrit(people - 1, 0.975) * error
    found = of(table, kind)
    np.testing.assert_allclose(
        found if kind == "risk difference" else np.log(found), expected, atol=1e-6
    )


def test_the_interval_of_a_risk_is_that_of_an_intercept():
    rows = households(5, 60, base=0.3, ratio=1.5, spread=0.6, titles=3)
    table = compare_groups(rows, outcome="y", group="child")
    own = rows[~rows["child"]]
    # All accounts are clusters, those without such rows too.
    c, c_own = rows["account"].nunique(), own["account"].nunique()
    (b,), (error,) = sandwich(
        own["y"].to_numpy(float), np.ones(len(own)), own["account"], sm.families.Binomial()
    )
    error *= np.sqrt(c / (c - 1) * (c_own - 1) / c_own)
    expected = b + np.array([0, -1, 1]) * special.stdtrit(c_own - 1, 0.975) * error
    np.testing.assert_allclose(special.logit(of(table, "risk", group=False)), expected, atol=1e-8)


def test_rows_written_twice_tell_nothing_new():
    rows = households(7, 50, base=0.3, ratio=2, spread=0.5)
    once = compare_groups(rows, outcome="y", group="child")
    twice = compare_groups(pd.concat([rows, rows]), outcome="y", group="child")
    columns = ["estimate", "low", "high", "people", "people_with_events"]
    assert_frame_equal(once[columns], twice[columns])
    assert (twice["n"] == 2 * once["n"]).all()


def test_without_accounts_each_viewer_is_one():
    rows = two_by_two([20, 15], [60, 105])
    given_one = compare_groups(rows.assign(account=rows["viewer"]), outcome="y", group="label")
    assert_frame_equal(compare_groups(rows, outcome="y", group="label"), given_one)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.booleans()), min_size=2))
def test_swapping_the_reference_turns_ratios_over(rows):
    table = pd.DataFrame(rows, columns=["account", "g", "y"])
    if table["g"].nunique() < 2:
        return
    one = compare_groups(table, outcome="y", group="g", reference=False)
    other = compare_groups(table, outcome="y", group="g", reference=True)
    with np.errstate(divide="ignore"):
        for measure in ("risk ratio", "odds ratio"):
            back = 1 / of(other, measure, group=False)[[0, 2, 1]]
            np.testing.assert_allclose(of(one, measure), back, rtol=1e-9)
    back = -of(other, "risk difference", group=False)[[0, 2, 1]]
    np.testing.assert_allclose(of(one, "risk difference"), back, atol=1e-12)
    held = one.dropna(subset=["estimate", "low", "high"])
    assert (held["low"] <= held["estimate"]).all()
    assert (held["estimate"] <= held["high"]).all()


class TestGroups:
    def test_those_whose_group_is_unknown_are_one_of_their_own(self):
        rows = two_by_two([20, 15], [60, 105]).astype({"label": "boolean"})
        rows.loc[::7, "label"] = pd.NA
        table = compare_groups(rows, outcome="y", group="label")
        risks = table[table["measure"] == "risk"]
        assert risks["group"].isna().tolist() == [False, False, True]
        assert risks["n"].sum() == len(rows)
        assert (risks["events"].sum(), table["group"].dtype) == (35, "boolean")
        known = compare_groups(rows.dropna(), outcome="y", group="label")
        both = table[table["group"].notna()].reset_index(drop=True)
        np.testing.assert_allclose(both["estimate"], known["estimate"])

    def test_they_stand_in_order_and_the_first_is_the_reference(self):
        rows = pd.DataFrame({"viewer": range(6), "y": [1, 0, 1, 0, 1, 1]})
        rows["g"] = pd.Categorical([*"bacbac"], categories=["c", "b", "a", "none"])
        table = compare_groups(rows, outcome="y", group="g")
        assert table.loc[table["measure"] == "risk", "group"].tolist() == ["c", "b", "a"]
        assert "c" not in table.loc[table["measure"] == "risk ratio", "group"].tolist()
        table = compare_groups(rows, outcome="y", group="g", reference="a")
        assert table.loc[table["measure"] == "risk ratio", "group"].tolist() == ["c", "b"]


class TestAtTheEdge:
    ROWS = two_by_two([0, 15], [40, 105])

    def test_a_ratio_without_events_is_zero_and_one_sided(self):
        table = compare_groups(self.ROWS, outcome="y", group="label")
        own = clopper_pearson(0, 40)
        base = of(table, "risk", group=False)
        assert of(table, "risk").tolist() == [0, *own]
        assert of(table, "risk ratio") == pytest.approx([0, 0, own[1] / base[1]])
        assert of(table, "odds ratio")[2] == pytest.approx(
            own[1] / (1 - own[1]) / (base[1] / (1 - base[1]))
        )
        assert of(table, "risk difference") == pytest.approx([-base[0], -base[2], own[1] - base[1]])

    def test_accounts_are_its_trials_not_rows(self):
        rows = self.ROWS.assign(account=self.ROWS["viewer"] // 4)
        table = compare_groups(rows, outcome="y", group="label")
        people = rows.loc[rows["label"], "account"].nunique()
        assert people < 40
        assert of(table, "risk").tolist() == [0, *clopper_pearson(0, people)]

    def test_nothing_at_all_says_nothing(self):
        table = compare_groups(self.ROWS.assign(y=False), outcome="y", group="label")
        found = of(table, "risk ratio")
        assert np.isnan(found[0])
        assert found[1:].tolist() == [0, np.inf]

    def test_everyone(self):
        rows = two_by_two([40, 15], [0, 105])
        table = compare_groups(rows, outcome="y", group="label")
        assert of(table, "risk").tolist() == [1, *clopper_pearson(40, 40)]
        assert of(table, "odds ratio")[[0, 2]].tolist() == [np.inf, np.inf]
        base = of(table, "risk", group=False)
        assert of(table, "risk ratio") == pytest.approx(
            [8, clopper_pearson(40, 40)[0] / base[2], 1 / base[1]]
        )

    def test_rates(self):
        rows = self.ROWS.assign(days=2.0)
        table = compare_groups(rows, outcome="y", group="label", exposure="days")
        assert of(table, "rate") == pytest.approx([0, 0, garwood(0)[1] / 80])
        assert of(table, "rate ratio")[:2].tolist() == [0, 0]

    def test_one_account_has_no_interval(self):
        rows = two_by_two([10, 15], [30, 105])
        rows["account"] = rows["viewer"].where(~rows["label"], -1)
        table = compare_groups(rows, outcome="y", group="label")
        assert of(table, "risk")[0] == 0.25
        for measure in ("risk", "risk ratio", "risk difference"):
            assert np.isnan(of(table, measure)[1:]).all()


def test_intervals_cover_where_rows_that_count_as_independent_do_not():
    """Viewers with titles, of households with habits of their own: 250 logs each of 200 accounts."""
    ours, naive = [], []
    for seed in range(250):
        rows = households(seed, 200, base=0.12, ratio=2, spread=0.8, titles=6)
        alone = rows.assign(account=np.arange(len(rows)))
        for found, table in ((ours, rows), (naive, alone)):
            low, high = of(compare_groups(table, outcome="y", group="child"), "risk ratio")[1:]
            found.append(low <= 2 <= high)
    assert np.mean(naive) < 0.65
    assert 0.92 < np.mean(ours) < 0.97


def test_intervals_of_few_events_cover_too():
    """One row a viewer, ten children with the outcome on average."""
    covered = []
    for seed in range(300):
        rows = households(seed, 200, base=0.15, ratio=1, spread=0.8)
        table = compare_groups(rows, outcome="y", group="child")
        covered += [of(table, m)[1] <= 1 <= of(table, m)[2] for m in ("risk ratio", "odds ratio")]
    assert 0.93 < np.mean(covered) < 0.985


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"y": 2}, {}, "`y` must be True or False where no `exposure` is given, found 2"),
        ({"y": np.nan}, {}, "`y` must be known on every row; on 4 it is not"),
        ({"y": "yes"}, {}, "`y` must hold numbers, found str"),
        ({"label": True}, {}, "`label` must hold at least two groups, found 1"),
        ({"viewer": None}, {}, "`table` must have `viewer` on every row; 4 lack it"),
        ({"days": 0.0}, {"exposure": "days"}, "`y` must be 0 or more and `days` above 0, found 1"),
        (
            {"y": -1, "days": 1},
            {"exposure": "days"},
            "0 or more and `days` above 0, found -1 and 1",
        ),
        ({}, {"reference": "x"}, r"`reference` must be one of \[False, True\] of `label`, got 'x'"),
        ({}, {"confidence": 1}, "`confidence` must lie in"),
        ({}, {"outcome": "z"}, "missing \\['z'\\]"),
        ({}, {"exposure": "z"}, "missing \\['z'\\]"),
    ],
)
def test_what_is_refused(change, options, message):
    rows = two_by_two([1, 1], [1, 1]).assign(**change)
    with pytest.raises(ValueError, match=message):
        compare_groups(rows, **{"outcome": "y", "group": "label"} | options)


def test_the_input_is_left_alone():
    rows = two_by_two([3, 5], [7, 9])
    before = rows.copy()
    compare_groups(rows, outcome="y", group="label")
    assert_frame_equal(rows, before)
