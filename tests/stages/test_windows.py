# amaranth: UnusedElaboratable=no
"""The sum in two windows: its loss against exact sums, and the hardware against the definition in any segments."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from support.configurations import SOFTMAX
from support.sum_bench import check_sums, edges, two_windows

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.softmax import Numerics, numerics
from softstream.hw.plan.schedule import schedule
from softstream.hw.plan.stage_cycles import window_sum
from softstream.hw.stages.windows import Windows
from softstream.sim.golden.stages.accumulate import accumulate
from softstream.sim.golden.stages.exponential import exponential


def config(**keys: object) -> Config:
    return Config(accumulator="two_windows", **keys)  # type: ignore[arg-type]


def loss(widths: Numerics, elements: list[tuple[int, int]], window: int, total: int) -> Fraction:
    """The part of the exact sum that is missing before the sum is cut to A fraction bits."""
    exact = sum(
        Fraction(significand << exponent, 1 << widths.significand_fraction) for exponent, significand in elements
    )
    return 1 - Fraction(total << widths.reference_step * window, 1 << widths.accumulator_fraction) / exact


def test_every_sequence_of_three_bit_scores() -> None:
    """Every order of terms of six windows: the model is the definition, and no more is lost than `sum_loss` and the cut."""
    tiny = config(score_width=3, score_scale=3.9, max_length=4, probability_width=2)
    widths = numerics(tiny)
    assert widths.coarse_width == 3
    positions = np.array(list(itertools.product(range(8), repeat=4)))
    exponent, significand = exponential(widths, positions)
    reference, total = accumulate(widths, exponent, significand, np.ones_like(exponent, dtype=bool))
    cut = Fraction(1, 1 << widths.accumulator_fraction)
    largest = Fraction(0)
    for row in range(len(positions)):
        elements = list(zip(exponent[row].tolist(), significand[row].tolist(), strict=True))
        assert (reference[row], total[row]) == two_windows(widths, elements)
        lost = loss(widths, elements, int(reference[row]), int(total[row]))
        assert 0 <= lost < widths.sum_loss + cut
        largest = max(largest, lost)
    assert largest > 0


@pytest.mark.parametrize("scale", [0.05, 0.1467, 0.6])
@pytest.mark.parametrize("length", [3, 64, 500])
def test_loss_on_hostile_vectors(scale: float, length: int) -> None:
    """Terms just below the window that counts, before and after its first term, are the most that can be lost."""
    widths = numerics(config(score_scale=scale, max_length=length))
    octaves, top = widths.reference_step, widths.tables.exponent_maximum
    ones = (2 << widths.significand_fraction) - 1
    rng = np.random.default_rng([length, round(1000 * scale)])
    rows = [rng.integers(0, top + 1, length), np.sort(rng.integers(0, top + 1, length))]
    for edge in range(octaves, top + 1, octaves):
        one = np.full(length, edge)
        for filler in (edge - 1, edge - octaves, max(0, edge - octaves - 1)):
            terms = np.where(np.arange(length) == 0, one, filler)
            rows += [terms, terms[::-1], np.roll(terms, length // 2)]
    exponent = np.array(rows)
    significand = np.where(rng.integers(0, 2, exponent.shape), ones, 1 << widths.significand_fraction)
    reference, total = accumulate(widths, exponent, significand, np.ones_like(exponent, dtype=bool))
    limit = widths.sum_loss + Fraction(1, 1 << widths.accumulator_fraction)
    for row in range(len(rows)):
        elements = list(zip(exponent[row].tolist(), significand[row].tolist(), strict=True))
        assert (reference[row], total[row]) == two_windows(widths, elements)
        assert 1 << widths.accumulator_fraction <= total[row] < 1 << widths.accumulator_width
        assert 0 <= loss(widths, elements, int(reference[row]), int(total[row])) < limit


@pytest.mark.parametrize("pipelined", [False, True])
@pytest.mark.parametrize("longest", [4, 9, 40])
def test_hardware_is_the_definition(longest: int, pipelined: bool) -> None:
    """Vectors of every kind in any segments; where they are not pipelined, no faster than they may follow each other."""
    head = config(score_scale=0.6, max_length=40, profile="fastest")
    widths = numerics(head)
    parts = (longest,) * (widths.accumulator_width // longest)
    parts += (widths.accumulator_width - sum(parts),) if sum(parts) < widths.accumulator_width else ()
    windows = window_sum(widths, parts, longest)
    octaves, top, ones = widths.reference_step, widths.tables.exponent_maximum, (2 << widths.significand_fraction) - 1
    rng = np.random.default_rng(longest)
    shortest = 1 if pipelined else windows.extra + len(parts)
    vectors, expected = [], []
    for number in range(24):
        length = int(rng.integers(shortest, max(shortest, 12) + 1))
        exponent = rng.integers(0, top + 1, length)
        if number % 4 == 1:
            exponent = np.sort(exponent)
        elif number % 4 == 2:
            exponent = np.full(length, exponent[0])
        elif number % 4 == 3:
            exponent = np.minimum(exponent[0] // octaves * octaves + rng.integers(-2, 2, length), top).clip(0)
        elements = [(int(e), ones if rng.integers(2) else int(rng.integers(ones // 2 + 1, ones + 1))) for e in exponent]
        expected.append(two_windows(widths, elements))
        vectors.append(
            [
                {"term": s << e % octaves, "window": e // octaves, "edges": edges(k, length)}
                for k, (e, s) in enumerate(elements)
            ]
        )
    dut = Windows(widths, parts, windows, pipelined=pipelined)
    check_sums(dut, parts, vectors, expected, latency=windows.extra + 1, source="random")


def test_segments_that_do_not_make_up_a_window_are_refused() -> None:
    widths, cycles = numerics(SOFTMAX["windows"]), schedule(SOFTMAX["windows"])
    assert cycles.windows is not None
    with pytest.raises(ValueError, match="do not make up the sum and a window"):
        Windows(widths, (*cycles.segments, 1), cycles.windows, pipelined=False)


def test_windows_take_the_range_that_an_exact_sum_does_not() -> None:
    assert numerics(Config(score_scale=0.0625)).absolute
    assert numerics(Config(score_scale=0.1467)).windows
    for scale in (0.1467, 0.3, 5.0):
        assert numerics(config(score_scale=scale, guard_bits=4)).accumulator_width == 44
    long = {"score_width": 16, "score_scale": 0.01, "probability_width": 16, "max_length": 32768}
    assert not numerics(Config(**long)).windows  # type: ignore[arg-type]
    with pytest.raises(
        UserError, match=r"windows of 64 octaves need 99 bits, at most 62 .* accumulator = 'auto' would do"
    ):
        numerics(config(**long))


def test_lanes_are_refused_with_a_reason() -> None:
    with pytest.raises(
        UserError, match=r"lanes = 2 with accumulator = 'two_windows': the sum in two windows depends on"
    ):
        config(lanes=2)
