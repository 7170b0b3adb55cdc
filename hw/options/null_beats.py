"""Null beats: beats without any byte, which AXI4-Stream allows anywhere and width converters and DMA engines send."""

from collections.abc import Callable, Sequence
from typing import Any

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.plan.ports import outputs
from softstream.hw.streams.flow import RigidPipe
from softstream.hw.streams.layouts import keep_names, pulse, score_layout
from softstream.hw.streams.probes import publish

__all__ = ["LANE_GROUP", "NullBeats", "WithoutNullBeats"]

LANE_GROUP = 4
"""Lanes whose `keep` bits are joined in the first cycle: the inputs of one gate."""


class NullBeats(wiring.Component):
    """Drops null beats. A null beat with `last` makes the beat before it, in its vector, the last one.

    A beat that is not its vector's last waits in a register until the next beat tells whether it is. A vector of null beats
    alone has no elements and no result.

    `gap` at the output tells that s_axis_tkeep has excluded bytes below others in this beat or in an earlier one of the vector:
    by `gap` at the input, by a `keep` bit that is 0 below one that is 1, or by one that is 0 in a beat before the last one.
    Every lane of a beat before the last one counts as an element, and in the last beat the lanes below the first `keep` of 0.
    `keep` at the output tells whether a lane of a vector's last beat holds an element: it is 0 above a 0.

    Ports: `i`, `o`, pulses of scores. Latency 2 cycles, one beat per cycle. No output depends on an input of the same cycle.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        beats = pulse(score_layout(config))
        super().__init__({"i": In(beats), "o": Out(beats)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        result, keeps, shape = self.o.payload, keep_names(self.config.lanes), self.i.payload.shape()
        # Without this register the bits of s_axis_tkeep would enable that of the waiting beat in the cycle in which they come.
        arriving_beat = Signal(shape.size, reset_less=True)
        beat = shape(arriving_beat)
        # Whether that beat has elements, and whether it tells that the waiting one is its vector's last or not.
        fills, decides = Signal(), Signal()
        grouped, joined = (shape(Signal(shape.size, name=name)) for name in ("grouped_beat", "joined_beat"))
        m.d.sync += [
            arriving_beat.eq(Value.cast(grouped)),
            fills.eq(self.i.valid & ~self.i.payload.null),
            decides.eq(self.i.valid & (~self.i.payload.null | self.i.payload.last)),
        ]
        # All that `keep` tells of a beat alone is known before the beat waits. The lanes are joined in groups and then with the
        # highest ones of the groups below, because the logic for all lanes in one cycle would be deep.
        m.d.comb += [
            *_joined(keeps, self.i.payload, grouped, lambda place: range(place // LANE_GROUP * LANE_GROUP, place)),
            *_joined(keeps, beat, joined, lambda place: range(LANE_GROUP - 1, place, LANE_GROUP)),
        ]
        waiting = Signal()
        waiting_beat = Signal(shape.size, reset_less=True)
        held = shape(waiting_beat)
        full = held[keeps[-1]] if keeps else Const(1)
        # Gaps in the beats of the vector that have left.
        gap_before, gap = Signal(), Signal()
        m.d.comb += [
            self.o.valid.eq(waiting & (held.last | decides)),
            Value.cast(result).eq(waiting_beat),
            result.last.eq(held.last | beat.null),
            result.null.eq(0),
            gap.eq(held.gap | (~result.last & ~full) | gap_before),
            result.gap.eq(gap),
        ]
        with m.If(fills):
            m.d.sync += [waiting.eq(1), waiting_beat.eq(Value.cast(joined))]
        with m.Elif(self.o.valid):
            m.d.sync += waiting.eq(0)
        with m.If(self.o.valid):
            m.d.sync += gap_before.eq(gap & ~result.last)
        publish(
            platform,
            self,
            fills=fills,
            decides=decides,
            arriving_beat=arriving_beat,
            waiting=waiting,
            waiting_beat=waiting_beat,
            gap_before=gap_before,
        )
        return m


def _joined(keeps: Sequence[str], beat: Any, result: Any, lower: Callable[[int], range]) -> list[Any]:
    """Statements that make `result` the `beat` with each `keep` joined to those of its `lower` places, and with their gaps."""
    holes = [~beat[keeps[place - 1]] & beat[name] for place, name in enumerate(keeps) if place - 1 in lower(place)]
    return [
        Value.cast(result).eq(Value.cast(beat)),
        *(
            result[name].eq(Cat(beat[keeps[below]] for below in lower(place)).all() & beat[name])
            for place, name in enumerate(keeps)
            if lower(place)
        ),
        result.gap.eq(beat.gap | Cat(*holes).any()),
    ]


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
