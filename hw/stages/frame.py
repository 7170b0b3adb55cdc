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
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import gates

__all__ = ["Frame", "code_of", "position_of", "masks", "takes_part", "earlier_participant"]

_EARLY = 3
"""Beats behind the first one of the longest vector, beyond which the frame looks for the limit two beats ahead."""

_COMPARED = 4
"""Bits of the counter whose comparison has a register: those of one gate."""


def position_of(config: Config, code: Value) -> Value:
    """position = code − smallest code: in a two's complement format this flips the sign bit.

    With `select = smallest`, position = largest code − code: the complement of these bits.
    """
    position = Cat(code[:-1], code[-1] ^ config.score_signed)
    return ~position if config.selects_smallest else position


def code_of(config: Config, position: Value) -> Value:
    """The score code of a position: the inverse of `position_of`, which is the same operation."""
    return position_of(config, position)


def masks(config: Config, beat: Any) -> list[Value]:
    """The masks of a beat's lanes."""
    return [beat[name] for name in each_lane("mask", config.lanes)]


def takes_part(config: Config, framed: Any, lane: int) -> Value:
    """Whether a lane of a framed beat holds an element that is not masked; lane 0 always holds an element."""
    if config.mask:
        return ~masks(config, framed)[lane]
    return framed[keep_names(config.lanes)[lane - 1]] if lane else C(1)


def earlier_participant(
    m: Module, config: Config, framed: Any, element: Value, register: Signal | None = None
) -> Value:
    """Whether an earlier beat of the vector has an unmasked element; `element` marks the valid beats.

    `register`: that of the beats so far, where something else looks at it.
    """
    participant = Signal(name="participant") if register is None else register
    earlier = participant & ~framed.first
    with m.If(element):
        m.d.sync += participant.eq(reduce(or_, (~mask for mask in masks(config, framed)), earlier))
    return earlier


class Frame(wiring.Component):
    """position of each code, 0 where masked (`Settings.position`); index and edges of each beat; overlong vectors cut.

    A vector that has not ended at its max_length-th element ends there with `overlong` set, inside a beat where
    max_length is no multiple of the lanes. The frame drops the elements that follow, up to the vector's own `last`. `overlong`
    also flags a vector with a `gap`, where scores have one.

    Ports: `i`, stream of scores; `o`, stream of framed beats; `ending`, whether a beat at `o` in the next cycle will be its
    vector's last. Latency 1 cycle, one beat per cycle. Passes the ready path from `o` to `i`.

    With `indexed` False the index is 0 throughout: a shift register counts the beats instead, without a carry, and the logic
    suits a common clock enable from outside.

    With `registered` the ready of `o` comes from a register and is the ready of `i` as it stands, so the frame takes a beat while
    it is set only, even if its own register is empty. No gate stands before the clock enables then.

    Without `lookahead` the comparison with the limit happens one beat ahead and not two, with fewer cells, where the rest of the
    head is slower than that.
    """

    def __init__(
        self, config: Config, *, indexed: bool = True, registered: bool = False, lookahead: bool = True
    ) -> None:
        self.config, self.indexed, self.registered, self.lookahead = config, indexed, registered, lookahead
        super().__init__(
            {
                "i": In(stream.Signature(score_layout(config))),
                "o": Out(stream.Signature(framed_layout(config))),
                "ending": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, lanes = self.config, self.config.lanes
        final = config.beats(config.max_length) - 1
        # The index starts anew at a vector's first beat, by gates before the adder, which need no reset of its registers: the
        # condition of such a reset would come last on the longest path of the ready.
        index = Signal(config.beat_width, reset_less=True)
        # The comparison with the limit happens a beat early, so that nothing waits for it.
        at_first = Signal(init=1)
        at_limit = Signal(init=final == 0)
        dropping = Signal()
        beat, framed = self.i.payload, self.o.payload
        last = beat.last
        positions = [position_of(config, beat[name]) for name in each_lane("score", lanes)]
        if config.mask:
            masked = masks(config, beat)
            positions = [
                position & ~mask.replicate(len(position)) for position, mask in zip(positions, masked, strict=True)
            ]
        # Bit j: the vector goes on after lane j, in lane j + 1 or, after the last lane, in a beat to come.
        keeps = [beat[name] for name in keep_names(lanes)]
        goes_on = [~last | keep for keep in keeps]
        goes_on.append(~last)
        # Lanes that the last beat of a vector of max_length fills.
        limit = config.max_length - lanes * final
        cut = at_limit & goes_on[limit - 1]
        lane_keeps = [after if lane < limit else after & ~at_limit for lane, after in enumerate(goes_on[:-1], 1)]
        ends = last | cut
        advance = self.o.ready if self.registered else self.o.ready | ~self.o.valid
        accepted = self.i.valid & self.i.ready
        early = self.lookahead and not self.indexed and final > _EARLY
        matches = Signal(-(-len(index) // _COMPARED))
        # Far from the limit, a dropped beat changes nothing in the counter, which begins anew at the next vector's first beat.
        step = accepted if early else accepted & ~dropping
        # Behind the register of the ready, an empty register announces no end, or the ready would wait for room for one. And what
        # an idle source drives must not reach the ready, because it may be undefined in a simulation.
        present_ends = self.i.valid & ~dropping & ends if self.registered else ends
        m.d.comb += [self.i.ready.eq(advance), self.ending.eq(Mux(advance, present_ends, framed.last))]
        current: Value
        next_index: Value
        choose: Any
        if self.indexed:
            current = index & ~at_first.replicate(len(index))
            next_index, choose = current + 1, Mux
            # Behind a beat at the limit, which ends its vector, the index does not approach the limit.
            approaches: Value = Mux(at_first, final == 1, index == final - 1)
        else:
            current, choose = Const(0, len(index)), gates
            next_index = Mux(at_first, 1, following(index))
            # Another beat ahead, because the comparison takes long. Below three beats there is no state to compare with.
            approaches = at_first
            if final > 1:
                approaches = Signal()
                before: Value = at_first
                if early:
                    # Two beats ahead and some bits at a time, because the comparison of all bits takes long.
                    goal = Const(shifted(len(index), final - 4), len(index))
                    places = [slice(low, low + _COMPARED) for low in range(0, len(index), _COMPARED)]
                    equal = [index[place] == goal[place] for place in places]
                    equal[0] &= ~at_first
                    equal[-1] &= ~last
                    m.d.sync += matches.eq(gates(accepted, Cat(*equal), matches))
                    before = matches.all()
                elif final > 2:
                    before = ~at_first & (index == shifted(len(index), final - 3))
                m.d.sync += approaches.eq(gates(step, before & ~last, approaches))
        if final == 0:
            approaches = Const(1)
        content = {
            "position": positions[0],
            "index": current,
            "first": at_first,
            "last": present_ends,
            "overlong": cut | (beat.gap & ends) if config.reads_tkeep else cut,
            **{
                f"position_{lane}": choose(keep, positions[lane], Const(0, len(positions[lane])))
                for lane, keep in enumerate(lane_keeps, 1)
            },
            **{f"keep_{lane}": keep for lane, keep in enumerate(lane_keeps, 1)},
            **{name: beat[name] for field in sidebands(config) for name in each_lane(field.name, field.copies(config))},
        }
        if config.mask:
            # A lane without an element takes no part, as if it were masked.
            content |= {f"mask_{lane}": masked[lane] | ~keep for lane, keep in enumerate(lane_keeps, 1)}
        with m.If(advance):
            m.d.sync += self.o.valid.eq(self.i.valid & ~dropping)
        for name, value in content.items():
            register = Signal(len(framed[name]), name=f"framed_{name}", reset_less=True)
            m.d.comb += framed[name].eq(register)
            with m.If(advance):
                m.d.sync += register.eq(value)
        m.d.sync += [
            index.eq(choose(step, next_index, index)),
            at_first.eq(choose(accepted, ends | dropping, at_first)),
            at_limit.eq(choose(step, approaches & ~last if final else approaches, at_limit)),
            # A vector cut inside its own last beat leaves nothing to drop.
            dropping.eq(choose(accepted, ~last & (dropping | at_limit), dropping)),
        ]
        publish(
            platform,
            self,
            index=index,
            at_first=at_first,
            at_limit=at_limit,
            dropping=dropping,
            **({"approaches": approaches} if isinstance(approaches, Signal) else {}),
            **({"matches": matches} if early else {}),
        )
        return m
