"""Heads without the stream of winners, outputs of a power of two bits, and both in packets of many vectors."""

import numpy as np
import pytest
from support.head_bench import check_head

from softstream.hw.config.config import Config
from softstream.hw.config.modes import MODES
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import Mismatch
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import outputs, result_outputs, top_ports
from softstream.scripts.measure.heads import verify
from softstream.sim.beats import due_beats, unpack
from softstream.sim.golden import golden
from softstream.sim.simulators.runner import run_rtl
from softstream.sim.simulators.toolbox import installed_simulators
from softstream.sim.stimulus import corner_vectors

CONFIGS = {
    "softmax": Config(max_length=16, winner=False),
    "two-pass": Config(max_length=8, accumulator="two_pass", winner=False, profile="small"),
    "log_softmax-2": Config(mode="log_softmax", max_length=9, lanes=2, winner=False, padded_outputs=True),
    "exponential": Config(mode="exponential", max_length=9, winner=False),
    "argmax": Config(mode="argmax", max_length=300, padded_outputs=True),
    "temperature-2": Config(
        max_length=9, temperature_bits=3, temperature_fraction=1, lanes=2, score_scale=0.02, winner=False,
        padded_outputs=True, probability_width=18, profile="small",
    ),
    "packets": Config(
        max_length=8, groups=(8,), winner=False, padded_outputs=True, per_vector="pipelined", tkeep=True, score_width=12
    ),
    "softmax_top_k": Config(mode="softmax_top_k", top_k=2, max_length=9, padded_outputs=True),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_every_beat_is_that_of_the_model(name: str) -> None:
    config = CONFIGS[name]
    check_head(config, corner_vectors(config, np.random.default_rng(2))[:20], source="random", sink="random")


@pytest.mark.parametrize("mode", MODES)
def test_the_stream_of_winners_alone_is_left_out(mode: str) -> None:
    config = Config(mode=mode, max_length=16)  # type: ignore[arg-type]
    bare = config.replace(winner=False)
    names = [output.prefix for output in outputs(bare)]
    assert names == ["m_axis"]
    assert outputs(bare) == outputs(config)[:1]
    assert result_outputs(bare) == outputs(config)
    assert not any(port.name.startswith("m_axis_best") for port in top_ports(bare))
    assert plan(bare).first_output_cycle(9) == plan(config).first_output_cycle(9)
    assert plan(bare).interval_cycles(9) == plan(config).interval_cycles(9)


def test_nothing_stalls_while_no_winner_is_taken() -> None:
    """As many vectors as the queues of winners could never hold."""
    config = CONFIGS["softmax"]
    trace = check_head(config, [np.arange(16)] * 40)
    assert np.ptp(trace.inputs) == 40 * 16 - 1


@pytest.mark.parametrize("name", PRESETS)
def test_padded_outputs_are_powers_of_two(name: str) -> None:
    config = PRESETS[name]
    for padded, bare in zip(outputs(config.replace(padded_outputs=True)), outputs(config), strict=True):
        widths = [sum(field.bits for field in output.fields) for output in (padded, bare)]
        assert widths[0].bit_count() == 1
        assert widths[1] <= widths[0] < 2 * widths[1]
        assert [field.bits for field in padded.fields[:-1]] == [field.bits for field in bare.fields[:-1]]


def test_the_last_field_is_extended_by_its_sign() -> None:
    config = CONFIGS["argmax"]
    scores = np.array([[-7, -3, -100], [5, 9, 2]])
    beats = due_beats(config, golden(config, scores), np.array([3, 3]))["m_axis"]
    words = np.array([beat[0] for beat in beats], dtype="<u4").view("<i2").reshape(-1, 2)
    assert words.tolist() == [[1, -3], [1, 9]]
    index, score = unpack(outputs(config)[0], [beat[0] for beat in beats])
    assert (index.ravel().tolist(), score.ravel().tolist()) == ([1, 1], [-3, 9])


def test_the_verilog_without_winners_is_compared_in_all_that_it_has() -> None:
    config = Config(max_length=4, score_width=4, profile="small", normaliser="none", winner=False)
    scores = np.random.default_rng(3).integers(-8, 8, (12, 4))
    simulator = "icarus" if "icarus" in installed_simulators() else "auto"
    arrays, model = run_rtl(config, scores, simulator=simulator), dict(golden(config, scores))
    assert set(arrays) == {"probabilities", "overlong"}
    verify(arrays, model)
    model["probabilities"] = model["probabilities"] ^ 1
    with pytest.raises(Mismatch, match=r"^probabilities\[0, 0\]: the Verilog gave"):
        verify(arrays, model)


def test_a_packet_of_many_vectors_gives_the_results_of_each() -> None:
    """The recipe of the pages: one `tlast` for 30 vectors of 8 scores, at both sides."""
    config = CONFIGS["packets"]
    vectors = np.random.default_rng(4).integers(-2048, 2048, (30, 8))
    alone = golden(config.replace(groups=[]), vectors)
    packet = golden(config, vectors.reshape(1, -1))
    assert packet["probabilities"].reshape(30, 8).tolist() == alone["probabilities"].tolist()
    trace = check_head(config, [vectors.ravel()])
    assert np.ptp(trace.inputs) == 239
    assert np.ptp(trace.outputs["m_axis"]) == 239
