"""Contracts of rigid stages and comparisons: each beat leaves a fixed number of cycles later, or one winner for each vector."""

from typing import Any

from amaranth import Module, Signal, Value

from softstream.hw.contracts.contract import Contract
from softstream.hw.streams.registers import delay

__all__ = ["DrawSetContract", "PipeContract", "WinnersContract"]


class PipeContract(Contract):
    """A rigid stage of latency L: what leaves entered L cycles before, with the same mark of a vector's end, and nothing else.

    Where the payload that leaves has no such mark, one leaves for each beat with the mark, and none for any other. The
    surroundings are free. Under a clock enable the cycles are those with the enable, because no register changes in any other.
    """

    def __init__(self, component: Any, kind: str, latency: int) -> None:
        super().__init__(component)
        self._kind, self._latency = kind, latency
        # The registers of the stage are those of the last L cycles.
        self.settling = latency

    @property
    def title(self) -> str:
        """The stage, the bits that enter and leave, and its latency."""
        widths = [len(Value.cast(port.payload)) for port in (self.component.i, self.component.o)]
        return f"{self._kind} of {widths[0]} to {widths[1]} bits, {self._latency} cycles"

    def statements(self, m: Module) -> None:
        """Compares what leaves with what entered."""
        i, o, latency = self.component.i, self.component.o, self._latency
        entering = self.offers(m, i)
        for name, port in self.component.signature.members.items():
            if port.is_port and port.flow.name == "In":  # data that accompany the beats
                signal = Value.cast(getattr(self.component, name))
                m.d.comb += signal.eq(self.free(len(signal), name))
        last, per_vector = i.payload.last, "last" not in o.payload.shape().members
        due = delay(m, entering & last if per_vector else entering, latency, "due", reset=True)
        if per_vector:
            self.guarantees["a payload for each vector, and no other"] = o.valid == due
        else:
            ends = delay(m, last, latency, "ends")
            self.guarantees |= {
                "each beat leaves, and nothing else": o.valid == due,
                "with its mark of the end": ~due | (o.payload.last == ends),
            }
        self.covers["a payload leaves"] = o.valid


class DrawSetContract(PipeContract):
    """The set of a draw, which also marks the first element of each vector."""

    def statements(self, m: Module) -> None:
        """Follows the ends of vectors."""
        super().statements(m)
        i, o, begins = self.component.i, self.component.o, Signal(init=1)
        with m.If(i.valid):
            m.d.sync += begins.eq(i.payload.last)
        first = delay(m, begins, self._latency, "due_first")
        self.invariants["the first element is known"] = self.registers["first"] == begins
        self.guarantees["with its mark of the beginning"] = ~o.valid | (o.payload.first == first)


class WinnersContract(Contract):
    """A comparison whose output stalls: as many winners leave as ends of vectors have entered, but for those inside.

    Each register of the tree over the lanes holds a beat, and the one behind it a winner.
    """

    def __init__(self, component: Any) -> None:
        super().__init__(component)
        self._levels = (component.config.lanes - 1).bit_length()

    @property
    def title(self) -> str:
        """The comparison and its size."""
        config = self.component.config
        return f"winners of {config.lanes} × {config.score_width} bits"

    def statements(self, m: Module) -> None:
        """Counts the ends of vectors inside."""
        i, o = self.component.i, self.component.o
        entering, taking = self.offers(m, i), self.free(1, "taking")
        m.d.comb += o.ready.eq(taking)
        # One more than there is room for, or the count could not exceed it.
        count = Signal(range(self._levels + 3))
        arrives, leaves = Signal(), Signal()
        m.d.comb += [arrives.eq(entering & i.ready & i.payload.last), leaves.eq(o.valid & taking)]
        m.d.sync += count.eq(count + arrives - leaves)
        held = [
            self.registers[name] & self.registers[name.replace("valid", "last")]
            for name in self.registers
            if name.startswith("valid")
        ]
        law = self.law(m, "output_law", o.valid, o.ready, Value.cast(o.payload))
        self.invariants["the ends inside are in the registers"] = count == sum(held, start=o.valid)
        self.guarantees |= {
            "no winner without a vector": ~leaves | (count != 0),
            "law of the output": law.holds,
        }
        self.covers |= {"a winner leaves": leaves, "the output stalls": law.stalled}
