"""The sigmoid head: every score becomes its own probability, 1/(1 + e^−x), from one table."""

from functools import reduce
from operator import and_
from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.numbers.sigmoid import TABLE_WIDTH, address_width, sigmoid_codes
from softstream.hw.plan.stage_cycles import memory_cycles
from softstream.hw.stages.frame import Frame, earlier_participant, masks
from softstream.hw.streams.layouts import each_lane, framed_layout, keep_names, probability_layout, pulse
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import delay, table

__all__ = ["Sigmoid", "SigmoidTable"]


class SigmoidTable(wiring.Component):
    """Framed beats to probabilities; rigid, under a clock enable. `latency`: `memory_cycles(config)` cycles."""

    def __init__(self, config: Config) -> None:
        self._config, self.latency = config, memory_cycles(config)
        super().__init__({"i": In(pulse(framed_layout(config))), "o": Out(pulse(probability_layout(config)))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        memory, beat, out = self.latency, self.i.payload, self.o.payload
        codes = (sigmoid_codes(config) & ((1 << config.output_width) - 1)).tolist()
        m.d.comb += self.o.valid.eq(delay(m, self.i.valid, memory, "valid", reset=True))
        for position, probability in zip(
            each_lane("position", config.lanes), each_lane("probability", config.lanes), strict=True
        ):
            address = self._address(m, beat[position], f"address_{position}")
            code: Value = table(m, f"codes_{position}", config.output_width, codes, address, memory, block=True)
            if config.mask:
                mask = position.replace("position", "mask")
                code = Mux(delay(m, beat[mask], memory, mask), config.output_zero_point, code)
            m.d.comb += out[probability].eq(code)
        for name in ("last", "overlong", *keep_names(config.lanes)):
            m.d.comb += out[name].eq(delay(m, beat[name], memory, name))
        if config.mask:
            earlier = earlier_participant(m, config, beat, self.i.valid)
            all_masked = reduce(and_, masks(config, beat), beat.last & ~earlier)
            m.d.comb += out.all_masked.eq(delay(m, all_masked, memory, "all_masked"))
        publish(platform, self)
        return m

    def _address(self, m: Module, position: Value, name: str) -> Value:
        """The position, saturated to the table's range: around the middle (signed scores) or from 0 on (unsigned)."""
        config = self._config
        if config.score_width <= TABLE_WIDTH:
            return position
        inside = address_width(config) - config.score_signed
        # Near the middle the bits between the address and the top bit are all the complement of the top bit.
        above, top = position[inside:], position[-1]
        address = Signal(TABLE_WIDTH, name=name)
        if config.score_signed:
            near = (above[:-1] ^ (~top).replicate(len(above) - 1)) == 0
            m.d.comb += address.eq(Cat(Mux(near, position[:inside], top.replicate(inside)), top))
        else:
            m.d.comb += address.eq(Mux(above == 0, position[:inside], (1 << inside) - 1))
        return address


class Sigmoid(HeadInterface):
    """p_i = σ(x_i) = 1/(1 + e^−x_i), every element by itself, the nearest code: ½ ulp (see `numbers/sigmoid.py`).

    It is the softmax over the two scores {x, 0}, for classes that do not exclude each other. A masked element has code 0.

    Ports: `i`, stream of scores; `o`, stream of {probability, last, overlong}, one beat per beat of scores. An overlong vector
    is cut to max_length elements. Its earlier beats have left by then, so `overlong` is set in its last beat alone, and so is
    `all_masked`, where there are masks. Latency `sigmoid_latency(config)` cycles whatever the length, one beat per cycle, no
    bubble between vectors. Cuts the ready path; profile small passes it.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        self._streamed(m, platform, Frame(config, indexed=False), "lookup", SigmoidTable(config))
        return m
