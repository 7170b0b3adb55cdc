"""Golden model of `hw/options/mean_logits.py`: an ensemble's vectors of scores become one of their sums."""

from dataclasses import replace

from softstream.hw.config.config import Config
from softstream.hw.numbers.ensemble import result_lengths, sum_offset
from softstream.hw.plan.ports import sidebands
from softstream.sim.golden.options.member_sum import member_sum
from softstream.sim.golden.stages.frame import Block

__all__ = ["mean_logits"]


def mean_logits(config: Config, after: Config, block: Block) -> Block:
    """Sums of score codes as positions of the format behind, [V / M, N]; the sideband is that of the last member."""
    members = config.ensemble
    # A sum of positions is M times a constant away from the position of the sum of the codes.
    positions = member_sum(block.positions, block.lengths, members) + after.position(sum_offset(config))
    sideband = {field.array: block.sideband[field.array][members - 1 :: members] for field in sidebands(config)}
    return replace(block, positions=positions, lengths=result_lengths(config, block.lengths), sideband=sideband)
