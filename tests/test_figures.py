import io
import os
import re
import subprocess
import sys
from base64 import b64decode
from datetime import datetime

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import seaborn as sns
from matplotlib.figure import Figure
from nbclient import NotebookClient
from seaborn import _statistics, algorithms

from toolkit.figures import keep_figures, setup
from toolkit.references import digest_in, read_reference

VALUES = np.random.default_rng(7).normal(size=40)
PLAIN = algorithms.bootstrap
SAVE = Figure.savefig
INLINE = """
import matplotlib.pyplot as plt
from toolkit.figures import setup
setup()
%config InlineBackend.figure_formats = ["png"]
plt.plot([0, 1], label="open")
plt.show()
"""


@pytest.fixture(autouse=True)
def session_as_it_was():
    state = np.random.get_state()  # noqa: NPY002
    with mpl.rc_context():
        yield
    plt.close("all")
    algorithms.bootstrap = _statistics.bootstrap = PLAIN
    Figure.savefig = SAVE
    vars(Figure).get("_repr_pretty_") and delattr(Figure, "_repr_pretty_")
    np.random.set_state(state)  # noqa: NPY002


def drawn_interval():
    ax = sns.barplot(x=["a"] * VALUES.size, y=VALUES)
    return ax.lines[0].get_ydata().tolist()


def drawn_band():
    _, ax = plt.subplots()
    sns.regplot(x=np.arange(VALUES.size), y=VALUES, ax=ax)
    return ax.collections[1].get_paths()[0].vertices.tolist()


def drawn_jitter():
    _, ax = plt.subplots()
    sns.stripplot(x=["a"] * VALUES.size, y=VALUES, ax=ax)
    return ax.collections[0].get_offsets()[:, 0].tolist()


def saved(kind, **options):
    fig, ax = plt.subplots()
    ax.plot(VALUES)
    file = io.BytesIO()
    fig.savefig(file, format=kind, **options)
    return file.getvalue()


def svg():
    return saved("svg")


def pdf():
    return saved("pdf")


def png():
    return saved("png")


class TestSetup:
    def test_text_is_set_in_the_font_that_matplotlib_brings(self):
        setup()
        assert mpl.rcParams["font.family"] == ["DejaVu Sans"]
        assert mpl.get_data_path() in mpl.font_manager.findfont("DejaVu Sans")

    def test_figures_are_small_white_and_of_one_size(self):
        setup()
        fig, ax = plt.subplots()
        assert fig.get_size_inches().tolist() == [7.0, 4.0]
        assert fig.dpi == 110
        assert ax.get_facecolor() == fig.get_facecolor() == (1.0, 1.0, 1.0, 1.0)

    def test_colours_are_those_that_colour_blind_readers_can_tell_apart(self):
        setup()
        assert sns.color_palette() == sns.color_palette("colorblind")

    @pytest.mark.parametrize("draw", [drawn_interval, drawn_band, drawn_jitter, svg, pdf, png])
    def test_two_sessions_draw_the_same(self, draw):
        setup()
        first = draw()
        plt.close("all")
        setup()
        assert draw() == first

    @pytest.mark.parametrize("draw", [drawn_interval, drawn_band, drawn_jitter])
    def test_another_seed_draws_something_else(self, draw):
        setup()
        first = draw()
        plt.close("all")
        setup(seed=1)
        assert draw() != first

    @pytest.mark.parametrize("module", [algorithms, _statistics])
    def test_a_seed_given_to_a_bootstrap_wins(self, module):
        expected = PLAIN(VALUES, n_boot=5, seed=3)
        setup()
        assert module.bootstrap(VALUES, n_boot=5, seed=3).tolist() == expected.tolist()

    def test_the_last_of_several_calls_counts_and_wraps_only_once(self):
        setup()
        setup(seed=1)
        expected = PLAIN(VALUES, n_boot=5, seed=1)
        assert algorithms.bootstrap(VALUES, n_boot=5).tolist() == expected.tolist()
        assert algorithms.bootstrap.__wrapped__ is PLAIN

    @pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
    def test_files_carry_no_version_and_no_date(self, kind):
        assert re.search(rb"Matplotlib v|Date", saved(kind))
        setup()
        setup()
        file = saved(kind)
        assert not re.search(rb"Matplotlib v|Software|[Cc]reator|[Pp]roducer|Date|dc:date", file)
        assert str(datetime.now().year).encode() not in re.findall(rb"20\d\d", file)

    def test_the_kind_of_a_file_is_told_by_its_name_too(self, tmp_path):
        setup()
        for name in ("figure.svg", "FIGURE.SVG"):
            plt.figure().savefig(tmp_path / name)
            assert b"Matplotlib v" not in (tmp_path / name).read_bytes()
        plt.figure().savefig(str(tmp_path / "plain"))
        assert b"Matplotlib v" not in (tmp_path / "plain.png").read_bytes()

    def test_what_the_caller_says_of_a_file_is_kept(self):
        setup()
        assert b"A title" in saved("png", metadata={"Title": "A title"})
        assert b"2017" in saved("svg", metadata={"Date": "2017-12-10"})

    def test_kinds_without_such_lines_are_saved_as_ever(self):
        setup()
        assert saved("eps").startswith(b"%!PS")


@pytest.fixture(scope="module")
def shown():
    """What a notebook stores of a figure, and the data that it leaves where that was asked."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(INLINE)])
    NotebookClient(notebook, kernel_name="python3").execute(env=os.environ | {"MPLBACKEND": ""})
    [output] = notebook.cells[0].outputs
    return output.data


class TestNotebook:
    def test_a_figure_carries_no_version(self, shown):
        image = b64decode(shown["image/png"])
        assert image.startswith(b"\x89PNG")
        assert b"Software" not in image
        assert b"atplotlib" not in image

    def test_behind_its_picture_it_prints_what_it_shows(self, shown):
        first, line = shown["text/plain"].splitlines()
        assert re.fullmatch(r"Figure with 1 axes, digest [0-9a-f]{16}", first)
        assert line == (
            "axes 0, line 0 (open): x 2 from 0 to 1, mean 0.5; y 2 from 0 to 1, mean 0.5"
        )


class TestKeepFigures:
    def pretty(self, figure):
        from IPython.lib.pretty import pretty

        return pretty(figure)

    def test_each_figure_that_is_printed_leaves_its_data_under_its_digest(self, tmp_path):
        setup()
        keep_figures(tmp_path)
        fig, ax = plt.subplots()
        ax.plot([0, 1.5])
        text = self.pretty(fig)
        keep_figures(None)
        ax.plot([0, 2.5])
        self.pretty(fig)

        [file] = tmp_path.iterdir()
        assert file.name == f"{digest_in(text)}.json"
        table, uncovered = read_reference(file.read_text(encoding="utf-8"))
        assert table.query("field == 'y'")["value"].tolist() == [0, 1.5]
        assert uncovered == []

    def test_what_can_not_be_read_is_printed(self):
        setup()
        fig, ax = plt.subplots()
        ax.quiver([0], [0], [1], [1])
        assert "not covered: Quiver" in self.pretty(fig).splitlines()


def test_importing_the_module_changes_and_loads_nothing():
    code = "import sys, toolkit.figures; print(sorted({'matplotlib', 'seaborn'} & {*sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout == "[]\n"
