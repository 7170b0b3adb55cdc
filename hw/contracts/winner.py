"""Contract of the comparison: the winner of every vector is its first maximum, or the last one with `tie = last`."""

from typing import Any

from amaranth import C, Cat, Module, Mux, Signal, Value

from softstream.hw.contracts.contract import Contract
from softstream.hw.contracts.definitions import code_at, index_bits
from softstream.hw.plan.stage_cycles import maximum_latency, skewed
from softstream.hw.stages.maximum import Maximum, SkewedMaximum
from softstream.hw.streams.layouts import each_lane, keep_names
from softstream.hw.streams.registers import delay

__all__ = ["WinnerContract"]


class WinnerContract(Contract):
    """The comparison of a head at its real width, lanes and length, with pauses between beats and an output that never stalls.

    The statements compare with the definition: the elements one after the other, each of which replaces the winner so far where
    it is larger, or with `tie = last` where it is not smaller. They are not made for comparisons that mark who takes part: those
    with a mask, with a margin, or where the last of equal scores wins in several lanes.
    """

    def __init__(self, component: Maximum | SkewedMaximum) -> None:
        super().__init__(component)
        self._config = component.config
        # Twice the latency: what travels through the comparison, and what the proof compares it with.
        self.steps = 2 * maximum_latency(self._config) + 2

    @property
    def title(self) -> str:
        """The comparison and its size."""
        config = self._config
        kind = "skewed maximum" if skewed(config) else "maximum"
        if skewed(config) and self.component.gated:
            kind = f"gated {kind}"
        ties = ", last of equals" if config.last_wins else ""
        return f"{kind} of {config.lanes} × {config.score_width} bits, up to {config.max_length} scores{ties}"

    def statements(self, m: Module) -> None:
        """Follows the vectors, and compares the winner that the definition gives with the one that comes out."""
        config, component = self._config, self.component
        beat, lanes = component.i.payload, config.lanes
        # What comes with a beat besides what is set below is free, because the winner must not depend on it.
        entering, ending = self.offers(m, component.i), self.free(1, "ending")
        # Behind a reset a beat that is not valid may be marked as a first one; no vector has begun then.
        idle = self.free(1, "idle")
        place, first, last = Signal(range(config.beats(config.max_length))), Signal(init=1), Signal()
        m.d.comb += [
            last.eq(ending | (place == config.beats(config.max_length) - 1)),
            beat.index.eq(place),
            beat.first.eq(first & (entering | idle) if skewed(config) and component.gated else first),
            beat.last.eq(last),
        ]
        with m.If(entering):
            m.d.sync += [place.eq(Mux(last, 0, place + 1)), first.eq(last)]
        if not skewed(config):
            m.d.comb += component.o.ready.eq(1)
        # Every beat but the last one is full, and a lane without an element has position 0.
        keeps: list[Value] = [C(1, 1)]
        for name in keep_names(lanes):
            m.d.comb += beat[name].eq((self.free(1, f"free_{name}") | ~last) & keeps[-1])
            keeps.append(beat[name])
        for keep, name in zip(keeps, each_lane("position", lanes), strict=True):
            m.d.comb += beat[name].eq(Mux(keep, self.free(config.score_width, f"free_{name}"), 0))
        self._compare(m, entering, first, last, place, keeps, idle)

    def _compare(
        self, m: Module, entering: Value, first: Value, last: Value, place: Value, keeps: list[Value], idle: Value
    ) -> None:
        """The winner by definition, as late as that of the component."""
        config, component = self._config, self.component
        best, index, exists = Signal(config.score_width), Signal(index_bits(config)), Signal()
        leading: tuple[Value, Value] = best, index
        for lane, name in enumerate(each_lane("position", config.lanes)):
            position = component.i.payload[name]
            ahead = position >= leading[0] if config.last_wins else position > leading[0]
            begins = first | ~exists if lane == 0 else C(0, 1)
            replaces = keeps[lane] & (ahead | begins)
            number = Cat(C(lane, (config.lanes - 1).bit_length()), place)[: index_bits(config)]
            larger = Signal.like(best, name=f"best_{lane}"), Signal.like(index, name=f"index_{lane}")
            m.d.comb += [
                larger[0].eq(Mux(replaces, position, leading[0])),
                larger[1].eq(Mux(replaces, number, leading[1])),
            ]
            leading = larger
        with m.If(entering):
            m.d.sync += [best.eq(leading[0]), index.eq(leading[1]), exists.eq(1)]
        with m.Elif(first & idle):
            m.d.sync += exists.eq(0)
        cycles = maximum_latency(config)
        done = delay(m, entering & last, cycles, "done", reset=True)
        # A beat reaches `best` a cycle after it enters.
        expected, known = (
            delay(m, value, cycles - 1, name, reset=True)
            for value, name in ((Cat(best, index), "expected"), (exists, "known"))
        )
        result: Any = component.o.payload
        score = code_at(config, expected[: config.score_width])
        number = expected[config.score_width :]
        self.invariants |= {
            "the largest score so far": ~known | (Value.cast(result.score).as_unsigned() == score.as_unsigned()),
            "its index": ~known | (result.index == number),
            "a vector that has begun has a largest score": first | exists,
        }
        if "index" in self.registers:
            self._count(m, entering, last, place, cycles - 1)
        self.guarantees |= {
            "a winner for each vector, and no other": component.o.valid == done,
            "the winner is the first maximum, or the last one": ~done | (known & (result.index == number)),
        }
        self.covers["a winner"] = done
        if config.max_length > 1:
            self.covers["a later element wins"] = done & (number != 0)

    def _count(self, m: Module, entering: Value, last: Value, place: Value, cycles: int) -> None:
        """The skewed comparison counts the beats again, some cycles later; a reset makes it begin anew in the next cycle."""
        begins = Signal(init=1)
        m.d.sync += begins.eq(0)
        counted = delay(m, place, cycles, "counted_place", reset=True)
        ends = delay(m, entering & last, cycles, "counted_end", reset=True)
        index, at_last = self.registers["index"], self.registers["at_last"]
        self.invariants |= {
            "the count begins behind a last beat": at_last == (ends | begins),
            "the index counts the beats": at_last | (index == counted),
        }
