"""Hardmax: 1.0 at the first index of each vector's largest score, 0 elsewhere."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.plan.modes.hardmax import HARDMAX_VECTORS
from softstream.hw.plan.ports import outputs
from softstream.hw.plan.stage_cycles import maximum_latency, skewed
from softstream.hw.stages.admission import Admission, Room
from softstream.hw.stages.frame import Frame
from softstream.hw.stages.maximum import maximum_of
from softstream.hw.streams.flow import Queue
from softstream.hw.streams.layouts import each_lane, keep_names, probability_layout
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import delay

__all__ = ["Hardmax", "OneHot", "one_hot_layout"]


def flags(config: Config) -> list[str]:
    """Names of a vector's flags."""
    return [flag.name for flag in outputs(config)[0].flags]


def one_hot_layout(config: Config) -> data.StructLayout:
    """A vector on its way to the output.

    `left` beats follow the current one, and `alone` says that none does; `before` beats precede the winner's, and `leads` says
    that none does; `lane` is the winner's lane. The rest are the last beat's `keep` bits and the vector's flags.
    """
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
    """o_i = 1.0 for the winner's index i, else 0.

    Ports: `i`, stream of vectors; `o`, stream of elements. Latency 1 cycle from a vector to its first beat, one beat per
    cycle, no bubble between vectors. Passes the ready path from `o` to `i`.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {"i": In(stream.Signature(one_hot_layout(config))), "o": Out(stream.Signature(probability_layout(config)))}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, vector, out = self.config, self.i.payload, self.o.payload
        current = Signal(one_hot_layout(config), reset_less=True)
        step = Signal()
        # Registers tell a beat ahead whether a beat is the last one, and whether it holds the winner.
        m.d.comb += [
            step.eq(self.o.valid & self.o.ready),
            self.i.ready.eq(~self.o.valid | (step & current.alone)),
        ]
        with m.If(self.i.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid), Value.cast(current).eq(Value.cast(vector))]
        with m.Elif(step):
            # Behind the winner `before` wraps below 0. It would reach 1 again after more beats than any vector has.
            m.d.sync += [
                current.left.eq(current.left - 1),
                current.alone.eq(current.left == 1),
                current.before.eq(current.before - 1),
                current.leads.eq(current.before == 1),
            ]
        zero, one = config.probability_codes
        for lane, name in enumerate(each_lane("probability", config.lanes)):
            m.d.comb += out[name].eq(Mux(current.leads & (current.lane == lane), one, zero))
        m.d.comb += [out[name].eq(~current.alone | current[name]) for name in keep_names(config.lanes)]
        m.d.comb += [out.last.eq(current.alone), *(out[name].eq(current[name]) for name in flags(config))]
        publish(platform, self, **{name: current[name] for name in current.shape().members})
        return m


class Hardmax(HeadInterface):
    """o_i = 1 for i = min{j : x_j = max x}, else 0, in the code of a probability; a fully masked vector is all 0.

        scores ─► frame ─► maximum ─► queue of winners and lengths ─► one-hot

    Ports: `i`, stream of scores; `o`, stream of {probability, last, overlong}, one beat per beat of scores, with the lanes of
    the softmax. The head stores no score: `HARDMAX_VECTORS` winners may wait with the lengths of their vectors, and then the
    last score of the next vector waits. Latency B + `hardmax_latency(config)` cycles, B the vector's beats; one
    beat per cycle, no bubble between vectors of equal length. Cuts the ready path.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        m.submodules.frame = frame = Frame(config, indexed=not skewed(config))
        m.submodules.maximum = maximum = maximum_of(config)
        admission = Admission(m, frame, interval=0, vectors={"credit": Room(HARDMAX_VECTORS, 1)})
        m.submodules.queue = queue = Queue(one_hot_layout(config), HARDMAX_VECTORS)
        m.submodules.one_hot = one_hot = OneHot(config)
        wiring.connect(m, wiring.flipped(self.i), frame.i)
        framed = frame.o.payload
        admission.enter(m, maximum, framed)
        m.d.comb += [
            admission.credits["credit"].give.eq(queue.o.valid & queue.o.ready),
            # The queue takes the winner at once, because its vector has a credit.
            [] if skewed(config) else maximum.o.ready.eq(1),
        ]
        # A second counter follows the winner, which is cheaper than a delay of the length.
        cycles = maximum_latency(config) - 1
        counted = delay(m, admission.element, cycles, "counted", reset=True)
        at_last = delay(m, admission.ends, cycles, "ends", reset=True)
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
            # In a fully masked vector `before` wraps at its first beat, so no beat holds a winner.
            vector.leads.eq((before == 0) & ~winner.all_masked if config.mask else before == 0),
            *(
                vector[name].eq(delay(m, framed[name], maximum_latency(config), name))
                for name in keep_names(config.lanes)
            ),
            *(vector[name].eq(winner[name]) for name in flags(config)),
        ]
        wiring.connect(m, queue.o, one_hot.i)
        wiring.connect(m, one_hot.o, wiring.flipped(self.o))
        publish(platform, self, starts=starts)
        return m
