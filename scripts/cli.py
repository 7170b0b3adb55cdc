"""The command line: parses, calls, prints. Each verb has a module of its own, which is imported when the verb runs."""

from __future__ import annotations

import difflib
import errno
import os
import shlex
import signal
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

import softstream
from softstream.hw.errors import SoftstreamError, ToolFailure, UserError
from softstream.hw.extras import need
from softstream.scripts.console import Console, configuration_text, configuration_words, discard_stdout
from softstream.scripts.emit import ARTEFACTS

if TYPE_CHECKING:
    from softstream.boards.registry import Board
    from softstream.hw.config.config import Config
    from softstream.hw.plan.profiles import Room
    from softstream.scripts.scores import ScoreFile
    from softstream.sim.simulators.runner import Simulator

__all__ = ["main"]

_INTERRUPTED = 130
_LOG_TAIL_LINES = 15
_MESSAGE_CHARACTERS = 2000
"""Characters of a message that are printed: a value of megabytes is not repeated whole."""
_DEFAULT_PRESET = "softmax-int8"
_EXAMPLES = {"board_name": "icebreaker", "scores": "scores.npy", "model": "model.onnx"}
"""Option or argument → a value for the message that it is missing."""
_CONFIGURATION = ("config_name", "preset", "config_file", "setting")

Verb = TypeVar("Verb", bound=Callable[..., Any])


class _InterruptedError(Exception):
    """Ctrl-C or SIGTERM. click would turn it into an Abort after an empty line of its own."""


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the usual order of use

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            close = difflib.get_close_matches(args[0], self.commands, n=1) or ["describe"]
            raise click.UsageError(
                f"no verb '{args[0]}'; the verbs are {', '.join(self.commands)}; for example {close[0]}"
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            raise _InterruptedError(*interrupt.args) from None


class _Verb(click.Command):
    """A verb that takes a configuration, from its parts in the order of the command line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:
            values, _, order = self.make_parser(ctx).parse_args(args=list(args))
            left = {name: list(values.get(name) or ()) for name in _CONFIGURATION if name != "config_name"}
            ctx.meta["parts"] = [(p.name, left[p.name].pop(0)) for p in order if left.get(p.name)]
            # click has an object of its own for an argument that is missing.
            ctx.meta["config_name"] = name if isinstance(name := values.get("config_name"), str) else None
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from softstream.hw.config.config import KEYS, SECTIONS

        if self.name != "describe":
            formatter.write_paragraph()
            formatter.write_text("softstream describe --help lists the configuration keys.")
            return
        config = self._asked(ctx)
        which = (
            "Configuration keys" if config is None else f"Configuration keys that have an effect in mode {config.mode}"
        )
        formatter.write_paragraph()
        formatter.write_text(f"{which} (--set KEY=VALUE, or a line of a TOML file below its section):")
        for section, purpose in SECTIONS.items():
            keys = [key for key in KEYS if key.section == section and (config is None or key.modes(config.traits))]
            if not keys:
                continue
            with formatter.section(textwrap.fill(f"[{section}] {purpose}", formatter.width - 1)):
                rows = []
                for key in keys:
                    unit = "" if key.unit == "–" else f" {key.unit}"
                    values = f"{key.type_text}, {key.range_text}{unit}; default {key.default_text}"
                    rows.append((key.name, f"{key.help} [{values}]"))
                formatter.write_dl(rows)

    @staticmethod
    def _asked(ctx: click.Context) -> Config | None:
        """The configuration that stands on the command line with --help; None without one, or where it is refused."""
        name, parts = ctx.meta.get("config_name"), ctx.meta.get("parts")
        if not name and not parts:
            return None
        try:
            return _resolve(_values(ctx, name), {})[0]
        except SoftstreamError:
            return None


def _values(ctx: click.Context, name: str | None, default: str | None = None) -> dict[str, Any]:
    """The plain values of a configuration: every part in order, a later one winning key by key.

    Notes in `ctx.meta["scale_stated"]` whether somebody chose `score_scale`: a preset that leaves the default did not.
    """
    from softstream.hw.config.config import KEYS, load_toml, parse_setting
    from softstream.hw.config.presets import preset

    parts = list(ctx.meta["parts"])
    if name is not None:
        if "=" in name:
            raise UserError(f"'{name}': a setting needs its option; for example --set {name}")
        parts.insert(0, ("config_file" if name.endswith(".toml") or Path(name).is_file() else "preset", name))
    elif default is not None and not any(kind in ("preset", "config_file") for kind, _ in parts):
        parts.insert(0, ("preset", default))
    ctx.meta["parts"] = parts
    values: dict[str, Any] = {}
    stated = False
    defaults = {key.name: key.default for key in KEYS}
    for kind, text in parts:
        if kind == "preset":
            # A preset sets every key, but one that leaves the profile at its default names none, so a part decides.
            values, changes = {}, preset(text).to_mapping()
            if changes["profile"] == defaults["profile"]:
                del changes["profile"]
            stated = changes["score_scale"] != defaults["score_scale"]
        else:
            changes = load_toml(Path(text)) if kind == "config_file" else dict([parse_setting(text)])
            stated = stated or "score_scale" in changes
        values.update(changes)
    ctx.meta["scale_stated"] = stated
    return values


def _resolve(values: Mapping[str, Any], options: Mapping[str, Any]) -> tuple[Config, list[str]]:
    """(configuration, what `score_scale = auto` and `profile = auto` became and why)."""
    from softstream.hw.plan.profiles import resolve
    from softstream.scripts.scale import AUTO, scale_of_file

    room, sentences = _room(options), []
    if values.get("score_scale") == AUTO:
        chosen = scale_of_file(options.get("scores"), lambda scale: resolve({**values, "score_scale": scale}, room)[0])
        values = {**values, "score_scale": chosen.scale}
        sentences.append(chosen.text)
    config, choices = resolve(values, room)
    return config, [*sentences, *choices]


def _room(options: Mapping[str, Any]) -> Room | None:
    """What is known of the part that a verb's other options name."""
    from softstream.boards.flow.capacity import recorded_room, room_of_board
    from softstream.boards.registry import board
    from softstream.boards.tools.parts import part_of_any_kind

    if options.get("board_name"):
        return room_of_board(board(options["board_name"]), link=not options.get("demo"))
    if not options.get("part_name"):
        return None
    return recorded_room(part_of_any_kind(options["part_name"]))


def _echo(config: Config, ctx: click.Context, console: Console) -> None:
    """The preset and the settings that differ from it, in one line; the document has every key."""
    console.line(f"configuration: {_title(config, ctx)}")


def _title(config: Config, ctx: click.Context) -> str:
    """The last preset of the command line, or the default one, and the settings that differ from it."""
    presets = [text for kind, text in ctx.meta["parts"] if kind == "preset"]
    return configuration_text(config, presets[-1] if presets else _DEFAULT_PRESET)


def _words(config: Config, values: Mapping[str, Any], ctx: click.Context) -> str:
    """The configuration as a shell takes it behind another verb: as it was typed, unless that would mean something else there."""
    parts = list(ctx.meta["parts"])
    try:
        same = _resolve(values, {})[0] == config
    except SoftstreamError:  # a scale that was chosen for given scores
        same = False
    presets = [text for kind, text in parts if kind == "preset"]
    if not same:
        return configuration_words(config, presets[-1] if presets else _DEFAULT_PRESET)
    words = []
    if not any(kind in ("preset", "config_file") for kind, _ in parts):
        words.append(_DEFAULT_PRESET)  # another verb may have another default
    elif parts[0][0] == "config_file" or (parts[0][0] == "preset" and not Path(parts[0][1]).exists()):
        words.append(parts.pop(0)[1])
    options = {"preset": "--preset", "config_file": "--config", "setting": "--set"}
    return shlex.join([*words, *(word for kind, text in parts for word in (options[kind], text))])


def _complete_preset(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from softstream.hw.config.presets import PRESETS

    return [name for name in PRESETS if name.startswith(incomplete)]


def _complete_key(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from softstream.hw.config.config import KEYS

    return [f"{key.name}=" for key in KEYS if key.name.startswith(incomplete)]


def _complete_board(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from softstream.boards.registry import BOARDS

    return [name for name in BOARDS if name.startswith(incomplete)]


def _configuration_options() -> list[click.Parameter]:
    return [
        click.Argument(["config_name"], metavar="[CONFIG]", required=False, shell_complete=_complete_preset),
        click.Option(
            ["--preset"],
            metavar="NAME",
            multiple=True,
            help="A configuration by name: see softstream presets.",
            shell_complete=_complete_preset,
        ),
        click.Option(
            ["--config", "config_file"], metavar="FILE.toml", multiple=True, help="Configuration keys from a file."
        ),
        click.Option(
            ["--set", "setting"],
            metavar="KEY=VALUE",
            multiple=True,
            help="One key: see softstream keys. A later part overrides an earlier one, among all three.",
            shell_complete=_complete_key,
        ),
    ]


def _print_options() -> list[click.Parameter]:
    return [
        click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON document and nothing else."),
        click.Option(["--quiet"], is_flag=True, help="Print nothing but errors."),
        click.Option(["--wide"], is_flag=True, help="Print all columns of a table, also beyond the terminal's width."),
    ]


def _verb(
    default: str | Callable[[dict[str, Any]], str] | None = None, name: str | None = None
) -> Callable[[Verb], click.Command]:
    """A verb of the group with the options of configuration and printing; its function gets configuration and console.

    `default` is the preset of a command line that names none, or a function of the verb's other options that returns it.
    The verb begins with a line that names the configuration.
    """

    def decorate(function: Verb) -> click.Command:
        def called(
            config_name: str | None,
            preset: Sequence[str],
            config_file: Sequence[str],
            setting: Sequence[str],
            as_json: bool,
            quiet: bool,
            wide: bool,
            **options: Any,
        ) -> None:
            preset_name = default(options) if callable(default) else default
            ctx = click.get_current_context()
            values = _values(ctx, config_name, preset_name)
            if "scores" in options:
                options = _with_score_file(options, ctx.meta["scale_stated"])
            config, sentences = _resolve(values, options)
            console = Console(as_json, quiet, wide, configuration=_words(config, values, ctx))
            _echo(config, ctx, console)
            for sentence in sentences:
                console.line(sentence)
            function(config, console, **options)

        own = getattr(function, "__click_params__", [])[::-1]
        summary = (function.__doc__ or "").split(";")[0].split("\n")[0].rstrip(".")
        verb = _Verb(
            name or function.__name__.strip("_"),
            params=[*_configuration_options(), *own, *_print_options()],
            callback=called,
            help=function.__doc__,
            short_help=summary,
        )
        _softstream.add_command(verb)
        return verb

    return decorate


@click.group(
    cls=_Group,
    invoke_without_command=True,
    subcommand_metavar="VERB [CONFIG] [OPTIONS]",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(softstream.__version__, prog_name="softstream", message="%(prog)s %(version)s")
@click.pass_context
def _softstream(ctx: click.Context) -> None:
    """Streaming softmax and argmax heads for FPGAs: from one configuration to verified Verilog.

    A configuration is --preset NAME, --config FILE.toml and any --set KEY=VALUE, later wins; a preset's name or a .toml
    file may also stand alone, right after the verb.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


class _SidebandOption(click.Option):
    """`--sideband`, whose former name `--beside` still works and is not shown in the help."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        return record and (record[0].replace(", --beside", ""), record[1])


_OF_SCORES = {"lengths": None, "axis": -1, "codes": False, "saturate": False, "sideband": (), "ignore_label": None}
"""The options that say how the scores of `--scores` are read, with their defaults."""


def _scores_options(*, required: bool = False) -> Callable[[Verb], Verb]:
    """The options that every verb with scores has; the verb's function gets them as one `ScoreFile`, or None, as `scores`."""
    options = (
        click.option(
            "--scores",
            metavar="FILE",
            required=required,
            help="Scores [vectors, N], .npy, .npz, .npz:NAME or .csv: integers are codes, floats are quantised.",
        ),
        click.option("--lengths", metavar="FILE", help="Elements of each vector [vectors]; default: all N."),
        click.option("--axis", type=int, default=-1, show_default=True, metavar="A", help="The axis of the elements."),
        click.option("--codes", is_flag=True, help="Floats are integer codes, too."),
        click.option(
            "--saturate",
            is_flag=True,
            help="Floats beyond the codes saturate, the largest of a vector too, and no vector is shifted.",
        ),
        click.option(
            "--sideband",
            "--beside",
            "sideband",
            cls=_SidebandOption,
            metavar="NAME=FILE",
            multiple=True,
            help="Sideband input of a head that takes one: [vectors, N], or [vectors]; for example mask=M.npy.",
        ),
        click.option("--ignore-label", type=int, metavar="L", help="Label of vectors that have none, such as -100."),
    )

    def decorate(function: Verb) -> Verb:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _with_score_file(options: dict[str, Any], stated: bool) -> dict[str, Any]:
    """The options of a verb with those of `_scores_options` as one `ScoreFile`; `stated`: whether the scale is."""
    from softstream.scripts.scores import ScoreFile

    about = {name: options[name] for name in _OF_SCORES}
    rest = {name: value for name, value in options.items() if name not in _OF_SCORES}
    if options["scores"]:
        return {**rest, "scores": ScoreFile(options["scores"], **about, scale_stated=stated)}
    for name, unset in {**_OF_SCORES, "labels": None}.items():
        value = options.get(name, unset)
        if value != unset:
            text = "" if value is True else f" {value[0] if isinstance(value, tuple) else value}"
            option = f"--{name.replace('_', '-')}{text}"
            raise UserError(f"{option}: needs the scores that it belongs to; for example --scores F.npy")
    return {**rest, "scores": None}


_ENGINE = click.option(
    "--engine",
    type=click.Choice(["golden", "rtl"]),
    default="golden",
    show_default=True,
    help="The NumPy model, or the simulated Verilog (checked against the model).",
)
_SIMULATOR = click.option(
    "--simulator",
    type=click.Choice(["auto", "icarus", "verilator"]),
    default="auto",
    show_default=True,
    help="auto picks the fastest available one.",
)
_SEED = click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, metavar="S", help="Seed of the random numbers."
)


_PART = click.option(
    "--part",
    "part_name",
    metavar="PART",
    help=(
        "The part that auto is picked for, and that describe shows the clock of: hx8k, up5k, ecp5-25k. For lifcl-40, "
        "ccgm1a1, gw1nr-9 and lcmxo3lf-6900, which explore places, and for xc7a35t, xcku5p, 5cseba6 and lcmxo2-7000: the cells."
    ),
)


@_verb()
@_PART
@click.option("--all", "every_key", is_flag=True, help="Show every key, also those at their default.")
@click.option("-o", "--output", metavar="PAGE.html", help="Also write a page with the data path as a picture.")
def _describe(config: Config, console: Console, part_name: str | None, every_key: bool, output: str | None) -> None:
    """Show the plan: data path, formats, latency and interval, tables, error bound in ulp."""
    from softstream.scripts.verbs.describe import describe

    title = _title(config, click.get_current_context())

    def render(shown: Config) -> str:
        from softstream.scripts.reports.plan_report import render as page_of

        return page_of(shown, title)

    path = Path(output) if output else None
    describe(config, console, every_key=every_key, part_name=part_name, output=path, render=render)


def _artefact_options(function: Verb) -> Verb:
    """Adds the option of each artefact, and one for all of them; the function gets `every_artefact` and a flag of each name."""
    function = click.option("--all", "every_artefact", is_flag=True, help="Write all of these.")(function)
    for name, artefact in reversed(ARTEFACTS.items()):
        function = click.option(f"--{name}", is_flag=True, help=artefact.help)(function)
    return function


@_verb()
@click.option("-o", "--output", metavar="DIR", required=True, help="Directory for the files; its other files stay.")
@click.option(
    "--name",
    metavar="NAME",
    help="Name of the top module, prefix of all others; default softstream_MODE_DIGEST, unique for each configuration.",
)
@click.option(
    "--part",
    "part_name",
    metavar="PART",
    help="The part: profile=auto is picked for it, and on ECP5 the text has its block RAMs and multipliers as instances.",
)
@click.option(
    "--no-initial", is_flag=True, help="Leave initial values to tables; registers and memories start unknown."
)
@click.option(
    "--memory-init",
    type=click.Choice(("inline", "readmemh", "case")),
    default="inline",
    show_default=True,
    help="Words of tables: in an initial block, in files that $readmemh reads, or as functions of case statements.",
)
@click.option(
    "--prove-law",
    is_flag=True,
    help="Prove the AXI4-Stream law of the written text first, and say so in the manifest; without a proof nothing is written.",
)
@_artefact_options
def _generate(
    config: Config,
    console: Console,
    output: str,
    name: str | None,
    part_name: str | None,
    no_initial: bool,
    memory_init: str,
    prove_law: bool,
    every_artefact: bool,
    **flags: bool,
) -> None:
    """Write Verilog, the resolved configuration, a manifest and an instantiation template."""
    from softstream.scripts.verbs.generate import generate

    artefacts = [n for n in ARTEFACTS if every_artefact or flags[n.replace("-", "_")]]
    generate(
        config,
        Path(output),
        console,
        artefacts,
        name,
        initial_values=not no_initial,
        memory_init=memory_init,
        part_name=part_name,
        prove_law=prove_law,
    )


@_verb()
@_scores_options(required=True)
@_ENGINE
@_SIMULATOR
@_SEED
@click.option(
    "--activity",
    metavar="FILE",
    help="With --engine rtl: how often each net changes, .saif, or its waveform, .vcd, for the power tools of a vendor.",
)
@click.option(
    "--stalls",
    metavar="FILE.json",
    help='Pauses of streams in the simulation, a digit per cycle: {"m_axis": "0011"}; default: none.',
)
@click.option("-o", "--output", metavar="R.npz", required=True, help="File for the result.")
def _run(
    config: Config,
    console: Console,
    scores: ScoreFile,
    engine: str,
    simulator: Simulator,
    seed: int,
    activity: str | None,
    stalls: str | None,
    output: str,
) -> None:
    """Run your own scores through the model or through the simulated Verilog."""
    from softstream.scripts.verbs.run import Run, read_stalls, run

    if stalls and engine != "rtl":
        raise UserError(f"--stalls {stalls}: the model has no streams; --engine rtl would do")
    pauses = read_stalls(config, Path(stalls)) if stalls else {}
    record = Path(activity) if activity else None
    run(config, scores, Path(output), Run(engine, simulator, seed, record, pauses), console)


@_verb()
@_scores_options()
@_SIMULATOR
@click.option("--waves", is_flag=True, help="Keep a wave file, and say where it is.")
@_SEED
def _simulate(
    config: Config, console: Console, scores: ScoreFile | None, simulator: Simulator, waves: bool, seed: int
) -> None:
    """Run the cocotb benches on the generated Verilog, against the model; prints the verdict table."""
    from softstream.scripts.verbs.simulate import simulate

    simulate(config, scores, simulator, waves, seed, console)


@_verb()
@click.option(
    "--timeout",
    type=click.FloatRange(1),
    default=120.0,
    show_default=True,
    metavar="S",
    help="Seconds for each step of each tool; a property that is not decided by then is open, never proved.",
)
@click.option(
    "--waveform", metavar="FILE.vcd", help="Where the shortest trace goes of a property that fails, if one does."
)
@click.option(
    "--counterexample",
    metavar="FOLDER",
    help="Where the scores and stalls go that show a fault of the law, or of --whole, in a simulation, if there is one.",
)
@click.option("--law", is_flag=True, help="Prove the law of the streams, as without an option.")
@click.option(
    "--whole",
    is_flag=True,
    help="Prove all results, their order, number and time instead, of the same head with vectors of up to 3 scores of 2 bits.",
)
@click.option(
    "--independence",
    is_flag=True,
    help="Prove instead that nothing depends on what registers and memories hold before the first reset.",
)
@click.option(
    "--stores",
    is_flag=True,
    help="Prove instead that each queue, register and fork keeps all payloads and their order, and each credit its limit.",
)
@click.option(
    "--counting",
    is_flag=True,
    help="Prove instead, at full size, that outputs carry what enters once and in order: every beat, or a result for each end.",
)
@click.option(
    "--decision",
    is_flag=True,
    help="Prove instead, at full size, that the winner is the first maximum of its vector, or that a list is in order.",
)
@click.option(
    "--response",
    is_flag=True,
    help="Prove instead, at full size, that an answer and a free input come within a number of cycles, which is printed.",
)
@click.option(
    "--all",
    is_flag=True,
    help="Prove every statement that covers the head, and print a row for each; minutes.",
)
@click.option(
    "--translation",
    is_flag=True,
    help="Prove instead that the Verilog is the description that it is written from: each register, memory and output.",
)
def _prove(
    config: Config,
    console: Console,
    timeout: float,
    waveform: str | None,
    counterexample: str | None,
    **statements: bool,
) -> None:
    """Prove the AXI4-Stream law of the generated Verilog at full size, for all inputs, stalls and resets.

    Needs no simulator and no test data: a model checker decides each property without a bound on time.
    """
    from softstream.scripts.verbs.prove import prove, prove_all

    names = ("all", "law", "whole", "independence", "stores", "counting", "decision", "response", "translation")
    chosen = [f"--{name}" for name in names if statements[name]]
    if len(chosen) > 1:
        raise UserError(f"{chosen[0]} and {chosen[1]} are two statements; {chosen[1]} alone would do")
    statement = chosen[0].removeprefix("--") if chosen else "law"
    files = {
        option: Path(path) for option, path in (("waveform", waveform), ("counterexample", counterexample)) if path
    }
    if statement != "all":
        prove(config, timeout, console, statement=statement, **files)
        return
    if files:
        option, path = next(iter(files.items()))
        raise UserError(f"--{option} {path}: --all looks for no trace; --law or --whole would do")
    prove_all(config, timeout, console)


@_verb(default="digits-softmax")
@_scores_options()
@click.option("--labels", metavar="FILE", help="The correct index of each vector [vectors], or one-hot [vectors, N].")
@click.option(
    "-o", "--output", metavar="REPORT.html", help="Also write a report with plots: one file, needs no network."
)
@click.option(
    "--part",
    "part_names",
    metavar="PART",
    multiple=True,
    help="A part to measure both on, any that describe takes; the option may come again. Default: hx8k and ecp5-25k.",
)
@click.option("--no-place", is_flag=True, help="Leave out synthesis, place and route.")
@click.option(
    "--toggles",
    is_flag=True,
    help="Also simulate the synthesised netlists for iCE40 with these scores, and count how often their cells switch.",
)
@click.option(
    "--modes",
    metavar="A,B,…",
    help="Compare these instead: modes and presets, any :key=value behind each; for example "
    "argmax,softmax,softmax:temperature=2,top-k-int8.",
)
def _compare(
    config: Config,
    console: Console,
    scores: ScoreFile | None,
    labels: str | None,
    output: str | None,
    no_place: bool,
    toggles: bool,
    part_names: tuple[str, ...],
    modes: str | None,
) -> None:
    """Compare argmax with softmax, or any of the family: accuracy, error, calibration, latency, cells and Fmax.

    Without --scores: the handwritten digits that come with softstream.
    """
    from softstream.hw.output import check_file
    from softstream.scripts.measure.heads import PARTS
    from softstream.scripts.scale import scale_of_file
    from softstream.scripts.scores import MOST_ELEMENTS, read_labels, read_scores
    from softstream.scripts.verbs.compare import Comparison, compare
    from softstream.scripts.verbs.family import Family, entries, family

    if scores and scores.sideband and modes is None and not config.mask:
        raise UserError(
            f"--sideband {scores.sideband[0]}: needs a member that takes it; for example --modes softmax:mask=true"
        )
    if toggles and (no_place or modes is not None):
        other = "--no-place" if no_place else "--modes"
        raise UserError(
            f"--toggles with {other}: counts the netlists of argmax and softmax; --toggles without {other} would do"
        )
    if toggles:
        need("compare --toggles", "sim")
    if no_place and part_names:
        raise UserError(f"--part {part_names[0]}: measured on nothing with --no-place; leave out one of them")
    parts = tuple(dict.fromkeys(part_names)) or PARTS
    if output:
        check_file("-o", Path(output))
        need("a report of compare", "reports")
    members = None
    if modes is not None:
        members = entries(modes, config, lambda config_of: scale_of_file(scores, config_of).scale)
    codes = read_scores(config, scores, console, most=MOST_ELEMENTS) if scores else None
    truth = read_labels(labels, codes, scores.ignore_label) if scores and codes and labels else None
    arrays = codes.sideband if codes else {}
    result: Comparison | Family
    with console.progress("comparing") as progress:
        if members is None:
            result = compare(config, codes, truth, parts=parts, place=not no_place, toggles=toggles, progress=progress)
        else:
            result = family(
                config,
                members,
                codes,
                truth,
                sideband=arrays,
                saturate=scores is not None and scores.saturate,
                parts=parts,
                place=not no_place,
                progress=progress,
            )
    if output:
        from softstream.scripts.reports import compare_report, family_report

        if isinstance(result, Family):
            family_report.write_html(result, Path(output))
        else:
            compare_report.write_html(result, Path(output))
    console.document({**result.to_json(), "report": output})
    console.line(result.answer)
    for line in result.range_lines:
        console.line(line)
    columns, rows, right_aligned = result.table()
    console.table("", columns, rows, right=right_aligned, fold=columns[:1], drop=result.expendable)
    console.done(
        f"{output}: report of {result.data.vectors} vectors" if output else f"{result.data.vectors} vectors compared",
        console.command("generate", "-o", "build/head"),
    )


@_verb(default="digits-softmax")
@_ENGINE
def _network(config: Config, console: Console, engine: str) -> None:
    """Run a digits classifier whose softmax layers are heads: accuracy against float and int8.

    64 hidden scores as 8 groups of 8, softmax in each, then 10 scores and their softmax; each head has the configuration.
    """
    from softstream.scripts.verbs.network import network

    network(config, engine, console)


_JOBS = click.Option(
    ["--jobs"], type=click.IntRange(1), default=2, show_default=True, metavar="J", help="Tools at a time."
)


@_softstream.command(
    "gallery",
    short_help="The softmax family on one page, each member on a real vector",
    params=[
        click.Option(
            ["-o", "--output"], metavar="GALLERY.html", required=True, help="File for the page, which needs no network."
        ),
        click.Option(["--place"], is_flag=True, help="Place each circuit now, for minutes; default: the record."),
        *_print_options(),
    ],
)
def _gallery(output: str, place: bool, as_json: bool, quiet: bool, wide: bool) -> None:
    """Write a page with each member of the softmax family: formula, output on a real vector, error, cost and command."""
    from softstream.boards.tools.measure import tool_versions
    from softstream.boards.tools.parts import PARTS
    from softstream.hw.output import check_file, written_file
    from softstream.hw.plan.texts import decimals
    from softstream.scripts.reports.gallery_report import render
    from softstream.scripts.verbs.gallery import SHOWN_PARTS, evaluated, measured, recorded_parts, settings

    need("gallery", "reports")
    console = Console(as_json, quiet, wide)
    check_file("-o", Path(output))
    members = list(evaluated())
    if place:
        with console.progress("circuits") as progress:
            parts = measured(progress)
    else:
        parts = recorded_parts()
    page = render(members, parts)
    with written_file("-o", Path(output)) as temporary:
        temporary.write_text(page, encoding="utf-8")
    errors = [(member, float(abs(values.model - values.exact).max()), values.bound) for member, values in members]
    console.document(
        {
            "page": output,
            "members": [
                {
                    "member": member.title,
                    "preset": member.preset,
                    "settings": settings(member.config),
                    "largest_difference": error,
                    "bound": bound,
                    "parts": parts.get(member.title, {}),
                }
                for member, error, bound in errors
            ],
            "tools": tool_versions(PARTS[name] for name in SHOWN_PARTS),
        }
    )
    console.table(
        "on one vector of the digits, beside its exact values",
        ("member", "preset", "largest error", "bound"),
        [(member.title, member.preset, decimals(error, 5), f"{bound:.5f}") for member, error, bound in errors],
        right=("largest error", "bound"),
        drop=("preset",),
    )
    console.done(f"{output}: {len(members)} members", "softstream presets")


@_softstream.command(
    "bench",
    short_help="Measure every variant: cells, Fmax, cycles, errors",
    params=[
        click.Option(["--only"], metavar="NAME", multiple=True, help="Only this variant; may be given several times."),
        click.Option(
            ["--seeds"], type=click.IntRange(1), default=10, show_default=True, metavar="S", help="Placements of each."
        ),
        click.Option(["--quick"], is_flag=True, help="One seed, no curves, not the tool's own speed."),
        _JOBS,
        click.Option(["-o", "--output"], metavar="DIR", help="Also write bench.json and bench.html there."),
        *_print_options(),
    ],
)
def _bench(
    only: Sequence[str], seeds: int, quick: bool, jobs: int, output: str | None, as_json: bool, quiet: bool, wide: bool
) -> None:
    """Measure every variant: cells, Fmax over placement seeds, critical path, cycles, errors.

    Results of synthesis and placement are cached; without them it takes hours.
    """
    from softstream.scripts.reports.bench_report import render
    from softstream.scripts.verbs.bench import run

    run(only, seeds, quick, jobs, Path(output) if output else None, render, Console(as_json, quiet, wide))


@_verb()
@_scores_options()
@click.option("--labels", metavar="FILE", help="The correct index of each vector [vectors], or one-hot [vectors, N].")
@click.option(
    "--sweep",
    "sweeps",
    metavar="KEY=A,B,C",
    multiple=True,
    help="A key and its values, or a range of integers such as 4..12; all combinations.",
)
@click.option(
    "--part", "part_name", metavar="PART", default="hx8k", show_default=True, help="The part, as for describe."
)
@click.option("--fmax", type=click.FloatRange(0, min_open=True), metavar="MHZ", help="Clock to reach, median of seeds.")
@click.option("--max-ulp", type=click.FloatRange(0, min_open=True), metavar="ULP", help="Error bound to keep.")
@click.option("--max-cells", type=click.IntRange(1), metavar="N", help="Logic cells to keep to (LC or COMB).")
@click.option(
    "--max-flips", type=click.FloatRange(0), metavar="PERCENT", help="Decisions that may differ from the given scores'."
)
@click.option(
    "--max-error",
    type=click.FloatRange(0, min_open=True),
    metavar="P",
    help="Largest error against the given scores, as a probability.",
)
@click.option("--min-accuracy", type=click.FloatRange(0, 100), metavar="PERCENT", help="Accuracy to reach.")
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, metavar="S", help="Placements of each.")
@click.option("--no-place", is_flag=True, help="Cells only: synthesis and packing, no Fmax.")
@click.option("--no-cells", is_flag=True, help="No synthesis: the plan and the model alone, bits instead of cells.")
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, metavar="J", help="Points at a time.")
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="A dask scheduler that you trust, whose workers measure the points instead.",
)
@click.option("--tls-ca", metavar="FILE", help="Certificate authority of a tls:// scheduler (PEM).")
@click.option("--tls-cert", metavar="FILE", help="Certificate of this client for a tls:// scheduler (PEM).")
@click.option("--tls-key", metavar="FILE", help="Private key of that certificate (PEM).")
@click.option("-o", "--output", metavar="PAGE.html", help="Also write a page with the plots of the Pareto front.")
@click.option("--csv", "table", metavar="FILE.csv", help="Also write every point as a line of comma-separated values.")
def _explore(
    config: Config,
    console: Console,
    scores: ScoreFile | None,
    labels: str | None,
    sweeps: Sequence[str],
    part_name: str,
    fmax: float | None,
    max_ulp: float | None,
    max_cells: int | None,
    max_flips: float | None,
    max_error: float | None,
    min_accuracy: float | None,
    seeds: int,
    no_place: bool,
    no_cells: bool,
    jobs: int,
    scheduler: str | None,
    tls_ca: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    output: str | None,
    table: str | None,
) -> None:
    """Sweep keys on a part: the Pareto front of area, speed and error, and the smallest that meets your limits.

    The other keys are those of the configuration. With --scores accuracy, flips and error of the scores count too. Points are
    cached: after Ctrl-C the same command continues.
    """
    from softstream.scripts.reports.explore_report import render
    from softstream.scripts.scores import MOST_ELEMENTS, read_labels, read_scores
    from softstream.scripts.verbs.explore import Files, How, Tls, Wish, run
    from softstream.scripts.verbs.fidelity import EvaluationSet

    evaluation = None
    if scores:
        codes = read_scores(config, scores, most=MOST_ELEMENTS)  # every point quantises floats for itself
        for warning in codes.warnings:
            console.note(f"warning: {warning}")
        truth = read_labels(labels, codes, scores.ignore_label) if labels else None
        evaluation = EvaluationSet(codes, truth, scores.saturate)
    run(
        config.to_mapping(),
        sweeps,
        part_name,
        Wish(fmax, max_ulp, max_cells, max_flips, max_error, min_accuracy),
        console,
        How(seeds, not no_place, not no_cells, jobs, scheduler, Tls(tls_ca, tls_cert, tls_key)),
        evaluation=evaluation,
        files=Files(Path(output) if output else None, Path(table) if table else None),
        render=render,
    )


@_softstream.command(
    "import",
    short_help="Read a head from an ONNX model: its configuration and scores",
    params=[
        click.Argument(["model"], metavar="MODEL.onnx"),
        click.Option(
            ["--node"],
            metavar="NAME",
            help="The node, or the tensor that it writes; needed where several could become a head.",
        ),
        click.Option(
            ["--calibrate"],
            metavar="X.npy",
            help="Inputs of the model (.npz: by name): it runs up to the node, and the scores in front of it are saved.",
        ),
        click.Option(["--labels"], metavar="Y.npy", help="The correct index of each vector, for the comparison."),
        click.Option(
            ["--set", "settings"],
            metavar="KEY=VALUE",
            multiple=True,
            help="One key, which wins over that of the model.",
        ),
        click.Option(
            ["--compare", "compared"], is_flag=True, help="Also run the comparison; its report is in the folder."
        ),
        click.Option(["--no-place"], is_flag=True, help="Leave out synthesis, place and route of the comparison."),
        click.Option(
            ["-o", "--output"],
            metavar="CONFIG.toml|DIR",
            required=True,
            help="File of the configuration; with --calibrate a folder with config.toml and scores.npy.",
        ),
        *_print_options(),
    ],
)
def _import(
    model: str,
    node: str | None,
    calibrate: str | None,
    labels: str | None,
    settings: tuple[str, ...],
    compared: bool,
    no_place: bool,
    output: str,
    as_json: bool,
    quiet: bool,
    wide: bool,
) -> None:
    """Read a head from an ONNX model: mode, scale, zero point, axis, length and K become a configuration.

    Softmax, LogSoftmax, Hardmax, ArgMax, ArgMin, TopK and Sigmoid, with the quantisers around them. What the configuration
    cannot say is printed. Needs the extra softstream[onnx].
    """
    from softstream.scripts.verbs.import_onnx import Calibration, import_model

    for option, value in (("--labels", labels), ("--compare", compared)):
        if value and not calibrate:
            text = f"{option} {value}" if isinstance(value, str) else option
            raise UserError(f"{text}: needs the scores in front of the node; for example --calibrate X.npy")
    alone = as_json and not compared  # otherwise the document is that of the comparison
    console = Console(alone, quiet or (as_json and compared), wide)
    calibration = Calibration(calibrate, labels) if calibrate else None
    command = import_model(Path(model), node, calibration, settings, Path(output), console)
    if not compared:
        return
    printing = [f"--{name}" for name, chosen in (("json", as_json), ("quiet", quiet), ("wide", wide)) if chosen]
    words = [*command[1:], *(["--no-place"] if no_place else []), "-o", str(Path(output) / "report.html"), *printing]
    _softstream.main(words, prog_name="softstream", standalone_mode=False)


_BOARD = click.option(
    "--board",
    "board_name",
    metavar="B",
    shell_complete=_complete_board,
    required=True,
    help="Which board: see softstream boards.",
)


def _preset_of_board(options: dict[str, Any]) -> str:
    from softstream.boards.registry import board

    return board(options["board_name"]).preset


@_softstream.command(
    "boards",
    short_help="List the boards and what fits on them",
    params=[
        click.Option(
            ["--show", "board_name"],
            metavar="NAME",
            shell_complete=_complete_board,
            help="Show one board, with a drawing of what its LEDs show.",
        ),
        click.Option(["--expected"], is_flag=True, help="Also name presets that should fit and were not built."),
        *_print_options(),
    ],
)
def _boards(board_name: str | None, expected: bool, as_json: bool, quiet: bool, wide: bool) -> None:
    """List the boards: part, clock, link, presets that were built, verification level."""
    from softstream.scripts.verbs.boards import boards, show

    console = Console(as_json, quiet, wide)
    if board_name is None:
        boards(console, expected=expected)
    else:
        show(console, board_name, expected=expected)


@_verb(default=_preset_of_board)
@_BOARD
@click.option("-o", "--output", metavar="DIR", help="Directory for the bitstream; default build/B.")
@click.option("--clock", metavar="MHZ", help="Clock of the core, from the board's oscillator or its PLL.")
@click.option("--baud", type=click.IntRange(1), metavar="BAUD", help="Rate of the link; default that of the board.")
@click.option("--demo", is_flag=True, help="Stand-alone: plays stored digits, the winner on the LEDs; no link.")
@click.option("--plan-only", is_flag=True, help="Only the build plan, as an archive with the command to run.")
def _build(
    config: Config,
    console: Console,
    board_name: str,
    output: str | None,
    clock: str | None,
    baud: int | None,
    demo: bool,
    plan_only: bool,
) -> None:
    """Build the bitstream for a board; reports clock, cells and critical path.

    Without a configuration: the board's own preset. Vivado, Quartus and Radiant boards give a plan to run there.
    """
    from softstream.scripts.verbs.boards import build

    build(config, board_name, output, clock=clock, baud=baud, demo=demo, plan_only=plan_only, console=console)


@_softstream.command(
    "flash",
    short_help="Program a board with its bitstream",
    params=[
        click.Argument(["path"], metavar="[DIR|FILE]", required=False),
        click.Option(
            ["--board", "board_name"],
            metavar="B",
            shell_complete=_complete_board,
            help="Which board; default the one that DIR was built for.",
        ),
        click.Option(["--dry-run"], is_flag=True, help="Print the command and do nothing."),
        *_print_options(),
    ],
)
def _flash(path: str | None, board_name: str | None, dry_run: bool, as_json: bool, quiet: bool, wide: bool) -> None:
    """Program a board with the bitstream that softstream build left in build/B or DIR, or with FILE."""
    from softstream.scripts.verbs.boards import flash

    flash(board_name, path, dry_run, Console(as_json, quiet, wide))


def _preset_of_link(options: dict[str, Any]) -> str:
    return _preset_of_board(options) if options["board_name"] else "digits-softmax"


def _check_simulated(simulated: bool, board_name: str | None, port: str) -> None:
    """Raises `UserError` where the options of a simulated board contradict each other."""
    if simulated and not board_name:
        raise UserError("--simulated: needs the board that is to be simulated; for example --board icestick")
    if simulated and port != "auto":
        raise UserError(
            f"--port {port}: a simulated board has a port of its own; for example --simulated without --port"
        )


@_verb(default=_preset_of_link, name="run-on-board")
@click.option(
    "--board",
    "board_name",
    metavar="B",
    shell_complete=_complete_board,
    help="Use the preset and the rate of this board.",
)
@click.option("--port", metavar="auto|PATH", default="auto", show_default=True, help="Serial port of the board.")
@click.option("--simulated", is_flag=True, help="Simulate the board with the bitstream's design instead.")
@click.option("--baud", type=click.IntRange(1), metavar="BAUD", help="Rate of the link in the bitstream.")
@_scores_options()
@_SEED
@click.option(
    "--vectors", type=click.IntRange(0), default=100, show_default=True, metavar="V", help="Number of random vectors."
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Silence after which the board counts as dead; default 2, or 30 for a simulated one.",
)
@click.option("-o", "--output", metavar="FILE.html", help="Also write a report, as a page.")
def _run_on_board(
    config: Config,
    console: Console,
    board_name: str | None,
    port: str,
    simulated: bool,
    baud: int | None,
    scores: ScoreFile | None,
    seed: int,
    vectors: int,
    timeout: float | None,
    output: str | None,
) -> None:
    """Self-test of a board over its link: corner vectors, random vectors and your scores, compared with the model."""
    from softstream.boards.registry import board
    from softstream.scripts.reports.board_report import render
    from softstream.scripts.verbs.run_on_board import run

    row = board(board_name) if board_name else None
    _check_simulated(simulated, board_name, port)
    if row and baud is None:
        baud = row.baud
    run(
        config,
        console,
        port=port,
        baud=baud,
        simulated=row if simulated else None,
        scores=scores,
        seed=seed,
        vectors=vectors,
        timeout=timeout,
        output=Path(output) if output else None,
        render=render,
        following=_after_self_test(config, console, row, simulated, baud),
    )


def _after_self_test(config: Config, console: Console, row: Board | None, simulated: bool, baud: int | None) -> str:
    """The page where it can show what the head computes, with the same board."""
    from softstream.scripts.demonstration.classifier import check_configuration

    try:
        check_configuration(config)
    except UserError:
        row = None
    return console.command("serve", *_board_words(row, simulated, baud)) if row else "softstream boards"


def _board_words(row: Board, simulated: bool, baud: int | None) -> list[str]:
    """The options of a board; a simulated one gets the rate that suits the other verb."""
    if simulated:
        return ["--board", row.name, "--simulated"]
    return ["--board", row.name, *(["--baud", str(baud)] if baud not in (None, row.baud) else [])]


@_verb(default=_preset_of_board, name="serve")
@_BOARD
@click.option("--port", metavar="auto|PATH", default="auto", show_default=True, help="Serial port of the board.")
@click.option("--simulated", is_flag=True, help="Simulate the board with the bitstream's design instead.")
@click.option("--baud", type=click.IntRange(1), metavar="BAUD", help="Rate of the link in the bitstream.")
@click.option(
    "--http-port",
    type=click.IntRange(0, 65535),
    default=8737,
    show_default=True,
    metavar="N",
    help="Port of the page on the loopback interface; 0 takes a free one.",
)
def _serve(
    config: Config,
    console: Console,
    board_name: str,
    port: str,
    simulated: bool,
    baud: int | None,
    http_port: int,
) -> None:
    """Serve a local page on which a person draws a digit; the board computes its probabilities.

    The page is bound to the loopback interface and loads nothing from the network. Ctrl-C or SIGTERM ends it, with exit code 0.
    """
    from softstream.boards.registry import board
    from softstream.scripts.verbs.serve import serve

    _check_simulated(simulated, board_name, port)
    row = board(board_name)
    following = console.command("run-on-board", *_board_words(row, simulated, baud))
    serve(config, row, console, port=port, baud=baud, simulated=simulated, http_port=http_port, following=following)


@_softstream.command("doctor", short_help="Show every tool and what is missing", params=_print_options())
def _doctor(as_json: bool, quiet: bool, wide: bool) -> None:
    """Show every tool with its version and source, and the command that installs a missing one."""
    from softstream.scripts.verbs.boards import doctor

    doctor(Console(as_json, quiet, wide))


@_softstream.command(
    "cache",
    short_help="Show the size and place of the cache, or clear it",
    params=[
        click.Option(["--clear"], is_flag=True, help="Remove all entries."),
        click.Option(
            ["--limit"],
            metavar="SIZE",
            help="Bytes that the cache may hold from now on, for example 2GB; what was not used for the longest time goes.",
        ),
        *_print_options(),
    ],
)
def _cache(clear: bool, limit: str | None, as_json: bool, quiet: bool, wide: bool) -> None:
    """Show the place of the cache, its limit, and the size of what it holds; clear it, or set the limit.

    Bitstreams, measured cells, points of sweeps and built simulations are cached. Every entry has a checksum, and one that
    was damaged is made anew.
    """
    from softstream.scripts.verbs.cache import report

    report(Console(as_json, quiet, wide), clear=clear, limit=limit)


@_softstream.command(
    "new",
    short_help="Answer five questions, choose a preset, get a commented configuration file",
    params=[
        click.Option(["--need"], type=click.Choice(["class", "probabilities", "top-k", "draw"]), help="What you need."),
        click.Option(["--bits"], type=click.IntRange(2, 16), metavar="BITS", help="Bits of a score, 2 to 16."),
        click.Option(["--length"], type=click.IntRange(1, 1 << 20), metavar="N", help="Scores in the longest vector."),
        click.Option(["--part", "part_name"], metavar="PART", help="The part: hx8k, up5k, ecp5-25k."),
        click.Option(["--goal"], type=click.Choice(["speed", "size"]), help="What matters more."),
        click.Option(["--choice"], type=click.IntRange(1, 3), metavar="1|2|3", help="Which of those that are offered."),
        click.Option(
            ["-o", "--output"], metavar="CONFIG.toml", default="config.toml", show_default=True, help="File to write."
        ),
        *_print_options(),
    ],
)
def _new(
    need: str | None,
    bits: int | None,
    length: int | None,
    part_name: str | None,
    goal: str | None,
    choice: int | None,
    output: str,
    as_json: bool,
    quiet: bool,
    wide: bool,
) -> None:
    """Answer five questions, choose one of the best presets, and get a commented configuration file.

    Questions that an option answers are not asked. Without a terminal all five options are needed, and the best is taken
    unless --choice says otherwise.
    """
    from softstream.scripts.verbs.new import new

    answers = {"need": need, "bits": bits, "length": length, "part": part_name, "goal": goal}
    new(answers, choice, Path(output), Console(as_json, quiet, wide))


@_softstream.command(
    "presets",
    params=[
        click.Option(
            ["--part", "part_name"],
            metavar="PART",
            default="hx8k",
            show_default=True,
            help="The part of the cells and clocks: hx8k, up5k, ecp5-25k.",
        ),
        *_print_options(),
    ],
)
def _presets(part_name: str, as_json: bool, quiet: bool, wide: bool) -> None:
    """List the presets with a sentence each."""
    from softstream.scripts.verbs.presets import presets

    presets(part_name, Console(as_json, quiet, wide))


@_softstream.command(
    "keys",
    short_help="List the configuration keys, or explain one",
    params=[click.Argument(["key_name"], metavar="[NAME]", required=False), *_print_options()],
)
def _keys(key_name: str | None, as_json: bool, quiet: bool, wide: bool) -> None:
    """List the configuration keys with range, unit, default and meaning; or show one of them."""
    from softstream.scripts.verbs.keys import keys

    keys(key_name, Console(as_json, quiet, wide))


@_softstream.command("help", short_help="Show the help of a verb")
@click.argument("verb", required=False)
@click.pass_context
def _help(ctx: click.Context, verb: str | None) -> None:
    """Show the help of a verb, as VERB --help does."""
    group = ctx.parent
    assert group is not None
    if verb is None:
        click.echo(group.get_help())
        return
    name, command, _ = _softstream.resolve_command(group, [verb])
    assert command is not None  # an unknown verb is refused
    click.echo(command.get_help(click.Context(command, info_name=name, parent=group)))


@_softstream.command("man", short_help="Print the manual page")
def _man() -> None:
    """Print the manual page: every verb with its options, in the language of man.

    softstream man > ~/.local/share/man/man1/softstream.1 installs it; man softstream then shows it.
    """
    from softstream.scripts.manual import manual

    click.echo(manual(_softstream), nl=False)


@_softstream.command("completion", short_help="Print the completion script of a shell")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def _completion(shell: str) -> None:
    """Print the completion script of a shell.

    bash: eval "$(softstream completion bash)" in ~/.bashrc; zsh: the same in ~/.zshrc; fish: softstream completion fish >
    ~/.config/fish/completions/softstream.fish
    """
    from click.shell_completion import get_completion_class

    completion = get_completion_class(shell)
    assert completion is not None  # click has these three
    click.echo(completion(_softstream, {}, "softstream", "_SOFTSTREAM_COMPLETE").source())


def _fail(message: str, code: int) -> int:
    text = " ".join(message.split())
    if len(text) > _MESSAGE_CHARACTERS:
        half = _MESSAGE_CHARACTERS // 2
        text = f"{text[:half]} … {text[-half:]}"
    # What a person, a file or a board wrote must not reach the terminal as a control sequence.
    text = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )
    click.echo(f"error: {text}", err=True)
    return code


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command and exits with 0, or 1: mismatch or failed tool, 2: mistake of the caller, 3: missing tool, 4: fault
    of the link to a board, 130: Ctrl-C, 143: SIGTERM."""
    sys.exit(_main(list(sys.argv[1:] if arguments is None else arguments)))


def _main(arguments: list[str]) -> int:
    _open_standard_streams()
    # Amaranth's, of parts of a design whose construction an error ended; the error is told below.
    warnings.filterwarnings("ignore", message=r".* created but never used")
    signals: list[int] = []
    try:
        with _ended_by_sigterm(signals):
            _softstream.main(arguments, prog_name="softstream", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except (_InterruptedError, KeyboardInterrupt, click.Abort) as interrupt:
        word, code = ("terminated", 128 + signals[0]) if signals else ("interrupted", _INTERRUPTED)
        return _fail(f"{word}; {str(interrupt) or 'nothing was written'}", code)
    except SoftstreamError as error:
        return _fail_with_log(error)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "softstream"
        hint = _key_hint(error, arguments) or _example(error) or f"{where} --help shows what is possible"
        return _fail(f"{error.format_message().rstrip('.')}; {hint}", 2)
    except click.ClickException as error:
        return _fail(error.format_message(), 2)
    except OSError as error:  # of stdout: every other file is written by a function that reports its errors
        if error.filename is not None or error.errno not in (errno.ENOSPC, errno.EPIPE, errno.EIO, errno.EBADF):
            raise
        discard_stdout()
        return 1 if error.errno == errno.EPIPE else _fail(f"standard output: cannot be written ({error.strerror})", 1)
    return 0


def _fail_with_log(error: SoftstreamError) -> int:
    """Prints an error, and the last lines of the log of a failed tool."""
    _fail(str(error), error.exit_code)
    if isinstance(error, ToolFailure) and error.log is not None:
        try:
            tail = error.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        except OSError:
            tail = []
        for text in [*tail, f"log: {error.log}"]:
            click.echo(text, err=True)
    return error.exit_code


def _key_hint(error: click.UsageError, arguments: Sequence[str]) -> str:
    """The form with --set, where an unknown option is the name of a configuration key."""
    from softstream.hw.config.config import KEYS

    if not isinstance(error, click.NoSuchOption):
        return ""
    option = error.option_name
    for key in KEYS:
        if key.name == option.lstrip("-").replace("-", "_"):
            texts = [text for text in arguments if text == option or text.startswith(f"{option}=")]
            place = arguments.index(texts[0]) if texts else len(arguments)
            value = texts[0].partition("=")[2] if texts else ""
            following = arguments[place + 1] if place + 1 < len(arguments) else ""
            value = value or (following if following and not following.startswith("--") else "")
            default = str(key.default).lower() if isinstance(key.default, bool) else key.default
            return f"it is a configuration key: --set {key.name}={value or default}"
    return ""


def _example(error: click.UsageError) -> str:
    """A value that would do, where one is missing or refused; empty where none is known."""
    if not isinstance(error, click.BadParameter) or error.param is None:
        return ""
    parameter, kind = error.param, error.param.type
    if isinstance(kind, click.Choice):
        value = str(kind.choices[0])
    elif isinstance(kind, click.IntRange | click.FloatRange) and kind.min is not None:
        value = str(max(1, kind.min))
    elif kind is click.INT:
        value = "1"
    elif parameter.name in _EXAMPLES:
        value = _EXAMPLES[parameter.name]
    elif isinstance(parameter, click.Option) and parameter.name == "output" and parameter.metavar:
        value = "build/head" if parameter.metavar == "DIR" else f"build/{parameter.metavar.partition('|')[0].lower()}"
    else:
        return ""
    place = parameter.opts[0] if isinstance(parameter, click.Option) else error.ctx and error.ctx.command_path
    return f"for example {place} {value}"


def _open_standard_streams() -> None:
    """Opens stdin, stdout and stderr at the null device where they are closed, or the next file would take their place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without × shows ? and no traceback


@contextmanager
def _ended_by_sigterm(signals: list[int]) -> Iterator[None]:
    """Within the block SIGTERM raises `KeyboardInterrupt`, and its number goes into `signals`; a second one has no effect."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # files and processes are being cleaned up
        signals.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
