"""The sampling head by the Gumbel-max method: a class drawn with its softmax probability, without a sum."""

from typing import Any

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.numbers.gumbel import FRACTION, MANTISSA, UPPER_OCTAVES, GumbelTable, gumbel_table
from softstream.hw.plan.ports import outputs
from softstream.hw.plan.stage_cycles import memory_cycles
from softstream.hw.stages.frame import Frame, code_of
from softstream.hw.stages.random_words import RandomWords
from softstream.hw.streams.layouts import framed_layout, output_layout, pulse
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import delay, table

__all__ = ["GumbelDraw", "GumbelSample"]


class GumbelDraw(wiring.Component):
    """The element with the largest sum of score and noise; rigid, under a clock enable.

    Ports: `i`, elements; `o`, one draw per vector with the flags that come with its last element; no back-pressure. The
    elements are those of a frame, or with `ranked` those of the layout `ranked`: such an element comes with its index, and
    takes a random word where `word` is set. An element with the bit `mask` takes no part. `latency`: `memory_cycles(config)` + 5
    cycles, one element per cycle.
    """

    def __init__(self, config: Config, noise: GumbelTable, ranked: data.StructLayout | None = None) -> None:
        self._config, self._noise, self._ranked = config, noise, ranked is not None
        self.latency = memory_cycles(config) + 5
        draw = output_layout(config, outputs(config)[0])
        super().__init__({"i": In(pulse(ranked or framed_layout(config))), "o": Out(pulse(draw))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, noise = self._config, self._noise
        masked = config.mask or self._ranked
        memory = memory_cycles(config)
        m.submodules.random_words = random_words = RandomWords(config.seed)
        takes_word: Value = self.i.valid
        if self._ranked:
            takes_word = self.i.valid & self.i.payload.word
        elif config.mask:
            takes_word = self.i.valid & ~self.i.payload.mask
        m.d.comb += random_words.step.eq(takes_word)

        # The octave of the word, and with it the address {octave, mantissa}.
        zeros = random_words.word[FRACTION + MANTISSA + 1 :]
        word = delay(m, random_words.word[: FRACTION + MANTISSA + 1], 1, "word")
        fraction, mantissa, side = word[:FRACTION], word[FRACTION:][:MANTISSA], word[-1]
        address = Signal(noise.address_width, reset_less=True)
        lower = _zeros(m, "lower", zeros[: noise.lower_octaves - 1])
        upper = _zeros(m, "upper", zeros[: UPPER_OCTAVES - 1])
        m.d.sync += address.eq(Cat(mantissa, Mux(side, upper + noise.lower_octaves, lower)))
        fraction = delay(m, fraction, 1 + memory, "fraction")

        # A straight line over the segment, above the score.
        base_width, slope_width = noise.base_width, noise.slope_width
        entries = (noise.base | noise.slope << base_width).tolist()
        entry = table(m, "gumbel", base_width + slope_width, entries, address, memory)
        base, slope = entry[:base_width], entry[base_width:]
        position = delay(m, self.i.payload.position, 2 + memory, "position")
        largest = (((1 << config.score_width) - 1) << noise.shift) + noise.noise_maximum
        start = Signal(range(largest + 1), reset_less=True)
        rise = Signal(FRACTION + slope_width, reset_less=True)
        m.d.sync += [start.eq(Cat(C(0, noise.shift), position) + base), rise.eq(slope * fraction)]
        perturbed = Signal(len(start) + masked, reset_less=True)
        contender: Value = start + rise[FRACTION:]
        if masked:
            # A masked element is below all others, and equal to every other masked one.
            contender = Mux(delay(m, self.i.payload.mask, 3 + memory, "masked"), 0, Cat(contender[: len(start)], 1))
        m.d.sync += perturbed.eq(contender)

        # The first index of the largest sum. The register holds that sum's complement, so that a carry tells of a larger one.
        cycles = self.latency - 1
        valid = delay(m, self.i.valid, cycles, "valid", reset=True)
        # The comparison tells whether a vector is fully masked.
        names = [flag.name for flag in outputs(config)[0].flags if flag.name != "all_masked"]
        first, last, *flags = (delay(m, self.i.payload[name], cycles, name) for name in ("first", "last", *names))
        position = delay(m, position, 2, "position_later")
        rest = Signal.like(perturbed, reset_less=True)
        m.d.sync += [
            self.o.valid.eq(valid & last),
            *(self.o.payload[name].eq(flag) for name, flag in zip(names, flags, strict=True)),
        ]
        if config.mask:
            m.d.comb += self.o.payload.all_masked.eq(rest[-1])
        following = Signal(config.index_width, reset_less=True, name="index")  # of the next element
        index: Value = Mux(first, 0, following)
        if self._ranked:
            index = delay(m, self.i.payload.index, cycles, "index_later")
        begins = delay(m, self.i.valid & self.i.payload.first, cycles, "begins", reset=True)
        if not self._ranked:
            with m.If(valid):
                m.d.sync += following.eq(Mux(first, 1, following + 1))
        with m.If(begins | (valid & (perturbed + rest)[-1])):
            m.d.sync += [
                rest.eq(~perturbed),
                self.o.payload.index.eq(index),
                self.o.payload.score.eq(code_of(config, position)),
            ]
        publish(platform, self)
        return m


def _zeros(m: Module, name: str, bits: Value) -> Value:
    """The number of zeros below the lowest one, a cycle later; the number of bits where no bit is one.

    Groups of four bits are looked at before the register, and the choice among the groups happens behind it.
    """
    count: Value = C(0, 1)
    # A one beyond the highest bit ends the count.
    padded = Cat(bits, C(-1, 4))
    for low in reversed(range(0, len(bits) + 1, 4)):
        group = padded[low : low + 4]
        within = delay(m, Cat(~group[0] & (group[1] | ~group[2]), ~(group[0] | group[1])), 1, f"{name}_within_{low}")
        here = Cat(within, C(low // 4, ceil_log2(len(bits) // 4 + 1)))
        count = here if low + 4 > len(bits) else Mux(delay(m, group.any(), 1, f"{name}_any_{low}"), here, count)
    return count


class GumbelSample(HeadInterface):
    """A draw per vector: index = argmax_i (x_i + G_i), the G_i independent with P(G <= g) = exp(−e^−g).

    Class i has probability softmax(x)_i within the bound of `numbers/gumbel.py`. Of equal sums the first index wins. The
    random words step once for every element that takes part, so dropped and masked elements take no word. The n-th such
    element after reset has the n-th word of `seed`, whatever the stalls and the lengths of the vectors, so that the draws are
    those of the golden model and the same after every reset.

    Ports: `i`, stream of scores; `o`, stream of {index, score, overlong}, one per vector, with the score of the drawn class.
    Latency `sample_latency(config)` cycles from the vector's last element, one element per cycle, no bubble between vectors.
    Cuts the ready path; profile small passes it.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        self._streamed(m, platform, Frame(config, indexed=False), "draw", GumbelDraw(config, gumbel_table(config)))
        return m
