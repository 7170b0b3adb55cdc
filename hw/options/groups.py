"""Groups inside a packet: each is a vector of the inner head, and the packets' ends return behind it.

scores ─► group ends ─► head of vectors ─┬─► packet ends ─► elements
               └─► marks, one per group ─┴─► packet ends ─► winners
"""

from functools import reduce
from operator import or_
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import Output, outputs
from softstream.hw.streams.flow import Credit, Queue
from softstream.hw.streams.layouts import keep_names, output_layout, pulse, score_layout
from softstream.hw.streams.probes import publish

__all__ = ["GroupEnds", "Grouped", "PacketEnds", "mark_layout"]


def mark_layout() -> data.StructLayout:
    """The mark of a group: whether its packet ends with it, and whether it is shorter than its size."""
    return data.StructLayout({"final": 1, "incomplete": 1})


class GroupEnds(wiring.Component):
    """Sets `last` where a group ends: after s_0 elements, after s_1 more, …, after the last size s_0 again.

    A packet's end also ends its group, and the sizes begin anew.

    Ports: `i`, `o`, streams of scores; `marks`, one for each group in the cycle in which its last beat goes through, no
    back-pressure; `room`, whether another mark may come. Latency 0, one beat per cycle. Passes both valid and ready; the
    groups' ends come from registers.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        inner = config.replace(groups=[])
        super().__init__(
            {
                "i": In(stream.Signature(score_layout(config))),
                "o": Out(stream.Signature(score_layout(inner))),
                "marks": Out(pulse(mark_layout())),
                "room": In(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        beats = [self.config.beats(size) for size in self.config.groups]
        beat, grouped = self.i.payload, self.o.payload
        # Beats of the group behind the current one, and the number of the group's size.
        left = Signal(range(max(beats)), init=beats[0] - 1)
        at_end = Signal(init=beats[0] == 1)
        size = Signal(range(len(beats)))
        transferred, ends = Signal(), Signal()
        following = Mux(size == len(beats) - 1, 0, size + 1)
        after = [*beats[1:], beats[0]]

        def of_next(values: list[int], width: int) -> Value:
            # Gates, because not every simulator starts a process that chooses among constants at time 0.
            choices = (Const(value, width) & (size == k).replicate(width) for k, value in enumerate(values))
            return reduce(or_, choices)

        next_left = Mux(beat.last, beats[0] - 1, of_next([count - 1 for count in after], len(left)))
        next_at_end = Mux(beat.last, beats[0] == 1, of_next([int(count == 1) for count in after], 1))
        keeps = keep_names(self.config.lanes)
        m.d.comb += [
            transferred.eq(self.i.valid & self.i.ready),
            ends.eq(beat.last | at_end),
            self.i.ready.eq(self.o.ready & self.room),
            self.o.valid.eq(self.i.valid & self.room),
            *(grouped[name].eq(beat[name]) for name in grouped.shape().members if name not in ("last", *keeps)),
            grouped.last.eq(ends),
            # A beat that ends a group but not the packet is full, whatever its `keep` bits say.
            *(grouped[name].eq(beat[name] | ~beat.last) for name in keeps),
            self.marks.valid.eq(transferred & ends),
            self.marks.payload.final.eq(beat.last),
            self.marks.payload.incomplete.eq(beat.last & ~Cat(at_end, *(beat[name] for name in keeps)).all()),
        ]
        with m.If(transferred):
            m.d.sync += [
                left.eq(Mux(ends, next_left, left - 1)),
                at_end.eq(Mux(ends, next_at_end, left == 1)),
                size.eq(Mux(beat.last, 0, Mux(at_end, following, size))),
            ]
        publish(platform, self, left=left, at_end=at_end, size=size)
        return m


class PacketEnds(wiring.Component):
    """Ends of an inner output: `last` on a packet's last beat, `ends` and the flags on a group's.

    Ports: `i`, stream of the head of vectors; `o`, the same beats; `marks`, one for each group, no back-pressure; `room`,
    whether another mark may come. Latency 0, one beat per cycle. Passes both valid and ready. A group's last beat waits for
    its mark, which arrives before the head can have any result of the group. Member: `queue`, that of the marks.
    """

    def __init__(self, config: Config, output: Output, inner: Output, depth: int) -> None:
        self.config, self._output, self.inner, self._depth = config, output, inner, depth
        self.queue = Queue(mark_layout(), depth)
        before = output_layout(config.replace(groups=[]), inner)
        super().__init__(
            {
                "i": In(stream.Signature(before)),
                "o": Out(stream.Signature(output_layout(config, output))),
                "marks": In(pulse(mark_layout())),
                "room": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.queue = queue = self.queue
        m.submodules.credit = credit = Credit(self._depth, 1)
        beat, grouped, mark = self.i.payload, self.o.payload, queue.o
        last = Const(1) if self.inner.per == "vector" else beat.last
        flags = [flag.name for flag in self._output.flags]
        proceeds = ~last | mark.valid
        incomplete = mark.payload.incomplete
        if self.config.reads_tkeep:
            # A group is never longer than max_length, so the flag of the inner head tells of a gap.
            incomplete = incomplete | beat.overlong
        m.d.comb += [
            queue.i.valid.eq(self.marks.valid),
            queue.i.payload.eq(self.marks.payload),
            credit.take.eq(self.marks.valid),
            credit.give.eq(mark.valid & mark.ready),
            self.room.eq(credit.available),
            self.o.valid.eq(self.i.valid & proceeds),
            self.i.ready.eq(self.o.ready & proceeds),
            mark.ready.eq(self.i.valid & last & self.o.ready),
            *(grouped[name].eq(beat[name]) for name in grouped.shape().members if name not in (*flags, "last", "ends")),
            grouped.last.eq(last & mark.payload.final),
            grouped.incomplete.eq(last & incomplete),
            *(grouped[name].eq(last & beat[name]) for name in flags if name != "incomplete"),
            grouped.ends.eq(last) if self._output.ends else [],
        ]
        publish(platform, self)
        return m


class Grouped(HeadInterface):
    """A head with groups: `inner`, the head of single groups, between `GroupEnds` and `PacketEnds`.

    Ports are those of every head, with `last` on packets and `ends` on groups. Latency and interval are those of
    `plan(config)`. The queues of marks have room for all groups in flight, so they never stop the head.
    """

    def __init__(self, config: Config, inner: HeadInterface) -> None:
        self._inner = inner
        super().__init__(config)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, vectors = self._config, self._config.replace(groups=[])
        depth = marks_depth(config)
        m.submodules.inner = inner = self._inner
        m.submodules.group_ends = group_ends = GroupEnds(config)
        wiring.connect(m, wiring.flipped(self.i), group_ends.i)
        wiring.connect(m, group_ends.o, inner.i)
        room = []
        for output, before in zip(outputs(config), outputs(vectors), strict=True):
            m.submodules[f"packet_ends_{output.port}"] = packet_ends = PacketEnds(config, output, before, depth)
            wiring.connect(m, getattr(inner, output.port), packet_ends.i)
            wiring.connect(m, packet_ends.o, wiring.flipped(getattr(self, output.port)))
            m.d.comb += [
                packet_ends.marks.valid.eq(group_ends.marks.valid),
                packet_ends.marks.payload.eq(group_ends.marks.payload),
            ]
            room.append(packet_ends.room)
        m.d.comb += group_ends.room.eq(Cat(room).all())
        return m


def marks_depth(config: Config) -> int:
    """Most groups in flight, of packets of one element or of whole sizes, and a margin for the credits."""
    vectors = plan(config.replace(groups=[]))
    longest = max(vectors.last_output_cycle(config.max_length), vectors.best_output_cycle(config.max_length))
    shortest = max(vectors.last_output_cycle(1), vectors.best_output_cycle(1))
    rounds = longest // config.beats(sum(config.groups)) + 2
    return max(shortest, rounds * len(config.groups)) + 8
