"""The modes: one row each, with the facts that all other modules ask for instead of a mode's name."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["MODES", "Mode", "ModeTraits"]

Mode = Literal[
    "argmax",
    "softmax",
    "log_softmax",
    "cross_entropy",
    "exponential",
    "sigmoid",
    "sample",
    "hardmax",
    "top_k",
    "softmax_top_k",
    "cdf",
    "log_sum_exp",
    "entropy",
]
"""The names of `MODES`, spelled out for the type checker; a test compares the two."""


@dataclass(frozen=True, kw_only=True)
class ModeTraits:
    """The facts of one mode. No other module compares a mode's name with text."""

    name: Mode
    summary: str
    """The results, for help texts."""
    per_element: bool = False
    """Whether each element of a vector has a result."""
    names_winner: bool = False
    """Whether the results name the first of the largest scores."""
    order_only: bool = False
    """Whether the order of the scores decides alone, so that neither scale nor temperature changes a bit."""
    one_hot: bool = False
    """Whether the winner is marked by the only probability that is not 0."""
    probabilities: bool = False
    """Whether the results contain probabilities."""
    normalised: bool = False
    """Whether the results are exponentials over their sum, by the stages of `normaliser`."""
    cumulative: bool = False
    """Whether the results are cumulative probabilities, the last of which is 1."""
    logarithmic: bool = False
    """Whether the results are natural logarithms of probabilities, in nats."""
    relative_sum: bool = False
    """Whether the result is the logarithm of the sum of exponentials relative to the largest."""
    entropy: bool = False
    """Whether the result is the entropy of a vector's probabilities, in bits."""
    exponentials: bool = False
    """Whether the results are exponentials relative to a constant, without their sum."""
    top_k: bool = False
    """Whether the results are the K largest elements in order."""
    random: bool = False
    """Whether the result is drawn at random."""
    stores_scores: bool = False
    """Whether the head stores a vector's scores until their sum is complete (see also `Config.stores_scores`)."""
    vector_temperature: bool = False
    """Whether each vector may have a temperature of its own (`temperature_bits`)."""
    two_pass: bool = False
    """Whether `accumulator = two_pass` is accepted; in argmax, which has no sum, it changes nothing."""
    independent: bool = False
    """Whether each score has a result by itself, whatever the other scores of its vector are."""
    groups_refusal: str = ""
    """Why the mode takes no `groups`; empty where it takes them."""

    @property
    def softmax(self) -> bool:
        """Whether each element's result is its probability of softmax, which stages behind the head may change."""
        return self.normalised and self.per_element and not self.cumulative

    @property
    def winner_stream(self) -> bool:
        """Whether the winner has a stream of its own, beside that of the elements."""
        return self.names_winner and self.per_element and not self.one_hot

    @property
    def takes_sink(self) -> bool:
        """Whether each element's result is its share of a sum of exponentials, or the logarithm of it."""
        return self.softmax or (self.logarithmic and self.per_element)

    @property
    def one_winner(self) -> bool:
        """Whether a beat of the results names the winner of each vector."""
        return self.names_winner and not (self.top_k or self.one_hot)

    @property
    def has_codes(self) -> bool:
        """Whether the results contain numbers of `probability_width` fraction bits."""
        return self.probabilities or self.cumulative or self.logarithmic or self.entropy or self.exponentials

    @property
    def has_sum(self) -> bool:
        """Whether the mode adds up exponentials; drawing does so with one of its samplers."""
        return self.normalised or self.logarithmic or self.entropy or self.random

    @property
    def shift_invariant(self) -> bool:
        """Whether a constant added to all scores of a vector changes no result but the scores among the results."""
        return self.order_only or self.has_sum

    @property
    def groups(self) -> bool:
        """Whether a packet may consist of several groups, each a vector by itself."""
        return not self.groups_refusal


_K_LARGEST = "the K largest elements are those of a packet"

_ROWS = (
    ModeTraits(
        name="argmax", summary="the index and score of the winner", names_winner=True, order_only=True, two_pass=True
    ),
    ModeTraits(
        name="softmax",
        summary="the probability of each element, and the winner",
        per_element=True,
        names_winner=True,
        probabilities=True,
        normalised=True,
        stores_scores=True,
        vector_temperature=True,
        two_pass=True,
    ),
    ModeTraits(
        name="log_softmax",
        summary="the natural logarithm of each probability, and the winner",
        per_element=True,
        names_winner=True,
        logarithmic=True,
        stores_scores=True,
        vector_temperature=True,
    ),
    ModeTraits(
        name="cross_entropy",
        summary="the loss of a label, −ln of its probability",
        logarithmic=True,
        vector_temperature=True,
        groups_refusal="one label comes with a packet",
    ),
    ModeTraits(
        name="exponential",
        summary="the exponential of each score without normalisation, and the winner",
        per_element=True,
        names_winner=True,
        exponentials=True,
    ),
    ModeTraits(
        name="sigmoid",
        summary="1/(1 + e^−x) of each score by itself",
        per_element=True,
        probabilities=True,
        independent=True,
        groups_refusal="each score has a probability by itself, whatever the other scores are",
    ),
    ModeTraits(
        name="sample",
        summary="a random index, drawn with the probabilities of softmax",
        random=True,
        vector_temperature=True,
    ),
    ModeTraits(
        name="hardmax",
        summary="1.0 for the winner and 0 for all other elements",
        per_element=True,
        names_winner=True,
        order_only=True,
        one_hot=True,
        probabilities=True,
    ),
    ModeTraits(
        name="top_k",
        summary="the K largest scores and their indices, in order",
        names_winner=True,
        order_only=True,
        top_k=True,
        groups_refusal=_K_LARGEST,
    ),
    ModeTraits(
        name="softmax_top_k",
        summary="the K largest probabilities and their indices, in order",
        names_winner=True,
        probabilities=True,
        normalised=True,
        top_k=True,
        groups_refusal=_K_LARGEST,
    ),
    ModeTraits(
        name="cdf",
        summary="the sum of the probabilities up to each element, at the last one exactly 1, and the winner",
        per_element=True,
        names_winner=True,
        normalised=True,
        cumulative=True,
        stores_scores=True,
        vector_temperature=True,
    ),
    ModeTraits(
        name="log_sum_exp",
        summary="the largest score of each vector, and ln Σ e^(x − largest)",
        logarithmic=True,
        relative_sum=True,
    ),
    ModeTraits(
        name="entropy",
        summary="the index and score of the winner, and the entropy of the vector's probabilities in bits",
        names_winner=True,
        entropy=True,
    ),
)

MODES: dict[str, ModeTraits] = {row.name: row for row in _ROWS}
"""Mode → its facts."""
