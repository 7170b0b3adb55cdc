"""Options combine: whatever combination of keys is asked for, there is a head that equals its model, or a sentence why not."""

import itertools
import random
from functools import cache
from typing import Any

import numpy as np
import pytest
from support.head_bench import check_head

from softstream.hw.config.config import KEYS, Config
from softstream.hw.config.modes import MODES
from softstream.hw.errors import UserError
from softstream.hw.plan.derive import plan
from softstream.hw.verilog import verilog

TINY = {"max_length": 4, "score_width": 4, "score_scale": 0.4, "probability_width": 5}
"""Values that keep every table small; the walk omits keys that only change widths."""

VALUES: dict[str, tuple[Any, ...]] = {
    "mode": ("softmax", *sorted(set(MODES) - {"softmax"})),
    "normaliser": ("auto", "divider", "reciprocal", "logarithm", "none"),
    "accumulator": ("auto", "absolute", "two_windows", "reference", "two_pass"),
    "profile": ("fastest", "fast", "small"),
    "per_vector": ("serial", "pipelined"),
    "lanes": (1, 2, 4),
    "mask": (False, True),
    "groups": ([], [4, 2], [1, 3, 4]),
    "temperature": (1.0, 2.5),
    "temperature_bits": (0, 3),
    "temperature_fraction": (4, 2),
    "sampler": ("gumbel", "inverse_cdf"),
    "draw_top_k": (0, 2),
    "draw_top_p": (1.0, 0.6),
    "draw_min_p": (0.0, 0.2),
    "draw_sideband": (False, True),
    "ensemble": (1, 3),
    "ensemble_mean": ("logits", "probabilities"),
    "clip_minimum": (-65536, -3),
    "clip_maximum": (65535, 5),
    "probability_floor": (0.0, 0.07),
    "smoothing": ([], [1, 2, 1]),
    "smoothing_edges": ("gather", "scatter"),
    "smoothing_passes": (1, 2),
    "top_k": (5, 2),
    "score_zero_point": (0, 5),
    "select": ("largest", "smallest"),
    "tie": ("first", "last"),
    "tkeep": (False, True),
    "confidence": ("none", "margin"),
    "winner": (True, False),
    "padded_outputs": (False, True),
    "probability_format": ("UQ0", "UQ1"),
    "sum": ("rounded", "exact"),
    "minimum_code": (0, 2),
    "output_levels": (0, 31, 11),
    "output_zero_point": (0, -16, 3),
    "score_signed": (True, False),
    "integer_bits": (0, 1),
    "reference_offset": (0, 3),
    "guard_bits": (0, 2),
    "sink": ("none", "fixed"),
    "sink_code": (0, 3),
}
"""Key → the values that are tried, its default first."""

PAIRS = list(itertools.combinations(VALUES, 2))


def construct(keys: dict[str, Any]) -> Config | None:
    """The configuration, after its plan succeeded; None if it is refused with the requested value and a remedy in one line."""
    try:
        config = Config.from_mapping({**TINY, **keys})
        plan(config)
    except UserError as error:
        text = str(error)
        assert any(f"{name} " in text for name in keys), f"{keys}: {text}"
        assert "would do" in text or "for example" in text, f"{keys}: {text}"
        return None
    return config


def asked(keys: dict[str, Any]) -> dict[str, Any]:
    """The keys whose value is not the default."""
    return {name: value for name, value in keys.items() if value != VALUES[name][0]}


@cache
def combinations(count: int, seed: int) -> list[Config]:
    """As many that are not refused, each of about four options, every mode as often as any other."""
    rng, configs = random.Random(seed), []
    modes = itertools.cycle(VALUES["mode"])
    while len(configs) < count:
        names = rng.sample([name for name in VALUES if name != "mode"], 5)
        config = construct(asked({"mode": next(modes), **{name: rng.choice(VALUES[name]) for name in names}}))
        if config is not None:
            configs.append(config)
    return configs


def test_every_key_that_does_more_than_change_a_width_is_walked() -> None:
    assert {key.name for key in KEYS} - set(VALUES) == {*TINY, "seed"}
    for key in KEYS:
        if key.name in VALUES:
            assert VALUES[key.name][0] == (list(key.default) if isinstance(key.default, tuple) else key.default)


def test_any_two_options_combine_or_are_refused_with_the_reason() -> None:
    refused = 0
    for one, other in PAIRS:
        for first, second in itertools.product(VALUES[one][1:], VALUES[other][1:]):
            refused += construct({one: first, other: second}) is None
    # Most of them combine.
    assert 0 < refused < 0.35 * sum((len(VALUES[a]) - 1) * (len(VALUES[b]) - 1) for a, b in PAIRS)


@pytest.mark.parametrize("number", range(10))
def test_a_planned_configuration_is_generated(number: int) -> None:
    config = combinations(10, seed=11)[number]
    assert all(port.name in verilog(config) for port in plan(config).ports)


@pytest.mark.parametrize("number", range(20))
def test_a_planned_configuration_equals_its_model(number: int) -> None:
    config = combinations(20, seed=12)[number]
    rng, form = np.random.default_rng(13), config.score_format
    lengths = (1, 4, 2, 7, 1, 3)  # whole ensembles
    vectors = [rng.integers(form.minimum, form.maximum, length, endpoint=True) for length in lengths]
    check_head(config, vectors, source="every3", sink="random")
