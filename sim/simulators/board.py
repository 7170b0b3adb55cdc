"""Simulates a whole board behind a pseudo-terminal, for any program that talks to a serial port.

    with SimulatedBoard(verilog, "softstream_board", divisor=8) as board:
        board.damage(("to_board", 12, "flip", 3))
        subprocess.run([... , "--port", board.port])

The top of the Verilog has three ports: `clk`, the input line `rx` and the output line `tx`. This module does not interpret the
bytes on the lines.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from xml.etree import ElementTree

from softstream.hw import processes
from softstream.hw.errors import ToolFailure
from softstream.sim.simulators import toolbox
from softstream.sim.simulators.board_job import PLUSARG, BoardJob
from softstream.sim.simulators.build import VerilatorBuild

__all__ = ["Damage", "SimulatedBoard"]

Damage = tuple[str, int, str, int]
"""Direction (`to_board`, `to_host`), byte number since the call of `damage`, kind, and bit on the wire (0 is the start bit, 9 the
stop bit; only `flip` reads it). The kinds are `flip`, `drop`, `double`, and `mark`, which only reports that the byte passed."""

_START_SECONDS = 60.0
_STOP_SECONDS = 20.0


class SimulatedBoard:
    """One simulator process with a board, as a context manager.

    `totals` holds the bytes in each direction after the context.
    """

    port: str
    """Path of the pseudo-terminal."""

    def __init__(
        self,
        verilog: str,
        top: str,
        *,
        divisor: int,
        simulator: str = "verilator",
        directory: Path | None = None,
    ) -> None:
        self._verilog, self._top, self._simulator = verilog, top, simulator
        self._temporary: processes.TemporaryFolder | None = None
        if directory is None:
            self._temporary = processes.TemporaryFolder()
            directory = self._temporary.path
        folder = Path(directory).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        self.job = BoardJob(folder, divisor, os.getpid())
        self.totals: dict[str, int] = {}
        self._unplugged = False

    def __enter__(self) -> "SimulatedBoard":
        job = self.job
        toolbox.libpython()
        build = job.directory
        if self._simulator == "verilator":
            build = VerilatorBuild(self._verilog, self._top).ensure()
        else:
            toolbox.icarus()
        source = job.directory / f"{self._top}.v"
        source.write_text(self._verilog, encoding="utf-8")
        job.save()
        spec = job.directory / "spec.json"
        content = {
            "simulator": self._simulator,
            "verilog": str(source),
            "top": self._top,
            "build": str(build),
            "directory": str(job.directory),
            "modules": ["softstream.sim.benches.board"],
            "results": str(self._results),
            "seed": 1,
            "waves": False,
            "plusargs": [f"+{PLUSARG}={job.path}"],
        }
        spec.write_text(json.dumps(content), encoding="utf-8")
        environment = {
            name: text for name, text in os.environ.items() if not name.startswith(("COCOTB_", "PYGPI_", "GPI_"))
        }
        environment.pop("PYTEST_CURRENT_TEST", None)
        environment["LIBPYTHON_LOC"] = str(toolbox.libpython())
        with self._log.open("w", encoding="utf-8") as output:
            self._process = processes.start(
                [sys.executable, "-P", "-m", "softstream.sim.simulators.launch", str(spec)],
                job.directory,
                output,
                environment,
            )
        try:
            self._await(job.port_path.exists, _START_SECONDS, "the board did not start")
        except BaseException:
            processes.end(self._process)
            raise
        self.port = job.port_path.read_text(encoding="utf-8")
        return self

    def damage(self, *faults: Damage) -> None:
        """Replaces the faults to inject; no arguments end all. Bytes count from the next one each way."""
        self.job.hits_path.unlink(missing_ok=True)
        partial = self.job.faults_path.with_suffix(".new")
        partial.write_text(json.dumps(faults), encoding="utf-8")
        partial.rename(self.job.faults_path)
        self._await(lambda: not self.job.faults_path.exists(), _START_SECONDS, "the board does not listen")

    def unplug(self) -> None:
        """Kills the board and its port; the end of the context then reads no verdict."""
        self._unplugged = True
        processes.end(self._process)

    def hits(self) -> Sequence[str]:
        """The faults injected since the last `damage`, one line each: direction, byte, kind."""
        with contextlib.suppress(FileNotFoundError):
            return self.job.hits_path.read_text(encoding="utf-8").splitlines()
        return []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.job.stop_path.touch()
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
        finally:
            processes.end(self._process)
        if kind is None and not self._unplugged:
            self._check_verdict()
        if self._temporary is not None and isinstance(error, ToolFailure):
            self._temporary.keep()
        elif self._temporary is not None:
            self._temporary.remove()

    def _check_verdict(self) -> None:
        """Reads `totals`. Raises `ToolFailure` unless the bench reports exactly one test, passed."""
        try:
            cases = list(ElementTree.parse(self._results).iter("testcase"))
            self.totals = json.loads(self.job.totals_path.read_text(encoding="utf-8"))
        except (OSError, ElementTree.ParseError):
            raise ToolFailure("the simulated board ended without results", self._log) from None
        if len(cases) != 1 or any(child.tag in ("failure", "error", "skipped") for child in cases[0]):
            raise ToolFailure("the simulated board failed", self._log)

    def _await(self, condition: Callable[[], bool], seconds: float, failure: str) -> None:
        """Waits for a condition. Raises `ToolFailure` after `seconds`, or when the simulator ends."""
        deadline = time.monotonic() + seconds
        while not condition():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ToolFailure(f"{self._simulator}: {failure}", self._log)
            time.sleep(0.01)

    @property
    def _results(self) -> Path:
        return self.job.directory / "results.xml"

    @property
    def _log(self) -> Path:
        return self.job.directory / "simulation.log"
