"""Title panels: what Netflix publishes of its titles, week by week or for half a year."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from toolkit.loaders.archive import file_at
from toolkit.loaders.cells import refuse, to_booleans
from toolkit.loaders.files import named_cells, require_file
from toolkit.loaders.periods import named_period
from toolkit.loaders.workbooks import workbook_tables
from toolkit.titles import normalise_titles

__all__ = ["load_title_panel"]

# The words of a header, without signs and case, and what we call what stands below.
_COLUMNS = {
    "week": "week", "category": "category", "weeklyrank": "rank", "rank": "rank",
    "countryiso2": "country", "showtitle": "show", "seasontitle": "season_title",
    "weeklyhoursviewed": "hours_viewed", "hoursviewed": "hours_viewed",
    "hoursviewedfirst91days": "hours_91", "hoursviewedfirst28days": "hours_28",
    "viewsfirst91days": "views", "weeklyviews": "views", "views": "views", "runtime": "runtime",
    "cumulativeweeksintop10": "weeks_in_top_10", "isstaggeredlaunch": "is_staggered_launch",
    "title": "title", "availableglobally": "is_available_globally", "releasedate": "release_day",
}  # fmt: skip
_RANKED = {"category", "rank", "show", "season_title"}
# The first of them whose columns are there is the one.
_PANELS = {
    "netflix_top10_countries": _RANKED | {"country", "week"},
    "netflix_top10_global": _RANKED | {"week", "hours_viewed"},
    "netflix_most_popular": _RANKED | {"hours_91"},
    "netflix_most_popular_28": _RANKED | {"hours_28"},
    "netflix_engagement": {"title", "is_available_globally", "release_day", "hours_viewed"},
}
_SIGNS = re.compile(r"[\W_]+")
_LABEL = (
    r"^(.+?): (?:(Season|Series|Part|Volume|Collection|Chapter|Book) ([0-9]{1,3})"
    r"|(Limited Series))\b"
)
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"^([0-9]{1,4}):([0-5][0-9])(?::([0-5][0-9]))?$"
_UNKNOWN = ["", "*", "N/A"]
_KINDS = pd.Index(["film", "series", "unknown"], dtype="str")
_ORDER = [
    "source", "title", "original_title", "series", "season", "kind", "category", "country",
    "first_day", "last_day", "window_days", "rank", "weeks_in_top_10", "hours_viewed",
    "rounded_to_hours", "runtime_seconds", "views", "is_staggered_launch",
    "is_available_globally", "release_day",
]  # fmt: skip


class _Table(NamedTuple):
    """The cells of one table as text, by our names, and what is said around it."""

    cells: pd.DataFrame
    sheet: str
    above: str


def load_title_panel(path: str | os.PathLike) -> pd.DataFrame:
    """Read one of the lists of titles that Netflix publishes, every row of it.

    What a file is, is told by its columns: the weekly Top 10 (``all-weeks-global``,
    ``all-weeks-countries``), the most popular titles (``most-popular``), or an engagement
    report ("What We Watched").

    Parameters
    ----------
    path : path-like
        A table of text (TSV or CSV) or an Excel workbook, of which each sheet that holds such
        a table is read.

    Returns
    -------
    pandas.DataFrame
        One row per row of the panel, in its order, with those of the columns that it has:

        * ``source`` : category, "netflix_top10_global", "netflix_top10_countries",
          "netflix_most_popular" or "netflix_engagement"
        * ``title`` : str, the film or the season as listed, normalised
        * ``original_title`` : str, what follows ``//`` in a report
        * ``series`` : str, and ``season`` : Int16, where the list names them
        * ``kind`` : category, "film", "series" (one season, as a rule) or "unknown"
        * ``category`` : category, the list in which `rank` counts
        * ``country`` : str, two letters
        * ``first_day``, ``last_day`` : datetime64, the period that is covered, both inclusive; a
          week ends on a Sunday.  Missing where a report doesn't say
        * ``window_days`` : int, days from a title's launch that are counted (91, formerly 28)
        * ``rank``, ``weeks_in_top_10`` : Int16
        * ``hours_viewed`` : int, hours of all viewers in the period
        * ``rounded_to_hours`` : int, to what the hours of that period are rounded at best:
          the largest power of ten up to 100 000 that divides all of them
        * ``runtime_seconds`` : float, of the whole film or season, known to the minute; NaN
          where it is blank, ``*`` or 0
        * ``views`` : Int64, hours over runtime as Netflix rounds it; known since June 2023
        * ``is_staggered_launch``, ``is_available_globally`` : boolean
        * ``release_day`` : datetime64, missing for many titles

    Raises
    ------
    ValueError
        If it is none of these lists, or a cell can't be read (the first such row is named).
    FileNotFoundError
        If there is no such file.

    Notes
    -----
    A panel gives no individuals: it is no plays table, and no streak, rewatch or cohort can be
    had from it.  Hours and views can't tell a few who watch again and again from many who watch
    once.  A list ends at its tenth rank, a report at 50 000 hours (rounded to 100 000), so a
    title that is absent was not necessarily unseen.  Views of a title under one runtime don't
    compare with those under another.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> rows = [
    ...     "week\\tcategory\\tweekly_rank\\tshow_title\\tseason_title\\tweekly_hours_viewed"
    ...     "\\truntime\\tweekly_views\\tcumulative_weeks_in_top_10",
    ...     "2024-03-10\\tTV (English)\\t1\\tNight Desk\\tNight Desk: Season 2\\t8400000\\t4.2"
    ...     "\\t2000000\\t3",
    ... ]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "all-weeks-global.tsv"
    ...     _ = path.write_text("\\n".join(rows))
    ...     panel = load_title_panel(path)
    >>> panel[["title", "season", "first_day", "last_day", "runtime_seconds"]]
                      title  season  first_day   last_day  runtime_seconds
    0  Night Desk: Season 2       2 2024-03-04 2024-03-10          15120.0
    """
    path = require_file(path)
    file = file_at(path)
    is_workbook = file.head.startswith(b"PK\3\4")
    if is_workbook:
        tables = [_Table(*held) for held in workbook_tables(path, _header)]
    else:
        tables = [_in_text(file.read(), path.name)]
    sources = {_source_of(table.cells) for table in tables} - {None}
    if len(sources) != 1:
        raise ValueError(
            "`path` must be a Top 10, a list of the most popular titles or an engagement report "
            f"of Netflix, found {'several' if sources else 'none'} of them in {path.name}."
        )
    (source,) = sources
    again = {name for t in tables for name in t.cells.columns[t.cells.columns.duplicated()]}
    if again:
        raise ValueError(
            f"`path` must name each column once, found {sorted(again)} twice in {path.name}."
        )
    panel = pd.concat([_panel(t, source, path) for t in tables], ignore_index=True)
    if "hours_viewed" in panel:
        panel["rounded_to_hours"] = _rounding(panel["hours_viewed"], panel.get("last_day"))
    if "category" in panel:
        panel["category"] = panel["category"].astype("category")
    name = pd.Index([source.removesuffix("_28")], dtype="str")
    panel["source"] = pd.Categorical.from_codes(np.zeros(len(panel), dtype="int8"), name)
    return panel[[name for name in _ORDER if name in panel]]


def _source_of(columns: Iterable[str]) -> str | None:
    found = set(columns)
    return next((source for source, needed in _PANELS.items() if needed <= found), None)


def _in_text(data: bytes, name: str) -> _Table:
    cells, is_header = named_cells(data, name, _COLUMNS)
    return _Table(cells[~is_header].reset_index(drop=True), "", "")


def _header(texts: list[str]) -> list[str | None] | None:
    """Return our names for the texts of a row if they are those of a panel's header."""
    names = [_COLUMNS.get(_SIGNS.sub("", text).casefold()) for text in texts]
    return names if _source_of(names) else None


def _panel(table: _Table, source: str, path: Path) -> pd.DataFrame:
    cells = table.cells
    where = f" below the header of {path.name}" + f" ({table.sheet})" * bool(table.sheet)
    columns = _titles(cells, table.sheet)
    if "week" in cells:
        columns["last_day"] = _days(cells["week"], "week", where, is_week=True)
        columns["first_day"] = columns["last_day"] - pd.Timedelta(days=6)
    elif source == "netflix_engagement":
        days = named_period(table.above, path.stem, table.sheet)
        for name, day in zip(("first_day", "last_day"), days, strict=True):
            columns[name] = pd.Series(day, index=cells.index, dtype="datetime64[us]")
        columns["release_day"] = _days(cells["release_day"], "release_day", where)
    else:
        columns["window_days"] = 28 if source.endswith("_28") else 91
        cells = cells.rename(columns={f"hours_{columns['window_days']}": "hours_viewed"})
    for name, dtype in (("rank", "Int16"), ("weeks_in_top_10", "Int16"), ("hours_viewed", "int64"),
                        ("views", "Int64")):  # fmt: skip
        if name in cells:
            columns[name] = _numbers(cells[name], name, where, dtype)
    if "runtime" in cells:
        columns["runtime_seconds"] = _seconds(cells["runtime"], where)
    for name in ("is_staggered_launch", "is_available_globally"):
        if name in cells:
            columns[name] = to_booleans(cells[name], name)
    if "country" in cells:
        columns["country"] = cells["country"].str.strip()
    return pd.DataFrame(columns, index=cells.index)


def _titles(cells: pd.DataFrame, sheet: str) -> dict:
    """Return what a row is about: as ranked lists and as reports say it."""
    is_ranked = "show" in cells
    if is_ranked:
        show = normalise_titles(cells["show"])
        title = normalise_titles(cells["season_title"].replace("N/A", "")).fillna(show)
        columns = {"title": title, "category": cells["category"].str.strip()}
        label = title.str.extract(_LABEL)
        kind = np.select([cells["category"].str.startswith(w) for w in ("Film", "TV")], [0, 1], 2)
    else:
        listed = normalise_titles(cells["title"]).str.extract(r"^(.*?)(?: // (.*))?$")
        title, show = listed[0], None
        columns = {"title": title, "original_title": listed[1]}
        label = title.str.extract(_LABEL)
        # Films have parts and chapters too, so only the other labels show what a row is.
        is_series = label[1].isin(["Season", "Series"]) | label[3].notna()
        by_sheet = {"film": 0, "films": 0, "movies": 0, "tv": 1, "series": 1, "shows": 1}
        kind = np.where(is_series, 1, 2)
        kind = np.full(len(cells), by_sheet.get(sheet.strip().casefold(), kind))
    is_series = kind == 1
    columns["kind"] = pd.Categorical.from_codes(kind, _KINDS)
    columns["series"] = (label[0] if show is None else show).where(is_series)
    columns["season"] = label[2].where(is_series).astype("float64").astype("Int16")
    return columns


def _days(texts: pd.Series, name: str, where: str, *, is_week: bool = False) -> pd.Series:
    codes, distinct = pd.factorize(texts.str.strip())
    distinct = pd.Series(distinct, dtype="str")
    days = pd.to_datetime(
        distinct.where(distinct.str.fullmatch(_DAY)), format="%Y-%m-%d", errors="coerce"
    ).astype("datetime64[us]")
    days = days.where(days.dt.year.between(1900, 2199))
    wrong = days.isna() & (distinct != "")
    must = "a day such as 2024-03-10"
    if is_week:
        must += ", the Sunday on which the week ends,"
        wrong |= days.dt.day_of_week != 6
    refuse(texts, wrong.to_numpy()[codes], f"`path` must have {must} as {name}", where)
    return pd.Series(days.array.take(codes), index=texts.index)


def _numbers(texts: pd.Series, name: str, where: str, dtype: str) -> pd.Series:
    texts = texts.str.strip()
    numbers = pd.to_numeric(texts.where(texts.str.fullmatch("[0-9]{1,15}")), errors="coerce")
    wrong = numbers.isna() & ((texts != "") | (dtype == "int64"))
    if dtype == "Int16":
        wrong |= numbers > np.iinfo("int16").max
    refuse(texts, wrong, f"`path` must have a whole number as {name}", where)
    return numbers.astype("float64").astype(dtype)


def _seconds(texts: pd.Series, where: str) -> pd.Series:
    """Return a runtime in decimal hours, or as H:MM, to the minute that it was rounded from."""
    texts = texts.str.strip()
    clock = texts.str.extract(_CLOCK).astype("float64")
    seconds = clock[0] * 3600 + clock[1] * 60 + clock[2].fillna(0)
    hours = pd.to_numeric(
        texts.where(texts.str.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,15})?")), errors="coerce"
    )
    seconds = seconds.fillna((hours * 60).round() * 60).astype("float64")
    wrong = seconds.isna() & ~texts.isin(_UNKNOWN)
    refuse(texts, wrong, "`path` must have decimal hours or H:MM as runtime", where)
    return seconds.where(seconds > 0)


def _rounding(hours: pd.Series, groups: pd.Series | None) -> pd.Series:
    """Return the largest power of ten, 100 000 at most, that divides all hours of a period."""
    codes = np.zeros(len(hours), dtype="int64") if groups is None else pd.factorize(groups)[0]
    rounded = np.ones(codes.max(initial=-1) + 2, dtype="int64")
    for power in 10 ** np.arange(1, 6):
        divides = np.bincount(codes + 1, hours % power != 0, minlength=len(rounded)) == 0
        rounded[divides] = power
    return pd.Series(rounded[codes + 1], index=hours.index)
