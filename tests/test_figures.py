import io
import os
import subprocess
import sys
from base64 import b64decode

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import seaborn as sns
from nbclient import NotebookClient
from seaborn import _statistics, algorithms

from toolkit.figures import setup

VALUES = np.random.default_rng(7).normal(size=40)
PLAIN = algorithms.bootstrap
INLINE = """
import matplotlib.pyplot as plt
from toolkit.figures import setup
setup()
plt.plot([0, 1])
plt.show()
"""


@pytest.fixture(autouse=True)
def session_as_it_was():
    state = np.random.get_state()  # noqa: NPY002
    with mpl.rc_context():
        yield
    plt.close("all")
    algorithms.bootstrap = _statistics.bootstrap = PLAIN
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


def svg():
    fig, ax = plt.subplots()
    ax.plot(VALUES)
    file = io.BytesIO()
    fig.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


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

    @pytest.mark.parametrize("draw", [drawn_interval, drawn_band, drawn_jitter, svg])
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

    def test_a_figure_in_a_notebook_carries_no_version(self):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(INLINE)])
        client = NotebookClient(notebook, kernel_name="python3")
        client.execute(env=os.environ | {"MPLBACKEND": ""})
        image = b64decode(notebook.cells[0].outputs[0].data["image/png"])
        assert image.startswith(b"\x89PNG")
        assert b"Software" not in image
        assert b"atplotlib" not in image

    def test_importing_the_module_changes_and_loads_nothing(self):
        code = (
            "import sys, toolkit.figures; print(sorted({'matplotlib', 'seaborn'} & {*sys.modules}))"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert run.stdout == "[]\n"
