"""The same question in several engines: equal answers first, then turns in fresh processes.

A module that asks has `QUESTIONS`, by heading, and hands them to `main`.  Each measurement is
a process that runs this module.
"""

import argparse
import ctypes
import gc
import hashlib
import importlib
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
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.data import write_data

README = Path(__file__).with_name("README.md")
# What takes longer than this is run twice.
_LONG_SECONDS = 3
_TURNS = 5


class Question(NamedTuple):
    """What is asked of which columns, who is asked, and how any answer becomes numbers."""

    source: str
    columns: tuple[str, ...]
    # A function that makes the engine's own table of the columns, and one that answers.
    competitors: dict[str, tuple[Callable, Callable]]
    numbers: Callable[[object], list[np.ndarray]]
    found: str
    # The columns that memory is compared with.
    asked: tuple[str, ...]


def main(module: str, section: str, questions: dict[str, Question], more: Callable = str) -> None:
    """Ask, print the tables and write them into README.md, with what `more` returns below."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write README.md at any size")
    options = parser.parse_args()
    tables = []
    with tempfile.TemporaryDirectory() as folder:
        fresh("write", folder, str(options.rows))
        for name, question in questions.items():
            measured = _compare(module, name, question, folder, options.rounds)
            tables.append(table_text(name, question, measured))
            print(tables[-1])
    if rest := more():
        tables.append(rest)
        print(rest)
    if options.rows == parser.get_default("rows") or options.write:
        write_readme(
            f"{options.rows:,} rows, medians of {options.rounds} rounds.  {machine_text()}\n\n"
            + "\n".join(tables),
            section,
        )


def _compare(module: str, name: str, question: Question, folder: str, rounds: int) -> dict:
    """Return seconds and memory of every competitor, who take turns, once all agree."""
    who = list(question.competitors)
    measured = {one: fresh("check", folder, module, name, one) for one in who}
    if len({found["digest"] for found in measured.values()}) > 1:
        found = {one: (found["n"], found["digest"][:8]) for one, found in measured.items()}
        raise ValueError(f"Every competitor must find the same {question.found}, found {found}.")
    for found in measured.values():
        found["seconds"] = []
    for n in range(rounds):
        for one in who[n % len(who) :] + who[: n % len(who)]:
            taken = fresh("time", folder, module, name, one)
            measured[one]["seconds"].append(taken["seconds"])
    return measured


def table_text(name: str, question: Question, measured: dict[str, dict]) -> str:
    """Return one question's Markdown table."""
    ours, input_size = measured["toolkit"], measured["toolkit"]["input"]
    lines = [
        f"### {name}",
        "",
        f"{ours['n']:,} {question.found}; the input's columns take {input_size / 1e6:,.0f} MB.",
        "",
        "| | seconds | times the toolkit's | peak memory, MB | times the input's |",
        "|---|---:|---:|---:|---:|",
    ]
    for one, found in measured.items():
        pairs = zip(found["seconds"], ours["seconds"], strict=True)
        ratio = statistics.median(theirs / own for theirs, own in pairs)
        lines.append(
            f"| {one} | {statistics.median(found['seconds']):.3f} | {ratio:.2f} "
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


def environment() -> dict[str, str]:
    """Return the environment of a measurement."""
    # Wrong guesses about the processor slow numpy down; zone rules are the pinned ones.
    slow = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
    return {k: v for k, v in os.environ.items() if k not in slow} | {"PYTHONTZPATH": ""}


def fresh(*arguments: str) -> dict:
    """Return what a process of its own measures: "write", "check" or "time"."""
    command = [sys.executable, "-m", "benchmarks.measure", *arguments]
    run = subprocess.run(command, env=environment(), check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(run.stdout)


def _part(what: str, folder: str, *arguments: str) -> dict:
    if what == "write":
        write_data(Path(folder), int(arguments[0]))
        return {}
    module, name, one = arguments
    question = importlib.import_module(module).QUESTIONS[name]
    make_table, find = question.competitors[one]
    table = make_table(
        {
            column: np.load(Path(folder, question.source, f"{column}.npy"))
            for column in question.columns
        }
    )
    if what == "time":
        return {"seconds": seconds_of(find, table)}
    peak, result = peak_of(find, table)
    numbers = question.numbers(result)
    digest = hashlib.sha256(b"".join(column.tobytes() for column in numbers)).hexdigest()
    checked = {"digest": digest, "n": len(numbers[0]), "peak": peak}
    if one == "toolkit":
        checked["input"] = int(table[list(question.asked)].memory_usage(index=False).sum())
    return checked


def seconds_of(find: Callable, table) -> float:
    """Return how long an answer takes: the best turn but the first, which sets things up."""
    turns = _TURNS if _seconds(find, table) < _LONG_SECONDS else 2
    return min(_seconds(find, table) for _ in range(turns - 1))


def peak_of(find: Callable, table) -> tuple[int, object]:
    """Return the bytes that an answer adds to the process at its peak (Linux), and the answer."""
    # Give back what loading left over, and forget its peak.
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _memory("VmRSS")
    result = find(table)
    return _memory("VmHWM") - before, result


def _seconds(find: Callable, table) -> float:
    gc.collect()
    start = time.perf_counter()
    find(table)
    return time.perf_counter() - start


def _memory(name: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) * 1024


if __name__ == "__main__":
    print(json.dumps(_part(*sys.argv[1:])))
