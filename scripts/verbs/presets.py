"""`softstream presets`: the presets, with a sentence, the cost on a part and the latency of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from softstream.boards.tools.parts import part as find_part
from softstream.hw.config.presets import PRESETS
from softstream.scripts.console import Console
from softstream.scripts.measure.recorded import recorded, recorded_facts

__all__ = ["PURPOSES", "Facts", "cost_of", "facts", "presets"]

PURPOSES = {
    "argmax-int8": "the class only, at the highest clock",
    "argmax-int8-small": "the class only, in the fewest cells",
    "argmax-int8-margin": "the class, and by how much its score exceeds the second best one",
    "softmax-int8": "probabilities at a high clock and with a small error, from tables: the default",
    "softmax-int8-divider": "probabilities with the smallest error, by a divider and with few block RAMs",
    "softmax-int8-log": "probabilities from tables only, in fewer cells than with a divider",
    "softmax-int8-fastest": "the default with one guard bit less: fewer block RAMs and a larger error",
    "softmax-int8-dsp": "probabilities with one multiplier instead of a divider",
    "softmax-int8-small": "probabilities in the fewest cells: one element in 11 cycles",
    "softmax-int16": "scores and probabilities of 16 bits",
    "attention-int8": "a row of attention: 1024 keys, or as many as a causal row has",
    "attention-int8-sink": "a row of attention that brings the score of its sink: attention heads with trained sinks",
    "softmax-int8-groups": "softmax within each group of 8 elements of a packet",
    "softmax-int8-masked": "probabilities of the elements that a mask bit leaves in",
    "softmax-int8-sink": "probabilities with a sink: e^x / (1 + Σ e^x), near 0 where nothing matches",
    "softmax-int8-floor": "probabilities that are never below a floor",
    "softmax-int8-exact": "probabilities whose codes sum to exactly 2^P, none of them 0",
    "softmax-int8-smoothed": "probabilities smoothed along the classes",
    "ensemble-logits-int8": "softmax of the mean scores of three classifiers",
    "ensemble-probabilities-int8": "mean of the probabilities of three classifiers",
    "softmax-int8-temperature": "probabilities with a temperature for each vector, as a sideband input",
    "log-softmax-int8": "logarithms of probabilities, in nats",
    "cross-entropy-int8": "the loss of each vector against its label, in nats",
    "log-sum-exp-int8": "the largest score and ln Σ e^(x − largest): the partial state of a merged softmax",
    "entropy-int8": "the class, and the entropy of the probabilities: how uncertain it is, without any probability",
    "exponential-int8": "exponentials without normalisation, after 5 cycles",
    "sigmoid-int8": "the logistic function of each score by itself",
    "sample-int8": "a random draw from softmax in one pass (Gumbel noise)",
    "sample-int8-cdf": "a random draw that is far closer to softmax (inverse CDF)",
    "sample-int8-temperature": "a random draw at the temperature of its vector",
    "sample-int8-top-p": "a random draw among the best, whose probabilities reach 0.9",
    "sample-int8-min-p": "a random draw among the classes with a twentieth of the best one's probability, by inverse CDF",
    "sample-int8-bounds": "a random draw within the K, p and min_p that its vector brings",
    "hardmax-int8": "1.0 for the first largest score and 0 for all others",
    "top-k-int8": "the five largest scores in order, with their indices",
    "softmax-top-k-int8": "the five largest probabilities in order, with their indices",
    "cdf-int8": "cumulative probabilities up to exactly 2^P: the table of an entropy coder",
    "digits-argmax": "the class of a handwritten digit: the demo's first head",
    "digits-softmax": "the probabilities of a handwritten digit: the demo's second head",
}
"""Preset → its purpose in a sentence."""
_NO_FIT = "does not fit"


@dataclass(frozen=True)
class Facts:
    """What the listing shows of a preset's plan."""

    digest: str
    """Of the configuration that the facts are derived from."""
    first_output: str
    interval: str
    bound_ulp: float | None

    @classmethod
    def derived(cls, name: str) -> Facts:
        """The facts of a preset from its plan, whose bound takes up to a second."""
        from softstream.hw.plan.derive import plan

        head = plan(PRESETS[name])
        return cls(head.config.digest, head.latency_text, head.interval_formula, head.bound_ulp)


def facts(name: str) -> Facts:
    """The facts of a preset: those in `boards/measured/presets.json`, or derived where the preset has changed since.

    `make tables` writes that file, and a test compares it with the plans.
    """
    stored = recorded_facts().get(name)
    return Facts(**stored) if stored and stored["digest"] == PRESETS[name].digest else Facts.derived(name)


def presets(part_name: str, console: Console) -> None:
    """Prints each preset with its purpose, the cells and clock measured on the part, latency, interval and bound.

    Raises `UserError` for an unknown part.
    """
    part = find_part(part_name)
    measured = recorded()["presets"]
    rows = {name: facts(name) for name in PRESETS}
    console.document(
        {
            name: {"purpose": PURPOSES[name], "config": PRESETS[name].to_mapping(), "digest": row.digest}
            for name, row in rows.items()
        }
    )
    console.table(
        "",
        ("preset", "purpose", "logic", "other cells", "MHz", "N up to", "first output", "interval", "bound, ulp"),
        [
            (
                name,
                PURPOSES[name],
                *_short_cost(measured.get(name, {}).get(part.name)),
                PRESETS[name].max_length,
                row.first_output,
                row.interval,
                "–" if row.bound_ulp is None else f"{row.bound_ulp:.3f}",
            )
            for name, row in rows.items()
        ],
        right=("MHz", "N up to", "bound, ulp"),
        fold=("purpose",),
        drop=("N up to", "interval", "first output", "bound, ulp", "other cells", "logic", "MHz"),
    )
    console.line(f"cells and MHz on {part.name}, with profile = {part.profile} where a preset names none")
    console.done(f"{len(rows)} presets listed", f"softstream describe {next(iter(rows))}")


def _short_cost(entry: dict[str, Any] | None) -> tuple[str, str, str]:
    """Logic cells, other cells and clock of a row: short, because 80 columns must hold logic and clock beside the purpose."""
    cells, mhz = cost_of(entry)
    logic, _, others = cells.partition(", ")
    return logic, others, "no fit" if mhz == _NO_FIT else mhz


def cost_of(entry: dict[str, Any] | None) -> tuple[str, str]:
    """Cells and clock as text, from an entry of `boards/measured/resources.json`."""
    if entry is None:
        return "–", "–"
    cells = ", ".join(f"{entry['cells'][kind]} {kind}" for kind in entry["available"] if entry["cells"][kind])
    return cells, _NO_FIT if entry["fmax_mhz"] is None else f"{entry['fmax_mhz']:.0f}"
