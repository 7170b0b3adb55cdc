"""Toggles of a netlist: the counting of a waveform, and the netlist of a head in the scores bench."""

from pathlib import Path

import numpy as np
import pytest

from softstream.boards.tools.parts import part
from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.scripts.measure import toggles as module
from softstream.scripts.measure.toggles import TOGGLE_PARTS, toggles

WAVEFORM = """\
$timescale 1ps $end
 $scope module $rootio $end
  $var wire 1 ! aclk $end
 $upscope $end
 $scope module softstream_top $end
  $var wire 1 " net1 $end
  $var wire 1 " net2 $end
  $var wire 3 # m_axis_tdata [2:0] $end
 $upscope $end
$enddefinitions $end
#0
0!
0"
b000 #
#5
1!
1"
b101 #
#10
0"
b110 #
"""
"""Net 1, which is net 2, changes twice; the bits of the port change once, once and twice, the lowest one last."""

MODULE = {
    "netnames": {"net1": {"bits": [7]}, "net2": {"bits": [8]}, "m_axis_tdata": {"bits": [9, 10, 11]}},
    "cells": {
        "cell1": {
            "type": "SB_LUT4",
            "port_directions": {"I0": "input", "O": "output"},
            "connections": {"I0": [8], "O": [7]},
        },
        "cell2": {"type": "SB_DFFSR", "port_directions": {"Q": "output"}, "connections": {"Q": [9]}},
        "cell3": {"type": "SB_DFF", "port_directions": {"Q": "output"}, "connections": {"Q": [11]}},
    },
}


def test_changes_of_nets_with_one_identifier_and_of_each_bit_of_a_vector(tmp_path: Path) -> None:
    (tmp_path / "dump.vcd").write_text(WAVEFORM)
    changes = module._changes(tmp_path / "dump.vcd")
    assert changes == {"net1": [2], "net2": [2], "m_axis_tdata": [2, 1, 1]}
    assert module._by_kind(MODULE, changes) == {"LUT4": 2, "DFF": 3}


def test_a_part_without_models_of_its_cells_is_refused() -> None:
    with pytest.raises(UserError, match=r"toggles on ecp5-25k: .*; must be one of hx8k, up5k; for example hx8k"):
        toggles(Config(), np.zeros((1, 1), dtype=np.int64), None, None, part("ecp5-25k"))


@pytest.mark.long
@pytest.mark.parametrize("name", TOGGLE_PARTS)
def test_the_netlist_gives_the_results_of_the_model_and_equal_scores_toggle_least(name: str, tmp_path: Path) -> None:
    config = Config(mode="argmax", score_width=4, max_length=4)
    scores = np.random.default_rng(1).integers(-8, 7, (50, 4), endpoint=True)
    busy = toggles(config, scores, None, None, part(name), tmp_path / "dump.vcd")
    quiet = toggles(config, np.zeros_like(scores), None, None, part(name))
    assert set(busy.counts) == set(quiet.counts) >= {"LUT4", "DFF"}
    assert busy.elements == quiet.elements == 200
    for kind, count in busy.counts.items():
        assert count > quiet.counts[kind] >= 0
    # The index counts through each vector all the same.
    assert quiet.counts["DFF"] >= 100
    assert "$enddefinitions" in (tmp_path / "dump.vcd").read_text()
