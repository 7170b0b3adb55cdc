"""C of the exact sum: the running sum of exponentials as cumulative codes, element by element."""

from softstream.hw.config.config import Config
from softstream.hw.numbers.exact_sum import ExactSum, exact_sum
from softstream.scripts.emit.c_model.normalisers import NORMALISERS
from softstream.scripts.emit.c_model.sums import exponential, summed
from softstream.scripts.emit.c_model.text import filled

__all__ = ["exact_sum_functions"]

_RUNNING = """
/* A vector as far as its elements were read. */
typedef struct {
    uint64_t divisor; /* $divisor */
    uint64_t exponent; /* of the sum */
    uint64_t sum; /* of the exponentials up to the last element */
    uint64_t count; /* elements up to the last one, without the masked ones */
    uint64_t share; /* codes that the exponentials share */
    uint64_t code; /* the cumulative code of the last element */
} @running_t;

static inline @running_t @begun(const @vector *vectors, size_t count)
{
    const @sum_t sum = @summed(vectors, count);
    @running_t running;
    size_t i;
    running.divisor = $value;
    running.exponent = sum.exponent;
    running.sum = 0u;
    running.count = 0u;
    running.share = ${one}u;
    running.code = 0u;
    for (i = 0u; i < count; i++) {
        if (@takes_part(vectors, i)) {
            running.share -= ${minimum}u;
        }
    }
    return running;
}

/* The cumulative code of the next element, which takes part: F*c + floor(K*q / 2^$width + 1/2). */
static inline uint64_t @cumulative(@running_t *running, uint64_t position)
{
    const @exponential_t term = @exponential(position);
    uint64_t cut, ratio;
    running->sum += term.significand << term.exponent;
    running->count++;
    cut = running->exponent > ${raised}u ? running->sum >> (running->exponent - ${raised}u)
                                         : running->sum << (${raised}u - running->exponent);
$quotient
    running->code = ${minimum}u * running->count + ((running->share * ratio + ${half}u) >> $width);
    return running->code;
}

/* The code of the next element, which takes part. */
static inline uint64_t @difference(@running_t *running, uint64_t position)
{
    const uint64_t before = running->code;
    return @cumulative(running, position) - before;
}
"""


def _quotient(numbers: ExactSum, division: str) -> str:
    if division == "reciprocal":
        return f"    ratio = @product(cut, running->divisor, {numbers.product_shift}u);"
    width = numbers.quotient_width
    first = width // 2
    return filled(
        """
    /* floor(2^$width * cut / divisor) in two steps, because 2^$width * cut may exceed 64 bits. */
    ratio = (cut << $first) / running->divisor;
    ratio = (ratio << $rest) + ((((cut << $first) - ratio * running->divisor) << $rest) / running->divisor);
    ratio = ratio < UINT64_C($limit) ? ratio : UINT64_C($limit);
""",
        width=width,
        first=first,
        rest=width - first,
        limit=(1 << width) - 1,
    ).rstrip("\n")


def exact_sum_functions(config: Config) -> str:
    """The functions of a vector whose codes sum to 2^P: `@begun`, `@cumulative`, `@difference`."""
    numbers, reciprocal = exact_sum(config), config.division == "reciprocal"
    running = filled(
        _RUNNING,
        divisor="the reciprocal of the sum" if reciprocal else "of the cut sums",
        value="@factor(sum).value" if reciprocal else "sum.divisor",
        one=numbers.one,
        minimum=numbers.minimum,
        width=numbers.quotient_width,
        raised=numbers.raised,
        half=1 << (numbers.quotient_width - 1),
        quotient=_quotient(numbers, config.division),
    )
    factor = [NORMALISERS["reciprocal"](numbers.widths)] if reciprocal else []
    return "\n".join([exponential(numbers.widths), summed(numbers.widths), *factor, running])
