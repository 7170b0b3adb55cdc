"""The sum of a vector's exponentials: exponential, alignment, sum over the lanes and accumulator, joined."""

from collections.abc import Iterable, Iterator
from functools import reduce
from operator import or_
from typing import Any

from amaranth import Module, Mux, Value
from amaranth.lib import wiring

from softstream.hw.config.config import Config
from softstream.hw.numbers.softmax import Numerics, numerics
from softstream.hw.plan.schedule import schedule
from softstream.hw.plan.stage_cycles import cleared
from softstream.hw.stages.accumulate import Accumulate, Align, LaneSum, edges_layout, term_layout
from softstream.hw.stages.exponential import Exponential, Terms
from softstream.hw.stages.frame import earlier_participant, masks, position_of, takes_part
from softstream.hw.stages.windows import Windows
from softstream.hw.streams.layouts import each_lane, pulse
from softstream.hw.streams.registers import delay

__all__ = ["VectorSum", "accumulator", "lane_terms", "summand_terms", "sum_to_leading_one"]

VectorSum = Accumulate | Windows
"""The stage of the sum: either has the same outputs."""


def accumulator(
    m: Module,
    config: Config,
    terms: Iterable[Any],
    *,
    prefix: str = "",
    widths: Numerics | None = None,
    segments: tuple[int, ...] | None = None,
) -> VectorSum:
    """The accumulator of the lanes' `lane_terms`; its sum is complete after the schedule's `sum_latency`.

    A second sum has a `prefix` of its submodules, and its own `widths` and as many `segments`.
    """
    widths, cycles = widths or numerics(config), schedule(config)
    if cycles.windows:
        accumulate: VectorSum = Windows(widths, cycles.segments, cycles.windows, pipelined=cycles.pipelined)
    else:
        parts = segments or cycles.segments
        accumulate = Accumulate(
            widths, parts, 1 << cycles.merge, cleared=cleared(config, widths), uniform=config.profile == "fast"
        )
    m.submodules[f"{prefix}accumulate"] = accumulate
    lane_streams = list(terms)
    if len(lane_streams) == 1:
        wiring.connect(m, lane_streams[0], accumulate.i)
        return accumulate
    m.submodules[f"{prefix}lane_sum"] = lane_sum = LaneSum(widths, 1 << cycles.merge)
    wiring.connect(m, lane_streams[0], lane_sum.i)
    m.d.comb += [lane_sum.others[lane].eq(other.payload.term) for lane, other in enumerate(lane_streams[1:])]
    wiring.connect(m, lane_sum.o, accumulate.i)
    return accumulate


def lane_terms(
    m: Module,
    config: Config,
    lane: int,
    framed: Any,
    element: Value,
    *,
    prefix: str = "",
    widths: Numerics | None = None,
) -> Any:
    """The stream of a lane's terms, one for each framed beat that `element` marks.

    The term is 0 where the lane holds no element or a masked one. Lane 0 always holds an element. The terms of a second sum have
    a `prefix` of their submodules and their own `widths`.
    """
    widths = widths or numerics(config)
    present = element & takes_part(config, framed, lane) if lane else element
    position = framed[each_lane("position", config.lanes)[lane]]
    suffix = "" if lane == 0 else f"_{lane}"
    if not config.mask or lane:
        return _terms(m, config, suffix, position, present, framed, prefix=prefix, widths=widths, gated=lane > 0)
    # A masked element adds 0. The sum of a fully masked vector must not be 0, because 0 has no leading one: there an element
    # of the last beat counts, and nothing depends on the sum.
    earlier = earlier_participant(m, config, framed, element)
    others = reduce(or_, (~mask for mask in masks(config, framed)[1:]), earlier)
    skipped = framed.mask & (others | ~framed.last)
    cycles = schedule(config)
    latency = cycles.lookup + cycles.align
    unmasked = pulse(term_layout(widths)).create(path=(f"{prefix}unmasked",))
    # The registers behind the table clear the term at no cost; those of the running reference cannot.
    clears = widths.absolute or bool(widths.windows)
    present = element & ~skipped if clears else element
    terms = _terms(m, config, suffix, position, present, framed, prefix=prefix, widths=widths, gated=clears)
    m.d.comb += Value.cast(unmasked.payload).eq(Value.cast(terms.payload))
    if clears:
        m.d.comb += unmasked.valid.eq(delay(m, element, latency, f"{prefix}term_valid", reset=True))
    else:
        masked = delay(m, skipped, latency, f"{prefix}term_masked")
        m.d.comb += [
            unmasked.valid.eq(terms.valid),
            unmasked.payload.term.eq(Mux(masked, 0, terms.payload.term)),
        ]
    return unmasked


def summand_terms(m: Module, config: Config, framed: Any, element: Value) -> Iterator[Any]:
    """The `lane_terms` of every lane, and where vectors bring a sink its term, along with the vector's first beat."""
    for lane in range(config.lanes):
        yield lane_terms(m, config, lane, framed, element)
    if config.sink_per_vector:
        position, present = position_of(config, framed.sink), element & framed.first
        yield _terms(m, config, "_sink", position, present, framed, prefix="", widths=numerics(config), gated=True)


def _terms(
    m: Module,
    config: Config,
    suffix: str,
    position: Value,
    present: Value,
    framed: Any,
    *,
    prefix: str,
    widths: Numerics,
    gated: bool,
) -> Any:
    """The stream of the terms of positions that are `present`; with `gated` a term is 0 elsewhere."""
    cycles = schedule(config)
    if cycles.align:
        lookup = Exponential(widths, edges_layout(), cycles.memory, cycles.lookup)
        m.submodules[f"exponential{suffix}"] = lookup
        m.submodules[f"align{suffix}"] = align = Align(
            widths, cycles.align, gated=gated, by_gates=config.profile == "fast"
        )
        wiring.connect(m, lookup.o, align.i)
        terms = align.o
    else:
        m.submodules[f"{prefix}terms{suffix}"] = lookup = Terms(widths, edges_layout(), cycles.memory, gated=gated)
        terms = pulse(term_layout(widths)).create(path=(f"{prefix}term{suffix}",))
        m.d.comb += [
            terms.valid.eq(lookup.o.valid),
            terms.payload.term.eq(lookup.o.payload.term),
            Value.cast(terms.payload.edges).eq(Value.cast(lookup.o.payload.tag)),
        ]
        if widths.windows:
            m.d.comb += terms.payload.window.eq(lookup.o.payload.window)
    m.d.comb += [
        lookup.i.valid.eq(present),
        lookup.i.payload.position.eq(position),
        lookup.i.payload.tag.first.eq(framed.first),
        lookup.i.payload.tag.last.eq(framed.last),
    ]
    return terms


def sum_to_leading_one(
    m: Module,
    config: Config,
    leading_one: Any,
    accumulate: VectorSum,
    ends: Value,
    tag: Any,
    assignments: list[Any],
    later: int = 0,
) -> list[Any]:
    """Statements that give the sum to the leading-one detector, along with the vector's `tag`.

    `assignments` fill the tag `later` cycles after the vector `ends`. The tag then stays in registers, or it moves along
    with the sum where a vector may end in every cycle.
    """
    cycles = schedule(config)
    bits = Value.cast(tag)
    if cycles.pipelined:
        m.d.comb += assignments
        bits = delay(m, bits, cycles.sum_latency - cycles.frame - cycles.entry - later, "vector_tag")
    else:
        with m.If(delay(m, ends, later, "ends", reset=True)):
            m.d.sync += assignments
    return [
        leading_one.sum.eq(accumulate.sum),
        leading_one.ends.eq(accumulate.ends),
        leading_one.reference.eq(accumulate.reference),
        Value.cast(leading_one.tag).eq(bits),
    ]
