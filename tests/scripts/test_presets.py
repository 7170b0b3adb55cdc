"""The listing of the presets takes its facts from a file, and no plan, unless a preset has changed since."""

import json
import subprocess
import sys

import pytest

from softstream.hw.config.presets import PRESETS
from softstream.hw.plan.derive import plan
from softstream.scripts.verbs import presets
from softstream.scripts.verbs.presets import Facts, facts

IMPORTED = """
import json, sys
from softstream.scripts.cli import main
try:
    main(["presets", "--quiet"])
finally:
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_the_listing_imports_no_package_for_arrays_hardware_or_plots() -> None:
    """Their imports take longer than the listing itself."""
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=False)
    packages = set(json.loads(done.stdout.splitlines()[-1]))
    assert "click" in packages  # otherwise the listing did not run
    assert not packages & {"numpy", "amaranth", "amaranth_boards", "scipy", "matplotlib", "onnx", "jschon"}


@pytest.mark.parametrize("name", ["argmax-int8", "sample-int8-cdf"])
def test_a_preset_that_changed_since_is_derived(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    changed = PRESETS[name].replace(max_length=24, probability_width=6)
    monkeypatch.setitem(PRESETS, name, changed)
    head = plan(changed)
    assert facts(name) == Facts(changed.digest, head.latency_text, head.interval_formula, head.bound_ulp)


def test_a_preset_that_did_not_change_has_no_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presets.Facts, "derived", None)
    assert [facts(name).digest for name in PRESETS] == [config.digest for config in PRESETS.values()]
