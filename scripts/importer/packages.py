"""The packages of the extra `onnx`, which are loaded when a model is read."""

from __future__ import annotations

import importlib
from typing import Any

from softstream.hw.extras import absent

__all__ = ["attribute", "third_party"]


def third_party(name: str) -> Any:
    """A module of the packages `onnx` and `onnxruntime`. Raises `MissingTool` with the command that installs them."""
    try:
        return importlib.import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        raise absent((package,), "import") from None


def attribute(node: Any, name: str, default: Any) -> Any:
    """An attribute of a node, text as `str`; its default where it is absent or of another type."""
    helper = third_party("onnx.helper")
    value = next((helper.get_attribute_value(entry) for entry in node.attribute if entry.name == name), None)
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    return value if isinstance(value, type(default)) or (value is not None and default is None) else default
