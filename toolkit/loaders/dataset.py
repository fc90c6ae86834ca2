"""A log described by a small TOML file: where it lies, how to read it, what to ask of it."""

import os
import tomllib
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from toolkit.loaders.cells import (
    as_text,
    to_booleans,
    to_instants,
    to_seconds,
    to_whole_numbers,
)
from toolkit.loaders.files import is_saved, read_frame, require_file
from toolkit.loaders.table import load_table, to_pseudonyms
from toolkit.tables import (
    PLAYS,
    as_day,
    as_days,
    as_viewers,
    as_whole_number,
    require_columns,
)

__all__ = ["Ask", "Dataset", "load_dataset", "load_sample"]

_SAMPLE = Path(__file__).parents[2] / "data" / "sample.toml"
_NEEDED = ["path", "tz", "as_of", "title", "days"]
_OF_EXPORTS = ["source", "profile", "clock_tz", "date_order"]
_READING = [*_OF_EXPORTS, "columns", "duration", "encoding", "row_is"]
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
        `load_table`, or, for an export or a folder of them, ``source``, ``profile``,
        ``clock_tz`` and ``date_order`` as in `load_plays`; ``observed_from``, the first
        fully observed day; ``day_starts_at``; ``viewers`` and ``titles``, files with those
        tables; ``name``; and ``simulated``.
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
    ask = _ask(fields, path)
    reading = {name: fields[name] for name in _READING if name in fields}
    log = _beside(path, fields["path"])
    if "columns" not in fields and not is_saved(log):
        return _of_exports(log, path, reading, ask, key)
    source = reading.get("source", "table")
    encoding = reading.pop("encoding", None)

    ours = {name: name for name in PLAYS}
    columns = reading.get("columns", ours)
    frame = read_frame(log, encoding=encoding, columns=[*columns.values()])
    columns = columns if "columns" in reading else {n: n for n in ours if n in frame}
    viewers, titles = (
        read_frame(_beside(path, fields[name]), encoding=encoding) if name in fields else None
        for name in ("viewers", "titles")
    )
    if viewers is not None:
        viewers = _cast(viewers, "viewers", reading.get("clock_tz"))
        frame, columns, viewers = _with_accounts(frame, columns, viewers)
        viewers = as_viewers(viewers.assign(**to_pseudonyms(viewers, source, key)))
    if titles is not None:
        titles = _cast(titles, "titles", reading.get("clock_tz"))
    plays = load_table(frame, key=key, **reading | {"columns": columns})
    if viewers is not None:
        plays = _with_zones(plays, viewers)
    _require_title(plays, ask)
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


def _of_exports(log: Path, path: Path, reading: dict, ask: Ask, key) -> Dataset:
    """Read an export, or a folder of them, whose form its content tells."""
    # Imported when it is needed, so that `import toolkit` stays light.
    from toolkit.loaders.donations import load_exports

    if unknown := [name for name in reading if name not in _OF_EXPORTS]:
        raise ValueError(f"{path.name} must have `columns` to go with {unknown}, found none.")
    profile = reading.pop("profile", None)
    if profile is not None and profile.lower().endswith(".csv"):
        profile = _beside(path, profile)
    plays = load_exports(log, key=key, profile=profile, **reading)
    _require_title(plays, ask)
    return Dataset(plays, None, None, ask)


def _require_title(plays: pd.DataFrame, ask: Ask) -> None:
    if ask.title not in plays["title"].cat.categories:
        raise ValueError(f"`title` must be one of the log's titles, got {ask.title!r}.")


def _ask(fields: dict, path: Path) -> Ask:
    """Return what is asked, once every field is known to be what it should be."""
    allowed = [*_NEEDED, *_READING, *_ASKING]
    if missing := [name for name in _NEEDED if name not in fields]:
        raise ValueError(f"{path.name} must have the fields {_NEEDED}; missing {missing}.")
    if unknown := [name for name in fields if name not in allowed]:
        raise ValueError(f"{path.name} must have no fields but {allowed}, found {unknown}.")
    for name in ("path", "viewers", "titles", "title", "tz", "name", "profile"):
        if not isinstance(fields.get(name, ""), str):
            raise ValueError(f"`{name}` must be text in {path.name}, got {fields[name]!r}.")
    for name, kind, what in (("simulated", bool, "true or false"), ("columns", dict, "a table")):
        if not isinstance(fields.get(name, kind()), kind):
            raise ValueError(f"`{name}` must be {what} in {path.name}, got {fields[name]!r}.")
    observed_from = fields.get("observed_from")
    return Ask(
        name=fields.get("name", path.stem),
        is_simulated=fields.get("simulated", False),
        title=fields["title"],
        days=as_whole_number(fields["days"], "days", low=1),
        as_of=as_day(fields["as_of"], "as_of"),
        observed_from=observed_from and as_day(observed_from, "observed_from"),
        tz=fields["tz"],
        day_starts_at=fields.get("day_starts_at", "00:00"),
    )


def _beside(description: Path, path: str) -> Path:
    return description.parent / Path(path).expanduser()


def _cast(frame: pd.DataFrame, name: str, clock_tz: str | None) -> pd.DataFrame:
    """Read the columns of viewers or titles; the name of each tells what it holds."""
    require_columns(frame, [name[:-1]], name)
    cast = {}
    for column in frame:
        values = frame[column]
        if column in ("as_of", "observed_from", "available_from", "available_until"):
            cast[column] = as_days(values if values.dtype.kind == "M" else as_text(values), column)
        elif column.endswith("_at"):
            cast[column], _, _ = to_instants(values, column, clock_tz, "YMD")
        elif column.startswith("is_"):
            cast[column] = to_booleans(values, column)
        elif column.endswith("_seconds"):
            cast[column] = to_seconds(values, column, "seconds")
        elif column in ("season", "episode"):
            cast[column] = to_whole_numbers(values, column)
        elif values.dtype.kind not in "iuf" or column in PLAYS:
            cast[column] = as_text(values)
    return frame.assign(**cast)


def _with_accounts(frame: pd.DataFrame, columns: dict, viewers: pd.DataFrame):
    """Give plays the accounts that only viewers know, or the other way round.

    A pseudonym is made of account and profile, so both tables have to name them.
    """
    if ("account" in columns) == ("account" in viewers):
        return frame, columns, viewers
    if "account" in viewers:
        home = as_text(frame[columns["viewer"]]).map(_of_viewer(as_viewers(viewers), "account"))
        column = "account, from viewers"
        return frame.assign(**{column: home}), columns | {"account": column}, viewers
    pairs = pd.DataFrame(
        {name: as_text(frame[columns[name]]) for name in ("viewer", "account")}
    ).drop_duplicates()
    if pairs["viewer"].duplicated().any():
        raise ValueError(
            "`viewers` must have `account`, since a viewer is in two accounts of the log."
        )
    accounts = _of_viewer(pairs, "account")
    return frame, columns, viewers.assign(account=viewers["viewer"].map(accounts))


def _with_zones(plays: pd.DataFrame, viewers: pd.DataFrame) -> pd.DataFrame:
    names = plays["viewer"].cat.categories
    if missing := len(names.difference(pd.Index(viewers["viewer"]))):
        raise ValueError(
            f"`viewers` must have a row for every viewer of the log; {missing} of {len(names)} "
            "are missing."
        )
    if "tz" not in viewers or "tz" in plays:
        return plays
    zones = plays["viewer"].astype("str").map(_of_viewer(viewers, "tz"))
    return plays.assign(tz=zones.astype("category"))


def _of_viewer(table: pd.DataFrame, column: str) -> pd.Series:
    # As text: pandas maps categories by a categorical index wrongly.
    return table[column].astype("str").set_axis(table["viewer"].astype("str"))
