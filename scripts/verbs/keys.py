"""`softstream keys`: the configuration keys, or one of them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from softstream.hw.config.config import KEYS, Key
from softstream.hw.config.keys import nearest_key
from softstream.hw.errors import UserError
from softstream.scripts.console import Console

__all__ = ["EXAMPLES", "keys"]

EXAMPLES: Mapping[str, str] = {
    "mode": "mode=argmax",
    "max_length": "max_length=64",
    "top_k": "top_k=3 mode=top_k",
    "select": "select=smallest",
    "tie": "tie=last",
    "confidence": "confidence=margin",
    "score_width": "score_width=6",
    "score_signed": "score_signed=false",
    "score_scale": "score_scale=0.1",
    "score_zero_point": "score_zero_point=3",
    "clip_minimum": "clip_minimum=-100",
    "clip_maximum": "clip_maximum=100",
    "temperature": "temperature=2.0",
    "normaliser": "normaliser=divider",
    "accumulator": "accumulator=two_pass",
    "sink": "sink=fixed",
    "sink_code": "sink_code=20 sink=fixed",
    "guard_bits": "guard_bits=3",
    "reference_offset": "reference_offset=40 accumulator=reference mode=exponential",
    "probability_width": "probability_width=12",
    "probability_format": "probability_format=UQ1",
    "sum": "sum=exact probability_format=UQ1 max_length=64",
    "minimum_code": "minimum_code=1 sum=exact probability_format=UQ1 max_length=64",
    "output_levels": "output_levels=255",
    "output_zero_point": "output_zero_point=-128",
    "integer_bits": "integer_bits=6 mode=log_softmax",
    "sampler": "sampler=inverse_cdf mode=sample",
    "draw_top_k": "draw_top_k=3 mode=sample",
    "draw_top_p": "draw_top_p=0.9 draw_top_k=16 mode=sample",
    "draw_min_p": "draw_min_p=0.1 draw_top_k=16 mode=sample",
    "draw_sideband": "draw_sideband=true draw_top_k=16 mode=sample",
    "seed": "seed=7 mode=sample",
    "mask": "mask=true",
    "groups": "groups=10,3,5 max_length=10",
    "temperature_bits": "temperature_bits=6",
    "temperature_fraction": "temperature_fraction=3 temperature_bits=6",
    "probability_floor": "probability_floor=0.01 max_length=64",
    "smoothing": "smoothing=1,2,1 max_length=64",
    "smoothing_edges": "smoothing_edges=scatter smoothing=1,2,1 max_length=64",
    "smoothing_passes": "smoothing_passes=2 smoothing=1,2,1 max_length=64",
    "ensemble": "ensemble=3",
    "ensemble_mean": "ensemble_mean=probabilities ensemble=3",
    "profile": "profile=small",
    "lanes": "lanes=4",
    "tkeep": "tkeep=true lanes=4",
    "winner": "winner=false",
    "padded_outputs": "padded_outputs=true probability_width=12",
    "per_vector": "per_vector=pipelined",
}
"""Key → settings of a configuration in which another value than the default has an effect, as words of `--set`."""


def keys(name: str | None, console: Console) -> None:
    """Prints all keys as a table, or one with every line of its own. Raises `UserError` naming the nearest key."""
    chosen = [key for key in KEYS if name in (None, key.name)]
    if not chosen:
        names = ", ".join(key.name for key in KEYS)
        raise UserError(f"unknown configuration key '{name}'{nearest_key(str(name), KEYS)}; the keys are {names}")
    console.document(
        {
            key.name: {
                "type": key.type_text,
                "range": key.range_text,
                "unit": None if key.unit == "–" else key.unit,
                "default": list(key.default) if isinstance(key.default, tuple) else key.default,
                "meaning": key.help,
            }
            for key in chosen
        }
    )
    if name is not None:
        [key] = chosen
        console.line(f"{key.name}: {key.help}")
        console.line(f"{key.type_text}; {_range(key)}; default {key.default_text}")
        setting = " ".join(f"--set {shlex.quote(word)}" for word in EXAMPLES[key.name].split())
        console.line(f"for example: {setting}")
        console.done(f"{key.name} shown", f"softstream describe {setting}")
        return
    console.table(
        "",
        ("key", "default", "range", "meaning"),
        [(key.name, key.default_text, _range(key), key.help) for key in KEYS],
        fold=("range", "meaning"),
        drop=("range", "default"),
    )
    console.done(f"{len(KEYS)} keys listed", f"softstream keys {KEYS[0].name}")


def _range(key: Key) -> str:
    return key.range_text + ("" if key.unit == "–" else f" {key.unit}")
