"""The Verilog of a configuration: names, text, and the line of Python behind each line."""

from softstream.hw.verilog.names import TOP, default_name
from softstream.hw.verilog.text import source_lines, verilog

__all__ = ["TOP", "default_name", "source_lines", "verilog"]
