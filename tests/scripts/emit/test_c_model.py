"""The C model of a head: equal to the golden model bit for bit, without a warning, under the sanitizers, as C99 and C++17."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from support.c_models import built, different
from support.rtlil_hashes import CONFIGURATIONS

from softstream.hw.config.config import KEYS, Config
from softstream.hw.errors import UserError
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import outputs, sidebands
from softstream.scripts.emit.c_model import COVERED, files, header_text
from softstream.scripts.emit.head import GeneratedHead
from softstream.sim.beats import pad_vectors
from softstream.sim.golden.modes import MODELS
from softstream.sim.stimulus import corner_vectors, limit_vectors, random_sideband

SANITIZED = ["gcc", "-std=c99", "-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
AS_CPP = ["g++", "-std=c++17", "-O1"]

# Of every mode, normaliser, accumulator and option, one that no other one here covers.
CHOSEN = {
    name: CONFIGURATIONS[name]
    for name in (
        *("preset/argmax-int8", "preset/digits-softmax", "preset/softmax-int16", "preset/softmax-int8-masked"),
        *("preset/softmax-int8-floor", "preset/softmax-int8-smoothed", "preset/sigmoid-int8", "preset/hardmax-int8"),
        *("preset/top-k-int8", "preset/sample-int8", "preset/ensemble-probabilities-int8"),
        *(
            "softmax/reference",
            "softmax/windows",
            "softmax/unsigned",
            "softmax/none",
            "softmax/logarithm-reference",
            "softmax/split-reference",
        ),
        *(
            "softmax/reciprocal",
            "softmax/tiny",
            "softmax/wide",
            "member/log_softmax-reference",
            "member/smoothed-small",
        ),
        *("member/log_softmax-small-split", "member/exponential", "member/exponential-split-2", "member/temperature"),
        *("member/log_softmax-temperature", "member/sample-inverse-cdf-split", "pipelined/softmax_top_k"),
        *("two-pass/two-pass-unsigned", "two-pass/two-pass-wide", "member/log_sum_exp-4", "member/log_sum_exp-small"),
        *("preset/entropy-int8", "member/entropy-small-4"),
    )
}

INT8 = {"output_levels": 255, "output_zero_point": -128}

OTHERS = {
    # The label of the last member counts.
    "label-of-ensemble": Config(mode="cross_entropy", ensemble=3, max_length=7),
    "logarithm-of-ensemble": Config(mode="log_sum_exp", ensemble=3, max_length=7),
    "logarithm-of-groups": Config(mode="log_sum_exp", groups=(3, 5), max_length=5, mask=True),
    "entropy-of-ensemble": Config(mode="entropy", ensemble=3, max_length=7, confidence="margin"),
    "entropy-of-groups": Config(mode="entropy", groups=(3, 5), max_length=5, mask=True),
    "masked-groups": Config(groups=(3, 5), max_length=5, mask=True, normaliser="logarithm"),
    "hardmax-groups": Config(mode="hardmax", groups=(3, 5), max_length=5),
    "log_softmax-groups": Config(mode="log_softmax", groups=(3, 5), max_length=5),
    "drawn-at-a-temperature": Config(
        mode="sample", temperature_bits=4, temperature_fraction=2, max_length=7, score_width=6
    ),
    "drawn-from-the-sum-at-a-temperature": Config(
        mode="sample", sampler="inverse_cdf", temperature_bits=2, temperature_fraction=1, max_length=7, score_width=6
    ),
    "drawn-among-the-best": Config(mode="sample", draw_top_k=3, max_length=7, score_width=6, mask=True),
    "drawn-from-the-share": Config(
        mode="sample", draw_top_k=3, draw_top_p=0.7, draw_min_p=0.05, max_length=9, score_scale=0.02, mask=True
    ),
    "drawn-from-the-share-at-a-temperature": Config(
        mode="sample",
        draw_top_k=4,
        draw_top_p=0.6,
        temperature_bits=4,
        temperature_fraction=2,
        max_length=9,
        score_width=6,
    ),
    "drawn-near-the-best-sum": Config(
        mode="sample", draw_top_k=9, draw_min_p=0.3, ensemble=3, max_length=9, select="smallest", score_width=6
    ),
    "drawn-within-bounds-of-the-vector": Config(
        mode="sample", draw_top_k=3, draw_sideband=True, max_length=7, mask=True
    ),
    "drawn-among-the-best-by-a-share": Config(
        mode="sample", sampler="inverse_cdf", draw_top_k=3, draw_min_p=0.3, max_length=7, score_width=6, mask=True
    ),
    "drawn-within-bounds-by-a-share": Config(
        mode="sample", sampler="inverse_cdf", draw_top_k=3, draw_sideband=True, max_length=9, mask=True
    ),
    "drawn-from-split-tables-by-a-share": Config(
        mode="sample",
        sampler="inverse_cdf",
        draw_top_k=4,
        draw_top_p=0.8,
        score_width=12,
        score_scale=0.005,
        max_length=7,
        select="smallest",
    ),
    "sum-of-scores-drawn": Config(mode="sample", ensemble=3, max_length=7, score_width=6),
    "smallest-last": Config(select="smallest", tie="last", mask=True, max_length=9, normaliser="logarithm"),
    "smallest-ranked": Config(mode="top_k", top_k=4, select="smallest", tie="last", mask=True, max_length=9),
    "smallest-summed": Config(select="smallest", ensemble=3, max_length=9, score_signed=False),
    "smallest-tempered": Config(select="smallest", temperature_bits=3, max_length=9),
    "levels-logarithm-mask": Config(
        output_levels=255, output_zero_point=3, max_length=9, normaliser="logarithm", mask=True
    ),
    "levels-ranked": Config(mode="softmax_top_k", output_levels=200, output_zero_point=-9, max_length=9, mask=True),
    "levels-smoothed": Config(output_levels=255, output_zero_point=-128, smoothing=(1, 2, 1), max_length=9),
    "levels-hardmax-last": Config(
        mode="hardmax", output_levels=255, output_zero_point=-128, tie="last", max_length=9, mask=True
    ),
    "levels-mean": Config(
        ensemble=2, ensemble_mean="probabilities", tie="last", output_levels=255, output_zero_point=7, max_length=9
    ),
    "sink": Config(sink="fixed", sink_code=30, max_length=9, mask=True),
    "sink-per-vector": Config(sink="vector", max_length=9, mask=True),
    "log-softmax-sink-per-vector": Config(mode="log_softmax", sink="vector", select="smallest", max_length=9),
    "log-softmax-sink": Config(mode="log_softmax", sink="fixed", sink_code=-9, max_length=9),
    "margin": Config(mode="argmax", mask=True, confidence="margin", max_length=9, tie="last"),
    "margin-of-ensemble": Config(confidence="margin", ensemble=3, select="smallest", max_length=9),
    "wide-argmax": Config(mode="argmax", score_width=24, max_length=9),
    "wide-top-k": Config(mode="top_k", score_width=32, max_length=9),
    "no-winner-padded": Config(winner=False, padded_outputs=True, probability_width=18, max_length=9),
    "clipped": Config(clip_minimum=-20, clip_maximum=30, max_length=9),
    "levels": Config(max_length=7, mask=True, **INT8),
    "levels-reference": Config(max_length=7, score_scale=0.3, normaliser="reciprocal", accumulator="reference", **INT8),
    "levels-split": Config(
        max_length=7, score_width=12, score_scale=0.01, probability_width=12, output_levels=4000, normaliser="none"
    ),
    "levels-logarithm": Config(max_length=7, normaliser="logarithm", output_levels=127),
    "levels-floor": Config(max_length=7, probability_floor=0.02, **INT8),
    "levels-two-pass": Config(max_length=7, accumulator="two_pass", profile="small", **INT8),
    "levels-top-k": Config(mode="softmax_top_k", top_k=3, max_length=7, mask=True, **INT8),
    "levels-sigmoid": Config(mode="sigmoid", max_length=7, mask=True, **INT8),
    "levels-hardmax": Config(mode="hardmax", max_length=7, mask=True, **INT8),
    "cdf": Config(mode="cdf", probability_format="UQ1", max_length=9),
    "cdf-masked-groups": Config(
        mode="cdf", probability_format="UQ1", groups=(3, 5), max_length=5, mask=True, minimum_code=2
    ),
    "exact-reciprocal": Config(
        sum="exact", normaliser="reciprocal", probability_width=13, probability_format="UQ1", max_length=9, mask=True
    ),
    "exact-minimum": Config(
        sum="exact", minimum_code=3, probability_format="UQ1", max_length=9, ensemble=2, score_scale=0.03
    ),
    "zero-point": Config(max_length=7, output_zero_point=-100),
}


def head(config: Config, name: str = "head") -> GeneratedHead:
    return GeneratedHead(plan(config), name, f"{name}.v")


def wrong(program: Path, configs: Mapping[str, Config]) -> list[str]:
    """The configurations of which the program gives another number than the golden model."""
    names = []
    for number, (name, config) in enumerate(configs.items()):
        rng = np.random.default_rng(number)
        scores, lengths = pad_vectors(corner_vectors(config, rng) + limit_vectors(config, rng), 0)
        if different(program, number, config, scores, lengths, random_sideband(config, scores)):
            names.append(name)
    return names


def test_equal_to_the_golden_model_under_the_sanitizers(tmp_path: Path) -> None:
    configs = {**CHOSEN, **OTHERS}
    assert {config.mode for config in configs.values()} == set(MODELS)
    assert not wrong(built(tmp_path, configs, SANITIZED), configs)


@pytest.mark.long
@pytest.mark.parametrize("compiler", [SANITIZED, AS_CPP], ids=["c99", "cpp17"])
def test_equal_to_the_golden_model_in_every_configuration(tmp_path: Path, compiler: list[str]) -> None:
    configs = {**CONFIGURATIONS, **OTHERS}
    assert not wrong(built(tmp_path, configs, compiler), configs)


def test_equal_as_cpp(tmp_path: Path) -> None:
    configs = {name: CHOSEN[name] for name in ("preset/digits-softmax", "preset/sample-int8")}
    assert not wrong(built(tmp_path, configs, AS_CPP), configs)


@pytest.mark.parametrize("mode", ["softmax", "argmax"])
def test_the_comparison_notices_a_wrong_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    before, after = {"softmax": ("+ 1u) >> 1", "+ 0u) >> 1"), "argmax": ("position > largest", "position >= largest")}[
        mode
    ]
    config = Config(mode=mode, max_length=16, normaliser="divider")
    text = header_text(head(config, "m0"))
    assert before in text
    monkeypatch.setattr("support.c_models.header_text", lambda generated: text.replace(before, after))
    configs = {"one": config}
    assert wrong(built(tmp_path, configs, ["gcc", "-std=c99"]), configs) == ["one"]


def test_bits_above_the_score_are_ignored(tmp_path: Path) -> None:
    """Software may hand over whole bytes, as s_axis_tdata does."""
    config = Config(mode="argmax", score_width=6, score_signed=False, max_length=4)
    (tmp_path / "head.h").write_text(header_text(head(config)), encoding="ascii")
    (tmp_path / "main.c").write_text(
        '#include "head.h"\n#include <stdio.h>\nint main(void) { const uint8_t s[3] = {0x40 | 3, 5, 0xc0 | 4};\n'
        'head_vector v = {s, 3}; head_result r; head_run(&v, &r); printf("%d %d", (int)r.argmax, (int)r.best); }\n'
    )
    subprocess.run(["gcc", "-std=c99", "main.c", "-o", "main"], cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout == "1 5"


@pytest.mark.parametrize("name", ["preset/softmax-int8-masked", "pipelined/cross_entropy-4", "preset/exponential-int8"])
def test_constants_are_those_of_the_ports(name: str) -> None:
    """The place of each field in tdata and tuser, its width and its fraction bits."""
    config = CONFIGURATIONS[name]
    constants = dict(re.findall(r"#define HEAD_(\w+) +(\S+) +/\*", header_text(head(config))))
    for output in outputs(config):
        low = 0
        for field in output.fields:
            name = f"{output.prefix}_{field.array}".upper()
            assert constants[f"{name}_LSB"] == f"{low}u"
            assert constants[f"{name}_WIDTH"] == f"{field.width}u"
            assert constants.get(f"{name}_FRACTION") == (field.form.split(".")[1] if field.form else None)
            low += field.bits
    for field in sidebands(config):
        assert constants[f"S_AXIS_{field.name.upper()}_WIDTH"] == f"{field.width}u"
    assert constants["SCORE_SCALE"] == repr(config.score_scale)


def test_constants_of_codes_in_other_steps() -> None:
    config = Config(output_levels=255, output_zero_point=-128, score_zero_point=3)
    constants = dict(re.findall(r"#define HEAD_(\w+) +(\S+) +/\*", header_text(head(config))))
    assert constants["M_AXIS_PROBABILITIES_LEVELS"] == "255"
    assert constants["M_AXIS_PROBABILITIES_ZERO_POINT"] == "(-128)"
    assert constants["SCORE_ZERO_POINT"] == "(3)"
    assert "M_AXIS_PROBABILITIES_FRACTION" not in constants


def test_every_name_begins_with_that_of_the_module() -> None:
    """Two heads fit into one program."""
    text = header_text(head(CONFIGURATIONS["preset/sample-int8"], "my_head"))
    defined = re.findall(r"^static inline \w+ (\w+)\(|^} (\w+);|^#define (\w+)|^typedef \w+ (\w+);", text, re.MULTILINE)
    names = ["".join(groups) for groups in defined]
    assert len(names) > 20
    assert not [name for name in names if not name.startswith(("my_head_", "MY_HEAD_"))]
    assert list(files(head(Config(), "my_head"))) == ["my_head_model.h"]


def test_a_key_that_the_c_does_not_know_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {key.name for key in KEYS if key.numeric} >= COVERED
    monkeypatch.setattr("softstream.scripts.emit.c_model.header.COVERED", COVERED - {"mask"})
    with pytest.raises(UserError, match=r"^--c-model with mask = true: .*; mask = false would do$"):
        header_text(head(Config(mask=True)))
    header_text(head(Config()))


def test_compilers_of_the_tests_are_there() -> None:
    """They come with g++, which the simulators need as well."""
    assert shutil.which("gcc")
    assert shutil.which("g++")
