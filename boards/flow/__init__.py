"""From a configuration to a programmed board: fit, plan, bitstream, report, programmer, simulation."""

__all__: list[str] = []
