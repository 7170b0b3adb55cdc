"""The plan of a configuration: what every stage computes, its formats, latency, interval, tables and share of the bound.

Hardware, documents, `describe`, latency tests and reports read the plan; nothing is derived twice.
"""

from dataclasses import replace
from functools import lru_cache

from softstream.hw.config.config import Config
from softstream.hw.numbers.bound import bound, post_shares, unchecked_bound
from softstream.hw.numbers.composition import Composition, composition
from softstream.hw.plan.modes import PLANS, softmax_plan
from softstream.hw.plan.options import FRONT_ROWS, POST_ROWS, ensemble_times, post_warnings
from softstream.hw.plan.ports import top_ports
from softstream.hw.plan.records import Plan, StagePlan, each_cycle
from softstream.hw.plan.rows import length_warnings
from softstream.hw.plan.schedule import QUEUE_LATENCY
from softstream.hw.plan.smoothing import smoothing_ahead

__all__ = ["PLANS", "Plan", "StagePlan", "plan"]


@lru_cache(maxsize=256)
def plan(config: Config) -> Plan:
    """The plan of a configuration.

    Raises `UserError` where its error bound exceeds 1 ulp or its accumulator would be too wide, with a value that would do.
    """
    if config.groups:
        return _grouped_plan(config)
    parts = composition(config)
    return PLANS[config.mode](config) if parts is None else _composed_plan(config, parts)


def _grouped_plan(config: Config) -> Plan:
    """The plan of the head of vectors, each of which is a group."""
    found = plan(config.replace(groups=[]))
    # A winner has to wait for its group's mark, which goes through a queue.
    found = replace(found, best_latency_cycles=max(found.best_latency_cycles, QUEUE_LATENCY - 1))
    code = f"{config.score_format}"
    row = StagePlan(
        "groups",
        f"ends of groups of {', '.join(map(str, config.groups))}, over and over",
        code,
        code,
        0,
        each_cycle(config),
        note="packets' ends and short groups wait beside the head, a mark for each group",
    )
    return replace(found, config=config, stages=(row, *found.stages), ports=top_ports(config), vectors=found)


def _composed_plan(config: Config, parts: Composition) -> Plan:
    """The plan of the inner head with the rows of the stages around it."""
    if not parts.finished:
        found, posts, limits = plan(parts.inner), [], None
    else:
        limits = bound(config)
        scale = 1 / (1 << (parts.inner.probability_width - config.probability_width))
        found = softmax_plan(parts.inner, unchecked_bound(parts.inner))
        found = replace(
            found,
            stages=tuple(replace(row, bound_share_ulp=row.bound_share_ulp * scale) for row in found.stages),
            warnings=(*length_warnings(config), *post_warnings(config, parts)),
        )
        before, after, each = parts.inner.probability_qformat, f"{config.probability_qformat}", each_cycle(config)
        posts = [
            *(
                replace(POST_ROWS[name](config, parts.inner), bound_share_ulp=float(share))
                for name, share in post_shares(config, parts)
            ),
            StagePlan("finish", "rounded half up, saturated", f"{before}", after, 1, each, bound_share_ulp=0.5),
            StagePlan("skid", "probability kept until taken", after, after, 1, each),
        ]
    fronts = [FRONT_ROWS[front.name](front.before, front.after) for front in parts.fronts]
    earlier = sum(row.latency_cycles for row in fronts)
    if config.ensemble > 1:
        found = ensemble_times(config, found)
    best = found.best_latency_cycles + earlier
    for number, front in enumerate(parts.fronts):
        if front.winner is not None:
            winner = plan(front.winner)
            best = winner.fixed_latency_cycles + sum(row.latency_cycles for row in fronts[:number])
            maximum = winner.stage("maximum")
            found = replace(found, stages=tuple(maximum if row.name == "maximum" else row for row in found.stages))
    return replace(
        found,
        config=config,
        stages=(*fronts, *found.stages, *posts),
        ports=top_ports(config),
        fixed_latency_cycles=found.fixed_latency_cycles + earlier + sum(row.latency_cycles for row in posts),
        best_latency_cycles=best,
        bound=limits or found.bound,
        ahead=smoothing_ahead(config) if "smoothing" in parts.posts else 0,
    )
