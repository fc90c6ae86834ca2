"""What the README tells a newcomer is run here."""

import re
import tomllib
from pathlib import Path

import pandas as pd
import pytest

import toolkit as tk

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language):
    return re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)[1]


def test_the_example_gives_the_number_it_states():
    *lines, last = block("python").strip().splitlines()
    expression, stated = last.split("  # ")
    names = {}
    exec("\n".join(lines), names)
    assert eval(expression, names) == int(stated)


def test_the_description_of_a_log_is_one_that_is_read(tmp_path):
    fields = tomllib.loads(block("toml"))
    columns = fields["columns"]
    frame = pd.DataFrame(
        {
            columns["viewer"]: [7, 7],
            columns["title"]: fields["title"],
            columns["started_at"]: ["2016/03/30 18:09", "2016/03/31 18:09"],
            columns["watched_seconds"]: "00:02:00",
        }
    )
    frame.to_csv(tmp_path / fields["path"], index=False)
    (tmp_path / "mine.toml").write_text(block("toml"), encoding="utf-8")
    plays, _, _, ask = tk.load_dataset(tmp_path / "mine.toml")
    assert plays["watched_seconds"].tolist() == [120, 120]
    assert (ask.days, ask.tz) == (fields["days"], fields["tz"])


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md"])
def test_links_and_files_that_are_named_exist(name):
    path = ROOT / name
    text = path.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (path.parent / link).exists(), link


def test_tests_that_promises_rest_on_exist():
    rows = re.findall(r"^\| .+? \| (.*`test_.*) \|$", README, re.M)
    named = {name for row in rows for name in re.findall(r"`(test_\w+)`", row)}
    there = {path.stem for path in (ROOT / "tests" / "privacy").glob("test_*.py")}
    assert named == there - {"test_release", "test_risk"}


def test_every_target_that_is_named_is_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    texts = [README, (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")]
    targets = set(
        re.findall(r"(?:^    |`)(?:VIEWING_DATA=\S+ )?make ([a-z]+)", "\n".join(texts), re.M)
    )
    assert {"figures", "test", "lab", "lock", "data", "bench"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_every_public_name_is_there_and_explained():
    for name in tk.__all__:
        if callable(getattr(tk, name)):
            assert ">>>" in getattr(tk, name).__doc__ or name == "Dataset", name
    assert sorted(tk.__all__) == sorted(set(tk.__all__))
    assert set(tk.__all__) <= set(dir(tk))
