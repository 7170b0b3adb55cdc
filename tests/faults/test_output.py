"""Output files are complete or absent, and earlier ones survive a failure."""

import errno
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from support.kills import OPERATIONS

from softstream.hw import output
from softstream.hw.errors import UserError
from softstream.hw.output import check_directory, check_file, write_directory, written_file


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_a_file_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "new" / "result.txt"
    with written_file("-o", target) as temporary:
        temporary.write_text("done")
        assert not target.exists()
    assert target.read_text() == "done"
    assert names(target.parent) == ["result.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "result.txt"
    target.write_text("old")

    def interrupted_work():
        with written_file("-o", target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_work()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["result.txt"]


def test_files_get_the_usual_permissions(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    with written_file("-o", tmp_path / "made"):
        pass
    write_directory("-o", tmp_path / "directory", {"file": ""})
    assert (tmp_path / "made").stat().st_mode == plain.stat().st_mode
    assert (tmp_path / "directory" / "file").stat().st_mode == plain.stat().st_mode
    usual = tmp_path / "usual"
    usual.mkdir()
    assert (tmp_path / "directory").stat().st_mode == usual.stat().st_mode


def test_a_directory_keeps_its_other_files(tmp_path, manner):
    target = tmp_path / "out"
    write_directory("-o", target, {"a": "1", "b": "2"})
    (target / "own.txt").write_text("mine")
    write_directory("-o", target, {"a": "3", "c": "4"})
    assert {path.name: path.read_text() for path in target.iterdir()} == {
        "a": "3",
        "b": "2",
        "c": "4",
        "own.txt": "mine",
    }
    assert names(tmp_path) == ["out"]


@pytest.fixture(params=["one by one", "swapped"])
def manner(request, monkeypatch):
    """Both ways in which a directory is written: as one, and file by file where a swap is not possible."""
    if request.param == "one by one":

        def unknown(one, other):
            raise OSError(errno.ENOSYS, "Function not implemented")

        monkeypatch.setattr(output, "_exchange", unknown)
    return request.param


@pytest.mark.parametrize("manner", ["one by one"], indirect=True)
@pytest.mark.parametrize("failing", [1, 2, 3])
def test_a_directory_is_as_before_when_a_file_cannot_be_replaced(tmp_path, monkeypatch, failing, manner):
    target = tmp_path / "out"
    write_directory("-o", target, {"a": "1", "b": "2"})
    replace, calls = os.replace, []

    def failing_replace(source, destination):
        calls.append(destination)
        if len(calls) == failing:
            raise OSError(28, "No space left on device")
        replace(source, destination)

    monkeypatch.setattr(os, "replace", failing_replace)
    with pytest.raises(UserError, match=r"-o .*out: cannot be written \(No space left on device\)"):
        write_directory("-o", target, {"a": "3", "new": "4", "b": "5"})
    assert {path.name: path.read_text() for path in target.iterdir() if path.is_file()} == {"a": "1", "b": "2"}
    assert names(tmp_path) == ["out"]


def test_stale_files_go_with_the_change_or_stay_with_a_failure(tmp_path, monkeypatch, manner):
    target = tmp_path / "out"
    write_directory("-o", target, {"a": "1", "stale": "1", "own": "1"})
    sync = output.sync

    def full(path):
        if path == target:  # behind all replacements
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(path)

    if manner == "one by one":
        monkeypatch.setattr(output, "sync", full)
        with pytest.raises(UserError, match="No space left on device"):
            write_directory("-o", target, {"a": "2"}, stale=("stale", "never there"))
        monkeypatch.setattr(output, "sync", sync)
        assert content(target) == {"a": "1", "stale": "1", "own": "1"}
    write_directory("-o", target, {"a": "2"}, stale=("stale", "never there"))
    assert content(target) == {"a": "2", "own": "1"}
    assert names(tmp_path) == ["out"]


def test_a_new_directory_does_not_appear_half_written(tmp_path, monkeypatch):
    def failing_rename(source, destination):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", failing_rename)
    with pytest.raises(UserError, match="No space left on device"):
        write_directory("-o", tmp_path / "out", {"a": "1"})
    assert names(tmp_path) == []


def test_a_directory_in_the_place_of_a_file(tmp_path):
    (tmp_path / "out" / "a").mkdir(parents=True)
    with pytest.raises(UserError, match="a directory is in the place of a file"):
        write_directory("-o", tmp_path / "out", {"a": "1"})
    assert names(tmp_path / "out") == ["a"]


def test_refused_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"^-o .*: is a directory; must be a file, for example "):
        check_file("-o", tmp_path)
    with pytest.raises(UserError, match=r"^-o .*file: is a file; must be a directory, for example .*file\.d$"):
        check_directory("-o", tmp_path / "file")
    for check in (check_file, check_directory):
        with pytest.raises(UserError, match=r"file is a file; must be a directory"):
            check("-o", tmp_path / "file" / "below")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_unwritable_directories_are_refused_before_the_work(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    for check in (check_file, check_directory):
        with pytest.raises(UserError, match=r"closed is not writable; give a path of your own"):
            check("-o", closed / "new")
    with pytest.raises(UserError, match="not writable"):
        check_directory("-o", closed)


@pytest.mark.parametrize("check", [check_file, check_directory])
def test_the_path_that_a_refusal_names_can_be_written(tmp_path, monkeypatch, check):
    """Also where the working directory cannot be."""
    closed, here = tmp_path / "closed", tmp_path / "here"
    closed.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    refusals = {closed}
    monkeypatch.setattr(output.os, "access", lambda path, mode: Path(path).absolute() not in refusals)

    def named():
        with pytest.raises(UserError, match="; give a path of your own, for example ") as refused:
            check("-o", closed / "new")
        return str(refused.value).rpartition("for example ")[2]

    assert named() == "build/new"
    (here / "build").mkdir()
    refusals.add(here)
    assert named() == "build/new"  # a folder of one's own below
    refusals.add(here / "build")
    assert named() == os.path.join(tempfile.gettempdir(), "new")


# Kills ---------------------------------------------------------------------------------------------------------------


def killed_at(number, work):
    """Runs `work` in a child that ends at its `number`-th file operation as if it was killed there; whether it was."""
    child = os.fork()
    if not child:
        left = number

        def count(event, arguments):
            nonlocal left
            if event in OPERATIONS:
                left -= 1
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        try:
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def content(directory):
    return {path.name: path.read_text() for path in directory.iterdir()}


def test_a_directory_is_old_or_new_whenever_the_process_is_killed(tmp_path):
    target = tmp_path / "out"
    old, new = {"a": "1", "b": "2", "own.txt": "mine"}, {"a": "3", "b": "4", "c": "5", "own.txt": "mine"}
    number, seen = 0, []
    killed = True
    while killed:
        number += 1
        write_directory("-o", target, old)
        (target / "c").unlink(missing_ok=True)
        killed = killed_at(number, lambda: write_directory("-o", target, {"a": "3", "b": "4", "c": "5"}))
        assert content(target) in (old, new), number
        seen.append(content(target) == new)
    assert number > 10
    assert seen == sorted(seen), "the new one came and went"
    assert seen[-1]
    write_directory("-o", target, old)
    assert names(tmp_path) == ["out"], "what killed processes left is removed by the next one"


NEW = {"a": "3", "c": "5"}


def half_done(target):
    """A directory of files, and what a write file by file makes of it."""
    write_directory("-o", target, {"a": "1", "b": "2", "own.txt": "mine"}, stale=["c"])
    return lambda: write_directory("-o", target, NEW, stale=["b"])


@pytest.mark.parametrize("manner", ["one by one"], indirect=True)
def test_a_directory_that_is_written_file_by_file_is_old_or_new_at_the_next_write(tmp_path, manner, caplog):
    target = tmp_path / "out"
    old, new = {"a": "1", "b": "2", "own.txt": "mine"}, NEW | {"own.txt": "mine"}
    number, seen, undone = 0, [], 0
    killed = True
    while killed:
        number += 1
        killed = killed_at(number, half_done(target))
        caplog.clear()
        output._undo_interrupted(target)
        undone += len(caplog.messages)
        assert content(target) in (old, new), number
        seen.append(content(target) == new)
    assert number > 30
    assert undone > 5
    assert seen == sorted(seen), "the new one came and went"
    assert seen[-1]
    half_done(target)
    assert content(target) == old
    assert names(tmp_path) == ["out"], "what killed processes left is removed by the next one"


@pytest.mark.parametrize("manner", ["one by one"], indirect=True)
def test_an_undo_that_is_killed_is_done_again(tmp_path, manner, monkeypatch):
    target = tmp_path / "out"
    killed, number = True, 0
    while killed:
        number += 1
        work = half_done(target)
        with monkeypatch.context() as patch:
            patch.setattr(
                output, "sync", lambda path: path == target and (target / "c").exists() and os.kill(os.getpid(), 9)
            )
            assert killed_at(10**6, work), "at the end of the change"
        assert {name: (target / name).read_text() for name in NEW} == NEW
        killed = killed_at(number, lambda: output._undo_interrupted(target))
        output._undo_interrupted(target)
        assert content(target) == {"a": "1", "b": "2", "own.txt": "mine"}, number
    assert number > 10


@pytest.mark.parametrize("manner", ["one by one"], indirect=True)
def test_an_undo_that_fails_is_done_at_the_next_write(tmp_path, manner, monkeypatch):
    target = tmp_path / "out"
    work = half_done(target)
    replace, calls = os.replace, []

    def failing(source, destination):
        calls.append(destination)
        if len(calls) > 1:
            raise OSError(errno.EIO, "Input/output error")
        replace(source, destination)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", failing)
        with pytest.raises(UserError, match="Input/output error"):
            work()
    output._undo_interrupted(target)
    assert content(target) == {"a": "1", "b": "2", "own.txt": "mine"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
@pytest.mark.parametrize("kind", [("-t", "tmpfs", "none"), ("--bind",)])
def test_a_mount_point_is_written(kind, tmp_path):
    """A container has its output folder in this form; a mount of the same disk looks like any folder."""
    target = tmp_path / "out"
    target.mkdir()
    (tmp_path / "disk").mkdir()
    source = [tmp_path / "disk"] if kind == ("--bind",) else []
    if subprocess.run(["mount", *kind, *source, target], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody mount")
    try:
        half_done(target)()
        assert content(target) == NEW | {"own.txt": "mine"}
        assert names(tmp_path) == ["disk", "out"]
    finally:
        subprocess.run(["umount", target], check=True)


def tree(directory):
    """Everything below a directory: content, mode and, of links, their target."""
    return {
        str(path.relative_to(directory)): (
            stat.S_IMODE(path.lstat().st_mode),
            os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else None,
        )
        for path in directory.rglob("*")
    }


def nested(target):
    """A directory with somebody's own files in folders, a link to nothing and a closed folder among them."""
    write_directory("-o", target, {"a": "1", "b": "2"}, stale=["c"])
    (target / "own" / "deep" / "empty").mkdir(parents=True, exist_ok=True)
    (target / "own" / "deep" / "file").write_text("mine")
    (target / "own" / "script").write_text("mine")
    (target / "own" / "script").chmod(0o700)
    (target / "own" / "deep").chmod(0o750)
    if not (target / "link").is_symlink():
        (target / "link").symlink_to("nothing")


def test_a_directory_with_folders_is_old_or_new_whenever_the_process_is_killed(tmp_path):
    target = tmp_path / "out"
    nested(target)
    old = tree(target)
    new = old | {"a": (old["a"][0], "3"), "c": (old["a"][0], "5")}
    del new["b"]

    def work():
        write_directory("-o", target, {"a": "3", "c": "5"}, stale=["b"])

    number, seen = 0, []
    killed = True
    while killed:
        number += 1
        nested(target)
        assert tree(target) == old
        killed = killed_at(number, work)
        assert tree(target) in (old, new), number
        seen.append(tree(target) == new)
    assert number > 20
    assert seen == sorted(seen), "the new one came and went"
    assert seen[-1]
    nested(target)
    assert names(tmp_path) == ["out"], "what killed processes left is removed by the next one"


def test_what_others_write_during_a_swap_of_folders_stays(tmp_path, monkeypatch):
    target = tmp_path / "out"
    nested(target)
    exchange = output._exchange

    def busy(one, other):
        (target / "own" / "deep" / "late").write_text("late")
        (target / "later").mkdir()
        (target / "later" / "file").write_text("late")
        (target / "fresh").write_text("fresh")
        os.replace(target / "fresh", target / "own" / "script")
        exchange(one, other)
        (target / "fresh").write_text("after the swap")
        os.replace(target / "fresh", target / "own" / "deep" / "file")

    monkeypatch.setattr(output, "_exchange", busy)
    write_directory("-o", target, {"a": "3"})
    files = {name: text for name, (_, text) in tree(target).items()}
    assert files["a"] == "3"
    assert files["own/deep/late"] == files["later/file"] == "late"
    assert files["own/script"] == "fresh"
    assert files["own/deep/file"] == "after the swap"
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("limit", ["MOST_LINKS", "DEEPEST"])
def test_large_folders_are_written_file_by_file(tmp_path, monkeypatch, limit):
    target = tmp_path / "out"
    nested(target)
    before, inode = tree(target), target.stat().st_ino
    monkeypatch.setattr(output, limit, 1)
    write_directory("-o", target, {"a": "3"})
    assert target.stat().st_ino == inode
    assert tree(target) == before | {"a": (before["a"][0], "3")}
    assert names(tmp_path) == ["out"]


def test_a_folder_in_the_place_of_a_file_stays(tmp_path):
    nested(tmp_path / "out")
    before = tree(tmp_path / "out")
    with pytest.raises(UserError, match="a directory is in the place of a file"):
        write_directory("-o", tmp_path / "out", {"a": "3", "own": "4"})
    assert tree(tmp_path / "out") == before


def test_a_file_is_old_or_new_whenever_the_process_is_killed(tmp_path):
    target = tmp_path / "file"

    def write(text):
        with written_file("-o", target) as temporary:
            temporary.write_text(text)

    number = 0
    killed = True
    while killed:
        number += 1
        write("old")
        killed = killed_at(number, lambda: write("new"))
        assert target.read_text() in ("old", "new")
    assert number > 4
    assert target.read_text() == "new"
    write("old")
    assert names(tmp_path) == ["file"]


def test_a_file_that_another_process_is_writing_is_not_swept(tmp_path):
    with written_file("-o", tmp_path / "one") as first:
        first.write_text("1")
        with written_file("-o", tmp_path / "two") as second:
            second.write_text("2")
    assert content(tmp_path) == {"one": "1", "two": "2"}


@pytest.mark.parametrize("failing", range(1, 7))
def test_a_full_disk_leaves_the_old_directory(tmp_path, monkeypatch, failing, manner):
    target = tmp_path / "out"
    write_directory("-o", target, {"a": "1", "b": "2"})
    sync, calls = output.sync, []

    def full(path):
        calls.append(path)
        if len(calls) == failing:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(path)

    monkeypatch.setattr(output, "sync", full)
    with suppress(UserError):  # a failing sync of the folder of a swap is no reason to undo it
        write_directory("-o", target, {"a": "3", "b": "4"})
    monkeypatch.undo()
    assert content(target) in ({"a": "1", "b": "2"}, {"a": "3", "b": "4"})
    assert names(tmp_path) == ["out"]


def test_two_processes_into_one_directory(tmp_path):
    code = (
        "import sys; from pathlib import Path; from softstream.hw.output import write_directory\n"
        "for n in range(30): write_directory('-o', Path(sys.argv[1]), {sys.argv[2]: str(n), sys.argv[2] + '2': str(n)})"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "out")]
    children = [subprocess.Popen([*command, name]) for name in "ab"]
    assert [child.wait(60) for child in children] == [0, 0]
    assert content(tmp_path / "out") == {"a": "29", "a2": "29", "b": "29", "b2": "29"}
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("maker", ["mkdtemp", "mkstemp"])
def test_a_temporary_that_a_sweep_removes_before_its_lock_is_made_anew(tmp_path, monkeypatch, maker):
    """Another process may sweep between the creation of a temporary and its lock."""
    create, created = getattr(output.tempfile, maker), []

    def swept_once(*arguments):
        temporary = create(*arguments)
        created.append(temporary)
        if len(created) == 1:
            output._sweep(tmp_path)
        return temporary

    monkeypatch.setattr(output.tempfile, maker, swept_once)
    if maker == "mkdtemp":
        write_directory("-o", tmp_path / "out", {"a": "1"})
        assert content(tmp_path / "out") == {"a": "1"}
    else:
        write(tmp_path / "out", "1")
        assert (tmp_path / "out").read_text() == "1"
    assert len(created) == 2
    assert names(tmp_path) == ["out"]


def test_the_directory_of_the_shell_is_not_swapped_away(tmp_path, monkeypatch):
    write_directory("-o", tmp_path / "out", {"a": "1"})
    monkeypatch.chdir(tmp_path / "out")
    write_directory("-o", tmp_path / "out", {"a": "2"})
    assert os.listdir() == ["a"]
    assert (tmp_path / "out").samefile(".")


def test_a_directory_keeps_its_mode(tmp_path, manner):
    write_directory("-o", tmp_path / "out", {"a": "1"})
    (tmp_path / "out").chmod(0o750)
    write_directory("-o", tmp_path / "out", {"a": "2"})
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o750


# Paths that are no regular files -------------------------------------------------------------------------------------


def write(path, text="text"):
    with written_file("-o", path) as temporary:
        temporary.write_text(text)


def test_a_link_stays_and_its_target_changes(tmp_path):
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to("target")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "text"
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder link").symlink_to("folder")
    write_directory("-o", tmp_path / "folder link", {"a": "1"})
    assert (tmp_path / "folder link").is_symlink()
    assert content(tmp_path / "folder") == {"a": "1"}


@pytest.mark.parametrize("check", [check_file, check_directory])
def test_paths_that_cannot_be_are_refused(tmp_path, check):
    (tmp_path / "link").symlink_to("nothing")
    with pytest.raises(UserError, match=r"^-o .*link: is a link to nothing, which does not exist; give a path without"):
        check("-o", tmp_path / "link")
    (tmp_path / "loop").symlink_to("loop")
    long = tmp_path / ("x" * 256)
    deep = tmp_path.joinpath(*["y" * 100] * 60)
    for path in (tmp_path / "loop", long, deep, tmp_path / "nul\0"):
        with pytest.raises(
            UserError, match=r"^-o .*: is no possible path \(.*\); for example build/result$"
        ) as refused:
            check("-o", path)
        assert len(str(refused.value)) < 700


def test_a_fifo_receives_the_content(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(UserError, match="no process reads from it"):
        write(fifo)
    received = []
    reader = threading.Thread(target=lambda: received.append(fifo.read_text()))
    reader.start()
    while not received:
        try:
            write(fifo, "through")
            break
        except UserError:  # the reader has not opened it yet
            pass
    reader.join(10)
    assert received == ["through"]
    assert stat.S_ISFIFO(fifo.stat().st_mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device nodes")
def test_a_device_receives_the_content_and_stays_a_device(tmp_path):
    null, full, disk = (tmp_path / name for name in ("null", "full", "disk"))
    try:
        os.mknod(null, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        os.mknod(full, 0o666 | stat.S_IFCHR, os.makedev(1, 7))
        os.mknod(disk, 0o600 | stat.S_IFBLK, os.makedev(7, 250))
        write(null)
    except (PermissionError, UserError) as error:
        pytest.skip(f"devices are not allowed here: {error}")
    with pytest.raises(UserError, match="No space left on device"):
        write(full)
    with pytest.raises(UserError, match="is no regular file"):
        write(disk)
    assert all(stat.S_ISCHR(path.stat().st_mode) for path in (null, full))
    with pytest.raises(UserError, match="is a file; must be a directory"):
        write_directory("-o", null, {"a": ""})
    assert names(tmp_path) == ["disk", "full", "null"]


def test_dev_null_and_dev_full_are_written_through():
    write(output.Path("/dev/null"))
    with pytest.raises(UserError, match="No space left on device"):
        write(output.Path("/dev/full"))
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
