"""What every bench begins and ends with: the job, the harness, a seed for each test, and a record of what was done."""

import asyncio
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import cocotb
import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.ensemble import result_lengths
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import Output, outputs, stream_fields
from softstream.sim.beats import due_beats, pad_vectors, score_beats
from softstream.sim.benches.drivers import Harness, Sink, Source
from softstream.sim.golden import golden
from softstream.sim.golden.modes.gumbel import words_taken
from softstream.sim.simulators.job import PLUSARG, Job, Outcome
from softstream.sim.stalls import stall_iterator
from softstream.sim.stimulus import random_sideband

__all__ = ["Session"]


class Session:
    """One test, as a context: `with Session(dut, "stream", "limits") as session`; the name is cocotb's for the test."""

    def __init__(self, dut: Any, bench: str, test: str, *, driven: bool = True) -> None:
        self.job = Job.load(Path(str(cocotb.plusargs[PLUSARG])))
        self.config: Config = self.job.config
        self.plan = plan(self.config)
        self.rng = np.random.default_rng([self.job.seed, zlib.crc32(f"{bench}.{test}".encode())])
        """Random numbers that depend on the seed and on the test, not on which tests ran before."""
        self.fields = {
            prefix: stream_fields(self.config, prefix)
            for prefix in ("s_axis", *(output.prefix for output in outputs(self.config)))
        }
        """Signals of each stream, in the order of its beats."""
        self.harness = Harness(dut, self.fields, driven=driven)
        self.later = np.zeros(0, dtype=np.int64)
        """By how many cycles the outputs of the vectors that were sent last come later than the plan's first, [V]."""
        self.vectors = 0
        self.beats = 0
        self._resets, self._words = 0, 0
        self._bench, self._test = bench, test
        cocotb.log.info("%s.%s: seed %d, %s", bench, test, self.job.seed, self.config)

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        message = ""
        if error is not None and not isinstance(error, asyncio.CancelledError):
            text = (
                str(error) if isinstance(error, AssertionError) and str(error) else f"{type(error).__name__}: {error}"
            )
            message = text.splitlines()[0]
        outcome = Outcome(self._bench, self._test, self.vectors, self.beats, self.harness.cycle, message)
        self.job.record(outcome)
        self.job.tell_progress(0.0)

    @property
    def drain(self) -> int:
        """Cycles after the last beat that was due, in which no other may come: more than it takes from end to end."""
        return 128 + self.plan.last_output_cycle(1)

    def seed(self) -> int:
        """A seed for a pause pattern."""
        return int(self.rng.integers(1 << 32))

    def patience(self, longest: int) -> int:
        """Cycles in which some beat must move, vectors of up to that length under way, with pauses on every stream."""
        return 8 * self.plan.last_output_cycle(min(longest, self.config.max_length)) + longest + 1000

    def source(
        self,
        vectors: Sequence[np.ndarray],
        pauses: str = "never",
        *,
        junk: bool = False,
        ended: bool = True,
        whole: bool = False,
    ) -> Source:
        """A source of vectors; `junk` puts random bits where s_axis is ignored; `ended` False leaves the last vector open.

        In `whole` vectors nothing is masked.
        """
        scores, lengths = pad_vectors(vectors, self.config.score_format.minimum)
        extra = random_sideband(self.config, scores, whole=whole)
        beats = score_beats(self.config, scores, lengths, self.rng if junk else None, extra)
        if not ended:
            beats[-1] = (*beats[-1][:-1], 0)
        return Source(beats, stall_iterator(pauses, self.seed()))

    def sinks(self, vectors: Sequence[np.ndarray], *pauses: str, whole: bool = False) -> dict[str, Sink]:
        """A sink for each output stream that expects what the golden model says; one pause pattern for each stream."""
        scores, lengths = pad_vectors(vectors, self.config.score_format.minimum)
        extra = random_sideband(self.config, scores, whole=whole)
        mask = extra.get("mask")
        model = golden(self.config, scores, lengths, extra, before=self._before(lengths, mask))
        self.later = model["sample"] if self.plan.searched else np.zeros_like(result_lengths(self.config, lengths))
        due = due_beats(self.config, model, lengths, mask)
        return {
            output.prefix: Sink(
                output.prefix,
                due[output.prefix],
                None if name == "until_valid" else stall_iterator(name, self.seed()),
                fields=self.fields[output.prefix],
                describe=self._describe(output, lengths, mask),
            )
            for output, name in zip(outputs(self.config), pauses, strict=False)
        }

    def _before(self, lengths: np.ndarray, mask: np.ndarray | None) -> int:
        """Random words since the last reset ahead of vectors of these lengths, which are counted for those to come."""
        if self._resets != self.harness.resets:
            self._resets, self._words = self.harness.resets, 0
        words = words_taken(self.config, result_lengths(self.config, lengths), mask)
        before, self._words = self._words, self._words + int(words.sum())
        return before

    def _describe(self, output: Output, lengths: np.ndarray, mask: np.ndarray | None) -> Callable[[int], str]:
        """What the beat of an output at a position in the stream is, in words."""
        beats = output.beats(self.config, lengths, mask)
        lengths = result_lengths(self.config, lengths)
        ends = np.cumsum(beats)

        def place(position: int) -> str:
            row = int(np.searchsorted(ends, position, side="right"))
            return f"vector {row} of length {lengths[row]}, beat {position - (ends[row] - beats[row])}"

        def whole(position: int) -> str:
            return f"{output.noun} of vector {position}, of length {lengths[position]}"

        return whole if output.per == "vector" else place

    async def exchange(
        self,
        vectors: Sequence[np.ndarray],
        source: str = "never",
        sinks: Sequence[str] = ("never", "never"),
        *,
        junk: bool = False,
        drain: int | None = None,
        whole: bool = False,
    ) -> tuple[Source, dict[str, Sink]]:
        """Sends the vectors under pause patterns and holds everything that comes out against the golden model."""
        sender, receivers = (
            self.source(vectors, source, junk=junk, whole=whole),
            self.sinks(vectors, *sinks, whole=whole),
        )
        patience = self.patience(max(len(vector) for vector in vectors))
        try:
            await self.harness.run(
                sender,
                receivers,
                patience=patience,
                drain=self.drain if drain is None else drain,
                progress=self.job.tell_progress,
            )
        finally:
            self.count(sender, receivers)
        return sender, receivers

    def count(self, source: Source, sinks: dict[str, Sink]) -> None:
        """Adds what went through to the record: vectors that came out complete, and beats of every stream."""
        self.vectors += list(sinks.values())[-1].vectors
        self.beats += len(source.times) + sum(len(sink.times) for sink in sinks.values())
