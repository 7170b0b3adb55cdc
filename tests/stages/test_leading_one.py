"""Leading one and divisor: golden against Python's integers, the hardware against golden."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.configurations import SOFTMAX, WIDTHS
from support.stream_bench import run_cycles

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.numbers.softmax import Numerics, numerics
from softstream.hw.plan.schedule import schedule
from softstream.hw.plan.stage_cycles import DIGIT, normalise_digits, normalise_levels
from softstream.hw.stages.leading_one import LeadingOne, PipelinedLeadingOne
from softstream.sim.golden.stages.leading_one import normalise


def sums(widths: Numerics) -> tuple[np.ndarray, np.ndarray]:
    """References and sums that can occur: powers of two and their neighbours over the whole range, and random ones."""
    low, high = widths.accumulator_fraction, widths.accumulator_width
    edges = [(1 << bits) + d for bits in range(low, high) for d in (-1, 0, 1)] + [(1 << high) - 1]
    rng = np.random.default_rng(7)
    random = (1 << rng.integers(low, high, 40)) + rng.integers(0, 1 << low, 40)
    return occurring(widths, np.concatenate([edges, random]))


def occurring(widths: Numerics, totals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sums that can occur, with random references."""
    low, high = widths.accumulator_fraction, widths.accumulator_width
    rng = np.random.default_rng(8)
    coarse = 0 if widths.absolute else widths.tables.exponent_maximum // widths.reference_step
    reference = rng.integers(0, coarse + 1, len(totals))
    # No sum reaches max_length times the octave above the largest exponential.
    limit = widths.tables.exponent_maximum + 1 + ceil_log2(widths.max_length)
    top = 1 << np.minimum(high, limit - widths.reference_step * reference + low)
    mask = (totals >= 1 << low) & (totals < top)
    return reference[mask], totals[mask]


@pytest.mark.parametrize("name", WIDTHS)
def test_golden_is_the_definition(name: str) -> None:
    widths = numerics(WIDTHS[name])
    reference, totals = sums(widths)
    exponent, divisor = normalise(widths, reference, totals)
    for row, total in enumerate(totals.tolist()):
        leading = total.bit_length() - 1
        assert divisor[row] == total * 2**widths.divisor_fraction // 2**leading
        scale = widths.reference_step * int(reference[row]) + leading - widths.accumulator_fraction
        assert exponent[row] == scale
        assert 0 <= scale < 1 << widths.sum_exponent_width


def check(
    widths: Numerics, segments: tuple[int, ...], reference: np.ndarray, totals: np.ndarray, *, interval: int, stays: int
) -> bool:
    """Whether the hardware equals golden, sums `interval` cycles apart, each result for `stays` cycles; the pipelined one with 1.

    Everywhere but where `ends` tells that it is to be read, the input is random, as the next vector's sum grows there.
    """
    digits, _, _ = normalise_digits(widths)
    count, parts = len(totals), len(segments)
    exponent, divisor = normalise(widths, reference, totals)
    lows = [sum(segments[:j]) for j in range(parts)]
    rng = np.random.default_rng(9)
    noise = [int(x) for x in rng.integers(0, 1 << widths.accumulator_width, 509)]

    def drive(rows: list[dict[str, Any]], now: Callable[[str], int]) -> dict[str, Any]:
        cycle = len(rows)
        total, ends = noise[cycle % len(noise)], 0
        inputs: dict[str, Any] = {"reference": noise[cycle % 7] & 1, "tag": noise[cycle % 11] & 7}
        for j in range(parts):
            vector, phase = divmod(cycle - j, interval)
            if phase == 0 and 0 <= vector < count:
                mask = ((1 << segments[j]) - 1) << lows[j]
                total = (total & ~mask) | (int(totals[vector]) & mask)
                ends |= 1 << j
                if j == parts - 1:
                    inputs |= {"reference": int(reference[vector]), "tag": vector & 7}
        return {**inputs, "sum": total, "ends": ends}

    kind, cycles = (LeadingOne, digits + 2) if interval > 1 else (PipelinedLeadingOne, normalise_levels(widths)[0] + 1)
    latency = parts - 1 + cycles
    rows = run_cycles(kind(widths, segments, 3), count * interval + 20, drive, ["o.valid", "o.payload"])
    due = [vector * interval + latency for vector in range(count)]
    assert [cycle for cycle, row in enumerate(rows) if row["o.valid"]] == due
    expected = [
        {"exponent": int(n), "divisor": int(d), "tag": v & 7}
        for v, (n, d) in enumerate(zip(exponent, divisor, strict=True))
    ]
    return all(
        row["o.payload"] == beat
        for cycle, beat in zip(due, expected, strict=True)
        for row in rows[cycle : cycle + stays]
    )


@pytest.mark.parametrize("name", SOFTMAX)
def test_equals_golden_at_the_schedules_interval(name: str) -> None:
    widths, cycles = numerics(SOFTMAX[name]), schedule(SOFTMAX[name])
    digits, _, _ = normalise_digits(widths)
    assert cycles.normalise == digits + 2
    interval = cycles.normalise_interval
    # Where the factor is a table, its address and what goes along with its entry have to stay.
    factor = cycles.normaliser
    stays = factor.factor + 1 if factor.factor_interval == 1 else 1
    assert check(widths, cycles.segments, *sums(widths), interval=interval, stays=stays)


@pytest.mark.parametrize("name", WIDTHS)
def test_pipelined_equals_golden_in_every_cycle(name: str) -> None:
    config = WIDTHS[name].replace(per_vector="pipelined")
    widths, cycles = numerics(config), schedule(config)
    assert cycles.normalise == normalise_levels(widths)[0] + 1
    assert check(widths, cycles.segments, *sums(widths), interval=cycles.normalise_interval, stays=1)


SMALL = [
    Config(max_length=length, score_width=3, score_scale=scale, probability_width=2, guard_bits=guard_bits)
    for length, scale, guard_bits in (
        (1, 1e-3, 1),
        (2, 1e-3, 2),
        (2, 0.2, 1),
        (3, 0.15, 2),
        (5, 0.4, 1),
        (2, 0.55, 1),
        (2, 0.73, 1),
    )
]


def test_the_small_accumulators_differ_in_all_that_matters() -> None:
    layouts = [normalise_digits(numerics(config)) for config in SMALL]
    assert {padding for _, _, padding in layouts} == set(range(DIGIT))
    assert {digits for digits, _, _ in layouts} >= {1, 2, 3}


@pytest.mark.parametrize("segmented", [False, True])
@pytest.mark.parametrize("config", SMALL, ids=lambda c: str(numerics(c).accumulator_width))
def test_every_sum_of_a_small_accumulator(config: Config, segmented: bool) -> None:
    widths = numerics(config)
    low, width = widths.accumulator_fraction, widths.accumulator_width
    assert width <= 11
    segments = (1, 1, width - 2) if segmented and width >= DIGIT + 2 else (width,)
    totals = np.arange(1 << low, 1 << width)
    reference, totals = np.zeros_like(totals), totals
    digits, _, _ = normalise_digits(widths)
    for interval in (digits + max(2, len(segments)), 1):
        assert check(widths, segments, reference, totals, interval=interval, stays=1)


def test_a_sum_that_comes_sooner_spoils_the_one_before() -> None:
    """The interval of one segment is no looser than it has to be."""
    widths = numerics(SMALL[-1])
    digits, _, _ = normalise_digits(widths)
    assert not check(widths, (widths.accumulator_width,), *sums(widths), interval=digits + 1, stays=1)
