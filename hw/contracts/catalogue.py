"""Which component has which contract."""

from collections.abc import Callable
from typing import Any

from softstream.hw.contracts.contract import Contract
from softstream.hw.contracts.draws import AccumulateContract, CdfSearchContract, SumShareContract, TermsContract
from softstream.hw.contracts.ensembles import MeanProbabilitiesContract, MemberSumContract, VectorFlagsContract
from softstream.hw.contracts.flow import (
    CreditContract,
    ForkContract,
    HoldContract,
    QueueContract,
    SkidContract,
    SpacingContract,
)
from softstream.hw.contracts.framing import FrameContract
from softstream.hw.contracts.grouping import GroupEndsContract, PacketEndsContract
from softstream.hw.contracts.lane_merge import LaneMergeContract
from softstream.hw.contracts.null_beats import NullBeatsContract
from softstream.hw.contracts.pipes import DrawSetContract, PipeContract, WinnersContract
from softstream.hw.contracts.read_out import InsertionContract, OneHotContract, RankedStoreContract
from softstream.hw.contracts.remaining_mass import RemainderContract
from softstream.hw.contracts.rings import FactorStoreContract, ReplayContract
from softstream.hw.contracts.two_passes import TwoPassContract
from softstream.hw.contracts.windows import SmoothingContract, WindowContract
from softstream.hw.contracts.winner import WinnerContract
from softstream.hw.modes.gumbel import GumbelDraw
from softstream.hw.modes.hardmax import OneHot
from softstream.hw.modes.sigmoid import SigmoidTable
from softstream.hw.modes.two_pass import TwoPass
from softstream.hw.options.final_round import FinalRound
from softstream.hw.options.floor import Floor, Remainder
from softstream.hw.options.groups import GroupEnds, PacketEnds
from softstream.hw.options.inverse_temperature import Product
from softstream.hw.options.mean_probabilities import MeanProbabilities
from softstream.hw.options.member_sum import MemberSum
from softstream.hw.options.null_beats import NullBeats
from softstream.hw.options.smoothing import Smoothing, Window
from softstream.hw.options.vector_flags import VectorFlags
from softstream.hw.plan.stage_cycles import maximum_latency
from softstream.hw.stages.accumulate import Accumulate
from softstream.hw.stages.cdf_search import CdfSearch
from softstream.hw.stages.draw_set import DrawSet
from softstream.hw.stages.exponential import Terms
from softstream.hw.stages.frame import Frame
from softstream.hw.stages.insertion import Insertion
from softstream.hw.stages.lane_merge import LaneMerge
from softstream.hw.stages.maximum import Maximum, SkewedMaximum
from softstream.hw.stages.ranked_store import RankedStore
from softstream.hw.stages.replay import FactorStore, Replay
from softstream.hw.stages.sum_share import SumShare
from softstream.hw.streams.flow import Credit, Fork, Hold, Queue, Skid, Spacing

__all__ = ["CONTRACTS", "PIPES", "contract_of", "counting_contract_of", "has_contract", "parts_of"]

PIPES: dict[type, str] = {
    SigmoidTable: "table of the sigmoid",
    Product: "product with the temperature",
    Floor: "floor",
    FinalRound: "final rounding",
    GumbelDraw: "Gumbel draw",
    DrawSet: "draw set",
}
"""Rigid stage with a fixed latency → its name."""

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
    GroupEnds: GroupEndsContract,
    Remainder: RemainderContract,
    PacketEnds: PacketEndsContract,
    MemberSum: MemberSumContract,
    MeanProbabilities: MeanProbabilitiesContract,
    VectorFlags: VectorFlagsContract,
    Window: WindowContract,
    Smoothing: SmoothingContract,
    OneHot: OneHotContract,
    Insertion: InsertionContract,
    RankedStore: RankedStoreContract,
    LaneMerge: LaneMergeContract,
    TwoPass: TwoPassContract,
    Terms: TermsContract,
    Accumulate: AccumulateContract,
    SumShare: SumShareContract,
    CdfSearch: CdfSearchContract,
    **{stage: lambda component: PipeContract(component, PIPES[type(component)], component.latency) for stage in PIPES},
    DrawSet: lambda component: DrawSetContract(component, PIPES[DrawSet], component.latency),
}
"""Component → its contract."""


def contract_of(component: Any) -> Contract:
    """The contract of a component."""
    contract: Contract = CONTRACTS[type(component)](component)
    return contract


def counting_contract_of(component: Any) -> Contract:
    """What a component keeps of the number and order of beats and ends: of a comparison, one winner for each vector."""
    if isinstance(component, Maximum):
        return WinnersContract(component)
    if isinstance(component, SkewedMaximum):
        return PipeContract(component, "skewed winners", maximum_latency(component.config))
    return contract_of(component)


def parts_of(component: Any) -> tuple[Any, ...]:
    """The parts inside a component whose contracts its own contract relies on."""
    if isinstance(component, (LaneMerge, PacketEnds, RankedStore, VectorFlags)):
        return (component.queue,)
    if isinstance(component, MeanProbabilities):
        return component.hold, component.member_sum
    return tuple(component.windows) if isinstance(component, Smoothing) else ()


_CONDITIONS: dict[type, Callable[[Any], bool]] = {
    Maximum: lambda component: not component.config.marks_participants,
    SkewedMaximum: lambda component: not component.config.marks_participants,
    Accumulate: lambda component: component.of_terms_alone,
    Terms: lambda component: not component.windowed,
    CdfSearch: lambda component: not (component.config.ranked_draw or component.config.mask),
}
"""What a component must be to have the contract of its kind.

A comparison that marks who takes part has none, nor has a search with a mask. A sum has one if it is exact and
without a sink, and a table of terms if these belong to no windows.
"""


def has_contract(component: Any) -> bool:
    """Whether a component has one: its kind is in `CONTRACTS`, and it meets the condition of its kind."""
    kind = type(component)
    return kind in CONTRACTS and (kind not in _CONDITIONS or _CONDITIONS[kind](component))
