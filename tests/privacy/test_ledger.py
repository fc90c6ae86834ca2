import errno
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from unittest import mock

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.privacy import ledger as module
from toolkit.privacy.__main__ import _command
from toolkit.privacy.ledger import Ledger, accesses
from toolkit.privacy.refusals import LedgerBroken

posix = pytest.mark.skipif(os.name != "posix", reason="signals and limits of processes")
START = "0" * 64
# In each of four ledgers.
N_KILLED = 25
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda held: st.lists(held, max_size=3) | st.dictionaries(TEXT, held, max_size=3),
    max_leaves=6,
)


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger.jsonl")


@pytest.fixture
def filled(ledger):
    for n in range(8):
        ledger.append("opened", purpose="comfort titles", n_rows=n)
    return ledger


def lines_of(ledger):
    return ledger.path.read_bytes().splitlines(keepends=True)


def digest_of(entry):
    """The digest, by the description alone."""
    said = {name: value for name, value in entry.items() if name != "digest"}
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def forged(line, **changes):
    """A line that says something else, with the digest that fits it."""
    entry = json.loads(line) | changes
    entry["digest"] = digest_of(entry)
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode() + b"\n"


class TestAppend:
    def test_a_line_is_an_entry_chained_to_the_one_before(self, ledger):
        began = datetime.now(UTC)
        heads = [ledger.append("opened", purpose="why", n_rows=3), ledger.append("forgot")]
        first, second = (json.loads(line) for line in lines_of(ledger))
        assert [first["digest"], second["digest"]] == heads
        assert [digest_of(first), digest_of(second)] == heads
        assert (first["previous"], second["previous"]) == (START, heads[0])
        assert (first["n"], second["n"]) == (1, 2)
        assert (first["what"], second["what"]) == ("opened", "forgot")
        assert (first["details"], second["details"]) == ({"purpose": "why", "n_rows": 3}, {})
        at = datetime.fromisoformat(first["at"])
        assert began <= at <= datetime.fromisoformat(second["at"]) <= datetime.now(UTC)
        assert set(first) == {"n", "at", "who", "what", "details", "previous", "digest"}
        assert ledger.entries() == [first, second]
        assert ledger.head == heads[1]

    def test_without_an_entry_the_head_is_the_start(self, ledger):
        assert ledger.head == START
        assert ledger.entries() == []
        assert not ledger.path.exists()

    def test_who_is_the_account_and_not_what_a_variable_says(self, ledger, monkeypatch):
        pwd = pytest.importorskip("pwd")
        for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
            monkeypatch.setenv(name, "somebody-else")
        ledger.append("opened")
        assert ledger.entries()[0]["who"] == pwd.getpwuid(os.getuid()).pw_name

    def test_an_account_without_a_name_falls_back(self, ledger, monkeypatch):
        pwd = pytest.importorskip("pwd")

        def unknown(_):
            raise KeyError

        monkeypatch.setattr(pwd, "getpwuid", unknown)
        monkeypatch.setenv("LOGNAME", "declared")
        ledger.append("opened")
        assert ledger.entries()[0]["who"] == "declared"

    def test_details_may_have_any_name(self, ledger):
        details = {
            "self": 1,
            "what": 2,
            "n": 3,
            "who": "x",
            "digest": None,
            "previous": [],
            "at": {},
        }
        ledger.append("opened", **details)
        assert ledger.entries()[0]["details"] == details
        ledger.verify()

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.tuples(TEXT.filter(len), st.dictionaries(TEXT, JSON)), min_size=1, max_size=4)
    )
    def test_whatever_json_can_say_comes_back(self, tmp_path_factory, said):
        ledger = Ledger(tmp_path_factory.mktemp("any") / "ledger.jsonl")
        with mock.patch.object(os, "fsync"):
            for what, details in said:
                ledger.append(what, **details)
        found = ledger.entries()
        assert [(entry["what"], entry["details"]) for entry in found] == said
        # True is 1 in Python, not in JSON.
        texts = [json.dumps(details, sort_keys=True) for _, details in said]
        assert [json.dumps(entry["details"], sort_keys=True) for entry in found] == texts
        ledger.verify(found[0]["digest"])

    @pytest.mark.parametrize(
        ("value", "where", "found"),
        [
            (1.0, "details.x", "float"),
            (float("nan"), "details.x", "float"),
            ([1, [2.5]], "details.x", "float"),
            ({"a": {"b": float("inf")}}, "details.x.a.b", "float"),
            ((1, 2), "details.x", "tuple"),
            (b"bytes", "details.x", "bytes"),
            ({1, 2}, "details.x", "set"),
            (pd.Timestamp(0), "details.x", "Timestamp"),
            (pd.NA, "details.x", "NAType"),
        ],
    )
    def test_what_has_no_one_way_to_be_written_is_refused(self, ledger, value, where, found):
        with pytest.raises(ValueError, match=rf"`{re.escape(where)}` must be text, .* {found}\."):
            ledger.append("opened", x=value)
        assert not ledger.path.exists()

    @pytest.mark.parametrize("name", [1, None, True, 1.5, ("a",)])
    def test_names_that_are_no_text_are_refused(self, ledger, name):
        with pytest.raises(ValueError, match=r"`details\.x` must have names in text"):
            ledger.append("opened", x={name: 1})

    @pytest.mark.parametrize("details", [{"x": "\ud800"}, {"\udfff": 1}, {"x": {"\udc80": 1}}])
    def test_half_a_letter_is_refused(self, ledger, details):
        with pytest.raises(ValueError, match="must be text that UTF-8 can hold"):
            ledger.append("opened", **details)

    @pytest.mark.parametrize("what", ["", None, 3, "\ud800"])
    def test_an_entry_says_what_was_done(self, ledger, what):
        with pytest.raises(ValueError, match=r"`what` must (say in text|be text)"):
            ledger.append(what)

    def test_an_entry_is_one_write_and_on_the_disk_when_it_returns(self, filled, monkeypatch):
        calls = []
        real = os.fsync
        monkeypatch.setattr(
            os, "fsync", lambda handle: (calls.append(filled.path.read_bytes()), real(handle))
        )
        before = filled.path.read_bytes()
        head = filled.append("opened")
        assert len(calls) == 1
        assert calls[0].startswith(before)
        assert json.loads(calls[0].splitlines()[-1])["digest"] == head

    def test_a_new_file_and_its_name_are_both_on_the_disk(self, ledger, monkeypatch):
        synced = []
        monkeypatch.setattr(module, "sync_folder", synced.append)
        ledger.append("opened")
        ledger.append("opened")
        assert synced == [ledger.path.parent]

    def test_long_entries_are_found_again(self, ledger):
        for n in (1, 20_000, 300_000, 2**14 - 300, 3):
            ledger.append("opened", text="ä" * n)
        assert ledger.verify()
        assert [len(e["details"]["text"]) for e in ledger.entries()] == [
            1,
            20_000,
            300_000,
            16_084,
            3,
        ]

    def test_a_last_line_that_was_changed_is_not_built_upon(self, filled):
        data = filled.path.read_bytes().replace(b'"n_rows":7', b'"n_rows":6')
        filled.path.write_bytes(data)
        with pytest.raises(LedgerBroken, match=r"last line of ledger\.jsonl was changed"):
            filled.append("opened")
        assert filled.path.read_bytes() == data

    def test_it_shows_no_path(self, ledger):
        assert repr(ledger) == "<Ledger ledger.jsonl>"


class TestVerify:
    def test_what_stands_as_it_was_written_passes_with_every_head(self, filled):
        heads = [entry["digest"] for entry in filled.entries()]
        assert "Without a published head" in filled.verify()[-1]
        for n, head in enumerate(heads, 1):
            assert filled.verify(head)[-1] == f"The published head is that of entry {n} of 8."
        found = " ".join(filled.verify())
        assert "holds together: 8 entries" in found
        assert heads[-1] in found
        assert "declared, not proven" in found

    def broken(self, ledger, lines, said, head=None):
        ledger.path.write_bytes(b"".join(lines))
        steps = [lambda: ledger.verify(head)]
        # Without a head the entries alone can show it.
        steps += [] if head else [ledger.entries, lambda: ledger.head]
        for step in steps:
            with pytest.raises(LedgerBroken, match=said) as caught:
                step()
        assert str(caught.value).count("\n") == 0

    @pytest.mark.parametrize("n", range(1, 9))
    def test_an_edited_line_is_named(self, filled, n):
        lines = lines_of(filled)
        lines[n - 1] = lines[n - 1].replace(b"comfort", b"COMFORT")
        self.broken(filled, lines, f"^Line {n} of ledger.jsonl was changed")

    def test_a_changed_byte_anywhere_is_named_by_its_line(self, filled):
        lines = lines_of(filled)
        text = b"".join(lines)
        rng = random.Random(3)
        for at in [*range(len(lines[0])), *rng.sample(range(len(text)), 300)]:
            changed = bytearray(text)
            changed[at] ^= 1 << rng.randrange(8)
            n = text[:at].count(b"\n") + 1
            filled.path.write_bytes(changed)
            if at == len(text) - 1:
                # A line without its end is one that is still being written.
                assert "7 entries" in filled.verify()[0]
                continue
            with pytest.raises(LedgerBroken, match=f"^Line {n} of "):
                filled.verify()

    @pytest.mark.parametrize("n", range(1, 8))
    def test_a_deleted_line_is_named(self, filled, n):
        lines = lines_of(filled)
        del lines[n - 1]
        self.broken(filled, lines, f"^Line {n} of ledger.jsonl is entry {n + 1}: lines were taken")

    @pytest.mark.parametrize(("n", "other"), [(1, 2), (3, 4), (2, 7), (7, 8)])
    def test_swapped_lines_are_named(self, filled, n, other):
        lines = lines_of(filled)
        lines[n - 1], lines[other - 1] = lines[other - 1], lines[n - 1]
        self.broken(filled, lines, f"^Line {n} of ledger.jsonl is entry {other}:.* moved")

    @pytest.mark.parametrize("n", [1, 4, 8])
    def test_a_repeated_line_is_named(self, filled, n):
        lines = lines_of(filled)
        lines.insert(n, lines[n - 1])
        self.broken(filled, lines, f"^Line {n + 1} of ledger.jsonl is entry {n}: .* put in")

    @pytest.mark.parametrize("n", range(1, 8))
    def test_a_forged_line_is_named_by_the_one_after_it(self, filled, n):
        lines = lines_of(filled)
        lines[n - 1] = forged(lines[n - 1], who="somebody else")
        self.broken(filled, lines, f"^Line {n + 1} of ledger.jsonl does not continue")

    def test_a_line_of_another_ledger_is_named(self, filled, tmp_path):
        other = Ledger(tmp_path / "other.jsonl")
        for _ in range(8):
            other.append("opened")
        lines = lines_of(filled)
        lines[4] = lines_of(other)[4]
        self.broken(filled, lines, r"^Line 5 of ledger.jsonl does not continue")

    def test_another_start_is_named(self, filled):
        lines = [forged(lines_of(filled)[0], previous="1" * 64)]
        self.broken(filled, lines, r"^Line 1 of ledger.jsonl does not continue")

    @pytest.mark.parametrize("n", [0, 3, 7])
    def test_lines_cut_from_the_end_show_by_a_published_head(self, filled, n):
        head, lines = filled.head, lines_of(filled)
        said = "There is no entry" if n == 0 else f"ends with line {n} and no line has the publ"
        self.broken(filled, lines[:n], said, head=head)

    def test_a_ledger_written_anew_shows_by_a_published_head_alone(self, filled):
        head, before, lines = filled.head, START, []
        for line in lines_of(filled):
            lines.append(forged(line, who="nobody", previous=before))
            before = json.loads(lines[-1])["digest"]
        filled.path.write_bytes(b"".join(lines))
        assert "8 entries" in filled.verify()[0]
        self.broken(filled, lines, "written anew", head=head)

    @pytest.mark.parametrize(
        "changes",
        [
            {"at": "yesterday"},
            {"at": "2026-01-01T00:00:00.000000"},
            {"at": "2026-01-01\n00:00:00.000000+00:00"},
            {"at": "2026-01-01T02:00:00.000000+02:00"},
            {"at": "0001-01-01T00:00:00.000000+02:00"},
            {"n": True},
            {"n": "1"},
            {"who": None},
            {"what": 7},
            {"details": []},
            {"details": {"share": 0.5}},
            {"more": 1},
        ],
    )
    def test_a_forged_line_of_another_form_is_no_entry(self, filled, changes):
        lines = [forged(lines_of(filled)[0], **changes)]
        self.broken(filled, lines, r"^Line 1 of ledger.jsonl was changed")

    def test_a_forged_name_adds_no_sentence(self, filled):
        filled.path.write_bytes(forged(lines_of(filled)[0], who="ann\nAll is well."))
        assert all("\n" not in sentence for sentence in filled.verify())

    @pytest.mark.parametrize(
        "line",
        [
            b"",
            b"{}",
            b"[]",
            b"7",
            b"null",
            b"\xff\xfe{\x00}\x00",
            b"[" * 100_000,
            b"9" * 5_000,
            b'{"n":1',
        ],
    )
    @pytest.mark.parametrize("n", [1, 5])
    def test_what_is_no_entry_is_named(self, filled, line, n):
        lines = lines_of(filled)
        lines.insert(n - 1, line + b"\n")
        self.broken(filled, lines, rf"^Line {n} of ledger.jsonl was changed")

    def test_the_same_said_in_another_way_is_a_change(self, filled):
        first = json.loads(lines_of(filled)[0])
        for text in (
            json.dumps(first, sort_keys=True),
            json.dumps(dict(reversed(first.items())), separators=(",", ":")),
            lines_of(filled)[0].decode().rstrip("\n") + "\r",
            lines_of(filled)[0].decode().replace("comfort", "\\u0063omfort").rstrip("\n"),
            lines_of(filled)[0].decode().replace('"n":1,', '"n":9,"n":1,').rstrip("\n"),
        ):
            self.broken(filled, [text.encode() + b"\n"], r"^Line 1 of ledger.jsonl was changed")

    def test_a_ledger_that_is_not_there_or_empty_does_not_pass(self, ledger):
        for make in (lambda: None, ledger.path.touch):
            make()
            for head in (None, "a" * 64):
                with pytest.raises(LedgerBroken, match=r"There is no entry in ledger\.jsonl"):
                    ledger.verify(head)

    @pytest.mark.parametrize("head", ["", "abc", "A" * 64, "a" * 65, "a" * 64 + "\n"])
    def test_a_head_that_is_none_is_refused(self, filled, head):
        with pytest.raises(ValueError, match="`head` must be 64 hexadecimal digits, found"):
            filled.verify(head)


class TestRepair:
    def torn(self, ledger, cut):
        """Leave the ledger as a writer does that is stopped within its last line."""
        data = ledger.path.read_bytes()
        ledger.path.write_bytes(data[:-cut])
        return data[:-cut].rpartition(b"\n")[2]

    @pytest.mark.parametrize("cut", [2, 3, 100, 250])
    def test_half_a_line_is_removed_and_that_is_an_entry(self, filled, cut):
        left = self.torn(filled, cut)
        assert len(filled.entries()) == 7
        assert "a stopped writer left" in " ".join(filled.verify())
        filled.append("opened", n_rows=9)
        entries = filled.entries()
        assert [entry["what"] for entry in entries] == ["opened"] * 7 + ["repaired", "opened"]
        assert entries[7]["details"] == {
            "n_bytes": len(left),
            "sha256": hashlib.sha256(left).hexdigest(),
            "is_kept": False,
        }
        assert entries[8]["details"] == {"n_rows": 9}
        assert "a stopped writer left" not in " ".join(filled.verify())

    def test_a_whole_entry_that_only_lacks_its_end_is_kept(self, filled):
        head = filled.head
        self.torn(filled, 1)
        filled.append("opened", n_rows=9)
        entries = filled.entries()
        assert [entry["what"] for entry in entries] == ["opened"] * 8 + ["repaired", "opened"]
        assert entries[8]["details"]["is_kept"] is True
        filled.verify(head)

    def test_a_whole_entry_that_does_not_follow_is_removed(self, filled):
        lines = lines_of(filled)
        filled.path.write_bytes(b"".join(lines[:-1]) + lines[3].rstrip(b"\n"))
        filled.append("opened", n_rows=9)
        assert [entry["n"] for entry in filled.entries()] == [*range(1, 10)]
        assert filled.entries()[7]["details"]["is_kept"] is False

    def test_a_forged_entry_of_another_number_is_removed(self, filled):
        lines = lines_of(filled)
        lines[-1] = forged(lines[-1], n=99).rstrip(b"\n")
        filled.path.write_bytes(b"".join(lines))
        filled.append("opened", n_rows=9)
        assert filled.entries()[7]["details"]["is_kept"] is False

    def test_half_a_first_line_is_repaired(self, ledger):
        ledger.path.write_bytes(b'{"at":"20')
        assert ledger.entries() == []
        ledger.append("opened")
        assert [entry["what"] for entry in ledger.entries()] == ["repaired", "opened"]
        ledger.verify()

    def test_a_long_half_line_is_repaired(self, filled):
        with filled.path.open("ab") as file:
            file.write(b"x" * 100_000)
        filled.append("opened")
        assert filled.entries()[8]["details"]["n_bytes"] == 100_000

    def test_the_removal_of_a_published_entry_shows(self, filled):
        head = filled.head
        self.torn(filled, 2)
        filled.append("opened")
        filled.verify()
        with pytest.raises(LedgerBroken, match="no line has the published head"):
            filled.verify(head)

    @posix
    def test_a_full_disk_leaves_it_as_it_was(self, filled):
        before = filled.path.read_bytes()
        code = (
            "import resource, sys\n"
            "from toolkit.privacy.ledger import Ledger\n"
            f"limit = {len(before)} + int(sys.argv[2])\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))\n"
            "try:\n    Ledger(sys.argv[1]).append('opened')\n"
            "except OSError as error:\n    sys.exit(error.errno)\n"
        )
        # Room for a part of the line, and for nothing.
        for room, number in (("100", errno.ENOSPC), ("0", errno.EFBIG)):
            run = subprocess.run([sys.executable, "-c", code, filled.path, room])
            assert run.returncode == number
            assert filled.path.read_bytes() == before


WRITER = """
import os, signal, sys
from toolkit.privacy.ledger import Ledger
ledger = Ledger(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if not child:
        ready, n = os.getpid(), 0
        while n < int(line):
            ledger.append("opened", writer=ready, n=n, text="ä" * 5_000)
            n += 1
        os._exit(0)
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class TestAtOnce:
    @pytest.fixture
    def writers(self, ledger):
        running = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, ledger.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        assert [process.stdout.readline() for process in running] == ["ready\n"] * 2
        yield running
        for process in running:
            process.stdin.close()
            process.wait()
            process.stdout.close()

    def begin(self, process, n_entries):
        process.stdin.write(f"{n_entries}\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    @posix
    def test_processes_lose_no_entry(self, ledger, writers):
        children = [self.begin(process, 60) for process in writers]
        assert [int(process.stdout.readline()) for process in writers] == [0, 0]
        found = [(e["details"]["writer"], e["details"]["n"]) for e in ledger.entries()]
        assert sorted(found) == sorted((child, n) for child in children for n in range(60))
        # They took turns, and each wrote in its order.
        for child in children:
            assert [n for writer, n in found if writer == child] == [*range(60)]

    def test_threads_lose_no_entry(self, ledger):
        with ThreadPoolExecutor(8) as pool:
            heads = [*pool.map(lambda n: ledger.append("opened", n=n), range(80))]
        entries = ledger.entries()
        assert sorted(entry["details"]["n"] for entry in entries) == [*range(80)]
        assert {entry["details"]["n"]: entry["digest"] for entry in entries} == {
            n: head for n, head in enumerate(heads)
        }

    @posix
    @pytest.mark.parametrize("seed", range(4))
    def test_killed_writers_leave_it_verifiable(self, ledger, writers, seed):
        moments = random.Random(seed)
        known, ends = 0, []
        for n in range(N_KILLED):
            process = writers[n % 2]
            child = self.begin(process, 10**9)
            time.sleep(moments.uniform(0, 0.05))
            os.kill(child, signal.SIGKILL)
            ends.append(int(process.stdout.readline()))
            found = len(ledger.entries())
            assert found >= known
            known = found
        assert ends == [-signal.SIGKILL] * N_KILLED
        ledger.append("closed")
        assert known > N_KILLED
        assert f"{len(ledger.entries())} entries" in ledger.verify(ledger.head)[0]

    @posix
    def test_a_writer_that_is_killed_in_a_write_leaves_it_verifiable(self, ledger):
        # What the system does whole is done in two halves here, with the end between them.
        code = (
            "import os, signal, sys\n"
            "from toolkit.privacy import ledger\n"
            "class Half(ledger.FileIO):\n"
            "    def write(self, data):\n"
            "        super().write(data[: int(sys.argv[2])])\n"
            "        os.kill(os.getpid(), signal.SIGKILL)\n"
            "add = ledger._add\n"
            "def halfway(file, *said):\n"
            "    with Half(file.name, 'ab+') as half:\n"
            "        return add(half, *said)\n"
            "ledger._add = halfway\n"
            "ledger.Ledger(sys.argv[1]).append('opened')\n"
        )
        for n, size in enumerate(("0", "1", "200", "-1"), 1):
            ledger.append("opened", n=n)
            run = subprocess.run([sys.executable, "-c", code, ledger.path, size])
            assert run.returncode == -signal.SIGKILL
            ledger.verify()
        ledger.append("closed")
        what = [entry["what"] for entry in ledger.entries()]
        torn = ["repaired", "opened"]
        assert what == ["opened", "opened", *torn, *torn, "opened", "repaired", "closed"]


class TestAccesses:
    def test_it_tells_who_did_what_when_and_for_which_purpose(self, ledger):
        ledger.append("created", people=10)
        ledger.append("loaded", purpose="Zoë’s study", source="netflix", n_rows=12)
        ledger.append("opened", purpose="figure 2")
        ledger.append("released", purpose=None, by=["title"], is_kept=True, why="Äpfel")
        ledger.append("noted", purpose="no access")
        ledger.append("published")
        ledger.append("forgot", n_accounts=1)
        ledger.append("destroyed", purpose=7)
        entries = ledger.entries()
        table = accesses(entries)
        assert [*table] == ["entry", "at", "who", "what", "purpose", "detail"]
        assert table["entry"].tolist() == [2, 3, 4, 6, 7, 8]
        assert table["what"].tolist() == [
            "loaded", "opened", "released", "published", "forgot", "destroyed",
        ]  # fmt: skip
        assert table["purpose"].isna().tolist() == [False, False, True, True, True, False]
        assert table["purpose"].dropna().tolist() == ["Zoë’s study", "figure 2", "7"]
        assert table["detail"].tolist() == [
            "n_rows: 12; source: netflix", "", 'by: ["title"]; is_kept: true; why: Äpfel', "",
            "n_accounts: 1", "",
        ]  # fmt: skip
        assert str(table["at"].dtype) == "datetime64[us, UTC]"
        assert [at.isoformat(timespec="microseconds") for at in table["at"]] == [
            entries[n - 1]["at"] for n in table["entry"]
        ]
        assert (table["who"] == entries[0]["who"]).all()

    def test_nothing_gives_the_same_columns(self, ledger):
        ledger.append("opened")
        assert accesses([]).dtypes.equals(accesses(ledger.entries()).dtypes)


class TestCommand:
    @pytest.fixture
    def run(self, monkeypatch, capsys):
        def command(*arguments):
            monkeypatch.setattr(sys, "argv", ["privacy", *map(str, arguments)])
            code = _command()
            told = capsys.readouterr()
            assert told.err == ""
            return code, told.out

        return command

    def test_a_reader_without_a_key_verifies(self, filled):
        head = filled.entries()[4]["digest"]
        without = {name: value for name, value in os.environ.items() if "KEY" not in name}
        run = subprocess.run(
            [sys.executable, "-m", "toolkit.privacy", "verify", filled.path, "--head", head],
            capture_output=True,
            encoding="utf-8",
            env=without,
        )
        assert (run.returncode, run.stderr) == (0, "")
        assert run.stdout.splitlines() == filled.verify(head)

    def test_the_folder_of_a_ledger_will_do(self, filled, run):
        assert run("verify", filled.path.parent) == (0, "\n".join(filled.verify()) + "\n")

    def test_a_broken_one_is_told_in_a_line(self, filled, run):
        filled.path.write_bytes(b"".join(lines_of(filled)[1:]))
        code, told = run("verify", filled.path)
        assert code == 1
        assert told.startswith("Line 1 of ledger.jsonl is entry 2: lines were taken out")
        assert told.count("\n") == 1

    @pytest.mark.parametrize(
        ("head", "said"), [("a" * 64, "no line has the published head"), ("x", "hexadecimal")]
    )
    def test_a_head_that_is_missing_or_none_is_told(self, filled, run, head, said):
        code, told = run("verify", filled.path, "--head", head)
        assert code == 1
        assert said in told

    def test_what_can_not_be_read_is_told(self, tmp_path, run):
        (tmp_path / "ledger.jsonl").mkdir()
        code, told = run("verify", tmp_path)
        assert code == 1
        assert "directory" in told.lower()
