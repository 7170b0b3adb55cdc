"""Proof that the results of a head do not depend on what its registers and memories hold before the first reset.

Two copies of the generated Verilog start from arbitrary contents, which differ as the model checker likes, and get the same
inputs: in every cycle after the first one, which is one of reset, their outputs agree. Assumed as for the law: the source keeps
AXI4-Stream at `s_axis`.
"""

from softstream.hw.config.config import Config
from softstream.hw.plan.ports import top_ports
from softstream.hw.verilog import TOP
from softstream.hw.verilog import verilog as generate
from softstream.sim.proofs.harness import twin_properties, twins_rtlil
from softstream.sim.proofs.proof import Progress, Proof, decide_all

__all__ = ["prove_independence"]


def prove_independence(
    config: Config,
    *,
    verilog: str | None = None,
    seconds: float = 60.0,
    reading_seconds: float | None = None,
    progress: Progress = lambda fraction, what: None,
) -> Proof:
    """Proves that two copies of a head with different contents agree on every handshake and every beat.

    `verilog`: another text of the same ports in the place of the generated one. `seconds`: limit of each step of each tool;
    `reading_seconds`: of reading the Verilog, if that may take longer. Raises `MissingTool` and `ToolFailure`.
    """
    ports = top_ports(config)
    text = generate(config, TOP) if verilog is None else verilog
    harness = twins_rtlil(TOP, ports)
    return decide_all(
        config,
        text,
        harness,
        twin_properties(ports),
        abstract=False,
        seconds=seconds,
        reading_seconds=reading_seconds,
        progress=progress,
    )
