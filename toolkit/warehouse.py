"""Viewer-days as SQL: the query that `to_viewer_days` is, for plays that lie in a warehouse."""

import math
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import pandas as pd

from toolkit.days import to_viewer_days
from toolkit.tables import require_choice

__all__ = ["viewer_days_sql"]

_DAY = 86_400_000_000
# Clocks are read as whole microseconds, so that the zone of a session never enters.
_DIALECTS = {
    "duckdb": {
        "quote": '"',
        "double": "DOUBLE",
        "infinity": "CAST('inf' AS DOUBLE)",
        "is_naive": "typeof({at}) NOT LIKE '% WITH TIME ZONE'",
        "micros": "epoch_us({at})",
        "clock": "epoch_us(timezone({zone}, make_timestamptz({us})))",
        "date": "CAST(make_timestamp({us}) AS DATE)",
        "midnight": "epoch_us(CAST({day} AS TIMESTAMP))",
        "error": "error({text})",
        "each_day": (
            "CROSS JOIN UNNEST(CAST(generate_series({low}, {high}, INTERVAL 1 DAY) AS DATE[])) "
            "AS day"
        ),
        "first": "list_min([us FOR us IN range({low}, {high}, 60000000) IF {condition}])",
    },
    "spark": {
        "quote": "`",
        "double": "DOUBLE",
        "infinity": "CAST('inf' AS DOUBLE)",
        "is_naive": "typeof({at}) <> 'timestamp'",
        "micros": "unix_micros({at})",
        "clock": "unix_micros(from_utc_timestamp(timestamp_micros({us}), {zone}))",
        "date": f"date_from_unix_date(CAST(({{us}} - pmod({{us}}, {_DAY})) / {_DAY} AS INT))",
        "midnight": f"unix_date({{day}}) * {_DAY}",
        "error": "raise_error({text})",
        "each_day": "LATERAL VIEW explode(sequence({low}, {high})) AS day",
        "first": "array_min(filter(sequence({low}, {high}, 60000000), us -> {condition}))",
    },
    "bigquery": {
        "quote": "`",
        "double": "FLOAT64",
        "infinity": "CAST('inf' AS FLOAT64)",
        # Only a TIMESTAMP has UNIX_MICROS.
        "is_naive": "",
        "micros": "UNIX_MICROS({at})",
        "clock": "UNIX_MICROS(TIMESTAMP(DATETIME(TIMESTAMP_MICROS({us}), {zone}), 'UTC'))",
        "date": "DATE(TIMESTAMP_MICROS({us}), 'UTC')",
        "midnight": f"UNIX_DATE({{day}}) * {_DAY}",
        "error": "ERROR({text})",
        "each_day": "CROSS JOIN UNNEST(GENERATE_DATE_ARRAY({low}, {high})) AS day",
        "first": (
            "(SELECT MIN(us) FROM UNNEST(GENERATE_ARRAY({low}, {high}, 60000000)) AS us "
            "WHERE {condition})"
        ),
    },
}
_BREAK = "\n    "
_WORDS = {
    "row_is": ["session", "play", "completed", "latest", "logged"],
    "precision": ["second", "minute", "hour", "day"],
}


def viewer_days_sql(
    *,
    tz: str,
    columns: Iterable[str],
    dialect: Literal["duckdb", "spark", "bigquery"] = "duckdb",
    plays: str = "plays",
    day_starts_at: str = "00:00",
    by: Literal["title", "series"] | None = "title",
    day_of: Literal["start", "end", "split"] = "start",
    min_seconds: float = 0,
    allow_latest: bool = False,
) -> str:
    """Write `to_viewer_days` as a query, for plays that lie in a warehouse.

    Only the viewer-days, from which every measure starts, need to leave it.

    Parameters
    ----------
    tz : str
        Name of a time zone, or of a column that names one for each play.
    columns : iterable of str
        The columns that the table has.  Those of a plays table are used by their names;
        what is not listed, such as `excluded`, is taken not to be there.
    dialect : {'duckdb', 'spark', 'bigquery'}, default 'duckdb'
        The SQL to write.
    plays : str, default "plays"
        Name of the table or view, with dots between its parts (``"dataset.plays"``).
    day_starts_at, by, day_of, min_seconds, allow_latest
        As in `to_viewer_days`.

    Returns
    -------
    str
        One SELECT, without a semicolon, whose rows and columns are those of
        `to_viewer_days`, in the same order; ``day`` is a DATE, and unknown
        ``watched_seconds`` are NULL.

    Raises
    ------
    ValueError
        If `to_viewer_days` refuses an argument, a column is missing, the dialect is
        unknown, or a name has quotes in it.

    See Also
    --------
    to_viewer_days : the same of a frame.
    find_streaks : takes what the query returns.

    Notes
    -----
    What `to_viewer_days` refuses in the rows that are used stops the query with the same
    reason, such as an instant without a zone, rows of only the latest date, or a viewer with
    two accounts.

    Text is in the order of its code points, and the rules of the zones are those that the
    warehouse knows.

    The time zone of the session never enters.  Instants are TIMESTAMP WITH TIME ZONE in
    DuckDB, and TIMESTAMP in Spark and BigQuery.  DuckDB is tested; Spark 4.3 was tried by
    hand, with sessions in three zones; BigQuery is untested.

    Examples
    --------
    >>> import duckdb
    >>> plays = pd.DataFrame({
    ...     "viewer": "ann", "title": "Heat",
    ...     "started_at": pd.to_datetime(["2024-03-02 03:30Z", "2024-03-02 20:00Z"]),
    ...     "watched_seconds": [600.0, 9000.0],
    ... })
    >>> sql = viewer_days_sql(tz="America/New_York", columns=plays.columns)
    >>> duckdb.sql(sql).df()
      viewer account title        day  n_plays  watched_seconds
    0    ann     ann  Heat 2024-03-01        1            600.0
    1    ann     ann  Heat 2024-03-02        1           9000.0
    """
    require_choice(dialect, list(_DIALECTS), "dialect")
    columns = list(columns)
    # What is wrong with the arguments is found, and said, by the function itself.
    play = {"viewer": "", "account": "", "title": "", "started_at": pd.Timestamp(0, tz="UTC")}
    play = dict.fromkeys(columns) | play | {tz: "UTC"}
    result = to_viewer_days(
        pd.DataFrame([play], columns=columns),
        tz=tz,
        day_starts_at=day_starts_at,
        by=by,
        day_of=day_of,
        min_seconds=min_seconds,
        allow_latest=allow_latest,
    )
    if not math.isfinite(min_seconds):
        raise ValueError(f"`min_seconds` must be finite, got {min_seconds!r}.")
    hours, minutes = map(int, day_starts_at.split(":"))
    day_start = (hours * 60 + minutes) * 60_000_000
    quote = _DIALECTS[dialect]["quote"]
    table = ".".join(_quoted(part, "plays", quote) for part in plays.split("."))
    zone = _quoted(tz, "tz", quote) if tz in columns else f"'{tz}'"

    def write(what: str, **parts: str) -> str:
        return _DIALECTS[dialect][what].format(**parts)

    ids = {"viewer": "viewer", "account": "account"} | ({by: by} if by else {})
    if by == "series":
        ids["series"] = "COALESCE(series, title)" if "series" in columns else "title"
    if "account" not in columns:
        del ids["account"]
    needed = ids | {"started_at": "started_at"} | ({tz: zone} if tz in columns else {})
    reasons = {
        f"{text} IS NULL": f"'`{name}` must be there on every row that is used.'"
        for name, text in needed.items()
    } | _reasons(write, columns, day_of, day_start, allow_latest)
    steps = {
        "used_plays": _select(
            [*_named(ids), *_read(write, zone, columns, day_of), f"{_case(reasons)} AS reason"],
            f"FROM {table}",
            *_where_used(write, columns),
        )
    }
    steps |= _dated(write, columns, day_of, day_start)
    if day_of == "split":
        steps |= _split(write, ", ".join(ids), day_start)
    keys = ", ".join(name for name in ("viewer", by, "day") if name)
    steps["viewer_days"] = _select(
        _grouped(write, list(result), columns, day_of),
        f"FROM {[*steps][-1]}",
        f"GROUP BY {keys}",
    )
    enough = f"WHERE watched_seconds IS NULL OR watched_seconds >= {float(min_seconds)!r}"
    rest = ["FROM viewer_days", *([enough] if min_seconds else []), f"ORDER BY {keys}"]
    steps = [f"{name} AS (\n{textwrap.indent(text, '    ')}\n)" for name, text in steps.items()]
    return f"WITH {', '.join(steps)}\n{_select(list(result), *rest)}"


def _reasons(
    write: Callable, columns: list, day_of: str, day_start: int, allow_latest: bool
) -> dict[str, str]:
    """Write when a play is refused, and the reason; what is missing is refused before."""
    reasons = {}
    for name in ("started_at", "ended_at"):
        is_read = name in columns and (name == "started_at" or day_of != "start")
        if is_read and (naive := write("is_naive", at=name)):
            reasons[naive] = f"`{name}` must be instants with a time zone."
    for name, words in _WORDS.items():
        if name in columns:
            listed = ", ".join(f"'{word}'" for word in words)
            reasons[f"{name} NOT IN ({listed})"] = f"`{name}` must be one of {', '.join(words)}."
    if "row_is" in columns and not allow_latest:
        reasons["row_is = 'latest'"] = (
            "`plays` must not hold only the latest date of each title: streaks and rewatches "
            "cannot be read from them (`allow_latest=True` lets them through)."
        )
    if "precision" in columns and day_start:
        reasons["precision = 'day'"] = (
            "`day_starts_at` must be 00:00 for rows that have a date and no hour."
        )
    elif "precision" in columns:
        at_midnight = f"MOD({write('micros', at='started_at')}, {_DAY}) = 0"
        reasons[f"precision = 'day' AND NOT {at_midnight}"] = (
            "`started_at` must be midnight UTC where `precision` is day."
        )
    if "watched_seconds" in columns:
        reasons[f"watched_seconds < 0 OR watched_seconds = {write('infinity')}"] = (
            "`watched_seconds` must be 0 or more, or missing, on every row that is used."
        )
    return {condition: f"'{reason}'" for condition, reason in reasons.items()}


def _read(write: Callable, zone: str, columns: list, day_of: str) -> list[str]:
    """Write what is read of each play besides its ids."""
    if "precision" in columns:
        zone = f"CASE WHEN precision = 'day' THEN 'UTC' ELSE {zone} END"
    read = [f"{zone} AS zone", f"{write('micros', at='started_at')} AS started_us"]
    if day_of != "start" and "ended_at" in columns:
        read.append(f"{write('micros', at='ended_at')} AS ended_at_us")
    if day_of != "start" and "precision" in columns:
        read.append("precision")
    watched = "CAST(NULL AS BIGINT)"
    if "watched_seconds" in columns:
        # Neither NULL nor NaN is less than infinity.
        seconds = f"CAST(watched_seconds AS {write('double')})"
        watched_us = f"CAST(ROUND({seconds} * 1000000) AS BIGINT)"
        watched = _case({f"watched_seconds < {write('infinity')}": watched_us})
    return [*read, f"{watched} AS watched_us"]


def _where_used(write: Callable, columns: list) -> list[str]:
    if "excluded" not in columns:
        return []
    refused = write("error", text="'`excluded` must be a reason or missing, found truth values.'")
    truth = "LOWER(CAST(excluded AS STRING)) IN ('true', 'false')"
    return ["WHERE " + _case({truth: refused}, "excluded IS NULL")]


def _dated(write: Callable, columns: list, day_of: str, day_start: int) -> dict[str, str]:
    """Write the day of each play; with 'split', its first and last day."""

    def clock(us: str) -> str:
        return write("clock", us=us, zone="zone") + (f" - {day_start}" if day_start else "")

    first_clock = _case({"reason IS NULL": clock("started_us")}, write("error", text="reason"))
    first_day = write("date", us="clock_us")
    if day_of == "start":
        return {
            "clocks": _select(["*", f"{first_clock} AS clock_us"], "FROM used_plays"),
            "days": _select(["*", f"{first_day} AS day"], "FROM clocks"),
        }
    ended = "started_us + COALESCE(watched_us, 0)"
    if "ended_at" in columns:
        ended = f"COALESCE(ended_at_us, {ended})"
    if "precision" in columns:
        ended = f"CASE WHEN precision = 'day' THEN started_us ELSE {ended} END"
    # An end is not itself part of the play.
    last_clock = clock("GREATEST(started_us, ended_us - 1)")
    last_day = f"GREATEST({first_day}, {write('date', us='last_clock_us')})"
    days = [f"{first_day} AS first_day", f"{last_day} AS last_day"]
    return {
        "ends": _select(["*", f"{ended} AS ended_us"], "FROM used_plays"),
        "clocks": _select(
            ["*", f"{first_clock} AS clock_us", f"{last_clock} AS last_clock_us"], "FROM ends"
        ),
        "days": _select(
            ["*", *(days if day_of == "split" else [f"{last_day} AS day"])], "FROM clocks"
        ),
    }


def _split(write: Callable, ids: str, day_start: int) -> dict[str, str]:
    """Write the parts of each play: what follows the start of a day goes from the day before."""
    starts = write("midnight", day="day") + (f" + {day_start}" if day_start else "")
    offsets = [
        f"{write('clock', us=us, zone='zone')} - ({us}) AS offset_{when}"
        for when, us in (("before", f"starts_us - {_DAY}"), ("after", f"starts_us + {_DAY}"))
    ]
    # The first instant at which the clock has passed it, be it shown twice or skipped.
    low, high = (
        f"starts_us - {which}(offset_before, offset_after)" for which in ("GREATEST", "LEAST")
    )
    reached = f"{write('clock', us='us', zone='zone')} >= starts_us"
    first = write("first", low="low_us", high="high_us", condition=reached)
    rest = "(ended_us - GREATEST(started_us, LEAST(day_us, ended_us)))"
    rest = f"CAST(watched_us AS {write('double')}) * {rest} / (ended_us - started_us)"
    after = f"CAST(ROUND({rest}) AS BIGINT) AS after_us"
    parts = [
        _select([ids, "first_day AS day", "1 AS n_plays", "watched_us"], "FROM days"),
        _select([ids, "day", "0 AS n_plays", "after_us AS watched_us"], "FROM rests"),
        _select([ids, "day - 1 AS day", "0 AS n_plays", "-after_us AS watched_us"], "FROM rests"),
    ]
    each_day = write("each_day", low="first_day + 1", high="last_day")
    return {
        "starts": _select(
            ["*", f"{starts} AS starts_us"], "FROM days", each_day, "WHERE first_day < last_day"
        ),
        "offsets": _select(["*", *offsets], "FROM starts"),
        "limits": _select(["*", f"{low} AS low_us", f"{high} AS high_us"], "FROM offsets"),
        "instants": _select(["*", f"COALESCE({first}, high_us) AS day_us"], "FROM limits"),
        "rests": _select(["*", after], "FROM instants"),
        "parts": "\nUNION ALL\n".join(parts),
    }


def _grouped(write: Callable, names: list, columns: list, day_of: str) -> Iterator[str]:
    """Write each column of the viewer-days."""
    made = {
        "account": "viewer",
        "n_plays": "CAST(SUM(n_plays) AS BIGINT)" if day_of == "split" else "COUNT(*)",
        "watched_seconds": _case({"COUNT(watched_us) = COUNT(*)": "SUM(watched_us) / 1000000"}),
    }
    if "account" in columns:
        one = "MIN(account) = MAX(MAX(account)) OVER (PARTITION BY viewer)"
        two = write("error", text="'`plays` must give each viewer one account, found two for one.'")
        made["account"] = _case({one: "MIN(account)"}, two)
    return _named({name: made.get(name, name) for name in names})


def _quoted(name: str, argument: str, quote: str) -> str:
    if not name or re.search(r"""["'`\\\x00-\x1f]""", name):
        raise ValueError(f"`{argument}` must be a name without quotes in it, got {name!r}.")
    return f"{quote}{name}{quote}"


def _named(texts: dict[str, str]) -> Iterator[str]:
    return (text if text == name else f"{text} AS {name}" for name, text in texts.items())


def _case(branches: dict[str, str], otherwise: str | None = None) -> str:
    lines = [
        f"WHEN {condition}{' ' if len(condition + value) < 72 else _BREAK}THEN {value}"
        for condition, value in branches.items()
    ]
    lines += [f"ELSE {otherwise}"] if otherwise else []
    if len(lines) == 1 and "\n" not in lines[0]:
        return f"CASE {lines[0]} END"
    return "CASE\n" + textwrap.indent("\n".join(lines), "    ") + "\nEND"


def _select(columns: Iterable[str], *rest: str) -> str:
    return "\n".join(["SELECT", textwrap.indent(",\n".join(columns), "    "), *rest])
