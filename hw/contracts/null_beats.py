"""Contract of the stage that drops null beats: every other beat leaves once and in order, with the end of its vector."""

from functools import reduce
from itertools import pairwise
from operator import and_, or_
from typing import Any

from amaranth import C, EnableInserter, Module, Mux, Signal, Value

from softstream.hw.contracts.contract import Contract
from softstream.hw.options.null_beats import LANE_GROUP, NullBeats
from softstream.hw.plan.ports import sidebands
from softstream.hw.streams.layouts import keep_names

__all__ = ["NullBeatsContract"]


class NullBeatsContract(Contract):
    """Null beats leave the stream; of the others one, any one, is watched from its arrival to its departure.

    A beat of a vector is decided once it is known whether another beat with elements follows in its vector: by its own `last`, by
    the next beat with elements, or by a null beat with `last`. The stage has a clock enable, which the surroundings choose in
    every cycle, and beats arrive and leave in the cycles with the enable.
    """

    def __init__(self, component: NullBeats) -> None:
        super().__init__(component)
        self._keeps = keep_names(component.config.lanes)

    @property
    def title(self) -> str:
        """The stage, its size, and what accompanies a score."""
        config = self.component.config
        accompanied = "".join(f", {field.name}" for field in sidebands(config))
        return f"null beats of {config.lanes} × {config.score_width} bits{accompanied}"

    def in_surroundings(self, module: Any) -> Any:
        """The stage under a clock enable."""
        self.enable = self.free(1, "enable")
        return EnableInserter(self.enable)(module)

    def _gap(self, beat: Any) -> Value:
        """Whether a beat has a gap, whatever follows it: one of its own, or an excluded lane below one with an element."""
        holes = (~below & above for below, above in pairwise(beat[name] for name in self._keeps))
        return reduce(or_, holes, beat.gap)

    def _full(self, beat: Any) -> Value:
        """Whether every lane of a beat has an element."""
        return reduce(and_, (beat[name] for name in self._keeps), C(1, 1))

    def _joined(self, beat: Any, group: int) -> dict[str, Value]:
        """The fields of `beat` with each `keep` joined to those below it in its group, and with the gaps between these."""
        due: dict[str, Value] = {name: beat[name] for name in beat.shape().members}
        for place, name in enumerate(self._keeps):
            lower = self._keeps[place // group * group : place]
            due[name] = reduce(and_, (beat[below] for below in lower), beat[name])
            if lower:
                due["gap"] |= ~beat[lower[-1]] & beat[name]
        return due

    def statements(self, m: Module) -> None:
        """Follows the watched beat, and the vector that arrives."""
        i, o, enable = self.component.i, self.component.o, self.enable
        shape = i.payload.shape()
        entering, watch = self.offers(m, i), self.free(1, "watch")
        count, ahead = Signal(range(4)), Signal(range(3))
        watched, inside, decided, ended = Signal(), Signal(), Signal(), Signal()
        value = Signal(shape)
        arrives, leaves, chosen, departs = Signal(), Signal(), Signal(), Signal()
        # Of the vector that arrives: whether it has beats with elements and no end yet, whether its newest beat with elements and
        # the beats before that one have gaps.
        is_open, gap_newest, gap_before = Signal(), Signal(), Signal()
        gap_so_far, gap_watched = Signal(), Signal()
        m.d.comb += [
            arrives.eq(entering & enable & ~i.payload.null),
            leaves.eq(o.valid & enable),
            chosen.eq(arrives & watch & ~watched),
            departs.eq(inside & leaves & (ahead == 0)),
            gap_so_far.eq(is_open & (gap_before | gap_newest)),
        ]
        waited = Signal()
        m.d.sync += count.eq(count + arrives - leaves)
        with m.If(entering & enable):
            m.d.sync += is_open.eq(~i.payload.last & (is_open | ~i.payload.null))
        with m.If(arrives):
            m.d.sync += [gap_newest.eq(self._gap(i.payload) | ~self._full(i.payload)), gap_before.eq(gap_so_far)]
        with m.If(chosen):
            m.d.sync += [
                watched.eq(1),
                inside.eq(1),
                ahead.eq(count - leaves),
                value.eq(i.payload),
                gap_watched.eq(gap_so_far),
                decided.eq(i.payload.last),
                ended.eq(i.payload.last),
            ]
        with m.Elif(inside & enable):
            ends = entering & i.payload.null & i.payload.last
            m.d.sync += [
                ahead.eq(Mux(departs, 0, ahead - leaves)),
                inside.eq(~departs),
                decided.eq(decided | arrives | ends),
                ended.eq(Mux(decided, ended, ends)),
            ]
        m.d.sync += waited.eq(enable & inside & decided & (ahead == 0) & ~leaves)

        waiting, gap = self.registers["waiting"], self.registers["gap_before"]
        newest, held = (shape(self.registers[name]) for name in ("arriving_beat", "waiting_beat"))
        full = self.registers["fills"]  # a beat with elements in the first register
        follows = self.registers["decides"]
        in_second = waiting & (ahead == 0)
        joined = self._joined(value, self.component.config.lanes)
        lies = {
            "the watched beat is one of those inside": watched & (ahead < count),
            "the watched beat in its register": Mux(
                in_second, _equal(held, joined), _equal(newest, self._joined(value, LANE_GROUP))
            ),
            "its end is known": decided == (value.last | (in_second & follows)),
            "its vector ends": ended == (value.last | (in_second & follows & newest.null)),
            "the gaps before it": gap_watched == Mux(in_second, gap, gap_before),
        }
        grouped = [self._keeps[place - 1 : place + 1] for place in range(1, len(self._keeps)) if place % LANE_GROUP]
        gap_waiting = held.gap | ~(held[self._keeps[-1]] if self._keeps else C(1, 1))
        open_before = waiting & ~held.last
        self.invariants |= {
            "beats with elements are in the registers": count == full + waiting,
            "the lanes of the newest beat are joined in groups": ~full
            | reduce(and_, (newest[below] | ~newest[above] for below, above in grouped), C(1, 1)),
            "the newest beat is known to have elements": ~full | (follows & ~newest.null),
            "a null beat without an end tells nothing": ~follows | full | (newest.null & newest.last),
            "a vector that is open has its newest beat inside": is_open
            == Mux(follows, full & ~newest.last, open_before),
            "no gap is known of a vector that has left": waiting | ~gap,
            "the gaps of the newest beat": ~(full | waiting)
            | (gap_newest == Mux(full, self._gap(newest) | ~self._full(newest), gap_waiting)),
            "the gaps before the newest beat": ~(full | waiting)
            | (gap_before == Mux(full, open_before & (gap | gap_waiting), gap)),
            **{name: ~inside | place for name, place in lies.items()},
        }
        result = o.payload
        law = self.law(m, "output_law", o.valid, enable, Value.cast(result))
        due_gap = gap_watched | self._gap(value) | (~ended & ~self._full(value))
        same = _equal(result, {name: due for name, due in joined.items() if name not in ("last", "null", "gap")})
        self.guarantees |= {
            "what leaves is inside": ~leaves | (count != 0),
            "in order, unchanged, none twice": ~departs | same,
            "it leaves once it is known whether its vector ends": ~departs | decided,
            "the last beat with elements is marked as the last": ~departs | (result.last == ended),
            "no null beat leaves": ~o.valid | ~result.null,
            "gaps of the vector so far": ~departs | (result.gap == due_gap),
            "law of the output": law.holds,
            "a beat that is known to end its vector or not is offered, or in the next cycle": o.valid | ~waited,
        }
        self.covers |= {
            "the watched beat leaves": departs,
            "a null beat marks the watched beat as the last": departs & ended & ~value.last,
            "the watched beat leaves with a gap before it": departs & gap_watched & ~self._gap(value),
            "a vector of null beats alone": entering
            & enable
            & i.payload.null
            & i.payload.last
            & ~is_open
            & (count == 0),
            "the output stalls": law.stalled,
        }


def _equal(beat: Any, due: dict[str, Value]) -> Value:
    """Whether the fields of a beat are those that are due."""
    return reduce(and_, (beat[name] == value for name, value in due.items()))
