"""The proofs that the pages show: the law of every preset, the contracts of its stores, and what is proved of small heads.

    python -m softstream.scripts.measure.proofs            # make prove: proves anew and compares with the record
    python -m softstream.scripts.measure.proofs --write    # and writes the record; names of heads prove these alone
    python -m softstream.scripts.measure.proofs --statement counting top-k-int8    # and this statement alone

`boards/measured/proofs.json` holds the answers. A statement that the record calls proved must be proved again; a statement that
is open in the record may become proved. A time-out is open, never proved.
"""

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from softstream.hw.config.config import Config
from softstream.hw.config.keys import nearest
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import UserError
from softstream.scripts.measure.command import exit_code, store
from softstream.sim.proofs.counting import is_covered, prove_counting
from softstream.sim.proofs.decision import is_decided, prove_decision
from softstream.sim.proofs.independence import prove_independence
from softstream.sim.proofs.law import prove_law
from softstream.sim.proofs.proof import Proof
from softstream.sim.proofs.requests import FINDS
from softstream.sim.proofs.response.proof import is_answered, prove_response
from softstream.sim.proofs.rooms import ON_REQUEST, has_stores, prove_store_rooms, stores_with_room
from softstream.sim.proofs.stores import contracts_of, prove_contract, prove_stores, summary
from softstream.sim.proofs.translation import prove_translation
from softstream.sim.proofs.whole import prove_whole, shrunk

__all__ = ["RECORD", "SMALL", "STATEMENTS", "lost", "mutation_record", "recorded", "stores_proved"]

_MEASURED = Path(__file__).resolve().parents[2] / "boards" / "measured"
RECORD = _MEASURED / "proofs.json"

SMALL: dict[str, Config] = {
    "argmax, small": Config(mode="argmax", profile="small"),
    "argmax, small, unsigned": Config(mode="argmax", profile="small", score_signed=False),
    "argmax, small, masked": Config(mode="argmax", profile="small", mask=True),
    "argmax": Config(mode="argmax"),
    "sigmoid, small": Config(mode="sigmoid", profile="small"),
    "sigmoid": Config(mode="sigmoid"),
    "softmax, two passes": Config(profile="small", accumulator="two_pass", max_length=2),
    "softmax, divider": Config(normaliser="divider"),
    "softmax, logarithm": Config(normaliser="logarithm"),
    "softmax, reciprocal": Config(normaliser="reciprocal"),
    "softmax, small": Config(profile="small"),
    "log-softmax": Config(mode="log_softmax"),
    "exponential": Config(mode="exponential"),
    "hardmax": Config(mode="hardmax"),
    "Top-K": Config(mode="top_k"),
    "Top-K with softmax": Config(mode="softmax_top_k"),
}
"""Heads that `shrunk` makes small, one of each mode that the ledger follows."""

STATEMENTS: dict[str, Callable[..., Proof]] = {
    "law": prove_law,
    "whole": prove_whole,
    "independence": prove_independence,
    "stores": prove_stores,
    "counting": prove_counting,
    "decision": prove_decision,
    "response": prove_response,
    "rooms": prove_store_rooms,
    "translation": prove_translation,
}

_RECORDED = ("law", "whole", "independence", "counting", "decision", "response", "rooms", "translation")
"""Statements of a head in the record."""

_SECONDS = {"law": 60, "rooms": 200, "whole": 20, "independence": 20}
"""Limit of each step of each tool. What a quiet core proves at all, it proves in a third of it, but two passes."""

_READING = 300

_LONGER = {"softmax, two passes": 300, "argmax": 120, "argmax, small, masked": 120, "sigmoid": 300}


def recorded() -> dict[str, Any]:
    """The record: `tools`; `contracts`, title → `answer`; `small` and `presets`, head → statement → `answer` and `properties`."""
    return dict(json.loads(RECORD.read_text(encoding="utf-8")))


def stores_proved(statements: dict[str, Any]) -> int:
    """How many stores of a head its recorded proofs show to have room.

    That a queue which is read on request has a payload for each request is a statement of the counting.
    """
    row = statements["rooms"]
    requested = sum(entry["property"].endswith(ON_REQUEST) for entry in row["properties"])
    counted = statements.get("counting", {}).get("properties", ())
    finds = sum(entry["property"].endswith(FINDS) and entry["answer"] == "proved" for entry in counted)
    return int(row["covered"]) - max(0, requested - finds)


def mutation_record() -> dict[str, Any]:
    """What found each fault of `make mutation`: head → rows with `simulation`, `proof` and `equivalent`."""
    return dict(json.loads((_MEASURED / "mutation.json").read_text(encoding="utf-8")))


def _jobs(heads: Sequence[str], statements: Sequence[str] = ()) -> Iterator[tuple[str, str, str, Config, int]]:
    """(part of the record, head, statement, configuration, seconds) of some heads and statements; of all where none is named."""

    def chosen(name: str, statement: str) -> bool:
        return (not heads or name in heads) and (not statements or statement in statements)

    for name, config in SMALL.items():
        for statement in ("whole", "independence"):
            if chosen(name, statement):
                yield "small", name, statement, shrunk(config), _LONGER.get(name, _SECONDS[statement])
    for name, config in PRESETS.items():
        for statement in ("law", "translation"):
            if chosen(name, statement):
                yield "presets", name, statement, config, _SECONDS["law"]
        # Whether the counting covers a head takes seconds.
        if chosen(name, "counting") and is_covered(config):
            yield "presets", name, "counting", config, _SECONDS["law"]
        if chosen(name, "decision") and is_decided(config):
            yield "presets", name, "decision", config, _SECONDS["law"]
        if chosen(name, "response") and is_answered(config):
            yield "presets", name, "response", config, _SECONDS["law"]
        if chosen(name, "rooms") and has_stores(config):
            yield "presets", name, "rooms", config, _SECONDS["rooms"]
        # Of the others the model checker decides the independence in small only.
        if chosen(name, "independence") and config.traits.independent:
            yield "presets", name, "independence", config, _SECONDS["law"]


def _contracts() -> Iterator[tuple[str, dict[str, Any]]]:
    """The contract of every component of the presets, one of each kind and size: (title, answer and statements)."""
    for title, component in contracts_of(PRESETS.values()).items():
        verdicts = prove_contract(component, seconds=_SECONDS["law"])
        answers = {verdict.answer for verdict in summary(title, verdicts)}
        yield (
            title,
            {
                "answer": next(iter(answers)) if len(answers) == 1 else "refuted" if "refuted" in answers else "open",
                "statements": len(verdicts),
                "seconds": round(sum(verdict.seconds for verdict in verdicts), 1),
            },
        )


def _cpu_seconds() -> float:
    """CPU time of this process and of the tools that it has started."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _prove(job: tuple[str, str, str, Config, int]) -> tuple[str, str, str, dict[str, Any]]:
    part, name, statement, config, seconds = job
    began = _cpu_seconds()
    proof = STATEMENTS[statement](config, seconds=seconds, reading_seconds=_READING)
    spent = {"seconds": round(proof.seconds), "cpu_seconds": round(_cpu_seconds() - began, 1)}
    properties = [
        {
            "property": verdict.statement.name,
            "answer": verdict.answer,
            **({"cycles": verdict.cycles} if verdict.cycles is not None else {}),
            **({"depth": verdict.depth} if verdict.depth is not None else {}),
            "seconds": round(verdict.seconds, 1),
        }
        for verdict in proof.verdicts
    ]
    row = {"answer": proof.answer, "digest": config.digest, **spent, "properties": properties}
    if statement == "rooms":
        row["stores"], row["covered"] = stores_with_room(config)
    return part, name, statement, row


def lost(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Properties that the record before calls proved or reached, and the new one does not."""
    lines = []
    contracts = after.get("contracts", {})
    for title, row in before.get("contracts", {}).items():
        # A size that no preset has any more is none that is lost.
        if row["answer"] == "proved" and contracts.get(title, row)["answer"] != "proved":
            lines.append(f"contract of {title}: was proved, is {contracts[title]['answer']}")
    for part in ("small", "presets"):
        for name, statements in before.get(part, {}).items():
            for statement, row in statements.items():
                answers = {
                    entry["property"]: entry["answer"]
                    for entry in after[part].get(name, {}).get(statement, {}).get("properties", ())
                }
                lines += [
                    f"{name}, {statement}: {entry['property']} was {entry['answer']}, is {answers.get(entry['property'])}"
                    for entry in row["properties"]
                    if entry["answer"] in ("proved", "reached") and answers.get(entry["property"]) != entry["answer"]
                ]
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Proves everything and prints a line for each statement; 1 where one is refuted or no longer proved."""
    parser = argparse.ArgumentParser(
        prog="python -m softstream.scripts.measure.proofs",
        description="The law of every preset, and the proofs of small heads.",
    )
    parser.add_argument("--write", action="store_true", help=f"write {RECORD.name} anew")
    parser.add_argument("--jobs", type=int, default=2, help="proofs at the same time")
    parser.add_argument(
        "--statement",
        action="append",
        default=[],
        help=f"{', '.join(_RECORDED)}: of the heads, this one alone; may come again",
    )
    parser.add_argument("heads", nargs="*", help="some of the heads and presets, or `contracts`; without any, all")
    options = parser.parse_args(arguments)
    return exit_code(lambda: _work(options))


def _work(options: argparse.Namespace) -> int:
    known = {"contracts", *SMALL, *PRESETS}
    if unknown := sorted(set(options.heads) - known):
        raise UserError(f"{unknown[0]}: no such head{nearest(unknown[0], sorted(known))}; for example contracts")
    if options.jobs < 1:
        raise UserError(f"--jobs {options.jobs}: must be 1 or more; for example --jobs 2")
    if unknown := sorted(set(options.statement) - {*_RECORDED}):
        raise UserError(
            f"--statement {unknown[0]}: must be one of {', '.join(_RECORDED)}; for example --statement counting"
        )
    in_part = options.heads or options.statement
    before = recorded() if RECORD.exists() else {}
    after: dict[str, Any] = {"tools": {"pyosys": version("pyosys")}, "contracts": {}, "small": {}, "presets": {}}
    if in_part:
        after["contracts"] = before.get("contracts", {})
        after |= {
            part: {name: dict(rows) for name, rows in before.get(part, {}).items()} for part in ("small", "presets")
        }
    jobs = [*_jobs(options.heads, options.statement)]
    bad = 0
    if not in_part or "contracts" in options.heads:
        after["contracts"] = {}
        for title, row in _contracts():
            after["contracts"][title] = row
            bad += row["answer"] == "refuted"
            print(f"{title:32} {'contract':13} {row['answer']:8} {row['seconds']:5} s", flush=True)
        if options.write:
            store(RECORD.name, after)
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        for part, name, statement, row in pool.imap(_prove, jobs):
            after[part].setdefault(name, {})[statement] = row
            bad += row["answer"] in ("refuted", "vacuous")
            print(f"{name:32} {statement:13} {row['answer']:8} {row['seconds']:5} s", flush=True)
            if options.write:
                store(RECORD.name, after)
    missing = [] if options.write else lost(before, after)
    print("".join(f"{line}\n" for line in missing), end="")
    return int(bool(bad or missing))


if __name__ == "__main__":
    sys.exit(main())
