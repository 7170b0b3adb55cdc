"""Child processes that end with their parent, and temporary folders that do not outlive it.

    process = start(["yosys", …], folder, log)     …     end(process)
    with temporary_folder() as folder: …

Every tool runs under a small watcher, which leads a session of its own. The watcher ends itself and everything that the tool
started when `end` is called, and also when the parent is gone, by SIGKILL too (PR_SET_PDEATHSIG). Linux means the thread that
started the process, so a thread must wait for what it has started.
"""

import contextlib
import fcntl
import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from softstream.hw.errors import ToolFailure

__all__ = ["TemporaryFolder", "end", "run", "start", "temporary_folder", "tool_folder"]

# The watcher is a separate interpreter and no preexec_fn, because that may deadlock in a program with threads.
_WATCHER = """
import ctypes, os, signal, sys

def end(*_):
    os.killpg(0, signal.SIGKILL)

parent, *command = sys.argv[1:]
signal.signal(signal.SIGTERM, end)
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() != int(parent):
    end()
child = os.fork()
if not child:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\\n")
        os._exit(127)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
if code < 0:
    if -code != signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""

_PREFIX, _MARK = "softstream-", ".temporary"


def start(
    command: Sequence[str], folder: Path, output: IO[Any] | int, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts a command in a folder, without input and with stdout and stderr in `output`.

    The exit code is that of the command, or minus the number of the signal that ended it; 127 if it cannot be executed.
    """
    return subprocess.Popen(
        # -I -S: neither the current folder nor site-packages delay the watcher or shadow its modules.
        [sys.executable, "-I", "-S", "-c", _WATCHER, str(os.getpid()), *map(str, command)],
        cwd=folder,
        env=None if environment is None else dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def run(
    command: Sequence[str], folder: Path, log: Path, seconds: float, environment: Mapping[str, str] | None = None
) -> int | None:
    """Runs a command to its end and returns its exit code; None where it ran longer than `seconds`. `log` gets its output."""
    with log.open("wb") as output:
        process = start(command, folder, output, environment)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kills a process of `start` and everything that it has started; returns when it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class TemporaryFolder:
    """A folder that is locked by this process until it is removed or kept.

    A later process sweeps away the folders of processes that were killed: those that nobody locks and that were not kept.
    """

    def __init__(self) -> None:
        _sweep()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock: int | None = os.open(self.path, os.O_RDONLY)
        # The lock comes before the mark, or another process could sweep the folder away in between.
        with contextlib.suppress(OSError):  # a file system without locks: nothing is swept there
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            (self.path / _MARK).touch()

    def keep(self) -> None:
        """Leaves the folder to the user, who may need its logs."""
        with contextlib.suppress(OSError):
            (self.path / _MARK).unlink(missing_ok=True)
        self._release()

    def remove(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that is gone when the block ends."""
    folder = TemporaryFolder()
    try:
        yield folder.path
    finally:
        folder.remove()


@contextlib.contextmanager
def tool_folder(files: Mapping[str, str]) -> Iterator[Path]:
    """A folder with some files, name → text, that is gone when the block ends; it stays where a tool fails: its log says why."""
    folder = TemporaryFolder()
    try:
        for name, content in files.items():
            (folder.path / name).write_text(content, encoding="utf-8")
        yield folder.path
    except ToolFailure:
        folder.keep()
        raise
    except BaseException:
        folder.remove()
        raise
    folder.remove()


@functools.cache
def _sweep() -> None:
    """Removes the folders of killed processes; once per process."""
    for mark in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_MARK}"):
        try:
            handle = os.open(mark.parent, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            if os.fstat(handle).st_uid == os.geteuid():
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(mark.parent, ignore_errors=True)
        except OSError:  # a process is at work there
            pass
        finally:
            os.close(handle)
