"""Publishing a notebook by allow-list: what the ledger knows stays, every other output goes."""

import json
import os
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from itertools import count
from pathlib import Path

import pandas as pd

from toolkit.privacy.identifiers import found_in, normalised
from toolkit.privacy.keys import sync_folder
from toolkit.privacy.refusals import IdentifierFound, Refused

__all__ = ["clean", "digest_of", "find_identifiers", "published"]

_MOST_BYTES = 2**28
# Both forms that Jupyter makes: half a word, and a random UUID.
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})?")
_FIELDS = {
    "code": {"cell_type", "metadata", "source", "outputs", "execution_count"},
    "markdown": {"cell_type", "metadata", "source", "attachments"},
    "raw": {"cell_type", "metadata", "source", "attachments"},
}
# A format of any other name could hold a name.
_FORMAT = re.compile(
    r"text/(plain|html|markdown|latex)|image/(png|jpeg|gif|svg\+xml)"
    r"|application/(json|javascript|pdf|vnd\.((plotly|vega|vegalite)\.v\d{1,2}"
    r"|jupyter\.widget-view)\+json)"
)
_STRIPPED = {"stream": "printed text", "error": "traceback"}
_OTHER = "output of another kind"
_PICTURE = re.compile(
    r"!\[[^\[\]]{0,1000}\]\(\s*<?(?:attachment|data):(?:[^()]++|\([^()]*+\))*+\)"
    r"|<img\b[^<>]{0,1000}?\bsrc\s*=\s*[\"']?(?:attachment|data):[^<>]*>",
    re.IGNORECASE,
)


def digest_of(mime: str, data) -> str:
    """Return the digest by which a ledger knows an output, whoever saved the notebook.

    SHA-256 over the mime type, a NUL and the data in one form: text in UTF-8, of images, which
    are base64, without the whitespace around it, and JSON with sorted keys, no spaces, and
    whole numbers without a point, since JupyterLab saves 1.0 as 1.

    Parameters
    ----------
    mime : str
        The mime type, such as ``"text/html"``.
    data : str, list of str or, for a mime type of JSON, anything that JSON can hold
        The data as a notebook keeps it; a list of texts is one text in pieces.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    ValueError
        If `data` is nothing that such an output can be.

    See Also
    --------
    clean : What the digest is for.

    Examples
    --------
    >>> digest_of("text/plain", "55 people") == digest_of("text/plain", ["55 ", "people"])
    True
    """
    return _digested(mime, data)[0]


def clean(notebook: dict, known: Collection[str]) -> tuple[dict, pd.DataFrame]:
    """Return a copy of a notebook that holds nothing but what is on a list.

    It is built anew.  Of the outputs only those parts of results and displays are taken over
    whose digest is known, each in the form that was digested; so no printed text, traceback,
    widget or unknown format, and no metadata.  Of the metadata only the cells' tags, the name of
    the kernel (`name`, `display_name`, `language`) and of the language are; of cell ids those that
    Jupyter makes, others are numbered.  Attachments go, and in prose the pictures that show one
    or hold their data are replaced by words.  All sources stay, those of raw cells too, since
    they are the author's words, which `find_identifiers` reads.

    Parameters
    ----------
    notebook : dict
        The notebook, nbformat 4.0 to 4.5.  It is not changed.
    known : collection of str
        The digests of outputs that may be shown, from `digest_of`.

    Returns
    -------
    notebook : dict
        The copy.
    report : pandas.DataFrame
        One row for each thing that was `"kept"` or `"stripped"`, its `outcome`: its `cell`, from
        1, or 0 for the notebook itself, and `what` it is, never what it holds.  Execution counts
        always go and have no row.

    Raises
    ------
    ValueError
        If `notebook` is no such notebook.

    See Also
    --------
    find_identifiers : Look for names in what stays.

    Examples
    --------
    >>> cell = {"cell_type": "code", "metadata": {}, "execution_count": 1, "source": "table"}
    >>> cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "Anna"}]
    >>> notebook = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [cell]}
    >>> cleaned, report = clean(notebook, known=())
    >>> cleaned["cells"][0]["outputs"]
    []
    >>> report
       cell          what   outcome
    0     1  printed text  stripped
    """
    cells, minor, known = _checked_cells(notebook), notebook["nbformat_minor"], frozenset(known)
    rows: list[tuple[int, str, str]] = []
    metadata = _names_of_kernel(notebook.get("metadata"), rows)
    new = [_cleaned(n, cell, minor, known, rows) for n, cell in enumerate(cells, 1)]
    if minor == 5:
        _give_ids(new, [cell.get("id") for cell in cells], rows)
    rows.sort(key=lambda row: row[0])
    kinds = {"cell": "int64", "what": "str", "outcome": "str"}
    report = pd.DataFrame(rows, columns=[*kinds]).astype(kinds)
    return {"cells": new, "metadata": metadata, "nbformat": 4, "nbformat_minor": minor}, report


def find_identifiers(notebook: dict, is_known: Callable[[list[str]], list[bool]]) -> pd.DataFrame:
    """Look in all that an author wrote for names of people in the study.

    This is a heuristic.  Looked up are words, also the parts of ``snake_case``, ``camelCase``
    and paths, e-mail addresses, quoted texts, and up to four words in a row, each `normalised`,
    as it stands and with character escapes, percent-encoding, HTML entities, markup and
    letters of no width undone.  Not found are: names of fewer than three characters, or of
    digits alone and fewer than five; nicknames, misspellings and inflected forms; letters of
    another script that look alike; a name within a longer word, so also in a script without
    spaces; names put together from pieces, hashed, reversed or otherwise encoded; and who is
    described but not named.
    Base64, and other text of 200 or more characters without a word in it, is reported, since
    nothing can be found in it.  Pseudonyms are found by their form alone, also in the outputs
    and within longer words.

    Parameters
    ----------
    notebook : dict
        The notebook, nbformat 4.0 to 4.5.
    is_known : callable
        Takes different candidates, in text, and says of each whether it is an identifier in
        the study.

    Returns
    -------
    pandas.DataFrame
        One row for each place in which something was found: `cell`, from 1, or 0 for the notebook
        itself; `where` in it, ``"source"``, ``"markdown"``, ``"raw"``, ``"metadata"`` (tags and
        the name of the kernel), ``"output"`` or, for text that can't be read, ``"encoded"``; and
        `n`, how many different ones, never which.

    Raises
    ------
    ValueError
        If `notebook` is no such notebook.

    See Also
    --------
    clean : The guarantee, which this is not.

    Examples
    --------
    >>> cell = {"cell_type": "markdown", "metadata": {}, "source": "Anna Berg watched most."}
    >>> notebook = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [cell]}
    >>> find_identifiers(notebook, lambda names: [name == "anna berg" for name in names])
       cell     where  n
    0     1  markdown  1
    """
    return found_in(_places(notebook), is_known)


def published(
    path: str | os.PathLike,
    *,
    to: str | os.PathLike,
    known: Collection[str],
    is_known: Callable[[list[str]], list[bool]],
    allow: Iterable[str],
    note: str,
) -> pd.DataFrame:
    """Write a clean copy of a notebook into another folder, or refuse and write nothing.

    Parameters
    ----------
    path : path-like
        The notebook, whose name is looked at too.
    to : path-like
        The folder, which is made if it is not there.  The copy has the same name, and replaces
        an earlier one.
    known, is_known
        As in `clean` and `find_identifiers`.
    allow : iterable of str
        Words that are no names where this author writes them, such as a title that is also
        somebody's name.  A pseudonym can't be one.
    note : str
        Markdown for the cell that is added at the end, which is not looked at.

    Returns
    -------
    pandas.DataFrame
        The report of `clean`.

    Raises
    ------
    IdentifierFound
        If anything is found in what would be published; its `cells` say where.
    Refused
        If the source itself lies in `to`.
    ValueError
        If `path` is no notebook.

    See Also
    --------
    clean : What stays.
    find_identifiers : What is looked for.

    Notes
    -----
    Nothing is done to what else lies in `to`, nor to earlier versions of the notebook, which a
    repository or a checkpoint of Jupyter keeps.
    """
    path, to = Path(path), Path(to)
    if isinstance(allow, str):
        raise ValueError("`allow` must be a list of words, found one text.")
    above = {*path.resolve().parents, *Path(os.path.abspath(path)).parents}
    if to.exists() and any(parent.samefile(to) for parent in above if parent.exists()):
        raise Refused(
            "A notebook can't be published into a folder that holds it, as its outputs would be "
            "published along.",
            "Name another folder as `to`.",
        )
    notebook, report = clean(_read(path), known)
    allowed = {normalised(word) for word in allow}

    def is_named(words):
        asked = [word for word in words if word not in allowed]
        named = {word for word, yes in zip(asked, is_known(asked), strict=True) if yes}
        return [word in named for word in words]

    _require_nothing(found_in([(0, "name", path.name), *_places(notebook)], is_named))
    cell = {"cell_type": "markdown", "metadata": {}, "source": note}
    if notebook["nbformat_minor"] == 5:
        cell["id"] = _free_id({cell["id"] for cell in notebook["cells"]})
    notebook["cells"].append(cell)
    _write(to, path.name, _bytes_of(notebook))
    return report


def _digested(mime: str, data) -> tuple[str, object]:
    """Return the digest of an output, and what was digested as a notebook keeps it."""
    if not isinstance(mime, str) or "\0" in mime:
        raise ValueError("`mime` must be text without a NUL, found another value.")
    if mime == "application/json" or re.fullmatch(r"application/.*\+json", mime):
        kept = _plain(data)
        form = json.dumps(
            kept, allow_nan=False, ensure_ascii=False, sort_keys=True, separators=(",", ":")
        )
    else:
        kept = _joined(data)
        if kept is None:
            raise ValueError(f"`data` must be text for its `mime`, found {type(data).__name__}.")
        if mime.startswith("image/") and mime != "image/svg+xml":
            kept = kept.strip()
        form = kept
    return sha256(f"{mime}\0{form}".encode()).hexdigest(), kept


def _plain(value):
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise ValueError("`data` must have names in text, as JSON has.")
        return {name: _plain(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(held) for held in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        # A browser knows no other numbers than doubles.
        is_whole = abs(value) < 2**53 and value == int(value)
        return int(value) if is_whole else float(value)
    if value is None or isinstance(value, bool | str):
        return value
    raise ValueError(f"`data` must be what JSON can hold, found {type(value).__name__}.")


def _joined(text) -> str | None:
    if isinstance(text, list) and all(isinstance(line, str) for line in text):
        return "".join(text)
    return text if isinstance(text, str) else None


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _checked_cells(notebook) -> list[dict]:
    """Return the cells with their sources as one text each, once the notebook is one."""
    if not isinstance(notebook, dict):
        raise ValueError(f"`notebook` must be a dict, found {type(notebook).__name__}.")
    version = [notebook.get("nbformat"), notebook.get("nbformat_minor")]
    is_numbered = [*map(type, version)] == [int, int]
    if not (is_numbered and version[0] == 4 and 0 <= version[1] <= 5):
        found = ".".join(map(str, version)) if is_numbered else "no number"
        raise ValueError(
            f"`notebook` must be of nbformat 4.0 to 4.5, found {found:.20}: open and save it in "
            "Jupyter."
        )
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        raise ValueError("`notebook` must have a list of cells, found none.")
    checked = []
    for n, cell in enumerate(cells, 1):
        kind = cell.get("cell_type") if isinstance(cell, dict) else None
        if not isinstance(kind, str) or kind not in _FIELDS:
            raise ValueError(f"Each cell must be code, markdown or raw, found another as cell {n}.")
        source = _joined(cell.get("source"))
        if source is None or not _is_utf8(source):
            raise ValueError(f"Each cell must have a source in text, found none in cell {n}.")
        if kind == "code" and not isinstance(cell.get("outputs", []), list):
            raise ValueError(f"Each code cell must have a list of outputs, found none in cell {n}.")
        checked.append(cell | {"source": source})
    return checked


def _names_of_kernel(metadata, rows: list) -> dict:
    if not isinstance(metadata, dict):
        metadata = {"": metadata} if metadata else {}
    kept = {}
    for field, needed, names in [
        ("kernelspec", {"name", "display_name"}, ["name", "display_name", "language"]),
        ("language_info", {"name"}, ["name"]),
    ]:
        held = metadata.get(field)
        held = held if isinstance(held, dict) else {}
        held = {name: held[name] for name in names if _is_short_text(held.get(name))}
        if needed <= held.keys():
            kept[field] = held
    if "widgets" in metadata:
        rows.append((0, "widget state", "stripped"))
    if {name: held for name, held in metadata.items() if name != "widgets"} != kept:
        rows.append((0, "metadata", "stripped"))
    return kept


def _is_short_text(text) -> bool:
    return isinstance(text, str) and 0 < len(text) <= 100 and _is_utf8(text)


def _cleaned(n: int, cell: dict, minor: int, known: frozenset, rows: list) -> dict:
    kind, source = cell["cell_type"], cell["source"]
    metadata = cell.get("metadata", {})
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    tags = [tag for tag in tags if _is_short_text(tag)] if isinstance(tags, list) else []
    # No comma: nbformat forbids it.
    tags = [*dict.fromkeys(tag for tag in tags if "," not in tag)]
    kept = {"tags": tags} if tags else {}
    if metadata != kept or cell.keys() - _FIELDS[kind] - ({"id"} if minor == 5 else set()):
        rows.append((n, "metadata", "stripped"))
    if kind == "code":
        outputs = _known_outputs(n, cell.get("outputs", []), known, rows)
        more = {"outputs": outputs, "execution_count": None}
    else:
        more = {}
        if cell.get("attachments"):
            rows.append((n, "attachments", "stripped"))
        source, n_pictures = _PICTURE.subn("(picture not published)", source)
        rows += [(n, "picture in the text", "stripped")] * n_pictures
    return {"cell_type": kind, "metadata": kept, "source": source, **more}


def _known_outputs(n: int, outputs: list, known: frozenset, rows: list) -> list[dict]:
    kept = []
    for output in outputs:
        output = output if isinstance(output, dict) else {}
        kind, data = output.get("output_type"), output.get("data")
        if kind not in ("display_data", "execute_result") or not isinstance(data, dict):
            what = _STRIPPED.get(kind if isinstance(kind, str) else "", _OTHER)
            rows.append((n, what, "stripped"))
            continue
        shown = {}
        for mime, part in data.items():
            outcome = "stripped"
            with suppress(ValueError, OverflowError, RecursionError):
                digest, plain = _digested(mime, part)
                if digest in known:
                    shown[mime], outcome = plain, "kept"
            rows.append((n, mime if _FORMAT.fullmatch(str(mime)) else _OTHER, outcome))
        if shown:
            count_of = {"execution_count": None} if kind == "execute_result" else {}
            kept.append({"output_type": kind, "data": shown, "metadata": {}, **count_of})
            if output.get("metadata"):
                rows.append((n, "metadata of an output", "stripped"))
    return kept


def _give_ids(cells: list[dict], ids: list, rows: list) -> None:
    used = set()
    for n, (cell, said) in enumerate(zip(cells, ids, strict=True), 1):
        if isinstance(said, str) and _ID.fullmatch(said) and said not in used:
            cell["id"] = said
            used.add(said)
        elif said is not None:
            rows.append((n, "id", "stripped"))
    for cell in cells:
        if "id" not in cell:
            cell["id"] = _free_id(used)
            used.add(cell["id"])


def _free_id(used: set[str]) -> str:
    return next(name for n in count(1) if (name := f"{n:08x}") not in used)


def _places(notebook: dict) -> Iterator[tuple[int, str, str]]:
    """Return all texts of a notebook that could name somebody: the cell, where in it, the text."""
    cells = _checked_cells(notebook)
    for text in _texts(notebook.get("metadata")):
        yield 0, "metadata", text
    for n, cell in enumerate(cells, 1):
        yield n, "source" if cell["cell_type"] == "code" else cell["cell_type"], cell["source"]
        for text in _texts(cell.get("metadata")):
            yield n, "metadata", text
        for text in _texts(cell.get("outputs"), keys=True):
            yield n, "output", text


def _texts(value, *, keys: bool = False) -> Iterator[str]:
    # Without recursion, since what is in there may be nested deep.
    left = [value]
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            left += [*value.values(), *(value if keys else ())]
        elif isinstance(value, list):
            left += value


def _require_nothing(found: pd.DataFrame) -> None:
    if found.empty:
        return
    is_encoded = found["where"] == "encoded"
    parts = []
    if places := _named(found[~is_encoded]):
        parts.append(f"somebody named in {places}")
    if places := _named(found[is_encoded]):
        parts.append(f"encoded data, in which no name could be found, in {places}")
    raise IdentifierFound(
        "A notebook that is published must name nobody in the study, found "
        f"{', and '.join(parts)}.",
        "Take it out there, or list as `allow` the words that are no names.",
        [int(cell) for cell in sorted({*found["cell"]} - {0})],
    )


def _named(found: pd.DataFrame) -> str:
    cells = sorted({*found["cell"]} - {0})
    places = {"name": "the name of the file", "metadata": "the notebook's metadata"}
    said = [places[where] for where in found.loc[found["cell"] == 0, "where"]]
    if cells:
        said.append(f"cell{'s' * (len(cells) > 1)} {', '.join(map(str, cells))}")
    return " and ".join(said)


def _read(path: Path) -> dict:
    size = path.stat().st_size
    if not path.is_file() or path.suffix != ".ipynb" or size > _MOST_BYTES:
        raise ValueError(
            f"`path` must be a file .ipynb of at most {_MOST_BYTES >> 20} MiB, "
            "found another kind or size."
        )
    try:
        return json.loads(path.read_bytes().decode(), object_pairs_hook=_once, parse_constant=_nan)
    except UnicodeError:
        found = "bytes that are not UTF-8"
    except json.JSONDecodeError as error:
        found = f"something else in line {error.lineno}"
    except RecursionError:
        found = "it nested too deep"
    except ValueError:
        found = "a name twice in an object, NaN, an infinity or an endless number"
    raise ValueError(f"`path` must be a notebook, which is JSON, found {found}.")


def _once(pairs: list[tuple]) -> dict:
    held = dict(pairs)
    if len(held) < len(pairs):
        raise ValueError
    return held


def _nan(_: str):
    raise ValueError


def _bytes_of(notebook: dict) -> bytes:
    try:
        import nbformat
    except ImportError:
        raise ImportError(
            "Publishing a notebook needs nbformat, which is not installed: "
            "pip install 'viewing-toolkit[notebooks]'."
        ) from None
    return f"{nbformat.v4.writes(nbformat.from_dict(notebook))}\n".encode()


def _write(folder: Path, name: str, data: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{secrets.token_hex(8)}.new"
    try:
        with draft.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, folder / name)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(folder)
