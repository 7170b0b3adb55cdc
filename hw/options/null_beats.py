"""Null beats: beats without any byte, which AXI4-Stream allows anywhere and width converters and DMA engines send."""

from itertools import pairwise
from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.plan.ports import outputs
from softstream.hw.streams.layouts import keep_names, score_layout

__all__ = ["NullBeats", "WithoutNullBeats"]


class NullBeats(wiring.Component):
    """Drops null beats. A null beat with `last` makes the beat before it, in its vector, the last one.

    A beat that is not its vector's last waits in a register until the next beat tells whether it is. A vector of null beats
    alone has no elements and no result.

    `gap` at the output tells that s_axis_tkeep has excluded bytes below others in this beat or in an earlier one of the vector:
    by `gap` at the input, by a `keep` bit that is 0 below one that is 1, or by one that is 0 in a beat before the last one.
    Every lane of a beat before the last one counts as an element, and in the last beat the lanes below the first `keep` of 0.

    Ports: `i`, `o`, streams of scores. Latency 1 cycle, one beat per cycle. Passes the ready path from `o` to `i`, and valid,
    `null` and `last` of `i` to valid and `last` of `o`. `o.valid` waits for no ready, but `o.ready` must not wait for
    `o.valid`, because a null beat leaves with `o.ready` alone.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        beats = stream.Signature(score_layout(config))
        super().__init__({"i": In(beats), "o": Out(beats)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        beat, result, keeps = self.i.payload, self.o.payload, keep_names(self._config.lanes)
        waiting = Signal()
        register = Signal(len(Value.cast(beat)), reset_less=True)
        held = beat.shape()(register)
        transferred = Signal()
        # Gaps in the beats of the vector that have left.
        gap_before, gap = Signal(), Signal()
        held_keeps = [held[name] for name in keeps]
        holes = [~below & above for below, above in pairwise(held_keeps)]
        m.d.comb += [
            self.i.ready.eq(~waiting | self.o.ready),
            transferred.eq(self.i.valid & self.i.ready),
            self.o.valid.eq(waiting & (held.last | (self.i.valid & (~beat.null | beat.last)))),
            Value.cast(result).eq(register),
            result.last.eq(held.last | beat.null),
            result.null.eq(0),
            gap.eq(held.gap | Cat(*holes).any() | (~result.last & ~Cat(*held_keeps).all()) | gap_before),
            result.gap.eq(gap),
        ]
        with m.If(transferred & ~beat.null):
            m.d.sync += [waiting.eq(1), register.eq(Value.cast(beat))]
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += waiting.eq(0)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += gap_before.eq(gap & ~result.last)
        return m


class WithoutNullBeats(HeadInterface):
    """A head behind `NullBeats`, with the same ports. Latency 1 cycle more than that of `inner`, the same interval."""

    def __init__(self, config: Config, inner: HeadInterface) -> None:
        self._inner = inner
        super().__init__(config)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.null_beats = null_beats = NullBeats(self._config)
        m.submodules.inner = inner = self._inner
        wiring.connect(m, wiring.flipped(self.i), null_beats.i)
        wiring.connect(m, null_beats.o, inner.i)
        for output in outputs(self._config):
            wiring.connect(m, getattr(inner, output.port), wiring.flipped(getattr(self, output.port)))
        return m
