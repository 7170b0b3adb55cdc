"""Heads whose results do not depend on initial contents are proved, and heads that show what a store held are refuted."""

import json
import sys

import pytest
from support.faulty_tops import wrapped
from support.long_cases import mostly_long

from softstream.hw.config.config import Config
from softstream.scripts import cli
from softstream.sim.proofs.independence import prove_independence
from softstream.sim.proofs.whole import shrunk

ARGMAX = Config(mode="argmax", max_length=2, score_width=2, profile="small")
PROVED = {
    "argmax-small": Config(mode="argmax", profile="small"),
    "argmax": Config(mode="argmax"),
    "argmax-masked": Config(mode="argmax", profile="small", mask=True),
    "sigmoid": Config(mode="sigmoid"),
}
SHORT = ("argmax-small",)


@pytest.mark.parametrize("name", mostly_long(PROVED, SHORT))
def test_the_contents_before_the_reset_do_not_matter(name):
    proof = prove_independence(shrunk(PROVED[name]), seconds=100)
    assert proof.answer == "proved", proof.verdicts


STORES = {
    # Both start with zeros in the Verilog, so that only a proof that forgets initial values sees the fault.
    "register": "  reg stale = 0;\n  always @(posedge aclk) stale <= stale;\n",
    "memory": "  reg store [0:3];\n  integer k;\n  initial for (k = 0; k < 4; k = k + 1) store[k] = 0;\n"
    "  always @(posedge aclk) if (s_axis_tvalid) store[s_axis_tdata[1:0] & 2] <= 0;\n"
    "  wire stale = store[s_axis_tdata[1:0]];\n",
}


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(
    ("output", "stream"), [("m_axis_tvalid", "m_axis"), ("s_axis_tready", "s_axis")], ids=["output", "input"]
)
def test_a_store_that_shows_its_first_contents_is_refuted(store, output, stream):
    text = wrapped(ARGMAX, **{output: f"honest_{output} ^ stale"}).replace(
        "  always @(posedge aclk) begin", STORES[store] + "  always @(posedge aclk) begin", 1
    )
    assert "stale <=" in text or "store[k]" in text
    proof = prove_independence(ARGMAX, verilog=text, seconds=30)
    refuted = [verdict.statement.name for verdict in proof.verdicts if verdict.answer == "refuted"]
    assert f"two copies agree on {stream}" in refuted


def test_a_head_without_answers_is_vacuous():
    proof = prove_independence(ARGMAX, verilog=wrapped(ARGMAX, m_axis_tvalid="1'b0"), seconds=30)
    assert proof.answer == "vacuous"


def test_the_verb_proves_independence(capsys, monkeypatch):
    arguments = ["--set", "mode=argmax", "--set", "max_length=2", "--set", "score_width=2", "--set", "profile=small"]
    monkeypatch.setattr(sys, "argv", ["softstream", "prove", "--independence", "--json", *arguments])
    with pytest.raises(SystemExit):
        cli.main()
    document = json.loads(capsys.readouterr().out)
    assert (document["statement"], document["answer"]) == ("independence", "proved")


def test_one_statement_at_a_time(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["softstream", "prove", "--independence", "--whole", "argmax-int8-small"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert "--whole and --independence are two statements; --independence alone would do" in capsys.readouterr().err
