"""The mean of an ensemble's probabilities: behind the head, the sums of the members' guarded codes, over M."""

from typing import Any

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.formats import signed_digits
from softstream.hw.numbers.ensemble import mean_division
from softstream.hw.options.member_sum import FLAGS, ensemble_sum
from softstream.hw.plan.options.mean_probabilities import best_mean_latency, late_cycles, mean_latency, sums_latency
from softstream.hw.plan.ports import outputs
from softstream.hw.streams.adders import sum_tree
from softstream.hw.streams.flow import Hold
from softstream.hw.streams.layouts import each_lane, guarded_layout, keep_names, output_layout, pulse
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import delay

__all__ = ["MeanProbabilities"]


class MeanProbabilities(wiring.Component):
    """mean_i = floor(Σ_m code_m,i / M) of the guarded codes of an ensemble's members, and the index of the largest sum.

        members ─► register ─► sums over the members ─┬─► constant product, a tree of adders ─► means
                                                      └─► tree over the lanes ─► maximum ─────► winner

    The first member's length is the ensemble's. A missing element of a shorter member counts as 0, and the surplus elements
    of a longer member are dropped. The winner is that of the exact sums, so that rounding makes no ties.

    Ports: `i`, guarded beats, not ready while the elements leave that a short last member lacks; `o`, guarded beats with the
    flags of the ensemble in its last; `o_best`, winners; both without back-pressure. Rigid: `RigidPipe` stops it by a clock
    enable. Latency `mean_latency(config, inner)` cycles from a beat of the last member, `best_mean_latency(config)` cycles
    from its last beat to the winner; one beat per cycle.

    Members: `hold`, the register; `member_sum`; `sums_to_means` and `sums_to_best`, the cycles from a sum to its mean, and from
    the last one to the winner.
    """

    def __init__(self, config: Config, inner: Config) -> None:
        self.config, self._inner = config, inner
        self.member_sum = ensemble_sum(config, inner.output_width, flat=late_cycles(config) > 0)
        self.sums_to_means = mean_latency(config, inner) - sums_latency(config)
        self.sums_to_best = best_mean_latency(config) - sums_latency(config)
        layout = guarded_layout(config, inner)
        best = output_layout(config, outputs(config)[-1])
        self.hold = Hold(layout)
        super().__init__({"i": In(stream.Signature(layout)), "o": Out(pulse(layout)), "o_best": Out(pulse(best))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, lanes = self.config, self.config.lanes
        m.submodules.member_sum = member_sum = self.member_sum
        m.submodules.hold = hold = self.hold
        wiring.connect(m, wiring.flipped(self.i), hold.i)
        beat, member = hold.o.payload, member_sum.i.payload
        result, mean = member_sum.o.payload, self.o.payload
        codes, totals = each_lane("probability", lanes), [result[name] for name in each_lane("sum", lanes)]
        passed = ("last", "overlong", *keep_names(lanes))
        m.d.comb += [
            member_sum.i.valid.eq(hold.o.valid),
            hold.o.ready.eq(member_sum.i.ready),
            *(member[to].eq(beat[of]) for to, of in zip(each_lane("value", lanes), codes, strict=True)),
            *(member[name].eq(beat[name]) for name in passed),
        ]
        cycles = self.sums_to_means
        m.d.comb += self.o.valid.eq(delay(m, member_sum.o.valid, cycles, "valid", reset=True))
        for code, total in zip(codes, totals, strict=True):
            m.d.comb += mean[code].eq(self._divided(m, code, total))
        m.d.comb += [mean[name].eq(delay(m, result[name], cycles, name)) for name in (*passed, "uneven")]
        keeps = [result[name] for name in keep_names(lanes)]
        contenders = [totals[0], *(Mux(keep, total, 0) for keep, total in zip(keeps, totals[1:], strict=True))]
        if config.last_wins and lanes > 1:
            # The bit above a sum tells that its lane holds an element, which a sum of 0 does not tell.
            contenders = [Cat(total, keep) for total, keep in zip(contenders, [C(1, 1), *keeps], strict=True)]
        self._best(m, contenders, member_sum.o)
        publish(platform, self)
        return m

    def _divided(self, m: Module, name: str, total: Value) -> Value:
        """floor(total / M)."""
        division = mean_division(self.config.ensemble, self._inner.probability_width)
        halved = total[division.halvings :]
        terms = [(halved << exponent, negative) for exponent, negative in signed_digits(division.multiplier)]
        product, _ = sum_tree(m, name, terms, chained=self.config.profile == "fast")
        return product[division.shift :]

    def _best(self, m: Module, totals: list[Value], sums: Any) -> None:
        """Index of the largest sum, at the ensemble's end: of equal ones the first, or the last."""
        config, best, valid = self.config, self.o_best.payload, sums.valid
        ended = Cat(sums.payload[name] for name in ("last", *FLAGS.members))
        places: list[list[Value]] = [[] for _ in totals]
        while len(totals) > 1:
            # Of equal ones the lower lane; or the upper one, if it holds an element.
            pairs = list(zip(totals[::2], totals[1::2], strict=True))
            if config.last_wins:
                uppers = [(upper >= lower) & upper[-1] for lower, upper in pairs]
            else:
                uppers = [upper > lower for lower, upper in pairs]
            places = [
                [
                    delay(m, bit, 1, "lane")
                    for bit in (
                        *(Mux(upper, b, a) for a, b in zip(places[2 * k], places[2 * k + 1], strict=True)),
                        upper,
                    )
                ]
                for k, upper in enumerate(uppers)
            ]
            totals = [
                delay(m, Mux(upper, totals[2 * k + 1], totals[2 * k]), 1, "larger") for k, upper in enumerate(uppers)
            ]
            valid, ended = delay(m, valid, 1, "present", reset=True), delay(m, ended, 1, "ended")
        last, *flags = ended
        largest = totals[0][: len(best.sum)]
        late = late_cycles(config)
        first = Signal(init=1)
        index = Signal(config.beat_width, reset_less=True)
        m.d.sync += self.o_best.valid.eq(delay(m, valid & last, late, "ended_before", reset=True))
        place = Cat(*places[0], Mux(first, 0, index))
        with m.If(valid):
            m.d.sync += [first.eq(last), index.eq(Mux(first, 1, index + 1))]
        if late:
            # A sum that is larger replaces the best one a cycle after the comparison, so that this decides a single register.
            # Both sums that may be the best one are compared before the choice of one of them.
            newer, replaces = Signal(best.shape(), name="newer", reset_less=True), Signal(name="replaces")
            larger = Mux(replaces, self._larger(largest, newer.sum), self._larger(largest, best.sum))
            m.d.sync += [replaces.eq(valid & (first | larger)), newer.sum.eq(largest), newer.index.eq(place)]
            with m.If(replaces):
                m.d.sync += [best.sum.eq(newer.sum), best.index.eq(newer.index)]
        else:
            larger = largest >= best.sum if config.last_wins else largest > best.sum
            with m.If(valid & (first | larger)):
                m.d.sync += [best.sum.eq(largest), best.index.eq(place)]
        m.d.sync += [best[name].eq(delay(m, flag, late, name)) for name, flag in zip(FLAGS.members, flags, strict=True)]

    def _larger(self, total: Value, best: Value) -> Value:
        """Whether a sum replaces the best one: the sign of their difference.

        A sign leaves a carry chain as its sum does. The carry of a comparison would need LUTs behind the chain on ECP5.
        """
        return ~(total - best)[-1] if self.config.last_wins else (best - total)[-1]
