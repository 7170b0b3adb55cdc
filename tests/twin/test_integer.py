"""The integer model on tensors equals the golden model bit for bit: every preset, and random configurations of every option."""

import numpy as np
import pytest
from hypothesis import Phase, given, seed, settings
from support.bound_check import configurations
from support.configurations import MEMBERS, SOFTMAX, TWO_PASS

from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import UserError
from softstream.hw.plan.ports import sidebands
from softstream.sim.golden import golden

torch = pytest.importorskip("torch")

from softstream.sim.twin.integer import IntegerHead  # noqa: E402
from softstream.torch import Head  # noqa: E402

pytestmark = pytest.mark.torch

EXACT_SUMS = {
    f"exact-{division}-{minimum}-{width}": Config(
        sum="exact",
        normaliser=division,
        minimum_code=minimum,
        probability_width=width,
        max_length=16,
        mask=mask,
        probability_format="UQ1",
    )
    for division in ("divider", "reciprocal")
    for minimum, width, mask in ((0, 8, False), (2, 8, True), (1, 16, False))
}

DRAWS = {
    "draw-k": {"draw_top_k": 3},
    "draw-p-masked": {"draw_top_k": 4, "draw_top_p": 0.7, "draw_min_p": 0.05, "mask": True, "score_scale": 0.02},
    "draw-p-temperature": {"draw_top_k": 6, "draw_top_p": 0.6, "temperature_bits": 6},
    "draw-smallest-ensemble": {"draw_top_k": 20, "draw_min_p": 0.02, "select": "smallest", "ensemble": 2},
    "draw-bounds": {"draw_top_k": 5, "draw_sideband": True, "mask": True},
}

HEADS = {
    **{name: Config(**{"mode": "sample", "max_length": 16, **keys}) for name, keys in DRAWS.items()},
    **PRESETS,
    **EXACT_SUMS,
    **SOFTMAX,
    **MEMBERS,
    **TWO_PASS,
}
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU with CUDA, which this machine has not")


def inputs(config: Config, number: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Random codes around the middle or over the whole format, with overlong vectors where the head allows them."""
    numbers, score = np.random.default_rng(number), config.score_format
    vectors, columns = 12 * config.ensemble, min(config.max_length + 3, 48)
    codes = numbers.integers(score.minimum, score.maximum + 1, (vectors, columns))
    if number % 2:
        spread = (score.maximum - score.minimum) / 12
        normal = numbers.normal((score.maximum + score.minimum) / 2, spread, codes.shape)
        codes = np.clip(np.rint(normal), score.minimum, score.maximum).astype(np.int64)
    lengths = numbers.integers(1, columns + 1, vectors)
    sideband = {}
    for field in sidebands(config):
        shape = codes.shape if field.per == "element" else codes.shape[:1]
        sideband[field.array] = numbers.integers(0, min(field.limit, columns + 2) + 1, shape)
    return codes, lengths, sideband


def check(config: Config, number: int, device: str) -> None:
    codes, lengths, sideband = inputs(config, number)
    expected = golden(config, codes, lengths, sideband, before=number)
    tensors = {name: torch.from_numpy(values).to(device) for name, values in sideband.items()}
    head = IntegerHead(config).to(device)
    arrays = head(
        torch.from_numpy(codes).to(device), torch.from_numpy(lengths).to(device), tensors, words_before=number
    )
    assert set(arrays) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(arrays[name].cpu().numpy(), values, err_msg=f"{config}: {name}", strict=True)


@pytest.mark.parametrize("name", [name for name, config in HEADS.items() if not config.inverse_cdf])
def test_tensors_equal_the_golden_model(name):
    for number in (0, 1):
        check(HEADS[name], number, "cpu")


@CUDA
def test_tensors_on_cuda_equal_the_golden_model():
    for config in HEADS.values():
        if not config.inverse_cdf:
            for number in (0, 1):
                check(config, number, "cuda")


@CUDA
@pytest.mark.parametrize(
    "keys", [{}, {"mask": True}, {"smoothing": (1, 2, 1)}, {"groups": [3, 5]}, {"mode": "log_softmax"}]
)
def test_a_head_on_cuda_has_the_results_and_gradients_of_the_cpu(keys):
    config = Config(max_length=8, score_scale=0.07, **keys)
    logits = torch.randn((32, 8), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights, steps = torch.randn((32, 8), generator=torch.Generator().manual_seed(1), dtype=torch.float64), []
    for device in ("cpu", "cuda"):
        values = logits.to(device).requires_grad_()
        results = Head(config, learn_scale=True).to(device)(values)
        assert results.device.type == device
        (results * weights.to(device)).sum().backward()
        steps.append((results.detach().cpu(), values.grad.cpu()))
    assert torch.equal(steps[0][0], steps[1][0])
    torch.testing.assert_close(steps[0][1], steps[1][1])


@seed(1)
@settings(max_examples=200, database=None, deadline=None, phases=(Phase.generate,))
@given(configurations())
def test_random_configurations_equal_the_golden_model(config):
    if config is not None and not config.inverse_cdf:
        check(config, config.max_length % 2, DEVICE)


def test_a_vector_longer_than_the_positions_takes_the_table_of_positions():
    config = Config(score_width=3, max_length=40)
    codes = np.random.default_rng(0).integers(-4, 4, (5, 40))
    expected = golden(config, codes).probabilities
    np.testing.assert_array_equal(IntegerHead(config)(torch.from_numpy(codes))["probabilities"].numpy(), expected)


def test_a_draw_by_inverse_cdf_names_the_sampler_with_a_gradient():
    with pytest.raises(UserError, match="sampler = 'gumbel' would do"):
        IntegerHead(Config(mode="sample", sampler="inverse_cdf"))
    IntegerHead(Config(mode="sample", sampler="gumbel"))
