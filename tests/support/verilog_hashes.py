"""Hashes of the generated Verilog.

`make hashes` stores those of a dozen presets, without comments, in `tests/repository/verilog_hashes.json`: any other byte is
part of the hash. As a program it prints the hashes of the whole texts of all presets, which `support.pythons` compares.
"""

import hashlib
import json
import sys
from pathlib import Path

from support.verilog_text import code

from softstream.hw.config.presets import PRESETS
from softstream.hw.verilog import verilog

__all__ = ["HASHED", "STORED", "code_hash", "stored_hashes"]

STORED = Path(__file__).resolve().parents[1] / "repository" / "verilog_hashes.json"

HASHED = (
    "argmax-int8", "softmax-int8", "softmax-int8-divider", "softmax-int8-fastest", "softmax-int8-small", "softmax-int8-groups",
    "softmax-int8-temperature", "ensemble-logits-int8", "log-softmax-int8", "cross-entropy-int8", "sigmoid-int8", "sample-int8",
    "softmax-top-k-int8",
)  # fmt: skip
"""One preset for each part of the family."""


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def code_hash(preset: str) -> str:
    """SHA-256 of the Verilog of a preset without its comments, under the name that measurements use."""
    return _sha256(code(PRESETS[preset]))


def stored_hashes() -> dict[str, str]:
    """Preset → hash, as last written."""
    return json.loads(STORED.read_text(encoding="utf-8"))


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        STORED.write_text(json.dumps({name: code_hash(name) for name in HASHED}, indent=1) + "\n", encoding="utf-8")
    else:
        print(json.dumps({name: _sha256(verilog(config)) for name, config in PRESETS.items()}))
