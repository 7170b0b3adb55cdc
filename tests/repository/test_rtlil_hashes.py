"""The hardware of every preset and test configuration equals the stored hashes; `make hashes` stores new ones."""

import pytest
from support.long_cases import partly_long
from support.rtlil_hashes import CONFIGURATIONS, rtlil_hash, stored_hashes


def test_every_configuration_is_stored():
    assert list(stored_hashes()) == list(CONFIGURATIONS)


# The stages of the presets are those of the heads of other groups, and test_verilog_hashes has the text of a dozen presets.
PRESETS = [name for name in CONFIGURATIONS if name.startswith("preset/")]


@pytest.mark.parametrize("name", partly_long(CONFIGURATIONS, PRESETS))
def test_the_hardware_is_the_stored_one(name):
    assert rtlil_hash(CONFIGURATIONS[name]) == stored_hashes()[name], "make hashes, if the change is meant"
