"""The boards that tests build, with their configurations; the registry agrees on each."""

from softstream.hw.config.presets import preset

__all__ = ["ARGMAX", "BUILT", "CASES", "FAMILIES", "OTHERS", "SOFTMAX"]

ARGMAX = preset("digits-argmax")
# One per family: iCE40 HX and UP, ECP5, Gowin. The first bytes of what each part loads.
FAMILIES = {
    "icestick": b"\xff\x00\x00\xff\x7e\xaa\x99\x7e",
    "icebreaker": b"\xff\x00\x00\xff\x7e\xaa\x99\x7e",
    "ulx3s-12f": b"\xff\x00",
    "tang-nano-9k": b"1111",
}
# The others of which the registry says that they were built. One with the memories that a softmax head has: the part's are
# what place and route has trouble with (boards/tools/gowin.py).
OTHERS = {
    "hx8k-evn": ARGMAX,
    "upduino-v3": ARGMAX,
    "ulx3s-85f": ARGMAX,
    "orangecrab": ARGMAX,
    "ecpix5": ARGMAX,
    "colorlight-5a75b": ARGMAX,
    "colorlight-i5": ARGMAX,
    "icesugar": ARGMAX,
    "icesugar-nano": ARGMAX,
    "tinyfpga-bx": ARGMAX,
    "icesugar-pro": ARGMAX,
    "icepi-zero": ARGMAX,
    "tang-nano-20k": preset("digits-softmax"),
    "tang-primer-20k": ARGMAX,
    "tang-nano-1k": ARGMAX,
    "tang-nano-4k": preset("digits-softmax"),
    "fomu": ARGMAX,
    "colorlight-i9": ARGMAX,
}
BUILT = (*FAMILIES, *OTHERS)
"""Boards whose bitstream is built."""
SOFTMAX = preset("digits-softmax")
# Seconds of one core with empty caches: the bitstream, then what was synthesised and what is decoded, each built for Verilator
# and run.
CASES = {
    "icestick": preset("digits-argmax"),  # 55, Verilator's library included
    "hx8k-evn": SOFTMAX,  # 94
    "icebreaker": SOFTMAX.replace(profile="small"),  # 78
}
"""Boards whose bitstream is decoded and simulated, with the head of each."""
