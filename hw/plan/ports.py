"""What a head puts out, mode by mode: streams, their fields, the arrays that hold them; and the ports of the generated top.

The layouts of the component, the ports of the Verilog, the beats that a bench expects and the arrays of a result all follow
from `outputs`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, Literal

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.composition import composition
from softstream.hw.numbers.ensemble import mean_format, result_lengths, summed
from softstream.hw.numbers.groups import group_count
from softstream.hw.numbers.log_softmax import log_numerics
from softstream.hw.numbers.temperature import temperature_codes
from softstream.hw.numbers.unnormalised import sum_format

__all__ = [
    "OUTPUTS",
    "SIDEBANDS",
    "Field",
    "Output",
    "Port",
    "Sideband",
    "byte_bits",
    "kept",
    "outputs",
    "sidebands",
    "stream_fields",
    "taking_part",
    "top_ports",
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
    """In the results: [V], [V, N] where each element has one, or [V, K] where each of the K largest has, in integers."""
    width: int
    meaning: str
    signed: bool = False
    form: str = ""
    """Q-format of a code; nothing of an index or a score."""

    @property
    def text(self) -> str:
        """What it is, with the format of a code."""
        return f"{self.meaning}, {self.form}" if self.form else self.meaning


@dataclass(frozen=True)
class Sideband(Field):
    """One field of s_axis_tuser: what comes beside the scores, from 0 to `limit`."""

    per: Literal["element", "vector"] = "element"
    """Whether each element has its own, lane by lane, or the vector one, in its first beat."""
    limit: int = 1
    quantise: Callable[[np.ndarray], np.ndarray] | None = None
    """Real numbers to codes, where they may be given in the place of codes."""

    def copies(self, config: Config) -> int:
        """How many of it a beat has: one for each lane, or one."""
        return config.lanes if self.per == "element" else 1


@dataclass(frozen=True)
class Output:
    """One output stream of a head."""

    prefix: str
    """Of the top's ports; the first output of a head is m_axis."""
    port: str
    """Of the component."""
    fields: tuple[Field, ...]
    """In tdata, lowest first, each in whole bytes."""
    per: Literal["element", "vector", "rank", "group"]
    """Whether each element has a place in a beat, lane by lane, each vector one beat, each of its K largest one, or each group
    of a packet one."""
    noun: str
    """What one beat holds."""
    flags: tuple[Field, ...] = ()
    """In tuser, lowest first: one bit each, of the vector."""
    flags_at_last: bool = False
    """Whether only a vector's last beat has its flags: where the others leave before they are known."""
    ends: bool = False
    """Whether a bit above the flags tells the last beat of a group, as tlast does of the packet."""

    @property
    def user(self) -> tuple[str, ...]:
        """Names of the bits of tuser, in the component's payload."""
        return (*(flag.name for flag in self.flags), *(["ends"] if self.ends else []))

    def places(self, config: Config, lengths: Any, mask: np.ndarray | None = None) -> Any:
        """How many values each field has in the results of vectors of these lengths [V], [R].

        Of the K largest those that `mask` [V, N] leaves; where it leaves none, one stands for them.
        """
        lengths = result_lengths(config, lengths)
        if self.per == "vector":
            return np.ones_like(lengths)
        if self.per == "element":
            return kept(config, lengths)
        if self.per == "group":
            return group_count(config.groups, lengths)
        return np.minimum(np.maximum(taking_part(config, lengths, mask), 1), config.top_k)

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


def kept(config: Config, lengths: Any) -> Any:
    """How many elements of these lengths are not cut off: of a packet of groups all."""
    return lengths if config.groups else np.minimum(lengths, config.max_length)


def taking_part(config: Config, lengths: Any, mask: np.ndarray | None = None) -> Any:
    """Elements of vectors of these lengths [V] that are neither cut off nor masked, [V]."""
    lengths = kept(config, lengths)
    if mask is None:
        return lengths
    return ((np.arange(mask.shape[1]) < lengths[:, None]) & (mask == 0)).sum(axis=1)


def byte_bits(width: int) -> int:
    """Bits of a byte-aligned field that holds `width` bits."""
    return 8 * -(-width // 8)


_ALL_MASKED = Field("all_masked", "all_masked", 1, "all masked: no element takes part")
_INCOMPLETE = Field("incomplete", "incomplete", 1, "incomplete: the packet ended inside the group")
_OVERLONG = Field("overlong", "overlong", 1, "overlong: the vector was longer than max_length and was cut")
_UNEVEN = Field(
    "uneven", "uneven", 1, "uneven: the ensemble's members differ in length; its length is that of the first one"
)


def _flags(config: Config, stands: str = "") -> tuple[Field, ...]:
    """The flags of a vector; `stands` tells what stands for a result where all is masked."""
    all_masked = replace(_ALL_MASKED, meaning=_ALL_MASKED.meaning + stands)
    return (_OVERLONG, all_masked) if config.mask else (_OVERLONG,)


def winner_output(config: Config, prefix: str, port: str) -> Output:
    """The stream of winners, one per vector."""
    fields = (
        Field("index", "argmax", config.index_width, "index of the maximum"),
        Field("score", "best", config.score_width, "its score code", config.score_signed),
    )
    flags = _flags(config, "; index 0 and the smallest score stand for the winner")
    return Output(prefix, port, fields, "vector", "winner", flags)


def _argmax(config: Config) -> tuple[Output, ...]:
    return (winner_output(config, "m_axis", "o"),)


def _softmax(config: Config) -> tuple[Output, ...]:
    code = Field(
        "probability", "probabilities", config.output_width, "probability code", form=str(config.probability_qformat)
    )
    return (
        Output("m_axis", "o", (code,), "element", "probability", (_OVERLONG,)),
        winner_output(config, "m_axis_best", "o_best"),
    )


def _hardmax(config: Config) -> tuple[Output, ...]:
    meaning, form = "code of 1.0 or 0", str(config.probability_qformat)
    code = Field("probability", "one_hot", config.output_width, meaning, form=form)
    return (Output("m_axis", "o", (code,), "element", "element", _flags(config)),)


def _top_k(config: Config) -> tuple[Output, ...]:
    fields = (
        Field("index", "top_indices", config.index_width, "index of one of the largest, in order"),
        Field("score", "top_scores", config.score_width, "its score code", config.score_signed),
    )
    flags = _flags(config, "; one beat of index 0 and the smallest score stands for them")
    return (Output("m_axis", "o", fields, "rank", "element", flags),)


def _softmax_top_k(config: Config) -> tuple[Output, ...]:
    (ranked,) = _top_k(config)
    meaning, form = "its probability code", str(config.probability_qformat)
    code = Field("probability", "top_probabilities", config.output_width, meaning, form=form)
    return (replace(ranked, fields=(*ranked.fields, code)),)


def _log_softmax(config: Config) -> tuple[Output, ...]:
    form = log_numerics(config, signed=True).format
    code = Field(
        "log_probability", "log_probabilities", form.width, "log-softmax code in nats", signed=True, form=str(form)
    )
    if config.mask:
        code = replace(code, meaning=f"{code.meaning}, the most negative where masked")
    return (
        Output("m_axis", "o", (code,), "element", "log-softmax", (_OVERLONG,)),
        winner_output(config, "m_axis_best", "o_best"),
    )


def _exponential(config: Config) -> tuple[Output, ...]:
    code = Field(
        "exponential", "exponentials", config.output_width, "exponential code", form=str(config.probability_qformat)
    )
    form = sum_format(config)
    total = Field("sum", "sums", form.width, "the exact sum of the vector's codes", form=str(form))
    winner = winner_output(config, "m_axis_best", "o_best")
    return (
        Output("m_axis", "o", (code,), "element", "exponential", (_OVERLONG,), flags_at_last=True),
        replace(winner, fields=(*winner.fields, total), noun="winner and sum"),
    )


def _cross_entropy(config: Config) -> tuple[Output, ...]:
    form = log_numerics(config, signed=False).format
    overlong, *all_masked = _flags(config)
    meaning = "unlabelled: the label is none of the vector's elements" + (", or a masked one" if config.mask else "")
    flags = (overlong, Field("unlabelled", "unlabelled", 1, meaning), *all_masked)
    loss = Field("loss", "losses", form.width, "cross-entropy code in nats", form=str(form))
    return (Output("m_axis", "o", (loss,), "vector", "loss", flags),)


def _sigmoid(config: Config) -> tuple[Output, ...]:
    code = Field(
        "probability", "probabilities", config.output_width, "probability code", form=str(config.probability_qformat)
    )
    return (Output("m_axis", "o", (code,), "element", "probability", _flags(config), flags_at_last=True),)


def _sample(config: Config) -> tuple[Output, ...]:
    fields = (
        Field("index", "sample", config.index_width, "index of the class drawn"),
        Field("score", "score", config.score_width, "its score code", config.score_signed),
    )
    flags = _flags(config, "; index 0 and the smallest score stand for the draw")
    return (Output("m_axis", "o", fields, "vector", "draw", flags),)


OUTPUTS: dict[str, Callable[[Config], tuple[Output, ...]]] = {
    "argmax": _argmax,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "cross_entropy": _cross_entropy,
    "exponential": _exponential,
    "sigmoid": _sigmoid,
    "sample": _sample,
    "hardmax": _hardmax,
    "top_k": _top_k,
    "softmax_top_k": _softmax_top_k,
}
"""Mode → its output streams; the one whose latency the plan states comes first, the one that tells vectors apart last."""


def _mean_probabilities(config: Config) -> tuple[Output, ...]:
    """Those of softmax, but that a mean leaves before all is known of its last member, and that its winner has no score."""
    means, best = _softmax(config)
    parts = composition(config)
    assert parts is not None
    form = mean_format(config, parts.inner)
    meaning = f"the sum of its {config.ensemble} probabilities, before any rounding of their mean"
    total = Field("sum", "best_sum", form.width, meaning, form=str(form))
    index = replace(best.fields[0], meaning="index of the largest mean")
    return replace(means, flags_at_last=True), replace(best, fields=(index, total))


def _label(config: Config) -> tuple[Sideband, ...]:
    most = (1 << config.index_width) - 1
    meaning = "label: index of the element whose loss is wanted"
    return (Sideband("label", "labels", config.index_width, meaning, per="vector", limit=most),)


@lru_cache(maxsize=256)
def outputs(config: Config) -> tuple[Output, ...]:
    """The output streams of a configuration."""
    if config.groups:
        return tuple(_grouped(output) for output in OUTPUTS[config.mode](config.replace(groups=[])))
    if config.ensemble == 1:
        return OUTPUTS[config.mode](config)
    found = outputs(summed(config)) if config.ensemble_mean == "logits" else _mean_probabilities(config)
    return tuple(replace(output, flags=(*output.flags, _UNEVEN)) for output in found)


def _grouped(output: Output) -> Output:
    """An output of the head of vectors as that of packets of groups: a group, which is never cut, may be short."""
    flags = tuple(_INCOMPLETE if flag is _OVERLONG else flag for flag in output.flags)
    if output.per == "vector":
        return replace(output, per="group", flags=flags)
    return replace(output, flags=flags, flags_at_last=True, ends=True)


SIDEBANDS: dict[str, Callable[[Config], tuple[Sideband, ...]]] = {"cross_entropy": _label}
"""Mode → what comes beside its scores, where something does."""


@lru_cache(maxsize=256)
def sidebands(config: Config) -> tuple[Sideband, ...]:
    """The fields of s_axis_tuser, lowest first; what elements have is there once per lane, lane 0 lowest."""
    found = SIDEBANDS[config.mode](config) if config.mode in SIDEBANDS else ()
    if config.temperature_bits:
        most = (1 << config.temperature_bits) - 1
        meaning = f"temperature: u, the vector's inverse temperature in units of 2^−{config.temperature_fraction}"
        quantise = partial(temperature_codes, config)
        field = Sideband("temperature", "temperatures", config.temperature_bits, meaning, per="vector", limit=most)
        found += (replace(field, quantise=quantise),)
    if config.mask:
        meaning = "mask: the element is excluded, as if it were not there; it never wins"
        found += (Sideband("mask", "mask", 1, meaning),)
    return found


def _content(fields: tuple[Field, ...]) -> str:
    """The fields of tdata, with their bits."""
    texts, low = [], 0
    for field in fields:
        width = byte_bits(field.width)
        extended = "sign" if field.signed else "zero"
        texts.append(f"[{low + width - 1}:{low}] {field.text}, {extended}-extended")
        low += width
    return "; ".join(texts)


def _outgoing(config: Config, output: Output) -> list[Port]:
    prefix, lanes = output.prefix, output.lanes(config)
    bits = sum(byte_bits(field.width) for field in output.fields)
    content = _content(output.fields)
    last = "always 1: one beat per vector"
    if output.per != "vector":
        content = _per_lane(lanes, content, bits)
        of = "packet" if config.groups else "vector"
        last = f"the {output.noun if lanes == 1 else 'beat'} is its {of}'s last"
    meaning = f"bytes of the lanes that hold a {output.noun}; the others hold anything"
    flags = ", ".join(f"[{bit}] {flag.meaning}" for bit, flag in enumerate(output.flags))
    if output.ends:
        ends = len(output.flags)
        flags = f"[{ends}] the {'beat' if lanes > 1 else output.noun} is its group's last; with it, else 0: {flags}"
    elif output.flags_at_last:
        flags = f"with tlast, else 0: {flags}"
    return [
        Port(f"{prefix}_tdata", "output", lanes * bits, content),
        *_keep(prefix, "output", lanes, bits, meaning),
        Port(f"{prefix}_tvalid", "output", 1, "tdata, tlast and tuser hold until tready"),
        Port(f"{prefix}_tready", "input", 1, "the beat is taken"),
        Port(f"{prefix}_tlast", "output", 1, last),
        Port(f"{prefix}_tuser", "output", len(output.user), flags),
    ]


def _per_lane(lanes: int, content: str, bits: int) -> str:
    return content if lanes == 1 else f"a field of {bits} bits per lane, lane 0 lowest; in each {content}"


def _keep(prefix: str, direction: str, lanes: int, bits: int, meaning: str) -> list[Port]:
    return [Port(f"{prefix}_tkeep", direction, lanes * bits // 8, meaning)] if lanes > 1 else []


def _sideband(config: Config) -> list[Port]:
    texts, low = [], 0
    for field in sidebands(config):
        copies = field.copies(config)
        each = "in every beat" if copies == 1 else f"in every beat, {field.width} for each lane, lane 0 lowest"
        when = each if field.per == "element" else "in a vector's first beat"
        texts.append(f"[{low + copies * field.width - 1}:{low}] {when}, {field.meaning}")
        low += copies * field.width
    return [Port("s_axis_tuser", "input", low, "; ".join(texts))] if low else []


def top_ports(config: Config) -> tuple[Port, ...]:
    """The ports of the AXI4-Stream top of a configuration.

    The primary output m_axis carries probabilities in softmax and sigmoid mode, the winner in argmax mode and the draw in
    sample mode; in softmax mode the winner has its own stream, m_axis_best. Streams of scores and probabilities carry a
    field per lane, and where there is more than one lane, tkeep.
    """
    lanes, bits = config.lanes, byte_bits(config.score_width)
    one, noun = ("a score", "score") if lanes == 1 else ("a beat of scores", "beat")
    ports = [
        Port("aclk", "input", 1, "clock, rising edge"),
        Port("aresetn", "input", 1, "reset, synchronous, active low"),
        Port("s_axis_tdata", "input", lanes * bits,
             _per_lane(lanes, f"[{config.score_width - 1}:0] score code, upper bits ignored", bits)),
        *_keep("s_axis", "input", lanes, bits,
               "looked at in a vector's last beat, the lowest bit of each lane: from the first lane above 0 that has it 0, "
               "lanes are ignored"),
        Port("s_axis_tvalid", "input", 1, f"{one} is offered"),
        Port("s_axis_tready", "output", 1, f"the {noun} is taken"),
        *_sideband(config),
        Port("s_axis_tlast", "input", 1, f"the {noun} is its vector's last"),
    ]  # fmt: skip
    return (*ports, *(port for output in outputs(config) for port in _outgoing(config, output)))


def stream_fields(config: Config, prefix: str) -> tuple[str, ...]:
    """Signals of one stream of the top besides tvalid and tready, in the order of the ports: tdata, tkeep, tlast, tuser."""
    names = [port.name.removeprefix(f"{prefix}_") for port in top_ports(config) if port.name.startswith(f"{prefix}_t")]
    return tuple(name for name in names if name not in ("tvalid", "tready"))
