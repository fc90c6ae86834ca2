"""Re-run the series and say what is the same: ``python -m toolkit.reproduce``."""

import argparse
import os
import re
import shutil
import sys
from pathlib import Path

import nbformat
from tqdm import tqdm

from toolkit.references import Drawn, digest_in, read_reference
from toolkit.report import Finding, Shown, write_report
from toolkit.runs import Run, code_cells, printed, ran, run_series, stored_figures
from toolkit.verdicts import IDENTICAL, judge, moved_lines, rms

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
        Make what was found the reference: outputs of the notebooks and figures that changed.
        A notebook that failed stays as it is.
    data : pathlib.Path, optional
        Description of another log, as `load_dataset` reads it.  Results then go to a folder of
        its name in ``build/data``, and nothing is compared.

    Returns
    -------
    int
        How many notebooks failed, figures moved, are missing or have no reference, and cells
        print something else.  With `update` or `data`, how many notebooks failed.

    Raises
    ------
    FileNotFoundError
        If there are no numbered notebooks, or no file at `data`.
    ValueError
        If `update` and `data` go together, or a reference can't be read.
    """
    paths, references = _checked(root, update, data)
    if data:
        print("Your own data: claims about the sample are skipped, and nothing is compared.")
        runs = _run(paths, data)
        _keep(runs, Path(root, "build", "data", data.stem))
        return sum(run.failure is not None for run in runs)

    target = Path(root, "build", "figures")
    runs = _run(paths, None)
    _keep(runs, target)
    findings = [_compare(run, references) for run in runs] + _without_notebook(references, paths)
    if update:
        for finding in findings:
            _update(finding, paths[0].parent / "figures")
        return sum(run.failure is not None for run in runs)
    _tell(findings)
    verdict, page = write_report(findings, target, root)
    print(f"{verdict}\nReport: {page}")
    return sum(finding.n_bad for finding in findings)


def _checked(root, update, data):
    """Return the notebooks and the references, or say what is wrong before anything runs."""
    paths = sorted(Path(root, "notebooks").glob("[0-9]*.ipynb"))
    if not paths:
        raise FileNotFoundError(f"`root` must hold numbered notebooks in notebooks/, got {root}.")
    if data is not None and not data.is_file():
        raise FileNotFoundError(f"`data` must lead to a description of a log, got {data}.")
    if data is not None and update:
        raise ValueError(f"`update` must go without other data, got {data}.")
    return paths, _references(paths[0].parent / "figures")


def _references(folder: Path) -> dict[tuple[str, int], Drawn | None]:
    """Read the committed figures, by notebook and number; None where there is no picture."""
    found = {}
    for file in sorted(folder.glob("*")) if folder.is_dir() else []:
        if match := re.fullmatch(r"(.+)-(\d+)\.(png|json)", file.name):
            found[match[1], int(match[2])] = _read(folder, f"{match[1]}-{match[2]}")
    return found


def _read(folder: Path, name: str) -> Drawn | None:
    picture, data = folder / f"{name}.png", folder / f"{name}.json"
    if not picture.exists():
        return None
    drawn = Drawn(picture.read_bytes(), data.read_text("utf-8") if data.exists() else None)
    try:
        # Bytes that are equal would not be looked at as pictures.
        rms(drawn.png, drawn.png + b"\0")
        read_reference(drawn.data or '{"uncovered": []}')
    except (ValueError, KeyError, SyntaxError, OSError) as error:
        raise ValueError(
            f"`{picture}` and its data must be as --update writes them, found: {error}"
        ) from error
    return drawn


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
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for run in runs:
        nbformat.write(run.notebook, target / f"{run.name}.ipynb")
        for number, drawn in enumerate(run.figures, start=1):
            _write(drawn, target, f"{run.name}-{number}")


def _write(drawn: Drawn, folder: Path, name: str) -> None:
    folder.mkdir(exist_ok=True)
    Path(folder, f"{name}.png").write_bytes(drawn.png)
    data = Path(folder, f"{name}.json")
    if drawn.data:
        data.write_text(drawn.data, encoding="utf-8")
    else:
        data.unlink(missing_ok=True)


def _compare(run: Run, references: dict) -> Finding:
    drawn = dict(enumerate(run.figures, start=1))
    numbers = {number for name, number in references if name == run.name}
    figures = []
    for number in sorted(numbers.union(drawn)):
        old, new = references.get((run.name, number)), drawn.get(number)
        figures.append(Shown(f"{run.name}-{number}", judge(old, new), old, new))
    before = code_cells(run.stored)
    # What failed, and what was not run after it, is told once.
    pairs = {n: (printed(before[n - 1]), printed(cell)) for n, cell in ran(run).items()}
    cells = {number: moved_lines(*pair) for number, pair in pairs.items()}
    for number, (cell, png, mark) in enumerate(stored_figures(run.stored), start=1):
        # The picture that a reader of the notebook sees is the one that is compared.
        old = references.get((run.name, number))
        if old and (old.png, old.data and digest_in(old.data)) != (png, mark):
            lines = (f"figure {number} as stored in the notebook", "as in notebooks/figures")
            cells.setdefault(cell, []).append(lines)
    return Finding(run, figures, {number: lines for number, lines in cells.items() if lines})


def _without_notebook(references: dict, paths: list[Path]) -> list[Finding]:
    known, findings = {path.stem for path in paths}, {}
    for (name, number), old in references.items():
        if name not in known:
            empty = nbformat.v4.new_notebook()
            run = Run(paths[0].parent / f"{name}.ipynb", empty, empty)
            finding = findings.setdefault(name, Finding(run, [], {}))
            finding.figures.append(Shown(f"{name}-{number}", judge(old, None), old, None))
    return list(findings.values())


def _update(finding: Finding, folder: Path) -> None:
    run = finding.run
    if run.failure:
        print(f"{run.name}: left as it is")
        return
    if _outputs(run.stored) != _outputs(run.notebook):
        if nbformat.read(run.path, as_version=4) != run.stored:
            print(f"{run.name}: left as it is, since it was changed while it ran")
            return
        for cell, new in zip(code_cells(run.stored), code_cells(run.notebook), strict=True):
            cell.update(outputs=new.outputs, execution_count=new.execution_count)
        nbformat.write(run.stored, run.path)
        print(f"{run.path.name}: stored anew, {len(finding.cells)} cells print something else")
    for figure in finding.figures:
        print(f"{figure.name}: {figure.verdict}")
        if figure.new is None:
            for ending in ("png", "json"):
                Path(folder, f"{figure.name}.{ending}").unlink(missing_ok=True)
        elif figure.verdict.word != IDENTICAL or _digest(figure.old) != _digest(figure.new):
            _write(figure.new, folder, figure.name)


def _digest(drawn: Drawn) -> str | None:
    """Return the digest that goes with a figure, which the last digit of a number can move."""
    return drawn.data and digest_in(drawn.data)


def _outputs(notebook) -> list:
    return [(cell.execution_count, cell.outputs) for cell in code_cells(notebook)]


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
    try:
        _checked(root, asked.update, data)
    except (FileNotFoundError, ValueError) as error:
        return str(error)
    return min(reproduce(root, update=asked.update, data=data), 1)


if __name__ == "__main__":
    sys.exit(_command())
