"""Models of what is repeated, beside plain loops over one repeat at a time."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal
from scipy import optimize

from tests.histories import copying, viewings_of
from toolkit.copying import decaying, fit_decay, fit_weights, repeats_of, steps_of
from toolkit.repeat_models import choices_of, fit_choices, fit_repeats, loglik_choices

MODELS = ["uniform", "frequency", "quality", "power_law_cutoff", "recency", "hybrid"]
SCORES = [8, 4, 2, 1, 1, 1, 1, 1]
FALLING = [4, 2, 1]


def parts(viewings, n_weights, titles=None, tz=None):
    steps = steps_of(viewings, by="title", titles=titles, tz=tz)
    return steps, repeats_of(steps, n_weights)


def slow_loglik(steps, repeats, weights, scores, distinct):
    """The loglikelihood of lag weights and title scores, one repeat at a time."""
    total = 0.0
    could = repeats.candidates.matrix.toarray()[repeats.candidates.index]
    for step, there in zip(repeats.step, could, strict=True):
        chances = {}
        for lag in np.flatnonzero(there) + 1:
            title = steps.title[step - lag]
            if not distinct:
                chances[title] = chances.get(title, 0) + weights[lag - 1] * scores[title]
            else:
                chances[title] = scores[title]
        total += np.log(chances[steps.title[step]] / sum(chances.values()))
    return total


def slow_best(steps, repeats, group, distinct):
    """The highest loglikelihood, by an optimiser that knows nothing of the model."""
    n_weights = 0 if distinct else repeats.hits.matrix.shape[1]

    def fall(logs):
        weights, scores = np.exp(logs[:n_weights]), np.exp(logs[n_weights:])[group]
        choices = choices_of(steps, repeats, distinct=distinct)
        return -loglik_choices(choices, weights if n_weights else ONES, scores)

    start = np.zeros(n_weights + group.max() + 1)
    return -optimize.minimize(fall, start, method="L-BFGS-B").fun


ONES = np.ones(4)


class TestLoglikChoices:
    @pytest.mark.parametrize("distinct", [True, False])
    @pytest.mark.parametrize("seed", range(3))
    def test_agrees_with_a_slow_loop(self, seed, distinct):
        viewings = copying(seed, weights=[4, 3, 2, 1], viewers=10, scores=SCORES)
        titles = pd.DataFrame({"title": range(8), "available_from": "2024-01-01"}).assign(
            available_until=pd.Timestamp("2024-01-20")
            + pd.to_timedelta(np.arange(8) * 5, unit="D"),
        )
        steps, repeats = parts(viewings, 4, titles, "UTC")
        rng = np.random.default_rng(seed)
        weights = np.ones(4) if distinct else rng.random(4)
        scores = rng.random(8)
        found = loglik_choices(choices_of(steps, repeats, distinct=distinct), weights, scores)
        assert_allclose(found, slow_loglik(steps, repeats, weights, scores, distinct))

    def test_what_weighs_or_scores_nothing_never_happens(self):
        steps, repeats = parts(viewings_of("aaaa", "xyxy"), 3)
        everything = choices_of(steps, repeats, distinct=False)
        once = choices_of(steps, repeats, distinct=True)
        assert loglik_choices(everything, np.array([1.0, 0, 1]), np.ones(2)) == -np.inf
        assert loglik_choices(everything, np.ones(3), np.array([1.0, 0])) == -np.inf
        assert loglik_choices(once, np.ones(3), np.array([0.0, 1])) == -np.inf
        assert loglik_choices(once, np.ones(3), np.ones(2)) == pytest.approx(2 * np.log(1 / 2))


class TestFitChoices:
    @pytest.mark.parametrize("distinct", [True, False])
    @pytest.mark.parametrize("seed", range(2))
    def test_no_other_weights_and_scores_are_more_likely(self, seed, distinct):
        viewings = copying(seed, weights=[4, 3, 2, 1], viewers=12, scores=SCORES)
        steps, repeats = parts(viewings, 4)
        choices = choices_of(steps, repeats, distinct=distinct)
        # Two titles share a score.
        group = np.array([0, 1, 2, 3, 4, 5, 6, 6])
        weights, scores = fit_choices(choices, group)
        assert scores[6] == scores[7]
        height = loglik_choices(choices, weights, scores)
        assert height == pytest.approx(slow_best(steps, repeats, group, distinct), abs=2e-3)

    def test_planted_weights_and_scores_are_recovered(self):
        viewings = copying(3, weights=FALLING, viewers=150, scores=SCORES)
        choices = choices_of(*parts(viewings, 3), distinct=False)
        weights, scores = fit_choices(choices, np.arange(8))
        # Of about 6,000 repeats, of which each rare title has a few hundred.
        assert_allclose(weights, np.array(FALLING) / sum(FALLING), atol=0.03)
        assert_allclose(scores / scores[0], np.array(SCORES) / 8, rtol=0.25)

    def test_planted_scores_are_recovered_where_only_they_matter(self):
        # Each repeat chooses among the distinct titles of the last four by their scores.
        rng = np.random.default_rng(5)
        rows = []
        for viewer in range(100):
            past = [0, 1]
            while len(past) < 60:
                last = sorted(set(past[-4:]))
                others = sorted(set(range(8)) - set(last))
                chances = np.array(SCORES, dtype=float)[last]
                again = rng.choice(last, p=chances / chances.sum())
                past.append(int(again if rng.random() < 0.6 else rng.choice(others)))
            rows += [(viewer, title) for title in past]
        viewings = viewings_of(*zip(*rows, strict=True))
        choices = choices_of(*parts(viewings, 4), distinct=True)
        weights, scores = fit_choices(choices, np.arange(8))
        assert weights.tolist() == [1, 1, 1, 1]
        assert_allclose(scores / scores[0], np.array(SCORES) / 8, rtol=0.25)

    def test_a_title_that_never_comes_back_scores_nothing(self):
        steps, repeats = parts(viewings_of("aaaa", "xyxx"), 3)
        _, scores = fit_choices(choices_of(steps, repeats, distinct=True), np.arange(2))
        assert scores.tolist() == [1, 0]


class TestFitRepeats:
    def test_the_table(self):
        viewings = copying(1, weights=FALLING, viewers=30, scores=SCORES)
        fits = fit_repeats(viewings, n_weights=3, seed=1, min_repeats=1)
        assert list(fits) == [
            "model", "n_repeats", "n_params", "loglik", "aic", "bic", "mean_loglik", "mean_held_out",
        ]  # fmt: skip
        assert fits["model"].tolist() == MODELS
        assert fits["n_params"].tolist() == [0, 0, 7, 2, 2, 9]
        n = len(parts(viewings, 3)[1].step)
        assert fits["n_repeats"].tolist() == [n] * 6
        assert_allclose(fits["aic"], 2 * fits["n_params"] - 2 * fits["loglik"])
        assert_allclose(fits["bic"], np.log(n) * fits["n_params"] - 2 * fits["loglik"])
        assert_allclose(fits["mean_loglik"], fits["loglik"] / n)

    def test_each_model_is_what_its_formula_says(self):
        viewings = copying(1, weights=FALLING, viewers=30, scores=SCORES)
        fits = fit_repeats(viewings, n_weights=4, seed=1, min_repeats=1).set_index("model")
        steps, repeats = parts(viewings, 4)
        law = decaying(*fit_decay(repeats, 0), 0, 4)
        ones = np.ones(8)
        for model, weights, distinct in [
            ("uniform", np.ones(4), True),
            ("frequency", np.ones(4), False),
            ("power_law_cutoff", law, False),
            ("recency", fit_weights(repeats), False),
        ]:
            slow = slow_loglik(steps, repeats, weights, ones, distinct)
            assert fits["loglik"][model] == pytest.approx(slow)
        for model, distinct in (("quality", True), ("hybrid", False)):
            choices = choices_of(steps, repeats, distinct=distinct)
            fit = fit_choices(choices, np.arange(8))
            slow = slow_loglik(steps, repeats, *fit, distinct)
            assert fits["loglik"][model] == pytest.approx(slow)

    def test_a_larger_model_is_never_less_likely(self):
        viewings = copying(2, weights=[3, 1, 2], viewers=30, scores=SCORES)
        height = fit_repeats(viewings, n_weights=3, seed=1).set_index("model")["loglik"]
        for small, large in [
            ("frequency", "power_law_cutoff"),
            ("power_law_cutoff", "recency"),
            ("recency", "hybrid"),
            ("uniform", "quality"),
        ]:
            assert height[small] < height[large]

    @pytest.mark.parametrize(
        ("weights", "scores", "best"),
        [(FALLING, SCORES, "hybrid"), (FALLING, [1] * 8, "recency"), ([1] * 3, SCORES, "hybrid")],
    )
    def test_what_was_planted_does_best_on_viewers_it_has_not_seen(self, weights, scores, best):
        viewings = copying(3, weights=weights, viewers=80, scores=scores)
        models = ["uniform", "frequency", "quality", "recency", "hybrid"]
        fits = fit_repeats(viewings, n_weights=3, models=models, seed=1)
        assert fits["model"][fits["mean_held_out"].idxmax()] == best
        assert fits["model"][fits["bic"].idxmin()] == best

    @pytest.mark.parametrize("n_folds", [2, 5])
    @pytest.mark.parametrize("model", ["recency", "quality", "hybrid"])
    def test_held_out_repeats_are_of_accounts_that_the_fit_has_not_seen(self, model, n_folds):
        viewings = copying(4, weights=FALLING, viewers=30, scores=SCORES)
        viewings["account"] = viewings["viewer"] // 1.5
        fits = fit_repeats(
            viewings, n_weights=3, models=model, seed=7, n_folds=n_folds, min_repeats=1
        )
        account = np.unique(viewings["account"], return_inverse=True)[1]
        fold = np.random.default_rng(7).permutation(account.max() + 1)[account] % n_folds
        steps, repeats = parts(viewings, 3)
        total = 0.0
        for part in range(n_folds):
            _, train = parts(viewings[fold != part], 3)
            fitted_on, _ = parts(viewings[fold != part], 3)
            held = repeats.taken(fold[repeats.step] == part)
            if model == "recency":
                total += slow_loglik(steps, held, fit_weights(train), np.ones(8), False)
            else:
                choices = choices_of(fitted_on, train, distinct=model == "quality")
                fit = fit_choices(choices, np.arange(8))
                total += slow_loglik(steps, held, *fit, model == "quality")
        assert fits["mean_held_out"][0] == pytest.approx(total / len(repeats.step))

    def test_what_a_part_calls_impossible_is_minus_infinity(self):
        # Title 8 comes back in one account only.
        viewings = copying(4, weights=FALLING, viewers=30, scores=[1] * 8)
        others = viewings_of(np.full(6, 99), [0, 8, 8, 1, 8, 1])
        both = pd.concat([viewings, others, viewings_of([98, 98, 98], [8, 1, 1])])
        fits = fit_repeats(both, n_weights=3, models=["quality"], seed=1, min_repeats=1)
        assert fits["mean_held_out"][0] == -np.inf
        assert np.isfinite(fits["loglik"][0])

    def test_titles_that_come_back_less_than_min_repeats_share_a_score(self):
        viewings = copying(5, weights=FALLING, viewers=30, scores=SCORES)
        steps, repeats = parts(viewings, 3)
        n = np.bincount(steps.title[repeats.step], minlength=8)
        some = int(np.sort(n)[4])
        for min_repeats, groups in ((1, 8), (some, 5), (some + 1, 4), (10**6, 1)):
            fits = fit_repeats(
                viewings, n_weights=3, models=["quality", "hybrid"], seed=1, min_repeats=min_repeats
            )
            assert fits["n_params"].tolist() == [groups - 1, groups - 1 + 2]
        shared = fit_repeats(
            viewings, n_weights=3, models=["uniform", "quality"], seed=1, min_repeats=10**6
        )
        assert shared["loglik"][0] == pytest.approx(shared["loglik"][1])

    def test_by_default_a_title_has_a_score_of_its_own_from_20_repeats_on(self):
        viewings = copying(6, weights=FALLING, viewers=25, steps=12, scores=SCORES)
        steps, repeats = parts(viewings, 3)
        own = (np.bincount(steps.title[repeats.step], minlength=8) >= 20).sum()
        assert 0 < own < 8
        fits = fit_repeats(viewings, n_weights=3, models=["quality"], seed=1)
        assert fits["n_params"][0] == own

    def test_no_row_is_changed_by_the_other_models(self):
        viewings = copying(1, weights=FALLING, viewers=30, scores=SCORES)
        fits = fit_repeats(viewings, n_weights=3, seed=1)
        for model in MODELS:
            alone = fit_repeats(viewings, n_weights=3, models=[model], seed=1)
            row = fits[fits["model"] == model].reset_index(drop=True)
            assert_frame_equal(alone, row)

    def test_order_does_not_matter_and_the_input_stays(self):
        viewings = copying(1, weights=FALLING, viewers=30, scores=SCORES)
        mixed = viewings.sample(frac=1, random_state=1)
        before = mixed.copy(deep=True)
        fits = fit_repeats(viewings, n_weights=3, seed=1)
        assert_frame_equal(fit_repeats(mixed, n_weights=3, seed=1), fits)
        assert_frame_equal(mixed, before)

    def test_a_seed_decides_who_is_held_out_and_nothing_else(self):
        viewings = copying(1, weights=FALLING, viewers=30, scores=SCORES)
        one, two = (
            fit_repeats(viewings, n_weights=3, models=["recency"], seed=seed) for seed in (1, 2)
        )
        held = "mean_held_out"
        assert one[held][0] != two[held][0]
        assert_frame_equal(one.drop(columns=held), two.drop(columns=held))

    def test_windows_and_series_are_heeded(self):
        viewings = copying(2, weights=FALLING, viewers=30)
        titles = pd.DataFrame({"title": viewings["title"].unique()})
        titles["available_from"] = pd.Timestamp("2024-01-01")
        titles["available_until"] = pd.Timestamp("2024-02-01")
        given = {"n_weights": 3, "models": ["recency"], "seed": 1}
        always = fit_repeats(viewings, **given)
        short = fit_repeats(viewings, titles=titles, tz="UTC", **given)
        assert short["n_repeats"][0] < always["n_repeats"][0]
        series = viewings.assign(
            series=viewings["title"].astype("str"), title=np.arange(len(viewings))
        )
        assert_frame_equal(fit_repeats(series, by="series", **given), always)

    @pytest.mark.parametrize(
        ("wrong", "match"),
        [
            ({"models": ["best"]}, "`models` must be one of"),
            ({"models": "best"}, "`models` must be one of"),
            ({"min_repeats": 0}, "`min_repeats` must be a whole number, 1 or more"),
            ({"n_folds": 1}, "`n_folds` must be a whole number, 2 or more"),
            ({"seed": -1}, "`seed` must be a whole number, 0 or more"),
            ({"n_weights": 1}, "`n_weights` must be a whole number, 2 or more"),
            ({"by": "show"}, "`by` must be one of"),
        ],
    )
    def test_refuses(self, wrong, match):
        viewings = copying(2, weights=FALLING)
        with pytest.raises(ValueError, match=match):
            fit_repeats(viewings, **{"n_weights": 3, "seed": 1} | wrong)

    def test_refuses_few_accounts_and_missing_columns(self):
        viewings = copying(2, weights=FALLING, viewers=19)
        with pytest.raises(ValueError, match="at least 20 accounts, found 19"):
            fit_repeats(viewings, n_weights=3, seed=1)
        with pytest.raises(ValueError, match="missing \\['title'\\]"):
            fit_repeats(viewings.drop(columns="title"), n_weights=3, seed=1)
