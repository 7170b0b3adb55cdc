"""Clock cycles of the single stages: facts that the plan states and the hardware is built to.

A schedule never changes a bit of the result. Nothing here loads the hardware description; tests measure every stage against
these figures.
"""

from dataclasses import dataclass, replace

from softstream.hw.config.config import Config
from softstream.hw.config.limits import WIDEST_SCORE
from softstream.hw.formats import ceil_log2
from softstream.hw.numbers.gumbel import FRACTION
from softstream.hw.numbers.softmax import Numerics

__all__ = [
    "BANK",
    "DIGIT",
    "QUEUE_LATENCY",
    "WindowSum",
    "align_cycles",
    "bank_cycles",
    "bank_levels",
    "cleared",
    "comparison",
    "direct_cycles",
    "draw_cycles",
    "draw_digits",
    "even_segments",
    "far_lanes",
    "lookup_cycles",
    "margin_cycles",
    "maximum_latency",
    "memory_cycles",
    "normalise_digits",
    "normalise_levels",
    "product_cycles",
    "reference_segments",
    "ring_cycles",
    "rise_cycles",
    "round_cycles",
    "second_cycles",
    "skewed",
    "spread",
    "window_sum",
    "write_cycles",
]

QUEUE_LATENCY = 2
"""From the cycle in which an entry is written to an empty queue to the cycle in which it can be taken."""

DIGIT = 4
"""Bits by which the leading-one detector moves the sum up in a cycle."""

SHORTEST_STEP = 16
"""Least bits of a step of the running reference that make a segment of the sum."""

COMPARED = {"fast": 9, "fastest": 2}
"""Most bits that the maximum and a draw compare in a cycle, by profile."""


CLOSE_LANES = 4
"""Lanes whose block RAMs lie close enough to each other for one cycle from any of them to a place in their middle."""

BANK = 2048
"""Entries of a bank of a deep memory: so many of 9 bits fill a block RAM of ECP5, and so many of 2 bits one of iCE40."""


def memory_cycles(config: Config) -> int:
    """From an address to the entry of a memory, registers behind it included."""
    return {"small": 1, "fast": 2, "fastest": 3}[config.profile]


def direct_cycles(config: Config) -> int:
    """Likewise for a memory with no logic behind it, because its own output register is enough."""
    return min(memory_cycles(config), 2)


def write_cycles(config: Config) -> int:
    """From a sum over the members of an ensemble to the memory, which is far from the adder where it is a block RAM."""
    return int(config.profile == "fastest")


def bank_levels(depth: int) -> int:
    """Cycles that choose among the banks of a memory of `depth` entries: each chooses one of four. None for a single bank."""
    banks, levels = -(-depth // BANK), 0
    while 4**levels < banks:
        levels += 1
    return levels


def spread(depth: int) -> bool:
    """Whether a memory of `depth` entries has so many banks that the way to them and from them takes a cycle of its own."""
    return bank_levels(depth) > 1


def bank_cycles(depth: int) -> int:
    """Cycles that a memory of `depth` entries takes longer than one bank: to its banks, from them, and for the choice."""
    return 2 * spread(depth) + bank_levels(depth)


def far_lanes(config: Config) -> bool:
    """Whether the block RAMs of the lanes lie all over the part, so that the way from a lane to the queue takes a cycle.

    Pairs of lanes then share tables too. In `fastest` only, as on other parts each register costs a logic cell, and no block
    RAM has two ports that read.
    """
    return config.lanes > CLOSE_LANES and config.profile == "fastest" and config.traits.stores_scores


def ring_cycles(config: Config, entries: int) -> int:
    """From an address of the ring of scores to the entry of a ring that holds `entries`.

    The output of a single bank spreads over the lanes, so several lanes have a register more in `fastest`. The choice among
    several banks has registers that serve for that too. `small` leaves it to synthesis, as each register costs a logic cell.
    """
    cycles = memory_cycles(config) if config.lanes > 1 else direct_cycles(config)
    return cycles if config.profile == "small" else max(cycles, direct_cycles(config) + bank_cycles(entries))


def cleared(config: Config, widths: Numerics) -> bool:
    """Whether the absolute accumulator is cleared after each vector, while a second register per bit holds the sum.

    The second register is off the path of the sum, and smaller than a multiplexer where terms are long. Otherwise a vector's
    first term replaces the sum, which costs nothing on some fabrics.
    """
    return widths.absolute and (
        config.has_sink or config.lanes > 1 or widths.tables.low_width > 0 or config.profile == "fastest"
    )


def align_cycles(config: Config, widths: Numerics) -> int:
    """From an exponent and a significand to the aligned term; but in `small`, the distance to the reference has its own cycle."""
    return 3 if widths.absolute or widths.windows or config.profile != "small" else 2


@dataclass(frozen=True)
class WindowSum:
    """The segments of the sum of each of two windows, and the addition of both sums behind them."""

    segments: tuple[int, ...]
    """Widths of the segments of a window's sum, lowest first. Segment j works j cycles later than segment 0."""
    wait: int
    """From the last term's addition in segment 0 of a window to the addition of both sums in its own segment 0."""

    @property
    def extra(self) -> int:
        """Cycles more than there are segments of the sum: two for the choice of windows, one for their sums, and the wait."""
        return 3 + self.wait

    def ready(self, bit: int) -> int:
        """The number of the segment that holds a bit of a window's sum."""
        return next(j for j in range(len(self.segments)) if bit < sum(self.segments[: j + 1]))


def even_segments(width: int, longest: int) -> tuple[int, ...]:
    """Widths of the fewest segments of at most `longest` bits, as equal as possible, the wider ones last."""
    count = -(-width // longest)
    return tuple(width * (j + 1) // count - width * j // count for j in range(count))


def reference_segments(widths: Numerics) -> tuple[int, ...]:
    """Widths of the segments of the sum against a running reference, lowest first: a digit of `reference_step` bits each.

    The last one may be longer by less than `DIGIT` bits, which make no segment of their own. A single segment where the step
    is short, because the carry out of many digits takes as long as a carry chain.
    """
    width, step = widths.accumulator_width, widths.reference_step
    if step < SHORTEST_STEP:
        return (width,)
    count = width // step + (width % step >= DIGIT)
    return (*(step for _ in range(count - 1)), width - step * (count - 1))


def window_sum(widths: Numerics, segments: tuple[int, ...], longest: int) -> WindowSum:
    """The windows' segments for a sum of the given segments, each of which waits until all its bits are summed."""
    windows = WindowSum(even_segments(widths.window_width, longest), 0)
    # Bit i of the sum is that of `high` at i − (A − B), and that of `low` W above.
    above = widths.reference_step - (widths.accumulator_fraction - widths.significand_fraction)
    wait, end = 0, 0
    for j, width in enumerate(segments):
        end += width
        wait = max(wait, windows.ready(min(end - 1 + above, widths.window_width - 1)) - j)
    return replace(windows, wait=wait)


def skewed(config: Config) -> bool:
    """Whether the comparison of the maximum is skewed, so that it is no slower than the other stages."""
    return config.profile != "small"


def comparison(config: Config) -> tuple[int, ...]:
    """Bits of a contender that the skewed comparison compares in each of its steps, the highest first.

    One bit per step in modes that need the order only, because no other stage is slower there. Two bits where such a mode has
    wide scores, because the registers of the skew grow with the steps times the bits.
    """
    width = config.contender_width
    ordered = 1 if config.score_width <= WIDEST_SCORE else 2
    return even_segments(width, ordered if config.traits.order_only else COMPARED[config.profile])


def product_cycles(config: Config, bits: int) -> int:
    """Cycles of a product with a factor of `bits` bits: 1 for a multiplier, else one for the digits of two bits, and one for each
    level of a tree of adders.

    The parts that `fast` is for have no multiplier. With a normaliser that implies some, the others imply theirs as well.
    """
    if config.profile != "fast" or config.division == "reciprocal":
        return 1
    return 1 + ceil_log2(-(-bits // 2))


def draw_digits(config: Config, width: int) -> tuple[int, ...]:
    """Bits of a perturbed score of `width` bits that a draw compares in each of its steps, the highest first."""
    return even_segments(width, COMPARED.get(config.profile, width))


def rise_cycles(config: Config) -> int:
    """From the slope of a draw's noise to the addends of the perturbed score: as many as of the product, but one less where that
    is a tree of adders, whose last level is the sum."""
    return max(1, product_cycles(config, FRACTION) - 1)


def draw_cycles(config: Config, width: int) -> int:
    """From an element to the draw that it ends: the memory, the noise, the sum of `width` bits, the steps of the comparison, and
    the registers of the winner. The word waits for the element."""
    return 2 + memory_cycles(config) + rise_cycles(config) + len(draw_digits(config, width))


def second_cycles(config: Config) -> int:
    """From a beat to the contender for the second best score, in the skewed comparison: the highest digit of the largest score
    that is not the best one so far.

    Each level of the tree over the lanes compares the second best scores of two parts with each other, and the larger one with
    the loser of the best ones, two cycles for the one cycle of the best ones. The last comparison is with the loser of the loop.
    """
    levels = ceil_log2(config.lanes)
    return max(levels + 1, 2 * levels - 1) + 1 if levels else 1


def margin_cycles(config: Config) -> int:
    """By how many cycles the winner waits for its margin: until the second best score is known, and one for the difference.

    Without the skewed comparison both scores are known in the same cycle.
    """
    if not (config.has_margin and skewed(config)):
        return 0
    return second_cycles(config) - ceil_log2(config.lanes) + 1


def maximum_latency(config: Config) -> int:
    """From a vector's last framed beat to its winner.

    One cycle for each level of the tree over the lanes, one for the loop, one for each step of the skewed comparison, and those
    of the margin.
    """
    levels = ceil_log2(config.lanes)
    return levels + 1 + (len(comparison(config)) if skewed(config) else 0) + margin_cycles(config)


def normalise_digits(widths: Numerics) -> tuple[int, int, int]:
    """(K, first, z): cycles until the leading one is among the top `DIGIT` bits at the latest; number of the first digit;
    zeros above the sum.

    The sum is at least 2^A, so its leading one lies in one of span = width − A positions. Digits are numbered such that
    2^b − 1 − position, b the bits of a position, is digit·DIGIT + a remainder.
    """
    span = widths.accumulator_width - 1 - widths.accumulator_fraction
    above = (1 << max(2, span.bit_length())) - 1 - span
    return (span + above % DIGIT) // DIGIT + 1, above // DIGIT, above % DIGIT


def normalise_levels(widths: Numerics) -> tuple[int, int]:
    """(b, z): bits of a leading one's position, which is the number of shifts; zeros above the sum.

    The leading one lies in one of span = width − A positions, as in `normalise_digits`; with z zeros above, there are 2^b.
    """
    span = widths.accumulator_width - 1 - widths.accumulator_fraction
    bits = max(1, span.bit_length())
    return bits, (1 << bits) - 1 - span


def round_cycles(config: Config) -> int:
    """From a quotient to the rounded probability: one more cycle for the shift in `fastest`."""
    return 3 if config.profile == "fastest" else 2


def lookup_cycles(config: Config, widths: Numerics) -> int:
    """From a position to the exponent and the significand of its exponential: one table, or two and their product."""
    if not widths.tables.low_width:
        return memory_cycles(config)
    # Those of the sum, or those of the elements.
    factor = max(widths.tables.delta_width, widths.element_tables.delta_width)
    return memory_cycles(config) + product_cycles(config, factor) + 2
