"""Rows of JSON: a list of objects, read whole or refused with its row."""

import json
import re
from collections.abc import Sequence

import numpy as np

from toolkit.loaders.archive import File
from toolkit.loaders.cells import shown
from toolkit.loaders.files import as_unicode

__all__ = ["is_outside", "json_rows", "json_times", "starts_a_list"]

_YEARS = (1900, 2199)


def starts_a_list(head: bytes) -> bool:
    """Tell a file that may be a list by how it starts."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"["


def json_rows(file: File, keys: Sequence[str] = (), within: Sequence[str] = ()) -> list[dict]:
    """Return the rows of a JSON file, each with these keys; the list is found `within` others."""
    name = file.last_name
    text = as_unicode(file.read(), name, way_out="take the file as it was made")
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        is_cut = isinstance(error, json.JSONDecodeError)
        found = f"an error at position {error.pos}" if is_cut else "lists too deep or long numbers"
        raise ValueError(
            f"`path` must hold whole JSON, found {found} in {name}: take the file as it was made."
        ) from None
    for key in within:
        rows = rows.get(key) if isinstance(rows, dict) else None
    if not isinstance(rows, list):
        where = f" in {'.'.join(within)}" if within else ""
        raise ValueError(f"`path` must hold a list of rows{where}, found none in {name}.")
    with_keys = f" with {' and '.join(map(repr, keys))}" if keys else ""
    for number, row in enumerate(rows, 1):
        if type(row) is not dict or not all(key in row for key in keys):
            raise ValueError(
                f"`path` must hold rows{with_keys}, found another in row {number} of {name}."
            )
    return rows


def json_times(
    rows: list[dict], key: str, form: re.Pattern, example: str, file: File
) -> np.ndarray:
    """Return times in UTC that are all written in one form, or null."""
    texts = [row[key] for row in rows]
    known = [
        text is None or (isinstance(text, str) and bool(form.fullmatch(text))) for text in texts
    ]
    try:
        if all(known):
            return np.array([(text or "NaT").rstrip("Z") for text in texts], dtype="datetime64[us]")
    except ValueError:
        known = [is_known and _is_date(text) for is_known, text in zip(known, texts, strict=True)]
    wrong = known.index(False)
    raise ValueError(
        f"`path` must hold times in {key!r} such as {example}, found {shown(texts[wrong])} in row "
        f"{wrong + 1} of {file.last_name}."
    )


def is_outside(at: np.ndarray) -> np.ndarray:
    """Tell times in years that stand for nothing."""
    year = at.astype("datetime64[Y]").astype("int64") + 1970
    return ~np.isnat(at) & ((year < _YEARS[0]) | (year > _YEARS[1]))


def _is_date(text: str | None) -> bool:
    try:
        np.datetime64((text or "NaT").rstrip("Z"), "us")
    except ValueError:
        return False
    return True
