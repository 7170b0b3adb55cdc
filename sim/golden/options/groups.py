"""Golden model of `hw/options/groups.py`: packets cut into groups, each a vector of the head without groups."""

from collections.abc import Callable, Mapping

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.groups import Grouping
from softstream.hw.plan.ports import result_outputs

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
    groups, inner = Grouping(config.groups, lengths), config.replace(groups=[])
    split = {name: groups.split(values) for name, values in sideband.items()}
    results = model(inner, groups.split(scores), groups.lengths, split, before=before)
    arrays = {"incomplete": groups.join_groups(~groups.complete)}
    for output in result_outputs(config):
        for field in output.fields:
            values = results[field.array]
            arrays[field.array] = (
                groups.join_groups(values) if values.ndim == 1 else groups.join(values, scores.shape[1])
            )
        arrays |= {
            flag.array: groups.join_groups(results[flag.array]) for flag in output.flags if flag.array in results
        }
    return arrays
