"""Framing: cuts the score stream into vectors of at most max_length elements."""

from functools import reduce
from operator import or_
from typing import Any

from amaranth import C, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.plan.ports import sidebands
from softstream.hw.streams.counters import following, shifted
from softstream.hw.streams.layouts import each_lane, framed_layout, keep_names, score_layout

__all__ = ["Frame", "masks", "takes_part", "took_part"]


def _gates(choice: Value, one: Value, other: Value) -> Value:
    """A multiplexer of which synthesis makes no enable: where everything has an enable already, a second one is slow."""
    return (one & choice.replicate(len(one))) | (other & ~choice.replicate(len(one)))


def masks(config: Config, beat: Any) -> list[Value]:
    """The masks of a beat's lanes."""
    return [beat[name] for name in each_lane("mask", config.lanes)]


def takes_part(config: Config, framed: Any, lane: int) -> Value:
    """Whether a lane of a framed beat holds an element, and no masked one; lane 0 always holds one."""
    if config.mask:
        return ~masks(config, framed)[lane]
    return framed[keep_names(config.lanes)[lane - 1]] if lane else C(1)


def took_part(m: Module, config: Config, framed: Any, element: Value) -> Value:
    """Whether an element before the framed beat, in its vector, is not masked; the beat is taken where `element` is set."""
    some = Signal()
    before = some & ~framed.first
    with m.If(element):
        m.d.sync += some.eq(reduce(or_, (~mask for mask in masks(config, framed)), before))
    return before


class Frame(wiring.Component):
    """position = code − smallest code, 0 where the element is masked; index, first and last of each beat; cut and flag of
    overlong vectors.

    A vector that has not ended at its max_length-th element ends there with `overlong` set, inside a beat where
    max_length is no multiple of the lanes; what follows up to its own `last` is taken and dropped.

    Ports: `i`, stream of scores; `o`, stream of framed beats; `ending`, whether the beat at `o` in the
    next cycle, if there is one, will be its vector's last.
    Latency 1 cycle, one beat per cycle. Passes the ready path from `o` to `i`.

    With `indexed` False the index is 0 throughout: a shift register counts in its place, without a carry, and everything is
    made for a clock enable that comes from elsewhere.
    """

    def __init__(self, config: Config, *, indexed: bool = True) -> None:
        self._config, self._indexed = config, indexed
        super().__init__(
            {
                "i": In(stream.Signature(score_layout(config))),
                "o": Out(stream.Signature(framed_layout(config))),
                "ending": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, lanes = self._config, self._config.lanes
        final = config.beats(config.max_length) - 1
        # The index starts anew behind a vector's first beat, where it is not looked at: as it needs no reset then, its
        # registers can be loaded with a constant beside the adder.
        index = Signal(config.beat_width, reset_less=True)
        # What the index is compared with is known a beat before, so that nothing waits for the comparison.
        at_first = Signal(init=1)
        at_limit = Signal(init=final == 0)
        dropping = Signal()
        beat, framed = self.i.payload, self.o.payload
        last = beat.last
        # Subtracting the smallest code of a two's complement format flips its sign bit.
        scores = [beat[name] for name in each_lane("score", lanes)]
        positions = [Cat(score[:-1], score[-1] ^ config.score_signed) for score in scores]
        if config.mask:
            masked = masks(config, beat)
            positions = [
                position & ~mask.replicate(len(position)) for position, mask in zip(positions, masked, strict=True)
            ]
        # Bit j: the vector goes on after lane j, in lane j + 1 or, after the last lane, in a beat to come.
        keeps = Cat(beat[name] for name in keep_names(lanes))
        goes_on = [~last | keeps[:lane].all() for lane in range(1, lanes)] + [~last]
        # Lanes that the last beat of a vector of max_length fills.
        limit = config.max_length - lanes * final
        cut = at_limit & goes_on[limit - 1]
        kept = [after if lane < limit else after & ~at_limit for lane, after in enumerate(goes_on[:-1], 1)]
        ends = last | cut
        advance = self.o.ready | ~self.o.valid
        taken = self.i.valid & self.i.ready
        step = taken & ~dropping
        m.d.comb += [self.i.ready.eq(advance), self.ending.eq(Mux(advance, ends, framed.last))]
        counted: Value
        choose: Any
        if self._indexed:
            counted, choose = index + 1, Mux
            # A beat at the limit ends its vector, and then the index is none that comes before the limit.
            approaches: Value = Mux(at_first, final == 1, index == final - 1)
        else:
            counted, choose = following(index), _gates
            # Below three beats there is none that is compared. The comparison is a beat ahead: it takes long.
            approaches = at_first
            if final > 1:
                approaches = Signal()
                found = ~at_first & (index == shifted(len(index), final - 3)) if final > 2 else at_first
                m.d.sync += approaches.eq(_gates(step, found & ~last, approaches))
        if final == 0:
            approaches = Const(1)
        content = {
            "position": positions[0],
            "index": Mux(at_first, 0, index) if self._indexed else Const(0, len(index)),
            "first": at_first,
            "last": ends,
            "overlong": cut,
            **{
                f"position_{lane}": choose(keep, positions[lane], Const(0, len(positions[lane])))
                for lane, keep in enumerate(kept, 1)
            },
            **{f"keep_{lane}": keep for lane, keep in enumerate(kept, 1)},
            **{name: beat[name] for field in sidebands(config) for name in each_lane(field.name, field.copies(config))},
        }
        if config.mask:
            # What a lane without an element holds takes part no more than what is masked.
            content |= {f"mask_{lane}": masked[lane] | ~keep for lane, keep in enumerate(kept, 1)}
        with m.If(advance):
            m.d.sync += self.o.valid.eq(self.i.valid & ~dropping)
        for name, value in content.items():
            register = Signal(len(framed[name]), name=f"framed_{name}", reset_less=True)
            m.d.comb += framed[name].eq(register)
            with m.If(advance):
                m.d.sync += register.eq(value)
        m.d.sync += [
            index.eq(choose(step, Mux(at_first, 1, counted), index)),
            at_first.eq(choose(step, ends, at_first)),
            at_limit.eq(choose(step, approaches & ~last if final else approaches, at_limit)),
            # A vector that is cut inside its own last beat has nothing left to drop.
            dropping.eq(choose(taken, ~last & (dropping | at_limit), dropping)),
        ]
        return m
