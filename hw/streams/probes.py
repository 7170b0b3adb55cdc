"""State of a component that its contract looks at: it is published while a proof elaborates, and never otherwise."""

from typing import Any

from amaranth import Signal, Value

__all__ = ["Probes", "publish", "publish_enable"]


class Probes:
    """The platform of a proof: `elaborate` of a component publishes its registers here.

    Every other platform, None among them, sees nothing, so the generated Verilog does not depend on what is published.
    """

    def __init__(self) -> None:
        self._state: dict[int, tuple[Any, dict[str, Signal]]] = {}
        self._enables: dict[int, tuple[Any, Value]] = {}

    def add(self, component: Any, registers: dict[str, Signal]) -> None:
        """Takes the registers of a component, by their names."""
        self._state[id(component)] = component, registers

    def registers(self, component: Any) -> dict[str, Signal]:
        """The registers that a component published when it was elaborated on this platform."""
        return self._state.get(id(component), (component, {}))[1]

    def add_enable(self, component: Any, enable: Value) -> None:
        """Takes the clock enable of a component."""
        self._enables[id(component)] = component, enable

    def enable(self, component: Any) -> Value | None:
        """The clock enable under which a component was elaborated on this platform; None where none was published."""
        return self._enables.get(id(component), (component, None))[1]

    def components(self) -> list[Any]:
        """The components that were elaborated on this platform and published something."""
        return [component for component, _ in self._state.values()]


def publish(platform: Any, component: Any, **registers: Signal) -> None:
    """Hands the registers of a component to a proof; does nothing on any other platform."""
    if isinstance(platform, Probes):
        platform.add(component, registers)


def publish_enable(platform: Any, component: Any, enable: Value) -> None:
    """Hands the clock enable of a component to a proof; does nothing on any other platform."""
    if isinstance(platform, Probes):
        platform.add_enable(component, enable)
