"""The exact functions of the modes on real scores, differentiable: their gradients are those that training takes.

A straight-through estimator has the value of the hardware and the gradient of the exact function at the quantised scores (Bengio,
Léonard, Courville, "Estimating or propagating gradients through stochastic neurons", arXiv:1308.3432, section 4).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.sink import sink_positions
from softstream.sim.twin.stages import within

__all__ = ["Quantise", "StraightThrough", "batched", "exact", "nats", "refuse_nan", "softmax", "transformed"]


def transformed() -> bool:
    """Whether a transform of `torch.func` is active, such as `vmap` or `grad`."""
    return bool(torch._C._are_functorch_transforms_active())


def batched() -> bool:
    """Whether `vmap` is active, under which no decision depends on a number."""
    if not transformed():
        return False
    functorch = torch._C._functorch
    return any(level.key() == functorch.TransformType.Vmap for level in functorch.get_interpreter_stack() or ())


def refuse_nan(logits: Tensor) -> None:
    """Raises `UserError` with the index of the first NaN."""
    # The sum of many numbers takes less time than their comparison; infinities of both signs make it NaN as well.
    if bool(torch.isnan(logits.detach().sum())) and bool(torch.isnan(logits).any()):
        where = torch.isnan(logits).nonzero()[0].tolist()
        raise UserError(f"logits{where} is nan: must be numbers; torch.nan_to_num(logits) would do")


class ReverseMode(torch.autograd.Function):
    """A function without a derivative in forward mode."""

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> None:
        """Raises `UserError`."""
        raise UserError(
            "forward mode (torch.func.jvp, jacfwd, hessian): a head has derivatives in reverse mode alone; "
            "torch.func.vjp, jacrev and jacrev(jacrev(function)) would do"
        )


class StraightThrough(ReverseMode):
    """The second argument forward, the gradient of the first one backward."""

    generate_vmap_rule = True

    @staticmethod
    def forward(function: Tensor, value: Tensor) -> Tensor:
        """The value, in a tensor of its own."""
        return value.to(function.dtype).clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        """The gradient passes as it is, so nothing is stored."""

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """The gradient of the function; the value has none."""
        return gradient, None


class Quantise(ReverseMode):
    """Real scores to those of the nearest codes, halves to even, and to the codes; one pass backward.

    code = clamp(round(x / scale) + zero point, low, high), as `softstream.quantise` has it with `saturate`. The gradient of
    the real score is 1, or 0 beyond the format where it `stops` there.
    """

    @staticmethod
    def forward(
        values: Tensor, scale: float, zero_point: int, low: int, high: int, stops: bool, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """(real numbers of the codes, codes as int64); the division is that of float64."""
        steps = (values.double() / scale).round_().add_(zero_point)
        codes = steps.clamp(low, high)
        return ((codes - zero_point) * scale).to(dtype), codes.long()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        """Stores the scores where the gradient stops at the ends of the format."""
        values, *numbers = inputs
        ctx.numbers, ctx.dtype = numbers, values.dtype
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*([values] if numbers[4] else []))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _codes: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient of the real numbers, 0 where it stops."""
        scale, zero_point, low, high, stops, _ = ctx.numbers
        if stops:
            (values,) = ctx.saved_tensors
            inside = (values >= (low - zero_point) * scale) & (values <= (high - zero_point) * scale)
            gradient = torch.where(inside, gradient, 0.0)
        return gradient.to(ctx.dtype), None, None, None, None, None, None

    @staticmethod
    def vmap(info: Any, dimensions: tuple[int | None, ...], values: Tensor, *numbers: Any) -> tuple[Any, Any]:
        """The same, element by element; raises `UserError` for a NaN."""
        if not batched():
            refuse_nan(values)
        return Quantise.apply(values, *numbers), (dimensions[0], dimensions[0])


def nats(config: Config, scores: Tensor, sideband: Mapping[str, Tensor]) -> Tensor:
    """Real scores [V, N] as exponents in nats: after the clip, the sign of `select`, and both temperatures."""
    if config.clips:
        low, high = (config.real_value(code) for code in (config.clip_minimum, config.clip_maximum))
        scores = scores.clamp(low, high)
    exponents = (-scores if config.selects_smallest else scores) / config.temperature
    if "temperatures" in sideband:
        exponents = exponents * (sideband["temperatures"][:, None] * 2.0**-config.temperature_fraction)
    return exponents


def softmax(config: Config, exponents: Tensor, valid: Tensor, sinks: Tensor | None = None) -> Tensor:
    """exp(e_i) / Σ exp(e_j) where valid, 0 elsewhere, with the sink in Σ; a vector without a valid element is 0."""
    logarithms = _log_softmax(config, exponents, valid, sinks)
    return torch.where(valid, logarithms.exp(), 0.0)


def _log_softmax(config: Config, exponents: Tensor, valid: Tensor, sinks: Tensor | None) -> Tensor:
    """The logarithm of the softmax where valid; elsewhere −∞, or an arbitrary finite number in a vector without an element."""
    exists = valid.any(dim=1, keepdim=True)
    # −∞ in a whole row would be a gradient of NaN.
    masked = torch.where(valid | ~exists, exponents, -torch.inf)
    if not config.has_sink:
        return torch.log_softmax(masked, dim=1)
    codes: Any = config.sink_code
    if sinks is not None:
        codes = config.code(sink_positions(config, sinks))[:, None].to(masked.dtype)
    sink = nats(config, torch.zeros_like(masked[:, :1]) + config.real_value(codes), {})
    return torch.log_softmax(torch.cat([masked, sink], dim=1), dim=1)[:, :-1]


def _smoothed(config: Config, probabilities: Tensor, present: Tensor) -> Tensor:
    """Σ_k w_k·p_(i+k) / D, where D is the weight within the vector: of the result (gather), or of the source (scatter)."""
    weights = torch.tensor(config.smoothing, dtype=probabilities.dtype, device=probabilities.device)
    radius = len(config.smoothing) // 2

    def weighed(values: Tensor, kernel: Tensor) -> Tensor:
        return nn.functional.conv1d(values[:, None], kernel[None, None], padding=radius)[:, 0]

    inside = present.to(probabilities.dtype)
    scatter = config.smoothing_edges == "scatter"
    total = weighed(inside, weights.flip(0) if scatter else weights).clamp(min=float(weights[radius]))
    for _ in range(config.smoothing_passes):
        shares = weighed(probabilities / total, weights) if scatter else weighed(probabilities, weights) / total
        probabilities = shares * inside
    return probabilities


def _probabilities(config: Config, exponents: Tensor, valid: Tensor, lengths: Tensor, sinks: Tensor | None) -> Tensor:
    """Softmax with the mean over an ensemble, smoothing and the floor."""
    inside = within(lengths, exponents.shape[1])
    probabilities = softmax(config, exponents, valid, sinks)
    if config.averages_probabilities:
        probabilities = _mean(probabilities, config.ensemble)
        inside, lengths = inside[:: config.ensemble], lengths[:: config.ensemble]
    if config.smooths:
        probabilities = _smoothed(config, probabilities, inside)
    if config.exact_sum and config.minimum_code:
        least, count = config.minimum_code / config.levels, valid.sum(dim=1, keepdim=True)
        probabilities = torch.where(valid, least + (1 - least * count) * probabilities, 0.0)
    if config.probability_floor:
        floor = config.floor_code / 2.0 ** (config.probability_width + config.guarded_bits)
        probabilities = floor + (1 - floor * lengths[:, None]) * probabilities
    return torch.where(inside, probabilities, 0.0)


def _mean(values: Tensor, members: int) -> Tensor:
    """The mean of each `members` rows."""
    return values.reshape(-1, members, values.shape[1]).mean(dim=1)


def exact(
    config: Config, scores: Tensor, valid: Tensor, lengths: Tensor, sideband: Mapping[str, Tensor], hardware: Tensor
) -> Tensor:
    """The function of a mode at real scores [V, N], in the shape of its results [V, N], or [V] for a loss.

    `valid` [V, N] marks the elements that take part, `lengths` [V] counts those of each vector. `hardware` holds the real
    results of the hardware: of `normaliser = none`, whose power of two is part of the definition, p_i·exp(e_i − e_i') has the
    right value and derivative at e' = e. Top-K takes elements from the results of softmax or from the scores.
    """
    traits = config.traits
    if config.sums_scores:
        scores, valid, lengths = _mean(scores, config.ensemble), valid[:: config.ensemble], lengths[:: config.ensemble]
        sideband = {name: values[config.ensemble - 1 :: config.ensemble] for name, values in sideband.items()}
    exponents = nats(config, scores, sideband)
    if traits.independent:
        return torch.where(valid, torch.sigmoid(exponents), 0.0)
    if traits.exponentials:
        reference = config.real_value(config.code((1 << config.score_width) - 1 - config.reference_offset))
        origin = (-reference if config.selects_smallest else reference) / config.temperature
        return torch.where(valid, (exponents - origin).clamp(max=0.0).exp(), 0.0)
    if traits.logarithmic:
        logarithms = _log_softmax(config, exponents, valid, sideband.get("sinks"))
        if traits.per_element:
            return torch.where(valid, logarithms, 0.0)
        if traits.relative_sum:
            return torch.where(valid.any(dim=1), -logarithms.max(dim=1).values, 0.0)
        labels = sideband["labels"].clamp(max=scores.shape[1] - 1)[:, None]
        losses = -logarithms.gather(1, labels)[:, 0]
        labelled = (sideband["labels"] < lengths) & valid.gather(1, labels)[:, 0]
        return torch.where(labelled, losses, 0.0)
    if traits.entropy:
        logarithms = torch.where(valid, _log_softmax(config, exponents, valid, None), 0.0)
        return -torch.where(valid, logarithms.exp() * logarithms, 0.0).sum(dim=1) / math.log(2)
    if traits.normalised and config.normaliser == "none":
        return hardware * (exponents - exponents.detach()).exp()
    if traits.one_hot:
        return softmax(config, exponents, valid)
    probabilities = _probabilities(config, exponents, valid, lengths, sideband.get("sinks"))
    if traits.cumulative:
        return torch.where(within(lengths, valid.shape[1]), probabilities.cumsum(dim=1), 0.0)
    return probabilities
