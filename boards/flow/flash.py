"""Programs a board with a bitstream, and says in one line why that failed.

    flash(board("icebreaker"), Path("build/icebreaker"), dry_run=False)

Errors: `MissingTool` for a programmer that is not installed; `UserError` for a directory without a bitstream and for one that
was built for another board; `ToolFailure` for no board, no permission (with the udev rule), another board, and the rest.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from softstream.boards.registry import BOARDS, Board
from softstream.hw.errors import MissingTool, ToolFailure, UserError

__all__ = ["find_bitstream", "find_build", "flash", "udev_rule"]

_SECONDS = 300
_PERMISSION = re.compile(
    r"permission denied|insufficient permissions|access denied|LIBUSB_ERROR_ACCESS|error code -3\b|usb_open\(\) failed: -4"
    r"|device permissions|EACCES|Operation not permitted",
    re.IGNORECASE,
)
_WRONG = re.compile(
    r"idcode.{0,40}(mismatch|unknown|not match|unexpected)|mismatch.{0,40}idcode|unknown device|JTAG ID .{0,40}mismatch"
    r"|wrong (fpga|device|part)|does ?n.t match|device id .{0,40}(mismatch|not)|unsupported flash"
    r"|cannot (find|identify) .{0,20}fpga",
    re.IGNORECASE,
)
_ABSENT = re.compile(
    r"can't find|cannot find|not found|no dfu capable|no (usb )?device|no cable|unable to (open|find)|device not found"
    r"|no programming hardware|No JTAG hardware|unable to claim|fail(ed)? to open",
    re.IGNORECASE,
)


def udev_rule(row: Board) -> str:
    """The udev rule that gives whoever sits at the machine access to the board."""
    vendor, product = (f"{number:04x}" for number in row.usb)
    return f'SUBSYSTEM=="usb", ATTRS{{idVendor}}=="{vendor}", ATTRS{{idProduct}}=="{product}", TAG+="uaccess"'


def find_build(path: Path | None) -> tuple[Board, Path]:
    """Board and path of a build: `path` as it is, or the only build in `build/`. Raises `UserError` where no board is known."""
    if path is None:
        places = sorted(place for place in Path("build").glob("*") if _board_name(place) in BOARDS)
        if len(places) != 1:
            names = (
                f"has {len(places)} builds ({', '.join(place.name for place in places)})" if places else "has no build"
            )
            example = places[0].name if places else "icebreaker"
            raise UserError(f"flash: build/ {names}; name the board or the directory, for example --board {example}")
        path = places[0]
    name = _board_name(path.parent if path.is_file() else path)
    if name not in BOARDS:
        raise UserError(f"{path}: no build.json there names a board; name it, for example --board icebreaker")
    return BOARDS[name], path


def _board_name(directory: Path) -> str:
    try:
        name = json.loads((directory / "build.json").read_text(encoding="utf-8"))["board"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return name if isinstance(name, str) else ""


def find_bitstream(row: Board, path: Path) -> Path:
    """The bitstream of a build directory (checked against its `build.json`), or the file itself. Raises `UserError`."""
    if path.is_file():
        if path.suffix != f".{row.bitstream}":
            raise UserError(
                f"{path}: {row.name} takes a .{row.bitstream} file; for example build/{row.name}/{row.name}.{row.bitstream}"
            )
        return path
    if path.suffix == f".{row.bitstream}":
        raise UserError(f"{path}: there is no such file; for example build/{row.name}/{row.name}.{row.bitstream}")
    example = f"for example softstream build --board {row.name} -o {path}"
    try:
        document = json.loads((path / "build.json").read_text(encoding="utf-8"))
        name, entry = document["board"], document["bitstream"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{path}: holds no finished build; {example}") from None
    if name != row.name:
        raise UserError(f"{path}: built for the board {name}, not for {row.name}; {example}")
    if entry is None:
        raise UserError(
            f"{path}: holds a plan, no bitstream; run it with the vendor's tools and give the .{row.bitstream} file"
        )
    bitstream = path / entry["file"]
    if not bitstream.is_file() or hashlib.sha256(bitstream.read_bytes()).hexdigest() != entry["sha256"]:
        raise UserError(f"{bitstream}: missing, or not what the build wrote; {example}")
    return bitstream


def flash(row: Board, path: Path, *, dry_run: bool = False) -> list[str]:
    """Runs the board's programmer and returns its command. `dry_run` only returns it."""
    bitstream = find_bitstream(row, path)
    command = row.programmer.command(str(bitstream))
    if dry_run:
        return command
    program = shutil.which(command[0])
    if program is None:
        raise MissingTool(f"{command[0]}: not installed, and {row.name} is programmed with it; {row.programmer.brings}")
    descriptor, name = tempfile.mkstemp(prefix="softstream-flash-", suffix=".log")
    log = Path(name)
    with os.fdopen(descriptor, "wb") as handle:
        try:
            code: int | None = subprocess.run(
                [program, *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=subprocess.STDOUT,
                timeout=_SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            code = None
        except OSError as error:
            log.unlink()
            raise ToolFailure(f"{program}: cannot be started ({error.strerror}); {row.programmer.brings}") from None
    if code == 0:
        log.unlink()
        return command
    raise ToolFailure(_reason(row, command[0], log.read_text(errors="replace"), code), log)


def _reason(row: Board, tool: str, text: str, code: int | None) -> str:
    """The programmer's output in one line."""
    if code is None:
        return f"{tool}: still running after {_SECONDS} s; unplug {row.name}, plug it in again and repeat"
    if _PERMISSION.search(text):
        return (
            f"{tool}: no permission to use {row.name}; put {udev_rule(row)} into /etc/udev/rules.d/70-softstream.rules, "
            "run udevadm control --reload, and plug the board in again"
        )
    if _WRONG.search(text):
        return f"{tool}: another board than {row.name} ({row.device}) is attached; check --board, softstream boards lists them"
    if _ABSENT.search(text):
        ids = f"{row.usb[0]:04x}:{row.usb[1]:04x}"
        hint = f" ({row.note})" if row.programmer.tool == "dfu-util" else ""
        return f"{tool}: no board found; {row.name} shows up as USB {ids}: plug it in{hint}, lsusb lists what is there"
    return f"{tool}: ended with exit code {code}"
