"""The configuration: every rule, and the text of every refusal."""

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.rtlil_hashes import rtlil_hash

from softstream.hw.config.config import KEYS, SECTIONS, Config, from_sections, load_toml, parse_setting
from softstream.hw.config.keys import nearest, nearest_key
from softstream.hw.config.modes import MODES
from softstream.hw.config.presets import PRESETS, preset
from softstream.hw.errors import UserError
from softstream.hw.numbers.softmax import numerics
from softstream.hw.plan.derive import plan
from softstream.sim.golden import golden


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"mode": "softmx"},
            r"mode = 'softmx': must be one of argmax, softmax, .* \(did you mean 'softmax'\?\); for example softmax",
        ),
        ({"mode": 3}, "mode = 3: must be one of argmax, softmax, .*; for example softmax"),
        ({"top_k": 0}, "top_k = 0: must be an integer from 1 to 64 elements; for example 5"),
        ({"max_length": 0}, "max_length = 0: must be an integer from 1 to 1048576 elements; for example 1024"),
        ({"mode": "argmax", "max_length": (1 << 20) + 1}, "max_length = 1048577"),
        ({"max_length": 8.0}, "max_length = 8.0: must be an integer"),
        ({"max_length": True}, "max_length = True: must be an integer"),
        ({"score_width": 1}, "score_width = 1: must be an integer from 2 to 32 bits"),
        (
            {"score_width": 17},
            "score_width = 17 with mode = 'softmax': a table of this mode takes scores of at most 16 bits",
        ),
        ({"mode": "argmax", "score_width": 33}, "score_width = 33"),
        ({"score_signed": 1}, "score_signed = 1: must be true or false"),
        ({"score_scale": 0}, "score_scale = 0: must be a finite number above 0; for example 0.0625"),
        ({"score_scale": -1.0}, "score_scale = -1.0"),
        ({"score_scale": float("nan")}, "score_scale = nan"),
        ({"score_scale": float("inf")}, "score_scale = inf"),
        ({"score_scale": "x"}, "score_scale = 'x'"),
        (
            {"temperature": 0},
            "temperature = 0: must be a finite number above 0; for example 1.0; mode = 'argmax' is the limit at 0",
        ),
        ({"temperature": -2.0}, "temperature = -2.0: must be"),
        ({"temperature": float("inf")}, "temperature = inf: must be"),
        ({"temperature": "hot"}, "temperature = 'hot': must be"),
        (
            {"temperature": 1e200, "score_scale": 1e-200},
            "score_scale = 1e-200 with temperature = 1e.200: their quotient .*; temperature = 1.0 would do",
        ),
        ({"temperature": 1e-200, "score_scale": 1e200}, "their quotient must be a finite number above 0"),
        ({"seed": -1}, "seed = -1: must be an integer from 0 to 4294967295; for example 1"),
        ({"seed": 2**32}, "seed = 4294967296: must be"),
        ({"probability_width": 25}, "probability_width = 25: must be an integer from 2 to 24 bits"),
        ({"probability_format": "UQ2"}, "probability_format = 'UQ2': must be one of UQ0, UQ1"),
        ({"guard_bits": 9}, "guard_bits = 9: must be an integer from 0 to 8"),
        ({"normaliser": "newton"}, "normaliser = 'newton': must be one of auto, divider, reciprocal, logarithm, none"),
        ({"profile": "quick"}, "profile = 'quick': must be one of auto, fast, fastest, small"),
        (
            {"accumulator": "kulisch"},
            "accumulator = 'kulisch': must be one of auto, absolute, two_windows, reference, two_pass",
        ),
        ({"lanes": 3}, "lanes = 3: must be one of 1, 2, 4, 8, 16, 32; for example 1"),
        ({"lanes": True}, "lanes = True: must be one of 1, 2, 4, 8, 16, 32"),
        ({"lanes": 4.0}, "lanes = 4.0: must be one of"),
        (
            {"lanes": 8, "max_length": 4},
            "lanes = 8: must be below 2 · max_length = 8, .* more would never .*; lanes = 4 would do",
        ),
        ({"lanes": 16, "max_length": 1}, "lanes = 16: must be below 2 · max_length = 2, .*; lanes = 1 would do"),
        (
            {"max_lenght": 4},
            r"unknown configuration key 'max_lenght' \(did you mean 'max_length'\?\); the keys of mode softmax are mode, ",
        ),
        (
            {"vectors_per_packet": 4},
            r"unknown configuration key 'vectors_per_packet' \(did you mean 'groups'\?\); the keys of mode softmax are",
        ),
        ({"qqq": 4}, "unknown configuration key 'qqq'; the keys of mode softmax are"),
    ],
)
def test_refusals(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        Config.from_mapping(values)
    assert "\n" not in str(caught.value)


def test_mapping_round_trip_and_replace() -> None:
    for config in PRESETS.values():
        assert Config.from_mapping(config.to_mapping()) == config
        assert config.replace(seed=7).seed == 7
    assert list(Config().to_mapping()) == [key.name for key in KEYS]


def test_keys_document_the_defaults() -> None:
    for key in KEYS:
        assert key.default == getattr(Config(), key.name)
        assert key.help
        assert key.range_text


def test_digest_names_the_configuration() -> None:
    assert len({config.digest for config in PRESETS.values()}) == len(PRESETS)
    assert Config(score_scale=1).digest == Config(score_scale=1.0).digest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mode=argmax", ("mode", "argmax")),
        ("max_length = 12", ("max_length", 12)),
        ("score_scale=1e-3", ("score_scale", 1e-3)),
        ("score_signed=false", ("score_signed", False)),
        ('mode="softmax"', ("mode", "softmax")),
        ("groups=10,3,5", ("groups", [10, 3, 5])),
        ("groups = 10", ("groups", [10])),
        ("groups=[10, 3]", ("groups", [10, 3])),
        ("smoothing=1,2,1", ("smoothing", [1, 2, 1])),
        ("groups=a,b", ("groups", "[a,b]")),
        ("guard_bits=1,2", ("guard_bits", "1,2")),
    ],
)
def test_settings(text: str, expected: tuple[str, object]) -> None:
    assert parse_setting(text) == expected


@pytest.mark.parametrize("text", ["mode", "=3", "mode=", ""])
def test_settings_refused(text: str) -> None:
    with pytest.raises(UserError, match="must be key=value; for example --set max_length=64"):
        parse_setting(text)


def test_toml_files(tmp_path: Path) -> None:
    good = tmp_path / "good.toml"
    good.write_text('mode = "argmax"\nmax_length = 5\n')
    assert load_toml(good) == {"mode": "argmax", "max_length": 5}
    (tmp_path / "bad.toml").write_text("mode = argmax\n")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for name, message in (
        ("bad", "not TOML"),
        ("binary", "not UTF-8"),
        ("missing", "cannot be read"),
        (".", "cannot be read"),
    ):
        path = tmp_path / f"{name}.toml" if name != "." else tmp_path
        with pytest.raises(UserError, match=message):
            load_toml(path)


def test_sections_hold_every_key_once_and_give_the_same_configuration() -> None:
    for config in PRESETS.values():
        sections = config.to_sections()
        assert list(sections) == list(SECTIONS)
        assert from_sections(sections, "here") == config.to_mapping()
        again = Config.from_mapping(from_sections(sections, "here"))
        assert (again, again.digest) == (config, config.digest)
    mixed = {"max_length": 5, "softmax": {"guard_bits": 3}, "implementation": {}}
    assert from_sections(mixed, "here") == {"max_length": 5, "guard_bits": 3}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"output": {"guard_bits": 3}}, r"here: guard_bits in \[output\]: .*; \[softmax\] would do"),
        (
            {"guard_bits": 3, "softmax": {"guard_bits": 3}},
            r"guard_bits in \[softmax\] is given twice; once in \[softmax\]",
        ),
        ({"sofmax": {}}, r"unknown section \[sofmax\] \(did you mean 'softmax'\?\); the sections are head, scores, "),
        ({"guard_bits": {"x": 1}}, r"\[guard_bits\] is a key, not a section; write it in \[softmax\]"),
        ({"scores": 3}, r"scores = 3: is a section; for example \[scores\]"),
    ],
)
def test_keys_in_the_wrong_place_are_refused(content: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        from_sections(content, "here")


def test_an_unknown_key_in_a_section_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"unknown configuration key 'guard_bit' \(did you mean 'guard_bits'\?\)"):
        Config.from_mapping(from_sections({"softmax": {"guard_bit": 3}}, "here"))


def test_values_of_numpy_are_converted() -> None:
    config = Config(
        max_length=np.int64(8),  # type: ignore[arg-type]
        score_scale=np.float32(0.5),  # type: ignore[arg-type]
        temperature=np.array(2),  # type: ignore[arg-type]
        mask=np.bool_(False),  # type: ignore[arg-type]
        groups=np.array([8, 4]),  # type: ignore[arg-type]
        smoothing=[np.uint8(1), np.int16(2), 1],  # type: ignore[arg-type]
        mode=np.str_("softmax"),  # type: ignore[arg-type]
    )
    plain = Config(max_length=8, score_scale=0.5, temperature=2.0, groups=(8, 4), smoothing=(1, 2, 1))
    assert (config, config.digest) == (plain, plain.digest)
    assert [type(value) for value in config.groups + config.smoothing] == [int] * 5
    for wrong in ({"max_length": np.float64(8.0)}, {"score_scale": np.bool_(True)}, {"groups": np.array([0.5])}):
        with pytest.raises(UserError):
            Config.from_mapping(wrong)


def test_the_constructor_names_the_nearest_key() -> None:
    with pytest.raises(UserError, match=r"unknown configuration key 'scale' \(did you mean 'score_scale'\?\)"):
        Config(scale=0.1)  # type: ignore[call-arg]
    with pytest.raises(
        UserError, match=r"the keys of mode argmax are mode, max_length, select, tie, confidence, score_width, "
    ):
        Config(mode="argmax", smothing=[1])  # type: ignore[call-arg]
    assert copy.deepcopy(Config()) == pickle.loads(pickle.dumps(Config())) == Config()


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("scale", "score_scale"),  # a part of the name
        ("max_len", "max_length"),  # the beginning of the name
        ("temp", "temperature"),
        ("scal", "score_scale"),  # the beginning of a part
        ("smothing", "smoothing"),  # similar letters alone
        ("dma", "groups"),
        ("packetizer", "groups"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_the_nearest_key_to_a_word(word: str, expected: str) -> None:
    assert nearest_key(word, KEYS) == (f" (did you mean '{expected}'?)" if expected else "")


def test_a_part_between_hyphens_is_nearer_than_similar_letters() -> None:
    assert nearest("nano", ("nan", "tang-nano-1k")) == " (did you mean 'tang-nano-1k'?)"
    assert nearest("tang", ("ulx3s-12f", "tang-nano-1k")) == " (did you mean 'tang-nano-1k'?)"
    assert nearest("nan", ("tang-nano-1k", "nal")) == " (did you mean 'tang-nano-1k'?)"


def test_a_synonym_of_a_key_is_neither_a_key_nor_a_synonym_of_another() -> None:
    synonyms = [synonym for key in KEYS for synonym in key.synonyms]
    assert len(set(synonyms)) == len(synonyms)
    assert not set(synonyms) & {key.name for key in KEYS}


@pytest.mark.parametrize("value", [10**400, 10**5000, [[]] * 100, "x" * 1000], ids=("e400", "e5000", "lists", "text"))
@pytest.mark.parametrize("key", ["score_scale", "temperature", "max_length", "groups", "mode"])
def test_long_values_are_cut(key: str, value: object) -> None:
    with pytest.raises(UserError, match=f"^{key} = ") as caught:
        Config.from_mapping({key: value})
    assert len(str(caught.value)) < 500


def test_files_with_oversized_values_are_refused(tmp_path: Path) -> None:
    for name, content in (
        ("digits", f"score_scale = {'1' * 5000}"),
        ("deep", f"groups = {'[' * 3000}"),
        ("large", "#" * 20000),
    ):
        path = tmp_path / f"{name}.toml"
        path.write_text(content)
        with pytest.raises(UserError, match=f"--config .*{name}.toml: "):
            load_toml(path)
    assert parse_setting(f"score_scale={'1' * 5000}") == ("score_scale", "1" * 5000)
    assert parse_setting(f"groups={'[' * 3000}")[0] == "groups"


def test_keys_that_matter() -> None:
    assert list(Config(mode="argmax", seed=7).relevant()) == [
        *("mode", "max_length", "select", "tie", "confidence", "score_width", "score_signed", "score_scale"),
        *("score_zero_point", "mask", "groups", "ensemble", "profile", "lanes"),
    ]
    assert Config(mode="argmax", seed=7).without_effect() == {"seed": 7}
    assert "smoothing_edges" in Config(smoothing=(1, 2, 1)).relevant()
    assert "smoothing_edges" not in Config(smoothing=(1,)).relevant()
    draws = Config(mode="sample"), Config(mode="sample", sampler="inverse_cdf")
    assert ["guard_bits" in config.relevant() for config in draws] == [False, True]


@pytest.mark.parametrize("mode", MODES)
def test_keys_without_effect_change_nothing(mode: str) -> None:
    """The hardware of a mode is the same, whatever the keys are that it is said not to read."""
    others = {
        "top_k": 3, "temperature": 2.0, "normaliser": "reciprocal", "accumulator": "absolute", "guard_bits": 5,
        "reference_offset": 3, "probability_width": 9, "probability_format": "UQ1", "integer_bits": 1,
        "sampler": "inverse_cdf", "seed": 7, "temperature_fraction": 2, "smoothing_edges": "scatter",
        "smoothing_passes": 2, "ensemble_mean": "probabilities", "per_vector": "pipelined",
    }  # fmt: skip
    config = Config.from_mapping({"mode": mode, "max_length": 4, "score_width": 4})
    inert = {key.name: others[key.name] for key in KEYS if key.name in others and not key.matters(config)}
    assert inert
    assert rtlil_hash(config.replace(**inert)) == rtlil_hash(config)


def test_a_clip_without_effect_does_not_cut_the_sums_of_an_ensemble() -> None:
    """The mean of logits is softmax of their exact mean, whatever clip lies at or beyond the ends of the score format."""
    keys: dict[str, Any] = {"max_length": 3, "ensemble": 3, "normaliser": "logarithm", "accumulator": "reference"}
    scores = np.array([[127, 100, -50]] * 3)
    exact = np.exp(scores.mean(axis=0) * 0.0625)
    expected = exact / exact.sum() * 256
    for clip in ({"clip_maximum": 127}, {"clip_minimum": -200}, {"clip_minimum": -128, "clip_maximum": 5000}):
        config = Config(**keys, **clip)
        codes = golden(config, scores).probabilities
        assert codes is not None
        assert np.abs(codes[0] - expected).max() <= float(plan(config).bound_ulp or 0)


def test_a_clip_without_effect_does_not_cut_the_products_with_a_temperature() -> None:
    config = Config(max_length=3, temperature_bits=2, temperature_fraction=0, clip_maximum=127)
    scores = np.array([[127, 100, -50]])
    exact = np.exp(scores[0] * 2 * 0.0625)
    codes = golden(config, scores, None, {"temperatures": np.array([2])}).probabilities
    assert codes is not None
    assert np.abs(codes[0] - exact / exact.sum() * 256).max() <= max(1, float(plan(config).bound_ulp or 0))


def test_presets_by_name() -> None:
    assert preset("softmax-int8") == Config()
    with pytest.raises(
        UserError, match=r"unknown preset 'softmax-int9' \(did you mean 'softmax-int8'\?\); the presets are "
    ):
        preset("softmax-int9")


def test_accumulator_limits_name_a_remedy() -> None:
    with pytest.raises(
        UserError, match=r"span 368 octaves need \d+ bits, at most 62 are available; accumulator = 'auto'"
    ):
        numerics(Config(accumulator="absolute", score_scale=1.0))
    wide = Config(probability_width=24, guard_bits=8, max_length=65536, score_scale=1.0)
    with pytest.raises(UserError, match=r"at most 62 are available; guard_bits = 5 would do"):
        numerics(wide)
    numerics(wide.replace(guard_bits=5))
