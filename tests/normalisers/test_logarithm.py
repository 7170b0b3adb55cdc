"""The emission of the logarithmic normaliser equals its golden model at every address of every table."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.normaliser_bench import stored
from support.stream_bench import run_cycles

from softstream.hw.config.config import Config
from softstream.hw.normalisers import logarithm as hardware
from softstream.hw.numbers.softmax import numerics
from softstream.hw.plan.schedule import schedule
from softstream.sim.golden.normalisers import logarithm as golden

CONFIGS = [
    Config(max_length=16, normaliser="logarithm", probability_width=width, guard_bits=guard_bits, **more)
    for width, guard_bits, more in (
        (2, 2, {"score_width": 3, "score_scale": 0.7}),
        (4, 3, {"score_width": 6, "score_scale": 0.11, "probability_format": "UQ1"}),
        (5, 4, {"score_scale": 0.1467}),
        (4, 4, {"score_width": 4, "score_scale": 9.0}),  # all but the top octaves shifted out
    )
]


def name(config: Config) -> str:
    return f"P{config.probability_width}-k{config.guard_width}-{config.score_scale}"


@pytest.mark.parametrize("config", CONFIGS, ids=name)
def test_emission_of_every_address(config: Config) -> None:
    """Every position, and every z that is not negative from 0 to beyond the last octave, through vectors of one element."""
    widths, cycles = numerics(config), schedule(config)
    tables = widths.logarithms
    assert tables is not None
    unit = 1 << tables.working_fraction
    most = (1 << widths.sum_exponent_width) * unit
    rng = np.random.default_rng(53)
    # Every z through some position, then every position with some z, however large.
    wanted, every = np.arange((tables.fraction + 3) * unit), np.arange(1 << config.score_width)
    position = np.concatenate([rng.integers(0, len(every), len(wanted)), every, every])
    wanted = np.concatenate(
        [wanted, rng.integers(0, 3 * unit, len(every)), rng.integers(0, most - 1 - tables.position[every])]
    )
    total = wanted + 1 + tables.position[position]
    position, total = position[total < most], total[total < most]
    n, fraction = total // unit, total % unit
    carried = (fraction == 0) & (n > 0) & (rng.random(len(n)) < 0.5)  # T + b = 1: the carry runs into n
    n, fraction = n - carried, fraction + unit * carried
    pairs = stored(config, fraction)
    codes = golden.emit(widths, n, fraction, position)
    z = total - 1 - tables.position[position]
    addresses = (unit | z % unit) >> (np.minimum(z // unit, tables.fraction + 1) + 1)
    assert set(addresses) == set(range(2 << tables.fraction))
    assert z.max() > (tables.fraction + 1) * unit

    def drive(found: list[dict[str, Any]], now: Callable[[str], int]) -> dict[str, Any]:
        cycle = len(found)
        number = cycle - cycles.memory
        inputs: dict[str, Any] = {"i.valid": int(cycle < len(position))}
        if cycle < len(position):
            inputs["i.payload"] = {"position": int(position[cycle]), "last": 1}
        if 0 <= number < len(position):
            inputs["factor"] = {"exponent": int(n[number]), "factor": int(pairs[number]), "tag": number & 1}
        return inputs

    found = run_cycles(hardware.Emission(config, widths), len(position) + 20, drive, ["next", "o.valid", "o.payload"])
    latency = cycles.normaliser.probability
    assert [cycle for cycle, row in enumerate(found) if row["o.valid"]] == [k + latency for k in range(len(position))]
    assert [row["o.payload"] for row in found if row["o.valid"]] == [
        {"probability": int(code), "last": 1, "overlong": k & 1} for k, code in enumerate(codes)
    ]
    assert [row["next"] for row in found[: len(position)]] == [1] * len(position)
