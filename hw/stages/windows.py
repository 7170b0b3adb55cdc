"""The sum of a vector's exponentials in the two highest windows of octaves, without a shift in its loop."""

from typing import Any

from amaranth import C, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.numbers.softmax import Numerics
from softstream.hw.plan.stage_cycles import WindowSum
from softstream.hw.stages.accumulate import term_layout
from softstream.hw.streams.layouts import pulse
from softstream.hw.streams.registers import delay

__all__ = ["Windows"]


class Windows(wiring.Component):
    """sum = high·2^(A−B) + floor(low / 2^(W−A)), over the terms M·2^(E mod W) of the windows E // W of a vector.

    `high` is the sum of the highest window so far, c, and `low` that of window c − 1 without its lowest B bits. A term of window

        c:          adds to `high`;
        c − 1:      adds to `low`, truncated;
        below:      adds nothing;
        c + 1:      replaces `high`, whose sum moves to `low`, truncated;
        above:      replaces `high`; `low` becomes 0.

    Both sums are cut into the same segments (`WindowSum`). Bit i of `low` has the weight of bit i of `high` in the window below,
    so a move leaves each bit in its segment, and the loop holds two multiplexers and one carry chain. Two more cycles before the
    segments compare the windows and clear the terms that do not count, in registers with a reset.

    Ports: `i`, terms with their windows and edges, no back-pressure; `sum`, whose segment j is complete in the cycle in which
    bit j of `ends` is set; `reference`, c along with the last segment. Latency of segment j: `WindowSum.extra` + j + 1 cycles
    from the vector's last term. One element per cycle, no bubble between vectors.

    Where not `pipelined`, a vector's sums wait for their addition in one register per bit, and the next vector must not end
    within that latency. The schedule's `vector_interval` covers it.
    """

    def __init__(self, widths: Numerics, segments: tuple[int, ...], windows: WindowSum, *, pipelined: bool) -> None:
        if sum(segments) != widths.accumulator_width or sum(windows.segments) != widths.window_width:
            raise ValueError(f"segments {segments} and {windows.segments} do not make up the sum and a window")
        self._widths, self._segments, self._windows, self._pipelined = widths, segments, windows, pipelined
        super().__init__(
            {
                "i": In(pulse(term_layout(widths))),
                "sum": Out(widths.accumulator_width),
                "ends": Out(len(segments)),
                "reference": Out(max(1, widths.coarse_width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        element, edges = self.i.payload, self.i.payload.edges
        highest = Signal(len(element.window), reset_less=True)
        rises = Signal()
        m.d.comb += rises.eq(edges.first | (element.window > highest))
        with m.If(self.i.valid & rises):
            m.d.sync += highest.eq(element.window)
        replaces, moves, into_high, into_low = (
            Signal(name=name, reset_less=True) for name in ("replaces", "moves", "into_high", "into_low")
        )
        m.d.sync += [
            replaces.eq(self.i.valid & rises),
            moves.eq(~edges.first & (element.window == highest + 1)),
            into_high.eq(self.i.valid & (rises | (element.window == highest))),
            into_low.eq(self.i.valid & ~edges.first & (element.window + 1 == highest)),
        ]
        term = delay(m, element.term, 1, "term")
        ends = delay(m, self.i.valid & edges.last, 1, "ends", reset=True)
        summed = delay(m, ends, 2, "summed", reset=True)

        high, low = self._sums(m, term, replaces, moves, into_high, into_low)
        done = [delay(m, summed, j, f"summed_{j}", reset=True) for j in range(len(self._windows.segments))]
        self._whole_sum(m, high, low, done)
        cycles = self._windows.extra + len(self._segments) - 1
        m.d.comb += self.reference.eq(
            delay(m, highest, cycles, "waits") if self._pipelined else delay(m, highest, 1, "waits", enable=ends)
        )
        return m

    def _sums(
        self, m: Module, term: Value, replaces: Value, moves: Value, into_high: Value, into_low: Value
    ) -> tuple[list[Value], list[Value]]:
        """The segments of both sums. A segment of `low` lacks the bits below 2^0, and may have none."""
        high: list[Value] = []
        low: list[Value] = []
        carries: dict[str, Value] = {"high": Const(0, 1), "low": Const(0, 1)}
        start = 0
        for j, width in enumerate(self._windows.segments):
            part = delay(m, term[start : start + width], j, f"term_{j}")
            controls = Cat(replaces, moves, into_high, into_low)
            replaced, moved, adds_high, adds_low = delay(m, controls, j, f"controls_{j}")
            # The sum is cleared while it adds the term before the one that replaces it, and a second register holds it for the
            # move and for the sum of the vector. So its loop is a carry chain alone.
            upper = Signal(width, name=f"high_{j}", reset_less=True)
            complete = Signal(width, name=f"complete_{j}", reset_less=True)
            total, carries["high"] = self._added(m, f"high_{j}", upper, Mux(adds_high, part, 0), carries["high"])
            m.d.sync += [complete.eq(total), upper.eq(Mux(replaced, 0, total))]
            high.append(complete)
            dropped = min(max(0, self._widths.significand_fraction - start), width)
            lower = Signal(width - dropped, name=f"low_{j}", reset_less=True)
            if dropped < width:
                replaced, moved = delay(m, Cat(replaced, moved), 1, f"replaces_{j}")
                augend = Mux(replaced, Mux(moved, complete[dropped:], 0), lower)
                total, carries["low"] = self._added(
                    m, f"low_{j}", augend, Mux(adds_low, part[dropped:], 0), carries["low"]
                )
                m.d.sync += lower.eq(total)
            low.append(lower)
            start += width
        return high, low

    def _added(self, m: Module, name: str, augend: Value, addend: Value, carry: Value) -> tuple[Value, Value]:
        """(augend + the registered addend + carry, the carry to the next segment, which works a cycle later)."""
        addend = delay(m, addend, 1, f"{name}_addend")
        # The carry enters through one bit below the segment, so that every fabric builds a single carry chain.
        total = Signal(len(augend) + 2, name=f"{name}_total")
        m.d.comb += total.eq(Cat(C(1, 1), augend) + Cat(carry, addend))
        upward = Signal(name=f"{name}_carry", reset_less=True)
        m.d.sync += upward.eq(total[-1])
        return total[1:-1], upward

    def _whole_sum(self, m: Module, high: list[Value], low: list[Value], done: list[Value]) -> None:
        """Both sums added, in the segments of `sum`; bit j of `done` is set while the window's segment j holds a vector's sum."""
        windows, start = self._windows, 0
        ends = [sum(windows.segments[: j + 1]) for j in range(len(windows.segments))]
        registers: dict[str, Value] = {}

        def operand(name: str, sums: list[Value], first: int, width: int, cycle: int) -> Value:
            """`width` bits from bit `first` of a window's sum on, that many cycles after segment 0 holds its sum."""
            parts: list[Value] = [Const(0, min(-first, width))] if first < 0 else []
            for j, (segment, end) in enumerate(zip(sums, ends, strict=True)):
                bottom = end - len(segment)
                low, high = max(first, bottom), min(first + width, end)
                if low >= high:
                    continue
                bits = segment[low - bottom : high - bottom]
                if self._pipelined:
                    bits = delay(m, bits, cycle - j, f"{name}_waits_{low}")
                elif cycle > j:
                    if f"{name}_{j}" not in registers:
                        registers[f"{name}_{j}"] = delay(m, segment, 1, f"{name}_waits_{j}", enable=done[j])
                    bits = registers[f"{name}_{j}"][low - bottom : high - bottom]
                parts.append(bits)
            return Cat(*parts)

        carry: Value = Const(0, 1)
        upward = self._widths.accumulator_fraction - self._widths.significand_fraction
        for j, width in enumerate(self._segments):
            cycle = windows.wait + j
            augend = operand("high", high, start - upward, width, cycle)
            addend = operand("low", low, start - upward + self._widths.reference_step, width, cycle)
            total = Signal(width + 2, name=f"total_{j}")
            m.d.comb += total.eq(Cat(C(1, 1), augend) + Cat(carry, addend))
            whole = Signal(width, name=f"sum_{j}", reset_less=True)
            carry = Signal(name=f"carry_{j}", reset_less=True)
            m.d.sync += [whole.eq(total[1:-1]), carry.eq(total[-1])]
            m.d.comb += [
                self.sum[start : start + width].eq(whole),
                self.ends[j].eq(delay(m, done[0], cycle + 1, f"ends_{j}", reset=True)),
            ]
            start += width
