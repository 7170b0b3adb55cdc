"""A head as one operation of automatic differentiation, and the integer model under `vmap`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from softstream.sim.twin.exact import ReverseMode
from softstream.sim.twin.integer import IntegerHead
from softstream.sim.twin.kernel import Inputs, Kernel
from softstream.sim.twin.modes import Arrays

__all__ = ["Fused", "integers"]


class Fused(ReverseMode):
    """The results of a kernel, with its gradient: the straight-through estimator of `exact.StraightThrough` in two loops.

    A gradient that is differentiated again comes from `composed`, the same function made of operations of PyTorch.
    """

    @staticmethod
    def forward(
        ctx: Any,
        values: Tensor,
        scale: Tensor | None,
        kernel: Kernel,
        inputs: Inputs,
        composed: Callable[[Tensor, Tensor | None], Tensor],
    ) -> Tensor:
        """The results for contiguous logits [V, N], `inputs.values`, and for the scale where it is learned.

        Raises what `composed` raises for a NaN.
        """
        results, positions, excluded, nan = kernel.forward(inputs)
        if nan:
            composed(values, scale)
        ctx.save_for_backward(values, scale, positions, excluded, *inputs[1:])
        ctx.kernel, ctx.composed = kernel, composed
        return results

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, None, None, None]:
        """The gradients of the logits and of the scale."""
        values, scale, positions, excluded, *others = ctx.saved_tensors
        if torch.is_grad_enabled():
            targets = [values] if scale is None else [values, scale]
            gradients = torch.autograd.grad(ctx.composed(values, scale), targets, gradient, create_graph=True)
            return gradients[0], None if scale is None else gradients[1], None, None, None
        inputs, gradient = Inputs(values, *others), gradient.to(values.dtype).contiguous()
        result, by_scale = ctx.kernel.backward(inputs, positions, excluded, gradient, scale=scale is not None)
        return result, None if by_scale is None else by_scale.sum(), None, None, None


class _Integers(torch.autograd.Function):
    """The integer model, whose rule for `vmap` puts the batch into the rows."""

    @staticmethod
    def forward(run: Callable[..., tuple[Tensor, ...]], codes: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        """The arrays of the model."""
        return run(codes, *others)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Integers have no gradient."""
        ctx.mark_non_differentiable(*output)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, ...]:
        """Never called with a gradient."""
        return (None,) * len(gradients)

    @staticmethod
    def vmap(info: Any, dimensions: tuple[int | None, ...], run: Any, *tensors: Tensor) -> tuple[Any, Any]:
        """One call for the rows of the whole batch."""
        rows = []
        for tensor, dimension in zip(tensors, dimensions[1:], strict=True):
            batch = tensor.expand(info.batch_size, *tensor.shape) if dimension is None else tensor.movedim(dimension, 0)
            rows.append(batch.reshape(-1, *batch.shape[2:]))
        arrays = _Integers.apply(run, *rows)
        unfolded = tuple(array.reshape(info.batch_size, -1, *array.shape[1:]) for array in arrays)
        return unfolded, (0,) * len(unfolded)


def integers(integer: IntegerHead, codes: Tensor, lengths: Tensor, sideband: Mapping[str, Tensor]) -> Arrays:
    """The arrays of the integer model under a transform of `torch.func`."""
    names, fields = list[str](), list(sideband)

    def run(codes: Tensor, lengths: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
        arrays = integer(codes, lengths, dict(zip(fields, values, strict=True)))
        names[:] = list(arrays)
        return tuple(arrays.values())

    results = _Integers.apply(run, codes, lengths, *(sideband[name] for name in fields))
    return dict(zip(names, results, strict=True))
