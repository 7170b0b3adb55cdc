"""`softstream generate`: Verilog, its configuration, a manifest, an instantiation template; same bytes everywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import tomli_w

import softstream
from softstream.hw.config.config import Config
from softstream.hw.plan.derive import Plan, plan
from softstream.hw.plan.ports import Port
from softstream.hw.verilog import TOP, verilog
from softstream.scripts.console import Console
from softstream.scripts.emit import artefact_files
from softstream.scripts.emit.head import GeneratedHead
from softstream.scripts.output import check_directory, write_directory

__all__ = ["generate", "manifest", "template", "texts"]


def texts(config: Config, artefacts: Sequence[str] = ()) -> dict[str, str]:
    """File name → text of the generated files, without times and paths: the configuration alone decides the bytes.

    `artefacts` are names of `emit.ARTEFACTS`. Raises `UserError` for an artefact that does not cover the configuration.
    """
    derived = plan(config)
    text = f"{_header(config)}\n{verilog(config)}"
    accompanying = artefact_files(GeneratedHead(derived, TOP, f"{TOP}.v"), artefacts)
    document = manifest(derived, text) | {"artefacts": {name: sorted(files) for name, files in accompanying.items()}}
    return {
        f"{TOP}.v": text,
        f"{TOP}_inst.v": template(derived),
        "config.toml": tomli_w.dumps(config.to_sections()),
        "manifest.json": json.dumps(document, indent=2, ensure_ascii=False) + "\n",
        **{name: content for files in accompanying.values() for name, content in files.items()},
    }


def _header(config: Config) -> str:
    return (
        f"// {TOP}: {config.mode} head, configuration {config.digest[:16]}, made by softstream {softstream.__version__}.\n"
        "// This file belongs to whoever generated it; no condition is attached to its use."
    )


def manifest(derived: Plan, text: str) -> dict[str, Any]:
    """Facts for a build system: version, digest, ports, formats, cycles, bound in ulp."""
    config, facts = derived.config, derived.to_json()
    return {
        "version": softstream.__version__,
        "digest": config.digest,
        "config": facts["config"],
        "verilog": {"file": f"{TOP}.v", "module": TOP, "sha256": hashlib.sha256(text.encode()).hexdigest()},
        "ports": facts["ports"],
        "formats": {
            "score": str(config.score_format),
            "nats_per_score_step": config.score_scale,
            "probability": None if derived.bound is None else str(config.probability_qformat),
            "index_bits": config.index_width,
        },
        "latency": facts["latency"],
        "bound_ulp": derived.bound_ulp,
        "worst_ulp": derived.worst_ulp,
    }


def template(derived: Plan) -> str:
    """The instance for the user's own Verilog: a wire per port, and the port list by name."""
    ports = list(derived.ports)
    origin = f"digest {derived.config.digest[:16]}; made by softstream {softstream.__version__}"
    wires = [f"{_range(port):<9}{port.name};  // {port.direction}: {port.meaning}" for port in ports]
    return "\n".join(
        [
            f"// {TOP}: {derived.config.mode}, {origin}",
            *(f"wire {wire}" for wire in wires),
            "",
            f"{TOP} head (",
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


def generate(config: Config, directory: Path, console: Console, artefacts: Sequence[str] = ()) -> None:
    """Writes the generated files and the named artefacts into `directory`: all of them or none."""
    check_directory("-o", directory)
    with console.progress("generating"):
        contents = texts(config, artefacts)
    write_directory("-o", directory, contents)
    document = json.loads(contents["manifest.json"])
    console.document({**document, "directory": str(directory), "files": sorted(contents)})
    for name in contents:
        console.line(f"{directory / name}")
    cycles = document["latency"]
    bound = "" if document["bound_ulp"] is None else f", error at most {document['worst_ulp']:.4f} ulp"
    console.line(
        f"latency {plan(config).latency_text} cycles to the first output beat, interval {cycles['interval']} cycles{bound}"
    )
    console.done(f"{len(contents)} files written", "softstream simulate, with the same configuration")
