"""The top under independent AXI4-Stream drivers, those of cocotbext-axi."""

from collections.abc import Iterator, Sequence
from typing import Any

import cocotb
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

from softstream.hw.plan.ports import byte_bits
from softstream.sim.beats import Beat, pad_vectors, score_beats, with_null_beats
from softstream.sim.benches.session import Session
from softstream.sim.stalls import stall_iterator
from softstream.sim.stimulus import corner_vectors, random_sideband

__all__ = ["cocotbext_axi"]

WATCH_CYCLES = 50


def _beats(frame: AxiStreamFrame, size: int, keeps: bool) -> list[Beat]:
    """The beats of a received frame, each of `size` words; with tkeep a word is a byte."""
    beats = []
    for start in range(0, len(frame.tdata), size):
        stop = start + size
        data = sum(word << 8 * place for place, word in enumerate(frame.tdata[start:stop]))
        keep = sum(int(bit) << place for place, bit in enumerate(frame.tkeep[start:stop]))
        beats.append((data, *([keep] if keeps else []), int(stop >= len(frame.tdata)), frame.tuser[start]))
    return beats


def _frames(beats: Sequence[Beat], fields: Sequence[str], size: int) -> Iterator[AxiStreamFrame]:
    """Beats of s_axis as frames. With tkeep a frame consists of bytes, `size` of them in a beat, all with its tuser."""
    frame: list[Beat] = []
    for beat in beats:
        frame.append(beat)
        if not beat[-1]:
            continue
        columns = dict(zip(fields, zip(*frame, strict=True), strict=True))
        repeats, data, keep = 1, list(columns["tdata"]), None
        if "tkeep" in columns:
            repeats = size
            data = [byte for word in data for byte in word.to_bytes(size, "little")]
            keep = [word >> place & 1 for word in columns["tkeep"] for place in range(size)]
        user = [value for value in columns["tuser"] for _ in range(repeats)] if "tuser" in columns else None
        yield AxiStreamFrame(data, tkeep=keep, tuser=user)
        frame = []


@cocotb.test()
@cocotb.parametrize((("source", "sink"), [("never", "never"), ("random", "every3"), ("every3", "random")]))
async def cocotbext_axi(dut: Any, source: str, sink: str) -> None:
    """Corner vectors as frames of words, with pause generators on both sides and a monitor per stream."""
    with Session(dut, "axi", f"cocotbext_axi/source={source}/sink={sink}", driven=False) as session:
        config = session.config

        def attach(driver: type, prefix: str, pauses: str) -> Any:
            # Without tkeep the driver would split tdata into bytes, so it gets one byte lane of full width. With tkeep a
            # frame consists of bytes.
            whole = {} if "tkeep" in session.fields[prefix] else {"byte_lanes": 1}
            bus = AxiStreamBus.from_prefix(dut, prefix)
            endpoint = driver(bus, dut.aclk, dut.aresetn, reset_active_level=False, **whole)
            endpoint.set_pause_generator(stall_iterator(pauses, session.seed()))
            return endpoint

        vectors = corner_vectors(config, session.rng)
        expected = session.sinks(vectors, "never", "never")
        sender = attach(AxiStreamSource, "s_axis", source)
        prefixes = tuple(expected)
        receivers = {prefix: attach(AxiStreamSink, prefix, sink) for prefix in prefixes}
        scores, lengths = pad_vectors(vectors, config.score_format.minimum)
        sent = score_beats(config, scores, lengths, sideband=random_sideband(config, scores))
        sent = with_null_beats(config, sent, session.rng)
        await session.harness.reset()
        for tap in (session.harness.input, *session.harness.outputs.values()):
            tap.monitor.begin()
        for frame in _frames(sent, session.fields["s_axis"], config.lanes * byte_bits(config.score_width) // 8):
            sender.send_nowait(frame)
        monitors = {prefix: session.harness.outputs[prefix].monitor for prefix in prefixes}
        idle = 0
        before = -1
        while any(monitors[prefix].beats < expected[prefix].count for prefix in prefixes):
            await session.harness.watch(WATCH_CYCLES)
            total = sum(monitor.beats for monitor in monitors.values())
            idle = 0 if total != before else idle + WATCH_CYCLES
            before = total
            assert idle < session.patience(max(map(len, vectors))), f"no beat in {idle} cycles, {total} so far"
        await session.harness.watch(session.drain)
        session.harness.input.monitor.finish(len(sent), sum(beat[-1] for beat in sent))
        for prefix, receiver in receivers.items():
            monitors[prefix].finish(expected[prefix].count, expected[prefix].packets)
            while not receiver.empty():
                frame = receiver.recv_nowait(compact=False)
                for beat in _beats(frame, receiver.byte_lanes, "tkeep" in session.fields[prefix]):
                    expected[prefix].take(0, beat)
            assert expected[prefix].done, f"{prefix}: frames hold fewer beats than the {expected[prefix].count} due"
        session.vectors = len(vectors)
        session.beats = session.harness.input.monitor.beats + sum(sink.count for sink in expected.values())
