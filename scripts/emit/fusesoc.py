"""A core description for FuseSoC: the head as a core, with targets for lint, simulation and synthesis."""

import softstream
from softstream.scripts.emit import testbench
from softstream.scripts.emit.head import GeneratedHead

__all__ = ["commands", "core_name", "files"]

_TEXT = """\
CAPI=2:
# Core of the {origin}.
#   fusesoc --cores-root . run --target=lint {core}
#   fusesoc --cores-root . run --target=sim {core}
#   fusesoc --cores-root . run --target=synth {core}
name: {core}
description: The {origin}

filesets:
  rtl:
    files:
      - {verilog}
{memories}    file_type: verilogSource
  tb:
    files:
      - {module}_tb.v: {{file_type: verilogSource}}
{beats}

targets:
  default: &default
    filesets: [rtl]
    toplevel: {module}

  lint:
    <<: *default
    flow: lint
    flow_options:
      tool: verilator

  sim:
    <<: *default
    filesets: [rtl, tb]
    toplevel: {module}_tb
    flow: sim
    flow_options:
      tool: icarus
      iverilog_options: [-g2005]
      vvp_options: [-N]

  synth:
    <<: *default
    flow: generic
    flow_options:
      tool: yosys
      arch: ice40
      output_format: json
"""


def core_name(head: GeneratedHead) -> str:
    """Vendor, library, name and version of the core."""
    return f"softstream:heads:{head.module}:{softstream.__version__}"


def files(head: GeneratedHead) -> dict[str, str]:
    """`MODULE.core`. Its target `sim` runs the files of the artefact `testbench`."""
    beats = [testbench.beats_file(head, stream.prefix) for stream in head.streams]
    text = _TEXT.format(
        origin=head.origin,
        core=core_name(head),
        verilog=head.verilog_file,
        module=head.module,
        memories="".join(f"      - {name}: {{file_type: user, copyto: {name}}}\n" for name in head.memory_files),
        # The testbench reads them from the folder that it runs in.
        beats="\n".join(f"      - {name}: {{file_type: user, copyto: {name}}}" for name in beats),
    )
    return {f"{head.module}.core": text}


def commands(head: GeneratedHead) -> list[str]:
    """The command that simulates the core."""
    return [f"fusesoc --cores-root . run --target=sim {core_name(head)}"]
