"""The winner: the largest position and its index, the first or the last among equal ones.

A contender x replaces the largest one so far, m, if x > m, and with `tie = last` if x >= m and x takes part. Masked elements and
lanes without an element have position 0, so without the second condition they would replace an element of position 0.

The margin is the distance of the largest position from the largest one of the others. Every element but the winner loses one
comparison: in the tree over the lanes, or in the loop. So the largest of all losers is the second best element. The bit above a
position tells whether it exists.
"""

from typing import Any

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.plan.stage_cycles import comparison, margin_cycles, maximum_latency, second_cycles, skewed
from softstream.hw.stages.frame import code_of, masks, takes_part
from softstream.hw.streams.layouts import each_lane, framed_layout, pulse, winner_layout
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import delay

__all__ = [
    "PairMaximum",
    "maximum_of",
    "Maximum",
    "SkewedMaximum",
    "contenders_layout",
    "margin_of",
    "replaces",
    "running_maximum",
]


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
            **(dict.fromkeys(each_lane("second", count), config.contender_width) if config.has_margin else {}),
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


def margin_of(best: Value, second: Value) -> Value:
    """best − second, of positions below the bit that tells whether the element exists.

    The largest code where there is no second one, and 0 where there is none at all.
    """
    width = len(best) - 1
    return Mux(second[-1], (best[:-1] - second[:-1])[:width], best[-1].replicate(width))


def _larger(one: Value, other: Value) -> Value:
    return Mux(one > other, one, other)


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
            if self._config.has_margin:
                seconds = [before[name] for name in each_lane("second", self._count) if lanes]
                for pair, second in enumerate(each_lane("second", self._count // 2)):
                    lower, upper = 2 * pair, 2 * pair + 1
                    losers = positions[lower], positions[upper]
                    if seconds:
                        losers = _larger(losers[0], seconds[upper]), _larger(losers[1], seconds[lower])
                    m.d.sync += after[second].eq(Mux(uppers[pair], *losers))
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
        self.config = config
        super().__init__(
            {"i": In(stream.Signature(framed_layout(config))), "o": Out(stream.Signature(winner_layout(config)))}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        # The complement of the largest position so far: x + rest carries exactly if x is larger. A comparison with the position
        # itself would begin with an inverter.
        rest = Signal(config.contender_width)
        beats: Any = self.i
        count: int = config.lanes
        published: dict[str, Any] = {}
        while count > 1:
            m.submodules[f"pair_maximum_{count}"] = pair = PairMaximum(config, count)
            m.d.comb += [
                pair.i.valid.eq(beats.valid),
                Value.cast(pair.i.payload).eq(Value.cast(beats.payload)),
                beats.ready.eq(pair.i.ready),
            ]
            published |= {f"valid_{count}": pair.o.valid, f"last_{count}": pair.o.payload.last}
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
        if config.has_margin:
            second, other = Signal(config.contender_width), C(0, config.contender_width)
            if config.lanes > 1:
                other = element.second
            best = Signal(config.contender_width)
            m.d.comb += [best.eq(~rest), self.o.payload.margin.eq(margin_of(best, second))]
            following = Mux(larger, _larger(best, other), _larger(second, contender))
            with m.If(advance & beats.valid):
                m.d.sync += second.eq(Mux(element.first, other, following))
        publish(platform, self, **published)
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

    The loser of a comparison, the smaller number digit by digit, is known in the same cycles as the larger one. With a margin
    the losers compete for the second place in the same manner, some cycles later (`second_cycles`).

    Ports: `i`, framed beats, and `o`, winners, both without back-pressure. Latency `maximum_latency(config)` cycles from the
    vector's last beat, one beat per cycle. The configuration is one whose comparison is `skewed`. `gated` tells that `first` is
    set in valid beats only, which spares a gate before the first digit.
    """

    def __init__(self, config: Config, *, gated: bool = False) -> None:
        self.config, self.gated = config, gated
        super().__init__({"i": In(pulse(framed_layout(config))), "o": Out(pulse(winner_layout(config)))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, beat = self.config, self.i.payload
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
        seconds: list[list[Value]] = []
        for level in range(levels):
            pairs = list(zip(contending[::2], contending[1::2], strict=True))
            comparisons = [
                _compare(
                    m, *pair, f"level{level}_{place}", equal=_takes_part(config, pair[1]), last_wins=config.last_wins
                )
                for place, pair in enumerate(pairs)
            ]
            if config.has_margin:
                seconds = self._second_of_pairs(m, level, [smaller for _, _, smaller in comparisons], seconds)
            contending = [[delay(m, bit, 1, "larger") for bit in larger] for larger, _, _ in comparisons]
            # The results of the levels below wait for the result of this one.
            earlier = [[delay(m, bit, 1, "lane") for bit in lane] for lane in lanes]
            lanes = [
                [*(Mux(upper, b, a) for a, b in zip(earlier[2 * place], earlier[2 * place + 1], strict=True)), upper]
                for place, (_, upper, _) in enumerate(comparisons)
            ]
        valid = delay(m, self.i.valid, levels, "valid", reset=True)
        first = delay(m, beat.first, levels, "first")
        continues = valid & ~first
        if config.last_wins and config.marks_participants:
            continues &= _takes_part(config, contending[0])
        best, replaced, losing = running_maximum(
            m, "best", contending[0], first if self.gated else valid & first, continues, last_wins=config.last_wins
        )

        # The index is counted anew, which is cheaper than a delay of the index. Reset means "behind a vector's last beat", so
        # the index needs no reset of its own.
        later = margin_cycles(config)
        cycles = maximum_latency(config) - later
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
        whole_index, score = Cat(winner_lane, winner_index), _joined(m, "score", best)
        publish(platform, self, index=index, at_last=at_last)
        if config.has_margin:
            second = self._second(m, losing, valid, first, seconds)
            # The second best score is complete a cycle before the difference.
            margin = Signal(config.score_width, reset_less=True)
            m.d.sync += margin.eq(margin_of(delay(m, score, later - 1, "score_at_second"), second))
            m.d.comb += self.o.payload.margin.eq(margin)
            whole_index, score = delay(m, whole_index, later, "index_later"), delay(m, score, later, "score_later")
        m.d.comb += [
            self.o.valid.eq(delay(m, ends, 2 + later, "done", reset=True)),
            self.o.payload.index.eq(whole_index),
            self.o.payload.score.eq(code_of(config, score[: config.score_width])),
            self.o.payload.all_masked.eq(~score[-1]) if config.mask else [],
            self.o.payload.overlong.eq(delay(m, beat.overlong, cycles + later, "overlong")),
        ]
        return m

    def _second_of_pairs(
        self, m: Module, level: int, losers: list[list[Value]], seconds: list[list[Value]]
    ) -> list[list[Value]]:
        """The second best of each pair: in level 0 its loser, then the largest of its loser and of the second best of both.

        The result is 1 cycle later in level 0, and 2 cycles later than `seconds` in any other, 2·level + 1 in all.
        """
        losing = [[delay(m, digit, 1, "loser") for digit in digits] for digits in losers]
        if not seconds:
            return losing
        pairs = zip(seconds[::2], seconds[1::2], strict=True)
        for place, pair in enumerate(pairs):
            larger, _, _ = _compare(m, *pair, f"seconds{level}_{place}")
            waiting = [delay(m, digit, level - 1, "loser_later") for digit in losing[place]]
            larger, _, _ = _compare(
                m, waiting, [delay(m, digit, 1, "second") for digit in larger], f"pair_second{level}_{place}"
            )
            losing[place] = [delay(m, digit, 1, "pair_second") for digit in larger]
        return losing

    def _second(self, m: Module, losing: list[Value], valid: Value, first: Value, seconds: list[list[Value]]) -> Value:
        """The second best contender of a vector, from the losers of the loop and from those of the lanes.

        It is complete `second_cycles` − levels cycles after the best one.
        """
        config, levels = self.config, ceil_log2(self.config.lanes)
        # What the first beat of a vector replaces belongs to the vector before.
        contending, begins = [], first
        for place, digit in enumerate(losing):
            contending.append(delay(m, digit & ~begins.replicate(len(digit)), 1, f"loser_bit{place}"))
            begins = delay(m, begins, 1, "begins")
        if levels:
            start = second_cycles(config) - 1
            waiting = [delay(m, digit, start - levels - 1, "loser_later") for digit in contending]
            others = [delay(m, digit, start - (2 * levels - 1), "others_later") for digit in seconds[0]]
            larger, _, _ = _compare(m, waiting, others, "losers")
            contending = [delay(m, digit, 1, "contender") for digit in larger]
        wait = second_cycles(config) - levels
        valid, first = delay(m, valid, wait, "second_valid", reset=True), delay(m, first, wait, "second_first")
        second, _, _ = running_maximum(m, "second", contending, valid & first, valid & ~first)
        return _joined(m, "second", second)


def running_maximum(
    m: Module, name: str, contending: list[Value], begins: Value, continues: Value, *, last_wins: bool = False
) -> tuple[list[Value], Value, list[Value]]:
    """(digits of the largest contender so far; whether the last one replaced it; digits of the smaller one of both).

    The first result is a register for each digit. A contender that neither `begins` nor `continues` changes nothing.
    """
    # A digit that is compared by a carry is stored inverted, so that the carry chain begins with no inverter.
    stored = [Signal(len(digit), name=f"{name}_bit{place}", reset_less=True) for place, digit in enumerate(contending)]
    best = [~digit if len(digit) > 2 else digit for digit in stored]
    following, replaced, smaller = _compare(m, best, contending, name, begins, continues, last_wins=last_wins)
    m.d.sync += [
        digit.eq(~larger if len(digit) > 2 else larger) for digit, larger in zip(stored, following, strict=True)
    ]
    return best, replaced, smaller


def _joined(m: Module, name: str, digits: list[Value]) -> Value:
    """The number of the digits: the highest one arrives first and waits for the others, and each for a cycle more."""
    waiting = [delay(m, digit, len(digits) - place, f"{name}_bit{place}") for place, digit in enumerate(digits)]
    return Cat(reversed(waiting))


def _code_of_complement(config: Config, rest: Value) -> Value:
    """The score code of the position whose complement is `rest`, without a double inversion of any bit."""
    if config.selects_smallest:
        return Cat(rest[:-1], rest[-1] ^ config.score_signed)
    return Cat(~rest[:-1], rest[-1] ^ (not config.score_signed))


def maximum_of(config: Config, *, gated: bool = False) -> Maximum | SkewedMaximum:
    """The maximum that the configuration's profile asks for; `gated` as in `SkewedMaximum`."""
    return SkewedMaximum(config, gated=gated) if skewed(config) else Maximum(config)


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
) -> tuple[list[Value], Value, list[Value]]:
    """Digits of the larger of two numbers, the highest first and each a cycle after the one above it.

    The second result tells, a cycle after the last digit, whether `upper` was the larger one, or with `last_wins` not the
    smaller one. The third one holds the digits of the other number. `greater` and `equal` state the relation before the first
    digit.
    """
    larger: list[Value] = []
    smaller: list[Value] = []
    exceeds, same = Value.cast(greater), Value.cast(equal)
    for place, (low, high) in enumerate(zip(lower, upper, strict=True)):
        if len(low) == 1:
            # Gates instead of a multiplexer, from which synthesis would make an enable for each bit, slower than the bit itself.
            larger.append((low & ~exceeds) | (high & (exceeds | same)))
            smaller.append((low & exceeds) | (high & ~exceeds & (low | ~same)))
            exceeds, same = exceeds | (same & high & ~low), same & ~(high ^ low)
        else:
            exceeds = exceeds | (same & _above(high, low))
            larger.append(Mux(exceeds, high, low))
            smaller.append(Mux(exceeds, low, high))
            same = same & (high == low)
        if last_wins and place == len(lower) - 1:
            exceeds = exceeds | same
        exceeds = delay(m, exceeds, 1, f"{name}_greater{place}")
        same = delay(m, same, 1, f"{name}_equal{place}")
    return larger, exceeds, smaller


def _above(high: Value, low: Value) -> Value:
    if len(low) == 2:
        return (high[1] & ~low[1]) | (~(high[1] ^ low[1]) & high[0] & ~low[0])
    # The carry alone, because a comparison would consist of the same carries and a test for equality.
    return (high + ~low)[-1]
