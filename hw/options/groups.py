"""Groups inside a packet: a front stage that ends them, a head that takes each for a vector, and the packets' ends again.

scores ─► ends of groups ─► head of vectors ─┬─► packets' ends ─► elements
                 └─► marks, one per group ───┴─► packets' ends ─► winners
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

__all__ = ["Ends", "Grouped", "Marked", "mark_layout"]


def mark_layout() -> data.StructLayout:
    """What is remembered of a group: whether its packet ends with it, and whether it is shorter than its size."""
    return data.StructLayout({"final": 1, "incomplete": 1})


class Ends(wiring.Component):
    """Sets `last` where a group ends: behind s_0 elements of a packet, behind s_1 more, …, behind the last size s_0 again, and at
    the packet's end, where the sizes begin anew.

    Ports: `i`, `o`, streams of scores; `marks`, one for each group in the cycle in which its last beat goes through, no
    back-pressure; `room`, whether another mark may come. Latency 0; passes both valid and ready. What ends where is known
    from registers.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
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
        beats = [self._config.beats(size) for size in self._config.groups]
        given, made = self.i.payload, self.o.payload
        # Beats to come in the group behind this one, and which size the group has.
        left = Signal(range(max(beats)), init=beats[0] - 1)
        at_end = Signal(init=beats[0] == 1)
        size = Signal(range(len(beats)))
        taken, ends = Signal(), Signal()
        following = Mux(size == len(beats) - 1, 0, size + 1)
        after = [*beats[1:], beats[0]]

        def of_next(facts: list[int], width: int) -> Value:
            # Gates: a choice among constants, as a process, would not begin at time 0 in every simulator.
            chosen = (Const(fact, width) & (size == k).replicate(width) for k, fact in enumerate(facts))
            return reduce(or_, chosen)

        next_left = Mux(given.last, beats[0] - 1, of_next([count - 1 for count in after], len(left)))
        next_at_end = Mux(given.last, beats[0] == 1, of_next([int(count == 1) for count in after], 1))
        keeps = keep_names(self._config.lanes)
        m.d.comb += [
            taken.eq(self.i.valid & self.i.ready),
            ends.eq(given.last | at_end),
            self.i.ready.eq(self.o.ready & self.room),
            self.o.valid.eq(self.i.valid & self.room),
            *(made[name].eq(given[name]) for name in made.shape().members if name not in ("last", *keeps)),
            made.last.eq(ends),
            # A beat that ends a group but not the packet is full, whatever it says.
            *(made[name].eq(given[name] | ~given.last) for name in keeps),
            self.marks.valid.eq(taken & ends),
            self.marks.payload.final.eq(given.last),
            self.marks.payload.incomplete.eq(given.last & ~Cat(at_end, *(given[name] for name in keeps)).all()),
        ]
        with m.If(taken):
            m.d.sync += [
                left.eq(Mux(ends, next_left, left - 1)),
                at_end.eq(Mux(ends, next_at_end, left == 1)),
                size.eq(Mux(given.last, 0, Mux(at_end, following, size))),
            ]
        return m


class Marked(wiring.Component):
    """Packets' ends for an output of the head of vectors: `last` on a packet's last beat, `ends` and the flags on a group's.

    Ports: `i`, stream of the head of vectors; `o`, the same beats; `marks`, one for each group, no back-pressure; `room`, whether
    another may come. Latency 0; passes both valid and ready. A group's last beat waits for its mark, which is there as soon
    as the head can be.
    """

    def __init__(self, config: Config, output: Output, inner: Output, depth: int) -> None:
        self._output, self._inner, self._depth = output, inner, depth
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
        m.submodules.queue = queue = Queue(mark_layout(), self._depth)
        m.submodules.credit = credit = Credit(self._depth, 1)
        given, made, mark = self.i.payload, self.o.payload, queue.o
        last = Const(1) if self._inner.per == "vector" else given.last
        flags = [flag.name for flag in self._output.flags]
        proceeds = ~last | mark.valid
        m.d.comb += [
            queue.i.valid.eq(self.marks.valid),
            queue.i.payload.eq(self.marks.payload),
            credit.take.eq(self.marks.valid),
            credit.give.eq(mark.valid & mark.ready),
            self.room.eq(credit.available),
            self.o.valid.eq(self.i.valid & proceeds),
            self.i.ready.eq(self.o.ready & proceeds),
            mark.ready.eq(self.i.valid & last & self.o.ready),
            *(made[name].eq(given[name]) for name in made.shape().members if name not in (*flags, "last", "ends")),
            made.last.eq(last & mark.payload.final),
            made.incomplete.eq(last & mark.payload.incomplete),
            *(made[name].eq(last & given[name]) for name in flags if name != "incomplete"),
            made.ends.eq(last) if self._output.ends else [],
        ]
        return m


class Grouped(HeadInterface):
    """The head of each group: `inner`, that of vectors as long as the longest group, between `Ends` and `Marked`.

    Latency and interval are those of `plan(config)`; as many groups as are on their way have marks.
    """

    def __init__(self, config: Config, inner: HeadInterface) -> None:
        self._inner = inner
        super().__init__(config)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, vectors = self._config, self._config.replace(groups=[])
        depth = marks_depth(config)
        m.submodules.inner = inner = self._inner
        m.submodules.ends = ends = Ends(config)
        wiring.connect(m, wiring.flipped(self.i), ends.i)
        wiring.connect(m, ends.o, inner.i)
        room = []
        for output, before in zip(outputs(config), outputs(vectors), strict=True):
            m.submodules[f"marked_{output.port}"] = marked = Marked(config, output, before, depth)
            wiring.connect(m, getattr(inner, output.port), marked.i)
            wiring.connect(m, marked.o, wiring.flipped(getattr(self, output.port)))
            m.d.comb += [marked.marks.valid.eq(ends.marks.valid), marked.marks.payload.eq(ends.marks.payload)]
            room.append(marked.room)
        m.d.comb += ends.room.eq(Cat(room).all())
        return m


def marks_depth(config: Config) -> int:
    """Groups that may be on their way: packets of one element each, or those of whole sizes, without a wait; and what credits
    take."""
    found = plan(config.replace(groups=[]))
    longest = max(found.last_output_cycle(config.max_length), found.best_output_cycle(config.max_length))
    shortest = max(found.last_output_cycle(1), found.best_output_cycle(1))
    rounds = longest // config.beats(sum(config.groups)) + 2
    return max(shortest, rounds * len(config.groups)) + 8
