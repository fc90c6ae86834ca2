"""What `import toolkit` costs beside `import pandas`."""

import statistics
import subprocess
import sys

_TIMED = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def import_seconds(rounds: int = 11, env: dict | None = None) -> dict[str, list[float]]:
    """Import each module in a fresh process, in turn."""
    seconds = {"pandas": [], "toolkit": []}
    for _ in range(rounds):
        for name, found in seconds.items():
            command = [sys.executable, "-c", _TIMED.format(name)]
            run = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
            found.append(float(run.stdout))
    return seconds


def import_text(seconds: dict[str, list[float]]) -> str:
    pandas, toolkit = (statistics.median(seconds[name]) for name in ("pandas", "toolkit"))
    ratios = [t / p for p, t in zip(seconds["pandas"], seconds["toolkit"], strict=True)]
    return (
        f"`import pandas` takes {pandas:.3f} s and `import toolkit` {toolkit:.3f} s: "
        f"{statistics.median(ratios):.2f} times as long (medians of {len(ratios)} fresh processes)."
    )


if __name__ == "__main__":
    print(import_text(import_seconds()))
