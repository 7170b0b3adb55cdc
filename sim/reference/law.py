"""The exact law of a draw: the distribution of a sampling head for independent, uniform random words."""

from collections.abc import Mapping

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.gumbel import GumbelTable, gumbel_table
from softstream.hw.numbers.inverse_cdf import cdf_law
from softstream.hw.numbers.ranked_draw import ranked_draw
from softstream.hw.numbers.temperature import tempered
from softstream.sim.golden.modes.inverse_cdf import terms
from softstream.sim.golden.modes.softmax_top_k import softmax_top_k
from softstream.sim.golden.stages.draw_set import draw_set
from softstream.sim.golden.stages.frame import Block
from softstream.sim.golden.stages.insertion import insertion

__all__ = [
    "draw_law",
    "exact_set",
    "law_slack",
    "model_set",
    "sample_law",
    "share_law",
    "softmax_law",
    "total_variation",
]


def sample_law(table: GumbelTable, positions: np.ndarray) -> np.ndarray:
    """P(index = i) for one vector of positions [N], float64 [N], by noise from the table.

    The first index wins a tie: P(i) = Σ_y P(y_i = y) · Π_(j<i) P(y_j < y) · Π_(j>i) P(y_j <= y). The probabilities of the table
    are exact. Products and sums carry about 2N roundings of 2^-53.
    """
    shifted = np.asarray(positions, dtype=np.int64) << table.shift
    # A sum below the least sum of the largest score cannot win.
    low, length = int(shifted.max()), len(table.law)
    at_most = np.concatenate([[0.0], np.cumsum(table.law)])

    def window(values: np.ndarray, score: int) -> np.ndarray:
        """values[y − score] for y = low, low + 1, …; the last value beyond the end."""
        part = values[low - score :][:length]
        return np.append(part, np.full(length - len(part), values[-1]))

    later_product = np.ones((len(shifted) + 1, length))
    for i in reversed(range(len(shifted))):
        later_product[i] = later_product[i + 1] * window(at_most[1:], shifted[i])
    law, earlier_product = np.zeros(len(shifted)), np.ones(length)
    density = np.append(table.law, 0.0)
    for i, score in enumerate(shifted):
        law[i] = (window(density, score) * earlier_product * later_product[i + 1]).sum()
        earlier_product = earlier_product * window(at_most, score)
    return law


def share_law(terms: np.ndarray, share_bits: int) -> np.ndarray:
    """P(index = i) by the inverse of the cumulative distribution, for one vector's terms [N], float64 [N].

    The function counts every u: those with u + ½ < 2^U·C_i/S draw i or an index before it. It counts in integers, so each
    probability is exact except for its rounding to float64.
    """
    running = np.cumsum(np.asarray(terms).astype(object))
    total = int(running[-1])
    ends = [-((total - (int(part) << share_bits + 1)) // (2 * total)) for part in running]
    return np.diff([0, *ends]).astype(np.float64) / 2.0**share_bits


def model_set(config: Config, scores: np.ndarray, sideband: Mapping[str, int] | None = None) -> np.ndarray:
    """Which classes of one vector of score codes [N] the model draws from, bool [N]; all of them without a list of the best."""
    if not config.ranked_draw:
        return np.ones(len(scores), dtype=bool)
    config, positions, codes = _behind_product(config, scores, sideband)
    numbers = ranked_draw(config)
    block = Block(positions[None], np.array([len(positions)]), {}, 0)
    shares = softmax_top_k(numbers.ranked, block)["top_probabilities"] if config.draws_share else None
    order, ranked = insertion(block.positions, block.valid, config.ranked_length)
    present = np.arange(config.ranked_length) < len(positions)
    belongs, _ = draw_set(numbers, ranked, present[None], shares, codes)
    members = np.zeros(len(positions), dtype=bool)
    members[order[belongs]] = True
    return members


def _behind_product(
    config: Config, scores: np.ndarray, sideband: Mapping[str, int] | None
) -> tuple[Config, np.ndarray, dict[str, np.ndarray]]:
    """(configuration, positions [N], sideband [1]) of one vector behind the product with its temperature."""
    codes = {name: np.array([code]) for name, code in (sideband or {}).items()}
    positions = config.position(np.asarray(scores))
    if not config.temperature_bits:
        return config, positions, codes
    return tempered(config), positions * codes["temperatures"], codes


def exact_set(config: Config, positions: np.ndarray, shift: float = 0.0) -> np.ndarray:
    """Which of the positions [N] of one vector a draw is among, bool [N]: a sort of all of them and the exact probabilities.

    `shift` is added to `draw_top_p`.
    """
    order = np.argsort(-positions, kind="stable")
    probabilities = softmax_law(config.effective_scale, positions)[order]
    before = np.concatenate([[0.0], np.cumsum(probabilities)[:-1]])
    ranks = np.arange(len(positions))
    inside = (ranks < config.draw_top_k) & (probabilities >= config.draw_min_p * probabilities[0])
    if config.draws_share:
        inside &= before < config.draw_top_p + shift
    result = np.zeros(len(positions), dtype=bool)
    result[order[inside | (ranks == 0)]] = True
    return result


def draw_law(config: Config, scores: np.ndarray, sideband: Mapping[str, int] | None = None) -> np.ndarray:
    """The law of a configuration's draw from one vector of score codes [N], float64 [N].

    `sideband` holds the codes of the vector by their arrays, such as `temperatures`.
    """
    members = model_set(config, scores, sideband)
    config, positions, _ = _behind_product(config, scores, sideband)
    if config.ranked_draw:
        law = np.zeros(len(positions))
        order = np.argsort(-positions, kind="stable")
        among = order[members[order]]  # in the order of the list, whose first element wins a tie
        law[among] = _law(ranked_draw(config).among, positions[among])
        return law
    return _law(config, positions)


def _law(config: Config, positions: np.ndarray) -> np.ndarray:
    """The law of the configuration's sampler on elements in the order in which it takes them, float64 [N]."""
    if config.inverse_cdf:
        shares = cdf_law(config)
        return share_law(terms(shares, positions, np.ones_like(positions, dtype=bool)), shares.share_bits)
    return sample_law(gumbel_table(config), positions)


def law_slack(config: Config) -> float:
    """A bound on the total variation distance of `draw_law` from the exact law, which roundings cause.

    The search rounds each of N values once. With noise each value is a sum over the table of products of N factors: 2N
    roundings of 2^-53 each, of values that sum to 1 over all classes. Twice that also covers the sums.
    """
    if config.sampler == "inverse_cdf":
        return config.max_length * 2.0**-53
    return config.max_length * len(gumbel_table(config).law) * 2.0**-51


def softmax_law(scale: float, positions: np.ndarray) -> np.ndarray:
    """The exact law: softmax of positions [N] in steps of `scale` nats, float64 [N]."""
    weights = np.exp((np.asarray(positions) - np.max(positions)) * scale)
    return weights / weights.sum()


def total_variation(one: np.ndarray, other: np.ndarray) -> float:
    """½·Σ|p_i − q_i|."""
    return float(np.abs(one - other).sum() / 2)
