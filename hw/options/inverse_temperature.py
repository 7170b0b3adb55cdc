"""Scores times the inverse temperature that comes beside their vector."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.plan.temperature import product_cycles
from softstream.hw.streams.flow import RigidPipe
from softstream.hw.streams.layouts import each_lane, pulse, score_layout
from softstream.hw.streams.registers import delay

__all__ = ["InverseTemperature"]


class _Product(wiring.Component):
    """score' = (score − smallest code)·u, u that of the vector's first beat. Latency `product_cycles`."""

    def __init__(self, before: Config, after: Config) -> None:
        self._before, self._after = before, after
        super().__init__({"i": In(pulse(score_layout(before))), "o": Out(pulse(score_layout(after)))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        beat, made = self.i.payload, self.o.payload
        starts = Signal(init=1)
        code, kept = Signal(self._before.temperature_bits, reset_less=True), Signal(self._before.temperature_bits)
        now = Mux(starts, beat.temperature, kept)
        m.d.sync += code.eq(now)
        with m.If(self.i.valid):
            m.d.sync += [starts.eq(beat.last), kept.eq(now)]
        scores, cycles = each_lane("score", self._before.lanes), product_cycles(self._before)
        for name in scores:
            position = Signal(self._before.score_width, name=f"position_of_{name}", reset_less=True)
            product = Signal(self._after.score_width, name=f"product_of_{name}", reset_less=True)
            # Subtracting the smallest code of a two's complement format flips its sign bit.
            m.d.sync += [
                position.eq(Cat(beat[name][:-1], beat[name][-1] ^ self._before.score_signed)),
                product.eq(position * code),
            ]
            m.d.comb += made[name].eq(delay(m, product, cycles - 2, f"{name}_later"))
        m.d.comb += [
            self.o.valid.eq(delay(m, self.i.valid, cycles, "valid", reset=True)),
            *(made[name].eq(delay(m, beat[name], cycles, name)) for name in made.shape().members if name not in scores),
        ]
        return m


class InverseTemperature(RigidPipe):
    """The product as an elastic stage. Ports: `i`, scores with `temperature`; `o`, scores of the configuration behind it.

    Vectors in flight do not share anything: behind the product nothing knows of a temperature. Latency
    `product_cycles` + 1 cycles, one beat per cycle; one multiplier for each lane. Cuts the ready path.
    """

    def __init__(self, before: Config, after: Config) -> None:
        super().__init__({"product": _Product(before, after)})
