"""Contracts of a draw by a search: terms from a table, their exact sum, a share of it, and the element whose sum exceeds that.

With τ the threshold of a vector, t_i the terms of its elements and C_i = t_1 + … + t_i, a draw leaves with the first i for which
C_i > τ. The contracts say of the values what makes that draw the only one of its vector: a term is a function of the position
alone and never 0, a sum is that of its terms, 0 <= τ < C_N, and a sum that exceeds its limit does so once.
"""

from itertools import accumulate as running
from typing import Any

from amaranth import Array, Cat, Const, Module, Mux, Signal, Value

from softstream.hw.contracts.contract import Contract
from softstream.hw.stages.accumulate import Accumulate
from softstream.hw.stages.cdf_search import CdfSearch
from softstream.hw.stages.exponential import Terms
from softstream.hw.stages.sum_share import SumShare
from softstream.hw.streams.registers import delay

__all__ = ["AccumulateContract", "CdfSearchContract", "SumShareContract", "TermsContract", "terms_in"]


def terms_in(component: Accumulate) -> int:
    """Terms that a sum has room for, however large they are."""
    return 1 << (sum(component.segments) - len(component.i.payload.term))


def _parts(segments: tuple[int, ...]) -> list[slice]:
    """The bits of each segment of a sum."""
    return [slice(end - width, end) for width, end in zip(segments, running(segments), strict=True)]


class TermsContract(Contract):
    """The table of terms: of each position its entry, a fixed number of cycles later; never 0 where no entry is."""

    component: Terms

    def __init__(self, component: Terms) -> None:
        super().__init__(component)
        self.settling = component.latency

    @property
    def title(self) -> str:
        """The table, its widths and its cycles."""
        i, o = self.component.i.payload, self.component.o.payload
        return f"terms of {len(i.position)} to {len(o.term)} bits, {self.component.latency} cycles"

    def statements(self, m: Module) -> None:
        """Compares what leaves with the entries."""
        i, o, latency = self.component.i, self.component.o, self.component.latency
        entering = self.offers(m, i)
        entries = Array([Const(entry, len(o.payload.term)) for entry in self.component.entries])
        position = delay(m, i.payload.position, latency, "due_position")
        tag = delay(m, Value.cast(i.payload.tag), latency, "due_tag")
        due = delay(m, entering, latency, "due", reset=True)
        self.guarantees |= {
            "each term leaves, and nothing else": o.valid == due,
            "with its tag": ~due | (Value.cast(o.payload.tag) == tag),
            "it is the entry of its position": ~due | (o.payload.term == entries[position]),
        }
        if all(self.component.entries):
            self.guarantees["no term is 0"] = ~due | (o.payload.term != 0)
        self.covers["a term leaves"] = o.valid


class AccumulateContract(Contract):
    """The absolute accumulator: the sum of a vector's terms, exact, each segment when it is told to be complete.

    With a limit, the sum from the limit's complement on: it overflows once with the first term with which the sum of the terms
    exceeds the limit, and is told there and nowhere else. The sum of the proof has a bit more, so that it never overflows.

    The surroundings mark a vector's first and last term, and give no more terms than the sum has room for.
    """

    component: Accumulate

    def __init__(self, component: Accumulate) -> None:
        super().__init__(component)
        # A reset that finds no enable would leave a cleared sum as it is.
        self.clock_enable = not component.cleared
        # A carry goes through all segments, one in each cycle.
        self.settling = len(component.segments)
        self.steps = len(component.segments) + 2

    @property
    def title(self) -> str:
        """The sum, its segments and its terms."""
        component = self.component
        kind = "limited sum" if component.limited else "exact sum"
        cleared = ", cleared" if component.cleared else ""
        segments = " + ".join(map(str, component.segments))
        return f"{kind} of terms of {len(component.i.payload.term)} bits in {segments} bits{cleared}"

    def statements(self, m: Module) -> None:
        """Adds the terms of each vector in one cycle each."""
        component, i = self.component, self.component.i
        segments, limited, room = component.segments, component.limited, terms_in(component)
        width, term, edges = sum(segments), i.payload.term, i.payload.edges
        entering = self.offers(m, i)
        begins, known, count = Signal(init=1), Signal(), Signal(range(room + 1))
        total, held = Signal(width + limited), Signal(width)
        before, after = Signal.like(total), Signal.like(total)
        start: Value = Const(0, width)
        if limited:
            limit = self.free(width, "limit")
            m.d.comb += component.limit.eq(limit)
            start = ~limit
        m.d.comb += [
            before.eq(Mux(begins, start, total)),
            after.eq(before + term),
            held.eq(Mux(begins & component.cleared, 0, total)),
        ]
        with m.If(entering):
            m.d.sync += [
                begins.eq(edges.last),
                known.eq(1),
                count.eq(Mux(begins, 1, count + 1)),
                total.eq(after),
            ]
        self.assumptions += [~entering | (edges.first == begins), ~entering | begins | (count < room)]
        most = (1 << (width - len(term)) if limited else 0) + count
        self.invariants |= {
            "a vector that has begun has terms": begins | (known & (count != 0) & (count <= room)),
            "no sum overflows": begins | (total[len(term) :] < most),
        }
        for number, part in enumerate(_parts(segments)):
            due = delay(m, held, number, f"held_{number}", reset=True)[part]
            # A reset takes as many cycles to clear a segment.
            filled = delay(m, Const(1, 1) if component.cleared else known, number, f"known_{number}", reset=True)
            self.invariants[f"segment {number}, {number} cycles later"] = ~filled | (
                self.registers[f"sum_{number}"] == due
            )
            done = delay(m, entering & edges.last, number + 1, f"done_{number}", reset=True)
            self.guarantees[f"segment {number} is complete {number + 1} cycles after the last term"] = (
                component.ends[number] == done
            )
            if not limited:
                whole = delay(m, total, number, f"whole_total_{number}")[part]
                self.guarantees[f"segment {number} of the sum of the terms"] = ~done | (component.sum[part] == whole)
        if limited:
            exceeds = delay(m, entering & after[-1] & ~before[-1], len(segments), "exceeds", reset=True)
            self.guarantees["the first term with which the sum exceeds the limit, and no other"] = (
                component.over == exceeds
            )
            if terms_in(component) > 1:
                later = delay(m, ~begins, len(segments), "later", reset=True)
                self.covers["a later term exceeds the limit"] = exceeds & later
        elif terms_in(component) > 1:
            self.covers["a sum of several terms is complete"] = component.ends[-1] & (count > 1)


class SumShareContract(Contract):
    """A share of each sum: a threshold below the sum, a fixed number of cycles after its last segment, and no other.

    The surroundings give the segments of a sum in a row, no sum of 0, and sums that are far enough apart.
    """

    component: SumShare

    def __init__(self, component: SumShare) -> None:
        super().__init__(component)
        # The pair is added segment by segment, from invariants of as many cycles before.
        self.steps = len(component.segments) + 2

    @property
    def title(self) -> str:
        """The share and its size."""
        component = self.component
        segments = " + ".join(map(str, component.segments))
        return f"share of a sum of {segments} bits, {component.steps} steps of {component.digit} bits"

    def statements(self, m: Module) -> None:
        """Counts the cycles since a sum has come, and compares the carry-save pair with the sum."""
        component, registers, segments = self.component, self.registers, self.component.segments
        width, last = sum(segments), len(segments) - 1
        comes, total = self.free(1, "comes"), self.free(width, "total")
        m.d.comb += Value.cast(component.tag).eq(self.free(len(Value.cast(component.tag)), "accompanying"))
        steps, latency = component.steps, component.latency
        # Cycles since the sum has come; the pair is loaded `last` cycles after it.
        since, held = Signal(range(latency + 1), init=latency), Signal(width)
        m.d.sync += since.eq(Mux(comes, 1, Mux(since == latency, latency, since + 1)))
        with m.If(comes):
            m.d.sync += held.eq(total)
        parts = _parts(segments)
        for number, part in enumerate(parts):
            m.d.comb += [
                component.ends[number].eq(since == number if number else comes),
                component.sum[part].eq((held if number else total)[part]),
            ]
        self.assumptions += [~comes | (since == latency), ~comes | (total != 0)]
        working = (since > last) & (since <= last + steps)
        done = since == last + steps + 1
        pair = registers["ones"] + registers["carries"]
        self.invariants |= {
            "a sum came some cycles before": (since != 0) & (since <= latency),
            "the sum is not 0": (since == latency) | (held != 0),
            "the steps left": registers["left"] == Mux(working, last + steps - since, -1),
            "the pair is complete": registers["done"] == done,
            **{
                f"segment {number} of the sum until it is multiplied": (since <= number)
                | (since > last + steps)
                | (registers["whole"][part] == held[part])
                for number, part in enumerate(parts)
            },
            "the pair stands for less than the sum": ~(working | done) | (pair < held),
        }
        below = delay(m, held, len(segments), "due_held")
        self.guarantees |= {
            "a threshold for each sum, and no other": component.o.valid
            == delay(m, done, len(segments), "due", reset=True),
            "the threshold is below the sum": ~component.o.valid | (component.o.payload.threshold < below),
        }
        self.covers["a threshold leaves"] = component.o.valid


class CdfSearchContract(Contract):
    """The search among all elements of a vector: a draw leaves where the sum exceeds the limit, with its element.

    The sum takes the term of each element, and its limit when the limit that was asked for is there. When it exceeds the limit
    is part of the sum's own contract. The surroundings mark a vector's first element.
    """

    component: CdfSearch
    memories = False

    def __init__(self, component: CdfSearch) -> None:
        super().__init__(component)
        self._latency = component.cycles.search
        self.settling = self._latency
        self.steps = self._latency + 1

    @property
    def title(self) -> str:
        """The search and its size."""
        position, index = self.component.i.payload.position, self.component.o.payload.index
        return f"search among up to {1 << len(index)} × {len(position)} bits, {self._latency} cycles"

    def statements(self, m: Module) -> None:
        """Follows the elements to the sum, and from there to the draw."""
        component, i, o = self.component, self.component.i, self.component.o
        sums, element = component.cycles.sums, i.payload
        entering = self.offers(m, i)
        flags = Value.cast(component.flags)
        m.d.comb += [
            component.threshold.eq(self.free(len(component.threshold), "threshold")),
            flags.eq(self.free(len(flags), "flags")),
        ]
        begins, place = Signal(init=1), Signal(len(o.payload.index))
        elements = Signal.like(place)  # of the vector so far
        m.d.comb += place.eq(Mux(begins, 0, elements))
        with m.If(entering):
            m.d.sync += [begins.eq(element.last), elements.eq(place + 1)]
        self.assumptions.append(~entering | (element.first == begins))
        terms, total = self.module.submodules.terms, self.module.submodules.accumulate
        into: Any = total.i.payload
        lookup, latency = sums.lookup + sums.align, self._latency
        arrives = delay(m, entering, lookup, "arrives", reset=True)
        marks = delay(m, Cat(element.first, element.last), lookup, "marks")
        asked = delay(m, component.next, sums.memory, "asked", reset=True)
        later_place = delay(m, place, latency, "later_place")
        later_begins = delay(m, ~begins, latency, "later_begins", reset=True)
        # The register tells the place of the next element, whether one comes or not.
        self.invariants["the place of the next element"] = ~later_begins | (self.registers["index"] == later_place)
        self.guarantees |= {
            "each element is looked up": (terms.i.valid == entering)
            & (~entering | (terms.i.payload.position == element.position)),
            "the term of each element arrives at the sum, and nothing else": (total.i.valid == arrives)
            & (~arrives | (into.term == terms.o.payload.term)),
            "with its marks": ~arrives | (Cat(into.edges.first, into.edges.last) == marks),
            "the limit was asked for, and is there with the first term": (total.i.valid & into.edges.first) == asked,
            "the limit is the threshold": total.limit == component.threshold,
            "a draw where the sum exceeds the limit": o.valid == total.over,
            "with the place of its element": ~o.valid | (o.payload.index == later_place),
            "and its position": ~o.valid | (o.payload.position == delay(m, element.position, latency, "position")),
        }
        self.covers["a draw leaves that is not the first"] = o.valid & (o.payload.index != 0)
