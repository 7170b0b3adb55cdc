"""Plan of the mask: a sideband bit for each element; it has no stage of its own."""

from softstream.hw.config.config import Config
from softstream.hw.plan.fields import Sideband
from softstream.hw.plan.records import OptionPlan

__all__ = ["MASK"]


def _sidebands(config: Config) -> tuple[Sideband, ...]:
    return (Sideband("mask", "mask", 1, "mask: the element is excluded, as if it were not there; it never wins"),)


MASK = OptionPlan(
    applies=lambda config: config.mask,
    without=lambda config: config.replace(mask=False),
    sidebands=_sidebands,
)
