"""One C99 and C++ header: a bit-true model of a head, and its formats as constants."""

import re
import textwrap

from softstream.hw.config.config import KEYS, Config
from softstream.hw.errors import UserError
from softstream.hw.formats import ceil_log2
from softstream.hw.numbers.composition import Composition, composition
from softstream.hw.numbers.ensemble import sum_offset
from softstream.hw.numbers.sink import sink_positions
from softstream.hw.plan.derive import Plan
from softstream.hw.plan.ports import Field, Output, byte_bits, outputs, result_outputs, sidebands
from softstream.scripts.emit.c_model.modes import MODES, ModeCode, code_of, margin, maximum, random_words
from softstream.scripts.emit.c_model.posts import POSTS, finish, finished_vector, shift
from softstream.scripts.emit.c_model.sums import product
from softstream.scripts.emit.c_model.text import filled
from softstream.scripts.emit.head import GeneratedHead

__all__ = ["COVERED", "header_text"]

# fmt: off
COVERED = frozenset({
    "mode", "max_length", "top_k", "score_width", "score_signed", "score_scale", "score_zero_point", "clip_minimum",
    "clip_maximum", "temperature", "normaliser", "accumulator", "guard_bits", "reference_offset",
    "probability_width", "probability_format", "integer_bits", "sampler", "seed", "mask", "groups",
    "temperature_bits", "temperature_fraction", "probability_floor", "smoothing", "smoothing_edges",
    "smoothing_passes", "ensemble", "ensemble_mean", "select", "tie", "output_levels", "output_zero_point",
    "sum", "minimum_code", "confidence", "draw_top_k", "draw_top_p", "draw_min_p",
    "draw_sideband",
    "sink", "sink_code",
})
# fmt: on
"""Numeric keys that the C knows. A configuration that sets another one is refused, so that no model is silently wrong."""


def header_text(head: GeneratedHead) -> str:
    """The text of the header; the module's name is the prefix of all it defines.

    Raises `UserError` for a configuration with a numeric key that the C does not know.
    """
    plan, config = head.plan, head.config
    for key in KEYS:
        if key.numeric and key.name not in COVERED and getattr(config, key.name) != key.default:
            value = getattr(config, key.name)
            text = str(value).lower() if isinstance(value, bool) else repr(value)
            raise UserError(
                f"--c-model with {key.name} = {text}: the C model does not cover this key; "
                f"{key.name} = {key.default_text} would do"
            )
    if config.mode not in MODES:
        raise UserError(
            f"--c-model with mode = {config.mode!r}: the C model does not cover this mode; mode = 'softmax' would do"
        )
    parts = composition(config)
    functions = [_scores(config, parts), *_head(config, parts)]
    if any("@product(" in function for function in functions):
        functions.insert(0, product())
    body = "\n".join([_constants(plan), _types(config), *functions])
    return _prefixed(_framed(head, body), head.module)


def _prefixed(text: str, name: str) -> str:
    """The text with `@` as the prefix: of macros in capitals, of all other names as it is."""
    text = re.sub(r"@(?=[A-Z])", f"{name.upper()}_", text)
    return text.replace("@", f"{name}_")


def _framed(head: GeneratedHead, body: str) -> str:
    return (
        filled(
            """
/*
 * Bit-true model of a $origin.
 * This file belongs to whoever generated it; no condition is attached to its use.
 *
 * C99 or C++11 and later; one header, no dependency, no heap, no global state. The results equal those of the Verilog of the
 * same configuration bit for bit. Bits of a score above its width are ignored, as the hardware ignores them.
 */
#ifndef @MODEL_H
#define @MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

""",
            origin=head.origin,
        )
        + "\n"
        + body
        + "\n#endif\n"
    )


def _value(config: Config, field: Field, name: str) -> list[tuple[str, object, str]]:
    """Constants of the real value of a code; none of an index or a score. `name` is that of its stream and field."""
    q_format = re.fullmatch(r"U?Q-?\d+\.(-?\d+)", field.form)
    if q_format:
        return [(f"{name}_FRACTION", int(q_format[1]), "value = code * 2^-fraction")]
    if not field.form:
        return []
    return [
        (f"{name}_LEVELS", config.levels, "value = (code - zero point) / levels"),
        (f"{name}_ZERO_POINT", f"({config.output_zero_point})", "the code of 0"),
    ]


def _constants(plan: Plan) -> str:
    """Formats: value = code · 2^−FRACTION; LSB is the place in tdata or tuser."""
    config = plan.config
    rows: list[tuple[str, object, str]] = [
        ("MAX_LENGTH", f"{config.max_length}u", "elements of the longest vector; a longer one is cut"),
        ("LANES", f"{config.lanes}u", "scores in a beat of s_axis"),
        (
            "S_AXIS_SCORE_WIDTH",
            f"{config.score_width}u",
            "bits of a score code, " + ("signed" if config.score_signed else "unsigned"),
        ),
        ("SCORE_SCALE", repr(config.score_scale), "nats per step of the score code"),
        ("SCORE_ZERO_POINT", f"({config.score_zero_point})", "the score code of 0 nats"),
    ]
    if config.ensemble > 1:
        rows.append(("MEMBERS", f"{config.ensemble}u", "vectors that make one result"))
    if config.traits.top_k:
        rows.append(("TOP_K", f"{config.top_k}u", "elements in the order of their scores"))
    low = 0
    for sideband in sidebands(config):
        name = f"S_AXIS_{sideband.name}".upper()
        rows.append((f"{name}_WIDTH", f"{sideband.width}u", f"bits in s_axis_tuser: {sideband.meaning}"))
        rows.append((f"{name}_LSB", f"{low}u", "lowest bit in s_axis_tuser, of lane 0"))
        low += sideband.width * sideband.copies(config)
    for output in outputs(config):
        low = 0
        for field in output.fields:
            name = f"{output.prefix}_{field.array}".upper()
            rows.append((f"{name}_WIDTH", f"{field.width}u", field.text))
            rows += _value(config, field, name)
            rows.append((f"{name}_LSB", f"{low}u", f"lowest bit in {output.prefix}_tdata, of lane 0"))
            low += field.bits
        for bit, flag in enumerate(output.flags):
            rows.append((f"{output.prefix}_{flag.array}_BIT".upper(), f"{bit}u", f"in {output.prefix}_tuser"))
    if plan.worst_ulp is not None:
        rows.append(
            ("ERROR_ULP", repr(float(plan.worst_ulp)), "largest error of a code in steps of it, for every input")
        )
    pad = max(len(name) for name, _, _ in rows)
    values = max(len(str(value)) for _, value, _ in rows)
    return "".join(f"#define @{name:<{pad}} {value!s:<{values}} /* {_plain(text)} */\n" for name, value, text in rows)


def _plain(text: str) -> str:
    """A meaning as ASCII."""
    for character, plain in {
        "−": "-",
        "·": "*",
        "×": "x",
        "⌈": "ceil(",
        "⌉": ")",
        "≤": "<=",
        "∞": "infinity",
        "Σ": "sum",
    }.items():
        text = text.replace(character, plain)
    return text.encode("ascii", "replace").decode()


def _elements(config: Config) -> Field | None:
    """The code of an element, which is an array of its own; None in a mode without one."""
    return next(
        (field for output in result_outputs(config) if output.per == "element" for field in output.fields), None
    )


def _integer(width: int) -> str:
    return "int32_t" if width <= 31 else "int64_t"


def _owned(config: Config) -> list[tuple[Output, Field]]:
    """Fields of a result: of all outputs but the codes of the elements."""
    return [(output, field) for output in result_outputs(config) if output.per != "element" for field in output.fields]


def _flags(config: Config) -> list[Field]:
    return list({flag.array: flag for output in result_outputs(config) for flag in output.flags}.values())


def _types(config: Config) -> str:
    sign = "int" if config.score_signed else "uint"
    lines = [
        "/* A score code. */",
        f"typedef {sign}{max(8, 1 << ceil_log2(config.score_width))}_t @score_code;",
        "",
    ]
    elements = _elements(config)
    if elements is not None:
        lines += [f"/* {_plain(elements.text)}. */", f"typedef {_integer(elements.width)} @code;", ""]
    lines += [
        f"/* A {'packet of groups' if config.groups else 'vector'}, of one element at least. */",
        "typedef struct {",
        "    const @score_code *scores;",
        "    size_t length;",
    ]
    for sideband in sidebands(config):
        kind = f"const uint{byte_bits(sideband.width)}_t *" if sideband.per == "element" else "uint32_t "
        lines.append(f"    {kind}{sideband.name}; /* {_plain(sideband.meaning)} */")
    lines += ["} @vector;", ""]
    owned = _owned(config)
    lines += [f"typedef {_integer(field.width)} @{field.array}_t;" for _, field in owned]
    of = "group" if config.groups else "ensemble" if config.ensemble > 1 else "vector"
    lines += ["", f"/* The result of a {of}, its fields by the names of the Python model. */", "typedef struct {"]
    for output, field in owned:
        size = f"[{config.top_k}]" if output.per == "rank" else ""
        lines.append(f"    @{field.array}_t {field.array}{size}; /* {_plain(field.text)} */")
    lines += [f"    bool {flag.array}; /* {_plain(flag.meaning)} */" for flag in _flags(config)]
    lines += ["} @result;", ""]
    return "\n".join(lines)


def _scores(config: Config, parts: Composition | None) -> str:
    """The functions that read an element: whether it takes part, its score, and the position that the exponentials take."""
    limit = config.max_length
    takes_part = "vectors->mask[i] == 0u" if config.mask else "true"
    used = "" if config.mask else "    (void)vectors;\n    (void)i;\n"
    texts = [
        filled(
            """
/* The elements of a vector that remain of its length. */
static inline size_t @count(const @vector *vector)
{
    return vector->length < ${limit}u ? vector->length : ${limit}u;
}

/* Whether an element takes part: whether it is not masked. */
static inline bool @takes_part(const @vector *vectors, size_t i)
{
${used}    return $takes_part;
}

/* The position of a score code: its distance from the code that wins over no other. */
static inline uint64_t @distance(const @vector *vector, size_t i)
{
    return ((uint64_t)vector->scores[i] ^ ${flip}u) & ${mask}u;
}
""",
            limit=limit,
            used=used,
            takes_part=takes_part,
            # The sign bit makes two's complement an offset, and with `select = smallest` the complement reverses the order.
            flip=(1 << (config.score_width - 1) if config.score_signed else 0)
            ^ ((1 << config.score_width) - 1 if config.selects_smallest else 0),
            mask=(1 << config.score_width) - 1,
        )
    ]
    fronts = {front.name: front for front in parts.fronts} if parts is not None else {}
    if "mean_logits" in fronts:
        front = fronts["mean_logits"]
        texts.append(
            filled(
                """
/* The position of the sum of the members' scores; a member that ended counts as position 0. */
static inline uint64_t @score(const @vector *vectors, size_t i)
{
    uint64_t total = ${offset}u;
    size_t member;
    for (member = 0u; member < ${members}u; member++) {
        if (i < @count(vectors + member)) {
            total += @distance(vectors + member, i);
        }
    }
    return total;
}
""",
                offset=front.after.position(sum_offset(front.before)),
                members=config.ensemble,
            )
        )
    else:
        score = "@distance(vectors, i)"
        texts.append(
            filled(
                """
/* The position of an element's score$zero. */
static inline uint64_t @score(const @vector *vectors, size_t i)
{
    return $score;
}
""",
                zero=", 0 if it is masked" if config.mask else "",
                score=f"@takes_part(vectors, i) ? {score} : 0u" if config.mask else score,
            )
        )
    if any(field.name == "label" for field in sidebands(config)):
        texts.append(
            filled(
                """
/* The label of a vector; of an ensemble that of its last member. */
static inline size_t @label(const @vector *vectors)
{
    return vectors[$last].label;
}
""",
                last=config.ensemble - 1,
            )
        )
    if config.sink_per_vector:
        texts.append(
            filled(
                """
/* The position of the sink of a vector. */
static inline uint64_t @sink(const @vector *vectors)
{
    return ((uint64_t)vectors->sink ^ ${flip}u) & ${mask}u;
}
""",
                flip=sink_positions(config, 0),
                mask=(1 << config.score_width) - 1,
            )
        )
    value = "@score(vectors, i)"
    if "inverse_temperature" in fronts:
        code_mask = (1 << config.temperature_bits) - 1
        value += f" * (vectors->temperature & {code_mask}u)"
    texts.append(
        filled(
            """
/* The argument of an exponential. */
static inline uint64_t @position(const @vector *vectors, size_t i)
{
    return $value;
}
""",
            value=value,
        )
    )
    return "\n".join(texts)


def _head(config: Config, parts: Composition | None) -> list[str]:
    """The functions of the head, the last of them the one that a user calls."""
    inner = config.replace(groups=[]) if parts is None else parts.inner
    mode = MODES[inner.mode](inner)
    functions = [maximum(config), margin(config) if config.has_margin else "", mode.functions]
    if config.traits.random:
        functions.insert(0, random_words(inner))
    posts = []
    for name in parts.posts if parts is not None else ():
        if name != "mean_probabilities":
            post = POSTS[name](config, inner)
            functions.append(post.functions)
            posts.append(post.statements)
    if parts is not None and (parts.finished or parts.shifted):
        functions.append(finish(config, inner) if parts.finished else shift(config))
        posts.append(finished_vector(config))
    functions.append(_result(config, parts, mode, posts))
    if config.groups:
        functions.append(_groups(config))
    return [function for function in functions if function]


def _parameters(config: Config) -> list[tuple[str, str]]:
    """(declaration, name) of the parameters of the head's function but its results."""
    parameters = [("@random *random", "random")] if config.traits.random else []
    parameters.append(("const @vector *vectors", "vectors"))
    if _elements(config) is not None:
        parameters.append(("@code *codes", "codes"))
    return parameters


def _winner(config: Config, parts: Composition | None) -> str:
    """The statements that set the winner, where the raw scores decide on it."""
    if not any(field.array == "best" for _, field in _owned(config)):
        return ""
    before = config
    if parts is not None:
        before = parts.argmax or parts.inner
    named = any(field.array == "argmax" for _, field in _owned(config))
    index = "\n    result->argmax = (@argmax_t)winner;" if named else ""
    if config.has_margin:
        largest = f"UINT64_C({(1 << before.score_width) - 1})"
        index += f"\n    result->margins = (@margins_t)@margin(vectors, count, winner, {largest});"
    return filled(
        f"""
{{
    const size_t winner = @maximum(vectors, count);{index}
    result->best = (@best_t)($code);
}}
""",
        code=code_of(before, "@score(vectors, winner)"),
    )


def _member(config: Config, mode: ModeCode) -> str:
    """The statements that add the codes of all members, find the largest sum and divide."""
    return filled(
        """
for (i = 0u; i < count; i++) {
    codes[i] = 0;
}
for (member = 0u; member < ${members}u; member++) {
    @add_member(vectors + member, count, codes);
}
{
    size_t winner = 0u;
    for (i = 1u; i < count; i++) {
        if (codes[i] $above codes[winner]) {
            winner = i;
        }
    }
    result->argmax = (@argmax_t)winner;
    result->best_sum = codes[winner];
}
for (i = 0u; i < count; i++) {
    codes[i] /= $members;
}
""",
        members=config.ensemble,
        above=">=" if config.last_wins else ">",
    )


_ADD_MEMBER = """
/* Adds the codes of one member of an ensemble to their sums; elements beyond the first member's length do not count. */
static inline void @add_member(const @vector *vectors, size_t kept, @code *codes)
{
    const size_t count = @count(vectors);
    size_t i;
$prepare
    for (i = 0u; i < count && i < kept; i++) {
        codes[i] += (@code)$element;
    }
}

"""

_ELEMENTS = """
for (i = 0u; i < count; i++) {
    codes[i] = (@code)($element);
}
"""


def _flag_statements(config: Config) -> str:
    lines = []
    names = {flag.array for flag in _flags(config)}
    if config.ensemble > 1:
        lines.append(
            filled(
                """
result->overlong = false;
result->uneven = false;
for (member = 0u; member < ${members}u; member++) {
    const bool same = @count(vectors + member) == count;
    result->uneven = result->uneven || !same;
    result->overlong = result->overlong || (same && vectors[member].length > ${limit}u);
}
""",
                members=config.ensemble,
                limit=config.max_length,
            )
        )
    elif "overlong" in names:
        lines.append(f"result->overlong = vectors->length > {config.max_length}u;\n")
    if "incomplete" in names:
        lines.append("result->incomplete = false; /* the function of the packet knows better */\n")
    if "all_masked" in names:
        lines.append(
            filled("""
result->all_masked = true;
for (i = 0u; i < count; i++) {
    result->all_masked = result->all_masked && !@takes_part(vectors, i);
}
""")
        )
    return "".join(lines)


def _result(config: Config, parts: Composition | None, mode: ModeCode, posts: list[str]) -> str:
    """The function of one result."""
    averages = config.averages_probabilities
    before = ""
    body = _flag_statements(config) + _winner(config, parts)
    if averages:
        before = filled(_ADD_MEMBER, prepare=textwrap.indent(mode.prepare, "    "), element=mode.element)
        body += _member(config, mode)
    elif mode.element:
        element = mode.element
        if config.mask:
            element = f"@takes_part(vectors, i) ? (int64_t)({element}) : {mode.masked}"
        body += filled(_ELEMENTS, element=element)
    body += ("" if averages else mode.finish) + "".join(posts)
    declarations = "const size_t count = @count(vectors);\nsize_t i;\n"
    if config.ensemble > 1:
        declarations += "size_t member;\n"
    if mode.prepare and not averages:
        declarations += mode.prepare + "\n"
    if not re.search(r"\bi\b", body):
        declarations = declarations.replace("size_t i;\n", "")
    name = "@group" if config.groups else "@run"
    parameters = ", ".join(text for text, _ in _parameters(config))
    return (
        before
        + _comment(config)
        + f"static inline void {name}({parameters}, @result *result)\n{{\n"
        + textwrap.indent(declarations + body, "    ")
        + "}\n"
    )


def _comment(config: Config) -> str:
    """The comment of the head's function: what each parameter holds."""
    vectors = f"{config.ensemble} vectors, the members of an ensemble" if config.ensemble > 1 else "one vector"
    if config.groups:
        return "/* The result of one group: `vectors` holds the group alone. */\n"
    lines = [f"The result of {vectors}."]
    if config.traits.random:
        lines.append("`random` is the sequence since reset: one state for all vectors of a stream, in their order.")
    elements = _elements(config)
    if elements is not None:
        lines.append("`codes` receives a code for each element, of the first MAX_LENGTH at most.")
    return "/* " + "\n   ".join(lines) + " */\n"


def _groups(config: Config) -> str:
    """The functions of a packet of groups."""
    sizes = ", ".join(map(str, config.groups))
    names = [name for _, name in _parameters(config)]
    arguments = ", ".join({"vectors": "&group", "codes": "codes + start"}.get(name, name) for name in names)
    mask = "        group.mask = packet->mask + start;\n" if config.mask else ""
    parameters = ", ".join(text for text, _ in _parameters(config)).replace("*vectors", "*packet")
    return filled(
        """
/* Elements of a group by its place in the packet; the sizes repeat. */
static inline size_t @group_size(size_t place)
{
    static const uint32_t size[$count] = {$sizes};
    return size[place % ${count}u];
}

/* The groups of a packet, and so its results. */
static inline size_t @group_count(size_t length)
{
    size_t place = 0u, start = 0u;
    do {
        start += @group_size(place++);
    } while (start < length);
    return place;
}

/* The results of one packet: an element of `results` for each of its group_count(length) groups, a code for each element. */
static inline void @run($parameters, @result *results)
{
    size_t place, start = 0u;
    for (place = 0u; start < packet->length; place++) {
        const size_t size = @group_size(place);
        @vector group;
        group.scores = packet->scores + start;
        group.length = packet->length - start < size ? packet->length - start : size;
$mask        @group($arguments, &results[place]);
        results[place].incomplete = group.length < size;
        start += size;
    }
}
""",
        count=len(config.groups),
        sizes=sizes,
        mask=mask,
        parameters=parameters,
        arguments=arguments,
    )
