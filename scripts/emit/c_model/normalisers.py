"""C of the normalisers: the factor that the elements of a vector share, and the probability code of an element."""

from collections.abc import Callable

from softstream.hw.numbers.reciprocal import ADDRESS_WIDTH, GUARD
from softstream.hw.numbers.softmax import Numerics
from softstream.scripts.emit.c_model.text import filled, table

__all__ = ["NORMALISERS", "rounded"]


def rounded(widths: Numerics) -> str:
    """The quotient shifted into place, rounded once, saturated."""
    return filled(
        """
/* min(floor(quotient * 2^-(d + 1) + 1/2), code of 1.0), d = sum_exponent - exponent. */
static inline uint64_t @rounded(uint64_t quotient, uint64_t sum_exponent, uint64_t exponent)
{
    const uint64_t below = sum_exponent - exponent;
    const uint64_t code = ((quotient >> (below < 63u ? below : 63u)) + 1u) >> 1;
    return code < ${limit}u ? code : ${limit}u;
}
""",
        limit=widths.probability_maximum,
    )


_EMISSION = """
/* The probability code of an element: its significand over the sum, shifted and rounded. */
static inline uint64_t @probability(@factor_t factor, uint64_t position)
{
    const @exponential_t term = @$exponential(position);
    return @rounded($quotient, factor.exponent, term.exponent);
}
"""

_FACTOR = """
/* What the elements of a vector share: the exponent of the sum, and $meaning. */
typedef struct {
    uint64_t exponent;
    uint64_t value;
} @factor_t;

static inline @factor_t @factor(@sum_t sum)
{
    @factor_t factor;
    factor.exponent = sum.exponent;
"""

_END = """
    return factor;
}
"""


def _with_emission(widths: Numerics, meaning: str, value: str, quotient: str) -> str:
    exponential = "exponential" if widths.numerators is None else "numerator"
    factor = filled(_FACTOR, meaning=meaning) + value + filled(_END)
    return "\n".join([factor, rounded(widths), filled(_EMISSION, quotient=quotient, exponential=exponential)])


def _divider(widths: Numerics) -> str:
    shift = widths.probability_width + 1 + widths.divisor_fraction - widths.significand_fraction
    value = "    factor.value = sum.divisor;\n"
    return _with_emission(widths, "the divisor", value, f"(term.significand << {shift}) / factor.value")


def _reciprocal(widths: Numerics) -> str:
    width, fraction = widths.reciprocal_width, widths.divisor_fraction
    if widths.reciprocals is not None:
        chords = widths.reciprocals
        value = (
            table("start", chords.start)
            + table("slope", chords.slope)
            + filled(
                """
    {
        const uint64_t address = (sum.divisor >> $low) - ${first}u;
        const uint64_t low = sum.divisor & ${mask}u;
        factor.value = (start[address] - (((uint64_t)slope[address] * low) >> $low)) >> $guard;
    }
""",
                low=chords.low_width,
                first=1 << ADDRESS_WIDTH,
                mask=(1 << chords.low_width) - 1,
                guard=GUARD,
            )
        )
    else:
        first = min(width + fraction, 62)
        value = filled(
            """
    {
        /* floor(2^$exponent / divisor), in two steps because 2^$exponent may exceed 64 bits. */
        const uint64_t quotient = (UINT64_C(1) << $first) / sum.divisor;
        const uint64_t rest = (UINT64_C(1) << $first) % sum.divisor;
        const uint64_t reciprocal = (quotient << $more) + (rest << $more) / sum.divisor;
        factor.value = reciprocal < UINT64_C($limit) ? reciprocal : UINT64_C($limit);
    }
""",
            exponent=width + fraction,
            first=first,
            more=width + fraction - first,
            limit=(1 << width) - 1,
        )
    shift = widths.significand_fraction + width - widths.probability_width - 1
    return _with_emission(widths, "the reciprocal", value, f"@product(term.significand, factor.value, {shift}u)")


def _logarithm(widths: Numerics) -> str:
    tables = widths.logarithms
    assert tables is not None
    value = table("logarithm", tables.logarithm) + filled(
        """
    {
        const uint64_t cut = sum.divisor >> $down;
        factor.value = (sum.exponent << $working) + logarithm[(cut >> 1) - ${entries}u] + (cut & 1u);
    }
""",
        down=widths.divisor_fraction - tables.working_fraction,
        working=tables.working_fraction,
        entries=1 << tables.fraction,
    )
    return "\n".join(
        [
            filled(_FACTOR, meaning="the logarithm of the sum") + value + filled(_END),
            filled("""
/* The probability code of an element: the antilogarithm of a difference of logarithms. */
static inline uint64_t @probability(@factor_t factor, uint64_t position)
{
""")
            + table("logarithm", tables.position)
            + table("antilogarithm", widths.antilogarithm)
            + filled(
                """
    const uint64_t difference = factor.value - logarithm[position] - 1u;
    const uint64_t octave = difference >> $working;
    const uint64_t address = (UINT64_C(1) << $working) | (difference & ${mask}u);
    return antilogarithm[address >> ((octave < ${most}u ? octave : ${most}u) + 1u)];
}
""",
                working=tables.working_fraction,
                mask=(1 << tables.working_fraction) - 1,
                most=tables.fraction + 1,
            ),
        ]
    )


def _none(widths: Numerics) -> str:
    value = "    factor.value = 0u; /* the power of two is in the exponent */\n"
    quotient = f"term.significand >> {widths.significand_fraction - widths.probability_width}"
    return _with_emission(widths, "nothing else", value, quotient)


NORMALISERS: dict[str, Callable[[Numerics], str]] = {
    "divider": _divider,
    "reciprocal": _reciprocal,
    "logarithm": _logarithm,
    "none": _none,
}
"""Value of the key `normaliser` → C of `factor` and `probability`."""
