"""Schedule and sizes of Top-K: what the plan states and the hardware is built to, without the hardware description."""

from .config import Config
from .formats import ceil_log2
from .schedule import QUEUE_LATENCY, Schedule

__all__ = [
    "INSERTION_LATENCY",
    "KEPT_LATENCY",
    "kept_vectors",
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


def tag_width(count: int) -> int:
    """Bits that number the K kept elements of a vector, at least one."""
    return max(1, ceil_log2(count))


def kept_vectors(needed: int) -> int:
    """Vectors whose kept elements are stored: a power of two, of which one is coming in and `needed` are complete at most."""
    return 1 << ceil_log2(needed + 1)


def top_k_latency() -> int:
    """c: the first element is transferred N + c cycles after its vector's first score, with nothing waiting."""
    # The last of N elements comes N − 1 cycles after the first; framing takes one cycle more.
    return INSERTION_LATENCY + QUEUE_LATENCY + KEPT_LATENCY


def top_k_vectors(config: Config) -> int:
    """Complete vectors that wait at most while input and output both move in every cycle.

    A vector of K or more elements leaves K of them; while these go out, vectors of one element may come in at one per cycle.
    What is put out for a vector is never more than came in, so no more than K elements ever wait for the output, and K
    vectors. To these come those on the way from the frame to the shift register, and the cycles that credits take.
    """
    return config.top_k + top_k_latency()


def softmax_top_k_latency(cycles: Schedule) -> int:
    """The same for the elements with probabilities: the sum's way to the factor, a cycle to note it, and the emission."""
    emission = cycles.probability + cycles.queue
    # The last of N elements comes N − 1 cycles after the first.
    return cycles.vector_latency + 1 + KEPT_LATENCY + cycles.memory - 1 + emission - 1


def softmax_top_k_vectors(config: Config, cycles: Schedule) -> int:
    """Complete vectors that wait at most while no input waits for the output."""
    waiting = cycles.vector_latency + KEPT_LATENCY + cycles.quotient_interval * config.top_k
    return waiting // cycles.vector_interval + 4
