"""`softstream run-on-board`: the self-test of a board over its link, every result compared with the golden model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.errors import Mismatch
from softstream.hw.extras import need
from softstream.hw.output import check_file, written_file
from softstream.scripts.console import Console
from softstream.scripts.scores import ScoreBlocks, ScoreFile, read_blocks
from softstream.scripts.verbs.board_view import board_view

if TYPE_CHECKING:
    from softstream.boards.link.host import Answer, Link
    from softstream.boards.registry import Board

__all__ = ["Difference", "Differences", "Group", "Report", "Sample", "compared", "measured_cycles", "run", "self_test"]

RANDOM_VECTORS = 100
TIMEOUT = 2.0
SIMULATED_TIMEOUT = 30.0
"""Seconds of silence of a simulated board, which shares its processor with other work."""
_LONGEST_LIMIT = 4096
"""Longest max_length with vectors at the length limit, because longer ones take minutes on the line."""
_SHOWN = 20
_KEPT = 1000
"""Differences of a group that are kept; the others are counted."""
_PIECE = 1000
"""Vectors, or ensembles, whose answers are compared at once."""
_SAMPLES, _SAMPLE_LENGTH = 4, 24
"""Vectors of each part that a report shows, and most elements of such a vector."""


@dataclass(frozen=True)
class Difference:
    """One value in which the board and the model differ."""

    group: str
    vector: int
    what: str
    board: int
    model: int


@dataclass(frozen=True)
class Differences:
    """How many values differ, and the first of them."""

    count: int = 0
    first: tuple[Difference, ...] = ()
    """In the order of the vectors, 1000 at most."""

    def __add__(self, later: Differences) -> Differences:
        """With those of later vectors."""
        return Differences(self.count + later.count, (*self.first, *later.first)[:_KEPT])


@dataclass(frozen=True)
class Sample:
    """A vector with the probability codes that the board computed."""

    group: str
    vector: int
    codes: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True)
class Group:
    """The results of one part of the self-test."""

    name: str
    vectors: int
    elements: int
    differences: Differences
    seconds: float
    bytes_sent: int
    bytes_received: int
    samples: tuple[Sample, ...] = ()

    def extended(
        self,
        vectors: int,
        elements: int,
        differences: Differences,
        answer: Answer,
        samples: tuple[Sample, ...],
    ) -> Group:
        """The group with the results of further vectors."""
        return Group(
            self.name,
            self.vectors + vectors,
            self.elements + elements,
            self.differences + differences,
            self.seconds + answer.seconds,
            self.bytes_sent + answer.bytes_sent,
            self.bytes_received + answer.bytes_received,
            self.samples if self.vectors else samples,
        )

    @property
    def vectors_per_second(self) -> float:
        """Throughput of the whole system, link included."""
        return self.vectors / self.seconds if self.seconds else 0.0

    @property
    def bytes_per_second(self) -> float:
        """Traffic of both directions."""
        return (self.bytes_sent + self.bytes_received) / max(self.seconds, 1e-9)


@dataclass(frozen=True)
class Report:
    """The result of a self-test."""

    config: Config
    port: str
    simulated: bool
    clock_hz: int
    seed: int
    groups: Sequence[Group]
    cycles: Mapping[int, int]
    """Measured cycles from the first score to the first result, by length of the vector."""
    title: str = ""
    """The board and its configuration, in a sentence."""

    @property
    def differences(self) -> Differences:
        """The differences of all groups."""
        return sum((group.differences for group in self.groups), Differences())

    @property
    def samples(self) -> list[Sample]:
        """The vectors to show, those of the caller's scores if there are any."""
        return list(self.groups[-1].samples)

    def planned(self, length: int) -> int:
        """The cycles of `cycles`, from the plan."""
        from softstream.hw.plan.derive import plan

        return plan(self.config).first_output_cycle(length)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "config": self.config.to_mapping(),
            "digest": self.config.digest,
            "port": self.port,
            "simulated": self.simulated,
            "clock_hz": self.clock_hz,
            "seed": self.seed,
            "passed": not self.differences.count,
            "groups": [
                {
                    "name": group.name,
                    "vectors": group.vectors,
                    "elements": group.elements,
                    "mismatches": group.differences.count,
                    "seconds": round(group.seconds, 6),
                    "bytes_sent": group.bytes_sent,
                    "bytes_received": group.bytes_received,
                    "vectors_per_second": round(group.vectors_per_second, 3),
                }
                for group in self.groups
            ],
            "mismatches": [vars(difference) for difference in self.differences.first],
            "first_result_cycles": [
                {"length": length, "measured": measured, "planned": self.planned(length)}
                for length, measured in self.cycles.items()
            ],
        }

    def print(self, console: Console) -> None:
        """A row for each group, the cycles in the core, and the first differences."""
        console.table(
            "simulated board against the model, bit for bit; the seconds are those of the simulator"
            if self.simulated
            else "board against the model, bit for bit",
            ("vectors", "number", "scores", "verdict", "mismatches", "s", "vectors/s", "bytes/s"),
            [
                (
                    group.name,
                    group.vectors,
                    group.elements,
                    "FAIL" if group.differences.count else "pass",
                    group.differences.count,
                    f"{group.seconds:.2f}",
                    f"{group.vectors_per_second:.1f}",
                    f"{group.bytes_per_second:.0f}",
                )
                for group in self.groups
            ],
            right=("number", "scores", "mismatches", "s", "vectors/s", "bytes/s"),
            drop=("bytes/s", "vectors/s", "s", "scores"),
        )
        for length, measured in self.cycles.items():
            console.line(
                f"in the core: {measured} cycles ({measured / self.clock_hz * 1e6:.2f} µs) from the first of {length} scores "
                f"to the first result; plan: {self.planned(length)}"
            )
        differences = self.differences
        if differences.count:
            console.table(
                f"the first {_SHOWN} of {differences.count} mismatches" if differences.count > _SHOWN else "mismatches",
                ("vectors", "vector", "value", "board", "model"),
                [tuple(vars(difference).values()) for difference in differences.first[:_SHOWN]],
                right=("vector", "board", "model"),
            )


def run(
    config: Config,
    console: Console,
    *,
    port: str = "auto",
    baud: int | None = None,
    simulated: Board | None = None,
    scores: ScoreFile | None = None,
    seed: int = 1,
    vectors: int = RANDOM_VECTORS,
    timeout: float | None = None,
    output: Path | None = None,
    render: Callable[[Report], str] = lambda report: "",
    following: str = "",
) -> None:
    """Handshake, then corner vectors, random vectors and those of a file; a table, or one JSON document,
    and with `output` the page that `render` makes. On a terminal a view follows the test.

    With `simulated` that board is simulated, instead of one at `port`. `timeout` is in seconds of silence; default
    `TIMEOUT`, or `SIMULATED_TIMEOUT`. `following` is the command that the last line names.

    Raises `LinkError` for every fault of the link, `Mismatch` after the report where the board and the model differ, and
    `UserError` for scores that do not match the configuration, and `MissingTool` without the extras, before the port is opened.
    """
    need(
        "run-on-board",
        *("cobs", "pyserial"),
        *(["boards", "sim"] if simulated else []),
        *(["reports"] if output is not None else []),
    )
    from softstream.boards.link.host import DEFAULT_BAUD, open_link

    if output is not None:
        check_file("-o", output)
    file_scores = read_blocks(config, scores, console) if scores else None
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
        with board_view(config, link, console) as progress:
            groups = self_test(config, link, file_scores, seed=seed, vectors=vectors, progress=progress)
            cycles = measured_cycles(config, link, seed)
    name = "A board" if simulated is None else f"The simulated {simulated.title}"
    title = f"{name} at {info.clock_hz / 1e6:g} MHz computes {config.traits.summary}."
    report = Report(config, link.port, simulated is not None, info.clock_hz, seed, groups, cycles, title)
    console.document({**report.to_json(), "scores": file_scores.to_json() if file_scores else None})
    report.print(console)
    if output is not None:
        page = render(report)
        with written_file("-o", output) as temporary:
            temporary.write_text(page, encoding="utf-8")
        console.line(f"report: {output}")
    differences = report.differences
    if differences.count:
        first = differences.first[0]
        raise Mismatch(
            f"{link.port}: {differences.count} values differ from the model, first {first.what} of {first.group} vector "
            f"{first.vector}: the board gave {first.board}, the model {first.model}; seed {seed}"
        )
    console.done(f"{sum(group.vectors for group in groups)} vectors passed", following)


def self_test(
    config: Config,
    link: Link,
    file_scores: ScoreBlocks | None = None,
    *,
    seed: int = 1,
    vectors: int = RANDOM_VECTORS,
    progress: Callable[[float, str], None] | None = None,
) -> list[Group]:
    """Corner vectors, random vectors and those of a file through a link after its handshake."""
    from softstream.sim.golden import golden
    from softstream.sim.golden.modes.gumbel import words_taken

    parts = _parts(config, file_scores, seed, vectors)
    total = sum(part.elements for part in parts)
    groups: list[Group] = []
    elements_before = words = 0
    for part in parts:
        name = part.name
        group = Group(name, 0, 0, Differences(), 0.0, 0, 0)
        for codes, lengths, arrays in part.pieces(_PIECE * config.ensemble):
            inputs = codes, lengths
            elements = int(lengths.sum())

            def report(
                fraction: float, name: str = name, before: int = elements_before, elements: int = elements
            ) -> None:
                if progress is not None:
                    progress((before + fraction * elements) / total, f"{name} vectors")

            answer = link.run(*inputs, report, arrays)
            model = golden(config, *inputs, arrays, before=words)
            # The head is not reset between the pieces, so its random sequence continues.
            words += int(words_taken(config, inputs[1], arrays.get("mask")).sum())
            group = group.extended(
                len(inputs[0]),
                elements,
                compared(name, answer, model, group.vectors // config.ensemble),
                answer,
                _sampled(config, name, answer, *inputs, arrays),
            )
            elements_before += elements
        groups.append(group)
    return groups


def _sampled(
    config: Config,
    group: str,
    answer: Answer,
    codes: np.ndarray,
    lengths: np.ndarray,
    sideband: Mapping[str, np.ndarray],
) -> tuple[Sample, ...]:
    """Short vectors with probabilities, the first of several elements; none where a sideband changes the meaning of scores."""
    if not config.traits.probabilities or "probabilities" not in answer.arrays or sideband or config.ensemble > 1:
        return ()
    longest = min(config.max_length, _SAMPLE_LENGTH)
    rows = [row for row, length in enumerate(lengths) if 1 < length <= longest][:_SAMPLES]
    return tuple(
        Sample(group, row, codes[row, : lengths[row]], answer["probabilities"][row, : lengths[row]]) for row in rows
    )


@dataclass(frozen=True)
class _Part:
    """The vectors of a part of the self-test."""

    name: str
    elements: int
    blocks: Iterable[tuple[np.ndarray, np.ndarray, Mapping[str, np.ndarray]]]
    """Score codes, lengths and sidebands, block by block."""

    @classmethod
    def of(cls, config: Config, name: str, codes: np.ndarray, lengths: np.ndarray) -> _Part:
        """One block with random sidebands."""
        from softstream.sim.stimulus import random_sideband

        return cls(name, int(lengths.sum()), [(codes, lengths, random_sideband(config, codes))])

    def pieces(self, size: int) -> Iterator[tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]]:
        """So many vectors at a time, so that the answers to a day of vectors are not in memory."""
        for codes, lengths, sideband in self.blocks:
            for start in range(0, len(codes), size):
                rows = slice(start, start + size)
                yield codes[rows], lengths[rows], {key: values[rows] for key, values in sideband.items()}


def _parts(config: Config, file_scores: ScoreBlocks | None, seed: int, vectors: int) -> list[_Part]:
    """The parts of the self-test: corners, random vectors, and those of a file."""
    from softstream.sim.beats import pad_vectors
    from softstream.sim.stimulus import corner_vectors, limit_vectors, random_vectors

    rng = np.random.default_rng(seed)
    corners = corner_vectors(config, rng)
    if config.max_length <= _LONGEST_LIMIT:
        corners += limit_vectors(config, rng)
    parts = [_Part.of(config, "corner", *pad_vectors(corners, config.score_format.minimum))]
    if vectors:
        rows = pad_vectors(random_vectors(config, rng, vectors), config.score_format.minimum)
        parts.append(_Part.of(config, "random", *rows))
    if file_scores is not None:
        blocks = ((block.codes, block.lengths, block.sideband_or_random(config)) for block in file_scores)
        parts.append(_Part("given", file_scores.totals.elements, blocks))
    return parts


def compared(group: str, answer: Answer, model: Any, first: int = 0) -> Differences:
    """The values in which an answer differs from the result of the model; `first` is the number of the first vector."""
    count, examples = 0, []
    for name, expected in model.items():
        board = answer[name]
        wrong = np.flatnonzero(board != expected)
        count += len(wrong)
        for number in wrong[:_KEPT]:  # by vector, so none of the first of all arrays is missing
            row, *column = (int(index) for index in np.unravel_index(number, expected.shape))
            what = f"{name}[{column[0]}]" if column else name
            examples.append(Difference(group, first + row, what, int(board[row, *column]), int(expected[row, *column])))
    return Differences(count, tuple(sorted(examples, key=lambda difference: difference.vector)[:_KEPT]))


def measured_cycles(config: Config, link: Link, seed: int) -> dict[int, int]:
    """Length → cycles of the head, for single vectors within one frame, because the line cannot delay those."""
    assert link.info is not None
    from softstream.boards.link.protocol import arrival_delay, element_bytes
    from softstream.hw.plan.derive import plan
    from softstream.sim.stimulus import random_sideband

    if config.ensemble > 1:  # the line delays the other members
        return {}
    rng = np.random.default_rng(seed)
    longest = min(config.max_length, link.info.payload_bytes // element_bytes(config))
    if config.groups:
        longest = min(longest, config.groups[0])
    derived = plan(config)
    # A head that waits for all scores starts later by the time that the link needs to deliver them.
    waits = (derived.vectors or derived).passes > 0
    lengths: Sequence[int] = sorted({1, longest})
    low, high = config.score_format.minimum, config.score_format.maximum
    measured = {}
    for length in lengths:
        codes = rng.integers(low, high, (1, length), endpoint=True)
        answer = link.run(codes, sideband=random_sideband(config, codes, whole=True))
        measured[length] = int(answer.cycles[0]) - (arrival_delay(config, length) if waits else 0)
    return measured
