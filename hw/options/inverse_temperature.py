"""Scores times the inverse temperature of their vector, which is a sideband input."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.plan.options.inverse_temperature import scaling_cycles
from softstream.hw.plan.stage_cycles import product_cycles
from softstream.hw.stages.frame import position_of
from softstream.hw.streams.adders import product
from softstream.hw.streams.flow import RigidPipe
from softstream.hw.streams.layouts import each_lane, pulse, score_layout
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import delay

__all__ = ["InverseTemperature", "Product"]


class Product(wiring.Component):
    """score' = position·u, u from the vector's first beat. Rigid. `latency`: `scaling_cycles` cycles."""

    def __init__(self, before: Config, after: Config) -> None:
        self._before, self._after, self.latency = before, after, scaling_cycles(before)
        super().__init__({"i": In(pulse(score_layout(before))), "o": Out(pulse(score_layout(after)))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        beat, scaled = self.i.payload, self.o.payload
        starts = Signal(init=1)
        width = self._before.temperature_bits
        factor, vector_factor = Signal(width, reset_less=True), Signal(width)
        temperature = Mux(starts, beat.temperature, vector_factor)
        m.d.sync += factor.eq(temperature)
        with m.If(self.i.valid):
            m.d.sync += [starts.eq(beat.last), vector_factor.eq(temperature)]
        scores, cycles = each_lane("score", self._before.lanes), self.latency
        for name in scores:
            position = Signal(self._before.score_width, name=f"position_of_{name}", reset_less=True)
            m.d.sync += position.eq(position_of(self._before, beat[name]))
            multiplication = product_cycles(self._before, width)
            whole = product(m, f"product_of_{name}", position, factor, multiplication)
            m.d.comb += scaled[name].eq(delay(m, whole, cycles - 1 - multiplication, f"{name}_later"))
        m.d.comb += [
            self.o.valid.eq(delay(m, self.i.valid, cycles, "valid", reset=True)),
            *(
                scaled[name].eq(delay(m, beat[name], cycles, name))
                for name in scaled.shape().members
                if name not in scores
            ),
        ]
        publish(platform, self)
        return m


class InverseTemperature(RigidPipe):
    """score' = position·u as an elastic stage, position = `Settings.position` of the score.

    u is the inverse temperature of the vector.

    Ports: `i`, scores with the sideband `temperature`; `o`, scores of the configuration behind it. Latency
    `scaling_cycles` + 1 cycles, one beat per cycle; one product for each lane. Cuts the ready path. Vectors in flight may
    differ in temperature, because no stage behind the product uses it.
    """

    def __init__(self, before: Config, after: Config) -> None:
        super().__init__({"product": Product(before, after)})
