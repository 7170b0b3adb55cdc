"""Frames: decoding inverts encoding, and every damaged byte of the wire is detected."""

import numpy as np
import pytest
from amaranth.lib.crc.catalog import CRC16_IBM_SDLC

from softstream.boards.link import protocol
from softstream.boards.link.protocol import Corrupt, Decoder, Frame, Info, Trailer, Type, crc16, encode
from softstream.hw.config.config import Config
from softstream.hw.config.presets import PRESETS


def frames(count=200, seed=5):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        payload = rng.integers(0, rng.choice((2, 256)), rng.integers(0, protocol.PAYLOAD_BYTES + 1), dtype=np.uint8)
        yield Frame(*(int(x) for x in rng.integers(0, 256, 3)), payload.tobytes())


def test_the_check_sum_is_the_catalogue_s():
    assert crc16(b"123456789") == 0x906E  # the catalogue's check value
    data = bytes(range(256))
    assert crc16(data) == CRC16_IBM_SDLC(data_width=8).compute(data)


@pytest.mark.parametrize("piece", [1, 7, 10**6])
def test_encoded_frames_are_decoded_in_pieces_of_any_size(piece):
    sent = list(frames())
    wire = b"".join(map(encode, sent))
    decoder = Decoder()
    assert [f for i in range(0, len(wire), piece) for f in decoder.feed(wire[i : i + piece])] == sent


def test_a_frame_has_no_zero_but_its_delimiter_and_a_known_size():
    for frame in frames():
        wire = encode(frame)
        assert wire.find(0) == len(wire) - 1
        assert len(wire) == len(frame.payload) + 7


def test_every_damaged_byte_is_seen():
    seen = 0
    for frame in frames(40):
        wire = encode(frame)
        damaged = [wire[:i] + wire[i + 1 :] for i in range(len(wire) - 1)]
        damaged += [wire[: i + 1] + wire[i:] for i in range(len(wire) - 1)]
        damaged += [
            wire[:i] + bytes([wire[i] ^ (1 << b)]) + wire[i + 1 :] for i in range(len(wire) - 1) for b in range(8)
        ]
        for bad in damaged:
            if bad == wire or (bad[:-1] == wire[:-1]):
                continue
            items = list(Decoder().feed(bad))
            # Dropping or doubling one of several equal bytes can only leave the same bytes, and is no damage then.
            assert frame not in items
            assert not [f for f in items if isinstance(f, Frame)], bad.hex()
            seen += 1
    assert seen > 10_000


def test_a_frame_after_a_damaged_one_arrives():
    first, second = list(frames(2))
    items = list(Decoder().feed(encode(first)[3:] + encode(second)))
    assert isinstance(items[0], Corrupt)
    assert items[1:] == [second]


def test_delimiters_alone_are_no_frames_and_noise_does_not_grow():
    assert list(Decoder().feed(b"\0\0\0")) == []
    decoder = Decoder()
    for _ in range(100):
        assert list(decoder.feed(b"x" * 1000)) == []
    assert [type(item) for item in decoder.feed(b"\0")] == [Corrupt]


def test_a_payload_too_long_is_not_sent():
    with pytest.raises(ValueError, match="at most 60"):
        encode(Frame(Type.RUN, 0, 0, bytes(61)))


CARRIED = [config for config in PRESETS.values() if protocol.link_supports(config)]


@pytest.mark.parametrize("config", [*CARRIED, Config(probability_width=24, probability_format="UQ1")])
def test_info_describes_the_board(config):
    info = Info.of(config, 12e6)
    assert len(info.to_bytes()) == 53 <= protocol.PAYLOAD_BYTES
    again = Info.from_bytes(info.to_bytes())
    assert again == info
    assert (again.digest, again.mode, again.max_length, again.clock_hz) == (
        config.digest,
        config.mode,
        config.max_length,
        12_000_000,
    )


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"", "it says b'' where"),
        (b"what", "it says b'what' where"),
        (b"sfst", "version 0 of the protocol, this program version 3"),
        (b"sfst\x09", "version 9 of the protocol"),
        (b"sfst\x03", "its INFO has 5 bytes instead of 53"),
    ],
)
def test_another_device_at_the_port_is_refused(payload, says):
    with pytest.raises(ValueError, match=says.replace("'", "'")):
        Info.from_bytes(payload)


def test_trailers_and_sizes():
    config = Config(mode="exponential", mask=True, max_length=65536, score_width=16, score_scale=1e-3)
    trailer = Trailer((65535, -0x8000, 70000), 0b11, 2**24 - 1)
    # Index, score, sum of 24 bits, flags, cycles.
    assert len(trailer.to_bytes(config)) == 2 + 2 + 3 + 1 + 3
    assert Trailer.from_bytes(config, trailer.to_bytes(config)) == trailer
    with pytest.raises(ValueError, match="7 bytes instead of 11"):
        Trailer.from_bytes(config, bytes(7))
    assert [protocol.score_bytes(Config(score_width=width)) for width in (2, 8, 9, 16)] == [1, 1, 2, 2]
    widths = [Config(probability_width=p, probability_format=f, guard_bits=4) for p, f in
              ((8, "UQ0"), (8, "UQ1"), (16, "UQ0"), (16, "UQ1"), (24, "UQ0"), (24, "UQ1"))]  # fmt: skip
    assert [protocol.beat_bytes(protocol.element_output(config)) for config in widths] == [1, 2, 2, 3, 3, 4]
    assert protocol.element_output(Config(mode="argmax")) is None
    assert protocol.vector_output(Config(mode="sigmoid")) is None
    assert [flag.name for flag in protocol.flags(Config(mode="sigmoid", mask=True))] == ["overlong", "all_masked"]


def test_an_element_is_its_score_and_its_sideband():
    assert protocol.element_bytes(Config(mask=True)) == 2
    labelled = Config(mode="cross_entropy", mask=True, max_length=65536)
    assert protocol.element_bytes(labelled) == 1 + 3  # 17 bits of label and mask
    assert protocol.element_bytes(labelled.replace(score_width=9, score_scale=0.01)) == 2 + 3
