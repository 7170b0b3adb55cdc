"""A third party's range coder with the codes of a simulated head as its tables, on both sides."""

import numpy as np
import pytest
from support.head_bench import check_head

from softstream.hw.config.config import Config
from softstream.hw.config.presets import DIGITS_SCALE
from softstream.sim.data import DIGITS_SCORES
from softstream.sim.golden import golden
from softstream.sim.reference.softmax import softmax_float64

CONFIG = Config(
    max_length=10,
    score_scale=DIGITS_SCALE,
    temperature=4.0,  # several bits a symbol
    sum="exact",
    minimum_code=1,
    probability_width=12,
    probability_format="UQ1",
)
VECTORS, ROUNDS = 150, 200
FLUSH = 64
"""Bits that a range coder adds at its end, at most."""


def drawn_symbols(probabilities: np.ndarray) -> np.ndarray:
    """Classes [ROUNDS, V] drawn from probabilities [V, N]."""
    rng = np.random.default_rng(5)
    shares = rng.random((ROUNDS, len(probabilities), 1))
    drawn = (shares > np.cumsum(probabilities, axis=1)).sum(axis=2)
    return np.minimum(drawn, probabilities.shape[1] - 1)


@pytest.mark.interop
def test_a_range_coder_decodes_what_it_encoded_with_the_codes_of_the_hardware() -> None:
    import constriction

    categorical, queue = constriction.stream.model.Categorical, constriction.stream.queue
    scores = np.load(DIGITS_SCORES)[:VECTORS].astype(np.int64)
    # The hardware's codes are those of the model, or this raises.
    check_head(CONFIG, list(scores), source="random", sink="every3")
    codes, one = golden(CONFIG, scores).probabilities, 1 << CONFIG.probability_width
    assert codes is not None
    assert (codes.sum(axis=1) == one).all()
    assert codes.min() >= 1
    exact = softmax_float64(CONFIG.replace(sum="rounded", minimum_code=0), scores)
    symbols = drawn_symbols(exact)
    encoder = queue.RangeEncoder()
    models = [categorical(row / one, perfect=True) for row in codes]
    for row in symbols:
        for symbol, model in zip(row, models, strict=True):
            encoder.encode(int(symbol), model)
    compressed = encoder.get_compressed()
    decoder = queue.RangeDecoder(compressed)
    decoded = [[int(decoder.decode(categorical(row / one, perfect=True))) for row in codes] for _ in symbols]
    assert decoded == symbols.tolist()

    bits = 32 * len(compressed)
    places = np.arange(VECTORS)
    ideal = -np.log2(exact[places, symbols]).sum()
    table = np.log2(exact[places, symbols] * one / codes[places, symbols]).sum()
    assert bits <= 1.001 * (ideal + table) + FLUSH
    # The tables themselves cost little.
    assert abs(table) < 0.001 * ideal


def test_codes_rounded_one_by_one_are_no_tables() -> None:
    """Their sums differ from 2^P, and improbable classes have no code at all."""
    config = CONFIG.replace(sum="rounded", minimum_code=0, temperature=1.0)
    codes = golden(config, np.load(DIGITS_SCORES).astype(np.int64)).probabilities
    assert codes is not None
    assert (codes.sum(axis=1) != 1 << config.probability_width).mean() > 0.3
    assert (codes == 0).any()
