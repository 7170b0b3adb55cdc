"""The sum of a vector's exponentials from its framed beats: exponential, alignment, merge and accumulator, joined."""

from typing import Any

from amaranth import Module, Mux, Value
from amaranth.lib import wiring

from .accumulate import Accumulate, Align, Merge, edges_layout, term_layout
from .config import Config
from .exponential import Exponential, Terms
from .numerics import numerics
from .schedule import schedule
from .streams import each_lane, keep_names, pulse

__all__ = ["sum_of"]


def sum_of(m: Module, config: Config, framed: Any, element: Value) -> Accumulate:
    """The accumulator of the framed beats, each taken where `element` is set; its sum comes with the schedule's
    `sum_latency`."""
    widths, cycles = numerics(config), schedule(config)
    m.submodules.accumulate = accumulate = Accumulate(widths, cycles.segments, config.lanes)
    lanes = [_terms(m, config, lane, framed, element) for lane in range(config.lanes)]
    if config.lanes == 1:
        wiring.connect(m, lanes[0], accumulate.i)
        return accumulate
    m.submodules.merge = merge = Merge(widths, config.lanes)
    wiring.connect(m, lanes[0], merge.i)
    # Only lane 0 always holds an element; the others' presence travels in the place of the vector's edges.
    m.d.comb += [
        merge.others[lane].eq(Mux(terms.payload.edges.first, terms.payload.term, 0))
        for lane, terms in enumerate(lanes[1:])
    ]
    wiring.connect(m, merge.o, accumulate.i)
    return accumulate


def _terms(m: Module, config: Config, lane: int, framed: Any, element: Value) -> Any:
    """The stream of a lane's terms; its `first` tells, but for lane 0, whether the lane holds an element."""
    widths, cycles = numerics(config), schedule(config)
    suffix = "" if lane == 0 else f"_{lane}"
    if cycles.align:
        lookup = Exponential(widths, edges_layout(), cycles.memory)
        m.submodules[f"exponential{suffix}"] = lookup
        m.submodules[f"align{suffix}"] = align = Align(widths)
        wiring.connect(m, lookup.o, align.i)
        terms = align.o
    else:
        m.submodules[f"terms{suffix}"] = lookup = Terms(widths, edges_layout(), cycles.memory)
        terms = pulse(term_layout(widths)).create(path=(f"term{suffix}",))
        m.d.comb += [
            terms.valid.eq(lookup.o.valid),
            terms.payload.term.eq(lookup.o.payload.term),
            Value.cast(terms.payload.edges).eq(Value.cast(lookup.o.payload.tag)),
        ]
    m.d.comb += [
        lookup.i.valid.eq(element),
        lookup.i.payload.position.eq(framed[each_lane("position", config.lanes)[lane]]),
        lookup.i.payload.tag.first.eq(framed.first if lane == 0 else framed[keep_names(config.lanes)[lane - 1]]),
        lookup.i.payload.tag.last.eq(framed.last),
    ]
    return terms
