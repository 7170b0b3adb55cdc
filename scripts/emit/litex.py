"""A LiteX module of the head: its streams as LiteX endpoints, and the Verilog as a source of the platform."""

from softstream.hw.errors import UserError
from softstream.scripts.emit.head import GeneratedHead, StreamPorts

__all__ = ["files"]

_NAMES = {"s_axis": "sink", "m_axis": "source"}
"""AXI4-Stream interface → endpoint, by the habit of LiteX; a second output is `source_…`."""


def files(head: GeneratedHead) -> dict[str, str]:
    """`MODULE_litex.py`, with the class `Head`.

    Raises `UserError` for Verilog that reads files: LiteX runs the tools in a folder without them.
    """
    if head.memory_files:
        raise UserError(
            "--litex with --memory-init readmemh: LiteX runs the tools in another folder, without the files of the memories; "
            "use --memory-init case, or inline"
        )
    return {f"{head.module}_litex.py": _text(head)}


def _endpoint(stream: StreamPorts) -> str:
    return _NAMES.get(stream.prefix) or stream.prefix.replace("m_axis", "source")


def _payload(stream: StreamPorts) -> list[tuple[str, int]]:
    """(name, bits) of the fields of an endpoint besides valid, ready and last."""
    return [
        (stream.role(port).removeprefix("t"), port.width)
        for port in stream.ports
        if stream.role(port) not in ("tvalid", "tready", "tlast")
    ]


def _text(head: GeneratedHead) -> str:
    endpoints, connections, described = [], [], []
    for stream in head.streams:
        name = _endpoint(stream)
        fields = ", ".join(f'("{field}", {width})' for field, width in _payload(stream))
        endpoints.append(f"        self.{name} = stream.Endpoint([{fields}])")
        described.append(f"    `{name}` is {stream.prefix}.")
        for port in stream.ports:
            signal = stream.role(port).removeprefix("t")
            connections.append(f"            {port.direction[0]}_{port.name}=self.{name}.{signal},")
    return "\n".join(
        [
            f'"""LiteX module of the {head.origin}."""',
            "",
            "from pathlib import Path",
            "",
            "from litex.gen import LiteXModule",
            "from litex.soc.interconnect import stream",
            "from migen import ClockSignal, Instance, ResetSignal",
            "",
            '__all__ = ["Head"]',
            "",
            f'VERILOG = Path(__file__).with_name("{head.verilog_file}")',
            "",
            "",
            "class Head(LiteXModule):",
            '    """The head, whose streams are endpoints.',
            "",
            *described,
            '    """',
            "",
            '    def __init__(self, platform, clock_domain="sys"):',
            *endpoints,
            "        self.specials += Instance(",
            f'            "{head.module}",',
            "            i_aclk=ClockSignal(clock_domain),",
            "            i_aresetn=~ResetSignal(clock_domain),",
            *connections,
            "        )",
            "        platform.add_source(str(VERILOG))",
            "",
        ]
    )
