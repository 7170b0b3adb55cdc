"""Faults at every file operation of a verb's output: the process is killed there, or the disk is full.

The verb runs once, up to its first file operation in a folder. From there a copy of the process (fork) goes on for each fault,
so a fault costs the writing and not the work before it. At the end the verb goes on without a fault, as the next run does.
"""

import errno
import os
import pickle
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["OPERATIONS", "Faults", "Outcome", "faults_of", "is_temporary", "visible"]

OPERATIONS = {
    "open",
    "os.scandir",
    "os.rename",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rmdir",
    "os.chmod",
    "os.utime",
    "ctypes.dlsym",
}
"""Audit events of operations; the last is the exchange of two folders, which Python cannot call without ctypes."""
_GROWING = {"open", "os.rename", "os.link", "os.mkdir", "ctypes.dlsym", "fsync"}
"""Operations that a full disk refuses."""
_SECONDS = 120
_REACHED = 64
"""Added to the exit code of a process whose fault happened."""


@dataclass(frozen=True)
class Outcome:
    """What a fault left behind."""

    fault: str
    """`kill 3 os.rename`, `full 2 fsync`, `short 100`."""
    code: int | None
    """The exit code; None for a killed process."""
    err: str
    """Its standard error."""
    files: dict[str, bytes]
    """The files of the folder but the temporary ones."""
    temporaries: list[str]
    """The temporary ones that came with this fault."""


@dataclass
class Faults:
    """All outcomes, and what the last run made."""

    before: dict[str, bytes]
    outcomes: list[Outcome] = field(default_factory=list)
    after: dict[str, bytes] = field(default_factory=dict)
    """The files after the last run, temporary ones included."""
    code: int = -1
    """The exit code of the last run."""


def is_temporary(name: str) -> bool:
    """Whether a file belongs to a write that is not complete."""
    return any(part.startswith(".") and part.endswith(".part") for part in Path(name).parts)


def visible(files: dict[str, bytes]) -> dict[str, bytes]:
    """Files but the temporary ones."""
    return {name: content for name, content in files.items() if not is_temporary(name)}


def faults_of(work: Callable[[], int], folder: Path, limits: tuple[int, ...] = (0, 1, 1000)) -> Faults:
    """Runs `work`, which returns its exit code, with a fault at each of its operations in `folder`.

    `limits`: bytes after which a write fails, as on a disk with so much room.
    """
    record = folder.parent / "faults.pickle"
    server = os.fork()
    if not server:
        try:
            _Server(folder, limits, record).run(work)
        finally:
            os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(server, 0)[1]) == 0
    faults: Faults = pickle.loads(record.read_bytes())
    return faults


class _Server:
    """The process that forks one with each fault."""

    def __init__(self, folder: Path, limits: tuple[int, ...], record: Path) -> None:
        self.folder, self.limits, self.record = folder, limits, record
        self.faults = Faults(_files(folder))
        self.kind = ""
        """The fault of this process: kill, full, short; none in the server."""
        self.number = self.count = 0
        self.started = self.busy = False

    def run(self, work: Callable[[], int]) -> None:
        """Runs the work in the server, and in every process that it forks."""
        fsync = os.fsync

        def observed_fsync(descriptor: int) -> None:
            self.point("fsync", os.readlink(f"/proc/self/fd/{descriptor}"))
            fsync(descriptor)

        os.fsync = observed_fsync  # it has no audit event
        sys.addaudithook(self.audit)
        code = 99
        try:
            code = work()
        finally:
            sys.stderr.flush()
            if self.kind:
                os._exit(code + (_REACHED if self.kind == "short" or self.count >= self.number else 0))
        self.busy = True
        self.faults.code, self.faults.after = code, _files(self.folder)
        self.record.write_bytes(pickle.dumps(self.faults))
        os._exit(0)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in OPERATIONS and not self.busy:
            if event == "ctypes.dlsym":
                self.point(event, str(self.folder) if self.started else "")
                return
            growing = event != "open" or (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR))
            for argument in arguments:
                if isinstance(argument, (str, bytes)) and argument:
                    path = os.path.abspath(os.fsdecode(argument))
                    if Path(path).is_relative_to(self.folder):
                        self.point(event if growing else "read", path)
                        return

    def point(self, operation: str, path: str) -> None:
        """An operation is about to happen."""
        if self.busy or not path.startswith(str(self.folder)):
            return
        if not self.started:
            self.started = self.busy = True
            self.serve()
            self.busy = False
        if self.kind == "kill":
            self.count += 1
            if self.count == self.number:
                os.kill(os.getpid(), signal.SIGKILL)
        if self.kind == "full" and operation in _GROWING:
            self.count += 1
            if self.count == self.number:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def serve(self) -> None:
        """Forks a process for each fault, until one of them comes to its end without it. Returns in each of them, too."""
        for kind in ("kill", "full"):
            number, reached = 0, True
            while reached:
                number += 1
                reached = self.attempt(kind, number)
                if self.kind:
                    return
        for size in self.limits:
            self.attempt("short", size)
            if self.kind:
                return
        self.restore()

    def attempt(self, kind: str, number: int) -> bool:
        """Whether the fault happened."""
        self.restore()
        old = set(_files(self.folder))
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            self.kind, self.number = kind, number
            sys.stderr = os.fdopen(writing, "w")
            signal.alarm(_SECONDS)
            if kind == "short":
                resource.setrlimit(resource.RLIMIT_FSIZE, (number, resource.RLIM_INFINITY))
            return True
        os.close(writing)
        with os.fdopen(reading, errors="replace") as pipe:
            err = pipe.read()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if 0 <= code < _REACHED:
            return False
        files = _files(self.folder)
        temporaries = [name for name in files if is_temporary(name) and name not in old]
        self.faults.outcomes.append(
            Outcome(f"{kind} {number}", None if code < 0 else code - _REACHED, err, visible(files), temporaries)
        )
        return True

    def restore(self) -> None:
        """Gives the folder the files that it had at first; temporary ones stay for the next run."""
        for path in sorted(self.folder.rglob("*"), reverse=True):
            if is_temporary(str(path.relative_to(self.folder))):
                continue
            if not path.is_dir() or path.is_symlink():
                path.unlink()
            elif not any(path.iterdir()):  # temporary files may be in it
                path.rmdir()
        for name, content in self.faults.before.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(content)


def _files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, and every empty temporary folder, by its path."""
    return dict(_listed(folder, folder))


def _listed(folder: Path, root: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.iterdir()):
        if not path.is_dir():
            yield str(path.relative_to(root)), path.read_bytes()
        else:
            if is_temporary(path.name):
                yield str(path.relative_to(root)), b""
            yield from _listed(path, root)
