"""Smoothing: a convolution along the classes; at the edges only the weights inside the vector count."""

from itertools import pairwise
from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.formats import signed_digits
from softstream.hw.numbers.smoothing import SmoothingTables, smoothing_tables
from softstream.hw.plan.stage_cycles import memory_cycles
from softstream.hw.streams.adders import sum_tree
from softstream.hw.streams.layouts import guarded_layout, pulse
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import delay, table

__all__ = ["Smoothing", "Window"]


class Window(wiring.Component):
    """An element with its neighbours up to `radius` on either side, and which of them are of its vector.

    The elements of a vector move up by one when the next one comes in. Behind its last element they move in every cycle, so
    that a vector's last elements never wait for the next vector.

    Ports: `i`, pulse of {value, last, tag}; `o`, pulse of {values, left, right, tag}: value `radius` is the element's own, and
    a higher one comes earlier in the vector; bit k − 1 of `left` and `right` says whether the place k further is of the same
    vector. Latency 1 cycle from the last of these elements, and 1 more for each of `radius` that the vector does not have;
    one element per cycle.
    """

    def __init__(self, width: int, radius: int, tag_width: int) -> None:
        self.radius = radius
        count = 2 * radius + 1
        element = data.StructLayout({"value": width, "last": 1, "tag": tag_width})
        window = data.StructLayout(
            {"values": data.ArrayLayout(width, count), "left": radius, "right": radius, "tag": tag_width}
        )
        super().__init__({"i": In(pulse(element)), "o": Out(pulse(window))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        radius, element = self.radius, self.i.payload
        count = 2 * radius + 1
        values = [Signal(len(element.value), name=f"value_{k}", reset_less=True) for k in range(count)]
        # Whether the place holds an element that is not its vector's last, so that the next element belongs to the same vector.
        going = [Signal(name=f"going_{k}") for k in range(count)]
        occupied = [Signal(name=f"occupied_{k}") for k in range(radius + 1)]
        tags = [Signal(len(element.tag), name=f"tag_{k}", reset_less=True) for k in range(radius + 1)]
        shift = Signal()
        m.d.comb += shift.eq(self.i.valid | ~going[0])
        with m.If(shift):
            m.d.sync += [
                values[0].eq(element.value),
                tags[0].eq(element.tag),
                occupied[0].eq(self.i.valid),
                going[0].eq(self.i.valid & ~element.last),
                *(after.eq(before) for line in (values, going, occupied, tags) for before, after in pairwise(line)),
            ]
        window = self.o.payload
        shifted = delay(m, shift, 1, "shifted", reset=True)
        for k in range(1, radius + 1):
            m.d.comb += [
                window.right[k - 1].eq(Cat(*going[radius - k + 1 : radius + 1]).all()),
                window.left[k - 1].eq(Cat(*going[radius + 1 : radius + k + 1]).all()),
            ]
        m.d.comb += [
            self.o.valid.eq(shifted & occupied[radius]),
            window.tag.eq(tags[radius]),
            *(window.values[k].eq(value) for k, value in enumerate(values)),
        ]
        places = range(radius + 1)
        publish(
            platform,
            self,
            shift=shift,
            shifted=shifted,
            **{f"occupied_{k}": occupied[k] for k in places},
            **{f"value_{k}": values[k] for k in places},
            **{f"tag_{k}": tags[k] for k in places},
        )
        return m


def weigh(m: Module, name: str, tables: SmoothingTables, beat: Any) -> tuple[Value, int]:
    """(Σ w_k·value_k over the places of the same vector, latency in cycles) of a window's beat."""
    radius, terms = tables.radius, []
    for k, weight in enumerate(tables.weights):
        if not weight:
            continue
        # weights[k] belongs to the place k − radius further on, whose element comes k − radius elements later.
        value = beat.values[2 * radius - k]
        within = beat.left[radius - k - 1] if k < radius else beat.right[k - radius - 1] if k > radius else 1
        gated = Signal.like(value, name=f"{name}_value_{k}", reset_less=True)
        m.d.sync += gated.eq(Mux(within, value, 0))
        terms += [(gated << exponent, negative) for exponent, negative in signed_digits(weight)]
    total, cycles = sum_tree(m, name, terms)
    return total, 1 + cycles


class Smoothing(wiring.Component):
    """Each pass: gather, out_i = Σ w_k·p_(i+k) / D_i, or scatter, out_i = Σ w_k·p_(i+k) / D_(i+k) (see `numbers/smoothing.py`).

        gather:   window ─► weighted sum ─► tables of x/D
        scatter:  window ─► tables of p/D ─► window ─► weighted sum ─► rounding

    Ports: `i`, `o`, guarded probabilities of the inner configuration; no back-pressure. Latency `smoothing_latency` where
    elements come in every cycle, one element per cycle, no bubble between vectors. An element leaves once r more have come
    in or its vector has ended, so the stage before may pause anywhere.

    Members, known once it is elaborated: `windows`, in the order of the beats, and `links`, the cycles behind each window to the
    next one or to the output.
    """

    def __init__(self, config: Config, inner: Config) -> None:
        self._config, self._inner = config, inner
        layout = guarded_layout(config, inner)
        self.windows: list[Window] = []
        self.links: list[int] = []
        super().__init__({"i": In(pulse(layout)), "o": Out(pulse(layout))})

    def _window(self, m: Module, name: str, value: Value, last: Value, tag: Value, valid: Value) -> Any:
        """The output of a window with this input."""
        m.submodules[name] = window = Window(len(value), len(self._config.smoothing) // 2, len(tag))
        self.windows.append(window)
        element = window.i.payload
        m.d.comb += [window.i.valid.eq(valid), element.value.eq(value), element.last.eq(last), element.tag.eq(tag)]
        return window.o

    def _divided(self, m: Module, name: str, dividend: Value, which: Value) -> tuple[Value, int]:
        """(Σ_d T_d, the quotient from a table per digit; latency in cycles)."""
        tables = smoothing_tables(self._config, self._inner)
        memory = memory_cycles(self._config)
        digits, start = [], 0
        for k, (bits, entries) in enumerate(zip(tables.digits, tables.entries, strict=True)):
            address = Cat(dividend[start : start + bits], which)
            width = max(entries).bit_length()
            digits.append((table(m, f"{name}_{k}", width, entries, address, memory), False))
            start += bits
        total, cycles = sum_tree(m, name, digits)
        return total, memory + cycles

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        self.windows, self.links = [], []
        tables = smoothing_tables(self._config, self._inner)
        width = self._inner.output_width
        beat = Value.cast(self.i.payload)
        # `last` is the first field behind the probability.
        code, rest, valid = beat[:width], beat[width:], self.i.valid
        for number in range(1, tables.passes + 1):
            if tables.scatter:
                window = self._window(m, f"source_{number}", code, rest[0], rest, valid)
                which = self._which(m, f"source_{number}", tables, window.payload)
                own = delay(m, window.payload.values[tables.radius], 1, f"source_{number}_own")
                share, cycles = self._divided(m, f"share_{number}", own, which)
                valid, rest = self._delayed(m, f"share_{number}", window, 1 + cycles)
                value = Signal(tables.quotient_width, name=f"share_{number}")
                m.d.comb += value.eq(share)
                window = self._window(m, f"window_{number}", value, rest[0], rest, valid)
                total, cycles = weigh(m, f"weighted_{number}", tables, window.payload)
                rounded = (total + (1 << (tables.fraction - 1))) >> tables.fraction
                code = delay(m, rounded[:width], 1, f"rounded_{number}")
                cycles += 1
            else:
                window = self._window(m, f"window_{number}", code, rest[0], rest, valid)
                total, weighed = weigh(m, f"weighted_{number}", tables, window.payload)
                which = self._which(m, f"window_{number}", tables, window.payload)
                dividend = Signal(tables.dividend_width, name=f"dividend_{number}")
                m.d.comb += dividend.eq(total)
                quotient, cycles = self._divided(
                    m, f"average_{number}", dividend, delay(m, which, weighed - 1, f"which_{number}")
                )
                code = quotient[tables.fraction :][:width]
                cycles += weighed
            valid, rest = self._delayed(m, f"pass_{number}", window, cycles)
        m.d.comb += [self.o.valid.eq(valid), Value.cast(self.o.payload).eq(Cat(code, rest))]
        publish(platform, self)
        return m

    def _delayed(self, m: Module, name: str, window: Any, cycles: int) -> tuple[Value, Value]:
        """(valid, the fields behind the probability) of a window's output, some cycles later."""
        self.links.append(cycles)
        return (
            delay(m, window.valid, cycles, f"{name}_valid", reset=True),
            delay(m, window.payload.tag, cycles, f"{name}_rest"),
        )

    def _which(self, m: Module, name: str, tables: SmoothingTables, beat: Any) -> Value:
        """The number of the constant by which an element is divided, a cycle later."""
        which = Signal(range(len(tables.sums)), name=f"{name}_which", reset_less=True)
        with m.Switch(Cat(beat.left, beat.right)):
            for (left, right), choice in tables.choice.items():
                with m.Case(((1 << right) - 1) << tables.radius | (1 << left) - 1):
                    m.d.sync += which.eq(choice)
        return which
