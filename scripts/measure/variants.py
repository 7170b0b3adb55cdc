"""What the benchmark measures: a row per variant, with the parts that it is placed on and the goals that it is held against.

A new variant is a row in `VARIANTS`, a new curve of cost a row in `CURVES`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from softstream.boards.tools.parts import PARTS, head_on
from softstream.hw.config.config import Config
from softstream.hw.config.limits import LARGEST_LIST
from softstream.hw.config.presets import PRESETS

__all__ = ["CURVES", "VARIANTS", "Curve", "Goal", "Variant"]


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What a variant is meant to reach on one part; what is not given is not asked for."""

    fmax_mhz: float
    """Median over the placement seeds, at least."""
    cells: Mapping[str, int]
    """Cells by kind, at most."""
    elements_per_cycle: float = 1.0
    """Vectors of `max_length` back to back, at least."""
    first_output: int | None = None
    """Cycles from the first input beat to the first output beat of a vector of `max_length`, at most."""


@dataclass(frozen=True)
class Variant:
    """One configuration and where it is placed."""

    name: str
    config: Config
    parts: Mapping[str, Goal | None]
    """Part → what is to be reached there, or nothing in particular."""


@dataclass(frozen=True)
class Curve:
    """Cells and clock over the values of one key, everything else as in `config`."""

    key: str
    title: str
    config: Config
    part: str
    values: Sequence[Any] = field(default_factory=tuple)

    def configs(self) -> list[Config]:
        """One configuration for each value."""
        return [self.config.replace(**{self.key: value}) for value in self.values]


_DIVIDER = PRESETS["softmax-int8-divider"]


def _for_fabrics(name: str, ice40: Mapping[str, Goal | None]) -> list[Variant]:
    """A preset on an ECP5, and on iCE40 parts with the profile that suits them, where it names none itself."""
    config = PRESETS[name]
    if head_on(config, PARTS["hx8k"]) == config:
        return [Variant(name, config, {"ecp5-25k": None, **ice40})]
    return [
        Variant(name, config, {"ecp5-25k": None}),
        Variant(f"{name}-fast", head_on(config, PARTS["hx8k"]), ice40),
    ]


_HELD = (
    Variant(
        "softmax-int8",
        PRESETS["softmax-int8"],
        {
            "ecp5-25k": Goal(fmax_mhz=260, cells={"COMB": 430, "DP16KD": 8}, first_output=1024 + 40),
        },
    ),
    *(
        variant
        for name in ("softmax-int8", "softmax-int8-divider", "softmax-int8-dsp")
        for variant in _for_fabrics(name, {"hx8k": None, "up5k": None})
        if variant.name != "softmax-int8"
    ),
    Variant(
        "softmax-int8-log",
        PRESETS["softmax-int8-log"],
        {
            "ecp5-25k": None,
            "hx8k": Goal(fmax_mhz=180, cells={"LC": 750, "RAM4K": 19}, first_output=1024 + 40),
            "up5k": Goal(fmax_mhz=60, cells={"LC": 800}, first_output=1024 + 40),
        },
    ),
    Variant(
        "softmax-int8-fastest",
        PRESETS["softmax-int8-fastest"],
        {"ecp5-25k": Goal(fmax_mhz=250, cells={"COMB": 450, "FF": 750, "DP16KD": 7}, first_output=1024 + 40)},
    ),
    *(
        Variant(
            f"softmax-int8-x{lanes}",
            PRESETS["softmax-int8-fastest"].replace(lanes=lanes),
            {
                part: Goal(
                    fmax_mhz=fmax,
                    cells={"COMB": lanes * 350, "DP16KD": rams},
                    elements_per_cycle=lanes,
                    first_output=1024 // lanes + 48,
                )
            },
        )
        for lanes, part, fmax, rams in (
            (4, "ecp5-25k", 200, 14),
            (8, "ecp5-25k", 200, 19),
            (16, "ecp5-25k", 165, 37),
            # Of 32 lanes, the smaller part has too few block RAMs.
            (32, "ecp5-45k", 115, 73),
        )
    ),
    Variant("softmax-int8-serial", _DIVIDER.replace(profile="small"), {"hx8k": None}),
    Variant("softmax-int8-log-small", PRESETS["softmax-int8-log"].replace(profile="small"), {"hx8k": None}),
    Variant(
        "softmax-int8-small",
        PRESETS["softmax-int8-small"],
        {"hx8k": Goal(fmax_mhz=100, cells={"LC": 320, "RAM4K": 4}, elements_per_cycle=1 / 12), "ecp5-25k": None},
    ),
    # On an ECP5 the registers of the two passes cost few cells more.
    Variant(
        "softmax-int8-small-fastest",
        PRESETS["softmax-int8-small"].replace(profile="fastest"),
        {"ecp5-25k": Goal(fmax_mhz=180, cells={"COMB": 240}, elements_per_cycle=1 / 12)},
    ),
    Variant(
        "argmax-int8-small",
        PRESETS["argmax-int8-small"],
        {
            "ecp5-25k": Goal(fmax_mhz=200, cells={"COMB": 65}, first_output=1024 + 3),
            "hx8k": Goal(fmax_mhz=140, cells={"LC": 100}, first_output=1024 + 3),
        },
    ),
    Variant(
        "argmax-int8",
        PRESETS["argmax-int8"],
        {
            "ecp5-25k": Goal(fmax_mhz=300, cells={"COMB": 90}, first_output=1024 + 14),
            "hx8k": Goal(fmax_mhz=230, cells={"LC": 250}, first_output=1024 + 14),
        },
    ),
    Variant(
        "softmax-int16",
        PRESETS["softmax-int16"],
        {"ecp5-25k": Goal(fmax_mhz=200, cells={"COMB": 1000, "MULT18": 4}, first_output=1024 + 50)},
    ),
    # Rows of attention: ViT-B/16 with its class token, the preset, and long contexts, the longest of which takes most block RAMs
    # of the part. An iCE40 without multipliers would make the product with the reciprocal of logic.
    *(
        Variant(name, PRESETS["attention-int8"].replace(max_length=length), {"ecp5-25k": None})
        for name, length in (
            ("attention-int8-197", 197),
            ("attention-int8", 1024),
            ("attention-int8-4096", 4096),
            ("attention-int8-65536", 65536),
        )
    ),
    Variant("attention-int8-sink", PRESETS["attention-int8-sink"], {"ecp5-25k": None}),
    # The longest list; its store does not fit into an iCE40.
    Variant("top-k-64-int8", PRESETS["top-k-int8"].replace(top_k=LARGEST_LIST), {"ecp5-25k": None}),
)
"""What is held against goals or measured on other parts than the rest."""

VARIANTS: dict[str, Variant] = {
    **{row.name: row for row in _HELD},
    **{
        variant.name: variant
        for name in PRESETS
        if name not in {row.name for row in _HELD}
        for variant in _for_fabrics(name, {"hx8k": None})
    },
}

_DEFAULT = PRESETS["softmax-int8"]

CURVES: tuple[Curve, ...] = (
    Curve("score_scale", "score scale", _DEFAULT, "ecp5-25k", (0.02, 0.0625, 0.11, 0.1467, 0.3)),
    Curve("max_length", "longest vector N", _DEFAULT, "ecp5-25k", (64, 1024, 4096, 65536)),
    Curve("probability_width", "fraction bits P", _DEFAULT, "ecp5-25k", (4, 8, 12, 16)),
    Curve("lanes", "lanes L", _DEFAULT, "ecp5-25k", (1, 2, 4, 8)),
)
