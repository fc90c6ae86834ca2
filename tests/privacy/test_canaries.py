"""Invented people with unmistakable names, who are hunted for in all that a study writes."""

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import nbformat
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from .leaky import _inside
from .logs import log, netflix

ROOT = Path(__file__).parents[2]
# Parts of e-mail addresses, accounts, profiles, exports, and of what lies in them.
CANARIES = [
    "quillfeather", "773100524418", "brackwater", "wimberly", "zorndyke", "pemberstone",
    "tamsinlake", "oglethwaite", "hartlepoole", "vexworthy",
]  # fmt: skip
NAME = "quillfeather-03@example.org"
PSEUDONYM = re.compile(rb"(?<![a-z0-9])[av]_[a-z2-7]{16}(?![a-z0-9])")


def zipped(path, **files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as held:
        for name, text in files.items():
            held.writestr(name.replace("__", "/") + ".csv", text)


def exports(folder):
    """Fill a folder with exports of several kinds, good and bad; return what to do with them."""
    folder.mkdir()
    activity = "Zorndyke 1__CONTENT_INTERACTION__ViewingActivity"
    views = netflix(("Brackwater", "Heat"), ("Oglethwaite", "Up"), ("Brackwater", "Up"))
    zipped(folder / "Wimberly home.zip", **{activity: views, "Zorndyke 1__Hartlepoole": "a,b\n"})
    people = [f"quillfeather-{n:02}@example.org" for n in range(12)]
    table = log(people).assign(account=[f"773100524418{n // 2:02}" for n in range(24)])
    table.to_csv(folder / "log of Vexworthy.csv", index=False)
    table.assign(started_at="Quillfeather's").to_csv(folder / "bad log.csv", index=False)
    log([f"pemberstone {n}" for n in range(12)], titles=["Fog", "Rain"]).assign(
        note="Hartlepoole"
    ).to_parquet(folder / "Vexworthy.parquet")
    donors = folder / "Tamsinlake donors"
    donors.mkdir()
    (donors / "Wimberly 2.csv").write_text(netflix(("Oglethwaite", "Heat")))
    (donors / "Vexworthy home.csv").write_text(views.replace("Heat", "Fog"))
    (donors / "Hartlepoole.zip").write_bytes(b"PK\3\4 Hartlepoole")
    (folder / "Wimberly bad.zip").write_bytes(b"PK\3\4 Wimberly")
    cells = [nbformat.v4.new_code_cell(source) for source in ("plays.head()", "released", "chart")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "paper.ipynb")
    columns = {name: name for name in ("viewer", "account", "title", "started_at")}
    reading = {"columns": columns | {"watched_seconds": "watched_seconds"}}
    asked = {
        "name": NAME,
        "account": "77310052441803",
        "loads": [
            ["Wimberly home.zip", {}],
            ["log of Vexworthy.csv", reading],
            ["Tamsinlake donors", {}],
            ["Vexworthy.parquet", {}],
        ],
        "bad loads": [
            ["Wimberly bad.zip", {}],
            ["Tamsinlake none.zip", {}],
            ["bad log.csv", reading | {"clock_tz": "UTC"}],
            ["log of Vexworthy.csv", {"columns": columns | {"viewer": "Hartlepoole"}}],
            ["Wimberly home.zip", {"profile": "Pemberstone"}],
            ["Tamsinlake donors", {"profile": {"Quillfeather.csv": "all"}}],
        ],
    }
    (folder / "asked.json").write_text(json.dumps(asked))


def conduct(root, *more):
    """Run the whole study in a process of its own; return where it said and wrote what."""
    exports(root / "exports")
    places = {
        "HOME": "home", "TMPDIR": "temporary", "XDG_CONFIG_HOME": "home/config",
        "IPYTHONDIR": "home/ipython", "JUPYTER_DATA_DIR": "home/jupyter",
        "JUPYTER_RUNTIME_DIR": "home/runtime", "MPLCONFIGDIR": "home/mpl",
        "VIEWING_KEY_FOLDER": "keys",
    }  # fmt: skip
    for place in (*places.values(), "work"):
        (root / place).mkdir(parents=True, exist_ok=True)
    environment = os.environ | {name: str(root / place) for name, place in places.items()}
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "agg"}
    run = subprocess.run(
        [sys.executable, "-W", "always", ROOT / "tests/privacy/whole_study.py", root, *more],
        cwd=root / "work",
        env=environment,
        capture_output=True,
        timeout=120,
    )
    assert not run.returncode, run.stderr.decode()
    texts = {"stdout": run.stdout, "stderr": run.stderr}
    for path in root.rglob("*"):
        if path.is_file() and "exports" not in path.relative_to(root).parts:
            texts[path.relative_to(root).as_posix()] = path.read_bytes()
    return texts


def hunt(data, depth=3):
    """Return which canaries are in bytes, and whether a pseudonym is, however it is packed."""
    low = data.lower()
    found = {name for name in CANARIES if name.encode() in low}
    found |= {"pseudonym"} if PSEUDONYM.search(data) else set()
    if depth:
        for inner in (*_inside(data), *unpacked(data)):
            found |= hunt(inner, depth - 1)
    return found


def unpacked(data):
    # What only looks like Parquet or a zip can't be read as one.
    with suppress(OSError, pa.ArrowException, UnicodeDecodeError):
        if data[:4] == b"PAR1":
            table = pq.read_table(io.BytesIO(data))
            yield str([table.schema, table.schema.metadata]).encode()
            for column in table.columns:
                if pa.types.is_dictionary(column.type):
                    # All of its words, also those that no row has.
                    yield str([chunk.dictionary.to_pylist() for chunk in column.chunks]).encode()
                yield str(column.to_pylist()).encode()
    with suppress(zipfile.BadZipFile):
        if data[:4] == b"PK\3\4":
            with zipfile.ZipFile(io.BytesIO(data)) as held:
                for name in held.namelist():
                    yield name.encode()
                    yield held.read(name)


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    root = tmp_path_factory.mktemp("whole")
    return root, conduct(root)


def test_nobody_is_in_anything_that_is_written_or_said(texts):
    _, texts = texts
    assert {name: found for name, data in texts.items() if (found := hunt(data))} == {}


def test_everything_was_there_to_be_hunted(texts):
    _, texts = texts
    assert {
        "stdout", "stderr", "work/study.log", "work/table.csv", "work/table.parquet",
        "work/table.pkl", "work/held.pkl", "work/table.html", "work/accesses.csv",
        "public/paper.ipynb", "study/ledger.jsonl", "study/plays.parquet", "study/names.parquet",
        "study/accounts.parquet", "study/cells-0001.parquet",
    } <= {*texts}  # fmt: skip
    assert texts["stderr"].count(b"Traceback") == 10
    assert texts["work/study.log"].count(b"Traceback") == 10
    # What was encrypted was seen when it was moved, too.
    assert sum(name.endswith("plays.next.parquet") for name in texts) == 5


def test_the_published_notebook_shows_the_release(texts):
    _, texts = texts
    cells = json.loads(texts["public/paper.ipynb"])["cells"]
    assert [len(cell.get("outputs", [])) for cell in cells] == [0, 1, 1, 0]


def test_nothing_is_written_anywhere_else(texts):
    root, _ = texts
    written = json.loads((root / "exports" / "written.json").read_text())
    assert any(path.endswith("plays.next.parquet.new") for path in written)
    apart = [path for path in written if not path.startswith(str(root))]
    assert {*apart} <= {os.devnull}
    own = {"pseudonyms.json", "paper.ipynb"}
    beside = [path for path in written if path.startswith(str(root / "exports"))]
    assert {Path(path).name for path in beside} == own


def test_the_hunt_finds_what_leaks(tmp_path):
    texts = conduct(tmp_path, "leak")
    found = {name: found for name, data in texts.items() if (found := hunt(data))}
    caught = [name for name in found if name.endswith("draft.parquet")]
    assert [name.partition("/")[0] for name in caught] == ["caught"]
    assert found.pop(caught[0]) == {"pseudonym"}
    assert found == {
        "work/spill.bin": {"pseudonym"},
        "work/one.parquet": {"pseudonym"},
        "work/study.log": {"quillfeather"},
        "work/wide.txt": {"quillfeather"},
        "stderr": {"quillfeather"},
    }


def test_all_canaries_are_planted(tmp_path):
    exports(tmp_path / "exports")
    found = set()
    for path in (tmp_path / "exports").rglob("*"):
        found |= hunt(path.name.encode())
        if path.is_file() and path.name != "asked.json":
            found |= hunt(path.read_bytes(), depth=1)
    assert found == {*CANARIES}


def test_pseudonyms_are_planted(texts):
    root, _ = texts
    ids = json.loads((root / "exports" / "pseudonyms.json").read_text())
    assert len(ids) > 50
    assert hunt(" ".join(ids).encode(), depth=0) == {"pseudonym"}
    assert pd.Series(ids).is_unique
