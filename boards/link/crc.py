"""The link's CRC as a shift register: one bit per step, in the order in which a UART sends the bits.

Formula:  register ← (register >> 1) ^ (0x8408 if (register ^ bit) & 1 else 0)

The register also runs over the COBS code byte before every frame and over the delimiter behind it, as eight zeros each. The
two constants take that into account, so the hardware needs no gate for these bytes.
"""

from amaranth import Cat, Const, Value

from softstream.boards.link.protocol import CRC_BYTES, crc16

__all__ = ["CRC_INTACT", "CRC_START", "next_crc"]

_POLYNOMIAL = 0x8408


def _before_zeros(crc: int, bits: int) -> int:
    """The register's content `bits` zeros earlier."""
    for _ in range(bits):
        crc = ((crc ^ _POLYNOMIAL) << 1 | 1) & 0xFFFF if crc & 0x8000 else crc << 1
    return crc


def _after_zeros(crc: int, bits: int) -> int:
    """The register's content `bits` zeros later."""
    for _ in range(bits):
        crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
    return crc


CRC_START = _before_zeros(0xFFFF, 8)
"""Content before the code byte: eight zeros later it is 0xFFFF, where the CRC begins."""
CRC_INTACT = _after_zeros(0xFFFF, 8 * CRC_BYTES + 8)
"""Content behind the delimiter of an intact frame. It is the same for every frame, so the empty one tells it: its CRC is 0."""
assert crc16(b"") == 0


def next_crc(crc: Value, feedback: Value) -> Value:
    """The register one bit later, 16 bits; `feedback` is its lowest bit ^ the bit that arrives."""
    shifted = [crc[k + 1] if k < 15 else Const(0, 1) for k in range(16)]
    return Cat(bit ^ feedback if _POLYNOMIAL >> k & 1 else bit for k, bit in enumerate(shifted))
