# amaranth: UnusedElaboratable=no
"""The sum: golden against Python's integers, hardware against golden."""

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from support.configurations import SOFTMAX, WIDTHS, score_vectors
from support.stream_bench import PAUSES
from support.sum_bench import check_sums, edges, two_windows

from softstream.hw.numbers.softmax import Numerics, numerics
from softstream.hw.plan.schedule import Schedule, longest_segment, schedule
from softstream.hw.plan.stage_cycles import DIGIT, align_cycles, cleared, reference_segments
from softstream.hw.stages.accumulate import Accumulate, Align, edges_layout
from softstream.hw.stages.exponential import exponential_layout, term_width
from softstream.hw.stages.windows import Windows
from softstream.hw.streams.layouts import pulse
from softstream.sim.golden.stages.accumulate import accumulate
from softstream.sim.golden.stages.exponential import exponential


def one_by_one(widths: Numerics, elements: list[tuple[int, int]]) -> tuple[int, int]:
    """The definition, element by element, in unbounded integers."""
    step, fraction = widths.reference_step, widths.accumulator_fraction
    if widths.windows:
        return two_windows(widths, elements)
    reference, total = elements[0][0] // step, 0
    for exponent, significand in elements:
        coarse = exponent // step
        if coarse > reference:
            total >>= step * (coarse - reference)
            reference = coarse
        term = significand << (exponent % step) << (fraction - widths.significand_fraction)
        total += term >> (step * (reference - coarse))
    return (0 if widths.absolute else reference), total


def positions_of(name: str) -> list[np.ndarray]:
    config = SOFTMAX[name]
    cut = [vector[: config.max_length] for vector in score_vectors(config, seed=11)]
    return [vector - config.score_format.minimum for vector in cut]


@pytest.mark.parametrize("name", WIDTHS)
def test_golden_is_the_definition(name: str) -> None:
    widths = numerics(SOFTMAX[name])
    for positions in positions_of(name):
        exponent, significand = exponential(widths, positions[None])
        reference, total = accumulate(widths, exponent, significand, np.ones_like(exponent, dtype=bool))
        pairs = list(zip(exponent[0].tolist(), significand[0].tolist(), strict=True))
        assert (reference[0], total[0]) == one_by_one(widths, pairs)
        assert total[0] < 1 << widths.accumulator_width
        assert total[0] >= 1 << widths.accumulator_fraction


def test_golden_takes_all_vectors_at_once() -> None:
    """Rows whose reference has stopped growing are not touched by the rounds of the others."""
    widths = numerics(SOFTMAX["reference"])
    rng = np.random.default_rng(2)
    positions = np.sort(rng.integers(0, 256, (50, 16)), axis=1)[:, ::1]
    positions[::2] = positions[::2, ::-1]
    valid = np.arange(16) < rng.integers(1, 17, (50, 1))
    exponent, significand = exponential(widths, positions)
    reference, total = accumulate(widths, exponent, significand, valid)
    for row in range(50):
        alone = accumulate(widths, exponent[row : row + 1], significand[row : row + 1], valid[row : row + 1])
        assert (reference[row], total[row]) == (alone[0][0], alone[1][0])


class Chain(wiring.Component):
    """Align and accumulate as the head joins them."""

    def __init__(self, widths: Numerics, cycles: Schedule, align: int, *, cleared: bool) -> None:
        self._widths, self._segments, self._windows, self._cleared = widths, cycles.segments, cycles.windows, cleared
        self._align, segments = align, cycles.segments
        super().__init__(
            {
                "i": In(pulse(exponential_layout(widths, edges_layout()))),
                "sum": Out(widths.accumulator_width),
                "ends": Out(len(segments)),
                "reference": Out(max(1, widths.coarse_width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.align = align = Align(self._widths, self._align)
        total = (
            Accumulate(self._widths, self._segments, cleared=self._cleared)
            if self._windows is None
            else Windows(self._widths, self._segments, self._windows, pipelined=True)
        )
        m.submodules.accumulate = total
        wiring.connect(m, wiring.flipped(self.i), align.i)
        wiring.connect(m, align.o, total.i)
        m.d.comb += [self.sum.eq(total.sum), self.ends.eq(total.ends), self.reference.eq(total.reference)]
        return m


@pytest.mark.parametrize("source", PAUSES)
@pytest.mark.parametrize("name", WIDTHS)
def test_equals_golden(name: str, source: str) -> None:
    widths, cycles = numerics(SOFTMAX[name]), schedule(SOFTMAX[name])
    inputs, expected = [], []
    for positions in positions_of(name):
        exponent, significand = exponential(widths, positions[None])
        reference, total = accumulate(widths, exponent, significand, np.ones_like(exponent, dtype=bool))
        expected.append((int(reference[0]), int(total[0])))
        inputs.append(
            [
                {"exponent": int(e), "significand": int(s), "tag": edges(k, len(positions))}
                for k, (e, s) in enumerate(zip(exponent[0], significand[0], strict=True))
            ]
        )
    extra = cycles.windows.extra if cycles.windows else 0
    align = align_cycles(SOFTMAX[name], widths)
    latency = align + 1 + extra
    chain = Chain(widths, cycles, align, cleared=cleared(SOFTMAX[name], widths))
    check_sums(chain, cycles.segments, inputs, expected, latency=latency, source=source)
    assert cycles.accumulate == len(cycles.segments) + extra


ABSOLUTE = numerics(SOFTMAX["absolute"])
WIDTH = ABSOLUTE.accumulator_width


@pytest.mark.parametrize("source", ["never", "random"])
@pytest.mark.parametrize(
    "segments",
    [(WIDTH,), (1, WIDTH - 1), (WIDTH - 1, 1), (9, 10, 9, WIDTH - 28), (3, 17, 1, 1, WIDTH - 22)],
    ids=str,
)
@pytest.mark.parametrize("clears", [False, True])
def test_carries_cross_every_segment(segments: tuple[int, ...], source: str, clears: bool) -> None:
    """Terms as wide as they come, whose carries run through all segments, also into the next vector's first term."""
    bits = term_width(ABSOLUTE)
    ones = (1 << bits) - 1
    rng = np.random.default_rng(13)
    vectors = [[ones] * 16, [ones], [1], [ones, 1], [1, ones], [ones, 1, ones, 1], [0], [1] * 16, [ones, 0, 1]]
    for _ in range(12):
        length = int(rng.integers(1, 17))
        # Runs of ones at random places: x + y carries far.
        vectors.append([ones >> int(rng.integers(bits)) << int(a) & ones for a in rng.integers(0, bits, length)])
        vectors.append([int(x) for x in rng.integers(0, ones, length, endpoint=True)])
    beats = [[{"term": term, "edges": edges(k, len(vector))} for k, term in enumerate(vector)] for vector in vectors]
    expected = [(0, sum(vector)) for vector in vectors]
    assert max(total for _, total in expected) < 1 << WIDTH
    check_sums(Accumulate(ABSOLUTE, segments, cleared=clears), segments, beats, expected, latency=1, source=source)


REFERENCE = numerics(SOFTMAX["reference-fastest"])
STEP = REFERENCE.reference_step


@pytest.mark.parametrize("source", ["never", "random"])
@pytest.mark.parametrize(("length", "steps"), [(16, 3), (1024, 3), (4096, 4), (65536, 4)])
def test_carries_that_wait_are_those_of_the_definition(length: int, steps: int, source: str) -> None:
    """Digits of ones below and above waiting carries, and shifts of every size in every place."""
    widths = numerics(SOFTMAX["reference-fastest"].replace(max_length=length))
    segments = reference_segments(widths)
    assert -(-widths.accumulator_width // STEP) == steps
    assert len(segments) > 1
    aligned = widths.accumulator_fraction + STEP
    rng = np.random.default_rng([length, 17])
    digits = (0, 0, 1, 2, (1 << STEP) - 2, 1 << STEP - 1, (1 << STEP - 1) - 1)
    beats, expected = [], []
    for _ in range(400):
        total, vector = 0, []
        for k in range(int(rng.integers(1, 13))):
            shift = steps if k == 0 else int(rng.choice([0] * 6 + list(range(1, steps + 1))))
            term = sum(int(rng.choice(digits)) << STEP * digit for digit in range(steps)) % (1 << aligned)
            if k > 0 and rng.integers(3) == 0:
                # What fills the lower digits with ones, but no digit of the term itself.
                term = (
                    min(~total % (1 << STEP), (1 << STEP) - 2)
                    | min(~total >> STEP & (1 << STEP) - 1, (1 << STEP) - 2) << STEP
                )
            if (total >> STEP * shift) + term >= 1 << widths.accumulator_width:
                break
            total = (total >> STEP * shift) + term
            vector.append({"term": term, "shift": shift, "reference": k & 1})
        beats.append([{**beat, "edges": edges(k, len(vector))} for k, beat in enumerate(vector)])
        expected.append(((len(vector) - 1) & 1, total))
    check_sums(Accumulate(widths, segments), segments, beats, expected, latency=1, source=source)


def test_segments_that_do_not_make_up_the_accumulator_are_refused() -> None:
    reference = numerics(SOFTMAX["reference"])
    for widths, segments in ((ABSOLUTE, (WIDTH - 1,)), (reference, (20, reference.accumulator_width - 20))):
        with pytest.raises(ValueError, match="do not make up the accumulator"):
            Accumulate(widths, segments)


def test_segments_are_no_longer_than_they_may_be() -> None:
    for config in SOFTMAX.values():
        widths, parts = numerics(config), schedule(config).segments
        assert sum(parts) == widths.accumulator_width
        if widths.absolute or widths.windows:
            longest = longest_segment(config, widths)
            assert max(parts) <= longest
            assert (len(parts) - 1) * longest < widths.accumulator_width  # and not more of them than that takes
        elif config.profile != "small":
            step = widths.reference_step
            assert set(parts[:-1]) == {step}
            assert DIGIT <= parts[-1] < step + DIGIT
        else:
            assert len(parts) == 1
