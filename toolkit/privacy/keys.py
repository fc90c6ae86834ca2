"""Where the key lies, and the pseudonyms that are made with it."""

import base64
import hashlib
import hmac
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

__all__ = ["DEMONSTRATION_KEY", "has_pseudonym_form", "pseudonym", "read_key"]

#: The public key of the data that ship with the toolkit, all of them invented.
DEMONSTRATION_KEY = hashlib.sha256(b"viewing-toolkit: public, for simulated data only").digest()

_KEYRING_ENTRY = ("viewing-toolkit", "pseudonyms")
_LETTERS = set("abcdefghijklmnopqrstuvwxyz234567")


def read_key(key: bytes | str | os.PathLike | None = None) -> bytes:
    """Find the 32-byte key that turns raw names into pseudonyms.

    The same key gives the same person the same pseudonym, so keep it for as long as
    a study lasts, apart from its data; whoever holds both can undo the pseudonyms.

    Parameters
    ----------
    key : bytes, str or path-like, optional
        The key itself (32 bytes, or 64 hexadecimal digits), or the path of a file that
        holds it as 64 hexadecimal digits.  Without it the key is taken, in this order, from
        the file that the environment variable ``VIEWING_KEY_FILE`` names, from the system's
        keyring (service ``viewing-toolkit``, user ``pseudonyms``, if someone put it
        there), or from ``viewing-toolkit/pseudonyms.key`` in the user's configuration
        folder, which is made, readable by its owner alone, if it is not there.

    Returns
    -------
    bytes
        The 32 bytes of the key.

    Raises
    ------
    ValueError
        If the key is not 32 bytes, or its file can be read by others or lies inside a
        git repository.
    FileNotFoundError
        If a file was named and is not there.

    Notes
    -----
    A keyed hash resists the dictionary attack to which a plain hash of an e-mail
    address falls in seconds [1]_.

    References
    ----------
    .. [1] ENISA (2019), Pseudonymisation techniques and best practices.

    Examples
    --------
    >>> read_key(DEMONSTRATION_KEY) == DEMONSTRATION_KEY
    True
    """
    if isinstance(key, bytes):
        return _checked(key, "the bytes given")
    if isinstance(key, str) and len(key) == 64:
        return _checked(_from_hex(key), "the text given")
    if key is not None:
        return _read_file(Path(key).expanduser())
    if named := os.environ.get("VIEWING_KEY_FILE"):
        return _read_file(Path(named).expanduser())
    if kept := _from_keyring():
        return _checked(_from_hex(kept), "the keyring's entry")
    path = _default_path()
    if not path.exists():
        _make_file(path)
    return _read_file(path)


def pseudonym(kind: str, *parts: str, key: bytes) -> str:
    """Return the keyed pseudonym of a viewer or an account.

    HMAC-SHA256 over the kind and the parts, cut to 80 bits: at a million ids the chance
    that two share a pseudonym is below 1e-12.

    Parameters
    ----------
    kind : {'viewer', 'account'}
        What is named; its first letter starts the pseudonym.
    *parts : str
        What tells it apart from all others: source, account and, for a viewer, profile.
    key : bytes
        32 bytes, from `read_key`.

    Returns
    -------
    str
        ``v_`` or ``a_`` and 16 characters of lower-case base32.

    Examples
    --------
    >>> pseudonym("viewer", "netflix", "household 1", "Kids", key=DEMONSTRATION_KEY)
    'v_m7pwbol25ou5foaj'
    """
    message = json.dumps([kind, *parts], ensure_ascii=False).encode()
    digest = hmac.digest(key, message, "sha256")[:10]
    return f"{kind[0]}_{base64.b32encode(digest).decode().lower()}"


def has_pseudonym_form(ids: Iterable, kind: str) -> bool:
    """Say whether every id has the form that `pseudonym` gives, so needs no second one."""
    return all(
        isinstance(i, str) and len(i) == 18 and i[:2] == f"{kind[0]}_" and set(i[2:]) <= _LETTERS
        for i in ids
    )


def _checked(key: bytes, where: str) -> bytes:
    if len(key) != 32:
        raise ValueError(f"`key` must be 32 bytes, found {len(key)} in {where}.")
    return key


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text.strip())
    except ValueError:
        # The text is the secret itself, so the message must not quote it.
        raise ValueError("`key` must be written as 64 hexadecimal digits.") from None


def _from_keyring() -> str | None:
    try:
        import keyring
    except ImportError:
        return None
    try:
        return keyring.get_password(*_KEYRING_ENTRY)
    except keyring.errors.KeyringError:
        # A machine without a screen often has no keyring that answers.
        return None


def _default_path() -> Path:
    base = os.environ.get("APPDATA") or os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "viewing-toolkit" / "pseudonyms.key"


def _make_file(path: Path) -> None:
    _require_outside_repositories(path)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Written whole under another name first, so that no crash leaves half a key.
    handle, draft = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32))
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)


def _read_file(path: Path) -> bytes:
    if not path.is_file():
        raise FileNotFoundError(
            f"`key` must be a file that exists, found none at {path} "
            "(the environment variable VIEWING_KEY_FILE moves it)."
        )
    if os.name == "posix" and (mode := stat.S_IMODE(path.stat().st_mode)) & 0o077:
        raise ValueError(
            f"`key` must be a file that only its owner can read (chmod 600), "
            f"found mode {mode:04o} at {path}."
        )
    _require_outside_repositories(path)
    return _checked(_from_hex(path.read_text(encoding="latin-1")), str(path))


def _require_outside_repositories(path: Path) -> None:
    if repository := next((p for p in path.resolve().parents if (p / ".git").exists()), None):
        raise ValueError(
            f"`key` must lie outside every git repository, found {path} in {repository} "
            "(the environment variable VIEWING_KEY_FILE moves it)."
        )
