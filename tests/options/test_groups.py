"""Packets of groups: the model is the head of vectors group by group, the hardware the model, cycles are the plan's."""

import numpy as np
import pytest
from support.head_bench import check_head

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.groups import Grouping, group_count
from softstream.hw.plan.derive import plan
from softstream.sim.beats import due_beats
from softstream.sim.benches.scores import _result
from softstream.sim.golden import golden
from softstream.sim.simulators.runner import run_rtl
from softstream.sim.simulators.toolbox import installed_simulators
from softstream.sim.stimulus import random_sideband

FIXED = Config(
    groups=(8,), max_length=8, normaliser="logarithm", score_width=6, probability_width=6, per_vector="pipelined"
)
MIXED = FIXED.replace(groups=(5, 2), max_length=5)
CONFIGS = {
    "mixed": MIXED,
    "fixed": FIXED.replace(groups=(3,), max_length=3),
    "ones": FIXED.replace(groups=(1,), max_length=1),
    "serial": FIXED.replace(groups=(4, 1), max_length=4, per_vector="serial", profile="small", normaliser="divider"),
    "two-pass": Config(groups=(4, 2), max_length=4, profile="small", accumulator="two_pass"),
    "lanes": FIXED.replace(groups=(8, 4), lanes=4, mask=True),
    "smoothed": FIXED.replace(groups=(3, 4), max_length=4, smoothing=(1, 2, 1), guard_bits=4),
    "argmax": Config(mode="argmax", groups=(4, 2), max_length=4),
    "argmax-small": Config(mode="argmax", groups=(1, 2), max_length=2, profile="small"),
    "hardmax": Config(mode="hardmax", groups=(4, 2), max_length=4, mask=True),
    "sample": Config(mode="sample", groups=(4, 2), max_length=4),
    "exponential": Config(mode="exponential", groups=(4, 2), max_length=4),
    "log_softmax": Config(mode="log_softmax", groups=(4, 2), max_length=4),
}


def packets(config: Config, lengths: list[int], seed: int = 5) -> list[np.ndarray]:
    rng, form = np.random.default_rng(seed), config.score_format
    return [rng.integers(form.minimum, form.maximum, length, endpoint=True) for length in lengths]


def sliced(sizes: tuple[int, ...], length: int) -> list[slice]:
    """The groups of a packet, by counting."""
    slices: list[slice] = []
    at = 0
    while at < length:
        size = sizes[len(slices) % len(sizes)]
        slices.append(slice(at, min(at + size, length)))
        at += size
    return slices


@pytest.mark.parametrize("sizes", [(1,), (8,), (10, 3, 5), (2, 1)])
def test_groups_are_those_counted_one_by_one(sizes: tuple[int, ...]) -> None:
    lengths = np.arange(1, 40)
    groups = Grouping(sizes, lengths)
    assert group_count(sizes, lengths).tolist() == [len(sliced(sizes, int(n))) for n in lengths]
    values = np.arange(lengths.size * 39).reshape(-1, 39)
    row = 0
    for packet, length in enumerate(lengths.tolist()):
        slices = sliced(sizes, length)
        for place, part in enumerate(slices):
            count = part.stop - part.start
            assert (groups.packet[row], groups.place[row], groups.lengths[row]) == (packet, place, count)
            assert groups.complete[row] == (count == sizes[place % len(sizes)])
            assert groups.final[row] == (place == len(slices) - 1)
            assert groups.split(values)[row, :count].tolist() == values[packet, part].tolist()
            row += 1
    assert row == len(groups.packet)
    inside = np.arange(39) < lengths[:, None]
    np.testing.assert_array_equal(groups.join(groups.split(values), 39), np.where(inside, values, 0))
    np.testing.assert_array_equal(groups.split_groups(groups.join_groups(groups.lengths)), groups.lengths)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_model_is_that_of_each_group(name: str) -> None:
    config = CONFIGS[name]
    batch, alone = packets(config, [1, 23, 12, 6]), config.replace(groups=[])
    scores = np.zeros((4, 23), dtype=np.int64)
    for row, packet in zip(scores, batch, strict=True):
        row[: len(packet)] = packet
    extra = random_sideband(config, scores)
    result = golden(config, scores, np.array([1, 23, 12, 6]), extra)
    words = 0
    for row, packet in enumerate(batch):
        for place, part in enumerate(sliced(config.groups, len(packet))):
            of_part = {array: values[row : row + 1, part] for array, values in extra.items()}
            due = golden(alone, packet[None, part], None, of_part, before=words)
            words += part.stop - part.start
            for array, values in due.items():
                if array == "overlong":
                    assert not values.any()
                elif values.ndim == 2:
                    assert result[array][row, part].tolist() == values[0].tolist(), array
                else:
                    assert result[array][row, place] == values[0], array
            expected = config.groups[place % len(config.groups)]
            assert result["incomplete"][row, place] == (part.stop - part.start < expected)


def test_a_group_of_one_has_the_code_of_1() -> None:
    config = CONFIGS["ones"]
    result = golden(config, packets(config, [20])[0][None])
    assert (result["probabilities"] == config.probability_maximum).all()
    assert not result["incomplete"].any()


@pytest.mark.parametrize("name", CONFIGS)
def test_hardware_equals_golden_with_the_plans_cycles(name: str) -> None:
    config, promised = CONFIGS[name], plan(CONFIGS[name])
    whole = sum(config.groups)
    check_head(
        config,
        packets(config, [1, 1, 2 * whole + 1, whole, 1, whole + 1, 2]),
        source="random",
        sink="random",
    )
    for length in (1, 2 * whole + 1):
        trace = check_head(config, packets(config, [length]))
        times = trace.outputs["m_axis"]
        cycles = times[0] - trace.inputs[0], times[-1] - trace.inputs[0]
        assert cycles == (promised.first_output_cycle(length), promised.last_output_cycle(length))
        if len(trace.outputs) > 1:
            assert trace.outputs["m_axis_best"][0] - trace.inputs[0] == promised.best_output_cycle(length)
    count = 6
    trace = check_head(config, packets(config, [2 * whole] * count))
    times = trace.outputs["m_axis"]
    assert set(np.diff(times[:: len(times) // count])[3:]) == {promised.interval_cycles(2 * whole)}


@pytest.mark.parametrize(("config", "length"), [(FIXED, 64), (MIXED, 70), (CONFIGS["ones"], 50)])
def test_one_element_per_cycle(config: Config, length: int) -> None:
    """Groups back to back, packets back to back: no bubble at the input, and with groups of one size none at the output."""
    assert plan(config).interval_cycles(length) == length
    trace = check_head(config, packets(config, [length] * 3))
    times = trace.outputs["m_axis"]
    assert np.ptp(trace.inputs) == 3 * length - 1
    if len(config.groups) == 1:
        assert np.ptp(times) == 3 * length - 1


@pytest.mark.parametrize("name", ["mixed", "lanes", "exponential", "argmax", "sample", "log_softmax"])
def test_beats_become_the_arrays_they_came_from(name: str) -> None:
    config, lengths = CONFIGS[name], np.array([1, 23, 12, 18])
    scores = np.stack(packets(config, [23] * 4))
    extra = random_sideband(config, scores)
    result = golden(config, scores, lengths, extra)
    due = due_beats(config, result, lengths, extra.get("mask"))
    arrays = _result(config, scores.shape, lengths, extra.get("mask"), due)
    assert set(arrays) == set(result)
    for array, values in result.items():
        np.testing.assert_array_equal(arrays[array], values, err_msg=array)
    (*first, last, user), *rest = due["m_axis"]
    with pytest.raises(AssertionError, match="m_axis: tlast"):
        _result(config, scores.shape, lengths, extra.get("mask"), {**due, "m_axis": [(*first, 1 - last, user), *rest]})


def test_packets_through_the_verilog() -> None:
    """Icarus simulates undefined values, so no register may be read before its first clock edge."""
    config = Config(mode="argmax", groups=(3, 1, 2), max_length=3, profile="small", score_width=4)
    scores, lengths = np.stack(packets(config, [13] * 4)), np.array([13, 1, 6, 8])
    arrays = run_rtl(config, scores, lengths, simulator="icarus" if "icarus" in installed_simulators() else "auto")
    due = golden(config, scores, lengths)
    assert set(arrays) == set(due)
    for array, values in due.items():
        np.testing.assert_array_equal(arrays[array], values, err_msg=array)
    assert arrays.first_output_cycle.tolist()[0] == plan(config).first_output_cycle(13)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"groups": [8]}, r"max_length = 1024 with groups = \[8\]: must be the longest group; max_length = 8 would do"),
        (
            {"groups": [0]},
            r"groups = \[0\]: must be a list of integers from 1 to 1048576, at most 16; for example \[8\]",
        ),
        ({"groups": 8}, r"groups = 8: must be a list of integers"),
        ({"groups": [1] * 17, "max_length": 1}, "groups: 17 sizes; must be at most 16"),
        ({"groups": [12], "max_length": 12, "lanes": 8}, r"lanes = 8 with groups = \[12\]: .*; lanes = 4 would do"),
        ({"groups": [8], "max_length": 8, "mode": "sigmoid"}, r"groups = \[8\] with mode = 'sigmoid': each score has"),
        (
            {"groups": [8], "max_length": 8, "mode": "cross_entropy"},
            r"groups = \[8\] with mode = 'cross_entropy': one label",
        ),
        ({"groups": [8], "max_length": 8, "mode": "top_k"}, r"groups = \[8\] with mode = 'top_k': the K largest"),
    ],
)
def test_groups_that_cannot_be_formed_are_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}"):
        Config.from_mapping(keys)
