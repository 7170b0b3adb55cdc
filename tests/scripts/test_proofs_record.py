"""The record of proofs: what it must hold, and that a lost proof is seen."""

import copy

from softstream.hw.config.presets import PRESETS
from softstream.scripts.measure import proofs


def test_the_record_names_heads_and_no_statement_is_refuted():
    record = proofs.recorded()
    assert set(record["small"]) <= set(proofs.SMALL)
    assert set(record["presets"]) <= set(PRESETS)
    for statements in (*record["small"].values(), *record["presets"].values()):
        for row in statements.values():
            assert row["answer"] in ("proved", "open")
    assert all(statements["law"]["answer"] == "proved" for statements in record["presets"].values())


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
