import getpass
import hmac
import os
import random
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest
from pandas.testing import assert_frame_equal

from toolkit.loaders import load_sample
from toolkit.privacy import encrypted
from toolkit.privacy.encrypted import read_encrypted, write_encrypted
from toolkit.privacy.keys import DEMONSTRATION_KEY, derived, pseudonym
from toolkit.privacy.refusals import Refused

MASTER = bytes(range(32))
NAME = "rewatch-2026/plays"
VIEWERS = [pseudonym("viewer", "test", str(n), key=DEMONSTRATION_KEY) for n in range(40)]
ACCOUNTS = [pseudonym("account", "test", str(n), key=DEMONSTRATION_KEY) for n in range(40)]
SAID = r"^plays\.parquet must be opened with its key and its name, whole and unchanged, [^.]*\. "


def some_plays(n_rows=60, seed=1):
    """Every kind of column, with gaps, and categories that are unsorted or do not occur."""
    rng = np.random.default_rng(seed)

    def category(held, dtype=None):
        return pd.Categorical.from_codes(
            rng.integers(-1, len(held) - 1, n_rows), pd.Index(held, dtype=dtype)
        )

    def gaps(values, dtype):
        return pd.array(np.where(rng.random(n_rows) < 0.2, None, values), dtype=dtype)

    days = pd.to_datetime(rng.integers(0, 9, n_rows) * 86_400 + 1_709_000_000, unit="s")
    return pd.DataFrame(
        {
            "viewer": category(rng.permutation(VIEWERS), "str"),
            "account": category(rng.permutation(ACCOUNTS), "str"),
            "title": category(["Zodiac", "Heat", "Äpfel", "M", "The unseen film"], "str"),
            "started_at": days.as_unit("us").tz_localize("UTC").where(rng.random(n_rows) < 0.9),
            "watched_seconds": rng.choice([np.nan, 0.0, 60.0], n_rows),
            "season": gaps(rng.integers(1, 3, n_rows), "Int16"),
            "is_autoplay": gaps(rng.random(n_rows) < 0.5, "boolean"),
            "n_plays": rng.integers(0, 5, n_rows),
            "day": days.normalize().as_unit("s"),
            "channel": category([30, 10, 20, 40]),
            "small": category([3, 1, 2, 4], "int16"),
            "mood": pd.Categorical([None] * n_rows, pd.Index(["none of them"], dtype="str")),
            "week": category(pd.to_datetime(["2024-03-04", "2024-02-26", "2024-03-11"])),
            "is_open": rng.random(n_rows) < 0.5,
            "note": gaps(np.array(VIEWERS)[rng.integers(0, 40, n_rows)], "str"),
        },
        # Two rows of each name.
        index=pd.Index([f"{n // 2} ann@example.org" for n in range(n_rows)], name="secret_index"),
    )


def expected(table):
    """What has to come back, by pandas alone."""
    table = table.reset_index(drop=True)
    for name in table:
        if isinstance(table[name].dtype, pd.CategoricalDtype):
            used = table[name].cat.remove_unused_categories()
            table[name] = used.cat.reorder_categories(used.cat.categories.sort_values())
    return table


@pytest.fixture
def path(tmp_path):
    return tmp_path / "plays.parquet"


@pytest.fixture
def written(path):
    write_encrypted(some_plays(), path, master=MASTER, name=NAME)
    return path


def refused(path, master=MASTER, name=NAME):
    with pytest.raises(Refused, match=SAID) as caught:
        read_encrypted(path, master=master, name=name)
    return caught.value


class TestRoundTrip:
    @pytest.mark.parametrize("n_rows", [0, 1, 60])
    def test_every_kind_of_column_comes_back(self, path, n_rows):
        table = some_plays(n_rows)
        before = table.copy()
        write_encrypted(table, path, master=MASTER, name=NAME)
        found = read_encrypted(path, master=MASTER, name=NAME)
        assert_frame_equal(found, expected(table), check_exact=True)
        for name in found:
            if isinstance(found[name].dtype, pd.CategoricalDtype):
                assert found[name].cat.categories.is_monotonic_increasing
                assert found[name].cat.categories.dtype == table[name].cat.categories.dtype
        assert_frame_equal(table, before)

    def test_rows_keep_their_order_over_many_row_groups(self, path):
        codes = np.random.default_rng(1).integers(-1, 30, 2**20 + 9)
        table = pd.DataFrame(
            {
                "viewer": pd.Categorical.from_codes(codes, pd.Index(sorted(VIEWERS), dtype="str")),
                "row": np.arange(len(codes)),
            }
        )
        write_encrypted(table, path, master=MASTER, name=NAME)
        properties = pe.create_decryption_properties(
            derived(MASTER, f"file {NAME}"), aad_prefix=NAME.encode()
        )
        assert pq.ParquetFile(path, decryption_properties=properties).num_row_groups > 1
        assert read_encrypted(path, master=MASTER, name=NAME).equals(expected(table))

    def test_attrs_the_index_and_the_name_of_columns_stay_behind(self, path):
        table = some_plays()
        table.attrs = {"path": "/home/ann"}
        table.columns.name = "ann"
        write_encrypted(table, path, master=MASTER, name=NAME)
        found = read_encrypted(path, master=MASTER, name=NAME)
        assert found.attrs == {}
        assert found.columns.name is None
        assert found.index.equals(pd.RangeIndex(60))
        properties = pe.create_decryption_properties(
            derived(MASTER, f"file {NAME}"), aad_prefix=NAME.encode()
        )
        said = str(pq.ParquetFile(path, decryption_properties=properties).schema_arrow.metadata)
        assert "started_at" in said
        assert "ann" not in said.replace("channel", "")
        assert "secret_index" not in said

    def test_one_person_carries_no_other(self, path):
        table = some_plays()
        one = table[table["viewer"] == VIEWERS[3]]
        write_encrypted(one, path, master=MASTER, name=NAME)
        properties = pe.create_decryption_properties(
            derived(MASTER, f"file {NAME}"), aad_prefix=NAME.encode()
        )
        kept = pq.read_table(path, decryption_properties=properties)["viewer"].unify_dictionaries()
        assert kept.chunk(0).dictionary.to_pylist() == [VIEWERS[3]]

    @pytest.mark.parametrize(
        ("column", "said"),
        [
            (pd.Series(["a", 1], dtype="object"), r"`table\.x` must have a dtype .* object"),
            (pd.Series(["a"]).astype(pd.CategoricalDtype(["a"], ordered=True)), "ordered"),
            (pd.Series([1 + 2j]), "must have columns that Parquet can hold"),
        ],
    )
    def test_a_dtype_that_does_not_come_back_is_refused(self, path, column, said):
        with pytest.raises(ValueError, match=said):
            write_encrypted(pd.DataFrame({"x": column}), path, master=MASTER, name=NAME)
        assert not path.exists()

    @pytest.mark.parametrize("names", [["x", "x"], [1, 2]])
    def test_names_that_do_not_come_back_are_refused(self, path, names):
        table = pd.DataFrame([[1, 2]], columns=names)
        with pytest.raises(ValueError, match="`table` must name each column once and in text"):
            write_encrypted(table, path, master=MASTER, name=NAME)

    def test_a_master_or_a_name_that_is_none_is_refused(self, written):
        for step in (
            lambda **given: read_encrypted(written, **given),
            lambda **given: write_encrypted(some_plays(), written, **given),
        ):
            with pytest.raises(ValueError, match="`key` must be 32 bytes, found 16"):
                step(master=bytes(16), name=NAME)
            with pytest.raises(ValueError, match="`name` must say which study's"):
                step(master=MASTER, name="")


class TestOpening:
    def test_another_key_is_refused_in_a_sentence_and_a_fix(self, written):
        error = refused(written, master=bytes(32))
        assert error.reason.count(".") == 2
        assert error.fix.count(".") == 1

    @pytest.mark.parametrize(
        "name", ["rewatch-2026/bitmaps", "rewatch-2027/plays", "rewatch-2026/playS", "plays"]
    )
    def test_another_name_is_refused(self, written, name):
        refused(written, name=name)

    def test_swapped_files_are_refused(self, written, tmp_path):
        (tmp_path / "other").mkdir()
        other = tmp_path / "other" / "plays.parquet"
        write_encrypted(some_plays(), other, master=MASTER, name="rewatch-2026/other")
        ours, theirs = written.read_bytes(), other.read_bytes()
        written.write_bytes(theirs)
        other.write_bytes(ours)
        refused(written)
        refused(other, name="rewatch-2026/other")

    def test_a_flipped_bit_in_any_byte_is_refused(self, path):
        table = some_plays()[["viewer", "started_at", "season"]]
        write_encrypted(table, path, master=MASTER, name=NAME)
        data, rng = path.read_bytes(), random.Random(5)
        with path.open("r+b", buffering=0) as file:
            for at, byte in enumerate(data):
                file.seek(at)
                file.write(bytes([byte ^ 1 << rng.randrange(8)]))
                refused(path)
                file.seek(at)
                file.write(bytes([byte]))
        read_encrypted(path, master=MASTER, name=NAME)

    def test_a_flipped_bit_in_a_long_file_is_refused(self, path):
        write_encrypted(load_sample(), path, master=MASTER, name=NAME)
        data, rng = path.read_bytes(), random.Random(6)
        for at in rng.sample(range(len(data)), 50):
            changed = bytearray(data)
            changed[at] ^= 1 << rng.randrange(8)
            path.write_bytes(changed)
            refused(path)

    def test_a_file_that_is_cut_or_grown_is_refused(self, written):
        data = written.read_bytes()
        for end in [*range(60), *range(100, len(data), 97), *range(len(data) - 60, len(data))]:
            written.write_bytes(data[:end])
            refused(written)
            written.write_bytes(data[end + 1 :])
            refused(written)
        for grown in (data + b"\0", b"\0" + data, data + data, data[:2000] + b"\0" + data[2000:]):
            written.write_bytes(grown)
            refused(written)

    def test_a_file_that_is_not_encrypted_is_refused(self, path):
        some_plays().to_parquet(path)
        refused(path)

    def test_the_seal_is_an_hmac_of_all_other_bytes_before_the_footer(self, written):
        data = written.read_bytes()
        at = len(data) - 8 - int.from_bytes(data[-8:-4], "little") - 32
        key = derived(derived(MASTER, f"file {NAME}"), "seal")
        expected = hmac.digest(key, data[:at] + data[at + 32 :], "sha256")
        assert data[at : at + 32] == expected

    def test_a_seal_without_the_key_does_not_open(self, written, monkeypatch):
        # Another file, sealed with what any reader of the code has.
        monkeypatch.setattr(encrypted, "derived", lambda _, purpose: derived(bytes(32), purpose))
        write_encrypted(some_plays(seed=2), written, master=MASTER, name=NAME)
        monkeypatch.undo()
        refused(written)

    def test_a_file_that_is_not_there_is_another_matter(self, path):
        with pytest.raises(FileNotFoundError):
            read_encrypted(path, master=MASTER, name=NAME)


class TestParquetItself:
    """What other readers of Parquet make of the file, which never look at the seal."""

    KEY = derived(MASTER, f"file {NAME}")

    def read(self, path, key=KEY, **options):
        properties = pe.create_decryption_properties(key, **options) if key else None
        return pq.read_table(path, decryption_properties=properties).to_pandas()

    def test_with_key_and_name_they_read_it(self, written):
        found = self.read(written, aad_prefix=NAME.encode())
        assert found["n_plays"].tolist() == some_plays()["n_plays"].tolist()

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"aad_prefix": b"other"},
            {"aad_prefix": NAME.encode(), "key": bytes(32)},
            {"key": None},
        ],
    )
    def test_without_they_do_not(self, written, options):
        with pytest.raises(OSError, match=r"(?i)aad|decrypt"):
            self.read(written, **options)

    def test_a_flipped_bit_of_the_data_does_not_pass_them_either(self, written):
        # In the faster mode of Parquet's encryption it does.
        data, rng = written.read_bytes(), random.Random(7)
        footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
        for at in rng.sample(range(4, footer - 32), 200):
            changed = bytearray(data)
            changed[at] ^= 1 << rng.randrange(8)
            written.write_bytes(changed)
            with pytest.raises(OSError, match=r"(?i)decrypt|ciphertext"):
                self.read(written, aad_prefix=NAME.encode())


class TestBytes:
    def canaries(self, path):
        words = [*VIEWERS, *ACCOUNTS, *some_plays(), "Zodiac", "Äpfel", "unseen film"]
        words += ["none of them", "ann@example.org", "secret_index", "/home/ann", str(path.parent)]
        words += [NAME, "rewatch-2026", "pandas", "ARROW:schema", getpass.getuser(), "2024-03"]
        return {word: [word.encode(), word.encode("utf-16-le")] for word in words if len(word) > 3}

    def found(self, folder):
        return {
            word
            for file in folder.rglob("*")
            for word, forms in self.canaries(folder / "x").items()
            if any(form in file.read_bytes() for form in forms)
        }

    def marked(self):
        table = some_plays(600)
        table.attrs = {"path": "/home/ann"}
        return table

    def test_these_words_are_seen_where_nothing_is_encrypted(self, tmp_path):
        # Otherwise the next test would tell nothing.
        self.marked().to_parquet(tmp_path / "plain", compression="zstd")
        seen = self.found(tmp_path)
        assert {*some_plays()} - {"day"} <= seen
        assert {"/home/ann", "ann@example.org", "secret_index", "unseen film", "pandas"} <= seen
        assert {*VIEWERS} & seen
        assert {*ACCOUNTS} & seen

    def test_no_word_is_in_any_byte_at_any_moment(self, path, tmp_path, monkeypatch):
        looked = []
        for name in ("fsync", "replace", "open", "close"):
            real = getattr(os, name)

            def looking(*arguments, name=name, real=real, **options):
                files = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
                assert self.found(tmp_path) == set()
                looked.append((name, files))
                return real(*arguments, **options)

            monkeypatch.setattr(os, name, looking)
        write_encrypted(self.marked(), path, master=MASTER, name=NAME)
        monkeypatch.undo()
        assert self.found(tmp_path) == set()
        whole = path.read_bytes()
        # The draft is whole, and on the disk, before it takes the place of the file.
        moments = [name for name, _ in looked]
        before = dict(looked)["replace"]
        assert before["plays.parquet.new"] == whole
        assert "fsync" in moments[: moments.index("replace")]
        assert {p.name: p.stat().st_size for p in tmp_path.iterdir()} == {
            "plays.parquet": len(whole),
            "plays.parquet.lock": 0,
        }

    def test_the_same_rows_are_other_bytes_each_time(self, written):
        first = written.read_bytes()
        write_encrypted(some_plays(), written, master=MASTER, name=NAME)
        second = written.read_bytes()
        same = sum(a == b for a, b in zip(first, second, strict=False))
        assert same < len(first) * 0.05

    def test_a_refusal_names_no_one_and_no_folder(self, written):
        text = str(refused(written, master=bytes(32)))
        assert not any(word in text for word in self.canaries(written))


class TestWriting:
    def test_the_name_of_the_file_is_on_the_disk_last(self, path, monkeypatch):
        done = []
        monkeypatch.setattr(
            encrypted, "sync_folder", lambda folder: done.append((folder, path.exists()))
        )
        write_encrypted(some_plays(), path, master=MASTER, name=NAME)
        assert done == [(path.parent, True)]

    def test_a_failed_writer_leaves_the_file_and_no_draft(self, written, monkeypatch):
        before = written.read_bytes()
        for name in ("fsync", "replace"):
            with monkeypatch.context() as patch:
                patch.setattr(os, name, lambda *_: (_ for _ in ()).throw(OSError("full")))
                with pytest.raises(OSError, match="full"):
                    write_encrypted(some_plays(9), written, master=MASTER, name=NAME)
            assert written.read_bytes() == before
            assert not written.with_name("plays.parquet.new").exists()

    @pytest.mark.skipif(os.name != "posix", reason="signals")
    def test_a_killed_writer_leaves_the_file_and_the_next_one_goes_on(self, written):
        code = (
            "import os, signal, sys\n"
            "import pandas as pd\n"
            "from toolkit.privacy.encrypted import write_encrypted\n"
            "os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
            f"write_encrypted(pd.DataFrame({{'x': range(9)}}), sys.argv[1], master={MASTER!r}, name={NAME!r})\n"
        )
        before = written.read_bytes()
        run = subprocess.run([sys.executable, "-c", code, written])
        assert run.returncode == -signal.SIGKILL
        assert written.read_bytes() == before
        assert written.with_name("plays.parquet.new").exists()
        write_encrypted(some_plays(9), written, master=MASTER, name=NAME)
        assert len(read_encrypted(written, master=MASTER, name=NAME)) == 9
        assert not written.with_name("plays.parquet.new").exists()

    def test_writers_and_readers_at_once_see_whole_files(self, written):
        tables = [pd.DataFrame({"x": np.full(20_000 + n, n)}) for n in range(4)]

        def write(n):
            for _ in range(5):
                write_encrypted(tables[n], written, master=MASTER, name=NAME)

        write(0)
        with ThreadPoolExecutor(4) as pool:
            writing = [pool.submit(write, n) for n in range(4)]
            while not all(one.done() for one in writing):
                found = read_encrypted(written, master=MASTER, name=NAME)
                assert_frame_equal(found, tables[found["x"].iloc[0]])
            for one in writing:
                one.result()
