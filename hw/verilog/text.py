"""Verilog of a configuration: the same bytes from the same configuration, on every machine."""

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
from softstream.hw.verilog.names import TOP, check_name, default_name

__all__ = ["source_lines", "verilog"]


def verilog(config: Config, name: str | None = None) -> str:
    """The generated top as Verilog text, with AXI4-Stream ports (see `ports.top_ports`).

    `name`: the name of the top module, and the prefix of all others; without it, `default_name`, which differs from that of
    any other configuration. So heads of several configurations share one design. No source locations and no tool attributes
    are written, so the text depends on the configuration, the name, and the pinned versions of Amaranth and its Yosys alone.

    Raises `UserError` as `plan` does, and for a name that is no identifier of Verilog and VHDL.
    """
    name = default_name(config) if name is None else name
    check_name(name)
    return _text(config, name)


@lru_cache(maxsize=32)
def _text(config: Config, name: str) -> str:
    plan(config)
    return _converted(config, name, emit_src=False, strip_internal_attrs=True)


def _converted(config: Config, name: str, **options: bool) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        top = AxiTop(config)
        ports = [getattr(top, port.name) for port in top_ports(config)]
        return backend.convert(top, name=name, ports=ports, **options)


_ATTRIBUTE = re.compile(r"\(\* .*? \*\)")
_SOURCE = re.compile(r"\(\* src = \"(.*?)\" \*\)")


@lru_cache(maxsize=8)
def source_lines(config: Config) -> tuple[str, ...]:
    """For each line of `verilog(config, TOP)` the line of Python that it comes from, as `hw/head.py:53`; else empty text.

    The text is generated once more, with source locations as attributes, and compared line by line with the text without them.
    """
    with_sources = []
    before: list[str] = []  # attributes on lines of their own belong to the line that follows
    for line in _converted(config, TOP, emit_src=True, strip_internal_attrs=False).splitlines():
        sources = _SOURCE.findall(line)
        text = "".join(_ATTRIBUTE.sub("", line).split())
        if text:
            with_sources.append((text, _own(sources) or _own(before)))
            before = []
        else:
            before = sources or before
    located = iter(with_sources)
    lines = []
    for line in verilog(config, TOP).splitlines():
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
