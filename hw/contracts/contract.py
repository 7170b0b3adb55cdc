"""The contract of a component: what it assumes of its surroundings, what it keeps, and the invariants from which this follows.

A contract is proved by induction, without a bound on time. Its invariants hold after a reset from any contents; and from any
contents for which they hold, one cycle of any assumed input leads to contents for which they hold again.
"""

from typing import Any

from amaranth import Module, Mux, ResetSignal, Signal, Value

from softstream.hw.contracts.stream_law import StreamLaw
from softstream.hw.streams.probes import Probes

__all__ = ["Contract", "InOrder", "mark_used"]

_SEVERAL = 4
"""Payloads that a short trace stores. The induction itself starts from full stores too, whatever their size."""


def mark_used(component: Any) -> None:
    """Keeps Amaranth from saying that nobody uses a component: its title is asked, or one of the same kind takes its place."""
    component._MustUse__used = True


class Contract:
    """One component with free inputs, and the statements about it.

    Subclasses have `statements(m)`, which connects the component, adds registers that only the proof needs, and fills:

    * `inputs`: signals that the model checker chooses in every cycle;
    * `assumptions`: 1 in every cycle, of the surroundings;
    * `invariants`: name → 1 in every cycle after a reset, as the registers are;
    * `guarantees`: name → 1 in every cycle after a reset, as the component promises;
    * `covers`: name → 1 in some cycle, or the guarantees say nothing.

    The guarantees follow from the invariants `settling` cycles before, and after a reset at once. So a payload may travel through
    as many registers that no invariant speaks of.
    """

    settling = 0
    steps = 1
    """Cycles in a row of which the invariants are assumed; registers that they do not speak of may need several to settle."""

    clock_enable = True
    """Whether the component keeps its contract under a clock enable too, whatever that is in a cycle of reset."""

    memories = True
    """Whether a statement depends on the contents of memories; else what they read is free."""

    def __init__(self, component: Any) -> None:
        self.component = component
        mark_used(component)
        self.inputs: list[Signal] = []
        self.assumptions: list[Value] = []
        self.invariants: dict[str, Value] = {}
        self.guarantees: dict[str, Value] = {}
        self.covers: dict[str, Value] = {}
        self.registers: dict[str, Signal] = {}
        self.module: Any = None

    @property
    def title(self) -> str:
        """The component and its size, as a person reads them."""
        raise NotImplementedError

    def free(self, width: int, name: str) -> Signal:
        """An input that the model checker chooses."""
        signal = Signal(width, name=name)
        self.inputs.append(signal)
        return signal

    def offers(self, m: Module, port: Any) -> Signal:
        """`valid` of a stream input of the component that is offered anything in any cycle."""
        entering, payload = self.free(1, "entering"), Value.cast(port.payload)
        m.d.comb += [port.valid.eq(entering), payload.eq(self.free(len(payload), "arriving"))]
        return entering

    def circuit(self) -> Module:
        """The component, what the proof needs beside it, and the statements."""
        m, probes = Module(), Probes()
        # The component is elaborated here, so that its registers can be read below.
        self.module = self.component.elaborate(probes)
        m.submodules.component = self.in_surroundings(self.module)
        self.registers = probes.registers(self.component)
        self.statements(m)
        return m

    def in_surroundings(self, module: Any) -> Any:
        """The elaborated component as it stands in a head: a component under a clock enable has one here too."""
        return module

    def statements(self, m: Module) -> None:
        """Connects the component and states what holds."""
        raise NotImplementedError

    def law(self, m: Module, name: str, valid: Value, ready: Value, payload: Value) -> StreamLaw:
        """The law of a stream of the component."""
        law = StreamLaw(len(payload))
        m.submodules[name] = law
        m.d.comb += [
            law.valid.eq(valid),
            law.ready.eq(ready),
            law.payload.eq(payload),
            law.reset.eq(ResetSignal()),
        ]
        return law


class InOrder(Contract):
    """A store with a stream in and a stream out: each payload leaves once, unchanged and in its turn.

    One payload, any one, is watched from its arrival to its departure. Subclasses say how many payloads there is `room` for, what
    the registers say of the number inside (`account`), and whether the watched payload lies where it must (`lies`).
    """

    room = 1
    """Most payloads inside."""
    rigid = False
    """Whether the input has no ready, so that the surroundings assure the room."""

    def account(self, m: Module, count: Signal) -> dict[str, Value]:
        """Invariants: the registers of the component belong to `count` payloads inside."""
        raise NotImplementedError

    def lies(self, m: Module, ahead: Signal, value: Signal, chosen: Signal) -> dict[str, Value]:
        """Invariants while the payload `value` is inside, with `ahead` others before it; `chosen`: it arrives."""
        raise NotImplementedError

    def statements(self, m: Module) -> None:
        i, o, room = self.component.i, self.component.o, self.room
        payload, result = Value.cast(i.payload), Value.cast(o.payload)
        entering, watch, taking = (self.free(1, name) for name in ("entering", "watch", "taking"))
        arriving = self.free(len(payload), "arriving")
        # One value more than there is room for, or the count could not exceed it.
        count, ahead = Signal(range(room + 2)), Signal(range(room + 1))
        watched, inside, waited, arrived = Signal(), Signal(), Signal(), Signal()
        self.count, self.arrived = count, arrived
        value = Signal(len(payload))
        arrives, leaves, chosen, departs = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            i.valid.eq(entering),
            payload.eq(arriving),
            o.ready.eq(taking),
            leaves.eq(o.valid & taking),
            chosen.eq(arrives & watch & ~watched),
            departs.eq(inside & leaves & (ahead == 0)),
        ]
        if self.rigid:
            m.d.comb += arrives.eq(entering)
            self.assumptions.append(~entering | (count < room))
        else:
            m.d.comb += arrives.eq(entering & i.ready)
        m.d.sync += [count.eq(count + arrives - leaves), waited.eq((count != 0) & ~o.valid), arrived.eq(arrives)]
        with m.If(chosen):
            m.d.sync += [watched.eq(1), inside.eq(1), ahead.eq(count - leaves), value.eq(payload)]
        with m.Elif(inside & leaves):
            m.d.sync += [ahead.eq(Mux(departs, 0, ahead - 1)), inside.eq(~departs)]
        law = self.law(m, "output_law", o.valid, o.ready, result)
        self.invariants |= {
            **self.account(m, count),
            "no more inside than there is room for": count <= room,
            "what is offered is inside": ~o.valid | (count != 0),
            "the watched payload is one of those inside": ~inside | (watched & (ahead < count)),
            **{name: ~inside | place for name, place in self.lies(m, ahead, value, chosen).items()},
        }
        self.guarantees |= {
            "in order, unchanged, none twice": ~departs | (result == value),
            "law of the output": law.holds,
            "what is inside is offered, or in the next cycle": o.valid | ~waited,
            "what arrived two cycles before or earlier is offered": o.valid | (count == arrived),
        }
        self.covers |= {
            "the watched payload leaves": departs,
            "several are inside": count == min(room, _SEVERAL),
            "the output stalls": law.stalled,
        }
