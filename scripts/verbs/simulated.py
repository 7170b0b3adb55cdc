"""A board that is not there: the plan that `softstream build` would make, in a simulator, at a pseudo-terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from softstream.boards.registry import Board
from softstream.hw.config.config import Config
from softstream.hw.errors import MissingTool
from softstream.hw.extras import need
from softstream.scripts.console import Console

if TYPE_CHECKING:
    from softstream.sim.simulators.board import SimulatedBoard

__all__ = ["simulated_board"]


@contextmanager
def simulated_board(config: Config, row: Board, baud: int | None, console: Console) -> Iterator[SimulatedBoard]:
    """The board with power on. Verilator where it can be used, which is much quicker here, else Icarus.

    Raises `UserError` for what has no plan or no stand-ins, `MissingTool` without a simulator, `ToolFailure` where it fails.
    """
    need("--simulated", "boards", "sim")
    from softstream.boards.flow.plan import make_plan
    from softstream.boards.flow.simulation import BOARD, board_verilog
    from softstream.boards.link.uart import divisor
    from softstream.sim.simulators.board import SimulatedBoard
    from softstream.sim.simulators.toolbox import installed_simulators

    simulators = installed_simulators()
    if not simulators:
        raise MissingTool("--simulated: there is no simulator; apt install g++ for Verilator, or apt install iverilog")
    simulator = "verilator" if "verilator" in simulators else "icarus"
    with ExitStack() as stack:
        with console.progress(f"starting a simulated {row.name}"):
            plan = make_plan(config, row, baud=baud)
            text = board_verilog(plan)
            # The stand-in of a PLL passes its clock on: a bit has as many clocks as on the board.
            cycles = divisor(plan.clock.hz, plan.baud)
            board = stack.enter_context(SimulatedBoard(text, BOARD, divisor=cycles, simulator=simulator))
        console.line(
            f"SIMULATED, nothing is attached: the plan {plan.digest[:12]} of {row.name} ({row.device}) in {simulator}, "
            f"{cycles} clocks a bit"
        )
        yield board
