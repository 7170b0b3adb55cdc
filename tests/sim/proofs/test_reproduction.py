"""What a proof refutes, a simulation shows: with the scores and stalls that are written, by the command that is printed."""

import json
import shlex
import shutil
import sys

import numpy as np
import pytest
from support.faulty_tops import wrapped

from softstream.hw.config.config import Config
from softstream.hw.plan.ports import top_ports
from softstream.hw.verilog import verilog
from softstream.scripts import cli
from softstream.sim.proofs.harness import Property, law_properties
from softstream.sim.proofs.law import prove_law
from softstream.sim.proofs.reproduction import reproduce
from softstream.sim.proofs.whole import prove_whole

ARGMAX = Config(mode="argmax", max_length=2, score_width=2, profile="small")
SIGMOID = Config(mode="sigmoid", max_length=2, score_width=2, score_scale=0.5, probability_width=4, profile="small")
SIZE = {"max_length": 5, "score_width": 3, "score_scale": 0.5}
CHANGES = {"m_axis_tdata": "honest_m_axis_tdata ^ s_axis_tlast"}

needs_icarus = pytest.mark.skipif(not shutil.which("iverilog"), reason="needs Icarus Verilog: apt install iverilog")


def long(*values, id=None):
    return pytest.param(*values, marks=pytest.mark.long, id=id)


def softstream(monkeypatch, capsys, *words):
    """(exit code, what it prints, its errors) of a command."""
    monkeypatch.setattr(sys, "argv", ["softstream", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    captured = capsys.readouterr()
    return end.value.code or 0, captured.out, captured.err


def settings(config):
    keys = ("mode", "max_length", "score_width", "score_scale", "probability_width", "profile")
    return [word for key in keys for word in ("--set", f"{key}={config.to_mapping().get(key, getattr(config, key))}")]


@needs_icarus
@pytest.mark.parametrize(
    ("config", "statement", "fault", "stalls", "difference"),
    [
        long(
            ARGMAX, "--whole", {"m_axis_tdata": "honest_m_axis_tdata ^ 1"}, False,
            "argmax[0]: the Verilog gave 1, the model 0; 1 of 1 differ", id="value",
        ),
        long(
            ARGMAX, "--whole", {"m_axis_tvalid": "honest_m_axis_tvalid & ~honest_m_axis_tdata[0]"}, False,
            "no beat in 1026 cycles: s_axis 3 of 3, m_axis 1 of 2", id="lost beat",
        ),
        long(
            ARGMAX, "--whole", {"s_axis_tready": "honest_s_axis_tready & before_s_axis_tvalid"}, False,
            "m_axis: a beat more than the 1 that were due", id="taken twice",
        ),
        long(SIGMOID, "--whole", {"m_axis_tlast": "1'b0"}, False, "m_axis: 1 beats in 0 packets; 1 in 1 were due", id="no end"),
        pytest.param(ARGMAX, "--law", CHANGES, True, "m_axis: tdata X or Z in an offered beat", id="payload changes"),
    ],
)  # fmt: skip
def test_the_printed_command_shows_the_difference(
    monkeypatch, capsys, tmp_path, config, statement, fault, stalls, difference
):
    folder = tmp_path / "with blank"
    monkeypatch.setattr("softstream.hw.verilog.verilog", lambda config, name: wrapped(config, **fault))
    code, out, err = softstream(
        monkeypatch, capsys, "prove", *settings(config), statement, "--counterexample", str(folder), "--wide"
    )
    assert code == 1
    assert "refuted after" in err
    command = shlex.split(out.partition("): softstream ")[2].splitlines()[0])
    assert (folder / "stalls.json").exists() == stalls == ("--stalls" in command)
    code, _, err = softstream(monkeypatch, capsys, *command, "--simulator", "icarus")
    assert code == 1
    assert difference in err
    monkeypatch.setattr("softstream.hw.verilog.verilog", verilog)
    code, _, err = softstream(monkeypatch, capsys, *command, "--simulator", "icarus", "--quiet")
    assert (code, err) == (0, "")


@pytest.mark.parametrize(
    ("claim", "fault", "reason"),
    [
        (
            prove_law.claim,
            {"m_axis_tvalid": "honest_m_axis_tvalid | (~before_aresetn & before_s_axis_tlast)"},
            "run resets once, at the start: the trace needs a reset in cycle 2 too",
        ),
        long(prove_whole.claim, {"m_axis_tuser": "1'b0"}, "no more than max_length scores in a vector"),
        long(prove_law.claim, {}, "no trace of 200 cycles from the initial values and a reset breaks the statement"),
    ],
)
def test_where_no_run_shows_a_fault_the_reason_is_said(claim, fault, reason):
    text = wrapped(ARGMAX, **fault)
    signal = "m_axis_broken" if claim is prove_law.claim else "wrong_m_axis"
    result = reproduce(ARGMAX, claim, [Property(signal, signal, False)], verilog=text, seconds=10)
    assert result.statement is None
    assert reason in result.reason


def test_contents_that_no_reset_reaches_are_no_run():
    # A register that no reset clears, and that stays as it is: its initial value is 0.
    text = wrapped(ARGMAX, m_axis_tdata="honest_m_axis_tdata ^ (stuck & s_axis_tlast)")
    begin = "  always @(posedge aclk) begin\n    before"
    text = text.replace(begin, f"  reg stuck = 0;\n  always @(posedge aclk) stuck <= stuck;\n{begin}")
    proof = prove_law(ARGMAX, verilog=text, seconds=60)
    assert proof.answer == "refuted"
    result = reproduce(ARGMAX, prove_law.claim, proof.refuted, verilog=text)
    assert result.statement is None
    assert "starts from contents of registers or memories" in result.reason


@pytest.mark.parametrize(
    "keys",
    [
        long({"mode": "sigmoid", "lanes": 2, "probability_width": 4}),
        long({"mode": "argmax", "mask": True}),
        long({"mode": "argmax", "tkeep": True}),
        long({"mode": "cross_entropy"}),
        long({"mode": "argmax", "lanes": 4, "mask": True}),
        long({"mode": "argmax", "ensemble": 2}),
        long({"mode": "argmax", "groups": [5]}),
        {"mode": "argmax", "score_signed": False, "profile": "small"},
    ],
    ids=str,
)
def test_the_beats_of_a_trace_are_those_of_a_file(keys):
    config = Config(**SIZE, **keys)
    statements = [item for item in law_properties(top_ports(config)) if not item.reached]
    result = reproduce(config, prove_law.claim, statements, verilog=wrapped(config, **CHANGES))
    assert result.reason == ""
    assert len(result.scores) == len(result.lengths) > 0
    assert np.all((result.scores >= config.score_format.minimum) & (result.scores <= config.score_format.maximum))
    assert set(result.stalls) == {"s_axis", "m_axis"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read (No such file or directory)"),
        ("{", "not a file of JSON"),
        ("[1]", "list"),
        ('{"m_axis_best": "01"}', "m_axis_best = '01'"),
        ('{"m_axis": "02"}', "m_axis = '02'"),
        ('{"m_axis": 1}', "m_axis = 1"),
    ],
)
def test_a_wrong_file_of_stalls_is_refused(monkeypatch, capsys, tmp_path, content, words):
    np.save(tmp_path / "scores.npy", np.zeros((1, 2), dtype=int))
    if content is not None:
        (tmp_path / "stalls.json").write_text(content)
    arguments = [*settings(ARGMAX), "--scores", str(tmp_path / "scores.npy"), "-o", str(tmp_path / "r.npz")]
    code, _, err = softstream(
        monkeypatch, capsys, "run", *arguments, "--engine", "rtl", "--stalls", str(tmp_path / "stalls.json")
    )
    assert code == 2
    assert words in err
    [example] = [
        json.loads(line[line.index("{") : line.index("}") + 1]) for line in err.splitlines() if "for example" in line
    ]
    assert set(example) <= {"s_axis", "m_axis"}


def test_stalls_need_the_simulation(monkeypatch, capsys, tmp_path):
    np.save(tmp_path / "scores.npy", np.zeros((1, 2), dtype=int))
    arguments = [*settings(ARGMAX), "--scores", str(tmp_path / "scores.npy"), "-o", str(tmp_path / "r.npz")]
    code, _, err = softstream(monkeypatch, capsys, "run", *arguments, "--stalls", "s.json")
    assert (code, "--stalls s.json: the model has no streams; --engine rtl would do" in err) == (2, True)


def test_a_statement_without_a_trace_at_the_ports_has_no_counterexample(monkeypatch, capsys):
    code, _, err = softstream(monkeypatch, capsys, "prove", "argmax-int8-small", "--stores", "--counterexample", "c")
    assert code == 2
    assert "--whole would do" in err
