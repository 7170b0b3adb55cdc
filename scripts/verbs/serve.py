"""`softstream serve`: a page on which a person draws a digit, and a board names it."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from softstream.boards.registry import Board
from softstream.hw.config.config import Config
from softstream.hw.extras import absent, need
from softstream.scripts.console import Console
from softstream.scripts.verbs.run_on_board import SIMULATED_TIMEOUT, TIMEOUT

if TYPE_CHECKING:
    from softstream.scripts.demonstration.application import Server

__all__ = ["serve"]


def serve(
    config: Config,
    row: Board,
    console: Console,
    *,
    port: str = "auto",
    baud: int | None = None,
    simulated: bool = False,
    http_port: int = 0,
    timeout: float | None = None,
    following: str = "",
) -> None:
    """Serves the page until it is interrupted. `http_port` 0 takes a free one; `following` is the command of the last line.

    A simulated board without `baud` gets the fastest rate of its clock, because every bit is simulated.

    Raises `UserError` for a configuration that cannot name a digit and for a port that is in use, both before a board is
    simulated or a serial port opened; `LinkError` for a fault of the link; `MissingTool` without the extras.
    """
    need("serve", "cobs", "pyserial", "serve", *(["boards", "sim"] if simulated else []))
    from softstream.boards.link.host import open_link
    from softstream.boards.link.uart import MINIMUM_DIVISOR
    from softstream.scripts.demonstration.classifier import Classifier, check_configuration

    try:
        from softstream.scripts.demonstration.application import HOST, Server, listening_sockets
    except ModuleNotFoundError:
        raise absent(("tornado",), "serve") from None

    check_configuration(config)
    if baud is None:
        baud = row.clock_hz // MINIMUM_DIVISOR if simulated else row.baud
    with ExitStack() as stack:
        sockets = listening_sockets(http_port)
        for listener in sockets:
            stack.enter_context(closing(listener))
        if simulated:
            from softstream.scripts.verbs.simulated import simulated_board

            port = stack.enter_context(simulated_board(config, row, baud, console)).port
        link = stack.enter_context(
            open_link(port, baud, timeout=timeout or (SIMULATED_TIMEOUT if simulated else TIMEOUT))
        )
        info = link.handshake(config)
        description = {
            "board": row.name,
            "simulated": simulated,
            "clock_hz": info.clock_hz,
            "mode": config.mode,
            "digest": config.digest,
            "probabilities": config.traits.probabilities,
            "text": f"{row.title}, {row.device}, {info.clock_hz / 1e6:g} MHz; {config.traits.summary}; "
            f"link at {baud} bit/s, {link.port}",
        }
        server = Server(Classifier(config, link), description)
        address = f"http://{HOST}:{sockets[0].getsockname()[1]}/"
        console.document({**description, "address": address, "config": config.to_mapping()})
        console.line(f"{row.name}{' (simulated)' if simulated else ''} at {link.port}; draw a digit at {address}")
        console.line("Ctrl-C ends it.")
        _run(server, sockets)
        console.done(f"{server.digits} digit{'' if server.digits == 1 else 's'} through the board", following)


def _run(server: Server, sockets: list) -> None:
    """Serves until Ctrl-C or SIGTERM, which are the usual ends."""
    try:
        server.run(sockets)
    except KeyboardInterrupt:
        return
