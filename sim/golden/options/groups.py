"""Golden model of `hw/options/groups.py`: packets cut into groups, each a vector of the head without groups."""

from collections.abc import Callable, Mapping

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.groups import Grouping, group_count
from softstream.hw.plan.ports import result_outputs
from softstream.sim.golden.modes.gumbel import words_taken
from softstream.sim.golden.stages.frame import BLOCK_ELEMENTS

__all__ = ["grouped"]


def grouped(
    model: Callable[..., Mapping[str, np.ndarray]],
    config: Config,
    scores: np.ndarray,
    lengths: np.ndarray,
    sideband: Mapping[str, np.ndarray],
    before: int,
) -> dict[str, np.ndarray]:
    """The arrays of packets of scores [V, N]: of elements [V, N], of groups [V, G]. `model` is that of vectors."""
    packets, columns = scores.shape
    most = int(group_count(config.groups, lengths).max(initial=1))
    inner, block = config.replace(groups=[]), max(1, BLOCK_ELEMENTS // columns)
    outputs = result_outputs(config)
    names = {field.array for output in outputs for field in output.fields}
    names |= {flag.array for output in outputs for flag in output.flags}
    arrays: dict[str, np.ndarray] = {}
    for start in range(0, max(packets, 1), block):
        rows = slice(start, start + block)
        groups = Grouping(config.groups, lengths[rows])
        split = {name: groups.split(values[rows]) for name, values in sideband.items()}
        results = model(inner, groups.split(scores[rows]), groups.lengths, split, before=before)
        before += int(words_taken(inner, groups.lengths, split.get("mask")).sum())
        for name, values in {"incomplete": ~groups.complete, **results}.items():
            if name not in names:
                continue
            of_elements = values.ndim == 2
            joined = groups.join(values, columns) if of_elements else groups.join_groups(values)
            if name not in arrays:
                arrays[name] = np.zeros((packets, columns if of_elements else most), dtype=joined.dtype)
            arrays[name][rows, : joined.shape[1]] = joined
    return arrays
