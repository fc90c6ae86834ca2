"""YouTube's watch history as HTML, the default of Google Takeout, in five languages.

Rows are those of the JSON (see `toolkit.loaders.youtube`), to the second.  Their clock is local,
and all rows show the zone of the moment of export, whatever the season: so the whole file has
one offset, told by the abbreviation.  Where that has several meanings `clock_tz` chooses among
them, and where it has none the offset is the one in force in `clock_tz` at the newest row.  That
the clock, too, keeps to this offset is another reader's finding: hours may be off by one in the
other half of the year.  JSON has none of these doubts.
"""

import re
from collections import Counter
from html import unescape

import pyarrow as pa

from toolkit.loaders.archive import File
from toolkit.loaders.files import as_unicode
from toolkit.loaders.sources import Hints
from toolkit.loaders.youtube import holds_videos
from toolkit.loaders.youtube_dates import ASK, page_instants
from toolkit.loaders.youtube_rows import ADVERT, SOURCE, Rows, as_raw_plays
from toolkit.titles import normalise_title

__all__ = ["SOURCE", "read", "recognises"]

# Every piece is bounded, so that no text without an end can make the search slow.
_ROW = re.compile(r"outer-cell\b[^<>]{0,300}>")
_HEADER, _BODY, _CAPTION = (f"mdl-typography--{part}" for part in ("title", "body-1", "caption"))
_LINK = re.compile(
    r"""<a\b[^<>]{0,300}?\bhref\s{0,9}=\s{0,9}["']([^"'<>]{0,3000})["'][^<>]{0,300}>"""
)
_BREAK = re.compile(r"<br\s{0,9}/?>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z][^<>]{0,3000}>", re.IGNORECASE)
_HEADING = re.compile(r"<b>([^<]{0,300})</b>(.*)", re.DOTALL)
_PAGE = re.compile(rb"outer-cell|mdl-|material-design-lite")
_YOUTUBE = re.compile(rb"mdl-typography--title[\"'][^<>]{0,300}>\s{0,99}YouTube")
# Headings of the caption that have nothing to do with adverts, and the one that has.
_HARMLESS = re.compile(
    r"produ[ckt]\w*|produits|why\b.*|warum\b.*|waarom\b.*|pourquoi\b.*|¿por qué\b.*"
    r"|locations?|standorte?|orte?|locaties?|lieux?|ubicaci\w+|lugar\w*",
    re.IGNORECASE,
)
_DETAILS = {"details", "détails", "detalles", "detail"}


def recognises(file: File) -> bool:
    """Tell a page of Google's activity that has YouTube and videos among its rows.

    The rows lie behind long styles, so a page of Google's is read whole.
    """
    head = file.head
    if b"<" not in head[:64] or not _PAGE.search(head):
        return False
    try:
        return bool(_YOUTUBE.search(file.read())) and holds_videos(file)
    except ValueError:
        return True


def read(files: list[File], hints: Hints) -> tuple[pa.Table, list[str]]:
    """Return the raw plays of one person's pages, a row per cell, and notes for the report."""
    notes: list[str] = []
    return as_raw_plays([_rows(file, hints, notes) for file in files], notes)


def _rows(file: File, hints: Hints, notes: list[str]) -> Rows:
    text = as_unicode(file.read(), file.name, way_out=ASK)
    cells = _cells(text)
    if not cells:
        raise ValueError(f"`path` must have rows of activity, found none in {file.name}: {ASK}.")
    n_headers = text.count(_HEADER + '"')
    if n_headers > len(cells):
        raise ValueError(
            f"`path` must be a whole page, found {n_headers} headers of rows but {len(cells)} rows "
            f"in {file.name}: ask for the file again."
        )
    parts = [_parts(cell) for cell in cells]
    titles, urls, channels, dates = zip(*(_body(body) for _, body, _ in parts), strict=True)
    started, impossible = page_instants(list(dates), file.name, hints, notes)
    return Rows(
        list(titles), list(urls), list(channels), [_clean(header) for header, _, _ in parts],
        _details([caption for *_, caption in parts]), ["second"] * len(parts), started, impossible,
    )  # fmt: skip


def _cells(text: str) -> list[str]:
    """Return what stands in each cell of the page, behind its opening tag."""
    tags, ends = [], []
    for row in _ROW.finditer(text):
        tag = text.rfind("<", max(row.start() - 300, 0), row.start())
        if tag >= 0 and text[tag : tag + 4] == "<div" and ">" not in text[tag : row.start()]:
            tags.append(tag)
            ends.append(row.end())
    nexts = [*tags, len(text)][1:]
    return [text[end:next_tag] for end, next_tag in zip(ends, nexts, strict=True)]


def _parts(cell: str) -> tuple[str, str | None, str]:
    """Return the header, the body and the caption of a cell, which stand in this order."""
    at = _behind(cell, _HEADER, 0)
    header = cell[at : cell.find("<", at)] if at else ""
    at = _behind(cell, _BODY, at)
    if not at:
        return header, None, ""
    end = cell.find("</div>", at)
    body = cell[at : end if end >= 0 else len(cell)]
    at = _behind(cell, _CAPTION, at + len(body))
    return header, body, cell[at:].partition("</div>")[0] if at else ""


def _behind(cell: str, name: str, start: int) -> int:
    """Return where the contents of a named part start, 0 if there is none."""
    found = cell.find(name, start)
    return cell.find(">", found) + 1 if found >= 0 else 0


def _body(text: str | None) -> tuple[str | None, str | None, str | None, str | None]:
    """Return what was done, the address, the channel and the date of a row."""
    if text is None:
        return None, None, None, None
    link, line = _LINK.search(text), _BREAK.search(text)
    url = None
    before, name, rest = "", "", text
    if link and (line is None or link.start() < line.start()):
        url = _unescaped(link[1])
        before, rest = text[: link.start()], text[link.end() :]
        # Names are not escaped but for &, so nothing in them is a tag.
        name, _, rest = rest.partition("</a>")
    first, *lines = _BREAK.split(rest)
    title = _clean(_TAG.sub("", before) + name + _TAG.sub("", first))
    shown = [line for line in lines if _TAG.sub("", line).strip()]
    channel = next((line for line in shown if _LINK.search(line)), None)
    date = _clean(_TAG.sub("", shown[-1])) if shown else None
    return title, url, channel and _clean(_TAG.sub("", channel)), date


def _clean(text: str) -> str | None:
    return normalise_title(_unescaped(text)) or None


def _unescaped(text: str) -> str:
    try:
        return unescape(text) if "&" in text else text
    except ValueError:  # A number too long to be one.
        return text


def _details(captions: list[str]) -> list[str | None]:
    """Return what the caption of each row says of an advert, None where it says nothing."""
    counts = Counter(captions)
    parts = {caption: _sections(caption) for caption in counts}
    rows_with = Counter()
    for caption, count in counts.items():
        rows_with.update(dict.fromkeys(parts[caption], count))
    # What stands in every row does not tell adverts from the rest.
    usual = {
        heading for heading, n in rows_with.items()
        if n >= 10 and n > 0.9 * len(captions) and heading not in _DETAILS
    }  # fmt: skip
    said = {
        caption: next((text for heading, text in found.items() if heading not in usual), None)
        for caption, found in parts.items()
    }
    return [said[caption] for caption in captions]


def _sections(caption: str) -> dict[str, str]:
    """Return the parts of a caption that may mark an advert: no product, place or reason."""
    found = {}
    for part in re.split("(?=<b>)", caption):
        section = _HEADING.match(part)
        if section is None:
            continue
        heading = (_clean(section[1]) or "").strip(" :").casefold()
        text = _clean(_TAG.sub(" ", section[2])) or ""
        is_other = _HARMLESS.fullmatch(heading) or "<a" in section[2] or text.startswith("YouTube")
        if ADVERT.search(text) or heading in _DETAILS or not is_other:
            found[heading] = text
    return found
