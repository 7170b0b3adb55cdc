"""The LiteX module, elaborated in a LiteX SoC: CSRs feed a head, and its stream of winners feeds a second one."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest
from support.generated_files import NAME, generated, head, ran

from softstream.hw.config.config import Config
from softstream.scripts.emit.litex import files

LANES = Config(max_length=16, lanes=2, mask=True, normaliser="logarithm")
ARGMAX = Config(mode="argmax", max_length=8)


def test_every_port_is_connected_to_an_endpoint_with_its_width() -> None:
    text = files(head(LANES))[f"{NAME}_litex.py"]
    ast.parse(text)
    endpoints = {
        name: {"valid": 1, "ready": 1, "last": 1}
        | {field: int(width) for field, width in re.findall(r'\("(\w+)", (\d+)\)', fields)}
        for name, fields in re.findall(r"self\.(\w+) = stream\.Endpoint\(\[(.*)\]\)", text)
    }
    assert list(endpoints) == ["sink", "source", "source_best"]
    connected = {
        port: (way, endpoints[endpoint][field])
        for way, port, endpoint, field in re.findall(r" ([io])_(\w+)=self\.(\w+)\.(\w+),", text)
    }
    assert connected == {
        port.name: (port.direction[0], port.width) for port in head(LANES).ports if port.name not in ("aclk", "aresetn")
    }


@pytest.mark.interop
def test_two_heads_elaborate_in_a_soc_with_csrs(tmp_path: Path) -> None:
    from litex.build.generic_platform import Pins
    from litex.build.sim import SimPlatform
    from litex.soc.integration.soc_core import SoCMini
    from litex.soc.interconnect.csr import CSRStatus, CSRStorage
    from migen import ClockDomain

    modules = {}
    for name, config in {"softmax_head": LANES, "argmax_head": ARGMAX}.items():
        generated(tmp_path, config, ["litex"], name)
        spec = importlib.util.spec_from_file_location(f"{name}_litex", tmp_path / f"{name}_litex.py")
        modules[name] = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
        spec.loader.exec_module(modules[name])  # type: ignore[union-attr]

    class Soc(SoCMini):
        def __init__(self, platform) -> None:
            self.cd_sys = ClockDomain()
            self.comb += self.cd_sys.clk.eq(platform.request("sys_clk"))
            SoCMini.__init__(self, platform, clk_freq=int(1e6), uart_name="stub")
            self.softmax = modules["softmax_head"].Head(platform)
            self.argmax = modules["argmax_head"].Head(platform)
            # LiteX takes a register's name from the line of its assignment.
            self.scores = CSRStorage(16)
            self.push = CSRStorage(2)
            self.winner = CSRStatus(16)
            self.comb += [
                self.softmax.sink.data.eq(self.scores.storage),
                self.softmax.sink.valid.eq(self.push.re),
                self.softmax.sink.last.eq(self.push.storage[0]),
                self.softmax.source.ready.eq(1),
                self.softmax.source_best.connect(self.argmax.sink, omit={"user", "data"}),
                self.argmax.sink.data.eq(self.softmax.source_best.data),
                self.argmax.source.ready.eq(1),
                self.winner.status.eq(self.argmax.source.data),
            ]

    platform = SimPlatform("sim", [("sys_clk", 0, Pins(1)), ("sys_rst", 0, Pins(1))])
    soc = Soc(platform)
    soc.finalize()
    assert {Path(source[0]).name for source in platform.sources} >= {"softmax_head.v", "argmax_head.v"}
    platform.get_verilog(soc, name="soc").write(str(tmp_path / "soc.v"))
    # Verilator warns of the text that LiteX writes around the heads.
    done = ran(tmp_path, "verilator --lint-only -Wno-fatal --top-module soc soc.v softmax_head.v argmax_head.v")
    assert done.returncode == 0, done.stderr
    assert not re.findall(r"%Warning-(?:PIN\w+|WIDTH\w+): soc\.v.*(?:softmax|argmax)_head", done.stderr)
    text = (tmp_path / "soc.v").read_text(encoding="utf-8")
    assert re.search(r"^softmax_head ", text, re.MULTILINE)
    assert re.search(r"^argmax_head ", text, re.MULTILINE)
