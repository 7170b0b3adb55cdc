"""Toggles of a synthesised head, by kind of cell: how often the outputs of its cells change while scores pass through.

    counts = toggles(config, scores, lengths, sideband, part("hx8k"))
    counts.per_element["LUT4"]       # changes of LUT outputs, for each element of the scores

The dynamic energy of a circuit is a sum over its nets: half the capacitance times the square of the voltage for each change.
The capacitances are the vendor's, so this counts the changes and states no energy. `vcd` keeps the waveform of every net.

The netlist of the synthesis replaces the head in the scores bench, with Yosys' own models of the cells. The bench compares its
outputs with the golden model, so the netlist is verified by the same run. Vectors follow back to back, and the sinks are
always ready. The simulation has no delays: a net changes at most once in a cycle, and glitches are in no number.

Yosys has no models of the block RAMs and multipliers of an ECP5, so the parts are those of the iCE40 family.

Errors: `UserError` for another part; `ToolFailure` where the synthesis or the simulation fails; `Mismatch` for a netlist with
other results than the model.
"""

import json
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from softstream.boards.tools.measure import cache_directory, run_yosys
from softstream.boards.tools.parts import PARTS, Part
from softstream.hw.config.config import Config
from softstream.hw.errors import Mismatch, UserError
from softstream.hw.output import written_file
from softstream.hw.processes import temporary_folder
from softstream.hw.verilog import TOP, synthesis_verilog

__all__ = ["TOGGLE_PARTS", "Toggles", "toggles"]

TOGGLE_PARTS = tuple(row.name for row in PARTS.values() if row.family == "ice40")
"""The parts whose cells have a simulation model."""

# A net of one bit each, but for the ports. Verilator traces no name with a leading underscore, as `rename` chooses by default.
_SCRIPT = """\
read_verilog top.v
{synthesis} -top {top}
rename -hide
splitnets
rename -enumerate -pattern net% w:*
rename -enumerate -pattern cell% c:*
write_json netlist.json
write_verilog -noattr netlist.v
"""
_KINDS = {"SB_LUT4": "LUT4", "SB_CARRY": "CARRY", "SB_RAM40_4K": "RAM4K", "SB_MAC16": "MAC16"}
"""Type of cell → its kind, named as in the rows of the parts; SB_DFF… are flip-flops."""
# Yosys' models widen numbers, and a port of which one bit computes another one looks like a loop.
_LINT = ("UNOPTFLAT", "WIDTHEXPAND", "WIDTHTRUNC")


@dataclass(frozen=True)
class Toggles:
    """Changes of the outputs of the cells of a netlist."""

    part: str
    elements: int
    counts: Mapping[str, int]
    """Kind of cell → changes of the outputs of all cells of this kind, in the whole run."""

    @property
    def per_element(self) -> dict[str, float]:
        """Kind of cell → changes for each element of the scores."""
        return {kind: count / self.elements for kind, count in self.counts.items()}


def toggles(
    config: Config,
    scores: np.ndarray,
    lengths: np.ndarray | None,
    sideband: Mapping[str, np.ndarray] | None,
    part: Part,
    vcd: Path | None = None,
) -> Toggles:
    """The toggles of a head on a part while integer score codes [V, N] pass through. `vcd` keeps the waveform as a file."""
    # A comparison without toggles needs no simulator.
    from softstream.sim.simulators.runner import simulate

    if part.name not in TOGGLE_PARTS:
        raise UserError(
            f"toggles on {part.name}: Yosys has no simulation model of its block RAMs; must be one of "
            f"{', '.join(TOGGLE_PARTS)}; for example {TOGGLE_PARTS[0]}"
        )
    with temporary_folder() as place:
        text, netlist = _synthesised(config, part, place)
        [verdict] = simulate(
            config,
            scores=scores,
            lengths=lengths,
            sideband=sideband,
            simulator="verilator",
            waves=True,
            directory=place,
            benches=(),
            verilog=text,
        )
        if not verdict.passed:
            raise Mismatch(f"simulated netlist for {part.name}: {verdict.detail}")
        waveform = place / "dump.vcd"
        counts = _by_kind(netlist, _changes(waveform))
        if vcd is not None:
            with written_file("vcd", vcd) as file:
                shutil.copyfile(waveform, file)
    elements = int(scores.size if lengths is None else np.sum(lengths))
    return Toggles(part.name, elements, counts)


def _synthesised(config: Config, part: Part, place: Path) -> tuple[str, Mapping[str, Any]]:
    """The netlist with the models of its cells as Verilog, and its top module as Yosys' JSON."""
    (place / "top.v").write_text(synthesis_verilog(config), encoding="utf-8")
    script = _SCRIPT.format(synthesis=part.synthesis, top=TOP)
    run_yosys(script, place, f"netlist for {part.name}", cache_directory(), f"toggles-{part.name}", config.digest)
    module = json.loads((place / "netlist.json").read_text(encoding="utf-8"))["modules"][TOP]
    models = _models({cell["type"] for cell in module["cells"].values()})
    lint = "".join(f"/* verilator lint_off {name} */\n" for name in _LINT)
    return lint + models + (place / "netlist.v").read_text(encoding="utf-8"), module


def _models(types: set[str]) -> str:
    """Yosys' models of the cells of these types, as Verilog."""
    package = find_spec("pyosys")
    assert package is not None
    [folder] = package.submodule_search_locations or []
    text = (Path(folder) / "share" / "ice40" / "cells_sim.v").read_text(encoding="utf-8")
    modules = {hit[1]: hit[0] for hit in re.finditer(r"^module (\w+).*?^endmodule", text, re.MULTILINE | re.DOTALL)}
    return "\n".join([text[: text.index("\nmodule ")], *(body for name, body in modules.items() if name in types), ""])


def _changes(waveform: Path) -> dict[str, list[int]]:
    """Net of the top module → changes of each of its bits, from a VCD file."""
    from vcd.reader import TokenKind, tokenize

    scopes: list[str] = []
    # Nets that are always equal share an identifier.
    names: dict[str, list[str]] = defaultdict(list)
    values: dict[str, int] = {}
    changes: dict[str, list[int]] = {}
    # The format forbids the name that Verilator gives to the scope of the ports.
    content = waveform.read_bytes().replace(b" $rootio ", b" root ", 1)
    with BytesIO(content) as file:
        for token in tokenize(file):
            if token.kind is TokenKind.SCOPE:
                scopes.append(token.scope.ident)
            elif token.kind is TokenKind.UPSCOPE:
                scopes.pop()
            elif token.kind is TokenKind.VAR and scopes[-1] == TOP:
                names[token.var.id_code].append(token.var.reference)
                changes[token.var.reference] = [0] * token.var.size
            elif token.kind is TokenKind.CHANGE_SCALAR or token.kind is TokenKind.CHANGE_VECTOR:
                change = token.scalar_change if token.kind is TokenKind.CHANGE_SCALAR else token.vector_change
                value = int(change.value)
                different = value ^ values.get(change.id_code, value)
                values[change.id_code] = value
                for name in names.get(change.id_code, ()):
                    for bit in range(len(changes[name])):
                        changes[name][bit] += different >> bit & 1
    return changes


def _by_kind(module: Mapping[str, Any], changes: Mapping[str, list[int]]) -> dict[str, int]:
    """Kind of cell → changes of the outputs of its cells."""
    places = {
        bit: (name, index)
        for name, net in module["netnames"].items()
        for index, bit in enumerate(net["bits"])
        if name in changes
    }
    counts: Counter[str] = Counter()
    for cell in module["cells"].values():
        kind = _KINDS.get(cell["type"], "DFF")
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "output":
                for name, index in (places[bit] for bit in bits if bit in places):
                    counts[kind] += changes[name][index]
    return dict(counts)
