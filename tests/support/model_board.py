"""A board in Python at a pseudo-terminal: the protocol as README.md describes it, with the golden model in place of a head."""

import os
import threading
import tty

import numpy as np
from support.link_frames import elements_of, result_frames

from softstream.boards.link.protocol import BOARD_WINDOW, Corrupt, Decoder, Fault, Frame, Info, Type, encode
from softstream.hw.plan.ports import sidebands
from softstream.sim.beats import pad_vectors
from softstream.sim.golden import golden
from softstream.sim.golden.modes.gumbel import words_taken

__all__ = ["ModelBoard"]


class ModelBoard(threading.Thread):
    """A board at a pseudo-terminal that follows the protocol, with the model in place of a head.

    `mischief(frame)` gives the bytes that the board sends instead of the frame's."""

    def __init__(self, config, mischief=encode, info=None):
        super().__init__(daemon=True)
        self.config, self.mischief = config, mischief
        self.info = Info.of(config, 12e6).to_bytes() if info is None else info
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.port = os.ttyname(self.slave)
        self.most_unacknowledged = 0
        self.begin()
        self.start()

    def begin(self):
        self.vector, self.queue, self.fault = b"", [], False
        self.members = []
        self.expected = self.sent = self.acknowledged = self.words = 0

    def put(self, kind, payload=b"", sequence=0):
        os.write(self.master, self.mischief(Frame(kind, sequence, self.expected, payload)))

    def run(self):
        decoder = Decoder()
        try:
            while data := os.read(self.master, 1000):
                for frame in decoder.feed(data):
                    self.take(frame)
        except OSError:
            return

    def take(self, frame):
        if isinstance(frame, Frame) and frame.type == Type.INFO:
            self.begin()
            self.put(Type.INFO, self.info, frame.sequence)
            return
        if self.fault:
            return
        code = 0
        if isinstance(frame, Corrupt):
            code = Fault.CORRUPT
        elif frame.type in (Type.RUN, Type.RUN_END):
            code = Fault.SEQUENCE if frame.sequence != self.expected else 0
        if code:
            self.fault = True
            self.put(Type.ERROR, bytes([code]))
            return
        self.acknowledged = frame.acknowledge
        if frame.type in (Type.RUN, Type.RUN_END):
            self.expected = (self.expected + 1) & 0xFF
            self.vector += frame.payload
            if frame.type == Type.RUN_END:
                self.members.append(elements_of(self.config, self.vector))
                self.vector = b""
                if len(self.members) == self.config.ensemble:
                    self.queue += self.results()
                    self.members = []
            elif not self.queue:
                self.put(Type.ACK)
        while self.queue and (self.sent - self.acknowledged) & 0xFF < BOARD_WINDOW:
            self.put(*self.queue.pop(0), self.sent)
            self.sent = (self.sent + 1) & 0xFF
        self.most_unacknowledged = max(self.most_unacknowledged, (self.sent - self.acknowledged) & 0xFF)

    def results(self):
        scores, lengths = pad_vectors([codes[0] for codes, _ in self.members], self.config.score_format.minimum)
        sideband = {}
        for row in sidebands(self.config):
            values = [extra[row.array] for _, extra in self.members]
            of_elements = row.per == "element"
            sideband[row.array] = pad_vectors([v[0] for v in values], 0)[0] if of_elements else np.concatenate(values)
        mask = sideband.get("mask")
        model = golden(self.config, scores, lengths, sideband, before=self.words)
        self.words += int(words_taken(self.config, lengths, mask)[0])
        first = int(lengths[0])
        return result_frames(self.config, model, first, None if mask is None else mask[:1, :first], 42)
