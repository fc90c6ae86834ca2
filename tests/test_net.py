"""The net of nbval, thrown as `make test` throws it: what it must catch and what it must let pass."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from shutil import copy, copytree

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
SUBJECT = "06_streaks"
# One day too many in every streak.
RIGHT, WRONG = "last - first + 1 - again\n", "last - first + 2 - again\n"

HABITS = {
    "opening": (
        "import matplotlib.pyplot as plt\nimport pandas as pd\nimport seaborn as sns\n"
        "from toolkit import setup\nsetup()"
    ),
    "semicolon": "sns.regplot(x=[1, 2, 3, 4], y=[1, 3, 2, 4]);",
    "address": "object()",
    "look": "plt.plot(range(1, 101), color='C0')\nplt.show()",
    "point": "plt.plot([n * (1.00 if n == 50 else 1) for n in range(1, 101)])\nplt.show()",
    "html": "pd.DataFrame({'n_days': [17, 18]})",
    "table": "pd.DataFrame({'n_days': [17, 18]})",
    "date": "print('2017-12-10')",
    "number": "print(53)",
    "hexadecimal": "print(hex(53))",
}


def command():
    recipes = re.sub(r"\\\n\s*", "", (ROOT / "Makefile").read_text(encoding="utf-8"))
    [line] = [line for line in recipes.splitlines() if " --nbval " in line]
    python, *arguments = shlex.split(line)
    assert python == "$(BIN)/python"
    return [sys.executable, *arguments]


def environment(**more):
    """As under make: figures inline, and no data but the sample's."""
    kept = {k: v for k, v in os.environ.items() if k not in {"MPLBACKEND", "VIEWING_DATA"}}
    return kept | {"PYTHONTZPATH": ""} | more


def checkout(root):
    """A copy of what the command reads, with no notebook in it yet."""
    for folder in ("toolkit", "data"):
        copytree(ROOT / folder, root / folder)
    for file in ("pyproject.toml", "README.md", "tests/nbval.cfg", "notebooks/conftest.py"):
        (root / file).parent.mkdir(exist_ok=True)
        copy(ROOT / file, root / file)
    return root


def start(root):
    return subprocess.Popen(
        command(),
        cwd=root,
        env=environment(PYTHONPATH=str(root), PYTEST_ADDOPTS="--verbose"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def outcomes(run):
    """Notebook to the outcomes of its code cells, in their order."""
    report, _ = run.communicate()
    found = {}
    lines = re.findall(r"^notebooks/(\w+)\W+ipynb::Cell \d+ (\w+)", report, flags=re.MULTILINE)
    for name, outcome in lines:
        found.setdefault(name, []).append(outcome)
    assert found, report
    return found


def move_a_digit(text):
    """Raise the last digit by one."""
    return re.sub(r"(\d)(\D*)$", lambda match: f"{(int(match[1]) + 1) % 10}{match[2]}", text)


def move_a_stored_digit(notebook):
    """Change the last stored table by one digit; say in which code cell it stands."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number in reversed(range(len(cells))):
        for output in cells[number].outputs:
            stored = output.get("data", {}).get("text/plain", "")
            if output.output_type == "execute_result" and move_a_digit(stored) != stored:
                output.data["text/plain"] = move_a_digit(stored)
                return number


def run_habits(root):
    v4 = nbformat.v4
    notebook = v4.new_notebook(cells=[v4.new_code_cell(source) for source in HABITS.values()])
    NotebookClient(notebook, kernel_name="python3").execute(cwd=str(root), env=environment())
    stored = {name: cell.outputs for name, cell in zip(HABITS, notebook.cells, strict=True)}
    for name, mime, old, new in [
        ("html", "text/html", "<td>18</td>", "<td>19</td>"),
        ("table", "text/plain", "18", "19"),
    ]:
        data = stored[name][0].data
        assert old in data[mime]
        data[mime] = data[mime].replace(old, new)
    # What is drawn changes under a stored figure: its colour, or one point of a hundred.
    for name, old, new in [("look", "'C0'", "'C1'"), ("point", "1.00", "1.01")]:
        cell = notebook.cells[list(HABITS).index(name)]
        assert "image/png" in cell.outputs[-1].data
        cell.source = cell.source.replace(old, new)
    for name in ("date", "number", "hexadecimal"):
        stored[name][0].text = move_a_digit(stored[name][0].text)
    return notebook


@pytest.fixture(scope="module")
def caught(tmp_path_factory):
    """Outcomes under the toolkit as it is and under one that miscounts, and the moved cell."""
    right, wrong = (checkout(tmp_path_factory.mktemp(name)) for name in ("right", "wrong"))
    subject = nbformat.read(ROOT / "notebooks" / f"{SUBJECT}.ipynb", as_version=4)
    nbformat.write(subject, right / "notebooks" / "unchanged.ipynb")
    nbformat.write(subject, wrong / "notebooks" / "miscounted.ipynb")
    moved = move_a_stored_digit(subject)
    nbformat.write(subject, right / "notebooks" / "moved.ipynb")
    nbformat.write(run_habits(right), right / "notebooks" / "habits.ipynb")

    module = wrong / "toolkit" / "streaks.py"
    source = module.read_text(encoding="utf-8")
    assert source.count(RIGHT) == 1
    module.write_text(source.replace(RIGHT, WRONG), encoding="utf-8")

    runs = [start(right), start(wrong)]
    return outcomes(runs[0]) | outcomes(runs[1]) | {"cell": moved}


@pytest.fixture(scope="module")
def habits(caught):
    return dict(zip(HABITS, caught["habits"], strict=True))


def test_an_unchanged_notebook_is_green(caught):
    assert set(caught["unchanged"]) == {"PASSED"}


def test_one_stored_digit_that_moved_is_red_in_its_cell_alone(caught):
    expected = ["PASSED"] * len(caught["unchanged"])
    expected[caught["cell"]] = "FAILED"
    assert caught["moved"] == expected


def test_a_toolkit_that_counts_one_day_too_many_is_red(caught):
    assert caught["miscounted"][0] == "PASSED"
    assert "FAILED" in caught["miscounted"]


@pytest.mark.parametrize("habit", ["opening", "semicolon", "address", "look", "html"])
def test_what_differs_between_two_good_runs_is_let_pass(habits, habit):
    assert habits[habit] == "PASSED"


@pytest.mark.parametrize("habit", ["point", "table", "date", "number", "hexadecimal"])
def test_what_a_reader_would_read_is_caught(habits, habit):
    assert habits[habit] == "FAILED"
