"""Adjusted ratios beside statsmodels with all accounts spelled out, and planted truths."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from pandas.testing import assert_frame_equal
from scipy import special
from statsmodels.discrete.conditional_models import ConditionalLogit
from statsmodels.discrete.discrete_model import NegativeBinomial

from toolkit.associations import compare_groups
from toolkit.ratio_models import fit_ratios

FAMILIES = {"poisson": sm.families.Poisson(), "logit": sm.families.Binomial()}


def simulated(seed, n=150, *, ratio=1.6, by_z=1.3, favoured=0.0):
    """Four viewers to an account, with exposures, a covariate, and habits of the account.

    With `favoured`, accounts that watch more have more children.
    """
    rng = np.random.default_rng(seed)
    account = np.repeat(np.arange(n), 4)
    habit = rng.normal(size=n)[account] * 0.7
    table = pd.DataFrame({"account": account, "z": rng.normal(size=4 * n)})
    table["is_kids"] = rng.random(4 * n) < special.expit(favoured * habit - 0.5)
    table["place"] = rng.choice(["DE", "FR", "US"], 4 * n)
    table["days"] = rng.uniform(1, 6, 4 * n)
    log_mean = np.log(ratio) * table["is_kids"] + np.log(by_z) * table["z"] + habit - 1
    table["count"] = rng.poisson(np.exp(log_mean) * table["days"])
    table["any"] = rng.random(4 * n) < np.minimum(np.exp(log_mean - 0.5), 1)
    return table


def clustered(y, x, accounts, family, offset=None):
    """Ratios and limits that statsmodels gives, with c / (c - 1) and Student's quantile."""
    kwds = {"groups": accounts, "use_correction": False}
    fit = sm.GLM(y, x, family=family, offset=offset).fit(cov_type="cluster", cov_kwds=kwds)
    c = accounts.nunique()
    reach = special.stdtrit(c - 1, 0.975) * fit.bse * np.sqrt(c / (c - 1))
    return np.exp(np.column_stack([fit.params, fit.params - reach, fit.params + reach]))


def limits(table):
    return table[["estimate", "low", "high"]].to_numpy()


class TestBesideStatsmodels:
    @pytest.mark.parametrize("model", FAMILIES)
    def test_shares(self, model):
        table = simulated(1)
        found = fit_ratios(
            table, outcome="any", group="is_kids", adjust=["z", "place"], model=model
        )
        x = pd.DataFrame({"1": 1.0, "is_kids": table["is_kids"], "z": table["z"]})
        for place in ("FR", "US"):
            x[place] = table["place"] == place
        expected = clustered(
            table["any"].astype(float), x.astype(float), table["account"], FAMILIES[model]
        )
        assert found["term"].tolist() == ["is_kids=True", "z", "place=FR", "place=US"]
        np.testing.assert_allclose(limits(found), expected[1:], rtol=1e-6)
        assert (found["n"], found["people"], found["events"])[2].iloc[0] == table["any"].sum()
        assert found[["n", "people"]].drop_duplicates().to_numpy().tolist() == [[600, 150]]

    def test_rates(self):
        table = simulated(2)
        found = fit_ratios(table, outcome="count", group="is_kids", adjust=["z"], exposure="days")
        x = sm.add_constant(table[["is_kids", "z"]].astype(float))
        expected = clustered(
            table["count"], x, table["account"], FAMILIES["poisson"], np.log(table["days"])
        )
        np.testing.assert_allclose(limits(found), expected[1:], rtol=1e-6)

    def test_negative_binomial_rates(self):
        table = simulated(3)
        options = {"outcome": "count", "group": "is_kids", "adjust": ["z"], "exposure": "days"}
        found = fit_ratios(table, model="negative binomial", **options)
        x = sm.add_constant(table[["is_kids", "z"]].astype(float))
        law = NegativeBinomial(table["count"], x, offset=np.log(table["days"])).fit(disp=0)
        family = sm.families.NegativeBinomial(alpha=law.params["alpha"])
        expected = clustered(table["count"], x, table["account"], family, np.log(table["days"]))
        np.testing.assert_allclose(limits(found), expected[1:], rtol=1e-6)
        poisson = fit_ratios(table, **options)
        assert (np.abs(found["estimate"] / poisson["estimate"] - 1) > 0.01).all()

    @pytest.mark.parametrize("outcome", ["count", "any"])
    def test_within_accounts_is_a_term_for_every_account(self, outcome):
        table = simulated(4, n=60)
        # Rows of equal counts and unequal exposures say something too.
        table.loc[table["account"] == 7, "count"] = 2
        size = {"exposure": "days"} if outcome == "count" else {}
        found = fit_ratios(
            table, outcome=outcome, group="is_kids", adjust=["z"], within_accounts=True, **size
        )
        used = table[table.groupby("account")[outcome].transform("sum") > 0]
        x = used[["is_kids", "z"]].join(pd.get_dummies(used["account"])).astype(float)
        expected = clustered(
            used[outcome].astype(float), x, used["account"], FAMILIES["poisson"],
            np.log(used["days"]) if size else None,
        )  # fmt: skip
        np.testing.assert_allclose(limits(found), expected[:2], rtol=2e-6)
        assert found["people"].iloc[0] == used["account"].nunique()
        assert found["events"].iloc[0] == used[outcome].sum()

    def test_within_accounts_odds(self):
        table = simulated(5, n=100)
        found = fit_ratios(
            table, outcome="any", group="is_kids", adjust=["z"], model="logit", within_accounts=True
        )
        n = table.groupby("account")["any"].transform("sum")
        used = table[n.between(1, 3)]
        x = used[["is_kids", "z"]].to_numpy(float)
        fit = ConditionalLogit(
            used["any"].to_numpy(int), x, groups=used["account"].to_numpy()
        ).fit()
        np.testing.assert_allclose(found["estimate"], np.exp(fit.params), rtol=1e-3)
        # One row of four is as often the one: the variance of the model itself holds about.
        error = np.log(found["high"] / found["low"]) / 2 / special.stdtrit(len(used) / 4 - 1, 0.975)
        np.testing.assert_allclose(error, fit.bse, rtol=0.2)
        assert found["n"].iloc[0] == len(used)


@pytest.mark.parametrize("model", ["poisson", "logit"])
def test_of_pairs_the_ratio_is_that_of_those_who_differ(model):
    """Of 60 accounts 25 have the child alone with the outcome, 11 the adult, 10 both."""
    kid = np.repeat([1, 0, 1, 0], [25, 11, 10, 14])
    adult = np.repeat([0, 1, 1, 0], [25, 11, 10, 14])
    table = pd.DataFrame(
        {"account": np.tile(np.arange(60), 2), "is_kids": np.repeat([True, False], 60)}
    ).assign(any=np.concatenate([kid, adult]))
    found = fit_ratios(table, outcome="any", group="is_kids", model=model, within_accounts=True)
    ratio, people = {"logit": (25 / 11, 36), "poisson": (35 / 21, 46)}[model]
    assert found["people"].tolist() == [people]
    assert found["estimate"][0] == pytest.approx(ratio, rel=1e-8)
    if model == "logit":
        error = np.sqrt(1 / 25 + 1 / 11) * np.sqrt(36 / 35)
        reach = np.exp(special.stdtrit(35, 0.975) * error)
        assert found["high"][0] == pytest.approx(ratio * reach, rel=1e-6)


class TestWhatItMeans:
    @pytest.mark.parametrize("model", ["poisson", "logit"])
    def test_with_nothing_to_adjust_for_it_is_the_ratio_as_it_is(self, model):
        table = simulated(6)
        found = fit_ratios(table, outcome="any", group="is_kids", model=model)
        measure = {"poisson": "risk ratio", "logit": "odds ratio"}[model]
        plain = compare_groups(table, outcome="any", group="is_kids").set_index("measure")
        np.testing.assert_allclose(limits(found)[0], plain.loc[measure, ["estimate", "low", "high"]]
                                   .to_numpy(float), rtol=2e-3)  # fmt: skip
        assert found["estimate"][0] == pytest.approx(plain.loc[measure, "estimate"])

    def test_a_habit_of_the_household_is_taken_for_the_children_unless_compared_within(self):
        logs = []
        for seed in range(25):
            table = simulated(seed, favoured=1.5)
            pair = [
                fit_ratios(table, outcome="count", group="is_kids", adjust=["z"], exposure="days",
                           within_accounts=within)["estimate"][0]
                for within in (False, True)
            ]  # fmt: skip
            logs.append(np.log(pair))
        crude, within = np.exp(np.mean(logs, axis=0))
        assert crude > 2
        assert within == pytest.approx(1.6, rel=0.03)

    def test_intervals_cover_the_planted_ratios(self):
        hits = {"poisson": [], "negative binomial": [], "within": []}
        for seed in range(150):
            table = simulated(100 + seed, n=80)
            for name, found in hits.items():
                how = {"within_accounts": True} if name == "within" else {"model": name}
                fit = fit_ratios(
                    table, outcome="count", group="is_kids", adjust=["z"], exposure="days", **how
                )
                found += [
                    row.low <= t <= row.high
                    for row, t in zip(fit.itertuples(), [1.6, 1.3], strict=True)
                ]
        assert all(0.92 <= np.mean(found) <= 0.98 for found in hits.values()), hits

    def test_p_values_agree_with_intervals(self):
        table = simulated(8)
        options = {"outcome": "any", "group": "is_kids", "adjust": ["z", "place"]}
        p = fit_ratios(table, **options)["p_value"].iloc[1]
        at = fit_ratios(table, confidence=1 - p, **options).iloc[1]
        assert min(abs(at["low"] - 1), abs(at["high"] - 1)) < 1e-9

    def test_unknown_groups_are_a_term_and_their_rows_stay(self):
        table = simulated(9).astype({"is_kids": "boolean"})
        table.loc[::5, "is_kids"] = pd.NA
        found = fit_ratios(table, outcome="any", group="is_kids")
        assert found["term"].tolist() == ["is_kids=True", "is_kids=<NA>"]
        assert found["n"].tolist() == [600, 600]

    def test_counts_that_vary_less_than_poisson_are_no_obstacle(self):
        table = simulated(10).assign(one=1.0)
        table["count"] = 1 + (table["z"] + table["is_kids"] > 0)
        options = {"outcome": "count", "group": "is_kids", "exposure": "one"}
        poisson = fit_ratios(table, **options)
        found = fit_ratios(table, model="negative binomial", **options)
        np.testing.assert_allclose(limits(found), limits(poisson), rtol=1e-4)

    def test_the_input_is_left_alone_whatever_its_index(self):
        table = simulated(11)
        shuffled = table.sample(frac=1, random_state=1)
        before = shuffled.copy()
        options = {"outcome": "any", "group": "is_kids", "adjust": ["place"]}
        for within in (False, True):
            found = fit_ratios(shuffled, within_accounts=within, **options)
            expected = fit_ratios(table, within_accounts=within, **options)
            assert_frame_equal(found, expected, rtol=1e-6)
        assert_frame_equal(shuffled, before)


def test_only_accounts_that_can_be_compared_count_within():
    table = simulated(12)
    table.loc[table["account"] == 3, "any"] = False
    table.loc[table["account"] == 4, "any"] = True
    table.loc[table["account"] == 5, "is_kids"] = True
    alone = pd.DataFrame({"account": [900], "is_kids": [True], "any": [True]})
    table = pd.concat([table, alone])
    per = table.groupby("account").agg(
        events=("any", "sum"), n=("any", "size"), kinds=("is_kids", "nunique")
    )
    tells = (per["events"] > 0) & (per["kinds"] > 1)
    for model, people in (("poisson", tells.sum()), ("logit", (tells & (per["events"] < 4)).sum())):
        found = fit_ratios(table, outcome="any", group="is_kids", model=model, within_accounts=True)
        assert found["people"].tolist() == [people]
    assert found["n"].tolist() == [4 * people]


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"model": "probit"}, "`model` must be one of .* got 'probit'"),
        ({}, {"model": "negative binomial", "within_accounts": True}, "`model` must be 'poisson' or"),
        ({}, {"model": "logit", "exposure": "days"}, "`exposure` must be None with 'logit', got"),
        ({}, {"adjust": ["is_kids"]}, "`adjust` must not hold the group, found 'is_kids'"),
        ({}, {"adjust": ["nowhere"]}, r"missing \['nowhere'\]"),
        ({}, {"confidence": 0}, "`confidence` must lie in"),
        ({}, {"outcome": "count"}, "`count` must be True or False where no `exposure`"),
        ({"z": np.inf}, {"adjust": ["z"]}, "`z` must be known on every row; on 600 it is not"),
        ({"account": 1}, {}, "at least 20 accounts that say anything, found 1"),
        ({"z": 1.5}, {"adjust": ["z"]}, "must leave each term something of its own, found"),
        ({"is_kids": True}, {}, "`is_kids` must hold at least two groups, found 1"),
        ({"any": False}, {}, "`is_kids` must have rows with events in every category, found none in"),
        ({"any": True}, {"model": "logit"}, "`is_kids` must have rows without events in every category, found none in"),
    ],
)  # fmt: skip
def test_what_is_refused(change, options, message):
    table = simulated(13).assign(**change)
    with pytest.raises(ValueError, match=message):
        fit_ratios(table, **{"outcome": "any", "group": "is_kids"} | options)


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("model", ["poisson", "logit"])
def test_separation_is_refused_not_estimated(model, within):
    table = simulated(14)
    lacking = table.assign(any=table["any"] & ~table["is_kids"])
    with pytest.raises(ValueError, match="rows with events in every category, found none in True"):
        fit_ratios(lacking, outcome="any", group="is_kids", model=model, within_accounts=within)
    by_z = table.assign(any=table["z"] > 0)
    with pytest.raises(ValueError, match="`outcome` must not be separated by the terms"):
        fit_ratios(
            by_z.assign(far=np.where(by_z["any"], by_z["z"], -9)), outcome="any", group="is_kids",
            adjust=["far"], model="logit", within_accounts=within,
        )  # fmt: skip


@pytest.mark.parametrize("model", ["poisson", "logit"])
def test_numbers_that_separate_are_refused_though_the_fit_comes_to_rest(model):
    table = simulated(16)
    table["rare"] = (table["z"] > 1.9).astype(int)
    table["any"] &= table["rare"] == 0
    with pytest.raises(ValueError, match="`outcome` must not be separated by the terms"):
        fit_ratios(table, outcome="any", group="is_kids", adjust=["rare"], model=model)


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("model", ["poisson", "logit"])
def test_units_do_not_matter_nor_within_accounts_where_they_begin(model, within):
    table = simulated(17)
    options = {"outcome": "any", "group": "is_kids", "adjust": ["z"], "model": model}
    found = fit_ratios(table, within_accounts=within, **options)
    shift = 900 * table["account"] if within else 1000
    for z in (table["z"] + shift, table["z"] * 3000):
        again = fit_ratios(table.assign(z=z), within_accounts=within, **options)
        np.testing.assert_allclose(limits(again)[0], limits(found)[0], rtol=1e-6)
        np.testing.assert_allclose(again["p_value"], found["p_value"], rtol=1e-4)


def test_terms_that_depend_on_each_other_within_accounts():
    table = simulated(15)
    table["home"] = table["account"] % 5
    fit_ratios(table, outcome="any", group="is_kids", adjust=["home"])
    with pytest.raises(ValueError, match="must leave each term something of its own"):
        fit_ratios(table, outcome="any", group="is_kids", adjust=["home"], within_accounts=True)
