"""Null beats and gaps in tkeep: elements that are read, vectors that end, flags, and cycles."""

import numpy as np
import pytest
from support.head_bench import check_beats, check_head
from support.stream_bench import PAUSES, run_component

from softstream.hw.config.config import Config
from softstream.hw.options.null_beats import NullBeats
from softstream.hw.plan.derive import plan
from softstream.hw.plan.ports import byte_bits, outputs, top_ports
from softstream.hw.streams.flow import RigidPipe
from softstream.sim.beats import due_beats, pad_vectors, score_beats
from softstream.sim.golden import golden
from softstream.sim.golden.options.null_beats import kept_vectors
from softstream.sim.stimulus import corner_vectors, random_sideband

CONFIGS = {
    "argmax": Config(mode="argmax", max_length=10, lanes=4),
    "argmax-16": Config(mode="argmax", max_length=40, lanes=16),
    "argmax-small-wide": Config(mode="argmax", max_length=10, tkeep=True, score_width=12, profile="small"),
    "softmax": Config(max_length=16, tkeep=True, normaliser="logarithm"),
    "softmax-2": Config(max_length=9, lanes=2),
    "softmax-8": Config(max_length=21, lanes=8, mask=True),
    "softmax-32": Config(max_length=70, lanes=32, score_width=5, normaliser="logarithm"),
    "argmax-32": Config(mode="argmax", max_length=70, lanes=32, score_width=5),
    "two-pass": Config(
        max_length=9, accumulator="two_pass", tkeep=True, score_width=10, profile="small", score_scale=0.02
    ),
    "groups": Config(max_length=12, groups=(8, 4, 12), lanes=4),
    "ensemble": Config(max_length=9, ensemble=2, lanes=2),
    "temperature": Config(max_length=9, temperature_bits=3, temperature_fraction=1, lanes=2, score_scale=0.02),
    "sigmoid": Config(mode="sigmoid", max_length=5, tkeep=True, mask=True, score_width=12),
    "exponential": Config(mode="exponential", max_length=16, lanes=2),
    "sample": Config(mode="sample", max_length=9, tkeep=True),
    "top_k": Config(mode="top_k", top_k=3, max_length=9, lanes=2),
}


def test_the_model_reads_the_cases_of_the_law() -> None:
    """Packets of one-byte scores in four lanes; the numbers of the vectors' elements and the flags are those of the pages."""
    cases = {
        "1111 0000!": (4, False),
        "0000 1111!": (4, False),
        "1111 0000 0000 1100!": (6, False),
        "1110 0000!": (3, False),
        "1111!": (4, False),
        "1000!": (1, False),
        "1010!": (1, True),
        "0011!": (1, True),
        "1110 1111!": (8, True),
        "0000! 1100!": (2, False),
    }
    for text, (count, gap) in cases.items():
        beats = text.split()
        keep = np.array([[[bit == "1"] for bit in beat.strip("!")] for beat in beats])
        (vector,) = kept_vectors(keep, np.array([beat.endswith("!") for beat in beats]))
        assert (len(vector.places), vector.gap) == (count, gap), text
    (half,) = kept_vectors(np.array([[[True, True]], [[True, False]]]), np.array([0, 1]))
    assert (half.places, half.gap) == (((0, 0), (1, 0)), True)


def random_keeps(rng: np.random.Generator, beats: int, lanes: int, size: int) -> np.ndarray:
    """Patterns of tkeep: whole beats, null beats, leading lanes, and any."""
    kinds = rng.integers(0, 6, beats)
    leading = np.arange(lanes) < rng.integers(1, lanes + 1, beats)[:, None]
    lanes_kept = np.where((kinds == 0)[:, None], False, np.where((kinds == 1)[:, None], leading, True))
    keep = np.repeat(lanes_kept[:, :, None], size, axis=2)
    keep[kinds == 2] = rng.integers(0, 2, keep[kinds == 2].shape)
    return keep


@pytest.mark.parametrize("name", ["argmax", "argmax-16", "argmax-32", "argmax-small-wide", "softmax-2", "softmax-32"])
def test_heads_read_any_tkeep_as_the_model_does(name: str) -> None:
    """Every output beat, and the flag of a gap, which is that of a cut vector."""
    config, rng = CONFIGS[name], np.random.default_rng(3)
    lanes, size, count = config.lanes, byte_bits(config.score_width) // 8, 400
    codes = rng.integers(config.score_format.minimum, config.score_format.maximum, (count, lanes), endpoint=True)
    keep, last = random_keeps(rng, count, lanes, size), rng.integers(0, 4, count) == 0
    last[-1] = True
    words = score_beats(config, codes, np.full(count, lanes))
    bits = [sum(int(bit) << place for place, bit in enumerate(row)) for row in keep.reshape(count, -1)]
    beats = [(word, bit, int(end)) for (word, *_), bit, end in zip(words, bits, last, strict=True)]
    vectors = kept_vectors(keep, last)
    scores, lengths = pad_vectors([np.array([codes[place] for place in vector.places]) for vector in vectors], 0)
    result = golden(config, scores, lengths)
    gaps = np.array([vector.gap for vector in vectors])
    assert gaps.any()
    assert not gaps.all()
    result = {**result, "overlong": np.asarray(result["overlong"], dtype=bool) | gaps}
    due = due_beats(config, result, lengths)
    for source, sink in (("never", "never"), ("random", "every3"), ("every3", "random")):
        check_beats(config, beats, due, source=source, sink=sink)


@pytest.mark.parametrize("name", CONFIGS)
def test_null_beats_change_no_result_of_any_head(name: str) -> None:
    config = CONFIGS[name]
    vectors = corner_vectors(config, np.random.default_rng(1))[:24]
    check_head(config, vectors, source="random", sink="random")


@pytest.mark.parametrize("source", PAUSES)
@pytest.mark.parametrize("sink", PAUSES)
def test_the_stage_equals_its_model(source: str, sink: str) -> None:
    config, rng, count = Config(mode="argmax", max_length=8, lanes=4), np.random.default_rng(5), 120
    keep, last = random_keeps(rng, count, 4, 1), rng.integers(0, 3, count) == 0
    last[-1] = True
    # Lane 0 of a beat that is not null always holds an element, because `gap` stands for the other case.
    keep[keep.any(axis=(1, 2)), 0] = True
    beats = [
        {
            "score": number,
            "last": int(end),
            "null": int(not row.any()),
            **{f"keep_{lane}": int(row[lane, 0]) for lane in (1, 2, 3)},
        }
        for number, (row, end) in enumerate(zip(keep, last.tolist(), strict=True))
    ]
    vectors = kept_vectors(keep, last)
    rows = [sorted({beat for beat, _ in vector.places}) for vector in vectors]
    due = [(row - 256 * (row > 127), int(row == beats_of[-1])) for beats_of in rows for row in beats_of]
    trace = run_component(RigidPipe({"null_beats": NullBeats(config)}), beats, len(due), source=source, sink=sink)
    assert [(beat["score"], beat["last"]) for beat in trace.beats] == due
    assert [beat["gap"] for beat in trace.beats if beat["last"]] == [vector.gap for vector in vectors]
    assert not any(beat["null"] for beat in trace.beats)


def test_a_packet_of_null_beats_has_no_result() -> None:
    config = CONFIGS["softmax"]
    vectors = [np.array([3, 5]), np.array([7])]
    scores, lengths = pad_vectors(vectors, 0)
    beats = score_beats(config, scores, lengths)
    empty = [(0x7F, 0, 0), (0x7F, 0, 1), (0x7F, 0, 1)]
    check_beats(
        config,
        [*empty, *beats[:2], *empty, *beats[2:], *empty],
        due_beats(config, golden(config, scores, lengths), lengths),
    )


@pytest.mark.parametrize("name", ["argmax", "softmax", "softmax-8", "softmax-32", "sigmoid", "two-pass"])
def test_cycles_are_those_of_the_plan_and_three_more_than_without(name: str) -> None:
    config = CONFIGS[name].replace(mask=False)
    promised = plan(config)
    trace = check_head(config, [np.arange(5)])
    first, final = (trace.outputs["m_axis"][place] - trace.inputs[0] for place in (0, -1))
    assert (first, final) == (promised.first_output_cycle(5), promised.last_output_cycle(5))
    if config.lanes == 1:
        bare = plan(config.replace(tkeep=False))
        assert promised.first_output_cycle(5) == bare.first_output_cycle(5) + 3
        assert promised.interval_cycles(5) == bare.interval_cycles(5)


def test_a_null_beat_carries_no_sideband() -> None:
    """A label belongs to the first beat with an element."""
    config = Config(mode="cross_entropy", max_length=9, tkeep=True)
    vectors = [np.array([1, 2, 3]), np.array([4, -5])]
    scores, lengths = pad_vectors(vectors, 0)
    extra = random_sideband(config, scores)
    beats = score_beats(config, scores, lengths, sideband=extra)
    nulls = [(0x55, 0, (1 << config.label_width) - 1, 0)]
    due = due_beats(config, golden(config, scores, lengths, extra), lengths)
    check_beats(config, [*nulls, *beats[:3], *nulls, *beats[3:]], due)


def test_one_lane_has_the_port_only_where_the_key_asks_for_it() -> None:
    config = Config(max_length=16)
    assert not any(port.name.endswith("tkeep") for port in top_ports(config))
    (keep,) = (port for port in top_ports(config.replace(tkeep=True)) if port.name.endswith("tkeep"))
    assert (keep.name, keep.width) == ("s_axis_tkeep", 1)
    (flag,) = outputs(config.replace(tkeep=True))[0].flags
    assert "tkeep" not in flag.meaning
    (flag,) = outputs(config.replace(tkeep=True, score_width=12))[0].flags
    assert "tkeep" in flag.meaning
