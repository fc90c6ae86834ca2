"""Simulated histories, one viewing after the other, in which each repeat copies by known weights."""

import numpy as np
import pandas as pd


def copying(seed, *, weights, viewers=40, steps=60, novelty=0.3, scores=None):
    """Viewings of which a share is new and each other one copies an earlier one of its viewer.

    Without scores what is new was never seen before; with scores it is a title, of those
    that have one, that is not among the last len(weights).
    """
    rng = np.random.default_rng(seed)
    rows, fresh = [], 1_000
    for viewer in range(viewers):
        past = []
        for _ in range(steps):
            last = past[::-1][: len(weights)]
            if not last or rng.random() < novelty:
                fresh += 1
                others = sorted({*range(len(scores or []))} - {*last})
                past.append(int(rng.choice(others)) if scores else fresh)
            else:
                chances = np.array(weights[: len(last)], dtype=float)
                if scores:
                    chances *= [scores[title] for title in last]
                past.append(int(rng.choice(last, p=chances / chances.sum())))
        rows += [(viewer, title) for title in past]
    viewer, title = zip(*rows, strict=True)
    return viewings_of(viewer, title)


def viewings_of(viewer, title, account=None):
    """Viewings of an hour, one a day of each viewer, in the order in which they stand."""
    viewings = pd.DataFrame({"viewer": list(viewer), "title": list(title)})
    if account is not None:
        viewings["account"] = list(account)
    day = pd.to_timedelta(viewings.groupby("viewer").cumcount(), unit="D")
    started = (pd.Timestamp("2024-01-01 20:00Z") + day).astype("datetime64[us, UTC]")
    return viewings.assign(started_at=started, ended_at=started + pd.Timedelta(hours=1))
