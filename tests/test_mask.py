"""Masked elements: probability 0, never the winner, and to all others as if they were not there."""

import numpy as np
import pytest

from softstream.hw.config import Config
from softstream.hw.errors import UserError
from softstream.hw.ports import top_ports
from softstream.sim.golden import golden
from softstream.sim.runner import run_rtl, simulate
from softstream.sim.stimulus import beside

CONFIGS = [
    Config(mask=True, max_length=12, mode="argmax"),
    Config(mask=True, max_length=12),
    Config(mask=True, max_length=12, normaliser="logarithm", profile="fastest"),
    Config(
        mask=True, max_length=12, accumulator="reference", normaliser="reciprocal", score_width=10, score_scale=0.05
    ),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.mode}-{c.normaliser}")
def test_what_is_left_is_the_result_without_the_masked_elements(config: Config) -> None:
    rng = np.random.default_rng(5)
    fmt, plain = config.score_format, config.replace(mask=False)
    scores = rng.integers(fmt.minimum, fmt.maximum, (200, 12), endpoint=True)
    mask = rng.random(scores.shape) < rng.random((200, 1))
    result = golden(config, scores, beside={"mask": mask})
    np.testing.assert_array_equal(result["all_masked"], mask.all(axis=1))
    for row in range(len(scores)):
        left = np.flatnonzero(~mask[row])
        if not len(left):
            assert (result.argmax[row], result.best[row]) == (0, fmt.minimum)
        else:
            alone = golden(plain, scores[row : row + 1, left])
            assert (result.argmax[row], result.best[row]) == (left[alone.argmax[0]], alone.best[0])
        if result.probabilities is not None:
            due = np.zeros(12, dtype=np.int64)
            due[left] = golden(plain, scores[row : row + 1, left]).probabilities[0] if len(left) else 0
            np.testing.assert_array_equal(result.probabilities[row], due)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.mode}-{c.normaliser}")
def test_the_hardware_equals_the_model(config: Config) -> None:
    """Every bench, with masks of which some leave nothing, next to vectors that are whole."""
    failed = [verdict for verdict in simulate(config, simulator="verilator") if not verdict.passed]
    assert not failed


def test_masks_of_a_person_reach_the_hardware() -> None:
    scores = np.array([[5, 9, 9, 1], [1, 2, 3, 4], [7, 7, 7, 7]])
    mask = np.array([[0, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1]])
    result = run_rtl(CONFIGS[1], scores, beside={"mask": mask}, simulator="verilator")
    assert result.argmax.tolist() == [2, 0, 0]
    assert result["all_masked"].tolist() == [False, True, False]
    assert (
        result["probabilities"].tolist() == golden(CONFIGS[1], scores, beside={"mask": mask})["probabilities"].tolist()
    )


def test_stimuli_mask_nothing_something_and_everything() -> None:
    mask = beside(CONFIGS[0], np.tile(np.arange(40)[:, None], (1, 12)))["mask"]
    assert {0, 12} < set(mask.sum(axis=1).tolist())
    np.testing.assert_array_equal(beside(CONFIGS[0], np.tile(np.arange(40)[:, None], (1, 5)))["mask"], mask[:, :5])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "mask: missing"),
        (
            {"mask": np.zeros((1, 3))},
            r"mask: an array of float64 with shape \(1, 3\); must be integers of shape \(1, 3\)",
        ),
        ({"mask": np.zeros((1, 2), dtype=int)}, r"must be integers of shape \(1, 3\)"),
        ({"mask": [[0, 2, 0]]}, r"mask\[0, 1\] = 2: must be 0 to 1; for example 0"),
        ({"mask": [[0, 1, 0]], "label": [0]}, "label: nothing of that name comes beside the scores"),
    ],
)
def test_a_wrong_mask_is_refused(given: dict[str, np.ndarray] | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        golden(CONFIGS[0], np.array([[1, 2, 3]]), beside=given)


def test_lanes_take_no_mask() -> None:
    with pytest.raises(UserError, match="lanes = 2 with mask"):
        Config(mask=True, lanes=2)


def test_the_port_is_there_only_where_something_comes_beside_the_scores() -> None:
    assert "s_axis_tuser" not in [port.name for port in top_ports(Config())]
    [port] = [port for port in top_ports(CONFIGS[1]) if port.name == "s_axis_tuser"]
    assert (port.direction, port.width) == ("input", 1)
