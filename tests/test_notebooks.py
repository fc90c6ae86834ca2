"""What a committed notebook has to be, checked without a kernel; nbval compares the rest."""

import ast
import functools
import re
from base64 import b64decode
from datetime import date
from pathlib import Path

import nbformat
import pytest
from nbval.plugin import find_comment_markers, find_metadata_tags

import toolkit
from toolkit.references import digest, digest_in, read_reference

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
FIGURES = FOLDER / "figures"
PATHS = sorted(FOLDER.glob("*.ipynb"))
MAX_BYTES = 700_000
MAX_LINES = 15
N_OPENING_CELLS = 3
# The second is what JupyterLab writes.
KERNELS = [("python3", "Python 3"), ("python3", "Python 3 (ipykernel)")]

# At the start of a word, so that HTML's closing tags, URLs and zone names are left alone.
ABSOLUTE = re.compile(
    r"""(?:^|[\s"'`=(,])(?:/(?!path/to/)[A-Za-z_.]|~/)|\b[A-Za-z]:[\\/](?!/)|file://""",
    re.MULTILINE,
)
NOTEBOOK_LINK = re.compile(r"\]\(([^)#\s]+\.ipynb)")
SOURCE_LINE = re.compile(
    r"toolkit (?P<version>\S+) · data (?P<name>sample|own_history) (?P<data>[0-9a-f]{16})"
    r" · as of (?P<as_of>\S+)"
)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def printed(cell):
    return "".join(output.text for output in cell.outputs if output.get("name") == "stdout")


def texts(notebook):
    """Every text that a reader of the file can find: sources, printed lines, tables."""
    for cell in notebook.cells:
        yield cell.source
    for output in outputs(notebook):
        yield output.get("text", "")
        data = output.get("data", {})
        yield from (str(data[mime]) for mime in data if not mime.startswith("image/"))


def nodes(cell):
    return list(ast.walk(ast.parse(cell.source)))


def name_called(node):
    if isinstance(node, ast.Call):
        return getattr(node.func, "attr", getattr(node.func, "id", None))


def sample():
    """The fingerprint of the plays of the sample."""
    lines = (ROOT / "data" / "FINGERPRINTS").read_text(encoding="utf-8").splitlines()
    return dict(line.split() for line in lines)["plays"]


@functools.cache
def own_history():
    """The fingerprint of the plays of the invented export that stands for the reader's own."""
    description = ROOT / "data" / "own_history.toml"
    return toolkit.fingerprint(
        toolkit.load_dataset(description, key=toolkit.DEMONSTRATION_KEY).plays
    )


def cells_were_not_run_in_order(notebook):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}"


def a_cell_warns_or_fails(notebook):
    for output in outputs(notebook):
        if output.output_type == "error" or output.get("name") == "stderr":
            yield f"stored output is {output}"


def a_cell_is_not_compared(notebook):
    for cell in code_cells(notebook):
        marks = [*find_comment_markers(cell.source), *find_metadata_tags(cell.metadata)]
        yield from (f"{mark} in {cell.source!r}" for mark in marks)


def a_tag_is_unknown(notebook):
    tags = [tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])]
    if tags not in ([], ["parameters"]):
        yield f"tags are {tags}"


def a_path_is_absolute(notebook):
    for text in texts(notebook):
        yield from (f"{match.group()!r} in {text[:200]!r}" for match in ABSOLUTE.finditer(text))


def the_kernel_is_a_personal_one(notebook):
    kernel = notebook.metadata.get("kernelspec", {})
    if (kernel.get("name"), kernel.get("display_name")) not in KERNELS:
        yield f"kernelspec is {kernel}"


def a_widget_is_stored(notebook):
    if "widgets" in notebook.metadata:
        yield "metadata hold widgets"


def a_cell_is_too_long(notebook):
    for cell in code_cells(notebook):
        if len(cell.source.splitlines()) > MAX_LINES:
            yield f"more than {MAX_LINES} lines in {cell.source!r}"


def the_file_is_too_large(notebook):
    size = len(nbformat.writes(notebook).encode())
    if size > MAX_BYTES:
        yield f"{size} bytes"


def a_cell_is_not_plain_python(notebook):
    for cell in code_cells(notebook):
        try:
            ast.parse(cell.source)
        except SyntaxError as error:
            yield f"{error} in {cell.source!r}"


def a_function_is_defined(notebook):
    for cell in code_cells(notebook):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        yield from (node.name for node in nodes(cell) if isinstance(node, kinds))


def setup_is_not_called_once_at_the_top(notebook):
    calls = [
        number
        for number, cell in enumerate(code_cells(notebook))
        for node in nodes(cell)
        if name_called(node) == "setup"
    ]
    if len(calls) != 1 or calls[0] >= N_OPENING_CELLS:
        yield f"setup is called in code cells {calls}"


def the_source_is_not_what_is_shipped(notebook):
    stated = [
        line
        for cell in code_cells(notebook)
        for line in printed(cell).splitlines()
        if line.startswith("toolkit ")
    ]
    match = SOURCE_LINE.fullmatch(stated[0]) if len(stated) == 1 else None
    if match is None:
        yield f"the lines that name version, data and day are {stated}"
        return
    if match["version"] != toolkit.__version__:
        yield f"run with toolkit {match['version']}, this is {toolkit.__version__}"
    shipped = {"sample": sample, "own_history": own_history}[match["name"]]()
    if match["data"] != shipped:
        yield f"run on data {match['data']}, the repository ships {shipped}"
    try:
        date.fromisoformat(match["as_of"])
    except ValueError as error:
        yield str(error)


def a_link_leads_nowhere(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            links = NOTEBOOK_LINK.findall(cell.source)
            yield from (link for link in links if not (FOLDER / link).is_file())


def claims_do_not_hold(notebook):
    for cell in code_cells(notebook):
        claims = "claims hold" in cell.source or any(
            isinstance(node, ast.Assert) for node in nodes(cell)
        )
        if claims and "claims hold" not in printed(cell).splitlines():
            yield f"{printed(cell)!r} was printed by {cell.source!r}"


GUARDS = [
    cells_were_not_run_in_order,
    a_cell_warns_or_fails,
    a_cell_is_not_compared,
    a_tag_is_unknown,
    a_path_is_absolute,
    the_kernel_is_a_personal_one,
    a_widget_is_stored,
    a_cell_is_too_long,
    the_file_is_too_large,
    a_cell_is_not_plain_python,
    a_function_is_defined,
    setup_is_not_called_once_at_the_top,
    the_source_is_not_what_is_shipped,
    a_link_leads_nowhere,
    claims_do_not_hold,
]


def test_there_is_a_series():
    assert PATHS


def test_notebooks_are_numbered_without_a_number_twice():
    assert [
        path.name for path in PATHS if not re.fullmatch(r"\d\d_[a-z0-9_]+\.ipynb", path.name)
    ] == []
    assert len({path.name[:2] for path in PATHS}) == len(PATHS)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.__name__)
def test_no_notebook_is_one_in_which(guard, path):
    assert list(guard(nbformat.read(path, as_version=4))) == []


def stored_figures(notebook):
    """Picture and digest of each figure that is stored."""
    for output in outputs(notebook):
        data = output.get("data", {})
        if "image/png" in data:
            yield b64decode(data["image/png"]), digest_in(data["text/plain"])


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_figures_of_a_notebook_are_the_committed_ones(path):
    for number, stored in enumerate(stored_figures(nbformat.read(path, as_version=4)), start=1):
        picture = FIGURES / f"{path.stem}-{number}.png"
        text = picture.with_suffix(".json").read_text(encoding="utf-8")
        table, uncovered = read_reference(text)
        assert stored == (picture.read_bytes(), digest_in(text))
        assert digest(table) == digest_in(text)
        assert uncovered == []


def test_no_figure_is_committed_that_no_notebook_has():
    stored = {path.stem: len(list(stored_figures(nbformat.read(path, 4)))) for path in PATHS}
    expected = {f"{name}-{n}" for name, number in stored.items() for n in range(1, number + 1)}
    assert {path.stem for path in FIGURES.iterdir()} == expected
    assert len(list(FIGURES.iterdir())) == 2 * len(expected)


def good_notebook():
    """Four cells as they should be: a heading, the opening, the parameters, the claims."""
    v4 = nbformat.v4
    source = f"toolkit {toolkit.__version__} · data sample {sample()}"
    notebook = v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# 06 · Streaks, [next](../notebooks/conftest.py), 1/2 </b>"),
            v4.new_code_cell("import toolkit as tk\n\ntk.setup()"),
            v4.new_code_cell('TZ = "Europe/Paris"', metadata={"tags": ["parameters"]}),
            v4.new_code_cell("assert n == 53\nprint('claims hold')"),
        ]
    )
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    for number, cell in enumerate(code_cells(notebook), start=1):
        cell.execution_count = number
    stream(notebook, 1, f"{source} · as of 2017-12-10\n53 people\n")
    stream(notebook, 3, "claims hold\n")
    return notebook


def stream(notebook, cell, text, name="stdout"):
    notebook.cells[cell].outputs.append(nbformat.v4.new_output("stream", text=text, name=name))


def reprint(notebook, old, new):
    for output in outputs(notebook):
        output.text = output.text.replace(old, new)


def rewrite(notebook, cell, source):
    notebook.cells[cell].source = source


def tag(notebook, cell, *tags):
    notebook.cells[cell].metadata.tags = list(tags)


def show(notebook, cell, **data):
    data = {mime.replace("_", "/"): text for mime, text in data.items()}
    notebook.cells[cell].outputs.append(nbformat.v4.new_output("display_data", data=data))


def fail(notebook, cell):
    error = nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])
    notebook.cells[cell].outputs.append(error)


BROKEN = [
    (cells_were_not_run_in_order, lambda nb: nb.cells[3].update(execution_count=7)),
    (cells_were_not_run_in_order, lambda nb: nb.cells[2].update(execution_count=None)),
    (cells_were_not_run_in_order, lambda nb: [c.update(execution_count=2) for c in code_cells(nb)]),
    (a_cell_warns_or_fails, lambda nb: stream(nb, 2, "careful", name="stderr")),
    (a_cell_warns_or_fails, lambda nb: fail(nb, 2)),
    (a_cell_is_not_compared, lambda nb: rewrite(nb, 2, "# NBVAL_IGNORE_OUTPUT\nTZ = 1")),
    (a_cell_is_not_compared, lambda nb: rewrite(nb, 2, "TZ = 1\n  #  NBVAL_SKIP")),
    (a_cell_is_not_compared, lambda nb: tag(nb, 2, "nbval-ignore-output")),
    (a_cell_is_not_compared, lambda nb: tag(nb, 2, "nbval-skip")),
    (a_cell_is_not_compared, lambda nb: tag(nb, 2, "raises-exception")),
    (a_tag_is_unknown, lambda nb: tag(nb, 1, "remove--print")),
    (a_tag_is_unknown, lambda nb: tag(nb, 0, "skip-execution")),
    (a_tag_is_unknown, lambda nb: tag(nb, 1, "parameters")),
    (a_path_is_absolute, lambda nb: rewrite(nb, 2, "FILE = '/home/ann/plays.csv'")),
    (a_path_is_absolute, lambda nb: rewrite(nb, 2, "FILE = 'C:\\\\plays.csv'")),
    (a_path_is_absolute, lambda nb: rewrite(nb, 2, "FILE = '~/plays.csv'")),
    (a_path_is_absolute, lambda nb: rewrite(nb, 0, "see file://server/plays.csv")),
    (a_path_is_absolute, lambda nb: rewrite(nb, 0, "run `VIEWING_DATA=/data/mine.toml make`")),
    (a_path_is_absolute, lambda nb: stream(nb, 2, "read from\n/srv/plays.csv\n")),
    (a_path_is_absolute, lambda nb: show(nb, 2, text_plain="Path('/srv/x')")),
    (the_kernel_is_a_personal_one, lambda nb: nb.metadata.kernelspec.update(name="ann_env")),
    (the_kernel_is_a_personal_one, lambda nb: nb.metadata.kernelspec.update(display_name="ann")),
    (the_kernel_is_a_personal_one, lambda nb: nb.metadata.pop("kernelspec")),
    (a_widget_is_stored, lambda nb: nb.metadata.update(widgets={})),
    (a_cell_is_too_long, lambda nb: rewrite(nb, 2, "1\n" * (MAX_LINES + 1))),
    (the_file_is_too_large, lambda nb: show(nb, 2, image_png="0" * MAX_BYTES)),
    (a_cell_is_not_plain_python, lambda nb: rewrite(nb, 2, "!pip install pandas")),
    (a_cell_is_not_plain_python, lambda nb: rewrite(nb, 2, "%autoreload 2")),
    (a_function_is_defined, lambda nb: rewrite(nb, 2, "if 1:\n    def double(x): return 2 * x")),
    (a_function_is_defined, lambda nb: rewrite(nb, 2, "class Streak: pass")),
    (setup_is_not_called_once_at_the_top, lambda nb: rewrite(nb, 1, "import toolkit")),
    (setup_is_not_called_once_at_the_top, lambda nb: rewrite(nb, 2, "setup()")),
    (
        setup_is_not_called_once_at_the_top,
        lambda nb: [nb.cells.insert(1, nb.cells[-2]) for _ in range(N_OPENING_CELLS)],
    ),
    (the_source_is_not_what_is_shipped, lambda nb: nb.cells[1].update(outputs=[])),
    (the_source_is_not_what_is_shipped, lambda nb: stream(nb, 3, "toolkit again\n")),
    (the_source_is_not_what_is_shipped, lambda nb: reprint(nb, toolkit.__version__, "0.0.0")),
    (the_source_is_not_what_is_shipped, lambda nb: reprint(nb, "data sample", "data mine")),
    (the_source_is_not_what_is_shipped, lambda nb: reprint(nb, "data sample", "data own_history")),
    (the_source_is_not_what_is_shipped, lambda nb: reprint(nb, "sample ", "sample 0")),
    (
        the_source_is_not_what_is_shipped,
        lambda nb: reprint(nb, sample(), "0123456789abcdef"),
    ),
    (the_source_is_not_what_is_shipped, lambda nb: reprint(nb, "2017-12-10", "2017-12-32")),
    (a_link_leads_nowhere, lambda nb: rewrite(nb, 0, "[next](99_nowhere.ipynb)")),
    (a_link_leads_nowhere, lambda nb: rewrite(nb, 0, "[next](99_nowhere.ipynb#limits)")),
    (claims_do_not_hold, lambda nb: nb.cells[3].update(outputs=[])),
    (claims_do_not_hold, lambda nb: reprint(nb, "claims hold", "claims skipped")),
]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.__name__)
def test_a_good_notebook_passes(guard):
    assert list(guard(good_notebook())) == []


@pytest.mark.parametrize(("guard", "break_it"), BROKEN)
def test_a_broken_notebook_is_refused(guard, break_it):
    notebook = good_notebook()
    break_it(notebook)
    assert list(guard(notebook)) != []


def test_every_guard_is_shown_to_refuse_something():
    assert {guard for guard, _ in BROKEN} == set(GUARDS)
