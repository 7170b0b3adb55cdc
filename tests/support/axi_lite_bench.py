"""The head behind its registers, as a processor sees it: cocotbext-axi reads and writes, the golden model says what is due."""

import json
import re
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

import softstream
from softstream.hw.plan.ports import outputs, stream_fields, top_ports
from softstream.scripts.emit.axi_lite import ID
from softstream.sim.beats import Beat, due_beats, pad_vectors, score_beats, with_null_beats
from softstream.sim.golden import golden
from softstream.sim.simulators.job import PLUSARG, Job
from softstream.sim.stalls import stall_iterator
from softstream.sim.stimulus import corner_vectors, random_sideband, random_vectors

PATIENCE = 500
"""Reads in a row that find no beat, or no room, until it is given up."""


class Processor:
    """Reads and writes registers by name, and knows the streams behind them."""

    def __init__(self, dut: Any) -> None:
        job = Job.load(Path(str(cocotb.plusargs[PLUSARG])))
        self.dut, self.config = dut, job.config
        self.rng = np.random.default_rng(job.seed)
        self.offsets: dict[str, int] = json.loads((job.directory / "registers.json").read_text(encoding="utf-8"))
        self.widths = {port.name: port.width for port in top_ports(self.config)}
        self.prefixes = [output.prefix for output in outputs(self.config)]
        self.bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.aclk, dut.aresetn, reset_active_level=False)
        self.held: dict[str, int] = {}
        """What the registers beside the data hold."""

    async def start(self, pauses: str = "never") -> None:
        """Starts the clock and resets everything. `pauses`: those of each of the five channels."""
        cocotb.start_soon(Clock(self.dut.aclk, 10, unit="ns").start())
        for place, channel in enumerate(
            (
                self.bus.write_if.aw_channel,
                self.bus.write_if.w_channel,
                self.bus.write_if.b_channel,
                self.bus.read_if.ar_channel,
                self.bus.read_if.r_channel,
            )
        ):
            channel.set_pause_generator(stall_iterator(pauses, place))
        await self.reset()

    async def reset(self) -> None:
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.aclk, 2)
        self.dut.aresetn.value = 1
        await RisingEdge(self.dut.aclk)
        self.held = {}

    async def read(self, name: str) -> int:
        return await self.bus.read_dword(self.offsets[name])

    async def write(self, name: str, value: int) -> None:
        await self.bus.write_dword(self.offsets[name], value)

    def words(self, port: str) -> list[tuple[str, int]]:
        """(register, lowest bit) of each part of a port."""
        return [(port + (f"_{low // 32}" if low else ""), low) for low in range(0, self.widths[port], 32)]

    async def send(self, beat: Beat) -> None:
        """Writes what goes with the beat where it changed, and then the beat. It does not ask whether there is room."""
        *values, last = beat
        fields = [field for field in stream_fields(self.config, "s_axis") if field != "tlast"]
        for field, value in zip(fields, values, strict=True):
            for name, low in self.words(f"s_axis_{field}"):
                word = value >> low & 0xFFFF_FFFF
                if name != "s_axis_tdata" and self.held.get(name) != word:
                    await self.write(name, word)
                    self.held[name] = word
        await self.write("s_axis_tdata_last" if last else "s_axis_tdata", values[0] & 0xFFFF_FFFF)

    async def has_room(self) -> bool:
        return bool(await self.read("status") & 1)

    async def waited_for_room(self) -> bool:
        """Whether there is room within `PATIENCE` reads of the status."""
        for _ in range(PATIENCE):
            if await self.has_room():
                return True
        return False

    async def receive(self, prefix: str) -> Beat | None:
        """The next beat of a stream, as `stream_fields` orders it, or None where none waits."""
        flags = await self.read(f"{prefix}_flags")
        if not flags & 1:
            assert flags == 0
            return None
        beat = []
        for field in stream_fields(self.config, prefix):
            if field in ("tkeep", "tdata"):
                # The data comes from the highest word down, because the read of the lowest takes the beat.
                beat.append(0)
            else:
                beat.append(flags >> 1 & 1 if field == "tlast" else flags >> 2)
        for place, field in enumerate(stream_fields(self.config, prefix)):
            if field == "tkeep":
                beat[place] = sum([await self.read(name) << low for name, low in self.words(f"{prefix}_tkeep")])
        beat[0] = sum([await self.read(name) << low for name, low in reversed(self.words(f"{prefix}_tdata"))])
        if "tkeep" in stream_fields(self.config, prefix):
            beat[0] &= sum(0xFF << 8 * byte for byte in range(beat[1].bit_length()) if beat[1] >> byte & 1)
        return tuple(beat)

    def beats(self, vectors: Sequence[np.ndarray]) -> tuple[list[Beat], dict[str, deque[Beat]]]:
        """The beats of the scores, null beats among them where the head takes those, and the beats that are due."""
        scores, lengths = pad_vectors(vectors, self.config.score_format.minimum)
        sideband = random_sideband(self.config, scores)
        sent = with_null_beats(self.config, score_beats(self.config, scores, lengths, self.rng, sideband), self.rng)
        due = due_beats(self.config, golden(self.config, scores, lengths, sideband), lengths, sideband.get("mask"))
        return sent, {prefix: deque(due[prefix]) for prefix in self.prefixes}

    async def take(self, prefix: str, due: dict[str, deque[Beat]]) -> bool:
        """Whether a beat of the stream waited. It must be the next one that is due."""
        beat = await self.receive(prefix)
        if beat is None:
            return False
        assert due[prefix], f"{prefix}: a beat more than were due"
        assert beat == (expected := due[prefix].popleft()), f"{prefix}: {beat}, due {expected}"
        return True

    async def drain(self, due: dict[str, deque[Beat]]) -> None:
        """Takes all beats that are due, and sees that no other follows."""
        for _ in range(PATIENCE):
            waited = [await self.take(prefix, due) for prefix in self.prefixes]
            if not any(waited) and not any(due.values()):
                return
        raise AssertionError(f"{ {prefix: len(beats) for prefix, beats in due.items()} } beats did not come")

    async def exchange(self, vectors: Sequence[np.ndarray]) -> None:
        """Sends vectors while there is room, takes beats in between, and compares all of them."""
        sent, due = self.beats(vectors)
        for beat in sent:
            while not await self.has_room():
                for prefix in self.prefixes:
                    await self.take(prefix, due)
            await self.send(beat)
            if self.rng.random() < 0.2:
                await self.take(self.prefixes[int(self.rng.integers(len(self.prefixes)))], due)
        await self.drain(due)
        assert await self.read("errors") == 0


@cocotb.test()
async def identity(dut: Any) -> None:
    """The constants, and the state after a reset."""
    processor = Processor(dut)
    await processor.start()
    major, minor, patch = map(int, re.findall(r"\d+", softstream.__version__)[:3])
    assert await processor.read("id") == ID
    assert await processor.read("version") == major << 16 | minor << 8 | patch
    assert await processor.read("digest") == int(processor.config.digest[:8], 16)
    assert await processor.read("errors") == 0
    assert await processor.waited_for_room()
    assert await processor.read("status") == 1


@cocotb.test()
@cocotb.parametrize(pauses=["never", "random", "every3"])
async def results(dut: Any, pauses: str) -> None:
    """Corner vectors, sent while there is room, with pauses on the five channels."""
    processor = Processor(dut)
    await processor.start(pauses)
    await processor.exchange(corner_vectors(processor.config, processor.rng))


@cocotb.test()
async def back_to_back(dut: Any) -> None:
    """A sender and a receiver at the same time, so that reads and writes meet; the sender asks for room before each beat."""
    processor = Processor(dut)
    await processor.start()
    sent, due = processor.beats(random_vectors(processor.config, processor.rng, 12))

    async def send() -> None:
        for beat in sent:
            while not await processor.has_room():
                pass
            await processor.send(beat)

    sender = cocotb.start_soon(send())
    await processor.drain(due)
    await sender
    assert await processor.read("errors") == 0


@cocotb.test()
async def empty_reads(dut: Any) -> None:
    """A read without a beat is 0, is told by the stream's bit alone until a 1 is written to it, and takes no later beat."""
    processor = Processor(dut)
    await processor.start()
    for place, prefix in enumerate(processor.prefixes):
        assert await processor.read(f"{prefix}_tdata") == 0
        assert await processor.read("errors") == 2 << place
        await processor.write("errors", 0xFFFF_FFFF ^ (2 << place))
        assert await processor.read("errors") == 2 << place
        await processor.write("errors", 2 << place)
        assert await processor.read("errors") == 0
    await processor.exchange(random_vectors(processor.config, processor.rng, 3))


@cocotb.test()
async def overflow(dut: Any) -> None:
    """A beat without room is lost and told; sent again, every result is that of the model."""
    processor = Processor(dut)
    await processor.start()
    longest = np.full(processor.config.max_length, processor.config.score_format.minimum)
    sent, due = processor.beats([longest] * 40)
    lost = 0
    for beat in sent:
        # A head that waits inside has room later; one whose results wait has none until they are taken.
        tries = 0
        while not await processor.has_room():
            tries += 1
            if tries == 50:
                await processor.send(beat)
                assert await processor.read("errors") == 1
                await processor.write("errors", 1)
                lost += 1
                for prefix in processor.prefixes:
                    while await processor.take(prefix, due):
                        pass
        await processor.send(beat)
    await processor.drain(due)
    assert lost
    assert await processor.read("errors") == 0


@cocotb.test()
async def resets(dut: Any) -> None:
    """The register and the pin drop what is inside, in the middle of a vector and of its results."""
    processor = Processor(dut)
    await processor.start()
    for by_register in (True, False):
        for beats in (1, 2, 3, 11):
            sent, _ = processor.beats(random_vectors(processor.config, processor.rng, 6))
            for beat in sent[:beats]:
                # A head whose results nobody takes has no room in the end.
                if not await processor.waited_for_room():
                    break
                await processor.send(beat)
            if by_register:
                # The beat of the next write is the first one behind the reset.
                whole, due = processor.beats(random_vectors(processor.config, processor.rng, 1))
                writes = [cocotb.start_soon(processor.write("control", 1)), cocotb.start_soon(processor.send(whole[0]))]
                for write in writes:
                    await write
                for beat in whole[1:]:
                    while not await processor.has_room():
                        for prefix in processor.prefixes:
                            await processor.take(prefix, due)
                    await processor.send(beat)
                await processor.drain(due)
            else:
                await processor.reset()
            await processor.exchange(random_vectors(processor.config, processor.rng, 3))


@cocotb.test()
async def strobes(dut: Any) -> None:
    """A write without the strobe of the lowest byte sends nothing; a byte that is not written is 0."""
    processor = Processor(dut)
    await processor.start()
    assert await processor.waited_for_room()
    await processor.bus.write(processor.offsets["s_axis_tdata_last"] + 1, b"\x7f\x7f\x7f")
    await processor.exchange(random_vectors(processor.config, processor.rng, 2))
    sent, due = processor.beats([np.array([1])])
    *values, _ = sent[-1]
    if processor.config.lanes == 1 and not processor.config.reads_tkeep and values[0] < 256:
        await processor.bus.write(processor.offsets["s_axis_tdata_last"], bytes([values[0]]))
        await processor.drain(due)
    assert await processor.read("errors") == 0
