"""How payloads move: layouts, queues, credits, delays and counters."""

__all__: list[str] = []
