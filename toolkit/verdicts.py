"""Whether a figure or a cell says the same as its reference, and what moved if it does not."""

import difflib
import re
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
import pandas as pd
from matplotlib.image import imread, imsave

from toolkit.references import Drawn, is_whole, read_reference, settled, size

__all__ = ["Verdict", "difference", "judge", "moved_lines", "moved_values", "rms"]

IDENTICAL = "pixel-identical"
REDRAWN = "same numbers, drawn differently"
NOT_COVERED = "not covered"
DIFFERS = "DIFFERS"
MISSING = "missing"
NEW = "without a reference"

_SHARE = 1e-6
_PLACE = ["axes", "artist", "field", "index"]
MOVED = [*_PLACE, "old", "new"]
# Of a printed table only decimals may carry the noise of floats; counts and words may not.
_DECIMAL = re.compile(r"\s*(?<![\w.])(-?\d+\.\d+(?:e[+-]?\d+)?)(?![\w.])")
# Addresses of objects, files of a kernel, ids of styled tables: other ones in each run.
_PASSING = re.compile(r"\bat 0x[0-9a-fA-F]+|\S*ipykernel_\d+\S*|\bT_[0-9a-f]{5}(?=\b|_)")


@dataclass
class Verdict:
    """What is said of one figure: the word for it, and what stands behind the word."""

    word: str
    n_values: int = 0
    moved: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=MOVED))
    rms: float | None = None
    uncovered: list[str] = field(default_factory=list)

    @property
    def is_bad(self) -> bool:
        """Whether numbers moved, or there is nothing to compare."""
        return self.word in (DIFFERS, MISSING, NEW)

    def __str__(self) -> str:
        """Return the word with what stands behind it."""
        drawn = f"RMS {self.rms:.3g}" if self.rms else "the pictures are the same"
        if self.word == DIFFERS:
            what = f"{len(self.moved)} values moved" if len(self.moved) else "its data are gone"
            return f"{self.word}: {what} ({drawn})"
        if self.word == NOT_COVERED:
            return f"{self.word}: {', '.join(self.uncovered)} ({drawn})"
        return f"{self.word} ({drawn})" if self.word == REDRAWN else self.word


def judge(old: Drawn | None, new: Drawn | None) -> Verdict:
    """Compare a figure with its reference.

    Parameters
    ----------
    old, new : Drawn or None
        None where there is no such figure.  A figure drawn without `setup` has no data.

    Returns
    -------
    Verdict
        Its word is "DIFFERS" if a value moved, however little the pictures differ, or if there
        are no data any more; "not covered" if no value did but the data do not hold all that is
        drawn; else "pixel-identical" or "same numbers, drawn differently", with the root mean
        square of the difference of the pictures in grey levels (0 to 255).
    """
    if new is None:
        return Verdict(MISSING)
    if old is None or (old.data is None and new.data is not None):
        return Verdict(NEW)
    distance = rms(old.png, new.png)
    if new.data is None:
        word = NOT_COVERED if old.data is None else DIFFERS
        return Verdict(word, rms=distance, uncovered=["what is drawn without setup()"])
    (before, hidden), (after, more_hidden) = read_reference(old.data), read_reference(new.data)
    moved = moved_values(before, after)
    uncovered = sorted({*hidden, *more_hidden})
    if len(moved):
        word = DIFFERS
    elif uncovered:
        word = NOT_COVERED
    else:
        word = REDRAWN if distance else IDENTICAL
    return Verdict(word, len(after), moved, distance, uncovered)


def moved_values(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """List the drawn values that are not the same in two tables of a figure.

    Numbers are the same if they differ by no more than a millionth of themselves or
    1e-11 of the largest of their field; whole numbers below a thousand million, and
    words, if they are equal.

    Parameters
    ----------
    old, new : pandas.DataFrame
        As `figure_data` gives them.

    Returns
    -------
    pandas.DataFrame
        `axes`, `artist`, `field`, `index`, `old`, `new`: a row for each value that moved, came
        (`old` is missing) or went (`new` is missing), and one with the field ``label`` for each
        artist, or point of one, that goes by another name.
    """
    both = old.merge(new, on=_PLACE, how="outer", suffixes=("_old", "_new"), sort=False)
    rows = [both[[*_PLACE, "value_old", "value_new"]][_differ(both)]]
    renamed = both["label_old"].notna() & both["label_new"].notna()
    renamed &= both["label_old"] != both["label_new"]
    names = both[[*_PLACE, "label_old", "label_new"]][renamed]
    # A name is that of a point, not of its x and of its y.
    rows.append(names.assign(field="label").drop_duplicates(_PLACE))
    rows = [part.set_axis(MOVED, axis=1) for part in rows]
    return pd.concat(rows, ignore_index=True)


def _differ(both: pd.DataFrame) -> np.ndarray:
    old, new = both["value_old"], both["value_new"]
    words = np.array(
        [isinstance(a, str) or isinstance(b, str) for a, b in zip(old, new, strict=True)], bool
    )
    apart = np.zeros(len(both), bool)
    apart[words] = [a != b for a, b in zip(old[words], new[words], strict=True)]
    for _, at in both[~words].groupby(["axes", "artist", "field"], dropna=False).indices.items():
        rows = np.flatnonzero(~words)[at]
        apart[rows] = _numbers_differ(
            old.iloc[rows].to_numpy("float64"), new.iloc[rows].to_numpy("float64")
        )
    # A value that one table does not have at all is not the NaN that both draw as a gap.
    return apart | both["label_old"].isna().to_numpy() | both["label_new"].isna().to_numpy()


def _numbers_differ(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    top = size(old)
    old, new = settled(old, top), settled(new, top)
    counts = is_whole(old) & is_whole(new)
    # Two infinities have no distance, and are equal or not.
    with np.errstate(invalid="ignore"):
        apart = np.abs(old - new)
    near = np.isfinite(apart) & (apart <= _SHARE * np.maximum(np.abs(old), np.abs(new)))
    same = (old == new) | (near & ~counts)
    gaps = np.isnan(old) | np.isnan(new)
    return np.where(gaps, np.isnan(old) != np.isnan(new), ~same)


def rms(old: bytes, new: bytes) -> float:
    """Return how far two PNGs differ: the root mean square over pixels and channels, 0 to 255.

    Parameters
    ----------
    old, new : bytes
        PNG files, seen on white.  Where their sizes differ, both are laid on grey from the upper
        left.

    Returns
    -------
    float
        0 if and only if the sizes and all pixels are the same.
    """
    if old == new:
        return 0.0
    first, second = _laid_out(old, new)
    return 255 * float(np.sqrt(np.mean((first - second) ** 2)))


def difference(old: bytes, new: bytes) -> bytes:
    """Return a PNG of the new picture, pale, with each pixel that changed in red."""
    first, second = _laid_out(old, new)
    pale = 0.75 + second.mean(axis=2, keepdims=True) / 4
    changed = np.abs(first - second).max(axis=2, keepdims=True) > 0
    red = np.array([0.8, 0.0, 0.1])
    file = BytesIO()
    imsave(file, np.where(changed, red, pale), format="png", metadata={"Software": None})
    return file.getvalue()


def _laid_out(*pictures: bytes) -> list[np.ndarray]:
    seen = [_on_white(imread(BytesIO(picture), format="png")) for picture in pictures]
    height, width = np.max([image.shape[:2] for image in seen], axis=0)
    # Of a grey that no eight bits can hold, so that what one picture has more is another pixel.
    sheets = [np.full((height, width, 3), 0.501) for _ in seen]
    for sheet, image in zip(sheets, seen, strict=True):
        sheet[: image.shape[0], : image.shape[1]] = image
    return sheets


def _on_white(image: np.ndarray) -> np.ndarray:
    image = np.atleast_3d(image).astype("float64")
    # One or three channels, and with opacity one more.
    colours, opacity = image[..., : image.shape[2] - 1 + image.shape[2] % 2], image[..., -1:]
    opacity = opacity if image.shape[2] % 2 == 0 else 1.0
    return np.broadcast_to(colours * opacity + 1 - opacity, (*image.shape[:2], 3))


def moved_lines(old: str, new: str) -> list[tuple[str, str]]:
    """List the printed lines that are not the same.

    Addresses of objects are no results; decimals are compared as drawn numbers are.

    Parameters
    ----------
    old, new : str
        What a cell printed.

    Returns
    -------
    list of tuple of str
        Old and new lines where they part, an empty one for a line that came or went.
    """
    before, after = (
        [_PASSING.sub("...", line) for line in text.splitlines()] for text in (old, new)
    )
    pairs = []
    for kind, a, b, c, d in difflib.SequenceMatcher(
        None, before, after, autojunk=False
    ).get_opcodes():
        if kind != "equal":
            longest = max(b - a, d - c)
            left = before[a:b] + [""] * (longest - (b - a))
            right = after[c:d] + [""] * (longest - (d - c))
            pairs += [pair for pair in zip(left, right, strict=True) if not _same_line(*pair)]
    return pairs


def _same_line(old: str, new: str) -> bool:
    if _DECIMAL.sub("#", old) != _DECIMAL.sub("#", new):
        return False
    numbers = (np.array(_DECIMAL.findall(line), dtype="float64") for line in (old, new))
    return not _numbers_differ(*numbers).any()
