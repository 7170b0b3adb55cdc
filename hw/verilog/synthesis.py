"""The Verilog that measurements synthesise, and the line of Python behind each of its lines."""

import re
import warnings
from functools import lru_cache
from pathlib import Path

from amaranth.back import verilog as backend
from amaranth.hdl import UnusedElaboratable

from softstream.hw.axi import AxiTop
from softstream.hw.config.config import Config
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import top_ports
from softstream.hw.verilog.isolation import pinned_tools
from softstream.hw.verilog.names import TOP

__all__ = ["CORE", "port_registers", "source_lines", "synthesis_verilog", "wrapped_verilog"]

CORE = "core"
"""Instance of the head in `wrapped_verilog`."""


@lru_cache(maxsize=32)
def synthesis_verilog(config: Config) -> str:
    """The head as Verilog that Amaranth's Yosys writes, with the top module `TOP`: what measurements synthesise.

    The recorded cells and clocks are those of this text. That of `verilog` describes the same netlist with other names and
    another order of the cells, which moves the result of logic synthesis by a few cells.
    """
    plan(config)
    return _converted(config, emit_src=False, strip_internal_attrs=True)


@lru_cache(maxsize=32)
def wrapped_verilog(config: Config) -> str:
    """`synthesis_verilog` with each port behind a register, as `port_registers` puts it: what clocks are measured on."""
    head = re.sub(rf"^module {TOP}\(", f"module {TOP}_{CORE}(", synthesis_verilog(config), flags=re.MULTILINE)
    return f"{port_registers(config)}{head}"


def port_registers(config: Config) -> str:
    """The module `TOP`: a register behind each port, `aclk` excepted, of the instance `CORE` of a module `TOP`_`CORE`.

    The paths from and to the ports of a bare head belong to no clock, so its clock leaves them out. In a design they count.
    Here each of them ends in a register, as next to a registered neighbour. The registers break the handshake, so the module is
    for place and route alone.
    """
    ports = [port for port in top_ports(config) if port.name != "aclk"]
    lines = [f"module {TOP}({', '.join(['aclk', *(port.name for port in ports)])});", "  input aclk;"]
    for port in ports:
        width = f"[{port.width - 1}:0] "
        lines += [
            f"  {port.direction} {width}{port.name};",
            f"  {'reg' if port.direction == 'input' else 'wire'} {width}core_{port.name};",
            *([f"  reg {width}{port.name};"] if port.direction == "output" else []),
        ]
    lines += ["  always @(posedge aclk) begin"]
    for port in ports:
        target, source = (f"core_{port.name}", port.name)[:: 1 if port.direction == "input" else -1]
        lines += [f"    {target} <= {source};"]
    connections = ", ".join([".aclk(aclk)", *(f".{port.name}(core_{port.name})" for port in ports)])
    return "\n".join([*lines, "  end", f"  {TOP}_{CORE} {CORE} ({connections});", "endmodule", "", ""])


def _converted(config: Config, **options: bool) -> str:
    with pinned_tools(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        top = AxiTop(config)
        ports = [getattr(top, port.name) for port in top_ports(config)]
        return backend.convert(top, name=TOP, ports=ports, **options)


_ATTRIBUTE = re.compile(r"\(\* .*? \*\)")
_SOURCE = re.compile(r"\(\* src = \"(.*?)\" \*\)")


@lru_cache(maxsize=8)
def source_lines(config: Config) -> tuple[str, ...]:
    """For each line of `synthesis_verilog(config)` the line of Python that it comes from, as `hw/head.py:53`; else empty text.

    The text is generated once more, with source locations as attributes, and compared line by line with the text without them.
    """
    with_sources = []
    before: list[str] = []  # attributes on lines of their own belong to the line that follows
    for line in _converted(config, emit_src=True, strip_internal_attrs=False).splitlines():
        sources = _SOURCE.findall(line)
        text = "".join(_ATTRIBUTE.sub("", line).split())
        if text:
            with_sources.append((text, _own(sources) or _own(before)))
            before = []
        else:
            before = sources or before
    located = iter(with_sources)
    lines = []
    for line in synthesis_verilog(config).splitlines():
        text = "".join(_ATTRIBUTE.sub("", line).split())
        if not text:
            lines.append("")
            continue
        same, source = next(located)
        assert same == text, f"{same} is not {text}"
        lines.append(source)
    return tuple(lines)


def _own(sources: list[str]) -> str:
    """The last source that is a file in `hw` or below it, named by its place in the package."""
    here = Path(__file__).resolve().parents[1]
    for source in reversed([part for text in sources for part in text.split("|")]):
        path, _, number = source.rpartition(":")
        if path and Path(path).resolve().is_relative_to(here):
            return f"{here.name}/{Path(path).resolve().relative_to(here).as_posix()}:{number}"
    return ""
