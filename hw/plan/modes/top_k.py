"""Plan of Top-K, and the cycles and sizes of its lists, which `softmax_top_k` shares."""

from dataclasses import replace

from softstream.hw.config.config import Config
from softstream.hw.formats import ceil_log2
from softstream.hw.plan.fields import Field, Output, substitute_score, vector_flags
from softstream.hw.plan.records import ModePlan, Plan, StagePlan
from softstream.hw.plan.rows import frame_row, steady_plan
from softstream.hw.plan.stage_cycles import QUEUE_LATENCY, direct_cycles
from softstream.hw.plan.texts import each_cycle

__all__ = [
    "FILL_CYCLES",
    "INSERTION_LATENCY",
    "JOIN_LATENCY",
    "TOP_K",
    "insertion_row",
    "list_of",
    "merge_pause",
    "ranked_latency",
    "ranked_output",
    "ranked_row",
    "ranked_vectors",
    "tag_width",
    "top_k_vectors",
]

INSERTION_LATENCY = 2
"""From a framed element to the list that holds it: a cycle for the comparisons, one for the insertion."""

JOIN_LATENCY = 2
"""With several lanes, from the orders of their lists to one order of the vector, with the number of its output beats."""

FILL_CYCLES = 4
"""With several lanes, until the first elements of all lists are compared: they are read, pass a register each, then one more,
and are compared."""

MERGE_LATENCY = 1 + FILL_CYCLES + 1
"""With several lanes, from a vector's order to its first element: a cycle into the shift registers, the filling, and one
into the output."""


def list_of(config: Config, lane: int) -> Config:
    """The configuration of one lane's list: every L-th element of a vector, of which some may be missing.

    Its index is that of the beat. With one lane it is the whole configuration.
    """
    if config.lanes == 1:
        return config
    beats = config.beats(config.max_length)
    return Config(
        mode="top_k",
        top_k=min(config.top_k, beats),
        max_length=beats,
        score_width=config.score_width,
        score_signed=config.score_signed,
        tie=config.tie,
        # The last beat of a vector may have no element in the lanes behind the first.
        mask=config.mask or lane > 0,
    )


def tag_width(count: int) -> int:
    """Bits that number the K stored elements of a vector, at least one."""
    return max(1, ceil_log2(count))


def ranked_vectors(complete: int) -> int:
    """Vectors in the memory: a power of two, with one that comes in and at most `complete` complete ones."""
    return 1 << ceil_log2(complete + 1)


def _join_latency(config: Config) -> int:
    """From the lanes' lists to one order; 0 with one lane."""
    return JOIN_LATENCY if config.lanes > 1 else 0


def ranked_latency(config: Config) -> int:
    """From a vector's order at the queue's output to its first element.

    With one lane a cycle into the shift register, and those of the memory.
    """
    return MERGE_LATENCY if config.lanes > 1 else 1 + direct_cycles(config)


def merge_pause(config: Config, spacing: int) -> int:
    """Cycles without an output between two vectors whose elements leave `spacing` cycles apart, while the merge fills."""
    return max(0, FILL_CYCLES + 1 - spacing) if config.lanes > 1 else 0


def _latency(config: Config) -> int:
    """c: the first element is transferred B + c cycles after its vector's first beat of B, with nothing waiting."""
    # The last of B beats comes B − 1 cycles after the first; framing takes one cycle more.
    return INSERTION_LATENCY + _join_latency(config) + QUEUE_LATENCY + ranked_latency(config)


def top_k_vectors(config: Config) -> int:
    """Complete vectors that wait at most while input and output both move in every cycle.

    A vector of K or more elements leaves K of them; while these leave, vectors of one element may come in at one per cycle.
    A vector has never more output beats than input beats, so no more than K elements, of K vectors, ever wait for the output.
    The vectors between the frame and the shift register, and the cycles of the credits, are added to these.

    With several lanes the output of a vector may take longer than its input. Such vectors wait, and these places keep the
    output busy.
    """
    return config.top_k + _latency(config)


def insertion_row(config: Config) -> StagePlan:
    count = list_of(config, 0).top_k
    tags = f"{count} tags of {tag_width(count)} bits"
    return StagePlan(
        "insertion",
        f"sorted list of the {count} {config.select}{' of each lane' if config.lanes > 1 else ''}",
        f"UQ{config.score_width}.0",
        tags if config.lanes == 1 else f"{config.lanes} times {tags}",
        INSERTION_LATENCY,
        each_cycle(config),
        note="exact, from the raw scores",
    )


def ranked_row(config: Config, vectors: int, cycles: int) -> StagePlan:
    """The row of the memory of index and score, with the merge of the lanes' lists if there are several."""
    stored = f"{vectors} · {1 << tag_width(list_of(config, 0).top_k)} entries"
    several = config.lanes > 1
    return StagePlan(
        "lane_merge" if several else "ranked_store",
        f"the first of {config.lanes} lists' largest, again and again"
        if several
        else f"index and score by tag, {stored}",
        insertion_row(config).output_format,
        f"{config.index_width}-bit index, UQ{config.score_width}.0",
        cycles,
        "1 element/cycle",
        note=f"with {config.lanes} memories, index and score by tag, {stored}" if several else "a memory, not a table",
    )


def _plan(config: Config) -> Plan:
    cycles = _join_latency(config) + QUEUE_LATENCY + ranked_latency(config)
    store = ranked_row(config, ranked_vectors(top_k_vectors(config)), cycles)
    steady = steady_plan(config, (frame_row(config), insertion_row(config), store), _latency(config))
    return replace(steady, output_pause=merge_pause(config, 1))


def ranked_output(config: Config) -> Output:
    """The stream of the K largest, in order."""
    fields = (
        Field("index", "top_indices", config.index_width, f"index of one of the {config.select}, in order"),
        Field("score", "top_scores", config.score_width, "its score code", config.score_signed),
    )
    flags = vector_flags(config, f"; one beat of index 0 and the {substitute_score(config)} stands for them")
    return Output("m_axis", "o", fields, "rank", "element", flags)


TOP_K = ModePlan(_plan, lambda config: (ranked_output(config),))
