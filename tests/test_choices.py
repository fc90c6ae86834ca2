"""One question under all combinations, and the shares of their variance."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit as tk
from toolkit.choices import multiverse, rank_choices


def answered(sizes, answer):
    choices = {f"c{n}": list(range(size)) for n, size in enumerate(sizes)}
    return multiverse(None, lambda _, **chosen: answer(*chosen.values()), choices=choices)


class TestMultiverse:
    def test_each_combination_is_asked_once_in_order(self):
        asked = []

        def question(plays, *, zone, gap):
            asked.append((plays, zone, gap))
            return len(asked)

        table = multiverse("plays", question, choices={"zone": ["UTC", "local"], "gap": [0, 1, 2]})
        combinations = list(itertools.product(["UTC", "local"], [0, 1, 2]))
        assert asked == [("plays", *each) for each in combinations]
        assert list(table[["zone", "gap"]].itertuples(index=False, name=None)) == combinations
        assert table["value"].tolist() == [1, 2, 3, 4, 5, 6]
        assert table["value"].dtype == "float64"

    def test_the_number_of_the_tweet_under_two_zones(self):
        plays, _, _, ask = tk.load_dataset("sample", key=tk.DEMONSTRATION_KEY)
        film = plays[plays["title"] == ask.title]

        def people(plays, tz):
            days = tk.to_viewer_days(plays, tz=tz)
            found = tk.watched_every_day(days, days=ask.days, as_of=ask.as_of)
            return found["account"].nunique()

        table = multiverse(film, people, choices={"tz": [ask.tz, "UTC"]})
        assert table["value"].iloc[0] == 53
        assert table["value"].iloc[1] < 53

    def test_none_is_a_choice_like_others(self):
        table = multiverse(None, lambda _, zone, gap: gap + (zone is None), choices={"zone": [None, "UTC"], "gap": [0, 5]})  # fmt: skip
        ranked = rank_choices(table).set_index("choice")
        assert ranked.loc["zone", ["low", "high"]].tolist() == [2.5, 3.5]
        assert ranked["share"].sum() == pytest.approx(1)

    def test_no_answer_is_one(self):
        table = answered([2], lambda c: np.nan if c else 3)
        assert table["value"].isna().tolist() == [False, True]

    @pytest.mark.parametrize("answer", ["53", None, [1], pd.Series([1.0])])
    def test_what_is_no_number_is_refused(self, answer):
        with pytest.raises(ValueError, match="`question` must return a number"):
            answered([1], lambda c: answer)

    @pytest.mark.parametrize("choices", [{"a": []}, {"a": [1, 1]}, {"a": [1, 1.0]}, {"value": [1]}])
    def test_choices_that_are_none_are_refused(self, choices):
        with pytest.raises(ValueError, match="`choices` must give"):
            multiverse(None, lambda *_, **__: 1, choices=choices)


class TestRankChoices:
    @given(st.lists(st.lists(st.integers(-50, 50), min_size=1, max_size=4), min_size=1, max_size=4))
    def test_effects_that_add_up_have_shares_that_do(self, effects):
        def answer(*chosen):
            return sum(own[c] for own, c in zip(effects, chosen, strict=True))

        table = answered([len(own) for own in effects], answer)
        ranked = rank_choices(table).set_index("choice")
        variances = pd.Series({f"c{n}": np.var(own) for n, own in enumerate(effects)})
        if variances.sum() == 0:
            assert ranked["share"].isna().all()
            return
        expected = variances / variances.sum()
        np.testing.assert_allclose(ranked["share"][expected.index], expected, atol=1e-9)
        assert ranked["share"].is_monotonic_decreasing
        for n, own in enumerate(effects):
            others = answer(*([0] * len(effects))) - own[0]
            low, high = ranked.loc[f"c{n}", ["from_usual_low", "from_usual_high"]]
            assert (low, high) == (others + min(own), others + max(own))

    def test_what_choices_only_do_together_is_nobodys_share(self):
        ranked = rank_choices(answered([2, 2], lambda a, b: a ^ b))
        assert ranked["share"].tolist() == [0, 0]

    def test_rows_without_an_answer_are_left_out(self):
        table = answered([2, 2], lambda a, b: np.nan if a and b else 10 * a + b)
        ranked = rank_choices(table).set_index("choice")
        values = np.array([0.0, 1.0, 10.0])
        between = np.average((np.array([0.5, 10.0]) - values.mean()) ** 2, weights=[2, 1])
        assert ranked.loc["c0", "share"] == pytest.approx(between / values.var())
        assert ranked.loc["c0", ["low", "high"]].tolist() == [0.5, 10]

    def test_a_part_of_the_combinations_is_refused(self):
        table = answered([2, 2], lambda a, b: a + b)
        with pytest.raises(ValueError, match="each combination"):
            rank_choices(table.iloc[:3])
        with pytest.raises(ValueError, match="each combination"):
            rank_choices(table.iloc[[0, 1, 2, 2]])
