"""Contracts of groups: one mark for each group, and a packet's end where the mark of its last group says so."""

from amaranth import Array, Const, Module, Mux, Signal

from softstream.hw.contracts.contract import Contract
from softstream.hw.contracts.queued_marks import QueuedMarksContract
from softstream.hw.options.groups import GroupEnds, PacketEnds

__all__ = ["GroupEndsContract", "PacketEndsContract"]


class GroupEndsContract(Contract):
    """The stage before the head: each beat goes through, ends its group after as many beats as due, and marks the group's end."""

    component: GroupEnds

    @property
    def title(self) -> str:
        """The stage and its sizes."""
        config = self.component.config
        sizes = ", ".join(map(str, config.groups))
        return f"group ends of {sizes} in {config.lanes} × {config.score_width} bits"

    def statements(self, m: Module) -> None:
        """Counts the beats of the current group, and the groups of the packet."""
        component = self.component
        i, o, marks = component.i, component.o, component.marks
        beats = [component.config.beats(size) for size in component.config.groups]
        self.offers(m, i)
        m.d.comb += [
            o.ready.eq(self.free(1, "taking")),
            component.room.eq(self.free(1, "room")),
        ]
        place, number = Signal(range(max(beats) + 1)), Signal(range(len(beats) + 1))
        moves, leaves, final, full = Signal(), Signal(), Signal(), Signal()
        most = Array([Const(count - 1, len(place)) for count in beats])[number]
        m.d.comb += [
            moves.eq(i.valid & i.ready),
            leaves.eq(o.valid & o.ready),
            final.eq(i.payload.last),
            full.eq(place == most),
        ]
        with m.If(moves):
            m.d.sync += [
                place.eq(Mux(final | full, 0, place + 1)),
                number.eq(Mux(final, 0, Mux(full, Mux(number == len(beats) - 1, 0, number + 1), number))),
            ]
        self.invariants |= {
            "no beat beyond the group's size": (number < len(beats)) & (place <= most),
            "the beats that the group lacks": self.registers["left"] + place == most,
            "its last possible beat is known": self.registers["at_end"] == full,
            "the number of its size": self.registers["size"] == number,
        }
        self.guarantees |= {
            "each beat goes through, and nothing else": leaves == moves,
            "a group ends after as many beats as due, or with its packet": ~moves | (o.payload.last == (final | full)),
            "a mark for each group, and no other": marks.valid == (moves & o.payload.last),
            "the mark tells whether the packet ends": ~marks.valid | (marks.payload.final == final),
        }
        self.covers |= {"a group ends": marks.valid & ~final, "a packet ends": marks.valid & final}
        if min(beats) > 16:
            del self.covers["a group ends"]  # no short trace fills one


class PacketEndsContract(QueuedMarksContract):
    """The stage behind the head: each beat goes through; a group's last one takes a mark, which tells of the packet's end."""

    component: PacketEnds

    @property
    def title(self) -> str:
        """The stage and its room for marks."""
        kind = "winners" if self.component.inner.per == "vector" else "beats"
        return f"packet ends of {kind}, marks for {self.component.queue.room}"

    def statements(self, m: Module) -> None:
        """Compares what goes through with the mark that the queue offers."""
        component, o = self.component, self.component.o
        moves, last, takes = self.passage(m, component.marks, per_vector=component.inner.per == "vector")
        ends = component.queue.o.payload.final
        self.guarantees["the packet ends where the mark says so"] = ~moves | (o.payload.last == (last & ends))
        self.covers |= {"a packet ends": moves & o.payload.last, "a group ends within one": takes & ~o.payload.last}
