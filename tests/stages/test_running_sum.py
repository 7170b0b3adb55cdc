"""The running sum of a stored vector's terms: every lane, every segment, vectors back to back and with gaps."""

import numpy as np
import pytest
from support.stream_bench import run_component

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.numbers.softmax import numerics
from softstream.hw.plan.schedule import segments
from softstream.hw.stages.running_sum import RunningSum


@pytest.mark.parametrize(
    ("lanes", "profile", "source"), [(1, "fast", "never"), (4, "fastest", "random"), (2, "small", "every3")]
)
def test_sums_up_to_each_element(lanes: int, profile: str, source: str) -> None:
    config = Config(max_length=13, lanes=lanes, profile=profile, accumulator="absolute")
    widths = numerics(config)
    parts = segments(config, widths)
    largest = widths.tables.high[-1]
    rng = np.random.default_rng(5)
    beats, due = [], []
    for length in (1, 3, 1, 2, 3, 1, 1, 3):
        total = 0
        for number in range(-(-length // 1)):
            terms = [int(term) for term in rng.integers(0, (largest[1] << largest[0]) + 1, lanes)]
            beats.append({"terms": terms, "first": number == 0})
            sums = []
            for term in terms:
                total += term
                sums.append(total)
            due.append(sums)
    trace = run_component(RunningSum(widths, parts, lanes), beats, len(due), source=source)
    assert [
        list(beat["sums"].values()) if isinstance(beat["sums"], dict) else list(beat["sums"]) for beat in trace.beats
    ] == due
    latency = ceil_log2(lanes) + len(parts)
    assert {end - start for start, end in zip(trace.inputs, trace.outputs, strict=True)} == {latency}
