"""The configuration: what is computed (numeric keys) and how it is built (implementation keys).

Two configurations with the same numeric keys give the same bits; the golden model reads nothing else.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from softstream.hw.config.keys import KEYS, Key, checked_value, nearest
from softstream.hw.config.modes import MODES, Mode, ModeTraits
from softstream.hw.config.rules import check_combination
from softstream.hw.errors import UserError
from softstream.hw.formats import QFormat, ceil_log2

__all__ = ["KEYS", "Config", "Key", "load_toml", "nearest", "parse_setting"]


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
            object.__setattr__(self, key.name, checked_value(key, getattr(self, key.name), self.max_length))
        check_combination(self)

    @property
    def traits(self) -> ModeTraits:
        """The facts of the mode."""
        return MODES[self.mode]

    @property
    def inverse_cdf(self) -> bool:
        """Whether a draw compares the running sum of exponentials with a random share of the whole."""
        return self.traits.random and self.sampler == "inverse_cdf"

    @property
    def two_pass(self) -> bool:
        """Whether the exponentials are relative to the maximum, which a pass of its own finds."""
        return self.traits.normalised and self.accumulator == "two_pass"

    @property
    def stores_scores(self) -> bool:
        """Whether the head stores a vector's scores until their sum is complete."""
        return self.traits.stores_scores or self.inverse_cdf

    @property
    def clips(self) -> bool:
        """Whether any score is clipped."""
        return self.clip_minimum > self.score_format.minimum or self.clip_maximum < self.score_format.maximum

    @property
    def clip_positions(self) -> tuple[int, int]:
        """The lowest and the highest position, codes above the smallest, that clipped scores have."""
        low, high = self.score_format.minimum, self.score_format.maximum
        return max(self.clip_minimum, low) - low, min(self.clip_maximum, high) - low

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
        return "natural" if self.traits.logarithmic else self.normaliser

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
