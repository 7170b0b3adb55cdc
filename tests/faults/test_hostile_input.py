"""Hostile text, score files and output paths: one line, the right exit code, and nothing written or replaced.

Every case is a command line. A fault that ends in a traceback raises out of `main`, so the test fails with it.
"""

import os
import resource
import stat
import time

import numpy as np
import pytest

from softstream.scripts.cli import main

SECONDS = 20
"""Processor time of a case at most; those of quadratic time took minutes."""
LONG = "9" * 5000


@pytest.fixture(autouse=True)
def bounded_memory():
    """A case that takes more than 3 GiB ends in a MemoryError, and not in a machine without memory."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as statm:
        now = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + (3 << 30), hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def called(capsys, *arguments):
    """Exit code and standard error of a command line."""
    begun = time.process_time()
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert time.process_time() - begun < SECONDS
    return ended.value.code, capsys.readouterr().err


def refused(capsys, *arguments):
    code, err = called(capsys, *arguments)
    assert (code, err.count("\n")) == (2, 1), err[:500]
    assert err.startswith("error: ")
    assert len(err) < 2500
    assert "\x1b" not in err
    return err


SETTINGS = {
    "no value": "score_width",
    "no key": "=8",
    "unknown key": "scorewidth=8",
    "empty value": "score_width=",
    "long integer": f"score_width={LONG}",
    "long negative integer": f"clip_minimum=-{LONG}",
    "long integer in a list": f"smoothing=[{LONG}]",
    "long float": f"score_scale=1{'0' * 401}",
    "long fraction": f"temperature=0.{LONG}x",
    "huge exponent": "score_scale=1e999999999",
    "not a number": "score_scale=nan",
    "infinite": "score_scale=inf",
    "subnormal": "temperature=1e-320",
    "nested lists": f"smoothing={'[' * 5000}{']' * 5000}",
    "open lists": "smoothing=" + "[" * 100_000,
    "ten megabytes": "mode=" + "x" * 10_000_000,
    "dots": "a" + ".a" * 50_000 + "=1",
    "terminal escape": "mode=\x1b[2J\x1b]0;title\x07",
    "newlines": "mode=soft\nmax\n\n",
    "NUL": "mode=\0",
    "surrogate": "mode=\udcff",
    "format string": "mode={0.__class__}%s%n",
    "shell": "mode=$(touch x);`touch x`",
    "code": "smoothing=__import__('os').system('touch x')",
    "boolean for an integer": "score_width=true",
    "float for an integer": "score_width=8.5",
    "date": "score_width=1979-05-27",
    "digits of another script": "score_width=٣٢",
    "table": "score_width={a=1}",
    "mode of a mode": "mode=softmax:argmax",
}


@pytest.mark.parametrize("text", SETTINGS.values(), ids=SETTINGS.keys())
def test_a_hostile_setting_is_one_line(text, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(capsys, "describe", "--set", text)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", SETTINGS.values(), ids=SETTINGS.keys())
def test_a_hostile_line_of_a_file_is_one_line(text, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "head.toml").write_text(text, encoding="utf-8", errors="surrogateescape")
    refused(capsys, "describe", "--config", "head.toml")
    assert [path.name for path in tmp_path.iterdir()] == ["head.toml"]


FILES = {
    "empty table": b"[numbers",
    "binary": bytes(range(256)) * 100,
    "UTF-16": "mode = 'softmax'".encode("utf-16"),
    "byte-order mark twice": b"\xef\xbb\xbf\xef\xbb\xbfmode = 'softmax'",
    "two values of a key": b"score_width = 8\nscore_width = 9\n",
    "nested tables": b"[" + b"a." * 2000 + b"a]\nx = 1\n",
    "nested inline tables": b"a = " + b"{b = " * 3000 + b"1" + b"}" * 3000,
    "many keys": b"".join(b"key%d = 1\n" % number for number in range(20_000)),
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES.keys())
def test_a_hostile_file_is_one_line(content, capsys, tmp_path):
    (tmp_path / "head.toml").write_bytes(content)
    refused(capsys, "describe", "--config", str(tmp_path / "head.toml"))


PATHS = ["", "none.toml", ".", "/dev/null/x", "x" * 256, "y/" * 3000 + "z", "nul\0byte", "/dev/zero", "/proc/self/mem"]


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
def test_a_hostile_path_of_a_configuration_is_one_line(path, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(capsys, "describe", "--config", path)


OPTIONS = {
    "a mode within the modes": ["compare", "--no-place", "--modes", "softmax:mode=argmax", "-o", "c.html"],
    "an empty sweep": ["explore", "--no-cells", "--sweep", ""],
    "a long sweep": ["explore", "--no-cells", "--sweep", f"guard_bits=1..{LONG}"],
    "a wide sweep": ["explore", "--no-cells", "--sweep", "guard_bits=0..1000000000"],
    "many values": ["explore", "--no-cells", "--sweep", "guard_bits=" + ",".join(map(str, range(50_000)))],
    "a board of escapes": ["build", "--board", "\x1b[2J", "--plan-only", "-o", "b"],
    "a long clock": ["build", "--board", "icestick", "--clock", LONG, "--plan-only", "-o", "b"],
    "a clock that is no number": ["build", "--board", "icestick", "--clock", "nan", "--plan-only", "-o", "b"],
    "no baud": ["build", "--board", "icestick", "--baud", "0", "--plan-only", "-o", "b"],
    "a long preset": ["describe", "--preset", "x" * 1_000_000],
    "a key that is none": ["keys", "\x1b]0;x\x07"],
    "a long seed": ["run-on-board", "--simulated", "--vectors", LONG],
    "a port of another kind": ["run-on-board", "--port", "socket://127.0.0.1:1"],
    "a limit of the cache": ["cache", "--limit", LONG],
}


@pytest.mark.parametrize("arguments", OPTIONS.values(), ids=OPTIONS.keys())
def test_a_hostile_option_is_one_line(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, err = called(capsys, *arguments)
    assert code in (2, 4), err[:500]
    assert err.count("\n") == 1, err[:500]
    assert "\x1b" not in err
    assert list(tmp_path.iterdir()) == []


TEMPLATES = {
    "preset": ["describe", "--preset", "{}"],
    "board": ["build", "--plan-only", "-o", "b", "--board", "{}"],
    "part": ["explore", "digits-argmax", "--no-place", "--part", "{}"],
    "clock": ["build", "--board", "icestick", "--plan-only", "-o", "b", "--clock", "{}"],
    "baud": ["build", "--board", "icestick", "--plan-only", "-o", "b", "--baud", "{}"],
    "modes": ["compare", "--no-place", "-o", "c.html", "--modes", "{}"],
    "sweep": ["explore", "--no-cells", "--sweep", "guard_bits={}"],
    "sweep of keys": ["explore", "--no-cells", "--sweep", "{}=4"],
    "integer key": ["describe", "--set", "score_width={}"],
    "real key": ["describe", "--set", "score_scale={}"],
    "name key": ["describe", "--set", "normaliser={}"],
    "list key": ["describe", "--set", "smoothing={}"],
    "vectors": ["run-on-board", "--simulated", "--vectors", "{}"],
    "port": ["run-on-board", "--port", "{}"],
    "cache": ["cache", "--limit", "{}"],
    "key": ["keys", "{}"],
}
VALUES = {
    "empty": "",
    "long": LONG,
    "long negative": f"-{LONG}",
    "huge exponent": "1e999999999",
    "not a number": "nan",
    "minus one": "-1",
    "escape": "\x1b[2J",
    "newline": "a\nb",
    "NUL": "a\0b",
    "surrogate": "\udcff",
    "megabyte": "x" * 1_000_000,
    "format string": "{0.__class__}%s%n",
    "shell": "$(touch x);`touch x`",
    "open lists": "[" * 10_000,
    "path": "../../etc/passwd",
}


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("template", TEMPLATES)
def test_each_hostile_value_of_each_option_is_one_line(template, value, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [word.replace("{}", VALUES[value]) for word in TEMPLATES[template]]
    code, err = called(capsys, *words)
    assert code in (2, 4), err[:500]
    assert err.count("\n") == 1, err[:500]
    assert len(err) < 2500
    assert "\x1b" not in err
    assert list(tmp_path.iterdir()) == []


def npy(header, payload=b""):
    """A .npy file of version 1.0 with a header of its own."""
    text = header.encode("latin-1")
    text += b" " * (-(10 + len(text) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + payload


def of_shape(shape, descr="|i1"):
    return npy(f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}", bytes(50))


ARRAYS = {
    "empty": b"",
    "no header": b"\x93NUMPY\x01\x00",
    "text": b"1,2,3\n",
    "a billion vectors": of_shape((10**9, 10)),
    "a trillion vectors": of_shape((10**12, 10)),
    "an overflow": of_shape((10**18, 10**18)),
    "a negative shape": of_shape((-1, 10)),
    "a long shape": of_shape("(" + LONG + ", 10)"),
    "no dimension": of_shape("()"),
    "no vector of scores": of_shape((0, 0)),
    "objects": of_shape((1, 1), "|O"),
    "complex numbers": of_shape((1, 3), "<c16"),
    "text of characters": of_shape((1, 3), "<U4"),
    "dates": of_shape((1, 6), "<M8[s]"),
    "code in the header": npy("{'descr': __import__('os').system('touch x'), 'fortran_order': False, 'shape': (1,)}"),
    "nesting in the header": npy("(" * 5000),
    "an empty archive": b"PK\x05\x06" + bytes(18),
    "an archive cut short": b"PK\x03\x04" + bytes(10),
}


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("content", ARRAYS.values(), ids=ARRAYS.keys())
def test_a_hostile_score_file_is_one_line(content, suffix, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"s{suffix}").write_bytes(content)
    refused(capsys, "run", "digits-softmax", "--scores", f"s{suffix}", "-o", "r.npz", "--quiet")
    assert [path.name for path in tmp_path.iterdir()] == [f"s{suffix}"]


# Output paths --------------------------------------------------------------------------------------------------------


def a_socket(path):
    os.mknod(path, stat.S_IFSOCK | 0o600)


PLACES = {
    "a folder": lambda path: path.mkdir(),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a loop of links": lambda path: path.symlink_to(path.name),
    "a socket": a_socket,
    "a FIFO without a reader": lambda path: os.mkfifo(path),
}
LONG_NAMES = ["x" * 256, "y/" * 3000 + "z", "nul\0byte"]
VERBS = {
    "run": ["run", "digits-softmax", "--scores", "s.npy", "--quiet", "-o"],
    "explore": ["explore", "digits-argmax", "--sweep", "max_length=2,3", "--no-cells", "--quiet", "--csv"],
    "generate": ["generate", "argmax-int8", "--quiet", "-o"],
    "build": ["build", "--board", "icestick", "digits-argmax", "--plan-only", "--quiet", "-o"],
}


@pytest.fixture
def scores(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("s.npy", np.arange(50, dtype=np.int8).reshape(5, 10))


@pytest.mark.usefixtures("scores")
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("place", PLACES)
def test_an_output_path_that_is_no_file_is_refused_and_stays(verb, place, capsys, tmp_path):
    if place == "a folder" and verb in ("generate", "build"):
        pytest.skip("these write folders")
    PLACES[place](tmp_path / "out")
    before = (tmp_path / "out").lstat()
    refused(capsys, *VERBS[verb], "out")
    after = (tmp_path / "out").lstat()
    assert (before.st_mode, before.st_ino) == (after.st_mode, after.st_ino)
    assert {path.name for path in tmp_path.iterdir()} == {"s.npy", "out"}


@pytest.mark.usefixtures("scores")
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", LONG_NAMES, ids=range(len(LONG_NAMES)))
def test_an_output_path_that_cannot_be_is_refused(verb, name, capsys, tmp_path):
    refused(capsys, *VERBS[verb], name)
    assert {path.name for path in tmp_path.iterdir()} == {"s.npy"}


@pytest.mark.usefixtures("scores")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device nodes")
@pytest.mark.parametrize("minor", [3, 7], ids=["null", "full"])
@pytest.mark.parametrize("verb", ["run", "explore"])
def test_a_device_is_written_through_and_stays_a_device(verb, minor, capsys, tmp_path):
    device = tmp_path / "device"
    try:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, minor))
        device.read_bytes() if minor == 3 else None
    except OSError:
        pytest.skip("no device nodes on this file system")
    code, err = called(capsys, *VERBS[verb], "device")
    assert (code, err.count("\n")) == ((0, 0) if minor == 3 else (2, 1)), err
    assert stat.S_ISCHR(device.lstat().st_mode)


@pytest.mark.usefixtures("scores")
def test_a_link_is_followed_and_stays_a_link(capsys, tmp_path):
    (tmp_path / "target.npz").touch()
    (tmp_path / "link.npz").symlink_to("target.npz")
    assert called(capsys, *VERBS["run"], "link.npz")[0] == 0
    assert (tmp_path / "link.npz").is_symlink()
    assert (tmp_path / "target.npz").stat().st_size > 0
