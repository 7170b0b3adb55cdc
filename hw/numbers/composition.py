"""The stages around the head of a configuration: on the scores before it, on the probabilities behind it.

    scores ─► front stages ─► head of the inner configuration ─► post stages ─► finish ─► output

Each option of the outer configuration is one stage; the inner configuration is the outer one with the options switched off.
With post stages the inner configuration is *guarded*: its probabilities have G = k − 1 bits more and are not saturated, so that
the result is rounded once, at the end. P' = P + G and k' = k − G = 1, so that P' + k' = P + k: no table, no sum and no
factor becomes wider, only the quotient does.

Codes in steps of 1/L (`output_levels`) come from scaled tables of the head (`output_levels`, `logarithm`), which cost next to
nothing. Where a last rounding exists anyway, and in two passes, whose one table serves sum and elements, the last rounding
multiplies by L instead: code = floor(L·q·2^−P' + 1/2) + zero point, where q·2^−P' is the guarded probability. L has few signed
digits (255 = 2^8 − 1), so the product takes adders alone. The zero point is part of that addition. Elsewhere it is added to the
codes at the port, which for −2^(P−1) is the inversion of one bit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from softstream.hw.config.config import Config
from softstream.hw.numbers.ensemble import mean_truncation, summed
from softstream.hw.numbers.floor import floor_error
from softstream.hw.numbers.smoothing import smoothing_error
from softstream.hw.numbers.temperature import tempered, untempered

__all__ = ["FRONTS", "POSTS", "Composition", "Front", "FrontStep", "Post", "composition", "guarded"]


@dataclass(frozen=True)
class FrontStep:
    """A kind of front stage."""

    applies: Callable[[Config], bool]
    without: Callable[[Config], Config]
    """The configuration behind the stage: its option switched off, its scores as the stage puts them out."""
    argmax: Callable[[Config], Config | None] = lambda config: None
    """The argmax head whose winner is that of the scores before the stage, where it is not that of those behind it."""


@dataclass(frozen=True)
class Front:
    """One front stage of a configuration."""

    name: str
    before: Config
    after: Config
    argmax: Config | None = None
    """The argmax head that finds the winner among the scores before the stage; None where the inner head finds it."""


@dataclass(frozen=True)
class Post:
    """A kind of post stage."""

    applies: Callable[[Config], bool]
    without: Callable[[Config], Config]
    """The configuration with its option switched off."""
    error: Callable[[Config, Config, Fraction], Fraction]
    """(outer, inner, e) → error of a probability behind the stage where it is at most e before, both absolute."""
    truncation: Callable[[Config, Config], Fraction] = lambda config, inner: Fraction(0)
    """Error of a truncation at the end of the stage, which the last rounding absorbs unless another stage follows."""


FRONTS: dict[str, FrontStep] = {
    "mean_logits": FrontStep(lambda config: config.sums_scores, summed),
    "inverse_temperature": FrontStep(lambda config: config.temperature_bits > 0, tempered, untempered),
}
"""Front stages by the stem of their file, in data-path order."""

POSTS: dict[str, Post] = {
    "mean_probabilities": Post(
        lambda config: config.averages_probabilities,
        lambda config: config.replace(ensemble=1, ensemble_mean="logits"),
        lambda config, inner, error: error,
        mean_truncation,
    ),
    "smoothing": Post(lambda config: config.smooths, lambda config: config.replace(smoothing=()), smoothing_error),
    "floor": Post(
        lambda config: config.probability_floor > 0,
        lambda config: config.replace(probability_floor=0.0),
        floor_error,
    ),
}
"""Post stages, likewise; behind the last of them stands `finish`."""


@dataclass(frozen=True)
class Composition:
    """The stages around an inner head."""

    fronts: tuple[Front, ...]
    inner: Config
    posts: tuple[str, ...]
    """Names in data-path order, without `finish`."""
    finished: bool
    """Whether the inner configuration is guarded, so that `finish` ends the data path."""
    shifted: bool = False
    """Whether the zero point is added to the codes of a head that is not finished."""

    @property
    def argmax(self) -> Config | None:
        """The argmax head that finds the winner, where the inner head does not."""
        return next((front.argmax for front in self.fronts if front.argmax is not None), None)


def guarded(config: Config) -> Config:
    """The configuration with the probabilities that post stages take: UQ1.(P + G), the same P + k inside.

    The levels of the output are those of the last rounding: 2^P levels would be a coarser step than that of P + G bits.
    """
    extra = config.guarded_bits
    return config.replace(
        probability_width=config.probability_width + extra,
        guard_bits=config.guard_width - extra,
        normaliser=config.division,  # chosen by the guard bits of the whole, of which the inner head has fewer
        probability_format="UQ1",
        output_levels=0,
    )


def _posts(config: Config) -> tuple[str, ...]:
    return tuple(name for name, post in POSTS.items() if post.applies(config))


@lru_cache(maxsize=256)
def composition(config: Config) -> Composition | None:
    """The stages around the head of a configuration; None where there are none."""
    inner, fronts, posts = config, [], _posts(config)
    rescales = config.rescales and config.traits.normalised and (bool(posts) or config.two_pass)
    shifts = config.output_zero_point != 0 and config.traits.normalised
    if rescales or shifts:
        inner = inner.replace(output_levels=0 if rescales else inner.output_levels, output_zero_point=0)
    for name in posts:
        inner = POSTS[name].without(inner)
    for name, step in FRONTS.items():
        if step.applies(inner):
            after = step.without(inner)
            fronts.append(Front(name, inner, after, step.argmax(inner)))
            inner = after
    finished = bool(posts) or rescales
    if finished:
        inner = guarded(inner)
    if not (fronts or finished or shifts):
        return None
    return Composition(tuple(fronts), inner, posts, finished, shifts and not finished)
