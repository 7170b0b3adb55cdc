"""The module of a head: values of the hardware, gradients of the exact function, and refusals."""

import numpy as np
import pytest

import softstream
from softstream.hw.config.config import Config, load_toml
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import UserError
from softstream.sim.golden import golden

torch = pytest.importorskip("torch")

from softstream.torch import CrossEntropy, Head, entropy_bonus, from_module, range_penalty  # noqa: E402

pytestmark = pytest.mark.torch

FINE = {"score_width": 12, "score_scale": 2.0**-7, "max_length": 8, "probability_width": 10}
"""Keys with which a rounded score is close to the score, so that gradients of both functions are close as well."""

SMOOTH = {
    "softmax": Config(**FINE),
    "temperature": Config(temperature=0.7, **FINE),
    "smallest": Config(select="smallest", **FINE),
    "log_softmax": Config(mode="log_softmax", **FINE),
    "sigmoid": Config(mode="sigmoid", **{**FINE, "score_width": 10}),
    "exact sum": Config(sum="exact", minimum_code=3, probability_format="UQ1", **{**FINE, "score_width": 11}),
    "cdf": Config(mode="cdf", probability_format="UQ1", **{**FINE, "score_width": 11}),
    "windows": Config(accumulator="two_windows", **FINE),
    "floor": Config(probability_floor=0.05, **FINE),
    "gather": Config(smoothing=(1, 2, 0), smoothing_passes=2, **FINE),
    "scatter": Config(smoothing=(1, 3, 2), smoothing_edges="scatter", **FINE),
    "groups": Config(groups=[3, 5], **{**FINE, "max_length": 5}),
    "mean of logits": Config(ensemble=3, **FINE),
    "mean of probabilities": Config(ensemble=2, ensemble_mean="probabilities", **FINE),
    "exponential": Config(mode="exponential", reference_offset=300, **FINE),
    "none": Config(normaliser="none", **FINE),
}


def logits(config: Config, vectors: int = 4, number: int = 0) -> "torch.Tensor":
    """Random float64 logits well within the format."""
    numbers = torch.Generator().manual_seed(number)
    shape = (vectors, 8) if config.ensemble == 1 else (vectors, config.ensemble, 8)
    return torch.randn(shape, generator=numbers, dtype=torch.float64)


@pytest.mark.parametrize("name", SMOOTH)
def test_values_are_those_of_the_hardware(name):
    config = SMOOTH[name]
    values = logits(config)
    head = Head(config)
    rows = values.reshape(-1, 8).numpy()
    codes = softstream.quantise(config, rows, saturate=True).codes
    expected = golden(config, codes)
    array = next(iter(head.codes(values)))
    results = head(values)
    assert results.dtype == torch.float64
    for mode in (head.train(), head.eval()):
        assert torch.equal(mode(values), results)
    primary = {"log_softmax": "log_probabilities", "exponential": "exponentials", "cdf": "cumulative"}.get(
        config.mode, "probabilities"
    )
    step = 2.0**-config.probability_width
    np.testing.assert_array_equal(results.reshape(-1, 8).numpy(), expected[primary] * step, err_msg=array)
    for key, values_of_key in head.codes(values).items():
        np.testing.assert_array_equal(values_of_key.numpy(), expected[key])


@pytest.mark.parametrize("name", [name for name in SMOOTH if name not in ("none", "exponential")])
def test_the_gradient_is_that_of_the_exact_function(name):
    """Against central differences of the float64 reference at the quantised scores, which knows nothing of PyTorch."""
    from softstream.sim.reference.exact import Vectors, exact_values

    config = SMOOTH[name]
    head, values = Head(config), logits(config, number=3)
    weights = torch.randn(head(values).shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    values.requires_grad_()
    (head(values) * weights).sum().backward()
    codes = softstream.quantise(config, values.detach().reshape(-1, 8).numpy(), saturate=True).codes
    array = {"log_softmax": "log_probabilities", "cdf": "cumulative"}.get(config.mode, "probabilities")
    lengths, step = np.full(len(codes), 8), 1e-4

    def objective(steps: np.ndarray) -> float:
        vectors = Vectors(config, steps, lengths)
        exact = exact_values(array, vectors)
        if vectors.groups is not None:
            exact = vectors.groups.join(exact, 8)
        return float((exact.reshape(weights.shape) * weights.numpy()).sum())

    for row, column in np.ndindex(codes.shape):
        high, low = codes.astype(np.float64), codes.astype(np.float64)
        high[row, column] += step
        low[row, column] -= step
        difference = (objective(high) - objective(low)) / (2 * step * config.score_scale)
        assert float(values.grad.reshape(-1, 8)[row, column]) == pytest.approx(difference, rel=2e-6, abs=2e-8)


def test_the_exact_functions_pass_gradcheck():
    from softstream.sim.twin.exact import exact

    valid = torch.tensor([[True] * 6, [True] * 4 + [False] * 2, [False] * 6])
    lengths = torch.tensor([6, 4, 6])
    for name, config in SMOOTH.items():
        if config.ensemble > 1 or config.groups:
            continue
        scores = torch.randn((3, 6), generator=torch.Generator().manual_seed(2), dtype=torch.float64) - 2
        scores.requires_grad_()
        hardware = torch.ones((3, 6), dtype=torch.float64)
        if config.normaliser == "none":
            continue  # its power of two is a constant only at the scores themselves
        assert torch.autograd.gradcheck(lambda x, c=config, h=hardware: exact(c, x, valid, lengths, {}, h), scores), (
            name
        )


def test_torch_agrees_on_quantised_scores_within_the_bound():
    for name, function in (("softmax", torch.softmax), ("log_softmax", torch.log_softmax)):
        config = SMOOTH[name]
        codes = softstream.quantise(config, logits(config, 50).numpy(), saturate=True).codes
        exact = function(torch.from_numpy(codes * config.score_scale), -1)
        error = (Head(config)(logits(config, 50)) - exact).abs().max() * 2**config.probability_width
        assert error <= softstream.plan(config).bound_ulp


def test_a_masked_element_and_minus_infinity_have_no_share_and_no_gradient():
    config = Config(mask=True, **FINE)
    values = logits(config).requires_grad_()
    mask = torch.zeros(values.shape, dtype=torch.bool)
    mask[:, 2] = mask[3] = True
    results = Head(config)(values, mask=mask)
    results[:, 0].sum().backward()
    assert (results[:, 2] == 0).all()
    assert (values.grad[:, 2] == 0).all()
    assert torch.isfinite(values.grad).all()
    assert torch.equal(Head(config)(values.masked_fill(mask, -torch.inf)), results)


def test_saturated_logits_stop_or_pass_the_gradient():
    config = Config(max_length=3, score_width=4, score_scale=0.5)
    values = torch.tensor([[1e4, 0.0, -1.0]], requires_grad=True)
    for choice, passes in (("stop", False), ("pass", True)):
        values.grad = None
        Head(config, saturated_gradient=choice)(values)[0, 1].backward()
        assert bool(values.grad[0, 0] != 0) == passes
        assert values.grad[0, 1] != 0


def test_temperatures_lengths_and_other_axes():
    config = Config(temperature_bits=6, temperature_fraction=3, max_length=8, score_scale=0.03)
    values = torch.randn((2, 8, 5), generator=torch.Generator().manual_seed(0))
    temperature = torch.tensor([[1.0, 2.0, 0.5, 4.0, torch.inf]] * 2)
    lengths = torch.tensor([[8, 1, 3, 8, 4]] * 2)
    results = Head(config, axis=1)(values, temperature=temperature, lengths=lengths)
    assert results.shape == values.shape
    rows = values.movedim(1, -1).reshape(-1, 8).numpy()
    codes = softstream.quantise(config, rows, saturate=True).codes
    expected = golden(config, codes, lengths.reshape(-1).numpy(), {"temperatures": temperature.reshape(-1).numpy()})
    np.testing.assert_array_equal(results.movedim(1, -1).reshape(-1, 8).numpy() * 256, expected.probabilities)


def test_top_k_hardmax_and_argmax():
    values = logits(SMOOTH["softmax"]).float().requires_grad_()
    largest = Head(Config(mode="softmax_top_k", top_k=3, **FINE))(values)
    assert torch.equal(largest.indices, values.topk(3).indices)
    largest.values[:, 0].sum().backward()
    assert (values.grad.sum(dim=1).abs() < 1e-6).all()
    scores = Head(Config(mode="top_k", top_k=9, **{**FINE, "max_length": 9}))(values)
    assert (scores.values[:, 8] == 0).all()
    assert torch.allclose(scores.values[:, :8], values.sort(descending=True).values, atol=2**-8)
    one_hot = Head(Config(mode="hardmax", **FINE))(values)
    assert torch.equal(one_hot.argmax(dim=1), values.argmax(dim=1))
    assert one_hot.requires_grad
    assert torch.equal(Head(Config(mode="argmax", **FINE))(values), values.argmax(dim=1))


@pytest.mark.parametrize(
    ("keys", "words"),
    [({}, 8), ({"draw_top_k": 3}, 3), ({"draw_top_k": 6, "draw_top_p": 0.8, "draw_min_p": 0.05}, 6)],
)
def test_a_draw_is_that_of_the_hardware_and_goes_on(keys, words):
    config = Config(mode="sample", max_length=8, score_scale=0.05, **keys)
    values = logits(config, 64).requires_grad_()
    head = Head(config)
    codes = softstream.quantise(config, values.detach().numpy(), saturate=True).codes
    for before in (0, 64 * words):
        draws = head(values)
        assert torch.equal(draws.sum(dim=1), torch.ones(64, dtype=torch.float64))
        np.testing.assert_array_equal(draws.argmax(dim=1).numpy(), golden(config, codes, before=before).sample)
    (draws * torch.arange(8)).sum().backward()
    assert torch.isfinite(values.grad).all()
    assert values.grad.abs().max() > 0


def test_the_cross_entropy_is_one_operation():
    config = Config(max_length=8, score_scale=0.05)
    loss = CrossEntropy(config)
    values = torch.randn((6, 8, 4), generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.randint(0, 8, (6, 4), generator=torch.Generator().manual_seed(1))
    labels[0, 0] = -100
    codes = softstream.quantise(config, values.detach().movedim(1, -1).reshape(-1, 8).numpy(), saturate=True).codes
    quantised = torch.from_numpy(codes * config.score_scale).reshape(6, 4, 8).movedim(-1, 1)
    exact = torch.nn.functional.cross_entropy(quantised, labels)
    bound = softstream.plan(loss.head.config).bound_ulp * 2.0**-config.probability_width
    assert abs(float(loss(values, labels) - exact)) <= bound
    extreme = (values.detach() * 1e4).requires_grad_()
    loss(extreme, labels).backward()
    assert torch.isfinite(extreme.grad).all()
    assert extreme.grad.abs().max() > 0


def test_a_scale_is_learned_observed_and_exported(tmp_path):
    config = Config(max_length=8, score_scale=1.0, score_width=6)
    head = Head(config, learn_scale=True)
    values = logits(config, 200) * 3
    before = float((head(values) - torch.softmax(values, -1)).abs().mean().detach())
    optimiser = torch.optim.Adam(head.parameters(), lr=0.1)
    for _ in range(40):
        optimiser.zero_grad()
        loss = (head(values) - torch.softmax(values, -1)).pow(2).sum()
        (loss * 100).backward()
        optimiser.step()
    after = float((head(values) - torch.softmax(values, -1)).abs().mean().detach())
    assert after < 0.5 * before
    exported = head.export(tmp_path / "config.toml")
    assert Config.from_mapping(load_toml(tmp_path / "config.toml")) == exported == head.config
    assert torch.equal(Head(exported)(values), head(values))
    assert Head(config).observe(values) == softstream.best_scale(config, values.numpy(), saturate=True).scale


def test_layers_are_found_and_replaced():
    network = torch.nn.Sequential(
        torch.nn.Linear(5, 8), torch.nn.Softmax(dim=-1), torch.nn.Sequential(torch.nn.LogSoftmax(dim=1))
    )
    replaced = from_module(network, Config(max_length=8))
    assert [replacement.name for replacement in replaced.replacements] == ["1", "2.0"]
    assert [replacement.after.config.mode for replacement in replaced.replacements] == ["softmax", "log_softmax"]
    assert isinstance(network[1], torch.nn.Softmax)
    assert replaced.module(torch.zeros(3, 5)).shape == (3, 8)
    with pytest.raises(UserError, match="no layer of Softmax"):
        from_module(torch.nn.Linear(2, 2), Config())
    assert isinstance(from_module(torch.nn.CrossEntropyLoss(), Config()).module, CrossEntropy)


def test_half_precision_and_batches_of_any_shape():
    head = Head(Config(max_length=8, score_scale=0.0625))
    for shape in ((8,), (0, 8), (2, 3, 8)):
        assert head(torch.zeros(shape)).shape == shape
    for dtype in (torch.float16, torch.bfloat16):
        results = head(torch.zeros((2, 8), dtype=dtype))
        assert results.dtype == torch.float32
        assert (results == 0.125).all()


def test_penalty_and_bonus():
    config = Config(max_length=4, score_width=4, score_scale=0.5)
    assert range_penalty(torch.tensor([[3.5, -4.0, 0.0, 1.0]]), config) == 0
    assert range_penalty(torch.tensor([[4.5, -6.0]]), config) == (1 + 4) / 2
    uniform = torch.tensor([[0.25, 0.25, 0.5, 0.0]], requires_grad=True)
    bonus = entropy_bonus(uniform)
    bonus.backward()
    assert float(bonus.detach()) == pytest.approx(1.5 * np.log(2))
    assert torch.isfinite(uniform.grad).all()


@pytest.mark.parametrize(
    ("config", "values", "inputs", "message"),
    [
        ({}, torch.zeros((2, 4), dtype=torch.int64), {}, "must be floating point"),
        ({}, torch.tensor([[0.0, torch.nan]]), {}, r"logits\[0, 1\] is nan"),
        ({"max_length": 3}, torch.zeros(2, 4), {}, "max_length = 4 would do"),
        ({}, torch.zeros(2, 4), {"mask": torch.zeros(2, 4)}, "mask: this head has no such input"),
        ({"mode": "cross_entropy"}, torch.zeros(2, 4), {}, "labels: missing"),
        (
            {"mode": "cross_entropy"},
            torch.zeros(2, 4),
            {"labels": torch.zeros(3)},
            r"labels: shape \(3,\); must be \(2,\)",
        ),
        ({"ensemble": 3}, torch.zeros(2, 4), {}, r"for example \[batch, 3, classes\]"),
    ],
)
def test_refusals(config, values, inputs, message):
    with pytest.raises(UserError, match=message):
        Head(Config(**config))(values, **inputs)


@pytest.mark.parametrize("keys", [{"ensemble": 2}, {"groups": [4], "max_length": 4}])
def test_draws_of_ensembles_and_groups_are_refused(keys):
    with pytest.raises(UserError, match=r"the draw of a vector by itself; (ensemble = 1|groups = \[\]) would do"):
        Head(Config(mode="sample", **keys))


def test_a_learned_scale_is_that_of_the_exported_configuration():
    config = Config(max_length=8, score_scale=0.0371)
    head = Head(config, learn_scale=True)
    steps = torch.arange(-64, 64, dtype=torch.float64).reshape(16, 8)
    values = steps * head.config.score_scale / 2  # many of them halfway between two codes
    assert torch.equal(Head(head.config)(values), head(values).detach())


@pytest.mark.parametrize("name", [name for name, config in PRESETS.items() if not config.inverse_cdf])
def test_every_preset_has_a_twin_with_a_finite_gradient(name):
    config = PRESETS[name]
    if config.traits.random and (config.temperature_bits or config.draw_sideband):
        with pytest.raises(UserError, match=r"(temperature_bits = 0|draw_sideband = False) would do"):
            Head(config)
        return
    head, columns = Head(config), min(16, sum(config.groups) or config.max_length)
    batch = (6, config.ensemble) if config.ensemble > 1 else (6,)
    values = torch.randn((*batch, columns), generator=torch.Generator().manual_seed(0)).requires_grad_()
    inputs = {}
    if config.mode == "cross_entropy":
        inputs["labels"] = torch.zeros(6, dtype=torch.int64)
    if config.temperature_bits:
        inputs["temperature"] = torch.full((6,), 1.5)
    if config.sink_per_vector:
        inputs["sink"] = torch.zeros(6)
    results = head(values, **inputs)
    results = results[0] if isinstance(results, tuple) else results
    if config.mode != "argmax":
        results.sum().backward()
        assert torch.isfinite(values.grad).all()


@pytest.mark.parametrize("name", SMOOTH)
def test_transforms_give_what_a_whole_batch_gives(name):
    config = SMOOTH[name]
    head, values = Head(config), torch.stack([logits(config, number=number).float() for number in range(3)])
    assert torch.equal(torch.func.vmap(head)(values), head(values))
    objective = lambda one: head(one).square().sum()  # noqa: E731
    gradients = torch.func.vmap(torch.func.grad(objective))(values)
    (whole,) = torch.autograd.grad(objective(values.requires_grad_()), values)
    torch.testing.assert_close(gradients, whole, rtol=1e-4, atol=1e-5)


def test_transforms_refuse_a_nan_and_a_draw():
    values = torch.zeros(3, 2, 8)
    values[2, 1, 5] = torch.nan
    with pytest.raises(UserError, match=r"logits\[.*5\] is nan"):
        torch.func.vmap(Head(Config(max_length=8)))(values)
    with pytest.raises(UserError, match=r"a call with the whole batch, \[..., classes\], would do"):
        torch.func.vmap(Head(Config(max_length=8, mode="sample")))(torch.zeros(3, 2, 8))


def test_autocast_changes_no_bit():
    for config in (Config(max_length=8), Config(max_length=8, smoothing=(1, 2, 1))):
        head, values = Head(config), torch.randn((4, 8), generator=torch.Generator().manual_seed(0))
        gradients = []
        for enabled in (False, True):
            one = values.clone().requires_grad_()
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                results = head(one)
            assert results.dtype == torch.float32
            gradients.append((results, *torch.autograd.grad(results.square().sum(), one)))
        assert all(map(torch.equal, *gradients))
    half = values.bfloat16().requires_grad_()
    (gradient,) = torch.autograd.grad(head(half).square().sum(), half)
    assert gradient.dtype == torch.bfloat16
    assert torch.equal(head(half), head(half.float()))


@pytest.mark.parametrize("keys", [{"mask": True}, {"mode": "sample"}])
def test_a_compiled_head_gives_the_same_bits_and_gradients(keys):
    config = Config(max_length=8, score_scale=0.05, **keys)
    gradients = []
    for compiled in (False, True):
        head, values = Head(config), logits(config).requires_grad_()
        run = torch.compile(head, backend="aot_eager") if compiled else head
        results = run(values)
        gradients.append((results, *torch.autograd.grad((results * torch.arange(8)).sum(), values)))
    assert torch.equal(gradients[0][0], gradients[1][0])
    torch.testing.assert_close(gradients[0][1], gradients[1][1])


def test_a_layer_in_two_places_has_one_head_in_both():
    shared = torch.nn.Softmax(dim=-1)
    network = torch.nn.Sequential(shared, torch.nn.Linear(4, 4), torch.nn.Sequential(shared))
    replaced = from_module(network, Config(max_length=4))
    assert isinstance(replaced.module[0], Head)
    assert replaced.module[0] is replaced.module[2][0]
    assert [one.name for one in replaced.replacements] == ["0", "2.0"]


def test_a_softmax_of_feature_maps_becomes_a_head_over_the_channels():
    maps = torch.randn((2, 5, 3, 3))
    replaced = from_module(torch.nn.Softmax2d(), Config(max_length=5)).module
    assert torch.equal(replaced(maps), Head(Config(max_length=5), axis=1)(maps))


@pytest.mark.parametrize(
    ("axis", "logits", "text"),
    [
        (-1, [1.0, 2.0], "logits: list; must be a tensor"),
        (-1, torch.tensor(1.0), r"axis = -1 with logits of shape \(\)"),
        (2, torch.zeros(3, 4), r"axis = 2 with logits of shape \(3, 4\)"),
    ],
)
def test_what_has_no_classes_is_refused(axis, logits, text):
    head = Head(Config(max_length=4), axis=axis)
    for call in (head, head.codes):
        with pytest.raises(UserError, match=text):
            call(logits)


@pytest.mark.parametrize("learns", [False, True])
def test_forward_mode_is_refused_with_what_to_use(learns):
    head, logits = Head(Config(max_length=4), learn_scale=learns), torch.randn(4)
    with pytest.raises(UserError, match="forward mode"):
        torch.func.jvp(head, (logits,), (logits,))
    assert torch.func.jacrev(torch.func.jacrev(head))(logits).shape == (4, 4, 4)


def test_a_label_beyond_the_classes_is_refused_with_its_index():
    loss, logits = CrossEntropy(Config(max_length=8)), torch.zeros((2, 5, 3))
    labels = torch.zeros((2, 3), dtype=torch.int64)
    labels[1, 2] = 5
    with pytest.raises(UserError, match=r"labels\[1, 2\] is 5: must be below 5"):
        loss(logits, labels)
    labels[1, 2] = -100
    assert torch.isfinite(loss(logits, labels))
