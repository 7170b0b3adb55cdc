"""Files that are there whole or not at all: written beside their target, then renamed over it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from softstream.hw.errors import UserError

__all__ = ["check_directory", "check_file", "write_directory", "written_file"]


def check_file(option: str, path: Path) -> None:
    """Raises `UserError` where no file can be written at `path`; called before the work that fills it."""
    if path.is_dir():
        raise UserError(f"{option} {path}: is a directory; must be a file, for example {path / 'result'}{path.suffix}")
    _check_parent(option, path)


def check_directory(option: str, path: Path) -> None:
    """Raises `UserError` where no directory can be written at `path`."""
    if path.exists() and not path.is_dir():
        raise UserError(f"{option} {path}: is a file; must be a directory, for example {path}.d")
    _check_parent(option, path)
    if path.is_dir() and not os.access(path, os.W_OK | os.X_OK):
        raise UserError(f"{option} {path}: not writable; give a directory of your own, for example build")


@contextmanager
def written_file(option: str, path: Path) -> Iterator[Path]:
    """A path to write to, which becomes `path` when the block ends and vanishes when it fails."""
    check_file(option, path)
    with _reported(option, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def write_directory(option: str, path: Path, contents: Mapping[str, str]) -> None:
    """Writes the named texts into the directory `path`: all of them or none.

    A directory that is there keeps its other files; if one file cannot be replaced, those replaced before it come back.
    """
    check_directory(option, path)
    with _reported(option, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            new, old = stage / "new", stage / "old"
            new.mkdir(mode=0o777 & ~_umask())
            old.mkdir()
            for name, text in contents.items():
                (new / name).write_text(text, encoding="utf-8", newline="\n")
            if path.exists():
                _exchange(path, new, old, list(contents))
            else:
                os.rename(new, path)
        finally:
            shutil.rmtree(stage, ignore_errors=True)


def _exchange(target: Path, new: Path, old: Path, names: list[str]) -> None:
    undo: list[Callable[[], None]] = []
    try:
        for name in names:
            if (target / name).is_dir():
                raise IsADirectoryError(21, "a directory is in the place of a file", str(target / name))
            if (target / name).exists():
                os.link(target / name, old / name)
                undo.append(lambda name=name: os.replace(old / name, target / name))  # type: ignore[misc]
            else:
                undo.append(lambda name=name: (target / name).unlink(missing_ok=True))  # type: ignore[misc]
            os.replace(new / name, target / name)
    except BaseException:
        for step in reversed(undo):
            step()
        raise


def _check_parent(option: str, path: Path) -> None:
    parent = path.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir():
        raise UserError(f"{option} {path}: {parent} is a file; must be a directory, for example {parent}.d")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise UserError(
            f"{option} {path}: {parent} is not writable; give a path of your own, for example build/{path.name}"
        )


@contextmanager
def _reported(option: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"{option} {path}: cannot be written ({reason}); give a path that can be, for example build/{path.name}"
        ) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
