"""The keys of a configuration: each is declared once, as a field, and checked by itself.

To add a key, add a field here. Everything else follows: its default, its check, its section in a TOML file, its line in help
texts and in the table of keys, and where it is shown.
"""

# ruff: noqa: RUF009, because `declare` returns a field of the dataclass

from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, Literal, get_type_hints

from softstream.hw.config.keys import Floats, Integers, Kernel, Key, Sizes, declare, key_of, nearest_key
from softstream.hw.config.limits import (
    DEFAULT_GUARD,
    DIRECT_WIDTH,
    LARGEST_LIST,
    LOGARITHM_GUARD,
    LOGARITHM_LIMIT,
    LONGEST,
    WIDEST_COMPARED,
    WIDEST_PROBABILITY,
    WIDEST_SCORE,
)
from softstream.hw.config.modes import MODES, Mode, ModeTraits
from softstream.hw.errors import UserError
from softstream.hw.formats import QFormat, ceil_log2

__all__ = ["KEYS", "Settings", "unknown_key"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The keys, each within its own range, and what follows from them. `Config` also checks which keys go together."""

    # fmt: off
    mode: Mode = declare(
        "softmax", "head", "; ".join(f"{traits.name}: {traits.summary}" for traits in MODES.values())
    )
    max_length: int = declare(
        1024, "head", "the longest vector; any shorter length is free at run time", unit="elements",
        values=Integers(1, LONGEST),
    )
    top_k: int = declare(
        5, "head", "K of the Top-K modes: how many of the largest scores", unit="elements", values=Integers(1, LARGEST_LIST),
        modes=lambda traits: traits.top_k,
    )
    select: Literal["largest", "smallest"] = declare(
        "largest", "head", "the scores that win: the largest, or the smallest for argmin, the K smallest, and softmin, which "
        "is the softmax of −x; no score becomes wider, and no table larger", modes=lambda traits: not traits.independent,
    )
    tie: Literal["first", "last"] = declare(
        "first", "head", "which of equal scores wins: the one with the first index, or with the last; Top-K lists equal scores "
        "in that order", modes=lambda traits: traits.names_winner,
    )

    confidence: Literal["none", "margin"] = declare(
        "none", "head", "a confidence beside the winner, which needs no probability: the distance of its score from the second "
        "best one of the vector (margin)", modes=lambda traits: traits.one_winner,
    )

    score_width: int = declare(
        8, "scores", f"the width of a score code: at most {WIDEST_SCORE} bits, or {WIDEST_COMPARED} in argmax, hardmax and "
        "top_k, which compare scores only", unit="bits", values=Integers(2, WIDEST_COMPARED),
    )
    score_signed: bool = declare(True, "scores", "whether score codes are two's complement")
    score_scale: float = declare(
        0.0625, "scores", "the real value of one step of the score code", unit="nats per code step"
    )
    score_zero_point: int = declare(
        0, "scores", "the score code whose real value is 0, x = (code − score_zero_point) · score_scale: floats are quantised "
        "with it, and the table of sigmoid contains it; no other mode depends on it", unit="code steps",
        values=Integers(-(1 << 31), (1 << 32) - 1),
    )
    clip_minimum: int = declare(
        -65536, "scores", "smaller score codes count as this one before the exponential; the winner is that of the scores "
        "as they are", unit="code steps", values=Integers(-65536, 65535), modes=lambda traits: traits.normalised,
    )
    clip_maximum: int = declare(
        65535, "scores", "larger score codes count as this one, likewise", unit="code steps",
        values=Integers(-65536, 65535), modes=lambda traits: traits.normalised,
    )

    temperature: float = declare(
        1.0, "softmax", "T in softmax(x / T): below 1 sharper, above 1 flatter; the tables contain it, so it costs nothing",
        values=Floats(hint="; mode = 'argmax' is the limit at 0"), modes=lambda traits: not traits.order_only,
    )
    normaliser: Literal["auto", "divider", "reciprocal", "logarithm", "none"] = declare(
        "auto", "softmax", "the normaliser: a division per element (no multiplier), a reciprocal per vector and a "
        "multiplier, a difference of logarithms (tables only), or none (exponentials over a power of two); auto: the "
        f"logarithm where its tables fit, with P + guard_bits ≤ {LOGARITHM_LIMIT} and scores of at most {DIRECT_WIDTH} bits, "
        "else the divider",
        modes=lambda traits: traits.normalised or traits.random,
        options=lambda settings: settings.traits.normalised or settings.draws_share,
    )
    accumulator: Literal["auto", "absolute", "two_windows", "reference", "two_pass"] = declare(
        "auto", "softmax", "the sum: exact (absolute); where the range of the scores is too wide for an exact sum, in the two "
        "highest windows of octaves (two_windows) or against a running power-of-two reference (reference: fewer cells, a lower "
        "clock); auto: the first of them that fits, but no windows for scores above 10 bits; or relative to the maximum in a "
        "second pass (two_pass: one vector after the other, with profile small and normaliser divider)",
        modes=lambda traits: traits.has_sum,
        options=lambda settings: settings.sums,
    )
    sink: Literal["none", "fixed", "vector"] = declare(
        "none", "softmax", "one more element of every vector, which takes its share of the sum and is not put out: of the score "
        "sink_code, an attention sink, or with the score 0 the softmax with a 1 in the denominator (fixed); or of a score that "
        "accompanies each vector (vector)",
        modes=lambda traits: traits.takes_sink,
    )
    sink_code: int = declare(
        0, "softmax", "the score code of the sink", unit="code steps", values=Integers(-65536, 65535),
        modes=lambda traits: traits.takes_sink, options=lambda settings: settings.sink == "fixed",
    )
    guard_bits: int = declare(
        0, "softmax", "k extra bits inside; the error bound falls as 2^−k; 0: 5 where normaliser = auto is the logarithm and "
        "P ≤ 9, and in entropy, else 4", unit="bits", values=Integers(0, 8),
        modes=lambda traits: traits.has_sum or traits.exponentials,
        options=lambda settings: settings.sums or settings.traits.exponentials,
    )
    reference_offset: int = declare(
        0, "softmax", "for unnormalised exponentials: how far the score code whose exponential is 1 lies below the largest "
        "code, or above the smallest with select = smallest", unit="code steps", values=Integers(0, 65535),
        modes=lambda traits: traits.exponentials,
    )

    probability_width: int = declare(
        8, "output", "P, the fraction bits of a probability code", unit="bits", values=Integers(2, 24),
        modes=lambda traits: traits.has_codes or traits.random,
        options=lambda settings: settings.traits.has_codes or settings.inverse_cdf or settings.draws_share,
    )
    probability_format: Literal["UQ0", "UQ1"] = declare(
        "UQ0", "output", "UQ0.P saturates 1.0 to 1 − 2^−P; UQ1.P holds 1.0 exactly",
        modes=lambda traits: traits.has_codes and not (traits.logarithmic or traits.entropy or traits.cumulative),
        options=lambda settings: not settings.rescales,
    )
    sum: Literal["rounded", "exact"] = declare(
        "rounded", "output", "the sum of a vector's probability codes: each code is rounded by itself, and the sum is off by up "
        "to half a step per element (rounded); or the running sum is rounded, and the sum is 2^P (exact)",
        modes=lambda traits: traits.softmax,
    )
    minimum_code: int = declare(
        0, "output", "F: each element that takes part has at least this code, and the sum is 2^P all the same", unit="code steps",
        values=Integers(0, 1 << (WIDEST_PROBABILITY - 1)), modes=lambda traits: traits.softmax or traits.cumulative,
        options=lambda settings: settings.exact_sum,
    )
    output_levels: int = declare(
        0, "output", "L of codes in steps of 1/L: p ≈ (code − output_zero_point) / L, at most 2^P, for example 255 or 127; 0: "
        "2^P", unit="steps", values=Integers(0, 1 << WIDEST_PROBABILITY), modes=lambda traits: traits.probabilities,
    )
    output_zero_point: int = declare(
        0, "output", "the code of probability 0, for example −128 for int8; codes are signed where it is below 0",
        unit="code steps", values=Integers(-65536, 65535), modes=lambda traits: traits.probabilities,
    )
    integer_bits: int = declare(
        0, "output", "the integer bits of logarithmic results: 0 takes as many as hold every result, fewer saturate",
        unit="bits", values=Integers(0, 26), modes=lambda traits: traits.logarithmic,
    )

    sampler: Literal["gumbel", "inverse_cdf"] = declare(
        "gumbel", "sampling", "how a draw is made: the largest sum of score and noise, in one pass; or the first element "
        "with which the running sum of exponentials exceeds a random share of the whole, far closer to softmax",
        modes=lambda traits: traits.random,
    )
    draw_top_k: int = declare(
        0, "sampling", "K of draws among the K best elements, whose list bounds draw_top_p and draw_min_p too; 0: among all",
        unit="elements", values=Integers(0, LARGEST_LIST), modes=lambda traits: traits.random,
    )
    draw_top_p: float = declare(
        1.0, "sampling", "p of draws among the fewest of the best elements whose probabilities sum to p or more; 1: no bound",
        values=Floats("> 0, at most 1", most=1.0), modes=lambda traits: traits.random,
    )
    draw_min_p: float = declare(
        0.0, "sampling", "draws are among the elements whose probability is at least this share of the best one's; 0: no bound",
        values=Floats("≥ 0, below 1", share=True), modes=lambda traits: traits.random,
    )
    draw_sideband: bool = declare(
        False, "sampling", "whether each vector brings its own K, p and min_p of a draw; draw_top_k is then the largest K",
        modes=lambda traits: traits.random, options=lambda settings: settings.draw_top_k > 0,
    )
    seed: int = declare(
        1, "sampling", "where the random sequence starts after reset", values=Integers(0, (1 << 32) - 1),
        modes=lambda traits: traits.random,
    )

    mask: bool = declare(
        False, "options", "a sideband bit of each score excludes its element, as if it were not there: it never wins, its "
        "probability is 0",
    )
    groups: tuple[int, ...] = declare(
        (), "options", "sizes of groups, repeated over the packet, each a vector by itself; max_length is the longest; one size "
        "serves a DMA packet of many vectors of that length; empty: the packet is one vector", unit="elements",
        values=Sizes(), modes=lambda traits: traits.groups,
        synonyms=("dma", "packet_length", "packetiser", "packetizer", "vectors_per_packet"),
    )
    temperature_bits: int = declare(
        0, "options", "the width of a code u that accompanies each vector: softmax(x·u·2^−F / T), a temperature for each "
        "vector; 0: none", unit="bits", values=Integers(0, 14), modes=lambda traits: traits.vector_temperature,
    )
    temperature_fraction: int = declare(
        4, "options", "F, the fraction bits of that inverse temperature", unit="bits", values=Integers(0, 14),
        modes=lambda traits: traits.vector_temperature, options=lambda settings: settings.temperature_bits > 0,
    )
    probability_floor: float = declare(
        0.0, "options", "f: no class gets less, f + (1 − f·N)·p with N the vector's own length; 0: none",
        values=Floats("≥ 0, below 1 / max_length", share=True), modes=lambda traits: traits.softmax,
    )
    smoothing: tuple[int, ...] = declare(
        (), "options", "weights of a kernel that the probabilities are convolved with along the classes; empty: none",
        values=Kernel(), modes=lambda traits: traits.softmax,
    )
    smoothing_edges: Literal["gather", "scatter"] = declare(
        "gather", "options", "near a vector's ends the weights within it count as the whole: of each average (gather: the "
        "sum is no longer 1), or of the shares that each class hands out (scatter: the sum stays 1)",
        modes=lambda traits: traits.softmax, options=lambda settings: settings.smooths,
    )
    smoothing_passes: int = declare(
        1, "options", "how many times the probabilities are smoothed", values=Integers(1, 4),
        modes=lambda traits: traits.softmax, options=lambda settings: settings.smooths,
    )
    ensemble: int = declare(
        1, "options", "M of an ensemble: M vectors, one after the other, make one result; 1: none", unit="members",
        values=Integers(1, 16),
    )
    ensemble_mean: Literal["logits", "probabilities"] = declare(
        "logits", "options", "the mean over an ensemble: of the members' scores, before softmax; or of their "
        "probabilities, behind it", options=lambda settings: settings.ensemble > 1,
    )

    profile: Literal["fast", "fastest", "small"] = declare(
        "fastest", "implementation", "one element per cycle in vectors that are long enough (fast); the same with more "
        "registers (fastest); or fewer cells (small); auto picks by the measurements on the part and by max_length, and "
        "says why", unresolved="auto",
    )
    lanes: Literal[1, 2, 4, 8, 16, 32] = declare(
        1, "implementation", "the scores that one beat carries", unit="scores per beat"
    )
    tkeep: bool = declare(
        False, "implementation", "whether one lane has s_axis_tkeep, as several lanes always have: a beat without bytes adds no "
        "element, and ends its vector where it has tlast, as width converters and DMA engines send it; costs three cycles of "
        "latency and registers for four beats",
        options=lambda settings: settings.reads_tkeep,
    )
    winner: bool = declare(
        True, "implementation", "whether softmax, log_softmax and exponential have the stream m_axis_best; without it no winner "
        "waits to be taken, and the head has one output", modes=lambda traits: traits.winner_stream,
        options=lambda settings: settings.drops_winner,
    )
    padded_outputs: bool = declare(
        False, "implementation", "whether tdata of each output is extended to a power of two, as DMA engines want it: the last "
        "field, or that of each lane, by its sign or by zeros", options=lambda settings: settings.padded_outputs,
    )
    per_vector: Literal["serial", "pipelined"] = declare(
        "serial", "implementation", "the steps that are due once per vector: serial, and vectors of a few elements wait for "
        "them; or pipelined, and vectors of any length follow each other without a bubble",
        modes=lambda traits: (traits.has_sum or traits.exponentials) and not traits.entropy,
        options=lambda settings: settings.sums or settings.traits.exponentials,
    )
    # fmt: on

    def __new__(cls, *positions: Any, **values: Any) -> "Settings":
        """Raises `UserError` for unknown keys, before the constructor would with a TypeError."""
        if not values.keys() <= {key.name for key in KEYS}:
            raise unknown_key(values)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for key in KEYS:
            object.__setattr__(self, key.name, key.checked(getattr(self, key.name)))

    @property
    def traits(self) -> ModeTraits:
        """The facts of the mode."""
        return MODES[self.mode]

    @property
    def inverse_cdf(self) -> bool:
        """Whether a draw compares the running sum of exponentials with a random share of the whole."""
        return self.traits.random and self.sampler == "inverse_cdf"

    @property
    def ranked_draw(self) -> bool:
        """Whether a draw is among the first elements of the ordered list of the best."""
        return self.traits.random and self.draw_top_k > 0

    @property
    def draws_share(self) -> bool:
        """Whether the probabilities of the best elements bound the set that a draw is among."""
        return self.ranked_draw and (self.draw_top_p < 1 or self.draw_sideband)

    @property
    def may_truncate(self) -> bool:
        """Whether the set that a draw is among may reach beyond the K best."""
        bounded = self.draws_share or self.draw_min_p > 0
        return self.ranked_draw and bounded and (self.draw_sideband or self.draw_top_k < self.max_length)

    @property
    def ranked_length(self) -> int:
        """Elements in the list that a draw is among: K, and one more, which tells whether the set reaches beyond it."""
        return self.draw_top_k + (self.may_truncate and self.draw_top_k < self.max_length)

    @property
    def drawn_length(self) -> int:
        """The most elements that a draw passes over: those of the ordered list, or of the vector."""
        return self.ranked_length if self.ranked_draw else self.max_length

    def ranked_keys(self) -> dict[str, Any]:
        """The keys of the head that orders the best elements for a draw and computes their probabilities."""
        draws = {"draw_top_k": 0, "draw_top_p": 1.0, "draw_min_p": 0.0, "draw_sideband": False}
        codes = {
            "probability_format": "UQ1",
            "output_levels": 0,
            "output_zero_point": 0,
            "sum": "rounded",
            "minimum_code": 0,
        }
        mode = "softmax_top_k" if self.draws_share else "top_k"
        return {"mode": mode, "top_k": self.ranked_length, **draws, **codes, "winner": True, "padded_outputs": False}

    @property
    def sums(self) -> bool:
        """Whether the head adds up exponentials."""
        return self.traits.has_sum and (self.inverse_cdf or self.draws_share or not self.traits.random)

    @property
    def two_pass(self) -> bool:
        """Whether the exponentials are relative to the maximum, which a pass of its own finds."""
        return self.traits.normalised and self.accumulator == "two_pass"

    @property
    def exact_sum(self) -> bool:
        """Whether the running sum of a vector's probabilities is rounded, so that its codes sum to exactly 2^P."""
        return self.traits.cumulative or (self.traits.softmax and self.sum == "exact")

    @property
    def stores_scores(self) -> bool:
        """Whether the head stores a vector's scores until their sum is complete."""
        return self.traits.stores_scores or (self.inverse_cdf and not self.ranked_draw)

    @property
    def smooths(self) -> bool:
        """Whether the probabilities are convolved with a kernel; one weight alone changes nothing."""
        return len(self.smoothing) > 1

    @property
    def sums_scores(self) -> bool:
        """Whether the head takes sums of the scores of an ensemble's members."""
        return self.ensemble > 1 and self.ensemble_mean == "logits"

    @property
    def averages_probabilities(self) -> bool:
        """Whether the result is the mean of the probabilities of an ensemble's members."""
        return self.ensemble > 1 and self.ensemble_mean == "probabilities"

    @property
    def drops_winner(self) -> bool:
        """Whether the mode has a stream of winners that the head leaves out."""
        return self.traits.winner_stream and not self.winner

    @property
    def reads_tkeep(self) -> bool:
        """Whether s_axis has tkeep, so that null beats are dropped; several lanes need it for a vector's last elements."""
        return self.tkeep or self.lanes > 1

    @property
    def flags_gaps(self) -> bool:
        """Whether tkeep may leave a gap, inside a beat of several lanes or of a score of several bytes."""
        return self.reads_tkeep and (self.lanes > 1 or self.score_width > 8)

    @property
    def clips(self) -> bool:
        """Whether any score is clipped. The defaults clip none, not even a score wider than they are."""
        low = self.clip_minimum > max(self.score_format.minimum, Settings.clip_minimum)
        return low or self.clip_maximum < min(self.score_format.maximum, Settings.clip_maximum)

    @property
    def shift_invariant(self) -> bool:
        """Whether a constant added to all scores of a vector changes no result but the scores among the results.

        A clip cuts at given codes, a sink has one, and the power of two of `normaliser = none` depends on the scores themselves.
        """
        power_of_two = self.traits.normalised and self.normaliser == "none"
        return self.traits.shift_invariant and not (self.clips or self.has_sink or power_of_two)

    @property
    def has_sink(self) -> bool:
        """Whether one more element of every vector takes its share of the sum."""
        return self.sink != "none"

    @property
    def sink_per_vector(self) -> bool:
        """Whether each vector brings the score of its sink."""
        return self.sink == "vector"

    @property
    def summands(self) -> int:
        """The most exponentials in a sum: those of the longest vector and of its sink."""
        return self.max_length + self.has_sink

    @property
    def has_margin(self) -> bool:
        """Whether the distance of the winner's score from the second best one accompanies the winner."""
        return self.confidence == "margin"

    @property
    def selects_smallest(self) -> bool:
        """Whether the smallest scores win."""
        return self.select == "smallest"

    @property
    def last_wins(self) -> bool:
        """Whether the last of equal scores wins."""
        return self.tie == "last"

    def position(self, code: Any) -> Any:
        """The position of a score code, an integer or an array of them: its distance from the code that wins over no other.

        Positions run from 0 to 2^score_width − 1, and the largest position wins. `code` is the inverse. With
        `select = smallest` a position is the bitwise complement of what it is with `largest`, −x − 1 in two's complement. That
        reverses the order of all codes without a wider format, although −x does not exist for the most negative code. The
        constant −1 cancels in softmax, which does not depend on a shift.
        """
        return self.score_format.maximum - code if self.selects_smallest else code - self.score_format.minimum

    def code(self, position: Any) -> Any:
        """The score code of a position: the inverse of `position`."""
        return self.score_format.maximum - position if self.selects_smallest else position + self.score_format.minimum

    @property
    def clip_positions(self) -> tuple[int, int]:
        """The lowest and the highest position that clipped scores have."""
        low, high = self.score_format.minimum, self.score_format.maximum
        one, other = (self.position(max(self.clip_minimum, low)), self.position(min(self.clip_maximum, high)))
        return min(one, other), max(one, other)

    @property
    def guarded_bits(self) -> int:
        """Bits that probabilities have beyond P between the stages behind the head; what `guard_bits` has left stays inside."""
        return min(self.guard_width - 1, WIDEST_PROBABILITY - self.probability_width)

    @property
    def floor_code(self) -> int:
        """The floor between the stages, in units of 2^−(P + guarded_bits), rounded half up."""
        fraction = self.probability_width + self.guarded_bits
        return int(Fraction(self.probability_floor) * (1 << fraction) + Fraction(1, 2))

    @property
    def division(self) -> str:
        """The normaliser of softmax, never `auto`; `natural` where results are natural logarithms; `entropy`; else `none`."""
        if not self.traits.normalised:
            return "natural" if self.traits.logarithmic else "entropy" if self.traits.entropy else "none"
        if self.normaliser != "auto":
            return self.normaliser
        return "logarithm" if self._subtracts_logarithms(self.guard_width) else "divider"

    @property
    def guard_width(self) -> int:
        """The guard bits k, never 0: `guard_bits`, or the choice for `guard_bits = 0`.

        A fifth guard bit lowers the bound of the logarithm from 0.765 to 0.628 ulp at P = 8, and costs one doubling of its
        tables. The bound of the divider is 0.568 ulp with four. That of an entropy exceeds 1 ulp with four, because it grows
        with the logarithm of the length.
        """
        more = self.traits.entropy or self._subtracts_logarithms(LOGARITHM_GUARD)
        return self.guard_bits or (LOGARITHM_GUARD if more else DEFAULT_GUARD)

    @property
    def normaliser_text(self) -> str:
        """The choice for `normaliser = auto` with its reason; empty where the normaliser is named or the mode has none."""
        if self.normaliser != "auto" or not self.traits.normalised:
            return ""
        total = f"P + k = {self.probability_width + self.guard_width}"
        chosen = f"normaliser = auto: {self.division} with k = {self.guard_width} guard bits"
        if self.division == "logarithm":
            return f"{chosen}, because {total} ≤ {LOGARITHM_LIMIT} and scores have at most {DIRECT_WIDTH} bits"
        if self.two_pass:
            return f"{chosen}, because accumulator = 'two_pass' takes no other"
        if self.exact_sum:
            return f"{chosen}, because an exact sum takes no logarithm"
        if self.inner_width > DIRECT_WIDTH:
            return f"{chosen}, because scores of {self.inner_width} bits are wider than {DIRECT_WIDTH}"
        if self.guard_width < DEFAULT_GUARD:
            return f"{chosen}, because a logarithm needs at least {DEFAULT_GUARD}"
        return f"{chosen}, because {total} > {LOGARITHM_LIMIT}"

    def _subtracts_logarithms(self, guard_bits: int) -> bool:
        """Whether `normaliser = auto` is the logarithm with that many guard bits. Two passes and exact sums divide.

        With fewer than `DEFAULT_GUARD` of them the bound of the logarithm exceeds 1 ulp, and that of the divider does not.
        """
        fits = DEFAULT_GUARD <= guard_bits <= LOGARITHM_LIMIT - self.probability_width
        exclusive = self.two_pass or self.exact_sum
        alone = self.normaliser == "auto" and self.traits.normalised and not exclusive
        return alone and fits and self.inner_width <= DIRECT_WIDTH

    @property
    def score_format(self) -> QFormat:
        """The score code as an integer; `real_value` is what it stands for."""
        return QFormat(self.score_width, 0, self.score_signed)

    def real_value(self, code: Any) -> Any:
        """The real value of a score code, an integer or an array of them: (code − score_zero_point) · score_scale."""
        return (code - self.score_zero_point) * self.score_scale

    @property
    def effective_scale(self) -> float:
        """Nats per step of the score code after the temperature: score_scale / temperature, all that tables and bounds see.

        Rounded to float64 once; with temperature 1 it is score_scale itself.
        """
        return self.score_scale / self.temperature

    @property
    def widest_score(self) -> int:
        """Bits of the widest score that the mode takes, behind the sums of an ensemble as well."""
        return WIDEST_COMPARED if self.traits.order_only else WIDEST_SCORE

    @property
    def inner_width(self) -> int:
        """Bits of the scores that the exponentials take, behind the sums of an ensemble or the product with a temperature."""
        return self.score_width + (ceil_log2(self.ensemble) if self.sums_scores else 0) + self.temperature_bits

    @property
    def inner_scale(self) -> float:
        """Nats per step of these scores, after the temperature."""
        return self.inner_scale_with(self.score_scale)

    def inner_scale_with(self, score_scale: float) -> float:
        """What `inner_scale` would be with another `score_scale`."""
        steps = self.ensemble if self.sums_scores else 1
        fraction = self.temperature_fraction if self.temperature_bits else 0
        return score_scale / steps * 2.0**-fraction / self.temperature

    @property
    def scale_text(self) -> str:
        """The keys that `effective_scale` comes from, as messages put them."""
        with_temperature = f" with temperature = {self.temperature}" if self.temperature != 1 else ""
        return f"score_scale = {self.score_scale}{with_temperature}"

    @property
    def marks_participants(self) -> bool:
        """Whether a bit above a position tells that the element takes part when elements compete for the winner.

        A mask excludes elements. Where the last of equal scores wins, a lane without an element, whose position is 0, must
        not win over a lower lane of the same position. A vector of one element has no second best score.
        """
        return self.mask or self.has_margin or (self.last_wins and self.lanes > 1)

    @property
    def contender_width(self) -> int:
        """Bits that decide on the winner: the position, and above it the bit of `marks_participants`."""
        return self.score_width + self.marks_participants

    @property
    def probability_qformat(self) -> QFormat:
        """UQ0.P or UQ1.P. The largest code is 2^P − 1 in UQ0.P and 2^P (that is 1.0) in UQ1.P."""
        return QFormat(int(self.holds_one), self.probability_width)

    @property
    def holds_one(self) -> bool:
        """Whether codes have a place for 2^P, which is 1.0; cumulative ones always do."""
        return self.probability_format == "UQ1" or self.traits.cumulative

    @property
    def levels(self) -> int:
        """Steps of a code from 0 to 1.0, so that a step is 1 / levels: L of `output_levels`, or 2^P."""
        return self.output_levels or 1 << self.probability_width

    @property
    def rescales(self) -> bool:
        """Whether a step of a probability code is another than 2^−P."""
        return self.levels != 1 << self.probability_width

    @property
    def recodes(self) -> bool:
        """Whether probability codes differ from those of UQ0.P or UQ1.P, by their step or by their zero point."""
        return self.rescales or self.output_zero_point != 0

    @property
    def probability_maximum(self) -> int:
        """The steps from the code of 0 to the code of 1.0: 2^P − 1 in UQ0.P, where 1.0 saturates; L where codes are rescaled."""
        return self.levels - (not self.holds_one and not self.rescales)

    @property
    def probability_codes(self) -> tuple[int, int]:
        """The codes of 0 and of 1.0."""
        return self.output_zero_point, self.output_zero_point + self.probability_maximum

    @property
    def output_signed(self) -> bool:
        """Whether probability codes are two's complement."""
        return self.output_zero_point < 0

    @property
    def output_width(self) -> int:
        """Bits of a probability code: as many as hold the codes of 0 and of 1.0."""
        zero, one = self.probability_codes
        return max(one.bit_length(), (~zero).bit_length()) + 1 if self.output_signed else one.bit_length()

    @property
    def probability_form(self) -> str:
        """How a probability follows from its code: the Q-format, or a formula where codes are rescaled or shifted."""
        if not self.recodes:
            return f"{self.probability_qformat}"
        zero = self.output_zero_point
        code = f"(code {'−' if zero > 0 else '+'} {abs(zero)})" if zero else "code"
        return f"{code}/{self.levels}"

    def probability_of(self, codes: Any) -> Any:
        """The real values of probability codes, a number or an array of them: (code − output_zero_point) / levels."""
        return (codes - self.output_zero_point) / self.levels

    @property
    def index_width(self) -> int:
        """Bits of an element's index, at least one."""
        return max(1, ceil_log2(self.max_length))

    @property
    def label_width(self) -> int:
        """Bits of a label: an element's index, or max_length, which is the index of none."""
        return ceil_log2(self.max_length + 1)

    def beats(self, length: Any) -> Any:
        """Beats that carry a vector of `length` scores, an integer or an array of them: ⌈length / lanes⌉."""
        return -(-length // self.lanes)

    @property
    def beat_width(self) -> int:
        """Bits of a beat's index in its vector, at least one."""
        return max(1, ceil_log2(self.beats(self.max_length)))


KEYS: tuple[Key, ...] = tuple(key_of(field, get_type_hints(Settings)[field.name]) for field in fields(Settings))
"""All keys, in the order of the fields of `Settings`."""


def unknown_key(values: Any) -> UserError:
    """The refusal of the first key that does not exist: the nearest one, and those that the mode in `values` reads."""
    known = {key.name for key in KEYS}
    name = next(name for name in values if name not in known)
    traits = MODES.get(str(values.get("mode", Settings.mode)), MODES["softmax"])
    names = ", ".join(key.name for key in KEYS if key.modes(traits))
    return UserError(
        f"unknown configuration key '{str(name)[:80]}'{nearest_key(str(name), KEYS)}; the keys of mode {traits.name} are {names}"
    )
