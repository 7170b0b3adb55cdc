"""Plan of the entropy: the winner of each vector, and the bits of uncertainty of its probabilities."""

from dataclasses import replace
from fractions import Fraction

from softstream.hw.config.config import Config
from softstream.hw.numbers.entropy import entropy_bound, entropy_numerics
from softstream.hw.plan.fields import Field, Output, winner_output
from softstream.hw.plan.normalisers.entropy_code import entropy_code_row
from softstream.hw.plan.records import Cycles, ModePlan, Plan
from softstream.hw.plan.rows import serial_term, sum_rows
from softstream.hw.plan.schedule import schedule
from softstream.hw.plan.stage_cycles import QUEUE_LATENCY, even_segments

__all__ = ["ENTROPY", "moment_segments"]


def moment_segments(config: Config) -> tuple[int, ...]:
    """Widths of the segments of the sum of products with positions: as many as those of the sum, so that both end together."""
    width, count = entropy_numerics(config).moment.accumulator_width, len(schedule(config).segments)
    return even_segments(width, -(-width // count))


def _plan(config: Config) -> Plan:
    numbers, cycles, limits = entropy_numerics(config), schedule(config), entropy_bound(config)
    rows = []
    for row in sum_rows(config, numbers.widths, cycles, Fraction(0), True):
        if row.name == "exponential":
            moment = config.lanes * sum(
                len(numbers.moment.tables.high) * width
                for width in (numbers.moment.significand_width + numbers.widths.tables.exponent_maximum,)
            )
            row = replace(
                row, computes=f"{row.computes}; its product with i from another", table_bits=row.table_bits + moment
            )
        if row.name == "accumulate":
            row = replace(
                row,
                computes=f"{row.computes}; Σ of the products",
                output_format=f"{row.output_format}, {numbers.moment.accumulator_format}",
            )
        rows.append(row)
    constant = cycles.vector_latency + QUEUE_LATENCY - 1
    return Plan(
        config=config,
        stages=(*rows, entropy_code_row(config, numbers, limits)),
        fixed_latency_cycles=constant,
        best_latency_cycles=constant,
        interval_terms=(Cycles(1), *serial_term(cycles.vector_interval)),
        output_spacing=1,
        bound=limits,
        warnings=(),
    )


def _outputs(config: Config) -> tuple[Output, ...]:
    form = entropy_numerics(config).format
    winner = winner_output(config, "m_axis", "o")
    code = Field(
        "entropy", "entropies", form.width, "entropy code of the vector's probabilities, in bits", form=str(form)
    )
    flags = tuple(
        replace(flag, meaning=f"{flag.meaning}, and an entropy of 0") if flag.name == "all_masked" else flag
        for flag in winner.flags
    )
    return (replace(winner, fields=(*winner.fields, code), noun="winner and entropy", flags=flags),)


ENTROPY = ModePlan(_plan, _outputs)
