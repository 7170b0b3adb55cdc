"""The measures of the experiments, and the example of smoothing."""

import pytest

torch = pytest.importorskip("torch")

from softstream.scripts.twin.experiments import bandit, calibration_error, reliability, smoothed_example  # noqa: E402

pytestmark = pytest.mark.torch


def test_the_calibration_error_is_the_gap_between_confidence_and_accuracy():
    probabilities = torch.tensor([[0.75, 0.25]] * 4 + [[0.45, 0.55]] * 2, dtype=torch.float64)
    assert calibration_error(probabilities, torch.tensor([0, 0, 0, 1, 1, 1])) == pytest.approx(2 / 6 * 0.45)


def test_a_reliability_diagram_has_a_point_for_each_bin_with_an_element():
    probabilities = torch.tensor([[0.75, 0.25]] * 4 + [[0.45, 0.55]] * 2, dtype=torch.float64)
    points = reliability(probabilities, torch.tensor([0, 0, 0, 1, 1, 1]))
    assert points == [pytest.approx((0.55, 1.0)), pytest.approx((0.75, 0.75))]


def test_smoothing_of_counts_keeps_the_sum_where_it_scatters():
    example, step = smoothed_example(), 2.0**-12
    for edges, first in {"gather": 1 / 3, "scatter": 1 / 4}.items():
        # 1/9 of the mass lies in the second bin, whose neighbour at the end of the vector gets a third or a quarter of it.
        assert example[edges][0] == pytest.approx(first / 9, abs=2 * step)
    assert sum(example["scatter"]) == pytest.approx(1, abs=6 * step)
    assert sum(example["gather"]) != pytest.approx(1, abs=0.02)
    assert min(example["scatter"]) > 0


def test_a_clip_lets_more_policies_find_the_better_arm(monkeypatch):
    monkeypatch.setattr("softstream.scripts.twin.experiments.STEPS", 300)
    winners = {name: int((bandit(name).final > 0.55).sum()) for name in ("none", "clip")}
    assert winners["clip"] > winners["none"]
