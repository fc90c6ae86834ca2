"""Run notebooks in fresh kernels, two at a time, and gather what they printed and drew."""

import asyncio
import json
import os
import signal
import time
from base64 import b64decode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from traitlets.config import Config

from toolkit.references import digest_in

__all__ = ["Drawn", "Run", "code_cells", "printed", "run_series"]

_CELL_TIMEOUT_SECONDS = 600
_AT_A_TIME = 2
# Asked of the kernel itself, whose environment need not be that of the command.
_BEFORE = """
import json, platform
from importlib.metadata import version
from pathlib import Path
from toolkit.figures import keep_figures
packages = "viewing-toolkit numpy pandas scipy statsmodels matplotlib seaborn tzdata".split()
found = {{"python": platform.python_version()}} | {{name: version(name) for name in packages}}
Path({folder!r}, "versions.json").write_text(json.dumps(found))
keep_figures({folder!r})
del json, platform, version, Path, keep_figures, packages, found
"""


@dataclass
class Drawn:
    """A figure: its picture, and its data as `as_reference` writes them."""

    png: bytes
    data: str | None = None


@dataclass
class Run:
    """One notebook, executed; what failed, if anything did; its figures; its packages."""

    name: str
    notebook: NotebookNode
    seconds: float = 0.0
    failure: str | None = None
    figures: list[Drawn] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the cells that are run, in their order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def printed(cell: NotebookNode) -> str:
    """Return what a cell printed and returned as text, without what stands behind a picture."""
    texts = [
        output.get("text", output.get("data", {}).get("text/plain", ""))
        for output in cell.outputs
        if "image/png" not in output.get("data", {})
    ]
    return "\n".join(text.rstrip("\n") for text in texts if text)


def run_series(
    paths: list[Path], *, data: Path | None = None, done: Callable = lambda run: None,
    ticked: Callable = lambda: None,
) -> list[Run]:  # fmt: skip
    """Run notebooks, each in a kernel of its own, in the folder of the notebook.

    A notebook stops at its first failed cell; the others still run.

    Parameters
    ----------
    paths : list of pathlib.Path
        The notebooks; the files are not changed.
    data : pathlib.Path, optional
        Description of a log, for the variable ``VIEWING_DATA`` of the kernels.
    done : callable, optional
        Called with each run when it has ended.
    ticked : callable, optional
        Called after each cell.

    Returns
    -------
    list of Run
        In the order of `paths`.
    """
    return asyncio.run(_run_all(paths, data, done, ticked))


async def _run_all(paths, data, done, ticked):
    turns = asyncio.Semaphore(_AT_A_TIME)

    async def run(path):
        async with turns:
            found = await _run(path, data, ticked)
        done(found)
        return found

    return await asyncio.gather(*map(run, paths))


async def _run(path, data, ticked):
    run = Run(path.stem, nbformat.read(path, as_version=4))
    for cell in code_cells(run.notebook):
        cell.update(outputs=[], execution_count=None)
    begun = time.perf_counter()
    with TemporaryDirectory() as folder:
        client = NotebookClient(
            run.notebook,
            config=_connection(folder),
            kernel_name="python3",
            timeout=_CELL_TIMEOUT_SECONDS,
            record_timing=False,
            # How many pieces a print comes in depends on the moment.
            coalesce_streams=True,
            store_widget_state=False,
            on_notebook_start=lambda **_: _prepare(client, folder),
            on_cell_executed=lambda **_: ticked(),
        )
        try:
            await client.async_execute(cwd=str(path.parent), env=_environment(data))
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            run.failure = f"cell {client.code_cells_executed} failed: {_last_line(error)}"
        run.seconds = time.perf_counter() - begun
        run.figures = _figures(run.notebook, Path(folder))
        versions = Path(folder, "versions.json")
        run.versions = json.loads(versions.read_text()) if versions.exists() else {}
    return run


def _environment(data):
    # The pinned zone rules and inline figures, whatever the caller's environment says.
    environment = os.environ | {"PYTHONTZPATH": "", "MPLBACKEND": ""}
    environment.pop("VIEWING_DATA", None)
    return environment | ({"VIEWING_DATA": str(data)} if data else {})


def _connection(folder):
    # Over TCP, the only way on Windows, a kernel warns that it is not encrypted.
    transport = "ipc" if os.name == "posix" else "tcp"
    file = str(Path(folder, "kernel.json"))
    return Config({"KernelManager": {"transport": transport, "connection_file": file}})


def _prepare(client, folder):
    # The client would let the kernel die on Ctrl-C and go on with the next notebook.
    with suppress(NotImplementedError):
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
    client.kc.execute(_BEFORE.format(folder=folder), silent=True, store_history=False)


def _last_line(error):
    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {error.evalue}".strip().splitlines()[-1]
    return str(error).splitlines()[0]


def _figures(notebook, folder):
    figures = []
    for output in [output for cell in code_cells(notebook) for output in cell.outputs]:
        data = output.get("data", {})
        if "image/png" in data:
            file = folder / f"{digest_in(data.get('text/plain', ''))}.json"
            text = file.read_text(encoding="utf-8") if file.exists() else None
            figures.append(Drawn(b64decode(data["image/png"]), text))
    return figures
