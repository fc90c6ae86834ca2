"""Consent: which profile of a household may be read, as the researcher says it."""

import csv
import os
from pathlib import Path

from toolkit.loaders.files import read_frame
from toolkit.tables import require_columns

__all__ = ["ask_for_profiles", "consenting"]

_HEADER = ["export", "profile"]


def consenting(profile, exports: dict) -> dict[str, str]:
    """Return which profile of each export may be read, where that was said."""
    if profile is None:
        return {}
    if isinstance(profile, os.PathLike) or (
        isinstance(profile, str) and profile.lower().endswith(".csv")
    ):
        table = read_frame(profile, columns=_HEADER)
        require_columns(table, _HEADER, "profile")
        if (again := table["export"].duplicated()).any():
            raise ValueError(
                f"`profile` must name each export once, found {table['export'][again].iloc[0]!r} "
                "twice."
            )
        profile = dict(zip(table["export"], table["profile"].str.strip(), strict=True))
    if isinstance(profile, str):
        return dict.fromkeys(exports, profile)
    try:
        wanted = {name: one for name, one in dict(profile).items() if one}
    except (TypeError, ValueError):
        wanted = {None: profile}
    if not all(isinstance(text, str) for pair in wanted.items() for text in pair):
        raise ValueError(
            "`profile` must be a name, 'all', a CSV file, or a mapping from exports to these, "
            f"found {type(profile).__name__}."
        )
    if unknown := [name for name in profile if name not in exports]:
        raise ValueError(f"`profile` must name exports of the folder, found {unknown[0]!r}.")
    return wanted


def ask_for_profiles(folder: Path, names: list[str]) -> str | None:
    """Write a table to fill in beside the folder, without the names of anybody; return its name.

    One that is there is added to; one of another form is left as it is.
    """
    template = folder.with_name(f"{folder.name}-profiles.csv")
    try:
        before = template.read_bytes().decode("utf-8-sig") if template.exists() else ""
        rows = list(csv.reader(before.splitlines()))
        if rows and rows[0] != _HEADER:
            return None
        there = {row[0] for row in rows if row}
        with template.open("a", newline="", encoding="utf-8") as file:
            if before and not before.endswith("\n"):
                file.write("\n")
            # Quoted, so that a name may begin with a space.
            table = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
            if not rows:
                file.write(",".join(_HEADER) + "\n")
            table.writerows([name, ""] for name in names if name not in there)
    except (OSError, UnicodeError, csv.Error):
        return None
    return template.name
