"""The whole series run anew: under other settings, another matplotlib, and with wrong data."""

import functools
import importlib
import json
import os
import pickle
import re
import subprocess
import sys
import warnings
from io import BytesIO
from pathlib import Path
from shutil import copytree

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import seaborn as sns
from matplotlib.axes import Axes

from toolkit.drawn import figure_data, uncovered_artists
from toolkit.figures import setup
from toolkit.references import digest
from toolkit.verdicts import moved_values

ROOT = Path(__file__).parents[1]
OTHER_MATPLOTLIB = ROOT / "build" / "matplotlib-3.10"
NAMES = sorted(path.stem for path in (ROOT / "notebooks" / "figures").glob("*.png"))


def checkout(root):
    for folder in ("notebooks", "data", "toolkit"):
        copytree(ROOT / folder, root / folder)
    return root


def run(root, **environment):
    """Reproduce a copy of the series as the command does, and read its report."""
    kept = {k: v for k, v in os.environ.items() if k not in {"MPLBACKEND", "VIEWING_DATA"}}
    path = os.pathsep.join(filter(None, [environment.pop("first", ""), str(root)]))
    done = subprocess.run(
        [sys.executable, "-m", "toolkit.reproduce"],
        cwd=root, env=kept | {"PYTHONPATH": path} | environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((root / "build" / "figures" / "report.json").read_text(encoding="utf-8"))


def figures_of(report):
    return [figure for notebook in report["notebooks"] for figure in notebook["figures"]]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """The series in a process with other hashes, zone, locale and threads; and its calls."""
    root = checkout(tmp_path_factory.mktemp("elsewhere"))
    startup = root / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    calls = root / "calls"
    calls.mkdir()
    (startup / "00-record.py").write_text(
        f"import os, sys\nsys.path.append({str(ROOT)!r})\nfrom tests.recording import record\n"
        f"record({str(calls)!r}, str(os.getpid()))\ndel os, record\n"
    )
    report = run(
        root, IPYTHONDIR=str(root / "ipython"), PYTHONHASHSEED="4711", TZ="Pacific/Apia",
        LANG="C", LC_ALL="C", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1",
    )  # fmt: skip
    return report, calls


class TestOtherSettings:
    def test_hashes_zone_language_and_threads_move_no_pixel_and_no_printed_line(self, elsewhere):
        report, _ = elsewhere
        assert [figure["name"] for figure in figures_of(report)] == NAMES
        assert {figure["verdict"] for figure in figures_of(report)} == {"pixel-identical"}
        assert [cell for notebook in report["notebooks"] for cell in notebook["cells"]] == []

    def test_another_matplotlib_draws_the_same_numbers_differently(self, tmp_path):
        if not OTHER_MATPLOTLIB.exists():
            pytest.skip("no other matplotlib is here: `make test` installs one")
        report = run(checkout(tmp_path), first=str(OTHER_MATPLOTLIB))
        here = {notebook["versions"]["matplotlib"][:4] for notebook in report["notebooks"]}
        assert here == {"3.10"} != {mpl.__version__[:4]}
        assert [figure["name"] for figure in figures_of(report)] == NAMES
        drawn = {figure["verdict"] for figure in figures_of(report)}
        assert drawn == {"same numbers, drawn differently"}
        assert [cell for notebook in report["notebooks"] for cell in notebook["cells"]] == []


@pytest.fixture
def same_session():
    state = np.random.get_state()  # noqa: NPY002
    with mpl.rc_context():
        setup()
        yield
    np.random.set_state(state)  # noqa: NPY002


# What matplotlib and NumPy refuse to draw: intervals turned inside out, bins that fall.
REFUSED = "must not contain negative values|must increase monotonically"


def files_of(elsewhere, *, shown):
    files = sorted(elsewhere[1].glob("*.pkl"))
    assert len(files) > len(NAMES)
    return [file for file in files if file.stem.endswith("-shown") == shown]


def load(file):
    plt.close("all")
    return pickle.loads(file.read_bytes())


def draw(call):
    """Repeat a call that was kept, on the figure as it was, and read what is there then."""
    place, name, args, kwargs, figure = call
    owner = Axes if place is None else importlib.import_module(place)
    with warnings.catch_warnings():
        # Wrong data may warn; whether they are seen is asked.
        warnings.simplefilter("ignore")
        try:
            getattr(owner, name)(*args, **kwargs)
        except ValueError as error:
            if re.search(REFUSED, str(error)):
                return None
            raise
    return figure


def picture(figure):
    file = BytesIO()
    figure.savefig(file, format="png", bbox_inches="tight", metadata={"Software": None})
    return file.getvalue()


def is_number(values):
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def one_point(values):
    """One of the values by one per cent."""
    values = values.astype("float64")
    [at] = np.flatnonzero(np.isfinite(values))[:1]
    return values.where(np.arange(len(values)) != at, values.iloc[at] * 1.01 or 0.01)


def scaled(values):
    return values.astype("float64") * 1.001


def flipped(values):
    return -values.astype("float64")


def wild(values):
    """So far from what it was that, where it is drawn at all, it shows."""
    return -3 * values.astype("float64") - 7


def noisy(values):
    """As another machine computes it; whole numbers are counts and have no last bits."""
    noise = 1 + 1e-12 * np.random.default_rng(3).uniform(-1, 1, len(values))
    return values.where(values == values.round(), values * noise)


def swapped(values):
    """Two categories, each in the other's place."""
    one, other = pd.unique(values.dropna())[:2]
    names = {one: other, other: one}
    return pd.Series([names.get(v, v) for v in values], values.index, values.dtype, values.name)


def changed(file, change, skipped=()):
    """Yield each argument or column of a call that a change applies to, and the call with it."""
    _, _, args, kwargs, _ = load(file)
    places = [*enumerate(args), *kwargs.items()]
    frames = [(key, value) for key, value in places if isinstance(value, pd.DataFrame)]
    arrays = [(key, value) for key, value in places if isinstance(value, pd.Series | np.ndarray)]
    columns = [(key, column, frame[column]) for key, frame in frames for column in frame]
    columns += [(key, None, pd.Series(values)) for key, values in arrays]
    if change == "dropped":
        for key, frame in frames:
            yield f"{file.stem} row", replaced(file, key, lambda frame: frame.drop(frame.index[-1]))
        return
    for key, column, values in columns:
        if applies(change, values) and f"{file.stem} {column or key}" not in skipped:
            yield (
                f"{file.stem} {column or key}",
                replaced(file, key, lambda given, c=column: _with(given, c, change)),
            )


def applies(change, values):
    if change is swapped:
        return not is_number(values) and values.nunique() > 1
    return pd.api.types.is_float_dtype(values) if change is noisy else is_number(values)


def _with(given, column, change):
    if column is not None:
        return given.assign(**{column: change(given[column])})
    return (
        change(pd.Series(given))
        if isinstance(given, pd.Series)
        else change(pd.Series(given)).to_numpy()
    )


def replaced(file, key, change):
    place, name, args, kwargs, figure = load(file)
    if isinstance(key, str):
        kwargs = kwargs | {key: change(kwargs[key])}
    else:
        args = (*args[:key], change(args[key]), *args[key + 1 :])
    return place, name, args, kwargs, figure


def said(file, change, *, skipped=()):
    """Yield each argument or column, and what becomes of the figure when it is changed.

    Where no value moves, the pictures tell whether the change is unseen by the table alone.
    """
    before = figure_data(draw(load(file)))
    pixels = functools.cache(lambda: picture(draw(load(file))))
    for what, call in changed(file, change, skipped):
        figure = draw(call)
        if figure is None:
            yield what, "refused"
            continue
        after = figure_data(figure)
        moved = len(moved_values(before, after)) > 0
        assert moved == (digest(before) != digest(after)), what
        if moved:
            yield what, "moved"
        else:
            drawn = picture(figure)
            yield what, "not drawn" if drawn == pixels() else "unseen"


@pytest.fixture(scope="module")
def not_drawn(elsewhere):
    """The columns that no picture shows: far from what they were, they move no pixel."""
    with mpl.rc_context():
        setup()
        found = [pair for file in files_of(elsewhere, shown=False) for pair in said(file, wild)]
    assert [what for what, kind in found if kind == "unseen"] == []
    return {what for what, kind in found if kind == "not drawn"}


EMPTY = {"title", "xlabel", "ylabel", "xscale", "yscale"}


@pytest.mark.usefixtures("same_session")
class TestEveryFigureOfTheSeries:
    """Each call that draws, with wrong data: if a pixel moves, a value has to have moved."""

    @pytest.mark.parametrize("change", [one_point, scaled, flipped, "dropped", swapped])
    def test_what_a_reader_could_see_is_said_to_differ(self, elsewhere, not_drawn, change):
        seen = {
            what: found
            for file in files_of(elsewhere, shown=False)
            for what, found in said(file, change, skipped=not_drawn)
        }
        kinds = list(seen.values())
        assert [what for what, found in seen.items() if found == "unseen"] == []
        assert kinds.count("moved") >= len(NAMES)
        assert kinds.count("refused") < kinds.count("moved") / 3

    def test_the_last_bits_of_floats_are_not(self, elsewhere):
        n_noisy = 0
        for file in files_of(elsewhere, shown=False):
            before = figure_data(draw(load(file)))
            for what, call in changed(file, noisy):
                after = figure_data(draw(call))
                n_noisy += before["value"].tolist() != after["value"].tolist()
                assert len(moved_values(before, after)) == 0, what
                assert digest(before) == digest(after), what
        assert n_noisy >= len(NAMES)

    def test_another_look_is_not(self, elsewhere):
        # A figure that has panels in the first look already would be a mixture of both.
        files = files_of(elsewhere, shown=False)
        fresh = [file for file in files if set(figure_data(load(file)[-1])["field"]) <= EMPTY]
        assert len(fresh) == len(NAMES)
        for file in fresh:
            setup()
            figure = draw(load(file))
            before, pixels = figure_data(figure), picture(figure)
            look = {"figure.dpi": 80, "savefig.dpi": 80, "font.size": 9}
            sns.set_theme("talk", "darkgrid", "Set2", font="DejaVu Serif", rc=look)
            figure = draw(load(file))
            assert len(moved_values(before, figure_data(figure))) == 0, file.stem
            assert digest(before) == digest(figure_data(figure)), file.stem
            assert picture(figure) != pixels, file.stem

    def test_two_colours_of_a_legend_swapped_is(self, elsewhere):
        n_swapped = 0
        for file in files_of(elsewhere, shown=True):
            before = figure_data(load(file))
            for number in range(len(load(file).axes)):
                figure = load(file)
                legend = figure.axes[number].get_legend()
                if legend is None or len(legend.legend_handles) < 2:
                    continue
                one, other = legend.legend_handles[:2]
                colours = [handle_colour(handle) for handle in (one, other)]
                one.set_color(colours[1])
                other.set_color(colours[0])
                moved = moved_values(before, figure_data(figure))
                assert set(moved["field"]) == {"label"}, f"{file.stem} {number}"
                n_swapped += 1
        assert n_swapped >= 8

    def test_there_is_nothing_that_can_not_be_read(self, elsewhere):
        figures = [load(file) for file in files_of(elsewhere, shown=True)]
        assert [uncovered_artists(figure) for figure in figures] == [[]] * len(NAMES)


def handle_colour(handle):
    for method in ("get_color", "get_facecolor", "get_edgecolor"):
        colour = getattr(handle, method, lambda: [])()
        if len(colour):
            return colour if isinstance(colour, str) else mpl.colors.to_hex(np.ravel(colour)[:3])


RNG = np.random.default_rng(17)
TABLE = pd.DataFrame({
    "x": RNG.normal(size=200), "y": RNG.normal(size=200), "kind": RNG.choice([*"abc"], 200),
    "day": np.arange(200) % 20,
})  # fmt: skip
# What one point of 200 that moves by one per cent leaves as it is: the drawn statistic.
UNMOVED_BY_ONE_POINT = {
    "histplot": "the bars count it in the same bin",
    "boxplot": "quartiles and whiskers are other points",
    "boxenplot": "so are the other quantiles",
    "countplot": "the bars count rows",
}
DRAWINGS = {
    "scatterplot": lambda table: sns.scatterplot(table, x="x", y="y", hue="kind"),
    "lineplot": lambda table: sns.lineplot(table, x="day", y="y"),
    "regplot": lambda table: sns.regplot(table, x="x", y="y"),
    "barplot": lambda table: sns.barplot(table, x="kind", y="y"),
    "pointplot": lambda table: sns.pointplot(table, x="kind", y="y"),
    "stripplot": lambda table: sns.stripplot(table, x="kind", y="y"),
    "violinplot": lambda table: sns.violinplot(table, x="kind", y="y"),
    "kdeplot": lambda table: sns.kdeplot(table, x="y"),
    "ecdfplot": lambda table: sns.ecdfplot(table, x="y"),
    "heatmap": lambda table: sns.heatmap(
        table.pivot_table(index="kind", columns="day", values="y")
    ),
    "histplot": lambda table: sns.histplot(table, x="y", bins=np.arange(-5, 5, 0.5)),
    "boxplot": lambda table: sns.boxplot(table, x="kind", y="y", showfliers=False),
    "boxenplot": lambda table: sns.boxenplot(table, x="kind", y="y", showfliers=False),
    "countplot": lambda table: sns.countplot(table.assign(is_high=table["y"] > 0), x="is_high"),
}


@pytest.mark.usefixtures("same_session")
# Of seaborn's box plots, which give matplotlib an argument that is to go.
@pytest.mark.filterwarnings("ignore:vert")
@pytest.mark.parametrize("kind", DRAWINGS)
class TestWhatOnePointMoves:
    def drawn(self, kind, table):
        plt.close("all")
        setup()
        return figure_data(DRAWINGS[kind](table).figure)

    def test_it_moves_all_but_the_statistics_that_are_listed(self, kind):
        at = TABLE["y"].sub(TABLE["y"].quantile(0.6)).abs().idxmin()
        table = TABLE.assign(y=TABLE["y"].where(TABLE.index != at, TABLE["y"] * 1.01))
        moved = moved_values(self.drawn(kind, TABLE), self.drawn(kind, table))
        assert (len(moved) == 0) == (kind in UNMOVED_BY_ONE_POINT)

    def test_a_dropped_row_or_a_sign_moves_every_one(self, kind):
        before = self.drawn(kind, TABLE)
        for table in (TABLE.drop(TABLE["y"].idxmax()), TABLE.assign(y=-TABLE["y"])):
            assert len(moved_values(before, self.drawn(kind, table)))

    def test_float_noise_moves_none(self, kind):
        noise = 1 + 1e-12 * np.random.default_rng(5).uniform(-1, 1, len(TABLE))
        before, after = (self.drawn(kind, t) for t in (TABLE, TABLE.assign(y=TABLE["y"] * noise)))
        assert len(moved_values(before, after)) == 0
        assert digest(before) == digest(after)
