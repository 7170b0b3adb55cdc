"""`softstream prove`: the AXI4-Stream law of the generated Verilog, for all inputs and all time."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from softstream.hw.config.config import Config
from softstream.hw.errors import Mismatch, ToolFailure
from softstream.scripts.console import Console
from softstream.scripts.output import check_file, written_file

if TYPE_CHECKING:
    from softstream.sim.proofs.law import Proof

__all__ = ["prove"]

_WORDS = {
    "proved": "proved for all time",
    "refuted": "REFUTED",
    "reached": "reached",
    "unreachable": "NEVER REACHED",
    "open": "open",
}


def prove(config: Config, seconds: float, waveform: Path | None, console: Console) -> None:
    """Proves the law at every output of a head and prints a row for each property.

    `waveform`: where the shortest trace that breaks a law goes, as VCD; nothing is written where all laws hold.

    Raises `Mismatch` for a law that is refuted or vacuous, and `ToolFailure` for one that is open when the time is over.
    """
    from softstream.hw.verilog import TOP, verilog
    from softstream.sim.proofs.law import prove_law

    text = verilog(config, TOP)
    if waveform is not None:
        check_file("--waveform", waveform)
    with console.progress("proving") as progress:
        proof = prove_law(config, seconds=seconds, progress=progress)
    if waveform is not None and proof.waveform:
        with written_file("--waveform", waveform) as target:
            target.write_text(proof.waveform, encoding="utf-8")
    console.document(
        {
            "config": config.to_mapping(),
            "digest": config.digest,
            "answer": proof.answer,
            "verilog_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "tools": {"pyosys": version("pyosys")},
            "seconds": round(proof.seconds, 2),
            "properties": [
                {
                    "property": verdict.statement.name,
                    "answer": verdict.answer,
                    "method": verdict.method,
                    "cycles": verdict.cycles,
                    "seconds": round(verdict.seconds, 3),
                }
                for verdict in proof.verdicts
            ],
            "beats": list(proof.beats),
        }
    )
    console.table(
        "",
        ("property", "answer", "trace", "s"),
        [
            (
                verdict.statement.name,
                _WORDS[verdict.answer],
                "" if verdict.cycles is None else f"{verdict.cycles} cycles",
                f"{verdict.seconds:.2f}",
            )
            for verdict in proof.verdicts
        ],
        right=("trace", "s"),
    )
    _conclude(proof, seconds, waveform, console)


def _conclude(proof: Proof, seconds: float, waveform: Path | None, console: Console) -> None:
    """The closing line, or the error in its place."""
    if proof.answer == "refuted":
        where = (
            f"; the shortest trace is in {waveform}" if waveform else "; --waveform FILE.vcd keeps the shortest trace"
        )
        raise Mismatch(f"the law is broken after {len(proof.beats)} cycles{where}")
    if proof.answer == "vacuous":
        raise Mismatch("an output never stalls, so its law says nothing: the harness or the head is at fault")
    if proof.answer == "open":
        raise ToolFailure(f"open after {seconds:g} s for a step; --timeout {4 * seconds:g} allows more", None)
    console.line(
        f"AXI4-Stream law proved for all inputs, stalls and resets, without a bound on time; {proof.seconds:.1f} s"
    )
