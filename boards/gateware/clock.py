"""The core's clock: the board's oscillator or a PLL, and a reset that is held until the PLL has locked.

    clock = choose(board("ecpix5"), 40e6)    # or choose(row): the row's own frequency
    clock.hz, clock.pll                      # the exact frequency, and the PLL's dividers

Formulas (f = oscillator):
* iCE40 SB_PLL40: f · (DIVF + 1) / (2^DIVQ · (DIVR + 1)); comparator 10–133 MHz, VCO 533–1066 MHz, output 16–275 MHz.
* ECP5 EHXPLLL, feedback through CLKOP, output CLKOS: f · CLKOP_DIV / (CLKI_DIV · CLKOS_DIV); comparator 3.125–400 MHz,
  VCO = output · CLKOS_DIV at 400–800 MHz, output 3.125–400 MHz.
* Gowin rPLL: f · (FBDIV_SEL + 1) / (IDIV_SEL + 1), and that over an even SDIV up to 128 where SDIV is not 0; comparator
  3–400 MHz, VCO = undivided output · ODIV_SEL at 500–1200 MHz (a range that every supported part has), undivided output
  3.125–450 MHz.
* GateMate CC_PLL: f · N / (2 · M), with N even, and M even or 1; DCO = 2 · f · N at 1250–2000 MHz (a range of the core at 1.0 V
  and at 1.1 V), output 1–312.5 MHz in steps of 100 Hz. Place and route finds the dividers of a frequency.

Errors: `UserError` for a frequency that the board cannot make within 1 %, with the nearest one that it can.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from amaranth import (
    ClockDomain,
    ClockSignal,
    Const,
    DomainRenamer,
    Elaboratable,
    Instance,
    Module,
    ResetSignal,
    Signal,
    Value,
)
from amaranth.lib import io, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from softstream.boards.registry import Board
from softstream.hw.errors import UserError

__all__ = ["TOLERANCE", "Clock", "ClockTree", "Pll", "ResetHold", "choose"]

TOLERANCE = 0.01
"""Largest deviation of the clock from the request, as a fraction."""

# Block RAM of an iCE40 reads wrongly until about 10 µs after configuration.
_HOLD_SECONDS = 15e-6


@dataclass(frozen=True)
class Pll:
    """The dividers of one PLL."""

    hz: float
    parameters: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Clock:
    """The clock of the core, in Hz."""

    oscillator_hz: int
    hz: float
    pll: Pll | None = None


def choose(row: Board, hz: float | None = None) -> Clock:
    """The clock of a board: `hz`, or that of its row. Raises `UserError` for one that the board cannot make."""
    asked = float(row.clock_hz if hz is None else hz)
    if asked == row.oscillator_hz:
        return Clock(row.oscillator_hz, asked)
    if row.vendor:
        raise UserError(
            f"clock {_mhz(asked)} on {row.name}: its plan takes the oscillator; must be {_mhz(row.oscillator_hz)}, "
            f"for example --clock {row.oscillator_hz / 1e6:g}"
        )
    best = min(_settings(row), key=lambda pll: abs(pll.hz - asked))
    if not abs(best.hz - asked) <= TOLERANCE * asked:
        near = min((best.hz, float(row.oscillator_hz)), key=lambda hz: abs(hz - asked))
        raise UserError(
            f"clock {_mhz(asked)} on {row.name}: neither its oscillator ({_mhz(row.oscillator_hz)}) nor its PLL "
            f"makes it; for example --clock {_rounded(near)}"
        )
    return Clock(row.oscillator_hz, best.hz, best)


def _mhz(hz: float) -> str:
    return f"{hz / 1e6:g} MHz"


def _rounded(hz: float) -> str:
    return f"{hz / 1e6:.4g}"


def _settings(row: Board) -> Iterator[Pll]:
    """Every setting of the PLL of the board's part; of equal frequencies the one with the fastest comparator comes first."""
    search = {"ice40": _ice40, "ecp5": _ecp5, "gowin": _gowin, "gatemate": _gatemate}[row.toolchain]
    return search(float(row.oscillator_hz))


def _ice40(oscillator: float) -> Iterator[Pll]:
    for divr in range(16):
        comparator = oscillator / (divr + 1)
        if not 10e6 <= comparator <= 133e6:
            continue
        for divf in range(128):
            vco = comparator * (divf + 1)
            if not 533e6 <= vco <= 1066e6:
                continue
            for divq in range(1, 7):
                hz = vco / (1 << divq)
                if 16e6 <= hz <= 275e6:
                    limits = enumerate((17e6, 26e6, 44e6, 66e6, 101e6), start=1)
                    filter_range = next((n for n, limit in limits if comparator < limit), 6)
                    yield Pll(hz, (("DIVR", divr), ("DIVF", divf), ("DIVQ", divq), ("FILTER_RANGE", filter_range)))


def _ecp5(oscillator: float) -> Iterator[Pll]:
    for input_divider in range(1, 129):
        comparator = oscillator / input_divider
        if not 3.125e6 <= comparator <= 400e6:
            continue
        for feedback in range(1, 129):
            vco = comparator * feedback
            if not 400e6 <= vco <= 800e6:
                continue
            for output in range(1, 129):
                hz = vco / output
                if 3.125e6 <= hz <= 400e6:
                    yield Pll(hz, (("CLKI_DIV", input_divider), ("CLKOP_DIV", feedback), ("CLKOS_DIV", output)))


def _gowin(oscillator: float) -> Iterator[Pll]:
    for input_divider in range(64):
        comparator = oscillator / (input_divider + 1)
        if not 3e6 <= comparator <= 400e6:
            continue
        for feedback in range(64):
            hz = comparator * (feedback + 1)
            if not 3.125e6 <= hz <= 450e6:
                continue
            for output in (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128):
                if 500e6 <= hz * output <= 1200e6:
                    dividers = (("IDIV_SEL", input_divider), ("FBDIV_SEL", feedback), ("ODIV_SEL", output))
                    for divider in (0, *range(2, 129, 2)):
                        yield Pll(hz / max(1, divider), (*dividers, ("SDIV", divider)))
                    break


def _gatemate(oscillator: float) -> Iterator[Pll]:
    for n in range(2, 1025, 2):
        if not 1250e6 <= 2 * oscillator * n <= 2000e6:
            continue
        for m in (1, *range(2, 1025, 2)):
            hz = oscillator * n / (2 * m)
            if 1e6 <= hz <= 312.5e6 and hz % 100 == 0:
                yield Pll(hz, (("N", n), ("M", m)))


class ResetHold(wiring.Component):
    """Reset from the first clock edge until `cycles` edges in a row have seen `good`, and again when `good` is lost.

    Ports: `good` (asynchronous), `reset`. `reset` is the complement of a register whose initial value is 0, which every part
    supports, so it starts as 1. Latency: two cycles of the synchroniser, then `cycles`.
    """

    def __init__(self, cycles: int) -> None:
        if cycles < 1:
            raise ValueError(f"{cycles} cycles of reset: must be at least 1")
        self._cycles = cycles
        super().__init__({"good": In(1), "reset": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        good = Signal()
        count = Signal(range(self._cycles + 1))
        ready = Signal()
        m.submodules.synchroniser = FFSynchronizer(self.good, good)
        m.d.sync += ready.eq(good & (count == self._cycles))
        with m.If(~good):
            m.d.sync += count.eq(0)
        with m.Elif(count != self._cycles):
            m.d.sync += count.eq(count + 1)
        m.d.comb += self.reset.eq(~ready)
        return m


class ClockTree(Elaboratable):
    """Drives the domain `sync` of the top: oscillator, PLL where there is one, reset until lock and button released."""

    def __init__(self, row: Board, clock: Clock) -> None:
        self._row, self._clock = row, clock

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        row, clock = self._row, self._clock
        clk = Signal(name="clk")
        good = Signal()
        pin = platform.request(row.oscillator, dir="-")
        if clock.pll is None:
            m.submodules.oscillator = oscillator = io.Buffer("i", pin)
            m.d.comb += [clk.eq(oscillator.i), good.eq(1)]
        else:
            locked = Signal()
            if row.clock_at_pll:
                m.submodules.pll = _ice40_instance(clock.pll, None, pin, clk, locked)
            else:
                m.submodules.oscillator = oscillator = io.Buffer("i", pin)
                if row.toolchain == "ice40":
                    m.submodules.pll = _ice40_instance(clock.pll, oscillator.i, pin, clk, locked)
                else:
                    makers = {"ecp5": _ecp5_instance, "gowin": _gowin_instance, "gatemate": _gatemate_instance}
                    make = makers[row.toolchain]
                    m.submodules.pll = make(clock, platform, oscillator.i, clk, locked)
            platform.add_clock_constraint(clk, clock.hz)
            m.d.comb += good.eq(locked)
        if platform.default_rst is not None:
            m.submodules.button = button = io.Buffer("i", platform.request(platform.default_rst, dir="-"))
            pressed = Signal()
            m.d.comb += pressed.eq(button.i)
            released = Signal()
            m.d.comb += released.eq(good & ~pressed)
            good = released
        # The domain `por` has the same clock and no reset, because the counter that holds the reset must not be reset by it.
        m.domains.por = ClockDomain(reset_less=True, local=True)
        hold = ResetHold(max(16, round(_HOLD_SECONDS * clock.hz)))
        m.submodules.hold = DomainRenamer("por")(hold)
        m.d.comb += [
            ClockSignal("por").eq(clk),
            ClockSignal("sync").eq(clk),
            hold.good.eq(good),
            ResetSignal("sync").eq(hold.reset),
        ]
        return m


def _ice40_instance(pll: Pll, source: Value | None, pin: Any, clk: Signal, locked: Signal) -> Instance:
    """An SB_PLL40: its reference is `source`, or without one the PLL's own pad, which cannot be an input too."""
    widths = {"DIVR": 4, "DIVF": 7, "DIVQ": 3, "FILTER_RANGE": 3}
    return Instance(
        "SB_PLL40_PAD" if source is None else "SB_PLL40_CORE",
        p_FEEDBACK_PATH="SIMPLE",
        **{f"p_{name}": Const(value, widths[name]) for name, value in pll.parameters},
        **({"io_PACKAGEPIN": pin.io} if source is None else {"i_REFERENCECLK": source}),
        i_RESETB=Const(1),
        i_BYPASS=Const(0),
        o_PLLOUTGLOBAL=clk,
        o_LOCK=locked,
    )


def _ecp5_instance(clock: Clock, platform: Any, source: Value, clk: Signal, locked: Signal) -> Instance:
    assert clock.pll is not None
    values = dict(clock.pll.parameters)
    feedback = Signal()
    return Instance(
        "EHXPLLL",
        a_FREQUENCY_PIN_CLKI=f"{clock.oscillator_hz / 1e6:g}",
        a_FREQUENCY_PIN_CLKOP=f"{clock.oscillator_hz / values['CLKI_DIV'] / 1e6:g}",
        a_FREQUENCY_PIN_CLKOS=f"{clock.hz / 1e6:g}",
        a_ICP_CURRENT="12",
        a_LPF_RESISTOR="8",
        a_MFG_ENABLE_FILTEROPAMP="1",
        a_MFG_GMCREF_SEL="2",
        p_PLLRST_ENA="DISABLED",
        p_INTFB_WAKE="DISABLED",
        p_STDBY_ENABLE="DISABLED",
        p_DPHASE_SOURCE="DISABLED",
        p_OUTDIVIDER_MUXA="DIVA",
        p_OUTDIVIDER_MUXB="DIVB",
        p_OUTDIVIDER_MUXC="DIVC",
        p_OUTDIVIDER_MUXD="DIVD",
        **{f"p_{name}": value for name, value in values.items()},
        p_CLKOP_ENABLE="ENABLED",
        p_CLKOP_CPHASE=values["CLKOP_DIV"] - 1,
        p_CLKOP_FPHASE=0,
        p_CLKOS_ENABLE="ENABLED",
        p_CLKOS_CPHASE=values["CLKOS_DIV"] - 1,
        p_CLKOS_FPHASE=0,
        p_CLKFB_DIV=1,
        p_FEEDBK_PATH="CLKOP",
        i_RST=Const(0),
        i_STDBY=Const(0),
        i_CLKI=source,
        i_CLKFB=feedback,
        i_PHASESEL0=Const(0),
        i_PHASESEL1=Const(0),
        i_PHASEDIR=Const(1),
        i_PHASESTEP=Const(1),
        i_PHASELOADREG=Const(1),
        i_PLLWAKESYNC=Const(0),
        i_ENCLKOP=Const(0),
        o_CLKOP=feedback,
        o_CLKOS=clk,
        o_LOCK=locked,
    )


def _gowin_instance(clock: Clock, platform: Any, source: Value, clk: Signal, locked: Signal) -> Instance:
    assert clock.pll is not None
    values = dict(clock.pll.parameters)
    divider = values.pop("SDIV")
    return Instance(
        "rPLL",
        p_DEVICE=platform.family,
        p_FCLKIN=f"{clock.oscillator_hz / 1e6:g}",
        **{f"p_{name}": value for name, value in values.items()},
        p_DYN_IDIV_SEL="false",
        p_DYN_FBDIV_SEL="false",
        p_DYN_ODIV_SEL="false",
        p_DYN_DA_EN="false",
        p_PSDA_SEL="0000",
        p_DUTYDA_SEL="1000",
        p_CLKFB_SEL="internal",
        p_CLKOUT_BYPASS="false",
        p_CLKOUTP_BYPASS="false",
        p_CLKOUTD_BYPASS="false",
        p_DYN_SDIV_SEL=divider or 2,
        i_CLKIN=source,
        i_CLKFB=Const(0),
        i_RESET=Const(0),
        i_RESET_P=Const(0),
        i_FBDSEL=Const(0, 6),
        i_IDSEL=Const(0, 6),
        i_ODSEL=Const(0, 6),
        i_PSDA=Const(0, 4),
        i_DUTYDA=Const(0, 4),
        i_FDLY=Const(0, 4),
        **{"o_CLKOUTD" if divider else "o_CLKOUT": clk},
        o_LOCK=locked,
    )


def _gatemate_instance(clock: Clock, platform: Any, source: Value, clk: Signal, locked: Signal) -> Instance:
    return Instance(
        "CC_PLL",
        p_REF_CLK=f"{clock.oscillator_hz / 1e6:.4f}",
        p_OUT_CLK=f"{clock.hz / 1e6:.4f}",
        p_PERF_MD="ECONOMY",
        p_LOW_JITTER=1,
        p_LOCK_REQ=1,
        p_CI_FILTER_CONST=2,
        p_CP_FILTER_CONST=4,
        i_CLK_REF=source,
        i_USR_CLK_REF=Const(0),
        i_CLK_FEEDBACK=Const(0),
        i_USR_LOCKED_STDY_RST=Const(0),
        o_CLK0=clk,
        o_USR_PLL_LOCKED=locked,
    )
