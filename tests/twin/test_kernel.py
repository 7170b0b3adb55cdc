"""The compiled loops: the same results and gradients as the operations of PyTorch, which float64 logits take."""

import numpy as np
import pytest

import softstream
from softstream.hw.config.config import KEYS, Config
from softstream.hw.errors import UserError
from softstream.sim.golden import golden

torch = pytest.importorskip("torch")

from softstream.scripts.twin.speed import Cost, ratio  # noqa: E402
from softstream.sim.twin import kernel  # noqa: E402
from softstream.torch import Head  # noqa: E402

pytestmark = pytest.mark.torch

HEADS = {
    "softmax": {},
    "divider": {"normaliser": "divider", "score_scale": 0.031},
    "wide divider": {"score_width": 12, "score_scale": 0.004, "probability_width": 16},
    "levels": {"normaliser": "divider", "output_levels": 127},
    "levels by logarithm": {"normaliser": "logarithm", "output_levels": 255},
    "two windows": {"score_scale": 0.1467, "accumulator": "two_windows"},
    "reference": {"score_scale": 0.1467, "accumulator": "reference"},
    "clip": {"clip_minimum": -40, "clip_maximum": 20},
    "smallest": {"select": "smallest", "temperature": 0.7},
    "unsigned": {"score_signed": False, "score_zero_point": 128, "score_scale": 0.05},
    "few positions": {"score_width": 4, "score_scale": 0.5, "probability_format": "UQ1"},
    "log-softmax": {"mode": "log_softmax", "score_scale": 0.08, "temperature": 1.5, "select": "smallest"},
    "saturated log-softmax": {"mode": "log_softmax", "integer_bits": 2},
    "cross-entropy": {"mode": "cross_entropy", "score_scale": 0.08, "temperature": 0.6},
}
ARRAYS = {"log_softmax": "log_probabilities", "cross_entropy": "losses"}


def is_fused(results: "torch.Tensor") -> bool:
    """Whether the compiled loops gave the results."""
    function = results.grad_fn
    while function is not None and type(function).__name__ != "FusedBackward":
        function = next((other for other, _ in function.next_functions), None)
    return function is not None


@pytest.mark.parametrize("columns", [1, 9, 40])
@pytest.mark.parametrize("name", HEADS)
def test_results_are_those_of_the_golden_model_and_gradients_those_of_the_operations(name, columns):
    config = Config(max_length=40, **HEADS[name])
    assert kernel.kernel_of(config, stops=True) is not None
    numbers = torch.Generator().manual_seed(columns)
    logits = torch.randn((64, columns), generator=numbers) * 3
    logits[0, 0], logits[1] = 1e4, -torch.inf
    inputs = {}
    if config.mode == "cross_entropy":
        inputs["labels"] = torch.randint(0, columns + 1, (64,), generator=numbers).clamp(max=config.max_length)
    codes = softstream.quantise(config, logits.double().numpy().clip(-1e6, 1e6), saturate=True).codes
    array = ARRAYS.get(config.mode, "probabilities")
    expected = golden(config, codes, None, {name: values.numpy() for name, values in inputs.items()})[array]
    step = 1 / config.levels if config.traits.probabilities else 2.0**-config.probability_width
    for choice in ("stop", "pass"):
        head, finite = Head(config, saturated_gradient=choice), logits.clamp(-1e6, 1e6)
        single, double = finite.clone().requires_grad_(), finite.double().requires_grad_()
        results, others = head(single, **inputs), head(double, **inputs)
        assert is_fused(results)
        np.testing.assert_array_equal(torch.round(results.detach().double() / step).numpy(), expected)
        assert torch.equal(results, others.float())
        gradient = torch.randn(results.shape, generator=numbers)
        results.backward(gradient)
        others.backward(gradient.double())
        torch.testing.assert_close(single.grad, double.grad.float(), rtol=1e-5, atol=1e-6)


def test_a_key_that_the_loops_do_not_know_takes_the_operations():
    keys = {key.name for key in KEYS}
    assert keys >= kernel._SERVED
    for option in (
        {"mask": True},
        {"groups": [4]},
        {"sum": "exact", "probability_format": "UQ1"},
        {"smoothing": (1, 2, 1)},
        {"temperature_bits": 4},
    ):
        assert kernel.kernel_of(Config(max_length=4, **option), stops=True) is None


def test_a_second_derivative_comes_from_the_operations():
    logits = torch.randn((3, 5), generator=torch.Generator().manual_seed(0)).requires_grad_()
    seconds = []
    for values in (logits, logits.double()):
        (first,) = torch.autograd.grad(Head(Config(max_length=5))(values)[:, 0].sum(), logits, create_graph=True)
        seconds += torch.autograd.grad(first.square().sum(), logits)
    torch.testing.assert_close(*seconds)
    assert seconds[0].abs().max() > 0


def test_a_nan_is_refused_with_its_index_in_the_batch():
    logits = torch.zeros((2, 6, 3))
    logits[1, 4, 2] = torch.nan
    with pytest.raises(UserError, match=r"logits\[1, 4, 2\] is nan"):
        Head(Config(max_length=6), axis=1)(logits)


def test_without_a_compiler_the_operations_give_the_same_results(monkeypatch):
    head, logits = Head(Config(max_length=7, score_scale=0.07)), torch.randn((5, 7), requires_grad=True)
    results = head(logits)
    kernel.kernel_of.cache_clear()
    monkeypatch.setattr(kernel.shutil, "which", lambda name: None)
    kernel._library.cache_clear()
    try:
        others = head(logits)
        assert is_fused(results)
        assert not is_fused(others)
        assert torch.equal(results, others)
    finally:
        kernel.kernel_of.cache_clear()
        kernel._library.cache_clear()


def test_threads_change_nothing():
    head, logits = Head(Config(max_length=64)), torch.randn((2048, 64), requires_grad=True)
    threads = torch.get_num_threads()
    steps = []
    for count in (1, 2):
        torch.set_num_threads(count)
        results = head(logits)
        steps.append((results, *torch.autograd.grad(results[:, 3].sum(), logits)))
    torch.set_num_threads(threads)
    for one, other in zip(*steps, strict=True):
        assert torch.equal(one, other)


def test_a_step_is_measured_and_holds_no_more_memory_than_promised():
    cost = ratio(Head(Config(max_length=64)), (512, 64), runs=3)
    assert isinstance(cost, Cost)
    assert 0 < cost.memory <= 3
    assert cost.time > 0


def test_a_head_with_a_sink_has_no_loops() -> None:
    assert kernel.kernel_of(Config(sink="fixed"), stops=True) is None
