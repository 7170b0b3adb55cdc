"""The stream law of heads in the words of other people: the AXI4-Stream properties of ZipCPU's wb2axip, proved unbounded.

    PYTHONPATH=tests python -m support.third_party_law wb2axip/bench/formal argmax-int8 softmax-int8

The folder holds `faxis_slave.v`, whose properties are assumed at `s_axis`, and `faxis_master.v`, whose properties are asserted at
every output; https://github.com/ZipCPU/wb2axip has both. Neither is part of this repository. Without names all presets are
proved. The start is arbitrary and a reset may come in any cycle, as in `softstream prove`.
"""

import sys
import tempfile
from pathlib import Path

from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.plan.ports import Port, top_ports
from softstream.hw.verilog import TOP, verilog
from softstream.sim.proofs import engine
from softstream.sim.proofs.harness import PROOF, streams

__all__ = ["prove_third_party_law"]

CHECKERS = ("faxis_master.v", "faxis_slave.v")


def _checker(kind: str, stream: str, ports: dict[str, Port]) -> str:
    """An instance of a checker at a stream; absent signals have the defaults of its own ports."""
    data, user = ports[f"{stream}_tdata"].width, ports.get(f"{stream}_tuser")
    optional = [f"    .i_{name}({stream}_{name})," for name in ("tkeep", "tuser") if f"{stream}_{name}" in ports]
    return "\n".join(
        [
            f"  {kind} #(.C_S_AXI_DATA_WIDTH({data}), .C_S_AXI_USER_WIDTH({user.width if user else 1}),",
            f"    .F_LGDEPTH(4)) {stream}_law (.i_aclk(aclk), .i_aresetn(aresetn),",
            # Registers are arbitrary before the reset, so the first cycle says nothing.
            f"    .i_tvalid({stream}_tvalid{' & started' if kind == 'faxis_master' else ''}),",
            f"    .i_tready({stream}_tready), .i_tdata({stream}_tdata),",
            *optional,
            f"    .i_tlast({stream}_tlast));",
        ]
    )


def _harness(config: Config) -> str:
    ports = {port.name: port for port in top_ports(config)}
    lines = [f"module {PROOF}({', '.join(ports)});"]
    for port in ports.values():
        lines.append(f"  {'input' if port.direction == 'input' else 'output'} [{port.width - 1}:0] {port.name};")
    connections = ", ".join(f".{name}({name})" for name in ports)
    lines += [
        "  reg started = 0;",
        "  always @(posedge aclk) started <= 1;",
        "  always @(*) if (!started) assume (!aresetn);",
        f"  {TOP} head({connections});",
        _checker("faxis_slave", "s_axis", ports),
        *(_checker("faxis_master", name, ports) for name in streams(list(ports.values()))[1:]),
        "endmodule",
    ]
    return "\n".join(lines) + "\n"


def prove_third_party_law(config: Config, checkers: Path, *, text: str | None = None, seconds: int = 120) -> str:
    """`proved`, `refuted` or `open`: all assertions of the checkers at the outputs of a head."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "head.v").write_text(text or verilog(config, TOP), encoding="utf-8")
        (folder / "harness.v").write_text(_harness(config), encoding="utf-8")
        for name in CHECKERS:
            (folder / name).write_text((checkers / name).read_text(encoding="utf-8"), encoding="utf-8")
        commands = [
            "read_verilog -formal head.v",
            *(f"read_verilog -sv -formal {name}" for name in CHECKERS),
            "read_verilog -sv -formal harness.v",
            f"hierarchy -top {PROOF}",
            "proc",
            "flatten",
            engine.FORGET_REGISTERS,
            f"prep -flatten -top {PROOF}",
            "delete t:$mem_v2",  # what memories read is free, which allows more than the hardware does
            "async2sync",
            "chformal -lower",
            "opt_clean",
            # The law speaks for every byte count and routing choice; only assertions are statements.
            "delete -output",
            "setundef -undriven -anyseq",
            "setundef -anyseq",
            "opt_clean",
            *["simplemap", "techmap t:* t:$assume t:$assert t:$anyseq t:$anyconst t:$anyinit %u %u %u %u %d"] * 2,
            "simplemap",
            "dffunmap",
            "aigmap",
            "opt_clean",
            "write_aiger -zinit law.aig",
        ]
        if not engine.run_yosys(commands, folder, seconds=600):
            return "open"
        words = engine.run_abc(
            f"read_aiger law.aig; fold; strash; orpos; scleanup; pdr -T {seconds}", folder, seconds=seconds
        )
        if words is None:
            return "open"
        if "was asserted" in words:
            return "refuted"
        return "proved" if engine.is_proof(words) else "open"


def main() -> None:
    """Prints a line for each preset."""
    checkers, *names = sys.argv[1:]
    for name in names or PRESETS:
        print(name, prove_third_party_law(PRESETS[name], Path(checkers)), flush=True)


if __name__ == "__main__":
    main()
