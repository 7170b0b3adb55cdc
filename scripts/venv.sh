#!/bin/sh
# Makes a virtual environment with pip and libpython: venv.sh DIRECTORY [PYTHON]. Needs no root.
#
# Debian keeps two things in packages of their own that a plain python3 does not bring: ensurepip, which puts pip into an
# environment, and libpython, which a simulator loads to run the benches. Where they are missing they are taken from those
# packages, unpacked into the environment and not installed.
set -eu
target=$1
python=${2:-python3}

fail() {
    rm -rf "$target"
    echo "error: $1" >&2
    exit 3
}

# The files of a Debian package, below $target/debian.
unpack() {
    mkdir -p "$target/debian"
    (cd "$target/debian" && apt-get download -qq "$1" && dpkg-deb -x ./*.deb . && rm ./*.deb) >/dev/null 2>&1
}

add_pip() {
    "$python" -m pip --python "$target/bin/python" install --quiet pip 2>/dev/null && return
    unpack python3-pip-whl || return
    # A wheel of pip runs as it is, and installs itself.
    wheel=$(echo "$target"/debian/usr/share/python-wheels/pip-*.whl)
    "$target/bin/python" "$wheel/pip" install --quiet --no-index "$wheel"
}

has_libpython() {
    "$target/bin/python" - <<'END'
import ctypes, pathlib, sys, sysconfig
name = sysconfig.get_config_var("INSTSONAME") or ""
home = pathlib.Path(sysconfig.get_config_var("LIBDIR") or "") / name
if name.endswith(".a") or not home.is_file():
    try:
        ctypes.CDLL(f"libpython{sysconfig.get_python_version()}.so.1.0")
    except OSError:
        sys.exit(1)
END
}

add_libpython() {
    version=$("$python" -c 'import sysconfig; print(sysconfig.get_python_version())')
    package=libpython$version
    # The very version that is installed, if the archive still has it.
    installed=$(dpkg-query -W -f '${Version}' "python$version-minimal" 2>/dev/null) || return
    unpack "$package=$installed" || unpack "$package" || return
    cp "$target"/debian/usr/lib/*/"$package".so.1.0 "$target/lib/"
}

command -v "$python" >/dev/null || fail "there is no '$python'; softstream needs Python 3.11 or later, for example make PYTHON=python3.12"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "'$python' is $("$python" -V 2>&1); softstream needs Python 3.11 or later, for example make PYTHON=python3.12"

rm -rf "$target"
if ! { "$python" -c 'import ensurepip, venv' && "$python" -m venv "$target"; } >/dev/null 2>&1; then
    rm -rf "$target"
    "$python" -m venv --without-pip "$target" >/dev/null 2>&1 || fail "'$python' has no module venv; on Debian the package python3-venv brings it"
    add_pip || fail "'$python' cannot put pip into a virtual environment (no ensurepip); on Debian the package python3-venv brings it"
fi
has_libpython || add_libpython ||
    echo "warning: '$python' has no libpython, so nothing can be simulated; on Debian the package libpython3-dev brings it" >&2
rm -rf "$target/debian"
