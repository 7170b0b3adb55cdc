"""The schedule of a head that sums exponentials and divides by their sum: latencies, intervals, and the sizes that follow.

The normaliser states its own steps (`plan/normalisers`); the rows of the plan and the latency follow from them.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.formats import ceil_log2
from softstream.hw.numbers.softmax import Numerics, numerics
from softstream.hw.plan.normalisers import NORMALISER_PLANS
from softstream.hw.plan.normalisers.exact_sum import exact_cycles
from softstream.hw.plan.normalisers.interface import NormaliserCycles
from softstream.hw.plan.stage_cycles import (
    QUEUE_LATENCY,
    WindowSum,
    align_cycles,
    direct_cycles,
    even_segments,
    lookup_cycles,
    maximum_latency,
    memory_cycles,
    normalise_digits,
    normalise_levels,
    reference_segments,
    ring_cycles,
    window_sum,
)

__all__ = ["VECTORS", "Schedule", "longest_segment", "schedule", "segments"]

VECTORS = 256
"""Vectors in flight, if they may follow each other at one per cycle: as many as a block RAM has entries."""

SEGMENT = {"small": 22, "fast": 11}
"""Longest carry chain of the absolute accumulator, in bits, by profile; see `longest_segment`."""


WINDOW_SEGMENT = {"small": 22, "fast": 11, "fastest": 9}
"""Longest carry chain of the sum of a window, in bits, by profile. A multiplexer precedes it."""

WINDOWS_SEGMENT = {"small": 22, "fast": 11, "fastest": 16}
"""Longest carry chain of the addition of both windows, in bits, by profile. It stands between registers, outside any loop."""


def longest_segment(config: Config, widths: Numerics) -> int:
    """Longest carry chain of the whole sum, in bits: in `fastest`, no slower than the normaliser."""
    if widths.windows:
        return WINDOWS_SEGMENT[config.profile]
    if config.profile == "fastest":
        return NORMALISER_PLANS[config.division].fastest_segment
    return SEGMENT[config.profile]


def segments(config: Config, widths: Numerics) -> tuple[int, ...]:
    """Widths of the accumulator's segments, lowest first."""
    width = widths.accumulator_width
    if widths.absolute or widths.windows:
        return even_segments(width, longest_segment(config, widths))
    return (width,) if config.profile == "small" else reference_segments(widths)


@dataclass(frozen=True)
class Schedule:
    """Latencies in clock cycles, and the intervals of the parts that do not take a payload in every cycle."""

    memory: int
    """From an address to the entry of a memory, registers behind it included."""
    direct: int
    """The same of the table of probabilities, which addresses no further memory."""
    ring: int
    """The same of the ring, by `ring_cycles`."""
    frame: int
    entry: int
    """From an element's acceptance to the stages behind."""
    maximum: int
    winners: int
    """From a winner to the output: two registers in which winners wait, one in `small`, or a queue if vectors are pipelined."""
    lookup: int
    """From a framed element to its aligned term, or to its exponent and significand where the sum takes no shift."""
    align: int
    merge: int
    """From the terms of a beat to their sum."""
    accumulate: int
    normalise: int
    normaliser: NormaliserCycles
    """From the normalised sum to the factor, and from a stored element to its probability."""
    replay: int
    """From a vector's factor to its first stored element."""
    queue: int
    segments: tuple[int, ...]
    windows: WindowSum | None
    """The two windows of the sum, if it has them."""
    normalise_interval: int
    pipelined: bool
    """Whether the stages that work once per vector take one in every cycle."""

    @property
    def sum_latency(self) -> int:
        """From the transfer of a vector's last element to its sum."""
        return self.frame + self.entry + self.lookup + self.align + self.merge + self.accumulate

    @property
    def vector_latency(self) -> int:
        """From the transfer of a vector's last element to its factor."""
        return self.sum_latency + self.normalise + self.normaliser.factor

    @property
    def vector_interval(self) -> int:
        """Cycles between the last elements of two vectors, at the least, because stages that work once per vector are serial."""
        if self.pipelined:
            return 1
        # The vector's end and flag wait in one register while the sum is under way; credits are counted in three cycles.
        waiting = self.sum_latency - self.frame - self.entry
        return max(self.normalise_interval, self.normaliser.factor_interval, waiting, self.winner_interval, 4)

    @property
    def winner_interval(self) -> int:
        """Cycles between two winners, at the least: each holds its place until its credit has returned, in three cycles."""
        return -(-(self.entry + self.maximum + self.winners + 3) // self.winners)

    @property
    def emission_latency(self) -> int:
        """From an element's leaving the ring to its probability at the output."""
        return self.replay - 2 + self.probability + self.queue

    @property
    def probability(self) -> int:
        """From a stored element to its probability."""
        return self.normaliser.probability

    @property
    def quotient_interval(self) -> int:
        """Cycles between two elements of a vector on the way out, at the least."""
        return self.normaliser.quotient_interval

    @property
    def fixed_latency(self) -> int:
        """c: an idle pipe's first output beat comes B + c cycles after the first of B input beats."""
        # The last of B input beats comes B − 1 cycles after the first.
        return self.vector_latency + self.replay + self.probability + self.queue - 1

    @property
    def winner_latency(self) -> int:
        """The winner comes B + this many cycles after the first of B input beats."""
        return self.frame + self.entry + self.maximum + self.winners - 1

    def with_ring(self, config: Config, entries: int) -> "Schedule":
        """This schedule with a ring of so many entries."""
        ring = ring_cycles(config, entries)
        return replace(self, ring=ring, replay=2 + ring)

    def replay_entries(self, beats: int) -> int:
        """Beats that the ring holds: a vector of that many, and what comes in before the first of it leaves."""
        return beats + self.vector_latency + 8

    def winner_room(self, beats: int) -> int:
        """Winners that may wait."""
        return self.vectors(beats) if self.pipelined else self.winners

    def vectors(self, beats: int) -> int:
        """Vectors whose beats may be in the ring at once with none waiting: those of `vector_interval` beats.

        Where these are of one beat, `VECTORS` at most, for each of them has a factor: short ones behind a longer one wait
        then, and the output has no bubble all the same, for it takes fewer to fill the pipe.
        """
        if self.pipelined:
            # A vector counts until its factor is asked for, behind the ring.
            return max(min(self.replay_entries(beats), VECTORS), self.vector_latency) + self.emission_latency
        return (self.replay_entries(beats) + self.normaliser.late) // self.vector_interval + 3


@lru_cache(maxsize=256)
def schedule(config: Config) -> Schedule:
    """The schedule of a configuration.

    Raises `UserError` for several lanes without an exact sum: a truncated one depends on the order of additions.
    """
    widths = numerics(config)
    if config.lanes > 1 and not widths.absolute:
        try:
            numerics(config.replace(accumulator="absolute"))
            other = "accumulator = absolute"
        except UserError:
            other = "a smaller score_scale with the absolute accumulator"
        form = "in two windows" if widths.windows else "against a running reference"
        raise UserError(
            f"lanes = {config.lanes}: the sum {form} depends on the order of additions and takes one "
            f"element after the other; lanes = 1 would do, or {other}"
        )
    split = widths.tables.low_width > 0
    parts = segments(config, widths)
    windows = window_sum(widths, parts, WINDOW_SEGMENT[config.profile]) if widths.windows else None
    digits, _, _ = normalise_digits(widths)
    # The quotient of an entropy takes a cycle for each bit, so the key has no effect there.
    pipelined = config.per_vector == "pipelined" and not config.traits.entropy
    normaliser = NORMALISER_PLANS[config.division].cycles(config, widths)
    # A narrow score's table of terms for the absolute accumulator or for a window is already shifted.
    shifted = (widths.absolute or widths.windows) and not split
    lookup, align = lookup_cycles(config, widths), 0 if shifted else align_cycles(config, widths)
    merge = ceil_log2(config.lanes + config.sink_per_vector)
    if config.exact_sum:
        normaliser = exact_cycles(config, normaliser, lookup + align, merge + len(parts))
    cycles = Schedule(
        memory=memory_cycles(config),
        direct=direct_cycles(config),
        ring=0,
        frame=1,
        entry=int(config.profile != "small" and config.traits.stores_scores),
        maximum=maximum_latency(config),
        winners=QUEUE_LATENCY if pipelined else 1 if config.profile == "small" else 2,
        lookup=lookup,
        align=align,
        merge=merge,
        accumulate=len(parts) + (windows.extra if windows else 0),
        normalise=normalise_levels(widths)[0] + 1 if pipelined else digits + 2,
        normaliser=normaliser,
        replay=0,
        queue=QUEUE_LATENCY,
        segments=parts,
        windows=windows,
        # The first segment must not come before the last vector's bits are noted, nor its tag before that is used.
        normalise_interval=1
        if pipelined
        else digits + max(len(parts), 3 + normaliser.factor if normaliser.holds_sum else 2),
        pipelined=pipelined,
    )
    # The ring holds what comes in before the first element leaves it, which its own cycles do not change.
    return cycles.with_ring(config, cycles.replay_entries(config.beats(config.max_length)))
