"""Boards that amaranth-boards lacks: pins, clock and part, one class each."""

from __future__ import annotations

from typing import Any

from amaranth.build import Attrs, Clock, Connector, Pins, Resource
from amaranth.vendor import GowinPlatform, LatticeECP5Platform, LatticePlatform, XilinxPlatform

from softstream.boards.tools.gatemate import GateMatePlatform
from softstream.hw.extras import need

try:
    from amaranth_boards.fomu_pvt import FomuPVTPlatform
    from amaranth_boards.resources import ButtonResources, LEDResources, UARTResource
except ModuleNotFoundError:
    need("the pins of a board", "amaranth-boards")
    raise

__all__ = [
    "ColorlightI5Platform",
    "ColorlightI9Platform",
    "CrossLinkNXEvaluationPlatform",
    "FomuPlatform",
    "GateMateEvaluationPlatform",
    "PynqZ2Platform",
    "TangNano1kPlatform",
    "TangNano4kPlatform",
    "TangNano20kPlatform",
]

# Pins: litex-boards, by the names of its files: colognechip_gatemate_evb, colorlight_i5 (both revisions), kosagi_fomu_pvt,
# lattice_crosslink_nx_evn, sipeed_tang_nano_4k, tul_pynq_z2; Apicula's examples/tangnano1k.cst and tangnano4k.cst.


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


class ColorlightI9Platform(ColorlightI5Platform):
    """Colorlight i9 v7.2 on the same extension board: a larger part, and the LED on another pin."""

    device = "LFE5U-45F"
    resources = [  # noqa: RUF012
        *(resource for resource in ColorlightI5Platform.resources if resource.name != "led"),
        *LEDResources(pins="L2", invert=True, attrs=Attrs(IO_TYPE="LVCMOS33")),
    ]


class FomuPlatform(FomuPVTPlatform):
    """Fomu PVT with its four touch pads as a connector: its USB socket goes to the FPGA itself and carries no UART."""

    connectors = [Connector("touch", 0, "E4 D5 E5 F5")]  # noqa: RUF012


class GateMateEvaluationPlatform(GateMatePlatform):
    """Cologne Chip GateMate evaluation board; its USB bridge programs and carries no UART, so the link is on a Pmod."""

    device = "CCGM1A1"
    default_clk = "clk10"
    resources = [  # noqa: RUF012
        Resource("clk10", 0, Pins("IO_SB_A8", dir="i"), Clock(10e6), Attrs(SCHMITT_TRIGGER="true")),
        *LEDResources(pins=" ".join(f"IO_EB_B{bit}" for bit in range(1, 9)), invert=True),
        *ButtonResources(pins="IO_EB_B0", invert=True),
    ]
    connectors = [  # noqa: RUF012
        Connector("pmod", 0, "IO_NB_A0 IO_NB_A1 IO_NB_A2 IO_NB_A3 - - IO_NB_B0 IO_NB_B1 IO_NB_B2 IO_NB_B3 - -"),
        Connector("pmod", 1, "IO_NB_A4 IO_NB_A5 IO_NB_A6 IO_NB_A7 - - IO_NB_B4 IO_NB_B5 IO_NB_B6 IO_NB_B7 - -"),
    ]


class TangNano1kPlatform(GowinPlatform):
    """Sipeed Tang Nano 1K; its USB bridge carries no UART, so the link is on header pins."""

    part = "GW1NZ-LV1QN48C6/I5"
    family = "GW1NZ-1"
    default_clk = "clk27"
    resources = [  # noqa: RUF012
        Resource("clk27", 0, Pins("47", dir="i"), Clock(27e6), Attrs(IO_TYPE="LVCMOS33")),
        *LEDResources(pins="9 11 10", invert=True, attrs=Attrs(IO_TYPE="LVCMOS33")),
        *ButtonResources(pins="13 44", invert=True, attrs=Attrs(IO_TYPE="LVCMOS33", PULL_MODE="UP")),
    ]
    connectors = [Connector("header", 0, {"22": "22", "23": "23"})]  # noqa: RUF012


class TangNano4kPlatform(GowinPlatform):
    """Sipeed Tang Nano 4K; its USB bridge carries no UART, so the link is on header pins."""

    part = "GW1NSR-LV4CQN48PC7/I6"
    family = "GW1NSR-4C"
    default_clk = "clk27"
    resources = [  # noqa: RUF012
        Resource("clk27", 0, Pins("45", dir="i"), Clock(27e6), Attrs(IO_TYPE="LVCMOS33")),
        *LEDResources(pins="10", attrs=Attrs(IO_TYPE="LVCMOS33")),
        *ButtonResources(pins="14 15", invert=True, attrs=Attrs(IO_TYPE="LVCMOS18", PULL_MODE="UP")),
    ]
    connectors = [Connector("header", 0, {"44": "44", "46": "46"})]  # noqa: RUF012

    @property
    def _chipdb_device(self) -> str:
        # The R is the memory in the package, the C the processor; the fabric's database is that of the GW1NS.
        return "GW1NS-4"


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


class PynqZ2Platform(XilinxPlatform):
    """TUL PYNQ-Z2; its own UART belongs to the processor, so the link is on the Arduino header."""

    device = "xc7z020"
    package = "clg400"
    speed = "1"
    default_clk = "clk125"
    resources = [  # noqa: RUF012
        Resource("clk125", 0, Pins("H16", dir="i"), Clock(125e6), Attrs(IOSTANDARD="LVCMOS33")),
        *LEDResources(pins="R14 P14 N16 M14", attrs=Attrs(IOSTANDARD="LVCMOS33")),
        *ButtonResources(pins="D19 D20 L20 L19", attrs=Attrs(IOSTANDARD="LVCMOS33")),
    ]
    connectors = [Connector("arduino", 0, {"0": "T14", "1": "U12"})]  # noqa: RUF012


class CrossLinkNXEvaluationPlatform(LatticePlatform):
    """Lattice CrossLink-NX evaluation board. Its UART needs 0 Ω at R15 and R17."""

    device = "LIFCL-40"
    package = "BG400"
    speed = "9"
    grade = "C"
    default_clk = "clk12"
    resources = [  # noqa: RUF012
        Resource("clk12", 0, Pins("L13", dir="i"), Clock(12e6), Attrs(IO_TYPE="LVCMOS33")),
        *LEDResources(pins="E17 F13 G13 F14 L16 L15 L20 L19", attrs=Attrs(IO_TYPE="LVCMOS33")),
        *ButtonResources(pins="G14 G15", invert=True, attrs=Attrs(IO_TYPE="LVCMOS33")),
        UARTResource(0, rx="F16", tx="F18", attrs=Attrs(IO_TYPE="LVCMOS33")),
    ]
    connectors: list[Connector] = []  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__(toolchain="Radiant")
