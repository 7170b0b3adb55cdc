"""Files that `softstream generate` writes beside the Verilog on request, so that a head fits into other people's tools.

An artefact is a module of this folder with a function `files`, and a row in `ARTEFACTS`. The option of `generate`, its help, the
list in the manifest and the tests over all artefacts follow from the row. The modules are loaded when their files are asked for,
because the help of the command line must load nothing heavy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from softstream.scripts.emit.head import GeneratedHead

__all__ = ["ARTEFACTS", "Artefact", "artefact_files"]


@dataclass(frozen=True)
class Artefact:
    """One kind of file that accompanies the Verilog."""

    help: str
    """What the option writes, for the help."""
    module: str
    """The module of this folder whose `files(head)` returns file name → text, and whose `commands(head)`, if it has one, the
    commands that use them in their folder."""
    needs: tuple[str, ...] = ()
    """Other artefacts whose files it refers to, and which are written with it."""

    def files(self, head: GeneratedHead) -> dict[str, str]:
        """File name → text. Raises `UserError` for a head that the artefact does not cover."""
        files: dict[str, str] = import_module(f"{__name__}.{self.module}").files(head)
        return files

    def commands(self, head: GeneratedHead) -> list[str]:
        """Commands that use the files, each in the folder of the files."""
        module = import_module(f"{__name__}.{self.module}")
        return list(module.commands(head)) if hasattr(module, "commands") else []


ARTEFACTS: dict[str, Artefact] = {
    "c-model": Artefact("A bit-true model in C99 and C++: one header, with the formats as constants.", "c_model"),
    "templates": Artefact("An instance for VHDL to paste, and a component for Amaranth to import.", "templates"),
    "testbench": Artefact("A self-checking Verilog testbench with vectors, for Icarus and Verilator.", "testbench"),
    "fusesoc": Artefact(
        "A core description for FuseSoC, with targets for lint, sim and synth.", "fusesoc", needs=("testbench",)
    ),
    "litex": Artefact("A module for LiteX, with the streams as endpoints.", "litex"),
    "vivado": Artefact(
        "For Vivado: interface attributes, an IP-XACT component, a packaging script, constraints.", "vivado"
    ),
    "axi-lite": Artefact(
        "Registers in SystemRDL and an AXI4-Lite wrapper, for a processor without a DMA engine.", "axi_lite"
    ),
    "quartus": Artefact("For Quartus: a component of Platform Designer, and constraints.", "quartus"),
}
"""Option of `generate` without its dashes → the artefact."""


def artefact_files(head: GeneratedHead, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Artefact → file name → text, of the named artefacts and of those that they need, in the order of `ARTEFACTS`.

    Raises `UserError` as they do.
    """
    needed = {*names, *(need for name in names for need in ARTEFACTS[name].needs)}
    return {name: artefact.files(head) for name, artefact in ARTEFACTS.items() if name in needed}
