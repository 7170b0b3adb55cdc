"""Proof that the results of a head do not depend on what its registers and memories hold before the first reset.

Two copies of the generated Verilog start from arbitrary contents, which differ as the model checker likes, and get the same
inputs: in every cycle after the first one, which is one of reset, their outputs agree. Assumed as for the law: the source keeps
AXI4-Stream at `s_axis`.
"""

from functools import partial

from softstream.hw.config.config import Config
from softstream.hw.plan.ports import top_ports
from softstream.sim.proofs.harness import twin_properties, twins_rtlil
from softstream.sim.proofs.proof import Claim, Prover

__all__ = ["prove_independence"]


def _claim(config: Config, top: str) -> Claim:
    ports = top_ports(config)
    return Claim(partial(twins_rtlil, top, ports), twin_properties(ports))


prove_independence = Prover(_claim)
"""Proves that two copies of a head with different contents agree on every handshake and every beat."""
