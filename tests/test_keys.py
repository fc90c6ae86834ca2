import hashlib
import hmac
import json
import os
import subprocess
import sys

import pytest

from toolkit.privacy import keys


class TestPseudonym:
    def test_is_hmac_sha256_cut_to_80_bits_in_base32(self):
        message = json.dumps(["viewer", "netflix", "home", "Kids"]).encode()
        digest = hmac.new(keys.DEMONSTRATION_KEY, message, hashlib.sha256).digest()
        number = int.from_bytes(digest[:10], "big")
        letters = "abcdefghijklmnopqrstuvwxyz234567"
        expected = "".join(letters[number >> 5 * (15 - i) & 31] for i in range(16))
        found = keys.pseudonym("viewer", "netflix", "home", "Kids", key=keys.DEMONSTRATION_KEY)
        assert found == f"v_{expected}"

    def test_every_part_the_kind_and_the_key_tell_apart(self):
        key = keys.DEMONSTRATION_KEY
        made = {
            keys.pseudonym("viewer", "netflix", "home 1", "Kids", key=key),
            keys.pseudonym("viewer", "netflix", "home 2", "Kids", key=key),
            keys.pseudonym("viewer", "youtube", "home 1", "Kids", key=key),
            keys.pseudonym("viewer", "netflix", "home 1", "Ann", key=key),
            keys.pseudonym("viewer", "netflix", "home 1Kids", "", key=key),
            keys.pseudonym("viewer", "netflix", "home 1", "Kids", key=bytes(32)),
            keys.pseudonym("account", "netflix", "home 1", "Kids", key=key),
        }
        assert len(made) == 7

    @pytest.mark.parametrize(
        ("ids", "kind", "has"),
        [
            (["v_" + "a" * 16], "viewer", True),
            (["a_" + "a" * 16], "account", True),
            (["v_" + "a" * 16, "Ann"], "viewer", False),
            (["v_" + "a" * 15], "viewer", False),
            (["v_" + "A" * 16], "viewer", False),
            (["v_" + "1" * 16], "viewer", False),
            (["a_" + "a" * 16], "viewer", False),
            ([7], "viewer", False),
        ],
    )
    def test_the_form_is_told_exactly(self, ids, kind, has):
        assert keys.has_pseudonym_form(ids, kind) == has


class TestReadKey:
    def test_the_argument_comes_first_then_the_named_file(self, key_file, tmp_path):
        assert keys.read_key(bytes(range(32))) == bytes(range(32))
        assert keys.read_key() == bytes.fromhex("5a" * 32)
        other = tmp_path / "other.key"
        other.write_text("1b" * 32 + "\n")
        other.chmod(0o600)
        assert keys.read_key(other) == keys.read_key(str(other)) == bytes.fromhex("1b" * 32)

    def test_without_any_a_file_is_made_for_the_owner_alone_and_kept(self, monkeypatch, tmp_path):
        monkeypatch.delenv("VIEWING_KEY_FILE")
        monkeypatch.setattr(keys, "_from_keyring", lambda: None)
        monkeypatch.delenv("APPDATA", raising=False)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        first = keys.read_key()
        path = tmp_path / "config" / "viewing-toolkit" / "pseudonyms.key"
        assert keys.read_key() == first == bytes.fromhex(path.read_text())
        assert path.stat().st_mode & 0o777 == 0o600
        path.unlink()
        assert keys.read_key() != first

    def test_the_keyring_serves_where_someone_put_a_key(self, monkeypatch):
        keyring = pytest.importorskip("keyring")
        monkeypatch.delenv("VIEWING_KEY_FILE")

        class InMemory(keyring.backend.KeyringBackend):
            priority = 1

            def get_password(self, service, username):
                return (
                    "2c" * 32 if (service, username) == ("viewing-toolkit", "pseudonyms") else None
                )

            def set_password(self, service, username, password):
                raise NotImplementedError

        before = keyring.get_keyring()
        keyring.set_keyring(InMemory())
        try:
            assert keys.read_key() == bytes.fromhex("2c" * 32)
        finally:
            keyring.set_keyring(before)

    def test_a_keyring_that_does_not_answer_is_no_trouble(self, monkeypatch):
        keyring = pytest.importorskip("keyring")

        def fails(*_):
            raise keyring.errors.NoKeyringError

        monkeypatch.setattr(keyring, "get_password", fails)
        assert keys._from_keyring() is None

    @pytest.mark.skipif(os.name != "posix", reason="file modes")
    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
    def test_a_key_that_others_can_read_is_refused(self, key_file, mode):
        key_file.chmod(mode)
        with pytest.raises(ValueError, match=f"only its owner can read .* found mode 0{mode:o}"):
            keys.read_key()

    def test_a_key_inside_a_repository_is_refused(self, key_file):
        (key_file.parent / ".git").mkdir()
        with pytest.raises(ValueError, match="`key` must lie outside every git repository"):
            keys.read_key()

    @pytest.mark.parametrize("text", ["", "zz" * 32, "5a" * 31])
    def test_a_key_that_is_none_is_refused_without_being_quoted(self, key_file, text):
        key_file.write_text(text)
        with pytest.raises(ValueError, match="`key` must be") as caught:
            keys.read_key()
        assert not text or text not in str(caught.value)

    def test_no_key_is_written_into_a_repository(self, monkeypatch, tmp_path):
        monkeypatch.delenv("VIEWING_KEY_FILE")
        monkeypatch.delenv("APPDATA", raising=False)
        monkeypatch.setattr(keys, "_from_keyring", lambda: None)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        (tmp_path / ".git").mkdir()
        with pytest.raises(ValueError, match=r"outside every git repository[^~]*VIEWING_KEY_FILE"):
            keys.read_key()
        assert [p.name for p in tmp_path.rglob("*")] == [".git"]

    def test_64_digits_are_a_key_and_never_a_path_to_be_quoted(self):
        assert keys.read_key("2c" * 32) == bytes.fromhex("2c" * 32)
        with pytest.raises(ValueError, match="64 hexadecimal digits") as caught:
            keys.read_key("zz" * 32)
        assert "zz" not in str(caught.value)

    def test_a_file_of_any_bytes_is_refused_without_being_quoted(self, key_file):
        key_file.write_bytes(bytes(range(200, 232)))
        with pytest.raises(ValueError, match="`key` must be written as 64 hexadecimal digits"):
            keys.read_key()

    def test_a_key_of_another_length_is_refused(self):
        with pytest.raises(ValueError, match="`key` must be 32 bytes, found 3 in the bytes given"):
            keys.read_key(b"abc")

    def test_a_file_that_is_not_there_is_named_with_the_variable_that_moves_it(self, monkeypatch):
        monkeypatch.setenv("VIEWING_KEY_FILE", "/nowhere/at.key")
        with pytest.raises(FileNotFoundError, match=r"/nowhere/at\.key .*VIEWING_KEY_FILE"):
            keys.read_key()

    def test_import_needs_no_keyring(self):
        code = "import sys, toolkit; sys.exit('keyring' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
