"""Which component has which contract."""

from typing import Any

from softstream.hw.contracts.contract import Contract
from softstream.hw.contracts.flow import (
    CreditContract,
    ForkContract,
    HoldContract,
    QueueContract,
    SkidContract,
    SpacingContract,
)
from softstream.hw.contracts.framing import FrameContract
from softstream.hw.contracts.null_beats import NullBeatsContract
from softstream.hw.contracts.rings import FactorStoreContract, ReplayContract
from softstream.hw.contracts.winner import WinnerContract
from softstream.hw.options.null_beats import NullBeats
from softstream.hw.stages.frame import Frame
from softstream.hw.stages.maximum import Maximum, SkewedMaximum
from softstream.hw.stages.replay import FactorStore, Replay
from softstream.hw.streams.flow import Credit, Fork, Hold, Queue, Skid, Spacing

__all__ = ["CONTRACTS", "contract_of", "has_contract"]

CONTRACTS: dict[type, Any] = {
    NullBeats: NullBeatsContract,
    Frame: FrameContract,
    Queue: QueueContract,
    Skid: SkidContract,
    Hold: HoldContract,
    Fork: ForkContract,
    Credit: CreditContract,
    Spacing: SpacingContract,
    Replay: ReplayContract,
    FactorStore: FactorStoreContract,
    Maximum: WinnerContract,
    SkewedMaximum: WinnerContract,
}
"""Component → its contract."""


def contract_of(component: Any) -> Contract:
    """The contract of a component."""
    contract: Contract = CONTRACTS[type(component)](component)
    return contract


def has_contract(component: Any) -> bool:
    """Whether a component has one; a comparison that marks who takes part has none."""
    comparison = isinstance(component, (Maximum, SkewedMaximum))
    return type(component) in CONTRACTS and not (comparison and component.config.marks_participants)
