"""Log-softmax of each stored element: its score less the logarithm of its vector's sum."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, ShapeLike, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from softstream.hw.config.config import Config
from softstream.hw.modes.softmax import Softmax
from softstream.hw.normalisers.interface import factor_layout
from softstream.hw.normalisers.log_sum import LogSum
from softstream.hw.numbers.log_softmax import LogNumerics, log_numerics
from softstream.hw.numbers.softmax import Numerics
from softstream.hw.plan.schedule import schedule
from softstream.hw.stages.replay import stored_layout
from softstream.hw.streams.layouts import pulse
from softstream.hw.streams.probes import publish
from softstream.hw.streams.registers import PairedTables, delay, table

__all__ = [
    "Emission",
    "LogSoftmax",
    "emission_cycles",
    "log_layout",
    "position_cycles",
    "scaled_position",
]


def log_layout(numbers: LogNumerics) -> data.StructLayout:
    """One element's log-softmax code, whether it is its vector's last, and the vector's flag."""
    return data.StructLayout({"log_probability": signed(numbers.format.width), "last": 1, "overlong": 1})


def position_cycles(numbers: LogNumerics, memory: int) -> int:
    """Latency from a position to Y where a table takes `memory` cycles: a cycle more where two entries are added."""
    return memory + (numbers.tables.low_width > 0)


def emission_cycles(numbers: LogNumerics, memory: int) -> int:
    """Latency of `Emission`."""
    return position_cycles(numbers, memory) + 2


def scaled_position(m: Module, numbers: LogNumerics, position: Value, memory: int, *, above: int = 0) -> Value:
    """Y, the position in nats and units of 2^-H, `position_cycles` later: a shift where the scale is a power of two.

    With `above` the result is that many units larger, at no cost where a table holds Y or its lowest bits are 0.
    """
    tables, cycles = numbers.tables, position_cycles(numbers, memory)
    if tables.position_shift is not None:
        shift = tables.position_shift
        if above >> shift:
            return Cat(Const(0, shift), delay(m, position, cycles, "position")) + above
        return Cat(Const(above, shift), delay(m, position, cycles, "position"))
    high_entries, low_entries = (tables.position_high + above).tolist(), tables.position_low.tolist()
    high_width = max(high_entries).bit_length()
    high = table(m, "position", high_width, high_entries, position[tables.low_width :], memory)
    if not tables.low_width:
        return high
    low_width = max(1, max(low_entries).bit_length())
    low = table(m, "position_low", low_width, low_entries, position[: tables.low_width], memory)
    total = Signal(range(max(high_entries) + max(low_entries) + 1), name="scaled", reset_less=True)
    m.d.sync += total.eq(high + low)
    return total


class Emission(wiring.Component):
    """code = −max(0, floor((L − Y[i]) / 2^(k + 1))): s·x_i − ln Σ exp(s·x_j) in Qm.P, rounded half away from zero.

    Where the configuration narrows m, values below −2^(m − 1) nats saturate to it.

    Ports: `i`, position and last of a stored element; `next`, a request for the vector's L, which is on `factor` from `memory`
    cycles later on, with the vector's flag as tag; `o`, the code; no back-pressure. Latency `emission_cycles`: the table of
    positions, where there is one, 1 cycle for the difference, 1 for the sign. One element per cycle.
    """

    def __init__(self, numbers: LogNumerics, memory: int) -> None:
        self._numbers, self._memory = numbers, memory
        super().__init__(
            {
                "i": In(pulse(stored_layout(numbers.widths))),
                "next": Out(1),
                "factor": In(factor_layout(numbers.widths, numbers.tables.working_fraction, 1)),
                "o": Out(pulse(log_layout(numbers))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        numbers, cycles = self._numbers, position_cycles(self._numbers, self._memory)
        starts = Signal(init=1)
        with m.If(self.i.valid):
            m.d.sync += starts.eq(self.i.payload.last)
        publish(platform, self, starts=starts)
        # The code is negative, so Y − L spares a negation behind the saturation. It is rounded up where L − Y is rounded down.
        shift = numbers.tables.shift
        scaled = scaled_position(m, numbers, self.i.payload.position, self._memory, above=(1 << shift) - 1)
        # L arrives `memory` cycles after the request, along with Y.
        m.d.comb += self.next.eq(delay(m, self.i.valid & starts, cycles - self._memory, "first", reset=True))
        rounded = (scaled - Cat(self.factor.factor, self.factor.exponent))[shift:].as_signed()
        difference = Signal.like(rounded, name="difference", reset_less=True)
        negative: Value = difference
        if numbers.saturates:
            negative = Mux(difference < -numbers.limit, -numbers.limit, difference)
        m.d.sync += [
            difference.eq(rounded),
            self.o.payload.log_probability.eq(Mux(difference[-1], negative, 0)),
        ]
        m.d.comb += [
            self.o.valid.eq(delay(m, self.i.valid, cycles + 2, "valid", reset=True)),
            self.o.payload.last.eq(delay(m, self.i.payload.last, cycles + 2, "last")),
            self.o.payload.overlong.eq(delay(m, self.factor.tag, 2, "overlong")),
        ]
        return m


class _Natural:
    """A normaliser by name only: the logarithm of the sum as its factor, the difference as its emission."""

    def __init__(self, config: Config) -> None:
        self._numbers, self._memory = log_numerics(config, signed=True), schedule(config).memory

    def factor_width(self, widths: Numerics) -> int:
        return self._numbers.tables.working_fraction

    def Factor(self, widths: Numerics, factor_width: int, tag: ShapeLike, memory: int, *, pipelined: bool) -> LogSum:
        return LogSum(self._numbers, tag, memory, pipelined=pipelined)

    def Emission(self, config: Config, widths: Numerics, tables: PairedTables | None = None) -> Emission:
        return Emission(self._numbers, self._memory)


class LogSoftmax(Softmax):
    """y_i = s·x_i − ln Σ exp(s·x_j), in one pass over the scores.

    The head is that of the softmax with `LogSum` once per vector and `Emission` once per element. A masked element has the
    most negative code of the format, because ln 0 is no number.

    Ports: `i`, stream of scores; `o`, stream of {log_probability, last, overlong}, one beat per beat of scores; `o_best`,
    stream of winners, one per vector. The user must take both outputs. Latency, interval and back-pressure are those of
    `Softmax`, with the numbers of `plan(config)`.
    """

    def _normaliser(self) -> Any:
        return _Natural(self._config)

    def _masked_code(self) -> int:
        return log_numerics(self._config, signed=True).format.minimum
