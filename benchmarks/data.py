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
    viewer, day = _watched(rng, rows)
    _save(folder / "viewer_days", viewer=viewer, day=day)
    # About three plays a day, so a third as many viewers fill as many rows.
    viewer, day = _watched(rng, rows // 2)
    plays = rng.geometric(1 / 3, len(day))
    row = np.repeat(np.arange(len(day)), plays)[:rows]
    viewer, day = viewer[row], day[row]
    title = _titles(rng, viewer)
    evening = rng.normal(1.5, 4, len(row)) * 3_600_000_000
    started = (FIRST_DAY.astype("int64") + day) * _DAY + evening.astype("int64")
    orders = {"plays": np.lexsort((started, title, viewer)), "shuffled": rng.permutation(len(row))}
    for name, order in orders.items():
        columns = {"viewer": viewer, "title": title, "started_at": started}
        _save(folder / name, **{column: values[order] for column, values in columns.items()})


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


def _watched(rng, rows: int):
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


def _titles(rng, viewer: np.ndarray) -> np.ndarray:
    """Return a title of each play: one of the viewer's three favourites, or any."""
    popular = (N_TITLES * rng.random(len(viewer)) ** 3).astype("int32")
    favourite = (N_TITLES * rng.random((viewer.max() + 1, 3)) ** 3).astype("int32")
    loved = favourite[viewer, rng.integers(0, 3, len(viewer))]
    return np.where(rng.random(len(viewer)) < 0.6, loved, popular)


def _save(folder: Path, **columns: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for name, values in columns.items():
        np.save(folder / f"{name}.npy", values)
