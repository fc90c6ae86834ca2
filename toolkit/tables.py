"""The columns of every table: one check and cast for each, and the canonical order."""

import datetime
import hashlib
import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from toolkit.order import codes_of

__all__ = [
    "as_day",
    "as_days",
    "as_instants",
    "as_plays",
    "as_streaks",
    "as_viewer_days",
    "as_viewers",
    "as_viewings",
    "as_whole_number",
    "combine_plays",
    "count_reasons",
    "exclude",
    "fingerprint",
    "group_numbers",
    "loss_table",
    "require_choice",
    "require_columns",
    "require_confidence",
    "require_one_account",
    "shares_lost",
    "unit_column",
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
    "is_overlapping": "boolean",
    "device": "category",
    "country": "category",
    "tz": "category",
    "source": "category",
    "row_is": "category",
    "precision": "category",
    "excluded": "category",
}
_VIEWINGS = {
    "viewer": "id",
    "account": "id",
    "title": "id",
    "series": "id",
    "started_at": _INSTANT,
    "ended_at": _INSTANT,
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

_DAY_TEXT = re.compile(r"\d{4}-\d{2}-\d{2}")


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
        earlier table holds and uses already (same source, viewer, title, start and watched
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
        {name: _concatenated([frame.get(name) for frame in plays], plays, name) for name in present}
        | {
            name: pd.concat(
                [frame.get(name, _missing(frame)) for frame in plays], ignore_index=True
            )
            for name in extra
        }
    )
    table = np.repeat(np.arange(len(plays)), [len(frame) for frame in plays])
    # What an earlier table has but does not use is no reason to leave this one out.
    used = np.where(both["excluded"].isna(), table, len(plays))
    same = ["source", "viewer", "title", "started_at", "watched_seconds"]
    same = [name for name in same if name in both]
    first_used = (
        both[same]
        .assign(table=used)
        .groupby(same, observed=True, dropna=False, sort=False)["table"]
        .transform("min")
    )
    both = exclude(both, (table > first_used).to_numpy(), reason="duplicate")
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


def loss_table(plays: pd.DataFrame, *, by: str | Sequence[str] | None = None) -> pd.DataFrame:
    """Count the rows that are not used, by reason.

    Parameters
    ----------
    plays : pandas.DataFrame
        A plays table.
    by : str or list of str, optional
        Columns of `plays` within which to count, such as "source" or "account".

    Returns
    -------
    pandas.DataFrame
        One row per reason in `excluded` (of each group), the commonest first:

        * the columns of `by`; a group that loses nothing has no row
        * ``reason`` : str
        * ``n_rows`` : int
        * ``share`` : float, of all rows of `plays` (of the group)

    Raises
    ------
    ValueError
        If a column of `by` is not there.

    See Also
    --------
    exclude : gives rows a reason.
    plot_losses : draws this table.

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
    return shares_lost(count_reasons(plays, by=by), by=by)


def count_reasons(plays: pd.DataFrame, *, by: str | Sequence[str] | None = None) -> pd.DataFrame:
    """Count the rows of each reason in each group, and those without one."""
    plays = as_plays(plays)
    groups = [by] if isinstance(by, str) else list(by or [])
    require_columns(plays, groups, "plays")
    if taken := [name for name in groups if name in ("reason", "n_rows", "share", "excluded")]:
        raise ValueError(f"`by` must not be columns of the result, got {taken}.")
    rows = plays[groups].assign(reason=plays["excluded"].astype("str"))
    return (
        rows.groupby([*groups, "reason"], observed=True, dropna=False)
        .size()
        .reset_index(name="n_rows")
    )


def shares_lost(counts: pd.DataFrame, *, by: str | Sequence[str] | None = None) -> pd.DataFrame:
    """Return what `loss_table` says of rows, from their counts by reason, of one part or more."""
    groups = [by] if isinstance(by, str) else list(by or [])
    counts = counts.groupby([*groups, "reason"], observed=True, dropna=False)["n_rows"].sum()
    counts = counts.reset_index()
    group = group_numbers(counts, groups)
    lost = counts.assign(share=counts["n_rows"] / np.bincount(group, counts["n_rows"])[group])
    lost = lost.iloc[np.lexsort((-counts["n_rows"], group))]
    return lost.dropna(subset="reason").reset_index(drop=True)


def group_numbers(frame: pd.DataFrame, groups: list) -> np.ndarray:
    """Return the number of each row's group, in the order of the groups."""
    if not groups:
        return np.zeros(len(frame), dtype="int64")
    return frame.groupby(groups, observed=True, dropna=False).ngroup().to_numpy()


def fingerprint(frame: pd.DataFrame) -> str:
    """Return 16 hexadecimal digits that change when any value of a table changes.

    Instants enter to the microsecond.  Neither the order of the columns nor the codes of a
    category enter.

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
    'c67d9d30d2707ebc'
    """
    digest = hashlib.sha256(str(len(frame)).encode())
    for name in sorted(frame.columns):
        column = frame[name]
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            column = column.dt.tz_convert("UTC").dt.tz_localize(None)
        if column.dtype.kind == "M":
            values = [column.astype("datetime64[us]").to_numpy().view("int64")]
        elif column.dtype.kind in "iub":
            known = column.notna().to_numpy()
            values = [column.astype("Int64").fillna(0).to_numpy("int64"), known]
        elif column.dtype.kind == "f":
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
            codes = np.zeros(len(plays), dtype="int8")
            if value is None:
                codes -= 1
            values = pd.Categorical.from_codes(
                codes, pd.Index([value] * (value is not None), dtype="str"), validate=False
            )
            # An array itself would be copied when it is assigned.
            added[name] = pd.Series(values, index=plays.index, copy=False)
    plays = plays.assign(**added) if added else plays
    for name, options in _CHOICES.items():
        if name in plays and not set(plays[name].cat.categories) <= set(options):
            for value in plays[name].dropna().unique():
                require_choice(value, options, name)
    if not {"True", "False"}.isdisjoint(plays["excluded"].cat.categories):
        raise ValueError("`excluded` must be a reason or missing, found truth values.")
    return plays


def as_viewings(viewings: pd.DataFrame, instants: Sequence[str] = ()) -> pd.DataFrame:
    """Return viewings with ids and instants cast, and each viewer in one account."""
    viewings = _cast(viewings, _VIEWINGS, ["viewer", "title", *instants], "viewings")
    for name in instants:
        if (missing := viewings[name].isna().sum()) > 0:
            raise ValueError(f"`{name}` must be there on every viewing; {missing} are missing.")
    if "account" not in viewings:
        return viewings.assign(account=viewings["viewer"])
    require_one_account("`viewings`", viewings)
    return viewings


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
    if not len(plays["excluded"].cat.categories):
        return plays
    used = plays["excluded"].isna()
    return plays if used.all() else plays[used]


def unit_of(frame: pd.DataFrame, name: str) -> str | None:
    """Return the column, title or series, that tells a viewer's rows apart, if any."""
    units = [column for column in ("title", "series") if column in frame]
    if len(units) > 1:
        raise ValueError(f"`{name}` must have `title` or `series`, not both.")
    return units[0] if units else None


def unit_column(frame: pd.DataFrame, by: str) -> pd.Series:
    """Return the titles, or the series, in which a title that has none stands for itself."""
    if by == "title" or "series" not in frame:
        return frame["title"].rename(by)
    series, title = frame["series"].astype("category"), frame["title"].astype("category")
    names = series.cat.categories.union(title.cat.categories)
    of_series, of_title = (names.get_indexer(c.cat.categories) for c in (series, title))
    codes = np.append(of_title, -1)[title.cat.codes]
    known = series.notna().to_numpy()
    codes[known] = of_series[series.cat.codes[known]]
    return pd.Series(pd.Categorical.from_codes(codes, names), index=frame.index, name=by)


def require_columns(frame: pd.DataFrame, columns: Iterable[str], name: str) -> None:
    """Refuse anything but a frame that has these columns."""
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"`{name}` must be a pandas DataFrame, got {type(frame).__name__}.")
    columns = list(columns)
    if missing := [column for column in columns if column not in frame]:
        raise ValueError(
            f"`{name}` must have columns {columns}; missing {missing}, found {list(frame)}."
        )


def require_one_account(name: str, frame: pd.DataFrame) -> None:
    """Refuse a table in which a viewer has two accounts, or an account is missing."""
    viewer = frame["viewer"]
    if isinstance(viewer.dtype, pd.CategoricalDtype):
        row = viewer.array.codes
    else:
        row = np.unique(viewer, return_inverse=True)[1]
    codes, _ = codes_of(frame["account"], "account")
    if np.shares_memory(codes, row):
        # The viewers are the accounts.
        return
    home = np.zeros(int(row.max(initial=-1)) + 1, dtype=codes.dtype)
    home[row] = codes
    if (two := codes != home[row]).any():
        who = viewer.iloc[int(two.argmax())]
        raise ValueError(f"{name} must give each viewer one account, found two for {who!r}.")


def as_whole_number(value: object, name: str, *, low: int) -> int:
    """Return a whole number of at least `low`, whatever type holds it."""
    whole = isinstance(value, int | float | np.integer | np.floating) and not isinstance(
        value, bool
    )
    if not whole or value != value // 1 or value < low:
        raise ValueError(f"`{name}` must be a whole number, {low} or more, got {value!r}.")
    return int(value)


def as_day(day: object, name: str) -> pd.Timestamp:
    """Return a day: a date, a naive midnight or text YYYY-MM-DD; anything else is refused."""
    is_text = isinstance(day, str) and _DAY_TEXT.fullmatch(day)
    if is_text or isinstance(day, datetime.date | np.datetime64):
        try:
            stamp = pd.Timestamp(day)
        except ValueError:
            stamp = pd.NaT
        if stamp is not pd.NaT and stamp.tz is None and stamp == stamp.normalize():
            return stamp
    raise ValueError(f"`{name}` must be a day such as 2017-12-10, got {day!r}.")


def as_days(days: pd.Series, name: str) -> pd.Series:
    """Return a column of days, each of a kind that `as_day` reads; missing ones stay missing."""
    if isinstance(days.dtype, np.dtype) and days.dtype.kind == "M":
        return days
    if isinstance(days.dtype, pd.DatetimeTZDtype):
        raise ValueError(f"`{name}` must be days without a time zone, found {days.dtype}.")
    codes, cells = pd.factorize(days)
    read = pd.array([as_day(cell, name) for cell in cells], dtype="datetime64[us]")
    return pd.Series(read.take(codes, allow_fill=True), index=days.index)


def as_instants(frame: pd.DataFrame, when, name: str) -> np.ndarray:
    """Return an instant (us) for each row: one for all, or those of a column."""
    if frame.empty:
        return np.zeros(0, dtype="int64")
    try:
        stamps = frame[when] if isinstance(when, str) and when in frame else [pd.Timestamp(when)]
        stamps = pd.Series(stamps)
    except (ValueError, TypeError):
        stamps = pd.Series([pd.NaT])
    if not isinstance(stamps.dtype, pd.DatetimeTZDtype) or stamps.isna().any():
        raise ValueError(
            f"`{name}` must be an instant with a time zone, or name a column of them without a "
            f"gap, got {when!r}."
        )
    return np.broadcast_to(stamps.dt.as_unit("us").array.asi8, len(frame))


def require_choice(value: object, options: Sequence, name: str) -> None:
    """Refuse a value that is not one of the options."""
    if value not in options:
        raise ValueError(f"`{name}` must be one of {list(options)}, got {value!r}.")


def require_confidence(confidence: float) -> None:
    """Refuse a level of intervals that is none."""
    if not 0 < confidence < 1:
        raise ValueError(f"`confidence` must lie in (0, 1), got {confidence!r}.")


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
        return _as_category(values, dtype, name)
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
        return as_days(values, name)
    if have == dtype:
        return values
    try:
        cast = values.astype(dtype)
    except (TypeError, ValueError):
        cast = None
    # Text would pass as a truth value, and 1.5 as 1.
    if cast is None or (dtype != "float64" and not values.isna().all() and (cast != values).any()):
        raise ValueError(f"`{name}` must be {dtype}, found {have}.")
    return cast


def _as_category(values: pd.Series, dtype: str, name: str) -> pd.Series:
    have = values.dtype
    if isinstance(have, np.dtype) and have.kind in "iu" and dtype == "id":
        return values
    if not isinstance(have, pd.CategoricalDtype):
        if have in ("bool", "boolean"):
            raise ValueError(f"`{name}` must be text, found {have}.")
        values = values.astype("category")
    held = values.cat.categories
    # Text is held in one way only, so that tables from different sources fit together.
    if held.dtype.kind not in "iu" and held.dtype != "str":
        values = values.cat.rename_categories(held.astype("str"))
    return values.cat.as_unordered() if values.cat.ordered else values


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


def _concatenated(columns: list, frames: list, name: str) -> pd.Series:
    """Concatenate one column of all tables; where a table lacks it, it is missing."""
    known = [c.dtype for c in columns if c is not None and c.notna().any()]
    dtype = known[0] if known else next(c.dtype for c in columns if c is not None)
    is_category = isinstance(dtype, pd.CategoricalDtype)
    # What tells ids apart is whether they are categories, and of what.
    kinds = {
        str(d.categories.dtype) if isinstance(d, pd.CategoricalDtype) else str(d) for d in known
    }
    if len(kinds) > 1:
        raise ValueError(f"`{name}` must be of one kind in all tables, found {sorted(kinds)}.")
    empty = pd.CategoricalDtype(dtype.categories[:0]) if is_category else dtype
    columns = [
        pd.Series(index=f.index, dtype=empty) if c is None or c.isna().all() else c
        for c, f in zip(columns, frames, strict=True)
    ]
    if is_category:
        return pd.Series(pd.api.types.union_categoricals(columns, sort_categories=True))
    return pd.concat(columns, ignore_index=True).astype(dtype)


def _missing(frame: pd.DataFrame) -> pd.Series:
    return pd.Series(pd.NA, index=frame.index, dtype="object")
