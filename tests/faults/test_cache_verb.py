"""`softstream cache`, a home that cannot be written, and the limit: what was not used for the longest time goes first."""

import json
import os
import subprocess
import sys
import time

import pytest

from softstream.hw import cache
from softstream.hw.errors import UserError
from softstream.scripts.cli import main
from softstream.scripts.verbs.cache import parse_size

DAY = 24 * 3600


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "user_root", lambda: tmp_path / "cache")
    cache._writable.cache_clear()
    yield tmp_path / "cache"
    cache._writable.cache_clear()


def called(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["cache", *arguments])
    return ended.value.code, *capsys.readouterr()


def filled(root):
    """Four entries of two kinds, used 4, 3, 2 and 1 days ago, and what running processes own."""
    for age, (kind, name) in enumerate([("explore", "a"), ("boards", "b"), ("explore", "c"), ("boards", "d")]):
        path = root / kind / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "boards":
            path.mkdir()
            (path / "top.bin").write_bytes(bytes(1000))
        else:
            path.write_bytes(bytes(1000))
        os.utime(path, (time.time() - (4 - age) * DAY,) * 2)
    (root / "boards" / ".e.1-aa.part").mkdir()
    (root / "boards" / "compiling-x").mkdir()


def names(root):
    return {path.name for path in root.glob("*/*") if not path.name.startswith((".", "compiling-"))}


def test_it_shows_place_and_size_and_clears(root, capsys):
    filled(root)
    code, out, _ = called(capsys, "--json")
    document = json.loads(out)
    assert (code, document["place"], document["size"]) == (0, str(root), 4000)
    assert document["kinds"] == {"boards": {"entries": 2, "size": 2000}, "explore": {"entries": 2, "size": 2000}}
    code, out, _ = called(capsys, "--clear", "--json")
    assert (code, json.loads(out)["removed"], json.loads(out)["size"]) == (0, 4000, 0)
    assert names(root) == set()
    assert (root / "boards" / ".e.1-aa.part").is_dir()  # a running process writes it
    assert (root / "boards" / "compiling-x").is_dir()


def test_the_limit_removes_what_was_not_used_for_the_longest_time(root, capsys):
    filled(root)
    code, out, _ = called(capsys, "--limit", "2.5kB", "--json")
    assert (code, json.loads(out)["limit"], json.loads(out)["removed"]) == (0, 2500, 2000)
    assert names(root) == {"c", "d"}
    assert cache.limit() == 2500
    cache.set_limit(0)
    (root / "boards" / "new").mkdir()
    cache.trim()
    assert names(root) == {"new"}  # used within the hour: a process may be about to use it


def test_a_later_process_keeps_the_limit_when_it_stores(root):
    filled(root)
    cache.set_limit(2500)
    cache._trim_once.cache_clear()
    cache.store_value(root / "explore" / "e", 1)
    assert names(root) == {"c", "d", "e"}


def test_reading_is_use(root):
    for name in ("a", "b"):
        cache.store_value(root / "explore" / name, name)
        os.utime(root / "explore" / name, (time.time() - DAY,) * 2)
    cache.load_value(root / "explore" / "a")
    cache.set_limit(100)
    cache.trim()
    assert names(root) == {"a"}


@pytest.mark.parametrize("text", ["", "much", "-1", "1e9", "1XB", "9" * 5000, "1 2", "٣"])
def test_a_limit_that_is_none_is_one_line(text):
    with pytest.raises(UserError, match=r"must be a number of bytes, with or without a unit; for example --limit 2GB"):
        parse_size(text)


def test_sizes_have_decimal_and_binary_units():
    assert [parse_size(text) for text in ("0", "12", "2GB", "1.5 MiB", "3kb")] == [0, 12, 2 * 10**9, 1_572_864, 3000]


HOMES = {"null": "/dev/null", "file": "{tmp}/file", "below a file": "{tmp}/file/home", "no such": "/proc/none/home"}


@pytest.mark.parametrize("home", HOMES.values(), ids=HOMES.keys())
def test_a_home_that_cannot_be_written_has_a_temporary_cache_and_one_line(home, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "tmp").mkdir()
    script = (
        "from softstream.hw import cache; p = cache.root() / 'explore' / 'a'; cache.store_value(p, 1); cache.root();"
        "print(cache.load_value(p))"
    )
    environment = {name: text for name, text in os.environ.items() if name != "XDG_CACHE_HOME"}
    environment |= {"HOME": home.format(tmp=tmp_path), "TMPDIR": str(tmp_path / "tmp")}
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout == "1\n"
        [line] = done.stderr.splitlines()
        place = tmp_path / "tmp" / f"softstream-cache-{os.geteuid()}"
        assert line.startswith("cache ")
        assert f"; {place} is used instead; XDG_CACHE_HOME sets another place" in line
    assert (place / "softstream" / "explore" / "a").exists()
    assert place.stat().st_mode & 0o777 == 0o700


def test_a_temporary_cache_of_somebody_else_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"softstream-cache-{os.geteuid()}").symlink_to(tmp_path / "elsewhere")
    place = cache._temporary_root()
    assert place.name != f"softstream-cache-{os.geteuid()}"
    assert place.stat().st_mode & 0o777 == 0o700


@pytest.mark.long
@pytest.mark.parametrize("home", ["/dev/null", "/proc/none"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["generate", "argmax-int8", "-o", "head"],
        ["explore", "digits-argmax", "--sweep", "max_length=2", "--no-place"],
        ["build", "--board", "icestick", "digits-argmax", "--plan-only", "-o", "plan"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_verbs_work_without_a_home(arguments, home, tmp_path):
    environment = {name: text for name, text in os.environ.items() if name != "XDG_CACHE_HOME"}
    environment |= {"HOME": home, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "softstream", *arguments, "--quiet"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) <= 1
