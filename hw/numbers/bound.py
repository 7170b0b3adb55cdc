r"""The error bound on |p̂ − p| for every input, in exact rationals, from a configuration's widths.

Let w_i = 2^(βx_i), W = Σw_i and p_i = w_i/W. The proof follows one element through the data path.

1. *Exponential.* ŵ_i = w_i(1 + ε_i) with |ε_i| <= ε; `exponential` measures ε over every score code. Let q_i = ŵ_i/Σŵ_j.
   The errors of numerator and sum partly cancel: the worst case has ε_i = ±ε and ∓ε for all others, so
   |q_i − p_i| <= 2ε·p(1 − p)/(1 − ε + 2εp) <= a·p(1 − p), a = 2ε/(1 − ε).
2. *Sum.* With a running reference each of the N − 1 additions truncates at most once. Each truncation removes less than
   2^−A of the reference, and the sum is never below the reference. So the sum is Σŵ·(1 − τ), 0 <= τ <= t = (N − 1)·2^−A.
   The absolute accumulator has t = 0. In two windows of W octaves, the sum of a vector takes the highest window c = max E // W of
   its terms exactly. A term of a lower window contributes, in units of 2^(cW), its integer part in steps of 2^−W if it belongs
   to window c − 1, and nothing if it lies below, where it is less than 2^−W. Terms of window c − 1 that come before the first
   of window c lose less than one step together, because their exact sum is truncated once; each later one loses less than one
   step. So fewer than N losses, each below 2^−W, remain of a sum that is at least 1: t = (N − 1)·2^−W. The
   sum itself is then cut to A = D fraction bits. Step 3 keeps no more of them, and floor(floor(S·2^D)/2^n) = floor(S·2^(D−n)).
3. *Divisor.* The normalised sum, in [1, 2), is truncated to D fraction bits: a factor (1 − μ), 0 <= μ <= u = 2^−D.
4. *Reciprocal* (normaliser `reciprocal` only). r is truncated to R bits: a factor (1 − ρ), 0 <= ρ <= e = 2^(1−R).
   So v = q(1 − ρ)/((1 − τ)(1 − μ)) and |v − q| <= κ·q with κ = max(1/((1 − t)(1 − u)) − 1, e): the two signs never add.
   Chords give r = (1 + ρ)/m' for the sum m' before its truncation, −e2 <= ρ <= e1. `reciprocal` measures e1 and e2 over
   every divisor; 1/(1 − t)·(1 + e1) − 1 and e2 then replace the two terms of κ.
5. *Quotient and rounding.* The quotient is truncated and then rounded half up. The truncation costs nothing, because
   floor((floor(v) + h)/2^s) = floor((v + h)/2^s) for an integer h. The rounding costs half an ulp.

Together |p̂ − p| <= ulp/2 + max over p of [a·p(1 − p) + κ·min(1, p + a·p(1 − p))]. The bracket is at most
a(1 + κ)·p(1 − p) + κp, a parabola whose maximum is computed exactly. A scale beyond `BETA_LIMIT` octaves a step adds
N·2^−64.

With logarithms, p̂ is an entry of a table. `logarithm` evaluates the error of each entry exactly, over all arguments that
lead to the entry, with the measured rounding of both logarithms. The sum is off by a factor in [(1 − t)(1 − ε), 1 + ε].

In two passes (`two_pass`) the exponentials are those of differences from the maximum, w_i = 2^(−βd_i) <= 1. The table has
an absolute error |δ(d)| <= η with δ(0) = 0. So ŵ_i = w_i + δ_i, Ŵ = W + Δ, and

    q_i − p_i = (δ_i − p_i·Δ)/Ŵ,   with W >= 1 and Ŵ >= 1, because the maximum's own term is 1 in both.

* The maximum has δ_i = 0 and p_i = 1/W. The at most N − 1 other terms give |Δ|/W <= Σ|δ_j|/(1 + Σw_j). For n terms this is
  a mediant of |δ_j|/(1/n + w_j), so it is below the largest n|δ(d)|/(1 + n·w(d)), which grows with n. Hence
  |q_i − p_i| <= A, the largest value over d with n = N − 1.
* Any other element has its own term and those of at most N − 2 others, Δ = δ_i + Δ_o. Its two errors are
  (1 − p_i)|δ_i|/Ŵ <= η and p_i·|Δ_o|/Ŵ = (|Δ_o|/W)·w_i/Ŵ <= A·w_i/(1 + w_i − η) <= A/(2 − η).
* The division drops c bits of both operands. (e − a)/(S − b) with 0 <= a, b <= 2^c − 1 and S >= 2^F − 1 differs from
  e/S <= 1 by (b·e/S − a)/(S − b), at most (2^c − 1)/(2^F − 2^c) in either direction.

Together |p̂ − p| <= ulp/2 + max(A, η + A/(2 − η)) + (2^c − 1)/(2^F − 2^c). A vector of one element has only the ulp/2.

Without a divider (normaliser `none`) the result is defined as w_i/2^(n+1), where n is the exponent of the computed sum, so
only ε enters: ulp/2 + ε/(1 − ε).

With stages behind the probabilities (`composition`) this is the bound of the inner configuration, in its ulp of 2^−(P+G).
Each stage states how it changes the error before it, and the final rounding costs another half an ulp.

With `output_levels` = L an ulp is 1/L, and the result is compared with L·p.

* The quotient has the numerator λ·ŵ_i·(1 + δ_i), λ = L/2^P, with |δ_i| <= δ, which `output_levels` measures over every score
  code. The factor (1 + δ_i) joins those of 2 to 4: κ = max((1 + δ)/((1 − t)(1 − u)) − 1, 1 − (1 − e)(1 − δ)), and in the bound
  without a divider 1 + ε becomes (1 + ε)(1 + δ). All else stays, in units of 1/L.
* The table of the logarithmic normaliser holds the codes in steps of 1/L, and its error is evaluated as before.
* The last rounding behind other stages has code = floor(L·q + 1/2) + zero point, where q is the guarded probability. L·q is
  exact, so |code − zero point − L·p| <= 1/2 + L·|q − p|, and the error of the last stage limits |q − p|.

No code saturates, because the code of 1.0 is L. A zero point shifts codes and changes no error.

UQ0.P has no code for 1.0, so results that round to 1.0 saturate to 1 − 2^−P. As p <= 1, the saturation costs at most 1 ulp.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from softstream.hw.config.config import Config
from softstream.hw.config.limits import BETA_LIMIT
from softstream.hw.errors import UserError
from softstream.hw.numbers.composition import POSTS, Composition, composition
from softstream.hw.numbers.exact_sum import exact_sum
from softstream.hw.numbers.softmax import Numerics, numerics
from softstream.hw.numbers.two_pass import differences

__all__ = ["Bound", "bound", "check_bound", "post_shares", "unchecked_bound"]


@dataclass(frozen=True)
class Bound:
    """The bound and its shares, all in ulp (2^−P, or 1/L with `output_levels` = L), exact."""

    exponential: Fraction
    accumulator: Fraction
    normaliser: Fraction
    rounding: Fraction
    total: Fraction
    saturation: Fraction
    """1 in UQ0.P, where 1.0 becomes 1 − 2^−P; 0 in UQ1.P, and in steps of 1/L."""
    post: Fraction = Fraction(0)
    """Share of the stages behind the probabilities."""

    @property
    def worst(self) -> Fraction:
        """The bound with saturation included."""
        return max(self.total, self.saturation)


def _scale_cap(config: Config) -> Fraction:
    """The largest absolute error that the cap of the scale can cause."""
    capped = config.effective_scale * math.log2(math.e) > BETA_LIMIT * (1 - 1e-12)
    return Fraction(config.summands, 1 << BETA_LIMIT) if capped else Fraction(0)


def _bracket(a: Fraction, kappa: Fraction) -> Fraction:
    """Maximum over p in [0, 1] of a(1 + κ)·p(1 − p) + κp."""
    a = a * (1 + kappa)
    if a <= kappa:  # the parabola has its maximum at p = 1, because it still rises there
        return kappa
    return (a + kappa) ** 2 / (4 * a)


def bound(config: Config, widths: Numerics | None = None) -> Bound:
    """The bound of a softmax configuration.

    Raises `UserError` for a bound above 1 ulp. The text states that bound and a change of keys that brings it to 1 ulp or less.
    """
    limits = _bound(config, widths)
    check_bound(config, limits, _bound)
    return limits


def check_bound(config: Config, limits: Bound, bound_of: Callable[[Config], Bound]) -> None:
    """Refuses a bound above the allowed one. `bound_of` gives the bound of other keys, unchecked.

    Raises `UserError`; the text states the bound and a change of keys that brings it to the allowed one or less.
    """
    if limits.total > _allowed(config):
        raise UserError(
            f"guard_bits = {config.guard_width} with probability_width = {config.probability_width}: the error bound would "
            f"be {float(limits.total):.3f} ulp, at most {_allowed(config)} ulp is allowed; "
            f"{_bound_remedy(config, bound_of)} would do"
        )


def _allowed(config: Config) -> int:
    """The largest bound of a configuration, in ulp: a code that is the difference of two roundings takes one more."""
    return 2 if config.exact_sum and not config.traits.cumulative else 1


def _bound(config: Config, widths: Numerics | None = None) -> Bound:
    """The bound of a softmax configuration, however large."""
    parts = composition(config)
    return unchecked_bound(config, widths) if parts is None else _composed_bound(config, parts)


def post_shares(config: Config, parts: Composition) -> list[tuple[str, Fraction]]:
    """Name and share of each post stage: the increase of the error from its input to its output, in steps of the code."""
    error = unchecked_bound(parts.inner).total / (1 << parts.inner.probability_width)
    shares = []
    for name in parts.posts:
        output_error = POSTS[name].error(config, parts.inner, error)
        if name != parts.posts[-1]:
            output_error += POSTS[name].truncation(config, parts.inner)
        shares.append((name, (output_error - error) * config.levels))
        error = output_error
    return shares


def _composed_bound(config: Config, parts: Composition) -> Bound:
    """The bound of the inner configuration, carried through the post stages and the final rounding."""
    if not parts.finished:
        return _bound(parts.inner)
    inner, half = unchecked_bound(parts.inner), Fraction(1, 2)
    scale = Fraction(config.levels, 1 << parts.inner.probability_width)
    post = sum((share for _, share in post_shares(config, parts)), Fraction(0))
    return Bound(
        exponential=inner.exponential * scale,
        accumulator=inner.accumulator * scale,
        normaliser=inner.normaliser * scale,
        rounding=inner.rounding * scale + half,
        post=post,
        total=inner.total * scale + post + half,
        saturation=_saturation(config),
    )


def unchecked_bound(config: Config, widths: Numerics | None = None) -> Bound:
    """The bound of a softmax configuration without stages around it, however large."""
    ulp = Fraction(1, config.levels)
    half = Fraction(1, 2)
    cap = _scale_cap(config) / ulp
    if config.accumulator == "two_pass":
        table = differences(config)
        eta, sum_error, drop = table.largest_error, table.sum_error, 1 << table.dropped
        exponential = Fraction(0)
        if config.max_length > 1:
            exponential = max(sum_error, eta + sum_error / (2 - eta)) / ulp + cap
        accumulator = Fraction(0)
        normaliser = Fraction(drop - 1, (1 << table.fraction) - drop) / ulp if drop > 1 else Fraction(0)
        total = half + exponential + normaliser
        return Bound(exponential, accumulator, normaliser, half, total, _saturation(config))
    if config.exact_sum:
        return _exact_bound(config, cap)
    widths = widths or numerics(config)
    epsilon = widths.tables.error
    scaling = widths.numerators.error if widths.numerators else Fraction(0)
    truncation = widths.sum_loss
    if widths.logarithms is not None:
        logarithms, one = widths.logarithms, Fraction(1)
        ideal = logarithms.error(one, one) + cap
        with_exponential = total = logarithms.error(1 - epsilon, 1 + epsilon) + cap
        if truncation:
            total = logarithms.error((1 - truncation) * (1 - epsilon), 1 + epsilon) + cap
        exponential, accumulator, normaliser = with_exponential - ideal, total - with_exponential, ideal - half
    elif config.normaliser == "none":
        error = ((1 + epsilon) * (1 + scaling) - 1) / (1 - epsilon)
        exponential, accumulator, normaliser = error / ulp + cap, Fraction(0), Fraction(0)
        total = half + exponential
    else:
        a = 2 * epsilon / (1 - epsilon)
        divisor = Fraction(1, 1 << widths.divisor_fraction)
        reciprocal = Fraction(0)
        if config.normaliser == "reciprocal":
            reciprocal = Fraction(2, 1 << widths.reciprocal_width)
        above = 1 / (1 - divisor)
        if widths.reciprocals is not None:
            above, reciprocal = 1 + widths.reciprocals.above, widths.reciprocals.below
        above, reciprocal = above * (1 + scaling), 1 - (1 - reciprocal) * (1 - scaling)
        with_sum = max(above / (1 - truncation) - 1, reciprocal)
        without_sum = max(above - 1, reciprocal)
        # The share of a step is its increase of the bound, so the shares sum to the total.
        exponential = _bracket(a, Fraction(0)) / ulp + cap
        with_normaliser = _bracket(a, without_sum) / ulp + cap
        total = half + _bracket(a, with_sum) / ulp + cap
        normaliser = with_normaliser - exponential
        accumulator = total - half - with_normaliser
    return Bound(exponential, accumulator, normaliser, half, total, _saturation(config))


def _exact_bound(config: Config, cap: Fraction) -> Bound:
    """The bound of codes that sum to 2^P; see `exact_sum` for its proof."""
    numbers = exact_sum(config)
    epsilon, one = numbers.widths.tables.error, numbers.one
    a = 2 * epsilon / (1 - epsilon)
    exponential = _bracket(a, Fraction(0)) * one + cap
    relative = _bracket(a, max(numbers.above, numbers.below)) * one + cap
    normaliser = relative - exponential + numbers.truncation * one
    rounding = Fraction(1, 2) if config.traits.cumulative else Fraction(1)
    return Bound(exponential, Fraction(0), normaliser, rounding, exponential + normaliser + rounding, Fraction(0))


def _saturation(config: Config) -> Fraction:
    """The cost of saturation in ulp: 1 where the format has no code for 1.0."""
    return Fraction(config.levels - config.probability_maximum)


def _bound_remedy(config: Config, bound_of: Callable[[Config], Bound]) -> str:
    """A change of keys with which `bound_of` gives at most 1 ulp; it tries the smallest change first."""
    changes: list[dict[str, Any]] = [{"guard_bits": bits} for bits in range(config.guard_width + 1, 9)]
    if config.traits.normalised and config.division != "divider":
        changes += [{"normaliser": "divider", "guard_bits": bits} for bits in range(4, 9)]
    if config.smooths:
        changes += [{"smoothing_passes": passes} for passes in range(config.smoothing_passes - 1, 0, -1)]
    changes += [{"probability_width": width} for width in range(config.probability_width - 1, 1, -1)]
    changes += [{key: value} for key, value in (("smoothing", []), ("probability_floor", 0.0), ("ensemble", 1))]
    for change in changes:
        try:
            fits = bound_of(config.replace(**change)).total <= _allowed(config)
        except UserError:
            continue
        if fits:
            return " with ".join(f"{key} = {value!r}" for key, value in change.items())
    return "probability_width = 8 with guard_bits = 4"
