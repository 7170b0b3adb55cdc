"""Plan of softmax with Top-K: the softmax codes of the K largest elements, without the ring of scores."""

from dataclasses import replace

from softstream.hw.config.config import Config
from softstream.hw.numbers.bound import Bound, bound
from softstream.hw.numbers.softmax import numerics
from softstream.hw.plan.fields import Output, probability_field
from softstream.hw.plan.modes.softmax import softmax_rows
from softstream.hw.plan.modes.top_k import (
    insertion_row,
    merge_pause,
    ranked_latency,
    ranked_output,
    ranked_row,
    ranked_vectors,
)
from softstream.hw.plan.records import Cycles, ModePlan, Plan
from softstream.hw.plan.rows import length_warnings, serial_term
from softstream.hw.plan.schedule import Schedule, schedule

__all__ = ["SOFTMAX_TOP_K", "softmax_top_k_plan", "softmax_top_k_vectors"]


def _latency(config: Config, cycles: Schedule) -> int:
    """c of the first element: the sum's way to the factor, a cycle to note it, and the emission.

    The lists are complete before, those of several lanes too.
    """
    emission = cycles.probability + cycles.queue
    # The last of B beats comes B − 1 cycles after the first.
    return cycles.vector_latency + 1 + ranked_latency(config) + cycles.memory - 1 + emission - 1


def softmax_top_k_vectors(config: Config, cycles: Schedule) -> int:
    """Complete vectors that wait at most while no input waits for the output."""
    waiting = cycles.vector_latency + ranked_latency(config) + cycles.quotient_interval * config.top_k
    return waiting // cycles.vector_interval + 4 + cycles.pipelined


def softmax_top_k_plan(config: Config, limits: Bound | None = None) -> Plan:
    """The plan of a softmax with Top-K with `limits`, which are not checked; without them, with the bound, which is."""
    widths, cycles = numerics(config), schedule(config)
    limits = limits or bound(config, widths)
    latency = _latency(config, cycles)
    # The sum and the emission are those of softmax. The list replaces the winner, and the ranked store the ring of scores.
    vectors = ranked_vectors(softmax_top_k_vectors(config, cycles))
    replacements = {
        "maximum": insertion_row(config),
        "replay": ranked_row(config, vectors, 1 + ranked_latency(config) + cycles.memory - 1),
    }
    # The elements leave one after the other.
    rows = softmax_rows(config, widths, cycles, limits, config.replace(lanes=1))
    return Plan(
        config=config,
        stages=tuple(replacements.get(row.name, row) for row in rows),
        fixed_latency_cycles=latency,
        best_latency_cycles=latency,
        interval_terms=(Cycles(1), *serial_term(cycles.vector_interval)),
        output_spacing=cycles.quotient_interval,
        output_pause=merge_pause(config, cycles.quotient_interval),
        bound=limits,
        warnings=tuple(length_warnings(config)),
    )


def _outputs(config: Config) -> tuple[Output, ...]:
    ranked = ranked_output(config)
    code = probability_field(config, "top_probabilities", "its probability code")
    return (replace(ranked, fields=(*ranked.fields, code)),)


SOFTMAX_TOP_K = ModePlan(softmax_top_k_plan, _outputs)
