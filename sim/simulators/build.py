"""Builds a simulator's executable from Verilog with Verilator, and caches it between runs.

The cache holds two parts, both checked when they are used. Verilator's run-time library does not depend on the design and takes
most of the time, so the build compiles it and its headers once for each compiler and Verilator. The model of a design takes a
second or two. The build does not call make, because make refuses folders with spaces and would compile the library again for
every design.
"""

import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from softstream.hw import cache as user_cache
from softstream.hw import processes
from softstream.hw.errors import ToolFailure
from softstream.sim.simulators import toolbox

__all__ = ["TIMESCALE", "TRACES", "Trace", "VerilatorBuild"]

TIMESCALE = ("1ns", "1ps")
Trace = Literal["", "vcd", "saif"]
"""What a simulation records: nothing, the waveform, or the number of changes and the times at 0 and 1 of each net."""
TRACES: dict[Trace, str] = {"vcd": "dump.vcd", "saif": "dump.saif"}
"""The file of each record in the folder of a simulation, as cocotb's main for Verilator names it."""

_PREFIX = "Vtop"
# Measured on a softmax head: Python reads every value through vpi, so -O1 on it doubles the cycles per second. Any other
# optimisation costs more seconds than it saves in the longest bench.
_OPTIMISE = {"verilated_vpi": "-O1"}
_OPTIMISE_REST = "-O0"
# Only the ports are public to cocotb. With every signal public, Verilator could not simplify the design. A warning ends the
# build, because users run Verilator in its default settings too: a text that cannot avoid a warning has its own `lint_off`.
_VERILATOR_FLAGS = ("--cc", "--vpi", "--public-depth", "1", "--prefix", _PREFIX, "--timescale", "/".join(TIMESCALE))
_DEFINES = ("-DVERILATOR=1", *(f"-DVM_{name}=0" for name in ("COVERAGE", "SC", "TIMING", "TRACE_FST")))
# Every unit includes these headers first. Parsing them takes longer than the model, so the cache holds them precompiled next
# to the library. g++ and clang++ use the precompiled file if it matches their flags, and the text otherwise.
_HEADERS = "headers.h"
_HEADERS_TEXT = '#include "verilated.h"\n#include "verilated_vpi.h"\n'
_CACHED_BUILDS = 100
_WORK = "compiling-"
_CACHE_FORMAT = "2"
"""Raise it when an entry of the cache has other files."""


class _LinkFailure(ToolFailure):
    """A compiler or linker failed, which a damaged run-time library can cause."""


class VerilatorBuild:
    """The executable of one Verilog text in the user's cache; `ensure` builds it if the cache lacks it.

    The cache names an executable by the hash of everything that it depends on. A build works in a temporary folder and
    renames the finished one, so the cache never holds a partial build. Concurrent builds wait for one another.
    """

    def __init__(self, verilog: str, top: str, *, trace: Trace = "", cache: Path | None = None) -> None:
        import cocotb
        import cocotb_tools.config

        self._verilog, self._top, self._trace = verilog, top, trace
        self._tool = toolbox.verilator()
        self._cache = (cache or user_cache.root()) / "verilator"
        self._libraries = Path(cocotb_tools.config.libs_dir)
        self._main = Path(cocotb_tools.config.share_dir) / "lib" / "verilator" / "verilator.cpp"
        self._has_stored_library = False
        self._step: Callable[[str], None] = lambda what: None
        self._flags = (*_VERILATOR_FLAGS, "--top-module", top, *((f"--trace-{trace}",) if trace else ()))
        self._key_facts = (
            *(
                self._tool.version,
                cocotb.__version__,
                version("cocotb"),
                platform.python_version(),
                str(self._libraries),
            ),
            *(_CACHE_FORMAT, _OPTIMISE_REST, repr(_OPTIMISE), *self._flags),
        )

    @property
    def directory(self) -> Path:
        """Folder of the finished build; the executable in it has the name of the top module."""
        return self._cache / _digest(self._verilog, *self._key_facts)

    @property
    def executable(self) -> Path:
        """Path of the simulator."""
        return self.directory / self._top

    @property
    def is_cached(self) -> bool:
        """Whether the cache holds the executable. A damaged one is removed, which one line says."""
        return user_cache.is_intact(self.directory)

    @property
    def has_library(self) -> bool:
        """Whether the cache holds the run-time library, so that a build takes only a few seconds."""
        return self._library_directory.is_dir() and any(self._library_directory.glob("*.o"))

    def ensure(self, log: Path | None = None, step: Callable[[str], None] | None = None) -> Path:
        """Builds the executable if the cache lacks it, and returns its folder. `step` is called with each step of a build.

        Raises `MissingTool` without a compiler, and `ToolFailure` if Verilator or the compiler fails; their output is then in
        `log`, or in a temporary file.
        """
        if not self.is_cached:
            toolbox.compiler()
            try:
                self._cache.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ToolFailure(
                    f"{self._cache}: cannot be written ({error.strerror}); XDG_CACHE_HOME sets another place"
                ) from None
            with user_cache.locked(self._cache):
                if not self.is_cached:
                    self._step = step or (lambda what: None)
                    self._build(log)
        return self.directory

    @property
    def _library_directory(self) -> Path:
        facts = (
            _CACHE_FORMAT,
            self._tool.version,
            str(self._tool.root),
            *toolbox.compiler(),
            _OPTIMISE_REST,
            repr(_OPTIMISE),
        )
        return self._cache / f"library-{_digest(*facts)[:16]}"

    def _build(self, failure_log: Path | None) -> None:
        _prune(self._cache)
        work = Path(tempfile.mkdtemp(prefix=_WORK, dir=self._cache))
        log = work / "build.log"
        try:
            try:
                self._compile(work, log)
            except _LinkFailure:
                # The library's files are unchanged since they were stored, but they may have been stored wrong.
                if not self._has_stored_library:
                    raise
                user_cache.discard(self._library_directory)
                shutil.rmtree(work / "model", ignore_errors=True)
                self._compile(work, log)
            done = work / "done"
            done.mkdir()
            (work / self._top).rename(done / self._top)
            user_cache.seal(done)
            done.rename(self.directory)
        except ToolFailure as error:
            failure_log = failure_log or Path(tempfile.mkdtemp(prefix="softstream-")) / "build.log"
            shutil.copy(log, failure_log)
            raise ToolFailure(str(error), failure_log) from None
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _compile(self, work: Path, log: Path) -> None:
        # Verilator reads $NAME in a path as a variable, so the paths that it gets are relative to the folder of the build.
        source = work / f"{self._top}.v"
        source.write_text(self._verilog, encoding="utf-8")
        environment = {**os.environ, "VERILATOR_ROOT": str(self._tool.root)}
        model = work / "model"
        self._step("Verilator translates the Verilog to C++")
        _run_all([[str(self._tool.program), *self._flags, "-Mdir", model.name, source.name]], log, environment)

        compiler, _ = toolbox.compiler()
        include = self._tool.root / "include"
        base = [compiler, "-c", *_DEFINES, f"-I{include}", f"-I{include / 'vltstd'}"]
        # The library does not read these macros, so it is the same with and without a trace.
        traces = [f"-DVM_TRACE_{name.upper()}={int(name == self._trace)}" for name in TRACES]
        model_command = [*base, f"-DVM_TRACE={int(bool(self._trace))}", *traces, f"-I{model}"]
        library = self._library_directory
        self._has_stored_library = user_cache.is_intact(library)
        library.mkdir(exist_ok=True)
        headers = library / _HEADERS
        if not headers.exists():
            (work / _HEADERS).write_text(_HEADERS_TEXT, encoding="utf-8")
            (work / _HEADERS).replace(headers)
        # One unit holds the model and cocotb's main, because the headers take longer to compile than both.
        unit = work / "unit.cpp"
        parts = [file.name for file in sorted(model.glob("*.cpp"))] + [str(self._main)]
        unit.write_text("".join(f'#include "{part}"\n' for part in parts), encoding="utf-8")
        objects = [work / "unit.o"]
        commands = [[*model_command, _OPTIMISE_REST, "-include", str(headers), str(unit), "-o", str(objects[0])]]
        missing = []
        precompiled = library / f"{_HEADERS}.gch"
        if not precompiled.exists():
            # They compile in parallel with the first model, which reads their text instead of waiting.
            missing.append((work / precompiled.name, precompiled))
            commands.append([*base, _OPTIMISE_REST, "-x", "c++-header", str(headers), "-o", str(missing[-1][0])])
        for name in _library_files(model / f"{_PREFIX}_classes.mk"):
            object_path = library / f"{name}.o"
            objects.append(object_path)
            if not object_path.exists():
                missing.append((work / f"{name}.o", object_path))
                optimise = _OPTIMISE.get(name, _OPTIMISE_REST)
                commands.append([*base, optimise, str(include / f"{name}.cpp"), "-o", str(missing[-1][0])])
        # The slowest command starts first, so that no core is idle at the end.
        commands.sort(key=lambda command: "-O1" not in command)
        once = ", and the run-time library of Verilator, which is compiled once" if missing else ""
        self._step(f"the compiler builds the simulator{once}")
        _run_all(commands, log, failure=_LinkFailure)
        for fresh, object_path in missing:
            fresh.replace(object_path)
        if missing:
            user_cache.seal(library)
        self._step("the linker joins the simulator and cocotb")
        link = [f"-Wl,-rpath,{self._libraries}", f"-L{self._libraries}", "-lcocotbvpi_verilator", "-pthread"]
        _run_all([[compiler, *map(str, objects), *link, "-o", str(work / self._top)]], log, failure=_LinkFailure)


def _digest(*facts: str) -> str:
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()


def _library_files(makefile: Path) -> list[str]:
    """Stems of the run-time sources that Verilator names for a model."""
    text = makefile.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"^VM_GLOBAL_(?:FAST|SLOW) \+=(.*)$", text, re.MULTILINE)
    return [name for names in lines for name in names.split()]


def _prune(cache: Path) -> None:
    """Removes the folders of killed builds, and the least recently used builds beyond `_CACHED_BUILDS`."""
    for leftover in cache.glob(f"{_WORK}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    builds = [entry for entry in cache.iterdir() if re.fullmatch("[0-9a-f]{64}", entry.name)]
    for old in sorted(builds, key=lambda entry: entry.stat().st_mtime)[: -_CACHED_BUILDS or None]:
        shutil.rmtree(old, ignore_errors=True)


def _run_all(
    commands: Sequence[Sequence[str]],
    log: Path,
    environment: dict[str, str] | None = None,
    failure: type[ToolFailure] = ToolFailure,
) -> None:
    """Runs commands in parallel in the log's folder, one per core; their output goes to the log.

    Raises `failure` for the first command that fails; the others are ended then.
    """
    waiting = list(commands)
    running: dict[subprocess.Popen[bytes], str] = {}
    try:
        with log.open("a", encoding="utf-8") as output:
            while waiting or running:
                while waiting and len(running) < (os.cpu_count() or 1):
                    command = waiting.pop(0)
                    output.write(shlex.join(command) + "\n")
                    output.flush()
                    running[processes.start(command, log.parent, output, environment)] = Path(command[0]).name
                for process in [process for process in running if process.poll() is not None]:
                    program = running.pop(process)
                    if process.returncode:
                        raise failure(
                            f"building the simulation: {program} ended with exit code {process.returncode}", log
                        )
                time.sleep(0.01)
    finally:
        for process in running:
            processes.end(process)
