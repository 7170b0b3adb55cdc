"""The exponential: tables against exact arithmetic, hardware against the golden model."""

from fractions import Fraction
from typing import Literal

import numpy as np
import pytest
from support.configurations import WIDTHS
from support.stream_bench import PAUSES, run_component, run_cycles

from softstream.hw.config.config import Config
from softstream.hw.config.limits import DIRECT_WIDTH
from softstream.hw.numbers.exponential import exponential_tables
from softstream.hw.numbers.softmax import numerics
from softstream.hw.plan.schedule import schedule
from softstream.hw.stages.exponential import Exponential, Terms
from softstream.sim.golden.stages.exponential import exponential


@pytest.mark.parametrize("scale", [1e-30, 2.0**-12, 0.0625, 0.1467, 1.0, 37.5, 1e9])
@pytest.mark.parametrize("width", [2, 8, 10, 11, 16])
@pytest.mark.parametrize("fraction", [5, 11, 27])
def test_measured_error_covers_every_entry(scale: float, width: int, fraction: int) -> None:
    """ε of the tables against long double on every code: independent of the decimal arithmetic that made them."""
    tables = exponential_tables(width, scale, fraction)
    exponent, significand = tables.all_positions
    assert significand.min() >= 1 << fraction
    assert significand.max() < 2 << fraction
    beta = min(np.longdouble(scale) / np.log(np.longdouble(2)), np.longdouble(64))
    octaves = np.arange(1 << width, dtype=np.longdouble) * beta
    ratio = significand * np.exp2(exponent.astype(np.longdouble) - octaves - fraction)
    worst = float(np.abs(ratio - 1).max())
    slack = float(octaves.max()) * 2.0**-62 + 2.0**-60  # of the long double reference itself
    assert worst <= float(tables.error) + slack
    assert float(tables.error) <= worst + slack + 2.0**-59
    # Rounding alone gives 2^-(B+1) at the most; the product of a split table adds its guard bits.
    assert tables.error <= Fraction(2 if width > DIRECT_WIDTH else 1, 2 << fraction) + Fraction(1, 1 << 59)


def test_known_values() -> None:
    """2^(x) for a scale of ln 2: exact powers of two."""
    tables = exponential_tables(4, float(np.log(2)), 8)
    exponent, significand = tables.all_positions
    # ln 2 as a float lies a little below or above: the significand is within a rounding of 1.0 of the next octave.
    value = significand * 2.0**exponent / 256
    assert np.abs(value / 2.0 ** np.arange(16) - 1).max() < 1e-6


@pytest.mark.parametrize("name", WIDTHS)
def test_equals_golden(name: str) -> None:
    config = WIDTHS[name]
    widths = numerics(config)
    count = 1 << config.score_width
    rng = np.random.default_rng(5)
    positions = np.arange(count) if count <= 4096 else np.concatenate([[0, count - 1], rng.integers(0, count, 3000)])
    exponent, significand = exponential(widths, positions)
    beats = [{"position": int(p), "tag": int(p) & 1} for p in positions]
    cycles = schedule(config)
    trace = run_component(Exponential(widths, 1, cycles.memory, cycles.lookup), beats, len(beats))
    assert [(b["exponent"], b["significand"], b["tag"]) for b in trace.beats] == [
        (int(e), int(s), int(p) & 1) for e, s, p in zip(exponent, significand, positions, strict=True)
    ]
    delays = {o - i for i, o in zip(trace.inputs, trace.outputs, strict=True)}
    assert delays == {schedule(config).lookup}


@pytest.mark.parametrize("source", PAUSES)
def test_terms_are_shifted_significands(source: str) -> None:
    config = Config(max_length=16)
    widths = numerics(config)
    exponent, significand = widths.tables.all_positions
    terms = Terms(widths, 1, schedule(config).memory)
    trace = run_component(terms, [{"position": p, "tag": 1} for p in range(256)], 256, source=source)
    assert [b["term"] for b in trace.beats] == (significand << exponent).tolist()
    assert {o - i for i, o in zip(trace.inputs, trace.outputs, strict=True)} == {schedule(config).lookup}


@pytest.mark.parametrize("profile", ["small", "fast", "fastest"])
def test_gated_terms_are_0_without_a_valid_element(profile: Literal["small", "fast", "fastest"]) -> None:
    config = Config(max_length=16, profile=profile)
    widths, cycles = numerics(config), schedule(config)
    exponent, significand = widths.tables.all_positions
    valid = [int(x) for x in np.random.default_rng(6).integers(0, 2, 200)]
    rows = run_cycles(
        Terms(widths, 1, cycles.memory, gated=True),
        200,
        lambda rows, now: {
            "i.valid": valid[len(rows)],
            "i.payload": {"position": len(rows) + 40, "tag": 0},
        },
        ["o.valid", "o.payload"],
    )
    expected = [int(significand[k + 40]) << int(exponent[k + 40]) if is_term else 0 for k, is_term in enumerate(valid)]
    assert [row["o.payload"]["term"] for row in rows[cycles.lookup :]] == expected[: -cycles.lookup]


@pytest.mark.parametrize("profile", ["small", "fastest"])
def test_split_tables_of_other_profiles(profile: Literal["small", "fastest"]) -> None:
    config = WIDTHS["chords"].replace(profile=profile)
    widths = numerics(config)
    positions = np.random.default_rng(7).integers(0, 1 << config.score_width, 2000)
    exponent, significand = exponential(widths, positions)
    cycles = schedule(config)
    exponentials = Exponential(widths, 1, cycles.memory, cycles.lookup)
    trace = run_component(exponentials, [{"position": int(p), "tag": 0} for p in positions], 2000)
    entries = [(b["exponent"], b["significand"]) for b in trace.beats]
    assert entries == list(zip(exponent.tolist(), significand.tolist(), strict=True))
    assert {o - i for i, o in zip(trace.inputs, trace.outputs, strict=True)} == {schedule(config).lookup}
