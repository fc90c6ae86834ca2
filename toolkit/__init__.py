"""A research toolkit for viewing logs: days, streaks, and what they do and do not say."""

import importlib

from toolkit.days import first_full_day, last_full_day, to_viewer_days
from toolkit.loaders import Dataset, load_dataset, load_plays, load_sample, load_table
from toolkit.privacy.keys import DEMONSTRATION_KEY
from toolkit.streak_counts import count_streaks
from toolkit.streaks import find_streaks, longest_streaks, watched_every_day
from toolkit.tables import combine_plays, exclude, fingerprint, loss_table
from toolkit.viewings import find_runtimes, to_viewings

__version__ = "0.1.0"

# What fits, draws or simulates is imported when it is first used: `import toolkit` is light.
_ON_USE = {
    "Release": "privacy.release",
    "Store": "store",
    "Study": "privacy.study",
    "assign_cohorts": "cohorts",
    "audit_claim": "surprise",
    "base_level": "rhythm",
    "beta_run_probability": "run_laws",
    "beta_streak_probability": "run_laws",
    "check_store": "store",
    "choose_xmin": "power_laws",
    "clopper_pearson": "intervals",
    "cluster_bootstrap": "intervals",
    "compare_cohorts": "cohort_tables",
    "compare_fits": "count_fits",
    "count_tails": "tails",
    "count_viewings": "rewatch",
    "days_watched": "activity",
    "dirichlet_law": "dirichlet",
    "expect_streaks": "expected_streaks",
    "expected_reach": "dirichlet",
    "expected_runs": "run_laws",
    "figure_data": "drawn",
    "find_returns": "cohort_returns",
    "find_rewatched": "rewatched",
    "fit_counts": "count_fits",
    "fit_nulls": "null_fits",
    "fit_power_law": "power_laws",
    "fit_recency": "recency",
    "fit_repeats": "repeat_models",
    "fit_retention": "projection",
    "frequency_recency": "activity",
    "garwood": "intervals",
    "kaplan_meier": "intervals",
    "last_gaps": "rhythm",
    "lifecycle": "activity",
    "load_title_panel": "loaders.panels",
    "logrank": "intervals",
    "longest_run": "run_laws",
    "look_elsewhere": "surprise",
    "markov_run_probability": "run_laws",
    "multiverse": "choices",
    "null_posterior": "null_fits",
    "open_store": "store",
    "open_study": "privacy.study",
    "parse_titles": "titles",
    "plot_calendar": "plots",
    "plot_counts": "rewatch_plots",
    "plot_expected_streaks": "surprise_plots",
    "plot_grid": "plots",
    "plot_lifecycle": "cohort_plots",
    "plot_losses": "plots",
    "plot_multiverse": "surprise_plots",
    "plot_retention": "cohort_plots",
    "plot_retention_curves": "cohort_plots",
    "plot_rewatch_rates": "rewatch_plots",
    "plot_streak_counts": "plots",
    "plot_streaks": "plots",
    "plot_survival": "rewatch_plots",
    "plot_weights": "rewatch_plots",
    "pooled_rewatch_rate": "rewatched",
    "project_retention": "projection",
    "rank_choices": "choices",
    "recency_weights": "recency",
    "repeat_rates": "dirichlet",
    "restricted_mean": "intervals",
    "retention": "cohorts",
    "retention_matrix": "cohort_tables",
    "rewatch_gaps": "rewatch",
    "rewatch_rates": "rewatched",
    "risk_sentence": "privacy.risk",
    "run": "scale",
    "run_probability": "run_laws",
    "scoreboard_attack": "privacy.risk",
    "setup": "figures",
    "shrink_rates": "rewatched",
    "simulate_plays": "simulate",
    "simulate_repeats": "recency",
    "sources": "loaders.exports",
    "stickiness": "activity",
    "streak_survival": "streak_ends",
    "uncovered_artists": "drawn",
    "unicity": "privacy.risk",
    "viewer_days_sql": "warehouse",
    "waiting_time": "run_laws",
    "wilson": "intervals",
    "write_store": "store",
}

__all__ = [
    "DEMONSTRATION_KEY",
    "Dataset",
    "combine_plays",
    "count_streaks",
    "exclude",
    "find_runtimes",
    "find_streaks",
    "fingerprint",
    "first_full_day",
    "last_full_day",
    "load_dataset",
    "load_plays",
    "load_sample",
    "load_table",
    "longest_streaks",
    "loss_table",
    "to_viewer_days",
    "to_viewings",
    "watched_every_day",
    *_ON_USE,
]


def __getattr__(name: str):
    if name not in _ON_USE:
        raise AttributeError(f"module 'toolkit' has no attribute {name!r}")
    return getattr(importlib.import_module(f"toolkit.{_ON_USE[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_ON_USE})
