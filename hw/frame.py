"""Framing: cuts the score stream into vectors of at most max_length elements."""

from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .config import Config
from .streams import framed_layout, score_layout

__all__ = ["Frame"]


class Frame(wiring.Component):
    """position = code − smallest code; index, first and last of each element; cut and flag of overlong vectors.

    A vector that has not ended at its max_length-th element ends there with `overlong` set; what follows up to its own
    `last` is taken and dropped.

    Ports: `i`, stream of scores; `o`, stream of framed elements; `room`, whether the pipe behind can take one more
    element; `ends`, whether the element taken in this very cycle is its vector's last, cut or not.
    Latency 1 cycle, one element per cycle. Passes the ready path from `o` to `i`.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        super().__init__(
            {
                "i": In(stream.Signature(score_layout(config))),
                "o": Out(stream.Signature(framed_layout(config))),
                "room": In(1, init=1),
                "ends": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        index = Signal(config.index_width)
        dropping = Signal()
        score = self.i.payload.score
        # Subtracting the smallest code of a two's complement format flips its sign bit.
        position = Cat(score[:-1], score[-1] ^ config.score_signed)
        cut = (index == config.max_length - 1) & ~self.i.payload.last
        advance = self.o.ready | ~self.o.valid
        taken = self.i.valid & self.i.ready
        m.d.comb += [
            self.i.ready.eq(advance & self.room),
            self.ends.eq(taken & ~dropping & (self.i.payload.last | cut)),
        ]
        with m.If(advance):
            m.d.sync += self.o.valid.eq(self.i.valid & self.room & ~dropping)
        with m.If(taken):
            m.d.sync += [
                self.o.payload.position.eq(position),
                self.o.payload.index.eq(index),
                self.o.payload.first.eq(index == 0),
                self.o.payload.last.eq(self.i.payload.last | cut),
                self.o.payload.overlong.eq(cut),
            ]
            with m.If(dropping):
                m.d.sync += dropping.eq(~self.i.payload.last)
            with m.Elif(self.i.payload.last | cut):
                m.d.sync += [index.eq(0), dropping.eq(cut)]
            with m.Else():
                m.d.sync += index.eq(index + 1)
        return m
