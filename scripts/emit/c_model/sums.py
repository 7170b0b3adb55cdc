"""C of the sum of a vector's exponentials: `sim/golden/stages/{exponential,accumulate,leading_one}` element by element."""

from softstream.hw.numbers.exponential import SPLIT_GUARD, ExponentialTables
from softstream.hw.numbers.softmax import Numerics
from softstream.scripts.emit.c_model.text import filled, table

__all__ = ["exponential", "exponential_type", "leading_one", "looked_up", "moments", "product", "summed"]


def product() -> str:
    """floor(one · other / 2^shift), whatever the width of the product."""
    return filled("""
/* floor(one * other / 2^shift) of factors below 2^36; the result is below 2^62. */
static inline uint64_t @product(uint64_t one, uint64_t other, unsigned shift)
{
    const unsigned low = shift < 18u ? shift : 18u;
    const uint64_t high_part = one * (other >> low);
    const uint64_t low_part = (one * (other & ((UINT64_C(1) << low) - 1u))) >> low;
    return (high_part + low_part) >> (shift - low);
}
""")


def exponential(widths: Numerics) -> str:
    """The functions of 2^(beta·position): of the terms of the sum, and of the elements where their tables are scaled."""
    text = f"{exponential_type(widths)}\n{looked_up(widths.tables, 'exponential')}"
    if widths.numerators is not None:
        text += "\n/* The exponential of an element, in the scale of the output codes. */\n"
        text += looked_up(widths.numerators.tables, "numerator")
    return text


def exponential_type(widths: Numerics) -> str:
    """The type of an exponential."""
    return filled(
        """
/* An exponential, significand * 2^(exponent - $fraction), significand in [2^$fraction, 2^${more}). */
typedef struct {
    uint64_t exponent;
    uint64_t significand;
} @exponential_t;

""",
        fraction=widths.tables.fraction,
        more=widths.tables.fraction + 1,
    )


def looked_up(tables: ExponentialTables, name: str) -> str:
    """The function `name` from a position to exponent and significand, by one table or as the product of two entries."""
    head = filled(
        """
static inline @exponential_t @$name(uint64_t position)
{
""",
        name=name,
    )
    if not tables.low:
        exponents, significands = tables.all_positions
        return (
            head
            + table("exponent", exponents)
            + table("significand", significands)
            + filled("""
    @exponential_t result;
    result.exponent = exponent[position];
    result.significand = significand[position];
    return result;
}
""")
        )
    zeros = tables.work_fraction - tables.delta_width
    return (
        head
        + table("high_exponent", (e for e, _ in tables.high))
        + table("high_factor", (x for _, x in tables.high))
        + table("low_exponent", (e for e, _ in tables.low))
        + table("low_delta", (d for _, d in tables.low))
        + filled(
            """
    const uint64_t high = position >> $low, low = position & ${low_mask}u;
    const uint64_t factor = high_factor[high];
    const uint64_t scaled = factor + @product(factor >> $zeros, low_delta[low], ${width}u);
    const uint64_t carry = scaled >> $carry;
    @exponential_t result;
    result.exponent = (uint64_t)high_exponent[high] + low_exponent[low] + carry;
    result.significand = scaled >> (${guard}u + carry);
    return result;
}
""",
            low=tables.low_width,
            low_mask=(1 << tables.low_width) - 1,
            zeros=zeros,
            width=tables.delta_width,
            carry=tables.work_fraction + 1,
            guard=SPLIT_GUARD,
        )
    )


def leading_one() -> str:
    """The place of the leading one of a number above 0."""
    return filled("""
/* The place of the leading one of a value above 0. */
static inline unsigned @leading_one(uint64_t value)
{
    unsigned place = 0u, bits;
    for (bits = 32u; bits != 0u; bits >>= 1) {
        if (value >> bits != 0u) {
            value >>= bits;
            place += bits;
        }
    }
    return place;
}
""")


_ABSOLUTE = """
    for (i = 0u; i < count; i++) {
        if (@takes_part(vectors, i)) {
            const @exponential_t term = @exponential(@position(vectors, i));
            total += term.significand << term.exponent;
        }
    }
"""

_REFERENCE = """
    uint64_t reference = 0u;
    for (i = 0u; i < count; i++) {
        if (@takes_part(vectors, i)) {
            const @exponential_t term = @exponential(@position(vectors, i));
            const uint64_t coarse = term.exponent >> $step_log2;
            const uint64_t scaled = term.significand << ((term.exponent & ${step_mask}u) + ${align}u);
            if (coarse > reference) {
                total = @shifted(total, coarse - reference);
                reference = coarse;
            }
            total += @shifted(scaled, reference - coarse);
        }
    }
"""

_TWO_WINDOWS = """
    uint64_t reference = 0u, below = 0u;
    for (i = 0u; i < count; i++) {
        if (@takes_part(vectors, i)) {
            const @exponential_t term = @exponential(@position(vectors, i));
            const uint64_t window = term.exponent / ${step}u;
            const uint64_t scaled = term.significand << (term.exponent % ${step}u);
            if (window > reference) {
                below = window == reference + 1u ? total >> $dropped : 0u;
                total = scaled;
                reference = window;
            } else if (window == reference) {
                total += scaled;
            } else if (window + 1u == reference) {
                below += scaled >> $dropped;
            }
        }
    }
    total = (total << $align) + (below >> $cut);
"""


_SINK = """
    {
        const @exponential_t term = @exponential(@sink(vectors));
        total += term.significand << term.exponent;
    }
"""


def summed(widths: Numerics, *, sink: bool = False) -> str:
    """The sum of a vector's exponentials as 2^n·m: exact, in two windows, or against a running reference.

    With `sink` an exact sum contains the exponential of the vector's sink.
    """
    step = widths.reference_step
    parts = [leading_one()]
    if not widths.absolute and not widths.windows:
        parts.append(
            filled(
                """
/* A sum moved down to a reference that is so many steps of $step octaves higher, cut. */
static inline uint64_t @shifted(uint64_t value, uint64_t steps)
{
    return steps > ${most}u ? 0u : value >> (${step}u * steps);
}
""",
                step=step,
                most=63 // step,
            )
        )
    parts.append(
        filled(
            """
/* A sum, divisor * 2^(exponent - $fraction), divisor in [2^$fraction, 2^${more}). */
typedef struct {
    uint64_t exponent;
    uint64_t divisor;
} @sum_t;

/* The sum of the exponentials of a vector; any value for a vector in which no element takes part. */
static inline @sum_t @summed(const @vector *vectors, size_t count)
{
    uint64_t total = UINT64_C($begin);
    size_t i;
    unsigned leading;
    @sum_t sum;
""",
            fraction=widths.divisor_fraction,
            more=widths.divisor_fraction + 1,
            begin=widths.sink_term,
        )
        + filled(
            _ABSOLUTE + _SINK * sink if widths.absolute else _TWO_WINDOWS if widths.windows else _REFERENCE,
            step=step,
            dropped=widths.significand_fraction,
            cut=step - widths.accumulator_fraction,
            step_log2=step.bit_length() - 1,
            step_mask=step - 1,
            align=widths.accumulator_fraction - widths.significand_fraction,
        )
        + filled(
            """
    if (total == 0u) {
        total = UINT64_C(1) << $accumulator;
    }
    leading = @leading_one(total);
    sum.exponent = ${reference}leading - ${accumulator}u$octaves;
    sum.divisor = leading > ${fraction}u ? total >> (leading - ${fraction}u) : total << (${fraction}u - leading);
    return sum;
}
""",
            accumulator=widths.accumulator_fraction,
            octaves=f" + {widths.numerator_octaves}u" if widths.numerator_octaves else "",
            reference="" if widths.absolute else f"{step}u * reference + ",
            fraction=widths.divisor_fraction,
        )
    )
    return "\n".join(parts)


def moments(width: int, widths: Numerics) -> str:
    """The sum of the products of exponentials and positions of `width` bits, in the units of the divisor of the sum."""
    return filled(
        """
/* The sum of each exponential times its position, in the units of the divisor of the vector's sum; cut. */
static inline uint64_t @moment(const @vector *vectors, size_t count, @sum_t sum)
{
    uint64_t total = 0u;
    size_t i;
    for (i = 0u; i < count; i++) {
        if (@takes_part(vectors, i)) {
            const uint64_t position = @position(vectors, i) & ${mask}u;
            const @exponential_t term = @exponential(position);
            total += (term.significand * position) << term.exponent;
        }
    }
    if (sum.exponent + ${accumulator}u > ${fraction}u) {
        return total >> (sum.exponent + ${accumulator}u - ${fraction}u);
    }
    return total << (${fraction}u - (sum.exponent + ${accumulator}u));
}
""",
        mask=(1 << width) - 1,
        accumulator=widths.accumulator_fraction,
        fraction=widths.divisor_fraction,
    )
