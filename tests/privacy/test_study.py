import copy
import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest

import toolkit as tk
from toolkit.privacy import vault
from toolkit.privacy.keys import DEMONSTRATION_KEY, has_pseudonym_form, make_study_key, pseudonym
from toolkit.privacy.refusals import (
    IdentifierFound,
    KeyExposed,
    KeyMissing,
    KeyTaken,
    LedgerBroken,
    PersonLevel,
    Refused,
)
from toolkit.privacy.study import open_study
from toolkit.privacy.vault import files_of
from toolkit.tables import fingerprint

from .logs import histories, log, netflix, tables

pytestmark = pytest.mark.usefixtures("keys")
posix = pytest.mark.skipif(os.name != "posix", reason="signals and forks")
# 300 when tried by hand.
N_KILLED = 32
IDS = [f"donor-{n:02}@example.org" for n in range(14)]
PSEUDONYMS = [pseudonym("viewer", "plex", who, who, key=DEMONSTRATION_KEY) for who in IDS]
COLUMNS = {"viewer": "who", "title": "what", "started_at": "when"}


@pytest.fixture
def begin(tmp_path):
    """Open the study, or another one."""

    def begin(name="rewatch", folder="study", purpose="comfort titles", **settings):
        return open_study(name, purpose=purpose, folder=tmp_path / folder, **settings)

    return begin


@pytest.fixture
def study(begin):
    return begin()


@pytest.fixture
def loaded(study):
    study.load(log(IDS))
    return study


def what(study):
    return [entry["what"] for entry in study.ledger.entries()]


def ledger_text(study):
    return study.ledger.path.read_text(encoding="utf-8")


class TestBeginning:
    @pytest.mark.parametrize("name", ["", "../up", "a/b", "ä", ".hidden", 7])
    def test_a_name_that_no_study_can_have_makes_no_folder(self, name, tmp_path):
        with pytest.raises(ValueError, match="`name` must be"):
            open_study(name, purpose="a test", folder=tmp_path / "study")
        assert not (tmp_path / "study").exists()

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"purpose": " "}, "`purpose` must say"),
            ({"purpose": None}, "`purpose` must say"),
            ({"people": 4}, "`people` must be"),
            ({"people": 10.5}, "`people` must be"),
            ({"epsilon_budget": 0}, "`epsilon_budget` must be"),
            ({"epsilon_budget": "-1"}, "`epsilon_budget` must be"),
            ({"epsilon_budget": "much"}, "`epsilon_budget` must be"),
            ({"epsilon_budget": "1/0"}, "`epsilon_budget` must be"),
            ({"epsilon_budget": float("nan")}, "`epsilon_budget` must be"),
        ],
    )
    def test_what_is_wrong_makes_no_folder(self, wrong, said, begin, tmp_path):
        with pytest.raises(ValueError, match=said):
            begin(**wrong)
        assert not (tmp_path / "study").exists()

    def test_its_settings_stay(self, begin):
        begin(people=12, epsilon_budget=1)
        for budget in (1.0, "1", "1.0", "2/2"):
            begin(people=12, epsilon_budget=budget)
        for other in ({"people": 10}, {"people": 12}, {"people": 12, "epsilon_budget": 2}):
            with pytest.raises(Refused, match="must be what the study began with"):
                begin(**other)

    def test_another_name_than_it_began_with_is_refused(self, begin, tmp_path):
        begin()
        make_study_key("other", folder=tmp_path / "study")
        with pytest.raises(Refused, match="`study` must be what the study began with, 'rewatch'"):
            begin(name="other")

    def test_each_opening_has_a_purpose_of_its_own(self, loaded, begin):
        begin(purpose="Figure 2").plays()
        assert loaded.accesses()["purpose"].tolist() == ["comfort titles", "Figure 2"]

    def test_the_folder_may_move(self, loaded, begin, tmp_path):
        before = loaded.plays()
        shutil.move(tmp_path / "study", tmp_path / "elsewhere" / "moved")
        pd.testing.assert_frame_equal(before, begin(folder="elsewhere/moved").plays())

    def test_its_folder_has_to_be_found(self, study, begin, tmp_path):
        with pytest.raises(KeyTaken, match="`folder` must be where the study rewatch lies"):
            begin(folder="mistyped")
        assert not (tmp_path / "mistyped").exists()

    def test_without_its_key_nothing_opens(self, loaded, begin, keys):
        (keys / "rewatch.key").rename(keys / "gone")
        for step in (begin, loaded.plays, lambda: loaded.load(log(IDS)), loaded.destroy):
            with pytest.raises(KeyMissing):
                step()
        assert what(loaded) == ["began", "loaded"]

    @posix
    def test_an_exposed_key_opens_nothing(self, loaded, begin, keys):
        (keys / "rewatch.key").chmod(0o644)
        for step in (begin, loaded.plays):
            with pytest.raises(KeyExposed):
                step()

    def test_a_changed_ledger_opens_nothing(self, loaded, begin):
        path = loaded.ledger.path
        path.write_text(path.read_text().replace("comfort titles", "other purpose"))
        for step in (begin, loaded.plays, loaded.accesses):
            with pytest.raises(LedgerBroken):
                step()

    def test_a_key_that_could_not_be_made_is_made_later(self, begin, tmp_path, monkeypatch):
        monkeypatch.setenv("VIEWING_KEY_FOLDER", str(tmp_path / "study" / "keys"))
        with pytest.raises(KeyExposed):
            begin()
        monkeypatch.setenv("VIEWING_KEY_FOLDER", str(tmp_path / "keys"))
        begin().load(log(IDS))

    def test_a_first_entry_that_is_half_written_is_written_anew(self, study, begin, keys):
        line = study.ledger.path.read_bytes()
        (keys / "rewatch.key").unlink()
        for torn in (line[:50], line[:-1]):
            study.ledger.path.write_bytes(torn)
            begin(people=10).load(log(IDS))
            assert len(begin().plays()) == 28
            shutil.rmtree(study.ledger.path.parent)
            study.ledger.path.parent.mkdir()
            (keys / "rewatch.key").unlink()

    def test_a_destroyed_study_stays_closed(self, loaded, begin):
        loaded.destroy()
        for step in (begin, loaded.plays, loaded.destroy):
            with pytest.raises(KeyMissing):
                step()
        assert loaded.accesses()["what"].tolist() == ["loaded", "destroyed"]
        # Not even with the key of a later study of that name.
        begin(folder="later")
        with pytest.raises(Refused, match=r"names\.parquet must be opened with its key"):
            begin()

    def test_one_that_was_destroyed_unused_stays_closed_too(self, study, begin):
        study.destroy()
        with pytest.raises(KeyMissing):
            begin()

    def test_what_is_destroyed_is_said_before_it_is(self, study, monkeypatch):
        def stopped(name):
            raise InterruptedError

        monkeypatch.setattr(vault, "destroy_study_key", stopped)
        with pytest.raises(InterruptedError):
            study.destroy()
        assert what(study) == ["began", "destroyed"]
        monkeypatch.undo()

    @posix
    def test_an_exposed_key_can_be_destroyed(self, study, keys):
        (keys / "rewatch.key").chmod(0o644)
        study.destroy()
        assert not (keys / "rewatch.key").exists()

    def test_two_studies_share_no_pseudonym(self, loaded, begin):
        other = begin(name="other", folder="other")
        other.load(log(IDS))
        one, two = loaded.plays(), other.plays()
        assert histories(one) == histories(two)
        for kind in ("viewer", "account"):
            assert set(one[kind]).isdisjoint(two[kind])

    def test_not_even_two_with_one_key(self, loaded, begin, tmp_path):
        # As if one had been stopped between its first entry and its key.
        (tmp_path / "twin").mkdir()
        settings = {"study": "rewatch", "people": 10, "epsilon_budget": None, "purpose": "none"}
        twin = vault.Vault("rewatch", tmp_path / "twin")
        twin.ledger.append("began", **settings)
        other = begin(folder="twin")
        other.load(log(IDS))
        assert set(loaded.plays()["viewer"]).isdisjoint(other.plays()["viewer"])
        assert {*tables(loaded)["names.parquet"]["name"]}.isdisjoint(
            tables(other)["names.parquet"]["name"]
        )

    def test_the_folder_keeps_the_log_out_of_repositories(self, loaded, tmp_path):
        subprocess.run(["git", "init", "-q", tmp_path / "study"], check=True)
        found = subprocess.run(
            ["git", "-C", tmp_path / "study", "ls-files", "-o", "--exclude-standard"],
            check=True,
            capture_output=True,
            text=True,
        )
        assert found.stdout.split() == ["ledger.jsonl"]

    def test_its_repr_counts(self, begin):
        study = begin()
        assert repr(study) == "<Study rewatch: nothing loaded>"
        study.load(log(IDS))
        study.plays()
        study.plays()
        assert repr(study) == "<Study rewatch: loaded 1, opened 2>"


def donations(folder):
    folder.mkdir()
    (folder / "Ann Berg.csv").write_text(netflix(("Ann", "Heat"), ("Ann", "Up")))
    (folder / "broken.zip").write_bytes(b"PK\3\4 no zip")
    (folder / "family.csv").write_text(netflix(("Cleo", "Heat"), ("Kids", "Up"), ("Kids", "Up")))
    with zipfile.ZipFile(folder / "Zoë.zip", "w") as held:
        name = "Zoë Brandt/CONTENT_INTERACTION/ViewingActivity.csv"
        held.writestr(name, netflix(("Zoë", "Heat")))
    return folder


def a_frame_of_numbers(folder):
    return log(range(100, 112)), {}


def a_frame_of_names(folder):
    return log(IDS), {}


def a_frame_of_plays(folder):
    return tk.load_table(log(IDS), columns=dict.fromkeys(log([1])) | {
        name: name for name in log([1])
    }, key=DEMONSTRATION_KEY), {}  # fmt: skip


def a_frame_with_holes(folder):
    frame = log(IDS).assign(account=[f"home {n % 3}" for n in range(28)])
    frame.loc[3, ["viewer", "account"]] = None
    frame.loc[4, "title"] = None
    return frame, {}


def a_table(folder):
    path = folder / "log of Ann Berg.csv"
    path.write_text("who,what,when\n" + "".join(f"{who},Heat,2024-03-01 20:00\n" for who in IDS))
    return path, {"columns": COLUMNS, "clock_tz": "Europe/Oslo"}


def a_saved_table(folder):
    path = folder / "plays.parquet"
    log(IDS).to_parquet(path)
    return path, {}


def a_household(folder):
    path = folder / "Ann Berg.zip"
    with zipfile.ZipFile(path, "w") as held:
        views = netflix(("Ann", "Heat"), ("Kids", "Up"), ("Ann", "Up"))
        held.writestr("441/CONTENT_INTERACTION/ViewingActivity.csv", views)
    return path, {}


def a_folder(folder):
    return donations(folder / "donations"), {}


def a_folder_with_consent(folder):
    return donations(folder / "donations"), {"profile": {"family.csv": "Kids"}}


SOURCES = [
    a_frame_of_numbers, a_frame_of_names, a_frame_of_plays, a_frame_with_holes, a_table,
    a_saved_table, a_household, a_folder, a_folder_with_consent,
]  # fmt: skip


def in_clear(path, **reading):
    """The same without a study, under another key."""
    if isinstance(path, pd.DataFrame):
        reading["columns"] = {name: name for name in path}
    read = tk.load_table if "columns" in reading else tk.load_plays
    return read(path, key=DEMONSTRATION_KEY, **reading)


class TestLoading:
    @pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
    def test_it_holds_what_was_read_under_ids_of_its_own(self, source, study, tmp_path, capsys):
        path, reading = source(tmp_path)
        expected = in_clear(path, **reading)
        study.load(path, **reading)
        plays = study.plays()
        assert histories(plays) == histories(expected)
        assert len(plays) == len(expected)
        reasons = [each["excluded"].dropna().astype("str") for each in (plays, expected)]
        assert sorted(reasons[0]) == sorted(reasons[1])
        for kind in ("viewer", "account"):
            assert has_pseudonym_form(plays[kind].cat.categories, kind)
            assert plays[kind].nunique() == expected[kind].nunique()
            assert plays[kind].isna().sum() == expected[kind].isna().sum()
            assert set(plays[kind].dropna()).isdisjoint(expected[kind])
        assert plays["viewer"].cat.codes.is_monotonic_increasing
        # One household stays one.
        homes = plays[["viewer", "account"]].dropna().drop_duplicates()
        assert len(homes) == len(expected[["viewer", "account"]].dropna().drop_duplicates())

    def test_codes_do_not_tell_an_order(self, loaded):
        held = loaded.plays()["viewer"].cat.categories
        assert held.is_monotonic_increasing

    def test_an_empty_frame_is_a_log(self, study):
        study.load(log([]))
        plays = study.plays()
        assert len(plays) == 0
        assert repr(plays) == "<0 plays, 0 viewers, 0 accounts, 0 titles>"
        study.load(log(IDS))
        assert len(study.plays()) == 28

    @pytest.mark.parametrize("ids", [IDS, range(14), PSEUDONYMS])
    def test_a_frame_and_its_file_are_of_the_same_people(self, ids, study, tmp_path):
        log(ids).to_parquet(tmp_path / "plays.parquet")
        study.load(log(ids))
        once = study.plays()
        study.load(tmp_path / "plays.parquet")
        twice = study.plays()
        for kind in ("viewer", "account"):
            assert set(once[kind]) == set(twice[kind])
        assert (twice["excluded"] == "duplicate").sum() == len(once)

    def test_plays_of_another_key_are_of_the_same_people_from_a_file(self, study, tmp_path):
        plays, _ = a_frame_of_plays(tmp_path)
        plays.to_parquet(tmp_path / "plays.parquet")
        study.load(plays)
        once = study.plays()
        study.load(tmp_path / "plays.parquet")
        assert set(once["account"]) == set(study.plays()["account"])

    def test_a_second_load_is_added(self, loaded):
        loaded.load(log([*IDS, "new@example.org"]))
        plays = loaded.plays()
        assert plays["account"].nunique() == 15
        assert (plays["excluded"] == "duplicate").sum() == 28
        assert plays["excluded"].isna().sum() == 30

    def test_after_a_release_nothing_is_added(self, loaded):
        loaded.release(loaded.plays(), by="title", why="Figure 2")
        before = ledger_text(loaded)
        with pytest.raises(Refused, match="must stay as it was"):
            loaded.load(log(["new@example.org"]))
        assert ledger_text(loaded) == before

    def test_the_ledger_tells_of_a_load_no_more_than_a_rounded_number(self, begin):
        few, many = begin(), begin(name="many", folder="many")
        few.load(log(IDS[:9]))
        many.load(log(IDS[:13]))
        said = [study.ledger.entries()[1]["details"] for study in (few, many)]
        assert [each["people"] for each in said] == [None, 15]
        assert {*said[0]} == {"files", "people", "purpose"}

    def test_the_report_counts_and_names_nobody(self, study, tmp_path, capsys):
        folder = donations(tmp_path / "donations")
        study.load(folder)
        said = capsys.readouterr().out.splitlines()
        assert said[0] == "2 read, 2 refused; 3 plays, 0 set aside."
        assert [line.partition(":")[0] for line in said[1:]] == [
            "Export 3 in the order of names", "Export 4 in the order of names",
        ]  # fmt: skip
        assert "`profile` must say which profile consents, found 2" in said[2]
        for name in ("broken", ".zip", "family", "Ann", "Zoë", "csv", "donations"):
            assert name not in "\n".join(said)
        # Not even the table to fill in, which would name the exports.
        assert {path.name for path in tmp_path.iterdir()} == {"donations", "study", "keys"}

    @pytest.mark.parametrize("word", ["donor-03@example.org", "DONOR-03@example.org"])
    def test_a_purpose_that_names_somebody_is_refused(self, word, begin):
        study = begin(purpose=f"what {word} watches")
        with pytest.raises(IdentifierFound, match="must name nobody"):
            study.load(log(IDS))
        assert what(study) == ["began"]
        begin(purpose="comfort titles").load(log(IDS))
        with pytest.raises(IdentifierFound, match="must name nobody"):
            begin(purpose=f"what {word} watches")

    def test_a_study_named_after_somebody_is_refused(self, begin):
        with pytest.raises(IdentifierFound, match="must name nobody"):
            begin(name="ann-berg").load(log(["Ann Berg", *IDS]))

    def test_what_it_can_not_be_told_is_refused(self, study):
        for wrong in ({"key": DEMONSTRATION_KEY}, {"report": print}, {"colour": 3}):
            with pytest.raises(TypeError):
                study.load(log(IDS), columns={name: name for name in log([1])}, **wrong)


class TestFailures:
    """Whatever can't be loaded says why, and names nobody."""

    NAMES = ("Ann", "Berg", "Jo\u00e9", "Joe\u0301", "Cleo", "secret", "example.org", "Kids")

    def check(self, study, capsys, path, **reading):
        before = ledger_text(study)
        with pytest.raises(ValueError, match=r"`\w+` must") as caught:
            study.load(path, **reading)
        self.require_nameless(caught.value, capsys)
        assert ledger_text(study) == before
        return str(caught.value)

    def require_nameless(self, error, capsys):
        assert error.__cause__ is None
        assert error.__context__ is None
        said = str(error) + "".join(capsys.readouterr())
        assert not [name for name in self.NAMES if name in said]

    def test_a_file_that_is_not_there(self, study, capsys, tmp_path):
        with pytest.raises(FileNotFoundError, match="`path` must be a file or folder") as caught:
            study.load(tmp_path / "Ann Berg.zip")
        self.require_nameless(caught.value, capsys)
        with pytest.raises(FileNotFoundError, match="`path` must be a file that exists") as caught:
            study.load(tmp_path / "Ann Berg.csv", columns=COLUMNS)
        self.require_nameless(caught.value, capsys)

    @pytest.mark.parametrize("name", ["Ann Berg.zip", "Jo\u00e9.zip", "Joe\u0301.zip"])
    def test_a_bad_zip(self, name, study, capsys, tmp_path):
        (tmp_path / name).write_bytes(b"PK\3\4 Ann Berg")
        self.check(study, capsys, tmp_path / name)

    @pytest.mark.parametrize("name", ["Jo\u00e9.csv", "Joe\u0301.csv"])
    def test_a_bad_table(self, name, study, capsys, tmp_path, monkeypatch):
        folder = tmp_path / "Ann Berg"
        folder.mkdir()
        header = netflix().replace("Country", "Title")
        (folder / name).write_text(header + "Ann,2024-03-02\n")
        self.check(study, capsys, folder / name)
        monkeypatch.chdir(tmp_path)
        self.check(study, capsys, Path("Ann Berg", name))
        monkeypatch.chdir(folder)
        self.check(study, capsys, ".")
        with pytest.raises(FileNotFoundError) as caught:
            study.load(Path("..", "Ann Berg", "none.csv"))
        self.require_nameless(caught.value, capsys)

    def test_a_zip_with_damage_in_a_named_file(self, study, capsys, tmp_path):
        path = tmp_path / "x.zip"
        with zipfile.ZipFile(path, "w") as held:
            held.writestr(
                "Ann Berg/CONTENT_INTERACTION/ViewingActivity.csv", netflix(("Ann", "Up"))
            )
            held.writestr("Ann Berg/Cleo secret.csv", b"Title,Date\n\xff\xfe,1\n")
        data = path.read_bytes()
        path.write_bytes(data.replace(b"00:20:00", b"00:20:01", 1))
        self.check(study, capsys, path)

    def test_a_folder_of_which_nothing_can_be_read(self, study, capsys, tmp_path):
        folder = tmp_path / "Berg"
        folder.mkdir()
        (folder / "Ann.zip").write_bytes(b"PK\3\4")
        (folder / "secret").mkdir()
        self.check(study, capsys, folder)

    def test_a_cell_that_can_not_be_read(self, study, capsys, tmp_path):
        path = tmp_path / "log.csv"
        path.write_text("who,what,when\nAnn Berg,Heat,Cleo's secret\n")
        said = self.check(study, capsys, path, columns=COLUMNS, clock_tz="UTC")
        assert "in row 1" in said
        frame = log(IDS).assign(started_at="Cleo")
        self.check(study, capsys, frame, columns={name: name for name in frame}, clock_tz="UTC")

    def test_a_column_that_is_not_there(self, study, capsys, tmp_path):
        path = tmp_path / "Ann Berg.csv"
        path.write_text("Ann Berg,what,when\n1,Heat,2024-03-01 20:00\n")
        self.check(study, capsys, path, columns=COLUMNS, clock_tz="UTC")
        frame = log(IDS).rename(columns={"viewer": "Cleo"})
        self.check(study, capsys, frame)

    def test_a_profile_that_is_not_there(self, study, capsys, tmp_path):
        path, _ = a_household(tmp_path)
        self.check(study, capsys, path, profile="secret")
        self.check(study, capsys, path, profile={"Cleo.zip": "Kids"})

    def test_a_damaged_parquet_file(self, study, capsys, tmp_path):
        (tmp_path / "Ann Berg.parquet").write_bytes(b"PAR1 Cleo")
        self.check(study, capsys, tmp_path / "Ann Berg.parquet")

    def test_a_fault_of_ours_tells_its_kind_alone(self, study, capsys, monkeypatch):
        def fails(*_, **__):
            raise KeyError("Ann Berg")

        monkeypatch.setattr("toolkit.privacy.study.load_plays", fails)
        with pytest.raises(ValueError, match=r"^KeyError$") as caught:
            study.load("x.zip")
        self.require_nameless(caught.value, capsys)

    def test_the_variables_of_a_traceback_hold_no_name(self, study, tmp_path):
        frame = log(["Ann Berg", *IDS]).assign(kind="Cleo")
        with pytest.raises(ValueError, match="`kind` must be") as caught:
            study.load(frame, columns={name: name for name in frame})
        frames = []
        step = caught.value.__traceback__
        while step := step.tb_next:
            frames.append({k: v for k, v in step.tb_frame.f_locals.items() if type(v) is dict})
        assert "Ann Berg" not in repr(frames)


class TestPlays:
    def test_opening_is_written_down(self, loaded):
        loaded.plays()
        assert loaded.accesses()["what"].tolist() == ["loaded", "opened"]
        assert loaded.accesses()["purpose"].tolist() == ["comfort titles"] * 2

    def test_without_a_load_there_are_none(self, study):
        with pytest.raises(Refused, match="holds no plays"):
            study.plays()
        assert what(study) == ["began"]

    def test_they_show_counts_and_a_span(self, loaded):
        plays = loaded.plays()
        said = "<28 plays, 14 viewers, 14 accounts, 2 titles, 2024-03-01 to 2024-03-02>"
        assert repr(plays) == str(plays) == f"{plays}" == said

    def test_plays_at_unknown_times_have_no_span(self, study):
        study.load(log(["ann"], titles=["Up"]).assign(started_at=pd.NaT))
        assert repr(study.plays()) == "<1 play, 1 viewer, 1 account, 1 title>"

    def test_a_notebook_shows_no_row(self, loaded):
        from IPython.core.interactiveshell import InteractiveShell

        plays = loaded.plays()
        shell = InteractiveShell.instance()
        try:
            with pd.option_context(
                "styler.render.repr", "latex", "display.html.table_schema", True
            ):
                data, _ = shell.display_formatter.format(plays)
        finally:
            InteractiveShell.clear_instance()
        assert data == {"text/plain": repr(plays)}

    def test_they_are_what_other_steps_take(self, loaded):
        plays = loaded.plays()
        viewer_days = tk.to_viewer_days(plays, tz="UTC")
        assert len(viewer_days) == 28
        assert len(tk.to_viewings(plays)) == 28
        assert len(tk.find_streaks(viewer_days, as_of="2024-03-02")) == 28
        assert type(viewer_days) is pd.DataFrame

    def test_what_is_made_of_them_is_plain_data(self, loaded):
        plays = loaded.plays()
        made = [
            plays.copy(), copy.copy(plays), copy.deepcopy(plays), plays[plays["title"] == "Up"],
            plays.assign(n=1), pickle.loads(pickle.dumps(plays)),
            pickle.loads(pickle.dumps(plays, protocol=2)),
        ]  # fmt: skip
        assert {type(each) for each in made} == {pd.DataFrame}
        for each in (*made[:3], *made[-2:]):
            pd.testing.assert_frame_equal(each, pd.DataFrame(plays))

    def test_nothing_but_the_log_comes_with_them(self, loaded):
        plays = loaded.plays()
        assert plays.attrs == {}
        for name in plays.select_dtypes("category"):
            assert set(plays[name].cat.categories) == set(plays[name].dropna())


class TestReleasing:
    def test_it_gives_people_rounded_and_writes_it_down(self, loaded):
        release = loaded.release(loaded.plays(), by="title", why="Figure 2")
        assert release.table.to_dict("list") == {"title": ["Heat", "Up"], "people": [15, 15]}
        assert release.number == 1
        said = loaded.ledger.entries()[-1]["details"]
        assert {name: said[name] for name in ("release", "by", "count", "why", "purpose")} == {
            "release": 1, "by": ["title"], "count": "people", "why": "Figure 2",
            "purpose": "comfort titles",
        }  # fmt: skip
        assert said["outputs"] == release.outputs()
        assert (said["n_cells"], said["n_withheld"]) == (2, 0)

    def test_the_ledger_has_no_fraction(self, study):
        study.load(log(range(40)))
        plays = study.plays()
        study.release(plays, by="title", mean="watched_seconds", why="Table 1")
        half = plays["account"].isin(plays["account"].cat.categories[:20])
        shares = study.release(plays.assign(half=half), by="half", share_of=[], why="Table 2")
        assert shares.table["share"].tolist() == [0.5, 0.5]

        def refuse(text):
            raise AssertionError(text)

        for line in ledger_text(study).splitlines():
            json.loads(line, parse_float=refuse)

    @pytest.mark.parametrize("why", ["", " ", None, 7])
    def test_it_has_a_reason(self, why, loaded):
        with pytest.raises(ValueError, match="`why` must say in words"):
            loaded.release(loaded.plays(), by="title", why=why)

    @pytest.mark.parametrize(
        "asked",
        [
            {"why": "the plays of donor-03@example.org", "by": "title"},
            {"why": "Figure 2", "by": "like_donor-03@example.org"},
            {"why": "Figure 2", "mean": "of donor-03@example.org"},
        ],
    )
    def test_what_names_somebody_is_refused(self, asked, loaded):
        plays = loaded.plays().assign(
            **{"like_donor-03@example.org": 1, "of donor-03@example.org": 1}
        )
        with pytest.raises(IdentifierFound, match="must name nobody"):
            loaded.release(plays, **asked)
        assert "donor" not in ledger_text(loaded)

    def test_a_column_of_ours_names_nobody(self, study):
        study.load(log(["Kids", *IDS]).assign(is_kids=False))
        study.release(study.plays(), by="is_kids", why="Figure 2")

    def test_refusals_are_written_down(self, loaded):
        plays = loaded.plays()
        with pytest.raises(PersonLevel):
            loaded.release(plays, by="account", why="Figure 2")
        entry = loaded.ledger.entries()[-1]
        assert entry["what"] == "refused"
        assert entry["details"]["by"] == ["account"]
        # The kind of a refusal would tell what is in the cells.
        assert "PersonLevel" not in str(entry)

    def test_a_table_of_another_study_is_refused(self, loaded, begin):
        other = begin(name="other", folder="other")
        other.load(log(IDS))
        with pytest.raises(PersonLevel):
            other.release(loaded.plays(), by="title", why="Figure 2")

    def test_before_a_load_there_is_nothing_to_release(self, study):
        with pytest.raises(Refused, match="holds no plays"):
            study.release(log(IDS), by="title", why="Figure 2")

    def test_releases_are_compared_with_all_before(self, begin):
        study = begin()
        study.load(log([*IDS, *range(20)]))
        plays = study.plays()
        study.release(plays, by="title", why="Figure 2")
        gone = plays["account"].cat.categories[:3]
        some = plays[~plays["account"].isin(gone)]
        # Also in another process, and after others.
        again = begin()
        with pytest.raises(Refused):
            again.release(some, by="title", why="Figure 3")
        assert again.release(plays, by="title", why="Figure 2 again").number == 2
        with pytest.raises(Refused):
            again.release(some, by="title", why="Figure 3")


class TestNoise:
    @pytest.fixture
    def private(self, begin):
        pytest.importorskip("opendp")
        study = begin(epsilon_budget="1.5")
        study.load(log(range(300), titles=["Heat", "Up"]))
        return study

    def test_it_spends_the_budget_whoever_opens_it(self, private, begin):
        asked = {"by": "title", "why": "Figure 2", "each": 2}
        release = private.release(private.plays(), epsilon=1, **asked)
        assert release.table["title"].tolist() == ["Heat", "Up"]
        assert (release.table["people"] - 300).abs().max() < 100
        assert release.error > 0
        assert "95 % probability" in repr(release)
        said = private.ledger.entries()[-1]["details"]
        assert said["epsilon"] == "1"
        again = begin(epsilon_budget=1.5)
        with pytest.raises(Refused, match="more than is left of the study's budget"):
            again.release(again.plays(), epsilon="0.6", **asked)
        again.release(again.plays(), epsilon="0.5", **asked)
        with pytest.raises(Refused, match="more than is left of the study's budget"):
            again.release(again.plays(), epsilon="0.01", **asked)

    def test_it_ends_growth_as_any_release_does(self, private):
        private.release(private.plays(), by="title", why="Figure 2", epsilon=1)
        with pytest.raises(Refused, match="must stay as it was"):
            private.load(log(["new"]))

    @pytest.mark.parametrize(
        "wrong",
        [{}, {"by": "title", "count": "plays"}, {"by": "title", "mean": "watched_seconds"},
         {"by": ["title", "source"], "share_of": "source"}],
    )  # fmt: skip
    def test_it_counts_people_by_something(self, wrong, private):
        with pytest.raises(ValueError, match="`epsilon` must go with a count of people `by`"):
            private.release(private.plays(), why="Figure 2", epsilon=1, **wrong)
        assert what(private)[-1] == "opened"

    def test_without_a_budget_there_is_none(self, loaded):
        with pytest.raises(Refused, match="began without one"):
            loaded.release(loaded.plays(), by="title", why="Figure 2", epsilon=1)


class TestForgetting:
    @pytest.mark.parametrize("ids", [IDS, range(14)], ids=["text", "numbers"])
    @pytest.mark.parametrize("is_released", [False, True])
    def test_the_account_is_in_no_file(self, ids, is_released, study):
        study.load(log(ids))
        plays = study.plays()
        if is_released:
            before = study.release(plays, by="title", why="Figure 2")
            cells = tables(study)["cells-0001.parquet"]
        lone = log(ids)["watched_seconds"].max()
        (who,) = plays.loc[plays["watched_seconds"] == lone, "account"].unique()
        (viewer,) = plays.loc[plays["watched_seconds"] == lone, "viewer"].unique()
        study.forget(str(ids[-1]))
        left = study.plays()
        rest = plays[plays["account"] != who].reset_index(drop=True)
        assert left["account"].nunique() == 13
        assert histories(left) == histories(rest)
        held = tables(study)
        for table in held.values():
            for _, column in table.select_dtypes(["str", "category"]).items():
                assert not column.astype("str").isin([who, viewer]).any()
        assert IDS[-1] not in ledger_text(study)
        assert who not in ledger_text(study)
        if is_released:
            pd.testing.assert_frame_equal(held["cells-0001.parquet"], cells)
            assert study.ledger.entries()[-3]["details"]["outputs"] == before.outputs()
            # The same table differs from the old one by the one that is gone.
            with pytest.raises(Refused):
                study.release(left, by="title", why="Figure 2")

    def test_several_are_forgotten_before_and_after_a_release(self, begin):
        study = begin()
        study.load(log(range(40)))
        study.forget("3")
        study.release(study.plays(), by="title", why="Figure 2")
        study.forget("5")
        study.forget("7")
        assert study.plays()["account"].nunique() == 37
        plays = study.plays()
        half = plays[plays["account"].isin(plays["account"].cat.categories[:18])]
        assert study.release(half, by="title", why="Figure 3").table["people"].tolist() == [20, 20]

    def test_the_others_keep_their_places_in_released_cells(self, study):
        study.load(log(range(40)))
        plays = study.plays()
        accounts = plays["account"].cat.categories
        plays["half"] = plays["account"].isin(accounts[:20])
        study.release(plays, by="half", why="Figure 2")
        study.forget(accounts[0])
        # The same twenty as before, who differ from no cell.
        assert study.release(plays[~plays["half"]], why="Figure 3").table["people"].tolist() == [20]

    def test_an_account_goes_with_all_its_profiles(self, study, tmp_path):
        study.load(a_household(tmp_path)[0])
        study.load(log(IDS))
        study.forget("Ann Berg.zip")
        assert study.plays()["viewer"].nunique() == 14
        with pytest.raises(Refused, match="found 0"):
            study.forget("Ann Berg.zip")

    @pytest.mark.parametrize("name", ["Ann Berg", "ann berg.ZIP", " Ann  Berg "])
    def test_the_ending_and_the_case_of_a_name_are_free(self, name, study, tmp_path):
        study.load(a_household(tmp_path)[0])
        study.forget(name)
        assert len(study.plays()) == 0

    def test_a_name_may_be_that_of_a_profile_too(self, study, tmp_path):
        (tmp_path / "Ann.csv").write_text(netflix(("Ann", "Heat")))
        study.load(tmp_path / "Ann.csv")
        study.forget("Ann")
        assert len(study.plays()) == 0

    def test_signs_alone_are_nobodys_name(self, study):
        study.load(log(["???", *IDS]))
        with pytest.raises(Refused, match="found 0"):
            study.forget("!!!")

    def test_a_pseudonym_is_a_name_too(self, loaded):
        who = loaded.plays()["account"].iloc[0]
        loaded.forget(who)
        assert who not in set(loaded.plays()["account"])

    @pytest.mark.parametrize("name", ["Kids", "Ann", "nobody", "", "…", "v_aaaaaaaaaaaaaaaa", 7])
    def test_who_is_no_account_is_refused(self, name, study, tmp_path):
        study.load(a_household(tmp_path)[0])
        before = what(study)
        with pytest.raises(
            Refused, match=r"`name` must be that of one account .*, found 0"
        ) as caught:
            study.forget(name)
        assert not name or str(name) not in str(caught.value).replace("`name`", "")
        assert what(study) == before

    def test_who_is_two_accounts_is_refused_until_one_is_meant(self, study):
        both = [log(["ann"]).assign(source=source) for source in ("plex", "trakt")]
        study.load(pd.concat(both))
        with pytest.raises(Refused, match="found 2"):
            study.forget("ann")
        study.forget(study.plays()["account"].iloc[0])
        study.forget("ann")
        assert len(study.plays()) == 0

    def test_what_a_stopped_writer_left_goes_too(self, loaded, tmp_path):
        folder = tmp_path / "study"
        for name in ("plays", "accounts"):
            shutil.copy(folder / "plays.parquet", folder / f"{name}.next.parquet")
            (folder / f"{name}.next.parquet.new").write_bytes(b"half")
        loaded.forget(IDS[0])
        assert sorted(path.name for path in folder.iterdir()) == [
            ".gitignore", "ledger.jsonl", "names.parquet", "plays.parquet", "study.lock",
        ]  # fmt: skip


class TestFiles:
    def test_one_of_an_earlier_time_is_refused(self, loaded, tmp_path):
        for name in ("plays", "names"):
            path = tmp_path / "study" / f"{name}.parquet"
            early = path.read_bytes()
            loaded.load(log([f"new {name}"]))
            late = path.read_bytes()
            path.write_bytes(early)
            with pytest.raises(Refused, match=rf"{name}\.parquet must be the file that the ledger"):
                loaded.forget(IDS[0])
            path.write_bytes(late)
        loaded.forget(IDS[0])

    def test_cells_of_an_earlier_time_are_refused(self, begin):
        study = begin()
        study.load(log(range(40)))
        study.release(study.plays(), by="title", why="Figure 2")
        (study.ledger.path.parent / "cells-0001.parquet").unlink()
        with pytest.raises(Refused, match=r"cells-0001\.parquet must be the file .* found none"):
            study.release(study.plays(), by="title", why="Figure 2")

    def test_a_flipped_bit_and_a_swapped_file_are_refused(self, loaded, tmp_path):
        path, other = (tmp_path / "study" / f"{name}.parquet" for name in ("plays", "names"))
        whole = path.read_bytes()
        for place in random.Random(53).sample(range(len(whole)), 20):
            data = bytearray(whole)
            data[place] ^= 1
            path.write_bytes(data)
            with pytest.raises(Refused):
                loaded.plays()
        path.write_bytes(other.read_bytes())
        with pytest.raises(Refused):
            loaded.plays()

    def test_only_a_published_head_tells_that_all_was_put_back(self, loaded, begin, tmp_path):
        shutil.copytree(tmp_path / "study", tmp_path / "backup")
        loaded.release(loaded.plays(), by="title", why="Figure 2")
        head = loaded.ledger.head
        shutil.rmtree(tmp_path / "study")
        shutil.move(tmp_path / "backup", tmp_path / "study")
        back = begin()
        assert len(back.plays()) == 28
        back.ledger.verify()
        with pytest.raises(LedgerBroken, match="no line has the published head"):
            back.ledger.verify(head)

    def test_it_leaves_no_lock_or_draft(self, loaded, tmp_path):
        loaded.release(loaded.plays(), by="title", why="Figure 2")
        assert sorted(path.name for path in (tmp_path / "study").iterdir()) == [
            ".gitignore", "accounts.parquet", "cells-0001.parquet", "ledger.jsonl",
            "names.parquet", "plays.parquet", "study.lock",
        ]  # fmt: skip

    @posix
    def test_others_can_not_look_into_the_folder(self, loaded, tmp_path):
        assert (tmp_path / "study").stat().st_mode & 0o077 == 0


class Stopped:
    """Stop a process with SIGKILL before the n-th thing that it does to a file of a folder."""

    EVENTS = ("open", "os.rename", "os.remove", "os.link", "os.mkdir")

    def __init__(self, folder, n):
        self.folder, self.left = str(folder), n
        sys.addaudithook(self)

    def __call__(self, event, args):
        if event in self.EVENTS and str(args[0]).startswith(self.folder):
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)


def killed(step, *, before=None, after=None):
    """Run a step in a process of its own that is killed; say whether it was."""
    child = os.fork()
    if not child:
        try:
            if before is not None:
                Stopped(*before)
            step()
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert not (os.WIFEXITED(status) and os.WEXITSTATUS(status))
    return os.WIFSIGNALED(status)


def state(study):
    """What a study holds, once it has been checked."""
    study.ledger.verify()
    vault = study._vault
    with vault.opened() as entries:
        files = sorted(files_of(entries))
        held = {name: fingerprint(vault.read(name, entries)) for name in files}
    left = {path.name for path in vault.folder.iterdir()}
    assert left - {f"{name}.parquet" for name in files} == {
        ".gitignore", "ledger.jsonl", "study.lock",
    }  # fmt: skip
    return held


STEPS = {
    "load": lambda study: study.load(log(IDS)),
    "release": lambda study: study.release(
        study._vault.read("plays", study.ledger.entries()), by="title", why="Figure 2"
    ),
    "forget": lambda study: study.forget(IDS[1]),
}


@posix
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
class TestKilled:
    def test_at_any_moment_of_any_step_it_is_before_or_after(self, begin, tmp_path, keys):
        study = begin()
        places = 0
        for step in STEPS.values():
            before = state(study)
            shutil.copytree(tmp_path / "study", tmp_path / "before")
            found = set()
            for n in range(1, 200):
                is_killed = killed(lambda step=step: step(study), before=(tmp_path / "study", n))
                opened = begin()
                found.add(tuple(state(opened).items()))
                if not is_killed:
                    break
                places += 1
                shutil.rmtree(tmp_path / "study")
                shutil.copytree(tmp_path / "before", tmp_path / "study")
            assert not is_killed
            assert found == {tuple(before.items()), tuple(state(study).items())}
            shutil.rmtree(tmp_path / "before")
        assert places > 40

    @pytest.mark.parametrize("where", ["study", "keys"])
    def test_at_any_moment_of_the_first_opening_it_can_be_opened(self, where, begin, tmp_path):
        for n in range(1, 100):
            is_killed = killed(begin, before=(tmp_path / where, n))
            study = begin()
            study.load(log(IDS))
            assert len(study.plays()) == 28
            assert [name for name in what(study) if name == "began"] == ["began"]
            shutil.rmtree(tmp_path / "study")
            shutil.rmtree(tmp_path / "keys")
            if not is_killed:
                break
        assert n > 5

    def test_at_random_moments_it_is_one_of_the_states(self, loaded, begin):
        moments, before = random.Random(1612), loaded.plays()
        accounts = set(before["account"])

        def work():
            for n in range(10**6):
                study = begin(purpose=f"load {n}")
                study.load(log(["new"]))
                study.plays()
                study.forget("new")

        began_at = time.monotonic()
        loaded.load(log(["new"]))
        loaded.plays()
        loaded.forget("new")
        most = 2 * (time.monotonic() - began_at)
        done = set()
        for _ in range(N_KILLED):
            assert killed(work, after=moments.uniform(0, most))
            study = begin()
            state(study)
            plays = study.plays()
            new = set(plays["account"]) - accounts
            assert set(plays["account"]) >= accounts
            assert len(new) <= 1
            assert len(plays) == len(before) + 2 * len(new)
            done.add(len(new))
            if new:
                study.forget("new")
            pd.testing.assert_frame_equal(study.plays(), before)
        assert done == {0, 1}


USER = """
import os, sys
import pandas as pd
from toolkit.privacy.study import open_study
from tests.privacy.logs import log

def use(n, folder):
    study = open_study("rewatch", purpose=f"writer {n}", folder=folder)
    study.load(log([f"donor {m}" for m in range(20 * n, 20 * n + 20)]))
    wait()
    plays = study.plays()
    for m in range(3):
        study.release(plays, by="title", why=f"by writer {n}, {m}")
    wait()
    study.forget(f"donor {20 * n}")

def wait():
    print("done", flush=True)
    sys.stdin.readline()

use(int(sys.argv[1]), sys.argv[2])
"""


class TestProcesses:
    def test_those_that_use_it_at_once_take_turns(self, begin, tmp_path):
        # Also those that begin it.
        root = Path(__file__).parents[2]
        users = [
            subprocess.Popen(
                [sys.executable, "-c", USER, str(n), tmp_path / "study"],
                env=os.environ | {"PYTHONPATH": str(root)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for n in range(3)
        ]
        for _ in range(2):
            assert [user.stdout.readline() for user in users] == ["done\n"] * 3
            for user in users:
                user.stdin.write("go on\n")
                user.stdin.flush()
        for user in users:
            user.communicate(timeout=60)
        assert [user.returncode for user in users] == [0] * 3
        study = begin()
        study.ledger.verify()
        done = what(study)
        assert {name: done.count(name) for name in done} == {
            "began": 1, "loaded": 3, "opened": 3, "released": 9, "forgot": 3,
        }  # fmt: skip
        released = [e["details"] for e in study.ledger.entries() if e["what"] == "released"]
        assert [each["release"] for each in released] == [*range(1, 10)]
        assert study.plays()["account"].nunique() == 57
        assert {f"cells-{n:04d}.parquet" for n in range(1, 10)} <= {*tables(study)}
