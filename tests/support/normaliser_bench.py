"""Shared by the tests of all normalisers: worst-case and random significands and divisors, and one run."""

from types import ModuleType

import numpy as np
from support.stream_bench import run_component

from softstream.hw.config.config import Config
from softstream.hw.numbers.softmax import numerics
from softstream.hw.plan.schedule import schedule
from softstream.hw.plan.stage_cycles import normalise_digits

__all__ = ["check_factor", "check_quotient", "divisors", "stored"]


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


def stored(config: Config, factor: np.ndarray) -> np.ndarray:
    """Golden factors as the hardware hands them on: a logarithm T + b as {T, b}, at random where b may be 0 or 1."""
    if config.division != "logarithm":
        return factor
    tables = numerics(config).logarithms
    assert tables is not None
    bit = np.random.default_rng(23).integers(0, 2, factor.shape)
    bit = np.where(factor == 0, 0, np.where(factor >> tables.working_fraction, 1, bit))
    return (factor - bit) << 1 | bit


def check_factor(config: Config, hardware: ModuleType, golden: ModuleType, values: np.ndarray | None = None) -> None:
    """The component once per vector equals its golden model, with the schedule's latency at its interval.

    One that is not serial may read its input until its output is there: so long does `LeadingOne` keep it, and no longer
    is needed.
    """
    widths, cycles = numerics(config), schedule(config)
    values = divisors(config) if values is None else values
    component = hardware.Factor(widths, hardware.factor_width(widths), 3, cycles.memory, pipelined=cycles.pipelined)
    beats = [{"exponent": k % 2, "divisor": int(m), "tag": k & 7} for k, m in enumerate(values)]
    interval = cycles.normaliser.factor_interval
    if interval == 1 and not cycles.pipelined:
        interval = cycles.normaliser.factor + 1
        digits, _, _ = normalise_digits(widths)
        assert interval <= cycles.normalise_interval - digits - 1
    trace = run_component(component, beats, len(beats), spacing=interval)
    factors = golden.factor(widths, values)
    if config.division == "logarithm":
        for beat in trace.beats:  # {T, b}: the sum is left to what follows
            beat["factor"] = (beat["factor"] >> 1) + (beat["factor"] & 1)
    assert trace.beats == [{"exponent": k % 2, "factor": int(f), "tag": k & 7} for k, f in enumerate(factors)]
    assert {o - i for i, o in zip(trace.inputs, trace.outputs, strict=True)} == {cycles.normaliser.factor}


def check_quotient(config: Config, hardware: ModuleType, golden: ModuleType) -> None:
    """The component once per element equals its golden model, with the schedule's latency at its interval."""
    widths, cycles = numerics(config), schedule(config)
    factors = golden.factor(widths, divisors(config))
    pairs = [(int(s), int(f)) for s in _span(widths.significand_fraction, 12, 22) for f in factors]
    expected = golden.quotient(widths, *(np.array(column) for column in zip(*pairs, strict=True)))
    assert expected.max() < 1 << widths.quotient_width
    component = hardware.Quotient(widths, hardware.factor_width(widths), 1, serial=cycles.quotient_interval > 1)
    beats = [{"significand": s, "factor": f, "tag": k & 1} for k, (s, f) in enumerate(pairs)]
    trace = run_component(component, beats, len(beats), spacing=cycles.quotient_interval)
    assert trace.beats == [{"quotient": int(q), "tag": k & 1} for k, q in enumerate(expected)]
    assert {o - i for i, o in zip(trace.inputs, trace.outputs, strict=True)} == {cycles.normaliser.step("quotient")}
