"""Time and memory of a training step through a head, as multiples of `torch.softmax`: python -m softstream.scripts.twin.speed

The step is forward and backward of random logits on the CPU, the best of many alternating runs; `torch.softmax` has logits of
the same type and no option. A second column has the multiple of the same function in float, with the option, as operations of
PyTorch: what a network without the head would run. Memory is the largest number of bytes that the step holds at once beyond its
inputs.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from softstream.hw.config.config import Config
from softstream.hw.plan.ports import sidebands
from softstream.scripts.twin.head import Head

__all__ = ["SHAPES", "Cost", "main", "ratio"]

SHAPES = ((4096, 64), (64, 4096))
"""Vectors and elements of a step: the same number of logits in short and in long vectors."""


class Cost(NamedTuple):
    """A training step of a head relative to one of `torch.softmax`."""

    time: float
    option: float
    """Its time relative to that of the same function in float."""
    memory: float
    milliseconds: float
    """Of the step of the head."""


def _step(function: Callable[[Tensor], Tensor], logits: Tensor, gradient: Tensor) -> None:
    torch.autograd.grad(function(logits), logits, gradient)


def _largest(function: Callable[[Tensor], Tensor], logits: Tensor, gradient: Tensor) -> int:
    """The most bytes that a step has allocated at once."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        _step(function, logits, gradient)
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = largest = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        largest = max(largest, held)
    return largest


def _softmax(logits: Tensor) -> Tensor:
    return torch.softmax(logits, -1)


def _in_float(config: Config) -> Callable[..., Tensor]:
    """The function of a head in float, as operations of PyTorch on logits [V, N]."""
    weights = torch.tensor(config.smoothing, dtype=torch.float32)[None, None]
    radius = len(config.smoothing) // 2

    def function(
        logits: Tensor, mask: Tensor | None = None, temperature: Tensor | None = None, labels: Tensor | None = None
    ) -> Tensor:
        if temperature is not None:
            logits = logits * (temperature * 2.0**-config.temperature_fraction)[:, None]
        if mask is not None:
            logits = logits.masked_fill(mask, -math.inf)
        if labels is not None:
            return nn.functional.cross_entropy(logits, labels, reduction="none")
        if config.traits.logarithmic:
            return torch.log_softmax(logits, -1)
        results = torch.softmax(logits, -1)
        if config.smooths:
            inside = nn.functional.conv1d(torch.ones_like(logits[:1])[:, None], weights, padding=radius)
            results = (nn.functional.conv1d(results[:, None], weights, padding=radius) / inside)[:, 0]
        if config.probability_floor:
            results = config.probability_floor + (1 - config.probability_floor * logits.shape[-1]) * results
        return results

    return function


def ratio(
    head: Callable[..., Tensor],
    shape: tuple[int, int],
    runs: int = 200,
    dtype: torch.dtype = torch.float32,
    function: Callable[..., Tensor] = _softmax,
    **inputs: Tensor,
) -> Cost:
    """The cost of a training step for logits of that shape and type, against that of `torch.softmax` alone.

    `function` is the function of the head in float, with its inputs.
    """
    numbers = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=numbers, dtype=dtype) * 2
    logits.requires_grad_()
    functions = (_softmax, lambda values: head(values, **inputs), lambda values: function(values, **inputs))
    gradients = [torch.randn(one(logits).shape, generator=numbers, dtype=dtype) for one in functions]
    best = [math.inf] * len(functions)
    for run in range(runs + 2):
        for number, (one, gradient) in enumerate(zip(functions, gradients, strict=True)):
            begun = time.perf_counter()
            _step(one, logits, gradient)
            if run >= 2:  # the first ones make tables and compile
                best[number] = min(best[number], time.perf_counter() - begun)
    memory = [_largest(one, logits, gradient) for one, gradient in zip(functions[:2], gradients[:2], strict=True)]
    return Cost(best[1] / best[0], best[1] / best[2], memory[1] / memory[0], best[1] * 1e3)


_HEADS: dict[str, dict[str, Any]] = {
    "softmax": {},
    "softmax, divider": {"normaliser": "divider"},
    "softmax, wide scores": {"score_scale": 0.1467},
    "softmax, masked": {"mask": True},
    "softmax, temperatures": {"temperature_bits": 4, "temperature_fraction": 2},
    "softmax, exact sum": {"sum": "exact", "probability_format": "UQ1"},
    "softmax, floor": {"probability_floor": 0.0001},
    "softmax, smoothing": {"smoothing": (1, 2, 1)},
    "softmax, five weights": {"smoothing": (1, 2, 3, 2, 1)},
    "log_softmax": {"mode": "log_softmax"},
    "cross_entropy": {"mode": "cross_entropy"},
}


def _inputs(config: Config, shape: tuple[int, int]) -> dict[str, Tensor]:
    """Random inputs that accompany the logits."""
    numbers = torch.Generator().manual_seed(1)
    inputs = {}
    if config.mask:
        inputs["mask"] = torch.rand(shape, generator=numbers) < 0.2
    if config.temperature_bits:
        inputs["temperature"] = torch.randint(1, 1 << config.temperature_bits, shape[:1], generator=numbers)
    if any(port.array == "labels" for port in sidebands(config)):
        inputs["labels"] = torch.randint(0, shape[1], shape[:1], generator=numbers)
    return inputs


def main() -> None:
    """Prints a table of ratios, for one thread and for as many as PyTorch takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--runs", type=int, default=200, help="alternating runs, the best of which counts (default 200)"
    )
    arguments = parser.parse_args()
    print(
        "| head | logits | threads | time | over float | memory | step |\n| --- | --- | --- | --- | --- | --- | --- |"
    )
    cases = [
        *((name, keys, torch.float32, False) for name, keys in _HEADS.items()),
        ("softmax, learned scale", {}, torch.float32, True),
        ("softmax, float64", {}, torch.float64, False),
    ]
    for threads in sorted({1, torch.get_num_threads()}):
        torch.set_num_threads(threads)
        for name, keys, dtype, learns in cases:
            for shape in SHAPES:
                config = Config(max_length=shape[1], **keys)
                head = Head(config, learn_scale=learns)
                cost = ratio(head, shape, arguments.runs, dtype, _in_float(config), **_inputs(config, shape))
                columns = f"{cost.time:.1f} × | {cost.option:.2g} × | {cost.memory:.1f} × | {cost.milliseconds:.2f} ms"
                print(f"| {name} | {list(shape)} | {threads} | {columns} |", flush=True)


if __name__ == "__main__":
    main()
