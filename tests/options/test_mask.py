"""Masked elements: never the winner, probability 0, and to all others as if they were not there, in every mode."""

import numpy as np
import pytest
from support.long_cases import mostly_long

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.log_softmax import log_numerics
from softstream.hw.plan.ports import outputs, top_ports
from softstream.sim.beats import due_beats, score_beats
from softstream.sim.golden import Result, golden
from softstream.sim.golden.modes.gumbel import words_taken
from softstream.sim.simulators.runner import run_rtl, simulate
from softstream.sim.stimulus import random_sideband

CONFIGS = [
    Config(mask=True, max_length=12, mode="argmax"),
    Config(mask=True, max_length=12),
    Config(mask=True, max_length=12, normaliser="logarithm", profile="fastest", lanes=4),
    Config(
        mask=True, max_length=12, accumulator="reference", normaliser="reciprocal", score_width=10, score_scale=0.05
    ),
    Config(mask=True, max_length=12, accumulator="two_pass", profile="small", score_width=5, score_scale=0.3),
    Config(mask=True, max_length=12, mode="log_softmax", lanes=2, integer_bits=4),
    Config(mask=True, max_length=12, mode="cross_entropy", lanes=4),
    Config(mask=True, max_length=12, mode="exponential", lanes=2, reference_offset=40),
    Config(mask=True, max_length=12, mode="sigmoid", lanes=4),
    Config(mask=True, max_length=12, mode="sample", score_width=5, score_scale=0.3),
    Config(mask=True, max_length=12, mode="sample", sampler="inverse_cdf"),
    Config(mask=True, max_length=12, mode="hardmax", lanes=4, score_width=4),
    Config(mask=True, max_length=12, mode="top_k", top_k=4, score_width=4, score_scale=0.5),
    Config(mask=True, max_length=12, mode="softmax_top_k", top_k=3, profile="small"),
]


def name_of(config: Config) -> str:
    return f"{config.mode}-{config.normaliser}-{config.accumulator}-{config.lanes}-{config.sampler}"


def masked_code(config: Config) -> int:
    """The code of a masked element in a mode with one output per element."""
    return log_numerics(config, signed=True).format.minimum if config.mode == "log_softmax" else 0


def due_row(config: Config, alone: Result | None, left: np.ndarray) -> dict[str, np.ndarray]:
    """The expected arrays of a vector of 12, from the result of the unmasked elements `left` alone; None if all are masked."""
    due: dict[str, np.ndarray] = {}
    for output in outputs(config):
        for field in output.fields:
            if output.per == "element":
                values = np.full(12, masked_code(config))
            else:
                # The smallest score stands for one where there is none, and the largest loss.
                stands = {"score": config.score_format.minimum, "loss": (1 << field.width) - 1}.get(field.name, 0)
                values = np.zeros(config.top_k if output.per == "rank" else 1, dtype=int)
                values[0] = stands
            if alone is not None:
                selection = slice(None) if output.per == "vector" else slice(0, len(left))
                result = np.atleast_1d(alone[field.array][0])[selection]
                result = left[result] if field.name == "index" else result
                places = left if output.per == "element" else np.arange(len(values))[: len(result)]
                values[places] = result[: len(values)]
            due[field.array] = values
    return due


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_the_result_is_that_of_the_unmasked_elements_alone(config: Config) -> None:
    """The random numbers of a sample as well: a masked element takes none, or each vector one."""
    rng = np.random.default_rng(5)
    fmt, plain = config.score_format, config.replace(mask=False)
    scores = rng.integers(fmt.minimum, fmt.maximum, (200, 12), endpoint=True)
    mask = rng.random(scores.shape) < rng.random((200, 1))
    sideband = {"labels": rng.integers(0, 14, 200)} if config.mode == "cross_entropy" else {}
    result = golden(config, scores, sideband={"mask": mask, **sideband})
    np.testing.assert_array_equal(result["all_masked"], mask.all(axis=1))
    before = 0
    for row in range(len(scores)):
        left, extra = np.flatnonzero(~mask[row]), {}
        if sideband:
            label = sideband["labels"][row]
            assert result["unlabelled"][row] == (label not in left)
            # Beyond the elements where it is masked.
            extra = {"labels": np.array([left.tolist().index(label) if label in left else 13])}
        alone = golden(plain, scores[row : row + 1, left], sideband=extra, before=before) if len(left) else None
        for name, due in due_row(config, alone, left).items():
            np.testing.assert_array_equal(result[name][row], due if result[name].ndim > 1 else due[0], name)
        before += int(words_taken(config, np.array([12]), mask[row : row + 1])[0])


# Codes per element, a list, and one result per vector; the others take as long each.
QUICK = (0, 6, 9)


@pytest.mark.parametrize("config", mostly_long(CONFIGS, [CONFIGS[place] for place in QUICK]), ids=name_of)
def test_the_hardware_equals_the_model(config: Config) -> None:
    """Every bench, with masks of which some leave nothing, next to vectors that are whole."""
    failed = [verdict for verdict in simulate(config, simulator="verilator") if not verdict.passed]
    assert not failed


def test_masks_of_a_person_reach_the_hardware() -> None:
    scores = np.array([[5, 9, 9, 1], [1, 2, 3, 4], [7, 7, 7, 7]])
    mask = np.array([[0, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1]])
    result = run_rtl(CONFIGS[1], scores, sideband={"mask": mask}, simulator="verilator")
    assert result.argmax.tolist() == [2, 0, 0]
    assert result["all_masked"].tolist() == [False, True, False]
    assert (
        result["probabilities"].tolist()
        == golden(CONFIGS[1], scores, sideband={"mask": mask})["probabilities"].tolist()
    )


def test_stimuli_mask_nothing_something_and_everything() -> None:
    mask = random_sideband(CONFIGS[0], np.tile(np.arange(40)[:, None], (1, 12)))["mask"]
    assert {0, 12} < set(mask.sum(axis=1).tolist())
    np.testing.assert_array_equal(
        random_sideband(CONFIGS[0], np.tile(np.arange(40)[:, None], (1, 5)))["mask"], mask[:, :5]
    )


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (None, "mask: missing"),
        (
            {"mask": np.zeros((1, 3))},
            r"mask: an array of float64 with shape \(1, 3\); must be integers of shape \(1, 3\)",
        ),
        ({"mask": np.zeros((1, 2), dtype=int)}, r"must be integers of shape \(1, 3\)"),
        ({"mask": [[0, 2, 0]]}, r"mask\[0, 1\] = 2: must be 0 to 1; for example 0"),
        (
            {"mask": [[0, 1, 0]], "label": [0]},
            "label: this head has no such sideband input; its sideband inputs are mask",
        ),
        ({"masks": [[0, 1, 0]]}, r"masks: this head has no such sideband input \(did you mean 'mask'\?\)"),
    ],
)
def test_a_wrong_mask_is_refused(inputs: dict[str, np.ndarray] | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        golden(CONFIGS[0], np.array([[1, 2, 3]]), sideband=inputs)


def test_each_lane_has_its_bit_lane_0_lowest() -> None:
    config = Config(mask=True, lanes=4, max_length=8)
    mask = np.array([[1, 0, 0, 0, 0, 1, 1, 1], [0, 1, 1, 0, 0, 0, 0, 0]])
    beats = score_beats(config, np.zeros((2, 8), dtype=int), np.array([6, 2]), sideband={"mask": mask})
    assert [beat[-2] for beat in beats] == [0b0001, 0b0010, 0b0010]
    [port] = [port for port in top_ports(config) if port.name == "s_axis_tuser"]
    assert port.width == 4
    assert port.meaning.startswith("[3:0] in every beat, 1 for each lane, lane 0 lowest, mask")


def test_the_list_ends_with_the_last_element_that_is_not_masked() -> None:
    config = Config(mask=True, mode="top_k", top_k=3)
    mask = np.array([[0, 1, 0, 1], [1, 1, 1, 1], [0, 0, 0, 0]])
    model = golden(config, np.array([[4, 9, 5, 9]] * 3), sideband={"mask": mask})
    due = due_beats(config, model, np.full(3, 4), mask)["m_axis"]
    index = [(word & 0xFFFF, last, user) for word, last, user in due]
    assert index == [(2, 0, 0), (0, 1, 0), (0, 1, 2), (1, 0, 0), (3, 0, 0), (2, 1, 0)]


def test_the_tuser_port_exists_only_with_a_sideband() -> None:
    assert "s_axis_tuser" not in [port.name for port in top_ports(Config())]
    [port] = [port for port in top_ports(CONFIGS[1]) if port.name == "s_axis_tuser"]
    assert (port.direction, port.width) == ("input", 1)
