"""Templates of an instance in VHDL and in Amaranth; that in Verilog is always written."""

from softstream.hw.plan.ports import Port
from softstream.scripts.emit.head import GeneratedHead

__all__ = ["files"]


def files(head: GeneratedHead) -> dict[str, str]:
    """`MODULE.vho`, a component declaration and an instance to paste, and `MODULE_amaranth.py`, a component to import."""
    return {f"{head.module}.vho": _vhdl(head), f"{head.module}_amaranth.py": _amaranth(head)}


def _vhdl_type(port: Port) -> str:
    return f"std_logic_vector({port.width - 1} downto 0)" if port.width > 1 else "std_logic"


def _vhdl(head: GeneratedHead) -> str:
    ports = head.ports
    pad = max(len(port.name) for port in ports)
    directions = {"input": "in ", "output": "out"}
    declared = [f"    {port.name:<{pad}} : {directions[port.direction]} {_vhdl_type(port)}" for port in ports]
    signals = [f"signal {port.name:<{pad}} : {_vhdl_type(port)};" for port in ports]
    mapped = [f"    {port.name:<{pad}} => {port.name}" for port in ports]
    return "\n".join(
        [
            f"-- Template of the {head.origin}.",
            "-- No source file: paste the declarations into an architecture, and the instance into its body.",
            "",
            "-- Declarations",
            f"component {head.module}",
            "  port (",
            ";\n".join(declared),
            "  );",
            "end component;",
            "",
            *signals,
            "",
            "-- Instance",
            f"head : {head.module}",
            "  port map (",
            ",\n".join(mapped),
            "  );",
            "",
        ]
    )


def _amaranth(head: GeneratedHead) -> str:
    inner = [port for port in head.ports if port.name not in ("aclk", "aresetn")]
    flows = {"input": "In", "output": "Out"}
    members = [f'                "{port.name}": {flows[port.direction]}({port.width}),' for port in inner]
    connections = [f"            {port.direction[0]}_{port.name}=self.{port.name}," for port in inner]
    return "\n".join(
        [
            f'"""Amaranth component of the {head.origin}.',
            "",
            "It instantiates the Verilog, whose clock and reset are those of the component's domain `sync`.",
            '"""',
            "",
            "from pathlib import Path",
            "",
            "from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal",
            "from amaranth.lib import wiring",
            "from amaranth.lib.wiring import In, Out",
            "",
            '__all__ = ["Head"]',
            "",
            f'VERILOG = Path(__file__).with_name("{head.verilog_file}")',
            "",
            "",
            "class Head(wiring.Component):",
            '    """The AXI4-Stream ports of the head, by the names of the Verilog."""',
            "",
            "    def __init__(self):",
            "        super().__init__(",
            "            {",
            *members,
            "            }",
            "        )",
            "",
            "    def elaborate(self, platform):",
            "        m = Module()",
            "        if platform is not None:",
            "            platform.add_file(VERILOG.name, VERILOG.read_text())",
            *(
                f'            platform.add_file("{file}", VERILOG.with_name("{file}").read_text())'
                for file in head.memory_files
            ),
            "        m.submodules.head = Instance(",
            f'            "{head.module}",',
            "            i_aclk=ClockSignal(),",
            "            i_aresetn=~ResetSignal(),",
            *connections,
            "        )",
            "        return m",
            "",
        ]
    )
