"""`softstream boards`, `build`, `flash` and `doctor`: what they print."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softstream.boards.registry import BOARDS, Board, board
from softstream.hw.config.config import Config
from softstream.hw.errors import MissingTool, UserError
from softstream.hw.extras import install_command, need
from softstream.scripts.console import Console, configuration_words

if TYPE_CHECKING:
    from softstream.boards.flow.build import BuildResult

__all__ = ["DEMO_VECTORS", "boards", "build", "demo_scores", "doctor", "flash", "parse_clock", "serial_ports", "show"]

DEMO_VECTORS = 16
"""Number of stored digits that the stand-alone demo plays."""

_COUNTED = (
    "'built' counts the presets whose bitstream was built, here or for a board with the same die; 'expected' counts others that "
    "should fit by their cells; --expected names them."
)
_HONEST = "No physical board was tested; 'verified' is the level that each reached without one."


def boards(console: Console, *, expected: bool = False) -> None:
    """Prints the boards with clock, link, the presets that were built, and the verification level.

    `expected`: also names the presets that should fit and were not built.
    """
    from softstream.boards.flow.fit import expected_presets, fitting_presets

    rows, documents = [], []
    for row in BOARDS.values():
        built, likely = fitting_presets(row), expected_presets(row)
        rows.append(
            (
                row.name,
                row.title,
                row.device,
                row.toolchain,
                f"{row.clock_hz / 1e6:g}",
                row.link,
                row.verified,
                len(built),
                len(likely),
                ", ".join(built) or "–",
                *((", ".join(likely) or "–",) if expected else ()),
            )
        )
        documents.append(
            {
                "name": row.name,
                "title": row.title,
                "device": row.device,
                "toolchain": row.toolchain,
                "clock_hz": row.clock_hz,
                "oscillator_hz": row.oscillator_hz,
                "link": row.link,
                "baud": row.baud,
                "preset": row.preset,
                "presets": built,
                "expected": likely,
                "verified": row.verified,
                "programmer": row.programmer.tool,
                "note": row.note,
            }
        )
    console.document({"boards": documents})
    names, likely_names = "presets built for it", "expected to fit"
    console.table(
        "",
        (
            *("board", "name", "device", "tools", "MHz", "link", "verified", "built", "expected", names),
            *((likely_names,) if expected else ()),
        ),
        rows,
        right=("MHz", "built", "expected"),
        fold=(names, likely_names),
        drop=("name", "tools", "MHz", "link", *(() if expected else (names,)), "verified", names, "device"),
    )
    for row in BOARDS.values():
        if row.note:
            console.line(f"{row.name}: {row.note}")
    console.line(_COUNTED)
    console.line(_HONEST)
    console.done(f"{len(BOARDS)} boards listed", "softstream boards --show icebreaker")


def show(console: Console, name: str, *, expected: bool = False) -> None:
    """Prints one board: part, clock, link, programmer, the presets that were built, and a drawing of what its LEDs show.

    `expected`: also names the presets that should fit and were not built. Raises `UserError` for an unknown board.
    """
    from softstream.boards.flow.capacity import built_presets
    from softstream.boards.flow.fit import expected_presets, fitting_presets
    from softstream.boards.gateware.display_text import display_text

    row = board(name)
    built, likely, drawing = fitting_presets(row), expected_presets(row), display_text(row)
    console.document(
        {
            "name": row.name,
            "title": row.title,
            "preset": row.preset,
            "presets": built,
            "expected": likely,
            "display": drawing,
        }
    )
    console.line(f"{row.title}, {row.device}, {row.clock_hz / 1e6:g} MHz")
    console.line(f"link: {row.link}, {row.baud} bit/s; programmer: {row.programmer.tool}")
    if row.note:
        console.line(f"note: {row.note}")
    console.line(f"default preset: {row.preset}")
    for other, presets in _by_board(built, built_presets(row), row.name).items():
        where = "" if other == row.name else f" on {other}, which has the same die"
        console.line(f"built{where}: {', '.join(presets)}")
    if likely:
        names = ", ".join(likely) if expected else "--expected names them"
        console.line(f"not built, expected to fit by their cells: {len(likely)} presets; {names}")
    console.line()
    for line in drawing:
        console.line(line)
    console.line()
    console.line(f"verified without the board: {row.verified}")
    console.done(f"{row.name} shown", f"softstream build --board {row.name}")


def _by_board(presets: Sequence[str], places: Mapping[str, str], first: str) -> dict[str, list[str]]:
    """Board → the presets that were built for it, `first` before the others."""
    groups: dict[str, list[str]] = {first: []}
    for name in presets:
        groups.setdefault(places[name], []).append(name)
    return {name: names for name, names in groups.items() if names}


def parse_clock(text: str | None) -> float | None:
    """Hz of `--clock`, which is in MHz. Raises `UserError` unless it is a number above 0."""
    if text is None:
        return None
    try:
        mhz = float(text)
    except ValueError:
        mhz = 0.0
    if not 0 < mhz < float("inf"):
        raise UserError(f"--clock {text}: must be a number of MHz above 0; for example --clock 24")
    return mhz * 1e6


def demo_scores() -> list[list[int]]:
    """The first of the digits that ship with softstream, for the stand-alone demo."""
    import numpy as np

    from softstream.sim.data import DIGITS_SCORES

    return np.load(DIGITS_SCORES)[:DEMO_VECTORS].tolist()


def build(
    config: Config,
    name: str,
    output: str | None,
    *,
    clock: str | None,
    baud: int | None,
    demo: bool,
    plan_only: bool,
    console: Console,
) -> None:
    """Builds for a board and prints the report, or writes the plan and says how to run it."""
    from softstream.boards.flow.build import VENDOR_COMMANDS
    from softstream.boards.flow.build import build as build_board

    row = board(name)
    need("build", *(["amaranth-boards"] if plan_only else ["boards"]))
    directory = Path(output) if output else Path("build") / row.name
    with console.progress(f"building for {row.name}") as progress:
        result = build_board(
            config,
            row,
            directory,
            clock_hz=parse_clock(clock),
            baud=baud,
            demo=demo_scores() if demo else None,
            plan_only=plan_only,
            progress=progress,
        )
    document: dict[str, Any] = json.loads((directory / "build.json").read_text(encoding="utf-8"))
    document |= {"directory": str(directory), "cached": result.cached}
    if result.report is None:
        archive = directory / f"{row.name}-plan.zip"
        tool = VENDOR_COMMANDS.get(row.toolchain)
        command = f"python3 -m zipfile -e {archive.name} plan && cd plan && sh build_top.sh"
        console.document({**document, "plan_archive": archive.name, "command": command})
        tools = [tool] if tool else row.make_platform().required_tools
        console.line(f"the next command needs {', '.join(tools)} on PATH")
        console.done(f"{archive}: plan for {row.name}", f"cd {shlex.quote(str(directory))} && {command}")
        return
    console.document(document)
    _print_report(result, console)
    if row.note:
        console.line(f"{row.name}: {row.note}")
    console.line(f"{result.bitstream}{' (from the cache)' if result.cached else ''}, plan {result.plan.digest[:12]}")
    console.done(
        f"bitstream for {row.name} built", f"softstream flash --board {row.name} {shlex.quote(str(directory))}"
    )


def _print_report(result: BuildResult, console: Console) -> None:
    report = result.report
    assert report is not None
    rows: list[tuple[object, ...]] = [
        ("clock required", f"{report.asked_mhz:g} MHz", ""),
        ("clock reached", f"{report.reached_mhz:g} MHz", ""),
        *((kind, used, available) for kind, (used, available) in report.used.items()),
        (
            "critical path",
            f"{report.path_ns:g} ns",
            " → ".join((report.path[0], *report.path[1:][-2:])) if report.path else "",
        ),
    ]
    if report.seed is not None:
        rows.append(("seed of placement", report.seed, f"no legal place with {report.seed} others"))
    console.table("", (result.plan.row.name, "used", "available"), rows, right=("used",), fold=("available",))


def flash(name: str | None, path: str | None, dry_run: bool, console: Console) -> None:
    """Programs the board, or prints the command that would. Without a name the build in `path` tells the board."""
    from softstream.boards.flow.flash import find_build
    from softstream.boards.flow.flash import flash as program

    if name is None:
        row, place = find_build(Path(path) if path else None)
    else:
        row = board(name)
        place = Path(path) if path else Path("build") / row.name
    command = program(row, place, dry_run=dry_run)
    console.document({"board": row.name, "command": command, "dry_run": dry_run})
    if dry_run:
        console.line(shlex.join(command))
        return
    if row.note:
        console.line(f"{row.name}: {row.note}")
    console.done(f"{row.name}: programmed with {command[0]}", _after_flash(row, place))


def _after_flash(row: Board, place: Path) -> str:
    """The command that usually follows, with the configuration and the rate of the build; none for a demo, which has no link."""
    try:
        built = json.loads((place / "build.json").read_text(encoding="utf-8"))
        if built["demo"]:
            return ""
        config, rate = Config.from_mapping(built["config"]), built["baud"]
    except (OSError, ValueError, KeyError, TypeError, UserError):  # a bitstream alone, or a build of another version
        return ""
    baud = "" if rate == row.baud else f" --baud {rate}"
    from softstream.boards.flow.capacity import room_of_board

    words = configuration_words(config, row.preset, room_of_board(row))
    return f"softstream run-on-board --board {row.name} {words}{baud}"


def serial_ports() -> list[str]:
    """Paths of the serial ports of this machine; empty where pyserial is missing."""
    try:
        from serial.tools import list_ports
    except ImportError:
        return []
    return sorted(port.device for port in list_ports.comports())


def doctor(console: Console) -> None:
    """Prints every tool with version and source. Raises `MissingTool` where a build would lack one."""
    from softstream.boards.flow.doctor import examine, ignored

    findings, unused = examine(), ignored()
    missing = [finding for finding in findings if finding.version is None and finding.required]
    ports = serial_ports()
    tools = [vars(finding) for finding in findings]
    console.document({"complete": not missing, "tools": tools, "ignored": unused, "ports": ports})
    remedies = any(f.mend for f in findings)
    console.table(
        "",
        ("tool", "version", "for", "from", *(("to install it",) if remedies else ())),
        [
            (f.tool, f.version or "–", f.purpose, f.source if f.version else "–", *((f.mend,) if remedies else ()))
            for f in findings
        ],
        fold=("version", "for", "to install it"),
        drop=("from", "for"),
    )
    console.line("Bitstreams are built with the Python packages alone, whatever else is installed.")
    if unused:
        console.line(f"present, and ignored: {', '.join(unused)}")
    console.line(f"serial ports: {', '.join(ports) if ports else 'none'}")
    if missing:
        packages: Sequence[str] = [finding.tool for finding in missing]
        raise MissingTool(f"{', '.join(packages)}: not installed; {install_command(*packages)}")
    console.done(f"no required tool is missing; {len(findings)} tools checked", "softstream presets")
