"""Files that appear whole or not at all: written to a temporary name in the same folder, synced, then renamed.

The earlier output survives until the rename, whatever ends the process before it, a full disk and SIGKILL included. A
folder of several files is swapped with its successor in one system call; its successor holds the other files and folders of
the earlier one, as hard links. Its files are replaced one by one where a swap is not possible: on a file system without links
or swaps, in the current folder, at or around a mount point, with a closed folder around it, and beside more than `MOST_LINKS`
other files or folders nested deeper than `DEEPEST`. All of them come back if one fails. If the process is killed between the
first and the last, they come back at the beginning of the next write of that folder, from copies that a journal in it names.

A link is followed: its target changes, the link stays. A character device or a FIFO receives the content and stays what it
is. What a killed process leaves (`.softstream-….part`) is removed by the next write into the same folder.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from softstream.hw.cache import locked, sync
from softstream.hw.errors import UserError

__all__ = ["check_directory", "check_file", "write_directory", "written_file"]

_PREFIX, _SUFFIX = ".softstream-", ".part"
_JOURNAL = "journal.json"
_LOG = logging.getLogger(__name__)
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
MOST_LINKS = 10_000
"""Other files of a folder that a swap links into its successor; a link takes some ten microseconds."""
DEEPEST = 64
"""Levels of folders that a swap links."""
_SHOWN_CHARACTERS = 200
"""Characters of a path that a message repeats."""


def check_file(option: str, path: Path) -> None:
    """Raises `UserError` where no file can be written at `path`; called before the work that fills it."""
    status = _status(option, path)
    if status is None:
        _check_parent(option, path)
    elif stat.S_ISDIR(status.st_mode):
        raise UserError(
            f"{option} {_cut(path)}: is a directory; must be a file, for example {path / 'result'}{path.suffix}"
        )
    elif stat.S_ISREG(status.st_mode):
        _check_parent(option, _target(path))
    elif _takes_bytes(status):
        if not os.access(path, os.W_OK):
            raise UserError(
                f"{option} {_cut(path)}: not writable; must be a file of your own, for example {_own(path)}"
            )
    else:
        raise UserError(f"{option} {_cut(path)}: is no regular file; must be a file, for example result{path.suffix}")


def check_directory(option: str, path: Path) -> None:
    """Raises `UserError` where no directory can be written at `path`."""
    status = _status(option, path)
    if status is not None and not stat.S_ISDIR(status.st_mode):
        raise UserError(f"{option} {_cut(path)}: is a file; must be a directory, for example {_cut(path)}.d")
    if status is None:
        _check_parent(option, path)
    elif not os.access(path, os.W_OK | os.X_OK):
        raise UserError(f"{option} {_cut(path)}: not writable; give a directory of your own, for example {_own(path)}")


@contextmanager
def written_file(option: str, path: Path) -> Iterator[Path]:
    """A path to write to, whose content `path` has when the block ends; if the block fails, `path` stays as it was."""
    check_file(option, path)
    with _reported(option, path):
        status = _status(option, path)
        special = status is not None and not stat.S_ISREG(status.st_mode)
        target = path if special else _target(path)
        folder = Path(tempfile.gettempdir()) if special else target.parent
        folder.mkdir(parents=True, exist_ok=True)
        with _temporary(folder, directory=False) as temporary:
            yield temporary
            if special:
                _copy(temporary, path)
                return
            temporary.chmod(0o666 & ~_umask())
            sync(temporary)
            os.replace(temporary, target)
            sync(folder)


def write_directory(option: str, path: Path, contents: Mapping[str, str | bytes], stale: Collection[str] = ()) -> None:
    """Writes the named files into the directory `path`, and removes those of `stale`: all of it or nothing.

    The other files of the directory stay.
    """
    check_directory(option, path)
    with _reported(option, path):
        target = _target(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.parent):
            if target.exists():
                _undo_interrupted(target)
            if _can_be_swapped(target):
                with _temporary(target.parent, directory=True) as stage:
                    new = _staged(stage, contents)
                    if not target.exists():
                        sync(new)
                        os.rename(new, target)
                        written = True
                    else:
                        written = _swapped(target, new, stale)
                    sync(target.parent)
                if written:
                    return
            with _temporary(target, directory=True) as stage:
                _replace_one_by_one(target, _staged(stage, contents), stale)


def _staged(stage: Path, contents: Mapping[str, str | bytes]) -> Path:
    """A new folder with the contents, each of them on the disk."""
    new = stage / "new"
    new.mkdir(mode=0o777 & ~_umask())
    for name, content in contents.items():
        (new / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        sync(new / name)
    return new


def _can_be_swapped(target: Path) -> bool:
    """Whether a successor of the directory, or its first version, can stand beside it."""
    return os.access(target.parent, os.W_OK | os.X_OK) and not (target.exists() and _is_in_use(target))


def _swapped(target: Path, new: Path, stale: Collection[str]) -> bool:
    """Swaps a directory with its successor, which receives the other files and folders first but those of `stale`.

    False where that is not possible.
    """
    if any((target / name).is_dir() for name in os.listdir(new)):
        return False
    others = set(os.listdir(target)) - set(os.listdir(new)) - set(stale)
    try:
        _link_entries(target, new, others, MOST_LINKS, target.stat().st_dev)
        _copy_attributes(target, new)
        sync(new)
        _exchange(target, new)
    except (OSError, AttributeError):  # no links, another owner, or a kernel or file system that cannot swap
        for name in others:
            _remove(new / name)
        return False
    _rescue(new, target, set(os.listdir(new)) - set(stale), keep=set(os.listdir(target)) - others)
    return True


def _link_entries(source: Path, copy: Path, names: Collection[str], most: int, device: int, depth: int = 0) -> int:
    """Links the named entries of a folder into another, folders with all that is in them; how many of `most` links are left.

    Raises `OSError` where there are more, or deeper ones, and at a folder on another device, such as a mount point.
    """
    for name in names:
        if (most := most - 1) < 0 or depth > DEEPEST:
            raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))
        status = (source / name).lstat()
        if not stat.S_ISDIR(status.st_mode):
            os.link(source / name, copy / name, follow_symlinks=False)
            continue
        if status.st_dev != device:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        (copy / name).mkdir()
        most = _link_entries(source / name, copy / name, os.listdir(source / name), most, device, depth + 1)
        _copy_attributes(source / name, copy / name)
        sync(copy / name)
    return most


def _copy_attributes(source: Path, copy: Path) -> None:
    """Gives a folder the owner, the mode and the times of another."""
    status = source.stat()
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        os.chown(copy, status.st_uid, status.st_gid)
    shutil.copystat(source, copy)


def _rescue(old: Path, target: Path, names: Collection[str], keep: Collection[str] = ()) -> None:
    """Moves what others wrote into a folder between the links and the swap to its successor, but for names of `keep`."""
    for name in set(names) - set(keep):
        if not os.path.lexists(target / name):
            os.rename(old / name, target / name)
            continue
        earlier, later = (old / name).lstat(), (target / name).lstat()
        if stat.S_ISDIR(earlier.st_mode) and stat.S_ISDIR(later.st_mode):
            _rescue(old / name, target / name, os.listdir(old / name))
        elif earlier.st_ino != later.st_ino and earlier.st_mtime_ns > later.st_mtime_ns:
            os.replace(old / name, target / name)


def _remove(path: Path) -> None:
    """Removes a file, or a folder with all that is in it; nothing where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _is_in_use(target: Path) -> bool:
    """Whether a swap would leave this process, and the shell that started it, in the old directory."""
    try:
        return os.path.ismount(target) or Path.cwd().is_relative_to(target)
    except OSError:  # this process stands in a directory that was removed
        return False


def _exchange(one: Path, other: Path) -> None:
    """Exchanges two paths in one system call."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _replace_one_by_one(target: Path, new: Path, stale: Collection[str]) -> None:
    """Replaces the files of `target` by those of `new`, and removes those of `stale`.

    Links to the earlier files and a journal of the names are on the disk before the first change. If a change fails, the earlier
    files come back now, and if the process is killed, by `_undo_interrupted`.
    """
    stage, names = new.parent, os.listdir(new)
    old = stage / "old"
    old.mkdir()
    for name in names:
        if (target / name).is_dir():
            raise IsADirectoryError(errno.EISDIR, "a directory is in the place of a file", str(target / name))
    existing = [name for name in (*names, *stale) if os.path.lexists(target / name)]
    added = [name for name in names if name not in existing]
    for name in existing:
        _link_or_copy(target / name, old / name)
    sync(old)
    journal = stage / _JOURNAL
    (stage / "draft").write_text(json.dumps({"existing": existing, "added": added}))
    sync(stage / "draft")
    os.rename(stage / "draft", journal)
    sync(stage)
    try:
        sync(target)
        for name in names:
            os.replace(new / name, target / name)
        for name in stale:
            (target / name).unlink(missing_ok=True)
        sync(target)
    except BaseException:
        _undo(stage)
        raise
    journal.unlink()  # from here on the change is whole
    sync(stage)


def _link_or_copy(source: Path, copy: Path) -> None:
    try:
        os.link(source, copy, follow_symlinks=False)
    except OSError:  # a file system without links
        shutil.copy2(source, copy, follow_symlinks=False)
        if not copy.is_symlink():
            sync(copy)


def _undo(stage: Path) -> None:
    """Brings the earlier files back that a journal names. It may be interrupted, and done again."""
    target, journal = stage.parent, stage / _JOURNAL
    names = json.loads(journal.read_text(encoding="utf-8"))
    for name in names["existing"]:
        if os.path.lexists(stage / "old" / name):
            os.replace(stage / "old" / name, target / name)
    for name in names["added"]:
        (target / name).unlink(missing_ok=True)
    with suppress(OSError):
        sync(target)
    journal.unlink()


def _undo_interrupted(target: Path) -> None:
    """Undoes what a killed process left half done in a directory, whose folder the caller has locked."""
    for stage in target.glob(f"{_PREFIX}*{_SUFFIX}"):
        if (stage / _JOURNAL).exists():
            _undo(stage)
            _LOG.warning("%s: an earlier write of it was interrupted and is undone", _cut(target))
    _sweep(target)


@contextmanager
def _temporary(folder: Path, *, directory: bool) -> Iterator[Path]:
    """A temporary file or directory that this process holds locked, and removes at the end."""
    _sweep(folder)
    while (temporary := _locked_temporary(folder, directory=directory)) is None:
        pass  # the sweep of another process took it before it was locked
    path, handle = temporary
    try:
        yield path
    finally:
        if not directory:
            path.unlink(missing_ok=True)
        elif not (path / _JOURNAL).exists():  # of an undo that failed: the next write does it again
            shutil.rmtree(path, ignore_errors=True)
        os.close(handle)


def _locked_temporary(folder: Path, *, directory: bool) -> tuple[Path, int] | None:
    """A new temporary file or directory and the handle that locks it; None where a sweep removed it before it was locked."""
    if directory:
        path = Path(tempfile.mkdtemp(_SUFFIX, _PREFIX, folder))
        try:
            handle = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
    else:
        handle, name = tempfile.mkstemp(_SUFFIX, _PREFIX, folder)
        path = Path(name)
    with suppress(OSError):  # a file system without locks, on which nothing is swept either
        fcntl.flock(handle, fcntl.LOCK_EX)  # waits for a sweep that holds the lock while it removes the path
    if not path.exists():
        os.close(handle)
        return None
    return path, handle


def _sweep(folder: Path) -> None:
    """Removes the temporary files of processes that were killed: nobody holds their lock any more.

    Those with a journal stay until the next write of the whole folder.
    """
    for path in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        if (path / _JOURNAL).exists():
            continue
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        except OSError:
            pass
        finally:
            os.close(handle)


def _copy(source: Path, path: Path) -> None:
    """Copies a file's bytes into a device or a FIFO. A FIFO without a reader is an error: nobody would ever read them."""
    handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    os.set_blocking(handle, True)
    with open(handle, "wb") as sink, source.open("rb") as content:
        shutil.copyfileobj(content, sink)


def _status(option: str, path: Path) -> os.stat_result | None:
    """The status of what a path leads to, None where there is nothing. Raises `UserError` for a path that cannot be one."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise UserError(
                f"{option} {_cut(path)}: is a link to {_cut(os.readlink(path))}, which does not exist; "
                "give a path without the link, or remove it"
            ) from None
        return None
    except (OSError, ValueError) as error:  # too long, a loop of links, a folder that cannot be entered; a NUL
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError(f"{option} {_cut(path)}: is no possible path ({reason}); for example build/result") from None


def _takes_bytes(status: os.stat_result) -> bool:
    """Whether bytes can be written into something that is no regular file."""
    return stat.S_ISCHR(status.st_mode) or stat.S_ISFIFO(status.st_mode)


def _target(path: Path) -> Path:
    """The path behind any links, absolute: renaming over a link would replace the link."""
    return Path(os.path.realpath(path))


def _own(path: Path) -> str:
    """A path of the same name in a folder that can be written: below the working directory, else among the temporary files."""
    build, temporary = Path("build"), Path(tempfile.gettempdir())
    nearest = build if build.exists() else Path()
    writable = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    return _cut((build if writable else temporary) / path.name)


def _check_parent(option: str, path: Path) -> None:
    parent = path.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir():
        raise UserError(f"{option} {_cut(path)}: {parent} is a file; must be a directory, for example {parent}.d")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise UserError(
            f"{option} {_cut(path)}: {parent} is not writable; give a path of your own, for example {_own(path)}"
        )


@contextmanager
def _reported(option: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno == errno.ENXIO:
            reason = "no process reads from it"
        raise UserError(
            f"{option} {_cut(path)}: cannot be written ({reason}); give a path that can be, for example "
            f"build/{path.name if len(path.name) < _SHOWN_CHARACTERS else 'result'}"
        ) from None


def _cut(path: Path | str) -> str:
    """A path as a message shows it, its middle left out where it is long."""
    text = str(path)
    half = _SHOWN_CHARACTERS // 2
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:half]}…{text[-half:]}"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
