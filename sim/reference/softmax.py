"""The exact softmax in float64, and the golden model's distance from it in ulp."""

import math

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.composition import composition
from softstream.hw.numbers.ensemble import summed
from softstream.hw.numbers.floor import floor_code
from softstream.hw.numbers.groups import Grouping
from softstream.hw.numbers.sink import sink_positions
from softstream.hw.numbers.softmax import numerics
from softstream.hw.numbers.temperature import tempered
from softstream.hw.plan.ports import cut_lengths
from softstream.sim.golden.stages.accumulate import accumulate
from softstream.sim.golden.stages.exponential import exponential
from softstream.sim.golden.stages.frame import frame
from softstream.sim.golden.stages.leading_one import normalise

__all__ = ["error_ulp", "float64_slack_ulp", "merits", "softmax_float64", "valid_elements", "winner_index"]


def valid_elements(config: Config, scores: np.ndarray, lengths: np.ndarray | None = None) -> np.ndarray:
    """Which elements of scores [V, N] belong to their vector after the cut at max_length: bool [V, N]."""
    columns = np.arange(scores.shape[1])
    limit = np.full(len(scores), scores.shape[1]) if lengths is None else np.asarray(lengths)
    return columns < cut_lengths(config, limit)[:, None]


def merits(config: Config, scores: np.ndarray) -> np.ndarray:
    """The scores, codes or real numbers, or −x with `select = smallest`, so that the largest one wins; of the same shape."""
    if not config.selects_smallest:
        return scores
    return -scores if scores.dtype.kind == "f" else -scores.astype(np.int64)


def winner_index(config: Config, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Index of the largest value of each row [V, N] where valid: of equal ones the first, or the last with `tie = last`.

    The index is 0 where nothing is valid. float64 holds every score, sum of scores and code exactly.
    """
    ranked = np.where(valid, values, -np.inf)
    if not config.last_wins:
        return np.asarray(ranked.argmax(axis=1))
    return np.where(valid.any(axis=1), ranked.shape[1] - 1 - ranked[:, ::-1].argmax(axis=1), 0)


def sink_merit(config: Config, sinks: np.ndarray | None = None) -> float | np.ndarray:
    """The number that `merits` gives to the score of the sink, after the clip; −∞ without a sink.

    With the bits `sinks` [V] of the scores that accompany the vectors, [V, 1].
    """
    if not config.has_sink:
        return -np.inf
    code = np.asarray(config.sink_code) if sinks is None else config.code(sink_positions(config, sinks))[:, None]
    if config.clips:
        code = np.clip(code, config.clip_minimum, config.clip_maximum)
    return np.asarray(merits(config, code), dtype=np.float64)


def softmax_float64(
    config: Config,
    scores: np.ndarray,
    lengths: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    temperatures: np.ndarray | None = None,
    sinks: np.ndarray | None = None,
) -> np.ndarray:
    """The real numbers that probability codes stand for, in float64, [V, N].

    p_i = exp(s·x_i) / Σ exp(s·x_j), and 0 beyond each length and for a `mask` [V, N] other than 0; with `select = smallest` of
    −x in the place of x. s is score_scale / temperature, times the inverse temperature of the codes `temperatures` [V]. A sink is
    one more x_j, and with `sinks` [V] the bits of its code accompany each vector. The
    configuration's clipping, smoothing and floor apply, and each group of a packet has a softmax of its own. The floor is the one
    in use, a whole code (`floor_code`). With `minimum_code` each element has that many codes, and softmax shares the others.

    With `normaliser = none` the value is exp(s·x_i) / 2^(n+1) on the scale of the smallest score, where n is the exponent of
    the sum that the model computed, because this power of two is part of the result's definition.

    For an ensemble of M members it is the softmax of the mean of their scores, or the mean of their softmaxes, [V / M, N].

    The scores may be real numbers in units of `score_scale`, not rounded and not limited to the score format. The exponent n of
    `normaliser = none` is then that of the exact sum.
    """
    if config.groups:
        whole = np.full(len(scores), scores.shape[1]) if lengths is None else np.asarray(lengths)
        groups, vectors = Grouping(config.groups, whole), config.replace(groups=[])
        split = None if mask is None else groups.split(mask)
        return groups.join(softmax_float64(vectors, groups.split(scores), groups.lengths, split), scores.shape[1])
    if config.ensemble > 1:
        return _ensemble_softmax(config, scores, lengths)
    if temperatures is not None:
        # The products are exact scores, because a term common to a whole vector cancels in softmax.
        products = config.position(scores) * temperatures[:, None]
        return softmax_float64(tempered(config), products, lengths, mask)
    valid = valid_elements(config, scores, lengths)
    if mask is not None:
        valid &= mask == 0
    if config.clips:
        scores = np.clip(scores, config.clip_minimum, config.clip_maximum)
    ranked = np.where(valid, merits(config, scores), -np.inf)
    sink = sink_merit(config, sinks)
    peak = np.maximum(ranked.max(axis=1, keepdims=True), sink)
    shifted = np.where(valid, merits(config, scores) - peak, 0)
    weights = np.where(valid, np.exp(shifted * config.effective_scale), 0.0)
    if config.normaliser != "none":
        total = weights.sum(axis=1, keepdims=True)
        if config.has_sink:
            total += np.exp((sink - peak) * config.effective_scale)
        probabilities = weights / np.where(total == 0, 1, total)  # 0 for a fully masked vector
        lengths = valid.sum(axis=1)
        return np.where(valid, _above_floor(config, _smooth(config, probabilities, lengths), lengths), 0)
    step = min(config.effective_scale * math.log2(math.e), 64.0)  # octaves
    if scores.dtype.kind == "f":
        positions = np.where(valid, config.position(scores), -np.inf).max(axis=1)
        octaves = np.where(valid.any(axis=1), positions, 0) * step
        sum_exponent = np.floor(octaves + np.log2(np.maximum(weights.sum(axis=1), 1)))
    else:
        widths = numerics(config)
        framed = np.where(valid, scores, config.code(0))
        positions, _, _ = frame(config, framed, valid.sum(axis=1))
        present = valid[:, : positions.shape[1]]
        sum_exponent, _ = normalise(widths, *accumulate(widths, *exponential(widths, positions), present))
        sum_exponent = sum_exponent - widths.numerator_octaves
        octaves = np.where(present, positions, 0).max(axis=1) * step
    return weights * np.exp2(octaves - (sum_exponent + 1))[:, None]


def _above_floor(config: Config, probabilities: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Probabilities [V, N] scaled to lie above the floor in use, or above `minimum_code`."""
    if config.exact_sum and config.minimum_code:
        floor = config.minimum_code * 2.0**-config.probability_width
    elif config.probability_floor:
        parts = composition(config)
        assert parts is not None
        floor = floor_code(config, parts.inner) / 2.0**parts.inner.probability_width
    else:
        return probabilities
    return floor + (1 - floor * lengths[:, None]) * probabilities


def _ensemble_softmax(config: Config, scores: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
    """Softmax of ensembles [V / M, N] from the members' scores [V, N], cut to the first member's length.

    An element that a shorter member lacks counts as the score code of position 0, or as probability 0. Further elements of a
    longer member do not count.
    """
    members, valid = config.ensemble, valid_elements(config, scores, lengths)
    shape = (-1, members, scores.shape[1])
    first = valid[::members]
    if config.ensemble_mean == "probabilities":
        alone = config.replace(ensemble=1, smoothing=(), probability_floor=0)
        each = softmax_float64(alone, scores, lengths).reshape(shape)
        mean, lengths_cut = np.where(first, each.mean(axis=1), 0), first.sum(axis=1)
        return np.where(first, _above_floor(config, _smooth(config, mean, lengths_cut), lengths_cut), 0)
    sums = np.where(valid, scores, config.code(0)).reshape(shape).sum(axis=1)
    return softmax_float64(summed(config), sums, first.sum(axis=1))


def _smooth(config: Config, probabilities: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Probabilities [V, N] convolved with the configuration's kernel; weights inside the vector sum to 1."""
    kernel = np.array(config.smoothing, dtype=float)
    if len(kernel) < 2:
        return probabilities
    half = len(kernel) // 2
    out = probabilities.copy()
    for row, length in zip(out, lengths, strict=True):
        # Each weight belongs to its own position in the kernel, so a convolution needs the reversed kernel.
        within = slice(half, half + length)
        for _ in range(config.smoothing_passes):
            values = row[:length]
            if config.smoothing_edges == "gather":
                sums = np.convolve(np.ones(length), kernel[::-1])[within]
                row[:length] = np.convolve(values, kernel[::-1])[within] / sums
            else:
                sums = np.convolve(np.ones(length), kernel)[within]
                row[:length] = np.convolve(values / sums, kernel[::-1])[within]
    return out


def error_ulp(config: Config, codes: np.ndarray, scores: np.ndarray, lengths: np.ndarray | None = None) -> np.ndarray:
    """|code − output_zero_point − p·levels| for probability codes [R, N], in ulp of the output; 0 beyond each length.

    Scores and lengths are those of the V vectors; an ensemble has fewer results R.
    """
    exact = softmax_float64(config, scores, lengths) * config.levels + config.output_zero_point
    members = slice(None, None, config.ensemble)  # all members of a result have the same length
    valid = valid_elements(config, scores[members], None if lengths is None else np.asarray(lengths)[members])
    return np.where(valid, np.abs(codes - exact), 0)


def float64_slack_ulp(config: Config) -> float:
    """A bound on the error of `softmax_float64`, in ulp of the output.

    An argument of exp without underflow is at most 745 and has one rounding. exp, NumPy's pairwise sum of up to 2^20 terms and
    the quotient add about 40 roundings of 2^-53. All are relative errors, and p <= 1.
    """
    return (745 + 40) * 2.0 ** (config.probability_width - 53)
