import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from shutil import copytree

import nbformat
import pytest

from toolkit.reproduce import reproduce

ROOT = Path(__file__).parents[1]

SETUP = "import matplotlib.pyplot as plt\nfrom toolkit import setup\nsetup()"
DRAW = "plt.plot([0, 1])\nplt.show()"
ASK = "import os\nprint(os.getcwd(), os.environ.get('VIEWING_DATA'), sep='\\n')"


def series(root, **notebooks):
    """A folder with one notebook per argument, each given as its cells."""
    Path(root, "notebooks").mkdir(exist_ok=True)
    for name, sources in notebooks.items():
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), root / "notebooks" / f"{name}.ipynb")
    return root


def stored(root, capsys, **notebooks):
    """The same, with its outputs and its figures as the reference."""
    assert reproduce(series(root, **notebooks), update=True) == 0
    capsys.readouterr()
    return root


def change(root, name, cell, source):
    path = root / "notebooks" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[cell].source = source
    nbformat.write(notebook, path)


def executed(root, name, folder="figures"):
    return nbformat.read(root / "build" / folder / f"{name}.ipynb", as_version=4)


def report(root):
    return json.loads((root / "build/figures/report.json").read_text(encoding="utf-8"))


def said(capsys):
    """What was printed, without the lines of notebooks that ended and of the report."""
    lines = capsys.readouterr().out.splitlines()
    return [line for line in lines if not re.search(r"^Report: | \d+ figures$", line)]


@pytest.fixture(autouse=True)
def no_other_data(monkeypatch):
    monkeypatch.delenv("VIEWING_DATA", raising=False)


class TestRuns:
    def test_every_figure_its_data_and_the_executed_copy_are_kept(self, tmp_path, capsys):
        root = series(tmp_path, n00_skipped=["1 / 0"], **{"01_draw": [SETUP, DRAW, "1 + 1", DRAW]})

        reproduce(root)

        kept = sorted(path.name for path in (root / "build/figures").iterdir())
        pairs = [f"01_draw-{number}.{ending}" for number in (1, 2) for ending in ("json", "png")]
        assert kept == [*pairs, "01_draw.ipynb", "report.html", "report.json"]
        assert (root / "build/figures/01_draw-2.png").read_bytes().startswith(b"\x89PNG")
        copy = executed(root, "01_draw")
        assert [cell.execution_count for cell in copy.cells] == [1, 2, 3, 4]
        assert copy.cells[2].outputs[0].data["text/plain"] == "2"
        line = capsys.readouterr().out.splitlines()[0]
        assert line.startswith("01_draw: ")
        assert line.endswith(" s, 4 cells, 2 figures")

    def test_a_failed_cell_is_named_and_the_other_notebooks_go_on(self, tmp_path, capsys):
        bad = ["1", "raise ValueError('first line\\nlast line')", "late = 1"]
        root = series(tmp_path, **{"01_bad": bad, "02_good": ["good = 1"]})
        path = root / "notebooks/01_bad.ipynb"
        old = nbformat.read(path, as_version=4)
        old.cells[0].outputs = [
            nbformat.v4.new_output("execute_result", {"text/plain": "1"}, execution_count=1)
        ]
        old.cells[2].outputs = [nbformat.v4.new_output("stream", text="an old result")]
        nbformat.write(old, path)

        assert reproduce(root) == 1

        lines = capsys.readouterr().out.splitlines()
        assert "01_bad: cell 2 failed: last line" in lines
        assert any(re.match(r"02_good: .* s, 1 cells, 0 figures", line) for line in lines)
        assert lines[-2] == "Not reproduced, of 0 figures and 2 cells. Failed notebooks: 1."
        assert executed(root, "01_bad").cells[2].outputs == []
        assert report(root)["notebooks"][0]["failure"] == "cell 2 failed: last line"

    @pytest.mark.parametrize(
        ("source", "reason"),
        [("import os; os._exit(1)", "Kernel died"), ("import time; time.sleep(60)", "timed out")],
    )
    def test_a_cell_that_never_answers_is_named_too(
        self, tmp_path, monkeypatch, capsys, source, reason
    ):
        monkeypatch.setattr("toolkit.runs._CELL_TIMEOUT_SECONDS", 2)
        root = series(tmp_path, **{"01_lost": ["quiet = 1", source]})
        assert reproduce(root) == 1
        assert re.match(f"01_lost: cell 2 failed: .*{reason}", capsys.readouterr().out)

    def test_figures_of_an_earlier_run_do_not_stay(self, tmp_path):
        root = series(tmp_path, **{"01_draw": [SETUP, DRAW]})
        folder = root / "build/figures"
        folder.mkdir(parents=True)
        for name in ("01_draw-2.png", "01_draw-2.json", "01_drawn-1.png"):
            (folder / name).touch()

        reproduce(root)

        kept = sorted(path.name for path in folder.glob("*-*"))
        assert kept == ["01_draw-1.json", "01_draw-1.png"]

    def test_kernels_start_in_the_folder_of_the_notebook_and_without_a_word(self, tmp_path, capfd):
        root = series(tmp_path, **{"01_ask": [ASK, "sorted(n for n in dir() if n[0] != '_')"]})

        reproduce(root)

        place, names = executed(root, "01_ask").cells
        assert place.outputs[0].text.splitlines() == [str(root / "notebooks"), "None"]
        assert set(names.outputs[0].data["text/plain"].split("'")[1::2]) <= {
            "In", "Out", "exit", "get_ipython", "open", "os", "quit",
        }  # fmt: skip
        assert capfd.readouterr().err == ""

    def test_nothing_of_the_callers_machine_or_clock_gets_in(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PYTHONTZPATH", str(tmp_path))
        monkeypatch.setenv("VIEWING_DATA", "mine.toml")
        sources = ["import zoneinfo; zoneinfo.TZPATH", ASK]
        root = series(tmp_path, **{"01_zones": sources})

        reproduce(root)

        zones, asked = executed(root, "01_zones").cells
        assert zones.outputs[0].data["text/plain"] == "()"
        assert asked.outputs[0].text.splitlines()[1] == "None"
        assert zones.metadata == {}

    def test_two_notebooks_run_at_a_time_and_no_third(self, tmp_path):
        wait = (
            "import time\nfrom pathlib import Path\nmine, seen = Path(f'{name}.mark'), 0\n"
            "mine.touch()\n"
            "for n in range(400):\n    seen = max(seen, len(list(Path().glob('*.mark'))))\n"
            "    time.sleep(0.05)\n    if seen > 1 and n > 20:\n        break\n"
            "mine.unlink()\nseen"
        )
        notebooks = {f"0{n}_wait": [f"name = {n}\n{wait}"] for n in (1, 2, 3, 4)}
        root = series(tmp_path, **notebooks)

        reproduce(root)

        seen = [executed(root, name).cells[0].outputs[0].data["text/plain"] for name in notebooks]
        assert max(seen) == "2"

    @pytest.mark.parametrize("ending", ["png", "json"])
    def test_a_reference_that_can_not_be_read_is_named_before_anything_runs(
        self, tmp_path, capsys, ending
    ):
        root = stored(tmp_path, capsys, **{"01_draw": [SETUP, DRAW]})
        (root / f"notebooks/figures/01_draw-1.{ending}").write_text("<<<<<<< HEAD\n")
        with pytest.raises(ValueError, match=r"01_draw-1\.png` and its data must be as --update"):
            reproduce(root)
        assert capsys.readouterr().out == ""

    def test_a_kernel_that_can_not_be_prepared_fails(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr("toolkit.runs._BEFORE", "import nowhere  # {folder}")
        assert reproduce(series(tmp_path, **{"01_cell": ["a = 1"]})) == 1
        line = capsys.readouterr().out.splitlines()[0]
        assert line == (
            "01_cell: the kernel could not be prepared:"
            " ModuleNotFoundError: No module named 'nowhere'"
        )

    def test_a_long_folder_for_temporary_files_is_no_hindrance(self, tmp_path, monkeypatch):
        folder = tmp_path / ("long" * 30)
        folder.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        assert reproduce(series(tmp_path, **{"01_cell": ["a = 1"]})) == 0

    def test_a_folder_without_numbered_notebooks_is_refused(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="`root` must hold numbered notebooks"):
            reproduce(series(tmp_path, draft=["1"]))


# Of each notebook: the cells that are stored, and those that are run.
LOOK = "plt.plot([0, 1], color='red', linewidth=4)\nplt.show()"
MOVED = "plt.plot([0, 1.01])\nplt.show()"
STREAM = "plt.quiver([0], [0], [1], [1])\nplt.show()"
EMPTY = "fig, ax = plt.subplots()\nplt.show()"
PLAIN = "import matplotlib.pyplot as plt"
SHOWN = """from IPython.display import HTML, Markdown, display; import pandas as pd
display(HTML('<b>{0}</b>'))
Markdown('**{0}**')
pd.DataFrame({{'x': [{0}]}}).style
pd.DataFrame({{'x': [53]}}).style"""
CHANGED = {
    "01_same": ([SETUP, DRAW, "print(53)"], [SETUP, DRAW, "print(53)"]),
    "02_moved": ([SETUP, DRAW, DRAW], [SETUP, DRAW, MOVED]),
    "03_look": ([SETUP, DRAW], [SETUP, LOOK]),
    "04_printed": (["a = 53", "print(a)", "a"], ["a = 54", "print(a)", "53"]),
    "05_warned": (["a = 1"], ["import sys\nprint('careful', file=sys.stderr)"]),
    "06_failed": ([SETUP, DRAW, "a = 1", DRAW, "1"], [SETUP, DRAW, "1 / 0", DRAW, "1"]),
    "07_behind_a_gap": ([SETUP, DRAW], [SETUP, DRAW]),
    "08_new": ([SETUP, "a = 1"], [SETUP, DRAW]),
    "09_unknown": ([SETUP, STREAM, EMPTY], [SETUP, STREAM, EMPTY]),
    "10_plain": ([PLAIN, DRAW], [PLAIN, DRAW]),
    "11_v1.2": ([SETUP, DRAW], [SETUP, DRAW]),
    "12_rich": (SHOWN.format(53).splitlines(), SHOWN.format(54).splitlines()),
    "13_setup_gone": ([SETUP, DRAW], [PLAIN, DRAW]),
    "14_no_data": ([SETUP, DRAW], [SETUP, DRAW]),
    "15_other_stored": ([SETUP, DRAW], [SETUP, DRAW]),
}
SAID = {
    "01_same": [],
    "02_moved": [r"-2: DIFFERS: 1 values moved \(RMS [0-9.]+\)"],
    "03_look": [r"-1: same numbers, drawn differently \(RMS [0-9.]+\)"],
    "04_printed": [r", cell 2: 1 printed lines moved"],
    "05_warned": [r", cell 1: 1 printed lines moved"],
    "06_failed": [r": cell 3 failed: ZeroDivisionError: division by zero", r"-2: missing"],
    "07_behind_a_gap": [r"-3: missing"],
    "08_new": [r"-1: without a reference"],
    "09_unknown": [r"-[12]: not covered: Quiver \(the pictures are the same\)"] * 2,
    "10_plain": [r"-1: not covered: what is drawn without setup\(\) \(the pictures are the same\)"],
    "11_v1.2": [],
    "12_rich": [rf", cell {n}: \d+ printed lines moved" for n in (2, 3, 4)],
    "13_setup_gone": [r"-1: DIFFERS: its data are gone \(RMS .*\)"],
    "14_no_data": [r"-1: without a reference", r", cell 2: 1 printed lines moved"],
    "15_other_stored": [r", cell 2: 1 printed lines moved"],
    "16_notebook_gone": [r"-2: missing"],
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """A series whose notebooks changed after they were stored; the count, lines and report."""
    root = tmp_path_factory.mktemp("judged")
    assert (
        reproduce(series(root, **{name: old for name, (old, _) in CHANGED.items()}), update=True)
        == 0
    )
    for name, (_, sources) in CHANGED.items():
        for number, source in enumerate(sources):
            change(root, name, number, source)
    figures = root / "notebooks" / "figures"
    for stray in ("07_behind_a_gap-3.png", "16_notebook_gone-2.png", "01_same-old.png"):
        (figures / stray).write_bytes((figures / "01_same-1.png").read_bytes())
    (figures / "14_no_data-1.json").unlink()
    path = root / "notebooks" / "15_other_stored.ipynb"
    notebook = nbformat.read(path, as_version=4)
    text = notebook.cells[1].outputs[-1].data["text/plain"]
    notebook.cells[1].outputs[-1].data["text/plain"] = re.sub("[0-9a-f]{16}", "0" * 16, text)
    nbformat.write(notebook, path)
    out = io.StringIO()
    with redirect_stdout(out):
        n_bad = reproduce(root)
    return n_bad, out.getvalue().splitlines(), report(root)


class TestVerdicts:
    @pytest.mark.parametrize("name", SAID)
    def test_each_difference_is_told_in_its_line_and_nothing_else_is(self, judged, name):
        lines = [line.removeprefix(name) for line in judged[1] if line.startswith(name)]
        told = [line for line in lines if not re.search(r" \d+ figures$", line)]
        assert len(told) == len(SAID[name])
        for line, expected in zip(told, SAID[name], strict=True):
            assert re.fullmatch(expected, line)

    def test_only_what_moved_is_missing_or_failed_counts(self, judged):
        n_bad, lines, _ = judged
        # 02, 04, 05, 06 and its missing figure, 07, 08, three of 12, 13, two of 14, 15, 16.
        assert n_bad == 15
        assert lines[-2] == (
            "Not reproduced, of 17 figures and 36 cells. Failed notebooks: 1; figures that differ: 2;"
            " missing figures: 3; figures without a reference: 2;"
            " cells that print something else: 7. Figures in which not all can be compared: 3."
        )

    def test_the_report_lists_old_and_new(self, judged):
        notebooks = {notebook["name"]: notebook for notebook in judged[2]["notebooks"]}
        same, moved = notebooks["02_moved"]["figures"]
        assert (same["verdict"], same["n_moved"], same["rms"]) == ("pixel-identical", 0, 0)
        assert (moved["verdict"], moved["n_moved"]) == ("DIFFERS", 1)
        assert moved["moved"] == [
            {"axes": "0", "artist": "line 0", "field": "y", "index": "1", "old": "1", "new": "1.01"}
        ]
        assert notebooks["04_printed"]["cells"] == [
            {"cell": 2, "moved": [{"old": "53", "new": "54"}]}
        ]
        assert notebooks["06_failed"]["failure"].startswith("cell 3 failed: ZeroDivisionError")
        assert notebooks["06_failed"]["cells"] == []
        assert notebooks["09_unknown"]["figures"][0]["uncovered"] == ["Quiver"]


class TestUpdate:
    def test_each_figure_gets_a_line_and_what_was_the_same_stays_untouched(self, tmp_path, capsys):
        root = stored(
            tmp_path, capsys, **{"01_draw": [SETUP, DRAW, DRAW], "02_same": [SETUP, DRAW]}
        )
        change(root, "01_draw", 1, DRAW.replace("0, 1", "0, 1.01"))
        files = {path: path.stat().st_mtime_ns for path in (root / "notebooks").rglob("*.*")}

        assert reproduce(root, update=True) == 0

        stored_anew, first, *others = said(capsys)
        assert stored_anew == "01_draw.ipynb: stored anew, 0 cells print something else"
        assert re.fullmatch(r"01_draw-1: DIFFERS: 1 values moved \(RMS .*\)", first)
        assert others == ["01_draw-2: pixel-identical", "02_same-1: pixel-identical"]
        touched = {path.name for path, at in files.items() if path.stat().st_mtime_ns != at}
        assert touched == {"01_draw-1.png", "01_draw-1.json", "01_draw.ipynb"}
        assert reproduce(root) == 0

    def test_a_last_digit_that_moves_the_digest_alone_is_stored(self, tmp_path, capsys):
        root = stored(tmp_path, capsys, **{"01_draw": [SETUP, DRAW.replace("1", "1.2345649999")]})
        change(root, "01_draw", 1, DRAW.replace("1", "1.2345650001"))
        assert reproduce(root, update=True) == 0
        assert "01_draw-1: pixel-identical" in said(capsys)
        assert reproduce(root) == 0

    def test_the_notebook_gets_outputs_and_keeps_all_else(self, tmp_path, capsys):
        root = series(tmp_path, **{"01_print": ["print(53)"]})
        path = root / "notebooks/01_print.ipynb"
        notebook = nbformat.read(path, as_version=4)
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell("# A title"))
        notebook.cells[1].metadata.tags = ["parameters"]
        notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        nbformat.write(notebook, path)

        reproduce(root, update=True)

        now = nbformat.read(path, as_version=4)
        assert now.cells[1].outputs[0].text == "53\n"
        assert now.cells[1].execution_count == 1
        now.cells[1].update(outputs=[], execution_count=None)
        assert now == notebook

    def test_a_figure_that_is_gone_loses_its_reference(self, tmp_path, capsys):
        root = stored(tmp_path, capsys, **{"01_draw": [SETUP, DRAW, DRAW]})
        change(root, "01_draw", 2, "a = 1")
        reproduce(root, update=True)
        assert "01_draw-2: missing" in said(capsys)
        kept = sorted(path.name for path in (root / "notebooks/figures").iterdir())
        assert kept == ["01_draw-1.json", "01_draw-1.png"]

    def test_outputs_that_were_taken_out_come_back(self, tmp_path, capsys):
        root = stored(tmp_path, capsys, **{"01_draw": [SETUP, DRAW]})
        path = root / "notebooks/01_draw.ipynb"
        before = path.read_bytes()
        notebook = nbformat.read(path, as_version=4)
        notebook.cells[1].update(outputs=[], execution_count=None)
        nbformat.write(notebook, path)
        assert reproduce(root, update=True) == 0
        assert path.read_bytes() == before

    def test_a_notebook_that_was_changed_while_it_ran_stays(self, tmp_path, capsys):
        edit = (
            "import nbformat\nnb = nbformat.read('01_edit.ipynb', 4)\n"
            "nb.cells[0].source += '\\n# mine'\nnbformat.write(nb, '01_edit.ipynb')"
        )
        root = series(tmp_path, **{"01_edit": [edit, SETUP, DRAW]})
        assert reproduce(root, update=True) == 0
        assert said(capsys) == ["01_edit: left as it is, since it was changed while it ran"]
        now = nbformat.read(root / "notebooks/01_edit.ipynb", as_version=4)
        assert now.cells[0].source.endswith("# mine")
        assert now.cells[1].outputs == []
        assert not (root / "notebooks/figures").exists()

    def test_figures_of_a_notebook_that_is_gone_go(self, tmp_path, capsys):
        root = stored(tmp_path, capsys, **{"01_draw": [SETUP, DRAW]})
        (root / "notebooks/01_draw.ipynb").unlink()
        series(root, **{"02_cell": ["a = 1"]})
        reproduce(root, update=True)
        assert list((root / "notebooks/figures").iterdir()) == []

    def test_a_failed_notebook_keeps_what_it_had(self, tmp_path, capsys):
        root = stored(tmp_path, capsys, **{"01_draw": [SETUP, DRAW]})
        change(root, "01_draw", 1, "1 / 0")
        before = (root / "notebooks/01_draw.ipynb").read_bytes()
        assert reproduce(root, update=True) == 1
        assert said(capsys)[-1] == "01_draw: left as it is"
        assert (root / "notebooks/figures/01_draw-1.png").exists()
        assert (root / "notebooks/01_draw.ipynb").read_bytes() == before


class TestData:
    def test_other_data_go_to_a_folder_of_their_own_and_nothing_is_compared(self, tmp_path, capsys):
        root = series(tmp_path, **{"01_ask": [ASK, SETUP, DRAW]})
        (root / "mine.toml").touch()

        assert reproduce(root, data=root / "mine.toml") == 0

        printed = executed(root, "01_ask", "data/mine").cells[0].outputs[0].text.splitlines()
        assert printed[1] == str(root / "mine.toml")
        assert not (root / "build/figures").exists()
        assert not (root / "build/data/mine/report.html").exists()
        assert not (root / "notebooks/figures").exists()
        said = capsys.readouterr().out.splitlines()[0]
        assert "claims about the sample are skipped" in said
        assert "nothing is compared" in said

    def test_a_failed_notebook_counts(self, tmp_path):
        root = series(tmp_path, **{"01_bad": ["1 / 0"]})
        (root / "mine.toml").touch()
        assert reproduce(root, data=root / "mine.toml") == 1

    def test_a_name_of_our_own_folders_is_no_danger(self, tmp_path, capsys):
        root = stored(tmp_path, capsys, **{"01_ask": [ASK]})
        reproduce(root)
        before = (root / "build/figures/report.json").read_bytes()
        (root / "figures.toml").touch()
        reproduce(root, data=root / "figures.toml")
        assert (root / "build/figures/report.json").read_bytes() == before
        assert executed(root, "01_ask", "data/figures")

    def test_it_can_not_become_the_reference(self, tmp_path):
        root = series(tmp_path, **{"01_ask": [ASK]})
        (root / "mine.toml").touch()
        with pytest.raises(ValueError, match=r"`update` must go without other data, got .*mine\."):
            reproduce(root, update=True, data=root / "mine.toml")

    def test_a_description_that_is_not_there_is_refused_before_anything_runs(self, tmp_path):
        root = series(tmp_path, **{"01_draw": [SETUP, DRAW]})
        with pytest.raises(FileNotFoundError, match=r"`data` must .*none\.toml\.$"):
            reproduce(root, data=root / "none.toml")
        assert not (root / "build").exists()


class TestCommand:
    @pytest.fixture
    def root(self, tmp_path):
        copytree(ROOT / "toolkit", tmp_path / "toolkit")
        return tmp_path

    def command(self, root, *arguments):
        done = subprocess.run(
            [sys.executable, "-m", "toolkit.reproduce", *arguments],
            cwd=root, capture_output=True, text=True,
        )  # fmt: skip
        # Of kernels that go, libzmq and tornado may complain, whatever the kernels did.
        errors = [line for line in done.stderr.splitlines() if "toolkit" in line or "`" in line]
        return done.returncode, done.stdout.splitlines(), errors

    @pytest.mark.parametrize(("source", "status"), [("a = 1", 0), ("1 / 0", 1)])
    def test_it_ends_with_the_status_of_the_series(self, root, source, status):
        series(root, **{"01_cell": [source], "02_cell": [source]})
        assert self.command(root)[::2] == (status, [])

    def test_update_and_data_are_options(self, root):
        series(root, **{"01_ask": [ASK]})
        (root / "mine.toml").touch()
        assert self.command(root)[0] == 1
        assert self.command(root, "--update")[0] == 0
        assert self.command(root)[0] == 0
        status, lines, _ = self.command(root, "--data", "mine.toml")
        assert (status, lines[0][:14]) == (0, "Your own data:")
        printed = executed(root, "01_ask", "data/mine").cells[0].outputs[0].text.splitlines()
        assert printed[1] == str(root / "mine.toml")

    @pytest.mark.parametrize(
        ("named", "own"), [("mine.toml", True), ("sample", False), ("", False)]
    )
    def test_the_environment_may_name_the_data(self, root, monkeypatch, named, own):
        series(root, **{"01_cell": ["a = 1"]})
        (root / "mine.toml").touch()
        monkeypatch.setenv("VIEWING_DATA", named)
        status, lines, _ = self.command(root)
        assert (status, lines[0].startswith("Your own data")) == (0, own)

    def test_what_is_not_there_is_refused_in_a_sentence(self, root):
        series(root, **{"01_cell": ["a = 1"]})
        status, lines, [error] = self.command(root, "--data", "none.toml")
        assert (status, lines) == (1, [])
        assert re.fullmatch(
            r"`data` must lead to a description of a log, got .*none\.toml\.", error
        )

    @pytest.mark.skipif(sys.platform == "win32", reason="there is no interrupt to send")
    def test_an_interrupt_ends_it_and_its_kernels(self, root):
        wait = "import os, time\nfrom pathlib import Path\nPath(f'{os.getpid()}.pid').touch()\n"
        series(root, **{f"0{n}_wait": [wait + "time.sleep(60)"] for n in (1, 2, 3)})
        run = subprocess.Popen(
            [sys.executable, "-m", "toolkit.reproduce"],
            cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        until(lambda: len(list((root / "notebooks").glob("*.pid"))) == 2)
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=20)
        assert run.returncode
        pids = [int(path.stem) for path in (root / "notebooks").glob("*.pid")]
        assert len(pids) == 2
        until(lambda: not any(lives(pid) for pid in pids))


def lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def until(holds):
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


INVENTED = """viewer,title,started_at,watched_seconds
1,News,2024/03/01 20:00,600
1,News,2024/03/02 20:00,600
1,Heat,2024/03/02 21:00,7200
2,News,2024/03/02 23:50,1200
3,Heat,2024/03/01 10:00,
"""
DESCRIPTION = """path = {log!r}
clock_tz = "UTC"
duration = {duration!r}
tz = "UTC"
as_of = {as_of}
title = {title!r}
days = 2

[columns]
viewer = {viewer!r}
title = {column!r}
started_at = {started_at!r}
watched_seconds = {seconds!r}
"""


def run_series_on(tmp_path, **fields):
    """The committed series on a log that is not the sample, all the way."""
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    description = tmp_path / "mine.toml"
    description.write_text(DESCRIPTION.format(**fields), encoding="utf-8")
    assert reproduce(tmp_path, data=description) == 0
    done = sorted(path.name for path in (tmp_path / "build" / "data" / "mine").glob("*.ipynb"))
    assert done == sorted(path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))
    for path in (tmp_path / "build" / "data" / "mine").glob("*.ipynb"):
        text = path.read_text(encoding="utf-8")
        assert "claims are about the simulated sample: skipped" in text
        assert '"claims hold\\n"' not in text


def test_the_series_runs_to_the_end_on_an_invented_log(tmp_path, capsys):
    log = tmp_path / "log.csv"
    log.write_text(INVENTED, encoding="utf-8")
    names = {"viewer": "viewer", "column": "title", "started_at": "started_at"}
    run_series_on(
        tmp_path, log=str(log), duration="seconds", as_of="2024-03-02",
        title="News", seconds="watched_seconds", **names,
    )  # fmt: skip
    assert "nothing is compared" in capsys.readouterr().out


def test_the_series_runs_to_the_end_on_the_real_log(tmp_path, brighttv):
    names = {"viewer": "UserID", "column": "Channel2", "started_at": "RecordDate2"}
    run_series_on(
        tmp_path, log=str(brighttv), duration="H:MM:SS", as_of="2016-03-31",
        title="Trace TV", seconds="Duration2", **names,
    )  # fmt: skip
