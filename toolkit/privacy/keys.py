"""Where the key lies, and the pseudonyms that are made with it."""

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from toolkit.privacy.refusals import KeyExposed, KeyMissing, KeyTaken, Refused

__all__ = [
    "DEMONSTRATION_KEY",
    "derived",
    "destroy_study_key",
    "has_pseudonym_form",
    "locked",
    "make_study_key",
    "pseudonym",
    "pseudonyms_noted",
    "read_key",
    "read_study_key",
    "sync_folder",
]

#: The public key of the data that ship with the toolkit, all of them invented.
DEMONSTRATION_KEY = hashlib.sha256(b"viewing-toolkit: public, for simulated data only").digest()

_noted = ContextVar("pseudonyms and what they were made of", default=None)

_SERVICE = "viewing-toolkit"
_STUDY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
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
        _require_elsewhere(path, "VIEWING_KEY_FILE")
        # Another process may have been faster.
        with suppress(FileExistsError):
            _make_file(path, secrets.token_hex(32))
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
    made = f"{kind[0]}_{base64.b32encode(digest).decode().lower()}"
    if (noted := _noted.get()) is not None:
        noted[made] = parts
    return made


@contextmanager
def pseudonyms_noted() -> Iterator[dict[str, tuple[str, ...]]]:
    """Note each pseudonym that is made meanwhile, and of what: for its study's own use alone."""
    before = _noted.set({})
    try:
        yield _noted.get()
    finally:
        _noted.reset(before)


def has_pseudonym_form(ids: Iterable, kind: str) -> bool:
    """Say whether every id has the form that `pseudonym` gives, so needs no second one."""
    return all(
        isinstance(i, str) and len(i) == 18 and i[:2] == f"{kind[0]}_" and set(i[2:]) <= _LETTERS
        for i in ids
    )


def make_study_key(name: str, *, folder: str | os.PathLike) -> bytes:
    """Make the one key of a new study, and keep it where its data are not.

    It goes into the system's keyring if one answers and accepts it, otherwise into the file
    ``<name>.key``, readable by its owner alone, in ``viewing-toolkit/studies`` in the
    user's configuration folder.  The environment variable ``VIEWING_KEY_FOLDER`` names
    another folder; no keyring is then asked.

    Parameters
    ----------
    name : str
        The name of the study: letters, digits, dots, dashes and underscores.
    folder : path-like
        The folder that holds the study's data.

    Returns
    -------
    bytes
        The 32 bytes of the master key, saved before they are returned.

    Raises
    ------
    KeyTaken
        If there is a key of this name.  Of processes that make it at once, one succeeds.
    KeyExposed
        If the file would lie in `folder` or in a git repository.

    See Also
    --------
    read_study_key : Find it again.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as keys, tempfile.TemporaryDirectory() as data:
    ...     os.environ["VIEWING_KEY_FOLDER"] = keys
    ...     made = make_study_key("rewatch-2026", folder=data)
    ...     read_study_key("rewatch-2026", folder=data) == made
    ...     destroy_study_key("rewatch-2026")
    ...     del os.environ["VIEWING_KEY_FOLDER"]
    True
    """
    path, entry = _study_path(name), _study_entry(name)
    text = secrets.token_hex(32)
    try:
        with _only_one(path.parent):
            if (entry and _from_keyring(entry) is not None) or os.path.lexists(path):
                raise FileExistsError
            if not (entry and _into_keyring(entry, text)):
                _require_elsewhere(path, "VIEWING_KEY_FOLDER", folder)
                _make_file(path, text)
    except FileExistsError:
        raise KeyTaken(
            f"`name` must be that of a study without a key, found the key of {name}.",
            "Choose another name, since two studies with one key could be joined.",
        ) from None
    return bytes.fromhex(text)


def read_study_key(name: str, *, folder: str | os.PathLike) -> bytes:
    """Find the key of a study, and refuse one that is exposed.

    Parameters
    ----------
    name : str
        The name of the study.
    folder : path-like
        The folder that holds the study's data.

    Returns
    -------
    bytes
        The 32 bytes of the master key.

    Raises
    ------
    KeyMissing
        If neither the keyring nor the file holds a key of this name.
    KeyExposed
        If others can read the file, or if it lies, itself or by what it links to, in
        `folder` or in a git repository.

    See Also
    --------
    make_study_key : Where the key is kept, with an example.
    derived : Keys for each purpose.
    """
    path, entry = _study_path(name), _study_entry(name)
    text = _from_keyring(entry) if entry else None
    if text is None and path.is_file():
        _require_elsewhere(path, "VIEWING_KEY_FOLDER", folder)
        _require_own(path)
        text = path.read_text(encoding="latin-1")
    with suppress(ValueError):
        return _checked(_from_hex(text or ""), "the key of the study")
    raise KeyMissing(
        f"`name` must be that of a study whose key is here, found no key of {name}"
        f"{' that is whole' if text is not None else ''} "
        f"{'in the keyring or ' if entry else ''}at {path}.",
        "Use the account that made it, or ask who keeps it; without it the data stay closed.",
    )


def destroy_study_key(name: str) -> None:
    """Destroy the key of a study, after which nobody can open what it encrypted.

    The file is overwritten and removed, the keyring's entry deleted.

    Parameters
    ----------
    name : str
        The name of the study.

    Raises
    ------
    KeyMissing
        If there is no key of this name.
    Refused
        If the keyring does not give up its entry.

    Notes
    -----
    This reaches the one key that the system shows.  Solid-state disks, journals and snapshots
    may keep the old bytes of an overwritten file; copies, backups and synchronised keyrings
    keep theirs, and so does a program that has read the key, till it ends.  Only where there
    are none of these is what was encrypted gone for good.
    """
    path, entry = _study_path(name), _study_entry(name)
    with _only_one(path.parent):
        is_kept = entry is not None and _from_keyring(entry) is not None
        if not is_kept and not os.path.lexists(path):
            raise KeyMissing(
                f"`name` must be that of a study whose key is here, found no key of {name} "
                f"{'in the keyring or ' if entry else ''}at {path}.",
                "Destroy it on the machine and with the account that keep it.",
            )
        if os.path.lexists(path):
            _shred(path)
        if is_kept:
            _out_of_keyring(entry)


def derived(master: bytes, purpose: str) -> bytes:
    """Return the key for one purpose, from which neither the master nor another one follows.

    HKDF-SHA256 [1]_ without a salt; `purpose` is its info.

    Parameters
    ----------
    master : bytes
        32 bytes, from `make_study_key` or `read_study_key`.
    purpose : str
        What the key is for, such as ``"pseudonyms"`` or ``"file plays.parquet"``.

    Returns
    -------
    bytes
        32 bytes.

    References
    ----------
    .. [1] H. Krawczyk and P. Eronen (2010), HMAC-based Extract-and-Expand Key Derivation
       Function (HKDF), RFC 5869.

    Examples
    --------
    >>> derived(DEMONSTRATION_KEY, "pseudonyms") == derived(DEMONSTRATION_KEY, "bitmaps")
    False
    """
    if not purpose:
        raise ValueError("`purpose` must say what the key is for, found no text.")
    return _hkdf(_checked(master, "the master"), purpose.encode(), 32)


@contextmanager
def locked(handle: int) -> Iterator[None]:
    """Wait for the lock of an open file and hold it; the system takes it from a dead process."""
    if os.name == "nt":
        import msvcrt

        def at_lock(mode):
            # Others can't read a byte that is locked, so it is one that no file has.
            os.lseek(handle, 2**30, os.SEEK_SET)
            msvcrt.locking(handle, mode, 1)

        while True:
            # The wait ends with an error after ten seconds.
            with suppress(OSError):
                at_lock(msvcrt.LK_LOCK)
                break
        try:
            yield
        finally:
            at_lock(msvcrt.LK_UNLCK)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder outlast a power cut."""
    # Windows has no such thing, and some network drives refuse it.
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


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


def _from_keyring(entry: str = "pseudonyms") -> str | None:
    try:
        import keyring
    except ImportError:
        return None
    try:
        return keyring.get_password(_SERVICE, entry)
    except keyring.errors.KeyringError:
        # A machine without a screen often has no keyring that answers.
        return None


def _into_keyring(entry: str, text: str) -> bool:
    try:
        import keyring
    except ImportError:
        return False
    try:
        keyring.set_password(_SERVICE, entry, text)
        # Some only seem to accept it.
        return keyring.get_password(_SERVICE, entry) == text
    except keyring.errors.KeyringError:
        return False


def _out_of_keyring(entry: str) -> None:
    import keyring

    with suppress(keyring.errors.KeyringError):
        keyring.delete_password(_SERVICE, entry)
        if keyring.get_password(_SERVICE, entry) is None:
            return
    raise Refused(
        "The keyring did not delete the key.",
        f"Delete the entry {entry!r} of the service {_SERVICE!r} in it by hand.",
    )


def _default_path() -> Path:
    return _config_folder() / "pseudonyms.key"


def _config_folder() -> Path:
    base = os.environ.get("APPDATA") or os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "viewing-toolkit"


def _study_path(name: str) -> Path:
    if not (isinstance(name, str) and _STUDY_NAME.fullmatch(name)):
        raise ValueError(
            "`name` must be 1 to 64 letters, digits, dots, dashes and underscores, "
            f"the first a letter or digit, found {name!r}."
        )
    named = os.environ.get("VIEWING_KEY_FOLDER")
    folder = Path(named).expanduser() if named else _config_folder() / "studies"
    return folder / f"{name}.key"


def _study_entry(name: str) -> str | None:
    return None if os.environ.get("VIEWING_KEY_FOLDER") else f"study {name}"


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Let one process at a time make or destroy keys, since a keyring can't be told to."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder / "keys.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with locked(handle):
            yield
    finally:
        os.close(handle)


def _hkdf(secret: bytes, info: bytes, length: int) -> bytes:
    extracted = hmac.digest(bytes(32), secret, "sha256")
    made = block = b""
    for n in range(1, -(-length // 32) + 1):
        block = hmac.digest(extracted, block + info + bytes([n]), "sha256")
        made += block
    return made[:length]


def _make_file(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Written whole under another name first, so that no crash leaves half a key.
    handle, draft = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        os.unlink(draft)
    sync_folder(path.parent)


def _shred(path: Path) -> None:
    real = path.resolve()
    if real.is_file():
        real.chmod(0o600)
        with real.open("r+b") as file:
            file.write(secrets.token_bytes(max(real.stat().st_size, 64)))
            file.flush()
            os.fsync(file.fileno())
        real.unlink()
        sync_folder(real.parent)
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def _read_file(path: Path) -> bytes:
    if not path.is_file():
        raise FileNotFoundError(
            f"`key` must be a file that exists, found none at {path} "
            "(the environment variable VIEWING_KEY_FILE moves it)."
        )
    _require_own(path)
    _require_elsewhere(path, "VIEWING_KEY_FILE")
    return _checked(_from_hex(path.read_text(encoding="latin-1")), str(path))


def _require_own(path: Path) -> None:
    if os.name == "posix" and (mode := stat.S_IMODE(path.stat().st_mode)) & 0o077:
        raise KeyExposed(
            f"`key` must be a file that only its owner can read (chmod 600), "
            f"found mode {mode:04o} at {path}.",
            "Close it, and if others may have read it, begin anew with another key.",
        )


def _require_elsewhere(path: Path, variable: str, folder: str | os.PathLike | None = None) -> None:
    """Refuse a key that lies with data or in a repository, itself or by what it links to."""
    parents, data = [*path.resolve().parents], None
    if folder is not None:
        parents += Path(os.path.abspath(path)).parents
        data = Path(folder).resolve()
    for parent in parents:
        is_data = parent.resolve() == data
        if is_data or (parent / ".git").exists():
            where = "the folder of the data" if is_data else "every git repository"
            raise KeyExposed(
                f"`key` must lie outside {where}, found {path} in {parent}.",
                f"Move it: the environment variable {variable} says where it lies.",
            )
