"""The generated testbench: it passes with the printed commands, and notices a wrong head and wrong vectors."""

import re
from pathlib import Path

import pytest
from support.generated_files import NAME, generated, head, ran

from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.scripts.emit.testbench import commands

ICARUS, VERILATOR = commands(head(Config()))
SMALL = Config(mode="argmax", max_length=8)

# Streams of every kind: two outputs, lanes with tkeep, ranks, sidebands of elements and of vectors, packets, ensembles, draws.
CHOSEN = {
    "softmax-lanes": Config(max_length=16, lanes=4),
    "top_k-lanes": Config(mode="top_k", max_length=16, lanes=2),
    "masked": Config(mode="softmax", mask=True, max_length=12, normaliser="logarithm"),
    "cross_entropy-lanes": Config(mode="cross_entropy", max_length=13, lanes=4),
    "groups": Config(groups=(3, 5), max_length=5, normaliser="logarithm"),
    "ensemble": Config(mode="log_softmax", ensemble=2, max_length=9),
    "tkeep-padded": Config(mode="exponential", max_length=9, lanes=2, tkeep=True, winner=False, padded_outputs=True),
    "sample": Config(mode="sample", max_length=9),
    "overlong": SMALL,
}


def verdict(folder: Path, command: str) -> tuple[int, str]:
    done = ran(folder, command)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", CHOSEN)
def test_passes_in_icarus(tmp_path: Path, name: str) -> None:
    code, out = verdict(generated(tmp_path, CHOSEN[name], ["testbench"]), ICARUS)
    assert (code, "PASS: " in out, "FAIL" in out) == (0, True, False), out


@pytest.mark.long
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_passes_in_icarus(tmp_path: Path, name: str) -> None:
    code, out = verdict(generated(tmp_path, PRESETS[name], ["testbench"]), ICARUS)
    assert (code, "PASS: " in out) == (0, True), out


@pytest.mark.long
@pytest.mark.parametrize("name", ["softmax-lanes", "overlong"])
def test_passes_in_verilator_and_notices_a_wrong_result(tmp_path: Path, name: str) -> None:
    code, out = verdict(generated(tmp_path, CHOSEN[name], ["testbench"]), VERILATOR)
    assert (code, "PASS: " in out) == (0, True), out
    _damage(tmp_path / f"{NAME}_tb_m_axis.hex", 5)
    code, out = verdict(tmp_path, f"verilator --version && obj_dir/V{NAME}_tb")
    assert (code != 0, "FAIL: m_axis: wrong beat, beat 5," in out) == (True, True), out


@pytest.mark.parametrize("name", ["softmax-lanes", "cross_entropy-lanes"])
def test_verilator_accepts_the_testbench(tmp_path: Path, name: str) -> None:
    """Without a warning about the testbench itself."""
    folder = generated(tmp_path, CHOSEN[name], ["testbench"])
    code, out = verdict(folder, f"verilator --lint-only --timing --top-module {NAME}_tb {NAME}_tb.v {NAME}.v")
    assert code == 0, out
    assert f"{NAME}_tb.v" not in out


def _damage(file: Path, beat: int) -> None:
    """Inverts the lowest bit of a beat."""
    lines = file.read_text(encoding="ascii").splitlines(keepends=True)
    digits = len(lines[beat].strip())
    lines[beat] = f"{int(lines[beat], 16) ^ 1:0{digits}x}\n"
    file.write_text("".join(lines), encoding="ascii")


@pytest.mark.parametrize("stream", ["m_axis", "m_axis_best"])
def test_a_wrong_result_is_noticed(tmp_path: Path, stream: str) -> None:
    generated(tmp_path, CHOSEN["softmax-lanes"], ["testbench"])
    _damage(tmp_path / f"{NAME}_tb_{stream}.hex", 3)
    code, out = verdict(tmp_path, ICARUS)
    assert code == 1
    assert f"FAIL: {stream}: wrong beat, beat 3," in out


def test_a_missing_and_a_superfluous_beat_are_noticed(tmp_path: Path) -> None:
    generated(tmp_path, SMALL, ["testbench"])
    bench = tmp_path / f"{NAME}_tb.v"
    text = bench.read_text(encoding="utf-8")
    sent = int(re.search(r"beat_in < (\d+) ", text)[1])  # type: ignore[index]
    bench.write_text(text.replace(f"beat_in < {sent} ", f"beat_in < {sent - 1} "), encoding="utf-8")
    assert "FAIL: time limit" in verdict(tmp_path, ICARUS)[1]
    due = int(re.search(r"beat_m_axis == (\d+)\)", text)[1])  # type: ignore[index]
    bench.write_text(text.replace(f"beat_m_axis == {due})", f"beat_m_axis == {due - 1})"), encoding="utf-8")
    assert "FAIL: m_axis: one beat too many" in verdict(tmp_path, ICARUS)[1]


@pytest.mark.parametrize(
    ("valid", "complaint"),
    [("offered && (m_axis_tready || cycle[0])", "beat withdrawn"), ("offered ? 1'bx : 1'b0", "tvalid is unknown")],
)
def test_a_broken_stream_law_is_noticed(tmp_path: Path, valid: str, complaint: str) -> None:
    generated(tmp_path, SMALL, ["testbench"])
    bench = tmp_path / f"{NAME}_tb.v"
    text = bench.read_text(encoding="utf-8")
    text = text.replace(".m_axis_tvalid(m_axis_tvalid)", ".m_axis_tvalid(offered)")
    text = text.replace("wire m_axis_tvalid;", f"wire offered;\n    wire m_axis_tvalid = {valid};")
    bench.write_text(text, encoding="utf-8")
    code, out = verdict(tmp_path, ICARUS)
    assert (code, f"FAIL: m_axis: {complaint}" in out) == (1, True), out
