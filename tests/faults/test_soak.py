"""Heads under random stalls and resets in a compiled bench: nothing lost. `make soak` runs it for 10^8 beats."""

import json

import pytest
from support.soak import HEADS, SOAK, built, library, soak

from softstream.hw.verilog import verilog

BEATS = 100_000
FAULTS = {
    "no reset": ("wire rst = ~aresetn;", "wire rst = 1'b0;"),
    "a beat lost where there is no room": ("i_ready <= o_ready | ~o_valid | (i_ready & ~i_valid);", "i_ready <= 1'b1;"),
    "a beat that changes while it is stalled": ("if (o_ready | ~o_valid) o_payload", "if (1'b1) o_payload"),
}


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    return library(tmp_path_factory.mktemp("library"))


@pytest.mark.long
@pytest.mark.parametrize("name", HEADS)
def test_nothing_is_lost(name, objects, tmp_path):
    counts = soak(built(tmp_path, HEADS[name], objects), BEATS, seed=2)
    assert counts["beats"] >= BEATS
    assert counts["resets"] > counts["drained"] > 10
    assert counts["vectors"] > 3000


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault, objects, tmp_path):
    """A bench that finds nothing says nothing."""
    config = HEADS["argmax"]
    old, new = FAULTS[fault]
    text = verilog(config, "head")
    assert text.count(old) == 1
    with pytest.raises(RuntimeError, match=r"ended with 1: \{\"failure\": "):
        soak(built(tmp_path, config, objects, text.replace(old, new)), BEATS, seed=2)


def test_the_record_has_the_beats_that_the_page_names():
    record = json.loads(SOAK.read_text(encoding="utf-8"))
    assert list(record["heads"]) == list(HEADS)
    assert record["total"]["beats"] >= 10**8
    assert min(head["beats"] for head in record["heads"].values()) >= 2 * 10**7
