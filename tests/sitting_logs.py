"""Small random logs of sittings, and the slow obvious way to find them, a viewer at a time."""

import numpy as np
import pandas as pd


def random_plays(seed, *, n=60, zones=("Europe/Berlin",)):
    """Plays of whole minutes that overlap, touch, pause just as long as limits, or lack an end."""
    rng = np.random.default_rng(seed)
    viewer = rng.integers(0, 4, n)
    start = rng.integers(0, 3 * 1_440, n)
    lasts = rng.choice([0, 1, 5, 30, 60, 200], n)
    # Some follow the one before them after a pause of a round length, or none.
    start[1::2] = (start + lasts + rng.choice([0, 5, 30, 31, 60], n))[:-1:2]
    viewer[1::2] = viewer[:-1:2]
    started = pd.Timestamp("2024-03-30 12:00Z") + pd.to_timedelta(start * 60, unit="s")
    seconds = np.where(rng.random(n) < 0.1, np.nan, lasts * 60.0)
    paused = pd.to_timedelta(lasts * 60 + rng.choice([0, 300], n), unit="s")
    series = rng.choice(["Dark", "Lost"], n)
    season, episode = rng.integers(1, 3, n), rng.integers(1, 4, n)
    title = [f"{a} {b} {c}" for a, b, c in zip(series, season, episode, strict=True)]
    is_film = rng.random(n) < 0.15
    return pd.DataFrame(
        {
            "viewer": pd.Categorical([f"v{i}" for i in viewer]),
            "account": pd.Categorical([f"a{i // 2}" for i in viewer]),
            "title": pd.Categorical(np.where(is_film, "Heat", title)),
            "series": pd.Categorical(pd.Series(series).mask(is_film)),
            "started_at": started.as_unit("us"),
            "ended_at": pd.Series((started + paused).as_unit("us")).mask(rng.random(n) < 0.5),
            "watched_seconds": seconds,
            "position_seconds": np.where(rng.random(n) < 0.5, seconds, np.nan),
            "runtime_seconds": np.where(is_film, 9_000.0, 1_800.0),
            "excluded": np.where(rng.random(n) < 0.05, "trailer", None),
            "tz": pd.Categorical([zones[i % len(zones)] for i in viewer]),
        }
    )


def end_of(play):
    if pd.notna(getattr(play, "ended_at", pd.NaT)):
        return max(play.started_at, play.ended_at)
    seconds = getattr(play, "watched_seconds", np.nan)
    return play.started_at + pd.Timedelta(seconds=0 if np.isnan(seconds) else seconds)


def sittings_of(plays, pause):
    """{viewer: [[play, ...], ...]} of the plays that are used, and all pauses."""
    found, pauses = {}, []
    for play in plays[plays["excluded"].isna()].sort_values("started_at").itertuples():
        sittings = found.setdefault(play.viewer, [])
        if sittings:
            so_far = max(end_of(p) for sitting in sittings for p in sitting)
            pauses.append(max(play.started_at - so_far, pd.Timedelta(0)))
            if pauses[-1] <= pd.Timedelta(pause):
                sittings[-1].append(play)
                continue
        sittings.append([play])
    return dict(sorted(found.items())), pauses
