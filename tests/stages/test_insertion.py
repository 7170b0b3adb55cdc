"""The list of the K largest, for every vector of up to four scores of two bits and every mask."""

import itertools

import numpy as np
import pytest
from support.head_bench import check_head

from softstream.hw.config.config import Config
from softstream.sim.golden.stages.insertion import insertion


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_the_model_sorts_every_vector(count: int, length: int) -> None:
    positions = np.array(list(itertools.product(range(4), repeat=length)))
    for valid in itertools.product((False, True), repeat=length):
        indices, best = insertion(positions, np.broadcast_to(np.array(valid), positions.shape), count)
        for vector, row, scores in zip(positions.tolist(), indices.tolist(), best.tolist(), strict=True):
            order = sorted((i for i in range(length) if valid[i]), key=lambda i: (-vector[i], i))[:count]
            missing = [0] * (count - len(order))
            assert row == order + missing
            assert scores == [vector[i] for i in order] + missing


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("mask", [False, True])
def test_every_short_vector_in_hardware(count: int, mask: bool) -> None:
    """Back to back; with masks each vector has a random one."""
    vectors = [np.array(v) for n in range(1, 5) for v in itertools.product((-2, -1, 0, 1), repeat=n)]
    check_head(Config(mode="top_k", top_k=count, max_length=4, score_width=2, mask=mask), vectors)
