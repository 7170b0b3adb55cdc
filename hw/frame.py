"""Framing: cuts the score stream into vectors of at most max_length elements."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .config import Config
from .streams import each_lane, framed_layout, keep_names, score_layout

__all__ = ["Frame"]


class Frame(wiring.Component):
    """position = code − smallest code; index, first and last of each beat; cut and flag of overlong vectors.

    A vector that has not ended at its max_length-th element ends there with `overlong` set, inside a beat where
    max_length is no multiple of the lanes; what follows up to its own `last` is taken and dropped.

    Ports: `i`, stream of scores; `o`, stream of framed beats; `room`, whether the pipe behind can take one more beat;
    `ends`, whether the beat taken in this very cycle is its vector's last, cut or not.
    Latency 1 cycle, one beat per cycle. Passes the ready path from `o` to `i`.
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
        config, lanes = self._config, self._config.lanes
        final = config.beats(config.max_length) - 1
        index = Signal(config.beat_width)
        # What the index is compared with is known a beat before, so that nothing waits for the comparison.
        at_first, at_limit = Signal(init=1), Signal(init=final == 0)
        dropping = Signal()
        beat, framed = self.i.payload, self.o.payload
        last = beat.last
        # Subtracting the smallest code of a two's complement format flips its sign bit.
        scores = [beat[name] for name in each_lane("score", lanes)]
        positions = [Cat(score[:-1], score[-1] ^ config.score_signed) for score in scores]
        # Bit j: the vector goes on after lane j, in lane j + 1 or, after the last lane, in a beat to come.
        keeps = Cat(beat[name] for name in keep_names(lanes))
        goes_on = [~last | keeps[:lane].all() for lane in range(1, lanes)] + [~last]
        # Lanes that the last beat of a vector of max_length fills.
        limit = config.max_length - lanes * final
        cut = at_limit & goes_on[limit - 1]
        kept = [after if lane < limit else after & ~at_limit for lane, after in enumerate(goes_on[:-1], 1)]
        advance = self.o.ready | ~self.o.valid
        taken = self.i.valid & self.i.ready
        m.d.comb += [
            self.i.ready.eq(advance & self.room),
            self.ends.eq(taken & ~dropping & (last | cut)),
        ]
        with m.If(advance):
            m.d.sync += [
                self.o.valid.eq(self.i.valid & self.room & ~dropping),
                framed.position.eq(positions[0]),
                framed.index.eq(index),
                framed.first.eq(at_first),
                framed.last.eq(last | cut),
                framed.overlong.eq(cut),
            ]
            for lane, keep in enumerate(kept, 1):
                m.d.sync += [
                    framed[f"position_{lane}"].eq(Mux(keep, positions[lane], 0)),
                    framed[f"keep_{lane}"].eq(keep),
                ]
        with m.If(taken):
            # A vector that is cut inside its own last beat has nothing left to drop.
            m.d.sync += dropping.eq(~last & (dropping | at_limit))
            with m.If(~dropping):
                m.d.sync += [
                    index.eq(Mux(last | cut, 0, index + 1)),
                    at_first.eq(last | cut),
                    at_limit.eq(Mux(last | cut, final == 0, index == final - 1)),
                ]
        return m
