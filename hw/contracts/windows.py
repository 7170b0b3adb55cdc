"""Contracts of smoothing: its windows hold elements until their neighbours are in, and registers link the windows."""

from functools import reduce
from operator import and_, or_

from amaranth import Cat, Module, Mux, Signal, Value

from softstream.hw.contracts.contract import Contract
from softstream.hw.options.smoothing import Smoothing, Window
from softstream.hw.streams.registers import delay

__all__ = ["SmoothingContract", "WindowContract"]


class WindowContract(Contract):
    """A window: each element leaves once, in its turn, with its tag. One element, any one, is watched.

    An element leaves in the cycle after it has moved to the middle, so its place tells whether it has left. Behind a vector's
    last element all elements move in every cycle.
    """

    component: Window

    @property
    def title(self) -> str:
        """The window and its size."""
        element = self.component.i.payload
        return f"window of {2 * self.component.radius + 1} × {len(element.value)} bits, tags of {len(element.tag)} bits"

    def statements(self, m: Module) -> None:
        """Follows the watched element through its places."""
        i, o, radius = self.component.i, self.component.o, self.component.radius
        entering, watch = self.offers(m, i), self.free(1, "watch")
        shift, shifted = self.registers["shift"], self.registers["shifted"]
        occupied = [self.registers[f"occupied_{place}"] for place in range(radius + 1)]
        # One more than there are places, or the count could not exceed them.
        count, ahead = Signal(range(radius + 3)), Signal(range(radius + 2))
        watched, inside, place = Signal(), Signal(), Signal(range(radius + 1))
        value = Signal(len(Cat(i.payload.value, i.payload.tag)))
        leaves, chosen, departs, ended = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            leaves.eq(o.valid),
            chosen.eq(entering & watch & ~watched),
            departs.eq(inside & leaves & (ahead == 0)),
        ]
        m.d.sync += count.eq(count + entering - leaves)
        with m.If(entering):
            m.d.sync += ended.eq(i.payload.last)
        with m.If(chosen):
            m.d.sync += [
                watched.eq(1),
                inside.eq(1),
                place.eq(0),
                ahead.eq(count - leaves),
                value.eq(Cat(i.payload.value, i.payload.tag)),
            ]
        with m.Elif(inside):
            m.d.sync += [ahead.eq(Mux(departs, 0, ahead - leaves)), inside.eq(~departs), place.eq(place + shift)]
        # The element in the middle has left unless it has just moved there.
        held = [*occupied[:radius], occupied[radius] & shifted]
        contents = [Cat(self.registers[f"value_{k}"], self.registers[f"tag_{k}"]) for k in range(radius + 1)]
        lies = reduce(or_, ((place == k) & held[k] & (contents[k] == value) for k in range(radius + 1)))
        before = reduce(
            and_, ((place != k) | (ahead == sum(held[k + 1 :], start=Value.cast(0))) for k in range(radius + 1))
        )
        self.invariants |= {
            "each element inside has a place": count == sum(held, start=Value.cast(0)),
            "the watched element is one of those inside": ~inside | watched,
            "the watched element lies at its place": ~inside | lies,
            "those before it have places further on": ~inside | before,
            "behind an end all elements move": shift | ~ended,
        }
        self.guarantees |= {
            "nothing leaves that is not inside": ~leaves | (count != 0),
            "in order, unchanged, none twice": ~departs | (Cat(o.payload.values[radius], o.payload.tag) == value),
        }
        self.covers |= {"the watched element leaves": departs, "an element waits": inside & ~shift}


class SmoothingContract(Contract):
    """The stage of one or several windows: what leaves a window arrives at the next one, or at the output, some cycles later."""

    component: Smoothing

    @property
    def title(self) -> str:
        """The stage and its windows."""
        return f"smoothing of {len(Value.cast(self.component.i.payload))} bits"

    def statements(self, m: Module) -> None:
        """Compares what arrives with what left before."""
        i, o, windows, links = self.component.i, self.component.o, self.component.windows, self.component.links
        self.settling = max(links)
        entering = self.offers(m, i)
        # `last` is the lowest bit of a tag.
        leaving: list[tuple[Value, Value]] = [(entering, i.payload.last)]
        leaving += [(window.o.valid, window.o.payload.tag[0]) for window in windows]
        arriving: list[tuple[Value, Value]] = [(window.i.valid, window.i.payload.last) for window in windows]
        arriving.append((o.valid, o.payload.last))
        steps = zip([0, *links], leaving, arriving, strict=True)
        for number, (cycles, (left, mark), (arrives, ends)) in enumerate(steps):
            due = delay(m, left, cycles, f"due_{number}", reset=True)
            due_mark = delay(m, mark, cycles, f"mark_{number}")
            name = "the output" if number == len(windows) else f"window {number + 1}"
            self.guarantees |= {
                f"what arrives at {name} left before": arrives == due,
                f"what arrives at {name} has its mark of the end": ~due | (ends == due_mark),
            }
        for number, window in enumerate(windows, 1):
            self.guarantees[f"the tag in window {number} has the mark"] = (
                window.i.payload.tag[0] == window.i.payload.last
            )
        self.covers["an element leaves"] = o.valid
