"""The generated head that the artefacts describe."""

from dataclasses import dataclass

import softstream
from softstream.hw.config.config import Config
from softstream.hw.plan.derive import Plan
from softstream.hw.plan.ports import Port, outputs, top_ports

__all__ = ["GeneratedHead", "StreamPorts"]


@dataclass(frozen=True)
class StreamPorts:
    """The ports of one AXI4-Stream interface of the top."""

    prefix: str
    """Of the ports' names, for example `m_axis`."""
    is_input: bool
    """Whether the head receives the stream."""
    ports: tuple[Port, ...]

    def role(self, port: Port) -> str:
        """Name of a port in the standard: `tdata`, `tvalid`, …"""
        return port.name.removeprefix(f"{self.prefix}_")


@dataclass(frozen=True)
class GeneratedHead:
    """A configuration's plan, and the names of its Verilog."""

    plan: Plan
    module: str
    """Name of the top module, and the prefix of all names that an artefact defines."""
    verilog_file: str
    """Name of the Verilog file, in the folder of the artefacts."""

    @property
    def config(self) -> Config:
        """The configuration."""
        return self.plan.config

    @property
    def origin(self) -> str:
        """What the file describes and where it comes from, in one line."""
        return f"{self.config.mode} head, configuration {self.config.digest[:16]}, made by softstream {softstream.__version__}"

    @property
    def ports(self) -> tuple[Port, ...]:
        """All ports of the top, in the order of the Verilog."""
        return top_ports(self.config)

    @property
    def streams(self) -> tuple[StreamPorts, ...]:
        """The AXI4-Stream interfaces: the scores first, then the outputs."""
        prefixes = ["s_axis", *(output.prefix for output in outputs(self.config))]
        return tuple(
            StreamPorts(
                prefix, prefix == "s_axis", tuple(port for port in self.ports if port.name.startswith(f"{prefix}_t"))
            )
            for prefix in prefixes
        )
