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
    console.table(
        "stages, in data-path order",
        *derived.stage_table(),
        right=("latency", "table bits", "error, ulp"),
        fold=("computes", "in"),
        drop=("table bits", "in", "out", "interval"),
    )
    header, rows = derived.cycle_table()
    console.table(derived.cycle_text, header, rows, right=header)
    for line in derived.notes():
        console.line(line)
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
        default = "" if getattr(config, name) == key.default else key.default_text
        rows.append((name, key.value_text(value), default, key.section))
    console.table("configuration", ("key", "value", "default", "section"), rows)
    if every_key:
        return
    inert = ", ".join(f"{name} = {known[name].value_text(value)}" for name, value in config.without_effect().items())
    if inert:
        console.line(f"note: without effect in mode {config.mode} with these keys: {inert}")
