#!/usr/bin/env bash
# Fetch the real parts that the tests run against into target/, once: parts.sh python | prometheus | exporter | chromium | bench
# Nothing is installed on the machine, except python3-venv where Debian's Python comes without it, and a Chromium where
# there is none.
set -euo pipefail
cd "$(dirname "$0")/../.."

give_up() {
    echo "make test: $*" >&2
    exit 1
}

as_root() {
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null
}

# A Python environment with moto and boto3, at target/python.
python() {
    local python=${PYTHON:-python3}
    command -v "$python" >/dev/null || give_up "the tests need Python 3.11 or later, and there is no $python here."
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        give_up "the tests need Python 3.11 or later, and $python is $("$python" -V). Set PYTHON to another."
    rm -rf target/python
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        as_root || give_up "$python cannot make virtual environments: install the package python3-venv."
        install python3-venv || give_up "python3-venv could not be installed."
    fi
    "$python" -m venv target/python || give_up "$python could not make a virtual environment in target/python."
    target/python/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
        --requirement tests/requirements.txt ||
        give_up "pip could not install tests/requirements.txt, of which the tests need every line."
    touch target/python/stamp
}

# prometheus and promtool, at target/prometheus: links to those of this machine, else Debian's package unpacked.
prometheus() {
    rm -rf target/prometheus
    mkdir -p target/prometheus
    # Programs alone: this function has the name of one.
    if type -P prometheus >/dev/null && type -P promtool >/dev/null; then
        ln -s "$(type -P prometheus)" "$(type -P promtool)" target/prometheus/
    else
        unpack prometheus || give_up "Prometheus could not be had: put prometheus and promtool on PATH, or make" \
            "\`apt-get download prometheus\` work (\`apt-get update\` first, as root)."
    fi
    for tool in prometheus promtool; do
        "target/prometheus/$tool" --version >/dev/null 2>&1 || give_up "target/prometheus/$tool does not start."
    done
    touch target/prometheus/stamp
}

# An exporter that uses exporter-toolkit, at target/exporter: a link to this machine's, else Debian's package unpacked.
exporter() {
    rm -rf target/exporter
    mkdir -p target/exporter
    local name=prometheus-node-exporter
    if type -P "$name" >/dev/null; then
        ln -s "$(type -P "$name")" target/exporter/
    else
        unpack "$name" exporter || give_up "an exporter could not be had: put $name on PATH, or make" \
            "\`apt-get download $name\` work (\`apt-get update\` first, as root)."
    fi
    "target/exporter/$name" --version >/dev/null 2>&1 || give_up "target/exporter/$name does not start."
    touch target/exporter/stamp
}

# A Chromium, at target/chromium: a link to this machine's. One that is not there is installed, since it needs libraries.
chromium() {
    rm -rf target/chromium
    mkdir -p target/chromium
    browser >/dev/null || { as_root && install chromium >&2; } || true
    local found
    found=$(browser) || give_up "the page for people is looked at in Chromium, and there is none here: install the" \
        "package chromium, or put chromium, chromium-browser or google-chrome on PATH."
    ln -s "$found" target/chromium/chromium
    target/chromium/chromium --version >/dev/null 2>&1 || give_up "$found does not start."
    touch target/chromium/stamp
}

# Programs alone: a function of this script has the name of one.
browser() {
    type -P chromium || type -P chromium-browser || type -P google-chrome
}

# What a bench measures with, and against.
bench() {
    type -P wrk >/dev/null && type -P nginx >/dev/null && type -P strip >/dev/null && return
    as_root && install wrk nginx-light binutils >&2 && return
    give_up "the bench needs wrk, nginx and strip on PATH."
}

# A package unpacked into a folder of target, not installed: it would start a service.
unpack() (
    cd "target/${2:-$1}"
    apt-get download --quiet "$1" >/dev/null 2>&1 || { refresh && apt-get download --quiet "$1"; } || return
    dpkg-deb --extract "$1"_*.deb . && rm "$1"_*.deb
    ln -s usr/bin/* .
)

install() {
    apt-get install --quiet --yes --no-install-recommends "$@" ||
        { refresh && apt-get install --quiet --yes --no-install-recommends "$@"; }
}

refresh() {
    as_root && apt-get update --quiet
}

case ${1:-} in
python | prometheus | exporter | chromium | bench) "$1" ;;
*) give_up "no such part: ${1:-none named}" ;;
esac
