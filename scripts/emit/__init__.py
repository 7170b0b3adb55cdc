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
    """The module of this folder whose `files(head)` returns file name → text."""

    def files(self, head: GeneratedHead) -> dict[str, str]:
        """File name → text. Raises `UserError` for a head that the artefact does not cover."""
        module = import_module(f"{__name__}.{self.module}")
        files: dict[str, str] = module.files(head)
        return files


ARTEFACTS: dict[str, Artefact] = {
    "c-model": Artefact("A bit-true model in C99 and C++: one header, with the formats as constants.", "c_model"),
}
"""Option of `generate` without its dashes → the artefact."""


def artefact_files(head: GeneratedHead, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Artefact → file name → text, of the named artefacts in the order of `ARTEFACTS`. Raises `UserError` as they do."""
    return {name: artefact.files(head) for name, artefact in ARTEFACTS.items() if name in names}
