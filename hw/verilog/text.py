"""Verilog of a configuration: the same bytes from the same configuration, on every machine."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from amaranth.back import rtlil
from amaranth.hdl import UnusedElaboratable

from softstream.hw.axi import AxiTop
from softstream.hw.config.config import Config, check_config
from softstream.hw.errors import UserError
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import top_ports
from softstream.hw.verilog.comments import component_comment, head_comment
from softstream.hw.verilog.ecp5 import HardBlock, extract
from softstream.hw.verilog.module_text import TABLES, InitialValues, ModuleText
from softstream.hw.verilog.names import Names, check_name, default_name, plain
from softstream.hw.verilog.netlist import Module, read_rtlil
from softstream.hw.verilog.unread import drop_unread
from softstream.hw.verilog.usage import Usage, port_names

__all__ = ["TECHNOLOGIES", "GeneratedText", "description", "generated_text", "verilog"]

TECHNOLOGIES: Mapping[str, Callable[[dict[str, Module]], dict[str, HardBlock]]] = {"ecp5": extract}
"""Family of parts → what moves its block RAMs and multipliers into modules of their own."""

_LINT = "DECLFILENAME UNUSEDSIGNAL"
"""Warnings of `verilator -Wall` that the text switches off: it has many modules in one file, and payloads with unread bits."""

_LAYER = (
    "//",
    "// This text is for ECP5: where SYNTHESIS is defined, memories and products with a register behind them are instances of",
    "// DP16KD and MULT18X18D, which hold that register. Elsewhere, as in simulation, they are described in portable Verilog.",
)


@dataclass(frozen=True)
class GeneratedText:
    """The Verilog of a head, and the files that it reads."""

    verilog: str
    files: Mapping[str, str]
    """File name → text: the words of each table, where `memory_init` is `"readmemh"`; else empty."""
    places: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Path of a module and name of a register or memory in `description` → the instances and the name in the text, with points
    between them."""


def verilog(
    config: Config,
    name: str | None = None,
    *,
    initial_values: bool = True,
    memory_init: str = "inline",
    technology: str | None = None,
) -> str:
    """The generated top as Verilog text, with AXI4-Stream ports (see `ports.top_ports`).

    `name`: the name of the top module, and the prefix of all others; without it, `default_name`, which differs from that of
    any other configuration. So heads of several configurations share one design. The text depends on the arguments and on the
    version of Amaranth alone; no other tool takes part.

    `initial_values`: without them registers and written memories start with unknown contents, and one clock edge with
    `aresetn` low makes the head ready; tables of constants keep theirs. `memory_init`: `"inline"` assigns the words of a table
    in an `initial` block; `"readmemh"` reads them from the files that `generated_text` returns; `"case"` makes a function of
    the table, for tools that ignore initial values of memories.

    `technology`: one of `TECHNOLOGIES`. Its block RAMs and multipliers are then instances, with the registers inside them, where
    the macro `SYNTHESIS` is defined; Yosys defines it by itself. Without the macro the text describes the same in portable form.

    Raises `UserError` as `plan` does, for a name that is no identifier of Verilog and VHDL, and for another `memory_init` or
    `technology`.
    """
    check_config(config)
    return generated_text(
        config, name, initial_values=initial_values, memory_init=memory_init, technology=technology
    ).verilog


def generated_text(
    config: Config,
    name: str | None = None,
    *,
    initial_values: bool = True,
    memory_init: str = "inline",
    technology: str | None = None,
) -> GeneratedText:
    """The text of `verilog`, and the files that it reads. Parameters and errors are those of `verilog`."""
    name = default_name(config) if name is None else name
    check_name(name)
    if memory_init not in TABLES:
        raise UserError(f"memory_init {memory_init!r}: must be one of {', '.join(TABLES)}; for example case")
    if technology is not None and technology not in TECHNOLOGIES:
        raise UserError(f"technology {technology!r}: must be one of {', '.join(TECHNOLOGIES)}; for example ecp5")
    return _text(config, name, InitialValues(initial_values, memory_init), technology)


@lru_cache(maxsize=32)
def _text(config: Config, name: str, initial: InitialValues, technology: str | None) -> GeneratedText:
    plan(config)
    modules = {module.path: module for module in read_rtlil(description(config, name))}
    drop_unread(modules)
    blocks = TECHNOLOGIES[technology](modules) if technology else {}
    usages = {path: Usage(module, modules) for path, module in modules.items()}
    ports = port_names(usages)
    scope = Names()
    names = {path: scope.new("_".join(map(plain, path.split(".")))) for path in modules}
    body: list[str] = []
    files: dict[str, str] = {}
    instances = {next(iter(usages)): ""}
    places: dict[tuple[str, str], str] = {}
    for path, usage in usages.items():
        module = ModuleText(usage, ports, names, initial)
        place = ".".join(map(plain, path.split(".")[1:]))
        lines: Sequence[str] = [line.text for line in module.lines()]
        comment = component_comment(place, usage.module.source)
        if path in blocks:
            lines = list(_with_body(lines, blocks[path].body(ports[path])))
            comment = iter([f"// {place} - {blocks[path].title}"])
        body += ["", *comment, *lines]
        files |= module.files
        places |= {(path, wire): f"{instances[path]}{given}" for wire, given in module.storage_names().items()}
        instances |= {kind: f"{instances[path]}{given}." for kind, given in module.instance_names().items()}
    head = [
        *head_comment(config, name, sorted(files)),
        *(_LAYER if technology else ()),
        *(f"/* verilator lint_off {rule} */" for rule in _LINT.split()),
    ]
    tail = [f"/* verilator lint_on {rule} */" for rule in _LINT.split()]
    return GeneratedText("".join(f"{line}\n" for line in (*head, *body, *tail)), files, places)


def _with_body(lines: Sequence[str], body: Iterator[str]) -> Iterator[str]:
    """The lines of a module with a second body, for synthesis."""
    ports = lines.index(");") + 1
    yield from lines[:ports]
    yield "`ifdef SYNTHESIS"
    yield from body
    yield "`else"
    yield from lines[ports:-1]
    yield "`endif"
    yield lines[-1]


@lru_cache(maxsize=2)
def description(config: Config, name: str) -> str:
    """The top in Amaranth's RTLIL, which the Verilog is written from."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        top = AxiTop(config)
        return rtlil.convert(top, name=name, ports=[getattr(top, port.name) for port in top_ports(config)])
