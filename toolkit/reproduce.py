"""Re-run the series in fresh kernels and redraw its figures: ``python -m toolkit.reproduce``."""

import os
import sys
import time
from base64 import b64decode
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from tqdm import tqdm
from traitlets.config import Config

__all__ = ["reproduce"]

_CELL_TIMEOUT_SECONDS = 600


def reproduce(root: Path) -> int:
    """Run every numbered notebook in a fresh kernel and keep what it drew.

    Executed copies and figures go to ``build/figures`` as ``<notebook>.ipynb`` and
    ``<notebook>-<n>.png``.  Where the environment variable ``VIEWING_DATA`` names the
    description of another log, they go to ``build/<name of the description>`` instead.
    A notebook stops at its first failed cell; the others still run.

    Parameters
    ----------
    root : pathlib.Path
        Folder that holds ``notebooks/``, and ``build/`` when this is done.

    Returns
    -------
    int
        How many notebooks failed.

    Raises
    ------
    FileNotFoundError
        If there are no numbered notebooks, or no file where ``VIEWING_DATA`` points.
    """
    paths = sorted(Path(root, "notebooks").glob("[0-9]*.ipynb"))
    if not paths:
        raise FileNotFoundError(f"`root` must hold numbered notebooks in notebooks/, got {root}.")
    description = _description()
    target = Path(root, "build", description.stem if description else "figures")
    target.mkdir(parents=True, exist_ok=True)
    if description:
        print("Your own data: claims about the sample are skipped, and nothing is compared.")

    series = {path: nbformat.read(path, as_version=4) for path in paths}
    n_cells = sum(len(_code_cells(notebook)) for notebook in series.values())
    with tqdm(total=n_cells, unit="cell", file=sys.stderr, disable=None) as progress:
        return sum(_run(series[path], path, target, description, progress) for path in paths)


def _description():
    # Kernels run in notebooks/, where a path relative to the caller's folder leads nowhere.
    named = os.environ.get("VIEWING_DATA", "")
    if named in ("", "sample"):
        return None
    path = Path(named).expanduser().resolve()
    if not path.is_file():
        raise FileNotFoundError(f"`VIEWING_DATA` must name a description, found no file at {path}.")
    return path


def _code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def _run(notebook, path, target, description, progress):
    progress.set_description(path.stem)
    cells = _code_cells(notebook)
    for cell in cells:
        cell.update(outputs=[], execution_count=None)
    begun = time.perf_counter()
    failure = _execute(notebook, path.parent, description, progress)
    seconds = time.perf_counter() - begun

    n_figures = _keep(notebook, path, target)
    done = f"{seconds:.1f} s, {len(cells)} cells, {n_figures} figures"
    with progress.external_write_mode(file=sys.stdout):
        print(f"{path.stem}: {failure or done}", flush=True)
    return failure is not None


def _execute(notebook, folder, description, progress):
    # The pinned zone rules and inline figures, whatever the caller's environment says.
    environment = os.environ | {"PYTHONTZPATH": "", "MPLBACKEND": ""}
    if description:
        environment["VIEWING_DATA"] = str(description)
    with TemporaryDirectory() as sockets:
        client = NotebookClient(
            notebook,
            config=_connection(sockets),
            kernel_name="python3",
            timeout=_CELL_TIMEOUT_SECONDS,
            record_timing=False,
            store_widget_state=False,
            on_cell_executed=lambda **_: progress.update(),
        )
        try:
            client.execute(cwd=str(folder), env=environment)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            return f"cell {client.code_cells_executed} failed: {_last_line(error)}"


def _connection(folder):
    # Over TCP, the only way on Windows, a kernel warns that it is not encrypted.
    transport = "ipc" if os.name == "posix" else "tcp"
    file = str(Path(folder, "kernel.json"))
    return Config({"KernelManager": {"transport": transport, "connection_file": file}})


def _last_line(error):
    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {error.evalue}".strip().splitlines()[-1]
    return str(error).splitlines()[0]


def _keep(notebook, path, target):
    nbformat.write(notebook, target / path.name)
    for stale in target.glob(f"{path.stem}-*.png"):
        stale.unlink()
    outputs = [output for cell in _code_cells(notebook) for output in cell.outputs]
    drawn = [output.data for output in outputs if "image/png" in output.get("data", {})]
    for number, data in enumerate(drawn, start=1):
        (target / f"{path.stem}-{number}.png").write_bytes(b64decode(data["image/png"]))
    return len(drawn)


if __name__ == "__main__":
    try:
        sys.exit(min(reproduce(Path(__file__).resolve().parents[1]), 1))
    except FileNotFoundError as error:
        sys.exit(str(error))
