"""The sum of a vector's exponentials from its framed beats: exponential, alignment, merge and accumulator, joined."""

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any

from amaranth import Module, Mux, Value
from amaranth.lib import wiring

from softstream.hw.config.config import Config
from softstream.hw.numbers.softmax import numerics
from softstream.hw.plan.schedule import cleared, schedule
from softstream.hw.stages.accumulate import Accumulate, Align, Merge, edges_layout, term_layout
from softstream.hw.stages.exponential import Exponential, Terms
from softstream.hw.stages.frame import masks, takes_part, took_part
from softstream.hw.streams.layouts import each_lane, pulse
from softstream.hw.streams.registers import delay

__all__ = ["lane_terms", "normalised", "sum_of"]


def sum_of(m: Module, config: Config, terms: Iterable[Any]) -> Accumulate:
    """The accumulator of the lanes' `lane_terms`; its sum comes with the schedule's `sum_latency`."""
    widths, cycles = numerics(config), schedule(config)
    m.submodules.accumulate = accumulate = Accumulate(
        widths, cycles.segments, config.lanes, cleared=cleared(config, widths)
    )
    lanes = list(terms)
    if config.lanes == 1:
        wiring.connect(m, lanes[0], accumulate.i)
        return accumulate
    m.submodules.merge = merge = Merge(widths, config.lanes)
    wiring.connect(m, lanes[0], merge.i)
    m.d.comb += [merge.others[lane].eq(other.payload.term) for lane, other in enumerate(lanes[1:])]
    wiring.connect(m, merge.o, accumulate.i)
    return accumulate


def lane_terms(m: Module, config: Config, lane: int, framed: Any, element: Value) -> Any:
    """The stream of a lane's terms of the framed beats, each taken where `element` is set.

    But for lane 0, which always holds an element, they are 0 where the lane holds none, or a masked one.
    """
    widths, cycles = numerics(config), schedule(config)
    suffix = "" if lane == 0 else f"_{lane}"
    present = element
    if lane:
        present = element & takes_part(config, framed, lane)
    if cycles.align:
        lookup = Exponential(widths, edges_layout(), cycles.memory)
        m.submodules[f"exponential{suffix}"] = lookup
        m.submodules[f"align{suffix}"] = align = Align(widths, gated=lane > 0)
        wiring.connect(m, lookup.o, align.i)
        terms = align.o
    else:
        m.submodules[f"terms{suffix}"] = lookup = Terms(widths, edges_layout(), cycles.memory, gated=lane > 0)
        terms = pulse(term_layout(widths)).create(path=(f"term{suffix}",))
        m.d.comb += [
            terms.valid.eq(lookup.o.valid),
            terms.payload.term.eq(lookup.o.payload.term),
            Value.cast(terms.payload.edges).eq(Value.cast(lookup.o.payload.tag)),
        ]
    m.d.comb += [
        lookup.i.valid.eq(present),
        lookup.i.payload.position.eq(framed[each_lane("position", config.lanes)[lane]]),
        lookup.i.payload.tag.first.eq(framed.first),
        lookup.i.payload.tag.last.eq(framed.last),
    ]
    if not config.mask or lane:
        return terms
    # What is masked counts as nothing; but a sum is never 0, for that has no leading one: where all is masked, and
    # nothing depends on the sum, an element of the last beat counts.
    counted = pulse(term_layout(widths)).create(path=("counted",))
    before = took_part(m, config, framed, element)
    others = reduce(or_, (~mask for mask in masks(config, framed)[1:]), before)
    skipped = framed.mask & (others | ~framed.last)
    masked = delay(m, skipped, cycles.lookup + cycles.align, "term_masked")
    m.d.comb += [
        counted.valid.eq(terms.valid),
        Value.cast(counted.payload).eq(Value.cast(terms.payload)),
        counted.payload.term.eq(Mux(masked, 0, terms.payload.term)),
    ]
    return counted


def normalised(
    m: Module, config: Config, normalise: Any, accumulate: Accumulate, ends: Value, ended: Any, noted: list[Any]
) -> list[Any]:
    """Statements that give the sum to `normalise`, with what `noted` puts into `ended` where a vector `ends` for its tag.

    That waits in registers, or goes along where a vector may end in every cycle.
    """
    cycles = schedule(config)
    tag = Value.cast(ended)
    if cycles.pipelined:
        m.d.comb += noted
        tag = delay(m, tag, cycles.sum_latency - cycles.frame - cycles.entry, "ended")
    else:
        with m.If(ends):
            m.d.sync += noted
    return [
        normalise.sum.eq(accumulate.sum),
        normalise.ends.eq(accumulate.ends),
        normalise.reference.eq(accumulate.reference),
        Value.cast(normalise.tag).eq(tag),
    ]
