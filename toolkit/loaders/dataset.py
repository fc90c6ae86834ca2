"""A log described by a small TOML file: where it lies, how to read it, what to ask of it."""

import os
import tomllib
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from toolkit.loaders.table import load_table, read_frame, require_file, to_booleans, to_pseudonyms
from toolkit.tables import PLAYS, require_columns

__all__ = ["Ask", "Dataset", "load_dataset", "load_sample"]

_SAMPLE = Path(__file__).parents[2] / "data" / "sample.toml"
_NEEDED = ["path", "tz", "as_of", "title", "days"]
_READING = ["columns", "clock_tz", "date_order", "duration", "encoding", "source", "row_is"]
_ASKING = ["name", "simulated", "viewers", "titles", "day_starts_at", "observed_from"]


class Ask(NamedTuple):
    """What a description asks of its log."""

    name: str
    is_simulated: bool
    title: str
    days: int
    as_of: pd.Timestamp
    observed_from: pd.Timestamp | None
    tz: str
    day_starts_at: str


class Dataset(NamedTuple):
    """A log with what is known about its viewers and titles, and what to ask of it."""

    plays: pd.DataFrame
    viewers: pd.DataFrame | None
    titles: pd.DataFrame | None
    ask: Ask


def load_dataset(
    description: str | os.PathLike, *, key: bytes | str | os.PathLike | None = None
) -> Dataset:
    """Read a log as a small TOML file describes it.

    Parameters
    ----------
    description : path-like
        A TOML file, or ``"sample"`` for the simulated sample.  Needed are

        * ``path`` : the log, relative to the description
        * ``tz`` : the zone, or the column of zones, in which days are cut
        * ``as_of`` : the last fully observed day
        * ``title``, ``days`` : who watched this title on each of so many days?

        and, where they apply, ``columns`` (a table of our names to theirs), ``clock_tz``,
        ``date_order``, ``duration``, ``encoding``, ``source`` and ``row_is`` as in
        `load_table`; ``observed_from``, the first fully observed day; ``day_starts_at``;
        ``viewers`` and ``titles``, files with those tables; ``name``; and ``simulated``.
    key : bytes, str or path-like, optional
        The key of the pseudonyms, see `toolkit.privacy.keys.read_key`.

    Returns
    -------
    Dataset
        ``plays``, ``viewers`` and ``titles`` (None where there is no file) and ``ask``
        with what is to be asked: ``name``, ``is_simulated``, ``title``, ``days``,
        ``as_of``, ``observed_from``, ``tz`` and ``day_starts_at``.

    Raises
    ------
    ValueError
        If a field is missing or unknown, no play is of the title, or the log can't be read.
    FileNotFoundError
        If the description or a file that it names is not there.

    See Also
    --------
    load_table : how the log is read.

    Examples
    --------
    >>> plays, viewers, titles, ask = load_dataset("sample")
    >>> ask.title, ask.days, ask.as_of
    ('The Christmas Film', 18, Timestamp('2017-12-10 00:00:00'))
    """
    path = _SAMPLE if description == "sample" else description
    hint = " (the sample stands in a clone of the repository)" if description == "sample" else ""
    path = require_file(path, hint)
    fields = tomllib.loads(path.read_text(encoding="utf-8"))
    allowed = [*_NEEDED, *_READING, *_ASKING]
    if missing := [name for name in _NEEDED if name not in fields]:
        raise ValueError(f"{path.name} must have the fields {_NEEDED}; missing {missing}.")
    if unknown := [name for name in fields if name not in allowed]:
        raise ValueError(f"{path.name} must have no fields but {allowed}, found {unknown}.")

    reading = {name: fields[name] for name in _READING if name in fields}
    ours = {name: name for name in PLAYS}
    frame = read_frame(
        path.parent / fields["path"],
        encoding=reading.pop("encoding", None),
        columns=list(reading.get("columns", ours).values()),
    )
    reading.setdefault("columns", {name: name for name in ours if name in frame})
    plays = load_table(frame, key=key, **reading)
    viewers, titles = (
        _side_table(path.parent / fields[name], name, reading.get("source", "table"), key)
        if name in fields
        else None
        for name in ("viewers", "titles")
    )
    if viewers is not None and "tz" in viewers and "tz" not in plays:
        zones = viewers.set_index("viewer")["tz"]
        plays = plays.assign(tz=plays["viewer"].map(zones).astype("category"))
    if fields["title"] not in plays["title"].cat.categories:
        raise ValueError(f"`title` must be one of the log's titles, got {fields['title']!r}.")
    day = {
        name: fields.get(name) and pd.Timestamp(fields[name]) for name in ("as_of", "observed_from")
    }
    ask = Ask(
        name=fields.get("name", path.stem),
        is_simulated=fields.get("simulated", False),
        title=fields["title"],
        days=fields["days"],
        tz=fields["tz"],
        day_starts_at=fields.get("day_starts_at", "00:00"),
        **day,
    )
    return Dataset(plays, viewers, titles, ask)


def load_sample() -> pd.DataFrame:
    """Return the plays of the simulated sample; no viewer, account or title in it is real.

    Returns
    -------
    pandas.DataFrame
        A plays table; ``data/README.md`` describes it column by column.

    Raises
    ------
    FileNotFoundError
        If the package does not stand in a clone of its repository.

    Examples
    --------
    >>> load_sample()["source"].unique().tolist()
    ['simulated']
    """
    return load_dataset("sample").plays


def _side_table(path: Path, name: str, source: str, key) -> pd.DataFrame:
    """Read viewers or titles; the suffix of a column tells what it holds."""
    frame = read_frame(path)
    require_columns(frame, [name[:-1]], name)
    frame = frame.mask(frame.eq("")) if path.suffix.lower() not in (".parquet", ".pq") else frame
    cast = {}
    for column in frame:
        if column.endswith("_at"):
            cast[column] = pd.to_datetime(frame[column], utc=True).astype("datetime64[us, UTC]")
        elif column in ("as_of", "observed_from", "available_from", "available_until"):
            cast[column] = pd.to_datetime(frame[column]).astype("datetime64[us]")
        elif column.startswith("is_"):
            cast[column] = to_booleans(frame[column], column)
        elif column.endswith("_seconds"):
            cast[column] = frame[column].astype("float64")
        elif column in ("season", "episode"):
            cast[column] = frame[column].astype("Int16")
    if name == "viewers":
        cast |= to_pseudonyms(frame, source, key)
    return frame.assign(**cast)
