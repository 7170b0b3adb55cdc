"""`softstream run-on-board`: the self-test of a board over its link, every result compared with the golden model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.errors import Mismatch
from softstream.scripts.console import Console
from softstream.scripts.scores import Scores, read_scores

if TYPE_CHECKING:
    from softstream.boards.link.host import Answer, Link
    from softstream.boards.registry import Board

__all__ = ["Difference", "Group", "differences", "run", "self_test"]

RANDOM_VECTORS = 100
TIMEOUT = 2.0
SIMULATED_TIMEOUT = 30.0
"""A simulator may share its machine with much else."""
_LONGEST_LIMIT = 4096
"""Beyond this length the vectors at the length limit are left out: they take minutes on the line."""
_SHOWN = 20


@dataclass(frozen=True)
class Difference:
    """One value in which the board and the model differ."""

    group: str
    vector: int
    what: str
    board: int
    model: int


@dataclass(frozen=True)
class Group:
    """What one part of the self-test gave."""

    name: str
    vectors: int
    elements: int
    differences: tuple[Difference, ...]
    seconds: float
    bytes_sent: int
    bytes_received: int

    @property
    def vectors_per_second(self) -> float:
        """Over the link, everything included."""
        return self.vectors / self.seconds if self.seconds else 0.0


def run(
    config: Config,
    console: Console,
    *,
    port: str = "auto",
    baud: int | None = None,
    simulated: Board | None = None,
    scores: Path | None = None,
    lengths: Path | None = None,
    seed: int = 1,
    vectors: int = RANDOM_VECTORS,
    timeout: float | None = None,
) -> None:
    """Handshake, then corner vectors, random vectors and the person's scores; a table, or one JSON document.

    With `simulated` that board is simulated, in the place of one at `port`. `timeout` is in seconds of silence; default
    `TIMEOUT`, or `SIMULATED_TIMEOUT`.

    Raises `LinkError` for every fault of the link, `Mismatch` after the report where the board and the model differ, and
    `UserError` for scores that will not do, before the port is opened.
    """
    from softstream.boards.link.host import DEFAULT_BAUD, open_link
    from softstream.hw.plan.derive import plan

    given = read_scores(config, scores, lengths) if scores else None
    if given is not None and given.quantised:
        console.note(f"{scores}: quantised in steps of {config.score_scale}; {given.saturated} saturated")
    with ExitStack() as stack:
        if simulated is not None:
            from softstream.scripts.verbs.simulated import simulated_board

            port = stack.enter_context(simulated_board(config, simulated, baud, console)).port
        silence = timeout or (SIMULATED_TIMEOUT if simulated else TIMEOUT)
        link = stack.enter_context(open_link(port, DEFAULT_BAUD if baud is None else baud, timeout=silence))
        info = link.handshake(config)
        console.line(
            f"{link.port}: softstream board, {info.mode}, digest {info.digest[:12]}, {info.clock_hz / 1e6:g} MHz; seed {seed}"
        )
        with console.progress("self-test") as progress:
            groups = self_test(config, link, given, seed=seed, vectors=vectors, progress=progress)
            cycles = _cycles(config, link, seed)
    found = [difference for group in groups for difference in group.differences]
    planned = {length: plan(config).first_output_cycle(length) for length in cycles}
    console.document(
        {
            "config": config.to_mapping(),
            "digest": config.digest,
            "port": link.port,
            "simulated": simulated is not None,
            "clock_hz": info.clock_hz,
            "seed": seed,
            "passed": not found,
            "groups": [
                {
                    "name": group.name,
                    "vectors": group.vectors,
                    "elements": group.elements,
                    "mismatches": len(group.differences),
                    "seconds": round(group.seconds, 6),
                    "bytes_sent": group.bytes_sent,
                    "bytes_received": group.bytes_received,
                    "vectors_per_second": round(group.vectors_per_second, 3),
                }
                for group in groups
            ],
            "mismatches": [vars(difference) for difference in found],
            "first_result_cycles": [
                {"length": length, "measured": measured, "planned": planned[length]}
                for length, measured in cycles.items()
            ],
        }
    )
    console.table(
        "simulated board against the model, bit for bit; the seconds are the simulator's"
        if simulated
        else "board against the model, bit for bit",
        ("vectors", "number", "scores", "verdict", "mismatches", "s", "vectors/s", "bytes/s"),
        [
            (
                group.name,
                group.vectors,
                group.elements,
                "FAIL" if group.differences else "pass",
                len(group.differences),
                f"{group.seconds:.2f}",
                f"{group.vectors_per_second:.1f}",
                f"{(group.bytes_sent + group.bytes_received) / max(group.seconds, 1e-9):.0f}",
            )
            for group in groups
        ],
        right=("number", "scores", "mismatches", "s", "vectors/s", "bytes/s"),
    )
    for length, measured in cycles.items():
        console.line(
            f"in the core: {measured} cycles ({measured / info.clock_hz * 1e6:.2f} µs) from the first of {length} scores "
            f"to the first result; the plan says {planned[length]}"
        )
    if found:
        console.table(
            f"the first {_SHOWN} of {len(found)} mismatches" if len(found) > _SHOWN else "mismatches",
            ("vectors", "vector", "value", "board", "model"),
            [tuple(vars(difference).values()) for difference in found[:_SHOWN]],
            right=("vector", "board", "model"),
        )
        first = found[0]
        raise Mismatch(
            f"{link.port}: {len(found)} values differ from the model, first {first.what} of {first.group} vector "
            f"{first.vector}: the board gave {first.board}, the model {first.model}; seed {seed}"
        )


def self_test(
    config: Config,
    link: Link,
    given: Scores | None = None,
    *,
    seed: int = 1,
    vectors: int = RANDOM_VECTORS,
    progress: Callable[[float, str], None] | None = None,
) -> list[Group]:
    """Corners, random vectors and the given scores through a link that has shaken hands."""
    from softstream.sim.beats import pad_vectors
    from softstream.sim.golden import golden
    from softstream.sim.golden.modes.gumbel import words_taken
    from softstream.sim.stimulus import corner_vectors, limit_vectors, random_sideband, random_vectors

    rng = np.random.default_rng(seed)
    corners = corner_vectors(config, rng)
    if config.max_length <= _LONGEST_LIMIT:
        corners += limit_vectors(config, rng)
    parts = [("corner", *pad_vectors(corners, config.score_format.minimum))]
    if vectors:
        parts.append(("random", *pad_vectors(random_vectors(config, rng, vectors), config.score_format.minimum)))
    if given is not None:
        parts.append(("given", given.codes, given.lengths))
    total = sum(int(lengths.sum()) for _, _, lengths in parts)
    groups: list[Group] = []
    before = words = 0
    for name, codes, lengths in parts:
        elements = int(lengths.sum())

        def report(fraction: float, name: str = name, before: int = before, elements: int = elements) -> None:
            if progress is not None:
                progress((before + fraction * elements) / total, f"{name} vectors")

        extra = random_sideband(config, codes)
        answer = link.run(codes, lengths, report, extra)
        found = differences(name, answer, golden(config, codes, lengths, extra, before=words))
        # Nothing resets the head between the parts.
        words += int(words_taken(config, lengths, extra.get("mask")).sum())
        groups.append(
            Group(name, len(codes), elements, tuple(found), answer.seconds, answer.bytes_sent, answer.bytes_received)
        )
        before += elements
    return groups


def differences(group: str, answer: Answer, model: Any) -> list[Difference]:
    """Every value in which an answer differs from the model's result, vector by vector."""
    found: list[Difference] = []
    for name, expected in model.items():
        board = answer[name]
        for place in np.argwhere(board != expected):
            row, *column = (int(number) for number in place)
            what = f"{name}[{column[0]}]" if column else name
            found.append(Difference(group, row, what, int(board[row, *column]), int(expected[row, *column])))
    return sorted(found, key=lambda difference: difference.vector)


def _cycles(config: Config, link: Link, seed: int) -> dict[int, int]:
    """Length to the cycles that the head takes, for single vectors that one frame holds: then the line makes none wait."""
    assert link.info is not None
    from softstream.boards.link.protocol import element_bytes
    from softstream.hw.plan.derive import plan
    from softstream.sim.stimulus import random_sideband

    rng = np.random.default_rng(seed)
    size = element_bytes(config)
    longest = min(config.max_length, link.info.payload_bytes // size)
    # An element of two bytes is one every second cycle: what the link adds is taken off again, where the head waits for all.
    slower = (size - 1) * (plan(config).passes > 0)
    lengths: Sequence[int] = sorted({1, longest})
    low, high = config.score_format.minimum, config.score_format.maximum
    measured = {}
    for length in lengths:
        codes = rng.integers(low, high, (1, length), endpoint=True)
        answer = link.run(codes, sideband=random_sideband(config, codes, whole=True))
        measured[length] = int(answer.cycles[0]) - slower * (length - 1)
    return measured
