"""The sum of a vector's exponentials: absolute, or against a running power-of-two reference."""

from typing import Any

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .exponential import exponential_layout, term_width
from .numerics import Numerics
from .streams import delay, pulse

__all__ = ["Accumulate", "Align", "edges_layout", "sum_layout", "term_layout"]


def edges_layout() -> data.StructLayout:
    """What travels along with an element on its way into the sum."""
    return data.StructLayout({"first": 1, "last": 1, "overlong": 1})


def term_layout(widths: Numerics) -> data.StructLayout:
    """A term of the sum, aligned to the reference, and by how much the sum so far has to be shifted before."""
    return data.StructLayout(
        {
            "term": _aligned_width(widths),
            "shift": _steps(widths).bit_length(),
            "reference": max(1, widths.coarse_width),
            "edges": edges_layout(),
        }
    )


def sum_layout(widths: Numerics) -> data.StructLayout:
    """A vector's sum, its reference H and its flag: Σ 2^E·M = sum · 2^(c·H − A)."""
    return data.StructLayout({"sum": widths.accumulator_width, "reference": max(1, widths.coarse_width), "overlong": 1})


def _aligned_width(widths: Numerics) -> int:
    """Bits of one term: A fraction bits, and the octaves above the reference."""
    return term_width(widths) if widths.absolute else widths.accumulator_fraction + widths.reference_step


def _steps(widths: Numerics) -> int:
    """Reference steps after which a term or a sum is shifted out altogether."""
    return 0 if widths.absolute else -(-widths.accumulator_width // widths.reference_step)


def _shift_steps(m: Module, value: Value, steps: Value, widths: Numerics, name: str) -> Value:
    """`value` >> (reference_step · steps), with steps saturated at `_steps`, where nothing is left."""
    shifted = Signal(len(value), name=name)
    with m.Switch(steps):
        for count in range(_steps(widths)):
            with m.Case(count):
                m.d.comb += shifted.eq(value >> (widths.reference_step * count))
        with m.Default():
            m.d.comb += shifted.eq(0)
    return shifted


class Align(wiring.Component):
    """Exponent and significand to a term of the sum.

    Absolute: term = M·2^E, shifted in two cycles. Reference: H_i = max(H_(i−1), E_i // c) with c = reference_step,
    term = floor(M·2^(E mod c)·2^(A−B) / 2^(c·(H_i − E // c))), and shift = H_i − H_(i−1) tells the accumulator how far the
    sum so far moves down. The loop is a compare of coarse exponents only.

    Ports: `i`, E, M and the element's edges; `o`, the aligned term; no back-pressure. Latency 2 cycles, one element per
    cycle.
    """

    LATENCY = 2

    def __init__(self, widths: Numerics) -> None:
        self._widths = widths
        super().__init__(
            {"i": In(pulse(exponential_layout(widths, edges_layout()))), "o": Out(pulse(term_layout(widths)))}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        widths, element = self._widths, self.i.payload
        m.d.comb += [
            self.o.valid.eq(delay(m, self.i.valid, 2, "valid", reset=True)),
            Value.cast(self.o.payload.edges).eq(delay(m, Value.cast(element.tag), 2, "edges")),
        ]
        term = Signal(_aligned_width(widths), reset_less=True)
        m.d.comb += self.o.payload.term.eq(term)
        if widths.absolute:
            # Low exponent bits first, high ones a cycle later: two shifters of moderate depth.
            low_bits = min(3, widths.exponent_width)
            low = Signal(widths.significand_width + (1 << low_bits) - 1, reset_less=True)
            high_bits = delay(m, element.exponent[low_bits:], 1, "high_bits")
            m.d.sync += [
                low.eq(element.significand << element.exponent[:low_bits]),
                term.eq(low << (high_bits << low_bits)) if len(high_bits) else term.eq(low),
            ]
            return m

        fine_bits = (widths.reference_step - 1).bit_length()
        fine, coarse = element.exponent[:fine_bits], element.exponent[fine_bits:]
        running = Signal(max(1, widths.coarse_width), reset_less=True)
        shifted = Signal(_aligned_width(widths), reset_less=True)
        steps = _steps(widths)
        below = Signal(steps.bit_length(), reset_less=True)
        grown = Signal(steps.bit_length(), reset_less=True)
        larger = Signal()
        rise = Signal(len(coarse) + 1)
        fall = Signal(len(coarse) + 1)
        m.d.comb += [
            larger.eq(element.tag.first | (coarse > running)),
            rise.eq(coarse - running),
            fall.eq(running - coarse),
        ]
        with m.If(self.i.valid):
            m.d.sync += [
                running.eq(Mux(larger, coarse, running)),
                below.eq(Mux(larger, 0, Mux(fall < steps, fall, steps))),
                grown.eq(Mux(element.tag.first | ~larger, 0, Mux(rise < steps, rise, steps))),
                shifted.eq(
                    (element.significand << fine) << (widths.accumulator_fraction - widths.significand_fraction)
                ),
            ]
        m.d.sync += term.eq(_shift_steps(m, shifted, below, widths, "aligned"))
        m.d.comb += [
            self.o.payload.shift.eq(delay(m, grown, 1, "grown")),
            self.o.payload.reference.eq(delay(m, running, 1, "reference")),
        ]
        return m


class Accumulate(wiring.Component):
    """sum = Σ terms of a vector, in the order in which they come.

    sum_i = floor(sum_(i−1) / 2^(c·shift_i)) + term_i; in the absolute form there is no shift and the sum is exact.

    Ports: `i`, aligned terms, no back-pressure; `o`, stream of sums, one per vector, which holds until taken: the next
    vector's first term must not come before. Latency 1 cycle, one element per cycle.
    """

    LATENCY = 1

    def __init__(self, widths: Numerics) -> None:
        self._widths = widths
        super().__init__({"i": In(pulse(term_layout(widths))), "o": Out(stream.Signature(sum_layout(widths)))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        term = self.i.payload
        kept = self.o.payload.sum
        if not self._widths.absolute:
            kept = _shift_steps(m, kept, term.shift, self._widths, "kept")
        with m.If(self.i.valid):
            m.d.sync += [
                self.o.payload.sum.eq(Mux(term.edges.first, Const(0, len(kept)), kept) + term.term),
                self.o.payload.reference.eq(term.reference),
                self.o.payload.overlong.eq(term.edges.overlong),
            ]
        m.d.sync += self.o.valid.eq((self.i.valid & term.edges.last) | (self.o.valid & ~self.o.ready))
        return m
