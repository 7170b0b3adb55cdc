"""Stored elements to probabilities: every normaliser's emission against its golden model, each vector with its own factor."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.configurations import SOFTMAX, score_vectors
from support.normaliser_bench import stored
from support.stream_bench import run_cycles

from softstream.hw.normalisers import NORMALISERS
from softstream.hw.numbers.softmax import numerics
from softstream.hw.plan.schedule import schedule
from softstream.hw.plan.stage_cycles import QUEUE_LATENCY
from softstream.sim.golden import golden
from softstream.sim.golden.normalisers import NORMALISERS as GOLDEN
from softstream.sim.golden.stages.accumulate import accumulate
from softstream.sim.golden.stages.exponential import exponential
from softstream.sim.golden.stages.leading_one import normalise


@pytest.mark.parametrize("gaps", [0.0, 0.4])
@pytest.mark.parametrize("name", SOFTMAX)
def test_equals_golden(name: str, gaps: float) -> None:
    """Elements at the schedule's interval, and with gaps; factors come and go just when `FactorStore` hands them out."""
    config = SOFTMAX[name]
    widths, cycles = numerics(config), schedule(config)
    elements, factors, expected = [], [], []
    for number, vector in enumerate(score_vectors(config, seed=51)):
        positions = (vector[: config.max_length] - config.score_format.minimum)[None]
        total = accumulate(widths, *exponential(widths, positions), np.ones_like(positions, dtype=bool))
        n, divisor = normalise(widths, *total)
        factor = GOLDEN[config.division].factor(widths, divisor)
        factors.append({"exponent": int(n[0]), "factor": int(stored(config, factor)[0]), "tag": number & 1})
        codes = GOLDEN[config.division].emit(widths, n[:, None], factor[:, None], positions)[0]
        whole = golden(config, vector[None]).probabilities
        assert whole is not None
        assert np.array_equal(codes, whole[0, : len(codes)])
        last = len(codes) - 1
        elements += [{"position": int(p), "last": int(k == last)} for k, p in enumerate(positions[0])]
        expected += [
            {"probability": int(code), "last": int(k == last), "overlong": number & 1} for k, code in enumerate(codes)
        ]
    rng = np.random.default_rng(52)
    sent: list[int] = []
    asked: list[int] = []

    def drive(found: list[dict[str, Any]], now: Callable[[str], int]) -> dict[str, Any]:
        cycle = len(found)
        if found and found[-1]["next"]:
            asked.append(cycle - 1)
        there = sum(at + cycles.memory <= cycle for at in asked)
        inputs: dict[str, Any] = {"i.valid": 0, "factor": factors[max(0, there - 1)]}
        due = not sent or cycle - sent[-1] >= cycles.quotient_interval
        if len(sent) < len(elements) and due and rng.random() >= gaps:
            inputs |= {"i.valid": 1, "i.payload": elements[len(sent)]}
            sent.append(cycle)
        return inputs

    dut = NORMALISERS[config.division].Emission(config, widths)
    length = len(elements) * cycles.quotient_interval * (2 if gaps else 1) + cycles.emission_latency + 10
    found = run_cycles(dut, length, drive, ["next", "o.valid", "o.payload"])
    assert [row["o.payload"] for row in found if row["o.valid"]] == expected
    assert len(asked) == len(factors)
    latency = cycles.normaliser.probability
    assert latency == cycles.probability == cycles.emission_latency - (cycles.replay - 2) - QUEUE_LATENCY
    assert [cycle for cycle, row in enumerate(found) if row["o.valid"]] == [cycle + latency for cycle in sent]
