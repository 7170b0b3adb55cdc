"""Proof of the AXI4-Stream law of a head, at its full size, for all inputs and all time.

Assumed: the source keeps the law at `s_axis`; the first cycle is one of reset. Nothing else: sinks stall as they like, reset
comes at any time, registers and memories hold anything at the start.
"""

from softstream.hw.config.config import Config
from softstream.hw.plan.ports import top_ports
from softstream.hw.verilog import TOP
from softstream.hw.verilog import verilog as generate
from softstream.sim.proofs.harness import harness_rtlil, law_properties
from softstream.sim.proofs.proof import Progress, Proof, decide_all

__all__ = ["prove_law"]


def prove_law(
    config: Config,
    *,
    verilog: str | None = None,
    seconds: float = 60.0,
    reading_seconds: float | None = None,
    progress: Progress = lambda fraction, what: None,
) -> Proof:
    """Proves the law of every output of a head, and that no law is vacuous.

    `verilog`: another text of the same ports in the place of the generated one. `seconds`: limit of each step of each tool;
    `reading_seconds`: of reading the Verilog, if that may take longer. Raises `MissingTool` and `ToolFailure`.
    """
    ports = top_ports(config)
    text = generate(config, TOP) if verilog is None else verilog
    return decide_all(
        config,
        text,
        harness_rtlil(TOP, ports),
        law_properties(ports),
        abstract=True,
        seconds=seconds,
        reading_seconds=reading_seconds,
        progress=progress,
    )
