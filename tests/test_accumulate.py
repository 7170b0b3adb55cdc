"""The sum: golden against Python's integers, hardware against golden."""

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from configurations import SOFTMAX, WIDTHS, vectors
from stream_bench import PAUSES, run_component

from softstream.hw.accumulate import Accumulate, Align, edges_layout, sum_layout
from softstream.hw.exponential import exponential_layout
from softstream.hw.numerics import Numerics, numerics
from softstream.hw.schedule import schedule
from softstream.hw.streams import pulse
from softstream.sim.golden.accumulate import accumulate
from softstream.sim.golden.exponential import exponential


def one_by_one(widths: Numerics, elements: list[tuple[int, int]]) -> tuple[int, int]:
    """The definition, element by element, in unbounded integers."""
    step, fraction = widths.reference_step, widths.accumulator_fraction
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
    cut = [vector[: config.max_length] for vector in vectors(config, seed=11)]
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

    def __init__(self, widths: Numerics) -> None:
        self._widths = widths
        super().__init__(
            {
                "i": In(pulse(exponential_layout(widths, edges_layout()))),
                "o": Out(stream.Signature(sum_layout(widths))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.align = align = Align(self._widths)
        m.submodules.accumulate = total = Accumulate(self._widths)
        wiring.connect(m, wiring.flipped(self.i), align.i)
        wiring.connect(m, align.o, total.i)
        wiring.connect(m, total.o, wiring.flipped(self.o))
        return m


@pytest.mark.parametrize("source", PAUSES)
@pytest.mark.parametrize("name", WIDTHS)
def test_equals_golden(name: str, source: str) -> None:
    widths = numerics(SOFTMAX[name])
    beats, expected = [], []
    for number, positions in enumerate(positions_of(name)):
        exponent, significand = exponential(widths, positions[None])
        reference, total = accumulate(widths, exponent, significand, np.ones_like(exponent, dtype=bool))
        overlong = number % 2
        expected.append({"sum": int(total[0]), "reference": int(reference[0]), "overlong": overlong})
        last = len(positions) - 1
        beats += [
            {
                "exponent": int(e),
                "significand": int(s),
                "tag": {"first": int(k == 0), "last": int(k == last), "overlong": overlong},
            }
            for k, (e, s) in enumerate(zip(exponent[0], significand[0], strict=True))
        ]
    trace = run_component(Chain(widths), beats, len(expected), source=source)
    assert trace.beats == expected
    lasts = [cycle for cycle, beat in zip(trace.inputs, beats, strict=True) if beat["tag"]["last"]]
    cycles = schedule(SOFTMAX[name])
    assert {o - i for i, o in zip(lasts, trace.outputs, strict=True)} == {Align.LATENCY + cycles.accumulate}
