"""The base-2 exponential: position to exponent and significand, or straight to the shifted term of the sum."""

from typing import Any

from amaranth import Cat, Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.numbers.exponential import SPLIT_GUARD, ExponentialTables
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.streams.adders import product
from softstream.hw.streams.layouts import pulse
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import delay, table

__all__ = ["Exponential", "Terms", "exponential_layout"]


def exponential_layout(widths: Numerics, tag: ShapeLike) -> data.StructLayout:
    """Exponent E, significand M in UQ1.B, and the element's tag."""
    return data.StructLayout({"exponent": widths.exponent_width, "significand": widths.significand_width, "tag": tag})


class _Lookup(wiring.Component):
    """Base of the two tables: `i` carries a position and a tag; `valid` and tag leave `o` after the latency."""

    def __init__(self, widths: Numerics, tag: ShapeLike, output: data.StructLayout, memory: int, latency: int) -> None:
        self._widths = widths
        self._memory, self.latency = memory, latency
        position = data.StructLayout({"position": widths.tables.score_width, "tag": tag})
        super().__init__({"i": In(pulse(position)), "o": Out(pulse(output))})

    def _delay_control(self, m: Module) -> None:
        m.d.comb += [
            self.o.valid.eq(delay(m, self.i.valid, self.latency, "valid", reset=True)),
            Value.cast(self.o.payload.tag).eq(delay(m, Value.cast(self.i.payload.tag), self.latency, "tag")),
        ]


class Exponential(_Lookup):
    """2^(βi) = 2^E·M: one table up to 10 bits of score; above, two tables and an interpolating product.

    The arithmetic is that of `numbers/exponential.py`, step by step.

    Ports: `i`, position and tag; `o`, E, M in UQ1.B and the tag; no back-pressure. Latency `lookup_cycles`, one element
    per cycle: `memory` cycles (one table), and with two tables those of the product and 2 more (sum, normalisation).
    """

    def __init__(
        self, widths: Numerics, tag: ShapeLike, memory: int, latency: int, tables: ExponentialTables | None = None
    ) -> None:
        """`latency`: `lookup_cycles`. `tables` replace those of the sum where the exponentials of the elements are scaled."""
        self._tables = tables or widths.tables
        super().__init__(widths, tag, exponential_layout(widths, tag), memory, latency)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        self._delay_control(m)
        widths, tables = self._widths, self._tables
        fraction = tables.work_fraction if tables.low_width else tables.fraction
        # The leading one of every significand is implied, not stored.
        entries = [(e << fraction) | (x - (1 << fraction)) for e, x in tables.high]
        exponent_width = max(1, max(e for e, _ in tables.high).bit_length())
        position = self.i.payload.position
        # A third register behind the tables belongs to the multiplier.
        registered = bool(tables.low_width) and self._memory > 2
        memory = self._memory - registered
        high = table(m, "high", exponent_width + fraction, entries, position[tables.low_width :], memory)
        factor, exponent = (high[:fraction] | (1 << fraction))[: fraction + 1], high[fraction:]
        if not tables.low_width:
            m.d.comb += [self.o.payload.exponent.eq(exponent), self.o.payload.significand.eq(factor)]
            return m

        delta_width = tables.delta_width
        low_exponent_width = max(1, max(e for e, _ in tables.low).bit_length())
        entries = [(e << delta_width) | delta for e, delta in tables.low]
        low = table(
            m, "low", low_exponent_width + delta_width, entries, position[: tables.low_width], memory, block=True
        )
        delta, low_exponent = low[:delta_width], low[delta_width:]
        zeros = fraction - delta_width

        multiplicand, multiplier = factor[zeros:], delta
        if registered:
            multiplicand, multiplier = delay(m, multiplicand, 1, "multiplicand"), delay(m, multiplier, 1, "multiplier")
            # The reset makes these registers differ from the multiplier's, so that synthesis leaves those inside the multiplier.
            factor = delay(m, factor, 1, "factor_parallel", reset=True)
            exponent, low_exponent = delay(m, exponent, 1, "high_exponent"), delay(m, low_exponent, 1, "low_exponent")
        # Behind the product: the sum and the normalisation.
        cycles = self.latency - self._memory - 2
        share = product(m, "product", multiplicand, multiplier, cycles)
        exponent_sum = Signal(widths.exponent_width, reset_less=True)
        m.d.sync += exponent_sum.eq(exponent + low_exponent)
        exponent_sum = delay(m, exponent_sum, cycles - 1, "exponent_sum_later")
        factor = delay(m, factor, cycles, "factor")

        total = Signal(fraction + 2, reset_less=True)
        raised = Signal(widths.exponent_width, reset_less=True)
        m.d.sync += [total.eq(factor + share[fraction - zeros :]), raised.eq(exponent_sum + 1)]
        exponent_sum = delay(m, exponent_sum, 1, "exponent_sum")

        width = widths.significand_width
        large = total[-1]
        significand = Signal(width - 1, reset_less=True)
        exponent_out = Signal(widths.exponent_width, reset_less=True)
        m.d.sync += [
            significand.eq(Mux(large, total[SPLIT_GUARD + 1 :], total[SPLIT_GUARD:])),
            exponent_out.eq(Mux(large, raised, exponent_sum)),
        ]
        # The leading one is constant: normalisation has put it at the top.
        m.d.comb += [self.o.payload.exponent.eq(exponent_out), self.o.payload.significand.eq(Cat(significand, 1))]
        return m


class Terms(_Lookup):
    """Terms M·2^E of the absolute accumulator for a narrow score, from one table of shifted exponentials.

    The bits are those of `Exponential` and `Align`, without a shifter. Ports: `i`, position and tag; `o`, the term in units
    of 2^-B and the tag; no back-pressure. With `gated` the term is 0 where `o` is not valid. Latency `memory` cycles, one
    element per cycle.
    """

    def __init__(self, widths: Numerics, tag: ShapeLike, memory: int, *, gated: bool = False) -> None:
        self._width, self._gated, self.windowed = term_width(widths), gated, bool(widths.windows)
        window = {"window": max(1, widths.coarse_width)} if widths.windows else {}
        super().__init__(widths, tag, data.StructLayout({"term": self._width, **window, "tag": tag}), memory, memory)

    @property
    def entries(self) -> list[int]:
        """What the table holds: of each position its term, in two windows with its window above it."""
        octaves, rows = self._widths.reference_step, self._widths.tables.high
        if self.windowed:
            return [(e // octaves << self._width) | (x << e % octaves) for e, x in rows]
        return [significand << exponent for exponent, significand in rows]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        self._delay_control(m)
        widths, width, entries = self._widths, self._width, self.entries
        if self.windowed:
            width += widths.coarse_width
        # A register outside the memory clears the term at no cost, in `fast` the only one; a memory's own has no such input.
        clears = self._gated and self._memory > 1
        term = table(m, "terms", width, entries, self.i.payload.position, self._memory - clears)
        term, window = term[: self._width], term[self._width :]
        if clears:
            cleared = Signal(self._width, reset_less=True)
            present = delay(m, self.i.valid, self._memory - 1, "present", reset=True)
            m.d.sync += cleared.eq(Mux(present, term, 0))
            term = cleared
        elif self._gated:
            term = Mux(self.o.valid, term, 0)
        m.d.comb += self.o.payload.term.eq(term)
        if widths.windows:
            m.d.comb += self.o.payload.window.eq(delay(m, window, int(clears), "window"))
        publish(platform, self)
        return m


def term_width(widths: Numerics) -> int:
    """Bits of the largest shifted term of the absolute accumulator, or of a window."""
    octaves = widths.reference_step - 1 if widths.windows else widths.tables.exponent_maximum
    return widths.significand_width + octaves
