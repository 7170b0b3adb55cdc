"""The plan of a configuration: what every stage computes, its formats, latency, interval, tables and share of the bound.

Hardware, documents, `describe`, latency tests and reports read the plan; nothing is derived twice.
"""

from dataclasses import replace
from functools import lru_cache

from softstream.hw.config.config import Config, check_config
from softstream.hw.numbers.bound import bound, post_shares, unchecked_bound
from softstream.hw.numbers.composition import Composition, composition
from softstream.hw.numbers.softmax import refusals_of
from softstream.hw.plan.modes import MODE_PLANS
from softstream.hw.plan.modes.softmax import softmax_plan
from softstream.hw.plan.modes.softmax_top_k import softmax_top_k_plan
from softstream.hw.plan.options import OPTION_PLANS
from softstream.hw.plan.options.final_round import final_rows, shift_row
from softstream.hw.plan.options.groups import GROUPS
from softstream.hw.plan.options.no_winner import NO_WINNER
from softstream.hw.plan.options.null_beats import behind_null_beats
from softstream.hw.plan.ports import outputs, top_ports
from softstream.hw.plan.records import Plan, StagePlan
from softstream.hw.plan.rows import length_warnings

__all__ = ["Plan", "StagePlan", "plan"]


def plan(config: Config) -> Plan:
    """The plan of a configuration.

    Raises `UserError` where its error bound exceeds 1 ulp or its accumulator would be too wide, with a value that would do.
    """
    check_config(config)
    return _checked_plan(config)


@lru_cache(maxsize=256)
def _checked_plan(config: Config) -> Plan:
    with refusals_of(config):
        head = _head_plan(config)
    return behind_null_beats(head) if config.reads_tkeep else head


@lru_cache(maxsize=256)
def _head_plan(config: Config) -> Plan:
    """The plan of the head behind the stage `null_beats`, or without it."""
    if NO_WINNER.applies(config):
        head = _head_plan(NO_WINNER.without(config))
    elif GROUPS.applies(config):
        head = _grouped_plan(config)
    else:
        parts = composition(config)
        head = MODE_PLANS[config.mode].plan(config) if parts is None else _composed_plan(config, parts)
    return replace(head, config=config, outputs=outputs(config), ports=top_ports(config))


def _grouped_plan(config: Config) -> Plan:
    """The plan of the head of vectors, each of which is a group."""
    inner = GROUPS.without(config)
    vectors = GROUPS.times(config, _head_plan(inner))
    return replace(vectors, stages=(_row("groups", config, inner), *vectors.stages), vectors=vectors)


def _composed_plan(config: Config, parts: Composition) -> Plan:
    """The plan of the inner head with the rows of the stages around it."""
    posts: list[StagePlan] = []
    if parts.finished:
        head = _guarded_plan(config, parts)
        posts = [*_post_rows(config, parts), *final_rows(config, parts.inner)]
    else:
        head = _head_plan(parts.inner)
        if parts.shifted:
            posts = [shift_row(config)]
    fronts = [_row(front.name, front.before, front.after) for front in parts.fronts]
    for name in (*(front.name for front in parts.fronts), *parts.posts):
        head = OPTION_PLANS[name].times(config, head)
    earlier = _latency(fronts)
    best = head.best_latency_cycles + earlier
    for number, front in enumerate(parts.fronts):
        if front.argmax is not None:
            winner = _head_plan(front.argmax)
            best = winner.fixed_latency_cycles + _latency(fronts[:number])
            maximum = winner.stage("maximum")
            head = replace(head, stages=tuple(maximum if row.name == "maximum" else row for row in head.stages))
    return replace(
        head,
        stages=(*fronts, *head.stages, *posts),
        fixed_latency_cycles=head.fixed_latency_cycles + earlier + _latency(posts),
        best_latency_cycles=best,
        ahead=sum(OPTION_PLANS[name].ahead(config) for name in parts.posts),
    )


def _guarded_plan(config: Config, parts: Composition) -> Plan:
    """The plan of a guarded inner head, with shares in the outer ulp and the bound and warnings of the whole."""
    limits = bound(config)
    scale = config.levels / (1 << parts.inner.probability_width)
    head_plan = softmax_top_k_plan if config.traits.top_k else softmax_plan
    head = head_plan(parts.inner, unchecked_bound(parts.inner))
    warnings = length_warnings(config)
    for name in parts.posts:
        warnings += OPTION_PLANS[name].warnings(config, parts.inner)
    return replace(
        head,
        stages=tuple(replace(row, bound_share_ulp=row.bound_share_ulp * scale) for row in head.stages),
        bound=limits,
        warnings=tuple(warnings),
    )


def _post_rows(config: Config, parts: Composition) -> list[StagePlan]:
    shares = post_shares(config, parts)
    return [replace(_row(name, config, parts.inner), bound_share_ulp=float(share)) for name, share in shares]


def _row(name: str, first: Config, second: Config) -> StagePlan:
    """The row of an option that is a stage."""
    row = OPTION_PLANS[name].row
    assert row is not None
    return row(first, second)


def _latency(rows: list[StagePlan]) -> int:
    return sum(row.latency_cycles for row in rows)
