"""The natural logarithm of a vector's sum, from tables, once per vector."""

from typing import Any

from amaranth import Module, ShapeLike, Signal, Value

from softstream.hw.normalisers.interface import FactorInterface
from softstream.hw.numbers.log_softmax import LogNumerics
from softstream.hw.streams.registers import delay, table

__all__ = ["LogSum", "log_sum_cycles"]


def log_sum_cycles(memory: int) -> int:
    """Latency where an entry takes `memory` cycles."""
    return memory + 2


class LogSum(FactorInterface):
    """L = O[n] + T[first F fraction bits of m] + 4·b, b the bit of m below them: ln 2^n·m and half an ulp (see `ln_tables`).

    L is in units of 2^-H, H = F + 3; its integer part goes out in the place of n, its H fraction bits as the factor.

    Ports: `i`, n, m and a tag, as `Normalise` puts them out; `o`, L and the tag; no back-pressure. Latency
    `log_sum_cycles(memory)`. Two tables and two adders, one after the other.
    """

    def __init__(self, numbers: LogNumerics, tag: ShapeLike, memory: int, *, pipelined: bool = False) -> None:
        self._numbers = numbers
        super().__init__(numbers.widths, numbers.tables.working_fraction, tag, memory, pipelined=pipelined)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        widths, tables = self._numbers.widths, self._numbers.tables
        vector = self.i.payload
        # b is worth half an interval of F bits.
        bit = widths.divisor_fraction - tables.fraction - 1
        worth = tables.working_fraction - tables.fraction - 1
        octave, logarithm = tables.octave.tolist(), tables.logarithm.tolist()
        of_octave = table(m, "octave", max(octave).bit_length(), octave, vector.exponent, self._memory)
        address = vector.divisor[bit + 1 : bit + 1 + tables.fraction]
        entry = table(m, "logarithm", max(logarithm).bit_length(), logarithm, address, self._memory)
        # Below 2^(H + 1), for ln m <= ln 2.
        significand = Signal(tables.working_fraction + 1, reset_less=True)
        total = Signal(self._numbers.logarithm_width, reset_less=True)
        half = self._beside(m, vector.divisor[bit], self._memory, "half")
        of_octave = self._beside(m, of_octave, 1, "of_octave")
        m.d.sync += [significand.eq(entry + (half << worth)), total.eq(of_octave + significand)]
        cycles = log_sum_cycles(self._memory)
        m.d.comb += [
            self.o.valid.eq(delay(m, self.i.valid, cycles, "valid", reset=True)),
            self.o.payload.exponent.eq(total[tables.working_fraction :]),
            self.o.payload.factor.eq(total[: tables.working_fraction]),
            Value.cast(self.o.payload.tag).eq(self._beside(m, Value.cast(vector.tag), cycles, "tag")),
        ]
        return m
