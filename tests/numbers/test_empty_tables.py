"""Tables all of whose entries are 0: heads whose tables have no bits generate, and equal the model."""

import pytest
from support.configurations import score_vectors
from support.head_bench import check_head

from softstream.hw.config.config import Config
from softstream.hw.numbers.composition import composition
from softstream.hw.numbers.log_softmax import log_numerics
from softstream.hw.numbers.smoothing import smoothing_tables
from softstream.hw.verilog import TOP, verilog

KERNELS = {
    "gather": Config(max_length=16, guard_bits=6, smoothing=(255, 254, 255, 254, 3)),
    "seven": Config(max_length=16, normaliser="divider", smoothing=(202, 120, 188, 229, 149, 82, 208)),
    "thirteen": Config(
        max_length=40, smoothing=(90, 70, 81, 77, 63, 99, 101, 102, 88, 70, 60, 66, 71), normaliser="logarithm"
    ),
    "narrow": Config(max_length=16, probability_width=4, guard_bits=4, smoothing=(210, 209, 208, 211, 200)),
}
FLAT = {
    "log_softmax": Config(mode="log_softmax", score_scale=1e-7, max_length=4),
    "one-element": Config(mode="log_softmax", score_scale=1e-7, max_length=1),
    "split": Config(mode="cross_entropy", score_width=13, score_scale=1e-9, max_length=4),
}
"""Scales so fine that the logarithms of all positions round to 0."""


def empty_tables(config: Config) -> int:
    """Tables of a configuration that hold zeros alone."""
    if config.smoothing:
        parts = composition(config)
        assert parts is not None
        return sum(not any(entries) for entries in smoothing_tables(config, parts.inner).entries)
    tables = log_numerics(config, signed=config.mode == "log_softmax").tables
    return int(not tables.position_high.any())


@pytest.mark.parametrize("config", [*KERNELS.values(), *FLAT.values()], ids=[*KERNELS, *FLAT])
def test_verilog(config: Config) -> None:
    assert empty_tables(config)  # otherwise the configuration tests nothing
    assert f"module {TOP}" in verilog(config, TOP)


@pytest.mark.parametrize("config", [KERNELS["gather"], FLAT["log_softmax"]], ids=["gather", "log_softmax"])
def test_head_equals_the_model(config: Config) -> None:
    check_head(config, score_vectors(config, seed=5))
