"""Viewings and laws found in the log, beside what was meant and planted when it was simulated."""

import json
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

import toolkit as tk
from toolkit.simulate import simulate_plays

DATA = Path(__file__).parents[1] / "data"
TRUTH = json.loads((DATA / "truth.json").read_text())
FIRST_PLAY = ["viewer", "title", "started_at"]


@cache
def sample():
    return tk.load_sample(), pd.read_parquet(DATA / "viewings.parquet")


@cache
def with_long_pauses():
    simulation = simulate_plays(seed=4, accounts=600, people=10, long_pauses=0.3)
    return simulation.plays, simulation.viewings


def meant_by(plays, viewings):
    """The viewings that were meant, each with its first play and whether it is of a film."""
    first = plays[[*FIRST_PLAY, "kind"]].iloc[viewings["first_play"]].reset_index(drop=True)
    return pd.concat([first, viewings], axis=1)


def recovery(meant, viewings, column="is_rewatch"):
    """Precision and recall of rewatches: one is found if a rewatch with its first play is."""
    wanted = pd.MultiIndex.from_frame(meant.loc[meant["is_rewatch"], FIRST_PLAY])
    said = viewings[column].fillna(False).astype("bool")
    found = pd.MultiIndex.from_frame(viewings.loc[said, FIRST_PLAY])
    right = wanted.isin(found).sum()
    return right / max(len(found), 1), right / len(wanted)


class TestRewatchesThatWereMeant:
    def test_are_found_in_the_sample_where_positions_are_known(self):
        plays, viewings = sample()
        meant = meant_by(plays, viewings)
        assert meant["is_rewatch"].sum() == 49_973
        precision, recall = recovery(meant, tk.to_viewings(plays))
        assert precision == pytest.approx(0.9971, abs=5e-4)
        assert recall == pytest.approx(0.9954, abs=5e-4)

    @pytest.mark.parametrize("kind", ["film", "episode"])
    @pytest.mark.parametrize("log", [sample, with_long_pauses], ids=["sample", "long pauses"])
    def test_are_found_whatever_they_are_of(self, log, kind):
        plays, viewings = log()
        meant = meant_by(plays, viewings)
        found = tk.to_viewings(plays[plays["kind"] == kind])
        assert min(recovery(meant[meant["kind"] == kind], found)) > 0.98

    def test_are_found_though_pauses_outlast_the_limit_and_credits_are_skipped(self):
        plays, viewings = with_long_pauses()
        outlast = viewings["longest_pause_seconds"] > 7 * 86_400
        assert outlast[viewings["n_plays"] > 1].mean() > 0.1
        assert outlast[viewings["is_rewatch"]].sum() > 20
        meant = meant_by(plays, viewings)
        assert min(recovery(meant, tk.to_viewings(plays))) > 0.98
        # Each such pause of a rewatch makes two of one.
        never = tk.to_viewings(plays, resume_within="60D")
        assert recovery(meant, never)[0] > recovery(meant, tk.to_viewings(plays))[0]

        last = plays.loc[viewings["first_play"][viewings["n_plays"] == 1]]
        seen = (last["position_seconds"] / last["runtime_seconds"]).to_numpy()
        assert (seen[viewings["is_finished"][viewings["n_plays"] == 1]] < 1).mean() > 0.5

    def test_a_shorter_limit_takes_pauses_for_rewatches(self):
        plays, viewings = sample()
        meant = meant_by(plays, viewings)
        precision = [
            recovery(meant, tk.to_viewings(plays, resume_within=limit))[0]
            for limit in ("0s", "1h", "1D")
        ]
        assert precision == sorted(precision)
        assert precision[0] < 0.94

    def test_are_overstated_by_a_fifth_and_more_if_rows_are_taken_for_watches(self):
        plays, viewings = sample()
        meant = meant_by(plays, viewings)
        rows = plays[plays["excluded"].isna()]
        later = rows[rows.duplicated(["viewer", "title"])]
        assert len(later) > 1.25 * meant["is_rewatch"].sum()
        # Even where nothing under two minutes counts.
        long = tk.to_viewings(plays.assign(row_is="completed"))
        precision, recall = recovery(meant, long)
        assert long["is_rewatch"].sum() > 1.2 * meant["is_rewatch"].sum()
        assert precision == pytest.approx(0.801, abs=2e-3)
        assert recall == pytest.approx(0.997, abs=2e-3)
        films = meant["kind"] == "film"
        later = later[later["kind"] == "film"]
        assert len(later) > 1.5 * meant.loc[films, "is_rewatch"].sum()


class TestWhatARowIs:
    """The same log as poorer sources would hold it; notebook 04 has the table."""

    def test_time_alone_finds_nearly_as_many_as_positions(self):
        plays, viewings = sample()
        found = tk.to_viewings(plays.drop(columns="position_seconds"))
        precision, recall = recovery(meant_by(plays, viewings), found)
        assert precision == pytest.approx(0.996, abs=1e-3)
        assert recall == pytest.approx(0.978, abs=1e-3)

    def test_without_runtimes_no_rewatch_is_claimed_and_later_viewings_miss_two_in_five(self):
        plays, viewings = sample()
        found = tk.to_viewings(plays.drop(columns=["position_seconds", "runtime_seconds"]))
        assert not found["is_rewatch"].fillna(False).any()
        later = found["viewing_no"] > 1
        assert found["is_rewatch"].isna().equals(later)
        precision, recall = recovery(meant_by(plays, viewings), found.assign(later=later), "later")
        assert precision == pytest.approx(0.974, abs=1e-3)
        assert recall == pytest.approx(0.574, abs=1e-3)

    @pytest.mark.parametrize("row_is", ["completed", "logged"])
    def test_rows_of_finishes_find_all_but_the_rewatches_that_were_given_up(self, row_is):
        plays, viewings = sample()
        meant = meant_by(plays, viewings)
        rows = plays[FIRST_PLAY].iloc[viewings.loc[viewings["is_finished"], "first_play"]]
        precision, recall = recovery(meant, tk.to_viewings(rows.assign(row_is=row_is)))
        assert precision == 1
        given_up = meant.loc[meant["is_rewatch"], "is_finished"].mean()
        assert recall == given_up == pytest.approx(0.948, abs=1e-3)

    def test_latest_dates_are_refused(self):
        plays, _ = sample()
        with pytest.raises(ValueError, match="must not hold only the latest date"):
            tk.to_viewings(
                plays.drop_duplicates(FIRST_PLAY[:2], keep="last").assign(row_is="latest")
            )


class TestThePlantedLaw:
    """Films but the Christmas film: as many finished viewings of each as the log-series says."""

    @pytest.mark.parametrize(("role", "is_kids"), [("adult", False), ("child", True)])
    def test_of_finished_viewings_per_viewer_and_film_lies_within_the_interval(self, role, is_kids):
        plays, _ = sample()
        films = plays["kind"].eq("film") & plays["title"].ne(TRUTH["title"])
        viewings = tk.to_viewings(plays[films & plays["is_kids"].eq(is_kids)])
        # Who stops in the credits and comes back for them has not seen the film twice.
        whole = viewings["is_complete"] & (viewings["watch_equivalents"] > 0.5)
        counts = tk.count_viewings(viewings[whole])
        for independent in ("counts", "accounts"):
            fit = tk.fit_counts(
                counts, models="logseries", seed=1, n_bootstrap=200, independent=independent
            ).iloc[0]
            low, high = fit["low"]["q"], fit["high"]["q"]
            assert low < TRUTH["rewatch_q"][role] < high
            assert high - low < 0.03
            assert fit["p_value"] > 0.05
