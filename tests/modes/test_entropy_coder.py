"""A third party's range coder with the codes of a simulated head as its tables, on both sides."""

from pathlib import Path

import numpy as np
import pytest
from support.head_bench import check_head

import softstream.hw
from softstream.hw.config.config import Config
from softstream.hw.config.presets import DIGITS_SCALE
from softstream.sim.data import DIGITS_SCORES
from softstream.sim.golden import golden
from softstream.sim.reference.softmax import softmax_float64
from softstream.sim.simulators.runner import run_rtl

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


TEXT = CONFIG.replace(
    max_length=256, score_scale=0.0625, score_signed=True, temperature=1.0, probability_width=16, normaliser="divider"
)
"""A vector has the scores of the 256 values of a byte."""


def byte_scores(text: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Score codes [256, 256] of each next byte behind each byte, from the pairs in the text, and the pairs [n, 2]."""
    values = np.frombuffer(text, dtype=np.uint8).astype(np.int64)
    pairs = np.stack([values[:-1], values[1:]], axis=1)
    counts = np.full((256, 256), 0.02)
    np.add.at(counts, (pairs[:, 0], pairs[:, 1]), 1)
    logits = np.log(counts) - np.log(counts).max(axis=1, keepdims=True)
    return np.maximum(127 + np.rint(logits / TEXT.score_scale), -128).astype(np.int64), pairs


@pytest.mark.interop
def test_the_bytes_of_a_text_are_coded_with_the_codes_of_the_hardware() -> None:
    """Under a model of pairs of bytes: the simulated Verilog gives the table of each byte, on both sides."""
    import constriction

    categorical, queue = constriction.stream.model.Categorical, constriction.stream.queue
    text = (Path(softstream.hw.__path__[0]) / "config" / "README.md").read_bytes()
    scores, pairs = byte_scores(text)
    contexts = np.unique(pairs[:, 0])
    one = 1 << TEXT.probability_width
    codes = np.zeros((256, 256), dtype=np.int64)
    codes[contexts] = run_rtl(TEXT, scores[contexts], None, None, seed=1)["probabilities"]
    assert np.array_equal(codes[contexts], golden(TEXT, scores[contexts]).probabilities)
    tables = {int(context): categorical(codes[context] / one, perfect=True) for context in contexts}
    encoder = queue.RangeEncoder()
    for before, after in pairs.tolist():
        encoder.encode(after, tables[before])
    compressed = encoder.get_compressed()
    decoder, decoded = queue.RangeDecoder(compressed), [text[0]]
    for _ in pairs:
        decoded.append(int(decoder.decode(tables[decoded[-1]])))
    assert bytes(decoded) == text

    exact = softmax_float64(TEXT.replace(sum="rounded", minimum_code=0), scores)
    ideal = -np.log2(exact[pairs[:, 0], pairs[:, 1]]).sum()
    table = np.log2(exact[pairs[:, 0], pairs[:, 1]] * one / codes[pairs[:, 0], pairs[:, 1]]).sum()
    assert 32 * len(compressed) <= 1.001 * (ideal + table) + FLUSH
    # A least code for each of 256 bytes takes 256 of 65536 from the others: log2(65536 / 65280) bits for each symbol.
    assert 0 <= table < 0.0057 * len(pairs) + 0.001 * ideal
    # Codes rounded one by one have bytes of the text without a code, so this text could not be coded.
    rounded = golden(TEXT.replace(sum="rounded", minimum_code=0, probability_width=8), scores).probabilities
    assert rounded is not None
    assert (rounded[pairs[:, 0], pairs[:, 1]] == 0).any()


def test_codes_rounded_one_by_one_are_no_tables() -> None:
    """Their sums differ from 2^P, and improbable classes have no code at all."""
    config = CONFIG.replace(sum="rounded", minimum_code=0, temperature=1.0)
    codes = golden(config, np.load(DIGITS_SCORES).astype(np.int64)).probabilities
    assert codes is not None
    assert (codes.sum(axis=1) != 1 << config.probability_width).mean() > 0.3
    assert (codes == 0).any()
