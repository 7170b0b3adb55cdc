"""The winner: the largest position and its index, the first or the last among equal ones.

A contender x replaces the largest one so far, m, if x > m, and with `tie = last` if x >= m and x takes part. Masked elements and
lanes without an element have position 0, so without the second condition they would replace an element of position 0.
"""

from typing import Any

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.plan.stage_cycles import comparison, maximum_latency, skewed
from softstream.hw.stages.frame import code_of, masks, takes_part
from softstream.hw.streams.layouts import each_lane, framed_layout, pulse, winner_layout
from softstream.hw.streams.registers import delay

__all__ = ["PairMaximum", "maximum_of", "Maximum", "SkewedMaximum", "contenders_layout", "replaces"]


def contenders_layout(config: Config, count: int) -> data.StructLayout:
    """A beat with `count` contenders left: their positions and lanes; with all lanes left, a framed beat.

    With `Settings.marks_participants` the bit above a position tells that the contender takes part.
    """
    if count == config.lanes:
        return framed_layout(config)
    lane_bits = (config.lanes // count - 1).bit_length()
    return data.StructLayout(
        {
            **dict.fromkeys(each_lane("position", count), config.contender_width),
            **dict.fromkeys(each_lane("lane", count), lane_bits),
            "index": config.beat_width,
            "first": 1,
            "last": 1,
            "overlong": 1,
        }
    )


def contenders(config: Config, beat: Any) -> list[Value]:
    """The numbers that the lanes compare: positions, below a bit that is set if the element takes part."""
    positions = [beat[name] for name in each_lane("position", config.lanes)]
    if not config.marks_participants:
        return positions
    # So a masked element never exceeds an unmasked one.
    if config.mask:
        return [Cat(position, ~mask) for position, mask in zip(positions, masks(config, beat), strict=True)]
    return [Cat(position, takes_part(config, beat, lane)) for lane, position in enumerate(positions)]


def replaces(config: Config, contender: Value, rest: Value) -> Value:
    """Whether a contender replaces the largest one so far, whose complement is `rest`."""
    if not config.last_wins:
        return (contender + rest)[-1]
    # One bit below brings a carry into the chain: x + rest + 1 carries exactly if x is not smaller.
    carry = contender[-1] if config.marks_participants else C(1, 1)
    return (Cat(carry, contender) + Cat(C(1, 1), rest))[-1]


class PairMaximum(wiring.Component):
    """One level of the tree: the larger position of two neighbouring lanes, of equal ones the lower lane, or the upper one.

    A lane that holds no element, or a masked one, never beats the one below it.

    Ports: `i`, stream of beats of `count` contenders; `o`, of half as many. Latency 1 cycle, one beat per cycle. Passes
    the ready path from `o` to `i`.
    """

    def __init__(self, config: Config, count: int) -> None:
        self._config, self._count = config, count
        super().__init__(
            {
                "i": In(stream.Signature(contenders_layout(config, count))),
                "o": Out(stream.Signature(contenders_layout(config, count // 2))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        before, after = self.i.payload, self.o.payload
        if self._count == self._config.lanes:
            positions = contenders(self._config, before)
        else:
            positions = [before[name] for name in each_lane("position", self._count)]
        # In the first level a contender's place is its lane.
        lanes = [before[name] for name in each_lane("lane", self._count) if name in before.shape().members]
        pairs = zip(positions[::2], positions[1::2], strict=True)
        if self._config.last_wins:
            uppers = [(upper >= lower) & upper[-1] for lower, upper in pairs]
        else:
            uppers = [upper > lower for lower, upper in pairs]
        m.d.comb += self.i.ready.eq(self.o.ready | ~self.o.valid)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid)
            m.d.sync += [after[name].eq(before[name]) for name in ("index", "first", "last", "overlong")]
            names = zip(each_lane("position", self._count // 2), each_lane("lane", self._count // 2), strict=True)
            for pair, (position, lane) in enumerate(names):
                lower, upper = 2 * pair, 2 * pair + 1
                chosen = [Mux(uppers[pair], lanes[upper], lanes[lower])] if lanes else []
                m.d.sync += [
                    after[position].eq(Mux(uppers[pair], positions[upper], positions[lower])),
                    after[lane].eq(Cat(*chosen, uppers[pair])),
                ]
        return m


class Maximum(wiring.Component):
    """index = min{i : x_i = max x}, on the raw scores: exact in every mode.

    A later element replaces the winner only where it is strictly larger, so the first index wins a tie (NumPy's and
    ONNX's rule): across lanes in a tree of `PairMaximum`s, across beats in a loop behind it.

    Ports: `i`, stream of framed beats; `o`, stream of winners, one per vector. Latency `maximum_latency(config)` cycles from the
    vector's last beat, 1 for one lane and 1 more whenever the lanes double; one beat per cycle, no bubble between
    vectors. A winner that is not taken stops `i`. Passes the ready path from `o` to `i`.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        super().__init__(
            {"i": In(stream.Signature(framed_layout(config))), "o": Out(stream.Signature(winner_layout(config)))}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        # The complement of the largest position so far: x + rest carries exactly if x is larger. A comparison with the position
        # itself would begin with an inverter.
        rest = Signal(config.contender_width)
        beats: Any = self.i
        count: int = config.lanes
        while count > 1:
            m.submodules[f"pair_maximum_{count}"] = pair = PairMaximum(config, count)
            m.d.comb += [
                pair.i.valid.eq(beats.valid),
                Value.cast(pair.i.payload).eq(Value.cast(beats.payload)),
                beats.ready.eq(pair.i.ready),
            ]
            beats, count = pair.o, count // 2
        element = beats.payload
        width = config.score_width
        index = Cat(element.lane, element.index) if config.lanes > 1 else element.index
        contender = element.position if config.lanes > 1 else contenders(config, element)[0]
        larger = replaces(config, contender, rest)
        advance = self.o.ready | ~self.o.valid
        m.d.comb += [
            beats.ready.eq(advance),
            self.o.payload.score.eq(_code_of_complement(config, rest[:width])),
            self.o.payload.all_masked.eq(rest[width]) if config.mask else [],
        ]
        with m.If(advance):
            m.d.sync += [
                self.o.valid.eq(beats.valid & element.last),
                self.o.payload.overlong.eq(element.overlong),
            ]
            with m.If(beats.valid & (element.first | larger)):
                m.d.sync += [rest.eq(~contender), self.o.payload.index.eq(index)]
        return m


class SkewedMaximum(wiring.Component):
    """The same winners, from comparisons of one or a few bits (`comparison`), each a cycle after the last.

    With single bits stage d of the loop holds bit d of the largest position so far, m, the highest bit first, and works on a
    beat d cycles after stage 0 does. The stage above hands down, through a register, its knowledge of the beat's position x:
    `greater` (x exceeds m in a bit above), `equal` (no bit above differs) or neither (x is smaller). Then

        greater' = greater or (equal and x_d > m_d)      equal' = equal and x_d = m_d      m_d' = x_d if greater' else m_d

    and the first beat of a vector begins as `greater`, a cycle without a beat as neither.

    That is max(m, x), bit by bit, as long as stage d holds bit d of m when x arrives; it does, for the beat before left
    it one cycle ago. Let b be the highest bit in which x and m differ. Above b, x and m are equal and nothing is replaced.
    If x_b > m_b, bit b is replaced and, with `greater` from above, so is every bit below. If x_b < m_b, neither flag
    is set below b, and nothing is replaced. If no bit differs, nothing is replaced. So m becomes x where x > m and stays
    where not; the `greater` behind the last bit tells which, and as it means strictly, the first of equal maxima stays.

    With several bits in a stage the same argument holds for digits in the place of bits.

    With `tie = last` the result behind the last bit is `greater or equal`. A beat that takes no part begins with neither flag,
    so that it replaces nothing.

    Two neighbouring lanes are compared in the same way, the lower lane in the place of m, and the larger bit goes on to
    the next level of the tree a cycle later: a level costs one cycle, not one per bit.

    Ports: `i`, framed beats, and `o`, winners, both without back-pressure. Latency `maximum_latency(config)` cycles from the
    vector's last beat, one beat per cycle. The configuration is one whose comparison is `skewed`.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        super().__init__({"i": In(pulse(framed_layout(config))), "o": Out(pulse(winner_layout(config)))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, beat = self._config, self.i.payload
        digits, levels = comparison(config), ceil_log2(config.lanes)
        lows = [sum(digits[place + 1 :]) for place in range(len(digits))]
        contending = [
            [
                delay(m, position[low : low + digit], place, f"{name}_bit{place}")
                for place, (low, digit) in enumerate(zip(lows, digits, strict=True))
            ]
            for name, position in zip(each_lane("position", config.lanes), contenders(config, beat), strict=True)
        ]
        lanes: list[list[Value]] = [[] for _ in contending]
        for level in range(levels):
            pairs = list(zip(contending[::2], contending[1::2], strict=True))
            comparisons = [
                _compare(
                    m, *pair, f"level{level}_{place}", equal=_takes_part(config, pair[1]), last_wins=config.last_wins
                )
                for place, pair in enumerate(pairs)
            ]
            contending = [[delay(m, bit, 1, "larger") for bit in larger] for larger, _ in comparisons]
            # The results of the levels below wait for the result of this one.
            earlier = [[delay(m, bit, 1, "lane") for bit in lane] for lane in lanes]
            lanes = [
                [*(Mux(upper, b, a) for a, b in zip(earlier[2 * place], earlier[2 * place + 1], strict=True)), upper]
                for place, (_, upper) in enumerate(comparisons)
            ]
        valid = delay(m, self.i.valid, levels, "valid", reset=True)
        first = delay(m, beat.first, levels, "first")
        # A digit that is compared by a carry is stored inverted, so that the carry chain begins with no inverter.
        stored = [Signal(digit, name=f"best_bit{place}", reset_less=True) for place, digit in enumerate(digits)]
        best = [~digit if len(digit) > 2 else digit for digit in stored]
        continues = valid & ~first
        if config.last_wins and config.marks_participants:
            continues &= _takes_part(config, contending[0])
        following, replaced = _compare(
            m, best, contending[0], "best", valid & first, continues, last_wins=config.last_wins
        )
        m.d.sync += [
            digit.eq(~larger if len(digit) > 2 else larger) for digit, larger in zip(stored, following, strict=True)
        ]

        # The index is counted anew, which is cheaper than a delay of the index. Reset means "behind a vector's last beat", so
        # the index needs no reset of its own.
        cycles = maximum_latency(config)
        ends = delay(m, self.i.valid & beat.last, cycles - 2, "ends", reset=True)
        counted = delay(m, valid, cycles - 1 - levels, "counted", reset=True)
        at_last = Signal(init=1)
        index = Signal(config.beat_width, reset_less=True)
        m.d.sync += [at_last.eq(ends), index.eq(Mux(at_last, 0, index + counted))]
        lane = Cat(delay(m, bit, 1, "lane") for bit in lanes[0])
        winner_index = Signal.like(index, name="winner_index")
        winner_lane = Signal(len(lane), reset_less=True)
        with m.If(replaced):
            m.d.sync += [winner_index.eq(index), winner_lane.eq(lane)]
        # The highest bit arrives first and waits for the others.
        score = Cat(
            reversed([delay(m, digit, len(digits) - place, f"score_bit{place}") for place, digit in enumerate(best)])
        )
        m.d.comb += [
            self.o.valid.eq(delay(m, ends, 2, "done", reset=True)),
            self.o.payload.index.eq(Cat(winner_lane, winner_index)),
            self.o.payload.score.eq(code_of(config, score[: config.score_width])),
            self.o.payload.all_masked.eq(~score[-1]) if config.mask else [],
            self.o.payload.overlong.eq(delay(m, beat.overlong, cycles, "overlong")),
        ]
        return m


def _code_of_complement(config: Config, rest: Value) -> Value:
    """The score code of the position whose complement is `rest`, without a double inversion of any bit."""
    if config.selects_smallest:
        return Cat(rest[:-1], rest[-1] ^ config.score_signed)
    return Cat(~rest[:-1], rest[-1] ^ (not config.score_signed))


def maximum_of(config: Config) -> Maximum | SkewedMaximum:
    """The maximum that the configuration's profile asks for."""
    return (SkewedMaximum if skewed(config) else Maximum)(config)


def _takes_part(config: Config, digits: list[Value]) -> Value:
    """Whether a contender may win over an equal one: the top bit of its first digit where the last of equal ones wins."""
    return digits[0][-1] if config.last_wins and config.marks_participants else C(1, 1)


def _compare(
    m: Module,
    lower: list[Value],
    upper: list[Value],
    name: str,
    greater: Value | int = 0,
    equal: Value | int = 1,
    *,
    last_wins: bool = False,
) -> tuple[list[Value], Value]:
    """Digits of the larger of two numbers, the highest first and each a cycle after the one above it.

    The second result tells, a cycle after the last digit, whether `upper` was the larger one, or with `last_wins` not the
    smaller one. `greater` and `equal` state the relation before the first digit.
    """
    larger: list[Value] = []
    exceeds, same = Value.cast(greater), Value.cast(equal)
    for place, (low, high) in enumerate(zip(lower, upper, strict=True)):
        if len(low) == 1:
            # Gates instead of a multiplexer, from which synthesis would make an enable for each bit, slower than the bit itself.
            larger.append((low & ~exceeds) | (high & (exceeds | same)))
            exceeds, same = exceeds | (same & high & ~low), same & ~(high ^ low)
        else:
            exceeds = exceeds | (same & _above(high, low))
            larger.append(Mux(exceeds, high, low))
            same = same & (high == low)
        if last_wins and place == len(lower) - 1:
            exceeds = exceeds | same
        exceeds = delay(m, exceeds, 1, f"{name}_greater{place}")
        same = delay(m, same, 1, f"{name}_equal{place}")
    return larger, exceeds


def _above(high: Value, low: Value) -> Value:
    if len(low) == 2:
        return (high[1] & ~low[1]) | (~(high[1] ^ low[1]) & high[0] & ~low[0])
    # The carry alone, because a comparison would consist of the same carries and a test for equality.
    return (high + ~low)[-1]
