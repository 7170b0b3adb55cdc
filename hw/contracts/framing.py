"""Contract of the frame: the first max_length scores of each vector go on, in order, with the marks of its edges."""

from itertools import islice
from typing import Any

from amaranth import C, Module, Mux, Signal, Value, unsigned
from amaranth.lib import memory

from softstream.hw.contracts.contract import Contract
from softstream.hw.contracts.definitions import order_of
from softstream.hw.plan.ports import sidebands
from softstream.hw.stages.frame import Frame
from softstream.hw.streams.counters import states

__all__ = ["FrameContract"]

_QUICKLY_CUT = 16
"""Beats of a vector that a short trace cuts. The induction itself starts from every place in a vector, whatever its length."""


class FrameContract(Contract):
    """A frame at its real length: a beat of a vector's first max_length scores is offered until it leaves, all others never.

    The statements compare with a counter of beats and a flag "the vector was cut", which say for each beat whether it is its
    vector's first or last one, and whether its vector is cut there.
    """

    def __init__(self, component: Frame) -> None:
        super().__init__(component)
        self._config = component.config

    @property
    def title(self) -> str:
        """The frame, its size, and what accompanies a score."""
        config = self._config
        frame = self.component
        kind = f"{'registered ' if frame.registered else ''}{'indexed ' if frame.indexed else ''}frame"
        accompanied = "".join(f", {field.name}" for field in sidebands(config))
        gaps = ", gaps" if config.reads_tkeep else ""
        ahead = "" if frame.lookahead else ", without lookahead"
        scores = f"{config.lanes} × {config.score_width} bits, up to {config.max_length} scores"
        return f"{kind} of {scores}{accompanied}{gaps}{ahead}"

    def statements(self, m: Module) -> None:
        """Counts the beats of the current vector, and compares the marks of the offered beat."""
        component, config = self.component, self._config
        i, o = component.i, component.o
        final = config.beats(config.max_length) - 1
        entering, taking = self.offers(m, i), self.free(1, "taking")
        m.d.comb += o.ready.eq(taking)
        place, was_cut = Signal(range(final + 2)), Signal()
        step, at_end, leaves = Signal(), Signal(), Signal()
        last, at_limit = i.payload.last, place == final
        m.d.comb += [
            step.eq(entering & i.ready & ~was_cut),
            at_end.eq(last | at_limit),
            leaves.eq(o.valid & taking),
        ]
        pending = Signal()
        m.d.sync += pending.eq(step | (pending & ~leaves))
        with m.If(entering & i.ready):
            m.d.sync += was_cut.eq(~last & (was_cut | at_limit))
        cut = at_limit & ~last
        flagged = cut | (i.payload.gap & at_end) if config.reads_tkeep else cut
        position = order_of(config, i.payload.score)
        due: dict[str, Value] = {
            "first": place == 0,
            "last": at_end,
            "index": place if component.indexed else C(0, 1),
            "position": Mux(i.payload.mask, 0, position) if config.mask else position,
            **{field.name: i.payload[field.name] for field in sidebands(config)},
        }
        if config.lanes == 1:
            # Where a vector of several lanes is cut depends on the lanes of its last beat.
            due["overlong"] = flagged
        marks = {name: Signal(len(Value.cast(value)), name=f"due_{name}") for name, value in due.items()}
        announced = Signal()
        m.d.sync += announced.eq(component.ending)
        with m.If(step):
            m.d.sync += place.eq(Mux(at_end, 0, place + 1))
            m.d.sync += [mark.eq(due[name]) for name, mark in marks.items()]
        law = self.law(m, "output_law", o.valid, o.ready, Value.cast(o.payload))
        self.invariants |= {
            "no beat beyond max_length": place <= final,
            "a beat is offered until it leaves": o.valid == pending,
            "a cut vector's other beats are dropped": self.registers["dropping"] == was_cut,
            "a cut vector has no place": ~was_cut | (place == 0),
            "its first beat is known": self.registers["at_first"] == (place == 0),
            "its last possible beat is known": self.registers["at_limit"] == at_limit,
            **{f"its {name}": ~pending | (o.payload[name] == mark) for name, mark in marks.items()},
            **self._counts(m, place, final),
        }
        self.guarantees |= {
            "law of the output": law.holds,
            "its end is announced in the cycle before": ~o.valid | (o.payload.last == announced),
            **(
                {"it takes a beat when its ready is set": i.ready == taking}
                if component.registered
                else {"its register is free where it is empty or taken": i.ready == (taking | ~o.valid)}
            ),
        }
        self.covers |= {"a last beat leaves": leaves & o.payload.last, "the output stalls": law.stalled}
        if final <= _QUICKLY_CUT:
            self.covers["a vector is cut"] = was_cut

    def _counts(self, m: Module, place: Signal, final: int) -> dict[str, Any]:
        """What the counter of the frame holds behind a vector's first beat."""
        index = self.registers["index"]
        if self.component.indexed:
            return {"the index counts the beats": (place == 0) | (index == place)}
        if not final:
            return {}
        # A table, because as an expression so many states would take long to read.
        m.submodules.states = table = memory.Memory(
            shape=unsigned(len(index)), depth=final, init=[*islice(states(len(index)), final)]
        )
        port = table.read_port(domain="comb")
        m.d.comb += port.addr.eq(place - 1)
        counts = {"the shift register counts the beats": (place == 0) | (index == port.data)}
        if "approaches" in self.registers:
            counts["one beat before the limit is known"] = self.registers["approaches"] == (place == final - 1)
        if "matches" in self.registers:
            counts["two beats before the limit are known"] = self.registers["matches"].all() == (place == final - 2)
        return counts
