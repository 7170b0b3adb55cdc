"""Results in the user's cache: written whole, checked when they are read, removed when they are damaged.

    store_value(path, {"LC": 120})                          load_value(path) → the same value, or None
    store_folder(folder, {"report.json": …, "top.bin": …})  load_folder(folder) → the same mapping, or None
    seal(folder)                                            is_intact(folder): for files too large to be read whole

A cache is not believed: each entry carries the SHA-256 of its contents. A reader that finds another one removes the entry, says
so in one line (logger of this module) and gets None, so its caller makes the entry anew. Files are synced before the rename
that publishes them, so a power cut leaves no half entry. Entries are readable by every user that the umask allows.

A cache that cannot be written costs time, nothing else: a private folder for temporary files takes its place, which one line
says, and no function that stores or loads raises `OSError`. Entries that were not used for the longest time go first, once the
cache is larger than its limit.
"""

import contextlib
import errno
import fcntl
import functools
import hashlib
import json
import logging
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

__all__ = [
    "DEFAULT_LIMIT",
    "Entry",
    "clear",
    "discard",
    "entries",
    "is_intact",
    "limit",
    "load_folder",
    "load_value",
    "locked",
    "replace_file",
    "root",
    "seal",
    "set_limit",
    "store_folder",
    "store_value",
    "sync",
    "trim",
    "user_root",
]

_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)
_MANIFEST = "manifest.json"
_STALE_SECONDS = 24 * 3600
"""Age at which a temporary file or folder has lost its process."""
_FRESH_SECONDS = 3600
"""An entry that was used within this time is never removed for the limit: a process may be about to use it."""
DEFAULT_LIMIT = 4 << 30
"""Bytes that the cache may hold where nobody has set another limit."""
_LIMIT_FILE = "limit.json"
_NO_ENTRY = re.compile(r"\..*\.part|compiling-.*|lock|.*\.lock|.*\.ready")
"""Files and folders of running processes, and marks without contents."""


@dataclass(frozen=True)
class Entry:
    """One result in the cache."""

    path: Path
    size: int
    """Bytes of its files."""
    used: float
    """Time of its last use, in seconds since the epoch."""


# Where the cache is ---------------------------------------------------------------------------------------------------


def user_root() -> Path:
    """The folder of the user's cache, whether or not it can be written."""
    return Path(platformdirs.user_cache_dir("softstream", appauthor=False))


def root() -> Path:
    """The folder that entries are written to: the user's cache, or a temporary one where that cannot be written."""
    return _writable(user_root())


@functools.cache
def _writable(folder: Path) -> Path:
    reason = _obstacle(folder)
    if reason is None:
        return folder
    temporary = _temporary_root()
    _LOG.warning(
        "cache %s: cannot be written (%s); %s is used instead; XDG_CACHE_HOME sets another place",
        folder,
        reason,
        temporary,
    )
    # The WebAssembly runtime of Yosys and nextpnr has a cache of its own beside ours, and tools inherit the place.
    os.environ["XDG_CACHE_HOME"] = str(temporary)
    return temporary / folder.name


def _obstacle(folder: Path) -> str | None:
    """Why a folder cannot be written, or made; None where it can. Makes nothing."""
    try:
        ancestor = next(path for path in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(path))
        # A file without a name, or gone at once: permissions do not tell what a file system can do.
        with tempfile.TemporaryFile(dir=ancestor):
            return None
    except OSError as error:
        return error.strerror or str(error)


def _temporary_root() -> Path:
    """The folder of this user among the temporary files; another one for this process where somebody else has that name."""
    path = Path(tempfile.gettempdir()) / f"softstream-cache-{os.geteuid()}"
    with contextlib.suppress(OSError):
        path.mkdir(mode=0o700)
    with contextlib.suppress(OSError):
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077:
            return path
    return Path(tempfile.mkdtemp(prefix="softstream-cache-"))


# Entries --------------------------------------------------------------------------------------------------------------


def replace_file(path: Path, content: bytes) -> None:
    """Gives `path` the content, whole or not at all: written beside it, synced, renamed. Raises `OSError`."""
    temporary = _temporary(path)
    try:
        _write(temporary, content)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Waits until a file, or the entries of a folder, are on the disk. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS):  # a file system that cannot
            raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Waits for the lock of a file or folder, and holds it until the block ends.

    The system releases the lock when its holder ends, even if the holder is killed.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def store_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Stores the named contents as one entry."""
    manifest = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    _trim_once()
    temporary = _temporary(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent)
        temporary.mkdir()
        for name, content in contents.items():
            _write(temporary / name, content)
        _write(temporary / _MANIFEST, json.dumps({"entry": folder.name, "sha256": manifest}).encode())
        sync(temporary)
        os.rename(temporary, folder)
        sync(folder.parent)
    except OSError:  # a full disk, or another process was quicker
        shutil.rmtree(temporary, ignore_errors=True)


def load_folder(folder: Path) -> dict[str, bytes] | None:
    """The contents of an entry; None if there is none, or if it was damaged and is gone now."""

    def read() -> tuple[bool, dict[str, bytes]]:
        manifest = json.loads((folder / _MANIFEST).read_bytes())
        contents = {name: (folder / name).read_bytes() for name in manifest["sha256"]}
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
        return bool(digests) and manifest == {"entry": folder.name, "sha256": digests}, contents

    return _checked(folder, read)


def store_value(path: Path, value: Any) -> None:
    """Stores a value that JSON can hold."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        _trim_once()
        content = {"entry": path.name, "sha256": _digest(value), "value": value}
        replace_file(path, json.dumps(content).encode())


def load_value(path: Path) -> Any | None:
    """The value of an entry; None if there is none, or if it was damaged and is gone now."""

    def read() -> tuple[bool, Any]:
        content = json.loads(path.read_bytes())
        value = content["value"]
        return content == {"entry": path.name, "sha256": _digest(value), "value": value}, value

    return _checked(path, read)


def seal(folder: Path) -> None:
    """Syncs the files of a folder and writes their SHA-256 into it, before it gets its name. Raises `OSError`."""
    digests = {}
    for path in sorted(folder.iterdir()):
        if path.name != _MANIFEST and path.is_file():
            digests[path.name] = _file_digest(path)
            sync(path)
    replace_file(folder / _MANIFEST, json.dumps({"sha256": digests}).encode())


def is_intact(folder: Path) -> bool:
    """Whether a sealed folder has all of its files unchanged; one that was damaged is removed, which one line says."""

    def read() -> tuple[bool, bool]:
        manifest = json.loads((folder / _MANIFEST).read_bytes())
        return all(_file_digest(folder / name) == digest for name, digest in manifest["sha256"].items()), True

    return _checked(folder, read) is not None


def _checked(entry: Path, read: Callable[[], tuple[bool, _T]]) -> _T | None:
    """What `read` finds in an entry, which counts as used now; `read` also tells whether the entry is intact.

    None where there is none, or none that this user may read, or where it was damaged: then it is removed.
    """
    if not os.path.lexists(entry):
        return None
    try:
        intact, contents = read()
    except PermissionError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        intact = False
    if not intact:
        discard(entry)
        return None
    _touch(entry)
    return contents


def discard(entry: Path) -> None:
    """Removes a damaged entry and says so."""
    _delete(entry)
    _LOG.warning("cache entry %s was damaged: removed, and made anew", entry)


def _delete(path: Path) -> None:
    """Removes a file, a link or a folder as far as that is possible."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.part")


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def _file_digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _touch(entry: Path) -> None:
    """Notes that an entry was used now."""
    with contextlib.suppress(OSError):
        os.utime(entry)


def _sweep(folder: Path) -> None:
    """Removes the temporary files and folders that killed processes left."""
    for path in folder.glob(".*.part"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


# Size -----------------------------------------------------------------------------------------------------------------


def entries(folder: Path | None = None) -> Iterator[Entry]:
    """The entries of the cache, or of another folder of the same form."""
    for kind in _listed(folder or root()):
        for path in _listed(kind):
            if not _NO_ENTRY.fullmatch(path.name):
                with contextlib.suppress(OSError):
                    yield Entry(path, _size(path), path.stat().st_mtime)


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # a file, or a folder that another process has removed
        return []


def _size(path: Path) -> int:
    """Bytes of a file, or of the files of a folder."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    return sum(_size(child) for child in path.iterdir())


def clear() -> int:
    """Removes all entries but what running processes are writing. Returns their bytes."""
    return _remove(list(entries()))


def limit() -> int:
    """Bytes that the cache may hold."""
    value = load_value(root() / _LIMIT_FILE)
    return value if isinstance(value, int) and value >= 0 else DEFAULT_LIMIT


def set_limit(size: int) -> None:
    """Sets the bytes that the cache may hold, for this call and later ones."""
    store_value(root() / _LIMIT_FILE, size)


def trim() -> int:
    """Removes the entries that were not used for the longest time until the rest keeps the limit. Returns their bytes."""
    items = sorted(entries(), key=lambda entry: entry.used)
    excess = sum(item.size for item in items) - limit()
    removed = []
    for item in items:
        if excess <= 0 or time.time() - item.used < _FRESH_SECONDS:
            break
        removed.append(item)
        excess -= item.size
    return _remove(removed)


@functools.cache
def _trim_once() -> None:
    """Keeps the limit; once per process, because it reads the whole cache."""
    trim()


def _remove(items: list[Entry]) -> int:
    for item in items:
        _delete(item.path)
    return sum(item.size for item in items if not os.path.lexists(item.path))
