"""Plan of sampling by the inverse of the cumulative distribution."""

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from softstream.hw.config.config import Config
from softstream.hw.numbers.inverse_cdf import cdf_law, exact_sum
from softstream.hw.numbers.random_words import WORD
from softstream.hw.plan.records import Cycles, Plan, StagePlan
from softstream.hw.plan.rows import replay_row, sum_rows
from softstream.hw.plan.schedule import Schedule, schedule
from softstream.hw.plan.stage_cycles import QUEUE_LATENCY
from softstream.hw.plan.texts import each_cycle

__all__ = ["CdfSchedule", "inverse_cdf_plan", "inverse_cdf_schedule", "share_rows"]

DRAWS = 16
"""Draws that may wait at the least: memories of logic cells have as many entries."""

SHARE_DIGIT = {"small": 1, "fast": 2, "fastest": 2}
"""Bits of u that one cycle multiplies by, by profile."""


@dataclass(frozen=True)
class CdfSchedule:
    """Latencies in clock cycles, and sizes of the queues."""

    sums: Schedule
    """That of the exponentials and of their sum."""
    digit: int
    """Bits of u that one cycle multiplies by."""
    steps: int
    """Cycles of the multiplication (u + ½)·S."""

    @property
    def threshold(self) -> int:
        """From a vector's sum to its threshold: the multiplication, and a carry that goes through the sum's segments."""
        return self.steps + 1 + len(self.sums.segments)

    @property
    def vector_latency(self) -> int:
        """From the transfer of a vector's last element to its threshold."""
        return self.sums.sum_latency + self.threshold

    @property
    def vector_interval(self) -> int:
        """Cycles between the last elements of two vectors, at the least: the multiplication is serial."""
        return max(self.threshold, self.sums.sum_latency - self.sums.frame, 4)

    @property
    def search(self) -> int:
        """From a stored element to whether it is the one drawn: its term, and the carry through the sum's segments."""
        return self.sums.lookup + self.sums.align + self.sums.accumulate

    @property
    def output(self) -> int:
        """From the threshold of a vector to the transfer of its draw, where that is the first element."""
        return self.sums.replay + self.search + QUEUE_LATENCY

    @property
    def margin(self) -> int:
        """Vectors whose first element may be on its way out of the ring and is not yet counted."""
        return self.sums.ring + 1

    @property
    def draws(self) -> int:
        """Draws that may wait, so many that none stops the ring, whose room is their credit, while the output takes them.

        Where vectors of one element leave in every cycle, as many draws are on the way as the search has cycles, and two are in
        the queue. The credit is available while one more than its margin is left.
        """
        return max(DRAWS, self.search + 2 + self.margin + 1)

    def elements(self, longest: int) -> int:
        """Elements that the ring holds: a vector of that many, and what comes in before the first of it leaves."""
        return longest + self.vector_latency + 7

    def vectors(self, longest: int) -> int:
        """Vectors whose elements may be in the ring at once with none waiting: those of `vector_interval` elements."""
        return self.elements(longest) // self.vector_interval + 3


@lru_cache(maxsize=256)
def inverse_cdf_schedule(config: Config) -> CdfSchedule:
    """The schedule of a configuration. Raises `UserError` as `cdf_law` does."""
    law, digit = cdf_law(config), SHARE_DIGIT[config.profile]
    cycles = CdfSchedule(replace(schedule(exact_sum(config)), entry=0), digit, -(-(law.share_bits + 1) // digit))
    return replace(cycles, sums=cycles.sums.with_ring(config, cycles.elements(config.max_length)))


def inverse_cdf_plan(config: Config) -> Plan:
    """The plan of a draw among all elements of a vector. Raises `UserError` as `cdf_law` does."""
    law, cycles = cdf_law(config), inverse_cdf_schedule(config)
    constant = cycles.vector_latency + cycles.output - 1
    return Plan(
        config=config,
        stages=tuple(share_rows(config, config)),
        fixed_latency_cycles=constant,
        best_latency_cycles=constant,
        interval_terms=(Cycles(1), Cycles(0, cycles.vector_interval)),
        output_spacing=1,
        bound=None,
        warnings=(),
        distance=float(law.bound),
        smallest=float(law.smallest),
        class_error=float(law.class_error),
        searched=True,
    )


def share_rows(config: Config, among: Config) -> list[StagePlan]:
    """The rows of a draw by a random share of the sum; `among` is the configuration of the sum, without an ordered list."""
    law, cycles = cdf_law(among), inverse_cdf_schedule(among)
    inner, sums, widths, each = exact_sum(among), cycles.sums, law.widths, each_cycle(among)
    first_pass = sum_rows(inner, widths, sums, Fraction(0), False)[:-1]
    position, exponential, total = f"UQ{config.score_width}.0", first_pass[-2], f"{widths.accumulator_format}"
    interval, share = f"{cycles.threshold} cycles/vector", f"UQ0.{law.share_bits}"
    return [
        *first_pass,
        StagePlan("random_words", "a random word per vector", "–", f"{law.share_bits} of {WORD} bits", 0, "1 vector/cycle",
                  note=f"seed {config.seed}"),
        StagePlan("sum_share", f"Σ · (u + ½), {cycles.digit} of the {law.share_bits} bits of u a step",
                  f"{total}, {share}", total, cycles.threshold, interval,
                  note=f"each class of a probability of at least {float(law.smallest):.1g} within "
                  f"{100 * float(law.class_error):.2g} % of it"),
        replace(replay_row(inner, sums, each),
                computes=f"raw scores again, {cycles.elements(config.drawn_length)} entries"),
        StagePlan("cdf_search", f"first index whose running sum exceeds it; {exponential.computes}", f"{position}, {total}",
                  f"{config.index_width}-bit index, {config.score_format}", cycles.search + QUEUE_LATENCY, each,
                  exponential.table_bits,
                  note=f"with the output queue; total variation from softmax at most {float(law.bound):.2g}, for every vector"),
    ]  # fmt: skip
