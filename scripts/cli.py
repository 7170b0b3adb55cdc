"""The command line: parses, calls, prints. The work is in the module of each verb, imported when the verb runs."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

import softstream
from softstream.hw.errors import SoftstreamError, ToolFailure, UserError
from softstream.scripts.console import Console

if TYPE_CHECKING:
    from softstream.hw.config.config import Config
    from softstream.hw.plan.profiles import Room
    from softstream.sim.simulators.runner import Simulator

__all__ = ["main"]

_INTERRUPTED = 130
_LOG_TAIL_LINES = 15
_CONFIGURATION = ("config_name", "preset", "config_file", "setting")

Verb = TypeVar("Verb", bound=Callable[..., Any])


class _InterruptedError(Exception):
    """Ctrl-C. click would turn it into an Abort after an empty line of its own."""


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order in which one uses them

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
    """A verb that takes a configuration, from parts in the order in which they stand on the command line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:
            values, _, order = self.make_parser(ctx).parse_args(args=list(args))
            left = {name: list(values.get(name) or ()) for name in _CONFIGURATION if name != "config_name"}
            ctx.meta["parts"] = [(p.name, left[p.name].pop(0)) for p in order if left.get(p.name)]
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from softstream.hw.config.config import KEYS

        if self.name != "describe":
            formatter.write_paragraph()
            formatter.write_text("softstream describe --help lists the configuration keys.")
            return
        with formatter.section("Configuration keys (--set KEY=VALUE, or lines of a TOML file)"):
            rows = []
            for key in KEYS:
                unit = "" if key.unit == "–" else f" {key.unit}"
                default = str(key.default).lower() if isinstance(key.default, bool) else key.default
                rows.append((key.name, f"{key.help} [{key.type_text}, {key.range_text}{unit}; default {default}]"))
            formatter.write_dl(rows)


def _resolve(
    ctx: click.Context, name: str | None, default: str | None = None, options: Mapping[str, Any] | None = None
) -> tuple[Config, str]:
    """(configuration, what `profile = auto` became and why): every part in order, a later one winning key by key."""
    from softstream.hw.config.config import load_toml, parse_setting
    from softstream.hw.config.presets import preset
    from softstream.hw.plan.profiles import resolve

    parts = list(ctx.meta["parts"])
    if name is not None:
        if "=" in name:
            raise UserError(f"'{name}': a setting needs its option; for example --set {name}")
        parts.insert(0, ("config_file" if name.endswith(".toml") or Path(name).is_file() else "preset", name))
    elif default is not None and not any(kind in ("preset", "config_file") for kind, _ in parts):
        parts.insert(0, ("preset", default))
    values: dict[str, Any] = {}
    for kind, text in parts:
        if kind == "preset":
            values.update(preset(text).to_mapping())
        elif kind == "config_file":
            values.update(load_toml(Path(text)))
        else:
            key, value = parse_setting(text)
            values[key] = value
    return resolve(values, _room(options or {}))


def _room(options: Mapping[str, Any]) -> Room | None:
    """What is known of the part that a verb's other options name."""
    from softstream.boards.flow.capacity import room_of_board, room_of_part
    from softstream.boards.registry import board

    if options.get("board_name"):
        return room_of_board(board(options["board_name"]), link=not options.get("demo"))
    return room_of_part(options["part_name"]) if options.get("part_name") else None


def _echo(config: Config, console: Console) -> None:
    """The resolved configuration in one line, for a person; the document has a key for it."""
    settings = " ".join(
        f"{key}={str(value).lower() if isinstance(value, bool) else value}"
        for key, value in config.to_mapping().items()
    )
    console.line(f"configuration: {settings}")


def _configuration_options() -> list[click.Parameter]:
    help_later = "One key. What stands later wins, among all three."
    return [
        click.Argument(["config_name"], metavar="[CONFIG]", required=False),
        click.Option(
            ["--preset"], metavar="NAME", multiple=True, help="A configuration by name: see softstream presets."
        ),
        click.Option(
            ["--config", "config_file"], metavar="FILE.toml", multiple=True, help="Configuration keys from a file."
        ),
        click.Option(["--set", "setting"], metavar="KEY=VALUE", multiple=True, help=help_later),
    ]


def _print_options() -> list[click.Parameter]:
    return [
        click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON document and nothing else."),
        click.Option(["--quiet"], is_flag=True, help="Print nothing but errors."),
    ]


def _verb(
    default: str | Callable[[dict[str, Any]], str] | None = None, name: str | None = None
) -> Callable[[Verb], click.Command]:
    """A verb of the group: the configuration's options, --json, --quiet; the function gets config and console.

    `default` is the preset where nothing is given, or a function that tells it from the verb's other options.
    """

    def decorate(function: Verb) -> click.Command:
        def called(
            config_name: str | None,
            preset: Sequence[str],
            config_file: Sequence[str],
            setting: Sequence[str],
            as_json: bool,
            quiet: bool,
            **options: Any,
        ) -> None:
            preset_name = default(options) if callable(default) else default
            config, picked = _resolve(click.get_current_context(), config_name, preset_name, options)
            console = Console(as_json, quiet)
            if picked:
                console.line(picked)
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


_SCORES = click.option(
    "--scores", metavar="F.npy", help="Scores [vectors, N]: integers are codes, floats are quantised."
)
_LENGTHS = click.option("--lengths", metavar="L.npy", help="Elements of each vector [vectors]; default: all N.")


class _SidebandOption(click.Option):
    """`--sideband`, whose former name `--beside` still works and is not shown in the help."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        return record and (record[0].replace(", --beside", ""), record[1])


_SIDEBAND = click.option(
    "--sideband",
    "--beside",
    "sideband",
    cls=_SidebandOption,
    metavar="NAME=F.npy",
    multiple=True,
    help="Sideband input of a head that takes one: [vectors, N], or [vectors]; for example mask=M.npy.",
)
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
    help="auto takes the one that answers soonest.",
)
_SEED = click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, metavar="S", help="Seed of what is random."
)


_PART = click.option("--part", "part_name", metavar="PART", help="Decides profile=auto: hx8k, up5k, ecp5-25k.")


@_verb()
@_PART
def _describe(config: Config, console: Console, part_name: str | None) -> None:
    """Show the plan: stages in order, formats, latency and interval, tables, error bound in ulp."""
    from softstream.scripts.verbs.describe import describe

    describe(config, console)


@_verb()
@click.option("-o", "--output", metavar="DIR", required=True, help="Directory for the files; its other files stay.")
@_PART
def _generate(config: Config, console: Console, output: str, part_name: str | None) -> None:
    """Write Verilog, the resolved configuration, a manifest and an instantiation template."""
    from softstream.scripts.verbs.generate import generate

    _echo(config, console)
    generate(config, Path(output), console)


@_verb()
@click.option(
    "--scores", metavar="F.npy", required=True, help="Scores [vectors, N]: integers are codes, floats are quantised."
)
@_LENGTHS
@_SIDEBAND
@_ENGINE
@_SIMULATOR
@_SEED
@click.option("-o", "--output", metavar="R.npz", required=True, help="File for the result.")
def _run(
    config: Config,
    console: Console,
    scores: str,
    lengths: str | None,
    sideband: tuple[str, ...],
    engine: str,
    simulator: Simulator,
    seed: int,
    output: str,
) -> None:
    """Run your own scores through the model or through the simulated Verilog."""
    from softstream.scripts.verbs.run import Run, run

    _echo(config, console)
    how = Run(engine, simulator, seed)
    run(config, Path(scores), Path(lengths) if lengths else None, sideband, Path(output), how, console)


@_verb()
@_SCORES
@_SIMULATOR
@click.option("--waves", is_flag=True, help="Keep a wave file, and say where it is.")
@_SEED
def _simulate(
    config: Config, console: Console, scores: str | None, simulator: Simulator, waves: bool, seed: int
) -> None:
    """Run the cocotb benches on the generated Verilog, against the model; prints the verdict table."""
    from softstream.scripts.verbs.simulate import simulate

    _echo(config, console)
    simulate(config, Path(scores) if scores else None, simulator, waves, seed, console)


@_verb(default="digits-softmax")
@_SCORES
@_LENGTHS
@click.option("--labels", metavar="Y.npy", help="The right index of each vector [vectors].")
@click.option(
    "-o", "--output", metavar="REPORT.html", help="Also write the report with its plots: one file, no network."
)
@click.option("--no-place", is_flag=True, help="Leave out synthesis, place and route.")
@click.option(
    "--modes",
    metavar="A,B,…",
    help="Set these side by side instead: modes and presets, any :key=value behind each; for example "
    "argmax,softmax,softmax:temperature=2,top-k-int8.",
)
@_SIDEBAND
def _compare(
    config: Config,
    console: Console,
    scores: str | None,
    lengths: str | None,
    labels: str | None,
    output: str | None,
    no_place: bool,
    modes: str | None,
    sideband: tuple[str, ...],
) -> None:
    """Compare argmax-only with normalised, or any of the family: accuracy, error, calibration, latency, resources and Fmax.

    Without --scores: the handwritten digits that come with softstream.
    """
    from softstream.scripts.output import check_file
    from softstream.scripts.scores import read_labels, read_scores, read_sidebands
    from softstream.scripts.verbs.compare import Comparison, compare
    from softstream.scripts.verbs.family import Family, entries, family

    _echo(config, console)
    for option, text in (("--labels", labels), ("--lengths", lengths)):
        if text and not scores:
            raise UserError(f"{option} {text}: needs the scores that it belongs to; for example --scores F.npy")
    if sideband and modes is None:
        raise UserError(
            f"--sideband {sideband[0]}: needs a member that takes it; for example --modes softmax:mask=true"
        )
    if output:
        check_file("-o", Path(output))
    members = None if modes is None else entries(modes, config)
    codes = read_scores(config, Path(scores), Path(lengths) if lengths else None) if scores else None
    truth = read_labels(Path(labels), *codes.codes.shape) if codes and labels else None
    arrays = read_sidebands(sideband)
    result: Comparison | Family
    with console.progress("comparing") as progress:
        if members is None:
            result = compare(config, codes, truth, place=not no_place, progress=progress)
        else:
            result = family(config, members, codes, truth, sideband=arrays, place=not no_place, progress=progress)
    if output:
        from softstream.scripts.reports import compare_report, family_report

        if isinstance(result, Family):
            family_report.write_html(result, Path(output))
        else:
            compare_report.write_html(result, Path(output))
    console.document({**result.to_json(), "report": output})
    columns, rows, right_aligned = result.table()
    console.table("", columns, rows, right=right_aligned)
    console.line(result.answer)
    if output:
        console.line(f"report: {output}")


@_verb(default="digits-softmax")
@_ENGINE
def _network(config: Config, console: Console, engine: str) -> None:
    """Run a digits classifier with softmax inside: accuracy with every softmax by the model of the hardware, beside float.

    64 hidden scores as 8 groups of 8, softmax in each, then 10 scores and their softmax; all heads are the configuration.
    """
    from softstream.scripts.verbs.network import network

    _echo(config, console)
    network(config, engine, console)


_JOBS = click.Option(
    ["--jobs"], type=click.IntRange(1), default=2, show_default=True, metavar="J", help="Tools at a time."
)


@_softstream.command(
    "gallery",
    short_help="The softmax family on one page, each member on a real vector",
    params=[
        click.Option(
            ["-o", "--output"], metavar="GALLERY.html", required=True, help="Where the page goes: one file, no network."
        ),
        *_print_options(),
    ],
)
def _gallery(output: str, as_json: bool, quiet: bool) -> None:
    """Each member of the softmax family: its formula, its output on a real vector beside float64, cost, and command."""
    from softstream.scripts.output import written_file
    from softstream.scripts.reports.gallery_report import render
    from softstream.scripts.verbs.gallery import evaluated

    console = Console(as_json, quiet)
    members = list(evaluated())
    with written_file("-o", Path(output)) as temporary:
        temporary.write_text(render(members), encoding="utf-8")
    errors = [(member, float(abs(values.model - values.exact).max()), values.bound) for member, values in members]
    console.document(
        {
            "page": output,
            "members": [
                {"member": member.title, "preset": member.preset, "largest_difference": error, "bound": bound}
                for member, error, bound in errors
            ],
        }
    )
    console.table(
        "on one vector of the digits, compared with float64",
        ("member", "preset", "largest error", "bound"),
        [(member.title, member.preset, f"{error:.5f}", f"{bound:.5f}") for member, error, bound in errors],
        right=("largest error", "bound"),
    )
    console.line(f"page: {output}")


@_softstream.command(
    "bench",
    short_help="Measure every variant: cells, Fmax, cycles, errors",
    params=[
        click.Option(["--only"], metavar="NAME", multiple=True, help="Only this variant; may be given several times."),
        click.Option(
            ["--seeds"], type=click.IntRange(1), default=5, show_default=True, metavar="S", help="Placements of each."
        ),
        click.Option(["--quick"], is_flag=True, help="One seed, no curves, not the tool's own speed."),
        _JOBS,
        click.Option(["-o", "--output"], metavar="DIR", help="Also write bench.json and bench.html there."),
        *_print_options(),
    ],
)
def _bench(
    only: Sequence[str], seeds: int, quick: bool, jobs: int, output: str | None, as_json: bool, quiet: bool
) -> None:
    """Measure every variant: cells, Fmax over placement seeds, critical path, cycles, errors.

    Synthesis and placement are kept from run to run; everything anew is a matter of minutes.
    """
    from softstream.scripts.reports.bench_report import render
    from softstream.scripts.verbs.bench import run

    run(only, seeds, quick, jobs, Path(output) if output else None, render, Console(as_json, quiet))


@_verb()
@click.option("--sweep", "sweeps", metavar="KEY=A,B,C", multiple=True, help="A key and its values; all combinations.")
@click.option(
    "--part", "part_name", metavar="PART", default="hx8k", show_default=True, help="What it is for: hx8k, ecp5-25k …"
)
@click.option("--fmax", type=click.FloatRange(0, min_open=True), metavar="MHZ", help="Clock to reach, median of seeds.")
@click.option("--max-ulp", type=click.FloatRange(0, min_open=True), metavar="ULP", help="Error bound to keep.")
@click.option("--max-cells", type=click.IntRange(1), metavar="N", help="Logic cells to keep to (LC or COMB).")
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, metavar="S", help="Placements of each.")
@click.option("--no-place", is_flag=True, help="Cells only: synthesis and packing, no Fmax.")
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, metavar="J", help="Points at a time.")
@click.option("--scheduler", metavar="ADDRESS", help="A dask scheduler, whose workers do the points instead.")
def _explore(
    config: Config,
    console: Console,
    sweeps: Sequence[str],
    part_name: str,
    fmax: float | None,
    max_ulp: float | None,
    max_cells: int | None,
    seeds: int,
    no_place: bool,
    jobs: int,
    scheduler: str | None,
) -> None:
    """Sweep keys on a part: the Pareto front of area, speed and error, and the smallest that meets your limits.

    The other keys are those of the configuration. Every point is kept: Ctrl-C, and the same command goes on.
    """
    from softstream.scripts.verbs.explore import Wish, run

    _echo(config, console)
    wish = Wish(fmax, max_ulp, max_cells)
    run(
        config.to_mapping(),
        sweeps,
        part_name,
        wish,
        console,
        seeds=seeds,
        place=not no_place,
        jobs=jobs,
        scheduler=scheduler,
    )


_BOARD = click.option("--board", "board_name", metavar="B", required=True, help="Which board: see softstream boards.")


def _preset_of_board(options: dict[str, Any]) -> str:
    from softstream.boards.registry import board

    return board(options["board_name"]).preset


@_softstream.command("boards", short_help="List the boards and what fits on them", params=_print_options())
def _boards(as_json: bool, quiet: bool) -> None:
    """List the boards: part, clock, link, which presets fit, how far each was verified."""
    from softstream.scripts.verbs.boards import boards

    boards(Console(as_json, quiet))


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

    Without a configuration: the board's own preset. Vivado and Quartus boards give a plan to run there.
    """
    from softstream.scripts.verbs.boards import build

    _echo(config, console)
    build(config, board_name, output, clock=clock, baud=baud, demo=demo, plan_only=plan_only, console=console)


@_softstream.command(
    "flash",
    short_help="Program a board with what was built",
    params=[
        click.Argument(["path"], metavar="[DIR|FILE]", required=False),
        click.Option(
            ["--board", "board_name"], metavar="B", help="Which board; default the one that DIR was built for."
        ),
        click.Option(["--dry-run"], is_flag=True, help="Print the command and do nothing."),
        *_print_options(),
    ],
)
def _flash(path: str | None, board_name: str | None, dry_run: bool, as_json: bool, quiet: bool) -> None:
    """Program a board with the bitstream that softstream build left in build/B or DIR, or with FILE."""
    from softstream.scripts.verbs.boards import flash

    flash(board_name, path, dry_run, Console(as_json, quiet))


def _preset_of_link(options: dict[str, Any]) -> str:
    return _preset_of_board(options) if options["board_name"] else "digits-softmax"


@_verb(default=_preset_of_link, name="run-on-board")
@click.option("--board", "board_name", metavar="B", help="Takes that board's preset and rate where none are given.")
@click.option("--port", metavar="auto|PATH", default="auto", show_default=True, help="Serial port of the board.")
@click.option("--simulated", is_flag=True, help="Nothing attached: simulate what build --board B would put there.")
@click.option("--baud", type=click.IntRange(1), metavar="BAUD", help="Rate of the link, as it was built.")
@_SCORES
@_LENGTHS
@_SEED
@click.option(
    "--vectors", type=click.IntRange(0), default=100, show_default=True, metavar="V", help="Number of random vectors."
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Silence after which the board is given up; default 2, or 30 for a simulated one.",
)
def _run_on_board(
    config: Config,
    console: Console,
    board_name: str | None,
    port: str,
    simulated: bool,
    baud: int | None,
    scores: str | None,
    lengths: str | None,
    seed: int,
    vectors: int,
    timeout: float | None,
) -> None:
    """Self-test of a board over its link: corner, random and your own scores, each result against the model."""
    from softstream.boards.registry import board
    from softstream.scripts.verbs.run_on_board import run

    _echo(config, console)
    if lengths and not scores:
        raise UserError(f"--lengths {lengths}: needs the scores that it belongs to; for example --scores F.npy")
    row = board(board_name) if board_name else None
    if simulated and row is None:
        raise UserError("--simulated: needs the board that is to be simulated; for example --board icestick")
    if simulated and port != "auto":
        raise UserError(
            f"--port {port}: a simulated board has a port of its own; for example --simulated without --port"
        )
    if row and baud is None:
        baud = row.baud
    run(
        config,
        console,
        port=port,
        baud=baud,
        simulated=row if simulated else None,
        scores=Path(scores) if scores else None,
        lengths=Path(lengths) if lengths else None,
        seed=seed,
        vectors=vectors,
        timeout=timeout,
    )


@_softstream.command("doctor", short_help="Show every tool and what is missing", params=_print_options())
def _doctor(as_json: bool, quiet: bool) -> None:
    """Show every tool: version, where it comes from, and the command that brings what is missing."""
    from softstream.scripts.verbs.boards import doctor

    doctor(Console(as_json, quiet))


@_softstream.command("presets", params=_print_options())
def _presets(as_json: bool, quiet: bool) -> None:
    """List the presets with what sets them apart."""
    from softstream.scripts.verbs.describe import presets

    presets(Console(as_json, quiet))


def _fail(message: str, code: int) -> int:
    click.echo("error: " + " ".join(message.split()), err=True)
    return code


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command and exits: 0, 1 mismatch or failed tool, 2 a person's mistake, 3 a missing tool, 4 a fault of the link
    to a board, 130 Ctrl-C."""
    sys.exit(_main(list(sys.argv[1:] if arguments is None else arguments)))


def _main(arguments: list[str]) -> int:
    try:
        _softstream.main(arguments, prog_name="softstream", standalone_mode=False)
    except ToolFailure as error:
        _fail(str(error), error.exit_code)
        if error.log is not None:
            try:
                tail = error.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_TAIL_LINES:]
            except OSError:
                tail = []
            for text in [*tail, f"log: {error.log}"]:
                click.echo(text, err=True)
        return error.exit_code
    except SoftstreamError as error:
        return _fail(str(error), error.exit_code)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "softstream"
        return _fail(f"{error.format_message().rstrip('.')}; {where} --help shows what is possible", 2)
    except click.ClickException as error:
        return _fail(error.format_message(), 2)
    except (_InterruptedError, KeyboardInterrupt, click.Abort) as interrupt:
        return _fail(f"interrupted; {str(interrupt) or 'nothing was written'}", _INTERRUPTED)
    return 0
