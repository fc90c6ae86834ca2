"""Any CSV, TSV, Parquet file or frame, read through a column map."""

import csv
import io
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from toolkit.days import from_clock
from toolkit.privacy.keys import has_pseudonym_form, pseudonym, read_key
from toolkit.tables import PLAYS, as_plays, exclude, require_choice, require_columns

__all__ = ["load_table", "read_frame", "require_file", "to_booleans", "to_pseudonyms"]

_SEPARATORS = [",", ";", "\t", "|"]
_PER_SECOND = 1_000_000

# Hour, minute and second are optional; a fraction and an offset may follow.
_CLOCK = r"(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?)?$"
_DATES = {
    "YMD": re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})" + _CLOCK),
    "DMY": re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})" + _CLOCK),
    "MDY": re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})" + _CLOCK),
}
_DURATION = re.compile(r"(\d+):([0-5]?\d):([0-5]?\d(?:\.\d+)?)$")


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
        Viewers and accounts are keyed pseudonyms.  Without `account` each viewer is an
        account of its own.  A row without a viewer, title or time, with a time that the
        clock in `clock_tz` skipped or with a negative duration has the reason in
        `excluded`.

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
    is_frame = isinstance(path, pd.DataFrame)
    wanted = list(columns.values())
    frame = path if is_frame else read_frame(path, encoding=encoding, columns=wanted)
    raw = _mapped(frame, columns)

    plays, reasons = {}, []
    for name in columns:
        values = raw[name]
        if name in ("started_at", "ended_at"):
            plays[name], precision, skipped = _instants(values, name, clock_tz, date_order or "YMD")
            reasons.append((skipped, "impossible time"))
            if name == "started_at":
                plays.setdefault("precision", precision)
        elif name.endswith("_seconds"):
            plays[name] = _seconds(values, name, duration)
            reasons.append((plays[name].lt(0).to_numpy(), "impossible duration"))
        elif name.startswith("is_"):
            plays[name] = to_booleans(values, name)
        elif name not in ("viewer", "account"):
            plays[name] = values
    plays |= to_pseudonyms(raw, source, key)
    # A canonical file says itself what its rows are.
    plays = {"watched_seconds": np.nan, "source": source, "row_is": row_is} | plays
    plays = as_plays(pd.DataFrame(plays, index=raw.index))
    for name in ("viewer", "account", "title"):
        reasons.append((plays[name].isna().to_numpy(), f"no {name}"))
    reasons.append((plays["started_at"].isna().to_numpy(), "no time"))
    for mask, reason in reasons:
        if mask.any():
            plays = exclude(plays, mask, reason=reason)
    ordered = [name for name in PLAYS if name in plays]
    return plays[ordered].sort_values(
        ["viewer", "title", "started_at"], kind="stable", ignore_index=True
    )


def _read_text(path: Path, encoding: str | None) -> str:
    """Return the text of a file, never in an encoding that was only guessed."""
    data = path.read_bytes()
    if encoding is None:
        encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"`path` must be text in {error.encoding}, found byte 0x{data[error.start]:02x} at "
            f"position {error.start} of {path.name}: name its `encoding` "
            "(a spreadsheet often writes 'cp1252')."
        ) from None


def require_file(path: str | os.PathLike, hint: str = "") -> Path:
    """Return the path of a file that is there."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"`path` must be a file that exists, found none at {path}{hint}.")
    return path


def read_frame(
    path: str | os.PathLike, *, encoding: str | None = None, columns: Sequence[str] = ()
) -> pd.DataFrame:
    """Read a Parquet file as it is, or a separated text file as text.

    Of the usual separators the one is taken that finds most of `columns`, or else most
    columns, in the first line.
    """
    path = require_file(path)
    if path.suffix.lower() in (".parquet", ".pq"):
        return pd.read_parquet(path)
    text = _read_text(path, encoding)
    header = text.split("\n", 1)[0].strip("\r")
    found = {s: next(csv.reader([header], delimiter=s), []) for s in _SEPARATORS}
    separator = max(_SEPARATORS, key=lambda s: (len({*columns} & {*found[s]}), len(found[s])))
    return pd.read_csv(
        io.StringIO(text), sep=separator, dtype="str", na_filter=False, skipinitialspace=True
    )


def _mapped(frame: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """Return the mapped columns under our names, blanks as missing."""
    require_columns(frame, dict.fromkeys(columns.values()), "path")
    raw = frame[[*columns.values()]].set_axis(list(columns), axis=1).reset_index(drop=True)
    for name in raw:
        if raw[name].dtype == "str" or raw[name].dtype == object:
            text = raw[name].map(lambda v: v.strip() if isinstance(v, str) else v)
            raw[name] = text.mask(text.eq("").fillna(False), None)
    return raw


def _instants(values: pd.Series, name: str, clock_tz: str | None, order: str):
    """Return instants, the precision of each, and which the clock never showed."""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        precision = pd.Series("second", index=values.index)
        return values.astype("datetime64[us, UTC]"), precision, np.zeros(len(values), bool)
    if values.dtype.kind == "M":
        clock = values.astype("datetime64[us]")
        precision = pd.Series("second", index=values.index)
        offset = pd.Series(pd.NaT, index=values.index, dtype="timedelta64[us]")
    else:
        clock, precision, offset = _parsed(values.astype("str"), name, order)
    known = clock.notna()
    bare = (known & offset.isna() & (precision != "day")).to_numpy()
    if bare.any() and clock_tz is None:
        raise ValueError(
            f"`clock_tz` must say which zone the clock of `{name}` showed, since its times have "
            f"none; found {values[bare].iloc[0]!r} in row {int(np.flatnonzero(bare)[0]) + 1}."
        )
    instants = clock - offset.fillna(pd.Timedelta(0))
    skipped = np.zeros(len(values), bool)
    if bare.any():
        moments = instants.to_numpy().view("int64").copy()
        moments[bare], skipped[bare] = from_clock(moments[bare], clock_tz)
        instants = pd.Series(moments.view("datetime64[us]"), index=values.index)
    return instants.dt.tz_localize("UTC"), precision, skipped


def _parsed(texts: pd.Series, name: str, order: str):
    """Read written times; one style has to explain every row that is not blank."""
    parts = texts.str.extract(_DATES[order].pattern)
    known = texts.notna()
    date = ["YMD".index(c) for c in order]
    clock = pd.Series(pd.NaT, index=texts.index, dtype="datetime64[us]")
    read = known & parts[0].notna()
    numbers = parts[[0, 1, 2, 3, 4, 5]].fillna("0").loc[read].astype("int64")
    fields = dict(
        zip(("year", "month", "day"), (numbers[date.index(i)] for i in range(3)), strict=True)
    )
    fields |= {"hour": numbers[3], "minute": numbers[4], "second": numbers[5]}
    stamps = pd.to_datetime(pd.DataFrame(fields), errors="coerce").astype("datetime64[us]")
    # pandas lets 25:00 run over into the next day.
    clock[read] = stamps.where((numbers[3] < 24) & (numbers[4] < 60) & (numbers[5] < 60))
    if (unread := known & clock.isna()).any():
        raise ValueError(
            f"`{name}` must be times in one style ({order}, then H:MM or H:MM:SS), found "
            f"{texts[unread].iloc[0]!r} in row {int(np.flatnonzero(unread)[0]) + 1}: "
            "name the `date_order` if it is another."
        )
    clock += pd.to_timedelta(
        parts[6].str.ljust(6, "0").str[:6].fillna("0").astype("int64"), unit="us"
    ).astype("timedelta64[us]")
    precision = pd.Series("second", index=texts.index).mask(parts[5].isna(), "minute")
    precision = precision.mask(known & parts[3].isna(), "day")
    digits = parts[7].replace({"Z": "+0000", "UTC": "+0000"}).str.replace(":", "")
    minutes = digits.str[1:3].astype("float64") * 60 + digits.str[3:5].astype("float64")
    minutes = minutes.mask(digits.str[0] == "-", -minutes)
    return clock, precision, pd.to_timedelta(minutes, unit="m").astype("timedelta64[us]")


def _seconds(values: pd.Series, name: str, duration: str) -> pd.Series:
    if duration == "H:MM:SS" and not pd.api.types.is_numeric_dtype(values):
        parts = values.astype("str").str.extract(_DURATION.pattern).astype("float64")
        seconds = parts[0] * 3600 + parts[1] * 60 + parts[2]
    else:
        seconds = pd.to_numeric(values, errors="coerce").astype("float64")
    if (unread := values.notna() & seconds.isna()).any():
        raise ValueError(
            f"`{name}` must be written as {duration}, found {values[unread].iloc[0]!r} "
            f"in row {int(np.flatnonzero(unread)[0]) + 1}."
        )
    return seconds


def to_booleans(values: pd.Series, name: str) -> pd.Series:
    """Read written truth values; anything else is refused."""
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    read = values.astype("str").str.lower().map(words)
    if (unread := values.notna() & read.isna()).any():
        raise ValueError(
            f"`{name}` must be true or false, found {values[unread].iloc[0]!r} "
            f"in row {int(np.flatnonzero(unread)[0]) + 1}."
        )
    return read.astype("boolean")


def to_pseudonyms(raw: pd.DataFrame, source: str, key) -> dict[str, pd.Series]:
    """Return viewers and accounts as pseudonyms, sorted so that codes tell no order.

    Ids that are pseudonyms by their form stay as they are, and need no key.
    """
    viewer = raw["viewer"].astype("str")
    account = raw["account"].astype("str") if "account" in raw else viewer
    if has_pseudonym_form(viewer.dropna().unique(), "viewer"):
        homes = account if has_pseudonym_form(account.dropna().unique(), "account") else viewer
        return {"viewer": viewer.astype("category"), "account": homes.astype("category")}
    key = read_key(key)
    profile = viewer if "account" in raw else viewer.mask(viewer.notna(), "")
    people = pd.DataFrame({"account": account, "profile": profile})
    known = people.drop_duplicates().dropna()
    made = {
        (home, name): pseudonym("viewer", source, home, name, key=key)
        for home, name in known.itertuples(index=False)
    }
    homes = {home: pseudonym("account", source, home, key=key) for home in known["account"]}
    if len(set(made.values())) < len(made) or len(set(homes.values())) < len(homes):
        raise ValueError("`key` must give each id a pseudonym of its own, found one given twice.")
    pairs = pd.Series(list(people.itertuples(index=False, name=None)), index=raw.index)
    return {
        "viewer": pairs.map(made).astype("str").astype("category"),
        "account": account.map(homes).astype("str").astype("category"),
    }
