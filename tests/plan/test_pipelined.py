"""Heads with pipelined per-vector stages: vectors of any length without a bubble, and the same bits."""

import numpy as np
import pytest
from support.configurations import PIPELINED, score_vectors
from support.head_bench import check_head

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import outputs
from softstream.hw.plan.schedule import VECTORS, schedule


def random_vectors(config: Config, lengths: list[int], seed: int) -> list[np.ndarray]:
    rng, form = np.random.default_rng(seed), config.score_format
    return [rng.integers(form.minimum, form.maximum, length, endpoint=True) for length in lengths]


@pytest.mark.parametrize("name", PIPELINED)
def test_any_mixture_of_lengths_under_pauses(name: str) -> None:
    config = PIPELINED[name]
    check_head(config, score_vectors(config, 91)[8:22], source="random", sink="random")


@pytest.mark.parametrize("name", PIPELINED)
def test_no_bubble_whatever_the_lengths(name: str) -> None:
    """Vectors of 1, 2 and 3 elements back to back, and short ones right behind long ones; latency and interval are the plan's."""
    config = PIPELINED[name]
    promised, longest = plan(config), config.max_length
    lengths = (
        [1] * 60 + [min(2, longest)] * 20 + [min(3, longest)] * 20 + [longest, *[1] * 20, longest, 2, 1, longest, 3]
    )
    trace = check_head(config, random_vectors(config, lengths, 92))
    beats, times = outputs(config)[0].beats(config, np.array(lengths)), trace.outputs["m_axis"]
    firsts = np.array(times)[np.cumsum(beats) - beats]
    assert firsts[0] - trace.inputs[0] == promised.first_output_cycle(1)
    if len(trace.outputs) > 1:
        assert trace.outputs["m_axis_best"][0] - trace.inputs[0] == promised.best_output_cycle(1)
    for rows in (slice(1, 60), slice(61, 80), slice(81, 100)):
        length = lengths[rows.start]
        assert set(np.diff(firsts[rows])) == {promised.interval_cycles(length)}
        assert promised.interval_cycles(length) == promised.output_spacing * config.beats(length)
    if promised.output_spacing == 1:
        assert np.ptp(trace.inputs) == len(trace.inputs) - 1


def test_more_short_vectors_than_factors_wait_without_a_bubble_at_the_output() -> None:
    """Behind a long vector short ones wait once there are `VECTORS`; the output moves in every cycle all the same."""
    config = Config(max_length=400, normaliser="logarithm", probability_width=4, score_width=4, per_vector="pipelined")
    assert schedule(config).vectors(400) < 400
    assert VECTORS < 300
    trace = check_head(config, random_vectors(config, [400, *[1] * 380, 400], 93))
    assert np.ptp(trace.outputs["m_axis"][:780]) == 779
    assert np.ptp(trace.inputs) > len(trace.inputs)


def test_the_schedule_changes_no_bit_and_only_the_latency() -> None:
    for config in PIPELINED.values():
        serial, figures = plan(config.replace(per_vector="serial")), plan(config)
        assert (figures.bound, figures.table_bits) == (serial.bound, serial.table_bits)
        assert figures.fixed_latency_cycles <= serial.fixed_latency_cycles
        assert len(figures.interval_terms) < len(serial.interval_terms)


def test_two_passes_have_nothing_to_pipeline() -> None:
    with pytest.raises(UserError, match=r"^per_vector = 'pipelined' with accumulator = 'two_pass'"):
        Config(profile="small", accumulator="two_pass", per_vector="pipelined")
