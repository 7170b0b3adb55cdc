"""What options add to a plan: rows of the stages before and behind a head, and the cycles of ensembles."""

from collections.abc import Callable
from dataclasses import replace

from softstream.hw.config.config import Config
from softstream.hw.formats import QFormat
from softstream.hw.numbers.composition import Composition
from softstream.hw.numbers.ensemble import mean_format
from softstream.hw.numbers.floor import floor_code, floor_warning
from softstream.hw.numbers.smoothing import smoothing_tables
from softstream.hw.numbers.temperature import range_text
from softstream.hw.plan.ensemble import best_mean_latency, mean_latency
from softstream.hw.plan.floor import floor_latency
from softstream.hw.plan.records import Plan, StagePlan, beats_text, each_cycle
from softstream.hw.plan.schedule import QUEUE_LATENCY, memory_cycles
from softstream.hw.plan.smoothing import smoothing_latency
from softstream.hw.plan.temperature import product_cycles

__all__ = ["FRONT_ROWS", "POST_ROWS", "ensemble_times", "post_warnings"]


def ensemble_times(config: Config, found: Plan) -> Plan:
    """The times of a head for the ensembles of a mean around it, but for the latency that the mean itself adds.

    In front of it a beat of each member is taken in every cycle; behind it, as the head takes them.
    """
    beats, members = beats_text(config), config.ensemble
    if config.ensemble_mean == "probabilities":
        slope = found.passes + found.output_spacing
        return replace(
            found,
            lead_terms=_times(members - 1, beats, found.interval_terms),
            interval_terms=_times(members, beats, found.interval_terms),
            best_passes=slope,
            # From the last member's last probability, which stands for its winner, through the skid.
            best_latency_cycles=found.fixed_latency_cycles - found.output_spacing + best_mean_latency(config) + 1,
        )
    steady = (f"{members}{beats}", members, 0)
    slower = tuple(term for term in found.interval_terms if term[2] or term[1] > members)
    return replace(
        found,
        lead_terms=((beats, members - 1, 0),),
        interval_terms=(steady, *slower),
        # The flags go beside the head, through a queue.
        best_latency_cycles=max(found.best_latency_cycles, QUEUE_LATENCY - 1),
    )


def _times(count: int, beats: str, terms: tuple[tuple[str, int, int], ...]) -> tuple[tuple[str, int, int], ...]:
    """Terms of formulas, each that many times."""
    found = []
    for _, a, b in terms:
        slope, constant = count * a, count * b
        parts = [f"{slope if slope > 1 else ''}{beats}"] * (a > 0) + [f"{constant}"] * (b > 0)
        found.append((" + ".join(parts), slope, constant))
    return tuple(found)


def _mean_probabilities_row(config: Config, inner: Config) -> StagePlan:
    form = f"{inner.probability_qformat}"
    return StagePlan(
        "mean_probabilities",
        f"Σ of the probabilities of {config.ensemble} members, over {config.ensemble}; first index of the largest sum",
        form,
        form,
        mean_latency(config, inner),
        each_cycle(config),
        note=f"sums exact, {mean_format(config, inner)}, with a memory of {config.beats(config.max_length)}",
    )


def _mean_logits_row(config: Config, after: Config) -> StagePlan:
    return StagePlan(
        "mean_logits",
        f"Σ of the scores of {config.ensemble} members, in steps of {after.score_scale:.4g} nats; cut at max_length",
        f"{config.score_format}",
        f"{after.score_format}",
        memory_cycles(config) + 3,
        each_cycle(config),
        note=f"exact, with a memory of {config.beats(config.max_length)} sums",
    )


def post_warnings(config: Config, parts: Composition) -> list[str]:
    found = floor_warning(config, parts.inner) if "floor" in parts.posts else None
    return [] if found is None else [found]


def _smoothing_row(config: Config, inner: Config) -> StagePlan:
    tables, form = smoothing_tables(config, inner), f"{inner.probability_qformat}"
    computes = "Σ w_k·p_(i+k) / D_(i+k)" if tables.scatter else "Σ w_k·p_(i+k) / D_i"
    times = f", {tables.passes} times" if tables.passes > 1 else ""
    return StagePlan(
        "smoothing",
        f"{computes}, {len(tables.weights)} weights, {len(tables.sums)} values of D{times}",
        form,
        form,
        smoothing_latency(config, inner),
        each_cycle(config),
        tables.passes * tables.bits,
        note="mass preserved" if tables.scatter else "local average",
    )


def _floor_row(config: Config, inner: Config) -> StagePlan:
    form = f"{inner.probability_qformat}"
    code = floor_code(config, inner)
    return StagePlan(
        "floor",
        f"f + (1 − f·N)·p, f = {code}·2^−{inner.probability_width} = {code / (1 << inner.probability_width):.6g}",
        form,
        form,
        floor_latency(config, inner),
        each_cycle(config),
        note="N at run time, counted while the vector comes in",
    )


def _inverse_temperature_row(before: Config, after: Config) -> StagePlan:
    code = QFormat(before.temperature_bits - before.temperature_fraction, before.temperature_fraction)
    return StagePlan(
        "inverse_temperature",
        f"(code − smallest code) · u, exact; {range_text(before)}",
        f"{before.score_format}, {code}",
        f"UQ{after.score_width}.0",
        product_cycles(before) + 1,
        each_cycle(before),
        note="the bound holds for every u",
    )


FRONT_ROWS: dict[str, Callable[[Config, Config], StagePlan]] = {
    "mean_logits": _mean_logits_row,
    "inverse_temperature": _inverse_temperature_row,
}
"""Front stage → its row, of the configurations before and behind it."""

POST_ROWS: dict[str, Callable[[Config, Config], StagePlan]] = {
    "mean_probabilities": _mean_probabilities_row,
    "smoothing": _smoothing_row,
    "floor": _floor_row,
}
"""Post stage → its row, of the outer and the inner configuration."""
