"""A whole study in one process, which catches every file that is changed, moved or removed.

It is run with a folder that holds the exports; what it writes lies in the others.  Names of
people come from there, so that none is in the lines that a traceback shows.
"""

import base64
import contextlib
import gzip
import json
import logging
import os
import pickle
import shutil
import sys
import traceback
from pathlib import Path

ROOT = Path(sys.argv[1])
EXPORTS, CAUGHT = ROOT / "exports", ROOT / "caught"
ASKED = json.loads((EXPORTS / "asked.json").read_text())
written, busy = set(), []


def catch(event, args):
    if busy or event not in ("open", "os.remove", "os.rename"):
        return
    busy.append(event)
    with contextlib.suppress(OSError, ValueError, TypeError):
        path = Path(os.fsdecode(args[0]))
        if event == "open":
            is_changed = isinstance(args[1], str) and set(args[1]) & set("wax+")
            if is_changed or args[2] & (os.O_WRONLY | os.O_RDWR):
                written.add(os.path.abspath(path))
        else:
            # Before it is gone.
            shutil.copy(path, CAUGHT / f"{len(list(CAUGHT.iterdir()))} {path.name[-40:]}")
    busy.clear()


def attempt(step, *args, **options):
    """Do what is refused, and let everything be seen of it."""
    try:
        step(*args, **options)
    except Exception:
        traceback.print_exc()
        logging.exception("refused")
    else:
        raise AssertionError("This should have been refused.")


def main():
    import toolkit as tk
    from toolkit.privacy.study import open_study

    logging.basicConfig(filename="study.log", level=logging.DEBUG)
    study = open_study("rewatch", purpose="comfort titles", folder=ROOT / "study")
    for name, reading in ASKED["loads"]:
        study.load(EXPORTS / name, **reading)
    for name, reading in ASKED["bad loads"]:
        attempt(study.load, EXPORTS / name, **reading)
    plays = study.plays()
    print(plays, repr(study), study.ledger, plays.attrs)
    ids = sorted({*plays["viewer"].dropna(), *plays["account"].dropna()})
    (EXPORTS / "pseudonyms.json").write_text(json.dumps(ids))
    if len(sys.argv) > 2:
        leak(plays, ids)
    released = study.release(tk.to_viewer_days(plays, tz="UTC"), by="title", why="Figure 2")
    chart = released.chart()
    print(released, chart)
    released.to_csv("table.csv")
    released.table.to_parquet("table.parquet")
    released.table.to_pickle("table.pkl")
    Path("held.pkl").write_bytes(pickle.dumps([study, released, chart]))
    Path("table.html").write_text(released._repr_html_())
    attempt(study.release, plays, by="account", why="Figure 3")
    attempt(study.release, plays, by="title", why=ASKED["name"])
    attempt(open_study, "rewatch", purpose=ASKED["name"], folder=ROOT / "study")
    attempt(study.forget, "nobody of them")
    study.forget(ASKED["account"])
    notebook = json.loads((EXPORTS / "paper.ipynb").read_text())
    data = {"text/html": released._repr_html_(), "text/plain": repr(released)}
    shown = [{"text/html": plays.head()._repr_html_(), "text/plain": str(ids)}, data]
    shown += [{"image/png": base64.b64encode(chart.png).decode() + "\n", "text/plain": repr(chart)}]
    for cell, part in zip(notebook["cells"], shown, strict=True):
        cell["outputs"] = [{"output_type": "display_data", "data": part, "metadata": {}}]
    (EXPORTS / "paper.ipynb").write_text(json.dumps(notebook))
    print(study.publish(EXPORTS / "paper.ipynb", to=ROOT / "public"))
    study.accesses().to_csv("accesses.csv")


def leak(plays, ids):
    """Leak in each way that the hunt has to find."""
    draft = Path(os.environ["TMPDIR"]) / "draft.parquet"
    plays.to_parquet(draft)
    draft.unlink()
    Path("spill.bin").write_bytes(gzip.compress(pickle.dumps(ids)))
    logging.info(base64.b64encode(ASKED["name"].encode()).decode())
    sys.stderr.write(ASKED["name"])
    Path("wide.txt").write_text(ASKED["name"], encoding="utf-16")
    # A table of one person keeps the names of all.
    plays.head(1)[["viewer"]].to_parquet("one.parquet")


CAUGHT.mkdir()
sys.addaudithook(catch)
main()
sys.stdout.flush()
(EXPORTS / "written.json").write_text(json.dumps(sorted(written)))
