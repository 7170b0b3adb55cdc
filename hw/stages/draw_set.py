"""The elements of an ordered list that a draw is among: the first ones, as long as they meet the bounds."""

from typing import Any

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.numbers.ranked_draw import ranked_draw
from softstream.hw.plan.modes.gumbel import BOUNDS
from softstream.hw.plan.ports import outputs, sidebands
from softstream.hw.stages.frame import position_of
from softstream.hw.streams.layouts import output_layout, pulse
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import delay

__all__ = ["DrawSet", "bounds_layout", "ranked_layout"]


def bounds_layout(config: Config) -> data.StructLayout:
    """The bounds that a vector brings."""
    return data.StructLayout({field.name: field.width for field in sidebands(config) if field.name in BOUNDS})


def ranked_layout(config: Config) -> data.StructLayout:
    """An element of the ordered list: whether it is outside of the set (`mask`), whether it takes a random word, its vector's
    flags with the last one."""
    flags = {flag.name: 1 for flag in outputs(config)[0].flags if flag.name != "all_masked"}
    edges = {"first": 1, "last": 1, "mask": 1, "word": 1}
    return data.StructLayout({"index": config.index_width, "position": config.score_width, **edges, **flags})


class DrawSet(wiring.Component):
    """mask_r = not (r = 1 or r <= K and c_1 + … + c_(r−1) < ceil(p·2^P) and x_1 − x_r <= D), of the r-th element of a list.

    Ports: `i`, elements {index, score, probability code where p bounds the set, last, flags}, best first; `o`, the same with the
    bits `mask` and `word`, and with the last one `truncated`: whether element K + 1 meets the bounds. No back-pressure.
    `latency`: 2 cycles, one element per cycle. The element that stands for a fully masked vector is outside of the set. Where
    each vector brings its bounds, `bounds` holds those of the vector at the input, and `next` is set with its last element.
    """

    def __init__(self, config: Config) -> None:
        self._config, self._numbers, self.latency = config, ranked_draw(config), 2
        ranked = self._numbers.ranked
        ports = {
            "i": In(pulse(output_layout(ranked, outputs(ranked)[0]))),
            "o": Out(pulse(ranked_layout(config))),
        }
        sideband = {"bounds": In(bounds_layout(config)), "next": Out(1)} if self._numbers.vector_bounds else {}
        super().__init__({**ports, **sideband})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, numbers, element = self._config, self._numbers, self.i.payload
        first = Signal(init=1)
        rank = Signal(range(config.ranked_length + 1), reset_less=True)  # from 0, of the next element but for the first
        with m.If(self.i.valid):
            m.d.sync += [first.eq(element.last), rank.eq(Mux(first, 1, rank + 1))]
        met: list[Value] = []
        count, share, distance = numbers.count, numbers.share, numbers.distance
        if numbers.vector_bounds:
            bounds = self.bounds
            count, share = bounds.draw_top_k, bounds.draw_top_p
            distance = delay(m, bounds.draw_min_p, 1, "distance")
            m.d.comb += self.next.eq(self.i.valid & element.last)
        if share is not None:
            # Each code is within an ulp of its probability, and these sum to at most 1.
            mass = Signal(range(numbers.ranked.levels + config.ranked_length + 1), reset_less=True)
            reached = Signal(reset_less=True)
            with m.If(self.i.valid):
                m.d.sync += mass.eq(Mux(first, 0, mass) + element.probability)
            m.d.sync += reached.eq(mass >= share)
            met.append(~reached)
        position = position_of(config, element.score)
        if distance is not None:
            best = Signal(config.score_width, reset_less=True)
            below = Signal(config.score_width, reset_less=True)
            with m.If(self.i.valid & first):
                m.d.sync += best.eq(position)
            m.d.sync += below.eq(best - position)
            met.append(below <= distance)
        leads = delay(m, first, 1, "first")
        within: Value = Const(1, 1)
        for condition in met:
            within &= condition
        within |= leads
        listed = delay(m, first | (rank < count), 1, "listed")
        takes_word = delay(m, first | (rank < numbers.count), 1, "takes_word") if numbers.vector_bounds else listed
        if config.mask:
            takes_word &= ~delay(m, element.all_masked, 1, "all_masked")
        m.d.sync += [
            self.o.payload.first.eq(leads),
            self.o.payload.mask.eq(~(within & listed & takes_word)),
            self.o.payload.word.eq(takes_word),
        ]
        beyond: Value = within & ~listed
        if numbers.vector_bounds:
            # Elements behind the first one that is not listed may be outside of the set.
            present = delay(m, self.i.valid, 1, "present", reset=True)
            excess = Signal(reset_less=True)
            beyond |= excess & ~leads
            with m.If(present):
                m.d.sync += excess.eq(beyond)
        if config.may_truncate:
            m.d.sync += self.o.payload.truncated.eq(beyond)
        m.d.comb += [
            self.o.valid.eq(delay(m, self.i.valid, 2, "valid", reset=True)),
            self.o.payload.index.eq(delay(m, element.index, 2, "index")),
            self.o.payload.position.eq(delay(m, position, 2, "position")),
            *(self.o.payload[name].eq(delay(m, element[name], 2, name)) for name in ("last", "overlong")),
        ]
        publish(platform, self, first=first)
        return m
