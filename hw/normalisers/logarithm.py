"""Normaliser by a difference of logarithms: no multiplier, no division, only tables."""

from typing import Any

from amaranth import C, Cat, Module, Mux, Signal, Value

from softstream.hw.config.config import Config
from softstream.hw.normalisers.interface import EmissionInterface, FactorInterface
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.plan.schedule import schedule
from softstream.hw.streams.registers import PairedTables, delay, table

__all__ = ["Emission", "Factor", "factor_width"]


def factor_width(widths: Numerics) -> int:
    """Bits of log2 m: a table's entry, and the bit that is added to it."""
    assert widths.logarithms is not None
    return widths.logarithms.working_fraction + 1


class Factor(FactorInterface):
    """log2 m = T[first F fraction bits of m] + b, b the bit below them, in units of 2^-G (see `numbers/logarithm.py`).

    The factor is {T, b}, b lowest, because the carry of the subtraction in `Emission` performs the addition. No back-pressure.
    Latency `memory` cycles, one vector per cycle where it is pipelined.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        tables = self._widths.logarithms
        assert tables is not None
        bit = self._widths.divisor_fraction - tables.working_fraction
        divisor = self.i.payload.divisor
        address = divisor[bit + 1 : bit + 1 + tables.fraction]
        entry = table(m, "logarithm", tables.working_fraction, tables.logarithm.tolist(), address, self._memory)
        m.d.comb += [
            self.o.valid.eq(delay(m, self.i.valid, self._memory, "valid", reset=True)),
            self.o.payload.exponent.eq(self._later(m, self.i.payload.exponent, self._memory, "exponent")),
            self.o.payload.factor.eq(Cat(self._later(m, divisor[bit], self._memory, "bit"), entry)),
            Value.cast(self.o.payload.tag).eq(self._later(m, Value.cast(self.i.payload.tag), self._memory, "tag")),
        ]
        return m


class Emission(EmissionInterface):
    """p = antilogarithm[{1, f} >> (zi + 1)], z = zi + f = n + log2 m − β·i − 2^-G.

    Latency: the table of the score's logarithm, `distance` cycles for the difference, 2 for the shift, the last table. One
    element per cycle, no back-pressure. Tables: `numbers/logarithm.py`.
    """

    def __init__(self, config: Config, widths: Numerics, tables: PairedTables | None = None) -> None:
        super().__init__(config, widths, factor_width(widths), tables)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        widths, tables = self._widths, self._widths.logarithms
        assert tables is not None
        working, cycles = tables.working_fraction, schedule(self._config)
        latency = cycles.probability
        positions = tables.position.tolist()
        position_width = max(1, max(positions).bit_length())
        # {n, T} + ~Y + b: the table holds ~Y, because inverters before a carry chain are LUTs of their own on some fabrics. b
        # enters as a carry, through one bit below. With several cycles each part takes the carry of the part below it, a cycle
        # later.
        complements = [~position & ((1 << position_width) - 1) for position in positions]
        logarithm = self._table(m, "position", position_width, complements, self.i.payload.position, cycles.memory)
        width = widths.sum_exponent_width + working
        total, carry = Cat(self.factor.factor[1:], self.factor.exponent), self.factor.factor[0]
        complement = Cat(logarithm, C(-1, width)[: width - position_width])
        parts: list[Value] = []
        steps = cycles.normaliser.step("difference")
        for step in range(steps):
            low, high = width * step // steps, width * (step + 1) // steps
            minuend, subtrahend = (delay(m, value[low:high], step, "z") for value in (total, complement))
            difference = Signal(high - low + 2, name=f"difference_{step}")
            m.d.comb += difference.eq(Cat(C(1, 1), minuend) + Cat(carry, subtrahend))
            parts.append(delay(m, difference[1:-1], steps - step, f"z_{step}"))
            carry = delay(m, difference[-1], 1, f"carry_{step}")
        z = Cat(parts)

        fraction, octave = z[:working], z[working:]
        address_width = tables.fraction + 1
        start = Cat(fraction, 1)[1:]
        # Two bits of the shift in each of two cycles; a one in any other bit makes the result 0.
        ones, fours = octave[:2], octave[2:4]
        shifted_by_ones = Signal(address_width, reset_less=True)
        address = Signal(address_width, reset_less=True)
        fours_later = delay(m, fours, 1, "fours")
        beyond = Signal(reset_less=True)
        m.d.sync += [
            shifted_by_ones.eq(start >> ones),
            beyond.eq(octave[4:].any()),
            address.eq(Mux(beyond, 0, shifted_by_ones >> Cat(C(0, 2), fours_later))),
        ]
        codes = widths.antilogarithm.tolist()
        m.d.comb += [
            self.next.eq(self._first(m, platform)),
            self.o.valid.eq(delay(m, self.i.valid, latency, "valid", reset=True)),
            self.o.payload.probability.eq(
                self._table(m, "antilogarithm", self._config.output_width, codes, address, cycles.direct)
            ),
            self.o.payload.last.eq(delay(m, self.i.payload.last, latency, "last")),
            self.o.payload.overlong.eq(delay(m, self.factor.tag, latency - cycles.memory, "overlong")),
        ]
        return m
