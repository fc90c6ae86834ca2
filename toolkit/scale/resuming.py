"""What is done of a run, kept in a folder so that it can go on after an interruption."""

import hashlib
import io
import pickletools
import sys
from collections import ChainMap
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import CodeType
from typing import ClassVar

import pandas as pd
import pyarrow as pa

from toolkit.scale.steps import Plan
from toolkit.store import Store
from toolkit.store.files import from_parquet, kinds_of, to_parquet

__all__ = ["Done"]

_PACKAGE = Path(__file__).parents[1]


class Done:
    """The tables of parts that are done, in a folder; those of other runs are left alone."""

    def __init__(self, folder: Path, store: Store, plan: Plan):
        """Stand for what is there of a run of these steps over a store as it is."""
        self._folder, self._kinds = folder, kinds_of(plan.empty)
        _require_keepable(plan.empty)
        self._name = hashlib.sha256(store.fingerprint.encode() + _digest_of(plan)).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)

    def tables(self) -> Iterator[tuple[int, pd.DataFrame]]:
        """Yield the number and the table of each part that is done."""
        for path in sorted(self._folder.glob(f"{self._name}-*.parquet")):
            _, number, digest = path.stem.split("-")
            data = path.read_bytes()
            # One that is not as it was written is computed again.
            if hashlib.sha256(data).hexdigest().startswith(digest):
                yield int(number), from_parquet([data], self._kinds)

    def keep(self, number: int, table: pd.DataFrame) -> None:
        """Save the table of a part, whole or not at all."""
        data = to_parquet(table)
        digest = hashlib.sha256(data).hexdigest()[:16]
        path = self._folder / f"{self._name}-{number:05d}-{digest}.parquet"
        draft = path.with_suffix(".new")
        draft.write_bytes(data)
        draft.replace(path)

    def clear(self) -> None:
        """Remove what this run has kept."""
        for path in self._folder.glob(f"{self._name}-*"):
            path.unlink(missing_ok=True)


def _require_keepable(empty: pd.DataFrame) -> None:
    kinds = kinds_of(empty)
    try:
        is_kept = kinds_of(from_parquet([to_parquet(empty)], kinds)) == kinds
    except (ValueError, KeyError, pa.ArrowException):
        is_kept = False
    if not is_kept or "object" in kinds.values():
        raise ValueError(
            "`resume_in` must go with steps that give columns as Parquet keeps them, named in "
            f"text, found {kinds}."
        )


def _digest_of(plan: Plan) -> bytes:
    """Return a digest that changes when the steps, their arguments or their code do."""
    pickled = _pickled(plan)
    digest = hashlib.sha256(pickled)
    for name in ("numpy", "pandas", "pyarrow"):
        digest.update(version(name).encode())
    files = {*_PACKAGE.rglob("*.py")}
    # A function of a notebook is in the pickle, one of a module only by name.
    words = {word for _, word, _ in pickletools.genops(pickled) if isinstance(word, str)}
    for name in words & sys.modules.keys() - {"__main__"}:
        if path := getattr(sys.modules[name], "__file__", None):
            files.add(Path(path))
    for path in sorted(files):
        digest.update(path.read_bytes())
    return digest.digest()


def _pickled(plan: Plan) -> bytes:
    """Return a plan as bytes that are the same in another process, or another notebook."""
    import cloudpickle

    class Pickler(cloudpickle.Pickler):
        dispatch_table: ClassVar = ChainMap(
            {CodeType: _reduced}, cloudpickle.Pickler.dispatch_table
        )

    buffer = io.BytesIO()
    Pickler(buffer).dump(plan)
    return buffer.getvalue()


def _reduced(code: CodeType) -> tuple:
    """Return what code does: not where it stands, nor in which order a set has its values."""
    values = [sorted(map(repr, v)) if isinstance(v, frozenset) else v for v in code.co_consts]
    names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
    counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags
    return tuple, ((code.co_code, code.co_exceptiontable, *counts, *names, *values),)
