"""The build backend: that of setuptools, with an editable install that no folder named `softstream` hides.

An editable install of setuptools finds the package by a finder at the end of `sys.meta_path`. In the folder that holds a clone
named `softstream`, Python's own finder takes the clone for a namespace package before that. So the editable wheel of this backend
puts the finder to the front.
"""

import base64
import hashlib
import shutil
import zipfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["build_editable"]

_TO_THE_FRONT = '; import sys; sys.meta_path.sort(key=lambda finder: getattr(finder, "__module__", "") != "{module}")'
"""Continues the line of the .pth file that appends the finder of `module` to `sys.meta_path`."""


def __getattr__(name: str) -> Any:
    """Every other hook of a build backend is that of setuptools."""
    return getattr(import_module("setuptools.build_meta"), name)


def build_editable(
    wheel_directory: str,
    config_settings: Mapping[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """The editable wheel of setuptools, whose finder is the first to be asked. Returns the name of its file.

    Raises `RuntimeError` where that wheel has another .pth file than the line that installs the finder.
    """
    name: str = import_module("setuptools.build_meta").build_editable(
        wheel_directory, config_settings, metadata_directory
    )
    path = Path(wheel_directory) / name
    temporary = path.with_suffix(".part")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as new:
        contents = {member: old.read(member) for member in old.namelist()}
        [pth] = [member for member in contents if member.endswith(".pth")]
        [record] = [member for member in contents if member.endswith(".dist-info/RECORD")]
        line = contents[pth].decode().rstrip()
        module = line.partition(";")[0].removeprefix("import ")
        if line != f"import {module}; {module}.install()":
            raise RuntimeError(
                f"{pth}: must be one line that installs a finder, as setuptools 84 writes it, is {line!r}"
            )
        contents[pth] = f"{line}{_TO_THE_FRONT.format(module=module)}\n".encode()
        digest = base64.urlsafe_b64encode(hashlib.sha256(contents[pth]).digest()).rstrip(b"=").decode()
        entries = contents[record].decode().splitlines()
        entries = [f"{pth},sha256={digest},{len(contents[pth])}" if e.startswith(f"{pth},") else e for e in entries]
        contents[record] = ("\n".join(entries) + "\n").encode()
        for member, content in contents.items():
            new.writestr(old.getinfo(member), content)
    shutil.move(temporary, path)
    return name
