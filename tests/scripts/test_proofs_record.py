"""The record of proofs: what it must hold, and that a lost proof is seen."""

import copy
import json

import pytest

from softstream.hw.config.presets import PRESETS
from softstream.scripts.measure import proofs


def test_the_record_names_heads_and_no_statement_is_refuted():
    record = proofs.recorded()
    assert set(record["small"]) <= set(proofs.SMALL)
    assert set(record["presets"]) <= set(PRESETS)
    for statements in (*record["small"].values(), *record["presets"].values()):
        for row in statements.values():
            assert row["answer"] in ("proved", "open")
    for statement in ("law", "translation"):
        assert all(statements[statement]["answer"] == "proved" for statements in record["presets"].values())


def test_the_law_of_every_preset_takes_little_time():
    slow = {
        name: row["law"]["cpu_seconds"]
        for name, row in proofs.recorded()["presets"].items()
        if row["law"]["cpu_seconds"] > 20
    }
    assert not slow


def test_a_proof_that_is_lost_is_named():
    before = proofs.recorded()
    after = copy.deepcopy(before)
    assert proofs.lost(before, after) == []
    [law, *_] = after["presets"]["argmax-int8"]["law"]["properties"]
    law["answer"] = "open"
    assert proofs.lost(before, after) == ["argmax-int8, law: law of m_axis was proved, is open"]
    assert proofs.lost(after, before) == []  # a proof that is new is none that is lost


def test_most_faults_are_found_and_no_equivalent_change_counts():
    faults = [row for rows in proofs.mutation_record().values() for row in rows]
    real = [row for row in faults if not row["equivalent"]]
    assert not any(row["equivalent"] and (row["simulation"] or row["proof"]) for row in faults)
    assert sum(row["simulation"] or row["proof"] for row in real) >= 0.98 * len(real)
    assert all("because" in row for row in faults if row.get("method") == "premise")


def test_only_the_named_statement_of_the_named_heads_is_proved(monkeypatch, tmp_path):
    record = tmp_path / "proofs.json"
    record.write_text(json.dumps(proofs.recorded()), encoding="utf-8")
    monkeypatch.setattr(proofs, "RECORD", record)
    monkeypatch.setattr(proofs, "is_covered", lambda config: True)
    monkeypatch.setattr(proofs, "is_answered", lambda config: True)
    monkeypatch.setattr(proofs, "has_stores", lambda config: True)
    monkeypatch.setattr(proofs, "stores_with_room", lambda config: (1, 1))
    asked = [job[:3] for job in proofs._jobs(["top-k-int8", "sigmoid-int8", "argmax"], ["counting", "whole"])]
    assert asked == [
        ("small", "argmax", "whole"),
        ("presets", "sigmoid-int8", "counting"),
        ("presets", "top-k-int8", "counting"),
    ]
    everything = {statement for _, _, statement, _, _ in proofs._jobs([])}
    assert everything == {*proofs._RECORDED}
    # One statement of all heads leaves the contracts and the other rows as they are.
    monkeypatch.setattr(proofs, "_contracts", lambda: pytest.fail("the contracts are not asked for"))
    monkeypatch.setattr(proofs, "_jobs", lambda heads, statements: [])
    stored = {}
    monkeypatch.setattr(proofs, "lost", lambda before, after: stored.update(after) or [])
    assert proofs.main(["--statement", "counting"]) == 0
    assert {part: stored[part] for part in ("contracts", "small", "presets")} == {
        part: proofs.recorded()[part] for part in ("contracts", "small", "presets")
    }


def test_a_statement_that_no_head_has_is_refused(capsys):
    assert proofs.main(["--statement", "stores"]) != 0
    assert (
        "must be one of law, whole, independence, counting, decision, response, rooms, translation"
        in capsys.readouterr().err
    )
