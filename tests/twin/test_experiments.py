"""The measures of the experiments, and the example of smoothing."""

import pytest

torch = pytest.importorskip("torch")

from softstream import Config, golden, plan  # noqa: E402
from softstream.scripts.twin import experiments  # noqa: E402
from softstream.scripts.twin.experiments import (  # noqa: E402
    Trained,
    bandit,
    calibration_error,
    convolutions,
    regression,
    reliability,
    simulated,
    smoothed_example,
)

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


@pytest.mark.parametrize("groups", [[], [4, 4]])
def test_hardware_other_than_the_twin_is_reported(monkeypatch, groups):
    trained = Trained("a head", Config(max_length=4 if groups else 8, groups=groups), torch.randn((3, 8)))
    monkeypatch.setattr(experiments, "run_rtl", golden)
    assert simulated(trained) == "| a head | 3 | 24 |"

    def broken(config, scores):
        probabilities = golden(config, scores)["probabilities"].copy()
        probabilities[2, 5] += 1
        return {"probabilities": probabilities}

    monkeypatch.setattr(experiments, "run_rtl", broken)
    with pytest.raises(AssertionError, match="a head: the hardware and the twin differ"):
        simulated(trained)


def test_filters_compete_within_their_groups_at_each_location():
    pytest.importorskip("sklearn")
    networks = {(one.groups, one.training): one for one in convolutions(epochs=0, observed=50)}
    for (groups, training), one in networks.items():
        size = int(groups.split()[0])
        sums = one.features.unflatten(0, (-1, size)).sum(dim=1)
        config = one.trained.config.replace(groups=[], max_length=size)
        bound = 0 if training == "float" else size * plan(config).bound_ulp / config.levels
        assert (sums - 1).abs().max() <= bound + 1e-5  # rounding of float32
    for groups in experiments.FEATURE_GROUPS:  # without training, both have the same weights
        assert torch.equal(networks[groups, "deployed"].features, networks[groups, "twin"].features)


def test_the_drawn_distributions_and_the_law_have_every_bin():
    results = regression(epochs=1, seeds=1)
    law = experiments._true_distribution(experiments.DRAWN_AT)
    assert sum(law) == pytest.approx(1)
    assert {len(law), *(len(one.distribution) for one in results.values())} == {experiments.BINS}
    inside = [bin for bin, share in enumerate(law) if share > 0.01]
    labels = experiments._samples(200000, 0)
    near = labels[1][(labels[0][:, 0] - experiments.DRAWN_AT).abs() < 0.01]
    assert float(((near >= min(inside)) & (near <= max(inside))).double().mean()) > 0.9
