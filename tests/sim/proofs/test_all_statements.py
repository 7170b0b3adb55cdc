"""`softstream prove --all`: a row for each statement, with its size, and an error only where one is refuted."""

import json
import sys
from dataclasses import replace

import pytest

from softstream.scripts import cli
from softstream.scripts.measure import proofs
from softstream.sim.proofs.engine import Verdict
from softstream.sim.proofs.harness import Property
from softstream.sim.proofs.proof import Proof

STATEMENTS = ["law", "whole", "independence", "stores", "counting", "decision", "response", "translation"]


def run(capsys, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["softstream", "prove", "--all", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main()
    captured = capsys.readouterr()
    return end.value.code, captured.out, captured.err


@pytest.fixture
def answers(monkeypatch):
    """Provers that answer at once as they are told; `proved` without a word."""
    answer_of = {}

    def prover(statement):
        def prove(config, **limits):
            answer = answer_of.get(statement, "proved")
            verdict = Verdict(Property(f"a case of {statement}", "", False), answer, "pdr", None, 0.1, depth=7)
            return Proof(config, (verdict, replace(verdict, answer="proved")), 0.2)

        return prove

    for statement in STATEMENTS:
        monkeypatch.setitem(proofs.STATEMENTS, statement, prover(statement))
    return answer_of


def test_a_small_head_is_proved_by_every_statement_that_covers_it(capsys, monkeypatch):
    code, out, _ = run(capsys, monkeypatch, "argmax-int8-small", "--json")
    rows = {row["statement"]: row for row in json.loads(out)["statements"]}
    assert not code
    assert list(rows) == STATEMENTS
    assert {name: row["answer"] for name, row in rows.items()} == dict.fromkeys(STATEMENTS, "proved") | {
        "decision": "not covered"
    }
    assert (rows["law"]["size"], rows["whole"]["size"]) == ("1024 × 8 bits", "3 × 2 bits")
    assert all(row["properties"] for name, row in rows.items() if name != "decision")


def test_an_open_statement_is_a_row_and_no_error(capsys, monkeypatch, answers):
    answers["whole"] = "open"
    code, out, _ = run(capsys, monkeypatch, "argmax-int8-small")
    assert not code
    assert "open: 1 of 2 properties, no" in out
    assert "6 of 8 statements proved, none refuted" in out


def test_a_refuted_statement_is_an_error_that_names_the_next_command(capsys, monkeypatch, answers):
    answers["response"] = "refuted"
    code, out, err = run(capsys, monkeypatch, "argmax-int8-small")
    assert code
    assert "REFUTED" in out
    assert "Answer and free input in time refuted; softstream prove --response tells more" in err


@pytest.mark.parametrize("option", ["--waveform", "--counterexample"])
def test_a_trace_is_asked_of_one_statement(capsys, monkeypatch, tmp_path, option):
    code, _, err = run(capsys, monkeypatch, "argmax-int8-small", option, str(tmp_path / "trace"))
    assert code
    assert "--all looks for no trace; --law or --whole would do" in err
