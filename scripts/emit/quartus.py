"""Files for Quartus: a component of Platform Designer, and timing constraints."""

import softstream
from softstream.scripts.emit.head import GeneratedHead

__all__ = ["files"]

_CLOCK_NS = 10.0
"""Period in the constraints, which the user sets."""


def files(head: GeneratedHead) -> dict[str, str]:
    """`MODULE_hw.tcl` and `MODULE.sdc`."""
    return {f"{head.module}_hw.tcl": _component(head), f"{head.module}.sdc": _constraints(head)}


def _constraints(head: GeneratedHead) -> str:
    return (
        f"# Constraints of the {head.origin}, where it is the top.\n"
        "# It has one clock and no path that may be ignored; aresetn is synchronous. Set the period to that of your design.\n"
        f"create_clock -name aclk -period {_CLOCK_NS:.3f} [get_ports aclk]\n"
        "derive_clock_uncertainty\n"
    )


def _component(head: GeneratedHead) -> str:
    lines = [
        f"# Component of Platform Designer of the {head.origin}.",
        "# Put this file with the Verilog into a folder of the IP search path of the project.",
        "package require -exact qsys 16.1",
        "",
        f"set_module_property NAME {head.module}",
        f"set_module_property DISPLAY_NAME {head.module}",
        f"set_module_property VERSION {softstream.__version__}",
        'set_module_property GROUP "softstream"',
        f"set_module_property DESCRIPTION {{The {head.origin}}}",
        "set_module_property EDITABLE false",
        "",
    ]
    for kind in ("QUARTUS_SYNTH", "SIM_VERILOG"):
        name = kind.lower()
        lines += [
            f"add_fileset {name} {kind}",
            f"set_fileset_property {name} TOP_LEVEL {head.module}",
            f"add_fileset_file {head.verilog_file} VERILOG PATH {head.verilog_file} TOP_LEVEL_FILE",
            *(f"add_fileset_file {file} OTHER PATH {file}" for file in head.memory_files),
            "",
        ]
    lines += [
        "add_interface aclk clock end",
        "add_interface_port aclk aclk clk Input 1",
        "",
        "add_interface aresetn reset end",
        "set_interface_property aresetn associatedClock aclk",
        "set_interface_property aresetn synchronousEdges BOTH",
        "add_interface_port aresetn aresetn reset_n Input 1",
    ]
    for stream in head.streams:
        lines += [
            "",
            f"add_interface {stream.prefix} axi4stream {'end' if stream.is_input else 'start'}",
            f"set_interface_property {stream.prefix} associatedClock aclk",
            f"set_interface_property {stream.prefix} associatedReset aresetn",
        ]
        for port in stream.ports:
            direction = port.direction.capitalize()
            lines.append(f"add_interface_port {stream.prefix} {port.name} {stream.role(port)} {direction} {port.width}")
    return "\n".join(lines) + "\n"
