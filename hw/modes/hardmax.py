"""Hardmax: 1.0 at the first index of each vector's largest score, 0 elsewhere."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.plan.hardmax import HARDMAX_VECTORS
from softstream.hw.plan.ports import outputs
from softstream.hw.plan.schedule import maximum_latency, skewed
from softstream.hw.stages.frame import Frame
from softstream.hw.stages.maximum import Maximum, SkewedMaximum
from softstream.hw.streams.flow import Credit, Queue
from softstream.hw.streams.layouts import each_lane, keep_names, probability_layout
from softstream.hw.streams.registers import delay

__all__ = ["Hardmax", "OneHot", "one_hot_layout"]


def flags(config: Config) -> list[str]:
    """Names of a vector's flags."""
    return [flag.name for flag in outputs(config)[0].flags]


def one_hot_layout(config: Config) -> data.StructLayout:
    """A vector to put out: beats behind its first one, beats before its winner's and the winner's lane; whether they are 0;
    which lanes of the last beat hold an element; the flags."""
    return data.StructLayout(
        {
            "left": config.beat_width,
            "before": config.beat_width,
            "lane": ceil_log2(config.lanes),
            "alone": 1,
            "leads": 1,
            **dict.fromkeys(keep_names(config.lanes), 1),
            **dict.fromkeys(flags(config), 1),
        }
    )


class OneHot(wiring.Component):
    """The elements of a vector, of which one is 1.0.

    Ports: `i`, stream of vectors; `o`, stream of elements. Latency 1 cycle from a vector to its first beat, one beat per
    cycle, no bubble between vectors. Passes the ready path from `o` to `i`.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        super().__init__(
            {"i": In(stream.Signature(one_hot_layout(config))), "o": Out(stream.Signature(probability_layout(config)))}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, vector, out = self._config, self.i.payload, self.o.payload
        current = Signal(one_hot_layout(config), reset_less=True)
        step = Signal()
        # Whether the beat at the output is the last one, and the winner's, is known a beat ahead.
        m.d.comb += [
            step.eq(self.o.valid & self.o.ready),
            self.i.ready.eq(~self.o.valid | (step & current.alone)),
        ]
        with m.If(self.i.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid), Value.cast(current).eq(Value.cast(vector))]
        with m.Elif(step):
            # Behind the winner `before` goes on below 0, and would come to the winner again 2^beat_width beats later: no vector
            # has as many.
            m.d.sync += [
                current.left.eq(current.left - 1),
                current.alone.eq(current.left == 1),
                current.before.eq(current.before - 1),
                current.leads.eq(current.before == 1),
            ]
        for lane, name in enumerate(each_lane("probability", config.lanes)):
            m.d.comb += out[name].eq(Mux(current.leads & (current.lane == lane), config.probability_maximum, 0))
        m.d.comb += [out[name].eq(~current.alone | current[name]) for name in keep_names(config.lanes)]
        m.d.comb += [out.last.eq(current.alone), *(out[name].eq(current[name]) for name in flags(config))]
        return m


class Hardmax(HeadInterface):
    """o_i = 1 for i = min{j : x_j = max x}, else 0: N elements per vector in the code of a probability; where all is masked, 0.

        scores ─► frame ─► maximum ─► queue of winners and lengths ─► one-hot

    Ports: `i`, stream of scores; `o`, stream of {probability, last, overlong}, one beat per beat of scores, with several
    lanes as the softmax has them. No score is stored: `HARDMAX_VECTORS` winners may wait with the lengths of their vectors,
    and the last score of the one behind them waits. Latency B + `hardmax_latency(config)` cycles, B the vector's beats; one
    beat per cycle, no bubble between vectors of equal length. Cuts the ready path.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        is_skewed = skewed(config)
        m.submodules.frame = frame = Frame(config, indexed=not is_skewed)
        m.submodules.maximum = maximum = (SkewedMaximum if is_skewed else Maximum)(config)
        m.submodules.credit = credit = Credit(HARDMAX_VECTORS, 1)
        m.submodules.queue = queue = Queue(one_hot_layout(config), HARDMAX_VECTORS)
        m.submodules.one_hot = one_hot = OneHot(config)
        wiring.connect(m, wiring.flipped(self.i), frame.i)
        framed, element, ends = frame.o.payload, Signal(), Signal()
        m.d.comb += [
            frame.o.ready.eq(credit.available | ~framed.last),
            element.eq(frame.o.valid & frame.o.ready),
            ends.eq(element & framed.last),
            credit.take.eq(ends),
            credit.give.eq(queue.o.valid & queue.o.ready),
            maximum.i.valid.eq(element),
            Value.cast(maximum.i.payload).eq(Value.cast(framed)),
            # The winner is taken at once: its credit was there before.
            [] if is_skewed else maximum.o.ready.eq(1),
        ]
        # The length is counted beside the winner, which is cheaper than a length delayed.
        cycles = maximum_latency(config) - 1
        counted = delay(m, element, cycles, "counted", reset=True)
        at_last = delay(m, ends, cycles, "ends", reset=True)
        starts, alone = Signal(init=1), Signal(reset_less=True)
        left = Signal(config.beat_width, reset_less=True)
        with m.If(counted):
            m.d.sync += [starts.eq(at_last), alone.eq(starts), left.eq(Mux(starts, 0, left + 1))]
        lane_bits = ceil_log2(config.lanes)
        winner, vector = maximum.o.payload, queue.i.payload
        before = Cat(winner.index[lane_bits:], Const(0, 1))[: config.beat_width]
        m.d.comb += [
            queue.i.valid.eq(maximum.o.valid),
            vector.left.eq(left),
            vector.before.eq(before),
            vector.lane.eq(winner.index[:lane_bits]),
            vector.alone.eq(alone),
            # Where all is masked no beat comes to be the winner's, for the same reason as behind it.
            vector.leads.eq((before == 0) & ~winner.all_masked if config.mask else before == 0),
            *(
                vector[name].eq(delay(m, framed[name], maximum_latency(config), name))
                for name in keep_names(config.lanes)
            ),
            *(vector[name].eq(winner[name]) for name in flags(config)),
        ]
        wiring.connect(m, queue.o, one_hot.i)
        wiring.connect(m, one_hot.o, wiring.flipped(self.o))
        return m
