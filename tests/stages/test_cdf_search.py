"""The search for an element: hardware = model for thresholds at every edge, vectors of one element without a gap."""

from itertools import pairwise

import numpy as np
import pytest
from support.stream_bench import run_cycles

from softstream.hw.config.config import Config
from softstream.hw.numbers.inverse_cdf import cdf_law
from softstream.hw.plan.modes.inverse_cdf import inverse_cdf_schedule
from softstream.hw.stages.cdf_search import CdfSearch
from softstream.sim.golden.modes.inverse_cdf import terms
from softstream.sim.golden.stages.cdf_search import search

CONFIGS = {
    "int8": Config(mode="sample", sampler="inverse_cdf", max_length=12),
    "small": Config(mode="sample", sampler="inverse_cdf", max_length=12, profile="small"),
    "int12": Config(
        mode="sample", sampler="inverse_cdf", max_length=9, score_width=12, score_scale=0.005, profile="fastest"
    ),
    "one": Config(mode="sample", sampler="inverse_cdf", max_length=1, score_width=2),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_equals_golden(name: str) -> None:
    config = CONFIGS[name]
    law, cycles = cdf_law(config), inverse_cdf_schedule(config)
    limit, top = config.max_length, (1 << config.score_width) - 1
    rng = np.random.default_rng(8)
    vectors, thresholds = [], []
    for length in [1, 1, 1, limit, 1, limit, 1, 1, *rng.integers(1, limit + 1, 6)]:
        positions = rng.choice(
            [rng.integers(0, top + 1, length), np.full(length, top), np.zeros(length, dtype=np.int64)]
        )
        running = np.cumsum(terms(law, positions[None], np.ones((1, length), dtype=bool))[0])
        # Just below, at and above each end of a share, with 0 and the largest among them.
        edges = {0, *(int(end) + step for end in running[:-1] for step in (-1, 0, 1)), int(running[-1]) - 1}
        chosen = sorted(edges) if length < 4 else [*sorted(edges)[:3], *rng.choice(sorted(edges), 5), max(edges)]
        vectors += [positions] * len(chosen)
        thresholds += [int(edge) for edge in chosen]
    due = [
        int(search(terms(law, v[None], np.ones((1, len(v)), dtype=bool)), np.array([limit]))[0])
        for v, limit in zip(vectors, thresholds, strict=True)
    ]
    elements = [(int(p), int(i == 0)) for vector in vectors for i, p in enumerate(vector)]
    starts = np.cumsum([0, *map(len, vectors)])
    gap = 3 * cycles.sums.memory  # once between two vectors, nothing comes

    def drive(rows: list[dict[str, int]], now: object) -> dict[str, int]:
        cycle = len(rows)
        half = int(starts[len(starts) // 2])
        at = cycle if cycle < half else cycle - gap
        valid = at < len(elements) and not half <= cycle < half + gap
        position, first = elements[at] if valid else (int(rng.integers(top + 1)), 1)
        asked = sum(row["next"] for row in rows[: cycle - cycles.sums.memory + 1])
        vector = min(asked, len(vectors)) - 1
        return {
            "i.valid": int(valid), "i.payload.position": position, "i.payload.first": first,
            "threshold": thresholds[vector] if vector >= 0 else 0, "flags": {"overlong": vector & 1},
        }  # fmt: skip

    watched = ("next", "o.valid", "o.payload.index", "o.payload.position", "o.payload.overlong")
    ran = run_cycles(CdfSearch(config, config, law, cycles), len(elements) + gap + cycles.search + 4, drive, watched)
    seen = [(cycle, *list(row.values())[2:]) for cycle, row in enumerate(ran) if row["o.valid"]]
    whens = [int(start) + index + cycles.search for start, index in zip(starts, due, strict=False)]
    whens = [
        when + (gap if start >= starts[len(starts) // 2] else 0) for when, start in zip(whens, starts, strict=False)
    ]
    assert seen == [
        (when, index, int(vector[index]), number & 1)
        for number, (when, index, vector) in enumerate(zip(whens, due, vectors, strict=True))
    ]
    assert any(b - a == 1 for a, b in pairwise(whens))
