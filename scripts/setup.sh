#!/bin/sh
# Make .venv with everything fontgen needs. Does nothing when it is up to date.
# Reads: FONTGEN_PYTHON, the interpreter to use instead of the first suitable one on the path.
set -eu

cd "$(dirname "$0")/.."
venv=.venv
stamp=$venv/fontgen-setup

say() { echo "setup: $*"; }
fail() {
    echo "setup: $*" >&2
    exit 1
}

# What the environment was made from: a change of any of it makes it again.
wanted() {
    pwd
    cat pyproject.toml scripts/setup.sh
}
key=$(wanted | cksum)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$key" ] && "$venv/bin/python" -c "" 2>/dev/null; then
    exit 0
fi

# --- system packages -------------------------------------------------------------------------------

can_apt() {
    command -v apt-get >/dev/null 2>&1 || return 1
    [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null
}

apt_updated=no
apt_install() {
    root=""
    [ "$(id -u)" -eq 0 ] || root="sudo -n"
    if [ "$apt_updated" = no ]; then
        $root env DEBIAN_FRONTEND=noninteractive apt-get -qq update >/dev/null || true
        apt_updated=yes
    fi
    say "installing system packages: $*"
    $root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}

# --- an interpreter --------------------------------------------------------------------------------

# A name on the path may be a shim that does not run, so each candidate is tried.
is_suitable() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for candidate in python3.13 python3.12 python3.11 python3; do
        if is_suitable "$candidate"; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

if [ -n "${FONTGEN_PYTHON:-}" ]; then
    python=$FONTGEN_PYTHON
    is_suitable "$python" || fail "FONTGEN_PYTHON=$python does not run or is older than Python 3.11"
elif ! python=$(find_python); then
    fail "no Python 3.11 or newer found; install one (apt install python3, dnf install python3, brew install python)"
fi
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if ! can_apt || ! apt_install "python$version-venv"; then
        fail "$python cannot make environments; install its venv module (apt install python$version-venv)"
    fi
fi

# --- the environment -------------------------------------------------------------------------------

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1 ||
    [ "$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" != "$version" ]; then
    say "making $venv with Python $version"
    "$python" -m venv --clear "$venv"
fi
rm -f "$stamp"

pip() { PIP_ROOT_USER_ACTION=ignore "$venv/bin/python" -m pip --quiet --disable-pip-version-check --no-input "$@"; }

# Compiling every module in advance takes minutes for torch; Python compiles what is imported.
pip_install() { pip install --no-compile "$@"; }

# --- potrace: the C library through pypotrace, else potracer; both are the module `potrace` ---------

python_headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')

# Homebrew keeps headers and libraries outside the compiler's own search path.
if command -v brew >/dev/null 2>&1; then
    CPATH=$(brew --prefix)/include${CPATH:+:$CPATH}
    LIBRARY_PATH=$(brew --prefix)/lib${LIBRARY_PATH:+:$LIBRARY_PATH}
    export CPATH LIBRARY_PATH
fi

has_potrace_libraries() {
    command -v pkg-config >/dev/null 2>&1 && command -v c++ >/dev/null 2>&1 || return 1
    pkg-config --exists libagg || return 1
    printf '#include <Python.h>\n#include <potracelib.h>\n' |
        c++ -x c++ -I"$python_headers" -fsyntax-only - 2>/dev/null
}

install_potrace() {
    "$venv/bin/python" -c 'import potrace' 2>/dev/null && return 0
    if ! has_potrace_libraries; then
        set -- g++ pkg-config libpotrace-dev libagg-dev
        # Debian's own interpreter has its headers in a package; others bring them.
        [ -e "$python_headers/Python.h" ] || set -- "$@" "python$version-dev"
        if ! can_apt || ! apt_install "$@"; then
            say "pypotrace needs system libraries that are not all here. To install them:"
            say "    apt:  sudo apt install g++ pkg-config libpotrace-dev libagg-dev python$version-dev"
            say "    dnf:  sudo dnf install gcc-c++ pkgconf potrace-devel agg-devel python3-devel"
            say "    brew: brew install pkg-config potrace agg"
        fi
    fi
    say "building pypotrace"
    log=$(mktemp)
    if pip_install "pypotrace>=0.3" >"$log" 2>&1 &&
        "$venv/bin/python" -c 'import potrace' 2>>"$log"; then
        rm -f "$log"
        return 0
    fi
    pip uninstall --yes pypotrace >/dev/null 2>&1 || true
    say "NOTICE: pypotrace cannot be built ($(grep 'error' "$log" | grep -v subprocess | head -1 | cut -c1-120))"
    rm -f "$log"
    say "NOTICE: using potracer instead, in pure Python: the same outlines, many times slower."
    say "NOTICE: with the libraries above in place, 'rm -r $venv && make setup' changes to the fast one."
    pip_install potracer
}

install_potrace

# --- Chromium: the tests look at the proof page with it ----------------------------------------------

has_browser() {
    for browser in chromium chromium-browser google-chrome google-chrome-stable; do
        if command -v "$browser" >/dev/null 2>&1; then return 0; fi
    done
    return 1
}

if ! has_browser && { ! can_apt || ! apt_install chromium; }; then
    say "NOTICE: no Chromium here, which only 'make test' needs. To install it:"
    say "    apt:  sudo apt install chromium"
    say "    dnf:  sudo dnf install chromium"
    say "    brew: brew install --cask chromium"
fi

# --- everything else -------------------------------------------------------------------------------

free_gb=$(($(df -Pk . | awk 'NR == 2 { print $4 }') / 1048576))
[ "$free_gb" -ge 9 ] || say "NOTICE: $free_gb GB are free here; torch with its CUDA libraries takes about 6 GB, and 3 GB in passing"
say "installing torch and the other Python packages (up to 3 GB to download, a few minutes)"
if "$venv/bin/python" -m pip show --quiet potracer >/dev/null 2>&1; then
    # Without pypotrace the project's own list cannot be installed as it stands.
    requirements=$(mktemp)
    "$venv/bin/python" - >"$requirements" <<'LIST'
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
for requirement in project["dependencies"] + project["optional-dependencies"]["dev"]:
    if not requirement.startswith("pypotrace"):
        print(requirement)
LIST
    pip_install -r "$requirements" && pip_install --no-deps -e . || failed=yes
    rm -f "$requirements"
else
    # One call, so that the resolver picks torch and torchvision that belong together.
    pip_install -e ".[dev]" || failed=yes
fi
[ "${failed:-no}" = no ] || fail "pip failed (see above); check the network and the disk, then run make setup again"

echo "$key" >"$stamp"
say "done: $("$venv/bin/python" --version) in $venv"
