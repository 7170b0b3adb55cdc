"""The commands as a person types them: results, one-line errors, exit codes."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from types import SimpleNamespace

import click
import numpy as np
import pytest
from support.html_page import Page

import softstream
from softstream.hw.config.config import KEYS, Config, load_toml, parse_setting
from softstream.hw.errors import MissingTool, ToolFailure
from softstream.hw.plan.derive import plan
from softstream.scripts import console as console_module
from softstream.scripts.cli import _softstream, main
from softstream.scripts.console import Console
from softstream.scripts.verbs.keys import EXAMPLES
from softstream.sim.data import DIGITS_LABELS, DIGITS_SCORES
from softstream.sim.golden import golden
from softstream.sim.simulators.runner import RtlResult

SMALL = ("--set", "max_length=4", "--set", "score_width=4")
SCALED = (*SMALL, "--set", "score_scale=0.0625")


@pytest.fixture
def refused(cli):
    """Runs the command, which must fail with one line on stderr and nothing on stdout but the echo; gives that line."""

    def run(*arguments, code=2):
        status, _, err = cli(*arguments)
        assert status == code, err
        assert err.startswith("error: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1, err
        return err.removeprefix("error: ").rstrip("\n")

    return run


@pytest.fixture
def scores(tmp_path):
    path = tmp_path / "scores.npy"
    np.save(path, np.array([[1, 7, 7, -8], [0, 0, 0, 0]]))
    return path


# Help ----------------------------------------------------------------------------------------------------------------


def test_no_arguments_is_help(cli):
    code, out, err = cli()
    assert (code, err) == (0, "")
    assert out == cli("--help")[1]
    boards = ["boards", "build", "flash", "run-on-board", "serve", "doctor"]
    verbs = [
        "describe",
        "generate",
        "run",
        "simulate",
        "prove",
        "compare",
        "network",
        "gallery",
        "bench",
        "explore",
        "import",
        *boards,
        "cache",
        "new",
        "presets",
        "keys",
        "help",
        "man",
        "completion",
    ]
    assert [
        line.split()[0] for line in out.split("Commands:")[1].splitlines() if line.startswith("  ") and line[2] != " "
    ] == verbs


@pytest.mark.parametrize("verb", ["describe", "generate", "run", "simulate", "compare", "network", "explore"])
def test_every_verb_has_the_common_options(cli, verb):
    code, out, _ = cli(verb, "--help")
    assert code == 0
    for option in ("--preset", "--config", "--set", "--json", "--quiet", "--wide", "--help"):
        assert option in out


def test_describe_help_lists_every_key_with_range_unit_and_default(cli):
    text = " ".join(cli("describe", "--help")[1].split())
    for key in KEYS:
        assert key.name in text
        assert f"{key.range_text}" in text
        assert f"default {key.default_text}]" in text


def test_describe_help_of_a_configuration_lists_the_keys_of_its_mode(cli):
    text = cli("describe", "argmax-int8", "--help")[1]
    assert "keys that have an effect in mode argmax" in text
    assert "max_length " in text
    assert "[implementation]" in text
    for absent in ("guard_bits", "smoothing", "[softmax]", "[sampling]"):
        assert absent not in text
    assert "seed " in cli("describe", "--set", "mode=sample", "--help")[1]
    # A configuration that is refused has no mode to go by.
    assert "guard_bits" in cli("describe", "--set", "mode=argmx", "--help")[1]


def test_version(cli):
    assert cli("--version") == (0, f"softstream {softstream.__version__}\n", "")


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom softstream.scripts.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print(*({'numpy', 'amaranth', 'matplotlib', 'rich', 'cocotb'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "\n"


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "softstream", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"softstream {softstream.__version__}\n"


# The configuration ---------------------------------------------------------------------------------------------------


@pytest.fixture
def toml(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('max_length = 33\nmode = "argmax"\n')
    return path


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", {"max_length": 1024, "mode": "softmax"}),
        ("--preset digits-softmax", {"max_length": 10, "mode": "softmax"}),
        ("digits-softmax", {"max_length": 10, "mode": "softmax"}),
        ("--config TOML", {"max_length": 33, "mode": "argmax"}),
        ("TOML", {"max_length": 33, "mode": "argmax"}),
        ("--set max_length=5 --set max_length=6", {"max_length": 6}),
        ("--preset digits-softmax --set max_length=5", {"max_length": 5}),
        ("--set max_length=5 --preset digits-softmax", {"max_length": 10}),
        ("--config TOML --set max_length=5", {"max_length": 5, "mode": "argmax"}),
        ("--set max_length=5 --config TOML", {"max_length": 33, "mode": "argmax"}),
        ("--config TOML --preset digits-softmax", {"max_length": 10, "mode": "softmax"}),
        ("--preset digits-softmax --config TOML", {"max_length": 33, "mode": "argmax"}),
        (
            "--set mode=softmax --config TOML --set max_length=5 --preset softmax-int16",
            {"max_length": 1024, "score_width": 16},
        ),
        ("--set max_length=5 digits-softmax", {"max_length": 5}),  # what stands alone is the ground, wherever it stands
    ],
)
def test_later_wins(cli, toml, arguments, expected):
    code, out, err = cli("describe", "--json", *arguments.replace("TOML", str(toml)).split())
    assert (code, err) == (0, "")
    config = json.loads(out)["config"]
    assert {key: config[key] for key in expected} == expected


def test_the_resolved_configuration_is_echoed(cli, tmp_path):
    out = cli("generate", "digits-argmax", "-o", tmp_path / "out")[1]
    assert out.startswith("configuration: digits-argmax\n")
    settings = ("--set", "mask=true", "--set", "groups=[2, 1]", "--set", "max_length=2", "--set", "score_scale=0.0625")
    out = cli("generate", *settings, "-o", tmp_path / "out")[1]
    assert out.startswith("configuration: softmax-int8 with max_length=2 mask=true groups=[2,1]\n")
    (tmp_path / "mine.toml").write_text("max_length = 3\n")
    out = cli("generate", "digits-argmax", "--config", tmp_path / "mine.toml", "-o", tmp_path / "out")[1]
    assert out.startswith("configuration: digits-argmax with max_length=3\n")


REFUSABLE = [
    (verb, parameter)
    for verb, command in _softstream.commands.items()
    for parameter in command.params
    if parameter.required
    or parameter.type in (click.INT, click.FLOAT)
    or isinstance(parameter.type, click.Choice | click.IntRange | click.FloatRange)
]
"""Options and arguments that click itself refuses, where they are missing or have a value of another type."""


@pytest.mark.parametrize(("verb", "parameter"), REFUSABLE, ids=[f"{verb}-{p.name}" for verb, p in REFUSABLE])
def test_a_refusal_of_click_ends_with_a_value_that_works(refused, verb, parameter):
    name = parameter.opts[0]
    if parameter.required:
        others = [other for other in _softstream.commands[verb].params if other.required and other is not parameter]
        words = [word for other in others for word in ([other.opts[0], "x"] if other.opts[0][0] == "-" else ["x"])]
    else:
        words = [name, "-"]
    message = refused(verb, *words)
    place, _, value = message.rpartition("; for example ")[2].rpartition(" ")
    assert place == (name if name[0] == "-" else f"softstream {verb}"), message
    parameter.type.convert(value, parameter, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("nope",),
            "no verb 'nope'; the verbs are describe, generate, run, simulate, prove, compare, network, gallery, bench, explore, ",
        ),
        (("simulat",), "for example simulate"),
        (("--nope",), "No such option '--nope'; softstream --help shows what is possible"),
        (("describe", "--nope"), "softstream describe --help shows what is possible"),
        (("describe", "a", "b"), "unexpected extra argument (b)"),
        (("describe", "--set"), "'--set' requires an argument"),
        (("describe", "softmax-int9"), "unknown preset 'softmax-int9' (did you mean 'softmax-int8'?)"),
        (("describe", "--preset", "softmax-int9"), "unknown preset 'softmax-int9' (did you mean 'softmax-int8'?)"),
        (("describe", "max_length=3"), "'max_length=3': a setting needs its option; for example --set max_length=3"),
        (("describe", "--set", "max_length"), "--set 'max_length': must be key=value; for example --set max_length=64"),
        (("describe", "--set", "max_lenght=3"), "unknown configuration key 'max_lenght' (did you mean 'max_length'?)"),
        (("describe", "--set", "max_length=0"), "max_length = 0: must be an integer from 1 to 1048576"),
        (
            ("describe", "--set", "score_scale=nan"),
            "score_scale = nan: must be a finite number above 0; for example 0.0625",
        ),
        (
            ("describe", "--set", "score_scale=-1"),
            "score_scale = -1: must be a finite number above 0; for example 0.0625",
        ),
        (
            ("describe", "--set", "mode=sotfmax"),
            "mode = 'sotfmax': must be one of argmax, softmax, log_softmax, cross_entropy, exponential, sigmoid, sample, "
            "hardmax, top_k, softmax_top_k, cdf, log_sum_exp, entropy (did you mean 'softmax'?)",
        ),
        (("describe", "--set", "guard_bits=1"), "guard_bits = "),
        (("keys", "scal"), "unknown configuration key 'scal' (did you mean 'score_scale'?); the keys are mode, "),
        (("keys", "max_lenght"), "unknown configuration key 'max_lenght' (did you mean 'max_length'?)"),
        (("describe", "--config", "nothing.toml"), "--config nothing.toml: cannot be read (No such file or directory)"),
        (("describe", "nothing.toml"), "--config nothing.toml: cannot be read"),
        (("describe", "--config", "."), "--config .: cannot be read (Is a directory)"),
        (("generate",), "Missing option '-o' / '--output'"),
        (("run", "-o", "r.npz"), "Missing option '--scores'"),
        (("run", "--scores", "s.npy", "-o", "r.npz", "--engine", "x"), "'x' is not one of 'golden', 'rtl'"),
        (("simulate", "--simulator", "x"), "'x' is not one of 'auto', 'icarus', 'verilator'"),
        (("simulate", "--seed", "x"), "Invalid value for '--seed'"),
        (("build", "--board", "icestik"), "unknown board 'icestik' (did you mean 'icestick'?)"),
        (("build", "--board", "icestick", "--clock", "x"), "--clock x: must be a number of MHz above 0; for example"),
        (
            ("build", "--board", "icestick", "--clock", "nan"),
            "--clock nan: must be a number of MHz above 0; for example",
        ),
        (("build", "--board", "icestick", "--baud", "7000000"), "--baud 7000000: at a clock of 12 MHz needs 4 clock"),
        (("run-on-board", "--simulated"), "--simulated: needs the board that is to be simulated; for example --board"),
        (
            ("run-on-board", "--board", "icestick", "--simulated", "--port", "/dev/ttyUSB0"),
            "--port /dev/ttyUSB0: a simulated board has a port of its own; for example --simulated without --port",
        ),
        (("run-on-board", "--board", "de10-lite", "--simulated"), "de10-lite simulated: its plan is for a vendor's"),
        (
            ("compare", "--labels", "y.npy"),
            "--labels y.npy: needs the scores that it belongs to; for example --scores F.npy",
        ),
    ],
)
def test_mistakes(refused, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert message in refused(*arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"a = [", b"\xff", b"max_length = 3\nmax_length = 4\n"])
def test_broken_toml(refused, tmp_path, content):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    assert refused("describe", path).startswith(f"--config {path}: not ")


def test_an_unknown_key_in_a_file_is_named_with_the_nearest(refused, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("max_len = 3\n")
    assert "unknown configuration key 'max_len' (did you mean 'max_length'?)" in refused("describe", "--config", path)


# describe, presets ---------------------------------------------------------------------------------------------------


def test_describe_shows_the_plan(cli):
    derived = softstream.plan(softstream.preset("digits-softmax"))
    code, out, err = cli("describe", "digits-softmax")
    assert (code, err) == (0, "")
    positions = [out.index(f"\n {stage.name} ") for stage in derived.stages]
    assert positions[:4] == sorted(positions[:4])
    for text in (
        derived.latency_formula,
        derived.interval_formula,
        f"{derived.bound_ulp:.4f} ulp",
        f"{derived.table_bits} bits",
    ):
        assert text in out
    assert f" {derived.first_output_cycle(10)} " in out


def test_describe_shows_what_differs_and_every_key_on_request(cli):
    arguments = ("describe", "digits-softmax", "--set", "guard_bits=5", "--set", "seed=7")
    head = cli(*arguments)[1].partition("data path, with")[0].splitlines()
    assert head == [
        "configuration: digits-softmax with guard_bits=5 seed=7",
        "note: without effect in mode softmax with these keys: seed = 7",
        "",
    ]
    head = cli(*arguments, "--all")[1].partition("data path, with")[0]
    assert all(f"\n {key.name} " in head for key in KEYS)
    assert "without effect" not in head


def test_describe_writes_a_page(cli, refused, tmp_path):
    path = tmp_path / "plan.html"
    code, out, err = cli("describe", "cdf-int8", "--set", "max_length=32", "-o", path)
    assert (code, err) == (0, "")
    assert f"{path}: page of 8 stages in " in out
    page = Page(path.read_text(encoding="utf-8"))
    assert "cdf-int8 with max_length=32" in page.text
    assert page.tags["svg"] == 4
    assert refused("describe", "-o", tmp_path).startswith(f"-o {tmp_path}: is a directory")


def test_lists_are_set_without_brackets(cli):
    for text in ("groups=10,3,5", "groups=[10,3,5]", "groups = 10, 3, 5"):
        config = json.loads(cli("describe", "--json", "--set", text, "--set", "max_length=10")[1])["config"]
        assert config["groups"] == [10, 3, 5]


def test_describe_json_is_the_plan(cli):
    derived = softstream.plan(softstream.preset("digits-softmax"))
    assert json.loads(cli("describe", "digits-softmax", "--json")[1]) == json.loads(json.dumps(derived.to_json()))


def test_presets_lists_them_all(cli):
    out = cli("presets")[1]
    for name in softstream.PRESETS:
        assert f"\n {name} " in out
    assert list(json.loads(cli("presets", "--json")[1])) == list(softstream.PRESETS)


# generate ------------------------------------------------------------------------------------------------------------


def test_generate(cli, tmp_path):
    code, out, err = cli("generate", *SMALL, "-o", tmp_path / "out")
    assert (code, err) == (0, "")
    config = softstream.Config(max_length=4, score_width=4)
    name = f"softstream_softmax_{config.digest[:8]}"
    files = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert sorted(files) == ["config.toml", "manifest.json", f"{name}.v", f"{name}.veo"]
    for file in files:
        assert str(tmp_path / "out" / file) in out
    written = tomllib.loads(files["config.toml"])
    assert written == config.to_sections()
    assert load_toml(tmp_path / "out" / "config.toml") == config.to_mapping()
    header, text = files[f"{name}.v"].split("\n//\n", 1)
    assert text == softstream.verilog(config)
    assert config.digest[:16] in header
    assert "belongs to whoever generated it" in header
    manifest = json.loads(files["manifest.json"])
    derived = softstream.plan(config)
    assert manifest["version"] == softstream.__version__
    assert manifest["digest"] == config.digest
    assert (manifest["verilog"]["file"], manifest["verilog"]["module"]) == (f"{name}.v", name)
    assert manifest["latency"]["first_output"] == derived.latency_formula
    assert manifest["latency"]["interval"] == derived.interval_formula
    assert manifest["bound_ulp"] == derived.bound_ulp
    assert manifest["total_variation"] is None
    assert [port["name"] for port in manifest["ports"]] == [port.name for port in derived.ports]
    for port in derived.ports:
        assert f".{port.name} " in files[f"{name}.veo"]
        assert f" {port.name}" in files[f"{name}.v"]


def test_the_name_is_that_of_the_module_its_files_and_its_instance(cli, tmp_path):
    assert cli("generate", *SMALL, "--name", "my_head", "-o", tmp_path)[0] == 0
    files = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert sorted(files) == ["config.toml", "manifest.json", "my_head.v", "my_head.veo"]
    modules = re.findall(r"^module (\w+) \(", files["my_head.v"], re.MULTILINE)
    assert modules[0] == "my_head"
    assert len(modules) > 5
    assert all(module.startswith("my_head") for module in modules)
    assert "\nmy_head head (" in files["my_head.veo"]
    assert json.loads(files["manifest.json"])["verilog"]["module"] == "my_head"


@pytest.mark.parametrize(
    "name",
    ["", "2nd", "my-head", "head.v", "../head", "_head", "head_", "my__head", "output", "Entity", "häd", "h" * 101],
)
def test_a_name_that_is_no_identifier_is_refused(refused, tmp_path, name):
    message = refused("generate", *SMALL, "--name", name, "-o", tmp_path / "out")
    assert "must be letters, digits and single underscores" in message
    assert "for example softmax_head" in message
    assert not (tmp_path / "out").exists()


def test_the_generated_configuration_gives_the_same_bytes(cli, tmp_path):
    assert cli("generate", *SMALL, "--set", "score_scale=0.1467", "-o", tmp_path / "one")[0] == 0
    assert cli("generate", "--config", tmp_path / "one" / "config.toml", "-o", tmp_path / "two")[0] == 0
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_generated_files_contain_no_path_and_no_time(cli, tmp_path):
    assert cli("generate", *SMALL, "-o", tmp_path / "out")[0] == 0
    for path in (tmp_path / "out").iterdir():
        text = path.read_text()
        assert str(tmp_path) not in text
        assert time.strftime("%Y-%m-%d") not in text


def test_an_existing_output_survives_a_failed_generation(refused, cli, tmp_path, monkeypatch):
    out = tmp_path / "out"
    assert cli("generate", *SMALL, "-o", out)[0] == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def failing(*_arguments, **_keywords):
        raise ToolFailure("Yosys ended with exit code 1")

    monkeypatch.setattr("softstream.scripts.verbs.generate.generated_text", failing)
    assert refused("generate", *SMALL, "-o", out, code=1) == "Yosys ended with exit code 1"
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_heads_with_other_names_share_a_directory(cli, tmp_path):
    out = tmp_path / "out"
    one, other = (("generate", *SMALL, "--name", name, "-o", out) for name in ("one", "other"))
    assert cli(*one)[0] == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert {"one.v", "config.toml", "manifest.json"} <= set(before)
    for _ in range(2):
        assert cli(*other)[0] == 0
        both = {path.name: path.read_bytes() for path in out.iterdir()}
        assert set(both) - set(before) == {"other.v", "other.veo", "other.toml", "other.json"}
        assert {name: both[name] for name in before} == before
    assert json.loads(both["other.json"])["verilog"]["module"] == "other"
    assert cli(*one)[0] == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == both


@pytest.mark.parametrize("file", ["head.v", "head.veo", "config.toml", "manifest.json"])
def test_generate_replaces_no_file_that_it_did_not_write(cli, refused, tmp_path, file):
    out = tmp_path / "out"
    out.mkdir()
    (out / file).write_text("mine\n")
    message = refused("generate", *SMALL, "--name", "head", "-o", out)
    assert message == (
        f"-o {out}: has a {file} that generate did not write for head; must be a folder without such a file, for example "
        f"{out / 'head'}"
    )
    assert [path.name for path in out.iterdir()] == [file]
    assert (out / file).read_text() == "mine\n"
    assert cli("generate", *SMALL, "--name", "head", "-o", out / "head")[0] == 0


def test_generate_replaces_its_own_files_and_no_file_of_another_head(cli, refused, tmp_path):
    out = tmp_path / "out"
    assert cli("generate", *SMALL, "--vivado", "--name", "one", "-o", out)[0] == 0
    assert cli("generate", *SMALL, "--set", "max_length=5", "--vivado", "--name", "one", "-o", out)[0] == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    message = refused("generate", *SMALL, "--vivado", "--name", "other", "-o", out)
    assert message.startswith(f"-o {out}: has a component.xml that generate did not write for other; must be ")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_generate_into_a_file_is_refused(refused, scores):
    message = refused("generate", *SMALL, "-o", scores)
    assert message == f"-o {scores}: is a file; must be a directory, for example {scores}.d"
    assert scores.is_file()


# run -----------------------------------------------------------------------------------------------------------------


def test_run_writes_the_results_of_the_model(cli, tmp_path, scores):
    code, out, err = cli("run", *SCALED, "--scores", scores, "-o", tmp_path / "r.npz")
    assert (code, err) == (0, "")
    assert re.search(r"\n2 vectors through the model in \d+\.\d s; next: softstream simulate .*\n$", out)
    expected = golden(softstream.Config(max_length=4, score_width=4), np.load(scores))
    with np.load(tmp_path / "r.npz") as result:
        assert sorted(result.files) == ["argmax", "best", "overlong", "probabilities"]
        for name in result.files:
            np.testing.assert_array_equal(result[name], getattr(expected, name))
    assert not result.fid


def test_run_in_argmax_mode_has_no_probabilities(cli, tmp_path, scores):
    assert cli("run", *SCALED, "--set", "mode=argmax", "--scores", scores, "-o", tmp_path / "r.npz")[0] == 0
    with np.load(tmp_path / "r.npz") as result:
        assert sorted(result.files) == ["argmax", "best", "overlong"]
        np.testing.assert_array_equal(result["argmax"], [1, 0])


def test_run_honours_lengths(cli, tmp_path, scores):
    np.save(tmp_path / "lengths.npy", np.array([1, 4]))
    arguments = ("--scores", scores, "--lengths", tmp_path / "lengths.npy", "-o", tmp_path / "r.npz")
    assert cli("run", *SCALED, *arguments)[0] == 0
    with np.load(tmp_path / "r.npz") as result:
        np.testing.assert_array_equal(result["argmax"], [0, 0])
        np.testing.assert_array_equal(result["probabilities"][0, 1:], [0, 0, 0])


def test_run_says_how_many_floats_saturated(cli, tmp_path):
    path = tmp_path / "floats.npy"
    np.save(path, np.array([[0.25, 99.0, -99.0]]))
    arguments = ("run", *SCALED, "--scores", path, "-o", tmp_path / "r.npz")
    assert (
        cli(*arguments)[2]
        == f"{path}: 3 floats quantised in steps of 0.0625; 2 saturated (66.67%); 1 of 1 vectors shifted\n"
    )
    document = json.loads(cli(*arguments, "--json")[1])
    assert (document["quantised"], document["saturated"], document["vectors"]) == (True, 2, 1)
    assert (document["saturated_share"], document["saturated_winners"], document["shifted"]) == (2 / 3, 0, 1)
    assert document["arrays"]["probabilities"]["shape"] == [1, 3]


def fake_rtl(monkeypatch, **changed):
    """A simulator that returns the model's results with some values changed."""

    def run_rtl(config, codes, lengths, sideband=None, *, simulator, seed, progress, step, stalls, trace, directory):
        if trace:
            (directory / f"dump.{trace}").write_text(f"a {trace} file")
        cycles = {"first_output_cycle": lengths + 9, "last_output_cycle": 2 * lengths + 9}
        cycles["start_cycle"] = np.zeros_like(lengths)
        return RtlResult({**golden(config, codes, lengths), **cycles, **changed}, simulator)

    monkeypatch.setattr("softstream.sim.simulators.runner.run_rtl", run_rtl)


def test_run_on_rtl_adds_the_cycles(cli, tmp_path, scores, monkeypatch):
    fake_rtl(monkeypatch)
    assert cli("run", *SCALED, "--engine", "rtl", "--scores", scores, "-o", tmp_path / "r.npz")[0] == 0
    with np.load(tmp_path / "r.npz") as result:
        assert sorted(set(result.files)) == [
            "argmax", "best", "first_output_cycle", "last_output_cycle", "overlong", "probabilities"
        ]  # fmt: skip
        np.testing.assert_array_equal(result["first_output_cycle"], [13, 13])


@pytest.mark.parametrize("name", ["head.saif", "head.vcd"])
def test_run_on_rtl_keeps_the_activity_where_the_results_are_right(cli, refused, tmp_path, scores, monkeypatch, name):
    fake_rtl(monkeypatch)
    arguments = ("run", *SCALED, "--engine", "rtl", "--scores", scores, "-o", tmp_path / "r.npz")
    assert cli(*arguments, "--activity", tmp_path / name)[0] == 0
    assert (tmp_path / name).read_text() == f"a {name[5:]} file"
    (tmp_path / name).write_text("old")
    fake_rtl(monkeypatch, best=np.array([7, 5]))
    refused(*arguments, "--activity", tmp_path / name, code=1)
    assert (tmp_path / name).read_text() == "old"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--activity", "head.saif"),
            "--activity: the model has no nets; for example --engine rtl --activity head.saif",
        ),
        (
            ("--engine", "rtl", "--activity", "head.txt"),
            "--activity head.txt: the suffix says the format; must be .vcd or .saif; for example head.saif",
        ),
        (
            ("--engine", "rtl", "--simulator", "icarus", "--activity", "head.vcd"),
            "--activity with --simulator icarus: Verilator counts; for example --simulator verilator",
        ),
        (("--engine", "rtl", "--activity", "."), "--activity .: is a directory; must be a file, for example result"),
    ],
)
def test_an_activity_that_nothing_can_record_is_refused(refused, tmp_path, scores, arguments, message):
    assert refused("run", *SCALED, "--scores", scores, "-o", tmp_path / "r.npz", *arguments) == message
    assert not (tmp_path / "r.npz").exists()


def test_run_on_rtl_that_differs_writes_nothing(refused, tmp_path, scores, monkeypatch):
    fake_rtl(monkeypatch, best=np.array([7, 5]))
    (tmp_path / "r.npz").write_text("old")
    message = refused("run", *SCALED, "--engine", "rtl", "--scores", scores, "-o", tmp_path / "r.npz", code=1)
    assert message == "best[1]: the Verilog gave 5, the model 0; 1 of 2 differ"
    assert (tmp_path / "r.npz").read_text() == "old"


@pytest.mark.parametrize("argument", ["--scores", "--lengths"])
def test_run_with_a_missing_file(refused, tmp_path, scores, argument):
    files = {"--scores": scores, "--lengths": scores, argument: tmp_path / "nothing.npy"}
    arguments = [text for pair in files.items() for text in pair]
    message = refused("run", *SCALED, *arguments, "-o", tmp_path / "r.npz")
    assert message.startswith(f"{argument} {tmp_path / 'nothing.npy'}: cannot be read (No such file or directory); ")
    assert not (tmp_path / "r.npz").exists()


@pytest.mark.parametrize("option", ["--sideband", "--beside"])
def test_run_takes_sideband_inputs(cli, refused, tmp_path, scores, option):
    np.save(tmp_path / "mask.npy", np.array([[1, 0, 0, 0], [0, 0, 0, 1]]))
    arguments = ("run", *SCALED, "--set", "mask=true", "--scores", scores, "-o", tmp_path / "r.npz")
    assert cli(*arguments, option, f"mask={tmp_path / 'mask.npy'}")[0] == 0
    with np.load(tmp_path / "r.npz") as result:
        assert (result["probabilities"] == 0).sum() >= 2
        assert result["all_masked"].tolist() == [False, False]
    assert "mask: missing" in refused(*arguments)
    assert "must be name=FILE" in refused(*arguments, "--sideband", "mask.npy")


def test_run_into_a_directory_is_refused_before_anything_is_read(refused, tmp_path):
    assert "is a directory; must be a file" in refused("run", "--scores", "nothing.npy", "-o", tmp_path)


def test_run_restores_the_shape_and_writes_the_shift(cli, tmp_path):
    scores = np.array([[[100.0, 99.0], [0.5, 99.0]], [[1.0, 3.0], [2.0, 4.0]]])
    np.save(tmp_path / "scores.npy", scores)
    arguments = ("--scores", tmp_path / "scores.npy", "--axis", "1", "-o", tmp_path / "r.npz")
    assert cli("run", *SCALED, "--set", "score_scale=1", *arguments)[0] == 0
    with np.load(tmp_path / "r.npz") as result:
        np.testing.assert_array_equal(result["argmax"], scores.argmax(axis=1))
        assert result["probabilities"].shape == scores.shape
        np.testing.assert_array_equal(result["shift"], [[93, 92], [0, 0]])
        np.testing.assert_array_equal(result["best"] + result["shift"], scores.max(axis=1))


def test_a_largest_score_that_saturates_is_an_error_and_with_an_option_a_count(cli, refused, tmp_path):
    np.save(tmp_path / "scores.npy", np.array([[9.0, 1.0]]))
    arguments = (
        "run",
        *SCALED,
        "--set",
        "mode=exponential",
        "--scores",
        tmp_path / "scores.npy",
        "-o",
        tmp_path / "r.npz",
    )
    assert refused(*arguments).endswith("for example --set score_scale=1.29, or --saturate")
    assert not (tmp_path / "r.npz").exists()
    assert cli(*arguments, "--set", "score_scale=1.29")[0] == 0
    code, out, err = cli(*arguments, "--saturate", "--json")
    assert err.endswith(
        "2 floats quantised in steps of 0.0625; 2 saturated (100.00%); the largest score of 1 vectors among them\n"
    )
    assert (code, json.loads(out)["saturated_winners"]) == (0, 1)


def test_every_verb_with_scores_has_the_same_options(cli):
    for verb in ("run", "simulate", "compare", "run-on-board"):
        text = cli(verb, "--help")[1]
        for option in ("--scores", "--lengths", "--axis", "--codes", "--saturate", "--sideband", "--ignore-label"):
            assert option in text, (verb, option)


@pytest.mark.parametrize("verb", ["simulate", "compare", "run-on-board"])
@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("--lengths", "L.npy"), "--lengths L.npy"),
        (("--axis", "0"), "--axis 0"),
        (("--codes",), "--codes"),
        (("--saturate",), "--saturate"),
        (("--sideband", "mask=M.npy"), "--sideband mask=M.npy"),
        (("--ignore-label", "0"), "--ignore-label 0"),
    ],
)
def test_an_option_of_scores_needs_them(refused, verb, arguments, option):
    assert refused(verb, *arguments) == f"{option}: needs the scores that it belongs to; for example --scores F.npy"


def test_integers_without_a_stated_scale_get_a_warning_in_every_form(cli, tmp_path, scores):
    arguments = ("run", *SMALL, "--scores", scores, "-o", tmp_path / "r.npz")
    code, out, err = cli(*arguments, "--json")
    assert (code, err.count("\n")) == (0, 1)
    assert err.startswith(f"warning: {scores}: integer codes in steps of 0.0625, the default of score_scale; ")
    assert [f"warning: {text}\n" for text in json.loads(out)["warnings"]] == [err]
    assert cli(*arguments, "--quiet")[1:] == ("", "")
    assert cli(*arguments, "--set", "mode=argmax")[2] == ""
    assert cli("run", "digits-softmax", *arguments[1:], "--set", "score_width=8")[2] == ""


# simulate ------------------------------------------------------------------------------------------------------------


def fake_simulate(monkeypatch, *passed):
    def simulate(config, *, scores, lengths, sideband, simulator, waves, seed, progress, step, benches):
        return [
            SimpleNamespace(
                bench="stream",
                test=f"test_{i}",
                simulator="icarus",
                passed=good,
                cycles=10,
                vectors=2,
                beats=9,
                seconds=0.5,
                detail=f"d{i}",
            )
            for i, good in enumerate(passed)
        ]

    monkeypatch.setattr("softstream.sim.simulators.runner.simulate", simulate)


def test_simulate_prints_the_verdicts(cli, monkeypatch):
    fake_simulate(monkeypatch, True, True)
    code, out, err = cli("simulate", *SMALL)
    assert (code, err) == (0, "")
    assert out.count(" pass ") == 2
    assert re.search(r"\n2 passed in \d+\.\d s; next: softstream generate .*\n$", out)


def test_simulate_with_a_failure_ends_with_1(cli, monkeypatch):
    fake_simulate(monkeypatch, True, False)
    code, out, err = cli("simulate", *SMALL, "--seed", "5")
    assert code == 1
    assert out.count(" FAIL ") == 1
    assert err == "error: 1 of 2 tests failed, first stream.test_1: d1; seed 5\n"
    code, out, err = cli("simulate", *SMALL, "--json")
    assert code == 1
    assert json.loads(out)["passed"] is False
    assert [verdict["passed"] for verdict in json.loads(out)["verdicts"]] == [True, False]


# compare -------------------------------------------------------------------------------------------------------------


def test_compare_defaults_to_the_digits(cli, tmp_path):
    code, out, err = cli("compare", "--no-place", "--json", "-o", tmp_path / "report.html")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["data"]["vectors"] == 1797
    assert document["format"] == 2
    assert document["probabilities"]["hardware"]["within_bound"] is True
    assert (tmp_path / "report.html").stat().st_size > 10_000
    same = cli(
        "compare", "digits-softmax", "--no-place", "--scores", DIGITS_SCORES, "--labels", DIGITS_LABELS, "--json"
    )
    assert json.loads(same[1])["decisions"] == document["decisions"]


def test_compare_in_words(cli):
    code, out, _ = cli("compare", "--no-place")
    assert code == 0
    lines = out.splitlines()
    assert lines[1].startswith("Argmax alone makes the same 1797 decisions as softmax and as the given floats.")
    assert re.fullmatch(r"scores -10 \[[·▁-█]+\] 11.6, codes -11.7 to 11.6", lines[2])
    assert "accuracy" in out
    assert "largest error against the floats" in out


# Failures of tools, Ctrl-C, quiet, terminals ---------------------------------------------------------------------------


def raising(monkeypatch, error):
    def describe(config, console, *, every_key, part_name, output, render):
        raise error

    monkeypatch.setattr("softstream.scripts.verbs.describe.describe", describe)


def test_a_missing_tool_ends_with_3(refused, monkeypatch):
    raising(monkeypatch, MissingTool("icarus: not found; Debian's package iverilog brings it"))
    assert refused("describe", code=3) == "icarus: not found; Debian's package iverilog brings it"


def test_a_failed_tool_shows_the_end_of_its_log_and_where_it_is(cli, monkeypatch, tmp_path):
    log = tmp_path / "tool.log"
    log.write_text("\n".join(f"line {i}" for i in range(100)))
    raising(monkeypatch, ToolFailure("nextpnr ended with exit code 1", log))
    code, out, err = cli("describe")
    assert (code, out) == (1, "configuration: softmax-int8\n")
    lines = err.splitlines()
    assert lines[0] == "error: nextpnr ended with exit code 1"
    assert lines[-2:] == ["line 99", f"log: {log}"]
    assert len(lines) < 25


def test_ctrl_c_ends_with_130_and_one_line(refused, monkeypatch):
    raising(monkeypatch, KeyboardInterrupt())
    assert refused("describe", code=130) == "interrupted; nothing was written"


def test_a_bug_keeps_its_traceback(monkeypatch):
    raising(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main(["describe"])


@pytest.mark.parametrize("verb", ["describe", "presets", "generate", "run", "simulate", "compare"])
def test_quiet_prints_nothing(cli, verb, scores, tmp_path, monkeypatch):
    fake_simulate(monkeypatch, True)
    arguments = {
        "describe": SMALL,
        "presets": (),
        "generate": (*SMALL, "-o", tmp_path / "out"),
        "run": (*SMALL, "--scores", scores, "-o", tmp_path / "r.npz"),
        "simulate": SMALL,
        "compare": ("--no-place",),
    }[verb]
    assert cli(verb, *arguments, "--quiet") == (0, "", "")
    code, out, err = cli(verb, *arguments, "--quiet", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("no_color", "coloured"), [(None, True), ("1", False)])
def test_colours_follow_the_terminal_and_no_color(monkeypatch, no_color, coloured):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        monkeypatch.setattr(sys, "stdout", stream)
        Console().table("", ("verdict",), [("pass",)])
    assert ("\x1b[32mpass" in terminal.getvalue()) == coloured
    assert "pass" in terminal.getvalue()
    assert "\x1b" not in file.getvalue()


@pytest.mark.parametrize(
    ("seconds", "stream", "quiet", "shown"),
    [
        (0.4, Terminal, False, True),
        (0.0, Terminal, False, False),
        (0.4, io.StringIO, False, False),
        (0.4, Terminal, True, False),
    ],
)
def test_long_commands_show_a_progress_bar(monkeypatch, seconds, stream, quiet, shown):
    monkeypatch.setattr(console_module, "PROGRESS_AFTER_SECONDS", 0.1)
    monkeypatch.setenv("TERM", "xterm-256color")
    errors = stream()
    monkeypatch.setattr(sys, "stderr", errors)
    with Console(quiet=quiet).progress("simulating") as report:
        report(0.5, "bench 2")
        time.sleep(seconds)
    assert ("simulating: bench 2" in errors.getvalue()) == shown


def test_an_output_that_is_closed_early_is_no_traceback():
    command = f"{sys.executable} -m softstream describe --json | head -c 1"
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    assert done.stdout == "{"
    assert "Traceback" not in done.stderr


# Tables --------------------------------------------------------------------------------------------------------------

WIDTHS = (60, 80, 120, 200)


def table_of(monkeypatch, capsys, width, columns, rows, **options):
    monkeypatch.setenv("COLUMNS", str(width))
    Console(wide=options.pop("wide", False)).table("", columns, rows, **options)
    return [line for line in capsys.readouterr().out.splitlines() if line]


def test_a_table_drops_columns_and_never_letters(monkeypatch, capsys):
    columns, rows = ("name", "a", "b", "sentence"), [("n" * 30, "a" * 20, "b" * 20, "some words of a sentence " * 4)]
    lines = table_of(monkeypatch, capsys, 80, columns, rows, fold=("sentence",), drop=("a",))
    assert lines[-1] == "not shown, use --wide: a"
    assert f" {'n' * 30}  {'b' * 20}  some" in lines[2]
    text = " ".join(line[55:].strip() for line in lines[2:-1])
    assert text.split() == ("some words of a sentence " * 4).split()
    assert all(len(line) <= 80 for line in lines)
    lines = table_of(monkeypatch, capsys, 60, columns, rows, wide=True, fold=("sentence",))
    assert len(lines) == 3
    assert rows[0][3].strip() in lines[2]


@pytest.mark.parametrize("verb", ["keys", "presets"])
def test_a_table_that_is_piped_fits_80_columns_too(verb):
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    command = [sys.executable, "-m", "softstream", verb]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert max(len(line) for line in done.stdout.splitlines() if not line.startswith("not shown")) <= 80
    wide = subprocess.run([*command, "--wide"], env=environment, capture_output=True, text=True, check=True)
    assert max(map(len, wide.stdout.splitlines())) > 120


def test_the_first_column_stays_however_narrow_the_terminal_is(monkeypatch, capsys):
    lines = table_of(monkeypatch, capsys, 10, ("name", "value"), [("n" * 30, "1")])
    assert lines[2] == " " + "n" * 30


# keys, help, completion ----------------------------------------------------------------------------------------------


def test_one_key(cli, refused):
    code, out, _ = cli("keys", "lanes")
    assert code == 0
    assert out.startswith("lanes: ")
    assert "1, 2, 4, 8, 16" in out
    assert "\nfor example: --set lanes=4\n" in out
    assert "did you mean 'lanes'?" in refused("keys", "lane")
    assert list(json.loads(cli("keys", "--json")[1])) == [key.name for key in KEYS]


def test_the_examples_are_those_of_all_keys():
    assert list(EXAMPLES) == [key.name for key in KEYS]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_the_example_of_a_key_has_an_effect(key):
    config = Config().replace(**dict(map(parse_setting, EXAMPLES[key.name].split())))
    assert key.matters(config)
    assert getattr(config, key.name) != key.default
    plan(config)


def test_help_of_a_verb_is_that_of_the_option(cli, refused):
    assert cli("help", "simulate") == cli("simulate", "--help")
    assert cli("help") == cli("--help")
    assert "no verb 'simulat'" in refused("help", "simulat")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(cli, shell):
    code, out, _ = cli("completion", shell)
    assert code == 0
    assert "_SOFTSTREAM_COMPLETE" in out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("softstream simul", "plain,simulate"),
        ("softstream describe softmax-int8-f", "plain,softmax-int8-fastest"),
        ("softstream describe --preset digits-a", "plain,digits-argmax"),
        ("softstream describe --set max_l", "plain,max_length="),
        ("softstream build --board ices", "plain,icestick"),
    ],
)
def test_shell_completion(words, expected):
    environment = {"_SOFTSTREAM_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run(
        [sys.executable, "-c", "from softstream.scripts.cli import main; main()"],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert expected in done.stdout.split(), done.stderr


@pytest.mark.parametrize(
    ("arguments", "form"),
    [
        (("--max-length", "64"), "--set max_length=64"),
        (("--max-length=64",), "--set max_length=64"),
        (("--mask",), "--set mask=false"),
        (("--mode", "argmax"), "--set mode=argmax"),
    ],
)
def test_a_key_as_an_option_is_answered_with_the_right_form(refused, arguments, form):
    assert refused("describe", *arguments).endswith(f"it is a configuration key: {form}")


# Streams and signals -------------------------------------------------------------------------------------------------


def shell(command, **environment):
    command = command.replace("softstream", f"{sys.executable} -m softstream", 1)
    return subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


@pytest.mark.parametrize("verb", ["describe", "describe --json", "presets", "describe --help", "--version", "help run"])
def test_a_full_stdout_is_one_line(verb):
    done = shell(f"softstream {verb} >/dev/full")
    assert done.returncode == 1
    assert done.stderr == "error: standard output: cannot be written (No space left on device)\n"


@pytest.mark.parametrize("options", ["", "--json"])
def test_a_closed_stdout_is_one_line_before_the_work(tmp_path, options):
    done = shell(f"softstream generate {options} -o {tmp_path / 'out'} >&-")
    assert done.returncode == 2
    assert done.stderr == "error: standard output is closed; open it, or give --quiet\n"
    assert not list(tmp_path.iterdir())
    done = shell(f"softstream generate digits-argmax --quiet -o {tmp_path / 'out'} >&- 2>&- <&-")
    assert done.returncode == 0
    assert len(list((tmp_path / "out").iterdir())) == 4


def test_a_stdout_of_ascii_gets_escapes_in_the_document():
    done = shell("softstream describe --json", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == json.loads(shell("softstream describe --json").stdout)
    for verb in ("describe", "describe --help", "presets"):
        done = shell(f"softstream {verb}", PYTHONIOENCODING="ascii")
        assert (done.returncode, done.stderr) == (0, "")


def test_sigterm_ends_like_ctrl_c(monkeypatch, refused):
    def killed(config, console, *, every_key, part_name, output, render):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("softstream.scripts.verbs.describe.describe", killed)
    assert refused("describe", code=143) == "terminated; nothing was written"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_long_message_is_cut(refused):
    message = refused("describe", "x" * 100_000 + ".toml")
    assert len(message) < 3000


def test_a_board_is_shown(cli):
    status, out, _ = cli("boards", "--show", "de10-lite")
    assert (status, "seven-segment display" in out, "10 LEDs" in out) == (0, True, True)
    status, _, err = cli("boards", "--show", "de10")
    assert (status, len(err.splitlines())) == (2, 1)


def test_a_refused_build_prints_one_line(tmp_path):
    """A program of its own, because the warnings come when the parts of the refused design are collected."""
    words = [
        "build",
        "--board",
        "icepi-zero",
        "--set",
        "max_length=60000",
        "--set",
        "lanes=16",
        "--set",
        "score_width=16",
    ]
    command = [sys.executable, "-m", "softstream", *words, "-o", str(tmp_path / "out")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: lanes = 16: ")
    assert ended.stderr.count("\n") == 1
