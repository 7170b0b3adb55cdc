"""Contracts of the components of flow control: queue, skid buffer, register, fork, credit and spacing."""

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import pairwise
from operator import and_
from typing import Any

from amaranth import Array, Const, Module, Mux, Signal, Value

from softstream.hw.contracts.contract import Contract, InOrder
from softstream.hw.formats import ceil_log2
from softstream.hw.streams.counters import following_of_all, shifted
from softstream.hw.streams.flow import Credit, Queue

__all__ = [
    "CreditContract",
    "ForkContract",
    "HoldContract",
    "QueueContract",
    "SkidContract",
    "SpacingContract",
    "by_gates",
    "credit_invariants",
    "credit_obeyed",
    "credit_reach",
    "registered_history",
]

_QUICKLY_FULL = 16
"""Credits that a short trace uses up. The induction itself starts from states in which all are out, whatever their number."""


def by_gates(component: Any) -> str:
    """End of the title of a component whose registers have gates in place of clock enables."""
    return ", by gates" if component.by_gates else ""


class QueueContract(InOrder):
    """A queue: the write pointer is the read pointer, stepped as often as the memory holds payloads."""

    rigid = True

    def __init__(self, component: Queue) -> None:
        super().__init__(component)
        self.room = component.room
        width = ceil_log2(component.room - 1)
        # The address of the payload in the memory that has 0, 1, … others before it there.
        self._addresses = [Signal(width, name=f"address_{number}") for number in range(component.room)]

    @property
    def title(self) -> str:
        """The queue and the payloads that it has room for."""
        return f"queue of {self.room}{by_gates(self.component)}"

    def account(self, m: Module, count: Signal) -> dict[str, Value]:
        """The memory holds all but the payload at the output, and is read whenever the output is free."""
        offered, filled = self.component.o.valid, self.registers["filled"]
        newest, second = self.registers["newest"], self.registers["second"]
        stored = Signal(range(self.room + 1))
        m.d.comb += stored.eq(count - offered)
        # Signals and no expression of expressions, which would double in each step.
        for number, address in enumerate(self._addresses):
            before = following_of_all(self._addresses[number - 1]) if number else self.registers["read_address"]
            m.d.comb += address.eq(before)
        return {
            "the memory is filled unless all is at the output": filled == (stored != 0),
            "its only payload is known": ~filled | (self.registers["single"] == (stored == 1)),
            "the address before the write pointer": self.registers["write_address"] == following_of_all(newest),
            "the address after the read pointer": second == following_of_all(self.registers["read_address"]),
            **{
                f"write pointer = read pointer, {number} steps on": (stored != number)
                | (self.registers["write_address"] == address)
                for number, address in enumerate(self._addresses)
            },
            "the output is free for a cycle at most": offered | (count <= 1),
        }

    def lies(self, m: Module, ahead: Signal, value: Signal, chosen: Signal) -> dict[str, Value]:
        """At the output, or in the memory as many places behind the read pointer as others are before it."""
        address = Signal.like(self.registers["write_address"])
        with m.If(chosen):
            m.d.sync += address.eq(self.registers["write_address"])
        port = self.module.submodules.store.read_port(domain="comb")
        m.d.comb += port.addr.eq(address)
        offered = self.component.o.valid
        behind = Signal(range(self.room + 1))
        m.d.comb += behind.eq(ahead - offered)
        at_output = offered & (ahead == 0)
        return {
            "the watched payload at the output": ~at_output | (Value.cast(self.component.o.payload) == value),
            "the watched payload in the memory": at_output | (port.data == value),
            **{
                f"its address = read pointer, {number} steps on": at_output | (behind != number) | (address == place)
                for number, place in enumerate(self._addresses)
            },
        }


class SkidContract(InOrder):
    """A skid buffer: the second register is in use if and only if the input is closed and the output is not free."""

    room = 2
    title = "skid buffer"

    def account(self, m: Module, count: Signal) -> dict[str, Value]:
        """One payload at the output; a second one where the input is closed."""
        offered, ready = self.component.o.valid, self.registers["ready"]
        return {"registers in use": count == offered + (offered & ~ready)}

    def lies(self, m: Module, ahead: Signal, value: Signal, chosen: Signal) -> dict[str, Value]:
        """In the output register, or in the second one."""
        register = Mux(ahead == 0, self.registers["output"], self.registers["spare"])
        return {"the watched payload in its register": value == register}


class HoldContract(InOrder):
    """A register that holds a payload."""

    @property
    def title(self) -> str:
        """Whether the surroundings assure its room."""
        return "register with room" if self.component.assured else f"register{by_gates(self.component)}"

    def statements(self, m: Module) -> None:
        super().statements(m)
        if self.component.assured:
            self.assumptions.append(~self.component.i.valid | self.component.i.ready)

    def account(self, m: Module, count: Signal) -> dict[str, Value]:
        """The payload is the offered one."""
        return {"the register in use": count == self.component.o.valid}

    def lies(self, m: Module, ahead: Signal, value: Signal, chosen: Signal) -> dict[str, Value]:
        """In the register."""
        return {"the watched payload in the register": value == Value.cast(self.component.o.payload)}


class ForkContract(Contract):
    """A fork: between two transfers at its input, each sink takes that payload once."""

    @property
    def title(self) -> str:
        """The fork and its sinks."""
        return f"{'ordered ' if self.component.ordered else ''}fork to {self.component.count}"

    def statements(self, m: Module) -> None:
        """Counts what each sink took of the current payload."""
        i, count = self.component.i, self.component.count
        payload = Value.cast(i.payload)
        self.offers(m, i)
        input_law = self.law(m, "input_law", i.valid, i.ready, payload)
        self.assumptions.append(input_law.holds)
        waiting = input_law.stalled
        served_sinks: list[Value] = []
        for number in range(count):
            sink = getattr(self.component, f"o_{number}")
            before, served = Signal(name=f"before_{number}"), self.registers[f"served_{number}"]
            takes = Signal(name=f"takes_{number}")
            m.d.comb += [sink.ready.eq(self.free(1, f"taking_{number}")), takes.eq(sink.valid & sink.ready)]
            m.d.sync += before.eq((before | takes) & ~(i.valid & i.ready))
            law = self.law(m, f"law_{number}", sink.valid, sink.ready, Value.cast(sink.payload))
            served_sinks.append(before | takes)
            self.invariants[f"sink {number} was served"] = served == before
            self.invariants[f"sink {number} was served while the payload waits"] = ~before | waiting
            if self.component.ordered and number:
                self.invariants[f"sink {number} was served after sink 0"] = ~before | self.registers["served_0"]
            self.guarantees |= {
                f"law of sink {number}": law.holds,
                f"sink {number} takes a payload once": ~(takes & before),
                f"sink {number} takes the payload of the input": ~takes | (Value.cast(sink.payload) == payload),
                f"sink {number} takes no payload before sink 0": ~takes
                | served_sinks[0]
                | int(not self.component.ordered),
            }
            self.covers[f"sink {number} takes a payload after another sink"] = takes & waiting
        self.guarantees["the input moves when all have taken"] = (i.valid & i.ready) == (
            i.valid & reduce(and_, served_sinks)
        )


class CreditContract(Contract):
    """A credit counter: of what was taken, no more than its limit is out at any time.

    The user may take in a cycle in which `available` is set, or at most `reach` cycles after it; of the cycles whose takes that
    `available` does not count, at most `margin` have a take. What was not taken is not given.
    """

    @property
    def title(self) -> str:
        """The credit and its size."""
        return f"credit of {self.component.limit}, margin {self.component.margin}"

    def statements(self, m: Module) -> None:
        """Counts what is out, in `out`."""
        credit = self.component
        limit = credit.limit
        taking, giving = self.free(1, "taking"), self.free(1, "giving")
        # One bit pattern more than the limit, or the count could not exceed it.
        self.out = out = Signal(range(limit + 2))
        settled = Signal()
        available, takes = registered_history(m, credit, taking)
        m.d.comb += [credit.take.eq(taking), credit.give.eq(giving)]
        m.d.sync += [
            out.eq(out + taking - giving),
            settled.eq(~taking & ~giving & (out == 0)),
        ]
        self.assumptions += [credit_obeyed(credit, available, takes), ~giving | (out != 0)]
        self.invariants |= credit_invariants(credit, self.registers, out, available, takes)
        self.guarantees |= {
            "no more out than the limit": out <= limit,
            "available when all is given back": ~settled | credit.available | (out != 0),
        }
        self.covers |= {"a take": taking, "a credit comes back": giving}
        if credit_reach(credit) > 1:
            late = reduce(and_, (~earlier for earlier in available[:-1]))
            self.covers["a take as late as may be"] = taking & late
        if limit <= _QUICKLY_FULL:
            self.covers["closed"] = (out != 0) & ~credit.available


def credit_reach(credit: Credit) -> int:
    """Cycles by which a take may follow `available`.

    One is what a registered gate needs. `available` does not count the takes of k + 1 cycles when a take follows it by k, so
    a margin of k + 1 allows that at any rate.
    """
    return max(1, credit.margin - 1)


def registered_history(m: Module, credit: Credit, taking: Value) -> tuple[list[Value], list[Value]]:
    """`available` and the takes of a credit, in this cycle and in those before, as far as `credit_obeyed` looks back."""
    reach = credit_reach(credit)
    available: list[Value] = [credit.available, *(Signal(name=f"available_{k}") for k in range(1, reach + 1))]
    takes: list[Value] = [taking, *(Signal(name=f"taken_{k}") for k in range(1, reach + 2))]
    m.d.sync += [later.eq(value) for row in (available, takes) for value, later in pairwise(row)]
    return available, takes


def credit_obeyed(credit: Credit, available: Sequence[Value], takes: Sequence[Value]) -> Value:
    """Whether the user takes as the contract of a credit assumes; `available` and `takes`: in this cycle and in those before."""
    allowed: Value = Const(0, 1)
    for cycles, earlier in enumerate(available[: credit_reach(credit) + 1]):
        uncounted = sum(takes[1 : cycles + 2], start=Const(0, 1))
        allowed |= earlier & (uncounted <= credit.margin)
    return ~takes[0] | allowed


def credit_invariants(
    credit: Credit,
    registers: Mapping[str, Signal],
    out: Value,
    available: Sequence[Value],
    takes: Sequence[Value],
) -> dict[str, Value]:
    """What the registers of a credit say while `out` payloads are out that took one.

    `available`, `takes`: those of the credit in this cycle and in the ones before, of which these are the first.
    """
    limit, margin = credit.limit, credit.margin
    change, decrement = registers["change"], registers["decrement"]
    pending = Mux(change, Mux(decrement, 1, -1), 0)
    return {
        "credits left + out = limit": registers["spare"] + out == limit - margin - 1 + pending,
        "a take that is not counted": ~change | (decrement == takes[1]),
        **{
            f"room when the register was set, {cycles} cycles before": ~available[cycles]
            | (out <= limit - margin - 1 + sum(takes[1 : cycles + 2], start=Const(0, 1)))
            for cycles in range(1, credit_reach(credit) + 1)
        },
        "no more out than the limit": out <= limit,
    }


class SpacingContract(Contract):
    """Spacing: events are at least `interval` cycles apart, and one is free as soon as they are."""

    @property
    def title(self) -> str:
        """The spacing and its interval."""
        return f"spacing of {self.component.interval}"

    def statements(self, m: Module) -> None:
        """Counts the cycles since the last event."""
        spacing, interval = self.component, self.component.interval
        taking, allowing = self.free(1, "taking"), self.free(1, "allowing")
        m.d.comb += [spacing.take.eq(taking), spacing.allowed.eq(allowing)]
        self.assumptions.append(~taking | spacing.free)
        since, allowed_before, running = Signal(range(interval + 1), init=interval), Signal(), Signal()
        m.d.sync += [
            since.eq(Mux(taking, 1, Mux(since == interval, interval, since + 1))),
            allowed_before.eq(allowing),
            running.eq(1),
        ]
        if interval == 1:
            self.invariants["one cycle at least"] = since != 0
            self.guarantees["free where allowed"] = spacing.free == allowing
        else:
            steps = interval - 4
            counting = (since >= 2) & (since <= steps + 2)
            count = self.registers["count"]
            self.invariants |= {
                "one cycle at least": (since != 0) & (since <= interval),
                "the counter loads a cycle late": self.registers["loading"] == (since == 1),
                "the counter runs": self.registers["busy"] == counting,
                "its state": ~counting
                | (count == Array([shifted(len(count), k) for k in range(steps + 1)])[since - 2]),
                "free only where far enough": ~spacing.free | (since >= interval),
            }
            late = running & allowed_before & (since == interval) & ~spacing.free
            self.guarantees["free as soon as they are far enough apart"] = ~late
        self.guarantees["far enough apart"] = ~taking | (since >= interval)
        self.covers |= {"an event": taking, "two events": taking & running}
