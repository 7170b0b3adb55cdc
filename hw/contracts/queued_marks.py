"""What the contracts of stages share that take a mark from a queue with the last beat of each vector."""

from typing import Any, NamedTuple

from amaranth import Const, Module, Signal, Value

from softstream.hw.contracts.contract import Contract

__all__ = ["Passage", "QueuedMarksContract"]


class Passage(NamedTuple):
    """A beat that goes through the stage."""

    moves: Signal
    """Whether one does in this cycle."""
    last: Any
    """Whether it is a vector's last, or the stage passes one payload for each vector."""
    takes: Value
    """Whether a mark leaves the queue."""


class QueuedMarksContract(Contract):
    """A stage in which each beat goes through, and a vector's last one takes a mark from the queue of the stage."""

    def passage(self, m: Module, marks: Any, *, per_vector: bool) -> Passage:
        """The beat that goes through, of a stage whose stream `marks` is free; states what all such stages guarantee.

        `per_vector`: the beats have no mark of an end, and each one is a vector's last.
        """
        i, o, queue = self.component.i, self.component.o, self.component.queue
        mark = Value.cast(marks.payload)
        self.offers(m, i)
        m.d.comb += [
            o.ready.eq(self.free(1, "taking")),
            marks.valid.eq(self.free(1, "marking")),
            mark.eq(self.free(len(mark), "mark")),
        ]
        moves = Signal()
        m.d.comb += moves.eq(i.valid & i.ready)
        last: Any = Const(1, 1) if per_vector else i.payload.last
        takes = queue.o.valid & queue.o.ready
        self.guarantees |= {
            "each beat goes through, and nothing else": moves == (o.valid & o.ready),
            "each mark enters the queue": (queue.i.valid == marks.valid) & (Value.cast(queue.i.payload) == mark),
            "the last beat takes a mark, and no other": takes == (moves & last),
        }
        return Passage(moves, last, takes)
