"""What the tests of all normalisers share: worst-case and random significands and divisors, and one run."""

from types import ModuleType

import numpy as np
from stream_bench import run_component

from softstream.hw.config import Config
from softstream.hw.numerics import numerics
from softstream.hw.schedule import schedule

__all__ = ["check_factor", "check_quotient", "divisors"]


def _span(fraction: int, count: int, seed: int) -> np.ndarray:
    """Integers of [2^fraction, 2^(fraction+1)): both ends, and random ones."""
    low, high = 1 << fraction, 2 << fraction
    edges = [low, low + 1, low + 2, (low + high) // 2, high - 2, high - 1]
    return np.unique(
        np.clip(np.concatenate([edges, np.random.default_rng(seed).integers(low, high, count)]), low, high - 1)
    )


def divisors(config: Config) -> np.ndarray:
    """Divisors m."""
    return _span(numerics(config).divisor_fraction, 60, 21)


def check_factor(config: Config, hardware: ModuleType, golden: ModuleType) -> None:
    """The component once per vector equals its golden model, with the schedule's latency and interval."""
    widths, cycles = numerics(config), schedule(config)
    found = divisors(config)
    component = hardware.Factor(widths, hardware.factor_width(widths), serial=cycles.serial)
    beats = [{"exponent": k % 16, "divisor": int(m), "overlong": k & 1} for k, m in enumerate(found)]
    trace = run_component(component, beats, len(beats))
    factors = golden.factor(widths, found)
    assert trace.beats == [{"exponent": k % 16, "factor": int(f), "overlong": k & 1} for k, f in enumerate(factors)]
    assert {o - i for i, o in zip(trace.inputs, trace.outputs, strict=True)} == {cycles.factor}
    assert set(np.diff(trace.inputs)) == {cycles.factor_interval}


def check_quotient(config: Config, hardware: ModuleType, golden: ModuleType) -> None:
    """The component once per element equals its golden model, with the schedule's latency at its interval."""
    widths, cycles = numerics(config), schedule(config)
    factors = golden.factor(widths, divisors(config))
    pairs = [(int(s), int(f)) for s in _span(widths.significand_fraction, 12, 22) for f in factors]
    expected = golden.quotient(widths, *(np.array(column) for column in zip(*pairs, strict=True)))
    assert expected.max() < 1 << widths.quotient_width
    component = hardware.Quotient(widths, hardware.factor_width(widths), 1, serial=cycles.serial)
    beats = [{"significand": s, "factor": f, "tag": k & 1} for k, (s, f) in enumerate(pairs)]
    trace = run_component(component, beats, len(beats), spacing=cycles.quotient_interval)
    assert trace.beats == [{"quotient": int(q), "tag": k & 1} for k, q in enumerate(expected)]
    assert {o - i for i, o in zip(trace.inputs, trace.outputs, strict=True)} == {cycles.quotient}
