"""Files are there whole or not at all, and what was there before survives a failure."""

import os

import pytest

from softstream.hw.errors import UserError
from softstream.scripts.output import check_directory, check_file, write_directory, written_file


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


def test_a_directory_keeps_its_other_files(tmp_path):
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


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_a_directory_is_as_before_when_a_file_cannot_be_replaced(tmp_path, monkeypatch, failing):
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
    assert {path.name: path.read_text() for path in target.iterdir()} == {"a": "1", "b": "2"}
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
