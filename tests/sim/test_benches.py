"""The generated Verilog equals the model in every bench and simulator; and every bench fails where it has to."""

import functools
import re

import pytest

from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.verilog import TOP, verilog
from softstream.sim.simulators.job import BENCHES, TESTS
from softstream.sim.simulators.runner import simulate
from softstream.sim.simulators.toolbox import installed_simulators

CONFIGS = {
    "argmax": Config(mode="argmax", max_length=16),
    "argmax-lanes-2": Config(mode="argmax", max_length=21, score_width=12, lanes=2),
    "argmax-lanes-4": Config(mode="argmax", max_length=10, score_width=8, lanes=4),
    "argmax-lanes-16": Config(mode="argmax", max_length=37, score_width=5, lanes=16, profile="small"),
    "argmax-tkeep": Config(mode="argmax", max_length=10, score_width=12, lanes=2, tkeep=True),
    "argmax-small": Config(mode="argmax", max_length=40, score_width=12, score_signed=False, profile="small"),
    "divider-absolute": Config(max_length=16),
    "divider-reference-small": Config(max_length=10, score_scale=0.1467, accumulator="reference", profile="small"),
    "reciprocal-int16-uq1": Config(
        max_length=40,
        score_width=16,
        score_scale=2.0**-11,
        probability_width=16,
        probability_format="UQ1",
        normaliser="reciprocal",
    ),
    "reciprocal-small": Config(max_length=9, normaliser="reciprocal", score_scale=0.3, profile="small"),
    "logarithm": Config(max_length=9, normaliser="logarithm", probability_width=6, score_scale=0.1, guard_bits=5),
    "none-unsigned": Config(max_length=16, score_width=4, score_scale=0.9, score_signed=False, normaliser="none"),
    "hardmax": Config(mode="hardmax", max_length=16),
    "hardmax-lanes-4": Config(
        mode="hardmax", max_length=10, score_width=5, probability_width=12, lanes=4, profile="small"
    ),
    "top-k": Config(mode="top_k", max_length=40, score_width=12),
    "top-k-16": Config(mode="top_k", top_k=16, max_length=10, score_signed=False),
    "top-k-lanes-4": Config(mode="top_k", max_length=21, lanes=4, score_width=5),
    "softmax-top-k-lanes-2": Config(
        mode="softmax_top_k", top_k=3, max_length=15, lanes=2, mask=True, normaliser="logarithm"
    ),
    "softmax-top-k": Config(mode="softmax_top_k", max_length=16, score_scale=0.3, normaliser="logarithm"),
    "softmax-top-k-small": Config(mode="softmax_top_k", top_k=2, max_length=12, score_width=10, profile="small"),
    "two-pass": Config(max_length=21, score_scale=0.1467, profile="small", accumulator="two_pass"),
    "two-pass-unsigned-uq1": Config(
        max_length=9,
        score_width=10,
        score_scale=0.02,
        score_signed=False,
        probability_width=11,
        probability_format="UQ1",
        profile="small",
        accumulator="two_pass",
    ),
    "sigmoid": Config(mode="sigmoid", max_length=9, score_scale=0.1, temperature=1.7),
    "sigmoid-wide-lanes": Config(
        mode="sigmoid", max_length=30, score_width=14, score_scale=0.05, probability_width=10, lanes=4, profile="small"
    ),
    "sample": Config(mode="sample", max_length=40, seed=3),
    "sample-small": Config(
        mode="sample", max_length=1000, score_width=5, score_signed=False, score_scale=0.4, profile="small"
    ),
    "sample-inverse-cdf": Config(mode="sample", sampler="inverse_cdf", max_length=40, seed=3),
    "sample-inverse-cdf-small": Config(
        mode="sample", sampler="inverse_cdf", max_length=9, score_width=12, score_scale=0.005, profile="small"
    ),
    "temperature-lanes-2-small": Config(
        temperature_bits=2,
        temperature_fraction=1,
        max_length=21,
        lanes=2,
        normaliser="logarithm",
        score_scale=0.04,
        profile="small",
        mask=True,
    ),
    "temperature-loss": Config(mode="cross_entropy", temperature_bits=5, temperature_fraction=2, max_length=9),
    "log-softmax": Config(mode="log_softmax", max_length=16, score_scale=0.1467),
    "log-softmax-4": Config(mode="log_softmax", max_length=21, score_width=6, lanes=4, profile="fastest"),
    "cross-entropy": Config(mode="cross_entropy", max_length=10, score_scale=0.1),
    "cross-entropy-2": Config(mode="cross_entropy", max_length=21, lanes=2, profile="small", integer_bits=3),
    "exponential": Config(mode="exponential", max_length=16, reference_offset=20),
    "exponential-split-2": Config(mode="exponential", max_length=9, lanes=2, score_width=12, score_scale=0.01),
    "ensemble-logits": Config(ensemble=2, max_length=9, score_scale=0.1, lanes=2),
    "ensemble-logits-loss": Config(mode="cross_entropy", ensemble=3, max_length=9, score_signed=False, profile="small"),
    "ensemble-probabilities": Config(ensemble=3, ensemble_mean="probabilities", max_length=9, normaliser="logarithm"),
    "ensemble-probabilities-4": Config(
        ensemble=4, ensemble_mean="probabilities", max_length=10, lanes=4, profile="fastest", probability_format="UQ1"
    ),
    "one-element": Config(max_length=1, score_width=2, probability_width=2),
}


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path_factory, monkeypatch):
    """Files of runs that fail on purpose go into a folder that pytest removes."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("runs")))


def needs(simulator):
    if simulator not in installed_simulators():
        pytest.skip(f"{simulator} is not installed here")


# The text is the same in both simulators, so what Icarus adds is X: what is read before it is written shows behind a reset.
RUNS = [("verilator", name, BENCHES) for name in CONFIGS]
RUNS += [("icarus", name, BENCHES) for name in ("argmax-lanes-4", "one-element")]
RUNS += [("icarus", name, ("reset",)) for name in CONFIGS if ("icarus", name, BENCHES) not in RUNS]
# Other formats and schedules of a head that is there already.
LONG = {
    *("argmax-lanes-2", "argmax-lanes-16", "argmax-small", "divider-reference-small"),
    *("reciprocal-small", "none-unsigned", "hardmax-lanes-4", "top-k-16"),
    *("top-k-lanes-4", "softmax-top-k-lanes-2", "softmax-top-k-small", "two-pass-unsigned-uq1"),
    *("sigmoid-wide-lanes", "sample-small", "sample-inverse-cdf-small", "log-softmax-4"),
    *("cross-entropy-2", "exponential-split-2", "ensemble-logits-loss", "ensemble-probabilities-4"),
    "temperature-loss",
}

# Under Icarus, heads whose registers and memories another head in the short list has as well.
LONG_IN_ICARUS = {
    *("argmax", "hardmax", "sigmoid", "exponential", "cross-entropy", "sample"),
    *("logarithm", "reciprocal-int16-uq1", "ensemble-logits", "top-k", "argmax-tkeep"),
}

# Under Verilator, heads whose every stage another head in the short list has as well, or that Icarus runs in the short list.
LONG_IN_VERILATOR = {
    "argmax",
    "argmax-lanes-4",
    "hardmax",
    "top-k",
    "ensemble-probabilities",
    "exponential",
    "log-softmax",
    *("temperature-lanes-2-small", "divider-absolute", "sample-inverse-cdf", "softmax-top-k"),
}

assert set(CONFIGS) >= LONG | LONG_IN_ICARUS | LONG_IN_VERILATOR


def is_long(simulator: str, name: str) -> bool:
    return name in LONG or name in (LONG_IN_ICARUS if simulator == "icarus" else LONG_IN_VERILATOR)


@pytest.mark.parametrize(
    ("simulator", "name", "benches"),
    [
        pytest.param(*run, marks=[pytest.mark.long] if is_long(*run[:2]) else [], id=f"{run[0]}-{run[1]}")
        for run in RUNS
    ],
)
def test_hardware_equals_the_model(simulator, name, benches):
    needs(simulator)
    verdicts = simulate(CONFIGS[name], simulator=simulator, seed=len(name), benches=benches)
    assert [verdict for verdict in verdicts if not verdict.passed] == []
    assert [verdict.bench for verdict in verdicts] == [bench for bench in benches for _ in range(TESTS[bench])]
    assert all(verdict.simulator == simulator and verdict.vectors and verdict.cycles for verdict in verdicts)


def test_a_preset_at_its_full_length():
    needs("verilator")
    verdicts = simulate(PRESETS["softmax-int8"], simulator="verilator", benches=("stream", "latency"))
    assert [verdict for verdict in verdicts if not verdict.passed] == []


# A wrapper with the ports of the top around the real one: %(...)s are the faults.
WRAPPER = """
module softstream_top(aclk, aresetn, s_axis_tdata, s_axis_tvalid, s_axis_tready, s_axis_tlast,
                      m_axis_tdata, m_axis_tvalid, m_axis_tready, m_axis_tlast, m_axis_tuser);
  input aclk, aresetn, s_axis_tvalid, s_axis_tlast, m_axis_tready;
  input [7:0] s_axis_tdata;
  output s_axis_tready, m_axis_tvalid, m_axis_tlast, m_axis_tuser;
  output [15:0] m_axis_tdata;
  wire ready, valid, last, user, go;
  wire [15:0] data;
  wire taken = m_axis_tvalid && m_axis_tready;
  reg [7:0] waited = 0;  // cycles for which an offered beat has waited
  reg [7:0] count = 0;  // beats taken since reset
  reg [15:0] was_reset = 0;
  reg repeated = 0;
  always @(posedge aclk) begin
    waited <= m_axis_tvalid && !m_axis_tready ? waited + 1 : 0;
    count <= aresetn ? count + taken : 0;
    was_reset <= was_reset + !aresetn;
    repeated <= aresetn && (taken ? !repeated : repeated);
  end
  assign s_axis_tready = %(s_ready)s;
  assign m_axis_tvalid = %(m_valid)s;
  assign m_axis_tdata = %(m_data)s;
  assign m_axis_tlast = %(m_last)s;
  assign m_axis_tuser = %(m_user)s;
  assign go = %(m_ready)s;
  inner_top inner(
    .aclk(aclk), .aresetn(%(reset)s),
    .s_axis_tdata(%(s_data)s), .s_axis_tvalid(%(s_valid)s), .s_axis_tready(ready), .s_axis_tlast(%(s_last)s),
    .m_axis_tdata(data), .m_axis_tvalid(valid), .m_axis_tready(go), .m_axis_tlast(last), .m_axis_tuser(user));
endmodule
"""
SOUND = {
    "s_data": "s_axis_tdata",
    "s_valid": "s_axis_tvalid",
    "s_last": "s_axis_tlast",
    "s_ready": "ready",
    "m_data": "data",
    "m_valid": "valid",
    "m_last": "last",
    "m_user": "user",
    "m_ready": "m_axis_tready",
    "reset": "aresetn",
}


@functools.cache
def inner():
    return verilog(CONFIGS["argmax"], "inner_top")


def wrapped(**faults):
    """The argmax head inside a wrapper with faults."""
    return inner() + WRAPPER % (SOUND | faults)


def failures(text, bench):
    simulator = installed_simulators()[0]
    return {
        verdict.test.partition("/")[0]: verdict.detail
        for verdict in simulate(CONFIGS["argmax"], simulator=simulator, benches=(bench,), verilog=text)
        if not verdict.passed
    }


def test_the_wrapper_alone_is_no_fault():
    assert [failures(wrapped(), bench) for bench in ("stream", "reset")] == [{}, {}]


@pytest.mark.parametrize(
    ("bench", "test", "message", "faults"),
    [
        (
            "stream",
            "corners",
            r"m_axis: winner of vector \d+, of length \d+: tdata 0x",
            {"m_data": "data ^ {15'd0, count == 20}"},
        ),
        ("stream", "corners", "changed before tready: tdata", {"m_data": "data ^ {15'd0, waited == 2}"}),
        ("stream", "corners", "tvalid fell before tready", {"m_valid": "valid && waited != 2"}),
        ("stream", "corners", "tlast 0, tuser 0; the model has", {"m_last": "last && count != 9"}),
        ("stream", "limits", "tuser 0; the model has", {"m_user": "1'b0"}),
        # Every beat comes twice: too many of them.
        ("stream", "limits", "the model has|a beat more than", {"m_ready": "m_axis_tready && repeated"}),
        ("stream", "limits", "no beat in", {"s_ready": "ready && count < 3", "s_valid": "s_axis_tvalid && count < 3"}),
        ("stream", "ready_after_valid", "tvalid fell|no beat in", {"m_valid": "valid && m_axis_tready"}),
        # What is on the lines in a pause, or above the score, must not matter.
        ("stream", "corners", "the model has|no beat in|a beat more than|tready is X or Z", {"s_valid": "1'b1"}),
        ("reset", "in_vector", "the model has", {"reset": "aresetn || was_reset > 4"}),
        ("reset", "in_stalled_output", "tvalid is 1 during reset", {"m_valid": "valid || (!aresetn && was_reset > 6)"}),
        ("axi", "cocotbext_axi", "changed before tready: tdata", {"m_data": "data ^ {15'd0, waited == 1}"}),
        ("axi", "cocotbext_axi", "fewer beats|beats in|the model has", {"m_data": "data ^ {15'd0, count == 20}"}),
    ],
)
def test_a_fault_fails_its_bench(bench, test, message, faults):
    messages = failures(wrapped(**faults), bench)
    assert re.search(message, messages[test]), messages


@pytest.mark.parametrize(
    ("message", "faults"),
    [
        ("s_axis: tready is X or Z", {"s_ready": "count == 5 ? 1'bx : ready"}),
        ("m_axis: tvalid is X or Z", {"m_valid": "count == 5 ? 1'bx : valid"}),
        ("m_axis: tdata X or Z in an offered beat", {"m_data": "count == 5 ? {data[15:1], 1'bx} : data"}),
    ],
)
def test_x_fails_in_a_simulator_that_knows_x(message, faults):
    needs("icarus")
    verdicts = simulate(CONFIGS["argmax"], simulator="icarus", benches=("stream",), verilog=wrapped(**faults))
    assert message in verdicts[0].detail


@pytest.mark.parametrize(("said", "slower_profile"), [("fast", "small"), ("small", "fast")])
def test_latency_that_differs_from_the_plan_fails_either_way(said, slower_profile):
    """The small argmax head has the shorter latency, the fast one the shorter cycle."""
    config = CONFIGS["argmax"].replace(profile=said)
    simulator = installed_simulators()[0]
    text = verilog(config.replace(profile=slower_profile), TOP)
    verdicts = simulate(config, simulator=simulator, benches=("latency",), verilog=text)
    assert [verdict.passed for verdict in verdicts] == [False, True]
    assert "cycles from the first input beat" in verdicts[0].detail
    assert "the plan says" in verdicts[0].detail


def test_an_interval_that_differs_from_the_plan_fails():
    """A gap after every vector: the latency is right, the throughput is not."""
    text = wrapped(s_ready="ready && waited == 0 && !gap", s_valid="s_axis_tvalid && !gap").replace(
        "  assign go",
        "  reg gap = 0;\n  always @(posedge aclk) gap <= s_axis_tvalid && s_axis_tready && s_axis_tlast;\n  assign go",
    )
    messages = failures(text, "latency")
    assert list(messages) == ["interval"]
    assert "the plan says 1" in messages["interval"]
