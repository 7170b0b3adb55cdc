"""Plan of a draw among the best elements: that of the ordered list, the set, and the noise or the random share."""

from dataclasses import replace

from softstream.hw.config.config import Config
from softstream.hw.numbers.ranked_draw import ranked_draw
from softstream.hw.plan.modes.inverse_cdf import inverse_cdf_schedule, share_rows
from softstream.hw.plan.modes.softmax_top_k import SOFTMAX_TOP_K
from softstream.hw.plan.modes.top_k import TOP_K
from softstream.hw.plan.records import Cycles, Plan, StagePlan
from softstream.hw.plan.rows import noise_rows

__all__ = ["SET_LATENCY", "bound_vectors", "ranked_draw_plan"]

SET_LATENCY = 2
"""From an element of the list to whether it belongs to the set: a cycle for sum and difference, one for the comparisons."""


def bound_vectors(config: Config) -> int:
    """Vectors whose bounds wait until their elements leave the list, where no input waits for the output."""
    head = SOFTMAX_TOP_K.plan(ranked_draw(config).ranked)
    waiting = 1 + head.fixed_latency_cycles + head.output_spacing * config.ranked_length + SET_LATENCY
    return waiting // Cycles.largest(head.interval_terms, 1) + 4


def ranked_draw_plan(config: Config) -> Plan:
    """The plan of a draw among the best elements. Raises `UserError` as the plan of the Top-K softmax does."""
    numbers = ranked_draw(config)
    head = (SOFTMAX_TOP_K if config.draws_share else TOP_K).plan(numbers.ranked)
    element = f"{config.index_width}-bit index, UQ{config.score_width}.0"
    conditions = [f"r ≤ {numbers.count}"]
    if numbers.vector_bounds:
        conditions = ["r ≤ K", "c_1 + … + c_(r−1) < p·2^P", "s·(x_1 − x_r) ≤ −ln min_p"]
    if numbers.share is not None:
        conditions.append(f"c_1 + … + c_(r−1) < {numbers.share}")
    if numbers.distance is not None:
        conditions.append(f"x_1 − x_r ≤ {numbers.distance}")
    note = "exact"
    if config.draws_share:
        note = f"the set of a p that is off by at most {float(numbers.share_error):.2g}"
    draw_set = StagePlan(
        "draw_set", f"r = 1, or {' and '.join(conditions)}", head.stages[-1].output_format, element, SET_LATENCY,
        "1 element/cycle", note=note,
    )  # fmt: skip
    return (_shared if config.inverse_cdf else _noisy)(config, head, draw_set)


def _noisy(config: Config, head: Plan, draw_set: StagePlan) -> Plan:
    """The plan of a draw by Gumbel noise behind the ordered list."""
    noise = ranked_draw(config).noise
    rows = [draw_set, *noise_rows(config.replace(lanes=1), noise)]
    draw = rows[-1].output_format
    rows.append(StagePlan("skid", "draw held until accepted", draw, draw, 1, "1 vector/cycle"))
    listed = _behind_list(config, head, rows, sum(row.latency_cycles for row in rows))
    return replace(listed, distance=noise.bound, smallest=noise.smallest, class_error=noise.class_error)


def _shared(config: Config, head: Plan, draw_set: StagePlan) -> Plan:
    """The plan of a draw by a random share of the sum over the set, behind the ordered list."""
    numbers = ranked_draw(config)
    law, cycles = numbers.law, inverse_cdf_schedule(numbers.among)
    element = draw_set.output_format
    skid = StagePlan("skid", "elements held until accepted", element, element, 1, "1 element/cycle")
    # The elements come as positions, so they need no framing.
    _, *shares = share_rows(config, numbers.among)
    rows = [draw_set, skid, *shares]
    latency = SET_LATENCY + skid.latency_cycles + cycles.vector_latency - cycles.sums.frame + cycles.output
    listed = _behind_list(config, head, rows, latency)
    return replace(
        listed,
        interval_terms=(*listed.interval_terms, Cycles(0, cycles.vector_interval)),
        rereads=True,
        distance=float(law.bound),
        smallest=float(law.smallest),
        class_error=float(law.class_error),
    )


def _behind_list(config: Config, head: Plan, rows: list[StagePlan], latency: int) -> Plan:
    """The plan of the list's head with the rows of a draw behind it, but for the law of the draw."""
    latency += head.fixed_latency_cycles
    return replace(
        head,
        config=config,
        # The list has no error of its own in the result, which is an index.
        stages=(*(replace(row, bound_share_ulp=0.0) for row in head.stages), *rows),
        fixed_latency_cycles=latency,
        best_latency_cycles=latency,
        bound=None,
        ranks=config.ranked_length,
    )
