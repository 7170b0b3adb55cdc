"""`softstream prove`: statements about the generated Verilog, for all inputs and all time."""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tomli_w

from softstream.hw.config.config import Config
from softstream.hw.errors import Mismatch, ToolFailure, UserError
from softstream.hw.output import check_directory, check_file, write_directory, written_file
from softstream.scripts.console import Console

if TYPE_CHECKING:
    from softstream.sim.proofs.engine import Verdict
    from softstream.sim.proofs.proof import Proof
    from softstream.sim.proofs.reproduction import Reproduction

__all__ = ["law_record", "prove", "prove_all"]

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
    "decision": "Winner, or order of a list, by the definition",
    "response": "Answer and free input in time",
    "translation": "Agreement of the Verilog with its description",
}
"""Statement → how the closing line names it."""

_TRACED = ("law", "whole", "independence")
"""Statements with a trace at the ports where they are refuted."""

_OF_PARTS = ("stores", "counting", "decision", "response")
"""Statements about the description of the head that the Verilog is written from, and about its parts. They hold for the Verilog
because it is this description, which is proved along with them."""

_IN_SMALL = ("whole", "independence")
"""Statements that the model checker decides of the same head with short vectors of narrow scores."""

_SMALL_SECONDS = 20.0
"""Limit of each step of a tool for these in `prove_all`: what is decided at all is decided in less."""

_SHOWN, _COLUMNS = 5, 80
"""Statements that an error lists, and the width of its lines."""


def prove(
    config: Config,
    seconds: float,
    console: Console,
    *,
    statement: str,
    waveform: Path | None = None,
    counterexample: Path | None = None,
) -> None:
    """Proves a statement of a head and prints a row for each of its properties.

    `statement`: `law`, at every output; `whole`, all results of the same head in small; `independence`, from what registers and
    memories hold before the first reset; `stores`, the contract of each part that has one, and the room of the stores;
    `counting`, that each output carries what enters once and in order; `decision`, that the winner is the first maximum, or that
    a list is in order; `response`, that a beat that waits is taken and a vector that is complete is answered within a number of
    cycles; `translation`, that the Verilog is the description of the head, which the four statements before it include.

    `waveform`: where the shortest trace of a property that fails goes, as VCD; nothing is written where all hold.
    `counterexample`: folder for the scores, and stalls if it needs some, of the shortest run that shows the fault in simulation;
    nothing is written where there is none.

    Raises `Mismatch` for a property that is refuted or vacuous, `ToolFailure` for one that is open when the time is over, and
    `UserError` for a configuration that `whole`, `counting`, `decision` or `response` does not take, and for a statement without
    a trace where a `waveform` or a `counterexample` is asked for.
    """
    from softstream.hw.verilog import TOP, verilog
    from softstream.scripts.measure.proofs import STATEMENTS
    from softstream.sim.proofs.reproduction import reproduce
    from softstream.sim.proofs.whole import shrunk

    claim = _claim(statement)
    if counterexample is not None:
        if claim is None:
            raise UserError(
                f"--counterexample {counterexample}: a simulation of one head does not show what --{statement} refutes; "
                "--whole would do"
            )
        check_directory("--counterexample", counterexample)
    if waveform is not None:
        if statement not in _TRACED:
            raise UserError(
                f"--waveform {waveform}: --{statement} has no trace at the ports of a head; --whole would do"
            )
        check_file("--waveform", waveform)
    if statement == "whole":
        config = shrunk(config)
    text = verilog(config, TOP)
    with console.progress("proving") as progress:
        proof = STATEMENTS[statement](config, verilog=text, seconds=seconds, progress=progress)
        if statement in _OF_PARTS and proof.answer == "proved":
            proof = _combination(
                proof, STATEMENTS["translation"](config, verilog=text, seconds=seconds, progress=progress)
            )
        run = None
        if counterexample is not None and claim is not None and proof.answer == "refuted":
            run = reproduce(config, claim, proof.refuted, verilog=text, seconds=seconds, progress=progress)
    if waveform is not None and proof.waveform:
        with written_file("--waveform", waveform) as target:
            target.write_text(proof.waveform, encoding="utf-8")
    command = _written(config, run, counterexample) if run is not None and counterexample is not None else ""
    console.document(
        {
            "config": config.to_mapping(),
            "digest": config.digest,
            "statement": statement,
            "answer": proof.answer,
            "verilog_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "tools": _tools(),
            "seconds": round(proof.seconds, 2),
            "properties": _properties(proof),
            "beats": list(proof.beats),
            **({} if run is None else {"counterexample": {"command": command, "reason": run.reason}}),
        }
    )
    if statement == "whole":
        console.line(
            f"head: {config.mode}, vectors of up to {config.max_length} scores of {config.score_width} bits, "
            f"profile {config.profile}"
        )
    console.table(
        "",
        ("property", "answer", "method", "trace", "s"),
        [
            (
                verdict.statement.name,
                _answer_text(verdict),
                verdict.method,
                "" if verdict.cycles is None else f"{verdict.cycles} cycles",
                f"{verdict.seconds:.2f}",
            )
            for verdict in proof.verdicts
        ],
        right=("trace", "s"),
        fold=("property",),
        drop=("method", "s", "trace"),
    )
    if run is not None:
        console.line(_run_text(run, command))
    shown = None if claim is None else counterexample is not None
    _conclude(proof, seconds, waveform, shown, console, _STATEMENTS[statement])


def prove_all(config: Config, seconds: float, console: Console) -> None:
    """Proves every statement that covers a head, one after the other, and prints a row for each.

    The results and the independence from initial contents are proved of the same head in small, where it has one, with at most
    20 seconds for each step. An open statement is no error here.

    Raises `Mismatch` for a statement that is refuted or vacuous, and `ToolFailure` where a tool fails.
    """
    from softstream.hw.verilog import TOP, verilog
    from softstream.scripts.measure.proofs import STATEMENTS

    text = verilog(config, TOP)
    proofs: dict[str, tuple[Proof | None, str]] = {}
    with console.progress("proving") as progress:
        for number, (statement, title) in enumerate(_STATEMENTS.items()):

            def part(fraction: float, what: str, number: int = number, title: str = title) -> None:
                progress((number + fraction) / len(_STATEMENTS), f"{title}: {what}")

            part(0.0, "whether it covers the head")
            head, size = _covered(statement, config)
            limit = min(seconds, _SMALL_SECONDS) if statement in _IN_SMALL else seconds
            proof = None
            if head is not None:
                proof = STATEMENTS[statement](head, verilog=verilog(head, TOP), seconds=limit, progress=part)
            proofs[statement] = proof, size
    console.document(
        {
            "config": config.to_mapping(),
            "digest": config.digest,
            "verilog_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "tools": _tools(),
            "statements": [
                {
                    "statement": statement,
                    "size": size,
                    "answer": "not covered" if proof is None else proof.answer,
                    "seconds": 0.0 if proof is None else round(proof.seconds, 2),
                    "properties": [] if proof is None else _properties(proof),
                }
                for statement, (proof, size) in proofs.items()
            ],
        }
    )
    console.table(
        "",
        ("statement", "size", "answer", "method", "s"),
        [
            (
                _STATEMENTS[statement],
                size,
                _whole_answer(proof),
                _methods(proof),
                f"{proof.seconds:.1f}" if proof else "",
            )
            for statement, (proof, size) in proofs.items()
        ],
        right=("s",),
        fold=("statement", "answer"),
        drop=("method",),
    )
    for statement, (proof, _) in proofs.items():
        if proof is not None and proof.answer in ("refuted", "vacuous"):
            raise Mismatch(f"{_STATEMENTS[statement]} {proof.answer}; softstream prove --{statement} tells more")
    proved = sum(proof is not None and proof.answer == "proved" for proof, _ in proofs.values())
    console.done(f"{proved} of {len(proofs)} statements proved, none refuted,", "softstream boards")


def _covered(statement: str, config: Config) -> tuple[Config | None, str]:
    """(the head that a statement is proved of, or None where the proof covers none; its size)."""
    from softstream.sim.proofs.counting import is_covered
    from softstream.sim.proofs.decision import is_decided
    from softstream.sim.proofs.response.proof import is_answered
    from softstream.sim.proofs.whole import shrunk

    predicate = {"counting": is_covered, "decision": is_decided, "response": is_answered}.get(statement)
    full = f"{config.max_length} × {config.score_width} bits"
    if predicate is not None and not predicate(config):
        return None, ""
    if statement not in _IN_SMALL or (statement == "independence" and config.traits.independent):
        return config, full
    try:
        head = shrunk(config)
    except UserError:
        return None, ""
    return head, f"{head.max_length} × {head.score_width} bits"


def _combination(proof: Proof, other: Proof) -> Proof:
    """Two proofs of a head as one."""
    return replace(proof, verdicts=(*proof.verdicts, *other.verdicts), seconds=proof.seconds + other.seconds)


def _properties(proof: Proof) -> list[dict[str, Any]]:
    """The verdicts of a proof as plain values."""
    return [
        {
            "property": verdict.statement.name,
            "answer": verdict.answer,
            "method": verdict.method,
            "cycles": verdict.cycles,
            "depth": verdict.depth,
            "seconds": round(verdict.seconds, 3),
        }
        for verdict in proof.verdicts
    ]


def _whole_answer(proof: Proof | None) -> str:
    """The answer of a proof as a person reads it: of an open one, how much of it."""
    if proof is None:
        return "not covered"
    if proof.answer != "open":
        return {"proved": "proved for all time", "refuted": "REFUTED", "vacuous": "VACUOUS"}[proof.answer]
    verdicts = [verdict for verdict in proof.verdicts if verdict.answer == "open"]
    depths = [verdict.depth or 0 for verdict in verdicts]
    known = f", no trace of {min(depths)} cycles" if min(depths) else ""
    return f"open: {len(verdicts)} of {len(proof.verdicts)} properties{known}"


def _methods(proof: Proof | None) -> str:
    """How a proof was decided."""
    return "" if proof is None else ", ".join(dict.fromkeys(verdict.method for verdict in proof.verdicts))


def _claim(statement: str) -> Any:
    """The claim of a statement whose traces are those of one head's ports; None for others."""
    from softstream.sim.proofs.law import prove_law
    from softstream.sim.proofs.whole import prove_whole

    prover = {"law": prove_law, "whole": prove_whole}.get(statement)
    return None if prover is None else prover.claim


def _written(config: Config, run: Reproduction, folder: Path) -> str:
    """Writes the files of a run into a folder; the command that simulates it. Empty, and nothing written, where there is none."""
    if run.statement is None:
        return ""
    arrays = {"scores": run.scores, "lengths": run.lengths, **run.sideband}
    contents: dict[str, str | bytes] = {"config.toml": tomli_w.dumps(config.to_sections())}
    for name, array in arrays.items():
        buffer = io.BytesIO()
        np.save(buffer, array)
        contents[f"{name}.npy"] = buffer.getvalue()
    if run.stalls:
        contents["stalls.json"] = json.dumps(run.stalls, indent=1) + "\n"
    write_directory("--counterexample", folder, contents, stale=() if run.stalls else ("stalls.json",))
    words = ["softstream", "run", str(folder / "config.toml"), "--engine", "rtl"]
    words += ["--scores", str(folder / "scores.npy"), "--lengths", str(folder / "lengths.npy")]
    for name in run.sideband:
        words += ["--sideband", f"{name}={folder / name}.npy"]
    if run.stalls:
        words += ["--stalls", str(folder / "stalls.json")]
    return shlex.join([*words, "-o", str(folder / "results.npz")])


def _run_text(run: Reproduction, command: str) -> str:
    """What a person learns of the run that shows a fault."""
    if run.statement is None:
        return run.reason
    stalls = " and stalls" if run.stalls else ""
    late = "" if run.statement.at_once else ", which prints the cycles, and fails only if the answer never comes"
    counts = f"scores {run.lengths.sum()}, vectors {len(run.lengths)}"
    return f"{run.statement.name}: a simulation with these scores{stalls} shows the fault{late} ({counts}): {command}"


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


def _conclude(
    proof: Proof, seconds: float, waveform: Path | None, shown: bool | None, console: Console, statement: str
) -> None:
    """The closing line, or the error in its place. `shown`: whether a run was looked for; None where there is none to find."""
    where = f"; the shortest trace is in {waveform}" if waveform else "; --waveform FILE.vcd keeps the shortest trace"
    if shown is False:
        where += ", --counterexample FOLDER the scores that show it in a simulation"
    _raise_unless_proved(proof, seconds, statement, where, console)
    console.done(f"{statement} proved for all inputs, stalls and resets, without a bound on time,", "softstream boards")


def _raise_unless_proved(
    proof: Proof, seconds: float, statement: str, where: str, console: Console | None = None
) -> None:
    """Raises the error of a proof that is refuted, vacuous or open; `where`: how a person gets the shortest trace."""
    if proof.answer == "refuted" and not proof.beats:
        raise Mismatch(f"{statement} refuted: {_named(proof, 'refuted', console)}")
    if proof.answer == "refuted":
        raise Mismatch(f"{statement} refuted after {len(proof.beats)} cycles{where}")
    if proof.answer == "vacuous":
        raise Mismatch("a case never occurs, so the statement says nothing: the harness or the head is at fault")
    if proof.answer == "open":
        names = _named(proof, "open", console)
        raise ToolFailure(f"open after {seconds:g} s for a step: {names}; --timeout {4 * seconds:g} allows more", None)


def _named(proof: Proof, answer: str, console: Console | None) -> str:
    """The statements with an answer, for one line; where they are too many for it, the first of them go to lines of their own."""
    names = [verdict.statement.name for verdict in proof.verdicts if verdict.answer == answer]
    if console is None or len(", ".join(names)) <= _COLUMNS // 2:
        return ", ".join(names)
    for name in names[:_SHOWN]:
        console.note(f"  {textwrap.shorten(name, _COLUMNS - 2, placeholder=' …')}")
    if len(names) > _SHOWN:
        console.note(f"  and {len(names) - _SHOWN} more")
    return f"{len(names)} of {len(proof.verdicts)} statements"
