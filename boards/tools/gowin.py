"""Block RAM of a Gowin part, mapped only to those forms whose timing nextpnr checks, all of it and rightly.

nextpnr 0.11 has the checks of a dual-port memory's second address in the wrong table (its issues 1786 and 1803): a dual-port
cell has none, so a path that ends there is not in the clock that it reports; a single-port cell of 36 bits has them four
times over, so every path there counts as a hold violation where the clock takes a while to arrive, as on a GW2A, and there
is no bitstream. Simple dual-port cells, and single-port ones up to 18 bits, have what they should. So the memories are
mapped before the rest, from a library of these two.
"""

__all__ = ["LIBRARY", "LIBRARY_FILE", "OPTIONS"]

LIBRARY_FILE = "bsram.txt"

_READ_PORT = """\
    clock posedge;
    clken;
    option "RESET_MODE" "SYNC" { rdsrst zero ungated; }
    option "RESET_MODE" "ASYNC" { rdarst zero; }
    rdinit zero;
"""

LIBRARY = f"""\
ram block $__GOWIN_SP_ {{
  abits 14;
  widths 1 2 4 9 18 per_port;
  cost 128;
  byte 9;
  init no_undef;
  port srsw "A" {{
{_READ_PORT}    portoption "WRITE_MODE" 0 {{ rdwr no_change; }}
    portoption "WRITE_MODE" 1 {{ rdwr new; }}
    portoption "WRITE_MODE" 2 {{ rdwr old; }}
    wrbe_separate;
  }}
}}

ram block $__GOWIN_SDP_ {{
  abits 14;
  widths 1 2 4 9 18 36 per_port;
  cost 128;
  byte 9;
  init no_undef;
  port sr "R" {{
{_READ_PORT}  }}
  port sw "W" {{
    clock posedge;
    clken;
    wrbe_separate;
  }}
}}
"""
"""What yosys' `memory_libmap` may use: its own descriptions of the same cells, without the others."""

OPTIONS = {
    "script_after_read": "\n".join(
        (
            "synth_gowin -top top -run begin:map_ram",
            f"memory_libmap -lib +/gowin/lutrams.txt -lib {LIBRARY_FILE}",
            "techmap -map +/gowin/lutrams_map.v -map +/gowin/brams_map.v",
        )
    ),
    "synth_opts": "-run map_ram:",
}
"""Overrides of the platform's build: synthesis up to the memories, they, and then the rest."""
