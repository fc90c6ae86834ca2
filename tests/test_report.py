import io
import json
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import nbformat
import numpy as np
import pytest

from toolkit.drawn import as_table
from toolkit.references import Drawn, as_reference
from toolkit.report import Finding, Shown, write_report
from toolkit.runs import Run
from toolkit.verdicts import judge


def drawn(values=(1.5, 2.5), *, shade=1.0, uncovered=()):
    file = io.BytesIO()
    matplotlib.image.imsave(file, np.full((4, 6, 3), shade), format="png")
    table = as_table([(0, "line 0", "<b>open</b>", "y", list(values))])
    return Drawn(file.getvalue(), as_reference(table, list(uncovered)))


def shown(old, new, name="06_streaks-1"):
    return Shown(name, judge(old, new), old, new)


def finding(*figures, cells=None, failure=None, versions=None):
    cells_run = [nbformat.v4.new_code_cell("1", execution_count=n) for n in (1, 2, None)]
    notebook = nbformat.v4.new_notebook(cells=cells_run if failure else cells_run[:2])
    run = Run(Path("06_streaks.ipynb"), notebook, notebook, 5.25, failure, [], versions or {})
    return Finding(run, list(figures), cells or {})


def written(tmp_path, *findings):
    """The verdict, the page and the JSON."""
    verdict, page = write_report(list(findings), tmp_path, tmp_path)
    made = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert page == tmp_path / "report.html"
    return verdict, page.read_text(encoding="utf-8"), made


class TestVerdict:
    def test_all_to_the_last_pixel(self, tmp_path):
        same = shown(drawn(), drawn())
        verdict, page, made = written(tmp_path, finding(same, same), finding(same))
        assert verdict == made["verdict"]
        assert verdict == (
            "Reproduced: 3 figures show the same 6 numbers and words, all of them to the last pixel,"
            " and 4 cells print the same."
        )
        assert verdict in page
        assert page.count('class="bad"') == 0

    def test_some_or_none_of_them(self, tmp_path):
        same, other = shown(drawn(), drawn()), shown(drawn(), drawn(shade=0.5))
        assert ", 1 of them to the last pixel," in written(tmp_path, finding(same, other))[0]
        assert ", none of them to the last pixel," in written(tmp_path, finding(other))[0]

    def test_what_is_not_covered_is_not_counted_as_the_same(self, tmp_path):
        some, same = shown(drawn(), drawn(uncovered=["Quiver"])), shown(drawn(), drawn())
        verdict, page, _ = written(tmp_path, finding(some, same))
        assert verdict.startswith(
            "Reproduced, as far as it can be compared: 1 figures show the same 2 numbers and words,"
            " all of them to the last pixel,"
        )
        assert '<p class="verdict"><span class="open">' in page
        assert '<td><span class="open">not covered</span></td>' in page
        assert verdict.endswith(" Figures in which not all can be compared: 1.")
        assert '<span class="open">not covered: Quiver' in page

    @pytest.mark.parametrize(
        ("what", "count"),
        [
            (finding(failure="cell 2 failed: Error"), "Failed notebooks: 1"),
            (finding(shown(drawn(), drawn([1.5, 9.5]))), "Figures that differ: 1"),
            (finding(shown(drawn(), None)), "Missing figures: 1"),
            (finding(shown(None, drawn())), "Figures without a reference: 1"),
            (finding(cells={2: [("53", "54")]}), "Cells that print something else: 1"),
        ],
    )
    def test_each_kind_of_difference_is_against_it(self, tmp_path, what, count):
        assert what.n_bad == 1
        verdict, page, _ = written(tmp_path, what)
        assert verdict.startswith("Not reproduced, of ")
        assert verdict.endswith(f" cells. {count}.")
        assert "1 against" in page
        assert f'<span class="bad">\n{verdict}' in page

    def test_counts_add_up_over_notebooks(self, tmp_path):
        bad = finding(shown(drawn(), None), cells={2: [("53", "54")]}, failure="cell 3 failed: E")
        assert bad.n_bad == 3
        verdict, _, _ = written(tmp_path, bad, finding(), bad)
        assert verdict == (
            "Not reproduced, of 2 figures and 6 cells. Failed notebooks: 2; missing figures: 2;"
            " cells that print something else: 2."
        )


class TestPage:
    def test_it_holds_its_pictures_and_asks_nothing_of_the_network(self, tmp_path):
        _, page, _ = written(tmp_path, finding(shown(drawn(), drawn(shade=0.5))))
        sources = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')>\s]+)""", page)
        assert len(sources) == 4
        assert {re.match("data:image/png;base64,|#", source) is None for source in sources} == {
            False
        }
        assert "<script" not in page
        assert "@import" not in page

    def test_a_figure_drawn_differently_stands_beside_its_reference_and_the_difference(
        self, tmp_path
    ):
        _, page, _ = written(tmp_path, finding(shown(drawn(), drawn(shade=0.5))))
        captions = re.findall("<figcaption>(.*?)</figcaption>", page)
        assert captions == ["reference", "now", "changed pixels"]

    @pytest.mark.parametrize("pair", [(drawn(), drawn()), (drawn(), None), (None, drawn())])
    def test_of_others_one_picture_is_enough(self, tmp_path, pair):
        _, page, _ = written(tmp_path, finding(shown(*pair)))
        assert page.count("<img ") == 1

    def test_the_first_dozen_values_that_moved_are_listed_and_the_rest_is_counted(self, tmp_path):
        old, new = (drawn(np.arange(15) + shift) for shift in (0.25, 0.5))
        _, page, made = written(tmp_path, finding(shown(old, new)))
        [figure] = made["notebooks"][0]["figures"]
        assert (figure["n_moved"], len(figure["moved"])) == (15, 12)
        assert figure["moved"][3] == {
            "axes": "0", "artist": "line 0", "field": "y", "index": "3", "old": "3.25", "new": "3.5"
        }  # fmt: skip
        assert "<td>3.25</td><td>3.5</td>" in page
        assert "<p>and 3 more</p>" in page

    def test_so_are_the_first_dozen_lines(self, tmp_path):
        lines = [(f"old {n}", f"new {n}") for n in range(14)]
        _, page, made = written(tmp_path, finding(cells={2: lines}))
        assert "<pre>old 11</pre>" in page
        assert "<pre>old 12</pre>" not in page
        assert "<p>and 2 more</p>" in page
        assert len(made["notebooks"][0]["cells"][0]["moved"]) == 14

    def test_cells_that_did_not_run_are_not_said_to_print_the_same(self, tmp_path):
        failed = finding(failure="cell 3 failed: E", cells={2: [("53", "54")]})
        assert "<p>Cells that print the same: 1.</p>" in written(tmp_path, failed)[1]

    def test_a_dozen_is_listed_whole(self, tmp_path):
        old, new = (drawn(np.arange(12) + shift) for shift in (0.25, 0.5))
        assert " more</p>" not in written(tmp_path, finding(shown(old, new)))[1]

    def test_values_that_came_or_went_have_an_empty_place(self, tmp_path):
        _, _, made = written(tmp_path, finding(shown(drawn([1.5]), drawn([1.5, 2.5]))))
        [came] = made["notebooks"][0]["figures"][0]["moved"]
        assert (came["old"], came["new"]) == ("", "2.5")

    def test_what_cells_printed_is_text_and_never_markup(self, tmp_path):
        cells = {2: [("<script>a</script>", "x & y")]}
        failed = finding(cells=cells, failure="cell 3 failed: <Error>")
        _, page, made = written(tmp_path, failed)
        assert "<script>" not in page
        assert "<pre>&lt;script&gt;a&lt;/script&gt;</pre></td><td><pre>x &amp; y</pre>" in page
        assert "cell 3 failed: &lt;Error&gt;" in page
        assert made["notebooks"][0]["cells"] == [
            {"cell": 2, "moved": [{"old": "<script>a</script>", "new": "x & y"}]}
        ]

    def test_every_notebook_of_the_table_leads_to_its_section(self, tmp_path):
        _, page, _ = written(tmp_path, finding())
        assert '<a href="#06_streaks">' in page
        assert '<h2 id="06_streaks">' in page
        assert "<td>5.2</td><td>2</td><td>0</td>" in page


class TestEnvironment:
    def lock(self, tmp_path, text):
        (tmp_path / "requirements.txt").write_text(text, encoding="utf-8")

    def test_packages_of_the_lock_are_said_to_be(self, tmp_path):
        self.lock(tmp_path, "numpy==2.4.6 \\\n    --hash=sha256:0\npandas==3.1.1 \\\n")
        versions = {"python": "3.11.7", "numpy": "2.4.6", "pandas": "3.1.1"}
        _, page, made = written(tmp_path, finding(versions=versions))
        assert "<p>Run with the packages of the lock.</p>" in page
        assert made["environment"]["locked"] == {"numpy": "2.4.6", "pandas": "3.1.1"}

    def test_any_other_is_named_with_both_versions(self, tmp_path):
        self.lock(tmp_path, "numpy==2.4.6\nmatplotlib==3.11.2\n")
        versions = {"numpy": "2.4.6", "matplotlib": "3.10.9"}
        _, page, _ = written(tmp_path, finding(versions=versions))
        assert (
            "<p>Run with other packages than those of the lock: matplotlib 3.10.9 for 3.11.2.</p>"
            in page
        )
        assert "<td>matplotlib</td><td>3.10.9</td><td>3.11.2</td>" in page

    def test_what_is_not_known_is_not_said(self, tmp_path):
        assert "is not known.</p>" in written(tmp_path, finding(versions={"numpy": "2.4.6"}))[1]
        self.lock(tmp_path, "numpy==2.4.6\n")
        assert "is not known.</p>" in written(tmp_path, finding())[1]
        known = finding(), finding(versions={"numpy": "2.4.6"})
        assert "Run with the packages of the lock." in written(tmp_path, *known)[1]

    def test_folders_of_whoever_ran_it_are_not_told(self, tmp_path):
        home, own = Path.home() / "log.csv", Path.cwd() / "data"
        cells = {1: [("", f"{sys.prefix}/lib/x.py:1: Warning")]}
        _, page, made = written(tmp_path, finding(failure=f"no {home} in {own}", cells=cells))
        for text in (page, json.dumps(made)):
            assert not re.search("|".join(map(re.escape, [str(home), str(own), sys.prefix])), text)
        assert made["notebooks"][0]["failure"] == "no ~/log.csv in ./data"

    def test_a_folder_that_is_no_checkout_has_no_commit(self, tmp_path):
        assert written(tmp_path, finding())[2]["commit"] == "unknown"

    def test_a_checkout_says_which_commit_and_whether_files_changed(self, tmp_path):
        git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
        (tmp_path / "requirements.txt").write_text("", encoding="utf-8")
        for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "First"]):
            subprocess.run([*git, *arguments], check=True)
        asked = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
        commit = asked.stdout[:12]
        _, page, made = written(tmp_path, finding())
        assert made["commit"] == commit
        assert f"commit {commit}" in page
        (tmp_path / "requirements.txt").write_text("changed", encoding="utf-8")
        assert written(tmp_path, finding())[2]["commit"] == f"{commit}-dirty"
