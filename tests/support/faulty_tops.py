"""Tops that break a rule on purpose, for tests of what finds the fault."""

from softstream.hw.config.config import Config
from softstream.hw.plan.ports import top_ports
from softstream.hw.verilog import TOP, verilog

__all__ = ["wrapped"]


def wrapped(config: Config, **faults: str) -> str:
    """The Verilog of a head inside a top of the same ports, some of which are other expressions.

    An input of `faults` is what the head gets, an output what the top drives. `honest_NAME` is what the head itself drives;
    `before_NAME` is an input one cycle ago.
    """
    ports = top_ports(config)
    inputs = [port.name for port in ports if port.direction == "input"]
    lines = [f"module {TOP}({', '.join(port.name for port in ports)});"]
    for port in ports:
        lines.append(f"  {port.direction} [{port.width - 1}:0] {port.name};")
        if port.name in inputs:
            lines.append(f"  reg [{port.width - 1}:0] before_{port.name};")
        else:
            lines.append(f"  wire [{port.width - 1}:0] honest_{port.name};")
            lines.append(f"  assign {port.name} = {faults.get(port.name, f'honest_{port.name}')};")
    lines.append("  always @(posedge aclk) begin")
    lines += [f"    before_{name} <= {name};" for name in inputs if name != "aclk"]
    lines.append("  end")
    wires = {
        port.name: faults.get(port.name, port.name) if port.name in inputs else f"honest_{port.name}" for port in ports
    }
    connections = ", ".join(f".{name}({wire})" for name, wire in wires.items())
    lines += [f"  honest inner({connections});", "endmodule"]
    return verilog(config, "honest") + "\n".join(lines) + "\n"
