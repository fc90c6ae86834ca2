import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

import toolkit as tk
from toolkit.privacy.ledger import Ledger
from toolkit.privacy.release import Release
from toolkit.privacy.study import open_study

from .logs import log

pytestmark = pytest.mark.usefixtures("keys")


@pytest.fixture
def study(tmp_path):
    study = open_study("rewatch", purpose="comfort titles", folder=tmp_path / "study")
    halves = log(range(40)), log(range(25), titles=["Fog"], start="2024-04-01 20:00Z")
    others = log(range(50, 70), titles=["Sky"]), log([99], titles=["Rare"])
    study.load(pd.concat([*halves, *others]))
    return study


@pytest.fixture
def released(study):
    return study.release(study.plays(), by="title", why="Figure 2")


@pytest.fixture
def made(tmp_path):
    """Make a release of any table."""

    def made(table, withheld=None, **more):
        ledger = Ledger(tmp_path / "ledger.jsonl")
        return Release(
            pd.DataFrame(table), withheld or {}, study="demo", number=3, ledger=ledger, **more
        )

    return made


def pictures(ledger):
    return [entry["details"] for entry in ledger.entries() if entry["what"] == "drew"]


class TestTable:
    def test_it_has_the_cells_and_says_how_many_are_withheld(self, released):
        assert released.table.to_dict("list") == {
            "title": ["Fog", "Heat", "Sky", "Up"], "people": [25, 40, 20, 40],
        }  # fmt: skip
        assert released.withheld.to_dict("list") == {"reason": ["too few people"], "n_cells": [1]}
        assert "Rare" not in repr(released) + released._repr_html_()

    def test_a_change_to_it_changes_no_picture_and_no_text(self, released):
        text, chart = repr(released), released.chart()
        table = released.table
        table["title"] = "donor"
        table.loc[0, "people"] = 18
        assert "donor" not in released.table["title"].tolist()
        assert repr(released) == text
        assert released.chart().png == chart.png
        assert released.table["people"].tolist() == [25, 40, 20, 40]

    def test_what_it_shows_does_not_hang_on_options(self, released, study):
        known = set(study.ledger.entries()[-1]["details"]["outputs"])
        with pd.option_context("display.max_colwidth", 5, "display.colheader_justify", "left"):
            assert set(released.outputs()) == known

    def test_a_long_table_is_shown_in_part(self, made):
        release = made({"title": [f"title {n}" for n in range(70)], "people": 10})
        for shown in (repr(release), release._repr_html_()):
            assert "title 59" in shown
            assert "title 60" not in shown
            assert "10 more rows are in its table." in shown

    def test_its_caption_tells_what_is_withheld_and_how_far_off_it_is(self, made):
        withheld = {"too few people": 1200, "made by one or two people": 34}
        release = made({"people": [55]}, withheld, error=12.4)
        assert repr(release).endswith(
            "Release 3 of demo. Cells withheld: 1,234. "
            "Numbers are off by up to 12, with 95 % probability."
        )
        assert "too few" not in repr(release) + release._repr_html_()
        assert release.withheld["n_cells"].tolist() == [1200, 34]

    def test_titles_are_no_markup(self, made):
        release = made({"title": ["<script>alert(1)</script>"], "people": [10]})
        assert "<script>" not in release._repr_html_()

    def test_it_survives_a_pickle(self, released):
        again = pickle.loads(pickle.dumps(released))
        assert repr(again) == repr(released)
        assert again.outputs() == released.outputs()
        pd.testing.assert_frame_equal(again.table, released.table)


class TestCsv:
    def test_numbers_and_text_come_back(self, released, tmp_path):
        released.to_csv(tmp_path / "table.csv")
        pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "table.csv"), released.table)

    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
    def test_no_text_is_a_formula(self, start, made, tmp_path):
        table = {
            f"{start}A1": [f"{start}HYPERLINK(1)", None, "a=b", "Heat\r=1"],
            "n_days": [-1, 2, 3, 4],
            "people": [10, 15, 20, 25],
        }
        made(pd.DataFrame(table).astype({f"{start}A1": "str"})).to_csv(tmp_path / "table.csv")
        found = pd.read_csv(
            tmp_path / "table.csv", dtype="str", keep_default_na=False, lineterminator="\n"
        )
        assert [*found] == [f"'{start}A1", "n_days", "people"]
        assert found.iloc[:, 0].tolist() == [f"'{start}HYPERLINK(1)", "", "a=b", "Heat\r=1"]
        assert found["n_days"].tolist() == ["-1", "2", "3", "4"]


class TestChart:
    def test_a_picture_is_written_down_once(self, released, study):
        first, second = released.chart(), released.chart()
        assert first.png == second.png
        assert first.png.startswith(b"\x89PNG")
        assert pictures(study.ledger) == [{"release": 1, "outputs": first.digests}]

    def test_another_picture_is_written_down_too(self, released, study):
        def plot(table, *, ax):
            ax.bar(table["title"], table["people"])

        shown = [released.chart(), released.chart(plot), released.chart(plot)]
        assert shown[1].png == shown[2].png != shown[0].png
        said = [each["outputs"] for each in pictures(study.ledger)]
        assert said == [shown[0].digests, shown[1].digests]

    def test_the_table_that_is_drawn_is_a_copy(self, released):
        released.chart(lambda table, ax: table.__setitem__("people", 1))
        assert released.table["people"].tolist() == [25, 40, 20, 40]

    @pytest.mark.parametrize(
        ("table", "bars"),
        [
            ({"people": [55]}, [55]),
            ({"title": ["Heat", "Up"], "people": [55, 20]}, [55, 20]),
            ({"title": ["Heat", None], "people": [55, 20]}, [55, 20]),
            ({"day": pd.to_datetime(["2024-03-01", "2024-03-02"]), "people": [10, 20]}, [10, 20]),
            ({"is_kids": pd.array([True, None], "boolean"), "people": [10, 20]}, [10, 20]),
            ({"title": ["Heat", "Heat"], "tz": ["a", "b"], "people": [10, 20]}, [10, 20]),
            ({"title": ["Heat"], "people": [10], "mean_n_days": [2.5]}, [2.5]),
            (
                {"n_days": pd.array([None, 3, 4, 9], "Int64"),
                 "n_days_last": pd.array([2, 3, 8, None], "Int64"), "people": [10, 20, 30, 40]},
                [10, 20, 30, 40],
            ),
        ],
    )  # fmt: skip
    def test_the_bars_are_the_numbers(self, table, bars, made):
        from toolkit.privacy.release import _drawn

        drawn = {}

        def plot(table, *, ax):
            _drawn(table, ax=ax)
            drawn["bars"] = [p.get_width() for p in ax.patches if p.get_width() > 0]
            drawn["texts"] = [text.get_text() for text in ax.get_yticklabels()]

        made(table).chart(plot)
        assert sorted(drawn["bars"])[: len(bars)] == sorted(bars)
        if "n_days" in table:
            assert drawn["texts"] == ["up to 2", "3", "4–8", "9+"]

    def test_a_table_of_no_cell_can_be_drawn(self, made):
        table = {"title": pd.Series([], dtype="str"), "people": np.zeros(0, dtype="int64")}
        assert made(table).chart().png.startswith(b"\x89PNG")


CELLS = [
    "import toolkit as tk\nfrom toolkit.privacy.study import open_study\n"
    "study = open_study('rewatch', purpose='the paper', folder=FOLDER)",
    "study",
    "plays = study.plays()\nplays",
    "print(plays.head().to_string())",
    "plays.head(3)",
    "released = study.release(plays, by='title', why='Figure 2')\nreleased",
    "released.chart()",
    "raise ValueError(plays['viewer'].iloc[0])",
    "released.table",
]
RUN = """
import sys
import nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, kernel_name="python3", allow_errors=True, timeout=120).execute()
nbformat.write(notebook, sys.argv[1])
"""


def test_a_notebook_that_was_run_is_published_with_the_releases_alone(study, tmp_path):
    path = tmp_path / "analysis" / "paper.ipynb"
    path.parent.mkdir()
    cells = [cell.replace("FOLDER", repr(str(tmp_path / "study"))) for cell in CELLS]
    notebook = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, cells)])
    nbformat.write(notebook, path)
    folders = ("HOME", "IPYTHONDIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    environment = os.environ | {name: str(tmp_path / name) for name in folders}
    environment |= {"PYTHONPATH": str(Path(tk.__file__).parents[1])}
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN, path], env=environment, check=True, timeout=120
    )
    saved = json.loads(path.read_text())["cells"]
    # As Jupyter saves them: texts in lines, and a picture that ends with one more.
    (shown,) = saved[5]["outputs"]
    assert isinstance(shown["data"]["text/html"], list)
    assert "v_" in "".join(saved[3]["outputs"][0]["text"])
    assert saved[7]["outputs"][0]["output_type"] == "error"
    report = study.publish(path, to=tmp_path / "public", allow=["Heat"])
    copy = json.loads((tmp_path / "public" / "paper.ipynb").read_text())["cells"]
    kept = {
        n: sorted(out["data"]) for n, cell in enumerate(copy) for out in cell.get("outputs", [])
    }
    assert kept == {5: ["text/html", "text/plain"], 6: ["image/png", "text/plain"]}
    for n in kept:
        for mime, data in copy[n]["outputs"][0]["data"].items():
            assert "".join(data).strip() == "".join(saved[n]["outputs"][0]["data"][mime]).strip()
    assert (report["outcome"] == "kept").sum() == 4
    note = "".join(copy[-1]["source"])
    entries = study.ledger.entries()
    assert entries[-1]["what"] == "published"
    assert entries[-1]["details"]["notebook"] == "paper.ipynb"
    assert entries[-1]["details"]["n_allowed"] == 1
    assert f"--head {entries[-1]['previous']}" in note
    study.ledger.verify(entries[-1]["previous"])
