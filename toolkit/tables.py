"""The columns of every table: one check and cast for each, and the canonical order."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

__all__ = [
    "as_plays",
    "as_streaks",
    "as_viewer_days",
    "as_viewers",
    "canonical_runs",
    "codes_of",
    "combine_plays",
    "day_numbers",
    "day_values",
    "exclude",
    "fingerprint",
    "loss_table",
    "pack",
    "require_choice",
    "require_columns",
    "stable_order",
    "unit_of",
    "used_plays",
]

_INSTANT = "datetime64[us, UTC]"

# The dtype of each column; "id" is a category, or whole numbers at scale.
PLAYS = {
    "viewer": "id",
    "account": "id",
    "title": "id",
    "started_at": _INSTANT,
    "ended_at": _INSTANT,
    "watched_seconds": "float64",
    "series": "id",
    "season": "Int16",
    "episode": "Int16",
    "kind": "category",
    "position_seconds": "float64",
    "runtime_seconds": "float64",
    "is_autoplay": "boolean",
    "is_kids": "boolean",
    "is_marked_rewatch": "boolean",
    "device": "category",
    "country": "category",
    "tz": "category",
    "source": "category",
    "row_is": "category",
    "precision": "category",
    "excluded": "category",
}
_VIEWER_DAYS = {
    "viewer": "id",
    "account": "id",
    "title": "id",
    "series": "id",
    "day": "day",
    "n_plays": "int64",
    "watched_seconds": "float64",
}
_STREAKS = {
    "viewer": "id",
    "account": "id",
    "title": "id",
    "series": "id",
    "first_day": "day",
    "last_day": "day",
    "n_days": "int64",
    "is_open": "bool",
    "may_start_earlier": "boolean",
}
_VIEWERS = {
    "viewer": "id",
    "account": "id",
    "tz": "category",
    "observed_from": "day",
    "as_of": "day",
    "is_kids": "boolean",
}
_CHOICES = {
    "kind": ["film", "episode", "video", "track", "unknown"],
    "row_is": ["session", "play", "completed", "latest", "logged"],
    "precision": ["second", "minute", "hour", "day"],
}
_ALWAYS = {"source": "table", "row_is": "play", "precision": "second", "excluded": None}

_BLOCK = 2**15
_PER_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


def combine_plays(plays: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put several plays tables together, without counting a repeated import twice.

    Parameters
    ----------
    plays : sequence of pandas.DataFrame
        Plays tables.  A column that only some of them have is missing in the rows of
        the others.

    Returns
    -------
    pandas.DataFrame
        All rows of all tables, in the order viewer, title, started_at.  A row that an
        earlier table holds already (same source, viewer, title, start and watched
        seconds: a second export of the same history) has ``"duplicate"`` in `excluded`.

    Raises
    ------
    ValueError
        If there is no table, or one lacks a column.

    Examples
    --------
    >>> plays = pd.DataFrame({
    ...     "viewer": ["ann"], "title": ["Heat"],
    ...     "started_at": pd.to_datetime(["2024-03-01 20:00Z"]),
    ... })
    >>> both = combine_plays([plays, plays])
    >>> both["excluded"].tolist()
    [nan, 'duplicate']
    """
    plays = [as_plays(frame) for frame in plays]
    if not plays:
        raise ValueError("`plays` must hold at least one table, got none.")
    present = [name for name in PLAYS if any(name in frame for frame in plays)]
    extra = list(dict.fromkeys(c for frame in plays for c in frame if c not in PLAYS))
    both = pd.DataFrame(
        {name: _concatenated([frame.get(name) for frame in plays], plays) for name in present}
        | {
            name: pd.concat(
                [frame.get(name, _missing(frame)) for frame in plays], ignore_index=True
            )
            for name in extra
        }
    )
    table = np.repeat(np.arange(len(plays)), [len(frame) for frame in plays])
    same = ["source", "viewer", "title", "started_at", "watched_seconds"]
    same = [name for name in same if name in both]
    first_table = (
        both[same]
        .assign(table=table)
        .groupby(same, observed=True, dropna=False, sort=False)["table"]
        .transform("min")
    )
    both = exclude(both, (table > first_table).to_numpy(), reason="duplicate")
    return both.sort_values(["viewer", "title", "started_at"], kind="stable", ignore_index=True)


def exclude(plays: pd.DataFrame, mask: Iterable[bool], *, reason: str) -> pd.DataFrame:
    """Mark plays that are not to be used, and why; no row goes.

    Parameters
    ----------
    plays : pandas.DataFrame
        A plays table.
    mask : sequence of bool, one per row
        True where the play is not to be used.  A Series is matched by its index.
    reason : str
        What the rows are, in a word or two.  A reason that stands already stays.

    Returns
    -------
    pandas.DataFrame
        The same rows, with `reason` in `excluded` where `mask` holds.

    Raises
    ------
    ValueError
        If `mask` has another length or index or missing values, or `reason` is empty.

    See Also
    --------
    loss_table : how many rows went, by reason.

    Examples
    --------
    >>> plays = pd.DataFrame({
    ...     "viewer": ["ann", "ann"], "title": ["Heat", "Heat"],
    ...     "started_at": pd.to_datetime(["2024-03-01 20:00Z", "2024-03-02 20:00Z"]),
    ...     "watched_seconds": [4.0, 7200.0],
    ... })
    >>> exclude(plays, plays["watched_seconds"] < 10, reason="zapped")["excluded"].tolist()
    ['zapped', nan]
    """
    plays = as_plays(plays)
    if not reason or not isinstance(reason, str):
        raise ValueError(f"`reason` must be a word or two, got {reason!r}.")
    mask = _as_mask(mask, plays)
    excluded = plays["excluded"].cat.add_categories(
        [] if reason in plays["excluded"].cat.categories else [reason]
    )
    excluded = excluded.mask(mask & excluded.isna().to_numpy(), reason)
    return plays.assign(excluded=excluded)


def loss_table(plays: pd.DataFrame) -> pd.DataFrame:
    """Count the rows that are not used, by reason.

    Parameters
    ----------
    plays : pandas.DataFrame
        A plays table.

    Returns
    -------
    pandas.DataFrame
        One row per reason in `excluded`, the commonest first:

        * ``reason`` : str
        * ``n_rows`` : int
        * ``share`` : float, of all rows of `plays`

    Examples
    --------
    >>> plays = pd.DataFrame({
    ...     "viewer": ["ann", "ann"], "title": ["Heat", "Heat"],
    ...     "started_at": pd.to_datetime(["2024-03-01 20:00Z", "2024-03-02 20:00Z"]),
    ...     "excluded": [None, "trailer"],
    ... })
    >>> loss_table(plays)
        reason  n_rows  share
    0  trailer       1    0.5
    """
    plays = as_plays(plays)
    counts = plays["excluded"].astype("str").value_counts()
    counts = counts.sort_index().sort_values(ascending=False, kind="stable")
    return pd.DataFrame(
        {
            "reason": counts.index,
            "n_rows": counts.to_numpy("int64"),
            "share": counts.to_numpy("float64") / max(len(plays), 1),
        }
    )


def fingerprint(frame: pd.DataFrame) -> str:
    """Return 16 hexadecimal digits that change when any value of a table changes.

    Neither the order of the columns nor the way a category is coded enters.

    Parameters
    ----------
    frame : pandas.DataFrame
        Any table of the toolkit.

    Returns
    -------
    str
        The start of a SHA-256.

    Examples
    --------
    >>> fingerprint(pd.DataFrame({"viewer": ["ann"], "n_days": [18]}))
    '786fbf6235d66ed4'
    """
    digest = hashlib.sha256(str(len(frame)).encode())
    for name in sorted(frame.columns):
        column = frame[name]
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            column = column.dt.tz_convert("UTC").dt.tz_localize(None)
        if column.dtype.kind == "M":
            values = [column.astype("datetime64[us]").to_numpy().view("int64")]
        elif pd.api.types.is_numeric_dtype(column):
            values = [column.to_numpy("float64", na_value=np.nan) + 0.0]
        else:
            codes, texts = pd.factorize(column.astype("str"), sort=True)
            values = [codes.astype("int64"), "\0".join(texts).encode()]
        digest.update(name.encode())
        for part in values:
            digest.update(part)
    return digest.hexdigest()[:16]


def as_plays(plays: pd.DataFrame) -> pd.DataFrame:
    """Return plays with every known column cast and the always-present ones there."""
    plays = _cast(plays, PLAYS, ["viewer", "title", "started_at"], "plays")
    added = {} if "account" in plays else {"account": plays["viewer"]}
    for name, value in _ALWAYS.items():
        if name not in plays:
            codes = np.full(len(plays), -1 if value is None else 0, dtype="int8")
            added[name] = pd.Categorical.from_codes(
                codes, pd.Index([value] * (value is not None), dtype="str")
            )
    plays = plays.assign(**added) if added else plays
    for name, options in _CHOICES.items():
        if name in plays:
            for value in plays[name].cat.categories:
                require_choice(value, options, name)
    return plays


def as_viewer_days(viewer_days: pd.DataFrame) -> pd.DataFrame:
    """Return viewer-days with every known column cast; accounts are viewers if absent."""
    viewer_days = _cast(viewer_days, _VIEWER_DAYS, ["viewer", "day"], "viewer_days")
    unit_of(viewer_days, "viewer_days")
    if "account" in viewer_days:
        return viewer_days
    return viewer_days.assign(account=viewer_days["viewer"])


def as_streaks(streaks: pd.DataFrame) -> pd.DataFrame:
    """Return streaks with every known column cast; accounts are viewers if absent."""
    needed = ["viewer", "first_day", "last_day", "n_days", "is_open"]
    streaks = _cast(streaks, _STREAKS, needed, "streaks")
    return streaks if "account" in streaks else streaks.assign(account=streaks["viewer"])


def as_viewers(viewers: pd.DataFrame, needed: Sequence[str] = ()) -> pd.DataFrame:
    """Return viewers with every known column cast and each viewer there once."""
    viewers = _cast(viewers, _VIEWERS, ["viewer", *needed], "viewers")
    if (again := viewers["viewer"].duplicated()).any():
        raise ValueError(
            "`viewers` must have one row per viewer, "
            f"found {viewers['viewer'][again].iloc[0]!r} twice."
        )
    for name in needed:
        if viewers[name].isna().any():
            raise ValueError(
                f"`viewers` must have `{name}` on every row; "
                f"{viewers[name].isna().sum()} are missing."
            )
    return viewers


def used_plays(plays: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose `excluded` is missing."""
    used = plays["excluded"].isna()
    return plays if used.all() else plays[used]


def unit_of(frame: pd.DataFrame, name: str) -> str | None:
    """Return the column, title or series, that tells a viewer's rows apart, if any."""
    units = [column for column in ("title", "series") if column in frame]
    if len(units) > 1:
        raise ValueError(f"`{name}` must have `title` or `series`, not both.")
    return units[0] if units else None


def require_columns(frame: pd.DataFrame, columns: Iterable[str], name: str) -> None:
    """Refuse anything but a frame that has these columns."""
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"`{name}` must be a pandas DataFrame, got {type(frame).__name__}.")
    columns = list(columns)
    if missing := [column for column in columns if column not in frame]:
        raise ValueError(
            f"`{name}` must have columns {columns}; missing {missing}, found {list(frame)}."
        )


def require_choice(value: object, options: Sequence, name: str) -> None:
    """Refuse a value that is not one of the options."""
    if value not in options:
        raise ValueError(f"`{name}` must be one of {list(options)}, got {value!r}.")


def codes_of(column: pd.Series, name: str) -> tuple[np.ndarray, int]:
    """Return whole numbers that stand for the ids of a column, and how many there can be."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, size = column.cat.codes.to_numpy(), len(column.cat.categories)
        if len(codes) and codes.min() < 0:
            raise ValueError(
                f"`{name}` must be there on every row that is used; "
                f"{(codes < 0).sum()} are missing."
            )
        return codes, max(size, 1)
    values = column.to_numpy()
    if not len(values):
        return values, 1
    low, high = int(values.min()), int(values.max())
    if high - low >= 2**62:
        return _renumbered(values)
    return values if low == 0 else values.astype("int64") - low, high - low + 1


def pack(*columns: tuple[np.ndarray, int]) -> np.ndarray:
    """Pack columns of small whole numbers into one int64 that sorts as they do.

    Each column comes with the number of values it can take.  Where the product does not
    fit 63 bits, what is packed so far is renumbered from 0 in the same order, so that the
    rows themselves bound it; only the last column, whose distances matter, never is.
    """
    key, room = columns[0][0].astype("int64"), columns[0][1]
    for n, (codes, size) in enumerate(columns[1:], 2):
        if room * size >= 2**63:
            key, room = _renumbered(key)
        if room * size >= 2**63 and n < len(columns):
            codes, size = _renumbered(codes)
        if room * size >= 2**63:
            raise ValueError(f"`pack` must stay within 63 bits, got {room} x {size} values.")
        key *= size
        key += codes
        room *= size
    return key


def canonical_runs(ids: list[np.ndarray], values: np.ndarray, step: int) -> np.ndarray | None:
    """Return where runs of one step start, and where the last ends; None: not in order.

    Rows are in order if the ids rise and the values rise within the same ids.
    """
    edges = [np.zeros(1, dtype="int64")]
    # Block by block, so that what is compared stays in the processor's cache.
    for low in range(1, len(values), _BLOCK):
        high = min(low + _BLOCK, len(values))
        change = values[low:high] - values[low - 1 : high - 1]
        follows, rises = change == step, change > 0
        for codes in reversed(ids):
            code, before = codes[low:high], codes[low - 1 : high - 1]
            same = code == before
            follows &= same
            rises = (code > before) | (same & rises)
        if not (follows | rises).all():
            return None
        start = np.flatnonzero(~follows) + low
        edges.append(start)
    return np.concatenate([*edges, [len(values)]])


def stable_order(key: np.ndarray) -> np.ndarray:
    """Return the order that sorts a key of `pack`, equal ones as they stand."""
    bits = len(key).bit_length()
    # Far from sorted and with room for the number of its row, a key itself sorts faster.
    if (np.diff(key[::4096]) < 0).any() and int(key.max()) < 2 ** (63 - bits):
        numbered = key << bits
        numbered |= np.arange(len(key))
        numbered.sort()
        numbered &= 2**bits - 1
        return numbered
    return np.argsort(key, kind="stable")


def day_numbers(days: np.ndarray | pd.Series, name: str) -> np.ndarray:
    """Return naive midnights as whole days since 1970-01-01."""
    days = np.asarray(days)
    per_day = _PER_DAY[np.datetime_data(days.dtype)[0]]
    values = days.view("int64")
    numbers = values // per_day
    wrong = numbers * per_day != values
    if wrong.any():
        found = "a missing day" if np.isnat(days).any() else pd.Timestamp(days[wrong][0])
        raise ValueError(f"`{name}` must be naive midnights on every row, found {found}.")
    return numbers


def day_values(numbers: np.ndarray) -> np.ndarray:
    """Return whole days since 1970-01-01 as naive midnights."""
    return (numbers * np.int64(_PER_DAY["us"])).view("datetime64[us]")


def _cast(frame: pd.DataFrame, dtypes: dict, needed: Sequence[str], name: str) -> pd.DataFrame:
    require_columns(frame, needed, name)
    changed = {}
    for column, dtype in dtypes.items():
        if column in frame:
            values = frame[column]
            cast = _cast_column(values, dtype, f"{name}.{column}")
            if cast is not values:
                changed[column] = cast
    return frame.assign(**changed) if changed else frame


def _cast_column(values: pd.Series, dtype: str, name: str) -> pd.Series:
    have = values.dtype
    if dtype in ("id", "category"):
        whole = dtype == "id" and isinstance(have, np.dtype) and have.kind in "iu"
        return (
            values if whole or isinstance(have, pd.CategoricalDtype) else values.astype("category")
        )
    if dtype == _INSTANT:
        if isinstance(have, pd.DatetimeTZDtype):
            return values if str(have) == _INSTANT else values.astype(_INSTANT)
        if values.isna().all():
            return pd.Series(pd.NaT, index=values.index, dtype=_INSTANT)
        raise ValueError(
            f"`{name}` must be instants with a time zone, found {have}: "
            "say which zone the clock showed (`clock_tz`, or `Series.dt.tz_localize`)."
        )
    if dtype == "day":
        if isinstance(have, np.dtype) and have.kind == "M":
            return values
        if isinstance(have, pd.DatetimeTZDtype):
            raise ValueError(f"`{name}` must be days without a time zone, found {have}.")
        return pd.to_datetime(values).astype("datetime64[us]")
    if have == dtype:
        return values
    try:
        return values.astype(dtype)
    except (TypeError, ValueError):
        raise ValueError(f"`{name}` must be {dtype}, found {have}.") from None


def _as_mask(mask: Iterable[bool], plays: pd.DataFrame) -> np.ndarray:
    if isinstance(mask, pd.Series) and not mask.index.equals(plays.index):
        raise ValueError("`mask` must have the index of `plays`, found another.")
    mask = pd.array(mask, dtype="boolean")
    if len(mask) != len(plays) or mask.isna().any():
        raise ValueError(
            f"`mask` must be True or False for each of {len(plays)} rows, "
            f"found {len(mask)} values, {mask.isna().sum()} of them missing."
        )
    return mask.to_numpy(bool)


def _concatenated(columns: list, frames: list) -> pd.Series:
    dtype = next(c.dtype for c in columns if c is not None)
    if not isinstance(dtype, pd.CategoricalDtype):
        columns = [
            pd.Series(index=f.index, dtype=dtype) if c is None else c
            for c, f in zip(columns, frames, strict=True)
        ]
        return pd.concat(columns, ignore_index=True)
    columns = [
        pd.Categorical.from_codes(np.full(len(f), -1), dtype.categories[:0]) if c is None else c
        for c, f in zip(columns, frames, strict=True)
    ]
    return pd.Series(pd.api.types.union_categoricals(columns, sort_categories=True))


def _renumbered(codes: np.ndarray) -> tuple[np.ndarray, int]:
    _, codes = np.unique(codes, return_inverse=True)
    return codes.astype("int64"), len(codes)


def _missing(frame: pd.DataFrame) -> pd.Series:
    return pd.Series(pd.NA, index=frame.index, dtype="object")
