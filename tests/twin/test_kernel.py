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
    "reciprocal": {"normaliser": "reciprocal", "mask": True},
    "wide reciprocal": {
        "normaliser": "reciprocal",
        "score_width": 16,
        "score_scale": 2.0**-11,
        "probability_width": 16,
    },
    "zero point": {"output_levels": 255, "output_zero_point": -128},
    "mask": {"mask": True},
    "masked windows": {"mask": True, "score_scale": 0.1467, "accumulator": "two_windows"},
    "masked reference": {"mask": True, "score_scale": 0.1467, "accumulator": "reference", "normaliser": "divider"},
    "masked log-softmax": {"mode": "log_softmax", "mask": True, "sink": "fixed", "sink_code": 20},
    "masked cross-entropy": {"mode": "cross_entropy", "mask": True},
    "temperatures": {"temperature_bits": 4, "temperature_fraction": 2, "mask": True},
    "temperatures of log-softmax": {"mode": "log_softmax", "temperature_bits": 5, "temperature_fraction": 3},
    "sink": {"sink": "fixed", "mask": True},
    "floor": {"probability_floor": 0.01},
    "gather": {"smoothing": (1, 2, 0), "smoothing_passes": 2},
    "scatter": {"smoothing": (1, 3, 2), "smoothing_edges": "scatter", "probability_floor": 0.005, "output_levels": 255},
    "five weights": {"smoothing": (1, 2, 3, 2, 1)},
    "seven scattered weights": {
        "smoothing": (1, 0, 2, 5, 3, 1, 0),
        "smoothing_edges": "scatter",
        "smoothing_passes": 2,
    },
    "wide smoothing": {"smoothing": (1, 2, 3, 2, 1), "probability_width": 16},
    "wide exact sum": {"sum": "exact", "probability_format": "UQ1", "score_width": 12, "score_scale": 0.004},
    "exact sum": {"sum": "exact", "probability_format": "UQ1"},
    "minimum": {"sum": "exact", "probability_format": "UQ1", "minimum_code": 2, "mask": True},
    "minimum by reciprocal": {
        "sum": "exact",
        "probability_format": "UQ1",
        "minimum_code": 1,
        "normaliser": "reciprocal",
    },
    "groups": {"groups": [3, 9, 40], "mask": True},
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
def test_results_and_gradients_are_those_of_the_operations_and_the_golden_model(name, columns):
    """For both types of logits, both gradients of saturated ones, with lengths, and with a scale that is learned."""
    config = Config(max_length=40, **HEADS[name])
    numbers = torch.Generator().manual_seed(columns)
    logits = torch.randn((64, columns), generator=numbers, dtype=torch.float64) * 64 * config.score_scale
    logits += config.real_value(config.code(1 << (config.score_width - 1)))
    inputs = {}
    if config.mode == "cross_entropy":
        inputs["labels"] = torch.randint(0, columns + 1, (64,), generator=numbers).clamp(max=config.max_length)
    if config.mask:
        inputs["mask"] = torch.rand(logits.shape, generator=numbers) < 0.3
        inputs["mask"][2] = True
    if config.temperature_bits:
        inputs["temperature"] = torch.randint(0, 1 << config.temperature_bits, (64,), generator=numbers)
    lengths = torch.randint(1, columns + 1, (64,), generator=numbers)
    for learns, choice, dtype, short in (
        (False, "stop", torch.float32, False),
        (False, "pass", torch.float64, True),
        (True, "stop", torch.float64, True),
        (True, "pass", torch.float32, False),
    ):
        head = Head(config, saturated_gradient=choice, learn_scale=learns)
        single = logits.to(dtype, copy=True)
        if not learns:  # their product with a gradient would hide that of the scale
            single[0, 0], single[1] = 1e4, -1e5
        single, double = single.requires_grad_(), single.double().detach().requires_grad_()
        arrays = {**inputs, "lengths": lengths if short else None}
        results = head(single, **arrays)
        others = head._composed(double, dict.fromkeys(("mask", "labels", "temperature")) | arrays)
        assert is_fused(results)
        assert results.dtype == dtype
        assert torch.equal(results, others.to(dtype))
        gradient = torch.randn(results.shape, generator=numbers, dtype=torch.float64)
        parameters = list(head.parameters())
        ones = torch.autograd.grad(results, [single, *parameters], gradient.to(dtype))
        twos = torch.autograd.grad(others, [double, *parameters], gradient)
        digits = 2e-5 if dtype == torch.float32 else 1e-9
        for one, two in zip(ones, twos, strict=True):
            scale = max(1e-3, float(two.abs().max())) * (20 if two.ndim == 0 else 1)
            torch.testing.assert_close(one.double(), two.double(), rtol=digits, atol=digits * scale)
    codes = softstream.quantise(config, logits.numpy(), saturate=True).codes
    arrays = {
        {"mask": "mask", "temperature": "temperatures"}.get(key, key): value.numpy() for key, value in inputs.items()
    }
    expected = golden(config, codes, lengths.numpy(), arrays)[ARRAYS.get(config.mode, "probabilities")]
    step = 1 / config.levels if config.traits.probabilities else 2.0**-config.probability_width
    values = Head(config)(logits, **inputs, lengths=lengths)
    within = np.arange(expected.shape[1]) < lengths.numpy()[:, None] if expected.ndim == 2 else np.True_
    zero = config.output_zero_point if config.traits.probabilities else 0
    np.testing.assert_array_equal(np.rint(values.numpy() / step), np.where(within, expected - zero, 0))


def test_a_key_that_the_loops_do_not_know_takes_the_operations():
    keys = {key.name for key in KEYS}
    assert keys >= kernel._SERVED
    for option in (
        {"ensemble": 2},
        {"accumulator": "two_pass"},
        {"normaliser": "none"},
        {"mode": "sigmoid"},
    ):
        assert kernel.kernel_of(Config(max_length=4, **option), stops=True) is None


def test_smoothing_takes_wide_digits_of_its_dividends_where_it_is_no_line():
    """So the heads of `HEADS` run each way of a division by the whole weight."""

    def way(**keys):
        numbers = kernel.kernel_of(Config(max_length=40, **keys), stops=True)._head
        return numbers.linear, numbers.digits

    assert way(smoothing=(1, 2, 1))[0] == 1
    assert way(**HEADS["five weights"]) == (0, 2)
    assert way(**HEADS["wide smoothing"]) == (0, 3)


def test_smoothing_of_numbers_without_room_takes_the_operations():
    config = Config(max_length=40, smoothing=(200, 255, 200), probability_width=20)
    assert kernel.kernel_of(config, stops=True) is None


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
    config, logits = Config(max_length=7, score_scale=0.07), torch.randn((5, 7), requires_grad=True)
    results = Head(config)(logits)
    kernel.kernel_of.cache_clear()
    monkeypatch.setattr(kernel.shutil, "which", lambda name: None)
    kernel._library.cache_clear()
    try:
        others = Head(config)(logits)
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


@pytest.mark.parametrize("length", [0, 6])
def test_a_length_beyond_the_classes_is_refused(length):
    with pytest.raises(UserError, match=rf"lengths: {length} elements of vector 1; must be from 1 to 5"):
        Head(Config(max_length=8))(torch.zeros(2, 5), lengths=torch.tensor([3, length]))


@pytest.mark.parametrize("code", [-1, 16])
def test_a_code_of_a_temperature_beyond_its_bits_is_refused(code):
    with pytest.raises(UserError, match=f"temperature: code {code} of vector 0; must be from 0 to 15"):
        Head(Config(max_length=8, temperature_bits=4))(torch.zeros(2, 5), temperature=torch.tensor([code, 3]))


def test_a_tie_between_codes_goes_to_the_even_one():
    config = Config(max_length=512, score_width=10, score_scale=0.1467)
    codes = torch.arange(-256, 256, dtype=torch.float64)
    ties = (codes + 0.5) * config.score_scale
    for logits in (ties, ties.float(), torch.nextafter(ties, ties + 1), torch.nextafter(ties, ties - 1)):
        expected = golden(config, softstream.quantise(config, logits.double()[None].numpy(), saturate=True).codes)
        values = Head(config)(logits[None].requires_grad_())
        np.testing.assert_array_equal(values.detach().double().numpy() * config.levels, expected.probabilities)
