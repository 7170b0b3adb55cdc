"""Sentences of the pages whose figures are measured: `make tables` writes the figures, and a test holds the claims.

    sentence = Sentence("README.md", "takes {} COMB", lambda: [432])
    sentence.rewritten("It takes 431\\nCOMB.")      # 'It takes 432\\nCOMB.'

A figure of cells, of a clock or of their ratio that no row here writes is one that a later measurement makes false, so
`tests/scripts/test_sentences.py` refuses it in prose.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from softstream.hw.config.presets import PRESETS
from softstream.hw.plan.derive import plan
from softstream.scripts.measure import stock
from softstream.scripts.measure.peers import PEERS
from softstream.scripts.measure.recorded import recorded, recorded_bench, recorded_components, recorded_stock
from softstream.scripts.verbs.cost import recorded_preset_cost

__all__ = ["SENTENCES", "Sentence"]

_FIGURE = r"(\d(?:[\d.]*\d)?)"
_ECP5, _HX8K = "ecp5-25k", "hx8k"


@dataclass(frozen=True)
class Sentence:
    """A part of the prose of a page."""

    page: str
    """Path of the page from the root of the repository."""
    text: str
    """Its words, with `{}` in the place of each figure; on the page they may be on several lines."""
    figures: Callable[[], Sequence[float | str]] = tuple
    """What the places hold; none where only words depend on a measurement."""
    holds: Callable[[], bool] = lambda: True
    """Whether the words are true of the measurements."""

    @property
    def pattern(self) -> re.Pattern[str]:
        """The sentence on its page, with a group for each figure."""
        words = (re.escape(word).replace(r"\{\}", _FIGURE) for word in self.text.split())
        return re.compile(r"\s+".join(words))

    def rewritten(self, text: str) -> str:
        """The page with the figures of today. Raises `ValueError` where the sentence is not there once."""
        matches = list(self.pattern.finditer(text))
        if len(matches) != 1:
            raise ValueError(
                f"{self.page}: {len(matches)} places have the sentence '{self.text}', which must be there once"
            )
        [match] = matches
        places = [match.span(number + 1) for number in range(match.re.groups)]
        for (begin, end), figure in reversed(list(zip(places, self.figures(), strict=True))):
            text = f"{text[:begin]}{figure}{text[end:]}"
        return text


def _cells(preset: str, part: str = _ECP5) -> Mapping[str, int]:
    cells: Mapping[str, int] = recorded()["presets"][preset][part]["cells"]
    return cells


def _mhz(preset: str, part: str = _ECP5) -> float:
    """The median of the clock, as in the table of choices."""
    fmax = recorded_preset_cost(preset, part).fmax_mhz
    assert fmax is not None
    return fmax["median"]


def _bound(preset: str) -> float:
    bound = plan(PRESETS[preset]).bound_ulp
    assert bound is not None
    return bound


def _available(part: str = _ECP5) -> Mapping[str, int]:
    available: Mapping[str, int] = recorded()["presets"]["softmax-int8"][part]["available"]
    return available


def _variant(name: str, part: str = _ECP5) -> Mapping[str, Any]:
    entry: Mapping[str, Any] = recorded_bench()["variants"][name]["parts"][part]
    return entry


def _curve(key: str, value: float) -> tuple[Mapping[str, int], Mapping[str, float], float]:
    """(cells, clock, bound in ulp) of the default with one other key."""
    curve = next(row for row in recorded_bench()["curves"] if row["key"] == key)
    place = curve["values"].index(value)
    return curve["cells"][place], curve["fmax_mhz"][place], curve["bound_ulp"][place]


def _more(one: str, other: str, *kinds: str, part: str = _ECP5) -> list[int]:
    """Of how many cells of each kind the first preset takes more."""
    return [_cells(one, part)[kind] - _cells(other, part)[kind] for kind in kinds]


def _default_and_divider() -> list[float | str]:
    default, divider = _cells("softmax-int8"), _cells("softmax-int8-divider")
    return [
        *(default["COMB"], divider["COMB"]),
        *(f"{_mhz('softmax-int8'):.0f}", f"{_mhz('softmax-int8-divider'):.0f}"),
        PRESETS["softmax-int8"].guard_width,
        *(f"{_bound('softmax-int8'):.2f}", f"{_bound('softmax-int8-divider'):.2f}"),
        *(default["DP16KD"], divider["DP16KD"]),
    ]


def _default_is_smaller_and_faster() -> bool:
    default, divider = _cells("softmax-int8"), _cells("softmax-int8-divider")
    return (
        default["COMB"] < divider["COMB"]
        and default["DP16KD"] > divider["DP16KD"]
        and _mhz("softmax-int8") > _mhz("softmax-int8-divider")
        and abs(_bound("softmax-int8") - _bound("softmax-int8-divider")) < 0.1
    )


def _relatives_are_smaller() -> bool:
    default, fastest, log = (_cells(name) for name in ("softmax-int8", "softmax-int8-fastest", "softmax-int8-log"))
    return (
        fastest["DP16KD"] < default["DP16KD"]
        and _bound("softmax-int8-fastest") > _bound("softmax-int8")
        and log["FF"] < fastest["FF"]
    )


def _dsp_saves_logic() -> bool:
    dsp, divider = _cells("softmax-int8-dsp"), _cells("softmax-int8-divider")
    return dsp["COMB"] < divider["COMB"] and dsp["MULT18"] > divider["MULT18"] == 0


def _wide_divider() -> list[float | str]:
    return [_curve("probability_width", width)[0][kind] for width in (12, 16) for kind in ("COMB", "FF", "DP16KD")]


def _clocks_over_the_scale() -> list[float | str]:
    return [f"{_curve('score_scale', scale)[1]['median']:.0f}" for scale in (0.0625, 0.11, 0.3)]


def _two_windows_cost() -> bool:
    """More cells than the exact sum, and terms of less than a tenth of an ulp that are left out."""
    exact, windows = (_curve("score_scale", scale) for scale in (0.0625, 0.11))
    return exact[0]["COMB"] < windows[0]["COMB"] and windows[2] - exact[2] < 0.1


def _stock_clocks() -> list[float | str]:
    presets = recorded_stock()["presets"]

    def median(name: str, flow: str) -> float:
        mhz: float = presets[name][flow]["fmax_mhz"]["median"]
        return mhz

    losses = [1 - median(name, "portable") / median(name, "part") for name in presets]
    clocks = [f"{median('softmax-int8', flow):.0f}" for flow in ("portable", "part", "own")]
    return [f"{100 * max(losses):.0f}", *clocks]


def _merger() -> list[float | str]:
    entry = recorded_components()["components"]["StateMerger, rows of 4096"][_ECP5]
    return [*(entry["cells"][kind] for kind in ("COMB", "FF", "DP16KD")), f"{entry['fmax_mhz']['median']:.0f}"]


def _area() -> list[float | str]:
    has = _available()
    shares = [round(has["COMB"] / has[kind]) for kind in ("DP16KD", "MULT18")]
    return [*shares, *(has[kind] for kind in ("COMB", "DP16KD", "MULT18"))]


def _peers() -> list[float | str]:
    fewer = [100 * (1 - peer.same_flow.comb / peer.cells["COMB"]) for peer in PEERS if peer.same_flow is not None]
    return [f"{min(fewer):.0f}", f"{max(fewer):.0f}"]


def _stock_text_reaches_the_clock() -> bool:
    return not stock.shortfalls(recorded_stock())


SENTENCES: tuple[Sentence, ...] = (
    Sentence(
        "README.md",
        "On an ECP5 that takes {} COMB instead of the {} of the divider, and reaches {} instead of {} MHz. With {} guard bits "
        "its error is at most {} ulp, near that of the divider ({} ulp). The price is block RAM, {} blocks instead of {}.",
        _default_and_divider,
        _default_is_smaller_and_faster,
    ),
    Sentence(
        "hw/config/README.md",
        "It subtracts logarithms instead of dividing, which takes fewer logic cells than the divider and more block RAM.",
        holds=_default_is_smaller_and_faster,
    ),
    Sentence(
        "hw/config/README.md",
        "`softmax-int8-fastest` has one guard bit less, so fewer block RAMs and a larger error, and `softmax-int8-log` also "
        "fewer registers, for an iCE40.",
        holds=_relatives_are_smaller,
    ),
    Sentence(
        "hw/config/README.md",
        "`softmax-int8-dsp` spends a multiplier to save logic cells.",
        holds=_dsp_saves_logic,
    ),
    Sentence(
        "hw/config/README.md",
        "0 MULT18: {} COMB, {} FF and {} DP16KD at P = 12, and {} COMB, {} FF and {} DP16KD at P = 16",
        _wide_divider,
        lambda: not any(_curve("probability_width", width)[0]["MULT18"] for width in (12, 16)),
    ),
    Sentence(
        "hw/config/README.md",
        "`softmax-int16` needs {} of {} RAM4K there",
        lambda: [_cells("softmax-int16", _HX8K)["RAM4K"], _available(_HX8K)["RAM4K"]],
        lambda: recorded()["presets"]["softmax-int16"][_HX8K]["fmax_mhz"] is None,
    ),
    Sentence(
        "hw/config/README.md",
        "The default reaches {} MHz on an ECP5 at its scale of 0.0625, {} MHz at 0.11 and {} MHz at 0.3",
        _clocks_over_the_scale,
    ),
    Sentence(
        "hw/config/README.md",
        "which takes more cells; the terms that are left out add less than 0.1 ulp to the bound.",
        holds=_two_windows_cost,
    ),
    Sentence(
        "scripts/README.md",
        "which costs up to {} % of the clock: stock `synth_ecp5` and nextpnr place `softmax-int8` at {} MHz without `--part`, "
        "and at {} MHz with it; the flow here reaches {} MHz",
        _stock_clocks,
    ),
    Sentence(
        "hw/modes/README.md",
        "A merger for rows of 4096 takes {} COMB, {} FF, {} DP16KD on an ECP5, at {} MHz",
        _merger,
    ),
    Sentence(
        "hw/modes/README.md",
        "`attention-int8-65536`, which takes {} of the {} block RAMs of an ECP5-25",
        lambda: [_variant("attention-int8-65536")["cells"]["DP16KD"], _available()["DP16KD"]],
    ),
    Sentence(
        "hw/options/README.md",
        "the preset takes {} COMB more than the default on an ECP5. An iCE40 takes {} LC more,",
        lambda: [
            *_more("softmax-int8-sink", "softmax-int8", "COMB"),
            *_more("softmax-int8-sink", "softmax-int8", "LC", part=_HX8K),
        ],
    ),
    Sentence(
        "hw/options/README.md",
        "in {} COMB and {} DP16KD more than `attention-int8`",
        lambda: _more("attention-int8-sink", "attention-int8", "COMB", "DP16KD"),
    ),
    Sentence(
        "boards/measured/README.md",
        "A block RAM counts as {} cells and a multiplier as {}, their shares of an LFE5U-25F with {} COMB, {} block RAMs and {} "
        "multipliers.",
        _area,
    ),
    Sentence(
        "boards/measured/README.md",
        "A head of 32 lanes takes {} block RAMs, more than the {} of the LFE5U-25F",
        lambda: [_variant("softmax-int8-x32", "ecp5-45k")["cells"]["DP16KD"], _available()["DP16KD"]],
        lambda: _variant("softmax-int8-x32", "ecp5-45k")["cells"]["DP16KD"] > _available()["DP16KD"],
    ),
    Sentence(
        "boards/measured/README.md",
        "The default changes with them as follows, with placement seeds 1 to {}.",
        lambda: [max(curve["seeds"]) for curve in recorded_bench()["curves"][:1]],
        lambda: len({tuple(curve["seeds"]) for curve in recorded_bench()["curves"]}) == 1,
    ),
    Sentence(
        "boards/measured/README.md",
        "A vector of 65 536 scores takes most block RAMs of the part.",
        holds=lambda: _curve("max_length", 65536)[0]["DP16KD"] > _available()["DP16KD"] / 2,
    ),
    Sentence(
        "boards/measured/README.md",
        "over placement seeds 1 to {}, in the last column 1 to {}, with",
        lambda: [len(recorded_stock()["seeds"][flow]) for flow in ("part", "portable")],
        lambda: recorded_stock()["seeds"]["own"] == recorded_stock()["seeds"]["part"],
    ),
    Sentence(
        "boards/measured/README.md",
        "nextpnr reaches the clock of the flow here.",
        holds=_stock_text_reaches_the_clock,
    ),
    Sentence("boards/measured/README.md", "{} to {} % fewer COMB at about the same clock", _peers),
)
"""Every sentence of a page that states cells, a clock, or a ratio of them, outside of the generated tables."""
