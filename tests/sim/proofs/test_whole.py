"""All results of small heads are proved against the golden model, and heads with a fault are refuted."""

import sys

import pytest
from support.faulty_tops import wrapped

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.scripts import cli
from softstream.sim.proofs.whole import output_rules, prove_whole, shrunk

ARGMAX = Config(mode="argmax", max_length=2, score_width=2, profile="small")
SIGMOID = Config(mode="sigmoid", max_length=2, score_width=2, score_scale=0.5, probability_width=4, profile="small")
PROVED = {
    "argmax-small": Config(mode="argmax", profile="small"),
    "argmax": Config(mode="argmax"),
    "argmax-unsigned": Config(mode="argmax", profile="small", score_signed=False),
    "argmax-masked": Config(mode="argmax", profile="small", mask=True),
    "sigmoid-small": Config(mode="sigmoid", profile="small"),
    "sigmoid": Config(mode="sigmoid"),
    "two-pass": Config(profile="small", accumulator="two_pass", max_length=2),
    "argmax-tkeep": Config(mode="argmax", profile="small", tkeep=True, max_length=2),
    "sigmoid-tkeep": Config(mode="sigmoid", profile="small", tkeep=True, max_length=2),
}
SHORT = ("argmax-small",)


def long(*values):
    return pytest.param(*values, marks=pytest.mark.long)


@pytest.mark.parametrize("name", [name if name in SHORT else long(name) for name in PROVED])
def test_every_result_of_a_small_head_is_proved(name):
    proof = prove_whole(shrunk(PROVED[name]), seconds=400)
    assert proof.answer == "proved", proof.verdicts


@pytest.mark.parametrize(
    ("config", "fault", "statement"),
    [
        (ARGMAX, {"m_axis_tdata": "honest_m_axis_tdata ^ 1"}, "results on m_axis"),
        long(ARGMAX, {"m_axis_tuser": "1'b0"}, "results on m_axis"),
        long(ARGMAX, {"m_axis_tvalid": "honest_m_axis_tvalid | before_s_axis_tvalid"}, "results on m_axis"),
        long(ARGMAX, {"m_axis_tvalid": "honest_m_axis_tvalid & ~honest_m_axis_tdata[0]"}, "results on m_axis"),
        (ARGMAX, {"s_axis_tready": "honest_s_axis_tready & before_s_axis_tvalid"}, "answer and free input"),
        (ARGMAX.replace(tkeep=True), {"s_axis_tkeep": "1'b1"}, "results on m_axis"),
        long(SIGMOID, {"m_axis_tlast": "1'b0"}, "results on m_axis"),
        long(SIGMOID, {"m_axis_tlast": "1'b1"}, "results on m_axis"),
    ],
    ids=["value", "flag", "extra beat", "lost beat", "input stays closed", "null beat read", "no end", "early end"],
)
def test_a_fault_is_refuted_with_a_short_trace(config, fault, statement):
    proof = prove_whole(config, verilog=wrapped(config, **fault), seconds=60)
    assert proof.answer == "refuted"
    refuted = [verdict for verdict in proof.verdicts if verdict.answer == "refuted"]
    assert any(verdict.statement.name.startswith(statement) for verdict in refuted)
    assert 0 < len(proof.beats) <= 40


@pytest.mark.long
def test_a_head_without_answers_is_late_and_vacuous():
    verdicts = {
        v.statement.signal: v.answer
        for v in prove_whole(ARGMAX, verilog=wrapped(ARGMAX, m_axis_tvalid="1'b0")).verdicts
    }
    assert verdicts["late"] == "refuted"
    assert verdicts["answered_m_axis"] == "unreachable"


def test_the_demands_hold_every_vector():
    [rule] = output_rules(ARGMAX)
    assert len(rule.beats) == 4 + 2 * 16  # vectors of one element; of two, complete or overlong
    assert {len(beats) for beats in rule.beats.values()} == {1}
    [rule] = output_rules(SIGMOID)
    assert rule.streaming
    assert len(rule.beats) == 4 + 2 * 16 + 4  # and the first element alone, before more is known


def test_the_small_head_keeps_what_is_no_size():
    config = shrunk(Config(mask=True, normaliser="logarithm", profile="fastest"))
    assert (config.max_length, config.score_width, config.probability_width) == (3, 2, 4)
    assert (config.mask, config.normaliser, config.profile) == (True, "logarithm", "fastest")


@pytest.mark.parametrize(
    ("keys", "remedy"),
    [
        ({"lanes": 4}, {"lanes": 1}),
        ({"groups": (2,), "max_length": 2}, {"groups": ()}),
        ({"mode": "sample"}, {"mode": "softmax"}),
    ],
)
def test_a_head_that_the_ledger_cannot_follow_is_refused(keys, remedy):
    [(key, _), *_] = keys.items()
    with pytest.raises(UserError, match=f"^prove --whole: {key} = .* would do$"):
        shrunk(Config(**keys))
    assert shrunk(Config(**keys).replace(**remedy))


@pytest.mark.long
def test_the_verb_says_the_size_and_the_verdict(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["softstream", "prove", "--whole", "argmax-int8-small", "--set", "max_length=2"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code in (0, None)
    words = capsys.readouterr().out
    assert "vectors of up to 2 scores of 2 bits" in words
    assert "Results, order, number and time proved" in words
