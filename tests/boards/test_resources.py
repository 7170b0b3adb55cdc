"""The checked-in resource table equals the tools' measurements."""

import json

import pytest
from support.long_cases import mostly_long

from softstream.boards.link.protocol import link_supports
from softstream.boards.tools.measure import tool_versions
from softstream.boards.tools.parts import PARTS
from softstream.hw.config.presets import PRESETS
from softstream.scripts.measure import resources
from softstream.scripts.measure.recorded import recorded
from softstream.scripts.measure.resources import FLOOR, SEEDS, differences, measured

# What is synthesised here, of what is recorded: the argmax heads on both families, every other preset on one of them. That the
# numbers of all are of today's Verilog, test_bench says. up5k has the fabric of hx8k and other multipliers, which one preset
# with a multiplier tells apart. `python -m softstream.scripts.measure.resources` compares everything.
MEASURED = {name: ["ecp5-25k"] for name in PRESETS} | {
    "argmax-int8": ["hx8k", "ecp5-25k"],
    "argmax-int8-small": ["hx8k", "ecp5-25k"],
    "digits-argmax": ["hx8k", "ecp5-25k"],
    "softmax-int8-log": ["hx8k"],
    "softmax-int8-small": ["hx8k"],
    "softmax-int8-dsp": ["up5k"],
    "digits-softmax": ["hx8k"],
}


def test_every_preset_is_recorded_on_every_part():
    assert {name: set(parts) for name, parts in recorded()["presets"].items()} == {name: set(PARTS) for name in PRESETS}


def test_every_entry_is_complete_and_has_its_floor_below_the_median():
    content = recorded()
    assert content["seeds"] == list(SEEDS)
    assert set(content["tools"]) == set(tool_versions(PARTS.values()))
    for name, parts in content["presets"].items():
        for row, entry in parts.items():
            assert set(entry["cells"]) == {cell.name for cell in PARTS[row].cells}
            assert set(entry.get("link_cells", {})) == (set(entry["cells"]) if link_supports(PRESETS[name]) else set())
            if any(entry["cells"][kind] > number for kind, number in entry["available"].items()):
                assert entry["fmax_mhz"] is None
                continue
            speeds = sorted(entry["fmax_mhz_by_seed"].values())
            assert len(speeds) == len(SEEDS)
            assert entry["fmax_mhz"] == speeds[len(SEEDS) // 2]
            assert entry["floor_mhz"] == pytest.approx(FLOOR * entry["fmax_mhz"], abs=0.1)


# One preset for each kind of head, both families, and the multiplier of up5k, at a quarter of the processor time of all presets.
# Synthesis is deterministic and test_bench compares the hash of every preset's Verilog, so the others change with it as well.
SHORT = {
    *("digits-argmax", "softmax-int8-small", "softmax-int8-groups", "cross-entropy-int8", "exponential-int8"),
    *("top-k-int8", "sample-int8", "sigmoid-int8", "hardmax-int8", "softmax-int8-dsp"),
}
assert set(PRESETS) >= SHORT


@pytest.mark.parametrize(
    "name",
    mostly_long(sorted(PRESETS, key=lambda name: -PRESETS[name].score_width), SHORT),  # the slowest begins first
)
def test_the_cells_of_a_preset_are_those_recorded(name):
    old = recorded()
    versions = tool_versions(PARTS.values())
    if versions != old["tools"]:
        pytest.skip(f"recorded with {old['tools']}, installed are {versions}")
    changed = differences(old, measured([name], MEASURED[name], seeds=(), workers=1))
    assert not changed, (
        "cells differ; if they should: python -m softstream.scripts.measure.resources --write\n" + "\n".join(changed)
    )


def test_the_link_leaves_room_on_the_smallest_part():
    # An iCEstick has 1280 cells, and a head takes its share.
    links = [parts["hx8k"].get("link_cells") for parts in recorded()["presets"].values()]
    assert all(cells["LC"] <= 600 for cells in links if cells)


def entry(cells, fmax_mhz=None, floor_mhz=None, link=()):
    return {"cells": cells, "link_cells": dict(link), "fmax_mhz": fmax_mhz, "floor_mhz": floor_mhz}


def test_a_difference_shows_old_and_new():
    link = {"LC": 450}
    old = {"presets": {"a": {"hx8k": entry({"LC": 100, "DFF": 50, "RAM4K": 1}, 90.0, 76.5, link)}}}
    same = {"presets": {"a": {"hx8k": entry({"LC": 100, "DFF": 50, "RAM4K": 1}, 80.0, None, link)}}}
    assert differences(old, same) == []
    larger = entry({"LC": 101, "DFF": 50, "RAM4K": 2}, 70.0, None, {"LC": 451})
    new = {"presets": {"a": {"hx8k": larger}, "b": {"hx8k": entry({})}}}
    assert differences(old, new) == [
        "a on hx8k: LC 100 → 101, RAM4K 1 → 2",
        "the link of a on hx8k: LC 450 → 451",
        "a on hx8k: Fmax 70.0 MHz, below its floor of 76.5 MHz",
        "b on hx8k: not in the file",
    ]


def test_the_command_lists_the_differences_and_fails(monkeypatch, capsys):
    changed = json.loads(json.dumps(recorded()))
    cells = changed["presets"]["digits-argmax"]["hx8k"]["cells"]
    cells["LC"] += 1
    monkeypatch.setattr(resources, "measured", lambda *_, **__: changed)
    assert resources.main([]) == 1
    assert capsys.readouterr().out == f"digits-argmax on hx8k: LC {cells['LC'] - 1} → {cells['LC']}\n"
    monkeypatch.setattr(resources, "measured", lambda *_, **__: recorded())
    assert resources.main([]) == 0


def test_the_command_refuses_an_unknown_preset(capsys):
    assert resources.main(["--presets", "digits-softmux"]) == 2
    assert "unknown preset 'digits-softmux' (did you mean 'digits-softmax'?)" in capsys.readouterr().err
