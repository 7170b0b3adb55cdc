"""The Verilog of a configuration, and the text that measurements synthesise."""

from softstream.hw.verilog.names import TOP, default_name
from softstream.hw.verilog.synthesis import CORE, port_registers, source_lines, synthesis_verilog, wrapped_verilog
from softstream.hw.verilog.text import TECHNOLOGIES, GeneratedText, description, generated_text, verilog

__all__ = [
    "CORE",
    "TECHNOLOGIES",
    "TOP",
    "GeneratedText",
    "default_name",
    "description",
    "generated_text",
    "port_registers",
    "source_lines",
    "synthesis_verilog",
    "verilog",
    "wrapped_verilog",
]
