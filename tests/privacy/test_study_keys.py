import hashlib
import hmac
import os
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from toolkit.privacy import keys
from toolkit.privacy.keys import derived, destroy_study_key, make_study_key, read_study_key
from toolkit.privacy.refusals import KeyExposed, KeyMissing, KeyTaken, LedgerBroken, Refused

keyring = pytest.importorskip("keyring")
posix = pytest.mark.skipif(os.name != "posix", reason="file modes, links and signals")
MASTER = bytes(range(32))


class InMemory(keyring.backend.KeyringBackend):
    """A keyring whose faults can be chosen."""

    priority = 1

    def __init__(self):
        self.held, self.faults = {}, set()

    def get_password(self, service, username):
        self.fail_if("get")
        return self.held.get((service, username))

    def set_password(self, service, username, password):
        self.fail_if("set")
        time.sleep(0.01)
        if "forget" not in self.faults:
            self.held[service, username] = password

    def delete_password(self, service, username):
        self.fail_if("delete")
        if "keep" not in self.faults:
            del self.held[service, username]

    def fail_if(self, fault):
        if fault in self.faults:
            raise keyring.errors.KeyringError(fault)


@pytest.fixture(autouse=True)
def system_keyring(monkeypatch):
    """The keyring of whoever runs the tests is out of reach; this one doesn't answer."""
    silent = InMemory()
    silent.faults = {"get", "set", "delete"}
    before = keyring.get_keyring()
    keyring.set_keyring(silent)
    yield silent
    keyring.set_keyring(before)


@pytest.fixture
def answering(system_keyring):
    system_keyring.faults = set()
    return system_keyring


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def key_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("APPDATA", raising=False)
    monkeypatch.delenv("VIEWING_KEY_FOLDER", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "viewing-toolkit" / "studies"


def moved_to(folder, monkeypatch):
    monkeypatch.setenv("VIEWING_KEY_FOLDER", str(folder))
    return folder


def put_key(path, text="5a" * 32):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path


class TestDerived:
    def test_is_the_third_case_of_rfc_5869(self):
        made = keys._hkdf(bytes([0x0B]) * 22, b"", 42)
        assert made.hex() == (
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        )

    @pytest.mark.parametrize("purpose", ["pseudonyms", "file plays", "Äpfel"])
    def test_is_hkdf_of_the_purpose(self, purpose):
        extracted = hmac.new(b"", MASTER, hashlib.sha256).digest()
        expected = hmac.new(extracted, purpose.encode() + b"\x01", hashlib.sha256).digest()
        assert derived(MASTER, purpose) == expected

    def test_purposes_and_masters_are_told_apart(self):
        made = {derived(m, p) for m in (MASTER, bytes(32)) for p in ("a", "b", "a ", "A")}
        assert len(made | {MASTER}) == 9

    def test_without_a_purpose_or_a_whole_master_it_is_refused(self):
        with pytest.raises(ValueError, match="`purpose` must say what the key is for"):
            derived(MASTER, "")
        with pytest.raises(ValueError, match="`key` must be 32 bytes, found 31"):
            derived(MASTER[1:], "pseudonyms")


class TestInAFile:
    def test_it_is_made_for_the_owner_alone_and_found_again(self, data, key_folder):
        made = make_study_key("rewatch-2026", folder=data)
        assert len(made) == 32
        path = key_folder / "rewatch-2026.key"
        assert bytes.fromhex(path.read_text()) == made
        assert read_study_key("rewatch-2026", folder=data) == made
        assert {p.name for p in key_folder.iterdir()} == {path.name, "keys.lock"}
        assert list(data.iterdir()) == []
        if os.name == "posix":
            assert path.stat().st_mode & 0o777 == 0o600
            assert key_folder.stat().st_mode & 0o777 == 0o700

    def test_each_study_has_its_own_and_keeps_it(self, data):
        first = make_study_key("one", folder=data)
        assert make_study_key("two", folder=data) != first
        with pytest.raises(KeyTaken, match=r"must be that of a study without a key, found .* one"):
            make_study_key("one", folder=data)
        assert read_study_key("one", folder=data) == first

    def test_a_named_folder_comes_before_the_keyring(self, data, tmp_path, monkeypatch, answering):
        folder = moved_to(tmp_path / "stick", monkeypatch)
        made = make_study_key("one", folder=data)
        assert bytes.fromhex((folder / "one.key").read_text()) == made
        assert answering.held == {}
        answering.held["viewing-toolkit", "study one"] = "11" * 32
        assert read_study_key("one", folder=data) == made

    @pytest.mark.parametrize("text", ["", "5a" * 31, "zz" * 32, "5a" * 33])
    def test_a_file_without_a_key_is_no_key_and_not_quoted(self, data, key_folder, text):
        put_key(key_folder / "one.key", text)
        with pytest.raises(KeyMissing, match="found no key of one that is whole") as caught:
            read_study_key("one", folder=data)
        assert not text or text not in str(caught.value)

    def test_an_absent_key_is_missing_and_none_is_made(self, data, key_folder):
        with pytest.raises(
            KeyMissing, match=r"found no key of one in the keyring or at .*one\.key"
        ):
            read_study_key("one", folder=data)
        assert not key_folder.exists()

    @pytest.mark.parametrize(
        "name", ["", "../one", "a/b", "a\\b", ".one", "-one", "a" * 65, "ä", "one\n", None]
    )
    def test_a_name_that_is_no_plain_file_name_is_refused(self, data, name):
        for step in (make_study_key, read_study_key):
            with pytest.raises(ValueError, match="`name` must be 1 to 64 letters"):
                step(name, folder=data)
        with pytest.raises(ValueError, match="`name` must be 1 to 64 letters"):
            destroy_study_key(name)


@posix
class TestExposed:
    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o644])
    def test_a_key_that_others_can_reach_is_refused(self, data, key_folder, mode):
        make_study_key("one", folder=data)
        (key_folder / "one.key").chmod(mode)
        with pytest.raises(KeyExposed, match=f"only its owner can read .* found mode 0{mode:o}"):
            read_study_key("one", folder=data)

    def refused(self, data, where):
        for step in (read_study_key, make_study_key):
            # What lies there now would be taken before it is exposed.
            if step is make_study_key:
                destroy_study_key("one")
            with pytest.raises(KeyExposed, match=f"`key` must lie outside {where}") as caught:
                step("one", folder=data)
            assert "VIEWING_KEY_FOLDER" in caught.value.fix

    @pytest.mark.parametrize("below", ["", "deep/er"])
    def test_a_key_among_the_data_is_refused(self, data, monkeypatch, below):
        put_key(moved_to(data / below, monkeypatch) / "one.key")
        self.refused(data, "the folder of the data")
        assert list(data.rglob("*.key")) == []

    def test_data_around_the_usual_place_are_refused(self, tmp_path, key_folder):
        put_key(key_folder / "one.key")
        self.refused(tmp_path, "the folder of the data")

    def test_a_folder_that_links_to_the_data_is_refused(self, data, tmp_path, monkeypatch):
        (tmp_path / "link").symlink_to(data)
        put_key(moved_to(tmp_path / "link", monkeypatch) / "one.key")
        self.refused(data, "the folder of the data")

    def test_a_link_among_the_data_is_refused_wherever_it_leads(self, data, tmp_path, monkeypatch):
        (tmp_path / "stick").mkdir()
        (data / "link").symlink_to(tmp_path / "stick")
        put_key(moved_to(data / "link", monkeypatch) / "one.key")
        self.refused(data, "the folder of the data")

    def test_data_that_are_named_by_a_link_are_known(self, data, tmp_path, monkeypatch):
        (tmp_path / "link").symlink_to(data)
        put_key(moved_to(data, monkeypatch) / "one.key")
        self.refused(tmp_path / "link", "the folder of the data")

    def test_a_key_that_links_to_the_data_is_refused(self, data, key_folder):
        key_folder.mkdir(parents=True)
        (key_folder / "one.key").symlink_to(put_key(data / "hidden"))
        with pytest.raises(KeyExposed, match="outside the folder of the data"):
            read_study_key("one", folder=data)

    def test_a_key_in_a_repository_is_refused(self, data, tmp_path, key_folder):
        put_key(key_folder / "one.key")
        # A worktree has a file in the place of the folder.
        (tmp_path / "config" / ".git").write_text("gitdir: elsewhere")
        self.refused(data, "every git repository")
        assert list(tmp_path.rglob("*.key")) == []

    def test_a_key_that_links_into_a_repository_is_refused(self, data, tmp_path, key_folder):
        (tmp_path / "dotfiles" / ".git").mkdir(parents=True)
        key_folder.mkdir(parents=True)
        (key_folder / "one.key").symlink_to(put_key(tmp_path / "dotfiles" / "one.key"))
        with pytest.raises(KeyExposed, match="outside every git repository"):
            read_study_key("one", folder=data)

    def test_a_neighbour_of_the_data_is_no_part_of_them(self, data, tmp_path, monkeypatch):
        moved_to(tmp_path / "data-keys", monkeypatch)
        make_study_key("one", folder=data)
        read_study_key("one", folder=str(data))


class TestInTheKeyring:
    def test_it_is_kept_there_and_nowhere_else(self, data, answering, tmp_path):
        made = make_study_key("one", folder=data)
        assert answering.held == {("viewing-toolkit", "study one"): made.hex()}
        assert read_study_key("one", folder=data) == made
        assert all(made.hex() not in p.read_text() for p in tmp_path.rglob("*") if p.is_file())
        with pytest.raises(KeyTaken):
            make_study_key("one", folder=data)

    def test_a_file_from_when_it_did_not_answer_is_not_made_void(self, data, answering):
        answering.faults = {"get"}
        made = make_study_key("one", folder=data)
        answering.faults = set()
        answering.held = {}
        with pytest.raises(KeyTaken):
            make_study_key("one", folder=data)
        assert read_study_key("one", folder=data) == made

    @pytest.mark.parametrize("fault", ["set", "forget"])
    def test_one_that_does_not_keep_it_leaves_it_to_a_file(
        self, data, answering, key_folder, fault
    ):
        answering.faults = {fault}
        made = make_study_key("one", folder=data)
        assert answering.held == {}
        assert bytes.fromhex((key_folder / "one.key").read_text()) == made
        assert read_study_key("one", folder=data) == made

    def test_one_that_no_longer_answers_leaves_the_key_missing(self, data, answering):
        make_study_key("one", folder=data)
        answering.faults = {"get"}
        with pytest.raises(KeyMissing):
            read_study_key("one", folder=data)

    def test_the_key_of_pseudonyms_is_another(self, data, answering, monkeypatch):
        answering.held["viewing-toolkit", "pseudonyms"] = "2c" * 32
        make_study_key("pseudonyms", folder=data)
        monkeypatch.delenv("VIEWING_KEY_FILE")
        assert keys.read_key() == bytes.fromhex("2c" * 32)

    def test_without_the_package_a_file_serves(self, data, key_folder, monkeypatch):
        monkeypatch.setitem(sys.modules, "keyring", None)
        made = make_study_key("one", folder=data)
        assert read_study_key("one", folder=data) == made
        destroy_study_key("one")
        assert not (key_folder / "one.key").exists()


class TestDestroy:
    def test_the_bytes_are_overwritten_before_the_file_goes(self, data, key_folder):
        made = make_study_key("one", folder=data)
        # Another name for the same bytes of the disk.
        witness = data / "witness"
        os.link(key_folder / "one.key", witness)
        destroy_study_key("one")
        assert not (key_folder / "one.key").exists()
        left = witness.read_bytes()
        assert len(left) == 64
        # Not one byte in a row of four is where it was.
        assert not any(left[n : n + 4] == made.hex().encode()[n : n + 4] for n in range(61))
        with pytest.raises(KeyMissing):
            read_study_key("one", folder=data)
        assert make_study_key("one", folder=data) != made

    def test_the_overwritten_bytes_are_on_the_disk_before_the_file_goes(
        self, data, key_folder, monkeypatch
    ):
        made = make_study_key("one", folder=data)
        path = key_folder / "one.key"
        synced = []
        real = os.fsync
        monkeypatch.setattr(
            os,
            "fsync",
            lambda handle: (synced.append(path.exists() and path.read_bytes()), real(handle)),
        )
        destroy_study_key("one")
        assert synced[0]
        assert synced[0] != made.hex().encode()

    @posix
    def test_what_a_link_leads_to_goes_with_it(self, data, key_folder):
        target = put_key(data / "hidden")
        witness = data / "witness"
        os.link(target, witness)
        key_folder.mkdir(parents=True)
        (key_folder / "one.key").symlink_to(target)
        destroy_study_key("one")
        assert not target.exists()
        assert not os.path.lexists(key_folder / "one.key")
        assert b"5a5a" not in witness.read_bytes()

    @posix
    def test_a_link_that_leads_nowhere_goes(self, data, key_folder):
        key_folder.mkdir(parents=True)
        (key_folder / "one.key").symlink_to(data / "gone")
        destroy_study_key("one")
        assert not os.path.lexists(key_folder / "one.key")

    @pytest.mark.parametrize("mode", [0o400, 0o644])
    def test_a_key_that_is_read_only_or_exposed_can_go(self, data, key_folder, mode):
        put_key(key_folder / "one.key").chmod(mode)
        destroy_study_key("one")
        assert not (key_folder / "one.key").exists()

    def test_other_keys_stay(self, data):
        one, _ = make_study_key("one", folder=data), make_study_key("two", folder=data)
        destroy_study_key("two")
        assert read_study_key("one", folder=data) == one

    def test_the_entry_of_the_keyring_goes(self, data, answering):
        make_study_key("one", folder=data)
        make_study_key("two", folder=data)
        destroy_study_key("one")
        assert [*answering.held] == [("viewing-toolkit", "study two")]
        with pytest.raises(KeyMissing):
            read_study_key("one", folder=data)

    def test_a_key_in_both_places_goes_from_both(self, data, answering, key_folder):
        answering.held["viewing-toolkit", "study one"] = "5a" * 32
        put_key(key_folder / "one.key")
        destroy_study_key("one")
        assert answering.held == {}
        assert not (key_folder / "one.key").exists()

    @pytest.mark.parametrize("fault", ["delete", "keep"])
    def test_a_keyring_that_does_not_give_it_up_is_told(self, data, answering, fault):
        make_study_key("one", folder=data)
        answering.faults = {fault}
        with pytest.raises(Refused, match=r"keyring did not delete the key.*'study one'"):
            destroy_study_key("one")

    def test_a_key_that_is_not_there_is_told(self):
        with pytest.raises(KeyMissing, match="found no key of one"):
            destroy_study_key("one")


MAKER = """
import os, signal, sys, time
from toolkit.privacy import keys
from toolkit.privacy.refusals import KeyTaken
stop_at, folder = sys.argv[1:]
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
if stop_at:
    setattr(os, stop_at, die)
print("ready", flush=True)
sys.stdin.readline()
try:
    print(keys.make_study_key("one", folder=folder).hex())
except KeyTaken:
    print("taken")
"""


class TestAtOnce:
    @pytest.fixture
    def start(self, data, key_folder, monkeypatch, tmp_path):
        moved_to(tmp_path / "keys", monkeypatch)
        running = []

        def begin(stop_at=""):
            process = subprocess.Popen(
                [sys.executable, "-c", MAKER, stop_at, data],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            running.append(process)
            return process

        yield begin
        for process in running:
            process.kill()
            process.communicate()

    def test_of_processes_that_make_it_one_does(self, start, data):
        makers = [start() for _ in range(4)]
        assert [maker.stdout.readline() for maker in makers] == ["ready\n"] * 4
        for maker in makers:
            maker.stdin.write("\n")
            maker.stdin.flush()
        told = sorted(maker.communicate()[0].strip() for maker in makers)
        assert told[1:] == ["taken"] * 3
        assert told[0] == read_study_key("one", folder=data).hex()

    def test_of_threads_that_ask_the_keyring_one_makes_it(self, data, answering):
        together = threading.Barrier(8)

        def make(_):
            together.wait()
            try:
                return make_study_key("one", folder=data)
            except KeyTaken:
                return None

        with ThreadPoolExecutor(8) as pool:
            made = [key for key in pool.map(make, range(8)) if key]
        assert made == [read_study_key("one", folder=data)]

    @posix
    @pytest.mark.parametrize(
        ("stop_at", "is_made"), [("fsync", False), ("link", False), ("unlink", True)]
    )
    def test_a_killed_maker_leaves_a_whole_key_or_none(self, start, data, stop_at, is_made):
        maker = start(stop_at)
        assert maker.communicate("\n")[0] == "ready\n"
        assert maker.returncode == -9
        if is_made:
            assert len(read_study_key("one", folder=data)) == 32
        else:
            with pytest.raises(KeyMissing):
                read_study_key("one", folder=data)
            assert make_study_key("one", folder=data) == read_study_key("one", folder=data)

    def test_where_locks_do_nothing_a_key_that_was_not_kept_is_not_returned(
        self, data, key_folder, monkeypatch
    ):
        real = os.link

        def late(draft, path):
            put_key(path)
            real(draft, path)

        monkeypatch.setattr(os, "link", late)
        with pytest.raises(KeyTaken):
            make_study_key("one", folder=data)
        assert read_study_key("one", folder=data).hex() == "5a" * 32

    def test_it_is_on_the_disk_before_it_has_its_name(self, data, monkeypatch):
        done = []
        for name in ("fsync", "link"):
            real = getattr(os, name)
            monkeypatch.setattr(
                os, name, lambda *a, name=name, real=real: (done.append(name), real(*a))[1]
            )
        make_study_key("one", folder=data)
        assert done == ["fsync", "link", "fsync"]

    def test_an_interrupted_maker_leaves_nothing(self, data, key_folder, monkeypatch):
        def interrupted(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(os, "link", interrupted)
        with pytest.raises(KeyboardInterrupt):
            make_study_key("one", folder=data)
        assert [p.name for p in key_folder.iterdir()] == ["keys.lock"]


class TestRefused:
    @pytest.mark.parametrize("kind", [Refused, KeyMissing, KeyExposed, KeyTaken, LedgerBroken])
    def test_it_is_a_value_error_of_two_sentences_also_from_another_process(self, kind):
        error = pickle.loads(pickle.dumps(kind("It is closed.", "Open it.")))
        assert isinstance(error, Refused)
        assert isinstance(error, ValueError)
        assert type(error) is kind
        assert (error.reason, error.fix) == ("It is closed.", "Open it.")
        assert str(error) == "It is closed. Open it."
