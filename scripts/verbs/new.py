"""`softstream new`: five questions, the best presets for the answers with their cost, and a commented configuration file."""

from __future__ import annotations

import shlex
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import tomli_w

from softstream.boards.tools.parts import PARTS, head_on
from softstream.boards.tools.parts import part as find_part
from softstream.hw.config.config import KEYS, SECTIONS, Config, Key
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import UserError
from softstream.hw.output import check_file, written_file
from softstream.hw.plan.derive import plan
from softstream.scripts.console import Console
from softstream.scripts.measure.recorded import recorded
from softstream.scripts.verbs.presets import PURPOSES, cost_of

__all__ = ["GOALS", "NEEDS", "Answers", "Candidate", "candidates", "new"]

NEEDS = {
    "class": ("argmax-int8", "argmax-int8-small"),
    "probabilities": (
        "softmax-int8",
        "softmax-int8-divider",
        "softmax-int8-log",
        "softmax-int8-fastest",
        "softmax-int8-dsp",
        "softmax-int8-small",
        "softmax-int16",
    ),
    "top-k": ("top-k-int8", "softmax-top-k-int8"),
    "draw": (
        "sample-int8",
        "sample-int8-cdf",
        "sample-int8-temperature",
        "sample-int8-top-p",
        "sample-int8-min-p",
        "sample-int8-bounds",
    ),
}
"""What the head gives → the presets that give it."""
GOALS = ("speed", "size")
_OFFERED = 3
_SPAN_NATS = 16.0
"""From the smallest score to the largest, as in the presets; the user's network decides."""
_NEUTRAL = {"need": "probabilities", "bits": 8, "length": 64, "part": "hx8k", "goal": "speed"}
_COLUMNS = 100
"""Of a comment in the file."""
_WRITTEN = {"mode", "max_length", "score_width", "score_scale", "profile"}
"""Keys that the file states although they may equal their defaults."""


@dataclass(frozen=True)
class Answers:
    """The answers to the five questions."""

    need: str
    bits: int
    length: int
    part: str
    goal: str


@dataclass(frozen=True)
class Candidate:
    """A configuration that gives what was asked for, with the cells and clock of the preset that it is based on."""

    preset: str
    config: Config
    cells: str
    logic: int
    mhz: float
    wider: bool
    """Whether the scores are wider than those that were measured, so that more cells are needed."""

    @property
    def throughput(self) -> float:
        """Scores in a microsecond, of vectors of the greatest length back to back."""
        length = self.config.max_length
        return self.mhz * length / plan(self.config).interval_cycles(length)


def candidates(answers: Answers) -> list[Candidate]:
    """The best configurations for the answers, best first; three at the most.

    Raises `UserError` where none of the measured heads fits the part, or none can have such scores.
    """
    need, bits, length = answers.need, answers.bits, answers.length
    part = find_part(answers.part)
    widest = max(PRESETS[name].score_width for name in NEEDS[need])
    rows, refusal = [], None
    for name in NEEDS[need]:
        base, entry = head_on(PRESETS[name], part), recorded()["presets"][name].get(part.name)
        if base.score_width < min(bits, widest) or entry is None or entry["fmax_mhz"] is None:
            continue
        keys: dict[str, Any] = {"score_width": bits, "max_length": length}
        if bits != base.score_width:
            keys["score_scale"] = _SPAN_NATS / 2**bits
        if base.traits.top_k:
            keys["top_k"] = max(1, min(base.top_k, length))
        try:
            config = base.replace(**keys)
            plan(config)
        except UserError as error:
            refusal = refusal or error
            continue
        cells, _ = cost_of(entry)
        logic = next(iter(entry["cells"].values()))  # logic cells come first
        rows.append(Candidate(name, config, cells, logic, entry["fmax_mhz"], bits > base.score_width))
    if not rows:
        if refusal is not None:
            raise refusal
        others = [other for other in PARTS if other != part.name and _fits(need, bits, other)]
        remedy = f"--part {others[0]}" if others else "--bits 8"
        raise UserError(
            f"--part {part.name}: no measured head with {need} of {bits}-bit scores fits it; {remedy} would do"
        )
    order: Callable[[Candidate], float] = (
        (lambda row: -row.throughput) if answers.goal == "speed" else (lambda row: row.logic)
    )
    # On some parts two presets are one circuit, and a choice between them would be none: the first of NEEDS stands for both.
    distinct: dict[tuple[object, ...], Candidate] = {}
    for row in rows:
        head = plan(row.config)
        distinct.setdefault((row.cells, row.mhz, head.latency_text, head.interval_formula, head.bound_ulp), row)
    return sorted(distinct.values(), key=order)[:_OFFERED]


def _fits(need: str, bits: int, part: str) -> bool:
    """Whether a preset that gives `need`, with scores at least as wide, was placed on the part."""
    return any(
        PRESETS[name].score_width >= bits and (recorded()["presets"][name].get(part) or {}).get("fmax_mhz")
        for name in NEEDS[need]
    )


def new(fields: Mapping[str, Any], choice: int | None, path: Path, console: Console) -> None:
    """Asks what is open, offers the best configurations, and writes the chosen one.

    `fields`: those of `Answers`, None where nobody has answered. Raises `UserError` where a question is open and there is
    no terminal, and where `path` exists.
    """
    missing = [name for name, value in fields.items() if value is None]
    asking = bool(missing) and sys.stdin is not None and sys.stdin.isatty() and console.in_words
    if missing and not asking:
        full = {name: _NEUTRAL[name] if value is None else value for name, value in fields.items()}
        options = " ".join(f"--{name} {value}" for name, value in full.items())
        raise UserError(
            f"no terminal to ask on, and no answer to {', '.join(missing)}; for example softstream new {options}"
        )
    if path.exists():
        raise UserError(f"-o {path}: exists; give another name, for example -o {_free(path)}")
    check_file("-o", path)
    answers = Answers(**{name: _answer(name) if value is None else value for name, value in fields.items()})
    rows = candidates(answers)
    if choice is not None and choice > len(rows):
        raise UserError(f"--choice {choice}: must be from 1 to {len(rows)}; for example --choice 1")
    _show(rows, answers.part, console)
    if choice is None:
        choice = click.prompt("Which one", type=click.IntRange(1, len(rows)), default=1) if asking else 1
    chosen = rows[choice - 1]
    with written_file("-o", path) as temporary:
        temporary.write_text(text_of(chosen, answers.part), encoding="utf-8")
    console.document(
        {
            "file": str(path),
            "preset": chosen.preset,
            "config": chosen.config.to_mapping(),
            "candidates": [
                {"preset": row.preset, "cells": row.cells, "mhz": row.mhz, "config": row.config.to_mapping()}
                for row in rows
            ],
        }
    )
    console.done(
        f"{path}: {chosen.preset} adapted and written",
        f"softstream describe {shlex.quote(str(path))} --part {answers.part}",
    )


def _free(path: Path) -> Path:
    """A name beside `path` that no file has."""
    number = 2
    while (other := path.with_name(f"{path.stem}-{number}{path.suffix}")).exists():
        number += 1
    return other


_QUESTIONS: dict[str, tuple[str, click.ParamType]] = {
    "need": ("What do you need", click.Choice(list(NEEDS))),
    "bits": ("Bits of a score", click.IntRange(2, 16)),
    "length": ("Scores in the longest vector", click.IntRange(1, 1 << 20)),
    "part": ("Part", click.Choice(list(PARTS))),
    "goal": ("What matters more", click.Choice(GOALS)),
}


def _answer(name: str) -> Any:
    """The answer of a person at the terminal."""
    question, kind = _QUESTIONS[name]
    return click.prompt(question, type=kind, default=_NEUTRAL[name])


def _show(rows: list[Candidate], part: str, console: Console) -> None:
    derived = [plan(row.config) for row in rows]
    console.table(
        f"the best for {part}",
        ("", "preset", "purpose", "cells", "MHz", "first output", "interval", "bound, ulp"),
        [
            (
                number,
                row.preset,
                PURPOSES[row.preset],
                row.cells,
                f"{row.mhz:.0f}",
                head.latency_text,
                head.interval_formula,
                "–" if head.bound_ulp is None else f"{head.bound_ulp:.3f}",
            )
            for number, (row, head) in enumerate(zip(rows, derived, strict=True), 1)
        ],
        right=("MHz", "bound, ulp"),
        fold=("purpose", "cells"),
        drop=("interval", "bound, ulp", "first output"),
    )
    console.line(_measured_text(rows[0]))


def _measured_text(row: Candidate) -> str:
    base = PRESETS[row.preset]
    more = "; wider scores take more cells" if row.wider else ""
    return (
        f"cells and MHz: as measured of the presets, with {base.score_width}-bit scores and vectors of up to "
        f"{base.max_length}{more}"
    )


def text_of(row: Candidate, part: str) -> str:
    """The configuration as a TOML file: keys of the choice as settings, those at their defaults as comments."""
    config = row.config
    relevant = config.relevant()
    lines = [
        f"# Based on the preset {row.preset}: {PURPOSES[row.preset]}.",
        f"# On {part}: {row.cells}; {row.mhz:.0f} MHz.",
        f"# {_measured_text(row)[0].upper()}{_measured_text(row)[1:]}.",
        "# A key behind a # has its default; remove the # to change it.",
    ]
    for section, purpose in SECTIONS.items():
        keys = [key for key in KEYS if key.section == section and key.name in relevant]
        if keys:
            lines += ["", f"[{section}]  # {purpose}"]
            for key in keys:
                lines += _key_lines(key, relevant[key.name])
    return "\n".join(lines) + "\n"


def _key_lines(key: Key, value: Any) -> list[str]:
    unit = "" if key.unit == "–" else f" {key.unit}"
    plain = list(value) if isinstance(value, tuple) else value
    setting = tomli_w.dumps({key.name: plain}, multiline_strings=False).strip()
    mark = "" if key.name in _WRITTEN or value != key.default else "#"
    scale = ["# One step of a score in nats: take that of your network, or --set score_scale=auto with --scores."]
    about = scale if key.name == "score_scale" else []
    return [*_comment(f"{key.help} [{key.range_text}{unit}]"), *about, f"{mark}{setting}"]


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _COLUMNS, initial_indent="# ", subsequent_indent="# ", break_long_words=False)
