"""Files for Vivado: a wrapper with interface attributes, an IP-XACT component, a script that packages it, and constraints.

The attributes follow AMD's UG994, "Designing IP Subsystems": AXI4-Stream interfaces are inferred from the names of their ports,
and the clock needs the attributes that associate it with them and with its reset.
"""

from collections.abc import Iterator
from xml.etree import ElementTree

import softstream
from softstream.hw.plan.ports import Port
from softstream.scripts.emit.head import GeneratedHead, StreamPorts

__all__ = ["files"]

VENDOR, LIBRARY = "softstream", "heads"
_CLOCK_NS = 5.0
"""Period in the out-of-context constraints, which the user sets."""
_SPIRIT = "http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_SCHEMA = f"{_SPIRIT} {_SPIRIT}/index.xsd"


def files(head: GeneratedHead) -> dict[str, str]:
    """`MODULE_ip.v`, `component.xml`, `MODULE_package_ip.tcl`, `MODULE_ooc.xdc`."""
    return {
        f"{head.module}_ip.v": _wrapper(head),
        "component.xml": _component(head),
        f"{head.module}_package_ip.tcl": _script(head),
        f"{head.module}_ooc.xdc": _constraints(head),
    }


def _bus_interfaces(head: GeneratedHead) -> str:
    return ":".join(stream.prefix for stream in head.streams)


def _attributes(head: GeneratedHead, port: Port) -> Iterator[str]:
    """The values of X_INTERFACE_INFO, and where there is one of X_INTERFACE_PARAMETER, of a port."""
    if port.name == "aclk":
        yield "xilinx.com:signal:clock:1.0 aclk CLK"
        yield f"ASSOCIATED_BUSIF {_bus_interfaces(head)}, ASSOCIATED_RESET aresetn"
    elif port.name == "aresetn":
        yield "xilinx.com:signal:reset:1.0 aresetn RST"
        yield "POLARITY ACTIVE_LOW"
    else:
        [stream] = [stream for stream in head.streams if port in stream.ports]
        yield f"xilinx.com:interface:axis:1.0 {stream.prefix} {stream.role(port).upper()}"


def _wrapper(head: GeneratedHead) -> str:
    declarations = []
    for port in head.ports:
        names = ("X_INTERFACE_INFO", "X_INTERFACE_PARAMETER")
        lines = [f'    (* {name} = "{value}" *)' for name, value in zip(names, _attributes(head, port), strict=False)]
        width = f" [{port.width - 1}:0]" if port.width > 1 else ""
        declarations.append("\n".join([*lines, f"    {port.direction} wire{width} {port.name}"]))
    connections = [f"        .{port.name}({port.name})" for port in head.ports]
    return "\n".join(
        [
            f"// The {head.origin},",
            "// with the interfaces that Vivado's block designs connect. Add it to a project with the Verilog of the head.",
            f"module {head.module}_ip (",
            ",\n".join(declarations),
            ");",
            f"    {head.module} head (",
            ",\n".join(connections),
            "    );",
            "endmodule",
            "",
        ]
    )


def _constraints(head: GeneratedHead) -> str:
    return (
        f"# Constraints of the {head.origin}, for synthesis out of context.\n"
        "# It has one clock and no path that may be ignored; aresetn is synchronous. Set the period to that of your design.\n"
        f"create_clock -name aclk -period {_CLOCK_NS:.3f} [get_ports aclk]\n"
    )


def _script(head: GeneratedHead) -> str:
    core = "[ipx::current_core]"
    associated = [f"ipx::associate_bus_interfaces -busif {stream.prefix} -clock aclk {core}" for stream in head.streams]
    sources = " ".join(
        f"[file join $here {file}]" for file in (head.verilog_file, f"{head.module}_ip.v", *head.memory_files)
    )
    return "\n".join(
        [
            f"# Packages the {head.origin},",
            f"# as an IP of Vivado into the folder {head.module}_ip: vivado -mode batch -source {head.module}_package_ip.tcl",
            "set here [file dirname [file normalize [info script]]]",
            f"set root [file join $here {head.module}_ip]",
            f"create_project -in_memory {head.module}_ip",
            f"add_files [list {sources}]",
            f"set_property top {head.module}_ip [current_fileset]",
            f"add_files -fileset constrs_1 [file join $here {head.module}_ooc.xdc]",
            f"set_property USED_IN {{out_of_context synthesis implementation}} [get_files {head.module}_ooc.xdc]",
            f"ipx::package_project -root_dir $root -vendor {VENDOR} -library {LIBRARY} -taxonomy /UserIP -import_files -force",
            f"set_property name {head.module} {core}",
            f"set_property version {_version()} {core}",
            f"set_property display_name {head.module} {core}",
            f"set_property description {{The {head.origin}}} {core}",
            *associated,
            f"ipx::associate_bus_interfaces -clock aclk -reset aresetn {core}",
            f"ipx::create_xgui_files {core}",
            f"ipx::update_checksums {core}",
            f"ipx::check_integrity {core}",
            f"ipx::save_core {core}",
            "close_project",
            "",
        ]
    )


def _version() -> str:
    """Major and minor version, which is all that Vivado takes."""
    return ".".join(softstream.__version__.split(".")[:2])


# IP-XACT -----------------------------------------------------------------------------------------------------------------


def _tag(name: str) -> str:
    return f"{{{_SPIRIT}}}{name}"


def _add(parent: ElementTree.Element, name: str, text: str | None = None) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, _tag(name))
    element.text = text
    return element


def _reference(parent: ElementTree.Element, name: str, vlnv: str) -> None:
    element = _add(parent, name)
    for key, value in zip(("vendor", "library", "name", "version"), vlnv.split(":"), strict=True):
        element.set(_tag(key), value)


def _interface(
    parent: ElementTree.Element, name: str, kind: str, is_input: bool, ports: dict[str, str]
) -> ElementTree.Element:
    """A bus interface of `kind` = vendor:library:name; `ports` maps names of the bus to those of the module."""
    interface = _add(parent, "busInterface")
    _add(interface, "name", name)
    _reference(interface, "busType", f"{kind}:1.0")
    _reference(interface, "abstractionType", f"{kind}_rtl:1.0")
    _add(interface, "slave" if is_input else "master")
    maps = _add(interface, "portMaps")
    for logical, physical in ports.items():
        port_map = _add(maps, "portMap")
        _add(_add(port_map, "logicalPort"), "name", logical)
        _add(_add(port_map, "physicalPort"), "name", physical)
    return interface


def _parameters(interface: ElementTree.Element, values: dict[str, str]) -> None:
    parameters = _add(interface, "parameters")
    for name, value in values.items():
        parameter = _add(parameters, "parameter")
        _add(parameter, "name", name)
        _add(parameter, "value", value)


def _component(head: GeneratedHead) -> str:
    ElementTree.register_namespace("spirit", _SPIRIT)
    ElementTree.register_namespace("xsi", _INSTANCE)
    root = ElementTree.Element(_tag("component"), {f"{{{_INSTANCE}}}schemaLocation": _SCHEMA})
    for name, text in {"vendor": VENDOR, "library": LIBRARY, "name": head.module, "version": _version()}.items():
        _add(root, name, text)
    interfaces = _add(root, "busInterfaces")
    for stream in head.streams:
        _interface(interfaces, stream.prefix, "xilinx.com:interface:axis", stream.is_input, _port_map(stream))
    clock = _interface(interfaces, "aclk", "xilinx.com:signal:clock", True, {"CLK": "aclk"})
    _parameters(clock, {"ASSOCIATED_BUSIF": _bus_interfaces(head), "ASSOCIATED_RESET": "aresetn"})
    reset = _interface(interfaces, "aresetn", "xilinx.com:signal:reset", True, {"RST": "aresetn"})
    _parameters(reset, {"POLARITY": "ACTIVE_LOW"})
    _model(head, root)
    sets = _add(root, "fileSets")
    for name in ("synthesis", "simulation"):
        file_set = _add(sets, "fileSet")
        _add(file_set, "name", name)
        for file in (head.verilog_file, f"{head.module}_ip.v"):
            entry = _add(file_set, "file")
            _add(entry, "name", file)
            _add(entry, "fileType", "verilogSource")
        for file in head.memory_files:
            entry = _add(file_set, "file")
            _add(entry, "name", file)
            _add(entry, "userFileType", "mem")
    _add(root, "description", f"The {head.origin}")
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _port_map(stream: StreamPorts) -> dict[str, str]:
    return {stream.role(port).upper(): port.name for port in stream.ports}


def _model(head: GeneratedHead, root: ElementTree.Element) -> None:
    """The views and the ports of the wrapper."""
    model = _add(root, "model")
    views = _add(model, "views")
    for name in ("synthesis", "simulation"):
        view = _add(views, "view")
        _add(view, "name", name)
        _add(view, "envIdentifier", f"verilogSource::{name}")
        _add(view, "language", "verilog")
        _add(view, "modelName", f"{head.module}_ip")
        _add(_add(view, "fileSetRef"), "localName", name)
    ports = _add(model, "ports")
    for port in head.ports:
        element = _add(ports, "port")
        _add(element, "name", port.name)
        wire = _add(element, "wire")
        _add(wire, "direction", port.direction.removesuffix("put"))
        if port.width > 1:
            vector = _add(wire, "vector")
            _add(vector, "left", str(port.width - 1))
            _add(vector, "right", "0")
