"""Lanes of a head behind a link that carries one element at a time.

    ScoreReader ─► LaneGather ─► head ─► LaneSpread ─► Framer

Both exist for more than one lane only, so the link of a head with one lane is the same without them.
"""

from typing import Any

from amaranth import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.boards.link.protocol import one_lane
from softstream.hw.config.config import Config
from softstream.hw.plan.ports import Output, sidebands
from softstream.hw.streams.layouts import each_lane, keep_names, output_layout, score_layout

__all__ = ["LaneGather", "LaneSpread"]


class LaneGather(wiring.Component):
    """Elements, one at a time, to beats of `lanes` elements.

    Ports: `i`, stream of scores of one lane; `o`, stream of scores. Latency 0: the last element of a beat passes in the same
    cycle. Interval: one cycle per element. A vector's value of a sideband is that of the first element of its beat.
    `o.ready` passes through to `i` where an element completes a beat.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        super().__init__(
            {
                "i": In(stream.Signature(score_layout(one_lane(config)))),
                "o": Out(stream.Signature(score_layout(config))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, lanes = self._config, self._config.lanes
        place = Signal(range(lanes))
        complete = Signal()
        m.d.comb += [
            complete.eq(self.i.payload.last | (place == lanes - 1)),
            self.o.valid.eq(self.i.valid & complete),
            self.i.ready.eq(self.o.ready | ~complete),
            self.o.payload.last.eq(self.i.payload.last),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += place.eq(Mux(complete, 0, place + 1))
        of_elements = ["score", *(row.name for row in sidebands(config) if row.per == "element")]
        of_vectors = [row.name for row in sidebands(config) if row.per == "vector"]
        for name in of_elements:
            arriving = self.i.payload[name]
            for lane, field in enumerate(each_lane(name, lanes)):
                stored = Signal.like(Value.cast(arriving), name=f"stored_{field}", reset_less=True)
                with m.If(place == lane):
                    m.d.sync += stored.eq(arriving)
                m.d.comb += Value.cast(self.o.payload[field]).eq(Mux(place == lane, arriving, stored))
        for name in of_vectors:
            arriving = self.i.payload[name]
            stored = Signal.like(Value.cast(arriving), name=f"stored_{name}", reset_less=True)
            with m.If(place == 0):
                m.d.sync += stored.eq(arriving)
            m.d.comb += self.o.payload[name].eq(Mux(place == 0, arriving, stored))
        for lane, name in enumerate(keep_names(lanes), 1):
            m.d.comb += self.o.payload[name].eq(place >= lane)
        return m


class LaneSpread(wiring.Component):
    """Beats of an output to its elements, one at a time.

    Ports: `i`, stream of the output's beats; `o`, the same with one lane. `last` and the end of a group belong to a beat's last
    element, flags to each. Interval: one cycle per element. `o.ready` passes through to `i` with a beat's last element.
    """

    def __init__(self, config: Config, output: Output) -> None:
        self._config, self._output = config, output
        super().__init__(
            {
                "i": In(stream.Signature(output_layout(config, output))),
                "o": Out(stream.Signature(output_layout(one_lane(config), output))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lanes, beat = self._config.lanes, self.i.payload
        place = Signal(range(lanes))
        final = Signal()
        # Only a vector's last beat may have lanes without an element.
        follows = Cat(*(beat[name] for name in keep_names(lanes)), Const(0, 1))
        m.d.comb += [
            final.eq((place == lanes - 1) | (beat.last & ~follows.bit_select(place, 1))),
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready & final),
            self.o.payload.last.eq(beat.last & final),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += place.eq(Mux(final, 0, place + 1))
        for field in self._output.fields:
            values = Array(Value.cast(beat[name]) for name in each_lane(field.name, lanes))
            m.d.comb += Value.cast(self.o.payload[field.name]).eq(values[place])
        for flag in self._output.flags:
            m.d.comb += self.o.payload[flag.name].eq(beat[flag.name])
        if self._output.ends:
            m.d.comb += self.o.payload.ends.eq(beat.ends & final)
        return m
