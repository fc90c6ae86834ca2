"""The report of a reproduction: one HTML file that a reviewer can attach, and the same as JSON."""

import json
import platform
import re
import subprocess
import sys
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import pandas as pd

from toolkit.references import Drawn
from toolkit.runs import Run, code_cells, ran
from toolkit.verdicts import DIFFERS, IDENTICAL, MISSING, NEW, NOT_COVERED, Verdict, difference

__all__ = ["Finding", "Shown", "write_report"]

_N_SHOWN = 12
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 72rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 3rem; border-bottom: 1px solid #ccc; }
h3 { margin: 2rem 0 .5rem; font-size: 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-size: .9rem; }
th, td { text-align: left; padding: .2rem 1.5rem .2rem 0; border-bottom: 1px solid #e5e5e5;
  vertical-align: top; }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.same, .drawn, .bad, .open { padding: .1rem .5rem; border-radius: .3rem; white-space: nowrap; }
.same { background: #dcefdc; } .drawn { background: #e3ecf7; }
.open { background: #f7ecc8; } .bad { background: #f6d4d2; font-weight: bold; }
.verdict { font-size: 1.2rem; } .verdict span { white-space: normal; }
.pictures { display: flex; gap: 1rem; flex-wrap: wrap; }
figure { margin: 0; flex: 1 1 18rem; max-width: 36rem; }
figure img { max-width: 100%; border: 1px solid #e5e5e5; }
figcaption { font-size: .85rem; color: #555; }
pre { margin: 0; white-space: pre-wrap; font-size: .8rem; }
"""


@dataclass
class Shown:
    """A figure of the series beside its reference."""

    name: str
    verdict: Verdict
    old: Drawn | None
    new: Drawn | None


@dataclass
class Finding:
    """A notebook beside what is stored of it: figures, and by cell the lines that moved."""

    run: Run
    figures: list[Shown]
    cells: dict[int, list[tuple[str, str]]]

    @property
    def n_bad(self) -> int:
        """How much speaks against reproduction: a failure, bad figures, cells that moved."""
        n_figures = sum(figure.verdict.is_bad for figure in self.figures)
        return (self.run.failure is not None) + n_figures + len(self.cells)


def write_report(findings: list[Finding], folder: Path, root: Path) -> tuple[str, Path]:
    """Write ``report.html`` and ``report.json``.

    Parameters
    ----------
    findings : list of Finding
        One for each notebook.
    folder : pathlib.Path
        Where to write.
    root : pathlib.Path
        Folder of the lock, ``requirements.txt``.

    Returns
    -------
    tuple of str and pathlib.Path
        The verdict in a sentence; the HTML file, which holds its pictures and asks nothing of
        the network.
    """
    made = {
        "verdict": _sentence(findings),
        "made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "commit": _commit(root),
        "environment": _environment(findings, Path(root, "requirements.txt")),
        "notebooks": [_as_dict(finding) for finding in findings],
    }
    text = json.dumps(made, indent=1, ensure_ascii=False)
    Path(folder, "report.json").write_text(text + "\n", encoding="utf-8")
    page = Path(folder, "report.html")
    page.write_text(_page(made, findings), encoding="utf-8")
    return made["verdict"], page


def _sentence(findings):
    figures = [figure for finding in findings for figure in finding.figures]
    words = [figure.verdict.word for figure in figures]
    n_cells = sum(len(ran(finding.run)) for finding in findings)
    n_open = words.count(NOT_COVERED)
    beyond = f" Figures in which not all can be compared: {n_open}." if n_open else ""
    against = {
        "failed notebooks": sum(finding.run.failure is not None for finding in findings),
        "figures that differ": words.count(DIFFERS),
        "missing figures": words.count(MISSING),
        "figures without a reference": words.count(NEW),
        "cells that print something else": sum(len(finding.cells) for finding in findings),
    }
    if any(against.values()):
        found = "; ".join(f"{what}: {n}" for what, n in against.items() if n).capitalize()
        return f"Not reproduced, of {len(figures)} figures and {n_cells} cells. {found}.{beyond}"
    compared = [figure.verdict for figure in figures if figure.verdict.word != NOT_COVERED]
    n_values = sum(verdict.n_values for verdict in compared)
    n_same = words.count(IDENTICAL)
    exact = "all" if n_same == len(compared) else n_same or "none"
    return (
        f"Reproduced{', as far as it can be compared' if n_open else ''}: {len(compared)} figures"
        f" show the same {n_values:,} numbers and words, {exact} of them to the last pixel, and"
        f" {n_cells} cells print the same.{beyond}"
    )


def _environment(findings, lock):
    """Return the system, and of each package the version of the kernels and of the lock."""
    text = lock.read_text(encoding="utf-8") if lock.exists() else ""
    pins = dict(re.findall(r"^([\w.-]+)==([\w.]+)", text, flags=re.MULTILINE))
    versions = next((finding.run.versions for finding in findings if finding.run.versions), {})
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions,
        "locked": {name: pins[name] for name in versions if name in pins},
    }


def _commit(root):
    """Return the commit of the checkout, "dirty" where files are not as committed."""
    try:
        asked = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _apart(environment):
    """Say in a sentence which packages are not those of the lock."""
    versions, locked = environment["versions"], environment["locked"]
    if not locked:
        return "Which packages were used, or which the lock asks for, is not known."
    apart = [
        f"{name} {here} for {locked[name]}"
        for name, here in versions.items()
        if here != locked.get(name, here)
    ]
    if apart:
        return f"Run with other packages than those of the lock: {', '.join(apart)}."
    return "Run with the packages of the lock."


def _as_dict(finding):
    return {
        "name": finding.run.name,
        "seconds": round(finding.run.seconds, 1),
        "n_cells": len(code_cells(finding.run.notebook)),
        "versions": finding.run.versions,
        "failure": _public(finding.run.failure),
        "figures": [
            {
                "name": figure.name,
                "verdict": figure.verdict.word,
                "n_values": figure.verdict.n_values,
                "n_moved": len(figure.verdict.moved),
                "moved": _first(figure.verdict.moved).to_dict("records"),
                "rms": figure.verdict.rms,
                "uncovered": figure.verdict.uncovered,
            }
            for figure in finding.figures
        ],
        "cells": [
            {"cell": n, "moved": [{"old": _public(old), "new": _public(new)} for old, new in lines]}
            for n, lines in finding.cells.items()
        ],
    }


def _public(text):
    """Return a text without the folders of whoever ran the series."""
    for folder, name in ((sys.prefix, "(environment)"), (Path.cwd(), "."), (Path.home(), "~")):
        text = text and text.replace(str(folder), name)
    return text


def _first(moved: pd.DataFrame) -> pd.DataFrame:
    """Return the first values that moved, as text; a value that came or went is empty."""
    first = moved.head(_N_SHOWN).astype("object")
    return first.map(lambda value: "" if pd.isna(value) else _text(value))


def _text(value):
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _page(made, findings):
    environment = made["environment"]
    words = [figure.verdict.word for finding in findings for figure in finding.figures]
    kind = "open" if NOT_COVERED in words else "same"
    kind = "bad" if any(finding.n_bad for finding in findings) else kind
    versions = [
        (name, number, environment["locked"].get(name, ""))
        for name, number in environment["versions"].items()
    ]
    rows = [
        (
            _link(finding.run.name),
            f"{finding.run.seconds:.1f}",
            len(code_cells(finding.run.notebook)),
            len(finding.figures),
            _badge(finding),
        )
        for finding in findings
    ]
    return "\n".join([
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>Reproduction of the series, {made['made']}</title>",
        f"<style>{_STYLE}</style></head><body>",
        "<h1>Reproduction of the series</h1>",
        f"<p>{made['made']}, commit {escape(made['commit'])}</p>",
        f'<p class="verdict"><span class="{kind}">',
        f"{escape(made['verdict'])}</span></p>",
        f"<p>{escape(_apart(environment))}</p>",
        _RULES,
        _table(["notebook", "seconds", "cells", "figures", ""], rows, raw=True),
        *map(_section, findings),
        f"<h2>Environment</h2><p>{escape(environment['system'])}</p>",
        _table(["package", "here", "in the lock"], versions),
        "</body></html>",
        "",
    ])  # fmt: skip


_RULES = """<p>Each notebook was run anew in a fresh kernel. Of each figure every number and word
that its artists draw was compared with the committed reference: whole numbers and words must be
equal; other numbers may differ by a millionth of themselves, or by 1e-11 of the largest of their
field. Pictures were compared pixel by pixel; RMS is the root mean square of their difference in
grey levels, 0 to 255. What cells print was compared line by line, decimals by the same rule. Only
numbers, words and lines that moved, figures that are missing or have no reference, and failed
cells speak against reproduction.</p>"""


def _section(finding):
    parts = [f'<h2 id="{escape(finding.run.name)}">{escape(finding.run.name)}</h2>']
    if finding.run.failure:
        parts.append(f'<p><span class="bad">{escape(_public(finding.run.failure))}</span></p>')
    parts.append(f"<p>Cells that print the same: {len(ran(finding.run)) - len(finding.cells)}.</p>")
    for number, lines in finding.cells.items():
        parts.append(f'<h3>Cell {number} <span class="bad">prints something else</span></h3>')
        shown = [
            [f"<pre>{escape(_public(text))}</pre>" for text in pair] for pair in lines[:_N_SHOWN]
        ]
        parts += [_table(["stored", "now"], shown, raw=True), _rest(lines)]
    return "\n".join(parts + [_figure(figure) for figure in finding.figures])


def _figure(figure):
    verdict = figure.verdict
    kinds = {True: "bad", NOT_COVERED: "open", IDENTICAL: "same"}
    kind = kinds.get(verdict.is_bad or verdict.word, "drawn")
    parts = [f'<h3>{escape(figure.name)} <span class="{kind}">{escape(str(verdict))}</span></h3>']
    if len(verdict.moved):
        first = _first(verdict.moved)
        parts += [_table(first.columns, first.to_numpy().tolist()), _rest(verdict.moved)]
    if verdict.rms:
        red = difference(figure.old.png, figure.new.png)
        pictures = {"reference": figure.old.png, "now": figure.new.png, "changed pixels": red}
    else:
        one = figure.new or figure.old
        pictures = {"": one.png} if one else {}
    shown = [_picture(png, title, figure.name) for title, png in pictures.items()]
    return "\n".join([*parts, '<div class="pictures">', *shown, "</div>"])


def _rest(moved):
    return f"<p>and {len(moved) - _N_SHOWN} more</p>" if len(moved) > _N_SHOWN else ""


def _picture(png, title, name):
    source = f"data:image/png;base64,{b64encode(png).decode()}"
    alt = escape(f"{name} {title}".strip())
    return f'<figure><img src="{source}" alt="{alt}"><figcaption>{title}</figcaption></figure>'


def _link(name):
    return f'<a href="#{escape(name)}">{escape(name)}</a>'


def _badge(finding):
    if finding.n_bad:
        return f'<span class="bad">{finding.n_bad} against</span>'
    if NOT_COVERED in [figure.verdict.word for figure in finding.figures]:
        return '<span class="open">not covered</span>'
    return '<span class="same">same</span>'


def _table(names, rows, *, raw=False):
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = [
        "".join(f"<td>{cell if raw else escape(str(cell))}</td>" for cell in row) for row in rows
    ]
    return "\n".join(["<table>", f"<tr>{head}</tr>", *(f"<tr>{r}</tr>" for r in body), "</table>"])
