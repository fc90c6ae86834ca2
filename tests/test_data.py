import io
import json
import re
import sqlite3
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from tests.exports.__main__ import files
from tests.test_simulate import sample
from toolkit.privacy.keys import has_pseudonym_form
from toolkit.tables import fingerprint

DATA = Path(__file__).parents[1] / "data"
FILES = {
    "plays": "plays.parquet",
    "viewers": "viewers.csv",
    "titles": "titles.csv",
    "viewings": "viewings.parquet",
}


def stored(name):
    if name in ("plays", "viewings"):
        return pd.read_parquet(DATA / FILES[name])
    days = (
        ["observed_from", "as_of"] if name == "viewers" else ["available_from", "available_until"]
    )
    frame = pd.read_csv(DATA / FILES[name], parse_dates=days)
    for column in frame.columns.intersection(["log_starts_at", "log_ends_at"]):
        frame[column] = pd.to_datetime(frame[column], utc=True)
    return frame.astype(getattr(sample(), name).dtypes)


def recorded_fingerprints():
    lines = (DATA / "FINGERPRINTS").read_text().splitlines()
    assert len(lines) == len(FILES)
    return dict(line.split() for line in lines)


def described_columns(file):
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    section = readme.split(f"## {file}\n", 1)[1].split("\n## ", 1)[0]
    assert "| column | type | meaning |" in section
    return re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)


class TestReadme:
    @pytest.mark.parametrize("name", FILES)
    def test_describes_exactly_the_columns_of_the_file(self, name):
        assert described_columns(FILES[name]) == list(stored(name))

    def test_names_every_file_in_the_folder_and_no_other(self):
        readme = (DATA / "README.md").read_text(encoding="utf-8")
        listed = readme.split("## Files\n", 1)[1].split("\n## ", 1)[0]
        named = re.findall(r"^\| `([\w.-]+)` \|", listed, flags=re.MULTILINE)
        there = [path.name for path in DATA.iterdir() if not path.name.startswith(".")]
        assert sorted(named) == sorted(there)

    def test_says_in_its_first_paragraph_that_all_is_simulated(self):
        first = (DATA / "README.md").read_text(encoding="utf-8").split("\n\n")[1]
        assert "simulated" in first


class TestFiles:
    def test_are_at_most_5_megabytes_together(self):
        sizes = [path.stat().st_size for path in DATA.rglob("*") if path.is_file()]
        assert sum(sizes) <= 5_000_000

    @pytest.mark.parametrize("name", FILES)
    def test_hold_what_the_fingerprints_say(self, name):
        assert fingerprint(stored(name)) == recorded_fingerprints()[name]

    @pytest.mark.parametrize("name", FILES)
    def test_are_rebuilt_from_the_seed(self, name):
        assert fingerprint(getattr(sample(), name)) == recorded_fingerprints()[name]

    def test_hold_the_truth_that_is_rebuilt_from_the_seed(self):
        text = (DATA / "truth.json").read_text(encoding="utf-8")
        assert json.loads(text) == sample().truth
        assert text == json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n"

    def test_hold_no_ids_but_pseudonyms(self):
        for frame in (stored("plays"), stored("viewers")):
            assert has_pseudonym_form(frame["viewer"].unique(), "viewer")
            assert has_pseudonym_form(frame["account"].unique(), "account")

    def test_name_the_source_simulated_on_every_row(self):
        assert stored("plays")["source"].eq("simulated").all()

    def test_every_play_has_its_viewer_and_its_title(self):
        plays, viewers, titles = stored("plays"), stored("viewers"), stored("titles")
        pairs = plays[["viewer", "account"]].drop_duplicates().astype("str")
        assert len(pairs.merge(viewers, on=["viewer", "account"])) == len(pairs)
        assert set(plays["title"]) <= set(titles["title"])
        assert viewers["viewer"].is_unique
        assert titles["title"].is_unique


def content(data):
    """What a file says, whatever its zip or database wrote around it."""
    if data.startswith(b"PK") and zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    if data.startswith(b"SQLite format 3"):
        database = sqlite3.connect(":memory:")
        database.deserialize(data)
        try:
            return list(database.iterdump())
        finally:
            database.close()
    return data


class TestExports:
    def test_are_those_that_the_builders_build(self):
        built = files()
        there = {
            path.relative_to(DATA).as_posix(): path.read_bytes()
            for path in [DATA / "netflix-report.zip", *sorted((DATA / "donations").iterdir())]
        }
        assert list(there) == list(built)
        # How a zip is packed, and so where half of one ends, is for each zlib to say.
        broken = "donations/donor_13.zip"
        assert {n: content(d) for n, d in there.items() if n != broken} == {
            n: content(d) for n, d in built.items() if n != broken
        }
        with pytest.raises(zipfile.BadZipFile):
            zipfile.ZipFile(io.BytesIO(there[broken]))

    def test_are_said_to_be_invented(self):
        assert "simulated = true" in (DATA / "own_history.toml").read_text(encoding="utf-8")
        readme = (DATA / "README.md").read_text(encoding="utf-8")
        assert "thirteen invented donations" in readme
