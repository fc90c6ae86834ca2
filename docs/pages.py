"""The pages that are made anew for each site: the gallery, the reference and the dictionary."""

import ast
import inspect
import re
import sys
import tomllib
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import nbformat
import pandas as pd
from sphinx.pycode import ModuleAnalyzer

import toolkit
from toolkit import tables

LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")
CAPTION = re.compile(r"\*Figure \d+\.\* (.+?\.)(?=\s|$)")
BULLET = re.compile(r"^ *\* (.+?)(?=^ *\* |\n\n|\Z)", re.MULTILINE | re.DOTALL)
TYPE = re.compile(r"(\w+(?:\[[^]]*\])?)(?:, |$)(.*)")
TEXTS = tomllib.loads(Path(__file__).with_name("columns.toml").read_text(encoding="utf-8"))

# Each table: its columns' types, its check, and the function that makes it and says the rest.
TABLES = {
    "plays": (tables.PLAYS, tables.as_plays, None),
    "viewings": (tables._VIEWINGS, tables.as_viewings, toolkit.to_viewings),
    "viewer_days": (tables._VIEWER_DAYS, tables.as_viewer_days, toolkit.to_viewer_days),
    "streaks": (tables._STREAKS, tables.as_streaks, toolkit.find_streaks),
    "viewers": (tables._VIEWERS, tables.as_viewers, None),
}
TYPES = {"id": "category or int", "day": "datetime64, midnight"}


class Picture(NamedTuple):
    """One picture of a notebook: its number, its cell, and what is said of it."""

    number: int
    cell: str
    heading: str
    caption: str


def pictures(notebook):
    """List the pictures that a notebook has stored, in their order."""
    found, heading = [], ""
    for cell, following in zip(notebook.cells, [*notebook.cells[1:], None], strict=True):
        if cell.cell_type == "markdown":
            heading = [heading, *re.findall(r"^#+ (.+)", cell.source, re.MULTILINE)][-1]
            continue
        caption = CAPTION.match(following.source) if following else None
        caption = LINK.sub(r"\1", caption[1]) if caption else ""
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                found.append(Picture(len(found) + 1, cell.id, heading, caption))
    return found


def gallery(paths):
    """Show every picture of the series, each a link to the cell that draws it."""
    lines = ["# Gallery", "", "Every figure of the series. A picture leads to the cell that draws"]
    lines += ["it; its data are the numbers that are drawn, one per row."]
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        if drawn := pictures(notebook):
            title = re.match("# (.+)", notebook.cells[0].source)[1]
            lines += ["", f"## [{title}](notebooks/{path.name})", "", "````{container} gallery"]
            lines += [line for picture in drawn for line in card(path.stem, picture)]
            lines += ["````"]
    return "\n".join(lines) + "\n"


def card(name, picture):
    """One picture with its section, what its caption says first, and its data."""
    file = f"notebooks/figures/{name}-{picture.number}"
    return [
        f"```{{figure}} {file}.png",
        f":target: notebooks/{name}.html#{picture.cell}",
        f":alt: {re.sub('[*`]', '', picture.caption or picture.heading)}",
        ":loading: lazy",
        "",
        f"**{picture.heading}**\\",
        f"{picture.caption} [Data (CSV)]({file}.csv)",
        "```",
    ]


def reference():
    """List every public name by room, and give each a page: text by docname."""
    lines = ["Reference", "=========", "", "Every public name, by the module that holds it.", ""]
    pages = {}
    rooms = sorted((room_of(name), name) for name in toolkit.__all__)
    for room, pairs in groupby(rooms, key=lambda pair: pair[0]):
        about = inspect.getdoc(sys.modules[f"toolkit.{room}"]).splitlines()[0]
        lines += [room, "-" * len(room), "", about, ""]
        for _, name in pairs:
            lines += [f":obj:`~toolkit.{name}`", f"    {summary(name)}", ""]
            pages[f"api/{name}"] = page_of(name)
    listed = [f"   {page}" for page in sorted(pages, key=str.lower)]
    lines += [".. toctree::", "   :hidden:", "", *listed, ""]
    return {"api": "\n".join(lines), **pages}


def module_of(name):
    """The module that defines a public name; of a constant, the last that exports it."""
    value = getattr(toolkit, name)
    if callable(value):
        return value.__module__
    own = [module for module in sys.modules if module.startswith("toolkit.")]
    return max(module for module in own if name in getattr(sys.modules[module], "__all__", []))


def room_of(name):
    """The module, or the folder of modules, in which a public name lives."""
    return module_of(name).split(".")[1]


def comment_of(name):
    """What the `#:` lines above a constant say."""
    comments = ModuleAnalyzer.for_module(module_of(name)).find_attr_docs()
    return " ".join(comments["", name]).strip()


def summary(name):
    """The first line of what is said of a public name."""
    value = getattr(toolkit, name)
    return inspect.getdoc(value).splitlines()[0] if callable(value) else comment_of(name)


def page_of(name):
    """The page of a public name."""
    value = getattr(toolkit, name)
    lines = [name, "=" * len(name), "", ".. currentmodule:: toolkit", ""]
    if callable(value):
        lines += [f".. auto{'class' if inspect.isclass(value) else 'function'}:: {name}"]
    else:
        lines += [f".. py:data:: {name}", f"   :type: {type(value).__name__}", ""]
        lines += [f"   {comment_of(name)}"]
    return "\n".join(lines) + "\n"


def dictionary(overview):
    """Say what each column of each table is, and in which words."""
    lines = ["# Data dictionary", "", "## The words", "", words(overview), ""]
    lines += ["## The tables", "", "Every function checks the tables it is given by these columns;"]
    lines += ["the **bold** ones have to be there. The columns of all other tables stand with the"]
    lines += ["functions that make them, in the [reference](api.rst), and what the sample holds"]
    lines += ["stands in [a page of its own](data/README.md).", ""]
    for name, (schema, check, maker) in TABLES.items():
        row, described = returned(maker) if maker else (TEXTS["rows"][name], {})
        lines += [f"### {name}", "", row, "", "| column | type, unit | meaning |", "|---|---|---|"]
        needed = needed_by(check)
        for column in dict.fromkeys([*described, *schema]):
            dtype, meaning = described.get(column, ("", ""))
            dtype = TYPES.get(schema.get(column), schema.get(column, dtype))
            meaning = (meaning or TEXTS["columns"][column]) + choices(name, column)
            marked = f"**`{column}`**" if column in needed else f"`{column}`"
            lines += [f"| {marked} | {dtype}{unit(column)} | {meaning} |"]
        lines += [""]
    return "\n".join(lines)


def words(overview):
    """The table of the words, as the overview has it."""
    for cell in overview.cells:
        if heading := re.match(r"## .*The words\n", cell.source):
            return cell.source[heading.end() :].strip()
    raise ValueError("The overview must have a section 'The words', found none.")


def returned(maker):
    """What a row is, and the type and meaning of each column, by the docstring of its maker."""
    text = re.search(r"Returns\n-+\n(.+?)\n\n\w+\n-+\n", inspect.getdoc(maker), re.DOTALL)[1]
    columns = {}
    for bullet in BULLET.findall(text):
        names, _, about = " ".join(bullet.split()).partition(" : ")
        dtype, meaning = TYPE.match(about).groups() if about else ("", "")
        columns |= dict.fromkeys(re.findall("``(.+?)``", names), (dtype, meaning))
    return " ".join(text.split("\n\n")[0].split()[1:]).rstrip(":") + ".", columns


def needed_by(check):
    """The columns without which a check refuses a table, in its own words."""
    try:
        check(pd.DataFrame())
    except ValueError as error:
        return ast.literal_eval(re.search(r"\[.*?\]", str(error))[0])


def choices(name, column):
    """The values that a column of plays may hold, where they are few."""
    values = tables._CHOICES.get(column, []) if name == "plays" else []
    return ": " * bool(values) + ", ".join(f"`{value}`" for value in values)


def unit(column):
    """What the name of a column says of its unit; days and instants are types of their own."""
    if column.endswith("_seconds"):
        return ", seconds"
    if column == "n_days":
        return ", days"
    return ", count" if column.startswith("n_") else ""
