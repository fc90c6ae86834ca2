"""How the toolkit's time and memory grow, from a log of one million rows to one of a hundred."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

import toolkit as tk
from benchmarks.data import AS_OF, TZ, write_data
from benchmarks.engines import pandas_table
from benchmarks.measure import environment, machine_text, peak_of, seconds_of, write_readme

PLOT = Path(__file__).with_name("growth.png")
SIZES = (1_000_000, 3_000_000, 10_000_000, 30_000_000, 100_000_000)
_PIECE = 10_000_000
_TURNS = 3
_COLUMNS = {
    "viewer_days": {"viewer": "int32", "day": "int64"},
    "plays": {
        "viewer": "int32",
        "title": "int32",
        "started_at": "int64",
        "watched_seconds": "float64",
    },
}


def _to_days(plays: pd.DataFrame) -> pd.DataFrame:
    return tk.to_viewer_days(plays, tz=TZ, by=None)


QUESTIONS = {
    "viewer-days to streaks": ("viewer_days", lambda days: tk.find_streaks(days, as_of=AS_OF)),
    "viewer-days to retention": ("viewer_days", lambda days: tk.retention(days, as_of=AS_OF)),
    "plays to streaks": ("plays", lambda plays: tk.find_streaks(_to_days(plays), as_of=AS_OF)),
    "plays to retention": ("plays", lambda plays: tk.retention(_to_days(plays), as_of=AS_OF)),
    "plays to viewings": ("plays", tk.to_viewings),
    "plays to rewatch counts": ("plays", lambda plays: tk.count_viewings(tk.to_viewings(plays))),
}


def write_long(folder: Path, rows: int) -> None:
    """Write columns in canonical order, ten million rows at a time; the first are a smaller log."""
    n_viewers = dict.fromkeys(_COLUMNS, 0)
    for start in range(0, rows, _PIECE):
        with tempfile.TemporaryDirectory(dir=folder) as piece:
            write_data(Path(piece), min(_PIECE, rows - start), seed=start)
            for source, columns in _COLUMNS.items():
                for column, dtype in columns.items():
                    values = np.load(Path(piece, source, f"{column}.npy")).astype(dtype)
                    if column == "viewer":
                        values += n_viewers[source]
                        n_viewers[source] = int(values[-1]) + 1
                    with (folder / f"{source}.{column}").open("ab") as file:
                        values.tofile(file)


def _part(folder: str, name: str, rows: str) -> dict:
    source, ask = QUESTIONS[name]
    table = pandas_table(
        {
            column: np.fromfile(Path(folder, f"{source}.{column}"), dtype, count=int(rows))
            for column, dtype in _COLUMNS[source].items()
        }
    )
    peak, found = peak_of(ask, table)
    del found
    size = int(table.memory_usage(index=False).sum())
    # However long it takes: memory that no process has used before is slow to come by.
    seconds = min(seconds_of(ask, table) for _ in range(_TURNS))
    return {"peak": peak, "input": size, "seconds": seconds}


def _fresh(*arguments: str) -> dict:
    command = [sys.executable, "-m", "benchmarks.growth", "--part", *arguments]
    run = subprocess.run(command, env=environment(), check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(run.stdout)


def text_of(found: pd.DataFrame, rounds: int) -> str:
    """Return the Markdown table: nanoseconds a row, and memory beside the input's."""
    sizes = found["rows"].unique()
    head = " | ".join(f"{size / 1e6:,.0f} M" for size in sizes)
    lines = [
        f"Nanoseconds a row, medians of {rounds} rounds; in brackets the peak memory, in times "
        f"that of the input's columns.  {machine_text()}",
        "",
        f"| | {head} |",
        f"|---|{'---:|' * len(sizes)}",
    ]
    for name, cells in found.groupby("question", sort=False):
        cells = [f"{c.nanoseconds:.1f} ({c.memory:.1f})" for c in cells.itertuples()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n\n![Time and memory by the size of the log](growth.png)\n"


def draw(found: pd.DataFrame, path: Path) -> None:
    """Draw time and memory a row by the size of the log; level lines are linear growth."""
    sns.set_theme("paper", "whitegrid", "colorblind")
    figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    said = {"nanoseconds": "Nanoseconds a row", "memory": "Peak memory, times the input's"}
    for ax, (column, label) in zip(axes, said.items(), strict=True):
        shown = {"x": "rows", "y": column, "hue": "question", "legend": ax is axes[0]}
        sns.lineplot(found, **shown, marker="o", ax=ax)
        ax.set(xscale="log", xlabel="Rows", ylabel=label, ylim=(0, None))
    sizes = found["rows"].unique()
    # Through the costliest where small logs no longer cost more than their rows.
    middle = sizes[len(sizes) // 2]
    per_row = found.loc[found["rows"] == middle, "nanoseconds"].max()
    growth = per_row * np.log(sizes) / np.log(middle)
    axes[0].plot(sizes, growth, color="0.5", linestyle="--", label="n log n")
    axes[0].legend(fontsize="small")
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth")
    parser.add_argument("--rows", type=int, default=SIZES[-1], help="of the largest log")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(_part(*options.part)))
        return
    sizes, rows = [size for size in SIZES if size <= options.rows], []
    with tempfile.TemporaryDirectory() as folder:
        write_long(Path(folder), sizes[-1])
        for name in QUESTIONS:
            for size in sizes:
                taken = [_fresh(folder, name, str(size)) for _ in range(options.rounds)]
                rows.append(
                    {
                        "question": name,
                        "rows": size,
                        "nanoseconds": np.median([one["seconds"] for one in taken]) / size * 1e9,
                        "memory": np.median([one["peak"] / one["input"] for one in taken]),
                    }
                )
                print(rows[-1])
    found = pd.DataFrame(rows)
    text = text_of(found, options.rounds)
    print(text)
    if options.rows == parser.get_default("rows"):
        draw(found, PLOT)
        write_readme(text, "growth")


if __name__ == "__main__":
    main()
