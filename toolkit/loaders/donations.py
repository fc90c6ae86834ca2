"""Donations: a folder of exports, each an account of its own, loaded with a report."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit.days import from_clock
from toolkit.loaders.consent import ask_for_profiles, consenting
from toolkit.loaders.exports import (
    SeveralProfiles,
    read_export,
    sources,
    stacked,
    with_titles,
)
from toolkit.loaders.folders import exports_in, is_export, plain_name
from toolkit.loaders.sources import Hints
from toolkit.order import pack, stable_order
from toolkit.privacy.keys import pseudonym, read_key
from toolkit.tables import PLAYS, as_plays, exclude, require_choice

__all__ = ["load_exports"]

# No play lasts a year; what a file says beyond that is no number to add to an instant.
_LONGEST_SECONDS = 366 * 86_400


def load_exports(
    path: Path,
    *,
    source: str = "auto",
    profile: str | os.PathLike | Mapping[str, str] | None = None,
    key=None,
    clock_tz: str | None = None,
    date_order: str | None = None,
    progress: bool | None = None,
    report: Callable[[pd.DataFrame], object] | None = None,
    template: bool = True,
) -> pd.DataFrame:
    """Read one export, or each one in a folder; see `load_plays`."""
    require_choice(source, ["auto", *sources()["source"]], "source")
    require_choice(date_order, ["DMY", "MDY", "YMD", None], "date_order")
    if not path.exists():
        raise FileNotFoundError(f"`path` must be a file or folder that exists, found no {path}.")
    if clock_tz is not None:
        from_clock(np.zeros(0, dtype="int64"), clock_tz)
    hints, key = Hints(clock_tz, date_order), read_key(key)
    # A name has to be known, also of the folder that is called ".".
    path = Path(os.path.abspath(path))
    is_unpacked = path.is_dir() and is_export(path)
    is_folder = path.is_dir() and not is_unpacked
    exports = exports_in(path) if is_folder else {plain_name(path): [path]}
    consent = consenting(profile, exports)
    parts, lines, refused, digests = [], [], [], {}
    for name, paths in _with_progress(exports, progress):
        try:
            found = read_export(
                paths, source=source, profile=consent.get(name), hints=hints, alone=is_folder
            )
        except (ValueError, OSError) as error:
            if not is_folder:
                raise
            refused += [name] if isinstance(error, SeveralProfiles) else []
            lines.append([name, "refused", "", 0, str(error)])
            continue
        # What holds no play is nobody's twice.
        same = found.digest if any(len(plays) for _, plays in found.tables) else name
        first, notes = digests.setdefault(same, name), found.notes
        if is_unpacked:
            notes = ["The folder was read as one unpacked export.", *notes]
        parts += [(service, len(lines), plays) for service, plays in found.tables]
        if first != name:
            notes = [f"The same export as {first}.", *notes]
        services = ", ".join(service for service, _ in found.tables)
        n_rows = sum(len(plays) for _, plays in found.tables)
        outcome = "read" if first == name else "repeated"
        lines.append([name, outcome, services, n_rows, " ".join(notes)])

    if refused and template and (asked := ask_for_profiles(path, refused)):
        for line in lines:
            if line[0] in refused:
                line[-1] += f" Fill in {asked} and give it as `profile`."
    lines = pd.DataFrame(lines, columns=["export", "outcome", "source", "n_rows", "note"])
    if not parts:
        raise ValueError(
            f"`path` must hold an export that can be read, found {len(lines)} in {path.name}, "
            f"none of them readable: {next(iter(lines['note']), 'it is empty')}"
        )
    plays, n_titles = with_titles(stacked(parts))
    plays = _without_repeats(plays, lines)
    lines = _with_counts(lines, plays, n_titles)
    if report is not None:
        report(lines)
    elif is_folder or (lines["note"] != "").any():
        print(_as_text(lines))
    return _as_plays(plays, list(exports), key)


def _without_repeats(plays: pd.DataFrame, lines: pd.DataFrame) -> pd.DataFrame:
    """Set aside what an earlier export holds too."""
    repeated = np.flatnonzero(lines["outcome"] == "repeated")
    again = plays["export"].isin(repeated) & plays["excluded"].isna()
    reasons = plays["excluded"].cat.categories.union(["duplicate"])
    excluded = plays["excluded"].cat.set_categories(reasons).mask(again, "duplicate")
    return plays.assign(excluded=excluded)


def _with_counts(lines: pd.DataFrame, plays: pd.DataFrame, n_titles: pd.DataFrame) -> pd.DataFrame:
    """Add to the report what is known once all plays are together."""
    lines = lines.copy()
    for export, (n_all, n_read) in n_titles.iterrows():
        if n_read < n_all:
            said = f"{n_all - n_read} of {n_all} titles could not be parsed."
            lines.loc[export, "note"] = f"{lines['note'][export]} {said}".strip()
    used = plays["export"][plays["excluded"].isna()].value_counts()
    lines.insert(4, "n_used", used.reindex(range(len(lines)), fill_value=0).to_numpy())
    return lines


def _with_progress(exports: dict, progress: bool | None) -> Iterator[tuple[str, list[Path]]]:
    from tqdm import tqdm

    delay = 0 if progress else 2
    return iter(
        tqdm(exports.items(), unit=" exports", delay=delay, leave=False, disable=progress is False)
    )


def _as_text(report: pd.DataFrame) -> str:
    """Return the report as sentences: the sums, then what there is to say of single exports."""
    read = report[report["outcome"] != "refused"]
    n_rows, n_used = read["n_rows"].sum(), read["n_used"].sum()
    counts = report["outcome"].value_counts()
    outcomes = ", ".join(f"{counts[o]} {o}" for o in ("read", "repeated", "refused") if o in counts)
    what = "export" if len(report) == 1 else "exports"
    lines = [f"{len(report)} {what}: {outcomes}; {n_rows:,} plays, {n_rows - n_used:,} set aside."]
    for line in report[report["note"] != ""].itertuples():
        lines.append(f"{line.export}: {line.outcome}: {line.note}")
    return "\n".join(lines)


def _as_plays(plays: pd.DataFrame, names: list[str], key: bytes) -> pd.DataFrame:
    """Turn raw plays into a plays table: names into pseudonyms, in canonical order."""
    account = [pseudonym("account", "export", name, key=key) for name in names]
    people = plays.groupby(["source", "export", "profile"], observed=True, sort=False)
    viewer = [
        pseudonym("viewer", source, names[export], profile, key=key)
        for source, export, profile in people.groups
    ]
    plays = plays.assign(
        viewer=_category(viewer, people.ngroup().fillna(-1).to_numpy("int64")),
        account=_category(account, plays["export"].to_numpy()),
    )
    plays = as_plays(plays[[name for name in PLAYS if name in plays]])
    if (nobody := plays["viewer"].isna()).any():
        plays = exclude(plays, nobody, reason="no viewer")
    plays = plays.sort_values(["viewer", "title", "started_at"], kind="stable", ignore_index=True)
    return plays.assign(is_overlapping=_overlapping(plays))


def _category(ids: list[str], rows: np.ndarray) -> pd.Categorical:
    """Return the ids of rows, -1 for none, sorted so that codes tell no order."""
    known = pd.Index(sorted(set(ids)), dtype="str")
    return pd.Categorical.from_codes(np.append(known.get_indexer(ids), -1)[rows], known)


def _overlapping(plays: pd.DataFrame) -> pd.Series:
    """Say which plays start before an earlier one of their viewer ends, where that is known."""
    unknown = pd.Series(pd.NA, index=plays.index, dtype="boolean")
    if "watched_seconds" not in plays:
        return unknown
    known = np.flatnonzero(plays["excluded"].isna() & plays["watched_seconds"].notna())
    if not len(known):
        return unknown
    viewer, starts = (
        plays["viewer"].cat.codes.to_numpy()[known],
        plays["started_at"].array.asi8[known],
    )
    n_viewers, low = int(viewer.max()) + 1, int(starts.min())
    span = int(starts.max()) - low + 1
    if n_viewers * span < 2**63:
        rows = stable_order(pack((viewer, n_viewers), (starts - low, span)))
    else:
        # One date of another century, and one number can't hold both.
        rows = np.lexsort((starts, viewer))
    seconds = np.minimum(plays["watched_seconds"].to_numpy()[known], _LONGEST_SECONDS)
    viewer, starts, seconds = viewer[rows], starts[rows], seconds[rows]
    ends = starts + (seconds * 1e6).round().astype("int64")
    latest = pd.Series(ends).groupby(viewer).cummax().to_numpy()
    before = np.append(0, latest[:-1])
    # The first play of a viewer comes after nobody's.
    before[np.flatnonzero(np.diff(viewer, prepend=-1))] = starts.min()
    unknown.iloc[known[rows]] = starts < before
    return unknown
