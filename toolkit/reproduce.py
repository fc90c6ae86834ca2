"""Re-run the series and say what is the same: ``python -m toolkit.reproduce``."""

import argparse
import os
import sys
from pathlib import Path

import nbformat
from tqdm import tqdm

from toolkit.report import Finding, Shown, write_report
from toolkit.runs import Drawn, Run, code_cells, printed, run_series
from toolkit.verdicts import IDENTICAL, MISSING, judge, moved_lines

__all__ = ["reproduce"]


def reproduce(root: Path, *, update: bool = False, data: Path | None = None) -> int:
    """Run every numbered notebook in a fresh kernel and compare it with what is stored.

    Figures are compared with ``notebooks/figures``, and what cells print with the outputs in
    the notebooks.  Executed copies, figures and ``report.html`` and ``report.json`` go to
    ``build/figures``.

    Parameters
    ----------
    root : pathlib.Path
        Folder that holds ``notebooks/``, and ``build/`` when this is done.
    update : bool, default False
        Make what was found the reference: figures that changed, and notebooks in which
        anything changed.  A notebook that failed stays as it is.
    data : pathlib.Path, optional
        Description of another log, as `load_dataset` reads it.  Results then go to ``build/``
        and a folder of its name, and nothing is compared.

    Returns
    -------
    int
        How many notebooks failed, figures moved or are missing, and cells print something
        else.  With `update` or `data`, how many notebooks failed.

    Raises
    ------
    FileNotFoundError
        If there are no numbered notebooks, or no file at `data`.
    """
    paths = sorted(Path(root, "notebooks").glob("[0-9]*.ipynb"))
    if not paths:
        raise FileNotFoundError(f"`root` must hold numbered notebooks in notebooks/, got {root}.")
    if data is not None and not data.is_file():
        raise FileNotFoundError(f"`data` must lead to a description of a log, got {data}.")
    target = Path(root, "build", data.stem if data else "figures")
    if data:
        print("Your own data: claims about the sample are skipped, and nothing is compared.")

    runs = _run(paths, data)
    _keep(runs, target)
    n_failed = sum(run.failure is not None for run in runs)
    if data:
        return n_failed
    findings = [_compare(run, path) for run, path in zip(runs, paths, strict=True)]
    if update:
        for finding, path in zip(findings, paths, strict=True):
            _update(finding, path)
        return n_failed
    _tell(findings)
    verdict, page = write_report(findings, target, root)
    print(f"{verdict}\nReport: {page}")
    return sum(finding.n_bad for finding in findings)


def _run(paths, data):
    n_cells = sum(len(code_cells(nbformat.read(path, as_version=4))) for path in paths)
    with tqdm(total=n_cells, unit="cell", file=sys.stderr, disable=None) as progress:

        def done(run):
            n_cells, n_figures = len(code_cells(run.notebook)), len(run.figures)
            line = f"{run.seconds:.1f} s, {n_cells} cells, {n_figures} figures"
            with progress.external_write_mode(file=sys.stdout):
                print(f"{run.name}: {run.failure or line}", flush=True)

        return run_series(paths, data=data, done=done, ticked=progress.update)


def _keep(runs: list[Run], target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for run in runs:
        nbformat.write(run.notebook, target / f"{run.name}.ipynb")
        for stale in [*target.glob(f"{run.name}-*.png"), *target.glob(f"{run.name}-*.json")]:
            stale.unlink()
        for number, drawn in enumerate(run.figures, start=1):
            _write(drawn, target / f"{run.name}-{number}")


def _write(drawn: Drawn, stem: Path) -> None:
    stem.with_suffix(".png").write_bytes(drawn.png)
    if drawn.data:
        stem.with_suffix(".json").write_text(drawn.data, encoding="utf-8")


def _compare(run: Run, path: Path) -> Finding:
    stored = path.parent / "figures"
    numbers = {int(file.stem.rpartition("-")[2]) for file in stored.glob(f"{run.name}-*.png")}
    figures = []
    for number in sorted(numbers.union(range(1, len(run.figures) + 1))):
        name = f"{run.name}-{number}"
        old = _read(stored / name)
        new = run.figures[number - 1] if number <= len(run.figures) else None
        pair = [drawn and (drawn.png, drawn.data) for drawn in (old, new)]
        figures.append(Shown(name, judge(*pair), old, new))
    return Finding(run, figures, _moved_cells(run, path))


def _moved_cells(run: Run, path: Path) -> dict[int, list[tuple[str, str]]]:
    before = code_cells(nbformat.read(path, as_version=4))
    moved = {}
    for number, (old, new) in enumerate(zip(before, code_cells(run.notebook), strict=True), 1):
        # What failed, and what was not run after it, is told once.
        failed = any(output.output_type == "error" for output in new.outputs)
        if new.execution_count is not None and not failed:
            moved[number] = moved_lines(printed(old), printed(new))
    return {number: lines for number, lines in moved.items() if lines}


def _read(stem: Path) -> Drawn | None:
    picture, data = stem.with_suffix(".png"), stem.with_suffix(".json")
    if picture.exists():
        text = data.read_text(encoding="utf-8") if data.exists() else None
        return Drawn(picture.read_bytes(), text)


def _update(finding: Finding, path: Path) -> None:
    if finding.run.failure:
        print(f"{finding.run.name}: left as it is")
        return
    changed = [figure for figure in finding.figures if figure.verdict.word != IDENTICAL]
    for figure in finding.figures:
        print(f"{figure.name}: {figure.verdict}")
    for figure in changed:
        stem = path.parent / "figures" / figure.name
        stem.parent.mkdir(exist_ok=True)
        for ending in (".png", ".json"):
            stem.with_suffix(ending).unlink(missing_ok=True)
        if figure.verdict.word != MISSING:
            _write(figure.new, stem)
    if changed or finding.cells:
        _store(finding.run, path)
        print(f"{path.name}: stored anew, {len(finding.cells)} cells print something else")


def _store(run: Run, path: Path) -> None:
    """Write what a run printed and drew into its notebook, and leave all else there as it is."""
    notebook = nbformat.read(path, as_version=4)
    for cell, ran in zip(code_cells(notebook), code_cells(run.notebook), strict=True):
        cell.update(outputs=ran.outputs, execution_count=ran.execution_count)
    nbformat.write(notebook, path)


def _tell(findings: list[Finding]) -> None:
    figures = [figure for finding in findings for figure in finding.figures]
    for figure in figures:
        if figure.verdict.word != IDENTICAL:
            print(f"{figure.name}: {figure.verdict}")
    for finding in findings:
        for number, lines in finding.cells.items():
            print(f"{finding.run.name}, cell {number}: {len(lines)} printed lines moved")


def _command() -> int:
    parser = argparse.ArgumentParser(prog="python -m toolkit.reproduce", description=__doc__)
    parser.add_argument("--update", action="store_true", help="make what is found the reference")
    parser.add_argument(
        "--data", metavar="PATH", default=os.environ.get("VIEWING_DATA"),
        help="description of another log (TOML); nothing is compared",
    )  # fmt: skip
    asked = parser.parse_args()
    # Kernels run in notebooks/, where a path relative to the caller's folder leads nowhere.
    data = None if asked.data in (None, "", "sample") else Path(asked.data).expanduser().resolve()
    root = Path(__file__).resolve().parents[1]
    return min(reproduce(root, update=asked.update, data=data), 1)


if __name__ == "__main__":
    try:
        sys.exit(_command())
    except FileNotFoundError as error:
        sys.exit(str(error))
