"""Digits as strokes of a pen, and the server of the demonstration with a board that Python plays."""

import threading
from contextlib import contextmanager

import numpy as np
from support.model_board import ModelBoard

from softstream.boards.link.host import open_link
from softstream.hw.config.presets import preset
from softstream.scripts.demonstration.application import HOST, Server, listening_sockets
from softstream.scripts.demonstration.classifier import Classifier

__all__ = ["DIGITS", "demonstration"]


def _arc(x, y, width, height, first, last, points=24):
    angles = np.radians(np.linspace(first, last, points))
    return [[float(x + width * np.cos(angle)), float(y + height * np.sin(angle))] for angle in angles]


DIGITS = (
    (0, [_arc(0.5, 0.5, 0.25, 0.38, -90, 270)]),
    (1, [[[0.35, 0.3], [0.52, 0.12], [0.52, 0.9]]]),
    (1, [[[0.5, 0.1], [0.5, 0.9]]]),
    (1, [[[0.6, 0.1], [0.45, 0.9]]]),
    (2, [[*_arc(0.5, 0.3, 0.22, 0.2, 180, 380), [0.28, 0.88], [0.75, 0.88]]]),
    (3, [_arc(0.48, 0.3, 0.22, 0.2, 200, 450) + _arc(0.48, 0.7, 0.24, 0.2, -90, 160)]),
    (4, [[[0.55, 0.1], [0.25, 0.6], [0.8, 0.6]], [[0.62, 0.4], [0.62, 0.92]]]),
    (5, [[[0.72, 0.12], [0.34, 0.12], [0.32, 0.45], *_arc(0.48, 0.65, 0.24, 0.23, -130, 140)]]),
    (6, [[[0.6, 0.1], [0.38, 0.4]], _arc(0.5, 0.68, 0.2, 0.2, 180, 540)]),
    (7, [[[0.25, 0.13], [0.75, 0.13], [0.42, 0.9]]]),
    (7, [[[0.25, 0.13], [0.75, 0.13], [0.42, 0.9]], [[0.35, 0.5], [0.66, 0.5]]]),
    (8, [_arc(0.5, 0.3, 0.18, 0.18, 90, 450), _arc(0.5, 0.69, 0.22, 0.2, -90, 270)]),
    (9, [_arc(0.5, 0.32, 0.2, 0.2, 0, 360), [[0.69, 0.5], [0.62, 0.9]]]),
)
"""Digit, strokes in the square from 0 to 1."""


@contextmanager
def demonstration(config=None, **board):
    """The address of a server whose board is played by the model; `board` as in `ModelBoard`."""
    config = preset("digits-softmax") if config is None else config
    sockets = listening_sockets(0)
    with open_link(ModelBoard(config, **board).port, timeout=2) as link:
        link.handshake(config)
        description = {"text": "a board", "simulated": True, "probabilities": config.traits.probabilities}
        server, ready = Server(Classifier(config, link), description), threading.Event()
        thread = threading.Thread(target=server.run, args=(sockets, ready.set), daemon=True)
        thread.start()
        assert ready.wait(10)
        try:
            yield f"http://{HOST}:{sockets[0].getsockname()[1]}"
        finally:
            server.stop()
            thread.join(10)
            assert not thread.is_alive()
