"""The random share of a sum: hardware = model, for narrow and wide sums, vectors as close behind each other as may be."""

import numpy as np
import pytest
from support.stream_bench import run_cycles

from softstream.hw.config.config import Config
from softstream.hw.numbers.inverse_cdf import cdf_law
from softstream.hw.plan.modes.inverse_cdf import inverse_cdf_schedule
from softstream.hw.stages.sum_share import SumShare
from softstream.sim.golden.stages.random_words import words
from softstream.sim.golden.stages.sum_share import threshold

CONFIGS = {
    "int8": Config(mode="sample", sampler="inverse_cdf"),
    "small": Config(mode="sample", sampler="inverse_cdf", profile="small", score_scale=0.1),
    "odd": Config(mode="sample", sampler="inverse_cdf", max_length=7, score_width=3, probability_width=5),
    "one": Config(mode="sample", sampler="inverse_cdf", max_length=1, score_width=2),
}


@pytest.mark.parametrize("spacing", [0, 3])
@pytest.mark.parametrize("name", CONFIGS)
def test_equals_golden(name: str, spacing: int) -> None:
    config = CONFIGS[name]
    law, cycles = cdf_law(config), inverse_cdf_schedule(config)
    width, segments = law.widths.accumulator_width, len(cycles.sums.segments)
    rng = np.random.default_rng(3)
    totals = [1, (1 << width) - 1, 1 << (width - 1), 3, (1 << width) - 2]
    totals += [int(total) for total in rng.integers(1, 1 << width, 25)]
    due = threshold(law, np.array(totals), words(6, len(totals))).tolist()
    interval = cycles.threshold + spacing

    def drive(rows: list[dict[str, int]], now: object) -> dict[str, int]:
        cycle = len(rows)
        vector, at = divmod(cycle, interval)
        sum_in = totals[vector] if vector < len(totals) else 0
        ends = 1 << at if vector < len(totals) and at < segments else 0
        # What is there beside the cycles in which it counts must not matter.
        return {"sum": sum_in if ends else int(rng.integers(1 << width)), "ends": ends, "tag": vector & 7}

    ran = run_cycles(
        SumShare(law, cycles, 6, 3), interval * (len(totals) + 2), drive, ("o.valid", "o.payload.threshold", "o.payload.tag")
    )  # fmt: skip
    seen = [(cycle, *list(row.values())[1:]) for cycle, row in enumerate(ran) if row["o.valid"]]
    first = segments - 1 + cycles.threshold
    assert seen == [(first + k * interval, value, k & 7) for k, value in enumerate(due)]
