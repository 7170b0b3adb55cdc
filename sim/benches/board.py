"""Connects the wires of a whole board to a pseudo-terminal.

The bench sends the bytes that a host program writes there to `rx`, bit by bit, and makes the bytes from `tx` readable there.

This is not a test: the bench runs until its job says stop, while another program talks to the board. The job can inject faults
into the bytes. A byte for which the terminal has no room is lost, as with a UART, and counted.
"""

import errno
import json
import os
import select
import time
import tty
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from softstream.sim.simulators.board_job import PLUSARG, BoardJob

__all__ = ["wires"]

_CLOCK_NS = 10
_IDLE_BITS = 20
_POWER_ON_CLOCKS = 4096
"""Boards hold their own reset for 15 µs after power-on, so that a block RAM is ready, and until a PLL has locked."""
_OWNER_SECONDS = 1.0


class _Wires:
    def __init__(self, dut: Any, job: BoardJob) -> None:
        self.dut, self.job = dut, job
        self.bit = job.divisor * _CLOCK_NS
        self.rx, self.tx = dut.rx, dut.tx
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)  # held open: a host that leaves does not end the terminal
        os.set_blocking(self.master, False)
        self.faults: dict[str, dict[int, list]] = {}
        self.count = {"to_board": 0, "to_host": 0}
        self.total = {"to_board": 0, "to_host": 0, "lost": 0}
        self.last_byte = time.monotonic()
        self.owner_seen = time.monotonic()

    def look(self) -> bool:
        """Takes new orders; whether to go on."""
        job = self.job
        if job.faults_path.exists():
            self.faults = {}
            for way, index, kind, bit in json.loads(job.faults_path.read_text(encoding="utf-8")):
                self.faults.setdefault(way, {})[index] = [kind, bit]
            self.count = dict.fromkeys(self.count, 0)
            job.faults_path.unlink()
        if time.monotonic() - self.owner_seen > _OWNER_SECONDS:
            self.owner_seen = time.monotonic()
            try:
                os.kill(job.owner, 0)
            except ProcessLookupError:
                return False
        return not job.stop_path.exists()

    def levels(self, way: str, byte: int) -> list[list[int]]:
        """Start bit, data and stop bit of what becomes of a byte: of none, one or two."""
        bits = [0, *((byte >> k) & 1 for k in range(8)), 1]
        kind, place = self.faults.get(way, {}).get(self.count[way], (None, 0))
        self.count[way] += 1
        self.total[way] += 1
        if kind is None:
            return [bits]
        with self.job.hits_path.open("a", encoding="utf-8") as file:
            file.write(f"{way} {self.count[way] - 1} {kind}\n")
        if kind == "flip":
            bits[place] ^= 1
            return [bits]
        return {"mark": [bits], "drop": [], "double": [bits, bits]}[kind]

    async def to_board(self) -> None:
        """From the terminal to rx, until told to stop."""
        while self.look():
            try:
                data = os.read(self.master, 64)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EIO):
                    raise
                data = b""
            if not data:
                if time.monotonic() - self.last_byte > 0.05:
                    select.select([self.master], [], [], 0.002)  # nothing moves: let others have the processor
                await Timer(_IDLE_BITS * self.bit, "ns")
                continue
            for byte in data:
                for levels in self.levels("to_board", byte):
                    self.last_byte = time.monotonic()
                    for level in levels:
                        self.rx.value = level
                        await Timer(self.bit, "ns")
                    if not levels[-1]:  # a stop bit that was flipped ends some time
                        self.rx.value = 1
                        await Timer(self.bit, "ns")

    async def to_host(self) -> None:
        """From tx to the terminal, for ever."""
        while True:
            await FallingEdge(self.tx)
            await Timer(self.bit + self.bit // 2, "ns")
            byte = 0
            for place in range(8):
                byte |= int(self.tx.value) << place
                await Timer(self.bit, "ns")
            assert int(self.tx.value) == 1, "no stop bit"
            self.last_byte = time.monotonic()
            for bits in self.levels("to_host", byte):
                value = sum(level << place for place, level in enumerate(bits[1:9]))
                if not bits[0] and bits[9]:  # otherwise the receiver would not take it for a byte
                    try:
                        os.write(self.master, bytes([value]))
                    except BlockingIOError:
                        self.total["lost"] += 1


@cocotb.test()
async def wires(dut: Any) -> None:
    """Connects the terminal to the board until it is told to stop."""
    job = BoardJob.load(Path(str(cocotb.plusargs[PLUSARG])))
    ends = _Wires(dut, job)
    ends.rx.value = 1
    cocotb.start_soon(Clock(dut.clk, _CLOCK_NS, "ns").start())
    await Timer(_POWER_ON_CLOCKS * _CLOCK_NS + 3, "ns")  # away from the edges of the clock
    cocotb.start_soon(ends.to_host())
    job.publish(os.ttyname(ends.slave))
    await ends.to_board()
    job.totals_path.write_text(json.dumps(ends.total), encoding="utf-8")
