"""Open hardware softmax and argmax blocks, as points beside ours.

All were synthesised and placed with the same tools in the same way: yosys 0.70, nextpnr-ecp5 0.11.1, LFE5U-25F speed 6 (ITA:
LFE5U-85F), out of context, placement seed 1. Those without an AXI4-Stream edge were measured without one.
"""

from dataclasses import dataclass

__all__ = ["PEERS", "Peer"]


@dataclass(frozen=True)
class Peer:
    """One block. Throughput is Fmax · elements per cycle."""

    name: str
    kind: str
    """`softmax` or `argmax`."""
    formats: str
    comb: int
    """TRELLIS_COMB cells."""
    multipliers: int
    """MULT18X18D cells."""
    fmax_mhz: float
    elements_per_cycle: float
    source: str
    """Where its code, or the paper it follows, is."""

    @property
    def megaelements_per_second(self) -> float:
        """Throughput at Fmax."""
        return self.fmax_mhz * self.elements_per_cycle


PEERS: tuple[Peer, ...] = (
    Peer(
        "hls4ml, softmax_stable", "softmax", "ap_fixed<16,6>, N = 10", 1883, 1, 54.3, 1.0,
        "https://github.com/fastmachinelearning/hls4ml",
    ),
    Peer(
        "I-BERT, streaming", "softmax", "int32 to 6 bit, N = 32", 2389, 21, 65.4, 1.0,
        "https://github.com/SurjaHead/softmax-in-hardware",
    ),
    Peer(
        "bipartite tables, log domain", "softmax", "Q8.7 to Q1.15, N = 64", 485, 1, 54.4, 0.32,
        "https://www.mdpi.com/2072-666X/17/1/84",
    ),
    Peer(
        "ITA, 16 lanes", "softmax", "int8 to powers of two, on the 85F", 9966, 0, 29.1, 16.0,
        "https://github.com/pulp-platform/ITA",
    ),
    Peer(
        "Koios, fp16, 8 lanes", "softmax", "fp16, N = 64", 22611, 16, 70.0, 1.68,
        "https://github.com/UT-LCA/softmax",
    ),
    Peer(
        "16 bit, log domain", "softmax", "fp32 to Q0.32, N ≤ 10", 3793, 4, 57.3, 0.034,
        "https://github.com/quyenpro123/softmax",
    ),
)  # fmt: skip
