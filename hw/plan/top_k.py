"""Schedule and sizes of Top-K: what the plan states and the hardware is built to, without the hardware description."""

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.plan.schedule import QUEUE_LATENCY, Schedule

__all__ = [
    "FILL_CYCLES",
    "INSERTION_LATENCY",
    "JOIN_LATENCY",
    "KEPT_LATENCY",
    "MERGED_LATENCY",
    "join_latency",
    "kept_latency",
    "kept_vectors",
    "list_of",
    "merged_pause",
    "softmax_top_k_latency",
    "softmax_top_k_vectors",
    "tag_width",
    "top_k_latency",
    "top_k_vectors",
]

INSERTION_LATENCY = 2
"""From a framed element to the list that holds it: a cycle for the comparisons, one for the insertion."""

KEPT_LATENCY = 2
"""From a vector's order at the queue's output to its first element: a cycle into the shift register, one for the memory."""


JOIN_LATENCY = 2
"""Of several lanes, from the orders of their lists to one of the vector: how many of all their elements come out."""


FILL_CYCLES = 4
"""Of several lanes, until the first elements of all lists are compared: they are read, pass a register each, and then one more
for the first ones, and are compared."""

MERGED_LATENCY = 1 + FILL_CYCLES + 1
"""The same as `KEPT_LATENCY` of several lanes: a cycle into the shift registers, the filling, and one into the output."""


def list_of(config: Config, lane: int) -> Config:
    """What the list of a lane's largest is made for: every L-th element of a vector, of which some may be missing.

    The index in it is the beat's. With one lane it is that of the whole.
    """
    if config.lanes == 1:
        return config
    beats = config.beats(config.max_length)
    return Config(
        mode="top_k",
        top_k=min(config.top_k, beats),
        max_length=beats,
        score_width=config.score_width,
        score_signed=config.score_signed,
        # A lane behind the first holds nothing where a vector's last beat is not full.
        mask=config.mask or lane > 0,
    )


def tag_width(count: int) -> int:
    """Bits that number the K kept elements of a vector, at least one."""
    return max(1, ceil_log2(count))


def kept_vectors(needed: int) -> int:
    """Vectors whose kept elements are stored: a power of two, of which one is coming in and `needed` are complete at most."""
    return 1 << ceil_log2(needed + 1)


def join_latency(config: Config) -> int:
    """Of the lanes' lists to one order: nothing of one lane's."""
    return JOIN_LATENCY if config.lanes > 1 else 0


def kept_latency(config: Config) -> int:
    """From a vector's order at the queue's output to its first element."""
    return MERGED_LATENCY if config.lanes > 1 else KEPT_LATENCY


def merged_pause(config: Config, spacing: int) -> int:
    """Cycles without an output between two vectors whose elements leave `spacing` cycles apart; filling goes on meanwhile."""
    return max(0, FILL_CYCLES + 1 - spacing) if config.lanes > 1 else 0


def top_k_latency(config: Config) -> int:
    """c: the first element is transferred B + c cycles after its vector's first beat of B, with nothing waiting."""
    # The last of B beats comes B − 1 cycles after the first; framing takes one cycle more.
    return INSERTION_LATENCY + join_latency(config) + QUEUE_LATENCY + kept_latency(config)


def top_k_vectors(config: Config) -> int:
    """Complete vectors that wait at most while input and output both move in every cycle.

    A vector of K or more elements leaves K of them; while these go out, vectors of one element may come in at one per cycle.
    What is put out for a vector is never more than came in, so no more than K elements ever wait for the output, and K
    vectors. To these come those on the way from the frame to the shift register, and the cycles that credits take.

    With several lanes an output may take longer than the beats that came in. Such vectors wait for it, and these places keep it
    busy.
    """
    return config.top_k + top_k_latency(config)


def softmax_top_k_latency(config: Config, cycles: Schedule) -> int:
    """The same for the elements with probabilities: the sum's way to the factor, a cycle to note it, and the emission.

    The lists are there before, those of several lanes too.
    """
    emission = cycles.probability + cycles.queue
    # The last of B beats comes B − 1 cycles after the first.
    return cycles.vector_latency + 1 + kept_latency(config) + cycles.memory - 1 + emission - 1


def softmax_top_k_vectors(config: Config, cycles: Schedule) -> int:
    """Complete vectors that wait at most while no input waits for the output."""
    waiting = cycles.vector_latency + kept_latency(config) + cycles.quotient_interval * config.top_k
    return waiting // cycles.vector_interval + 4
