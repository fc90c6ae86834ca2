"""Simulated input: sticky habits that differ from viewer to viewer."""

import base64
import hashlib
import zoneinfo
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

TZ = "America/New_York"
FIRST_DAY, N_DAYS = np.datetime64("2023-02-01"), 400
AS_OF = str(FIRST_DAY + N_DAYS + 1)
N_TITLES = 3_000
_DAY = 86_400_000_000


def write_data(folder: Path, rows: int, seed: int = 20171210) -> None:
    """Write the columns of every scenario: whole numbers, each viewer and title a code."""
    rng = np.random.default_rng(seed)
    viewer, day = watched_days(rng, rows)
    _save(folder / "viewer_days", viewer=viewer, day=day)
    # About three plays a day, so a third as many viewers fill as many rows.
    viewer, day = watched_days(rng, rows // 2)
    plays = rng.geometric(1 / 3, len(day))
    row = np.repeat(np.arange(len(day)), plays)[:rows]
    viewer, day = viewer[row], day[row]
    title = titles_of(rng, viewer)
    evening = rng.normal(1.5, 4, len(row)) * 3_600_000_000
    started = (FIRST_DAY.astype("int64") + day) * _DAY + evening.astype("int64")
    orders = {"plays": np.lexsort((started, title, viewer)), "shuffled": rng.permutation(len(row))}
    for name, order in orders.items():
        columns = {"viewer": viewer, "title": title, "started_at": started}
        _save(folder / name, **{column: values[order] for column, values in columns.items()})
    # A generator of its own leaves what is above as it was.
    _save(folder / "plays", **_progress(np.random.default_rng(seed + 1), title[orders["plays"]]))


def names(column: str, n: int) -> pd.Index:
    """Return pseudonyms as the toolkit makes them, in order."""
    prefix = column[0]
    digests = (hashlib.sha256(f"{column}{i}".encode()).digest()[:10] for i in range(n))
    return pd.Index(sorted(f"{prefix}_{base64.b32encode(d).decode().lower()}" for d in digests))


def offsets() -> list[tuple[int, int]]:
    """Return the instants (us) at which the offset of the zone changes, and the new offset."""
    zone = zoneinfo.ZoneInfo(TZ)
    start = datetime(2023, 1, 1, tzinfo=UTC)
    changes, last = [], None
    for hour in range(24 * (N_DAYS + 90)):
        moment = start + timedelta(hours=hour)
        offset = moment.astimezone(zone).utcoffset() // timedelta(microseconds=1)
        if offset != last:
            changes.append((int(moment.timestamp()) * 1_000_000, offset))
        last = offset
    return changes


def watched_days(rng, rows: int):
    """Return viewers and days (from 0) in order; some viewers hardly watch, some always do."""
    n_viewers = rows // 100 + 50
    begin = rng.beta(1, 4, n_viewers)
    go_on = rng.beta(3, 2, n_viewers)
    watched = np.zeros((n_viewers, N_DAYS), dtype=bool)
    now = rng.random(n_viewers) < begin
    for day in range(N_DAYS):
        now = rng.random(n_viewers) < np.where(now, go_on, begin)
        watched[:, day] = now
    viewer, day = np.nonzero(watched)
    if len(viewer) < rows:
        raise ValueError(f"`rows` must be covered by the habits, got {len(viewer)} of {rows}.")
    return viewer[:rows].astype("int32"), day[:rows]


def titles_of(rng, viewer: np.ndarray) -> np.ndarray:
    """Return a title of each play: one of the viewer's three favourites, or any."""
    popular = (N_TITLES * rng.random(len(viewer)) ** 3).astype("int32")
    favourite = (N_TITLES * rng.random((viewer.max() + 1, 3)) ** 3).astype("int32")
    loved = favourite[viewer, rng.integers(0, 3, len(viewer))]
    return np.where(rng.random(len(viewer)) < 0.6, loved, popular)


def _progress(rng, title: np.ndarray) -> dict[str, np.ndarray]:
    """Return how long each play lasted and where it ended, in whole seconds; some don't say where.

    Most begin at the start, and more than half of all come to the end.
    """
    runtime = rng.integers(1_500, 9_000, N_TITLES).astype("float64")[title]
    begin = np.where(rng.random(len(title)) < 0.7, 0, rng.random(len(title)))
    end = begin + (1 - begin) * np.minimum(1, 2 * rng.random(len(title)))
    position = np.where(rng.random(len(title)) < 0.05, np.nan, np.ceil(end * runtime))
    watched = np.ceil((end - begin) * runtime)
    return {"watched_seconds": watched, "position_seconds": position, "runtime_seconds": runtime}


def _save(folder: Path, **columns: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in columns.items():
        np.save(folder / f"{name}.npy", values)
