"""The C models of several configurations in one program, and its results against those of the golden model."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from softstream.hw.config.config import Config
from softstream.hw.numbers.groups import group_count
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import result_outputs, sidebands
from softstream.scripts.emit.c_model import header_text
from softstream.scripts.emit.head import GeneratedHead
from softstream.sim.golden import golden

__all__ = ["WARNINGS", "built", "different"]

WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-pedantic", "-Werror"]

_MAIN = """
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int64_t word(void)
{
    int64_t value;
    if (fread(&value, sizeof value, 1, stdin) != 1) {
        exit(3);
    }
    return value;
}
static void out(int64_t value) { fwrite(&value, sizeof value, 1, stdout); }
"""


def _columns(config: Config) -> tuple[list[tuple[str, int]], list[str], str]:
    """((array, entries) of a result's fields, its flags, the array of the elements' codes or empty text)."""
    fields, codes = [], ""
    for output in result_outputs(config):
        for field in output.fields:
            if output.per == "element":
                codes = field.array
            else:
                fields.append((field.array, config.top_k if output.per == "rank" else 0))
    flags = list(dict.fromkeys(flag.array for output in result_outputs(config) for flag in output.flags))
    return fields, flags, codes


def _driver(config: Config, name: str) -> str:
    """A function that reads packets, each of `ensemble` vectors, and writes what the model gives."""
    fields, flags, codes = _columns(config)
    lines = [f"static void run_{name}(void)", "{", "    int64_t packets = word();"]
    if config.traits.random:
        lines += [f"    {name}_random random;", f"    {name}_reset(&random);"]
    lines += [
        "    while (packets-- > 0) {",
        f"        {name}_vector vectors[{config.ensemble}];",
        "        size_t i, m;",
    ]
    lines += [
        f"        for (m = 0; m < {config.ensemble}u; m++) {{",
        "            const size_t length = (size_t)word();",
    ]
    code = f"{name}_score_code"
    lines += [f"            {code} *scores = ({code} *)malloc(length * sizeof *scores);"]
    lines += [f"            for (i = 0; i < length; i++) scores[i] = ({code})word();"]
    lines += ["            vectors[m].scores = scores;", "            vectors[m].length = length;"]
    for sideband in sidebands(config):
        if sideband.per == "element":
            lines += ["            uint8_t *mask = (uint8_t *)malloc(length);"]
            lines += [
                "            for (i = 0; i < length; i++) mask[i] = (uint8_t)word();",
                "            vectors[m].mask = mask;",
            ]
        else:
            lines.append(f"            vectors[m].{sideband.name} = (uint32_t)word();")
    lines.append("        }")
    length = "vectors[0].length"
    count = f"{name}_group_count({length})" if config.groups else "1u"
    lines += [
        f"        const size_t count = {count};",
        f"        {name}_result *results = ({name}_result *)malloc(count * sizeof *results);",
    ]
    arguments = ["&random"] if config.traits.random else []
    arguments.append("vectors")
    if codes:
        # Exactly as many codes as elements, so that the sanitizer sees one too many.
        elements = length if config.groups else f"({length} < {config.max_length}u ? {length} : {config.max_length}u)"
        lines += [
            f"        const size_t elements = {elements};",
            f"        {name}_code *codes = ({name}_code *)malloc(elements * sizeof *codes);",
        ]
        arguments.append("codes")
    lines += [f"        {name}_run({', '.join([*arguments, 'results'])});", "        for (i = 0; i < count; i++) {"]
    for array, entries in fields:
        lines += (
            [f"            for (m = 0; m < {entries}u; m++) out(results[i].{array}[m]);"]
            if entries
            else [f"            out(results[i].{array});"]
        )
    lines += [f"            out(results[i].{flag});" for flag in flags]
    lines.append("        }")
    if codes:
        lines += ["        for (i = 0; i < elements; i++) out(codes[i]);", "        free(codes);"]
    lines.append(f"        for (m = 0; m < {config.ensemble}u; m++) {{ free((void *)vectors[m].scores);")
    lines += [f"            free((void *)vectors[m].{s.name});" for s in sidebands(config) if s.per == "element"]
    lines += ["        }", "        free(results);", "    }", "}"]
    return "\n".join(lines)


def built(folder: Path, configs: Mapping[str, Config], compiler: list[str]) -> Path:
    """The program of these configurations, which reads the number of one and its vectors."""
    texts = []
    for number, config in enumerate(configs.values()):
        (folder / f"m{number}.h").write_text(
            header_text(GeneratedHead(plan(config), f"m{number}", f"m{number}.v")), encoding="ascii"
        )
        texts.append(f'#include "m{number}.h"')
    texts.append(_MAIN)
    texts += [_driver(config, f"m{number}") for number, config in enumerate(configs.values())]
    texts.append("int main(void)\n{\n    switch (word()) {")
    texts += [f"    case {number}: run_m{number}(); return 0;" for number in range(len(configs))]
    texts.append("    default: return 4;\n    }\n}\n")
    source = folder / ("models.cpp" if "++" in compiler[0] else "models.c")
    source.write_text("\n".join(texts), encoding="ascii")
    program = folder / f"models-{source.suffix[1:]}"
    subprocess.run([*compiler, *WARNINGS, str(source), "-o", str(program)], check=True, capture_output=True, text=True)
    return program


def _input(config: Config, scores: np.ndarray, lengths: np.ndarray, sideband: Mapping[str, np.ndarray]) -> list[int]:
    words = [len(scores) // config.ensemble]
    for row, length in enumerate(lengths.tolist()):
        words += [length, *scores[row, :length].tolist()]
        for field in sidebands(config):
            values = sideband[field.array]
            words += values[row, :length].tolist() if field.per == "element" else [int(values[row])]
    return words


def _due(config: Config, scores: np.ndarray, lengths: np.ndarray, sideband: Mapping[str, np.ndarray]) -> list[int]:
    result = golden(config, scores, lengths, sideband)
    fields, flags, codes = _columns(config)
    words: list[int] = []
    for packet, length in enumerate(lengths[:: config.ensemble].tolist()):
        for group in range(int(group_count(config.groups, np.array([length]))[0]) if config.groups else 1):
            place = (packet, group) if config.groups else (packet,)
            for array, _ in fields:
                words += np.atleast_1d(result[array][place]).tolist()
            words += [int(result[flag][place]) for flag in flags]
        if codes:
            words += result[codes][packet, : length if config.groups else min(length, config.max_length)].tolist()
    return words


def different(
    program: Path,
    number: int,
    config: Config,
    scores: np.ndarray,
    lengths: np.ndarray,
    sideband: Mapping[str, np.ndarray],
) -> list[tuple[int, int, int]]:
    """(place, C, golden) of each number in which the program differs from the golden model."""
    words = np.array([number, *_input(config, scores, lengths, sideband)], dtype=np.int64)
    run = subprocess.run([str(program)], input=words.tobytes(), capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()
    got, due = np.frombuffer(run.stdout, dtype=np.int64), _due(config, scores, lengths, sideband)
    assert len(got) == len(due)
    return [(i, int(a), b) for i, (a, b) in enumerate(zip(got, due, strict=True)) if a != b]
