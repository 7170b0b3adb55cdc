"""The softmax head: the stages in data-path order, joined.

    scores ─► frame ─┬─► maximum ───────────────────────────────────────────────────────► winner
                     ├─► exponential ─► accumulate ─► leading one ─► factor ─┐ one per vector
                     └─► replay ◄────────────────────────────────────────────┘
                           └─► emission: exponential ─► distance ─► quotient ─► round, or a difference of logarithms
                                 └─► probabilities

The edges are elastic and the stages between are rigid: the admission lets an element in only if credits assure room for
it, for its vector and for its winner, so no stage in between ever waits.
"""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring

from softstream.hw.modes.interface import HeadInterface
from softstream.hw.normalisers import NORMALISERS
from softstream.hw.normalisers.interface import factor_layout
from softstream.hw.numbers.softmax import numerics
from softstream.hw.plan.ports import outputs
from softstream.hw.plan.schedule import schedule
from softstream.hw.plan.stage_cycles import far_lanes, skewed
from softstream.hw.stages.admission import Admission, Room
from softstream.hw.stages.exponential_sum import VectorSum, accumulator, sum_to_leading_one, summand_terms
from softstream.hw.stages.frame import Frame
from softstream.hw.stages.leading_one import leading_one_detector
from softstream.hw.stages.maximum import maximum_of
from softstream.hw.stages.replay import FactorStore, Replay, entry_counter, ring_entries, stored_layout
from softstream.hw.streams.flow import Buffered, Credit, Queue, vector_buffers
from softstream.hw.streams.layouts import each_lane, keep_names, probability_layout, winner_layout
from softstream.hw.streams.registers import PairedTables, delay

__all__ = ["Softmax"]


def vector_layout(beats: int, share_width: int = 0, *, pipelined: bool) -> data.StructLayout:
    """The vector's tag between sum and factor: its flag, whether it is one beat, its last beat's address, its share of 2^P.

    A pipelined head counts that address again instead.
    """
    last = {} if pipelined else {"last": range(ring_entries(beats))}
    share = {"share": share_width} if share_width else {}
    return data.StructLayout({"overlong": 1, "single": 1, **last, **share})


class Softmax(HeadInterface):
    """p_i = exp(s·x_i) / Σ exp(s·x_j), rounded once, in one pass over the scores.

    Ports: `i`, stream of scores; `o`, stream of {probability, last, overlong}, one beat per beat of scores; `o_best`, stream
    of winners, one per vector. The user must take both outputs. Latency and interval are those of `plan(config)`. Queues and
    credits cut the ready paths; with an output that waits the head stops only when its ring of scores is full.
    """

    def _normaliser(self) -> Any:
        """The module, or an object of the same members, that normalises: see `normalisers/interface.py`."""
        return NORMALISERS[self._config.division]

    def _masked_code(self) -> int:
        """The code of a masked element."""
        return 0

    def _share_width(self) -> int:
        """Bits of the share of 2^P that a vector hands to its elements; 0 where codes have no minimum."""
        return 0

    def _share(self, m: Module, framed: Any, element: Value) -> Value:
        """That share, in the cycle of the vector's last beat."""
        return Const(0, 0)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        cycles = schedule(config)
        longest = config.beats(config.max_length)
        beats, vectors, winners = cycles.replay_entries(longest), cycles.vectors(longest), cycles.winner_room(longest)
        m.submodules.frame = frame = Frame(config, indexed=not skewed(config), registered=True)
        m.submodules.maximum = maximum = maximum_of(config, gated=True)
        wiring.connect(m, wiring.flipped(self.i), frame.i)
        margin = 2 * cycles.pipelined
        admission = Admission(
            m,
            frame,
            interval=cycles.vector_interval,
            elements=Room(beats, 2),
            vectors={"vector_credit": Room(vectors, margin), "winner_credit": Room(winners, margin)},
            registered=True,
        )
        # Admitted beats move on from registers.
        admitted = Signal.like(frame.o.payload, name="admitted")
        m.d.comb += [admitted.eq(frame.o.payload), admitted.first.eq(frame.o.payload.first & admission.element)]
        framed = data.View(admitted.shape(), delay(m, Value.cast(admitted), cycles.entry, "framed"))
        element = delay(m, admission.element, cycles.entry, "element", reset=True)

        self._winner(m, maximum, framed, element, winners)
        accumulate = accumulator(m, config, summand_terms(m, config, framed, element))
        stored = stored_layout(numerics(config), config.lanes, mask=config.mask)
        m.submodules.replay = replay = Replay(
            stored,
            beats=beats,
            interval=cycles.quotient_interval,
            memory=cycles.ring,
            ungated=config.lanes > 1,
            by_gates=config.profile == "fast",
        )
        m.d.comb += [
            replay.i.valid.eq(element),
            *(replay.i.payload[name].eq(framed[name]) for name in stored.members),
        ]
        factors = self._factors(m, framed, element, accumulate, replay, beats, vectors)
        self._probabilities(m, replay, factors)
        m.d.comb += [
            admission.credits["element_credit"].give.eq(replay.leaves),
            admission.credits["vector_credit"].give.eq(factors.next),
            admission.credits["winner_credit"].give.eq(self.o_best.valid & self.o_best.ready),
        ]
        return m

    def _winner(self, m: Module, maximum: Any, framed: Any, element: Value, room: int) -> None:
        """The winner, which waits for `o_best` in registers or in a queue."""
        config = self._config
        m.d.comb += [maximum.i.valid.eq(element), Value.cast(maximum.i.payload).eq(Value.cast(framed))]
        if not skewed(config):
            m.d.comb += maximum.o.ready.eq(1)
        winner = Buffered("winner", maximum.o, winner_layout(config), rigid=True)
        buffers = vector_buffers(m, [winner], schedule(config).winners, room, quick=config.profile == "fast")
        wiring.connect(m, *buffers, wiring.flipped(self.o_best))

    def _factors(
        self, m: Module, framed: Any, element: Value, accumulate: VectorSum, replay: Replay, beats: int, vectors: int
    ) -> FactorStore:
        """Once per vector: the sum's divisor, the normaliser's factor, and the ring's `complete`."""
        config, widths, cycles = self._config, numerics(self._config), schedule(self._config)
        normaliser, tag = self._normaliser(), vector_layout(beats, self._share_width(), pipelined=cycles.pipelined)
        factor_width = normaliser.factor_width(widths)
        m.submodules.leading_one = leading_one = leading_one_detector(config, widths, tag)
        m.submodules.factor = factor = normaliser.Factor(
            widths, factor_width, tag, cycles.memory, pipelined=cycles.pipelined
        )
        m.submodules.factors = factors = FactorStore(
            factor_layout(widths, factor_width, 1 + self._share_width()),
            vectors,
            cycles.memory,
            by_gates=config.profile == "fast",
        )
        wiring.connect(m, leading_one.o, factor.i)
        vector, ends = Signal(tag, reset_less=True), Signal()
        assignments = [vector.overlong.eq(framed.overlong), vector.single.eq(framed.first)]
        if self._share_width():
            assignments.append(vector.share.eq(self._share(m, framed, element)))
        result = factor.o.payload
        if cycles.pipelined:
            # A second counter follows the beats with the latency of the factor: that takes fewer registers than the address.
            passing = delay(m, element, cycles.vector_latency - cycles.frame - cycles.entry, "passing", reset=True)
            last = entry_counter(m, "passed", passing, beats)
        else:
            assignments.append(vector.last.eq(replay.address))
            last = result.tag.last
        m.d.comb += [
            ends.eq(element & framed.last),
            *sum_to_leading_one(m, config, leading_one, accumulate, ends, vector, assignments),
            factors.i.valid.eq(factor.o.valid),
            factors.i.payload.exponent.eq(result.exponent),
            factors.i.payload.factor.eq(result.factor),
            factors.i.payload.tag.eq(
                Cat(result.tag.overlong, result.tag.share) if self._share_width() else result.tag.overlong
            ),
            replay.complete.valid.eq(factor.o.valid),
            replay.complete.payload.last.eq(last),
            replay.complete.payload.single.eq(result.tag.single),
        ]
        return factors

    def _probabilities(self, m: Module, replay: Replay, factors: FactorStore) -> None:
        """Second pass: stored beats and factors to probabilities, in a queue whose room the ring waits for."""
        config, cycles = self._config, schedule(self._config)
        in_flight = cycles.emission_latency + 4  # a credit counts two cycles late, on either side
        m.submodules.output = output = Queue(probability_layout(config), in_flight)
        m.submodules.output_credit = output_credit = Credit(in_flight, 1)
        wiring.connect(m, output.o, wiring.flipped(self.o))
        self._emit(m, replay, factors, output)
        m.d.comb += [
            output_credit.take.eq(replay.leaves),
            output_credit.give.eq(self.o.valid & self.o.ready),
            replay.room.eq(output_credit.available),
        ]

    def _emit(self, m: Module, replay: Replay, factors: FactorStore, output: Queue) -> None:
        """The emission of each lane, from the ring to the output queue."""
        tables = None
        for lane in range(self._config.lanes):
            if lane % 2 == 0 and far_lanes(self._config):
                tables = PairedTables()
            self._lane(m, lane, replay, factors, output, tables)

    def _lane(
        self, m: Module, lane: int, replay: Replay, factors: FactorStore, output: Queue, tables: PairedTables | None
    ) -> None:
        """The emission of a lane, with the tables that it shares with another one; lane 0 also carries the beat's edges."""
        config, lanes = self._config, self._config.lanes
        lane_config = config.replace(lanes=1)
        emission = self._normaliser().Emission(lane_config, numerics(config), tables)
        m.submodules["emission" if lane == 0 else f"emission_{lane}"] = emission
        (field,) = outputs(config)[0].fields
        beat, stored = output.i.payload, replay.o.payload
        # Lanes that are far from the queue have registers on their way to it.
        way = schedule(config).probability - schedule(lane_config).probability
        result = data.View(emission.o.payload.shape(), delay(m, Value.cast(emission.o.payload), way, f"way_{lane}"))
        m.d.comb += [
            emission.i.valid.eq(replay.o.valid),
            emission.i.payload.position.eq(stored[each_lane("position", lanes)[lane]]),
            Value.cast(emission.factor).eq(Value.cast(factors.o)),
        ]
        probability, code = beat[each_lane(field.name, lanes)[lane]], result[field.name]
        if config.mask:
            mask = each_lane("mask", lanes)[lane]
            masked = delay(m, stored[mask], schedule(config).probability, mask.replace("mask", "masked"))
            code = Mux(masked, self._masked_code(), code)
        if lane == 0:
            m.d.comb += [
                emission.i.payload.last.eq(stored.last),
                factors.next.eq(emission.next),
                output.i.valid.eq(delay(m, emission.o.valid, way, "way_valid", reset=True)),
                probability.eq(code),
                beat.last.eq(result.last),
                beat.overlong.eq(result.overlong),
            ]
        else:
            # The lane's `keep` travels through the emission in the place of `last`.
            keep = keep_names(lanes)[lane - 1]
            m.d.comb += [
                emission.i.payload.last.eq(stored[keep]),
                probability.eq(Mux(result.last, code, 0)),
                beat[keep].eq(result.last),
            ]
