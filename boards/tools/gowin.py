"""Block RAM of a Gowin part: map memories only to the cells whose timing nextpnr checks completely.

nextpnr 0.11 has the checks of a dual-port memory's second address in the wrong table (its issues 1786 and 1803). A dual-port
cell has none, so the reported clock leaves out the paths that end there. A single-port cell of 36 bits has them four times, so
every path there counts as a hold violation on a part whose clock arrives late, such as a GW2A, and there is no bitstream.
Simple dual-port cells, and single-port cells up to 18 bits, have the right checks. So synthesis maps the memories before
everything else, from a library of these two.
"""

__all__ = ["LIBRARY", "LIBRARY_FILE", "OPTIONS", "OPTIONS_BLOCKS_ALONE"]

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
"""Library for yosys' `memory_libmap`: its own descriptions of these two cells."""


def _options(*, distributed: bool) -> dict[str, str]:
    libraries = ["-lib +/gowin/lutrams.txt"] * distributed + [f"-lib {LIBRARY_FILE}"]
    maps = ["-map +/gowin/lutrams_map.v"] * distributed + ["-map +/gowin/brams_map.v"]
    return {
        "script_after_read": "\n".join(
            (
                "synth_gowin -top top -run begin:map_ram",
                f"memory_libmap {' '.join(libraries)}",
                f"techmap {' '.join(maps)}",
            )
        ),
        "synth_opts": "-run map_ram:",
    }


OPTIONS = _options(distributed=True)
"""Overrides of the platform's build: synthesis up to the memories, the memories, then the rest."""
OPTIONS_BLOCKS_ALONE = _options(distributed=False)
"""The same for a GW1NS, whose logic cells hold no memory."""
