"""Runs the benches, or the scores of a user, on the generated Verilog in a simulator.

One simulator process runs all benches of a simulation. It has a session of its own, and the runner ends it together with the
caller. The runner reads the result from the results file and never assumes one.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import numpy as np

from softstream.hw import processes
from softstream.hw.config.config import Config
from softstream.hw.errors import Mismatch, MissingTool, ToolFailure, UserError
from softstream.hw.extras import need
from softstream.hw.plan.derive import plan
from softstream.sim import stimulus
from softstream.sim.golden.head import Result, checked, checked_sideband
from softstream.sim.simulators import toolbox
from softstream.sim.simulators.build import TRACES, Trace, VerilatorBuild
from softstream.sim.simulators.job import BENCHES, PLUSARG, TESTS, Job, Outcome

__all__ = ["SIMULATORS", "RtlResult", "Simulator", "Verdict", "run_rtl", "simulate"]

Simulator = Literal["auto", "icarus", "verilator"]
SIMULATORS: tuple[Simulator, ...] = ("auto", "icarus", "verilator")

_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Verdict:
    """The outcome of one test of one bench."""

    bench: str
    test: str
    simulator: str
    passed: bool
    vectors: int
    """Complete output vectors that the bench compared."""
    beats: int
    """Beats transferred on all streams together."""
    cycles: int
    """Clock cycles simulated."""
    seconds: float
    detail: str
    """First line of the failure and path of the log; without a failure the path of the waves, if any."""


class RtlResult(Result):
    """The outputs of the hardware for V vectors, as the golden model's `Result`, and their cycles."""

    def __init__(self, arrays: Mapping[str, np.ndarray], simulator: str) -> None:
        times = ("start_cycle", "first_output_cycle", "last_output_cycle")
        super().__init__({name: values for name, values in arrays.items() if name not in times})
        self.start_cycle = arrays["start_cycle"]
        """Clock cycles from the transfer of the first vector's first input beat to that of each vector's, int64 [V]."""
        self.first_output_cycle = arrays["first_output_cycle"]
        """Clock cycles from the transfer of the vector's first input beat to that of its first output beat, int64 [V]."""
        self.last_output_cycle = arrays["last_output_cycle"]
        """Clock cycles from the transfer of the vector's first input beat to that of its last output beat, int64 [V]."""
        self.simulator = simulator
        """Name of the simulator."""


@dataclass(frozen=True)
class _Inputs:
    """Inputs of the scores bench."""

    scores: np.ndarray
    """Score codes, [V, N]."""
    lengths: np.ndarray
    """Elements of each vector, [V]."""
    sideband: dict[str, np.ndarray]
    """The sideband by name, [V, N] or [V]."""

    @classmethod
    def checked(
        cls,
        config: Config,
        scores: np.ndarray,
        lengths: np.ndarray | None,
        sideband: Mapping[str, np.ndarray] | None,
    ) -> "_Inputs":
        """The inputs as arrays. Raises `UserError` as the golden model does."""
        scores, lengths = checked(config, scores, lengths)
        return cls(scores, lengths, checked_sideband(config, sideband, scores.shape))

    @property
    def elements(self) -> int:
        """Elements of all vectors together."""
        return int(self.lengths.sum())


def simulate(
    config: Config,
    *,
    scores: np.ndarray | None = None,
    lengths: np.ndarray | None = None,
    sideband: Mapping[str, np.ndarray] | None = None,
    simulator: Simulator = "auto",
    waves: bool = False,
    seed: int = 1,
    directory: Path | None = None,
    progress: Callable[[float], None] | None = None,
    step: Callable[[str], None] | None = None,
    benches: Sequence[str] = BENCHES,
    verilog: str | None = None,
) -> list[Verdict]:
    """Runs benches on the Verilog of a configuration and returns the verdict of each test.

    Integer `scores` [V, N], with their `lengths` [V] and their `sideband` (random by default), add the scores bench.
    `verilog` replaces the generated text, for example by a synthesised netlist with the same ports. Log, results and waves go
    to `directory`. Without one they go to a temporary folder, which stays only after a failed test or with `waves`. The
    runner calls `progress` with numbers from 0 to 1, and `step` with each step of building a simulator that is not cached.

    Raises `UserError` for bad scores or an unknown simulator or bench, `MissingTool` for a simulator that is not installed,
    and `ToolFailure` for a simulator that fails or reports nothing. A failed test raises nothing; its verdict reports it.
    """
    for bench in benches:
        if bench not in BENCHES:
            raise UserError(f"bench {bench!r}: must be one of {', '.join(BENCHES)}")
    modules = [*benches, *(["scores"] if scores is not None else [])]
    # The check of the golden model comes first, because inputs that it refuses have no result to compare with.
    if scores is not None and sideband is None:
        sideband = stimulus.random_sideband(config, checked(config, scores, lengths)[0])
    inputs = None if scores is None else _Inputs.checked(config, scores, lengths, sideband)
    elements = 0 if inputs is None else inputs.elements
    cycles = (elements + (_BENCH_CYCLES + 10 * config.max_length if benches else 0)) * _spacing(config)
    run = _Run(config, simulator, cycles, seed=seed, trace="vcd" if waves else "", directory=directory, verilog=verilog)
    with run:
        return run.execute(modules, inputs, progress, step)


def run_rtl(
    config: Config,
    scores: np.ndarray,
    lengths: np.ndarray | None = None,
    sideband: Mapping[str, np.ndarray] | None = None,
    *,
    simulator: Simulator = "auto",
    seed: int = 1,
    progress: Callable[[float], None] | None = None,
    step: Callable[[str], None] | None = None,
    trace: Trace = "",
    directory: Path | None = None,
    verilog: str | None = None,
    stalls: Mapping[str, str] | None = None,
) -> RtlResult:
    """Sends integer score codes [V, N] through the simulated hardware and returns its outputs.

    Vectors follow back to back, and the sinks are always ready, but for the pauses of `stalls` (see `Job`). `sideband` holds the
    arrays of each sideband input that the head has. The runner does not compare the outputs with the golden model. Verilator
    records a `trace` in the file `TRACES[trace]` of `directory`, where the log and the results stay, too.

    Raises as `simulate` does, `UserError` for a trace of Icarus or without a directory, and `Mismatch` for hardware without a
    complete result, because it broke the stream law or lost or added beats.
    """
    inputs = _Inputs.checked(config, scores, lengths, sideband)
    if len(inputs.scores) == 0:
        raise UserError("scores: no vectors; give at least one row")
    if trace and (simulator == "icarus" or directory is None):
        raise UserError(
            "trace: Verilator writes it to a directory; for example simulator='verilator', directory=Path('traces')"
        )
    cycles = inputs.elements * _spacing(config)
    run = _Run(
        config,
        "verilator" if trace else simulator,
        cycles,
        seed=seed,
        compare=False,
        trace=trace,
        directory=directory,
        verilog=verilog,
        stalls=stalls,
    )
    with run:
        verdict = run.execute(["scores"], inputs, progress, step)[0]
        if not verdict.passed:
            raise Mismatch(f"simulated hardware ({verdict.simulator}): {verdict.detail}")
        with np.load(run.job.results_path) as file:
            arrays = {name: file[name] for name in file.files}
    return RtlResult(arrays, verdict.simulator)


def _spacing(config: Config) -> int:
    return plan(config).output_spacing


class _Run:
    """One simulation in one folder, as a context manager that removes its temporary files."""

    def __init__(
        self,
        config: Config,
        simulator: str,
        cycles: int,
        *,
        seed: int,
        compare: bool = True,
        trace: Trace = "",
        directory: Path | None = None,
        verilog: str | None = None,
        stalls: Mapping[str, str] | None = None,
    ) -> None:
        from softstream.hw.verilog import TOP
        from softstream.hw.verilog import verilog as generate

        if simulator not in SIMULATORS:
            raise UserError(f"simulator {simulator!r}: must be one of {', '.join(SIMULATORS)}")
        need("simulation", "cocotb")
        self._libpython = toolbox.libpython()
        self._top = TOP
        self._verilog = generate(config, TOP) if verilog is None else verilog
        self._trace = trace
        self._simulator = _choose(self._verilog, cycles, trace) if simulator == "auto" else simulator
        # The tools are checked before the first write, so that a missing tool leaves no files behind.
        if self._simulator == "icarus":
            toolbox.icarus()
        else:
            self._build = VerilatorBuild(self._verilog, self._top, trace=trace)
        self._keep = directory is not None or bool(trace)
        self._temporary: processes.TemporaryFolder | None = None
        if directory is None:
            self._temporary = processes.TemporaryFolder()
            directory = self._temporary.path
        else:
            directory = Path(directory).resolve()
            directory.mkdir(parents=True, exist_ok=True)
        self.job = Job(directory, config, seed, compare, stalls or {})

    def __enter__(self) -> "_Run":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        # The user needs the log of a failed tool or test, but not that of an interrupted run.
        if self._temporary is not None:
            if self._keep or isinstance(error, ToolFailure | Mismatch):
                self._temporary.keep()
            else:
                self._temporary.remove()

    def execute(
        self,
        benches: Sequence[str],
        inputs: _Inputs | None,
        progress: Callable[[float], None] | None,
        step: Callable[[str], None] | None = None,
    ) -> list[Verdict]:
        """Builds the simulator, runs it and reads the verdicts. `inputs` are those of the scores bench."""
        directory = self.job.directory
        self.job.clear()
        if inputs is None:
            self.job.save()
        else:
            self.job.save(inputs.scores, inputs.lengths, inputs.sideband)
        build = self._build.ensure(directory / "build.log", step) if self._simulator == "verilator" else directory
        source = directory / f"{self._top}.v"
        source.write_text(self._verilog, encoding="utf-8")
        results, log, spec = (directory / name for name in ("results.xml", "simulation.log", "spec.json"))
        results.unlink(missing_ok=True)
        spec.write_text(
            json.dumps(
                {
                    "simulator": self._simulator,
                    "verilog": str(source),
                    "top": self._top,
                    "build": str(build),
                    "directory": str(directory),
                    "modules": [f"softstream.sim.benches.{bench}" for bench in benches],
                    "results": str(results),
                    "seed": self.job.seed,
                    "waves": bool(self._trace),
                    "plusargs": [f"+{PLUSARG}={self.job.path}"],
                }
            ),
            encoding="utf-8",
        )
        tests = sum(TESTS[bench] for bench in benches)
        code = self._watch(
            [sys.executable, "-P", "-m", "softstream.sim.simulators.launch", str(spec)], log, progress, tests
        )
        verdicts = self._read(results, log, code)
        if progress is not None:
            progress(1.0)
        for bench in benches:
            ran = sum(verdict.bench == bench for verdict in verdicts)
            if ran != TESTS[bench]:
                raise ToolFailure(f"{self._simulator}: bench {bench} ran {ran} of {TESTS[bench]} tests", log)
        if not all(verdict.passed for verdict in verdicts):
            self._keep = True
        return verdicts

    def _watch(self, command: list[str], log: Path, progress: Callable[[float], None] | None, tests: int) -> int:
        with log.open("w", encoding="utf-8") as output:
            process = processes.start(command, self.job.directory, output, self._environment())
            done = 0.0
            try:
                while True:
                    try:
                        return process.wait(_POLL_SECONDS)
                    except subprocess.TimeoutExpired:
                        if progress is not None:
                            # A read may catch the file empty, and progress must not fall.
                            done = max(done, min(1.0, self.job.progress() / tests))
                            progress(done)
            finally:
                processes.end(process)

    def _environment(self) -> dict[str, str]:
        # cocotb and its runner also read the environment, so variables of the caller must not reach them.
        prefixes = ("COCOTB_", "PYGPI_", "GPI_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
        for name in ("WAVES", "GUI", "PYTEST_CURRENT_TEST", "TOPLEVEL", "MODULE", "RANDOM_SEED"):
            inherited.pop(name, None)
        return inherited | {"LIBPYTHON_LOC": str(self._libpython)}

    def _read(self, results: Path, log: Path, code: int) -> list[Verdict]:
        """The verdicts of a results file. Raises `ToolFailure` without such a file or with a failed simulator."""
        try:
            cases = list(ElementTree.parse(results).iter("testcase"))
        except (OSError, ElementTree.ParseError):
            raise ToolFailure(f"{self._simulator}: ended with exit code {code} and no results", log) from None
        if code:
            raise ToolFailure(f"{self._simulator}: ended with exit code {code}", log)
        # A test that failed before its session began has no outcome.
        outcomes = {(outcome.bench, outcome.test): outcome for outcome in self.job.outcomes()}
        return [self._verdict(case, outcomes, log) for case in cases]

    def _verdict(self, case: ElementTree.Element, outcomes: dict[tuple[str, str], Outcome], log: Path) -> Verdict:
        bench, test = case.get("classname", "").rpartition(".")[2], case.get("name", "")
        outcome = outcomes.get((bench, test), Outcome(bench, test, 0, 0, 0, ""))
        failure = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
        detail = ""
        if failure is not None:
            reason = outcome.message or (failure.get("message") or failure.tag).splitlines()[0]
            detail = f"{reason} (seed {self.job.seed}; {log})"
        elif self._trace:
            waves = f"{self._top}.fst" if self._simulator == "icarus" else TRACES[self._trace]
            detail = f"waves: {self.job.directory / waves}"
        return Verdict(
            bench=bench,
            test=test,
            simulator=self._simulator,
            passed=failure is None,
            vectors=outcome.vectors,
            beats=outcome.beats,
            cycles=outcome.cycles,
            seconds=float(case.get("time", 0.0)),
            detail=detail,
        )


_BENCH_CYCLES = 14_000
# Measured seconds. Only their order matters, because they choose between the simulators.
_ICARUS_SECONDS_PER_CYCLE = 1.5e-4
_ICARUS_SECONDS_PER_LINE_AND_CYCLE = 1e-7
_VERILATOR_SECONDS_PER_CYCLE = 5e-5
_VERILATOR_SECONDS_MODEL = 2.0
_VERILATOR_SECONDS_LIBRARY = 10.0 / 3  # 10 s, once per machine, spread over the first models


def _choose(verilog: str, cycles: int, trace: Trace) -> str:
    """The simulator with the least estimated time.

    A build of Verilator in the cache is the first choice. Without one, Icarus runs small work if it is installed, and
    Verilator runs the rest. Raises `MissingTool` if neither is installed.
    """
    from softstream.hw.verilog import TOP

    installed = toolbox.installed_simulators()
    seconds: dict[str, float] = {}
    with contextlib.suppress(MissingTool):
        build = VerilatorBuild(verilog, TOP, trace=trace)
        if build.is_cached:
            return "verilator"
        if "verilator" in installed:
            seconds["verilator"] = (
                _VERILATOR_SECONDS_MODEL
                + (0 if build.has_library else _VERILATOR_SECONDS_LIBRARY)
                + cycles * _VERILATOR_SECONDS_PER_CYCLE
            )
    if "icarus" in installed:
        seconds["icarus"] = cycles * (
            _ICARUS_SECONDS_PER_CYCLE + verilog.count("\n") * _ICARUS_SECONDS_PER_LINE_AND_CYCLE
        )
    if not seconds:
        raise MissingTool(
            "simulation: no simulator found; apt install g++ (for the verilator package of Python) or apt install iverilog"
        )
    return min(seconds, key=lambda name: seconds[name])
