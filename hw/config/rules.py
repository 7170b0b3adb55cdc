"""Which keys go together: the rules between the keys of a configuration, beyond each key's own range.

A rule is a function that answers with a `Refusal`, or with None where it is kept. `RULES` lists them in the order in which they
are checked. A rule that depends on the width or the scale of the scores looks at those that the exponentials take
(`inner_width`, `inner_scale`), so that no configuration behind an ensemble's sums or a temperature's product is refused later.
What only a table or a bound can tell is left to the numbers.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from softstream.hw.config.keys import quoted
from softstream.hw.config.limits import (
    COARSEST_SAMPLING,
    DIRECT_WIDTH,
    EXACT_DIVISIONS,
    FINEST_SAMPLING,
    LARGEST_LIST,
    LOGARITHM_LIMIT,
    NATURAL_RANGE,
    NATURAL_STEP,
    SIGMOID_WIDTH,
    STORED_BEATS,
    TWO_PASS_FRACTION,
    WIDEST_PROBABILITY,
    WIDEST_SCORE,
)
from softstream.hw.config.settings import Settings
from softstream.hw.errors import UserError
from softstream.hw.formats import ceil_log2

__all__ = ["RULES", "Refusal", "check_combination"]


@dataclass(frozen=True)
class Refusal:
    """Why keys do not go together."""

    settings: str
    """The keys and their values."""
    reason: str
    remedy: str
    """A key with a value that would do."""
    alternative: str = ""
    """Another one."""

    def __str__(self) -> str:
        other = f", or {self.alternative}" if self.alternative else ""
        return f"{self.settings}: {self.reason}; {self.remedy} would do{other}"


Rule = Callable[[Settings], Refusal | None]


def check_combination(settings: Settings) -> None:
    """Raises `UserError` for the first rule that is broken: what was given, the reason, and a value that would do."""
    for rule in RULES:
        refusal = rule(settings)
        if refusal is not None:
            raise UserError(str(refusal))


def _settings_text(settings: Settings, *names: str) -> str:
    """`key = value with key = value and key = value`."""
    values = {name: getattr(settings, name) for name in names}
    texts = [f"{name} = {str(v).lower() if isinstance(v, bool) else quoted(v)}" for name, v in values.items()]
    return texts[0] + "".join(f" {'and' if i else 'with'} {text}" for i, text in enumerate(texts[1:]))


def _rounded(value: float, *, digits: int = 2, up: bool = False) -> float:
    """A number that a person would write, of so many digits, not above `value`; or not below it."""
    unit = Fraction(10) ** (math.floor(math.log10(value)) + 1 - digits)
    count = Fraction(value) / unit
    return float((math.ceil(count) if up else math.floor(count)) * unit)


def _scale(settings: Settings, inner: float, *, up: bool = False) -> float:
    """A score_scale with which a step of the scores that the exponentials take has at most, or at least, `inner` nats."""
    exact = inner / settings.inner_scale_with(1.0)
    nearest = float(f"{exact:.3g}")
    reached = settings.inner_scale_with(nearest)
    return nearest if (reached >= inner if up else reached <= inner) else _rounded(exact, digits=3, up=up)


def _scores_are_narrow_enough(settings: Settings) -> Refusal | None:
    if settings.score_width <= settings.widest_score:
        return None
    return Refusal(
        _settings_text(settings, "score_width", "mode"),
        f"a table of this mode takes scores of at most {WIDEST_SCORE} bits, and only modes that compare scores take more",
        f"score_width = {WIDEST_SCORE}",
        "mode = 'argmax'",
    )


def _stored_vector_has_a_memory(settings: Settings) -> Refusal | None:
    stored = "scores" if settings.stores_scores else "sums of the members" if settings.ensemble > 1 else ""
    if not stored or settings.beats(settings.max_length) <= STORED_BEATS:
        return None
    longest = STORED_BEATS * settings.lanes
    return Refusal(
        _settings_text(settings, "max_length", "ensemble" if not settings.stores_scores else "mode"),
        f"the memory of the {stored} holds at most {longest} elements with lanes = {settings.lanes}",
        f"max_length = {longest}",
    )


# Scales ----------------------------------------------------------------------------------------------------------------


def _scale_is_a_number(settings: Settings) -> Refusal | None:
    if 0 < settings.effective_scale < math.inf and settings.inner_scale > 0:
        return None
    if settings.temperature == 1:
        return Refusal(settings.scale_text, "a step of the score is no number above 0", "score_scale = 0.0625")
    return Refusal(
        settings.scale_text,
        "their quotient must be a finite number above 0",
        "temperature = 1.0" if settings.score_scale > 1e-300 else "score_scale = 0.0625",
    )


def _noise_has_a_table(settings: Settings) -> Refusal | None:
    scale = settings.inner_scale
    if not settings.traits.random or settings.inverse_cdf or FINEST_SAMPLING <= scale <= COARSEST_SAMPLING:
        return None
    coarse = scale > COARSEST_SAMPLING
    return Refusal(
        _with_ensemble(settings, settings.scale_text),
        f"sampling takes {FINEST_SAMPLING:g} to {COARSEST_SAMPLING:g} nats per code step",
        f"score_scale = {_scale(settings, COARSEST_SAMPLING if coarse else FINEST_SAMPLING, up=not coarse)}",
        "mode = 'argmax'" if coarse else "",
    )


def _natural_logarithm_has_a_table(settings: Settings) -> Refusal | None:
    if not settings.traits.logarithmic:
        return None
    steps, scale = (1 << settings.inner_width) - 1, settings.inner_scale
    if scale * steps > NATURAL_RANGE or scale > NATURAL_STEP:
        return Refusal(
            f"{_with_ensemble(settings, settings.scale_text)} and score_width = {settings.score_width}",
            f"the scores would span {scale * steps:.6g} nats; at most {NATURAL_RANGE} in steps of at most {NATURAL_STEP} have a "
            "table of logarithms",
            f"score_scale = {_scale(settings, min(NATURAL_STEP, NATURAL_RANGE / steps))}",
        )
    if settings.probability_width + settings.guard_width > LOGARITHM_LIMIT:
        return Refusal(
            f"probability_width = {settings.probability_width}, guard_bits = {settings.guard_width}",
            f"their sum must be at most {LOGARITHM_LIMIT}, because the table of logarithms has 2^(P + k − 2) entries",
            f"probability_width = {LOGARITHM_LIMIT - settings.guard_width}",
        )
    return None


def _entropy_has_tables(settings: Settings) -> Refusal | None:
    if not settings.traits.entropy:
        return None
    precision = settings.probability_width + settings.guard_width
    for keys, fits, reason, remedy in (
        (("score_width", "mode", *(["ensemble"] if settings.sums_scores else [])), settings.inner_width <= DIRECT_WIDTH,
         f"a table of each exponential times its position takes scores of at most {DIRECT_WIDTH} bits",
         f"score_width = {DIRECT_WIDTH - (settings.inner_width - settings.score_width)}"),
        (("accumulator", "mode"), settings.accumulator in ("auto", "absolute"),
         "the mean position is the quotient of two exact sums", "accumulator = 'auto'"),
        (("probability_width", "guard_bits"), precision <= LOGARITHM_LIMIT + 1,
         f"the table of logarithms has 2^(P + k − 3) entries, with P + k = {precision} of at most {LOGARITHM_LIMIT + 1}",
         f"probability_width = {LOGARITHM_LIMIT + 1 - settings.guard_width}"),
    ):  # fmt: skip
        if not fits:
            return Refusal(_settings_text(settings, *keys), reason, remedy)
    return None


def _with_ensemble(settings: Settings, text: str) -> str:
    """The text, and the ensemble where its sums have finer steps than the scores."""
    if not settings.sums_scores:
        return text
    return f"{text} {'and' if ' with ' in text else 'with'} ensemble = {settings.ensemble}"


# Selection -------------------------------------------------------------------------------------------------------------


def _selection_has_competitors(settings: Settings) -> Refusal | None:
    if settings.selects_smallest and settings.traits.independent:
        return Refusal(
            _settings_text(settings, "select", "mode"),
            "each score has a result by itself, so none is selected",
            "select = 'largest'",
        )
    if settings.last_wins and not settings.traits.names_winner:
        reason = "a draw decides among equal scores" if settings.traits.random else "no result names a winner"
        return Refusal(_settings_text(settings, "tie", "mode"), reason, "tie = 'first'")
    return None


def _confidence_has_a_winner(settings: Settings) -> Refusal | None:
    if settings.confidence == "none":
        return None
    for name, fits, reason, remedy, alternative in (
        ("mode", settings.traits.one_winner, "no beat names one winner of a vector", "confidence = 'none'",
         "mode = 'argmax'"),
        ("winner", not settings.drops_winner, "it accompanies the winner", "winner = true", ""),
        ("ensemble_mean", not settings.averages_probabilities, "a mean of probabilities has no score",
         "ensemble_mean = 'logits'", ""),
    ):  # fmt: skip
        if not fits:
            return Refusal(_settings_text(settings, "confidence", name), reason, remedy, alternative)
    return None


# Lanes, groups, clip -----------------------------------------------------------------------------------------------------


def _lanes_are_used(settings: Settings) -> Refusal | None:
    if settings.lanes < 2 * settings.max_length:
        return None
    return Refusal(
        f"lanes = {settings.lanes}",
        f"must be below 2 · max_length = {2 * settings.max_length}, because more would never be used",
        f"lanes = {1 << ceil_log2(settings.max_length)}",
    )


def _groups_fit(settings: Settings) -> Refusal | None:
    if not settings.groups:
        return None
    groups, longest = f"groups = {list(settings.groups)}", max(settings.groups)
    if settings.traits.groups_refusal:
        return Refusal(
            f"{groups} with mode = {settings.mode!r}", settings.traits.groups_refusal, "mode = 'softmax'", "groups = []"
        )
    if settings.inverse_cdf:
        return Refusal(
            f"{groups} with sampler = 'inverse_cdf'", "a packet has one draw, not one per group", "sampler = 'gumbel'"
        )
    if settings.ensemble > 1:
        return Refusal(
            f"{groups} with ensemble = {settings.ensemble}", "the members of a group are a packet apart", "ensemble = 1"
        )
    if longest != settings.max_length:
        return Refusal(
            f"max_length = {settings.max_length} with {groups}", "must be the longest group", f"max_length = {longest}"
        )
    common = math.gcd(*settings.groups)
    if common % settings.lanes:
        return Refusal(
            f"lanes = {settings.lanes} with {groups}",
            "a beat holds elements of one group, so every size must be a multiple of lanes",
            f"lanes = {common & -common & 31 or 32}",
        )
    return None


def _clip_leaves_scores_apart(settings: Settings) -> Refusal | None:
    low, high = settings.score_format.minimum, settings.score_format.maximum
    if settings.clip_minimum >= high:
        key, value = "clip_minimum", low
    elif settings.clip_maximum <= low:
        key, value = "clip_maximum", high
    elif settings.clip_minimum >= settings.clip_maximum:
        key, value = "clip_minimum", low
    else:
        return None
    return Refusal(
        f"{key} = {getattr(settings, key)}",
        f"must leave scores apart, with clip_minimum below clip_maximum, of the codes from {low} to {high}",
        f"{key} = {value}",
    )


def _clip_fits(settings: Settings) -> Refusal | None:
    if not settings.clips:
        return None
    key = "clip_minimum" if settings.clip_minimum > settings.score_format.minimum else "clip_maximum"
    for name, fits, value, reason in (
        ("mode", settings.traits.normalised, "'softmax'", "clipping changes the exponentials of softmax"),
        ("score_width", settings.score_width <= DIRECT_WIDTH, DIRECT_WIDTH, "the entries of a table by score hold it"),
        ("accumulator", not settings.two_pass, "'auto'", "the table of two passes is one of differences"),
        ("temperature_bits", not settings.temperature_bits, 0, "the product with a temperature is no score code"),
        ("ensemble", not settings.sums_scores, 1, "the sum takes the members' scores as they are"),
    ):
        if not fits:
            return Refusal(_settings_text(settings, key, name), reason, f"{name} = {value}")
    return None


# Codes of probabilities --------------------------------------------------------------------------------------------------


def _codes_are_probabilities(settings: Settings) -> Refusal | None:
    """Modes without any codes ignore the keys, so that one configuration serves argmax and softmax alike."""
    if not settings.recodes or settings.traits.probabilities or not settings.traits.has_codes:
        return None
    key = "output_levels" if settings.rescales else "output_zero_point"
    reason = "its results are logarithms, in steps of 2^−P"
    if settings.traits.exponentials:
        reason = "the user divides its codes by their sum, so a common factor cancels and a zero point would not"
    if settings.traits.cumulative:
        reason = "the last cumulative code is 2^P"
    if settings.traits.entropy:
        reason = "an entropy is no probability, and its codes are bits in steps of 2^−P"
    return Refusal(_settings_text(settings, key, "mode"), reason, "mode = 'softmax'", f"{key} = 0")


def _levels_fit(settings: Settings) -> Refusal | None:
    limit = 1 << settings.probability_width
    if settings.levels <= limit or not settings.traits.probabilities:
        return None
    return Refusal(
        _settings_text(settings, "output_levels", "probability_width"),
        f"a step of a code must not be finer than 2^−P, so at most {limit} levels are possible",
        f"output_levels = {limit - 1}",
        f"probability_width = {ceil_log2(settings.levels)}",
    )


# Stages behind the head --------------------------------------------------------------------------------------------------


def _post_stage(settings: Settings) -> str:
    """The key that asks for the first stage behind the head; empty where there is none."""
    if settings.averages_probabilities:
        return "ensemble_mean"
    return "smoothing" if settings.smooths else "probability_floor" if settings.probability_floor else ""


def _smoothing_sees_its_neighbours(settings: Settings) -> Refusal | None:
    if settings.smooths and settings.lanes > 1:
        return Refusal(f"smoothing with lanes = {settings.lanes}", "takes one element after the other", "lanes = 1")
    if settings.smooths and settings.mask:
        return Refusal(
            "smoothing with mask = true", "an excluded class would get a share of its neighbours", "mask = false"
        )
    return None


def _floor_sees_no_mask(settings: Settings) -> Refusal | None:
    if not (settings.probability_floor and settings.mask):
        return None
    return Refusal(
        "probability_floor with mask = true",
        "behind the sum nothing distinguishes an excluded class from an unlikely one",
        "mask = false",
    )


def _post_stages_have_probabilities(settings: Settings) -> Refusal | None:
    stage = _post_stage(settings)
    if stage and not settings.traits.softmax:
        return Refusal(
            f"{stage} with mode = {settings.mode!r}", "takes the probabilities of softmax", "mode = 'softmax'"
        )
    if stage and settings.normaliser == "none":
        return Refusal(
            f"{stage} with normaliser = 'none'", "takes the probabilities of softmax", "normaliser = 'divider'"
        )
    return None


def _guard_bits_between_stages(settings: Settings) -> Refusal | None:
    stage = _post_stage(settings)
    if settings.guarded_bits >= 2:
        return None
    if not stage and settings.rescales and settings.two_pass:
        return Refusal(
            _settings_text(settings, "output_levels", "probability_width", "guard_bits"),
            f"probabilities need 2 more guard bits before they are rescaled, and have at most {WIDEST_PROBABILITY} bits",
            "guard_bits = 4" if settings.probability_width <= WIDEST_PROBABILITY - 3 else "output_levels = 0",
        )
    if not stage:
        return None
    key, value = ("guard_bits", 4) if settings.guard_width < 3 else ("probability_width", WIDEST_PROBABILITY - 2)
    return Refusal(
        f"{key} = {getattr(settings, key)} with {stage}",
        f"probabilities need 2 more guard bits between the stages, and have at most {WIDEST_PROBABILITY} bits",
        f"{key} = {value}",
    )


def _floor_leaves_something(settings: Settings) -> Refusal | None:
    floor, length = settings.probability_floor, settings.max_length
    if floor * length >= 1:
        return Refusal(
            f"probability_floor = {floor}",
            f"must be a number from 0 to below 1 / max_length = {1 / length:.3g}, so that the floors of all classes leave "
            "something",
            f"probability_floor = {0.5 / length:.3g}",
        )
    fraction = settings.probability_width + settings.guarded_bits
    if floor and settings.floor_code * length >= 1 << fraction:
        return Refusal(
            f"probability_floor = {floor} with max_length = {length}",
            f"the floors of all classes must leave something, and this one becomes {settings.floor_code}·2^−{fraction}",
            f"probability_floor = {0.5 / length:.3g}",
        )
    return None


# Sums of codes -----------------------------------------------------------------------------------------------------------


def _sum_is_of_all_elements(settings: Settings) -> Refusal | None:
    """Modes without probabilities ignore the keys, and so does hardmax, whose only probability is 1."""
    traits = settings.traits
    if not traits.probabilities or traits.softmax or traits.one_hot:
        return None
    reason = (
        "the probabilities of the K best are parts of a sum"
        if traits.top_k
        else "each score has a probability by itself"
    )
    for name, value in (("sum", "'rounded'"), ("minimum_code", "0")):
        if getattr(settings, name) != getattr(Settings, name):
            return Refusal(_settings_text(settings, name, "mode"), reason, f"{name} = {value}", "mode = 'softmax'")
    return None


def _exact_sum_fits(settings: Settings) -> Refusal | None:
    if settings.minimum_code and settings.traits.softmax and not settings.exact_sum:
        return Refusal(
            _settings_text(settings, "minimum_code", "sum"),
            "a minimum of every code takes from the others what it adds, which an exact sum alone does",
            "sum = 'exact'",
            "minimum_code = 0",
        )
    if not settings.exact_sum:
        return None
    post = _post_stage(settings)
    for name, fits, reason, remedy, alternative in (
        (post, not post, "a stage behind the codes would change their sum", f"{_switched_off(post)}",
         "minimum_code = 1 instead" if post == "probability_floor" else ""),
        ("normaliser", settings.division in EXACT_DIVISIONS, "the running sum of exponentials is divided by their sum",
         "normaliser = 'divider'", "normaliser = 'reciprocal'"),
        ("accumulator", settings.accumulator in ("auto", "absolute"),
         "both passes must add up to the same sum, so it is exact", "accumulator = 'auto'", ""),
        ("output_levels", not settings.rescales, "the codes sum to 2^P", "output_levels = 0", ""),
        ("output_zero_point", settings.output_zero_point == 0, "a zero point would add itself to the sum for each element",
         "output_zero_point = 0", ""),
        ("probability_format", settings.holds_one, "the only element of a vector has the code 2^P",
         "probability_format = 'UQ1'", ""),
    ):  # fmt: skip
        if not fits:
            return Refusal(
                _settings_text(settings, name, "mode" if settings.traits.cumulative else "sum"),
                reason,
                remedy,
                alternative,
            )
    most = (1 << settings.probability_width) // settings.max_length
    if settings.minimum_code > most:
        return Refusal(
            _settings_text(settings, "minimum_code", "max_length", "probability_width"),
            f"the minimum codes of all elements must not exceed their sum, 2^{settings.probability_width}",
            f"minimum_code = {most}" if most else f"probability_width = {ceil_log2(settings.max_length)}",
        )
    return None


def _switched_off(stage: str) -> str:
    """The key that switches a stage behind the head off."""
    return {"smoothing": "smoothing = []", "ensemble_mean": "ensemble_mean = 'logits'"}.get(
        stage, "probability_floor = 0.0"
    )


# Sinks -------------------------------------------------------------------------------------------------------------------


def _sink_fits(settings: Settings) -> Refusal | None:
    if not settings.has_sink:
        return None
    for name, fits, reason, remedy, alternative in (
        ("mode", settings.traits.takes_sink, "softmax and log-softmax alone share a sum with it", "sink = 'none'",
         "mode = 'softmax'"),
        ("sum", not settings.exact_sum, "the codes of the elements sum to less than 2^P", "sum = 'rounded'", ""),
        ("normaliser", settings.division != "none", "a power of two is no share of the sum", "normaliser = 'divider'", ""),
        ("accumulator", settings.accumulator in ("auto", "absolute"), "the exact sum of a vector begins with it",
         "accumulator = 'auto'", ""),
        ("temperature_bits", not settings.temperature_bits, "its score is that of the tables, without a product",
         "temperature_bits = 0", ""),
        ("ensemble", not settings.sums_scores, "the sum of the members' scores has none", "ensemble = 1", ""),
        ("groups", not (settings.sink_per_vector and settings.groups), "a packet brings one score, and has several vectors",
         "groups = []", "sink = 'fixed'"),
        ("ensemble", not settings.sink_per_vector or settings.ensemble == 1, "a vector brings one score, and a mean has several",
         "ensemble = 1", "sink = 'fixed'"),
    ):  # fmt: skip
        if not fits:
            return Refusal(_settings_text(settings, "sink", name), reason, remedy, alternative)
    if settings.sink_per_vector:
        return None
    low, high = settings.score_format.minimum, settings.score_format.maximum
    if low <= settings.sink_code <= high:
        return None
    return Refusal(
        f"sink_code = {settings.sink_code}",
        f"must be one of the score codes, {low} to {high}",
        f"sink_code = {low if settings.sink_code < low else high}",
    )


# Temperatures, ensembles -------------------------------------------------------------------------------------------------


def _temperature_bits_fit(settings: Settings) -> Refusal | None:
    if not settings.temperature_bits:
        return None
    bits = f"temperature_bits = {settings.temperature_bits}"
    if not settings.traits.vector_temperature:
        ordered = settings.traits.order_only
        return Refusal(
            f"{bits} with mode = {settings.mode!r}",
            "the order does not depend on a temperature"
            if ordered
            else "softmax, its logarithms and draws alone take it",
            "temperature_bits = 0",
            "mode = 'softmax'",
        )
    for name, value, plural in (
        ("ensemble", settings.ensemble if settings.ensemble > 1 else None, "vector has one code, and a mean several"),
        ("groups", list(settings.groups) or None, "packet has one code, and several vectors"),
    ):
        if value is not None:
            return Refusal(
                f"{bits} with {name} = {value}", f"each {plural}", "temperature_bits = 0", "temperature for all"
            )
    narrow = "accumulator" if settings.two_pass else "normaliser" if settings.division == "logarithm" else ""
    widest = DIRECT_WIDTH if narrow else WIDEST_SCORE
    if settings.inner_width <= widest:
        return None
    fewer = widest - settings.score_width
    remedy = f"temperature_bits = {fewer}"
    if fewer <= 0:
        remedy = f"score_width = {widest - settings.temperature_bits}"
        if narrow:
            remedy = "accumulator = 'auto'" if narrow == "accumulator" else "normaliser = 'divider'"
    return Refusal(
        _settings_text(settings, "temperature_bits", "score_width", *([narrow] if narrow else [])),
        f"their product has {settings.inner_width} bits, at most {widest} are taken",
        remedy,
    )


def _ensemble_fits(settings: Settings) -> Refusal | None:
    if settings.ensemble == 1:
        return None
    if settings.mask:
        return Refusal(
            f"ensemble = {settings.ensemble} with mask",
            "an element that one member excludes and another does not has no mean",
            "mask = false",
        )
    more = settings.inner_width - settings.score_width
    widest = settings.widest_score
    if settings.sums_scores and settings.inner_width > widest:
        return Refusal(
            _settings_text(settings, "ensemble", "score_width"),
            f"sums of scores have {more} bits more, {widest} at most",
            f"score_width = {widest - more}",
            "ensemble_mean = 'probabilities'" if settings.traits.softmax and settings.normaliser != "none" else "",
        )
    return None


# Accumulators, normalisers, sampling -------------------------------------------------------------------------------------


def _two_pass_fits(settings: Settings) -> Refusal | None:
    if settings.accumulator != "two_pass":
        return None
    if not settings.traits.two_pass:
        return Refusal(
            _settings_text(settings, "accumulator", "mode"), "softmax alone has two passes", "accumulator = 'auto'"
        )
    if not settings.two_pass:
        return None
    for keys, fits, reason, remedy, alternative in (
        (("accumulator", "normaliser"), settings.division == "divider", "each element is divided by the sum",
         "normaliser = 'divider'", ""),
        (("accumulator", "score_width", *(["ensemble"] if settings.sums_scores else [])),
         settings.inner_width <= DIRECT_WIDTH,
         f"one table holds every difference of scores of at most {DIRECT_WIDTH} bits", "accumulator = 'auto'", ""),
        (("accumulator", "probability_width"), settings.probability_width >= TWO_PASS_FRACTION,
         f"takes at least {TWO_PASS_FRACTION} fraction bits", f"probability_width = {TWO_PASS_FRACTION}", ""),
        (("lanes", "accumulator"), settings.lanes == 1, "takes one element after the other", "lanes = 1", ""),
        (("per_vector", "accumulator"), settings.per_vector == "serial", "takes one vector after the other",
         "per_vector = 'serial'", ""),
    ):  # fmt: skip
        if not fits:
            return Refusal(_settings_text(settings, *keys), reason, remedy, alternative)
    return None


def _inexact_sum_takes_one_lane(settings: Settings) -> Refusal | None:
    sums = {"reference": "against a running reference", "two_windows": "in two windows"}
    if settings.accumulator not in sums or settings.lanes == 1 or not settings.sums or settings.inverse_cdf:
        return None
    return Refusal(
        _settings_text(settings, "lanes", "accumulator"),
        f"the sum {sums[settings.accumulator]} depends on the order of additions and takes one element after the other",
        "lanes = 1",
        "accumulator = 'auto'",
    )


def _logarithm_has_a_table(settings: Settings) -> Refusal | None:
    if settings.division != "logarithm":
        return None
    if settings.inner_width > DIRECT_WIDTH:
        return Refusal(
            _settings_text(settings, "normaliser", "score_width", *(["ensemble"] if settings.sums_scores else [])),
            f"takes scores of at most {DIRECT_WIDTH} bits",
            "normaliser = 'reciprocal'",
        )
    if settings.probability_width + settings.guard_width > LOGARITHM_LIMIT:
        return Refusal(
            f"{_settings_text(settings, 'normaliser', 'probability_width')}, guard_bits = {settings.guard_width}",
            f"their sum must be at most {LOGARITHM_LIMIT}, because the table has 2^(P + k − 1) entries",
            "normaliser = 'divider'",
        )
    return None


def _ranked_draw_fits(settings: Settings) -> Refusal | None:
    if not settings.traits.random:
        return None
    switched_off = {"draw_top_p": 1.0, "draw_min_p": 0.0, "draw_sideband": False}
    bounds = [name for name, off in switched_off.items() if getattr(settings, name) != off]
    if not settings.draw_top_k:
        if not bounds:
            return None
        off = "false" if bounds[0] == "draw_sideband" else switched_off[bounds[0]]
        return Refusal(
            _settings_text(settings, bounds[0], "draw_top_k"),
            "the set is a part of the ordered list of the K best, and there is none",
            "draw_top_k = 16",
            f"{bounds[0]} = {off}",
        )
    if settings.draw_sideband and len(bounds) > 1:
        return Refusal(
            _settings_text(settings, bounds[0], "draw_sideband"),
            "each vector brings the bound itself",
            f"{bounds[0]} = {switched_off[bounds[0]]}",
            "draw_sideband = false",
        )
    if settings.draw_sideband and settings.ensemble > 1:
        return Refusal(
            _settings_text(settings, "draw_sideband", "ensemble"),
            "each vector brings its bounds, and a mean several vectors",
            "draw_sideband = false",
        )
    if settings.groups:
        return Refusal(
            f"draw_top_k = {settings.draw_top_k} with groups = {list(settings.groups)}",
            "the K best elements are those of a packet",
            "groups = []",
        )
    if settings.ranked_length > LARGEST_LIST:
        return Refusal(
            _settings_text(settings, "draw_top_k", bounds[0]),
            f"one element more tells whether the set is truncated, and a list holds at most {LARGEST_LIST}",
            f"draw_top_k = {LARGEST_LIST - 1}",
        )
    if settings.draws_share and settings.normaliser == "none":
        return Refusal(
            _settings_text(settings, "draw_sideband" if settings.draw_sideband else "draw_top_p", "normaliser"),
            "probabilities are added up, not multiples of them",
            "normaliser = 'auto'",
        )
    return _list_fits(settings) if settings.draws_share else None


def _list_fits(settings: Settings) -> Refusal | None:
    """The rules of the Top-K softmax, on the scores that it takes."""
    scores = {
        "score_width": settings.inner_width,
        "score_scale": settings.inner_scale_with(settings.score_scale) * settings.temperature,
        "score_zero_point": 0,
        "temperature_bits": 0,
        "ensemble": 1,
    }
    values = {name: getattr(settings, name) for name in Settings.__dataclass_fields__}
    ranked = Settings(**_plain_values({**values, **settings.ranked_keys(), **scores}))
    refusal = next((refusal for rule in RULES if (refusal := rule(ranked)) is not None), None)
    if refusal is None:
        return None
    share = _settings_text(settings, "draw_sideband" if settings.draw_sideband else "draw_top_p")
    return replace(refusal, settings=refusal.settings.replace(f"mode = {quoted(ranked.mode)}", share))


def _plain_values(values: dict[str, Any]) -> dict[str, Any]:
    """The values as the constructor takes them: lists in the place of tuples."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _draws_fit(settings: Settings) -> Refusal | None:
    if not settings.traits.random:
        return None
    if not settings.inverse_cdf:
        if settings.lanes == 1 or settings.ranked_draw:
            return None
        return Refusal(
            _settings_text(settings, "lanes", "mode"),
            "sampling takes one random word per element, one after the other",
            "lanes = 1",
        )
    for name, fits, reason, remedy, alternative in (
        ("lanes", settings.lanes == 1 or settings.ranked_draw, "the running sum is compared element by element",
         "lanes = 1", ""),
        ("per_vector", settings.per_vector == "serial", "the random share of a vector's sum takes its steps",
         "per_vector = 'serial'", "sampler = 'gumbel', which takes vectors of any length without a bubble"),
        ("accumulator", settings.accumulator not in ("reference", "two_windows"),
         "both passes must add up to the same sum, so it is exact", "accumulator = 'auto'", ""),
    ):  # fmt: skip
        if not fits:
            return Refusal(_settings_text(settings, name, "sampler"), reason, remedy, alternative)
    return None


def _reference_is_a_code(settings: Settings) -> Refusal | None:
    most = (1 << settings.score_width) - 1
    if not settings.traits.exponentials or settings.reference_offset <= most:
        return None
    return Refusal(
        f"reference_offset = {settings.reference_offset}",
        f"must be from 0 to {most}, a step for each score code of {settings.score_width} bits",
        "reference_offset = 0",
    )


def _zero_point_is_a_code(settings: Settings) -> Refusal | None:
    low, high, zero = settings.score_format.minimum, settings.score_format.maximum, settings.score_zero_point
    zero_point = f"score_zero_point = {zero}"
    if not low <= zero <= high:
        nearest = low if zero < low else high
        return Refusal(
            zero_point,
            f"must be one of the score codes, {low} to {high}, as in every quantised tensor",
            f"score_zero_point = {nearest if settings.inner_width <= SIGMOID_WIDTH else 0}",
        )
    if zero and settings.traits.independent and settings.inner_width > SIGMOID_WIDTH:
        return Refusal(
            f"{zero_point} with score_width = {settings.score_width}",
            f"a sigmoid of more than {SIGMOID_WIDTH} bits has a table of the scores around code 0",
            "score_zero_point = 0",
        )
    return None


RULES: tuple[Rule, ...] = (
    _scores_are_narrow_enough,
    _stored_vector_has_a_memory,
    _scale_is_a_number,
    _selection_has_competitors,
    _confidence_has_a_winner,
    _lanes_are_used,
    _groups_fit,
    _clip_leaves_scores_apart,
    _clip_fits,
    _smoothing_sees_its_neighbours,
    _floor_sees_no_mask,
    _temperature_bits_fit,
    _two_pass_fits,
    _ranked_draw_fits,
    _draws_fit,
    _ensemble_fits,
    _post_stages_have_probabilities,
    _codes_are_probabilities,
    _levels_fit,
    _guard_bits_between_stages,
    _floor_leaves_something,
    _sum_is_of_all_elements,
    _exact_sum_fits,
    _sink_fits,
    _noise_has_a_table,
    _natural_logarithm_has_a_table,
    _entropy_has_tables,
    _logarithm_has_a_table,
    _inexact_sum_takes_one_lane,
    _reference_is_a_code,
    _zero_point_is_a_code,
)
"""All rules, in the order in which they are checked."""
