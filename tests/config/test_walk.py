"""A random walk over keys: a constructed configuration has a plan, or only a size refuses it; every remedy leads on."""

import random
import re
import tomllib
from typing import Any

import pytest
from support.long_cases import mostly_long

from softstream.hw.config.config import Config
from softstream.hw.config.modes import MODES
from softstream.hw.errors import UserError
from softstream.hw.plan.derive import plan

VALUES: dict[str, tuple[Any, ...]] = {
    "mode": ("softmax", "softmax", "softmax", *MODES),
    "normaliser": ("auto", "auto", "divider", "divider", "reciprocal", "logarithm", "none"),
    "accumulator": ("auto", "auto", "auto", "absolute", "two_windows", "reference", "two_pass"),
    "profile": ("fast", "fastest", "small"),
    "lanes": (1, 1, 1, 1, 2, 4, 16, 32),
    "per_vector": ("serial", "serial", "pipelined"),
    "select": ("largest", "largest", "largest", "smallest"),
    "tie": ("first", "first", "first", "last"),
    "mask": (False, False, True),
    "smoothing": ([], [], [1, 2, 1], [3, 1, 3, 0, 0]),
    "smoothing_edges": ("gather", "scatter"),
    "smoothing_passes": (1, 1, 3),
    "probability_floor": (0.0, 0.0, 0.01, 0.1249),
    "groups": ([], [], [8], [8, 4]),
    "ensemble": (1, 1, 3, 16),
    "ensemble_mean": ("logits", "probabilities"),
    "temperature": (1.0, 1.0, 0.8, 3.0),
    "temperature_bits": (0, 0, 0, 2, 9),
    "sampler": ("gumbel", "inverse_cdf"),
    "draw_top_k": (0, 0, 2, 7, 64),
    "draw_top_p": (1.0, 1.0, 0.9, 1e-9),
    "draw_min_p": (0.0, 0.0, 0.1),
    "draw_sideband": (False, False, False, True),
    "guard_bits": (0, 0, 1, 2, 4, 8),
    "score_width": (4, 4, 4, 8, 12, 16),
    "score_scale": (0.0625, 0.0625, 0.0625, 2.0**-20, 40.0),
    "probability_width": (8, 8, 8, 2, 12, 24),
    "output_levels": (0, 0, 0, 255, 3, 1 << 24),
    "output_zero_point": (0, 0, -128, 5),
    "clip_minimum": (-65536, -65536, -65536, -3, 7),
    "clip_maximum": (65535, 65535, 65535, 127, -8),
    "reference_offset": (0, 0, 300),
    "max_length": (8,),
}

SIZES = re.compile(
    r"the error bound would be|accumulator would need|octaves need \d+ bits|the exact sum of exponentials has room|"
    r"depends on the order of additions|a sigmoid of more than"
)
"""Refusals that only the numbers decide: a bound above 1 ulp, a sum or a table that is too wide, lanes with an ordered sum."""


def drawn(seed: int) -> dict[str, Any]:
    """A combination of about half the keys."""
    rng = random.Random(seed)
    names = [name for name in VALUES if name == "max_length" or rng.random() < 0.5]
    return {name: rng.choice(VALUES[name]) for name in names}


def remedies(message: str) -> list[dict[str, Any]]:
    """The values that a refusal recommends: `key = value with key = value would do, or key = value`."""
    tail = message.rpartition(";")[2].replace("for example", "")
    return [
        tomllib.loads("\n".join(f"{key} = {value}" for key, value in pairs))
        for part in re.split(r"would do|, or ", tail)
        if (pairs := re.findall(r"(\w+) = ('[^']*'|\[[^]]*\]|-?[\w.+-]+)", part))
    ]


def refusal(keys: dict[str, Any]) -> tuple[str, bool]:
    """The text that a combination is refused with, empty where it is not, and whether it was constructed before."""
    constructed = False
    try:
        config = Config.from_mapping(keys)
        constructed = True
        plan(config)
    except UserError as error:
        return str(error), constructed
    return "", constructed


def check(keys: dict[str, Any]) -> bool:
    """Follows the first remedy of each refusal to a plan; tries the others. Whether there was a refusal."""
    refused = False
    for _ in range(16):
        message, constructed = refusal(keys)
        if not message:
            return refused
        refused = True
        assert not constructed or SIZES.search(message), f"{keys}: {message}"
        repairs = remedies(message)
        assert repairs, f"no remedy in: {message}"
        for remedy in repairs:
            assert any(value != keys.get(key, Config().to_mapping()[key]) for key, value in remedy.items()), (
                f"{keys}: a remedy is what was given: {message}"
            )
            assert refusal({**keys, **remedy})[0] != message, f"{keys}: {remedy} changes nothing: {message}"
        keys = {**keys, **repairs[0]}
    raise AssertionError(f"{keys}: remedies lead in a circle, at last: {message}")


@pytest.mark.parametrize("start", mostly_long(range(0, 2000, 100), [0]))
def test_remedies_lead_to_a_plan(start: int) -> None:
    refused = sum(check(drawn(seed)) for seed in range(start, start + 100))
    assert 10 < refused < 100
