"""Streaming softmax and argmax heads for FPGAs: one configuration in, verified Verilog out.

    >>> import softstream
    >>> config = softstream.preset("softmax-int8").replace(max_length=64)
    >>> softstream.plan(config).bound_ulp < 1
    True
    >>> verilog = softstream.verilog(config)                        # the text, byte-stable
    >>> result = softstream.run(config, floats)                     # what the hardware answers, as real numbers and as codes
    >>> comparison = softstream.compare(config, floats, labels)     # argmax alone against softmax, and against the floats
    >>> sweep = softstream.explore(config, {"guard_bits": [2, 3]})  # every combination of the values of some keys
    >>> scores = softstream.quantise(config, floats)                # codes, the mask of -inf, what saturated
    >>> result = softstream.golden(config, scores.codes)            # the model alone: codes to codes, bit for bit
    >>> head = softstream.Head(config)                              # the Amaranth component

Names are loaded when they are first used: the model needs no Amaranth, and `softstream --help` needs neither.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from softstream.hw.config.config import Config
    from softstream.hw.config.presets import PRESETS, preset
    from softstream.hw.errors import Mismatch, MissingTool, ToolFailure, UserError
    from softstream.hw.head import Head
    from softstream.hw.plan.derive import Plan, plan
    from softstream.hw.stages.state_merge import StateMerger
    from softstream.hw.verilog import verilog
    from softstream.scripts.api import RunResult, compare, explore, run
    from softstream.scripts.importer.importer import Imported, import_onnx
    from softstream.scripts.scale import best_scale
    from softstream.scripts.scores import Scores, quantise
    from softstream.sim.golden import Result, golden
    from softstream.sim.golden.stages.state_merge import State, merge_states

__version__ = "0.2.0"

__all__ = [
    "Config",
    "PRESETS",
    "preset",
    "Plan",
    "plan",
    "Result",
    "golden",
    "Scores",
    "quantise",
    "best_scale",
    "RunResult",
    "run",
    "compare",
    "explore",
    "Head",
    "State",
    "StateMerger",
    "merge_states",
    "verilog",
    "Imported",
    "import_onnx",
    "UserError",
    "MissingTool",
    "ToolFailure",
    "Mismatch",
    "__version__",
]

_HOME = {
    "Config": "softstream.hw.config.config",
    "PRESETS": "softstream.hw.config.presets",
    "preset": "softstream.hw.config.presets",
    "Plan": "softstream.hw.plan.derive",
    "plan": "softstream.hw.plan.derive",
    "Result": "softstream.sim.golden",
    "golden": "softstream.sim.golden",
    "Scores": "softstream.scripts.scores",
    "quantise": "softstream.scripts.scores",
    "best_scale": "softstream.scripts.scale",
    "RunResult": "softstream.scripts.api",
    "run": "softstream.scripts.api",
    "compare": "softstream.scripts.api",
    "explore": "softstream.scripts.api",
    "Head": "softstream.hw.head",
    "State": "softstream.sim.golden.stages.state_merge",
    "merge_states": "softstream.sim.golden.stages.state_merge",
    "StateMerger": "softstream.hw.stages.state_merge",
    "verilog": "softstream.hw.verilog",
    "Imported": "softstream.scripts.importer.importer",
    "import_onnx": "softstream.scripts.importer.importer",
    "UserError": "softstream.hw.errors",
    "MissingTool": "softstream.hw.errors",
    "ToolFailure": "softstream.hw.errors",
    "Mismatch": "softstream.hw.errors",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'softstream' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value  # the next access is a plain look-up
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
