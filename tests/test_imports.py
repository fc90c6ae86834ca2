"""Nothing imports upward: the rooms of the package and who may stand on whom."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import toolkit

PACKAGE = Path(toolkit.__file__).parent
LAYERS = [
    {"tables", "order", "privacy.keys", "privacy.refusals", "titles"},
    {"intervals"},
    {"days"},
    {"loaders", "viewings", "store", "warehouse"},
    {"streaks", "streak_counts", "streak_ends", "sittings", "surprise", "effects"}
    | {"viewer_periods", "returns", "cohorts", "cohort_tables", "cohort_returns"}
    | {"run_laws", "streak_nulls", "null_fits", "expected_streaks", "choices", "title_runs"}
    | {"activity", "projection"}
    | {"associations", "ratio_models", "misclassification"}
    | {"binges", "places"}
    | {"clock_cells", "watching", "ratings", "reached", "completed", "shared_audiences"}
    | {"rewatch", "rewatched", "copying", "recency", "repeat_models", "rhythm", "dirichlet"}
    | {"count_laws", "likelihood", "count_fits", "power_laws", "tails"},
    {
        "plots",
        "audience_plots",
        "sitting_plots",
        "rewatch_plots",
        "cohort_plots",
        "ratio_plots",
        "surprise_plots",
        "effect_plots",
        "explore",
    },
    {"labels", "drawn", "references", "figures"},
    {"runs", "verdicts", "report", "reproduce"},
]
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
# These stand on loaders and measures, and nothing stands on them.
ROOFS = {"privacy", "scale"}
SIMULATOR_MAY_USE = {"tables", "privacy.keys"}
# Two rooms of `privacy` lie below the loaders, which make pseudonyms.
GROUND = {"privacy.keys", "privacy.refusals"}
# The package itself and its folders only gather names.
GATHERERS = {"", "privacy"}

# The rooms of the design, so that the rules can be tried before each is built.
PLANNED = ("", *RANK, *ROOFS, "simulate", "privacy.release", "loaders.archive")


def module_name(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


SOURCES = {module_name(path): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}


def imported(module, source, modules):
    """Modules of the package that `source` imports anywhere, also within functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{origin(node, module, modules)}.{alias.name}" for alias in node.names]
        else:
            continue
        own = [name.partition(".")[2] for name in names if name.split(".")[0] == "toolkit"]
        for name in own:
            # Whatever is no module is a name that the module before it holds.
            yield name if name in modules else name.rpartition(".")[0]


def origin(node, module, modules):
    if not node.level:
        return node.module
    folders = ["toolkit", *module.split(".")]
    is_folder = any(name.startswith(f"{module}.") for name in modules) or not module
    steps = node.level - is_folder
    kept = [folder for folder in folders[: len(folders) - steps] if folder]
    return ".".join([*kept, *filter(None, [node.module])])


def room(module):
    return module if module in GROUND else module.split(".")[0]


def misplaced(module, source, modules=tuple(SOURCES)):
    """Say what in `source` stands on something above it."""
    here = room(module)
    if module in GATHERERS:
        return
    for name in imported(module, source, modules):
        there = room(name)
        if here == there:
            continue
        if here == "simulate":
            allowed = there in SIMULATOR_MAY_USE
        elif here in ROOFS:
            allowed = there in RANK and RANK[there] <= RANK["streaks"]
        else:
            allowed = there in RANK and RANK[there] <= RANK[here]
        if not allowed:
            yield f"{module} imports {name or 'toolkit'}"


def find_cycle(sources):
    graph = {
        module: set(imported(module, source, tuple(sources))) - {module}
        for module, source in sources.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]


def test_every_module_has_a_place():
    rooms = {room(module) for module in SOURCES if module}
    assert rooms - RANK.keys() - ROOFS - {"simulate"} == set()


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_no_module_imports_upward(module):
    assert list(misplaced(module, SOURCES[module])) == []


def test_no_module_imports_itself_through_others():
    assert find_cycle({name: source for name, source in SOURCES.items() if name}) is None


def test_a_cycle_is_seen():
    sources = {
        "days": "from toolkit import streaks",
        "streaks": "def later():\n    from .tables import as_days",
        "tables": "from toolkit.days import to_viewer_days",
    }
    assert set(find_cycle(sources)) == set(sources)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("tables", "from toolkit.days import to_viewer_days"),
        ("tables", "from toolkit import days"),
        ("tables", "from . import days"),
        ("tables", "from .days import to_viewer_days"),
        ("tables", "import toolkit.days as d"),
        ("tables", "from toolkit import find_streaks"),
        ("tables", "import toolkit"),
        ("days", "def lazily():\n    from toolkit.loaders import load_sample"),
        ("loaders", "from ..streaks import find_streaks"),
        ("loaders", "from .. import streaks"),
        ("streaks", "from toolkit import plots"),
        ("streaks", "from toolkit.privacy import release"),
        ("streaks", "from toolkit.simulate import simulate_plays"),
        ("plots", "from toolkit.figures import setup"),
        ("figures", "from toolkit import reproduce"),
        ("simulate", "from toolkit.days import to_viewer_days"),
        ("privacy.release", "from toolkit.plots import plot_streaks"),
        ("privacy.keys", "from toolkit.privacy.release import release"),
        ("privacy.keys", "from .release import release"),
    ],
)
def test_an_import_upward_is_seen(module, source):
    assert list(misplaced(module, source, PLANNED)) != []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("streaks", "import numpy as np\nfrom toolkit.tables import as_viewer_days"),
        ("streaks", "from .cohorts import retention"),
        ("loaders.archive", "from toolkit.privacy.keys import pseudonyms"),
        ("loaders.archive", "from ..privacy import keys"),
        ("loaders", "from .archive import members"),
        ("simulate", "from toolkit.privacy import keys"),
        ("privacy.release", "from toolkit import streaks"),
    ],
)
def test_an_import_downward_or_beside_is_left_alone(module, source):
    assert list(misplaced(module, source, PLANNED)) == []


def test_importing_the_toolkit_loads_nothing_that_draws_or_estimates():
    heavy = {"statsmodels", "matplotlib", "seaborn", "scipy", "IPython", "nbclient"}
    code = f"import sys, toolkit; print(sorted({heavy} & {{*sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("[]\n", "")


@pytest.mark.parametrize("name", toolkit.__all__)
def test_a_public_name_is_never_that_of_a_module(name):
    # Importing the module would put it in the place of what it holds.
    assert name not in SOURCES
    assert getattr(toolkit, name) is getattr(toolkit, name)
