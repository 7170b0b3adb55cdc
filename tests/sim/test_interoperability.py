"""Heads between FIFOs and width converters that send null beats, and in a C++ program: every result is in its place."""

import re
from pathlib import Path

import pytest
from support.generated_files import NAME, generated, ran
from support.long_cases import partly_long
from support.stream_adapters import ADAPTERS, surrounded

from softstream.hw.config.config import Config
from softstream.hw.plan.derive import plan
from softstream.hw.verilog import verilog
from softstream.scripts.emit.head import GeneratedHead
from softstream.scripts.emit.testbench import commands

HEADS = {
    "argmax": Config(mode="argmax", max_length=10, tkeep=True),
    "softmax-wide": Config(max_length=16, tkeep=True, normaliser="logarithm", score_width=10, winner=False),
    "sigmoid": Config(mode="sigmoid", max_length=9, tkeep=True, profile="small"),
    "softmax-4": Config(max_length=16, tkeep=True, lanes=4, padded_outputs=True, per_vector="pipelined"),
    "argmax-4": Config(mode="argmax", max_length=21, tkeep=True, lanes=4, score_width=12),
    "packets": Config(max_length=8, tkeep=True, groups=(8,), per_vector="pipelined", winner=False),
}
ICARUS, VERILATOR = commands(GeneratedHead(plan(HEADS["argmax"]), NAME, f"{NAME}.v"))


def verdict(folder: Path, config: Config, command: str, keep: str | None = None) -> str:
    """The last words of the testbench of `config` around a head in adapters. `keep` is tied to s_axis_tkeep of the head."""
    generated(folder, config, ["testbench"])
    adapters = surrounded(config, NAME, "inner_head")
    if keep is not None:
        adapters, ports = re.subn(r"\.s_axis_tkeep\(\{.*?\}\)", f".s_axis_tkeep({keep})", adapters)
        assert ports == 1
    text = verilog(config, "inner_head") + ADAPTERS + adapters
    (folder / f"{NAME}.v").write_text(text, encoding="utf-8")
    done = ran(folder, command)
    return done.stdout + done.stderr


LONG = ("softmax-wide", "sigmoid", "argmax-4")


@pytest.mark.parametrize("name", partly_long(HEADS, LONG))
def test_results_through_adapters_are_those_of_the_model(tmp_path: Path, name: str) -> None:
    out = verdict(tmp_path, HEADS[name], ICARUS)
    assert "PASS: " in out, out[-2000:]
    assert "FAIL" not in out


def test_a_null_beat_read_as_a_score_fails(tmp_path: Path) -> None:
    """The adapters do send null beats: a head that sees every bit of s_axis_tkeep at 1 takes them as scores and fails."""
    assert "FAIL: m_axis" in verdict(tmp_path, HEADS["argmax-4"], ICARUS, keep="8'hff")


@pytest.mark.long
def test_a_verilator_program_agrees(tmp_path: Path) -> None:
    out = verdict(tmp_path, HEADS["argmax"], VERILATOR)
    assert "PASS: " in out, out[-2000:]


HARNESS = """
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <vector>
#include "Vmy_head.h"

static std::vector<uint64_t> words(const char *name) {
  std::vector<uint64_t> read;
  std::ifstream file(name);
  for (uint64_t word; file >> std::hex >> word;) read.push_back(word);
  return read;
}

int main() {
  const std::vector<uint64_t> beats = words("my_head_tb_s_axis.hex"), due = words("my_head_tb_m_axis.hex");
  VerilatedContext context;
  Vmy_head head(&context);
  uint32_t random = 1;
  size_t sent = 0, received = 0;
  bool offered = false, null_beat = false, split = false;
  head.aclk = head.aresetn = head.s_axis_tvalid = head.m_axis_tready = 0;
  for (long cycle = 0; cycle < 100000; cycle++) {
    random = random * 1664525u + 1013904223u;
    head.aresetn = cycle > 3;
    if (!offered && cycle > 3 && sent < beats.size() && (random >> 28) > 4) {
      // A null beat with garbage, or the beat; a last beat may leave its tlast to a null beat behind it.
      const uint64_t beat = beats[sent];
      const bool last = beat >> 9 & 1;
      null_beat = split || (random >> 16 & 7) == 0;
      const bool leave = !null_beat && last && (random >> 20 & 1);
      head.s_axis_tdata = null_beat ? random & 255 : beat & 255;
      head.s_axis_tkeep = !null_beat;
      head.s_axis_tlast = null_beat ? split : last && !leave;
      // A beat whose tlast is still to come is sent only with that.
      if (null_beat ? split : !leave) sent++;
      split = leave;
      offered = true;
    }
    head.s_axis_tvalid = offered;
    head.m_axis_tready = (random >> 24 & 3) != 0;
    head.eval();
    const bool enters = head.s_axis_tvalid && head.s_axis_tready, leaves = head.m_axis_tvalid && head.m_axis_tready;
    if (leaves) {
      const uint64_t word = head.m_axis_tdata | (uint64_t)head.m_axis_tlast << 16 | (uint64_t)head.m_axis_tuser << 17;
      if (received == due.size() || word != due[received]) return std::printf("wrong beat %zu\\n", received), 1;
      received++;
    }
    head.aclk = 1; head.eval();
    head.aclk = 0; head.eval();
    if (enters) offered = false;
  }
  std::printf("%zu beats\\n", received);
  return received != due.size();
}
"""


@pytest.mark.long
def test_a_cpp_harness_sends_null_beats(tmp_path: Path) -> None:
    generated(tmp_path, HEADS["argmax"], ["testbench"])
    (tmp_path / "main.cpp").write_text(HARNESS, encoding="utf-8")
    done = ran(tmp_path, f"verilator --cc --exe --build --top-module {NAME} {NAME}.v main.cpp && obj_dir/V{NAME}")
    due = len((tmp_path / f"{NAME}_tb_m_axis.hex").read_text(encoding="ascii").split())
    assert f"{due} beats" in done.stdout, done.stdout[-800:] + done.stderr[-800:]
