"""C of the stages behind a head: smoothing, the floor and the last rounding, on a vector's guarded codes in place."""

from collections.abc import Callable
from dataclasses import dataclass

from softstream.hw.config.config import Config
from softstream.hw.numbers.floor import floor_code
from softstream.hw.numbers.smoothing import smoothing_tables
from softstream.scripts.emit.c_model.text import filled, table

__all__ = ["POSTS", "PostCode", "finish", "finished_vector", "shift"]


@dataclass(frozen=True)
class PostCode:
    """C of one stage."""

    functions: str
    statements: str
    """What it does to the `count` guarded codes of a vector in `codes`."""


def _floor(config: Config, inner: Config) -> PostCode:
    width, code = inner.probability_width, floor_code(config, inner)
    return PostCode(
        "",
        filled(
            """
for (i = 0u; i < count; i++) {
    const uint64_t left = (UINT64_C(1) << $width) - ${code}u * (uint64_t)count;
    codes[i] = (@code)($code + ((left * (uint64_t)codes[i] + ${half}u) >> $width));
}
""",
            width=width,
            code=code,
            half=1 << (width - 1),
        ),
    )


_SMOOTHING = """
/* The value that a neighbour sees of element i: $what. */
static inline uint64_t @source(const @code *codes, size_t count, size_t i)
{
    $source
}

/* One pass of smoothing. The sources before an element are kept, because their codes are replaced already. */
static inline void @smooth(@code *codes, size_t count)
{
    static const uint32_t weight[$taps] = {$weights};
    uint64_t before[$radius] = {0u};
    size_t i, k;
    for (i = 0u; i < count; i++) {
        const uint64_t own = @source(codes, count, i);
        uint64_t sum = weight[$radius] * own;
        for (k = 1u; k <= ${radius}u; k++) {
            if (i >= k) {
                sum += weight[$radius - k] * before[k - 1u];
            }
            if (i + k < count) {
                sum += weight[$radius + k] * @source(codes, count, i + k);
            }
        }
        for (k = ${radius}u - 1u; k > 0u; k--) {
            before[k] = before[k - 1u];
        }
        before[0] = own;
        codes[i] = (@code)($result);
    }
}
"""


def _smoothing(config: Config, inner: Config) -> PostCode:
    tables = smoothing_tables(config, inner)
    radius = tables.radius
    choice = [tables.choice.get((left, right), 0) for left in range(radius + 1) for right in range(radius + 1)]
    lines, start = [], 0
    for number, bits in enumerate(tables.digits):
        place = f"(which << {bits}) + ((dividend >> {start}) & {(1 << bits) - 1}u)"
        lines.append(f"    total += digit_{number}[{place}];\n")
        start += bits
    divided = (
        filled("""
/* A dividend over the sum of the weights that lie within the vector around element i, by tables of its digits. */
static inline uint64_t @divided(uint64_t dividend, size_t count, size_t i)
{
""")
        + table("choice", choice)
        + "".join(table(f"digit_{number}", entries) for number, entries in enumerate(tables.entries))
        + filled(
            """
    const size_t left = i < ${radius}u ? i : ${radius}u;
    const size_t right = count - 1u - i < ${radius}u ? count - 1u - i : ${radius}u;
    const uint64_t which = choice[left * ${pitch}u + right];
    uint64_t total = 0u;
""",
            radius=radius,
            pitch=radius + 1,
        )
        + "".join(lines)
        + "    return total;\n}\n"
    )
    if tables.scatter:
        what, source = "its share", "return @divided((uint64_t)codes[i], count, i);"
        result = f"(sum + {1 << (tables.fraction - 1)}u) >> {tables.fraction}"
    else:
        what, source = "its code", "(void)count;\n    return (uint64_t)codes[i];"
        result = f"@divided(sum, count, i) >> {tables.fraction}"
    smooth = filled(
        _SMOOTHING,
        what=what,
        source=source,
        result=result,
        taps=len(tables.weights),
        weights=", ".join(f"{weight}u" for weight in tables.weights),
        radius=radius,
    )
    return PostCode(f"{divided}\n{smooth}", "@smooth(codes, count);\n" * tables.passes)


def finish(config: Config, inner: Config) -> str:
    """The function of the one rounding of guarded codes: codes in steps of 1/L, with their zero point."""
    levels, fraction = config.levels, inner.probability_width
    if not config.rescales:
        # The powers of two cancel.
        levels, fraction = 1, inner.probability_width - config.probability_width
    return filled(
        """
/* The output code of a guarded code: min(floor($levels * code / 2^$fraction + 1/2), code of 1.0) + zero point. */
static inline int64_t @finished(int64_t code)
{
    const int64_t rounded = (code * $levels + $half) >> $fraction;
    return (rounded < $limit ? rounded : $limit) + ($zero);
}
""",
        levels=levels,
        half=1 << (fraction - 1),
        fraction=fraction,
        limit=config.probability_maximum,
        zero=config.output_zero_point,
    )


def shift(config: Config) -> str:
    """The function that adds the zero point to a code that is rounded already."""
    return filled(
        """
/* The output code of a code above that of 0. */
static inline int64_t @finished(int64_t code)
{
    return code + ($zero);
}
""",
        zero=config.output_zero_point,
    )


def finished_vector(config: Config) -> str:
    """The statements that finish the codes of a vector."""
    if not config.traits.top_k:
        return filled("""
for (i = 0u; i < count; i++) {
    codes[i] = (@code)@finished(codes[i]);
}
""")
    # A vector in which no element takes part has one substitute.
    return filled(
        """
for (rank = 0u; rank < ${k}u; rank++) {
    if (rank < filled || rank == 0u) {
        result->top_probabilities[rank] = (@top_probabilities_t)@finished(result->top_probabilities[rank]);
    }
}
""",
        k=config.top_k,
    )


POSTS: dict[str, Callable[[Config, Config], PostCode]] = {"smoothing": _smoothing, "floor": _floor}
"""Post stage → its C; `mean_probabilities` is in `header`, because it runs the head once per member."""
