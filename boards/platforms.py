"""Boards that amaranth-boards lacks: pins, clock and part, one class each."""

from __future__ import annotations

from typing import Any

from amaranth.build import Attrs, Clock, Connector, Pins, Resource
from amaranth.vendor import GowinPlatform, LatticeECP5Platform

from softstream.hw.extras import need

try:
    from amaranth_boards.resources import ButtonResources, LEDResources, UARTResource
except ModuleNotFoundError:
    need("the pins of a board", "amaranth-boards")
    raise

__all__ = ["ColorlightI5Platform", "TangNano20kPlatform"]


class ColorlightI5Platform(LatticeECP5Platform):
    """Colorlight i5 v7.0 on its extension board, whose USB bridge carries the UART."""

    device = "LFE5U-25F"
    package = "BG381"
    speed = "6"
    default_clk = "clk25"
    resources = [  # noqa: RUF012 (Amaranth's convention)
        Resource("clk25", 0, Pins("P3", dir="i"), Clock(25e6), Attrs(IO_TYPE="LVCMOS33")),
        *LEDResources(pins="U16", invert=True, attrs=Attrs(IO_TYPE="LVCMOS33")),
        *ButtonResources(pins="K18", invert=True, attrs=Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP")),
        UARTResource(0, rx="H18", tx="J17", attrs=Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP")),
    ]
    connectors = [  # noqa: RUF012
        Connector("pmod", "e", "C17 B18 B20 F20 - - A18 A19 B19 D20 - -"),
        Connector("pmod", "f", "D1 C1 C2 E3 - - E2 D2 B1 A3 - -"),
    ]

    def toolchain_prepare(self, fragment: Any, name: str, **kwargs: Any) -> Any:
        return super().toolchain_prepare(fragment, name, **{"ecppack_opts": "--compress", **kwargs})


class TangNano20kPlatform(GowinPlatform):
    """Sipeed Tang Nano 20K; its USB bridge carries the UART."""

    part = "GW2AR-LV18QN88C8/I7"
    family = "GW2AR-18C"
    default_clk = "clk27"
    resources = [  # noqa: RUF012
        Resource("clk27", 0, Pins("4", dir="i"), Clock(27e6), Attrs(IO_TYPE="LVCMOS33")),
        *LEDResources(pins="15 16 17 18 19 20", invert=True, attrs=Attrs(IO_TYPE="LVCMOS33")),
        *ButtonResources(pins="88 87", attrs=Attrs(IO_TYPE="LVCMOS33", PULL_MODE="DOWN")),
        UARTResource(0, rx="70", tx="69", attrs=Attrs(IO_TYPE="LVCMOS33", PULL_MODE="UP")),
    ]
    connectors: list[Connector] = []  # noqa: RUF012

    @property
    def _chipdb_device(self) -> str:
        # The R is the memory in the package; the fabric, and its database, is the GW2A's.
        return "GW2A-18C"

    def toolchain_prepare(self, fragment: Any, name: str, **kwargs: Any) -> Any:
        overrides = {
            "add_options": "set_option -use_mspi_as_gpio 1 -use_sspi_as_gpio 1",
            "gowin_pack_opts": "--sspi_as_gpio --mspi_as_gpio",
        }
        return super().toolchain_prepare(fragment, name, **{**overrides, **kwargs})
