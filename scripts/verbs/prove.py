"""`softstream prove`: statements about the generated Verilog, for all inputs and all time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softstream.hw.config.config import Config
from softstream.hw.errors import Mismatch, ToolFailure
from softstream.hw.output import check_file, written_file
from softstream.scripts.console import Console

if TYPE_CHECKING:
    from softstream.sim.proofs.engine import Verdict
    from softstream.sim.proofs.proof import Proof

__all__ = ["law_record", "prove"]

_WORDS = {
    "proved": "proved for all time",
    "refuted": "REFUTED",
    "reached": "reached",
    "unreachable": "NEVER REACHED",
    "open": "open",
}

_SECONDS = 120.0
"""Limit of each step of a tool for the law of a manifest; `prove --timeout` has the same default."""

_STATEMENTS = {
    "law": "AXI4-Stream law",
    "whole": "Results, order, number and time",
    "independence": "Independence from initial contents",
    "stores": "Contracts of stores, flow control and the comparison",
    "counting": "Number and order of beats and ends",
}
"""Statement → how the closing line names it."""


def prove(config: Config, seconds: float, waveform: Path | None, console: Console, *, statement: str) -> None:
    """Proves a statement of a head and prints a row for each of its properties.

    `statement`: `law`, at every output; `whole`, all results of the same head in small; `independence`, from what registers and
    memories hold before the first reset; `stores`, the contract of each part that has one, and the room of the stores;
    `counting`, that each output carries what enters once and in order.

    `waveform`: where the shortest trace of a property that fails goes, as VCD; nothing is written where all hold.

    Raises `Mismatch` for a property that is refuted or vacuous, `ToolFailure` for one that is open when the time is over, and
    `UserError` for a configuration that `whole` or `counting` does not take.
    """
    from softstream.hw.verilog import TOP, verilog
    from softstream.scripts.measure.proofs import STATEMENTS
    from softstream.sim.proofs.whole import shrunk

    if statement == "whole":
        config = shrunk(config)
    text = verilog(config, TOP)
    if waveform is not None:
        check_file("--waveform", waveform)
    with console.progress("proving") as progress:
        proof = STATEMENTS[statement](config, verilog=text, seconds=seconds, progress=progress)
    if waveform is not None and proof.waveform:
        with written_file("--waveform", waveform) as target:
            target.write_text(proof.waveform, encoding="utf-8")
    console.document(
        {
            "config": config.to_mapping(),
            "digest": config.digest,
            "statement": statement,
            "answer": proof.answer,
            "verilog_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "tools": _tools(),
            "seconds": round(proof.seconds, 2),
            "properties": [
                {
                    "property": verdict.statement.name,
                    "answer": verdict.answer,
                    "method": verdict.method,
                    "cycles": verdict.cycles,
                    "depth": verdict.depth,
                    "seconds": round(verdict.seconds, 3),
                }
                for verdict in proof.verdicts
            ],
            "beats": list(proof.beats),
        }
    )
    if statement == "whole":
        console.line(
            f"head: {config.mode}, vectors of up to {config.max_length} scores of {config.score_width} bits, "
            f"profile {config.profile}"
        )
    console.table(
        "",
        ("property", "answer", "trace", "s"),
        [
            (
                verdict.statement.name,
                _answer_text(verdict),
                "" if verdict.cycles is None else f"{verdict.cycles} cycles",
                f"{verdict.seconds:.2f}",
            )
            for verdict in proof.verdicts
        ],
        right=("trace", "s"),
        fold=("property",),
        drop=("s", "trace"),
    )
    _conclude(proof, seconds, waveform, console, _STATEMENTS[statement])


def law_record(
    config: Config, text: str, name: str, files: Mapping[str, str], progress: Callable[[float, str], None]
) -> dict[str, Any]:
    """What a manifest says of the AXI4-Stream law of a generated text, for all inputs, stalls and resets and all time.

    `name`: the top module; `files`: those that the text reads with `$readmemh`, name → content.

    Raises `Mismatch` and `ToolFailure` as `prove` does, and `MissingTool`: an entry is one of a law that is proved.
    """
    from softstream.sim.proofs.law import prove_law

    proof = prove_law(config, verilog=text, top=name, files=files, seconds=_SECONDS, progress=progress)
    _raise_unless_proved(proof, _SECONDS, _STATEMENTS["law"], "; softstream prove --waveform FILE.vcd shows it")
    return {
        "answer": proof.answer,
        "properties": {verdict.statement.name: verdict.answer for verdict in proof.verdicts},
        "verilog_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "tools": _tools(),
    }


def _tools() -> dict[str, str]:
    """Versions of what proves; pyosys brings Yosys and ABC."""
    return {"pyosys": version("pyosys")}


def _answer_text(verdict: Verdict) -> str:
    """The answer as a person reads it; an open property may hold for some cycles."""
    words = _WORDS[verdict.answer]
    return f"{words}, no trace of {verdict.depth} cycles" if verdict.depth else words


def _conclude(proof: Proof, seconds: float, waveform: Path | None, console: Console, statement: str) -> None:
    """The closing line, or the error in its place."""
    where = f"; the shortest trace is in {waveform}" if waveform else "; --waveform FILE.vcd keeps the shortest trace"
    _raise_unless_proved(proof, seconds, statement, where)
    console.done(f"{statement} proved for all inputs, stalls and resets, without a bound on time,", "softstream boards")


def _raise_unless_proved(proof: Proof, seconds: float, statement: str, where: str) -> None:
    """Raises the error of a proof that is refuted, vacuous or open; `where`: how a person gets the shortest trace."""
    if proof.answer == "refuted" and not proof.beats:
        names = ", ".join(verdict.statement.name for verdict in proof.verdicts if verdict.answer == "refuted")
        raise Mismatch(f"{statement} refuted: {names}")
    if proof.answer == "refuted":
        raise Mismatch(f"{statement} refuted after {len(proof.beats)} cycles{where}")
    if proof.answer == "vacuous":
        raise Mismatch("a case never occurs, so the statement says nothing: the harness or the head is at fault")
    if proof.answer == "open":
        names = ", ".join(verdict.statement.name for verdict in proof.verdicts if verdict.answer == "open")
        raise ToolFailure(f"open after {seconds:g} s for a step: {names}; --timeout {4 * seconds:g} allows more", None)
