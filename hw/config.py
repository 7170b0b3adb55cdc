"""The configuration: what is computed (numeric keys) and how it is built (implementation keys).

Two configurations with the same numeric keys give the same bits; the golden model reads nothing else.
"""

import difflib
import hashlib
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from .errors import UserError
from .formats import QFormat, ceil_log2
from .grouping import GROUPED_MODES
from .tables import BETA_LIMIT, DIRECT_WIDTH

__all__ = ["KEYS", "Config", "Key", "Mode", "load_toml", "nearest", "parse_setting"]


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
]
"""What is computed."""


@dataclass(frozen=True)
class Key:
    """One configuration key as the help text and the README show it."""

    name: str
    type_text: str
    unit: str
    range_text: str
    default: Any
    help: str
    numeric: bool
    """Whether the key changes bits of the result (numeric) or only how the hardware is built."""


KEYS: tuple[Key, ...] = (
    Key("mode", "text", "–",
        ", ".join(get_args(Mode)), "softmax",
        "the winner alone; probabilities, their logarithms, or unnormalised exponentials, and the winner; the loss of a label; a "
        "probability for each score by itself; a random draw with the probabilities of softmax; 1.0 for the winner and 0 for all "
        "others; the K largest scores in order; or those with their probabilities", True),
    Key("top_k", "integer", "elements", "1…16", 5, "K of the Top-K modes: how many of the largest scores", True),
    Key("max_length", "integer", "elements", "1…65536", 1024, "longest vector; any shorter length is free at run time", True),
    Key("score_width", "integer", "bits", "2…16", 8, "width of a score code", True),
    Key("score_signed", "boolean", "–", "true, false", True, "whether score codes are two's complement", True),
    Key("score_scale", "number", "nats per code step", "> 0", 0.0625, "real value of one step of the score code", True),
    Key("temperature", "number", "–", "> 0", 1.0,
        "T in softmax(x / T): below 1 sharper, above 1 flatter; in the tables, so it costs nothing", True),
    Key("temperature_bits", "integer", "bits", "0…14", 0,
        "of a code u that comes beside each vector: softmax(x·u·2^−F / T), a temperature for each vector; 0: none", True),
    Key("temperature_fraction", "integer", "bits", "0…14", 4, "F, the fraction bits of that inverse temperature", True),
    Key("probability_width", "integer", "bits", "2…24", 8, "fraction bits P of a probability code", True),
    Key("probability_format", "text", "–", "UQ0, UQ1", "UQ0", "UQ0.P saturates 1.0 to 1 − 2^−P; UQ1.P holds 1.0 exactly", True),
    Key("guard_bits", "integer", "bits", "1…8", 4, "extra bits k inside; the error bound falls as 2^−k", True),
    Key("normaliser", "text", "–", "divider, reciprocal, logarithm, none", "divider",
        "the divider stage: a division per element (no multiplier), a reciprocal per vector and a multiplier, a difference of "
        "logarithms (tables only), or none (exponentials over a power of two)", True),
    Key("accumulator", "text", "–", "auto, absolute, reference, two_pass", "auto",
        "exact sum, or a running power-of-two reference where the scores' range is too wide for it; or the sum relative to the "
        "maximum in a pass of its own, one vector after the other (with profile small, normaliser divider)", True),
    Key("integer_bits", "integer", "bits", "0…26", 0,
        "of logarithmic results: 0 takes as many as hold every result, fewer saturate", True),
    Key("reference_offset", "integer", "code steps", "0…65535", 0,
        "of unnormalised exponentials: how far below the largest score code lies the one whose exponential is 1", True),
    Key("profile", "text", "–", "auto, fast, fastest, small", "fast",
        "one element per cycle in vectors that are long enough; the same with more registers; or fewer cells; auto picks by "
        "what was measured on the part, and by max_length, and says why", False),
    Key("seed", "integer", "–", "0…4294967295", 1, "where the random sequence of mode sample starts after reset", True),
    Key("sampler", "text", "–", "gumbel, inverse_cdf", "gumbel",
        "how mode sample draws: the largest of score + noise, in one pass; or the first element with which the running sum of "
        "exponentials exceeds a random share of the whole, nearer to softmax by far", True),
    Key("mask", "boolean", "–", "true, false", False,
        "a bit beside each score excludes its element, as if it were not there: never the winner, probability 0", True),
    Key("clip_minimum", "integer", "code steps", "−65536…65535", -65536,
        "score codes below count as this one before the exponential; the winner is that of the scores as they are", True),
    Key("clip_maximum", "integer", "code steps", "−65536…65535", 65535, "score codes above count as this one, likewise", True),
    Key("probability_floor", "number", "–", "≥ 0, below 1 / max_length", 0.0,
        "f: no class gets less, f + (1 − f·N)·p with N the vector's own length; 0: none", True),
    Key("smoothing", "list of integers", "–", "an odd number of 0…255, at most 15", (),
        "weights of a kernel that the probabilities are convolved with along the classes, the middle one above 0; empty: none",
        True),
    Key("smoothing_edges", "text", "–", "gather, scatter", "gather",
        "near a vector's ends the kernel's weights within it count as the whole: of each average taken (gather; the sum is no "
        "longer 1), or of each class's probability handed out (scatter; the sum stays)", True),
    Key("smoothing_passes", "integer", "–", "1…4", 1, "how many times the probabilities are smoothed", True),
    Key("groups", "list of integers", "elements", "at most 16 of 1…65536", (),
        "sizes of mutually exclusive groups that a packet is cut into, over and over, each a vector by itself; max_length is the "
        "longest; empty: the packet is one vector", True),
    Key("ensemble", "integer", "members", "1…16", 1,
        "M of an ensemble: M vectors, one after the other, make one result; 1 is none", True),
    Key("ensemble_mean", "text", "–", "logits, probabilities", "logits",
        "of an ensemble: the mean of the members' scores, before softmax; or that of their probabilities, behind it", True),
    Key("lanes", "integer", "scores per beat", "1, 2, 4, 8, 16", 1, "scores that one beat carries", False),
    Key("per_vector", "text", "–", "serial, pipelined", "serial",
        "what works once per vector: step by step, and vectors of a few elements wait for it; or in a pipeline, and vectors of "
        "any length follow each other without a bubble", False),
)  # fmt: skip

WIDEST_SCORE = 16
"""Bits of the widest score that an exponential takes."""

_CHOICES = {
    "mode": get_args(Mode),
    "probability_format": ("UQ0", "UQ1"),
    "normaliser": ("divider", "reciprocal", "logarithm", "none"),
    "accumulator": ("auto", "absolute", "reference", "two_pass"),
    "ensemble_mean": ("logits", "probabilities"),
    "profile": ("fast", "fastest", "small"),
    "smoothing_edges": ("gather", "scatter"),
    "lanes": (1, 2, 4, 8, 16),
    "per_vector": ("serial", "pipelined"),
    "sampler": ("gumbel", "inverse_cdf"),
}
_RANGES = {
    "top_k": (1, 16),
    "temperature_bits": (0, 14),
    "temperature_fraction": (0, 14),
    "max_length": (1, 65536),
    "score_width": (2, 16),
    "probability_width": (2, 24),
    "guard_bits": (1, 8),
    "integer_bits": (0, 26),
    "smoothing_passes": (1, 4),
    "clip_minimum": (-65536, 65535),
    "clip_maximum": (-65536, 65535),
    "reference_offset": (0, 65535),
    "seed": (0, (1 << 32) - 1),
    "ensemble": (1, 16),
}


def _weights(name: str, value: Any) -> tuple[int, ...]:
    """The weights of a kernel. Raises `UserError` for other than an odd number of them, each in its range."""
    rule = "an odd number of integers from 0 to 255, at most 15, with the middle one above 0"
    if not isinstance(value, list | tuple) or any(isinstance(w, bool) or not isinstance(w, int) for w in value):
        raise UserError(f"{name} = {value!r}: must be a list of {rule}; for example [1, 2, 1]")
    weights = tuple(value)
    if not weights:
        return weights
    if len(weights) % 2 == 0 or len(weights) > 15 or min(weights) < 0 or max(weights) > 255:
        raise UserError(f"{name} = {list(weights)}: must be {rule}; for example [1, 2, 1]")
    middle = len(weights) // 2
    if weights[middle] == 0:
        would = [*weights[:middle], 1, *weights[middle + 1 :]]
        raise UserError(
            f"{name} = {list(weights)}: must be {rule}, for the middle one is all that a vector of one element keeps; "
            f"{would} would do"
        )
    return weights


def _sizes(name: str, value: Any) -> tuple[int, ...]:
    """The sizes of groups. Raises `UserError` for more of them, or others, than there may be."""
    listed = isinstance(value, list | tuple)
    if not listed or any(isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= 65536 for n in value):
        raise UserError(
            f"{name} = {list(value) if listed else value!r}: must be a list of integers from 1 to 65536, at most 16; "
            "for example [8]"
        )
    if len(value) > 16:
        raise UserError(f"{name}: {len(value)} sizes; must be at most 16; for example [8]")
    return tuple(value)


_LISTS = {"smoothing": _weights, "groups": _sizes}


def nearest(word: str, known: Mapping[str, object] | tuple[Any, ...]) -> str:
    """` (did you mean 'x'?)` for the known word nearest to `word`, or nothing."""
    close = difflib.get_close_matches(word, [*map(str, known)], n=1, cutoff=0.5)
    return f" (did you mean '{close[0]}'?)" if close else ""


@dataclass(frozen=True, kw_only=True)
class Config:
    """One head. Every field is a key of `KEYS`, with its unit and range there; `profile` is the one that was picked, never
    auto (see `profiles.resolve`).

    Raises `UserError` at construction: the key, the value given, the rule, and a value that would do.
    """

    mode: Mode = "softmax"
    top_k: int = 5
    max_length: int = 1024
    score_width: int = 8
    score_signed: bool = True
    score_scale: float = 0.0625
    temperature: float = 1.0
    temperature_bits: int = 0
    temperature_fraction: int = 4
    probability_width: int = 8
    probability_format: Literal["UQ0", "UQ1"] = "UQ0"
    guard_bits: int = 4
    normaliser: Literal["divider", "reciprocal", "logarithm", "none"] = "divider"
    accumulator: Literal["auto", "absolute", "reference", "two_pass"] = "auto"
    integer_bits: int = 0
    reference_offset: int = 0
    seed: int = 1
    sampler: Literal["gumbel", "inverse_cdf"] = "gumbel"
    profile: Literal["fast", "fastest", "small"] = "fast"
    mask: bool = False
    clip_minimum: int = -65536
    clip_maximum: int = 65535
    probability_floor: float = 0.0
    smoothing: tuple[int, ...] = ()
    smoothing_edges: Literal["gather", "scatter"] = "gather"
    smoothing_passes: int = 1
    groups: tuple[int, ...] = ()
    ensemble: int = 1
    ensemble_mean: Literal["logits", "probabilities"] = "logits"
    lanes: Literal[1, 2, 4, 8, 16] = 1
    per_vector: Literal["serial", "pipelined"] = "serial"

    def __post_init__(self) -> None:
        for key in KEYS:
            value = getattr(self, key.name)
            if key.name in _CHOICES:
                # By type as well: True == 1 and 4.0 == 4.
                if (type(value), value) not in [(type(choice), choice) for choice in _CHOICES[key.name]]:
                    if (key.name, value) == ("profile", "auto"):
                        raise UserError(
                            "profile = 'auto': a configuration holds the profile that was picked, one of fast, fastest, small; "
                            "profiles.resolve picks it, for example fast"
                        )
                    hint = nearest(value, _CHOICES[key.name]) if isinstance(value, str) else ""
                    raise UserError(
                        f"{key.name} = {value!r}: must be one of {key.range_text}{hint}; for example {key.default}"
                    )
            elif key.name in _RANGES:
                low, high = _RANGES[key.name]
                if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                    unit = "" if key.unit == "–" else f" {key.unit}"
                    raise UserError(
                        f"{key.name} = {value!r}: must be an integer from {low} to {high}{unit}; for example {key.default}"
                    )
            elif key.type_text == "boolean":
                if not isinstance(value, bool):
                    raise UserError(
                        f"{key.name} = {value!r}: must be true or false; for example {str(key.default).lower()}"
                    )
            elif key.name == "probability_floor":
                if (
                    isinstance(value, bool)
                    or not isinstance(value, int | float)
                    or not 0 <= value * self.max_length < 1
                ):
                    raise UserError(
                        f"probability_floor = {value!r}: must be a number from 0 to below 1 / max_length = "
                        f"{1 / self.max_length:.3g}, so that floors of as many classes leave something; "
                        f"for example {0.5 / self.max_length:.3g}"
                    )
                object.__setattr__(self, key.name, float(value))
            elif key.type_text == "list of integers":
                object.__setattr__(self, key.name, _LISTS[key.name](key.name, value))
            else:  # score_scale, temperature
                if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
                    limit = "; mode = 'argmax' is the limit at 0" if key.name == "temperature" else ""
                    raise UserError(
                        f"{key.name} = {value!r}: must be a finite number above 0; for example {key.default}{limit}"
                    )
                object.__setattr__(self, key.name, float(value))
        if not 0 < self.effective_scale < math.inf:
            raise UserError(
                f"{self.scale_text}: their quotient must be a finite number above 0; for example temperature = 1.0"
            )
        coarsest = BETA_LIMIT * math.log(2)
        if self.temperature != 1 and self.mode != "argmax" and self.effective_scale > coarsest:
            # Rounded up to a number that a person would write.
            least = self.score_scale / coarsest
            digit = 10.0 ** math.floor(math.log10(least))
            warmer = math.ceil(least / digit + 1e-9) * digit
            raise UserError(
                f"{self.scale_text}: a step of the score would be {self.effective_scale:.3g} nats, at most {coarsest:.3g} are "
                f"of any use; temperature = {warmer:.3g} would do, or mode = 'argmax', the limit at 0"
            )
        if self.lanes >= 2 * self.max_length:
            raise UserError(
                f"lanes = {self.lanes}: must be below 2 · max_length = {2 * self.max_length}, more would never be used; "
                f"for example {1 << ceil_log2(self.max_length)}"
            )

        if self.groups:
            self._check_groups()
        self._check_clip()
        smooth = len(self.smoothing) > 1
        for option, wanted, name, given, why in (
            ("smoothing", smooth, "lanes", self.lanes > 1, "takes one element after the other"),
            ("smoothing", smooth, "mask", self.mask, "an excluded class would get of its neighbours'"),
            ("probability_floor", self.probability_floor > 0, "mask", self.mask,
             "it stands behind the sum, where nothing tells an excluded class from an unlikely one"),
        ):  # fmt: skip
            if wanted and given:
                value, plain = ("true", "false") if name == "mask" else (self.lanes, 1)
                raise UserError(f"{option} with {name} = {value}: {why}; {name} = {plain} would do")
        if self.temperature_bits:
            self._check_temperature_bits()
        if self.accumulator == "two_pass" and self.mode not in ("argmax", "softmax"):
            raise UserError(
                f"accumulator = 'two_pass' with mode = {self.mode!r}: takes softmax; accumulator = 'auto' would do"
            )
        if self.mode == "sample" and self.sampler == "inverse_cdf" and self.per_vector == "pipelined":
            raise UserError(
                "per_vector = 'pipelined' with sampler = 'inverse_cdf': the share of a vector's sum takes its steps; "
                "per_vector = 'serial' would do, or sampler = 'gumbel', which takes vectors of any length without a bubble"
            )
        if self.accumulator == "two_pass" and self.per_vector == "pipelined":
            raise UserError(
                "per_vector = 'pipelined' with accumulator = 'two_pass': takes one vector after the other; "
                "per_vector = 'serial' would do"
            )
        if self.ensemble > 1:
            self._check_ensemble()

    def _check_ensemble(self) -> None:
        """Raises `UserError` for an ensemble that the other keys do not go with."""
        if self.mask:
            raise UserError(
                f"ensemble = {self.ensemble} with mask: what one member excludes and another does not has no mean; "
                "mask = false would do"
            )
        _, widest = _RANGES["score_width"]
        more = ceil_log2(self.ensemble)
        if self.ensemble_mean == "logits" and self.score_width + more > widest:
            raise UserError(
                f"ensemble = {self.ensemble} with score_width = {self.score_width}: sums of scores have {more} bits more, "
                f"{widest} at most; score_width = {widest - more} would do, or ensemble_mean = 'probabilities'"
            )

    def _check_clip(self) -> None:
        """Raises `UserError` for a clip that leaves no scores apart, or that the other keys do not go with."""
        low, high = self.score_format.minimum, self.score_format.maximum
        for key, other, fits in (
            ("clip_minimum", low, self.clip_minimum < min(self.clip_maximum, high)),
            ("clip_maximum", high, self.clip_maximum > low),
        ):
            if not fits:
                raise UserError(
                    f"{key} = {getattr(self, key)}: must leave scores apart, clip_minimum below clip_maximum, of the codes from "
                    f"{low} to {high}; {key} = {other} would do"
                )
        if not self.clips:
            return
        key = "clip_minimum" if self.clip_minimum > low else "clip_maximum"
        for name, fits, would, why in (
            ("mode", self.mode in ("softmax", "softmax_top_k"), "'softmax'", "takes the exponentials of softmax"),
            (
                "score_width",
                self.score_width <= DIRECT_WIDTH,
                f"{DIRECT_WIDTH}",
                "is in the entries of tables by score",
            ),
            ("accumulator", self.accumulator != "two_pass", "'auto'", "its table is one of differences"),
            ("temperature_bits", not self.temperature_bits, "0", "what it scales are no codes of the scores any more"),
            (
                "ensemble",
                self.ensemble == 1 or self.ensemble_mean != "logits",
                "1",
                "what is summed are scores as they are",
            ),
        ):
            if not fits:
                raise UserError(
                    f"{key} = {getattr(self, key)} with {name} = {getattr(self, name)!r}: {why}; {name} = {would} would do"
                )

    @property
    def clips(self) -> bool:
        """Whether any score is clipped."""
        return self.clip_minimum > self.score_format.minimum or self.clip_maximum < self.score_format.maximum

    @property
    def clip_positions(self) -> tuple[int, int]:
        """The lowest and the highest position, codes above the smallest, that clipped scores have."""
        low, high = self.score_format.minimum, self.score_format.maximum
        return max(self.clip_minimum, low) - low, min(self.clip_maximum, high) - low

    def _check_temperature_bits(self) -> None:
        """Raises `UserError` where scores cannot be multiplied by a code that comes beside them."""
        given = f"temperature_bits = {self.temperature_bits}"
        if self.mode not in ("softmax", "log_softmax", "cross_entropy"):
            ordered = self.mode in ("argmax", "hardmax", "top_k")
            why = "the order does not depend on a temperature" if ordered else "takes softmax and its logarithms"
            raise UserError(
                f"{given} with mode = {self.mode!r}: {why}; temperature_bits = 0 would do, or mode = 'softmax'"
            )
        if self.ensemble > 1:
            raise UserError(
                f"{given} with ensemble = {self.ensemble}: a code comes beside each vector, and a mean has several; "
                "temperature_bits = 0 would do, with temperature for all"
            )
        if self.groups:
            raise UserError(
                f"{given} with groups = {list(self.groups)}: a code comes beside each packet, and it has several vectors; "
                "temperature_bits = 0 would do, with temperature for all"
            )
        narrow = (self.normaliser == "logarithm" and self.mode == "softmax") or self.accumulator == "two_pass"
        widest = DIRECT_WIDTH if narrow else WIDEST_SCORE
        key = "accumulator" if self.accumulator == "two_pass" else "normaliser"
        what = f" and {key} = {getattr(self, key)!r}" if narrow else ""
        if self.score_width + self.temperature_bits > widest:
            fewer = widest - self.score_width
            remedy = f"temperature_bits = {fewer}"
            if fewer <= 0:
                default = "divider" if key == "normaliser" else "auto"
                remedy = f"{key} = {default!r}" if narrow else f"score_width = {widest - self.temperature_bits}"
            raise UserError(
                f"{given} with score_width = {self.score_width}{what}: their product has "
                f"{self.score_width + self.temperature_bits} bits, at most {widest} are taken; {remedy} would do"
            )

    def _check_groups(self) -> None:
        text, longest = f"groups = {list(self.groups)}", max(self.groups)
        if self.mode not in GROUPED_MODES:
            why = {
                "sigmoid": "each score has a probability by itself, whatever stands beside it",
                "cross_entropy": "one label comes with a packet",
            }.get(self.mode, "the K largest are of a packet")
            raise UserError(f"{text} with mode = {self.mode!r}: {why}; mode = 'softmax' would do, or groups = []")
        if self.mode == "sample" and self.sampler == "inverse_cdf":
            raise UserError(
                f"{text} with sampler = 'inverse_cdf': one draw comes with a packet; sampler = 'gumbel' would do"
            )
        if self.ensemble > 1:
            raise UserError(
                f"{text} with ensemble = {self.ensemble}: the members of a group are a packet apart; ensemble = 1 would do"
            )
        if longest != self.max_length:
            raise UserError(
                f"max_length = {self.max_length} with {text}: must be the longest group; max_length = {longest} would do"
            )
        common = math.gcd(*self.groups)
        if common % self.lanes:
            raise UserError(
                f"lanes = {self.lanes} with {text}: a beat holds elements of one group, so sizes must be multiples of lanes; "
                f"lanes = {common & -common & 15 or 16} would do"
            )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "Config":
        """A configuration from plain values; a key that is not given has its default.

        Raises `UserError` for an unknown key (naming the nearest) and as the constructor does.
        """
        known = {key.name: key for key in KEYS}
        for name in values:
            if name not in known:
                raise UserError(
                    f"unknown configuration key '{name}'{nearest(name, known)}; the keys are {', '.join(known)}"
                )
        return cls(**values)

    def to_mapping(self) -> dict[str, Any]:
        """Plain values, in the order of `KEYS`: what a TOML file holds."""
        values = {key.name: getattr(self, key.name) for key in KEYS}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def replace(self, **changes: Any) -> "Config":
        """The same configuration with some keys changed."""
        return self.from_mapping({**self.to_mapping(), **changes})

    @property
    def division(self) -> str:
        """What the exponentials meet their sum in: the `normaliser`, or `natural` where it is a natural logarithm."""
        return "natural" if self.mode in ("log_softmax", "cross_entropy") else self.normaliser

    @property
    def digest(self) -> str:
        """SHA-256 over the resolved keys, as 64 hexadecimal digits: the identity of the configuration."""
        return hashlib.sha256(json.dumps(self.to_mapping(), sort_keys=True).encode()).hexdigest()

    @property
    def score_format(self) -> QFormat:
        """The score code as an integer; its real value is code · score_scale."""
        return QFormat(self.score_width, 0, self.score_signed)

    @property
    def effective_scale(self) -> float:
        """Nats per step of the score code after the temperature: score_scale / temperature, all that tables and bounds see.

        Rounded to float64 once; with temperature 1 it is score_scale itself.
        """
        return self.score_scale / self.temperature

    @property
    def scale_text(self) -> str:
        """What `effective_scale` comes from, as messages put it."""
        with_temperature = f" with temperature = {self.temperature}" if self.temperature != 1 else ""
        return f"score_scale = {self.score_scale}{with_temperature}"

    @property
    def contender_width(self) -> int:
        """Bits that decide on the winner: whether the element takes part, where one may not, above its score."""
        return self.score_width + self.mask

    @property
    def probability_qformat(self) -> QFormat:
        """UQ0.P or UQ1.P. The largest code is 2^P − 1 in UQ0.P and 2^P (that is 1.0) in UQ1.P."""
        return QFormat(int(self.probability_format == "UQ1"), self.probability_width)

    @property
    def probability_maximum(self) -> int:
        """The code that 1.0 becomes."""
        return (1 << self.probability_width) - (self.probability_format == "UQ0")

    @property
    def output_width(self) -> int:
        """Bits of a probability code."""
        return self.probability_qformat.width

    @property
    def index_width(self) -> int:
        """Bits of an element's index, at least one."""
        return max(1, ceil_log2(self.max_length))

    def beats(self, length: Any) -> Any:
        """Beats that carry a vector of `length` scores, an integer or an array of them: ⌈length / lanes⌉."""
        return -(-length // self.lanes)

    @property
    def beat_width(self) -> int:
        """Bits of a beat's index in its vector, at least one."""
        return max(1, ceil_log2(self.beats(self.max_length)))


def parse_setting(text: str) -> tuple[str, Any]:
    """`key=value` as on the command line: the value in TOML notation; bare words are text.

    Raises `UserError` where there is no `=`.
    """
    name, sign, value = text.partition("=")
    name, value = name.strip(), value.strip()
    if not sign or not name or not value:
        raise UserError(f"--set {text!r}: must be key=value; for example --set max_length=64")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value


def load_toml(path: Path) -> dict[str, Any]:
    """The keys of a TOML file. Raises `UserError` where it cannot be read or is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"--config {path}: cannot be read ({error.strerror}); give a TOML file of configuration keys"
        ) from None
    except UnicodeDecodeError:
        raise UserError(f"--config {path}: not UTF-8 text; give a TOML file of configuration keys") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"--config {path}: not TOML ({error}); for example: max_length = 64") from None
