"""The distance of an element to its vector's sum, and its quotient shifted, rounded once, saturated."""

from typing import Any

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.normalisers.division import quotient_layout
from softstream.hw.normalisers.interface import element_layout
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.plan.stage_cycles import round_cycles
from softstream.hw.stages.exponential import exponential_layout
from softstream.hw.streams.layouts import probability_layout, pulse
from softstream.hw.streams.registers import delay

__all__ = ["Distance", "Round", "emission_layout", "shift_layout"]


def emission_layout(widths: Numerics, factor_width: int) -> data.StructLayout:
    """An element's tag between replay and quotient: its vector's n and factor, `last`, and the flag."""
    return data.StructLayout({"exponent": widths.sum_exponent_width, "factor": factor_width, "last": 1, "overlong": 1})


def shift_layout(widths: Numerics) -> data.StructLayout:
    """An element's tag through the quotient: its final shift, `last`, and the flag."""
    return data.StructLayout({"distance": widths.sum_exponent_width, "last": 1, "overlong": 1})


class Distance(wiring.Component):
    """d = n − E: how many octaves the element lies below its vector's sum.

    n >= E, because no term exceeds the sum. The probability is 0 for every d from P + 2 on. A saturation of d at P + 2 would
    save registers, but its comparison would be on the critical path.

    Ports: `i`, E and M with the vector's n and factor; `o`, M and the factor with d; no back-pressure. Latency 1 cycle, one
    element per cycle.
    """

    def __init__(self, widths: Numerics, factor_width: int) -> None:
        self._widths = widths
        super().__init__(
            {
                "i": In(pulse(exponential_layout(widths, emission_layout(widths, factor_width)))),
                "o": Out(pulse(element_layout(widths, factor_width, shift_layout(widths)))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        element, vector = self.i.payload, self.i.payload.tag
        m.d.sync += [
            self.o.payload.significand.eq(element.significand),
            self.o.payload.factor.eq(vector.factor),
            self.o.payload.tag.distance.eq(vector.exponent - element.exponent),
            self.o.payload.tag.last.eq(vector.last),
            self.o.payload.tag.overlong.eq(vector.overlong),
        ]
        m.d.comb += self.o.valid.eq(delay(m, self.i.valid, 1, "valid", reset=True))
        return m


class Round(wiring.Component):
    """probability = min(floor(quotient·2^-(d+1) + 1/2), code of 1.0).

    A shift by d followed by the rounding of the last bit gives the same: floor((floor(q/2^d) + 1)/2) =
    floor((q + 2^d)/2^(d+1)).

    Ports: `i`, the quotient with d; `o`, the probability; no back-pressure. Latency `round_cycles(config)` cycles, one
    element per cycle.
    """

    def __init__(self, config: Config, widths: Numerics) -> None:
        self._config, self._widths = config, widths
        super().__init__(
            {
                "i": In(pulse(quotient_layout(widths.quotient_width, shift_layout(widths)))),
                "o": Out(pulse(probability_layout(config))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        element = self.i.payload
        shifted = Signal(self._widths.quotient_width, reset_less=True)
        rounded = Signal(self._widths.quotient_width)
        cycles = round_cycles(self._config)
        quotient: Value = element.quotient
        distance: Value = element.tag.distance
        if cycles > 2:
            # Multiples of four first, so that each shifter has half the depth.
            shifted_by_fours = Signal(self._widths.quotient_width, reset_less=True)
            m.d.sync += shifted_by_fours.eq(quotient >> Cat(C(0, 2), distance[2:]))
            quotient, distance = shifted_by_fours, delay(m, distance[:2], 1, "distance")
        m.d.sync += shifted.eq(quotient >> distance)
        m.d.comb += rounded.eq((shifted + 1) >> 1)
        maximum = self._widths.probability_maximum
        exceeds: Value = rounded > maximum
        if maximum & (maximum + 1) == 0:
            # All bits of the maximum are ones, so the bits before the rounding tell, and no carry chain stands before the choice.
            bits = maximum.bit_length() + 1
            exceeds = shifted[:bits].all() | shifted[bits:].any()
        m.d.sync += self.o.payload.probability.eq(Mux(exceeds, maximum, rounded))
        m.d.comb += [
            self.o.valid.eq(delay(m, self.i.valid, cycles, "valid", reset=True)),
            Value.cast(self.o.payload)[self._config.output_width :].eq(
                delay(m, Value.cast(element.tag)[len(element.tag.distance) :], cycles, "edges")
            ),
        ]
        return m
