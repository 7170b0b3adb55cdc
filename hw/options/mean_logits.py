"""The mean of an ensemble's logits: before the head, the sums of its members' scores."""

from typing import Any

from amaranth import Cat, EnableInserter, Module, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.numbers.ensemble import sum_offset
from softstream.hw.options.member_sum import FLAGS, ensemble_sum
from softstream.hw.plan.ports import sidebands
from softstream.hw.stages.frame import Frame
from softstream.hw.streams.flow import Skid
from softstream.hw.streams.layouts import each_lane, framed_layout, keep_names, pulse, score_layout
from softstream.hw.streams.probes import publish_enable
from softstream.hw.streams.registers import delay

__all__ = ["MeanLogits"]


class _Sums(wiring.Component):
    """Framed beats of the members to beats of sums with their flags. Rigid: `MeanLogits` stops it by a clock enable."""

    def __init__(self, config: Config, after: Config) -> None:
        self._config = config
        # With `select = smallest` the sum is one of complements: Σ code = M·largest − Σ position = ~(Σ position − M·largest − 1).
        start = ~sum_offset(config) if config.selects_smallest else sum_offset(config)
        self.member_sum = ensemble_sum(config, config.score_width, start=start, flat=config.profile == "fast")
        layout = data.StructLayout({"scores": score_layout(after), "flags": FLAGS})
        super().__init__({"i": In(stream.Signature(framed_layout(config))), "o": Out(pulse(layout))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, framed, scores = self._config, self.i.payload, self.o.payload.scores
        lanes = config.lanes
        m.submodules.member_sum = member_sum = self.member_sum
        member, total = member_sum.i.payload, member_sum.o.payload
        passed = ("last", *keep_names(lanes))
        names = zip(each_lane("value", lanes), each_lane("position", lanes), strict=True)
        m.d.comb += [
            member_sum.i.valid.eq(self.i.valid),
            self.i.ready.eq(member_sum.i.ready),
            *(member[value].eq(framed[position]) for value, position in names),
            *(member[name].eq(framed[name]) for name in ("overlong", *passed)),
            self.o.valid.eq(member_sum.o.valid),
            *(
                scores[to].eq(~total[of] if config.selects_smallest else total[of])
                for to, of in zip(each_lane("score", lanes), each_lane("sum", lanes), strict=True)
            ),
            *(scores[name].eq(total[name]) for name in passed),
            *(self.o.payload.flags[name].eq(total[name]) for name in FLAGS.members),
            # Sideband inputs come with each member; those of the last member count.
            *(
                scores[field.name].eq(delay(m, framed[field.name], member_sum.latency, field.name))
                for field in sidebands(config)
            ),
        ]
        return m


class MeanLogits(wiring.Component):
    """score_i = Σ_m code_m,i over the M members of an ensemble, in steps of score_scale / M: the mean of their logits, exact.

        scores ─► frame ─► sums over the members ─► skid ─► scores of one vector per ensemble

    The first member's length is the ensemble's. A missing element of a shorter member counts as its score code of position 0, and
    the surplus elements of a longer member are dropped.

    Ports: `i`, stream of scores of `config`; `o`, that of `after`, its `summed`; `ended`, the flags of the ensemble whose last
    beat is offered at `o`. Latency `memory_cycles(config)` + 4 cycles from a beat of the last member, one beat per cycle. Cuts
    the ready path.
    """

    def __init__(self, config: Config, after: Config) -> None:
        self._config, self._after = config, after
        super().__init__(
            {
                "i": In(stream.Signature(score_layout(config))),
                "o": Out(stream.Signature(score_layout(after))),
                "ended": Out(FLAGS),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        frame, sums = Frame(self._config, indexed=False), _Sums(self._config, self._after)
        m.submodules.skid = skid = Skid(sums.o.payload.shape())
        # One register stops all of it at once, and another one only the frame before the sums.
        accepts, moves = skid.i.ready & sums.i.ready, skid.i.ready
        m.submodules.frame = EnableInserter(accepts)(frame)
        m.submodules.sums = EnableInserter(moves)(sums)
        publish_enable(platform, frame, accepts)
        publish_enable(platform, sums.member_sum, moves)
        m.d.comb += [
            self.i.ready.eq(accepts),
            frame.i.valid.eq(self.i.valid),
            Value.cast(frame.i.payload).eq(Value.cast(self.i.payload)),
            frame.o.ready.eq(1),
            sums.i.valid.eq(frame.o.valid),
            Value.cast(sums.i.payload).eq(Value.cast(frame.o.payload)),
            skid.i.valid.eq(sums.o.valid),
            Value.cast(skid.i.payload).eq(Value.cast(sums.o.payload)),
            self.o.valid.eq(skid.o.valid),
            skid.o.ready.eq(self.o.ready),
            Cat(Value.cast(self.o.payload), Value.cast(self.ended)).eq(Value.cast(skid.o.payload)),
        ]
        return m
