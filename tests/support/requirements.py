"""The requirements of pyproject.toml, read by tests and by the targets that pin them."""

import re

__all__ = ["name_of", "normalised"]


def normalised(name: str) -> str:
    """The name of a package as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(requirement: str) -> str:
    """The normalised name of a requirement, without extras and versions: `amaranth[builtin-yosys]>=0.5.8` → `amaranth`."""
    match = re.match(r"[\w.-]+", requirement)
    if match is None:
        raise ValueError(f"{requirement!r} is no requirement")
    return normalised(match[0])
