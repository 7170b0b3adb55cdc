"""`make endurance`: memory and file handles of `run-on-board --simulated` over many vectors.

    PYTHONPATH=tests python -m support.endurance --vectors 100000 --write

The host and the simulated board are watched while they run: resident memory and open file handles of both. A leak of some bytes a
vector shows in the slope of the memory between a quarter of the run and its end, and one of handles in their largest number.
`ENDURANCE` holds the figures of the last run with `--write`.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["ENDURANCE", "MOST_BYTES", "Sample", "figures", "watched"]

ENDURANCE = Path(__file__).resolve().parents[2] / "boards" / "measured" / "endurance.json"
COMMAND = ("run-on-board", "--simulated", "--board", "icestick", "--baud", "3000000", "--quiet", "--vectors")
MOST_BYTES = 32
"""A vector may cost so many bytes of memory: the noise of the allocator over 10^5 vectors is some of them."""
_SECONDS = 0.2


@dataclass(frozen=True)
class Sample:
    """Both processes at one time."""

    seconds: float
    host_bytes: int
    board_bytes: int
    host_handles: int
    board_handles: int


def watched(vectors: int) -> list[Sample]:
    """Samples of a run, from the first answer of the board on. Raises `RuntimeError` where the run fails."""
    command = [sys.executable, "-m", "softstream", *COMMAND, str(vectors)]
    host = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    samples = []
    begin = time.monotonic()
    while host.poll() is None:
        children = list(_below(host.pid))
        if any(b"softstream.sim.simulators.launch" in _command_line(number) for number in children):
            # The last of them is the simulator; those before it start it and watch over it.
            of_host, of_board = _state(host.pid), _state(children[-1])
            if of_host and of_board:
                samples.append(Sample(time.monotonic() - begin, of_host[0], of_board[0], of_host[1], of_board[1]))
        time.sleep(_SECONDS)
    if host.returncode:
        raise RuntimeError(host.stdout.read() if host.stdout else "")
    return samples


def figures(samples: Sequence[Sample], vectors: int) -> dict[str, Any]:
    """What the samples say: memory after a quarter of the time and at the most, and the largest number of handles."""
    quarter, last = samples[len(samples) // 4], samples[len(samples) * 9 // 10]
    return {
        "vectors": vectors,
        "seconds": round(samples[-1].seconds),
        "host_bytes": [quarter.host_bytes, last.host_bytes],
        "board_bytes": [quarter.board_bytes, last.board_bytes],
        "host_bytes_per_vector": round((last.host_bytes - quarter.host_bytes) / (0.65 * vectors), 1),
        "board_bytes_per_vector": round((last.board_bytes - quarter.board_bytes) / (0.65 * vectors), 1),
        "host_handles": [quarter.host_handles, max(sample.host_handles for sample in samples)],
        "board_handles": [quarter.board_handles, max(sample.board_handles for sample in samples)],
    }


def _below(number: int) -> Iterator[int]:
    """The processes that a process has started, and theirs, parents first."""
    try:
        children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
    except OSError:
        return
    for child in map(int, children):
        yield child
        yield from _below(child)


def _command_line(number: int) -> bytes:
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return b""


def _state(number: int) -> tuple[int, int] | None:
    """Resident bytes and open handles of a process; None where it has ended."""
    try:
        pages = int(Path(f"/proc/{number}/statm").read_text().split()[1])
        return pages * resource.getpagesize(), len(os.listdir(f"/proc/{number}/fd"))
    except OSError:
        return None


def main() -> int:
    """Runs once and prints the figures; 1 where memory or handles grow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--write", action="store_true", help=f"store the figures in {ENDURANCE.name}")
    arguments = parser.parse_args()
    content = figures(watched(arguments.vectors), arguments.vectors)
    print(json.dumps(content, indent=1))
    if arguments.write:
        ENDURANCE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return int(content["host_bytes_per_vector"] > MOST_BYTES or content["board_bytes_per_vector"] > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
