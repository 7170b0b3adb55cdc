"""How payloads move: layouts, queues, credits, delays and counters."""

from softstream.hw.streams.signal_names import install_name_tracer

__all__: list[str] = []

# Every component of a head imports this package first, so that no signal misses its name.
install_name_tracer()
