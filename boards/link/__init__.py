"""The serial link between a host and a head: frames, the gateware and the host program."""

__all__: list[str] = []
