"""Run notebooks in fresh kernels, two at a time, and gather what they printed and drew."""

import asyncio
import json
import os
import signal
import time
from base64 import b64decode
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from jupyter_client.kernelspec import NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from traitlets.config import Config

from toolkit.references import Drawn, digest_in

__all__ = ["Run", "code_cells", "printed", "ran", "run_series", "stored_figures"]

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
class Run:
    """One notebook, as stored and executed; what failed, if anything; its figures and packages."""

    path: Path
    stored: NotebookNode
    notebook: NotebookNode
    seconds: float = 0.0
    failure: str | None = None
    figures: list[Drawn] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the notebook."""
        return self.path.stem


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the cells that are run, in their order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def ran(run: Run) -> dict[int, NotebookNode]:
    """Return the cells that ran to their end, by their number among all that are run."""
    cells = dict(enumerate(code_cells(run.notebook), start=1))
    if run.failure:
        return {number: cell for number, cell in cells.items() if _ended(cell)}
    return cells


def _ended(cell):
    failed = any(output.output_type == "error" for output in cell.outputs)
    return cell.execution_count is not None and not failed


def printed(cell: NotebookNode) -> str:
    """Return what a cell printed and returned as text, without what stands behind a picture."""
    texts = [text.rstrip("\n") for output in cell.outputs for text in _texts(output)]
    return "\n".join(filter(None, texts))


def _texts(output):
    data = output.get("data", {})
    if "text" in output or "ename" in output:
        return [output.get("text", f"{output.get('ename')}: {output.get('evalue')}")]
    if "image/png" in data:
        return []
    plain = data.get("text/plain", "")
    # What plain text only names, as it does a styled table, says the rest in another form.
    is_name = plain.startswith("<") or not plain
    rich = [form for form in sorted(data) if form != "text/plain" and "widget" not in form]
    return [plain, *(str(data[form]) for form in rich if is_name)]


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
    stored = nbformat.read(path, as_version=4)
    run = Run(path, stored, deepcopy(stored))
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
        except _Unprepared as error:
            run.failure = f"the kernel could not be prepared: {error}"
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            run.failure = f"cell {client.code_cells_executed} failed: {_last_line(error)}"
        except (NoSuchKernel, RuntimeError) as error:
            run.failure = f"there is no kernel: {_last_line(error)}"
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
    # Over TCP, the only way on Windows, a kernel warns that it is not encrypted; the name of a
    # socket must be short.
    transport = "ipc" if os.name == "posix" and len(folder) < 80 else "tcp"
    file = str(Path(folder, "kernel.json"))
    return Config({"KernelManager": {"transport": transport, "connection_file": file}})


async def _prepare(client, folder):
    # The client would let the kernel die on Ctrl-C and go on with the next notebook.
    with suppress(NotImplementedError):
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
    before = _BEFORE.format(folder=folder)
    reply = await client.kc.execute(before, silent=True, store_history=False, reply=True)
    if (found := reply["content"])["status"] != "ok":
        raise _Unprepared(f"{found['ename']}: {found['evalue']}")


class _Unprepared(Exception):
    """The code before the first cell failed."""


def _last_line(error):
    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {error.evalue}".rstrip(": \n").splitlines()[-1]
    return str(error).splitlines()[0]


def stored_figures(notebook: NotebookNode) -> list[tuple[int, bytes, str | None]]:
    """Return number of the cell, picture and digest of each figure among the outputs."""
    return [
        (number, b64decode(data["image/png"]), digest_in(data.get("text/plain", "")))
        for number, cell in enumerate(code_cells(notebook), start=1)
        for output in cell.outputs
        if "image/png" in (data := output.get("data", {}))
    ]


def _figures(notebook, folder):
    figures = []
    for _, png, digest in stored_figures(notebook):
        file = folder / f"{digest}.json"
        figures.append(Drawn(png, file.read_text(encoding="utf-8") if file.exists() else None))
    return figures
