"""No key of the section `[implementation]` changes a result: heads that differ in these keys alone put out the same codes."""

from typing import Any

import numpy as np
import pytest
from support.head_bench import HeadTrace, check_head
from support.long_cases import partly_long

from softstream.hw.config.config import KEYS, Config
from softstream.hw.errors import UserError
from softstream.hw.plan.ports import Output, outputs, stream_fields, top_ports

IMPLEMENTATIONS: tuple[dict[str, Any], ...] = (
    {"profile": "fast", "lanes": 1, "per_vector": "serial", "tkeep": False},
    {"profile": "fastest", "lanes": 4, "per_vector": "pipelined", "tkeep": False},
    {"profile": "fastest", "lanes": 1, "per_vector": "pipelined", "tkeep": True},
    {"profile": "small", "lanes": 1, "per_vector": "serial", "tkeep": False},
)

NUMERIC: dict[str, dict[str, Any]] = {
    "default": {},
    "divider": {"normaliser": "divider"},
    "reciprocal": {"normaliser": "reciprocal", "probability_width": 12},
    "power-of-two": {"normaliser": "none", "mask": True},
    "reference": {"accumulator": "reference", "score_scale": 0.1467},
    "floor": {"probability_floor": 0.01},
    "log_softmax": {"mode": "log_softmax"},
    "cross_entropy": {"mode": "cross_entropy"},
    "exponential": {"mode": "exponential"},
    "softmax_top_k": {"mode": "softmax_top_k", "top_k": 3},
    "hardmax": {"mode": "hardmax"},
    "argmax": {"mode": "argmax", "tie": "last"},
    "sample": {"mode": "sample", "mask": True},
    "sample-top-p": {"mode": "sample", "draw_top_k": 3, "draw_top_p": 0.9},
    "temperature": {"temperature_bits": 3},
    "mean-of-logits": {"ensemble": 2, "ensemble_mean": "logits"},
    "mean-of-probabilities": {"ensemble": 2},
}
LONG = ("divider", "reciprocal", "power-of-two", "reference", "log_softmax", "sample-top-p", "mean-of-logits")
"""Rows whose keys of the implementation reach the stages that another row in the short list has as well."""
LENGTHS = (8, 1, 11, 3)


def implementations(keys: dict[str, Any]) -> list[Config]:
    """The heads of these numeric keys, without the implementations that a rule refuses."""
    configs = []
    for implementation in IMPLEMENTATIONS:
        try:
            configs.append(Config(max_length=8, **keys, **implementation))
        except UserError:
            continue
    return configs


def results(config: Config, output: Output, trace: HeadTrace) -> list[tuple[list[int], int]]:
    """(codes, flags) of each vector, whatever the number of lanes: the codes of a lane are its field of tdata."""
    names, lanes = stream_fields(config, output.prefix), output.lanes(config)
    [width] = [port.width for port in top_ports(config) if port.name == f"{output.prefix}_tdata"]
    bits = width // lanes
    vectors: list[tuple[list[int], int]] = []
    codes: list[int] = []
    for beat in trace.beats[output.prefix]:
        fields = dict(zip(names, beat, strict=True))
        held = fields.get("tkeep", (1 << width // 8) - 1)
        lane_codes = [fields["tdata"] >> lane * bits & (1 << bits) - 1 for lane in range(lanes)]
        codes += [code for lane, code in enumerate(lane_codes) if held >> lane * bits // 8 & 1]
        if fields["tlast"]:
            vectors.append((codes, fields["tuser"]))
            codes = []
    assert not codes
    return vectors


def test_all_keys_of_the_implementation_are_varied() -> None:
    # These two decide which ports exist, so streams of two heads differ; tests/options/test_output_streams.py has them.
    of_ports = {"winner", "padded_outputs"}
    assert {key.name for key in KEYS if not key.numeric} - of_ports == set(IMPLEMENTATIONS[0])


@pytest.mark.parametrize("name", partly_long(NUMERIC, LONG))
def test_the_implementation_changes_no_bit(name: str) -> None:
    configs = implementations(NUMERIC[name])
    assert {config.profile for config in configs} == {"fast", "fastest", "small"}
    rng = np.random.default_rng(7)
    vectors = [rng.integers(-128, 128, length) for length in LENGTHS]
    heads = [[results(config, output, check_head(config, vectors)) for output in outputs(config)] for config in configs]
    assert all(len(vectors) == len(LENGTHS) // configs[0].ensemble for vectors in heads[0])
    for head in heads[1:]:
        assert head == heads[0]
