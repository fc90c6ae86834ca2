"""A log larger than memory: through the store and by Dask, and how much memory that takes."""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

import toolkit as tk
from benchmarks.data import AS_OF, FIRST_DAY, N_TITLES, TZ, names, titles_of, watched_days
from benchmarks.measure import environment, machine_text, write_readme

_PIECE = 10_000_000
_SECONDS_BETWEEN_LOOKS = 0.1
_ENGINES = {
    "processes 1": "one process",
    "processes 2": "two processes",
    "dask 1": "Dask, one worker",
    "dask 2": "Dask, two workers",
}
_BY_VIEWER = (tk.to_viewer_days, {"tz": TZ, "by": None})


def count_counts(counts: pd.DataFrame) -> pd.DataFrame:
    """Return how many viewers and titles have so many viewings."""
    return counts.groupby("n_viewings").size().reset_index(name="n_pairs")


def add_up(parts: pd.DataFrame) -> pd.DataFrame:
    return parts.groupby("n_viewings", as_index=False).sum()


QUESTIONS = {
    "streaks": ([_BY_VIEWER, (tk.find_streaks, {"as_of": AS_OF})], None),
    "streaks by title, counted": (
        [
            (tk.to_viewer_days, {"tz": TZ, "by": "title"}),
            (tk.find_streaks, {"as_of": AS_OF}),
            tk.count_streaks,
        ],
        None,
    ),
    "weekly retention": ([_BY_VIEWER, (tk.retention, {"as_of": AS_OF})], None),
    "rewatch counts": ([tk.to_viewings, tk.count_viewings, count_counts], add_up),
}


def write_plays(path: Path, rows: int) -> None:
    """Write simulated plays into one Parquet file, ten million at a time."""
    titles, writer = names("title", N_TITLES), None
    for piece, start in enumerate(range(0, rows, _PIECE)):
        size = min(_PIECE, rows - start)
        rng = np.random.default_rng([20171210, piece])
        viewer, day = watched_days(rng, size // 2)
        row = np.repeat(np.arange(len(day)), rng.geometric(1 / 3, len(day)))[:size]
        viewer, day = viewer[row], day[row]
        evening = rng.normal(1.5, 4, size) * 3_600_000_000
        started = (FIRST_DAY.astype("int64") + day) * 86_400_000_000 + evening.astype("int64")
        viewers = names(f"viewer {piece} ", int(viewer.max()) + 1)
        table = pa.table(
            {
                "viewer": pa.DictionaryArray.from_arrays(viewer, viewers),
                "title": pa.DictionaryArray.from_arrays(titles_of(rng, viewer), titles),
                "started_at": pa.array(started).cast(pa.timestamp("us", "UTC")),
                "watched_seconds": np.round(rng.gamma(2, 1800, size)),
            }
        )
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    writer.close()


def watched(work) -> dict:
    """Return the seconds that work takes and the most memory of this process and its children.

    Memory that processes share is counted once (PSS, as Linux reports it).
    """
    me, peak, over = psutil.Process(), [0], threading.Event()

    def look() -> None:
        while not over.wait(_SECONDS_BETWEEN_LOOKS):
            peak[0] = max(peak[0], sum(map(_pss, [me, *me.children(recursive=True)])))

    looking = threading.Thread(target=look)
    looking.start()
    start = time.perf_counter()
    try:
        work()
    finally:
        seconds = time.perf_counter() - start
        over.set()
        looking.join()
    return {"seconds": seconds, "peak": peak[0]}


def _pss(process: psutil.Process) -> int:
    try:
        return process.memory_full_info().pss
    except psutil.Error:
        return 0


def _part(what: str, folder: Path, argument: str) -> dict:
    plays, store = folder / "plays.parquet", folder / "store"
    if what == "plays":
        write_plays(plays, int(argument))
        return {"bytes": plays.stat().st_size}
    if what == "store":
        measured = watched(lambda: tk.write_store(plays, store))
        size = sum(file.stat().st_size for file in store.iterdir())
        return measured | {"bytes": size, "n_buckets": tk.open_store(store).n_buckets}
    steps, combine = QUESTIONS[argument]
    opened, n_workers = tk.open_store(store), int(what[-1])
    run = partial(tk.run, opened, steps, combine=combine, progress=False)
    if what.startswith("processes"):
        return watched(partial(run, n_workers=n_workers))
    from distributed import Client, LocalCluster

    workers = {"n_workers": n_workers, "threads_per_worker": 1}
    with LocalCluster(dashboard_address=":0", **workers) as cluster, Client(cluster):
        return watched(partial(run, engine="dask"))


def _fresh(*arguments: str) -> dict:
    command = [sys.executable, "-m", "benchmarks.scale", "--part", *arguments]
    run = subprocess.run(command, env=environment(), check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(run.stdout)
    print(*arguments, found, file=sys.stderr)
    return found


def text_of(rows: int, plays: dict, store: dict, whole: dict, part: dict) -> str:
    """Return the Markdown tables: all rows by two processes, a tenth of them by all engines."""
    wrote = f"writing the store, {store['n_buckets']} buckets, {store['bytes'] / 1e9:.1f} GB"
    lines = [
        f"{rows:,} simulated plays in one Parquet file of {plays['bytes'] / 1e9:.1f} GB; two "
        f"processes.  {machine_text()}",
        "",
        "| | seconds | peak memory, MB |",
        "|---|---:|---:|",
        *(
            f"| {name} | {found['seconds']:.0f} | {found['peak'] / 1e6:,.0f} |"
            for name, found in {wrote: store, **whole}.items()
        ),
        "",
        f"A tenth of them, seconds (peak memory, MB), of the store of {rows // 10:,} plays:",
        "",
        f"| | {' | '.join(_ENGINES.values())} |",
        f"|---|{'---:|' * len(_ENGINES)}",
    ]
    for name, found in part.items():
        cells = [f"{one['seconds']:.1f} ({one['peak'] / 1e6:,.0f})" for one in found]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale")
    parser.add_argument("--rows", type=int, default=200_000_000)
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        what, folder, argument = options.part
        print(json.dumps(_part(what, Path(folder), argument)))
        return
    with tempfile.TemporaryDirectory() as folder:
        plays = _fresh("plays", folder, str(options.rows))
        store = _fresh("store", folder, "")
        whole = {name: _fresh("processes 2", folder, name) for name in QUESTIONS}
    with tempfile.TemporaryDirectory() as folder:
        _fresh("plays", folder, str(options.rows // 10))
        _fresh("store", folder, "")
        part = {name: [_fresh(engine, folder, name) for engine in _ENGINES] for name in QUESTIONS}
    text = text_of(options.rows, plays, store, whole, part)
    print(text)
    if options.rows == parser.get_default("rows"):
        write_readme(text, "scale")


if __name__ == "__main__":
    main()
