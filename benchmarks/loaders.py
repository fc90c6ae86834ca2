"""Time a folder of 1,000 simulated donations beside a bare loop of `pandas.read_csv`."""

import argparse
import csv
import io
import statistics
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measure import write_readme
from toolkit.loaders import load_plays

_HEADER = [
    "Profile Name", "Start Time", "Duration", "Attributes", "Title", "Supplemental Video Type",
    "Device Type", "Bookmark", "Latest Bookmark", "Country",
]  # fmt: skip
_EMPTY = "We found no information for this table."
_TABLES = [
    "ACCOUNT/ExtraMembers", "CLICKSTREAM/Clickstream", "CONTENT_INTERACTION/Ratings",
    "CONTENT_INTERACTION/MyList", "CUSTOMER_SERVICE/CSContact", "DEVICES/Devices",
    "GAMES/GamePlaySession", "MESSAGES/MessagesSentByNetflix", "SURVEYS/ProductCancellationSurvey",
]  # fmt: skip


def write_donations(folder: Path, n_exports: int, n_rows: int) -> tuple[Path, list[Path]]:
    """Write simulated Netflix exports as zips, and their viewing activity unzipped beside."""
    rng = np.random.default_rng(5)
    zips, plain = folder / "donations", []
    zips.mkdir()
    titles = np.array(_titles())
    for n in range(n_exports):
        text = _activity(rng, titles, n_rows)
        plain.append(folder / f"{n:04}.csv")
        plain[-1].write_text(text, encoding="utf-8", newline="")
        with zipfile.ZipFile(zips / f"donor_{n:04}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("CONTENT_INTERACTION/ViewingActivity.csv", text)
            for name in _TABLES:
                archive.writestr(f"{name}.txt", _EMPTY)
            archive.writestr("Cover Sheet.pdf", b"%PDF-1.4")
    return zips, plain


def compare(n_exports: int, n_rows: int, rounds: int) -> str:
    """Return the sentence of the README; loading must keep every row."""
    with tempfile.TemporaryDirectory() as folder:
        zips, plain = write_donations(Path(folder), n_exports, n_rows)
        taken = {"toolkit": [], "pandas": []}
        # The first round also imports, and is not counted.
        for _ in range(rounds + 1):
            start = time.perf_counter()
            n_read = sum(len(pd.read_csv(path)) for path in plain)
            taken["pandas"].append(time.perf_counter() - start)
            start = time.perf_counter()
            plays = load_plays(zips, key=bytes(32), progress=False, report=lambda table: None)
            taken["toolkit"].append(time.perf_counter() - start)
            if len(plays) != n_read or plays["account"].nunique() != n_exports:
                raise ValueError(f"Every row must be there, found {len(plays)} of {n_read}.")
    ratio = statistics.median(
        ours / theirs
        for ours, theirs in zip(taken["toolkit"][1:], taken["pandas"][1:], strict=True)
    )
    ours, theirs = (statistics.median(taken[name][1:]) for name in ("toolkit", "pandas"))
    return (
        f"`load_plays` on a folder of {n_exports:,} simulated Netflix zips, "
        f"{n_exports * n_rows:,} rows in all, takes {ours:.1f} s, checks, titles, pseudonyms and "
        f"order included; a bare loop of `pandas.read_csv` over the same files unzipped takes "
        f"{theirs:.1f} s: {ratio:.1f} times as long (medians of {rounds} rounds, after one "
        "that is not counted)."
    )


def _titles() -> list[str]:
    episodes = [
        f"The Show of {show}: Season {season}: Part of {episode} (Episode {episode})"
        for show in range(300)
        for season in range(1, 4)
        for episode in range(1, 11)
    ]
    return episodes + [f"The Film of {film}" for film in range(3000)]


def _activity(rng: np.random.Generator, titles: np.ndarray, n_rows: int) -> str:
    seconds = np.sort(rng.integers(1_500_000_000, 1_700_000_000, n_rows))[::-1]
    starts = seconds.astype("datetime64[s]").astype(object)
    lasted, until = rng.integers(1, 9000, n_rows), rng.integers(1, 9000, n_rows)
    some = titles[rng.integers(0, len(titles), n_rows)]
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_HEADER)
    for start, last, end, title, luck in zip(
        starts, lasted, until, some, rng.random((n_rows, 2)), strict=True
    ):
        rows.writerow(
            [
                "Ann", start, _clock(last),
                "Autoplayed: user action: None; " if luck[0] < 0.3 else "", title,
                "TRAILER" if luck[1] < 0.1 else "", "Chrome PC (Cadmium)", _clock(end),
                "Not latest view", "NL (Netherlands)",
            ]
        )  # fmt: skip
    return text.getvalue()


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exports", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    text = compare(options.exports, options.rows, options.rounds)
    print(text)
    if options.exports == parser.get_default("exports"):
        write_readme(text, "loaders")


if __name__ == "__main__":
    main()
