"""A passive monitor of the stream law; it drives nothing and depends on no simulator."""

from collections.abc import Sequence

__all__ = ["Payload", "StreamMonitor", "StreamViolation"]

Payload = tuple[int | None, ...]
"""Fields of one beat, in the order of the monitor's names; None where a bit of the field is X or Z."""


class StreamViolation(AssertionError):
    """A stream broke its law; the message names the stream, the cycle and the rule."""


class StreamMonitor:
    """Checks one stream; call `observe` at each rising clock edge with the values before the edge.

    The law: valid and ready are never X or Z; an offered beat stays offered, every field of it unchanged, until ready;
    no field of an offered beat is X or Z; valid is low during reset. `finish` checks the number
    of beats and packets since `begin`. Every breach raises `StreamViolation`. One field must have the name `tlast`.
    """

    def __init__(self, name: str, fields: Sequence[str] = ("tdata", "tlast")) -> None:
        self.name = name
        self.beats = 0
        """Beats transferred since `begin`."""
        self.packets = 0
        """Beats with tlast among them."""
        self.open = False
        """Whether a packet has begun and not ended."""
        self.cycle = 0
        """Rising edges observed so far, in and out of reset."""
        self._fields = tuple(fields)
        self._last = self._fields.index("tlast")
        self._held: Payload | None = None
        self._resetting = False

    def begin(self) -> None:
        """Restarts the counts of beats and packets at 0."""
        self.beats = 0
        self.packets = 0

    def observe(self, valid: int | None, ready: int | None, payload: Payload | None) -> bool:
        """Checks one clock edge out of reset and returns whether it transfers a beat."""
        self.cycle += 1
        self._resetting = False
        if valid == 0 and ready is not None:
            if self._held is not None:
                raise self._violation("tvalid fell before tready")
            return False
        if valid is None or ready is None:
            raise self._violation(f"{'tvalid' if valid is None else 'tready'} is X or Z")
        if payload is None or None in payload:
            which = [name for name, value in zip(self._fields, payload or (), strict=False) if value is None]
            raise self._violation(f"{', '.join(which) or 'payload'} X or Z in an offered beat")
        if self._held is not None and payload != self._held:
            changes = ", ".join(
                f"{name} {before:#x} to {after:#x}"
                for name, before, after in zip(self._fields, self._held, payload, strict=True)
                if before is not None and after is not None and before != after
            )
            raise self._violation(f"changed before tready: {changes}")
        if not ready:
            self._held = payload
            return False
        self._held = None
        self.beats += 1
        if payload[self._last]:
            self.packets += 1
        self.open = not payload[self._last]
        return True

    def observe_reset(self, valid: int | None) -> None:
        """One clock edge in reset. Before the first one valid may be anything; before the others it must be 0."""
        self.cycle += 1
        if self._resetting and valid != 0:
            raise self._violation(f"tvalid is {'X or Z' if valid is None else valid} during reset")
        self._resetting = True
        self._held = None
        self.open = False

    def finish(self, beats: int, packets: int) -> None:
        """Checks the counts since `begin`, and that no beat is still offered and no packet is open."""
        if self._held is not None:
            raise self._violation("a beat is left over, offered and not taken")
        if (self.beats, self.packets) != (beats, packets):
            raise self._violation(f"{self.beats} beats in {self.packets} packets; {beats} in {packets} were due")
        if self.open:
            raise self._violation("the last packet has no tlast")

    def _violation(self, what: str) -> StreamViolation:
        return StreamViolation(f"{self.name}: {what} (beat {self.beats}, cycle {self.cycle})")
