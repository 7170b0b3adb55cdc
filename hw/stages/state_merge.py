"""The merge of two states of a softmax: what joins the tiles of a row that no memory holds as a whole."""

from typing import Any

from amaranth import Cat, Const, EnableInserter, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.numbers.state_merge import GUARD_BITS, StateMerge, state_merge
from softstream.hw.stages.frame import position_of
from softstream.hw.streams.registers import delay, table

__all__ = ["LATENCY", "StateMerger", "state_layout"]

LATENCY = 10
"""Cycles from a pair of states to the merged one."""
_MEMORY = 2
"""Cycles of a table, the register behind its memory included."""


def state_layout(config: Config, numbers: StateMerge) -> data.StructLayout:
    """ln Σ e^(x − largest), the score code of the largest, and whether the state has no element."""
    score = signed(config.score_width) if config.score_signed else config.score_width
    return data.StructLayout({"log_sum": numbers.format.width, "score": score, "empty": 1})


class StateMerger(wiring.Component):
    """l = max(A, B) + ln(1 + e^(−|A − B|)) in UQm.P, A = l_1 and B = l_2 − s·(x_1 − x_2) for x_1 >= x_2; and the score x_1.

    Source: Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018, section 3.1, in the logarithm of the sum.
    Tables and error: `numbers/state_merge.py`. Larger results than the format holds saturate. An empty state changes nothing.

    Ports: `i`, stream of {first, second}, two states; `o`, stream of a state. Latency `LATENCY` cycles, one pair per cycle. The
    stages stand under one clock enable, so the ready of `o` reaches that of `i` in the same cycle.

    Raises `UserError` as `state_merge` does.
    """

    def __init__(self, config: Config, elements: int) -> None:
        self._config, self._numbers = config, state_merge(config, elements)
        state = state_layout(config, self._numbers)
        pair = data.StructLayout({"first": state, "second": state})
        super().__init__({"i": In(stream.Signature(pair)), "o": Out(stream.Signature(state))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        advance = Signal()
        m.submodules.steps = steps = EnableInserter(advance)(_Steps(self._config, self._numbers))
        m.d.comb += [
            advance.eq(self.o.ready | ~self.o.valid),
            self.i.ready.eq(advance),
            steps.valid.eq(self.i.valid),
            Value.cast(steps.pair).eq(Value.cast(self.i.payload)),
            self.o.valid.eq(steps.merged_valid),
            Value.cast(self.o.payload).eq(Value.cast(steps.merged)),
        ]
        return m


class _Steps(wiring.Component):
    """The registers and tables of the merge; rigid."""

    def __init__(self, config: Config, numbers: StateMerge) -> None:
        self._config, self._numbers = config, numbers
        state = state_layout(config, numbers)
        super().__init__(
            {
                "valid": In(1),
                "pair": In(data.StructLayout({"first": state, "second": state})),
                "merged_valid": Out(1),
                "merged": Out(state),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, numbers, first, second = self._config, self._numbers, self.pair.first, self.pair.second
        # A cycle: the order of the scores, and their distance.
        places = [position_of(config, Value.cast(state.score)) for state in (first, second)]
        second_wins = places[1] > places[0]
        distance, near, far = (
            Signal(width, name=name, reset_less=True)
            for name, width in (
                ("distance", config.score_width),
                ("near", numbers.format.width),
                ("far", numbers.format.width),
            )
        )
        m.d.sync += [
            distance.eq(Mux(second_wins, places[1] - places[0], places[0] - places[1])),
            near.eq(Mux(second_wins, second.log_sum, first.log_sum)),
            far.eq(Mux(second_wins, first.log_sum, second.log_sum)),
        ]
        nats = table(
            m,
            "distance_in_nats",
            int(numbers.distance.max()).bit_length(),
            numbers.distance.tolist(),
            distance,
            _MEMORY,
        )
        near, far = (delay(m, value, _MEMORY, name) for value, name in ((near, "near_later"), (far, "far_later")))
        # Three cycles: B, both differences of A and B, and the larger one with its distance.
        ahead, behind = Cat(Const(0, GUARD_BITS), near), Cat(Const(0, GUARD_BITS), far) - nats
        ahead, behind = delay(m, ahead, 1, "ahead"), delay(m, behind, 1, "behind")
        leads = [delay(m, difference, 1, "lead") for difference in (ahead - behind, behind - ahead)]
        ahead, behind = delay(m, ahead, 1, "ahead_later"), delay(m, behind, 1, "behind_later")
        rises = numbers.rise.tolist()
        apart = Signal(len(leads[0]) - 1, reset_less=True)
        larger = Signal(len(ahead), reset_less=True)
        second_leads = leads[0][-1]
        m.d.sync += [
            apart.eq(Mux(second_leads, leads[1], leads[0])),
            larger.eq(Mux(second_leads, behind[: len(ahead)], ahead)),
        ]
        entry = table(m, "rise", max(rises).bit_length(), rises, apart[: ceil_log2(len(rises))], _MEMORY)
        larger, beyond = (
            delay(m, value, _MEMORY, name)
            for value, name in ((larger, "larger_later"), (apart >= len(rises), "beyond"))
        )
        # Two cycles: the sum, and the result.
        total = delay(m, (larger + Mux(beyond, 1 << (GUARD_BITS - 1), entry))[GUARD_BITS:], 1, "total")
        limit = numbers.format.maximum
        merged = Mux(total > limit, limit, total[: numbers.format.width])
        waited = LATENCY - 1
        sums = [delay(m, state.log_sum, waited, f"sum_{place}") for place, state in enumerate((first, second))]
        empties = [delay(m, state.empty, waited, f"empty_{place}") for place, state in enumerate((first, second))]
        best = Mux(first.empty | (~second.empty & second_wins), Value.cast(second.score), Value.cast(first.score))
        m.d.sync += [
            self.merged.log_sum.eq(Mux(empties[0], sums[1], Mux(empties[1], sums[0], merged))),
            Value.cast(self.merged.score).eq(delay(m, best, waited, "best")),
            self.merged.empty.eq(empties[0] & empties[1]),
        ]
        m.d.comb += self.merged_valid.eq(delay(m, self.valid, LATENCY, "valid", reset=True))
        return m
