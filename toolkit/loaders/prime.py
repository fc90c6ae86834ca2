"""Prime Video: a row is a playback session, or a title at its latest date, by what was exported.

Amazon has written its viewing history in three ways.  (a) Until about 2022: the *hour* in UTC
in which a session started, without a duration.  (b) 2023 and 2024: its start in UTC, to the
second or finer, and the seconds viewed.  (c) Since 2025: its end and the position too, the kind
of profile, autoplay and the kind of material.  Profiles have no names, so that all adults of an
account are one profile.  Watch Events.csv and the page of primevideo.com, saved by a browser
script, hold the latest date of each title only (`row_is` "latest", see `LATEST`) and are read
where there is no history; days by old scripts, a day early east of Greenwich, are refused.
Series and season are told from a title, `Episode-Show - Season 3`, that has no other hyphen.
"""

import re

import numpy as np
import pandas as pd

from toolkit.loaders.archive import File
from toolkit.loaders.columns import first_reasons, shorter_repeats
from toolkit.loaders.files import header_words
from toolkit.loaders.prime_cells import SCRIPT, booleans, cells_of, numbers, times
from toolkit.loaders.sources import Hints, Source
from toolkit.titles import normalise_title

__all__ = ["LATEST", "SOURCE", "read", "recognises"]

SOURCE = Source(
    name="prime",
    service="Amazon, 'request your data': Prime Video (Viewing History)",
    one_row="a playback session; several are a viewing",
    row_is="session",
    clock="UTC",
    precision="second; until about 2022 hour",
    measures="plays, seconds watched and positions (not until 2022), autoplay (since 2025)",
    cannot="who of the adults watched, runtimes (mostly), series where titles have hyphens",
)
LATEST = Source(
    name="prime",
    service="Amazon, Prime Video: Watch Events, or the watch history page by a browser script",
    one_row="a title, at its latest date",
    row_is="latest",
    clock="UTC",
    precision="second",
    measures="what was watched, and when last",
    cannot="rewatching, days of viewing, sessions",
)
_HISTORIES = ("a", "b", "c")
_HOURS, _STARTS = {"playbackhour", "title"}, {"playbackstartdatetimeutc", "secondsviewed", "title"}
_EVENTS = {"mostrecentwatchdate", "titlename"}
_SINCE_2025 = {"playbackenddatetimeutc", "materialtypedescription", "profiletype"}
_ERAS = {
    "a": "the viewing history until about 2022 (the hour of each start)",
    "b": "the viewing history of 2023 and 2024 (start and seconds)",
    "c": "the viewing history since 2025 (start, end and seconds)",
    "events": "Watch Events (the latest date of each title)",
    "script": "the watch history page by a browser script (the latest date of each title)",
}
_SEASON = re.compile(r"(.+) - Season (\d{1,4})", re.ASCII)
_KIDS = {"child": True, "adult": False}
_YEARS = (1900, 2199)
# Seconds by which Amazon's own numbers may differ.
_SLACK = 5


def recognises(file: File) -> bool:
    """Tell a viewing history of any era, Watch Events or the browser script by its header."""
    return _era(file) is not None


def read(files: list[File], hints: Hints) -> tuple[pd.DataFrame, list[str]]:
    """Return the raw plays of an export, every row of its best source, and notes for the report."""
    found = {}
    for file in files:
        found.setdefault(_era(file), []).append(file)
    eras = [era for era in _ERAS if era in found]
    histories = [era for era in eras if era in _HISTORIES]
    if not eras or len(histories) > 1:
        what = " and ".join(_ERAS[era] for era in histories) or "none"
        raise ValueError(
            "`path` must hold one viewing history of Prime Video (put others in folders of their "
            f"own), found {what} in {files[0].last_name}."
        )
    notes = [f"What was read of Prime Video is {_ERAS[eras[0]]}."]
    if len(eras) > 1:
        notes.append("There are lists of latest dates as well, which are not read.")
    parts = [_plays(file, eras[0], hints, notes) for file in found[eras[0]]]
    plays = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    return _judged(plays, eras[0], notes), notes


def _era(file: File) -> str | None:
    words = header_words(file.head)
    known = {*words}
    if known >= _HOURS:
        return "a"
    if known >= _STARTS:
        return "c" if known & _SINCE_2025 else "b"
    if known >= _EVENTS:
        return "events"
    return "script" if words[:4] in SCRIPT else None


def _plays(file: File, era: str, hints: Hints, notes: list[str]) -> pd.DataFrame:
    cells = cells_of(file, era)
    none = [""] * len(cells["title"])
    start, precision = times(cells["start"], era, file, hints)
    plays = {
        "profile": pd.Series(cells.get("profile", none), dtype="str"),
        "title": pd.Series(_titles(cells), dtype="str"),
        "started_at": start,
        "is_blank": [not cell for cell in cells["start"]],
        "watched_seconds": numbers(cells.get("seconds", none), file),
        "material": pd.Series([c.casefold() for c in cells.get("material", none)], dtype="str"),
        "precision": precision,
    }
    for name in ("device", "country"):
        if name in cells:
            plays[name] = pd.Series([cell or None for cell in cells[name]], dtype="str")
    if era == "c":
        plays["ended_at"] = times(cells.get("end", none), era, file, hints)[0]
        plays["position_seconds"] = numbers(cells.get("position", none), file)
        plays["runtime_seconds"] = _runtimes(cells, plays, file, notes)
        plays["is_autoplay"] = booleans(cells.get("autoplay", none), file)
        kids = [_KIDS.get(cell.casefold()) for cell in plays["profile"].tolist()]
        plays["is_kids"] = pd.array(kids, dtype="boolean")
    if era == "script":
        pairs = zip(cells["title"], cells["episode"], strict=True)
        plays["series"] = pd.Series(
            [_clean(title) if episode else None for title, episode in pairs], dtype="str"
        )
    return pd.DataFrame(plays)


def _titles(cells: dict[str, list[str]]) -> list[str | None]:
    titles = [_clean(title) for title in cells["title"]]
    if "episode" not in cells:
        return titles
    episodes = [_clean(episode) for episode in cells["episode"]]
    pairs = zip(titles, episodes, strict=True)
    return [f"{title} - {episode}" if title and episode else title for title, episode in pairs]


def _clean(text: str) -> str | None:
    return normalise_title(text) or None


def _runtimes(cells: dict, plays: dict, file: File, notes: list[str]) -> np.ndarray:
    """Return how long each title is, unless 'Video Duration' can't say that.

    There is one such column per picture quality, in milliseconds, which may as well be how long
    each was shown: then they differ within a row or a title, end before the position, or are
    what was viewed in each row.
    """
    tiers = [
        numbers(cells[name], file) / 1000 for name in cells if name.startswith("videoduration")
    ]
    if not tiers:
        return np.full(len(plays["title"]), np.nan)
    tiers = np.array([np.where(tier > 0, tier, np.nan) for tier in tiers])
    longest, shortest = np.fmax.reduce(tiers), np.fmin.reduce(tiers)
    bounds = pd.Series(longest).groupby([plays["title"], plays["material"]]).agg(["min", "max"])
    viewed = np.abs(longest - plays["watched_seconds"])[~np.isnan(longest)]
    is_shown = (
        (longest - shortest > _SLACK).any()
        or (bounds["max"] - bounds["min"] > _SLACK).any()
        or (plays["position_seconds"] > longest + _SLACK).any()
        or (len(viewed) > 0 and (viewed <= _SLACK).all())
    )
    if not is_shown:
        return longest
    notes.append("'Video Duration' is how long a picture quality was shown, and no runtime.")
    return np.full(len(longest), np.nan)


def _judged(plays: pd.DataFrame, era: str, notes: list[str]) -> pd.DataFrame:
    """Return raw plays: with series and reasons, and without what only served to find them."""
    start = plays["started_at"].to_numpy()
    end = plays["ended_at"].to_numpy() if era == "c" else start
    is_blank, seconds = plays["is_blank"].to_numpy(bool), plays["watched_seconds"].to_numpy()
    out = [(at < np.datetime64("1900")) | (at >= np.datetime64("2200")) for at in (start, end)]
    masks = {
        "no title": plays["title"].isna().to_numpy(bool),
        "no time": is_blank,
        "impossible time": out[0] | out[1] | (np.isnat(start) & ~is_blank) | (end < start),
        "impossible duration": seconds < 0,
        "supplemental": plays["material"].isin(["promo", "trailer"]).to_numpy(bool),
        "not a watch": seconds == 0,
    }
    used = ~np.logical_or.reduce([*masks.values()])
    keys = plays[["profile", "title", "started_at"]]
    if era == "a":
        n_again = int(keys[used].duplicated().sum())
        notes.append(f"Plays that start in the same hour as another of their title: {n_again}.")
    else:
        codes = [pd.factorize(keys[name])[0] for name in keys]
        masks["duplicate"] = shorter_repeats(codes, seconds, used)
    if era in _HISTORIES:
        plays["series"], plays["season"] = _series(plays["title"], notes)
    plays["kind"] = _kinds(plays, era)
    plays["excluded"] = first_reasons(masks).to_pandas()
    plays["row_is"] = (SOURCE if era in _HISTORIES else LATEST).row_is
    for name, is_out in zip(("started_at", "ended_at"), out, strict=True):
        if name in plays:
            plays[name] = plays[name].mask(is_out).dt.tz_localize("UTC")
    return plays.drop(columns=["is_blank", "material"])


def _series(titles: pd.Series, notes: list[str]) -> tuple[pd.Series, np.ndarray]:
    """Return series and seasons where a title can be read in one way only."""
    read, n_unclear = {}, 0
    for title in titles.dropna().unique():
        match = _SEASON.fullmatch(title)
        episode, hyphen, show = match[1].partition("-") if match else ("", "", "")
        if hyphen and episode.strip() and show.strip() and "-" not in show:
            read[title] = show.strip(), int(match[2])
        n_unclear += bool(match) and title not in read
    if n_unclear:
        notes.append(
            f"Titles with a season whose series can't be told from its hyphens: {n_unclear}."
        )
    found = [read.get(title, (None, None)) for title in titles.tolist()]
    seasons = pd.array([season for _, season in found], dtype="Int16")
    return pd.Series([show for show, _ in found], dtype="str"), seasons


def _kinds(plays: pd.DataFrame, era: str) -> np.ndarray | str:
    if era == "events":
        return "unknown"
    is_film = plays["material"] == "feature" if era in _HISTORIES else plays["series"].isna()
    is_episode = plays["series"].notna()
    return np.where(is_episode, "episode", np.where(is_film, "film", "unknown"))
