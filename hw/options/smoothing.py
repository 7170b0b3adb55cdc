"""Smoothing: the probabilities convolved with a kernel along the classes, at the edges with the weights that are within."""

from itertools import pairwise
from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.formats import signed_digits
from softstream.hw.numbers.smoothing import SmoothingTables, smoothing_tables
from softstream.hw.plan.schedule import memory_cycles
from softstream.hw.streams.adders import sum_tree
from softstream.hw.streams.layouts import guarded_layout, pulse
from softstream.hw.streams.registers import delay, table

__all__ = ["Smoothing", "Window"]


class Window(wiring.Component):
    """The values of an element and of its neighbours up to `radius` on either side, and which of them are of its vector.

    The elements of a vector move up by one when the next comes in, and behind its last of themselves: then nothing is waited
    for, so a vector's last elements leave while the next one comes in, or as soon as nothing comes.

    Ports: `i`, pulse of {value, last, tag}; `o`, pulse of {values, left, right, tag}: value `radius` is the element's own, a
    higher one comes earlier in the vector; bit k − 1 of `left` and `right` says whether the place k further is of the same
    vector. Latency 1 cycle from the last of these elements, and 1 more for each of `radius` that the vector does not have;
    one element per cycle.
    """

    def __init__(self, width: int, radius: int, tag_width: int) -> None:
        self._radius = radius
        count = 2 * radius + 1
        given = data.StructLayout({"value": width, "last": 1, "tag": tag_width})
        made = data.StructLayout(
            {"values": data.ArrayLayout(width, count), "left": radius, "right": radius, "tag": tag_width}
        )
        super().__init__({"i": In(pulse(given)), "o": Out(pulse(made))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        radius, given = self._radius, self.i.payload
        count = 2 * radius + 1
        values = [Signal(len(given.value), name=f"value_{k}", reset_less=True) for k in range(count)]
        # Whether there is an element that is not its vector's last: then the one that follows belongs to it.
        going = [Signal(name=f"going_{k}") for k in range(count)]
        there = [Signal(name=f"there_{k}") for k in range(radius + 1)]
        tags = [Signal(len(given.tag), name=f"tag_{k}", reset_less=True) for k in range(radius + 1)]
        shift = Signal()
        m.d.comb += shift.eq(self.i.valid | ~going[0])
        with m.If(shift):
            m.d.sync += [
                values[0].eq(given.value),
                tags[0].eq(given.tag),
                there[0].eq(self.i.valid),
                going[0].eq(self.i.valid & ~given.last),
                *(after.eq(before) for line in (values, going, there, tags) for before, after in pairwise(line)),
            ]
        made = self.o.payload
        for k in range(1, radius + 1):
            m.d.comb += [
                made.right[k - 1].eq(Cat(*going[radius - k + 1 : radius + 1]).all()),
                made.left[k - 1].eq(Cat(*going[radius + 1 : radius + k + 1]).all()),
            ]
        m.d.comb += [
            self.o.valid.eq(delay(m, shift, 1, "shifted", reset=True) & there[radius]),
            made.tag.eq(tags[radius]),
            *(made.values[k].eq(value) for k, value in enumerate(values)),
        ]
        return m


def weigh(m: Module, name: str, tables: SmoothingTables, beat: Any) -> tuple[Value, int]:
    """(Σ w_k·value_k over what is of the vector, cycles until it is there) of a window's beat."""
    radius, terms = tables.radius, []
    for k, weight in enumerate(tables.weights):
        if not weight:
            continue
        # weights[k] belongs to the place k − radius further on, which came k − radius elements later.
        value = beat.values[2 * radius - k]
        within = beat.left[radius - k - 1] if k < radius else beat.right[k - radius - 1] if k > radius else 1
        gated = Signal.like(value, name=f"{name}_value_{k}", reset_less=True)
        m.d.sync += gated.eq(Mux(within, value, 0))
        terms += [(gated << exponent, negative) for exponent, negative in signed_digits(weight)]
    total, cycles = sum_tree(m, name, terms)
    return total, 1 + cycles


class Smoothing(wiring.Component):
    """Each pass: gather, out_i = Σ w_k·p_(i+k) / D_i, or scatter, out_i = Σ w_k·p_(i+k) / D_(i+k) (see `smoothing_tables`).

        gather:   window ─► weighted sum ─► tables of x/D
        scatter:  window ─► tables of p/D ─► window ─► weighted sum ─► rounding

    Ports: `i`, `o`, guarded probabilities of the inner configuration; no back-pressure. Latency `smoothing_latency` where
    elements come in every cycle, one element per cycle, no bubble between vectors. An element comes out where r more have
    come or its vector has ended, so a stage before may pause anywhere.
    """

    def __init__(self, config: Config, inner: Config) -> None:
        self._config, self._inner = config, inner
        layout = guarded_layout(config, inner)
        super().__init__({"i": In(pulse(layout)), "o": Out(pulse(layout))})

    def _window(self, m: Module, name: str, value: Value, last: Value, tag: Value, valid: Value) -> Any:
        """The output of a window that these go into."""
        m.submodules[name] = window = Window(len(value), len(self._config.smoothing) // 2, len(tag))
        given = window.i.payload
        m.d.comb += [window.i.valid.eq(valid), given.value.eq(value), given.last.eq(last), given.tag.eq(tag)]
        return window.o

    def _divided(self, m: Module, name: str, dividend: Value, which: Value) -> tuple[Value, int]:
        """(Σ_d T_d, cycles until it is there)."""
        tables = smoothing_tables(self._config, self._inner)
        memory = memory_cycles(self._config)
        found, start = [], 0
        for k, (bits, entries) in enumerate(zip(tables.digits, tables.entries, strict=True)):
            address = Cat(dividend[start : start + bits], which)
            width = max(entries).bit_length()
            found.append((table(m, f"{name}_{k}", width, entries, address, memory), False))
            start += bits
        total, cycles = sum_tree(m, name, found)
        return total, memory + cycles

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        tables = smoothing_tables(self._config, self._inner)
        width = self._inner.output_width
        given = Value.cast(self.i.payload)
        # `last` is the first field behind the probability.
        code, rest, valid = given[:width], given[width:], self.i.valid
        for number in range(1, tables.passes + 1):
            if tables.scatter:
                seen = self._window(m, f"source_{number}", code, rest[0], rest, valid)
                which = self._which(m, f"source_{number}", tables, seen.payload)
                own = delay(m, seen.payload.values[tables.radius], 1, f"source_{number}_own")
                share, cycles = self._divided(m, f"share_{number}", own, which)
                valid, rest = self._along(m, f"share_{number}", seen, 1 + cycles)
                value = Signal(tables.quotient_width, name=f"share_{number}")
                m.d.comb += value.eq(share)
                seen = self._window(m, f"window_{number}", value, rest[0], rest, valid)
                total, cycles = weigh(m, f"weighted_{number}", tables, seen.payload)
                rounded = (total + (1 << (tables.fraction - 1))) >> tables.fraction
                code = delay(m, rounded[:width], 1, f"rounded_{number}")
                cycles += 1
            else:
                seen = self._window(m, f"window_{number}", code, rest[0], rest, valid)
                total, weighed = weigh(m, f"weighted_{number}", tables, seen.payload)
                which = self._which(m, f"window_{number}", tables, seen.payload)
                dividend = Signal(tables.dividend_width, name=f"dividend_{number}")
                m.d.comb += dividend.eq(total)
                quotient, cycles = self._divided(
                    m, f"average_{number}", dividend, delay(m, which, weighed - 1, f"which_{number}")
                )
                code = quotient[tables.fraction :][:width]
                cycles += weighed
            valid, rest = self._along(m, f"pass_{number}", seen, cycles)
        m.d.comb += [self.o.valid.eq(valid), Value.cast(self.o.payload).eq(Cat(code, rest))]
        return m

    def _along(self, m: Module, name: str, seen: Any, cycles: int) -> tuple[Value, Value]:
        """(valid, what else is in a beat) of a window's output, later."""
        return (
            delay(m, seen.valid, cycles, f"{name}_valid", reset=True),
            delay(m, seen.payload.tag, cycles, f"{name}_rest"),
        )

    def _which(self, m: Module, name: str, tables: SmoothingTables, beat: Any) -> Value:
        """Which constant an element takes, a cycle later."""
        which = Signal(range(len(tables.sums)), name=f"{name}_which", reset_less=True)
        with m.Switch(Cat(beat.left, beat.right)):
            for (left, right), choice in tables.choice.items():
                with m.Case(((1 << right) - 1) << tables.radius | (1 << left) - 1):
                    m.d.sync += which.eq(choice)
        return which
