"""The ports of the generated top: names, widths and meanings, for the Verilog, the manifest and the documents alike."""

from dataclasses import dataclass

from .config import Config

__all__ = ["Port", "byte_bits", "stream_fields", "top_ports"]


@dataclass(frozen=True)
class Port:
    """One port of the top."""

    name: str
    direction: str
    """`input` or `output`."""
    width: int
    meaning: str


def byte_bits(width: int) -> int:
    """Bits of a byte-aligned field that holds `width` bits."""
    return 8 * -(-width // 8)


def top_ports(config: Config) -> tuple[Port, ...]:
    """The ports of the AXI4-Stream top of a configuration.

    The primary output m_axis carries probabilities in softmax mode and the winner in argmax mode; in softmax mode the
    winner has its own stream, m_axis_best. Streams of scores and probabilities carry a field per lane, and where there is
    more than one lane, tkeep.
    """
    lanes = config.lanes
    score_bits, index_bits = byte_bits(config.score_width), byte_bits(config.index_width)
    extended = "sign" if config.score_signed else "zero"
    winner = (
        f"[{index_bits - 1}:0] index of the maximum, [{index_bits + score_bits - 1}:{index_bits}] its score code, "
        f"{extended}-extended"
    )

    def per_lane(content: str, bits: int) -> str:
        return content if lanes == 1 else f"a field of {bits} bits per lane, lane 0 lowest; in each {content}"

    def keep(prefix: str, direction: str, bits: int, meaning: str) -> list[Port]:
        return [Port(f"{prefix}_tkeep", direction, lanes * bits // 8, meaning)] if lanes > 1 else []

    def outgoing(prefix: str, width: int, content: str, last: str, *kept: Port) -> list[Port]:
        return [
            Port(f"{prefix}_tdata", "output", width, content),
            *kept,
            Port(f"{prefix}_tvalid", "output", 1, "tdata, tlast and tuser hold until tready"),
            Port(f"{prefix}_tready", "input", 1, "the beat is taken"),
            Port(f"{prefix}_tlast", "output", 1, last),
            Port(f"{prefix}_tuser", "output", 1, "[0] overlong: the vector was longer than max_length and was cut"),
        ]

    one, noun = ("a score", "score") if lanes == 1 else ("a beat of scores", "beat")
    ports = [
        Port("aclk", "input", 1, "clock, rising edge"),
        Port("aresetn", "input", 1, "reset, synchronous, active low"),
        Port("s_axis_tdata", "input", lanes * score_bits,
             per_lane(f"[{config.score_width - 1}:0] score code, upper bits ignored", score_bits)),
        *keep("s_axis", "input", score_bits,
              "looked at in a vector's last beat, the lowest bit of each lane: from the first lane above 0 that has it 0, "
              "lanes are ignored"),
        Port("s_axis_tvalid", "input", 1, f"{one} is offered"),
        Port("s_axis_tready", "output", 1, f"the {noun} is taken"),
        Port("s_axis_tlast", "input", 1, f"the {noun} is its vector's last"),
    ]  # fmt: skip
    if config.mode == "argmax":
        return (*ports, *outgoing("m_axis", index_bits + score_bits, winner, "always 1: one beat per vector"))
    code = f"[{config.output_width - 1}:0] probability code, {config.probability_qformat}, zero-extended"
    code_bits = byte_bits(config.output_width)
    kept = keep("m_axis", "output", code_bits, "bytes of the lanes that hold a probability; the others hold anything")
    result = "probability" if lanes == 1 else "beat"
    return (
        *ports,
        *outgoing("m_axis", lanes * code_bits, per_lane(code, code_bits), f"the {result} is its vector's last", *kept),
        *outgoing("m_axis_best", index_bits + score_bits, winner, "always 1: one beat per vector"),
    )


def stream_fields(config: Config, prefix: str) -> tuple[str, ...]:
    """Signals of one stream of the top besides tvalid and tready, in the order of the ports: tdata, tkeep, tlast, tuser."""
    names = [port.name.removeprefix(f"{prefix}_") for port in top_ports(config) if port.name.startswith(f"{prefix}_t")]
    return tuple(name for name in names if name not in ("tvalid", "tready"))
