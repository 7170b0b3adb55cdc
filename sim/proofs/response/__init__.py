"""Proof that a head answers in time; `proof` says how, and which heads it covers."""

__all__: list[str] = []
