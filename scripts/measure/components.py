"""Cells and clock of components that are no head: `python -m softstream.scripts.measure.components` measures them anew.

It writes `boards/measured/components.json`. Cells are those of the component alone, and its clock is that with a register behind
each port, as with a head.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from amaranth import ClockDomain, Module, Value
from amaranth.back import verilog
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from softstream.boards.tools.measure import Job, measure, tool_versions
from softstream.boards.tools.parts import PARTS
from softstream.hw.config.presets import PRESETS
from softstream.hw.stages.state_merge import StateMerger
from softstream.hw.streams.registers import delay
from softstream.hw.verilog import TOP
from softstream.hw.verilog.isolation import pinned_tools
from softstream.scripts.measure.command import exit_code, store
from softstream.scripts.measure.heads import clock_range

__all__ = ["COMPONENTS", "component_verilog", "main"]

SEEDS = (1, 2, 3, 4, 5)
_PARTS = ("ecp5-25k", "hx8k")

COMPONENTS: dict[str, Callable[[], Any]] = {
    "StateMerger, rows of 4096": lambda: StateMerger(PRESETS["log-sum-exp-int8"], 4096),
}
"""Name → a component with an input stream `i` and an output stream `o`."""


class _Top(wiring.Component):
    """A component between plain wires, with `registers` behind each of them; more than 0 break the handshake."""

    def __init__(self, core: Any, registers: int) -> None:
        self._core, self._registers = core, registers
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                "i_payload": In(len(Value.cast(core.i.payload))),
                "i_valid": In(1),
                "i_ready": Out(1),
                "o_payload": Out(len(Value.cast(core.o.payload))),
                "o_valid": Out(1),
                "o_ready": In(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.domains.sync = domain = ClockDomain(local=True)
        m.submodules.core = core = self._core
        m.d.comb += [domain.clk.eq(self.aclk), domain.rst.eq(~delay(m, self.aresetn, self._registers, "aresetn"))]
        for sink, source, name in (
            (core.i.payload, self.i_payload, "i_payload"),
            (core.i.valid, self.i_valid, "i_valid"),
            (self.i_ready, core.i.ready, "i_ready"),
            (self.o_payload, core.o.payload, "o_payload"),
            (self.o_valid, core.o.valid, "o_valid"),
            (core.o.ready, self.o_ready, "o_ready"),
        ):
            m.d.comb += Value.cast(sink).eq(delay(m, Value.cast(source), self._registers, f"{name}_register"))
        return m


def component_verilog(name: str, *, registers: int) -> str:
    """The Verilog of a component, with that many registers behind each of its ports."""
    with pinned_tools():
        return verilog.convert(_Top(COMPONENTS[name](), registers), name=TOP, emit_src=False, strip_internal_attrs=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command above; returns its exit code."""
    argparse.ArgumentParser(
        prog="python -m softstream.scripts.measure.components", description="Cells and clocks of components."
    ).parse_args(arguments)
    return exit_code(_work)


def _work() -> int:
    pairs = [(name, part) for name in COMPONENTS for part in _PARTS]
    jobs = [
        Job(component_verilog(name, registers=0), PARTS[part], SEEDS, name, component_verilog(name, registers=1))
        for name, part in pairs
    ]
    content: dict[str, Any] = {
        "tools": tool_versions(PARTS[part] for part in _PARTS),
        "seeds": list(SEEDS),
        "components": {name: {} for name in COMPONENTS},
    }
    for (name, part), result in zip(pairs, measure(jobs, workers=1), strict=True):
        content["components"][name][part] = {
            "cells": {kind: result.cells[kind] for kind in result.available},
            "fmax_mhz": clock_range(result),
        }
    store("components.json", content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
