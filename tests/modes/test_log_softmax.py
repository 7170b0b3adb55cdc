"""Log-softmax against its golden model: the logarithm of every sum, and elements with their vectors' logarithms."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.beats import beats_of
from support.configurations import MEMBERS, score_vectors
from support.stream_bench import run_component, run_cycles

from softstream.hw.config.config import Config
from softstream.hw.head import Head
from softstream.hw.modes.log_softmax import Emission, emission_cycles
from softstream.hw.normalisers.log_sum import LogSum, log_sum_cycles
from softstream.hw.numbers.log_softmax import log_numerics
from softstream.hw.plan.derive import plan
from softstream.sim.beats import pad_vectors
from softstream.sim.golden import golden
from softstream.sim.golden.modes.log_softmax import emit
from softstream.sim.golden.normalisers.log_sum import log_sum

CONFIGS = {
    "tiny": Config(max_length=4, score_width=2, score_scale=0.7, probability_width=2),
    "table": Config(max_length=16, score_width=6, score_scale=0.11, probability_width=4, guard_bits=3),
    "shift": Config(max_length=16, probability_width=5),
    "split": Config(max_length=16, score_width=12, score_scale=0.013, probability_width=6),
    "split-shift": Config(max_length=16, score_width=12, score_scale=2.0**-7, probability_width=6),
}


@pytest.mark.parametrize(("memory", "pipelined"), [(1, False), (2, False), (3, False), (1, True), (3, True)])
@pytest.mark.parametrize("name", ["tiny", "table", "shift"])
def test_logarithm_of_every_divisor(name: str, memory: int, pipelined: bool) -> None:
    numbers = log_numerics(CONFIGS[name], signed=True)
    one = 1 << numbers.widths.divisor_fraction
    divisors = np.arange(one, 2 * one)
    n = np.arange(len(divisors)) % len(numbers.tables.octave)
    beats = [
        {"exponent": int(e), "divisor": int(m), "tag": k & 7} for k, (e, m) in enumerate(zip(n, divisors, strict=True))
    ]
    component = LogSum(numbers, 3, memory, pipelined=pipelined)
    trace = run_component(component, beats, len(beats), spacing=1 if pipelined else log_sum_cycles(memory) + 1)
    unit = 1 << numbers.tables.working_fraction
    assert [beat["exponent"] * unit + beat["factor"] for beat in trace.beats] == log_sum(numbers, n, divisors).tolist()
    assert [beat["tag"] for beat in trace.beats] == [k & 7 for k in range(len(beats))]
    assert {o - i for i, o in zip(trace.inputs, trace.outputs, strict=True)} == {log_sum_cycles(memory)}


@pytest.mark.parametrize("integer_bits", [0, 2])
@pytest.mark.parametrize(("memory", "gaps"), [(1, 0.0), (2, 0.4), (3, 0.0)])
@pytest.mark.parametrize("name", CONFIGS)
def test_emission_equals_golden(name: str, memory: int, gaps: float, integer_bits: int) -> None:
    """Every position, and differences from below 0 to above the range of a narrow format, through vectors of one to three."""
    config = CONFIGS[name].replace(integer_bits=integer_bits)
    numbers = log_numerics(config, signed=True)
    unit, rng = 1 << numbers.tables.working_fraction, np.random.default_rng(81)
    every = np.arange(1 << config.score_width)
    position = np.concatenate([rng.permutation(every), rng.integers(0, len(every), 200)])[:500]
    last = rng.random(len(position)) < 0.6
    last[-1] = True
    vector = np.concatenate([[0], np.cumsum(last)[:-1]])
    scaled = numbers.tables.positions(position)
    # Near the element's own position where the vector begins; what the sum can be, from its smallest on.
    begins = np.concatenate([[True], last[:-1]])
    nearby = scaled[begins] + rng.integers(-8, 60 << numbers.tables.shift, vector[-1] + 1)
    most = config.score_scale * (len(every) - 1) + math.log(config.max_length)
    logarithm = np.clip(nearby, scaled.min(), int(most * unit) + (1 << numbers.tables.guard_bits))
    codes = emit(numbers, logarithm[vector], position)
    assert codes.max() == 0
    if integer_bits:
        assert codes.min() == numbers.format.minimum
    sent: list[int] = []
    asked: list[int] = []

    def drive(rows: list[dict[str, Any]], now: Callable[[str], int]) -> dict[str, Any]:
        cycle = len(rows)
        if rows and rows[-1]["next"]:
            asked.append(cycle - 1)
        number = max(0, sum(at + memory <= cycle for at in asked) - 1)
        value = int(logarithm[number])
        inputs: dict[str, Any] = {
            "i.valid": 0,
            "factor": {"exponent": value // unit, "factor": value % unit, "tag": number & 1},
        }
        if len(sent) < len(position) and rng.random() >= gaps:
            inputs |= {"i.valid": 1, "i.payload": {"position": int(position[len(sent)]), "last": int(last[len(sent)])}}
            sent.append(cycle)
        return inputs

    rows = run_cycles(
        Emission(numbers, memory), len(position) * (2 if gaps else 1) + 12, drive, ["next", "o.valid", "o.payload"]
    )
    assert len(asked) == len(logarithm)
    assert [row["o.payload"] for row in rows if row["o.valid"]] == [
        {"log_probability": int(code), "last": int(end), "overlong": int(number & 1)}
        for code, end, number in zip(codes, last, vector, strict=True)
    ]
    latency = emission_cycles(numbers, memory)
    assert [cycle for cycle, row in enumerate(rows) if row["o.valid"]] == [cycle + latency for cycle in sent]


@pytest.mark.parametrize(("source", "sink"), [("never", "never"), ("random", "every3")])
# With a temperature for each vector see test_inverse_temperature.
@pytest.mark.parametrize(
    "name",
    [name for name, config in MEMBERS.items() if config.mode == "log_softmax" and not config.temperature_bits],
)
def test_the_head_equals_golden(name: str, source: str, sink: str) -> None:
    config = MEMBERS[name]
    lanes, vectors = config.lanes, score_vectors(config, seed=82)
    scores, lengths = pad_vectors(vectors, config.score_format.minimum)
    result = golden(config, scores, lengths)
    elements = []
    for row, length, flag in zip(
        result["log_probabilities"].tolist(), np.minimum(lengths, config.max_length), result.overlong, strict=True
    ):
        for start in range(0, length, lanes):
            beat = {"log_probability": row[start], "last": int(start + lanes >= length), "overlong": int(flag)}
            for lane in range(1, lanes):
                beat[f"log_probability_{lane}"] = row[start + lane] if start + lane < length else 0
                beat[f"keep_{lane}"] = int(start + lane < length)
            elements.append(beat)
    winners = [
        {"index": int(i), "score": int(b), "overlong": int(o)}
        for i, b, o in zip(result.argmax, result.best, result.overlong, strict=True)
    ]
    beats = beats_of(vectors, lanes)
    trace = run_component(Head(config), beats, len(elements), source=source, sink=sink, drain=("o_best",))
    assert trace.beats == elements
    assert [beat for _, beat in trace.drained["o_best"]] == winners
    if source == sink == "never":
        assert trace.outputs[0] - trace.inputs[0] == plan(config).first_output_cycle(1)
        assert trace.drained["o_best"][0][0] - trace.inputs[0] == plan(config).best_output_cycle(1)
