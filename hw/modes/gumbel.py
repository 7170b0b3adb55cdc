"""The sampling head by the Gumbel-max method: a class drawn with its softmax probability, without a sum."""

from collections.abc import Callable
from typing import Any

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.modes.interface import HeadInterface
from softstream.hw.numbers.gumbel import FRACTION, MANTISSA, UPPER_OCTAVES, GumbelTable, gumbel_table
from softstream.hw.numbers.random_words import initial_states, next_states, word_of
from softstream.hw.plan.ports import outputs
from softstream.hw.plan.stage_cycles import draw_cycles, draw_digits, memory_cycles, rise_cycles
from softstream.hw.stages.frame import Frame, code_of
from softstream.hw.stages.maximum import running_maximum
from softstream.hw.stages.random_words import RandomWords
from softstream.hw.streams.adders import digit_products
from softstream.hw.streams.layouts import framed_layout, output_layout, pulse
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import delay, table

__all__ = ["GumbelDraw", "GumbelSample"]


class GumbelDraw(wiring.Component):
    """The element with the largest sum of score and noise; rigid, under a clock enable.

    Ports: `i`, elements; `o`, one draw per vector with the flags that come with its last element; no back-pressure. The
    elements are those of a frame, or with `ranked` those of the layout `ranked`: such an element comes with its index, and
    takes a random word where `word` is set. An element with the bit `mask` takes no part. `latency`: `draw_cycles`, one element
    per cycle.
    """

    def __init__(self, config: Config, noise: GumbelTable, ranked: data.StructLayout | None = None) -> None:
        self._config, self._noise, self._ranked = config, noise, ranked is not None
        self.latency = draw_cycles(config, noise.sum_width(config))
        draw = output_layout(config, outputs(config)[0])
        super().__init__({"i": In(pulse(ranked or framed_layout(config))), "o": Out(pulse(draw))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        position = delay(m, self.i.payload.position, memory_cycles(self._config), "position")
        self._winner(m, self._perturbed(m, position), position)
        publish(platform, self)
        return m

    def _address(self, m: Module, step: Value) -> tuple[Value, Value]:
        """The address {octave, mantissa} and the fraction of the next element's word; `step` tells that the element takes it.

        The words do not depend on the elements. So registers hold what follows from the next two words, from reset on, and an
        element waits for the memory alone.
        """
        noise, states = self._noise, initial_states(self._config.seed)
        later_states = next_states(states)
        first, second = word_of(states), word_of(later_states)
        m.submodules.random_words = random_words = RandomWords(next_states(later_states))
        m.d.comb += random_words.step.eq(step)

        def prefetch(value: Value, name: str, init: int) -> Signal:
            register = Signal(len(value), name=name, init=init)
            with m.If(step):
                m.d.sync += register.eq(value)
            return register

        below = FRACTION + MANTISSA + 1
        word = prefetch(random_words.word[:below], "word", second % (1 << below))
        lower, upper = (
            _zeros(prefetch, name, random_words.word[below:][: octaves - 1], second >> below)
            for name, octaves in (("lower", noise.lower_octaves), ("upper", UPPER_OCTAVES))
        )
        fraction, mantissa, side = word[:FRACTION], word[FRACTION:][:MANTISSA], word[-1]
        address = Signal(noise.address_width)
        m.d.comb += address.eq(Cat(mantissa, Mux(side, upper + noise.lower_octaves, lower)))
        return (
            prefetch(address, "address", noise.address(first)),
            prefetch(fraction, "fraction", first % (1 << FRACTION)),
        )

    def _perturbed(self, m: Module, position: Value) -> Value:
        """The sum of an element's noise and its shifted position, which comes `rise_cycles` + 1 cycles before the sum."""
        config, noise, element = self._config, self._noise, self.i.payload
        memory, rise = memory_cycles(config), rise_cycles(config)
        takes_word: Value = self.i.valid
        if self._ranked:
            takes_word = self.i.valid & element.word
        elif config.mask:
            takes_word = self.i.valid & ~element.mask
        address, fraction = self._address(m, takes_word)
        # A slice has no initial value, which would keep its registers out of the multiplier.
        fraction = delay(m, fraction[:], memory, "fraction_later")

        # A straight line over the segment, above the score.
        base_width, slope_width = noise.base_width, noise.slope_width
        entries = (noise.base | noise.slope << base_width).tolist()
        entry = table(m, "gumbel", base_width + slope_width, entries, address, memory)
        base, slope = entry[:base_width], entry[base_width:]
        width, masked = noise.sum_width(config), config.mask or self._ranked
        start = Signal(width - masked, reset_less=True)
        m.d.sync += start.eq(Cat(C(0, noise.shift), position) + base)
        contender = _noise_sum(m, start, slope, fraction, rise)
        if masked:
            # A masked element is below all others, and equal to every other masked one.
            mask = delay(m, element.mask, memory + rise, "masked")
            contender = Mux(mask, 0, Cat(contender[: len(start)], 1))
        perturbed = Signal(width, reset_less=True)
        m.d.sync += perturbed.eq(contender)
        return perturbed

    def _winner(self, m: Module, perturbed: Value, position: Value) -> None:
        """The first element with the largest sum, and the flags of its vector's end; the arguments are those of `_perturbed`."""
        config, element = self._config, self.i.payload
        latency = 1 + memory_cycles(config) + rise_cycles(config)
        valid = delay(m, self.i.valid, latency, "valid", reset=True)
        begins = delay(m, self.i.valid & element.first, latency, "begins", reset=True)
        digits, high = [], len(perturbed)
        for place, bits in enumerate(draw_digits(config, len(perturbed))):
            high -= bits
            digits.append(delay(m, perturbed[high : high + bits], place, f"perturbed_digit{place}"))
        best, replaced, _ = running_maximum(m, "best", digits, begins, valid & ~begins)

        # What accompanies the sum waits until the comparison is complete.
        comparison = len(digits)
        valid, first = delay(m, valid, comparison, "counted", reset=True), delay(m, begins, comparison, "first_counted")
        position = delay(m, position, 1 + rise_cycles(config) + comparison, "position_later")
        # The comparison tells whether a vector is fully masked.
        names = [flag.name for flag in outputs(config)[0].flags if flag.name != "all_masked"]
        last, *flags = (delay(m, element[name], latency + comparison, f"{name}_later") for name in ("last", *names))
        m.d.sync += [
            self.o.valid.eq(valid & last),
            *(self.o.payload[name].eq(flag) for name, flag in zip(names, flags, strict=True)),
        ]
        if config.mask:
            m.d.comb += self.o.payload.all_masked.eq(delay(m, ~best[0][-1], comparison, "all_masked"))
        following = Signal(config.index_width, reset_less=True, name="index")  # of the next element
        index: Value = Mux(first, 0, following)
        if self._ranked:
            index = delay(m, element.index, latency + comparison, "index_later")
        else:
            with m.If(valid):
                m.d.sync += following.eq(Mux(first, 1, following + 1))
        with m.If(replaced):
            m.d.sync += [self.o.payload.index.eq(index), self.o.payload.score.eq(code_of(config, position))]


def _noise_sum(m: Module, start: Value, slope: Value, fraction: Value, cycles: int) -> Value:
    """start + floor(slope·fraction / 2^`FRACTION`), `cycles` of `rise_cycles` after the factors; `start` comes after one."""
    if cycles == 1:
        rise = Signal(len(slope) + FRACTION, reset_less=True)
        m.d.sync += rise.eq(slope * fraction)
        return start + rise[FRACTION:]
    # The start takes a place in the tree of adders, which so needs no cycle more than that of the product.
    low, middle, high = digit_products(m, "rise", slope, fraction)
    lower, upper = low + middle, high + Cat(C(0, FRACTION), start)
    return (delay(m, lower, 1, "lower_sum") + delay(m, upper, 1, "upper_sum"))[FRACTION:]


def _zeros(prefetch: Callable[[Value, str, int], Value], name: str, bits: Value, initial: int) -> Value:
    """The number of zeros below the lowest one; the number of bits where no bit is one.

    Groups of four bits are looked at before the registers of `prefetch`, and the choice among the groups happens behind them.
    At reset they hold what follows from the bits of `initial`.
    """
    count: Value = C(0, 1)
    # A one beyond the highest bit ends the count.
    padded, initial = Cat(bits, C(-1, 4)), initial | 0b1111 << len(bits)
    for low in reversed(range(0, len(bits) + 1, 4)):
        group, first = padded[low : low + 4], [initial >> low + place & 1 for place in range(4)]
        (low_bit, high_bit), (low_init, high_init) = _place(group), _place(first)
        within = prefetch(Cat(low_bit, high_bit), f"{name}_within_{low}", low_init | high_init << 1)
        here: Value = Cat(within, C(low // 4, ceil_log2(len(bits) // 4 + 1)))
        if low + 4 <= len(bits):
            here = Mux(prefetch(group.any(), f"{name}_any_{low}", int(any(first))), here, count)
        count = here
    return count


def _place(group: Any) -> tuple[Any, Any]:
    """Both bits of the place of the first one among four bits that are not all zero, low bit first."""
    return (group[0] ^ 1) & (group[1] | (group[2] ^ 1)), (group[0] | group[1]) ^ 1


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
