"""The AXI4-Stream law of heads is proved, and a head that breaks it is refuted with a short trace."""

import hashlib
import json
import resource
import sys
from importlib.metadata import version

import pytest
from support.configurations import MEMBERS, PIPELINED, SOFTMAX, TWO_PASS
from support.faulty_tops import wrapped
from support.long_cases import mostly_long

from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.errors import MissingTool, ToolFailure
from softstream.hw.plan.ports import top_ports
from softstream.hw.verilog import TOP, GeneratedText
from softstream.scripts import cli
from softstream.sim.proofs import engine
from softstream.sim.proofs.harness import law_properties
from softstream.sim.proofs.law import prove_law

SMALL = Config(mode="argmax", max_length=4, score_width=3, profile="small")
PAIR = Config(max_length=4, score_width=3, probability_width=4, normaliser="none", profile="small")
TKEEP = {
    "tkeep": Config(mode="argmax", max_length=9, score_width=3, tkeep=True),
    "tkeep-4": Config(mode="sigmoid", max_length=9, score_width=3, lanes=4, tkeep=True),
}
ALL = {**SOFTMAX, **MEMBERS, **PIPELINED, **TWO_PASS, **TKEEP}
SHORT = ("small", "two-pass", "sample-inverse-cdf", "cross_entropy-4", "exponential", "smoothed-small", "tkeep-4")


@pytest.mark.parametrize("name", mostly_long(ALL, SHORT))
def test_the_law_of_every_head_is_proved(name):
    proof = prove_law(ALL[name], seconds=120)
    assert proof.answer == "proved", proof.verdicts
    assert all(verdict.cycles is None for verdict in proof.verdicts if not verdict.statement.reached)


def cpu_seconds() -> float:
    """CPU time of this process and of the tools that it has run."""
    times = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(time.ru_utime + time.ru_stime for time in times)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.long
def test_the_law_of_every_preset_is_proved_at_its_full_size_in_20_cpu_seconds(name):
    before = cpu_seconds()
    assert prove_law(PRESETS[name], seconds=300).answer == "proved"
    assert cpu_seconds() - before <= 20


@pytest.mark.parametrize(
    ("fault", "cycles"),
    [
        ({"m_axis_tvalid": "honest_m_axis_tvalid & ~before_s_axis_tvalid"}, 25),
        ({"m_axis_tdata": "honest_m_axis_tdata ^ s_axis_tlast"}, 25),
        ({"m_axis_tlast": "honest_m_axis_tlast | (honest_m_axis_tvalid & before_m_axis_tready)"}, 25),
        ({"m_axis_tvalid": "1'b1"}, 3),
        ({"m_axis_best_tdata": "honest_m_axis_best_tdata + s_axis_tvalid"}, 25),
    ],
    ids=["taken back", "payload changes", "end changes", "valid after reset", "second output"],
)
def test_a_fault_is_refuted_with_a_short_trace(fault, cycles):
    proof = prove_law(PAIR, verilog=wrapped(PAIR, **fault), seconds=60)
    assert proof.answer == "refuted"
    [port] = {verdict.statement.name for verdict in proof.verdicts if verdict.answer == "refuted"}
    assert port == f"law of {next(iter(fault)).rpartition('_')[0]}"
    assert 0 < len(proof.beats) <= cycles
    assert not proof.beats[0].get("aresetn")  # the first cycle is one of reset
    assert "_broken" in proof.waveform


def test_the_wrapper_alone_is_no_fault():
    assert prove_law(PAIR, verilog=wrapped(PAIR), seconds=60).answer == "proved"


def test_a_law_without_a_case_to_judge_is_vacuous():
    silent = wrapped(SMALL, m_axis_tvalid="1'b0")
    proof = prove_law(SMALL, verilog=silent, seconds=60)
    assert [verdict.answer for verdict in proof.verdicts] == ["proved", "unreachable"]
    assert proof.answer == "vacuous"


def test_without_time_a_property_is_open():
    proof = prove_law(SMALL, seconds=0.01)
    assert {verdict.answer for verdict in proof.verdicts} == {"open"}
    assert proof.answer == "open"


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("Property proved.  Time =     0.04 sec", "proved"),
        ("All outputs solved or timed out in frame 1.\nProperty UNDECIDED.", "proved"),
        ('Output 0 of miter "a" was asserted in frame 5.', "refuted"),
        ("Reached timeout (5 seconds) in frame 24.\nProperty UNDECIDED.", "open"),
        ("Reached timeout (5 seconds).\nAll outputs solved or timed out in frame 1.", "open"),
        ("All outputs solved or timed out in frame 9.\nProperty UNDECIDED.", "open"),
        ("", "open"),
    ],
)
def test_a_law_is_proved_by_the_words_of_a_proof_alone(words, answer):
    [law, *_] = law_properties(top_ports(SMALL))
    assert engine._read(words, law)[0] == answer


def test_a_reset_in_the_middle_is_part_of_the_proof():
    # A head whose valid ignores a reset that comes later: only the registers' own reset would hide it.
    late = wrapped(SMALL, m_axis_tvalid="honest_m_axis_tvalid | (~before_aresetn & before_s_axis_tlast)")
    assert prove_law(SMALL, verilog=late, seconds=60).answer == "refuted"


def test_a_missing_tool_names_its_package(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        MissingTool, match=r"^pyosys: not installed, and prove needs it; pip install 'softstream\[boards\]'$"
    ):
        prove_law(SMALL)


def test_a_failing_tool_leaves_its_log(monkeypatch):
    monkeypatch.setattr(engine, "_YOSYS", "print('out of order'); raise SystemExit(3)")
    with pytest.raises(ToolFailure, match="exit code 3") as failure:
        prove_law(SMALL)
    assert failure.value.log.read_text() == "out of order\n"


def test_the_verb_prints_a_row_for_each_property_and_a_verdict(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["softstream", "prove", "argmax-int8-small", "--set", "max_length=4"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code in (0, None)
    words = capsys.readouterr().out
    assert "law of m_axis" in words
    assert "proved for all time" in words
    assert "without a bound on time" in words


def test_the_verb_in_json(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["softstream", "prove", "--law", "argmax-int8-small", "--json"])
    with pytest.raises(SystemExit):
        cli.main()
    document = json.loads(capsys.readouterr().out)
    assert document["answer"] == "proved"
    assert [entry["answer"] for entry in document["properties"]] == ["proved", "reached"]
    assert len(document["verilog_sha256"]) == 64


def generated(monkeypatch, *arguments):
    """(exit code, files) of `generate --prove-law` for a small head."""
    keys = ["--set", "mode=argmax", "--set", "max_length=4", "--set", "score_width=3", "--set", "profile=small"]
    monkeypatch.setattr(sys, "argv", ["softstream", "generate", *keys, "--prove-law", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code


@pytest.mark.parametrize("init", ["inline", "readmemh"])
def test_the_manifest_says_that_the_law_of_the_written_text_is_proved(monkeypatch, tmp_path, init):
    keys = ["--set", "mode=sigmoid", "--set", "probability_width=4", "--memory-init", init]
    assert generated(monkeypatch, *keys, "--name", "my_head", "-o", tmp_path) in (0, None)
    law = json.loads((tmp_path / "manifest.json").read_text())["law"]
    text = (tmp_path / "my_head.v").read_bytes()
    assert law == {
        "answer": "proved",
        "properties": {"law of m_axis": "proved", "m_axis stalls": "reached"},
        "verilog_sha256": hashlib.sha256(text).hexdigest(),
        "tools": {"pyosys": version("pyosys")},
    }
    assert bool([*tmp_path.glob("*.mem")]) == (init == "readmemh")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"m_axis_tdata": "honest_m_axis_tdata ^ s_axis_tlast"}, "AXI4-Stream law refuted after"),
        ({"m_axis_tvalid": "1'b0"}, "a case never occurs"),
    ],
)
def test_without_a_proof_of_the_law_nothing_is_written(capsys, monkeypatch, tmp_path, fault, words):
    faulty = GeneratedText(wrapped(SMALL, **fault), {})
    monkeypatch.setattr("softstream.scripts.verbs.generate.generated_text", lambda *_, **__: faulty)
    assert generated(monkeypatch, "--name", TOP, "-o", tmp_path / "out") == 1
    assert words in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


def test_generate_without_pyosys_names_the_option(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("softstream.hw.extras.is_installed", lambda module: module != "pyosys")
    assert generated(monkeypatch, "-o", tmp_path / "out") == 3
    assert "pyosys: not installed, and generate --prove-law needs it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "code", "text"),
    [
        ({"m_axis_tdata": "honest_m_axis_tdata ^ s_axis_tlast"}, 1, "AXI4-Stream law refuted after"),
        ({"m_axis_tvalid": "1'b0"}, 1, "a case never occurs"),
    ],
)
def test_the_verb_reports_the_violation(capsys, monkeypatch, tmp_path, answer, code, text):
    monkeypatch.setattr("softstream.hw.verilog.verilog", lambda config, name: wrapped(SMALL, **answer))
    target = tmp_path / "trace.vcd"
    arguments = ["--set", "mode=argmax", "--set", "max_length=4", "--set", "score_width=3", "--set", "profile=small"]
    monkeypatch.setattr(sys, "argv", ["softstream", "prove", *arguments, "--waveform", str(target)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == code
    captured = capsys.readouterr()
    assert text in captured.err
    assert captured.err.count("error:") == 1
    assert target.exists() == ("refuted" in text)
