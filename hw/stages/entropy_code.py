"""The entropy of a vector in bits, from the sum of its exponentials and that of their products with the positions."""

from typing import Any

from amaranth import C, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.numbers.entropy import EntropyNumerics
from softstream.hw.stages.leading_one import moment_layout
from softstream.hw.streams.layouts import pulse
from softstream.hw.streams.registers import delay, gates, table

__all__ = ["EntropyCode"]


class EntropyCode(wiring.Component):
    """code = max(0, floor((log2 S + c − β·μ) / 2^(h − P))), μ = T/S the mean position (see `numbers/entropy.py`).

    A division without restoring gives a bit of μ per cycle, the highest first. Each bit adds its weight b >> j to β·μ a cycle
    later. log2 S comes from a table meanwhile.

    Ports: `i`, n, m, the moment t in the units of m; `o`, the code; no back-pressure. Latency `entropy_code_cycles`, steps + 3.
    Vectors must be as far apart, because a later one overwrites the registers. With `halves` the upper half of β·μ works a
    cycle after the lower one, and the latency is a cycle more.
    """

    def __init__(self, numbers: EntropyNumerics, memory: int, *, halves: bool = False) -> None:
        self._numbers, self._memory, self._halves = numbers, memory, halves
        super().__init__(
            {
                "i": In(pulse(moment_layout(numbers.widths, 1, numbers.position_bits))),
                "o": Out(pulse(max(1, numbers.format.width))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        numbers, vector = self._numbers, self.i.payload
        widths, bits = numbers.widths, numbers.position_bits

        # Remaining steps less one: negative in idle cycles.
        left = Signal(range(-1, numbers.steps), init=-1)
        divisor = Signal(widths.divisor_width, reset_less=True)
        exponent = Signal(widths.sum_exponent_width, reset_less=True)
        # The remainder is signed: the divisor is subtracted where it is not negative, and added where it is. So a step has no
        # multiplexer behind the carry chain, and the bit of the quotient is the sign of the next remainder.
        rest, below = Signal(widths.divisor_width + 1, reset_less=True), Signal(bits, reset_less=True)
        negative = rest[-1]
        addend = Cat(divisor, Const(0, 1)) ^ (~negative).replicate(len(rest))
        total = Signal(len(rest) + 1, name="next_rest")
        # A bit below the sum brings the carry into the chain.
        m.d.comb += total.eq(Cat(Const(1, 1), below[-1], rest[:-1]) + Cat(~negative, addend))
        running = ~left[-1]
        with m.If(self.i.valid):
            m.d.sync += [
                left.eq(numbers.steps - 1),
                divisor.eq(vector.divisor),
                exponent.eq(vector.exponent),
                rest.eq(vector.moment[bits:]),
                below.eq(vector.moment[:bits]),
            ]
        with m.Elif(running):
            m.d.sync += [
                left.eq(left - 1),
                rest.eq(total[1:]),
                below.eq(below << 1),
            ]

        # The weight of a step stands in a register when its bit does.
        adding = delay(m, running, 1, "adding", reset=True)
        weight = Signal(max(1, numbers.weight.bit_length()), reset_less=True)
        mean = Signal(max(1, sum(numbers.weights).bit_length()), reset_less=True)
        m.d.sync += weight.eq(Mux(adding, weight >> 1, numbers.weight))
        addend = weight & (~negative).replicate(len(weight))
        # The lower half of the mean, if it has two, and its carry, a cycle before the upper half.
        low = max(1, len(mean) // 2) if self._halves else 0
        if low:
            carry, upper = Signal(reset_less=True), delay(m, addend[low:], 1, "upper_addend")
            lower = Signal(low, reset_less=True)
            total_low = Signal(low + 1)
            m.d.comb += total_low.eq(lower + addend[:low])
            m.d.sync += [
                lower.eq(gates(adding, total_low[:low], Const(0, low))),
                carry.eq(total_low[-1] & adding),
                mean[:low].eq(lower),
            ]
            adding, addend = delay(m, adding, 1, "adding_upper", reset=True), upper
            sum_upper = Cat(C(1, 1), mean[low:]) + Cat(carry, addend)
            m.d.sync += mean[low:].eq(Mux(adding, sum_upper[1:], 0))
        else:
            m.d.sync += mean.eq(Mux(adding, mean + addend, 0))

        entries = numbers.logarithm.tolist()
        cut = widths.divisor_fraction - numbers.fraction - 1
        address = divisor[cut + 1 : cut + 1 + numbers.fraction]
        entry = table(m, "logarithm", max(entries).bit_length(), entries, address, self._memory)
        worth = numbers.logarithm_fraction - numbers.fraction - 1
        guard = numbers.working_fraction - numbers.logarithm_fraction
        logarithm = Signal(len(exponent) + numbers.working_fraction + 1, reset_less=True)
        fraction = (entry + (divisor[cut] << worth)) << guard
        if self._halves:
            # Exponent and divisor stay long enough for a cycle more.
            later = Signal.like(fraction, name="fraction", reset_less=True)
            m.d.sync += later.eq(fraction)
            fraction = later
        m.d.sync += logarithm.eq((exponent << numbers.working_fraction) + fraction + numbers.offset)

        difference = Signal(len(logarithm) + 1, reset_less=True)
        m.d.sync += difference.eq(logarithm - mean)
        code = difference[numbers.shift :][: len(self.o.payload)]
        m.d.comb += [
            self.o.valid.eq(delay(m, left == 0, 3 + self._halves, "valid", reset=True)),
            self.o.payload.eq(Mux(difference[-1], 0, code)),
        ]
        return m
