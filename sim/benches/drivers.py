"""Drivers of the generated top under cocotb.

One coroutine samples every stream at each clock edge and then drives all of them. Each wake-up of Python costs simulation
time, so there is one per clock cycle for any number of streams. Values read after `RisingEdge` are those before the edge; values
written then take effect after it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from cocotb.types import LogicArray

from softstream.sim.beats import Beat
from softstream.sim.benches.monitor import Payload, StreamMonitor

__all__ = ["Harness", "Sink", "Source", "Tap"]

CLOCK_NS = 10


class Tap:
    """The wires of one stream of the top, read once per clock edge into its monitor."""

    def __init__(self, dut: Any, prefix: str, fields: Sequence[str]) -> None:
        self.monitor = StreamMonitor(prefix, fields)
        self.valid = getattr(dut, f"{prefix}_tvalid")
        self.ready = getattr(dut, f"{prefix}_tready")
        self.payload = tuple(getattr(dut, f"{prefix}_{field}") for field in fields)
        self.offered = False
        """Whether valid was 1 at the last clock edge."""

    def sample(self) -> Payload | None:
        """The beat that this clock edge transfers, or None."""
        try:
            valid, ready = int(self.valid.value), int(self.ready.value)
        except ValueError:
            self.monitor.observe(_value(self.valid), _value(self.ready), None)
            raise
        self.offered = valid == 1
        if not valid:
            self.monitor.observe(0, ready, None)
            return None
        try:
            payload: Payload = tuple([int(wire.value) for wire in self.payload])
        except ValueError:
            payload = tuple(_value(wire) for wire in self.payload)
        return payload if self.monitor.observe(1, ready, payload) else None


def _value(wire: Any) -> int | None:
    """The value of a wire, or None if a bit of it is X or Z."""
    try:
        return int(wire.value)
    except ValueError:
        return None


class Source:
    """Drives the input stream with one beat after another.

    A pause comes between two beats, but an offer stays until its transfer. In a pause the data lines carry the complement of the
    next beat, so a design that reads them without valid gives a wrong result. In every other pause they are X in a simulator that
    knows it, so no valid or ready may depend on them.
    """

    def __init__(self, beats: Sequence[Beat], pauses: Iterator[bool]) -> None:
        self._beats, self._pauses = beats, pauses
        self._next = 0
        self._offered = False
        self.count = len(beats)
        """Beats to send."""
        self.packets = sum(beat[-1] for beat in beats)
        """Vectors that end in these beats."""
        self.times: list[int] = []
        """Cycle of every beat's transfer."""

    @property
    def done(self) -> bool:
        """Whether every beat has been transferred."""
        return len(self.times) == self.count

    def start(self, tap: Tap) -> None:
        """Takes control of the wires of the input stream."""
        self._valid, self._wires = tap.valid, tap.payload
        self._masks = [(1 << len(wire)) - 1 for wire in self._wires]
        self._nothing: Beat = (0,) * len(self._wires)
        # Verilator has no X.
        knows_x = cocotb.SIM_NAME.lower().startswith("icarus")
        self._undefined = tuple([LogicArray("X" * len(wire)) for wire in self._wires]) if knows_x else None
        self._driven_valid = -1
        self._driven: Beat = (-1,) * len(self._wires)

    def step(self, cycle: int, transferred: bool) -> None:
        """Records the transfer of a clock edge, then offers the next beat or pauses."""
        if transferred:
            self.times.append(cycle)
            self._offered = False
        if self._offered:
            return
        if self._next == self.count:
            self._drive(0, self._nothing)
        elif next(self._pauses):
            beat = self._beats[self._next]
            if self._undefined and self._next % 2:
                self._drive(0, self._undefined)
            else:
                self._drive(0, tuple([value ^ mask for value, mask in zip(beat, self._masks, strict=True)]))
        else:
            self._drive(1, self._beats[self._next])
            self._next += 1
            self._offered = True

    def _drive(self, valid: int, beat: Beat) -> None:
        # A write costs more simulation time than a comparison.
        if valid != self._driven_valid:
            self._valid.value = valid
            self._driven_valid = valid
        if beat != self._driven:
            for wire, value, before in zip(self._wires, beat, self._driven, strict=True):
                if value != before:
                    wire.value = value
            self._driven = beat


class Sink:
    """Receives the beats of an output stream and compares each with the beat that is due.

    The sink replaces bytes of tdata that tkeep excludes by 0, and `due` has 0 in these bytes. With `due` None the sink collects
    `count` beats in `packets` vectors instead. Without `pauses` it becomes ready only after valid, so a design whose valid waits
    for ready makes no progress.
    """

    def __init__(
        self,
        name: str,
        due: Sequence[Beat] | None,
        pauses: Iterator[bool] | None,
        *,
        fields: Sequence[str] = ("tdata", "tlast", "tuser"),
        count: int = 0,
        packets: int = 0,
        describe: Callable[[int], str] = str,
    ) -> None:
        self.name = name
        """Name of the stream, for messages."""
        self._pauses, self._describe = pauses, describe
        self._fields = tuple(fields)
        self._last, self._keeps = self._fields.index("tlast"), "tkeep" in self._fields
        self.due = due
        """The expected beats; None if the sink collects."""
        self.count = count if due is None else len(due)
        """Number of beats that are due."""
        self.packets = packets if due is None else sum(beat[self._last] for beat in due)
        """Vectors that end in these beats."""
        self.times: list[int] = []
        """Cycle of every beat's transfer."""
        self.beats: list[Payload] = []
        """The collected beats; empty if the sink compares."""

    @property
    def done(self) -> bool:
        """Whether every beat that is due has arrived."""
        return len(self.times) >= self.count

    @property
    def vectors(self) -> int:
        """Vectors whose last beat has arrived."""
        beats = self.beats if self.due is None else self.due[: len(self.times)]
        return sum(beat[self._last] or 0 for beat in beats)

    def start(self, tap: Tap) -> None:
        """Takes control of ready of the stream."""
        self._tap = tap
        self._driven: bool | None = None

    def step(self, cycle: int, beat: Payload | None) -> None:
        """Compares or collects the beat that a clock edge transferred, then drives ready."""
        if beat is not None:
            self.take(cycle, beat)
        ready = not next(self._pauses) if self._pauses is not None else beat is None and self._tap.offered
        if ready != self._driven:
            self._tap.ready.value = int(ready)
            self._driven = ready

    def take(self, cycle: int, beat: Payload) -> None:
        """Compares or collects one beat. Raises AssertionError for a beat other than the one that is due."""
        if self._keeps:
            beat = (_selected_bytes(beat[0], beat[1]), *beat[1:])
        position = len(self.times)
        if position >= self.count:
            raise AssertionError(f"{self.name}: a beat more than the {self.count} that were due: {self._text(beat)}")
        if self.due is None:
            self.beats.append(beat)
        elif beat != self.due[position]:
            description = self._describe(position)
            raise AssertionError(
                f"{self.name}: {description}: {self._text(beat)}; the model has {self._text(self.due[position])}"
            )
        self.times.append(cycle)

    def _text(self, beat: Payload) -> str:
        values = [hex(beat[0] or 0), *map(str, beat[1:])]
        return ", ".join(f"{name} {value}" for name, value in zip(self._fields, values, strict=True))


def _selected_bytes(data: int | None, keep: int | None) -> int:
    """tdata with 0 in the bytes that tkeep excludes."""
    mask = int.from_bytes(bytes(255 * int(bit) for bit in reversed(f"{keep or 0:b}")), "little")
    return (data or 0) & mask


class Harness:
    """The generated top with clock and reset, a monitor on every stream, and the loop that steps them.

    `streams` maps each stream, s_axis included, to its fields. With `driven` False the harness only monitors the streams, which
    other drivers then drive.
    """

    def __init__(self, dut: Any, streams: Mapping[str, Sequence[str]], *, driven: bool = True) -> None:
        self.cycle = 0
        """Rising clock edges so far."""
        self.resets = 0
        """Resets so far."""
        taps = {prefix: Tap(dut, prefix, fields) for prefix, fields in streams.items()}
        self.input = taps.pop("s_axis")
        self.outputs = taps
        self._taps = (self.input, *self.outputs.values())
        self._reset = dut.aresetn
        self._edge = RisingEdge(dut.aclk)
        self._driven = driven
        # Every input has a value from the start, because an X on an input would look like an X of the design.
        self._reset.value = 0
        if driven:
            self._release()
        # The clock starts low, because an edge at time 0 would precede the first values of the inputs.
        Clock(dut.aclk, CLOCK_NS, unit="ns").start(start_high=False)

    def _release(self) -> None:
        self.input.valid.value = 0
        for wire in self.input.payload:
            wire.value = 0
        for tap in self.outputs.values():
            tap.ready.value = 0

    async def reset(self, cycles: int = 4) -> None:
        """Holds aresetn low over `cycles` rising edges; after the first, valid of every stream must be low."""
        self.resets += 1
        self._reset.value = 0
        for _ in range(cycles):
            await self._edge
            self.cycle += 1
            for tap in self._taps:
                tap.monitor.observe_reset(_value(tap.valid))
            if self._driven:
                self._release()
        self._reset.value = 1

    async def run(
        self,
        source: Source,
        sinks: dict[str, Sink],
        *,
        patience: int,
        drain: int = 0,
        until: Callable[[], bool] | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        """Steps until every beat that is due has arrived, then `drain` more cycles without any beat.

        `until` ends the run as soon as it returns True, without the checks at the end. Raises AssertionError if no stream
        transfers a beat for `patience` cycles, or if a monitor or a sink sees an error.
        """
        taps = [self.outputs[prefix] for prefix in sinks]
        receivers = list(sinks.values())
        source.start(self.input)
        for tap, sink in zip(taps, receivers, strict=True):
            sink.start(tap)
        for tap in self._taps:
            tap.monitor.begin()
        sample_input, samples = self.input.sample, [tap.sample for tap in taps]
        steps = [sink.step for sink in receivers]
        edge, last_transfer, remaining = self._edge, self.cycle, drain
        while remaining >= 0:
            await edge
            self.cycle = cycle = self.cycle + 1
            # All streams are sampled before any is driven, because a write must not change a sample of the same edge.
            transferred = sample_input() is not None
            beats = [sample() for sample in samples]
            source.step(cycle, transferred)
            for step, beat in zip(steps, beats, strict=True):
                step(cycle, beat)
                if beat is not None:
                    last_transfer = cycle
            if transferred:
                last_transfer = cycle
            if until is not None:
                if until():
                    return
            elif source.done and all(sink.done for sink in receivers):
                remaining -= 1
            if cycle - last_transfer > patience and remaining == drain:
                raise AssertionError(f"no beat in {patience} cycles: {self._state(source, sinks)}")
            if progress is not None and cycle & 1023 == 0:
                progress(len(source.times) / source.count)
        self.input.monitor.finish(source.count, source.packets)
        for tap, sink in zip(taps, receivers, strict=True):
            tap.monitor.finish(sink.count, sink.packets)

    async def watch(self, cycles: int) -> None:
        """Samples every stream over `cycles` clock edges without driving any, for drivers of other packages."""
        for _ in range(cycles):
            await self._edge
            self.cycle += 1
            for tap in self._taps:
                tap.sample()

    def _state(self, source: Source, sinks: dict[str, Sink]) -> str:
        counts = [f"s_axis {len(source.times)} of {source.count}"]
        counts += [f"{prefix} {len(sink.times)} of {sink.count}" for prefix, sink in sinks.items()]
        return ", ".join(counts)
