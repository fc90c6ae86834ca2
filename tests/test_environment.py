"""The ranges, the lock and the conda file say the same, and these tests run on it."""

import os
import re
import tomllib
import zoneinfo
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import toolkit

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
LOCK = (ROOT / "requirements.txt").read_text(encoding="utf-8")
PIN = re.compile(r"[\w.-]+==[\w.]+( ; [^\\#]+?)?( --hash=sha256:[0-9a-f]{64})+")


def requirements():
    """What is installed: dependencies, every extra, and what builds the package."""
    asked = [*PROJECT["dependencies"], *PYPROJECT["build-system"]["requires"]]
    for extra in PROJECT["optional-dependencies"].values():
        asked += extra
    return [line for line in asked if Requirement(line).name != PROJECT["name"]]


def lock_lines():
    joined = re.sub(r"\s*\\\n\s*", " ", LOCK)
    return [line for line in joined.splitlines() if not line.startswith("#")]


def pins():
    """Name to the versions it is pinned at, one for each case that the markers tell apart."""
    found = {}
    for line in lock_lines():
        pin = Requirement(line.split(" --hash")[0])
        found.setdefault(canonicalize_name(pin.name), []).append(pin)
    return found


def pinned_here(name):
    here = [pin for pin in pins()[name] if pin.marker is None or pin.marker.evaluate()]
    return [str(pin.specifier).removeprefix("==") for pin in here]


class TestLock:
    @pytest.mark.parametrize("line", requirements())
    def test_every_requirement_is_pinned_within_its_range(self, line):
        asked = Requirement(line)
        versions = [str(pin.specifier)[2:] for pin in pins()[canonicalize_name(asked.name)]]
        assert [number for number in versions if number not in asked.specifier] == []

    def test_an_extra_that_names_an_extra_names_one_that_exists(self):
        lines = [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
        own = [asked for asked in map(Requirement, lines) if asked.name == PROJECT["name"]]
        named = set().union(*(asked.extras for asked in own))
        assert named <= set(PROJECT["optional-dependencies"])

    def test_every_line_is_one_pin_with_its_hashes_and_nothing_else(self):
        assert [line for line in lock_lines() if not PIN.fullmatch(line)] == []

    def test_no_index_and_no_address_is_named(self):
        assert re.findall(r"--(?!hash=)\S+|-[if] .*|\S*://\S*", LOCK) == []

    @pytest.mark.parametrize("line", requirements())
    def test_what_is_installed_is_what_is_pinned(self, line):
        name = canonicalize_name(Requirement(line).name)
        assert [version(name)] == pinned_here(name)


def test_matplotlib_is_capped_while_seaborn_calls_what_it_removes():
    asked = {asked.name: asked for asked in map(Requirement, PROJECT["dependencies"])}
    assert "0.14" not in asked["seaborn"].specifier
    assert "3.12.9" in asked["matplotlib"].specifier
    assert "3.13" not in asked["matplotlib"].specifier


def test_the_conda_file_adds_only_python_and_the_lock():
    lines = (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()
    start = lines.index("dependencies:") + 1
    assert [line.strip() for line in lines[start:]] == [
        f"- python{PROJECT['requires-python']}",
        "- pip",
        "- pip:",
        "- -r requirements.txt",
    ]


def test_zone_rules_are_those_of_the_pinned_package():
    assert zoneinfo.TZPATH == ()


def test_the_command_of_the_checks_is_make_test():
    path = ROOT / ".ci" / "run"
    lines = path.read_text(encoding="utf-8").splitlines()
    assert os.access(path, os.X_OK)
    assert lines[0].startswith("#!")
    assert lines[1:] == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', "make test"]


def test_the_version_is_the_same_wherever_it_is_written():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    cited = re.findall(r"^version: \"?([^\"\n]+?)\"?$", citation, flags=re.MULTILINE)
    assert cited == [toolkit.__version__]
    assert PROJECT["version"] == toolkit.__version__
    assert version(PROJECT["name"]) == toolkit.__version__
