"""Time and memory of a training step through a head, as multiples of `torch.softmax`: python -m softstream.scripts.twin.speed

The step is forward and backward of random logits on the CPU, the best of many alternating runs; `torch.softmax` has logits of the
same type and no option. Memory is the largest
number of bytes that the step holds at once beyond its inputs. `logits × 2` saturates nothing with the default configuration.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from softstream.hw.config.config import Config
from softstream.hw.plan.ports import sidebands
from softstream.scripts.twin.head import Head

__all__ = ["SHAPES", "Cost", "main", "ratio"]

SHAPES = ((4096, 64), (64, 4096))
"""Vectors and elements of a step: the same number of logits in short and in long vectors."""


class Cost(NamedTuple):
    """A training step of a head relative to one of `torch.softmax`."""

    time: float
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


def ratio(
    head: Callable[..., Tensor],
    shape: tuple[int, int],
    runs: int = 200,
    dtype: torch.dtype = torch.float32,
    **inputs: Tensor,
) -> Cost:
    """The cost of a training step for logits of that shape and type, against that of `torch.softmax` alone."""
    numbers = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=numbers, dtype=dtype) * 2
    logits.requires_grad_()
    functions = (lambda values: torch.softmax(values, -1), lambda values: head(values, **inputs))
    gradients = [torch.randn(function(logits).shape, generator=numbers, dtype=dtype) for function in functions]
    best = [math.inf, math.inf]
    for run in range(runs + 2):
        for number, (function, gradient) in enumerate(zip(functions, gradients, strict=True)):
            begun = time.perf_counter()
            _step(function, logits, gradient)
            if run >= 2:  # the first ones make tables and compile
                best[number] = min(best[number], time.perf_counter() - begun)
    memory = [_largest(function, logits, gradient) for function, gradient in zip(functions, gradients, strict=True)]
    return Cost(best[1] / best[0], memory[1] / memory[0], best[1] * 1e3)


_HEADS: dict[str, dict[str, Any]] = {
    "softmax": {},
    "softmax, divider": {"normaliser": "divider"},
    "softmax, wide scores": {"score_scale": 0.1467},
    "softmax, masked": {"mask": True},
    "softmax, temperatures": {"temperature_bits": 4, "temperature_fraction": 2},
    "softmax, exact sum": {"sum": "exact", "probability_format": "UQ1"},
    "softmax, floor": {"probability_floor": 0.0001},
    "softmax, smoothing": {"smoothing": (1, 2, 1)},
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
    print("| head | logits | threads | time | memory | step |\n| --- | --- | --- | --- | --- | --- |")
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
                cost = ratio(head, shape, arguments.runs, dtype, **_inputs(config, shape))
                columns = f"{cost.time:.1f} × | {cost.memory:.1f} × | {cost.milliseconds:.2f} ms"
                print(f"| {name} | {list(shape)} | {threads} | {columns} |", flush=True)


if __name__ == "__main__":
    main()
