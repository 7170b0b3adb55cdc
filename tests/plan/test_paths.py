"""Combinational paths from port to port, walked in the netlist of every kind of head, are those that the plan names."""

import pytest
from support.combinational_paths import combinational_paths
from support.long_cases import partly_long
from support.rtlil_hashes import CONFIGURATIONS

from softstream.hw.config.config import Config
from softstream.hw.plan.paths import PortPath, port_paths
from softstream.hw.verilog import verilog

_READY = PortPath("m_axis_tready", "s_axis_tready")


def small(**keys: object) -> Config:
    """A head of narrow scores, whose tables are quickly read."""
    return Config.from_mapping(
        {"profile": "small", "score_width": 4, "score_scale": 0.3, "max_length": 8, "probability_width": 4, **keys}
    )


HEADS = {
    "argmax": small(mode="argmax"),
    "argmax-fast": small(mode="argmax", profile="fast"),
    "argmax-groups": small(mode="argmax", groups=(4,), max_length=4),
    "argmax-tkeep-2": small(mode="argmax", tkeep=True, lanes=2),
    "argmax-ensemble": small(mode="argmax", ensemble=2),
    "sigmoid": small(mode="sigmoid"),
    "sigmoid-fast": small(mode="sigmoid", profile="fast", tkeep=True),
    "sample": small(mode="sample"),
    "sample-fast": small(mode="sample", profile="fast"),
    "sample-cdf": small(mode="sample", sampler="inverse_cdf"),
    "softmax": small(),
    "softmax-tkeep": small(tkeep=True),
    "softmax-groups": small(groups=(4,), max_length=4),
    "two-pass": small(accumulator="two_pass"),
    "temperature": small(temperature_bits=2, temperature_fraction=1),
    "temperature-no-winner": small(temperature_bits=2, temperature_fraction=1, winner=False),
    "temperature-fast": small(temperature_bits=2, temperature_fraction=1, profile="fast"),
    "floor": small(probability_floor=0.01),
    "floor-2": small(probability_floor=0.01, lanes=2),
    "floor-temperature": small(probability_floor=0.01, temperature_bits=2, temperature_fraction=1),
    "smoothing": small(smoothing=(1, 2, 1)),
    "zero-point": small(output_zero_point=-8),
    "ensemble": small(ensemble=2),
    "ensemble-probabilities": small(ensemble=2, ensemble_mean="probabilities"),
    "log_softmax": small(mode="log_softmax"),
    "cross_entropy": small(mode="cross_entropy"),
    "exponential": small(mode="exponential"),
    "hardmax": small(mode="hardmax"),
    "top_k": small(mode="top_k", top_k=2),
    "top_k-2": small(mode="top_k", top_k=2, lanes=2),
    "softmax_top_k": small(mode="softmax_top_k", top_k=2),
}


def check(config: Config) -> None:
    assert combinational_paths(config) - {("aclk", "aclk")} == {
        (path.source, path.target) for path in port_paths(config)
    }


LONG = {
    "temperature-fast",
    "ensemble-probabilities",
    "smoothing",
    "zero-point",
    "softmax_top_k",
    "top_k-2",
    "sample-cdf",
}
"""Heads whose paths the short list tests in another head as well."""


@pytest.mark.parametrize("name", partly_long(HEADS, LONG))
def test_paths_of_the_netlist_are_those_of_the_plan(name: str) -> None:
    check(HEADS[name])


@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.long
def test_so_are_those_of_every_preset(name: str) -> None:
    check(CONFIGURATIONS[name])


def test_paths_of_each_kind_occur() -> None:
    paths = {path for config in HEADS.values() for path in port_paths(config)}
    assert paths == {
        _READY,
        PortPath("m_axis_best_tready", "s_axis_tready"),
    }


def test_the_header_names_the_path() -> None:
    text = " ".join(verilog(HEADS["argmax"]).replace("//", "").split())
    assert "m_axis_tready reaches s_axis_tready in the same cycle" in text
    assert "reaches s_axis_tready" not in verilog(HEADS["argmax-fast"])
