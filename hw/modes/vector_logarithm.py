"""ln Σ e^(x_j) − x of one element of each vector: no ring and no second pass. Cross-entropy and log-sum-exp are such heads."""

from functools import reduce
from operator import and_
from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring

from softstream.hw.modes.interface import HeadInterface
from softstream.hw.modes.log_softmax import position_cycles, scaled_position
from softstream.hw.normalisers.log_sum import LogSum
from softstream.hw.numbers.log_softmax import LogNumerics, log_numerics
from softstream.hw.plan.modes.vector_logarithm import choice_cycles, vector_logarithm_schedule
from softstream.hw.plan.ports import outputs
from softstream.hw.plan.schedule import schedule
from softstream.hw.stages.admission import Admission, Room
from softstream.hw.stages.exponential_sum import accumulator, lane_terms, sum_to_leading_one
from softstream.hw.stages.frame import Frame, earlier_participant, masks
from softstream.hw.stages.leading_one import leading_one_detector
from softstream.hw.streams.flow import Queue
from softstream.hw.streams.layouts import output_layout
from softstream.hw.streams.registers import delay

__all__ = ["VectorLogarithm"]


class VectorLogarithm(HeadInterface):
    """min(max(0, floor((L − Y[c]) / 2^(k + 1))), largest code) of each vector, in UQm.P: ln Σ exp(s·x_j) − s·x_c.

    A mode says which element c is, and what its output beat contains.

        scores ─► frame ─┬─► exponential ─► accumulate ─► leading one ─► logarithm ─┐
                         └─► position of c ─────────────────────────────────────────┴─► difference ─► result

    Ports: `i`, stream of scores; `o`, one beat per vector. Latency and interval are those of `plan(config)`. The head stores no
    element but the one of the difference. Credits and a queue cut the ready path.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, cycles, times = self._config, schedule(self._config), vector_logarithm_schedule(self._config)
        m.submodules.frame = frame = Frame(config, registered=True)
        framed = frame.o.payload
        wiring.connect(m, wiring.flipped(self.i), frame.i)
        # Room for the result is assured before its vector's last element enters.
        results = -(-times.vector // times.interval) + (5 if cycles.pipelined else 2)
        admission = Admission(
            m,
            frame,
            interval=times.interval,
            vectors={"result_credit": Room(results, 2 * cycles.pipelined)},
            registered=True,
        )
        m.d.comb += admission.credits["result_credit"].give.eq(self.o.valid & self.o.ready)

        later = choice_cycles(config)
        vector = Signal(self._vector())
        assignments = [
            *self._chosen(m, framed, admission, vector),
            vector.overlong.eq(delay(m, framed.overlong, later, "overlong_at_choice")),
        ]
        if config.mask:
            earlier = earlier_participant(m, config, framed, admission.element)
            all_masked = reduce(and_, masks(config, framed), ~earlier)
            assignments.append(vector.all_masked.eq(delay(m, all_masked, later, "all_masked_at_choice")))
        self._result(m, self._logarithm(m, framed, admission, vector, assignments), results)
        return m

    def _vector(self) -> data.StructLayout:
        """A vector on its way from its last element to its result: the position of c, and the flags."""
        flags = {flag.name: 1 for flag in outputs(self._config)[0].flags}
        return data.StructLayout({"position": self._config.score_width, **flags})

    def _chosen(self, m: Module, framed: Any, admission: Admission, vector: Any) -> list[Any]:
        """Statements that give `vector` the position of c, `choice_cycles(config)` after the vector's last framed beat."""
        raise NotImplementedError

    def _beat(self, m: Module, code: Value, tag: Any, cycles: int) -> list[tuple[str, Value]]:
        """Registers of the output beat by name, from the code and, `cycles` later, from the vector's tag, but for the flags."""
        raise NotImplementedError

    def _logarithm(
        self, m: Module, framed: Any, admission: Admission, vector: Any, assignments: list[Any]
    ) -> tuple[LogSum, Value]:
        """(the logarithm of the sum, along with the vector; the scaled position of c, in the same cycle)."""
        config, cycles, numbers = self._config, schedule(self._config), log_numerics(self._config, signed=False)
        terms = (lane_terms(m, config, lane, framed, admission.element) for lane in range(config.lanes))
        accumulate = accumulator(m, config, terms)
        m.submodules.leading_one = leading_one = leading_one_detector(config, numbers.widths, vector.shape())
        m.submodules.log_sum = log_sum = LogSum(numbers, vector.shape(), cycles.memory, pipelined=cycles.pipelined)
        wiring.connect(m, leading_one.o, log_sum.i)
        m.d.comb += sum_to_leading_one(
            m, config, leading_one, accumulate, admission.ends, vector, assignments, choice_cycles(config)
        )
        scaled = scaled_position(m, numbers, leading_one.o.payload.tag.position, cycles.memory)
        if cycles.pipelined:
            scaled = delay(m, scaled, cycles.normaliser.factor - position_cycles(numbers, cycles.memory), "scaled")
        return log_sum, scaled

    def _result(self, m: Module, operands: tuple[LogSum, Value], results: int) -> None:
        """The difference, saturated, in a queue of `results` entries."""
        config, numbers, (log_sum, scaled) = self._config, log_numerics(self._config, signed=False), operands
        result = log_sum.o.payload
        rounded = _magnitude(numbers, Cat(result.factor, result.exponent), scaled)
        difference = Signal.like(rounded, name="difference", reset_less=True)
        m.submodules.output = output = Queue(output_layout(config, outputs(config)[0]), results)
        m.d.sync += difference.eq(rounded)
        m.d.comb += output.i.valid.eq(delay(m, log_sum.o.valid, 2, "valid", reset=True))
        for name, value in self._beat(m, _saturated(numbers, difference), result.tag, 1):
            register = Signal.like(value, name=name, reset_less=True)
            m.d.sync += register.eq(value)
            m.d.comb += output.i.payload[name].eq(register)
        for flag in outputs(config)[0].flags:
            m.d.comb += output.i.payload[flag.name].eq(delay(m, result.tag[flag.name], 2, flag.name))
        wiring.connect(m, output.o, wiring.flipped(self.o))


def _magnitude(numbers: LogNumerics, logarithm: Value, scaled: Value) -> Value:
    """(L − Y) cut to P fraction bits; L contains the rounding's half ulp. Errors may make the difference negative."""
    return (logarithm - scaled)[numbers.tables.shift :].as_signed()


def _saturated(numbers: LogNumerics, value: Value) -> Value:
    """A magnitude saturated to 0 and to the largest code of the format."""
    limit, positive = numbers.limit, value[:-1]
    if numbers.saturates:
        positive = Mux(positive > limit, limit, positive)
    return Mux(value[-1], 0, positive[: limit.bit_length()])
