import re
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import nbformat
import pytest

from toolkit.reproduce import reproduce

ROOT = Path(__file__).parents[1]

DRAW = "import matplotlib.pyplot as plt\nplt.plot([0, 1])\nplt.show()"
ASK = "import os\nprint(os.getcwd(), os.environ.get('VIEWING_DATA'), sep='\\n')"


def series(root, **notebooks):
    """A folder with one notebook per argument, each given as its cells."""
    Path(root, "notebooks").mkdir()
    for name, sources in notebooks.items():
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), root / "notebooks" / f"{name}.ipynb")
    return root


def executed(root, name, folder="figures"):
    return nbformat.read(root / "build" / folder / f"{name}.ipynb", as_version=4)


@pytest.fixture(autouse=True)
def no_other_data(monkeypatch):
    monkeypatch.delenv("VIEWING_DATA", raising=False)


class TestReproduce:
    def test_every_figure_and_the_executed_copy_are_kept(self, tmp_path, capsys):
        root = series(tmp_path, n00_skipped=["1 / 0"], **{"01_draw": [DRAW, "1 + 1", DRAW]})

        assert reproduce(root) == 0

        kept = sorted(path.name for path in (root / "build/figures").iterdir())
        assert kept == ["01_draw-1.png", "01_draw-2.png", "01_draw.ipynb"]
        assert (root / "build/figures/01_draw-2.png").read_bytes().startswith(b"\x89PNG")
        copy = executed(root, "01_draw")
        assert [cell.execution_count for cell in copy.cells] == [1, 2, 3]
        assert copy.cells[1].outputs[0].data["text/plain"] == "2"
        line = capsys.readouterr().out
        assert line.startswith("01_draw: ")
        assert line.endswith(" s, 3 cells, 2 figures\n")

    def test_a_failed_cell_is_named_and_the_other_notebooks_go_on(self, tmp_path, capsys):
        root = series(
            tmp_path,
            **{
                "01_bad": ["1", "raise ValueError('first line\\nlast line')", "late = 1"],
                "02_good": ["1"],
            },
        )
        path = root / "notebooks/01_bad.ipynb"
        stored = nbformat.read(path, as_version=4)
        stored.cells[2].update(outputs=[nbformat.v4.new_output("stream", text="an old result")])
        nbformat.write(stored, path)

        assert reproduce(root) == 1

        bad, good = capsys.readouterr().out.splitlines()
        assert bad == "01_bad: cell 2 failed: last line"
        assert good.startswith("02_good: ")
        assert good.endswith(" s, 1 cells, 0 figures")
        assert executed(root, "01_bad").cells[2].outputs == []

    @pytest.mark.parametrize(
        ("source", "reason"),
        [("import os; os._exit(1)", "Kernel died"), ("import time; time.sleep(60)", "timed out")],
    )
    def test_a_cell_that_never_answers_is_named_too(
        self, tmp_path, monkeypatch, capsys, source, reason
    ):
        monkeypatch.setattr("toolkit.reproduce._CELL_TIMEOUT_SECONDS", 2)
        root = series(tmp_path, **{"01_lost": ["1", source]})
        assert reproduce(root) == 1
        assert re.match(f"01_lost: cell 2 failed: .*{reason}", capsys.readouterr().out)

    def test_figures_of_an_earlier_run_do_not_stay(self, tmp_path):
        root = series(tmp_path, **{"01_draw": [DRAW]})
        stale = root / "build/figures/01_draw-2.png"
        stale.parent.mkdir(parents=True)
        stale.touch()

        reproduce(root)

        assert [path.name for path in stale.parent.glob("*.png")] == ["01_draw-1.png"]

    def test_kernels_start_in_the_folder_of_the_notebook_and_without_a_word(self, tmp_path, capfd):
        root = series(tmp_path, **{"01_ask": [ASK]})

        reproduce(root)

        printed = executed(root, "01_ask").cells[0].outputs[0].text.splitlines()
        assert printed == [str(root / "notebooks"), "None"]
        assert capfd.readouterr().err == ""

    def test_nothing_of_the_callers_machine_or_clock_gets_in(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PYTHONTZPATH", str(tmp_path))
        root = series(tmp_path, **{"01_zones": ["import zoneinfo; zoneinfo.TZPATH"]})

        reproduce(root)

        [cell] = executed(root, "01_zones").cells
        assert cell.outputs[0].data["text/plain"] == "()"
        assert cell.metadata == {}

    def test_the_sample_by_its_name_is_no_other_data(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setenv("VIEWING_DATA", "sample")
        reproduce(series(tmp_path, **{"01_ask": ["1"]}))
        assert (tmp_path / "build/figures/01_ask.ipynb").exists()
        assert "claims" not in capsys.readouterr().out

    def test_other_data_are_written_elsewhere_and_found_from_the_folder_of_the_caller(
        self, tmp_path, monkeypatch, capsys
    ):
        root = series(tmp_path, **{"01_ask": [ASK]})
        (root / "mine.toml").touch()
        monkeypatch.chdir(root)
        monkeypatch.setenv("VIEWING_DATA", "mine.toml")

        assert reproduce(root) == 0

        printed = executed(root, "01_ask", "mine").cells[0].outputs[0].text.splitlines()
        assert printed[1] == str(root / "mine.toml")
        assert not (root / "build/figures").exists()
        said = capsys.readouterr().out.splitlines()[0]
        assert "claims about the sample are skipped" in said
        assert "nothing is compared" in said

    def test_a_description_that_is_not_there_is_refused_before_anything_runs(
        self, tmp_path, monkeypatch
    ):
        root = series(tmp_path, **{"01_draw": [DRAW]})
        monkeypatch.setenv("VIEWING_DATA", str(root / "none.toml"))
        with pytest.raises(FileNotFoundError, match=r"`VIEWING_DATA` must .*none\.toml\.$"):
            reproduce(root)
        assert not (root / "build").exists()

    def test_a_folder_without_numbered_notebooks_is_refused(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="`root` must hold numbered notebooks"):
            reproduce(series(tmp_path, draft=["1"]))


@pytest.mark.parametrize(("source", "status"), [("1", 0), ("1 / 0", 1)])
def test_the_command_ends_with_the_status_of_the_series(tmp_path, source, status):
    root = series(tmp_path, **{"01_cell": [source], "02_cell": [source]})
    copytree(Path(__file__).parents[1] / "toolkit", root / "toolkit")
    command = [sys.executable, "-m", "toolkit.reproduce"]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert run.returncode == status
    # A kernel that goes may make libzmq complain, whatever the kernel did.
    assert [line for line in run.stderr.splitlines() if "signaler.cpp" not in line] == []
    assert len(run.stdout.splitlines()) == 2


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


def run_series_on(tmp_path, monkeypatch, **fields):
    """The committed series on a log that is not the sample, all the way."""
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    description = tmp_path / "mine.toml"
    description.write_text(DESCRIPTION.format(**fields), encoding="utf-8")
    monkeypatch.setenv("VIEWING_DATA", str(description))
    assert reproduce(tmp_path) == 0
    done = sorted(path.name for path in (tmp_path / "build" / "mine").glob("*.ipynb"))
    assert done == sorted(path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))
    for path in (tmp_path / "build" / "mine").glob("*.ipynb"):
        text = path.read_text(encoding="utf-8")
        assert "claims are about the simulated sample: skipped" in text
        assert '"claims hold\\n"' not in text


def test_the_series_runs_to_the_end_on_an_invented_log(tmp_path, monkeypatch, capsys):
    log = tmp_path / "log.csv"
    log.write_text(INVENTED, encoding="utf-8")
    names = {"viewer": "viewer", "column": "title", "started_at": "started_at"}
    run_series_on(
        tmp_path, monkeypatch, log=str(log), duration="seconds", as_of="2024-03-02",
        title="News", seconds="watched_seconds", **names,
    )  # fmt: skip
    assert "nothing is compared" in capsys.readouterr().out


def test_the_series_runs_to_the_end_on_the_real_log(tmp_path, monkeypatch, brighttv):
    names = {"viewer": "UserID", "column": "Channel2", "started_at": "RecordDate2"}
    run_series_on(
        tmp_path, monkeypatch, log=str(brighttv), duration="H:MM:SS", as_of="2016-03-31",
        title="Trace TV", seconds="Duration2", **names,
    )  # fmt: skip
