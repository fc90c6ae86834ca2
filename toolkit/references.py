"""What a figure showed, kept as a file: the numbers, steadied against the noise of floats."""

import json
import re
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import pandas as pd

from toolkit.drawn import as_table

__all__ = [
    "Drawn",
    "as_reference",
    "describe",
    "digest",
    "digest_in",
    "fields_of",
    "is_whole",
    "read_reference",
    "settled",
    "size",
]

# Two machines differ by less than this share of the largest value of a field; then it is zero.
_NOISE = 1e-11


@dataclass
class Drawn:
    """A figure: its picture (PNG), and its data as `as_reference` writes them, if it has any."""

    png: bytes
    data: str | None = None


def fields_of(table: pd.DataFrame) -> list[tuple]:
    """Return (axes, artist, field) and the rows of each field of a figure, in its order."""
    return list(table.groupby(["axes", "artist", "field"], sort=False, dropna=False))


def settled(values, top: float | None = None) -> np.ndarray:
    """Clear numbers of what is not data: the last bits of floats.

    Parameters
    ----------
    values : array-like of float
        The values of one field.
    top : float, optional
        The largest size among the values that these are to be compared with; of these
        values if not given.

    Returns
    -------
    numpy.ndarray
        With decimals beyond 1e-11 of `top` cut, numbers as near as 1e-9 of their size to a whole
        one made whole, and those below 1e-12 made zero.
    """
    values = np.asarray(values, dtype="float64")
    top = size(values) if top is None else top
    if top > 1e-12:
        # A size of 999.9999999999 is one of 1,000.
        values = np.round(values, -int(np.floor(np.log10(top * (1 + 1e-9) * _NOISE))))
    known = np.where(np.isfinite(values), values, 0)
    whole = np.rint(known)
    is_near = np.abs(known - whole) <= np.maximum(1e-9 * np.abs(whole), 1e-12)
    return np.where(is_near & np.isfinite(values), whole, values) + 0.0


def size(values) -> float:
    """Return the largest size of the finite numbers among some values, or 0."""
    values = np.abs(np.asarray(values, dtype="float64"))
    return float(np.max(values, initial=0, where=np.isfinite(values)))


def is_whole(values) -> np.ndarray:
    """Say which numbers are counts, to be compared to the last digit."""
    values = np.asarray(values, dtype="float64")
    return (values == np.rint(values)) & (np.abs(values) < 1e9)


def digest(table: pd.DataFrame) -> str:
    """Return 16 hexadecimal digits that change with any value of a figure's data.

    Whole numbers count to the last digit, others to six; noise of floats does not count.

    Parameters
    ----------
    table : pandas.DataFrame
        As `figure_data` gives it.

    Returns
    -------
    str
        The beginning of the SHA-256 of the steadied table.
    """
    sum_ = sha256()
    for key, rows in fields_of(table):
        parts = [str(part) for part in key]
        texts = _steady(rows["value"].tolist())
        sum_.update(json.dumps([parts, rows["label"].tolist(), texts]).encode())
    return sum_.hexdigest()[:16]


def _steady(values: list) -> list[str]:
    if _has_words(values):
        return [str(value) for value in values]
    # Halves up, as people round: Python would go by the last bit of the float.
    return [
        str(number) if isinstance(number, int) else f"{number * (1 + 1e-9):.6g}"
        for number in _kept(values)
    ]


def _has_words(values: list) -> bool:
    return any(isinstance(value, str) for value in values)


def _kept(values: list) -> list:
    """Return counts as int, and other numbers settled and of nine digits."""
    numbers = settled(values).tolist()
    counts = is_whole(numbers)
    short = [float(f"{number:.9g}") for number in numbers]
    # What nine digits would make a count keeps all of its digits.
    hidden = is_whole(settled(short)) & ~counts
    return [
        int(number) if count else number if hide else text
        for number, text, count, hide in zip(numbers, short, counts, hidden, strict=True)
    ]


def describe(table: pd.DataFrame, uncovered: list[str]) -> str:
    """Return what a figure prints of itself: its digest, and a line for each artist.

    Parameters
    ----------
    table : pandas.DataFrame
        As `figure_data` gives it.
    uncovered : list of str
        As `uncovered_artists` gives it.

    Returns
    -------
    str
        Of each artist its names in the legend and, for each field, how many values it has,
        the smallest, the largest and the mean.
    """
    lines = [f"Figure with {table['axes'].nunique()} axes, digest {digest(table)}"]
    lines += [f"not covered: {', '.join(uncovered)}"] if uncovered else []
    artists = {}
    for (axes, artist, field), rows in fields_of(table):
        # Titles, scales and named ticks have no number.
        if artist.split()[-1].isdigit():
            names = ", ".join(filter(None, rows["label"].unique()))
            of = "figure" if axes is pd.NA else f"axes {axes}"
            fields = artists.setdefault((of, artist, f" ({names})" if names else ""), [])
            fields.append(f"{field} {_summary(rows['value'].tolist())}")
    return "\n".join(
        lines + [f"{of}, {artist}{n}: {'; '.join(f)}" for (of, artist, n), f in artists.items()]
    )


def _summary(values):
    words = sorted(value for value in values if isinstance(value, str))
    if words:
        return f"{len(words)} from {words[0]!r} to {words[-1]!r}"
    numbers = settled(values)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return f"{len(values)} missing"
    # Of numbers that balance, only noise is left in the mean.
    marks = settled([numbers.min(), numbers.mean(), numbers.max()])
    low, mean, high = (f"{number:.4g}" for number in marks * (1 + 1e-9))
    return f"{len(values)} from {low} to {high}, mean {mean}"


def as_reference(table: pd.DataFrame, uncovered: list[str]) -> str:
    """Put the data of a figure into text: JSON, a line for each field, numbers of nine digits.

    Parameters
    ----------
    table : pandas.DataFrame
        As `figure_data` gives it.
    uncovered : list of str
        As `uncovered_artists` gives it.

    Returns
    -------
    str
        What `read_reference` reads.
    """
    lines = [json.dumps({"digest": digest(table), "uncovered": uncovered})]
    for (axes, artist, field), rows in fields_of(table):
        labels = rows["label"].tolist()
        label = labels[0] if len(set(labels)) == 1 else labels
        axes = None if axes is pd.NA else int(axes)
        values = rows["value"].tolist()
        values = values if _has_words(values) else _kept(values)
        lines.append(json.dumps([axes, artist, label, field, values], ensure_ascii=False))
    return "\n".join(lines) + "\n"


def read_reference(text: str) -> tuple[pd.DataFrame, list[str]]:
    """Read what `as_reference` wrote.

    Parameters
    ----------
    text : str
        The content of a file of ``notebooks/figures``.

    Returns
    -------
    tuple of pandas.DataFrame and list of str
        The table of `figure_data`, and what it does not cover.
    """
    header, *lines = text.removesuffix("\n").split("\n")
    pieces = [json.loads(line) for line in lines]
    for piece in pieces:
        piece[4] = [value if isinstance(value, str) else float(value) for value in piece[4]]
    return as_table(pieces), json.loads(header)["uncovered"]


def digest_in(text: str) -> str | None:
    """Return the digest in a text, as `describe` and `as_reference` write it, if there is one."""
    found = re.search(r'digest(?:": ")?\s?([0-9a-f]{16})', text)
    return found and found[1]
