"""Columns of raw plays, in Arrow: one form of text, time and truth for all loaders."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

__all__ = [
    "as_coded",
    "as_texts",
    "coded_texts",
    "coded_truths",
    "codes_of",
    "first_reasons",
    "in_utc",
    "is_missing",
    "one_text",
    "shorter_repeats",
    "stacked",
]

_ODD = np.uint64(0x9E3779B97F4A7C15)


def as_texts(values: pa.Array | Sequence[str | None]) -> pa.DictionaryArray:
    """Return texts as a column."""
    texts = values if isinstance(values, pa.Array) else pa.array(values, pa.large_string())
    return texts.cast(pa.large_string()).dictionary_encode()


def coded_texts(codes: np.ndarray, texts: Sequence[str | None]) -> pa.DictionaryArray:
    """Return the texts that codes number; -1 and None are missing."""
    if None in texts:
        is_text = np.array([*(text is not None for text in texts), False])
        place = np.where(is_text, is_text.cumsum() - 1, -1)
        codes, texts = place[codes], [text for text in texts if text is not None]
    codes = codes.astype("int32")
    return pa.DictionaryArray.from_arrays(
        pa.array(codes, mask=codes < 0), pa.array(texts, pa.large_string())
    )


def one_text(text: str, n_rows: int) -> pa.DictionaryArray:
    """Return the same text for each row."""
    return coded_texts(np.zeros(n_rows, dtype="int32"), [text])


def as_coded(texts: pa.ChunkedArray, meaning: Callable) -> tuple[np.ndarray, list]:
    """Return a number per row, -1 where it is missing, and what each number means."""
    coded = texts.combine_chunks().dictionary_encode()
    numbers: dict = {}
    number = [numbers.setdefault(meaning(t), len(numbers)) for t in coded.dictionary.to_pylist()]
    return np.array([*number, -1])[coded.indices.fill_null(-1).to_numpy()], [*numbers]


def codes_of(texts: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return a number per row, the same where texts are, -1 where they are missing."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.unify_dictionaries().combine_chunks()
    if not isinstance(texts, pa.DictionaryArray):
        texts = texts.dictionary_encode()
    return texts.indices.fill_null(-1).to_numpy()


def coded_truths(codes: np.ndarray, values: Sequence[bool | None]) -> pa.Array:
    """Return the truth values that codes number; -1 and None are unknown."""
    is_true = np.array([*(value is True for value in values), False])
    is_unknown = np.array([*(value is None for value in values), True])
    return pa.array(is_true[codes], mask=is_unknown[codes])


def in_utc(clock: np.ndarray) -> pa.Array:
    """Return microseconds since 1970, or times without a zone, as instants."""
    return pa.array(clock.view("datetime64[us]"), pa.timestamp("us", "UTC"))


def is_missing(values: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Tell which values are missing."""
    return np.asarray(values.is_null())


def stacked(parts: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of all parts."""
    rows = pa.concat_tables(parts, promote_options="default")
    return rows.unify_dictionaries().combine_chunks()


def first_reasons(reasons: Mapping[str, np.ndarray]) -> pa.DictionaryArray:
    """Return for each row the first of the reasons that holds; missing where none does."""
    codes = np.full(len(next(iter(reasons.values()))), -1, dtype="int32")
    for code, holds in reversed([*enumerate(reasons.values())]):
        codes[np.asarray(holds, dtype=bool)] = code
    return coded_texts(codes, [*reasons])


def shorter_repeats(
    keys: Sequence[np.ndarray], lengths: np.ndarray, is_used: np.ndarray
) -> np.ndarray:
    """Tell which used rows share all keys with one that is longer, or as long and before them.

    Keys are whole numbers or times; an unknown length is the shortest.
    """
    is_shorter = np.zeros(len(is_used), dtype=bool)
    used = np.flatnonzero(is_used)
    keys = [key[used].astype("int64") for key in keys]
    # Few rows are like another, and those are found by a hash of all keys.
    mixed = np.zeros(len(used), dtype="uint64")
    for key in keys:
        mixed = (mixed ^ key.view("uint64")) * _ODD
    like = np.flatnonzero(pd.Series(mixed).duplicated(keep=False))
    keys = [key[like] for key in keys]
    longest = np.lexsort([-np.nan_to_num(lengths[used[like]], nan=-1), *keys])
    is_same = np.ones(max(len(like) - 1, 0), dtype=bool)
    for key in keys:
        is_same &= key[longest[1:]] == key[longest[:-1]]
    is_shorter[used[like[longest[1:][is_same]]]] = True
    return is_shorter
