"""Plan of sampling: by Gumbel noise, or by the inverse of the cumulative distribution."""

from dataclasses import replace

from softstream.hw.config.config import Config
from softstream.hw.numbers.gumbel import gumbel_table
from softstream.hw.plan.fields import Field, Output, substitute_score, vector_flags
from softstream.hw.plan.modes.inverse_cdf import inverse_cdf_plan
from softstream.hw.plan.modes.ranked_draw import ranked_draw_plan
from softstream.hw.plan.records import ModePlan, Plan, StagePlan
from softstream.hw.plan.rows import frame_row, noise_rows, steady_plan
from softstream.hw.plan.stage_cycles import memory_cycles

__all__ = ["SAMPLE", "sample_latency"]

TRUNCATED = Field(
    "truncated",
    "truncated",
    1,
    "the set of the draw has more elements than draw_top_k, and the draw is among the best of it",
)
"""The flag of a vector whose set reaches beyond the ordered list."""


def sample_latency(config: Config) -> int:
    """From the transfer of a vector's last element to that of its draw.

    Framing, the word, its octave, the memory, product, sum, comparison, and a register that may stop.
    """
    return 6 + memory_cycles(config) + (config.profile != "small")


def _plan(config: Config) -> Plan:
    if config.ranked_draw:
        return ranked_draw_plan(config)
    if config.inverse_cdf:
        return inverse_cdf_plan(config)
    noise = gumbel_table(config)
    rows = [frame_row(config), *noise_rows(config, noise)]
    winner = rows[-1].output_format
    if config.profile != "small":
        rows.append(StagePlan("skid", "draw held until accepted", winner, winner, 1, "1 vector/cycle"))
    return replace(steady_plan(config, tuple(rows), sample_latency(config) - 1), distance=noise.bound)


def _outputs(config: Config) -> tuple[Output, ...]:
    score = Field("score", "score", config.score_width, "its score code", config.score_signed)
    if config.temperature_bits:
        # The product takes the place of the score, and the score itself is not stored.
        score = Field("score", "score", config.inner_width, "position of its score times u, the draw's exponent")
    fields = (Field("index", "sample", config.index_width, "index of the class drawn"), score)
    flags = vector_flags(config, f"; index 0 and the {substitute_score(config)} stand for the draw")
    if config.may_truncate:
        flags = (*flags, TRUNCATED)
    return (Output("m_axis", "o", fields, "vector", "draw", flags),)


SAMPLE = ModePlan(_plan, _outputs, passes_ready=lambda config: config.profile == "small" and not config.inverse_cdf)
