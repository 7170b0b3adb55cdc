"""Contracts of the stores behind a credit that are read on request: the ring of scores and the store of factors."""

from typing import Any

from amaranth import Array, Module, Mux, Signal, Value
from amaranth.lib import data

from softstream.hw.contracts.contract import Contract, mark_used
from softstream.hw.contracts.flow import by_gates
from softstream.hw.stages.replay import FactorStore, Replay, has_spare_entry, next_entry, ring_entries
from softstream.hw.streams.registers import delay

__all__ = ["FactorStoreContract", "ReplayContract"]

_LARGEST, _LARGEST_FULL = 12, 7
"""Payloads of the largest ring that is proved; larger ones are proved at this size, those that may be full at a smaller one."""

_PAYLOAD = data.StructLayout({"value": 2})
"""Payload of the proof. The stores only copy it, so its width does not matter."""


def _cut(needed: int) -> int:
    """The size at which a store for `needed` payloads is proved."""
    return needed if needed <= _LARGEST else _LARGEST if has_spare_entry(needed) else _LARGEST_FULL


class _AddressedStore(Contract):
    """A memory whose pointers are shift registers; one payload, any one, is watched from its arrival on.

    Members after `begin`: `stored`, payloads inside; `ahead`, those before the watched one; `watched` and `inside`, whether it
    has arrived and is inside; `value`, that payload; `chosen` and `departs`, it arrives or is read in this cycle.
    """

    needed = 1

    def begin(self, m: Module, memory: Any, leaves: Value) -> None:
        """Adds the registers of the proof and what both stores promise; `leaves`: a payload of the memory is read."""
        component, needed = self.component, self.needed
        entering, watch = self.free(1, "entering"), self.free(1, "watch")
        payload = Value.cast(component.i.payload)
        arriving = self.free(len(payload), "arriving")
        m.d.comb += [component.i.valid.eq(entering), payload.eq(arriving)]
        self.stored, self.ahead = Signal(range(needed + 2)), Signal(range(needed + 1))
        self.inside, self.value, self.chosen = Signal(), Signal(len(payload)), Signal()
        self.watched, self.departs = Signal(), Signal()
        # The addresses of the payloads with 0, 1, … others before them. Signals, because expressions of expressions would double.
        width = len(self.registers["read_address"])
        self.addresses = [Signal(width, name=f"address_{number}") for number in range(needed + 1)]
        for number, address in enumerate(self.addresses):
            before = self.addresses[number - 1] if number else None
            m.d.comb += address.eq(
                self.registers["read_address"] if before is None else next_entry(before, needed, ring_entries(needed))
            )
        self.assumptions.append(~entering | (self.stored < needed))
        m.d.comb += [
            self.chosen.eq(entering & watch & ~self.watched),
            self.departs.eq(self.inside & leaves & (self.ahead == 0)),
        ]
        m.d.sync += self.stored.eq(self.stored + entering - leaves)
        address = Signal(width)
        with m.If(self.chosen):
            m.d.sync += [
                self.watched.eq(1),
                self.inside.eq(1),
                self.ahead.eq(self.stored - leaves),
                self.value.eq(payload),
                address.eq(self.registers["write_address"]),
            ]
        with m.Elif(self.inside & leaves):
            m.d.sync += [self.ahead.eq(Mux(self.departs, 0, self.ahead - 1)), self.inside.eq(~self.departs)]
        port = memory.read_port(domain="comb")
        m.d.comb += port.addr.eq(address)
        self.invariants |= {
            "no more inside than there is room for": self.stored <= needed,
            "write pointer = read pointer, as many steps on as payloads are inside": self.registers["write_address"]
            == Array(self.addresses)[self.stored],
            "the watched payload is one of those inside": ~self.inside | (self.watched & (self.ahead < self.stored)),
            "its address = read pointer, as many steps on as payloads are before it": ~self.inside
            | (address == Array(self.addresses)[self.ahead]),
            "the watched payload in the memory": ~self.inside | (port.data == self.value),
        }
        # A shift register never leaves 0, and never reaches it.
        self.invariants["the read pointer is a place"] = self._is_place(self.registers["read_address"])
        self.covers |= {
            "the watched payload is read": self.departs,
            "several are inside": self.stored == min(needed, 4),
        }

    def _is_place(self, pointer: Value) -> Value:
        """Whether a pointer may have this value."""
        depth = ring_entries(self.needed)
        return pointer != 0 if depth & (depth - 1) == 0 else pointer < depth


class ReplayContract(_AddressedStore):
    """The ring: the elements of complete vectors leave in order and unchanged, those of others stay.

    The surroundings tell the end of a complete vector: the address of an element that is inside and behind those that were
    complete before, and whether it is the only one. `at_last` marks the last complete element that is inside.
    """

    def __init__(self, component: Replay) -> None:
        mark_used(component)
        self.needed = _cut(component.beats)
        memory = component.memory
        interval, ungated = component.interval, component.ungated
        super().__init__(
            Replay(
                _PAYLOAD,
                beats=self.needed,
                interval=interval,
                memory=memory,
                ungated=ungated,
                by_gates=component.by_gates,
            )
        )
        self.settling = memory

    @property
    def title(self) -> str:
        """The ring, its size, its interval and its cycles of reading."""
        ring = self.component
        ungated = ", ungated" if ring.ungated else ""
        return f"ring of {ring.beats}, interval {ring.interval}, read in {ring.memory}{ungated}{by_gates(ring)}"

    def statements(self, m: Module) -> None:
        """Counts the elements of complete vectors; `ready` are those that may leave, and `room` tells that there is room."""
        ring, registers = self.component, self.registers
        leaves = ring.leaves
        self.begin(m, self.module.submodules.ring, leaves)
        self.room = room = self.free(1, "room")
        completing = self.free(1, "completing")
        length = self.free(len(self.stored), "length")
        # Elements of complete vectors; of these, those that the newest `complete` added in the cycle before.
        complete, added = Signal(range(self.needed + 2)), Signal(range(self.needed + 2))
        m.d.comb += [
            ring.room.eq(room),
            ring.complete.valid.eq(completing),
            ring.complete.payload.last.eq(Array(self.addresses)[(complete + length - 1)[: len(complete)]]),
            ring.complete.payload.single.eq(length == 1),
        ]
        self.assumptions.append(~completing | ((length != 0) & (complete + length <= self.stored)))
        m.d.sync += [
            complete.eq(complete + Mux(completing, length, 0) - leaves),
            added.eq(Mux(completing, length, 0)),
        ]
        self.ready = ready = Signal.like(complete)  # complete, and known to be so for a cycle
        m.d.comb += ready.eq(complete - added)
        filled, fresh, at_last = registers["filled"], registers["fresh"], registers["at_last"]
        self.invariants |= {
            "complete elements are inside": (complete <= self.stored) & (added <= complete),
            "the newest end is known": fresh == (added != 0),
            "filled while complete elements are inside": filled == (ready != 0),
            "the end that is known is that of the last complete element": (complete == 0)
            | (registers["last"] == Array(self.addresses)[(complete - 1)[: len(complete)]]),
            "a single element is known as such": ~fresh | (registers["single"] == (added == 1)),
            "the last complete element is known as such": ~filled | (at_last == (ready == 1)),
        }
        arrives = delay(m, self.departs, ring.memory, "arrives", reset=True)
        left = delay(m, leaves, ring.memory, "left", reset=True)
        self.guarantees |= {
            "no element leaves before its vector is complete": ~leaves | (complete != 0),
            "an element is offered from two cycles after its vector is complete": filled == (ready != 0),
            "as many come out as leave": ring.o.valid == left,
            "in order, unchanged, none twice": ~arrives | (Value.cast(ring.o.payload) == self.value),
        }
        self.covers["an element of a second complete vector leaves"] = leaves & (complete != 0) & fresh


class FactorStoreContract(_AddressedStore):
    """The store of factors: a request puts out the next payload, which stays until the following request."""

    def __init__(self, component: FactorStore) -> None:
        mark_used(component)
        self.needed = _cut(component.needed)
        super().__init__(FactorStore(_PAYLOAD, self.needed, component.memory, by_gates=component.by_gates))
        self.settling = component.memory

    @property
    def title(self) -> str:
        """The store, its size and its cycles of reading."""
        return f"store of {self.needed} factors, read in {self.component.memory}{by_gates(self.component)}"

    def statements(self, m: Module) -> None:
        """Requests payloads that are inside."""
        store = self.component
        request = self.free(1, "request")
        m.d.comb += store.next.eq(request)
        self.begin(m, self.module.submodules.store, request)
        self.assumptions.append(~request | (self.stored != 0))
        requested = Signal()
        with m.If(request):
            m.d.sync += requested.eq(self.departs)
        self.invariants["the payload that was requested is read"] = ~requested | (
            self.watched & ~self.inside & (self.registers["read_data"] == self.value)
        )
        offered = delay(m, requested, store.memory - 1, "offered", reset=True)
        self.guarantees["the requested payload, until the next one"] = ~offered | (Value.cast(store.o) == self.value)
        self.covers["the requested payload stays"] = offered & ~self.departs
