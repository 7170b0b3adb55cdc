"""Streams of a head as data: ports, fields, output streams and sidebands, with the shapes of the arrays that hold them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.ensemble import result_lengths
from softstream.hw.numbers.groups import group_count
from softstream.hw.numbers.sink import sink_bits

__all__ = [
    "ALL_MASKED",
    "GAP_TEXT",
    "OVERLONG",
    "Field",
    "Output",
    "Port",
    "Sideband",
    "byte_bits",
    "cut_lengths",
    "overlong_flag",
    "probability_field",
    "sink_sidebands",
    "substitute_score",
    "active_elements",
    "vector_flags",
    "winner_output",
]


@dataclass(frozen=True)
class Port:
    """One port of the top."""

    name: str
    direction: str
    """`input` or `output`."""
    width: int
    meaning: str


@dataclass(frozen=True)
class Field:
    """One field of a stream's payload."""

    name: str
    """In the component's payload."""
    array: str
    """In the results, integers: [V] per vector, [V, N] per element, or [V, K] for the K largest."""
    width: int
    meaning: str
    signed: bool = False
    form: str = ""
    """Q-format of a code; empty for an index or a score."""
    space: int = 0
    """Bits in tdata, where they are more than the whole bytes of `width`."""

    @property
    def bits(self) -> int:
        """Bits in tdata."""
        return self.space or byte_bits(self.width)

    @property
    def text(self) -> str:
        """The meaning, followed by the format of a code."""
        return f"{self.meaning}, {self.form}" if self.form else self.meaning


@dataclass(frozen=True)
class Sideband(Field):
    """One field of s_axis_tuser, an input that accompanies the scores, from 0 to `limit`."""

    per: Literal["element", "vector"] = "element"
    """Whether each element has a value of its own, lane by lane, or the vector has one, in its first beat."""
    limit: int = 1
    quantise: Callable[[np.ndarray], np.ndarray] | None = None
    """Converts real numbers to codes, if the field accepts real numbers as well."""

    def copies(self, config: Config) -> int:
        """Values of this field in a beat: one for each lane, or one."""
        return config.lanes if self.per == "element" else 1


@dataclass(frozen=True)
class Output:
    """One output stream of a head."""

    prefix: str
    """Of the top's ports; the first output of a head is m_axis."""
    port: str
    """Of the component."""
    fields: tuple[Field, ...]
    """In tdata, lowest first, each in `bits`."""
    per: Literal["element", "vector", "rank", "group"]
    """The owner of a value: an element has a place in a beat, lane by lane; a vector, one of the K largest (rank) or a group of
    a packet has a beat."""
    noun: str
    """The content of one beat."""
    flags: tuple[Field, ...] = ()
    """In tuser, lowest first: one bit each, of the vector."""
    flags_at_last: bool = False
    """Whether only a vector's last beat carries its flags, because the others leave before the flags are known."""
    ends: bool = False
    """Whether a bit above the flags tells the last beat of a group, as tlast does of the packet."""

    @property
    def user(self) -> tuple[str, ...]:
        """Names of the bits of tuser, in the component's payload."""
        return (*(flag.name for flag in self.flags), *(["ends"] if self.ends else []))

    def places(self, config: Config, lengths: Any, mask: np.ndarray | None = None) -> Any:
        """Values of each field in the results of vectors of these lengths [V], [R].

        `mask` [V, N] excludes elements from the K largest; a fully masked vector has one substitute.
        """
        lengths = result_lengths(config, lengths)
        if self.per == "vector":
            return np.ones_like(lengths)
        if self.per == "element":
            return cut_lengths(config, lengths)
        if self.per == "group":
            return group_count(config.groups, lengths)
        return np.minimum(np.maximum(active_elements(config, lengths, mask), 1), config.top_k)

    def beats(self, config: Config, lengths: Any, mask: np.ndarray | None = None) -> Any:
        """Beats that the results of vectors of these lengths [V] have, [R]."""
        places = self.places(config, lengths, mask)
        return config.beats(places) if self.per == "element" else places

    def shape(self, config: Config, scores: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of a field's array, for scores of shape [V, N]."""
        if self.per == "group":
            return (*scores[:1], int(group_count(config.groups, scores[1])))
        results = scores[0] // config.ensemble
        return {"vector": (results,), "element": (results, *scores[1:]), "rank": (results, config.top_k)}[self.per]

    def lanes(self, config: Config) -> int:
        """Elements in a beat."""
        return config.lanes if self.per == "element" else 1


def cut_lengths(config: Config, lengths: Any) -> Any:
    """Elements that remain of vectors of these lengths after the cut at max_length; a packet of groups is not cut."""
    return lengths if config.groups else np.minimum(lengths, config.max_length)


def active_elements(config: Config, lengths: Any, mask: np.ndarray | None = None) -> Any:
    """Elements of vectors of these lengths [V] that are neither cut off nor masked, [V]."""
    lengths = cut_lengths(config, lengths)
    if mask is None:
        return lengths
    return ((np.arange(mask.shape[1]) < lengths[:, None]) & (mask == 0)).sum(axis=1)


def byte_bits(width: int) -> int:
    """Bits of a byte-aligned field that holds `width` bits."""
    return 8 * -(-width // 8)


ALL_MASKED = Field("all_masked", "all_masked", 1, "all masked: no element takes part")
OVERLONG = Field("overlong", "overlong", 1, "overlong: the vector was longer than max_length and was cut")


GAP_TEXT = "or s_axis_tkeep excluded bytes below others of its vector"
"""The second cause of the lowest flag, where `Config.flags_gaps` holds."""


def overlong_flag(config: Config) -> Field:
    """The flag of a vector that was cut, or that has a gap."""
    return replace(OVERLONG, meaning=f"{OVERLONG.meaning}, {GAP_TEXT}") if config.flags_gaps else OVERLONG


def vector_flags(config: Config, substitute: str = "") -> tuple[Field, ...]:
    """The flags of a vector; `substitute` says which result a fully masked vector has."""
    overlong = overlong_flag(config)
    all_masked = replace(ALL_MASKED, meaning=ALL_MASKED.meaning + substitute)
    return (overlong, all_masked) if config.mask else (overlong,)


def substitute_score(config: Config) -> str:
    """The score that stands for the winner of a fully masked vector: the code of position 0, in words."""
    return "largest score" if config.selects_smallest else "smallest score"


def winner_output(config: Config, prefix: str, port: str) -> Output:
    """The stream of winners, one per vector."""
    fields: tuple[Field, ...] = (
        Field(
            "index", "argmax", config.index_width, f"index of the {'minimum' if config.selects_smallest else 'maximum'}"
        ),
        Field("score", "best", config.score_width, "its score code", config.score_signed),
    )
    if config.has_margin:
        meaning = (
            "its distance from the second best score, in code steps; the largest code where there is no second one"
        )
        fields += (Field("margin", "margins", config.score_width, meaning),)
    substitutes = f"{'index 0, margin 0' if config.has_margin else 'index 0'} and the {substitute_score(config)}"
    flags = vector_flags(config, f"; {substitutes} stand for the winner")
    return Output(prefix, port, fields, "vector", "winner", flags)


def sink_sidebands(config: Config) -> tuple[Sideband, ...]:
    """The score of the sink of each vector, where vectors bring it."""
    if not config.sink_per_vector:
        return ()
    meaning = f"sink: the score code of one more element of the vector, as {config.score_width} bits"
    limit = (1 << config.score_width) - 1
    quantise = partial(sink_bits, config)
    return (Sideband("sink", "sinks", config.score_width, meaning, per="vector", limit=limit, quantise=quantise),)


def probability_field(config: Config, array: str = "probabilities", meaning: str = "probability code") -> Field:
    """A probability code of the configuration's format."""
    return Field("probability", array, config.output_width, meaning, config.output_signed, config.probability_form)
