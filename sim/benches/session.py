"""The frame of every test of a bench: its job, its harness, its seed, and the record of its outcome."""

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
from softstream.sim.beats import due_beats, pad_vectors, score_beats, with_null_beats
from softstream.sim.benches.drivers import Harness, Sink, Source
from softstream.sim.golden import golden
from softstream.sim.golden.modes.gumbel import words_taken
from softstream.sim.simulators.job import PLUSARG, Job, Outcome
from softstream.sim.stalls import stall_iterator
from softstream.sim.stimulus import random_sideband

__all__ = ["Session"]


class Session:
    """One test, as a context manager: `with Session(dut, "stream", "limits") as session`.

    The test has the name that cocotb gives it.
    """

    def __init__(self, dut: Any, bench: str, test: str, *, driven: bool = True) -> None:
        self.job = Job.load(Path(str(cocotb.plusargs[PLUSARG])))
        self.config: Config = self.job.config
        self.plan = plan(self.config)
        self.rng = np.random.default_rng([self.job.seed, zlib.crc32(f"{bench}.{test}".encode())])
        """Random numbers that depend on the seed and on the test, but not on earlier tests."""
        self.fields = {
            prefix: stream_fields(self.config, prefix)
            for prefix in ("s_axis", *(output.prefix for output in outputs(self.config)))
        }
        """Signals of each stream, in the order of its beats."""
        self.harness = Harness(dut, self.fields, driven=driven)
        self.search_cycles = np.zeros(0, dtype=np.int64)
        """Cycles of the search in each vector sent last, [V]: its delay after the plan's first output cycle."""
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
        """Cycles without beats to check after the last beat that was due, more than the latency of the head."""
        return 128 + self.plan.last_output_cycle(1)

    def seed(self) -> int:
        """A random seed for a pause pattern."""
        return int(self.rng.integers(1 << 32))

    def patience(self, longest: int) -> int:
        """Cycles in which at least one beat must move, for vectors up to length `longest` and any pauses."""
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
        """A source of vectors under a pause pattern.

        `junk` puts random bits into the bits of s_axis that the head ignores, and null beats between those with scores. `ended`
        False omits tlast of the last vector.
        `whole` vectors have no masked elements.
        """
        scores, lengths = pad_vectors(vectors, self.config.score_format.minimum)
        sideband = random_sideband(self.config, scores, whole=whole)
        beats = score_beats(self.config, scores, lengths, self.rng if junk else None, sideband)
        if junk:
            beats = with_null_beats(self.config, beats, self.rng)
        if not ended:
            beats[-1] = (*beats[-1][:-1], 0)
        return Source(beats, stall_iterator(pauses, self.seed()))

    def sinks(self, vectors: Sequence[np.ndarray], *pauses: str, whole: bool = False) -> dict[str, Sink]:
        """A sink for each output stream, with a pause pattern each, that expects the golden model's beats."""
        scores, lengths = pad_vectors(vectors, self.config.score_format.minimum)
        sideband = random_sideband(self.config, scores, whole=whole)
        mask = sideband.get("mask")
        model = golden(self.config, scores, lengths, sideband, before=self._words_before(lengths, mask))
        no_search = np.zeros_like(result_lengths(self.config, lengths))
        self.search_cycles = model["sample"] if self.plan.searched else no_search
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

    def _words_before(self, lengths: np.ndarray, mask: np.ndarray | None) -> int:
        """Random words drawn since the last reset, before these vectors; counts their words for the next call."""
        if self._resets != self.harness.resets:
            self._resets, self._words = self.harness.resets, 0
        words = words_taken(self.config, result_lengths(self.config, lengths), mask)
        words_before, self._words = self._words, self._words + int(words.sum())
        return words_before

    def _describe(self, output: Output, lengths: np.ndarray, mask: np.ndarray | None) -> Callable[[int], str]:
        """The description of an output's beat by its position in the stream, for messages."""
        beats = output.beats(self.config, lengths, mask)
        lengths = result_lengths(self.config, lengths)
        ends = np.cumsum(beats)

        def describe_beat(position: int) -> str:
            row = int(np.searchsorted(ends, position, side="right"))
            return f"vector {row} of length {lengths[row]}, beat {position - (ends[row] - beats[row])}"

        def describe_vector(position: int) -> str:
            return f"{output.noun} of vector {position}, of length {lengths[position]}"

        return describe_vector if output.per == "vector" else describe_beat

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
        """Sends the vectors under pause patterns and compares all outputs with the golden model."""
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
        """Adds the complete output vectors and the beats of every stream to the record."""
        self.vectors += list(sinks.values())[-1].vectors
        self.beats += len(source.times) + sum(len(sink.times) for sink in sinks.values())
