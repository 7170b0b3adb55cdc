"""The keys of a configuration: what each means, its unit and its range, and whether a value is within it."""

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from softstream.hw.config.modes import MODES
from softstream.hw.errors import UserError

__all__ = ["KEYS", "Key", "checked_value", "nearest"]


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
        ", ".join(MODES), "softmax",
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

_CHOICES = {
    "mode": tuple(MODES),
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


def nearest(word: str, known: Mapping[str, object] | tuple[Any, ...]) -> str:
    """` (did you mean 'x'?)` for the known word nearest to `word`, or nothing."""
    close = difflib.get_close_matches(word, [*map(str, known)], n=1, cutoff=0.5)
    return f" (did you mean '{close[0]}'?)" if close else ""


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


def checked_value(key: Key, value: Any, max_length: int) -> Any:
    """The value of a key as a configuration holds it: numbers as floats, lists as tuples. A floor's range depends on
    `max_length`.

    Raises `UserError`: the key, the value given, the rule, and a value that would do.
    """
    if key.name in _CHOICES:
        # By type as well: True == 1 and 4.0 == 4.
        if (type(value), value) not in [(type(choice), choice) for choice in _CHOICES[key.name]]:
            if (key.name, value) == ("profile", "auto"):
                raise UserError(
                    "profile = 'auto': a configuration holds the profile that was picked, one of fast, fastest, small; "
                    "profiles.resolve picks it, for example fast"
                )
            hint = nearest(value, _CHOICES[key.name]) if isinstance(value, str) else ""
            raise UserError(f"{key.name} = {value!r}: must be one of {key.range_text}{hint}; for example {key.default}")
    elif key.name in _RANGES:
        low, high = _RANGES[key.name]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            unit = "" if key.unit == "–" else f" {key.unit}"
            raise UserError(
                f"{key.name} = {value!r}: must be an integer from {low} to {high}{unit}; for example {key.default}"
            )
    elif key.type_text == "boolean":
        if not isinstance(value, bool):
            raise UserError(f"{key.name} = {value!r}: must be true or false; for example {str(key.default).lower()}")
    elif key.name == "probability_floor":
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value * max_length < 1:
            raise UserError(
                f"probability_floor = {value!r}: must be a number from 0 to below 1 / max_length = "
                f"{1 / max_length:.3g}, so that floors of as many classes leave something; "
                f"for example {0.5 / max_length:.3g}"
            )
        return float(value)
    elif key.type_text == "list of integers":
        return _LISTS[key.name](key.name, value)
    else:  # score_scale, temperature
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            limit = "; mode = 'argmax' is the limit at 0" if key.name == "temperature" else ""
            raise UserError(
                f"{key.name} = {value!r}: must be a finite number above 0; for example {key.default}{limit}"
            )
        return float(value)
    return value
