"""A research toolkit for viewing logs: days, streaks, and what they do and do not say."""

import importlib

from toolkit.days import first_full_day, last_full_day, to_viewer_days
from toolkit.loaders import Dataset, load_dataset, load_plays, load_sample, load_table
from toolkit.privacy.keys import DEMONSTRATION_KEY
from toolkit.streaks import count_streaks, find_streaks, longest_streaks, watched_every_day
from toolkit.tables import combine_plays, exclude, fingerprint, loss_table
from toolkit.viewings import find_runtimes, to_viewings

__version__ = "0.1.0"

# What draws or simulates is imported when it is first used, so that `import toolkit` is light.
_ON_USE = {
    "choose_xmin": "count_fits",
    "compare_fits": "count_fits",
    "count_viewings": "rewatch",
    "fit_counts": "count_fits",
    "load_title_panel": "loaders.panels",
    "parse_titles": "titles",
    "plot_calendar": "plots",
    "plot_grid": "plots",
    "plot_losses": "plots",
    "plot_streak_counts": "plots",
    "plot_streaks": "plots",
    "rewatch_gaps": "rewatch",
    "setup": "figures",
    "simulate_plays": "simulate",
    "sources": "loaders.exports",
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
