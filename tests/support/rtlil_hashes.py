"""Hashes of the hardware of every preset and of every configuration of the tests, before Yosys makes Verilog of it.

`make hashes` writes `tests/repository/rtlil_hashes.json` anew and names what changed. A change that must not change the
hardware leaves that file as it is; one that means to writes it anew, on purpose.
"""

import hashlib
import json
import sys
import warnings
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import UnusedElaboratable
from support.configurations import MEMBERS, PIPELINED, SOFTMAX, TWO_PASS

from softstream.hw.axi import AxiTop
from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS
from softstream.hw.plan.ports import top_ports
from softstream.hw.verilog import TOP

__all__ = ["CONFIGURATIONS", "STORED", "rtlil_hash", "rtlil_text", "stored_hashes"]

STORED = Path(__file__).resolve().parents[1] / "repository" / "rtlil_hashes.json"

CONFIGURATIONS: dict[str, Config] = {
    f"{group}/{name}": config
    for group, configs in {
        "preset": PRESETS,
        "softmax": SOFTMAX,
        "member": MEMBERS,
        "pipelined": PIPELINED,
        "two-pass": TWO_PASS,
    }.items()
    for name, config in configs.items()
}


def rtlil_text(config: Config) -> str:
    """The RTLIL text of the generated top, without source locations."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        top = AxiTop(config)
        ports = [getattr(top, port.name) for port in top_ports(config)]
        return rtlil.convert(top, name=TOP, ports=ports, emit_src=False)


def rtlil_hash(config: Config) -> str:
    """SHA-256 of that text."""
    text = rtlil_text(config)
    return hashlib.sha256(text.encode()).hexdigest()


def stored_hashes() -> dict[str, str]:
    """Configuration name to hash, as last written."""
    return json.loads(STORED.read_text(encoding="utf-8"))


if __name__ == "__main__":
    old = stored_hashes() if STORED.is_file() else {}
    new = {name: rtlil_hash(config) for name, config in CONFIGURATIONS.items()}
    changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    if "--write" in sys.argv[1:]:
        STORED.write_text(json.dumps(new, indent=1) + "\n", encoding="utf-8")
    for name in changed:
        print(name)
    print(f"{len(new) - len(set(changed) & new.keys())} of {len(new)} configurations have the same hardware")
    sys.exit(0 if "--write" in sys.argv[1:] else int(bool(changed)))
