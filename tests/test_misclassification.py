"""Corrected ratios beside published ones, and labels made wrong on purpose."""

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from tests.test_associations import two_by_two
from toolkit.associations import compare_groups
from toolkit.misclassification import correct_misclassification

CASES = tomllib.loads(Path(__file__).with_name("oracles").joinpath("ratios.toml").read_text())
VALUES = ["estimate", "low", "high"]


def correct(table, sensitivity, specificity, **options):
    options = {"outcome": "y", "group": "label"} | options
    return correct_misclassification(
        table, sensitivity=sensitivity, specificity=specificity, **options
    )


def mislabelled(seed, *, sensitivity, specificity, ratio=3.0, n=3000):
    """Accounts of two, one row in four truly of the group, with a rate of events of its own."""
    rng = np.random.default_rng(seed)
    truly = rng.random(n) < 0.25
    habit = np.repeat(rng.choice([0.5, 1.5], n // 2), 2)
    chance = np.where(truly, sensitivity, 1 - specificity)
    table = pd.DataFrame({"account": np.arange(n) // 2, "truly": truly})
    table["label"] = rng.random(n) < chance
    table["y"] = rng.random(n) < 0.12 * np.where(truly, ratio, 1) * habit
    table["days"] = rng.uniform(1, 9, n)
    table["count"] = rng.poisson(0.3 * np.where(truly, ratio, 1) * habit * table["days"])
    return table


@pytest.mark.parametrize("name", CASES)
def test_published_corrections(name):
    case = CASES[name]
    table = two_by_two(case["events"], case["others"])
    shares = (case["sensitivity"], case["specificity"])
    found = correct(table, *shares, measure="odds ratio")[VALUES].to_numpy()[0]
    estimate, low, high = case["corrected_odds_ratio"]
    assert found[0] == pytest.approx(estimate, abs=6e-5)
    # Theirs are normal quantiles, and no correction for the number of accounts.
    n, people = len(table), table["label"].value_counts().min()
    wider = special.stdtrit(people - 1, 0.975) / special.ndtri(0.975) * np.sqrt(n / (n - 1))
    np.testing.assert_allclose(
        np.log(found[1:] / found[0]), wider * np.log(np.array([low, high]) / estimate), atol=2e-4
    )
    risk = correct(table, *shares)["estimate"].iloc[0]
    assert risk == pytest.approx(case["corrected_risk_ratio"], abs=6e-5)


@pytest.mark.parametrize("measure", ["risk ratio", "odds ratio", "rate ratio"])
def test_labels_that_are_always_right_change_nothing(measure):
    table = mislabelled(1, sensitivity=0.9, specificity=0.9)
    options = {"exposure": "days", "outcome": "count"} if measure == "rate ratio" else {}
    plain = compare_groups(table, **{"outcome": "y", "group": "label"} | options)
    expected = plain.set_index("measure").loc[measure, VALUES].astype(float)
    found = correct(table, 1, 1, measure=measure, **options)
    np.testing.assert_allclose(found[VALUES].to_numpy()[0], expected)
    assert found["n_group"].tolist() == [table["label"].sum()]


@settings(deadline=None, max_examples=80)
@given(st.tuples(*[st.integers(1, 400)] * 4), st.floats(0.55, 0.99), st.floats(0.55, 0.99))
def test_the_corrected_counts_would_have_been_labelled_as_they_are(cells, sensitivity, specificity):
    a, b, c, d = cells
    table = two_by_two([a, b], [c, d])
    found = correct(table, sensitivity, specificity).iloc[0]
    for truly, of_all, labelled in (
        (found["events_group"], a + b, a), (found["n_group"], sum(cells), a + c)
    ):  # fmt: skip
        seen = truly * sensitivity + (of_all - truly) * (1 - specificity)
        assert seen == pytest.approx(labelled)
    rest = np.array([a + b, c + d]) - [found["events_group"],
                                       found["n_group"] - found["events_group"]]  # fmt: skip
    group = np.array([found["events_group"], found["n_group"] - found["events_group"]])
    assert found["is_possible"] == (min(*rest, *group) > 1e-9)
    assert np.isnan(found["estimate"]) != found["is_possible"]
    if found["is_possible"]:
        ratio = group[0] / group.sum() / (rest[0] / rest.sum())
        assert found["estimate"] == pytest.approx(ratio)
        # Errors that do not depend on the outcome draw a ratio towards 1.
        plain = a / (a + c) / (b / (b + d))
        assert abs(np.log(ratio)) >= abs(np.log(plain)) - 1e-9


@pytest.mark.parametrize("measure", ["risk ratio", "rate ratio"])
def test_a_planted_ratio_is_recovered_from_labels_that_are_often_wrong(measure):
    shares, hits, plain = (0.7, 0.85), [], []
    options = {"exposure": "days", "outcome": "count"} if measure == "rate ratio" else {}
    logs = []
    for seed in range(120):
        table = mislabelled(seed, sensitivity=shares[0], specificity=shares[1])
        row = correct(table, *shares, measure=measure, **options).iloc[0]
        hits.append(row["low"] <= 3 <= row["high"])
        logs.append(np.log(row["estimate"]))
        plain.append(np.log(correct(table, 1, 1, measure=measure, **options)["estimate"].iloc[0]))
    assert np.exp(np.mean(plain)) < 2
    assert np.exp(np.mean(logs)) == pytest.approx(3, rel=0.06)
    assert 0.9 <= np.mean(hits) <= 0.99


def test_all_combinations_stand_in_order():
    table = mislabelled(2, sensitivity=0.8, specificity=0.9)
    found = correct(table, [0.8, 0.3], [0.99, 0.6])
    pairs = found[["sensitivity", "specificity"]].to_numpy().tolist()
    assert pairs == [[0.8, 0.99], [0.8, 0.6], [0.3, 0.99], [0.3, 0.6]]
    # More are called so than wrong labels alone would make; and 0.3 and 0.6 are a guess.
    assert found["is_possible"].tolist()[0]
    assert not found["is_possible"].tolist()[3]
    assert found.loc[3, ["n_group", "events_group", *VALUES]].isna().all()


def test_more_wrong_labels_than_there_are_labels_can_not_be():
    table = two_by_two([4, 40], [10, 300])
    found = correct(table, 0.9, 0.9)
    assert found["events_group"].iloc[0] < 0
    assert not found["is_possible"].iloc[0]
    assert found[VALUES].isna().all(axis=None)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"sensitivity": 1.1}, r"`sensitivity` must lie in \[0, 1\], got 1.1"),
        ({}, {"specificity": [0.5, -1]}, r"`specificity` must lie in \[0, 1\], got \[0.5, -1\]"),
        ({}, {"measure": "risk"}, "`measure` must be one of .* got 'risk'"),
        ({}, {"measure": "rate ratio"}, "`exposure` must be given for a rate ratio and only for it"),
        ({}, {"exposure": "viewer"}, "only for it, got 'viewer' for 'risk ratio'"),
        ({"label": True}, {}, r"`label` must hold both True and False, .* found \[1.0\]"),
        ({"label": [1, 0, 2, 1]}, {}, r"nothing else, found \[0.0, 1.0, 2.0\]"),
        ({"label": None}, {}, "`label` must hold numbers, found object"),
        ({"y": 3}, {}, "`y` must be True or False where no `exposure` is given"),
        ({}, {"confidence": 2}, "`confidence` must lie in"),
        ({}, {"group": "z"}, r"missing \['z'\]"),
    ],
)  # fmt: skip
def test_what_is_refused(change, options, message):
    table = two_by_two([1, 1], [1, 1]).assign(**change)
    options = {"sensitivity": 0.9, "specificity": 0.9} | options
    with pytest.raises(ValueError, match=message):
        correct(table, options.pop("sensitivity"), options.pop("specificity"), **options)
