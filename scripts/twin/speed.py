"""Time and memory of a training step through a head, as multiples of `torch.softmax`: python -m softstream.scripts.twin.speed

The step is forward and backward of random float32 logits on the CPU, the best of many alternating runs. Memory is the largest
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


def ratio(head: Callable[[Tensor], Tensor], shape: tuple[int, int], runs: int = 200) -> Cost:
    """The cost of a training step for float32 logits of that shape."""
    numbers = torch.Generator().manual_seed(0)
    logits, gradient = (torch.randn(shape, generator=numbers) * 2 for _ in range(2))
    logits.requires_grad_()
    functions = (lambda values: torch.softmax(values, -1), head)
    best = [math.inf, math.inf]
    for run in range(runs + 2):
        for number, function in enumerate(functions):
            begun = time.perf_counter()
            _step(function, logits, gradient)
            if run >= 2:  # the first ones make tables and compile
                best[number] = min(best[number], time.perf_counter() - begun)
    memory = [_largest(function, logits, gradient) for function in functions]
    return Cost(best[1] / best[0], memory[1] / memory[0], best[1] * 1e3)


def main() -> None:
    """Prints a table of ratios, for one thread and for as many as PyTorch takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--runs", type=int, default=200, help="alternating runs, the best of which counts (default 200)"
    )
    arguments = parser.parse_args()
    heads: dict[str, dict[str, Any]] = {
        "softmax": {},
        "softmax, divider": {"normaliser": "divider"},
        "log_softmax": {"mode": "log_softmax"},
        "softmax, wide scores": {"score_scale": 0.1467},
        "softmax, masked": {"mask": True},
    }
    print("| head | logits | threads | time | memory | step |\n| --- | --- | --- | --- | --- | --- |")
    for threads in sorted({1, torch.get_num_threads()}):
        torch.set_num_threads(threads)
        for name, keys in heads.items():
            for shape in SHAPES:
                cost = ratio(Head(Config(max_length=shape[1], **keys)), shape, arguments.runs)
                columns = f"{cost.time:.1f} × | {cost.memory:.1f} × | {cost.milliseconds:.2f} ms"
                print(f"| {name} | {list(shape)} | {threads} | {columns} |", flush=True)


if __name__ == "__main__":
    main()
