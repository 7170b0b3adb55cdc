"""The generated Verilog of a dozen presets equals the stored hashes under any Python; `make hashes` stores new ones."""

import pytest
from support.verilog_hashes import HASHED, code_hash, stored_hashes


def test_every_preset_is_stored() -> None:
    assert tuple(stored_hashes()) == HASHED


@pytest.mark.parametrize("name", HASHED)
def test_the_verilog_is_the_stored_one(name: str) -> None:
    assert code_hash(name) == stored_hashes()[name], "make hashes, if the change is meant"
