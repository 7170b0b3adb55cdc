"""Contracts of softmax in two passes: a vector at a time, a result for each of its elements, and one winner; and that in time."""

from typing import Any

from amaranth import Module, Mux, Signal, Value

from softstream.hw.contracts.contract import Contract
from softstream.hw.modes.two_pass import TwoPass
from softstream.hw.plan.modes.two_pass import TwoPassSchedule, two_pass_schedule

__all__ = ["TwoPassContract", "TwoPassResponse", "closed_cycles"]

_QUICKLY_CUT = 4
"""Elements of a vector that a short trace cuts. The induction itself starts from every place in a vector, whatever its length."""


class TwoPassContract(Contract):
    """The whole head at its real length: the first max_length elements of a vector enter, and their results leave before others.

    The statements count the elements of the vector inside and its results, and follow its end and its winner. An exponential is
    that of the element at the address `lookup` cycles before, so they also count for how long the address stands.
    """

    component: TwoPass
    memories = False

    @property
    def title(self) -> str:
        """The head and its size."""
        config = self.component.config
        options = "".join(
            f", {name}"
            for name, present in (("mask", config.mask), ("margin", config.has_margin), ("gaps", config.reads_tkeep))
            if present
        )
        sizes = f"{config.score_width} to {config.output_width} bits, up to {config.max_length} scores"
        return f"two passes of {sizes}{options}, {two_pass_schedule(config).lookup} cycles to an exponential"

    def statements(self, m: Module) -> None:
        """Counts elements and results, and says what the registers of each pass hold."""
        component, config = self.component, self.component.config
        i, o, best = component.i, component.o, component.o_best
        entering, taking, taking_best = self.offers(m, i), self.free(1, "taking"), self.free(1, "taking_best")
        m.d.comb += [o.ready.eq(taking), best.ready.eq(taking_best)]
        # One more than there are elements, or the counts could not exceed them.
        length, results = (Signal(range(config.max_length + 2), name=name) for name in ("length", "results"))
        ended, crowned, was_cut, flagged = Signal(), Signal(), Signal(), Signal()
        transferred, step, ends, leaves, crowns, finished = (
            Signal(name=name) for name in ("transferred", "step", "ends", "leaves", "crowns", "finished")
        )
        last, at_limit = i.payload.last, length == config.max_length - 1
        self.length, self.enters, self.ends, self.ended = length, step, ends, ended
        self.outputs_ready = taking & taking_best
        m.d.comb += [
            transferred.eq(entering & i.ready),
            step.eq(transferred & ~was_cut),
            ends.eq(step & (last | at_limit)),
            leaves.eq(o.valid & taking),
            crowns.eq(best.valid & taking_best),
            finished.eq(ended & (results + leaves == length) & (crowned | crowns)),
        ]
        m.d.sync += [
            length.eq(Mux(finished, 0, length + step)),
            results.eq(Mux(finished, 0, results + leaves)),
            ended.eq((ended | ends) & ~finished),
            crowned.eq((crowned | crowns) & ~finished),
        ]
        finished_before = Signal()
        m.d.sync += finished_before.eq(finished_before | finished)
        with m.If(transferred):
            m.d.sync += was_cut.eq(~last & (was_cut | at_limit))
        with m.If(ends):
            m.d.sync += flagged.eq(~last | (i.payload.gap if config.reads_tkeep else 0))
        self._passes(m, length, results, ended)
        laws = [
            self.law(m, f"law_of_{name}", port.valid, port.ready, Value.cast(port.payload))
            for name, port in (("results", o), ("winners", best))
        ]
        self.invariants |= {
            "the vector inside has elements, and no more than max_length": ~ended
            | ((length != 0) & (length <= config.max_length)),
            "its results come behind its end": ended | ((results == 0) & ~crowned & ~o.valid),
            "no more results than elements": results <= length,
            "the winner is offered until it leaves": best.valid == (ended & ~crowned),
            "a cut vector's other elements are dropped": self.registers["dropping"] == was_cut,
            "its flag": ~ended | (best.payload.overlong == flagged),
            "the last result is known": ~o.valid | (o.payload.last == (results + 1 == length)),
        }
        self.guarantees |= {
            "no element enters while results of another vector are inside": ~i.ready | ~ended,
            "a result for each element, behind the end of its vector": ~leaves | (ended & (results < length)),
            "the last one is marked": ~leaves | (o.payload.last == (results + 1 == length)),
            "one winner for each vector, behind its end": ~crowns | (ended & ~crowned),
            "the results have the flag of their vector": ~leaves | (o.payload.overlong == flagged),
            "the winner has the flag of its vector": ~crowns | (best.payload.overlong == flagged),
            "law of the results": laws[0].holds,
            "law of the winners": laws[1].holds,
        }
        if config.max_length > 1:
            self.covers["a second result, the last one, leaves"] = leaves & o.payload.last & (results != 0)
        self.covers |= {
            "a winner leaves": crowns,
            "the results stall": laws[0].stalled,
            "the winner stalls": laws[1].stalled,
            "a second vector enters": step & (length == 0) & finished_before,
        }
        if config.max_length <= _QUICKLY_CUT:
            self.covers["a vector is cut"] = was_cut

    def _passes(self, m: Module, length: Signal, results: Signal, ended: Signal) -> None:
        """What the registers hold in each pass; `left` is the number of elements still to be divided, less one."""
        component, registers = self.component, self.registers
        cycles = two_pass_schedule(component.config)
        receiving, summing, dividing = (registers[name] for name in ("receiving", "summing", "dividing"))
        address, left, step, load, pending = (
            registers[name] for name in ("address", "left", "step", "load", "pending")
        )
        offered = component.o.valid
        # Elements that have entered the division; the first one gives a result when the second one enters.
        loads = Signal.like(length)
        m.d.comb += loads.eq(results + offered + pending)
        # For how many cycles the address stands, up to those of an exponential.
        before, held, held_before = (
            Signal.like(address),
            Signal(range(cycles.lookup + 1)),
            Signal(range(cycles.lookup + 1)),
        )
        m.d.comb += held.eq(
            Mux(address != before, 0, Mux(held_before >= cycles.lookup, cycles.lookup, held_before + 1))
        )
        m.d.sync += [before.eq(address), held_before.eq(held)]
        place: Any = address.as_unsigned()  # the address behind the last of 2^n elements is beyond its range
        passes = receiving + summing + dividing
        rests = Mux(pending, cycles.element - 2, cycles.lookup)  # steps with this address
        self.invariants |= {
            "one pass at a time": passes <= 1,
            "the first pass has no vector inside": ~receiving | ~ended,
            "the other passes have one": ~(summing | dividing) | ended,
            "between the passes results are offered": (passes != 0) | (ended == (offered | component.o_best.valid)),
            "without a vector and a pass no element is counted": receiving | ended | (length == 0),
            "first pass: the address counts the elements": ~receiving
            | ((place == length) & (left == -1) & (length < component.config.max_length)),
            "before the third pass: no result, and its steps": ~(receiving | summing)
            | ((results == 0) & ~offered & (step == cycles.lookup)),
            "second pass: elements read and elements to read": ~summing
            | ((address >= -1) & (left >= -1) & (address + left + 2 == length)),
            "third pass: the address counts the divisions": ~dividing
            | ((place == loads[: len(place)]) & (loads <= length) & (left + 1 + loads == length)),
            "third pass: a division is pending behind the first one": ~dividing | (pending | (results + offered == 0)),
            "third pass: the steps of a division": ~dividing | (step < cycles.element),
            "third pass: a division begins with its first step": (load & dividing)
            == (dividing & (step == cycles.element - 1)),
            "third pass: a result is offered in the second step": ~(dividing & offered) | (step == cycles.element - 2),
            "third pass: no step before the first division is skipped": ~dividing
            | load
            | pending
            | (step <= cycles.lookup),
            "third pass: the address stands": ~dividing | load | (held >= cycles.lookup) | (held + step >= rests),
            "no division begins outside the third pass": ~load | dividing,
            "behind the third pass: all results but the offered one have left": (passes != 0)
            | ~ended
            | (results + offered == length),
        }
        self.guarantees["the exponential that is divided is that of the next element"] = ~(dividing & (step == 0)) | (
            (place == loads[: len(place)]) & (held >= cycles.lookup)
        )


def closed_cycles(cycles: TwoPassSchedule, elements: Any) -> Any:
    """Cycles in a row in which the input is closed behind a vector of so many elements, if the outputs are taken in all of them.

    From a vector's first score to the next one's the schedule counts two cycles and a division for each element, and some more.
    One of these two is that of the first pass, in which the input is open.
    """
    return elements * (cycles.element + 1) + cycles.vector


class TwoPassResponse(TwoPassContract):
    """The input opens in time, and the results and the winner of a vector leave in time, where both outputs are taken.

    `closed` counts the cycles in a row in which the input is closed and both outputs are taken. The registers tell how many more
    there are at most: their number never rises, and falls in each of these cycles. So both together are never more than at the
    end of the vector.
    """

    @property
    def title(self) -> str:
        """The head and its size."""
        return f"response of {super().title}"

    def statements(self, m: Module) -> None:
        """Measures what is left to do in each pass."""
        super().statements(m)
        component, config = self.component, self.component.config
        cycles = two_pass_schedule(config)
        receiving, summing, dividing = (self.registers[name] for name in ("receiving", "summing", "dividing"))
        address, left, step, load = (self.registers[name] for name in ("address", "left", "step", "load"))
        longest = closed_cycles(cycles, config.max_length)
        # `allowed`: for the vector inside, or else for the last one. Behind a reset, the one cycle that clears the registers.
        closed, allowed = Signal(range(longest + 2)), Signal(range(longest + 2), init=1)
        # Cycles of the divisions to come. A model checker decides what adds in each cycle sooner than what multiplies.
        divisions = Signal(range(longest + 2))
        m.d.sync += closed.eq(Mux(self.outputs_ready & ~component.i.ready, closed + 1, 0))
        with m.If(self.enters):
            m.d.sync += divisions.eq(divisions + cycles.element)
        with m.Elif(load & ~left[-1]):
            m.d.sync += divisions.eq(divisions - cycles.element)
        with m.If(self.ends):
            m.d.sync += allowed.eq(divisions + cycles.element + self.length + 1 + cycles.vector)
        # The cycle of the last load, which ends the last division.
        last_load = 1
        # Until the first division: reads down to address 0, the address beyond, then the steps down to 0.
        before_division = (address + 1) + 1 + (cycles.lookup + 1)
        before_load = Mux(load, 0, step + 1)
        waits = component.o.valid | component.o_best.valid
        self.invariants |= {
            "first and second pass: a division for each element": ~(receiving | summing)
            | (divisions == self.length * cycles.element),
            "third pass: a division for each element that is left": ~dividing
            | (divisions == (left + 1) * cycles.element),
            "no division is left outside the passes": receiving | summing | dividing | (divisions == 0),
            "a vector inside takes the cycles of its elements": ~self.ended
            | (allowed == closed_cycles(cycles, self.length)),
            "no vector takes more than the longest": allowed <= longest,
            "second pass: the input opens in time": ~summing
            | (closed + before_division + divisions + last_load + cycles.clear <= allowed),
            "third pass: the input opens in time": ~dividing
            | (closed + before_load + divisions + last_load + cycles.clear <= allowed),
            "behind the third pass: the input opens in time": receiving
            | summing
            | dividing
            | (closed + Mux(waits, cycles.clear, 1) <= allowed),
        }
        self.guarantees |= {
            "the input opens within the cycles of the vector": component.i.ready | (closed < allowed),
            "all results and the winner have left before": ~self.ended | (closed + cycles.clear <= allowed),
        }
        # So no fewer cycles would do: a vector of one element takes them all.
        single = closed_cycles(cycles, 1)
        self.covers |= {
            "the input is closed for all cycles of a vector": ~component.i.ready & (closed == single - 1),
            "a result leaves in the last cycle for it": (closed == single - cycles.clear) & self.ended,
        }
