"""The cache: entries whole or not at all, damage seen and removed, nothing raised for a disk that fails."""

import errno
import json
import os
import stat
import threading
import time

import pytest

from softstream.hw.cache import load_folder, load_value, replace_file, store_folder, store_value

CONTENTS = {"report.json": b"{}", "top.bin": bytes(range(256)), "log": b""}
VALUE = {"LC": 120, "path": ["a", "b"], "mhz": 99.25, "none": None}


def test_an_entry_comes_back_as_it_was_stored(tmp_path):
    assert load_folder(tmp_path / "a" / "entry") is None
    store_folder(tmp_path / "a" / "entry", CONTENTS)
    assert load_folder(tmp_path / "a" / "entry") == CONTENTS
    assert load_value(tmp_path / "b" / "entry.json") is None
    store_value(tmp_path / "b" / "entry.json", VALUE)
    assert load_value(tmp_path / "b" / "entry.json") == VALUE


@pytest.mark.parametrize("name", [*CONTENTS, "manifest.json"])
def test_every_damage_of_every_file_is_seen(name, tmp_path, caplog):
    for number, damage in enumerate(
        [
            lambda data: data + b" ",
            lambda data: data[:-1] if data else b"x",
            lambda data: b"" if data else b"\0",
            lambda data: bytes([data[0] ^ 1]) + data[1:] if data else b"\1",
            lambda data: bytes(100),
        ]
    ):
        entry = tmp_path / f"entry{number}"
        store_folder(entry, CONTENTS)
        path = entry / name
        data = damage(path.read_bytes())
        path.write_bytes(data)
        if name == "manifest.json" and data.endswith(b"} "):  # a space behind JSON means nothing
            assert load_folder(entry) == CONTENTS
            continue
        assert load_folder(entry) is None
        assert not entry.exists()
        assert caplog.messages[-1] == f"cache entry {entry} was damaged: removed, and made anew"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", "[1]", '{"value": 1}', '{"sha256": 3, "value": {"LC": 1}}', "[" * 100_000, "\x00\xff", "1" * 5000],
)  # fmt: skip
def test_a_value_of_another_form_is_removed(text, tmp_path, caplog):
    path = tmp_path / "entry.json"
    path.write_text(text)
    assert load_value(path) is None
    assert not path.exists()
    assert len(caplog.messages) == 1


def test_a_changed_value_and_that_of_another_entry_are_removed(tmp_path):
    path, other = tmp_path / "entry.json", tmp_path / "other.json"
    store_value(path, VALUE)
    path.write_text(path.read_text().replace("99.25", "999.0"))
    assert load_value(path) is None
    store_value(path, VALUE)
    path.rename(other)
    assert load_value(other) is None


def test_unreadable_entries_are_left_alone(tmp_path, monkeypatch):
    store_folder(tmp_path / "entry", CONTENTS)
    monkeypatch.setattr(
        type(tmp_path), "read_bytes", lambda path: (_ for _ in ()).throw(PermissionError(errno.EACCES, "no", str(path)))
    )
    assert load_folder(tmp_path / "entry") is None
    assert (tmp_path / "entry").is_dir()


@pytest.mark.parametrize("call", ["fsync", "rename", "replace", "mkdir"])
def test_a_disk_that_fails_leaves_no_entry_and_raises_nothing(call, tmp_path, monkeypatch):
    def failing(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing)
        store_folder(tmp_path / "a", CONTENTS)
        store_value(tmp_path / "b.json", VALUE)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert load_folder(tmp_path / "a") in (None, CONTENTS)
    assert load_value(tmp_path / "b.json") in (None, VALUE)


def test_everything_is_synced_before_it_gets_its_name(tmp_path, monkeypatch):
    synced, fsync, rename = [], os.fsync, os.rename

    def recorded(descriptor):
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    def renamed(source, target):
        names = {os.path.basename(path) for path in synced}
        assert {*CONTENTS, "manifest.json", os.path.basename(source)} <= names
        rename(source, target)

    monkeypatch.setattr(os, "fsync", recorded)
    monkeypatch.setattr(os, "rename", renamed)
    store_folder(tmp_path / "entry", CONTENTS)
    assert synced[-1] == str(tmp_path)


def test_entries_have_the_modes_of_the_umask(tmp_path):
    umask = os.umask(0o022)
    try:
        store_folder(tmp_path / "entry", CONTENTS)
        store_value(tmp_path / "value.json", VALUE)
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "entry").stat().st_mode) == 0o755
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "entry").iterdir()} == {0o644}
    assert stat.S_IMODE((tmp_path / "value.json").stat().st_mode) == 0o644


def test_leftovers_of_a_killed_process_are_removed_after_a_day(tmp_path):
    for name in (".old.1-aa.part", ".new.2-bb.part"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "top.bin").write_bytes(b"x")
    long_ago = time.time() - 2 * 24 * 3600
    os.utime(tmp_path / ".old.1-aa.part", (long_ago, long_ago))
    store_folder(tmp_path / "entry", CONTENTS)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".new.2-bb.part", "entry"]


def test_several_writers_of_one_entry_leave_one(tmp_path):
    threads = [threading.Thread(target=store_folder, args=(tmp_path / "entry", CONTENTS)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert load_folder(tmp_path / "entry") == CONTENTS
    assert [path.name for path in tmp_path.iterdir()] == ["entry"]


def test_a_file_is_replaced_whole_or_stays(tmp_path, monkeypatch):
    path = tmp_path / "build.json"
    replace_file(path, b"first")

    def failing(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, json.dumps(VALUE).encode())
    assert path.read_bytes() == b"first"
    assert [file.name for file in tmp_path.iterdir()] == ["build.json"]
