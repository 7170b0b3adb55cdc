"""`softstream describe`: the plan of a configuration, for a person."""

from __future__ import annotations

from softstream.hw.config.config import KEYS, Config
from softstream.hw.plan.derive import plan
from softstream.scripts.console import Console

__all__ = ["describe"]


def describe(config: Config, console: Console, *, every_key: bool = False) -> None:
    """Prints the plan: stages, formats, latency and interval with their values, tables, error bound in ulp.

    Of the configuration it prints the keys that have an effect, or with `every_key` all.
    """
    derived = plan(config)
    console.document(derived.to_json())
    _keys(config, console, every_key)
    bounded = derived.bound is not None
    console.table(
        "stages, in data-path order",
        ("stage", "computes", "in", "out", "latency", "interval", "table bits") + (("error, ulp",) if bounded else ()),
        [
            (
                stage.name,
                stage.computes,
                stage.input_format,
                stage.output_format,
                stage.latency_cycles,
                stage.interval,
                stage.table_bits or "–",
                *((f"{stage.bound_share_ulp:.4f}" if stage.bound_share_ulp else "–",) if bounded else ()),
            )
            for stage in derived.stages
        ],
        right=("latency", "table bits", "error, ulp"),
        fold=("computes", "in"),
        drop=("table bits", "in", "out", "interval"),
    )
    lengths = sorted({1, min(10, config.max_length), config.max_length, 8 * sum(config.groups) or 1})
    what, of = ("packet", ", N the elements of a group") if config.groups else ("vector", "")
    console.table(
        f"cycles from a {what}'s first beat in, unstalled: first beat out after {derived.latency_text}, "
        f"next {'group' if config.groups else 'vector'} after {derived.interval_formula}{of}",
        ("N", "first beat out", "last beat out", f"next {what} in"),
        [(n, derived.first_output_cycle(n), derived.last_output_cycle(n), derived.interval_cycles(n)) for n in lengths],
        right=("N", "first beat out", "last beat out", f"next {what} in"),
    )
    console.line(f"tables: {derived.table_bits} bits")
    if derived.bound_ulp is not None and derived.worst_ulp is not None:
        differs = derived.worst_ulp != derived.bound_ulp
        saturated = f", {derived.worst_ulp:.4f} with 1.0 saturated" if differs else ""
        console.line(
            f"error bound: {derived.bound_ulp:.4f} ulp for every input{saturated} "
            f"(1 ulp = 2^-{config.probability_width})"
        )
    if derived.distance is not None:
        console.line(f"law of a draw: within {derived.distance:.3g} of softmax in total variation, for every vector")
    for warning in derived.warnings:
        console.line(f"note: {warning}")
    console.line(
        f"{len(derived.stages)} stages; softstream generate with the same arguments and -o DIR writes the Verilog"
    )


def _keys(config: Config, console: Console, every_key: bool) -> None:
    """The table of keys: those that differ from their defaults come first."""
    known = {key.name: key for key in KEYS}
    values = config.to_mapping() if every_key else config.relevant()
    rows = []
    for name, value in values.items():
        key = known[name]
        default = "" if getattr(config, name) == key.default else _plain(key.default)
        rows.append((name, _plain(value), default, key.section))
    console.table("configuration", ("key", "value", "default", "section"), rows)
    if every_key:
        return
    inert = ", ".join(f"{name} = {_plain(value)}" for name, value in config.without_effect().items())
    if inert:
        console.line(f"note: without effect in mode {config.mode} with these keys: {inert}")


def _plain(value: object) -> str:
    """A value in the notation of TOML, but for text, which has no quotes."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(str, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
