"""Which keys go together: rules between the keys of a configuration, beyond each one's own range."""

import math
from typing import TYPE_CHECKING

from softstream.hw.config.limits import BETA_LIMIT, DIRECT_WIDTH, WIDEST_SCORE
from softstream.hw.errors import UserError
from softstream.hw.formats import ceil_log2

if TYPE_CHECKING:
    from softstream.hw.config.config import Config

__all__ = ["check_combination"]


def check_combination(config: "Config") -> None:
    """Raises `UserError` where keys do not go together: what was given, the reason, and a value that would do."""
    if not 0 < config.effective_scale < math.inf:
        raise UserError(
            f"{config.scale_text}: their quotient must be a finite number above 0; for example temperature = 1.0"
        )
    coarsest = BETA_LIMIT * math.log(2)
    if config.temperature != 1 and not config.traits.order_only and config.effective_scale > coarsest:
        # Rounded up to a number that a person would write.
        least = config.score_scale / coarsest
        digit = 10.0 ** math.floor(math.log10(least))
        warmer = math.ceil(least / digit + 1e-9) * digit
        raise UserError(
            f"{config.scale_text}: a step of the score would be {config.effective_scale:.3g} nats, at most {coarsest:.3g} are "
            f"of any use; temperature = {warmer:.3g} would do, or mode = 'argmax', the limit at 0"
        )
    if config.lanes >= 2 * config.max_length:
        raise UserError(
            f"lanes = {config.lanes}: must be below 2 · max_length = {2 * config.max_length}, more would never be used; "
            f"for example {1 << ceil_log2(config.max_length)}"
        )
    if config.groups:
        _check_groups(config)
    _check_clip(config)
    steps = (1 << config.score_width) - 1
    if config.traits.exponentials and config.reference_offset > steps:
        raise UserError(
            f"reference_offset = {config.reference_offset}: must be from 0 to {steps}, a step for each score code of "
            f"{config.score_width} bits; for example 0"
        )
    smooth = len(config.smoothing) > 1
    for option, wanted, name, given, why in (
        ("smoothing", smooth, "lanes", config.lanes > 1, "takes one element after the other"),
        ("smoothing", smooth, "mask", config.mask, "an excluded class would get of its neighbours'"),
        ("probability_floor", config.probability_floor > 0, "mask", config.mask,
         "it stands behind the sum, where nothing tells an excluded class from an unlikely one"),
    ):  # fmt: skip
        if wanted and given:
            value, plain = ("true", "false") if name == "mask" else (config.lanes, 1)
            raise UserError(f"{option} with {name} = {value}: {why}; {name} = {plain} would do")
    if config.temperature_bits:
        _check_temperature_bits(config)
    if config.accumulator == "two_pass" and not config.traits.two_pass:
        raise UserError(
            f"accumulator = 'two_pass' with mode = {config.mode!r}: takes softmax; accumulator = 'auto' would do"
        )
    if config.inverse_cdf and config.lanes > 1:
        raise UserError(
            f"lanes = {config.lanes} with sampler = 'inverse_cdf': the running sum is looked at element by element; lanes = 1 "
            "would do"
        )
    if config.inverse_cdf and config.per_vector == "pipelined":
        raise UserError(
            "per_vector = 'pipelined' with sampler = 'inverse_cdf': the share of a vector's sum takes its steps; "
            "per_vector = 'serial' would do, or sampler = 'gumbel', which takes vectors of any length without a bubble"
        )
    if config.accumulator == "two_pass" and config.per_vector == "pipelined":
        raise UserError(
            "per_vector = 'pipelined' with accumulator = 'two_pass': takes one vector after the other; "
            "per_vector = 'serial' would do"
        )
    if config.ensemble > 1:
        _check_ensemble(config)


def _check_ensemble(config: "Config") -> None:
    """Raises `UserError` for an ensemble that the other keys do not go with."""
    if config.mask:
        raise UserError(
            f"ensemble = {config.ensemble} with mask: what one member excludes and another does not has no mean; "
            "mask = false would do"
        )
    widest, more = WIDEST_SCORE, ceil_log2(config.ensemble)
    if config.ensemble_mean == "logits" and config.score_width + more > widest:
        raise UserError(
            f"ensemble = {config.ensemble} with score_width = {config.score_width}: sums of scores have {more} bits more, "
            f"{widest} at most; score_width = {widest - more} would do, or ensemble_mean = 'probabilities'"
        )


def _check_clip(config: "Config") -> None:
    """Raises `UserError` for a clip that leaves no scores apart, or that the other keys do not go with."""
    low, high = config.score_format.minimum, config.score_format.maximum
    for key, other, fits in (
        ("clip_minimum", low, config.clip_minimum < min(config.clip_maximum, high)),
        ("clip_maximum", high, config.clip_maximum > low),
    ):
        if not fits:
            raise UserError(
                f"{key} = {getattr(config, key)}: must leave scores apart, clip_minimum below clip_maximum, of the codes from "
                f"{low} to {high}; {key} = {other} would do"
            )
    if not config.clips:
        return
    key = "clip_minimum" if config.clip_minimum > low else "clip_maximum"
    for name, fits, would, why in (
        ("mode", config.traits.normalised, "'softmax'", "takes the exponentials of softmax"),
        (
            "score_width",
            config.score_width <= DIRECT_WIDTH,
            f"{DIRECT_WIDTH}",
            "is in the entries of tables by score",
        ),
        ("accumulator", config.accumulator != "two_pass", "'auto'", "its table is one of differences"),
        ("temperature_bits", not config.temperature_bits, "0", "what it scales are no codes of the scores any more"),
        (
            "ensemble",
            config.ensemble == 1 or config.ensemble_mean != "logits",
            "1",
            "what is summed are scores as they are",
        ),
    ):
        if not fits:
            raise UserError(
                f"{key} = {getattr(config, key)} with {name} = {getattr(config, name)!r}: {why}; {name} = {would} would do"
            )


def _check_temperature_bits(config: "Config") -> None:
    """Raises `UserError` where scores cannot be multiplied by a code that comes beside them."""
    given = f"temperature_bits = {config.temperature_bits}"
    if not config.traits.vector_temperature:
        why = (
            "the order does not depend on a temperature"
            if config.traits.order_only
            else "takes softmax and its logarithms"
        )
        raise UserError(
            f"{given} with mode = {config.mode!r}: {why}; temperature_bits = 0 would do, or mode = 'softmax'"
        )
    if config.ensemble > 1:
        raise UserError(
            f"{given} with ensemble = {config.ensemble}: a code comes beside each vector, and a mean has several; "
            "temperature_bits = 0 would do, with temperature for all"
        )
    if config.groups:
        raise UserError(
            f"{given} with groups = {list(config.groups)}: a code comes beside each packet, and it has several vectors; "
            "temperature_bits = 0 would do, with temperature for all"
        )
    narrow = config.division == "logarithm" or config.accumulator == "two_pass"
    widest = DIRECT_WIDTH if narrow else WIDEST_SCORE
    key = "accumulator" if config.accumulator == "two_pass" else "normaliser"
    what = f" and {key} = {getattr(config, key)!r}" if narrow else ""
    if config.score_width + config.temperature_bits > widest:
        fewer = widest - config.score_width
        remedy = f"temperature_bits = {fewer}"
        if fewer <= 0:
            default = "divider" if key == "normaliser" else "auto"
            remedy = f"{key} = {default!r}" if narrow else f"score_width = {widest - config.temperature_bits}"
        raise UserError(
            f"{given} with score_width = {config.score_width}{what}: their product has "
            f"{config.score_width + config.temperature_bits} bits, at most {widest} are taken; {remedy} would do"
        )


def _check_groups(config: "Config") -> None:
    text, longest = f"groups = {list(config.groups)}", max(config.groups)
    if config.traits.groups_refusal:
        why = config.traits.groups_refusal
        raise UserError(f"{text} with mode = {config.mode!r}: {why}; mode = 'softmax' would do, or groups = []")
    if config.inverse_cdf:
        raise UserError(
            f"{text} with sampler = 'inverse_cdf': one draw comes with a packet; sampler = 'gumbel' would do"
        )
    if config.ensemble > 1:
        raise UserError(
            f"{text} with ensemble = {config.ensemble}: the members of a group are a packet apart; ensemble = 1 would do"
        )
    if longest != config.max_length:
        raise UserError(
            f"max_length = {config.max_length} with {text}: must be the longest group; max_length = {longest} would do"
        )
    common = math.gcd(*config.groups)
    if common % config.lanes:
        raise UserError(
            f"lanes = {config.lanes} with {text}: a beat holds elements of one group, so sizes must be multiples of lanes; "
            f"lanes = {common & -common & 15 or 16} would do"
        )
