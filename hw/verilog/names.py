"""Names of generated modules: unique for each configuration, and identifiers in Verilog, SystemVerilog and VHDL."""

import re

from softstream.hw.config.config import Config
from softstream.hw.errors import UserError

__all__ = ["TOP", "Names", "check_name", "default_name", "is_keyword", "plain"]

TOP = "softstream_top"
"""Name of the module in simulations, proofs and measurements, which hold one head at a time."""

_LONGEST = 100
_DIGITS = 8
"""Hexadecimal digits of the configuration's digest in the default name; 26 presets collide with a probability of 1e-7."""

_VERILOG = """
accept_on alias always always_comb always_ff always_latch and assert assign assume automatic before begin bind bins binsof bit
break buf bufif0 bufif1 byte case casex casez cell chandle checker class clocking cmos config const constraint context continue
cover covergroup coverpoint cross deassign default defparam design disable dist do edge else end endcase endchecker endclass
endclocking endconfig endfunction endgenerate endgroup endinterface endmodule endpackage endprimitive endprogram endproperty
endsequence endspecify endtable endtask enum event eventually expect export extends extern final first_match for force foreach
forever fork forkjoin function generate genvar global highz0 highz1 if iff ifnone ignore_bins illegal_bins implements implies
import incdir include initial inout input inside instance int integer interconnect interface intersect join join_any join_none
large let liblist library local localparam logic longint macromodule matches medium modport module nand negedge nettype new
nexttime nmos nor noshowcancelled not notif0 notif1 null or output package packed parameter pmos posedge primitive priority
program property protected pull0 pull1 pulldown pullup pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase
randsequence rcmos real realtime ref reg reject_on release repeat restrict return rnmos rpmos rtran rtranif0 rtranif1 s_always
s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal showcancelled signed small soft solve specify
specparam static string strong strong0 strong1 struct super supply0 supply1 sync_accept_on sync_reject_on table tagged task this
throughout time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg type typedef union unique unique0
unsigned until until_with untyped use uwire var vectored virtual void wait wait_order wand weak weak0 weak1 while wildcard wire
with within wor xnor xor
"""

_VHDL = """
abs access after alias all and architecture array assert assume assume_guarantee attribute begin block body buffer bus case
component configuration constant context cover default disconnect downto else elsif end entity exit fairness file for force
function generate generic group guarded if impure in inertial inout is label library linkage literal loop map mod nand new next
nor not null of on open or others out package parameter port postponed procedure process property protected pure range record
register reject release rem report restrict restrict_guarantee return rol ror select sequence severity shared signal sla sll sra
srl strong subtype then to transport type unaffected units until use variable view vmode vprop vunit wait when while with xnor
xor
"""

_KEYWORDS = frozenset(f"{_VERILOG} {_VHDL}".split())


def is_keyword(name: str) -> bool:
    """Whether a name is a reserved word of Verilog, SystemVerilog 2017 or VHDL 2008, where VHDL takes any letter case."""
    return name.lower() in _KEYWORDS


def default_name(config: Config) -> str:
    """`softstream_<mode>_<digits of the digest>`: different configurations have different names."""
    return f"softstream_{config.mode}_{config.digest[:_DIGITS]}"


def check_name(name: str) -> None:
    """Raises `UserError` for a name that is no plain identifier of Verilog and VHDL."""
    if (
        not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*", name)
        or is_keyword(name)
        or not len(name) <= _LONGEST
    ):
        shown = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}… ({len(name)} characters)"
        raise UserError(
            f"name {shown!r}: must be letters, digits and single underscores between them, a letter first, at most "
            f"{_LONGEST} characters, and no keyword of SystemVerilog or VHDL; for example softmax_head"
        )


class Names:
    """Names of one scope, each given out once, and unlike those that it is told of."""

    def __init__(self, *others: str) -> None:
        self._taken = {name.lower() for name in others}

    def new(self, base: str, noun: str = "signal") -> str:
        """A name that resembles `base`: no keyword, and unlike all names before, in any letter case."""
        name = f"{base}_{noun}" if is_keyword(base) else base
        number = 2
        while name.lower() in self._taken:
            name, number = f"{base}_{number}", number + 1
        self._taken.add(name.lower())
        return name


def plain(name: str) -> str:
    """A name of the netlist as an identifier: no escape, no number after `$`, single underscores. Empty for an anonymous one."""
    if re.match(r"\$\d", name) or re.match(r"\\?(\$signal|port\$)", name):
        return ""
    text = re.sub(r"\$\d+$", "", name.removeprefix("\\"))
    text = re.sub(r"_+", "_", re.sub(r"\W", "_", text)).strip("_")
    return text if not text[:1].isdigit() else f"n{text}"
