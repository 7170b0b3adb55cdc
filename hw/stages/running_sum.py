"""The running sum of a stored vector's exponentials, in the second pass: the exact sum up to each element of a beat."""

from typing import Any

from amaranth import C, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.formats import ceil_log2
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.stages.exponential import term_width
from softstream.hw.streams.layouts import pulse
from softstream.hw.streams.registers import delay

__all__ = ["RunningSum", "beat_terms_layout", "running_sums_layout"]


def beat_terms_layout(widths: Numerics, lanes: int) -> data.StructLayout:
    """The terms of a beat, 0 where a lane adds nothing, and whether the beat is its vector's first."""
    return data.StructLayout({"terms": data.ArrayLayout(term_width(widths), lanes), "first": 1})


def running_sums_layout(widths: Numerics, lanes: int) -> data.StructLayout:
    """The sum of a vector's terms up to each lane's element."""
    return data.StructLayout({"sums": data.ArrayLayout(widths.accumulator_width, lanes)})


class RunningSum(wiring.Component):
    """A_i = t_1 + … + t_i for each lane's element, exact, by the segments of the first pass's accumulator.

    A tree gives the sums of a beat's terms up to each lane (Kogge and Stone, "A Parallel Algorithm for the Efficient Solution
    of a General Class of Recurrence Equations", 1973). Each of them is added to the sum of the earlier beats. A register
    holds a segment's carry, and the next segment works one cycle later; the lower segments wait for the highest.

    Ports: `i`, the terms of a beat; `o`, the running sums; no back-pressure. Latency `ceil_log2(lanes)` cycles and one for each
    segment; one beat per cycle, no bubble between vectors.
    """

    def __init__(self, widths: Numerics, segments: tuple[int, ...], lanes: int) -> None:
        self._widths, self._segments, self._lanes = widths, segments, lanes
        super().__init__(
            {
                "i": In(pulse(beat_terms_layout(widths, lanes))),
                "o": Out(pulse(running_sums_layout(widths, lanes))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lanes, levels = self._lanes, ceil_log2(self._lanes)
        prefixes = self._prefixes(m)
        valid, first = (
            delay(m, self.i.valid, levels, "valid", reset=True),
            delay(m, self.i.payload.first, levels, "first"),
        )
        low, last = 0, len(self._segments) - 1
        carries: list[Value] = [Const(0, 1)] * lanes
        for j, width in enumerate(self._segments):
            later_valid = delay(m, valid, j, f"valid_{j}", reset=True)
            before = Signal(width, name=f"sum_{j}", reset_less=True)
            augend = Mux(delay(m, first, j, f"first_{j}"), 0, before)
            totals = []
            for lane, prefix in enumerate(prefixes):
                addend = delay(m, prefix[low : low + width], j, f"term_{lane}_{j}")
                # The carry enters through one bit below the segment, so that every fabric builds a single carry chain.
                total = Signal(width + 2, name=f"total_{lane}_{j}")
                m.d.comb += total.eq(Cat(C(1, 1), augend) + Cat(carries[lane], addend))
                carry = Signal(name=f"carry_{lane}_{j}", reset_less=True)
                m.d.sync += carry.eq(total[-1])
                carries[lane] = carry
                totals.append(total[1:-1])
            with m.If(later_valid):
                m.d.sync += before.eq(totals[-1])
            for lane, total in enumerate(totals):
                # The last lane's sum is the one that stays for the next beat.
                complete: Value = before if lane == lanes - 1 else delay(m, total, 1, f"whole_{lane}_{j}")
                m.d.comb += self.o.payload.sums[lane][low : low + width].eq(
                    delay(m, complete, last - j, f"waiting_{lane}_{j}")
                )
            low += width
        m.d.comb += self.o.valid.eq(delay(m, valid, last + 1, "complete", reset=True))
        return m

    def _prefixes(self, m: Module) -> list[Value]:
        """The sums of a beat's terms up to each lane, in registers after each level of the tree."""
        sums: list[Value] = [self.i.payload.terms[lane] for lane in range(self._lanes)]
        distance = 1
        while distance < self._lanes:
            following: list[Value] = []
            for lane, total in enumerate(sums):
                value = total + sums[lane - distance] if lane >= distance else total
                following.append(delay(m, value, 1, f"prefix_{lane}_{distance}"))
            sums, distance = following, 2 * distance
        width = self._widths.accumulator_width
        return [Cat(total, Const(0, max(0, width - len(total))))[:width] for total in sums]
