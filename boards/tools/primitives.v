// Stand-ins for the pads and PLLs of a board, for simulation (see simulation.py). Only what Amaranth and clock.py ask for:
// combinational pads, and a PLL that passes its reference on and locks after 64 of its edges.

module softstream_pll (input reference, output clock, output lock);
  reg [6:0] edges = 0;
  always @(posedge reference) if (!edges[6]) edges <= edges + 7'd1;
  assign clock = reference;
  assign lock = edges[6];
endmodule

// iCE40. PIN_TYPE[5:2]: 0000 never drives, 0110 always, 1010 with OUTPUT_ENABLE. Synthesis ties CLOCK_ENABLE, which only
// registered kinds look at.

module SB_IO (inout PACKAGE_PIN, input CLOCK_ENABLE, input OUTPUT_ENABLE, input D_OUT_0, output D_IN_0);
  parameter [5:0] PIN_TYPE = 0;
  parameter [0:0] PULLUP = 0;
  parameter IO_STANDARD = "SB_LVCMOS";
  assign PACKAGE_PIN = (PIN_TYPE[5] ? OUTPUT_ENABLE : PIN_TYPE[4]) ? D_OUT_0 : 1'bz;
  assign D_IN_0 = PACKAGE_PIN;
endmodule

module SB_GB_IO (inout PACKAGE_PIN, input CLOCK_ENABLE, output GLOBAL_BUFFER_OUTPUT);
  parameter [5:0] PIN_TYPE = 0;
  parameter [0:0] PULLUP = 0;
  parameter IO_STANDARD = "SB_LVCMOS";
  assign GLOBAL_BUFFER_OUTPUT = PACKAGE_PIN;
endmodule

module SB_PLL40_CORE (input REFERENCECLK, input RESETB, input BYPASS, output PLLOUTGLOBAL, output LOCK);
  parameter FEEDBACK_PATH = "SIMPLE";
  parameter [3:0] DIVR = 0;
  parameter [6:0] DIVF = 0;
  parameter [2:0] DIVQ = 0;
  parameter [2:0] FILTER_RANGE = 0;
  softstream_pll pll (.reference (REFERENCECLK), .clock (PLLOUTGLOBAL), .lock (LOCK));
endmodule

module SB_PLL40_PAD (inout PACKAGEPIN, input RESETB, input BYPASS, output PLLOUTGLOBAL, output LOCK);
  parameter FEEDBACK_PATH = "SIMPLE";
  parameter [3:0] DIVR = 0;
  parameter [6:0] DIVF = 0;
  parameter [2:0] DIVQ = 0;
  parameter [2:0] FILTER_RANGE = 0;
  softstream_pll pll (.reference (PACKAGEPIN), .clock (PLLOUTGLOBAL), .lock (LOCK));
endmodule

// ECP5.

module IB (input I, output O);
  assign O = I;
endmodule

module OBZ (input I, input T, output O);
  assign O = T ? 1'bz : I;
endmodule

module EHXPLLL (
  input CLKI, input CLKFB, input RST, input STDBY, input PHASESEL0, input PHASESEL1, input PHASEDIR, input PHASESTEP,
  input PHASELOADREG, input PLLWAKESYNC, input ENCLKOP, output CLKOP, output CLKOS, output LOCK
);
  parameter CLKI_DIV = 1;
  parameter CLKFB_DIV = 1;
  parameter CLKOP_DIV = 1;
  parameter CLKOP_CPHASE = 0;
  parameter CLKOP_FPHASE = 0;
  parameter CLKOP_ENABLE = "ENABLED";
  parameter CLKOS_DIV = 1;
  parameter CLKOS_CPHASE = 0;
  parameter CLKOS_FPHASE = 0;
  parameter CLKOS_ENABLE = "DISABLED";
  parameter DPHASE_SOURCE = "DISABLED";
  parameter FEEDBK_PATH = "CLKOP";
  parameter INTFB_WAKE = "DISABLED";
  parameter OUTDIVIDER_MUXA = "DIVA";
  parameter OUTDIVIDER_MUXB = "DIVB";
  parameter OUTDIVIDER_MUXC = "DIVC";
  parameter OUTDIVIDER_MUXD = "DIVD";
  parameter PLLRST_ENA = "DISABLED";
  parameter STDBY_ENABLE = "DISABLED";
  assign CLKOP = CLKOS;
  softstream_pll pll (.reference (CLKI), .clock (CLKOS), .lock (LOCK));
endmodule

// Gowin.

module IBUF (input I, output O);
  assign O = I;
endmodule

module TBUF (input I, input OEN, output O);
  assign O = OEN ? 1'bz : I;
endmodule

module rPLL (
  input CLKIN, input CLKFB, input RESET, input RESET_P, input [5:0] FBDSEL, input [5:0] IDSEL, input [5:0] ODSEL,
  input [3:0] PSDA, input [3:0] DUTYDA, input [3:0] FDLY, output CLKOUT, output CLKOUTD, output LOCK
);
  parameter DEVICE = "";
  parameter FCLKIN = "100";
  parameter IDIV_SEL = 0;
  parameter FBDIV_SEL = 0;
  parameter ODIV_SEL = 8;
  parameter DYN_SDIV_SEL = 2;
  parameter DYN_IDIV_SEL = "false";
  parameter DYN_FBDIV_SEL = "false";
  parameter DYN_ODIV_SEL = "false";
  parameter DYN_DA_EN = "false";
  parameter PSDA_SEL = "0000";
  parameter DUTYDA_SEL = "1000";
  parameter CLKFB_SEL = "internal";
  parameter CLKOUT_BYPASS = "false";
  parameter CLKOUTP_BYPASS = "false";
  parameter CLKOUTD_BYPASS = "false";
  assign CLKOUTD = CLKOUT;
  softstream_pll pll (.reference (CLKIN), .clock (CLKOUT), .lock (LOCK));
endmodule

// GateMate. Its pads are those that synthesis makes of ports.

module CC_PLL (
  input CLK_REF, input USR_CLK_REF, input CLK_FEEDBACK, input USR_LOCKED_STDY_RST, output CLK0, output USR_PLL_LOCKED
);
  parameter REF_CLK = "10.0";
  parameter OUT_CLK = "10.0";
  parameter PERF_MD = "ECONOMY";
  parameter LOW_JITTER = 1;
  parameter LOCK_REQ = 1;
  parameter CI_FILTER_CONST = 2;
  parameter CP_FILTER_CONST = 4;
  softstream_pll pll (.reference (CLK_REF), .clock (CLK0), .lock (USR_PLL_LOCKED));
endmodule
