"""Plan of sampling: by Gumbel noise, or by the inverse of the cumulative distribution."""

from dataclasses import replace
from functools import partial

from softstream.hw.config.config import Config
from softstream.hw.numbers.gumbel import gumbel_table
from softstream.hw.numbers.ranked_draw import distance_codes, share_codes, share_limit
from softstream.hw.plan.fields import Field, Output, Sideband, substitute_score, vector_flags
from softstream.hw.plan.modes.inverse_cdf import inverse_cdf_plan
from softstream.hw.plan.modes.ranked_draw import ranked_draw_plan
from softstream.hw.plan.records import ModePlan, Plan, StagePlan
from softstream.hw.plan.rows import frame_row, noise_rows, steady_plan
from softstream.hw.plan.stage_cycles import draw_cycles

__all__ = ["SAMPLE", "sample_latency"]

BOUNDS = ("draw_top_k", "draw_top_p", "draw_min_p")
"""The sidebands of a vector that brings the bounds of its draw."""

TRUNCATED = Field(
    "truncated",
    "truncated",
    1,
    "the set of p and min_p has more than K elements, and the draw is among its K best",
)
"""The flag of a vector whose set reaches beyond the ordered list."""


def sample_latency(config: Config) -> int:
    """From the transfer of a vector's last element to that of its draw.

    Framing, the draw, and a register that may stop.
    """
    return 1 + draw_cycles(config, gumbel_table(config).sum_width(config)) + (config.profile != "small")


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
    return replace(
        steady_plan(config, tuple(rows), sample_latency(config) - 1),
        distance=noise.bound,
        smallest=noise.smallest,
        class_error=noise.class_error,
    )


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


def _sidebands(config: Config) -> tuple[Sideband, ...]:
    if not (config.ranked_draw and config.draw_sideband):
        return ()
    limits = (config.draw_top_k, share_limit(config), (1 << config.inner_width) - 1)
    meanings = (
        "K: the draw is among so many elements, and at least among the best",
        f"p in units of 2^−{config.probability_width}, rounded up; {limits[1]}: no bound",
        f"floor(−ln(min_p)/s), s = {config.inner_scale:.4g} nats; {limits[2]}: no bound",
    )
    quantisers = (None, partial(share_codes, config), partial(distance_codes, config))
    return tuple(
        Sideband(
            name, f"{name}s", limit.bit_length(), f"{name}: {meaning}", per="vector", limit=limit, quantise=quantise
        )
        for name, limit, meaning, quantise in zip(BOUNDS, limits, meanings, quantisers, strict=True)
    )


SAMPLE = ModePlan(
    _plan, _outputs, _sidebands, passes_ready=lambda config: config.profile == "small" and not config.inverse_cdf
)
