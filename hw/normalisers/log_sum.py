"""The natural logarithm of a vector's sum, from tables, once per vector."""

from typing import Any

from amaranth import Module, ShapeLike, Signal, Value

from softstream.hw.normalisers.interface import FactorInterface
from softstream.hw.numbers.log_softmax import LogNumerics
from softstream.hw.streams.registers import delay, table

__all__ = ["LogSum", "log_sum_cycles"]


def log_sum_cycles(memory: int) -> int:
    """Latency of `LogSum` where a table takes `memory` cycles."""
    return memory + 2


class LogSum(FactorInterface):
    """L = O[n] + T[first F fraction bits of m] + 4·b, b the bit of m below them: ln 2^n·m and half an ulp.

    The tables are those of `numbers/natural_logarithm.py`.

    L is in units of 2^-H, H = F + 3. Its integer part leaves in the place of n, its H fraction bits as the factor.

    Ports: `i`, n, m and a tag, the output of `LeadingOne`; `o`, L and the tag; no back-pressure. Latency
    `log_sum_cycles(memory)`, one vector per cycle where it is `pipelined`. Two tables and two adders in series.
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
        octave_logarithm = table(m, "octave", max(octave).bit_length(), octave, vector.exponent, self._memory)
        address = vector.divisor[bit + 1 : bit + 1 + tables.fraction]
        entry = table(m, "logarithm", max(logarithm).bit_length(), logarithm, address, self._memory)
        # Below 2^(H + 1), for ln m <= ln 2.
        significand = Signal(tables.working_fraction + 1, reset_less=True)
        total = Signal(self._numbers.logarithm_width, reset_less=True)
        half = self._later(m, vector.divisor[bit], self._memory, "half")
        octave_logarithm = self._later(m, octave_logarithm, 1, "octave_logarithm")
        m.d.sync += [significand.eq(entry + (half << worth)), total.eq(octave_logarithm + significand)]
        cycles = log_sum_cycles(self._memory)
        m.d.comb += [
            self.o.valid.eq(delay(m, self.i.valid, cycles, "valid", reset=True)),
            self.o.payload.exponent.eq(total[tables.working_fraction :]),
            self.o.payload.factor.eq(total[: tables.working_fraction]),
            Value.cast(self.o.payload.tag).eq(self._later(m, Value.cast(vector.tag), cycles, "tag")),
        ]
        return m
