"""Proof of everything that a small head computes: every result, its order and number, its time, for all inputs and all time.

Assumed: the source keeps the law of AXI4-Stream at `s_axis`; the first cycle is one of reset. Sinks stall as they like, reset
comes at any time, registers hold anything at the start.

The size is printed with the proof, because the table of all vectors limits it: the demands come from the golden model for each
vector of up to `LENGTH` scores of `WIDTH` bits.
"""

import itertools
from collections.abc import Sequence
from functools import partial

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.contracts.vector_ledger import OutputRule, VectorKey, VectorLedger
from softstream.hw.errors import UserError
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import Output, outputs, sidebands, top_ports
from softstream.sim.beats import due_beats
from softstream.sim.golden import golden
from softstream.sim.proofs.harness import harness_rtlil, law_properties, ledger_properties
from softstream.sim.proofs.proof import Claim, Prover

__all__ = ["LENGTH", "WIDTH", "output_rules", "patience", "prove_whole", "shrunk"]

LENGTH, WIDTH = 3, 2
"""Elements and bits of a score in the small head."""


def shrunk(config: Config) -> Config:
    """The configuration with short vectors of narrow scores; mode, options, normaliser and profile stay.

    Raises `UserError` for a head whose vectors the ledger cannot follow.
    """
    of_vectors = any(field.per == "vector" for field in sidebands(config))
    for key, rule, remedy in (
        ("lanes", config.lanes == 1, "lanes = 1"),
        ("groups", not config.groups, "groups = []"),
        ("ensemble", config.ensemble == 1, "ensemble = 1"),
        ("temperature_bits", config.temperature_bits == 0, "temperature_bits = 0"),
        ("mode", not (config.traits.random or of_vectors), "mode = 'softmax'"),
    ):
        if not rule:
            raise UserError(
                f"prove --whole: {key} = {getattr(config, key)!r}; the proof follows vectors of one score per beat "
                f"whose results depend on nothing else; {remedy} would do"
            )
    changes: dict[str, object] = {
        "max_length": min(config.max_length, LENGTH),
        "score_width": min(config.score_width, WIDTH),
        "score_scale": max(config.score_scale, 0.5),
        "probability_width": min(config.probability_width, 4),
    }
    if "top_k" in config.to_mapping():
        changes["top_k"] = min(config.top_k, 2)
    return config.replace(**changes)


def patience(config: Config) -> int:
    """Cycles within which an answer and a free input are due while all outputs are taken.

    The answer to a vector waits for at most the vectors inside the head; each takes its interval, and the last one the latency.
    """
    figures = plan(config)
    length = config.max_length
    return figures.last_output_cycle(length) + 2 * figures.interval_cycles(length) + 8


def output_rules(config: Config) -> tuple[OutputRule, ...]:
    """The demands of the golden model on every output, for every vector of the small head."""
    width = config.score_width + sum(field.width for field in sidebands(config))
    symbols = range(1 << width)
    vectors = [
        VectorKey(elements, overlong)
        for count in range(1, config.max_length + 1)
        for elements in itertools.product(symbols, repeat=count)
        for overlong in ((False, True) if count == config.max_length else (False,))
    ]
    streaming = [output for output in outputs(config) if output.flags_at_last]
    rows = dict(zip(vectors, _beats(config, vectors), strict=True))
    rules = []
    for output in outputs(config):
        beats = {vector: row[output.prefix] for vector, row in rows.items()}
        if output in streaming:
            # A beat of an incomplete vector: what it would be if one more element followed.
            beats |= {
                VectorKey(vector.elements[:-1], complete=False): row[:-1]
                for vector, row in beats.items()
                if len(vector.elements) > 1 and not vector.overlong
            }
            if config.reads_tkeep:
                # The end of a vector of max_length elements may still be to come, in a null beat.
                longest = {key: row for key, row in beats.items() if len(key.elements) == config.max_length}
                beats |= {VectorKey(key.elements, complete=False): row[:-1] for key, row in longest.items() if row[:-1]}
        bits = sum(field.bits for field in output.fields)
        rules.append(OutputRule(output.prefix, bits + 1 + len(output.user), beats, output in streaming, bits))
    return tuple(rules)


def _beats(config: Config, vectors: Sequence[VectorKey]) -> list[dict[str, list[int]]]:
    """The payloads of every output for each vector, as (tdata, tlast, tuser) from the lowest bit on."""
    columns = config.max_length + 1
    words = np.zeros((len(vectors), columns), dtype=np.int64)
    for row, vector in zip(words, vectors, strict=True):
        row[: len(vector.elements)] = vector.elements
    lengths = np.array([len(vector.elements) + vector.overlong for vector in vectors])
    low = words & ((1 << config.score_width) - 1)
    sign = (config.score_signed << (config.score_width - 1)) & low
    codes = low - 2 * sign
    sideband, place = {}, config.score_width
    for field in sidebands(config):
        sideband[field.array] = words >> place & ((1 << field.width) - 1)
        place += field.width
    result = golden(config, codes, lengths, sideband or None)
    mask = sideband.get("mask")
    due = due_beats(config, result, lengths, mask)
    demands: list[dict[str, list[int]]] = [{} for _ in vectors]
    for output in outputs(config):
        counts = output.beats(config, np.minimum(lengths, config.max_length), mask)
        bits = _payload_bits(output)
        beats = iter(due[output.prefix])
        for demand, count in zip(demands, counts.tolist(), strict=True):
            demand[output.prefix] = [
                word | last << bits | user << (bits + 1) for word, last, user in itertools.islice(beats, count)
            ]
    return demands


def _payload_bits(output: Output) -> int:
    """Bits of tdata."""
    return sum(field.bits for field in output.fields)


def _claim(config: Config, top: str) -> Claim:
    width = config.score_width + sum(field.width for field in sidebands(config))
    rules = output_rules(config)
    ledger = VectorLedger(width, config.max_length, rules, patience(config), null_beats=config.reads_tkeep)
    ports = top_ports(config)
    return Claim(partial(harness_rtlil, top, ports, ledger), (*law_properties(ports), *ledger_properties(ledger)))


prove_whole = Prover(_claim)
"""Proves all results of a head, as many and in the order as they must be, and their time, against the golden model.

The head must be as small as `shrunk` makes it.
"""
