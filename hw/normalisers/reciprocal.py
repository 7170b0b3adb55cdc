"""Normaliser with a multiplier: one reciprocal per vector, one product per element."""

from typing import Any

from amaranth import Cat, Module, Signal, Value, unsigned
from amaranth.lib import data

from softstream.hw.normalisers.division import division_of
from softstream.hw.normalisers.emission import emission
from softstream.hw.normalisers.interface import FactorInterface, QuotientInterface
from softstream.hw.numbers.reciprocal import GUARD, ReciprocalTables
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.streams.registers import delay, table

__all__ = ["Emission", "Factor", "Quotient", "factor_width"]


def factor_width(widths: Numerics) -> int:
    """Bits of the reciprocal r."""
    return widths.reciprocal_width


class Factor(FactorInterface):
    """r = min(floor(2^(R+D) / m), 2^R − 1): 1/m in UQ0.R, one bit a cycle; or by chords (see `numbers/reciprocal.py`).

    The dividend 1.0 is the initial remainder 2^D, at most the divisor. Latency and interval R + 1 cycles; pipelined R and 1.
    By chords the latency is `memory` + 2 cycles, for the table, a product and a difference, and the interval 1 cycle where
    the component is pipelined. No back-pressure.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self._widths.reciprocals is not None:
            self._chords(m, self._widths.reciprocals)
        else:
            self._division(m)
        return m

    def _division(self, m: Module) -> None:
        widths = self._widths
        tag = data.StructLayout({"exponent": widths.sum_exponent_width, "tag": self._tag})
        start = 1 << widths.divisor_fraction
        m.submodules.division = division = division_of(
            widths.divisor_width, widths.reciprocal_width, tag, pipelined=self._pipelined, start=start
        )
        m.d.comb += [
            division.i.valid.eq(self.i.valid),
            division.i.payload.remainder.eq(start),
            division.i.payload.divisor.eq(self.i.payload.divisor),
            division.i.payload.tag.exponent.eq(self.i.payload.exponent),
            Value.cast(division.i.payload.tag.tag).eq(Value.cast(self.i.payload.tag)),
            self.o.valid.eq(division.o.valid),
            self.o.payload.exponent.eq(division.o.payload.tag.exponent),
            self.o.payload.factor.eq(division.o.payload.quotient),
            Value.cast(self.o.payload.tag).eq(Value.cast(division.o.payload.tag.tag)),
        ]

    def _chords(self, m: Module, tables: ReciprocalTables) -> None:
        divisor, bits = self.i.payload.divisor, tables.fraction + GUARD - 1
        entries = [
            slope << bits | start & ((1 << bits) - 1)  # the leading one of every start is implied, not stored
            for start, slope in zip(tables.start.tolist(), tables.slope.tolist(), strict=True)
        ]
        registered = self._memory > 2  # the third register belongs to the multiplier
        address = divisor[tables.low_width : -1]
        entry = table(m, "chord", tables.slope_width + bits, entries, address, self._memory - registered)
        start, slope = entry[:bits], entry[bits:]
        low = self._later(m, divisor[: tables.low_width], self._memory - registered, "low")
        if registered:
            slope, low, start = (
                delay(m, slope, 1, "slope"),
                delay(m, low, 1, "low"),
                delay(m, start, 1, "start_parallel"),
            )
        fall = Signal(tables.slope_width + tables.low_width, reset_less=True)
        reciprocal = Signal(bits, reset_less=True)
        m.d.sync += [
            fall.eq(slope * low),
            reciprocal.eq(delay(m, start, 1, "start") - fall[tables.low_width :]),
        ]
        cycles = self._memory + 2
        m.d.comb += [
            self.o.valid.eq(delay(m, self.i.valid, cycles, "valid", reset=True)),
            self.o.payload.exponent.eq(self._later(m, self.i.payload.exponent, cycles, "exponent")),
            self.o.payload.factor.eq(Cat(reciprocal[GUARD:], 1)),
            Value.cast(self.o.payload.tag).eq(self._later(m, Value.cast(self.i.payload.tag), cycles, "tag")),
        ]


class Quotient(QuotientInterface):
    """quotient = floor(M·2^-B · r·2^-R · 2^(P+1)): one multiplication, registered before and after.

    Latency 2 cycles, one element per cycle, no back-pressure. On a fabric with multiplier blocks the registers are theirs.
    Wide factors, those of chords, are multiplied without their leading ones, so that a smaller multiplier suffices: with
    M = 2^B + M' and r = 2^(R−1) + r', M·r = M'·r' + (2^(R−1)·M + 2^B·r'). That takes 1 cycle more.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        widths, element = self._widths, self.i.payload
        shift = widths.significand_fraction + widths.reciprocal_width - widths.probability_width - 1
        wide = widths.reciprocals is not None
        significand = element.significand[:-1] if wide else element.significand
        factor = element.factor[:-1] if wide else element.factor
        cycles = 3 if wide else 2
        significand_later, factor_later = delay(m, significand, 1, "significand"), delay(m, factor, 1, "factor")
        product = Signal(unsigned(len(significand) + len(factor)), reset_less=True)
        m.d.sync += product.eq(significand_later * factor_later)
        whole: Value = product
        if wide:
            # The addend has no bits below `low`, so the product's lower bits are just cut off.
            low = min(widths.significand_fraction, widths.reciprocal_width - 1)
            rest = (element.significand << widths.reciprocal_width - 1) + (factor << widths.significand_fraction)
            whole = Signal(widths.significand_width + widths.reciprocal_width, reset_less=True)
            m.d.sync += whole[low:].eq(delay(m, rest[low : len(whole)], 2, "rest") + product[low:])
        m.d.comb += [
            self.o.valid.eq(delay(m, self.i.valid, cycles, "valid", reset=True)),
            Value.cast(self.o.payload.tag).eq(delay(m, Value.cast(element.tag), cycles, "tag")),
            self.o.payload.quotient.eq(whole[shift:]),
        ]
        return m


Emission = emission(Quotient, factor_width)
