"""Options combine: whatever combination of keys is asked for, there is a head that equals its model, or a sentence why not."""

import itertools
import json
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
from softstream.sim.golden import golden
from softstream.sim.stimulus import random_sideband

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
    "sink": ("none", "fixed", "vector"),
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


# Keys and modes --------------------------------------------------------------------------------------------------------

COMPANIONS: dict[str, dict[str, Any]] = {
    "temperature_fraction": {"temperature_bits": 3},
    **{key: {"draw_top_k": 2} for key in ("draw_top_p", "draw_min_p", "draw_sideband")},
    "ensemble_mean": {"ensemble": 3},
    **{key: {"smoothing": [1, 2, 1]} for key in ("smoothing_edges", "smoothing_passes")},
    "sink_code": {"sink": "fixed"},
    "sum": {"normaliser": "divider", "probability_format": "UQ1"},
    "minimum_code": {"normaliser": "divider", "probability_format": "UQ1", "sum": "exact"},
}
"""Key → keys with which it has an effect, in the modes that take them."""

WITHOUT_EFFECT: dict[str, str] = {
    "score_zero_point": "it shifts real scores before the head",
    "padded_outputs": "fields as narrow as these fill bytes",
    "exponential:guard_bits": "the codes of narrow scores are rounded correctly",
    "cdf:accumulator": "auto is absolute, and the others are refused",
    "entropy:accumulator": "auto is absolute, and the others are refused",
    "log_sum_exp:integer_bits": "the logarithm of four needs the one bit",
}
"""Key, or mode and key → why the tried values change nothing, although the key matters in the mode."""


def behaviour(config: Config) -> str:
    """The plan, without the keys, and the results of the model for a few vectors with ties."""
    figures = plan(config).to_json()
    form = config.score_format
    scores = np.random.default_rng(1).integers(form.minimum, form.maximum, (36, 5), endpoint=True)
    scores[:12] //= 6
    lengths = np.repeat([5, 4, 3, 4, 2, 1], 6)  # whole ensembles
    result = golden(config, scores, lengths, random_sideband(config, scores))
    content = {name: values.tolist() for name, values in result.items()}
    return json.dumps([{name: figures[name] for name in figures if name not in ("config", "digest")}, content])


def accepted(mode: str, name: str) -> tuple[Config, list[Config]]:
    """The configuration of a mode without the key, with its companions where the mode takes them, and with each value of it."""
    for companions in (COMPANIONS.get(name, {}), {}):
        plain = construct({"mode": mode, **companions})
        others = [construct({"mode": mode, **companions, name: value}) for value in VALUES[name][1:]]
        if plain is not None and any(others):
            return plain, [config for config in others if config is not None]
    return Config.from_mapping({**TINY, "mode": mode}), []


@pytest.mark.parametrize("mode", MODES)
def test_a_key_changes_what_it_is_declared_to_change(mode: str) -> None:
    """In each mode a key is refused, or it changes the plan or the model, or it is declared to matter in other modes alone."""
    keys = [key for key in KEYS if key.name in VALUES and key.name != "mode"]
    for key in keys:
        plain, configs = accepted(mode, key.name)
        if not configs or WITHOUT_EFFECT.keys() & {key.name, f"{mode}:{key.name}"}:
            continue
        before = behaviour(plain)
        matters = any(key.matters(config) for config in configs)
        assert any(behaviour(config) != before for config in configs) == matters, key.name


@pytest.mark.parametrize("mode", [name for name, traits in MODES.items() if traits.probabilities])
def test_no_key_of_the_codes_is_ignored_where_there_are_probabilities(mode: str) -> None:
    """But for a winner of probability 1, whose codes sum to 1 as they are."""
    for name in ("probability_format", "sum", "minimum_code", "output_levels", "output_zero_point"):
        if MODES[mode].one_hot and name in ("sum", "minimum_code"):
            continue
        _, configs = accepted(mode, name)
        [key] = [key for key in KEYS if key.name == name]
        assert all(key.matters(config) for config in configs), name


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"mode": "softmax_top_k", "sum": "exact"},
            "sum = 'exact' with mode = 'softmax_top_k': the probabilities of the K best are parts of a sum; sum = 'rounded' "
            "would do, or mode = 'softmax'",
        ),
        (
            {"mode": "softmax_top_k", "minimum_code": 1},
            "minimum_code = 1 with mode = 'softmax_top_k': the probabilities of the K best are parts of a sum; minimum_code = 0 "
            "would do, or mode = 'softmax'",
        ),
        (
            {"mode": "sigmoid", "sum": "exact"},
            "sum = 'exact' with mode = 'sigmoid': each score has a probability by itself; sum = 'rounded' would do, or mode = "
            "'softmax'",
        ),
    ],
)
def test_a_sum_of_some_probabilities_is_not_exact(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as refused:
        Config(**keys)
    assert str(refused.value) == message
    assert Config(**{**keys, "sum": "rounded", "minimum_code": 0}).mode == keys["mode"]
