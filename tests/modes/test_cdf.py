"""The head of cumulative probabilities: hardware against model."""

import pytest
from support.configurations import score_vectors
from support.exact_sums import CONFIGS
from support.head_bench import check_head
from support.long_cases import mostly_long

QUICK = ("lanes-masked", "small-minimum", "minimum-product", "groups")
"""Heads that every run of the suite simulates."""


@pytest.mark.parametrize("name", mostly_long(CONFIGS, QUICK))
def test_the_hardware_equals_the_model(name: str) -> None:
    config = CONFIGS[name].replace(mode="cdf")
    vectors = score_vectors(config, 12)
    check_head(config, vectors[: len(vectors) - len(vectors) % config.ensemble], source="every3", sink="random")
