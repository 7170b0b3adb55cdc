"""The configuration: every rule, and the text of every refusal."""

from pathlib import Path

import pytest

from softstream.hw.config.config import KEYS, Config, load_toml, parse_setting
from softstream.hw.config.presets import PRESETS, preset
from softstream.hw.errors import UserError
from softstream.hw.numbers.softmax import numerics


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"mode": "softmx"},
            r"mode = 'softmx': must be one of argmax, softmax, .* \(did you mean 'softmax'\?\); for example softmax",
        ),
        ({"mode": 3}, "mode = 3: must be one of argmax, softmax, .*; for example softmax"),
        ({"top_k": 0}, "top_k = 0: must be an integer from 1 to 16 elements; for example 5"),
        ({"max_length": 0}, "max_length = 0: must be an integer from 1 to 65536 elements; for example 1024"),
        ({"max_length": 65537}, "max_length = 65537"),
        ({"max_length": 8.0}, "max_length = 8.0: must be an integer"),
        ({"max_length": True}, "max_length = True: must be an integer"),
        ({"score_width": 1}, "score_width = 1: must be an integer from 2 to 16 bits"),
        ({"score_width": 17}, "score_width = 17"),
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
            "score_scale = 1e-200 with temperature = 1e.200: their quotient .* for example temperature = 1.0",
        ),
        ({"temperature": 1e-200, "score_scale": 1e200}, "their quotient must be a finite number above 0"),
        ({"seed": -1}, "seed = -1: must be an integer from 0 to 4294967295; for example 1"),
        ({"seed": 2**32}, "seed = 4294967296: must be"),
        ({"probability_width": 25}, "probability_width = 25: must be an integer from 2 to 24 bits"),
        ({"probability_format": "UQ2"}, "probability_format = 'UQ2': must be one of UQ0, UQ1"),
        ({"guard_bits": 9}, "guard_bits = 9: must be an integer from 1 to 8"),
        ({"normaliser": "newton"}, "normaliser = 'newton': must be one of divider, reciprocal, logarithm, none"),
        ({"profile": "quick"}, "profile = 'quick': must be one of auto, fast, fastest, small"),
        ({"accumulator": "kulisch"}, "accumulator = 'kulisch': must be one of auto, absolute, reference, two_pass"),
        ({"lanes": 3}, "lanes = 3: must be one of 1, 2, 4, 8, 16; for example 1"),
        ({"lanes": True}, "lanes = True: must be one of 1, 2, 4, 8, 16"),
        ({"lanes": 4.0}, "lanes = 4.0: must be one of"),
        (
            {"lanes": 8, "max_length": 4},
            "lanes = 8: must be below 2 · max_length = 8, more would never .* for example 4",
        ),
        ({"lanes": 16, "max_length": 1}, "lanes = 16: must be below 2 · max_length = 2, .* for example 1"),
        (
            {"max_lenght": 4},
            r"unknown configuration key 'max_lenght' \(did you mean 'max_length'\?\); the keys are mode, ",
        ),
        ({"qqq": 4}, "unknown configuration key 'qqq'; the keys are"),
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


def test_presets_by_name() -> None:
    assert preset("softmax-int8") == Config()
    with pytest.raises(
        UserError, match=r"unknown preset 'softmax-int9' \(did you mean 'softmax-int8'\?\); the presets are "
    ):
        preset("softmax-int9")


def test_accumulator_limits_name_what_would_do() -> None:
    with pytest.raises(
        UserError, match=r"span 368 octaves need \d+ bits, at most 62 are available; accumulator = 'auto'"
    ):
        numerics(Config(accumulator="absolute", score_scale=1.0))
    wide = Config(probability_width=24, guard_bits=8, max_length=65536, score_scale=1.0)
    with pytest.raises(UserError, match=r"at most 62 are available; guard_bits = 5 would do"):
        numerics(wide)
    numerics(wide.replace(guard_bits=5))
