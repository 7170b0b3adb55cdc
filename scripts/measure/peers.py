"""Other open hardware softmax blocks, as points in the plot of the benchmark.

All were placed with nextpnr-ecp5 0.11.1 for an LFE5U-25F, speed 6 (ITA: LFE5U-85F), out of context, placement seed 1, after
the stock `synth_ecp5` of yosys 0.70. The heads here use the same tools with `-nowidelut` and with registers moved into hard
blocks. `Peer.same_flow` has the figures of a block in that flow, where it was measured. Blocks without an AXI4-Stream port were
measured without one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["PEERS", "Peer", "PEER_COLUMNS", "SameFlow", "peer_rows"]


@dataclass(frozen=True)
class SameFlow:
    """A block behind the synthesis that the heads here have."""

    comb: int
    """Combinational cells, COMB."""
    fmax_mhz: float


@dataclass(frozen=True)
class Peer:
    """One block. Throughput is Fmax · elements per cycle."""

    name: str
    kind: str
    """`softmax` or `argmax`."""
    formats: str
    cells: Mapping[str, int]
    """Cells by kind, as `Part.cells` of an ECP5 names them."""
    fmax_mhz: float
    elements_per_cycle: float
    source: str
    """Where its code, or the paper it follows, is."""
    same_flow: SameFlow | None = None
    """None where only the stock flow was measured."""

    @property
    def megaelements_per_second(self) -> float:
        """Throughput at Fmax."""
        return self.fmax_mhz * self.elements_per_cycle


def _cells(comb: int, flip_flops: int, block_rams: int, multipliers: int) -> dict[str, int]:
    return {"COMB": comb, "FF": flip_flops, "DP16KD": block_rams, "MULT18": multipliers}


PEERS: tuple[Peer, ...] = (
    Peer(
        "hls4ml, softmax_stable", "softmax", "ap_fixed<16,6>, N = 10", _cells(1883, 1037, 2, 1), 54.3, 1.0,
        "https://github.com/fastmachinelearning/hls4ml", SameFlow(1383, 53.4),
    ),
    Peer(
        "I-BERT, streaming", "softmax", "int32 to 6 bit, N = 32", _cells(2389, 4486, 0, 21), 65.4, 1.0,
        "https://github.com/SurjaHead/softmax-in-hardware", SameFlow(2257, 66.8),
    ),
    Peer(
        "bipartite tables, log domain", "softmax", "Q8.7 to Q1.15, N = 64", _cells(485, 138, 3, 1), 54.4, 0.32,
        "https://www.mdpi.com/2072-666X/17/1/84", SameFlow(420, 52.9),
    ),
    Peer(
        "ITA, 16 lanes", "softmax", "int8 to powers of two, on the 85F", _cells(9966, 1387, 0, 0), 29.1, 16.0,
        "https://github.com/pulp-platform/ITA",
    ),
    Peer(
        "Koios, fp16, 8 lanes", "softmax", "fp16, N = 64", _cells(22611, 9301, 0, 16), 70.0, 1.68,
        "https://github.com/UT-LCA/softmax",
    ),
    Peer(
        "16 bit, log domain", "softmax", "fp32 to Q0.32, N ≤ 10", _cells(3562, 1673, 0, 4), 59.9, 0.034,
        "https://github.com/quyenpro123/softmax", SameFlow(3526, 59.0),
    ),
)  # fmt: skip

PEER_COLUMNS = (
    *(
        "block",
        "formats",
        "COMB",
        "FF",
        "DP16KD",
        "MULT18",
        "Fmax, MHz",
        "elements/cycle",
        "Melements/s",
        "kelements/s per COMB",
    ),
    *("same flow: COMB", "Fmax, MHz", "kelements/s per COMB"),
)
"""The last three are of the synthesis that the heads have; the others are of the stock one."""


def peer_rows() -> list[tuple[str, ...]]:
    """The rows under `PEER_COLUMNS`, the highest throughput first."""
    rows = []
    for peer in sorted(PEERS, key=lambda peer: -peer.megaelements_per_second):
        figures = ["–"] * 3
        if same := peer.same_flow:
            density = 1e3 * same.fmax_mhz * peer.elements_per_cycle / same.comb
            figures = [f"{same.comb}", f"{same.fmax_mhz:g}", f"{density:.1f}"]
        rows.append(
            (
                *(peer.name, peer.formats, *(f"{peer.cells[kind]}" for kind in ("COMB", "FF", "DP16KD", "MULT18"))),
                *(f"{peer.fmax_mhz:g}", f"{peer.elements_per_cycle:g}", f"{peer.megaelements_per_second:.1f}"),
                *(f"{1e3 * peer.megaelements_per_second / peer.cells['COMB']:.1f}", *figures),
            )
        )
    return rows
