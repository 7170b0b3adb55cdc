"""The boards, one row each: part, clock, link, programmer. Needs no Amaranth until a platform is made.

Adding a board is a row in `BOARDS` and, where amaranth-boards lacks it, a class in `platforms.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from softstream.boards.tools import gowin
from softstream.hw.config.config import nearest
from softstream.hw.errors import UserError
from softstream.hw.extras import need

if TYPE_CHECKING:
    from amaranth.build import Platform

__all__ = ["ABSENT", "BOARDS", "Board", "Header", "Programmer", "board"]

Toolchain = Literal["ice40", "ecp5", "gowin", "gatemate", "vivado", "quartus", "radiant"]


@dataclass(frozen=True)
class Header:
    """A UART on header pins, 3.3 V: wire a USB-serial adapter there."""

    connector: tuple[str, int]
    rx: str
    """Pin of the connector at which the board receives."""
    tx: str
    where: str
    """The names of the two pins on the board."""


@dataclass(frozen=True)
class Programmer:
    """The program that loads a bitstream into the board. `{bitstream}` in an argument is the file."""

    tool: str
    arguments: tuple[str, ...]
    brings: str
    """The command that installs the tool."""

    def command(self, bitstream: str) -> list[str]:
        """Program and arguments for one file."""
        return [self.tool, *(argument.replace("{bitstream}", bitstream) for argument in self.arguments)]


@dataclass(frozen=True, kw_only=True)
class Board:
    """One board. Frequencies in Hz."""

    name: str
    title: str
    platform: str
    """`module:Class` of the Amaranth platform."""
    device: str
    toolchain: Toolchain
    part: str = "ecp5-25k"
    """The row of `boards/tools/parts.py` whose measured cells decide what fits.

    If the board is `measured`, it is of the same fabric, and the board's synthesis has that row's options."""
    die: str = ""
    """The device whose die this part has, where that is another one: place and route takes its database for both."""
    speed: int = 0
    """Speed grade, higher is faster; compared among the parts of one die alone."""
    cells: int
    """Logic cells (LUT with flip-flop) of the part."""
    memory_bits: int
    """Bits of block RAM of the part."""
    oscillator: str
    """Clock resource, or the part's own oscillator by its primitive's name."""
    oscillator_hz: int
    clock_at_pll: bool = False
    """Whether the oscillator drives the PLL's own pin (iCE40): then the PLL takes the pad."""
    clock_hz: int
    """Default clock of the core: the oscillator's or one that the PLL makes."""
    preset: str = "digits-softmax"
    """Default configuration; it fits the board."""
    header: Header | None = None
    """Pins of the link on a board without a UART of its own."""
    extra: str = ""
    """Attribute of the platform with resources to add, such as a section of the board that can be broken off."""
    baud: int = 115200
    programmer: Programmer
    usb: tuple[int, int]
    """Vendor and product id under which the board (or its programmer) shows up."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Overrides of the platform's build."""
    bitstream: str = ""
    """Suffix of the file that is flashed."""
    note: str = ""
    decoded: bool = False
    """Whether the tests decode its bitstream and simulate the result."""

    @property
    def link(self) -> str:
        """The host's way to the core, in words."""
        return "UART" if self.header is None else f"UART on {self.header.where}"

    @property
    def vendor(self) -> bool:
        """Whether a vendor's tools make the bitstream: then softstream makes the plan alone."""
        return self.toolchain in ("vivado", "quartus", "radiant")

    @property
    def measured(self) -> bool:
        """Whether `part` is of the board's own fabric, so that its cells are exact."""
        return self.toolchain in ("ice40", "ecp5")

    def stands_for(self, other: Board) -> bool:
        """Whether a build for this board shows that the same head fits the other and meets its clock.

        They have the same die, so that they differ in package, pins and LEDs alone; the other's speed grade is no slower and its
        clock no higher.
        """
        same = (self.die or self.device) == (other.die or other.device)
        return same and self.speed <= other.speed and self.clock_hz >= other.clock_hz

    @property
    def verified(self) -> str:
        """What the tests verify: its plan, its bitstream, or its decoded and simulated bitstream; never the board itself."""
        if self.vendor:
            return "plan"
        return "decoded bitstream" if self.decoded else "bitstream"

    def make_platform(self) -> Platform:
        """A new platform, because Amaranth allows one build each, with the row's extra resources and the link's header pins.

        Raises `MissingTool` without amaranth-boards.
        """
        need(f"a design for {self.name}", "amaranth-boards")
        module, _, name = self.platform.partition(":")
        platform = getattr(import_module(module), name)()
        if self.extra:
            platform.add_resources(getattr(platform, self.extra))
        if self.toolchain == "gowin":
            platform.add_file(gowin.LIBRARY_FILE, gowin.LIBRARY)
        if self.header is not None:
            from amaranth.build import Attrs
            from amaranth_boards.resources import UARTResource

            attrs = {
                "ice40": Attrs(IO_STANDARD="SB_LVCMOS", PULLUP=1),
                "ecp5": Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP"),
                "gowin": Attrs(IO_TYPE="LVCMOS33", PULL_MODE="UP"),
                "gatemate": Attrs(PULLUP="true"),
                "vivado": Attrs(IOSTANDARD="LVCMOS33"),
                "quartus": Attrs(io_standard="3.3-V LVTTL"),
            }[self.toolchain]
            pins = {"rx": self.header.rx, "tx": self.header.tx}
            platform.add_resources([UARTResource(0, **pins, conn=self.header.connector, attrs=attrs)])
        return platform


# Programmers and USB ids: iceprog's own help (boards with an FT2232H or FT232H; the breakout board's two modes),
# openFPGALoader's src/board.hpp (names and their cables) and src/cable.hpp (USB ids), version 1.1; dfu-util's ids from its
# rows for the OrangeCrab and the Fomu; apio's definitions/boards.jsonc for the iCESugar boards, the Fomu, the TinyFPGA BX and
# the Icepi Zero: it gives the iCESugar-pro to openFPGALoader, with the ids of the probe. They agree with the
# `toolchain_program` of amaranth-boards, except that openFPGALoader replaces openocd, xc3sprog and Vivado.


def _iceprog(*options: str) -> Programmer:
    return Programmer("iceprog", (*options, "{bitstream}"), "apt install fpga-icestorm")


def _loader(*options: str) -> Programmer:
    return Programmer("openFPGALoader", (*options, "{bitstream}"), "apt install openfpgaloader")


def _icesprog() -> Programmer:
    return Programmer("icesprog", ("{bitstream}",), "build icesprog from the iCESugar repository")


def _quartus(operation: str = "P;{bitstream}") -> Programmer:
    return Programmer("quartus_pgm", ("--mode", "JTAG", "--operation", operation), "install Quartus Prime Lite")


_ICELINK = (0x1D50, 0x602B)
_FT2232 = (0x0403, 0x6010)
_UP5K = "iCE40 UP5K"

BOARDS: dict[str, Board] = {
    row.name: row
    for row in (
        Board(
            name="icebreaker",
            title="1BitSquared iCEBreaker",
            decoded=True,
            platform="amaranth_boards.icebreaker:ICEBreakerPlatform",
            device=_UP5K,
            toolchain="ice40",
            part="up5k",
            cells=5280,
            memory_bits=30 * 4096,
            oscillator="clk12",
            oscillator_hz=12_000_000,
            clock_at_pll=True,
            clock_hz=12_000_000,
            extra="break_off_pmod",
            programmer=_iceprog(),
            usb=_FT2232,
            bitstream="bin",
        ),
        Board(
            name="icestick",
            title="Lattice iCEstick",
            decoded=True,
            platform="amaranth_boards.icestick:ICEStickPlatform",
            device="iCE40 HX1K",
            speed=1,
            toolchain="ice40",
            part="hx8k",
            cells=1280,
            memory_bits=16 * 4096,
            oscillator="clk12",
            oscillator_hz=12_000_000,
            clock_hz=12_000_000,
            preset="digits-argmax",
            programmer=_iceprog(),
            usb=_FT2232,
            bitstream="bin",
        ),
        Board(
            name="hx8k-evn",
            title="Lattice iCE40-HX8K-B-EVN",
            decoded=True,
            platform="amaranth_boards.ice40_hx8k_b_evn:ICE40HX8KBEVNPlatform",
            device="iCE40 HX8K",
            speed=1,
            toolchain="ice40",
            part="hx8k",
            cells=7680,
            memory_bits=32 * 4096,
            oscillator="clk12",
            oscillator_hz=12_000_000,
            clock_hz=12_000_000,
            programmer=_iceprog("-S"),
            usb=_FT2232,
            bitstream="bin",
            note="set its jumpers for the SRAM: the bitstream goes there and is gone with the power",
        ),
        Board(
            name="upduino-v3",
            title="tinyVision UPduino v3",
            platform="amaranth_boards.upduino_v3:UpduinoV3Platform",
            device=_UP5K,
            toolchain="ice40",
            part="up5k",
            cells=5280,
            memory_bits=30 * 4096,
            oscillator="clk12",
            oscillator_hz=12_000_000,
            clock_hz=12_000_000,
            header=Header(("j", 0), "19", "20", "header pins 38 (rx) and 28 (tx)"),
            programmer=_iceprog(),
            usb=(0x0403, 0x6014),
            bitstream="bin",
            note="close the OSC jumper: the clock comes from it, the part's own oscillator is too loose for a UART",
        ),
        Board(
            name="icesugar",
            title="MuseLab iCESugar v1.5",
            platform="amaranth_boards.icesugar:ICESugarPlatform",
            device=_UP5K,
            toolchain="ice40",
            part="up5k",
            cells=5280,
            memory_bits=30 * 4096,
            oscillator="clk12",
            oscillator_hz=12_000_000,
            clock_hz=12_000_000,
            programmer=_icesprog(),
            usb=_ICELINK,
            bitstream="bin",
        ),
        Board(
            name="icesugar-nano",
            title="MuseLab iCESugar-nano",
            platform="amaranth_boards.icesugar_nano:ICESugarNanoPlatform",
            device="iCE40 LP1K",
            die="iCE40 HX1K",
            toolchain="ice40",
            part="hx8k",
            cells=1280,
            memory_bits=16 * 4096,
            oscillator="clk12",
            oscillator_hz=12_000_000,
            clock_hz=12_000_000,
            preset="digits-argmax",
            programmer=_icesprog(),
            usb=_ICELINK,
            bitstream="bin",
            note="its clock comes from the programmer: icesprog -c 2 sets 12 MHz",
        ),
        Board(
            name="tinyfpga-bx",
            title="TinyFPGA BX",
            platform="amaranth_boards.tinyfpga_bx:TinyFPGABXPlatform",
            device="iCE40 LP8K",
            die="iCE40 HX8K",
            toolchain="ice40",
            part="hx8k",
            cells=7680,
            memory_bits=32 * 4096,
            oscillator="clk16",
            oscillator_hz=16_000_000,
            clock_hz=16_000_000,
            header=Header(("gpio", 0), "1", "2", "pins 1 (rx) and 2 (tx)"),
            programmer=Programmer("tinyprog", ("-p", "{bitstream}"), "pip install tinyprog"),
            usb=(0x1D50, 0x6130),
            bitstream="bin",
            note="press its reset button: the boot loader takes the bitstream",
        ),
        Board(
            name="fomu",
            title="Fomu PVT",
            platform="softstream.boards.platforms:FomuPlatform",
            device=_UP5K,
            toolchain="ice40",
            part="up5k",
            cells=5280,
            memory_bits=30 * 4096,
            oscillator="clk48",
            oscillator_hz=48_000_000,
            clock_hz=24_000_000,
            header=Header(("touch", 0), "1", "2", "touch pads 1 (rx) and 2 (tx)"),
            programmer=Programmer("dfu-util", ("-d", "1209:5bf0", "-D", "{bitstream}"), "apt install dfu-util"),
            usb=(0x1209, 0x5BF0),
            bitstream="bin",
            note="its USB socket goes to the FPGA and carries no UART: solder wires to the touch pads, or build with --demo",
        ),
        Board(
            name="icesugar-pro",
            title="MuseLab iCESugar-pro",
            platform="amaranth_boards.icesugar_pro:ICESugarProPlatform",
            device="ECP5 LFE5U-25F",
            speed=6,
            toolchain="ecp5",
            part="ecp5-25k",
            cells=24_288,
            memory_bits=56 * 18432,
            oscillator="clk25",
            oscillator_hz=25_000_000,
            clock_hz=25_000_000,
            programmer=_loader("-c", "cmsisdap", "--vid", "0x1d50", "--pid", "0x602b"),
            usb=_ICELINK,
            bitstream="bit",
        ),
        Board(
            name="icepi-zero",
            title="Icepi Zero v1.3",
            platform="amaranth_boards.icepi_zero:IcepiZero1_3Platform",
            device="ECP5 LFE5U-25F",
            speed=6,
            toolchain="ecp5",
            part="ecp5-25k",
            cells=24_288,
            memory_bits=56 * 18432,
            oscillator="clk50",
            oscillator_hz=50_000_000,
            clock_hz=50_000_000,
            programmer=_loader("-b", "icepi-zero"),
            usb=(0x0403, 0x6015),
            bitstream="bit",
        ),
        *(
            Board(
                name=f"ulx3s-{size}f",
                title=f"Radiona ULX3S {size}F",
                platform=f"amaranth_boards.ulx3s:ULX3S_{size}F_Platform",
                device=f"ECP5 LFE5U-{size}F",
                die="ECP5 LFE5U-25F" if size == "12" else "",
                speed=6,
                toolchain="ecp5",
                part="ecp5-25k",
                cells=cells,
                memory_bits=blocks * 18432,
                oscillator="clk25",
                oscillator_hz=25_000_000,
                clock_hz=25_000_000,
                programmer=_loader("-b", "ulx3s"),
                usb=(0x0403, 0x6015),
                bitstream="bit",
            )
            # The 12F is a 25F whose data sheet promises half of its cells, so only half counts.
            for size, cells, blocks in (("12", 12_096, 32), ("85", 83_640, 208))
        ),
        Board(
            name="orangecrab",
            title="OrangeCrab r0.2 (25F)",
            platform="amaranth_boards.orangecrab_r0_2:OrangeCrabR0_2_25FPlatform",
            device="ECP5 LFE5U-25F",
            speed=8,
            toolchain="ecp5",
            part="ecp5-25k",
            cells=24_288,
            memory_bits=56 * 18432,
            oscillator="clk",
            oscillator_hz=48_000_000,
            clock_hz=48_000_000,
            header=Header(("io", 0), "0", "1", "header pins 0 (rx) and 1 (tx)"),
            programmer=Programmer(
                "dfu-util", ("-d", "1209:5af0", "-a", "0", "-D", "{bitstream}"), "apt install dfu-util"
            ),
            usb=(0x1209, 0x5AF0),
            bitstream="bit",
            note="hold the button while plugging it in: the boot loader takes the bitstream",
        ),
        Board(
            name="ecpix5",
            title="LambdaConcept ECPIX-5 (85F)",
            platform="amaranth_boards.ecpix5:ECPIX585Platform",
            device="ECP5 LFE5UM5G-85F",
            speed=8,
            toolchain="ecp5",
            part="ecp5-25k",
            cells=83_640,
            memory_bits=208 * 18432,
            oscillator="clk100",
            oscillator_hz=100_000_000,
            clock_hz=50_000_000,
            programmer=_loader("-b", "ecpix5"),
            usb=_FT2232,
            bitstream="bit",
            note="from revision 3 on it has another bridge: openFPGALoader -b ecpix5_r03",
        ),
        Board(
            name="colorlight-5a75b",
            title="Colorlight 5A-75B v7.0",
            platform="amaranth_boards.colorlight_5a75b_r7_0:Colorlight_5A75B_R70Platform",
            device="ECP5 LFE5U-25F",
            speed=6,
            toolchain="ecp5",
            part="ecp5-25k",
            cells=24_288,
            memory_bits=56 * 18432,
            oscillator="clk25",
            oscillator_hz=25_000_000,
            clock_hz=25_000_000,
            programmer=_loader("-c", "ft232"),
            usb=(0x0403, 0x6014),
            bitstream="bit",
            note="the UART is on J19, in the place of the LED and of the key",
        ),
        Board(
            name="colorlight-i5",
            title="Colorlight i5 v7.0 with extension board",
            platform="softstream.boards.platforms:ColorlightI5Platform",
            device="ECP5 LFE5U-25F",
            speed=6,
            toolchain="ecp5",
            part="ecp5-25k",
            cells=24_288,
            memory_bits=56 * 18432,
            oscillator="clk25",
            oscillator_hz=25_000_000,
            clock_hz=25_000_000,
            programmer=_loader("-b", "colorlight-i5"),
            usb=(0x0D28, 0x0204),
            bitstream="bit",
        ),
        Board(
            name="colorlight-i9",
            title="Colorlight i9 v7.2 with extension board",
            platform="softstream.boards.platforms:ColorlightI9Platform",
            device="ECP5 LFE5U-45F",
            speed=6,
            toolchain="ecp5",
            part="ecp5-25k",
            cells=43_848,
            memory_bits=108 * 18432,
            oscillator="clk25",
            oscillator_hz=25_000_000,
            clock_hz=25_000_000,
            programmer=_loader("-b", "colorlight-i9"),
            usb=(0x0D28, 0x0204),
            bitstream="bit",
        ),
        Board(
            name="tang-nano-1k",
            title="Sipeed Tang Nano 1K",
            platform="softstream.boards.platforms:TangNano1kPlatform",
            device="Gowin GW1NZ-1",
            toolchain="gowin",
            cells=1152,
            memory_bits=4 * 18432,
            oscillator="clk27",
            oscillator_hz=27_000_000,
            clock_hz=27_000_000,
            preset="digits-argmax",
            header=Header(("header", 0), "22", "23", "header pins 22 (rx) and 23 (tx)"),
            programmer=_loader("-b", "tangnano1k"),
            usb=_FT2232,
            options=gowin.OPTIONS,
            bitstream="fs",
        ),
        Board(
            name="tang-nano-4k",
            title="Sipeed Tang Nano 4K",
            platform="softstream.boards.platforms:TangNano4kPlatform",
            device="Gowin GW1NSR-4C",
            toolchain="gowin",
            cells=4608,
            memory_bits=10 * 18432,
            oscillator="clk27",
            oscillator_hz=27_000_000,
            clock_hz=27_000_000,
            header=Header(("header", 0), "46", "44", "header pins 46 (rx) and 44 (tx)"),
            programmer=_loader("-b", "tangnano4k"),
            usb=_FT2232,
            options=gowin.OPTIONS_BLOCKS_ALONE,
            bitstream="fs",
        ),
        Board(
            name="tang-nano-9k",
            title="Sipeed Tang Nano 9K",
            platform="amaranth_boards.tang_nano_9k:TangNano9kPlatform",
            device="Gowin GW1NR-9C",
            toolchain="gowin",
            cells=8640,
            memory_bits=26 * 18432,
            oscillator="clk27",
            oscillator_hz=27_000_000,
            clock_hz=27_000_000,
            programmer=_loader("-b", "tangnano9k"),
            usb=_FT2232,
            options=gowin.OPTIONS,
            bitstream="fs",
        ),
        Board(
            name="tang-nano-20k",
            title="Sipeed Tang Nano 20K",
            platform="softstream.boards.platforms:TangNano20kPlatform",
            device="Gowin GW2AR-18C",
            die="Gowin GW2A-18C",
            toolchain="gowin",
            cells=20_736,
            memory_bits=46 * 18432,
            oscillator="clk27",
            oscillator_hz=27_000_000,
            clock_hz=27_000_000,
            # By its cable: its name is unknown to version 0.10, which Debian 12 has.
            programmer=_loader("-c", "ft2232"),
            usb=_FT2232,
            options=gowin.OPTIONS,
            bitstream="fs",
        ),
        Board(
            name="tang-primer-20k",
            title="Sipeed Tang Primer 20K Dock",
            platform="amaranth_boards.tang_primer_20k:TangPrimer20kDockPlatform",
            device="Gowin GW2A-18C",
            toolchain="gowin",
            cells=20_736,
            memory_bits=46 * 18432,
            oscillator="clk27",
            oscillator_hz=27_000_000,
            clock_hz=27_000_000,
            programmer=_loader("-b", "tangprimer20k"),
            usb=_FT2232,
            options=gowin.OPTIONS,
            bitstream="fs",
        ),
        Board(
            name="gatemate-evb",
            title="Cologne Chip GateMate evaluation",
            platform="softstream.boards.platforms:GateMateEvaluationPlatform",
            device="GateMate CCGM1A1",
            toolchain="gatemate",
            cells=20_480,
            memory_bits=32 * 40960,
            oscillator="clk10",
            oscillator_hz=10_000_000,
            clock_hz=10_000_000,
            preset="digits-argmax",
            header=Header(("pmod", 1), "3", "2", "Pmod B, pins 3 (rx) and 2 (tx)"),
            programmer=_loader("-b", "gatemate_evb_jtag"),
            usb=_FT2232,
            options={"synth_opts": "-luttree -nomx8"},
            bitstream="bit",
            note="set its configuration mode to JTAG; a Pmod USBUART on Pmod B carries the link",
        ),
        *(
            Board(
                name=name,
                title=title,
                platform=platform,
                device=device,
                toolchain="vivado",
                cells=cells,
                memory_bits=blocks * 36864,
                oscillator="clk100",
                oscillator_hz=100_000_000,
                clock_hz=100_000_000,
                programmer=_loader("-b", loader),
                usb=_FT2232,
                bitstream="bit",
            )
            for name, title, platform, device, cells, blocks, loader in (
                (
                    "arty-a7-35",
                    "Digilent Arty A7-35",
                    "amaranth_boards.arty_a7:ArtyA7_35Platform",
                    "Artix-7 XC7A35T",
                    20_800,
                    50,
                    "arty_a7_35t",
                ),
                (
                    "nexys4-ddr",
                    "Digilent Nexys 4 DDR",
                    "amaranth_boards.nexys4ddr:Nexys4DDRPlatform",
                    "Artix-7 XC7A100T",
                    63_400,
                    135,
                    "nexys_a7_100",
                ),
                (
                    "arty-s7-50",
                    "Digilent Arty S7-50",
                    "amaranth_boards.arty_s7:ArtyS7_50Platform",
                    "Spartan-7 XC7S50",
                    32_600,
                    75,
                    "arty_s7_50",
                ),
            )
        ),
        Board(
            name="arty-z7-20",
            title="Digilent Arty Z7-20",
            platform="amaranth_boards.arty_z7:ArtyZ720Platform",
            device="Zynq XC7Z020",
            toolchain="vivado",
            cells=53_200,
            memory_bits=140 * 36864,
            oscillator="clk125",
            oscillator_hz=125_000_000,
            clock_hz=125_000_000,
            header=Header(("pmod", 0), "1", "2", "Pmod JA, pins 1 (rx) and 2 (tx)"),
            programmer=_loader("-b", "arty_z7_20"),
            usb=_FT2232,
            bitstream="bit",
            note="its own UART belongs to the processor",
        ),
        Board(
            name="pynq-z2",
            title="TUL PYNQ-Z2",
            platform="softstream.boards.platforms:PynqZ2Platform",
            device="Zynq XC7Z020",
            toolchain="vivado",
            cells=53_200,
            memory_bits=140 * 36864,
            oscillator="clk125",
            oscillator_hz=125_000_000,
            clock_hz=125_000_000,
            header=Header(("arduino", 0), "0", "1", "Arduino header, pins 0 (rx) and 1 (tx)"),
            programmer=_loader("-b", "pynq_z2"),
            usb=_FT2232,
            bitstream="bit",
            note="its own UART belongs to the processor",
        ),
        Board(
            name="crosslink-nx-evn",
            title="Lattice CrossLink-NX evaluation",
            platform="softstream.boards.platforms:CrossLinkNXEvaluationPlatform",
            device="CrossLink-NX LIFCL-40",
            toolchain="radiant",
            cells=32_256,
            memory_bits=84 * 18432,
            oscillator="clk12",
            oscillator_hz=12_000_000,
            clock_hz=12_000_000,
            programmer=_loader("-b", "crosslinknx_evn"),
            usb=_FT2232,
            bitstream="bit",
            note="its UART needs 0 Ω at R15 and R17, and its clock jumper JP2",
        ),
        Board(
            name="de0-nano",
            title="Terasic DE0-Nano",
            platform="amaranth_boards.de0nano:DE0NanoPlatform",
            device="Cyclone IV EP4CE22",
            toolchain="quartus",
            cells=22_320,
            memory_bits=66 * 9216,
            oscillator="clk50",
            oscillator_hz=50_000_000,
            clock_hz=50_000_000,
            header=Header(("gpio", 0), "2", "4", "header JP1, pins 2 (rx) and 4 (tx)"),
            programmer=_quartus(),
            usb=(0x09FB, 0x6001),
            bitstream="sof",
        ),
        Board(
            name="de10-nano",
            title="Terasic DE10-Nano",
            platform="amaranth_boards.de10_nano:DE10NanoPlatform",
            device="Cyclone V 5CSEBA6",
            toolchain="quartus",
            cells=110_000,
            memory_bits=557 * 10240,
            oscillator="clk50",
            oscillator_hz=50_000_000,
            clock_hz=50_000_000,
            # The first device of its chain is the processor.
            programmer=_quartus("P;{bitstream}@2"),
            usb=(0x09FB, 0x6810),
            bitstream="sof",
            note="the UART is on pins 0 and 1 of the Arduino header",
        ),
        Board(
            name="de10-lite",
            title="Terasic DE10-Lite",
            platform="amaranth_boards.de10_lite:DE10LitePlatform",
            device="MAX 10 10M50DA",
            toolchain="quartus",
            cells=49_760,
            memory_bits=182 * 9216,
            oscillator="clk50",
            oscillator_hz=50_000_000,
            clock_hz=50_000_000,
            programmer=_quartus(),
            usb=(0x09FB, 0x6001),
            # A MAX 10 loads the contents of its memories from its flash in this mode alone; tables and RAMs have contents.
            options={
                "add_settings": 'set_global_assignment -name INTERNAL_FLASH_UPDATE_MODE "SINGLE IMAGE WITH ERAM"',
            },
            bitstream="sof",
        ),
    )
}


# amaranth-boards, butterstick.py: gateware must set the voltages of the pins by a sigma-delta converter. litex-boards,
# xilinx_kv260.py: there seems to be no clock of the logic, so it takes a pin of the Pmod.
ABSENT: dict[str, tuple[str, str]] = {
    "butterstick": (
        "no support, because its gateware must make the voltages of its pins by a sigma-delta converter",
        "orangecrab, which has an ECP5 too",
    ),
    "kv260": (
        "no support, because its logic has no clock and no LEDs without its processor",
        "pynq-z2, a Zynq whose logic has a clock of its own",
    ),
    "nexysa7": ("known by its former name, Nexys 4 DDR, for the part XC7A100T", "nexys4-ddr"),
}
"""Boards that people ask for and the registry lacks, by letters and digits of their name → why, and the board to take."""


def board(name: str) -> Board:
    """The row of `BOARDS` called `name`, in capitals and with blanks or not.

    Raises `UserError` for another, with the reason of `ABSENT` or the nearest name.
    """
    spelt = "-".join(name.lower().split())
    if spelt in BOARDS:
        return BOARDS[spelt]
    letters = re.sub(r"[^a-z0-9]", "", spelt)
    for known, (why, other) in ABSENT.items():
        if known in letters:
            raise UserError(f"board '{name}': {why}; for example --board {other}")
    raise UserError(
        f"unknown board '{name}'{nearest(spelt, tuple(BOARDS))}: must be one of {', '.join(BOARDS)}; for example icebreaker"
    )
