"""The ports of the generated top: names, widths and meanings, for the Verilog, the manifest and the documents alike."""

from dataclasses import dataclass

from .config import Config

__all__ = ["Port", "byte_bits", "top_ports"]


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
    winner has its own stream, m_axis_best.
    """
    score_bits, index_bits = byte_bits(config.score_width), byte_bits(config.index_width)
    extended = "sign" if config.score_signed else "zero"
    winner = (
        f"[{index_bits - 1}:0] index of the maximum, [{index_bits + score_bits - 1}:{index_bits}] its score code, "
        f"{extended}-extended"
    )

    def outgoing(prefix: str, width: int, content: str, last: str) -> list[Port]:
        return [
            Port(f"{prefix}_tdata", "output", width, content),
            Port(f"{prefix}_tvalid", "output", 1, "tdata, tlast and tuser hold until tready"),
            Port(f"{prefix}_tready", "input", 1, "the beat is taken"),
            Port(f"{prefix}_tlast", "output", 1, last),
            Port(f"{prefix}_tuser", "output", 1, "[0] overlong: the vector was longer than max_length and was cut"),
        ]

    ports = [
        Port("aclk", "input", 1, "clock, rising edge"),
        Port("aresetn", "input", 1, "reset, synchronous, active low"),
        Port("s_axis_tdata", "input", score_bits, f"[{config.score_width - 1}:0] score code, upper bits ignored"),
        Port("s_axis_tvalid", "input", 1, "a score is offered"),
        Port("s_axis_tready", "output", 1, "the score is taken"),
        Port("s_axis_tlast", "input", 1, "the score is its vector's last"),
    ]
    if config.mode == "argmax":
        return (*ports, *outgoing("m_axis", index_bits + score_bits, winner, "always 1: one beat per vector"))
    code = f"[{config.output_width - 1}:0] probability code, {config.probability_qformat}, zero-extended"
    return (
        *ports,
        *outgoing("m_axis", byte_bits(config.output_width), code, "the probability is its vector's last"),
        *outgoing("m_axis_best", index_bits + score_bits, winner, "always 1: one beat per vector"),
    )
