"""Names of people in texts: how they are compared, and where they are looked for."""

import html
import re
import string
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import unquote

import pandas as pd

__all__ = ["found_in", "normalised"]

_MOST_LETTERS = 200
_PSEUDONYM = re.compile("[av]_[a-z2-7]{16}")
_ENCODED = re.compile(r"(?:[\w+/=-]{40,}+[\s\"'\\]*+)+", re.ASCII)
_EMBEDDED = re.compile(r";base64,\s*[\w+/-]{8}", re.ASCII | re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_CHUNK = re.compile(r"[^\s\"'`,;()\[\]{}<>|]+")
_PARTS = re.compile(r"[/\\:?&=#|]")
_QUOTED = re.compile(
    rf"(?=([\"'`])(.{{3,{_MOST_LETTERS}}}?)\1|[“‘„«](.{{3,{_MOST_LETTERS}}}?)[”’“»])"
)
_EDGES = string.whitespace + string.punctuation + "«»‹›“”„‟‘’‚‛–—…·•¿¡、。「」『』（）"
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|N\{([\w -]+)\}|([0-7]{1,3})|[nrt])"
)
_STEP = re.compile(r"(?<=[a-zß-öø-ÿ])(?=[A-ZÀ-ÖØ-Þ])|(?<=[^\W\d_])(?=\d)")


def normalised(text: str) -> str:
    """Return a name as it is compared: NFC, casefolded, without what can't be seen.

    Whitespace within is one space each; it and punctuation around the name go.  Whoever keeps
    names for `find_identifiers` to be looked up has to keep them in this form.

    Examples
    --------
    >>> normalised(' "Zoë  BRANDT"!')
    'zoë brandt'
    """
    return _trimmed(_folded(text))


def found_in(
    places: Iterable[tuple[int, str, str]], is_known: Callable[[list[str]], list[bool]]
) -> pd.DataFrame:
    """Return where texts name somebody: the `cell`, `where` in it and `n`, how many names.

    Each text comes with its cell and where in it that is; of outputs only pseudonyms are sought.
    """
    sought, sure = defaultdict(set), defaultdict(set)
    for cell, where, text in places:
        lines = text.splitlines()
        # Two lines at a time: a name may be broken, and few lines have many readings.
        for piece in {"\n".join(lines[n : n + 2]) for n in range(len(lines))}:
            readings = _readings(piece)
            folded = {_folded(reading) for reading in readings}
            sure[cell, where] |= {word for each in folded for word in _PSEUDONYM.findall(each)}
            if where != "output":
                folded |= {_folded(_STEP.sub(" ", reading)) for reading in readings}
                sought[cell, where] |= {word for each in folded for word in _candidates(each)}
        if where in ("source", "markdown", "raw"):
            sure[cell, "encoded"] |= {run for each in _readings(text) for run in _unreadable(each)}
    asked = sorted(set().union(*sought.values()))
    named = {word for word, yes in zip(asked, is_known(asked), strict=True) if yes}
    found = {place: sure[place] | (sought[place] & named) for place in {*sought, *sure}}
    rows = sorted((*place, len(words)) for place, words in found.items() if words)
    kinds = {"cell": "int64", "where": "str", "n": "int64"}
    return pd.DataFrame(rows, columns=[*kinds]).astype(kinds)


def _readings(text: str) -> set[str]:
    """Return a text as it stands, and as whoever decodes it would read it."""
    readings = new = {text}
    # Three times, for what is encoded in what is encoded.
    for _ in range(3):
        new = {read(reading) for reading in new for read in _READERS} - readings
        readings = readings | new
    return readings


def _unescaped(text: str) -> str:
    def letter(match):
        *numbers, name, octal = match.groups()
        if name:
            try:
                return unicodedata.lookup(name)
            except KeyError:
                return match[0]
        code = int(next(filter(None, numbers), "0"), 16) or int(octal or "40", 8)
        return chr(code) if code <= 0x10FFFF else match[0]

    text = _ESCAPE.sub(letter, text)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _untagged(text: str) -> str:
    return re.sub("<[^<>]*>", " ", text)


def _unmarked(text: str) -> str:
    return re.sub(r"<[^<>]*>|[*~`\\]", "", text)


_READERS = [unquote, html.unescape, _unescaped, _untagged, _unmarked]


def _folded(text: str) -> str:
    if not text.isascii():
        text = text.encode(errors="replace").decode()
        text = "".join(letter for letter in text if not _is_unseen(letter))
        return unicodedata.normalize("NFC", text.casefold())
    return text.casefold()


def _is_unseen(letter: str) -> bool:
    return (
        unicodedata.category(letter) == "Cf" or letter == "\u034f" or "\ufe00" <= letter <= "\ufe0f"
    )


def _trimmed(text: str) -> str:
    return " ".join(text.split()).strip(_EDGES)


def _candidates(text: str) -> set[str]:
    """Return what could be a name in a folded text."""
    found = {quoted for match in _QUOTED.findall(text) for quoted in match[1:]}
    for kind in (_WORD, _CHUNK):
        words = [(match.start(), match.end(), match[0]) for match in kind.finditer(text)]
        for n, (start, _, _) in enumerate(words):
            run = words[n : n + 4]
            for length, (_, end, _) in enumerate(run, 1):
                if end - start <= _MOST_LETTERS:
                    found.add(text[start:end])
                    found.add(" ".join(_trimmed(word) for _, _, word in run[:length]))
    for chunk in _CHUNK.findall(text):
        for part in _PARTS.split(chunk):
            found |= {part, part.partition(".")[0], part.rpartition(".")[0]}
    return {name for name in map(_trimmed, found) if _is_sought(name)}


def _is_sought(name: str) -> bool:
    return (5 if name.isdigit() else 3) <= len(name) <= _MOST_LETTERS


def _unreadable(text: str) -> Iterator[str]:
    yield from _EMBEDDED.findall(text)
    for match in _ENCODED.finditer(text):
        run = match[0]
        # Rulers of dashes are long too.
        if len(run) >= 200 and re.search("[0-9]", run):
            yield run
