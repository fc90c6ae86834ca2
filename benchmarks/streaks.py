"""Time streaks against pandas, Polars, DuckDB and chDB, and write benchmarks/README.md."""

import argparse
import ctypes
import gc
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.data import write_data
from benchmarks.imports import import_seconds, import_text

README = Path(__file__).with_name("README.md")
NAMES = [
    "toolkit",
    *(
        f"{engine}, {how}"
        for engine in ("pandas", "Polars", "DuckDB", "chDB")
        for how in ("published", "expert")
    ),
]
# The folder of the columns, those that are used, and what tells streaks apart.
SCENARIOS = {
    "viewer-days to streaks": ("viewer_days", ("viewer", "day"), ("viewer",)),
    "plays to streaks": ("plays", ("viewer", "title", "started_at"), ("viewer",)),
    "plays to streaks, by title": (
        "plays",
        ("viewer", "title", "started_at"),
        ("viewer", "title"),
    ),
    "shuffled plays to streaks": ("shuffled", ("viewer", "title", "started_at"), ("viewer",)),
    "shuffled plays to streaks, by title": (
        "shuffled",
        ("viewer", "title", "started_at"),
        ("viewer", "title"),
    ),
}
_WARM_BELOW_SECONDS = 3


def compare(rows: int, rounds: int, say=print) -> dict[str, dict[str, dict]]:
    """Return seconds and memory of every competitor, once all agree on the streaks.

    Each measurement is a fresh process; the competitors take turns within a round.
    """
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        _fresh("write", folder, str(rows))
        for scenario in SCENARIOS:
            checked = {name: _fresh("check", folder, scenario, name) for name in NAMES}
            if len({found["digest"] for found in checked.values()}) > 1:
                found = {name: (c["n_streaks"], c["digest"][:8]) for name, c in checked.items()}
                raise ValueError(f"Every competitor must find the same streaks, found {found}.")
            for found in checked.values():
                found["seconds"] = []
            for n in range(rounds):
                for name in NAMES[n % len(NAMES) :] + NAMES[: n % len(NAMES)]:
                    taken = _fresh("time", folder, scenario, name)["seconds"]
                    checked[name]["seconds"].append(taken)
            results[scenario] = checked
            say(table_text(scenario, checked))
    return results


def table_text(scenario: str, measured: dict[str, dict]) -> str:
    """Return one scenario's Markdown table."""
    ours = measured["toolkit"]["seconds"]
    input_size = measured["toolkit"]["input"]
    lines = [
        f"### {scenario[0].upper()}{scenario[1:]}",
        "",
        f"{measured['toolkit']['n_streaks']:,} streaks; the input's columns take "
        f"{input_size / 1e6:,.0f} MB.",
        "",
        "| | seconds | times the toolkit's | peak memory, MB | times the input's |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, found in measured.items():
        ratio = statistics.median(s / o for s, o in zip(found["seconds"], ours, strict=True))
        lines.append(
            f"| {name} | {statistics.median(found['seconds']):.3f} | {ratio:.2f} "
            f"| {found['peak'] / 1e6:,.0f} | {found['peak'] / input_size:.2f} |"
        )
    return "\n".join(lines) + "\n"


def machine_text() -> str:
    """Describe the processor, the memory and the versions."""
    info = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.*)", info.read_text()) if info.exists() else None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ("numpy", "pandas", "pyarrow", "polars", "duckdb", "chdb")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    return (
        f"{model[1] if model else platform.processor()}, {os.cpu_count()} cores, "
        f"{memory:.0f} GiB; {platform.system()}, Python {platform.python_version()}, {versions}."
    )


def write_readme(text: str, section: str) -> None:
    """Put the text between the two markers of a section."""
    start, end = f"<!-- {section} -->\n", f"<!-- end of {section} -->"
    before, rest = README.read_text(encoding="utf-8").split(start)
    after = rest.split(end)[1]
    README.write_text(f"{before}{start}\n{text}\n{end}{after}", encoding="utf-8")


def _fresh(*arguments: str) -> dict:
    command = [sys.executable, "-m", "benchmarks.streaks", *("--part", *arguments)]
    run = subprocess.run(command, env=_environment(), check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(run.stdout)


def _environment() -> dict[str, str]:
    # Wrong guesses about the processor slow numpy down; zone rules are the pinned ones.
    slow = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
    return {k: v for k, v in os.environ.items() if k not in slow} | {"PYTHONTZPATH": ""}


def _part(what: str, folder: str, *arguments: str) -> dict:
    if what == "write":
        write_data(Path(folder), int(arguments[0]))
        return {}
    from benchmarks.competitors import COMPETITORS, arrays

    scenario, name = arguments
    source, used, ids = SCENARIOS[scenario]
    make_table, find = COMPETITORS[name]
    table = make_table({c: np.load(Path(folder, source, f"{c}.npy")) for c in used})
    if what == "time":
        seconds = _seconds(find, table, ids)
        if seconds < _WARM_BELOW_SECONDS:
            seconds = min(_seconds(find, table, ids) for _ in range(2))
        return {"seconds": seconds}

    _settle()
    before = memory("VmRSS")
    result = find(table, ids)
    peak = memory("VmHWM") - before
    found = arrays(result, ids)
    digest = hashlib.sha256(b"".join(column.tobytes() for column in found)).hexdigest()
    checked = {"digest": digest, "n_streaks": len(found[0]), "peak": peak}
    if name == "toolkit":
        checked["input"] = int(table[[*ids, used[-1]]].memory_usage(index=False).sum())
    return checked


def _seconds(find, table, ids: tuple) -> float:
    gc.collect()
    start = time.perf_counter()
    find(table, ids)
    return time.perf_counter() - start


def _settle() -> None:
    """Give back what loading left over, and forget its peak (Linux)."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def memory(name: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write README.md at any size")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(_part(*options.part)))
        return
    results = compare(options.rows, options.rounds)
    imports = import_text(import_seconds(max(11, options.rounds), _environment()))
    print(imports)
    if options.rows == parser.get_default("rows") or options.write:
        tables = "\n".join(table_text(*item) for item in results.items())
        write_readme(
            f"{options.rows:,} rows, medians of {options.rounds} rounds.  {machine_text()}\n\n"
            f"{tables}\n### Import\n\n{imports}\n",
            "streaks",
        )


if __name__ == "__main__":
    main()
