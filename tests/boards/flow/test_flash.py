"""flash against a stand-in programmer on PATH: the right arguments, and one line for each way to fail."""

import hashlib
import json
import sys
from pathlib import Path

import pytest

from softstream.boards.flow.flash import find_bitstream, find_build, flash, udev_rule
from softstream.boards.registry import BOARDS, board
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import MissingTool, ToolFailure, UserError
from softstream.scripts.console import Console
from softstream.scripts.verbs.boards import flash as program


@pytest.fixture
def programmer(tmp_path, monkeypatch):
    """Puts a program on PATH that records its arguments, prints `text` and ends with `code`; returns a reader of the record."""
    place = tmp_path / "path"
    place.mkdir()
    monkeypatch.setenv("PATH", str(place))
    record = tmp_path / "arguments"

    def install(tool, text="", code=0):
        program = place / tool
        program.write_text(
            f"#!{sys.executable}\nimport json, sys\n"
            f"json.dump(sys.argv[1:], open({str(record)!r}, 'w'))\nprint({text!r})\nsys.exit({code})\n"
        )
        program.chmod(0o755)
        return lambda: json.loads(record.read_text()) if record.exists() else None

    return install


def built(tmp_path, name):
    """The files of a build that flash reads."""
    row, place = board(name), tmp_path / name
    place.mkdir()
    content = b"bitstream"
    (place / f"{name}.{row.bitstream}").write_bytes(content)
    entry = {"file": f"{name}.{row.bitstream}", "sha256": hashlib.sha256(content).hexdigest()}
    (place / "build.json").write_text(json.dumps({"board": name, "bitstream": entry}))
    return place


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("icebreaker", ["FILE"]),
        ("hx8k-evn", ["-S", "FILE"]),
        ("ulx3s-85f", ["-b", "ulx3s", "FILE"]),
        ("orangecrab", ["-d", "1209:5af0", "-a", "0", "-D", "FILE"]),
        ("tang-nano-9k", ["-b", "tangnano9k", "FILE"]),
        ("tang-nano-20k", ["-c", "ft2232", "FILE"]),
        ("colorlight-5a75b", ["-c", "ft232", "FILE"]),
    ],
)
def test_the_programmer_gets_the_right_arguments(name, arguments, tmp_path, programmer):
    row, place = board(name), built(tmp_path, name)
    record = programmer(row.programmer.tool)
    file = str(place / f"{name}.{row.bitstream}")
    expected = [file if argument == "FILE" else argument for argument in arguments]
    assert flash(row, place, dry_run=True) == [row.programmer.tool, *expected]
    assert record() is None
    flash(row, place)
    assert record() == expected


@pytest.mark.parametrize("name", BOARDS)
def test_a_programmer_that_is_not_installed_is_named_with_its_package(name, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    row = board(name)
    place = built(tmp_path, name)
    with pytest.raises(MissingTool) as missing:
        flash(row, place)
    assert str(missing.value).startswith(f"{row.programmer.tool}: not installed")
    assert str(missing.value).endswith(row.programmer.brings)
    assert flash(row, place, dry_run=True)[0] == row.programmer.tool


@pytest.mark.parametrize(
    ("name", "said", "message"),
    [
        (
            "icebreaker",
            "init..\nCan't find iCE FTDI USB device (vendor_id 0x0403, device_id 0x6010 or 0x6014).",
            "no board found",
        ),
        ("ulx3s-12f", "unable to open ftdi device: -3 (device not found)\nJTAG init failed", "no board found"),
        ("orangecrab", "dfu-util: No DFU capable USB device available", "no board found"),
        ("icebreaker", "ftdi_usb_open() failed: -4 (usb_open() failed: -4 Permission denied)", "no permission"),
        (
            "ulx3s-12f",
            "unable to open ftdi device: -4 (usb_open() failed)\nError: insufficient permissions",
            "no permission",
        ),
        (
            "orangecrab",
            "dfu-util: Cannot open DFU device 1209:5af0 found on devnum 7 (LIBUSB_ERROR_ACCESS)",
            "no permission",
        ),
        ("ulx3s-12f", "Error: IDCODE mismatch: bitstream 0x21111043, device 0x41113043", "another board"),
        ("tang-nano-9k", "mismatch between target's idcode and fs idcode", "another board"),
        ("icebreaker", "something else", "ended with exit code 3"),
    ],
)
def test_each_failure_has_its_line(name, said, message, tmp_path, programmer):
    row, place = board(name), built(tmp_path, name)
    programmer(row.programmer.tool, said, 3)
    with pytest.raises(ToolFailure) as failed:
        flash(row, place)
    text = str(failed.value)
    assert message in text
    assert "\n" not in text
    assert said.splitlines()[-1] in failed.value.log.read_text()
    ids = f"{row.usb[0]:04x}", f"{row.usb[1]:04x}"
    if message == "no permission":
        assert udev_rule(row) in text
        assert 'TAG+="uaccess"' in text
        assert all(number in text for number in ids)
    if message == "no board found":
        assert ":".join(ids) in text
    failed.value.log.unlink()


def test_boards_and_folders_that_cannot_be_flashed_are_refused(tmp_path):
    place = built(tmp_path, "icebreaker")
    row = board("icebreaker")
    assert find_bitstream(row, place) == place / "icebreaker.bin"
    assert find_bitstream(row, place / "icebreaker.bin") == place / "icebreaker.bin"
    with pytest.raises(UserError, match="built for the board icebreaker, not for icestick"):
        find_bitstream(board("icestick"), place)
    with pytest.raises(UserError, match=r"tang-nano-9k takes a \.fs file"):
        find_bitstream(board("tang-nano-9k"), place / "icebreaker.bin")
    (place / "icebreaker.bin").write_bytes(b"half")
    with pytest.raises(UserError, match="not what the build wrote"):
        find_bitstream(row, place)
    with pytest.raises(
        UserError, match=r"none.bin: there is no such file; for example build/icebreaker/icebreaker.bin"
    ):
        find_bitstream(row, place / "none.bin")
    with pytest.raises(UserError, match="holds no finished build; for example softstream build --board icebreaker"):
        find_bitstream(row, tmp_path)
    (place / "build.json").write_text(json.dumps({"board": "icebreaker", "bitstream": None}))
    with pytest.raises(UserError, match="holds a plan"):
        find_bitstream(row, place)


def test_a_build_names_its_board(tmp_path, monkeypatch):
    place = built(tmp_path, "icebreaker")
    assert find_build(place) == (board("icebreaker"), place)
    assert find_build(place / "icebreaker.bin") == (board("icebreaker"), place / "icebreaker.bin")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^flash: build/ has no build; name the board .* --board icebreaker$"):
        find_build(None)
    (tmp_path / "build").mkdir()
    built(tmp_path / "build", "ulx3s-12f")
    assert find_build(None) == (board("ulx3s-12f"), Path("build/ulx3s-12f"))
    built(tmp_path / "build", "icestick")
    with pytest.raises(UserError, match=r"has 2 builds \(icestick, ulx3s-12f\); name the board .* --board icestick$"):
        find_build(None)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"board": 3}', '{"board": "none"}', '{"board": ["icestick"]}'])
def test_a_build_without_a_board_is_refused(content, tmp_path):
    (tmp_path / "build.json").write_text(content)
    with pytest.raises(UserError, match=r"no build\.json there names a board; name it, for example --board icebreaker"):
        find_build(tmp_path)


def test_the_command_needs_no_board(tmp_path, capsys):
    place = built(tmp_path, "tang-nano-9k")
    program(None, str(place), True, Console())
    assert capsys.readouterr().out == f"openFPGALoader -b tangnano9k {place}/tang-nano-9k.fs\n"


@pytest.mark.parametrize(
    ("demo", "following"),
    [(False, "; next: softstream run-on-board --board icestick digits-argmax --baud 3000000"), (True, "")],
)
def test_the_last_line_says_what_follows_a_demo_has_no_link(demo, following, tmp_path, programmer, capsys):
    programmer("iceprog")
    place = built(tmp_path, "icestick")
    file = place / "build.json"
    row = board("icestick")
    about = {"demo": demo, "config": PRESETS[row.preset].to_mapping(), "baud": 3_000_000}
    file.write_text(json.dumps(json.loads(file.read_text()) | about))
    program("icestick", str(place), False, Console())
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("icestick: programmed with iceprog in ")
    assert last.partition(" s")[2] == following
