"""C of the modes: the results of a vector, of a configuration without stages around its head."""

from collections.abc import Callable
from dataclasses import dataclass

from softstream.hw.config.config import Config
from softstream.hw.numbers.entropy import entropy_numerics
from softstream.hw.numbers.gumbel import FRACTION, MANTISSA, SEGMENTS, UPPER_OCTAVES, GumbelTable, gumbel_table
from softstream.hw.numbers.inverse_cdf import CdfLaw, cdf_law
from softstream.hw.numbers.log_softmax import log_numerics
from softstream.hw.numbers.random_words import REGISTERS, WORD, initial_states
from softstream.hw.numbers.ranked_draw import ranked_draw
from softstream.hw.numbers.sigmoid import address_width, sigmoid_codes
from softstream.hw.numbers.softmax import numerics
from softstream.hw.numbers.two_pass import differences
from softstream.hw.numbers.unnormalised import exponential_codes
from softstream.hw.plan.modes.gumbel import BOUNDS
from softstream.scripts.emit.c_model.exact_sum import exact_sum_functions
from softstream.scripts.emit.c_model.normalisers import NORMALISERS, rounded
from softstream.scripts.emit.c_model.sums import exponential, exponential_type, looked_up, moments, summed
from softstream.scripts.emit.c_model.text import filled, table

__all__ = ["MODES", "ModeCode", "code_of", "margin", "maximum", "random_words"]


@dataclass(frozen=True)
class ModeCode:
    """C of one mode."""

    functions: str
    """Definitions in front of the head's function."""
    prepare: str = ""
    """Statements of a vector: the declarations, and what its elements share. `vectors`, `count` are its own."""
    element: str = ""
    """Expression of the code of element `i`, which takes part; empty in a mode without a code per element."""
    masked: str = "0"
    """Expression of the code of an element that does not take part."""
    finish: str = ""
    """Statements that set the other fields of `result`."""


def code_of(config: Config, position: str) -> str:
    """C of the score code of a position, which is an expression of type uint64_t."""
    if config.selects_smallest:
        return f"{config.score_format.maximum} - (int64_t){position}"
    return f"(int64_t){position} + ({config.score_format.minimum})"


def maximum(config: Config) -> str:
    """The index of the winner of a vector."""
    return filled(
        """
/* The $which index of the largest position that takes part; 0 where none does. */
static inline size_t @maximum(const @vector *vectors, size_t count)
{
    size_t i, index = 0u;
    uint64_t largest = 0u;
    bool any = false;
    for (i = 0u; i < count; i++) {
        if (@takes_part(vectors, i)) {
            const uint64_t position = @score(vectors, i);
            if (!any || position $above largest) {
                any = true;
                largest = position;
                index = i;
            }
        }
    }
    return index;
}
""",
        which="last" if config.last_wins else "first",
        above=">=" if config.last_wins else ">",
    )


def margin(config: Config) -> str:
    """The distance of the winner's score from the second best one."""
    return filled("""
/* The distance of the winner's position from the largest one of the others, `alone` without others, 0 without a winner. */
static inline uint64_t @margin(const @vector *vectors, size_t count, size_t winner, uint64_t alone)
{
    size_t i;
    uint64_t second = 0u;
    bool any = false;
    for (i = 0u; i < count; i++) {
        if (i != winner && @takes_part(vectors, i)) {
            any = true;
            second = @score(vectors, i) > second ? @score(vectors, i) : second;
        }
    }
    if (any) {
        return @score(vectors, winner) - second;
    }
    return @takes_part(vectors, winner) ? alone : 0u;
}
""")


def _argmax(config: Config) -> ModeCode:
    return ModeCode("")


def _softmax(config: Config) -> ModeCode:
    if config.accumulator == "two_pass":
        return _two_pass(config)
    if config.exact_sum:
        return _running(config, "@difference(&running, @position(vectors, i))", "0")
    widths = numerics(config)
    functions = [exponential(widths), summed(widths, sink=config.sink_per_vector), NORMALISERS[config.division](widths)]
    return ModeCode(
        "\n".join(functions),
        "const @factor_t factor = @factor(@summed(vectors, count));",
        "@probability(factor, @position(vectors, i))",
    )


def _running(config: Config, element: str, masked: str) -> ModeCode:
    return ModeCode(exact_sum_functions(config), "@running_t running = @begun(vectors, count);", element, masked)


def _cdf(config: Config) -> ModeCode:
    return _running(config, "@cumulative(&running, @position(vectors, i))", "(int64_t)running.code")


def _two_pass(config: Config) -> ModeCode:
    numbers = differences(config)
    functions = (
        filled("""
/* The exponential of a difference from the largest score. */
static inline uint64_t @exponential(uint64_t difference)
{
""")
        + table("entry", numbers.entries)
        + filled("""
    return entry[difference];
}
""")
        + filled(
            """

/* What the elements of a vector share: the largest score, and the sum relative to it. */
typedef struct {
    uint64_t largest;
    uint64_t divisor;
} @factor_t;

static inline @factor_t @factor(const @vector *vectors, size_t count)
{
    @factor_t factor;
    uint64_t total = 0u;
    size_t i;
    factor.largest = @position(vectors, @maximum(vectors, count));
    for (i = 0u; i < count; i++) {
        if (@takes_part(vectors, i)) {
            total += @exponential(factor.largest - @position(vectors, i));
        }
    }
    total >>= $dropped;
    factor.divisor = total == 0u ? 1u : total;
    return factor;
}

/* min(floor(2^P * e / sum + 1/2), code of 1.0). */
static inline uint64_t @probability(@factor_t factor, uint64_t position)
{
    const uint64_t dividend = (@exponential(factor.largest - position) >> $dropped) << $shift;
    const uint64_t code = (dividend / factor.divisor + 1u) >> 1;
    return code < ${limit}u ? code : ${limit}u;
}
""",
            dropped=numbers.dropped,
            shift=numbers.probability_width + 1,
            limit=numbers.probability_maximum,
        )
    )
    return ModeCode(
        functions,
        "const @factor_t factor = @factor(vectors, count);",
        "@probability(factor, @position(vectors, i))",
    )


def _magnitude(config: Config, *, signed: bool) -> str:
    """The functions of the logarithm of a sum and of the magnitude of a log-softmax."""
    numbers = log_numerics(config, signed=signed)
    tables, widths = numbers.tables, numbers.widths
    worth = tables.working_fraction - tables.fraction - 1
    position = table("high", tables.position_high)
    value = "high[position]"
    if tables.low_width:
        position += table("low", tables.position_low)
        value = f"(uint64_t)high[position >> {tables.low_width}] + low[position & {(1 << tables.low_width) - 1}u]"
    return "\n".join(
        [
            exponential(widths),
            summed(widths, sink=config.sink_per_vector),
            filled("""
/* The natural logarithm of a sum, and half an ulp of the result. */
static inline uint64_t @logarithm(@sum_t sum)
{
""")
            + table("octave", tables.octave)
            + table("logarithm", tables.logarithm)
            + filled(
                """
    const uint64_t cut = sum.divisor >> $down;
    return (uint64_t)octave[sum.exponent] + logarithm[(cut >> 1) - ${entries}u] + ((cut & 1u) << $worth);
}
""",
                down=widths.divisor_fraction - tables.fraction - 1,
                entries=1 << tables.fraction,
                worth=worth,
            ),
            filled("""
/* The code of -ln p: the difference of a logarithm and a score, rounded, between 0 and the largest code. */
static inline int64_t @magnitude(uint64_t logarithm, uint64_t position)
{
""")
            + position
            + filled(
                """
    const uint64_t nats = $value;
    const uint64_t code = logarithm > nats ? (logarithm - nats) >> $shift : 0u;
    return (int64_t)(code < UINT64_C($limit) ? code : UINT64_C($limit));
}
""",
                value=value,
                shift=tables.shift,
                limit=numbers.limit,
            ),
        ]
    )


def _log_softmax(config: Config) -> ModeCode:
    return ModeCode(
        _magnitude(config, signed=True),
        "const uint64_t logarithm = @logarithm(@summed(vectors, count));",
        "-@magnitude(logarithm, @position(vectors, i))",
        str(log_numerics(config, signed=True).format.minimum),
    )


def _cross_entropy(config: Config) -> ModeCode:
    limit = log_numerics(config, signed=False).limit
    return ModeCode(
        _magnitude(config, signed=False),
        "const size_t label = @label(vectors);",
        finish=filled(
            """
result->unlabelled = !(label < count && @takes_part(vectors, label));
result->losses = $limit;
if (!result->unlabelled) {
    result->losses = (@losses_t)@magnitude(@logarithm(@summed(vectors, count)), @position(vectors, label));
}
""",
            limit=limit,
        ),
    )


def _log_sum_exp(config: Config) -> ModeCode:
    return ModeCode(
        _magnitude(config, signed=False),
        "const size_t peak = @maximum(vectors, count);",
        finish=filled("""
result->log_sums = 0;
if (@takes_part(vectors, peak)) {
    result->log_sums = (@log_sums_t)@magnitude(@logarithm(@summed(vectors, count)), @position(vectors, peak));
}
"""),
    )


def _entropy(config: Config) -> ModeCode:
    numbers = entropy_numerics(config)
    widths, working = numbers.widths, numbers.working_fraction
    head = filled("""
/* The entropy in bits: the logarithm of the sum less the mean of the octaves, whose bits the division gives one by one. */
static inline int64_t @bits(@sum_t sum, uint64_t moment)
{
""")
    rest = filled(
        """
    const uint64_t cut = sum.divisor >> $down;
    const uint64_t entry = (uint64_t)logarithm[(cut >> 1) - ${entries}u] + ((cut & 1u) << $worth);
    int64_t total = (int64_t)((sum.exponent << $working) + (entry << $guard)) + INT64_C($offset);
    uint64_t rest = moment >> $bits;
    unsigned step;
    for (step = 0u; step < ${steps}u; step++) {
        rest <<= 1;
        if (step < ${bits}u) {
            rest += (moment >> (${bits}u - 1u - step)) & 1u;
        }
        if (rest >= sum.divisor) {
            rest -= sum.divisor;
            total -= (int64_t)(UINT64_C($weight) >> step);
        }
    }
    return total < 0 ? 0 : total >> $shift;
}
""",
        down=widths.divisor_fraction - numbers.fraction - 1,
        entries=1 << numbers.fraction,
        worth=numbers.logarithm_fraction - numbers.fraction - 1,
        working=working,
        guard=working - numbers.logarithm_fraction,
        offset=numbers.offset,
        bits=numbers.position_bits,
        steps=numbers.steps,
        weight=numbers.weight,
        shift=numbers.shift,
    )
    difference = head + table("logarithm", numbers.logarithm) + rest
    return ModeCode(
        "\n".join([exponential(widths), summed(widths), moments(numbers.position_bits, widths), difference]),
        "const size_t any = @maximum(vectors, count);",
        finish=filled("""
result->entropies = 0;
if (@takes_part(vectors, any)) {
    const @sum_t sum = @summed(vectors, count);
    result->entropies = (@entropies_t)@bits(sum, @moment(vectors, count, sum));
}
"""),
    )


def _exponential(config: Config) -> ModeCode:
    codes = exponential_codes(config)
    if codes.codes is not None:
        functions = (
            filled("""
/* min(1, exp(s * (x - c))) as a code. */
static inline uint64_t @code_of(uint64_t position)
{
""")
            + table("code", codes.codes)
            + filled("""
    return code[position];
}
""")
        )
    else:
        widths = codes.widths
        functions = "\n".join(
            [
                exponential(widths),
                rounded(widths),
                filled(
                    """
/* min(1, exp(s * (x - c))) as a code. */
static inline uint64_t @code_of(uint64_t position)
{
    const @exponential_t term = @exponential(position < ${reference}u ? position : ${reference}u);
    return @rounded((term.significand << 1) >> $down, ${octaves}u, term.exponent);
}
""",
                    reference=codes.reference,
                    down=widths.significand_fraction - widths.probability_width,
                    octaves=codes.octaves,
                ),
            ]
        )
    return ModeCode(
        functions,
        "uint64_t sum = 0u;",
        "@code_of(@position(vectors, i))",
        finish=filled("""
for (i = 0u; i < count; i++) {
    if (@takes_part(vectors, i)) {
        sum += @code_of(@position(vectors, i));
    }
}
result->sums = (@sums_t)sum;
"""),
    )


def _sigmoid(config: Config) -> ModeCode:
    entries = 1 << address_width(config)
    lowest = (1 << (config.score_width - 1)) - entries // 2 if config.score_signed else 0
    functions = (
        filled("""
/* 1 / (1 + e^-x) as a code; a score beyond the table takes the entry of that end. */
static inline int64_t @code_of(uint64_t position)
{
""")
        + table("code", sigmoid_codes(config) - config.output_zero_point)
        + filled(
            """
    const uint64_t address = position > ${lowest}u ? position - ${lowest}u : 0u;
    return (int64_t)code[address < ${last}u ? address : ${last}u] + ($zero);
}
""",
            lowest=lowest,
            last=entries - 1,
            zero=config.output_zero_point,
        )
    )
    return ModeCode(functions, element="@code_of(@position(vectors, i))", masked=str(config.output_zero_point))


def _hardmax(config: Config) -> ModeCode:
    zero, one = config.probability_codes
    return ModeCode("", "const size_t index = @maximum(vectors, count);", f"i == index ? {one} : {zero}", str(zero))


_RANK = """
/* Indices of the largest positions that take part, the largest first and the $which index first among equal ones. */
static inline unsigned @ranked(const @vector *vectors, size_t count, size_t *indices)
{
    unsigned filled = 0u;
    size_t i;
    for (i = 0u; i < count; i++) {
        if (@takes_part(vectors, i)) {
            const uint64_t position = @position(vectors, i);
            unsigned place = filled < ${k}u ? filled : ${k}u;
            while (place > 0u && position $above @position(vectors, indices[place - 1u])) {
                if (place < ${k}u) {
                    indices[place] = indices[place - 1u];
                }
                place--;
            }
            if (place < ${k}u) {
                indices[place] = i;
                filled = filled < ${k}u ? filled + 1u : filled;
            }
        }
    }
    return filled;
}
"""

_RANKS = """
filled = @ranked(vectors, count, indices);
for (rank = 0u; rank < ${k}u; rank++) {
    const bool present = rank < filled;
    result->top_indices[rank] = present ? (@top_indices_t)indices[rank] : 0;
    result->top_scores[rank] = present ? (@top_scores_t)($code) : 0;
}
if (filled == 0u) {
    result->top_scores[0] = $smallest; /* the substitute of a vector in which no element takes part */
}
"""


def _top_k(config: Config) -> ModeCode:
    values = {
        "k": config.top_k,
        "code": code_of(config, "@score(vectors, indices[rank])"),
        "smallest": config.code(0),
        "which": "higher" if config.last_wins else "lower",
        "above": ">=" if config.last_wins else ">",
    }
    return ModeCode(
        filled(_RANK, **values),
        f"size_t indices[{config.top_k}];\nunsigned rank, filled;",
        finish=filled(_RANKS, **values),
    )


def _softmax_top_k(config: Config) -> ModeCode:
    softmax, ranks = _softmax(config), _top_k(config)
    codes = filled(
        """
for (rank = 0u; rank < ${k}u; rank++) {
    result->top_probabilities[rank] =
        rank < filled ? (@top_probabilities_t)@probability(factor, @position(vectors, indices[rank])) : 0;
}
""",
        k=config.top_k,
    )
    return ModeCode(
        f"{softmax.functions}\n{ranks.functions}",
        f"{softmax.prepare}\n{ranks.prepare}",
        finish=ranks.finish + codes,
    )


def random_words(config: Config) -> str:
    """The generator of random words, a state that the caller owns."""
    (_, near), (_, far) = REGISTERS
    first, second = initial_states(config.seed)
    return filled(
        """
/* Two linear feedback shift registers, of 63 and of 65 bits: the random sequence of the head since its reset. */
typedef struct {
    uint64_t first;
    uint64_t second;
    uint64_t second_top;
} @random;

/* The state after reset. */
static inline void @reset(@random *random)
{
    random->first = UINT64_C($first);
    random->second = UINT64_C($second);
    random->second_top = ${top}u;
}

/* The next $word bits of both registers, added modulo 2. */
static inline uint64_t @next_word(@random *random)
{
    const uint64_t mask = (UINT64_C(1) << $word) - 1u;
    const uint64_t word = (random->first ^ random->second) & mask;
    const uint64_t one = (random->first ^ (random->first >> $near)) & mask;
    const uint64_t other = (random->second ^ (random->second >> $far)) & mask;
    random->first = (random->first >> $word) | (one << $one_place);
    random->second = (random->second >> $word) | (random->second_top << $top_place) | (other << $other_place);
    random->second_top = other >> $other_top;
    return word;
}
""",
        first=first,
        second=second & ((1 << 64) - 1),
        top=second >> 64,
        word=WORD,
        near=near,
        far=far,
        one_place=63 - WORD,
        top_place=64 - WORD,
        other_place=65 - WORD,
        other_top=WORD - 1,
    )


_DRAWN = """
result->sample = (@sample_t)index;
result->score = (@score_t)($code);
"""


def _noise(numbers: GumbelTable) -> str:
    return (
        filled("""
/* Gumbel noise of a random word. */
static inline uint64_t @noise(uint64_t word)
{
""")
        + table("base", numbers.base)
        + table("slope", numbers.slope)
        + filled(
            """
    const uint64_t fraction = word & ${fraction_mask}u;
    const uint64_t mantissa = (word >> $fraction) & ${mantissa_mask}u;
    const bool upper = ((word >> $side) & 1u) != 0u;
    const uint64_t most = upper ? ${upper_last}u : ${lower_last}u;
    const uint64_t rest = word >> $octave;
    uint64_t octave = 0u, address;
    while (octave < most && ((rest >> octave) & 1u) == 0u) {
        octave++;
    }
    address = (upper ? octave + ${lower}u : octave) * ${segments}u + mantissa;
    return base[address] + ((slope[address] * fraction) >> $fraction);
}
""",
            fraction_mask=(1 << FRACTION) - 1,
            fraction=FRACTION,
            mantissa_mask=SEGMENTS - 1,
            side=FRACTION + MANTISSA,
            octave=FRACTION + MANTISSA + 1,
            upper_last=UPPER_OCTAVES - 1,
            lower_last=numbers.lower_octaves - 1,
            lower=numbers.lower_octaves,
            segments=SEGMENTS,
        )
    )


def _ranked_draw(config: Config, drawn: str) -> ModeCode:
    numbers = ranked_draw(config)
    ranked, sampler = _top_k(numbers.ranked), (_share_of_list if config.inverse_cdf else _noise_of_list)(config)
    functions, prepare = [ranked.functions, sampler.functions], [ranked.prepare, sampler.prepare]
    limits = (numbers.count, numbers.share_limit, numbers.distance_limit)
    bounds: list[str | None] = [
        f"(vectors->{name} & {(1 << limit.bit_length()) - 1}u)" for name, limit in zip(BOUNDS, limits, strict=True)
    ]
    if not numbers.vector_bounds:
        fixed = (numbers.count, numbers.share, numbers.distance)
        bounds = [None if value is None else f"{value}u" for value in fixed]
    count, share, distance = bounds
    conditions, step = [], ""
    if share is not None:
        softmax = _softmax(numbers.ranked)
        functions.insert(0, softmax.functions)
        prepare = [softmax.prepare, *prepare, "uint64_t mass = 0u;"]
    elif config.inverse_cdf:
        functions.insert(0, exponential_type(numbers.law.widths))
    if share is not None:
        conditions.append(f"mass < {share}")
        step = "mass += @probability(factor, position);"
    if distance is not None:
        conditions.append(f"@position(vectors, indices[0]) - position <= {distance}")
    met = f"met = rank == 0u || ({' && '.join(conditions)});" if conditions else ""
    truncated = ""
    if config.may_truncate:
        truncated = f"result->truncated = result->truncated || (met && rank > 0u && rank >= {count});"
    return ModeCode(
        "\n".join(functions),
        "\n".join([*prepare, "size_t index = 0u;", *(["bool met;"] if conditions else [])]),
        finish=filled(
            """
${begin}filled = @ranked(vectors, count, indices);
for (rank = 0u; rank < filled; rank++) {
    const uint64_t position = @position(vectors, indices[rank]);
    $met
    $truncated
    if (rank < ${words}u) {
        const bool belongs = $belongs;
        $drawn
    }
    $step
}
""",
            begin="result->truncated = false;\n" if config.may_truncate else "",
            met=met,
            truncated=truncated,
            words=numbers.count,
            belongs=f"rank == 0u || ({'met && ' if conditions else ''}rank < {count})",
            drawn=sampler.element,
            step=step,
        )
        + sampler.finish
        + drawn,
    )


def _noise_of_list(config: Config) -> ModeCode:
    """The sampler by noise: `element` are the statements of a rank, which has a `position` and may belong to the set."""
    noise = ranked_draw(config).noise
    return ModeCode(
        _noise(noise),
        "uint64_t largest = 0u;",
        element=filled(
            """
const uint64_t perturbed = (position << $shift) + @noise(@next_word(random));
if (rank == 0u || (belongs && perturbed > largest)) {
    largest = perturbed;
    index = indices[rank];
}
""",
            shift=noise.shift,
        ),
    )


def _share_of_list(config: Config) -> ModeCode:
    """The sampler by a random share of the sum over the set, whose elements are the first ranks."""
    numbers = ranked_draw(config)
    return ModeCode(
        looked_up(numbers.law.widths.tables, "drawn_exponential")
        + filled("""

/* The exponential of an element of the set as the exact sum takes it. */
static inline uint64_t @drawn_term(uint64_t position)
{
    const @exponential_t term = @drawn_exponential(position);
    return term.significand << term.exponent;
}
"""),
        f"uint64_t terms[{numbers.count}];\nuint64_t total = 0u, share = 0u, running = 0u;",
        element=filled("""
terms[rank] = belongs ? @drawn_term(position) : 0u;
total += terms[rank];
"""),
        finish=_share(numbers.law)
        + filled(
            """
for (rank = 0u; rank < filled && rank < ${words}u; rank++) {
    running += terms[rank];
    if (running > share) {
        index = indices[rank];
        break;
    }
}
""",
            words=numbers.count,
        ),
    )


def _share(law: CdfLaw) -> str:
    """The random share of the sum `total`, which the next word tells."""
    return filled(
        """
{
    /* share = floor((u + 1/2) * total / 2^$bits), bit by bit, so that no intermediate result has more than 64 bits. */
    const uint64_t word = @next_word(random);
    unsigned bit;
    share = total >> 1;
    for (bit = 0u; bit < ${bits}u; bit++) {
        share = (share + ((word >> bit) & 1u) * total) >> 1;
    }
}
""",
        bits=law.share_bits,
    )


def _sample(config: Config) -> ModeCode:
    drawn = filled(_DRAWN, code=code_of(config, "@position(vectors, index)"))
    if config.ranked_draw:
        return _ranked_draw(config, drawn)
    if config.sampler == "inverse_cdf":
        return _inverse_cdf(config, drawn)
    numbers = gumbel_table(config)
    return ModeCode(
        _noise(numbers),
        "uint64_t largest = 0u;\nbool any = false;\nsize_t index = 0u;",
        finish=filled(
            """
for (i = 0u; i < count; i++) {
    if (@takes_part(vectors, i)) {
        const uint64_t perturbed = (@position(vectors, i) << $shift) + @noise(@next_word(random));
        if (!any || perturbed > largest) {
            any = true;
            largest = perturbed;
            index = i;
        }
    }
}
""",
            shift=numbers.shift,
        )
        + drawn,
    )


def _inverse_cdf(config: Config, drawn: str) -> ModeCode:
    law = cdf_law(config)
    return ModeCode(
        exponential(law.widths)
        + filled("""

/* The exponential of an element as the exact sum takes it. */
static inline uint64_t @term(const @vector *vectors, size_t i)
{
    const @exponential_t term = @exponential(@position(vectors, i));
    return @takes_part(vectors, i) ? term.significand << term.exponent : 0u;
}
"""),
        "uint64_t total = 0u, share = 0u, running = 0u;\nsize_t index = 0u;",
        finish=filled(
            """
for (i = 0u; i < count; i++) {
    total += @term(vectors, i);
}
${share}for (i = 0u; i < count; i++) {
    running += @term(vectors, i);
    if (running > share) {
        index = i;
        break;
    }
}
""",
            share=_share(law),
        )
        + drawn,
    )


MODES: dict[str, Callable[[Config], ModeCode]] = {
    "argmax": _argmax,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "cross_entropy": _cross_entropy,
    "exponential": _exponential,
    "sigmoid": _sigmoid,
    "sample": _sample,
    "hardmax": _hardmax,
    "top_k": _top_k,
    "softmax_top_k": _softmax_top_k,
    "cdf": _cdf,
    "log_sum_exp": _log_sum_exp,
    "entropy": _entropy,
}
"""Mode → its C."""
