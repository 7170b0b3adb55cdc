"""The probability floor: every class gets the floor, and the probabilities share the remaining mass."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.numbers.floor import floor_code
from softstream.hw.plan.options.floor import entry_cycles, floor_latency, floor_vectors
from softstream.hw.streams.adders import sum_tree
from softstream.hw.streams.flow import Credit, Queue
from softstream.hw.streams.layouts import each_lane, guarded_layout, keep_names, pulse, score_layout
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import delay

__all__ = ["REMAINING_MASS", "Floor", "Remainder"]

REMAINING_MASS = "remaining_mass"
"""A stage that `needs` it receives, for each vector, the mass that its floors leave."""


class Remainder(wiring.Component):
    """The remaining mass of each vector, from a count of its scores: c = 2^P' − F·N, N = min(length, max_length).

    In an ensemble with averaged probabilities only the first member counts, because its length is that of the mean.
    Member: `members`, the vectors that have one value of c.

    Ports: `i`, `o`, streams of scores, which wait where `floor_vectors` values of c wait; `vector`, stream of c, one per vector.
    Latency 0 for the scores, 5 cycles from a vector's last beat for c. Passes the ready path.
    """

    def __init__(self, config: Config, inner: Config) -> None:
        self.config, self._inner = config, inner
        self.members = config.ensemble if config.ensemble_mean == "probabilities" else 1
        scores = stream.Signature(score_layout(inner))
        super().__init__({"i": In(scores), "o": Out(scores), "vector": Out(stream.Signature(inner.output_width))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, one = self.config, 1 << self._inner.probability_width
        code, lanes, beat = floor_code(config, self._inner), config.lanes, self.i.payload
        vectors = floor_vectors(config, self._inner)
        m.submodules.credit = credit = Credit(vectors, 1)
        m.submodules.queue = queue = Queue(self._inner.output_width, vectors)
        # Whole beats before this one. Elements beyond the cut do not count, and the probabilities do not wait for them.
        final = config.beats(config.max_length) - 1
        before = Signal(range(final + 1))
        dropping, transferred, ends = Signal(), Signal(), Signal()
        # The comparison with the limit happens a beat early, so that nothing waits for it.
        limit = Signal(init=final == 0)
        m.d.comb += [
            ends.eq((beat.last | limit) & ~dropping),
            # Each beat waits for the credit of its vector's last one: a wait of that one alone would depend on the beat itself,
            # and lead from `last` to the ready.
            self.o.valid.eq(self.i.valid & credit.available),
            self.o.payload.eq(self.i.payload),
            self.i.ready.eq(self.o.ready & credit.available),
            transferred.eq(self.i.valid & self.i.ready),
        ]
        with m.If(transferred):
            m.d.sync += [
                before.eq(Mux(ends | dropping, 0, before + 1)),
                limit.eq(Mux(ends | dropping, final == 0, before == final - 1) if final else 1),
                dropping.eq(~beat.last & (dropping | limit)),
            ]
        # Elements of a last beat: those up to the first lane that holds none.
        last_count: Value = Const(1)
        whole: Value = Const(1)
        for name in keep_names(lanes):
            whole = whole & beat[name]
            last_count = last_count + whole
        total = Signal(range(config.beats(config.max_length) * lanes + 1), reset_less=True)
        length = Signal(range(config.max_length + 1), reset_less=True)
        left = Signal(self._inner.output_width, reset_less=True)
        m.d.sync += [
            total.eq(Cat(Const(0, ceil_log2(lanes)), before) + Mux(beat.last, last_count, lanes)),
            length.eq(Mux(total > config.max_length, config.max_length, total)),
            left.eq(one - code * length),
        ]
        counted: Value = transferred & ends
        registers = {"before": before, "limit": limit, "dropping": dropping}
        if self.members > 1:
            registers["member"] = member = Signal(range(self.members))
            with m.If(transferred & ends):
                m.d.sync += member.eq(Mux(member == self.members - 1, 0, member + 1))
            counted = counted & (member == 0)
        m.d.comb += [
            credit.take.eq(counted),
            credit.give.eq(self.vector.valid & self.vector.ready),
            queue.i.valid.eq(delay(m, counted, 3, "counted", reset=True)),
            queue.i.payload.eq(left),
        ]
        wiring.connect(m, queue.o, wiring.flipped(self.vector))
        publish(platform, self, **registers)
        return m


class Floor(wiring.Component):
    """out = F + floor(c·p·2^−P' + 1/2), c the remaining mass of the vector.

    Ports: `i`, `o`, guarded probabilities of the inner configuration; `vector`, c of the vector whose beat came in `entry_cycles`
    before, and `next`, set with its last beat then; no back-pressure. `latency`: `floor_latency` cycles, one beat per cycle. The
    normaliser reciprocal implies a multiplier, and the others a tree of adders, for the same product.
    """

    needs = REMAINING_MASS
    """What `Composed` connects to `vector` and `next`."""

    def __init__(self, config: Config, inner: Config) -> None:
        self._config, self._inner, self.latency = config, inner, floor_latency(config, inner)
        layout = guarded_layout(config, inner)
        super().__init__(
            {"i": In(pulse(layout)), "o": Out(pulse(layout)), "vector": In(inner.output_width), "next": Out(1)}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, width = self._config, self._inner.probability_width
        floor = (floor_code(config, self._inner) << width) + (1 << (width - 1))
        entry, floored = entry_cycles(config), self.o.payload
        guarded: Any = self.i.payload.shape()(delay(m, Value.cast(self.i.payload), entry, "guarded"))
        valid = delay(m, self.i.valid, entry, "entered", reset=True)
        codes = each_lane("probability", config.lanes)
        for name in codes:
            if config.division == "reciprocal":
                code, left = delay(m, guarded[name], 1, name), delay(m, self.vector, 1, f"{name}_left")
                product = Signal(2 * self._inner.output_width, name=f"{name}_product", reset_less=True)
                raised = Signal(len(product), name=f"{name}_raised", reset_less=True)
                m.d.sync += [product.eq(code * left), raised.eq(product + floor)]
                total: Value = raised
            else:
                shares = [Mux(bit, self.vector, 0) for bit in guarded[name]]
                terms = [(delay(m, share, 1, f"{name}_share_{k}") << k, False) for k, share in enumerate(shares)]
                total, _ = sum_tree(m, name, [*terms, (Const(floor), False)], chained=config.profile == "fast")
            m.d.comb += floored[name].eq(total >> width)
        m.d.comb += [
            self.next.eq(valid & guarded.last),
            self.o.valid.eq(delay(m, valid, self.latency - entry, "valid", reset=True)),
            *(
                floored[name].eq(delay(m, guarded[name], self.latency - entry, name))
                for name in floored.shape().members
                if name not in codes
            ),
        ]
        publish(platform, self)
        return m
