"""What lamps and displays show of a vector: the index of its winner."""

from typing import Any

from amaranth import Const, Module, Mux, Signal, Value

from softstream.hw.config.config import Config
from softstream.hw.plan.ports import outputs

__all__ = ["shown"]


def shown(m: Module, config: Config, head: Any, flush: Value | int = 0) -> tuple[Value, Value]:
    """(index, whether there is one in this cycle): once for each vector.

    The winner, or the class that was drawn; of Top-K the first; of hardmax the element that is 1.0. Of sigmoid and
    cross-entropy, which have none, nothing, so lamps stay dark. `flush` says that the head was reset.
    """
    output = next((found for found in outputs(config) if any(field.name == "index" for field in found.fields)), None)
    if output is None and not config.traits.one_hot:
        return Const(0, config.index_width), Const(0)
    source = getattr(head, "o" if output is None else output.port)
    taken = source.valid & source.ready
    if output is not None and output.per == "vector":
        return source.payload.index, taken
    place = Signal(config.index_width)
    with m.If(flush):
        m.d.sync += place.eq(0)
    with m.Elif(taken):
        m.d.sync += place.eq(Mux(source.payload.last, 0, place + 1))
    if output is not None:
        return source.payload.index, taken & (place == 0)
    return place, taken & (source.payload.probability != 0)
