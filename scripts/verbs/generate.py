"""`softstream generate`: Verilog, its configuration, a manifest, an instantiation template; same bytes everywhere."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import tomli_w

import softstream
from softstream.hw.config.config import Config
from softstream.hw.plan.derive import Plan, plan
from softstream.hw.plan.ports import Port
from softstream.hw.verilog import default_name, verilog
from softstream.scripts.console import Console
from softstream.scripts.emit import ARTEFACTS, artefact_files
from softstream.scripts.emit.head import GeneratedHead
from softstream.scripts.output import check_directory, write_directory

__all__ = ["generate", "manifest", "template", "texts"]


def texts(config: Config, artefacts: Sequence[str] = (), name: str | None = None) -> dict[str, str]:
    """File name → text of the generated files, without times and paths: configuration and name alone decide the bytes.

    `artefacts` are names of `emit.ARTEFACTS`. `name`: the top module, the prefix of the others and the stem of their files,
    as `verilog` says. Raises `UserError` for an artefact that does not cover the configuration, and for a name as `verilog`.
    """
    name = default_name(config) if name is None else name
    derived = plan(config)
    text = f"{_header(config, name)}\n//\n{verilog(config, name)}"
    accompanying = artefact_files(GeneratedHead(derived, name, f"{name}.v"), artefacts)
    document = manifest(derived, text, name)
    document |= {"artefacts": {artefact: sorted(files) for artefact, files in accompanying.items()}}
    return {
        f"{name}.v": text,
        f"{name}.veo": template(derived, name),
        "config.toml": tomli_w.dumps(config.to_sections()),
        "manifest.json": json.dumps(document, indent=2, ensure_ascii=False) + "\n",
        **{file: content for files in accompanying.values() for file, content in files.items()},
    }


def _header(config: Config, name: str) -> str:
    return (
        f"// {name}: {config.mode} head, configuration {config.digest[:16]}, made by softstream {softstream.__version__}.\n"
        "// This file belongs to whoever generated it; no condition is attached to its use."
    )


def manifest(derived: Plan, text: str, name: str) -> dict[str, Any]:
    """Facts for a build system: version, digest, ports, formats, cycles, bound in ulp."""
    config, facts = derived.config, derived.to_json()
    return {
        "version": softstream.__version__,
        "digest": config.digest,
        "config": facts["config"],
        "verilog": {"file": f"{name}.v", "module": name, "sha256": hashlib.sha256(text.encode()).hexdigest()},
        "ports": facts["ports"],
        "formats": {
            "score": str(config.score_format),
            "nats_per_score_step": config.score_scale,
            "probability": None if derived.bound is None else config.probability_form,
            "index_bits": config.index_width,
        },
        "latency": facts["latency"],
        "bound_ulp": derived.bound_ulp,
        "worst_ulp": derived.worst_ulp,
    }


def template(derived: Plan, name: str) -> str:
    """The instance for the user's own Verilog: a wire per port, and the port list by name."""
    ports = list(derived.ports)
    origin = f"digest {derived.config.digest[:16]}; made by softstream {softstream.__version__}"
    wires = [f"{_range(port):<9}{port.name};  // {port.direction}: {port.meaning}" for port in ports]
    return "\n".join(
        [
            f"// {name}: {derived.config.mode}, {origin}",
            *(f"wire {wire}" for wire in wires),
            "",
            f"{name} head (",
            *_listed(ports),
            ");",
            "",
        ]
    )


def _range(port: Port) -> str:
    return f"[{port.width - 1}:0] " if port.width > 1 else ""


def _listed(ports: Iterable[Port]) -> list[str]:
    names = [port.name for port in ports]
    pad = max(map(len, names))
    return [f"    .{name:<{pad}} ({name}){',' if name != names[-1] else ''}" for name in names]


def generate(
    config: Config, directory: Path, console: Console, artefacts: Sequence[str] = (), name: str | None = None
) -> None:
    """Writes the generated files and the named artefacts into `directory`: all of them or none."""
    check_directory("-o", directory)
    name = default_name(config) if name is None else name
    with console.progress("generating"):
        contents = texts(config, artefacts, name)
    write_directory("-o", directory, contents)
    document = json.loads(contents["manifest.json"])
    console.document({**document, "directory": str(directory), "files": sorted(contents)})
    for file in contents:
        console.line(f"{directory / file}")
    head = GeneratedHead(plan(config), name, f"{name}.v")
    for artefact in artefacts:
        for command in ARTEFACTS[artefact].commands(head):
            console.line(f"{artefact}: cd {shlex.quote(str(directory))} && {command}")
    cycles = document["latency"]
    bound, worst = document["bound_ulp"], document["worst_ulp"]
    error = "" if bound is None else f", error at most {bound:.4f} ulp"
    if error and worst > bound:
        error += f" ({worst:.4f} where 1.0 saturates)"
    console.line(
        f"latency {plan(config).latency_text} cycles to the first output beat, interval {cycles['interval']} cycles{error}"
    )
    console.done(f"{len(contents)} files written", "softstream simulate, with the same configuration")
