"""`softstream run`: scores from a file through the golden model or through the simulated Verilog."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError
from softstream.hw.numbers.ensemble import result_lengths
from softstream.hw.output import check_file, written_file
from softstream.hw.plan.ports import outputs
from softstream.hw.processes import temporary_folder
from softstream.scripts.arrays import release
from softstream.scripts.console import Console, Progress
from softstream.scripts.measure.heads import verify
from softstream.scripts.scores import BLOCK_ELEMENTS, Layout, ScoreFile, Scores, read_blocks
from softstream.sim.golden import golden
from softstream.sim.golden.modes.gumbel import words_taken

if TYPE_CHECKING:
    from softstream.sim.simulators.build import Trace
    from softstream.sim.simulators.runner import Simulator

__all__ = ["Run", "read_stalls", "run"]

_ENGINES = {"golden": "model", "rtl": "simulated Verilog"}


@dataclass(frozen=True)
class Run:
    """The engine, and for `rtl` its simulator, its seed and its record."""

    engine: str
    simulator: Simulator = "auto"
    seed: int = 1
    activity: Path | None = None
    """File for the activity of the nets of the simulated Verilog; its suffix says the format."""
    stalls: Mapping[str, str] = field(default_factory=dict)
    """Pauses of the streams in the simulation, as `read_stalls` reads them."""


def read_stalls(config: Config, path: Path) -> dict[str, str]:
    """The pauses in a JSON file: stream → a digit for each cycle, 1 for a pause; there is none behind the last digit.

    A digit of an output counts from the first cycle in which a beat may be offered. Of `s_axis` each digit stands for a cycle in
    which the source may begin to offer a beat: 0 offers the next one. Raises `UserError` for anything else.
    """
    streams = ["s_axis", *(output.prefix for output in outputs(config))]
    example = 'for example {"' + streams[1] + '": "0011"}'
    rule = f"must be a JSON object of {', '.join(streams)} and digits 0 and 1; {example}"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"--stalls {path}: cannot be read ({error.strerror or error}); {rule}") from None
    except ValueError:
        raise UserError(f"--stalls {path}: not a file of JSON; {rule}") from None
    if not isinstance(values, dict):
        raise UserError(f"--stalls {path}: {type(values).__name__}; {rule}")
    for stream, digits in values.items():
        if stream not in streams or not isinstance(digits, str) or not re.fullmatch("[01]*", digits):
            raise UserError(f"--stalls {path}: {stream} = {digits!r}; {rule}")
    return values


def run(config: Config, scores: ScoreFile, output: Path, how: Run, console: Console) -> None:
    """Writes `output` (.npz): the arrays of the mode's outputs, such as argmax, best, overlong [V] and in softmax mode
    probabilities [V, N], and with `rtl` first_output_cycle and last_output_cycle [V], counted from the vector's first input beat.

    Scores of more dimensions have results of their shape, with the K of Top-K or the N in place of the axis of the elements.
    Where vectors were shifted, the array `shift` has what was subtracted from their scores.

    Raises `Mismatch`, and writes nothing, where the simulated Verilog differs from the golden model.
    """
    check_file("-o", output)
    trace = _trace(how)
    inputs = read_blocks(config, scores, console, whole=how.engine == "rtl")
    total, layout, words, done = inputs.totals.vectors, inputs.layout, 0, 0
    with written_file("-o", output) as temporary, ExitStack() as stack:
        record = None if how.activity is None else stack.enter_context(written_file("--activity", how.activity))
        members: dict[str, _Member] = {}
        with console.progress(f"running {total} vectors") as progress:
            for block in inputs:
                arrays = _arrays(config, block, how, progress, words, trace, record)
                if inputs.totals.shifted:
                    arrays["shift"] = block.shift
                for name, array in arrays.items():
                    if name not in members:
                        spool = stack.enter_context(tempfile.TemporaryFile(dir=temporary.parent))
                        members[name] = _Member(name, spool)
                    members[name].append(array)
                lengths = result_lengths(config, block.lengths)
                words += int(words_taken(config, lengths, block.sideband.get("mask")).sum())
                done += len(block.codes)
                if how.engine == "golden":
                    progress(done / total, "")
        with zipfile.ZipFile(temporary, "w") as archive:
            for member in members.values():
                member.store(archive, layout, total)
    document = {name: {"dtype": str(m.dtype), "shape": list(m.shape)} for name, m in members.items()}
    console.document(
        {
            "config": config.to_mapping(),
            "digest": config.digest,
            "engine": how.engine,
            **inputs.totals.to_json(),
            "output": str(output),
            "arrays": document,
        }
    )
    console.table(
        f"arrays in {output}",
        ("array", "type", "shape", "smallest", "largest"),
        [(name, m.dtype, "×".join(map(str, m.shape)), m.smallest, m.largest) for name, m in members.items()],
        right=("smallest", "largest"),
        drop=("type", "smallest", "largest"),
    )
    following = console.command(*(("simulate",) if how.engine == "golden" else ("generate", "-o", "build/head")))
    console.done(f"{total} vectors through the {_ENGINES[how.engine]}", following)


class _Member:
    """An array of the result, which grows block by block in a file, so that it costs no memory."""

    dtype: np.dtype
    shape: tuple[int, ...]
    """That of the array in the archive, once it is stored."""

    def __init__(self, name: str, spool: IO[bytes]) -> None:
        self._name, self._spool, self._rows = name, spool, 0

    def append(self, array: np.ndarray) -> None:
        """Adds the results of a block, [V, …]."""
        if self._rows == 0:
            self.dtype, self._row, self.smallest, self.largest = array.dtype, array.shape[1:], array.min(), array.max()
        self.smallest, self.largest = min(self.smallest, array.min()), max(self.largest, array.max())
        self._rows += len(array)
        self._spool.write(np.ascontiguousarray(array).data)

    def store(self, archive: zipfile.ZipFile, layout: Layout, vectors: int) -> None:
        """Writes the whole array into an archive, in the shape of the scores."""
        self._spool.flush()
        values: np.ndarray = np.memmap(self._spool, self.dtype, "r", shape=(self._rows, *self._row))
        values = layout.restored(values, vectors // self._rows)
        self.shape = values.shape
        # As numpy.savez has it, its fixed date included: the same results give the same bytes.
        with archive.open(zipfile.ZipInfo(f"{self._name}.npy"), "w", force_zip64=True) as file:
            if not (values.flags.c_contiguous or values.ndim == 2):
                np.lib.format.write_array(file, values, allow_pickle=False)  # not many: `read_blocks` refuses them
                return
            # Pages of the mapping would count as memory.
            header = np.lib.format.header_data_from_array_1_0(values)
            np.lib.format.write_array_header_1_0(file, header | {"fortran_order": False})
            if values.flags.c_contiguous:
                self._spool.seek(0)
                shutil.copyfileobj(self._spool, file, 1 << 20)
                return
            for row in values:
                for start in range(0, len(row), BLOCK_ELEMENTS):
                    file.write(row[start : start + BLOCK_ELEMENTS].tobytes())
                    release(values)


def _trace(how: Run) -> Trace:
    """What the simulation records for `how.activity`. Raises `UserError` where it can record nothing there."""
    from softstream.sim.simulators.build import TRACES

    if how.activity is None:
        return ""
    check_file("--activity", how.activity)
    if how.engine != "rtl":
        raise UserError("--activity: the model has no nets; for example --engine rtl --activity head.saif")
    if how.simulator == "icarus":
        raise UserError("--activity with --simulator icarus: Verilator counts; for example --simulator verilator")
    for trace in TRACES:
        if how.activity.suffix.lower() == f".{trace}":
            return trace
    raise UserError(
        f"--activity {how.activity}: the suffix says the format; must be "
        f"{' or '.join(f'.{trace}' for trace in TRACES)}; for example head.saif"
    )


def _arrays(
    config: Config, inputs: Scores, how: Run, progress: Progress, words: int, trace: Trace, record: Path | None
) -> dict[str, np.ndarray]:
    """The results of a block of vectors, before which the head has drawn so many random words."""
    scores, lengths, sideband = inputs.codes, inputs.lengths, inputs.sideband
    model = golden(config, scores, lengths, sideband, before=words)
    arrays = dict(model)
    if how.engine == "rtl":
        from softstream.sim.simulators.build import TRACES
        from softstream.sim.simulators.runner import run_rtl

        # A simulation that records needs a folder. Without a record its files stay only after a failure.
        with temporary_folder() if trace else nullcontext() as folder:
            measured = run_rtl(
                config,
                scores,
                lengths,
                sideband,
                simulator=how.simulator,
                seed=how.seed,
                stalls=how.stalls,
                progress=progress,
                step=lambda what: progress(0.0, what),
                trace=trace,
                directory=folder,
            )
            if folder is not None and record is not None:
                shutil.copyfile(folder / TRACES[trace], record)
        verify(measured, model)
        arrays = {
            **measured,
            "first_output_cycle": measured.first_output_cycle,
            "last_output_cycle": measured.last_output_cycle,
        }
    return arrays
