"""Verilog of a configuration: the same bytes from the same configuration, on every machine."""

import warnings
from collections.abc import Iterator
from functools import lru_cache

from amaranth.back import rtlil
from amaranth.hdl import UnusedElaboratable

from softstream.hw.axi import AxiTop
from softstream.hw.config.config import Config
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import top_ports
from softstream.hw.verilog.comments import component_comment, head_comment
from softstream.hw.verilog.module_text import ModuleText
from softstream.hw.verilog.names import Names, check_name, default_name, plain
from softstream.hw.verilog.netlist import read_rtlil
from softstream.hw.verilog.usage import Usage, port_names

__all__ = ["verilog"]

_LINT = "DECLFILENAME UNUSEDSIGNAL"
"""Warnings of `verilator -Wall` that the text switches off: it has many modules in one file, and payloads with unread bits."""


def verilog(config: Config, name: str | None = None) -> str:
    """The generated top as Verilog text, with AXI4-Stream ports (see `ports.top_ports`).

    `name`: the name of the top module, and the prefix of all others; without it, `default_name`, which differs from that of
    any other configuration. So heads of several configurations share one design. The text depends on the configuration, the
    name and the version of Amaranth alone; no other tool takes part.

    Raises `UserError` as `plan` does, and for a name that is no identifier of Verilog and VHDL.
    """
    name = default_name(config) if name is None else name
    check_name(name)
    return _text(config, name)


@lru_cache(maxsize=32)
def _text(config: Config, name: str) -> str:
    plan(config)
    return "".join(f"{line}\n" for line in _lines(config, name))


def _lines(config: Config, name: str) -> Iterator[str]:
    yield from head_comment(config, name)
    for rule in _LINT.split():
        yield f"/* verilator lint_off {rule} */"
    modules = {module.path: module for module in read_rtlil(_netlist(config, name))}
    usages = {path: Usage(module, modules) for path, module in modules.items()}
    ports = port_names(usages)
    scope = Names()
    names = {path: scope.new("_".join(map(plain, path.split(".")))) for path in modules}
    for path, usage in usages.items():
        yield ""
        yield from component_comment(".".join(map(plain, path.split(".")[1:])), usage.module.source)
        for line in ModuleText(usage, ports, names, initial=True).lines():
            yield line.text
    for rule in _LINT.split():
        yield f"/* verilator lint_on {rule} */"


def _netlist(config: Config, name: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        top = AxiTop(config)
        return rtlil.convert(top, name=name, ports=[getattr(top, port.name) for port in top_ports(config)])
