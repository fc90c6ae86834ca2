"""Exports: what one person handed over, told by its content and read whole."""

import functools
import importlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from toolkit.loaders.archive import File, files_of
from toolkit.loaders.columns import coded_texts
from toolkit.loaders.netflix import NO_ROWS, is_placeholder
from toolkit.loaders.sources import Hints, Source
from toolkit.tables import PLAYS
from toolkit.titles import parse_titles

__all__ = [
    "Export",
    "SeveralProfiles",
    "as_arrow",
    "read_export",
    "sources",
    "stacked",
    "with_titles",
]

# What a title says.
_DERIVED = ["series", "season", "episode", "kind"]
# The names that services give to a log.
_LOG_NAMES = re.compile(
    r"(Netflix)?View(ingActivity|ingHistory|ing History).*\.csv|diary\.csv"
    r"|(StreamingHistory|Streaming_History|endsong).*\.json|watched-history.*\.json"
    r"|(watch-history|MyActivity|My Activity|kijkgeschiedenis|Wiedergabeverlauf"
    r"|historial-de-reproducciones)\.(json|html)",
    re.IGNORECASE,
)
_TEXTS = pa.dictionary(pa.int32(), pa.large_string())
# How each kind of column of a plays table is held in Arrow, and what that is in pandas.
_ARROW = {
    "id": _TEXTS,
    "category": _TEXTS,
    "float64": pa.float64(),
    "Int16": pa.int16(),
    "boolean": pa.bool_(),
    PLAYS["started_at"]: pa.timestamp("us", "UTC"),
}
_PANDAS = {pa.int16(): pd.Int16Dtype(), pa.bool_(): pd.BooleanDtype()}

# Modules in this order ask each file whether it is theirs.
_MODULES = [
    "netflix",
    "netflix_history",
    "youtube",
    "youtube_html",
    "spotify",
    "prime",
    "trakt",
    "letterboxd",
    "tautulli",
    "jellyfin",
    "plex",
]


class Export(NamedTuple):
    """The raw plays of one export by source, and what there is to say of it."""

    tables: list[tuple[str, pa.Table]]
    notes: list[str]
    digest: int


class SeveralProfiles(ValueError):
    """An export holds several profiles, and nobody said which of them consents."""


def sources() -> pd.DataFrame:
    """Say what a row of each source is, and what can and can't be measured from it.

    Returns
    -------
    pandas.DataFrame
        One row per source that `load_plays` knows:

        * ``source`` : str, as in the column of a plays table
        * ``service`` : str, what to ask the service for
        * ``one_row``, ``row_is`` : str, what a row is, in words and as in a plays table
        * ``clock`` : str, in which its times are written
        * ``precision`` : str, of its times
        * ``measures``, ``cannot`` : str, what it can and can't say

    See Also
    --------
    load_plays : reads them all.

    Examples
    --------
    >>> table = sources().set_index("source")
    >>> table.loc["netflix_history", "row_is"]
    'latest'
    """
    rows = {source.name: asdict(source) for source in _sources().values()}
    table = pd.DataFrame(rows.values()).rename(columns={"name": "source"})
    return table.drop(columns="has_suffix")


def read_export(
    paths: Sequence[Path], *, source: str, profile: str | None, hints: Hints, alone: bool
) -> Export:
    """Read the files of one export; of several profiles only the one that is asked for.

    `profile` is a name, "all" or None; with `alone` None means that there must be only one.
    """
    files = files_of(paths)
    asked = [name for name, known in _sources().items() if source in ("auto", known.name)]
    theirs = {}
    for file in files:
        if file.size == len(NO_ROWS) and file.name.endswith(".txt") and not is_placeholder(file):
            # One of Netflix's other tables, of which an export has dozens.
            continue
        name = next((name for name in asked if _module(name).recognises(file)), None)
        if name is not None:
            theirs.setdefault(name, []).append(file)
    if not theirs:
        known = ", ".join(dict.fromkeys(s.service.split(",")[0] for s in _sources().values()))
        raise ValueError(
            f"`path` must hold an export of {known if source == 'auto' else source}, found none "
            f"among {len(files)} files of {paths[0].name} (`load_table` reads any other table)."
        )
    tables, notes, seen = [], [], []
    for name, found in theirs.items():
        held = [_held(file) for file in found]
        plays, said = _module(name).read(held, hints)
        tables.append((_sources()[name].name, _of_profile(as_arrow(plays), profile, alone)))
        notes += said
        seen.append(_digest(tables[-1][1]))
    taken = {id(file) for found in theirs.values() for file in found}
    others = [file for file in files if id(file) not in taken and source == "auto"]
    if lost := sum(map(_is_named_like_a_log, others)):
        notes.append(f"Files that have the name of a log but don't read as one: {lost}.")
    return Export(tables, notes, hash(tuple(seen)))


def as_arrow(plays: pd.DataFrame | pa.Table) -> pa.Table:
    """Return raw plays in Arrow, each column in the one type that it has there."""
    if isinstance(plays, pa.Table):
        return plays
    columns = {}
    for name in plays:
        column, type_ = plays[name], _ARROW[PLAYS.get(name, "id")]
        if type_ != _TEXTS:
            columns[name] = pa.array(column, type_, from_pandas=True)
        elif isinstance(column.dtype, pd.CategoricalDtype):
            columns[name] = coded_texts(column.array.codes, column.array.categories)
        else:
            texts = pa.array(column, pa.large_string(), from_pandas=True)
            columns[name] = texts.dictionary_encode()
    return pa.table(columns)


def stacked(parts: list[tuple[str, int, pa.Table]]) -> pd.DataFrame:
    """Return the rows of all parts, with their source and the number of their export."""
    tables = []
    # Of two modules for one source only the last is asked, as neither has anything to finish.
    for source, module in {known.name: module for module, known in _sources().items()}.items():
        theirs = [(export, plays) for name, export, plays in parts if name == source]
        if not theirs:
            continue
        plays = pa.concat_tables([plays for _, plays in theirs], promote_options="default")
        export = np.repeat([export for export, _ in theirs], [len(plays) for _, plays in theirs])
        plays = plays.append_column("export", pa.array(export))
        # What is costly is done for all exports at once.
        finish = getattr(_module(module), "finish", None)
        tables.append((source, finish(plays) if finish else plays))
    whole = pa.concat_tables([plays for _, plays in tables], promote_options="default")
    whole = whole.unify_dictionaries().combine_chunks()
    columns = {}
    for name in whole.column_names:
        column = whole[name]
        if column.type == _TEXTS:
            columns[name] = _category(column.combine_chunks())
        else:
            columns[name] = column.to_pandas(types_mapper=_PANDAS.get)
    names = pd.Categorical([name for name, _ in tables])
    columns["source"] = names.repeat([len(plays) for _, plays in tables])
    return pd.DataFrame(columns, copy=False)


def with_titles(plays: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add what Netflix's titles say of series, and count its titles by export: all, unread."""
    counts = []
    for source in _sources().values():
        is_theirs = (plays["source"] == source.name).to_numpy()
        if source.has_suffix is None or not is_theirs.any():
            continue
        # Trailers have names of their own, which say nothing of a series.
        is_title = is_theirs & (plays["excluded"] != "supplemental") & plays["title"].notna()
        titles, export = plays["title"][is_title], plays["export"].to_numpy()[is_title]
        parsed = parse_titles(titles, has_suffix=source.has_suffix, within=export)
        added = {name: parsed[name].reindex(plays.index) for name in _DERIVED}
        added["kind"] = added["kind"].mask(is_theirs & ~is_title, "unknown")
        for name in set(_DERIVED) & set(plays):
            added[name] = added[name].where(is_theirs, plays[name].astype(added[name].dtype))
        plays = plays.assign(**added)
        told = parsed[["is_parsed"]].assign(export=export, title=titles.cat.codes)
        told = told.drop_duplicates(["export", "title"]).groupby("export")["is_parsed"]
        counts.append(pd.DataFrame({"n_titles": told.size(), "n_read": told.sum()}))
    return plays, pd.concat(counts) if counts else pd.DataFrame(columns=["n_titles", "n_read"])


def _category(coded: pa.DictionaryArray) -> pd.Categorical:
    """Return texts as a category, sorted so that codes tell no order of the files."""
    texts = pd.Index(coded.dictionary.to_pandas(), dtype="str")
    order = np.argsort(texts.to_numpy("object"))
    place = np.empty(len(texts) + 1, dtype="int32")
    place[order], place[-1] = np.arange(len(texts)), -1
    codes = place[coded.indices.fill_null(-1).to_numpy()]
    return pd.Categorical.from_codes(codes, texts[order], validate=False)


def _held(file: File) -> File:
    """Return a file that is read once."""
    data = file.read()
    return replace(file, read=lambda: data)


def _digest(plays: pa.Table) -> int:
    """Return a number that only the same plays, in the same order, have."""
    parts = []
    for name in ("profile", "title", "started_at", "clock"):
        for chunk in plays[name].chunks if name in plays.column_names else []:
            coded = isinstance(chunk, pa.DictionaryArray)
            held = [chunk.indices, chunk.dictionary] if coded else [chunk]
            parts += [hash(b.to_pybytes()) for a in held for b in a.buffers() if b is not None]
    return hash((len(plays), *parts))


def _is_named_like_a_log(file: File) -> bool:
    kept = not file.name.startswith(("deleted/", "orphaned/")) and "/deleted/" not in file.name
    return kept and "/orphaned/" not in file.name and bool(_LOG_NAMES.fullmatch(file.last_name))


def _names(plays: pa.Table) -> list[str]:
    """Return the profiles of raw plays."""
    return pc.unique(plays["profile"]).drop_null().to_pylist()


def _of_profile(plays: pa.Table, profile: str | None, alone: bool) -> pa.Table:
    known = _names(plays)
    if profile is None and alone and len(known) > 1:
        raise SeveralProfiles(
            f"`profile` must say which profile consents, found {len(known)} of them."
        )
    if profile == "all" and any(_plain(name).casefold() == "all" for name in known):
        raise ValueError("`profile` must be a name here, as a profile is called 'all'.")
    # A history without a name is of whoever gave it.
    if profile in (None, "all") or set(known) <= {""}:
        return plays
    # As written, if a name is so written; else whatever its case.
    wanted = [name for name in known if _plain(name) == _plain(profile)]
    wanted = wanted or [n for n in known if _plain(n).casefold() == _plain(profile).casefold()]
    if not wanted:
        # The names of a household are not to be read in a message.
        raise ValueError(
            f"`profile` must be one of the export's {len(known)}, and is none of them."
        )
    if len({_plain(name) for name in wanted}) > 1:
        raise ValueError("`profile` must be one profile as it is written, and is like several.")
    return plays.filter(pc.is_in(plays["profile"].cast(pa.large_string()), pa.array(wanted)))


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip()


@functools.cache
def _module(name: str):
    # Imported when a file is first looked at, so that `import toolkit` stays light.
    return importlib.import_module(f"toolkit.loaders.{name}")


@functools.cache
def _sources() -> dict[str, Source]:
    return {name: _module(name).SOURCE for name in _MODULES}
