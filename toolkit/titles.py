"""The grammar of Netflix titles: what names the series, the season and the episode."""

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

__all__ = ["normalise_title", "normalise_titles", "parse_titles"]

# Words that stand before the number of a season, and how the language writes 1, 2, 3, ...
_LANGUAGES = {
    "en": (
        "Season|Series|Part|Volume|Vol.|Vol|Collection|Chapter|Book",
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty",
    ),
    "pt": (
        "Temporada|Parte|Capítulo|Volume|Coleção|Livro",
        "um/uma dois/duas três quatro cinco seis sete oito nove dez onze doze treze "
        "catorze/quatorze quinze dezesseis/dezasseis dezessete/dezassete dezoito "
        "dezenove/dezanove vinte",
    ),
    "fr": (
        "Saison|Partie|Chapitre|Livre|Volume|Collection",
        "un/une/premier/première deux trois quatre cinq six sept huit neuf dix onze douze "
        "treize quatorze quinze seize dix-sept dix-huit dix-neuf vingt",
    ),
    "es": (
        "Temporada|Parte|Capítulo|Volumen|Colección|Libro",
        "uno/una dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce "
        "quince dieciséis diecisiete dieciocho diecinueve veinte",
    ),
    "de": (
        "Staffel|Teil|Kapitel|Buch",
        "eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn "
        "fünfzehn sechzehn siebzehn achtzehn neunzehn zwanzig",
    ),
    "it": (
        "Stagione|Parte|Capitolo|Volume|Libro",
        "uno/una due tre quattro cinque sei sette otto nove dieci undici dodici tredici "
        "quattordici quindici sedici diciassette diciotto diciannove venti",
    ),
    "nl": (
        "Seizoen|Deel|Hoofdstuk|Boek",
        "één/een twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien "
        "vijftien zestien zeventien achttien negentien twintig",
    ),
    "pl": (
        "Sezon|Część|Rozdział|Księga",
        "pierwszy/pierwsza drugi/druga trzeci/trzecia czwarty/czwarta piąty/piąta "
        "szósty/szósta siódmy/siódma ósmy/ósma dziewiąty/dziewiąta dziesiąty/dziesiąta",
    ),
    "da": ("Sæson|Del|Kapitel", "en/én/et to tre fire fem seks syv otte ni ti elleve tolv"),
    "sv": ("Säsong|Del|Kapitel", "en/ett två tre fyra fem sex sju åtta nio tio elva tolv"),
    "nb": (
        "Sesong|Del|Kapittel",
        "en/én/ett to tre fire fem seks sju/syv åtte ni ti elleve tolv",
    ),
}
_AFTER_NUMBER = (
    "Season|Series|Temporada|Parte|Saison|Partie|Staffel|Teil|Sæson|Säsong|Sesong|"
    "řada|část|svazek|Sezon|Kısım"
)
_LIMITED = (
    "Limited Series|Minissérie|Mini-série|Miniserie|Miniserial|Minisérie|Mini Dizi|"
    "리미티드 시리즈|リミテッド・?シリーズ"
)
_EPISODE_WORDS = (
    "Episode|Épisode|Episódio|Episodio|Aflevering|Odcinek|Folge|Afsnit|Avsnitt|Bölüm|Díl|Epizoda"
)

_BY_WORD: dict[str, dict[str, int]] = {}
for _words, _numbers in _LANGUAGES.values():
    for _word in _words.lower().split("|"):
        for _value, _spellings in enumerate(_numbers.split(), 1):
            _BY_WORD.setdefault(_word, {}).update(dict.fromkeys(_spellings.split("/"), _value))

_ORDINAL = r"(?:\.?[ªº]|\.|st|nd|rd|th|ère|ème|re|e)"
_LABEL = re.compile(
    rf"(?:{_LIMITED}"
    rf"|(?P<first>\d{{1,4}}){_ORDINAL} (?:{_AFTER_NUMBER})"
    r"|(?:시즌|파트|シーズン|パート) ?(?P<asian>\d{1,4})|제?(?P<korean>\d{1,4})부"
    r"|第(?P<japanese>\d{1,4})(?:シリーズ|シーズン)"
    r"|(?P<word>[^\W\d_]+\.?) (?P<number>[^\W_]+(?:-[^\W_]+)?))(?: \(.+\))?",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"(\d{1,4})[a-z]?", re.IGNORECASE)
_ROMAN = re.compile(r"(?=.)(X{0,3})(IX|IV|V?I{0,3})")
_EPISODE = re.compile(
    rf"(?:{_EPISODE_WORDS}) (\d{{1,4}})|(?:에피소드|エピソード) ?(\d{{1,4}})"
    r"|(\d{1,4})\. (?:Bölüm|díl)|제?(\d{1,4})[화회]|第(\d{1,4})話",
    re.IGNORECASE,
)
# Polish counts episodes as chapters, but names films so too.
_CHAPTER = re.compile(r"Rozdział (\d{1,4})", re.IGNORECASE)
_SUFFIX = re.compile(r"\(([^()]*)\)$")
_LIKE_SUFFIX = re.compile(r"[^\W\d_][^\s\d]* \d+|\d+\. [^\W\d_][^\s\d]*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ZERO_WIDTH = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")


def normalise_title(text: str) -> str:
    """Return a title in the one form in which equal titles are equal texts.

    Unicode is composed (NFC), every kind of space becomes one plain space, what has no
    width (also joiners and marks of direction) goes, and so do spaces at either end.  Half
    a surrogate pair, which can't be stored, becomes U+FFFD.

    Parameters
    ----------
    text : str
        A title as an export writes it.

    Returns
    -------
    str
        The same title; ``""`` where nothing is left.

    Examples
    --------
    >>> normalise_title("Le Phare\\u00a0:  la suite\\u200b ")
    'Le Phare : la suite'
    """
    if text.isascii():
        return " ".join(text.split())
    if _SURROGATE.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return unicodedata.normalize("NFC", " ".join(_ZERO_WIDTH.sub("", text).split()))


def normalise_titles(titles: pd.Series) -> pd.Series:
    """Return titles normalised, blank ones as missing.

    Parameters
    ----------
    titles : pandas.Series of str
        Titles as an export writes them.

    Returns
    -------
    pandas.Series of str
        With the index and name of `titles`.

    Raises
    ------
    TypeError
        If `titles` is no Series.
    ValueError
        If something else than text is among them.

    See Also
    --------
    normalise_title : the same for one text.

    Examples
    --------
    >>> normalise_titles(pd.Series([" Red  Harbour", " "])).tolist()
    ['Red Harbour', nan]
    """
    codes, texts = _distinct(titles)
    texts = pd.array([*texts, None], dtype="str").take(codes)
    return pd.Series(texts, index=titles.index, name=titles.name)


def parse_titles(
    titles: pd.Series, *, has_suffix: bool = True, within: np.ndarray | None = None
) -> pd.DataFrame:
    """Tell series, season and episode from the titles of a Netflix export.

    A title is read as ``Series: Season: Episode (Episode 3)``, in English, Portuguese,
    French, Spanish, German, Italian, Dutch, Polish, Danish, Swedish, Norwegian, Czech,
    Turkish, Korean and Japanese, which may mix.  What it doesn't say stays missing.

    Parameters
    ----------
    titles : pandas.Series of str
        Titles; blank and missing ones are allowed, order and repeats don't matter.
    has_suffix : bool, default True
        Whether episodes usually end in their number, as they do in ViewingActivity, where
        a title with at most one colon is a film or a special.  False for the simple
        history, which leaves out seasons too, so that nothing is known to be a film.
    within : numpy.ndarray of int, optional
        The export of each title, where those of several are given: each is read by itself.

    Returns
    -------
    pandas.DataFrame
        One row per title, with the index of `titles`:

        * ``title`` : str, the full title, normalised
        * ``series`` : str
        * ``season`` : Int16, where the season has a number ("Season 5B": 5)
        * ``season_name`` : str, the season as written
        * ``episode`` : Int16, from the suffix, or from a name such as "Episode 3"
        * ``episode_name`` : str, without the suffix
        * ``kind`` : str, "film", "episode" or "unknown"
        * ``is_parsed`` : bool, False where the kind or an episode's series stays unknown, and
          where a title ends as if in an episode's number, but with a word that isn't known

    Raises
    ------
    TypeError
        If `titles` is no Series.
    ValueError
        If something else than text is among `titles`.

    Notes
    -----
    The season is the leftmost part, neither the first nor the last, that reads as a label:
    "Season 2", "2. řada", "Limited Series", or the name of the series and a number.  A
    number in words is known after its word, but not before it ("Part One", no "First Part").
    What stands in brackets after the label belongs to it ("Saison 1 (Canal 4)").

    Where there is no label the result depends on the other titles given, so give all of an
    export at once, without its trailers:

    * A title with two or more colons is an episode of a named season if it has a suffix,
      or (with `has_suffix`) shares its beginning with another such title, or begins with
      a series that others show by their label.  That series is taken; else series and
      season are the first two parts, or a longer beginning where all titles that share
      those two share it as well, or where two of them share it and one episode number
      stands twice under the shorter one.
    * In the simple history a title with one colon is an episode if three or more have
      the same part before it.

    Of 290 invented titles of the tests, in all these languages and most of them traps, 85 %
    are right in every column, 10 % leave something open and 5 % are wrong somewhere; those
    of `is_parsed` False are to be looked at.  What is known to go wrong: two films
    "A: B: C" and "A: B: D" are taken for episodes, and so is a film "A: Part 1: B"; in the
    simple history also three films of one saga.  An episode called "Chapter 5: Rain" is
    taken for a season where no season stands before it.

    Examples
    --------
    >>> titles = pd.Series(["Night Desk: Season 2: Ink (Episode 3)", "Fog: The Film", "A: B: C"])
    >>> parsed = parse_titles(titles)
    >>> parsed[["series", "season", "episode", "kind"]]
           series  season  episode     kind
    0  Night Desk       2        3  episode
    1         NaN    <NA>     <NA>     film
    2         NaN    <NA>     <NA>  unknown
    >>> parsed.loc[~parsed["is_parsed"], "title"].tolist()
    ['A: B: C']
    """
    codes, texts = _distinct(titles)
    readings = [_read(text) for text in texts]
    rows = [
        (text, *_decide(r, _ALONE, has_suffix)) for text, r in zip(texts, readings, strict=True)
    ]
    # What is decided by the other titles is decided once for each export.
    is_open = np.array([*(_is_open(reading, has_suffix) for reading in readings), False], bool)
    place = codes.copy()
    for some in _exports(codes, is_open, within):
        there = np.unique(codes[some])
        learned = _learn(readings[code] for code in there if code >= 0)
        moved = np.arange(len(texts) + 1)
        for code in there[is_open[there]]:
            moved[code] = len(rows)
            rows.append((texts[code], *_decide(readings[code], learned, has_suffix)))
        place[some] = np.where(codes[some] < 0, -1, moved[codes[some]])
    # The code of a missing title is -1: it takes the last row.
    columns = zip(*rows, _BLANK, strict=True)
    return pd.DataFrame(
        {
            name: pd.array(list(column), dtype=dtype).take(place)
            for (name, dtype), column in zip(_COLUMNS.items(), columns, strict=True)
        },
        index=titles.index,
    )


def _exports(
    codes: np.ndarray, is_open: np.ndarray, within: np.ndarray | None
) -> Iterator[np.ndarray]:
    """Yield the rows of each export in which a title is open."""
    if not is_open.any():
        return
    if within is None:
        yield np.arange(len(codes))
        return
    order = np.argsort(within, kind="stable")
    edges = np.flatnonzero(np.diff(within[order], prepend=-1, append=-1))
    for start, end in itertools.pairwise(edges):
        some = order[start:end]
        if is_open[codes[some]].any():
            yield some


def _is_open(reading: "_Reading", has_suffix: bool) -> bool:
    """Say whether other titles decide what this one is."""
    return reading.season_name is None and len(reading.parts) > (2 if has_suffix else 1)


_COLUMNS = {
    "title": "str",
    "series": "str",
    "season": "Int16",
    "season_name": "str",
    "episode": "Int16",
    "episode_name": "str",
    "kind": "str",
    "is_parsed": "bool",
}
_UNKNOWN = (None, None, None, None, None, "unknown", False)
_BLANK = (None, *_UNKNOWN)


class _Reading(NamedTuple):
    """What one title says by itself; its parts only where no label names the season."""

    parts: list[str]
    series: str | None
    season: int | None
    season_name: str | None
    episode: int | None
    episode_name: str
    is_episode: bool  # by its suffix or a name such as "Episode 3"
    is_odd: bool  # it ends as in a suffix, but with a word that is not known


class _Learned(NamedTuple):
    """What many titles say together."""

    series: set[str]  # those that a label follows
    shared: Counter[str]  # beginnings, by the number of titles
    renumbered: set[str]  # beginnings under which an episode number stands twice


_ALONE = _Learned(set(), Counter(), set())


def _distinct(titles: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Return a code per row, -1 where it is blank, and the normalised text of each."""
    if not isinstance(titles, pd.Series):
        raise TypeError(f"`titles` must be a Series, got {type(titles).__name__}.")
    codes, texts = pd.factorize(titles)
    texts = texts.tolist()
    if not all(isinstance(text, str) for text in texts):
        other = next(text for text in texts if not isinstance(text, str))
        raise ValueError(f"`titles` must be texts, found {type(other).__name__} among them.")
    numbers: dict[str, int] = {}
    second = [
        numbers.setdefault(text, len(numbers)) if text else -1
        for text in map(normalise_title, texts)
    ]
    return np.array([*second, -1])[codes], list(numbers)


@lru_cache(maxsize=1 << 17)
def _read(title: str) -> _Reading:
    base, episode, is_odd = _without_suffix(title)
    parts, label, season = _find_label(base)
    is_episode = episode is not None
    series = season_name = None
    name = parts[-1].strip() if label is None else _joined(parts[label + 1 :])
    if episode is None:
        episode = _number_of(_EPISODE, name)
        is_episode = episode is not None
        episode = _number_of(_CHAPTER, name) if episode is None else episode
    if label is not None:
        series, season_name, parts = _series(parts[:label]) or None, parts[label].strip(), []
    return _Reading(parts, series, season, season_name, episode, name, is_episode, is_odd)


def _without_suffix(title: str) -> tuple[str, int | None, bool]:
    """Return the title without its episode number, the number, and whether it looks odd."""
    suffix = _SUFFIX.search(title) if title.endswith(")") else None
    if suffix is None:
        return title, None, False
    episode = _number_of(_EPISODE, suffix[1])
    if episode is not None:
        return title[: suffix.start()], episode, False
    is_odd = bool(_LIKE_SUFFIX.fullmatch(suffix[1])) and _label(suffix[1]) is None
    return title, None, is_odd


def _find_label(base: str) -> tuple[list[str], int | None, int | None]:
    """Return the parts, which of them is the leftmost season label, and its number."""
    parts = base.split(": ")
    whole = parts
    if " : " in base:
        # French sets a space before colons within names; colons between parts have none.
        whole = re.split(r"(?<! ): ", base)
        parts = whole if len(whole) > 2 else parts
    for at in range(1, len(parts) - 1):
        season = _label(parts[at].strip())
        if season is None:
            season = _number_after(_joined(parts[:at]), parts[at])
        if season is not None:
            return parts, at, None if season < 0 else season
    return whole, None, None


@lru_cache(maxsize=1 << 14)
def _label(part: str) -> int | None:
    """Return the number of a season label, -1 if it has none; None if it is no label."""
    match = _LABEL.fullmatch(part)
    if match is None:
        return None
    if match["word"] is None:
        digits = next(filter(None, match.group("first", "asian", "korean", "japanese")), None)
        return -1 if digits is None else int(digits)
    spelled, number = _BY_WORD.get(match["word"].lower()), match["number"]
    return None if spelled is None else spelled.get(number.lower(), _number(number))


def _number(text: str) -> int | None:
    """Return digits, perhaps with a letter, or a Roman numeral below 40, as a number."""
    if digits := _DIGITS.fullmatch(text):
        return int(digits[1])
    if not (roman := _ROMAN.fullmatch(text)):
        return None
    ones = ["", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"]
    return 10 * len(roman[1]) + ones.index(roman[2])


def _number_of(pattern: re.Pattern, text: str) -> int | None:
    match = pattern.fullmatch(text)
    return None if match is None else int(match[match.lastindex])


def _learn(readings: Iterable[_Reading]) -> _Learned:
    learned = _Learned(set(), Counter(), set())
    numbered = set()
    for reading in readings:
        parts = reading.parts
        if reading.series is not None:
            learned.series.add(reading.series)
        for n in range(min(2, len(parts) - 1), len(parts)):
            start = _joined(parts[:n])
            if not start:
                continue
            learned.shared[start] += 1
            if reading.episode is not None:
                if (start, reading.episode) in numbered:
                    learned.renumbered.add(start)
                numbered.add((start, reading.episode))
    return learned


def _decide(reading: _Reading, learned: _Learned, has_suffix: bool) -> tuple:
    """Return the columns of one title after the first."""
    parts, series, season, season_name, episode, name, is_episode, is_odd = reading
    is_parsed = not (is_odd and has_suffix)
    if season_name is not None:
        is_episode = True
    elif len(parts) > 2:
        n_series, n_start = _split(parts, learned)
        series, season_name = _joined(parts[:n_series]), _joined(parts[n_series:n_start])
        name = _joined(parts[n_start:])
        is_learned = series in learned.series or learned.shared[_joined(parts[:n_start])] > 1
        is_episode = is_episode or (has_suffix and is_learned)
    elif len(parts) == 2:
        series = _joined(parts[:1])
        is_episode = is_episode or (not has_suffix and learned.shared[series] > 2)
    else:
        # A suffix or an "Episode 3" alone leaves the series open.
        is_episode = False
    if is_episode:
        is_parsed = is_parsed and bool(series)
        names = series or None, season, season_name or None, episode, name or None
        return (*names, "episode", is_parsed)
    if has_suffix and len(parts) < 3 and not reading.is_episode:
        return (*_UNKNOWN[:5], "film", is_parsed)
    return _UNKNOWN


def _split(parts: list[str], learned: _Learned) -> tuple[int, int]:
    """Return how many parts name the series, and how many series and named season."""
    starts = [_joined(parts[:n]) for n in range(len(parts))]
    n_known = max((n for n in range(1, len(parts)) if starts[n] in learned.series), default=0)
    n = min(max(n_known, 1) + 1, len(parts) - 1)
    while n + 1 < len(parts):
        titles, longer = learned.shared[starts[n]], learned.shared[starts[n + 1]]
        if longer < 2 or (longer < titles and starts[n] not in learned.renumbered):
            break
        n += 1
    return n_known or n - 1, n


def _series(parts: list[str]) -> str:
    """Join the name of a series, once where it is written twice over."""
    half = len(parts) // 2
    return _joined(parts[:half] if half and parts[:half] == parts[half:] else parts)


def _number_after(series: str, part: str) -> int | None:
    """Return 4 for a season of "Night Desk" that is named "Night Desk 4"."""
    start = f"{series} "
    return _number(part.removeprefix(start).rstrip()) if part.startswith(start) else None


def _joined(parts: list[str]) -> str:
    return ": ".join(parts).strip()
