"""Contract of the count before a head with a floor: one mass for each vector, and the scores as they are."""

from amaranth import Module, Mux, Signal, Value

from softstream.hw.contracts.contract import Contract
from softstream.hw.options.floor import Remainder

__all__ = ["RemainderContract"]

_QUICKLY_CUT = 8
"""Beats of a vector that a short trace cuts. The induction itself starts from every place in a vector, whatever its length."""


class RemainderContract(Contract):
    """Each beat of scores goes through where a credit is available, and each vector takes one, with the last beat that counts.

    That is its end, or its beat number beats(max_length), as in the frame. Of an ensemble whose probabilities are averaged the
    first member takes one, and no other. The value of the mass is no part of the contract.
    """

    component: Remainder
    memories = False

    @property
    def title(self) -> str:
        """The stage and its size."""
        config = self.component.config
        members = f", of {config.ensemble} members" if self._members > 1 else ""
        return f"remaining mass of up to {config.max_length} scores, {config.lanes} per beat{members}"

    @property
    def _members(self) -> int:
        """Vectors that take one credit together."""
        return self.component.members

    def statements(self, m: Module) -> None:
        """Counts the beats of the vector, and the members."""
        component, registers = self.component, self.registers
        i, o, credit = component.i, component.o, self.module.submodules.credit
        beats = component.config.beats(component.config.max_length)
        self.offers(m, i)
        m.d.comb += [o.ready.eq(self.free(1, "taking")), component.vector.ready.eq(self.free(1, "taking_mass"))]
        # One more than there are beats, or the count could not exceed them.
        place, member = Signal(range(beats + 2)), Signal(range(self._members + 1))
        was_cut, moves, counts = Signal(), Signal(), Signal()
        last, at_limit = i.payload.last, place == beats - 1
        m.d.comb += [moves.eq(i.valid & i.ready), counts.eq(moves & ~was_cut & (last | at_limit))]
        with m.If(moves):
            m.d.sync += [
                place.eq(Mux(was_cut | last | at_limit, 0, place + 1)),
                was_cut.eq(~last & (was_cut | at_limit)),
            ]
        with m.If(counts):
            m.d.sync += member.eq(Mux(member == self._members - 1, 0, member + 1))
        self.invariants |= {
            "no beat beyond the limit": place < beats,
            "no member beyond the ensemble": member < self._members,
            "its count of beats": registers["before"] == place,
            "its last possible beat is known": registers["limit"] == at_limit,
            "a cut vector's other beats are dropped": registers["dropping"] == was_cut,
            "no beat of a cut vector is counted": ~was_cut | (place == 0),
        }
        if self._members > 1:
            self.invariants["its number of the member"] = registers["member"] == member
        self.guarantees |= {
            "each beat goes through, and nothing else": (o.valid & o.ready) == moves,
            "unchanged": ~moves | (Value.cast(o.payload) == Value.cast(i.payload)),
            "a beat goes through where a credit is available": i.ready == (o.ready & credit.available),
            "one credit for each vector, with its last beat that counts": credit.take == (counts & (member == 0)),
            "it comes back as the mass is taken": credit.give == (component.vector.valid & component.vector.ready),
        }
        self.covers["a vector is counted"] = counts
        if beats <= _QUICKLY_CUT:
            self.covers["a vector is cut"] = was_cut
