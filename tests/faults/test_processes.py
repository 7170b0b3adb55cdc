"""Child processes: they end with their parent, whatever ends it; temporary folders of killed processes are swept."""

import ast
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from softstream.hw import processes
from softstream.hw.processes import TemporaryFolder, end, run, start, temporary_folder

# A shell with two sleeps below it, as a tool with its own children. Each writes its number, so that the test knows it.
TREE = "sleep 300 & echo $! > child; sh -c 'sleep 300 & echo $! > grandchild; wait' & echo $$ > tool; wait"
NAMES = ("tool", "child", "grandchild")
PARENT = f"""
import signal, sys, time
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
from softstream.hw.processes import start
start(["sh", "-c", {TREE!r}], Path(sys.argv[1]), 1)
time.sleep(300)
"""


def numbers(folder):
    """Process numbers of the tree, once all of them run."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(OSError, ValueError):
            return [int((folder / name).read_text()) for name in NAMES]
        time.sleep(0.01)
    raise AssertionError("the tree did not start")


def alive(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(numbers, seconds=20):
    deadline = time.monotonic() + seconds
    while any(map(alive, numbers)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda n: n.name)
def test_a_tool_and_its_children_end_with_the_parent(number, tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stderr=subprocess.DEVNULL)
    try:
        tree = numbers(tmp_path)
        assert all(map(alive, tree))
        parent.send_signal(number)
        parent.wait(20)
        assert gone(tree)
    finally:
        parent.kill()
        parent.wait()


def test_end_kills_the_children_of_a_tool(tmp_path):
    process = start(["sh", "-c", TREE], tmp_path, subprocess.DEVNULL)
    tree = numbers(tmp_path)
    end(process)
    assert gone(tree)
    end(process)  # a second time has no effect


def test_a_tool_that_runs_too_long_is_ended(tmp_path):
    assert run(["sh", "-c", TREE], tmp_path, tmp_path / "log", 3.0) is None
    assert gone(numbers(tmp_path))


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -SEGV $$", -11), ("kill -KILL $$", -9)]
)
def test_the_exit_code_is_that_of_the_tool(script, code, tmp_path):
    assert run(["sh", "-c", f"echo out; echo err >&2; {script}"], tmp_path, tmp_path / "log", 60) == code
    assert (tmp_path / "log").read_text().split("\n")[:2] == ["out", "err"]


def test_a_command_that_is_none_has_exit_code_127_and_a_line(tmp_path):
    assert run([str(tmp_path / "none")], tmp_path, tmp_path / "log", 60) == 127
    assert (tmp_path / "log").read_text() == f"{tmp_path / 'none'}: No such file or directory\n"


def test_the_environment_and_the_folder_are_those_asked_for(tmp_path):
    run(["/bin/sh", "-c", "echo $ONLY-$HOME; pwd"], tmp_path, tmp_path / "log", 60, {"ONLY": "this"})
    assert (tmp_path / "log").read_text() == f"this-\n{tmp_path}\n"


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    processes._sweep.cache_clear()
    yield tmp_path
    processes._sweep.cache_clear()


def test_a_temporary_folder_is_gone_at_the_end_and_after_an_error(temporary):
    with suppress(KeyboardInterrupt), temporary_folder() as folder:
        (folder / "file").touch()
        raise KeyboardInterrupt
    assert list(temporary.iterdir()) == []


def test_folders_of_killed_processes_are_swept_and_no_others(temporary):
    script = (
        "import os, sys, tempfile; tempfile.tempdir = sys.argv[1]; from softstream.hw.processes import TemporaryFolder;"
        "folder = TemporaryFolder(); (folder.path / 'file').touch(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(temporary)], check=False)
    [killed] = temporary.iterdir()
    at_work, of_user = TemporaryFolder(), TemporaryFolder()  # the first one of this process sweeps
    assert not killed.exists()
    of_user.keep()
    foreign = temporary / "softstream-of-somebody"
    foreign.mkdir()
    processes._sweep.cache_clear()
    TemporaryFolder().remove()
    assert set(temporary.iterdir()) == {at_work.path, of_user.path, foreign}
    at_work.remove()
    assert not at_work.path.exists()


OTHERS = {
    "boards/flow/doctor.py",  # versions of tools, with a time limit
    "boards/flow/flash.py",  # in the foreground: the user watches the programmer and ends it
    "scripts/measure/model_speed.py",  # fractions of a second
    "scripts/verbs/bench.py",  # softstream itself, which ends its own tools
    "scripts/verbs/explore.py",  # workers of a pool, which end at SIGTERM and with their parent
    "sim/simulators/toolbox.py",  # versions of tools
}


def calls(path):
    """Names of the functions of modules that a file calls, such as `subprocess.run`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def test_no_other_place_starts_tools():
    """Tools, simulators and solvers run under one mechanism, so all of them end with their parent."""
    root = Path(__file__).resolve().parents[2]
    starts = {"subprocess.Popen", "subprocess.run", "subprocess.check_output", "os.killpg", "os.fork", "os.posix_spawn"}
    files = {path for room in ("hw", "sim", "boards", "scripts") for path in (root / room).rglob("*.py")}
    users = {path.relative_to(root).as_posix() for path in files if calls(path) & starts}
    assert users <= OTHERS | {"hw/processes.py"}
