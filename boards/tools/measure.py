"""Synthesis (yosys, as pyosys) and place and route (nextpnr, as YoWASP), both from the Python package index.

Formula:  Verilog, part, seeds → cells by kind (exact), Fmax and critical path per seed.

    [small, fast] = measure([Job(verilog, part("hx8k"), seeds=()), Job(verilog, part("ecp5-25k"), seeds=(1, 2, 3))])
    small.cells["LC"]       # synthesis and packing alone, no seed
    fast.fmax_mhz           # median of three placements

Everything is measured *out of context*: the head alone, without IO cells, as a block inside a larger design. Fmax is
that of the one clock `aclk` over the paths from register to register; paths that begin or end at a port are in no
number here. A job may name a second text to be placed, in which each port is behind a register: its Fmax then includes the
paths from and to the ports, and its cells stay those of the first.

* The tools run in processes of their own, in a temporary directory, and end with the caller (Ctrl-C included).
* Results come from the netlist and from nextpnr's JSON report. Logs are only ever shown to a person.
* The user's cache holds each result under a digest of everything it depends on: Verilog, part, seed, arguments, tool versions.
  The tools are deterministic, so a stored result is the result.

Errors: `MissingTool` names the package that brings the tool; `ToolFailure` carries the path of the log. A head that is
too large for its part is not an error but a `Measurement` that does not fit.
"""

import fnmatch
import hashlib
import inspect
import json
import os
import queue
import shutil
import statistics
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from softstream.boards.tools import hard_registers, shim
from softstream.boards.tools.packages import prepare, versions
from softstream.boards.tools.parts import ClockCell, Part
from softstream.hw.cache import load_value, store_value
from softstream.hw.cache import root as cache_root
from softstream.hw.config.config import Config
from softstream.hw.errors import ToolFailure
from softstream.hw.extras import install_command
from softstream.hw.processes import end, run, start, temporary_folder

__all__ = [
    "CriticalPath",
    "Job",
    "Measurement",
    "Placement",
    "cache_directory",
    "head_job",
    "keep_log",
    "measure",
    "run_yosys",
    "shortages",
    "tool_versions",
]

Progress = Callable[[float, str], None]
"""Called with the fraction that is done, from 0 to 1, and with what is being done."""

_TOP = "softstream_top"
_SOURCE = "top.v"
_CLOCK = "aclk"
_YOSYS_SECONDS = 300  # of a script that reads and writes netlists
_TOOL_SECONDS = 900  # an order of magnitude over the slowest preset
_CACHE_FORMAT = 3  # raise it when the meaning of a stored field changes

_YOSYS = "import sys; from pyosys import libyosys as y; d = y.Design(); [y.run_pass(c, d) for c in sys.argv[1:]]"
_NEXTPNR = "import sys; from yowasp_nextpnr_{0} import run_nextpnr_{0} as run; sys.exit(run(sys.argv[1:]))"


@dataclass(frozen=True)
class Job:
    """One Verilog text on one part, placed once per seed; without seeds it is only synthesised and packed.

    A part without a clock here is only synthesised, whatever the seeds. Cells of a part without checked-in figures are those
    of synthesis too.
    """

    verilog: str
    part: Part
    seeds: tuple[int, ...] = (1,)
    title: str = "the head"
    """What to call it in the progress."""
    placed: str = ""
    """The text to place and route, where it is not `verilog`: the same head with a register behind each port."""


def head_job(config: Config, part: Part, seeds: Sequence[int] = (1,), title: str = "the head") -> Job:
    """The job of a head: the cells of the head alone, and its clock with a register behind each port.

    Raises `UserError` as `plan` does.
    """
    from softstream.hw.verilog import (  # Amaranth, which parts and stored results do without
        synthesis_verilog,
        wrapped_verilog,
    )

    placed = wrapped_verilog(config) if seeds else ""
    return Job(synthesis_verilog(config), part, tuple(seeds), title, placed)


@dataclass(frozen=True)
class CriticalPath:
    """The slowest path from register to register."""

    start: str
    """Cell and port that it starts from."""
    end: str
    logic_ns: float
    routing_ns: float
    nets: tuple[str, ...]
    """The nets that it takes time on, in order."""
    lines: tuple[int, ...] = ()
    """Lines of the Verilog text, from 1, that declare or compute those nets, in order."""

    @property
    def total_ns(self) -> float:
        """The whole path, in nanoseconds."""
        return round(self.logic_ns + self.routing_ns, 3)


@dataclass(frozen=True)
class Placement:
    """What place and route reached with one seed."""

    seed: int
    fmax_mhz: float
    critical_path: CriticalPath


def shortages(cells: Mapping[str, int], available: Mapping[str, int]) -> tuple[str, ...]:
    """The kinds of which a head takes more than a part has, such as `38 of 32 RAM4K`; empty where it fits."""
    return tuple(
        f"{cells[name]} of {number} {name}" for name, number in available.items() if cells.get(name, 0) > number
    )


@dataclass(frozen=True)
class Measurement:
    """The result of one `Job`."""

    part: str
    cells: Mapping[str, int]
    """Cells by kind, named as in the part's row: exact, and the same for every seed."""
    available: Mapping[str, int]
    """What the part has of the kinds that it counts."""
    placements: tuple[Placement, ...] = ()
    """One per seed; none where the head does not fit."""

    @property
    def over(self) -> tuple[str, ...]:
        """The kinds of which the head needs more than the part has, as text; empty where it fits."""
        return shortages(self.cells, self.available)

    @property
    def fmax_mhz(self) -> float | None:
        """Median over the seeds, or None where nothing was placed."""
        if not self.placements:
            return None
        return statistics.median(placement.fmax_mhz for placement in self.placements)


def cache_directory() -> Path:
    """Where results are kept; the logs of failed runs are in `logs` beside it."""
    return cache_root() / "place"


def tool_versions(parts: Iterable[Part]) -> dict[str, str]:
    """Package → version of the tools that place `parts`, and of synthesis. Raises `MissingTool` for one that is not installed."""

    def missing(package: str) -> str:
        step = "synthesis" if package == "pyosys" else "place and route"
        return f"{package}: not installed, and {step} needs it; {install_command(package)}"

    return versions(["pyosys", *sorted({part.package for part in parts if not part.no_clock})], missing)


# Running a tool ------------------------------------------------------------------------------------------------------


def keep_log(cache: Path, name: str, key: str, log: Path) -> Path | None:
    """Copies a failed tool's log into `logs` next to the cache, because its folder goes; None if that cannot be written."""
    copy = cache.parent / "logs" / f"{name}-{key[:16]}.log"
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, copy)
    except OSError:
        return None
    return copy


def run_yosys(script: str, folder: Path, title: str, cache: Path, name: str, key: str) -> None:
    """Runs a script of Yosys in a folder. Raises `ToolFailure`, which begins with the title, with a copy of the log."""
    (folder / "script.ys").write_text(script, encoding="utf-8")
    log = folder / "output"
    command = [sys.executable, "-P", "-m", shim.__name__, "yosys", "-l", "yosys.log", "script.ys"]
    if code := run(command, folder, log, _YOSYS_SECONDS):
        raise ToolFailure(f"{title}: yosys ended with exit code {code}", keep_log(cache, name, key, log))


class _StoppedError(Exception):
    """The caller has left; whoever still works on its behalf gives up."""


@dataclass
class _Processes:
    """The tools that are running, so that whoever leaves early can end them all."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    stopped: bool = False

    def run(self, command: Sequence[str], directory: Path, log: Path) -> int | None:
        """The exit code, or None where the tool ran too long. Its output goes to `log`."""
        # YoWASP makes a directory per run; inside ours it goes when ours goes, even after a kill.
        environment = {**os.environ, "TMPDIR": str(directory)}
        with log.open("wb") as output:
            with self.lock:
                if self.stopped:
                    raise _StoppedError
                process = start(command, directory, output, environment)
                self.running.add(process)
            try:
                return process.wait(_TOOL_SECONDS)
            except subprocess.TimeoutExpired:
                return None
            finally:
                end(process)
                with self.lock:
                    self.running.discard(process)

    def stop(self) -> None:
        """End what runs and start no more."""
        with self.lock:
            self.stopped = True
            for process in self.running:
                end(process)


@dataclass(frozen=True)
class _Workplace:
    """One job's temporary directory and what names its results."""

    processes: _Processes
    job: Job
    key: str
    directory: Path
    report: Callable[[str], None]

    def run(self, step: str, code: str, *arguments: str) -> None:
        """Run Python `code` with `arguments` here. Raises `ToolFailure` with a log that stays."""
        log = self.directory / "log"
        # -P: a json.py in the directory where the command was started must not shadow the library's.
        exit_code = self.processes.run([sys.executable, "-P", "-c", code, *arguments], self.directory, log)
        if exit_code == 0:
            return
        if self.processes.stopped:
            raise _StoppedError
        lines = log.read_text(errors="replace").splitlines()
        errors = [line.partition("ERROR:")[2].strip() for line in lines if "ERROR:" in line]
        why = f"still running after {_TOOL_SECONDS} s" if exit_code is None else (errors or ["see its log"])[-1]
        copy = keep_log(cache_directory(), self.job.part.name, self.key, log)
        raise ToolFailure(f"{step} for {self.job.part.name} failed: {why}", copy)


# Synthesis -----------------------------------------------------------------------------------------------------------


def _synthesise(place: _Workplace, verilog: str) -> dict[str, int]:
    """Write `netlist.json` of a text; returns how many cells of each type it has."""
    part = place.job.part
    place.report(f"{place.job.title}: synthesis for {part.name}")
    (place.directory / _SOURCE).write_text(verilog, encoding="utf-8")
    # Not every synthesis command writes the netlist itself.
    commands = (f"read_verilog {_SOURCE}", f"{part.synthesis} -top {_TOP}", "write_json netlist.json")
    place.run("synthesis", _YOSYS, *commands)
    path = place.directory / "netlist.json"
    netlist = json.loads(path.read_text())
    top = netlist["modules"][_TOP]
    if part.family == "ecp5" and part.moves_registers:
        hard_registers.absorb(top)
    counts: dict[str, int] = {}
    for cell in top["cells"].values():
        counts[cell["type"]] = counts.get(cell["type"], 0) + 1
    if not part.keep_ports:
        top["ports"] = {name: port for name, port in top["ports"].items() if name == _CLOCK}
    if part.family == "nexus":
        _open_carries(top)
    elif part.family == "gatemate":
        _keep_registers(top)
    if part.clock is not None:
        _drive_clock(top, part.clock)
    path.write_text(json.dumps(netlist))
    for name, text in part.constraints:
        (place.directory / name).write_text(text, encoding="utf-8")
    return counts


def _drive_clock(top: dict[str, Any], clock: ClockCell) -> None:
    """Puts the cell of the clock between the net of the clock and its pin, or in the place of the pin."""
    nets = [bit for net in top["netnames"].values() for bit in net["bits"] if isinstance(bit, int)]
    far = max(nets) + 1
    port = top["ports"][_CLOCK]
    [near] = port["bits"]
    wires = {clock.output: [near], clock.input: [far]}
    directions = {clock.output: "output", clock.input: "input"}
    top["cells"][f"{_CLOCK} cell"] = _cell(clock.kind, dict(clock.parameters), directions, wires)
    top["netnames"][f"{_CLOCK} inside"] = top["netnames"].pop(_CLOCK)
    if clock.one:
        top["ports"] = {}
        top["cells"][f"{_CLOCK} enable"] = _cell(clock.one, {}, {"Z": "output"}, {"Z": [far]})
    else:
        port["bits"] = [far]
        top["netnames"][_CLOCK] = {"hide_name": 0, "bits": [far], "attributes": {}}


def _cell(
    kind: str, parameters: dict[str, str], directions: dict[str, str], wires: dict[str, list[Any]]
) -> dict[str, Any]:
    return {
        "hide_name": 0,
        "type": kind,
        "parameters": parameters,
        "attributes": {},
        "port_directions": directions,
        "connections": wires,
    }


def _open_carries(top: dict[str, Any]) -> None:
    """Opens the carry inputs of Nexus that Yosys ties to 0: the first carry cell does not read them, and nextpnr refuses them."""
    zeros = {bit for cell in top["cells"].values() if cell["type"] == "VLO" for bit in cell["connections"]["Z"]}
    for cell in top["cells"].values():
        if cell["type"] == "CCU2" and zeros.intersection(cell["connections"].get("CIN", [])):
            del cell["connections"]["CIN"], cell["port_directions"]["CIN"]


def _keep_registers(top: dict[str, Any]) -> None:
    """Keeps the registers behind the ports that were taken off: nextpnr for GateMate removes those that drive nothing."""
    for cell in top["cells"].values():
        if cell["type"] == "CC_DFF":
            cell["attributes"]["keep"] = f"{1:032b}"


# Place and route -----------------------------------------------------------------------------------------------------


def _options(part: Part) -> list[str]:
    context = ["--out-of-context"] if part.keep_ports else []
    if part.family == "ice40":
        context = ["--pcf-allow-unconstrained"]
    return [*part.arguments, *context, "--freq", str(part.target_mhz), "--timing-allow-fail"]


def _nextpnr(place: _Workplace, *arguments: str) -> dict[str, Any]:
    """The JSON report of one run on the netlist."""
    part = place.job.part
    program = _NEXTPNR.format(part.nextpnr.replace("-", "_"))

    def first_run() -> None:
        place.report(f"first use of {part.package}: preparing it")
        place.run("preparing place and route", program, "--version")

    prepare(part.package, cache_directory(), first_run)
    # Relative names: YoWASP shows the tool a /tmp of its own.
    files = ("--json", "netlist.json", "--report", "report.json", "--quiet")
    place.run("place and route", program, *files, *_options(part), *arguments)
    return json.loads((place.directory / "report.json").read_text())


def _pack(place: _Workplace, netlist: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Cells used and available, by the names of the part's row."""
    utilization: Mapping[str, Any] = {}
    if place.job.part.packs:
        place.report(f"{place.job.title}: packing for {place.job.part.name}")
        utilization = _nextpnr(place, "--pack-only")["utilization"]
    used, available = {}, {}
    for cell in place.job.part.cells:
        if cell.placed is None:
            used[cell.name] = sum(
                number for kind, number in netlist.items() if any(fnmatch.fnmatchcase(kind, p) for p in cell.netlist)
            )
        else:
            used[cell.name] = utilization[cell.placed]["used"]
            available[cell.name] = utilization[cell.placed]["available"]
    return {"cells": used, "available": available}


def _lines(sources: Iterable[str]) -> Iterator[int]:
    """Of sources such as `top.v:12.3-12.9` and `…/cells_map.v:6.21-6.22`, the first lines of those in our text."""
    for source in sources:
        name, _, place = source.rpartition(":")
        if name == _SOURCE:
            yield int(place.partition(".")[0])


def _place(place: _Workplace, seed: int) -> dict[str, Any]:
    """Fmax and critical path with one seed."""
    place.report(f"{place.job.title}: placing on {place.job.part.name}, seed {seed}")
    report = _nextpnr(place, "--seed", str(seed))
    [(clock, fmax)] = report["fmax"].items()  # the top has one clock, and paths from and to ports are not in it
    edge = f"posedge {clock}"
    [path] = [p["path"] for p in report["critical_paths"] if p["from"] == edge and p["to"] == edge]
    routing = [step for step in path if step["type"] == "routing"]
    routing_ns = sum(step["delay"] for step in routing)
    critical = CriticalPath(
        start=f"{path[0]['from']['cell']}.{path[0]['from']['port']}",
        end=f"{path[-1]['to']['cell']}.{path[-1]['to']['port']}",
        logic_ns=round(sum(step["delay"] for step in path) - routing_ns, 3),
        routing_ns=round(routing_ns, 3),
        nets=tuple(step["net"] for step in routing if step["delay"] > 0),
        lines=tuple(dict.fromkeys(_lines(source for step in routing for source in step.get("sources", ())))),
    )
    return {"fmax_mhz": round(fmax["achieved"], 2), "critical_path": asdict(critical)}


# Kept results --------------------------------------------------------------------------------------------------------


def _key(job: Job, verilog: str, installed: Mapping[str, str]) -> str:
    part = job.part
    cells = [(cell.name, cell.placed, cell.netlist) for cell in part.cells]
    tools = {package: installed[package] for package in ("pyosys", part.package) if package in installed}
    # A change of the rewrite changes the result, as a new version of a tool does.
    rewrite = inspect.getsource(hard_registers) if part.family == "ecp5" and part.moves_registers else ""
    facts = [
        _CACHE_FORMAT,
        rewrite,
        verilog,
        part.family,
        part.synthesis,
        part.keep_ports,
        _options(part),
        cells,
        tools,
        *([asdict(part.clock), part.constraints] if part.clock is not None else []),
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _placement(seed: int, stored: Mapping[str, Any]) -> Placement:
    path = dict(stored["critical_path"])
    return Placement(
        seed, stored["fmax_mhz"], CriticalPath(**{**path, "nets": tuple(path["nets"]), "lines": tuple(path["lines"])})
    )


def _measure(
    processes: _Processes, job: Job, keys: tuple[str, str], events: "queue.SimpleQueue[str | int]"
) -> Measurement:
    """One job, with the keys of the text to count and of the text to place.

    Puts on `events` what it begins (text), and how many of its 1 + len(seeds) steps it has just finished.
    """
    left = 1 + len(job.seeds)
    packed = load_value(cache_directory() / f"{keys[0]}.json")
    placed = {seed: load_value(cache_directory() / f"{keys[1]}-{seed}.json") for seed in job.seeds}
    if packed is None or (None in placed.values() and not Measurement(job.part.name, **packed).over):
        with temporary_folder() as directory:
            place = _Workplace(processes, job, keys[0], directory, events.put)
            synthesised = ""
            if packed is None:
                synthesised = job.verilog
                packed = _pack(place, _synthesise(place, synthesised))
                store_value(cache_directory() / f"{keys[0]}.json", packed)
                events.put(1)
                left -= 1
            fits = not Measurement(job.part.name, packed["cells"], packed["available"]).over
            missing = [seed for seed, stored in placed.items() if stored is None and fits]
            text = job.placed or job.verilog
            if missing and text != synthesised:
                place = replace(place, key=keys[1])
                netlist = _synthesise(place, text)
                # The registers at the ports may be what no longer fits.
                if job.placed:
                    wrapped = _pack(place, netlist)
                    if Measurement(job.part.name, wrapped["cells"], wrapped["available"]).over:
                        missing = []
            for seed in missing:
                placed[seed] = stored = _place(place, seed)
                store_value(cache_directory() / f"{keys[1]}-{seed}.json", stored)
                events.put(1)
                left -= 1
    events.put(left)  # steps that were in the cache, or that a head which does not fit does not need
    placements = tuple(_placement(seed, stored) for seed, stored in placed.items() if stored is not None)
    return Measurement(job.part.name, **packed, placements=placements)


def measure(jobs: Sequence[Job], *, workers: int = 2, progress: Progress | None = None) -> list[Measurement]:
    """Measure every job, `workers` at a time; the results are in the order of `jobs` and do not depend on `workers`.

    Raises `MissingTool` before anything runs, and `ToolFailure` for the first tool that fails; the others are ended
    then, as they are when the caller is interrupted.
    """
    jobs = [replace(job, seeds=()) if job.part.no_clock else job for job in jobs]
    installed = tool_versions(job.part for job in jobs if job.seeds or job.part.packs)
    processes = _Processes()
    events: queue.SimpleQueue[str | int] = queue.SimpleQueue()  # progress is called from here, never from a worker
    steps = sum(1 + len(job.seeds) for job in jobs)
    futures: list[Future[Measurement]] = []
    finished, what = 0, ""
    with ThreadPoolExecutor(max_workers=workers) as pool:
        try:
            for job in jobs:
                keys = (_key(job, job.verilog, installed), _key(job, job.placed or job.verilog, installed))
                futures.append(pool.submit(_measure, processes, job, keys, events))
            while not all(future.done() for future in futures):
                for future in futures:
                    if future.done():
                        future.result()  # raises what it failed with
                try:
                    event = events.get(timeout=0.1)
                except queue.Empty:
                    continue
                finished, what = (finished, event) if isinstance(event, str) else (finished + event, what)
                if progress is not None:
                    progress(finished / steps, what)
            return [future.result() for future in futures]
        except BaseException:
            processes.stop()
            for future in futures:
                future.cancel()
            raise
