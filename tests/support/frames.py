"""Vectors as the framed beats between the stages of a head."""

__all__ = ["framed"]


def framed(vector: tuple[int, ...], overlong: int = 0, lanes: int = 1) -> list[dict[str, int]]:
    beats = []
    for start in range(0, len(vector), lanes):
        held = vector[start : start + lanes]
        last = int(start + lanes >= len(vector))
        beat = {
            "position": held[0],
            "index": start // lanes,
            "first": int(start == 0),
            "last": last,
            "overlong": overlong & last,
        }
        for lane in range(1, lanes):
            beat[f"position_{lane}"] = held[lane] if lane < len(held) else 0
            beat[f"keep_{lane}"] = int(lane < len(held))
        beats.append(beat)
    return beats
