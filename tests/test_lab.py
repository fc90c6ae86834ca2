"""The series in JupyterLab, as a reader would have it: opened, run, looked at, saved."""

from shutil import copy
from typing import NamedTuple

import nbformat
import pytest
from nbval.plugin import coalesce_streams
from playwright.sync_api import expect

from tests.lab import choose, opened, started
from tests.test_net import ROOT, checkout, outcomes, start
from tests.test_notebooks import GUARDS, code_cells, outputs

NAMES = ["01_load_and_check", "06_streaks"]
BROKEN = [
    "from IPython.display import HTML, Image, Javascript\nImage(b'no picture', format='png')",
    "HTML('<img src=\"http://elsewhere.invalid/picture.png\"><table><td>1</table>')",
    "Javascript('setTimeout(() => { throw new Error(\"thrown in the page\") })')",
    "1 / 0",
    "'not reached'",
]
IS_DRAWN = "picture => picture.complete && picture.naturalWidth > 0"
PROMPTS = ".jp-CodeCell .jp-InputPrompt"
# JupyterLab marks all cells as waiting at once, and none of them has run before.
HAVE_RUN = """prompts => {
    const texts = [...document.querySelectorAll(prompts)].map(prompt => prompt.textContent);
    return texts[0] !== "[ ]:" && !texts.includes("[*]:");
}"""


class Seen(NamedTuple):
    """What a reader sees of a notebook that has been run, and what went wrong unseen."""

    prompts: list
    n_figures: int
    n_tables: int
    n_errors: int
    troubles: set


def drive(lab, name, notebook):
    """Write the notebook without outputs; in JupyterLab run all of it, look, and save."""
    for cell in code_cells(notebook):
        cell.update(outputs=[], execution_count=None)
    nbformat.write(notebook, lab.folder / f"{name}.ipynb")
    with opened(lab, name) as (page, troubles):
        prompts = page.locator(PROMPTS)
        expect(prompts).to_have_count(len(code_cells(notebook)))
        choose(page, "Run", "Run All Cells")
        page.wait_for_function(HAVE_RUN, arg=PROMPTS)
        shown = page.locator(".jp-OutputArea-output")
        seen = Seen(
            prompts.all_text_contents(),
            sum(picture.evaluate(IS_DRAWN) for picture in shown.locator("img:visible").all()),
            shown.locator("table:visible").count(),
            page.locator('[data-mime-type="application/vnd.jupyter.stderr"]:visible').count(),
            troubles,
        )
        choose(page, "File", "Save Notebook")
        expect(page.locator(".lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)
    return seen


def expected(notebook):
    """What is to be seen of a notebook that is run from its first cell to its last."""
    stored = [output.get("data", {}) for output in outputs(notebook)]
    return Seen(
        prompts=[f"[{number}]:" for number in range(1, len(code_cells(notebook)) + 1)],
        n_figures=sum("image/png" in data for data in stored),
        n_tables=sum(data.get("text/html", "").count("<table") for data in stored),
        n_errors=0,
        troubles=set(),
    )


def compared(notebook):
    """The outputs of each code cell as nbval sees them: of pictures only that there is one."""
    for output in outputs(notebook):
        if "image/png" in output.get("data", {}):
            output.data["image/png"] = "a picture"
    return [coalesce_streams(cell.outputs) for cell in code_cells(notebook)]


def read(folder, name):
    return nbformat.read(folder / f"{name}.ipynb", as_version=4)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with started(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="module")
def seen(lab):
    return {name: drive(lab, name, read(ROOT / "notebooks", name)) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_every_cell_runs_and_shows_its_figures_and_tables(seen, name):
    stored = expected(read(ROOT / "notebooks", name))
    assert min(stored.n_figures, stored.n_tables) > 0
    assert seen[name] == stored


@pytest.mark.parametrize("name", NAMES)
def test_what_is_saved_is_what_is_committed(seen, lab, name):
    saved, stored = read(lab.folder, name), read(ROOT / "notebooks", name)
    assert compared(saved) == compared(stored)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_saved_may_be_committed(seen, lab, name):
    saved = read(lab.folder, name)
    assert [trouble for guard in GUARDS for trouble in guard(saved)] == []


def test_nbval_passes_on_what_is_saved(seen, lab, tmp_path):
    root = checkout(tmp_path)
    for name in seen:
        copy(lab.folder / f"{name}.ipynb", root / "notebooks")
    found = outcomes(start(root))
    assert {name: set(found[name]) for name in found} == {name: {"PASSED"} for name in NAMES}


def test_what_goes_wrong_is_seen(lab):
    broken = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in BROKEN],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    assert drive(lab, "broken", broken) == Seen(
        prompts=["[1]:", "[2]:", "[3]:", "[4]:", "[ ]:"],
        n_figures=0,
        n_tables=1,
        n_errors=1,
        troubles={"asked for http://elsewhere.invalid/picture.png", "thrown in the page"},
    )
