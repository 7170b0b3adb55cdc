"""A board for a simulator: the top of its build plan with models of its pads and its PLL.

    text = board_verilog(make_plan(config, board("icestick")))    # module softstream_board (clk, rx, tx)

The simulated design is the one that the tools get, down to the pads: the plan's own netlist, written as Verilog. A socket
around it has three wires: `clk` at the oscillator's pin, `rx` and `tx` at the link's. A reset button is released; LEDs are open.

The model of a PLL passes its reference on, so `clk` counts as the core's clock; it locks late, so the reset waits for it. The
models have no delay, no pull-up and no frequency.

Errors: `UserError` for a plan for a vendor's tools, and for a stand-alone demo, which has no link.
"""

from __future__ import annotations

import re
from importlib import resources

from softstream.boards.flow.build import cache_directory
from softstream.boards.flow.plan import BoardPlan
from softstream.boards.tools.measure import run_yosys
from softstream.hw import processes
from softstream.hw.errors import UserError

__all__ = ["BOARD", "board_verilog"]

BOARD = "softstream_board"
"""Name of the module with the wires `clk`, `rx` and `tx`."""

# Processes stay processes, as in the Verilog that Amaranth writes.
_SCRIPT = """\
read_rtlil top.il
proc -nomux -norom
memory_collect
write_verilog -norename -noattr top.v
"""
# Yosys writes signals without bits as [-1:0], operands of several widths, and cases without a default. Amaranth's platforms
# leave pins of pads open. A bus of which one bit computes another one looks like a loop.
_LINT = ("ASCRANGE", "CASEINCOMPLETE", "PINMISSING", "UNOPTFLAT", "WIDTHEXPAND", "WIDTHTRUNC")
"""Warnings of Verilator in its default settings that the text switches off, because its writers cannot avoid them."""


def board_verilog(plan: BoardPlan, design: str | None = None, module: str = "top") -> str:
    """Verilog of the module `BOARD` around the plan's top.

    Instead of the top, `design` may be a later stage of the same plan, with its primitives; its top `module` has the same pins.
    """
    row = plan.row
    if row.vendor or plan.demo:
        why = "its plan is for a vendor's tools" if row.vendor else "the stand-alone demo has no link"
        raise UserError(f"{row.name} simulated: {why}; for example --board icestick")
    if design is None:
        design = _verilog(plan) + (resources.files("softstream.boards.tools") / "primitives.v").read_text(
            encoding="utf-8"
        )
    waivers = "".join(f"/* verilator lint_off {rule} */\n" for rule in _LINT)
    return waivers + design + _socket(plan, module)


def _netlist(plan: BoardPlan) -> str:
    content = plan.plan.files["top.il"]
    return content if isinstance(content, str) else content.decode()


def _verilog(plan: BoardPlan) -> str:
    """The plan's netlist as Verilog."""
    with processes.temporary_folder() as place:
        (place / "top.il").write_text(_netlist(plan), encoding="utf-8")
        run_yosys(_SCRIPT, place, f"Verilog of {plan.row.name}", cache_directory(), plan.row.name, plan.digest)
        return (place / "top.v").read_text(encoding="utf-8")


def _socket(plan: BoardPlan, module: str) -> str:
    """The module `BOARD` around the pins that the plan's top has."""
    row = plan.row
    wires = {f"{row.oscillator}_0__io": "clk", "uart_0__rx__io": "rx", "uart_0__tx__io": "tx"}
    platform = row.make_platform()
    if platform.default_rst is not None:
        [button] = platform.lookup(platform.default_rst).ios
        wires[f"{platform.default_rst}_0__io"] = "1'b1" if button.invert else "1'b0"
    top = re.search(r"^module \\top$(.*?)^end$", _netlist(plan), re.MULTILINE | re.DOTALL)
    assert top is not None
    pins = re.findall(r"^  wire width (\d+) (?:input|output|inout) \d+ +\\(\S+)$", top[1], re.MULTILINE)
    # Each pin has a wire of its own, because a pad that may drive takes no constant and no input.
    lines = [f"  wire [{int(width) - 1}:0] pin_{number};" for number, (width, _) in enumerate(pins)]
    connections = []
    for number, (_, pin) in enumerate(pins):
        wire = wires.get(pin)
        if wire == "tx":
            lines.append(f"  assign tx = pin_{number};")
        elif wire is not None:
            lines.append(f"  assign pin_{number} = {wire};")
        connections.append(f".\\{pin} (pin_{number})")
    body = "\n".join(lines)
    return (
        f"\nmodule {BOARD} (input clk, input rx, output tx);\n{body}\n"
        f"  {module} board ({', '.join(connections)});\nendmodule\n"
    )
