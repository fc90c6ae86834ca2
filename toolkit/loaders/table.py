"""Any CSV, TSV, Parquet file or frame, read through a column map."""

import os
from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from toolkit.loaders.cells import (
    as_text,
    to_booleans,
    to_instants,
    to_seconds,
    to_whole_numbers,
)
from toolkit.loaders.files import read_frame
from toolkit.privacy.keys import has_pseudonym_form, pseudonym, read_key
from toolkit.tables import PLAYS, as_plays, exclude, require_choice, require_columns

__all__ = ["load_table", "to_pseudonyms"]

_INSTANT = PLAYS["started_at"]


def load_table(
    path: str | os.PathLike | pd.DataFrame,
    *,
    columns: Mapping[str, str],
    clock_tz: str | None = None,
    date_order: Literal["YMD", "DMY", "MDY"] | None = None,
    duration: Literal["seconds", "H:MM:SS"] = "seconds",
    encoding: str | None = None,
    key: bytes | str | os.PathLike | None = None,
    source: str = "table",
    row_is: Literal["session", "play", "completed", "latest", "logged"] = "play",
) -> pd.DataFrame:
    """Read any table of plays through a map of its columns.

    Parameters
    ----------
    path : path-like or pandas.DataFrame
        A CSV or TSV file (separated by comma, semicolon, tab or bar; the header decides),
        a Parquet file, or a frame.
    columns : mapping
        Our names of columns to theirs; at least `viewer`, `title` and `started_at`, e.g.
        ``{"viewer": "UserID", "title": "Channel2", "started_at": "RecordDate2"}``.
    clock_tz : str, optional
        The time zone of the clock that wrote times without one.  Required if there are
        any, except for dates without an hour.
    date_order : {'YMD', 'DMY', 'MDY'}, optional
        Order of the parts of a date.  Without it only dates that start with the year are
        read: 03/04/2024 is never guessed.
    duration : {'seconds', 'H:MM:SS'}, default 'seconds'
        How `watched_seconds`, `position_seconds` and `runtime_seconds` are written.
    encoding : str, optional
        Of a text file; without it UTF-8 or, if it says so itself, UTF-16.
    key : bytes, str or path-like, optional
        The key of the pseudonyms, see `toolkit.privacy.keys.read_key`.
    source : str, default 'table'
        A name for where the plays come from; it tells apart equal ids of two sources.
    row_is : {'session', 'play', 'completed', 'latest', 'logged'}, default 'play'
        What one row of the table is.

    Returns
    -------
    pandas.DataFrame
        A plays table with every row of the file, in the order viewer, title, started_at.
        Viewers and accounts are keyed pseudonyms.  Without an account each viewer is an
        account of its own.  A row has the reason in `excluded` if it lacks a viewer, title
        or time, if its time can't have been (skipped by the clock in `clock_tz`, an end
        before its start, a year before 1900 or after 2199) or if a duration is negative.

    Raises
    ------
    ValueError
        If a column is not there, a time has no zone, a time or duration can't be read (the
        first such row is named), or the text can't be decoded.
    FileNotFoundError
        If there is no such file.

    See Also
    --------
    load_dataset : the same from a small TOML file.

    Notes
    -----
    A time that the clock showed twice, at the end of daylight saving, is read as the first
    of the two.  Rows that are equal in every column are all kept: only the source can say
    whether they are duplicates; `exclude` marks them.

    Examples
    --------
    >>> from toolkit.privacy.keys import DEMONSTRATION_KEY
    >>> log = pd.DataFrame({
    ...     "UserID": [7], "Channel": ["News"], "At": ["2024-03-01 20:00"], "For": ["0:12:30"],
    ... })
    >>> plays = load_table(
    ...     log,
    ...     columns={"viewer": "UserID", "title": "Channel", "started_at": "At",
    ...              "watched_seconds": "For"},
    ...     clock_tz="Africa/Johannesburg", duration="H:MM:SS", key=DEMONSTRATION_KEY,
    ... )
    >>> plays[["started_at", "watched_seconds", "precision"]]
                     started_at  watched_seconds precision
    0 2024-03-01 18:00:00+00:00            750.0    minute
    """
    require_choice(duration, ["seconds", "H:MM:SS"], "duration")
    require_choice(date_order, ["YMD", "DMY", "MDY", None], "date_order")
    if unknown := [name for name in columns if name not in PLAYS]:
        raise ValueError(f"`columns` must map names of plays {list(PLAYS)}, got {unknown}.")
    require_columns(
        pd.DataFrame(columns=list(columns)), ["viewer", "title", "started_at"], "columns"
    )
    wanted = list(columns.values())
    is_frame = isinstance(path, pd.DataFrame)
    frame = path if is_frame else read_frame(path, encoding=encoding, columns=wanted)
    require_columns(frame, dict.fromkeys(wanted), "path")
    raw = frame[wanted].set_axis(list(columns), axis=1).reset_index(drop=True)

    plays, reasons = {"watched_seconds": np.nan, "source": source, "row_is": row_is}, []
    for name in columns:
        values = raw[name]
        if PLAYS[name] == _INSTANT:
            plays[name], precision, impossible = to_instants(
                values, name, clock_tz, date_order or "YMD"
            )
            reasons.append((impossible, "impossible time"))
            if name == "started_at":
                plays.setdefault("precision", precision)
        elif PLAYS[name] == "float64":
            plays[name] = to_seconds(values, name, duration)
            reasons.append((plays[name].lt(0).to_numpy(), "impossible duration"))
        elif PLAYS[name] == "boolean":
            plays[name] = to_booleans(values, name)
        elif PLAYS[name] == "Int16":
            plays[name] = to_whole_numbers(values, name)
        else:
            plays[name] = as_text(values).fillna(plays.get(name)).astype("category")
    plays |= to_pseudonyms(raw, source, key)
    plays = as_plays(pd.DataFrame(plays, index=raw.index))
    if "ended_at" in plays:
        reasons.append(((plays["ended_at"] < plays["started_at"]).to_numpy(), "impossible time"))
    for name, reason in (("viewer", "no viewer"), ("title", "no title"), ("started_at", "no time")):
        reasons.append((plays[name].isna().to_numpy(), reason))
    for mask, reason in reasons:
        if mask.any():
            plays = exclude(plays, mask, reason=reason)
    ordered = [name for name in PLAYS if name in plays]
    return plays[ordered].sort_values(
        ["viewer", "title", "started_at"], kind="stable", ignore_index=True
    )


def to_pseudonyms(raw: pd.DataFrame, source: str, key) -> dict[str, pd.Series]:
    """Return viewers and accounts as pseudonyms, sorted so that codes tell no order.

    Without an account each viewer is one of its own.  Ids that are pseudonyms by their
    form stay as they are, and need no key.
    """
    people = pd.DataFrame({"viewer": as_text(raw["viewer"])})
    people["account"] = people["viewer"]
    if "account" in raw:
        people["account"] = as_text(raw["account"]).fillna(people["viewer"])
    people["source"] = as_text(raw["source"]).fillna(source) if "source" in raw else source
    made = {}
    for kind, parts in (
        ("viewer", ["source", "account", "viewer"]),
        ("account", ["source", "account"]),
    ):
        # A viewer that is its own account has the form of a viewer there too.
        forms = {kind, "viewer"} if "account" not in raw else {kind}
        if any(has_pseudonym_form(people[kind].dropna().unique(), form) for form in forms):
            made[kind] = people[kind]
        else:
            key = read_key(key)
            made[kind] = _made(people[parts], kind, key)
    return {kind: ids.astype("str").astype("category") for kind, ids in made.items()}


def _made(parts: pd.DataFrame, kind: str, key: bytes) -> pd.Series:
    row = parts.groupby(list(parts), dropna=False, sort=False).ngroup()
    different = parts.drop_duplicates()
    ids = [
        None if pd.isna(part).any() else pseudonym(kind, *part, key=key)
        for part in different.to_numpy()
    ]
    if len(set(ids)) < len(ids) - max(ids.count(None) - 1, 0):
        raise ValueError("`key` must give each id a pseudonym of its own, found one given twice.")
    return pd.Series(pd.array(ids, dtype="str").take(row), index=parts.index)
