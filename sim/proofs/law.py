"""Proof of the AXI4-Stream law of a head, at its full size, for all inputs and all time.

Assumed: the source keeps the law at `s_axis`; the first cycle is one of reset. Nothing else: sinks stall as they like, reset
comes at any time, registers and memories hold anything at the start.
"""

from functools import partial

from softstream.hw.config.config import Config
from softstream.hw.plan.ports import top_ports
from softstream.sim.proofs.harness import harness_rtlil, law_properties
from softstream.sim.proofs.proof import Claim, Prover

__all__ = ["prove_law"]


def _claim(config: Config, top: str) -> Claim:
    ports = top_ports(config)
    return Claim(partial(harness_rtlil, top, ports), law_properties(ports), abstract=True)


prove_law = Prover(_claim)
"""Proves the law of every output of a head, and that no law is vacuous."""
