import io
import os
import stat
import sys
import time
import unicodedata
import zipfile
import zlib

import numpy as np
import pytest

from tests.exports.archives import (
    ROWS,
    deflated,
    entry,
    export,
    good_zip,
    overlapping_zip,
    quoting_zip,
    zipped,
    zipped_64,
)
from tests.loaders.mutations import changed_bytes
from toolkit.loaders import archive, zips
from toolkit.loaders.archive import HEAD, as_file, files_of, zip_files


@pytest.fixture
def saved(tmp_path):
    def save(data, name="donation.zip"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    return save


def contents(*paths):
    return {file.name: file.read() for file in files_of(paths)}


def read_all(path):
    """Ask for everything that a loader may ask for."""
    files = files_of([path])
    return {file.name: (file.size, file.head, file.read()) for file in files}


def refused(path, message):
    with pytest.raises(ValueError, match=message) as error:
        read_all(path)
    sentence = str(error.value)
    assert sentence.startswith("`path` must be ")
    assert "\n" not in sentence
    assert sentence.endswith(".")
    assert error.value.__cause__ is None


def shortest_folder(path):
    return sorted(p.relative_to(path).as_posix() for p in path.rglob("*"))


class TestAsFile:
    def test_bytes_are_a_file_with_a_name_a_size_a_head_and_all_of_it(self):
        file = as_file("a/b.csv", bytes(HEAD + 1))
        assert (file.name, file.size) == ("a/b.csv", HEAD + 1)
        assert file.head == bytes(HEAD)
        assert file.read() == bytes(HEAD + 1)


class TestFilesOf:
    def test_one_file_is_itself_whatever_its_ending(self, saved):
        for name in ("log.csv", "log"):
            assert contents(saved(ROWS, name)) == {name: ROWS}

    def test_a_zip_gives_each_file_with_its_path(self, saved):
        assert contents(saved(good_zip())) == export()

    def test_a_zip_is_told_by_its_bytes_where_the_name_says_nothing(self, saved):
        for name in ("donation", "DONATION.ZIP", "donation.zip.download"):
            assert contents(saved(good_zip(), name)) == export()

    def test_a_workbook_is_a_file_and_not_an_archive(self, saved):
        assert list(contents(saved(good_zip(), "report.xlsx"))) == ["report.xlsx"]

    def test_the_zip_of_any_usual_writer_is_read(self, saved):
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            held = io.BytesIO()
            with zipfile.ZipFile(held, "w", method) as writer:
                writer.mkdir("netflix-report")
                for name, data in export().items():
                    # Without a size ahead, what is written streams and a descriptor follows.
                    with writer.open(name, "w", force_zip64=True) as file:
                        file.write(data)
                writer.comment = b"made by hand"
            assert contents(saved(held.getvalue())) == export()

    def test_a_stream_that_told_its_sizes_only_afterwards_is_read(self, saved):
        class Pipe(io.RawIOBase):
            def __init__(self):
                self.held = b""

            def writable(self):
                return True

            def write(self, data):
                self.held += bytes(data)
                return len(data)

        pipe = Pipe()
        with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as writer:
            for name, data in export().items():
                writer.writestr(name, data)
        assert b"PK\7\x08" in pipe.held
        assert contents(saved(pipe.held)) == export()

    def test_zip64_is_read(self, saved):
        entries = [entry(name, data) for name, data in export().items()]
        assert contents(saved(zipped_64(*entries))) == export()

    def test_an_empty_zip_has_no_file(self, saved):
        assert contents(saved(zipped())) == {}

    def test_a_comment_may_look_like_the_end_of_a_zip(self, saved):
        data = zipped(entry("a.csv"), comment=b"PK\5\6" + bytes(30))
        assert contents(saved(data)) == {"a.csv": ROWS}

    def test_the_parts_of_a_takeout_are_one_export(self, saved):
        page = entry("Takeout/archive_browser.html", b"part 1")
        first = saved(zipped(entry("Takeout/a.json", b"[1]"), page), "takeout-001.zip")
        page = entry("Takeout/archive_browser.html", b"part 2")
        second = saved(zipped(entry("Takeout/b.json", b"[2]"), page), "takeout-002.zip")
        assert contents(first, second) == {"Takeout/a.json": b"[1]", "Takeout/b.json": b"[2]"}

    def test_a_file_that_two_parts_have_is_there_once_if_it_is_the_same(self, saved):
        first, second = (saved(zipped(entry("a.csv")), f"t-00{n}.zip") for n in (1, 2))
        assert contents(first, second) == {"a.csv": ROWS}
        other = saved(zipped(entry("A.csv", b"other")), "t-003.zip")
        with pytest.raises(ValueError, match=r"two different files of one name in t-003\.zip\.$"):
            files_of([first, second, other])

    def test_two_files_of_one_name_are_never_taken_for_one(self, saved):
        first, second = saved(b"one", "x/a.csv"), saved(b"two", "y/a.csv")
        with pytest.raises(ValueError, match="one export, found two different files of one name"):
            files_of([first, second])

    def test_a_folder_is_walked_and_its_zips_are_opened(self, tmp_path, saved):
        saved(ROWS, "mine/a/log.csv")
        saved(good_zip(), "mine/b/part.zip")
        expected = {f"b/part.zip/{name}": data for name, data in export().items()}
        assert contents(tmp_path / "mine") == {"a/log.csv": ROWS} | expected
        assert [file.name for file in files_of([tmp_path / "mine"])] == sorted(
            ["a/log.csv", *expected]
        )

    def test_a_zip_within_a_zip_is_not_opened(self, tmp_path, saved):
        for name in ("one.zip", "mine/one.zip"):
            path = saved(zipped(entry("two.zip", good_zip())), name)
            path = path if name == "one.zip" else path.parent
            (file,) = files_of([path])
            assert file.head == b""
            with pytest.raises(ValueError, match="only where a log may lie"):
                file.read()

    def test_files_that_no_log_lies_in_are_listed_and_never_read(self, saved):
        # Nothing of it could be read: its packed bytes make no sense, and a film is long.
        film = entry("film.mp4", packed=b"\xff", size=2**31, n_packed=1)
        files = {file.name: file for file in files_of([saved(zipped(film, entry("a.csv")))])}
        assert files["film.mp4"].head == b""
        with pytest.raises(ValueError, match=r"found a file of another kind in donation\.zip"):
            files["film.mp4"].read()
        assert files["a.csv"].read() == ROWS

    def test_clutter_is_left_out(self, tmp_path, saved):
        clutter = [
            "__MACOSX/._a.csv", "x/__MACOSX/a.csv", ".DS_Store", "x/.DS_Store", ".hidden.csv",
            ".ipynb_checkpoints/a.csv", "x/a-checkpoint.csv", "Thumbs.db", "x/desktop.ini",
            "~$report.xlsx",
        ]  # fmt: skip
        data = zipped(entry("x/", b""), entry("x/a.csv"), *map(entry, clutter))
        assert list(contents(saved(data))) == ["x/a.csv"]
        for name in [*clutter, "x/a.csv"]:
            saved(ROWS, f"mine/{name}")
        assert list(contents(tmp_path / "mine")) == ["x/a.csv"]

    def test_a_file_that_is_named_is_read_though_it_is_hidden(self, saved):
        assert contents(saved(ROWS, ".log.csv")) == {".log.csv": ROWS}

    def test_the_head_is_the_start_and_read_only_when_asked(self, saved, monkeypatch):
        data = np.random.default_rng(1).bytes(3 * HEAD)
        packed = saved(zipped(entry("a.csv", data), entry("b.csv", b"x")))
        plain = saved(data, "plain.csv")
        opened = []
        unpacked, first = archive.unpacked, archive._first_bytes
        monkeypatch.setattr(archive, "unpacked", lambda *a: opened.append(a) or unpacked(*a))
        monkeypatch.setattr(archive, "_first_bytes", lambda *a: opened.append(a) or first(*a))
        a, b = files_of([packed])
        (c,) = files_of([plain])
        # The first bytes of what is named say whether it is a zip; nothing is unpacked.
        assert len(opened) == 2
        assert (a.head, b.head, c.head) == (data[:HEAD], b"x", data[:HEAD])
        assert (a.head, len(opened)) == (data[:HEAD], 4)

    def test_nothing_is_written(self, tmp_path, saved):
        saved(ROWS, "mine/a.csv")
        saved(good_zip(), "mine/b.zip")
        before = shortest_folder(tmp_path)
        for path in (tmp_path / "mine", tmp_path / "mine" / "b.zip"):
            read_all(path)
        assert shortest_folder(tmp_path) == before

    def test_what_is_not_there_is_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"found no .*nowhere\.zip"):
            files_of([tmp_path / "nowhere.zip"])

    def test_opening_is_cheap(self, saved):
        data = zipped(*(entry(f"TABLES/Table{n:02}.csv", ROWS * 300) for n in range(30)))
        path = saved(data)
        files_of([path])
        took = []
        for _ in range(20):
            began = time.perf_counter()
            files_of([path])
            took.append(time.perf_counter() - began)
        # About 0.3 ms on an idle machine.
        assert min(took) < 0.003


class TestNames:
    def test_paths_are_nfc_wherever_they_come_from(self, tmp_path, saved):
        apart = unicodedata.normalize("NFD", "Séries/Épisodes.csv")
        assert list(contents(saved(zipped(entry(apart))))) == ["Séries/Épisodes.csv"]
        path = saved(ROWS, f"mine/{apart}")
        assert list(contents(tmp_path / "mine")) == ["Séries/Épisodes.csv"]
        assert list(contents(path)) == ["Épisodes.csv"]

    def test_names_without_a_flag_are_utf_8_or_else_of_dos(self, saved):
        for raw in ("Séries.csv".encode(), "Séries.csv".encode("cp437")):
            assert list(contents(saved(zipped(entry(raw, flags=0))))) == ["Séries.csv"]

    def test_a_dot_and_a_doubled_slash_mean_nothing(self, saved):
        assert list(contents(saved(zipped(entry("./x//a.csv"))))) == ["x/a.csv"]

    def test_folders_of_any_script_are_read(self, tmp_path, saved):
        for name in ("历史 记录.zip", "Просмотры.zip", "cafe\u0301.zip"):
            assert contents(saved(good_zip(), name)) == export()

    @pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are text")
    def test_a_name_that_is_no_text_on_disk_can_be_shown(self, tmp_path):
        folder = tmp_path / "mine"
        folder.mkdir()
        with open(os.fsencode(folder) + b"/S\xe9ries.csv", "wb") as file:
            file.write(ROWS)
        assert contents(folder) == {"S\ufffdries.csv": ROWS}
        with open(os.fsencode(folder) + b"/S\xe9\n.zip", "wb") as file:
            file.write(ROWS)
        refused(folder, r"in S\\udce9\\n\.zip\.$")


class TestRefusals:
    @pytest.mark.parametrize(
        "name",
        [
            "/etc/a.csv", "../a.csv", "x/../../a.csv", "x/..", "C:/a.csv", "c:a.csv",
            "x\\a.csv", "..\\a.csv", "a\0.csv", "", "\\\\host\\a.csv",
        ],
    )  # fmt: skip
    def test_names_that_leave_the_archive(self, saved, name):
        data = zipped(entry("good.csv"), entry(name))
        refused(saved(data), r"names that stay within it, found another of entry 2 in donation")

    def test_names_that_only_look_like_it_are_read(self, saved):
        names = ["a..csv", "..a/b.csv", "x/...csv", "And: then.csv", "x/C:.csv"]
        kept = [name for name in names if not name.startswith(".") and "/." not in name]
        assert list(contents(saved(zipped(*map(entry, names))))) == kept

    def test_names_that_are_no_text(self, saved):
        refused(saved(zipped(entry(b"\xff.csv"))), "names are text, found another of entry 1")

    @pytest.mark.parametrize(
        ("one", "other"), [("a.csv", "a.csv"), ("a.csv", "A.CSV"), ("é.csv", "e\u0301.csv"),
                           ("x/a.csv", "x//./a.csv"), ("straße.csv", "STRASSE.csv")],
    )  # fmt: skip
    def test_names_that_are_there_twice(self, saved, one, other):
        refused(saved(zipped(entry(one), entry(other))), "each name once, found one twice")

    @pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
    def test_links_and_devices(self, saved, mode):
        data = zipped(entry("a.csv", b"/etc/passwd", mode=mode | 0o777))
        refused(saved(data), "files and folders, found a link or a device as entry 1")

    def test_modes_of_files_and_folders_are_read(self, saved):
        data = zipped(entry("x/", b"", mode=stat.S_IFDIR | 0o755), entry("x/a", mode=0o644),
                      entry("x/a.csv", mode=stat.S_IFREG | 0o644))  # fmt: skip
        assert [file.name for file in files_of([saved(data)])] == ["x/a", "x/a.csv"]

    @pytest.mark.parametrize("flags", [0x1, 0x40, 0x2000])
    def test_a_password(self, saved, flags):
        refused(saved(zipped(entry("a.csv", flags=flags))), "password, found entry 1 encrypted in")

    @pytest.mark.parametrize("method", [1, 9, 12, 14, 93, 99])
    def test_another_way_of_packing(self, saved, method):
        data = zipped(entry("a.csv", method=method))
        refused(saved(data), f"deflate, found method {method} in entry 1")

    def test_more_entries_than_any_export_has(self, saved, monkeypatch):
        monkeypatch.setattr(zips, "MAX_ENTRIES", 3)
        names = [f"{n}.csv" for n in range(4)]
        assert len(contents(saved(zipped(*map(entry, names[:3]))))) == 3
        refused(saved(zipped(*map(entry, names))), "at most 3 entries, found 4 in")
        refused(saved(zipped(*map(entry, names), n_here=3)), "one piece of a split one")

    def test_more_entries_than_the_directory_says(self, saved):
        data = bytearray(zipped(entry("a.csv"), entry("b.csv")))
        data[-14:-10] = b"\1\0\1\0"
        refused(saved(bytes(data)), "complete zip, found a damaged directory")

    def test_a_directory_that_goes_on_behind_its_end(self, saved):
        data = bytearray(zipped(entry("a.csv")))
        data[data.index(b"PK\1\2") + 32] = 1
        refused(saved(bytes(data)), "complete zip, found a damaged directory")

    def test_more_files_than_any_folder_has(self, tmp_path, saved, monkeypatch):
        monkeypatch.setattr(zips, "MAX_ENTRIES", 3)
        for n in range(3):
            saved(ROWS, f"mine/{n}.csv")
        assert len(contents(tmp_path / "mine")) == 3
        saved(ROWS, "mine/3.csv")
        saved(ROWS, "other/a.csv")
        saved(zipped(entry("a.csv"), entry("b.csv")), "other/b.zip")
        for name in ("mine", "other"):
            with pytest.raises(ValueError, match=f"of at most 3 files, found more in {name}"):
                files_of([tmp_path / name])

    def test_a_longer_entry_than_any_log(self, saved, monkeypatch):
        monkeypatch.setattr(zips, "MAX_BYTES", 2**12)
        fits, over = bytes(2**12), bytes(2**12 + 1)
        assert contents(saved(zipped(entry("a.csv", fits)))) == {"a.csv": fits}
        refused(saved(zipped(entry("a.csv", over))), "at most 4,096 bytes an entry, found more in")
        assert contents(saved(fits, "a.csv")) == {"a.csv": fits}
        refused(saved(over, "a.csv"), r"at most 4,096 bytes, found 4,097 in a\.csv")

    def test_a_longer_export_than_any(self, saved, monkeypatch):
        monkeypatch.setattr(archive, "MAX_TOTAL", 2 * len(ROWS))
        saved_parts = [saved(zipped(entry(f"{n}.csv")), f"{n}.zip") for n in range(3)]
        assert len(contents(*saved_parts[:2])) == 2
        with pytest.raises(ValueError, match=f"an export of at most {2 * len(ROWS)} bytes"):
            files_of(saved_parts)

    def test_a_long_entry_that_was_packed_too_well(self, saved):
        refused(saved(zipped(entry("a.csv", bytes(2**20 + 1)))), "at most 200 bytes in one")
        assert contents(saved(zipped(entry("a.csv", bytes(2**20))))) == {"a.csv": bytes(2**20)}

    def test_the_ratio_that_is_still_believed(self, saved):
        data = bytes(2**20 + 200)
        packed = deflated(data)
        # Blocks of nothing make the packed bytes as many as are wanted.
        wanted = len(data) // 200
        packed = b"\0\0\0\xff\xff" * ((wanted - len(packed)) // 5 + 1) + packed
        assert contents(saved(zipped(entry("a.csv", data, packed=packed)))) == {"a.csv": data}
        refused(saved(zipped(entry("a.csv", data, packed=packed[10:]))), "200 bytes in one")

    @pytest.mark.parametrize("make", [overlapping_zip, quoting_zip])
    def test_entries_that_share_their_bytes(self, saved, make):
        data = make()
        # Both are true to the letter: the library's own reader opens them.
        with zipfile.ZipFile(io.BytesIO(data)) as reader:
            assert sum(info.file_size for info in reader.infolist()) > 300 * len(data)
        with pytest.raises(ValueError, match="a zip of separate entries, found entr"):
            files_of([saved(data)])

    def test_entries_that_start_in_one_place(self, saved):
        path = saved(zipped(entry("a.csv"), entry("b.csv", at=0)))
        with pytest.raises(ValueError, match="separate entries, found entries that overlap in"):
            files_of([path])

    def test_an_entry_that_reaches_into_the_directory(self, saved):
        one = entry("a.csv", method=0)
        path = saved(zipped(one | {"n_packed": len(ROWS) + 1}))
        with pytest.raises(ValueError, match="found entry 1 to overlap another"):
            files_of([path])

    def test_a_header_that_moves_its_data_into_the_next_entry(self, saved):
        # The directory is in order; only the header of the entry itself makes room.
        first = entry("a.csv", b"", packed=b"", method=0)
        data = bytearray(zipped(first, entry("b.csv", method=0)))
        data[28:30] = b"\1\0"
        refused(saved(bytes(data)), "separate entries, found entry 1 to overlap another")

    def test_a_size_that_lies(self, saved):
        for lie in (-1, 1):
            for method in (0, 8):
                one = entry("a.csv", method=method, size=len(ROWS) + lie)
                refused(saved(zipped(one)), "undamaged zip, found entry 1 other than described")

    def test_a_size_that_lies_costs_no_more_than_it_says(self, saved):
        import tracemalloc

        for size in (0, 10**6):
            path = saved(zipped(entry("a.csv", bytes(2**27), size=size)))
            tracemalloc.start()
            refused(path, "found entry 1 other than described")
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 2**23

    def test_packed_bytes_that_go_on_or_break_off(self, saved):
        packed = deflated(ROWS)
        for wrong in (packed + b"x", packed[:-1]):
            refused(saved(zipped(entry("a.csv", packed=wrong))), "entry 1 other than described")
        refused(saved(zipped(entry("a.csv", packed=b"\xff" * 9))), "found entry 1 garbled")

    def test_a_wrong_checksum(self, saved):
        one = entry("a.csv", crc=zlib.crc32(ROWS) ^ 1)
        refused(saved(zipped(one)), "found entry 1 other than described")

    @pytest.mark.parametrize(
        "lies", [{"raw": b"b.csv"}, {"raw": b"aa.csv"}, {"method": 0}, {"method": 12}]
    )
    def test_two_descriptions_of_one_entry(self, saved, lies):
        refused(saved(zipped(entry("a.csv", local=lies))), "found two descriptions of entry 1")

    def test_an_entry_that_starts_anywhere_else(self, saved):
        refused(saved(b"PK\3\5" + zipped(entry("a.csv"))[4:]), "found no header of entry 1")
        refused(saved(zipped(entry("a.csv", at=2**32 - 2))), "to overlap another")

    def test_what_is_no_zip(self, saved):
        for data in (b"", b"PK", ROWS, b"<html>", b"PK\3\4" + bytes(50), bytes(2**17)):
            refused(saved(data), r"a complete zip, found no directory at the end in donation\.zip")

    def test_a_zip_that_was_cut_or_grew(self, saved):
        data = good_zip()
        for n in range(1, len(data)):
            refused(saved(data[:-n]), "a complete zip, found")
            refused(saved(data[n:]), "a complete zip, found")
        refused(saved(data + b"\n"), "no directory at the end")
        refused(saved(b"#!" + data), "bytes missing or added")

    def test_one_piece_of_a_split_zip(self, saved):
        for lies in ({"disk": 1}, {"first_disk": 1}, {"n_here": 0}):
            data = zipped(entry("a.csv"), **lies)
            refused(saved(data), "whole zip, found one piece of a split one")

    def test_zip64_that_leads_nowhere(self, saved):
        data = zipped_64(entry("a.csv"))
        at = data.index(b"PK\6\7")
        for place in (0, at + 50, 2**63, 2**64 - 1):
            wrong = data[: at + 8] + place.to_bytes(8, "little") + data[at + 16 :]
            refused(saved(wrong), "a complete zip, found a damaged directory")

    def test_zip64_without_its_numbers(self, saved):
        one = entry("a.csv") | {"size": 2**32 - 1}
        for extra in (b"", b"\1\0", b"\1\0\x08\0", b"\1\0\4\0abcd", b"\2\0\xff\xffab"):
            refused(saved(zipped(one | {"extra": extra})), "more in entry 1|to overlap")

    def test_other_archives(self, saved):
        for magic, kind in ((b"\x1f\x8b\x08", "gzip"), (b"7z\xbc\xaf", "7z"), (b"Rar!", "RAR")):
            message = f"found a {kind} archive in takeout.tgz: unpack it, or ask for a zip"
            refused(saved(magic + bytes(9), "takeout.tgz"), message)

    def test_a_link_within_a_folder(self, tmp_path, saved):
        outside = saved(ROWS, "outside.csv")
        for target in (outside, tmp_path, tmp_path / "nowhere"):
            folder = tmp_path / f"mine{target.name}"
            folder.mkdir()
            (folder / "link.csv").symlink_to(target)
            refused(folder, "files and folders, found a link or a device in mine")

    def test_a_folder_that_is_a_link_itself_is_the_researchers_choice(self, tmp_path, saved):
        saved(ROWS, "mine/a.csv")
        (tmp_path / "link").symlink_to(tmp_path / "mine")
        assert contents(tmp_path / "link") == {"a.csv": ROWS}

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
    def test_a_pipe_within_a_folder(self, tmp_path):
        os.mkfifo(tmp_path / "a.csv")
        refused(tmp_path, "found a link or a device")

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="all may be read")
    def test_what_may_not_be_read(self, saved):
        path = saved(good_zip())
        path.chmod(0)
        refused(path, "a file that can be read, found 'Permission denied'")

    def test_a_small_zip_stays_what_it_was_when_it_was_listed(self, saved):
        path = saved(zipped(entry("a.csv")), "a.zip")
        (file,) = files_of([path])
        path.write_bytes(ROWS)
        assert file.read() == ROWS

    def test_a_file_that_goes_or_grows_after_it_was_listed(self, saved, monkeypatch):
        monkeypatch.setattr(archive, "HELD", 0)
        for name, data in (("a.csv", ROWS), ("a.zip", zipped(entry("a.csv")))):
            path = saved(data, name)
            (file,) = files_of([path])
            path.write_bytes(data + ROWS if name == "a.csv" else ROWS)
            with pytest.raises(ValueError, match=r"stays as it is|undamaged zip"):
                file.read()
            path.unlink()
            with pytest.raises(ValueError, match="a file that can be read, found 'No such file"):
                file.read()

    def test_a_folder_whose_file_goes_after_it_was_listed(self, tmp_path, saved):
        path = saved(ROWS, "mine/a.csv")
        (file,) = files_of([tmp_path / "mine"])
        path.unlink()
        with pytest.raises(ValueError, match="a file that can be read, found 'No such file"):
            _ = file.head

    def test_no_name_of_an_entry_is_told(self, saved):
        path = saved(zipped(entry("x/../Ann Example.csv")))
        with pytest.raises(ValueError, match="entry 1") as error:
            files_of([path])
        assert "Ann" not in str(error.value)


class TestZipFiles:
    def test_only_what_was_asked_for_can_be_read(self, saved):
        path = saved(zipped(entry("xl/book.xml"), entry("a.csv")))
        book, table = zip_files(path, (".xml",))
        assert book.read() == ROWS
        with pytest.raises(ValueError, match="a file of another kind"):
            table.read()


def check_mutations(saved, n, seed):
    """Whatever is read of a mutated zip was in it; the rest is refused in a sentence."""
    rng = np.random.default_rng(seed)
    goods = [good_zip(), zipped_64(*(entry(n, d, method=0) for n, d in export().items()))]
    known = set(export().values())
    n_read = 0
    for number in range(n):
        path = saved(changed_bytes(goods[number % 2], rng))
        sentence = ""
        try:
            for size, head, data in read_all(path).values():
                assert data in known
                assert head == data[:HEAD]
                assert size == len(data)
            n_read += 1
        except ValueError as error:
            sentence = str(error)
        assert sentence.startswith("`path` must be " if sentence else "")
        assert "\n" not in sentence
    return n_read


class TestMutations:
    def test_500_mutated_zips_are_right_or_refused(self, saved):
        assert 0 < check_mutations(saved, 500, seed=20171210) < 250
