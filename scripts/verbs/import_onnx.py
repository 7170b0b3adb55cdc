"""`softstream import`: a configuration from a model file, its scores, and the comparison on them."""

from __future__ import annotations

import io
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from softstream.hw.config.config import KEYS, SECTIONS, Config, parse_setting
from softstream.hw.output import check_directory, check_file, write_directory, written_file
from softstream.hw.plan.derive import plan
from softstream.scripts.console import Console
from softstream.scripts.importer.calibration import read_inputs
from softstream.scripts.importer.importer import COLUMNS, Imported, import_onnx

__all__ = ["Calibration", "comparison", "import_model", "toml"]

COMPARED = ("argmax", "softmax")
"""The modes that `softstream compare` compares where no others are named."""


@dataclass(frozen=True)
class Calibration:
    """The inputs of a model, and the correct index of each vector."""

    inputs: str
    labels: str | None = None


def import_model(
    path: Path,
    node: str | None,
    calibration: Calibration | None,
    settings: Sequence[str],
    output: Path,
    console: Console,
) -> list[str]:
    """Writes the configuration that the model describes: into the file `output`, or with a calibration into the folder
    `output` as config.toml, together with scores.npy. Answers with the command line of the comparison, empty without scores.

    Raises `UserError`, `MissingTool` and `ToolFailure` as `import_onnx` does, before anything is written.
    """
    if calibration is None:
        check_file("-o", output)
    else:
        check_directory("-o", output)
    keys = dict(parse_setting(text) for text in settings)
    head = import_onnx(path, node, calibrate=None if calibration is None else read_inputs(calibration.inputs), **keys)
    command: list[str] = []
    if calibration is None:
        with written_file("-o", output) as temporary:
            temporary.write_text(toml(head), encoding="utf-8")
    else:
        assert head.scores is not None  # the calibration gives them
        write_directory("-o", output, {"config.toml": toml(head), "scores.npy": _npy(head.scores)})
        command = comparison(head.config, output, calibration.labels)
    _print(head, output, command, console)
    return command


def toml(head: Imported) -> str:
    """The keys that the model states as a TOML file by section; all others have their defaults."""
    places = {key.name: key.section for key in KEYS}
    values = {key: value for key, value in head.config.to_mapping().items() if key in head.keys}
    sections = {
        section: {key: value for key, value in values.items() if places[key] == section} for section in SECTIONS
    }
    return f"# {head.operator} {head.node} of {head.path.name}\n\n" + tomli_w.dumps(
        {section: content for section, content in sections.items() if content}
    )


def comparison(config: Config, folder: Path, labels: str | None) -> list[str]:
    """The command line that compares the head with an argmax head on the scores in the folder."""
    words = ["softstream", "compare", f"{folder / 'config.toml'}", "--scores", f"{folder / 'scores.npy'}"]
    if labels:
        words += ["--labels", labels]
    if config.mode not in COMPARED:
        words += ["--modes", f"argmax,{config.mode}"]
    return words


def _npy(array: np.ndarray) -> bytes:
    """The bytes of a .npy file; integers in the narrowest type that holds them."""
    if array.dtype.kind in "iu":
        types = [f"{kind}{bits}" for bits in (8, 16, 32, 64) for kind in ("int", "uint")]
        array = array.astype(next(kind for kind in types if (array == array.astype(kind)).all()))
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _print(head: Imported, output: Path, command: Sequence[str], console: Console) -> None:
    text = shlex.join(command)
    document: dict[str, Any] = {
        "node": head.node,
        "operator": head.operator,
        "config": head.config.to_mapping(),
        "digest": head.config.digest,
        "facts": [dict(vars(fact)) for fact in head.facts],
        "unexpressed": list(head.unexpressed),
        "output": str(output),
        "compare": text or None,
    }
    console.document(document)
    console.table(
        f"{head.path}: {head.operator} {head.node}",
        COLUMNS,
        head.rows(),
        fold=COLUMNS[1:],
    )
    for sentence in head.unexpressed:
        console.note(f"not expressed: {sentence}")
    bound = plan(head.config).bound_ulp
    if bound is not None:
        console.line(f"error bound: {bound:.4f} ulp for every input")
    console.done(
        f"{output}: configuration of {head.operator} {head.node}",
        text or f"softstream describe {shlex.quote(str(output))}",
    )
