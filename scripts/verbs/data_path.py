"""The data path of a plan as a graph of branches, and as text with the format behind every stage.

path = data_path(plan(config))
path.lines()    # [' scores  Q8.0', ' └─ frame          UQ8.0', '    ├─ maximum     10-bit index, Q8.0  ──▶ winner', …]
"""

from dataclasses import dataclass

from softstream.hw.plan.records import Plan, StagePlan

__all__ = ["DataPath", "data_path"]

_STORES = {"replay", "ranked_store", "lane_merge"}
"""Stages that hold a vector until what is worked out once per vector is known."""
_SOURCE = "–"
"""Input format of a stage that makes its values itself."""


@dataclass(frozen=True)
class DataPath:
    """The stages of a plan by the branch in which they stand; every stage stands in exactly one."""

    scores: str
    """Format of what enters."""
    front: tuple[StagePlan, ...]
    """Up to the fork."""
    winner: StagePlan | None
    """Beside the other branches, where the head has more than one."""
    sums: tuple[StagePlan, ...]
    """The branch whose result is used once per vector; empty where the path has one branch."""
    out: tuple[StagePlan, ...]
    """The branch of the elements, to the output."""
    join: int
    """Place in `out` of the stage that takes the result of `sums`; 0 without `sums`."""
    sources: tuple[tuple[StagePlan, StagePlan], ...]
    """Each stage without an input, and the stage that it feeds."""
    output: str
    """Content of the output of `out`."""
    best: str
    """Content of the output of `winner`; empty where it has none of its own."""

    def stages(self) -> list[StagePlan]:
        """Every stage, branch by branch."""
        winner = [] if self.winner is None else [self.winner]
        return [*self.front, *winner, *self.sums, *(source for source, _ in self.sources), *self.out]

    def lines(self) -> list[str]:
        """The path from top to bottom, one stage a line."""
        fork = " " * (1 + 3 * bool(self.front))
        branches = [tuple(rows) for rows in ([self.winner] if self.winner else [], self.sums, self.out) if rows]
        rows: list[tuple[str, StagePlan]] = []
        for number, stage in enumerate(self.front):
            rows.append((" └─ " if number == 0 else "    ", stage))
        for number, branch in enumerate(branches):
            last = number == len(branches) - 1
            for place, stage in enumerate(branch):
                below = "" if len(branches) == 1 else "   " if last else "│  "
                corner = below if place or not below else "└─ " if last else "├─ "
                rows += [(fork + below, source) for source, target in self.sources if target is stage]
                rows.append((fork + corner, stage))
        names = max(len(lead + stage.name) for lead, stage in rows) + 2
        formats = max(len(stage.output_format) for _, stage in rows) + 1
        text = [f" scores  {self.scores}"]
        inside = False
        for lead, stage in rows:
            head = f"{(lead + stage.name):<{names}}{stage.output_format}"
            after = self._arrow(stage)
            if self.sums and stage is self.sums[-1]:
                head, inside = f"{head:<{names + formats}}{'─' * 3}┐", True
            elif self.sums and stage is self.out[self.join]:
                head, inside = f"{head:<{names + formats}}◀──┘", False
            elif inside:
                head = f"{head:<{names + formats}}   │"
            text.append(head + after)
        return text

    def _arrow(self, stage: StagePlan) -> str:
        if stage is self.out[-1]:
            return f"  ──▶ {self.output}"
        if stage is self.winner and self.best:
            return f"  ──▶ {self.best}"
        if self.sums and stage is self.sums[-1]:
            return "  once per vector"
        return "".join(f"  ──▶ {target.name}" for source, target in self.sources if source is stage)


def data_path(plan: Plan) -> DataPath:
    """The branches of a plan, from the names and formats of its stages."""
    stages = list(plan.stages)
    sources = [(stage, stages[place + 1]) for place, stage in enumerate(stages) if stage.input_format == _SOURCE]
    chain = [stage for stage in stages if stage.input_format != _SOURCE]
    names = [stage.name for stage in chain]
    fork = names.index("frame") + 1 if "frame" in names else names.index("maximum")
    front, chain = chain[:fork], chain[fork:]
    way_out = next(
        (
            place
            for place, stage in enumerate(chain)
            if stage.name in _STORES or (place and _joins(stage, chain[place - 1]))
        ),
        0,
    )
    sums, out = chain[:way_out], chain[way_out:]
    winner = None
    # The winner of an entropy waits for it, and both leave in one beat.
    if sums or (len(out) > 1 and (len(plan.outputs) > 1 or out[1].name == "exponential")):
        winner = next((stage for stage in [*sums, *out[:1]] if stage.name == "maximum"), None)
        sums, out = [[stage for stage in branch if stage is not winner] for branch in (sums, out)]
    if sums and sums[0].name == "insertion":  # it keeps the tags of the elements that the store holds
        out, sums = [sums[0], *out], sums[1:]
    join = next((place for place, stage in enumerate(out) if sums and _joins(stage, sums[-1])), 0)
    nouns = [output.noun for output in plan.outputs]
    # The mean of probabilities has a winner of its own.
    late = any(stage.name == "mean_probabilities" for stage in out)
    best = nouns[1] if winner is not None and len(nouns) > 1 and not late else ""
    return DataPath(
        scores=stages[0].input_format if stages[0].name != "maximum" else f"{plan.config.score_format}",
        front=tuple(front),
        winner=winner,
        sums=tuple(sums),
        out=tuple(out),
        join=join,
        sources=tuple(sources),
        output=nouns[0] if best or len(nouns) == 1 else " and ".join(nouns),
        best=best,
    )


def _joins(stage: StagePlan, before: StagePlan) -> bool:
    """Whether a stage with two inputs takes the result of another one as its second; `–` where it needs the exponent alone."""
    first, comma, second = stage.input_format.rpartition(", ")
    ends = before.output_format.rpartition(" ")[2]
    if not comma or "," in first or stage.input_format == before.output_format:
        return False
    return second == ends or (second == _SOURCE and before.name == "leading_one")
