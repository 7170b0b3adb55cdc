"""Null beats: beats without any byte, which AXI4-Stream allows anywhere and width converters and DMA engines send."""

from itertools import pairwise
from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.plan.ports import outputs
from softstream.hw.streams.flow import RigidPipe
from softstream.hw.streams.layouts import joined_keeps, keep_names, pulse, score_layout
from softstream.hw.streams.probes import publish

__all__ = ["NullBeats", "WithoutNullBeats"]


class NullBeats(wiring.Component):
    """Drops null beats. A null beat with `last` makes the beat before it, in its vector, the last one.

    A beat that is not its vector's last waits in a register until the next beat tells whether it is. A vector of null beats
    alone has no elements and no result.

    `gap` at the output tells that s_axis_tkeep has excluded bytes below others in this beat or in an earlier one of the vector:
    by `gap` at the input, by a `keep` bit that is 0 below one that is 1, or by one that is 0 in a beat before the last one.
    Every lane of a beat before the last one counts as an element, and in the last beat the lanes below the first `keep` of 0.
    `keep` at the output is joined to those below it in its group (`joined_keeps`).

    Ports: `i`, `o`, pulses of scores. Latency 2 cycles, one beat per cycle. No output depends on an input of the same cycle.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        beats = pulse(score_layout(config))
        super().__init__({"i": In(beats), "o": Out(beats)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        result, keeps = self.o.payload, keep_names(self.config.lanes)
        # Without this register the bits of s_axis_tkeep would enable that of the waiting beat in the cycle in which they come.
        arriving = Signal()
        arriving_beat = Signal(len(Value.cast(self.i.payload)), reset_less=True)
        beat = self.i.payload.shape()(arriving_beat)
        m.d.sync += [arriving.eq(self.i.valid), arriving_beat.eq(Value.cast(self.i.payload))]
        waiting = Signal()
        waiting_beat = Signal(len(arriving_beat), reset_less=True)
        held = beat.shape()(waiting_beat)
        # Gaps in the beats of the vector that have left.
        gap_before, gap = Signal(), Signal()
        held_keeps = [held[name] for name in keeps]
        holes = [~below & above for below, above in pairwise(held_keeps)]
        m.d.comb += [
            self.o.valid.eq(waiting & (held.last | (arriving & (~beat.null | beat.last)))),
            Value.cast(result).eq(waiting_beat),
            result.last.eq(held.last | beat.null),
            result.null.eq(0),
            *(
                result[name].eq(Cat(held_keeps[below] for below in lower).all() & held[name])
                for name, lower in zip(keeps, joined_keeps(self.config.lanes), strict=True)
                if lower
            ),
            gap.eq(held.gap | Cat(*holes).any() | (~result.last & ~Cat(*held_keeps).all()) | gap_before),
            result.gap.eq(gap),
        ]
        with m.If(arriving & ~beat.null):
            m.d.sync += [waiting.eq(1), waiting_beat.eq(arriving_beat)]
        with m.Elif(self.o.valid):
            m.d.sync += waiting.eq(0)
        with m.If(self.o.valid):
            m.d.sync += gap_before.eq(gap & ~result.last)
        publish(
            platform,
            self,
            arriving=arriving,
            arriving_beat=arriving_beat,
            waiting=waiting,
            waiting_beat=waiting_beat,
            gap_before=gap_before,
        )
        return m


class WithoutNullBeats(HeadInterface):
    """A head behind `NullBeats`, with the same ports. Latency 3 cycles more than that of `inner`, the same interval.

    The stage is under the clock enable of a skid buffer behind it. So `i.ready` is the bare output of a register, and `inner`
    gets its beats from registers.
    """

    def __init__(self, config: Config, inner: HeadInterface) -> None:
        self._inner = inner
        super().__init__(config)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.front = front = RigidPipe({"null_beats": NullBeats(self._config)})
        m.submodules.inner = inner = self._inner
        wiring.connect(m, wiring.flipped(self.i), front.i)
        wiring.connect(m, front.o, inner.i)
        for output in outputs(self._config):
            wiring.connect(m, getattr(inner, output.port), wiring.flipped(getattr(self, output.port)))
        return m
