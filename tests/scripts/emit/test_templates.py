"""Templates of an instance: VHDL to paste, and an Amaranth component that another design imports."""

import importlib.util
import re
import warnings
from pathlib import Path

import pytest
from amaranth.back import verilog as backend
from amaranth.hdl import UnusedElaboratable
from support.generated_files import NAME, generated, head, ran

from softstream.hw.config.config import Config
from softstream.scripts.emit.templates import files

LANES = Config(max_length=16, lanes=2, mask=True, normaliser="logarithm")


def test_the_vhdl_declares_every_port_with_its_width() -> None:
    text = files(head(LANES))[f"{NAME}.vho"]
    component = text.split("component")[1]
    declared = re.findall(
        r"^    (\w+) +: (in|out) +std_logic(?:_vector\((\d+) downto 0\))?;?$", component, re.MULTILINE
    )
    expected = [(port.name, port.direction.removesuffix("put"), port.width) for port in head(LANES).ports]
    assert [(name, direction, int(high or 0) + 1) for name, direction, high in declared] == expected
    signals = re.findall(r"^signal (\w+)", text, re.MULTILINE)
    mapped = re.findall(r"^    (\w+) +=> \1,?$", text, re.MULTILINE)
    assert signals == mapped == [name for name, _, _ in expected]


@pytest.mark.interop
def test_a_vhdl_parser_accepts_an_architecture_with_the_template() -> None:
    import tree_sitter
    import tree_sitter_vhdl

    declarations, instance = files(head(LANES))[f"{NAME}.vho"].split("-- Instance\n")
    text = (
        "library ieee;\nuse ieee.std_logic_1164.all;\nentity top is\nend entity;\narchitecture rtl of top is\n"
        f"{declarations}begin\n{instance}end architecture;\n"
    )
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_vhdl.language()))
    assert not parser.parse(text.encode()).root_node.has_error
    assert parser.parse(text.replace("port map (", "port map", 1).encode()).root_node.has_error


def test_the_amaranth_component_elaborates_with_the_verilog(tmp_path: Path) -> None:
    generated(tmp_path, LANES, ["templates"])
    spec = importlib.util.spec_from_file_location("my_head_amaranth", tmp_path / f"{NAME}_amaranth.py")
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        component = module.Head()
        (tmp_path / "top.v").write_text(backend.convert(component, name="top", emit_src=False), encoding="utf-8")
    assert set(component.signature.members) == {port.name for port in head(LANES).ports} - {"aclk", "aresetn"}
    done = ran(tmp_path, f"verilator --lint-only --top-module top top.v {NAME}.v")
    assert done.returncode == 0, done.stderr
    # A port of another name or width would be a warning about the instance.
    assert not re.findall(r"%Warning.*(?:PINMISSING|PINNOTFOUND|WIDTH).* top\.v", done.stderr)
    assert "Error" not in done.stderr


def test_the_amaranth_component_adds_the_verilog_to_a_platform(tmp_path: Path) -> None:
    generated(tmp_path, LANES, ["templates"])
    namespace: dict[str, object] = {"__file__": str(tmp_path / f"{NAME}_amaranth.py"), "__name__": "my_head_amaranth"}
    exec((tmp_path / f"{NAME}_amaranth.py").read_text(encoding="utf-8"), namespace)

    class Platform:
        added: dict[str, str] = {}  # noqa: RUF012

        def add_file(self, name: str, content: str) -> None:
            self.added[name] = content

    namespace["Head"]().elaborate(Platform())  # type: ignore[operator]
    assert Platform.added == {f"{NAME}.v": (tmp_path / f"{NAME}.v").read_text(encoding="utf-8")}
