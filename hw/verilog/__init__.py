"""The Verilog of a configuration, and the text that measurements synthesise."""

from softstream.hw.verilog.names import TOP, default_name
from softstream.hw.verilog.synthesis import source_lines, synthesis_verilog
from softstream.hw.verilog.text import verilog

__all__ = ["TOP", "default_name", "source_lines", "synthesis_verilog", "verilog"]
