"""The monitor of the stream law catches every breach that it claims to catch, and nothing else."""

import pytest

from softstream.sim.benches.monitor import StreamMonitor, StreamViolation


def observed(*edges):
    """A monitor after edges of (valid, ready, payload); 'reset' with a valid stands for an edge in reset."""
    monitor = StreamMonitor("m_axis", ("tdata", "tlast", "tuser"))
    for edge in edges:
        if edge[0] == "reset":
            monitor.observe_reset(edge[1])
        else:
            monitor.observe(*edge)
    return monitor


FIRST, LAST = (5, 0, 0), (7, 1, 0)


def test_a_lawful_stream():
    monitor = observed(
        ("reset", None),
        ("reset", 0),
        (0, 0, None),
        (0, 1, None),
        (1, 0, FIRST),
        (1, 0, FIRST),
        (1, 1, FIRST),
        (1, 1, LAST),
        (0, 0, (None, None, None)),
    )
    assert (monitor.beats, monitor.packets, monitor.cycle) == (2, 1, 9)
    monitor.finish(2, 1)


def test_observe_reports_transfers():
    monitor = StreamMonitor("s_axis")
    assert [monitor.observe(valid, ready, (1, 1)) for valid in (0, 1) for ready in (0, 1)] == [
        False,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([(1, 0, FIRST), (0, 0, None)], "m_axis: tvalid fell before tready (beat 0, cycle 2)"),
        ([(1, 0, FIRST), (0, 1, None)], "m_axis: tvalid fell before tready (beat 0, cycle 2)"),
        (
            [(1, 1, FIRST), (1, 0, LAST), (1, 1, (6, 1, 0))],
            "m_axis: changed before tready: tdata 0x7 to 0x6 (beat 1, cycle 3)",
        ),
        ([(1, 0, LAST), (1, 0, (7, 0, 0))], "m_axis: changed before tready: tlast 0x1 to 0x0 (beat 0, cycle 2)"),
        ([(1, 0, LAST), (1, 1, (7, 1, 1))], "m_axis: changed before tready: tuser 0x0 to 0x1 (beat 0, cycle 2)"),
        ([(None, 1, None)], "m_axis: tvalid is X or Z (beat 0, cycle 1)"),
        ([(None, None, None)], "m_axis: tvalid is X or Z (beat 0, cycle 1)"),
        ([(0, None, None)], "m_axis: tready is X or Z (beat 0, cycle 1)"),
        ([(1, None, FIRST)], "m_axis: tready is X or Z (beat 0, cycle 1)"),
        ([(1, 1, (None, 0, 0))], "m_axis: tdata X or Z in an offered beat (beat 0, cycle 1)"),
        ([(1, 0, (1, None, None))], "m_axis: tlast, tuser X or Z in an offered beat (beat 0, cycle 1)"),
        ([("reset", 1), ("reset", 1)], "m_axis: tvalid is 1 during reset (beat 0, cycle 2)"),
        ([("reset", 0), ("reset", None)], "m_axis: tvalid is X or Z during reset (beat 0, cycle 2)"),
    ],
)
def test_every_breach_is_caught(edges, message):
    observed(*edges[:-1])
    with pytest.raises(StreamViolation) as caught:
        observed(*edges)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("edges", "due", "message"),
    [
        ([(1, 1, FIRST), (1, 1, LAST)], (3, 1), "2 beats in 1 packets; 3 in 1 were due"),
        ([(1, 1, FIRST), (1, 1, LAST)], (1, 1), "2 beats in 1 packets; 1 in 1 were due"),
        ([(1, 1, LAST), (1, 1, LAST)], (2, 1), "2 beats in 2 packets; 2 in 1 were due"),
        ([(1, 1, FIRST), (1, 1, FIRST)], (2, 1), "2 beats in 0 packets; 2 in 1 were due"),
        ([(1, 1, LAST), (1, 1, FIRST)], (2, 1), "the last packet has no tlast"),
        ([(1, 1, LAST), (1, 0, LAST)], (1, 1), "a beat is left over, offered and not taken"),
    ],
)
def test_missing_and_surplus_beats_at_the_end_are_reported(edges, due, message):
    with pytest.raises(StreamViolation, match=f"^m_axis: {message}"):
        observed(*edges).finish(*due)


def test_reset_forgets_offered_beats_and_open_vectors():
    monitor = observed((1, 1, FIRST), (1, 0, LAST), ("reset", 1), ("reset", 0), (0, 1, None), (1, 1, LAST))
    assert not monitor.open
    monitor.finish(2, 1)


def test_begin_counts_anew():
    monitor = observed((1, 1, FIRST), (1, 1, LAST))
    monitor.begin()
    monitor.observe(1, 1, LAST)
    monitor.finish(1, 1)
