"""Plan of a head without its stream of winners."""

from softstream.hw.plan.records import OptionPlan

__all__ = ["NO_WINNER"]

NO_WINNER = OptionPlan(
    applies=lambda config: config.drops_winner,
    without=lambda config: config.replace(winner=True),
    outputs=lambda config, outputs: tuple(output for output in outputs if output.per not in ("vector", "group")),
)
