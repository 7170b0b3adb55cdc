"""The softmax head: the stages in data-path order, joined.

    scores ─► frame ─┬─► maximum ──────────────────────────────────────────────────────► winner
                     ├─► exponential ─► accumulate ─► normalise ─► factor ─┐ one per vector
                     └─► replay ◄──────────────────────────────────────────┘
                           └─► emission: exponential ─► distance ─► quotient ─► round, or a difference of logarithms
                                 └─► probabilities

Elastic at the edges, rigid between: `frame` lets an element in only if credits assure room for it, for its vector and
for its winner, so no stage in between ever waits.
"""

from types import ModuleType
from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, wiring

from softstream.hw.modes.interface import HeadInterface
from softstream.hw.normalisers import divider, logarithm, reciprocal
from softstream.hw.normalisers import power_of_two as unnormalised
from softstream.hw.normalisers.interface import factor_layout
from softstream.hw.numbers.softmax import numerics
from softstream.hw.plan.ports import outputs
from softstream.hw.plan.schedule import schedule, skewed
from softstream.hw.stages.exponential_sum import lane_terms, normalised, sum_of
from softstream.hw.stages.frame import Frame
from softstream.hw.stages.leading_one import normalise_of
from softstream.hw.stages.maximum import Maximum, SkewedMaximum
from softstream.hw.stages.replay import Factors, Replay, counted, entries, stored_layout
from softstream.hw.streams.flow import Buffered, Credit, Queue, Spacing, vector_buffers
from softstream.hw.streams.layouts import each_lane, keep_names, probability_layout, winner_layout
from softstream.hw.streams.registers import delay

__all__ = ["NORMALISERS", "Softmax"]

NORMALISERS: dict[str, ModuleType] = {
    "divider": divider,
    "reciprocal": reciprocal,
    "logarithm": logarithm,
    "none": unnormalised,
}


def vector_layout(elements: int, *, pipelined: bool) -> data.StructLayout:
    """What belongs to a vector on its way from the sum to the factor: its flag, whether it is a single element, and the address
    of its last element, where it is not counted again.
    """
    return data.StructLayout({"overlong": 1, "single": 1, **({} if pipelined else {"last": range(entries(elements))})})


class Softmax(HeadInterface):
    """Streaming softmax. `o`: stream of {probability, last, overlong}, one beat per beat of scores; `o_best`: stream of
    winners, one per vector; both have to be taken. Latency and interval are those of `plan(config)`.
    """

    def _normaliser(self) -> Any:
        """What turns sums and elements into probabilities: see `normaliser`."""
        return NORMALISERS[self._config.normaliser]

    def _masked_code(self) -> int:
        """The code of a masked element."""
        return 0

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        widths, cycles = numerics(config), schedule(config)
        normaliser = self._normaliser()
        (field,) = outputs(config)[0].fields
        factor_width = normaliser.factor_width(widths)
        longest = config.beats(config.max_length)
        beats, vectors = cycles.replay_entries(longest), cycles.vectors(longest)
        winner_room = cycles.winner_room(longest)
        vector = vector_layout(beats, pipelined=cycles.pipelined)
        m.submodules.frame = frame = Frame(config, indexed=not skewed(config))
        m.submodules.maximum = maximum = (SkewedMaximum if skewed(config) else Maximum)(config)
        wiring.connect(m, wiring.flipped(self.i), frame.i)
        # What is let in goes on from registers.
        entering, leading = Signal(), frame.o.payload
        framed = data.View(frame.o.payload.shape(), delay(m, Value.cast(leading), cycles.entry, "framed"))
        element = delay(m, entering, cycles.entry, "element", reset=True)
        ends = Signal()
        m.d.comb += [entering.eq(frame.o.valid & frame.o.ready), ends.eq(element & framed.last)]

        # What works once per vector may take its time: a vector's last element waits where it would come too soon.
        margin = 2 * cycles.pipelined
        m.submodules.spacing = spacing = Spacing(cycles.vector_interval)
        m.submodules.element_credit = element_credit = Credit(beats, 2)
        m.submodules.vector_credit = vector_credit = Credit(vectors, margin)
        m.submodules.winner_credit = winner_credit = Credit(winner_room, margin)
        opened = Signal()
        m.d.sync += opened.eq(element_credit.available & (spacing.ready | ~frame.ending))
        m.d.comb += [
            spacing.taken.eq(entering & leading.last),
            spacing.allowed.eq(vector_credit.available & winner_credit.available),
            frame.o.ready.eq(opened),
        ]

        # The winner waits in registers, or a queue; its credit was taken before its vector's last element came in.
        m.d.comb += [
            maximum.i.valid.eq(element),
            Value.cast(maximum.i.payload).eq(Value.cast(framed)),
            winner_credit.take.eq(entering & leading.last),
            winner_credit.give.eq(self.o_best.valid & self.o_best.ready),
        ]
        if not skewed(config):
            m.d.comb += maximum.o.ready.eq(1)
        winner = Buffered("winner", maximum.o, winner_layout(config), rigid=True)
        wiring.connect(m, *vector_buffers(m, [winner], cycles.winners, winner_room), wiring.flipped(self.o_best))

        # First pass: the sum.
        accumulate = sum_of(m, config, (lane_terms(m, config, k, framed, element) for k in range(config.lanes)))

        # Once per vector: the divisor, and what the normaliser makes of it.
        stored = stored_layout(widths, config.lanes, mask=config.mask)
        m.submodules.replay = replay = Replay(
            stored, beats=beats, interval=cycles.quotient_interval, memory=cycles.ring
        )
        m.submodules.normalise = normalise = normalise_of(config, widths, vector)
        m.submodules.factor = factor = normaliser.Factor(
            widths, factor_width, vector, cycles.memory, pipelined=cycles.pipelined
        )
        m.submodules.factors = factors = Factors(factor_layout(widths, factor_width, 1), vectors, cycles.memory)
        wiring.connect(m, normalise.o, factor.i)
        ended = Signal(vector, reset_less=True)
        noted = [ended.overlong.eq(framed.overlong), ended.single.eq(framed.first)]
        made = factor.o.payload
        if cycles.pipelined:
            # With as many registers as a bit has on its way to the factor, each element is counted once more when that is there.
            passed = delay(m, element, cycles.vector_latency - cycles.frame - cycles.entry, "passing", reset=True)
            last = counted(m, "passed", passed, beats)
        else:
            noted.append(ended.last.eq(replay.address))
            last = made.tag.last
        m.d.comb += [
            replay.i.valid.eq(element),
            *(replay.i.payload[name].eq(framed[name]) for name in stored.members),
            *normalised(m, config, normalise, accumulate, ends, ended, noted),
            factors.i.valid.eq(factor.o.valid),
            factors.i.payload.exponent.eq(made.exponent),
            factors.i.payload.factor.eq(made.factor),
            factors.i.payload.tag.eq(made.tag.overlong),
            replay.complete.valid.eq(factor.o.valid),
            replay.complete.payload.last.eq(last),
            replay.complete.payload.single.eq(made.tag.single),
        ]

        # Second pass: the probabilities.
        in_flight = cycles.emission_latency + 4  # credits are counted two cycles late, on either side
        m.submodules.output = output = Queue(probability_layout(config), in_flight)
        m.submodules.output_credit = output_credit = Credit(in_flight, 1)
        wiring.connect(m, output.o, wiring.flipped(self.o))
        out = output.i.payload
        for lane in range(config.lanes):
            emission = normaliser.Emission(config.replace(lanes=1), widths)
            m.submodules["emission" if lane == 0 else f"emission_{lane}"] = emission
            made = emission.o.payload
            m.d.comb += [
                emission.i.valid.eq(replay.o.valid),
                emission.i.payload.position.eq(replay.o.payload[each_lane("position", config.lanes)[lane]]),
                Value.cast(emission.factor).eq(Value.cast(factors.o)),
            ]
            probability, code = out[each_lane(field.name, config.lanes)[lane]], made[field.name]
            if config.mask:
                name = each_lane("mask", config.lanes)[lane]
                masked = delay(m, replay.o.payload[name], cycles.probability, name.replace("mask", "masked"))
                code = Mux(masked, self._masked_code(), code)
            if lane == 0:
                m.d.comb += [
                    emission.i.payload.last.eq(replay.o.payload.last),
                    factors.next.eq(emission.next),
                    output.i.valid.eq(emission.o.valid),
                    probability.eq(code),
                    out.last.eq(made.last),
                    out.overlong.eq(made.overlong),
                ]
            else:
                # Whether the lane holds an element travels in the place of the vector's end.
                keep = keep_names(config.lanes)[lane - 1]
                m.d.comb += [
                    emission.i.payload.last.eq(replay.o.payload[keep]),
                    probability.eq(Mux(made.last, code, 0)),
                    out[keep].eq(made.last),
                ]
        m.d.comb += [
            output_credit.take.eq(replay.taken),
            output_credit.give.eq(self.o.valid & self.o.ready),
            replay.room.eq(output_credit.available),
        ]

        # Room for what comes in.
        m.d.comb += [
            element_credit.take.eq(entering),
            element_credit.give.eq(replay.taken),
            vector_credit.take.eq(entering & leading.last),
            vector_credit.give.eq(factors.next),
        ]
        return m
