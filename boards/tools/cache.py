"""Results of tools in the user's cache: written whole, checked when they are read, removed when they are damaged.

    store_folder(folder, {"report.json": …, "top.bin": …})     load_folder(folder) → the same mapping, or None
    store_value(path, {"LC": 120})                             load_value(path) → the same value, or None

A cache is not believed: each entry carries the SHA-256 of its contents. A reader that finds another one removes the entry, says
so in one line (logger of this module) and gets None, so its caller makes the entry anew. Files are synced before the rename
that publishes them, so a power cut leaves no half entry. Entries are readable by every user that the umask allows. A cache that
cannot be written costs time, nothing else: no function here raises `OSError`.
"""

import contextlib
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["discard", "load_folder", "load_value", "replace_file", "store_folder", "store_value"]

_LOG = logging.getLogger(__name__)
_MANIFEST = "manifest.json"
_STALE_SECONDS = 24 * 3600
"""Age at which a temporary file or folder has lost its process."""


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
    _sync_folder(path.parent)


def store_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Stores the named contents as one entry."""
    manifest = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    temporary = _temporary(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent)
        temporary.mkdir()
        for name, content in contents.items():
            _write(temporary / name, content)
        _write(temporary / _MANIFEST, json.dumps({"entry": folder.name, "sha256": manifest}).encode())
        _sync_folder(temporary)
        os.rename(temporary, folder)
        _sync_folder(folder.parent)
    except OSError:  # a full disk, or another process was quicker
        shutil.rmtree(temporary, ignore_errors=True)


def load_folder(folder: Path) -> dict[str, bytes] | None:
    """The contents of an entry; None if there is none, or if it was damaged and is gone now."""
    if not os.path.lexists(folder):
        return None
    try:
        manifest = json.loads((folder / _MANIFEST).read_bytes())
        contents = {name: (folder / name).read_bytes() for name in manifest["sha256"]}
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
        intact = bool(digests) and manifest == {"entry": folder.name, "sha256": digests}
    except PermissionError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        intact = False
    if intact:
        return contents
    discard(folder)
    return None


def store_value(path: Path, value: Any) -> None:
    """Stores a value that JSON can hold."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        content = {"entry": path.name, "sha256": _digest(value), "value": value}
        replace_file(path, json.dumps(content).encode())


def load_value(path: Path) -> Any | None:
    """The value of an entry; None if there is none, or if it was damaged and is gone now."""
    if not os.path.lexists(path):
        return None
    try:
        content = json.loads(path.read_bytes())
        intact = content == {"entry": path.name, "sha256": _digest(content["value"]), "value": content["value"]}
    except PermissionError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        intact = False
    if intact:
        return content["value"]
    discard(path)
    return None


def discard(entry: Path) -> None:
    """Removes a damaged entry and says so."""
    with contextlib.suppress(OSError):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    _LOG.warning("cache entry %s was damaged: removed, and made anew", entry)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.part")


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Removes the temporary files and folders that killed processes left."""
    for path in folder.glob(".*.part"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
